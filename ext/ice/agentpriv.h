/* What the files of the agent share. Everything here belongs to the agent's thread, unless the struct says otherwise.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "agent.h"
#include "probe.h"
#include "signalfile.h"
#include "tunnel.h"

#include <gst/gst.h>
#include <stun/stunagent.h>

GST_DEBUG_CATEGORY_EXTERN (conclave_ice_debug);

#define ICE_MAX_SEEN                                                          \
  16 /* remote credentials remembered, to know a late description */
#define ICE_MAX_EARLY                                                         \
  32 /* candidates kept until the description they belong to comes */

struct IceAgent
{
  IceAgentConfig
      config; /* constant once the thread runs, but for servers that have a tunnel */
  IceAgentEvents events; /* constant */
  gpointer user;
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;

  /* agent's thread */
  IceLink *active;   /* carries media, or did so last */
  IceLink *pending;  /* being connected */
  IceLink *retiring; /* the one before, that still receives */
  GSource *retirement;
  GPtrArray *closing;
  GPtrArray *tunnels; /* of IceTunnel: TURN servers over TLS */
  GSource *tick;
  GSource *deadline;
  GSource
      *answer; /* while `pending` waits for the far end's new description */
  GSource *nomination; /* while the nomination is repeated */
  guint nominate_in;   /* ms until the next one */
  guint nominated_for; /* ms since the link came into use */
  SignalFile *file;
  IceProbe *probe;       /* while the reason for a failure is looked for */
  IceDescription remote; /* the newest; ufrag is empty: none yet */
  char seen[ICE_MAX_SEEN][ICE_MAX_UFRAG + 1];
  guint n_seen;
  IceCandidate early[ICE_MAX_EARLY];
  guint n_early;
  gboolean active_lost;
  gboolean was_connected;
  gboolean told_gathered; /* of the current link: complaints about servers */
  gboolean stopping;
  char published_ufrag[ICE_MAX_UFRAG + 1];
  IceCandidate published[ICE_MAX_CANDIDATES];
  gsize n_published;
  gboolean published_end;
  char *addresses; /* local addresses when `pending` was made */
  guint ticks;
  guint lost_ticks;
  guint failed_ticks;
  guint64 dropped_before; /* by the kernel, on links that are gone */

  GMutex lock; /* guards all below; never held over a call out */
  IceState state;
  char *local_description;
  char *selected_pair;
  IceAgentStats stats;
  guint64 told_drops; /* the largest number told: no counter goes back */
  IceRoute *route;
  IceSources *sources;

  GMutex stun_lock; /* guards the check under way */
  StunAgent stun;
  StunTransactionId check_id;
  gint64 check_sent; /* monotonic us; 0: none under way */
  char check_password[ICE_MAX_PWD + 1];
};

/* agent.c: state, timers. */
IceState ice_agent_get_state (IceAgent *agent);
void ice_agent_set_state (IceAgent *agent, IceState state);
void ice_agent_fail (IceAgent *agent, const char *text, const char *detail);
GSource *ice_agent_add_timeout (IceAgent *agent, guint ms, GSourceFunc func);
void ice_clear_source (GSource **source);

/* agentlinks.c: which links there are, and what packets see of them. */
IceSources *ice_sources_new (void);
void ice_agent_update_sources (IceAgent *agent);
void ice_agent_set_route (IceAgent *agent, IceRoute *route);
char *ice_agent_list_addresses (void);
gboolean ice_agent_wants_loopback (IceAgent *agent);

/* Makes the pending link, with fresh credentials or those of the one it replaces. Without any address to offer there
 * is none: the clock tries again. */
void ice_agent_make_pending (IceAgent *agent, gboolean same_credentials);
void ice_agent_hand_remote (IceAgent *agent, IceLink *link);

/* Makes it for a restart, by whichever side: beside the active one if there are ports for both. */
void ice_agent_renew_link (IceAgent *agent);

/* Tries again what ice_agent_make_pending() could not. */
void ice_agent_retry_pending (IceAgent *agent);

void ice_agent_start_restart (IceAgent *agent, const char *why);

/* Nothing can be sent any more; tells so. */
void ice_agent_lose_path (IceAgent *agent);
void ice_agent_lose_active (IceAgent *agent, const char *why);
void ice_agent_retire (IceAgent *agent, IceLink **link);

/* Reads all that libnice may have told about, and acts on what it comes to. */
void ice_agent_sync_links (IceAgent *agent);

/* agenttalk.c: what this side tells the far end, and the far end this side. */
void ice_agent_publish (IceAgent *agent, IceLink *link);
void ice_agent_complain_about_servers (IceAgent *agent, IceLink *link);
void ice_agent_take_description (const char *text, gsize len, gpointer user);
void ice_agent_take_candidate (IceAgent *agent, const char *text);

/* agentcheck.c: checks of our own. For the round trip time: */
void ice_agent_send_check (IceAgent *agent);

/* Repeats the nomination over the link that came into use, more and more seldom. The far end may hear of our new
 * credentials only after it was nominated, and its libnice forgets the nomination when it starts its checks anew with
 * them; it would wait 4 to 6 s for the next consent check. So it waits a quarter of the time our description took. */
void ice_agent_start_nominating (IceAgent *agent);

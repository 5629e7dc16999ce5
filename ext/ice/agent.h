/* ICE for one transport, driven by descriptions: gathering, connecting, noticing loss, restarting.
 *
 * Owns a thread ("ice-agent") that runs everything that decides; it never moves media. Who moves media asks for a
 * route (where to send) and for a set of receiving sockets, both immutable and reference counted.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "link.h"

#include <gio/gio.h>

typedef enum
{
  ICE_STATE_NEW,        /* not started */
  ICE_STATE_GATHERING,  /* the far end's description is not here yet */
  ICE_STATE_CONNECTING, /* pairs are being checked */
  ICE_STATE_CONNECTED,  /* media flows; other pairs are still being checked */
  ICE_STATE_READY,      /* media flows; all checks are over */
  ICE_STATE_DISCONNECTED, /* the path was lost; a restart is under way */
  ICE_STATE_FAILED        /* given up */
} IceState;

/* Where to send. */
typedef struct
{
  gatomicrefcount refs;
  IceLink *link;
  UdpPath *path; /* NULL: through libnice */
  struct sockaddr_storage to;
  socklen_t to_len;
} IceRoute;

#define ICE_MAX_LINKS                                                         \
  3 /* the one in use, the one before, the one that is being connected */

/* Where packets come from: media sockets of the links that live. */
typedef struct
{
  gatomicrefcount refs;
  IceLink *links[ICE_MAX_LINKS];
  UdpPath *paths[ICE_MAX_LINKS * ICE_MAX_PATHS];
  IceLink
      *path_links[ICE_MAX_LINKS * ICE_MAX_PATHS]; /* borrowed from `links` */
  guint n_paths;
  IceAddress from[ICE_MAX_LINKS * ICE_MAX_CANDIDATES];
  guint n_from;
  guint64 dropped_before; /* by the kernel, on links that are gone */
} IceSources;

typedef struct IceAgent IceAgent;

/* All but `arrived` are called from the agent's thread, without a lock. `arrived`: from a link's thread. */
typedef struct
{
  void (*state) (IceState state, gpointer user);
  void (*described) (
      gpointer user); /* ice_agent_dup_local_description() is a new one */
  void (*candidate) (const char *candidate, gpointer user);
  void (*selected) (
      gpointer user); /* ice_agent_dup_selected_pair() is a new one */
  void (*routed) (gpointer user); /* a new route, or sources */
  void (*arrived) (const guint8 *bytes, gsize size, gpointer user);
  void (*warned) (const char *text, const char *detail, gpointer user);
  void (*failed) (const char *text, const char *detail, gpointer user);
} IceAgentEvents;

typedef struct
{
  IceConfig link;
  guint connect_timeout;    /* s, 0: none */
  guint disconnect_timeout; /* s, 0: none */
  char *local_location;     /* file to write, or NULL */
  char *remote_location;    /* file to await, or NULL */
  GTlsDatabase
      *trust; /* authorities of TURN servers over TLS; NULL: the system's */
} IceAgentConfig;

typedef struct
{
  guint64 restarts;
  guint64 descriptions_refused;
  guint64 candidates_skipped; /* of the far end: malformed, out of limits */
  guint64
      kernel_drops;   /* packets the kernel dropped at full receive buffers */
  gint64 rtt;         /* ns, -1: not known */
  char local_type[8]; /* of the selected pair; empty when there is none */
  char remote_type[8];
  char transport[8];
  gboolean media_socket; /* the selected pair has one */
} IceAgentStats;

/* Takes `config`'s contents over, also when it fails. `error`: a location that cannot be written. */
IceAgent *ice_agent_new (
    IceAgentConfig *config, const IceAgentEvents *events, gpointer user);

/* Starts the thread, and with it gathering. */
void ice_agent_start (IceAgent *agent);

/* Stops the thread; gives TURN allocations back, at most half a second long. Not from the agent's thread. */
void ice_agent_stop (IceAgent *agent);
void ice_agent_free (IceAgent *agent);

/* Any thread. Act later, on the agent's thread. */
void ice_agent_set_remote_description (IceAgent *agent, const char *text);
void ice_agent_add_candidate (IceAgent *agent, const char *text);
void ice_agent_restart (IceAgent *agent, const char *why);
void ice_agent_call_later (
    IceAgent *agent, guint ms, GSourceFunc func, gpointer data);

/* Any thread. */
char *ice_agent_dup_local_description (IceAgent *agent);
char *ice_agent_dup_selected_pair (IceAgent *agent);
void ice_agent_get_stats (IceAgent *agent, IceAgentStats *out);

/* Adds the counters of `more`; what is no counter stays. */
void ice_agent_stats_add (IceAgentStats *stats, const IceAgentStats *more);
IceRoute *ice_agent_ref_route (IceAgent *agent); /* NULL: there is none now */
IceSources *ice_agent_ref_sources (IceAgent *agent); /* never NULL */

void ice_route_unref (IceRoute *route);
void ice_sources_unref (IceSources *sources);

/* An answer to a check of ours, from the receiving thread: what ice_link_is_own_answer() tells. */
void ice_agent_take_stun (IceAgent *agent, const guint8 *bytes, gsize size);

/* What decides: when to gather, check, restart and give up.
 *
 * Descriptions may cross on the way, come twice, late or from an earlier run. Three rules make both sides meet on one
 * pair of credentials whatever the order:
 *  - while nothing is connected, a new remote description replaces the old one, and ours stays as it is;
 *  - once connected, a new remote description is a restart: it gets a new link with new credentials of ours
 *    (RFC 8445, 9: the answer to a restart is a restart);
 *  - who restarts by itself waits for the far end's new description, and after ANSWER_WAIT goes on with the old one,
 *    for the far end may have seen no reason to change it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent.h"

#include "probe.h"
#include "signalfile.h"

#include <gst/gst.h>
#include <nice/interfaces.h>
#include <sodium.h>
#include <string.h>
#include <stun/stunagent.h>
#include <stun/usages/ice.h>

GST_DEBUG_CATEGORY_EXTERN (conclave_ice_debug);
#define GST_CAT_DEFAULT conclave_ice_debug

#define TICK 1000 /* ms between looks at what nobody tells: addresses, RTT */
#define ANSWER_WAIT 5000 /* ms */
#define RETIRE_AFTER                                                          \
  2000 /* ms that a replaced link still receives: packets on their way */
#define CLOSE_WAIT 500 /* ms that stopping waits for TURN servers */
#define LOST_TICKS                                                            \
  2 /* looks in a row that miss the local address before the path counts as lost */
#define RECHECK_TICKS                                                         \
  2 /* looks between two rounds of checks that all failed */
#define RTT_TICKS 2
#define MAX_SEEN                                                              \
  16 /* remote credentials remembered, to know a late description */
#define MAX_EARLY                                                             \
  32 /* candidates kept until the description they belong to comes */
#define DESCRIPTION_SIZE                                                      \
  (ICE_DESCRIPTION_ROOM + (ICE_MAX_CANDIDATES + 1) * ICE_CANDIDATE_ROOM)

struct IceAgent
{
  IceAgentConfig config; /* constant */
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
  GSource *tick;
  GSource *deadline;
  GSource
      *answer; /* while `pending` waits for the far end's new description */
  SignalFile *file;
  IceProbe *probe;       /* while the reason for a failure is looked for */
  IceDescription remote; /* the newest; ufrag is empty: none yet */
  char seen[MAX_SEEN][ICE_MAX_UFRAG + 1];
  guint n_seen;
  IceCandidate early[MAX_EARLY];
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

  GMutex lock; /* guards all below; never held over a call out */
  IceState state;
  char *local_description;
  char *selected_pair;
  IceAgentStats stats;
  guint64 kernel_drops; /* of links that are gone */
  IceRoute *route;
  IceSources *sources;

  GMutex stun_lock; /* guards the check under way */
  StunAgent stun;
  StunTransactionId check_id;
  gint64 check_sent; /* monotonic us; 0: none under way */
  char check_password[ICE_MAX_PWD + 1];
};

static void sync_links (IceAgent *agent);

/* Routes and sources. */

void
ice_route_unref (IceRoute *route)
{
  if (!route || !g_atomic_ref_count_dec (&route->refs))
    return;
  ice_link_unref (route->link);
  g_free (route);
}

IceRoute *
ice_agent_ref_route (IceAgent *agent)
{
  g_mutex_lock (&agent->lock);
  IceRoute *route = agent->route;
  if (route)
    g_atomic_ref_count_inc (&route->refs);
  g_mutex_unlock (&agent->lock);
  return route;
}

gboolean
ice_agent_is_current_route (IceAgent *agent, IceRoute *route)
{
  g_mutex_lock (&agent->lock);
  gboolean current = agent->route == route;
  g_mutex_unlock (&agent->lock);
  return current;
}

void
ice_sources_unref (IceSources *sources)
{
  if (!sources || !g_atomic_ref_count_dec (&sources->refs))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (sources->links); i++)
    if (sources->links[i])
      ice_link_unref (sources->links[i]);
  g_free (sources);
}

IceSources *
ice_agent_ref_sources (IceAgent *agent)
{
  g_mutex_lock (&agent->lock);
  IceSources *sources = agent->sources;
  g_atomic_ref_count_inc (&sources->refs);
  g_mutex_unlock (&agent->lock);
  return sources;
}

static IceSources *
sources_new (void)
{
  IceSources *sources = g_new0 (IceSources, 1);
  g_atomic_ref_count_init (&sources->refs);
  return sources;
}

static void
add_source_link (IceSources *sources, guint slot, IceLink *link)
{
  guint n;
  UdpPath *paths;

  if (!link)
    return;
  sources->links[slot] = ice_link_ref (link);
  paths = ice_link_paths (link, &n);
  for (guint i = 0; i < n; i++) {
    sources->path_links[sources->n_paths] = link;
    sources->paths[sources->n_paths++] = &paths[i];
  }
  sources->n_from +=
      ice_link_remote_addresses (link, sources->from + sources->n_from,
          G_N_ELEMENTS (sources->from) - sources->n_from);
}

static void
update_sources (IceAgent *agent)
{
  IceSources *sources = sources_new (), *old;

  add_source_link (sources, 0, agent->active);
  add_source_link (sources, 1, agent->pending);
  add_source_link (sources, 2, agent->retiring);
  g_mutex_lock (&agent->lock);
  old = agent->sources;
  agent->sources = sources;
  g_mutex_unlock (&agent->lock);
  ice_sources_unref (old);
  agent->events.routed (agent->user);
}

static void
set_route (IceAgent *agent, IceRoute *route)
{
  g_mutex_lock (&agent->lock);
  IceRoute *old = agent->route;
  agent->route = route;
  g_mutex_unlock (&agent->lock);
  ice_route_unref (old);
}

/* State. */

static const char *
state_name (IceState state)
{
  static const char *const names[] = { "new", "gathering", "connecting",
    "connected", "ready", "disconnected", "failed" };
  return names[state];
}

static IceState
get_state (IceAgent *agent)
{
  g_mutex_lock (&agent->lock);
  IceState state = agent->state;
  g_mutex_unlock (&agent->lock);
  return state;
}

static void
set_state (IceAgent *agent, IceState state)
{
  g_mutex_lock (&agent->lock);
  IceState old = agent->state;
  agent->state = state;
  g_mutex_unlock (&agent->lock);
  if (old == state)
    return;
  GST_INFO ("%s -> %s", state_name (old), state_name (state));
  agent->events.state (state, agent->user);
}

static GSource *
add_timeout (IceAgent *agent, guint ms, GSourceFunc func)
{
  GSource *source = g_timeout_source_new (ms);
  g_source_set_callback (source, func, agent, NULL);
  g_source_attach (source, agent->context);
  return source;
}

static void
clear_source (GSource **source)
{
  if (*source) {
    g_source_destroy (*source);
    g_source_unref (*source);
    *source = NULL;
  }
}

static void
fail (IceAgent *agent, const char *text, const char *detail)
{
  if (get_state (agent) == ICE_STATE_FAILED)
    return;
  clear_source (&agent->deadline);
  clear_source (&agent->answer);
  set_route (agent, NULL);
  set_state (agent, ICE_STATE_FAILED);
  agent->events.failed (text, detail, agent->user);
}

/* Links. */

/* What was counted on sockets that are about to go. */
static void
keep_kernel_drops (IceAgent *agent, IceLink *link)
{
  guint64 drops = ice_link_kernel_drops (link);
  g_mutex_lock (&agent->lock);
  agent->kernel_drops += drops;
  g_mutex_unlock (&agent->lock);
}

static void
on_link_closed (IceLink *link, gpointer user)
{
  IceAgent *agent = user;
  g_ptr_array_remove (agent->closing, link);
}

static void
retire (IceAgent *agent, IceLink **link)
{
  IceLink *old = g_steal_pointer (link);
  if (!old)
    return;
  keep_kernel_drops (agent, old);
  g_ptr_array_add (agent->closing, old); /* takes the reference */
  ice_link_close (old, on_link_closed, agent);
}

static gboolean
on_retire (gpointer user)
{
  IceAgent *agent = user;
  clear_source (&agent->retirement);
  retire (agent, &agent->retiring);
  update_sources (agent);
  return G_SOURCE_REMOVE;
}

static void
on_link_changed (IceLink *link, gpointer user)
{
  IceAgent *agent = user;
  if (agent->stopping || (link != agent->active && link != agent->pending))
    return;
  update_sources (agent); /* peer-reflexive candidates may have been learnt */
  sync_links (agent);
}

static void
on_link_arrived (IceLink *link, const guint8 *bytes, gsize size, gpointer user)
{
  IceAgent *agent = user;
  agent->events.arrived (bytes, size, agent->user);
}

static char *
list_addresses (void)
{
  GString *text = g_string_new (NULL);
  GList *ips = nice_interfaces_get_local_ips (TRUE);
  ips = g_list_sort (ips, (GCompareFunc) strcmp);
  for (GList *i = ips; i; i = i->next)
    g_string_append_printf (text, "%s ", (char *) i->data);
  g_list_free_full (ips, g_free);
  return g_string_free (text, FALSE);
}

static gboolean
wants_loopback (IceAgent *agent)
{
  if (agent->config.link.bind_addresses)
    return FALSE;
  for (gsize i = 0; i < agent->remote.n_candidates; i++)
    if (ice_address_is_loopback (&agent->remote.candidates[i].address))
      return TRUE;
  return FALSE;
}

/* Makes the pending link, with fresh credentials or those of the one it replaces. Without any address to offer there
 * is none: the tick tries again. */
static void
make_pending (IceAgent *agent, gboolean same_credentials)
{
  static const IceLinkEvents events = { on_link_changed, on_link_arrived };
  g_autoptr (GError) error = NULL;
  g_autofree IceDescription *own = NULL;

  if (same_credentials && agent->pending) {
    own = g_new (IceDescription, 1);
    ice_link_describe (agent->pending, own);
  }
  retire (agent, &agent->pending);
  g_free (agent->addresses);
  agent->addresses = list_addresses ();
  agent->told_gathered = FALSE;
  agent->failed_ticks = 0;
  agent->pending = ice_link_new (&agent->config.link, agent->context,
      own ? own->ufrag : NULL, own ? own->pwd : NULL, wants_loopback (agent),
      &events, agent, &error);
  if (!agent->pending)
    GST_INFO ("no link: %s", error->message);
}

static void
hand_remote (IceAgent *agent, IceLink *link)
{
  if (agent->remote.ufrag[0])
    ice_link_set_remote (link, &agent->remote);
}

static gboolean
on_answer_wait (gpointer user)
{
  IceAgent *agent = user;
  clear_source (&agent->answer);
  GST_INFO ("no new description from the far end: checking with the old one");
  if (agent->pending)
    hand_remote (agent, agent->pending);
  sync_links (agent);
  return G_SOURCE_REMOVE;
}

static void
start_restart (IceAgent *agent, const char *why)
{
  gboolean connected = agent->active != NULL && !agent->pending;

  GST_INFO ("restart: %s", why);
  g_mutex_lock (&agent->lock);
  agent->stats.restarts++;
  g_mutex_unlock (&agent->lock);
  make_pending (agent, FALSE);
  clear_source (&agent->answer);
  if (connected && agent->remote.ufrag[0])
    agent->answer = add_timeout (agent, ANSWER_WAIT, on_answer_wait);
  else if (agent->pending)
    hand_remote (agent, agent->pending);
  update_sources (agent);
  sync_links (agent);
}

static gboolean
on_disconnect_deadline (gpointer user)
{
  IceAgent *agent = user;
  g_autofree char *text = g_strdup_printf (
      "The connection was lost and did not come back within %u s.",
      agent->config.disconnect_timeout);
  fail (agent, text, "raise \"disconnect-timeout\", or 0 to wait for ever");
  return G_SOURCE_REMOVE;
}

static void
lose_active (IceAgent *agent, const char *why)
{
  if (agent->active_lost)
    return;
  agent->active_lost = TRUE;
  set_route (agent, NULL);
  set_state (agent, ICE_STATE_DISCONNECTED);
  if (agent->config.disconnect_timeout) {
    clear_source (&agent->deadline);
    agent->deadline = add_timeout (agent,
        agent->config.disconnect_timeout * 1000, on_disconnect_deadline);
  }
  if (!agent->pending)
    start_restart (agent, why);
}

/* Telling the far end. */

static char *
description_text (const IceDescription *d)
{
  char *text = g_malloc (DESCRIPTION_SIZE);
  Writer out = writer_init (text, DESCRIPTION_SIZE - 1);
  ice_description_write (&out, d);
  text[writer_len (&out)] = '\0';
  return text;
}

static gboolean
was_published (IceAgent *agent, const IceCandidate *c)
{
  for (gsize i = 0; i < agent->n_published; i++)
    if (ice_candidate_same_target (&agent->published[i], c))
      return TRUE;
  return FALSE;
}

static void
write_file (IceAgent *agent, const char *text)
{
  g_autoptr (GError) error = NULL;
  const char *location = agent->config.local_location;
  if (!location || signal_file_write (location, text, &error))
    return;
  g_autofree char *what = g_strdup_printf (
      "Cannot write the ICE description to \"%s\": %s. Check that the folder "
      "exists and can be written.",
      location, error->message);
  fail (agent, what, NULL);
}

static void
publish (IceAgent *agent, IceLink *link)
{
  g_autofree IceDescription *d = g_new (IceDescription, 1);
  g_autoptr (GPtrArray) fresh = g_ptr_array_new_with_free_func (g_free);

  ice_link_describe (link, d);
  if (d->n_candidates == 0 && !d->end_of_candidates)
    return;
  gboolean renewed = strcmp (d->ufrag, agent->published_ufrag) != 0;
  if (renewed)
    agent->n_published = 0;
  for (gsize i = 0; i < d->n_candidates; i++) {
    char line[ICE_CANDIDATE_ROOM + 1];
    Writer out = writer_init (line, ICE_CANDIDATE_ROOM);
    if (was_published (agent, &d->candidates[i]))
      continue;
    ice_candidate_write (&out, &d->candidates[i]);
    line[writer_len (&out)] = '\0';
    g_ptr_array_add (fresh, g_strdup (line));
  }
  if (!renewed && fresh->len == 0 && d->n_candidates == agent->n_published
      && d->end_of_candidates == agent->published_end)
    return;
  g_strlcpy (agent->published_ufrag, d->ufrag, sizeof agent->published_ufrag);
  memcpy (agent->published, d->candidates, sizeof agent->published);
  agent->n_published = d->n_candidates;
  agent->published_end = d->end_of_candidates;

  char *text = description_text (d);
  g_mutex_lock (&agent->lock);
  char *old = agent->local_description;
  agent->local_description = text;
  g_mutex_unlock (&agent->lock);
  g_free (old);
  g_autofree char *copy = ice_agent_dup_local_description (agent);
  write_file (agent, copy);
  agent->events.described (agent->user);
  for (guint i = 0; i < fresh->len; i++)
    agent->events.candidate (g_ptr_array_index (fresh, i), agent->user);
}

/* A server that gave no candidate is the user's to repair, and the pairs without it may work all the same. */
static void
complain_about_servers (IceAgent *agent, IceLink *link)
{
  g_autofree IceDescription *d = g_new (IceDescription, 1);
  gboolean srflx = FALSE, relay = FALSE;
  const IceConfig *config = &agent->config.link;

  ice_link_describe (link, d);
  if (!d->end_of_candidates || agent->told_gathered)
    return;
  agent->told_gathered = TRUE;
  for (gsize i = 0; i < d->n_candidates; i++) {
    srflx |= d->candidates[i].type == ICE_SRFLX;
    relay |= d->candidates[i].type == ICE_RELAY;
  }
  if (config->n_turn && !relay)
    agent->events.warned (
        "No TURN server gave a relay address: check their addresses, users and passwords.",
        "the servers in \"turn-servers\" did not answer, or refused us",
        agent->user);
  /* A server that sees us under a local address gives no candidate of its own: libnice drops the duplicate. So this
   * is worth a line in the log, not a warning. */
  if (config->stun.host[0] && !srflx && !config->force_relay)
    GST_INFO (
        "the STUN server gave no address that differs from the local ones");
}

/* Looking at the links. */

static void
tell_pair (IceAgent *agent, const IceCandidate *local,
    const IceCandidate *remote, gboolean media_socket)
{
  char l[ICE_ADDRESS_TEXT], r[ICE_ADDRESS_TEXT];
  ice_address_text (&local->address, l);
  ice_address_text (&remote->address, r);
  char *text = g_strdup_printf ("%s %s -> %s %s (%s)",
      ice_candidate_type_name (local->type), l,
      ice_candidate_type_name (remote->type), r,
      ice_transport_name (local->transport));

  g_mutex_lock (&agent->lock);
  gboolean same = g_strcmp0 (text, agent->selected_pair) == 0;
  char *old = agent->selected_pair;
  agent->selected_pair = text;
  g_strlcpy (agent->stats.local_type, ice_candidate_type_name (local->type),
      sizeof agent->stats.local_type);
  g_strlcpy (agent->stats.remote_type, ice_candidate_type_name (remote->type),
      sizeof agent->stats.remote_type);
  g_strlcpy (agent->stats.transport, ice_transport_name (local->transport),
      sizeof agent->stats.transport);
  agent->stats.media_socket = media_socket;
  if (!same)
    agent->stats.rtt = -1;
  g_mutex_unlock (&agent->lock);
  g_free (old);
  if (same)
    return;
  GST_INFO ("selected pair: %s", text);
  agent->events.selected (agent->user);
}

static void
update_route (IceAgent *agent, IceLink *link)
{
  IceCandidate local, remote;
  if (!ice_link_selected (link, &local, &remote))
    return;

  UdpPath *path = ice_link_selected_path (link);
  struct sockaddr_storage to;
  socklen_t to_len = ice_address_to_sockaddr (&remote.address, &to);
  if (path && path->local.ss_family == AF_INET6
      && to.ss_family == AF_INET6) /* link-local peers need the interface */
    ((struct sockaddr_in6 *) &to)->sin6_scope_id =
        ((struct sockaddr_in6 *) &path->local)->sin6_scope_id;

  g_mutex_lock (&agent->lock);
  IceRoute *now = agent->route;
  gboolean same = now && now->link == link && now->path == path
                  && now->to_len == to_len
                  && memcmp (&now->to, &to, to_len) == 0;
  g_mutex_unlock (&agent->lock);
  if (!same) {
    IceRoute *route = g_new0 (IceRoute, 1);
    g_atomic_ref_count_init (&route->refs);
    route->link = ice_link_ref (link);
    route->path = path;
    route->to = to;
    route->to_len = to_len;
    set_route (agent, route);
  }
  tell_pair (agent, &local, &remote, path != NULL);
  update_sources (agent);
}

static void
promote_pending (IceAgent *agent)
{
  if (agent->active) {
    /* The far end may still send over the old path for a moment. */
    clear_source (&agent->retirement);
    retire (agent, &agent->retiring);
    agent->retiring = g_steal_pointer (&agent->active);
    agent->retirement = add_timeout (agent, RETIRE_AFTER, on_retire);
  }
  agent->active = g_steal_pointer (&agent->pending);
  agent->active_lost = FALSE;
  agent->was_connected = TRUE;
  agent->lost_ticks = 0;
  clear_source (&agent->deadline);
  clear_source (&agent->answer);
}

static void
sync_pending (IceAgent *agent)
{
  IceLink *link = agent->pending;
  IceLinkState state = ice_link_state (link);

  publish (agent, link);
  complain_about_servers (agent, link);
  if (get_state (agent) == ICE_STATE_FAILED)
    return;
  if (state == ICE_LINK_CONNECTED || state == ICE_LINK_READY)
    promote_pending (agent);
  else if (!agent->active)
    set_state (agent, ice_link_has_remote (link) ? ICE_STATE_CONNECTING
                                                 : ICE_STATE_GATHERING);
}

/* Reads all that libnice may have told about, and acts on what it comes to. */
static void
sync_links (IceAgent *agent)
{
  if (get_state (agent) == ICE_STATE_FAILED)
    return;
  if (agent->pending)
    sync_pending (agent);
  if (!agent->active || get_state (agent) == ICE_STATE_FAILED)
    return;

  switch (ice_link_state (agent->active)) {
    case ICE_LINK_CONNECTED:
    case ICE_LINK_READY:
      if (agent->active_lost)
        break;
      update_route (agent, agent->active);
      if (get_state (agent) != ICE_STATE_READY)
        set_state (agent, ICE_STATE_CONNECTED);
      if (ice_link_state (agent->active) == ICE_LINK_READY)
        set_state (agent, ICE_STATE_READY);
      break;
    case ICE_LINK_FAILED:
      lose_active (agent, "the far end's consent ended");
      break;
    case ICE_LINK_GATHERING:
    case ICE_LINK_CONNECTING:
    default:
      break;
  }
}

/* What the far end tells. */

static gboolean
was_seen (IceAgent *agent, const char *ufrag)
{
  for (guint i = 0; i < MIN (agent->n_seen, MAX_SEEN); i++)
    if (strcmp (agent->seen[i], ufrag) == 0)
      return TRUE;
  return FALSE;
}

static void
remember_seen (IceAgent *agent, const char *ufrag)
{
  g_strlcpy (
      agent->seen[agent->n_seen++ % MAX_SEEN], ufrag, ICE_MAX_UFRAG + 1);
}

static gboolean
merge_candidate (IceAgent *agent, const IceCandidate *c)
{
  IceDescription *remote = &agent->remote;
  for (gsize i = 0; i < remote->n_candidates; i++)
    if (ice_candidate_same_target (&remote->candidates[i], c))
      return FALSE;
  if (remote->n_candidates == ICE_MAX_CANDIDATES)
    return FALSE;
  remote->candidates[remote->n_candidates++] = *c;
  return TRUE;
}

static void
take_early_candidates (IceAgent *agent)
{
  for (guint i = 0; i < agent->n_early; i++) {
    const IceCandidate *c = &agent->early[i];
    if (c->ufrag[0] == '\0' || strcmp (c->ufrag, agent->remote.ufrag) == 0)
      merge_candidate (agent, c);
  }
  agent->n_early = 0;
}

/* The remote description has more candidates, or has become another one while nothing is connected. */
static void
check_remote (IceAgent *agent)
{
  IceLink *link = agent->pending ? agent->pending : agent->active;

  if (agent->pending && wants_loopback (agent)
      && !ice_link_has_loopback (agent->pending)) {
    make_pending (agent, TRUE);
    link = agent->pending;
  }
  if (link && !agent->answer)
    hand_remote (agent, link);
  update_sources (agent);
  sync_links (agent);
}

static void
apply_description (IceAgent *agent, const IceDescription *d)
{
  g_mutex_lock (&agent->lock);
  agent->stats.candidates_skipped += d->skipped;
  g_mutex_unlock (&agent->lock);

  if (strcmp (d->ufrag, agent->remote.ufrag) == 0
      && strcmp (d->pwd, agent->remote.pwd) == 0) {
    for (gsize i = 0; i < d->n_candidates; i++)
      merge_candidate (agent, &d->candidates[i]);
    agent->remote.end_of_candidates |= d->end_of_candidates;
    check_remote (agent);
    return;
  }
  if (was_seen (agent, d->ufrag)) {
    GST_INFO ("a description of before came late; left out");
    return;
  }
  remember_seen (agent, d->ufrag);
  agent->remote = *d;
  take_early_candidates (agent);
  clear_source (&agent->answer);
  if (agent->active && !agent->pending) {
    g_mutex_lock (&agent->lock);
    agent->stats.restarts++;
    g_mutex_unlock (&agent->lock);
    GST_INFO ("the far end restarts");
    make_pending (agent, FALSE);
  }
  check_remote (agent);
}

static void
take_description (const char *text, gsize len, gpointer user)
{
  IceAgent *agent = user;
  g_autofree IceDescription *d = g_new (IceDescription, 1);
  IceParseResult result = ice_description_parse (text, len, d);

  if (get_state (agent) == ICE_STATE_FAILED)
    return;
  if (result != ICE_PARSE_OK) {
    g_autofree char *why =
        g_strdup_printf ("The far end's ICE description was left out: %s.",
            ice_parse_result_text (result));
    g_mutex_lock (&agent->lock);
    gboolean first = agent->stats.descriptions_refused++ == 0;
    g_mutex_unlock (&agent->lock);
    GST_DEBUG ("%s", why);
    if (first)
      agent->events.warned (why,
          "it should be an application/trickle-ice-sdpfrag of RFC 8840",
          agent->user);
    return;
  }
  apply_description (agent, d);
  sodium_memzero (d, sizeof *d);
}

static void
take_candidate (IceAgent *agent, const char *text)
{
  IceCandidate c;

  if (get_state (agent) == ICE_STATE_FAILED)
    return;
  /* A whole fragment is as good, and says which credentials it belongs to. */
  if (strstr (text, "ice-ufrag:")) {
    take_description (text, strlen (text), agent);
    return;
  }
  if (ice_candidate_parse (text, strlen (text), &c) != ICE_PARSE_OK) {
    g_mutex_lock (&agent->lock);
    agent->stats.candidates_skipped++;
    g_mutex_unlock (&agent->lock);
    return;
  }
  if (!agent->remote.ufrag[0]
      || (c.ufrag[0] && strcmp (c.ufrag, agent->remote.ufrag) != 0)) {
    if (agent->n_early < MAX_EARLY)
      agent->early[agent->n_early++] = c;
    return;
  }
  if (merge_candidate (agent, &c))
    check_remote (agent);
}

/* Round trip time: a check of our own, whose answer comes to the media socket by its transaction ID. RFC 7675 wants
 * such checks anyway; libnice keeps the time of its own ones to itself. No role is claimed, so none can conflict. */

static void
send_check (IceAgent *agent)
{
  uint8_t packet[STUN_MAX_MESSAGE_SIZE_IPV6];
  const char *username, *password;
  StunMessage message;
  IceRoute *route = ice_agent_ref_route (agent);
  gsize len = 0;

  if (route && route->path
      && ice_link_check_credentials (route->link, &username, &password)) {
    guint32 tag = g_htonl (ice_link_stun_tag (route->link));
    g_mutex_lock (&agent->stun_lock);
    if (agent->check_sent)
      stun_agent_forget_transaction (&agent->stun, agent->check_id);
    g_strlcpy (agent->check_password, password, sizeof agent->check_password);
    if (stun_agent_init_request (
            &agent->stun, &message, packet, sizeof packet, STUN_BINDING)) {
      memcpy (packet + 8, &tag, sizeof tag);
      stun_message_append_bytes (
          &message, STUN_ATTRIBUTE_USERNAME, username, strlen (username));
      len = stun_agent_finish_message (&agent->stun, &message,
          (uint8_t *) agent->check_password, strlen (agent->check_password));
      stun_message_id (&message, agent->check_id);
    }
    agent->check_sent = len ? g_get_monotonic_time () : 0;
    g_mutex_unlock (&agent->stun_lock);
    if (len)
      (void) sendto (route->path->fd, packet, len, MSG_DONTWAIT,
          (struct sockaddr *) &route->to, route->to_len);
  }
  ice_route_unref (route);
}

void
ice_agent_take_stun (
    IceAgent *agent, IceLink *link, const guint8 *bytes, gsize size)
{
  uint8_t packet[STUN_MAX_MESSAGE_SIZE_IPV6 + 32] = {
    0
  }; /* libnice reads up to 12 bytes past a short attribute */
  StunMessage message;
  gint64 rtt = -1;

  if (size > STUN_MAX_MESSAGE_SIZE_IPV6)
    return;
  memcpy (packet, bytes, size);
  g_mutex_lock (&agent->stun_lock);
  if (agent->check_sent
      && stun_agent_validate (&agent->stun, &message, packet, size, NULL, NULL)
             == STUN_VALIDATION_SUCCESS
      && stun_message_get_class (&message) == STUN_RESPONSE) {
    rtt = (g_get_monotonic_time () - agent->check_sent) * 1000;
    agent->check_sent = 0;
  }
  g_mutex_unlock (&agent->stun_lock);
  if (rtt < 0)
    return;
  g_mutex_lock (&agent->lock);
  agent->stats.rtt = rtt;
  g_mutex_unlock (&agent->lock);
}

/* The clock. */

static void
look_at_addresses (IceAgent *agent)
{
  IceCandidate local, remote;
  char text[ICE_ADDRESS_TEXT];
  gboolean there = FALSE;

  if (!agent->active || agent->active_lost
      || !ice_link_selected (agent->active, &local, &remote))
    return;
  const IceAddress *base =
      local.type == ICE_HOST ? &local.address : &local.related;
  if (base->family == 0 || local.type == ICE_RELAY)
    return;
  IceAddress ip = *base;
  NiceAddress nice;
  ice_address_to_nice (&ip, &nice);
  nice_address_to_string (&nice, text);
  GList *ips = nice_interfaces_get_local_ips (TRUE);
  for (GList *i = ips; i; i = i->next) {
    const char *listed =
        i->data; /* with "%interface" behind a link-local one */
    there |= strcspn (listed, "%") == strlen (text)
             && g_str_has_prefix (listed, text);
  }
  g_list_free_full (ips, g_free);
  agent->lost_ticks = there ? 0 : agent->lost_ticks + 1;
  if (agent->lost_ticks >= LOST_TICKS) {
    lose_active (agent, "the local address is gone");
    agent->lost_ticks = 0;
  }
}

/* A link that is not connected yet: other addresses than it gathered, or all of its checks failed. */
static void
look_at_pending (IceAgent *agent)
{
  g_autofree char *now = list_addresses ();
  gboolean others = g_strcmp0 (now, agent->addresses) != 0;

  if (agent->pending && !others) {
    if (ice_link_state (agent->pending) != ICE_LINK_FAILED)
      agent->failed_ticks = 0;
    else if (++agent->failed_ticks >= RECHECK_TICKS) {
      agent->failed_ticks = 0;
      ice_link_recheck (agent->pending);
      sync_links (agent);
    }
    return;
  }
  if (!agent->pending && (agent->active && !agent->active_lost))
    return;
  if (!others && agent->ticks % RECHECK_TICKS)
    return;
  gboolean waits = agent->answer != NULL;
  make_pending (agent, TRUE);
  if (agent->pending && !waits)
    hand_remote (agent, agent->pending);
  update_sources (agent);
  sync_links (agent);
}

static gboolean
on_tick (gpointer user)
{
  IceAgent *agent = user;
  if (get_state (agent) == ICE_STATE_FAILED)
    return G_SOURCE_CONTINUE;
  agent->ticks++;
  look_at_addresses (agent);
  look_at_pending (agent);
  if (agent->ticks % RTT_TICKS == 0)
    send_check (agent);
  return G_SOURCE_CONTINUE;
}

static const char *
loopback_hint (void)
{
  GList *ips = nice_interfaces_get_local_ips (FALSE);
  gboolean none = ips == NULL;
  g_list_free_full (ips, g_free);
  return none
             ? "\nthis machine has no interface that is up: only loopback was offered"
             : "";
}

static void
on_probed (const char *report, gpointer user)
{
  IceAgent *agent = user;
  if (agent->was_connected || agent->stopping)
    return;
  g_autofree char *text =
      g_strdup_printf ("No connection to the far end within %u s.",
          agent->config.connect_timeout);
  g_autofree char *detail = g_strconcat (report, loopback_hint (), NULL);
  fail (agent, text, detail);
}

static gboolean
on_connect_deadline (gpointer user)
{
  IceAgent *agent = user;
  clear_source (&agent->deadline);
  if (agent->was_connected)
    return G_SOURCE_REMOVE;
  if (!agent->pending) {
    fail (agent,
        "No network address to offer: none of this machine's could be bound.",
        "bring an interface up, name an address of this machine in \"bind-address\", or widen the port range");
  } else if (!agent->remote.ufrag[0]) {
    g_autofree char *text = g_strdup_printf (
        "No description of the far end came within %u s: start the other side, "
        "and check that it writes what this side reads.",
        agent->config.connect_timeout);
    g_autofree char *detail = g_strdup_printf (
        "waited for %s%s; \"connect-timeout\" changes how long%s",
        agent->config.remote_location ? "the file "
                                      : "the property \"remote-description\"",
        agent->config.remote_location ? agent->config.remote_location : "",
        loopback_hint ());
    fail (agent, text, detail);
  } else {
    g_autofree IceDescription *own = g_new (IceDescription, 1);
    ice_link_describe (agent->pending, own);
    agent->probe =
        ice_probe_new (own, &agent->remote, agent->context, on_probed, agent);
  }
  return G_SOURCE_REMOVE;
}

/* Life. */

IceAgent *
ice_agent_new (
    IceAgentConfig *config, const IceAgentEvents *events, gpointer user)
{
  static const uint16_t known[] = { STUN_ATTRIBUTE_USERNAME,
    STUN_ATTRIBUTE_MESSAGE_INTEGRITY, STUN_ATTRIBUTE_ERROR_CODE,
    STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS,
    STUN_ATTRIBUTE_MAPPED_ADDRESS, 0 };
  IceAgent *agent = g_new0 (IceAgent, 1);

  agent->config = *config;
  memset (config, 0, sizeof *config);
  agent->events = *events;
  agent->user = user;
  agent->context = g_main_context_new ();
  agent->loop = g_main_loop_new (agent->context, FALSE);
  agent->closing =
      g_ptr_array_new_with_free_func ((GDestroyNotify) ice_link_unref);
  agent->sources = sources_new ();
  agent->stats.rtt = -1;
  g_mutex_init (&agent->lock);
  g_mutex_init (&agent->stun_lock);
  stun_agent_init (&agent->stun, known, STUN_COMPATIBILITY_RFC5389,
      STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS
          | STUN_AGENT_USAGE_USE_FINGERPRINT);
  return agent;
}

static gboolean
begin (gpointer user)
{
  IceAgent *agent = user;

  agent->tick = add_timeout (agent, TICK, on_tick);
  if (agent->config.connect_timeout)
    agent->deadline = add_timeout (
        agent, agent->config.connect_timeout * 1000, on_connect_deadline);
  set_state (agent, ICE_STATE_GATHERING);
  make_pending (agent, FALSE);
  if (agent->config.remote_location)
    agent->file = signal_file_watch (agent->config.remote_location,
        ICE_MAX_DESCRIPTION, agent->context, take_description, agent);
  update_sources (agent);
  sync_links (agent);
  return G_SOURCE_REMOVE;
}

static gboolean
on_close_wait (gpointer user)
{
  *(gboolean *) user = TRUE;
  return G_SOURCE_REMOVE;
}

/* Everything goes, at most CLOSE_WAIT later: a TURN server that is away must not hold up a state change. */
static void
close_all (IceAgent *agent)
{
  gboolean late = FALSE;
  GSource *wait = g_timeout_source_new (CLOSE_WAIT);

  agent->stopping = TRUE;
  clear_source (&agent->tick);
  clear_source (&agent->deadline);
  clear_source (&agent->answer);
  clear_source (&agent->retirement);
  g_clear_pointer (&agent->probe, ice_probe_free);
  g_clear_pointer (&agent->file, signal_file_free);
  if (agent->config.local_location && agent->local_description)
    signal_file_retract (
        agent->config.local_location, agent->local_description);
  set_route (agent, NULL);
  retire (agent, &agent->pending);
  retire (agent, &agent->active);
  retire (agent, &agent->retiring);

  g_source_set_callback (wait, on_close_wait, &late, NULL);
  g_source_attach (wait, agent->context);
  while (agent->closing->len > 0 && !late)
    g_main_context_iteration (agent->context, TRUE);
  clear_source (&wait);
  for (guint i = 0; i < agent->closing->len; i++)
    ice_link_abandon (g_ptr_array_index (agent->closing, i));
  g_ptr_array_set_size (agent->closing, 0);
  while (g_main_context_iteration (agent->context, FALSE))
    ;
}

static gpointer
run_agent (gpointer user)
{
  IceAgent *agent = user;
  g_main_context_push_thread_default (agent->context);
  begin (agent);
  g_main_loop_run (agent->loop);
  close_all (agent);
  g_main_context_pop_thread_default (agent->context);
  return NULL;
}

void
ice_agent_start (IceAgent *agent)
{
  agent->thread = g_thread_new ("ice-agent", run_agent, agent);
}

static gboolean
quit_loop (gpointer user)
{
  g_main_loop_quit (user);
  return G_SOURCE_REMOVE;
}

static void
post (IceAgent *agent, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
  GSource *source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, func, data, notify);
  g_source_attach (source, agent->context);
  g_source_unref (source);
}

void
ice_agent_stop (IceAgent *agent)
{
  if (!agent->thread)
    return;
  post (agent, quit_loop, agent->loop, NULL);
  g_thread_join (g_steal_pointer (&agent->thread));
}

void
ice_agent_free (IceAgent *agent)
{
  if (!agent)
    return;
  ice_agent_stop (agent);
  ice_route_unref (agent->route);
  ice_sources_unref (agent->sources);
  g_ptr_array_unref (agent->closing);
  g_main_loop_unref (agent->loop);
  g_main_context_unref (agent->context);
  for (guint i = 0; i < agent->config.link.n_turn; i++)
    ice_server_clear (&agent->config.link.turn[i]);
  g_strfreev (agent->config.link.bind_addresses);
  g_free (agent->config.local_location);
  g_free (agent->config.remote_location);
  g_free (agent->local_description);
  g_free (agent->selected_pair);
  g_free (agent->addresses);
  g_mutex_clear (&agent->lock);
  g_mutex_clear (&agent->stun_lock);
  sodium_memzero (agent, sizeof *agent);
  g_free (agent);
}

/* Commands. */

typedef struct
{
  IceAgent *agent;
  char *text;
} Command;

static void
command_free (gpointer user)
{
  Command *c = user;
  g_free (c->text);
  g_free (c);
}

static void
post_text (IceAgent *agent, GSourceFunc func, const char *text)
{
  Command *c = g_new (Command, 1);
  *c = (Command){ agent, g_strdup (text) };
  post (agent, func, c, command_free);
}

static gboolean
do_description (gpointer user)
{
  Command *c = user;
  take_description (c->text, strlen (c->text), c->agent);
  return G_SOURCE_REMOVE;
}

static gboolean
do_candidate (gpointer user)
{
  Command *c = user;
  take_candidate (c->agent, c->text);
  return G_SOURCE_REMOVE;
}

static gboolean
do_restart (gpointer user)
{
  Command *c = user;
  if (!c->agent->stopping && get_state (c->agent) != ICE_STATE_FAILED)
    start_restart (c->agent, c->text);
  return G_SOURCE_REMOVE;
}

void
ice_agent_set_remote_description (IceAgent *agent, const char *text)
{
  post_text (agent, do_description, text);
}

void
ice_agent_add_candidate (IceAgent *agent, const char *text)
{
  post_text (agent, do_candidate, text);
}

void
ice_agent_restart (IceAgent *agent, const char *why)
{
  post_text (agent, do_restart, why);
}

void
ice_agent_call_later (
    IceAgent *agent, guint ms, GSourceFunc func, gpointer data)
{
  GSource *source = g_timeout_source_new (ms);
  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, agent->context);
  g_source_unref (source);
}

char *
ice_agent_dup_local_description (IceAgent *agent)
{
  g_mutex_lock (&agent->lock);
  char *text = g_strdup (agent->local_description);
  g_mutex_unlock (&agent->lock);
  return text;
}

char *
ice_agent_dup_selected_pair (IceAgent *agent)
{
  g_mutex_lock (&agent->lock);
  char *text = g_strdup (agent->selected_pair);
  g_mutex_unlock (&agent->lock);
  return text;
}

void
ice_agent_get_stats (IceAgent *agent, IceAgentStats *out)
{
  IceSources *sources = ice_agent_ref_sources (agent);
  guint64 drops = 0;

  for (guint i = 0; i < ICE_MAX_LINKS; i++)
    if (sources->links[i])
      drops += ice_link_kernel_drops (sources->links[i]);
  g_mutex_lock (&agent->lock);
  *out = agent->stats;
  out->kernel_drops = agent->kernel_drops + drops;
  g_mutex_unlock (&agent->lock);
  ice_sources_unref (sources);
}

/* Which links there are: making, promoting, losing and retiring them.
 *
 * Descriptions may cross on the way, come twice, late or from an earlier run. Three rules make both sides meet on one
 * pair of credentials whatever the order:
 *  - while nothing is connected, a new remote description replaces the old one, and ours stays as it is;
 *  - once connected, a new remote description is a restart: it gets a new link with new credentials of ours
 *    (RFC 8445, 9: the answer to a restart is a restart);
 *  - who restarts by itself waits for the far end's new description, and after ANSWER_WAIT goes on with the old one,
 *    for the far end may have seen no reason to change it.
 *
 * Each link has ports of its own. Where the range has not enough of them for all links that can be there at a time, the
 * link in use is closed before the next one is made. (libnice can restart a stream on its sockets, but the consent timer
 * of the pair in use goes on, and what is connected after that has failed ends in an assertion.)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agentpriv.h"

#include <nice/interfaces.h>
#include <string.h>

#define GST_CAT_DEFAULT conclave_ice_debug

#define ANSWER_WAIT 5000                    /* ms */
#define PORTS_FOR_LINKS (ICE_MAX_LINKS + 1) /* and one that is being closed */
#define RETIRE_AFTER                                                          \
  2000 /* ms that a replaced link still receives: packets on their way */

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

IceSources *
ice_sources_new (void)
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

void
ice_agent_update_sources (IceAgent *agent)
{
  IceSources *sources = ice_sources_new (), *old;

  add_source_link (sources, 0, agent->active);
  add_source_link (sources, 1, agent->pending);
  add_source_link (sources, 2, agent->retiring);
  sources->dropped_before = agent->dropped_before;
  g_mutex_lock (&agent->lock);
  old = agent->sources;
  agent->sources = sources;
  g_mutex_unlock (&agent->lock);
  ice_sources_unref (old);
  agent->events.routed (agent->user);
}

void
ice_agent_set_route (IceAgent *agent, IceRoute *route)
{
  g_mutex_lock (&agent->lock);
  IceRoute *old = agent->route;
  agent->route = route;
  g_mutex_unlock (&agent->lock);
  ice_route_unref (old);
}

static gboolean
has_few_ports (IceAgent *agent)
{
  const IceConfig *config = &agent->config.link;
  return config->port_max != 0
         && config->port_max - config->port_min + 1 < PORTS_FOR_LINKS;
}

static void
on_link_closed (IceLink *link, gpointer user)
{
  IceAgent *agent = user;
  g_ptr_array_remove (agent->closing, link);
  if (agent->stopping || agent->active || agent->pending
      || agent->closing->len > 0
      || ice_agent_get_state (agent) == ICE_STATE_FAILED)
    return;
  ice_agent_retry_pending (agent); /* its ports were waited for */
}

void
ice_agent_retire (IceAgent *agent, IceLink **link)
{
  IceLink *old = g_steal_pointer (link);
  if (!old)
    return;
  agent->dropped_before += ice_link_kernel_drops (old);
  g_ptr_array_add (agent->closing, old); /* takes the reference */
  ice_link_close (old, on_link_closed, agent);
}

static gboolean
on_retire (gpointer user)
{
  IceAgent *agent = user;
  ice_clear_source (&agent->retirement);
  ice_agent_retire (agent, &agent->retiring);
  ice_agent_update_sources (agent);
  return G_SOURCE_REMOVE;
}

static void
on_link_changed (IceLink *link, gpointer user)
{
  IceAgent *agent = user;
  if (agent->stopping || (link != agent->active && link != agent->pending))
    return;
  ice_agent_update_sources (
      agent); /* peer-reflexive candidates may have been learnt */
  ice_agent_sync_links (agent);
}

static void
on_link_arrived (IceLink *link, const guint8 *bytes, gsize size, gpointer user)
{
  IceAgent *agent = user;
  agent->events.arrived (bytes, size, agent->user);
}

char *
ice_agent_list_addresses (void)
{
  GString *text = g_string_new (NULL);
  GList *ips = nice_interfaces_get_local_ips (TRUE);
  ips = g_list_sort (ips, (GCompareFunc) strcmp);
  for (GList *i = ips; i; i = i->next)
    g_string_append_printf (text, "%s ", (char *) i->data);
  g_list_free_full (ips, g_free);
  return g_string_free (text, FALSE);
}

gboolean
ice_agent_wants_loopback (IceAgent *agent)
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
void
ice_agent_make_pending (IceAgent *agent, gboolean same_credentials)
{
  static const IceLinkEvents events = { on_link_changed, on_link_arrived };
  g_autoptr (GError) error = NULL;
  g_autofree IceDescription *own = NULL;

  if (same_credentials && agent->pending) {
    own = g_new (IceDescription, 1);
    ice_link_describe (agent->pending, own);
  }
  ice_agent_retire (agent, &agent->pending);
  /* With some of the ports it would have some of the candidates: on_link_closed() goes on when all are free. */
  if (has_few_ports (agent) && agent->closing->len > 0)
    return;
  g_free (agent->addresses);
  agent->addresses = ice_agent_list_addresses ();
  agent->told_gathered = FALSE;
  agent->failed_ticks = 0;
  IceConfig config = agent->config.link; /* borrows what it points to */
  /* RFC 8445, 6.1.1: against a lite agent the full one controls. libnice takes a role only before it gathers. */
  config.controlling |= agent->remote.lite;
  for (;;) {
    agent->pending = ice_link_new (&config, agent->context,
        own ? own->ufrag : NULL, own ? own->pwd : NULL,
        ice_agent_wants_loopback (agent), &events, agent, &error);
    if (agent->pending || !config.ice_tcp || !config.port_max)
      break;
    /* The kernel keeps a TCP port for a minute after its connections, and libnice gathers nothing then: UDP alone. */
    config.ice_tcp = FALSE;
    g_clear_error (&error);
  }
  if (!agent->pending)
    GST_INFO ("no link: %s", error->message);
}

void
ice_agent_hand_remote (IceAgent *agent, IceLink *link)
{
  if (agent->remote.ufrag[0]
      && (link != agent->active
          || ice_link_has_peer (
              link, &agent->remote))) /* another peer is for the next link */
    ice_link_set_remote (link, &agent->remote);
}

void
ice_agent_retry_pending (IceAgent *agent)
{
  gboolean waits = agent->answer != NULL;
  ice_agent_make_pending (agent, TRUE);
  if (agent->pending && !waits)
    ice_agent_hand_remote (agent, agent->pending);
  ice_agent_update_sources (agent);
  ice_agent_sync_links (agent);
}

void
ice_agent_renew_link (IceAgent *agent)
{
  if (has_few_ports (agent)) {
    if (agent->active && !agent->active_lost)
      ice_agent_lose_path (agent);
    ice_agent_retire (agent, &agent->retiring);
    ice_agent_retire (agent, &agent->active);
  }
  ice_agent_make_pending (agent, FALSE);
}

static gboolean
on_answer_wait (gpointer user)
{
  IceAgent *agent = user;
  ice_clear_source (&agent->answer);
  GST_INFO ("no new description from the far end: checking with the old one");
  if (agent->pending)
    ice_agent_hand_remote (agent, agent->pending);
  ice_agent_sync_links (agent);
  return G_SOURCE_REMOVE;
}

void
ice_agent_start_restart (IceAgent *agent, const char *why)
{
  gboolean connected = agent->was_connected && !agent->pending;

  GST_INFO ("restart: %s", why);
  g_mutex_lock (&agent->lock);
  agent->stats.restarts++;
  g_mutex_unlock (&agent->lock);
  ice_agent_renew_link (agent);
  ice_clear_source (&agent->answer);
  /* A lite far end knows its own credentials only: there is nothing new to wait for. */
  if (connected && agent->remote.ufrag[0] && !agent->remote.lite)
    agent->answer = ice_agent_add_timeout (agent, ANSWER_WAIT, on_answer_wait);
  else if (agent->pending)
    ice_agent_hand_remote (agent, agent->pending);
  ice_agent_update_sources (agent);
  ice_agent_sync_links (agent);
}

static gboolean
on_disconnect_deadline (gpointer user)
{
  IceAgent *agent = user;
  g_autofree char *text = g_strdup_printf (
      "The connection was lost and did not come back within %u s.",
      agent->config.disconnect_timeout);
  ice_agent_fail (
      agent, text, "raise \"disconnect-timeout\", or 0 to wait for ever");
  return G_SOURCE_REMOVE;
}

void
ice_agent_lose_path (IceAgent *agent)
{
  agent->active_lost = TRUE;
  ice_agent_set_route (agent, NULL);
  ice_agent_set_state (agent, ICE_STATE_DISCONNECTED);
  if (agent->config.disconnect_timeout) {
    ice_clear_source (&agent->deadline);
    agent->deadline = ice_agent_add_timeout (agent,
        agent->config.disconnect_timeout * 1000, on_disconnect_deadline);
  }
}

void
ice_agent_lose_active (IceAgent *agent, const char *why)
{
  if (agent->active_lost)
    return;
  ice_agent_lose_path (agent);
  if (!agent->pending)
    ice_agent_start_restart (agent, why);
}

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
    ice_agent_set_route (agent, route);
  }
  tell_pair (agent, &local, &remote, path != NULL);
  ice_agent_update_sources (agent);
}

static void
promote_pending (IceAgent *agent)
{
  if (agent->active) {
    /* The far end may still send over the old path for a moment. */
    ice_clear_source (&agent->retirement);
    ice_agent_retire (agent, &agent->retiring);
    agent->retiring = g_steal_pointer (&agent->active);
    agent->retirement = ice_agent_add_timeout (agent, RETIRE_AFTER, on_retire);
  }
  agent->active = g_steal_pointer (&agent->pending);
  agent->active_lost = FALSE;
  agent->was_connected = TRUE;
  agent->lost_ticks = 0;
  ice_clear_source (&agent->deadline);
  ice_clear_source (&agent->answer);
  ice_agent_start_nominating (agent);
}

static void
sync_pending (IceAgent *agent)
{
  IceLink *link = agent->pending;
  IceLinkState state = ice_link_state (link);

  ice_agent_publish (agent, link);
  ice_agent_complain_about_servers (agent, link);
  if (ice_agent_get_state (agent) == ICE_STATE_FAILED)
    return;
  if (state == ICE_LINK_CONNECTED || state == ICE_LINK_READY)
    promote_pending (agent);
  else if (!agent->was_connected)
    ice_agent_set_state (agent, ice_link_has_remote (link)
                                    ? ICE_STATE_CONNECTING
                                    : ICE_STATE_GATHERING);
}

/* Reads all that libnice may have told about, and acts on what it comes to. */
void
ice_agent_sync_links (IceAgent *agent)
{
  if (ice_agent_get_state (agent) == ICE_STATE_FAILED)
    return;
  if (agent->pending)
    sync_pending (agent);
  if (!agent->active || ice_agent_get_state (agent) == ICE_STATE_FAILED)
    return;
  if (!agent->pending && !agent->active_lost) {
    /* Servers may answer when a pair without them already works; it need not be the best. */
    ice_agent_publish (agent, agent->active);
    ice_agent_complain_about_servers (agent, agent->active);
    if (ice_agent_get_state (agent) == ICE_STATE_FAILED)
      return;
  }

  switch (ice_link_state (agent->active)) {
    case ICE_LINK_CONNECTED:
    case ICE_LINK_READY:
      if (agent->active_lost)
        break;
      update_route (agent, agent->active);
      if (ice_agent_get_state (agent) != ICE_STATE_READY)
        ice_agent_set_state (agent, ICE_STATE_CONNECTED);
      if (ice_link_state (agent->active) == ICE_LINK_READY)
        ice_agent_set_state (agent, ICE_STATE_READY);
      break;
    case ICE_LINK_FAILED:
      ice_agent_lose_active (agent, "the far end's consent ended");
      break;
    case ICE_LINK_GATHERING:
    case ICE_LINK_CONNECTING:
    default:
      break;
  }
}

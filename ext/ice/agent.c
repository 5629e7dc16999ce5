/* The agent's thread: its life, its clock, the state it tells, and the commands it takes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agentpriv.h"

#include <nice/interfaces.h>
#include <sodium.h>
#include <string.h>

#define GST_CAT_DEFAULT conclave_ice_debug

#define TICK 1000 /* ms between looks at what nobody tells: addresses, RTT */
#define CLOSE_WAIT                                                            \
  3000 /* ms; links close by themselves in less (link.c), this is in case one does not */
#define LOST_TICKS                                                            \
  2 /* looks in a row that miss the local address before the path counts as lost */
#define RECHECK_TICKS                                                         \
  2 /* looks between two rounds of checks that all failed */
#define RTT_TICKS 2

static const char *
state_name (IceState state)
{
  static const char *const names[] = { "new", "gathering", "connecting",
    "connected", "ready", "disconnected", "failed" };
  return names[state];
}

IceState
ice_agent_get_state (IceAgent *agent)
{
  g_mutex_lock (&agent->lock);
  IceState state = agent->state;
  g_mutex_unlock (&agent->lock);
  return state;
}

void
ice_agent_set_state (IceAgent *agent, IceState state)
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

GSource *
ice_agent_add_timeout (IceAgent *agent, guint ms, GSourceFunc func)
{
  GSource *source = g_timeout_source_new (ms);
  g_source_set_callback (source, func, agent, NULL);
  g_source_attach (source, agent->context);
  return source;
}

void
ice_clear_source (GSource **source)
{
  if (*source) {
    g_source_destroy (*source);
    g_source_unref (*source);
    *source = NULL;
  }
}

void
ice_agent_fail (IceAgent *agent, const char *text, const char *detail)
{
  if (ice_agent_get_state (agent) == ICE_STATE_FAILED)
    return;
  ice_clear_source (&agent->deadline);
  ice_clear_source (&agent->answer);
  ice_agent_set_route (agent, NULL);
  ice_agent_set_state (agent, ICE_STATE_FAILED);
  agent->events.failed (text, detail, agent->user);
}

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
    ice_agent_lose_active (agent, "the local address is gone");
    agent->lost_ticks = 0;
  }
}

/* A link that is not connected yet: other addresses than it gathered, or all of its checks failed. Or one that is wanted,
 * because the path is lost or the far end is another one by now, and could not be made. */
static void
look_at_pending (IceAgent *agent)
{
  g_autofree char *now = ice_agent_list_addresses ();
  gboolean others = g_strcmp0 (now, agent->addresses) != 0;

  if (agent->pending && !others) {
    if (ice_link_state (agent->pending) != ICE_LINK_FAILED)
      agent->failed_ticks = 0;
    else if (++agent->failed_ticks >= RECHECK_TICKS) {
      agent->failed_ticks = 0;
      ice_link_recheck (agent->pending);
      ice_agent_sync_links (agent);
    }
    return;
  }
  if (!agent->pending && agent->active && !agent->active_lost
      && (!agent->remote.ufrag[0]
          || ice_link_has_peer (agent->active, &agent->remote)))
    return;
  if (!others && agent->ticks % RECHECK_TICKS)
    return;
  ice_agent_retry_pending (agent);
}

static gboolean
on_tick (gpointer user)
{
  IceAgent *agent = user;
  if (ice_agent_get_state (agent) == ICE_STATE_FAILED)
    return G_SOURCE_CONTINUE;
  agent->ticks++;
  look_at_addresses (agent);
  look_at_pending (agent);
  if (agent->ticks % RTT_TICKS == 0)
    ice_agent_send_check (agent);
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
  ice_agent_fail (agent, text, detail);
}

static gboolean
on_connect_deadline (gpointer user)
{
  IceAgent *agent = user;
  ice_clear_source (&agent->deadline);
  if (agent->was_connected)
    return G_SOURCE_REMOVE;
  if (!agent->pending) {
    ice_agent_fail (agent,
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
    ice_agent_fail (agent, text, detail);
  } else {
    g_autofree IceDescription *own = g_new (IceDescription, 1);
    ice_link_describe (agent->pending, own);
    agent->probe =
        ice_probe_new (own, &agent->remote, agent->context, on_probed, agent);
  }
  return G_SOURCE_REMOVE;
}

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
  agent->tunnels =
      g_ptr_array_new_with_free_func ((GDestroyNotify) ice_tunnel_free);
  agent->sources = ice_sources_new ();
  agent->stats.rtt = -1;
  g_mutex_init (&agent->lock);
  g_mutex_init (&agent->stun_lock);
  stun_agent_init (&agent->stun, known, STUN_COMPATIBILITY_RFC5389,
      STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS
          | STUN_AGENT_USAGE_USE_FINGERPRINT);
  return agent;
}

static void
on_tunnel_failed (const char *why, gpointer user)
{
  IceAgent *agent = user;
  if (!agent->stopping)
    agent->events.warned (
        "The TURN server could not be reached over TLS: check its address, and that its certificate is "
        "trusted.",
        why, agent->user);
}

/* libnice is told of a port on loopback instead of a server that wants TLS. */
static void
open_tunnels (IceAgent *agent)
{
  GList *ips = nice_interfaces_get_local_ips (FALSE);
  gboolean ipv4 = ips == NULL;

  for (GList *i = ips; i; i = i->next)
    ipv4 |= strchr (i->data, '.') != NULL;
  g_list_free_full (ips, g_free);
  for (guint i = 0; i < agent->config.link.n_turn; i++) {
    IceServer *server = &agent->config.link.turn[i];
    g_autoptr (GError) error = NULL;
    if (server->transport != ICE_SERVER_TLS)
      continue;
    IceTunnel *tunnel = ice_tunnel_new (server->host, server->port,
        agent->config.trust, !ipv4, on_tunnel_failed, agent, &error);
    if (!tunnel) {
      on_tunnel_failed (error->message, agent);
      continue;
    }
    g_ptr_array_add (agent->tunnels, tunnel);
    g_strlcpy (server->host, ipv4 ? "127.0.0.1" : "::1", sizeof server->host);
    server->port = ice_tunnel_port (tunnel);
    server->transport = ICE_SERVER_TCP;
  }
}

static void
on_file_unreadable (const char *why, gpointer user)
{
  IceAgent *agent = user;
  g_autofree char *text = g_strdup_printf (
      "Cannot read the far end's ICE description in \"%s\": %s. Check the name and the rights.",
      agent->config.remote_location, why);
  agent->events.warned (text, "it is looked at once a second", agent->user);
}

static gboolean
begin (gpointer user)
{
  static const SignalFileEvents file_events = { ice_agent_take_description,
    on_file_unreadable };
  IceAgent *agent = user;

  agent->tick = ice_agent_add_timeout (agent, TICK, on_tick);
  if (agent->config.connect_timeout)
    agent->deadline = ice_agent_add_timeout (
        agent, agent->config.connect_timeout * 1000, on_connect_deadline);
  ice_agent_set_state (agent, ICE_STATE_GATHERING);
  open_tunnels (agent);
  ice_agent_make_pending (agent, FALSE);
  if (agent->config.remote_location)
    agent->file = signal_file_watch (agent->config.remote_location,
        ICE_MAX_DESCRIPTION, agent->context, &file_events, agent);
  ice_agent_update_sources (agent);
  ice_agent_sync_links (agent);
  return G_SOURCE_REMOVE;
}

static gboolean
on_close_wait (gpointer user)
{
  *(gboolean *) user = TRUE;
  return G_SOURCE_REMOVE;
}

/* Everything goes, when the TURN servers have answered or their time is up. */
static void
close_all (IceAgent *agent)
{
  gboolean late = FALSE;
  GSource *wait = g_timeout_source_new (CLOSE_WAIT);

  agent->stopping = TRUE;
  ice_clear_source (&agent->tick);
  ice_clear_source (&agent->deadline);
  ice_clear_source (&agent->answer);
  ice_clear_source (&agent->nomination);
  ice_clear_source (&agent->retirement);
  g_clear_pointer (&agent->probe, ice_probe_free);
  g_clear_pointer (&agent->file, signal_file_free);
  if (agent->config.local_location && agent->local_description)
    signal_file_retract (
        agent->config.local_location, agent->local_description);
  ice_agent_set_route (agent, NULL);
  ice_agent_retire (agent, &agent->pending);
  ice_agent_retire (agent, &agent->active);
  ice_agent_retire (agent, &agent->retiring);

  g_source_set_callback (wait, on_close_wait, &late, NULL);
  g_source_attach (wait, agent->context);
  while (agent->closing->len > 0 && !late)
    g_main_context_iteration (agent->context, TRUE);
  if (late)
    GST_WARNING ("libnice did not close %u agents", agent->closing->len);
  for (guint i = 0; i < agent->closing->len; i++)
    ice_link_abandon (g_ptr_array_index (agent->closing, i));
  g_ptr_array_set_size (agent->closing, 0);
  for (guint i = 0; i < agent->tunnels->len; i++) {
    IceTunnel *tunnel = g_ptr_array_index (agent->tunnels, i);
    ice_tunnel_stop (tunnel);
    while (ice_tunnel_is_busy (tunnel) && !late)
      g_main_context_iteration (agent->context, TRUE);
  }
  ice_clear_source (&wait);
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
  g_ptr_array_unref (agent->tunnels);
  g_clear_object (&agent->config.trust);
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
  ice_agent_take_description (c->text, strlen (c->text), c->agent);
  return G_SOURCE_REMOVE;
}

static gboolean
do_candidate (gpointer user)
{
  Command *c = user;
  ice_agent_take_candidate (c->agent, c->text);
  return G_SOURCE_REMOVE;
}

static gboolean
do_restart (gpointer user)
{
  Command *c = user;
  if (!c->agent->stopping
      && ice_agent_get_state (c->agent) != ICE_STATE_FAILED)
    ice_agent_start_restart (c->agent, c->text);
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
  guint64 drops = sources->dropped_before;

  for (guint i = 0; i < ICE_MAX_LINKS; i++)
    if (sources->links[i])
      drops += ice_link_kernel_drops (sources->links[i]);
  g_mutex_lock (&agent->lock);
  *out = agent->stats;
  agent->told_drops = MAX (agent->told_drops, drops);
  out->kernel_drops = agent->told_drops;
  g_mutex_unlock (&agent->lock);
  ice_sources_unref (sources);
}

void
ice_agent_stats_add (IceAgentStats *stats, const IceAgentStats *more)
{
  stats->restarts += more->restarts;
  stats->descriptions_refused += more->descriptions_refused;
  stats->candidates_skipped += more->candidates_skipped;
  stats->kernel_drops += more->kernel_drops;
}

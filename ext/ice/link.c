/* One libnice agent, its media sockets and its reading thread.
 *
 * libnice's signals come from whatever thread holds the agent; none of them is acted on there. Each marks the link
 * as changed, and the main context looks at the agent's state afresh: facts are read, events are not counted, so
 * none can be missed or seen out of order.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "link.h"

#include <gio/gio.h>
#include <nice/interfaces.h>
#include <sodium.h>
#include <string.h>

#define MAX_BURST 256 /* packets read without a break */
#define RELEASE_TIMEOUT                                                       \
  100 /* ms until a TURN server is asked again to take an allocation back */
#define RELEASE_REQUESTS                                                      \
  3 /* after 400 ms it is left to end the allocation by itself */
#define FEW_PAIRS 4
#define PACING_FEW 1 /* ms; a handful of packets to one peer floods nobody */
#define PACING_MANY                                                           \
  5 /* ms; RFC 8445, 14.2: Ta "SHOULD NOT be less than 5 ms" */

struct IceLink
{
  gatomicrefcount refs;
  NiceAgent *nice;
  guint stream;
  GMainContext *main_context;
  GMainContext *io_context;
  GThread *io_thread;
  gint stop;          /* atomic */
  gint gathered;      /* atomic */
  gint change_queued; /* atomic */
  guint burst;        /* reading thread: packets since its loop last turned */
  GMutex
      change_lock; /* guards `change`, and that none is queued once `stop` is set */
  GSource *change; /* the queued look, so that closing can cancel it */
  IceLinkEvents events;
  gpointer user;

  /* main context's thread */
  gboolean with_loopback;
  guint pacing;   /* ms; 0: ours to choose */
  gboolean hasty; /* chosen for few pairs */
  gboolean controlling;
  IceDescription remote; /* ufrag is empty: none yet */
  char local_ufrag[ICE_MAX_UFRAG + 1];
  char local_pwd[ICE_MAX_PWD + 1];
  char username[2 * ICE_MAX_UFRAG + 2];
  guint32 stun_tag; /* constant */
  gboolean closing;
  void (*closed) (IceLink *link, gpointer user);
  gpointer closed_user;

  /* Constant once made; who sends and receives holds a reference. */
  UdpPath paths[ICE_MAX_PATHS];
  guint n_paths;
  GPtrArray *sockets; /* of GSocket: libnice's; constant once made */
};

static gboolean
tell_change (gpointer user)
{
  IceLink *link = user;
  g_mutex_lock (&link->change_lock);
  g_clear_pointer (&link->change, g_source_unref);
  g_mutex_unlock (&link->change_lock);
  g_atomic_int_set (&link->change_queued, FALSE);
  link->events.changed (link, link->user);
  return G_SOURCE_REMOVE;
}

/* Any thread, perhaps with libnice's lock on its way out: only queues. */
static void
queue_change (IceLink *link)
{
  if (g_atomic_int_get (&link->stop)
      || !g_atomic_int_compare_and_exchange (
          &link->change_queued, FALSE, TRUE))
    return;
  GSource *source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_HIGH);
  g_source_set_callback (source, tell_change, ice_link_ref (link),
      (GDestroyNotify) ice_link_unref);
  g_mutex_lock (&link->change_lock);
  if (!g_atomic_int_get (&link->stop)) {
    link->change = g_source_ref (source);
    g_source_attach (source, link->main_context);
  }
  g_mutex_unlock (&link->change_lock);
  g_source_unref (source);
}

static void
on_gathered (NiceAgent *nice, guint stream, IceLink *link)
{
  g_atomic_int_set (&link->gathered, TRUE);
  queue_change (link);
}

/* Serves signals of every signature: the agent comes first, the user data last. */
static void
on_any (NiceAgent *nice, gpointer arg, IceLink *link)
{
  queue_change (link);
}

static void
on_state (
    NiceAgent *nice, guint stream, guint component, guint state, IceLink *link)
{
  queue_change (link);
}

static void
on_pair (NiceAgent *nice, guint stream, guint component, gpointer local,
    gpointer remote, IceLink *link)
{
  queue_change (link);
}

static gboolean reattach (gpointer user);

/* libnice reads a socket until it is empty, with its lock held but for this call: under overload that never ends, and
 * its timers starve. So after a while reading stops for one turn of the loop. nice_agent_recv_messages() would bound it
 * too, but holds all signals back while it waits, and a state change must not wait for the next packet. */
static void
on_packet (NiceAgent *nice, guint stream, guint component, guint size,
    gchar *bytes, gpointer user)
{
  IceLink *link = user;

  link->events.arrived (link, (const guint8 *) bytes, size, link->user);
  if (++link->burst < MAX_BURST)
    return;
  GSource *source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_HIGH);
  g_source_set_callback (source, reattach, link, NULL);
  nice_agent_attach_recv (
      nice, stream, component, link->io_context, NULL, NULL);
  g_source_attach (source, link->io_context);
  g_source_unref (source);
}

static gboolean
reattach (gpointer user)
{
  IceLink *link = user;
  link->burst = 0;
  nice_agent_attach_recv (link->nice, link->stream, ICE_COMPONENT,
      link->io_context, on_packet, link);
  return G_SOURCE_REMOVE;
}

static gpointer
run_io (gpointer user)
{
  IceLink *link = user;

  g_main_context_push_thread_default (link->io_context);
  while (!g_atomic_int_get (&link->stop)) {
    link->burst = 0;
    g_main_context_iteration (link->io_context, TRUE);
  }
  g_main_context_pop_thread_default (link->io_context);
  return NULL;
}

/* A media socket beside each UDP socket, before anybody can know the port. */
static void
open_paths (IceLink *link, const IceConfig *config)
{
  GPtrArray *sockets =
      nice_agent_get_sockets (link->nice, link->stream, ICE_COMPONENT);

  for (guint i = 0; sockets && i < sockets->len; i++) {
    GSocket *socket = g_ptr_array_index (sockets, i);
    struct sockaddr_storage local;
    socklen_t len = sizeof local;
    NiceAddress address;

    if (g_socket_get_socket_type (socket) != G_SOCKET_TYPE_DATAGRAM)
      continue;
    if (config->receive_buffer_size > 0)
      udp_set_receive_buffer (
          g_socket_get_fd (socket), config->receive_buffer_size);
    if (!config->media_sockets || link->n_paths == ICE_MAX_PATHS
        || getsockname (
               g_socket_get_fd (socket), (struct sockaddr *) &local, &len)
               < 0)
      continue;
    nice_address_init (&address);
    nice_address_set_from_sockaddr (&address, (struct sockaddr *) &local);
    if (udp_path_open (&link->paths[link->n_paths], g_socket_get_fd (socket),
            nice_interfaces_get_if_index_by_addr (&address),
            config->receive_buffer_size, link->stun_tag))
      link->n_paths++;
  }
  link->sockets = sockets;
}

static void
add_local_address (NiceAgent *nice, const char *text)
{
  NiceAddress address;
  nice_address_init (&address);
  if (nice_address_set_from_string (&address, text))
    nice_agent_add_local_address (nice, &address);
}

static void
add_local_addresses (IceLink *link, const IceConfig *config)
{
  if (config->bind_addresses) {
    for (char **a = config->bind_addresses; *a; a++)
      add_local_address (link->nice, *a);
    return;
  }
  GList *ips = nice_interfaces_get_local_ips (FALSE);
  if (link->with_loopback || !ips) {
    /* libnice gathers no loopback by itself, and its other sockets are tied to their interface. */
    add_local_address (link->nice, "127.0.0.1");
    add_local_address (link->nice, "::1");
    link->with_loopback = TRUE;
    for (GList *i = ips; i; i = i->next)
      add_local_address (link->nice, i->data);
  }
  g_list_free_full (ips, g_free);
}

static void
add_relays (IceLink *link, const IceConfig *config)
{
  static const NiceRelayType types[] = { NICE_RELAY_TYPE_TURN_UDP,
    NICE_RELAY_TYPE_TURN_TCP, NICE_RELAY_TYPE_TURN_TLS };

  for (guint i = 0; i < config->n_turn; i++) {
    const IceServer *s = &config->turn[i];
    nice_agent_set_relay_info (link->nice, link->stream, ICE_COMPONENT,
        s->host, s->port, s->user, (const char *) secret_bytes (s->password),
        types[s->transport]);
  }
}

static void
connect_signals (IceLink *link)
{
  g_signal_connect (
      link->nice, "candidate-gathering-done", G_CALLBACK (on_gathered), link);
  g_signal_connect (
      link->nice, "new-candidate-full", G_CALLBACK (on_any), link);
  g_signal_connect (
      link->nice, "new-remote-candidate-full", G_CALLBACK (on_any), link);
  g_signal_connect (
      link->nice, "component-state-changed", G_CALLBACK (on_state), link);
  g_signal_connect (
      link->nice, "new-selected-pair-full", G_CALLBACK (on_pair), link);
}

static void
make_agent (IceLink *link, const IceConfig *config)
{
  /* RFC 7675 always: the far end may take our silence for leave to stop sending. Aggressive nomination: regular one
   * waits out every dead pair before media may flow. */
  link->nice =
      nice_agent_new_full (link->main_context, NICE_COMPATIBILITY_RFC5245,
          NICE_AGENT_OPTION_CONSENT_FRESHNESS | NICE_AGENT_OPTION_ICE_TRICKLE);
  g_object_set (link->nice, "controlling-mode", config->controlling, "ice-tcp",
      config->ice_tcp, "upnp", FALSE, "force-relay", config->force_relay,
      NULL);
  if (config->stun.host[0])
    g_object_set (link->nice, "stun-server", config->stun.host,
        "stun-server-port", (guint) config->stun.port, NULL);
  nice_agent_set_software (link->nice, NULL);
  link->stream = nice_agent_add_stream (link->nice, 1);
}

static void
take_credentials (IceLink *link, const char *ufrag, const char *pwd)
{
  g_autofree char *own_ufrag = NULL;
  g_autofree char *own_pwd = NULL;

  if (ufrag && pwd)
    nice_agent_set_local_credentials (link->nice, link->stream, ufrag, pwd);
  nice_agent_get_local_credentials (
      link->nice, link->stream, &own_ufrag, &own_pwd);
  g_strlcpy (link->local_ufrag, own_ufrag, sizeof link->local_ufrag);
  g_strlcpy (link->local_pwd, own_pwd, sizeof link->local_pwd);
  sodium_memzero (own_pwd, strlen (own_pwd));
}

IceLink *
ice_link_new (const IceConfig *config, GMainContext *main_context,
    const char *ufrag, const char *pwd, gboolean with_loopback,
    const IceLinkEvents *events, gpointer user, GError **error)
{
  IceLink *link = g_new0 (IceLink, 1);

  g_atomic_ref_count_init (&link->refs);
  g_mutex_init (&link->change_lock);
  link->main_context = g_main_context_ref (main_context);
  link->io_context = g_main_context_new ();
  link->events = *events;
  link->user = user;
  link->with_loopback = with_loopback;
  link->pacing = config->pacing;
  link->controlling = config->controlling;
  link->stun_tag = randombytes_random ();

  make_agent (link, config);
  take_credentials (link, ufrag, pwd);
  add_relays (link, config);
  if (config->port_min || config->port_max)
    nice_agent_set_port_range (link->nice, link->stream, ICE_COMPONENT,
        config->port_min, config->port_max);
  add_local_addresses (link, config);
  nice_agent_attach_recv (link->nice, link->stream, ICE_COMPONENT,
      link->io_context, on_packet, link);
  connect_signals (link);

  if (!nice_agent_gather_candidates (link->nice, link->stream)) {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NETWORK_UNREACHABLE,
        "no local address could be bound");
    ice_link_abandon (link);
    ice_link_unref (link);
    return NULL;
  }
  open_paths (link, config);
  link->io_thread = g_thread_new ("ice-io", run_io, link);
  queue_change (link);
  return link;
}

IceLink *
ice_link_ref (IceLink *link)
{
  g_atomic_ref_count_inc (&link->refs);
  return link;
}

void
ice_link_unref (IceLink *link)
{
  if (!g_atomic_ref_count_dec (&link->refs))
    return;
  for (guint i = 0; i < link->n_paths; i++)
    udp_path_close (&link->paths[i]);
  g_clear_pointer (&link->sockets, g_ptr_array_unref);
  g_clear_object (&link->nice);
  g_main_context_unref (link->io_context);
  g_main_context_unref (link->main_context);
  g_mutex_clear (&link->change_lock);
  sodium_memzero (link->local_pwd, sizeof link->local_pwd);
  sodium_memzero (&link->remote, sizeof link->remote);
  g_free (link);
}

static gboolean
knows_candidate (const IceDescription *d, const IceCandidate *c)
{
  for (size_t i = 0; i < d->n_candidates; i++)
    if (ice_candidate_same_target (&d->candidates[i], c))
      return TRUE;
  return FALSE;
}

static gboolean
has_few_pairs (IceLink *link, gsize n_remote)
{
  GSList *locals = nice_agent_get_local_candidates (
      link->nice, link->stream, ICE_COMPONENT);
  gboolean few = g_slist_length (locals) * n_remote <= FEW_PAIRS;
  g_slist_free_full (locals, (GDestroyNotify) nice_candidate_free);
  return few;
}

/* libnice paces all checks of a round as it began them. So haste needs all candidates of both sides, and not just few. */
static void
set_pacing (IceLink *link, const IceDescription *remote)
{
  gboolean all = g_atomic_int_get (&link->gathered)
                 && (remote->end_of_candidates || !remote->trickle);
  link->hasty =
      link->pacing == 0 && all && has_few_pairs (link, remote->n_candidates);
  g_object_set (link->nice, "stun-pacing-timer",
      link->pacing  ? link->pacing
      : link->hasty ? PACING_FEW
                    : PACING_MANY,
      NULL);
}

/* Hands libnice those of `remote` that it does not know yet, and remembers them. */
static void
add_remote_candidates (IceLink *link, const IceDescription *remote)
{
  GSList *list = NULL;

  for (size_t i = 0; i < remote->n_candidates
                     && link->remote.n_candidates < ICE_MAX_CANDIDATES;
       i++) {
    const IceCandidate *c = &remote->candidates[i];
    if (knows_candidate (&link->remote, c))
      continue;
    link->remote.candidates[link->remote.n_candidates++] = *c;
    list = g_slist_prepend (list, ice_candidate_to_nice (c, link->stream));
  }
  if (list) {
    list = g_slist_reverse (list);
    nice_agent_set_remote_candidates (
        link->nice, link->stream, ICE_COMPONENT, list);
    g_slist_free_full (list, (GDestroyNotify) nice_candidate_free);
  }
  if (remote->end_of_candidates || !remote->trickle)
    nice_agent_peer_candidate_gathering_done (link->nice, link->stream);
}

/* libnice's restart makes new credentials; ours stay, so that the far end need not be told. */
static void
restart_checks (IceLink *link)
{
  nice_agent_restart_stream (link->nice, link->stream);
  nice_agent_set_local_credentials (
      link->nice, link->stream, link->local_ufrag, link->local_pwd);
}

gboolean
ice_link_has_peer (IceLink *link, const IceDescription *remote)
{
  size_t len = strlen (remote->pwd);

  /* The pwd is the key of the checks. Who signals may offer one description after another and time what comes of each:
   * how far a guess agrees must not show. */
  return strcmp (link->remote.ufrag, remote->ufrag) == 0
         && strlen (link->remote.pwd) == len
         && sodium_memcmp (link->remote.pwd, remote->pwd, len) == 0;
}

void
ice_link_set_remote (IceLink *link, const IceDescription *remote)
{
  if (!ice_link_has_peer (link, remote)) {
    if (link->remote.ufrag[0])
      restart_checks (link);
    memset (&link->remote, 0, sizeof link->remote);
    memcpy (link->remote.ufrag, remote->ufrag, sizeof link->remote.ufrag);
    memcpy (link->remote.pwd, remote->pwd, sizeof link->remote.pwd);
    g_snprintf (link->username, sizeof link->username, "%s:%s", remote->ufrag,
        link->local_ufrag);
    set_pacing (link, remote);
    nice_agent_set_remote_credentials (
        link->nice, link->stream, remote->ufrag, remote->pwd);
  }
  IceLinkState state = ice_link_state (link);
  if (link->hasty && state != ICE_LINK_CONNECTED && state != ICE_LINK_READY
      && !has_few_pairs (link, remote->n_candidates)) {
    /* More came after what was said to be all: a new round, at the right pace. */
    set_pacing (link, remote);
    ice_link_recheck (link);
  }
  add_remote_candidates (link, remote);
}

void
ice_link_recheck (IceLink *link)
{
  if (!link->remote.ufrag[0])
    return;
  g_autofree IceDescription *again =
      g_memdup2 (&link->remote, sizeof link->remote);
  restart_checks (link);
  nice_agent_set_remote_credentials (
      link->nice, link->stream, again->ufrag, again->pwd);
  link->remote.n_candidates = 0;
  add_remote_candidates (link, again);
  sodium_memzero (again, sizeof *again);
}

IceLinkState
ice_link_state (IceLink *link)
{
  switch (nice_agent_get_component_state (
      link->nice, link->stream, ICE_COMPONENT)) {
    case NICE_COMPONENT_STATE_CONNECTED:
      return ICE_LINK_CONNECTED;
    case NICE_COMPONENT_STATE_READY:
      return ICE_LINK_READY;
    case NICE_COMPONENT_STATE_FAILED:
      return ICE_LINK_FAILED;
    case NICE_COMPONENT_STATE_CONNECTING:
      return ICE_LINK_CONNECTING;
    case NICE_COMPONENT_STATE_DISCONNECTED:
    case NICE_COMPONENT_STATE_GATHERING:
    default:
      return link->remote.ufrag[0] ? ICE_LINK_CONNECTING : ICE_LINK_GATHERING;
  }
}

gboolean
ice_link_has_remote (IceLink *link)
{
  return link->remote.ufrag[0] != '\0';
}

gboolean
ice_link_is_controlling (IceLink *link)
{
  return link->controlling;
}

gboolean
ice_link_has_loopback (IceLink *link)
{
  return link->with_loopback;
}

const char *
ice_link_ufrag (IceLink *link)
{
  return link->local_ufrag;
}

void
ice_link_describe (IceLink *link, IceDescription *out)
{
  GSList *locals = nice_agent_get_local_candidates (
      link->nice, link->stream, ICE_COMPONENT);

  memset (out, 0, sizeof *out);
  memcpy (out->ufrag, link->local_ufrag, sizeof out->ufrag);
  memcpy (out->pwd, link->local_pwd, sizeof out->pwd);
  out->trickle = TRUE;
  out->end_of_candidates = g_atomic_int_get (&link->gathered);
  for (GSList *i = locals; i && out->n_candidates < ICE_MAX_CANDIDATES;
       i = i->next) {
    const NiceCandidate *c = i->data;
    /* RFC 8445, 7.3.1.3: peer-reflexive candidates are learnt, not told. */
    if (c->type == NICE_CANDIDATE_TYPE_PEER_REFLEXIVE)
      continue;
    IceCandidate *candidate = &out->candidates[out->n_candidates++];
    ice_candidate_from_nice (c, candidate);
    /* RFC 6544, 4.5: an active candidate has no port of its own; 9 (discard) stands for it. */
    if (candidate->transport == ICE_TCP_ACTIVE)
      candidate->address.port = 9;
  }
  g_slist_free_full (locals, (GDestroyNotify) nice_candidate_free);
}

gboolean
ice_link_selected (IceLink *link, IceCandidate *local, IceCandidate *remote)
{
  NiceCandidate *l, *r;
  if (!nice_agent_get_selected_pair (
          link->nice, link->stream, ICE_COMPONENT, &l, &r))
    return FALSE;
  ice_candidate_from_nice (l, local);
  ice_candidate_from_nice (r, remote);
  return TRUE;
}

guint
ice_link_remote_addresses (IceLink *link, IceAddress *out, guint max)
{
  GSList *remotes = nice_agent_get_remote_candidates (
      link->nice, link->stream, ICE_COMPONENT);
  guint n = 0;

  for (GSList *i = remotes; i && n < max; i = i->next)
    ice_address_from_nice (&((NiceCandidate *) i->data)->addr, &out[n++]);
  g_slist_free_full (remotes, (GDestroyNotify) nice_candidate_free);
  return n;
}

UdpPath *
ice_link_selected_path (IceLink *link)
{
  g_autoptr (GSocket) socket =
      nice_agent_get_selected_socket (link->nice, link->stream, ICE_COMPONENT);
  struct sockaddr_storage local;
  socklen_t len = sizeof local;

  if (!socket
      || getsockname (
             g_socket_get_fd (socket), (struct sockaddr *) &local, &len)
             < 0)
    return NULL;
  for (guint i = 0; i < link->n_paths; i++)
    if (link->paths[i].local_len == len
        && memcmp (&link->paths[i].local, &local, len) == 0)
      return &link->paths[i];
  return NULL;
}

UdpPath *
ice_link_paths (IceLink *link, guint *n)
{
  *n = link->n_paths;
  return link->paths;
}

guint64
ice_link_kernel_drops (IceLink *link)
{
  guint64 drops = 0;

  for (guint i = 0; i < link->n_paths; i++)
    drops += udp_overflows (link->paths[i].fd);
  for (guint i = 0; link->sockets && i < link->sockets->len; i++) {
    GSocket *socket = g_ptr_array_index (link->sockets, i);
    if (g_socket_get_socket_type (socket) == G_SOCKET_TYPE_DATAGRAM
        && !g_socket_is_closed (socket))
      drops += udp_overflows (g_socket_get_fd (socket));
  }
  return drops;
}

guint32
ice_link_stun_tag (IceLink *link)
{
  return link->stun_tag;
}

gboolean
ice_link_is_own_answer (IceLink *link, const guint8 *bytes, gsize size)
{
  guint32 begin;

  /* RFC 7983, 7: the first byte of STUN is 0 to 3. */
  if (size < UDP_PATH_TAG_AT + sizeof begin || bytes[0] > 3)
    return FALSE;
  memcpy (&begin, bytes + UDP_PATH_TAG_AT, sizeof begin);
  return g_ntohl (begin) == link->stun_tag;
}

gboolean
ice_link_check_credentials (
    IceLink *link, const char **username, const char **password)
{
  *username = link->username;
  *password = link->remote.pwd;
  return link->remote.ufrag[0] != '\0';
}

guint
ice_link_send (
    IceLink *link, const NiceOutputMessage *messages, guint n, gboolean *gone)
{
  g_autoptr (GError) error = NULL;
  gint sent = nice_agent_send_messages_nonblocking (
      link->nice, link->stream, ICE_COMPONENT, messages, n, NULL, &error);

  *gone =
      sent < 0 && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  return sent < 0 ? 0 : (guint) sent;
}

/* No event comes any more. */
static void
stop (IceLink *link)
{
  GSource *change;

  if (g_atomic_int_get (&link->stop))
    return;
  g_mutex_lock (&link->change_lock);
  g_atomic_int_set (&link->stop, TRUE);
  g_mutex_unlock (&link->change_lock);
  g_main_context_wakeup (link->io_context);
  if (link->io_thread)
    g_thread_join (g_steal_pointer (&link->io_thread));
  g_signal_handlers_disconnect_by_data (link->nice, link);

  g_mutex_lock (&link->change_lock);
  change = g_steal_pointer (&link->change);
  g_mutex_unlock (&link->change_lock);
  if (change) {
    g_source_destroy (change);
    g_source_unref (change);
  }
}

void
ice_link_abandon (IceLink *link)
{
  stop (link);
  /* While it gives allocations back, libnice sends on the stream's sockets and asserts that they are there. */
  if (!link->closing)
    nice_agent_remove_stream (link->nice, link->stream);
}

static void
on_closed (GObject *object, GAsyncResult *result, gpointer user)
{
  IceLink *link = user;
  stop (link);
  nice_agent_remove_stream (link->nice, link->stream);
  /* Who sends or receives may hold the link for as long as downstream blocks; its successor may need the ports now. */
  for (guint i = 0; i < link->n_paths; i++)
    udp_path_leave_port (&link->paths[i]);
  if (link->closed)
    link->closed (link, link->closed_user);
  ice_link_unref (link);
}

void
ice_link_close (IceLink *link, void (*closed) (IceLink *link, gpointer user),
    gpointer user)
{
  if (link->closing)
    return;
  link->closing = TRUE;
  link->closed = closed;
  link->closed_user = user;
  /* Until every refresh has had an answer or its time is up, libnice's task holds the agent with all of its sockets, and
   * only it can end that: with a server that is silent, its own times would come to half a minute. */
  g_object_set (link->nice, "stun-initial-timeout", RELEASE_TIMEOUT,
      "stun-max-retransmissions", RELEASE_REQUESTS, "stun-pacing-timer",
      PACING_MANY, NULL);
  /* The reading thread stays until the servers' answers came: libnice takes them from it. */
  nice_agent_close_async (link->nice, on_closed, ice_link_ref (link));
}

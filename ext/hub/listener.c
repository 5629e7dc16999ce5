/* From TCP to an HTTP request: listening sockets, who may come in, TLS; then libsoup has the stream.
 *
 * An arrival is a connection without a WebSocket. It has HUB_EDGE_ARRIVAL_MS in all, whatever it does, and there are only so
 * many: when a newer one needs the room, the one that has had most time gives way. So who is honest and needs a few round
 * trips gets in beside any number that say nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server_private.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>

#define BACKLOG                                                               \
  1024 /* the kernel's, of connections that are not accepted yet */

/* What shares the limits, in hub_source()'s words. */
typedef struct
{
  char text[HUB_SOURCE_TEXT];
  GQueue arrivals; /* Arrival.source_link */
  Bucket connects;
  GList link; /* listener->idle, while it has no arrivals */
  uint64_t idle_since;
} EdgeSource;

struct Arrival
{
  Listener *listener;
  EdgeSource *source;
  HubTlsStream *stream; /* ours until `handed`, then libsoup's */
  GSocketAddress *local, *remote;
  uint64_t deadline;
  bool handed, cut;
  GList link, source_link;
};

struct Listener
{
  HubServer *server;
  GSocket *socket;
  GSource *ready, *deadline, *later;
  GQueue arrivals; /* Arrival.link: the first is the oldest */
  GHashTable *sources;
  GQueue idle;
  uint64_t max_open;
};

/* ---- Sources ---- */

static void
forget_source (Listener *listener, EdgeSource *source)
{
  g_queue_unlink (&listener->idle, &source->link);
  g_hash_table_remove (listener->sources, source->text);
  g_free (source);
}

static void
forget_idle (Listener *listener, bool all)
{
  while (listener->idle.head) {
    EdgeSource *source = listener->idle.head->data;
    if (!all && g_hash_table_size (listener->sources) < HUB_EDGE_SOURCES
        && server_now () - source->idle_since < HUB_EDGE_REMEMBERED_MS)
      return;
    forget_source (listener, source);
  }
}

static EdgeSource *
get_source (Listener *listener, const char *text)
{
  EdgeSource *source = g_hash_table_lookup (listener->sources, text);

  if (source)
    return source;
  forget_idle (listener, false);
  source = g_new0 (EdgeSource, 1);
  g_strlcpy (source->text, text, sizeof source->text);
  source->link.data = source;
  source->idle_since = server_now ();
  g_queue_push_tail_link (&listener->idle, &source->link);
  g_hash_table_insert (listener->sources, source->text, source);
  return source;
}

/* ---- Arrivals ---- */

static void set_deadline (Listener *listener);

static void
stream_gone (gpointer data, GObject *stream)
{
  Arrival *arrival = data;

  (void) stream;
  arrival->stream = NULL;
  arrival_done (arrival);
}

/* Forgets the arrival; its stream stays libsoup's, or goes if it is still ours. */
void
arrival_done (Arrival *arrival)
{
  Listener *listener = arrival->listener;
  EdgeSource *source = arrival->source;

  g_queue_unlink (&listener->arrivals, &arrival->link);
  g_queue_unlink (&source->arrivals, &arrival->source_link);
  if (source->arrivals.length == 0) {
    source->idle_since = server_now ();
    g_queue_push_tail_link (&listener->idle, &source->link);
  }
  if (arrival->stream) {
    g_object_set_data (G_OBJECT (arrival->stream), "arrival", NULL);
    if (arrival->handed)
      g_object_weak_unref (G_OBJECT (arrival->stream), stream_gone, arrival);
    else {
      hub_tls_stream_cut (
          arrival
              ->stream); /* nobody is told anything in the middle of a handshake */
      g_io_stream_close (G_IO_STREAM (arrival->stream), NULL, NULL);
      g_object_unref (arrival->stream);
    }
  }
  g_clear_object (&arrival->local);
  g_clear_object (&arrival->remote);
  g_free (arrival);
}

/* libsoup finds a shut socket, lets the stream go, and stream_gone() follows. */
static void
arrival_cut (Arrival *arrival)
{
  if (!arrival->handed) {
    arrival_done (arrival);
    return;
  }
  arrival->cut = true;
  hub_tls_stream_cut (arrival->stream);
}

Arrival *
arrival_of (HubTlsStream *stream)
{
  return g_object_get_data (G_OBJECT (stream), "arrival");
}

const char *
arrival_source (const Arrival *arrival)
{
  return arrival->source->text;
}

/* The first that was not cut already. */
static Arrival *
oldest (GQueue *arrivals)
{
  for (GList *l = arrivals->head; l; l = l->next) {
    Arrival *arrival = l->data;
    if (!arrival->cut)
      return arrival;
  }
  return NULL;
}

static gboolean
deadline_came (gpointer data)
{
  Listener *listener = data;
  Arrival *arrival;

  while ((arrival = oldest (&listener->arrivals))
         && arrival->deadline <= server_now ()) {
    listener->server->stats.timed_out++;
    arrival_cut (arrival);
  }
  set_deadline (listener);
  return G_SOURCE_CONTINUE;
}

static void
set_deadline (Listener *listener)
{
  const Arrival *first = oldest (&listener->arrivals);

  g_source_set_ready_time (
      listener->deadline, first ? (gint64) first->deadline * 1000 : -1);
}

static void
shaken_hands (HubTlsStream *stream, HubTlsResult result, gpointer data)
{
  Arrival *arrival = data;
  HubServer *server = arrival->listener->server;

  if (result != HUB_TLS_READY) {
    if (result == HUB_TLS_TIMEOUT)
      server->stats.timed_out++;
    else
      server->stats.handshakes_failed++;
    arrival_done (arrival);
    return;
  }
  server->stats.handshakes++;
  hub_tls_stream_allow (stream, HUB_EDGE_REQUEST);
  arrival->handed = true;
  g_object_weak_ref (G_OBJECT (stream), stream_gone, arrival);
  soup_server_accept_iostream (server->soup, G_IO_STREAM (stream),
      arrival->local, arrival->remote, NULL);
  g_object_unref (stream); /* libsoup's, or gone: `arrival` may be, too */
}

static void
arrive (Listener *listener, EdgeSource *source, GSocket *socket,
    GSocketAddress *remote)
{
  HubServer *server = listener->server;
  HubTlsStream *stream = hub_tls_stream_new (socket, server->certificate, server->poller);

  if (!stream)
    return;
  Arrival *arrival = g_new0 (Arrival, 1);
  arrival->listener = listener;
  arrival->source = source;
  arrival->stream = stream;
  arrival->local = g_socket_get_local_address (socket, NULL);
  arrival->remote = g_object_ref (remote);
  arrival->deadline = server_now () + HUB_EDGE_ARRIVAL_MS;
  arrival->link.data = arrival->source_link.data = arrival;
  if (source->arrivals.length == 0)
    g_queue_unlink (&listener->idle, &source->link);
  g_queue_push_tail_link (&source->arrivals, &arrival->source_link);
  g_queue_push_tail_link (&listener->arrivals, &arrival->link);
  g_object_set_data (G_OBJECT (stream), "arrival", arrival);
  hub_tls_stream_set_turn (stream, &server->turn);
  /* The deadline of all arrivals is the listener's; this one only must not be earlier. */
  hub_tls_stream_handshake (
      stream, 2 * HUB_EDGE_ARRIVAL_MS, shaken_hands, arrival);
  set_deadline (listener);
}

/* ---- Who may come in ---- */

static bool
source_text (GSocketAddress *remote, char *text)
{
  if (!G_IS_INET_SOCKET_ADDRESS (remote))
    return false;
  GInetAddress *address =
      g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (remote));
  return hub_source (g_inet_address_to_bytes (address),
      g_inet_address_get_native_size (address), text);
}

static void
set_options (GSocket *socket)
{
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, 1, NULL);
  g_socket_set_option (
      socket, IPPROTO_TCP, TCP_USER_TIMEOUT, HUB_EDGE_USER_TIMEOUT_MS, NULL);
}

static void
give_way (HubServer *server, GQueue *arrivals, guint limit)
{
  Arrival *arrival = arrivals->length >= limit ? oldest (arrivals) : NULL;

  if (!arrival)
    return;
  server->stats.gave_way++;
  arrival_cut (arrival);
}

static void
take (Listener *listener, GSocket *socket)
{
  HubServer *server = listener->server;
  g_autoptr (GSocketAddress) remote =
      g_socket_get_remote_address (socket, NULL);
  char text[HUB_SOURCE_TEXT];

  server->stats.accepted++;
  if (!remote || !source_text (remote, text))
    return; /* gone already */
  if (g_hash_table_size (server->websockets) + listener->arrivals.length
      >= listener->max_open) {
    server->stats.refused_full++;
    return;
  }
  EdgeSource *source = get_source (listener, text);
  if (!bucket_take (&source->connects, server_now (),
          HUB_EDGE_CONNECTS_BURST * 60,
          2 * (uint64_t) server->connects_per_minute + HUB_EDGE_CONNECTS_MORE,
          60)) {
    server->stats.refused_rate++;
    return;
  }
  give_way (server, &source->arrivals, HUB_EDGE_SOURCE_ARRIVALS);
  give_way (server, &listener->arrivals, HUB_EDGE_ARRIVALS);
  set_options (socket);
  arrive (listener, source, socket, remote);
}

static gboolean someone_came (int fd, GIOCondition condition, gpointer data);

static void
listen_on (Listener *listener)
{
  listener->ready =
      g_unix_fd_source_new (g_socket_get_fd (listener->socket), G_IO_IN);
  server_attach (listener->server, listener->ready,
      G_SOURCE_FUNC (someone_came), listener);
}

static gboolean
listen_again (gpointer data)
{
  Listener *listener = data;

  server_detach (&listener->later);
  listen_on (listener);
  return G_SOURCE_REMOVE;
}

static gboolean
someone_came (int fd, GIOCondition condition, gpointer data)
{
  Listener *listener = data;

  (void) fd;
  (void) condition;
  for (unsigned i = 0; i < HUB_EDGE_ACCEPTS; i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (GSocket) socket =
        g_socket_accept (listener->socket, NULL, &error);
    if (socket) {
      take (listener, socket);
      continue;
    }
    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
      break;
    if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES))
      continue; /* that one has gone */
    /* It stays in the kernel's queue: to poll for it would be a busy loop. */
    listener->server->stats.refused_full++;
    server_detach (&listener->ready);
    listener->later = g_timeout_source_new (HUB_EDGE_REFUSED_MS);
    server_attach (listener->server, listener->later, listen_again, listener);
    return G_SOURCE_REMOVE;
  }
  return G_SOURCE_CONTINUE;
}

/* ---- Life ---- */

static GSocket *
bind_to (const char *address, uint16_t port, GError **error)
{
  g_autoptr (GInetAddress) inet =
      address ? g_inet_address_new_from_string (address)
              : g_inet_address_new_any (G_SOCKET_FAMILY_IPV6);

  if (!inet) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
        "bind-address \"%s\" is no IP address: give one of this machine's, in numbers, or none for all",
        address);
    return NULL;
  }
  g_autoptr (GSocketAddress) name = g_inet_socket_address_new (inet, port);
  g_autoptr (GSocket) socket = g_socket_new (g_inet_address_get_family (inet),
      G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);
  if (!socket)
    return NULL;
  if (g_inet_address_get_family (inet) == G_SOCKET_FAMILY_IPV6)
    g_socket_set_option (
        socket, IPPROTO_IPV6, IPV6_V6ONLY, address != NULL, NULL);
  g_socket_set_listen_backlog (socket, BACKLOG);
  if (!g_socket_bind (socket, name, TRUE, error)
      || !g_socket_listen (socket, error))
    return NULL;
  g_socket_set_blocking (socket, FALSE);
  return g_steal_pointer (&socket);
}

/* The sentence that helps, in the place of the system's. */
static void
explain (GError **error, const char *address, uint16_t port)
{
  const char *where = address ? address : "all addresses";
  g_autoptr (GError) cause = g_steal_pointer (error);

  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE,
        "TCP port %u on %s is taken by another program: end that one, or set another port",
        port, where);
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
        "this user may not listen on TCP port %u: set a port from 1024 on, or give the program CAP_NET_BIND_SERVICE",
        port);
  else
    g_set_error (error, G_IO_ERROR, cause->code,
        "cannot listen on %s, TCP port %u: %s; bind-address must be one of this machine's",
        where, port, cause->message);
}

static GSocket *
open_socket (const char *address, uint16_t port, GError **error)
{
  GSocket *socket = bind_to (address, port, error);

  if (!socket && !address
      && !g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE)
      && !g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED)) {
    g_clear_error (error); /* no IPv6 here */
    socket = bind_to ("0.0.0.0", port, error);
  }
  if (!socket
      && !g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT))
    explain (error, address, port);
  return socket;
}

static uint64_t
files_for_us (void)
{
  struct rlimit limit;
  uint64_t most = (uint64_t) HUB_MAX_CONNECTIONS + HUB_EDGE_ARRIVALS;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
    return most;
  return MIN (
      most, MAX (limit.rlim_cur, HUB_EDGE_FILES + 64) - HUB_EDGE_FILES);
}

Listener *
listener_new (
    HubServer *server, const char *bind_address, uint16_t port, GError **error)
{
  GError *problem = NULL;
  GSocket *socket = open_socket (
      bind_address && bind_address[0] ? bind_address : NULL, port, &problem);

  if (!socket) {
    g_propagate_error (error, problem);
    return NULL;
  }
  Listener *listener = g_new0 (Listener, 1);
  listener->server = server;
  listener->socket = socket;
  listener->sources = g_hash_table_new (g_str_hash, g_str_equal);
  listener->max_open = files_for_us ();
  listener->deadline = server_timer (server, deadline_came, listener);
  listen_on (listener);
  return listener;
}

uint16_t
listener_port (const Listener *listener)
{
  g_autoptr (GSocketAddress) name =
      g_socket_get_local_address (listener->socket, NULL);

  return name ? g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (name))
              : 0;
}

uint32_t
listener_arrivals (const Listener *listener)
{
  return listener->arrivals.length;
}

void
listener_stop (Listener *listener)
{
  Arrival *arrival;

  server_detach (&listener->ready);
  server_detach (&listener->later);
  g_socket_close (listener->socket, NULL);
  while ((arrival = oldest (&listener->arrivals)))
    arrival_cut (arrival);
}

/* After libsoup has let go of all streams. */
void
listener_free (Listener *listener)
{
  if (!listener)
    return;
  listener_stop (listener);
  server_detach (&listener->deadline);
  while (listener->arrivals.head)
    arrival_done (listener->arrivals.head->data);
  forget_idle (listener, true);
  g_hash_table_unref (listener->sources);
  g_object_unref (listener->socket);
  g_free (listener);
}

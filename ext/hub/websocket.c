/* WebSockets: what comes goes to the rooms, what the rooms say goes out, and who floods or does not read is cut.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server_private.h"

#include "ext/sodium/door.h"

#include <string.h>

struct Websocket
{
  HubServer *server;
  uint64_t id;
  SoupWebsocketConnection *connection;
  HubTlsStream *stream; /* inside of it */
  WsMeter meter;
  uint64_t
      queued; /* bytes given to libsoup, counted as the stream counts what it has written */
  uint64_t heard,
      frames_heard; /* ms: when the meter's count of frames was seen to change */
  uint64_t closing; /* ms: since our close frame; 0 before */
  bool member, lost;
  char local[HUB_ADDRESS_TEXT];
};

const char *
websocket_local (const Websocket *self)
{
  return self->local;
}

/* ---- The end of one ---- */

/* The rooms hear of it at the end of the turn: this may be in the middle of one of their calls. */
static void
lose (Websocket *self)
{
  if (self->lost)
    return;
  self->lost = true;
  g_queue_push_tail (&self->server->lost, self);
}

void
websocket_cut (Websocket *self, uint64_t *counter)
{
  if (self->lost)
    return;
  if (counter)
    ++*counter;
  hub_tls_stream_cut (self->stream);
  lose (self);
}

static void
forget (Websocket *self)
{
  HubServer *server = self->server;

  g_signal_handlers_disconnect_by_data (self->connection, self);
  hub_tls_stream_set_meter (self->stream, NULL, NULL);
  hub_tls_stream_cut (self->stream);
  g_hash_table_remove (server->websockets, &self->id);
  if (server->speaking == self)
    server->speaking = NULL;
  g_object_unref (self->stream);
  g_object_unref (self->connection); /* closes it, with what is queued */
  g_free (self);
}

void
websocket_forget_lost (HubServer *server)
{
  Websocket *self;

  while ((self = g_queue_pop_head (&server->lost))) {
    hub_disconnected (server->hub, self->id);
    forget (self);
  }
}

static void
on_closed (SoupWebsocketConnection *connection, gpointer data)
{
  Websocket *self = data;

  (void) connection;
  lose (self);
  server_enter (self->server);
  server_drain (self->server);
}

/* ---- What comes ---- */

static bool
on_bytes (const uint8_t *bytes, size_t len, gpointer data)
{
  Websocket *self = data;

  if (ws_meter_take (&self->meter, bytes, len, server_now ()))
    return true;
  self->server->stats.cut_too_much++;
  return false; /* libsoup meets the error, and on_closed() follows */
}

static void
allow (Websocket *self)
{
  size_t limit = hub_frame_limit (self->server->hub, self->id);

  if (limit > 0 && !self->member) {
    self->member = limit > LIMIT_FRAME_BEFORE;
    self->meter.limit = limit * HUB_EDGE_FRAME_SLACK;
  }
}

static void
on_message (SoupWebsocketConnection *connection, SoupWebsocketDataType type,
    GBytes *message, gpointer data)
{
  Websocket *self = data;
  HubServer *server = self->server;
  gsize len;
  const void *bytes = g_bytes_get_data (message, &len);

  (void) connection;
  if (self->lost)
    return;
  server_enter (server);
  hub_frame (
      server->hub, self->id, type == SOUP_WEBSOCKET_DATA_BINARY, bytes, len);
  server->speaking = self;
  server_drain (server);
  server->speaking = NULL;
}

/* ---- What goes ---- */

/* What is queued and not yet in the socket. libsoup's own frames (pongs, pings) are written, but not counted as queued: so the
 * count begins anew whenever it is behind. */
static uint64_t
backlog (Websocket *self)
{
  uint64_t written = hub_tls_stream_get_written (self->stream);

  if (written > self->queued)
    self->queued = written;
  return self->queued - written;
}

/* Exact from time to time, never too small in between. */
static void
count_backlog (HubServer *server)
{
  GHashTableIter iter;
  gpointer value;

  server->backlog = 0;
  g_hash_table_iter_init (&iter, server->websockets);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (!((Websocket *) value)->lost)
      server->backlog += backlog (value);
}

static Websocket *
slowest (HubServer *server)
{
  GHashTableIter iter;
  gpointer value;
  Websocket *most = NULL;

  g_hash_table_iter_init (&iter, server->websockets);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Websocket *self = value;
    if (!self->lost && (!most || backlog (self) > backlog (most)))
      most = self;
  }
  return most;
}

static void
bound_backlog (HubServer *server)
{
  Websocket *most;

  if (server->backlog <= HUB_EDGE_BACKLOG_TOTAL)
    return;
  count_backlog (server);
  while (
      server->backlog > HUB_EDGE_BACKLOG_TOTAL && (most = slowest (server))) {
    server->backlog -= backlog (most);
    websocket_cut (most, &server->stats.cut_slow);
  }
}

static uint64_t
frame_len (size_t payload)
{
  return payload
         + (payload < 126      ? 2
             : payload < 65536 ? 4
                               : 10); /* RFC 6455, 5.2; not masked */
}

static void
send_frame (Websocket *self, const HubOutput *output)
{
  HubServer *server = self->server;
  uint64_t len = frame_len (g_bytes_get_size (output->frame));

  backlog (self);
  self->queued += len;
  server->backlog += len;
  soup_websocket_connection_send_message (self->connection,
      output->type == HUB_SEND_BINARY ? SOUP_WEBSOCKET_DATA_BINARY
                                      : SOUP_WEBSOCKET_DATA_TEXT,
      output->frame);
  allow (self);
  if (backlog (self)
      > (self->member ? HUB_EDGE_BACKLOG_MEMBER : HUB_EDGE_BACKLOG_STRANGER))
    websocket_cut (self, &server->stats.cut_slow);
  bound_backlog (server);
}

void
websocket_deliver (HubServer *server, const HubOutput *output)
{
  Websocket *self =
      g_hash_table_lookup (server->websockets, &output->connection);

  if (!self || self->lost || self->closing
      || soup_websocket_connection_get_state (self->connection)
             != SOUP_WEBSOCKET_STATE_OPEN)
    return;
  if (output->type != HUB_DISCONNECT) {
    send_frame (self, output);
    return;
  }
  self->closing = server_now ();
  soup_websocket_connection_close (
      self->connection, SOUP_WEBSOCKET_CLOSE_GOING_AWAY, NULL);
}

/* ---- Time ---- */

static void
look_at (Websocket *self, uint64_t now)
{
  HubServer *server = self->server;

  if (self->meter.frames != self->frames_heard) {
    self->frames_heard = self->meter.frames;
    self->heard = now;
  }
  if (self->closing && now - self->closing >= HUB_EDGE_CLOSE_MS)
    websocket_cut (self, NULL);
  else if (now - self->heard >= HUB_EDGE_SILENT_MS)
    websocket_cut (self, &server->stats.cut_silent);
}

void
websocket_sweep (HubServer *server)
{
  uint64_t now = server_now ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, server->websockets);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    look_at (value, now);
  count_backlog (server);
}

void
websocket_close_all (HubServer *server)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, server->websockets);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    websocket_cut (value, NULL);
  websocket_forget_lost (server);
}

/* ---- The beginning of one ---- */

static HubTlsStream *
stream_of (SoupWebsocketConnection *connection)
{
  g_autoptr (GIOStream) base = NULL;

  g_object_get (soup_websocket_connection_get_io_stream (connection),
      "base-iostream", &base, NULL);
  return HUB_TLS_STREAM (g_steal_pointer (&base));
}

/* RFC 6455, 4.1: a client waits for our answer before it sends. What libsoup has read before that would pass the meter by. */
static bool
has_sent_early (SoupWebsocketConnection *connection, HubTlsStream *stream)
{
  GIOStream *outer = soup_websocket_connection_get_io_stream (connection);
  char byte;

  hub_tls_stream_hold (stream, true);
  gssize n = g_pollable_input_stream_read_nonblocking (
      G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (outer)), &byte, 1,
      NULL, NULL);
  hub_tls_stream_hold (stream, false);
  return n > 0;
}

static void
set_local (Websocket *self, SoupServerMessage *message)
{
  GSocketAddress *local = soup_server_message_get_local_address (message);

  if (!local || !G_IS_INET_SOCKET_ADDRESS (local))
    return;
  g_autofree char *text = g_inet_address_to_string (
      g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (local)));
  g_strlcpy (self->local,
      g_str_has_prefix (text, "::ffff:") && strchr (text, '.') ? text + 7
                                                               : text,
      sizeof self->local);
}

static Websocket *
make (HubServer *server, SoupServerMessage *message,
    SoupWebsocketConnection *connection, HubTlsStream *stream)
{
  Websocket *self = g_new0 (Websocket, 1);

  self->server = server;
  self->id = ++server->next_id;
  self->connection = g_object_ref (connection);
  self->stream = stream;
  self->heard = server_now ();
  self->queued = hub_tls_stream_get_written (stream);
  self->meter.limit = LIMIT_FRAME_BEFORE * HUB_EDGE_FRAME_SLACK;
  set_local (self, message);
  soup_websocket_connection_set_max_incoming_payload_size (
      connection, LIMIT_FRAME_AFTER * HUB_EDGE_FRAME_SLACK);
  soup_websocket_connection_set_keepalive_interval (
      connection, HUB_EDGE_PING_S);
  hub_tls_stream_allow (stream, UINT64_MAX); /* the meter's from now on */
  hub_tls_stream_set_meter (stream, on_bytes, self);
  g_signal_connect (connection, "message", G_CALLBACK (on_message), self);
  g_signal_connect (connection, "closed", G_CALLBACK (on_closed), self);
  g_hash_table_insert (server->websockets, &self->id, self);
  server->stats.websockets++;
  return self;
}

static void
on_websocket (SoupServer *soup, SoupServerMessage *message, const char *path,
    SoupWebsocketConnection *connection, gpointer data)
{
  HubServer *server = data;
  HubTlsStream *stream = stream_of (connection);
  Arrival *arrival = arrival_of (stream);
  char source[HUB_SOURCE_TEXT];

  (void) soup;
  if (server->stopping || !arrival || has_sent_early (connection, stream)) {
    server->stats.cut_early += !server->stopping;
    hub_tls_stream_cut (stream);
    g_object_unref (stream);
    return;
  }
  g_strlcpy (source, arrival_source (arrival), sizeof source);
  arrival_done (arrival);
  Websocket *self = make (server, message, connection, stream);
  server_enter (server);
  if (!hub_connected (
          server->hub, self->id, path + strlen (WIRE_PATH), source))
    lose (self); /* pages.c lets only meetings' names through */
  server_drain (server);
}

void
websocket_init (HubServer *server)
{
  static char *protocols[] = { (char *) WIRE_SUBPROTOCOL, NULL };

  soup_server_remove_websocket_extension (
      server->soup, SOUP_TYPE_WEBSOCKET_EXTENSION_DEFLATE);
  soup_server_add_websocket_handler (server->soup, "/v1/meetings", NULL,
      protocols, on_websocket, server, NULL);
}

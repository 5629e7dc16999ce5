/* HTTP that is no WebSocket: a status page, metrics, a sign of life; and what may become a WebSocket at all.
 *
 * Everything is decided when the headers are there. No request has a body, and each is the last of its connection.
 *
 * Nothing here tells whether a meeting exists. The metrics would, to who compares them before and after a knock of its own:
 * so they are for this machine's programs, unless the operator says otherwise.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server_private.h"

#include "ext/sodium/door.h"

#include <string.h>

static void
answer (SoupServerMessage *message, unsigned status, const char *type,
    const char *text)
{
  SoupMessageHeaders *headers =
      soup_server_message_get_response_headers (message);

  soup_message_headers_replace (headers, "Connection", "close");
  soup_message_headers_replace (headers, "Cache-Control", "no-store");
  soup_message_headers_replace (headers, "X-Content-Type-Options", "nosniff");
  soup_message_headers_replace (headers, "Content-Security-Policy",
      "default-src 'none'; frame-ancestors 'none'");
  soup_message_headers_replace (headers, "Referrer-Policy", "no-referrer");
  soup_server_message_set_status (message, status, NULL);
  soup_server_message_set_response (
      message, type, SOUP_MEMORY_COPY, text, strlen (text));
}

static void
refuse (SoupServerMessage *message, unsigned status)
{
  g_autofree char *text =
      g_strdup_printf ("%s\n", soup_status_get_phrase (status));

  if (status == SOUP_STATUS_METHOD_NOT_ALLOWED)
    soup_message_headers_replace (
        soup_server_message_get_response_headers (message), "Allow",
        "GET, HEAD");
  answer (message, status, "text/plain; charset=utf-8", text);
}

/* 0, or why a request is none for us. */
static unsigned
why_not (SoupServerMessage *message)
{
  SoupMessageHeaders *headers =
      soup_server_message_get_request_headers (message);
  const char *method = soup_server_message_get_method (message);

  if (method != SOUP_METHOD_GET && method != SOUP_METHOD_HEAD)
    return SOUP_STATUS_METHOD_NOT_ALLOWED;
  if (soup_message_headers_get_content_length (headers) > 0
      || soup_message_headers_get_one (headers, "Transfer-Encoding"))
    return SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE;
  return 0;
}

/* ---- What is on them ---- */

static char *
status_page (HubServer *server)
{
  HubServerStats stats;

  server_snapshot (server, &stats);
  return g_strdup_printf (
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Conclave hub</title></head>"
      "<body><h1>Conclave hub</h1><table>"
      "<tr><th>Meetings</th><td>%" G_GSIZE_FORMAT "</td></tr>"
      "<tr><th>Participants</th><td>%" G_GSIZE_FORMAT "</td></tr>"
      "<tr><th>Media in</th><td>%" G_GUINT64_FORMAT " MiB</td></tr>"
      "<tr><th>Media out</th><td>%" G_GUINT64_FORMAT " MiB</td></tr>"
      "</table><p>This hub passes on what it cannot read: it has no names, no passwords, no keys to what is "
      "said here.</p></body></html>\n",
      stats.usage.opened, stats.usage.members,
      stats.media.counters[HUB_BYTES_IN] >> 20,
      stats.media.counters[HUB_BYTES_OUT] >> 20);
}

typedef struct
{
  const char *label;
  uint64_t value;
} Labelled;

static void
put_family (GString *out, const char *name, const char *help, bool counter)
{
  g_string_append_printf (out, "# HELP %s %s\n# TYPE %s %s\n", name, help,
      name, counter ? "counter" : "gauge");
}

static void
put_all (GString *out, const char *name, const char *help, const char *label,
    const Labelled *all, size_t n)
{
  put_family (out, name, help, true);
  for (size_t i = 0; i < n; i++)
    g_string_append_printf (out, "%s{%s=\"%s\"} %" G_GUINT64_FORMAT "\n", name,
        label, all[i].label, all[i].value);
}

static void
put_gauge (GString *out, const char *name, const char *help, uint64_t value)
{
  put_family (out, name, help, false);
  g_string_append_printf (out, "%s %" G_GUINT64_FORMAT "\n", name, value);
}

static void
put_edge (GString *out, const HubEdgeStats *edge)
{
  const Labelled all[] = { { "accepted", edge->accepted },
    { "refused-rate", edge->refused_rate },
    { "refused-full", edge->refused_full }, { "gave-way", edge->gave_way },
    { "handshakes", edge->handshakes },
    { "handshakes-failed", edge->handshakes_failed },
    { "timed-out", edge->timed_out }, { "pages", edge->pages },
    { "websockets", edge->websockets }, { "cut-early", edge->cut_early },
    { "cut-too-much", edge->cut_too_much }, { "cut-slow", edge->cut_slow },
    { "cut-silent", edge->cut_silent }, { "audit-lines", edge->audit_lines },
    { "audit-failed", edge->audit_failed } };

  put_all (out, "conclave_connections_total", "What became of connections.",
      "event", all, G_N_ELEMENTS (all));
  put_gauge (out, "conclave_arrivals", "Connections without a WebSocket.",
      edge->arrivals);
  put_gauge (out, "conclave_backlog_bytes",
      "Bytes that wait for clients to read.", edge->backlog);
}

static void
put_rooms (GString *out, const HubServerStats *stats)
{
  const HubStats *rooms = &stats->rooms;
  const Labelled all[] = { { "sent", rooms->sent },
    { "numbered", rooms->numbered }, { "connects", rooms->connects },
    { "connects-refused", rooms->connects_refused },
    { "crowded-out", rooms->crowded_out }, { "returns", rooms->returns },
    { "knocks", rooms->knocks }, { "attaches", rooms->attaches },
    { "admitted", rooms->admitted }, { "agains", rooms->agains },
    { "idle", rooms->idle }, { "dropped", rooms->dropped },
    { "lapsed", rooms->lapsed }, { "dismissed", rooms->dismissed },
    { "log-crowded", rooms->log_crowded },
    { "held-crowded", rooms->held_crowded },
    { "members-refused", rooms->members_refused },
    { "rooms-lost", rooms->rooms_lost }, { "elsewhere", rooms->elsewhere } };
  Labelled verdicts[HUB_N_VERDICTS];

  for (int i = 0; i < HUB_N_VERDICTS; i++)
    verdicts[i] =
        (Labelled){ hub_verdict_name ((HubVerdict) i), rooms->verdicts[i] };
  put_all (out, "conclave_frames_total",
      "Frames from clients, by what became of them.", "verdict", verdicts,
      HUB_N_VERDICTS);
  put_all (out, "conclave_rooms_total", "What happened in the rooms.", "event",
      all, G_N_ELEMENTS (all));
  put_gauge (out, "conclave_meetings", "Meetings that have an owner.",
      stats->usage.opened);
  put_gauge (out, "conclave_rooms",
      "Meetings that somebody is connected to, opened or not.",
      stats->usage.rooms);
  put_gauge (out, "conclave_participants", "Members of meetings.",
      stats->usage.members);
  put_gauge (out, "conclave_strangers", "Connected, and not admitted.",
      stats->usage.strangers);
  put_gauge (out, "conclave_sources", "Sources that are remembered.",
      stats->usage.sources);
  put_gauge (out, "conclave_log_bytes", "Messages kept for who was away.",
      stats->usage.log_bytes);
  put_gauge (out, "conclave_welcome_bytes", "Welcomes kept.",
      stats->usage.welcome_bytes);
  put_gauge (out, "conclave_held_bytes", "Knocks that wait.",
      stats->usage.held_bytes);
}

static void
put_media (GString *out, HubServer *server, const HubForwarderStats *media)
{
  Labelled counters[HUB_N_COUNTERS];

  for (int i = 0; i < HUB_N_COUNTERS; i++)
    counters[i] =
        (Labelled){ hub_counter_name ((HubCounter) i), media->counters[i] };
  put_all (out, "conclave_media_total", "What the forwarder counts.",
      "counter", counters, HUB_N_COUNTERS);
  put_gauge (out, "conclave_transports", "Transports.", media->transports);
  put_gauge (out, "conclave_tracks", "Tracks.", media->tracks);
  put_gauge (
      out, "conclave_subscriptions", "Subscriptions.", media->subscriptions);
  put_gauge (out, "conclave_cache_bytes", "Reserved for retransmissions.",
      media->cache);
  put_family (out, "conclave_media_cpu_seconds_total",
      "CPU time of the media thread.", true);
  g_string_append_printf (out, "conclave_media_cpu_seconds_total %.3f\n",
      (double) hub_forwarder_cpu_time (server->forwarder) / 1e9);
}

static char *
metrics (HubServer *server)
{
  GString *out = g_string_new (NULL);
  HubServerStats stats;

  server_snapshot (server, &stats);
  put_edge (out, &stats.edge);
  put_rooms (out, &stats);
  put_media (out, server, &stats.media);
  return g_string_free (out, FALSE);
}

/* ---- Who gets them ---- */

static bool
is_local (SoupServerMessage *message)
{
  static const uint8_t mapped[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };
  GSocketAddress *remote = soup_server_message_get_remote_address (message);

  if (!remote || !G_IS_INET_SOCKET_ADDRESS (remote))
    return false;
  GInetAddress *address =
      g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (remote));
  return g_inet_address_get_is_loopback (address)
         || (g_inet_address_get_native_size (address) == 16
             && memcmp (
                    g_inet_address_to_bytes (address), mapped, sizeof mapped)
                    == 0);
}

static void
on_page (SoupServer *soup, SoupServerMessage *message, const char *path,
    GHashTable *query, gpointer data)
{
  HubServer *server = data;
  unsigned status = why_not (message);

  (void) soup;
  (void) query;
  server->stats.pages++;
  if (status != 0)
    refuse (message, status);
  else if (strcmp (path, "/") == 0) {
    g_autofree char *text = status_page (server);
    answer (message, SOUP_STATUS_OK, "text/html; charset=utf-8", text);
  } else if (strcmp (path, "/healthz") == 0)
    answer (message, SOUP_STATUS_OK, "text/plain; charset=utf-8", "ok\n");
  else if (strcmp (path, "/metrics") == 0
           && (server->metrics_for_all || is_local (message))) {
    g_autofree char *text = metrics (server);
    answer (message, SOUP_STATUS_OK,
        "text/plain; version=0.0.4; charset=utf-8", text);
  } else
    refuse (message, SOUP_STATUS_NOT_FOUND);
}

static bool
asks_for_websocket (SoupMessageHeaders *headers)
{
  return soup_message_headers_header_equals (headers, "Upgrade", "websocket")
         && soup_message_headers_header_contains (
             headers, "Connection", "upgrade");
}

/* What passes goes on to libsoup's handshake, and to websocket.c. */
static void
on_meeting (SoupServer *soup, SoupServerMessage *message, const char *path,
    GHashTable *query, gpointer data)
{
  HubServer *server = data;
  SoupMessageHeaders *headers =
      soup_server_message_get_request_headers (message);
  const char *protocols =
      soup_message_headers_get_list (headers, "Sec-WebSocket-Protocol");
  unsigned status = why_not (message);

  (void) soup;
  (void) query;
  if (status == 0
      && (!g_str_has_prefix (path, WIRE_PATH)
          || !door_meeting_is_valid (
              path + strlen (WIRE_PATH), strlen (path + strlen (WIRE_PATH)))))
    status = SOUP_STATUS_NOT_FOUND;
  if (status == 0 && !asks_for_websocket (headers))
    status = SOUP_STATUS_BAD_REQUEST;
  if (status == 0
      && (!protocols || !soup_header_contains (protocols, WIRE_SUBPROTOCOL)))
    status = SOUP_STATUS_BAD_REQUEST;
  if (status == 0)
    return;
  server->stats.pages++;
  refuse (message, status);
}

void
pages_init (HubServer *server)
{
  soup_server_add_early_handler (server->soup, NULL, on_page, server, NULL);
  soup_server_add_early_handler (
      server->soup, "/v1/meetings", on_meeting, server, NULL);
}

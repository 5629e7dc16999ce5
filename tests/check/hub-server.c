/* The hub as a server, over real sockets on loopback: pages, WebSockets, the door, media.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hubnet.h"

#include "hubclient.h"

#include "ext/hub/audit.h"
#include "ext/session/media.h"
#include "ext/sodium/identity.h"

#include <glib/gstdio.h>
#include <libsoup/soup.h>
#include <sodium.h>

static Identity *owner;

#define KNOCK(client)                                                         \
  NET_SAY (client, .type = WIRE_KNOCK,                                        \
      .knock = { .ada = { (uint8_t *) "the suites, and references", 26 } })

/* ---- Pages ---- */

static void
expect_page (
    const Net *net, const char *request, const char *begin, const char *has)
{
  g_autofree char *answer = net_request (net, request);

  fail_unless (answer != NULL, "no answer to %s", request);
  fail_unless (g_str_has_prefix (answer, begin), "%s: %s", request, answer);
  fail_unless (!has || strstr (answer, has), "%s: %s", request, answer);
}

GST_START_TEST (pages_are_there_and_nothing_else)
{
  Net net;

  net_start (&net, NULL);
  expect_page (&net, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200",
      "<th>Meetings</th><td>0</td>");
  expect_page (&net, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
      "HTTP/1.1 200", "\r\n\r\nok\n");
  expect_page (&net, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n",
      "HTTP/1.1 200", "\nconclave_meetings 0\n");
  expect_page (&net, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n",
      "HTTP/1.1 200", "\nconclave_frames_total{verdict=\"taken\"} 0\n");
  expect_page (&net, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n",
      "HTTP/1.1 200",
      "\nconclave_media_total{counter=\"dropped-ssrc-theft\"} 0\n");
  expect_page (&net, "GET /index.html HTTP/1.1\r\nHost: h\r\n\r\n",
      "HTTP/1.1 404", NULL);
  expect_page (
      &net, "GET /healthz/ HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404", NULL);
  expect_page (&net, "GET /v1/meetings HTTP/1.1\r\nHost: h\r\n\r\n",
      "HTTP/1.1 404", NULL);
  expect_page (&net, "GET /v1/meetings/ HTTP/1.1\r\nHost: h\r\n\r\n",
      "HTTP/1.1 404", NULL);
  expect_page (&net, "GET /v1/meetings/a%2fb HTTP/1.1\r\nHost: h\r\n\r\n",
      "HTTP/1.1 404", NULL);
  expect_page (&net, "GET /v1/meetings/a/b HTTP/1.1\r\nHost: h\r\n\r\n",
      "HTTP/1.1 404", NULL);
  expect_page (&net, "GET /v1/meetings/ab HTTP/1.1\r\nHost: h\r\n\r\n",
      "HTTP/1.1 400", NULL);
  expect_page (&net,
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
      "HTTP/1.1 405", "Allow: GET, HEAD");
  expect_page (&net,
      "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
      "HTTP/1.1 413", NULL);
  expect_page (&net,
      "POST /v1/meetings/ab HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
      "HTTP/1.1 405", NULL);
  HubServerStats stats = net_stats (&net);
  fail_unless_equals_uint64 (stats.edge.pages, 15);
  fail_unless_equals_uint64 (stats.edge.websockets, 0);
  net_stop (&net);
}
GST_END_TEST

/* Without the subprotocol a client doesn't know what it will be told. */
GST_START_TEST (another_subprotocol_is_refused)
{
  Net net;

  net_start (&net, NULL);
  expect_page (&net,
      "GET /v1/meetings/ab HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
      "HTTP/1.1 400", NULL);
  expect_page (&net,
      "GET /v1/meetings/ab HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: conclave.v2\r\n\r\n",
      "HTTP/1.1 400", NULL);
  net_stop (&net);
}
GST_END_TEST

/* ---- The door ---- */

GST_START_TEST (a_client_is_greeted_and_waits_for_a_host)
{
  NetClient client;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &client, "nobody-is-here", NULL);
  KNOCK (&client);
  net_expect (&client, WIRE_WAITING);
  /* A stranger is no member: it gets no transport. */
  NET_SAY (&client, .type = WIRE_TRANSPORT);
  net_expect_error (&client, WIRE_CODE_NOT_MEMBER);
  HubServerStats stats = net_stats (&net);
  fail_unless_equals_int (stats.media.transports, 0);
  fail_unless_equals_int (stats.usage.strangers, 1);
  net_hang_up (&client);
  net_stop (&net);
}
GST_END_TEST

GST_START_TEST (a_host_opens_and_lets_somebody_in)
{
  NetClient host, guest;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &host, NET_MEETING, NULL);
  net_open (&net, &host, owner, 16);
  net_join (&net, &guest, NET_MEETING, NULL);
  net_let_in (&host, &guest);
  HubServerStats stats = net_stats (&net);
  fail_unless_equals_int (stats.usage.members, 2);
  fail_unless_equals_int (stats.usage.opened, 1);
  net_hang_up (&guest);
  net_hang_up (&host);
  net_stop (&net);
}
GST_END_TEST

GST_START_TEST (a_lost_connection_comes_back_to_its_place)
{
  NetClient host, guest;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &host, NET_MEETING, NULL);
  net_open (&net, &host, owner, 16);
  net_join (&net, &guest, NET_MEETING, NULL);
  net_let_in (&host, &guest);

  WireMessage back = { .type = WIRE_RETURN, .back = { .seq = guest.seq } };
  memcpy (back.back.token, guest.token, LIMIT_TOKEN);
  memcpy (back.back.room, guest.room, LIMIT_ROOM);
  uint64_t peer = guest.peer;
  net_hang_up (&guest);
  net_join (&net, &guest, NET_MEETING, NULL);
  net_say (&guest, &back);
  fail_unless_equals_uint64 (net_expect (&guest, WIRE_RETURNED)->peer, peer);
  HubServerStats stats = net_stats (&net);
  fail_unless_equals_int (stats.usage.members, 2);
  fail_unless_equals_uint64 (stats.rooms.returns, 1);
  net_hang_up (&guest);
  net_hang_up (&host);
  net_stop (&net);
}
GST_END_TEST

GST_START_TEST (who_goes_is_told_and_the_port_is_free_again)
{
  NetClient client;
  Net net;

  net_start (&net, NULL);
  uint16_t port = net.port;
  net_join (&net, &client, NET_MEETING, NULL);
  hub_server_shutdown (net.server);
  net_expect_error (&client, WIRE_CODE_GOING_AWAY);
  fail_unless (net_is_ended (&client));
  net_hang_up (&client);
  net_stop (&net);

  HubServerConfig config = { .port = port };
  net_start (&net, &config);
  fail_unless_equals_int (net.port, port);
  net_join (&net, &client, NET_MEETING, NULL);
  net_hang_up (&client);

  /* And it is not while somebody has it. */
  g_autoptr (GError) error = NULL;
  config.certificate = net.certificate;
  config.bind_address = "127.0.0.1";
  fail_unless (hub_server_new (&config, &error) == NULL);
  fail_unless (strstr (error->message, "taken by another program") != NULL,
      "%s", error->message);
  net_stop (&net);
}
GST_END_TEST

/* ---- A client that we did not write ---- */

typedef struct
{
  SoupWebsocketConnection *connection;
  GBytes *first;
  GError *error;
} SoupSide;

static gboolean
accept_any (SoupMessage *message, GTlsCertificate *certificate,
    GTlsCertificateFlags flags, gpointer data)
{
  return TRUE;
}

static void
on_soup_message (SoupWebsocketConnection *connection, gint type,
    GBytes *message, gpointer data)
{
  SoupSide *side = data;

  if (!side->first)
    side->first = g_bytes_ref (message);
}

static void
on_soup_connected (GObject *session, GAsyncResult *result, gpointer data)
{
  SoupSide *side = data;

  side->connection = soup_session_websocket_connect_finish (
      SOUP_SESSION (session), result, &side->error);
  if (side->connection)
    g_signal_connect (
        side->connection, "message", G_CALLBACK (on_soup_message), side);
}

GST_START_TEST (libsoup_is_a_client_too)
{
  static char *protocols[] = { (char *) WIRE_SUBPROTOCOL, NULL };
  SoupSide side = { NULL };
  gsize len;
  WireMessage hello;
  Net net;

  if (!g_tls_backend_supports_tls (g_tls_backend_get_default ())) {
    g_printerr ("skipped: GLib has no TLS here, install glib-networking\n");
    return;
  }
  net_start (&net, NULL);
  g_autoptr (SoupSession) session = soup_session_new ();
  g_autofree char *uri = g_strdup_printf (
      "https://127.0.0.1:%u" WIRE_PATH "%s", net.port, NET_MEETING);
  g_autoptr (SoupMessage) message = soup_message_new ("GET", uri);
  soup_session_set_proxy_resolver (session, NULL);
  g_signal_connect (
      message, "accept-certificate", G_CALLBACK (accept_any), NULL);
  soup_session_websocket_connect_async (session, message, NULL, protocols,
      G_PRIORITY_DEFAULT, NULL, on_soup_connected, &side);
  while (!side.first && !side.error)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (side.error);
  const char *text = g_bytes_get_data (side.first, &len);
  fail_unless (wire_read (text, len, WIRE_FROM_HUB, &hello) == JSON_OK);
  fail_unless_equals_int (hello.type, WIRE_HELLO);
  wire_clear (&hello, WIRE_FROM_HUB);
  fail_unless_equals_string (
      soup_websocket_connection_get_protocol (side.connection),
      WIRE_SUBPROTOCOL);
  soup_websocket_connection_close (
      side.connection, SOUP_WEBSOCKET_CLOSE_NORMAL, NULL);
  while (soup_websocket_connection_get_state (side.connection)
         != SOUP_WEBSOCKET_STATE_CLOSED)
    g_main_context_iteration (NULL, TRUE);
  while (net_stats (&net).usage.connections > 0)
    g_usleep (1000);
  g_bytes_unref (side.first);
  g_object_unref (side.connection);
  net_stop (&net);
}
GST_END_TEST

/* ---- Media ---- */

static uint64_t
transports (const HubServerStats *stats)
{
  return stats->media.transports;
}

/* Asks for a transport and connects it. */
static void
connect_media (const Net *net, NetClient *client, HubClient *media)
{
  HubCredentials credentials = { 0 };
  HubReceived *received = g_new (HubReceived, 1);

  NET_SAY (client, .type = WIRE_TRANSPORT);
  WireMessage *message = net_expect (client, WIRE_TRANSPORT);
  g_strlcpy (
      credentials.ufrag, message->transport.ufrag, sizeof credentials.ufrag);
  g_strlcpy (credentials.pwd, message->transport.pwd, sizeof credentials.pwd);
  credentials.to_hub =
      secret_copy (message->transport.send_key.data, HUB_KEY_LEN);
  credentials.from_hub =
      secret_copy (message->transport.receive_key.data, HUB_KEY_LEN);
  g_autofree char *address = g_strdup_printf (
      " 127.0.0.1 %u typ host", hub_server_media_port (net->server));
  fail_unless (message->transport.candidates.count > 0);
  fail_unless (strstr (message->transport.candidates.at[0], address) != NULL,
      "%s", message->transport.candidates.at[0]);
  hub_client_init (media, NULL, hub_server_media_port (net->server),
      &credentials, SRTP_BACKEND_GNUTLS, false);
  hub_client_check (media, HUB_CHECK_NOMINATE);
  fail_unless (hub_client_receive_kind (
      media, HUB_CLIENT_STUN, received, NET_PATIENCE_S * 1000));
  g_free (received);
}

static void
publish (NetClient *client, uint64_t number, MediaKind kind, uint32_t *ssrc,
    uint32_t *rtx)
{
  NET_SAY (client, .type = WIRE_PUBLISH, .publish = { number, kind });
  WireMessage *message = net_expect (client, WIRE_PUBLISHED);
  fail_unless_equals_uint64 (message->published.track, number);
  *ssrc = (uint32_t) message->published.ssrc;
  *rtx = (uint32_t) message->published.rtx;
}

/* The ROC that is told. */
static uint32_t
change (NetClient *client, WireType type, WireType answer, uint32_t ssrc)
{
  NET_SAY (client, .type = type, .ssrcs = { 1, &ssrc });
  if (answer == 0)
    return 0;
  WireMessage *message = net_expect (client, answer);
  fail_unless_equals_int (message->streams.count, 1);
  fail_unless_equals_int (message->streams.at[0].ssrc, ssrc);
  return message->streams.at[0].roc;
}

static void
expect_packet (HubClient *from, HubClient *to, uint32_t ssrc, uint64_t index)
{
  HubReceived *received = g_new (HubReceived, 1);

  hub_client_send_rtp (from, ssrc, index, (uint32_t) index * 3000,
      MEDIA_VIDEO_PT, NULL, 0, "a frame", 7);
  /* While it is paused a few pass all the same, so that the index is not lost. */
  do
    fail_unless (hub_client_receive_kind (
        to, HUB_CLIENT_RTP, received, NET_PATIENCE_S * 1000));
  while (received->index < index);
  fail_unless_equals_int (received->ssrc, ssrc);
  fail_unless_equals_uint64 (received->index, index);
  fail_unless_equals_int (received->len, 12 + 7);
  fail_unless (memcmp (received->bytes + 12, "a frame", 7) == 0);
  g_free (received);
}

/* The answer to a check is behind all that was forwarded before. */
static void
expect_no_packet (HubClient *to)
{
  HubReceived *received = g_new (HubReceived, 1);

  hub_client_check (to, HUB_CHECK_NOMINATE);
  do {
    fail_unless (hub_client_receive (to, received, NET_PATIENCE_S * 1000)
                 != HUB_CLIENT_NOTHING);
    fail_if (received->kind == HUB_CLIENT_RTP);
  } while (received->kind != HUB_CLIENT_STUN);
  g_free (received);
}

static uint64_t
accepted_rtp (const HubServerStats *stats)
{
  return stats->media.counters[HUB_RTP_ACCEPTED];
}

GST_START_TEST (who_is_in_publishes_and_another_receives)
{
  NetClient host, guest;
  HubClient host_media, guest_media;
  uint32_t ssrc, rtx, again, again_rtx;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &host, NET_MEETING, NULL);
  net_open (&net, &host, owner, 16);
  net_join (&net, &guest, NET_MEETING, NULL);

  /* While it waits it gets none. */
  NET_SAY (&guest, .type = WIRE_TRANSPORT);
  net_expect_error (&guest, WIRE_CODE_NOT_MEMBER);
  net_let_in (&host, &guest);
  connect_media (&net, &guest, &guest_media);
  connect_media (&net, &host, &host_media);
  publish (&guest, 3, MEDIA_VIDEO, &ssrc, &rtx);
  fail_unless (ssrc != 0 && rtx != 0 && ssrc != rtx);
  publish (&guest, 3, MEDIA_VIDEO, &again, &again_rtx);
  fail_unless (again == ssrc && again_rtx == rtx);
  fail_unless_equals_int (
      change (&host, WIRE_SUBSCRIBE, WIRE_SUBSCRIBED, ssrc), 0);
  /* Nothing comes before it says that it knows the ROC. */
  hub_client_send_rtp (
      &guest_media, ssrc, 99, 1, MEDIA_VIDEO_PT, NULL, 0, "x", 1);
  net_await (&net, accepted_rtp, 1);
  expect_no_packet (&host_media);
  fail_unless_equals_int (change (&host, WIRE_RESUME, WIRE_RESUMED, ssrc), 0);
  expect_packet (&guest_media, &host_media, ssrc, 100);

  /* Paused, the ROC turns; who resumes is told. */
  change (&host, WIRE_PAUSE, 0, ssrc);
  change (&host, WIRE_SUBSCRIBE, WIRE_RESUMED, ssrc);
  change (&host, WIRE_PAUSE, 0, ssrc);
  hub_client_send_rtp (
      &guest_media, ssrc, 30000, 1, MEDIA_VIDEO_PT, NULL, 0, "x", 1);
  hub_client_send_rtp (
      &guest_media, ssrc, 60000, 1, MEDIA_VIDEO_PT, NULL, 0, "x", 1);
  hub_client_send_rtp (
      &guest_media, ssrc, 70000, 1, MEDIA_VIDEO_PT, NULL, 0, "x", 1);
  net_await (&net, accepted_rtp, 5);
  fail_unless_equals_int (change (&host, WIRE_RESUME, WIRE_RESUMED, ssrc), 1);
  fail_unless_equals_int (
      srtp_session_set_roc (host_media.in, ssrc, 1), SRTP_OK);
  expect_packet (&guest_media, &host_media, ssrc, 70001);

  /* With its place its transport goes, and all that hangs on it. */
  NET_SAY (&host, .type = WIRE_DISMISS, .peer = guest.peer);
  net_expect_error (&guest, WIRE_CODE_DISMISSED);
  HubServerStats stats = net_stats (&net);
  fail_unless_equals_int (stats.media.transports, 1);
  fail_unless_equals_int (stats.media.tracks, 0);
  fail_unless_equals_int (stats.media.subscriptions, 0);
  hub_client_clear (&guest_media);
  hub_client_clear (&host_media);
  net_hang_up (&guest);
  net_hang_up (&host);
  net_stop (&net);
}
GST_END_TEST

/* The answer may have been lost with the connection. */
GST_START_TEST (who_comes_back_is_told_its_transport_again)
{
  NetClient host;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &host, NET_MEETING, NULL);
  net_open (&net, &host, owner, 16);
  NET_SAY (&host, .type = WIRE_TRANSPORT);
  g_autofree char *ufrag =
      g_strdup (net_expect (&host, WIRE_TRANSPORT)->transport.ufrag);
  WireMessage back = { .type = WIRE_RETURN, .back = { .seq = host.seq } };
  memcpy (back.back.token, host.token, LIMIT_TOKEN);
  memcpy (back.back.room, host.room, LIMIT_ROOM);
  net_hang_up (&host);
  net_join (&net, &host, NET_MEETING, NULL);
  net_say (&host, &back);
  net_expect (&host, WIRE_RETURNED);
  fail_unless_equals_string (
      net_expect (&host, WIRE_TRANSPORT)->transport.ufrag, ufrag);

  /* A new one is another one, and they are not to be had without end. */
  for (unsigned i = 0; i < 3; i++) {
    NET_SAY (&host, .type = WIRE_TRANSPORT);
    fail_if (g_str_equal (
        net_expect (&host, WIRE_TRANSPORT)->transport.ufrag, ufrag));
  }
  NET_SAY (&host, .type = WIRE_TRANSPORT);
  net_expect_error (&host, WIRE_CODE_RATE_LIMITED);
  net_await (&net, transports, 1);
  fail_unless_equals_int (net_stats (&net).media.transports, 1);
  net_hang_up (&host);
  net_stop (&net);
}
GST_END_TEST

/* ---- The audit log ---- */

GST_START_TEST (the_audit_log_tells_what_happened_and_no_address)
{
  NetClient host, guest;
  Net net;
  g_autofree char *folder = g_dir_make_tmp ("conclave-hub-XXXXXX", NULL),
                  *text = NULL;
  g_autofree char *file = g_build_filename (folder, "audit.log", NULL);
  HubServerConfig config = { .audit_location = file };

  for (unsigned run = 0; run < 2; run++) {
    config.audit_addresses = run == 1;
    net_start (&net, &config);
    net_join (&net, &host, NET_MEETING, NULL);
    net_open (&net, &host, owner, 16);
    net_join (&net, &guest, NET_MEETING, NULL);
    net_let_in (&host, &guest);
    NET_SAY (&host, .type = WIRE_DISMISS, .peer = guest.peer);
    net_expect_error (&guest, WIRE_CODE_DISMISSED);

    /* Two hubs would break the chain. */
    g_autoptr (GError) error = NULL;
    fail_unless (hub_audit_open (file, false, &error) == NULL);
    fail_unless (strstr (error->message, "another hub") != NULL);
    net_hang_up (&guest);
    net_hang_up (&host);
    net_stop (&net);
    g_free (text);
    fail_unless (g_file_get_contents (file, &text, NULL, NULL));
    fail_unless_equals_int (strstr (text, "127.0.0.1") != NULL, run == 1);
  }

  static const char *const kinds[] = { "started", "opened", "attended",
    "admitted", "dismissed" };
  for (unsigned i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_autofree char *kind = g_strdup_printf ("\"event\":\"%s\"", kinds[i]);
    fail_unless (strstr (text, kind) != NULL, "no %s in %s", kind, text);
  }
  /* Each line has its number and the hash of the one before it, over both runs. */
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autofree char *previous = g_strnfill (64, '0');
  guint n = 0;
  for (; lines[n][0]; n++) {
    g_autoptr (JsonParser) parser = json_parser_new ();
    fail_unless (json_parser_load_from_data (parser, lines[n], -1, NULL), "%s",
        lines[n]);
    JsonObject *line = json_node_get_object (json_parser_get_root (parser));
    fail_unless_equals_int (json_object_get_int_member (line, "n"), n + 1);
    fail_unless_equals_string (
        json_object_get_string_member (line, "previous"), previous);
    g_free (previous);
    previous = g_compute_checksum_for_string (G_CHECKSUM_SHA256, lines[n], -1);
  }
  fail_unless (n > 12);
  fail_unless (strstr (lines[n - 1], "stopped") != NULL);
  g_remove (file);
  g_rmdir (folder);
}
GST_END_TEST

/* As when the machine went down in the middle of a line. */
GST_START_TEST (the_audit_log_goes_on_behind_a_torn_line)
{
  g_autofree char *folder = g_dir_make_tmp ("conclave-hub-XXXXXX", NULL),
                  *text = NULL;
  g_autofree char *file = g_build_filename (folder, "audit.log", NULL);
  g_autoptr (GError) error = NULL;
  static const char torn[] = "{\"n\":41,\"time\":\"2026-";

  fail_unless (g_file_set_contents (file, torn, -1, NULL));
  HubAuditLog *log = hub_audit_open (file, false, &error);
  g_assert_no_error (error);
  hub_audit_close (log);
  fail_unless (g_file_get_contents (file, &text, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autofree char *hash =
      g_compute_checksum_for_string (G_CHECKSUM_SHA256, torn, -1);
  fail_unless_equals_string (lines[0], torn);
  fail_unless (g_str_has_prefix (lines[1], "{\"n\":42,"), "%s", lines[1]);
  fail_unless (strstr (lines[1], hash) != NULL);
  g_remove (file);

  /* What is no log of ours is left alone. */
  g_autofree char *foreign = g_strnfill (9000, 'x');
  fail_unless (g_file_set_contents (file, foreign, -1, NULL));
  fail_unless (hub_audit_open (file, false, &error) == NULL);
  fail_unless (strstr (error->message, "audit-location") != NULL);
  g_remove (file);
  g_rmdir (folder);
}
GST_END_TEST

static Suite *
hub_server_suite (void)
{
  Suite *s = suite_create ("hub-server");
  TCase *tc = tcase_create ("general");

  owner = identity_new ();
  suite_add_tcase (s, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, pages_are_there_and_nothing_else);
  tcase_add_test (tc, another_subprotocol_is_refused);
  tcase_add_test (tc, a_client_is_greeted_and_waits_for_a_host);
  tcase_add_test (tc, a_host_opens_and_lets_somebody_in);
  tcase_add_test (tc, a_lost_connection_comes_back_to_its_place);
  tcase_add_test (tc, libsoup_is_a_client_too);
  tcase_add_test (tc, who_is_in_publishes_and_another_receives);
  tcase_add_test (tc, who_comes_back_is_told_its_transport_again);
  tcase_add_test (tc, the_audit_log_tells_what_happened_and_no_address);
  tcase_add_test (tc, the_audit_log_goes_on_behind_a_torn_line);
  tcase_add_test (tc, who_goes_is_told_and_the_port_is_free_again);
  return s;
}

PURE_CHECK_MAIN (hub_server)

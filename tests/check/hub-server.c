/* The hub as a server, over real sockets on loopback: pages, WebSockets, the door, media.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hubnet.h"

#include "ext/sodium/identity.h"

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
  tcase_add_test (tc, who_goes_is_told_and_the_port_is_free_again);
  return s;
}

PURE_CHECK_MAIN (hub_server)

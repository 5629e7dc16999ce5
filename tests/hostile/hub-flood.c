/* Strangers that want to keep others out of a hub, or to fill its memory: each bounded and counted, and an honest client beside
 * them gets in and is served. No test measures time: what must succeed beside others succeeds while they are still there.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../check/hubnet.h"

#include "ext/hub/edge.h"
#include "ext/sodium/identity.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static Identity *owner;

static uint64_t
arrivals (const HubServerStats *stats)
{
  return stats->edge.arrivals;
}

static uint64_t
gave_way (const HubServerStats *stats)
{
  return stats->edge.gave_way;
}

static uint64_t
timed_out (const HubServerStats *stats)
{
  return stats->edge.timed_out;
}

static uint64_t
cut_too_much (const HubServerStats *stats)
{
  return stats->edge.cut_too_much;
}

static uint64_t
cut_slow (const HubServerStats *stats)
{
  return stats->edge.cut_slow;
}

/* An honest client comes, opens, and lets another one in: all that a meeting needs. */
static void
expect_service (const Net *net)
{
  NetClient host, guest;

  net_join (net, &host, NET_MEETING, NULL);
  net_open (net, &host, owner, 16);
  net_join (net, &guest, NET_MEETING, NULL);
  net_let_in (&host, &guest);
  net_hang_up (&guest);
  NET_SAY (&host, .type = WIRE_CLOSE);
  net_expect_error (&host, WIRE_CODE_CLOSED);
  net_hang_up (&host);
}

/* The n-th address of this machine's loopback network. */
static const char *
address (unsigned n)
{
  static char text[INET_ADDRSTRLEN];

  g_snprintf (text, sizeof text, "127.%u.%u.%u", 1 + n / 62500, n / 250 % 250,
      1 + n % 250);
  return text;
}

static bool
is_closed (int fd)
{
  char byte;
  ssize_t n = recv (fd, &byte, 1, 0);

  fail_unless (n <= 0, "the hub said something");
  return n == 0 || errno == ECONNRESET;
}

/* ---- Silence ---- */

/* From many addresses, so that only the bound on all holds; the first of the silent ones must still be there when the honest
 * ones have had what they wanted. */
GST_START_TEST (a_thousand_silent_connections_keep_nobody_out)
{
  enum
  {
    SILENT = 1000
  };
  static int fds[SILENT];
  Net net;

  net_start (&net, NULL);
  for (unsigned i = 0; i < SILENT; i++)
    fds[i] = net_tcp (net.port, address (i));
  net_await (&net, arrivals, 1);
  expect_service (&net);
  HubServerStats stats = net_stats (&net);
  fail_unless_equals_uint64 (stats.edge.gave_way, 0);
  /* Then their time is over. */
  net_await (&net, timed_out, SILENT);
  for (unsigned i = 0; i < SILENT; i++) {
    fail_unless (is_closed (fds[i]));
    close (fds[i]);
  }
  fail_unless_equals_int (net_stats (&net).edge.arrivals, 0);
  expect_service (&net);
  net_stop (&net);
}
GST_END_TEST

/* All from one address: the oldest give way, and who comes from there too gets in. */
GST_START_TEST (one_source_can_not_hold_more_than_its_share)
{
  enum
  {
    SILENT = 200
  };
  int fds[SILENT];
  Net net;

  net_start (&net, NULL);
  for (unsigned i = 0; i < SILENT; i++)
    fds[i] = net_tcp (net.port, NULL);
  net_await (&net, gave_way, SILENT - HUB_EDGE_SOURCE_ARRIVALS);
  fail_unless (is_closed (fds[0])); /* the oldest */
  fail_unless (net_stats (&net).edge.arrivals <= HUB_EDGE_SOURCE_ARRIVALS);
  expect_service (&net);
  for (unsigned i = 0; i < SILENT; i++)
    close (fds[i]);
  net_stop (&net);
}
GST_END_TEST

GST_START_TEST (a_source_that_connects_too_often_waits)
{
  HubServerConfig config = { .rate_limit = 1 };
  unsigned refused = 0;
  Net net;

  net_start (&net, &config);
  for (unsigned i = 0; i < HUB_EDGE_CONNECTS_BURST + 50; i++) {
    int fd = net_tcp (net.port, "127.0.0.9");
    close (fd);
  }
  for (unsigned i = 0; i < 1000 && refused < 40; i++) {
    g_usleep (2000);
    refused = (unsigned) net_stats (&net).edge.refused_rate;
  }
  fail_unless (refused >= 40, "%u", refused);
  expect_service (&net); /* another source */
  net_stop (&net);
}
GST_END_TEST

/* ---- Half of something ---- */

/* Each stops at another point: nothing, a byte, half a ClientHello, after TLS, in the middle of the headers. */
GST_START_TEST (who_stops_half_way_is_cut_at_the_deadline)
{
  static const uint8_t hello[] = { 0x16, 3, 1, 0x02, 0, 1, 0, 1, 0xfc, 3, 3 };
  NetClient after_tls, in_headers;
  int fds[3];
  Net net;

  net_start (&net, NULL);
  for (unsigned i = 0; i < 3; i++) {
    fds[i] = net_tcp (net.port, NULL);
    if (i > 0)
      fail_unless (send (fds[i], hello, i == 1 ? 1 : sizeof hello, 0) > 0);
  }
  fail_unless (net_dial_tls (&net, &after_tls, NULL));
  fail_unless (net_dial_tls (&net, &in_headers, NULL));
  fail_unless (
      net_send (&in_headers, "GET / HTTP/1.1\r\nHost: h\r\nX-A: ", 31));
  net_await (&net, arrivals, 5);
  net_await (&net, timed_out, 5);
  for (unsigned i = 0; i < 3; i++) {
    fail_unless (is_closed (fds[i]));
    close (fds[i]);
  }
  fail_unless (net_is_ended (&after_tls));
  fail_unless (net_is_ended (&in_headers));
  net_hang_up (&after_tls);
  net_hang_up (&in_headers);
  expect_service (&net);
  net_stop (&net);
}
GST_END_TEST

/* Bytes come all the time, and that does not help it. */
GST_START_TEST (slow_headers_are_cut_at_the_deadline)
{
  NetClient client;
  unsigned sent = 0;
  Net net;

  net_start (&net, NULL);
  fail_unless (net_dial_tls (&net, &client, NULL));
  fail_unless (net_send (&client, "GET / HTTP/1.1\r\n", 16));
  while (net_stats (&net).edge.timed_out == 0 && sent < 10000) {
    net_send (&client, "X: y\r\n", 6);
    sent++;
    g_usleep (20000);
  }
  fail_unless_equals_uint64 (net_stats (&net).edge.timed_out, 1);
  net_hang_up (&client);
  net_stop (&net);
}
GST_END_TEST

/* ---- Too much ---- */

static void
send_until_cut (NetClient *client, const void *bytes, size_t len, size_t total)
{
  size_t sent = 0;

  while (sent < total && net_send (client, bytes, len))
    sent += len;
  fail_unless (sent < total, "%" G_GSIZE_FORMAT " bytes were taken", sent);
}

GST_START_TEST (bodies_and_headers_are_cut_long_before_they_fill_memory)
{
  static const char *const begins[] = {
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 40000000\r\n\r\n",
    "POST /v1/meetings/m HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nX-Long: ", "GET /"
  };
  static char much[65536];
  NetClient client;
  Net net;

  memset (much, 'x', sizeof much);
  net_start (&net, NULL);
  fail_unless (net_dial_tls (&net, &client, NULL));
  fail_unless (net_send (&client, begins[__i__], strlen (begins[__i__])));
  send_until_cut (&client, much, sizeof much, 40000000);
  net_hang_up (&client);
  expect_service (&net);
  net_stop (&net);
}
GST_END_TEST

/* A client that sends before it has an answer could pass the meter by. */
GST_START_TEST (a_frame_in_front_of_the_answer_is_cut)
{
  static const char request[] =
      "GET /v1/meetings/m HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: conclave.v1\r\n\r\n\x81\x85";
  char answer[1024];
  NetClient client;
  Net net;

  net_start (&net, NULL);
  fail_unless (net_dial_tls (&net, &client, NULL));
  fail_unless (net_send (&client, request, sizeof request - 1));
  while (gnutls_record_recv (client.tls, answer, sizeof answer) > 0)
    ;
  HubServerStats stats = net_stats (&net);
  fail_unless_equals_uint64 (stats.edge.cut_early, 1);
  fail_unless_equals_uint64 (stats.edge.websockets, 0);
  net_hang_up (&client);
  net_stop (&net);
}
GST_END_TEST

/* Of a stranger and of a member: 40 MB in frames that are each small enough. */
GST_START_TEST (a_message_of_many_frames_is_cut)
{
  static uint8_t piece[200000];
  NetClient client;
  size_t sent = 0, size = __i__ ? sizeof piece : 4000;
  Net net;

  memset (piece, '[', sizeof piece);
  net_start (&net, NULL);
  net_join (&net, &client, NET_MEETING, NULL);
  if (__i__)
    net_open (&net, &client, owner, 16);
  while (sent < 40000000
         && net_send_frame (
             &client, sent ? NET_CONTINUATION : NET_TEXT, piece, size))
    sent += size;
  fail_unless (sent < 40000000);
  net_await (&net, cut_too_much, 1);
  net_hang_up (&client);
  expect_service (&net);
  net_stop (&net);
}
GST_END_TEST

GST_START_TEST (frames_without_end_are_cut)
{
  NetClient client;
  unsigned sent = 0;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &client, NET_MEETING, NULL);
  while (
      sent < 1000000
      && net_send_frame (&client, sent ? NET_CONTINUATION : NET_TEXT, "", 0))
    sent++;
  fail_unless (sent < 1000000);
  fail_unless_equals_uint64 (net_stats (&net).edge.cut_too_much, 1);
  net_hang_up (&client);
  net_stop (&net);
}
GST_END_TEST

/* Each would be answered, and the answers pile up where nobody reads. */
GST_START_TEST (pings_without_end_are_cut)
{
  NetClient client;
  unsigned sent = 0;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &client, NET_MEETING, NULL);
  while (sent < 1000000 && net_send_frame (&client, NET_FIN | NET_PING, "", 0))
    sent++;
  fail_unless (sent < 1000000);
  fail_unless_equals_uint64 (net_stats (&net).edge.cut_too_much, 1);
  net_hang_up (&client);
  net_stop (&net);
}
GST_END_TEST

/* ---- What the rooms refuse ---- */

static uint64_t
verdict (const Net *net, HubVerdict which)
{
  return net_stats (net).rooms.verdicts[which];
}

GST_START_TEST (what_is_no_message_ends_the_connection_and_nothing_else)
{
  static char nested[100000];
  NetClient client, other;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &other, NET_MEETING, NULL);
  net_open (&net, &other, owner, 16);

  /* 100,000 brackets: in a member's frame, for a stranger's may not be so long. */
  memset (nested, '[', sizeof nested);
  nested[0] = '{';
  net_join (&net, &client, NET_MEETING, NULL);
  net_let_in (&other, &client);
  fail_unless (
      net_send_frame (&client, NET_FIN | NET_TEXT, nested, sizeof nested));
  net_expect_error (&client, WIRE_CODE_MALFORMED);
  fail_unless (net_is_ended (&client));
  net_hang_up (&client);
  fail_unless_equals_uint64 (verdict (&net, HUB_MALFORMED), 1);

  static const char *const bad[] = { "", "{}", "{\"type\":\"knock\"}",
    "{\"type\":\"leave\"}{\"type\":\"leave\"}", "{\"type\":\"nothing\"}",
    "{\"type\":\"ack\",\"seq\":-1}", "[{\"type\":\"leave\"}]",
    "{\"type\":\"leave\",\"a\":\"\\u0000\"}" };
  for (unsigned i = 0; i < G_N_ELEMENTS (bad); i++) {
    net_join (&net, &client, NET_MEETING, NULL);
    fail_unless (
        net_send_frame (&client, NET_FIN | NET_TEXT, bad[i], strlen (bad[i])));
    net_expect_error (&client, WIRE_CODE_MALFORMED);
    fail_unless (net_is_ended (&client));
    net_hang_up (&client);
    fail_unless_equals_uint64 (verdict (&net, HUB_MALFORMED), i + 2);
  }

  /* Invalid UTF-8 does not come so far: RFC 6455, 8.1. */
  net_join (&net, &client, NET_MEETING, NULL);
  fail_unless (net_send_frame (
      &client, NET_FIN | NET_TEXT, "{\"type\":\"\xc3\x28\"}", 13));
  fail_unless (net_is_ended (&client));
  net_hang_up (&client);

  /* Larger than a stranger may send. */
  net_join (&net, &client, NET_MEETING, NULL);
  fail_unless (net_send_frame (
      &client, NET_FIN | NET_TEXT, nested, LIMIT_FRAME_BEFORE + 1));
  net_expect_error (&client, WIRE_CODE_TOO_LARGE);
  net_hang_up (&client);
  net_join (&net, &client, NET_MEETING, NULL);
  net_send_frame (&client, NET_FIN | NET_TEXT, nested, sizeof nested);
  fail_unless (net_is_ended (&client));
  net_hang_up (&client);

  /* The other one has not noticed. */
  NET_SAY (&other, .type = WIRE_TRANSPORT);
  net_expect (&other, WIRE_TRANSPORT);
  net_hang_up (&other);
  net_stop (&net);
}
GST_END_TEST

/* ---- Who does not read ---- */

static size_t
resident (void)
{
  g_autofree char *text = NULL;
  size_t size = 0, pages = 0;

  fail_unless (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  fail_unless (sscanf (text, "%zu %zu", &size, &pages) == 2);
  return pages * (size_t) sysconf (_SC_PAGESIZE);
}

/* A member asks for what was said again and again, and never reads it; the hub's memory grows by its budget at most. */
GST_START_TEST (a_client_that_never_reads_is_cut_and_memory_is_bounded)
{
  static uint8_t big[900000];
  NetClient host, guest;
  int small = 4096;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &host, NET_MEETING, NULL);
  net_open (&net, &host, owner, 16);
  net_join (&net, &guest, NET_MEETING, NULL);
  net_let_in (&host, &guest);
  setsockopt (guest.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  size_t before = resident ();

  WireHeader header = { WIRE_COMMIT, 0, { 0 } };
  Writer w = writer_init (big, sizeof big);
  memcpy (header.room, host.room, LIMIT_ROOM);
  wire_header_write (&w, &header);
  for (unsigned i = 0; i < 8; i++) {
    big[WIRE_HEADER] = (uint8_t) i;
    fail_unless (
        net_send_frame (&host, NET_FIN | NET_BINARY, big, sizeof big));
    net_expect_binary (&host, WIRE_COMMIT, host.seq + 1);
  }
  fail_unless_equals_uint64 (
      net_stats (&net).edge.cut_slow, 0); /* 7 MB may wait */
  for (unsigned i = 0; i < 2; i++)
    NET_SAY (&guest, .type = WIRE_REPLAY, .seq = guest.seq);
  net_await (&net, cut_slow, 1);
  size_t grown = resident () - before;
#if !defined(__SANITIZE_ADDRESS__)                                            \
    && !defined(__SANITIZE_THREAD__) /* which keep what was freed */
  fail_unless (grown < 3 * (size_t) HUB_EDGE_BACKLOG_MEMBER,
      "grown by %" G_GSIZE_FORMAT, grown);
#else
  (void) grown;
#endif
  HubServerStats stats;
  do
    stats = net_stats (&net);
  while (stats.usage.connections > 1);
  fail_unless_equals_uint64 (stats.edge.cut_slow, 1);
  /* The one who reads goes on. */
  fail_unless (net_send_frame (&host, NET_FIN | NET_BINARY, big, 100));
  net_expect_binary (&host, WIRE_COMMIT, host.seq + 1);
  net_hang_up (&guest);
  net_hang_up (&host);
  net_stop (&net);
}
GST_END_TEST

/* ---- What may not be told apart ---- */

/* What a stranger hears: the names of the messages, and how long they are. */
static char *
heard (const Net *net, const char *meeting)
{
  GString *all = g_string_new (NULL);
  g_autoptr (GByteArray) frame = g_byte_array_new ();
  g_autofree char *path = g_strconcat (WIRE_PATH, meeting, NULL);
  static const char *const said[] = { "{\"type\":\"leave\",\"x\":1",
    "{\"type\":\"transport\"}" };
  NetClient client;
  WireMessage message;

  fail_unless_equals_int (net_upgrade (net, &client, path, NULL), 101);
  for (unsigned i = 0; i < 4; i++) {
    if (i == 1)
      NET_SAY (&client, .type = WIRE_KNOCK,
          .knock = { .ada = { (uint8_t *) "x", 1 } });
    if (i == 2)
      net_send_frame (&client, NET_FIN | NET_TEXT, said[1], strlen (said[1]));
    if (i == 3)
      net_send_frame (&client, NET_FIN | NET_TEXT, said[0], strlen (said[0]));
    fail_unless_equals_int (net_read_frame (&client, frame), NET_TEXT);
    fail_unless (
        wire_read ((char *) frame->data, frame->len, WIRE_FROM_HUB, &message)
        == JSON_OK);
    g_string_append_printf (all, "%s %s;", wire_type_name (message.type),
        message.type == WIRE_ERROR ? wire_code_name (message.code) : "");
    wire_clear (&message, WIRE_FROM_HUB);
  }
  net_is_ended (&client);
  net_hang_up (&client);
  return g_string_free (all, FALSE);
}

GST_START_TEST (a_meeting_whose_host_is_away_looks_like_none)
{
  NetClient host;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &host, NET_MEETING, NULL);
  net_open (&net, &host, owner, 16);
  NET_SAY (&host, .type = WIRE_LEAVE);
  net_is_ended (&host);
  net_hang_up (&host);
  fail_unless_equals_int (net_stats (&net).usage.opened, 1);
  g_autofree char *away = heard (&net, NET_MEETING),
                  *none = heard (&net, "nowhere");
  fail_unless_equals_string (away, none);
  fail_unless_equals_string (
      away, "hello ;waiting ;error not-member;error malformed;");
  net_stop (&net);
}
GST_END_TEST

static Suite *
hub_flood_suite (void)
{
  struct rlimit files;
  Suite *s = suite_create ("hub-flood");
  TCase *tc = tcase_create ("general");

  /* Both ends of a thousand connections are ours. */
  getrlimit (RLIMIT_NOFILE, &files);
  files.rlim_cur = MIN (files.rlim_max, 8192);
  setrlimit (RLIMIT_NOFILE, &files);
  owner = identity_new ();
  suite_add_tcase (s, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, a_thousand_silent_connections_keep_nobody_out);
  tcase_add_test (tc, one_source_can_not_hold_more_than_its_share);
  tcase_add_test (tc, a_source_that_connects_too_often_waits);
  tcase_add_test (tc, who_stops_half_way_is_cut_at_the_deadline);
  tcase_add_test (tc, slow_headers_are_cut_at_the_deadline);
  tcase_add_loop_test (
      tc, bodies_and_headers_are_cut_long_before_they_fill_memory, 0, 4);
  tcase_add_test (tc, a_frame_in_front_of_the_answer_is_cut);
  tcase_add_loop_test (tc, a_message_of_many_frames_is_cut, 0, 2);
  tcase_add_test (tc, frames_without_end_are_cut);
  tcase_add_test (tc, pings_without_end_are_cut);
  tcase_add_test (tc, what_is_no_message_ends_the_connection_and_nothing_else);
  tcase_add_test (tc, a_client_that_never_reads_is_cut_and_memory_is_bounded);
  tcase_add_test (tc, a_meeting_whose_host_is_away_looks_like_none);
  return s;
}

PURE_CHECK_MAIN (hub_flood)

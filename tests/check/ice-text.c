/* ICE descriptions and server URIs: the examples of the RFCs, and each yes against its no.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/ice/description.h"
#include "ext/ice/servers.h"

#include <string.h>

static IceDescription d; /* too large for a stack */

static IceParseResult
parse (const char *text)
{
  return ice_description_parse (text, strlen (text), &d);
}

static gboolean
candidate_is_refused (const char *text)
{
  IceCandidate c;
  return ice_candidate_parse (text, strlen (text), &c)
         == ICE_PARSE_BAD_CANDIDATE;
}

static char *
written (const IceDescription *description)
{
  static char text[ICE_DESCRIPTION_ROOM
                   + (ICE_MAX_CANDIDATES + 1) * ICE_CANDIDATE_ROOM];
  Writer out = writer_init (text, sizeof text - 1);
  ice_description_write (&out, description);
  fail_if (out.failed);
  text[writer_len (&out)] = '\0';
  return text;
}

/* A description as RFC 8840, 9 has it, with the credentials and addresses that the RFCs use; the first section is ours. */
static const char fragment[] =
    "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n"
    "a=ice-ufrag:8hhY\r\n"
    "m=audio 9 RTP/AVP 0\r\n"
    "a=mid:1\r\n"
    "a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r\n"
    "a=candidate:1 2 UDP 2130706432 2001:db8:a0b:12f0::1 5001 typ host\r\n"
    "a=candidate:1 1 UDP 2130706431 192.0.2.1 5010 typ host\r\n"
    "a=candidate:1 2 UDP 2130706431 192.0.2.1 5011 typ host\r\n"
    "a=candidate:2 1 UDP 1694498815 192.0.2.3 5010 typ srflx raddr 192.0.2.1 rport 8998\r\n"
    "a=candidate:2 2 UDP 1694498815 192.0.2.3 5011 typ srflx raddr 192.0.2.1 rport 8998\r\n"
    "a=end-of-candidates\r\n"
    "m=audio 9 RTP/AVP 0\r\n"
    "a=mid:2\r\n"
    "a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 6000 typ host\r\n"
    "a=end-of-candidates\r\n";

GST_START_TEST (a_description_of_rfc_8840_is_understood)
{
  char text[ICE_ADDRESS_TEXT];

  fail_unless_equals_int (parse (fragment), ICE_PARSE_OK);
  fail_unless_equals_string (d.ufrag, "8hhY");
  fail_unless_equals_string (d.pwd, "asd88fgpdd777uzjYhagZg");
  fail_unless (d.end_of_candidates);
  fail_if (d.lite || d.trickle);
  /* Component 2 and the second section are not ours. */
  fail_unless_equals_uint64 (d.n_candidates, 3);
  fail_unless_equals_uint64 (d.skipped, 4);

  ice_address_text (&d.candidates[0].address, text);
  fail_unless_equals_string (text, "[2001:db8:a0b:12f0::1]:5000");
  fail_unless_equals_int (d.candidates[0].type, ICE_HOST);
  fail_unless_equals_uint64 (d.candidates[0].priority, 2130706432u);
  fail_unless_equals_int (d.candidates[2].type, ICE_SRFLX);
  fail_unless_equals_string (d.candidates[2].foundation, "2");
  ice_address_text (&d.candidates[2].related, text);
  fail_unless_equals_string (text, "192.0.2.1:8998");
}
GST_END_TEST

/* RFC 8839, 5.1: "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998"; RFC 6544, 4.5
 * and its appendix C: TCP; browsers: extensions behind. */
GST_START_TEST (candidates_of_the_rfcs_and_of_browsers_are_understood)
{
  static const struct
  {
    const char *line;
    IceTransport transport;
    IceCandidateType type;
    const char *address;
    const char *ufrag;
  } rows[] = {
    { "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
        ICE_UDP, ICE_SRFLX, "192.0.2.3:45664", "" },
    { "a=candidate:1 1 TCP 2128609279 10.0.1.1 9 typ host tcptype active",
        ICE_TCP_ACTIVE, ICE_HOST, "10.0.1.1:9", "" },
    { "candidate:2 1 TCP 2124414975 10.0.1.1 8998 typ host tcptype passive",
        ICE_TCP_PASSIVE, ICE_HOST, "10.0.1.1:8998", "" },
    { "candidate:3 1 TCP 2120220671 10.0.1.1 8999 typ host tcptype so",
        ICE_TCP_SO, ICE_HOST, "10.0.1.1:8999", "" },
    { "842163049 1 udp 1677729535 198.51.100.7 50000 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag Ab+/ network-cost "
      "999",
        ICE_UDP, ICE_SRFLX, "198.51.100.7:50000", "Ab+/" },
    { "candidate:r 1 udp 41885439 203.0.113.9 3479 typ relay raddr 198.51.100.7 rport 50000",
        ICE_UDP, ICE_RELAY, "203.0.113.9:3479", "" },
    { "candidate:h 1 udp 2130706431 fe80::1 40000 typ host", ICE_UDP, ICE_HOST,
        "[fe80::1]:40000", "" },
  };
  IceCandidate c;
  char text[ICE_ADDRESS_TEXT];

  fail_unless_equals_int (
      ice_candidate_parse (rows[__i__].line, strlen (rows[__i__].line), &c),
      ICE_PARSE_OK);
  fail_unless_equals_int (c.transport, rows[__i__].transport);
  fail_unless_equals_int (c.type, rows[__i__].type);
  ice_address_text (&c.address, text);
  fail_unless_equals_string (text, rows[__i__].address);
  fail_unless_equals_string (c.ufrag, rows[__i__].ufrag);
}
GST_END_TEST

GST_START_TEST (candidates_that_nobody_can_reach_are_refused)
{
  static const char *const rows[] = {
    "",
    "candidate:",
    "candidate:1 1 UDP 1 192.0.2.1 5000",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ wormhole",
    "candidate:1 1 UDP 1 192.0.2.1 5000 host typ",
    "candidate:1 2 UDP 1 192.0.2.1 5000 typ host",  /* another component */
    "candidate:1 1 SCTP 1 192.0.2.1 5000 typ host", /* another transport */
    "candidate:1 1 TCP 1 192.0.2.1 5000 typ host", /* TCP without who connects */
    "candidate:1 1 TCP 1 192.0.2.1 5000 typ host tcptype both",
    "candidate:1 1 UDP 0 192.0.2.1 5000 typ host", /* RFC 8445, 5.1.2.1: between 1 and 2**31 - 1 */
    "candidate:1 1 UDP 2147483648 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP -1 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP 99999999999999999999 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 0 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 65536 typ host",
    "candidate:1 1 UDP 1 192.0.2.256 5000 typ host",
    "candidate:1 1 UDP 1 0.0.0.0 5000 typ host",
    "candidate:1 1 UDP 1 0.1.2.3 5000 typ host",
    "candidate:1 1 UDP 1 255.255.255.255 5000 typ host", /* one packet, many answers */
    "candidate:1 1 UDP 1 224.0.0.251 5353 typ host",
    "candidate:1 1 UDP 1 ff02::fb 5353 typ host",
    "candidate:1 1 UDP 1 :: 5000 typ host",
    "candidate:1 1 UDP 1 4d2b.local 5000 typ host", /* a name: mDNS */
    "candidate:1234567890123456789012345678901234567 1 UDP 1 192.0.2.1 5000 typ host",
    "candidate:a-b 1 UDP 1 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ host ufrag a-b",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ host\r\na=candidate:1 1 UDP 1 192.0.2.2 5000 typ host",
  };
  fail_unless (
      candidate_is_refused (rows[__i__]), "accepted: %s", rows[__i__]);
}
GST_END_TEST

GST_START_TEST (every_cut_of_a_candidate_is_refused_or_says_less)
{
  static const char line[] =
      "candidate:1 1 UDP 2130706431 192.0.2.1 5010 typ host";
  IceCandidate c;
  for (gsize n = 0; n + 1 < sizeof line; n++) {
    g_autofree char *cut = g_memdup2 (
        line, n ? n : 1); /* of its exact size, for ASan and valgrind */
    fail_unless_equals_int (
        ice_candidate_parse (cut, n, &c), ICE_PARSE_BAD_CANDIDATE);
  }
}
GST_END_TEST

GST_START_TEST (a_description_without_proper_credentials_is_refused_whole)
{
  static const struct
  {
    const char *text;
    IceParseResult result;
  } rows[] = {
    { "", ICE_PARSE_NO_CREDENTIALS },
    { "hello", ICE_PARSE_NO_CREDENTIALS },
    { "a=ice-ufrag:8hhY\r\n", ICE_PARSE_NO_CREDENTIALS },
    { "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n", ICE_PARSE_NO_CREDENTIALS },
    { "ice-ufrag:8hhY\r\nice-pwd:asd88fgpdd777uzjYhagZg\r\n",
        ICE_PARSE_NO_CREDENTIALS },
    { "a=ice-ufrag:8hh\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n",
        ICE_PARSE_BAD_CREDENTIALS }, /* 24 bits at least */
    { "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZ\r\n",
        ICE_PARSE_BAD_CREDENTIALS }, /* 128 bits at least */
    { "a=ice-ufrag:8hh:\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n",
        ICE_PARSE_BAD_CREDENTIALS },
    { "a=ice-ufrag:8h hY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n",
        ICE_PARSE_BAD_CREDENTIALS },
    { "m=audio 9 RTP/AVP 0\na=mid:0\nm=audio 9 RTP/AVP 0\na=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\n",
        ICE_PARSE_NO_CREDENTIALS },
  };
  fail_unless_equals_int (parse (rows[__i__].text), rows[__i__].result);
  fail_unless_equals_string (d.ufrag, "");
  fail_unless_equals_string (d.pwd, "");
}
GST_END_TEST

GST_START_TEST (credentials_have_an_upper_limit)
{
  g_autofree char *longest = g_strnfill (ICE_MAX_PWD, 'p');
  g_autofree char *ok =
      g_strdup_printf ("a=ice-ufrag:8hhY\r\na=ice-pwd:%s\r\n", longest);
  g_autofree char *over =
      g_strdup_printf ("a=ice-ufrag:8hhY\r\na=ice-pwd:%sp\r\n", longest);
  fail_unless_equals_int (parse (ok), ICE_PARSE_OK);
  fail_unless_equals_int (parse (over), ICE_PARSE_BAD_CREDENTIALS);
}
GST_END_TEST

GST_START_TEST (ten_thousand_candidates_are_bounded_and_counted)
{
  g_autoptr (GString) text =
      g_string_new ("a=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\n");
  for (guint i = 0; i < 10000; i++)
    g_string_append_printf (text,
        "a=candidate:%u 1 UDP 1 10.%u.%u.1 5000 typ host\n", i, i / 250 % 250,
        i % 250);
  fail_unless_equals_int (parse (text->str), ICE_PARSE_OK);
  fail_unless_equals_uint64 (d.n_candidates, ICE_MAX_CANDIDATES);
  fail_unless_equals_uint64 (d.skipped, 10000 - ICE_MAX_CANDIDATES);
}
GST_END_TEST

GST_START_TEST (a_description_beyond_the_limit_is_refused)
{
  g_autofree char *text = g_strnfill (ICE_MAX_DESCRIPTION + 1, '\n');
  memcpy (text, fragment, sizeof fragment - 1);
  fail_unless_equals_int (
      ice_description_parse (text, ICE_MAX_DESCRIPTION, &d), ICE_PARSE_OK);
  fail_unless_equals_int (
      ice_description_parse (text, ICE_MAX_DESCRIPTION + 1, &d),
      ICE_PARSE_TOO_LONG);
}
GST_END_TEST

GST_START_TEST (lines_that_mean_nothing_are_skipped_and_counted)
{
  fail_unless_equals_int (
      parse (
          "v=0\n\n\n=\na\na=\nm\nx=1\na=candidate\na=candidate:\na=candidate:1 1 UDP x\n"
          "a=ice-lite\na=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\na=unknown:thing\n"
          "a=ice-options:ice2 trickle\na=candidate:1 1 UDP 1 192.0.2.1 5000 typ host"),
      ICE_PARSE_OK);
  fail_unless (d.lite && d.trickle);
  fail_unless_equals_uint64 (d.n_candidates, 1);
  fail_unless_equals_uint64 (d.skipped, 2);
}
GST_END_TEST

/* RFC 8838: a candidate belongs to the generation that its "ufrag" names. The credentials may come behind it. */
GST_START_TEST (candidates_of_another_generation_are_skipped_and_counted)
{
  static const char *const rows[] = {
    "a=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\n"
    "a=candidate:1 1 UDP 1 192.0.2.1 5000 typ host ufrag old1\n"
    "a=candidate:2 1 UDP 1 192.0.2.2 5000 typ host ufrag 8hhY\n"
    "a=candidate:3 1 UDP 1 192.0.2.3 5000 typ host\n"
    "a=candidate:4 1 UDP 1 192.0.2.4 5000 typ host ufrag 8hhYY\n",
    "a=candidate:1 1 UDP 1 192.0.2.1 5000 typ host ufrag old1\n"
    "a=candidate:2 1 UDP 1 192.0.2.2 5000 typ host ufrag 8hhY\n"
    "a=candidate:3 1 UDP 1 192.0.2.3 5000 typ host\n"
    "a=candidate:4 1 UDP 1 192.0.2.4 5000 typ host ufrag 8hhYY\n"
    "a=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\n",
  };
  fail_unless_equals_int (parse (rows[__i__]), ICE_PARSE_OK);
  fail_unless_equals_uint64 (d.n_candidates, 2);
  fail_unless_equals_uint64 (d.skipped, 2);
  fail_unless_equals_string (d.candidates[0].foundation, "2");
  fail_unless_equals_string (d.candidates[1].foundation, "3");
  fail_unless_equals_string (d.candidates[2].foundation, "");
}
GST_END_TEST

GST_START_TEST (a_line_of_a_megabyte_is_one_skipped_line)
{
  g_autofree char *text = g_strnfill (ICE_MAX_DESCRIPTION, 'x');
  static const char head[] =
      "a=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\na=candidate:";
  memcpy (text, head, sizeof head - 1);
  fail_unless_equals_int (
      ice_description_parse (text, ICE_MAX_DESCRIPTION, &d), ICE_PARSE_OK);
  fail_unless_equals_uint64 (d.skipped, 1);
}
GST_END_TEST

GST_START_TEST (what_is_written_is_read_again)
{
  static IceDescription before;
  fail_unless_equals_int (parse (fragment), ICE_PARSE_OK);
  before = d;
  before.skipped = 0;
  before.trickle = true;
  before.lite = true;
  g_strlcpy (
      before.candidates[0].ufrag, "8hhY", sizeof before.candidates[0].ufrag);
  before.candidates[1].transport = ICE_TCP_PASSIVE;
  fail_unless_equals_int (parse (written (&before)), ICE_PARSE_OK);
  fail_unless (memcmp (&before, &d, sizeof d) == 0);
}
GST_END_TEST

GST_START_TEST (what_is_written_has_the_shape_of_rfc_8840)
{
  static IceDescription own;
  memset (&own, 0, sizeof own);
  strcpy (own.ufrag, "8hhY");
  strcpy (own.pwd, "asd88fgpdd777uzjYhagZg");
  own.trickle = own.end_of_candidates = true;
  own.n_candidates = 1;
  strcpy (own.candidates[0].foundation, "1");
  own.candidates[0].component = 1;
  own.candidates[0].priority = 2130706431;
  own.candidates[0].address = (IceAddress){ { 192, 0, 2, 1 }, 4, 5010 };
  /* session-level-fields, then pseudo-media-descriptions: RFC 8840, 9.2, and the line of its example. */
  fail_unless_equals_string (written (&own),
      "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-ufrag:8hhY\r\na=ice-options:trickle\r\n"
      "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=rtcp-mux\r\n"
      "a=candidate:1 1 UDP 2130706431 192.0.2.1 5010 typ host\r\na=end-of-candidates\r\n");
}
GST_END_TEST

GST_START_TEST (server_uris_are_understood)
{
  static const struct
  {
    const char *uri;
    const char *host;
    guint port;
    IceServerTransport transport;
    const char *user, *password;
  } rows[] = {
    { "stun://stun.example.org:19302", "stun.example.org", 19302,
        ICE_SERVER_UDP, NULL, NULL },
    { "stun:192.0.2.1", "192.0.2.1", 3478, ICE_SERVER_UDP, NULL, NULL },
    { "192.0.2.1", "192.0.2.1", 3478, ICE_SERVER_UDP, NULL, NULL },
    { "[2001:db8::1]:5000", "2001:db8::1", 5000, ICE_SERVER_UDP, NULL, NULL },
    { "2001:db8::1", "2001:db8::1", 3478, ICE_SERVER_UDP, NULL, NULL },
    { "turn://alice:sesame@relay.example.org", "relay.example.org", 3478,
        ICE_SERVER_UDP, "alice", "sesame" },
    { "turn://alice:sesame@relay.example.org:80?transport=tcp",
        "relay.example.org", 80, ICE_SERVER_TCP, "alice", "sesame" },
    { "turns://alice:sesame@relay.example.org", "relay.example.org", 5349,
        ICE_SERVER_TLS, "alice", "sesame" },
    { "turns:alice:sesame@relay.example.org:443?transport=tcp",
        "relay.example.org", 443, ICE_SERVER_TLS, "alice", "sesame" },
    { "turn://alice:sesame@[2001:db8::1]?transport=udp", "2001:db8::1", 3478,
        ICE_SERVER_UDP, "alice", "sesame" },
    /* RFC 3986: reserved characters are percent-encoded; those that divide nothing may stand as they are. */
    { "turn://1700000000%3Aalice:a%40b%2Fc=@h", "h", 3478, ICE_SERVER_UDP,
        "1700000000:alice", "a@b/c=" },
    { "turn://alice:p@ss:word@h", "h", 3478, ICE_SERVER_UDP, "alice",
        "p@ss:word" },
  };
  IceServer s;
  const char *uri = rows[__i__].uri;

  if (rows[__i__].user)
    fail_unless (ice_turn_uri_parse (uri, strlen (uri), &s), "%s", uri);
  else
    fail_unless (ice_stun_uri_parse (uri, strlen (uri), &s), "%s", uri);
  fail_unless_equals_string (s.host, rows[__i__].host);
  fail_unless_equals_int (s.port, rows[__i__].port);
  fail_unless_equals_int (s.transport, rows[__i__].transport);
  if (rows[__i__].user) {
    fail_unless_equals_string (s.user, rows[__i__].user);
    fail_unless_equals_string (
        (char *) secret_bytes (s.password), rows[__i__].password);
  }
  ice_server_clear (&s);
}
GST_END_TEST

GST_START_TEST (other_server_uris_are_refused)
{
  static const char *const stun[] = { "", "stun:", "stun://:3478",
    "stun://h:0", "stun://h:65536", "stun://h:x", "stun://h/p", "[::1",
    "[::1]x", "stun://a b" };
  static const char *const turn[] = { "", "turn:", "stun://a:b@h", "turn://h",
    "turn://a@h", "turn://:b@h", "turn://a:@h", "turn://a:b@",
    "turn://a:b@h?transport=sctp", "turn://a:b@h?x=1", "turn://a%:b@h",
    "turn://a%4:b@h", "turn://a:%zz@h", "turn://a%00b:c@h" };
  IceServer s;

  for (gsize i = 0; i < G_N_ELEMENTS (stun); i++)
    fail_if (ice_stun_uri_parse (stun[i], strlen (stun[i]), &s),
        "accepted: %s", stun[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (turn); i++)
    fail_if (ice_turn_uri_parse (turn[i], strlen (turn[i]), &s),
        "accepted: %s", turn[i]);
}
GST_END_TEST

GST_START_TEST (lists_of_turn_servers_are_whole_or_nothing)
{
  static const char file[] =
      "# two relays\nturn://a:b@h1?transport=tcp\r\n\n  turn://a:b@h2 # behind a line too\n";
  static const char bad[] = "turn://a:b@h1,turn:nonsense";
  IceServer list[ICE_MAX_SERVERS];
  g_autoptr (GString) many = g_string_new (NULL);

  fail_unless_equals_int (
      ice_turn_list_parse (file, sizeof file - 1, list), 2);
  fail_unless_equals_string (list[0].host, "h1");
  fail_unless_equals_int (list[0].transport, ICE_SERVER_TCP);
  fail_unless_equals_string (list[1].host, "h2");
  ice_server_clear (&list[0]);
  ice_server_clear (&list[1]);

  fail_unless_equals_int (ice_turn_list_parse ("", 0, list), 0);
  fail_unless_equals_int (ice_turn_list_parse (bad, sizeof bad - 1, list), -1);
  for (guint i = 0; i <= ICE_MAX_SERVERS; i++)
    g_string_append (many, "turn://a:b@h,");
  fail_unless_equals_int (
      ice_turn_list_parse (many->str, many->len, list), -1);
}
GST_END_TEST

static Suite *
ice_text_suite (void)
{
  Suite *s = suite_create ("ice-text");
  TCase *t = tcase_create ("descriptions");
  TCase *u = tcase_create ("servers");

  suite_add_tcase (s, t);
  tcase_add_test (t, a_description_of_rfc_8840_is_understood);
  tcase_add_loop_test (
      t, candidates_of_the_rfcs_and_of_browsers_are_understood, 0, 7);
  tcase_add_loop_test (t, candidates_that_nobody_can_reach_are_refused, 0, 28);
  tcase_add_test (t, every_cut_of_a_candidate_is_refused_or_says_less);
  tcase_add_loop_test (
      t, a_description_without_proper_credentials_is_refused_whole, 0, 10);
  tcase_add_test (t, credentials_have_an_upper_limit);
  tcase_add_test (t, ten_thousand_candidates_are_bounded_and_counted);
  tcase_add_test (t, a_description_beyond_the_limit_is_refused);
  tcase_add_test (t, lines_that_mean_nothing_are_skipped_and_counted);
  tcase_add_loop_test (
      t, candidates_of_another_generation_are_skipped_and_counted, 0, 2);
  tcase_add_test (t, a_line_of_a_megabyte_is_one_skipped_line);
  tcase_add_test (t, what_is_written_is_read_again);
  tcase_add_test (t, what_is_written_has_the_shape_of_rfc_8840);

  suite_add_tcase (s, u);
  tcase_add_loop_test (u, server_uris_are_understood, 0, 12);
  tcase_add_test (u, other_server_uris_are_refused);
  tcase_add_test (u, lists_of_turn_servers_are_whole_or_nothing);
  return s;
}

PURE_CHECK_MAIN (ice_text)

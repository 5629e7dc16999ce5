/* Links: what is read, what is written, and what is refused.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/sodium/known.h"
#include "ext/sodium/link.h"

#define PRINT_A                                                               \
  "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" /* 1, 0, 0, ... */
#define PRINT_B                                                               \
  "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" /* 2, 0, 0, ... */
#define NAME_63                                                               \
  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff012"

static const struct
{
  const char *text, *canonical; /* NULL: as it is */
  const char *host, *meeting, *known;
  guint16 port;
  gboolean ipv6, pin, host_key;
} good[] = {
  { "meet://hub.example/standup", NULL, "hub.example", "standup",
      "hub.example:8443/standup", 8443 },
  { "meet://127.0.0.1:8443/standup", "meet://127.0.0.1/standup", "127.0.0.1",
      "standup", "127.0.0.1:8443/standup", 8443 },
  { "MEET://Hub.EXAMPLE:443/Stand-Up_1", "meet://hub.example:443/Stand-Up_1",
      "hub.example", "Stand-Up_1", "hub.example:443/Stand-Up_1", 443 },
  { "meet://[2001:DB8:0:0:0:0:0:1]:65535/m", "meet://[2001:db8::1]:65535/m",
      "2001:db8::1", "m", "[2001:db8::1]:65535/m", 65535, TRUE },
  { "meet://[::1]/m", NULL, "::1", "m", "[::1]:8443/m", 8443, TRUE },
  { "meet://h/m?pin=" PRINT_A, NULL, "h", "m", "h:8443/m", 8443, FALSE, TRUE },
  { "meet://h/m#host=" PRINT_B, NULL, "h", "m", "h:8443/m", 8443, FALSE, FALSE,
      TRUE },
  { "meet://h:1/m?pin=" PRINT_A "#host=" PRINT_B, NULL, "h", "m", "h:1/m", 1,
      FALSE, TRUE, TRUE },
  { "meet://xn--bcher-kva.example/m", NULL, "xn--bcher-kva.example", "m",
      "xn--bcher-kva.example:8443/m", 8443 },
  { "meet://" NAME_63 "." NAME_63 "." NAME_63 "/m", NULL,
      NAME_63 "." NAME_63 "." NAME_63, "m",
      NAME_63 "." NAME_63 "." NAME_63 ":8443/m", 8443 },
};

GST_START_TEST (link_is_read_and_written)
{
  Link link, again;
  char text[LINK_SIZE];
  const char *canonical =
      good[__i__].canonical ? good[__i__].canonical : good[__i__].text;

  fail_unless_equals_int (
      link_parse (good[__i__].text, strlen (good[__i__].text), &link),
      LINK_OK);
  fail_unless_equals_string (link.host, good[__i__].host);
  fail_unless_equals_string (link.meeting, good[__i__].meeting);
  fail_unless_equals_int (link.port, good[__i__].port);
  fail_unless_equals_int (link.ipv6, good[__i__].ipv6);
  fail_unless_equals_int (link.has_pin, good[__i__].pin);
  fail_unless_equals_int (link.has_host_key, good[__i__].host_key);
  fail_unless_equals_int (link.pin[0], good[__i__].pin ? 1 : 0);
  fail_unless_equals_int (link.host_key[0], good[__i__].host_key ? 2 : 0);

  fail_unless (link_format (&link, text));
  fail_unless_equals_string (text, canonical);
  fail_unless_equals_int (link_parse (text, strlen (text), &again), LINK_OK);
  fail_unless (memcmp (&again, &link, sizeof link) == 0);

  fail_unless (link_known_name (&link, text));
  fail_unless_equals_string (text, good[__i__].known);
  gsize bad;
  Known *known = known_parse ("", 0, &bad);
  fail_unless (known_add (known, text, link.host_key));
  known_free (known);
}
GST_END_TEST;

static const struct
{
  const char *text;
  LinkResult result;
} wrong[] = {
  { "", LINK_OTHER_SCHEME },
  { "https://h/m", LINK_OTHER_SCHEME },
  { " meet://h/m", LINK_OTHER_SCHEME },
  { "meet:/h/m", LINK_OTHER_SCHEME },
  { "meet://:secret@h/m", LINK_HAS_USER },
  { "meet://user@h/m", LINK_HAS_USER },
  { "meet://a@[::1]/m", LINK_HAS_USER },
  { "meet:///m", LINK_BAD_HOST },
  { "meet://", LINK_BAD_HOST },
  { "meet://.h/m", LINK_BAD_HOST },
  { "meet://h./m", LINK_BAD_HOST },
  { "meet://a..b/m", LINK_BAD_HOST },
  { "meet://-a/m", LINK_BAD_HOST },
  { "meet://a-/m", LINK_BAD_HOST },
  { "meet://a-.b/m", LINK_BAD_HOST },
  { "meet://a_b/m", LINK_BAD_HOST },
  { "meet://b\xc3\xbc"
    "cher.example/m",
      LINK_BAD_HOST },
  { "meet://a%41/m", LINK_BAD_HOST },
  { "meet://a b/m", LINK_BAD_HOST },
  { "meet://" NAME_63 "x/m", LINK_BAD_HOST },
  { "meet://::1/m", LINK_BAD_HOST },
  { "meet://[::1/m", LINK_BAD_HOST },
  { "meet://[]/m", LINK_BAD_HOST },
  { "meet://[::g]/m", LINK_BAD_HOST },
  { "meet://[fe80::1%25eth0]/m", LINK_BAD_HOST },
  { "meet://[127.0.0.1]/m", LINK_BAD_HOST },
  { "meet://[::1]x/m", LINK_BAD_HOST },
  { "meet://h:/m", LINK_BAD_PORT },
  { "meet://h:0/m", LINK_BAD_PORT },
  { "meet://h:080/m", LINK_BAD_PORT },
  { "meet://h:65536/m", LINK_BAD_PORT },
  { "meet://h:99999/m", LINK_BAD_PORT },
  { "meet://h:-1/m", LINK_BAD_PORT },
  { "meet://h:+1/m", LINK_BAD_PORT },
  { "meet://h: 1/m", LINK_BAD_PORT },
  { "meet://h:1:2/m", LINK_BAD_PORT },
  { "meet://h", LINK_BAD_MEETING },
  { "meet://h/", LINK_BAD_MEETING },
  { "meet://h/a/b", LINK_BAD_MEETING },
  { "meet://h/a b", LINK_BAD_MEETING },
  { "meet://h/a%20b", LINK_BAD_MEETING },
  { "meet://h/..", LINK_BAD_MEETING },
  { "meet://h?pin=" PRINT_A, LINK_BAD_MEETING },
  { "meet://h/" NAME_63 "xx", LINK_BAD_MEETING },
  { "meet://h/m?", LINK_BAD_PIN },
  { "meet://h/m?pin=", LINK_BAD_PIN },
  { "meet://h/m?pin=AAAA", LINK_BAD_PIN },
  { "meet://h/m?pni=" PRINT_A, LINK_BAD_PIN },
  { "meet://h/m?pin=" PRINT_A "&x=1", LINK_BAD_PIN },
  { "meet://h/m?pin=" PRINT_A "=", LINK_BAD_PIN },
  { "meet://h/m?password=secret", LINK_BAD_PIN },
  { "meet://h/m?pin=" PRINT_A "?pin=" PRINT_A, LINK_BAD_PIN },
  { "meet://h/m#", LINK_BAD_HOST_KEY },
  { "meet://h/m#host=", LINK_BAD_HOST_KEY },
  { "meet://h/m#hots=" PRINT_B, LINK_BAD_HOST_KEY },
  { "meet://h/m#host=" PRINT_B "\n", LINK_BAD_HOST_KEY },
  { "meet://h/m#host=" PRINT_B "#host=" PRINT_B, LINK_BAD_HOST_KEY },
  { "meet://h/m#host=" PRINT_B "?pin=" PRINT_A, LINK_BAD_HOST_KEY },
};

GST_START_TEST (link_is_refused_for_what_is_wrong_with_it)
{
  Link link = { .port = 7 };
  LinkResult result =
      link_parse (wrong[__i__].text, strlen (wrong[__i__].text), &link);
  fail_unless (result == wrong[__i__].result, "\"%s\" gives %d",
      wrong[__i__].text, result);
  fail_unless_equals_int (link.port, 7);
  fail_unless (strlen (link_result_text (result)) > 10);
}
GST_END_TEST;

GST_START_TEST (no_cut_of_a_fingerprint_makes_a_link_without_one)
{
  const char *text = "meet://h/m?pin=" PRINT_A "#host=" PRINT_B;
  gsize whole[] = { strlen ("meet://h/m"), strlen ("meet://h/m?pin=" PRINT_A),
    strlen (text) };
  Link link;

  for (gsize cut = whole[0]; cut <= strlen (text); cut++)
    fail_unless_equals_int (link_parse (text, cut, &link) == LINK_OK,
        cut == whole[0] || cut == whole[1] || cut == whole[2]);
  fail_unless_equals_int (
      link_parse ("meet://h/m\0", 11, &link), LINK_BAD_MEETING);
  fail_unless_equals_int (
      link_parse ("meet://h\0/m", 11, &link), LINK_BAD_HOST);
  g_autofree char *large = g_strnfill (LINK_MAX_LEN + 1, 'a');
  fail_unless_equals_int (
      link_parse (large, LINK_MAX_LEN + 1, &link), LINK_TOO_LONG);
}
GST_END_TEST;

GST_START_TEST (longest_link_is_written_and_a_wrong_one_is_not)
{
  Link link = { .port = 65535, .has_pin = true, .has_host_key = true }, back;
  char text[LINK_SIZE];

  memset (link.host, 'a', LINK_MAX_HOST);
  for (int i = 63; i < LINK_MAX_HOST; i += 64)
    link.host[i] = '.';
  memset (link.meeting, 'm', DOOR_MAX_MEETING);
  fail_unless (link_format (&link, text));
  fail_unless_equals_int (link_parse (text, strlen (text), &back), LINK_OK);
  fail_unless (memcmp (&back, &link, sizeof link) == 0);
  fail_unless (
      link_known_name (&link, text) && strlen (text) <= KNOWN_MAX_NAME);

  Link bad = link;
  bad.port = 0;
  fail_if (link_format (&bad, text));
  fail_unless_equals_string (text, "");
  bad = link, bad.host[0] = '/';
  fail_if (link_format (&bad, text) || link_known_name (&bad, text));
  bad = link, bad.meeting[0] = '\0';
  fail_if (link_format (&bad, text));
  bad = link, bad.ipv6 = true;
  fail_if (link_format (&bad, text));
}
GST_END_TEST;

static Suite *
link_suite (void)
{
  Suite *suite = suite_create ("link");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc, link_is_read_and_written, 0, G_N_ELEMENTS (good));
  tcase_add_loop_test (
      tc, link_is_refused_for_what_is_wrong_with_it, 0, G_N_ELEMENTS (wrong));
  tcase_add_test (tc, no_cut_of_a_fingerprint_makes_a_link_without_one);
  tcase_add_test (tc, longest_link_is_written_and_a_wrong_one_is_not);
  return suite;
}

PURE_CHECK_MAIN (link)

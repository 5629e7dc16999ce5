/* What the hub asks publishers for again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hubrtcp.h"

static Meeting m;
static HubTrackSsrcs ssrcs;

static void
set_up (void)
{
  meeting_open_pair (&m, &ssrcs);
}

static void
tear_down (void)
{
  meeting_close (&m);
}

static void
send_and_expect (guint64 index)
{
  meeting_send (&m, 0, ssrcs.ssrc, index);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, index);
}

static void
expect_nack (guint16 pid, guint16 blp)
{
  Reader body;

  fail_unless (find_rtcp (&m, 0, 205, 1, PATIENCE, &body, NULL));
  reader_take (&body, 4); /* whose request it is */
  fail_unless_equals_int (reader_uint (&body, 4), ssrcs.ssrc);
  fail_unless_equals_int (reader_uint (&body, 2), pid);
  fail_unless_equals_int (reader_uint (&body, 2), blp);
  fail_unless_equals_int (reader_left (&body), 0);
}

GST_START_TEST (what_is_missing_is_asked_for)
{
  send_and_expect (65534);
  send_and_expect (65538); /* across the end of a ROC */
  send_and_expect (65540);
  meeting_advance (&m, 20 * MS);
  expect_nack (65535, 1 << 0 | 1 << 1 | 1 << 3); /* 0, 1 and 3 */
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_NACK_SENT), 1);
}
GST_END_TEST

GST_START_TEST (what_was_only_overtaken_is_not_asked_for)
{
  send_and_expect (10);
  send_and_expect (12);
  send_and_expect (11);
  meeting_advance (&m, 2 * S);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_NACK_SENT), 0);
}
GST_END_TEST

GST_START_TEST (a_packet_is_asked_for_four_times_at_most)
{
  send_and_expect (10);
  send_and_expect (12);
  for (guint i = 0; i < 100; i++)
    meeting_advance (&m, 20 * MS);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_NACK_SENT), 4);
  for (guint i = 0; i < 4; i++)
    expect_nack (11, 0);
}
GST_END_TEST

GST_START_TEST (what_has_come_is_not_asked_for_again)
{
  send_and_expect (10);
  send_and_expect (13);
  meeting_advance (&m, 20 * MS);
  expect_nack (11, 1 << 0);
  send_and_expect (11);
  meeting_advance (&m, 100 * MS);
  expect_nack (12, 0);
  send_and_expect (12);
  meeting_advance (&m, 2 * S);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_NACK_SENT), 2);
}
GST_END_TEST

GST_START_TEST (of_a_long_gap_the_latest_packets_are_asked_for)
{
  Reader body;
  guint asked = 0;

  send_and_expect (10);
  send_and_expect (1000);
  meeting_advance (&m, 20 * MS);
  fail_unless (find_rtcp (&m, 0, 205, 1, PATIENCE, &body, NULL));
  reader_take (&body, 8);
  while (reader_left (&body) > 0) {
    guint pid = reader_uint (&body, 2);
    guint blp = reader_uint (&body, 2);
    fail_unless (pid >= 968 && pid < 1000);
    asked += 1 + __builtin_popcount (blp);
  }
  fail_if (body.failed);
  fail_unless_equals_int (asked, 32);
}
GST_END_TEST

GST_START_TEST (a_track_that_goes_takes_its_holes_along)
{
  send_and_expect (10);
  send_and_expect (12);
  hub_forwarder_remove_transport (m.forwarder, m.transports[0]);
  meeting_advance (&m, 2 * S);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_NACK_SENT), 0);
}
GST_END_TEST

static Suite *
hub_nack_suite (void)
{
  Suite *s = suite_create ("hub-nack");
  TCase *tc = tcase_create ("publishers");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, set_up, tear_down);
  tcase_add_test (tc, what_is_missing_is_asked_for);
  tcase_add_test (tc, what_was_only_overtaken_is_not_asked_for);
  tcase_add_test (tc, a_packet_is_asked_for_four_times_at_most);
  tcase_add_test (tc, what_has_come_is_not_asked_for_again);
  tcase_add_test (tc, of_a_long_gap_the_latest_packets_are_asked_for);
  tcase_add_test (tc, a_track_that_goes_takes_its_holes_along);
  return s;
}

PURE_CHECK_MAIN (hub_nack)

/* Places at the hub, which outlive a lost connection.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hub-cast.h"

/* ---- Places ---- */

GST_START_TEST (
    a_place_in_the_queue_survives_a_lost_connection_and_keeps_its_turn)
{
  Client *ahead = arrive_from (rig, MEETING, "10.0.0.1");
  say_knock (rig, ahead);
  expect (ahead, WIRE_WAITING);
  Client *behind = arrive_from (rig, MEETING, "10.0.0.1");
  say_knock (rig, behind);
  hang_up (rig, ahead);
  rig_wait (rig, LIMIT_PLACE_MS - 1);
  come_back (rig, ahead, 0);
  expect_returned (ahead);
  expect (ahead, WIRE_WAITING);
  Client *host = open_meeting (rig, owner, 16);
  fail_unless_equals_uint64 (expect (host, WIRE_KNOCK)->peer, ahead->peer);
  fail_unless_equals_uint64 (expect (host, WIRE_KNOCK)->peer, behind->peer);
}
GST_END_TEST;

GST_START_TEST (
    a_lapsed_place_is_unknown_and_an_absent_joiners_knock_goes_to_nobody)
{
  Client *joiner = arrive (rig);
  say_knock (rig, joiner);
  expect (joiner, WIRE_WAITING);
  hang_up (rig, joiner);
  Client *host = open_meeting (rig, owner, 16);
  expect_nothing (host);
  rig_wait (rig, LIMIT_PLACE_MS);
  come_back (rig, joiner, 0);
  expect_error (joiner, WIRE_CODE_UNKNOWN_PLACE);
  expect_nothing (host);
  fail_unless_equals_uint64 (hub_stats (rig->hub).lapsed, 1);
}
GST_END_TEST;

GST_START_TEST (a_run_before_its_proof_is_over_when_the_joiner_is_lost)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  say_knock (rig, joiner);
  expect (host, WIRE_KNOCK);
  hang_up (rig, joiner);
  say_reply (rig, host, joiner->peer);
  come_back (rig, joiner, 0);
  expect_returned (joiner);
  expect (joiner, WIRE_AGAIN);
  expect_nothing (joiner);
  prove (rig, host, joiner);
}
GST_END_TEST;

GST_START_TEST (a_proven_joiner_comes_back_to_what_was_said_meanwhile)
{
  static const WireType rows[] = { 0, WIRE_WAITING, WIRE_ADMIT, WIRE_AGAIN,
    WIRE_ERROR };
  WireType said = rows[__i__];
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  prove (rig, host, joiner);
  hang_up (rig, joiner);
  if (said == WIRE_ADMIT)
    say_admit (rig, host, joiner->peer);
  else if (said == WIRE_ERROR)
    SAY (host, .type = said, .peer = joiner->peer, .code = WIRE_CODE_DENIED);
  else if (said)
    SAY (host, .type = said, .peer = joiner->peer);
  come_back (rig, joiner, 0);
  expect_returned (joiner);
  if (said)
    expect (joiner, said);
  expect_nothing (joiner);
}
GST_END_TEST;

GST_START_TEST (who_lost_the_admit_gets_all_of_it_when_it_returns)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  prove (rig, host, joiner);
  uint64_t seq = commit (rig, host, "add", "welcome");
  say_admit (rig, host, joiner->peer);
  say_admitted (rig, host, joiner->peer, seq);
  send_mls (rig, host, WIRE_APPLICATION, 0, "hello");
  expect_frame (host, WIRE_APPLICATION, seq + 1, "hello");
  forget_inbox (joiner); /* nothing of that arrived */
  hang_up (rig, joiner);
  come_back (rig, joiner, 0);
  fail_unless_equals_uint64 (expect_returned (joiner)->opened.seq, seq + 1);
  expect (joiner, WIRE_ADMIT);
  expect_admitted (joiner, seq, "welcome");
  expect_frame (joiner, WIRE_APPLICATION, seq + 1, "hello");
  expect_nothing (joiner);
  /* Once it knows, the admit is not kept any more. */
  SAY (joiner, .type = WIRE_ACK, .seq = seq + 1);
  fail_unless_equals_uint64 (hub_usage (rig->hub).held_bytes, 0);
}
GST_END_TEST;

GST_START_TEST (a_member_returns_to_what_it_missed_and_to_its_transport)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  hang_up (rig, member);
  send_mls (rig, host, WIRE_APPLICATION, 0, "one");
  send_mls (rig, host, WIRE_APPLICATION, 0, "two");
  rig_events (rig, HUB_EVENT_GONE, 0);
  uint64_t seq = member->seq;
  come_back (rig, member, seq);
  WireMessage *returned = expect_returned (member);
  fail_unless_equals_uint64 (returned->opened.seq, seq + 2);
  fail_unless (memcmp (returned->opened.room, member->room, LIMIT_ROOM) == 0);
  expect_frame (member, WIRE_APPLICATION, seq + 1, "one");
  expect_frame (member, WIRE_APPLICATION, seq + 2, "two");
  expect_nothing (member);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_GONE, 0), 0);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_RETURNED, 0), 1);
}
GST_END_TEST;

GST_START_TEST (a_return_ends_the_connection_that_the_place_still_has)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  uint64_t old_id = member->id;
  come_back (rig, member, member->seq);
  expect_returned (member);
  fail_unless (rig_client (rig, old_id)->closed);
  send_mls (rig, host, WIRE_APPLICATION, 0, "now");
  expect_frame (member, WIRE_APPLICATION, member->seq + 1, "now");
}
GST_END_TEST;

GST_START_TEST (
    a_members_place_that_lapses_is_told_to_the_admins_and_the_forwarder)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  hang_up (rig, member);
  rig_wait (rig, LIMIT_PLACE_MS - 1);
  expect_nothing (host);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_GONE, 0), 0);
  rig_wait (rig, 1);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, member->peer);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_GONE, 0), 1);
}
GST_END_TEST;

GST_START_TEST (leave_ends_a_place_at_once)
{
  Client *host = open_meeting (rig, owner, 16);
  Client *member = arrive (rig), *joiner = arrive (rig);
  let_in (rig, host, member);
  SAY (member, .type = WIRE_LEAVE);
  fail_unless (member->closed);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, member->peer);
  prove (rig, host, joiner);
  SAY (joiner, .type = WIRE_LEAVE);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, joiner->peer);
  come_back (rig, member, 0);
  expect_error (member, WIRE_CODE_UNKNOWN_PLACE);
}
GST_END_TEST;

GST_START_TEST (an_admin_that_was_away_hears_of_who_went_meanwhile)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  hang_up (rig, member);
  rig_wait (rig, LIMIT_PLACE_MS / 2);
  hang_up (rig, host);
  rig_wait (rig, LIMIT_PLACE_MS / 2);
  come_back (rig, host, host->seq);
  expect_returned (host);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, member->peer);
  expect_nothing (host);
}
GST_END_TEST;

GST_START_TEST (a_member_that_knocks_comes_in_anew_and_keeps_its_transport)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  rig_events (rig, HUB_EVENT_ADMITTED, 0);
  prove (rig, host, member);
  send_mls (rig, host, WIRE_APPLICATION, 0, "one");
  expect_frame (host, WIRE_APPLICATION, host->seq + 1, "one");
  expect_frame (member, WIRE_APPLICATION, host->seq, "one");
  uint64_t seq = commit (rig, host, "remove and add", "welcome");
  expect_frame (member, WIRE_COMMIT, seq, "remove and add");
  send_mls (rig, host, WIRE_APPLICATION, 0, "two");
  expect_frame (member, WIRE_APPLICATION, seq + 1, "two");
  say_admit (rig, host, member->peer);
  say_admitted (rig, host, member->peer, seq);
  expect (member, WIRE_ADMIT);
  expect_admitted (member, seq, "welcome");
  expect_frame (member, WIRE_APPLICATION, seq + 1, "two"); /* readable now */
  expect_nothing (member);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_GONE, 0), 0);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_ADMITTED, 0), 0);
}
GST_END_TEST;

GST_START_TEST (
    a_member_that_came_in_anew_and_may_not_know_it_is_told_once_more)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  prove (rig, host, member);
  uint64_t seq = commit (rig, host, "remove and add", "welcome");
  say_admit (rig, host, member->peer);
  say_admitted (rig, host, member->peer, seq);
  forget_inbox (member);
  SAY (member, .type = WIRE_ACK, .seq = seq); /* read as the old member */
  hang_up (rig, member);
  come_back (rig, member, seq);
  expect_returned (member);
  expect (member, WIRE_ADMIT);
  expect_admitted (member, seq, "welcome");
  expect_nothing (member);
  send_mls (rig, member, WIRE_APPLICATION, 0, "here I am");
  forget_inbox (member);
  hang_up (rig, member);
  come_back (rig, member, seq + 1);
  expect_returned (member);
  expect_nothing (member);
}
GST_END_TEST;

GST_START_TEST (a_members_knock_is_served_before_strangers_knocks)
{
  Client *host = open_meeting (rig, owner, 1), *member = arrive (rig);
  let_in (rig, host, member);
  for (int i = 0; i < 3; i++)
    say_knock (rig, arrive (rig));
  say_knock (rig, member);
  SAY (host, .type = WIRE_CREDITS, .credits = 2);
  fail_unless_equals_uint64 (expect (host, WIRE_KNOCK)->peer, member->peer);
  expect_nothing (host);
}
GST_END_TEST;

GST_START_TEST (an_admin_at_the_door_itself_serves_nobody_until_it_is_in)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  name_admin (rig, host, deputy);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_opened (co);
  SAY (co, .type = WIRE_CREDITS, .credits = 16);
  prove (rig, host, co);
  for (int i = 0; i < 3; i++)
    say_knock (rig, arrive (rig));
  expect_nothing (co);
  for (int i = 0; i < 3; i++)
    expect (host, WIRE_KNOCK);
  uint64_t seq = commit (rig, host, "remove and add", "welcome");
  say_admit (rig, host, co->peer);
  say_admitted (rig, host, co->peer, seq);
  forget_inbox (co);
  say_knock (rig, joiner);
  expect (co, WIRE_KNOCK);
}
GST_END_TEST;

GST_START_TEST (
    an_owner_at_the_door_is_told_waiting_only_when_nobody_can_let_it_in)
{
  Client *host = open_meeting (rig, owner, 0);
  name_admin (rig, host, deputy);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_opened (co);
  SAY (co, .type = WIRE_CREDITS, .credits = 1);
  say_knock (rig, arrive (rig));
  expect (co, WIRE_KNOCK);
  say_knock (rig, host); /* its process was restarted, say */
  expect_nothing (host); /* another serves, without credit just now */
  hang_up (rig, co);
  say_knock (rig, host);
  expect (host, WIRE_WAITING);
  /* So it opens a group of its own: its knock, and no other, is forgotten. */
  Client *joiner = arrive (rig);
  say_knock (rig, joiner);
  SAY (host, .type = WIRE_CREDITS, .credits = 2);
  fail_unless_equals_uint64 (expect (host, WIRE_KNOCK)->peer, joiner->peer);
  expect_nothing (host);
}
GST_END_TEST;

GST_START_TEST (returned_is_the_first_that_an_admin_gets_on_its_new_connection)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  SAY (member, .type = WIRE_ATTACH, .attach = { .message = FILL (9) });
  expect (host, WIRE_ATTACH);
  come_back (rig, host, 0); /* the attach may have been lost on the way */
  expect_returned (host);
  expect (host, WIRE_ATTACH);
  expect_nothing (host);
}
GST_END_TEST;

GST_START_TEST (a_knock_lost_with_the_admins_connection_costs_no_credit)
{
  Client *host = open_meeting (rig, owner, 1), *joiner = arrive (rig);
  for (int i = 0; i < 3; i++) {
    say_knock (rig, joiner);
    forget_inbox (host); /* the knock never arrived */
    hang_up (rig, host);
    expect (joiner, WIRE_AGAIN);
    come_back (rig, host, host->seq);
    expect_returned (host);
    rig_wait (rig, 1000);
  }
  say_knock (rig, joiner);
  expect (host, WIRE_KNOCK);
}
GST_END_TEST;

GST_START_TEST (a_member_that_knocked_and_went_is_gone)
{
  Client *host = open_meeting (rig, owner, 0), *member = arrive (rig);
  SAY (host, .type = WIRE_CREDITS, .credits = 1);
  let_in (rig, host, member);
  say_knock (rig, member);
  expect (member, WIRE_WAITING); /* no credit */
  hang_up (rig, member);
  rig_wait (rig, LIMIT_PLACE_MS);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, member->peer);
}
GST_END_TEST;

static Suite *
hub_places_suite (void)
{
  Suite *suite = suite_create ("hub-places");
  TCase *places = tcase_create ("places");

  suite_add_tcase (suite, places);
  tcase_add_checked_fixture (places, setup, teardown);
  tcase_set_timeout (places, 60);
  tcase_add_test (places,
      a_place_in_the_queue_survives_a_lost_connection_and_keeps_its_turn);
  tcase_add_test (places,
      a_lapsed_place_is_unknown_and_an_absent_joiners_knock_goes_to_nobody);
  tcase_add_test (
      places, a_run_before_its_proof_is_over_when_the_joiner_is_lost);
  tcase_add_loop_test (
      places, a_proven_joiner_comes_back_to_what_was_said_meanwhile, 0, 5);
  tcase_add_test (places, who_lost_the_admit_gets_all_of_it_when_it_returns);
  tcase_add_test (
      places, a_member_returns_to_what_it_missed_and_to_its_transport);
  tcase_add_test (
      places, a_return_ends_the_connection_that_the_place_still_has);
  tcase_add_test (places,
      a_members_place_that_lapses_is_told_to_the_admins_and_the_forwarder);
  tcase_add_test (places, leave_ends_a_place_at_once);
  tcase_add_test (places, an_admin_that_was_away_hears_of_who_went_meanwhile);
  tcase_add_test (
      places, a_member_that_knocks_comes_in_anew_and_keeps_its_transport);
  tcase_add_test (places,
      a_member_that_came_in_anew_and_may_not_know_it_is_told_once_more);
  tcase_add_test (places, a_members_knock_is_served_before_strangers_knocks);
  tcase_add_test (
      places, an_admin_at_the_door_itself_serves_nobody_until_it_is_in);
  tcase_add_test (places,
      an_owner_at_the_door_is_told_waiting_only_when_nobody_can_let_it_in);
  tcase_add_test (
      places, returned_is_the_first_that_an_admin_gets_on_its_new_connection);
  tcase_add_test (
      places, a_knock_lost_with_the_admins_connection_costs_no_credit);
  tcase_add_test (places, a_member_that_knocked_and_went_is_gone);
  return suite;
}

PURE_CHECK_MAIN (hub_places);

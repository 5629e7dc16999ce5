/* The hub's one order: numbers, log, replay, Welcomes, hand-over after a restart.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hub-rig.h"

static Rig *rig;
static Identity *owner, *deputy;
static Client *host;

static void
setup (void)
{
  rig = rig_new ();
  owner = identity_new ();
  deputy = identity_new ();
  host = open_meeting (rig, owner, 64);
}

static void
teardown (void)
{
  check_sums (rig);
  rig_free (rig);
  identity_free (owner);
  identity_free (deputy);
}

static Client *
member_of (void)
{
  Client *member = arrive (rig);
  let_in (rig, host, member);
  return member;
}

static Client *
co_host (void)
{
  name_admin (rig, host, deputy);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_opened (co);
  return co;
}

/* A frame of `len` bytes from `client`; read by nobody. */
static void
send_large (Client *client, WireKind kind, size_t len)
{
  g_autofree uint8_t *bytes = g_malloc0 (len);
  send_bytes (rig, client, kind, 0, bytes, len);
}

static void
ask_replay (Client *client, uint64_t seq)
{
  SAY (client, .type = WIRE_REPLAY, .seq = seq);
}

GST_START_TEST (all_members_get_all_messages_with_one_number_the_sender_too)
{
  Client *a = member_of (), *b = member_of (), *door = arrive (rig);
  forget_inbox (a);
  uint64_t seq = host->seq;
  send_mls (rig, a, WIRE_APPLICATION, 0, "from a");
  send_mls (rig, b, WIRE_APPLICATION, 0, "from b");
  send_mls (rig, host, WIRE_COMMIT, 0, "commit");
  Client *all[] = { host, a, b };
  for (int i = 0; i < 3; i++) {
    expect_frame (all[i], WIRE_APPLICATION, seq + 1, "from a");
    expect_frame (all[i], WIRE_APPLICATION, seq + 2, "from b");
    expect_frame (all[i], WIRE_COMMIT, seq + 3, "commit");
    expect_nothing (all[i]);
  }
  expect_nothing (door);
}
GST_END_TEST;

GST_START_TEST (
    two_commits_of_one_epoch_are_both_passed_on_for_members_to_judge)
{
  Client *co = co_host ();
  send_mls (rig, co, WIRE_COMMIT, 0, "mine");
  send_mls (rig, host, WIRE_COMMIT, 0, "no, mine");
  expect_frame (host, WIRE_COMMIT, 1, "mine");
  expect_frame (host, WIRE_COMMIT, 2, "no, mine");
}
GST_END_TEST;

GST_START_TEST (
    commits_are_taken_from_admins_only_and_frames_from_members_only)
{
  Client *member = member_of (), *door = arrive (rig);
  uint64_t numbered = hub_stats (rig->hub).numbered;
  send_mls (rig, member, WIRE_COMMIT, 0, "coup");
  expect_error (member, WIRE_CODE_NOT_ADMIN);
  send_mls (rig, member, WIRE_WELCOME, 1, "welcome");
  expect_error (member, WIRE_CODE_NOT_ADMIN);
  memcpy (door->room, host->room, LIMIT_ROOM);
  static const WireKind kinds[] = { WIRE_COMMIT, WIRE_APPLICATION,
    WIRE_WELCOME, WIRE_HANDOVER };
  for (int i = 0; i < 4; i++) {
    send_mls (rig, door, kinds[i], 0, "let me in");
    expect_error (door, WIRE_CODE_NOT_MEMBER);
  }
  expect_nothing (host);
  fail_unless_equals_uint64 (hub_stats (rig->hub).numbered, numbered);
}
GST_END_TEST;

GST_START_TEST (a_frame_for_another_life_of_the_room_is_dropped)
{
  host->room[3] ^= 1;
  send_mls (rig, host, WIRE_APPLICATION, 0, "late");
  expect_nothing (host);
  fail_unless_equals_uint64 (verdicts (rig, HUB_STALE_ROOM), 1);
}
GST_END_TEST;

GST_START_TEST (a_broken_header_ends_the_connection_and_not_the_place)
{
  static const struct
  {
    int at, value;
    size_t len;
  } rows[] = { { 0, 0, 40 }, { 0, 5, 40 }, { 3, 1, 40 }, { 15, 1, 40 },
    { 1, 0, 32 }, { 1, 0, 31 }, { 1, 0, 0 } };
  uint8_t bytes[40] = { WIRE_APPLICATION };
  memcpy (bytes + 16, host->room, LIMIT_ROOM);
  bytes[rows[__i__].at] = (uint8_t) rows[__i__].value;
  hub_frame (rig->hub, host->id, true, bytes, rows[__i__].len);
  rig_pump (rig);
  expect_error (host, WIRE_CODE_MALFORMED);
  fail_unless (host->closed);
  come_back (rig, host, 0);
  expect_returned (host);
}
GST_END_TEST;

/* ---- Who comes in ---- */

GST_START_TEST (
    a_new_member_gets_everything_after_its_commit_and_nothing_before)
{
  Client *joiner = arrive (rig);
  prove (rig, host, joiner);
  send_mls (rig, host, WIRE_APPLICATION, 0, "before");
  expect_frame (host, WIRE_APPLICATION, 1, "before");
  uint64_t seq = commit (rig, host, "add", "welcome");
  send_mls (rig, host, WIRE_APPLICATION, 0, "after");
  send_mls (rig, host, WIRE_COMMIT, 0, "next");
  say_admit (rig, host, joiner->peer);
  say_admitted (rig, host, joiner->peer, seq);
  expect (joiner, WIRE_ADMIT);
  expect_admitted (joiner, seq, "welcome");
  expect_frame (joiner, WIRE_APPLICATION, seq + 1, "after");
  expect_frame (joiner, WIRE_COMMIT, seq + 2, "next");
  expect_nothing (joiner);

  /* Not by asking for it either. */
  ask_replay (joiner, 0);
  expect_nothing (joiner);
  hang_up (rig, joiner);
  come_back (rig, joiner, 0);
  expect_returned (joiner);
  expect_frame (joiner, WIRE_APPLICATION, seq + 1, "after");
  expect_frame (joiner, WIRE_COMMIT, seq + 2, "next");
  expect_nothing (joiner);
}
GST_END_TEST;

GST_START_TEST (one_welcome_serves_all_who_came_by_the_commit)
{
  Client *a = arrive (rig), *b = arrive (rig);
  prove (rig, host, a);
  prove (rig, host, b);
  uint64_t seq = commit (rig, host, "add both", "for both");
  say_admit (rig, host, a->peer);
  say_admitted (rig, host, a->peer, seq);
  say_admit (rig, host, b->peer);
  say_admitted (rig, host, b->peer, seq);
  expect (a, WIRE_ADMIT);
  expect_admitted (a, seq, "for both");
  expect (b, WIRE_ADMIT);
  expect_admitted (b, seq, "for both");
}
GST_END_TEST;

GST_START_TEST (a_welcome_comes_once_and_from_the_commits_own_sender)
{
  Client *co = co_host (), *joiner = arrive (rig);
  prove (rig, host, joiner);
  uint64_t seq = commit (rig, host, "add", NULL);
  send_mls (rig, co, WIRE_WELCOME, seq, "a co-host's");
  send_mls (rig, host, WIRE_WELCOME, seq, "the host's");
  send_mls (rig, host, WIRE_WELCOME, seq, "another");
  send_mls (rig, host, WIRE_WELCOME, seq + 1, "for no commit");
  send_mls (rig, host, WIRE_APPLICATION, 0, "no commit");
  send_mls (rig, host, WIRE_WELCOME, seq + 1, "for no commit");
  fail_unless_equals_uint64 (hub_usage (rig->hub).welcomes, 1);
  say_admit (rig, host, joiner->peer);
  say_admitted (rig, host, joiner->peer, seq);
  expect (joiner, WIRE_ADMIT);
  expect_admitted (joiner, seq, "the host's");
}
GST_END_TEST;

GST_START_TEST (admitted_without_a_welcome_or_for_a_commit_to_come_is_again)
{
  static const uint64_t ahead[] = { 0, 1 };
  Client *joiner = arrive (rig);
  prove (rig, host, joiner);
  uint64_t seq = commit (rig, host, "add", NULL);
  say_admit (rig, host, joiner->peer);
  say_admitted (rig, host, joiner->peer, seq + ahead[__i__]);
  expect (joiner, WIRE_ADMIT);
  expect (joiner, WIRE_AGAIN);
  expect_nothing (joiner);
  fail_unless_equals_uint64 (hub_usage (rig->hub).members, 1);
}
GST_END_TEST;

/* ---- Log and replay ---- */

GST_START_TEST (replay_gives_again_what_is_after_a_number)
{
  send_mls (rig, host, WIRE_APPLICATION, 0, "one");
  send_mls (rig, host, WIRE_APPLICATION, 0, "two");
  forget_inbox (host);
  ask_replay (host, 1);
  expect_frame (host, WIRE_APPLICATION, 2, "two");
  ask_replay (host, 0);
  expect_frame (host, WIRE_APPLICATION, 1, "one");
  expect_frame (host, WIRE_APPLICATION, 2, "two");
  ask_replay (host, 2);
  expect_nothing (host);
  ask_replay (host, 3); /* of a number that is not given yet */
  expect_error (host, WIRE_CODE_TOO_LATE);
}
GST_END_TEST;

GST_START_TEST (what_nobody_acknowledges_is_kept_a_minute)
{
  send_mls (rig, host, WIRE_APPLICATION, 0, "one");
  forget_inbox (host);
  rig_wait (rig, HUB_LOG_MS - HUB_SWEEP_MS);
  ask_replay (host, 0);
  expect_frame (host, WIRE_APPLICATION, 1, "one");
  rig_wait (rig, 2 * HUB_SWEEP_MS);
  ask_replay (host, 0);
  expect_error (host, WIRE_CODE_TOO_LATE);
  fail_unless_equals_uint64 (hub_usage (rig->hub).log_frames, 0);
}
GST_END_TEST;

GST_START_TEST (what_all_have_acknowledged_goes_early)
{
  rig_wait (rig, HUB_LOG_MS); /* in its first minute a room keeps all */
  Client *member = member_of ();
  send_mls (rig, host, WIRE_APPLICATION, 0, "one");
  forget_inbox (host);
  expect_frame (member, WIRE_APPLICATION, 2, "one");
  SAY (host, .type = WIRE_ACK, .seq = 2);
  rig_wait (rig, HUB_LOG_ACKED_MS + HUB_SWEEP_MS);
  fail_unless (hub_usage (rig->hub).log_frames > 0); /* one has not */
  SAY (member, .type = WIRE_ACK, .seq = 2);
  rig_wait (rig, HUB_SWEEP_MS);
  fail_unless_equals_uint64 (hub_usage (rig->hub).log_frames, 0);
  SAY (host, .type = WIRE_ACK, .seq = 3); /* of what never was */
  fail_unless_equals_uint64 (verdicts (rig, HUB_UNEXPECTED), 1);
}
GST_END_TEST;

GST_START_TEST (a_member_that_comes_back_too_late_for_the_log_must_knock)
{
  Client *member = member_of ();
  hang_up (rig, member);
  uint64_t missed = member->seq;
  for (int i = 0; i < 12; i++) {
    send_large (host, WIRE_COMMIT, 1000000);
    rig_wait (rig, 1000);
  }
  forget_inbox (host);
  fail_unless (hub_usage (rig->hub).log_bytes <= HUB_LOG_BYTES);
  fail_unless (hub_stats (rig->hub).log_crowded > 0);
  come_back (rig, member, missed);
  expect_returned (member);
  expect_error (member, WIRE_CODE_TOO_LATE);
  expect_nothing (host);     /* its leaf is not to be removed now */
  prove (rig, host, member); /* and can come in anew */
}
GST_END_TEST;

GST_START_TEST (the_log_has_a_bound_of_frames_too)
{
  Client *members[16];
  for (int i = 0; i < 16; i++)
    members[i] = member_of ();
  for (int turn = 0; turn < 12; turn++) {
    for (int i = 0; i < 16; i++)
      for (int k = 0; k < 60; k++)
        send_mls (rig, members[i], WIRE_APPLICATION, 0, "x");
    rig_wait (rig, 3000);
    for (int i = 0; i < 16; i++)
      forget_inbox (members[i]);
    forget_inbox (host);
  }
  fail_unless (hub_stats (rig->hub).numbered > HUB_LOG_FRAMES);
  fail_unless_equals_uint64 (hub_usage (rig->hub).log_frames, HUB_LOG_FRAMES);
}
GST_END_TEST;

GST_START_TEST (a_replay_costs_a_budget_of_bytes)
{
  for (int i = 0; i < 7; i++)
    send_large (host, WIRE_COMMIT, 1000000);
  forget_inbox (host);
  uint64_t sent = hub_stats (rig->hub).sent;
  for (int i = 0; i < 5; i++)
    ask_replay (host, 0);
  fail_unless_equals_uint64 (hub_stats (rig->hub).sent - sent, 2 * 7 + 3);
  fail_unless_equals_uint64 (verdicts (rig, HUB_RATE_LIMITED), 3);
}
GST_END_TEST;

/* ---- Rates ---- */

GST_START_TEST (commits_and_applications_have_rates_of_their_own)
{
  for (int i = 0; i < HUB_COMMIT_BURST + 5; i++)
    send_mls (rig, host, WIRE_COMMIT, 0, "c");
  fail_unless_equals_uint64 (hub_stats (rig->hub).numbered, HUB_COMMIT_BURST);
  for (int i = 0; i < HUB_APPLICATION_BURST + 5; i++)
    send_mls (rig, host, WIRE_APPLICATION, 0, "a");
  fail_unless_equals_uint64 (
      hub_stats (rig->hub).numbered, HUB_COMMIT_BURST + HUB_APPLICATION_BURST);
  fail_unless_equals_uint64 (verdicts (rig, HUB_RATE_LIMITED), 10);
  rig_wait (rig, 1000);
  for (int i = 0; i < 50; i++)
    send_mls (rig, host, WIRE_COMMIT, 0, "c");
  fail_unless_equals_uint64 (hub_stats (rig->hub).numbered,
      HUB_COMMIT_BURST + HUB_APPLICATION_BURST + HUB_COMMIT_RATE);
  fail_if (host->closed);
}
GST_END_TEST;

GST_START_TEST (members_may_send_a_mebibyte_strangers_eight_kibibytes)
{
  Client *door = arrive (rig);
  send_large (host, WIRE_APPLICATION, LIMIT_FRAME_AFTER - WIRE_HEADER);
  fail_unless_equals_uint64 (hub_stats (rig->hub).numbered, 1);
  forget_inbox (host);
  send_large (host, WIRE_APPLICATION, LIMIT_FRAME_AFTER - WIRE_HEADER + 1);
  expect_error (host, WIRE_CODE_TOO_LARGE);
  fail_unless (host->closed);
  send_large (door, WIRE_APPLICATION, LIMIT_FRAME_BEFORE - WIRE_HEADER);
  expect_error (door, WIRE_CODE_NOT_MEMBER);
  send_large (door, WIRE_APPLICATION, LIMIT_FRAME_BEFORE - WIRE_HEADER + 1);
  expect_error (door, WIRE_CODE_TOO_LARGE);
  fail_unless (door->closed);
}
GST_END_TEST;

GST_START_TEST (welcomes_have_bounds_and_the_oldest_goes)
{
  g_autofree uint8_t *large = g_malloc0 (1000000);
  uint64_t seq = 0;
  for (int i = 0; i < 10; i++) {
    seq = commit (rig, host, "add", NULL);
    send_bytes (rig, host, WIRE_WELCOME, seq, large, 1000000);
    rig_wait (rig, 1000);
  }
  HubUsage usage = hub_usage (rig->hub);
  fail_unless (usage.welcome_bytes <= HUB_WELCOME_BYTES);
  fail_unless_equals_uint64 (usage.welcomes, 8);
  rig_wait (rig, HUB_WELCOME_MS + HUB_SWEEP_MS);
  fail_unless_equals_uint64 (hub_usage (rig->hub).welcome_bytes, 0);
}
GST_END_TEST;

/* ---- After a restart ---- */

GST_START_TEST (what_one_member_hands_over_another_need_not)
{
  Client *member = member_of ();
  send_mls (rig, host, WIRE_HANDOVER, 0, "old one");
  send_mls (rig, member, WIRE_HANDOVER, 0, "old one");
  send_mls (rig, member, WIRE_HANDOVER, 0, "old two");
  expect_frame (member, WIRE_COMMIT, 2, "old one");
  expect_frame (member, WIRE_COMMIT, 3, "old two");
  expect_nothing (member);
  fail_unless_equals_uint64 (verdicts (rig, HUB_KNOWN), 1);
}
GST_END_TEST;

GST_START_TEST (commits_are_handed_over_in_the_first_minute_only_and_bounded)
{
  char text[16];
  for (int i = 0; i < HUB_HANDOVERS + 3; i++) {
    g_snprintf (text, sizeof text, "old %d", i);
    send_mls (rig, host, WIRE_HANDOVER, 0, text);
  }
  fail_unless_equals_uint64 (hub_stats (rig->hub).numbered, HUB_HANDOVERS);
  fail_unless_equals_uint64 (verdicts (rig, HUB_BUSY), 3);
  rig_wait (rig, LIMIT_KEPT_MS);
  uint64_t unexpected = verdicts (rig, HUB_UNEXPECTED);
  send_mls (rig, host, WIRE_HANDOVER, 0, "too late");
  fail_unless_equals_uint64 (verdicts (rig, HUB_UNEXPECTED), unexpected + 1);
}
GST_END_TEST;

GST_START_TEST (
    the_order_ends_with_its_last_member_and_another_room_begins_at_0)
{
  send_mls (rig, host, WIRE_APPLICATION, 0, "one");
  forget_inbox (host);
  uint8_t room[LIMIT_ROOM];
  memcpy (room, host->room, LIMIT_ROOM);
  hang_up (rig, host);
  rig_wait (rig, LIMIT_PLACE_MS);
  fail_unless_equals_uint64 (hub_usage (rig->hub).log_bytes, 0);
  Client *again = arrive (rig);
  say_open (rig, again, owner, false);
  fail_unless_equals_uint64 (expect_opened (again)->opened.seq, 0);
  fail_if (memcmp (room, again->room, LIMIT_ROOM) == 0);
}
GST_END_TEST;

static Suite *
hub_order_suite (void)
{
  Suite *suite = suite_create ("hub-order");
  TCase *tc = tcase_create ("order");

  suite_add_tcase (suite, tc);
  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_set_timeout (tc, 120);
  tcase_add_test (
      tc, all_members_get_all_messages_with_one_number_the_sender_too);
  tcase_add_test (
      tc, two_commits_of_one_epoch_are_both_passed_on_for_members_to_judge);
  tcase_add_test (
      tc, commits_are_taken_from_admins_only_and_frames_from_members_only);
  tcase_add_test (tc, a_frame_for_another_life_of_the_room_is_dropped);
  tcase_add_loop_test (
      tc, a_broken_header_ends_the_connection_and_not_the_place, 0, 7);
  tcase_add_test (
      tc, a_new_member_gets_everything_after_its_commit_and_nothing_before);
  tcase_add_test (tc, one_welcome_serves_all_who_came_by_the_commit);
  tcase_add_test (tc, a_welcome_comes_once_and_from_the_commits_own_sender);
  tcase_add_loop_test (
      tc, admitted_without_a_welcome_or_for_a_commit_to_come_is_again, 0, 2);
  tcase_add_test (tc, replay_gives_again_what_is_after_a_number);
  tcase_add_test (tc, what_nobody_acknowledges_is_kept_a_minute);
  tcase_add_test (tc, what_all_have_acknowledged_goes_early);
  tcase_add_test (
      tc, a_member_that_comes_back_too_late_for_the_log_must_knock);
  tcase_add_test (tc, the_log_has_a_bound_of_frames_too);
  tcase_add_test (tc, a_replay_costs_a_budget_of_bytes);
  tcase_add_test (tc, commits_and_applications_have_rates_of_their_own);
  tcase_add_test (tc, members_may_send_a_mebibyte_strangers_eight_kibibytes);
  tcase_add_test (tc, welcomes_have_bounds_and_the_oldest_goes);
  tcase_add_test (tc, what_one_member_hands_over_another_need_not);
  tcase_add_test (
      tc, commits_are_handed_over_in_the_first_minute_only_and_bounded);
  tcase_add_test (
      tc, the_order_ends_with_its_last_member_and_another_room_begins_at_0);
  return suite;
}

PURE_CHECK_MAIN (hub_order);

/* A meeting goes on: commits, restarts, hand-overs, hubs that forget, in virtual time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session-meeting.h"

GST_START_TEST (who_says_bye_is_removed_and_who_vanishes_too)
{
  World *w = meeting (3);
  fail_unless (session_leave (of (w, 1)));
  world_run (w, 100);
  fail_unless_state (w, 1, SESSION_LEFT);
  world_run (w, 400);
  check_members (w, 0, 2, 3);
  fail_unless_equals_int (
      last_event (w, 2, SESSION_EVENT_LEFT)->reason, LEFT_BY_ITSELF);
  world_crash (w, 2);
  world_run (w, 29000);
  fail_unless_equals_uint64 (session_members (of (w, 0)), 3);
  world_run (w, 2000);
  check_members (w, 0, 3);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_lost_connection_resumes_without_a_commit)
{
  World *w = meeting (2);
  guint64 epoch = session_epoch (of (w, 0));
  w->clients[1].offline = TRUE;
  client_cut (w, 1);
  fail_unless (session_rotate (of (w, 0)));
  fail_unless (session_chat (of (w, 2), "while you were away"));
  world_run (w, 20000);
  fail_unless_equals_uint64 (session_epoch (of (w, 1)), epoch);
  w->clients[1].offline = FALSE;
  world_run (w, 9000);
  check_members (w, 0, 1, 2);
  fail_unless_equals_uint64 (session_epoch (of (w, 1)), epoch + 1);
  fail_unless_equals_string (
      last_event (w, 1, SESSION_EVENT_MESSAGE)->message.chat,
      "while you were away");
  fail_unless_equals_uint64 (session_stats (of (w, 1)).rejoins, 0);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (what_the_hub_gave_out_is_of_a_place_in_a_room)
{
  World *w = meeting (1);
  guint64 peer = 0, other = 0;
  guint8 room[LIMIT_ROOM], later[LIMIT_ROOM];

  fail_unless (session_place (of (w, 1), &peer, room));
  client_cut (w, 1);
  fail_if (session_place (of (w, 1), &other, later));
  world_run (w, 5000);
  fail_unless (session_place (of (w, 1), &other, later));
  fail_unless_equals_uint64 (other, peer);
  fail_unless (memcmp (later, room, LIMIT_ROOM) == 0);
  world_restart_hub (w);
  world_run (w, 15000);
  fail_unless (session_place (of (w, 1), &other, later));
  fail_unless (memcmp (later, room, LIMIT_ROOM) != 0);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (who_lost_the_hub_tries_again_at_least_every_three_seconds)
{
  World *w = meeting (1);
  Session *session = of (w, 1);
  guint64 now = w->now, last = 0;
  SessionOutput output;

  for (guint i = 0; i < 12; i++) {
    guint tries = 0;
    session_tick (session, now, now);
    session_disconnected (session);
    last = session_deadline (session) - now;
    fail_unless (
        last > 0 && last <= 3000, "try %u after %" G_GUINT64_FORMAT, i, last);
    now += last;
    session_tick (session, now, now);
    while (session_next_output (session, &output)) {
      tries += output.type == SESSION_CONNECT;
      session_output_clear (&output);
    }
    fail_unless_equals_int (tries, 1);
  }
  fail_unless_equals_uint64 (last, 3000);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_restarted_member_takes_its_old_leafs_place)
{
  World *w = meeting (2);
  world_crash (w, 1);
  int again = start_again (w, 1, guest_config ("Guest 1"));
  world_run (w, 1000);
  check_members (w, 0, 2, again);
  /* The place of the old connection lapses later; the member stays. */
  world_run (w, 60000);
  check_members (w, 0, 2, again);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (of_two_admins_commits_one_wins_and_both_are_done)
{
  World *w = meeting (3);
  fail_unless (session_promote (of (w, 0), client_key (w, 1)));
  world_run (w, 2000);
  check_members (w, 0, 1, 2, 3);
  fail_unless_equals_uint64 (session_policy (of (w, 3))->n_admins, 1);
  guint64 epoch = session_epoch (of (w, 0));

  fail_unless (session_lock (of (w, 0), true));
  fail_unless (session_remove (of (w, 1), client_key (w, 3)));
  world_run (w, 1000);
  check_members (w, 0, 1, 2);
  fail_unless (session_policy (of (w, 2))->locked);
  fail_unless_equals_uint64 (session_epoch (of (w, 0)), epoch + 2);
  fail_unless_state (w, 3, SESSION_REMOVED);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_co_host_lets_in_by_its_chain_when_the_host_is_away)
{
  World *w = meeting (1);
  char uri[LINK_SIZE];
  fail_unless (session_link_text (of (w, 0), uri));
  fail_unless (session_promote (of (w, 0), client_key (w, 1)));
  world_run (w, 2000);
  w->clients[0].offline = TRUE;
  client_cut (w, 0);
  SessionConfig config = guest_config ("Late");
  config.uri = uri;
  int late = world_add (w, config);
  world_run (w, 2000);
  fail_unless_state (w, late, SESSION_MEMBER);
  fail_unless (session_host_verified (of (w, late)));
  w->clients[0].offline = FALSE;
  world_run (w, 9000);
  check_members (w, 0, 1, late);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_demoted_co_host_can_not_commit)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  fail_if (session_demote (of (w, 1), client_key (w, 0)));
  fail_if (session_remove (of (w, 1), client_key (w, 0)));
  fail_unless (session_demote (of (w, 0), client_key (w, 1)));
  world_run (w, 1000);
  fail_unless_equals_uint64 (session_policy (of (w, 2))->n_admins, 0);
  fail_if (session_lock (of (w, 1), true));
  fail_if (session_rotate (of (w, 1)));
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_removed_co_host_is_no_admin_any_more)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  fail_unless (session_remove (of (w, 0), client_key (w, 1)));
  world_run (w, 1000);
  check_members (w, 0, 2);
  fail_unless_equals_uint64 (session_policy (of (w, 0))->n_admins, 0);
  int again = start_again (w, 1, guest_config ("Guest 1"));
  world_run (w, 1000);
  fail_unless_state (w, again, SESSION_DENIED);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (the_owner_hands_over_and_the_new_one_lets_in)
{
  World *w = meeting (2);
  char uri[LINK_SIZE];
  fail_unless (session_link_text (of (w, 0), uri));
  fail_unless (session_hand_over (of (w, 0), client_key (w, 2)));
  world_run (w, 2000);
  check_members (w, 0, 1, 2);
  SessionMember member;
  fail_unless (session_find_member (of (w, 1), client_key (w, 2), &member));
  fail_unless (member.owner);
  fail_unless (session_find_member (of (w, 1), client_key (w, 0), &member));
  fail_unless (member.admin && !member.owner);
  fail_if (session_promote (of (w, 0), client_key (w, 1)));
  fail_unless (session_promote (of (w, 2), client_key (w, 1)));
  world_run (w, 2000);
  /* Whom the second owner named lets in whom the first one's link was given to. */
  w->clients[0].offline = w->clients[2].offline = TRUE;
  client_cut (w, 0);
  client_cut (w, 2);
  SessionConfig config = guest_config ("Late");
  config.uri = uri;
  int late = world_add (w, config);
  world_run (w, 2000);
  fail_unless_state (w, late, SESSION_MEMBER);
  fail_unless (session_host_verified (of (w, late)));
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (an_owner_who_leaves_hands_over_to_the_longest_present)
{
  World *w = meeting (1);
  int late = world_add (w, guest_config ("Late"));
  world_run (w, 1000);
  Policy policy = *session_policy (of (w, 0));
  policy.hand_over = HAND_OVER_LONGEST_PRESENT;
  fail_unless (session_set_policy (of (w, 0), &policy));
  world_run (w, 1000);
  fail_unless (session_leave (of (w, 0)));
  world_run (w, 6000);
  fail_unless_state (w, 0, SESSION_LEFT);
  check_members (w, 1, late);
  fail_unless (
      policy_is_owner (session_policy (of (w, 1)), client_key (w, 1)));
  int more = world_add (w, guest_config ("More"));
  world_run (w, 1000);
  check_members (w, 1, late, more);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (the_owner_ends_the_meeting_for_all)
{
  World *w = meeting (2);
  fail_if (session_end (of (w, 1)));
  fail_unless (session_leave (of (w, 0)));
  world_run (w, 100);
  for (int i = 0; i < 3; i++) {
    fail_unless_state (w, i, SESSION_ENDED);
    fail_unless (session_policy (of (w, i)) == NULL);
    fail_unless_equals_uint64 (session_members (of (w, i)), 0);
    fail_unless_equals_uint64 (session_deadline (of (w, i)), G_MAXUINT64);
  }
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (keys_change_by_themselves)
{
  World *w = meeting (1);
  guint64 epoch = session_epoch (of (w, 0));
  world_run (w, LIMIT_REKEY_MS + 1000);
  fail_unless_equals_uint64 (session_epoch (of (w, 0)), epoch + 1);
  check_members (w, 0, 1);
  world_free (w);
}
GST_END_TEST;

/* ---- The host and the hub go ---- */

GST_START_TEST (a_crashed_owner_comes_back_to_its_group_by_a_co_host)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  session_lock (of (w, 0), true);
  world_run (w, 500);
  world_crash (w, 0);
  int again = start_again (w, 0, owner_config (ADMISSION_PASSWORD));
  world_run (w, 3000);
  check_members (w, 1, 2, again);
  fail_unless (session_lock (of (w, again), false));
  world_run (w, 500);
  fail_if (session_policy (of (w, 1))->locked);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_crashed_sole_owner_reopens_and_members_follow)
{
  World *w = meeting (2);
  SessionEvent *record = last_event (w, 0, SESSION_EVENT_RECORD);
  GBytes *kept = g_bytes_new (record->record.data, record->record.len);
  guint64 opened = session_policy (of (w, 0))->opened;
  guint8 group[DOOR_GROUP_ID_LEN];
  memcpy (group, session_group_id (of (w, 0)), sizeof group);
  world_crash (w, 0);
  SessionConfig config = owner_config (ADMISSION_PASSWORD);
  /* Under a waiting room: keys in the record are let in without. */
  config.policy.admission = ADMISSION_WAITING_ROOM;
  config.record = g_bytes_get_data (kept, &config.record_len);
  int again = start_again (w, 0, config);
  world_run (w, 3000);
  check_members (w, 1, 2, again);
  fail_unless (session_policy (of (w, 1))->opened > opened);
  fail_if (memcmp (session_group_id (of (w, 1)), group, sizeof group) == 0);
  g_bytes_unref (kept);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (reopened_is_obeyed_only_from_the_owner_and_only_later)
{
  World *w = meeting (1);
  const char *meeting_name = "standup";
  guint8 group[DOOR_GROUP_ID_LEN] = { 1 };
  guint64 opened = session_policy (of (w, 1))->opened;
  WireMessage m = { .type = WIRE_REOPENED };
  HubPlace *place = client_place (w, 1);
  memcpy (m.reopened.group_id, group, sizeof group);

  m.reopened.opened = opened + 1;
  wire_sign_reopened (
      w->clients[1].identity, meeting_name, opened + 1, group, m.reopened.sig);
  hub_send (w, place, &m);
  fail_unless_state (w, 1, SESSION_MEMBER);
  m.reopened.opened = opened;
  wire_sign_reopened (
      w->clients[0].identity, meeting_name, opened, group, m.reopened.sig);
  hub_send (w, place, &m);
  fail_unless_state (w, 1, SESSION_MEMBER);
  m.reopened.opened = opened + 1;
  wire_sign_reopened (
      w->clients[0].identity, meeting_name, opened + 1, group, m.reopened.sig);
  hub_send (w, place, &m);
  fail_unless_state (w, 1, SESSION_REJOINING);
  /* The owner itself offers another one: that is where it is. */
  world_run (w, 30000);
  check_members (w, 0, 1);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_co_host_can_not_lead_into_another_group_than_reopened_names)
{
  World *w = meeting (2);
  guint8 group[DOOR_GROUP_ID_LEN] = { 1 };
  guint64 opened = session_policy (of (w, 1))->opened + 1;
  WireMessage m = { .type = WIRE_REOPENED };
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  w->clients[0].offline = TRUE;
  client_cut (w, 0);
  memcpy (m.reopened.group_id, group, sizeof group);
  m.reopened.opened = opened;
  wire_sign_reopened (
      w->clients[0].identity, "standup", opened, group, m.reopened.sig);
  hub_send (w, client_place (w, 2), &m);
  world_run (w, 20000);
  fail_unless_state (w, 2, SESSION_REJOINING);
  fail_unless (session_stats (of (w, 1)).replies > 0);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (after_a_hub_restart_all_are_there_again_without_a_commit)
{
  World *w = meeting (3);
  session_promote (of (w, 0), client_key (w, 2));
  world_run (w, 2000);
  guint64 epoch = session_epoch (of (w, 0));
  world_restart_hub (w);
  world_run (w, 5000);
  check_members (w, 0, 1, 2, 3);
  fail_unless_equals_uint64 (session_epoch (of (w, 0)), epoch);
  for (int i = 0; i < 4; i++)
    fail_unless_equals_uint64 (session_stats (of (w, i)).rejoins, 0);
  fail_unless (session_chat (of (w, 1), "still here"));
  world_run (w, 100);
  fail_unless_equals_string (
      last_event (w, 3, SESSION_EVENT_MESSAGE)->message.chat, "still here");
  int late = world_add (w, guest_config ("Late"));
  world_run (w, 1000);
  check_members (w, 0, 1, 2, 3, late);
  world_free (w);
}
GST_END_TEST;

static int withheld_from;

static gboolean
withhold_commits (World *w, int to, const HubFrame *frame)
{
  return to != withheld_from && frame->kind == WIRE_COMMIT;
}

GST_START_TEST (a_hub_that_dies_with_a_half_delivered_commit_parts_nobody)
{
  /* Each time somebody else has seen the commit that the others have not: its author, a co-host, a participant. */
  for (withheld_from = 0; withheld_from < 3; withheld_from++) {
    World *w = meeting (3);
    session_promote (of (w, 0), client_key (w, 1));
    world_run (w, 2000);
    w->withhold = withhold_commits;
    fail_unless (session_remove (of (w, 0), client_key (w, 3)));
    world_settle (w);
    w->withhold = NULL;
    world_restart_hub (w);
    world_run (w, 9000);
    check_members (w, 0, 1, 2);
    world_free (w);
  }
}
GST_END_TEST;

static gboolean
withhold_from_one (World *w, int to, const HubFrame *frame)
{
  return to == withheld_from && frame->kind == WIRE_COMMIT;
}

GST_START_TEST (who_misses_a_commit_asks_again_and_then_knocks)
{
  World *w = meeting (2);
  withheld_from = 1;
  w->withhold = withhold_from_one;
  fail_unless (session_rotate (of (w, 0)));
  fail_unless (session_chat (of (w, 2), "in the new epoch"));
  world_run (w, 100);
  fail_unless (session_chat (of (w, 2), "in the new epoch"));
  world_run (w, 1000);
  w->withhold = NULL;
  world_run (w, 8000);
  check_members (w, 0, 1, 2);
  world_free (w);
}
GST_END_TEST;

static Suite *
session_group_suite (void)
{
  Suite *s = suite_create ("session-group");
  TCase *tc = tcase_create ("group");

  tcase_set_timeout (tc, 60);
  tcase_add_checked_fixture (tc, world_set_up, world_tear_down);
  suite_add_tcase (s, tc);
  tcase_add_test (tc, who_says_bye_is_removed_and_who_vanishes_too);
  tcase_add_test (tc, a_lost_connection_resumes_without_a_commit);
  tcase_add_test (tc, what_the_hub_gave_out_is_of_a_place_in_a_room);
  tcase_add_test (
      tc, who_lost_the_hub_tries_again_at_least_every_three_seconds);
  tcase_add_test (tc, a_restarted_member_takes_its_old_leafs_place);
  tcase_add_test (tc, of_two_admins_commits_one_wins_and_both_are_done);
  tcase_add_test (
      tc, a_co_host_lets_in_by_its_chain_when_the_host_is_away);
  tcase_add_test (tc, a_demoted_co_host_can_not_commit);
  tcase_add_test (tc, a_removed_co_host_is_no_admin_any_more);
  tcase_add_test (tc, the_owner_hands_over_and_the_new_one_lets_in);
  tcase_add_test (
      tc, an_owner_who_leaves_hands_over_to_the_longest_present);
  tcase_add_test (tc, the_owner_ends_the_meeting_for_all);
  tcase_add_test (tc, keys_change_by_themselves);
  tcase_add_test (
      tc, a_crashed_owner_comes_back_to_its_group_by_a_co_host);
  tcase_add_test (tc, a_crashed_sole_owner_reopens_and_members_follow);
  tcase_add_test (
      tc, reopened_is_obeyed_only_from_the_owner_and_only_later);
  tcase_add_test (
      tc, a_co_host_can_not_lead_into_another_group_than_reopened_names);
  tcase_add_test (
      tc, after_a_hub_restart_all_are_there_again_without_a_commit);
  tcase_add_test (
      tc, a_hub_that_dies_with_a_half_delivered_commit_parts_nobody);
  tcase_add_test (tc, who_misses_a_commit_asks_again_and_then_knocks);
  return s;
}

PURE_CHECK_MAIN (session_group)

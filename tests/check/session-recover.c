/* What the simulation has found: words lost at a bad moment, a hub that forgets, rubbish from a member. Each is told here in a
 * few steps.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session-meeting.h"

#include "ext/mls/group_private.h"
#include "ext/session/session_private.h"

/* ---- Connections ---- */

GST_START_TEST (a_hub_that_says_nothing_is_tried_again)
{
  World *w = world_new ();
  w->mute = TRUE;
  world_add (w, owner_config (ADMISSION_PASSWORD));
  world_run (w, 5000);
  fail_unless_state (w, 0, SESSION_CONNECTING);
  w->mute = FALSE;
  world_run (w, LIMIT_HELLO_MS);
  fail_unless_state (w, 0, SESSION_MEMBER);

  /* Nor does who comes back to a place wait for ever. */
  w->mute = TRUE;
  client_cut (w, 0);
  world_run (w, 1000);
  w->mute = FALSE;
  world_add (w, guest_config ("Guest"));
  world_run (w, LIMIT_HELLO_MS + 3000);
  check_members (w, 0, 1);
  world_free (w);
}
GST_END_TEST;

static gboolean
lose_first_words (World *w, int from, const WireMessage *text)
{
  return from == 0 && text
         && (text->type == WIRE_ADMINS || text->type == WIRE_CREDITS
             || text->type == WIRE_REOPENED);
}

GST_START_TEST (an_owners_first_words_are_said_again)
{
  World *w = world_new ();
  w->lose = lose_first_words;
  world_add (w, owner_config (ADMISSION_PASSWORD));
  world_run (w, 100);
  fail_unless_state (w, 0, SESSION_MEMBER);
  fail_unless_equals_uint64 (w->hub.n_admins, 0);
  w->lose = NULL;
  client_cut (w, 0);
  world_add (w, guest_config ("Guest"));
  world_run (w, 3000);
  check_members (w, 0, 1);
  fail_unless_equals_uint64 (w->hub.n_admins, 1);
  fail_unless (w->hub.have_reopened);
  world_free (w);
}
GST_END_TEST;

static gboolean
lose_admit (World *w, int from, const WireMessage *text)
{
  return from == 0 && text
         && (text->type == WIRE_ADMIT || text->type == WIRE_ADMITTED);
}

GST_START_TEST (an_admit_lost_with_the_hosts_connection_is_begun_again)
{
  World *w = world_new ();
  world_add (w, owner_config (ADMISSION_WAITING_ROOM));
  world_run (w, 100);
  char link[LINK_SIZE];
  fail_unless (session_link_text (of (w, 0), link));
  SessionConfig config = guest_config ("Guest");
  config.uri = link; /* with #host: it may begin again by itself */
  world_add (w, config);
  world_run (w, 1000);
  fail_unless_state (w, 1, SESSION_WAITING);
  w->lose = lose_admit;
  fail_unless (
      session_admit (of (w, 0), last_event (w, 0, SESSION_EVENT_KNOCK)->peer));
  world_run (w, 500);
  fail_unless_equals_uint64 (session_members (of (w, 0)), 2);
  fail_unless_state (w, 1, SESSION_WAITING);
  w->lose = NULL;
  client_cut (w, 0);
  world_run (w, 5000);
  check_members (w, 0, 1);
  world_free (w);
}
GST_END_TEST;

static gboolean
lose_all_of_2 (World *w, int from, const WireMessage *text)
{
  return from == 2;
}

GST_START_TEST (a_removed_members_place_is_ended)
{
  World *w = meeting (2);
  guint64 peer = client_place (w, 2)->peer;
  w->lose =
      lose_all_of_2; /* it would say that it leaves, which proves nothing */
  fail_unless (session_remove (of (w, 0), client_key (w, 2)));
  world_run (w, 500);
  fail_unless (hub_place (&w->hub, peer) == NULL,
      "who was removed still has its place at the hub");
  fail_unless_state (w, 2, SESSION_REMOVED);
  check_members (w, 0, 1);
  world_free (w);
}
GST_END_TEST;

static gboolean
lose_dismiss (World *w, int from, const WireMessage *text)
{
  return from == 2 || (text && text->type == WIRE_DISMISS);
}

GST_START_TEST (a_lost_dismiss_is_said_again)
{
  World *w = meeting (2);
  guint64 peer = client_place (w, 2)->peer;
  w->lose = lose_dismiss;
  fail_unless (session_remove (of (w, 0), client_key (w, 2)));
  world_run (w, 500);
  fail_if (hub_place (&w->hub, peer) == NULL);
  w->lose = NULL;
  client_cut (w, 0);
  world_run (w, 1000);
  fail_unless (hub_place (&w->hub, peer) == NULL);
  world_free (w);
}
GST_END_TEST;

static gboolean
lose_open (World *w, int from, const WireMessage *text)
{
  return text && text->type == WIRE_OPEN;
}

GST_START_TEST (an_open_lost_with_the_connection_is_said_again)
{
  World *w = world_new ();
  w->lose = lose_open;
  world_add (w, owner_config (ADMISSION_PASSWORD));
  world_run (w, 100);
  fail_unless_state (w, 0, SESSION_CONNECTING);
  w->lose = NULL;
  client_cut (w, 0);
  world_run (w, 2000);
  fail_unless_state (w, 0, SESSION_MEMBER);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (who_leaves_waits_until_its_heir_is_there)
{
  World *w = world_new ();
  SessionConfig config = owner_config (ADMISSION_PASSWORD);
  config.policy.hand_over = HAND_OVER_LONGEST_PRESENT;
  world_add (w, config);
  world_run (w, 100);
  world_add (w, guest_config ("Heir"));
  world_run (w, 1000);
  char link[LINK_SIZE];
  fail_unless (session_link_text (of (w, 0), link));
  go_away (w, 1);
  w->clients[1].offline = FALSE; /* back in a moment */
  fail_unless (session_leave (of (w, 0)));
  world_settle (w);
  fail_unless_state (w, 0, SESSION_MEMBER);
  world_run (w, 1000);
  fail_unless_state (w, 0, SESSION_LEFT);
  /* It has what its predecessor signed: the link leads to it. */
  config = guest_config ("Late");
  config.uri = link;
  int late = world_add (w, config);
  world_run (w, 2000);
  check_members (w, 1, late);
  world_free (w);
}
GST_END_TEST;

/* ---- The door ---- */

GST_START_TEST (an_owner_that_opens_anew_serves_the_door_again)
{
  World *w = meeting (2);
  guint8 group[DOOR_GROUP_ID_LEN];
  memcpy (group, session_group_id (of (w, 0)), sizeof group);
  /* It can't follow any more, knocks, and finds that nobody else is there to let it in. */
  hub_error_to (w, client_place (w, 0), WIRE_CODE_TOO_LATE);
  world_run (w, 8000);
  check_members (w, 0, 1, 2);
  fail_if (memcmp (session_group_id (of (w, 0)), group, sizeof group) == 0);
  world_free (w);
}
GST_END_TEST;

static void
turn_away (World *w, WireMessage *m)
{
  if (m->type != WIRE_REPLY)
    return;
  /* As from an admin without a chain: not for who is pinned to the owner's key. */
  wire_clear (m, WIRE_FROM_HUB);
  *m = (WireMessage){ .type = WIRE_AGAIN, .after = 2000 };
}

GST_START_TEST (an_owner_that_nobody_lets_in_opens_anew)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  world_crash (w, 0);
  SessionConfig config = owner_config (ADMISSION_PASSWORD);
  config.identity = w->clients[0].identity;
  w->tamper = turn_away;
  int again = world_add (w, config);
  world_run (w, 10000);
  w->tamper = NULL;
  world_run (w, 5000);
  check_members (w, 1, 2, again);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (who_has_handed_over_can_still_show_that_it_is_the_links_host)
{
  World *w = meeting (1);
  char link[LINK_SIZE];
  fail_unless (session_link_text (of (w, 0), link));
  fail_unless (session_hand_over (of (w, 0), client_key (w, 1)));
  world_run (w, 1000);
  go_away (w, 1);
  SessionConfig config = guest_config ("Late");
  config.uri = link;
  int late = world_add (w, config);
  world_run (w, 5000);
  fail_unless_state (w, late, SESSION_MEMBER);
  world_free (w);
}
GST_END_TEST;

/* ---- Hubs that forget ---- */

static gboolean
withhold_from_others (World *w, int to, const HubFrame *frame)
{
  return to != 0;
}

GST_START_TEST (what_only_some_had_heard_is_said_again_to_a_hub_that_forgot)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  w->withhold = withhold_from_others;
  fail_unless (session_remove (of (w, 0), client_key (w, 2)));
  world_run (w, 100);
  w->withhold = NULL;
  forget_events (w);
  world_restart_hub (w);
  world_run (w, 5000);
  /* The co-host knows that a person did it: or else it would let in whom the owner has removed. */
  fail_unless_equals_uint64 (
      count_events (w, 1, SESSION_EVENT_ADMISSION_HELD), 1);
  world_run (w, 9000);
  check_members (w, 0, 1);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (what_was_heard_by_all_is_told_once)
{
  World *w = meeting (2);
  fail_unless (session_chat (of (w, 1), "once"));
  world_run (w, 100);
  world_restart_hub (w);
  world_run (w, 5000);
  check_members (w, 0, 1, 2);
  for (int i = 0; i < 3; i++)
    fail_unless_equals_uint64 (count_events (w, i, SESSION_EVENT_MESSAGE), 1);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (who_left_an_epoch_by_another_commit_joins_anew)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  /* The co-host lets somebody in that the owner never hears of; for the hub that comes after, its commit was first. */
  go_away (w, 0);
  int late = world_add (w, guest_config ("Late"));
  world_run (w, 1000);
  fail_unless_state (w, late, SESSION_MEMBER);
  world_restart_hub (w);
  for (int i = 1; i <= late; i++)
    go_away (w, i);
  w->clients[0].offline = FALSE;
  world_run (w, 3000);
  fail_unless (session_rotate (of (w, 0)));
  world_run (w, 100);
  for (int i = 1; i <= late; i++)
    w->clients[i].offline = FALSE;
  world_run (w, LIMIT_CONNECT_MAX_MS);
  check_members (w, 0, 1, 2, late);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (who_does_not_come_into_a_new_room_is_gone)
{
  World *w = meeting (2);
  world_crash (w, 2);
  world_restart_hub (w);
  world_run (w, 20000);
  fail_unless_equals_uint64 (session_members (of (w, 0)), 3);
  world_run (w, 15000);
  check_members (w, 0, 1);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (what_an_owner_did_while_away_is_known_when_it_is_back)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  go_away (w, 0);
  fail_unless (session_remove (of (w, 0), client_key (w, 2)));
  world_run (w, 100);
  SessionEvent *record = last_event (w, 0, SESSION_EVENT_RECORD);
  GBytes *kept = g_bytes_new (record->record.data, record->record.len);
  /* It crashes before anybody has heard of that. */
  world_crash (w, 0);
  SessionConfig config = owner_config (ADMISSION_PASSWORD);
  config.identity = w->clients[0].identity;
  config.record = g_bytes_get_data (kept, &config.record_len);
  forget_events (w);
  int again = world_add (w, config);
  world_run (w, 5000);
  check_members (w, 1, again);
  fail_unless_equals_uint64 (
      count_events (w, 1, SESSION_EVENT_ADMISSION_HELD), 1);
  g_bytes_unref (kept);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (who_did_not_hear_of_the_new_group_hears_of_it_in_a_new_room)
{
  World *w = meeting (2);
  SessionEvent *record = last_event (w, 0, SESSION_EVENT_RECORD);
  GBytes *kept = g_bytes_new (record->record.data, record->record.len);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  go_away (w, 1);
  go_away (w, 2);
  world_crash (w, 0);
  world_restart_hub (w);
  SessionConfig config = owner_config (ADMISSION_PASSWORD);
  config.identity = w->clients[0].identity;
  config.record = g_bytes_get_data (kept, &config.record_len);
  int again = world_add (w, config);
  world_run (w, 1000);
  fail_unless_state (w, again, SESSION_MEMBER);
  /* That hub dies, too, before anybody has heard of the owner's new group. */
  go_away (w, again);
  world_restart_hub (w);
  w->clients[1].offline = w->clients[2].offline = FALSE;
  world_run (w, 9000);
  fail_unless_state (w, 1, SESSION_MEMBER);
  fail_unless_equals_uint64 (session_members (of (w, 1)), 3);
  w->clients[again].offline = FALSE;
  world_run (w, 14000);
  check_members (w, 1, 2, again);
  g_bytes_unref (kept);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (who_is_being_removed_becomes_nothing)
{
  World *w = meeting (2);
  go_away (w, 0);
  fail_unless (session_remove (of (w, 0), client_key (w, 1)));
  fail_if (session_hand_over (of (w, 0), client_key (w, 1)));
  fail_if (session_promote (of (w, 0), client_key (w, 1)));
  /* Nor when the wish came first. */
  fail_unless (session_hand_over (of (w, 0), client_key (w, 2)));
  fail_unless (session_remove (of (w, 0), client_key (w, 2)));
  w->clients[0].offline = FALSE;
  world_run (w, 3000);
  check_members (w, 0);
  fail_unless (
      policy_is_owner (session_policy (of (w, 0)), client_key (w, 0)));
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (an_attach_of_a_leaf_that_is_somebody_elses_is_not_answered)
{
  World *w = meeting (2);
  SessionMember member, before;
  session_find_member (of (w, 0), client_key (w, 2), &before);
  go_away (w, 2);
  world_restart_hub (w);
  world_run (w, 1000);
  fail_unless (session_remove (of (w, 0), client_key (w, 2)));
  session_release_admission (of (w, 0));
  world_run (w, 100);
  int late = world_add (w, guest_config ("Late"));
  world_run (w, 1000);
  fail_unless_state (w, late, SESSION_MEMBER);
  session_find_member (of (w, 0), client_key (w, late), &member);
  fail_unless_equals_uint64 (member.leaf, before.leaf);
  /* The other comes back while the keys of its epoch still open what it says. */
  w->clients[2].offline = FALSE;
  world_run (w, 3500);
  fail_unless (client_place (w, 2) != NULL);
  fail_if (client_place (w, 2)->member, "who was removed is attached");
  guint64 peer = member.peer;
  session_find_member (of (w, 0), client_key (w, late), &member);
  fail_unless_equals_uint64 (member.peer, peer);
  world_run (w, 10000);
  check_members (w, 0, 1, late);
  world_free (w);
}
GST_END_TEST;

/* What a member said to one hub is not to be used at another, nor for another's place. */
GST_START_TEST (an_attach_to_another_challenge_is_not_answered)
{
  World *w = meeting (1);
  w->hub.other_challenge = TRUE;
  world_restart_hub (w);
  world_run (w, 3500);
  fail_unless (session_stats (of (w, 0)).bad_messages > 0);
  fail_if (client_place (w, 1) && client_place (w, 1)->member);
  w->hub.other_challenge = FALSE;
  world_run (w, 20000);
  check_members (w, 0, 1);
  world_free (w);
}
GST_END_TEST;

/* ---- Rubbish ---- */

/* PrivateMessage (RFC 9420, 6.3): version 2, wire_format 2, group_id<V> 1 + 32, epoch 8, content_type. */
#define EPOCH_AT 37

/* What nobody can read, as if of an epoch so much later. */
static void
say_rubbish (World *w, WireKind kind, guint64 epochs)
{
  guint8 *copy = NULL;
  gsize len = 0;

  for (guint i = w->hub.log->len; i > 0 && !copy; i--) {
    const HubFrame *frame = &g_array_index (w->hub.log, HubFrame, i - 1);
    const guint8 *data = g_bytes_get_data (frame->message, &len);
    if (frame->kind == WIRE_APPLICATION)
      copy = g_memdup2 (data, len);
  }
  fail_unless (copy != NULL);
  guint64 epoch = session_epoch (of (w, 0)) + epochs;
  for (int i = 0; i < 8; i++)
    copy[EPOCH_AT + i] = (guint8) (epoch >> (56 - 8 * i));
  copy[EPOCH_AT + 8] =
      kind == WIRE_COMMIT ? MLS_CONTENT_COMMIT : MLS_CONTENT_APPLICATION;
  copy[len - 1] ^= 1;
  HubFrame frame = { ++w->hub.seq, kind, g_bytes_new_take (copy, len) };
  g_array_append_val (w->hub.log, frame);
  world_settle (w);
}

static void
nobody_left (World *w, int n, guint64 epoch)
{
  for (int i = 0; i < n; i++) {
    fail_unless_equals_uint64 (session_stats (of (w, i)).rejoins, 0);
    fail_unless_equals_uint64 (session_epoch (of (w, i)), epoch);
  }
}

GST_START_TEST (what_a_member_makes_up_about_epochs_to_come_moves_nobody)
{
  World *w = meeting (3);
  guint64 epoch = session_epoch (of (w, 0));
  for (guint64 i = 0; i < 12; i++) {
    say_rubbish (w, WIRE_APPLICATION, i % 3);
    world_run (w, 1000);
  }
  nobody_left (w, 4, epoch);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (what_an_admin_makes_up_moves_nobody_either)
{
  World *w = meeting (3);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  guint64 epoch = session_epoch (of (w, 0));
  for (guint64 i = 0; i < 6; i++) {
    say_rubbish (w, WIRE_COMMIT, 0);
    say_rubbish (w, WIRE_COMMIT, 1);
    say_rubbish (w, WIRE_APPLICATION, 1);
    world_run (w, 2500);
  }
  nobody_left (w, 4, epoch);
  world_free (w);
}
GST_END_TEST;

/* A commit of client `who` whose path is for a key that client `to` has not; its author never takes it for its own. */
static void
send_bad_path (World *w, int who, int to)
{
  MlsGroup *group = of (w, who)->group;
  MlsTree *tree = group->epoch->tree;
  MlsCommitRequest request = { .path = true };
  guint8 other[MLS_KEY_LEN], secret[MLS_KEY_LEN];
  SessionMember member;
  MlsBuffer bytes = { 0 };
  MlsStaged *staged;

  fail_unless (session_find_member (of (w, who), client_key (w, to), &member));
  group->epoch->tree = mls_tree_copy (tree);
  MlsLeafNode fields = mls_tree_leaf (tree, member.leaf)->node;
  crypto_box_keypair (other, secret);
  fields.encryption_key = mls_slice (other, sizeof other);
  mls_leaf_node_put (&bytes, &fields);
  mls_tree_set_leaf (group->epoch->tree, member.leaf,
      mls_leaf_new (mls_buffer_slice (&bytes)));
  mls_buffer_free (&bytes);
  fail_unless_equals_int (mls_group_commit (group, &request, &staged), MLS_OK);
  mls_tree_free (group->epoch->tree);
  group->epoch->tree = tree;
  MlsSlice message = mls_staged_message (staged);
  HubFrame frame = { ++w->hub.seq, WIRE_COMMIT,
    g_bytes_new (message.data, message.len) };
  g_array_append_val (w->hub.log, frame);
  mls_staged_free (staged);
  world_settle (w);
}

GST_START_TEST (the_third_path_that_can_not_be_followed_is_reported_by_name)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  for (int i = 0; i < 3; i++) {
    fail_unless_equals_uint64 (
        count_events (w, 2, SESSION_EVENT_BAD_PATHS), 0);
    send_bad_path (w, 1, 2);
    /* Also when it has to join anew after each. */
    if (i < 2)
      hub_error_to (w, client_place (w, 2), WIRE_CODE_TOO_LATE);
    world_run (w, 5000);
    check_members (w, 0, 1, 2);
  }
  fail_unless_equals_uint64 (count_events (w, 2, SESSION_EVENT_BAD_PATHS), 1);
  fail_unless (memcmp (last_event (w, 2, SESSION_EVENT_BAD_PATHS)->member.key,
                   client_key (w, 1), IDENTITY_KEY_LEN)
               == 0);
  /* Three in more than a minute are not worth a word. */
  forget_events (w);
  for (int i = 0; i < 3; i++) {
    send_bad_path (w, 1, 2);
    world_run (w, 40000);
  }
  fail_unless_equals_uint64 (count_events (w, 2, SESSION_EVENT_BAD_PATHS), 0);
  world_free (w);
}
GST_END_TEST;

static Suite *
session_recover_suite (void)
{
  Suite *s = suite_create ("session-recover");
  TCase *tc = tcase_create ("recover");

  tcase_set_timeout (tc, 60);
  tcase_add_checked_fixture (tc, world_set_up, world_tear_down);
  suite_add_tcase (s, tc);
  tcase_add_test (tc, a_hub_that_says_nothing_is_tried_again);
  tcase_add_test (tc, an_owners_first_words_are_said_again);
  tcase_add_test (tc, an_admit_lost_with_the_hosts_connection_is_begun_again);
  tcase_add_test (tc, a_removed_members_place_is_ended);
  tcase_add_test (tc, a_lost_dismiss_is_said_again);
  tcase_add_test (tc, an_open_lost_with_the_connection_is_said_again);
  tcase_add_test (tc, who_leaves_waits_until_its_heir_is_there);
  tcase_add_test (tc, an_owner_that_nobody_lets_in_opens_anew);
  tcase_add_test (tc, who_does_not_come_into_a_new_room_is_gone);
  tcase_add_test (tc, what_an_owner_did_while_away_is_known_when_it_is_back);
  tcase_add_test (tc, an_owner_that_opens_anew_serves_the_door_again);
  tcase_add_test (
      tc, who_has_handed_over_can_still_show_that_it_is_the_links_host);
  tcase_add_test (
      tc, what_only_some_had_heard_is_said_again_to_a_hub_that_forgot);
  tcase_add_test (tc, what_was_heard_by_all_is_told_once);
  tcase_add_test (tc, who_is_being_removed_becomes_nothing);
  tcase_add_test (
      tc, who_did_not_hear_of_the_new_group_hears_of_it_in_a_new_room);
  tcase_add_test (tc, who_left_an_epoch_by_another_commit_joins_anew);
  tcase_add_test (
      tc, an_attach_of_a_leaf_that_is_somebody_elses_is_not_answered);
  tcase_add_test (tc, an_attach_to_another_challenge_is_not_answered);
  tcase_add_test (
      tc, what_a_member_makes_up_about_epochs_to_come_moves_nobody);
  tcase_add_test (tc, what_an_admin_makes_up_moves_nobody_either);
  tcase_add_test (
      tc, the_third_path_that_can_not_be_followed_is_reported_by_name);
  return s;
}

PURE_CHECK_MAIN (session_recover)

/* Who gets in: sessions and an honest hub in virtual time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session-meeting.h"

static WireCode
last_code (World *w, int i)
{
  return last_event (w, i, SESSION_EVENT_STATE)->code;
}

GST_START_TEST (the_password_lets_in)
{
  World *w = world_new ();
  int host = world_add (w, owner_config (ADMISSION_PASSWORD));
  world_run (w, 100);
  fail_unless_state (w, host, SESSION_MEMBER);
  int ann = world_add (w, guest_config ("Ann"));
  int bob = world_add (w, guest_config ("Bob"));
  world_run (w, 1000);
  check_members (w, host, ann, bob);
  fail_if (session_host_verified (w->clients[ann].session));
  /* Joiners within 100 ms share a commit. */
  fail_unless_equals_uint64 (session_epoch (w->clients[host].session), 1);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_wrong_password_is_refused_and_costs_a_token)
{
  World *w = world_new ();
  SessionConfig wrong = guest_config ("Eve");
  wrong.password = world_password ("wrong");
  int host = world_add (w, owner_config (ADMISSION_PASSWORD));
  world_run (w, 100);
  for (int i = 0; i < 9; i++) {
    int eve = world_add (w, wrong);
    set_source (w, eve, "eve");
    world_run (w, 100);
    if (i < LIMIT_SOURCE_TOKENS) {
      fail_unless_state (w, eve, SESSION_DENIED);
      fail_unless_equals_int (last_code (w, eve), WIRE_CODE_WRONG_PASSWORD);
    } else {
      fail_unless_state (w, eve, SESSION_KNOCKING);
      session_leave (w->clients[eve].session);
    }
  }
  SessionStats stats = session_stats (w->clients[host].session);
  fail_unless_equals_uint64 (stats.replies, LIMIT_SOURCE_TOKENS);
  fail_unless_equals_uint64 (stats.wrong_tags, LIMIT_SOURCE_TOKENS);
  fail_unless_equals_uint64 (stats.over_budget, 4);
  fail_unless_equals_uint64 (session_members (w->clients[host].session), 1);

  /* One more after a minute, and others are not kept out. */
  int ann = world_add (w, guest_config ("Ann"));
  world_run (w, 1000);
  check_members (w, host, ann);
  world_run (w, 60000);
  int eve = world_add (w, wrong);
  set_source (w, eve, "eve");
  world_run (w, 100);
  fail_unless_state (w, eve, SESSION_DENIED);
  secret_unref (wrong.password);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (guesses_from_many_sources_share_the_meetings_budget)
{
  World *w = world_new ();
  SessionConfig wrong = guest_config ("Eve");
  wrong.password = world_password ("wrong");
  int host = world_add (w, owner_config (ADMISSION_PASSWORD));
  world_run (w, 100);
  for (int i = 0; i < 60; i++) {
    g_autofree char *source = g_strdup_printf ("bot %d", i);
    int eve = world_add (w, wrong);
    set_source (w, eve, source);
    world_run (w, 10);
    world_crash (w, eve);
    client_clear (&w->clients[eve]);
    w->n--;
  }
  fail_unless_equals_uint64 (
      session_stats (w->clients[host].session).replies, LIMIT_MEETING_TOKENS);
  secret_unref (wrong.password);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_person_decides_in_the_waiting_room)
{
  World *w = world_new ();
  SessionConfig config = owner_config (ADMISSION_WAITING_ROOM);
  char uri[LINK_SIZE];
  config.password = NULL;
  int host = world_add (w, config);
  world_run (w, 100);
  fail_unless (session_link_text (w->clients[host].session, uri));
  config = guest_config ("Ann");
  config.password = NULL;
  config.uri = uri;
  int ann = world_add (w, config);
  config.display_name = "Eve";
  int eve = world_add (w, config);
  world_run (w, 500);
  fail_unless_state (w, ann, SESSION_WAITING);
  fail_unless_state (w, eve, SESSION_WAITING);
  fail_unless_equals_uint64 (count_events (w, host, SESSION_EVENT_KNOCK), 2);
  for (guint i = 0; i < w->clients[host].events->len; i++) {
    SessionEvent *event = g_ptr_array_index (w->clients[host].events, i);
    Session *s = w->clients[host].session;
    if (event->type != SESSION_EVENT_KNOCK)
      continue;
    if (strcmp (event->member.name, "Ann") == 0) {
      const guint8 *key = client_key (w, ann);
      fail_unless (memcmp (event->member.key, key, IDENTITY_KEY_LEN) == 0);
      fail_unless (session_admit (s, event->peer));
    } else {
      fail_unless (session_deny (s, event->peer));
    }
  }
  world_run (w, 500);
  check_members (w, host, ann);
  fail_unless (session_host_verified (w->clients[ann].session));
  fail_unless_state (w, eve, SESSION_DENIED);
  fail_unless_equals_int (last_code (w, eve), WIRE_CODE_DENIED);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (the_allow_list_lets_in_whom_it_names)
{
  World *w = world_new ();
  guint8 list[1][IDENTITY_FINGERPRINT_LEN];
  Identity *friend = identity_new ();
  SessionConfig config = owner_config (ADMISSION_ALLOW_LIST);
  identity_fingerprint (identity_public_key (friend), list[0]);
  config.allow_list = (const uint8_t (*)[IDENTITY_FINGERPRINT_LEN]) list;
  config.n_allow_list = 1;
  int host = world_add (w, config);
  SessionConfig guest = guest_config ("Friend");
  guest.identity = friend;
  int ann = world_add (w, guest);
  int eve = world_add (w, guest_config ("Eve"));
  world_run (w, 1000);
  check_members (w, host, ann);
  fail_unless_state (w, eve, SESSION_DENIED);
  identity_free (friend);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_guest_waits_for_a_host_who_comes_later)
{
  World *w = world_new ();
  int ann = world_add (w, guest_config ("Ann"));
  world_run (w, 100000);
  fail_unless_state (w, ann, SESSION_KNOCKING);
  int host = world_add (w, owner_config (ADMISSION_PASSWORD));
  world_run (w, 1000);
  check_members (w, host, ann);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_lock_admits_nobody_and_flushes_nobody)
{
  World *w = world_new ();
  int host = world_add (w, owner_config (ADMISSION_WAITING_ROOM));
  int ann = world_add (w, guest_config ("Ann"));
  world_run (w, 500);
  guint64 peer = last_event (w, host, SESSION_EVENT_KNOCK)->peer;
  fail_unless (session_lock (w->clients[host].session, true));
  world_run (w, 500);
  fail_unless (session_policy (w->clients[host].session)->locked);
  fail_if (session_admit (w->clients[host].session, peer));
  fail_unless_state (w, ann, SESSION_WAITING);
  int bob = world_add (w, guest_config ("Bob"));
  world_run (w, 500);
  fail_unless_state (w, bob, SESSION_DENIED);
  fail_unless_equals_int (last_code (w, bob), WIRE_CODE_LOCKED);
  fail_unless (session_lock (w->clients[host].session, false));
  world_run (w, 500);
  fail_unless (session_admit (w->clients[host].session, peer));
  world_run (w, 500);
  check_members (w, host, ann);

  /* Who is in the group and comes back is let in under a lock. */
  session_lock (w->clients[host].session, true);
  world_run (w, 500);
  world_crash (w, ann);
  int again = start_again (w, ann, guest_config ("Ann"));
  world_run (w, 1000);
  check_members (w, host, again);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_removed_key_is_not_let_in_and_others_wait_for_a_person)
{
  World *w = world_new ();
  int host = world_add (w, owner_config (ADMISSION_PASSWORD));
  int ann = world_add (w, guest_config ("Ann"));
  int eve = world_add (w, guest_config ("Eve"));
  world_run (w, 1000);
  check_members (w, host, ann, eve);
  fail_unless (session_remove (w->clients[host].session, client_key (w, eve)));
  world_run (w, 200);
  check_members (w, host, ann);
  fail_unless_state (w, eve, SESSION_REMOVED);
  fail_unless_equals_int (
      last_event (w, ann, SESSION_EVENT_LEFT)->reason, LEFT_REMOVED);
  fail_unless (last_event (w, host, SESSION_EVENT_ADMISSION_HELD)->on);

  int again = start_again (w, eve, guest_config ("Eve"));
  int bob = world_add (w, guest_config ("Bob"));
  world_run (w, 500);
  fail_unless_state (w, again, SESSION_DENIED);
  fail_unless_equals_int (last_code (w, again), WIRE_CODE_REMOVED);
  fail_unless_state (w, bob, SESSION_WAITING);
  fail_unless (session_release_admission (w->clients[host].session));
  world_run (w, 500);
  check_members (w, host, ann, bob);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_clock_that_is_off_is_told_by_how_much)
{
  World *w = world_new ();
  int host = world_add (w, owner_config (ADMISSION_PASSWORD));
  world_run (w, 100);
  int ann = world_add (w, guest_config ("Ann"));
  gint64 skew = G_GINT64_CONSTANT (365) * 24 * 3600 * 1000;
  w->clients[ann].skew = skew;
  world_run (w, 1000);
  fail_unless_state (w, ann, SESSION_DENIED);
  SessionEvent *event = last_event (w, ann, SESSION_EVENT_STATE);
  fail_unless_equals_int (event->code, WIRE_CODE_CLOCK);
  fail_unless (event->skew > skew - 2 * 3600 * 1000 && event->skew <= skew);
  fail_unless_equals_uint64 (session_members (w->clients[host].session), 1);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (recorders_wait_unless_they_are_named)
{
  World *w = world_new ();
  guint8 list[1][IDENTITY_FINGERPRINT_LEN];
  Identity *named = identity_new ();
  SessionConfig config = owner_config (ADMISSION_PASSWORD);
  identity_fingerprint (identity_public_key (named), list[0]);
  config.recorders = (const uint8_t (*)[IDENTITY_FINGERPRINT_LEN]) list;
  config.n_recorders = 1;
  int host = world_add (w, config);
  SessionConfig recorder = guest_config ("Recorder");
  recorder.role = ROLE_RECORDER;
  int other = world_add (w, recorder);
  recorder.identity = named;
  int ours = world_add (w, recorder);
  world_run (w, 1000);
  check_members (w, host, ours);
  fail_unless_state (w, other, SESSION_WAITING);
  fail_unless_equals_int (
      last_event (w, host, SESSION_EVENT_KNOCK)->member.role, ROLE_RECORDER);

  /* Nobody records: those who are there go in the same commit, those who come are told. */
  Policy policy = *session_policy (w->clients[host].session);
  policy.recording = WHO_NOBODY;
  fail_unless (session_set_policy (w->clients[host].session, &policy));
  world_run (w, 150);
  check_members (w, host);
  fail_unless_state (w, other, SESSION_DENIED);
  fail_unless_equals_int (last_code (w, other), WIRE_CODE_RECORDING_FORBIDDEN);
  identity_free (named);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_full_meeting_says_so)
{
  World *w = world_new ();
  SessionConfig config = owner_config (ADMISSION_PASSWORD);
  config.policy.max_members = 2;
  int host = world_add (w, config);
  int ann = world_add (w, guest_config ("Ann"));
  world_run (w, 1000);
  int bob = world_add (w, guest_config ("Bob"));
  world_run (w, 1000);
  check_members (w, host, ann);
  fail_unless_state (w, bob, SESSION_DENIED);
  fail_unless_equals_int (last_code (w, bob), WIRE_CODE_FULL);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (another_host_than_the_links_gets_no_proof)
{
  World *w = world_new ();
  Identity *expected = identity_new ();
  guint8 print[IDENTITY_FINGERPRINT_LEN];
  char text[FINGERPRINT_TEXT_SIZE];
  int mallory = world_add (w, owner_config (ADMISSION_PASSWORD));
  identity_fingerprint (identity_public_key (expected), print);
  fingerprint_text (print, text);
  g_autofree char *uri =
      g_strdup_printf ("meet://hub.example/standup#host=%s", text);
  SessionConfig config = guest_config ("Ann");
  config.uri = uri;
  int ann = world_add (w, config);
  world_run (w, 60000);
  fail_unless_state (w, ann, SESSION_KNOCKING);
  SessionStats stats = session_stats (w->clients[mallory].session);
  fail_unless (stats.replies > 1);
  fail_unless_equals_uint64 (stats.wrong_tags + stats.admitted, 0);
  identity_free (expected);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (without_a_pin_a_second_proof_waits_for_a_person)
{
  World *w = world_new ();
  int host = world_add (w, owner_config (ADMISSION_WAITING_ROOM));
  int ann = world_add (w, guest_config ("Ann"));
  world_run (w, 500);
  fail_unless_state (w, ann, SESSION_WAITING);
  /* The host crashes; the hub says so when its place has lapsed. */
  world_crash (w, host);
  world_run (w, 31000);
  fail_unless_state (w, ann, SESSION_AGAIN);
  int again = start_again (w, host, owner_config (ADMISSION_PASSWORD));
  world_run (w, 10000);
  fail_unless_state (w, ann, SESSION_AGAIN);
  fail_unless (session_knock_again (w->clients[ann].session));
  world_run (w, 500);
  check_members (w, again, ann);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (what_can_not_be_joined_is_said_before_anything_is_sent)
{
  Identity *identity = identity_new ();
  Session *session;
  SessionConfig config = { .uri = "meet://hub.example/standup",
    .role = ROLE_PARTICIPANT,
    .display_name = "Ann",
    .identity = identity };

#define MUST_BE(want)                                                         \
  fail_unless_equals_int (session_new (&config, 0, 0, &session), want)
  MUST_BE (SESSION_UNPINNED);
  config.password = pw;
  config.uri = "http://hub.example/standup";
  MUST_BE (SESSION_BAD_LINK);
  config.uri = "meet://hub.example/standup";
  config.display_name = "Ann\xe2\x80\xae";
  MUST_BE (SESSION_BAD_NAME);
  config.display_name = "Host";
  config.owner = true;
  config.password = NULL;
  MUST_BE (SESSION_OPEN_TO_ALL);
  config.policy.admission = ADMISSION_OPEN;
  config.policy.max_members = 5000;
  config.policy.index_bits = 4;
  MUST_BE (SESSION_BAD_POLICY);
  config.policy.max_members = 0;
  config.policy.index_bits = 0;
  config.record = "nonsense";
  config.record_len = 8;
  MUST_BE (SESSION_BAD_RECORD);
  config.record = NULL;
  config.uri = "meet://hub.example/standup"
               "#host=4K-Cbs2r2I7wyv-2_3SCE0jNX4kHXjMt3FQqPLbLSjo";
  MUST_BE (SESSION_NOT_HOST_KEY);
  for (int i = SESSION_OK; i <= SESSION_NO_MEMORY; i++)
    fail_unless (*session_result_text ((SessionResult) i) != '\0');
  identity_free (identity);
}
GST_END_TEST;

GST_START_TEST (a_lost_connection_keeps_its_place_in_the_queue)
{
  World *w = world_new ();
  int host = world_add (w, owner_config (ADMISSION_WAITING_ROOM));
  int ann = world_add (w, guest_config ("Ann"));
  world_run (w, 500);
  guint64 peer = last_event (w, host, SESSION_EVENT_KNOCK)->peer;
  w->clients[ann].offline = TRUE;
  client_cut (w, ann);
  world_run (w, 10000);
  fail_unless (session_admit (w->clients[host].session, peer));
  world_run (w, 1000);
  w->clients[ann].offline = FALSE;
  world_run (w, 10000);
  check_members (w, host, ann);
  fail_unless_equals_uint64 (
      session_stats (w->clients[host].session).knocks, 1);
  world_free (w);
}
GST_END_TEST;

static Suite *
session_door_suite (void)
{
  Suite *s = suite_create ("session-door");
  TCase *tc = tcase_create ("door");

  tcase_set_timeout (tc, 60);
  tcase_add_checked_fixture (tc, world_set_up, world_tear_down);
  suite_add_tcase (s, tc);
  tcase_add_test (tc, the_password_lets_in);
  tcase_add_test (tc, a_wrong_password_is_refused_and_costs_a_token);
  tcase_add_test (tc, guesses_from_many_sources_share_the_meetings_budget);
  tcase_add_test (tc, a_person_decides_in_the_waiting_room);
  tcase_add_test (tc, the_allow_list_lets_in_whom_it_names);
  tcase_add_test (tc, a_guest_waits_for_a_host_who_comes_later);
  tcase_add_test (tc, a_lock_admits_nobody_and_flushes_nobody);
  tcase_add_test (
      tc, a_removed_key_is_not_let_in_and_others_wait_for_a_person);
  tcase_add_test (tc, a_clock_that_is_off_is_told_by_how_much);
  tcase_add_test (tc, recorders_wait_unless_they_are_named);
  tcase_add_test (tc, a_full_meeting_says_so);
  tcase_add_test (tc, another_host_than_the_links_gets_no_proof);
  tcase_add_test (tc, without_a_pin_a_second_proof_waits_for_a_person);
  tcase_add_test (tc, what_can_not_be_joined_is_said_before_anything_is_sent);
  tcase_add_test (tc, a_lost_connection_keeps_its_place_in_the_queue);
  return s;
}

PURE_CHECK_MAIN (session_door)

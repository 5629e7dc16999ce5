/* Keys of media, tracks, and who may record: open and closed at their times, in virtual time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session-meeting.h"

static void
say_track (World *w, int i, guint32 ssrc)
{
  Track track = { session_free_track (of (w, i)), MEDIA_AUDIO, ssrc, 0,
    (char *) "OPUS", (char *) "" };
  fail_unless (session_track (of (w, i), &track));
}

static gboolean
is_open (World *w, int at, int whose, guint32 track, guint64 epoch)
{
  char key[2 * IDENTITY_KEY_LEN + 1];
  sodium_bin2hex (key, sizeof key, client_key (w, whose), IDENTITY_KEY_LEN);
  g_autofree char *name =
      g_strdup_printf ("%s/%u/%" G_GUINT64_FORMAT, key, track, epoch);
  return g_hash_table_contains (w->clients[at].keys, name);
}

GST_START_TEST (media_keys_open_and_close_at_their_times)
{
  World *w = meeting (2);
  say_track (w, 1, 1111);
  world_run (w, 100);
  guint64 epoch = session_epoch (of (w, 0));
  fail_unless (is_open (w, 0, 1, 0, epoch) && is_open (w, 1, 1, 0, epoch));
  SessionEvent *key = last_event (w, 0, SESSION_EVENT_KEY_OPENED),
               *own = last_event (w, 1, SESSION_EVENT_KEY_OPENED);
  fail_unless (own->key.own && !key->key.own && key->key.kid == own->key.kid);
  fail_unless (secret_equal (key->key.base_key, own->key.base_key));
  guint64 kid;
  fail_unless (sframe_mls_kid (epoch, 8, key->key.leaf, 10, 0, &kid));
  fail_unless_equals_uint64 (kid, key->key.kid);

  /* The sender uses the new epoch at merge; receivers take the old one for 10 s, */
  session_rotate (of (w, 0));
  world_run (w, 9900);
  fail_unless (is_open (w, 0, 1, 0, epoch) && is_open (w, 0, 1, 0, epoch + 1));
  fail_if (is_open (w, 1, 1, 0, epoch));
  fail_unless (is_open (w, 1, 1, 0, epoch + 1));
  world_run (w, 200);
  fail_if (is_open (w, 0, 1, 0, epoch));

  /* or for 1 s after the first frame of the new one, */
  session_rotate (of (w, 0));
  world_run (w, 500);
  session_heard (of (w, 0), key->key.leaf, 0, epoch + 2);
  world_run (w, 900);
  fail_unless (is_open (w, 0, 1, 0, epoch + 1));
  world_run (w, 200);
  fail_if (is_open (w, 0, 1, 0, epoch + 1));
  fail_unless (is_open (w, 2, 1, 0, epoch + 1));

  /* and for 2 s when somebody was removed. */
  session_remove (of (w, 0), client_key (w, 2));
  world_run (w, 1900);
  fail_unless (is_open (w, 0, 1, 0, epoch + 2));
  world_run (w, 200);
  fail_if (is_open (w, 0, 1, 0, epoch + 2));
  fail_unless_equals_uint64 (g_hash_table_size (w->clients[2].keys), 0);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (epochs_with_equal_low_bits_are_never_open_together)
{
  World *w = world_new ();
  SessionConfig config = owner_config (ADMISSION_PASSWORD);
  config.policy.epoch_bits = 1;
  world_add (w, config);
  world_run (w, 100);
  world_add (w, guest_config ("Ann"));
  world_run (w, 500);
  say_track (w, 1, 5);
  world_run (w, 100);
  guint64 epoch = session_epoch (of (w, 0));
  for (int i = 0; i < 2; i++) {
    session_rotate (of (w, 0));
    world_run (w, 100);
  }
  fail_unless (
      is_open (w, 0, 1, 0, epoch + 2) && is_open (w, 0, 1, 0, epoch + 1));
  fail_if (is_open (w, 0, 1, 0, epoch));
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_removed_leafs_tracks_end_with_the_commit)
{
  World *w = meeting (2);
  say_track (w, 1, 1111);
  say_track (w, 2, 2222);
  world_run (w, 100);
  session_remove (of (w, 0), client_key (w, 2));
  world_settle (w);
  fail_unless_equals_uint64 (
      count_events (w, 1, SESSION_EVENT_TRACK_ENDED), 1);
  fail_if (is_open (w, 1, 2, 0, session_epoch (of (w, 1))));
  fail_if (is_open (w, 1, 2, 0, session_epoch (of (w, 1)) - 1));
  fail_unless (is_open (w, 0, 1, 0, session_epoch (of (w, 1))));

  /* Who takes the leaf has no keys of the time before. */
  int late = world_add (w, guest_config ("Late"));
  session_release_admission (of (w, 0));
  world_run (w, 300);
  say_track (w, late, 3333);
  world_run (w, 100);
  fail_unless (is_open (w, 1, late, 0, session_epoch (of (w, 1))));
  fail_if (is_open (w, 1, late, 0, session_epoch (of (w, 1)) - 1));
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (tracks_are_told_to_who_joins_and_refused_where_they_lie)
{
  World *w = meeting (2);
  say_track (w, 1, 1111);
  world_run (w, 100);
  int late = world_add (w, guest_config ("Late"));
  SessionConfig config = guest_config ("Listener");
  config.role = ROLE_LISTENER;
  int listener = world_add (w, config);
  world_run (w, 1000);
  fail_unless_equals_uint64 (count_events (w, late, SESSION_EVENT_TRACK), 1);
  fail_unless (is_open (w, late, 1, 0, session_epoch (of (w, late))));
  /* A track across the join, in the epoch before it, comes too. */
  Track track = { 0, MEDIA_AUDIO, 9999, 0, (char *) "OPUS", (char *) "" };
  fail_if (session_track (of (w, listener), &track));
  /* Another's SSRC. */
  track.ssrc = 1111;
  fail_if (session_track (of (w, 2), &track));
  /* A number that was used. */
  fail_unless (session_untrack (of (w, 1), 0));
  track.ssrc = 7777;
  fail_if (session_track (of (w, 1), &track));
  world_run (w, 100);
  fail_unless_equals_uint64 (
      count_events (w, late, SESSION_EVENT_TRACK_ENDED), 1);
  world_free (w);
}
GST_END_TEST;

static int joining;

/* The commit that adds somebody is ordered before what was said at the same time. */
static gboolean
say_at_commit (World *w, int from, const HubFrame *frame)
{
  if (frame->kind == WIRE_COMMIT && joining == 1) {
    joining = 2;
    fail_unless (session_chat (of (w, 1), "across the join"));
    client_pump (w, 1);
  }
  return FALSE;
}

GST_START_TEST (what_is_said_across_a_join_is_heard_once_by_all)
{
  World *w = meeting (2);
  joining = 1;
  w->drop = say_at_commit;
  world_run (w, 1);
  int late = world_add (w, guest_config ("Late"));
  world_run (w, 200);
  forget_events (w);
  /* Once more, ordered behind the commit: the sender sends it again in the new epoch. */
  joining = 0;
  w->drop = NULL;
  session_rotate (of (w, 0));
  session_chat (of (w, 1), "twice on the wire");
  world_run (w, 500);
  for (int i = 0; i < w->n; i++)
    fail_unless_equals_uint64 (count_events (w, i, SESSION_EVENT_MESSAGE), 1);
  fail_unless_equals_string (
      last_event (w, late, SESSION_EVENT_MESSAGE)->message.chat,
      "twice on the wire");
  world_free (w);
}
GST_END_TEST;

/* ---- Recording ---- */

GST_START_TEST (a_recorder_asks_and_records_when_all_agree)
{
  World *w = meeting (1);
  SessionConfig config = guest_config ("Recorder");
  config.role = ROLE_RECORDER;
  int recorder = world_add (w, config);
  world_run (w, 500);
  session_admit (of (w, 0), last_event (w, 0, SESSION_EVENT_KNOCK)->peer);
  world_run (w, 500);
  check_members (w, 0, 1, recorder);
  fail_if (session_recording (of (w, recorder), RECORDING_ON));
  fail_unless (session_recording (of (w, recorder), RECORDING_ASK));
  world_run (w, 100);
  fail_unless (session_consent (of (w, 0), client_key (w, recorder), true));
  world_run (w, 100);
  fail_if (session_recording (of (w, recorder), RECORDING_ON));
  fail_unless (session_consent (of (w, 1), client_key (w, recorder), false));
  world_run (w, 100);
  fail_if (session_recording (of (w, recorder), RECORDING_ON));
  fail_unless (session_consent (of (w, 1), client_key (w, recorder), true));
  world_run (w, 100);
  fail_unless (session_recording (of (w, recorder), RECORDING_ON));
  world_run (w, 100);
  SessionMember member;
  fail_unless (
      session_find_member (of (w, 1), client_key (w, recorder), &member));
  fail_unless_equals_int (member.recording, RECORDING_ON);
  /* A participant may not. */
  fail_if (session_recording (of (w, 1), RECORDING_ON));
  world_free (w);
}
GST_END_TEST;

static Suite *
session_media_suite (void)
{
  Suite *s = suite_create ("session-media");
  TCase *tc = tcase_create ("media");

  tcase_set_timeout (tc, 60);
  tcase_add_checked_fixture (tc, world_set_up, world_tear_down);
  suite_add_tcase (s, tc);
  tcase_add_test (tc, media_keys_open_and_close_at_their_times);
  tcase_add_test (
      tc, epochs_with_equal_low_bits_are_never_open_together);
  tcase_add_test (tc, a_removed_leafs_tracks_end_with_the_commit);
  tcase_add_test (
      tc, tracks_are_told_to_who_joins_and_refused_where_they_lie);
  tcase_add_test (tc, what_is_said_across_a_join_is_heard_once_by_all);
  tcase_add_test (tc, a_recorder_asks_and_records_when_all_agree);
  return s;
}

PURE_CHECK_MAIN (session_media)

/* sframedec: what is not authentic, seen before or not encrypted never comes out, is counted under its cause, and asks for a
 * keyframe; keys come late, change and go.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sframeharness.h"

/* --- Bytes that lie --- */

GST_START_TEST (every_flipped_bit_and_every_cut_is_dropped)
{
  GstHarness *sender = open_sender ("kid=300 key=" KEY_A),
             *h =
                 open_harness ("sframedec kid=300 key=" KEY_A, SFRAME_OF_OPUS);
  g_autoptr (GstBuffer) sframe = next_sframe (sender);
  gsize size = gst_buffer_get_size (sframe);

  for (gsize at = 0; at < size; at++)
    for (guint bit = 0; bit < 8; bit++) {
      g_autoptr (GstBuffer) out =
          through (h, flipped (sframe, at, (guint8) (1 << bit)));
      fail_unless (out == NULL, "bit %u of byte %zu", bit, at);
    }
  for (gsize len = 0; len < size; len++) {
    g_autoptr (GstBuffer) out = through (h, cut (sframe, len));
    fail_unless (out == NULL, "cut to %zu bytes", len);
  }
  fail_unless_equals_uint64 (stat_of (h, "decrypted"), 0);
  check_stats_add_up (h);
  delivers (h, gst_buffer_ref (sframe));
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (each_kind_of_bad_frame_has_its_own_counter)
{
  GstHarness *sender = open_sender ("kid=300 key=" KEY_A),
             *h =
                 open_harness ("sframedec kid=300 key=" KEY_A, SFRAME_OF_OPUS);
  g_autoptr (GstBuffer) first = next_sframe (sender),
                        second = next_sframe (sender);
  guint8 forged[17 + 20];

  delivers (h, gst_buffer_ref (first));
  drops (h, gst_buffer_new (), "truncated");
  drops (h, cut (first, 3), "truncated");
  drops (h, cut (first, 10), "truncated");
  drops (h, gst_buffer_new_memdup ("\x80\x05 0123456789abcdef", 19),
      "not-minimal");
  drops (h, flipped (second, gst_buffer_get_size (second) - 1, 1),
      "unauthenticated");
  drops (h, gst_buffer_ref (first), "replayed");

  /* The longest header, with the KID of no key, and of ours with a counter far ahead. */
  memset (forged, 0xff, sizeof forged);
  drops (h, gst_buffer_new_memdup (forged, sizeof forged), "unknown-kid");
  guint8 jump[12 + 20] = { 0x9f, 300 >> 8, 300 & 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff };
  drops (h, gst_buffer_new_memdup (jump, sizeof jump), "unauthenticated");

  /* None of it moved the window or wedged anything. */
  delivers (h, gst_buffer_ref (second));
  check_stats_add_up (h);
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (clear_frames_are_refused_with_a_sentence)
{
  GstHarness *h = open_harness ("sframedec key=" KEY_A, VP8);
  g_autofree gchar *text = NULL;
  fail_unless (count_messages (h, GST_MESSAGE_ERROR, &text) >= 1);
  fail_unless (strstr (text, "not encrypted") != NULL, "%s", text);
  fail_if (gst_harness_push (h, frame_of (100, 0)) == GST_FLOW_OK);
  fail_unless_equals_int (gst_harness_buffers_received (h), 0);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (a_stream_does_not_choose_the_suite)
{
  GstHarness *h = open_harness ("sframedec key=" KEY_A,
      SFRAME_OF_OPUS ",cipher-suite=(string)aes-128-ctr-hmac-sha256-32");
  g_autofree gchar *text = NULL;
  fail_unless (count_messages (h, GST_MESSAGE_ERROR, &text) >= 1);
  fail_unless (
      strstr (text, "aes-128-ctr-hmac-sha256-32") != NULL, "%s", text);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (metadata_must_be_the_same)
{
  GstHarness *sender = open_sender ("kid=1 metadata=room-7 key=" KEY_A);
  GstHarness *same = open_harness (
      "sframedec kid=1 metadata=room-7 key=" KEY_A, SFRAME_OF_OPUS);
  GstHarness *other = open_harness (
      "sframedec kid=1 metadata=room-8 key=" KEY_A, SFRAME_OF_OPUS);
  g_autoptr (GstBuffer) sframe = next_sframe (sender);
  delivers (same, gst_buffer_ref (sframe));
  drops (other, gst_buffer_ref (sframe), "unauthenticated");
  close_harness (sender);
  close_harness (same);
  close_harness (other);
}
GST_END_TEST;

/* --- Replay --- */

GST_START_TEST (a_frame_comes_out_once_within_the_window_and_not_when_older)
{
  GstHarness *sender = open_sender ("kid=1 key=" KEY_A);
  GstHarness *h = open_harness (
      "sframedec kid=1 replay-window=64 key=" KEY_A, SFRAME_OF_OPUS);
  GstBuffer *frames[100];

  for (guint i = 0; i < 100; i++)
    frames[i] = next_sframe (sender);
  for (guint i = 0; i < 100; i += 2)
    delivers (h, gst_buffer_ref (frames[i])); /* the highest is 98 */
  for (guint i = 0; i < 100; i += 2)
    drops (h, gst_buffer_ref (frames[i]), "replayed");
  for (guint i = 35; i < 100; i += 2)
    delivers (
        h, gst_buffer_ref (frames[i])); /* late, within 64 of 98, then of 99 */
  drops (h, gst_buffer_ref (frames[33]), "replayed");
  drops (h, gst_buffer_ref (frames[35]), "replayed");
  check_stats_add_up (h);
  for (guint i = 0; i < 100; i++)
    gst_buffer_unref (frames[i]);
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (replay_is_remembered_over_flush_states_and_the_key_set_again)
{
  GstHarness *sender = open_sender ("kid=1 key=" KEY_A),
             *h = open_harness ("sframedec kid=1 key=" KEY_A, SFRAME_OF_OPUS);
  g_autoptr (GstBuffer) sframe = next_sframe (sender);
  GstSegment segment;

  delivers (h, gst_buffer_ref (sframe));
  gst_harness_push_event (h, gst_event_new_flush_start ());
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  drops (h, gst_buffer_ref (sframe), "replayed");
  set_key (h, 1, KEY_A);
  drops (h, gst_buffer_ref (sframe), "replayed");
  for (guint i = 0; i < 2; i++) {
    gst_element_set_state (h->element, i ? GST_STATE_NULL : GST_STATE_READY);
    gst_element_set_state (h->element, GST_STATE_PLAYING);
    gst_harness_set_src_caps_str (h, SFRAME_OF_OPUS);
    drops (h, gst_buffer_ref (sframe), "replayed");
  }
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (an_authentic_jump_of_the_counter_is_followed_and_counted)
{
  GstHarness *one =
      open_harness ("sframeenc kid=1 initial-counter=5 key=" KEY_A, OPUS);
  GstHarness *far = open_harness (
      "sframeenc kid=1 initial-counter=1000000 key=" KEY_A, OPUS);
  GstHarness *h = open_harness ("sframedec kid=1 key=" KEY_A, SFRAME_OF_OPUS);
  delivers (h, next_sframe (one));
  fail_unless_equals_uint64 (stat_of (h, "counter-jumps"), 0);
  delivers (h, next_sframe (far));
  fail_unless_equals_uint64 (stat_of (h, "counter-jumps"), 1);
  delivers (h, next_sframe (far));
  fail_unless_equals_uint64 (stat_of (h, "counter-jumps"), 1);
  drops (h, next_sframe (one), "replayed");
  close_harness (one);
  close_harness (far);
  close_harness (h);
}
GST_END_TEST;

/* The sender was restarted with its key and drew a lower counter: to the receiver all of it is replayed, and that must not
 * look like silence. */
GST_START_TEST (a_stream_of_nothing_but_replays_is_told)
{
  GstHarness *before =
      open_harness ("sframeenc kid=1 initial-counter=100000 key=" KEY_A, OPUS);
  GstHarness *after = open_sender ("kid=1 key=" KEY_A);
  GstHarness *h = open_harness (
      "sframedec kid=1 error-after=200 key=" KEY_A, SFRAME_OF_OPUS);
  g_autofree gchar *text = NULL;

  delivers (h, next_sframe (before));
  for (guint i = 0; i < 199; i++)
    drops (h, next_sframe (after), "replayed");
  fail_unless_equals_int (count_messages (h, GST_MESSAGE_WARNING, &text), 1);
  fail_unless (strstr (text, "restarted") != NULL, "%s", text);
  fail_unless_equals_int (
      gst_harness_push (h, next_sframe (after)), GST_FLOW_ERROR);
  close_harness (before);
  close_harness (after);
  close_harness (h);
}
GST_END_TEST;

/* Whatever takes a key away and brings it back, or changes the window, what was accepted is not accepted again. */
GST_START_TEST (a_key_that_comes_back_accepts_nothing_twice)
{
  GstHarness *sender = open_sender ("kid=1 key=" KEY_A);
  GstHarness *h = open_harness ("sframedec kid=1 key=" KEY_A, SFRAME_OF_OPUS);
  g_autoptr (GstBuffer) first = next_sframe (sender),
                        second = next_sframe (sender);

  delivers (h, gst_buffer_ref (first));
  delivers (h, gst_buffer_ref (second));
  set_key (h, 1, KEY_B);
  set_key (h, 1, KEY_A);
  drops (h, gst_buffer_ref (first), "replayed");
  g_signal_emit_by_name (ours (h), "remove-key", (guint64) 1);
  set_key (h, 1, KEY_A);
  drops (h, gst_buffer_ref (second), "replayed");
  static const char *const changes[] = { "replay-window=64", "ratchet-bits=3",
    "ratchet-bits=0", "replay-window=1024" };
  for (guint i = 0; i < G_N_ELEMENTS (changes); i++) {
    g_auto (GStrv) parts = g_strsplit (changes[i], "=", 2);
    gst_element_set_state (h->element, GST_STATE_READY);
    gst_util_set_object_arg (G_OBJECT (ours (h)), parts[0], parts[1]);
    gst_element_set_state (h->element, GST_STATE_PLAYING);
    gst_harness_set_src_caps_str (h, SFRAME_OF_OPUS);
    drops (h, gst_buffer_ref (first), "replayed");
    drops (h, gst_buffer_ref (second), "replayed");
  }
  delivers (h, next_sframe (sender));
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* Nothing is missing where a frame came twice, or was another sender's. */
GST_START_TEST (a_replay_is_no_discontinuity)
{
  GstHarness *sender = open_sender ("kid=1 key=" KEY_A);
  GstHarness *h = open_harness (
      "sframedec kid-mask=0xff kid-value=1 kid=1 key=" KEY_A, SFRAME_OF_OPUS);
  g_autoptr (GstBuffer) sframe = next_sframe (sender);

  delivers (h, gst_buffer_ref (sframe));
  drops (h, gst_buffer_ref (sframe), "replayed");
  drops (h, flipped (sframe, 0, 0x30), "wrong-sender");
  g_autoptr (GstBuffer) after = through (h, next_sframe (sender));
  fail_if (!after || GST_BUFFER_IS_DISCONT (after));
  drops (h, flipped (sframe, 20, 1), "unauthenticated");
  g_autoptr (GstBuffer) gap = through (h, next_sframe (sender));
  fail_unless (gap && GST_BUFFER_IS_DISCONT (gap));
  g_autoptr (GstBuffer) steady = through (h, next_sframe (sender));
  fail_if (!steady || GST_BUFFER_IS_DISCONT (steady));
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* The highest counter there is was accepted: nothing else can be new under this key, now or when it comes back. */
GST_START_TEST (a_key_whose_last_counter_came_accepts_nothing_more)
{
  GstHarness *sender = open_harness ("sframeenc kid=1 key=" KEY_A
                                     " initial-counter=18446744073709551613",
      OPUS);
  GstHarness *h = open_harness ("sframedec kid=1 key=" KEY_A, SFRAME_OF_OPUS);
  g_autoptr (GstBuffer) first = next_sframe (sender),
                        unseen = next_sframe (sender),
                        last = next_sframe (sender);

  delivers (h, gst_buffer_ref (first));
  delivers (h, gst_buffer_ref (last));
  g_signal_emit_by_name (ours (h), "remove-key", (guint64) 1);
  set_key (h, 1, KEY_A);
  drops (h, gst_buffer_ref (first), "replayed");
  drops (h, gst_buffer_ref (unseen), "replayed");
  drops (h, gst_buffer_ref (last), "replayed");
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* --- Keyframes --- */

GST_START_TEST (after_a_loss_a_keyframe_is_asked_for_but_not_each_time)
{
  GstHarness *sender = open_harness ("sframeenc kid=1 key=" KEY_A, VP8);
  GstHarness *h = open_harness ("sframedec kid=1 key=" KEY_A
                                " keyframe-interval=18446744073709551615",
      SFRAME_OF_VP8);
  g_autoptr (GstBuffer) sframe = next_sframe (sender);

  fail_unless_equals_int (count_keyframe_requests (h), 0);
  for (guint i = 0; i < 50; i++)
    drops (h, flipped (sframe, 20, 1), "unauthenticated");
  fail_unless_equals_int (count_keyframe_requests (h), 1);
  fail_unless_equals_uint64 (stat_of (h, "keyframe-requests"), 1);

  g_object_set (ours (h), "keyframe-interval", (guint64) 0, NULL);
  for (guint i = 0; i < 5; i++)
    drops (h, flipped (sframe, 20, 1), "unauthenticated");
  fail_unless_equals_int (count_keyframe_requests (h), 5);
  delivers (h, gst_buffer_ref (sframe));
  drops (h, gst_buffer_ref (sframe), "replayed"); /* no loss */
  fail_unless_equals_int (count_keyframe_requests (h), 0);
  close_harness (sender);
  close_harness (h);

  h = open_harness (
      "sframedec kid=1 key=" KEY_B " keyframe-interval=0", SFRAME_OF_OPUS);
  drops (h, gst_buffer_ref (sframe), "unauthenticated");
  fail_unless_equals_int (count_keyframe_requests (h), 0); /* sound has none */
  close_harness (h);
}
GST_END_TEST;

/* Frames were lost while the request was held back by the interval: it goes out with the first frame that decrypts. */
GST_START_TEST (a_request_that_was_held_back_is_made_up_for)
{
  GstHarness *sender = open_harness ("sframeenc kid=1 key=" KEY_A, VP8);
  GstHarness *h = open_harness ("sframedec kid=1 key=" KEY_A
                                " keyframe-interval=18446744073709551615",
      SFRAME_OF_VP8);
  g_autoptr (GstBuffer) sframe = next_sframe (sender);

  drops (h, flipped (sframe, 20, 1), "unauthenticated");
  drops (h, flipped (sframe, 20, 1), "unauthenticated");
  fail_unless_equals_int (count_keyframe_requests (h), 1);
  g_object_set (ours (h), "keyframe-interval", (guint64) 0, NULL);
  delivers (h, gst_buffer_ref (sframe));
  fail_unless_equals_int (count_keyframe_requests (h), 1);
  delivers (h, next_sframe (sender));
  fail_unless_equals_int (count_keyframe_requests (h), 0);
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* --- Threads --- */

typedef struct
{
  GstHarness *h;
  gint stop;
} Meddler;

static gpointer
meddle (gpointer data)
{
  Meddler *meddler = data;
  for (guint i = 0; !g_atomic_int_get (&meddler->stop); i++) {
    g_autoptr (GstStructure) stats = NULL;
    set_key (meddler->h, 1, KEY_A);
    set_key (meddler->h, 2 + i % 50, KEY_B);
    if (i % 3 == 0)
      set_key (meddler->h, 1000,
          KEY_A); /* frames wait for it: they go out on the helper thread */
    g_signal_emit_by_name (ours (meddler->h), "remove-key", (guint64) 1000);
    g_signal_emit_by_name (
        ours (meddler->h), "remove-key", (guint64) (2 + i % 50));
    g_object_get (ours (meddler->h), "stats", &stats, NULL);
  }
  return NULL;
}

GST_START_TEST (keys_change_in_one_thread_while_frames_flow_in_another)
{
  GstHarness *sender = open_sender ("kid=1 key=" KEY_A);
  GstHarness *other = open_sender ("kid=1000 key=" KEY_A);
  GstHarness *h = open_harness (
      "sframedec kid=1 pending-time=1000000 key=" KEY_A, SFRAME_OF_OPUS);
  Meddler meddler = { h, FALSE };
  GThread *thread = g_thread_new ("meddler", meddle, &meddler);

  for (guint i = 0; i < 5000; i++) {
    delivers (h, next_sframe (sender));
    if (i % 4 == 0)
      fail_unless_equals_int (
          gst_harness_push (h, next_sframe (other)), GST_FLOW_OK);
  }
  g_atomic_int_set (&meddler.stop, TRUE);
  g_thread_join (thread);
  gst_harness_push_event (
      h, gst_event_new_eos ()); /* nothing waits any more */
  check_stats_add_up (h);
  close_harness (other);
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

static Suite *
sframedec_suite (void)
{
  Suite *suite = suite_create ("sframedec");
  TCase *hostile = tcase_create ("hostile"), *replay = tcase_create ("replay"),
        *keyframes = tcase_create ("keyframes"),
        *threads = tcase_create ("threads");

  suite_add_tcase (suite, hostile);
  tcase_add_test (hostile, every_flipped_bit_and_every_cut_is_dropped);
  tcase_add_test (hostile, each_kind_of_bad_frame_has_its_own_counter);
  tcase_add_test (hostile, clear_frames_are_refused_with_a_sentence);
  tcase_add_test (hostile, a_stream_does_not_choose_the_suite);
  tcase_add_test (hostile, metadata_must_be_the_same);

  suite_add_tcase (suite, replay);
  tcase_add_test (
      replay, a_frame_comes_out_once_within_the_window_and_not_when_older);
  tcase_add_test (
      replay, replay_is_remembered_over_flush_states_and_the_key_set_again);
  tcase_add_test (
      replay, an_authentic_jump_of_the_counter_is_followed_and_counted);
  tcase_add_test (replay, a_stream_of_nothing_but_replays_is_told);
  tcase_add_test (replay, a_key_that_comes_back_accepts_nothing_twice);
  tcase_add_test (replay, a_replay_is_no_discontinuity);
  tcase_add_test (replay, a_key_whose_last_counter_came_accepts_nothing_more);

  suite_add_tcase (suite, keyframes);
  tcase_add_test (
      keyframes, after_a_loss_a_keyframe_is_asked_for_but_not_each_time);
  tcase_add_test (keyframes, a_request_that_was_held_back_is_made_up_for);

  suite_add_tcase (suite, threads);
  tcase_add_test (
      threads, keys_change_in_one_thread_while_frames_flow_in_another);
  return suite;
}

GST_CHECK_MAIN (sframedec)

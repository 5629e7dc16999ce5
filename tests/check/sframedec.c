/* sframedec: what is not authentic, seen before or not encrypted never comes out, is counted under its cause, and asks for a
 * keyframe; keys come late, change and go.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sframeharness.h"

/* An encoder of the tests: frames of a KID under key A, counters from 0. */
static GstHarness *
open_sender (const char *more)
{
  g_autofree char *line =
      g_strdup_printf ("sframeenc initial-counter=0 %s", more);
  return open_harness (line, OPUS);
}

static GstBuffer *
next_sframe (GstHarness *sender)
{
  GstBuffer *sframe = through (sender, frame_of (100, 3));
  fail_unless (sframe != NULL);
  return sframe;
}

/* A frame that must be dropped under `fate`, the pipeline going on. */
static void
drops (GstHarness *h, GstBuffer *sframe, const char *fate)
{
  guint64 before = stat_of (h, fate);
  g_autoptr (GstBuffer) out = through (h, sframe);
  fail_unless (out == NULL, "a frame came out that should be %s", fate);
  fail_unless (stat_of (h, fate) == before + 1, "not counted as %s", fate);
}

static void
delivers (GstHarness *h, GstBuffer *sframe)
{
  g_autoptr (GstBuffer) out = through (h, sframe);
  fail_unless (out != NULL);
  fail_unless_equals_uint64 (gst_buffer_get_size (out), 100);
}

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

/* --- Keyframes --- */

static guint
count_keyframe_requests (GstHarness *h)
{
  guint n = 0;
  GstEvent *event;
  while ((event = gst_harness_try_pull_upstream_event (h))) {
    n += gst_video_event_is_force_key_unit (event);
    gst_event_unref (event);
  }
  return n;
}

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

/* --- Keys that are missing, late, wrong --- */

GST_START_TEST (a_wrong_key_is_a_warning_once_and_an_error_after)
{
  GstHarness *sender = open_sender ("kid=1 key=" KEY_B);
  GstHarness *h = open_harness (
      "sframedec kid=1 key=" KEY_A " error-after=10", SFRAME_OF_OPUS);
  g_autofree gchar *text = NULL;

  for (guint i = 0; i < 9; i++)
    drops (h, next_sframe (sender), "unauthenticated");
  fail_unless_equals_int (count_messages (h, GST_MESSAGE_WARNING, &text), 1);
  fail_unless (strstr (text, "KID 1 ") && strstr (text, "the key is wrong"),
      "%s", text);
  fail_unless_equals_int (
      gst_harness_push (h, next_sframe (sender)), GST_FLOW_ERROR);
  fail_unless_equals_int (count_messages (h, GST_MESSAGE_ERROR, &text), 1);
  fail_unless (strstr (text, "last 10 frames") != NULL, "%s", text);
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (one_success_starts_the_count_to_the_error_anew)
{
  GstHarness *sender = open_sender ("kid=1 key=" KEY_A);
  GstHarness *h = open_harness (
      "sframedec kid=1 key=" KEY_A " error-after=10", SFRAME_OF_OPUS);
  for (guint i = 0; i < 50; i++) {
    g_autoptr (GstBuffer) sframe = next_sframe (sender);
    if (i % 10 != 9)
      drops (h, flipped (sframe, 20, 1), "unauthenticated");
    else
      delivers (h, gst_buffer_ref (sframe));
  }
  fail_unless_equals_int (count_messages (h, GST_MESSAGE_ERROR, NULL), 0);
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

typedef struct
{
  guint n_asked;
  const char *answer;
} Keeper;

static GBytes *
answer_key (GstElement *element, guint64 kid, gpointer data)
{
  Keeper *keeper = data;
  g_autoptr (GstStructure) stats = NULL;

  /* A handler may look at anything: no lock is held. */
  g_object_get (element, "stats", &stats, NULL);
  fail_unless (stats != NULL);
  keeper->n_asked++;
  return keeper->answer ? key_bytes (keeper->answer) : NULL;
}

GST_START_TEST (a_missing_key_is_asked_for_once)
{
  GstHarness *sender = open_sender ("kid=77 key=" KEY_A),
             *h = open_harness ("sframedec", SFRAME_OF_OPUS);
  Keeper keeper = { 0, NULL };

  g_signal_connect (ours (h), "key-needed", G_CALLBACK (answer_key), &keeper);
  for (guint i = 0; i < 5; i++)
    drops (h, next_sframe (sender), "unknown-kid");
  fail_unless_equals_int (keeper.n_asked, 1);

  /* A new key of another KID: whoever has it may now have this one too. */
  keeper.answer = KEY_A;
  set_key (h, 5, KEY_B);
  for (guint i = 0; i < 5; i++)
    delivers (h, next_sframe (sender));
  fail_unless_equals_int (keeper.n_asked, 2);
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* A key that was removed may be needed again: its KID has come round. */
GST_START_TEST (a_removed_key_is_asked_for_again)
{
  GstHarness *sender = open_sender ("kid=7 key=" KEY_A),
             *h = open_harness ("sframedec", SFRAME_OF_OPUS);
  Keeper none = { 0, NULL }, keeper = { 0, KEY_A };

  drops (h, next_sframe (sender),
      "unknown-kid"); /* nobody to ask: that is no answer */
  g_signal_connect (ours (h), "key-needed", G_CALLBACK (answer_key), &none);
  g_signal_connect (ours (h), "key-needed", G_CALLBACK (answer_key), &keeper);
  delivers (h, next_sframe (sender));
  fail_unless_equals_int (none.n_asked, 1);
  fail_unless_equals_int (keeper.n_asked, 1);
  g_signal_emit_by_name (ours (h), "remove-key", (guint64) 7);
  delivers (h, next_sframe (sender));
  fail_unless_equals_int (keeper.n_asked, 2);
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* The least frame costs a buffer too. */
GST_START_TEST (what_waits_is_bounded_however_small_it_is)
{
  GstHarness *h =
      open_harness ("sframedec pending-time=3600000000000", SFRAME_OF_OPUS);
  for (guint i = 0; i < 5000; i++)
    fail_unless_equals_int (
        gst_harness_push (h, gst_buffer_new_memdup ("\x70", 1)), GST_FLOW_OK);
  fail_unless_equals_uint64 (stat_of (h, "pending"), 1024 * 1024 / 513);
  check_stats_add_up (h);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (a_flood_of_kids_is_bounded)
{
  GstHarness *sender = open_sender ("kid=77 key=" KEY_A);
  GstHarness *h =
      open_harness ("sframedec kid=77 pending-time=3600000000000 key=" KEY_A,
          SFRAME_OF_OPUS);
  const guint n = 50000;

  for (guint i = 0; i < n; i++) {
    guint8 forged[100] = { 0xb0, 0, (guint8) (i >> 16 | 1), (guint8) (i >> 8),
      (guint8) i };
    forged[0] = 0xb0; /* four bytes of KID */
    forged[1] = 1;
    fail_unless_equals_int (
        gst_harness_push (h, gst_buffer_new_memdup (forged, sizeof forged)),
        GST_FLOW_OK);
  }
  /* What waits for a key has an end, and the rest is dropped at once. */
  fail_unless_equals_uint64 (
      stat_of (h, "pending"), 1024 * 1024 / (100 + 512));
  fail_unless_equals_uint64 (
      stat_of (h, "unknown-kid"), n - 1024 * 1024 / (100 + 512));
  fail_unless (count_messages (h, GST_MESSAGE_WARNING, NULL) <= 64);
  delivers (h, next_sframe (sender));
  check_stats_add_up (h);
  gst_harness_push_event (h, gst_event_new_eos ());
  fail_unless_equals_uint64 (stat_of (h, "unknown-kid"), n);
  check_stats_add_up (h);
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* The key comes from another thread while no further frame does. */
GST_START_TEST (frames_wait_for_their_key_and_come_out_in_order)
{
  GstHarness *sender = open_sender ("kid=77 key=" KEY_A);
  GstHarness *h =
      open_harness ("sframedec pending-time=3600000000000", SFRAME_OF_OPUS);

  for (guint i = 0; i < 10; i++) {
    g_autoptr (GstBuffer) sframe = through (sender, frame_of (10 + i, 0));
    fail_unless (through (h, g_steal_pointer (&sframe)) == NULL);
  }
  fail_unless_equals_uint64 (stat_of (h, "pending"), 10);
  fail_unless_equals_uint64 (stat_of (h, "unknown-kid"), 0);
  set_key (h, 77, KEY_A);
  for (guint i = 0; i < 10; i++) {
    g_autoptr (GstBuffer) out = gst_harness_pull (h);
    fail_unless (out != NULL);
    fail_unless_equals_uint64 (gst_buffer_get_size (out), 10 + i);
  }
  check_stats_add_up (h);
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* The answer to key-needed brings the key of frames that wait in front. */
GST_START_TEST (a_key_that_comes_with_a_frame_lets_those_before_it_out_first)
{
  GstHarness *sender = open_sender ("kid=77 key=" KEY_A);
  GstHarness *h =
      open_harness ("sframedec pending-time=3600000000000", SFRAME_OF_OPUS);
  Keeper keeper = { 0, KEY_A };

  for (guint i = 0; i < 3; i++)
    fail_unless (through (h, through (sender, frame_of (10 + i, 0))) == NULL);
  g_signal_connect (ours (h), "key-needed", G_CALLBACK (answer_key), &keeper);
  fail_unless_equals_int (
      gst_harness_push (h, through (sender, frame_of (13, 0))), GST_FLOW_OK);
  for (guint i = 0; i < 4; i++) {
    g_autoptr (GstBuffer) out = gst_harness_try_pull (h);
    fail_unless (out != NULL);
    fail_unless_equals_uint64 (gst_buffer_get_size (out), 10 + i);
  }
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* The same caps again, or with another SSRC, are no reason to drop what waits. */
GST_START_TEST (frames_that_wait_outlive_a_change_of_ssrc)
{
  GstHarness *sender = open_sender ("kid=77 key=" KEY_A);
  GstHarness *h = open_harness ("sframedec pending-time=3600000000000",
      SFRAME_OF_OPUS ",sframe-ssrc=(uint)1");
  g_autoptr (GstCaps) caps =
      gst_caps_from_string (SFRAME_OF_OPUS ",sframe-ssrc=(uint)2");

  fail_unless (through (h, next_sframe (sender)) == NULL);
  gst_harness_push_event (h, gst_event_new_caps (caps));
  fail_unless_equals_uint64 (stat_of (h, "pending"), 1);
  set_key (h, 77, KEY_A);
  gst_buffer_unref (gst_harness_pull (h));
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* Frames that wait belong to the segment they came in. */
GST_START_TEST (a_segment_is_not_overtaken_by_frames_that_wait)
{
  GstHarness *sender = open_sender ("kid=77 key=" KEY_A);
  GstHarness *h =
      open_harness ("sframedec pending-time=3600000000000", SFRAME_OF_OPUS);
  GstSegment segment;

  fail_unless (through (h, next_sframe (sender)) == NULL);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = 100 * GST_SECOND;
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  fail_unless_equals_uint64 (stat_of (h, "unknown-kid"), 1);
  set_key (h, 77, KEY_A);
  g_autoptr (GstBuffer) out = through (h, next_sframe (sender));
  fail_unless (out && GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_DISCONT));
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (a_frame_that_waited_too_long_is_dropped)
{
  GstHarness *sender = open_sender ("kid=77 key=" KEY_A),
             *known = open_sender ("kid=5 key=" KEY_B);
  GstHarness *h = open_harness (
      "sframedec kid=5 pending-time=1000 key=" KEY_B, SFRAME_OF_OPUS);

  fail_unless (through (h, next_sframe (sender)) == NULL);
  while (
      stat_of (h, "unknown-kid") == 0) /* bounded by the test's own timeout */
    delivers (h, next_sframe (known));
  fail_unless_equals_uint64 (stat_of (h, "pending"), 0);
  set_key (h, 77, KEY_A);
  fail_unless (gst_harness_try_pull (h) == NULL);
  check_stats_add_up (h);
  close_harness (sender);
  close_harness (known);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (waiting_frames_end_with_flush_and_stop_and_are_counted)
{
  GstHarness *sender = open_sender ("kid=77 key=" KEY_A);
  GstHarness *h =
      open_harness ("sframedec pending-time=3600000000000", SFRAME_OF_OPUS);
  GstSegment segment;

  fail_unless (through (h, next_sframe (sender)) == NULL);
  gst_harness_push_event (h, gst_event_new_flush_start ());
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
  fail_unless_equals_uint64 (stat_of (h, "flushed"), 1);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  fail_unless (through (h, next_sframe (sender)) == NULL);
  gst_element_set_state (h->element, GST_STATE_READY);
  fail_unless_equals_uint64 (stat_of (h, "flushed"), 2);
  check_stats_add_up (h);
  set_key (h, 77, KEY_A);
  gst_element_set_state (h->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (h, SFRAME_OF_OPUS);
  delivers (h, next_sframe (sender));
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (a_removed_key_is_gone_and_a_new_one_of_its_kid_takes_its_place)
{
  GstHarness *a = open_sender ("kid=1 key=" KEY_A),
             *b = open_sender ("kid=1 key=" KEY_B);
  GstHarness *h = open_harness ("sframedec kid=1 key=" KEY_A, SFRAME_OF_OPUS);

  delivers (h, next_sframe (a));
  g_signal_emit_by_name (ours (h), "remove-key", (guint64) 1);
  drops (h, next_sframe (a), "unknown-kid");
  set_key (h, 1, KEY_B);
  delivers (h, next_sframe (b)); /* counter 0 again: its window is new */
  drops (h, next_sframe (a), "unauthenticated");
  close_harness (a);
  close_harness (b);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (a_bound_decoder_takes_no_other_sender)
{
  GstHarness *leaf3 = open_sender ("kid=62 key=" KEY_A),
             *leaf4 = open_sender ("kid=78 key=" KEY_A);
  GstHarness *h = open_harness (
      "sframedec kid-mask=0xfffffffffffffff0 kid-value=0x30", SFRAME_OF_OPUS);
  set_key (h, 62, KEY_A);
  set_key (h, 78, KEY_A);
  delivers (h, next_sframe (leaf3));
  drops (h, next_sframe (leaf4), "wrong-sender");
  check_stats_add_up (h);
  close_harness (leaf3);
  close_harness (leaf4);
  close_harness (h);
}
GST_END_TEST;

/* --- The ratchet --- */

GST_START_TEST (the_ratchet_is_followed_and_late_frames_still_come)
{
  guint bits = (guint) __i__;
  g_autofree char *enc_line =
      g_strdup_printf ("kid=%u ratchet-bits=%u key=" KEY_A, 5u << bits, bits);
  g_autofree char *dec_line = g_strdup_printf (
      "sframedec kid=%u ratchet-bits=%u key=" KEY_A, 5u << bits, bits);
  GstHarness *sender = open_sender (enc_line),
             *h = open_harness (dec_line, SFRAME_OF_OPUS);
  g_autoptr (GstBuffer) late = NULL;

  for (guint step = 0; step < 40; step++) {
    g_autoptr (GstBuffer) now = next_sframe (sender);
    g_autoptr (GstBuffer) later = next_sframe (sender);
    fail_unless_equals_uint64 (
        header_of (now).kid, (5u << bits) + step % (1u << bits));
    delivers (h, gst_buffer_ref (now));
    drops (h, gst_buffer_ref (now), "replayed");
    if (late && bits > 1)
      delivers (h, gst_buffer_ref (late));
    gst_buffer_replace (&late, later);
    g_signal_emit_by_name (ours (sender), "ratchet");
  }
  check_stats_add_up (h);
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (
    a_ratchet_that_skipped_steps_is_followed_and_forged_steps_are_not)
{
  GstHarness *sender = open_sender ("kid=0x500 ratchet-bits=8 key=" KEY_A);
  GstHarness *h = open_harness (
      "sframedec kid=0x500 ratchet-bits=8 key=" KEY_A, SFRAME_OF_OPUS);
  delivers (h, next_sframe (sender));
  for (guint i = 0; i < 100; i++)
    g_signal_emit_by_name (ours (sender), "ratchet");
  g_autoptr (GstBuffer) sframe = next_sframe (sender);
  for (guint i = 0; i < 20; i++)
    drops (h, flipped (sframe, 30, 1), "unauthenticated");
  drops (h, flipped (sframe, 2, 1), "unauthenticated");
  delivers (h, gst_buffer_ref (sframe));
  delivers (h, next_sframe (sender));
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* The sender was not heard for so long that its KIDs came round: the step is new, though its KID is one whose key is kept. */
GST_START_TEST (a_ratchet_that_came_round_unheard_is_followed)
{
  GstHarness *sender = open_sender ("kid=0x50 ratchet-bits=4 key=" KEY_A);
  GstHarness *h = open_harness (
      "sframedec kid=0x50 ratchet-bits=4 key=" KEY_A, SFRAME_OF_OPUS);

  for (guint i = 0; i < 8; i++) {
    delivers (h, next_sframe (sender));
    g_signal_emit_by_name (ours (sender), "ratchet");
  }
  for (guint i = 0; i < 8; i++)
    g_signal_emit_by_name (ours (sender), "ratchet"); /* 16: KID 0x50 again */
  delivers (h, next_sframe (sender));
  delivers (h, next_sframe (sender));
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (the_key_set_again_does_not_turn_the_ratchet_back)
{
  GstHarness *sender = open_sender ("kid=0x500 ratchet-bits=8 key=" KEY_A);
  GstHarness *h = open_harness (
      "sframedec kid=0x500 ratchet-bits=8 key=" KEY_A, SFRAME_OF_OPUS);

  for (guint i = 0; i < 12; i++) {
    delivers (h, next_sframe (sender));
    g_signal_emit_by_name (ours (sender), "ratchet");
  }
  set_key (sender, 0x500, KEY_A);
  set_key (h, 0x500, KEY_A);
  g_autoptr (GstBuffer) sframe = next_sframe (sender);
  fail_unless_equals_uint64 (header_of (sframe).kid, 0x50c);
  delivers (h, gst_buffer_ref (sframe));
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* Before the first frame, with a suite of another hash. */
GST_START_TEST (a_ratchet_before_the_start_is_of_the_right_suite)
{
  GstHarness *h = open_harness (
      "sframedec kid=0x50 ratchet-bits=4 cipher-suite=aes-128-gcm-sha256-128 key=" KEY_A,
      SFRAME_OF_OPUS);
  GstHarness *sender = gst_harness_new_parse ("sframeenc ratchet-bits=4");

  gst_element_set_state (sender->element, GST_STATE_NULL);
  gst_util_set_object_arg (
      G_OBJECT (ours (sender)), "cipher-suite", "aes-128-gcm-sha256-128");
  g_object_set (ours (sender), "kid", (guint64) 0x50, "key", KEY_A, NULL);
  g_signal_emit_by_name (ours (sender), "ratchet");
  gst_element_set_state (sender->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (sender, OPUS);
  g_autoptr (GstBuffer) sframe = next_sframe (sender);
  fail_unless_equals_uint64 (header_of (sframe).kid, 0x51);
  delivers (h, gst_buffer_ref (sframe));
  gst_harness_teardown (sender);
  close_harness (h);
}
GST_END_TEST;

/* --- VP8 that came by RTP --- */

static GstBuffer *
vp8_frame (gboolean key, guint width, guint height)
{
  guint8 frame[50] = { key ? 0x10 : 0x11, 2, 0, 0x9d, 1, 0x2a, (guint8) width,
    (guint8) (width >> 8), (guint8) height, (guint8) (height >> 8) };
  return gst_buffer_new_memdup (frame, sizeof frame);
}

static void
fail_unless_size_is (GstHarness *h, gint want_width, gint want_height)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (h->sinkpad);
  gint width = 0, height = 0;
  fail_unless (caps != NULL);
  gst_structure_get_int (gst_caps_get_structure (caps, 0), "width", &width);
  gst_structure_get_int (gst_caps_get_structure (caps, 0), "height", &height);
  fail_unless_equals_int (width, want_width);
  fail_unless_equals_int (height, want_height);
}

GST_START_TEST (the_size_of_vp8_is_in_the_caps_from_the_first_keyframe_on)
{
  GstHarness *sender = open_harness ("sframeenc kid=1 key=" KEY_A, VP8);
  GstHarness *h = open_harness ("sframedec kid=1 key=" KEY_A,
      "application/x-sframe,original-media-type=(string)video/x-vp8");
  GstSegment segment;

  fail_if (gst_pad_has_current_caps (h->sinkpad));
  drops (h, through (sender, vp8_frame (FALSE, 0, 0)), "waiting-keyframe");
  fail_unless (count_keyframe_requests (h) >= 1);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_segment (&segment));

  g_autoptr (GstBuffer) key =
      through (h, through (sender, vp8_frame (TRUE, 640, 480)));
  fail_unless (key != NULL);
  fail_unless_size_is (h, 640, 480);
  fail_if (GST_BUFFER_FLAG_IS_SET (key, GST_BUFFER_FLAG_DELTA_UNIT));
  g_autoptr (GstBuffer) delta =
      through (h, through (sender, vp8_frame (FALSE, 0, 0)));
  fail_unless (
      delta && GST_BUFFER_FLAG_IS_SET (delta, GST_BUFFER_FLAG_DELTA_UNIT));

  g_autoptr (GstBuffer) bigger =
      through (h, through (sender, vp8_frame (TRUE, 1280, 720)));
  fail_unless (bigger != NULL);
  fail_unless_size_is (h, 1280, 720);
  check_stats_add_up (h);

  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

#define VP8_OF_UNKNOWN_SIZE                                                   \
  "application/x-sframe,original-media-type=(string)video/x-vp8"

/* What came out: "caps segment buffer", without the events that do not matter here. */
static gchar *
events_of (GstHarness *h)
{
  GString *all = g_string_new (NULL);
  GstEvent *event;
  while ((event = gst_harness_try_pull_event (h))) {
    if (GST_EVENT_TYPE (event) != GST_EVENT_STREAM_START
        && GST_EVENT_TYPE (event) != GST_EVENT_LATENCY)
      g_string_append_printf (all, "%s ", GST_EVENT_TYPE_NAME (event));
    gst_event_unref (event);
  }
  return g_string_free (all, FALSE);
}

GST_START_TEST (events_wait_for_the_first_keyframe_and_come_out_in_order)
{
  GstHarness *sender = open_harness ("sframeenc kid=1 key=" KEY_A, VP8);
  GstHarness *h =
      open_harness ("sframedec kid=1 key=" KEY_A, VP8_OF_UNKNOWN_SIZE);
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  g_autoptr (GstCaps) other =
      gst_caps_from_string (VP8_OF_UNKNOWN_SIZE ",sframe-ssrc=(uint)2");
  if (__i__ == 1) /* another SSRC before anything could be decrypted */
    gst_harness_push_event (h, gst_event_new_caps (other));
  if (__i__ == 2) {
    gst_harness_push_event (h, gst_event_new_flush_start ());
    gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
    gst_harness_push_event (h, gst_event_new_segment (&segment));
  }
  for (guint i = 0; i < 1000; i++) /* one for each packet that was lost */
    gst_harness_push_event (h, gst_event_new_gap (i, 1));
  for (guint i = 0; i < 1000; i++)
    gst_harness_push_event (
        h, gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
               gst_structure_new_empty ("application/x-whatever")));
  g_autofree gchar *before = events_of (h);
  fail_unless (__i__ == 2 ? g_str_equal (before, "flush-start flush-stop ")
                          : g_str_equal (before, ""),
      "%s", before);

  gst_buffer_unref (through (h, through (sender, vp8_frame (TRUE, 640, 480))));
  g_autofree gchar *events = events_of (h);
  fail_unless (g_str_has_prefix (events, "caps segment "), "%s", events);
  fail_unless (strstr (events + strlen ("caps segment "), "segment") == NULL,
      "%s", events);
  fail_unless (strlen (events) < 70 * strlen ("custom-downstream "));
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* The stream ended before a keyframe, and went on after a flush. */
GST_START_TEST (the_size_is_learnt_after_an_end_without_a_keyframe)
{
  GstHarness *sender = open_harness ("sframeenc kid=1 key=" KEY_A, VP8);
  GstHarness *h =
      open_harness ("sframedec kid=1 key=" KEY_A, VP8_OF_UNKNOWN_SIZE);
  GstSegment segment;

  gst_harness_push_event (h, gst_event_new_eos ());
  gst_harness_push_event (h, gst_event_new_flush_start ());
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  gst_buffer_unref (through (h, through (sender, vp8_frame (TRUE, 640, 480))));
  fail_unless_size_is (h, 640, 480);
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
        *keyframes = tcase_create ("keyframes"), *keys = tcase_create ("keys"),
        *ratchet = tcase_create ("ratchet"), *media = tcase_create ("media"),
        *threads = tcase_create ("threads");

  suite_add_tcase (suite, hostile);
  tcase_add_test (hostile, every_flipped_bit_and_every_cut_is_dropped);
  tcase_add_test (hostile, each_kind_of_bad_frame_has_its_own_counter);
  tcase_add_test (hostile, clear_frames_are_refused_with_a_sentence);
  tcase_add_test (hostile, a_stream_does_not_choose_the_suite);
  tcase_add_test (hostile, metadata_must_be_the_same);
  tcase_add_test (hostile, a_flood_of_kids_is_bounded);
  tcase_add_test (hostile, what_waits_is_bounded_however_small_it_is);

  suite_add_tcase (suite, replay);
  tcase_add_test (
      replay, a_frame_comes_out_once_within_the_window_and_not_when_older);
  tcase_add_test (
      replay, replay_is_remembered_over_flush_states_and_the_key_set_again);
  tcase_add_test (
      replay, an_authentic_jump_of_the_counter_is_followed_and_counted);
  tcase_add_test (replay, a_stream_of_nothing_but_replays_is_told);
  tcase_add_test (replay, a_key_that_comes_back_accepts_nothing_twice);

  suite_add_tcase (suite, keyframes);
  tcase_add_test (
      keyframes, after_a_loss_a_keyframe_is_asked_for_but_not_each_time);
  tcase_add_test (keyframes, a_request_that_was_held_back_is_made_up_for);

  suite_add_tcase (suite, keys);
  tcase_add_test (keys, a_wrong_key_is_a_warning_once_and_an_error_after);
  tcase_add_test (keys, one_success_starts_the_count_to_the_error_anew);
  tcase_add_test (keys, a_missing_key_is_asked_for_once);
  tcase_add_test (keys, a_removed_key_is_asked_for_again);
  tcase_add_test (
      keys, a_key_that_comes_with_a_frame_lets_those_before_it_out_first);
  tcase_add_test (keys, frames_that_wait_outlive_a_change_of_ssrc);
  tcase_add_test (keys, a_segment_is_not_overtaken_by_frames_that_wait);
  tcase_add_test (keys, frames_wait_for_their_key_and_come_out_in_order);
  tcase_add_test (keys, a_frame_that_waited_too_long_is_dropped);
  tcase_add_test (
      keys, waiting_frames_end_with_flush_and_stop_and_are_counted);
  tcase_add_test (
      keys, a_removed_key_is_gone_and_a_new_one_of_its_kid_takes_its_place);
  tcase_add_test (keys, a_bound_decoder_takes_no_other_sender);

  suite_add_tcase (suite, ratchet);
  tcase_add_loop_test (
      ratchet, the_ratchet_is_followed_and_late_frames_still_come, 1, 9);
  tcase_add_test (ratchet,
      a_ratchet_that_skipped_steps_is_followed_and_forged_steps_are_not);
  tcase_add_test (ratchet, a_ratchet_that_came_round_unheard_is_followed);
  tcase_add_test (ratchet, the_key_set_again_does_not_turn_the_ratchet_back);
  tcase_add_test (ratchet, a_ratchet_before_the_start_is_of_the_right_suite);

  suite_add_tcase (suite, media);
  tcase_add_test (
      media, the_size_of_vp8_is_in_the_caps_from_the_first_keyframe_on);
  tcase_add_loop_test (
      media, events_wait_for_the_first_keyframe_and_come_out_in_order, 0, 3);
  tcase_add_test (media, the_size_is_learnt_after_an_end_without_a_keyframe);

  suite_add_tcase (suite, threads);
  tcase_add_test (
      threads, keys_change_in_one_thread_while_frames_flow_in_another);
  return suite;
}

GST_CHECK_MAIN (sframedec)

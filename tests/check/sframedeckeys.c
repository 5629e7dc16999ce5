/* sframedec: keys that are missing, late, wrong or taken away, and the ratchet.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sframeharness.h"

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

typedef struct
{
  guint n;
  guint64 kid;
} Authenticated;

static void
note_authenticated (GstElement *element, guint64 kid, gpointer data)
{
  Authenticated *told = data;
  g_autoptr (GstStructure) stats = NULL;

  /* A handler may look at anything and act: no lock is held. */
  g_object_get (element, "stats", &stats, NULL);
  fail_unless (stats != NULL);
  g_signal_emit_by_name (element, "remove-key", G_GUINT64_CONSTANT (999));
  told->n++;
  told->kid = kid;
}

/* Nothing but an authentic and new frame is taken for a sign of life. */
GST_START_TEST (the_first_authentic_frame_of_each_key_is_told)
{
  GstHarness *sender = open_sender ("kid=77 key=" KEY_A),
             *again = open_sender ("kid=77 key=" KEY_B),
             *h = open_harness ("sframedec", SFRAME_OF_OPUS);
  Authenticated told = { 0, 0 };
  g_autoptr (GstBuffer) sframe = next_sframe (sender);

  g_signal_connect (
      ours (h), "kid-authenticated", G_CALLBACK (note_authenticated), &told);
  set_key (h, 77, KEY_A);
  drops (h, flipped (sframe, 20, 1), "unauthenticated");
  fail_unless_equals_int (told.n, 0);
  delivers (h, gst_buffer_ref (sframe));
  fail_unless_equals_int (told.n, 1);
  fail_unless_equals_uint64 (told.kid, 77);
  delivers (h, next_sframe (sender));
  set_key (h, 77, KEY_A); /* which changes nothing */
  delivers (h, next_sframe (sender));
  fail_unless_equals_int (told.n, 1);

  set_key (h, 77, KEY_B);
  drops (h, next_sframe (sender), "unauthenticated");
  fail_unless_equals_int (told.n, 1);
  delivers (h, next_sframe (again));
  fail_unless_equals_int (told.n, 2);

  /* What was accepted under key A is no news when A comes back. */
  set_key (h, 77, KEY_A);
  drops (h, gst_buffer_ref (sframe), "replayed");
  fail_unless_equals_int (told.n, 2);
  delivers (h, next_sframe (sender));
  fail_unless_equals_int (told.n, 3);
  close_harness (sender);
  close_harness (again);
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

  drops (h, gst_buffer_new (), "truncated");
  for (guint i = 0; i < 3; i++)
    fail_unless (through (h, through (sender, frame_of (10 + i, 0))) == NULL);
  g_signal_connect (ours (h), "key-needed", G_CALLBACK (answer_key), &keeper);
  fail_unless_equals_int (
      gst_harness_push (h, through (sender, frame_of (13, 0))), GST_FLOW_OK);
  for (guint i = 0; i < 4; i++) {
    g_autoptr (GstBuffer) out = gst_harness_try_pull (h);
    fail_unless (out != NULL);
    fail_unless_equals_uint64 (gst_buffer_get_size (out), 10 + i);
    /* A frame was lost before them all. */
    fail_unless (
        GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_DISCONT) == (i == 0),
        "frame %u", i);
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

/* What waits is of the caps before: it is dropped, and that is a loss like any other. */
GST_START_TEST (frames_that_wait_are_lost_with_their_caps)
{
  GstHarness *sender = open_sender ("kid=77 key=" KEY_A);
  GstHarness *h =
      open_harness ("sframedec pending-time=3600000000000 keyframe-interval=0",
          SFRAME_OF_VP8);
  g_autoptr (GstCaps) caps =
      gst_caps_from_string (SFRAME_OF_VP8 ",framerate=30/1");

  set_key (h, 77, KEY_A);
  delivers (h, next_sframe (sender));
  g_signal_emit_by_name (ours (h), "remove-key", (guint64) 77);
  fail_unless (through (h, next_sframe (sender)) == NULL);
  fail_unless_equals_int (count_keyframe_requests (h), 0);
  gst_harness_push_event (h, gst_event_new_caps (caps));
  fail_unless_equals_uint64 (stat_of (h, "flushed"), 1);
  fail_unless_equals_int (count_keyframe_requests (h), 1);
  set_key (h, 77, KEY_A);
  g_autoptr (GstBuffer) out = through (h, next_sframe (sender));
  fail_unless (out && GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_DISCONT));
  check_stats_add_up (h);
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

/* A forged KID makes us derive 128 steps at most, so a sender that was not heard for more is lost. */
GST_START_TEST (a_ratchet_is_followed_for_128_steps_and_no_more)
{
  GstHarness *sender = open_sender ("kid=0x50000 ratchet-bits=16 key=" KEY_A);
  GstHarness *h = open_harness (
      "sframedec kid=0x50000 ratchet-bits=16 key=" KEY_A, SFRAME_OF_OPUS);

  for (guint i = 0; i < 128; i++)
    g_signal_emit_by_name (ours (sender), "ratchet");
  delivers (h, next_sframe (sender));
  for (guint i = 0; i < 129; i++)
    g_signal_emit_by_name (ours (sender), "ratchet");
  drops (h, next_sframe (sender), "unauthenticated");
  close_harness (sender);
  close_harness (h);
}
GST_END_TEST;

/* The same bytes in two memories, as a depayloader makes them that does not copy. */
static GstBuffer *
in_two_memories (GstBuffer *sframe)
{
  gsize size = gst_buffer_get_size (sframe);
  GstBuffer *a = gst_buffer_copy_region (
                sframe, GST_BUFFER_COPY_ALL | GST_BUFFER_COPY_DEEP, 0, 20),
            *b = gst_buffer_copy_region (sframe,
                GST_BUFFER_COPY_MEMORY | GST_BUFFER_COPY_DEEP, 20, size - 20);
  gst_buffer_unref (sframe);
  return gst_buffer_append (a, b);
}

/* The sender was not heard for so long that its KIDs came round: the step is new, though its KID is one whose key is kept.
 * The frame is tried with that one first. */
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
  delivers (h,
      __i__ ? in_two_memories (next_sframe (sender)) : next_sframe (sender));
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

static Suite *
sframedeckeys_suite (void)
{
  Suite *suite = suite_create ("sframedeckeys");
  TCase *hostile = tcase_create ("hostile"), *keys = tcase_create ("keys"),
        *ratchet = tcase_create ("ratchet");

  suite_add_tcase (suite, hostile);
  tcase_add_test (hostile, a_flood_of_kids_is_bounded);
  tcase_add_test (hostile, what_waits_is_bounded_however_small_it_is);

  suite_add_tcase (suite, keys);
  tcase_add_test (keys, a_wrong_key_is_a_warning_once_and_an_error_after);
  tcase_add_test (keys, one_success_starts_the_count_to_the_error_anew);
  tcase_add_test (keys, a_missing_key_is_asked_for_once);
  tcase_add_test (keys, a_removed_key_is_asked_for_again);
  tcase_add_test (keys, the_first_authentic_frame_of_each_key_is_told);
  tcase_add_test (
      keys, a_key_that_comes_with_a_frame_lets_those_before_it_out_first);
  tcase_add_test (keys, frames_that_wait_outlive_a_change_of_ssrc);
  tcase_add_test (keys, frames_that_wait_are_lost_with_their_caps);
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
  tcase_add_test (ratchet, a_ratchet_is_followed_for_128_steps_and_no_more);
  tcase_add_loop_test (
      ratchet, a_ratchet_that_came_round_unheard_is_followed, 0, 2);
  tcase_add_test (ratchet, the_key_set_again_does_not_turn_the_ratchet_back);
  tcase_add_test (ratchet, a_ratchet_before_the_start_is_of_the_right_suite);
  return suite;
}

GST_CHECK_MAIN (sframedeckeys)

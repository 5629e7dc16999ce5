/* sframeenc: what goes out is encrypted, whole, and never under a counter that was used before.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sframeharness.h"

#include <glib/gstdio.h>
#include <gst/audio/audio.h>

static const char *const suites[] = { "aes-128-ctr-hmac-sha256-80",
  "aes-128-ctr-hmac-sha256-64", "aes-128-ctr-hmac-sha256-32",
  "aes-128-gcm-sha256-128", "aes-256-gcm-sha512-128",
  "aes-256-ctr-hmac-sha512-80", "aes-256-ctr-hmac-sha512-64",
  "aes-256-ctr-hmac-sha512-32" };

GST_START_TEST (frames_of_any_size_come_back_bit_exact)
{
  static const gsize sizes[] = { 0, 1, 15, 16, 17, 255, 256, 1200, 65536,
    1 << 20, (4 << 20) - 20, 5 << 20 };
  g_autofree char *enc_line = g_strdup_printf (
      "sframeenc kid=9 key=" KEY_A " cipher-suite=%s", suites[__i__]);
  g_autofree char *dec_line = g_strdup_printf (
      "sframedec kid=9 key=" KEY_A " cipher-suite=%s", suites[__i__]);
  g_autofree char *caps = g_strdup_printf (
      "%s,cipher-suite=(string)%s", SFRAME_OF_OPUS, suites[__i__]);
  GstHarness *enc = open_harness (enc_line, OPUS),
             *dec = open_harness (dec_line, caps);

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (GstBuffer) frame = frame_of (sizes[i], 7);
    g_autoptr (GstBuffer) sframe = through (enc, gst_buffer_ref (frame));
    fail_unless (sframe != NULL);
    fail_unless_equals_uint64 (header_of (sframe).kid, 9);
    g_autoptr (GstBuffer) back = through (dec, gst_buffer_ref (sframe));
    fail_unless (back != NULL);
    fail_unless_same_bytes (frame, back);
  }
  check_stats_add_up (dec);
  close_harness (enc);
  close_harness (dec);
}
GST_END_TEST;

/* A frame that somebody else holds too, in one memory and in several, there and back. */
GST_START_TEST (bytes_that_others_hold_are_not_touched)
{
  GstHarness *enc = open_harness ("sframeenc kid=9 key=" KEY_A, OPUS);
  GstHarness *dec =
      open_harness ("sframedec kid=9 key=" KEY_A, SFRAME_OF_OPUS);
  g_autoptr (GstBuffer) frame = frame_of (3000, 1);

  if (__i__ == 1) {
    GstBuffer *rest = frame_of (500, 2);
    frame = gst_buffer_append (g_steal_pointer (&frame), rest);
    fail_unless_equals_int (gst_buffer_n_memory (frame), 2);
  }
  g_autoptr (GBytes) before = bytes_of (frame);
  g_autoptr (GstBuffer) sframe = through (enc, gst_buffer_ref (frame));
  g_autoptr (GBytes) after = bytes_of (frame);
  fail_unless (g_bytes_equal (before, after));

  if (__i__ == 1) {
    GstBuffer *two =
        gst_buffer_copy_region (sframe, GST_BUFFER_COPY_ALL, 0, 5);
    two = gst_buffer_append (two, gst_buffer_copy_region (sframe,
                                      GST_BUFFER_COPY_MEMORY, 5, (gsize) -1));
    gst_buffer_replace (&sframe, two);
    gst_buffer_unref (two);
    fail_unless_equals_int (gst_buffer_n_memory (sframe), 2);
  }
  g_autoptr (GBytes) cipher = bytes_of (sframe);
  g_autoptr (GstBuffer) back = through (dec, gst_buffer_ref (sframe));
  g_autoptr (GBytes) cipher_after = bytes_of (sframe);
  fail_unless (g_bytes_equal (cipher, cipher_after));
  fail_unless (back != NULL);
  fail_unless_same_bytes (back, frame);
  close_harness (enc);
  close_harness (dec);
}
GST_END_TEST;

GST_START_TEST (caps_come_back_as_they_were)
{
  static const char *const all[] = {
    VP8,
    OPUS,
    "video/x-h264,stream-format=byte-stream,alignment=au,profile=high",
    "video/x-h264,stream-format=avc,alignment=au,codec_data=(buffer)0142c01effe1",
    "audio/x-vorbis,rate=44100,channels=2,streamheader=(buffer)<0102,030405>",
    "video/x-raw,format=I420,width=321,height=243,framerate=30000/1001,colorimetry=bt709",
    "audio/x-raw,format=S16LE,rate=48000,channels=2,layout=interleaved",
    "text/x-raw,format=utf8",
    "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96,ssrc=(uint)305419896",
  };
  GstHarness *h = open_harness (
      "sframeenc kid=1 key=" KEY_A " ! sframedec kid=1 key=" KEY_A, NULL);
  g_autoptr (GstCaps) want = gst_caps_from_string (all[__i__]);

  fail_unless (want != NULL);
  gst_harness_set_src_caps (h, gst_caps_ref (want));
  g_autoptr (GstCaps) got = gst_pad_get_current_caps (h->sinkpad);
  fail_unless (got && gst_caps_is_strictly_equal (got, want),
      "%s came back as %" GST_PTR_FORMAT, all[__i__], got);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (a_filter_behind_steers_the_source)
{
  g_autoptr (GstElement) pipeline = gst_parse_launch (
      "videotestsrc num-buffers=3 ! sframeenc key=" KEY_A
      " ! application/x-sframe,format=(string)NV12 ! sframedec key=" KEY_A
      " ! video/x-raw,width=64,height=48 ! fakesink name=sink",
      NULL);
  g_autoptr (GstElement) sink =
      gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstMessage) end = gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  fail_unless_equals_int (GST_MESSAGE_TYPE (end), GST_MESSAGE_EOS);
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  g_autoptr (GstCaps) want =
      gst_caps_from_string ("video/x-raw,format=NV12,width=64,height=48");
  fail_unless (gst_caps_is_subset (caps, want));
  gst_element_set_state (pipeline, GST_STATE_NULL);
}
GST_END_TEST;

GST_START_TEST (what_is_encrypted_already_is_refused_with_a_sentence)
{
  GstHarness *h = open_harness ("sframeenc key=" KEY_A, SFRAME_OF_OPUS);
  g_autofree gchar *text = NULL;

  fail_unless (count_messages (h, GST_MESSAGE_ERROR, &text) >= 1);
  fail_unless (strstr (text, "SFrames already") != NULL, "%s", text);
  fail_if (gst_harness_push (h, frame_of (10, 0)) == GST_FLOW_OK);
  fail_unless_equals_int (gst_harness_buffers_received (h), 0);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (times_flags_and_metas_go_with_the_frame)
{
  GstHarness *h = open_harness (
      "sframeenc kid=1 key=" KEY_A " ! sframedec kid=1 key=" KEY_A, OPUS);
  GstBuffer *frame = frame_of (100, 0);

  GST_BUFFER_PTS (frame) = 12345;
  GST_BUFFER_DTS (frame) = 12300;
  GST_BUFFER_DURATION (frame) = 99;
  GST_BUFFER_OFFSET (frame) = 7;
  GST_BUFFER_FLAG_SET (frame, GST_BUFFER_FLAG_DELTA_UNIT
                                  | GST_BUFFER_FLAG_DROPPABLE
                                  | GST_BUFFER_FLAG_MARKER);
  gst_buffer_add_audio_level_meta (frame, 30, TRUE);
  g_autoptr (GstBuffer) back = through (h, frame);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (back), 12345);
  fail_unless_equals_uint64 (GST_BUFFER_DTS (back), 12300);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (back), 99);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (back), 7);
  fail_unless (GST_BUFFER_FLAG_IS_SET (back, GST_BUFFER_FLAG_DELTA_UNIT));
  fail_unless (GST_BUFFER_FLAG_IS_SET (back, GST_BUFFER_FLAG_DROPPABLE));
  fail_unless (GST_BUFFER_FLAG_IS_SET (back, GST_BUFFER_FLAG_MARKER));
  GstAudioLevelMeta *level = gst_buffer_get_audio_level_meta (back);
  fail_unless (level && level->level == 30 && level->voice_activity);
  close_harness (h);
}
GST_END_TEST;

/* Strides of a GstVideoMeta do not travel: the rows are laid out as the caps say. */
GST_START_TEST (a_raw_picture_with_other_strides_is_laid_out_anew)
{
  GstHarness *h = open_harness ("sframeenc kid=1 key=" KEY_A
                                " ! sframedec kid=1 key=" KEY_A,
      "video/x-raw,format=GRAY8,width=10,height=2,framerate=30/1");
  GstBuffer *frame = gst_buffer_new_allocate (NULL, 200, NULL);
  gsize offsets[GST_VIDEO_MAX_PLANES] = { 0 };
  gint strides[GST_VIDEO_MAX_PLANES] = { 100 };

  gst_buffer_memset (frame, 0, 0xee, 200);
  gst_buffer_memset (frame, 0, 1, 10);
  gst_buffer_memset (frame, 100, 2, 10);
  gst_buffer_add_video_meta_full (frame, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 10, 2, 1, offsets, strides);
  g_autoptr (GstBuffer) back = through (h, frame);
  g_autoptr (GBytes) bytes = bytes_of (back);
  const guint8 *b = g_bytes_get_data (bytes, NULL);
  fail_unless_equals_uint64 (
      g_bytes_get_size (bytes), 24); /* GRAY8 rows are padded to 4 bytes */
  fail_unless (b[0] == 1 && b[9] == 1 && b[12] == 2 && b[21] == 2);
  fail_unless (gst_buffer_get_video_meta (back) == NULL);
  close_harness (h);
}
GST_END_TEST;

/* --- Counters --- */

typedef struct
{
  guint64 kid, ctr;
} Used;

static guint
hash_used (gconstpointer data)
{
  const Used *used = data;
  return (guint) (used->kid * 31 + used->ctr);
}

static gboolean
equal_used (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, sizeof (Used)) == 0;
}

static GHashTable *
new_used (void)
{
  return g_hash_table_new_full (hash_used, equal_used, g_free, NULL);
}

/* Encrypts `n` frames; each (KID, counter) must be new in `used`. */
static void
use_frames (GstHarness *h, guint n, GHashTable *used)
{
  for (guint i = 0; i < n; i++) {
    g_autoptr (GstBuffer) sframe = through (h, frame_of (20, 0));
    fail_unless (sframe != NULL);
    SFrameHeader header = header_of (sframe);
    Used *u = g_new0 (Used, 1);
    *u = (Used){ header.kid, header.ctr };
    fail_unless (g_hash_table_add (used, u),
        "KID %" G_GUINT64_FORMAT " used counter %" G_GUINT64_FORMAT " twice",
        header.kid, header.ctr);
  }
}

static void
restart (GstHarness *h, GstState state)
{
  gst_element_set_state (h->element, state);
  gst_element_set_state (h->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (h, OPUS);
}

/* The test sets the first counter itself, so that a restart at it would show at once. */
GST_START_TEST (no_counter_comes_twice_under_a_key)
{
  GstHarness *h =
      open_harness ("sframeenc kid=5 key=" KEY_A " initial-counter=0", OPUS);
  g_autoptr (GHashTable) used = new_used ();
  GstSegment segment;

  use_frames (h, 10, used);
  gst_harness_push_event (h, gst_event_new_flush_start ());
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  use_frames (h, 10, used);
  restart (h, GST_STATE_READY);
  use_frames (h, 10, used);
  restart (h, GST_STATE_NULL);
  use_frames (h, 10, used);
  set_key (h, 5, KEY_A);
  use_frames (h, 10, used);
  g_object_set (ours (h), "key", KEY_A, NULL);
  use_frames (h, 10, used);

  /* Another key under the same KID, and the first again. */
  g_autoptr (GHashTable) others = new_used ();
  set_key (h, 5, KEY_B);
  use_frames (h, 10, others);
  set_key (h, 6, KEY_A);
  use_frames (h, 10, used);
  set_key (h, 5, KEY_A);
  use_frames (h, 10, used);
  g_signal_emit_by_name (ours (h), "remove-key", (guint64) 5);
  set_key (h, 5, KEY_A);
  use_frames (h, 10, used);
  set_key (h, 5, KEY_B);
  use_frames (h, 10, others);
  fail_unless_equals_int (g_hash_table_size (used), 90);
  close_harness (h);
}
GST_END_TEST;

/* Two runs with one key: each starts somewhere in 2^63 counters, so that they do not meet. */
GST_START_TEST (another_run_with_the_same_key_starts_elsewhere)
{
  g_autoptr (GHashTable) used = new_used ();
  for (guint i = 0; i < 50; i++) {
    GstHarness *h = open_harness ("sframeenc kid=5 key=" KEY_A, OPUS);
    use_frames (h, 20, used);
    close_harness (h);
  }
}
GST_END_TEST;

/* Anything in any order: under one key and counter, frames of zeros would look alike, for what is left of them is the
 * keystream. */
GST_START_TEST (no_keystream_comes_twice_whatever_is_done)
{
  static const char *const keys[] = { KEY_A, KEY_B };
  GstSegment segment;
  GRand *rand = g_rand_new_with_seed ((guint32) __i__);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (
      g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  GstHarness *h = open_harness (
      "sframeenc kid=8 ratchet-bits=2 initial-counter=0 key=" KEY_A, OPUS);

  for (guint i = 0; i < 1500; i++) {
    switch (g_rand_int_range (rand, 0, 20)) {
      case 0:
        set_key (h, (guint64) g_rand_int_range (rand, 8, 14),
            keys[g_rand_int_range (rand, 0, 2)]);
        break;
      case 1:
        g_signal_emit_by_name (ours (h), "ratchet");
        break;
      case 2:
        g_signal_emit_by_name (
            ours (h), "remove-key", (guint64) g_rand_int_range (rand, 8, 14));
        break;
      case 3:
        g_object_set (
            ours (h), "key", keys[g_rand_int_range (rand, 0, 2)], NULL);
        break;
      case 4:
        gst_harness_push_event (h, gst_event_new_flush_start ());
        gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
        gst_segment_init (&segment, GST_FORMAT_TIME);
        gst_harness_push_event (h, gst_event_new_segment (&segment));
        break;
      case 5:
        gst_element_set_state (h->element,
            g_rand_boolean (rand) ? GST_STATE_READY : GST_STATE_NULL);
        g_object_set (
            ours (h), "cipher-suite", g_rand_int_range (rand, 1, 9), NULL);
        if (g_rand_boolean (rand))
          g_object_set (
              ours (h), "per-ssrc-keys", FALSE, "ratchet-bits", 2, NULL);
        else
          g_object_set (ours (h), "ratchet-bits", 0, "per-ssrc-keys", TRUE,
              "ssrc", g_rand_int_range (rand, 1, 3), NULL);
        gst_element_set_state (h->element, GST_STATE_PLAYING);
        gst_harness_set_src_caps_str (h, OPUS);
        break;
    }
    g_autoptr (GstBuffer) sframe = NULL;
    if (gst_harness_push (h, frame_of (32, 0)) == GST_FLOW_OK)
      sframe = gst_harness_try_pull (h);
    if (!sframe)
      continue;
    g_autoptr (GBytes) all = bytes_of (sframe);
    GBytes *keystream = g_bytes_new_from_bytes (
        all, sframe_header_len (header_of (sframe)), 32);
    fail_unless (g_hash_table_add (seen, keystream),
        "seed %d, operation %u: a keystream that was used before", __i__, i);
  }
  fail_unless (g_hash_table_size (seen) > 500, "only %u frames went out",
      g_hash_table_size (seen));
  g_rand_free (rand);
  close_harness (h);
}
GST_END_TEST;

/* More keys than the ledger holds: those it forgot start at random. */
GST_START_TEST (a_flood_of_keys_does_not_bring_a_counter_back)
{
  GstHarness *h = open_harness ("sframeenc initial-counter=0", OPUS);
  g_autoptr (GHashTable) used = new_used ();

  set_key (h, 1, KEY_A);
  use_frames (h, 5, used);
  for (guint i = 0; i < 4200; i++) {
    set_key (h, 100 + i, KEY_B);
    g_autoptr (GstBuffer) sframe = through (h, frame_of (1, 0));
    fail_unless (sframe != NULL);
  }
  set_key (h, 1, KEY_A);
  use_frames (h, 5, used);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (two_equal_frames_never_look_equal)
{
  GstHarness *h =
      open_harness ("sframeenc kid=5 key=" KEY_A " initial-counter=0", OPUS);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (
      g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);

  for (guint i = 0; i < 1000; i++) {
    g_autoptr (GstBuffer) sframe = through (h, frame_of (64, 0));
    SFrameHeader header = header_of (sframe);
    gsize skip = sframe_header_len (header);
    GBytes *body = bytes_of (sframe);
    fail_unless (g_hash_table_add (seen,
        g_bytes_new_from_bytes (body, skip, g_bytes_get_size (body) - skip)));
    g_bytes_unref (body);
  }
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (the_last_counter_is_an_error_for_good)
{
  GstHarness *h = open_harness ("sframeenc kid=5 key=" KEY_A
                                " initial-counter=18446744073709551613",
      OPUS);
  g_autoptr (GHashTable) used = new_used ();
  g_autofree gchar *text = NULL;

  use_frames (h, 3, used); /* 2^64 - 3, - 2 and - 1 */
  fail_unless_equals_int (
      gst_harness_push (h, frame_of (20, 0)), GST_FLOW_ERROR);
  fail_unless_equals_int (count_messages (h, GST_MESSAGE_ERROR, &text), 1);
  fail_unless (strstr (text, "use a new key") != NULL, "%s", text);

  /* Neither a restart nor the key set again gives it counters back. */
  restart (h, GST_STATE_READY);
  fail_unless_equals_int (
      gst_harness_push (h, frame_of (20, 0)), GST_FLOW_ERROR);
  set_key (h, 5, KEY_B);
  restart (h, GST_STATE_READY);
  g_autoptr (GstBuffer) with_new_key = through (h, frame_of (20, 0));
  fail_unless (with_new_key != NULL);
  set_key (h, 5, KEY_A);
  fail_unless_equals_int (
      gst_harness_push (h, frame_of (20, 0)), GST_FLOW_ERROR);
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 0);
  close_harness (h);
}
GST_END_TEST;

/* --- Keys --- */

GST_START_TEST (without_a_key_nothing_is_sent_and_the_error_says_what_to_do)
{
  GstHarness *h = open_harness ("sframeenc", OPUS);
  g_autofree gchar *text = NULL;

  fail_unless_equals_int (
      gst_harness_push (h, frame_of (20, 0)), GST_FLOW_ERROR);
  fail_unless_equals_int (count_messages (h, GST_MESSAGE_ERROR, &text), 1);
  fail_unless (
      strstr (text, "key-location") && strstr (text, "set-key"), "%s", text);
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 0);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (a_removed_key_drops_frames_and_a_new_one_goes_on)
{
  GstHarness *h = open_harness ("sframeenc kid=5 key=" KEY_A, OPUS);

  gst_buffer_unref (through (h, frame_of (20, 0)));
  g_signal_emit_by_name (ours (h), "remove-key", (guint64) 4);
  gst_buffer_unref (through (h, frame_of (20, 0)));
  g_signal_emit_by_name (ours (h), "remove-key", (guint64) 5);
  fail_unless (through (h, frame_of (20, 0)) == NULL);
  fail_unless (through (h, frame_of (20, 0)) == NULL);
  fail_unless_equals_uint64 (stat_of (h, "no-key"), 2);
  fail_unless_equals_int (count_messages (h, GST_MESSAGE_WARNING, NULL), 1);
  set_key (h, 6, KEY_B);
  g_autoptr (GstBuffer) sframe = through (h, frame_of (20, 0));
  fail_unless_equals_uint64 (header_of (sframe).kid, 6);
  fail_unless_equals_uint64 (stat_of (h, "received"),
      stat_of (h, "encrypted") + stat_of (h, "no-key"));
  close_harness (h);
}
GST_END_TEST;

/* A ratcheted key goes by the KID it was set with as well as by the one it has now. */
GST_START_TEST (a_removed_key_is_gone_wherever_its_ratchet_is)
{
  GstHarness *h =
      open_harness ("sframeenc kid=0x50 ratchet-bits=4 key=" KEY_A, OPUS);

  g_signal_emit_by_name (ours (h), "ratchet");
  g_autoptr (GstBuffer) sframe = through (h, frame_of (20, 0));
  fail_unless_equals_uint64 (header_of (sframe).kid, 0x51);
  g_signal_emit_by_name (ours (h), "remove-key", (guint64) 0x60);
  gst_buffer_unref (through (h, frame_of (20, 0)));
  g_signal_emit_by_name (
      ours (h), "remove-key", (guint64) (__i__ ? 0x50 : 0x51));
  fail_unless (through (h, frame_of (20, 0)) == NULL);
  close_harness (h);
}
GST_END_TEST;

/* Frames without a key leave no gap in the counter, so nobody else would ask for one to start from. */
GST_START_TEST (after_a_gap_between_keys_a_keyframe_is_asked_for)
{
  GstHarness *h = open_harness ("sframeenc kid=5 key=" KEY_A, VP8);
  GstEvent *event;
  guint n = 0;

  gst_buffer_unref (through (h, frame_of (20, 0)));
  g_signal_emit_by_name (ours (h), "remove-key", (guint64) 5);
  fail_unless (through (h, frame_of (20, 0)) == NULL);
  set_key (h, 6, KEY_B);
  g_autoptr (GstBuffer) sframe = through (h, frame_of (20, 0));
  fail_unless (
      sframe && GST_BUFFER_FLAG_IS_SET (sframe, GST_BUFFER_FLAG_DISCONT));
  gst_buffer_unref (through (h, frame_of (20, 0)));
  while ((event = gst_harness_try_pull_upstream_event (h))) {
    n += gst_video_event_is_force_key_unit (event);
    gst_event_unref (event);
  }
  fail_unless_equals_int (n, 1);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (metadata_that_is_too_long_is_refused)
{
  g_autoptr (GstElement) element =
      gst_object_ref_sink (gst_element_factory_make ("sframeenc", NULL));
  g_autofree gchar *text = g_strnfill (4097, 'x');
  g_object_set (element, "metadata", text, "key", KEY_A, NULL);
  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_READY),
      GST_STATE_CHANGE_FAILURE);
  g_object_set (element, "metadata", text + 1, NULL);
  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_READY),
      GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (element, GST_STATE_NULL);
}
GST_END_TEST;

GST_START_TEST (frames_cannot_be_pulled)
{
  GstHarness *h =
      open_harness ("sframeenc key=" KEY_A " ! sframedec key=" KEY_A, OPUS);
  g_autoptr (GstQuery) query = gst_query_new_scheduling ();
  fail_unless (gst_pad_peer_query (h->sinkpad, query));
  fail_unless (gst_query_has_scheduling_mode (query, GST_PAD_MODE_PUSH));
  fail_if (gst_query_has_scheduling_mode (query, GST_PAD_MODE_PULL));
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (a_bad_key_fails_at_once_and_is_not_told)
{
  static const struct
  {
    const char *line, *says;
  } bad[] = {
    { "sframeenc key=c0ffee", "has 3 bytes" },
    { "sframeenc key=thisisnokey!", "neither hexadecimal nor base64" },
    { "sframeenc key-location=/nonexistent/key", "/nonexistent/key" },
    { "sframeenc key=" KEY_A " key-location=k", "only one" },
    { "sframeenc per-ssrc-keys=true ratchet-bits=2 key=" KEY_A,
        "cannot be used together" },
    { "sframedec per-ssrc-keys=true ratchet-bits=2 key=" KEY_A,
        "cannot be used together" },
    { "sframedec key=c0ffee", "has 3 bytes" },
    { "sframedec key=thisisnokey!", "neither hexadecimal nor base64" },
  };
  g_autoptr (GstElement) element = gst_parse_launch (bad[__i__].line, NULL);
  g_autoptr (GstBus) bus = gst_bus_new ();
  g_autoptr (GError) error = NULL;

  gst_element_set_bus (element, bus);
  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_READY),
      GST_STATE_CHANGE_FAILURE);
  g_autoptr (GstMessage) message =
      gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (
      strstr (error->message, bad[__i__].says) != NULL, "%s", error->message);
  fail_if (strstr (error->message, "c0ffee")
           || strstr (error->message, "thisisnokey"));
  gst_element_set_bus (element, NULL);
  gst_element_set_state (element, GST_STATE_NULL);
}
GST_END_TEST;

GST_START_TEST (a_short_set_key_is_an_error)
{
  GstHarness *h = open_harness ("sframeenc", OPUS);
  g_autofree gchar *text = NULL;
  set_key (h, 1, "0102");
  fail_unless_equals_int (count_messages (h, GST_MESSAGE_ERROR, &text), 1);
  fail_unless (strstr (text, "has 2 bytes") != NULL, "%s", text);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (a_key_file_may_hold_hex_or_base64)
{
  static const char *const texts[] = { KEY_A, KEY_A "\n",
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" };
  g_autofree char *path = NULL;
  gint fd = g_file_open_tmp (NULL, &path, NULL);
  g_close (fd, NULL);
  g_file_set_contents (path, texts[__i__], -1, NULL);
  g_autofree char *line = g_strdup_printf (
      "sframeenc kid=3 key-location=%s ! sframedec kid=3 key=" KEY_A, path);
  GstHarness *h = open_harness (line, OPUS);
  g_autoptr (GstBuffer) back = through (h, frame_of (20, 0));
  fail_unless (back != NULL);
  g_unlink (path);
  close_harness (h);
}
GST_END_TEST;

GST_START_TEST (the_key_cannot_be_read_back)
{
  g_autoptr (GstElement) enc =
      gst_object_ref_sink (gst_element_factory_make ("sframeenc", NULL));
  g_autoptr (GstElement) dec =
      gst_object_ref_sink (gst_element_factory_make ("sframedec", NULL));
  fail_if (
      g_object_class_find_property (G_OBJECT_GET_CLASS (enc), "key")->flags
      & G_PARAM_READABLE);
  fail_if (
      g_object_class_find_property (G_OBJECT_GET_CLASS (dec), "key")->flags
      & G_PARAM_READABLE);
}
GST_END_TEST;

/* --- RTP packets --- */

/* A packet with CSRCs, a header extension and padding. */
static GstBuffer *
rtp_packet (guint16 seq, guint32 ssrc, gsize payload_len)
{
  guint8 header[] = { 0xb2, 0xe0, (guint8) (seq >> 8), (guint8) seq, 0, 0, 1,
    0, (guint8) (ssrc >> 24), (guint8) (ssrc >> 16), (guint8) (ssrc >> 8),
    (guint8) ssrc, 1, 1, 1, 1, 2, 2, 2, 2, 0xbe, 0xde, 0, 1, 0x10, 0xff, 0,
    0 };
  GstBuffer *packet = gst_buffer_new_memdup (header, sizeof header);
  GstBuffer *payload = frame_of (payload_len, 0x40);
  GstBuffer *padding = gst_buffer_new_memdup ("\0\0\0\4", 4);
  packet = gst_buffer_append (packet, payload);
  return gst_buffer_append (packet, padding);
}

#define RTP_HEADER_LEN 28
#define RTP_CAPS                                                              \
  "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96"

GST_START_TEST (of_an_rtp_packet_only_the_payload_is_encrypted)
{
  GstHarness *enc = open_harness ("sframeenc kid=1 key=" KEY_A, RTP_CAPS);
  GstHarness *dec = open_harness ("sframedec kid=1 key=" KEY_A,
      "application/x-sframe,original-media-type=(string)application/x-rtp,media=video");
  g_autoptr (GstBuffer) packet = rtp_packet (77, 0x12345678, 500);
  g_autoptr (GstBuffer) sframe = through (enc, gst_buffer_ref (packet));
  g_autoptr (GBytes) plain = bytes_of (packet), cipher = bytes_of (sframe);
  const guint8 *p = g_bytes_get_data (plain, NULL),
               *c = g_bytes_get_data (cipher, NULL);

  fail_unless_equals_int (c[0], p[0] & ~0x20);
  fail_unless (memcmp (c + 1, p + 1, RTP_HEADER_LEN - 1) == 0);
  Reader in = reader_init (
      c + RTP_HEADER_LEN, g_bytes_get_size (cipher) - RTP_HEADER_LEN);
  SFrameHeader header;
  fail_unless_equals_int (sframe_header_parse (&in, &header), SFRAME_OK);
  fail_unless_equals_uint64 (reader_left (&in), 500 + 16);

  g_autoptr (GstBuffer) back = through (dec, gst_buffer_ref (sframe));
  g_autoptr (GBytes) again = bytes_of (back);
  const guint8 *a = g_bytes_get_data (again, NULL);
  fail_unless_equals_uint64 (g_bytes_get_size (again), RTP_HEADER_LEN + 500);
  fail_unless (a[0] == (p[0] & ~0x20)
               && memcmp (a + 1, p + 1, RTP_HEADER_LEN + 499) == 0);

  fail_unless (through (enc, frame_of (5, 0)) == NULL);
  fail_unless_equals_uint64 (stat_of (enc, "malformed"), 1);
  fail_unless (through (dec, frame_of (5, 0)) == NULL);
  fail_unless_equals_uint64 (stat_of (dec, "malformed"), 1);
  check_stats_add_up (dec);
  close_harness (enc);
  close_harness (dec);
}
GST_END_TEST;

/* One base key, another key for each stream: a packet moved to another SSRC is not authentic there. */
GST_START_TEST (per_ssrc_keys_bind_a_packet_to_its_stream)
{
  GstHarness *enc = open_harness ("sframeenc kid=1 key=" KEY_A
                                  " per-ssrc-keys=true initial-counter=0",
      RTP_CAPS);
  GstHarness *dec = open_harness ("sframedec kid=1 key=" KEY_A
                                  " per-ssrc-keys=true",
      "application/x-sframe,original-media-type=(string)application/x-rtp,media=video");

  for (guint i = 0; i < 20; i++) {
    guint32 ssrc = 1000 + i % 4;
    g_autoptr (GstBuffer) sframe =
        through (enc, rtp_packet ((guint16) i, ssrc, 100));
    g_autoptr (GstBuffer) moved = flipped (sframe, 11, 0x80);
    fail_unless (through (dec, g_steal_pointer (&moved)) == NULL);
    g_autoptr (GstBuffer) back = through (dec, gst_buffer_ref (sframe));
    fail_unless (back != NULL, "packet %u", i);
  }
  fail_unless_equals_uint64 (stat_of (dec, "unauthenticated"), 20);
  check_stats_add_up (dec);
  close_harness (enc);
  close_harness (dec);
}
GST_END_TEST;

GST_START_TEST (per_ssrc_keys_of_whole_frames_need_the_ssrc)
{
  GstHarness *without =
      open_harness ("sframeenc kid=1 key=" KEY_A " per-ssrc-keys=true", OPUS);
  g_autofree gchar *text = NULL;
  fail_unless (count_messages (without, GST_MESSAGE_ERROR, &text) >= 1);
  fail_unless (strstr (text, "set \"ssrc\"") != NULL, "%s", text);
  close_harness (without);

  GstHarness *enc = open_harness (
      "sframeenc kid=1 key=" KEY_A " per-ssrc-keys=true ssrc=4711", OPUS);
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (enc->sinkpad);
  guint ssrc = 0;
  fail_unless (gst_structure_get_uint (
      gst_caps_get_structure (caps, 0), "sframe-ssrc", &ssrc));
  fail_unless_equals_int (ssrc, 4711);
  g_autoptr (GstBuffer) sframe = through (enc, frame_of (50, 0));

  GstHarness *dec =
      open_harness ("sframedec kid=1 key=" KEY_A " per-ssrc-keys=true", NULL);
  gst_harness_set_src_caps (dec, gst_caps_ref (caps));
  g_autoptr (GstCaps) restored = gst_pad_get_current_caps (dec->sinkpad);
  fail_if (gst_structure_has_field (
      gst_caps_get_structure (restored, 0), "sframe-ssrc"));
  g_autoptr (GstBuffer) back = through (dec, gst_buffer_ref (sframe));
  fail_unless (back != NULL);
  close_harness (enc);
  close_harness (dec);

  GstHarness *other = open_harness ("sframedec kid=1 key=" KEY_A
                                    " per-ssrc-keys=true ssrc=4712",
      SFRAME_OF_OPUS);
  fail_unless (through (other, gst_buffer_ref (sframe)) == NULL);
  fail_unless_equals_uint64 (stat_of (other, "unauthenticated"), 1);
  close_harness (other);
}
GST_END_TEST;

GST_START_TEST (the_suite_is_fixed_while_frames_flow)
{
  GstHarness *h = open_harness ("sframeenc kid=1 key=" KEY_A, OPUS);
  gint suite;

  /* The leaks setup makes warnings fatal, this wanted one too. */
  GLogLevelFlags fatal = g_log_set_always_fatal (G_LOG_LEVEL_ERROR);
  ASSERT_WARNING (g_object_set (ours (h), "cipher-suite", 1, NULL));
  g_log_set_always_fatal (fatal);
  g_object_get (ours (h), "cipher-suite", &suite, NULL);
  fail_unless_equals_int (suite, 5);
  close_harness (h);
}
GST_END_TEST;

static Suite *
sframeenc_suite (void)
{
  Suite *suite = suite_create ("sframeenc");
  TCase *frames = tcase_create ("frames"),
        *counters = tcase_create ("counters"), *keys = tcase_create ("keys"),
        *rtp = tcase_create ("rtp");

  suite_add_tcase (suite, frames);
  tcase_add_loop_test (frames, frames_of_any_size_come_back_bit_exact, 0,
      G_N_ELEMENTS (suites));
  tcase_add_loop_test (frames, bytes_that_others_hold_are_not_touched, 0, 2);
  tcase_add_loop_test (frames, caps_come_back_as_they_were, 0, 9);
  tcase_add_test (frames, a_filter_behind_steers_the_source);
  tcase_add_test (
      frames, what_is_encrypted_already_is_refused_with_a_sentence);
  tcase_add_test (frames, times_flags_and_metas_go_with_the_frame);
  tcase_add_test (frames, a_raw_picture_with_other_strides_is_laid_out_anew);
  /* Its warning is wanted, and under G_DEBUG=fatal-warnings the end. */
  if (!g_strrstr (
          g_getenv ("G_DEBUG") ? g_getenv ("G_DEBUG") : "", "fatal-warnings"))
    tcase_add_test (frames, the_suite_is_fixed_while_frames_flow);

  suite_add_tcase (suite, counters);
  tcase_add_test (counters, no_counter_comes_twice_under_a_key);
  tcase_add_test (counters, another_run_with_the_same_key_starts_elsewhere);
  tcase_add_test (counters, a_flood_of_keys_does_not_bring_a_counter_back);
  tcase_add_test (counters, two_equal_frames_never_look_equal);
  tcase_add_test (counters, the_last_counter_is_an_error_for_good);

  suite_add_tcase (suite, keys);
  tcase_add_test (
      keys, without_a_key_nothing_is_sent_and_the_error_says_what_to_do);
  tcase_add_test (keys, a_removed_key_drops_frames_and_a_new_one_goes_on);
  tcase_add_loop_test (
      keys, a_removed_key_is_gone_wherever_its_ratchet_is, 0, 2);
  tcase_add_loop_test (keys, a_bad_key_fails_at_once_and_is_not_told, 0, 8);
  tcase_add_test (keys, a_short_set_key_is_an_error);
  tcase_add_loop_test (keys, a_key_file_may_hold_hex_or_base64, 0, 4);
  tcase_add_test (keys, the_key_cannot_be_read_back);

  tcase_add_test (keys, after_a_gap_between_keys_a_keyframe_is_asked_for);
  tcase_add_test (keys, metadata_that_is_too_long_is_refused);
  tcase_add_test (frames, frames_cannot_be_pulled);
  tcase_add_loop_test (
      counters, no_keystream_comes_twice_whatever_is_done, 1, 5);

  suite_add_tcase (suite, rtp);
  tcase_add_test (rtp, of_an_rtp_packet_only_the_payload_is_encrypted);
  tcase_add_test (rtp, per_ssrc_keys_bind_a_packet_to_its_stream);
  tcase_add_test (rtp, per_ssrc_keys_of_whole_frames_need_the_ssrc);
  return suite;
}

GST_CHECK_MAIN (sframeenc)

/* rtpsframedepay, packet by packet, alone and behind rtpsframepay.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rtpsframeharness.h"

/* --- Both --- */

GST_START_TEST (every_size_comes_back_bit_for_bit)
{
  static const gsize sizes[] = { 1, 2, 17, 186, 187, 188, 1186, 1187, 1188,
    4095, 4096, 4097, 8986, 8987, 8988, 65536, 1000003, 2 * 1024 * 1024, 33,
    200000 };
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);
  g_autofree char *line =
      g_strdup_printf ("rtpsframepay mtu=%u ! rtpsframedepay", mtus[__i__]);
  GstHarness *h = gst_harness_new_parse (line);

  gst_harness_set_src_caps_str (h, VP8_SFRAME);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (GstBuffer) frame = random_buffer (rand, sizes[i]);
    GST_BUFFER_PTS (frame) = i * GST_SECOND;
    fail_unless_equals_int (
        gst_harness_push (h, gst_buffer_ref (frame)), GST_FLOW_OK);
    fail_unless_equals_int (gst_harness_buffers_in_queue (h), 1);
    g_autoptr (GstBuffer) got = gst_harness_pull (h);
    fail_unless_same_bytes (got, frame);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (got), i * GST_SECOND);
    fail_unless_equals_int (gst_buffer_n_memory (got), 1);
  }
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (any_loss_and_repetition_gives_whole_frames_or_nothing)
{
  guint32 seed = 100 + (guint32) __i__;
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  GstHarness *pay = gst_harness_new ("rtpsframepay"),
             *depay = depay_harness (VP8_RTP);
  guint whole = 0, delivered = 0;

  g_object_set (pay->element, "mtu", 200, NULL);
  gst_harness_set_src_caps_str (pay, VP8_SFRAME);
  for (guint i = 0; i < 300; i++) {
    g_autoptr (GstBuffer) frame =
        random_buffer (rand, (gsize) g_rand_int_range (rand, 1, 1500));
    gboolean lost = FALSE;
    GST_BUFFER_PTS (frame) = i * GST_MSECOND;
    gst_harness_push (pay, gst_buffer_ref (frame));
    for (guint n = gst_harness_buffers_in_queue (pay); n > 0; n--) {
      GstBuffer *packet = gst_harness_pull (pay);
      int dice = g_rand_int_range (rand, 0, 20);
      if (dice == 0) {
        lost = TRUE;
        gst_buffer_unref (packet);
        continue;
      }
      if (dice == 1)
        gst_harness_push (depay, gst_buffer_copy (packet));
      fail_unless_equals_int (gst_harness_push (depay, packet), GST_FLOW_OK);
    }
    whole += !lost;
    if (lost) {
      fail_unless_equals_int (gst_harness_buffers_in_queue (depay), 0);
      continue;
    }
    fail_unless_equals_int (gst_harness_buffers_in_queue (depay), 1);
    g_autoptr (GstBuffer) got = gst_harness_pull (depay);
    fail_unless_same_bytes (got, frame);
    delivered++;
  }
  fail_unless (whole > 100 && whole < 300, "seed %u", seed);
  fail_unless_equals_int (delivered, whole);
  fail_unless_equals_uint64 (stat_of (depay, "delivered-frames"), whole);
  fail_unless (stat_of (depay, "duplicate") > 0);
  fail_unless_stats_add_up (depay);
  gst_harness_teardown (pay);
  gst_harness_teardown (depay);
}
GST_END_TEST;

/* --- Bad packets --- */

static const struct
{
  const char *what;
  const char *counter;
  guint64 n;      /* what the counter says */
  guint64 frames; /* delivered */
  Packet packets[8];
} bad_input[] = {
  { "S without E", "no-end", 2, 1,
      { { 1, S, 9 }, { 2, 0, 9 }, { 3, S | E, 9 } } },
  { "E without S", "no-start", 1, 1, { { 1, E, 9 }, { 2, S | E, 9 } } },
  { "neither S nor E, nothing before", "no-start", 2, 1,
      { { 1, 0, 9 }, { 2, E, 9 }, { 3, S | E, 9 } } },
  { "E after E", "no-start", 1, 2,
      { { 1, S | E, 9 }, { 2, E, 9 }, { 3, S | E, 9 } } },
  { "the first packet is lost", "incomplete", 2, 2,
      { { 1, S | E, 9 }, { 3, 0, 9 }, { 4, E, 9 }, { 5, S | E, 9 } } },
  { "one in the middle is lost", "incomplete", 3, 1,
      { { 1, S, 9 }, { 3, 0, 9 }, { 4, E, 9 }, { 5, S | E, 9 } } },
  { "the last is lost", "incomplete", 2, 1,
      { { 1, S, 9 }, { 2, 0, 9 }, { 4, S | E, 9 } } },
  { "lost from the middle of one to that of the next", "incomplete", 2, 1,
      { { 1, S, 9 }, { 4, E, 9 }, { 5, S | E, 9 } } },
  { "repeated", "duplicate", 2, 1,
      { { 1, S, 9 }, { 1, S, 9 }, { 2, E, 9 }, { 2, E, 9 } } },
  { "late", "duplicate", 1, 1,
      { { 1, S, 9 }, { 3, E, 9 }, { 2, 0, 9 }, { 4, S | E, 9 } } },
  { "timestamp changes", "timestamp-changed", 3, 1,
      { { 1, S, 9, 7 }, { 2, 0, 9, 8 }, { 3, E, 9, 8 }, { 4, S | E, 9, 9 } } },
  { "payload type changes", "payload-type-changed", 2, 1,
      { { 1, S, 9, 0, 0, 96 }, { 2, E, 9, 0, 0, 97 }, { 3, S | E, 9 } } },
  { "T changes", "mode-changed", 2, 1,
      { { 1, S, 9 }, { 2, E | T, 9 }, { 3, S | E, 9 } } },
  { "T goes away", "mode-changed", 2, 1,
      { { 1, S | T, 9 }, { 2, E, 9 }, { 3, S | E | T, 9 } } },
  { "SSRC changes", "ssrc-changed", 2, 1,
      { { 1, S, 9, 0, 1 }, { 2, E, 9, 0, 2 }, { 3, S | E, 9, 0, 2 } } },
  { "nothing behind the descriptor", "empty-fragment", 1, 1,
      { { 1, S | E, 0 }, { 2, S | E, 9 } } },
  { "nothing behind the descriptor, in the middle", "empty-fragment", 3, 1,
      { { 1, S, 9 }, { 2, 0, 0 }, { 3, E, 9 }, { 4, S | E, 9 } } },
  { "no descriptor", "no-descriptor", 1, 1,
      { { 1, 0xff, 0 }, { 2, S | E, 9 } } },
  { "no descriptor, between two fragments", "no-descriptor", 1, 1,
      { { 1, S, 9 }, { 2, 0xff, 0 }, { 3, E, 9 } } },
  { "no descriptor, after a loss", "incomplete", 2, 1,
      { { 1, S, 9 }, { 3, 0xff, 0 }, { 4, E, 9 }, { 5, S | E, 9 } } },
  { "too large at once", "too-large", 1, 1,
      { { 1, S | E, 101 }, { 2, S | E, 100 } } },
  { "too large by its second fragment", "too-large", 3, 1,
      { { 1, S, 60 }, { 2, 0, 60 }, { 3, E, 1 }, { 4, S | E, 9 } } },
  { "reserved bits are ignored", "reserved-bits", 2, 1,
      { { 1, S | 0x1f, 9 }, { 2, E | 1, 9 } } },
  { "sequence numbers wrap", "delivered-packets", 3, 1,
      { { 65534, S, 9 }, { 65535, 0, 9 }, { 0, E, 9 } } },
};

GST_START_TEST (bad_packets_are_dropped_and_counted_by_cause)
{
  GstHarness *h = depay_harness (VP8_RTP);
  guint64 received = 0;

  g_object_set (h->element, "max-frame-size", 100, NULL);
  for (int i = 0; i < 8; i++) {
    if (bad_input[__i__].packets[i].descriptor == 0
        && bad_input[__i__].packets[i].len == 0
        && bad_input[__i__].packets[i].seq == 0)
      break;
    received++;
    fail_unless_equals_int (
        gst_harness_push (h, make_packet (&bad_input[__i__].packets[i])),
        GST_FLOW_OK);
  }
  fail_unless (stat_of (h, bad_input[__i__].counter) == bad_input[__i__].n,
      "%s: %s is %" G_GUINT64_FORMAT, bad_input[__i__].what,
      bad_input[__i__].counter, stat_of (h, bad_input[__i__].counter));
  fail_unless (gst_harness_buffers_in_queue (h) == bad_input[__i__].frames,
      "%s", bad_input[__i__].what);
  fail_unless_equals_uint64 (
      stat_of (h, "delivered-frames"), bad_input[__i__].frames);
  fail_unless_equals_uint64 (stat_of (h, "received-packets"), received);
  fail_unless_equals_uint64 (stat_of (h, "pending-packets"), 0);
  fail_unless_stats_add_up (h);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (what_is_not_rtp_is_counted_without_a_message)
{
  GstHarness *h = depay_harness (VP8_RTP);
  g_autoptr (GstBus) bus = gst_bus_new ();

  gst_element_set_bus (h->element, bus);
  for (gsize len = 0; len < 12; len++)
    fail_unless_equals_int (
        gst_harness_push (h, gst_buffer_new_wrapped (g_malloc0 (12), len)),
        GST_FLOW_OK);
  fail_unless_equals_uint64 (stat_of (h, "invalid-rtp"), 12);
  fail_unless_stats_add_up (h);
  GstMessage *message =
      pop_message (bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  fail_unless (message == NULL);
  gst_element_set_bus (h->element, NULL);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (fragments_are_bounded_in_number)
{
  GstHarness *h = depay_harness (VP8_RTP);

  for (guint i = 0; i < 32767 + 5; i++) {
    Packet p = { (guint16) i, i == 0 ? S : 0, 1 };
    gst_harness_push (h, make_packet (&p));
  }
  fail_unless_equals_uint64 (stat_of (h, "too-many-fragments"), 32767 + 5);
  fail_unless_equals_uint64 (stat_of (h, "pending-packets"), 0);
  fail_unless_stats_add_up (h);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (flush_eos_and_new_caps_drop_what_is_half_there)
{
  static const Packet start = { 1, S, 9 }, next = { 2, E, 9 },
                      whole = { 3, S | E, 9 };
  GstHarness *h = depay_harness (VP8_RTP);

  gst_harness_push (h, make_packet (&start));
  fail_unless_equals_uint64 (stat_of (h, "pending-packets"), 1);
  switch (__i__) {
    case 0:
      gst_harness_push_event (h, gst_event_new_flush_start ());
      gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
      gst_harness_push_event (
          h, gst_event_new_segment (&(GstSegment){ .format = GST_FORMAT_TIME,
                 .rate = 1,
                 .applied_rate = 1,
                 .stop = GST_CLOCK_TIME_NONE,
                 .duration = GST_CLOCK_TIME_NONE }));
      break;
    case 1:
      gst_harness_set_src_caps_str (h, VP8_RTP ", framerate=(fraction)30/1");
      break;
    default:
      gst_harness_push_event (h, gst_event_new_eos ());
      break;
  }
  fail_unless_equals_uint64 (stat_of (h, "flushed"), 1);
  fail_unless_equals_uint64 (stat_of (h, "pending-packets"), 0);
  if (__i__ < 2) {
    gst_harness_push (h, make_packet (&next));
    fail_unless_equals_int (gst_harness_buffers_in_queue (h), 0);
    gst_harness_push (h, make_packet (&whole));
    fail_unless_equals_int (gst_harness_buffers_in_queue (h), 1);
  }
  fail_unless_stats_add_up (h);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (keyframe_is_asked_for_after_a_loss_once_per_interval)
{
  GstHarness *h = depay_harness (VP8_RTP);
  Packet p = { 1, S | E, 9 };

  gst_harness_use_testclock (h);
  g_object_set (h->element, "keyframe-interval", 100 * GST_MSECOND, NULL);
  gst_harness_push (h, make_packet (&p));
  fail_unless_equals_int (keyframe_requests (h), 0);
  for (int i = 0; i < 3; i++) {
    p.seq += 2;
    gst_harness_push (h, make_packet (&p));
  }
  fail_unless_equals_int (keyframe_requests (h), 1);
  gst_harness_set_time (h, 99 * GST_MSECOND);
  p.seq += 2;
  gst_harness_push (h, make_packet (&p));
  fail_unless_equals_int (keyframe_requests (h), 0);
  gst_harness_set_time (h, 100 * GST_MSECOND);
  p.seq += 2;
  gst_harness_push (h, make_packet (&p));
  fail_unless_equals_int (keyframe_requests (h), 1);
  fail_unless_equals_uint64 (stat_of (h, "keyframe-requests"), 2);
  fail_unless_equals_uint64 (stat_of (h, "lost-packets"), 5);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (audio_loss_asks_for_no_keyframe)
{
  GstHarness *h = depay_harness (OPUS_RTP);
  static const Packet a = { 1, S | E, 9 }, b = { 3, S | E, 9 };

  gst_harness_push (h, make_packet (&a));
  gst_harness_push (h, make_packet (&b));
  fail_unless_equals_int (keyframe_requests (h), 0);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (buffer_after_a_loss_is_discont)
{
  GstHarness *h = depay_harness (VP8_RTP);
  /* The second is dropped without a gap in sequence numbers. */
  static const Packet packets[] = { { 1, S | E, 9 }, { 2, S, 9 },
    { 3, S | E, 9 }, { 4, S | E, 9 } };
  static const gboolean want[] = { FALSE, TRUE, FALSE };

  for (gsize i = 0; i < G_N_ELEMENTS (packets); i++)
    gst_harness_push (h, make_packet (&packets[i]));
  for (gsize i = 0; i < G_N_ELEMENTS (want); i++) {
    g_autoptr (GstBuffer) frame = gst_harness_pull (h);
    if (i > 0)
      fail_unless_equals_int (GST_BUFFER_IS_DISCONT (frame), want[i]);
  }
  gst_harness_teardown (h);
}
GST_END_TEST;

/* --- Caps of the depayloader --- */

GST_START_TEST (caps_tell_the_ssrc_and_follow_it)
{
  GstHarness *h = depay_harness (VP8_RTP);
  static const guint32 ssrcs[] = { 7, 0xffffffff };

  for (guint i = 0; i < 2; i++) {
    Packet p = { (guint16) (i + 1), S | E, 9, 0, ssrcs[i] };
    guint ssrc;
    gst_harness_push (h, make_packet (&p));
    g_autoptr (GstStructure) caps = source_caps (h);
    fail_unless (gst_structure_has_name (caps, "application/x-sframe"));
    fail_unless_equals_string (
        gst_structure_get_string (caps, "original-media-type"), "video/x-vp8");
    fail_unless (gst_structure_get_uint (caps, "sframe-ssrc", &ssrc));
    fail_unless_equals_int (ssrc, ssrcs[i]);
  }
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (sender_chooses_per_packet_or_per_frame)
{
  GstHarness *h = depay_harness (VP8_RTP);
  static const Packet packets[] = { { 100, S | E | T, 9, 5, 7, 0, TRUE },
    { 101, S | E, 9, 5, 7 } };
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;

  gst_harness_push (h, make_packet (&packets[0]));
  g_autoptr (GstStructure) packetized = source_caps (h);
  fail_unless_equals_string (
      gst_structure_get_string (packetized, "original-media-type"),
      "application/x-rtp");
  fail_unless_equals_string (
      gst_structure_get_string (packetized, "encoding-name"), "VP8");
  fail_if (gst_structure_has_field (packetized, "a-sframe"));
  fail_if (gst_structure_has_field (packetized, "sframe-ssrc"));
  g_autoptr (GstBuffer) unit = gst_harness_pull (h);
  fail_unless_equals_int (gst_buffer_get_size (unit), 12 + 9);
  fail_unless (gst_rtp_buffer_map (unit, GST_MAP_READ, &rtp));
  fail_unless (gst_rtp_buffer_get_marker (&rtp));
  fail_unless_equals_int (gst_rtp_buffer_get_timestamp (&rtp), 5);
  fail_unless_equals_int (gst_rtp_buffer_get_ssrc (&rtp), 7);
  fail_unless_equals_int (*(guint8 *) gst_rtp_buffer_get_payload (&rtp), 100);
  gst_rtp_buffer_unmap (&rtp);

  gst_harness_push (h, make_packet (&packets[1]));
  g_autoptr (GstStructure) frames = source_caps (h);
  fail_unless_equals_string (
      gst_structure_get_string (frames, "original-media-type"), "video/x-vp8");
  g_autoptr (GstBuffer) frame = gst_harness_pull (h);
  fail_unless_equals_int (gst_buffer_get_size (frame), 9);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (units_are_numbered_without_gaps_but_for_lost_ones)
{
  GstHarness *h = depay_harness (VP8_RTP);
  static const Packet packets[] = {
    { 10, S | T, 9 }, { 11, T, 9 },
    { 12, E | T, 9 },     /* one unit of three packets */
    { 13, S | E | T, 9 }, /* the next number */
    { 16, S | E | T, 9 }, /* two are missing */
    { 17, S | T, 9 }, { 19, E | T, 9 },
    { 20, S | E | T, 9 }, /* one is broken */
  };
  static const guint16 steps[] = { 0, 1, 3, 2 };
  guint16 before = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (packets); i++)
    gst_harness_push (h, make_packet (&packets[i]));
  fail_unless_equals_int (
      gst_harness_buffers_in_queue (h), G_N_ELEMENTS (steps));
  for (gsize i = 0; i < G_N_ELEMENTS (steps); i++) {
    g_autoptr (GstBuffer) unit = gst_harness_pull (h);
    GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
    fail_unless (gst_rtp_buffer_map (unit, GST_MAP_READ, &rtp));
    guint16 seq = gst_rtp_buffer_get_seq (&rtp);
    gst_rtp_buffer_unmap (&rtp);
    if (i > 0)
      fail_unless_equals_int ((guint16) (seq - before), steps[i]);
    before = seq;
  }
  gst_harness_teardown (h);
}
GST_END_TEST;

static Suite *
rtpsframe_suite (void)
{
  Suite *suite = suite_create ("rtpsframe");
  TCase *depay = tcase_create ("depay"), *both = tcase_create ("both");

  suite_add_tcase (suite, depay);
  tcase_add_loop_test (depay, bad_packets_are_dropped_and_counted_by_cause, 0,
      G_N_ELEMENTS (bad_input));
  tcase_add_test (depay, what_is_not_rtp_is_counted_without_a_message);
  tcase_add_test (depay, fragments_are_bounded_in_number);
  tcase_add_loop_test (
      depay, flush_eos_and_new_caps_drop_what_is_half_there, 0, 3);
  tcase_add_test (depay, keyframe_is_asked_for_after_a_loss_once_per_interval);
  tcase_add_test (depay, audio_loss_asks_for_no_keyframe);
  tcase_add_test (depay, buffer_after_a_loss_is_discont);
  tcase_add_test (depay, caps_tell_the_ssrc_and_follow_it);
  tcase_add_test (depay, sender_chooses_per_packet_or_per_frame);
  tcase_add_test (depay, units_are_numbered_without_gaps_but_for_lost_ones);

  suite_add_tcase (suite, both);
  tcase_add_loop_test (
      both, every_size_comes_back_bit_for_bit, 0, G_N_ELEMENTS (mtus));
  tcase_add_loop_test (
      both, any_loss_and_repetition_gives_whole_frames_or_nothing, 0, 5);
  return suite;
}

GST_CHECK_MAIN (rtpsframe)

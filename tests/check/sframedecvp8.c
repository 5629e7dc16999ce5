/* sframedec: VP8 that came by RTP, whose size only a keyframe tells.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sframeharness.h"

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

static Suite *
sframedecvp8_suite (void)
{
  Suite *suite = suite_create ("sframedecvp8");
  TCase *media = tcase_create ("media");

  suite_add_tcase (suite, media);
  tcase_add_test (
      media, the_size_of_vp8_is_in_the_caps_from_the_first_keyframe_on);
  tcase_add_loop_test (
      media, events_wait_for_the_first_keyframe_and_come_out_in_order, 0, 3);
  tcase_add_test (media, the_size_is_learnt_after_an_end_without_a_keyframe);
  return suite;
}

GST_CHECK_MAIN (sframedecvp8)

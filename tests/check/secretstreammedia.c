/* Real media through encrypted files: muxed, encrypted, decrypted, demuxed, sought.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/check/gstcheck.h>

#include <glib/gstdio.h>

#define KEY "5ec2e7d00dfeedfacecafebabe0badf00ddeadbeef8badf00dabad1deac001d0"
#define QUEUE "queue max-size-time=0 max-size-bytes=0 max-size-buffers=0"
#define WAIT (30 * GST_SECOND)

static gchar *folder, *recording;

typedef struct
{
  GMutex lock;
  GChecksum *sum;
  guint frames;
} Frames;

static void
take_frame (GstElement *sink, GstBuffer *buffer, GstPad *pad, Frames *frames)
{
  GstMapInfo map;

  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  g_mutex_lock (&frames->lock);
  g_checksum_update (frames->sum, map.data, (gssize) map.size);
  frames->frames++;
  g_mutex_unlock (&frames->lock);
  gst_buffer_unmap (buffer, &map);
}

static void
run (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, WAIT, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;
    gst_message_parse_error (message, &error, NULL);
    fail ("%s", error->message);
  }
  fail_unless (message != NULL, "it does not end");
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

static GstElement *
launch (const gchar *line)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);
  fail_unless (error == NULL, "%s", error ? error->message : "");
  return pipeline;
}

/* The frames of one track, as a hash. */
static gchar *
frames_of (const gchar *source, const gchar *track, guint *count)
{
  Frames frames = { .sum = g_checksum_new (G_CHECKSUM_SHA256) };
  g_autofree gchar *line =
      g_strdup_printf ("%s ! matroskademux name=d d.%s ! " QUEUE
                       " ! fakesink name=s signal-handoffs=true sync=false",
          source, track);
  g_autoptr (GstElement) pipeline = launch (line);
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");

  g_mutex_init (&frames.lock);
  g_signal_connect (sink, "handoff", G_CALLBACK (take_frame), &frames);
  run (pipeline);
  gchar *hash = g_strdup (g_checksum_get_string (frames.sum));
  g_checksum_free (frames.sum);
  g_mutex_clear (&frames.lock);
  *count = frames.frames;
  return hash;
}

static gchar *
clip (void)
{
  return g_build_filename (
      g_getenv ("CONCLAVE_TEST_DATA"), "media", "people-walking.webm", NULL);
}

static void
set_up (void)
{
  folder = g_dir_make_tmp ("conclave-XXXXXX", NULL);
  recording = g_build_filename (folder, "recording", NULL);
  g_autofree gchar *from = clip ();
  g_autofree gchar *line = g_strdup_printf (
      "matroskamux name=m ! secretstreamenc key=" KEY
      " ! filesink location=%s "
      "filesrc location=%s ! matroskademux name=d "
      "d.video_0 ! " QUEUE " ! m.video_0 d.audio_0 ! " QUEUE " ! m.audio_0",
      recording, from);
  g_autoptr (GstElement) pipeline = launch (line);
  run (pipeline);
}

static void
tear_down (void)
{
  g_unlink (recording);
  g_rmdir (folder);
  g_clear_pointer (&recording, g_free);
  g_clear_pointer (&folder, g_free);
}

/* Pulled from, and pushed to: pushfilesrc is a filesrc that does not let itself be pulled from. */
GST_START_TEST (frames_come_back_byte_by_byte)
{
  static const gchar *const tracks[] = { "video_0", "audio_0" };
  g_autofree gchar *original = clip ();
  g_autofree gchar *plain = g_strdup_printf ("filesrc location=%s", original);
  g_autofree gchar *file = g_strdup_printf (
      __i__ / 2 == 0 ? "filesrc location=%s" : "pushfilesrc location=%s",
      recording);
  g_autofree gchar *decrypted =
      g_strdup_printf ("%s ! secretstreamdec key=" KEY, file);
  guint want, got;

  g_autofree gchar *sent = frames_of (plain, tracks[__i__ % 2], &want);
  g_autofree gchar *received = frames_of (decrypted, tracks[__i__ % 2], &got);
  fail_unless (want > 200);
  fail_unless_equals_int (got, want);
  fail_unless_equals_string (received, sent);
}
GST_END_TEST

GST_START_TEST (a_recording_can_be_sought)
{
  g_autofree gchar *line = g_strdup_printf (
      "filesrc location=%s ! secretstreamdec key=" KEY
      " ! matroskademux name=d d.video_0 ! " QUEUE " ! fakesink name=s",
      recording);
  g_autoptr (GstElement) pipeline = launch (line);
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");
  static const guint seconds[] = { 9, 2, 6, 0, 11 };
  gint64 duration = 0;

  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  fail_unless_equals_int (gst_element_get_state (pipeline, NULL, NULL, WAIT),
      GST_STATE_CHANGE_SUCCESS);
  fail_unless (
      gst_element_query_duration (pipeline, GST_FORMAT_TIME, &duration));
  fail_unless (duration > 11 * GST_SECOND && duration < 14 * GST_SECOND);
  for (guint i = 0; i < G_N_ELEMENTS (seconds); i++) {
    fail_unless (gst_element_seek_simple (pipeline, GST_FORMAT_TIME,
        GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_KEY_UNIT,
        seconds[i] * GST_SECOND));
    fail_unless_equals_int (gst_element_get_state (pipeline, NULL, NULL, WAIT),
        GST_STATE_CHANGE_SUCCESS);
    GstSample *sample;
    g_object_get (sink, "last-sample", &sample, NULL);
    fail_unless (sample != NULL);
    GstClockTime pts = GST_BUFFER_PTS (gst_sample_get_buffer (sample));
    gst_sample_unref (sample);
    /* A keyframe of the clip is nearer than this. */
    GstClockTime asked = seconds[i] * (GstClockTime) GST_SECOND;
    fail_unless (pts <= asked + GST_SECOND && pts + 5 * GST_SECOND > asked,
        "second %u: %" GST_TIME_FORMAT, seconds[i], GST_TIME_ARGS (pts));
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
}
GST_END_TEST

static Suite *
secretstreammedia_suite (void)
{
  Suite *s = suite_create ("secretstreammedia");
  TCase *tc = tcase_create ("media");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, set_up, tear_down);
  tcase_add_loop_test (tc, frames_come_back_byte_by_byte, 0, 4);
  tcase_add_test (tc, a_recording_can_be_sought);
  return s;
}

GST_CHECK_MAIN (secretstreammedia);

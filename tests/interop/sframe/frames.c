/* Takes frames to and from a file, so that a program without GStreamer can work on them between two elements.
 *
 *     frames capture OUT LAUNCH...              runs a pipeline and keeps what its `fakesink name=out` gets
 *     frames pass IN OUT CAPS RATCHET LAUNCH    sends the frames of IN, with CAPS, through elements and keeps what comes
 *                                               out; asks sframeenc to ratchet after every RATCHET frames, 0: never
 *
 * A file of frames is, for each: its length, 32 bits big-endian, and its bytes. Prints the caps of what it wrote.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

#include <stdio.h>

static void
write_frame (FILE *file, GstBuffer *frame)
{
  GstMapInfo map;
  guint8 head[4];

  if (!gst_buffer_map (frame, &map, GST_MAP_READ))
    g_error ("cannot map a frame");
  GST_WRITE_UINT32_BE (head, (guint32) map.size);
  if (fwrite (head, 1, sizeof head, file) != sizeof head
      || fwrite (map.data, 1, map.size, file) != map.size)
    g_error ("cannot write a frame");
  gst_buffer_unmap (frame, &map);
}

/* The next frame of `file`, or NULL at its end. */
static GstBuffer *
read_frame (FILE *file)
{
  guint8 head[4];

  if (fread (head, 1, sizeof head, file) != sizeof head)
    return NULL;
  gsize len = GST_READ_UINT32_BE (head);
  guint8 *bytes = g_malloc (len + 1);
  if (fread (bytes, 1, len, file) != len)
    g_error ("the file of frames is cut off");
  return gst_buffer_new_wrapped_full (
      0, bytes, len + 1, 0, len, bytes, g_free);
}

static FILE *
open_file (const char *path, const char *mode)
{
  FILE *file = fopen (path, mode);
  if (!file)
    g_error ("cannot open %s", path);
  return file;
}

static void
print_caps (GstPad *pad)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  g_autofree char *text = caps ? gst_caps_to_string (caps) : g_strdup ("");
  g_print ("%s\n", text);
}

static void
keep_frame (GstElement *sink, GstBuffer *frame, GstPad *pad, FILE *out)
{
  write_frame (out, frame);
}

static int
capture (const char *out_path, const char *launch)
{
  FILE *out = open_file (out_path, "wb");
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (launch, &error);
  if (!pipeline || error)
    g_error ("cannot build the pipeline: %s", error ? error->message : "?");
  g_autoptr (GstElement) sink =
      gst_bin_get_by_name (GST_BIN (pipeline), "out");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");

  g_object_set (sink, "signal-handoffs", TRUE, "sync", FALSE, NULL);
  g_signal_connect (sink, "handoff", G_CALLBACK (keep_frame), out);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) end = gst_bus_timed_pop_filtered (
      bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gboolean ok = end && GST_MESSAGE_TYPE (end) == GST_MESSAGE_EOS;
  if (end && !ok) {
    gst_message_parse_error (end, &error, NULL);
    g_printerr ("%s\n", error->message);
  }
  print_caps (pad);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return fclose (out) == 0 && ok ? 0 : 1;
}

static int
pass (const char *in_path, const char *out_path, const char *caps,
    guint ratchet, const char *launch)
{
  FILE *in = open_file (in_path, "rb"), *out = open_file (out_path, "wb");
  GstHarness *h = gst_harness_new_parse (launch);
  g_autoptr (GstElement) encoder = gst_harness_find_element (h, "sframeenc");
  GstBuffer *frame;
  guint n = 0;

  gst_harness_set_src_caps_str (h, caps);
  while ((frame = read_frame (in))) {
    GST_BUFFER_PTS (frame) = n++ * GST_SECOND / 50;
    GstFlowReturn flow = gst_harness_push (h, frame);
    if (flow != GST_FLOW_OK)
      g_error ("frame %u: %s", n, gst_flow_get_name (flow));
    while ((frame = gst_harness_try_pull (h))) {
      write_frame (out, frame);
      gst_buffer_unref (frame);
    }
    if (ratchet && encoder && n % ratchet == 0)
      g_signal_emit_by_name (encoder, "ratchet");
  }
  print_caps (h->sinkpad);
  gst_harness_teardown (h);
  fclose (in);
  return fclose (out) == 0 ? 0 : 1;
}

int
main (int argc, char **argv)
{
  gst_init (NULL, NULL);
  if (argc == 4 && g_str_equal (argv[1], "capture"))
    return capture (argv[2], argv[3]);
  if (argc == 7 && g_str_equal (argv[1], "pass"))
    return pass (argv[2], argv[3], argv[4],
        (guint) g_ascii_strtoull (argv[5], NULL, 10), argv[6]);
  g_printerr (
      "usage: frames capture OUT LAUNCH | pass IN OUT CAPS RATCHET LAUNCH\n");
  return 2;
}

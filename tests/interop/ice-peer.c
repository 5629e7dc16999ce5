/* One side of a call through icetransport, for scripts: sends VP8, decodes what arrives, tells what happens.
 *
 *     ice-peer "controlling=true local-description-location=a.sdp remote-description-location=b.sdp …"
 *
 * Lines on standard output, each with the milliseconds since PLAYING: `state …`, `pair …`, `frames N` (every tenth decoded
 * frame), `warning …`, `error …`, `stats …`. SIGUSR1 asks for a restart, SIGUSR2 for the stats, SIGTERM ends it with the
 * stats. The exit code is 1 after an error.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib-unix.h>
#include <gst/gst.h>
#include <stdio.h>

static GMainLoop *loop;
static GstElement *pipeline, *transport;
static gint64 start;
static gint frames; /* atomic */
static int failed;

static void G_GNUC_PRINTF (1, 2) say (const char *format, ...)
{
  va_list args;
  g_autofree char *text = NULL;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_strdelimit (text, "\n", ';');
  printf ("%" G_GINT64_FORMAT " %s\n",
      (g_get_monotonic_time () - start) / 1000, text);
  fflush (stdout);
}

static void
say_stats (void)
{
  GstStructure *stats;
  g_object_get (transport, "stats", &stats, NULL);
  g_autofree char *text = gst_structure_to_string (stats);
  say ("stats %s", text);
  gst_structure_free (stats);
}

static void
on_frame (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user)
{
  gint n = g_atomic_int_add (&frames, 1) + 1;
  if (n % 10 == 0)
    say ("frames %d", n);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *detail = NULL;
  const GstStructure *s = gst_message_get_structure (message);

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ERROR:
      gst_message_parse_error (message, &error, &detail);
      say ("error %s | %s", error->message, detail);
      failed = 1;
      g_main_loop_quit (loop);
      break;
    case GST_MESSAGE_WARNING:
      gst_message_parse_warning (message, &error, &detail);
      say ("warning %s", error->message);
      break;
    case GST_MESSAGE_ELEMENT:
      if (gst_structure_has_name (s, "conclave-ice-state"))
        say ("state %s", gst_structure_get_string (s, "state"));
      else if (gst_structure_has_name (s, "conclave-ice-pair"))
        say ("pair %s", gst_structure_get_string (s, "selected-pair"));
      break;
    default:
      break;
  }
  return TRUE;
}

static gboolean
on_term (gpointer user)
{
  g_main_loop_quit (loop);
  return TRUE;
}

static gboolean
on_usr1 (gpointer user)
{
  g_signal_emit_by_name (transport, "restart");
  return TRUE;
}

static gboolean
on_usr2 (gpointer user)
{
  say_stats ();
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  gst_init (&argc, &argv);
  if (argc != 2) {
    fprintf (stderr, "usage: %s \"properties of icetransport\"\n", argv[0]);
    return 2;
  }
  g_autofree char *line = g_strdup_printf (
      "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=30/1 ! "
      "vp8enc deadline=1 keyframe-max-dist=15 ! rtpvp8pay ! icetransport name=t %s  t.src ! "
      "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8 ! rtpjitterbuffer latency=50 ! rtpvp8depay ! "
      "vp8dec ! fakesink name=s signal-handoffs=true sync=false async=false",
      argv[1]);

  start = g_get_monotonic_time ();
  pipeline = gst_parse_launch (line, &error);
  if (!pipeline || error) {
    fprintf (stderr, "%s\n", error->message);
    return 2;
  }
  loop = g_main_loop_new (NULL, FALSE);
  transport = gst_bin_get_by_name (GST_BIN (pipeline), "t");
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");
  g_signal_connect (sink, "handoff", G_CALLBACK (on_frame), NULL);
  gst_object_unref (sink);
  GstBus *bus = gst_element_get_bus (pipeline);
  gst_bus_add_watch (bus, on_message, NULL);
  g_unix_signal_add (SIGTERM, on_term, NULL);
  g_unix_signal_add (SIGINT, on_term, NULL);
  g_unix_signal_add (SIGUSR1, on_usr1, NULL);
  g_unix_signal_add (SIGUSR2, on_usr2, NULL);

  if (gst_element_set_state (pipeline, GST_STATE_PLAYING)
      == GST_STATE_CHANGE_FAILURE)
    failed = 1;
  g_main_loop_run (loop);
  say_stats ();
  gst_element_set_state (pipeline, GST_STATE_NULL);
  say ("end");
  gst_bus_remove_watch (bus);
  gst_object_unref (bus);
  gst_object_unref (transport);
  gst_object_unref (pipeline);
  g_main_loop_unref (loop);
  return failed;
}

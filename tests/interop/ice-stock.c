/* The other side of a call, as an application has to write it with the stock nicesrc and nicesink: an agent of its own,
 * its signals, its candidates. Descriptions by files, as icetransport's; the same lines on standard output as ice-peer.
 *
 *     ice-stock OWN-FILE OTHER-FILE controlling|controlled
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <nice/agent.h>
#include <stdio.h>
#include <string.h>

static GMainLoop *loop;
static NiceAgent *agent;
static guint stream;
static const char *own_file, *other_file;
static GHashTable *known;
static gboolean have_credentials;
static gint frames; /* atomic */
static gint64 start;

static void G_GNUC_PRINTF (1, 2) say (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  printf ("%" G_GINT64_FORMAT " %s\n", (g_get_monotonic_time () - start) / 1000, text);
  fflush (stdout);
}

static void
on_frame (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user)
{
  gint n = g_atomic_int_add (&frames, 1) + 1;
  if (n % 10 == 0)
    say ("frames %d", n);
}

static void
on_gathered (NiceAgent *nice, guint id, gpointer user)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *ufrag = NULL, *pwd = NULL;
  g_autofree char *temporary = g_strdup_printf ("%s.new", own_file);
  GSList *list = nice_agent_get_local_candidates (nice, id, 1);

  nice_agent_get_local_credentials (nice, id, &ufrag, &pwd);
  g_string_append_printf (text, "a=ice-ufrag:%s\na=ice-pwd:%s\nm=audio 9 RTP/AVP 0\na=mid:0\n", ufrag, pwd);
  for (GSList *i = list; i; i = i->next) {
    g_autofree char *line = nice_agent_generate_local_candidate_sdp (nice, i->data);
    g_string_append_printf (text, "%s\n", line);
  }
  g_slist_free_full (list, (GDestroyNotify) nice_candidate_free);
  g_string_append (text, "a=end-of-candidates\n");
  g_file_set_contents (temporary, text->str, -1, NULL);
  g_rename (temporary, own_file);
}

static gboolean
look (gpointer user)
{
  g_autofree char *text = NULL;
  g_autofree char *ufrag = NULL;
  g_autofree char *pwd = NULL;
  GSList *fresh = NULL;

  if (!g_file_get_contents (other_file, &text, NULL, NULL))
    return G_SOURCE_CONTINUE;
  g_auto (GStrv) lines = g_strsplit_set (text, "\r\n", -1);
  for (char **l = lines; *l; l++) {
    if (g_str_has_prefix (*l, "a=ice-ufrag:"))
      ufrag = g_strdup (*l + 12);
    else if (g_str_has_prefix (*l, "a=ice-pwd:"))
      pwd = g_strdup (*l + 10);
    else if (g_str_has_prefix (*l, "a=candidate:") && g_hash_table_add (known, g_strdup (*l))) {
      NiceCandidate *c = nice_agent_parse_remote_candidate_sdp (agent, stream, *l);
      if (c)
        fresh = g_slist_append (fresh, c);
      else
        say ("error libnice does not understand \"%s\"", *l);
    }
  }
  if (!have_credentials && ufrag && pwd) {
    nice_agent_set_remote_credentials (agent, stream, ufrag, pwd);
    have_credentials = TRUE;
  }
  if (fresh)
    nice_agent_set_remote_candidates (agent, stream, 1, fresh);
  g_slist_free_full (fresh, (GDestroyNotify) nice_candidate_free);
  return G_SOURCE_CONTINUE;
}

static void
on_state (NiceAgent *nice, guint id, guint component, guint state, gpointer user)
{
  say ("state %s", nice_component_state_to_string (state));
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user)
{
  g_autoptr (GError) error = NULL;
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    say ("error %s", error->message);
    g_main_loop_quit (loop);
  }
  return TRUE;
}

static gboolean
on_term (gpointer user)
{
  g_main_loop_quit (loop);
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  NiceAddress address;

  gst_init (&argc, &argv);
  if (argc != 4)
    return 2;
  start = g_get_monotonic_time ();
  own_file = argv[1];
  other_file = argv[2];
  known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  loop = g_main_loop_new (NULL, FALSE);

  agent = nice_agent_new (NULL, NICE_COMPATIBILITY_RFC5245);
  nice_address_init (&address);
  nice_address_set_from_string (&address, "127.0.0.1");
  g_object_set (agent, "controlling-mode", strcmp (argv[3], "controlling") == 0, "ice-tcp", FALSE, "upnp", FALSE, NULL);
  nice_agent_add_local_address (agent, &address);
  stream = nice_agent_add_stream (agent, 1);
  g_signal_connect (agent, "candidate-gathering-done", G_CALLBACK (on_gathered), NULL);
  g_signal_connect (agent, "component-state-changed", G_CALLBACK (on_state), NULL);

  GstElement *pipeline = gst_parse_launch (
      "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=30/1 ! "
      "vp8enc deadline=1 keyframe-max-dist=15 ! rtpvp8pay ! nicesink name=out sync=false async=false  nicesrc name=in ! "
      "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8 ! rtpjitterbuffer latency=50 ! rtpvp8depay ! "
      "vp8dec ! fakesink name=s signal-handoffs=true sync=false async=false", &error);
  if (!pipeline || error) {
    fprintf (stderr, "%s\n", error->message);
    return 77;
  }
  static const char *const names[] = { "in", "out" };
  for (guint i = 0; i < 2; i++) {
    GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), names[i]);
    g_object_set (element, "agent", agent, "stream", stream, "component", 1, NULL);
    gst_object_unref (element);
  }
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");
  g_signal_connect (sink, "handoff", G_CALLBACK (on_frame), NULL);
  gst_object_unref (sink);
  GstBus *bus = gst_element_get_bus (pipeline);
  gst_bus_add_watch (bus, on_message, NULL);
  gst_object_unref (bus);
  g_unix_signal_add (SIGTERM, on_term, NULL);

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  nice_agent_gather_candidates (agent, stream);
  g_timeout_add (50, look, NULL);
  g_main_loop_run (loop);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  g_object_unref (agent);
  say ("end");
  return 0;
}

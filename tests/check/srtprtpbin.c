/* srtpprotect and srtpunprotect behind rtpbin's hooks, among themselves and facing srtpenc and srtpdec, with RTCP running
 * both ways for a minute of media time, which a test clock makes pass in seconds.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/check/gstcheck.h>
#include <gst/check/gsttestclock.h>

#define MEDIA_SECONDS 60

/* Master key and salt of each direction. */
static const gchar *const keys[] = {
  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fa0a1a2a3a4a5a6a7a8a9aaab",
  "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3fb0b1b2b3b4b5b6b7b8b9babb",
};

static GstBuffer *
key_buffer (guint n)
{
  guint8 bytes[44];
  for (guint i = 0; i < 44; i++)
    bytes[i] = (guint8) (g_ascii_xdigit_value (keys[n][2 * i]) << 4
                         | g_ascii_xdigit_value (keys[n][2 * i + 1]));
  return gst_buffer_new_memdup (bytes, sizeof bytes);
}

/* One end: an rtpbin with one element that encrypts what it sends and one that decrypts what it gets. */
typedef struct
{
  GstElement *bin, *enc, *dec;
  guint send_key, receive_key;
  guint active; /* RTCP came from the other side; `lock` */
} End;

/* What the test waits for. */
static GMutex lock;
static GCond changed;
static guint received; /* RTP packets */

static GstElement *
give_encoder (GstElement *bin, guint session, End *end)
{
  return gst_object_ref (end->enc);
}

static GstElement *
give_decoder (GstElement *bin, guint session, End *end)
{
  return gst_object_ref (end->dec);
}

/* What srtpdec asks for. */
static GstCaps *
give_caps (GstElement *dec, guint ssrc, End *end)
{
  g_autoptr (GstBuffer) key = key_buffer (end->receive_key);
  return gst_caps_new_simple ("application/x-srtp", "srtp-key",
      GST_TYPE_BUFFER, key, "srtp-cipher", G_TYPE_STRING, "aes-256-gcm",
      "srtp-auth", G_TYPE_STRING, "null", "srtcp-cipher", G_TYPE_STRING,
      "aes-256-gcm", "srtcp-auth", G_TYPE_STRING, "null", NULL);
}

static GstCaps *
give_pt_map (GstElement *bin, guint session, guint pt, gpointer unused)
{
  return gst_caps_from_string (
      "application/x-rtp,media=audio,clock-rate=8000,encoding-name=L16,payload=96,channels=1");
}

static void
count_active (GstElement *bin, guint session, guint ssrc, End *end)
{
  g_mutex_lock (&lock);
  end->active++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

static void
make_end (End *end, GstBin *pipeline, gboolean stock, guint send_key)
{
  end->send_key = send_key;
  end->receive_key = 1 - send_key;
  end->bin = gst_element_factory_make ("rtpbin", NULL);
  g_object_set (end->bin, "latency", 100, NULL);
  if (stock) {
    g_autoptr (GstBuffer) key = key_buffer (send_key);
    end->enc = gst_element_factory_make ("srtpenc", NULL);
    g_object_set (end->enc, "key", key, NULL);
    gst_util_set_object_arg (G_OBJECT (end->enc), "rtp-cipher", "aes-256-gcm");
    gst_util_set_object_arg (
        G_OBJECT (end->enc), "rtcp-cipher", "aes-256-gcm");
    gst_util_set_object_arg (G_OBJECT (end->enc), "rtp-auth", "null");
    gst_util_set_object_arg (G_OBJECT (end->enc), "rtcp-auth", "null");
    end->dec = gst_element_factory_make ("srtpdec", NULL);
    g_signal_connect (end->dec, "request-key", G_CALLBACK (give_caps), end);
  } else {
    end->enc = gst_element_factory_make ("srtpprotect", NULL);
    end->dec = gst_element_factory_make ("srtpunprotect", NULL);
    g_object_set (end->enc, "key", keys[send_key], NULL);
    g_object_set (end->dec, "key", keys[1 - send_key], NULL);
  }
  /* rtpbin takes the pads by name: they must be there when the hook returns. */
  gst_object_unref (gst_element_request_pad_simple (end->enc, "rtp_sink_0"));
  gst_object_unref (gst_element_request_pad_simple (end->enc, "rtcp_sink_0"));
  gst_object_ref_sink (end->enc);
  gst_object_ref_sink (end->dec);
  g_signal_connect (
      end->bin, "request-rtp-encoder", G_CALLBACK (give_encoder), end);
  g_signal_connect (
      end->bin, "request-rtcp-encoder", G_CALLBACK (give_encoder), end);
  g_signal_connect (
      end->bin, "request-rtp-decoder", G_CALLBACK (give_decoder), end);
  g_signal_connect (
      end->bin, "request-rtcp-decoder", G_CALLBACK (give_decoder), end);
  g_signal_connect (
      end->bin, "request-pt-map", G_CALLBACK (give_pt_map), NULL);
  g_signal_connect (
      end->bin, "on-ssrc-active", G_CALLBACK (count_active), end);
  gst_bin_add (pipeline, end->bin);
}

static void
count_packet (
    GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer unused)
{
  g_mutex_lock (&lock);
  received++;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

static void
link_sink (GstElement *bin, GstPad *pad, GstElement *sink)
{
  g_autofree gchar *name = gst_pad_get_name (pad);
  if (!g_str_has_prefix (name, "recv_rtp_src_"))
    return;
  g_autoptr (GstPad) to = gst_element_get_static_pad (sink, "sink");
  fail_unless_equals_int (gst_pad_link (pad, to), GST_PAD_LINK_OK);
}

/* A wire, of pads that belong to no element: a pipeline warns of loops in its graph. */
static GstFlowReturn
carry_buffer (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  return gst_pad_push (gst_pad_get_element_private (pad), buffer);
}

static gboolean
carry_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  return gst_pad_push_event (gst_pad_get_element_private (pad), event);
}

/* What comes out of a socket knows nothing of how it was sent. */
static gboolean
drop_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  gst_event_unref (event);
  return TRUE;
}

/* RTP and RTCP of `from` arrive on one pad of `to`, as on one port. */
static void
link_muxed (GstElement *from, GstElement *to, GstPad *way[3])
{
  g_autoptr (GstPad)
      rtp = gst_element_get_static_pad (from, "send_rtp_src_0"),
      rtcp = gst_element_request_pad_simple (from, "send_rtcp_src_0"),
      in = gst_element_request_pad_simple (to, "recv_rtp_sink_0"),
      unlinked = gst_element_request_pad_simple (to, "recv_rtcp_sink_0");
  way[0] = gst_pad_new ("rtp", GST_PAD_SINK);
  way[1] = gst_pad_new ("rtcp", GST_PAD_SINK);
  way[2] = gst_pad_new ("out", GST_PAD_SRC);
  for (guint i = 0; i < 3; i++) {
    if (i < 2) {
      gst_pad_set_element_private (way[i], way[2]);
      gst_pad_set_chain_function (way[i], carry_buffer);
      gst_pad_set_event_function (way[i], i ? drop_event : carry_event);
    }
    gst_pad_set_active (way[i], TRUE);
  }
  fail_unless (unlinked != NULL);
  fail_unless_equals_int (
      gst_pad_link_full (rtp, way[0], GST_PAD_LINK_CHECK_NOTHING),
      GST_PAD_LINK_OK);
  fail_unless_equals_int (
      gst_pad_link_full (rtcp, way[1], GST_PAD_LINK_CHECK_NOTHING),
      GST_PAD_LINK_OK);
  fail_unless_equals_int (
      gst_pad_link_full (way[2], in, GST_PAD_LINK_CHECK_NOTHING),
      GST_PAD_LINK_OK);
}

static void
link_back (GstElement *from, GstElement *to, GstPad *way[2])
{
  g_autoptr (GstPad)
      out = gst_element_request_pad_simple (from, "send_rtcp_src_0"),
      in = gst_element_request_pad_simple (to, "recv_rtcp_sink_0");
  way[0] = gst_pad_new ("in", GST_PAD_SINK);
  way[1] = gst_pad_new ("out", GST_PAD_SRC);
  gst_pad_set_element_private (way[0], way[1]);
  gst_pad_set_chain_function (way[0], carry_buffer);
  gst_pad_set_event_function (way[0], carry_event);
  gst_pad_set_active (way[0], TRUE);
  gst_pad_set_active (way[1], TRUE);
  fail_unless_equals_int (
      gst_pad_link_full (out, way[0], GST_PAD_LINK_CHECK_NOTHING),
      GST_PAD_LINK_OK);
  fail_unless_equals_int (
      gst_pad_link_full (way[1], in, GST_PAD_LINK_CHECK_NOTHING),
      GST_PAD_LINK_OK);
}

static guint64
stat_of (GstElement *element, const gchar *name)
{
  GstStructure *stats;
  guint64 value = 0;
  g_object_get (element, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, name, &value));
  gst_structure_free (stats);
  return value;
}

static GstBuffer *
make_packet (guint16 seq)
{
  guint8 bytes[12 + 320] = { 0x80, 96, (guint8) (seq >> 8), (guint8) seq, 0, 0,
    (guint8) (seq * 160 >> 8), (guint8) (seq * 160), 1, 2, 3, 4 };
  bytes[5] = (guint8) (seq * 160 >> 16);
  GstBuffer *buffer = gst_buffer_new_memdup (bytes, sizeof bytes);
  GST_BUFFER_PTS (buffer) = seq * 20 * GST_MSECOND;
  return buffer;
}

/* Turns the clock, and wakes all whose time has come. */
static void
turn_clock (GstTestClock *clock, GstClockTime to)
{
  GstClockID next = NULL;

  gst_test_clock_set_time (clock, to);
  while (gst_test_clock_peek_next_pending_id (clock, &next)
         && gst_clock_id_get_time (next) <= to) {
    gst_clock_id_unref (next);
    next = gst_test_clock_process_next_clock_id (clock);
    g_clear_pointer (&next, gst_clock_id_unref);
  }
  g_clear_pointer (&next, gst_clock_id_unref);
}

/* All packets came out, and both sides have heard of each other by RTCP. `lock` held. */
static gboolean
all_is_there (const End *a, const End *b)
{
  return received >= 50 * MEDIA_SECONDS && a->active >= 5 && b->active >= 5;
}

/* What still waits in the jitter buffer, and RTCP's threads that are late, come in the time after. A thread that is woken
 * by the clock may not have run yet when nothing is pending any more, so each turn waits a moment for news. */
static void
turn_until_all_is_there (GstTestClock *clock, const End *a, const End *b)
{
  gint64 give_up = g_get_monotonic_time () + 90 * G_TIME_SPAN_SECOND;
  GstClockTime now = MEDIA_SECONDS * GST_SECOND;

  g_mutex_lock (&lock);
  while (!all_is_there (a, b) && g_get_monotonic_time () < give_up) {
    g_mutex_unlock (&lock);
    turn_clock (clock, now);
    now += 20 * GST_MSECOND;
    g_mutex_lock (&lock);
    if (!all_is_there (a, b))
      g_cond_wait_until (
          &changed, &lock, g_get_monotonic_time () + G_TIME_SPAN_MILLISECOND);
  }
  g_mutex_unlock (&lock);
}

/* Which end is stock, and whether RTP and RTCP share a port on the way there. */
static const struct
{
  gboolean sender, receiver, muxed;
} rows[] = { { FALSE, FALSE, FALSE }, { FALSE, TRUE, FALSE },
  { TRUE, FALSE, FALSE }, { FALSE, FALSE, TRUE }, { TRUE, FALSE, TRUE } };

GST_START_TEST (a_minute_of_rtp_and_rtcp_through_rtpbin)
{
  GstElement *pipeline = gst_pipeline_new (NULL),
             *sink = gst_element_factory_make ("fakesink", NULL);
  GstClock *clock = gst_test_clock_new ();
  End a = { 0 }, b = { 0 };
  GstPad *way[2], *muxed[3] = { NULL },
                  *source = gst_pad_new ("source", GST_PAD_SRC);
  GstSegment segment;
  g_autoptr (GstCaps) caps = give_pt_map (NULL, 0, 96, NULL);

  received = 0;
  gst_system_clock_set_default (
      clock); /* RTCP's timer is the system clock's */
  gst_pipeline_use_clock (GST_PIPELINE (pipeline), clock);
  g_object_set (
      sink, "sync", FALSE, "async", FALSE, "signal-handoffs", TRUE, NULL);
  g_signal_connect (sink, "handoff", G_CALLBACK (count_packet), NULL);
  gst_bin_add (GST_BIN (pipeline), sink);
  make_end (&a, GST_BIN (pipeline), rows[__i__].sender, 0);
  make_end (&b, GST_BIN (pipeline), rows[__i__].receiver, 1);
  g_signal_connect (b.bin, "pad-added", G_CALLBACK (link_sink), sink);

  g_autoptr (GstPad) first_sink =
      gst_element_request_pad_simple (a.bin, "send_rtp_sink_0");
  gst_pad_set_active (source, TRUE);
  fail_unless_equals_int (
      gst_pad_link_full (source, first_sink, GST_PAD_LINK_CHECK_NOTHING),
      GST_PAD_LINK_OK);
  if (rows[__i__].muxed) {
    link_muxed (a.bin, b.bin, muxed);
  } else {
    fail_unless (gst_element_link_pads (
        a.bin, "send_rtp_src_0", b.bin, "recv_rtp_sink_0"));
    fail_unless (gst_element_link_pads (
        a.bin, "send_rtcp_src_0", b.bin, "recv_rtcp_sink_0"));
  }
  link_back (b.bin, a.bin, way);
  fail_unless (gst_element_set_state (pipeline, GST_STATE_PLAYING)
               != GST_STATE_CHANGE_FAILURE);
  fail_unless_equals_int (
      gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE),
      GST_STATE_CHANGE_SUCCESS);

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (source, gst_event_new_stream_start ("source"));
  gst_pad_push_event (source, gst_event_new_caps (caps));
  gst_pad_push_event (source, gst_event_new_segment (&segment));
  for (guint16 seq = 0; seq < 50 * MEDIA_SECONDS; seq++) {
    turn_clock (GST_TEST_CLOCK (clock), seq * 20 * GST_MSECOND);
    fail_unless_equals_int (
        gst_pad_push (source, make_packet (seq)), GST_FLOW_OK);
  }
  turn_until_all_is_there (GST_TEST_CLOCK (clock), &a, &b);

  g_mutex_lock (&lock);
  guint packets = received, reports[] = { a.active, b.active };
  g_mutex_unlock (&lock);
  fail_unless_equals_int (packets, 50 * MEDIA_SECONDS);
  fail_unless (reports[0] >= 5 && reports[1] >= 5, "RTCP: %u and %u reports",
      reports[0], reports[1]);
  End *ends[] = { &a, &b };
  for (guint i = 0; i < 2; i++) {
    if (i ? rows[__i__].receiver : rows[__i__].sender)
      continue;
    static const gchar *const bad[] = { "malformed", "auth-failed", "replayed",
      "too-old", "no-key", "failed" };
    for (guint k = 0; k < G_N_ELEMENTS (bad); k++) {
      fail_unless_equals_uint64 (stat_of (ends[i]->enc, bad[k]), 0);
      fail_unless_equals_uint64 (stat_of (ends[i]->dec, bad[k]), 0);
    }
  }

  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  fail_unless (
      gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING)
      == NULL);
  gst_pad_set_active (source, FALSE);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  gst_object_unref (source);
  gst_object_unref (way[0]);
  gst_object_unref (way[1]);
  for (guint i = 0; i < G_N_ELEMENTS (muxed); i++)
    g_clear_pointer (&muxed[i], gst_object_unref);
  for (guint i = 0; i < 2; i++) {
    gst_object_unref (ends[i]->enc);
    gst_object_unref (ends[i]->dec);
  }
  gst_system_clock_set_default (NULL);
  gst_object_unref (clock);
}
GST_END_TEST;

static Suite *
srtprtpbin_suite (void)
{
  Suite *suite = suite_create ("srtprtpbin");
  TCase *tc = tcase_create ("rtpbin");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_loop_test (tc, a_minute_of_rtp_and_rtcp_through_rtpbin, 0,
      (int) G_N_ELEMENTS (rows));
  return suite;
}

GST_CHECK_MAIN (srtprtpbin)

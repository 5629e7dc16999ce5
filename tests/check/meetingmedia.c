/* The media bin in a room of a real forwarder, with real encoders: what one sends is what the others get.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rtpsessionrace.h"
#include "mediatap.h"

static const struct
{
  const char *line, *media_type, *kind;
} encoded[] = {
  { VP8_SOURCE, "video/x-vp8", "video" },
  { OPUS_SOURCE, "audio/x-opus", "audio" },
  { "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=1000 ! h264parse config-interval=-1",
      "video/x-h264", "video" },
};

GST_START_TEST (encoded_media_comes_out_bit_by_bit)
{
  Room room;
  Listener reader;
  Tap in = { .n_raw = 0 };

  room_open (&room);
  Person *a = room_add (&room, "alice"), *b = room_add (&room, "bob");
  g_autoptr (GstPad) sink = person_send (a, encoded[__i__].line, "sink_%u");
  tap_pad (&in, sink);
  reader_start (&reader, b);
  room_play (a);
  room_play (b);
  room_admit (&room, a);
  room_admit (&room, b);
  ROOM_WAIT (&room, count_of (&reader, "alice/0") >= 60);
  gst_element_set_state (a->pipeline, GST_STATE_NULL);
  missing_frames (&in, &reader.taps[0]);

  const GstStructure *caps = gst_caps_get_structure (reader.taps[0].caps, 0);
  fail_unless (gst_structure_has_name (caps, encoded[__i__].media_type));
  const GstStructure *track = reader.taps[0].track;
  fail_unless (track != NULL);
  fail_unless_equals_string (
      gst_structure_get_string (track, "participant"), "alice");
  fail_unless_equals_string (
      gst_structure_get_string (track, "kind"), encoded[__i__].kind);
  fail_unless_equals_int (b->n_heard, 1);
  fail_unless_equals_uint64 (b->heard[0], kid_of (&room, 0, 0));
  fail_unless_equals_int (b->n_good, 1);
  fail_unless_equals_int (b->n_failing, 0);
  tap_clear (&in);
  room_close (&room);
  reader_clear (&reader);
}
GST_END_TEST;

/* Raw in, raw out, whatever the codec between. */
static const char *const video_codecs[] = { "VP8", "vp9", "H264" };

GST_START_TEST (raw_media_is_encoded_and_decoded)
{
  Room room;
  Listener reader;

  room_open (&room);
  Person *a = room_add (&room, "alice"), *b = room_add (&room, "bob");
  g_object_set (a->media, "video-codec", video_codecs[__i__], NULL);
  g_object_set (b->media, "decode", TRUE, NULL);
  gst_object_unref (person_send (a, RAW_VIDEO, "sink_%u"));
  gst_object_unref (person_send (a, RAW_AUDIO, "sink_%u"));
  reader_start (&reader, b);
  room_play (a);
  room_play (b);
  room_admit (&room, a);
  room_admit (&room, b);
  ROOM_WAIT (&room, count_of (&reader, "alice/0") >= 20
                        && count_of (&reader, "alice/1") >= 20);
  room_close (&room);
  fail_unless_equals_int (reader.n, 2);
  for (guint i = 0; i < 2; i++) {
    const GstStructure *caps = gst_caps_get_structure (reader.taps[i].caps, 0);
    gint width = 0, rate = 0;
    if (gst_structure_has_name (caps, "video/x-raw")) {
      fail_unless (gst_structure_get_int (caps, "width", &width));
      fail_unless_equals_int (width, 320);
    } else {
      fail_unless (gst_structure_has_name (caps, "audio/x-raw"));
      fail_unless (gst_structure_get_int (caps, "rate", &rate));
      fail_unless_equals_int (rate, 48000);
    }
  }
  reader_clear (&reader);
}
GST_END_TEST;

/* ---- Loss ---- */

static GstElement *
find_transport (Person *p)
{
  GstIterator *it = gst_bin_iterate_all_by_element_factory_name (
      GST_BIN (p->media), "icetransport");
  GValue item = G_VALUE_INIT;
  GstElement *found = NULL;

  if (gst_iterator_next (it, &item) == GST_ITERATOR_OK)
    found = g_value_dup_object (&item);
  g_value_unset (&item);
  gst_iterator_free (it);
  return found;
}

typedef struct
{
  guint n, dropped, every;
} Loss;

static gboolean
lose (GstBuffer **packet, guint i, gpointer data)
{
  Loss *loss = data;
  guint8 header[2];

  gst_buffer_extract (*packet, 0, header, 2);
  if ((header[1] & 0x7f) == MEDIA_VIDEO_PT && ++loss->n % loss->every == 0) {
    loss->dropped++;
    gst_clear_buffer (packet);
  }
  return TRUE;
}

static GstPadProbeReturn
lose_packets (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
    GstBuffer *packet = gst_buffer_ref (GST_PAD_PROBE_INFO_BUFFER (info));
    lose (&packet, 0, data);
    gboolean lost = packet == NULL;
    gst_clear_buffer (&packet);
    return lost ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
  }
  GstBufferList *list =
      gst_buffer_list_make_writable (GST_PAD_PROBE_INFO_BUFFER_LIST (info));
  gst_buffer_list_foreach (list, lose, data);
  GST_PAD_PROBE_INFO_DATA (info) = list;
  return GST_PAD_PROBE_OK;
}

/* One packet in 30 is lost on the way from the hub; the frames arrive. */
GST_START_TEST (what_is_lost_is_sent_again)
{
  Room room;
  Listener reader;
  Tap in = { .n_raw = 0 };
  Loss loss = { 0, 0, 30 };
  guint repaired = 0;

  room_open (&room);
  Person *a = room_add (&room, "alice"), *b = room_add (&room, "bob");
  g_object_set (b->media, "latency", 1000u, NULL);
  g_autoptr (GstPad) sink = person_send (a, VP8_SOURCE, "sink_%u");
  tap_pad (&in, sink);
  reader_start (&reader, b);
  room_play (a);
  room_play (b);
  room_admit (&room, a);
  room_admit (&room, b);
  ROOM_WAIT (&room, count_of (&reader, "alice/0") >= 1);
  g_autoptr (GstElement) ice = find_transport (b);
  g_autoptr (GstPad) from_hub = gst_element_get_static_pad (ice, "src");
  gst_pad_add_probe (from_hub,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, lose_packets,
      &loss, NULL);
  ROOM_WAIT (&room, loss.dropped >= 10);
  guint n = count_of (&reader, "alice/0");
  ROOM_WAIT (&room, count_of (&reader, "alice/0") >= n + 60);
  gst_element_set_state (a->pipeline, GST_STATE_NULL);
  guint missing = missing_frames (&in, &reader.taps[0]);
  fail_unless (missing < loss.dropped / 3, "%u are missing", missing);
  g_autoptr (GstElement) rtx =
      gst_bin_get_by_name (GST_BIN (b->media), "rtx-receive");
  g_object_get (rtx, "num-rtx-assoc-packets", &repaired, NULL);
  fail_unless (repaired >= 10, "%u of %u came again", repaired, loss.dropped);
  tap_clear (&in);
  room_close (&room);
  reader_clear (&reader);
}
GST_END_TEST;

static Suite *
meetingmedia_suite (void)
{
  Suite *suite = suite_create ("meetingmedia");
  TCase *tc = tcase_create ("media");

  tcase_add_checked_fixture (tc, tolerate_rtpsession_race, NULL);

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 250);
  tcase_add_loop_test (
      tc, encoded_media_comes_out_bit_by_bit, 0, G_N_ELEMENTS (encoded));
  tcase_add_loop_test (
      tc, raw_media_is_encoded_and_decoded, 0, G_N_ELEMENTS (video_codecs));
  tcase_add_test (tc, what_is_lost_is_sent_again);
  return suite;
}

GST_CHECK_MAIN (meetingmedia)

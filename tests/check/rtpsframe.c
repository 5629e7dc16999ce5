/* rtpsframepay and rtpsframedepay, packet by packet.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/audio/audio.h>
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/rtp/rtp.h>
#include <gst/video/video.h>

#define VP8_SFRAME                                                            \
  "application/x-sframe, original-media-type=(string)video/x-vp8"
#define OPUS_SFRAME                                                           \
  "application/x-sframe, original-media-type=(string)audio/x-opus, channel-mapping-family=(int)0, channels=(int)2, rate=(int)48000"
#define VP8_RTP                                                               \
  "application/x-rtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)VP8, payload=(int)96, a-sframe=(string)\"\""
#define OPUS_RTP                                                              \
  "application/x-rtp, media=(string)audio, clock-rate=(int)48000, encoding-name=(string)OPUS, payload=(int)96, a-sframe=(string)\"\""

enum
{
  S = 0x80,
  E = 0x40,
  T = 0x20
};

static const guint mtus[] = { 200, 1200, 9000 };

/* --- Helpers --- */

static GstBuffer *
random_buffer (GRand *rand, gsize size)
{
  guint8 *bytes = g_malloc (size + 4);

  for (gsize i = 0; i < size; i += 4)
    GST_WRITE_UINT32_LE (bytes + i, g_rand_int (rand));
  return gst_buffer_new_wrapped_full (
      0, bytes, size + 4, 0, size, bytes, g_free);
}

static void
fail_unless_same_bytes (GstBuffer *got, GstBuffer *want)
{
  GstMapInfo map;

  fail_unless_equals_uint64 (
      gst_buffer_get_size (got), gst_buffer_get_size (want));
  fail_unless (gst_buffer_map (want, &map, GST_MAP_READ));
  fail_unless (
      gst_buffer_memcmp (got, 0, map.data, map.size) == 0, "the bytes differ");
  gst_buffer_unmap (want, &map);
}

typedef struct
{
  guint16 seq;
  guint8 descriptor; /* 0xff: no payload at all */
  int len;           /* bytes behind the descriptor */
  guint32 timestamp;
  guint32 ssrc;
  guint8 pt; /* 0: 96 */
  gboolean marker;
} Packet;

static GstBuffer *
make_packet (const Packet *p)
{
  gboolean payload = p->descriptor != 0xff;
  guint8 *bytes = g_malloc0 (13 + (gsize) p->len);
  gsize size = payload ? 13 + (gsize) p->len : 12;
  GstBuffer *packet;

  bytes[0] = 0x80;
  bytes[1] = (guint8) ((p->marker ? 0x80 : 0) | (p->pt ? p->pt : 96));
  GST_WRITE_UINT16_BE (bytes + 2, p->seq);
  GST_WRITE_UINT32_BE (bytes + 4, p->timestamp);
  GST_WRITE_UINT32_BE (bytes + 8, p->ssrc);
  if (payload)
    bytes[12] = p->descriptor;
  for (int i = 0; payload && i < p->len; i++)
    bytes[13 + i] = (guint8) (p->seq + i);
  packet = gst_buffer_new_wrapped (bytes, size);
  GST_BUFFER_PTS (packet) = p->timestamp * GST_MSECOND;
  return packet;
}

static GstHarness *
depay_harness (const char *caps)
{
  GstHarness *h = gst_harness_new ("rtpsframedepay");
  g_object_set (h->element, "keyframe-interval", G_GUINT64_CONSTANT (0), NULL);
  gst_harness_set_src_caps_str (h, caps);
  return h;
}

static guint64
stat_of (GstHarness *h, const char *name)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 value;

  g_object_get (h->element, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, name, &value),
      "stats have no \"%s\"", name);
  return value;
}

static const char *const reasons[] = { "invalid-rtp", "duplicate",
  "no-descriptor", "empty-fragment", "no-start", "no-end", "incomplete",
  "timestamp-changed", "payload-type-changed", "mode-changed", "ssrc-changed",
  "too-large", "too-many-fragments", "flushed" };

static void
fail_unless_stats_add_up (GstHarness *h)
{
  guint64 sum =
      stat_of (h, "delivered-packets") + stat_of (h, "pending-packets");

  for (gsize i = 0; i < G_N_ELEMENTS (reasons); i++)
    sum += stat_of (h, reasons[i]);
  fail_unless_equals_uint64 (sum, stat_of (h, "received-packets"));
}

static guint
keyframe_requests (GstHarness *h)
{
  GstEvent *event;
  guint n = 0;

  while ((event = gst_harness_try_pull_upstream_event (h))) {
    n += gst_video_event_is_force_key_unit (event);
    gst_event_unref (event);
  }
  return n;
}

/* --- The payloader --- */

GST_START_TEST (frame_is_cut_into_equal_full_packets_and_one_rest)
{
  guint mtu = mtus[__i__];
  gsize room = mtu - 13, sizes[] = { 1, room - 1, room, room + 1, 2 * room,
    2 * room + 1, 7 * room + 3 };
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  GstHarness *h = gst_harness_new ("rtpsframepay");
  guint16 seq = 0;

  g_object_set (h->element, "mtu", mtu, NULL);
  gst_harness_set_src_caps_str (h, VP8_SFRAME);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    gsize at = 0, n = (sizes[i] + room - 1) / room;
    GstBuffer *frame = random_buffer (rand, sizes[i]);
    guint32 timestamp = 0;

    GST_BUFFER_PTS (frame) = i * GST_SECOND;
    fail_unless_equals_int (
        gst_harness_push (h, gst_buffer_ref (frame)), GST_FLOW_OK);
    fail_unless_equals_int (gst_harness_buffers_in_queue (h), n);
    for (gsize k = 0; k < n; k++) {
      g_autoptr (GstBuffer) packet = gst_harness_pull (h);
      GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
      gboolean starts = k == 0, ends = k == n - 1;

      fail_unless_equals_uint64 (
          gst_buffer_get_size (packet), ends ? 13 + sizes[i] - at : mtu);
      fail_unless (gst_rtp_buffer_map (packet, GST_MAP_READ, &rtp));
      guint8 *payload = gst_rtp_buffer_get_payload (&rtp);
      fail_unless_equals_int (payload[0], (starts ? S : 0) | (ends ? E : 0));
      fail_unless (gst_buffer_memcmp (frame, at, payload + 1,
                       gst_rtp_buffer_get_payload_len (&rtp) - 1)
                   == 0);
      at += gst_rtp_buffer_get_payload_len (&rtp) - 1;
      fail_unless_equals_int (gst_rtp_buffer_get_marker (&rtp), ends);
      if (i + k > 0)
        fail_unless_equals_int (
            gst_rtp_buffer_get_seq (&rtp), (guint16) (seq + 1));
      if (k > 0)
        fail_unless_equals_int (
            gst_rtp_buffer_get_timestamp (&rtp), timestamp);
      seq = gst_rtp_buffer_get_seq (&rtp);
      timestamp = gst_rtp_buffer_get_timestamp (&rtp);
      gst_rtp_buffer_unmap (&rtp);
      fail_unless_equals_uint64 (GST_BUFFER_PTS (packet), i * GST_SECOND);
    }
    fail_unless_equals_uint64 (at, sizes[i]);
    gst_buffer_unref (frame);
  }
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (payloader_says_what_the_rtp_caps_promise)
{
  static const struct
  {
    const char *in, *out;
  } rows[] = {
    { VP8_SFRAME ", width=(int)640, height=(int)480",
        "application/x-rtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)VP8, a-sframe=(string)\"\"" },
    { "application/x-sframe, original-media-type=(string)video/x-h264, stream-format=(string)byte-stream, alignment=(string)au",
        "application/x-rtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)H264, a-sframe=(string)\"\"" },
    { OPUS_SFRAME,
        "application/x-rtp, media=(string)audio, clock-rate=(int)48000, encoding-name=(string)OPUS, encoding-params=(string)2, a-sframe=(string)\"\", sprop-stereo=(string)1, sprop-maxcapturerate=(string)48000" },
    { "application/x-sframe, original-media-type=(string)audio/x-mulaw, rate=(int)8000, channels=(int)1",
        "application/x-rtp, media=(string)audio, clock-rate=(int)8000, encoding-name=(string)PCMU, a-sframe=(string)\"\"" },
    { "application/x-sframe, original-media-type=(string)audio/G722, rate=(int)16000, channels=(int)1",
        "application/x-rtp, media=(string)audio, clock-rate=(int)8000, encoding-name=(string)G722, a-sframe=(string)\"\"" },
    { "application/x-sframe, original-media-type=(string)audio/x-raw, format=(string)S16BE, layout=(string)interleaved, rate=(int)44100, channels=(int)2",
        "application/x-rtp, media=(string)audio, clock-rate=(int)44100, encoding-name=(string)L16, encoding-params=(string)2, a-sframe=(string)\"\"" },
  };
  GstHarness *h = gst_harness_new ("rtpsframepay");
  g_autoptr (GstCaps) want = gst_caps_from_string (rows[__i__].out);

  gst_harness_set_src_caps_str (h, rows[__i__].in);
  fail_unless_equals_int (
      gst_harness_push (h, gst_buffer_new_allocate (NULL, 20, NULL)),
      GST_FLOW_OK);
  g_autoptr (GstCaps) got = gst_pad_get_current_caps (h->sinkpad);
  fail_unless (gst_caps_is_subset (got, want), "%" GST_PTR_FORMAT, got);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (avc_is_refused_because_its_codec_data_would_be_lost)
{
  GstHarness *h = gst_harness_new ("rtpsframepay");
  g_autoptr (GstCaps) avc = gst_caps_from_string (
      "application/x-sframe, original-media-type=(string)video/x-h264, stream-format=(string)avc, alignment=(string)au");
  GstPad *sinkpad = gst_element_get_static_pad (h->element, "sink");

  fail_if (gst_pad_query_accept_caps (sinkpad, avc));
  gst_object_unref (sinkpad);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (empty_buffer_is_not_sent)
{
  GstHarness *h = gst_harness_new ("rtpsframepay");

  gst_harness_set_src_caps_str (h, VP8_SFRAME);
  fail_unless_equals_int (
      gst_harness_push (h, gst_buffer_new ()), GST_FLOW_OK);
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 0);
  gst_harness_teardown (h);
}
GST_END_TEST;

static gboolean
packet_marker (GstHarness *h)
{
  g_autoptr (GstBuffer) packet = gst_harness_pull (h);
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  gboolean marker;

  fail_unless (gst_rtp_buffer_map (packet, GST_MAP_READ, &rtp));
  marker = gst_rtp_buffer_get_marker (&rtp);
  gst_rtp_buffer_unmap (&rtp);
  return marker;
}

GST_START_TEST (
    marker_of_audio_is_the_start_of_a_talkspurt) /* RFC 3551, 4.1 */
{
  GstHarness *h = gst_harness_new ("rtpsframepay");
  static const gboolean discont[] = { FALSE, FALSE, TRUE, FALSE };
  static const gboolean want[] = { TRUE, FALSE, TRUE, FALSE };

  gst_harness_set_src_caps_str (h, OPUS_SFRAME);
  for (gsize i = 0; i < G_N_ELEMENTS (discont); i++) {
    GstBuffer *frame = gst_buffer_new_allocate (NULL, 50, NULL);
    if (discont[i])
      GST_BUFFER_FLAG_SET (frame, GST_BUFFER_FLAG_DISCONT);
    gst_harness_push (h, frame);
    fail_unless_equals_int (packet_marker (h), want[i]);
  }
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (flags_times_and_metas_go_with_the_packets)
{
  GstHarness *h = gst_harness_new ("rtpsframepay");
  GstBuffer *frame = gst_buffer_new_allocate (NULL, 500, NULL);
  g_autoptr (GstCaps) ntp = gst_caps_new_empty_simple ("timestamp/x-ntp");

  g_object_set (h->element, "mtu", 200, NULL);
  gst_harness_set_src_caps_str (h, VP8_SFRAME);
  GST_BUFFER_PTS (frame) = 3 * GST_SECOND;
  GST_BUFFER_DTS (frame) = 2 * GST_SECOND;
  GST_BUFFER_DURATION (frame) = GST_SECOND;
  GST_BUFFER_OFFSET (frame) = 77;
  GST_BUFFER_FLAG_SET (frame, GST_BUFFER_FLAG_DELTA_UNIT
                                  | GST_BUFFER_FLAG_HEADER
                                  | GST_BUFFER_FLAG_DROPPABLE);
  gst_buffer_add_reference_timestamp_meta (
      frame, ntp, 42, GST_CLOCK_TIME_NONE);
  gst_buffer_add_video_meta (
      frame, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, 500, 1);
  gst_harness_push (h, frame);
  for (int i = 0; i < 3; i++) {
    g_autoptr (GstBuffer) packet = gst_harness_pull (h);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (packet), 3 * GST_SECOND);
    fail_unless_equals_uint64 (GST_BUFFER_DTS (packet), 2 * GST_SECOND);
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (packet), GST_SECOND);
    fail_unless_equals_uint64 (
        GST_BUFFER_OFFSET (packet), GST_BUFFER_OFFSET_NONE);
    fail_unless (GST_BUFFER_FLAG_IS_SET (packet, GST_BUFFER_FLAG_DELTA_UNIT));
    fail_unless (GST_BUFFER_FLAG_IS_SET (packet, GST_BUFFER_FLAG_HEADER));
    fail_unless (GST_BUFFER_FLAG_IS_SET (packet, GST_BUFFER_FLAG_DROPPABLE));
    fail_unless (
        gst_buffer_get_reference_timestamp_meta (packet, ntp) != NULL);
    fail_if (gst_buffer_get_video_meta (
        packet)); /* describes memory that is not there any more */
  }
  gst_harness_teardown (h);
}
GST_END_TEST;

static GstMessage *
pop_message (GstBus *bus, GstMessageType type)
{
  return gst_bus_pop_filtered (bus, type);
}

GST_START_TEST (ssrc_of_the_keys_is_the_ssrc_of_the_packets)
{
  GstHarness *h = gst_harness_new ("rtpsframepay");
  g_autoptr (GstBus) bus = gst_bus_new ();
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  GstEvent *collision = gst_event_new_custom (
      GST_EVENT_CUSTOM_UPSTREAM, gst_structure_new ("GstRTPCollision", "ssrc",
                                     G_TYPE_UINT, 0xfeedbeefu, NULL));
  GstMessage *message;

  gst_element_set_bus (h->element, bus);
  gst_harness_set_src_caps_str (
      h, VP8_SFRAME ", sframe-ssrc=(uint)4276993775");
  fail_unless (gst_harness_push_upstream_event (h, collision));
  message = pop_message (bus, GST_MESSAGE_WARNING);
  fail_unless (message != NULL, "a collision is reported");
  gst_message_unref (message);

  gst_harness_push (h, gst_buffer_new_allocate (NULL, 20, NULL));
  g_autoptr (GstBuffer) packet = gst_harness_pull (h);
  fail_unless (gst_rtp_buffer_map (packet, GST_MAP_READ, &rtp));
  fail_unless_equals_int (gst_rtp_buffer_get_ssrc (&rtp), 0xfeedbeefu);
  gst_rtp_buffer_unmap (&rtp);
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (h->sinkpad);
  guint ssrc;
  fail_unless (gst_structure_get_uint (
      gst_caps_get_structure (caps, 0), "ssrc", &ssrc));
  fail_unless_equals_int (ssrc, 0xfeedbeefu);
  gst_element_set_bus (h->element, NULL);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (another_ssrc_than_that_of_the_keys_is_an_error_that_names_both)
{
  GstHarness *h = gst_harness_new ("rtpsframepay");
  g_autoptr (GstBus) bus = gst_bus_new ();
  g_autoptr (GError) error = NULL;

  gst_element_set_bus (h->element, bus);
  g_object_set (h->element, "ssrc", 1234u, NULL);
  gst_harness_set_src_caps_str (h, VP8_SFRAME ", sframe-ssrc=(uint)5678");
  GstMessage *message = pop_message (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (
      strstr (error->message, "1234") && strstr (error->message, "5678"), "%s",
      error->message);
  gst_message_unref (message);
  gst_element_set_bus (h->element, NULL);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (mtu_without_room_for_media_is_an_error)
{
  GstHarness *h = gst_harness_new ("rtpsframepay");
  g_autoptr (GstBus) bus = gst_bus_new ();
  GstCaps *caps = gst_caps_from_string (
      "application/x-sframe, original-media-type=(string)application/x-rtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)VP8");
  GstBuffer *unit = gst_rtp_buffer_new_allocate (10, 0, 15);

  gst_element_set_bus (h->element, bus);
  g_object_set (h->element, "mtu", 28, NULL);
  gst_harness_set_src_caps (h, caps);
  fail_unless_equals_int (gst_harness_push (h, unit), GST_FLOW_ERROR);
  GstMessage *message = pop_message (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_unref (message);
  gst_element_set_bus (h->element, NULL);
  gst_harness_teardown (h);
}
GST_END_TEST;

#define LEVEL_URI "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

GST_START_TEST (
    audio_level_travels_in_a_header_extension_within_the_mtu) /* RFC 6464 */
{
  GstRTPHeaderExtension *extension =
      gst_rtp_header_extension_create_from_uri (LEVEL_URI);
  GstHarness *pay = gst_harness_new ("rtpsframepay"),
             *depay = gst_harness_new ("rtpsframedepay");
  g_autoptr (GRand) rand = g_rand_new_with_seed (2);
  GstBuffer *frame = random_buffer (rand, 900);

  if (!extension) {
    g_printerr ("SKIP %s: no rtphdrextclientaudiolevel here\n", __func__);
    gst_buffer_unref (frame);
    gst_harness_teardown (pay);
    gst_harness_teardown (depay);
    return;
  }
  gst_rtp_header_extension_set_id (extension, 3);
  g_object_set (pay->element, "mtu", 200, NULL);
  g_signal_emit_by_name (pay->element, "add-extension", extension);
  gst_object_unref (extension);
  gst_harness_set_src_caps_str (pay, OPUS_SFRAME);
  gst_buffer_add_audio_level_meta (frame, 23, TRUE);
  fail_unless_equals_int (
      gst_harness_push (pay, gst_buffer_ref (frame)), GST_FLOW_OK);

  gst_harness_set_src_caps (depay, gst_pad_get_current_caps (pay->sinkpad));
  for (guint n = gst_harness_buffers_in_queue (pay); n > 0; n--) {
    GstBuffer *packet = gst_harness_pull (pay);
    GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
    gpointer data;
    guint size;
    fail_unless (gst_buffer_get_size (packet) <= 200);
    fail_unless (gst_rtp_buffer_map (packet, GST_MAP_READ, &rtp));
    fail_unless (gst_rtp_buffer_get_extension_onebyte_header (
        &rtp, 3, 0, &data, &size));
    fail_unless_equals_int (*(guint8 *) data, 0x80 | 23);
    gst_rtp_buffer_unmap (&rtp);
    gst_harness_push (depay, packet);
  }
  g_autoptr (GstBuffer) got = gst_harness_pull (depay);
  GstAudioLevelMeta *meta = gst_buffer_get_audio_level_meta (got);
  fail_unless (meta != NULL);
  fail_unless_equals_int (meta->level, 23);
  fail_unless_same_bytes (got, frame);
  gst_buffer_unref (frame);
  gst_harness_teardown (pay);
  gst_harness_teardown (depay);
}
GST_END_TEST;

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

static GstStructure *
source_caps (GstHarness *h)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (h->sinkpad);
  fail_unless (caps != NULL);
  return gst_structure_copy (gst_caps_get_structure (caps, 0));
}

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

/* --- Per-packet through both --- */

GST_START_TEST (packets_keep_what_the_codecs_payloader_wrote)
{
  GstHarness *h = gst_harness_new ("rtpsframepay");
  GstBuffer *unit = gst_rtp_buffer_new_allocate (400, 0, 2);
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  static const guint8 level = 0x99;

  g_object_set (h->element, "mtu", 200, NULL);
  gst_harness_set_src_caps_str (h,
      "application/x-sframe, original-media-type=(string)application/x-rtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)VP8, payload=(int)101, ssrc=(uint)4000000000, timestamp-offset=(uint)5, seqnum-offset=(uint)600, cipher-suite=(string)x");
  gst_rtp_buffer_map (unit, GST_MAP_WRITE, &rtp);
  gst_rtp_buffer_set_ssrc (&rtp, 4000000000u);
  gst_rtp_buffer_set_payload_type (&rtp, 101);
  gst_rtp_buffer_set_timestamp (&rtp, 987654321);
  gst_rtp_buffer_set_seq (&rtp, 600);
  gst_rtp_buffer_set_marker (&rtp, TRUE);
  gst_rtp_buffer_set_csrc (&rtp, 0, 11);
  gst_rtp_buffer_set_csrc (&rtp, 1, 22);
  gst_rtp_buffer_add_extension_onebyte_header (&rtp, 4, &level, 1);
  gst_rtp_buffer_unmap (&rtp);
  GST_BUFFER_PTS (unit) = GST_SECOND;
  fail_unless_equals_int (gst_harness_push (h, unit), GST_FLOW_OK);

  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 3);
  for (int i = 0; i < 3; i++) {
    g_autoptr (GstBuffer) packet = gst_harness_pull (h);
    gpointer data;
    guint size;
    fail_unless (gst_buffer_get_size (packet) <= 200);
    fail_unless (gst_rtp_buffer_map (packet, GST_MAP_READ, &rtp));
    fail_unless_equals_int (gst_rtp_buffer_get_ssrc (&rtp), 4000000000u);
    fail_unless_equals_int (gst_rtp_buffer_get_payload_type (&rtp), 101);
    fail_unless_equals_int (gst_rtp_buffer_get_timestamp (&rtp), 987654321);
    fail_unless_equals_int (gst_rtp_buffer_get_seq (&rtp), 600 + i);
    fail_unless_equals_int (gst_rtp_buffer_get_marker (&rtp), i == 2);
    fail_unless_equals_int (gst_rtp_buffer_get_csrc_count (&rtp), 2);
    fail_unless_equals_int (gst_rtp_buffer_get_csrc (&rtp, 1), 22);
    fail_unless (gst_rtp_buffer_get_extension_onebyte_header (
        &rtp, 4, 0, &data, &size));
    fail_unless_equals_int (*(guint8 *) data, level);
    fail_unless_equals_int (*(guint8 *) gst_rtp_buffer_get_payload (&rtp),
        T | (i == 0 ? S : 0) | (i == 2 ? E : 0));
    gst_rtp_buffer_unmap (&rtp);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (packet), GST_SECOND);
  }

  g_autoptr (GstStructure) caps = source_caps (h);
  guint ssrc;
  int pt;
  fail_unless (gst_structure_has_name (caps, "application/x-rtp"));
  fail_unless (
      gst_structure_get_uint (caps, "ssrc", &ssrc) && ssrc == 4000000000u);
  fail_unless (gst_structure_get_int (caps, "payload", &pt) && pt == 101);
  fail_unless_equals_string (gst_structure_get_string (caps, "a-sframe"), "");
  fail_if (gst_structure_has_field (caps, "cipher-suite"));
  fail_if (gst_structure_has_field (caps, "original-media-type"));
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (loss_in_front_of_the_payloader_stays_a_loss)
{
  GstHarness *h = gst_harness_new ("rtpsframepay");
  static const guint16 in[] = { 65530, 65531, 65535, 3 };
  guint16 base = 0;

  gst_harness_set_src_caps_str (h,
      "application/x-sframe, original-media-type=(string)application/x-rtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)VP8");
  for (gsize i = 0; i < G_N_ELEMENTS (in); i++) {
    GstBuffer *unit = gst_rtp_buffer_new_allocate (40, 0, 0);
    GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
    gst_rtp_buffer_map (unit, GST_MAP_WRITE, &rtp);
    gst_rtp_buffer_set_seq (&rtp, in[i]);
    gst_rtp_buffer_unmap (&rtp);
    gst_harness_push (h, unit);
    g_autoptr (GstBuffer) packet = gst_harness_pull (h);
    gst_rtp_buffer_map (packet, GST_MAP_READ, &rtp);
    if (i == 0)
      base = gst_rtp_buffer_get_seq (&rtp);
    fail_unless_equals_int ((guint16) (gst_rtp_buffer_get_seq (&rtp) - base),
        (guint16) (in[i] - in[0]));
    gst_rtp_buffer_unmap (&rtp);
  }
  gst_harness_teardown (h);
}
GST_END_TEST;

static Suite *
rtpsframe_suite (void)
{
  Suite *suite = suite_create ("rtpsframe");
  TCase *pay = tcase_create ("pay"), *depay = tcase_create ("depay"),
        *both = tcase_create ("both");

  suite_add_tcase (suite, pay);
  tcase_add_loop_test (pay, frame_is_cut_into_equal_full_packets_and_one_rest,
      0, G_N_ELEMENTS (mtus));
  tcase_add_loop_test (pay, payloader_says_what_the_rtp_caps_promise, 0, 6);
  tcase_add_test (pay, avc_is_refused_because_its_codec_data_would_be_lost);
  tcase_add_test (pay, empty_buffer_is_not_sent);
  tcase_add_test (pay, marker_of_audio_is_the_start_of_a_talkspurt);
  tcase_add_test (pay, flags_times_and_metas_go_with_the_packets);
  tcase_add_test (pay, ssrc_of_the_keys_is_the_ssrc_of_the_packets);
  tcase_add_test (
      pay, another_ssrc_than_that_of_the_keys_is_an_error_that_names_both);
  tcase_add_test (pay, mtu_without_room_for_media_is_an_error);
  tcase_add_test (pay, packets_keep_what_the_codecs_payloader_wrote);
  tcase_add_test (pay, loss_in_front_of_the_payloader_stays_a_loss);

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
  tcase_add_test (
      both, audio_level_travels_in_a_header_extension_within_the_mtu);
  return suite;
}

GST_CHECK_MAIN (rtpsframe);

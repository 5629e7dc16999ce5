/* rtpsframepay, packet by packet.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rtpsframeharness.h"

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
  const guint8 id = __i__ & 1 ? 20 : 3; /* above 14: a two-byte header */
  const gboolean late = __i__ & 2;      /* added when the caps are there */
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
  gst_rtp_header_extension_set_id (extension, id);
  g_object_set (pay->element, "mtu", 200, NULL);
  if (late) {
    gst_harness_set_src_caps_str (pay, OPUS_SFRAME);
    gst_harness_push (pay, random_buffer (rand, 10));
    gst_buffer_unref (gst_harness_pull (pay));
  }
  g_signal_emit_by_name (pay->element, "add-extension", extension);
  gst_object_unref (extension);
  if (!late)
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
    fail_unless (
        id > 14 ? gst_rtp_buffer_get_extension_twobytes_header (
            &rtp, NULL, id, 0, &data, &size)
                : gst_rtp_buffer_get_extension_onebyte_header (
                    &rtp, id, 0, &data, &size));
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
rtpsframepay_suite (void)
{
  Suite *suite = suite_create ("rtpsframepay");
  TCase *pay = tcase_create ("pay"), *both = tcase_create ("both");

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

  suite_add_tcase (suite, both);
  tcase_add_loop_test (
      both, audio_level_travels_in_a_header_extension_within_the_mtu, 0, 4);
  return suite;
}

GST_CHECK_MAIN (rtpsframepay)

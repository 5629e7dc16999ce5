/* rtpsframepay and rtpsframedepay in pipelines: real encoders, a real jitterbuffer, SDP, autoplugging.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/app/app.h>
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/rtp/rtp.h>
#include <gst/sdp/sdp.h>

#include "fakesframe.h"

static const guint mtus[] = { 200, 1200, 9000 };

static const struct
{
  const char *what;
  const char *factory; /* of the encoder */
  const char *source;
} encoders[] = {
  { "VP8", "vp8enc",
      "videotestsrc num-buffers=30 pattern=snow ! video/x-raw,width=320,height=240 ! vp8enc deadline=1" },
  { "VP9", "vp9enc",
      "videotestsrc num-buffers=15 pattern=snow ! video/x-raw,width=320,height=240 ! vp9enc deadline=1 cpu-used=8" },
  { "AV1", "av1enc",
      "videotestsrc num-buffers=12 ! video/x-raw,width=160,height=120 ! av1enc cpu-used=8 usage-profile=realtime" },
  { "H.264", "x264enc",
      "videotestsrc num-buffers=30 pattern=snow ! video/x-raw,width=320,height=240 ! x264enc tune=zerolatency speed-preset=ultrafast" },
  { "H.265", "x265enc",
      "videotestsrc num-buffers=20 ! video/x-raw,width=320,height=240 ! x265enc tune=zerolatency speed-preset=ultrafast" },
  { "Opus", "opusenc",
      "audiotestsrc num-buffers=50 wave=white-noise ! opusenc bitrate=256000" },
};

static gboolean
available (const char *factory)
{
  g_autoptr (GstElementFactory) found = gst_element_factory_find (factory);
  if (!found)
    g_printerr ("SKIP: no element %s here\n", factory);
  return found != NULL;
}

static GstPadProbeReturn
collect (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  g_ptr_array_add (
      user_data, gst_buffer_ref (GST_PAD_PROBE_INFO_BUFFER (info)));
  return GST_PAD_PROBE_OK;
}

/* The buffers that pass the sink pad of the element `name`. */
static GPtrArray *
collect_at (GstElement *pipeline, const char *name)
{
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (pipeline), name);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");
  GPtrArray *kept =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, collect, kept, NULL);
  return kept;
}

static GstElement *
launch (const char *line)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);

  fail_unless (pipeline != NULL && error == NULL, "%s: %s", line,
      error ? error->message : "");
  return pipeline;
}

static void
wait_for_eos (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered (
      bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);

  fail_unless (message != NULL, "no EOS");
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    GError *error;
    char *debug;
    gst_message_parse_error (message, &error, &debug);
    ck_abort_msg ("%s: %s", error->message, debug);
  }
  gst_message_unref (message);
}

static void
run_to_eos (GstElement *pipeline)
{
  fail_if (gst_element_set_state (pipeline, GST_STATE_PLAYING)
           == GST_STATE_CHANGE_FAILURE);
  wait_for_eos (pipeline);
}

static void
stop (GstElement *pipeline)
{
  fail_unless_equals_int (gst_element_set_state (pipeline, GST_STATE_NULL),
      GST_STATE_CHANGE_SUCCESS);
}

static gboolean
same_bytes (GstBuffer *a, GstBuffer *b)
{
  GstMapInfo map;
  gboolean same;

  gst_buffer_map (b, &map, GST_MAP_READ);
  same =
      gst_buffer_get_size (a) == map.size
      && (map.size == 0 || gst_buffer_memcmp (a, 0, map.data, map.size) == 0);
  gst_buffer_unmap (b, &map);
  return same;
}

static void
fail_unless_same_buffers (GPtrArray *got, GPtrArray *want)
{
  fail_unless (want->len > 0);
  fail_unless_equals_int (got->len, want->len);
  for (guint i = 0; i < want->len; i++)
    fail_unless (
        same_bytes (g_ptr_array_index (got, i), g_ptr_array_index (want, i)),
        "buffer %u differs", i);
}

GST_START_TEST (what_the_encoder_made_arrives_bit_for_bit)
{
  gsize codec = (gsize) __i__ / G_N_ELEMENTS (mtus);
  guint mtu = mtus[(gsize) __i__ % G_N_ELEMENTS (mtus)];
  g_autofree char *line = g_strdup_printf (
      "%s ! fakesframeenc name=enc ! rtpsframepay mtu=%u ! rtpsframedepay ! fakesframedec ! fakesink name=sink",
      encoders[codec].source, mtu);

  if (!available (encoders[codec].factory))
    return;
  g_autoptr (GstElement) pipeline = launch (line);
  g_autoptr (GPtrArray) sent = collect_at (pipeline, "enc");
  g_autoptr (GPtrArray) got = collect_at (pipeline, "sink");
  run_to_eos (pipeline);
  fail_unless_same_buffers (got, sent);
  stop (pipeline);
}
GST_END_TEST;

/* Per-packet, the codec's payloader decides about packets: with room for the overhead, and without. */
GST_START_TEST (packets_of_the_codecs_payloader_arrive_bit_for_bit)
{
  static const guint limits[][2] = { { 1160, 1200 }, { 1160, 300 },
    { 8000, 9000 } };
  g_autofree char *line = g_strdup_printf (
      "videotestsrc num-buffers=30 pattern=snow ! video/x-raw,width=320,height=240 ! "
      "vp8enc deadline=1 name=source ! identity name=in ! rtpvp8pay mtu=%u ! fakesframeenc ! "
      "rtpsframepay mtu=%u ! rtpsframedepay ! fakesframedec ! rtpvp8depay ! fakesink name=sink",
      limits[__i__][0], limits[__i__][1]);

  if (!available ("vp8enc") || !available ("rtpvp8pay"))
    return;
  g_autoptr (GstElement) pipeline = launch (line);
  g_autoptr (GPtrArray) sent = collect_at (pipeline, "in");
  g_autoptr (GPtrArray) got = collect_at (pipeline, "sink");
  run_to_eos (pipeline);
  fail_unless_same_buffers (got, sent);
  stop (pipeline);
}
GST_END_TEST;

/* --- With the real encryptor --- */

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* An SFrame of an empty frame is a header and a tag; per-ssrc-keys works only if the SSRC reaches both ends. */
GST_START_TEST (encrypted_frames_of_any_size_arrive_bit_for_bit)
{
  static const gsize sizes[] = { 0, 1, 100, 170, 171, 172, 1200, 70000,
    2 * 1024 * 1024 };
  guint mtu = mtus[(gsize) __i__ % G_N_ELEMENTS (mtus)];
  const char *enc = (gsize) __i__ < G_N_ELEMENTS (mtus)
                        ? ""
                        : "per-ssrc-keys=true ssrc=4000000000";
  const char *dec =
      (gsize) __i__ < G_N_ELEMENTS (mtus) ? "" : "per-ssrc-keys=true";
  g_autofree char *line = g_strdup_printf (
      "sframeenc kid=1 key=" KEY
      " %s ! rtpsframepay mtu=%u ! rtpsframedepay ! sframedec kid=1 key=" KEY
      " %s",
      enc, mtu, dec);

  if (!available ("sframeenc") || !available ("sframedec"))
    return;
  GstHarness *h = gst_harness_new_parse (line);
  gst_harness_set_src_caps_str (h, "video/x-vp9");
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (GstBuffer) frame =
        gst_buffer_new_allocate (NULL, sizes[i], NULL);
    gst_buffer_memset (frame, 0, (guint8) (0x30 + i), sizes[i]);
    GST_BUFFER_PTS (frame) = i * GST_SECOND;
    fail_unless_equals_int (
        gst_harness_push (h, gst_buffer_ref (frame)), GST_FLOW_OK);
    g_autoptr (GstBuffer) got = gst_harness_try_pull (h);
    fail_unless (
        got != NULL, "%" G_GSIZE_FORMAT " bytes did not arrive", sizes[i]);
    fail_unless (same_bytes (got, frame));
  }
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (encrypted_packets_of_the_codecs_payloader_arrive_bit_for_bit)
{
  guint mtu = __i__ ? 300 : 1200;
  g_autofree char *line = g_strdup_printf (
      "videotestsrc num-buffers=20 pattern=snow ! video/x-raw,width=320,height=240 ! "
      "vp8enc deadline=1 ! identity name=in ! rtpvp8pay mtu=1160 ! "
      "sframeenc kid=1 key=" KEY " ! rtpsframepay mtu=%u ! rtpsframedepay ! "
      "sframedec kid=1 key=" KEY " ! rtpvp8depay ! fakesink name=sink",
      mtu);

  if (!available ("sframeenc") || !available ("sframedec")
      || !available ("vp8enc") || !available ("rtpvp8pay"))
    return;
  g_autoptr (GstElement) pipeline = launch (line);
  g_autoptr (GPtrArray) sent = collect_at (pipeline, "in");
  g_autoptr (GPtrArray) got = collect_at (pipeline, "sink");
  run_to_eos (pipeline);
  fail_unless_same_buffers (got, sent);
  stop (pipeline);
}
GST_END_TEST;

/* --- Through a jitterbuffer --- */

static GstBuffer *
frame_of (GRand *rand, guint i)
{
  gsize size = (gsize) g_rand_int_range (rand, 8, 3000);
  guint8 *bytes = g_malloc (size);

  for (gsize k = 0; k < size; k++)
    bytes[k] = (guint8) g_rand_int (rand);
  GST_WRITE_UINT32_BE (bytes, i);
  GstBuffer *frame = gst_buffer_new_wrapped (bytes, size);
  GST_BUFFER_PTS (frame) = i * 33 * GST_MSECOND;
  return frame;
}

/* The packets of `n` frames, in order. */
static GPtrArray *
packets_of_frames (GRand *rand, guint n, GPtrArray *frames)
{
  GPtrArray *packets =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  GstHarness *h = gst_harness_new ("rtpsframepay");
  GstBuffer *packet;

  g_object_set (h->element, "mtu", 200, NULL);
  gst_harness_set_src_caps_str (
      h, "application/x-sframe, original-media-type=(string)video/x-vp8");
  for (guint i = 0; i < n; i++) {
    GstBuffer *frame = frame_of (rand, i);
    g_ptr_array_add (frames, gst_buffer_ref (frame));
    gst_harness_push (h, frame);
    while ((packet = gst_harness_try_pull (h)))
      g_ptr_array_add (packets, packet);
  }
  gst_harness_teardown (h);
  return packets;
}

/* Swaps neighbours, sends some twice, and loses some if `lossy`: the one in the middle at least, but none of the first
 * `safe` ones. */
static void
push_through_a_bad_network (GRand *rand, GPtrArray *packets, gboolean lossy,
    guint safe, GstAppSrc *src)
{
  guint middle = packets->len / 2;

  for (guint i = 1; i + 1 < packets->len; i += 2)
    if (g_rand_boolean (rand)) {
      gpointer swap = packets->pdata[i];
      packets->pdata[i] = packets->pdata[i + 1];
      packets->pdata[i + 1] = swap;
    }
  for (guint i = 0; i < packets->len; i++) {
    int dice = g_rand_int_range (rand, 0, 40);
    if (lossy && i >= safe && (dice == 0 || i == middle))
      continue;
    for (int copies = dice == 1 ? 2 : 1; copies > 0; copies--) {
      GstBuffer *packet = gst_buffer_copy (g_ptr_array_index (packets, i));
      GST_BUFFER_PTS (packet) = GST_BUFFER_DTS (packet) = GST_CLOCK_TIME_NONE;
      gst_app_src_push_buffer (src, packet);
    }
  }
  gst_app_src_end_of_stream (src);
}

/* Each of `got` is one of `frames`, in their order, and some are missing if and only if the network was `lossy`. */
static void
fail_unless_whole_frames (
    GPtrArray *got, GPtrArray *frames, gboolean lossy, guint32 seed)
{
  guint at = 0;

  for (guint i = 0; i < got->len; i++) {
    while (at < frames->len
           && !same_bytes (
               g_ptr_array_index (got, i), g_ptr_array_index (frames, at)))
      at++;
    fail_unless (at < frames->len,
        "seed %u: buffer %u is no frame that was sent, or out of order", seed,
        i);
    at++;
  }
  if (lossy)
    fail_unless (got->len > 0 && got->len < frames->len,
        "seed %u: %u of %u frames", seed, got->len, frames->len);
  else
    fail_unless_equals_int (got->len, frames->len);
}

GST_START_TEST (bad_network_and_jitterbuffer_give_whole_frames_or_nothing)
{
  gboolean lossy = __i__ % 2;
  guint32 seed = 40 + (guint32) __i__;
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  g_autoptr (GPtrArray) frames =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  g_autoptr (GPtrArray) packets = packets_of_frames (rand, 60, frames);

  if (!available ("rtpjitterbuffer"))
    return;
  g_autoptr (GstElement) pipeline = launch (
      "appsrc name=src is-live=true do-timestamp=true format=time max-bytes=0 "
      "caps=\"application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96,a-sframe=(string)\\\"\\\"\" ! "
      "rtpjitterbuffer latency=500 ! rtpsframedepay name=depay ! fakesink name=sink sync=false");
  g_autoptr (GstElement) src = gst_bin_get_by_name (GST_BIN (pipeline), "src");
  g_autoptr (GPtrArray) got = collect_at (pipeline, "sink");
  fail_if (gst_element_set_state (pipeline, GST_STATE_PLAYING)
           == GST_STATE_CHANGE_FAILURE);
  push_through_a_bad_network (rand, packets, lossy, 1, GST_APP_SRC (src));
  wait_for_eos (pipeline);
  fail_unless_whole_frames (got, frames, lossy, seed);
  stop (pipeline);
}
GST_END_TEST;

/* The packets that carry what an encoder made, encrypted, and their caps. */
static GPtrArray *
packets_of_the_encoder (
    const char *source, GPtrArray **frames, GstCaps **caps, guint *first)
{
  /* A payloader pushes lists, which identity takes apart. */
  g_autofree char *line = g_strdup_printf (
      "%s ! sframeenc name=enc kid=1 key=" KEY
      " ! rtpsframepay mtu=200 ! identity ! fakesink name=sink",
      source);
  g_autoptr (GstElement) pipeline = launch (line);
  g_autoptr (GstElement) sink =
      gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  GPtrArray *packets = collect_at (pipeline, "sink");

  *frames = collect_at (pipeline, "enc");
  run_to_eos (pipeline);
  *caps = gst_pad_get_current_caps (pad);
  stop (pipeline);
  for (*first = 1; *first < packets->len; ++*first)
    if (GST_BUFFER_PTS (g_ptr_array_index (packets, *first))
        != GST_BUFFER_PTS (g_ptr_array_index (packets, 0)))
      break;
  return packets;
}

/* The first frame is not lost, for VP8's has the size of all, and its encoder makes no second keyframe here. */
GST_START_TEST (what_the_encoder_made_outlives_a_bad_network)
{
  gsize codec = (gsize) __i__ / 2;
  gboolean lossy = __i__ % 2;
  guint32 seed = 80 + (guint32) __i__;
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  g_autoptr (GPtrArray) frames = NULL;
  g_autoptr (GstCaps) caps = NULL;
  guint safe;

  if (!available (encoders[codec].factory) || !available ("rtpjitterbuffer")
      || !available ("sframeenc") || !available ("sframedec"))
    return;
  g_autoptr (GPtrArray) packets =
      packets_of_the_encoder (encoders[codec].source, &frames, &caps, &safe);
  fail_unless (packets->len / 2 > safe, "%u packets", packets->len);
  g_autoptr (GstElement) pipeline = launch (
      "appsrc name=src is-live=true do-timestamp=true format=time max-bytes=0 ! "
      "rtpjitterbuffer latency=500 ! rtpsframedepay ! sframedec kid=1 key=" KEY
      " ! fakesink name=sink sync=false");
  g_autoptr (GstElement) src = gst_bin_get_by_name (GST_BIN (pipeline), "src");
  g_autoptr (GPtrArray) got = collect_at (pipeline, "sink");
  g_object_set (src, "caps", caps, NULL);
  fail_if (gst_element_set_state (pipeline, GST_STATE_PLAYING)
           == GST_STATE_CHANGE_FAILURE);
  push_through_a_bad_network (rand, packets, lossy, safe, GST_APP_SRC (src));
  wait_for_eos (pipeline);
  fail_unless_whole_frames (got, frames, lossy, seed);
  stop (pipeline);
}
GST_END_TEST;

/* --- States --- */

GST_START_TEST (second_run_of_a_pipeline_is_like_the_first)
{
  g_autoptr (GstElement) pipeline = launch (
      "audiotestsrc num-buffers=20 ! audio/x-raw,rate=8000,channels=1,format=S16BE ! fakesframeenc name=enc ! "
      "rtpsframepay mtu=300 ! rtpsframedepay name=depay ! fakesframedec ! fakesink name=sink");
  g_autoptr (GPtrArray) sent = collect_at (pipeline, "enc");
  g_autoptr (GPtrArray) got = collect_at (pipeline, "sink");

  for (guint run = 1; run <= 3; run++) {
    guint64 delivered;
    run_to_eos (pipeline);
    fail_unless_equals_int (sent->len, 20 * run);
    fail_unless_same_buffers (got, sent);
    g_autoptr (GstElement) depay =
        gst_bin_get_by_name (GST_BIN (pipeline), "depay");
    g_autoptr (GstStructure) stats = NULL;
    g_object_get (depay, "stats", &stats, NULL);
    fail_unless (
        gst_structure_get_uint64 (stats, "delivered-frames", &delivered));
    fail_unless_equals_uint64 (delivered, 20);
    stop (pipeline);
  }
}
GST_END_TEST;

/* --- Negotiation with the world --- */

GST_START_TEST (sdp_attribute_maps_to_caps_and_back)
{
  static const char sdp[] =
      "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
      "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=sframe\r\n"
      "m=audio 5002 RTP/AVP 97\r\na=rtpmap:97 opus/48000/2\r\na=sframe\r\n"
      "m=video 5004 RTP/AVP 98\r\na=rtpmap:98 VP8/90000\r\n";
  GstElement *depay = gst_element_factory_make ("rtpsframedepay", NULL);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (depay, "sink");
  GstSDPMessage *message;

  fail_unless_equals_int (
      gst_sdp_message_new_from_text (sdp, &message), GST_SDP_OK);
  for (guint i = 0; i < 3; i++) {
    const GstSDPMedia *media = gst_sdp_message_get_media (message, i);
    g_autoptr (GstCaps) caps =
        gst_sdp_media_get_caps_from_media (media, 96 + (int) i);
    gst_sdp_media_attributes_to_caps (media, caps);
    gst_structure_set_name (
        gst_caps_get_structure (caps, 0), "application/x-rtp");
    fail_unless (gst_pad_query_accept_caps (pad, caps) == (i < 2),
        "%" GST_PTR_FORMAT, caps);
  }
  gst_sdp_message_free (message);
  gst_object_unref (depay);

  GstHarness *h = gst_harness_new ("rtpsframepay");
  GstSDPMedia *media;
  gst_harness_set_src_caps_str (
      h, "application/x-sframe, original-media-type=(string)video/x-vp8");
  gst_harness_push (h, gst_buffer_new_allocate (NULL, 20, NULL));
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (h->sinkpad);
  gst_sdp_media_new (&media);
  fail_unless_equals_int (
      gst_sdp_media_set_media_from_caps (caps, media), GST_SDP_OK);
  g_autofree char *text = gst_sdp_media_as_text (media);
  fail_unless (strstr (text, "a=sframe"), "%s", text);
  fail_unless (strstr (text, "VP8/90000"), "%s", text);
  gst_sdp_media_free (media);
  gst_harness_teardown (h);
}
GST_END_TEST;

static char *
first_depayloader (const char *caps_text)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (caps_text);
  GList *all = gst_element_factory_list_get_elements (
      GST_ELEMENT_FACTORY_TYPE_DEPAYLOADER, GST_RANK_MARGINAL);
  GList *fits =
      gst_element_factory_list_filter (all, caps, GST_PAD_SINK, TRUE);
  char *name;

  fits = g_list_sort (fits, gst_plugin_feature_rank_compare_func);
  name = fits ? gst_object_get_name (fits->data) : NULL;
  gst_plugin_feature_list_free (fits);
  gst_plugin_feature_list_free (all);
  return name;
}

/* The stock depayloaders accept caps with a field more, so it is the rank that decides. */
GST_START_TEST (autoplugging_takes_this_depayloader_for_sframe_only)
{
  g_autofree char *sframe = first_depayloader (
      "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96,a-sframe=(string)\"\"");
  g_autofree char *plain = first_depayloader (
      "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96");

  fail_unless_equals_string (sframe, "rtpsframedepay");
  fail_unless (g_strcmp0 (plain, "rtpsframedepay") != 0);
}
GST_END_TEST;

/* udpsrc fixates its caps against what follows; a payload range there would become payload=0. */
GST_START_TEST (udpsrc_keeps_its_caps)
{
  if (!available ("udpsrc"))
    return;
  g_autoptr (GstElement) pipeline = launch (
      "udpsrc name=src address=127.0.0.1 port=0 "
      "caps=\"application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,a-sframe=(string)\\\"\\\"\" ! "
      "rtpsframedepay name=depay ! fakesink async=false");
  g_autoptr (GstElement) depay =
      gst_bin_get_by_name (GST_BIN (pipeline), "depay");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (depay, "sink");
  g_autoptr (GstCaps) allowed = gst_pad_get_allowed_caps (pad);

  fail_if (gst_caps_is_empty (allowed));
  fail_if (gst_structure_has_field (
      gst_caps_get_structure (allowed, 0), "payload"));
  stop (pipeline);
}
GST_END_TEST;

/* What an rtpsession downstream does, from the thread that brought the packet. */
static GstPadProbeReturn
collide (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  gst_pad_push_event (pad, gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
                               gst_structure_new ("GstRTPCollision", "ssrc",
                                   G_TYPE_UINT, 77u, NULL)));
  return GST_PAD_PROBE_REMOVE;
}

GST_START_TEST (rtp_collision_reaches_the_codecs_payloader)
{
  g_autoptr (GstElement) pipeline = launch (
      "audiotestsrc num-buffers=3 ! audio/x-raw,rate=8000,channels=1 ! rtpL16pay ssrc=77 ! "
      "fakesframeenc ! rtpsframepay ! rtpsframedepay ! fakesframedec ! fakesink name=sink");
  g_autoptr (GstElement) depay = NULL;
  g_autoptr (GPtrArray) got = collect_at (pipeline, "sink");
  GstIterator *it = gst_bin_iterate_all_by_element_factory_name (
      GST_BIN (pipeline), "rtpsframedepay");
  GValue item = G_VALUE_INIT;
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;

  fail_unless_equals_int (gst_iterator_next (it, &item), GST_ITERATOR_OK);
  depay = g_value_dup_object (&item);
  g_value_unset (&item);
  gst_iterator_free (it);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (depay, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, collide, NULL, NULL);
  run_to_eos (pipeline);
  fail_unless (got->len > 1);
  fail_unless (gst_rtp_buffer_map (
      g_ptr_array_index (got, got->len - 1), GST_MAP_READ, &rtp));
  fail_unless (gst_rtp_buffer_get_ssrc (&rtp) != 77);
  gst_rtp_buffer_unmap (&rtp);
  stop (pipeline);
}
GST_END_TEST;

static Suite *
rtpsframemedia_suite (void)
{
  Suite *suite = suite_create ("rtpsframemedia");
  TCase *media = tcase_create ("media");

  fake_sframe_register ();
  suite_add_tcase (suite, media);
  tcase_set_timeout (media, 120);
  tcase_add_loop_test (media, what_the_encoder_made_arrives_bit_for_bit, 0,
      (int) (G_N_ELEMENTS (encoders) * G_N_ELEMENTS (mtus)));
  tcase_add_loop_test (
      media, packets_of_the_codecs_payloader_arrive_bit_for_bit, 0, 3);
  tcase_add_loop_test (
      media, bad_network_and_jitterbuffer_give_whole_frames_or_nothing, 0, 6);
  tcase_add_loop_test (media, what_the_encoder_made_outlives_a_bad_network, 0,
      (int) (2 * G_N_ELEMENTS (encoders)));
  tcase_add_loop_test (media, encrypted_frames_of_any_size_arrive_bit_for_bit,
      0, (int) (2 * G_N_ELEMENTS (mtus)));
  tcase_add_loop_test (media,
      encrypted_packets_of_the_codecs_payloader_arrive_bit_for_bit, 0, 2);
  tcase_add_test (media, second_run_of_a_pipeline_is_like_the_first);
  tcase_add_test (media, sdp_attribute_maps_to_caps_and_back);
  tcase_add_test (media, autoplugging_takes_this_depayloader_for_sframe_only);
  tcase_add_test (media, udpsrc_keeps_its_caps);
  tcase_add_test (media, rtp_collision_reaches_the_codecs_payloader);
  return suite;
}

GST_CHECK_MAIN (rtpsframemedia);

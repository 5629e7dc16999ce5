/* For tests of rtpsframepay and rtpsframedepay.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

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

static inline GstBuffer *
random_buffer (GRand *rand, gsize size)
{
  guint8 *bytes = g_malloc (size + 4);

  for (gsize i = 0; i < size; i += 4)
    GST_WRITE_UINT32_LE (bytes + i, g_rand_int (rand));
  return gst_buffer_new_wrapped_full (
      0, bytes, size + 4, 0, size, bytes, g_free);
}

static inline void
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

static inline GstBuffer *
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

static inline GstHarness *
depay_harness (const char *caps)
{
  GstHarness *h = gst_harness_new ("rtpsframedepay");
  g_object_set (h->element, "keyframe-interval", G_GUINT64_CONSTANT (0), NULL);
  gst_harness_set_src_caps_str (h, caps);
  return h;
}

static inline guint64
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

static inline void
fail_unless_stats_add_up (GstHarness *h)
{
  guint64 sum =
      stat_of (h, "delivered-packets") + stat_of (h, "pending-packets");

  for (gsize i = 0; i < G_N_ELEMENTS (reasons); i++)
    sum += stat_of (h, reasons[i]);
  fail_unless_equals_uint64 (sum, stat_of (h, "received-packets"));
}

static inline guint
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

static inline GstMessage *
pop_message (GstBus *bus, GstMessageType type)
{
  return gst_bus_pop_filtered (bus, type);
}

static inline GstStructure *
source_caps (GstHarness *h)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (h->sinkpad);
  fail_unless (caps != NULL);
  return gst_structure_copy (gst_caps_get_structure (caps, 0));
}

/* Harnesses, packets and messages for the tests of srtpprotect and srtpunprotect.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

#include "ext/sodium/secret.h"
#include "srtp-packets.h"
#include "srtp-raw.h"

#define SSRC 0x01020304u
#define PAYLOAD 100
#define RTP_CAPS                                                              \
  "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96,ssrc=(uint)16909060"
#define SRTP_CAPS                                                             \
  "application/x-srtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96,ssrc=(uint)16909060"

/* Key number `n`: 44 bytes, as text and as bytes. */
static inline const gchar *
key_text (guint n)
{
  static gchar text[4][89];
  for (guint i = 0; i < 44; i++)
    g_snprintf (text[n] + 2 * i, 3, "%02x", (n * 57 + i * 5 + 1) & 0xff);
  return text[n];
}

static inline const guint8 *
key_data (guint n)
{
  static guint8 data[4][64];
  for (guint i = 0; i < 44; i++)
    data[n][i] = (guint8) (n * 57 + i * 5 + 1);
  return data[n];
}

static inline GBytes *
key_bytes (guint n)
{
  return g_bytes_new (key_data (n), 44);
}

static inline srtp_t
raw_of (SrtpDirection direction, guint key)
{
  SrtpConfig config;
  srtp_config_init (&config, direction);
  return raw_new (&config, key_data (key));
}

static inline GstBuffer *
rtp_buffer (guint16 seq)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 12 + PAYLOAD, NULL);
  GstMapInfo map;
  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  make_rtp (map.data, map.size, SSRC, seq, 0, -1, PAYLOAD);
  gst_buffer_unmap (buffer, &map);
  GST_BUFFER_PTS (buffer) = seq * GST_MSECOND;
  return buffer;
}

static inline GstBuffer *
rtcp_buffer (void)
{
  guint8 bytes[256];
  gsize len = make_rtcp (bytes, sizeof bytes, SSRC, 2);
  return gst_buffer_new_memdup (bytes, len);
}

/* What libsrtp2 makes of it. */
static inline GstBuffer *
srtp_buffer (srtp_t raw, guint16 seq)
{
  guint8 bytes[512];
  int len = (int) make_rtp (bytes, sizeof bytes, SSRC, seq, 0, -1, PAYLOAD);
  fail_unless_equals_int (srtp_protect (raw, bytes, &len), 0);
  return gst_buffer_new_memdup (bytes, (gsize) len);
}

static inline GstBuffer *
srtcp_buffer (srtp_t raw)
{
  guint8 bytes[512];
  int len = (int) make_rtcp (bytes, sizeof bytes, SSRC, 2);
  fail_unless_equals_int (srtp_protect_rtcp (raw, bytes, &len), 0);
  return gst_buffer_new_memdup (bytes, (gsize) len);
}

/* libsrtp2 reads it, and it is the RTP packet of this sequence number. */
static inline void
check_srtp (srtp_t raw, GstBuffer *buffer, guint16 seq)
{
  guint8 want[512], bytes[1024];
  gsize want_len = make_rtp (want, sizeof want, SSRC, seq, 0, -1, PAYLOAD);
  int len = (int) gst_buffer_extract (buffer, 0, bytes, sizeof bytes);
  fail_unless_equals_int (srtp_unprotect (raw, bytes, &len), 0);
  fail_unless_equals_uint64 ((guint64) len, want_len);
  fail_unless (memcmp (bytes, want, want_len) == 0);
}

static inline void
check_rtp (GstBuffer *buffer, guint16 seq)
{
  guint8 want[512];
  gsize want_len = make_rtp (want, sizeof want, SSRC, seq, 0, -1, PAYLOAD);
  gst_check_buffer_data (buffer, want, want_len);
}

/* A packet of this SSRC, protected by libsrtp2. */
static inline GstBuffer *
srtp_buffer_of (srtp_t raw, guint32 ssrc, guint16 seq)
{
  guint8 bytes[512];
  int len = (int) make_rtp (bytes, sizeof bytes, ssrc, seq, 0, -1, PAYLOAD);
  fail_unless_equals_int (srtp_protect (raw, bytes, &len), 0);
  return gst_buffer_new_memdup (bytes, (gsize) len);
}

static inline GstBuffer *
rtp_buffer_of (guint32 ssrc, guint16 seq)
{
  guint8 bytes[512];
  gsize len = make_rtp (bytes, sizeof bytes, ssrc, seq, 0, -1, PAYLOAD);
  return gst_buffer_new_memdup (bytes, len);
}

/* Pushes it, and tells whether anything came out. */
static inline gboolean
passes (GstHarness *h, GstBuffer *buffer)
{
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
  GstBuffer *out = gst_harness_try_pull (h);
  gboolean any = out != NULL;
  gst_clear_buffer (&out);
  return any;
}

static inline guint64
stat_of (GstElement *element, const gchar *name)
{
  GstStructure *stats;
  guint64 value = G_MAXUINT64;
  g_object_get (element, "stats", &stats, NULL);
  fail_unless (
      gst_structure_get_uint64 (stats, name, &value), "no %s in stats", name);
  gst_structure_free (stats);
  return value;
}

/* What came in is accounted for. */
static inline void
check_sum (GstElement *element, guint64 received)
{
  static const gchar *const names[] = { "malformed", "auth-failed", "replayed",
    "too-old", "no-key", "too-many-ssrcs", "key-spent", "failed" };
  gboolean protects =
      g_str_has_prefix (G_OBJECT_TYPE_NAME (element), "ConclaveSrtpProtect");
  guint64 sum = stat_of (element, protects ? "protected" : "delivered");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    sum += stat_of (element, names[i]);
  fail_unless_equals_uint64 (sum, received);
}

static inline GstHarness *
protect_harness (guint key)
{
  GstElement *element = gst_element_factory_make ("srtpprotect", NULL);
  g_object_set (element, "key", key_text (key), NULL);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink_0", "rtp_src_0");
  gst_harness_set_src_caps_str (h, RTP_CAPS);
  gst_object_unref (element);
  return h;
}

static inline GstHarness *
unprotect_harness (guint key)
{
  GstElement *element = gst_element_factory_make ("srtpunprotect", NULL);
  g_object_set (element, "key", key_text (key), NULL);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink", "rtp_src");
  gst_harness_set_src_caps_str (h, SRTP_CAPS);
  gst_object_unref (element);
  return h;
}

static inline GstBus *
watch_bus (GstElement *element)
{
  GstBus *bus = gst_bus_new ();
  gst_element_set_bus (element, bus);
  return bus;
}

static inline void
drop_bus (GstElement *element, GstBus *bus)
{
  gst_element_set_bus (element, NULL);
  gst_object_unref (bus);
}

/* The text of the next message of this type; fails without one. */
static inline gchar *
message_text (GstBus *bus, GstMessageType type)
{
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, type);
  g_autoptr (GError) error = NULL;
  fail_unless (message != NULL, "no message");
  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  return g_strdup (error->message);
}

static inline void
fail_unless_says (GstBus *bus, GstMessageType type, const gchar *part)
{
  g_autofree gchar *text = message_text (bus, type);
  fail_unless (
      strstr (text, part) != NULL, "\"%s\" does not say \"%s\"", text, part);
}

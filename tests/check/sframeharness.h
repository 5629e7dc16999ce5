/* For tests of sframeenc and sframedec.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include "ext/sodium/sframe.h"

#define KEY_A                                                                 \
  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B                                                                 \
  "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeffe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
#define OPUS "audio/x-opus,rate=48000,channels=2,channel-mapping-family=0"
#define VP8 "video/x-vp8,width=320,height=240"
#define SFRAME_OF_OPUS                                                        \
  "application/x-sframe,original-media-type=(string)audio/x-opus"
#define SFRAME_OF_VP8                                                         \
  "application/x-sframe,original-media-type=(string)video/x-vp8,width=320,height=240"

static inline GBytes *
key_bytes (const char *hex)
{
  gsize len = strlen (hex) / 2;
  guint8 *bytes = g_malloc (len);
  for (gsize i = 0; i < len; i++)
    bytes[i] = (guint8) (g_ascii_xdigit_value (hex[2 * i]) << 4
                         | g_ascii_xdigit_value (hex[2 * i + 1]));
  return g_bytes_new_take (bytes, len);
}

/* The decoder of the harness, or else its encoder. Not a new reference. */
static inline GstElement *
ours (GstHarness *h)
{
  g_autoptr (GstElement) element = gst_harness_find_element (h, "sframedec");
  if (!element)
    element = gst_harness_find_element (h, "sframeenc");
  return element;
}

static inline void
set_key (GstHarness *h, guint64 kid, const char *hex)
{
  g_autoptr (GBytes) key = key_bytes (hex);
  g_signal_emit_by_name (ours (h), "set-key", kid, key);
}

/* A harness around a launch line, with a bus to look at and caps set. */
static inline GstHarness *
open_harness (const char *line, const char *caps)
{
  GstHarness *h = gst_harness_new_parse (line);
  GstBus *bus = gst_bus_new ();
  gst_element_set_bus (h->element, bus);
  gst_object_unref (bus);
  if (caps)
    gst_harness_set_src_caps_str (h, caps);
  return h;
}

static inline void
close_harness (GstHarness *h)
{
  gst_element_set_bus (h->element, NULL);
  gst_harness_teardown (h);
}

/* How many messages of a type are on the bus; they are taken off. The last one's text to `text` if not NULL. */
static inline guint
count_messages (GstHarness *h, GstMessageType type, gchar **text)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (h->element);
  GstMessage *message;
  guint n = 0;

  while ((message = gst_bus_pop_filtered (bus, type))) {
    g_autoptr (GError) error = NULL;
    if (type == GST_MESSAGE_ERROR)
      gst_message_parse_error (message, &error, NULL);
    else if (type == GST_MESSAGE_WARNING)
      gst_message_parse_warning (message, &error, NULL);
    if (text && error) {
      g_free (*text);
      *text = g_strdup (error->message);
    }
    gst_message_unref (message);
    n++;
  }
  return n;
}

/* A counter of the element's `stats`. */
static inline guint64
stat_of (GstHarness *h, const char *name)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = G_MAXUINT64;

  g_object_get (ours (h), "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, name, &value),
      "no \"%s\" in stats", name);
  return value;
}

/* What goes in is what comes out, waits, or was dropped under one name. */
static inline void
check_stats_add_up (GstHarness *h)
{
  static const char *const fates[] = { "decrypted", "pending", "truncated",
    "not-minimal", "unknown-kid", "unauthenticated", "replayed",
    "too-many-streams", "malformed", "wrong-sender", "waiting-keyframe",
    "flushed", "no-memory" };
  guint64 sum = 0;
  for (guint i = 0; i < G_N_ELEMENTS (fates); i++)
    sum += stat_of (h, fates[i]);
  fail_unless_equals_uint64 (stat_of (h, "received"), sum);
}

static inline GstBuffer *
frame_of (gsize size, guint8 fill)
{
  GstBuffer *frame = gst_buffer_new_allocate (NULL, size, NULL);
  for (gsize i = 0; i < size; i += 4096)
    gst_buffer_memset (frame, i, (guint8) (fill + i / 4096), 4096);
  return frame;
}

static inline GBytes *
bytes_of (GstBuffer *buffer)
{
  gsize size = gst_buffer_get_size (buffer);
  guint8 *data = g_malloc (size + 1);
  gst_buffer_extract (buffer, 0, data, size);
  return g_bytes_new_take (data, size);
}

static inline void
fail_unless_same_bytes (GstBuffer *a, GstBuffer *b)
{
  g_autoptr (GBytes) x = bytes_of (a), y = bytes_of (b);
  fail_unless (g_bytes_equal (x, y), "%zu and %zu bytes differ",
      g_bytes_get_size (x), g_bytes_get_size (y));
}

static inline SFrameHeader
header_of (GstBuffer *sframe)
{
  g_autoptr (GBytes) bytes = bytes_of (sframe);
  Reader in =
      reader_init (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  SFrameHeader header;
  fail_unless_equals_int (sframe_header_parse (&in, &header), SFRAME_OK);
  return header;
}

/* Pushes and pulls one. */
static inline GstBuffer *
through (GstHarness *h, GstBuffer *in)
{
  fail_unless_equals_int (gst_harness_push (h, in), GST_FLOW_OK);
  return gst_harness_try_pull (h);
}

/* A copy with one byte changed by `mask`. */
static inline GstBuffer *
flipped (GstBuffer *buffer, gsize at, guint8 mask)
{
  GstBuffer *copy = gst_buffer_copy_deep (buffer);
  GstMapInfo map;
  gst_buffer_map (copy, &map, GST_MAP_READWRITE);
  map.data[at] ^= mask;
  gst_buffer_unmap (copy, &map);
  return copy;
}

/* A copy of the first `size` bytes. */
static inline GstBuffer *
cut (GstBuffer *buffer, gsize size)
{
  return gst_buffer_copy_region (
      buffer, GST_BUFFER_COPY_ALL | GST_BUFFER_COPY_DEEP, 0, size);
}

/* ---- For the decoder ---- */

/* An encoder of the tests: frames of a KID under key A, counters from 0. */
static inline GstHarness *
open_sender (const char *more)
{
  g_autofree char *line =
      g_strdup_printf ("sframeenc initial-counter=0 %s", more);
  return open_harness (line, OPUS);
}

static inline GstBuffer *
next_sframe (GstHarness *sender)
{
  GstBuffer *sframe = through (sender, frame_of (100, 3));
  fail_unless (sframe != NULL);
  return sframe;
}

/* A frame that must be dropped under `fate`, the pipeline going on. */
static inline void
drops (GstHarness *h, GstBuffer *sframe, const char *fate)
{
  guint64 before = stat_of (h, fate);
  g_autoptr (GstBuffer) out = through (h, sframe);
  fail_unless (out == NULL, "a frame came out that should be %s", fate);
  fail_unless (stat_of (h, fate) == before + 1, "not counted as %s", fate);
}

static inline void
delivers (GstHarness *h, GstBuffer *sframe)
{
  g_autoptr (GstBuffer) out = through (h, sframe);
  fail_unless (out != NULL);
  fail_unless_equals_uint64 (gst_buffer_get_size (out), 100);
}

static inline guint
count_keyframe_requests (GstHarness *h)
{
  guint n = 0;
  GstEvent *event;
  while ((event = gst_harness_try_pull_upstream_event (h))) {
    n += gst_video_event_is_force_key_unit (event);
    gst_event_unref (event);
  }
  return n;
}

/* A sequence of packets from the network into rtpsframedepay.
 *
 * The input: two bytes of settings, then packets, each with its length in two bytes in front. Whatever comes, the
 * element answers GST_FLOW_OK, and every packet is accounted for.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/check/gstharness.h>
#include <gst/gst.h>

#include "ext/sodium/reader.h"
#include "gst/rtpsframe/rtpsframe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const char *const formats[] = {
  "application/x-rtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)VP8, a-sframe=(string)\"\"",
  "application/x-rtp, media=(string)audio, clock-rate=(int)48000, encoding-name=(string)OPUS, a-sframe=(string)\"\"",
  "application/x-rtp, media=(string)audio, clock-rate=(int)44100, encoding-name=(string)L16, a-sframe=(string)\"\", encoding-params=(string)2",
  "application/x-rtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)H264, a-sframe=(string)\"\"",
};

/* The elements are linked into this program: no plugin is loaded, so nothing but they can be at fault. */
static void
start (void)
{
  g_setenv ("GST_REGISTRY_DISABLE", "yes", TRUE);
  g_setenv ("GST_REGISTRY_UPDATE", "no", TRUE);
  gst_init (NULL, NULL);
  if (!GST_ELEMENT_REGISTER (rtpsframedepay, NULL))
    abort ();
}

static gboolean
add (GQuark id, const GValue *value, gpointer user_data)
{
  static const char *const beside[] = { "received-packets", "lost-packets",
    "reserved-bits", "delivered-frames", "dropped-frames", "keyframe-requests",
    NULL };
  if (!g_strv_contains (beside, g_quark_to_string (id)))
    *(guint64 *) user_data += g_value_get_uint64 (value);
  return TRUE;
}

static void
check_stats (GstElement *element, guint64 packets, guint64 frames)
{
  GstStructure *stats;
  guint64 received = 0, delivered = 0, sum = 0;

  g_object_get (element, "stats", &stats, NULL);
  gst_structure_get (stats, "received-packets", G_TYPE_UINT64, &received,
      "delivered-frames", G_TYPE_UINT64, &delivered, NULL);
  gst_structure_foreach (stats, add, &sum);
  gst_structure_free (stats);
  if (received != packets || sum != packets || delivered != frames)
    abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Reader in = reader_init (data, size);
  guint64 packets = 0, frames = 0;
  GstBuffer *out;
  static gboolean started;

  if (!started)
    start ();
  started = TRUE;

  GstElement *element = gst_element_factory_make ("rtpsframedepay", NULL);
  GstHarness *h = gst_harness_new_with_element (element, "sink", "src");
  guint8 format = (guint8) reader_uint (&in, 1);
  g_object_set (element, "keyframe-interval", G_GUINT64_CONSTANT (0),
      "max-frame-size", (guint) (1 + 16 * reader_uint (&in, 1)), "source-info",
      (format & 4) != 0, NULL);
  gst_harness_set_src_caps_str (h, formats[format & 3]);

  while (reader_left (&in) >= 2) {
    size_t len = (size_t) reader_uint (&in, 2);
    if (len > reader_left (&in))
      len = reader_left (&in);
    guint8 *exact = g_memdup2 (reader_take (&in, len), len);
    GstBuffer *packet =
        exact ? gst_buffer_new_wrapped (exact, len) : gst_buffer_new ();
    if (gst_harness_push (h, packet) != GST_FLOW_OK)
      abort ();
    packets++;
    while ((out = gst_harness_try_pull (h))) {
      frames++;
      if (gst_buffer_get_size (out) == 0)
        abort ();
      gst_buffer_unref (out);
    }
  }
  check_stats (element, packets, frames);
  gst_harness_push_event (h, gst_event_new_eos ());
  check_stats (element, packets, frames);
  gst_harness_teardown (h);
  gst_object_unref (element);
  return 0;
}

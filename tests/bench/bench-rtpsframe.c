/* ns of CPU per frame of rtpsframepay and rtpsframedepay, beside GStreamer's own rtpgstpay and rtpgstdepay, which carry
 * any frame too, and beside the bare push
 * of a buffer through a pad.
 *
 * The depayloaders get the packets of the payloader in front of them; the source's time is not counted.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "bench.h"
#include "chain.h"

#define RUNS 7
#define MTU 1200

static void
open_chain (Chain *chain, const char *factory, GstCaps *caps)
{
  *chain = (Chain){ NULL };
  if (factory
      && g_object_class_find_property (
          G_OBJECT_GET_CLASS (chain_make (chain, factory)), "mtu"))
    g_object_set (chain->element, "mtu", MTU, NULL);
  chain_open (chain, caps);
}

static GPtrArray *
make_frames (gsize size, guint n)
{
  GPtrArray *frames =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);

  for (guint i = 0; i < n; i++) {
    GstBuffer *frame = chain_frame (size);
    GST_BUFFER_PTS (frame) = i * GST_MSECOND;
    g_ptr_array_add (frames, frame);
  }
  return frames;
}

/* The buffers that come out of `factory` for `in`, and their caps. */
static GPtrArray *
convert (const char *factory, GPtrArray *in, const char *in_caps,
    GstCaps **out_caps)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (in_caps);
  GPtrArray *out =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  Chain chain;

  open_chain (&chain, factory, caps);
  chain_kept = out;
  for (guint i = 0; i < in->len; i++)
    gst_pad_push (chain.src, gst_buffer_ref (g_ptr_array_index (in, i)));
  chain_kept = NULL;
  *out_caps = gst_pad_get_current_caps (chain.sink);
  chain_close (&chain);
  return out;
}

/* ns per frame, of one run over all buffers. */
static double
run (const char *factory, GPtrArray *in, GstCaps *caps, guint frames)
{
  double start, end;
  Chain chain;

  open_chain (&chain, factory, caps);
  for (guint i = 0; i < in->len; i++)
    gst_buffer_ref (g_ptr_array_index (in, i));
  start = bench_cpu_ns ();
  for (guint i = 0; i < in->len; i++)
    gst_pad_push (chain.src, g_ptr_array_index (in, i));
  end = bench_cpu_ns ();
  chain_close (&chain);
  return (end - start) / frames;
}

enum
{
  PUSH,
  PAY,
  GST_PAY,
  PUSH_PACKETS,
  DEPAY,
  GST_DEPAY,
  N
};

static const char *const what[N] = { "bare push of the frame", "rtpsframepay",
  "rtpgstpay", "bare push of its packets", "rtpsframedepay", "rtpgstdepay" };
static const char *const factories[N] = { NULL, "rtpsframepay", "rtpgstpay",
  NULL, "rtpsframedepay", "rtpgstdepay" };

static void
compare (gsize size)
{
  guint n = size >= 100000 ? 300 : 5000;
  const char *sframe =
      "application/x-sframe, original-media-type=(string)video/x-vp8";
  g_autoptr (GPtrArray) frames = make_frames (size, n);
  GPtrArray *in[N] = { frames, frames, frames };
  GstCaps *caps[N] = { gst_caps_from_string (sframe),
    gst_caps_from_string (sframe), gst_caps_from_string ("video/x-vp8") };
  double values[N][RUNS], median[N];

  in[PUSH_PACKETS] =
      convert ("rtpsframepay", frames, sframe, &caps[PUSH_PACKETS]);
  in[DEPAY] = in[PUSH_PACKETS];
  caps[DEPAY] = gst_caps_ref (caps[PUSH_PACKETS]);
  in[GST_DEPAY] =
      convert ("rtpgstpay", frames, "video/x-vp8", &caps[GST_DEPAY]);

  for (int r = 0; r < RUNS; r++)
    for (int i = 0; i < N; i++)
      values[i][r] = run (factories[i], in[i], caps[i], n);
  printf ("%" G_GSIZE_FORMAT " bytes, MTU %d\n", size, MTU);
  for (int i = 0; i < N; i++) {
    median[i] = bench_median (values[i], RUNS);
    int floor = i < PUSH_PACKETS ? PUSH : PUSH_PACKETS,
        stock = i < PUSH_PACKETS ? GST_PAY : GST_DEPAY;
    printf ("  %-26s %9.0f ns/frame  %6.2f x push", what[i], median[i],
        median[i] / median[floor]);
    if (i == PAY || i == DEPAY) {
      qsort (values[stock], RUNS, sizeof (double), bench_compare);
      printf (
          "  %5.2f x %s", median[i] / values[stock][RUNS / 2], what[stock]);
    }
    printf ("\n");
  }
  for (int i = 0; i < N; i++)
    gst_caps_unref (caps[i]);
  g_ptr_array_unref (in[PUSH_PACKETS]);
  g_ptr_array_unref (in[GST_DEPAY]);
}

int
main (int argc, char **argv)
{
  static const gsize sizes[] = { 200, 1200, 10000, 100000 };

  gst_init (&argc, &argv);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    compare (sizes[i]);
  return 0;
}

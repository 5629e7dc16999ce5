/* ns of CPU per frame of sframeenc and sframedec, beside the bare AEAD call and beside their floor: in one loop an AEAD
 * call into a new pooled buffer that gets the input's metadata and is pushed through a pad.
 *
 * Also counts heap allocations per frame in steady state.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "chain.h"
#include "ext/sodium/aead.h"
#include "ext/sodium/sframe.h"

#define RUNS 7

/* --- Allocations: malloc and its kin, counted on their way to libc --- */

static _Thread_local size_t n_allocations;

extern void *__libc_malloc (size_t);
extern void *__libc_calloc (size_t, size_t);
extern void *__libc_realloc (void *, size_t);
void *malloc (size_t size);
void *calloc (size_t n, size_t size);
void *realloc (void *p, size_t size);

void *
malloc (size_t size)
{
  n_allocations++;
  return __libc_malloc (size);
}

void *
calloc (size_t n, size_t size)
{
  n_allocations++;
  return __libc_calloc (n, size);
}

void *
realloc (void *p, size_t size)
{
  n_allocations++;
  return __libc_realloc (p, size);
}

static void
open_chain (Chain *chain, const char *factory, const char *caps_text)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (caps_text);

  *chain = (Chain){ NULL };
  if (factory)
    g_object_set (chain_make (chain, factory), "key",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        NULL);
  chain_open (chain, caps);
}

/* --- What is measured --- */

static double
bench_aead (gboolean seal, gsize size, guint n)
{
  guint8 key[32] = { 1 }, nonce[12] = { 0 }, aad[2] = { 0 };
  Aead *aead = aead_new (AEAD_AES_256_GCM, key, 16);
  g_autofree guint8 *in = g_malloc0 (size + 16), *out = g_malloc0 (size + 16);

  aead_seal (aead, nonce, aad, sizeof aad, out, size, in);
  double start = bench_cpu_ns ();
  for (guint i = 0; i < n; i++) {
    if (seal)
      aead_seal (aead, nonce, aad, sizeof aad, in, size, out);
    else
      aead_open (aead, nonce, aad, sizeof aad, in, size + 16, out);
  }
  double ns = (bench_cpu_ns () - start) / n;
  aead_free (aead);
  return ns;
}

/* The least that an element could do. */
static double
bench_floor (gboolean seal, gsize size, guint n)
{
  guint8 key[32] = { 1 }, nonce[12] = { 0 }, aad[10] = { 0 };
  Aead *aead = aead_new (AEAD_AES_256_GCM, key, 16);
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  Chain chain;

  gst_buffer_pool_config_set_params (config, NULL, (guint) size + 64, 0, 0);
  gst_buffer_pool_set_config (pool, config);
  gst_buffer_pool_set_active (pool, TRUE);
  open_chain (&chain, NULL, "application/x-sframe");

  GstBuffer *frame = chain_frame (seal ? size : size + 16);
  if (!seal) {
    GstMapInfo map;
    gst_buffer_map (frame, &map, GST_MAP_READWRITE);
    aead_seal (aead, nonce, aad, sizeof aad, map.data, size, map.data);
    gst_buffer_unmap (frame, &map);
  }
  double start = bench_cpu_ns ();
  for (guint i = 0; i < n; i++) {
    GstBuffer *in = gst_buffer_ref (frame), *out;
    GstMapInfo from, to;
    gst_buffer_pool_acquire_buffer (pool, &out, NULL);
    gst_buffer_set_size (out, (gssize) (size + (seal ? 26 : 0)));
    gst_buffer_map (in, &from, GST_MAP_READ);
    gst_buffer_map (out, &to, GST_MAP_WRITE);
    if (seal)
      aead_seal (aead, nonce, aad, sizeof aad, from.data, size, to.data + 10);
    else
      aead_open (aead, nonce, aad, sizeof aad, from.data, size + 16, to.data);
    gst_buffer_unmap (in, &from);
    gst_buffer_unmap (out, &to);
    gst_buffer_copy_into (out, in, GST_BUFFER_COPY_METADATA, 0, (gsize) -1);
    gst_buffer_unref (in);
    gst_pad_push (chain.src, out);
  }
  double ns = (bench_cpu_ns () - start) / n;

  gst_buffer_unref (frame);
  chain_close (&chain);
  gst_buffer_pool_set_active (pool, FALSE);
  gst_object_unref (pool);
  aead_free (aead);
  return ns;
}

static double
bench_enc (gsize size, guint n, double *allocations)
{
  Chain chain;
  open_chain (&chain, "sframeenc", "video/x-vp8");
  GstBuffer *frame = chain_frame (size);

  for (guint i = 0; i < 100; i++)
    gst_pad_push (chain.src, gst_buffer_ref (frame));
  size_t before = n_allocations;
  double start = bench_cpu_ns ();
  for (guint i = 0; i < n; i++)
    gst_pad_push (chain.src, gst_buffer_ref (frame));
  double ns = (bench_cpu_ns () - start) / n;
  *allocations = (double) (n_allocations - before) / n;

  gst_buffer_unref (frame);
  chain_close (&chain);
  return ns;
}

/* A decoder takes each frame once, so frames are encrypted in batches, small enough to stay in the cache as the floor's
 * frame does, and only their decryption is timed. The batch is freed outside, as the floor's frame is. */
#define MAX_BATCH 256

static double
bench_dec (gsize size, guint n, double *allocations)
{
  Chain enc, dec;
  g_autoptr (GPtrArray) frames =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  GstBuffer *frame = chain_frame (size);
  double ns = 0;
  size_t counted = 0;

  open_chain (&enc, "sframeenc", "audio/x-opus");
  open_chain (&dec, "sframedec",
      "application/x-sframe,original-media-type=(string)audio/x-opus");
  guint n_batch = (guint) CLAMP (400000 / size, 4, MAX_BATCH),
        batches = n / n_batch + 2;
  for (guint batch = 0; batch < batches; batch++) {
    chain_kept = frames;
    for (guint i = 0; i < n_batch; i++)
      gst_pad_push (enc.src, gst_buffer_ref (frame));
    chain_kept = NULL;
    size_t before = n_allocations;
    double start = bench_cpu_ns ();
    for (guint i = 0; i < n_batch; i++)
      gst_pad_push (dec.src, gst_buffer_ref (g_ptr_array_index (frames, i)));
    if (batch >= 2) { /* pools are full */
      ns += bench_cpu_ns () - start;
      counted += n_allocations - before;
    }
    g_ptr_array_set_size (frames, 0);
  }
  *allocations = (double) counted / ((batches - 2) * n_batch);

  chain_close (&dec);
  chain_close (&enc);
  gst_buffer_unref (frame);
  return ns / ((batches - 2) * n_batch);
}

int
main (int argc, char **argv)
{
  static const gsize sizes[] = { 200, 1200, 10000, 100000 };

  gst_init (&argc, &argv);
  core_init ();
  printf (
      "ns of CPU per frame, AES-256-GCM, median of %d runs in turns\n", RUNS);
  printf ("%-8s %7s | %8s %8s %8s | %8s %8s | %s\n", "", "bytes", "AEAD",
      "floor", "element", "/ floor", "/ AEAD", "heap allocations per frame");
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    for (int seal = 1; seal >= 0; seal--) {
      double aead[RUNS], base[RUNS], element[RUNS], allocations = 0;
      guint n = (guint) (20000000 / (sizes[i] + 400));
      n = MAX (n, 300);
      for (int r = 0; r < RUNS; r++) {
        aead[r] = bench_aead (seal, sizes[i], n);
        base[r] = bench_floor (seal, sizes[i], n);
        element[r] = seal ? bench_enc (sizes[i], n, &allocations)
                          : bench_dec (sizes[i], n, &allocations);
      }
      double a = bench_median (aead, RUNS), f = bench_median (base, RUNS),
             e = bench_median (element, RUNS);
      printf ("%-8s %7zu | %8.0f %8.0f %8.0f | %8.2f %8.2f | %.2f\n",
          seal ? "enc" : "dec", sizes[i], a, f, e, e / f, e / a, allocations);
    }
  }
  return 0;
}

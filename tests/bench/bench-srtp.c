/* ns of CPU per 1,200-byte packet: srtpprotect and srtpunprotect beside GStreamer's srtpenc and srtpdec, a bare libsrtp2
 * loop and a bare GnuTLS call, in one run; and how a packet's price and a session's memory grow with the number of sessions
 * in the process.
 *
 * "Net" takes away what pushing the same buffers through a pad costs. All of it in rounds, one of each, so that what the
 * machine does meanwhile meets all alike; medians.
 *
 *     CONCLAVE_BENCH_PACKETS=100000 CONCLAVE_BENCH_RUNS=7 build/tests/bench/bench-srtp [elements] [sessions]
 *
 * srtpdec is not given lists: with a second reference on a buffer it crashes (1.22).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gnutls/crypto.h>
#include <gst/gst.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "tests/check/srtp-packets.h"
#include "tests/check/srtp-raw.h"

#define PACKET 1200
#define BLOCK 256
#define LIST 16
#define SSRC 0x1234u
#define MAX_RUNS 31

static glong n_packets;
static gint n_runs;

typedef struct
{
  const gchar *name, *cipher, *auth;
  SrtpCipher number;
} Suite;

static const Suite suites[] = {
  { "AES-256-GCM", "aes-256-gcm", "null", SRTP_AES_256_GCM },
  { "AES-128-GCM", "aes-128-gcm", "null", SRTP_AES_128_GCM },
  { "AES-128-ICM", "aes-128-icm", "hmac-sha1-80", SRTP_AES_128_ICM },
};

static guint8 key[64];

static SrtpConfig
config_of (const Suite *suite, SrtpDirection direction)
{
  SrtpConfig config;
  srtp_config_init (&config, direction);
  config.rtp_cipher = config.rtcp_cipher = suite->number;
  config.window = 128; /* what srtpenc has */
  return config;
}

/* --- A sink pad that counts --- */

static glong arrived;

static GstFlowReturn
count_buffer (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  arrived++;
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static GstFlowReturn
count_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  arrived += gst_buffer_list_length (list);
  gst_buffer_list_unref (list);
  return GST_FLOW_OK;
}

static gboolean
take_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  gst_event_unref (event);
  return TRUE;
}

static GstPad *
make_end (void)
{
  GstPad *pad = gst_pad_new ("end", GST_PAD_SINK);
  gst_pad_set_chain_function (pad, count_buffer);
  gst_pad_set_chain_list_function (pad, count_list);
  gst_pad_set_event_function (pad, take_event);
  gst_pad_set_active (pad, TRUE);
  return pad;
}

/* --- What is measured: a source pad, and what is linked behind it --- */

typedef struct
{
  const gchar *name;
  guint list;       /* packets a list; 0: buffers */
  gboolean protect; /* fed with RTP; else with SRTP of `raw` */
  gsize room;       /* behind the packets that it is fed with */
  gsize pieces;     /* memories of a packet: 2 is what payloaders make */
  srtp_t raw;
  GstElement *element; /* NULL: the sink pad alone */
  GstPad *src;
  guint32 seq;
  double runs[MAX_RUNS];
} Path;

static GstBuffer *
make_buffer (Path *path)
{
  guint8 bytes[PACKET + SRTP_MAX_TRAILER_LEN];
  int len = (int) make_rtp (
      bytes, sizeof bytes, SSRC, (guint16) path->seq++, 0, -1, PACKET - 12);
  GstBuffer *buffer;

  if (!path->protect && path->raw)
    g_assert_cmpint (
        srtp_protect (path->raw, bytes, &len), ==, srtp_err_status_ok);
  if (path->pieces == 2) {
    buffer = gst_buffer_new_allocate (NULL, 12, NULL);
    gst_buffer_append_memory (
        buffer, gst_allocator_alloc (NULL, (gsize) len - 12, NULL));
  } else {
    buffer = gst_buffer_new_allocate (NULL, (gsize) len + path->room, NULL);
    gst_buffer_set_size (buffer, len);
  }
  gst_buffer_fill (buffer, 0, bytes, (gsize) len);
  GST_BUFFER_PTS (buffer) = path->seq * GST_MSECOND;
  return buffer;
}

static double
run_path (Path *path)
{
  static GstBuffer *buffers[BLOCK];
  static GstBufferList *lists[BLOCK];
  double sum = 0;
  glong done = 0, before = arrived;

  while (done < n_packets) {
    guint n_lists = 0;
    for (guint i = 0; i < BLOCK; i++) {
      GstBuffer *buffer = make_buffer (path);
      if (path->list && i % path->list == 0)
        lists[n_lists++] = gst_buffer_list_new_sized (path->list);
      if (path->list)
        gst_buffer_list_insert (lists[n_lists - 1], -1, buffer);
      else
        buffers[i] = buffer;
    }
    double start = bench_cpu_ns ();
    for (guint i = 0; i < n_lists; i++)
      gst_pad_push_list (path->src, lists[i]);
    for (guint i = 0; !path->list && i < BLOCK; i++)
      gst_pad_push (path->src, buffers[i]);
    sum += bench_cpu_ns () - start;
    done += BLOCK;
  }
  if (arrived - before != done)
    g_error (
        "%s: %ld packets in, %ld out", path->name, done, arrived - before);
  return sum / (double) done;
}

static void
start_path (Path *path, const Suite *suite, const gchar *factory)
{
  GstPad *end = make_end (), *in, *out;
  GstSegment segment;
  SrtpConfig config = config_of (suite, SRTP_SEND);
  gsize key_len = srtp_config_key_len (&config);
  GstCaps *caps;

  path->src = gst_pad_new ("start", GST_PAD_SRC);
  gst_pad_set_active (path->src, TRUE);
  path->seq = 1;
  if (!path->protect)
    path->raw = raw_new (&config, key);
  caps = gst_caps_new_simple (
      path->protect ? "application/x-rtp" : "application/x-srtp", "payload",
      G_TYPE_INT, 96, "ssrc", G_TYPE_UINT, SSRC, "media", G_TYPE_STRING,
      "video", "clock-rate", G_TYPE_INT, 90000, "encoding-name", G_TYPE_STRING,
      "VP8", NULL);
  if (!factory) {
    gst_pad_link_full (path->src, end, GST_PAD_LINK_CHECK_NOTHING);
  } else {
    gboolean stock =
        g_str_equal (factory, "srtpenc") || g_str_equal (factory, "srtpdec");
    GstBuffer *stock_key = gst_buffer_new_memdup (key, key_len);
    path->element = gst_element_factory_make (factory, NULL);
    if (!path->element)
      g_error ("no element %s", factory);
    if (g_str_equal (factory, "srtpdec")) {
      gst_caps_set_simple (caps, "srtp-key", GST_TYPE_BUFFER, stock_key,
          "srtp-cipher", G_TYPE_STRING, suite->cipher, "srtp-auth",
          G_TYPE_STRING, suite->auth, "srtcp-cipher", G_TYPE_STRING,
          suite->cipher, "srtcp-auth", G_TYPE_STRING, suite->auth, NULL);
    } else {
      gst_util_set_object_arg (
          G_OBJECT (path->element), "rtp-cipher", suite->cipher);
      gst_util_set_object_arg (
          G_OBJECT (path->element), "rtp-auth", suite->auth);
      gst_util_set_object_arg (
          G_OBJECT (path->element), "rtcp-cipher", suite->cipher);
      gst_util_set_object_arg (
          G_OBJECT (path->element), "rtcp-auth", suite->auth);
      if (stock)
        g_object_set (path->element, "key", stock_key, NULL);
      else
        g_object_set (path->element, "replay-window", 128, NULL);
    }
    gst_buffer_unref (stock_key);
    if (!stock) {
      gchar *hex = g_malloc0 (2 * key_len + 1);
      for (gsize i = 0; i < key_len; i++)
        g_snprintf (hex + 2 * i, 3, "%02x", key[i]);
      g_object_set (path->element, "key", hex, NULL);
      g_free (hex);
    }
    in = path->protect
             ? gst_element_request_pad_simple (path->element, "rtp_sink_0")
             : gst_element_get_static_pad (path->element, "rtp_sink");
    out = gst_element_get_static_pad (
        path->element, path->protect ? "rtp_src_0" : "rtp_src");
    gst_pad_link (path->src, in);
    gst_pad_link (out, end);
    gst_element_set_state (path->element, GST_STATE_PLAYING);
  }
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (path->src, gst_event_new_stream_start ("bench"));
  gst_pad_push_event (path->src, gst_event_new_caps (caps));
  gst_pad_push_event (path->src, gst_event_new_segment (&segment));
  gst_caps_unref (caps);
}

/* --- Bare loops --- */

typedef struct
{
  double protect[MAX_RUNS], unprotect[MAX_RUNS];
} Bare;

/* libsrtp2 in place on warm packets, as its own tests do. */
static void
run_libsrtp2 (const Suite *suite, Bare *bare, gint run)
{
  static guint8 block[BLOCK][PACKET + SRTP_MAX_TRAILER_LEN];
  static int lens[BLOCK];
  SrtpConfig sending = config_of (suite, SRTP_SEND),
             receiving = config_of (suite, SRTP_RECEIVE);
  srtp_t sender = raw_new (&sending, key),
         receiver = raw_new (&receiving, key);
  double out = 0, in = 0, start;
  glong done = 0;
  guint32 seq = 1;

  while (done < n_packets) {
    for (guint i = 0; i < BLOCK; i++)
      lens[i] = (int) make_rtp (block[i], sizeof block[i], SSRC,
          (guint16) seq++, 0, -1, PACKET - 12);
    start = bench_cpu_ns ();
    for (guint i = 0; i < BLOCK; i++)
      g_assert_cmpint (srtp_protect (sender, block[i], &lens[i]), ==, 0);
    out += bench_cpu_ns () - start;
    start = bench_cpu_ns ();
    for (guint i = 0; i < BLOCK; i++)
      g_assert_cmpint (srtp_unprotect (receiver, block[i], &lens[i]), ==, 0);
    in += bench_cpu_ns () - start;
    done += BLOCK;
  }
  bare->protect[run] = out / (double) done;
  bare->unprotect[run] = in / (double) done;
  srtp_dealloc (sender);
  srtp_dealloc (receiver);
}

/* Our session without an element, from one buffer to another and back in place. */
static void
run_session (const Suite *suite, Bare *bare, gint run)
{
  static guint8 block[BLOCK][PACKET], wire[BLOCK][PACKET + SRTP_MAX_OVERHEAD];
  static gsize lens[BLOCK];
  SrtpConfig sending = config_of (suite, SRTP_SEND),
             receiving = config_of (suite, SRTP_RECEIVE);
  SrtpSession *sender = srtp_session_new (&sending, NULL),
              *receiver = srtp_session_new (&receiving, NULL);
  Secret *secret = secret_copy (key, srtp_config_key_len (&sending));
  double out = 0, in = 0, start;
  glong done = 0;
  guint32 seq = 1;

  g_assert_cmpint (
      srtp_session_set_key (sender, secret, NULL, 0), ==, SRTP_OK);
  g_assert_cmpint (
      srtp_session_set_key (receiver, secret, NULL, 0), ==, SRTP_OK);
  while (done < n_packets) {
    for (guint i = 0; i < BLOCK; i++)
      make_rtp (block[i], sizeof block[i], SSRC, (guint16) seq++, 0, -1,
          PACKET - 12);
    start = bench_cpu_ns ();
    for (guint i = 0; i < BLOCK; i++)
      g_assert_cmpint (srtp_session_protect_rtp (sender, block[i], PACKET,
                           wire[i], sizeof wire[i], &lens[i], NULL),
          ==, SRTP_OK);
    out += bench_cpu_ns () - start;
    start = bench_cpu_ns ();
    for (guint i = 0; i < BLOCK; i++)
      g_assert_cmpint (srtp_session_unprotect_rtp (receiver, wire[i], lens[i],
                           wire[i], lens[i], &lens[i], NULL),
          ==, SRTP_OK);
    in += bench_cpu_ns () - start;
    done += BLOCK;
  }
  bare->protect[run] = out / (double) done;
  bare->unprotect[run] = in / (double) done;
  srtp_session_free (sender);
  srtp_session_free (receiver);
  secret_unref (secret);
}

static double
run_gnutls (const Suite *suite)
{
  static guint8 block[BLOCK][PACKET], wire[BLOCK][PACKET + 16];
  gnutls_datum_t k = { key, suite->number == SRTP_AES_256_GCM ? 32 : 16 };
  gnutls_aead_cipher_hd_t handle;
  guint8 nonce[12] = { 0 };
  double sum = 0;
  glong done = 0;

  gnutls_aead_cipher_init (&handle,
      suite->number == SRTP_AES_256_GCM ? GNUTLS_CIPHER_AES_256_GCM
                                        : GNUTLS_CIPHER_AES_128_GCM,
      &k);
  while (done < n_packets) {
    double start = bench_cpu_ns ();
    for (guint i = 0; i < BLOCK; i++) {
      gsize room = PACKET - 12 + 16;
      memcpy (nonce, &done, sizeof done);
      nonce[11] = (guint8) i;
      memcpy (wire[i], block[i], 12);
      gnutls_aead_cipher_encrypt (handle, nonce, 12, wire[i], 12, 16,
          block[i] + 12, PACKET - 12, wire[i] + 12, &room);
    }
    sum += bench_cpu_ns () - start;
    done += BLOCK;
  }
  gnutls_aead_cipher_deinit (handle);
  return sum / (double) done;
}

/* --- The elements --- */

#define N_PATHS 12

static void
bench_suite (const Suite *suite)
{
  Path paths[N_PATHS] = {
    { "bare push", 0, TRUE, 0, 1 },
    { "bare push, lists of 16", LIST, TRUE, 0, 1 },
    { "srtpenc", 0, TRUE, 0, 1 },
    { "srtpenc, lists of 16", LIST, TRUE, 0, 1 },
    { "srtpprotect", 0, TRUE, 0, 1 },
    { "srtpprotect, lists of 16", LIST, TRUE, 0, 1 },
    { "srtpprotect, room behind: in place", 0, TRUE, 64, 1 },
    { "srtpenc, header and payload apart", 0, TRUE, 0, 2 },
    { "srtpprotect, header and payload apart", 0, TRUE, 0, 2 },
    { "srtpdec", 0, FALSE, 0, 1 },
    { "srtpunprotect", 0, FALSE, 0, 1 },
    { "srtpunprotect, lists of 16", LIST, FALSE, 0, 1 },
  };
  static const gchar *const factories[N_PATHS] = { NULL, NULL, "srtpenc",
    "srtpenc", "srtpprotect", "srtpprotect", "srtpprotect", "srtpenc",
    "srtpprotect", "srtpdec", "srtpunprotect", "srtpunprotect" };
  Bare lib, ours;
  double aead[MAX_RUNS];
  gboolean gcm =
      suite->number == SRTP_AES_256_GCM || suite->number == SRTP_AES_128_GCM;

  for (guint i = 0; i < N_PATHS; i++) {
    start_path (&paths[i], suite, factories[i]);
    run_path (&paths[i]); /* warm */
  }
  for (gint run = 0; run < n_runs; run++) {
    for (guint i = 0; i < N_PATHS; i++)
      paths[i].runs[run] = run_path (&paths[i]);
    run_libsrtp2 (suite, &lib, run);
    run_session (suite, &ours, run);
    aead[run] = gcm ? run_gnutls (suite) : 0;
  }

  double push = bench_median (paths[0].runs, (gsize) n_runs),
         push_list = bench_median (paths[1].runs, (gsize) n_runs);
  double lib_out = bench_median (lib.protect, (gsize) n_runs),
         lib_in = bench_median (lib.unprotect, (gsize) n_runs);
  double stock_out = bench_median (paths[2].runs, (gsize) n_runs) - push;
  double stock_apart = bench_median (paths[7].runs, (gsize) n_runs) - push;
  double stock_in = bench_median (paths[9].runs, (gsize) n_runs) - push;

  printf ("\n%s, %d bytes, ns of CPU per packet\n", suite->name, PACKET);
  printf (
      "%-40s %8s %8s %10s %8s\n", "", "ns", "net", "libsrtp2 x", "stock x");
  if (gcm)
    printf ("%-40s %8.0f\n", "GnuTLS AEAD call alone",
        bench_median (aead, (gsize) n_runs));
  printf ("%-40s %8.0f\n", "libsrtp2 protect", lib_out);
  printf ("%-40s %8.0f\n", "libsrtp2 unprotect", lib_in);
  printf ("%-40s %8.0f %8s %10.2f\n", "session protect",
      bench_median (ours.protect, (gsize) n_runs), "",
      bench_median (ours.protect, (gsize) n_runs) / lib_out);
  printf ("%-40s %8.0f %8s %10.2f\n", "session unprotect",
      bench_median (ours.unprotect, (gsize) n_runs), "",
      bench_median (ours.unprotect, (gsize) n_runs) / lib_in);
  for (guint i = 0; i < N_PATHS; i++) {
    double total = bench_median (paths[i].runs, (gsize) n_runs),
           net = total - (paths[i].list ? push_list : push);
    double stock = !paths[i].protect      ? stock_in
                   : paths[i].pieces == 2 ? stock_apart
                                          : stock_out;
    if (i < 2)
      printf ("%-40s %8.0f\n", paths[i].name, total);
    else
      printf ("%-40s %8.0f %8.0f %10.2f %8.2f\n", paths[i].name, total, net,
          net / (paths[i].protect ? lib_out : lib_in), net / stock);
    if (paths[i].element)
      gst_element_set_state (paths[i].element, GST_STATE_NULL);
  }
  fflush (stdout);
}

/* --- Many sessions in one process --- */

static gsize
resident (void)
{
  FILE *file = fopen ("/proc/self/statm", "r");
  unsigned long size = 0, pages = 0;

  if (file && fscanf (file, "%lu %lu", &size, &pages) != 2)
    pages = 0;
  if (file)
    fclose (file);
  return (gsize) pages * (gsize) sysconf (_SC_PAGESIZE);
}

static void
bench_sessions (SrtpBackend backend, guint n)
{
  static guint8 packet[PACKET], wire[PACKET + SRTP_MAX_OVERHEAD];
  g_autofree SrtpSession **sessions = g_new (SrtpSession *, n);
  SrtpConfig config;
  gsize len;

  srtp_config_init (&config, SRTP_SEND);
  config.backend = backend;
  config.window = 128;
  malloc_trim (0);
  gsize before = resident ();
  for (guint i = 0; i < n; i++) {
    guint8 own[44];
    memcpy (own, key, sizeof own);
    memcpy (own, &i, sizeof i);
    Secret *secret = secret_copy (own, sizeof own);
    sessions[i] = srtp_session_new (&config, NULL);
    g_assert_cmpint (
        srtp_session_set_key (sessions[i], secret, NULL, 0), ==, SRTP_OK);
    secret_unref (secret);
  }
  double bytes = (double) (resident () - before) / n;

  glong rounds = n_packets / (glong) n + 1, done = 0;
  double sum = 0;
  for (glong r = -1; r < rounds; r++) {
    make_rtp (
        packet, sizeof packet, SSRC, (guint16) (r + 2), 0, -1, PACKET - 12);
    double start = bench_cpu_ns ();
    for (guint i = 0; i < n; i++)
      g_assert_cmpint (srtp_session_protect_rtp (sessions[i], packet, PACKET,
                           wire, sizeof wire, &len, NULL),
          ==, SRTP_OK);
    if (r >= 0) { /* the first round makes the streams */
      sum += bench_cpu_ns () - start;
      done += n;
    }
  }
  printf ("%-10s %6u %10.0f %14.0f\n",
      backend == SRTP_BACKEND_GNUTLS ? "gnutls" : "libsrtp2", n,
      sum / (double) done, bytes);
  fflush (stdout);
  for (guint i = 0; i < n; i++)
    srtp_session_free (sessions[i]);
}

static gboolean
wanted (int argc, char **argv, const gchar *part)
{
  for (int i = 1; i < argc; i++)
    if (g_str_equal (argv[i], part))
      return TRUE;
  return argc == 1;
}

int
main (int argc, char **argv)
{
  const gchar *packets = g_getenv ("CONCLAVE_BENCH_PACKETS"),
              *runs = g_getenv ("CONCLAVE_BENCH_RUNS");
  static const guint counts[] = { 1, 64, 1000, 5000 };

  /* Blocks of packets come and go; that the heap shrinks and grows with them is not to be measured. */
  mallopt (M_TRIM_THRESHOLD, 256 << 20);
  mallopt (M_MMAP_THRESHOLD, 64 << 20);
  gst_init (&argc, &argv);
  if (!core_init ())
    return 1;
  n_packets = packets ? atol (packets) : 40000;
  n_runs = CLAMP (runs ? atoi (runs) : 7, 1, MAX_RUNS);
  for (gsize i = 0; i < sizeof key; i++)
    key[i] = (guint8) (i * 37 + 11);

  if (wanted (argc, argv, "elements"))
    for (gsize i = 0; i < G_N_ELEMENTS (suites); i++)
      bench_suite (&suites[i]);
  if (wanted (argc, argv, "sessions")) {
    printf (
        "\nAES-256-GCM, sessions in one process in turns\n%-10s %6s %10s %14s\n",
        "backend", "n", "ns/packet", "bytes/session");
    for (gsize i = 0; i < G_N_ELEMENTS (counts); i++)
      bench_sessions (SRTP_BACKEND_GNUTLS, counts[i]);
    for (gsize i = 0; i < G_N_ELEMENTS (counts); i++)
      bench_sessions (SRTP_BACKEND_LIBSRTP2, counts[i]);
  }
  return 0;
}

/* Elements that several threads use at once: RTP, RTCP, frames, actions, properties. Under TSan with tests/tsan/glib-locks.c
 * this shows that every shared field is guarded; without, that nothing is lost.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpharness.h"

#define PACKETS 1000

/* --- SRTP --- */

typedef struct
{
  GstHarness *out, *in;
  gboolean rtcp;
  guint lost;
} Lane;

static gpointer
run_lane (gpointer data)
{
  Lane *lane = data;
  for (guint16 seq = 1; seq <= PACKETS; seq++) {
    GstBuffer *buffer = gst_harness_push_and_pull (
        lane->out, lane->rtcp ? rtcp_buffer () : rtp_buffer (seq));
    gst_harness_push (lane->in, buffer);
    buffer = gst_harness_try_pull (lane->in);
    lane->lost += buffer == NULL;
    gst_clear_buffer (&buffer);
  }
  return NULL;
}

static void
look_at (GstElement *element, const gchar *good)
{
  gint64 roc;
  stat_of (element, good);
  g_signal_emit_by_name (element, "get-roc", SSRC, &roc);
}

static GBytes *
key_of_len (guint n, gsize len)
{
  guint8 bytes[64];
  memset (bytes, (gint) n + 1, sizeof bytes);
  return g_bytes_new (bytes, len);
}

typedef struct
{
  GstElement *protect, *unprotect;
  gsize key_len;
  gboolean own; /* each SSRC has its key */
} Both;

static gpointer
change_keys (gpointer data)
{
  Both *both = data;
  gboolean ok;

  for (guint i = 1; i < 4; i++) {
    g_autoptr (GBytes) key = key_of_len (i, both->key_len);
    if (both->own)
      g_signal_emit_by_name (
          both->unprotect, "rekey-ssrc", SSRC, key, NULL, &ok);
    else
      g_signal_emit_by_name (both->unprotect, "rekey", key, NULL, &ok);
    for (guint k = 0; k < 20; k++) {
      look_at (both->protect, "protected");
      look_at (both->unprotect, "delivered");
      g_signal_emit_by_name (both->unprotect, "remove-key", 7u + k);
    }
    if (ok)
      g_signal_emit_by_name (both->protect, "rekey", key, NULL, &ok);
  }
  return NULL;
}

static GBytes *
answer (GstElement *element, guint ssrc, Both *both)
{
  look_at (element, "delivered");
  return key_of_len (0, both->key_len);
}

/* ciphers, key and salt, whether request-key gives it */
static const struct
{
  const gchar *cipher;
  gsize key_len;
  gboolean own;
} rows[] = { { "aes-256-gcm", 44, FALSE }, { "aes-128-icm", 30, FALSE },
  { "aes-256-gcm", 44, TRUE } };

GST_START_TEST (rtp_rtcp_and_rekey_at_once)
{
  Both both = { gst_element_factory_make ("srtpprotect", NULL),
    gst_element_factory_make ("srtpunprotect", NULL), rows[__i__].key_len,
    rows[__i__].own };
  g_autoptr (GBytes) key = key_of_len (0, both.key_len);
  GThread *threads[3];
  gboolean ok;

  gst_util_set_object_arg (
      G_OBJECT (both.protect), "rtp-cipher", rows[__i__].cipher);
  gst_util_set_object_arg (
      G_OBJECT (both.unprotect), "rtp-cipher", rows[__i__].cipher);
  g_signal_emit_by_name (both.protect, "set-key", key, NULL, &ok);
  fail_unless (ok);
  if (both.own)
    g_signal_connect (
        both.unprotect, "request-key", G_CALLBACK (answer), &both);
  else
    g_signal_emit_by_name (both.unprotect, "set-key", key, NULL, &ok);
  Lane rtp = { gst_harness_new_with_element (
                   both.protect, "rtp_sink_0", "rtp_src_0"),
    gst_harness_new_with_element (both.unprotect, "rtp_sink", "rtp_src"),
    FALSE, 0 };
  Lane rtcp = { gst_harness_new_with_element (
                    both.protect, "rtcp_sink_0", "rtcp_src_0"),
    gst_harness_new_with_element (both.unprotect, "rtcp_sink", "rtcp_src"),
    TRUE, 0 };
  gst_harness_set_src_caps_str (rtp.out, RTP_CAPS);
  gst_harness_set_src_caps_str (rtp.in, SRTP_CAPS);
  gst_harness_set_src_caps_str (rtcp.out, "application/x-rtcp");
  gst_harness_set_src_caps_str (rtcp.in, "application/x-srtcp");
  if (both.own) { /* before the first rekey, whose key comes before the question otherwise */
    fail_unless (passes (
        rtp.in, gst_harness_push_and_pull (rtp.out, rtp_buffer (65000))));
  }
  threads[0] = g_thread_new ("rtp", run_lane, &rtp);
  threads[1] = g_thread_new ("rtcp", run_lane, &rtcp);
  threads[2] = g_thread_new ("keys", change_keys, &both);
  for (guint i = 0; i < 3; i++)
    g_thread_join (threads[i]);
  fail_unless_equals_int (rtp.lost + rtcp.lost, 0);
  gst_harness_teardown (rtp.out);
  gst_harness_teardown (rtp.in);
  gst_harness_teardown (rtcp.out);
  gst_harness_teardown (rtcp.in);
  gst_object_unref (both.protect);
  gst_object_unref (both.unprotect);
}
GST_END_TEST;

/* --- SFrame --- */

typedef struct
{
  GstHarness *h;
  GstElement *enc, *dec;
  gint frames; /* atomic: that have passed */
  gint stop;   /* atomic */
} Pair;

/* A frame that is under way may have any of the last keys; which of them are still there must not depend on how often
 * this thread runs meanwhile. */
static void
await_frame (Pair *pair)
{
  gint before = g_atomic_int_get (&pair->frames);

  while (g_atomic_int_get (&pair->frames) == before
         && !g_atomic_int_get (&pair->stop))
    g_thread_yield ();
}

static gpointer
change_sframe_keys (gpointer data)
{
  Pair *pair = data;

  for (guint64 kid = 1; !g_atomic_int_get (&pair->stop); kid = 1 + kid % 8) {
    GstStructure *stats;
    g_autoptr (GBytes) key = key_of_len ((guint) kid, 32);
    /* The decoder first; the oldest goes. */
    g_signal_emit_by_name (pair->dec, "set-key", kid, key);
    g_signal_emit_by_name (pair->enc, "set-key", kid, key);
    g_object_get (pair->enc, "stats", &stats, NULL);
    gst_structure_free (stats);
    g_object_get (pair->dec, "stats", &stats, NULL);
    gst_structure_free (stats);
    g_signal_emit_by_name (pair->dec, "remove-key", 1 + (kid + 3) % 8);
    await_frame (pair);
  }
  return NULL;
}

static gpointer
run_frames (gpointer data)
{
  Pair *pair = data;
  guint lost = 0;

  for (guint i = 0; i < PACKETS; i++) {
    GstBuffer *frame = gst_buffer_new_allocate (NULL, 200, NULL);
    gst_buffer_memset (frame, 0, (guint8) i, 200);
    GST_BUFFER_PTS (frame) = i * GST_MSECOND;
    gst_harness_push (pair->h, frame);
    frame = gst_harness_try_pull (pair->h);
    lost += frame == NULL;
    gst_clear_buffer (&frame);
    g_atomic_int_inc (&pair->frames);
  }
  return GUINT_TO_POINTER (lost);
}

GST_START_TEST (frames_and_key_changes_at_once)
{
  GstHarness *h = gst_harness_new_parse (
      "sframeenc name=enc kid=0 key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
      " ! sframedec name=dec kid=0 key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  Pair pair = { h, gst_bin_get_by_name (GST_BIN (h->element), "enc"),
    gst_bin_get_by_name (GST_BIN (h->element), "dec"), 0, 0 };

  gst_harness_set_src_caps_str (
      h, "audio/x-opus,rate=48000,channels=2,channel-mapping-family=0");
  GThread *keys = g_thread_new ("keys", change_sframe_keys, &pair),
          *frames = g_thread_new ("frames", run_frames, &pair);
  guint lost = GPOINTER_TO_UINT (g_thread_join (frames));
  g_atomic_int_set (&pair.stop, 1);
  g_thread_join (keys);
  fail_unless_equals_int (lost, 0);
  gst_object_unref (pair.enc);
  gst_object_unref (pair.dec);
  gst_harness_teardown (h);
}
GST_END_TEST;

static Suite *
elementthreads_suite (void)
{
  Suite *suite = suite_create ("elementthreads");
  TCase *tc = tcase_create ("threads");

  core_init ();
  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 240);
  tcase_add_loop_test (
      tc, rtp_rtcp_and_rekey_at_once, 0, (int) G_N_ELEMENTS (rows));
  if (gst_registry_check_feature_version (
          gst_registry_get (), "sframeenc", 0, 0, 0))
    tcase_add_test (tc, frames_and_key_changes_at_once);
  return suite;
}

GST_CHECK_MAIN (elementthreads)

/* Sessions as an element uses them: an RTP and an RTCP thread and one that changes keys and reads statistics, with one lock
 * a session as the header demands; and sessions of their own on threads of their own, which need none. For TSan.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include <pthread.h>

#include "srtp-packets.h"

#include "ext/srtp/session.h"

#define SSRC 0x01020304u
#define PACKETS 2000

typedef struct
{
  SrtpConfig config;
  SrtpSession *sender, *receiver;
  pthread_mutex_t send_lock, receive_lock;
  guint delivered[2]; /* one a thread */
} Shared;

static Secret *
make_key (const SrtpConfig *config, guint8 n)
{
  Secret *key = secret_new (srtp_config_key_len (config));
  memset (secret_bytes (key), n, secret_len (key));
  return key;
}

static void
run_packets (Shared *s, gboolean rtcp)
{
  guint8 plain[256], wire[256 + SRTP_MAX_OVERHEAD],
      back[256 + SRTP_MAX_OVERHEAD];
  gsize len, wire_len, back_len;

  for (guint seq = 1; seq <= PACKETS; seq++) {
    len =
        rtcp ? make_rtcp (plain, sizeof plain, SSRC, 2)
             : make_rtp (plain, sizeof plain, SSRC, (guint16) seq, 0, -1, 100);
    pthread_mutex_lock (&s->send_lock);
    SrtpResult result = rtcp ? srtp_session_protect_rtcp (s->sender, plain,
                            len, wire, sizeof wire, &wire_len, NULL)
                             : srtp_session_protect_rtp (s->sender, plain, len,
                                 wire, sizeof wire, &wire_len, NULL);
    pthread_mutex_unlock (&s->send_lock);
    g_assert_cmpint (result, ==, SRTP_OK);
    pthread_mutex_lock (&s->receive_lock);
    result = rtcp ? srtp_session_unprotect_rtcp (s->receiver, wire, wire_len,
                 back, sizeof back, &back_len, NULL)
                  : srtp_session_unprotect_rtp (s->receiver, wire, wire_len,
                      back, sizeof back, &back_len, NULL);
    pthread_mutex_unlock (&s->receive_lock);
    g_assert_cmpint (result, ==, SRTP_OK);
    g_assert_cmpmem (plain, len, back, back_len);
    s->delivered[rtcp]++;
  }
}

static void *
run_rtp (void *shared)
{
  run_packets (shared, FALSE);
  return NULL;
}

static void *
run_rtcp (void *shared)
{
  run_packets (shared, TRUE);
  return NULL;
}

static void *
run_keys (void *shared)
{
  Shared *s = shared;
  SrtpStreamStats streams[4];
  SrtpStats stats;
  guint64 index;

  /* Retired and back under the same key, which nobody notices. */
  Secret *same = make_key (&s->config, 1);
  for (guint i = 0; i < 50; i++) {
    pthread_mutex_lock (&s->receive_lock);
    srtp_session_retire (s->receiver);
    g_assert_cmpint (
        srtp_session_set_key (s->receiver, same, NULL, 0), ==, SRTP_OK);
    pthread_mutex_unlock (&s->receive_lock);
  }
  secret_unref (same);
  /* The receiver first; never faster than late packets. */
  for (guint8 n = 2; n < 5; n++) {
    Secret *key = make_key (&s->config, n);
    pthread_mutex_lock (&s->receive_lock);
    g_assert_cmpint (
        srtp_session_rekey (s->receiver, key, "mki", 3), ==, SRTP_BAD_KEY);
    g_assert_cmpint (
        srtp_session_rekey (s->receiver, key, NULL, 0), ==, SRTP_OK);
    pthread_mutex_unlock (&s->receive_lock);
    for (guint i = 0; i < 100; i++) {
      gsize n_streams;
      pthread_mutex_lock (&s->receive_lock);
      srtp_session_stats (s->receiver, &stats);
      srtp_session_stream_stats (s->receiver, streams, 4);
      SrtpStreamStats *snapshot =
          srtp_session_snapshot (s->receiver, &stats, &n_streams);
      bool known = srtp_session_get_index (s->receiver, SSRC, &index);
      g_assert_cmpint (srtp_session_set_roc (s->receiver, SSRC,
                           known ? (guint32) (index >> 16) : 0),
          ==, SRTP_OK);
      pthread_mutex_unlock (&s->receive_lock);
      /* Read without the lock, as an element reads it. */
      for (gsize k = 0; k < n_streams; k++)
        g_assert_cmpint (snapshot[k].ssrc, ==, SSRC);
      free (snapshot);
    }
    pthread_mutex_lock (&s->send_lock);
    g_assert_cmpint (
        srtp_session_rekey (s->sender, key, NULL, 0), ==, SRTP_OK);
    pthread_mutex_unlock (&s->send_lock);
    secret_unref (key);
  }
  return NULL;
}

static void
init_shared (Shared *s, gboolean gcm, SrtpBackend backend)
{
  srtp_config_init (&s->config, SRTP_SEND);
  s->config.rtp_cipher = s->config.rtcp_cipher =
      gcm ? SRTP_AES_256_GCM : SRTP_AES_128_ICM;
  s->config.backend = backend;
  s->sender = srtp_session_new (&s->config, NULL);
  s->config.direction = SRTP_RECEIVE;
  s->receiver = srtp_session_new (&s->config, NULL);
  Secret *key = make_key (&s->config, 1);
  g_assert_cmpint (
      srtp_session_set_key (s->sender, key, NULL, 0), ==, SRTP_OK);
  g_assert_cmpint (
      srtp_session_set_key (s->receiver, key, NULL, 0), ==, SRTP_OK);
  secret_unref (key);
  pthread_mutex_init (&s->send_lock, NULL);
  pthread_mutex_init (&s->receive_lock, NULL);
}

static void
clear_shared (Shared *s)
{
  srtp_session_free (s->sender);
  srtp_session_free (s->receiver);
  pthread_mutex_destroy (&s->send_lock);
  pthread_mutex_destroy (&s->receive_lock);
}

static const struct
{
  gboolean gcm;
  SrtpBackend backend;
} rows[] = { { TRUE, SRTP_BACKEND_GNUTLS }, { TRUE, SRTP_BACKEND_LIBSRTP2 },
  { FALSE, SRTP_BACKEND_AUTO } };

GST_START_TEST (rtp_rtcp_and_rekeying_at_once_lose_nothing)
{
  Shared s = { 0 };
  pthread_t threads[3];

  init_shared (&s, rows[__i__].gcm, rows[__i__].backend);
  pthread_create (&threads[0], NULL, run_rtp, &s);
  pthread_create (&threads[1], NULL, run_rtcp, &s);
  pthread_create (&threads[2], NULL, run_keys, &s);
  for (guint i = 0; i < 3; i++)
    pthread_join (threads[i], NULL);
  fail_unless_equals_int (s.delivered[0] + s.delivered[1], 2 * PACKETS);
  clear_shared (&s);
}
GST_END_TEST;

static void *
run_alone (void *row)
{
  Shared s = { 0 };
  init_shared (&s, rows[GPOINTER_TO_UINT (row)].gcm,
      rows[GPOINTER_TO_UINT (row)].backend);
  run_packets (&s, FALSE);
  run_packets (&s, TRUE);
  clear_shared (&s);
  return NULL;
}

GST_START_TEST (sessions_on_threads_of_their_own_need_no_lock)
{
  pthread_t threads[6];

  for (guint i = 0; i < 6; i++)
    pthread_create (&threads[i], NULL, run_alone, GUINT_TO_POINTER (i % 3));
  for (guint i = 0; i < 6; i++)
    pthread_join (threads[i], NULL);
}
GST_END_TEST;

static Suite *
srtpthreads_suite (void)
{
  Suite *suite = suite_create ("srtpthreads");
  TCase *tc = tcase_create ("threads");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_loop_test (tc, rtp_rtcp_and_rekeying_at_once_lose_nothing, 0,
      (int) G_N_ELEMENTS (rows));
  tcase_add_test (tc, sessions_on_threads_of_their_own_need_no_lock);
  return suite;
}

PURE_CHECK_MAIN (srtpthreads)

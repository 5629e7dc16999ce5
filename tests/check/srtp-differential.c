/* Our SRTP beside libsrtp2's, packet by packet: the same bytes out, the same packets accepted, the same ones refused,
 * over random packets with loss, reordering, duplicates, forgeries, wraps and SSRCs that come and go.
 *
 * Runs 200,000 packets for each GCM suite and some for the others. For millions, and other seeds:
 *
 *     CONCLAVE_SRTP_PACKETS=5000000 CONCLAVE_SEED=7 CK_DEFAULT_TIMEOUT=0 build/tests/check/check-srtp-differential
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include <stdio.h>

#include "srtp-packets.h"
#include "srtp-raw.h"

#define N_SSRCS 24
#define HELD 40 /* packets on their way at one time */
#define ROOM 2048

typedef struct
{
  SrtpCipher cipher;
  SrtpAuth auth;
  SrtpBackend backend;
  gboolean clear_rtcp;
  guint share; /* of the packets asked for, in percent */
} Row;

static const Row rows[] = {
  { SRTP_AES_256_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_GNUTLS, FALSE, 100 },
  { SRTP_AES_128_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_GNUTLS, FALSE, 100 },
  { SRTP_AES_256_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_GNUTLS, TRUE, 30 },
  { SRTP_AES_128_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_LIBSRTP2, FALSE, 20 },
  { SRTP_AES_128_ICM, SRTP_AUTH_HMAC_SHA1_80, SRTP_BACKEND_AUTO, FALSE, 10 },
  { SRTP_AES_256_ICM, SRTP_AUTH_HMAC_SHA1_32, SRTP_BACKEND_AUTO, FALSE, 10 },
  { SRTP_AES_128_ICM, SRTP_AUTH_HMAC_SHA1_80, SRTP_BACKEND_AUTO, TRUE, 10 },
};

/* A sending source: its steps make a slow stream that never wraps, or a fast one that wraps every few dozen packets. */
typedef struct
{
  guint32 ssrc;
  guint16 seq;
  guint max_step;
} Source;

typedef struct
{
  gboolean rtcp;
  gsize len;
  guint8 bytes[ROOM];
} Flying;

typedef struct
{
  GRand *rand;
  SrtpSession *sender, *receiver;
  srtp_t raw_sender, raw_receiver;
  Source sources[N_SSRCS];
  Flying held[HELD];
  guint n_held;
  guint64 sent, refused_to_send, accepted, refused[SRTP_N_RESULTS];
} World;

static guint
below (World *w, guint n)
{
  return (guint) g_rand_int_range (w->rand, 0, (gint) n);
}

static void
renew_source (World *w, Source *source)
{
  static const guint steps[] = { 1, 1, 1, 2, 40, 900, 4000, 12000 };
  source->ssrc = g_rand_int (w->rand);
  source->seq = (guint16) g_rand_int (w->rand);
  source->max_step = steps[below (w, G_N_ELEMENTS (steps))];
}

static gsize
random_packet (World *w, gboolean rtcp, guint8 *out)
{
  Source *source = &w->sources[below (w, N_SSRCS)];

  if (below (w, 2000) == 0)
    renew_source (w, source);
  if (rtcp)
    return make_rtcp (
        out, ROOM - SRTP_MAX_TRAILER_LEN, source->ssrc, below (w, 32));

  guint what = below (w, 100), late = 0;
  if (what < 90)
    source->seq += (guint16) (1 + below (w, source->max_step));
  else if (what < 95) /* late, or a duplicate */
    late = below (w, 200);
  else if (what == 99 && below (w, 20) == 0)
    source->seq += (guint16) below (w, 65536);
  gsize payload = below (w, 5) == 0 ? below (w, 1300) : below (w, 64);
  return make_rtp (out, ROOM - SRTP_MAX_TRAILER_LEN, source->ssrc,
      (guint16) (source->seq - late), below (w, 4) ? 0 : below (w, 16),
      below (w, 3) ? -1 : (gint) below (w, 20), payload);
}

static const char *
class_of (srtp_err_status_t status)
{
  switch (status) {
    case srtp_err_status_ok:
      return "accepted";
    case srtp_err_status_replay_fail:
      return "replayed";
    case srtp_err_status_replay_old:
      return "too old";
    default:
      return "refused";
  }
}

static const char *
our_class (SrtpResult result)
{
  return result == SRTP_OK         ? "accepted"
         : result == SRTP_REPLAYED ? "replayed"
         : result == SRTP_TOO_OLD  ? "too old"
                                   : "refused";
}

/* One packet out: both senders refuse it, or give the same bytes. */
static void
send_one (World *w)
{
  gboolean rtcp = below (w, 12) == 0;
  guint8 plain[ROOM], theirs[ROOM], ours[ROOM];
  gsize len = random_packet (w, rtcp, plain), our_len = 0;
  int their_len = (int) len;

  memcpy (theirs, plain, len);
  memcpy (ours, plain, len);
  srtp_err_status_t status =
      rtcp ? srtp_protect_rtcp (w->raw_sender, theirs, &their_len)
           : srtp_protect (w->raw_sender, theirs, &their_len);
  /* In place and from one buffer to another in turns. */
  const guint8 *in = below (w, 2) ? ours : plain;
  SrtpResult result = rtcp ? srtp_session_protect_rtcp (w->sender, in, len,
                          ours, sizeof ours, &our_len, NULL)
                           : srtp_session_protect_rtp (w->sender, in, len,
                               ours, sizeof ours, &our_len, NULL);
  fail_unless (g_str_equal (class_of (status), our_class (result)),
      "packet %" G_GUINT64_FORMAT " to send: %s, libsrtp2 %s", w->sent,
      srtp_result_name (result), class_of (status));
  w->sent++;
  if (result != SRTP_OK) {
    w->refused_to_send++;
    return;
  }
  fail_unless_equals_uint64 (our_len, (guint64) their_len);
  fail_unless (memcmp (ours, theirs, our_len) == 0,
      "packet %" G_GUINT64_FORMAT " differs on the wire", w->sent);

  if (below (w, 10) == 0) /* lost */
    return;
  g_assert_cmpuint (w->n_held, <, HELD);
  Flying *f = &w->held[w->n_held++];
  f->rtcp = rtcp;
  f->len = our_len;
  memcpy (f->bytes, ours, our_len);
}

/* Both receivers get the same bytes and must come to the same end. */
static void
deliver (World *w, const Flying *f)
{
  guint8 theirs[ROOM], ours[ROOM];
  gsize our_len = 0;
  int their_len = (int) f->len;
  SrtpInfo info;

  memcpy (theirs, f->bytes, f->len);
  memcpy (ours, f->bytes, f->len);
  srtp_err_status_t status =
      f->rtcp ? srtp_unprotect_rtcp (w->raw_receiver, theirs, &their_len)
              : srtp_unprotect (w->raw_receiver, theirs, &their_len);
  const guint8 *in = below (w, 2) ? ours : f->bytes;
  SrtpResult result = f->rtcp ? srtp_session_unprotect_rtcp (w->receiver, in,
                          f->len, ours, sizeof ours, &our_len, &info)
                              : srtp_session_unprotect_rtp (w->receiver, in,
                                  f->len, ours, sizeof ours, &our_len, &info);
  /* Whether a packet is long enough is looked at before its index here, and after it there. */
  fail_unless (g_str_equal (class_of (status), our_class (result))
                   || (result == SRTP_MALFORMED && status != 0),
      "after %" G_GUINT64_FORMAT " accepted, a %s packet of %" G_GSIZE_FORMAT
      " bytes, SSRC %08x, index %" G_GUINT64_FORMAT ": %s, libsrtp2 %d",
      w->accepted, f->rtcp ? "RTCP" : "RTP", f->len, info.ssrc, info.index,
      srtp_result_name (result), (int) status);
  if (result != SRTP_OK) {
    w->refused[result]++;
    return;
  }
  w->accepted++;
  fail_unless_equals_uint64 (our_len, (guint64) their_len);
  fail_unless (memcmp (ours, theirs, our_len) == 0,
      "a packet decrypts to something else");
}

static void
receive_one (World *w)
{
  guint i = below (w, 3) ? 0 : below (w, w->n_held); /* in order, or not */
  Flying f = w->held[i];
  guint what = below (w, 100);

  if (what < 4) { /* forged on the way; the real one follows */
    Flying forged = f;
    forged.bytes[below (w, (guint) f.len)] ^= (guint8) (1u << below (w, 8));
    deliver (w, &forged);
  } else if (what < 6) {
    Flying cut = f;
    cut.len = below (w, (guint) f.len);
    deliver (w, &cut);
  } else if (what < 7) {
    Flying noise = f;
    for (gsize k = 1; k < noise.len; k++)
      noise.bytes[k] = (guint8) g_rand_int (w->rand);
    deliver (w, &noise);
  } else if (what < 8) {
    Flying other = f; /* RTP as RTCP and the reverse */
    other.rtcp = !other.rtcp;
    deliver (w, &other);
  }
  deliver (w, &f);
  if (what >= 95) /* a duplicate now, or once more later */
    deliver (w, &f);
  if (below (w, 50) == 0)
    return;
  memmove (&w->held[i], &w->held[i + 1], (--w->n_held - i) * sizeof *w->held);
}

static void
run_row (const Row *row, guint64 packets, guint32 seed)
{
  World w = { .rand = g_rand_new_with_seed (seed) };
  SrtpConfig config;
  guint8 key[64];

  srtp_config_init (&config, SRTP_SEND);
  config.rtp_cipher = config.rtcp_cipher = row->cipher;
  config.rtp_auth = config.rtcp_auth = row->auth;
  config.backend = row->backend;
  config.clear_rtcp = row->clear_rtcp;
  config.window =
      64u << (below (&w, 5)); /* libsrtp2 rounds up to words of 32 */
  config.max_ssrcs = SRTP_MAX_SSRCS;
  for (gsize i = 0; i < sizeof key; i++)
    key[i] = (guint8) g_rand_int (w.rand);
  Secret *secret = secret_copy (key, srtp_config_key_len (&config));

  w.sender = srtp_session_new (&config, NULL);
  w.raw_sender = raw_new (&config, key);
  config.direction = SRTP_RECEIVE;
  w.receiver = srtp_session_new (&config, NULL);
  w.raw_receiver = raw_new (&config, key);
  fail_unless_equals_int (
      srtp_session_set_key (w.sender, secret, NULL, 0), SRTP_OK);
  fail_unless_equals_int (
      srtp_session_set_key (w.receiver, secret, NULL, 0), SRTP_OK);
  for (guint i = 0; i < N_SSRCS; i++)
    renew_source (&w, &w.sources[i]);

  while (w.sent < packets) {
    while (w.n_held < HELD)
      send_one (&w);
    guint n = below (&w, HELD);
    while (w.n_held > n)
      receive_one (&w);
  }
  printf ("seed %u, suite %d, backend %d: %" G_GUINT64_FORMAT
          " sent (%" G_GUINT64_FORMAT " refused), %" G_GUINT64_FORMAT
          " accepted, refused: %" G_GUINT64_FORMAT
          " auth-failed, %" G_GUINT64_FORMAT " replayed, %" G_GUINT64_FORMAT
          " too-old, %" G_GUINT64_FORMAT " malformed\n",
      seed, row->cipher, row->backend, w.sent, w.refused_to_send, w.accepted,
      w.refused[SRTP_UNAUTHENTIC], w.refused[SRTP_REPLAYED],
      w.refused[SRTP_TOO_OLD], w.refused[SRTP_MALFORMED]);
  /* The world was as rough as it should be. */
  fail_unless (w.accepted > packets / 3);
  fail_unless (w.refused[SRTP_UNAUTHENTIC] > 0 && w.refused[SRTP_REPLAYED] > 0
               && w.refused[SRTP_TOO_OLD] > 0);

  srtp_session_free (w.sender);
  srtp_session_free (w.receiver);
  srtp_dealloc (w.raw_sender);
  srtp_dealloc (w.raw_receiver);
  secret_unref (secret);
  g_rand_free (w.rand);
}

GST_START_TEST (same_bytes_and_same_decisions_as_libsrtp2)
{
  const Row *row = &rows[__i__];
  const char *packets = g_getenv ("CONCLAVE_SRTP_PACKETS"),
             *seed = g_getenv ("CONCLAVE_SEED");
  guint64 n = packets ? g_ascii_strtoull (packets, NULL, 10)
              : g_getenv ("CONCLAVE_SLOW") ? 6000
                                           : 200000;

  run_row (row, n * row->share / 100,
      seed ? (guint32) g_ascii_strtoull (seed, NULL, 10)
           : 20260 + (guint32) __i__);
}
GST_END_TEST;

static Suite *
srtp_differential_suite (void)
{
  Suite *suite = suite_create ("srtp-differential");
  TCase *tc = tcase_create ("beside libsrtp2");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 0);
  tcase_add_loop_test (tc, same_bytes_and_same_decisions_as_libsrtp2, 0,
      (int) G_N_ELEMENTS (rows));
  return suite;
}

PURE_CHECK_MAIN (srtp_differential)

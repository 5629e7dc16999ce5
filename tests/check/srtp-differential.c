/* Our SRTP beside libsrtp2's, packet by packet: the same bytes out, the same packets accepted, the same ones refused,
 * over random packets with loss, reordering, duplicates, forgeries, wraps and SSRCs that come and go; and over new keys
 * with and without MKI, ROCs that are told, and tables that are full, where libsrtp2's never is.
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
#define N_IN_TURNS                                                            \
  14 /* with full tables; of those that make room as many are remembered as there are streams */
#define HELD 40 /* packets on their way at one time */
#define ROOM 2048

typedef struct
{
  SrtpCipher cipher;
  SrtpAuth auth;
  SrtpBackend backend;
  gboolean clear_rtcp;
  guint share; /* of the packets asked for, in percent */
  guint
      mki_len; /* with an MKI libsrtp2's receiver has all keys from the beginning */
  guint
      rekey_every; /* packets, 0: never. Without MKI nothing is on its way then */
  guint max_ssrcs; /* 0: more than there are */
} Row;

static const Row rows[] = {
  { SRTP_AES_256_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_GNUTLS, FALSE, 100 },
  { SRTP_AES_128_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_GNUTLS, FALSE, 100 },
  { SRTP_AES_256_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_GNUTLS, TRUE, 30 },
  { SRTP_AES_128_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_LIBSRTP2, FALSE, 20 },
  { SRTP_AES_128_ICM, SRTP_AUTH_HMAC_SHA1_80, SRTP_BACKEND_AUTO, FALSE, 10 },
  { SRTP_AES_256_ICM, SRTP_AUTH_HMAC_SHA1_32, SRTP_BACKEND_AUTO, FALSE, 10 },
  { SRTP_AES_128_ICM, SRTP_AUTH_HMAC_SHA1_80, SRTP_BACKEND_AUTO, TRUE, 10 },
  { SRTP_AES_256_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_GNUTLS, FALSE, 20, 0, 2500,
      0 },
  { SRTP_AES_128_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_GNUTLS, FALSE, 20, 0, 400,
      8 },
  { SRTP_AES_128_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_LIBSRTP2, FALSE, 10, 0, 400,
      8 },
  { SRTP_AES_128_ICM, SRTP_AUTH_HMAC_SHA1_80, SRTP_BACKEND_AUTO, FALSE, 10, 0,
      400, 8 },
  { SRTP_AES_256_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_GNUTLS, FALSE, 10, 5, 3000,
      0 },
  { SRTP_AES_128_ICM, SRTP_AUTH_HMAC_SHA1_80, SRTP_BACKEND_AUTO, FALSE, 10, 3,
      3000, 0 },
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
  const Row *row;
  SrtpConfig config;
  GRand *rand;
  SrtpSession *sender, *receiver;
  srtp_t raw_sender, raw_receiver;
  Source sources[N_SSRCS];
  Flying held[HELD];
  guint n_held;
  guint key, since_rekey,
      first_active; /* with full tables a few sources are active under each key */
  guint64 full, told;
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

static Source *
choose_source (World *w)
{
  return &w->sources[w->row->max_ssrcs > 0
                         ? (w->first_active + below (w, 5)) % N_IN_TURNS
                         : below (w, N_SSRCS)];
}

static gsize
random_packet (World *w, gboolean rtcp, guint8 *out)
{
  Source *source = choose_source (w);

  if (below (w, 2000) == 0 && w->row->max_ssrcs == 0)
    renew_source (w, source);
  if (rtcp)
    return make_rtcp (
        out, ROOM - SRTP_MAX_TRAILER_LEN, source->ssrc, below (w, 32));

  /* With MKIs an old key may come to late indices only; a stream that is back takes late ones that libsrtp2 does not. */
  gboolean forwards = w->row->mki_len > 0 || w->row->max_ssrcs > 0;
  guint what = forwards ? 0 : below (w, 100), late = 0;
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
  /* In place and from one buffer to another in turns. */
  const guint8 *in = below (w, 2) ? ours : plain;
  SrtpResult result = rtcp ? srtp_session_protect_rtcp (w->sender, in, len,
                          ours, sizeof ours, &our_len, NULL)
                           : srtp_session_protect_rtp (w->sender, in, len,
                               ours, sizeof ours, &our_len, NULL);
  if (result == SRTP_TOO_MANY_SSRCS) {
    w->full++;
    w->sent++;
    return;
  }
  /* Under a new key libsrtp2 would send the last packets once more. */
  if (w->row->rekey_every > 0
      && (result == SRTP_REPLAYED || result == SRTP_TOO_OLD)) {
    w->refused_to_send++;
    w->sent++;
    return;
  }
  guint use_mki = w->row->mki_len > 0, mki = use_mki ? w->key : 0;
  srtp_err_status_t status = rtcp ? srtp_protect_rtcp_mki (w->raw_sender,
                                 theirs, &their_len, use_mki, mki)
                                  : srtp_protect_mki (w->raw_sender, theirs,
                                      &their_len, use_mki, mki);
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
  const guint8 *in = below (w, 2) ? ours : f->bytes;
  SrtpResult result = f->rtcp ? srtp_session_unprotect_rtcp (w->receiver, in,
                          f->len, ours, sizeof ours, &our_len, &info)
                              : srtp_session_unprotect_rtp (w->receiver, in,
                                  f->len, ours, sizeof ours, &our_len, &info);
  if (result == SRTP_TOO_MANY_SSRCS) {
    w->full++;
    return;
  }
  guint use_mki = w->row->mki_len > 0;
  srtp_err_status_t status = f->rtcp ? srtp_unprotect_rtcp_mki (
                                 w->raw_receiver, theirs, &their_len, use_mki)
                                     : srtp_unprotect_mki (w->raw_receiver,
                                         theirs, &their_len, use_mki);
  /* After a new key libsrtp2 knows a repeated packet by its tag only. */
  gboolean same = w->row->rekey_every > 0
                      ? (status == srtp_err_status_ok) == (result == SRTP_OK)
                      : g_str_equal (class_of (status), our_class (result));
  /* Whether a packet is long enough is looked at before its index here, and after it there. */
  fail_unless (same || (result == SRTP_MALFORMED && status != 0),
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
make_key (World *w, guint number, guint8 *key, guint8 *mki)
{
  for (guint i = 0; i < 64; i++)
    key[i] = (guint8) (i * 7 + number * 131 + (number >> 8) * 17 + 1);
  memcpy (key, &number, sizeof number);
  memset (mki, 0xa0 + (gint) number, w->row->mki_len);
}

static void
set_keys (World *w, guint number, gboolean again)
{
  guint8 key[64], mki[SRTP_MAX_MKI];
  make_key (w, number, key, mki);
  Secret *secret = secret_copy (key, srtp_config_key_len (&w->config));
  SrtpSession *sides[] = { w->receiver, w->sender };

  for (guint i = 0; i < 2; i++)
    fail_unless_equals_int (
        again ? srtp_session_rekey (sides[i], secret, mki, w->row->mki_len)
              : srtp_session_set_key (sides[i], secret, mki, w->row->mki_len),
        SRTP_OK);
  secret_unref (secret);
}

#define N_KEYS 16 /* what libsrtp2 takes: SRTP_MAX_NUM_MASTER_KEYS */

/* libsrtp2's session with the key of this number, or with all of them and MKIs. */
static srtp_t
raw_with_keys (World *w, SrtpDirection direction)
{
  guint8 keys[N_KEYS][64], mkis[N_KEYS][SRTP_MAX_MKI];
  srtp_master_key_t masters[N_KEYS], *list[N_KEYS];
  SrtpConfig config = w->config;

  config.direction = direction;
  if (w->row->mki_len == 0) {
    make_key (w, w->key, keys[0], mkis[0]);
    return raw_new (&config, keys[0]);
  }
  for (guint i = 0; i < N_KEYS; i++) {
    make_key (w, i, keys[i], mkis[i]);
    masters[i] = (srtp_master_key_t){ keys[i], mkis[i], w->row->mki_len };
    list[i] = &masters[i];
  }
  return raw_new_with (&config, NULL, list, N_KEYS);
}

/* Both sides of both go over to the next key. */
static void
rekey (World *w)
{
  guint8 key[64], mki[SRTP_MAX_MKI];

  if (w->row->mki_len > 0 && w->key + 1 == N_KEYS)
    return;
  set_keys (w, ++w->key, TRUE);
  w->first_active += 3;
  w->since_rekey = 0;
  if (w->row->mki_len > 0)
    return;
  make_key (w, w->key, key, mki);
  w->config.direction = SRTP_SEND;
  raw_update (w->raw_sender, &w->config, key);
  w->config.direction = SRTP_RECEIVE;
  raw_update (w->raw_receiver, &w->config, key);
}

/* A ROC further on, told to all four. By two at least: libsrtp2 keeps what it was told if the next index is near. Only for a
 * source that is far from its next wrap: whether the first packet that arrives is before or after it, libsrtp2 takes what
 * it was told for that packet's ROC, while ours counts on from the last sequence number. */
static void
tell_roc (World *w)
{
  Source *source = choose_source (w);
  guint32 ssrc = source->ssrc;
  guint64 index;

  if (source->seq + 100 * source->max_step > 65535)
    return;
  if (!srtp_session_get_index (w->sender, ssrc, &index)
      || !srtp_session_get_index (w->receiver, ssrc, &index))
    return;
  srtp_session_get_index (w->sender, ssrc, &index);
  guint32 roc = (guint32) (index >> 16) + 2 + below (w, 1000);
  /* One that made room is not in the table, nor told of here. */
  if (srtp_set_stream_roc (w->raw_receiver, ssrc, roc) != srtp_err_status_ok)
    return;
  fail_unless_equals_int (srtp_set_stream_roc (w->raw_sender, ssrc, roc), 0);
  fail_unless_equals_int (
      srtp_session_set_roc (w->sender, ssrc, roc), SRTP_OK);
  fail_unless_equals_int (
      srtp_session_set_roc (w->receiver, ssrc, roc), SRTP_OK);
  w->told++;
}

static void
change_something (World *w)
{
  if (w->row->rekey_every == 0 || w->since_rekey < w->row->rekey_every)
    return;
  while (w->n_held > 0 && w->row->mki_len == 0)
    receive_one (w);
  rekey (w);
  for (guint i = below (w, 4); i > 0 && w->row->mki_len == 0; i--)
    tell_roc (w); /* libsrtp2 would forget it with srtp_update() */
}

static void
run_row (const Row *row, guint64 packets, guint32 seed)
{
  World w = { .row = row, .rand = g_rand_new_with_seed (seed) };

  srtp_config_init (&w.config, SRTP_SEND);
  w.config.rtp_cipher = w.config.rtcp_cipher = row->cipher;
  w.config.rtp_auth = w.config.rtcp_auth = row->auth;
  w.config.backend = row->backend;
  w.config.clear_rtcp = row->clear_rtcp;
  w.config.window =
      64u << (below (&w, 5)); /* libsrtp2 rounds up to words of 32 */
  w.config.max_ssrcs = row->max_ssrcs > 0 ? row->max_ssrcs : SRTP_MAX_SSRCS;
  w.sender = srtp_session_new (&w.config, NULL);
  w.raw_sender = raw_with_keys (&w, SRTP_SEND);
  w.config.direction = SRTP_RECEIVE;
  w.config.max_ssrcs = SRTP_MAX_SSRCS;
  w.receiver = srtp_session_new (&w.config, NULL);
  w.raw_receiver = raw_with_keys (&w, SRTP_RECEIVE);
  set_keys (&w, 0, FALSE);
  for (guint i = 0; i < N_SSRCS; i++)
    renew_source (&w, &w.sources[i]);

  while (w.sent < packets) {
    change_something (&w);
    guint64 before = w.sent;
    while (w.n_held < HELD && w.sent < before + 200)
      send_one (&w);
    w.since_rekey += (guint) (w.sent - before);
    guint n = below (&w, HELD);
    while (w.n_held > n)
      receive_one (&w);
  }
  printf ("seed %u, suite %d, backend %d, %u keys, %" G_GUINT64_FORMAT
          " ROCs told, %" G_GUINT64_FORMAT " without room: %" G_GUINT64_FORMAT
          " sent (%" G_GUINT64_FORMAT " refused), %" G_GUINT64_FORMAT
          " accepted, refused: %" G_GUINT64_FORMAT
          " auth-failed, %" G_GUINT64_FORMAT " replayed, %" G_GUINT64_FORMAT
          " too-old, %" G_GUINT64_FORMAT " malformed\n",
      seed, row->cipher, row->backend, w.key + 1, w.told, w.full, w.sent,
      w.refused_to_send, w.accepted, w.refused[SRTP_UNAUTHENTIC],
      w.refused[SRTP_REPLAYED], w.refused[SRTP_TOO_OLD],
      w.refused[SRTP_MALFORMED]);
  /* The world was as rough as it should be. */
  fail_unless (w.accepted > packets / 3);
  gboolean many = packets >= 10 * row->rekey_every;
  fail_unless (row->rekey_every == 0 || !many || w.key > 2);
  if (row->max_ssrcs > 0 && many) { /* and streams did make room */
    SrtpStats stats;
    srtp_session_stats (w.sender, &stats);
    fail_unless (stats.others.results[SRTP_OK] > packets / 5);
  }
  fail_unless (w.refused[SRTP_UNAUTHENTIC] > 0 && w.refused[SRTP_REPLAYED] > 0
               && w.refused[SRTP_TOO_OLD] > 0);

  srtp_session_free (w.sender);
  srtp_session_free (w.receiver);
  srtp_dealloc (w.raw_sender);
  srtp_dealloc (w.raw_receiver);
  g_rand_free (w.rand);
}

GST_START_TEST (same_bytes_and_same_decisions_as_libsrtp2)
{
  const Row *row = &rows[__i__];
  const char *packets = g_getenv ("CONCLAVE_SRTP_PACKETS"),
             *seed = g_getenv ("CONCLAVE_SEED");
  guint64 n = packets ? g_ascii_strtoull (packets, NULL, 10)
              : g_getenv ("CONCLAVE_SLOW") ? 6000
                                           : 800000;

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

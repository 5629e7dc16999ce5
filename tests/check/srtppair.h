/* Sessions, pairs of them, and packets for the tests of SRTP sessions.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pure.h"

#include "srtp-packets.h"

#include "ext/srtp/transform.h"

#define ROOM (SRTP_MAX_PACKET + SRTP_MAX_OVERHEAD)
#define SSRC 0x01020304u

/* Every suite on every backend that does it. */
typedef struct
{
  SrtpCipher cipher;
  SrtpAuth auth;
  SrtpBackend backend;
} Suit;

static const Suit suits[] = {
  { SRTP_AES_256_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_GNUTLS },
  { SRTP_AES_128_GCM, SRTP_AUTH_NULL, SRTP_BACKEND_GNUTLS },
  { SRTP_AES_256_GCM, SRTP_AUTH_NULL, SRTP_BACKEND_LIBSRTP2 },
  { SRTP_AES_128_GCM, SRTP_AUTH_AUTO, SRTP_BACKEND_LIBSRTP2 },
  { SRTP_AES_256_ICM, SRTP_AUTH_AUTO, SRTP_BACKEND_AUTO },
  { SRTP_AES_256_ICM, SRTP_AUTH_HMAC_SHA1_32, SRTP_BACKEND_LIBSRTP2 },
  { SRTP_AES_128_ICM, SRTP_AUTH_HMAC_SHA1_80, SRTP_BACKEND_AUTO },
  { SRTP_AES_128_ICM, SRTP_AUTH_HMAC_SHA1_32, SRTP_BACKEND_AUTO },
};

#define N_SUITS ((int) G_N_ELEMENTS (suits))

static guint8 packet[ROOM], wire[ROOM], plain[ROOM];

static inline SrtpConfig
config_of (const Suit *suit, SrtpDirection direction)
{
  SrtpConfig config;
  srtp_config_init (&config, direction);
  config.rtp_cipher = config.rtcp_cipher = suit->cipher;
  config.rtp_auth = config.rtcp_auth = suit->auth;
  config.backend = suit->backend;
  return config;
}

/* A key of this session's length, every one of `number` another. */
static Secret *
key_for (const SrtpSession *session, guint8 number)
{
  Secret *key =
      secret_new (srtp_config_key_len (srtp_session_config (session)));
  for (gsize i = 0; i < secret_len (key); i++)
    secret_bytes (key)[i] = (guint8) (i * 11 + number * 37 + 1);
  return key;
}

static inline SrtpResult
set_key (SrtpSession *session, guint8 number, const char *mki)
{
  Secret *key = key_for (session, number);
  SrtpResult result =
      srtp_session_set_key (session, key, mki, mki ? strlen (mki) : 0);
  secret_unref (key);
  return result;
}

static inline SrtpResult
rekey (SrtpSession *session, guint8 number, const char *mki)
{
  Secret *key = key_for (session, number);
  SrtpResult result =
      srtp_session_rekey (session, key, mki, mki ? strlen (mki) : 0);
  secret_unref (key);
  return result;
}

static SrtpSession *
session_of (const SrtpConfig *config, guint8 key, const char *mki)
{
  SrtpSession *session = srtp_session_new (config, NULL);
  fail_unless (session != NULL);
  fail_unless_equals_int (set_key (session, key, mki), SRTP_OK);
  return session;
}

/* A sender and a receiver of one suite with key 1. */
typedef struct
{
  SrtpSession *sender, *receiver;
} Pair;

static inline Pair
pair_with (const Suit *suit, const char *mki)
{
  SrtpConfig sending = config_of (suit, SRTP_SEND),
             receiving = config_of (suit, SRTP_RECEIVE);
  return (
      Pair){ session_of (&sending, 1, mki), session_of (&receiving, 1, mki) };
}

static inline void
pair_clear (Pair *pair)
{
  srtp_session_free (pair->sender);
  srtp_session_free (pair->receiver);
}

/* A packet of 40 bytes to `out`; its length, or 0 with the refusal in `result`. */
static inline gsize
send_rtp (SrtpSession *sender, guint32 ssrc, guint16 seq, guint8 *out,
    SrtpResult *result)
{
  gsize len = make_rtp (packet, sizeof packet, ssrc, seq, 0, -1, 28),
        out_len = 0;
  *result = srtp_session_protect_rtp (
      sender, packet, len, out, ROOM, &out_len, NULL);
  return *result == SRTP_OK ? out_len : 0;
}

static inline gsize
must_send (SrtpSession *sender, guint32 ssrc, guint16 seq, guint8 *out)
{
  SrtpResult result;
  gsize len = send_rtp (sender, ssrc, seq, out, &result);
  fail_unless (result == SRTP_OK, "sequence number %u not sent: %s", seq,
      srtp_result_name (result));
  return len;
}

static inline SrtpResult
receive_rtp (SrtpSession *receiver, const guint8 *in, gsize len)
{
  gsize out_len;
  return srtp_session_unprotect_rtp (
      receiver, in, len, plain, sizeof plain, &out_len, NULL);
}

/* Sent with this sequence number, and what becomes of it at the receiver. */
static inline SrtpResult
pass (Pair *pair, guint16 seq)
{
  gsize len = must_send (pair->sender, SSRC, seq, wire);
  return receive_rtp (pair->receiver, wire, len);
}

static inline gsize
send_rtcp (SrtpSession *sender, guint32 ssrc, guint8 *out)
{
  gsize len = make_rtcp (packet, sizeof packet, ssrc, 2), out_len = 0;
  fail_unless_equals_int (srtp_session_protect_rtcp (
                              sender, packet, len, out, ROOM, &out_len, NULL),
      SRTP_OK);
  return out_len;
}

static inline SrtpResult
receive_rtcp (SrtpSession *receiver, const guint8 *in, gsize len)
{
  gsize out_len;
  return srtp_session_unprotect_rtcp (
      receiver, in, len, plain, sizeof plain, &out_len, NULL);
}

static inline guint64
count_of (const SrtpSession *session, SrtpResult result)
{
  SrtpStats stats;
  srtp_session_stats (session, &stats);
  return stats.counters.results[result];
}

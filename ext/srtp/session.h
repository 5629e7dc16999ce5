/* SRTP (RFC 3711) with AES-CM and AES-GCM (RFC 7714): packets in, packets out.
 *
 *     SRTP    RTP header | ciphertext | [MKI] | tag          GCM: ciphertext with its tag | [MKI]
 *     SRTCP   8 bytes | ciphertext | E, index | [MKI] | tag  GCM: ciphertext with its tag | E, index | [MKI]
 *
 * A session is one direction under one master key (two or more while it changes) for any number of SSRCs: an SSRC costs
 * nothing until its first authentic packet, and the session keys belong to the master key, not to the SSRC. The session
 * owns the packet indices. As a sender it never uses one twice for an SSRC under one key, whatever it is told; as a
 * receiver it commits ROC, replay window and streams only after authentication.
 *
 * Two packet transforms stand behind it: AES-GCM on keyed GnuTLS handles, and libsrtp2 for every suite.
 *
 * No call allocates per packet. A session is used by one thread at a time; sessions are independent of each other.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../sodium/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SRTP_MUST_USE __attribute__ ((warn_unused_result))

#define SRTP_MAX_MKI                                                          \
  128 /* RFC 3711, 3.1: the MKI's length is fixed per session; 128 bytes as in SDES, RFC 4568 */
#define SRTP_MAX_TAG 16 /* RFC 7714, 13.2 */
#define SRTP_MAX_OVERHEAD (SRTP_MAX_TAG + 4 + SRTP_MAX_MKI)
#define SRTP_MAX_PACKET                                                       \
  65535 /* what UDP carries, of a protected packet; longer ones are malformed, for either side */
#define SRTP_MIN_WINDOW 64 /* RFC 3711, 3.3.2 */
#define SRTP_MAX_WINDOW                                                       \
  32767 /* an index further back than half the sequence space cannot be told */
#define SRTP_RTCP_WINDOW 128
#define SRTP_MAX_KEYS 4      /* ours: master keys alive at one time */
#define SRTP_MAX_SSRCS 65536 /* ours: streams a session can be told to keep */
#define SRTP_KEY_LINGER                                                       \
  4096 /* ours: authentic packets under a new key after which the old one is dropped */
#define SRTP_KEY_SILENT                                                       \
  64 /* ours: authentic packets per active stream after which a key that had none of them may make room for another */
#define SRTP_MAX_STRANGERS                                                    \
  64 /* ours: SSRCs without an authentic packet whose failures are told apart, the last ones and those that go on */
#define SRTP_TELL_INTERVAL                                                    \
  1024 /* ours: packets of any kind after which one more SSRC may be told to have failed */
#define SRTP_RTP_LIFETIME                                                     \
  (UINT64_C (1) << 48) /* RFC 3711, 9.2: packets under one master key */
#define SRTP_RTCP_LIFETIME (UINT64_C (1) << 31) /* likewise */

typedef enum
{
  SRTP_SEND,
  SRTP_RECEIVE
} SrtpDirection;

typedef enum
{
  SRTP_AES_256_GCM,
  SRTP_AES_128_GCM,
  SRTP_AES_256_ICM,
  SRTP_AES_128_ICM
} SrtpCipher;

typedef enum
{
  SRTP_AUTH_AUTO, /* none of its own with GCM, HMAC-SHA1-80 with ICM */
  SRTP_AUTH_NULL, /* only with GCM */
  SRTP_AUTH_HMAC_SHA1_32,
  SRTP_AUTH_HMAC_SHA1_80
} SrtpAuth;

typedef enum
{
  SRTP_BACKEND_AUTO, /* GnuTLS when both ciphers are GCM */
  SRTP_BACKEND_LIBSRTP2,
  SRTP_BACKEND_GNUTLS
} SrtpBackend;

/* SRTP_OK, or why a packet must be dropped. Only the last four are about the session rather than the packet. */
typedef enum
{
  SRTP_OK,
  SRTP_MALFORMED, /* not RTP or RTCP, or shorter than its headers, tag and MKI; or longer, protected, than SRTP_MAX_PACKET */
  SRTP_UNAUTHENTIC, /* another key or ROC, or changed on the way */
  SRTP_REPLAYED, /* this index was seen; as a sender: was used, and must not be used again */
  SRTP_TOO_OLD, /* older than the replay window; as a sender likewise */
  SRTP_NO_KEY, /* no key, none with this MKI, or one that this SSRC has left */
  SRTP_TOO_MANY_SSRCS, /* `max_ssrcs` streams exist */
  SRTP_KEY_SPENT, /* the key's packets, or the SSRC's indices, are used up; lasting: a new key is needed */
  SRTP_BAD_KEY, /* from setting a key: its length or its MKI's does not fit */
  SRTP_KEY_REUSED, /* from setting a key: it was replaced before, its indices are not remembered any more */
  SRTP_TOO_MANY_KEYS, /* from rekeying a receiver: SRTP_MAX_KEYS keys are alive, and the oldest is in use still */
  SRTP_NO_ROOM,       /* the output is too small */
  SRTP_FAILED         /* a library refused */
} SrtpResult;

#define SRTP_N_RESULTS (SRTP_FAILED + 1)

/* A short name for statistics, "auth-failed". */
const char *srtp_result_name (SrtpResult result);

typedef struct
{
  SrtpDirection direction;
  SrtpCipher rtp_cipher, rtcp_cipher;
  SrtpAuth rtp_auth, rtcp_auth;
  SrtpBackend backend;
  bool
      clear_rtcp; /* sending: SRTCP with E = 0, authenticated only. Receiving takes both */
  size_t window;    /* SRTP_MIN_WINDOW to SRTP_MAX_WINDOW packets */
  size_t max_ssrcs; /* 1 to SRTP_MAX_SSRCS */
  uint64_t
      lifetime; /* packets under one key, 1 to SRTP_RTP_LIFETIME; for SRTCP SRTP_RTCP_LIFETIME if that is less */
} SrtpConfig;

/* AES-256-GCM, window 1,024, 1,024 SSRCs, the RFC's lifetime. */
void srtp_config_init (SrtpConfig *config, SrtpDirection direction);

/* NULL, or a sentence for the user about what does not go together. */
const char *srtp_config_problem (const SrtpConfig *config);

/* Bytes of master key and master salt together, as one string: 28, 44 (GCM), 30, 46 (ICM). */
size_t srtp_config_key_len (const SrtpConfig *config);

/* True when the two make the same bytes from the same key: when `a`'s session can go on under `b`. */
bool srtp_config_same_crypto (const SrtpConfig *a, const SrtpConfig *b);

typedef struct SrtpSession SrtpSession;

/* A session without a key. `previous`, which may be NULL, is a session that this one stands in for: its keys, as far as
 * packets were under them, count as replaced, so that a change of settings cannot make an index be used again; what it was
 * told of SSRCs and has not used is carried over. NULL when the config has a problem or
 * memory is short. Call core_init() first. */
SrtpSession *srtp_session_new (
    const SrtpConfig *config, const SrtpSession *previous);

/* Wipes. Takes NULL. */
void srtp_session_free (SrtpSession *session);

const SrtpConfig *srtp_session_config (const SrtpSession *session);

/* Changes `window`, `max_ssrcs` and `lifetime`: for streams and keys that come later. */
void srtp_session_set_limits (
    SrtpSession *session, size_t window, size_t max_ssrcs, uint64_t lifetime);

/* The only key from now on, a new cryptographic context: every SSRC starts anew at ROC 0, or at the ROC or index that was
 * told since its last packet. Setting the newest key changes nothing, except that older ones are dropped. A key that was
 * replaced, or is about to be (an older one that lingers), is refused with SRTP_KEY_REUSED, since its indices are
 * forgotten; one that no packet was under may come back. `mki` has 0 to SRTP_MAX_MKI bytes. SRTP_OK, SRTP_BAD_KEY,
 * SRTP_KEY_REUSED or SRTP_FAILED (then nothing changed).
 *
 * Of all keys that were ever replaced none is taken again: after 1,024 of them they are remembered in 1 MiB by a filter
 * that, the more there were, the likelier refuses a fresh key as well (1 in 1,700 after 500,000 keys). */
SrtpResult srtp_session_set_key (SrtpSession *session, Secret *key,
    const void *mki, size_t mki_len) SRTP_MUST_USE;

/* Seamless rekeying: ROC, SRTCP indices and replay windows go on. A sender uses the new key from its next packet; a
 * receiver takes both, and drops the old one SRTP_KEY_LINGER authentic packets after the first under the new one. An
 * SSRC that has moved may not go back. The MKI's length is the session's; with length 0 the receiver tries.
 *
 * A receiver keeps SRTP_MAX_KEYS keys. One more takes the place of the oldest, unless that is in use: some stream has
 * not left it, and the last packet under it was not SRTP_KEY_SILENT authentic packets per active stream ago (at most
 * SRTP_KEY_LINGER). Then the result is SRTP_TOO_MANY_KEYS, nothing changed, and the caller waits for the sender to move,
 * or gives the old keys up with srtp_session_set_key() of the newest. Other results as there. */
SrtpResult srtp_session_rekey (SrtpSession *session, Secret *key,
    const void *mki, size_t mki_len) SRTP_MUST_USE;

/* Forgets all keys, which count as replaced, and all streams. What was told of SSRCs and has not been used stays. */
void srtp_session_clear_keys (SrtpSession *session);

/* Wipes all key material of a receiver, which then has no key, but keeps what makes the newest key safe to come back:
 * srtp_session_set_key() with that very key goes on with its streams, ROCs, replay windows and counters; with another
 * one it is replaced as ever. What stays is small: about 1 KiB with one stream and the default window. Of a sender this
 * is srtp_session_clear_keys(). */
void srtp_session_retire (SrtpSession *session);

bool srtp_session_has_key (const SrtpSession *session);

/* True when there are keys, and the lifetime of all of them is used up for RTP, or for RTCP: no packet can pass any more.
 * SRTP_KEY_SPENT alone does not say so: while keys change, an old one may be spent and a new one not. */
bool srtp_session_is_spent (const SrtpSession *session, bool rtcp);

/* Bytes that a protected packet gains: tag, MKI, for RTCP the E and index word. */
size_t srtp_session_rtp_overhead (const SrtpSession *session);
size_t srtp_session_rtcp_overhead (const SrtpSession *session);

/* What a call found out about a packet; `ssrc` and `index` are 0 when it did not come so far. */
typedef struct
{
  uint32_t ssrc;
  uint64_t
      index; /* RFC 3711, 3.3.1: 2^16 * ROC + SEQ; for RTCP the SRTCP index */
  bool new_stream; /* the first good packet of this SSRC */
  bool
      first_failure; /* SRTP_UNAUTHENTIC, or SRTP_NO_KEY though there are keys, and to be told of: once per SSRC that the session remembers, SRTP_MAX_STRANGERS
                        times and then once in SRTP_TELL_INTERVAL packets, so that a flood of SSRCs floods no log. An SSRC
                        that had to wait is told of with a later failure */
  bool recovered;    /* the first good packet of an SSRC that had failed */
  bool
      soft_limit; /* the key comes near the end of its lifetime: told once per key */
  uint32_t
      refused_in_row; /* packets of this SSRC (RTP and RTCP each for itself) since its last good one, this one included; 0
                         for a good one, and for an SSRC that the session does not know */
} SrtpInfo;

/* Protects `in`, `len` bytes, to `out`, which has `room` bytes, at least len + srtp_session_…_overhead(), and may be
 * `in` itself, not a partial overlap. `out_len` gets the length. `info` may be NULL. On any result but SRTP_OK `out`
 * holds nothing to be sent. */
SrtpResult srtp_session_protect_rtp (SrtpSession *session, const uint8_t *in,
    size_t len, uint8_t *out, size_t room, size_t *out_len,
    SrtpInfo *info) SRTP_MUST_USE;
SrtpResult srtp_session_protect_rtcp (SrtpSession *session, const uint8_t *in,
    size_t len, uint8_t *out, size_t room, size_t *out_len,
    SrtpInfo *info) SRTP_MUST_USE;

/* The same for a forwarder, which knows the packet index from where the packet came; its low 16 bits must be the
 * packet's sequence number. Any distance from the last one, forwards or within the window, will do. */
SrtpResult srtp_session_protect_rtp_at (SrtpSession *session, uint64_t index,
    const uint8_t *in, size_t len, uint8_t *out, size_t room, size_t *out_len,
    SrtpInfo *info) SRTP_MUST_USE;

/* Checks and decrypts `in`, `len` bytes, to `out`, which has `room` bytes, at least `len`, and may be `in` itself. On
 * any result but SRTP_OK `out` holds nothing that anyone may use, and nothing changed but counters. */
SrtpResult srtp_session_unprotect_rtp (SrtpSession *session, const uint8_t *in,
    size_t len, uint8_t *out, size_t room, size_t *out_len,
    SrtpInfo *info) SRTP_MUST_USE;
SrtpResult srtp_session_unprotect_rtcp (SrtpSession *session,
    const uint8_t *in, size_t len, uint8_t *out, size_t room, size_t *out_len,
    SrtpInfo *info) SRTP_MUST_USE;

/* RFC 5761, 4: whether these bytes, which arrived where RTP and RTCP share a port, are RTCP. */
bool srtp_is_rtcp (const uint8_t *packet, size_t len);

/* The SSRC of a packet, for those who choose a session by it. False when it is too short or no RTP or RTCP. */
bool srtp_packet_ssrc (
    const uint8_t *packet, size_t len, bool rtcp, uint32_t *ssrc);

/* The highest index sent or received for `ssrc`; false when there was none. */
bool srtp_session_get_index (
    const SrtpSession *session, uint32_t ssrc, uint64_t *index);

/* Tells a late joiner where the stream stands. With set_index the next packet's index is the nearest to `index`; with
 * set_roc ROC is `roc` (or a neighbour of it, if the sequence number wraps just then); with the ROC that the stream stands
 * at, nothing that was told before holds. Neither can go back behind what was sent or received: SRTP_TOO_OLD. Makes the stream, so it can give
 * SRTP_TOO_MANY_SSRCS or SRTP_FAILED. */
SrtpResult srtp_session_set_index (
    SrtpSession *session, uint32_t ssrc, uint64_t index) SRTP_MUST_USE;
SrtpResult srtp_session_set_roc (
    SrtpSession *session, uint32_t ssrc, uint32_t roc) SRTP_MUST_USE;

/* Snapshots. `results[SRTP_OK]` counts the good packets, the others those dropped. */
typedef struct
{
  uint64_t results[SRTP_N_RESULTS];
  uint64_t octets; /* of RTP and RTCP, without protection */
} SrtpCounters;

typedef struct
{
  uint32_t ssrc;
  bool authentic; /* false: only failures so far */
  bool has_index;
  uint64_t index;      /* as srtp_session_get_index() */
  uint32_t rtcp_index; /* the highest */
  SrtpCounters counters;
} SrtpStreamStats;

typedef struct
{
  SrtpCounters counters; /* all SSRCs, those not told apart included */
  SrtpCounters
      others; /* of SSRCs that were told apart and are not any more; the rest of the difference has no SSRC */
  size_t n_streams; /* SSRCs that srtp_session_stream_stats() knows */
  size_t n_keys;
} SrtpStats;

void srtp_session_stats (const SrtpSession *session, SrtpStats *out);

/* Up to `room` streams to `out`; returns how many. */
size_t srtp_session_stream_stats (
    const SrtpSession *session, SrtpStreamStats *out, size_t room);

/* Both in one pass, as plain memory to be read when whatever guards the session is released: an array of `n` streams to
 * free(). NULL when memory is short, with `n` 0. */
SrtpStreamStats *srtp_session_snapshot (
    const SrtpSession *session, SrtpStats *all, size_t *n);

/* Heap bytes that the session itself holds, without its libraries'. */
size_t srtp_session_memory (const SrtpSession *session);

/* SFrame (RFC 9605): secure frames for real-time media.
 *
 *     SFrame header | ciphertext | tag          AAD = SFrame header | metadata
 *
 * A key made by sframe_key_new() owns the counter it encrypts with: the counter only grows, so no caller can
 * use one twice. A key is used by one thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "reader.h"
#include "secret.h"
#include "writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IANA registry "SFrame Cipher Suites"; 1 to 5 are RFC 9605's, 4.5; 6 to 8 are registered by
 * draft-barnes-sframe-iana-256. */
typedef enum
{
  SFRAME_AES_128_CTR_HMAC_SHA256_80 = 0x0001,
  SFRAME_AES_128_CTR_HMAC_SHA256_64 = 0x0002,
  SFRAME_AES_128_CTR_HMAC_SHA256_32 = 0x0003,
  SFRAME_AES_128_GCM_SHA256_128 = 0x0004,
  SFRAME_AES_256_GCM_SHA512_128 = 0x0005,
  SFRAME_AES_256_CTR_HMAC_SHA512_80 = 0x0006,
  SFRAME_AES_256_CTR_HMAC_SHA512_64 = 0x0007,
  SFRAME_AES_256_CTR_HMAC_SHA512_32 = 0x0008
} SFrameSuite;

#define SFRAME_FIRST_SUITE SFRAME_AES_128_CTR_HMAC_SHA256_80
#define SFRAME_LAST_SUITE SFRAME_AES_256_CTR_HMAC_SHA512_32

#define SFRAME_MAX_HEADER 17 /* 4.3: config, KID and CTR of 8 bytes each */
#define SFRAME_MAX_TAG 16    /* 4.5, Table 1 */
#define SFRAME_MAX_OVERHEAD (SFRAME_MAX_HEADER + SFRAME_MAX_TAG)
#define SFRAME_MAX_METADATA                                                   \
  4096                         /* ours: metadata is copied behind the header */
#define SFRAME_MIN_BASE_KEY 16 /* ours: the least security any suite claims */
#define SFRAME_MAX_RATCHET_BITS                                               \
  16 /* ours: bounds what one frame can make us derive */

typedef enum
{
  SFRAME_OK,
  SFRAME_TOO_SHORT, /* shorter than its header says, or than header and tag */
  SFRAME_NOT_MINIMAL, /* a KID or CTR in more bytes than it needs */
  SFRAME_UNAUTHENTIC, /* wrong tag: another key, another KID's key, or changed on the way */
  SFRAME_COUNTER_SPENT, /* the key has no counter left; lasting */
  SFRAME_NO_ROOM,       /* the output is too small, or the metadata too long */
  SFRAME_FAILED         /* a library refused */
} SFrameResult;

typedef struct
{
  uint64_t kid;
  uint64_t ctr;
} SFrameHeader;

/* The name of a suite as the elements spell it, "aes-256-gcm-sha512-128"; NULL for a number not in the registry. */
const char *sframe_suite_name (SFrameSuite suite);

/* Bytes of tag (Nt), of hash (Nh) and of AEAD key (Nk; what MLS exports, 5.2) of a known suite. */
size_t sframe_suite_tag_len (SFrameSuite suite);
size_t sframe_suite_hash_len (SFrameSuite suite);
size_t sframe_suite_key_len (SFrameSuite suite);

/* 4.3. Bytes that sframe_header_write() needs, 1 to SFRAME_MAX_HEADER. */
size_t sframe_header_len (SFrameHeader header);
void sframe_header_write (Writer *out, SFrameHeader header);

/* Reads a header; what follows it is left in `in`. SFRAME_OK, SFRAME_TOO_SHORT or SFRAME_NOT_MINIMAL; `out` is
 * written only with SFRAME_OK. */
SFrameResult sframe_header_parse (Reader *in, SFrameHeader *out);

typedef struct SFrameKey SFrameKey;

/* 4.4.2: derives key and salt for (suite, kid) from `base_key`, and starts its counter at `first_ctr`. NULL for an
 * unknown suite, a base key shorter than SFRAME_MIN_BASE_KEY, or when memory is short. */
SFrameKey *sframe_key_new (
    SFrameSuite suite, uint64_t kid, Secret *base_key, uint64_t first_ctr);

/* Derives anew, for another KID and base key of the same suite, in the same memory; the counter starts at 0. For keys
 * that have to prove themselves first, so that a forged frame does not cost the system calls of guarded memory. False when
 * a library refuses: then the key can only be freed or derived anew. */
bool sframe_key_rederive (SFrameKey *key, uint64_t kid, Secret *base_key);

/* Wipes. Takes NULL. */
void sframe_key_free (SFrameKey *key);

uint64_t sframe_key_kid (const SFrameKey *key);

/* The counter of the next frame to `ctr`; false when it is spent. */
bool sframe_key_next_ctr (const SFrameKey *key, uint64_t *ctr);

/* Ends the key's life as an encryptor: as if its last counter were used. */
void sframe_key_spend (SFrameKey *key);

/* Bytes that the next frame gains: header and tag. */
size_t sframe_key_overhead (const SFrameKey *key);

/* 4.4.3: encrypts `frame`, `len` bytes, to `out`, which has `room` bytes and gets exactly
 * len + sframe_key_overhead() of them, told in `out_len`. `frame` may lie in `out` where the ciphertext will be, at
 * header length; no other overlap. `metadata` is authenticated, not sent. Never allocates.
 * SFRAME_OK; SFRAME_NO_ROOM and SFRAME_COUNTER_SPENT before anything is done; SFRAME_FAILED, which uses up a
 * counter and leaves nothing to be sent in `out`. */
SFrameResult sframe_encrypt (SFrameKey *key, const uint8_t *metadata,
    size_t metadata_len, const uint8_t *frame, size_t len, uint8_t *out,
    size_t room, size_t *out_len);

/* 4.4.4: checks and decrypts `sframe`, the whole of it, `len` bytes, whose header the caller has parsed to choose
 * `key`. `out` has room for `len` bytes, and may be the ciphertext's own place, sframe + header length; `out_len`
 * gets the plaintext's length. SFRAME_OK, SFRAME_TOO_SHORT, SFRAME_NOT_MINIMAL, SFRAME_NO_ROOM or SFRAME_UNAUTHENTIC;
 * nothing in `out` may be used but with SFRAME_OK. Replay is the caller's to check, afterwards (replay.h). */
SFrameResult sframe_decrypt (SFrameKey *key, const uint8_t *metadata,
    size_t metadata_len, const uint8_t *sframe, size_t len, uint8_t *out,
    size_t *out_len);

/* 5.1: the base key one ratchet step on. NULL when memory is short. */
Secret *sframe_ratchet (SFrameSuite suite, Secret *base_key);

/* The same to `next`, of sframe_suite_hash_len() bytes, which may be `base_key`. */
void sframe_ratchet_to (SFrameSuite suite, Secret *base_key, Secret *next);

/* The RTP payload format's per-SSRC base key (draft-ietf-avtcore-rtp-sframe): one distributed key, a key of its own
 * for each RTP stream. NULL when memory is short. */
Secret *sframe_ssrc_key (SFrameSuite suite, Secret *base_key, uint32_t ssrc);

/* The same to `own`, of sframe_suite_hash_len() bytes. */
void sframe_ssrc_key_to (
    SFrameSuite suite, Secret *base_key, uint32_t ssrc, Secret *own);

/* 5.2: KID = context << (S + E) | index << E | epoch mod 2^E. False when S + E > 63, `index` has more than S bits or
 * `context` more than are left. */
bool sframe_mls_kid (uint64_t epoch, unsigned epoch_bits, uint64_t index,
    unsigned index_bits, uint64_t context, uint64_t *kid);

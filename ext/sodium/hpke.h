/* HPKE (RFC 9180): encryption to a public key, in base mode.
 *
 * KEM DHKEM(X25519, HKDF-SHA256), KDF HKDF-SHA256, AEAD AES-128-GCM or ChaCha20-Poly1305. Two ways to use it:
 *
 *   hpke_seal(), hpke_open()        one message (6.1); what MLS needs
 *   hpke_sender(), hpke_receiver()  a context: many messages in order, and exported secrets
 *
 * Keys are raw X25519 keys of HPKE_KEY_LEN bytes. Private keys are the caller's to keep in guarded memory (secret.h)
 * and to wipe; what this file derives it wipes itself. All functions but those of one context may be called from
 * several threads. core_init() first.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Table 5, the AEAD identifiers of section 7.3. */
typedef enum
{
  HPKE_AES_128_GCM = 0x0001,
  HPKE_CHACHA20_POLY1305 = 0x0003
} HpkeAead;

#define HPKE_KEY_LEN 32 /* Nsk, Npk, Nenc (7.1) */
#define HPKE_TAG_LEN 16 /* Nt of both AEADs (7.3) */

/* 7.1.3: "SHOULD have at least Nsk bytes of entropy"; we refuse fewer bytes. */
#define HPKE_MIN_IKM 32

#define HPKE_MAX_CONTEXT 1024 /* ours: an exporter context is copied */
#define HPKE_MAX_EXPORT 8160  /* 5.3: L at most 255 * Nh */

/* 7.1.3, DeriveKeyPair: the key pair that belongs to `ikm`, always the same; it must be as secret as the key. False
 * when `ikm_len` < HPKE_MIN_IKM. */
bool hpke_derive_key_pair (const void *ikm, size_t ikm_len,
    uint8_t *private_key, uint8_t *public_key);

/* 4, GenerateKeyPair: a fresh one. False only if the library refuses. */
bool hpke_generate_key_pair (uint8_t *private_key, uint8_t *public_key);

/* The public key of a private one. */
bool hpke_public_key (const uint8_t *private_key, uint8_t *public_key);

/* 6.1, SealBase: encrypts `pt` to the holder of `public_key`. `enc` gets HPKE_KEY_LEN bytes, `ct` gets
 * pt_len + HPKE_TAG_LEN; `ct` may be `pt`. `info` and `aad` are authenticated and must be the same at the receiver;
 * each may be of any length, and NULL when empty.
 *
 * `seed` is the randomness of the ephemeral key pair, HPKE_KEY_LEN bytes that are used for this message and never
 * again, or NULL to draw them here.
 *
 * False when the public key is not a point of full order (7.1.4: the shared secret would be zero), the AEAD is unknown
 * or memory is short; nothing in `enc` or `ct` may be sent then. */
bool hpke_seal (HpkeAead aead, const uint8_t *public_key, const uint8_t *seed,
    const void *info, size_t info_len, const void *aad, size_t aad_len,
    const void *pt, size_t pt_len, uint8_t *enc, uint8_t *ct);

/* 6.1, OpenBase: `pt` gets ct_len - HPKE_TAG_LEN bytes and may be `ct`. `public_key` is the one of `private_key`, or
 * NULL to compute it here, which costs as much as the rest; a wrong one opens nothing.
 * False when the message is not authentic, not for this key, too short, or `enc` is not a point of full order; `pt`
 * then holds nothing that anyone may use. */
bool hpke_open (HpkeAead aead, const uint8_t *private_key,
    const uint8_t *public_key, const uint8_t *enc, const void *info,
    size_t info_len, const void *aad, size_t aad_len, const void *ct,
    size_t ct_len, uint8_t *pt);

/* An encryption context (5.1); used by one thread at a time. */
typedef struct HpkeContext HpkeContext;

/* 5.1.1, SetupBaseS and SetupBaseR, with the arguments of hpke_seal() and hpke_open(). NULL where those are false. */
HpkeContext *hpke_sender (HpkeAead aead, const uint8_t *public_key,
    const uint8_t *seed, const void *info, size_t info_len, uint8_t *enc);
HpkeContext *hpke_receiver (HpkeAead aead, const uint8_t *private_key,
    const uint8_t *public_key, const uint8_t *enc, const void *info,
    size_t info_len);

/* Wipes. Takes NULL. */
void hpke_context_free (HpkeContext *context);

/* 5.2: the next message of the sender. False, for ever, at the receiver's end and once the sequence numbers are used
 * up; they never repeat. */
bool hpke_context_seal (HpkeContext *context, const void *aad, size_t aad_len,
    const void *pt, size_t pt_len, uint8_t *ct);

/* 5.2: the next message at the receiver, in the sender's order. False, with the context as it was, for one that is
 * not authentic or not the next. */
bool hpke_context_open (HpkeContext *context, const void *aad, size_t aad_len,
    const void *ct, size_t ct_len, uint8_t *pt);

/* 5.3: a secret of `len` bytes for `exporter_context`, the same at both ends. False when `len` > HPKE_MAX_EXPORT or
 * `exporter_context_len` > HPKE_MAX_CONTEXT. */
bool hpke_context_export (const HpkeContext *context,
    const void *exporter_context, size_t exporter_context_len, uint8_t *out,
    size_t len);

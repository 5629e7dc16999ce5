/* Authenticated encryption behind one small interface, with the key schedule done once.
 *
 * AES-GCM is GnuTLS's, ChaCha20-Poly1305 libsodium's. AES-CTR with a truncated HMAC (RFC 9605, 4.5.1) is composed
 * here of Nettle's CTR mode (GnuTLS, which runs on Nettle, does not offer CTR) and GnuTLS's HMAC.
 *
 * An Aead is used by one thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum
{
  AEAD_AES_128_GCM,
  AEAD_AES_256_GCM,
  AEAD_CHACHA20_POLY1305,  /* RFC 8439, 12-byte nonce */
  AEAD_XCHACHA20_POLY1305, /* 24-byte nonce, may be random */
  AEAD_AES_128_CTR_HMAC_SHA256,
  AEAD_AES_256_CTR_HMAC_SHA512
} AeadAlgorithm;

#define AEAD_MAX_TAG_LEN 64
#define AEAD_MAX_NONCE_LEN 24

typedef struct Aead Aead;

/* Key and nonce length in bytes. CTR-HMAC keys are the cipher key followed by the HMAC key (16 + 32, 32 + 64). */
size_t aead_key_len (AeadAlgorithm algorithm);
size_t aead_nonce_len (AeadAlgorithm algorithm);

/* A context for `key`, of aead_key_len() bytes, with tags of `tag_len` bytes: 16 for GCM and ChaCha20, 4 to the
 * hash's length for CTR-HMAC. NULL for another length or when memory is short. */
Aead *aead_new (AeadAlgorithm algorithm, const uint8_t *key, size_t tag_len);

/* Another key of aead_key_len() bytes in the same context, algorithm and tag length unchanged: cheaper than a new one,
 * whose guarded memory costs several system calls. False when the library refuses: then the context can only be freed
 * or keyed again. */
bool aead_rekey (Aead *aead, const uint8_t *key);

/* Wipes the key. Takes NULL. */
void aead_free (Aead *aead);

/* Encrypts `in`, `len` bytes, to `out`, len + tag_len bytes with the tag last. `out` may be `in` itself, not a
 * partial overlap. The caller sees to it that no nonce is used twice under one key. False only if the library
 * refuses (memory, self-test): then `out` holds nothing to be sent. */
bool aead_seal (Aead *aead, const uint8_t *nonce, const void *aad,
    size_t aad_len, const uint8_t *in, size_t len, uint8_t *out);

/* Checks and decrypts `in`, `len` bytes with the tag last, to `out`, len - tag_len bytes; `out` may be `in` itself.
 * False when it is not authentic or too short; `out` then holds no plaintext that anyone may use. */
bool aead_open (Aead *aead, const uint8_t *nonce, const void *aad,
    size_t aad_len, const uint8_t *in, size_t len, uint8_t *out);

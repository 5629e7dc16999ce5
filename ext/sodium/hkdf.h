/* HKDF (RFC 5869) with SHA-256 and SHA-512, on libsodium's HMAC.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum
{
  HASH_SHA256,
  HASH_SHA512
} Hash;

#define HASH_MAX_LEN 64

/* Nh, the output length in bytes: 32 or 64. */
size_t hash_len (Hash hash);

/* HMAC (RFC 2104): hash_len() bytes to `out`. */
void hmac (Hash hash, const void *key, size_t key_len, const void *msg,
    size_t msg_len, uint8_t *out);

/* One of several byte strings that are hashed as if they were one. `bytes` may be NULL when `len` is 0. */
typedef struct
{
  const void *bytes;
  size_t len;
} HashPart;

/* The same over the concatenation of `count` parts, which is never built. */
void hmac_parts (Hash hash, const void *key, size_t key_len,
    const HashPart *parts, size_t count, uint8_t *out);

/* RFC 5869, 2.2: PRK = HMAC-Hash(salt, IKM), hash_len() bytes to `prk`. An absent salt is NULL, 0. */
void hkdf_extract (Hash hash, const void *salt, size_t salt_len,
    const void *ikm, size_t ikm_len, uint8_t *prk);

/* RFC 5869, 2.3: `out_len` bytes of OKM. False, with `out` untouched, when out_len > 255 * hash_len(). */
bool hkdf_expand (Hash hash, const void *prk, size_t prk_len, const void *info,
    size_t info_len, uint8_t *out, size_t out_len);

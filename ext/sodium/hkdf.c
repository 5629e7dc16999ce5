/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hkdf.h"

#include <sodium.h>
#include <string.h>

/* One HMAC in progress, for either hash. Holds key material: end it with hmac_end(). */
typedef struct
{
  Hash hash;
  union
  {
    crypto_auth_hmacsha256_state sha256;
    crypto_auth_hmacsha512_state sha512;
  } state;
} Hmac;

static void
hmac_begin (Hmac *h, Hash hash, const void *key, size_t key_len)
{
  static const uint8_t empty[1];
  h->hash = hash;
  if (hash == HASH_SHA256)
    crypto_auth_hmacsha256_init (
        &h->state.sha256, key_len ? key : empty, key_len);
  else
    crypto_auth_hmacsha512_init (
        &h->state.sha512, key_len ? key : empty, key_len);
}

static void
hmac_add (Hmac *h, const void *bytes, size_t len)
{
  if (len == 0)
    return;
  if (h->hash == HASH_SHA256)
    crypto_auth_hmacsha256_update (&h->state.sha256, bytes, len);
  else
    crypto_auth_hmacsha512_update (&h->state.sha512, bytes, len);
}

static void
hmac_end (Hmac *h, uint8_t *out)
{
  if (h->hash == HASH_SHA256)
    crypto_auth_hmacsha256_final (&h->state.sha256, out);
  else
    crypto_auth_hmacsha512_final (&h->state.sha512, out);
  sodium_memzero (h, sizeof *h);
}

size_t
hash_len (Hash hash)
{
  return hash == HASH_SHA256 ? 32 : 64;
}

void
hmac_parts (Hash hash, const void *key, size_t key_len, const HashPart *parts,
    size_t count, uint8_t *out)
{
  Hmac h;
  hmac_begin (&h, hash, key, key_len);
  for (size_t i = 0; i < count; i++)
    hmac_add (&h, parts[i].bytes, parts[i].len);
  hmac_end (&h, out);
}

void
hmac (Hash hash, const void *key, size_t key_len, const void *msg,
    size_t msg_len, uint8_t *out)
{
  hmac_parts (hash, key, key_len, &(HashPart){ msg, msg_len }, 1, out);
}

void
hkdf_extract (Hash hash, const void *salt, size_t salt_len, const void *ikm,
    size_t ikm_len, uint8_t *prk)
{
  /* "if not provided, [salt] is set to a string of HashLen zeros": what HMAC does to an empty key. */
  hmac (hash, salt, salt_len, ikm, ikm_len, prk);
}

bool
hkdf_expand (Hash hash, const void *prk, size_t prk_len, const void *info,
    size_t info_len, uint8_t *out, size_t out_len)
{
  size_t block_len = hash_len (hash), done = 0;
  uint8_t block[HASH_MAX_LEN];

  if (out_len > 255 * block_len)
    return false;
  /* T(i) = HMAC-Hash(PRK, T(i-1) | info | i) */
  for (uint8_t i = 1; done < out_len; i++) {
    Hmac h;
    hmac_begin (&h, hash, prk, prk_len);
    if (i > 1)
      hmac_add (&h, block, block_len);
    hmac_add (&h, info, info_len);
    hmac_add (&h, &i, 1);
    hmac_end (&h, block);

    size_t n = out_len - done < block_len ? out_len - done : block_len;
    memcpy (out + done, block, n);
    done += n;
  }
  sodium_memzero (block, sizeof block);
  return true;
}

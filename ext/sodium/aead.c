/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "aead.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <nettle/aes.h>
#include <nettle/ctr.h>
#include <sodium.h>
#include <string.h>

struct Aead
{
  AeadAlgorithm algorithm;
  size_t tag_len;
  gnutls_aead_cipher_hd_t gcm; /* GCM only */
  gnutls_hmac_hd_t mac;        /* CTR-HMAC only */
  union
  {
    struct aes128_ctx aes128;
    struct aes256_ctx aes256;
    uint8_t chacha[32];
  } key;
};

static const struct
{
  size_t key_len, cipher_key_len, nonce_len, max_tag_len;
  int gnutls; /* cipher or MAC */
} algorithms[] = {
  [AEAD_AES_128_GCM] = { 16, 16, 12, 16, GNUTLS_CIPHER_AES_128_GCM },
  [AEAD_AES_256_GCM] = { 32, 32, 12, 16, GNUTLS_CIPHER_AES_256_GCM },
  [AEAD_CHACHA20_POLY1305] = { 32, 32, 12, 16, 0 },
  [AEAD_XCHACHA20_POLY1305] = { 32, 32, 24, 16, 0 },
  [AEAD_AES_128_CTR_HMAC_SHA256] = { 16 + 32, 16, 12, 32, GNUTLS_MAC_SHA256 },
  [AEAD_AES_256_CTR_HMAC_SHA512] = { 32 + 64, 32, 12, 64, GNUTLS_MAC_SHA512 },
};

static bool
is_ctr_hmac (AeadAlgorithm algorithm)
{
  return algorithm == AEAD_AES_128_CTR_HMAC_SHA256
         || algorithm == AEAD_AES_256_CTR_HMAC_SHA512;
}

static bool
is_gcm (AeadAlgorithm algorithm)
{
  return algorithm == AEAD_AES_128_GCM || algorithm == AEAD_AES_256_GCM;
}

size_t
aead_key_len (AeadAlgorithm algorithm)
{
  return algorithms[algorithm].key_len;
}

size_t
aead_nonce_len (AeadAlgorithm algorithm)
{
  return algorithms[algorithm].nonce_len;
}

static void
drop_handles (Aead *aead)
{
  if (aead->gcm)
    gnutls_aead_cipher_deinit (aead->gcm);
  if (aead->mac)
    gnutls_hmac_deinit (aead->mac, NULL);
  aead->gcm = NULL;
  aead->mac = NULL;
}

bool
aead_rekey (Aead *aead, const uint8_t *key)
{
  AeadAlgorithm algorithm = aead->algorithm;
  size_t cipher_key_len = algorithms[algorithm].cipher_key_len;

  drop_handles (aead);
  if (is_gcm (algorithm)) {
    /* GnuTLS copies the key; its type is not const by oversight. */
    gnutls_datum_t k = { (unsigned char *) (uintptr_t) key,
      (unsigned) cipher_key_len };
    return gnutls_aead_cipher_init (&aead->gcm,
               (gnutls_cipher_algorithm_t) algorithms[algorithm].gnutls, &k)
           == 0;
  }
  if (is_ctr_hmac (algorithm)) {
    if (algorithm == AEAD_AES_128_CTR_HMAC_SHA256)
      aes128_set_encrypt_key (&aead->key.aes128, key);
    else
      aes256_set_encrypt_key (&aead->key.aes256, key);
    return gnutls_hmac_init (&aead->mac,
               (gnutls_mac_algorithm_t) algorithms[algorithm].gnutls,
               key + cipher_key_len,
               algorithms[algorithm].key_len - cipher_key_len)
           == 0;
  }
  memcpy (aead->key.chacha, key, sizeof aead->key.chacha);
  return true;
}

Aead *
aead_new (AeadAlgorithm algorithm, const uint8_t *key, size_t tag_len)
{
  size_t max = algorithms[algorithm].max_tag_len;
  if (is_ctr_hmac (algorithm) ? tag_len < 4 || tag_len > max : tag_len != max)
    return NULL;

  Aead *aead = sodium_malloc (sizeof *aead);
  if (!aead)
    return NULL;
  memset (aead, 0, sizeof *aead);
  aead->algorithm = algorithm;
  aead->tag_len = tag_len;
  if (!aead_rekey (aead, key)) {
    aead_free (aead);
    return NULL;
  }
  return aead;
}

void
aead_free (Aead *aead)
{
  if (!aead)
    return;
  drop_handles (aead);
  sodium_free (aead); /* wipes */
}

/* RFC 9605, 4.5.1: initial_counter = nonce + 0x00000000; CTR encryption and decryption are one operation. */
static void
apply_ctr (Aead *aead, const uint8_t *nonce, const uint8_t *in, size_t len,
    uint8_t *out)
{
  uint8_t counter[AES_BLOCK_SIZE] = { 0 };
  memcpy (counter, nonce, 12);
  if (aead->algorithm == AEAD_AES_128_CTR_HMAC_SHA256)
    ctr_crypt (&aead->key.aes128, (nettle_cipher_func *) aes128_encrypt,
        AES_BLOCK_SIZE, counter, len, out, in);
  else
    ctr_crypt (&aead->key.aes256, (nettle_cipher_func *) aes256_encrypt,
        AES_BLOCK_SIZE, counter, len, out, in);
}

/* RFC 9605, 4.5.1: HMAC(auth_key, aad_len u64 | ct_len u64 | tag_len u64 | nonce | aad | ct); the caller truncates. */
static bool
compute_tag (Aead *aead, const uint8_t *nonce, const void *aad, size_t aad_len,
    const uint8_t *ct, size_t ct_len, uint8_t *tag)
{
  uint8_t head[3 * 8 + 12];
  const uint64_t lengths[] = { aad_len, ct_len, aead->tag_len };
  for (size_t i = 0; i < 24; i++)
    head[i] = (uint8_t) (lengths[i / 8] >> (8 * (7 - i % 8)));
  memcpy (head + 24, nonce, 12);

  bool ok = gnutls_hmac (aead->mac, head, sizeof head) == 0
            && (aad_len == 0 || gnutls_hmac (aead->mac, aad, aad_len) == 0)
            && (ct_len == 0 || gnutls_hmac (aead->mac, ct, ct_len) == 0);
  gnutls_hmac_output (
      aead->mac, tag); /* also makes the handle ready for the next message */
  return ok;
}

bool
aead_seal (Aead *aead, const uint8_t *nonce, const void *aad, size_t aad_len,
    const uint8_t *in, size_t len, uint8_t *out)
{
  if (aead->gcm) {
    size_t room = len + aead->tag_len;
    return gnutls_aead_cipher_encrypt (aead->gcm, nonce, 12, aad, aad_len,
               aead->tag_len, in, len, out, &room)
           == 0;
  }
  if (aead->mac) {
    uint8_t tag[AEAD_MAX_TAG_LEN];
    apply_ctr (aead, nonce, in, len, out);
    bool ok = compute_tag (aead, nonce, aad, aad_len, out, len, tag);
    memcpy (out + len, tag, aead->tag_len);
    return ok;
  }
  if (aead->algorithm == AEAD_CHACHA20_POLY1305)
    return crypto_aead_chacha20poly1305_ietf_encrypt (
               out, NULL, in, len, aad, aad_len, NULL, nonce, aead->key.chacha)
           == 0;
  return crypto_aead_xchacha20poly1305_ietf_encrypt (
             out, NULL, in, len, aad, aad_len, NULL, nonce, aead->key.chacha)
         == 0;
}

bool
aead_open (Aead *aead, const uint8_t *nonce, const void *aad, size_t aad_len,
    const uint8_t *in, size_t len, uint8_t *out)
{
  if (len < aead->tag_len)
    return false;

  size_t plain_len = len - aead->tag_len;
  if (aead->gcm) {
    size_t room = plain_len;
    return gnutls_aead_cipher_decrypt (aead->gcm, nonce, 12, aad, aad_len,
               aead->tag_len, in, len, out, &room)
           == 0;
  }
  if (aead->mac) {
    uint8_t tag[AEAD_MAX_TAG_LEN];
    if (!compute_tag (aead, nonce, aad, aad_len, in, plain_len, tag)
        || sodium_memcmp (tag, in + plain_len, aead->tag_len) != 0)
      return false;
    apply_ctr (aead, nonce, in, plain_len, out);
    return true;
  }
  if (aead->algorithm == AEAD_CHACHA20_POLY1305)
    return crypto_aead_chacha20poly1305_ietf_decrypt (
               out, NULL, NULL, in, len, aad, aad_len, nonce, aead->key.chacha)
           == 0;
  return crypto_aead_xchacha20poly1305_ietf_decrypt (
             out, NULL, NULL, in, len, aad, aad_len, nonce, aead->key.chacha)
         == 0;
}

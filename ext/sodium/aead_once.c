/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "aead_once.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>

#define TAG_LEN 16
#define GCM_NONCE_LEN 12

/* A handle of GnuTLS's, which keeps a copy of the key until gnutls_aead_cipher_deinit() wipes it. */
static bool
open_gcm (
    AeadAlgorithm algorithm, const uint8_t *key, gnutls_aead_cipher_hd_t *gcm)
{
  /* GnuTLS copies the key; its type is not const by oversight. */
  gnutls_datum_t k = { (unsigned char *) (uintptr_t) key,
    (unsigned) aead_key_len (algorithm) };
  return gnutls_aead_cipher_init (gcm,
             algorithm == AEAD_AES_128_GCM ? GNUTLS_CIPHER_AES_128_GCM
                                           : GNUTLS_CIPHER_AES_256_GCM,
             &k)
         == 0;
}

bool
aead_seal_once (AeadAlgorithm algorithm, const uint8_t *key,
    const uint8_t *nonce, const void *aad, size_t aad_len, const uint8_t *in,
    size_t len, uint8_t *out)
{
  gnutls_aead_cipher_hd_t gcm;
  size_t room = len + TAG_LEN;

  switch (algorithm) {
    case AEAD_AES_128_GCM:
    case AEAD_AES_256_GCM:
      if (!open_gcm (algorithm, key, &gcm))
        return false;
      bool ok = gnutls_aead_cipher_encrypt (gcm, nonce, GCM_NONCE_LEN, aad,
                    aad_len, TAG_LEN, in, len, out, &room)
                == 0;
      gnutls_aead_cipher_deinit (gcm);
      return ok;
    case AEAD_CHACHA20_POLY1305:
      return crypto_aead_chacha20poly1305_ietf_encrypt (
                 out, NULL, in, len, aad, aad_len, NULL, nonce, key)
             == 0;
    case AEAD_XCHACHA20_POLY1305:
      return crypto_aead_xchacha20poly1305_ietf_encrypt (
                 out, NULL, in, len, aad, aad_len, NULL, nonce, key)
             == 0;
    default:
      return false;
  }
}

bool
aead_open_once (AeadAlgorithm algorithm, const uint8_t *key,
    const uint8_t *nonce, const void *aad, size_t aad_len, const uint8_t *in,
    size_t len, uint8_t *out)
{
  gnutls_aead_cipher_hd_t gcm;
  size_t room = len >= TAG_LEN ? len - TAG_LEN : 0;

  if (len < TAG_LEN)
    return false;
  switch (algorithm) {
    case AEAD_AES_128_GCM:
    case AEAD_AES_256_GCM:
      if (!open_gcm (algorithm, key, &gcm))
        return false;
      bool ok = gnutls_aead_cipher_decrypt (gcm, nonce, GCM_NONCE_LEN, aad,
                    aad_len, TAG_LEN, in, len, out, &room)
                == 0;
      gnutls_aead_cipher_deinit (gcm);
      return ok;
    case AEAD_CHACHA20_POLY1305:
      return crypto_aead_chacha20poly1305_ietf_decrypt (
                 out, NULL, NULL, in, len, aad, aad_len, nonce, key)
             == 0;
    case AEAD_XCHACHA20_POLY1305:
      return crypto_aead_xchacha20poly1305_ietf_decrypt (
                 out, NULL, NULL, in, len, aad, aad_len, nonce, key)
             == 0;
    default:
      return false;
  }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transform.h"

#include <nettle/aes.h>
#include <nettle/ctr.h>
#include <sodium.h>
#include <string.h>

void
srtp_derive (const uint8_t *key, size_t key_len, const uint8_t *salt,
    SrtpLabel label, uint8_t *out, size_t len)
{
  /* x = (label || index DIV 0) XOR master salt, and the key stream begins at x * 2^16. */
  uint8_t counter[AES_BLOCK_SIZE] = { 0 };
  memcpy (counter, salt, 14);
  counter[7] ^= (uint8_t) label;

  memset (out, 0, len);
  if (key_len == AES256_KEY_SIZE) {
    struct aes256_ctx aes;
    aes256_set_encrypt_key (&aes, key);
    ctr_crypt (&aes, (nettle_cipher_func *) aes256_encrypt, AES_BLOCK_SIZE,
        counter, len, out, out);
    sodium_memzero (&aes, sizeof aes);
  } else {
    struct aes128_ctx aes;
    aes128_set_encrypt_key (&aes, key);
    ctr_crypt (&aes, (nettle_cipher_func *) aes128_encrypt, AES_BLOCK_SIZE,
        counter, len, out, out);
    sodium_memzero (&aes, sizeof aes);
  }
  sodium_memzero (counter, sizeof counter);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transform.h"

#include <nettle/aes.h>
#include <sodium.h>
#include <string.h>

void
srtp_derive (const uint8_t *key, size_t key_len, const uint8_t *salt,
    SrtpLabel label, uint8_t *out, size_t len)
{
  /* Together, so that one call wipes them all. The library's own counter mode leaves key stream on the stack, which is key
   * here. */
  struct
  {
    struct aes256_ctx aes256;
    struct aes128_ctx aes128;
    uint8_t counter[AES_BLOCK_SIZE], block[AES_BLOCK_SIZE];
  } t = { 0 };

  /* x = (label || index DIV 0) XOR master salt, and the key stream begins at x * 2^16. */
  memcpy (t.counter, salt, 14);
  t.counter[7] ^= (uint8_t) label;
  if (key_len == AES256_KEY_SIZE)
    aes256_set_encrypt_key (&t.aes256, key);
  else
    aes128_set_encrypt_key (&t.aes128, key);

  /* No more blocks than the last byte of the counter tells apart. */
  for (size_t done = 0; done < len; done += AES_BLOCK_SIZE) {
    if (key_len == AES256_KEY_SIZE)
      aes256_encrypt (&t.aes256, AES_BLOCK_SIZE, t.block, t.counter);
    else
      aes128_encrypt (&t.aes128, AES_BLOCK_SIZE, t.block, t.counter);
    memcpy (out + done, t.block,
        len - done < AES_BLOCK_SIZE ? len - done : AES_BLOCK_SIZE);
    t.counter[15]++;
  }
  sodium_memzero (&t, sizeof t);
}

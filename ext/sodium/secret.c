/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "secret.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

struct Secret
{
  atomic_uint refs;
  size_t len;
  uint8_t bytes[];
};

bool
core_init (void)
{
  return sodium_init () >= 0;
}

Secret *
secret_new (size_t len)
{
  if (len == 0 || len > SECRET_MAX)
    return NULL;

  /* sodium_malloc puts the end of the block against the guard page; rounding keeps the header aligned. */
  size_t size =
      (sizeof (Secret) + len + _Alignof(Secret) - 1) & ~(_Alignof(Secret) - 1);
  Secret *secret = sodium_malloc (size);
  if (!secret)
    return NULL;
  memset (secret, 0, size);
  atomic_init (&secret->refs, 1);
  secret->len = len;
  return secret;
}

Secret *
secret_copy (const void *bytes, size_t len)
{
  Secret *secret = secret_new (len);
  if (secret)
    memcpy (secret->bytes, bytes, len);
  return secret;
}

Secret *
secret_random (size_t len)
{
  Secret *secret = secret_new (len);
  if (secret)
    randombytes_buf (secret->bytes, len);
  return secret;
}

static bool
is_space (char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* libsodium 1.0.18 takes every byte above 0x7f for a base64 digit (half of all binary files would be keys), and skips
 * NUL, which strchr() finds in any list of characters to ignore. */
static bool
is_ascii (const char *text, size_t len)
{
  bool ok = true;
  for (size_t i = 0; i < len; i++)
    ok &= text[i] != 0 && (unsigned char) text[i] < 0x80;
  return ok;
}

/* Base64 of either alphabet, with or without padding. libsodium has one variant a call and decodes in
 * constant time for a given length. */
static bool
decode_base64 (
    uint8_t *out, size_t room, const char *text, size_t len, size_t *out_len)
{
  static const int variants[] = { sodium_base64_VARIANT_ORIGINAL,
    sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_URLSAFE,
    sodium_base64_VARIANT_URLSAFE_NO_PADDING };

  for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
    if (sodium_base642bin (
            out, room, text, len, "\r\n", out_len, NULL, variants[i])
        == 0)
      return true;
  return false;
}

Secret *
secret_from_text (const char *text, size_t len)
{
  while (len > 0 && is_space (text[0]))
    text++, len--;
  while (len > 0 && is_space (text[len - 1]))
    len--;
  if (len == 0 || len > 4 * SECRET_MAX || !is_ascii (text, len))
    return NULL;

  /* Decoded in guarded memory, then copied to its exact size. */
  uint8_t *room = sodium_malloc (4 * SECRET_MAX);
  size_t out_len = 0;
  Secret *secret = NULL;
  if (!room)
    return NULL;
  if (sodium_hex2bin (room, 4 * SECRET_MAX, text, len, ": ", &out_len, NULL)
          == 0
      || decode_base64 (room, 4 * SECRET_MAX, text, len, &out_len))
    secret = secret_copy (room, out_len);
  sodium_free (room);
  return secret;
}

Secret *
secret_ref (Secret *secret)
{
  if (secret)
    atomic_fetch_add_explicit (&secret->refs, 1, memory_order_relaxed);
  return secret;
}

void
secret_unref (Secret *secret)
{
  if (secret
      && atomic_fetch_sub_explicit (&secret->refs, 1, memory_order_acq_rel)
             == 1)
    sodium_free (secret); /* wipes */
}

uint8_t *
secret_bytes (Secret *secret)
{
  return secret->bytes;
}

size_t
secret_len (const Secret *secret)
{
  return secret->len;
}

bool
secret_equal (Secret *a, Secret *b)
{
  return a->len == b->len && sodium_memcmp (a->bytes, b->bytes, a->len) == 0;
}

/* Memory for keys.
 *
 * A Secret lives in sodium_malloc memory (guard pages, canary, kept from swap and core dumps as far as
 * the system allows), is reference counted and wiped with its last reference. Make one per key, not per
 * packet: each costs several pages.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest secret this code takes from outside, in bytes. */
#define SECRET_MAX 1024

typedef struct Secret Secret;

/* Prepares libsodium. Call before anything else in ext/; safe to call again and from any thread.
 * False when the system has no random numbers: then nothing here may be used. */
bool core_init (void);

/* A secret of `len` bytes, 1 <= len <= SECRET_MAX, zeroed for the caller to fill through secret_bytes().
 * NULL when `len` is out of range or memory is short. */
Secret *secret_new (size_t len);

/* A secret that holds a copy of `bytes`; the caller wipes its own. */
Secret *secret_copy (const void *bytes, size_t len);

/* `len` fresh random bytes. */
Secret *secret_random (size_t len);

/* Decodes `text` of `len` characters: hexadecimal (either case; ':' and ' ' between bytes allowed), or else
 * base64 (standard or URL-safe alphabet, padding optional). White space around it is ignored. A text that
 * is valid hexadecimal is never read as base64. NULL when it is neither, empty or longer than SECRET_MAX. */
Secret *secret_from_text (const char *text, size_t len);

/* Reference counting is atomic. Both take NULL. */
Secret *secret_ref (Secret *secret);
void secret_unref (Secret *secret);

/* The bytes, valid as long as the reference is held. Write to them only right after secret_new(). */
uint8_t *secret_bytes (Secret *secret);
size_t secret_len (const Secret *secret);

/* Constant time for equal lengths. */
bool secret_equal (Secret *a, Secret *b);

/* For the `cleanup` attribute: releases and forgets. */
static inline void
secret_clear (Secret **secret)
{
  Secret *s = *secret;
  *secret = NULL;
  secret_unref (s);
}

/* Reads a file of at most a few KiB that holds a secret as text (secret_from_text()). NULL with `errno` set: the
 * system's when it cannot be read, EFBIG when it is too large, EINVAL when it holds no such text. What was read is
 * wiped. */
Secret *secret_from_file (const char *path);

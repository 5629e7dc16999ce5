/* What would take most of the time and tests nothing here: libsodium's guarded memory, and the same signature verified
 * again and again.
 *
 * libsodium's guarded memory costs six system calls a key, which is half of a simulated meeting's time. Here it is plain
 * memory (the linker's --wrap); what guards keys is tested elsewhere.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim.h"

#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>

void *__wrap_sodium_malloc (size_t size);
void *__wrap_sodium_allocarray (size_t count, size_t size);
void __wrap_sodium_free (void *memory);

void *
__wrap_sodium_malloc (size_t size)
{
  void *memory = malloc (size > 0 ? size : 1);
  if (memory)
    memset (memory, 0xdb, size); /* as libsodium's own */
  return memory;
}

void *
__wrap_sodium_allocarray (size_t count, size_t size)
{
  return size > 0 && count > SIZE_MAX / size
             ? NULL
             : __wrap_sodium_malloc (count * size);
}

void
__wrap_sodium_free (void *memory)
{
  if (memory)
    sodium_memzero (memory, malloc_usable_size (memory));
  free (memory);
}

int __wrap_sodium_mprotect_readonly (void *memory);

int
__wrap_sodium_mprotect_readonly (void *memory)
{
  return 0;
}

/* ---- Signatures ----
 *
 * All members of a group verify the same signatures: in a meeting of 200 that is most of what there is to compute. Whether a
 * signature is right depends on nothing but its bytes, so each is verified once in a world, by libsodium, and what came
 * out is remembered under a hash of them. */

int __real_crypto_sign_verify_detached (const unsigned char *signature,
    const unsigned char *message, unsigned long long len,
    const unsigned char *key);
int __wrap_crypto_sign_verify_detached (const unsigned char *signature,
    const unsigned char *message, unsigned long long len,
    const unsigned char *key);

static GHashTable *verified;

static guint
hash_of_hash (gconstpointer key)
{
  guint hash;
  memcpy (&hash, key, sizeof hash);
  return hash;
}

static gboolean
same_hash (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, crypto_generichash_BYTES) == 0;
}

void
memory_forget (void)
{
  if (verified)
    g_hash_table_unref (verified);
  verified = NULL;
}

int
__wrap_crypto_sign_verify_detached (const unsigned char *signature,
    const unsigned char *message, unsigned long long len,
    const unsigned char *key)
{
  crypto_generichash_state state;
  uint8_t hash[crypto_generichash_BYTES];
  gpointer known;

  crypto_generichash_init (&state, NULL, 0, sizeof hash);
  crypto_generichash_update (&state, key, crypto_sign_PUBLICKEYBYTES);
  crypto_generichash_update (&state, signature, crypto_sign_BYTES);
  crypto_generichash_update (&state, message, len);
  crypto_generichash_final (&state, hash, sizeof hash);
  if (!verified)
    verified
        = g_hash_table_new_full (hash_of_hash, same_hash, g_free, NULL);
  if (g_hash_table_lookup_extended (verified, hash, NULL, &known))
    return GPOINTER_TO_INT (known);
  int result = __real_crypto_sign_verify_detached (signature, message, len, key);
  g_hash_table_insert (
      verified, g_memdup2 (hash, sizeof hash), GINT_TO_POINTER (result));
  return result;
}

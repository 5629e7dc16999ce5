/* What would take most of the time and tests nothing here: libsodium's guarded memory, and the same secret derived or the
 * same signature verified again and again.
 *
 * libsodium's guarded memory costs six system calls a key, which is half of a simulated meeting's time. Here it is plain
 * memory (the linker's --wrap); what guards keys is tested elsewhere.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim.h"

#include "ext/sodium/hkdf.h"

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

/* ---- What was computed before ----
 *
 * All members of a group derive the same secrets from the same bytes, open the same ratchets and verify the same
 * signatures: in a meeting of 200 that is nearly all that there is to compute. What these functions give depends on nothing
 * but their inputs, so each input is computed once in a world, by the real function, and what came out is kept beside it.
 * Inputs are compared whole, so one result can't be taken for another. */

typedef struct
{
  uint64_t hash;
  uint32_t at, in_len; /* in `bytes`: the input, then the result */
} Computed;

static Computed *table;
static size_t n_slots, n_computed;
static uint8_t *bytes;
static size_t n_bytes, room;

/* An input as it is put together: what is computed, then each part behind its length. */
typedef struct
{
  uint64_t hash;
  size_t len;
} Input;

static void
put (Input *in, const void *data, size_t len)
{
  const uint8_t *at = data;
  uint64_t word = len, hash = in->hash;

  if (n_bytes + in->len + len + 8 + 64 > room) {
    room = MAX (2 * room, n_bytes + in->len + len + 4096);
    bytes = g_realloc (bytes, room);
  }
  uint8_t *to = bytes + n_bytes + in->len;
  memcpy (to, &word, 8);
  if (len > 0)
    memcpy (to + 8, data, len);
  in->len += 8 + len;
  hash = (hash ^ word) * 0xd6e8feb86659fd93u;
  for (size_t left = len; left > 0;) {
    size_t n = MIN (left, 8);
    word = 0;
    memcpy (&word, at, n);
    hash = (hash ^ hash >> 32 ^ word) * 0xd6e8feb86659fd93u;
    at += n;
    left -= n;
  }
  in->hash = hash ^ hash >> 29;
}

static Input
input (uint64_t function)
{
  Input in = { 0 };
  put (&in, &function, sizeof function);
  return in;
}

static Computed *
find_slot (const Input *in)
{
  size_t i = in->hash & (n_slots - 1);
  while (table[i].in_len > 0
         && (table[i].hash != in->hash || table[i].in_len != in->len
             || memcmp (bytes + table[i].at, bytes + n_bytes, in->len) != 0))
    i = (i + 1) & (n_slots - 1);
  return &table[i];
}

static void
grow (void)
{
  Computed *before = table;
  size_t n_before = n_slots;

  n_slots = n_slots > 0 ? 2 * n_slots : 1024;
  table = g_new0 (Computed, n_slots);
  for (size_t i = 0; i < n_before; i++)
    if (before[i].in_len > 0) {
      size_t at = before[i].hash & (n_slots - 1);
      while (table[at].in_len > 0)
        at = (at + 1) & (n_slots - 1);
      table[at] = before[i];
    }
  g_free (before);
}

/* Whether this was computed before: then `out` gets the result. */
static bool
recall (const Input *in, void *out, size_t out_len)
{
  if (2 * n_computed >= n_slots)
    grow ();
  const Computed *known = find_slot (in);
  if (known->in_len == 0)
    return false;
  memcpy (out, bytes + known->at + known->in_len, out_len);
  return true;
}

/* Directly after recall() has said no, and the real function has run. */
static void
remember (const Input *in, const void *out, size_t out_len)
{
  if (n_bytes + in->len + out_len > room) {
    room = 2 * room + out_len;
    bytes = g_realloc (bytes, room);
  }
  *find_slot (in) =
      (Computed){ in->hash, (uint32_t) n_bytes, (uint32_t) in->len };
  memcpy (bytes + n_bytes + in->len, out, out_len);
  n_bytes += in->len + out_len;
  n_computed++;
}

void
memory_forget (void)
{
  g_clear_pointer (&table, g_free);
  n_slots = n_computed = n_bytes = 0;
  if (room > (1u << 22)) {
    g_clear_pointer (&bytes, g_free);
    room = 0;
  }
}

enum
{
  EXPAND = 1,
  VERIFY,
  PUBLIC_KEY,
  KEY_PAIR
};

bool __real_hkdf_expand (Hash hash, const void *prk, size_t prk_len,
    const void *info, size_t info_len, uint8_t *out, size_t out_len);
bool __wrap_hkdf_expand (Hash hash, const void *prk, size_t prk_len,
    const void *info, size_t info_len, uint8_t *out, size_t out_len);

bool
__wrap_hkdf_expand (Hash hash, const void *prk, size_t prk_len,
    const void *info, size_t info_len, uint8_t *out, size_t out_len)
{
  Input in = input (EXPAND | (uint64_t) hash << 8 | (uint64_t) out_len << 16);

  put (&in, prk, prk_len);
  put (&in, info, info_len);
  if (recall (&in, out, out_len))
    return true;
  if (!__real_hkdf_expand (hash, prk, prk_len, info, info_len, out, out_len))
    return false;
  remember (&in, out, out_len);
  return true;
}

int __real_crypto_scalarmult_base (
    unsigned char *public_key, const unsigned char *secret);
int __wrap_crypto_scalarmult_base (
    unsigned char *public_key, const unsigned char *secret);

int
__wrap_crypto_scalarmult_base (
    unsigned char *public_key, const unsigned char *secret)
{
  Input in = input (PUBLIC_KEY);

  put (&in, secret, crypto_scalarmult_SCALARBYTES);
  if (recall (&in, public_key, crypto_scalarmult_BYTES))
    return 0;
  int result = __real_crypto_scalarmult_base (public_key, secret);
  if (result == 0)
    remember (&in, public_key, crypto_scalarmult_BYTES);
  return result;
}

int __real_crypto_sign_seed_keypair (unsigned char *public_key,
    unsigned char *secret, const unsigned char *seed);
int __wrap_crypto_sign_seed_keypair (unsigned char *public_key,
    unsigned char *secret, const unsigned char *seed);

/* Of an Ed25519 secret key the second half is the public key. */
int
__wrap_crypto_sign_seed_keypair (unsigned char *public_key,
    unsigned char *secret, const unsigned char *seed)
{
  Input in = input (KEY_PAIR);
  int result = 0;

  put (&in, seed, crypto_sign_SEEDBYTES);
  if (!recall (&in, secret, crypto_sign_SECRETKEYBYTES)) {
    result = __real_crypto_sign_seed_keypair (public_key, secret, seed);
    if (result == 0)
      remember (&in, secret, crypto_sign_SECRETKEYBYTES);
  }
  memcpy (
      public_key, secret + crypto_sign_SEEDBYTES, crypto_sign_PUBLICKEYBYTES);
  return result;
}

int __real_crypto_sign_verify_detached (const unsigned char *signature,
    const unsigned char *message, unsigned long long len,
    const unsigned char *key);
int __wrap_crypto_sign_verify_detached (const unsigned char *signature,
    const unsigned char *message, unsigned long long len,
    const unsigned char *key);

static Input
input_of_signature (const unsigned char *signature,
    const unsigned char *message, unsigned long long len,
    const unsigned char *key)
{
  Input in = input (VERIFY);

  put (&in, key, crypto_sign_PUBLICKEYBYTES);
  put (&in, signature, crypto_sign_BYTES);
  put (&in, message, len);
  return in;
}

int
__wrap_crypto_sign_verify_detached (const unsigned char *signature,
    const unsigned char *message, unsigned long long len,
    const unsigned char *key)
{
  Input in = input_of_signature (signature, message, len, key);
  int result;

  if (recall (&in, &result, sizeof result))
    return result;
  result = __real_crypto_sign_verify_detached (signature, message, len, key);
  remember (&in, &result, sizeof result);
  return result;
}

/* What libsodium signs here verifies with the key that stands in the secret key's second half: for seven signatures in
 * eight that is taken as computed, the others are verified all the same. */
#define VERIFIED_ANYWAY 8

int __real_crypto_sign_detached (unsigned char *signature,
    unsigned long long *signature_len, const unsigned char *message,
    unsigned long long len, const unsigned char *secret);
int __wrap_crypto_sign_detached (unsigned char *signature,
    unsigned long long *signature_len, const unsigned char *message,
    unsigned long long len, const unsigned char *secret);

int
__wrap_crypto_sign_detached (unsigned char *signature,
    unsigned long long *signature_len, const unsigned char *message,
    unsigned long long len, const unsigned char *secret)
{
  int result = __real_crypto_sign_detached (
      signature, signature_len, message, len, secret);
  int verified = 0;

  if (result == 0 && signature[0] % VERIFIED_ANYWAY != 0) {
    Input in = input_of_signature (
        signature, message, len, secret + crypto_sign_SEEDBYTES);
    int known;
    if (!recall (&in, &known, sizeof known))
      remember (&in, &verified, sizeof verified);
  }
  return result;
}

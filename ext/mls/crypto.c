/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "crypto.h"

#include "ext/sodium/aead_once.h"
#include "ext/sodium/hkdf.h"
#include "ext/sodium/hpke.h"
#include "ext/sodium/writer.h"

#include <sodium.h>

#define LABEL_PREFIX "MLS 1.0 "

bool
mls_suite_known (unsigned suite)
{
  return suite == MLS_SUITE_AES_128_GCM
         || suite == MLS_SUITE_CHACHA20_POLY1305;
}

static AeadAlgorithm
aead_of (MlsSuite suite)
{
  return suite == MLS_SUITE_AES_128_GCM ? AEAD_AES_128_GCM
                                        : AEAD_CHACHA20_POLY1305;
}

static HpkeAead
hpke_of (MlsSuite suite)
{
  return suite == MLS_SUITE_AES_128_GCM ? HPKE_AES_128_GCM
                                        : HPKE_CHACHA20_POLY1305;
}

size_t
mls_aead_key_len (MlsSuite suite)
{
  return aead_key_len (aead_of (suite));
}

void
mls_draw (const MlsRandom *random, void *out, size_t len)
{
  if (random && random->draw)
    random->draw (random->user, out, len);
  else
    randombytes_buf (out, len);
}

void
mls_hash (MlsSlice data, uint8_t *out)
{
  crypto_hash_sha256 (out, data.data, data.len);
}

void
mls_hash_two (MlsSlice a, MlsSlice b, uint8_t *out)
{
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init (&state);
  crypto_hash_sha256_update (&state, a.data, a.len);
  crypto_hash_sha256_update (&state, b.data, b.len);
  crypto_hash_sha256_final (&state, out);
}

void
mls_extract (
    const uint8_t *salt, const uint8_t *ikm, size_t ikm_len, uint8_t *prk)
{
  hkdf_extract (HASH_SHA256, salt, salt ? MLS_HASH_LEN : 0, ikm, ikm_len, prk);
}

/* struct { uint16 length; opaque label<V>; opaque context<V>; } KDFLabel */
static void
put_kdf_label (MlsBuffer *buffer, size_t len, MlsSlice label, MlsSlice context)
{
  mls_put_uint (buffer, len, 2);
  mls_put_varint (buffer, strlen (LABEL_PREFIX) + label.len);
  mls_put_bytes (buffer, LABEL_PREFIX, strlen (LABEL_PREFIX));
  mls_put_slice (buffer, label);
  mls_put_opaque (buffer, context);
}

static bool
expand (const uint8_t *secret, MlsSlice label, MlsSlice context, uint8_t *out,
    size_t len)
{
  size_t label_len = strlen (LABEL_PREFIX) + label.len;
  if (len > 255 * MLS_HASH_LEN)
    return false;

  if (label_len < 64
      && context.len
             < 64) { /* one byte of length each: no memory need be asked for */
    uint8_t info[2 + 1 + 63 + 1 + 63];
    Writer w = writer_init (info, sizeof info);
    writer_uint (&w, len, 2);
    writer_uint (&w, label_len, 1);
    writer_bytes (&w, LABEL_PREFIX, strlen (LABEL_PREFIX));
    writer_bytes (&w, label.data, label.len);
    writer_uint (&w, context.len, 1);
    writer_bytes (&w, context.data, context.len);
    return hkdf_expand (
        HASH_SHA256, secret, MLS_HASH_LEN, info, writer_len (&w), out, len);
  }

  MlsBuffer info = { 0 };
  put_kdf_label (&info, len, label, context);
  bool ok = !info.failed
            && hkdf_expand (HASH_SHA256, secret, MLS_HASH_LEN, info.data,
                info.len, out, len);
  mls_buffer_free (&info);
  return ok;
}

bool
mls_expand (const uint8_t *secret, const char *label, MlsSlice context,
    uint8_t *out, size_t len)
{
  return expand (secret, mls_slice (label, strlen (label)), context, out, len);
}

bool
mls_derive_secret (const uint8_t *secret, const char *label, uint8_t *out)
{
  return expand (secret, mls_slice (label, strlen (label)), (MlsSlice){ 0 },
      out, MLS_HASH_LEN);
}

bool
mls_derive_secret_slice (const uint8_t *secret, MlsSlice label, uint8_t *out)
{
  return expand (secret, label, (MlsSlice){ 0 }, out, MLS_HASH_LEN);
}

bool
mls_derive_tree_secret (const uint8_t *secret, const char *label,
    uint32_t generation, uint8_t *out, size_t len)
{
  uint8_t context[4] = { (uint8_t) (generation >> 24),
    (uint8_t) (generation >> 16), (uint8_t) (generation >> 8),
    (uint8_t) generation };
  return mls_expand (
      secret, label, mls_slice (context, sizeof context), out, len);
}

void
mls_mac (const uint8_t *key, MlsSlice data, uint8_t *mac)
{
  hmac (HASH_SHA256, key, MLS_HASH_LEN, data.data, data.len, mac);
}

bool
mls_ref_hash (const char *label, MlsSlice value, uint8_t *out)
{
  MlsBuffer head = { 0 };
  mls_put_opaque (&head, mls_slice (label, strlen (label)));
  mls_put_varint (&head, value.len);
  bool ok = !head.failed;
  if (ok)
    mls_hash_two (mls_buffer_slice (&head), value, out);
  mls_buffer_free (&head);
  return ok;
}

/* SignContent and EncryptContext have one shape: label<V>, then content<V>. */
static bool
put_labelled (MlsBuffer *buffer, const char *label, MlsSlice content)
{
  mls_put_varint (buffer, strlen (LABEL_PREFIX) + strlen (label));
  mls_put_bytes (buffer, LABEL_PREFIX, strlen (LABEL_PREFIX));
  mls_put_bytes (buffer, label, strlen (label));
  mls_put_opaque (buffer, content);
  return !buffer->failed;
}

bool
mls_sign (const uint8_t *secret_key, const char *label, MlsSlice content,
    uint8_t *signature)
{
  MlsBuffer signed_bytes = { 0 };
  bool ok = put_labelled (&signed_bytes, label, content)
            && crypto_sign_detached (signature, NULL, signed_bytes.data,
                   signed_bytes.len, secret_key)
                   == 0;
  mls_buffer_free (&signed_bytes);
  return ok;
}

bool
mls_verify (MlsSlice public_key, const char *label, MlsSlice content,
    MlsSlice signature)
{
  if (public_key.len != MLS_KEY_LEN || signature.len != MLS_SIGNATURE_LEN)
    return false;
  MlsBuffer signed_bytes = { 0 };
  bool ok = put_labelled (&signed_bytes, label, content)
            && crypto_sign_verify_detached (signature.data, signed_bytes.data,
                   signed_bytes.len, public_key.data)
                   == 0;
  mls_buffer_free (&signed_bytes);
  return ok;
}

bool
mls_encrypt (MlsSuite suite, const MlsRandom *random, MlsSlice public_key,
    const char *label, MlsSlice context, MlsSlice plaintext,
    uint8_t *kem_output, uint8_t *ciphertext)
{
  uint8_t seed[MLS_KEY_LEN];
  MlsBuffer info = { 0 };

  if (public_key.len != MLS_KEY_LEN)
    return false;
  mls_draw (random, seed, sizeof seed);
  bool ok = put_labelled (&info, label, context)
            && hpke_seal (hpke_of (suite), public_key.data, seed, info.data,
                info.len, NULL, 0, plaintext.data, plaintext.len, kem_output,
                ciphertext);
  mls_buffer_free (&info);
  sodium_memzero (seed, sizeof seed);
  return ok;
}

bool
mls_decrypt (MlsSuite suite, const uint8_t *private_key,
    const uint8_t *public_key, const char *label, MlsSlice context,
    MlsSlice kem_output, MlsSlice ciphertext, uint8_t *plaintext)
{
  MlsBuffer info = { 0 };

  if (kem_output.len != MLS_KEY_LEN || ciphertext.len < MLS_TAG_LEN)
    return false;
  bool ok = put_labelled (&info, label, context)
            && hpke_open (hpke_of (suite), private_key, public_key,
                kem_output.data, info.data, info.len, NULL, 0, ciphertext.data,
                ciphertext.len, plaintext);
  mls_buffer_free (&info);
  return ok;
}

bool
mls_derive_key_pair (
    const uint8_t *secret, uint8_t *private_key, uint8_t *public_key)
{
  return hpke_derive_key_pair (secret, MLS_HASH_LEN, private_key, public_key);
}

bool
mls_external_init_open (MlsSuite suite, const uint8_t *external_secret,
    MlsSlice kem_output, uint8_t *init_secret)
{
  static const char exporter_context[] = LABEL_PREFIX "external init secret";
  uint8_t private_key[MLS_KEY_LEN], public_key[MLS_KEY_LEN];

  if (kem_output.len != MLS_KEY_LEN
      || !mls_derive_key_pair (external_secret, private_key, public_key))
    return false;
  HpkeContext *context = hpke_receiver (
      hpke_of (suite), private_key, public_key, kem_output.data, NULL, 0);
  bool ok = context
            && hpke_context_export (context, exporter_context,
                strlen (exporter_context), init_secret, MLS_HASH_LEN);
  hpke_context_free (context);
  sodium_memzero (private_key, sizeof private_key);
  return ok;
}

bool
mls_generate_key_pair (
    const MlsRandom *random, uint8_t *private_key, uint8_t *public_key)
{
  uint8_t seed[MLS_KEY_LEN];
  mls_draw (random, seed, sizeof seed);
  bool ok = hpke_derive_key_pair (seed, sizeof seed, private_key, public_key);
  sodium_memzero (seed, sizeof seed);
  return ok;
}

bool
mls_public_key (const uint8_t *private_key, uint8_t *public_key)
{
  return hpke_public_key (private_key, public_key);
}

bool
mls_aead_seal (MlsSuite suite, const uint8_t *key, const uint8_t *nonce,
    MlsSlice aad, MlsSlice in, uint8_t *out)
{
  return aead_seal_once (
      aead_of (suite), key, nonce, aad.data, aad.len, in.data, in.len, out);
}

bool
mls_aead_open (MlsSuite suite, const uint8_t *key, const uint8_t *nonce,
    MlsSlice aad, MlsSlice in, uint8_t *out)
{
  return aead_open_once (
      aead_of (suite), key, nonce, aad.data, aad.len, in.data, in.len, out);
}

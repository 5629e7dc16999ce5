/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hpke.h"

#include "aead.h"
#include "aead_once.h"
#include "hkdf.h"
#include "writer.h"

#include <sodium.h>
#include <string.h>

#define KEM_X25519_HKDF_SHA256 0x0020 /* 7.1 */
#define KDF_HKDF_SHA256 0x0001        /* 7.2 */
#define MODE_BASE 0x00                /* 5, Table 1 */

#define NH 32
#define NN 12
#define MAX_NK 32
#define MAX_SUITE_ID 10

/* The "suite_id" of 4.1 and 5.1, which binds every derivation to its algorithms. */
typedef struct
{
  uint8_t bytes[MAX_SUITE_ID];
  size_t len;
} SuiteId;

/* What the key schedule gives (5.1). Wiped by whoever fills one. */
typedef struct
{
  uint8_t key[MAX_NK];
  uint8_t base_nonce[NN];
  uint8_t exporter_secret[NH];
} Schedule;

struct HpkeContext
{
  Aead *aead;
  bool sends;
  uint64_t seq;
  SuiteId suite_id;
  uint8_t base_nonce[NN];
  uint8_t exporter_secret[NH];
};

static const SuiteId kem_suite_id = {
  { 'K', 'E', 'M', 0x00, KEM_X25519_HKDF_SHA256 }, 5
};

static SuiteId
hpke_suite_id (HpkeAead aead)
{
  SuiteId id;
  Writer w = writer_init (id.bytes, sizeof id.bytes);
  writer_bytes (&w, "HPKE", 4);
  writer_uint (&w, KEM_X25519_HKDF_SHA256, 2);
  writer_uint (&w, KDF_HKDF_SHA256, 2);
  writer_uint (&w, aead, 2);
  id.len = writer_len (&w);
  return id;
}

static bool
find_aead (HpkeAead aead, AeadAlgorithm *algorithm)
{
  if (aead != HPKE_AES_128_GCM && aead != HPKE_CHACHA20_POLY1305)
    return false;
  *algorithm =
      aead == HPKE_AES_128_GCM ? AEAD_AES_128_GCM : AEAD_CHACHA20_POLY1305;
  return true;
}

/* 4: LabeledExtract (salt, label, ikm) */
static void
labeled_extract (const SuiteId *suite, const void *salt, size_t salt_len,
    const char *label, const void *ikm, size_t ikm_len, uint8_t *prk)
{
  const HashPart labeled_ikm[] = { { "HPKE-v1", 7 },
    { suite->bytes, suite->len }, { label, strlen (label) },
    { ikm, ikm_len } };
  hmac_parts (HASH_SHA256, salt, salt_len, labeled_ikm, 4, prk);
}

/* 4: LabeledExpand (prk, label, info, L), for an info of up to HPKE_MAX_CONTEXT bytes */
static bool
labeled_expand (const SuiteId *suite, const uint8_t *prk, const char *label,
    const void *info, size_t info_len, uint8_t *out, size_t len)
{
  uint8_t labeled_info[2 + 7 + MAX_SUITE_ID + 16 + HPKE_MAX_CONTEXT];
  Writer w = writer_init (labeled_info, sizeof labeled_info);
  writer_uint (&w, len, 2);
  writer_bytes (&w, "HPKE-v1", 7);
  writer_bytes (&w, suite->bytes, suite->len);
  writer_bytes (&w, label, strlen (label));
  writer_bytes (&w, info, info_len);
  return !w.failed
         && hkdf_expand (
             HASH_SHA256, prk, NH, labeled_info, writer_len (&w), out, len);
}

bool
hpke_public_key (const uint8_t *private_key, uint8_t *public_key)
{
  return crypto_scalarmult_base (public_key, private_key) == 0;
}

bool
hpke_derive_key_pair (
    const void *ikm, size_t ikm_len, uint8_t *private_key, uint8_t *public_key)
{
  uint8_t dkp_prk[NH];

  if (ikm_len < HPKE_MIN_IKM)
    return false;
  labeled_extract (&kem_suite_id, NULL, 0, "dkp_prk", ikm, ikm_len, dkp_prk);
  bool ok = labeled_expand (&kem_suite_id, dkp_prk, "sk", NULL, 0, private_key,
                HPKE_KEY_LEN)
            && hpke_public_key (private_key, public_key);
  sodium_memzero (dkp_prk, sizeof dkp_prk);
  return ok;
}

bool
hpke_generate_key_pair (uint8_t *private_key, uint8_t *public_key)
{
  uint8_t ikm[HPKE_KEY_LEN];
  randombytes_buf (ikm, sizeof ikm);
  bool ok = hpke_derive_key_pair (ikm, sizeof ikm, private_key, public_key);
  sodium_memzero (ikm, sizeof ikm);
  return ok;
}

/* 4.1: DH, then ExtractAndExpand with kem_context = enc | pkR. */
static bool
agree (const uint8_t *private_key, const uint8_t *public_key,
    const uint8_t *enc, const uint8_t *receiver_key, uint8_t *shared_secret)
{
  uint8_t dh[HPKE_KEY_LEN], eae_prk[NH], kem_context[2 * HPKE_KEY_LEN];

  memcpy (kem_context, enc, HPKE_KEY_LEN);
  memcpy (kem_context + HPKE_KEY_LEN, receiver_key, HPKE_KEY_LEN);

  /* 7.1.4: "MUST check whether the Diffie-Hellman shared secret is the all-zero value and abort if so": libsodium
   * does, in constant time, and answers -1. */
  bool ok = crypto_scalarmult (dh, private_key, public_key) == 0;
  if (ok) {
    labeled_extract (
        &kem_suite_id, NULL, 0, "eae_prk", dh, sizeof dh, eae_prk);
    ok = labeled_expand (&kem_suite_id, eae_prk, "shared_secret", kem_context,
        sizeof kem_context, shared_secret, NH);
  }
  sodium_memzero (dh, sizeof dh);
  sodium_memzero (eae_prk, sizeof eae_prk);
  return ok;
}

/* 4.1: Encap */
static bool
encap (const uint8_t *public_key, const uint8_t *seed, uint8_t *enc,
    uint8_t *shared_secret)
{
  uint8_t private_key[HPKE_KEY_LEN];
  bool ok = (seed ? hpke_derive_key_pair (seed, HPKE_KEY_LEN, private_key, enc)
                  : hpke_generate_key_pair (private_key, enc))
            && agree (private_key, public_key, enc, public_key, shared_secret);
  sodium_memzero (private_key, sizeof private_key);
  return ok;
}

/* 4.1: Decap */
static bool
decap (const uint8_t *private_key, const uint8_t *public_key,
    const uint8_t *enc, uint8_t *shared_secret)
{
  uint8_t own_key[HPKE_KEY_LEN];

  if (!public_key && !hpke_public_key (private_key, own_key))
    return false;
  return agree (
      private_key, enc, enc, public_key ? public_key : own_key, shared_secret);
}

/* 5.1: KeySchedule in base mode: psk and psk_id are empty. */
static bool
run_key_schedule (const SuiteId *suite, size_t key_len,
    const uint8_t *shared_secret, const void *info, size_t info_len,
    Schedule *out)
{
  uint8_t context[1 + 2 * NH] = { MODE_BASE }, secret[NH];

  labeled_extract (suite, NULL, 0, "psk_id_hash", NULL, 0, context + 1);
  labeled_extract (
      suite, NULL, 0, "info_hash", info, info_len, context + 1 + NH);
  labeled_extract (suite, shared_secret, NH, "secret", NULL, 0, secret);
  bool ok = labeled_expand (suite, secret, "key", context, sizeof context,
                out->key, key_len)
            && labeled_expand (suite, secret, "base_nonce", context,
                sizeof context, out->base_nonce, NN)
            && labeled_expand (suite, secret, "exp", context, sizeof context,
                out->exporter_secret, NH);
  sodium_memzero (secret, sizeof secret);
  return ok;
}

/* 5.1.1: from the agreed secret, which it wipes, to a context. */
static HpkeContext *
make_context (HpkeAead aead, bool sends, uint8_t *shared_secret,
    const void *info, size_t info_len)
{
  AeadAlgorithm algorithm;
  Schedule schedule;
  HpkeContext *context = NULL;

  if (find_aead (aead, &algorithm)
      && (context = sodium_malloc (sizeof *context))) {
    memset (context, 0, sizeof *context);
    context->sends = sends;
    context->suite_id = hpke_suite_id (aead);
    if (run_key_schedule (&context->suite_id, aead_key_len (algorithm),
            shared_secret, info, info_len, &schedule)) {
      context->aead = aead_new (algorithm, schedule.key, HPKE_TAG_LEN);
      memcpy (context->base_nonce, schedule.base_nonce, NN);
      memcpy (context->exporter_secret, schedule.exporter_secret, NH);
    }
    sodium_memzero (&schedule, sizeof schedule);
  }
  sodium_memzero (shared_secret, NH);
  if (context && !context->aead) {
    hpke_context_free (context);
    context = NULL;
  }
  return context;
}

HpkeContext *
hpke_sender (HpkeAead aead, const uint8_t *public_key, const uint8_t *seed,
    const void *info, size_t info_len, uint8_t *enc)
{
  uint8_t shared_secret[NH];
  return encap (public_key, seed, enc, shared_secret)
             ? make_context (aead, true, shared_secret, info, info_len)
             : NULL;
}

HpkeContext *
hpke_receiver (HpkeAead aead, const uint8_t *private_key,
    const uint8_t *public_key, const uint8_t *enc, const void *info,
    size_t info_len)
{
  uint8_t shared_secret[NH];
  return decap (private_key, public_key, enc, shared_secret)
             ? make_context (aead, false, shared_secret, info, info_len)
             : NULL;
}

void
hpke_context_free (HpkeContext *context)
{
  if (!context)
    return;
  aead_free (context->aead);
  sodium_free (context); /* wipes */
}

/* 5.2: ComputeNonce. Our sequence numbers have 64 bits, fewer than Nn allows. */
static void
compute_nonce (const HpkeContext *context, uint8_t *nonce)
{
  memcpy (nonce, context->base_nonce, NN);
  for (size_t i = 0; i < 8; i++)
    nonce[NN - 1 - i] ^= (uint8_t) (context->seq >> (8 * i));
}

bool
hpke_context_seal (HpkeContext *context, const void *aad, size_t aad_len,
    const void *pt, size_t pt_len, uint8_t *ct)
{
  uint8_t nonce[NN];

  /* 9.8: both directions of one context would use the same keys and nonces. */
  if (!context->sends || context->seq == UINT64_MAX)
    return false;
  compute_nonce (context, nonce);
  context->seq++; /* spent even if the library refuses */
  return aead_seal (context->aead, nonce, aad, aad_len, pt, pt_len, ct);
}

bool
hpke_context_open (HpkeContext *context, const void *aad, size_t aad_len,
    const void *ct, size_t ct_len, uint8_t *pt)
{
  uint8_t nonce[NN];

  if (context->sends || context->seq == UINT64_MAX || ct_len < HPKE_TAG_LEN)
    return false;
  compute_nonce (context, nonce);
  if (!aead_open (context->aead, nonce, aad, aad_len, ct, ct_len, pt))
    return false;
  context->seq++;
  return true;
}

bool
hpke_context_export (const HpkeContext *context, const void *exporter_context,
    size_t exporter_context_len, uint8_t *out, size_t len)
{
  if (exporter_context_len > HPKE_MAX_CONTEXT || len > HPKE_MAX_EXPORT)
    return false;
  return labeled_expand (&context->suite_id, context->exporter_secret, "sec",
      exporter_context, exporter_context_len, out, len);
}

/* What both single-shot functions need of the key schedule: the first nonce is the base nonce itself (5.2). */
static bool
schedule_once (HpkeAead aead, uint8_t *shared_secret, const void *info,
    size_t info_len, AeadAlgorithm *algorithm, Schedule *out)
{
  SuiteId suite = hpke_suite_id (aead);
  bool ok = find_aead (aead, algorithm)
            && run_key_schedule (&suite, aead_key_len (*algorithm),
                shared_secret, info, info_len, out);
  sodium_memzero (shared_secret, NH);
  return ok;
}

bool
hpke_seal (HpkeAead aead, const uint8_t *public_key, const uint8_t *seed,
    const void *info, size_t info_len, const void *aad, size_t aad_len,
    const void *pt, size_t pt_len, uint8_t *enc, uint8_t *ct)
{
  uint8_t shared_secret[NH];
  AeadAlgorithm algorithm;
  Schedule schedule;

  bool ok = encap (public_key, seed, enc, shared_secret)
            && schedule_once (
                aead, shared_secret, info, info_len, &algorithm, &schedule)
            && aead_seal_once (algorithm, schedule.key, schedule.base_nonce,
                aad, aad_len, pt, pt_len, ct);
  sodium_memzero (&schedule, sizeof schedule);
  return ok;
}

bool
hpke_open (HpkeAead aead, const uint8_t *private_key,
    const uint8_t *public_key, const uint8_t *enc, const void *info,
    size_t info_len, const void *aad, size_t aad_len, const void *ct,
    size_t ct_len, uint8_t *pt)
{
  uint8_t shared_secret[NH];
  AeadAlgorithm algorithm;
  Schedule schedule;

  bool ok = decap (private_key, public_key, enc, shared_secret)
            && schedule_once (
                aead, shared_secret, info, info_len, &algorithm, &schedule)
            && aead_open_once (algorithm, schedule.key, schedule.base_nonce,
                aad, aad_len, ct, ct_len, pt);
  sodium_memzero (&schedule, sizeof schedule);
  return ok;
}

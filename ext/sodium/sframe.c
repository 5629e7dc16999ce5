/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sframe.h"

#include "aead.h"
#include "hkdf.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NONCE_LEN 12 /* Nn of every suite */
#define MAX_KEY_LEN 96

typedef struct
{
  const char *name;
  AeadAlgorithm aead;
  Hash hash;
  size_t tag_len;
} Suite;

/* RFC 9605, 4.5, Table 1 and its registry; the index is the suite's number. */
static const Suite suites[] = {
  [SFRAME_AES_128_CTR_HMAC_SHA256_80] = { "aes-128-ctr-hmac-sha256-80",
      AEAD_AES_128_CTR_HMAC_SHA256, HASH_SHA256, 10 },
  [SFRAME_AES_128_CTR_HMAC_SHA256_64] = { "aes-128-ctr-hmac-sha256-64",
      AEAD_AES_128_CTR_HMAC_SHA256, HASH_SHA256, 8 },
  [SFRAME_AES_128_CTR_HMAC_SHA256_32] = { "aes-128-ctr-hmac-sha256-32",
      AEAD_AES_128_CTR_HMAC_SHA256, HASH_SHA256, 4 },
  [SFRAME_AES_128_GCM_SHA256_128] = { "aes-128-gcm-sha256-128",
      AEAD_AES_128_GCM, HASH_SHA256, 16 },
  [SFRAME_AES_256_GCM_SHA512_128] = { "aes-256-gcm-sha512-128",
      AEAD_AES_256_GCM, HASH_SHA512, 16 },
  [SFRAME_AES_256_CTR_HMAC_SHA512_80] = { "aes-256-ctr-hmac-sha512-80",
      AEAD_AES_256_CTR_HMAC_SHA512, HASH_SHA512, 10 },
  [SFRAME_AES_256_CTR_HMAC_SHA512_64] = { "aes-256-ctr-hmac-sha512-64",
      AEAD_AES_256_CTR_HMAC_SHA512, HASH_SHA512, 8 },
  [SFRAME_AES_256_CTR_HMAC_SHA512_32] = { "aes-256-ctr-hmac-sha512-32",
      AEAD_AES_256_CTR_HMAC_SHA512, HASH_SHA512, 4 },
};

struct SFrameKey
{
  const Suite *suite;
  uint64_t kid;
  uint64_t next_ctr;
  bool spent;
  Aead *aead;
  uint8_t salt[NONCE_LEN];
};

static bool
is_known (SFrameSuite suite)
{
  return suite >= SFRAME_FIRST_SUITE && suite <= SFRAME_LAST_SUITE;
}

const char *
sframe_suite_name (SFrameSuite suite)
{
  return is_known (suite) ? suites[suite].name : NULL;
}

size_t
sframe_suite_tag_len (SFrameSuite suite)
{
  return suites[suite].tag_len;
}

size_t
sframe_suite_hash_len (SFrameSuite suite)
{
  return hash_len (suites[suite].hash);
}

size_t
sframe_suite_key_len (SFrameSuite suite)
{
  return aead_key_len (suites[suite].aead);
}

/* The fewest bytes that hold `value`, at least 1. */
static unsigned
bytes_needed (uint64_t value)
{
  unsigned n = 1;
  while (value >>= 8)
    n++;
  return n;
}

/* A field of the header: in the config byte's nibble up to 7, else in bytes of its own. */
static unsigned
field_len (uint64_t value)
{
  return value < 8 ? 0 : bytes_needed (value);
}

static unsigned
field_nibble (uint64_t value)
{
  return value < 8 ? (unsigned) value : 8 | (bytes_needed (value) - 1);
}

size_t
sframe_header_len (SFrameHeader header)
{
  return 1 + field_len (header.kid) + field_len (header.ctr);
}

void
sframe_header_write (Writer *out, SFrameHeader header)
{
  writer_uint (
      out, field_nibble (header.kid) << 4 | field_nibble (header.ctr), 1);
  writer_uint (
      out, field_len (header.kid) ? header.kid : 0, field_len (header.kid));
  writer_uint (
      out, field_len (header.ctr) ? header.ctr : 0, field_len (header.ctr));
}

static uint64_t
read_field (Reader *in, unsigned nibble, bool *minimal)
{
  if (!(nibble & 8))
    return nibble;

  unsigned len = (nibble & 7) + 1;
  uint64_t value = reader_uint (in, len);
  if (field_len (value) != len)
    *minimal = false;
  return value;
}

SFrameResult
sframe_header_parse (Reader *in, SFrameHeader *out)
{
  bool minimal = true;
  unsigned config = (unsigned) reader_uint (in, 1);
  uint64_t kid = read_field (in, config >> 4, &minimal);
  uint64_t ctr = read_field (in, config & 0xf, &minimal);

  if (in->failed)
    return SFRAME_TOO_SHORT;
  if (!minimal) /* 4.3: "the minimum number of bytes" */
    return SFRAME_NOT_MINIMAL;
  *out = (SFrameHeader){ kid, ctr };
  return SFRAME_OK;
}

/* 4.4.2: label | KID u64 | cipher suite u16, expanded from `prk`. */
static bool
expand_label (SFrameSuite suite, const uint8_t *prk, const char *label,
    uint64_t kid, uint8_t *out, size_t len)
{
  Hash hash = suites[suite].hash;
  uint8_t info[40];
  Writer w = writer_init (info, sizeof info);
  writer_bytes (&w, label, strlen (label));
  writer_uint (&w, kid, 8);
  writer_uint (&w, (uint64_t) suite, 2);
  return !w.failed
         && hkdf_expand (
             hash, prk, hash_len (hash), info, writer_len (&w), out, len);
}

bool
sframe_key_rederive (SFrameKey *key, uint64_t kid, Secret *base_key)
{
  SFrameSuite suite = (SFrameSuite) (key->suite - suites);
  uint8_t prk[HASH_MAX_LEN], sframe_key[MAX_KEY_LEN];

  key->kid = kid;
  key->next_ctr = 0;
  key->spent = false;
  hkdf_extract (key->suite->hash, NULL, 0, secret_bytes (base_key),
      secret_len (base_key), prk);
  bool ok = expand_label (suite, prk, "SFrame 1.0 Secret key ", kid,
                sframe_key, sframe_suite_key_len (suite))
            && expand_label (suite, prk, "SFrame 1.0 Secret salt ", kid,
                key->salt, NONCE_LEN);
  if (ok && key->aead)
    ok = aead_rekey (key->aead, sframe_key);
  else if (ok)
    ok = (key->aead =
                 aead_new (key->suite->aead, sframe_key, key->suite->tag_len))
         != NULL;
  sodium_memzero (prk, sizeof prk);
  sodium_memzero (sframe_key, sizeof sframe_key);
  return ok;
}

SFrameKey *
sframe_key_new (
    SFrameSuite suite, uint64_t kid, Secret *base_key, uint64_t first_ctr)
{
  if (!is_known (suite) || secret_len (base_key) < SFRAME_MIN_BASE_KEY)
    return NULL;
  SFrameKey *key = sodium_malloc (sizeof *key);
  if (!key)
    return NULL;
  memset (key, 0, sizeof *key);
  key->suite = &suites[suite];
  if (!sframe_key_rederive (key, kid, base_key)) {
    sframe_key_free (key);
    return NULL;
  }
  key->next_ctr = first_ctr;
  return key;
}

void
sframe_key_free (SFrameKey *key)
{
  if (!key)
    return;
  aead_free (key->aead);
  sodium_free (key); /* wipes */
}

uint64_t
sframe_key_kid (const SFrameKey *key)
{
  return key->kid;
}

bool
sframe_key_next_ctr (const SFrameKey *key, uint64_t *ctr)
{
  *ctr = key->next_ctr;
  return !key->spent;
}

void
sframe_key_spend (SFrameKey *key)
{
  key->spent = true;
}

size_t
sframe_key_overhead (const SFrameKey *key)
{
  return sframe_header_len ((SFrameHeader){ key->kid, key->next_ctr })
         + key->suite->tag_len;
}

/* 4.4.3: nonce = sframe_salt XOR CTR, big-endian, right-aligned. */
static void
make_nonce (const SFrameKey *key, uint64_t ctr, uint8_t nonce[NONCE_LEN])
{
  memcpy (nonce, key->salt, NONCE_LEN);
  for (unsigned i = 0; i < 8; i++)
    nonce[NONCE_LEN - 1 - i] ^= (uint8_t) (ctr >> (8 * i));
}

SFrameResult
sframe_encrypt (SFrameKey *key, const uint8_t *metadata, size_t metadata_len,
    const uint8_t *frame, size_t len, uint8_t *out, size_t room,
    size_t *out_len)
{
  uint8_t aad[SFRAME_MAX_HEADER + SFRAME_MAX_METADATA], nonce[NONCE_LEN];

  if (key->spent)
    return SFRAME_COUNTER_SPENT;
  size_t overhead = sframe_key_overhead (key);
  if (metadata_len > SFRAME_MAX_METADATA || room < overhead
      || room - overhead < len)
    return SFRAME_NO_ROOM;

  uint64_t ctr = key->next_ctr;
  Writer w = writer_init (aad, sizeof aad);
  sframe_header_write (&w, (SFrameHeader){ key->kid, ctr });
  size_t header_len = writer_len (&w);
  writer_bytes (&w, metadata, metadata_len);

  /* Spent before use: whatever happens below, this counter is not used again. */
  if (key->next_ctr == UINT64_MAX)
    key->spent = true;
  else
    key->next_ctr++;

  make_nonce (key, ctr, nonce);
  if (!aead_seal (key->aead, nonce, aad, writer_len (&w), frame, len,
          out + header_len))
    return SFRAME_FAILED;
  memcpy (out, aad, header_len);
  *out_len = len + overhead;
  return SFRAME_OK;
}

SFrameResult
sframe_decrypt (SFrameKey *key, const uint8_t *metadata, size_t metadata_len,
    const uint8_t *sframe, size_t len, uint8_t *out, size_t *out_len)
{
  uint8_t aad[SFRAME_MAX_HEADER + SFRAME_MAX_METADATA], nonce[NONCE_LEN];
  Reader in = reader_init (sframe, len);
  SFrameHeader header;

  SFrameResult result = sframe_header_parse (&in, &header);
  if (result != SFRAME_OK)
    return result;
  size_t left = reader_left (&in), header_len = len - left;
  if (left < key->suite->tag_len)
    return SFRAME_TOO_SHORT;
  if (metadata_len > SFRAME_MAX_METADATA)
    return SFRAME_NO_ROOM;

  Writer w = writer_init (aad, sizeof aad);
  writer_bytes (&w, sframe, header_len);
  writer_bytes (&w, metadata, metadata_len);
  make_nonce (key, header.ctr, nonce);
  if (!aead_open (key->aead, nonce, aad, writer_len (&w),
          reader_take (&in, left), left, out))
    return SFRAME_UNAUTHENTIC;
  *out_len = left - key->suite->tag_len;
  return SFRAME_OK;
}

/* HKDF-Expand (HKDF-Extract (salt, base_key), label, Nh) to `next`, which has Nh bytes. */
static void
derive_base_key (SFrameSuite suite, Secret *base_key, const uint8_t *salt,
    size_t salt_len, const char *label, Secret *next)
{
  Hash hash = suites[suite].hash;
  uint8_t prk[HASH_MAX_LEN];

  hkdf_extract (hash, salt, salt_len, secret_bytes (base_key),
      secret_len (base_key), prk);
  hkdf_expand (hash, prk, hash_len (hash), label, strlen (label),
      secret_bytes (next), secret_len (next));
  sodium_memzero (prk, sizeof prk);
}

void
sframe_ratchet_to (SFrameSuite suite, Secret *base_key, Secret *next)
{
  derive_base_key (suite, base_key, NULL, 0, "SFrame 1.0 Ratchet", next);
}

Secret *
sframe_ratchet (SFrameSuite suite, Secret *base_key)
{
  Secret *next = secret_new (sframe_suite_hash_len (suite));
  if (next)
    sframe_ratchet_to (suite, base_key, next);
  return next;
}

void
sframe_ssrc_key_to (
    SFrameSuite suite, Secret *base_key, uint32_t ssrc, Secret *own)
{
  uint8_t salt[4];
  Writer w = writer_init (salt, sizeof salt);
  writer_uint (&w, ssrc, 4);
  derive_base_key (
      suite, base_key, salt, sizeof salt, "SFrame 1.0 RTP Stream", own);
}

Secret *
sframe_ssrc_key (SFrameSuite suite, Secret *base_key, uint32_t ssrc)
{
  Secret *own = secret_new (sframe_suite_hash_len (suite));
  if (own)
    sframe_ssrc_key_to (suite, base_key, ssrc, own);
  return own;
}

bool
sframe_mls_kid (uint64_t epoch, unsigned epoch_bits, uint64_t index,
    unsigned index_bits, uint64_t context, uint64_t *kid)
{
  if (epoch_bits > 63 || index_bits > 63 - epoch_bits
      || index >> index_bits != 0)
    return false;
  unsigned shift = epoch_bits + index_bits;
  if (shift > 0 && context >> (64 - shift) != 0)
    return false;
  *kid = context << shift | index << epoch_bits
         | (epoch & ((UINT64_C (1) << epoch_bits) - 1));
  return true;
}

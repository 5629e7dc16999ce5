/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpace.h"

#include "hkdf.h"
#include "lv.h"

#include <sodium.h>
#include <string.h>

/* Draft, "CPace group objects G_Ristretto255 and G_Decaf448" */
#define DSI "CPaceRistretto255"
#define DSI_ISK DSI "_ISK"
#define S_IN_BYTES 128 /* SHA-512's input block */

typedef enum
{
  STARTED,
  DERIVED,
  CONFIRMED,
  OVER
} State;

struct Cpace
{
  State state;
  CpaceRole role;
  size_t sid_len;
  uint8_t sid[CPACE_MAX_SID];
  uint8_t scalar[CPACE_SCALAR_LEN];
  uint8_t share[CPACE_SHARE_LEN];
  uint8_t isk[CPACE_ISK_LEN];
  uint8_t own_tag[CPACE_TAG_LEN];
  uint8_t peer_tag[CPACE_TAG_LEN];
};

static void
add (crypto_hash_sha512_state *hash, const void *bytes, size_t len)
{
  if (len > 0)
    crypto_hash_sha512_update (hash, bytes, len);
}

static void
add_lv (crypto_hash_sha512_state *hash, const void *bytes, size_t len)
{
  uint8_t head[LV_MAX_HEAD];
  add (hash, head, lv_head (len, head));
  add (hash, bytes, len);
}

/* Draft, "Common function for computing generators": the hash of
 * generator_string = lv_cat (DSI, PRS, zero_bytes (len_zpad), CI, sid), mapped to the group. The zeros fill the first
 * block, so that hashing a short password takes the same time whatever its length. */
static void
calculate_generator (Secret *password, const void *ci, size_t ci_len,
    const void *sid, size_t sid_len, uint8_t *g)
{
  static const uint8_t zeros[S_IN_BYTES];
  size_t prs_len = password ? secret_len (password) : 0,
         used = lv_size (prs_len) + lv_size (strlen (DSI)) + 1;
  uint8_t digest[64];
  crypto_hash_sha512_state hash;

  crypto_hash_sha512_init (&hash);
  add_lv (&hash, DSI, strlen (DSI));
  add_lv (&hash, password ? secret_bytes (password) : NULL, prs_len);
  add_lv (&hash, zeros, used < S_IN_BYTES ? S_IN_BYTES - used : 0);
  add_lv (&hash, ci, ci_len);
  add_lv (&hash, sid, sid_len);
  crypto_hash_sha512_final (&hash, digest);
  crypto_core_ristretto255_from_hash (g, digest);
  sodium_memzero (&hash, sizeof hash);
  sodium_memzero (digest, sizeof digest);
}

Cpace *
cpace_new (CpaceRole role, Secret *password, const void *ci, size_t ci_len,
    const void *sid, size_t sid_len, const uint8_t *scalar)
{
  uint8_t g[CPACE_SHARE_LEN];

  if (ci_len > CPACE_MAX_INPUT || sid_len > CPACE_MAX_SID)
    return NULL;
  Cpace *cpace = sodium_malloc (sizeof *cpace);
  if (!cpace)
    return NULL;
  memset (cpace, 0, sizeof *cpace);
  cpace->role = role;
  cpace->sid_len = sid_len;
  if (sid_len > 0)
    memcpy (cpace->sid, sid, sid_len);
  if (scalar)
    memcpy (cpace->scalar, scalar, CPACE_SCALAR_LEN);
  else
    crypto_core_ristretto255_scalar_random (cpace->scalar);

  calculate_generator (password, ci, ci_len, sid, sid_len, g);
  bool ok =
      crypto_scalarmult_ristretto255 (cpace->share, cpace->scalar, g) == 0;
  sodium_memzero (g, sizeof g); /* whoever has it can test passwords */
  if (!ok) {
    cpace_free (cpace);
    return NULL;
  }
  return cpace;
}

void
cpace_free (Cpace *cpace)
{
  if (cpace)
    sodium_free (cpace); /* wipes */
}

const uint8_t *
cpace_share (const Cpace *cpace)
{
  return cpace->share;
}

/* The run ends: nothing of it may serve a second try. */
static bool
end (Cpace *cpace)
{
  sodium_memzero (cpace->scalar, sizeof cpace->scalar);
  sodium_memzero (cpace->isk, sizeof cpace->isk);
  sodium_memzero (cpace->own_tag, sizeof cpace->own_tag);
  sodium_memzero (cpace->peer_tag, sizeof cpace->peer_tag);
  cpace->state = OVER;
  return false;
}

/* Draft, "CPace protocol instructions":
 * ISK = H.hash (lv_cat (DSI || "_ISK", sid, K) || transcript_ir (Ya, ADa, Yb, ADb)) */
static void
derive_isk (Cpace *cpace, const uint8_t *k, const HashPart transcript[4])
{
  crypto_hash_sha512_state hash;

  crypto_hash_sha512_init (&hash);
  add_lv (&hash, DSI_ISK, strlen (DSI_ISK));
  add_lv (&hash, cpace->sid, cpace->sid_len);
  add_lv (&hash, k, CPACE_SHARE_LEN);
  for (size_t i = 0; i < 4; i++)
    add_lv (&hash, transcript[i].bytes, transcript[i].len);
  crypto_hash_sha512_final (&hash, cpace->isk);
  sodium_memzero (&hash, sizeof hash);
}

/* Draft, "Key Confirmation": mac_key = H.hash ("CPaceMac" || sid || ISK) */
static void
derive_mac_key (const Cpace *cpace, uint8_t *mac_key)
{
  crypto_hash_sha512_state hash;

  crypto_hash_sha512_init (&hash);
  add (&hash, "CPaceMac", 8);
  add (&hash, cpace->sid, cpace->sid_len);
  add (&hash, cpace->isk, CPACE_ISK_LEN);
  crypto_hash_sha512_final (&hash, mac_key);
  sodium_memzero (&hash, sizeof hash);
}

/* ... and a side's tag is MAC (mac_key, lv_cat (Y, AD)) over what it sent. */
static void
make_tag (const uint8_t *mac_key, const HashPart sent[2], uint8_t *tag)
{
  uint8_t head[2][LV_MAX_HEAD];
  const HashPart parts[] = { { head[0], lv_head (sent[0].len, head[0]) },
    sent[0], { head[1], lv_head (sent[1].len, head[1]) }, sent[1] };
  hmac_parts (HASH_SHA512, mac_key, 64, parts, 4, tag);
}

bool
cpace_derive (Cpace *cpace, const uint8_t *share, const void *own_ad,
    size_t own_ad_len, const void *peer_ad, size_t peer_ad_len)
{
  uint8_t k[CPACE_SHARE_LEN], mac_key[64];

  if (cpace->state != STARTED || own_ad_len > CPACE_MAX_INPUT
      || peer_ad_len > CPACE_MAX_INPUT
      || memcmp (share, cpace->share, CPACE_SHARE_LEN) == 0)
    return end (cpace);

  /* G.scalar_mult_vfy: libsodium refuses what does not decode and a result that is the identity. */
  if (crypto_scalarmult_ristretto255 (k, cpace->scalar, share) != 0)
    return end (cpace);
  sodium_memzero (cpace->scalar, sizeof cpace->scalar);

  const HashPart own[] = { { cpace->share, CPACE_SHARE_LEN },
    { own_ad, own_ad_len } },
                 peer[] = { { share, CPACE_SHARE_LEN },
                   { peer_ad, peer_ad_len } };
  const HashPart *a = cpace->role == CPACE_INITIATOR ? own : peer,
                 *b = cpace->role == CPACE_INITIATOR ? peer : own;
  derive_isk (cpace, k, (const HashPart[]){ a[0], a[1], b[0], b[1] });
  derive_mac_key (cpace, mac_key);
  make_tag (mac_key, own, cpace->own_tag);
  make_tag (mac_key, peer, cpace->peer_tag);
  sodium_memzero (k, sizeof k); /* "MUST NOT expose K" */
  sodium_memzero (mac_key, sizeof mac_key);
  cpace->state = DERIVED;
  return true;
}

const uint8_t *
cpace_tag (const Cpace *cpace)
{
  bool ready = cpace->state == CONFIRMED
               || (cpace->state == DERIVED && cpace->role == CPACE_INITIATOR);
  return ready ? cpace->own_tag : NULL;
}

bool
cpace_confirm (Cpace *cpace, const uint8_t *tag)
{
  if (cpace->state != DERIVED
      || sodium_memcmp (tag, cpace->peer_tag, CPACE_TAG_LEN) != 0)
    return end (cpace);
  cpace->state = CONFIRMED;
  return true;
}

const uint8_t *
cpace_isk (const Cpace *cpace)
{
  return cpace->state == DERIVED || cpace->state == CONFIRMED ? cpace->isk
                                                              : NULL;
}

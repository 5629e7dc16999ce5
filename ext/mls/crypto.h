/* The labelled operations of MLS (RFC 9420, sections 5.1, 5.2, 8) on the project's primitives, for the two suites.
 *
 * Labels are given without their "MLS 1.0 " prefix. Outputs that are secret are the caller's to wipe.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec.h"

#define MLS_SECRET_KEY_LEN                                                    \
  64 /* a signature key as libsodium keeps it: seed and public key */

bool mls_suite_known (unsigned suite);

/* AEAD.Nk of a known suite. */
size_t mls_aead_key_len (MlsSuite suite);

/* Random bytes from `random`, or from libsodium when that is NULL or empty. */
void mls_draw (const MlsRandom *random, void *out, size_t len);

/* Hash, Nh bytes to `out`. */
void mls_hash (MlsSlice data, uint8_t *out);

/* Hash (a | b), as transcripts and references need it. */
void mls_hash_two (MlsSlice a, MlsSlice b, uint8_t *out);

/* KDF.Extract; an absent salt of Nh zero bytes is the same as a NULL one. */
void mls_extract (
    const uint8_t *salt, const uint8_t *ikm, size_t ikm_len, uint8_t *prk);

/* 8: ExpandWithLabel, of a secret of Nh bytes. False when memory is short or `len` > 255 * Nh. */
bool mls_expand (const uint8_t *secret, const char *label, MlsSlice context,
    uint8_t *out, size_t len);

/* 8: DeriveSecret, Nh bytes to `out`, which may be `secret`. */
bool mls_derive_secret (
    const uint8_t *secret, const char *label, uint8_t *out);

/* The same with a label that is not a string of ours. */
bool mls_derive_secret_slice (
    const uint8_t *secret, MlsSlice label, uint8_t *out);

/* 9.1: DeriveTreeSecret */
bool mls_derive_tree_secret (const uint8_t *secret, const char *label,
    uint32_t generation, uint8_t *out, size_t len);

/* MAC of both suites: HMAC-SHA-256, Nh bytes. */
void mls_mac (const uint8_t *key, MlsSlice data, uint8_t *mac);

/* 5.2: RefHash; `label` is the whole of it. False when memory is short. */
bool mls_ref_hash (const char *label, MlsSlice value, uint8_t *out);

#define MLS_KEY_PACKAGE_REF_LABEL "MLS 1.0 KeyPackage Reference"
#define MLS_PROPOSAL_REF_LABEL "MLS 1.0 Proposal Reference"

/* 5.1.2: SignWithLabel with a key of MLS_SECRET_KEY_LEN bytes. False when memory is short. */
bool mls_sign (const uint8_t *secret_key, const char *label, MlsSlice content,
    uint8_t *signature);

/* 5.1.2: VerifyWithLabel. False for keys and signatures of another length, too. */
bool mls_verify (MlsSlice public_key, const char *label, MlsSlice content,
    MlsSlice signature);

/* 5.1.3: EncryptWithLabel; `kem_output` gets MLS_KEY_LEN bytes, `ciphertext` plaintext.len + MLS_TAG_LEN. False for a
 * public key that is none, or when memory is short. */
bool mls_encrypt (MlsSuite suite, const MlsRandom *random, MlsSlice public_key,
    const char *label, MlsSlice context, MlsSlice plaintext,
    uint8_t *kem_output, uint8_t *ciphertext);

/* 5.1.3: DecryptWithLabel, ciphertext.len - MLS_TAG_LEN bytes to `plaintext`. `public_key` is the private key's own,
 * or NULL to compute it. */
bool mls_decrypt (MlsSuite suite, const uint8_t *private_key,
    const uint8_t *public_key, const char *label, MlsSlice context,
    MlsSlice kem_output, MlsSlice ciphertext, uint8_t *plaintext);

/* KEM.DeriveKeyPair from a secret of Nh bytes. */
bool mls_derive_key_pair (
    const uint8_t *secret, uint8_t *private_key, uint8_t *public_key);

/* 8.3: what an external joiner exported, from the external secret; Nh bytes to `init_secret`. */
bool mls_external_init_open (MlsSuite suite, const uint8_t *external_secret,
    MlsSlice kem_output, uint8_t *init_secret);

/* A fresh key pair. */
bool mls_generate_key_pair (
    const MlsRandom *random, uint8_t *private_key, uint8_t *public_key);

bool mls_public_key (const uint8_t *private_key, uint8_t *public_key);

/* The suite's AEAD, once. `out` gets len + MLS_TAG_LEN, or len - MLS_TAG_LEN bytes, and may be `in`. */
bool mls_aead_seal (MlsSuite suite, const uint8_t *key, const uint8_t *nonce,
    MlsSlice aad, MlsSlice in, uint8_t *out);
bool mls_aead_open (MlsSuite suite, const uint8_t *key, const uint8_t *nonce,
    MlsSlice aad, MlsSlice in, uint8_t *out);

/* The secret tree and its sender ratchets (RFC 9420, section 9): one key and nonce for each message of each member.
 *
 * Nothing is derived before it is needed, and what was used is wiped (9.2). Receiving takes two steps, so that a
 * message that turns out to be forged costs its alleged sender nothing: mls_secret_tree_find() derives a key without
 * changing anything, mls_secret_tree_spend() afterwards makes sure that nobody can derive it again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "types.h"

typedef struct MlsSecretTree MlsSecretTree;

typedef enum
{
  MLS_RATCHET_HANDSHAKE,
  MLS_RATCHET_APPLICATION
} MlsRatchetType;

/* Wiped by whoever asked for it. */
typedef struct
{
  uint8_t key[MLS_MAX_AEAD_KEY]; /* mls_aead_key_len() of them */
  uint8_t nonce[MLS_NONCE_LEN];
} MlsMessageKey;

/* A tree of `n_leaves`, a power of two, over the encryption secret, of which it keeps a copy until it is first used.
 * Of each ratchet the last `window` unused generations are kept, 0 to MLS_MAX_WINDOW. NULL when memory is short. */
MlsSecretTree *mls_secret_tree_new (MlsSuite suite, uint32_t n_leaves,
    const uint8_t *encryption_secret, uint32_t window);
void mls_secret_tree_free (MlsSecretTree *tree);

/* The key of a generation. MLS_OK, MLS_UNKNOWN_SENDER for a leaf beyond the tree, MLS_REPLAYED, MLS_TOO_FAR or
 * MLS_NO_MEMORY. */
MlsResult mls_secret_tree_find (MlsSecretTree *tree, uint32_t leaf,
    MlsRatchetType type, uint32_t generation, MlsMessageKey *out);

/* After mls_secret_tree_find() gave a key that proved right. `now` dates the generations that were skipped. */
MlsResult mls_secret_tree_spend (MlsSecretTree *tree, uint32_t leaf,
    MlsRatchetType type, uint32_t generation, uint64_t now);

/* The next key to send with, spent at once. MLS_OK, MLS_TOO_LARGE when all 2^32 - 1 generations are used, or
 * MLS_NO_MEMORY. */
MlsResult mls_secret_tree_next (MlsSecretTree *tree, uint32_t leaf,
    MlsRatchetType type, uint32_t *generation, MlsMessageKey *out);

/* Drops the keys of generations skipped before `then`. */
void mls_secret_tree_expire (MlsSecretTree *tree, uint64_t then);

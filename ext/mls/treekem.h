/* TreeKEM (RFC 9420, sections 7.4 to 7.6): fresh keys along a member's direct path, and how the others learn them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "proposal.h"
#include "tree.h"

/* The private keys that one member holds: of its leaf, and of the nodes of its direct path that it knows. A node is
 * named by its level, which stays when the tree grows or shrinks. Lives in sodium memory. */
typedef struct
{
  bool have[MLS_MAX_DEPTH + 1];
  uint8_t key[MLS_MAX_DEPTH + 1][MLS_KEY_LEN];
} MlsTreeKeys;

MlsTreeKeys *mls_tree_keys_new (void);
MlsTreeKeys *mls_tree_keys_copy (const MlsTreeKeys *keys);
void mls_tree_keys_free (MlsTreeKeys *keys);

/* Wipes the keys of nodes that are blank or no longer there (7.5: "MUST delete outdated key material"). */
void mls_tree_keys_prune (
    MlsTreeKeys *keys, const MlsTree *tree, uint32_t own_leaf);

/* The path that an update runs along, and its secrets; lives in sodium memory. */
typedef struct
{
  uint32_t leaf;
  size_t n; /* nodes of the filtered direct path */
  uint32_t path[MLS_MAX_DEPTH], copath[MLS_MAX_DEPTH];
  uint8_t secret
      [MLS_MAX_DEPTH + 1]
      [MLS_HASH_LEN]; /* path_secret[i]; the one after the last is the commit secret */
} MlsPathSecrets;

MlsPathSecrets *mls_path_secrets_new (void);
void mls_path_secrets_free (MlsPathSecrets *secrets);

/* 7.5, the sender's part: draws fresh keys for `leaf` and its path, puts them into `tree` and `keys`, and the leaf made
 * of `fields` with the new encryption key, source and parent hash, signed with `secret_key`. */
MlsResult mls_path_generate (MlsTree *tree, MlsTreeKeys *keys,
    MlsPathSecrets *secrets, uint32_t leaf, const MlsLeafNode *fields,
    const uint8_t *secret_key, MlsSlice group_id, const MlsRandom *random);

/* Writes the UpdatePath of a path that was generated: each secret encrypted to the resolution of its copath node,
 * without the `added` leaves, increasing, that the same commit adds. `context` is the provisional GroupContext. */
MlsResult mls_path_encrypt (MlsSuite suite, const MlsTree *tree,
    const MlsPathSecrets *secrets, const MlsIndices *added, MlsSlice context,
    const MlsRandom *random, MlsBuffer *out);

/* 7.5, a receiver's part, first: checks the shape of the path against the tree, and merges it, if the parent hash of
 * its leaf is right. Not the leaf's own validity. MLS_OK, MLS_INVALID_PATH or MLS_NO_MEMORY. */
MlsResult mls_path_merge (MlsTree *tree, uint32_t sender,
    const MlsUpdatePath *path, const MlsIndices *added);

/* Second: decrypts the path secret meant for `own_leaf` and derives those above it, into `keys`. The commit secret goes
 * to `commit_secret`. MLS_OK, MLS_UNAUTHENTIC, MLS_INVALID_PATH when the public keys are others, or MLS_NO_MEMORY. */
MlsResult mls_path_decrypt (MlsSuite suite, const MlsTree *tree,
    MlsTreeKeys *keys, uint32_t own_leaf, uint32_t sender,
    const MlsUpdatePath *path, const MlsIndices *added, MlsSlice context,
    uint8_t *path_secret, uint8_t *commit_secret);

/* From the path secret of `node`, on the filtered direct path of `sender` and above `own_leaf`, all keys up to the
 * root, each compared with the tree's. */
MlsResult mls_path_derive (const MlsTree *tree, MlsTreeKeys *keys,
    uint32_t sender, uint32_t node, const uint8_t *path_secret,
    uint8_t *commit_secret);

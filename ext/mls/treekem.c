/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "treekem.h"

#include "crypto.h"
#include "tree_validation.h"

#include <sodium.h>
#include <stdlib.h>

MlsTreeKeys *
mls_tree_keys_new (void)
{
  MlsTreeKeys *keys = sodium_malloc (sizeof *keys);
  if (keys)
    memset (keys, 0, sizeof *keys);
  return keys;
}

MlsTreeKeys *
mls_tree_keys_copy (const MlsTreeKeys *keys)
{
  MlsTreeKeys *copy = mls_tree_keys_new ();
  if (copy)
    *copy = *keys;
  return copy;
}

void
mls_tree_keys_free (MlsTreeKeys *keys)
{
  if (keys)
    sodium_free (keys);
}

static void
forget_key (MlsTreeKeys *keys, unsigned level)
{
  keys->have[level] = false;
  sodium_memzero (keys->key[level], MLS_KEY_LEN);
}

void
mls_tree_keys_prune (MlsTreeKeys *keys, const MlsTree *tree, uint32_t own_leaf)
{
  uint32_t node = 2 * own_leaf, root = mls_root (tree->n_leaves);
  unsigned top = mls_level (root);

  for (unsigned level = 1; level <= MLS_MAX_DEPTH; level++) {
    if (level <= top)
      node = mls_parent (node);
    if (level > top || mls_tree_is_blank (tree, node))
      forget_key (keys, level);
  }
}

MlsPathSecrets *
mls_path_secrets_new (void)
{
  MlsPathSecrets *secrets = sodium_malloc (sizeof *secrets);
  if (secrets)
    memset (secrets, 0, sizeof *secrets);
  return secrets;
}

void
mls_path_secrets_free (MlsPathSecrets *secrets)
{
  if (secrets)
    sodium_free (secrets);
}

/* node_priv, node_pub of a path secret (7.4). */
static bool
derive_node (
    const uint8_t *path_secret, uint8_t *private_key, uint8_t *public_key)
{
  uint8_t node_secret[MLS_HASH_LEN];
  bool ok = mls_derive_secret (path_secret, "node", node_secret)
            && mls_derive_key_pair (node_secret, private_key, public_key);
  sodium_memzero (node_secret, sizeof node_secret);
  return ok;
}

/* Blanks the direct path of `leaf` and puts `keys` on the filtered one, from the top down, since each node holds the
 * parent hash of the next above. Gives the parent hash for the leaf: empty when there is no parent. */
static bool
set_path (MlsTree *tree, uint32_t leaf, const uint32_t *path,
    const uint32_t *copath, size_t n, const MlsSlice *keys,
    uint8_t *leaf_parent_hash, size_t *leaf_parent_hash_len)
{
  uint8_t above[MLS_HASH_LEN];
  size_t above_len =
      0; /* "The root node always has a zero-length hash for its parent hash." */

  mls_tree_blank_path (tree, leaf);
  for (size_t i = n; i > 0; i--) {
    MlsSlice parent_hash = { above, above_len };
    const uint8_t *sibling = mls_tree_hash (tree, copath[i - 1]);
    MlsParent *parent = mls_parent_new (keys[i - 1], parent_hash, NULL, 0);
    if (!sibling || !parent) {
      mls_parent_unref (parent);
      return false;
    }
    mls_tree_set_parent (tree, path[i - 1], parent);
    if (!mls_parent_hash (
            parent->encryption_key, parent->parent_hash, sibling, above))
      return false;
    above_len = sizeof above;
  }
  memcpy (leaf_parent_hash, above, above_len);
  *leaf_parent_hash_len = above_len;
  return true;
}

MlsResult
mls_path_generate (MlsTree *tree, MlsTreeKeys *keys, MlsPathSecrets *secrets,
    uint32_t leaf, const MlsLeafNode *fields, const uint8_t *secret_key,
    MlsSlice group_id, const MlsRandom *random)
{
  uint8_t public_keys[MLS_MAX_DEPTH][MLS_KEY_LEN], leaf_key[MLS_KEY_LEN],
      parent_hash[MLS_HASH_LEN];
  MlsSlice key_slices[MLS_MAX_DEPTH];
  size_t parent_hash_len;

  secrets->leaf = leaf;
  secrets->n =
      mls_tree_filtered_path (tree, leaf, secrets->path, secrets->copath);
  mls_draw (random, secrets->secret[0], MLS_HASH_LEN);
  for (size_t i = 0; i < secrets->n; i++) {
    unsigned level = mls_level (secrets->path[i]);
    if (!derive_node (secrets->secret[i], keys->key[level], public_keys[i])
        || !mls_derive_secret (
            secrets->secret[i], "path", secrets->secret[i + 1]))
      return MLS_NO_MEMORY;
    keys->have[level] = true;
    key_slices[i] = mls_slice (public_keys[i], MLS_KEY_LEN);
  }
  if (!mls_generate_key_pair (random, keys->key[0], leaf_key)
      || !set_path (tree, leaf, secrets->path, secrets->copath, secrets->n,
          key_slices, parent_hash, &parent_hash_len))
    return MLS_NO_MEMORY;
  keys->have[0] = true;
  mls_tree_keys_prune (keys, tree, leaf);

  MlsLeafNode changed = *fields;
  MlsBuffer bytes = { 0 };
  changed.encryption_key = mls_slice (leaf_key, sizeof leaf_key);
  changed.source = MLS_LEAF_COMMIT;
  changed.parent_hash = mls_slice (parent_hash, parent_hash_len);
  MlsLeaf *new_leaf =
      mls_leaf_node_sign (&bytes, &changed, secret_key, group_id, leaf)
          ? mls_leaf_new (mls_buffer_slice (&bytes))
          : NULL;
  mls_buffer_free (&bytes);
  if (!new_leaf)
    return MLS_NO_MEMORY;
  mls_tree_set_leaf (tree, leaf, new_leaf);
  return MLS_OK;
}

static bool
is_added (const MlsIndices *added, uint32_t node)
{
  if (!mls_is_leaf (node))
    return false;
  size_t low = 0, high = added ? added->len : 0;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (added->at[middle] == node / 2)
      return true;
    if (added->at[middle] < node / 2)
      low = middle + 1;
    else
      high = middle;
  }
  return false;
}

/* Whom the secret of the node above `copath` is encrypted to: "Any new member … added in the same Commit MUST be
 * excluded from this resolution." */
static bool
recipients (const MlsTree *tree, uint32_t copath, const MlsIndices *added,
    MlsIndices *out)
{
  mls_tree_resolution (tree, copath, out);
  size_t n = 0;
  for (size_t i = 0; i < out->len; i++)
    if (!is_added (added, out->at[i]))
      out->at[n++] = out->at[i];
  out->len = n;
  return !out->failed;
}

static MlsSlice
encryption_key_of (const MlsTree *tree, uint32_t node)
{
  return mls_is_leaf (node) ? tree->nodes[node].leaf->node.encryption_key
                            : tree->nodes[node].parent->encryption_key;
}

MlsResult
mls_path_encrypt (MlsSuite suite, const MlsTree *tree,
    const MlsPathSecrets *secrets, const MlsIndices *added, MlsSlice context,
    const MlsRandom *random, MlsBuffer *out)
{
  MlsResult result = MLS_OK;

  mls_put_slice (out, mls_tree_leaf (tree, secrets->leaf)->node.raw);
  size_t nodes = mls_begin_vector (out);
  for (size_t i = 0; i < secrets->n && result == MLS_OK; i++) {
    MlsIndices to = { 0 };
    uint8_t kem_output[MLS_KEY_LEN], ciphertext[MLS_HASH_LEN + MLS_TAG_LEN];
    MlsHpkeCiphertext item = { { kem_output, sizeof kem_output },
      { ciphertext, sizeof ciphertext } };

    mls_put_opaque (
        out, mls_tree_parent (tree, secrets->path[i])->encryption_key);
    size_t ciphertexts = mls_begin_vector (out);
    if (!recipients (tree, secrets->copath[i], added, &to))
      result = MLS_NO_MEMORY;
    for (size_t j = 0; j < to.len && result == MLS_OK; j++) {
      if (!mls_encrypt (suite, random, encryption_key_of (tree, to.at[j]),
              "UpdatePathNode", context,
              mls_slice (secrets->secret[i], MLS_HASH_LEN), kem_output,
              ciphertext))
        result =
            MLS_INVALID_TREE; /* a member's public key is of low order: it can be removed, not written to */
      mls_hpke_ciphertext_put (out, &item);
    }
    mls_end_vector (out, ciphertexts);
    mls_indices_free (&to);
  }
  mls_end_vector (out, nodes);
  return result == MLS_OK && out->failed ? MLS_NO_MEMORY : result;
}

/* The nodes of an UpdatePath, as many as the filtered direct path has, each with as many ciphertexts as it has
 * recipients (7.6). */
static MlsResult
read_path_nodes (const MlsTree *tree, const MlsUpdatePath *path,
    const uint32_t *copath, size_t n, const MlsIndices *added,
    MlsSlice keys[MLS_MAX_DEPTH])
{
  Reader in = mls_reader (path->nodes);
  MlsResult result = MLS_OK;

  for (size_t i = 0; i < n && result == MLS_OK; i++) {
    MlsPathNode node;
    MlsHpkeCiphertext ciphertext;
    MlsIndices to = { 0 };
    size_t count = 0;

    mls_path_node_read (&in, &node);
    if (in.failed || node.encryption_key.len != MLS_KEY_LEN)
      return MLS_INVALID_PATH;
    keys[i] = node.encryption_key;
    Reader list = mls_reader (node.ciphertexts);
    for (; reader_left (&list) > 0; count++)
      mls_hpke_ciphertext_read (&list, &ciphertext);
    if (!recipients (tree, copath[i], added, &to))
      result = MLS_NO_MEMORY;
    else if (list.failed || to.len != count)
      result = MLS_INVALID_PATH;
    mls_indices_free (&to);
  }
  return result == MLS_OK && !reader_done (&in) ? MLS_INVALID_PATH : result;
}

MlsResult
mls_path_merge (MlsTree *tree, uint32_t sender, const MlsUpdatePath *path,
    const MlsIndices *added)
{
  uint32_t nodes[MLS_MAX_DEPTH], copath[MLS_MAX_DEPTH];
  MlsSlice keys[MLS_MAX_DEPTH];
  uint8_t parent_hash[MLS_HASH_LEN];
  size_t parent_hash_len,
      n = mls_tree_filtered_path (tree, sender, nodes, copath);

  MlsResult result = read_path_nodes (tree, path, copath, n, added, keys);
  if (result != MLS_OK)
    return result;
  MlsLeaf *leaf = mls_leaf_new (path->leaf.raw);
  if (!leaf
      || !set_path (tree, sender, nodes, copath, n, keys, parent_hash,
          &parent_hash_len)) {
    mls_leaf_unref (leaf);
    return MLS_NO_MEMORY;
  }
  mls_tree_set_leaf (tree, sender, leaf);
  /* "verify that the `parent_hash` field of the leaf node matches the parent hash for the first node" */
  if (leaf->node.source != MLS_LEAF_COMMIT
      || !mls_slice_equal (
          leaf->node.parent_hash, mls_slice (parent_hash, parent_hash_len)))
    return MLS_INVALID_PATH;
  return MLS_OK;
}

MlsResult
mls_path_derive (const MlsTree *tree, MlsTreeKeys *keys, uint32_t sender,
    uint32_t node, const uint8_t *path_secret, uint8_t *commit_secret)
{
  uint32_t path[MLS_MAX_DEPTH], copath[MLS_MAX_DEPTH];
  uint8_t secret[MLS_HASH_LEN], private_key[MLS_KEY_LEN],
      public_key[MLS_KEY_LEN];
  size_t n = mls_tree_filtered_path (tree, sender, path, copath), i = 0;
  MlsResult result = MLS_OK;

  while (i < n && path[i] != node)
    i++;
  if (i == n)
    return MLS_INVALID_PATH;
  memcpy (secret, path_secret, sizeof secret);
  for (; i < n && result == MLS_OK; i++) {
    const MlsParent *parent = mls_tree_parent (tree, path[i]);
    unsigned level = mls_level (path[i]);
    if (!parent) {
      result = MLS_INVALID_PATH;
      break;
    }
    if (!derive_node (secret, private_key, public_key)) {
      result = MLS_NO_MEMORY;
      break;
    }
    /* "Verify that the derived public keys are the same as the corresponding public keys sent in the UpdatePath." */
    if (!mls_slice_equal (parent->encryption_key,
            mls_slice (public_key, sizeof public_key))) {
      result = MLS_INVALID_PATH;
      break;
    }
    memcpy (keys->key[level], private_key, MLS_KEY_LEN);
    keys->have[level] = true;
    if (!mls_derive_secret (secret, "path", secret))
      result = MLS_NO_MEMORY;
  }
  if (result == MLS_OK)
    memcpy (commit_secret, secret, sizeof secret);
  sodium_memzero (secret, sizeof secret);
  sodium_memzero (private_key, sizeof private_key);
  return result;
}

/* The ciphertext for us, and the node whose key opens it. */
static bool
find_ciphertext (const MlsTree *tree, const MlsTreeKeys *keys,
    uint32_t own_leaf, uint32_t copath, const MlsIndices *added,
    MlsSlice ciphertexts, MlsHpkeCiphertext *out, uint32_t *node)
{
  MlsIndices to = { 0 };
  bool found = false;

  if (recipients (tree, copath, added, &to)) {
    Reader in = mls_reader (ciphertexts);
    for (size_t i = 0; i < to.len && !found; i++) {
      mls_hpke_ciphertext_read (&in, out);
      *node = to.at[i];
      found =
          mls_covers (to.at[i], own_leaf) && keys->have[mls_level (to.at[i])];
    }
    found = found && !in.failed;
  }
  mls_indices_free (&to);
  return found;
}

MlsResult
mls_path_decrypt (MlsSuite suite, const MlsTree *tree, MlsTreeKeys *keys,
    uint32_t own_leaf, uint32_t sender, const MlsUpdatePath *path,
    const MlsIndices *added, MlsSlice context, uint8_t *path_secret,
    uint8_t *commit_secret)
{
  uint32_t nodes[MLS_MAX_DEPTH], copath[MLS_MAX_DEPTH], with = 0;
  size_t n = mls_tree_filtered_path (tree, sender, nodes, copath), i = 0;
  Reader in = mls_reader (path->nodes);
  MlsPathNode node;
  MlsHpkeCiphertext ciphertext;

  for (; i < n; i++) {
    mls_path_node_read (&in, &node);
    if (mls_covers (copath[i], own_leaf))
      break;
  }
  if (i == n || in.failed
      || !find_ciphertext (tree, keys, own_leaf, copath[i], added,
          node.ciphertexts, &ciphertext, &with))
    return MLS_INVALID_PATH;
  MlsSlice public_key = encryption_key_of (tree, with);
  if (ciphertext.ciphertext.len != MLS_HASH_LEN + MLS_TAG_LEN
      || public_key.len != MLS_KEY_LEN)
    return MLS_INVALID_PATH;
  if (!mls_decrypt (suite, keys->key[mls_level (with)], public_key.data,
          "UpdatePathNode", context, ciphertext.kem_output,
          ciphertext.ciphertext, path_secret))
    return MLS_UNAUTHENTIC;
  MlsResult result = mls_path_derive (
      tree, keys, sender, nodes[i], path_secret, commit_secret);
  mls_tree_keys_prune (keys, tree, own_leaf);
  return result;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree_validation.h"

#include "crypto.h"

#include <sodium.h>
#include <stdlib.h>

/* Index of the first entry of an increasing list that is >= value. */
static uint32_t
lower_bound (const uint32_t *list, uint32_t n, uint32_t value)
{
  uint32_t low = 0, high = n;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (list[middle] < value)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool
lists_unmerged (const MlsParent *parent, uint32_t leaf)
{
  uint32_t at = lower_bound (parent->unmerged, parent->n_unmerged, leaf);
  return at < parent->n_unmerged && parent->unmerged[at] == leaf;
}

MlsResult
mls_tree_check_unmerged (const MlsTree *tree)
{
  for (uint32_t node = 1; node < mls_node_count (tree->n_leaves); node += 2) {
    const MlsParent *parent = tree->nodes[node].parent;
    for (uint32_t i = 0; parent && i < parent->n_unmerged; i++) {
      uint32_t leaf = parent->unmerged[i];
      if (!mls_covers (node, leaf) || !mls_tree_leaf (tree, leaf))
        return MLS_INVALID_TREE;
      for (uint32_t between = mls_parent (2 * leaf); between != node;
           between = mls_parent (between))
        if (tree->nodes[between].parent
            && !lists_unmerged (tree->nodes[between].parent, leaf))
          return MLS_INVALID_TREE;
    }
  }
  return MLS_OK;
}

/* A set of public keys, hashed under a random key: who sends us a tree can't make them collide. */
typedef struct
{
  MlsSlice *slots;
  size_t mask;
  uint8_t hash_key[crypto_shorthash_KEYBYTES];
} KeySet;

static bool
key_set_init (KeySet *set, size_t keys)
{
  size_t size = 16;
  while (size < 2 * keys)
    size *= 2;
  set->mask = size - 1;
  set->slots = calloc (size, sizeof *set->slots);
  randombytes_buf (set->hash_key, sizeof set->hash_key);
  return set->slots != NULL;
}

/* False when it was there. */
static bool
key_set_add (KeySet *set, MlsSlice key)
{
  static const uint8_t nothing[1];
  uint64_t hash;
  if (!key.data)
    key.data = nothing;
  crypto_shorthash ((uint8_t *) &hash, key.data, key.len, set->hash_key);
  size_t at = (size_t) hash & set->mask;
  for (; set->slots[at].data; at = (at + 1) & set->mask)
    if (mls_slice_equal (set->slots[at], key))
      return false;
  set->slots[at] = key;
  return true;
}

MlsResult
mls_tree_check_encryption_keys (
    const MlsTree *tree, const MlsSlice *more, size_t n_more)
{
  KeySet set;
  bool unique = true;
  uint32_t n = mls_node_count (tree->n_leaves);

  if (!key_set_init (&set, n + n_more))
    return MLS_NO_MEMORY;
  for (uint32_t i = 0; i < n && unique; i++)
    if (!mls_tree_is_blank (tree, i))
      unique = key_set_add (
          &set, mls_is_leaf (i) ? tree->nodes[i].leaf->node.encryption_key
                                : tree->nodes[i].parent->encryption_key);
  for (size_t i = 0; i < n_more && unique; i++)
    unique = key_set_add (&set, more[i]);
  free (set.slots);
  return unique ? MLS_OK : MLS_INVALID_TREE;
}

MlsResult
mls_tree_check_signature_keys (const MlsTree *tree)
{
  KeySet set;
  bool unique = true;

  if (!key_set_init (&set, tree->n_leaves))
    return MLS_NO_MEMORY;
  for (uint32_t i = 0; i < tree->n_leaves && unique; i++)
    if (tree->nodes[2 * i].leaf)
      unique = key_set_add (&set, tree->nodes[2 * i].leaf->node.signature_key);
  free (set.slots);
  return unique ? MLS_OK : MLS_INVALID_TREE;
}

MlsResult
mls_tree_check_credentials (const MlsTree *tree)
{
  bool basic = false, x509 = false;
  for (uint32_t i = 0; i < tree->n_leaves; i++)
    if (tree->nodes[2 * i].leaf) {
      uint16_t type = tree->nodes[2 * i].leaf->node.credential.type;
      basic |= type == MLS_CREDENTIAL_BASIC;
      x509 |= type == MLS_CREDENTIAL_X509;
    }
  for (uint32_t i = 0; i < tree->n_leaves; i++)
    if (tree->nodes[2 * i].leaf) {
      MlsSlice types = tree->nodes[2 * i].leaf->node.credential_types;
      if ((basic && !mls_list_has (types, MLS_CREDENTIAL_BASIC))
          || (x509 && !mls_list_has (types, MLS_CREDENTIAL_X509)))
        return MLS_INVALID_LEAF;
    }
  return MLS_OK;
}

MlsResult
mls_tree_check_extensions (const MlsTree *tree, MlsSlice group_extensions)
{
  MlsRequiredCapabilities required;
  MlsSlice data;
  bool requires = mls_find_extension (
      group_extensions, MLS_EXTENSION_REQUIRED_CAPABILITIES, &data);

  if (requires && !mls_required_capabilities_parse (data, &required))
    return MLS_MALFORMED;
  for (uint32_t i = 0; i < tree->n_leaves; i++)
    if (tree->nodes[2 * i].leaf
        && !mls_leaf_node_supports (&tree->nodes[2 * i].leaf->node,
            group_extensions, requires ? &required : NULL))
      return MLS_INVALID_LEAF;
  return MLS_OK;
}

bool
mls_parent_hash (MlsSlice encryption_key, MlsSlice parent_hash,
    const uint8_t *sibling_hash, uint8_t *out)
{
  MlsBuffer input = { 0 };
  mls_put_opaque (&input, encryption_key);
  mls_put_opaque (&input, parent_hash);
  mls_put_opaque (&input, mls_slice (sibling_hash, MLS_HASH_LEN));
  bool ok = !input.failed;
  if (ok)
    mls_hash (mls_buffer_slice (&input), out);
  mls_buffer_free (&input);
  return ok;
}

/* 7.9, original_sibling_tree_hash: the tree hash of `node` with the leaves of `without`, all below it, blank and in no
 * list of unmerged leaves. Only what is above one of them is computed anew. */
static bool
original_tree_hash (MlsTree *tree, uint32_t node, const uint32_t *without,
    uint32_t n, uint8_t *out)
{
  if (n == 0) {
    const uint8_t *kept = mls_tree_hash (tree, node);
    if (kept)
      memcpy (out, kept, MLS_HASH_LEN);
    return kept != NULL;
  }
  if (mls_is_leaf (node)) {
    mls_leaf_tree_hash (node / 2, NULL, out);
    return true;
  }

  uint8_t left[MLS_HASH_LEN], right[MLS_HASH_LEN];
  uint32_t split = lower_bound (without, n, mls_first_leaf (mls_right (node)));
  if (!original_tree_hash (tree, mls_left (node), without, split, left)
      || !original_tree_hash (
          tree, mls_right (node), without + split, n - split, right))
    return false;

  const MlsParent *parent = tree->nodes[node].parent;
  MlsIndices unmerged = { 0 };
  for (uint32_t i = 0, j = 0; parent && i < parent->n_unmerged; i++) {
    while (j < n && without[j] < parent->unmerged[i])
      j++;
    if (j == n || without[j] != parent->unmerged[i])
      mls_indices_add (&unmerged, parent->unmerged[i]);
  }
  bool ok = !unmerged.failed
            && mls_parent_tree_hash (parent, unmerged.at,
                (uint32_t) unmerged.len, left, right, out);
  mls_indices_free (&unmerged);
  return ok;
}

/* Appends the resolution of `node` until there are more than `most` entries. */
static void
bounded_resolution (
    const MlsTree *tree, uint32_t node, size_t most, MlsIndices *out)
{
  if (out->len > most)
    return;
  if (!mls_tree_is_blank (tree, node) || mls_is_leaf (node)) {
    mls_tree_resolution (tree, node, out);
    return;
  }
  bounded_resolution (tree, mls_left (node), most, out);
  bounded_resolution (tree, mls_right (node), most, out);
}

static MlsSlice
parent_hash_of (const MlsTree *tree, uint32_t node)
{
  if (!mls_is_leaf (node))
    return tree->nodes[node].parent->parent_hash;
  return tree->nodes[node]
      .leaf->node.parent_hash; /* empty unless it came with a commit */
}

/* 7.9.2: the nodes D below the child `c` of `p` whose parent hash is valid with respect to `p`: 0 or 1, or -1 when
 * memory is short. "D is in the resolution of C, and the intersection of P's `unmerged_leaves` with the subtree under C
 * is equal to the resolution of C with D removed." */
static int
count_links (MlsTree *tree, uint32_t p, uint32_t c)
{
  const MlsParent *parent = tree->nodes[p].parent;
  uint32_t s = mls_sibling (c),
           split = lower_bound (parent->unmerged, parent->n_unmerged,
               mls_first_leaf (mls_right (p)));
  bool left = c < p;
  const uint32_t *under_c = left ? parent->unmerged : parent->unmerged + split;
  const uint32_t *under_s = left ? parent->unmerged + split : parent->unmerged;
  uint32_t n_c = left ? split : parent->n_unmerged - split,
           n_s = parent->n_unmerged - n_c;

  MlsIndices resolution = { 0 };
  bounded_resolution (tree, c, (size_t) n_c + 1, &resolution);
  int found = resolution.failed ? -1 : 0;
  if (resolution.failed || resolution.len != (size_t) n_c + 1)
    goto out;

  uint8_t sibling_hash[MLS_HASH_LEN], expected[MLS_HASH_LEN];
  if (!original_tree_hash (tree, s, under_s, n_s, sibling_hash)
      || !mls_parent_hash (parent->encryption_key, parent->parent_hash,
          sibling_hash, expected)) {
    found = -1;
    goto out;
  }
  for (size_t i = 0; i < resolution.len && found < 2; i++) {
    if (!mls_slice_equal (parent_hash_of (tree, resolution.at[i]),
            mls_slice (expected, sizeof expected)))
      continue;
    /* The others must be exactly the unmerged ones. A resolution's order need not be that of the leaves. */
    bool fits = true;
    for (size_t j = 0; j < resolution.len && fits; j++)
      if (j != i) {
        uint32_t leaf = resolution.at[j] / 2,
                 at = lower_bound (under_c, n_c, leaf);
        fits =
            mls_is_leaf (resolution.at[j]) && at < n_c && under_c[at] == leaf;
      }
    if (fits)
      found++;
  }
out:
  mls_indices_free (&resolution);
  return found;
}

MlsResult
mls_tree_check_parent_hashes (MlsTree *tree)
{
  for (uint32_t node = 1; node < mls_node_count (tree->n_leaves); node += 2) {
    if (!tree->nodes[node].parent)
      continue;
    int left = count_links (tree, node, mls_left (node)),
        right = count_links (tree, node, mls_right (node));
    if (left < 0 || right < 0)
      return MLS_NO_MEMORY;
    if (left + right != 1)
      return MLS_INVALID_TREE;
  }
  return MLS_OK;
}

MlsResult
mls_tree_validate (MlsTree *tree, MlsSuite suite, MlsSlice group_id,
    MlsSlice group_extensions)
{
  MlsResult result = mls_tree_check_unmerged (tree);
  for (uint32_t i = 1; i < mls_node_count (tree->n_leaves) && result == MLS_OK;
       i += 2)
    if (tree->nodes[i].parent
        && tree->nodes[i].parent->encryption_key.len != MLS_KEY_LEN)
      result = MLS_INVALID_TREE;
  if (result == MLS_OK)
    result = mls_tree_check_encryption_keys (tree, NULL, 0);
  if (result == MLS_OK)
    result = mls_tree_check_signature_keys (tree);
  if (result == MLS_OK)
    result = mls_tree_check_credentials (tree);
  if (result == MLS_OK)
    result = mls_tree_check_extensions (tree, group_extensions);
  if (result == MLS_OK)
    result = mls_tree_check_parent_hashes (tree);
  for (uint32_t i = 0; i < tree->n_leaves && result == MLS_OK; i++) {
    const MlsLeaf *leaf = tree->nodes[2 * i].leaf;
    if (leaf && !mls_leaf_node_is_sound (&leaf->node, suite))
      result = MLS_INVALID_LEAF;
    else if (leaf && !mls_leaf_node_verify (&leaf->node, group_id, i))
      result = MLS_BAD_SIGNATURE;
  }
  return result;
}

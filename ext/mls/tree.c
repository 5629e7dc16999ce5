/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree.h"

#include "crypto.h"

#include <stdlib.h>

enum
{
  NODE_LEAF = 1,
  NODE_PARENT = 2
};

void
mls_indices_free (MlsIndices *indices)
{
  free (indices->at);
  *indices = (MlsIndices){ 0 };
}

void
mls_indices_add (MlsIndices *indices, uint32_t value)
{
  if (indices->len == indices->room) {
    size_t room = indices->room ? 2 * indices->room : 16;
    uint32_t *at = realloc (indices->at, room * sizeof *at);
    if (!at) {
      indices->failed = true;
      return;
    }
    indices->at = at;
    indices->room = room;
  }
  indices->at[indices->len++] = value;
}

MlsLeaf *
mls_leaf_new (MlsSlice bytes)
{
  MlsLeaf *leaf = malloc (sizeof *leaf + bytes.len);
  if (!leaf)
    return NULL;
  leaf->refs = 1;
  if (bytes.len > 0)
    memcpy (leaf->bytes, bytes.data, bytes.len);
  Reader in = reader_init (leaf->bytes, bytes.len);
  mls_leaf_node_read (&in, &leaf->node);
  if (!reader_done (&in)) {
    free (leaf);
    return NULL;
  }
  return leaf;
}

MlsLeaf *
mls_leaf_ref (MlsLeaf *leaf)
{
  leaf->refs++;
  return leaf;
}

void
mls_leaf_unref (MlsLeaf *leaf)
{
  if (leaf && --leaf->refs == 0)
    free (leaf);
}

MlsParent *
mls_parent_new (MlsSlice encryption_key, MlsSlice parent_hash,
    const uint32_t *unmerged, uint32_t n)
{
  size_t list = n * sizeof *unmerged;
  MlsParent *parent =
      malloc (sizeof *parent + list + encryption_key.len + parent_hash.len);
  if (!parent)
    return NULL;
  uint32_t *list_at = (uint32_t *) (parent + 1);
  uint8_t *key_at = (uint8_t *) list_at + list,
          *hash_at = key_at + encryption_key.len;
  if (n > 0)
    memcpy (list_at, unmerged, list);
  if (encryption_key.len > 0)
    memcpy (key_at, encryption_key.data, encryption_key.len);
  if (parent_hash.len > 0)
    memcpy (hash_at, parent_hash.data, parent_hash.len);
  *parent = (MlsParent){ 1, { key_at, encryption_key.len },
    { hash_at, parent_hash.len }, list_at, n };
  return parent;
}

void
mls_parent_unref (MlsParent *parent)
{
  if (parent && --parent->refs == 0)
    free (parent);
}

static void
release_node (MlsNode *nodes, uint32_t node)
{
  if (mls_is_leaf (node))
    mls_leaf_unref (nodes[node].leaf);
  else
    mls_parent_unref (nodes[node].parent);
}

MlsTree *
mls_tree_new (MlsLeaf *leaf)
{
  MlsTree *tree = calloc (1, sizeof *tree);
  MlsNode *nodes = calloc (1, sizeof *nodes);
  if (!tree || !nodes) {
    free (tree);
    free (nodes);
    mls_leaf_unref (leaf);
    return NULL;
  }
  nodes[0].leaf = leaf;
  *tree = (MlsTree){ 1, 1, 1, nodes };
  return tree;
}

MlsTree *
mls_tree_copy (const MlsTree *tree)
{
  uint32_t n = mls_node_count (tree->n_leaves);
  MlsTree *copy = malloc (sizeof *copy);
  MlsNode *nodes = malloc (n * sizeof *nodes);
  if (!copy || !nodes) {
    free (copy);
    free (nodes);
    return NULL;
  }
  *copy = *tree;
  copy->nodes = nodes;
  memcpy (nodes, tree->nodes, n * sizeof *nodes);
  for (uint32_t i = 0; i < n; i++)
    if (mls_is_leaf (i) && nodes[i].leaf)
      nodes[i].leaf->refs++;
    else if (!mls_is_leaf (i) && nodes[i].parent)
      nodes[i].parent->refs++;
  return copy;
}

void
mls_tree_free (MlsTree *tree)
{
  if (!tree)
    return;
  for (uint32_t i = 0; i < mls_node_count (tree->n_leaves); i++)
    release_node (tree->nodes, i);
  free (tree->nodes);
  free (tree);
}

/* ParentNode (7.1). The list MUST be "sorted in increasing order"; twice the same is no order. */
static MlsParent *
read_parent (Reader *in)
{
  MlsSlice encryption_key = mls_read_opaque (in);
  MlsSlice parent_hash = mls_read_opaque (in);
  Reader list = mls_read_vector (in);
  MlsIndices unmerged = { 0 };

  while (reader_left (&list) > 0) {
    uint32_t leaf = (uint32_t) reader_uint (&list, 4);
    if (unmerged.len > 0 && leaf <= unmerged.at[unmerged.len - 1])
      list.failed = true;
    else if (unmerged.len == MLS_MAX_MEMBERS)
      list.failed = true;
    else
      mls_indices_add (&unmerged, leaf);
  }
  if (list.failed || unmerged.failed)
    in->failed = true;
  MlsParent *parent = NULL;
  if (!in->failed)
    parent = mls_parent_new (
        encryption_key, parent_hash, unmerged.at, (uint32_t) unmerged.len);
  mls_indices_free (&unmerged);
  return parent;
}

static void
read_node (Reader *in, uint32_t index, MlsNode *out)
{
  if (!mls_read_present (in))
    return;
  uint64_t type = reader_uint (in, 1);
  if (type != (mls_is_leaf (index) ? NODE_LEAF : NODE_PARENT)) {
    in->failed = true;
  } else if (type == NODE_LEAF) {
    MlsLeafNode leaf;
    mls_leaf_node_read (in, &leaf);
    out->leaf = in->failed ? NULL : mls_leaf_new (leaf.raw);
  } else {
    out->parent = read_parent (in);
  }
}

/* Counts members and finds the first blank leaf, after the nodes were set from outside. */
static void
count_members (MlsTree *tree)
{
  tree->n_members = 0;
  tree->first_blank = tree->n_leaves;
  for (uint32_t i = tree->n_leaves; i > 0; i--)
    if (tree->nodes[2 * (i - 1)].leaf)
      tree->n_members++;
    else
      tree->first_blank = i - 1;
}

MlsResult
mls_tree_parse (MlsSlice content, MlsTree **out)
{
  uint32_t max = mls_node_count (MLS_MAX_MEMBERS), n = 0, n_leaves = 1;
  MlsNode *nodes = calloc (max, sizeof *nodes);
  Reader in = mls_reader (content);
  MlsResult result = MLS_OK;

  if (!nodes)
    return MLS_NO_MEMORY;
  bool last_blank = true;
  while (reader_left (&in) > 0 && n < max) {
    read_node (&in, n, &nodes[n]);
    last_blank = mls_is_leaf (n) ? !nodes[n].leaf : !nodes[n].parent;
    n++;
  }
  /* "The receiver MUST check that the last node in `ratchet_tree` is non-blank" */
  if (in.failed || n == 0 || last_blank)
    result = MLS_MALFORMED;
  else if (reader_left (&in) > 0)
    result = MLS_TOO_LARGE;
  while (mls_node_count (n_leaves) < n)
    n_leaves *= 2;

  MlsTree *tree = result == MLS_OK ? malloc (sizeof *tree) : NULL;
  MlsNode *fit =
      tree ? realloc (nodes, mls_node_count (n_leaves) * sizeof *nodes) : NULL;
  if (!fit) {
    for (uint32_t i = 0; i < n; i++)
      release_node (nodes, i);
    free (nodes);
    free (tree);
    return result == MLS_OK ? MLS_NO_MEMORY : result;
  }
  *tree = (MlsTree){ n_leaves, 0, 0, fit };
  count_members (tree);
  *out = tree;
  return MLS_OK;
}

void
mls_tree_put (MlsBuffer *buffer, const MlsTree *tree)
{
  uint32_t n = mls_node_count (tree->n_leaves);
  while (n > 0 && mls_tree_is_blank (tree, n - 1))
    n--; /* "the sender MUST NOT include blank nodes after the last non-blank node" */

  size_t start = mls_begin_vector (buffer);
  for (uint32_t i = 0; i < n; i++) {
    if (mls_tree_is_blank (tree, i)) {
      mls_put_uint (buffer, 0, 1);
    } else if (mls_is_leaf (i)) {
      mls_put_uint (buffer, 1, 1);
      mls_put_uint (buffer, NODE_LEAF, 1);
      mls_put_slice (buffer, tree->nodes[i].leaf->node.raw);
    } else {
      const MlsParent *parent = tree->nodes[i].parent;
      mls_put_uint (buffer, 1, 1);
      mls_put_uint (buffer, NODE_PARENT, 1);
      mls_put_opaque (buffer, parent->encryption_key);
      mls_put_opaque (buffer, parent->parent_hash);
      mls_put_varint (buffer, 4 * (size_t) parent->n_unmerged);
      for (uint32_t j = 0; j < parent->n_unmerged; j++)
        mls_put_uint (buffer, parent->unmerged[j], 4);
    }
  }
  mls_end_vector (buffer, start);
}

MlsLeaf *
mls_tree_leaf (const MlsTree *tree, uint32_t leaf_index)
{
  return leaf_index < tree->n_leaves ? tree->nodes[2 * leaf_index].leaf : NULL;
}

MlsParent *
mls_tree_parent (const MlsTree *tree, uint32_t node)
{
  return tree->nodes[node].parent;
}

bool
mls_tree_is_blank (const MlsTree *tree, uint32_t node)
{
  return mls_is_leaf (node) ? !tree->nodes[node].leaf
                            : !tree->nodes[node].parent;
}

/* The hashes of a node and of all above it are no longer known. */
static void
forget_hashes (MlsTree *tree, uint32_t node)
{
  uint32_t root = mls_root (tree->n_leaves);
  tree->nodes[node].hashed = false;
  while (node != root) {
    node = mls_parent (node);
    tree->nodes[node].hashed = false;
  }
}

void
mls_tree_set_leaf (MlsTree *tree, uint32_t leaf_index, MlsLeaf *leaf)
{
  MlsNode *node = &tree->nodes[2 * leaf_index];
  if (node->leaf && !leaf) {
    tree->n_members--;
    if (leaf_index < tree->first_blank)
      tree->first_blank = leaf_index;
  } else if (!node->leaf && leaf) {
    tree->n_members++;
  }
  mls_leaf_unref (node->leaf);
  node->leaf = leaf;
  forget_hashes (tree, 2 * leaf_index);
}

void
mls_tree_set_parent (MlsTree *tree, uint32_t node, MlsParent *parent)
{
  mls_parent_unref (tree->nodes[node].parent);
  tree->nodes[node].parent = parent;
  forget_hashes (tree, node);
}

/* 7.7: a new blank root, the tree to its left, a blank subtree to its right. */
static MlsResult
extend (MlsTree *tree)
{
  if (tree->n_leaves >= MLS_MAX_MEMBERS)
    return MLS_TOO_LARGE;
  uint32_t old = mls_node_count (tree->n_leaves),
           new = mls_node_count (2 * tree->n_leaves);
  MlsNode *nodes = realloc (tree->nodes, new * sizeof *nodes);
  if (!nodes)
    return MLS_NO_MEMORY;
  memset (nodes + old, 0, (new - old) * sizeof *nodes);
  tree->nodes = nodes;
  tree->n_leaves *= 2;
  return MLS_OK;
}

MlsResult
mls_tree_make_room (MlsTree *tree, uint32_t *leaf_index)
{
  while (tree->first_blank < tree->n_leaves
         && tree->nodes[2 * tree->first_blank].leaf)
    tree->first_blank++;
  if (tree->first_blank == tree->n_leaves) {
    MlsResult result = extend (tree);
    if (result != MLS_OK)
      return result;
  }
  *leaf_index = tree->first_blank;
  return MLS_OK;
}

/* A copy of `parent` that also has `leaf` as unmerged. */
static MlsParent *
with_unmerged (const MlsParent *parent, uint32_t leaf)
{
  uint32_t list[MLS_MAX_MEMBERS + 1], n = 0, i = 0;
  if (parent->n_unmerged >= MLS_MAX_MEMBERS)
    return NULL;
  for (; i < parent->n_unmerged && parent->unmerged[i] < leaf; i++)
    list[n++] = parent->unmerged[i];
  list[n++] = leaf;
  for (; i < parent->n_unmerged; i++)
    list[n++] = parent->unmerged[i];
  return mls_parent_new (parent->encryption_key, parent->parent_hash, list, n);
}

MlsResult
mls_tree_add (MlsTree *tree, MlsLeaf *leaf, uint32_t *leaf_index)
{
  MlsResult result = mls_tree_make_room (tree, leaf_index);
  if (result != MLS_OK) {
    mls_leaf_unref (leaf);
    return result;
  }
  for (uint32_t node = 2 * *leaf_index; node != mls_root (tree->n_leaves);) {
    node = mls_parent (node);
    if (!tree->nodes[node].parent)
      continue;
    MlsParent *changed = with_unmerged (tree->nodes[node].parent, *leaf_index);
    if (!changed) {
      mls_leaf_unref (leaf);
      return MLS_NO_MEMORY;
    }
    mls_parent_unref (tree->nodes[node].parent);
    tree->nodes[node].parent = changed;
  }
  mls_tree_set_leaf (tree, *leaf_index, leaf);
  return MLS_OK;
}

void
mls_tree_blank_path (MlsTree *tree, uint32_t leaf_index)
{
  for (uint32_t node = 2 * leaf_index; node != mls_root (tree->n_leaves);) {
    node = mls_parent (node);
    mls_parent_unref (tree->nodes[node].parent);
    tree->nodes[node].parent = NULL;
  }
  forget_hashes (tree, 2 * leaf_index);
}

void
mls_tree_update (MlsTree *tree, uint32_t leaf_index, MlsLeaf *leaf)
{
  mls_tree_set_leaf (tree, leaf_index, leaf);
  mls_tree_blank_path (tree, leaf_index);
}

void
mls_tree_remove (MlsTree *tree, uint32_t leaf_index)
{
  mls_tree_set_leaf (tree, leaf_index, NULL);
  mls_tree_blank_path (tree, leaf_index);
}

void
mls_tree_truncate (MlsTree *tree)
{
  uint32_t last = tree->n_leaves; /* one past the rightmost member */
  while (last > 1 && !tree->nodes[2 * (last - 1)].leaf)
    last--;
  uint32_t n_leaves = 1;
  while (n_leaves < last)
    n_leaves *= 2;
  for (uint32_t i = mls_node_count (n_leaves);
       i < mls_node_count (tree->n_leaves); i++)
    release_node (tree->nodes, i);
  tree->n_leaves = n_leaves;
  if (tree->first_blank > n_leaves)
    tree->first_blank = n_leaves;
}

void
mls_tree_resolution (const MlsTree *tree, uint32_t node, MlsIndices *out)
{
  if (mls_is_leaf (node)) {
    if (tree->nodes[node].leaf)
      mls_indices_add (out, node);
    return;
  }
  const MlsParent *parent = tree->nodes[node].parent;
  if (!parent) {
    mls_tree_resolution (tree, mls_left (node), out);
    mls_tree_resolution (tree, mls_right (node), out);
    return;
  }
  mls_indices_add (out, node);
  for (uint32_t i = 0; i < parent->n_unmerged; i++)
    mls_indices_add (out, 2 * parent->unmerged[i]);
}

/* Whether the resolution of `node` is empty: nothing is at it or below it. */
static bool
is_empty (const MlsTree *tree, uint32_t node)
{
  if (!mls_tree_is_blank (tree, node))
    return false;
  return mls_is_leaf (node)
         || (is_empty (tree, mls_left (node))
             && is_empty (tree, mls_right (node)));
}

size_t
mls_tree_filtered_path (const MlsTree *tree, uint32_t leaf_index,
    uint32_t path[MLS_MAX_DEPTH], uint32_t copath[MLS_MAX_DEPTH])
{
  size_t n = 0;
  for (uint32_t node = 2 * leaf_index; node != mls_root (tree->n_leaves);
       node = mls_parent (node)) {
    uint32_t sibling = mls_sibling (node);
    if (is_empty (tree, sibling))
      continue;
    path[n] = mls_parent (node);
    copath[n++] = sibling;
  }
  return n;
}

void
mls_leaf_tree_hash (uint32_t leaf_index, const MlsLeaf *leaf, uint8_t *out)
{
  uint8_t head[6] = { NODE_LEAF, (uint8_t) (leaf_index >> 24),
    (uint8_t) (leaf_index >> 16), (uint8_t) (leaf_index >> 8),
    (uint8_t) leaf_index, leaf != NULL };
  mls_hash_two (mls_slice (head, sizeof head),
      leaf ? leaf->node.raw : (MlsSlice){ 0 }, out);
}

bool
mls_parent_tree_hash (const MlsParent *parent, const uint32_t *unmerged,
    uint32_t n_unmerged, const uint8_t *left, const uint8_t *right,
    uint8_t *out)
{
  MlsBuffer input = { 0 };

  mls_put_uint (&input, NODE_PARENT, 1);
  mls_put_uint (&input, parent != NULL, 1);
  if (parent) {
    mls_put_opaque (&input, parent->encryption_key);
    mls_put_opaque (&input, parent->parent_hash);
    mls_put_varint (&input, 4 * (size_t) n_unmerged);
    for (uint32_t i = 0; i < n_unmerged; i++)
      mls_put_uint (&input, unmerged[i], 4);
  }
  mls_put_opaque (&input, mls_slice (left, MLS_HASH_LEN));
  mls_put_opaque (&input, mls_slice (right, MLS_HASH_LEN));
  bool ok = !input.failed;
  if (ok)
    mls_hash (mls_buffer_slice (&input), out);
  mls_buffer_free (&input);
  return ok;
}

const uint8_t *
mls_tree_hash (MlsTree *tree, uint32_t node)
{
  MlsNode *n = &tree->nodes[node];
  if (n->hashed)
    return n->hash;
  if (mls_is_leaf (node)) {
    mls_leaf_tree_hash (node / 2, n->leaf, n->hash);
  } else {
    const uint8_t *left = mls_tree_hash (tree, mls_left (node)),
                  *right = mls_tree_hash (tree, mls_right (node));
    const uint32_t *unmerged = n->parent ? n->parent->unmerged : NULL;
    if (!left || !right
        || !mls_parent_tree_hash (n->parent, unmerged,
            n->parent ? n->parent->n_unmerged : 0, left, right, n->hash))
      return NULL;
  }
  n->hashed = true;
  return n->hash;
}

/* The ratchet tree (RFC 9420, sections 4 and 7): nodes, tree hashes, and how proposals change it.
 *
 * Leaves and parents are never edited: a change puts a new one in place. So a copy of a tree, which each commit makes,
 * shares them with the tree it came from and costs a few bytes a node; and a node's tree hash, once computed, is kept
 * until something below it changes. A tree and its copies are used by one thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "leaf_node.h"
#include "tree_math.h"

typedef struct
{
  unsigned refs;
  MlsLeafNode node; /* points into bytes[] */
  uint8_t bytes[];
} MlsLeaf;

typedef struct
{
  unsigned refs;
  MlsSlice encryption_key; /* these point behind the struct */
  MlsSlice parent_hash;
  const uint32_t *unmerged; /* increasing */
  uint32_t n_unmerged;
} MlsParent;

typedef struct
{
  union
  {
    MlsLeaf *leaf;     /* even nodes; NULL when blank */
    MlsParent *parent; /* odd nodes; likewise */
  };
  bool hashed;
  uint8_t hash[MLS_HASH_LEN]; /* the tree hash, when `hashed` */
} MlsNode;

typedef struct
{
  uint32_t n_leaves; /* a power of two */
  uint32_t n_members;
  uint32_t first_blank; /* no leaf before this one is blank */
  MlsNode *nodes;       /* 2 n_leaves - 1 */
} MlsTree;

/* A growing list of node indices. */
typedef struct
{
  uint32_t *at;
  size_t len, room;
  bool failed;
} MlsIndices;

void mls_indices_free (MlsIndices *indices);
void mls_indices_add (MlsIndices *indices, uint32_t value);

/* A leaf from the bytes of a LeafNode, all of them. NULL when they are none, or memory is short. */
MlsLeaf *mls_leaf_new (MlsSlice bytes);
MlsLeaf *mls_leaf_ref (MlsLeaf *leaf);
void mls_leaf_unref (MlsLeaf *leaf);

/* NULL when memory is short. */
MlsParent *mls_parent_new (MlsSlice encryption_key, MlsSlice parent_hash,
    const uint32_t *unmerged, uint32_t n);
void mls_parent_unref (MlsParent *parent);

/* A tree of the one leaf, of which it takes the reference, also when it fails. */
MlsTree *mls_tree_new (MlsLeaf *leaf);
MlsTree *mls_tree_copy (const MlsTree *tree);
void mls_tree_free (MlsTree *tree);

/* The content of an `optional<Node> ratchet_tree<V>` (12.4.3.3). MLS_OK, MLS_MALFORMED, MLS_TOO_LARGE or
 * MLS_NO_MEMORY. What the tree says is checked by tree_validation.h. */
MlsResult mls_tree_parse (MlsSlice content, MlsTree **out);
void mls_tree_put (MlsBuffer *buffer, const MlsTree *tree);

/* The leaf or NULL, also for an index beyond the tree. */
MlsLeaf *mls_tree_leaf (const MlsTree *tree, uint32_t leaf_index);
MlsParent *mls_tree_parent (const MlsTree *tree, uint32_t node);
bool mls_tree_is_blank (const MlsTree *tree, uint32_t node);

/* Put a node in place, or NULL to blank it; they take the reference. */
void mls_tree_set_leaf (MlsTree *tree, uint32_t leaf_index, MlsLeaf *leaf);
void mls_tree_set_parent (MlsTree *tree, uint32_t node, MlsParent *parent);

/* 12.1.1: puts `leaf` at the leftmost blank leaf, extending the tree if there is none, and notes it as unmerged above.
 * Takes the reference. MLS_OK, MLS_TOO_LARGE or MLS_NO_MEMORY. */
MlsResult mls_tree_add (MlsTree *tree, MlsLeaf *leaf, uint32_t *leaf_index);

/* 12.1.2 and 12.1.3, of a leaf that is there. Removing does not truncate: do that after the last. */
void mls_tree_update (MlsTree *tree, uint32_t leaf_index, MlsLeaf *leaf);
void mls_tree_remove (MlsTree *tree, uint32_t leaf_index);
void mls_tree_truncate (MlsTree *tree);

/* The leftmost blank leaf, after making one if there is none: where an external joiner goes (12.4.3.2). */
MlsResult mls_tree_make_room (MlsTree *tree, uint32_t *leaf_index);

void mls_tree_blank_path (MlsTree *tree, uint32_t leaf_index);

/* 4.1.1: appends the resolution of `node`. */
void mls_tree_resolution (const MlsTree *tree, uint32_t node, MlsIndices *out);

/* 4.1.2: the filtered direct path of a leaf from the bottom up, and for each of its nodes the child on the copath.
 * Returns how many. */
size_t mls_tree_filtered_path (const MlsTree *tree, uint32_t leaf_index,
    uint32_t path[MLS_MAX_DEPTH], uint32_t copath[MLS_MAX_DEPTH]);

/* 7.8: the tree hash of a node, from what is kept where nothing changed. NULL when memory is short. */
const uint8_t *mls_tree_hash (MlsTree *tree, uint32_t node);

/* TreeHashInput of a parent, blank when `parent` is NULL, with `unmerged` for its own list; Nh bytes to `out`. */
bool mls_parent_tree_hash (const MlsParent *parent, const uint32_t *unmerged,
    uint32_t n_unmerged, const uint8_t *left, const uint8_t *right,
    uint8_t *out);
void mls_leaf_tree_hash (
    uint32_t leaf_index, const MlsLeaf *leaf, uint8_t *out);

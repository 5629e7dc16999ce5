/* What must hold of a ratchet tree (RFC 9420, sections 7.3, 7.9.2 and 12.4.3.1).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tree.h"

/* 12.4.3.1: each unmerged leaf is a member below its parent, and unmerged at each node in between. Nothing else here
 * may be asked of a tree from outside before this said MLS_OK. */
MlsResult mls_tree_check_unmerged (const MlsTree *tree);

/* 7.3, 12.4.3.1: no encryption key stands twice in the tree or among `more`, the keys of an update path that is about
 * to be merged. */
MlsResult mls_tree_check_encryption_keys (
    const MlsTree *tree, const MlsSlice *more, size_t n_more);

/* 7.3: no two members have one signature key. */
MlsResult mls_tree_check_signature_keys (const MlsTree *tree);

/* 7.3: each member supports the credential types that are in use. */
MlsResult mls_tree_check_credentials (const MlsTree *tree);

/* 7.3, 12.1.7: each member supports the group's extensions and what they require. */
MlsResult mls_tree_check_extensions (
    const MlsTree *tree, MlsSlice group_extensions);

/* 7.9.2: each parent is parent-hash valid. */
MlsResult mls_tree_check_parent_hashes (MlsTree *tree);

/* All of this and the leaves' own soundness and signatures: what a joiner asks of a tree. */
MlsResult mls_tree_validate (MlsTree *tree, MlsSuite suite, MlsSlice group_id,
    MlsSlice group_extensions);

/* 7.9: the parent hash of a parent with this key and parent hash, whose child on the copath has this original tree
 * hash; Nh bytes to `out`. */
bool mls_parent_hash (MlsSlice encryption_key, MlsSlice parent_hash,
    const uint8_t *sibling_hash, uint8_t *out);

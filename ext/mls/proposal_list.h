/* The proposals of a commit: whether they may stand together (RFC 9420, section 12.2), and what they do to a tree
 * (12.3).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "framing.h"
#include "tree.h"

typedef struct
{
  MlsProposal proposal; /* points into bytes that outlive the list */
  MlsSender sender;
  bool by_reference;
  uint32_t leaf_index; /* add, update, remove: once applied, the leaf, */
  MlsLeaf *before;     /* as it was, */
  MlsLeaf *after;      /* and as it is now */
} MlsListed;

typedef struct
{
  MlsListed *at;
  size_t len, room;
} MlsProposalList;

void mls_proposal_list_free (MlsProposalList *list);
bool mls_proposal_list_add (MlsProposalList *list, const MlsProposal *proposal,
    MlsSender sender, bool by_reference);

/* The group that a list is judged against. */
typedef struct
{
  MlsSuite suite;
  MlsSlice group_id;
  MlsSlice extensions; /* of the epoch that ends */
  const MlsTree *tree; /* likewise */
  MlsSender committer;
} MlsListContext;

/* 12.2, but for what shows in the resulting tree: mls_proposal_list_check_tree(). */
MlsResult mls_proposal_list_check (
    const MlsProposalList *list, const MlsListContext *context);

typedef struct
{
  MlsSlice extensions; /* of the new GroupContext */
  bool new_extensions;
  bool path_required;            /* 12.4 */
  MlsIndices added;              /* leaf indices, increasing */
  const MlsSlice *external_init; /* its kem_output */
  const MlsReInit *reinit;
  bool removes[MLS_MAX_MEMBERS]; /* leaves that are removed */
} MlsApplied;

MlsApplied *mls_applied_new (void);
void mls_applied_free (MlsApplied *applied);

/* 12.3: applies a list that was checked to `tree`, a copy. */
MlsResult mls_proposal_list_apply (MlsProposalList *list,
    const MlsListContext *context, MlsTree *tree, MlsApplied *out);

/* 12.2: "After processing the Commit the ratchet tree is invalid". The tree has its path merged, if there is one; its
 * encryption keys were checked before that. */
MlsResult mls_proposal_list_check_tree (const MlsProposalList *list,
    const MlsApplied *applied, const MlsTree *tree);

/* 12.4: whether a proposal of this type asks for a path. */
bool mls_proposal_needs_path (uint16_t type);

/* 7.3 for a leaf that replaces another one, in an update or in a path: source, soundness, signature, a new key. */
MlsResult mls_check_new_leaf (const MlsLeafNode *leaf, MlsLeafSource source,
    const MlsLeafNode *replaced, const MlsListContext *context,
    MlsSlice extensions, uint32_t leaf_index);

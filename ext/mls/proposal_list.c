/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proposal_list.h"

#include "tree_validation.h"

#include <stdlib.h>

void
mls_proposal_list_free (MlsProposalList *list)
{
  for (size_t i = 0; i < list->len; i++) {
    mls_leaf_unref (list->at[i].before);
    mls_leaf_unref (list->at[i].after);
  }
  free (list->at);
  *list = (MlsProposalList){ 0 };
}

bool
mls_proposal_list_add (MlsProposalList *list, const MlsProposal *proposal,
    MlsSender sender, bool by_reference)
{
  if (list->len == list->room) {
    size_t room = list->room ? 2 * list->room : 4;
    MlsListed *at = realloc (list->at, room * sizeof *at);
    if (!at)
      return false;
    list->at = at;
    list->room = room;
  }
  list->at[list->len++] =
      (MlsListed){ *proposal, sender, by_reference, 0, NULL, NULL };
  return true;
}

MlsApplied *
mls_applied_new (void)
{
  return calloc (1, sizeof (MlsApplied));
}

void
mls_applied_free (MlsApplied *applied)
{
  if (!applied)
    return;
  mls_indices_free (&applied->added);
  free (applied);
}

bool
mls_proposal_needs_path (uint16_t type)
{
  return type != MLS_PROPOSAL_ADD && type != MLS_PROPOSAL_PSK
         && type != MLS_PROPOSAL_REINIT;
}

static MlsResult
check_supports (const MlsLeafNode *leaf, MlsSlice extensions)
{
  MlsRequiredCapabilities required;
  MlsSlice data;
  bool requires = mls_find_extension (
      extensions, MLS_EXTENSION_REQUIRED_CAPABILITIES, &data);
  if (requires && !mls_required_capabilities_parse (data, &required))
    return MLS_MALFORMED;
  return mls_leaf_node_supports (leaf, extensions, requires ? &required : NULL)
             ? MLS_OK
             : MLS_INVALID_LEAF;
}

MlsResult
mls_check_new_leaf (const MlsLeafNode *leaf, MlsLeafSource source,
    const MlsLeafNode *replaced, const MlsListContext *context,
    MlsSlice extensions, uint32_t leaf_index)
{
  if (leaf->source != source || !mls_leaf_node_is_sound (leaf, context->suite)
      || (replaced
          && mls_slice_equal (leaf->encryption_key, replaced->encryption_key)))
    return MLS_INVALID_LEAF;
  if (!mls_leaf_node_verify (leaf, context->group_id, leaf_index))
    return MLS_BAD_SIGNATURE;
  return check_supports (leaf, extensions);
}

/* 12.1.8: what an external sender may propose; 12.1.8 and 6.1: a new member only its own Add. */
static bool
may_send (uint8_t sender_type, uint16_t proposal_type)
{
  switch (sender_type) {
    case MLS_SENDER_EXTERNAL:
      return proposal_type != MLS_PROPOSAL_UPDATE
             && proposal_type != MLS_PROPOSAL_EXTERNAL_INIT;
    case MLS_SENDER_NEW_MEMBER_PROPOSAL:
      return proposal_type == MLS_PROPOSAL_ADD;
    default:
      return true;
  }
}

/* The extensions that the other proposals are judged by: "The new `extensions` MUST be used" (12.3). */
static MlsSlice
resulting_extensions (const MlsProposalList *list, MlsSlice old)
{
  for (size_t i = 0; i < list->len; i++)
    if (list->at[i].proposal.type == MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS)
      return list->at[i].proposal.extensions;
  return old;
}

/* 8.4, 12.1.4: no PSK of a reinitialization or a branch, a nonce of Nh bytes, none twice. */
static MlsResult
check_psk (const MlsProposalList *list, size_t at)
{
  const MlsPskId *id = &list->at[at].proposal.psk;
  if (id->nonce.len != MLS_HASH_LEN
      || (id->type == MLS_PSK_RESUMPTION
          && id->usage != MLS_PSK_USAGE_APPLICATION))
    return MLS_INVALID_PROPOSALS;
  for (size_t i = 0; i < at; i++)
    if (list->at[i].proposal.type == MLS_PROPOSAL_PSK
        && mls_slice_equal (list->at[i].proposal.psk.raw, id->raw))
      return MLS_INVALID_PROPOSALS;
  return MLS_OK;
}

static MlsResult
check_extensions (MlsSlice extensions)
{
  MlsRequiredCapabilities required;
  MlsSlice data;
  if (mls_find_extension (
          extensions, MLS_EXTENSION_REQUIRED_CAPABILITIES, &data)
      && !mls_required_capabilities_parse (data, &required))
    return MLS_MALFORMED;
  if (mls_find_extension (extensions, MLS_EXTENSION_EXTERNAL_SENDERS, &data)) {
    Reader in = mls_reader (data), list = mls_read_vector (&in);
    MlsCredential credential;
    while (reader_left (&list) > 0) {
      mls_read_opaque (&list);
      mls_credential_read (&list, &credential);
    }
    if (list.failed || !reader_done (&in))
      return MLS_MALFORMED;
  }
  return MLS_OK;
}

/* One proposal by itself; `touched` marks the leaves that an Update or Remove was about. */
static MlsResult
check_one (const MlsProposalList *list, size_t at,
    const MlsListContext *context, MlsSlice extensions, bool *touched)
{
  const MlsListed *item = &list->at[at];
  const MlsProposal *p = &item->proposal;
  bool external = context->committer.type == MLS_SENDER_NEW_MEMBER_COMMIT;
  const MlsLeaf *leaf;
  MlsResult result;

  if (!may_send (item->sender.type, p->type))
    return MLS_INVALID_PROPOSALS;
  switch (p->type) {
    case MLS_PROPOSAL_ADD:
      result = mls_key_package_check (&p->add, context->suite);
      return result == MLS_OK ? check_supports (&p->add.leaf, extensions)
                              : result;
    case MLS_PROPOSAL_UPDATE:
      /* "It contains an Update proposal generated by the committer." */
      if (item->sender.type != MLS_SENDER_MEMBER
          || item->sender.index == context->committer.index)
        return MLS_INVALID_PROPOSALS;
      leaf = mls_tree_leaf (context->tree, item->sender.index);
      if (!leaf || touched[item->sender.index])
        return MLS_INVALID_PROPOSALS;
      touched[item->sender.index] = true;
      return mls_check_new_leaf (&p->update, MLS_LEAF_UPDATE, &leaf->node,
          context, extensions, item->sender.index);
    case MLS_PROPOSAL_REMOVE:
      /* "It contains a Remove proposal that removes the committer." */
      if (!mls_tree_leaf (context->tree, p->removed) || touched[p->removed]
          || (!external && p->removed == context->committer.index))
        return MLS_INVALID_PROPOSALS;
      touched[p->removed] = true;
      return MLS_OK;
    case MLS_PROPOSAL_PSK:
      return check_psk (list, at);
    case MLS_PROPOSAL_REINIT:
      return p->reinit.version < MLS_VERSION || list->len > 1
                 ? MLS_INVALID_PROPOSALS
                 : MLS_OK;
    case MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
      return check_extensions (p->extensions);
    default: /* external_init */
      return external ? MLS_OK : MLS_INVALID_PROPOSALS;
  }
}

/* 12.2 for an external commit: "Exactly one ExternalInit", "At most one Remove", PSKs, "No other proposals". */
static bool
is_external_list (const MlsProposalList *list)
{
  size_t inits = 0, removes = 0;
  for (size_t i = 0; i < list->len; i++) {
    uint16_t type = list->at[i].proposal.type;
    if (list->at[i].by_reference)
      return false;
    if (type == MLS_PROPOSAL_EXTERNAL_INIT)
      inits++;
    else if (type == MLS_PROPOSAL_REMOVE)
      removes++;
    else if (type != MLS_PROPOSAL_PSK)
      return false;
  }
  return inits == 1 && removes <= 1;
}

MlsResult
mls_proposal_list_check (
    const MlsProposalList *list, const MlsListContext *context)
{
  MlsSlice extensions = resulting_extensions (list, context->extensions);
  size_t psks = 0, lists = 0;
  MlsResult result = MLS_OK;

  if (context->committer.type == MLS_SENDER_NEW_MEMBER_COMMIT
      && !is_external_list (list))
    return MLS_INVALID_PROPOSALS;
  for (size_t i = 0; i < list->len; i++) {
    psks += list->at[i].proposal.type == MLS_PROPOSAL_PSK;
    lists +=
        list->at[i].proposal.type == MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS;
  }
  if (psks > MLS_MAX_PSKS)
    return MLS_TOO_LARGE;
  if (lists > 1) /* "It contains multiple GroupContextExtensions proposals." */
    return MLS_INVALID_PROPOSALS;

  bool *touched = calloc (context->tree->n_leaves, sizeof *touched);
  if (!touched)
    return MLS_NO_MEMORY;
  for (size_t i = 0; i < list->len && result == MLS_OK; i++)
    result = check_one (list, i, context, extensions, touched);
  free (touched);
  return result;
}

static MlsResult
apply_leaves (MlsProposalList *list, MlsTree *tree, MlsApplied *out)
{
  for (size_t i = 0; i < list->len; i++) {
    MlsListed *item = &list->at[i];
    if (item->proposal.type != MLS_PROPOSAL_UPDATE)
      continue;
    MlsLeaf *leaf = mls_leaf_new (item->proposal.update.raw);
    if (!leaf)
      return MLS_NO_MEMORY;
    item->leaf_index = item->sender.index;
    item->before = mls_leaf_ref (mls_tree_leaf (tree, item->leaf_index));
    item->after = mls_leaf_ref (leaf);
    mls_tree_update (tree, item->leaf_index, leaf);
  }
  bool removed = false;
  for (size_t i = 0; i < list->len; i++) {
    MlsListed *item = &list->at[i];
    if (item->proposal.type != MLS_PROPOSAL_REMOVE)
      continue;
    item->leaf_index = item->proposal.removed;
    out->removes[item->leaf_index] = removed = true;
    item->before = mls_leaf_ref (mls_tree_leaf (tree, item->leaf_index));
    mls_tree_remove (tree, item->leaf_index);
  }
  if (removed)
    mls_tree_truncate (tree);
  for (size_t i = 0; i < list->len; i++) {
    MlsListed *item = &list->at[i];
    if (item->proposal.type != MLS_PROPOSAL_ADD)
      continue;
    MlsLeaf *leaf = mls_leaf_new (item->proposal.add.leaf.raw);
    if (!leaf)
      return MLS_NO_MEMORY;
    item->after = mls_leaf_ref (leaf);
    MlsResult result = mls_tree_add (tree, leaf, &item->leaf_index);
    if (result != MLS_OK)
      return result;
    mls_indices_add (&out->added, item->leaf_index);
  }
  return out->added.failed ? MLS_NO_MEMORY : MLS_OK;
}

MlsResult
mls_proposal_list_apply (MlsProposalList *list, const MlsListContext *context,
    MlsTree *tree, MlsApplied *out)
{
  out->extensions = context->extensions;
  for (size_t i = 0; i < list->len; i++) {
    const MlsProposal *p = &list->at[i].proposal;
    if (mls_proposal_needs_path (p->type))
      out->path_required = true;
    if (p->type == MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS) {
      out->extensions = p->extensions;
      out->new_extensions = true;
    } else if (p->type == MLS_PROPOSAL_EXTERNAL_INIT) {
      out->external_init = &p->kem_output;
    } else if (p->type == MLS_PROPOSAL_REINIT) {
      out->reinit = &p->reinit;
    }
  }
  if (list->len == 0)
    out->path_required = true;
  return apply_leaves (list, tree, out);
}

MlsResult
mls_proposal_list_check_tree (const MlsProposalList *list,
    const MlsApplied *applied, const MlsTree *tree)
{
  /* One client twice shows as one signature key twice: an Add of a member that is removed in the same list does not. */
  MlsResult result = mls_tree_check_signature_keys (tree);
  if (result != MLS_OK)
    return result == MLS_INVALID_TREE ? MLS_INVALID_PROPOSALS : result;
  result = mls_tree_check_credentials (tree);
  /* 12.1.7: "including those added in the same Commit, and excluding those removed" */
  if (result == MLS_OK && applied->new_extensions)
    result = mls_tree_check_extensions (tree, applied->extensions);
  return result;
}

/* Processing a commit (RFC 9420, section 12.4.2).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group_private.h"

#include "crypto.h"
#include "tree_validation.h"

#include <sodium.h>

/* The commit's proposals, by value and by reference, in their order. They are copied, since pending ones go with the
 * epoch: first all the bytes, then all the views into them. */
static MlsResult
collect (MlsGroup *group, const MlsCommit *commit, MlsSender committer,
    MlsStaged *staged)
{
  Reader in = mls_reader (commit->proposals);
  MlsProposalOrRef item;

  while (reader_left (&in) > 0) {
    mls_proposal_or_ref_read (&in, &item);
    if (item.by_reference) {
      /* 12.4.3.2: an external commit "MUST NOT include any proposals by reference" */
      const MlsPending *pending =
          mls_group_find_proposal (group, item.reference);
      if (committer.type != MLS_SENDER_MEMBER)
        return MLS_INVALID_PROPOSALS;
      if (!pending)
        return MLS_UNKNOWN_PROPOSAL;
      mls_put_slice (&staged->proposals, pending->proposal.raw);
    } else {
      mls_put_slice (&staged->proposals, item.proposal.raw);
    }
  }
  if (staged->proposals.failed)
    return MLS_NO_MEMORY;

  Reader bytes = mls_reader (mls_buffer_slice (&staged->proposals));
  in = mls_reader (commit->proposals);
  while (reader_left (&in) > 0) {
    MlsProposal proposal;
    mls_proposal_or_ref_read (&in, &item);
    mls_proposal_read (&bytes, &proposal);
    MlsSender sender =
        item.by_reference
            ? mls_group_find_proposal (group, item.reference)->sender
            : committer;
    if (!mls_proposal_list_add (
            &staged->list, &proposal, sender, item.by_reference))
      return MLS_NO_MEMORY;
  }
  return MLS_OK;
}

/* "Verify that none of the public keys in the UpdatePath appear in any node of the new ratchet tree." */
static MlsResult
check_path_keys (const MlsTree *tree, const MlsUpdatePath *path)
{
  MlsSlice keys[MLS_MAX_DEPTH + 1];
  size_t n = 0;
  Reader in = mls_reader (path->nodes);
  MlsPathNode node;

  keys[n++] = path->leaf.encryption_key;
  while (reader_left (&in) > 0) {
    mls_path_node_read (&in, &node);
    if (n == MLS_MAX_DEPTH + 1)
      return MLS_INVALID_PATH;
    keys[n++] = node.encryption_key;
  }
  return mls_tree_check_encryption_keys (tree, keys, n);
}

/* The path: validates it, merges it, and decrypts the commit secret unless we are removed. */
static MlsResult
take_path (MlsGroup *group, MlsStaged *staged, const MlsUpdatePath *path,
    const MlsListContext *context, const MlsApplied *applied,
    uint8_t *commit_secret)
{
  MlsEpoch *next = staged->epoch;
  uint32_t committer = staged->info.committer;
  const MlsLeaf *replaced = staged->before;
  uint8_t path_secret[MLS_HASH_LEN];

  /* 12.2: an external commit's leaf is to the leaf it removes as an Update would be. */
  for (size_t i = 0; !replaced && i < staged->list.len; i++)
    replaced = staged->list.at[i].before;
  MlsResult result = mls_check_new_leaf (&path->leaf, MLS_LEAF_COMMIT,
      replaced ? &replaced->node : NULL, context, applied->extensions,
      committer);
  if (result == MLS_OK)
    result = check_path_keys (next->tree, path);
  if (result == MLS_OK)
    result = mls_path_merge (next->tree, committer, path, &applied->added);
  if (result != MLS_OK || staged->info.removes_us)
    return result;

  const MlsGroupContext *old = &group->epoch->context;
  result = mls_epoch_set_context (next, (MlsSuite) old->suite, old->group_id,
      old->epoch + 1, old->confirmed_transcript_hash, applied->extensions);
  if (result == MLS_OK)
    result = mls_path_decrypt ((MlsSuite) old->suite, next->tree, next->keys,
        next->own_leaf, committer, path, &applied->added,
        mls_buffer_slice (&next->context_bytes), path_secret, commit_secret);
  sodium_memzero (path_secret, sizeof path_secret);
  return result;
}

/* The key schedule, and the confirmation tag, which only who has arrived at the same state can have made. */
static MlsResult
confirm (MlsGroup *group, MlsStaged *staged, const MlsApplied *applied,
    const uint8_t *commit_secret)
{
  const MlsContent *content = &staged->opened.content;
  uint8_t psk_secret[MLS_HASH_LEN], init_secret[MLS_HASH_LEN];

  MlsResult result = mls_group_psk_secret (group, &staged->list, psk_secret);
  if (result != MLS_OK)
    return result;
  memcpy (init_secret, group->epoch->secrets->init, sizeof init_secret);
  if (applied->external_init
      && !mls_external_init_open ((MlsSuite) group->epoch->context.suite,
          group->epoch->secrets->external, *applied->external_init,
          init_secret))
    result = MLS_UNAUTHENTIC;
  if (result == MLS_OK)
    result = mls_commit_advance (group, staged->epoch, applied, content,
        init_secret, commit_secret, psk_secret, NULL);
  if (result == MLS_OK
      && (content->confirmation_tag.len != MLS_HASH_LEN
          || sodium_memcmp (content->confirmation_tag.data,
                 staged->epoch->confirmation_tag, MLS_HASH_LEN)
                 != 0))
    result = MLS_BAD_CONFIRMATION;
  sodium_memzero (psk_secret, sizeof psk_secret);
  sodium_memzero (init_secret, sizeof init_secret);
  return result;
}

static MlsResult
process (MlsGroup *group, MlsStaged *staged, const MlsCommit *commit,
    MlsApplied *applied)
{
  MlsSender sender = staged->opened.content.sender;
  MlsListContext context = mls_group_list_context (group, sender);
  uint8_t commit_secret[MLS_HASH_LEN];
  bool external = sender.type == MLS_SENDER_NEW_MEMBER_COMMIT;

  if (!external && sender.type != MLS_SENDER_MEMBER)
    return MLS_UNKNOWN_SENDER;
  MlsResult result = collect (group, commit, sender, staged);
  if (result == MLS_OK)
    result = mls_commit_apply (group, staged, &context, applied);
  if (result != MLS_OK)
    return result;

  MlsEpoch *next = staged->epoch;
  staged->info.sender = sender;
  staged->info.committer = sender.index;
  staged->info.has_path = commit->has_path;
  if (external) {
    result = mls_tree_make_room (next->tree, &staged->info.committer);
    if (result != MLS_OK)
      return result;
  } else {
    staged->before =
        mls_leaf_ref (mls_tree_leaf (group->epoch->tree, sender.index));
  }
  if (!commit->has_path && (applied->path_required || external))
    return MLS_INVALID_PATH;
  if (commit->has_path)
    result = take_path (
        group, staged, &commit->path, &context, applied, commit_secret);
  else
    result = mls_tree_check_encryption_keys (next->tree, NULL, 0);
  if (result == MLS_OK)
    result = mls_proposal_list_check_tree (&staged->list, applied, next->tree);
  if (result == MLS_OK)
    staged->after =
        mls_leaf_ref (mls_tree_leaf (next->tree, staged->info.committer));
  if (result == MLS_OK && !staged->info.removes_us)
    result = confirm (
        group, staged, applied, commit->has_path ? commit_secret : NULL);
  sodium_memzero (commit_secret, sizeof commit_secret);
  return result;
}

MlsResult
mls_commit_process (MlsGroup *group, MlsOpened *opened, MlsStaged **out)
{
  MlsStaged *staged = mls_staged_new (group);
  MlsApplied *applied = mls_applied_new ();
  MlsResult result = MLS_NO_MEMORY;

  if (staged && applied) {
    staged->opened = *opened;
    *opened = (MlsOpened){ 0 };
    Reader in = mls_reader (staged->opened.content.content);
    MlsCommit commit;
    mls_commit_read (&in, &commit);
    result = process (group, staged, &commit, applied);
  }
  mls_applied_free (applied);
  if (result != MLS_OK) {
    mls_staged_free (staged);
    return result;
  }
  *out = staged;
  return MLS_OK;
}

/* What creating and processing a commit have in common (RFC 9420, sections 12.3 and 12.4), and the descriptions of staged
 * commits.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group_private.h"

#include "crypto.h"

#include <sodium.h>
#include <stdlib.h>

MlsStaged *
mls_staged_new (const MlsGroup *group)
{
  MlsStaged *staged = calloc (1, sizeof *staged);
  if (!staged)
    return NULL;
  staged->group = group;
  staged->base = group->epoch->context.epoch;
  return staged;
}

void
mls_staged_free (MlsStaged *staged)
{
  if (!staged)
    return;
  mls_opened_free (&staged->opened);
  mls_buffer_free (&staged->proposals);
  mls_proposal_list_free (&staged->list);
  mls_leaf_unref (staged->before);
  mls_leaf_unref (staged->after);
  mls_epoch_free (staged->epoch);
  mls_buffer_free (&staged->message);
  mls_buffer_free (&staged->welcome);
  free (staged);
}

MlsSlice
mls_staged_message (const MlsStaged *staged)
{
  return mls_buffer_slice (&staged->message);
}

MlsSlice
mls_staged_welcome (const MlsStaged *staged)
{
  return mls_buffer_slice (&staged->welcome);
}

const MlsEpoch *
mls_staged_epoch (const MlsStaged *staged)
{
  return staged->info.removes_us ? NULL : staged->epoch;
}

MlsCommitInfo
mls_staged_info (const MlsStaged *staged)
{
  MlsCommitInfo info = staged->info;
  info.before = staged->before ? &staged->before->node : NULL;
  info.after = staged->after ? &staged->after->node : NULL;
  return info;
}

size_t
mls_staged_changes (const MlsStaged *staged)
{
  return staged->list.len;
}

MlsChange
mls_staged_change (const MlsStaged *staged, size_t i)
{
  const MlsListed *item = &staged->list.at[i];
  MlsChange change = { .type = (MlsProposalType) item->proposal.type,
    .by_reference = item->by_reference,
    .sender = item->sender,
    .leaf_index = item->leaf_index,
    .before = item->before ? &item->before->node : NULL,
    .after = item->after ? &item->after->node : NULL };

  if (item->proposal.type == MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS)
    change.extensions = item->proposal.extensions;
  else if (item->proposal.type == MLS_PROPOSAL_PSK)
    change.psk = item->proposal.psk;
  else if (item->proposal.type == MLS_PROPOSAL_REINIT)
    change.reinit = item->proposal.reinit;
  return change;
}

/* Our leaf was updated: its private key is the one of an Update that we sent. */
static MlsResult
take_update (MlsGroup *group, MlsEpoch *next)
{
  MlsSlice public_key =
      mls_tree_leaf (next->tree, next->own_leaf)->node.encryption_key;
  for (size_t i = 0; i < group->n_updates; i++)
    if (mls_slice_equal (mls_slice (group->updates[i].public_key, MLS_KEY_LEN),
            public_key)) {
      memcpy (next->keys->key[0], secret_bytes (group->updates[i].private_key),
          MLS_KEY_LEN);
      return MLS_OK;
    }
  return MLS_UNKNOWN_PROPOSAL;
}

MlsResult
mls_commit_apply (MlsGroup *group, MlsStaged *staged,
    const MlsListContext *context, MlsApplied *applied)
{
  MlsResult result = mls_proposal_list_check (&staged->list, context);
  if (result != MLS_OK)
    return result;

  MlsEpoch *next = staged->epoch = mls_epoch_new ();
  if (!next)
    return MLS_NO_MEMORY;
  next->own_leaf = group->epoch->own_leaf;
  next->tree = mls_tree_copy (group->epoch->tree);
  next->keys = mls_tree_keys_copy (group->epoch->keys);
  if (!next->tree || !next->keys)
    return MLS_NO_MEMORY;
  result =
      mls_proposal_list_apply (&staged->list, context, next->tree, applied);
  if (result != MLS_OK)
    return result;
  staged->info.removes_us = applied->removes[next->own_leaf];
  staged->info.reinitializes = applied->reinit != NULL;
  if (staged->info.removes_us)
    return MLS_OK;
  for (size_t i = 0; i < staged->list.len; i++)
    if (staged->list.at[i].proposal.type == MLS_PROPOSAL_UPDATE
        && staged->list.at[i].leaf_index == next->own_leaf) {
      result = take_update (group, next);
      if (result != MLS_OK)
        return result;
    }
  mls_tree_keys_prune (next->keys, next->tree, next->own_leaf);
  return MLS_OK;
}

MlsResult
mls_commit_advance (MlsGroup *group, MlsEpoch *next, const MlsApplied *applied,
    const MlsContent *content, const uint8_t *init_secret,
    const uint8_t *commit_secret, const uint8_t *psk_secret, uint8_t *joiner)
{
  const MlsEpoch *old = group->epoch;
  uint8_t confirmed[MLS_HASH_LEN], joiner_secret[MLS_HASH_LEN];
  MlsBuffer framed = { 0 };

  mls_framed_content_put (&framed, content);
  bool ok = !framed.failed
            && mls_confirmed_transcript_hash (
                mls_slice (old->interim, MLS_HASH_LEN), content->wire_format,
                mls_buffer_slice (&framed), content->signature, confirmed);
  mls_buffer_free (&framed);
  if (!ok)
    return MLS_NO_MEMORY;
  MlsResult result =
      mls_epoch_set_context (next, (MlsSuite) old->context.suite,
          old->context.group_id, old->context.epoch + 1,
          mls_slice (confirmed, sizeof confirmed), applied->extensions);
  if (result != MLS_OK)
    return result;
  MlsSlice context = mls_buffer_slice (&next->context_bytes);
  if (!mls_joiner_secret (init_secret, commit_secret, context, joiner_secret)
      || !mls_secrets_from_joiner (
          next->secrets, joiner_secret, psk_secret, context))
    result = MLS_NO_MEMORY;
  else
    result = mls_epoch_start (next, group->settings.window);
  if (result == MLS_OK && joiner)
    memcpy (joiner, joiner_secret, MLS_HASH_LEN);
  sodium_memzero (joiner_secret, sizeof joiner_secret);
  return result;
}

MlsResult
mls_outgoing_sign (MlsGroup *group, MlsContentType type, MlsSlice body,
    const MlsHandshake *handshake, MlsOutgoing *out)
{
  const MlsEpoch *epoch = group->epoch;
  *out = (MlsOutgoing){
    .content = { .wire_format = handshake->public_message
                                    ? MLS_WIRE_PUBLIC_MESSAGE
                                    : MLS_WIRE_PRIVATE_MESSAGE,
        .group_id = epoch->context.group_id,
        .epoch = epoch->context.epoch,
        .sender = { MLS_SENDER_MEMBER, epoch->own_leaf },
        .authenticated_data = handshake->authenticated_data,
        .content_type = (uint8_t) type,
        .content = body }
  };
  if (!mls_content_sign (&out->content, secret_bytes (group->signature_key),
          mls_buffer_slice (&epoch->context_bytes), out->signature))
    return MLS_NO_MEMORY;
  out->content.signature = mls_slice (out->signature, sizeof out->signature);
  if (type == MLS_CONTENT_COMMIT)
    out->content.confirmation_tag =
        mls_slice (out->confirmation_tag, sizeof out->confirmation_tag);
  return MLS_OK;
}

MlsResult
mls_outgoing_write (MlsGroup *group, MlsOutgoing *out,
    const MlsHandshake *handshake, MlsBuffer *message)
{
  MlsEpoch *epoch = group->epoch;
  MlsResult result = MLS_OK;

  mls_message_head_put (message, out->content.wire_format);
  if (handshake->public_message) {
    uint8_t tag[MLS_HASH_LEN];
    MlsPublicMessage public_message = { out->content, { tag, sizeof tag } };
    if (!mls_membership_tag (&out->content,
            mls_buffer_slice (&epoch->context_bytes),
            epoch->secrets->membership, tag))
      result = MLS_NO_MEMORY;
    else
      mls_public_message_put (message, &public_message);
  } else {
    result = mls_private_message_seal ((MlsSuite) epoch->context.suite,
        &group->random, &out->content, epoch->secrets->sender_data,
        epoch->secret_tree, handshake->padding, message);
  }
  if (result == MLS_OK && message->failed)
    result = MLS_NO_MEMORY;
  if (result == MLS_OK && message->len > MLS_MAX_MESSAGE)
    result = MLS_TOO_LARGE;
  if (result != MLS_OK)
    mls_buffer_free (message);
  return result;
}

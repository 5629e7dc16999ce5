/* Creating proposals and commits (RFC 9420, sections 12.1 and 12.4.1).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group_private.h"

#include "crypto.h"
#include "tree_validation.h"

#include <sodium.h>
#include <stdlib.h>

static MlsResult
put_add (MlsSlice message, uint64_t time, MlsBuffer *out)
{
  MlsKeyPackageView view;
  MlsResult result = mls_key_package_inspect (message, time, &view, NULL);
  if (result != MLS_OK)
    return result;
  mls_put_uint (out, MLS_PROPOSAL_ADD, 2);
  mls_put_slice (out, view.raw);
  return MLS_OK;
}

/* An Update of our leaf with a fresh key, which is kept until a commit takes it up. */
static MlsResult
put_update (MlsGroup *group, MlsBuffer *out)
{
  const MlsEpoch *epoch = group->epoch;
  MlsOwnUpdate *updates =
      realloc (group->updates, (group->n_updates + 1) * sizeof *updates);
  if (!updates)
    return MLS_NO_MEMORY;
  group->updates = updates;
  MlsOwnUpdate *update = &updates[group->n_updates];
  update->private_key = secret_new (MLS_KEY_LEN);
  if (!update->private_key)
    return MLS_NO_MEMORY;

  MlsLeafNode fields = mls_tree_leaf (epoch->tree, epoch->own_leaf)->node;
  mls_put_uint (out, MLS_PROPOSAL_UPDATE, 2);
  bool ok = mls_generate_key_pair (
      &group->random, secret_bytes (update->private_key), update->public_key);
  fields.encryption_key = mls_slice (update->public_key, MLS_KEY_LEN);
  fields.source = MLS_LEAF_UPDATE;
  if (!ok
      || !mls_leaf_node_sign (out, &fields,
          secret_bytes (group->signature_key), epoch->context.group_id,
          epoch->own_leaf)) {
    secret_unref (update->private_key);
    return MLS_NO_MEMORY;
  }
  group->n_updates++;
  return MLS_OK;
}

/* Writes the proposal that `request` asks for. */
static MlsResult
put_proposal (
    MlsGroup *group, const MlsProposalRequest *request, MlsBuffer *out)
{
  uint8_t nonce[MLS_HASH_LEN];
  MlsProposal proposal = { .type = (uint16_t) request->type };

  switch (request->type) {
    case MLS_PROPOSAL_ADD:
      return put_add (request->key_package, 0, out);
    case MLS_PROPOSAL_UPDATE:
      return group->n_updates < MLS_MAX_PENDING ? put_update (group, out)
                                                : MLS_TOO_LARGE;
    case MLS_PROPOSAL_REMOVE:
      proposal.removed = request->removed;
      break;
    case MLS_PROPOSAL_PSK:
      if (!request->psk)
        return MLS_MISUSE;
      mls_draw (&group->random, nonce, sizeof nonce);
      proposal.psk = (MlsPskId){ .type = (uint8_t) request->psk->type,
        .id = request->psk->id,
        .usage = (uint8_t) (request->usage ? request->usage
                                           : MLS_PSK_USAGE_APPLICATION),
        .group_id = request->psk->group_id,
        .epoch = request->psk->epoch,
        .nonce = { nonce, sizeof nonce } };
      break;
    case MLS_PROPOSAL_REINIT:
      if (!request->reinit)
        return MLS_MISUSE;
      proposal.reinit = *request->reinit;
      break;
    case MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
      proposal.extensions = request->extensions;
      break;
    default:
      return MLS_MISUSE;
  }
  mls_proposal_put (out, &proposal);
  return MLS_OK;
}

MlsResult
mls_group_propose (MlsGroup *group, const MlsProposalRequest *request,
    const MlsHandshake *handshake, MlsBuffer *message)
{
  static const MlsHandshake plain;
  MlsBuffer body = { 0 };
  MlsOutgoing outgoing;
  MlsOpened opened = { { 0 } };

  if (group->closed)
    return MLS_CLOSED;
  if (!handshake)
    handshake = &plain;
  MlsResult result = put_proposal (group, request, &body);
  if (result == MLS_OK && body.failed)
    result = MLS_NO_MEMORY;
  if (result == MLS_OK)
    result = mls_outgoing_sign (group, MLS_CONTENT_PROPOSAL,
        mls_buffer_slice (&body), handshake, &outgoing);
  if (result == MLS_OK)
    result = mls_outgoing_write (group, &outgoing, handshake, message);
  if (result == MLS_OK) {
    mls_content_put (&opened.bytes, &outgoing.content);
    opened.content = outgoing.content;
    result = opened.bytes.failed ? MLS_NO_MEMORY
                                 : mls_group_keep_proposal (group, &opened);
    if (result != MLS_OK)
      mls_buffer_free (message);
  }
  mls_buffer_free (&opened.bytes);
  mls_buffer_free (&body);
  return result;
}

/* Which pending proposals can go into one commit of ours (12.2), besides those by value. */
typedef struct
{
  bool *take;      /* for each pending proposal */
  bool *touched;   /* leaves that an Update or Remove is about */
  MlsIndices adds; /* pending Adds taken */
  bool extensions; /* a GroupContextExtensions is there already */
} Choice;

static bool
in_group (const MlsTree *tree, MlsSlice signature_key, const bool *removed)
{
  for (uint32_t i = 0; i < tree->n_leaves; i++) {
    const MlsLeaf *leaf = mls_tree_leaf (tree, i);
    if (leaf && !removed[i]
        && mls_slice_equal (leaf->node.signature_key, signature_key))
      return true;
  }
  return false;
}

static bool
is_added_twice (
    const MlsGroup *group, const MlsIndices *adds, MlsSlice signature_key)
{
  for (size_t i = 0; i < adds->len; i++)
    if (mls_slice_equal (
            group->pending[adds->at[i]].proposal.add.leaf.signature_key,
            signature_key))
      return true;
  return false;
}

/* Whether a proposal would be right in a list of its own. */
static bool
is_valid_alone (
    MlsGroup *group, const MlsPending *pending, const MlsListContext *context)
{
  MlsProposalList list = { 0 };
  uint8_t psk_secret[MLS_HASH_LEN];
  bool valid =
      mls_proposal_list_add (&list, &pending->proposal, pending->sender, true)
      && mls_proposal_list_check (&list, context) == MLS_OK
      && (pending->proposal.type != MLS_PROPOSAL_PSK
          || mls_group_psk_secret (group, &list, psk_secret) == MLS_OK);
  mls_proposal_list_free (&list);
  return valid;
}

static void
choose (MlsGroup *group, const MlsCommitRequest *request,
    const MlsListContext *context, Choice *c)
{
  const MlsTree *tree = group->epoch->tree;
  size_t by_value = request->n_add + request->n_remove + request->n_other
                    + (request->extensions != NULL),
         taken = 0;

  for (size_t i = 0; i < request->n_remove; i++)
    if (request->remove[i] < tree->n_leaves)
      c->touched[request->remove[i]] = true;
  c->extensions = request->extensions != NULL;
  for (size_t i = 0; i < request->n_other; i++)
    c->extensions |=
        request->other[i].type == MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS;

  /* "they SHOULD prefer any Remove received, or the most recent Update if there are no Removes" */
  for (size_t i = 0; i < group->n_pending; i++) {
    const MlsProposal *p = &group->pending[i].proposal;
    if (p->type == MLS_PROPOSAL_REMOVE
        && is_valid_alone (group, &group->pending[i], context)
        && !c->touched[p->removed])
      c->take[i] = c->touched[p->removed] = true;
  }
  for (size_t i = group->n_pending; i > 0; i--) {
    const MlsPending *pending = &group->pending[i - 1];
    if (pending->proposal.type == MLS_PROPOSAL_UPDATE
        && is_valid_alone (group, pending, context)
        && !c->touched[pending->sender.index])
      c->take[i - 1] = c->touched[pending->sender.index] = true;
  }
  for (size_t i = 0; i < group->n_pending; i++) {
    const MlsProposal *p = &group->pending[i].proposal;
    if (!is_valid_alone (group, &group->pending[i], context))
      continue;
    if (p->type == MLS_PROPOSAL_PSK) {
      c->take[i] = true;
    } else if (p->type == MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS
               && !c->extensions) {
      c->take[i] = c->extensions = true;
    } else if (p->type == MLS_PROPOSAL_ADD
               && !in_group (tree, p->add.leaf.signature_key, c->touched)
               && !is_added_twice (
                   group, &c->adds, p->add.leaf.signature_key)) {
      c->take[i] = true;
      mls_indices_add (&c->adds, (uint32_t) i);
    }
  }
  for (size_t i = 0; i < group->n_pending; i++)
    taken += c->take[i];
  /* "If the committer has received other proposals during the epoch, they SHOULD prefer them over the ReInit" */
  for (size_t i = 0; i < group->n_pending && taken + by_value == 0; i++)
    if (group->pending[i].proposal.type == MLS_PROPOSAL_REINIT
        && is_valid_alone (group, &group->pending[i], context)) {
      c->take[i] = true;
      taken = 1;
    }
}

/* The references, after the proposals by value: to `body` as the commit has them, to `raw` as they are. */
static MlsResult
put_pending (MlsGroup *group, const MlsCommitRequest *request,
    const MlsListContext *context, MlsBuffer *body, MlsBuffer *raw,
    MlsIndices *chosen)
{
  Choice c = { .take = calloc (group->n_pending + 1, sizeof *c.take),
    .touched = calloc (group->epoch->tree->n_leaves, sizeof *c.touched) };
  bool ok = c.take && c.touched;

  if (ok) {
    choose (group, request, context, &c);
    for (size_t i = 0; i < group->n_pending; i++)
      if (c.take[i]) {
        MlsProposalOrRef item = { .by_reference = true,
          .reference = { group->pending[i].ref, MLS_HASH_LEN } };
        mls_proposal_or_ref_put (body, &item);
        mls_put_slice (raw, group->pending[i].proposal.raw);
        mls_indices_add (chosen, (uint32_t) i);
      }
  }
  mls_indices_free (&c.adds);
  free (c.take);
  free (c.touched);
  return ok && !chosen->failed ? MLS_OK : MLS_NO_MEMORY;
}

/* One by value: `raw` gets the proposal from `start` on, `body` the same with its head. */
static void
put_by_value (MlsBuffer *body, const MlsBuffer *raw, size_t start)
{
  mls_put_uint (body, 1, 1);
  if (!raw->failed && raw->len > start)
    mls_put_bytes (body, raw->data + start, raw->len - start);
}

/* The list of the commit: its bytes in `body`, and `staged->list`, which points into `staged->proposals`. */
static MlsResult
put_list (MlsGroup *group, const MlsCommitRequest *request,
    const MlsListContext *context, MlsStaged *staged, MlsBuffer *body)
{
  MlsBuffer *raw = &staged->proposals;
  MlsIndices chosen = { 0 };
  MlsResult result = MLS_OK;
  size_t vector = mls_begin_vector (body), by_value = 0, start;

  for (size_t i = 0; i < request->n_remove; i++, by_value++) {
    start = raw->len;
    mls_put_uint (raw, MLS_PROPOSAL_REMOVE, 2);
    mls_put_uint (raw, request->remove[i], 4);
    put_by_value (body, raw, start);
  }
  for (size_t i = 0; i < request->n_add && result == MLS_OK; i++, by_value++) {
    start = raw->len;
    result = put_add (request->add[i], request->time, raw);
    put_by_value (body, raw, start);
  }
  if (request->extensions) {
    start = raw->len;
    mls_put_uint (raw, MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS, 2);
    mls_put_opaque (raw, *request->extensions);
    put_by_value (body, raw, start);
    by_value++;
  }
  for (size_t i = 0; i < request->n_other && result == MLS_OK;
       i++, by_value++) {
    start = raw->len;
    result = request->other[i].type == MLS_PROPOSAL_UPDATE
                 ? MLS_INVALID_PROPOSALS
                 : put_proposal (group, &request->other[i], raw);
    put_by_value (body, raw, start);
  }
  if (result == MLS_OK && request->pending)
    result = put_pending (group, request, context, body, raw, &chosen);
  mls_end_vector (body, vector);
  if (result == MLS_OK && (raw->failed || body->failed))
    result = MLS_NO_MEMORY;

  Reader in = mls_reader (mls_buffer_slice (raw));
  for (size_t i = 0; reader_left (&in) > 0 && result == MLS_OK; i++) {
    bool by_reference = i >= by_value;
    MlsProposal proposal;
    mls_proposal_read (&in, &proposal);
    MlsSender sender = by_reference
                           ? group->pending[chosen.at[i - by_value]].sender
                           : context->committer;
    if (in.failed)
      result = MLS_MISUSE; /* extensions that are no list */
    else if (i == MLS_MAX_PROPOSALS)
      result = MLS_TOO_LARGE;
    else if (!mls_proposal_list_add (
                 &staged->list, &proposal, sender, by_reference))
      result = MLS_NO_MEMORY;
  }
  mls_indices_free (&chosen);
  return result;
}

/* Fresh keys for us and our path; its bytes are appended to the commit's. */
static MlsResult
put_path (MlsGroup *group, MlsStaged *staged, const MlsApplied *applied,
    MlsPathSecrets *secrets, MlsBuffer *body)
{
  MlsEpoch *next = staged->epoch;
  const MlsGroupContext *old = &group->epoch->context;

  MlsResult result = mls_path_generate (next->tree, next->keys, secrets,
      next->own_leaf, &mls_tree_leaf (next->tree, next->own_leaf)->node,
      secret_bytes (group->signature_key), old->group_id, &group->random);
  if (result == MLS_OK)
    result = mls_epoch_set_context (next, (MlsSuite) old->suite, old->group_id,
        old->epoch + 1, old->confirmed_transcript_hash, applied->extensions);
  if (result == MLS_OK)
    result = mls_path_encrypt ((MlsSuite) old->suite, next->tree, secrets,
        &applied->added, mls_buffer_slice (&next->context_bytes),
        &group->random, body);
  return result;
}

/* The rest, once the body is there: sign, derive, confirm, encrypt, welcome. */
static MlsResult
finish (MlsGroup *group, const MlsCommitRequest *request, MlsStaged *staged,
    const MlsApplied *applied, MlsSlice body, const MlsPathSecrets *secrets)
{
  uint8_t psk_secret[MLS_HASH_LEN], joiner[MLS_HASH_LEN];
  MlsOutgoing outgoing;

  MlsResult result = mls_group_psk_secret (group, &staged->list, psk_secret);
  if (result == MLS_OK)
    result = mls_outgoing_sign (
        group, MLS_CONTENT_COMMIT, body, &request->handshake, &outgoing);
  if (result == MLS_OK)
    result = mls_commit_advance (group, staged->epoch, applied,
        &outgoing.content, group->epoch->secrets->init,
        secrets ? secrets->secret[secrets->n] : NULL, psk_secret, joiner);
  if (result == MLS_OK) {
    memcpy (outgoing.confirmation_tag, staged->epoch->confirmation_tag,
        MLS_HASH_LEN);
    if (applied->added.len > 0)
      result = mls_welcome_make (group, staged, applied, request, joiner,
          psk_secret, secrets, &staged->welcome);
  }
  /* Last, as it uses up a generation. */
  if (result == MLS_OK)
    result = mls_outgoing_write (
        group, &outgoing, &request->handshake, &staged->message);
  sodium_memzero (psk_secret, sizeof psk_secret);
  sodium_memzero (joiner, sizeof joiner);
  return result;
}

static MlsResult
create (MlsGroup *group, const MlsCommitRequest *request, MlsStaged *staged,
    MlsApplied *applied)
{
  MlsSender committer = { MLS_SENDER_MEMBER, group->epoch->own_leaf };
  MlsListContext context = mls_group_list_context (group, committer);
  MlsPathSecrets *secrets = NULL;
  MlsBuffer body = { 0 };

  MlsResult result = put_list (group, request, &context, staged, &body);
  if (result == MLS_OK)
    result = mls_commit_apply (group, staged, &context, applied);
  if (result == MLS_OK)
    result = mls_tree_check_encryption_keys (staged->epoch->tree, NULL, 0);
  if (result == MLS_OK)
    result = mls_proposal_list_check_tree (
        &staged->list, applied, staged->epoch->tree);
  bool has_path = applied->path_required || request->path;
  mls_put_uint (&body, has_path, 1);
  if (result == MLS_OK && has_path) {
    secrets = mls_path_secrets_new ();
    result = secrets ? put_path (group, staged, applied, secrets, &body)
                     : MLS_NO_MEMORY;
  }
  if (result == MLS_OK && body.failed)
    result = MLS_NO_MEMORY;
  if (result == MLS_OK && body.len > MLS_MAX_MESSAGE)
    result = MLS_TOO_LARGE;
  if (result == MLS_OK) {
    staged->info.own = true;
    staged->info.sender = committer;
    staged->info.committer = committer.index;
    staged->info.has_path = has_path;
    staged->before =
        mls_leaf_ref (mls_tree_leaf (group->epoch->tree, committer.index));
    staged->after =
        mls_leaf_ref (mls_tree_leaf (staged->epoch->tree, committer.index));
    result = finish (
        group, request, staged, applied, mls_buffer_slice (&body), secrets);
  }
  mls_path_secrets_free (secrets);
  mls_buffer_free (&body);
  return result;
}

MlsResult
mls_group_commit (
    MlsGroup *group, const MlsCommitRequest *request, MlsStaged **out)
{
  if (group->closed)
    return MLS_CLOSED;
  MlsStaged *staged = mls_staged_new (group);
  MlsApplied *applied = mls_applied_new ();
  MlsResult result = staged && applied
                         ? create (group, request, staged, applied)
                         : MLS_NO_MEMORY;
  mls_applied_free (applied);
  if (result != MLS_OK) {
    mls_staged_free (staged);
    return result;
  }
  *out = staged;
  return MLS_OK;
}

MlsResult
mls_group_protect (MlsGroup *group, MlsSlice data, MlsSlice authenticated_data,
    size_t padding, MlsBuffer *message)
{
  MlsHandshake how = { false, padding, authenticated_data };
  MlsOutgoing outgoing;

  if (group->closed)
    return MLS_CLOSED;
  MlsResult result = mls_outgoing_sign (
      group, MLS_CONTENT_APPLICATION, data, &how, &outgoing);
  return result == MLS_OK
             ? mls_outgoing_write (group, &outgoing, &how, message)
             : result;
}

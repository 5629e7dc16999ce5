/* Groups: life, past epochs, pending proposals, PSKs, receiving.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group_private.h"

#include "crypto.h"
#include "tree_validation.h"

#include <sodium.h>
#include <stdlib.h>

const MlsSettings mls_default_settings = { 256, 4, 0 };

MlsGroup *
mls_group_new (const MlsRandom *random, const MlsSettings *settings,
    Secret *signature_key)
{
  MlsGroup *group = calloc (1, sizeof *group);
  if (!group)
    return NULL;
  group->random = *random;
  group->settings = settings ? *settings : mls_default_settings;
  group->signature_key = secret_ref (signature_key);
  if (group->settings.window > MLS_MAX_WINDOW)
    group->settings.window = MLS_MAX_WINDOW;
  if (group->settings.past_epochs > MLS_MAX_PAST_EPOCHS)
    group->settings.past_epochs = MLS_MAX_PAST_EPOCHS;
  if (group->settings.resumption > MLS_MAX_RESUMPTION)
    group->settings.resumption = MLS_MAX_RESUMPTION;
  if (group->settings.resumption > 0) {
    group->resumption = sodium_allocarray (
        group->settings.resumption, sizeof *group->resumption);
    if (!group->resumption) {
      mls_group_free (group);
      return NULL;
    }
  }
  return group;
}

static void
free_pending (MlsGroup *group)
{
  for (size_t i = 0; i < group->n_pending; i++)
    mls_buffer_free (&group->pending[i].bytes);
  free (group->pending);
  group->pending = NULL;
  group->n_pending = group->pending_room = group->pending_bytes = 0;
  for (size_t i = 0; i < group->n_updates; i++)
    secret_unref (group->updates[i].private_key);
  free (group->updates);
  group->updates = NULL;
  group->n_updates = 0;
}

static void
drop_past (MlsGroup *group, size_t keep)
{
  while (group->n_past > keep)
    mls_epoch_free (group->past[--group->n_past].epoch);
}

void
mls_group_free (MlsGroup *group)
{
  if (!group)
    return;
  mls_epoch_free (group->epoch);
  drop_past (group, 0);
  free_pending (group);
  for (size_t i = 0; i < group->n_psks; i++) {
    mls_buffer_free (&group->psks[i].id);
    secret_unref (group->psks[i].psk);
  }
  if (group->resumption)
    sodium_free (group->resumption);
  secret_unref (group->signature_key);
  free (group);
}

/* Our first leaf, in a group of one: as if from a key package, which nobody sees. */
static MlsResult
make_first_leaf (const MlsClient *client, MlsEpoch *epoch, MlsSlice extensions)
{
  MlsKeyPackage *kp;
  MlsResult result = mls_key_package_new (client, &kp);
  if (result != MLS_OK)
    return result;
  MlsLeaf *leaf = mls_leaf_new (kp->view.leaf.raw);
  epoch->keys = mls_tree_keys_new ();
  epoch->tree = leaf ? mls_tree_new (leaf) : NULL;
  if (epoch->keys && epoch->tree) {
    memcpy (
        epoch->keys->key[0], secret_bytes (kp->encryption_key), MLS_KEY_LEN);
    epoch->keys->have[0] = true;
    /* The creator is bound by what it asks of others. */
    result = mls_tree_check_extensions (epoch->tree, extensions);
  } else {
    result = MLS_NO_MEMORY;
  }
  mls_key_package_free (kp);
  return result;
}

MlsResult
mls_group_create (const MlsClient *client, MlsSlice group_id,
    MlsSlice extensions, const MlsSettings *settings, MlsGroup **out)
{
  if (group_id.len > MLS_MAX_GROUP_ID || !client->signature_seed)
    return MLS_MISUSE;
  Secret *signature_key = mls_signature_key (client->signature_seed);
  if (!signature_key)
    return MLS_MISUSE;
  MlsGroup *group = mls_group_new (&client->random, settings, signature_key);
  secret_unref (signature_key);
  if (!group)
    return MLS_NO_MEMORY;

  MlsEpoch *epoch = group->epoch = mls_epoch_new ();
  MlsResult result =
      epoch ? make_first_leaf (client, epoch, extensions) : MLS_NO_MEMORY;
  if (result == MLS_OK)
    result = mls_epoch_set_context (
        epoch, client->suite, group_id, 0, (MlsSlice){ 0 }, extensions);
  if (result == MLS_OK) {
    uint8_t epoch_secret[MLS_HASH_LEN];
    mls_draw (&group->random, epoch_secret, sizeof epoch_secret);
    if (!mls_secrets_from_epoch (epoch->secrets, epoch_secret))
      result = MLS_NO_MEMORY;
    sodium_memzero (epoch_secret, sizeof epoch_secret);
  }
  if (result == MLS_OK)
    result = mls_epoch_start (epoch, group->settings.window);
  if (result != MLS_OK) {
    mls_group_free (group);
    return result;
  }
  *out = group;
  return MLS_OK;
}

const MlsEpoch *
mls_group_epoch (const MlsGroup *group)
{
  return group->epoch;
}

uint32_t
mls_group_signer (const MlsGroup *group)
{
  return group->signer;
}

bool
mls_group_offers_external_joins (const MlsGroup *group)
{
  return group->external_pub;
}

bool
mls_group_is_closed (const MlsGroup *group)
{
  return group->closed;
}

MlsListContext
mls_group_list_context (const MlsGroup *group, MlsSender committer)
{
  const MlsEpoch *epoch = group->epoch;
  return (MlsListContext){ (MlsSuite) epoch->context.suite,
    epoch->context.group_id, epoch->context.extensions, epoch->tree,
    committer };
}

MlsResult
mls_group_add_psk (MlsGroup *group, const MlsPsk *psk)
{
  if (group->n_psks == MLS_MAX_PSKS)
    return MLS_TOO_LARGE;
  if (!psk->psk
      || (psk->type != MLS_PSK_EXTERNAL && psk->type != MLS_PSK_RESUMPTION))
    return MLS_MISUSE;
  MlsKeptPsk kept = { psk->type, { 0 }, psk->epoch, NULL };
  mls_put_slice (
      &kept.id, psk->type == MLS_PSK_EXTERNAL ? psk->id : psk->group_id);
  if (kept.id.failed)
    return MLS_NO_MEMORY;
  kept.psk = secret_ref (psk->psk);
  group->psks[group->n_psks++] = kept;
  return MLS_OK;
}

/* A reference to the PSK, or NULL. */
static Secret *
find_psk (
    MlsGroup *group, const MlsPsk *more, size_t n_more, const MlsPskId *id)
{
  MlsSlice name = id->type == MLS_PSK_EXTERNAL ? id->id : id->group_id;
  for (size_t i = 0; i < n_more; i++)
    if (more[i].type == id->type && more[i].psk
        && (id->type == MLS_PSK_EXTERNAL
                ? mls_slice_equal (more[i].id, name)
                : mls_slice_equal (more[i].group_id, name)
                      && more[i].epoch == id->epoch))
      return secret_ref (more[i].psk);
  if (!group)
    return NULL;
  if (id->type == MLS_PSK_RESUMPTION
      && mls_slice_equal (name, group->epoch->context.group_id)) {
    if (id->epoch == group->epoch->context.epoch)
      return secret_copy (group->epoch->secrets->resumption, MLS_HASH_LEN);
    for (size_t i = 0; i < group->n_resumption; i++)
      if (group->resumption[i].epoch == id->epoch)
        return secret_copy (group->resumption[i].psk, MLS_HASH_LEN);
  }
  for (size_t i = 0; i < group->n_psks; i++)
    if (group->psks[i].type == id->type
        && mls_slice_equal (mls_buffer_slice (&group->psks[i].id), name)
        && (id->type == MLS_PSK_EXTERNAL || group->psks[i].epoch == id->epoch))
      return secret_ref (group->psks[i].psk);
  return NULL;
}

MlsResult
mls_find_psk_secret (MlsGroup *group, const MlsPsk *more, size_t n_more,
    const MlsPskId *ids, size_t n, uint8_t *psk_secret)
{
  Secret *psks[MLS_MAX_PSKS] = { NULL };
  MlsResult result = MLS_OK;

  for (size_t i = 0; i < n && result == MLS_OK; i++) {
    psks[i] = find_psk (group, more, n_more, &ids[i]);
    if (!psks[i])
      result = MLS_UNKNOWN_PSK;
  }
  if (result == MLS_OK && !mls_psk_secret (ids, psks, n, psk_secret))
    result = MLS_NO_MEMORY;
  for (size_t i = 0; i < n; i++)
    secret_unref (psks[i]);
  return result;
}

MlsResult
mls_group_psk_secret (
    MlsGroup *group, const MlsProposalList *list, uint8_t *psk_secret)
{
  MlsPskId ids[MLS_MAX_PSKS];
  size_t n = 0;
  for (size_t i = 0; i < list->len; i++)
    if (list->at[i].proposal.type == MLS_PROPOSAL_PSK) {
      if (n == MLS_MAX_PSKS)
        return MLS_TOO_LARGE;
      ids[n++] = list->at[i].proposal.psk;
    }
  return mls_find_psk_secret (group, NULL, 0, ids, n, psk_secret);
}

MlsPending *
mls_group_find_proposal (MlsGroup *group, MlsSlice reference)
{
  for (size_t i = 0; i < group->n_pending; i++)
    if (mls_slice_equal (
            mls_slice (group->pending[i].ref, MLS_HASH_LEN), reference))
      return &group->pending[i];
  return NULL;
}

MlsResult
mls_group_keep_proposal (MlsGroup *group, const MlsOpened *opened)
{
  MlsPending pending = { .sender = opened->content.sender };

  if (!mls_ref_hash (MLS_PROPOSAL_REF_LABEL, mls_buffer_slice (&opened->bytes),
          pending.ref))
    return MLS_NO_MEMORY;
  if (mls_group_find_proposal (group, mls_slice (pending.ref, MLS_HASH_LEN)))
    return MLS_OK;
  if (group->n_pending == MLS_MAX_PENDING
      || opened->bytes.len > MLS_MAX_PENDING_BYTES - group->pending_bytes)
    return MLS_TOO_LARGE;
  if (group->n_pending == group->pending_room) {
    size_t room = group->pending_room ? 2 * group->pending_room : 8;
    MlsPending *moved = realloc (group->pending, room * sizeof *moved);
    if (!moved)
      return MLS_NO_MEMORY;
    group->pending = moved;
    group->pending_room = room;
  }
  mls_put_slice (&pending.bytes, opened->content.content);
  if (pending.bytes.failed)
    return MLS_NO_MEMORY;
  Reader in = mls_reader (mls_buffer_slice (&pending.bytes));
  mls_proposal_read (&in, &pending.proposal);
  group->pending_bytes += opened->bytes.len;
  group->pending[group->n_pending++] = pending;
  return MLS_OK;
}

static bool
is_member (void *user, uint32_t leaf)
{
  const MlsEpoch *epoch = user;
  return mls_tree_leaf (epoch->tree, leaf) != NULL;
}

/* The key that a message's signature must verify with (6.1). */
static MlsResult
find_signer (const MlsEpoch *epoch, const MlsContent *content, MlsSlice *key)
{
  Reader in = mls_reader (content->content);
  MlsCredential credential;
  MlsProposal proposal;
  MlsCommit commit;
  MlsSlice senders;

  switch (content->sender.type) {
    case MLS_SENDER_MEMBER: {
      const MlsLeaf *leaf = mls_tree_leaf (epoch->tree, content->sender.index);
      if (!leaf)
        return MLS_UNKNOWN_SENDER;
      *key = leaf->node.signature_key;
      return MLS_OK;
    }
    case MLS_SENDER_EXTERNAL: {
      if (content->content_type != MLS_CONTENT_PROPOSAL
          || !mls_find_extension (epoch->context.extensions,
              MLS_EXTENSION_EXTERNAL_SENDERS, &senders))
        return MLS_UNKNOWN_SENDER;
      Reader outer = mls_reader (senders), list = mls_read_vector (&outer);
      for (uint32_t i = 0; reader_left (&list) > 0; i++) {
        *key = mls_read_opaque (&list);
        mls_credential_read (&list, &credential);
        if (i == content->sender.index && !list.failed)
          return MLS_OK;
      }
      return MLS_UNKNOWN_SENDER;
    }
    case MLS_SENDER_NEW_MEMBER_PROPOSAL:
      if (content->content_type != MLS_CONTENT_PROPOSAL)
        return MLS_UNKNOWN_SENDER;
      mls_proposal_read (&in, &proposal);
      if (proposal.type != MLS_PROPOSAL_ADD)
        return MLS_UNKNOWN_SENDER;
      *key = proposal.add.leaf.signature_key;
      return MLS_OK;
    default:
      if (content->content_type != MLS_CONTENT_COMMIT)
        return MLS_UNKNOWN_SENDER;
      mls_commit_read (&in, &commit);
      if (!commit.has_path)
        return MLS_INVALID_PATH;
      *key = commit.path.leaf.signature_key;
      return MLS_OK;
  }
}

/* 12.1.8: "Messages from `external` senders containing proposal types other than the above MUST be rejected as
 * malformed." */
static bool
may_propose (const MlsContent *content, const MlsProposal *proposal)
{
  return content->sender.type != MLS_SENDER_EXTERNAL
         || (proposal->type != MLS_PROPOSAL_UPDATE
             && proposal->type != MLS_PROPOSAL_EXTERNAL_INIT);
}

static MlsEpoch *
find_epoch (MlsGroup *group, uint64_t number, bool past)
{
  if (group->epoch->context.epoch == number)
    return group->epoch;
  for (size_t i = 0; past && i < group->n_past; i++)
    if (group->past[i].epoch->context.epoch == number)
      return group->past[i].epoch;
  return NULL;
}

/* Decrypts, or checks the membership tag. */
static MlsResult
open_message (
    MlsGroup *group, MlsSlice message, MlsEpoch **epoch, MlsOpened *opened)
{
  Reader in = mls_reader (message);
  uint16_t wire_format = mls_message_head_read (&in);
  MlsPublicMessage public_message;
  MlsPrivateMessage private_message;
  MlsSlice group_id;
  uint64_t number;
  bool application = false;

  if (in.failed)
    return MLS_MALFORMED;
  if (wire_format == MLS_WIRE_PUBLIC_MESSAGE) {
    mls_public_message_read (&in, &public_message);
    group_id = public_message.content.group_id;
    number = public_message.content.epoch;
    /* 6: "Applications MUST use PrivateMessage to encrypt application messages" */
    if (public_message.content.content_type == MLS_CONTENT_APPLICATION)
      return MLS_MALFORMED;
  } else if (wire_format == MLS_WIRE_PRIVATE_MESSAGE) {
    mls_private_message_read (&in, &private_message);
    group_id = private_message.group_id;
    number = private_message.epoch;
    application = private_message.content_type == MLS_CONTENT_APPLICATION;
  } else {
    return MLS_UNSUPPORTED;
  }
  if (!reader_done (&in))
    return MLS_MALFORMED;
  if (!mls_slice_equal (group_id, group->epoch->context.group_id))
    return MLS_WRONG_GROUP;
  *epoch = find_epoch (group, number, application);
  if (!*epoch)
    return MLS_WRONG_EPOCH;
  if (wire_format == MLS_WIRE_PUBLIC_MESSAGE)
    return mls_public_message_open (&public_message,
        mls_buffer_slice (&(*epoch)->context_bytes),
        (*epoch)->secrets->membership, opened);
  return mls_private_message_open ((MlsSuite) (*epoch)->context.suite,
      &private_message, (*epoch)->secrets->sender_data, (*epoch)->secret_tree,
      is_member, *epoch, (*epoch)->own_leaf, opened);
}

static MlsResult
take_content (MlsGroup *group, MlsEventType *type, MlsEvent *event)
{
  const MlsContent *content = &event->opened.content;
  Reader in;
  MlsResult result;

  switch (content->content_type) {
    case MLS_CONTENT_APPLICATION:
      *type = MLS_EVENT_APPLICATION;
      event->data = content->content;
      return MLS_OK;
    case MLS_CONTENT_PROPOSAL:
      *type = MLS_EVENT_PROPOSAL;
      in = mls_reader (content->content);
      mls_proposal_read (&in, &event->proposal);
      if (!may_propose (content, &event->proposal))
        return MLS_MALFORMED;
      return mls_group_keep_proposal (group, &event->opened);
    default:
      *type = MLS_EVENT_COMMIT;
      result = mls_commit_process (group, &event->opened, &event->commit);
      return result;
  }
}

MlsResult
mls_group_process (
    MlsGroup *group, MlsSlice message, uint64_t now, MlsEvent *event)
{
  MlsEpoch *epoch = NULL;
  MlsSlice key;
  MlsEventType type = MLS_EVENT_NONE;

  *event = (MlsEvent){ 0 };
  if (group->closed)
    return MLS_CLOSED;
  if (message.len > MLS_MAX_MESSAGE)
    return MLS_TOO_LARGE;
  MlsResult result = open_message (group, message, &epoch, &event->opened);
  const MlsContent *content = &event->opened.content;
  if (result == MLS_OK)
    result = find_signer (epoch, content, &key);
  if (result == MLS_OK
      && !mls_content_verify (
          content, key, mls_buffer_slice (&epoch->context_bytes)))
    result = MLS_BAD_SIGNATURE;
  if (result == MLS_OK && content->sender.type == MLS_SENDER_MEMBER
      && content->sender.index == epoch->own_leaf)
    result = MLS_OWN_MESSAGE; /* a PublicMessage of ours that came back */

  event->epoch = content->epoch;
  event->sender = content->sender;
  event->authenticated_data = content->authenticated_data;
  bool authentic = result == MLS_OK;
  MlsSender sender = event->sender;
  bool private_message = content->wire_format == MLS_WIRE_PRIVATE_MESSAGE;
  uint32_t generation = event->opened.generation;
  if (result == MLS_OK)
    result = take_content (group, &type, event);
  /* Only now is it certain that this was its sender's: the key goes (9.2). */
  if (result == MLS_OK && private_message)
    result = mls_secret_tree_spend (epoch->secret_tree, event->sender.index,
        type == MLS_EVENT_APPLICATION ? MLS_RATCHET_APPLICATION
                                      : MLS_RATCHET_HANDSHAKE,
        generation, now);
  if (result != MLS_OK) {
    mls_event_clear (event);
    if (authentic && sender.type == MLS_SENDER_MEMBER) {
      event->authentic = true;
      event->sender = sender;
    }
    return result;
  }
  event->type = type;
  return MLS_OK;
}

void
mls_event_clear (MlsEvent *event)
{
  mls_staged_free (event->commit);
  mls_opened_free (&event->opened);
  *event = (MlsEvent){ 0 };
}

/* Leaves an ended epoch what opens late messages. */
static void
retire (MlsEpoch *epoch)
{
  uint8_t sender_data[MLS_HASH_LEN];
  mls_tree_keys_free (epoch->keys);
  epoch->keys = NULL;
  memcpy (sender_data, epoch->secrets->sender_data, sizeof sender_data);
  sodium_memzero (epoch->secrets, sizeof *epoch->secrets);
  memcpy (epoch->secrets->sender_data, sender_data, sizeof sender_data);
  sodium_memzero (sender_data, sizeof sender_data);
}

static void
keep_resumption (MlsGroup *group)
{
  size_t most = group->settings.resumption;
  if (most == 0)
    return;
  size_t n = group->n_resumption < most ? group->n_resumption++ : most - 1;
  memmove (&group->resumption[1], &group->resumption[0],
      n * sizeof *group->resumption);
  group->resumption[0].epoch = group->epoch->context.epoch;
  memcpy (group->resumption[0].psk, group->epoch->secrets->resumption,
      MLS_HASH_LEN);
}

MlsResult
mls_group_merge (MlsGroup *group, MlsStaged *staged, uint64_t now)
{
  MlsEpoch *old = group->epoch;

  if (group->closed || staged->group != group
      || staged->base != old->context.epoch) {
    MlsResult result = staged->group != group ? MLS_MISUSE
                       : group->closed        ? MLS_CLOSED
                                              : MLS_WRONG_EPOCH;
    mls_staged_free (staged);
    return result;
  }
  free_pending (group);
  if (staged->info.removes_us) {
    /* 12.4.2: "the client cannot send any more messages in the group and SHOULD promptly delete its group state" */
    drop_past (group, 0);
    sodium_memzero (old->secrets, sizeof *old->secrets);
    mls_tree_keys_free (old->keys);
    mls_secret_tree_free (old->secret_tree);
    old->keys = NULL;
    old->secret_tree = NULL;
    group->n_resumption = 0;
    if (group->resumption)
      sodium_memzero (group->resumption,
          group->settings.resumption * sizeof *group->resumption);
    group->closed = true;
  } else {
    keep_resumption (group);
    retire (old);
    if (group->settings.past_epochs > 0) {
      drop_past (group, group->settings.past_epochs - 1);
      memmove (&group->past[1], &group->past[0],
          group->n_past * sizeof group->past[0]);
      group->past[0] = (MlsPastEpoch){ old, now };
      group->n_past++;
    } else {
      mls_epoch_free (old);
    }
    group->epoch = staged->epoch;
    staged->epoch = NULL;
    group->closed = staged->info.reinitializes;
  }
  mls_staged_free (staged);
  return MLS_OK;
}

void
mls_group_expire (MlsGroup *group, uint64_t then)
{
  while (group->n_past > 0 && group->past[group->n_past - 1].ended < then)
    drop_past (group, group->n_past - 1);
  for (size_t i = 0; i < group->n_past; i++)
    mls_secret_tree_expire (group->past[i].epoch->secret_tree, then);
  if (group->epoch->secret_tree)
    mls_secret_tree_expire (group->epoch->secret_tree, then);
}

/* GroupInfo and Welcome: making them, and joining (RFC 9420, section 12.4.3).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group_private.h"

#include "crypto.h"
#include "group_info.h"
#include "tree_validation.h"

#include <sodium.h>
#include <stdlib.h>

static MlsResult
put_info_extensions (MlsGroup *group, const MlsEpoch *epoch, bool with_tree,
    bool external_pub, bool grease, MlsBuffer *out)
{
  if (with_tree) {
    MlsBuffer tree = { 0 };
    mls_tree_put (&tree, epoch->tree);
    if (tree.failed)
      out->failed = true;
    mls_put_extension (
        out, MLS_EXTENSION_RATCHET_TREE, mls_buffer_slice (&tree));
    mls_buffer_free (&tree);
  }
  if (external_pub) {
    uint8_t private_key[MLS_KEY_LEN], public_key[MLS_KEY_LEN];
    MlsBuffer key = { 0 };
    if (!mls_derive_key_pair (
            epoch->secrets->external, private_key, public_key))
      out->failed = true;
    sodium_memzero (private_key, sizeof private_key);
    mls_put_opaque (&key, mls_slice (public_key, sizeof public_key));
    mls_put_extension (
        out, MLS_EXTENSION_EXTERNAL_PUB, mls_buffer_slice (&key));
    mls_buffer_free (&key);
  }
  if (grease)
    mls_put_extension (
        out, mls_grease (&group->random), mls_slice ("grease", 6));
  return out->failed ? MLS_NO_MEMORY : MLS_OK;
}

MlsResult
mls_group_info_make (MlsGroup *group, const MlsEpoch *epoch, bool with_tree,
    bool external_pub, bool grease, MlsBuffer *out)
{
  MlsBuffer extensions = { 0 }, tbs = { 0 };
  uint8_t signature[MLS_SIGNATURE_LEN];

  MlsResult result = put_info_extensions (
      group, epoch, with_tree, external_pub, grease, &extensions);
  MlsGroupInfo info = { .context = epoch->context,
    .extensions = mls_buffer_slice (&extensions),
    .confirmation_tag = { epoch->confirmation_tag, MLS_HASH_LEN },
    .signer = epoch->own_leaf };
  if (result == MLS_OK) {
    mls_group_info_put_unsigned (&tbs, &info);
    if (tbs.failed
        || !mls_sign (secret_bytes (group->signature_key), "GroupInfoTBS",
            mls_buffer_slice (&tbs), signature))
      result = MLS_NO_MEMORY;
  }
  if (result == MLS_OK) {
    mls_put_slice (out, mls_buffer_slice (&tbs));
    mls_put_opaque (out, mls_slice (signature, sizeof signature));
    if (out->failed)
      result = MLS_NO_MEMORY;
  }
  mls_buffer_free (&extensions);
  mls_buffer_free (&tbs);
  return result;
}

MlsResult
mls_group_info (MlsGroup *group, bool external_pub, MlsBuffer *message)
{
  if (group->closed)
    return MLS_CLOSED;
  mls_message_head_put (message, MLS_WIRE_GROUP_INFO);
  return mls_group_info_make (
      group, group->epoch, true, external_pub, false, message);
}

/* The path secret of the lowest node that is above both us and a new member (12.4.3.1). */
static MlsSlice
path_secret_for (
    const MlsPathSecrets *path, uint32_t own_leaf, uint32_t new_leaf)
{
  uint32_t ancestor = mls_common_ancestor (own_leaf, new_leaf);
  for (size_t i = 0; i < path->n; i++)
    if (path->path[i] == ancestor)
      return mls_slice (path->secret[i], MLS_HASH_LEN);
  return (MlsSlice){ 0 };
}

static MlsResult
put_new_member (MlsGroup *group, const MlsListed *add,
    const MlsPathSecrets *path, const MlsGroupSecrets *common,
    MlsSlice encrypted_group_info, MlsBuffer *out)
{
  MlsGroupSecrets secrets = *common;
  MlsBuffer plain = { 0 }, ciphertext = { 0 };
  uint8_t ref[MLS_HASH_LEN], kem_output[MLS_KEY_LEN];

  if (path) {
    secrets.has_path_secret = true;
    secrets.path_secret =
        path_secret_for (path, group->epoch->own_leaf, add->leaf_index);
  }
  mls_group_secrets_put (&plain, &secrets);
  uint8_t *room = mls_put (&ciphertext, plain.len + MLS_TAG_LEN);
  MlsResult result = MLS_NO_MEMORY;
  if (!plain.failed && room && mls_key_package_ref (&add->proposal.add, ref)) {
    MlsEncryptedSecrets entry = { { ref, sizeof ref },
      { { kem_output, sizeof kem_output }, mls_buffer_slice (&ciphertext) } };
    if (mls_encrypt ((MlsSuite) group->epoch->context.suite, &group->random,
            add->proposal.add.init_key, "Welcome", encrypted_group_info,
            mls_buffer_slice (&plain), kem_output, room)) {
      mls_encrypted_secrets_put (out, &entry);
      result = out->failed ? MLS_NO_MEMORY : MLS_OK;
    } else {
      result = MLS_INVALID_KEY_PACKAGE; /* an init_key of low order */
    }
  }
  mls_buffer_free (&plain);
  mls_buffer_free (&ciphertext);
  return result;
}

MlsResult
mls_welcome_make (MlsGroup *group, const MlsStaged *staged,
    const MlsApplied *applied, const MlsCommitRequest *request,
    const uint8_t *joiner, const uint8_t *psk_secret,
    const MlsPathSecrets *path, MlsBuffer *out)
{
  MlsSuite suite = (MlsSuite) group->epoch->context.suite;
  uint8_t welcome_secret[MLS_HASH_LEN], key[MLS_MAX_AEAD_KEY],
      nonce[MLS_NONCE_LEN];
  MlsBuffer info = { 0 }, psks = { 0 }, entries = { 0 };

  MlsResult result = mls_group_info_make (
      group, staged->epoch, !request->no_tree, false, request->grease, &info);
  size_t len = info.len;
  mls_put (&info, MLS_TAG_LEN);
  for (size_t i = 0; i < staged->list.len; i++)
    if (staged->list.at[i].proposal.type == MLS_PROPOSAL_PSK)
      mls_put_slice (&psks, staged->list.at[i].proposal.psk.raw);
  if (result == MLS_OK
      && (info.failed || psks.failed
          || !mls_welcome_secret (joiner, psk_secret, welcome_secret)
          || !mls_welcome_key (suite, welcome_secret, key, nonce)
          || !mls_aead_seal (suite, key, nonce, (MlsSlice){ 0 },
              mls_slice (info.data, len), info.data)))
    result = MLS_NO_MEMORY;

  MlsGroupSecrets common = { .joiner_secret = { joiner, MLS_HASH_LEN },
    .psks = mls_buffer_slice (&psks) };
  for (size_t i = 0; i < staged->list.len && result == MLS_OK; i++)
    if (staged->list.at[i].proposal.type == MLS_PROPOSAL_ADD)
      result = put_new_member (group, &staged->list.at[i], path, &common,
          mls_buffer_slice (&info), &entries);
  if (result == MLS_OK) {
    MlsWelcome welcome = { (uint16_t) suite, mls_buffer_slice (&entries),
      mls_buffer_slice (&info) };
    mls_message_head_put (out, MLS_WIRE_WELCOME);
    mls_welcome_put (out, &welcome);
    result = out->failed                  ? MLS_NO_MEMORY
             : out->len > MLS_MAX_WELCOME ? MLS_TOO_LARGE
                                          : MLS_OK;
  }
  sodium_memzero (welcome_secret, sizeof welcome_secret);
  sodium_memzero (key, sizeof key);
  mls_buffer_free (&info);
  mls_buffer_free (&psks);
  mls_buffer_free (&entries);
  return result;
}

/* What a Welcome says to one key package, once decrypted. The slices point into the buffers. */
typedef struct
{
  MlsBuffer secrets_bytes, info_bytes;
  MlsGroupSecrets secrets;
  MlsGroupInfo info;
  uint8_t psk_secret[MLS_HASH_LEN];
  bool reinit_or_branch;
} Invitation;

static MlsResult
open_secrets (
    const MlsKeyPackage *kp, const MlsWelcome *welcome, Invitation *in)
{
  MlsEncryptedSecrets entry;
  if (welcome->suite != kp->view.suite)
    return MLS_UNSUPPORTED;
  if (!mls_welcome_find (welcome, kp->ref, &entry))
    return MLS_NOT_FOR_US;
  if (entry.secrets.ciphertext.len < MLS_TAG_LEN)
    return MLS_MALFORMED;
  uint8_t *room = mls_put (
      &in->secrets_bytes, entry.secrets.ciphertext.len - MLS_TAG_LEN + 1);
  if (!room)
    return MLS_NO_MEMORY;
  if (!mls_decrypt ((MlsSuite) welcome->suite, secret_bytes (kp->init_key),
          kp->view.init_key.data, "Welcome", welcome->encrypted_group_info,
          entry.secrets.kem_output, entry.secrets.ciphertext, room))
    return MLS_UNAUTHENTIC;
  Reader bytes =
      reader_init (room, entry.secrets.ciphertext.len - MLS_TAG_LEN);
  mls_group_secrets_read (&bytes, &in->secrets);
  if (!reader_done (&bytes) || in->secrets.joiner_secret.len != MLS_HASH_LEN
      || (in->secrets.has_path_secret
          && in->secrets.path_secret.len != MLS_HASH_LEN))
    return MLS_MALFORMED;
  return in->secrets.n_psks > MLS_MAX_PSKS ? MLS_TOO_LARGE : MLS_OK;
}

static MlsResult
find_psks (Invitation *in, const MlsPsk *psks, size_t n_psks)
{
  MlsPskId ids[MLS_MAX_PSKS];
  Reader list = mls_reader (in->secrets.psks);
  size_t special = 0;

  for (size_t i = 0; i < in->secrets.n_psks; i++) {
    mls_psk_id_read (&list, &ids[i]);
    if (ids[i].nonce.len != MLS_HASH_LEN)
      return MLS_MALFORMED;
    special += ids[i].type == MLS_PSK_RESUMPTION
               && ids[i].usage != MLS_PSK_USAGE_APPLICATION;
  }
  if (special > 1) /* "verify that it is the only such PSK" */
    return MLS_INVALID_PROPOSALS;
  in->reinit_or_branch = special == 1;
  return mls_find_psk_secret (
      NULL, psks, n_psks, ids, in->secrets.n_psks, in->psk_secret);
}

static MlsResult
open_info (const MlsWelcome *welcome, Invitation *in)
{
  uint8_t welcome_secret[MLS_HASH_LEN], key[MLS_MAX_AEAD_KEY],
      nonce[MLS_NONCE_LEN];
  MlsSlice sealed = welcome->encrypted_group_info;
  MlsResult result = MLS_OK;

  if (sealed.len < MLS_TAG_LEN)
    return MLS_MALFORMED;
  uint8_t *room = mls_put (&in->info_bytes, sealed.len - MLS_TAG_LEN + 1);
  if (!room
      || !mls_welcome_secret (
          in->secrets.joiner_secret.data, in->psk_secret, welcome_secret)
      || !mls_welcome_key (
          (MlsSuite) welcome->suite, welcome_secret, key, nonce))
    result = MLS_NO_MEMORY;
  else if (!mls_aead_open ((MlsSuite) welcome->suite, key, nonce,
               (MlsSlice){ 0 }, sealed, room))
    result = MLS_UNAUTHENTIC;
  if (result == MLS_OK) {
    Reader bytes = reader_init (room, sealed.len - MLS_TAG_LEN);
    mls_group_info_read (&bytes, &in->info);
    if (!reader_done (&bytes))
      result = MLS_MALFORMED;
  }
  sodium_memzero (welcome_secret, sizeof welcome_secret);
  sodium_memzero (key, sizeof key);
  return result;
}

/* The tree, from the GroupInfo or beside it, checked as 12.4.3.1 asks; and the signature of the GroupInfo. */
static MlsResult
take_tree (
    const Invitation *in, MlsSuite suite, MlsSlice ratchet_tree, MlsTree **out)
{
  const MlsGroupContext *context = &in->info.context;
  MlsSlice bytes = ratchet_tree;
  MlsTree *tree;

  mls_find_extension (in->info.extensions, MLS_EXTENSION_RATCHET_TREE, &bytes);
  Reader outer = mls_reader (bytes);
  MlsSlice content = mls_read_opaque (&outer);
  if (!reader_done (&outer))
    return MLS_MALFORMED;
  MlsResult result = mls_tree_parse (content, &tree);
  if (result != MLS_OK)
    return result;
  *out = tree;
  result = mls_tree_check_unmerged (tree);
  if (result != MLS_OK)
    return result;
  const MlsLeaf *signer = mls_tree_leaf (tree, in->info.signer);
  if (!signer)
    return MLS_UNKNOWN_SENDER;
  if (!mls_group_info_verify (&in->info, signer->node.signature_key))
    return MLS_BAD_SIGNATURE;
  const uint8_t *hash = mls_tree_hash (tree, mls_root (tree->n_leaves));
  if (!hash)
    return MLS_NO_MEMORY;
  if (!mls_slice_equal (context->tree_hash, mls_slice (hash, MLS_HASH_LEN)))
    return MLS_INVALID_TREE;
  return mls_tree_validate (
      tree, suite, context->group_id, context->extensions);
}

static bool
find_own_leaf (const MlsTree *tree, MlsSlice raw, uint32_t *own_leaf)
{
  for (uint32_t i = 0; i < tree->n_leaves; i++) {
    const MlsLeaf *leaf = mls_tree_leaf (tree, i);
    if (leaf && mls_slice_equal (leaf->node.raw, raw)) {
      *own_leaf = i;
      return true;
    }
  }
  return false;
}

/* Our private keys: the leaf's, and those that the path secret leads to. */
static MlsResult
take_keys (const MlsKeyPackage *kp, const Invitation *in, MlsEpoch *epoch)
{
  uint8_t commit_secret[MLS_HASH_LEN];

  epoch->keys = mls_tree_keys_new ();
  if (!epoch->keys)
    return MLS_NO_MEMORY;
  memcpy (epoch->keys->key[0], secret_bytes (kp->encryption_key), MLS_KEY_LEN);
  epoch->keys->have[0] = true;
  if (!in->secrets.has_path_secret)
    return MLS_OK;
  MlsResult result = mls_path_derive (epoch->tree, epoch->keys,
      in->info.signer, mls_common_ancestor (epoch->own_leaf, in->info.signer),
      in->secrets.path_secret.data, commit_secret);
  sodium_memzero (commit_secret, sizeof commit_secret);
  return result;
}

static MlsResult
join (const MlsKeyPackage *kp, const Invitation *in, MlsSlice ratchet_tree,
    MlsGroup *group)
{
  const MlsGroupContext *context = &in->info.context;
  MlsSuite suite = (MlsSuite) kp->view.suite;
  MlsEpoch *epoch = group->epoch = mls_epoch_new ();

  if (!epoch)
    return MLS_NO_MEMORY;
  if (context->version != MLS_VERSION || context->suite != kp->view.suite)
    return MLS_UNSUPPORTED;
  if (context->group_id.len > MLS_MAX_GROUP_ID)
    return MLS_TOO_LARGE;
  if (context->confirmed_transcript_hash.len != MLS_HASH_LEN
      || (in->reinit_or_branch && context->epoch != 1))
    return MLS_MALFORMED;
  MlsResult result = take_tree (in, suite, ratchet_tree, &epoch->tree);
  if (result != MLS_OK)
    return result;
  if (!find_own_leaf (epoch->tree, kp->view.leaf.raw, &epoch->own_leaf)
      || epoch->own_leaf == in->info.signer)
    return MLS_INVALID_TREE;
  result = take_keys (kp, in, epoch);
  if (result == MLS_OK)
    result =
        mls_epoch_set_context (epoch, suite, context->group_id, context->epoch,
            context->confirmed_transcript_hash, context->extensions);
  if (result == MLS_OK
      && !mls_secrets_from_joiner (epoch->secrets,
          in->secrets.joiner_secret.data, in->psk_secret,
          mls_buffer_slice (&epoch->context_bytes)))
    result = MLS_NO_MEMORY;
  if (result == MLS_OK)
    result = mls_epoch_start (epoch, group->settings.window);
  if (result == MLS_OK
      && (in->info.confirmation_tag.len != MLS_HASH_LEN
          || sodium_memcmp (in->info.confirmation_tag.data,
                 epoch->confirmation_tag, MLS_HASH_LEN)
                 != 0))
    result = MLS_BAD_CONFIRMATION;
  MlsSlice external_pub;
  group->external_pub = mls_find_extension (
      in->info.extensions, MLS_EXTENSION_EXTERNAL_PUB, &external_pub);
  group->signer = in->info.signer;
  return result;
}

MlsResult
mls_group_join (const MlsKeyPackage *key_package, MlsSlice message,
    MlsSlice ratchet_tree, const MlsPsk *psks, size_t n_psks,
    const MlsSettings *settings, MlsGroup **out)
{
  Reader bytes = mls_reader (message);
  MlsWelcome welcome;
  Invitation in = { .psk_secret = { 0 } };

  if (message.len > MLS_MAX_WELCOME || ratchet_tree.len > MLS_MAX_WELCOME)
    return MLS_TOO_LARGE;
  if (mls_message_head_read (&bytes) != MLS_WIRE_WELCOME)
    return MLS_MALFORMED;
  mls_welcome_read (&bytes, &welcome);
  if (!reader_done (&bytes))
    return MLS_MALFORMED;
  MlsGroup *group = mls_group_new (
      &key_package->random, settings, key_package->signature_key);
  MlsResult result =
      group ? open_secrets (key_package, &welcome, &in) : MLS_NO_MEMORY;
  if (result == MLS_OK)
    result = find_psks (&in, psks, n_psks);
  if (result == MLS_OK)
    result = open_info (&welcome, &in);
  if (result == MLS_OK)
    result = join (key_package, &in, ratchet_tree, group);
  mls_buffer_free (&in.secrets_bytes);
  mls_buffer_free (&in.info_bytes);
  sodium_memzero (in.psk_secret, sizeof in.psk_secret);
  if (result != MLS_OK) {
    mls_group_free (group);
    return result;
  }
  *out = group;
  return MLS_OK;
}

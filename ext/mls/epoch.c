/* The state of a group in one epoch.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group_private.h"

#include "crypto.h"

#include <sodium.h>
#include <stdlib.h>

MlsEpoch *
mls_epoch_new (void)
{
  MlsEpoch *epoch = calloc (1, sizeof *epoch);
  if (!epoch)
    return NULL;
  epoch->secrets = mls_secrets_new ();
  if (!epoch->secrets) {
    free (epoch);
    return NULL;
  }
  return epoch;
}

void
mls_epoch_free (MlsEpoch *epoch)
{
  if (!epoch)
    return;
  mls_tree_free (epoch->tree);
  mls_tree_keys_free (epoch->keys);
  mls_secrets_free (epoch->secrets);
  mls_secret_tree_free (epoch->secret_tree);
  mls_buffer_free (&epoch->context_bytes);
  free (epoch);
}

MlsResult
mls_epoch_set_context (MlsEpoch *epoch, MlsSuite suite, MlsSlice group_id,
    uint64_t number, MlsSlice confirmed_transcript_hash, MlsSlice extensions)
{
  const uint8_t *tree_hash =
      mls_tree_hash (epoch->tree, mls_root (epoch->tree->n_leaves));
  MlsGroupContext context = { MLS_VERSION, (uint16_t) suite, group_id, number,
    { tree_hash, MLS_HASH_LEN }, confirmed_transcript_hash, extensions };
  MlsBuffer bytes = { 0 };

  if (!tree_hash)
    return MLS_NO_MEMORY;
  mls_group_context_put (&bytes, &context);
  Reader in = mls_reader (mls_buffer_slice (&bytes));
  if (!bytes.failed)
    mls_group_context_read (&in, &context);
  if (bytes.failed || !reader_done (&in)) {
    /* only a creator's extensions were not read before */
    MlsResult result = bytes.failed ? MLS_NO_MEMORY : MLS_MISUSE;
    mls_buffer_free (&bytes);
    return result;
  }
  mls_buffer_free (&epoch->context_bytes);
  epoch->context_bytes = bytes;
  epoch->context = context;
  return MLS_OK;
}

MlsResult
mls_epoch_start (MlsEpoch *epoch, uint32_t window)
{
  MlsSlice confirmed = epoch->context.confirmed_transcript_hash;
  mls_mac (epoch->secrets->confirmation, confirmed, epoch->confirmation_tag);
  epoch->secret_tree = mls_secret_tree_new ((MlsSuite) epoch->context.suite,
      epoch->tree->n_leaves, epoch->secrets->encryption, window);
  /* 9.2: the secret tree has the encryption secret now, and consumes it with the first message. */
  sodium_memzero (epoch->secrets->encryption, MLS_HASH_LEN);
  if (!epoch->secret_tree
      || !mls_interim_transcript_hash (confirmed,
          mls_slice (epoch->confirmation_tag, MLS_HASH_LEN), epoch->interim))
    return MLS_NO_MEMORY;
  return MLS_OK;
}

uint64_t
mls_epoch_number (const MlsEpoch *epoch)
{
  return epoch->context.epoch;
}

MlsSuite
mls_epoch_suite (const MlsEpoch *epoch)
{
  return (MlsSuite) epoch->context.suite;
}

MlsSlice
mls_epoch_group_id (const MlsEpoch *epoch)
{
  return epoch->context.group_id;
}

uint32_t
mls_epoch_own_leaf (const MlsEpoch *epoch)
{
  return epoch->own_leaf;
}

size_t
mls_epoch_members (const MlsEpoch *epoch)
{
  return epoch->tree->n_members;
}

uint32_t
mls_epoch_leaves (const MlsEpoch *epoch)
{
  return epoch->tree->n_leaves;
}

const MlsLeafNode *
mls_epoch_leaf (const MlsEpoch *epoch, uint32_t leaf_index)
{
  const MlsLeaf *leaf = mls_tree_leaf (epoch->tree, leaf_index);
  return leaf ? &leaf->node : NULL;
}

bool
mls_epoch_find (
    const MlsEpoch *epoch, MlsSlice signature_key, uint32_t *leaf_index)
{
  for (uint32_t i = 0; i < epoch->tree->n_leaves; i++) {
    const MlsLeaf *leaf = mls_tree_leaf (epoch->tree, i);
    if (leaf && mls_slice_equal (leaf->node.signature_key, signature_key)) {
      *leaf_index = i;
      return true;
    }
  }
  return false;
}

MlsSlice
mls_epoch_extensions (const MlsEpoch *epoch)
{
  return epoch->context.extensions;
}

bool
mls_epoch_extension (const MlsEpoch *epoch, uint16_t type, MlsSlice *data)
{
  return mls_find_extension (epoch->context.extensions, type, data);
}

const uint8_t *
mls_epoch_tree_hash (const MlsEpoch *epoch)
{
  return epoch->context.tree_hash.data;
}

const uint8_t *
mls_epoch_authenticator (const MlsEpoch *epoch)
{
  return epoch->secrets->authenticator;
}

Secret *
mls_epoch_export (
    const MlsEpoch *epoch, const char *label, MlsSlice context, size_t len)
{
  Secret *secret =
      epoch->secret_tree ? secret_new (len) : NULL; /* none: we were removed */
  if (secret
      && !mls_exporter (epoch->secrets->exporter,
          mls_slice (label, strlen (label)), context, secret_bytes (secret),
          len)) {
    secret_unref (secret);
    return NULL;
  }
  return secret;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "key_package.h"

#include "crypto.h"

void
mls_key_package_read (Reader *in, MlsKeyPackageView *out)
{
  const uint8_t *start = in->at;
  out->version = (uint16_t) reader_uint (in, 2);
  out->suite = (uint16_t) reader_uint (in, 2);
  out->init_key = mls_read_opaque (in);
  mls_leaf_node_read (in, &out->leaf);
  out->extensions = mls_read_extensions (in);
  out->tbs = mls_slice_since (in, start);
  out->signature = mls_read_opaque (in);
  out->raw = mls_slice_since (in, start);
}

void
mls_key_package_put_unsigned (
    MlsBuffer *buffer, const MlsKeyPackageView *key_package)
{
  mls_put_uint (buffer, key_package->version, 2);
  mls_put_uint (buffer, key_package->suite, 2);
  mls_put_opaque (buffer, key_package->init_key);
  mls_leaf_node_put (buffer, &key_package->leaf);
  mls_put_opaque (buffer, key_package->extensions);
}

void
mls_key_package_put (MlsBuffer *buffer, const MlsKeyPackageView *key_package)
{
  mls_key_package_put_unsigned (buffer, key_package);
  mls_put_opaque (buffer, key_package->signature);
}

MlsResult
mls_key_package_check (const MlsKeyPackageView *key_package, MlsSuite suite)
{
  const MlsLeafNode *leaf = &key_package->leaf;

  if (key_package->version != MLS_VERSION || key_package->suite != suite)
    return MLS_UNSUPPORTED;
  if (leaf->source != MLS_LEAF_KEY_PACKAGE
      || key_package->init_key.len != MLS_KEY_LEN
      || mls_slice_equal (key_package->init_key, leaf->encryption_key))
    return MLS_INVALID_KEY_PACKAGE;
  if (!mls_leaf_node_is_sound (leaf, suite))
    return MLS_INVALID_LEAF;

  /* 10: "Extensions included in the `extensions` or `leaf_node.extensions` fields MUST be included in the
   * `leaf_node.capabilities` field." is asked of who makes one; a receiver MUST ignore unknown ones. */
  if (!mls_verify (leaf->signature_key, "KeyPackageTBS", key_package->tbs,
          key_package->signature)
      || !mls_leaf_node_verify (leaf, (MlsSlice){ 0 }, 0))
    return MLS_BAD_SIGNATURE;
  return MLS_OK;
}

bool
mls_key_package_ref (const MlsKeyPackageView *key_package, uint8_t *ref)
{
  return mls_ref_hash (MLS_KEY_PACKAGE_REF_LABEL, key_package->raw, ref);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "leaf_node.h"

#include "crypto.h"

/* The next extension without a look at the others. */
static bool
read_extension (Reader *in, MlsExtension *out)
{
  out->type = (uint16_t) reader_uint (in, 2);
  out->data = mls_read_opaque (in);
  return !in->failed;
}

MlsSlice
mls_read_extensions (Reader *in)
{
  MlsSlice list = mls_read_opaque (in);
  Reader rest = mls_reader (list);
  uint16_t seen[MLS_MAX_EXTENSIONS];
  size_t n = 0;
  MlsExtension extension;

  while (!in->failed && reader_left (&rest) > 0) {
    if (!read_extension (&rest, &extension) || n == MLS_MAX_EXTENSIONS) {
      in->failed = true;
      break;
    }
    for (size_t i = 0; i < n; i++)
      if (seen[i] == extension.type)
        in->failed = true;
    seen[n++] = extension.type;
  }
  return in->failed ? (MlsSlice){ 0 } : list;
}

bool
mls_next_extension (Reader *list, MlsExtension *out)
{
  return reader_left (list) > 0 && read_extension (list, out);
}

bool
mls_find_extension (MlsSlice list, uint16_t type, MlsSlice *data)
{
  Reader in = mls_reader (list);
  MlsExtension extension;
  while (mls_next_extension (&in, &extension))
    if (extension.type == type) {
      *data = extension.data;
      return true;
    }
  return false;
}

void
mls_put_extension (MlsBuffer *buffer, uint16_t type, MlsSlice data)
{
  mls_put_uint (buffer, type, 2);
  mls_put_opaque (buffer, data);
}

/* T x<V> of uint16 values. */
static MlsSlice
read_list (Reader *in)
{
  MlsSlice list = mls_read_opaque (in);
  if (list.len % 2 != 0 || list.len > 2 * MLS_MAX_CAPABILITIES)
    in->failed = true;
  return in->failed ? (MlsSlice){ 0 } : list;
}

static bool
next_value (Reader *list, uint16_t *value)
{
  *value = (uint16_t) reader_uint (list, 2);
  return !list->failed;
}

bool
mls_list_has (MlsSlice list, uint16_t value)
{
  Reader in = mls_reader (list);
  uint16_t v;
  while (next_value (&in, &v))
    if (v == value)
      return true;
  return false;
}

bool
mls_required_capabilities_parse (MlsSlice data, MlsRequiredCapabilities *out)
{
  Reader in = mls_reader (data);
  MlsRequiredCapabilities required;
  required.extensions = read_list (&in);
  required.proposals = read_list (&in);
  required.credentials = read_list (&in);
  if (!reader_done (&in))
    return false;
  *out = required;
  return true;
}

void
mls_credential_read (Reader *in, MlsCredential *out)
{
  const uint8_t *start = in->at;
  out->type = (uint16_t) reader_uint (in, 2);
  if (out->type == MLS_CREDENTIAL_BASIC) {
    out->content = mls_read_opaque (in);
  } else if (out->type == MLS_CREDENTIAL_X509) {
    out->content = mls_read_opaque (in);
    Reader certificates = mls_reader (out->content);
    while (reader_left (&certificates) > 0)
      mls_read_opaque (&certificates);
    if (certificates.failed)
      in->failed = true;
  } else {
    in->failed = true;
  }
  out->raw = mls_slice_since (in, start);
}

void
mls_leaf_node_read (Reader *in, MlsLeafNode *out)
{
  const uint8_t *start = in->at;

  *out = (MlsLeafNode){ 0 };
  out->encryption_key = mls_read_opaque (in);
  out->signature_key = mls_read_opaque (in);
  mls_credential_read (in, &out->credential);
  out->versions = read_list (in);
  out->suites = read_list (in);
  out->extension_types = read_list (in);
  out->proposal_types = read_list (in);
  out->credential_types = read_list (in);
  out->source = (uint8_t) reader_uint (in, 1);
  if (out->source == MLS_LEAF_KEY_PACKAGE) {
    out->not_before = reader_uint (in, 8);
    out->not_after = reader_uint (in, 8);
  } else if (out->source == MLS_LEAF_COMMIT) {
    out->parent_hash = mls_read_opaque (in);
  } else if (out->source != MLS_LEAF_UPDATE) {
    in->failed = true;
  }
  out->extensions = mls_read_extensions (in);
  out->tbs = mls_slice_since (in, start);
  out->signature = mls_read_opaque (in);
  out->raw = mls_slice_since (in, start);
}

void
mls_leaf_node_put_unsigned (MlsBuffer *buffer, const MlsLeafNode *leaf)
{
  mls_put_opaque (buffer, leaf->encryption_key);
  mls_put_opaque (buffer, leaf->signature_key);
  mls_put_uint (buffer, leaf->credential.type, 2);
  mls_put_opaque (buffer, leaf->credential.content);
  mls_put_opaque (buffer, leaf->versions);
  mls_put_opaque (buffer, leaf->suites);
  mls_put_opaque (buffer, leaf->extension_types);
  mls_put_opaque (buffer, leaf->proposal_types);
  mls_put_opaque (buffer, leaf->credential_types);
  mls_put_uint (buffer, leaf->source, 1);
  if (leaf->source == MLS_LEAF_KEY_PACKAGE) {
    mls_put_uint (buffer, leaf->not_before, 8);
    mls_put_uint (buffer, leaf->not_after, 8);
  } else if (leaf->source == MLS_LEAF_COMMIT) {
    mls_put_opaque (buffer, leaf->parent_hash);
  }
  mls_put_opaque (buffer, leaf->extensions);
}

void
mls_leaf_node_put (MlsBuffer *buffer, const MlsLeafNode *leaf)
{
  mls_leaf_node_put_unsigned (buffer, leaf);
  mls_put_opaque (buffer, leaf->signature);
}

/* LeafNodeTBS (7.2): the leaf, and for a leaf made in a group which one and where. */
static void
put_context (
    MlsBuffer *buffer, uint8_t source, MlsSlice group_id, uint32_t leaf_index)
{
  if (source == MLS_LEAF_KEY_PACKAGE)
    return;
  mls_put_opaque (buffer, group_id);
  mls_put_uint (buffer, leaf_index, 4);
}

bool
mls_leaf_node_sign (MlsBuffer *out, const MlsLeafNode *fields,
    const uint8_t *secret_key, MlsSlice group_id, uint32_t leaf_index)
{
  uint8_t signature[MLS_SIGNATURE_LEN];
  MlsBuffer tbs = { 0 };

  mls_leaf_node_put_unsigned (&tbs, fields);
  size_t len = tbs.len;
  put_context (&tbs, fields->source, group_id, leaf_index);
  bool ok = !tbs.failed
            && mls_sign (
                secret_key, "LeafNodeTBS", mls_buffer_slice (&tbs), signature);
  if (ok) {
    mls_put_bytes (out, tbs.data, len);
    mls_put_opaque (out, mls_slice (signature, sizeof signature));
    ok = !out->failed;
  }
  mls_buffer_free (&tbs);
  return ok;
}

bool
mls_leaf_node_verify (
    const MlsLeafNode *leaf, MlsSlice group_id, uint32_t leaf_index)
{
  if (leaf->source == MLS_LEAF_KEY_PACKAGE)
    return mls_verify (
        leaf->signature_key, "LeafNodeTBS", leaf->tbs, leaf->signature);

  MlsBuffer tbs = { 0 };
  mls_put_slice (&tbs, leaf->tbs);
  put_context (&tbs, leaf->source, group_id, leaf_index);
  bool ok = !tbs.failed
            && mls_verify (leaf->signature_key, "LeafNodeTBS",
                mls_buffer_slice (&tbs), leaf->signature);
  mls_buffer_free (&tbs);
  return ok;
}

static bool
is_default_extension (uint16_t type)
{
  return type >= MLS_EXTENSION_APPLICATION_ID
         && type <= MLS_LAST_DEFAULT_EXTENSION;
}

static bool
is_default_proposal (uint16_t type)
{
  return type >= MLS_PROPOSAL_ADD
         && type <= MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS;
}

/* "The types of any non-default extensions … MUST be included in the `extensions` field of the `capabilities`" */
static bool
lists_extensions (const MlsLeafNode *leaf, MlsSlice extensions)
{
  Reader in = mls_reader (extensions);
  MlsExtension extension;
  while (mls_next_extension (&in, &extension))
    if (!is_default_extension (extension.type)
        && !mls_list_has (leaf->extension_types, extension.type))
      return false;
  return true;
}

bool
mls_leaf_node_is_sound (const MlsLeafNode *leaf, MlsSuite suite)
{
  return leaf->encryption_key.len == MLS_KEY_LEN
         && leaf->signature_key.len == MLS_KEY_LEN
         && mls_list_has (leaf->versions, MLS_VERSION)
         && mls_list_has (leaf->suites, (uint16_t) suite)
         && mls_list_has (leaf->credential_types, leaf->credential.type)
         && lists_extensions (leaf, leaf->extensions);
}

bool
mls_leaf_node_supports (const MlsLeafNode *leaf, MlsSlice group_extensions,
    const MlsRequiredCapabilities *required)
{
  uint16_t value;

  if (!lists_extensions (leaf, group_extensions))
    return false;
  if (!required)
    return true;
  Reader extensions = mls_reader (required->extensions);
  while (next_value (&extensions, &value))
    if (!is_default_extension (value)
        && !mls_list_has (leaf->extension_types, value))
      return false;
  Reader proposals = mls_reader (required->proposals);
  while (next_value (&proposals, &value))
    if (!is_default_proposal (value)
        && !mls_list_has (leaf->proposal_types, value))
      return false;
  Reader credentials = mls_reader (required->credentials);
  while (next_value (&credentials, &value))
    if (!mls_list_has (leaf->credential_types, value))
      return false;
  return true;
}

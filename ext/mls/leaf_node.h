/* Leaf nodes and what they are made of: credentials, capabilities, extensions (RFC 9420, sections 5.3, 7.2, 13.4).
 *
 * Parsing copies nothing: a MlsLeafNode points into the bytes it was read from.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec.h"

/* One extension of a list. */
typedef struct
{
  uint16_t type;
  MlsSlice data;
} MlsExtension;

/* Extension extensions<V>: the list's content. "Any field containing a list of extensions MUST NOT have more than one
 * extension of any given type" (13.4): such a list fails. */
MlsSlice mls_read_extensions (Reader *in);

/* The next extension of a list's content that mls_read_extensions() gave; false at its end. */
bool mls_next_extension (Reader *list, MlsExtension *out);

bool mls_find_extension (MlsSlice list, uint16_t type, MlsSlice *data);

void mls_put_extension (MlsBuffer *buffer, uint16_t type, MlsSlice data);

/* A list of uint16, as capabilities hold them. */
bool mls_list_has (MlsSlice list, uint16_t value);

/* 11.1 */
typedef struct
{
  MlsSlice extensions, proposals, credentials;
} MlsRequiredCapabilities;

/* False when `data` is no RequiredCapabilities. */
bool mls_required_capabilities_parse (
    MlsSlice data, MlsRequiredCapabilities *out);

typedef struct
{
  uint16_t type;
  MlsSlice
      content;  /* basic: the identity; x509: the content of certificates<V> */
  MlsSlice raw; /* the whole Credential */
} MlsCredential;

/* 5.3. Fails on another type than basic and x509, whose length nobody can know. */
void mls_credential_read (Reader *in, MlsCredential *out);

typedef struct
{
  MlsSlice encryption_key;
  MlsSlice signature_key;
  MlsCredential credential;
  MlsSlice versions, suites, extension_types, proposal_types,
      credential_types; /* capabilities: lists of uint16 */
  uint8_t source;       /* MlsLeafSource */
  uint64_t not_before,
      not_after;        /* MLS_LEAF_KEY_PACKAGE only: seconds since 1970 */
  MlsSlice parent_hash; /* MLS_LEAF_COMMIT only */
  MlsSlice extensions;
  MlsSlice signature;
  MlsSlice raw; /* the whole LeafNode, */
  MlsSlice tbs; /* and without its signature */
} MlsLeafNode;

void mls_leaf_node_read (Reader *in, MlsLeafNode *out);

/* All but the signature, from the fields; `raw` and `tbs` are not looked at. */
void mls_leaf_node_put_unsigned (MlsBuffer *buffer, const MlsLeafNode *leaf);

/* The whole of it, as its fields say. */
void mls_leaf_node_put (MlsBuffer *buffer, const MlsLeafNode *leaf);

/* Writes `fields` and signs them; `group_id` and `leaf_index` are signed along for the sources update and commit. */
bool mls_leaf_node_sign (MlsBuffer *out, const MlsLeafNode *fields,
    const uint8_t *secret_key, MlsSlice group_id, uint32_t leaf_index);

/* 7.2: the signature of a leaf that was read. */
bool mls_leaf_node_verify (
    const MlsLeafNode *leaf, MlsSlice group_id, uint32_t leaf_index);

/* The rules of 7.3 that need nothing but the leaf and the group's suite: lengths of keys, version and suite listed in
 * its capabilities, its own extensions and credential too. Not the signature. */
bool mls_leaf_node_is_sound (const MlsLeafNode *leaf, MlsSuite suite);

/* 7.3, 13.4: the leaf lists what the GroupContext's extensions need: each of their types, and the required
 * capabilities, which may be NULL. */
bool mls_leaf_node_supports (const MlsLeafNode *leaf,
    MlsSlice group_extensions, const MlsRequiredCapabilities *required);

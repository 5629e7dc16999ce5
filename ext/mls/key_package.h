/* Key packages (RFC 9420, section 10).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "leaf_node.h"

/* Points into the bytes it was read from. */
typedef struct
{
  uint16_t version;
  uint16_t suite;
  MlsSlice init_key;
  MlsLeafNode leaf;
  MlsSlice extensions;
  MlsSlice signature;
  MlsSlice raw; /* the whole KeyPackage, */
  MlsSlice tbs; /* and without its signature */
} MlsKeyPackageView;

void mls_key_package_read (Reader *in, MlsKeyPackageView *out);

void mls_key_package_put_unsigned (
    MlsBuffer *buffer, const MlsKeyPackageView *key_package);
void mls_key_package_put (
    MlsBuffer *buffer, const MlsKeyPackageView *key_package);

/* 10.1, all but what only the group or the application can judge: version, suite, source, lengths, the two
 * signatures, init_key and encryption_key different. MLS_OK, MLS_UNSUPPORTED, MLS_INVALID_KEY_PACKAGE,
 * MLS_INVALID_LEAF or MLS_BAD_SIGNATURE. */
MlsResult mls_key_package_check (
    const MlsKeyPackageView *key_package, MlsSuite suite);

/* 5.2: KeyPackageRef, MLS_HASH_LEN bytes. */
bool mls_key_package_ref (const MlsKeyPackageView *key_package, uint8_t *ref);

/* GroupInfo, GroupSecrets and Welcome as bytes (RFC 9420, section 12.4.3).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "proposal.h"

typedef struct
{
  MlsGroupContext context;
  MlsSlice context_raw;
  MlsSlice extensions;
  MlsSlice confirmation_tag;
  uint32_t signer;
  MlsSlice signature;
  MlsSlice tbs; /* all but the signature */
} MlsGroupInfo;

void mls_group_info_read (Reader *in, MlsGroupInfo *out);
void mls_group_info_put_unsigned (MlsBuffer *buffer, const MlsGroupInfo *info);
void mls_group_info_put (MlsBuffer *buffer, const MlsGroupInfo *info);
bool mls_group_info_verify (const MlsGroupInfo *info, MlsSlice public_key);

typedef struct
{
  MlsSlice joiner_secret;
  bool has_path_secret;
  MlsSlice path_secret;
  MlsSlice psks; /* the content of PreSharedKeyID psks<V>, */
  size_t n_psks; /* and how many there are */
} MlsGroupSecrets;

void mls_group_secrets_read (Reader *in, MlsGroupSecrets *out);
void mls_group_secrets_put (MlsBuffer *buffer, const MlsGroupSecrets *secrets);

typedef struct
{
  MlsSlice new_member; /* KeyPackageRef */
  MlsHpkeCiphertext secrets;
} MlsEncryptedSecrets;

void mls_encrypted_secrets_read (Reader *in, MlsEncryptedSecrets *out);
void mls_encrypted_secrets_put (
    MlsBuffer *buffer, const MlsEncryptedSecrets *secrets);

typedef struct
{
  uint16_t suite;
  MlsSlice secrets; /* the content of EncryptedGroupSecrets secrets<V> */
  MlsSlice encrypted_group_info;
} MlsWelcome;

void mls_welcome_read (Reader *in, MlsWelcome *out);
void mls_welcome_put (MlsBuffer *buffer, const MlsWelcome *welcome);

/* The entry for a key package; false when there is none. */
bool mls_welcome_find (const MlsWelcome *welcome,
    const uint8_t *key_package_ref, MlsEncryptedSecrets *out);

/* 12.4.3.1: key and nonce of the GroupInfo in a Welcome. */
bool mls_welcome_key (MlsSuite suite, const uint8_t *welcome_secret,
    uint8_t *key, uint8_t *nonce);

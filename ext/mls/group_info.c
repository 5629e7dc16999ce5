/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group_info.h"

#include "crypto.h"

void
mls_group_info_read (Reader *in, MlsGroupInfo *out)
{
  const uint8_t *start = in->at;
  mls_group_context_read (in, &out->context);
  out->context_raw = mls_slice_since (in, start);
  out->extensions = mls_read_extensions (in);
  out->confirmation_tag = mls_read_opaque (in);
  out->signer = (uint32_t) reader_uint (in, 4);
  out->tbs = mls_slice_since (in, start);
  out->signature = mls_read_opaque (in);
}

void
mls_group_info_put_unsigned (MlsBuffer *buffer, const MlsGroupInfo *info)
{
  mls_group_context_put (buffer, &info->context);
  mls_put_opaque (buffer, info->extensions);
  mls_put_opaque (buffer, info->confirmation_tag);
  mls_put_uint (buffer, info->signer, 4);
}

void
mls_group_info_put (MlsBuffer *buffer, const MlsGroupInfo *info)
{
  mls_group_info_put_unsigned (buffer, info);
  mls_put_opaque (buffer, info->signature);
}

bool
mls_group_info_verify (const MlsGroupInfo *info, MlsSlice public_key)
{
  return mls_verify (public_key, "GroupInfoTBS", info->tbs, info->signature);
}

void
mls_group_secrets_read (Reader *in, MlsGroupSecrets *out)
{
  MlsPskId psk;
  *out = (MlsGroupSecrets){ 0 };
  out->joiner_secret = mls_read_opaque (in);
  out->has_path_secret = mls_read_present (in);
  if (out->has_path_secret)
    out->path_secret = mls_read_opaque (in);
  out->psks = mls_read_opaque (in);
  Reader list = mls_reader (out->psks);
  while (reader_left (&list) > 0) {
    mls_psk_id_read (&list, &psk);
    out->n_psks++;
  }
  if (list.failed)
    in->failed = true;
}

void
mls_group_secrets_put (MlsBuffer *buffer, const MlsGroupSecrets *secrets)
{
  mls_put_opaque (buffer, secrets->joiner_secret);
  mls_put_uint (buffer, secrets->has_path_secret, 1);
  if (secrets->has_path_secret)
    mls_put_opaque (buffer, secrets->path_secret);
  mls_put_opaque (buffer, secrets->psks);
}

void
mls_encrypted_secrets_read (Reader *in, MlsEncryptedSecrets *out)
{
  out->new_member = mls_read_opaque (in);
  mls_hpke_ciphertext_read (in, &out->secrets);
}

void
mls_encrypted_secrets_put (
    MlsBuffer *buffer, const MlsEncryptedSecrets *secrets)
{
  mls_put_opaque (buffer, secrets->new_member);
  mls_hpke_ciphertext_put (buffer, &secrets->secrets);
}

void
mls_welcome_read (Reader *in, MlsWelcome *out)
{
  MlsEncryptedSecrets entry;
  out->suite = (uint16_t) reader_uint (in, 2);
  out->secrets = mls_read_opaque (in);
  Reader list = mls_reader (out->secrets);
  while (reader_left (&list) > 0)
    mls_encrypted_secrets_read (&list, &entry);
  if (list.failed)
    in->failed = true;
  out->encrypted_group_info = mls_read_opaque (in);
}

void
mls_welcome_put (MlsBuffer *buffer, const MlsWelcome *welcome)
{
  mls_put_uint (buffer, welcome->suite, 2);
  mls_put_opaque (buffer, welcome->secrets);
  mls_put_opaque (buffer, welcome->encrypted_group_info);
}

bool
mls_welcome_find (const MlsWelcome *welcome, const uint8_t *key_package_ref,
    MlsEncryptedSecrets *out)
{
  Reader list = mls_reader (welcome->secrets);
  while (reader_left (&list) > 0) {
    mls_encrypted_secrets_read (&list, out);
    if (mls_slice_equal (
            out->new_member, mls_slice (key_package_ref, MLS_HASH_LEN)))
      return true;
  }
  return false;
}

bool
mls_welcome_key (MlsSuite suite, const uint8_t *welcome_secret, uint8_t *key,
    uint8_t *nonce)
{
  return mls_expand (
             welcome_secret, "nonce", (MlsSlice){ 0 }, nonce, MLS_NONCE_LEN)
         && mls_expand (welcome_secret, "key", (MlsSlice){ 0 }, key,
             mls_aead_key_len (suite));
}

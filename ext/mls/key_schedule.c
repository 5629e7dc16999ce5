/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "key_schedule.h"

#include "crypto.h"

#include <sodium.h>

void
mls_group_context_read (Reader *in, MlsGroupContext *out)
{
  out->version = (uint16_t) reader_uint (in, 2);
  out->suite = (uint16_t) reader_uint (in, 2);
  out->group_id = mls_read_opaque (in);
  out->epoch = reader_uint (in, 8);
  out->tree_hash = mls_read_opaque (in);
  out->confirmed_transcript_hash = mls_read_opaque (in);
  out->extensions = mls_read_extensions (in);
}

void
mls_group_context_put (MlsBuffer *buffer, const MlsGroupContext *context)
{
  mls_put_uint (buffer, context->version, 2);
  mls_put_uint (buffer, context->suite, 2);
  mls_put_opaque (buffer, context->group_id);
  mls_put_uint (buffer, context->epoch, 8);
  mls_put_opaque (buffer, context->tree_hash);
  mls_put_opaque (buffer, context->confirmed_transcript_hash);
  mls_put_opaque (buffer, context->extensions);
}

MlsSecrets *
mls_secrets_new (void)
{
  MlsSecrets *secrets = sodium_malloc (sizeof *secrets);
  if (secrets)
    memset (secrets, 0, sizeof *secrets);
  return secrets;
}

void
mls_secrets_free (MlsSecrets *secrets)
{
  if (secrets)
    sodium_free (secrets);
}

bool
mls_joiner_secret (const uint8_t *init, const uint8_t *commit_secret,
    MlsSlice context, uint8_t *joiner)
{
  static const uint8_t zero[MLS_HASH_LEN];
  uint8_t extracted[MLS_HASH_LEN];
  mls_extract (
      init, commit_secret ? commit_secret : zero, MLS_HASH_LEN, extracted);
  bool ok = mls_expand (extracted, "joiner", context, joiner, MLS_HASH_LEN);
  sodium_memzero (extracted, sizeof extracted);
  return ok;
}

/* The value between the second KDF.Extract and what is expanded from it. */
static void
extract_psk (const uint8_t *joiner, const uint8_t *psk_secret, uint8_t *out)
{
  static const uint8_t zero[MLS_HASH_LEN];
  mls_extract (joiner, psk_secret ? psk_secret : zero, MLS_HASH_LEN, out);
}

bool
mls_welcome_secret (
    const uint8_t *joiner, const uint8_t *psk_secret, uint8_t *welcome)
{
  uint8_t member[MLS_HASH_LEN];
  extract_psk (joiner, psk_secret, member);
  bool ok = mls_derive_secret (member, "welcome", welcome);
  sodium_memzero (member, sizeof member);
  return ok;
}

bool
mls_secrets_from_joiner (MlsSecrets *secrets, const uint8_t *joiner,
    const uint8_t *psk_secret, MlsSlice context)
{
  uint8_t member[MLS_HASH_LEN], epoch[MLS_HASH_LEN];
  extract_psk (joiner, psk_secret, member);
  bool ok = mls_expand (member, "epoch", context, epoch, sizeof epoch)
            && mls_secrets_from_epoch (secrets, epoch);
  sodium_memzero (member, sizeof member);
  sodium_memzero (epoch, sizeof epoch);
  return ok;
}

bool
mls_secrets_from_epoch (MlsSecrets *secrets, const uint8_t *epoch_secret)
{
  return mls_derive_secret (epoch_secret, "init", secrets->init)
         && mls_derive_secret (
             epoch_secret, "sender data", secrets->sender_data)
         && mls_derive_secret (epoch_secret, "encryption", secrets->encryption)
         && mls_derive_secret (epoch_secret, "exporter", secrets->exporter)
         && mls_derive_secret (epoch_secret, "external", secrets->external)
         && mls_derive_secret (epoch_secret, "confirm", secrets->confirmation)
         && mls_derive_secret (epoch_secret, "membership", secrets->membership)
         && mls_derive_secret (epoch_secret, "resumption", secrets->resumption)
         && mls_derive_secret (
             epoch_secret, "authentication", secrets->authenticator);
}

bool
mls_exporter (const uint8_t *exporter_secret, MlsSlice label, MlsSlice context,
    uint8_t *out, size_t len)
{
  uint8_t derived[MLS_HASH_LEN], hash[MLS_HASH_LEN];
  mls_hash (context, hash);
  bool ok = mls_derive_secret_slice (exporter_secret, label, derived)
            && mls_expand (
                derived, "exported", mls_slice (hash, sizeof hash), out, len);
  sodium_memzero (derived, sizeof derived);
  return ok;
}

bool
mls_confirmed_transcript_hash (MlsSlice interim, uint16_t wire_format,
    MlsSlice framed_content, MlsSlice signature, uint8_t *out)
{
  MlsBuffer input = { 0 };
  mls_put_uint (&input, wire_format, 2);
  mls_put_slice (&input, framed_content);
  mls_put_opaque (&input, signature);
  bool ok = !input.failed;
  if (ok)
    mls_hash_two (interim, mls_buffer_slice (&input), out);
  mls_buffer_free (&input);
  return ok;
}

bool
mls_interim_transcript_hash (
    MlsSlice confirmed, MlsSlice confirmation_tag, uint8_t *out)
{
  MlsBuffer input = { 0 };
  mls_put_opaque (&input, confirmation_tag);
  bool ok = !input.failed;
  if (ok)
    mls_hash_two (confirmed, mls_buffer_slice (&input), out);
  mls_buffer_free (&input);
  return ok;
}

void
mls_psk_id_read (Reader *in, MlsPskId *out)
{
  const uint8_t *start = in->at;
  *out = (MlsPskId){ 0 };
  out->type = (uint8_t) reader_uint (in, 1);
  if (out->type == MLS_PSK_EXTERNAL) {
    out->id = mls_read_opaque (in);
  } else if (out->type == MLS_PSK_RESUMPTION) {
    out->usage = (uint8_t) reader_uint (in, 1);
    if (out->usage < MLS_PSK_USAGE_APPLICATION
        || out->usage > MLS_PSK_USAGE_BRANCH)
      in->failed = true;
    out->group_id = mls_read_opaque (in);
    out->epoch = reader_uint (in, 8);
  } else {
    in->failed = true;
  }
  out->nonce = mls_read_opaque (in);
  out->raw = mls_slice_since (in, start);
}

void
mls_psk_id_put (MlsBuffer *buffer, const MlsPskId *id)
{
  mls_put_uint (buffer, id->type, 1);
  if (id->type == MLS_PSK_EXTERNAL) {
    mls_put_opaque (buffer, id->id);
  } else {
    mls_put_uint (buffer, id->usage, 1);
    mls_put_opaque (buffer, id->group_id);
    mls_put_uint (buffer, id->epoch, 8);
  }
  mls_put_opaque (buffer, id->nonce);
}

bool
mls_psk_secret (
    const MlsPskId *ids, Secret *const *psks, size_t n, uint8_t *out)
{
  uint8_t extracted[MLS_HASH_LEN], input[MLS_HASH_LEN];
  bool ok = true;

  memset (out, 0, MLS_HASH_LEN);
  for (size_t i = 0; i < n && ok; i++) {
    MlsBuffer label = { 0 };
    mls_psk_id_put (&label, &ids[i]);
    mls_put_uint (&label, i, 2);
    mls_put_uint (&label, n, 2);
    mls_extract (
        NULL, secret_bytes (psks[i]), secret_len (psks[i]), extracted);
    ok = !label.failed
         && mls_expand (extracted, "derived psk", mls_buffer_slice (&label),
             input, sizeof input);
    if (ok)
      mls_extract (input, out, MLS_HASH_LEN, out);
    mls_buffer_free (&label);
  }
  sodium_memzero (extracted, sizeof extracted);
  sodium_memzero (input, sizeof input);
  return ok;
}

/* For the fuzzers of MLS: a small group that is the same in every run, and a member, Anna, who signs and encrypts
 * whatever she is given. So a fuzzer gets past the signatures, to where a malicious member would be.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../check/mls-members.h"

#include "ext/mls/crypto.h"
#include "ext/mls/group_info.h"
#include "ext/mls/group_private.h"

typedef struct
{
  Dice dice;
  Person people[4];
  MlsGroup *anna, *bert;
  MlsKeyPackage *dora; /* not in the group */
} Insider;

/* Three members, the third a bystander; Anna's commit had a path. */
static inline Insider *
insider_new (uint64_t seed)
{
  static const MlsSettings settings = { 16, 2, 2 };
  Insider *in = calloc (1, sizeof *in);
  MlsStaged *staged = NULL;
  MlsKeyPackage *kps[2];
  MlsSlice adds[2];

  core_init ();
  in->dice = dice_new (seed);
  for (uint32_t i = 0; i < 4; i++)
    in->people[i] = person_new (MLS_SUITE_CHACHA20_POLY1305, i, &in->dice);
  in->anna = person_create (&in->people[0], "fuzz", &settings);
  for (uint32_t i = 0; i < 2; i++) {
    kps[i] = person_key_package (&in->people[1 + i]);
    adds[i] = mls_key_package_message (kps[i]);
  }
  in->dora = person_key_package (&in->people[3]);
  MlsCommitRequest request = { .add = adds, .n_add = 2, .path = true };
  if (mls_group_commit (in->anna, &request, &staged) != MLS_OK
      || mls_group_join (kps[0], mls_staged_welcome (staged), (MlsSlice){ 0 },
             NULL, 0, &settings, &in->bert)
             != MLS_OK
      || mls_group_merge (in->anna, staged, 0) != MLS_OK)
    abort ();
  mls_key_package_free (kps[0]);
  mls_key_package_free (kps[1]);
  return in;
}

static inline void
insider_free (Insider *in)
{
  mls_group_free (in->anna);
  mls_group_free (in->bert);
  mls_key_package_free (in->dora);
  for (uint32_t i = 0; i < 4; i++)
    person_clear (&in->people[i]);
  free (in);
}

/* Anna's message of this type with this body, whatever it is, and a confirmation tag of zeros; what it will be to who
 * opens it in `sent`, which only holds bytes. */
static inline MlsResult
insider_send (Insider *in, MlsContentType type, MlsSlice body,
    const MlsHandshake *how, MlsOpened *sent, MlsBuffer *out)
{
  MlsOutgoing outgoing;
  MlsResult result = mls_outgoing_sign (in->anna, type, body, how, &outgoing);
  *sent = (MlsOpened){ { 0 } };
  if (result == MLS_OK)
    mls_content_put (&sent->bytes, &outgoing.content);
  return result == MLS_OK ? mls_outgoing_write (in->anna, &outgoing, how, out)
                          : result;
}

/* A Welcome to Dora with these bytes as its GroupSecrets, and those as its GroupInfo under the joiner secret of zeros. */
static inline void
insider_welcome (Insider *in, MlsSlice secrets, MlsSlice info, MlsBuffer *out)
{
  static const uint8_t joiner[MLS_HASH_LEN], psk[MLS_HASH_LEN];
  uint8_t welcome_secret[MLS_HASH_LEN], key[MLS_MAX_AEAD_KEY],
      nonce[MLS_NONCE_LEN], kem_output[MLS_KEY_LEN];
  MlsSuite suite = (MlsSuite) in->dora->view.suite;
  MlsBuffer sealed = { 0 }, ciphertext = { 0 }, entries = { 0 };

  mls_welcome_secret (joiner, psk, welcome_secret);
  mls_welcome_key (suite, welcome_secret, key, nonce);
  mls_aead_seal (suite, key, nonce, (MlsSlice){ 0 }, info,
      mls_put (&sealed, info.len + MLS_TAG_LEN));
  mls_encrypt (suite, &in->people[0].random, in->dora->view.init_key,
      "Welcome", mls_buffer_slice (&sealed), secrets, kem_output,
      mls_put (&ciphertext, secrets.len + MLS_TAG_LEN));
  MlsEncryptedSecrets entry = { { in->dora->ref, MLS_HASH_LEN },
    { { kem_output, sizeof kem_output }, mls_buffer_slice (&ciphertext) } };
  mls_encrypted_secrets_put (&entries, &entry);
  MlsWelcome welcome = { (uint16_t) suite, mls_buffer_slice (&entries),
    mls_buffer_slice (&sealed) };
  mls_message_head_put (out, MLS_WIRE_WELCOME);
  mls_welcome_put (out, &welcome);
  mls_buffer_free (&sealed);
  mls_buffer_free (&ciphertext);
  mls_buffer_free (&entries);
}

/* GroupSecrets with that joiner secret. */
static inline void
insider_secrets (MlsBuffer *out)
{
  static const uint8_t joiner[MLS_HASH_LEN];
  MlsGroupSecrets secrets = { .joiner_secret = { joiner, sizeof joiner } };
  mls_group_secrets_put (out, &secrets);
}

/* The key schedule (RFC 9420, section 8): the group context, transcript hashes, pre-shared keys, the secrets of an epoch
 * and what is exported from them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "leaf_node.h"

#include "ext/sodium/secret.h"

/* 8.1. Points into what it was read from or made of. */
typedef struct
{
  uint16_t version;
  uint16_t suite;
  MlsSlice group_id;
  uint64_t epoch;
  MlsSlice tree_hash;
  MlsSlice confirmed_transcript_hash;
  MlsSlice extensions;
} MlsGroupContext;

void mls_group_context_read (Reader *in, MlsGroupContext *out);
void mls_group_context_put (MlsBuffer *buffer, const MlsGroupContext *context);

/* Table 4, and the init secret. Lives in sodium memory. */
typedef struct
{
  uint8_t init[MLS_HASH_LEN];
  uint8_t sender_data[MLS_HASH_LEN];
  uint8_t encryption[MLS_HASH_LEN];
  uint8_t exporter[MLS_HASH_LEN];
  uint8_t external[MLS_HASH_LEN];
  uint8_t confirmation[MLS_HASH_LEN];
  uint8_t membership[MLS_HASH_LEN];
  uint8_t resumption[MLS_HASH_LEN];
  uint8_t authenticator[MLS_HASH_LEN];
} MlsSecrets;

MlsSecrets *mls_secrets_new (void);
void mls_secrets_free (MlsSecrets *secrets);

/* The joiner secret of the epoch that `context` describes, Nh bytes to `joiner`. A commit without path has no commit
 * secret: NULL. */
bool mls_joiner_secret (const uint8_t *init, const uint8_t *commit_secret,
    MlsSlice context, uint8_t *joiner);

/* What a joiner secret leads to. Without PSKs, `psk_secret` is NULL. */
bool mls_welcome_secret (
    const uint8_t *joiner, const uint8_t *psk_secret, uint8_t *welcome);
bool mls_secrets_from_joiner (MlsSecrets *secrets, const uint8_t *joiner,
    const uint8_t *psk_secret, MlsSlice context);

/* 11: of an epoch secret, as a group's creator draws one. */
bool mls_secrets_from_epoch (MlsSecrets *secrets, const uint8_t *epoch_secret);

/* 8.5: MLS-Exporter */
bool mls_exporter (const uint8_t *exporter_secret, MlsSlice label,
    MlsSlice context, uint8_t *out, size_t len);

/* 8.2. ConfirmedTranscriptHashInput is the wire format, the FramedContent's bytes and the signature. */
bool mls_confirmed_transcript_hash (MlsSlice interim, uint16_t wire_format,
    MlsSlice framed_content, MlsSlice signature, uint8_t *out);
bool mls_interim_transcript_hash (
    MlsSlice confirmed, MlsSlice confirmation_tag, uint8_t *out);

/* 8.4, PreSharedKeyID */
typedef struct
{
  uint8_t type;  /* MlsPskType */
  MlsSlice id;   /* external */
  uint8_t usage; /* resumption: MlsPskUsage */
  MlsSlice group_id;
  uint64_t epoch;
  MlsSlice nonce;
  MlsSlice raw;
} MlsPskId;

void mls_psk_id_read (Reader *in, MlsPskId *out);
void mls_psk_id_put (MlsBuffer *buffer, const MlsPskId *id);

/* 8.4: psk_secret of `n` PSKs in their order; `psks` are borrowed. With none, Nh zero bytes. */
bool mls_psk_secret (
    const MlsPskId *ids, Secret *const *psks, size_t n, uint8_t *out);

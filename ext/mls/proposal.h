/* Proposals, update paths and commits as bytes (RFC 9420, sections 7.6, 12.1 and 12.4). What they may say is judged in
 * proposal_list.h and commit.h.
 *
 * All of these point into the bytes they were read from.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "key_package.h"
#include "key_schedule.h"

typedef struct
{
  MlsSlice group_id;
  uint16_t version;
  uint16_t suite;
  MlsSlice extensions;
} MlsReInit;

typedef struct
{
  uint16_t type; /* MlsProposalType */
  union
  {
    MlsKeyPackageView add;
    MlsLeafNode update;
    uint32_t removed;
    MlsPskId psk;
    MlsReInit reinit;
    MlsSlice kem_output; /* external_init */
    MlsSlice extensions; /* group_context_extensions */
  };
  MlsSlice raw;
} MlsProposal;

/* Fails on a type it doesn't know: nobody can tell where such a proposal ends, and we list none as supported. */
void mls_proposal_read (Reader *in, MlsProposal *out);
void mls_proposal_put (MlsBuffer *buffer, const MlsProposal *proposal);

typedef struct
{
  bool by_reference;
  MlsProposal proposal; /* by value */
  MlsSlice reference;
} MlsProposalOrRef;

void mls_proposal_or_ref_read (Reader *in, MlsProposalOrRef *out);
void mls_proposal_or_ref_put (MlsBuffer *buffer, const MlsProposalOrRef *item);

typedef struct
{
  MlsSlice kem_output;
  MlsSlice ciphertext;
} MlsHpkeCiphertext;

void mls_hpke_ciphertext_read (Reader *in, MlsHpkeCiphertext *out);
void mls_hpke_ciphertext_put (
    MlsBuffer *buffer, const MlsHpkeCiphertext *ciphertext);

/* UpdatePathNode; `ciphertexts` is the content of HPKECiphertext encrypted_path_secret<V>. */
typedef struct
{
  MlsSlice encryption_key;
  MlsSlice ciphertexts;
} MlsPathNode;

void mls_path_node_read (Reader *in, MlsPathNode *out);

typedef struct
{
  MlsLeafNode leaf;
  MlsSlice nodes; /* the content of UpdatePathNode nodes<V> */
} MlsUpdatePath;

void mls_update_path_read (Reader *in, MlsUpdatePath *out);
void mls_update_path_put (MlsBuffer *buffer, const MlsUpdatePath *path);

typedef struct
{
  MlsSlice proposals; /* the content of ProposalOrRef proposals<V>, */
  size_t n_proposals; /* and how many there are */
  bool has_path;
  MlsUpdatePath path;
  MlsSlice raw;
} MlsCommit;

void mls_commit_read (Reader *in, MlsCommit *out);
void mls_commit_put (MlsBuffer *buffer, const MlsCommit *commit);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proposal.h"

void
mls_proposal_read (Reader *in, MlsProposal *out)
{
  const uint8_t *start = in->at;
  out->type = (uint16_t) reader_uint (in, 2);
  switch (out->type) {
    case MLS_PROPOSAL_ADD:
      mls_key_package_read (in, &out->add);
      break;
    case MLS_PROPOSAL_UPDATE:
      mls_leaf_node_read (in, &out->update);
      break;
    case MLS_PROPOSAL_REMOVE:
      out->removed = (uint32_t) reader_uint (in, 4);
      break;
    case MLS_PROPOSAL_PSK:
      mls_psk_id_read (in, &out->psk);
      break;
    case MLS_PROPOSAL_REINIT:
      out->reinit.group_id = mls_read_opaque (in);
      out->reinit.version = (uint16_t) reader_uint (in, 2);
      out->reinit.suite = (uint16_t) reader_uint (in, 2);
      out->reinit.extensions = mls_read_extensions (in);
      break;
    case MLS_PROPOSAL_EXTERNAL_INIT:
      out->kem_output = mls_read_opaque (in);
      break;
    case MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
      out->extensions = mls_read_extensions (in);
      break;
    default:
      in->failed = true;
  }
  out->raw = mls_slice_since (in, start);
}

void
mls_proposal_put (MlsBuffer *buffer, const MlsProposal *proposal)
{
  mls_put_uint (buffer, proposal->type, 2);
  switch (proposal->type) {
    case MLS_PROPOSAL_ADD:
      mls_key_package_put (buffer, &proposal->add);
      break;
    case MLS_PROPOSAL_UPDATE:
      mls_leaf_node_put (buffer, &proposal->update);
      break;
    case MLS_PROPOSAL_REMOVE:
      mls_put_uint (buffer, proposal->removed, 4);
      break;
    case MLS_PROPOSAL_PSK:
      mls_psk_id_put (buffer, &proposal->psk);
      break;
    case MLS_PROPOSAL_REINIT:
      mls_put_opaque (buffer, proposal->reinit.group_id);
      mls_put_uint (buffer, proposal->reinit.version, 2);
      mls_put_uint (buffer, proposal->reinit.suite, 2);
      mls_put_opaque (buffer, proposal->reinit.extensions);
      break;
    case MLS_PROPOSAL_EXTERNAL_INIT:
      mls_put_opaque (buffer, proposal->kem_output);
      break;
    case MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
      mls_put_opaque (buffer, proposal->extensions);
      break;
    default:
      buffer->failed = true;
  }
}

enum
{
  BY_VALUE = 1,
  BY_REFERENCE = 2
};

void
mls_proposal_or_ref_read (Reader *in, MlsProposalOrRef *out)
{
  uint64_t type = reader_uint (in, 1);
  out->by_reference = type == BY_REFERENCE;
  if (type == BY_VALUE)
    mls_proposal_read (in, &out->proposal);
  else if (type == BY_REFERENCE)
    out->reference = mls_read_opaque (in);
  else
    in->failed = true;
}

void
mls_proposal_or_ref_put (MlsBuffer *buffer, const MlsProposalOrRef *item)
{
  mls_put_uint (buffer, item->by_reference ? BY_REFERENCE : BY_VALUE, 1);
  if (item->by_reference)
    mls_put_opaque (buffer, item->reference);
  else
    mls_proposal_put (buffer, &item->proposal);
}

void
mls_hpke_ciphertext_read (Reader *in, MlsHpkeCiphertext *out)
{
  out->kem_output = mls_read_opaque (in);
  out->ciphertext = mls_read_opaque (in);
}

void
mls_hpke_ciphertext_put (
    MlsBuffer *buffer, const MlsHpkeCiphertext *ciphertext)
{
  mls_put_opaque (buffer, ciphertext->kem_output);
  mls_put_opaque (buffer, ciphertext->ciphertext);
}

void
mls_path_node_read (Reader *in, MlsPathNode *out)
{
  out->encryption_key = mls_read_opaque (in);
  out->ciphertexts = mls_read_opaque (in);
  Reader list = mls_reader (out->ciphertexts);
  MlsHpkeCiphertext ciphertext;
  while (reader_left (&list) > 0)
    mls_hpke_ciphertext_read (&list, &ciphertext);
  if (list.failed)
    in->failed = true;
}

void
mls_update_path_read (Reader *in, MlsUpdatePath *out)
{
  mls_leaf_node_read (in, &out->leaf);
  out->nodes = mls_read_opaque (in);
  Reader list = mls_reader (out->nodes);
  MlsPathNode node;
  while (reader_left (&list) > 0)
    mls_path_node_read (&list, &node);
  if (list.failed)
    in->failed = true;
}

void
mls_update_path_put (MlsBuffer *buffer, const MlsUpdatePath *path)
{
  mls_leaf_node_put (buffer, &path->leaf);
  mls_put_opaque (buffer, path->nodes);
}

void
mls_commit_read (Reader *in, MlsCommit *out)
{
  const uint8_t *start = in->at;
  out->proposals = mls_read_opaque (in);
  out->n_proposals = 0;
  Reader list = mls_reader (out->proposals);
  MlsProposalOrRef item;
  while (reader_left (&list) > 0) {
    mls_proposal_or_ref_read (&list, &item);
    if (++out->n_proposals > MLS_MAX_PROPOSALS)
      list.failed = true;
  }
  if (list.failed)
    in->failed = true;
  out->has_path = mls_read_present (in);
  if (out->has_path)
    mls_update_path_read (in, &out->path);
  out->raw = mls_slice_since (in, start);
}

void
mls_commit_put (MlsBuffer *buffer, const MlsCommit *commit)
{
  mls_put_opaque (buffer, commit->proposals);
  mls_put_uint (buffer, commit->has_path, 1);
  if (commit->has_path)
    mls_update_path_put (buffer, &commit->path);
}

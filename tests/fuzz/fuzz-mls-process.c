/* What a group is made to take, by the network and by a malicious member.
 *
 * The input is a list of operations, each a byte, a length of two bytes, and that many bytes: 0 a raw message;
 * 1 to 3 the body of an application message, a proposal or a commit, signed and encrypted by Anna; 4 and 5 a proposal
 * or a commit as a PublicMessage; 6 a commit whose proposals these are, completed by Anna with whatever makes it right;
 * 7 a commit of Anna's own that takes up what is pending.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mls-insider.h"

/* Whether Bert took something since the group was made: then the next input gets a new one. */
static bool changed;

/* Bert must be as before when he refused, and of one mind with Anna when he took an honest commit. */
static void
deliver (Insider *in, MlsSlice message, MlsStaged *honest)
{
  MlsEvent event;
  uint8_t before[MLS_HASH_LEN];
  memcpy (before, mls_epoch_authenticator (mls_group_epoch (in->bert)),
      sizeof before);
  size_t pending = in->bert->n_pending;
  MlsResult result = mls_group_process (in->bert, message, 0, &event);
  if (memcmp (before, mls_epoch_authenticator (mls_group_epoch (in->bert)),
          sizeof before)
          != 0
      || (result != MLS_OK && in->bert->n_pending != pending))
    abort ();
  changed |= result == MLS_OK;
  if (result == MLS_OK && event.commit) {
    MlsStaged *staged = event.commit;
    for (size_t i = 0; i < mls_staged_changes (staged); i++)
      mls_staged_change (staged, i);
    mls_staged_info (staged);
    event.commit = NULL;
    if (honest && !mls_staged_info (staged).removes_us
        && memcmp (mls_epoch_authenticator (mls_staged_epoch (staged)),
               mls_epoch_authenticator (mls_staged_epoch (honest)),
               MLS_HASH_LEN)
               != 0)
      abort ();
    if (mls_group_merge (in->bert, staged, 0) != MLS_OK)
      abort ();
    if (honest && mls_group_merge (in->anna, honest, 0) != MLS_OK)
      abort ();
  } else {
    if (honest && result != MLS_CLOSED && result != MLS_WRONG_EPOCH
        && result != MLS_UNKNOWN_PROPOSAL)
      abort ();
    mls_staged_free (honest);
  }
  mls_event_clear (&event);
}

/* A commit with these bytes as the list of proposals, by the code that makes honest ones: without its checks it would
 * be what a malicious member sends, with them it tells whether both sides judge alike. */
static void
commit_list (Insider *in, MlsSlice list)
{
  MlsProposalRequest requests[8];
  MlsSlice adds[8];
  uint32_t removes[8];
  MlsSlice extensions;
  MlsPsk psks[8];
  MlsCommitRequest request = {
    .add = adds, .remove = removes, .other = requests, .pending = true
  };
  Reader r = mls_reader (list);
  MlsStaged *staged;

  for (size_t i = 0; i < 8 && reader_left (&r) > 0; i++) {
    MlsProposal p;
    mls_proposal_read (&r, &p);
    if (r.failed)
      return;
    if (p.type == MLS_PROPOSAL_ADD)
      adds[request.n_add++] = p.add.raw;
    else if (p.type == MLS_PROPOSAL_REMOVE)
      removes[request.n_remove++] = p.removed;
    else if (p.type == MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS) {
      extensions = p.extensions;
      request.extensions = &extensions;
    } else if (p.type == MLS_PROPOSAL_PSK) {
      psks[request.n_other] = (MlsPsk){ (MlsPskType) p.psk.type, p.psk.id,
        p.psk.group_id, p.psk.epoch, NULL };
      requests[request.n_other] =
          (MlsProposalRequest){ .type = MLS_PROPOSAL_PSK,
            .psk = &psks[request.n_other],
            .usage = (MlsPskUsage) p.psk.usage };
      request.n_other++;
    }
  }
  if (mls_group_commit (in->anna, &request, &staged) == MLS_OK)
    deliver (in, mls_staged_message (staged), staged);
}

static void
run_one (Insider *in, uint8_t operation, MlsSlice bytes)
{
  static const MlsContentType types[] = { MLS_CONTENT_APPLICATION,
    MLS_CONTENT_PROPOSAL, MLS_CONTENT_COMMIT, MLS_CONTENT_PROPOSAL,
    MLS_CONTENT_COMMIT };
  MlsHandshake how = { .public_message = operation == 4 || operation == 5 };
  MlsCommitRequest request = { .pending = true };
  MlsBuffer message = { 0 };
  MlsStaged *staged;

  if (operation == 0) {
    deliver (in, bytes, NULL);
  } else if (operation <= 5) {
    MlsOpened sent;
    size_t pending = in->bert->n_pending;
    if (insider_send (in, types[operation - 1], bytes, &how, &sent, &message)
        == MLS_OK)
      deliver (in, mls_buffer_slice (&message), NULL);
    if (in->bert->n_pending
        > pending) { /* then Anna knows it, too, and may refer to it */
      Reader r = mls_reader (mls_buffer_slice (&sent.bytes));
      mls_content_read (&r, &sent.content);
      if (mls_group_keep_proposal (in->anna, &sent) != MLS_OK)
        abort ();
    }
    mls_opened_free (&sent);
  } else if (operation == 6) {
    commit_list (in, bytes);
  } else if (mls_group_commit (in->anna, &request, &staged) == MLS_OK) {
    deliver (in, mls_staged_message (staged), staged);
  }
  mls_buffer_free (&message);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static Insider *in;
  static unsigned used;
  Reader r = reader_init (data, size);

  /* Making a group takes longer than all that follows; and a sender ratchet goes only so far. */
  if (in && (changed || ++used == 64)) {
    insider_free (in);
    in = NULL;
  }
  if (!in) {
    in = insider_new (1);
    changed = false;
    used = 0;
  }
  for (size_t i = 0; i < 8 && reader_left (&r) > 0; i++) {
    uint8_t operation = (uint8_t) reader_uint (&r, 1);
    Reader bytes = reader_sub (&r, reader_uint (&r, 2));
    if (r.failed)
      break;
    run_one (in, operation, mls_slice (bytes.at, reader_left (&bytes)));
  }
  return 0;
}

/* What an MLS group must refuse, and that it is as it was afterwards: changed and cut bytes of every kind of message,
 * commits that break a rule of RFC 9420, section 12.2, messages of others, used and far keys; and that secrets are gone
 * once they were used.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mls-members.h"
#include "pure.h"

#include "ext/mls/crypto.h"
#include "ext/mls/group_private.h"

#include <fcntl.h>
#include <unistd.h>

#define fail_unless_result(call, want)                                        \
  G_STMT_START                                                                \
  {                                                                           \
    MlsResult got__ = (call);                                                 \
    fail_unless (got__ == (want), "%s: %s, not %s", #call,                    \
        mls_result_name (got__), mls_result_name (want));                     \
  }                                                                           \
  G_STMT_END

#define fail_unless_ok(call) fail_unless_result (call, MLS_OK)

enum
{
  ANNA,
  BERT,
  CARL,
  DORA,
  PEOPLE
};

static Person people[PEOPLE];
static MlsGroup *groups[PEOPLE]; /* all but Dora are in */
static MlsKeyPackage *dora;
static Dice dice;

static void
everybody_adds (MlsGroup *committer, MlsKeyPackage **kps, guint n,
    MlsGroup **others, guint n_others, MlsGroup **joined)
{
  MlsSlice adds[PEOPLE];
  MlsStaged *staged;
  for (guint i = 0; i < n; i++)
    adds[i] = mls_key_package_message (kps[i]);
  MlsCommitRequest request = { .add = adds, .n_add = n, .path = true };
  fail_unless_ok (mls_group_commit (committer, &request, &staged));
  for (guint i = 0; i < n_others; i++)
    fail_unless_ok (take_commit (others[i], mls_staged_message (staged)));
  for (guint i = 0; i < n; i++)
    fail_unless_ok (mls_group_join (kps[i], mls_staged_welcome (staged),
        (MlsSlice){ 0 }, NULL, 0, NULL, &joined[i]));
  fail_unless_ok (mls_group_merge (committer, staged, 0));
}

static void
setup (void)
{
  static const MlsSettings settings = { 8, 2, 2 };
  MlsKeyPackage *kps[2];
  dice = dice_new (7);
  for (guint i = 0; i < PEOPLE; i++)
    people[i] = person_new (MLS_SUITE_CHACHA20_POLY1305, i, &dice);
  groups[ANNA] = person_create (&people[ANNA], "a group", &settings);
  kps[0] = person_key_package (&people[BERT]);
  kps[1] = person_key_package (&people[CARL]);
  dora = person_key_package (&people[DORA]);
  everybody_adds (groups[ANNA], kps, 2, NULL, 0, &groups[BERT]);
  mls_key_package_free (kps[0]);
  mls_key_package_free (kps[1]);
}

static void
teardown (void)
{
  for (guint i = 0; i < PEOPLE; i++) {
    mls_group_free (groups[i]);
    person_clear (&people[i]);
    groups[i] = NULL;
  }
  mls_key_package_free (dora);
}

/* ---- changed bytes ---- */

static void
refuse (const guint8 *bytes, gsize len, const guint8 *before, const char *what,
    gsize at)
{
  MlsEvent event;
  /* An allocation of its exact size: a sanitizer sees one byte too many. */
  g_autofree guint8 *exact = g_memdup2 (bytes, len);
  MlsResult result =
      mls_group_process (groups[BERT], mls_slice (exact, len), 0, &event);
  fail_unless (result != MLS_OK,
      "%s is taken with a change at %" G_GSIZE_FORMAT, what, at);
  fail_unless (event.type == MLS_EVENT_NONE && !event.commit);
  fail_unless (
      memcmp (
          before, mls_epoch_authenticator (mls_group_epoch (groups[BERT])), 32)
      == 0);
  fail_unless (groups[BERT]->n_pending == 0 && groups[BERT]->n_past == 0);
}

/* Each bit flipped and each cut is refused; then the message itself is taken. */
static MlsEvent
torture (MlsSlice message, const char *what)
{
  guint8 before[32];
  MlsEvent event;
  memcpy (
      before, mls_epoch_authenticator (mls_group_epoch (groups[BERT])), 32);
  g_autofree guint8 *bytes = g_memdup2 (message.data, message.len + 1);
  for (gsize i = 0; i < message.len; i++)
    for (guint bit = 0; bit < 8; bit++) {
      bytes[i] ^= (guint8) (1 << bit);
      refuse (bytes, message.len, before, what, i);
      bytes[i] ^= (guint8) (1 << bit);
    }
  for (gsize len = 0; len < message.len; len++)
    refuse (bytes, len, before, what, len);
  bytes[message.len] = 0;
  refuse (bytes, message.len + 1, before, what, message.len);
  fail_unless_ok (mls_group_process (groups[BERT], message, 0, &event));
  return event;
}

GST_START_TEST (
    every_flipped_bit_and_every_cut_of_an_application_message_is_refused)
{
  MlsBuffer message = { 0 };
  fail_unless_ok (mls_group_protect (groups[ANNA], mls_slice ("hello", 5),
      mls_slice ("aad", 3), 32, &message));
  MlsEvent event =
      torture (mls_buffer_slice (&message), "an application message");
  fail_unless (mls_slice_equal (event.data, mls_slice ("hello", 5)));
  mls_event_clear (&event);
  fail_unless_result (
      mls_group_process (groups[BERT], mls_buffer_slice (&message), 0, &event),
      MLS_REPLAYED);
  mls_buffer_free (&message);
}
GST_END_TEST

static const struct
{
  gboolean public_message, path;
} wires[] = { { FALSE, FALSE }, { FALSE, TRUE }, { TRUE, FALSE },
  { TRUE, TRUE } };

GST_START_TEST (every_flipped_bit_and_every_cut_of_a_commit_is_refused)
{
  MlsSlice add = mls_key_package_message (dora);
  MlsCommitRequest request = { .add = &add,
    .n_add = wires[__i__].path ? 0 : 1,
    .path = wires[__i__].path,
    .handshake = { wires[__i__].public_message, 16, { 0 } } };
  MlsStaged *staged;
  fail_unless_ok (mls_group_commit (groups[ANNA], &request, &staged));
  MlsEvent event = torture (mls_staged_message (staged), "a commit");
  fail_unless (event.type == MLS_EVENT_COMMIT);
  fail_unless (
      memcmp (mls_epoch_authenticator (mls_staged_epoch (event.commit)),
          mls_epoch_authenticator (mls_staged_epoch (staged)), 32)
      == 0);
  mls_event_clear (&event);
  mls_staged_free (staged);
}
GST_END_TEST

GST_START_TEST (every_flipped_bit_and_every_cut_of_a_proposal_is_refused)
{
  MlsProposalRequest request = { .type = MLS_PROPOSAL_UPDATE };
  MlsHandshake how = { wires[__i__].public_message, 16, { 0 } };
  MlsBuffer message = { 0 };
  fail_unless_ok (mls_group_propose (groups[ANNA], &request, &how, &message));
  MlsEvent event = torture (mls_buffer_slice (&message), "a proposal");
  fail_unless (
      event.type == MLS_EVENT_PROPOSAL && groups[BERT]->n_pending == 1);
  mls_event_clear (&event);
  mls_buffer_free (&message);
}
GST_END_TEST

GST_START_TEST (every_flipped_bit_and_every_cut_of_a_welcome_is_refused)
{
  MlsSlice add = mls_key_package_message (dora);
  MlsCommitRequest request = { .add = &add, .n_add = 1, .path = __i__ == 1 };
  MlsStaged *staged;
  MlsGroup *joined = NULL;
  fail_unless_ok (mls_group_commit (groups[ANNA], &request, &staged));
  MlsSlice welcome = mls_staged_welcome (staged);
  g_autofree guint8 *bytes = g_memdup2 (welcome.data, welcome.len);
  for (gsize i = 0; i < welcome.len; i++) {
    bytes[i] ^= (guint8) (1 << (i % 8));
    fail_unless (mls_group_join (dora, mls_slice (bytes, welcome.len),
                     (MlsSlice){ 0 }, NULL, 0, NULL, &joined)
                     != MLS_OK,
        "a welcome is taken with a change at %" G_GSIZE_FORMAT, i);
    bytes[i] ^= (guint8) (1 << (i % 8));
    g_autofree guint8 *cut = g_memdup2 (welcome.data, i);
    fail_unless (mls_group_join (dora, mls_slice (cut, i), (MlsSlice){ 0 },
                     NULL, 0, NULL, &joined)
                 != MLS_OK);
  }
  fail_unless_ok (
      mls_group_join (dora, welcome, (MlsSlice){ 0 }, NULL, 0, NULL, &joined));
  mls_group_free (joined);
  mls_staged_free (staged);
}
GST_END_TEST

GST_START_TEST (every_flipped_bit_and_every_cut_of_a_key_package_is_refused)
{
  MlsSlice message = mls_key_package_message (dora);
  MlsKeyPackageView view;
  g_autofree guint8 *bytes = g_memdup2 (message.data, message.len);
  for (gsize i = 0; i < message.len; i++) {
    for (guint bit = 0; bit < 8; bit++) {
      bytes[i] ^= (guint8) (1 << bit);
      fail_unless (mls_key_package_inspect (
                       mls_slice (bytes, message.len), 0, &view, NULL)
                       != MLS_OK,
          "a key package is taken with a change at %" G_GSIZE_FORMAT, i);
      bytes[i] ^= (guint8) (1 << bit);
    }
    fail_unless (mls_key_package_inspect (mls_slice (bytes, i), 0, &view, NULL)
                 != MLS_OK);
  }
  fail_unless_ok (mls_key_package_inspect (message, 1500, &view, NULL));
  fail_unless_result (
      mls_key_package_inspect (message, 999, &view, NULL), MLS_EXPIRED);
  fail_unless_result (
      mls_key_package_inspect (message, 2001, &view, NULL), MLS_EXPIRED);
}
GST_END_TEST

/* ---- commits that break a rule ---- */

/* A commit of Anna's with this list and no path, signed and encrypted as it should be, that she would never make. */
static MlsResult
forge (const MlsBuffer *list)
{
  MlsBuffer body = { 0 }, message = { 0 };
  MlsHandshake how = { false, 0, { 0 } };
  MlsOutgoing outgoing;
  MlsEvent event;

  mls_put_opaque (&body, mls_buffer_slice (list));
  mls_put_uint (&body, 0, 1);
  fail_unless_ok (mls_outgoing_sign (groups[ANNA], MLS_CONTENT_COMMIT,
      mls_buffer_slice (&body), &how, &outgoing));
  fail_unless_ok (
      mls_outgoing_write (groups[ANNA], &outgoing, &how, &message));
  MlsResult result =
      mls_group_process (groups[BERT], mls_buffer_slice (&message), 0, &event);
  fail_unless (event.commit == NULL);
  mls_buffer_free (&body);
  mls_buffer_free (&message);
  return result;
}

static void
put_value (MlsBuffer *list, const MlsProposal *proposal)
{
  MlsProposalOrRef item = { .proposal = *proposal };
  mls_proposal_or_ref_put (list, &item);
}

static void
put_remove (MlsBuffer *list, guint leaf)
{
  MlsProposal proposal = { .type = MLS_PROPOSAL_REMOVE, .removed = leaf };
  put_value (list, &proposal);
}

static void
put_psk (MlsBuffer *list, guint usage, gsize nonce_len)
{
  static const guint8 nonce[64] = { 1 };
  MlsProposal proposal = { .type = MLS_PROPOSAL_PSK,
    .psk = { .type = usage ? MLS_PSK_RESUMPTION : MLS_PSK_EXTERNAL,
        .id = { nonce, 4 },
        .usage = (guint8) usage,
        .group_id = { nonce, 4 },
        .nonce = { nonce, nonce_len } } };
  put_value (list, &proposal);
}

static void
put_extensions (MlsBuffer *list)
{
  MlsProposal proposal = { .type = MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS };
  put_value (list, &proposal);
}

static void
put_reinit (MlsBuffer *list, guint version)
{
  MlsProposal proposal = { .type = MLS_PROPOSAL_REINIT,
    .reinit = { { NULL, 0 }, (guint16) version, 1, { NULL, 0 } } };
  put_value (list, &proposal);
}

static void
put_external_init (MlsBuffer *list)
{
  static const guint8 kem_output[32] = { 9 };
  MlsProposal proposal = { .type = MLS_PROPOSAL_EXTERNAL_INIT,
    .kem_output = { kem_output, 32 } };
  put_value (list, &proposal);
}

static void
put_add (MlsBuffer *list, const MlsKeyPackage *kp)
{
  MlsProposal proposal = { .type = MLS_PROPOSAL_ADD, .add = kp->view };
  put_value (list, &proposal);
}

#define forge_and_expect(want, ...)                                           \
  G_STMT_START                                                                \
  {                                                                           \
    MlsBuffer list = { 0 };                                                   \
    __VA_ARGS__;                                                              \
    fail_unless_result (forge (&list), want);                                 \
    mls_buffer_free (&list);                                                  \
  }                                                                           \
  G_STMT_END

GST_START_TEST (a_list_of_proposals_that_breaks_a_rule_is_refused)
{
  guint anna = mls_epoch_own_leaf (mls_group_epoch (groups[ANNA])),
        carl = mls_epoch_own_leaf (mls_group_epoch (groups[CARL]));
  MlsProposal update = { .type = MLS_PROPOSAL_UPDATE,
    .update = *mls_epoch_leaf (mls_group_epoch (groups[ANNA]), anna) };
  MlsKeyPackage *again = person_key_package (&people[DORA]),
                *bert = person_key_package (&people[BERT]);

  /* "a Remove proposal that removes the committer" */
  forge_and_expect (MLS_INVALID_PROPOSALS, put_remove (&list, anna));
  /* "an Update proposal generated by the committer" */
  forge_and_expect (MLS_INVALID_PROPOSALS, put_value (&list, &update));
  /* "multiple Update and/or Remove proposals that apply to the same leaf" */
  forge_and_expect (MLS_INVALID_PROPOSALS, put_remove (&list, carl);
                    put_remove (&list, carl));
  /* "multiple Add proposals that contain KeyPackages that represent the same client" */
  forge_and_expect (MLS_INVALID_PROPOSALS, put_add (&list, dora);
                    put_add (&list, again));
  /* "an Add proposal with a KeyPackage that represents a client already in the group" */
  forge_and_expect (MLS_INVALID_PROPOSALS, put_add (&list, bert));
  /* "multiple PreSharedKey proposals that reference the same PreSharedKeyID" */
  forge_and_expect (MLS_INVALID_PROPOSALS, put_psk (&list, 0, 32);
                    put_psk (&list, 0, 32));
  /* "multiple GroupContextExtensions proposals" */
  forge_and_expect (MLS_INVALID_PROPOSALS, put_extensions (&list);
                    put_extensions (&list));
  /* "a ReInit proposal together with any other proposal" */
  forge_and_expect (MLS_INVALID_PROPOSALS, put_reinit (&list, 1);
                    put_add (&list, dora));
  /* "an ExternalInit proposal" */
  forge_and_expect (MLS_INVALID_PROPOSALS, put_external_init (&list));
  /* 12.1.3: "does not identify a non-blank leaf node"; 12.1.5: "less than the version for the current group" */
  forge_and_expect (MLS_INVALID_PROPOSALS, put_remove (&list, 3));
  forge_and_expect (MLS_INVALID_PROPOSALS, put_remove (&list, 0xffffffff));
  forge_and_expect (MLS_INVALID_PROPOSALS, put_reinit (&list, 0));
  /* 12.1.4 */
  forge_and_expect (
      MLS_INVALID_PROPOSALS, put_psk (&list, MLS_PSK_USAGE_REINIT, 32));
  forge_and_expect (
      MLS_INVALID_PROPOSALS, put_psk (&list, MLS_PSK_USAGE_BRANCH, 32));
  forge_and_expect (MLS_INVALID_PROPOSALS, put_psk (&list, 0, 31));
  forge_and_expect (MLS_UNKNOWN_PSK, put_psk (&list, 0, 32));
  /* 12.4: a path is missing */
  forge_and_expect (MLS_INVALID_PATH, (void) list);
  forge_and_expect (MLS_INVALID_PATH, put_remove (&list, carl));
  forge_and_expect (MLS_INVALID_PATH, put_extensions (&list));
  /* a proposal type that is none, a reference to nothing */
  forge_and_expect (MLS_MALFORMED, mls_put_uint (&list, 0x010a0a, 3));
  forge_and_expect (MLS_UNKNOWN_PROPOSAL, mls_put_uint (&list, 2, 1);
                    mls_put_opaque (&list, mls_slice (dora->ref, 32)));
  /* the same without a fault gets as far as the confirmation tag, which is not right */
  forge_and_expect (MLS_BAD_CONFIRMATION, put_add (&list, dora));
  mls_key_package_free (again);
  mls_key_package_free (bert);
}
GST_END_TEST

GST_START_TEST (an_update_and_a_remove_of_one_leaf_are_refused)
{
  MlsProposalRequest request = { .type = MLS_PROPOSAL_UPDATE };
  MlsBuffer message = { 0 };
  MlsEvent event;
  fail_unless_ok (mls_group_propose (groups[CARL], &request, NULL, &message));
  for (guint i = ANNA; i <= BERT; i++) {
    fail_unless_ok (
        mls_group_process (groups[i], mls_buffer_slice (&message), 0, &event));
    mls_event_clear (&event);
  }
  guint carl = mls_epoch_own_leaf (mls_group_epoch (groups[CARL]));
  forge_and_expect (
      MLS_INVALID_PROPOSALS, mls_put_uint (&list, 2, 1);
      mls_put_opaque (&list, mls_slice (groups[BERT]->pending[0].ref, 32));
      put_remove (&list, carl));
  mls_buffer_free (&message);
}
GST_END_TEST

GST_START_TEST (a_key_package_that_does_not_fit_is_refused)
{
  Person other = person_new (MLS_SUITE_AES_128_GCM, 9, &dice),
         needy = person_new (people[0].suite, 10, &dice);
  MlsKeyPackage *suite = person_key_package (&other), *plain = NULL;
  MlsKeyPackageView changed = dora->view;
  MlsBuffer extensions = { 0 };
  MlsStaged *staged;

  forge_and_expect (MLS_UNSUPPORTED, put_add (&list, suite));
  guint8 key[32] = { 1 };
  changed.init_key = mls_slice (key, 32);
  MlsProposal add = { .type = MLS_PROPOSAL_ADD, .add = changed };
  forge_and_expect (MLS_BAD_SIGNATURE, put_value (&list, &add));
  add.add.init_key = add.add.leaf.encryption_key;
  forge_and_expect (MLS_INVALID_KEY_PACKAGE, put_value (&list, &add));

  /* A member who doesn't know the group's extension; and a group whose members don't all know a new one. */
  MlsClient client = person_client (&needy);
  client.n_extension_types = 0;
  fail_unless_ok (mls_key_package_new (&client, &plain));
  mls_put_extension (&extensions, TEST_EXTENSION, mls_slice ("x", 1));
  MlsSlice wanted = mls_buffer_slice (&extensions);
  MlsCommitRequest request = { .extensions = &wanted };
  fail_unless_ok (mls_group_commit (groups[ANNA], &request, &staged));
  for (guint i = BERT; i <= CARL; i++)
    fail_unless_ok (take_commit (groups[i], mls_staged_message (staged)));
  fail_unless_ok (mls_group_merge (groups[ANNA], staged, 0));
  MlsSlice message = mls_key_package_message (plain);
  MlsCommitRequest adds = { .add = &message, .n_add = 1 };
  fail_unless_result (
      mls_group_commit (groups[ANNA], &adds, &staged), MLS_INVALID_LEAF);
  forge_and_expect (MLS_INVALID_LEAF, put_add (&list, plain));
  mls_put_extension (&extensions, 0xf0ff, mls_slice ("x", 1));
  wanted = mls_buffer_slice (&extensions);
  fail_unless_result (
      mls_group_commit (groups[ANNA], &request, &staged), MLS_INVALID_LEAF);
  mls_put_extension (&extensions, 0xf0ff, mls_slice ("x", 1));
  wanted = mls_buffer_slice (&extensions);
  fail_unless_result (mls_group_commit (groups[ANNA], &request, &staged),
      MLS_MISUSE); /* one type twice */

  mls_buffer_free (&extensions);
  mls_key_package_free (plain);
  mls_key_package_free (suite);
  person_clear (&other);
  person_clear (&needy);
}
GST_END_TEST

GST_START_TEST (a_committer_refuses_what_a_receiver_would)
{
  uint32_t own = mls_epoch_own_leaf (mls_group_epoch (groups[ANNA])),
           twice[2] = { 1, 1 }, nobody = 3;
  MlsSlice adds[2] = { mls_key_package_message (dora),
    mls_key_package_message (dora) };
  MlsCommitRequest self = { .remove = &own, .n_remove = 1 },
                   two = { .remove = twice, .n_remove = 2 },
                   none = { .remove = &nobody, .n_remove = 1 },
                   same = { .add = adds, .n_add = 2 },
                   late = { .add = adds, .n_add = 1, .time = 3000 };
  MlsStaged *staged;
  fail_unless_result (
      mls_group_commit (groups[ANNA], &self, &staged), MLS_INVALID_PROPOSALS);
  fail_unless_result (
      mls_group_commit (groups[ANNA], &two, &staged), MLS_INVALID_PROPOSALS);
  fail_unless_result (
      mls_group_commit (groups[ANNA], &none, &staged), MLS_INVALID_PROPOSALS);
  /* here the encryption keys are the same, too */
  fail_unless_result (
      mls_group_commit (groups[ANNA], &same, &staged), MLS_INVALID_TREE);
  fail_unless_result (
      mls_group_commit (groups[ANNA], &late, &staged), MLS_EXPIRED);
}
GST_END_TEST

/* ---- keys ---- */

GST_START_TEST (generations_beyond_the_limits_are_refused)
{
  MlsBuffer messages[12] = { { 0 } };
  MlsEvent event;
  for (guint i = 0; i < 12; i++)
    fail_unless_ok (mls_group_protect (
        groups[ANNA], mls_slice ("x", 1), (MlsSlice){ 0 }, 0, &messages[i]));
  groups[BERT]->settings.window =
      256; /* has no effect on an epoch that has begun */
  fail_unless_ok (mls_group_process (
      groups[CARL], mls_buffer_slice (&messages[11]), 5, &event));
  mls_event_clear (&event);
  /* joined with the default window of 256; what is skipped is dropped with time */
  fail_unless_ok (mls_group_process (
      groups[CARL], mls_buffer_slice (&messages[0]), 5, &event));
  mls_event_clear (&event);
  mls_group_expire (groups[CARL], 6);
  fail_unless_result (mls_group_process (groups[CARL],
                          mls_buffer_slice (&messages[1]), 6, &event),
      MLS_REPLAYED);
  for (guint i = 0; i < 12; i++)
    mls_buffer_free (&messages[i]);

  MlsBuffer far = { 0 };
  for (guint i = 12; i <= MLS_MAX_FORWARD + 1; i++) {
    mls_buffer_free (&far);
    fail_unless_ok (mls_group_protect (
        groups[ANNA], mls_slice ("x", 1), (MlsSlice){ 0 }, 0, &far));
  }
  fail_unless_result (
      mls_group_process (groups[BERT], mls_buffer_slice (&far), 0, &event),
      MLS_TOO_FAR);
  fail_unless_ok (
      mls_group_process (groups[CARL], mls_buffer_slice (&far), 0, &event));
  mls_event_clear (&event);
  mls_buffer_free (&far);
}
GST_END_TEST

GST_START_TEST (a_window_keeps_only_the_last_generations)
{
  guint8 secret[32] = { 1 };
  MlsSecretTree *tree =
      mls_secret_tree_new (MLS_SUITE_AES_128_GCM, 4, secret, 3);
  MlsMessageKey key, other;
  fail_unless_ok (
      mls_secret_tree_find (tree, 2, MLS_RATCHET_APPLICATION, 10, &key));
  fail_unless_ok (mls_secret_tree_find (tree, 2, MLS_RATCHET_APPLICATION, 10,
      &other)); /* looking changes nothing */
  fail_unless (memcmp (&key, &other, 12) == 0);
  fail_unless_ok (
      mls_secret_tree_spend (tree, 2, MLS_RATCHET_APPLICATION, 10, 0));
  for (guint g = 0; g < 7; g++)
    fail_unless_result (
        mls_secret_tree_find (tree, 2, MLS_RATCHET_APPLICATION, g, &key),
        MLS_REPLAYED);
  for (guint g = 7; g < 10; g++)
    fail_unless_ok (
        mls_secret_tree_find (tree, 2, MLS_RATCHET_APPLICATION, g, &key));
  fail_unless_ok (
      mls_secret_tree_spend (tree, 2, MLS_RATCHET_APPLICATION, 8, 0));
  fail_unless_result (
      mls_secret_tree_find (tree, 2, MLS_RATCHET_APPLICATION, 8, &key),
      MLS_REPLAYED);
  fail_unless_ok (mls_secret_tree_find (
      tree, 2, MLS_RATCHET_HANDSHAKE, 0, &key)); /* its own ratchet */
  fail_unless_result (
      mls_secret_tree_find (tree, 2, MLS_RATCHET_HANDSHAKE, 0xffffffff, &key),
      MLS_TOO_FAR);
  fail_unless_result (
      mls_secret_tree_find (tree, 4, MLS_RATCHET_HANDSHAKE, 0, &key),
      MLS_UNKNOWN_SENDER);
  mls_secret_tree_free (tree);
}
GST_END_TEST

GST_START_TEST (messages_of_other_groups_and_epochs_are_refused)
{
  MlsGroup *other = person_create (&people[DORA], "another", NULL);
  MlsBuffer message = { 0 };
  MlsEvent event;
  fail_unless_ok (mls_group_protect (
      other, mls_slice ("x", 1), (MlsSlice){ 0 }, 0, &message));
  fail_unless_result (
      mls_group_process (groups[BERT], mls_buffer_slice (&message), 0, &event),
      MLS_WRONG_GROUP);
  fail_unless_result (mls_group_process (groups[BERT],
                          mls_key_package_message (dora), 0, &event),
      MLS_UNSUPPORTED);
  mls_buffer_free (&message);
  mls_group_free (other);

  /* A past epoch's application message is read while the epoch is kept; and not once it expired. */
  MlsBuffer old[2] = { { 0 } };
  MlsCommitRequest empty = { .path = true };
  MlsStaged *staged;
  for (guint i = 0; i < 2; i++)
    fail_unless_ok (mls_group_protect (
        groups[ANNA], mls_slice ("x", 1), (MlsSlice){ 0 }, 0, &old[i]));
  fail_unless_ok (mls_group_commit (groups[CARL], &empty, &staged));
  fail_unless_ok (take_commit (groups[BERT], mls_staged_message (staged)));
  fail_unless_ok (
      mls_group_process (groups[BERT], mls_buffer_slice (&old[1]), 0, &event));
  mls_event_clear (&event);
  mls_group_expire (groups[BERT], 1);
  fail_unless_result (
      mls_group_process (groups[BERT], mls_buffer_slice (&old[0]), 0, &event),
      MLS_WRONG_EPOCH);
  mls_staged_free (staged);
  mls_buffer_free (&old[0]);
  mls_buffer_free (&old[1]);
}
GST_END_TEST

/* ---- what stays in memory ---- */

/* How often `needle` stands in this process's memory, which is given inverted so as not to be found itself. */
static guint
scan_memory (const guint8 *inverted, gsize len)
{
  g_autofree char *maps = NULL;
  guint found = 0;
  int mem = open ("/proc/self/mem", O_RDONLY);
  fail_unless (
      mem >= 0 && g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (maps, "\n", -1);
  enum
  {
    CHUNK = 1 << 20
  };
  guint8 *chunk = g_malloc (CHUNK);
  for (guint i = 0; lines[i]; i++) {
    guint64 from, to;
    char mode[8] = "";
    if (sscanf (lines[i],
            "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x %7s", &from, &to,
            mode)
            != 3
        || mode[0] != 'r' || mode[1] != 'w' || strstr (lines[i], "[v"))
      continue;
    if (to - from > (guint64) 1 << 30) /* a sanitizer's shadow */
      continue;
    for (guint64 at = from; at < to; at += CHUNK - len) {
      gssize n = pread (
          mem, chunk, (gsize) MIN ((guint64) CHUNK, to - at), (off_t) at);
      for (gssize j = 0; j + (gssize) len <= n; j++) {
        gsize k = 0;
        while (k < len && (chunk[j + (gssize) k] ^ inverted[k]) == 0xff)
          k++;
        found += k == len;
      }
      if (n < CHUNK)
        break;
    }
  }
  memset (chunk, 0, CHUNK);
  g_free (chunk);
  close (mem);
  return found;
}

static void
invert (guint8 *out, const guint8 *in)
{
  for (guint i = 0; i < 32; i++)
    out[i] = (guint8) ~in[i];
}

GST_START_TEST (a_used_epoch_secret_is_nowhere_in_memory_after_a_removal)
{
  guint8 secrets[6][32];
  guint32 carl = mls_epoch_own_leaf (mls_group_epoch (groups[CARL]));
  const MlsEpoch *bert = mls_group_epoch (groups[BERT]);
  MlsCommitRequest request = { .remove = &carl, .n_remove = 1 };
  MlsStaged *staged;

  if (g_getenv ("CONCLAVE_SLOW")) {
    g_print ("SKIP: valgrind keeps copies of its own\n");
    return;
  }
  invert (secrets[0], bert->secrets->init);
  invert (secrets[1], bert->secrets->exporter);
  invert (secrets[2], bert->secrets->confirmation);
  invert (secrets[3], bert->secrets->membership);
  invert (secrets[4], bert->keys->key[0]); /* stays: Bert's leaf is the same */
  invert (secrets[5],
      bert->keys
          ->key[1]); /* Bert and Anna's node, which Anna's path replaces */
  fail_unless (bert->keys->have[1]);
  for (guint i = 0; i < 6; i++)
    fail_unless (scan_memory (secrets[i], 32) > 0,
        "the scan does not see what is there (%u)", i);

  fail_unless_ok (mls_group_commit (groups[ANNA], &request, &staged));
  for (guint i = BERT; i <= CARL; i++)
    fail_unless_ok (take_commit (groups[i], mls_staged_message (staged)));
  fail_unless_ok (mls_group_merge (groups[ANNA], staged, 0));
  fail_unless (mls_group_is_closed (groups[CARL]));

  for (guint i = 0; i < 6; i++)
    fail_unless_equals_int ((int) (scan_memory (secrets[i], 32) > 0), i == 4);
}
GST_END_TEST

static Suite *
mls_refuse_suite (void)
{
  Suite *suite = suite_create ("mls-refuse");
  TCase *tc = tcase_create ("general");
  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 0);
  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc,
      every_flipped_bit_and_every_cut_of_an_application_message_is_refused);
  tcase_add_loop_test (tc,
      every_flipped_bit_and_every_cut_of_a_commit_is_refused, 0,
      G_N_ELEMENTS (wires));
  tcase_add_loop_test (
      tc, every_flipped_bit_and_every_cut_of_a_proposal_is_refused, 1, 3);
  tcase_add_loop_test (
      tc, every_flipped_bit_and_every_cut_of_a_welcome_is_refused, 0, 2);
  tcase_add_test (
      tc, every_flipped_bit_and_every_cut_of_a_key_package_is_refused);
  tcase_add_test (tc, a_list_of_proposals_that_breaks_a_rule_is_refused);
  tcase_add_test (tc, an_update_and_a_remove_of_one_leaf_are_refused);
  tcase_add_test (tc, a_key_package_that_does_not_fit_is_refused);
  tcase_add_test (tc, a_committer_refuses_what_a_receiver_would);
  tcase_add_test (tc, generations_beyond_the_limits_are_refused);
  tcase_add_test (tc, a_window_keeps_only_the_last_generations);
  tcase_add_test (tc, messages_of_other_groups_and_epochs_are_refused);
  tcase_add_test (
      tc, a_used_epoch_secret_is_nowhere_in_memory_after_a_removal);
  return suite;
}

PURE_CHECK_MAIN (mls_refuse);

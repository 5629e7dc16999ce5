/* A member who has all the group's keys and lies: what she signs, encrypts and puts into a path, and what the others
 * answer.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../fuzz/mls-insider.h"
#include "pure.h"

#include "ext/mls/tree_validation.h"

#define fail_unless_result(call, want)                                        \
  G_STMT_START                                                                \
  {                                                                           \
    MlsResult got__ = (call);                                                 \
    fail_unless (got__ == (want), "%s: %s, not %s", #call,                    \
        mls_result_name (got__), mls_result_name (want));                     \
  }                                                                           \
  G_STMT_END

#define fail_unless_ok(call) fail_unless_result (call, MLS_OK)

typedef enum
{
  HONEST, /* but for the confirmation tag, which no test here gets right */
  ANOTHER_SECRET,
  ANOTHER_PARENT_HASH,
  THE_OLD_LEAF_KEY,
  THE_WRONG_SOURCE,
  ANOTHERS_SIGNATURE_KEY,
  A_FORGED_LEAF,
  A_KEY_OF_THE_TREE,
  A_CIPHERTEXT_TOO_FEW,
  A_NODE_TOO_FEW
} Fault;

/* Anna's leaf in `tree` with a fault, signed again unless it is the signature that is wrong. */
static void
spoil_leaf (Insider *in, MlsTree *tree, Fault fault)
{
  const MlsEpoch *e = in->anna->epoch;
  MlsLeafNode fields = mls_tree_leaf (tree, 0)->node;
  guint8 hash[32] = { 1 }, signature_key[64];
  MlsBuffer bytes = { 0 };

  memcpy (signature_key, secret_bytes (in->anna->signature_key), 64);
  if (fault == ANOTHER_PARENT_HASH)
    fields.parent_hash = mls_slice (hash, 32);
  else if (fault == THE_OLD_LEAF_KEY)
    fields.encryption_key = mls_tree_leaf (e->tree, 0)->node.encryption_key;
  else if (fault == THE_WRONG_SOURCE)
    fields.source = MLS_LEAF_UPDATE;
  else if (fault == ANOTHERS_SIGNATURE_KEY) {
    memcpy (signature_key, secret_bytes (in->bert->signature_key), 64);
    fields.signature_key = mls_slice (signature_key + 32, 32);
  } else if (fault == A_FORGED_LEAF)
    memcpy (signature_key, secret_bytes (in->bert->signature_key), 64);
  fail_unless (mls_leaf_node_sign (
      &bytes, &fields, signature_key, e->context.group_id, 0));
  mls_tree_set_leaf (tree, 0, mls_leaf_new (mls_buffer_slice (&bytes)));
  mls_buffer_free (&bytes);
}

/* The path with a fault in its nodes. */
static void
spoil_nodes (Insider *in, MlsBuffer *bytes, Fault fault)
{
  Reader r = mls_reader (mls_buffer_slice (bytes));
  MlsUpdatePath path;
  MlsBuffer nodes = { 0 }, out = { 0 };

  mls_update_path_read (&r, &path);
  Reader list = mls_reader (path.nodes);
  for (guint i = 0; reader_left (&list) > 0; i++) {
    MlsPathNode node;
    mls_path_node_read (&list, &node);
    if (fault == A_NODE_TOO_FEW && reader_left (&list) == 0)
      break;
    if (fault == A_KEY_OF_THE_TREE && i == 0)
      node.encryption_key =
          mls_tree_leaf (in->anna->epoch->tree, 2)->node.encryption_key;
    if (fault == A_CIPHERTEXT_TOO_FEW && i == 1)
      node.ciphertexts.len = 0;
    mls_put_opaque (&nodes, node.encryption_key);
    mls_put_opaque (&nodes, node.ciphertexts);
  }
  path.nodes = mls_buffer_slice (&nodes);
  mls_update_path_put (&out, &path);
  mls_buffer_free (&nodes);
  mls_buffer_free (bytes);
  *bytes = out;
}

/* Anna's commit of no proposals and a path with this fault, as Bert sees it. */
static MlsResult
forge_path (Insider *in, Fault fault)
{
  static const MlsHandshake how;
  const MlsEpoch *e = in->anna->epoch;
  MlsTree *tree = mls_tree_copy (e->tree);
  MlsTreeKeys *keys = mls_tree_keys_copy (e->keys);
  MlsPathSecrets *secrets = mls_path_secrets_new ();
  MlsGroupContext gc = e->context;
  MlsBuffer context = { 0 }, path = { 0 }, body = { 0 }, message = { 0 };
  MlsOpened sent;
  MlsEvent event;

  fail_unless_ok (mls_path_generate (tree, keys, secrets, 0,
      &mls_tree_leaf (tree, 0)->node, secret_bytes (in->anna->signature_key),
      gc.group_id, &in->anna->random));
  if (fault == ANOTHER_SECRET)
    secrets->secret[0][0] ^= 1;
  if (fault >= ANOTHER_PARENT_HASH && fault <= A_FORGED_LEAF)
    spoil_leaf (in, tree, fault);
  gc.epoch++;
  gc.tree_hash =
      mls_slice (mls_tree_hash (tree, mls_root (tree->n_leaves)), 32);
  mls_group_context_put (&context, &gc);
  fail_unless_ok (mls_path_encrypt ((MlsSuite) gc.suite, tree, secrets, NULL,
      mls_buffer_slice (&context), &in->anna->random, &path));
  if (fault >= A_KEY_OF_THE_TREE)
    spoil_nodes (in, &path, fault);
  mls_put_opaque (&body, (MlsSlice){ 0 });
  mls_put_uint (&body, 1, 1);
  mls_put_slice (&body, mls_buffer_slice (&path));
  fail_unless_ok (insider_send (in, MLS_CONTENT_COMMIT,
      mls_buffer_slice (&body), &how, &sent, &message));
  MlsResult result =
      mls_group_process (in->bert, mls_buffer_slice (&message), 0, &event);

  mls_tree_free (tree);
  mls_tree_keys_free (keys);
  mls_path_secrets_free (secrets);
  mls_opened_free (&sent);
  mls_buffer_free (&context);
  mls_buffer_free (&path);
  mls_buffer_free (&body);
  mls_buffer_free (&message);
  return result;
}

GST_START_TEST (a_path_that_lies_is_refused)
{
  Insider *in = insider_new (3);
  fail_unless_result (forge_path (in, HONEST), MLS_BAD_CONFIRMATION);
  /* 7.5: "Verify that the derived public keys are the same" */
  fail_unless_result (forge_path (in, ANOTHER_SECRET), MLS_INVALID_PATH);
  /* 7.9.2 */
  fail_unless_result (forge_path (in, ANOTHER_PARENT_HASH), MLS_INVALID_PATH);
  /* 7.3 */
  fail_unless_result (forge_path (in, THE_OLD_LEAF_KEY), MLS_INVALID_LEAF);
  fail_unless_result (forge_path (in, THE_WRONG_SOURCE), MLS_INVALID_LEAF);
  fail_unless_result (forge_path (in, A_FORGED_LEAF), MLS_BAD_SIGNATURE);
  fail_unless_result (
      forge_path (in, ANOTHERS_SIGNATURE_KEY), MLS_INVALID_PROPOSALS);
  /* 12.4.2: "none of the public keys in the UpdatePath appear in any node" */
  fail_unless_result (forge_path (in, A_KEY_OF_THE_TREE), MLS_INVALID_TREE);
  /* 7.6 */
  fail_unless_result (forge_path (in, A_CIPHERTEXT_TOO_FEW), MLS_INVALID_PATH);
  fail_unless_result (forge_path (in, A_NODE_TOO_FEW), MLS_INVALID_PATH);
  insider_free (in);
}
GST_END_TEST

/* A message in another's name: Anna can encrypt it with Carl's keys, but not sign it. */
static MlsResult
impersonate (Insider *in, MlsContentType type, MlsSlice body)
{
  MlsEpoch *e = in->anna->epoch;
  guint8 signature[64], tag[32] = { 0 };
  MlsBuffer message = { 0 };
  MlsEvent event;
  MlsContent content = { .wire_format = MLS_WIRE_PRIVATE_MESSAGE,
    .group_id = e->context.group_id,
    .epoch = e->context.epoch,
    .sender = { MLS_SENDER_MEMBER, 2 },
    .content_type = (guint8) type,
    .content = body };

  fail_unless (
      mls_content_sign (&content, secret_bytes (in->anna->signature_key),
          mls_buffer_slice (&e->context_bytes), signature));
  content.signature = mls_slice (signature, 64);
  content.confirmation_tag = mls_slice (tag, 32);
  mls_message_head_put (&message, MLS_WIRE_PRIVATE_MESSAGE);
  fail_unless_ok (mls_private_message_seal ((MlsSuite) e->context.suite, NULL,
      &content, e->secrets->sender_data, e->secret_tree, 0, &message));
  MlsResult result =
      mls_group_process (in->bert, mls_buffer_slice (&message), 0, &event);
  mls_event_clear (&event);
  mls_buffer_free (&message);
  return result;
}

GST_START_TEST (a_message_in_anothers_name_is_refused)
{
  Insider *in = insider_new (4);
  MlsMessageKey key;
  guint8 remove[6] = { 0, MLS_PROPOSAL_REMOVE, 0, 0, 0, 0 };
  guint8 empty[2] = { 0, 0 };
  fail_unless_result (
      impersonate (in, MLS_CONTENT_APPLICATION, mls_slice ("hello", 5)),
      MLS_BAD_SIGNATURE);
  fail_unless_result (
      impersonate (in, MLS_CONTENT_PROPOSAL, mls_slice (remove, 6)),
      MLS_BAD_SIGNATURE);
  fail_unless_result (
      impersonate (in, MLS_CONTENT_COMMIT, mls_slice (empty, 2)),
      MLS_BAD_SIGNATURE);
  /* It cost Carl nothing: his first keys are there. */
  fail_unless_ok (mls_secret_tree_find (
      in->bert->epoch->secret_tree, 2, MLS_RATCHET_APPLICATION, 0, &key));
  fail_unless_ok (mls_secret_tree_find (
      in->bert->epoch->secret_tree, 2, MLS_RATCHET_HANDSHAKE, 0, &key));
  insider_free (in);
}
GST_END_TEST

/* 6.3.1: "A receiver MUST verify that there are no non-zero bytes in the `padding` field". The padding is a sender's to
 * choose; this one puts a byte there. */
GST_START_TEST (padding_that_is_not_zero_is_refused)
{
  Insider *in = insider_new (5);
  MlsEpoch *e = in->anna->epoch;
  MlsSuite suite = (MlsSuite) e->context.suite;
  guint8 sender_data[12] = { 0 }, sealed_sender[28], ciphertext[200];
  guint32 generation;
  MlsMessageKey key;
  MlsEvent event;
  static const MlsHandshake how;
  MlsOutgoing outgoing;

  for (guint bad = 0; bad < 2; bad++) {
    MlsBuffer plain = { 0 }, aad = { 0 }, message = { 0 };
    fail_unless_ok (mls_outgoing_sign (in->anna, MLS_CONTENT_APPLICATION,
        mls_slice ("hello", 5), &how, &outgoing));
    mls_put_opaque (&plain, mls_slice ("hello", 5));
    mls_put_opaque (&plain, outgoing.content.signature);
    mls_put_uint (&plain, bad, 3);
    fail_unless_ok (mls_secret_tree_next (
        e->secret_tree, 0, MLS_RATCHET_APPLICATION, &generation, &key));
    MlsPrivateMessage pm = { .group_id = e->context.group_id,
      .epoch = e->context.epoch,
      .content_type = MLS_CONTENT_APPLICATION,
      .ciphertext = { ciphertext, plain.len + 16 },
      .encrypted_sender_data = { sealed_sender, 28 } };
    mls_put_opaque (&aad, pm.group_id);
    mls_put_uint (&aad, pm.epoch, 8);
    mls_put_uint (&aad, pm.content_type, 1);
    gsize head = aad.len;
    mls_put_opaque (&aad, (MlsSlice){ 0 });
    fail_unless (mls_aead_seal (suite, key.key, key.nonce,
        mls_buffer_slice (&aad), mls_buffer_slice (&plain), ciphertext));
    sender_data[7] = (guint8) generation;
    fail_unless (mls_sender_data_key (
        suite, e->secrets->sender_data, pm.ciphertext, &key));
    fail_unless (
        mls_aead_seal (suite, key.key, key.nonce, mls_slice (aad.data, head),
            mls_slice (sender_data, 12), sealed_sender));
    mls_message_head_put (&message, MLS_WIRE_PRIVATE_MESSAGE);
    mls_private_message_put (&message, &pm);
    fail_unless_result (
        mls_group_process (in->bert, mls_buffer_slice (&message), 0, &event),
        bad ? MLS_MALFORMED : MLS_OK);
    mls_event_clear (&event);
    mls_buffer_free (&plain);
    mls_buffer_free (&aad);
    mls_buffer_free (&message);
  }
  insider_free (in);
}
GST_END_TEST

/* ---- Welcomes that lie: everything is right but for one thing ---- */

typedef enum
{
  INFO_HONEST, /* but for the key schedule: the joiner secret is zeros */
  INFO_ANOTHER_TREE_HASH,
  INFO_ANOTHER_TREE,
  INFO_ANOTHERS_SIGNATURE,
  INFO_NO_SIGNER,
  INFO_WITHOUT_US,
  INFO_ANOTHER_PARENT_HASH
} InfoFault;

static MlsResult
forge_welcome (Insider *in, InfoFault fault)
{
  MlsSlice add = mls_key_package_message (in->dora);
  MlsCommitRequest request = { .add = &add, .n_add = 1, .path = true };
  MlsStaged *staged;
  MlsBuffer info = { 0 }, secrets = { 0 }, message = { 0 };
  MlsGroup *joined = NULL;

  fail_unless_ok (mls_group_commit (in->anna, &request, &staged));
  MlsEpoch *e = fault == INFO_WITHOUT_US ? in->anna->epoch : staged->epoch;
  guint8 hash[32] = { 0 };
  if (fault == INFO_ANOTHER_TREE_HASH)
    e->context.tree_hash = mls_slice (hash, 32);
  if (fault == INFO_ANOTHER_TREE)
    mls_tree_blank_path (e->tree, 0);
  if (fault == INFO_ANOTHER_PARENT_HASH) {
    /* a parent with a key that nobody's leaf vouches for; the tree hash is right */
    guint8 key[32] = { 9 };
    uint32_t root = mls_root (e->tree->n_leaves);
    mls_tree_set_parent (e->tree, root,
        mls_parent_new (mls_slice (key, 32), (MlsSlice){ 0 }, NULL, 0));
    e->context.tree_hash = mls_slice (mls_tree_hash (e->tree, root), 32);
  }
  guint32 own_leaf = e->own_leaf;
  if (fault == INFO_ANOTHERS_SIGNATURE)
    e->own_leaf = 1;
  if (fault == INFO_NO_SIGNER)
    e->own_leaf = 77;
  fail_unless_ok (
      mls_group_info_make (in->anna, e, true, false, false, &info));
  e->own_leaf = own_leaf;
  insider_secrets (&secrets);
  insider_welcome (
      in, mls_buffer_slice (&secrets), mls_buffer_slice (&info), &message);
  MlsResult result = mls_group_join (in->dora, mls_buffer_slice (&message),
      (MlsSlice){ 0 }, NULL, 0, NULL, &joined);
  mls_staged_free (staged);
  mls_buffer_free (&info);
  mls_buffer_free (&secrets);
  mls_buffer_free (&message);
  return result;
}

GST_START_TEST (a_welcome_that_lies_is_refused)
{
  static const MlsResult want[] = { [INFO_HONEST] = MLS_BAD_CONFIRMATION,
    [INFO_ANOTHER_TREE_HASH] = MLS_INVALID_TREE,
    [INFO_ANOTHER_TREE] = MLS_INVALID_TREE,
    [INFO_ANOTHERS_SIGNATURE] = MLS_BAD_SIGNATURE,
    [INFO_NO_SIGNER] = MLS_UNKNOWN_SENDER,
    [INFO_WITHOUT_US] = MLS_INVALID_TREE,
    [INFO_ANOTHER_PARENT_HASH] = MLS_INVALID_TREE };
  Insider *in = insider_new (6);
  fail_unless_result (forge_welcome (in, (InfoFault) __i__), want[__i__]);
  insider_free (in);
}
GST_END_TEST

/* 12.4.3.1: an unmerged leaf "represents a non-blank leaf node that is a descendant", and "every non-blank intermediate
 * node … also has an entry for the leaf". */
GST_START_TEST (unmerged_leaves_that_are_none_are_refused)
{
  static const struct
  {
    guint32 node, leaf;
    MlsResult want;
  } cases[] = {
    { 3, 2, MLS_OK },            /* Carl at the root: nothing in between */
    { 3, 3, MLS_INVALID_TREE },  /* a blank leaf */
    { 3, 1, MLS_INVALID_TREE },  /* Bert, whom the node in between knows */
    { 1, 2, MLS_INVALID_TREE },  /* not below that node */
    { 3, 77, MLS_INVALID_TREE }, /* beyond the tree */
  };
  Insider *in = insider_new (7);
  fail_unless (!mls_tree_is_blank (in->anna->epoch->tree, 1));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    MlsTree *tree = mls_tree_copy (in->anna->epoch->tree);
    guint8 key[32] = { 9 };
    mls_tree_set_parent (tree, cases[i].node,
        mls_parent_new (
            mls_slice (key, 32), (MlsSlice){ 0 }, &cases[i].leaf, 1));
    fail_unless_result (mls_tree_check_unmerged (tree), cases[i].want);
    mls_tree_free (tree);
  }
  insider_free (in);
}
GST_END_TEST

static Suite *
mls_forge_suite (void)
{
  Suite *suite = suite_create ("mls-forge");
  TCase *tc = tcase_create ("general");
  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 0);
  tcase_add_test (tc, a_path_that_lies_is_refused);
  tcase_add_test (tc, a_message_in_anothers_name_is_refused);
  tcase_add_test (tc, padding_that_is_not_zero_is_refused);
  tcase_add_loop_test (tc, a_welcome_that_lies_is_refused, 0, 7);
  tcase_add_test (tc, unmerged_leaves_that_are_none_are_refused);
  return suite;
}

PURE_CHECK_MAIN (mls_forge);

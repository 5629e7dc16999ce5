/* The files of mls-vectors.c that need more than one layer: welcome, tree-operations and the passive clients.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mls-vectors.h"

#include "ext/mls/crypto.h"
#include "ext/mls/group.h"
#include "ext/mls/group_info.h"
#include "ext/mls/proposal_list.h"

#include <sodium.h>
#include <string.h>

gboolean
run_welcome (Case *c)
{
  MlsSlice kp_bytes = hex_of (c, c->object, "key_package"),
           welcome_bytes = hex_of (c, c->object, "welcome");
  guint8 ref[32], welcome_secret[32], key[32], nonce[12], tag[32];
  MlsKeyPackageView kp;
  MlsWelcome welcome;
  MlsEncryptedSecrets entry;

  check (c, mls_key_package_inspect (kp_bytes, 0, &kp, ref) == MLS_OK,
      "key_package");
  Reader in = mls_reader (welcome_bytes);
  check (c, mls_message_head_read (&in) == MLS_WIRE_WELCOME, "wire format");
  mls_welcome_read (&in, &welcome);
  check (c, reader_done (&in) && mls_welcome_find (&welcome, ref, &entry),
      "no entry for the key package");
  if (c->failed)
    return TRUE;

  g_autofree guint8 *plain = g_malloc (entry.secrets.ciphertext.len + 1);
  check (c,
      mls_decrypt (c->suite, hex_of (c, c->object, "init_priv").data, NULL,
          "Welcome", welcome.encrypted_group_info, entry.secrets.kem_output,
          entry.secrets.ciphertext, plain),
      "decrypt the group secrets");
  MlsGroupSecrets secrets;
  in = reader_init (plain, entry.secrets.ciphertext.len - 16);
  mls_group_secrets_read (&in, &secrets);
  check (c, reader_done (&in) && secrets.joiner_secret.len == 32,
      "group secrets");
  if (c->failed)
    return TRUE;

  gsize len = welcome.encrypted_group_info.len - 16;
  g_autofree guint8 *info_bytes = g_malloc (len + 1);
  mls_welcome_secret (secrets.joiner_secret.data, NULL, welcome_secret);
  mls_welcome_key (c->suite, welcome_secret, key, nonce);
  check (c,
      mls_aead_open (c->suite, key, nonce, (MlsSlice){ 0 },
          welcome.encrypted_group_info, info_bytes),
      "decrypt the group info");
  MlsGroupInfo info;
  in = reader_init (info_bytes, len);
  mls_group_info_read (&in, &info);
  check (c, reader_done (&in), "group info");
  if (c->failed)
    return TRUE;
  check (c, mls_group_info_verify (&info, hex_of (c, c->object, "signer_pub")),
      "signature of the group info");
  MlsSecrets *epoch = mls_secrets_new ();
  mls_secrets_from_joiner (
      epoch, secrets.joiner_secret.data, NULL, info.context_raw);
  mls_mac (epoch->confirmation, info.context.confirmed_transcript_hash, tag);
  check_bytes (c, tag, 32, info.confirmation_tag, "confirmation tag");
  mls_secrets_free (epoch);
  return TRUE;
}

static MlsTree *
parse_tree (Case *c, const char *member)
{
  MlsSlice bytes = hex_of (c, c->object, member);
  Reader in = mls_reader (bytes);
  MlsTree *tree = NULL;
  check (c,
      mls_tree_parse (mls_read_opaque (&in), &tree) == MLS_OK
          && reader_done (&in),
      "%s does not decode", member);
  return tree;
}

gboolean
run_tree_operations (Case *c)
{
  MlsTree *tree = parse_tree (c, "tree_before");
  MlsSlice bytes = hex_of (c, c->object, "proposal");
  guint sender =
      (guint) json_object_get_int_member (c->object, "proposal_sender");
  Reader in = mls_reader (bytes);
  MlsProposal proposal;
  MlsProposalList list = { 0 };
  MlsBuffer out = { 0 };

  mls_proposal_read (&in, &proposal);
  check (c, reader_done (&in), "proposal does not decode");
  if (!tree || c->failed)
    return TRUE;
  check_bytes (c, mls_tree_hash (tree, mls_root (tree->n_leaves)), 32,
      hex_of (c, c->object, "tree_hash_before"), "tree_hash_before");
  MlsApplied *applied = mls_applied_new ();
  MlsListContext context = { .suite = c->suite };
  mls_proposal_list_add (
      &list, &proposal, (MlsSender){ MLS_SENDER_MEMBER, sender }, true);
  check (c, mls_proposal_list_apply (&list, &context, tree, applied) == MLS_OK,
      "apply");
  mls_tree_put (&out, tree);
  check_bytes (
      c, out.data, out.len, hex_of (c, c->object, "tree_after"), "tree_after");
  check_bytes (c, mls_tree_hash (tree, mls_root (tree->n_leaves)), 32,
      hex_of (c, c->object, "tree_hash_after"), "tree_hash_after");
  mls_applied_free (applied);
  mls_proposal_list_free (&list);
  mls_buffer_free (&out);
  mls_tree_free (tree);
  return TRUE;
}

static Secret *
secret_of (Case *c, JsonObject *object, const char *member)
{
  MlsSlice bytes = hex_of (c, object, member);
  return secret_copy (bytes.data, bytes.len);
}

static MlsGroup *
join (Case *c, const MlsPsk *psks, guint n_psks)
{
  Secret *signature = secret_of (c, c->object, "signature_priv"),
         *init = secret_of (c, c->object, "init_priv"),
         *encryption = secret_of (c, c->object, "encryption_priv");
  MlsKeyPackage *kp = NULL;
  MlsGroup *group = NULL;
  MlsSettings settings = mls_default_settings;
  settings.resumption = MLS_MAX_RESUMPTION;

  MlsResult result =
      mls_key_package_load (hex_of (c, c->object, "key_package"), signature,
          init, encryption, NULL, &kp);
  check (c, result == MLS_OK, "key_package: %s", mls_result_name (result));
  if (result == MLS_OK) {
    MlsSlice tree = { 0 };
    if (has (c->object, "ratchet_tree"))
      tree = hex_of (c, c->object, "ratchet_tree");
    result = mls_group_join (kp, hex_of (c, c->object, "welcome"), tree, psks,
        n_psks, &settings, &group);
    check (c, result == MLS_OK, "welcome: %s", mls_result_name (result));
  }
  mls_key_package_free (kp);
  secret_unref (signature);
  secret_unref (init);
  secret_unref (encryption);
  return group;
}

static void
follow (Case *c, MlsGroup *group, JsonObject *epoch, guint index)
{
  JsonArray *proposals = json_object_get_array_member (epoch, "proposals");
  MlsEvent event;

  for (guint i = 0; i < json_array_get_length (proposals); i++) {
    MlsResult result = mls_group_process (group,
        hex (c, json_array_get_string_element (proposals, i)), 0, &event);
    check (c, result == MLS_OK && event.type == MLS_EVENT_PROPOSAL,
        "epoch %u, proposal %u: %s", index, i, mls_result_name (result));
    mls_event_clear (&event);
  }
  MlsResult result =
      mls_group_process (group, hex_of (c, epoch, "commit"), 0, &event);
  check (c, result == MLS_OK && event.type == MLS_EVENT_COMMIT,
      "epoch %u, commit: %s", index, mls_result_name (result));
  if (event.commit) {
    check (c, mls_group_merge (group, event.commit, 0) == MLS_OK,
        "epoch %u, merge", index);
    event.commit = NULL;
  }
  mls_event_clear (&event);
  check_bytes (c, mls_epoch_authenticator (mls_group_epoch (group)), 32,
      hex_of (c, epoch, "epoch_authenticator"), "epoch_authenticator");
}

gboolean
run_passive_client (Case *c)
{
  JsonArray *list = json_object_get_array_member (c->object, "external_psks"),
            *epochs = json_object_get_array_member (c->object, "epochs");
  guint n_psks = json_array_get_length (list);
  MlsPsk *psks = g_new0 (MlsPsk, n_psks + 1);

  for (guint i = 0; i < n_psks; i++) {
    JsonObject *v = json_array_get_object_element (list, i);
    psks[i] = (MlsPsk){ .type = MLS_PSK_EXTERNAL,
      .id = hex_of (c, v, "psk_id"),
      .psk = secret_of (c, v, "psk") };
  }
  MlsGroup *group = join (c, psks, n_psks);
  if (group) {
    check_bytes (c, mls_epoch_authenticator (mls_group_epoch (group)), 32,
        hex_of (c, c->object, "initial_epoch_authenticator"),
        "initial_epoch_authenticator");
    for (guint i = 0; i < n_psks; i++)
      check (
          c, mls_group_add_psk (group, &psks[i]) == MLS_OK, "external_psks");
    for (guint i = 0; i < json_array_get_length (epochs) && !c->failed; i++)
      follow (c, group, json_array_get_object_element (epochs, i), i);
  }
  mls_group_free (group);
  for (guint i = 0; i < n_psks; i++)
    secret_unref (psks[i].psk);
  g_free (psks);
  return TRUE;
}

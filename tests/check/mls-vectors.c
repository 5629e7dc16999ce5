/* Runs files of the official MLS test vectors (repository mlswg/mls-implementations, whose test-vectors.md explains
 * them) for the cipher suites 1 and 3:
 *
 *     check-mls-vectors [FILE…]
 *
 * A file is known by its name. Says for each how many cases ran and how many passed. Exits with 1 when a case failed,
 * or when nothing of a file ran. Without arguments it runs the copies in tests/vectors/mls.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mls-vectors.h"

#include "ext/mls/crypto.h"
#include "ext/mls/framing.h"
#include "ext/mls/group_info.h"
#include "ext/mls/tree.h"

#include <sodium.h>
#include <string.h>

static GPtrArray *arena; /* memory of the current case */

MlsSlice
hex (Case *c, const char *text)
{
  gsize len = strlen (text) / 2;
  guint8 *out = g_malloc (len + 1);
  for (gsize i = 0; i < len; i++)
    out[i] = (guint8) (g_ascii_xdigit_value (text[2 * i]) << 4
                       | g_ascii_xdigit_value (text[2 * i + 1]));
  g_ptr_array_add (arena, out);
  return mls_slice (out, len);
}

gboolean
has (JsonObject *object, const char *member)
{
  return json_object_has_member (object, member)
         && !JSON_NODE_HOLDS_NULL (json_object_get_member (object, member));
}

void
check (Case *c, gboolean holds, const char *what, ...)
{
  if (holds)
    return;
  va_list args;
  va_start (args, what);
  g_autofree char *text = g_strdup_vprintf (what, args);
  va_end (args);
  if (!c->failed)
    g_printerr ("%s, case %u: %s\n", c->file, c->index, text);
  c->failed = TRUE;
}

MlsSlice
hex_of (Case *c, JsonObject *object, const char *member)
{
  if (!has (object, member)) {
    check (c, FALSE, "no member \"%s\"", member);
    return (MlsSlice){ 0 };
  }
  return hex (c, json_object_get_string_member (object, member));
}

void
check_bytes (
    Case *c, const void *got, gsize len, MlsSlice want, const char *what)
{
  check (c, mls_slice_equal (mls_slice (got, len), want), "%s differs", what);
}

void
secret_key_from_seed (MlsSlice seed, guint8 *secret_key)
{
  guint8 public_key[32];
  crypto_sign_seed_keypair (public_key, secret_key, seed.data);
}

static guint
uint_of (JsonObject *object, const char *member)
{
  return (guint) json_object_get_int_member (object, member);
}

/* tree-math */

static void
check_relation (Case *c, const char *name, guint n_nodes, guint node,
    gboolean there, guint got)
{
  JsonNode *want = json_array_get_element (
      json_object_get_array_member (c->object, name), node);
  check (c,
      JSON_NODE_HOLDS_NULL (want) == !there
          && (!there || json_node_get_int (want) == got),
      "%s of %u", name, node);
}

static gboolean
run_tree_math (Case *c)
{
  guint n_leaves = uint_of (c->object, "n_leaves"),
        n = uint_of (c->object, "n_nodes");
  check (c, mls_node_count (n_leaves) == n, "n_nodes");
  check (c, mls_root (n_leaves) == uint_of (c->object, "root"), "root");
  for (guint i = 0; i < n; i++) {
    gboolean parent = !mls_is_leaf (i), below = i != mls_root (n_leaves);
    check_relation (c, "left", n, i, parent, parent ? mls_left (i) : 0);
    check_relation (c, "right", n, i, parent, parent ? mls_right (i) : 0);
    check_relation (c, "parent", n, i, below, below ? mls_parent (i) : 0);
    check_relation (c, "sibling", n, i, below, below ? mls_sibling (i) : 0);
  }
  return TRUE;
}

/* crypto-basics */

static void
run_encrypt (Case *c, JsonObject *v)
{
  MlsSlice priv = hex_of (c, v, "priv"), pub = hex_of (c, v, "pub"),
           context = hex_of (c, v, "context");
  MlsSlice plain = hex_of (c, v, "plaintext"),
           kem = hex_of (c, v, "kem_output"), ct = hex_of (c, v, "ciphertext");
  const char *label = json_object_get_string_member (v, "label");
  g_autofree guint8 *out = g_malloc (plain.len + 64),
                    *again = g_malloc (plain.len + 64);
  guint8 kem_output[32];

  check (c,
      mls_decrypt (c->suite, priv.data, NULL, label, context, kem, ct, out),
      "decrypt_with_label");
  check_bytes (c, out, plain.len, plain, "decrypted plaintext");
  check (c,
      mls_encrypt (
          c->suite, NULL, pub, label, context, plain, kem_output, out),
      "encrypt_with_label");
  check (c,
      mls_decrypt (c->suite, priv.data, pub.data, label, context,
          mls_slice (kem_output, 32), mls_slice (out, plain.len + MLS_TAG_LEN),
          again),
      "decrypt what was encrypted");
  check_bytes (
      c, again, plain.len, plain, "plaintext encrypted and decrypted");
}

static gboolean
run_crypto_basics (Case *c)
{
  guint8 out[8160], key[64];
  JsonObject *v = json_object_get_object_member (c->object, "ref_hash");
  check (c,
      mls_ref_hash (json_object_get_string_member (v, "label"),
          hex_of (c, v, "value"), out),
      "ref_hash");
  check_bytes (c, out, 32, hex_of (c, v, "out"), "ref_hash");

  v = json_object_get_object_member (c->object, "expand_with_label");
  guint len = uint_of (v, "length");
  check (c,
      mls_expand (hex_of (c, v, "secret").data,
          json_object_get_string_member (v, "label"), hex_of (c, v, "context"),
          out, len),
      "expand_with_label");
  check_bytes (c, out, len, hex_of (c, v, "out"), "expand_with_label");

  v = json_object_get_object_member (c->object, "derive_secret");
  check (c,
      mls_derive_secret (hex_of (c, v, "secret").data,
          json_object_get_string_member (v, "label"), out),
      "derive_secret");
  check_bytes (c, out, 32, hex_of (c, v, "out"), "derive_secret");

  v = json_object_get_object_member (c->object, "derive_tree_secret");
  len = uint_of (v, "length");
  check (c,
      mls_derive_tree_secret (hex_of (c, v, "secret").data,
          json_object_get_string_member (v, "label"),
          uint_of (v, "generation"), out, len),
      "derive_tree_secret");
  check_bytes (c, out, len, hex_of (c, v, "out"), "derive_tree_secret");

  v = json_object_get_object_member (c->object, "sign_with_label");
  const char *label = json_object_get_string_member (v, "label");
  MlsSlice pub = hex_of (c, v, "pub"), content = hex_of (c, v, "content");
  check (c, mls_verify (pub, label, content, hex_of (c, v, "signature")),
      "verify_with_label");
  secret_key_from_seed (hex_of (c, v, "priv"), key);
  check (c,
      mls_sign (key, label, content, out)
          && mls_verify (pub, label, content, mls_slice (out, 64)),
      "verify what was signed");

  run_encrypt (
      c, json_object_get_object_member (c->object, "encrypt_with_label"));
  return TRUE;
}

/* deserialization */

static gboolean
run_deserialization (Case *c)
{
  MlsSlice header = hex_of (c, c->object, "vlbytes_header");
  guint want = uint_of (c->object, "length");
  Reader in = mls_reader (header);
  check (c, mls_read_varint (&in) == want && reader_done (&in), "length");
  MlsBuffer out = { 0 };
  mls_put_varint (&out, want);
  check_bytes (c, out.data, out.len, header, "vlbytes_header written");
  mls_buffer_free (&out);
  return TRUE;
}

/* messages: each decodes, wholly, and encodes to the same bytes */

static void
reencode_message (Case *c, const char *name, guint wire_format)
{
  MlsSlice bytes = hex_of (c, c->object, name);
  Reader in = mls_reader (bytes);
  MlsBuffer out = { 0 };
  union
  {
    MlsWelcome welcome;
    MlsGroupInfo info;
    MlsKeyPackageView key_package;
    MlsPublicMessage public_message;
    MlsPrivateMessage private_message;
  } u;

  check (
      c, mls_message_head_read (&in) == wire_format, "%s: wire format", name);
  mls_message_head_put (&out, (guint16) wire_format);
  switch (wire_format) {
    case MLS_WIRE_WELCOME:
      mls_welcome_read (&in, &u.welcome);
      mls_welcome_put (&out, &u.welcome);
      break;
    case MLS_WIRE_GROUP_INFO:
      mls_group_info_read (&in, &u.info);
      mls_group_info_put (&out, &u.info);
      break;
    case MLS_WIRE_KEY_PACKAGE:
      mls_key_package_read (&in, &u.key_package);
      mls_key_package_put (&out, &u.key_package);
      break;
    case MLS_WIRE_PUBLIC_MESSAGE:
      mls_public_message_read (&in, &u.public_message);
      mls_public_message_put (&out, &u.public_message);
      break;
    default:
      mls_private_message_read (&in, &u.private_message);
      mls_private_message_put (&out, &u.private_message);
  }
  check (c, reader_done (&in), "%s does not decode", name);
  check_bytes (c, out.data, out.len, bytes, name);
  mls_buffer_free (&out);
}

/* The files hold proposals without their type in front. */
static void
reencode_proposal (Case *c, const char *name, guint type)
{
  MlsSlice body = hex_of (c, c->object, name);
  MlsBuffer whole = { 0 }, out = { 0 };
  MlsProposal proposal;
  mls_put_uint (&whole, type, 2);
  mls_put_slice (&whole, body);
  Reader in = mls_reader (mls_buffer_slice (&whole));
  mls_proposal_read (&in, &proposal);
  check (c, reader_done (&in), "%s does not decode", name);
  if (!c->failed) {
    mls_proposal_put (&out, &proposal);
    check_bytes (c, out.data, out.len, mls_buffer_slice (&whole), name);
  }
  mls_buffer_free (&whole);
  mls_buffer_free (&out);
}

static gboolean
run_messages (Case *c)
{
  reencode_message (c, "mls_welcome", MLS_WIRE_WELCOME);
  reencode_message (c, "mls_group_info", MLS_WIRE_GROUP_INFO);
  reencode_message (c, "mls_key_package", MLS_WIRE_KEY_PACKAGE);
  reencode_message (c, "public_message_application", MLS_WIRE_PUBLIC_MESSAGE);
  reencode_message (c, "public_message_proposal", MLS_WIRE_PUBLIC_MESSAGE);
  reencode_message (c, "public_message_commit", MLS_WIRE_PUBLIC_MESSAGE);
  reencode_message (c, "private_message", MLS_WIRE_PRIVATE_MESSAGE);
  reencode_proposal (c, "add_proposal", MLS_PROPOSAL_ADD);
  reencode_proposal (c, "update_proposal", MLS_PROPOSAL_UPDATE);
  reencode_proposal (c, "remove_proposal", MLS_PROPOSAL_REMOVE);
  reencode_proposal (c, "pre_shared_key_proposal", MLS_PROPOSAL_PSK);
  reencode_proposal (c, "re_init_proposal", MLS_PROPOSAL_REINIT);
  reencode_proposal (c, "external_init_proposal", MLS_PROPOSAL_EXTERNAL_INIT);
  reencode_proposal (c, "group_context_extensions_proposal",
      MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS);

  MlsBuffer out = { 0 };
  MlsSlice bytes = hex_of (c, c->object, "commit");
  Reader in = mls_reader (bytes);
  MlsCommit commit;
  mls_commit_read (&in, &commit);
  check (c, reader_done (&in), "commit does not decode");
  if (!c->failed)
    mls_commit_put (&out, &commit);
  check_bytes (c, out.data, out.len, bytes, "commit");
  mls_buffer_free (&out);

  bytes = hex_of (c, c->object, "group_secrets");
  in = mls_reader (bytes);
  MlsGroupSecrets secrets;
  mls_group_secrets_read (&in, &secrets);
  check (c, reader_done (&in), "group_secrets does not decode");
  mls_group_secrets_put (&out, &secrets);
  check_bytes (c, out.data, out.len, bytes, "group_secrets");
  mls_buffer_free (&out);

  bytes = hex_of (c, c->object, "ratchet_tree");
  in = mls_reader (bytes);
  MlsTree *tree = NULL;
  MlsResult result = mls_tree_parse (mls_read_opaque (&in), &tree);
  check (c, result == MLS_OK && reader_done (&in),
      "ratchet_tree does not decode: %s", mls_result_name (result));
  if (tree)
    mls_tree_put (&out, tree);
  check_bytes (c, out.data, out.len, bytes, "ratchet_tree");
  mls_tree_free (tree);
  mls_buffer_free (&out);
  return TRUE;
}

/* secret-tree */

static void
check_generation (Case *c, MlsSecretTree *tree, guint leaf, JsonObject *want,
    MlsRatchetType type)
{
  guint generation = uint_of (want, "generation");
  gboolean handshake = type == MLS_RATCHET_HANDSHAKE;
  MlsMessageKey key;
  MlsResult result = mls_secret_tree_find (tree, leaf, type, generation, &key);
  check (c, result == MLS_OK, "leaf %u, generation %u: %s", leaf, generation,
      mls_result_name (result));
  if (result != MLS_OK)
    return;
  check_bytes (c, key.key, mls_aead_key_len (c->suite),
      hex_of (c, want, handshake ? "handshake_key" : "application_key"),
      "key");
  check_bytes (c, key.nonce, MLS_NONCE_LEN,
      hex_of (c, want, handshake ? "handshake_nonce" : "application_nonce"),
      "nonce");
  check (c, mls_secret_tree_spend (tree, leaf, type, generation, 0) == MLS_OK,
      "spend");
  check (c,
      mls_secret_tree_find (tree, leaf, type, generation, &key)
          == MLS_REPLAYED,
      "a key is given twice");
}

static gboolean
run_secret_tree (Case *c)
{
  JsonObject *v = json_object_get_object_member (c->object, "sender_data");
  MlsMessageKey key;
  check (c,
      mls_sender_data_key (c->suite, hex_of (c, v, "sender_data_secret").data,
          hex_of (c, v, "ciphertext"), &key),
      "sender data");
  check_bytes (c, key.key, mls_aead_key_len (c->suite), hex_of (c, v, "key"),
      "sender data key");
  check_bytes (c, key.nonce, MLS_NONCE_LEN, hex_of (c, v, "nonce"),
      "sender data nonce");

  JsonArray *leaves = json_object_get_array_member (c->object, "leaves");
  guint n = json_array_get_length (leaves);
  MlsSecretTree *tree = mls_secret_tree_new (
      c->suite, n, hex_of (c, c->object, "encryption_secret").data, 16);
  for (guint leaf = 0; leaf < n; leaf++) {
    JsonArray *list = json_array_get_array_element (leaves, leaf);
    guint count = json_array_get_length (list);
    for (
        guint i = 0; i < count;
        i++) { /* one ratchet forwards, one backwards, as far as the window reaches */
      check_generation (c, tree, leaf, json_array_get_object_element (list, i),
          MLS_RATCHET_HANDSHAKE);
      check_generation (c, tree, leaf,
          json_array_get_object_element (list, count - 1 - i),
          MLS_RATCHET_APPLICATION);
    }
  }
  mls_secret_tree_free (tree);
  return TRUE;
}

/* message-protection */

static bool
everybody (void *user, uint32_t leaf)
{
  return leaf < 2;
}

typedef struct
{
  MlsSlice context, sender_data_secret, encryption_secret, membership_key,
      public_key;
  guint8 secret_key[64];
} Protection;

static void
check_content (Case *c, const MlsOpened *opened, const Protection *p,
    MlsSlice raw, guint type, const char *what)
{
  check (c, mls_content_verify (&opened->content, p->public_key, p->context),
      "%s: signature", what);
  check (c,
      opened->content.content_type == type
          && opened->content.sender.type == MLS_SENDER_MEMBER
          && opened->content.sender.index == 1,
      "%s: sender or type", what);
  check_bytes (
      c, opened->content.content.data, opened->content.content.len, raw, what);
}

static void
open_public (Case *c, const Protection *p, MlsSlice bytes, MlsSlice raw,
    guint type, const char *what)
{
  Reader in = mls_reader (bytes);
  MlsPublicMessage message;
  MlsOpened opened;
  check (c, mls_message_head_read (&in) == MLS_WIRE_PUBLIC_MESSAGE,
      "%s: wire format", what);
  mls_public_message_read (&in, &message);
  check (c, reader_done (&in), "%s does not decode", what);
  if (c->failed)
    return;
  MlsResult result = mls_public_message_open (
      &message, p->context, p->membership_key.data, &opened);
  check (c, result == MLS_OK, "%s: %s", what, mls_result_name (result));
  if (result == MLS_OK)
    check_content (c, &opened, p, raw, type, what);
  mls_opened_free (&opened);
}

static void
open_private (Case *c, const Protection *p, MlsSlice bytes, MlsSlice raw,
    guint type, const char *what)
{
  MlsSecretTree *tree =
      mls_secret_tree_new (c->suite, 2, p->encryption_secret.data, 16);
  Reader in = mls_reader (bytes);
  MlsPrivateMessage message;
  MlsOpened opened = { { 0 } };
  check (c, mls_message_head_read (&in) == MLS_WIRE_PRIVATE_MESSAGE,
      "%s: wire format", what);
  mls_private_message_read (&in, &message);
  check (c, reader_done (&in), "%s does not decode", what);
  if (!c->failed) {
    MlsResult result = mls_private_message_open (c->suite, &message,
        p->sender_data_secret.data, tree, everybody, NULL, 0, &opened);
    check (c, result == MLS_OK, "%s: %s", what, mls_result_name (result));
    if (result == MLS_OK)
      check_content (c, &opened, p, raw, type, what);
  }
  mls_opened_free (&opened);
  mls_secret_tree_free (tree);
}

/* Signs `raw` anew, in both formats, and opens it. */
static void
protect (Case *c, const Protection *p, MlsSlice group_id, guint64 epoch,
    MlsSlice raw, guint type)
{
  guint8 signature[64], tag[32], confirmation_tag[32] = { 1, 2, 3 };
  MlsContent content = { .wire_format = MLS_WIRE_PRIVATE_MESSAGE,
    .group_id = group_id,
    .epoch = epoch,
    .sender = { MLS_SENDER_MEMBER, 1 },
    .content_type = (guint8) type,
    .content = raw,
    .signature = { signature, 64 },
    .confirmation_tag = { confirmation_tag, 32 } };
  MlsBuffer out = { 0 };

  MlsSecretTree *tree =
      mls_secret_tree_new (c->suite, 2, p->encryption_secret.data, 16);
  check (c, mls_content_sign (&content, p->secret_key, p->context, signature),
      "sign");
  mls_message_head_put (&out, MLS_WIRE_PRIVATE_MESSAGE);
  check (c,
      mls_private_message_seal (c->suite, NULL, &content,
          p->sender_data_secret.data, tree, 128, &out)
          == MLS_OK,
      "protect");
  open_private (
      c, p, mls_buffer_slice (&out), raw, type, "private message of ours");
  mls_buffer_free (&out);
  mls_secret_tree_free (tree);

  content.wire_format = MLS_WIRE_PUBLIC_MESSAGE;
  check (c, mls_content_sign (&content, p->secret_key, p->context, signature),
      "sign");
  check (c,
      mls_membership_tag (&content, p->context, p->membership_key.data, tag),
      "membership tag");
  MlsPublicMessage message = { content, { tag, 32 } };
  mls_message_head_put (&out, MLS_WIRE_PUBLIC_MESSAGE);
  mls_public_message_put (&out, &message);
  open_public (
      c, p, mls_buffer_slice (&out), raw, type, "public message of ours");
  mls_buffer_free (&out);
}

static gboolean
run_message_protection (Case *c)
{
  Protection p;
  MlsBuffer context = { 0 };
  MlsGroupContext gc = { 1, (guint16) c->suite,
    hex_of (c, c->object, "group_id"),
    (guint64) json_object_get_int_member (c->object, "epoch"),
    hex_of (c, c->object, "tree_hash"),
    hex_of (c, c->object, "confirmed_transcript_hash"), { 0 } };
  mls_group_context_put (&context, &gc);
  p.context = mls_buffer_slice (&context);
  p.sender_data_secret = hex_of (c, c->object, "sender_data_secret");
  p.encryption_secret = hex_of (c, c->object, "encryption_secret");
  p.membership_key = hex_of (c, c->object, "membership_key");
  p.public_key = hex_of (c, c->object, "signature_pub");
  secret_key_from_seed (hex_of (c, c->object, "signature_priv"), p.secret_key);

  MlsSlice proposal = hex_of (c, c->object, "proposal"),
           commit = hex_of (c, c->object, "commit"),
           application = hex_of (c, c->object, "application");
  open_public (c, &p, hex_of (c, c->object, "proposal_pub"), proposal,
      MLS_CONTENT_PROPOSAL, "proposal_pub");
  open_private (c, &p, hex_of (c, c->object, "proposal_priv"), proposal,
      MLS_CONTENT_PROPOSAL, "proposal_priv");
  open_public (c, &p, hex_of (c, c->object, "commit_pub"), commit,
      MLS_CONTENT_COMMIT, "commit_pub");
  open_private (c, &p, hex_of (c, c->object, "commit_priv"), commit,
      MLS_CONTENT_COMMIT, "commit_priv");
  open_private (c, &p, hex_of (c, c->object, "application_priv"), application,
      MLS_CONTENT_APPLICATION, "application_priv");
  protect (c, &p, gc.group_id, gc.epoch, proposal, MLS_CONTENT_PROPOSAL);
  protect (c, &p, gc.group_id, gc.epoch, commit, MLS_CONTENT_COMMIT);
  protect (c, &p, gc.group_id, gc.epoch, application, MLS_CONTENT_APPLICATION);
  mls_buffer_free (&context);
  return TRUE;
}

/* key-schedule */

static gboolean
run_key_schedule (Case *c)
{
  guint8 init[32], joiner[32], welcome[32], priv[32], pub[32];
  JsonArray *epochs = json_object_get_array_member (c->object, "epochs");
  MlsSecrets *s = mls_secrets_new ();

  memcpy (init, hex_of (c, c->object, "initial_init_secret").data, 32);
  for (guint i = 0; i < json_array_get_length (epochs); i++) {
    JsonObject *e = json_array_get_object_element (epochs, i);
    MlsBuffer context = { 0 };
    MlsGroupContext gc = { 1, (guint16) c->suite,
      hex_of (c, c->object, "group_id"), i, hex_of (c, e, "tree_hash"),
      hex_of (c, e, "confirmed_transcript_hash"), { 0 } };
    MlsSlice psk = hex_of (c, e, "psk_secret");
    mls_group_context_put (&context, &gc);
    check_bytes (c, context.data, context.len, hex_of (c, e, "group_context"),
        "group_context");
    MlsSlice ctx = mls_buffer_slice (&context);
    check (c,
        mls_joiner_secret (
            init, hex_of (c, e, "commit_secret").data, ctx, joiner),
        "joiner_secret");
    check (
        c, mls_welcome_secret (joiner, psk.data, welcome), "welcome_secret");
    check (c, mls_secrets_from_joiner (s, joiner, psk.data, ctx),
        "epoch secrets");
    check_bytes (
        c, joiner, 32, hex_of (c, e, "joiner_secret"), "joiner_secret");
    check_bytes (
        c, welcome, 32, hex_of (c, e, "welcome_secret"), "welcome_secret");
    check_bytes (c, s->init, 32, hex_of (c, e, "init_secret"), "init_secret");
    check_bytes (c, s->sender_data, 32, hex_of (c, e, "sender_data_secret"),
        "sender_data_secret");
    check_bytes (c, s->encryption, 32, hex_of (c, e, "encryption_secret"),
        "encryption_secret");
    check_bytes (c, s->exporter, 32, hex_of (c, e, "exporter_secret"),
        "exporter_secret");
    check_bytes (c, s->authenticator, 32, hex_of (c, e, "epoch_authenticator"),
        "epoch_authenticator");
    check_bytes (c, s->external, 32, hex_of (c, e, "external_secret"),
        "external_secret");
    check_bytes (c, s->confirmation, 32, hex_of (c, e, "confirmation_key"),
        "confirmation_key");
    check_bytes (c, s->membership, 32, hex_of (c, e, "membership_key"),
        "membership_key");
    check_bytes (c, s->resumption, 32, hex_of (c, e, "resumption_psk"),
        "resumption_psk");
    check (
        c, mls_derive_key_pair (s->external, priv, pub), "external key pair");
    check_bytes (c, pub, 32, hex_of (c, e, "external_pub"), "external_pub");

    JsonObject *x = json_object_get_object_member (e, "exporter");
    const char *label = json_object_get_string_member (x, "label");
    guint len = uint_of (x, "length");
    g_autofree guint8 *out = g_malloc (len + 1);
    check (c,
        mls_exporter (s->exporter, mls_slice (label, strlen (label)),
            hex_of (c, x, "context"), out, len),
        "exporter");
    check_bytes (c, out, len, hex_of (c, x, "secret"), "exporter.secret");
    memcpy (init, s->init, 32);
    mls_buffer_free (&context);
  }
  mls_secrets_free (s);
  return TRUE;
}

/* psk_secret */

static gboolean
run_psk_secret (Case *c)
{
  JsonArray *list = json_object_get_array_member (c->object, "psks");
  guint n = json_array_get_length (list);
  MlsPskId *ids = g_new0 (MlsPskId, n + 1);
  Secret **psks = g_new0 (Secret *, n + 1);
  guint8 out[32];

  for (guint i = 0; i < n; i++) {
    JsonObject *v = json_array_get_object_element (list, i);
    MlsSlice psk = hex_of (c, v, "psk");
    ids[i].type = MLS_PSK_EXTERNAL;
    ids[i].id = hex_of (c, v, "psk_id");
    ids[i].nonce = hex_of (c, v, "psk_nonce");
    psks[i] = secret_copy (psk.data, psk.len);
  }
  check (c, mls_psk_secret (ids, psks, n, out), "psk_secret");
  check_bytes (c, out, 32, hex_of (c, c->object, "psk_secret"), "psk_secret");
  for (guint i = 0; i < n; i++)
    secret_unref (psks[i]);
  g_free (ids);
  g_free (psks);
  return TRUE;
}

/* transcript-hashes */

static gboolean
run_transcript_hashes (Case *c)
{
  MlsSlice bytes = hex_of (c, c->object, "authenticated_content");
  Reader in = mls_reader (bytes);
  MlsContent content;
  guint8 confirmed[32], interim[32], tag[32];

  mls_content_read (&in, &content);
  check (c, reader_done (&in) && content.content_type == MLS_CONTENT_COMMIT,
      "authenticated_content is no commit");
  if (c->failed)
    return TRUE;
  check (c,
      mls_confirmed_transcript_hash (
          hex_of (c, c->object, "interim_transcript_hash_before"),
          content.wire_format, content.framed, content.signature, confirmed),
      "confirmed_transcript_hash");
  check_bytes (c, confirmed, 32,
      hex_of (c, c->object, "confirmed_transcript_hash_after"),
      "confirmed_transcript_hash");
  mls_mac (hex_of (c, c->object, "confirmation_key").data,
      mls_slice (confirmed, 32), tag);
  check_bytes (c, tag, 32, content.confirmation_tag, "confirmation_tag");
  check (c,
      mls_interim_transcript_hash (
          mls_slice (confirmed, 32), content.confirmation_tag, interim),
      "interim");
  check_bytes (c, interim, 32,
      hex_of (c, c->object, "interim_transcript_hash_after"),
      "interim_transcript_hash");
  return TRUE;
}

/* The files by name. Those of the interop set are passive clients under other names. */
static const struct
{
  const char *prefix;
  CaseFunc run;
  gboolean any_suite; /* its cases name none */
} kinds[] = {
  { "tree-math", run_tree_math, TRUE },
  { "crypto-basics", run_crypto_basics, FALSE },
  { "deserialization", run_deserialization, TRUE },
  { "messages", run_messages, TRUE },
  { "secret-tree", run_secret_tree, FALSE },
  { "message-protection", run_message_protection, FALSE },
  { "key-schedule", run_key_schedule, FALSE },
  { "psk_secret", run_psk_secret, FALSE },
  { "transcript-hashes", run_transcript_hashes, FALSE },
  { "tree-validation", run_tree_validation, FALSE },
  { "treekem", run_treekem, FALSE },
  { "tree-operations", run_tree_operations, FALSE },
  { "welcome", run_welcome, FALSE },
  { "passive-client-", run_passive_client, FALSE },
};

static gboolean
run_file (const char *path)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  guint kind = 0, ran = 0, passed = 0;

  while (kind < G_N_ELEMENTS (kinds)
         && !g_str_has_prefix (name, kinds[kind].prefix))
    kind++;
  if (kind == G_N_ELEMENTS (kinds)) {
    g_printerr ("%s: no kind of test vectors has this name\n", path);
    return FALSE;
  }
  if (!json_parser_load_from_file (parser, path, &error)) {
    g_printerr ("%s: %s\n", path, error->message);
    return FALSE;
  }
  JsonNode *root = json_parser_get_root (parser);
  if (!root || !JSON_NODE_HOLDS_ARRAY (root)) {
    g_printerr ("%s: not an array of cases\n", path);
    return FALSE;
  }
  JsonArray *cases = json_node_get_array (root);
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    Case c = { 0, json_array_get_element (cases, i),
      json_array_get_object_element (cases, i), FALSE, name, i };
    if (!kinds[kind].any_suite) {
      c.suite = (MlsSuite) json_object_get_int_member_with_default (
          c.object, "cipher_suite", 0);
      if (!mls_suite_known (c.suite))
        continue;
    }
    arena = g_ptr_array_new_with_free_func (g_free);
    if (kinds[kind].run (&c)) {
      ran++;
      passed += !c.failed;
    }
    g_ptr_array_unref (arena);
  }
  g_print ("%-44s %4u cases, %4u ran, %4u passed\n", name,
      json_array_get_length (cases), ran, passed);
  return ran > 0 && passed == ran;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

int
main (int argc, char **argv)
{
  gboolean ok = TRUE;

  if (!core_init ())
    return 1;
  if (argc > 1) {
    for (int i = 1; i < argc; i++)
      ok = run_file (argv[i]) && ok;
    return ok ? 0 : 1;
  }

  const char *top = g_getenv ("CONCLAVE_TEST_DATA");
  g_autofree char *folder =
      g_build_filename (top ? top : "tests", "vectors", "mls", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *entry;
  while (dir && (entry = g_dir_read_name (dir)))
    if (g_str_has_suffix (entry, ".json"))
      g_ptr_array_add (names, g_build_filename (folder, entry, NULL));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++)
    ok = run_file (g_ptr_array_index (names, i)) && ok;
  return ok && names->len > 0 ? 0 : 1;
}

/* The files of mls-vectors.c that are about ratchet trees: tree-validation and treekem.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mls-vectors.h"

#include "ext/mls/crypto.h"
#include "ext/mls/tree_validation.h"
#include "ext/mls/treekem.h"

#include <string.h>

static guint
uint_of (JsonObject *object, const char *member)
{
  return (guint) json_object_get_int_member (object, member);
}

static MlsTree *
parse_tree (Case *c, MlsSlice bytes)
{
  Reader in = mls_reader (bytes);
  MlsTree *tree = NULL;
  MlsResult result = mls_tree_parse (mls_read_opaque (&in), &tree);
  check (c, result == MLS_OK && reader_done (&in),
      "the tree does not decode: %s", mls_result_name (result));
  return tree;
}

/* tree-validation */

gboolean
run_tree_validation (Case *c)
{
  MlsTree *tree = parse_tree (c, hex_of (c, c->object, "tree"));
  JsonArray *resolutions =
                json_object_get_array_member (c->object, "resolutions"),
            *hashes = json_object_get_array_member (c->object, "tree_hashes");
  if (!tree)
    return TRUE;
  check (c,
      json_array_get_length (resolutions) == mls_node_count (tree->n_leaves),
      "number of nodes");
  for (guint i = 0; i < json_array_get_length (resolutions) && !c->failed;
       i++) {
    JsonArray *want = json_array_get_array_element (resolutions, i);
    MlsIndices got = { 0 };
    mls_tree_resolution (tree, i, &got);
    check (c, got.len == json_array_get_length (want),
        "length of the resolution of %u", i);
    for (guint j = 0; j < got.len && !c->failed; j++)
      check (c, got.at[j] == json_array_get_int_element (want, j),
          "resolution of %u", i);
    mls_indices_free (&got);
    check_bytes (c, mls_tree_hash (tree, i), 32,
        hex (c, json_array_get_string_element (hashes, i)), "tree hash");
  }
  MlsResult result = mls_tree_validate (
      tree, c->suite, hex_of (c, c->object, "group_id"), (MlsSlice){ 0 });
  check (c, result == MLS_OK, "the tree is refused: %s",
      mls_result_name (result));
  mls_tree_free (tree);
  return TRUE;
}

/* treekem */

typedef struct
{
  guint index;
  MlsTreeKeys *keys;
  guint8 secret_key[64];
} Private;

static void
check_key (Case *c, const MlsTree *tree, guint node, const guint8 *private_key)
{
  guint8 public_key[32];
  check (c,
      !mls_tree_is_blank (tree, node)
          && mls_public_key (private_key, public_key),
      "node %u is blank", node);
  if (!mls_tree_is_blank (tree, node))
    check_bytes (c, public_key, 32,
        mls_is_leaf (node) ? tree->nodes[node].leaf->node.encryption_key
                           : tree->nodes[node].parent->encryption_key,
        "public key of a private one");
}

static GArray *
read_privates (Case *c, const MlsTree *tree)
{
  JsonArray *list = json_object_get_array_member (c->object, "leaves_private");
  GArray *out = g_array_new (FALSE, TRUE, sizeof (Private));

  for (guint i = 0; i < json_array_get_length (list); i++) {
    JsonObject *v = json_array_get_object_element (list, i);
    JsonArray *secrets = json_object_get_array_member (v, "path_secrets");
    Private p = { uint_of (v, "index"), mls_tree_keys_new (), { 0 } };
    memcpy (p.keys->key[0], hex_of (c, v, "encryption_priv").data, 32);
    p.keys->have[0] = true;
    check_key (c, tree, 2 * p.index, p.keys->key[0]);
    secret_key_from_seed (hex_of (c, v, "signature_priv"), p.secret_key);
    for (guint j = 0; j < json_array_get_length (secrets); j++) {
      JsonObject *s = json_array_get_object_element (secrets, j);
      guint node = uint_of (s, "node"), level = mls_level (node);
      guint8 node_secret[32], public_key[32];
      mls_derive_secret (
          hex_of (c, s, "path_secret").data, "node", node_secret);
      mls_derive_key_pair (node_secret, p.keys->key[level], public_key);
      p.keys->have[level] = true;
      check_key (c, tree, node, p.keys->key[level]);
    }
    g_array_append_val (out, p);
  }
  return out;
}

/* The provisional GroupContext: the tree hash is the one after the path. */
static void
put_context (Case *c, MlsTree *tree, MlsBuffer *out)
{
  MlsGroupContext gc = { 1, (guint16) c->suite,
    hex_of (c, c->object, "group_id"),
    (guint64) json_object_get_int_member (c->object, "epoch"),
    { mls_tree_hash (tree, mls_root (tree->n_leaves)), 32 },
    hex_of (c, c->object, "confirmed_transcript_hash"), { 0 } };
  mls_group_context_put (out, &gc);
}

static void
process_path (Case *c, const MlsTree *before, const MlsUpdatePath *path,
    guint sender, GArray *privates, JsonArray *want_secrets,
    MlsSlice want_commit_secret, const char *want_hash)
{
  MlsTree *tree = mls_tree_copy (before);
  MlsBuffer context = { 0 };
  MlsResult result = mls_path_merge (tree, sender, path, NULL);
  check (c, result == MLS_OK, "merge the path of %u: %s", sender,
      mls_result_name (result));
  if (result == MLS_OK) {
    result = mls_tree_check_parent_hashes (tree);
    check (c, result == MLS_OK, "parent hashes after the path of %u", sender);
  }
  if (want_hash)
    check_bytes (c, mls_tree_hash (tree, mls_root (tree->n_leaves)), 32,
        hex (c, want_hash), "tree_hash_after");
  put_context (c, tree, &context);
  for (guint i = 0; i < privates->len && !c->failed; i++) {
    const Private *p = &g_array_index (privates, Private, i);
    guint8 path_secret[32], commit_secret[32];
    if (p->index == sender)
      continue;
    MlsTreeKeys *keys = mls_tree_keys_copy (p->keys);
    result = mls_path_decrypt (c->suite, tree, keys, p->index, sender, path,
        NULL, mls_buffer_slice (&context), path_secret, commit_secret);
    check (c, result == MLS_OK, "%u decrypts the path of %u: %s", p->index,
        sender, mls_result_name (result));
    if (result == MLS_OK && want_secrets)
      check_bytes (c, path_secret, 32,
          hex (c, json_array_get_string_element (want_secrets, p->index)),
          "path_secret");
    check_bytes (c, commit_secret, 32, want_commit_secret, "commit_secret");
    mls_tree_keys_free (keys);
  }
  mls_buffer_free (&context);
  mls_tree_free (tree);
}

/* A path of our own from the same member, which all others must be able to follow. */
static void
generate_path (Case *c, const MlsTree *before, guint sender, GArray *privates)
{
  MlsTree *tree = mls_tree_copy (before);
  MlsBuffer context = { 0 }, out = { 0 };
  MlsPathSecrets *secrets = mls_path_secrets_new ();
  const Private *p = NULL;

  for (guint i = 0; i < privates->len; i++)
    if (g_array_index (privates, Private, i).index == sender)
      p = &g_array_index (privates, Private, i);
  if (p) {
    MlsTreeKeys *keys = mls_tree_keys_copy (p->keys);
    MlsResult result = mls_path_generate (tree, keys, secrets, sender,
        &mls_tree_leaf (before, sender)->node, p->secret_key,
        hex_of (c, c->object, "group_id"), NULL);
    check (c, result == MLS_OK, "generate a path from %u", sender);
    put_context (c, tree, &context);
    result = mls_path_encrypt (c->suite, tree, secrets, NULL,
        mls_buffer_slice (&context), NULL, &out);
    check (c, result == MLS_OK, "encrypt a path from %u", sender);
    Reader in = mls_reader (mls_buffer_slice (&out));
    MlsUpdatePath path;
    mls_update_path_read (&in, &path);
    check (c, reader_done (&in), "our path does not decode");
    if (!c->failed)
      process_path (c, before, &path, sender, privates, NULL,
          mls_slice (secrets->secret[secrets->n], 32), NULL);
    mls_tree_keys_free (keys);
  }
  mls_path_secrets_free (secrets);
  mls_buffer_free (&context);
  mls_buffer_free (&out);
  mls_tree_free (tree);
}

gboolean
run_treekem (Case *c)
{
  MlsTree *tree = parse_tree (c, hex_of (c, c->object, "ratchet_tree"));
  if (!tree)
    return TRUE;
  GArray *privates = read_privates (c, tree);
  JsonArray *paths = json_object_get_array_member (c->object, "update_paths");
  for (guint i = 0; i < json_array_get_length (paths) && !c->failed; i++) {
    JsonObject *v = json_array_get_object_element (paths, i);
    guint sender = uint_of (v, "sender");
    MlsSlice bytes = hex_of (c, v, "update_path");
    Reader in = mls_reader (bytes);
    MlsUpdatePath path;
    mls_update_path_read (&in, &path);
    check (c, reader_done (&in), "update_path does not decode");
    if (c->failed)
      break;
    check (c,
        mls_leaf_node_verify (
            &path.leaf, hex_of (c, c->object, "group_id"), sender),
        "signature of the leaf");
    process_path (c, tree, &path, sender, privates,
        json_object_get_array_member (v, "path_secrets"),
        hex_of (c, v, "commit_secret"),
        json_object_get_string_member (v, "tree_hash_after"));
    generate_path (c, tree, sender, privates);
  }
  for (guint i = 0; i < privates->len; i++)
    mls_tree_keys_free (g_array_index (privates, Private, i).keys);
  g_array_free (privates, TRUE);
  mls_tree_free (tree);
  return TRUE;
}

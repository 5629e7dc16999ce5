/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "secret_tree.h"

#include "crypto.h"
#include "tree_math.h"

#include <sodium.h>
#include <stdlib.h>

typedef uint8_t NodeSecret[MLS_HASH_LEN];

enum
{
  HAVE_NOTHING,
  HAVE_SECRET, /* tree_node_[N]_secret */
  HAVE_RATCHETS /* of a leaf: its two ratchets have started, its secret is gone */
};

/* The key of a generation that a later one overtook. */
typedef struct
{
  uint32_t leaf;
  uint32_t generation;
  uint64_t since;
  uint8_t type;
  MlsMessageKey key;
} Skipped;

struct MlsSecretTree
{
  MlsSuite suite;
  uint32_t n_leaves;
  uint32_t window;

  NodeSecret *
      secrets; /* sodium memory: a secret for each node, where a leaf's becomes its handshake ratchet; then an
                          application ratchet for each leaf */
  uint8_t *have;  /* for each node */
  uint32_t *next; /* the next generation of each ratchet, two a leaf */

  Skipped *skipped; /* sodium memory, in no order */
  size_t n_skipped, skipped_room;
};

MlsSecretTree *
mls_secret_tree_new (MlsSuite suite, uint32_t n_leaves,
    const uint8_t *encryption_secret, uint32_t window)
{
  MlsSecretTree *tree = calloc (1, sizeof *tree);
  uint32_t n_nodes = mls_node_count (n_leaves);

  if (!tree)
    return NULL;
  tree->suite = suite;
  tree->n_leaves = n_leaves;
  tree->window = window;
  tree->have = calloc (n_nodes, 1);
  tree->next = calloc (2 * (size_t) n_leaves, sizeof *tree->next);
  tree->secrets =
      sodium_allocarray (n_nodes + n_leaves, sizeof *tree->secrets);
  if (!tree->have || !tree->next || !tree->secrets) {
    mls_secret_tree_free (tree);
    return NULL;
  }
  memcpy (tree->secrets[mls_root (n_leaves)], encryption_secret, MLS_HASH_LEN);
  tree->have[mls_root (n_leaves)] = HAVE_SECRET;
  return tree;
}

void
mls_secret_tree_free (MlsSecretTree *tree)
{
  if (!tree)
    return;
  if (tree->secrets)
    sodium_free (tree->secrets);
  if (tree->skipped)
    sodium_free (tree->skipped);
  free (tree->have);
  free (tree->next);
  free (tree);
}

static uint8_t *
ratchet_secret (MlsSecretTree *tree, uint32_t leaf, MlsRatchetType type)
{
  return tree->secrets[type == MLS_RATCHET_HANDSHAKE
                           ? 2 * leaf
                           : mls_node_count (tree->n_leaves) + leaf];
}

static uint32_t *
next_generation (MlsSecretTree *tree, uint32_t leaf, MlsRatchetType type)
{
  return &tree->next[2 * (size_t) leaf + (type == MLS_RATCHET_APPLICATION)];
}

static bool
derive_child (const uint8_t *secret, bool right, uint8_t *out)
{
  return mls_expand (secret, "tree",
      right ? mls_slice ("right", 5) : mls_slice ("left", 4), out,
      MLS_HASH_LEN);
}

static bool
derive_ratchet (const uint8_t *leaf_secret, MlsRatchetType type, uint8_t *out)
{
  return mls_derive_secret (leaf_secret,
      type == MLS_RATCHET_HANDSHAKE ? "handshake" : "application", out);
}

/* The ratchet secret of generation 0 for a leaf that has not started, without a change. */
static MlsResult
peek_start (
    MlsSecretTree *tree, uint32_t leaf, MlsRatchetType type, uint8_t *out)
{
  uint32_t node = 2 * leaf;
  while (tree->have[node] != HAVE_SECRET) {
    if (node == mls_root (tree->n_leaves))
      return MLS_REPLAYED; /* cannot be: some node above a leaf without ratchets has a secret */
    node = mls_parent (node);
  }
  memcpy (out, tree->secrets[node], MLS_HASH_LEN);
  while (!mls_is_leaf (node)) {
    bool right = !mls_covers (mls_left (node), leaf);
    if (!derive_child (out, right, out))
      return MLS_NO_MEMORY;
    node = right ? mls_right (node) : mls_left (node);
  }
  return derive_ratchet (out, type, out) ? MLS_OK : MLS_NO_MEMORY;
}

/* Starts a leaf's ratchets. 9.2: every secret on the way down is consumed; its other child is kept. */
static MlsResult
start (MlsSecretTree *tree, uint32_t leaf)
{
  uint32_t node = 2 * leaf;
  if (tree->have[node] == HAVE_RATCHETS)
    return MLS_OK;
  while (tree->have[node] != HAVE_SECRET) {
    if (node == mls_root (tree->n_leaves))
      return MLS_REPLAYED;
    node = mls_parent (node);
  }
  while (!mls_is_leaf (node)) {
    uint32_t left = mls_left (node), right = mls_right (node);
    if (!derive_child (tree->secrets[node], false, tree->secrets[left])
        || !derive_child (tree->secrets[node], true, tree->secrets[right]))
      return MLS_NO_MEMORY;
    tree->have[left] = tree->have[right] = HAVE_SECRET;
    tree->have[node] = HAVE_NOTHING;
    sodium_memzero (tree->secrets[node], MLS_HASH_LEN);
    node = mls_covers (left, leaf) ? left : right;
  }
  if (!derive_ratchet (tree->secrets[node], MLS_RATCHET_APPLICATION,
          ratchet_secret (tree, leaf, MLS_RATCHET_APPLICATION))
      || !derive_ratchet (tree->secrets[node], MLS_RATCHET_HANDSHAKE,
          ratchet_secret (tree, leaf, MLS_RATCHET_HANDSHAKE)))
    return MLS_NO_MEMORY;
  tree->have[node] = HAVE_RATCHETS;
  return MLS_OK;
}

static bool
derive_key (const MlsSecretTree *tree, const uint8_t *secret,
    uint32_t generation, MlsMessageKey *out)
{
  return mls_derive_tree_secret (
             secret, "nonce", generation, out->nonce, MLS_NONCE_LEN)
         && mls_derive_tree_secret (secret, "key", generation, out->key,
             mls_aead_key_len (tree->suite));
}

static bool
derive_next (uint8_t *secret, uint32_t generation)
{
  return mls_derive_tree_secret (
      secret, "secret", generation, secret, MLS_HASH_LEN);
}

static Skipped *
find_skipped (const MlsSecretTree *tree, uint32_t leaf, MlsRatchetType type,
    uint32_t generation)
{
  for (size_t i = 0; i < tree->n_skipped; i++) {
    Skipped *s = &tree->skipped[i];
    if (s->leaf == leaf && s->type == type && s->generation == generation)
      return s;
  }
  return NULL;
}

static void
drop_skipped (MlsSecretTree *tree, Skipped *s)
{
  Skipped *last = &tree->skipped[--tree->n_skipped];
  if (s != last)
    *s = *last;
  sodium_memzero (last, sizeof *last);
}

/* Room for `more` keys; when the pool is full the oldest make way. */
static bool
make_room (MlsSecretTree *tree, size_t more)
{
  while (tree->n_skipped + more > MLS_MAX_SKIPPED && tree->n_skipped > 0) {
    Skipped *oldest = tree->skipped;
    for (size_t i = 1; i < tree->n_skipped; i++)
      if (tree->skipped[i].since < oldest->since)
        oldest = &tree->skipped[i];
    drop_skipped (tree, oldest);
  }
  if (tree->n_skipped + more <= tree->skipped_room)
    return true;
  size_t room = tree->skipped_room ? 2 * tree->skipped_room : 32;
  while (room < tree->n_skipped + more)
    room *= 2;
  Skipped *moved = sodium_allocarray (room, sizeof *moved);
  if (!moved)
    return false;
  if (tree->skipped) {
    memcpy (moved, tree->skipped, tree->n_skipped * sizeof *moved);
    sodium_free (tree->skipped);
  }
  tree->skipped = moved;
  tree->skipped_room = room;
  return true;
}

MlsResult
mls_secret_tree_find (MlsSecretTree *tree, uint32_t leaf, MlsRatchetType type,
    uint32_t generation, MlsMessageKey *out)
{
  if (leaf >= tree->n_leaves)
    return MLS_UNKNOWN_SENDER;

  uint32_t next = *next_generation (tree, leaf, type);
  if (generation < next) {
    const Skipped *s = find_skipped (tree, leaf, type, generation);
    if (!s)
      return MLS_REPLAYED;
    *out = s->key;
    return MLS_OK;
  }
  if (generation - next > MLS_MAX_FORWARD)
    return MLS_TOO_FAR;

  NodeSecret secret;
  MlsResult result = MLS_OK;
  if (tree->have[2 * leaf] == HAVE_RATCHETS)
    memcpy (secret, ratchet_secret (tree, leaf, type), sizeof secret);
  else
    result = peek_start (tree, leaf, type, secret);
  for (uint32_t g = next; g < generation && result == MLS_OK; g++)
    result = derive_next (secret, g) ? MLS_OK : MLS_NO_MEMORY;
  if (result == MLS_OK && !derive_key (tree, secret, generation, out))
    result = MLS_NO_MEMORY;
  sodium_memzero (secret, sizeof secret);
  return result;
}

/* Keys of this ratchet that fell out of its window. */
static void
drop_old (
    MlsSecretTree *tree, uint32_t leaf, MlsRatchetType type, uint32_t next)
{
  for (size_t i = 0; i < tree->n_skipped;) {
    Skipped *s = &tree->skipped[i];
    if (s->leaf == leaf && s->type == type
        && next - 1 - s->generation > tree->window)
      drop_skipped (tree, s);
    else
      i++;
  }
}

MlsResult
mls_secret_tree_spend (MlsSecretTree *tree, uint32_t leaf, MlsRatchetType type,
    uint32_t generation, uint64_t now)
{
  uint32_t *next = next_generation (tree, leaf, type);

  if (generation < *next) {
    Skipped *s = find_skipped (tree, leaf, type, generation);
    if (!s)
      return MLS_REPLAYED;
    drop_skipped (tree, s);
    return MLS_OK;
  }
  if (generation == UINT32_MAX)
    return MLS_TOO_FAR; /* there is no generation after it to move on to */

  uint32_t skip = generation - *next,
           keep = skip < tree->window ? skip : tree->window;
  if (keep > 0 && !make_room (tree, keep))
    return MLS_NO_MEMORY;
  MlsResult result = start (tree, leaf);
  if (result != MLS_OK)
    return result;
  uint8_t *secret = ratchet_secret (tree, leaf, type);
  while (*next <= generation) {
    if (*next < generation && generation - *next <= keep) {
      Skipped *s = &tree->skipped[tree->n_skipped];
      *s = (Skipped){ leaf, *next, now, (uint8_t) type, { { 0 }, { 0 } } };
      if (!derive_key (tree, secret, *next, &s->key))
        return MLS_NO_MEMORY;
      tree->n_skipped++;
    }
    if (!derive_next (secret, *next))
      return MLS_NO_MEMORY;
    ++*next;
  }
  if (skip > 0)
    drop_old (tree, leaf, type, *next);
  return MLS_OK;
}

MlsResult
mls_secret_tree_next (MlsSecretTree *tree, uint32_t leaf, MlsRatchetType type,
    uint32_t *generation, MlsMessageKey *out)
{
  *generation = *next_generation (tree, leaf, type);
  if (*generation == UINT32_MAX)
    return MLS_TOO_LARGE;
  MlsResult result = mls_secret_tree_find (tree, leaf, type, *generation, out);
  return result == MLS_OK
             ? mls_secret_tree_spend (tree, leaf, type, *generation, 0)
             : result;
}

void
mls_secret_tree_expire (MlsSecretTree *tree, uint64_t then)
{
  for (size_t i = 0; i < tree->n_skipped;) {
    if (tree->skipped[i].since < then)
      drop_skipped (tree, &tree->skipped[i]);
    else
      i++;
  }
}

/* MLS groups against themselves: random schedules, and what must never be accepted.
 *
 * CONCLAVE_MLS_SCHEDULES and CONCLAVE_MLS_SEED set how many schedules run and where they begin.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mls-members.h"
#include "pure.h"

#include "ext/mls/crypto.h"
#include "ext/mls/group_private.h"

#define fail_unless_result(call, want)                                        \
  G_STMT_START                                                                \
  {                                                                           \
    MlsResult got__ = (call);                                                 \
    fail_unless (got__ == (want), "%s: %s, not %s", #call,                    \
        mls_result_name (got__), mls_result_name (want));                     \
  }                                                                           \
  G_STMT_END

#define fail_unless_ok(call) fail_unless_result (call, MLS_OK)

static const char group_id[] = "a group";

/* ---- a world of people, some of whom are in the group ---- */

#define MAX_PEOPLE 64
#define DEFAULT_SEED 20250601

/* A sanitizer makes each run of the ladder of X25519 ten times as slow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DEFAULT_SCHEDULES 20
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DEFAULT_SCHEDULES 20
#endif
#endif
#ifndef DEFAULT_SCHEDULES
#define DEFAULT_SCHEDULES 80
#endif

typedef struct
{
  Dice dice;
  MlsSuite suite;
  guint n_people;
  Person people[MAX_PEOPLE];
  MlsGroup *groups[MAX_PEOPLE]; /* NULL: not in the group */
  guint joined[MAX_PEOPLE];     /* how often */
  guint64 epoch;
} World;

static guint
members (const World *w)
{
  guint n = 0;
  for (guint i = 0; i < w->n_people; i++)
    n += w->groups[i] != NULL;
  return n;
}

/* Somebody who is in the group, or who is not; -1 when there is nobody. */
static int
pick (World *w, gboolean in)
{
  guint n = in ? members (w) : w->n_people - members (w);
  if (n == 0)
    return -1;
  guint k = dice_below (&w->dice, n);
  for (guint i = 0; i < w->n_people; i++)
    if ((w->groups[i] != NULL) == in && k-- == 0)
      return (int) i;
  return -1;
}

static World *
world_new (guint64 seed, guint n_people)
{
  static const MlsSettings settings = { 32, 3, 4 };
  World *w = g_new0 (World, 1);
  w->dice = dice_new (seed);
  w->suite = dice_chance (&w->dice, 50) ? MLS_SUITE_AES_128_GCM
                                        : MLS_SUITE_CHACHA20_POLY1305;
  w->n_people = n_people;
  for (guint i = 0; i < n_people; i++)
    w->people[i] = person_new (w->suite, i, &w->dice);
  w->groups[0] = person_create (&w->people[0], group_id, &settings);
  fail_unless (w->groups[0] != NULL);
  return w;
}

static void
world_free (World *w)
{
  for (guint i = 0; i < w->n_people; i++) {
    mls_group_free (w->groups[i]);
    person_clear (&w->people[i]);
  }
  g_free (w);
}

/* All members agree, and each holds the private keys that it should. */
static void
check_agreement (World *w)
{
  const MlsEpoch *model = NULL;
  g_autofree guint8 *exported = NULL;

  for (guint i = 0; i < w->n_people; i++) {
    if (!w->groups[i])
      continue;
    const MlsEpoch *e = mls_group_epoch (w->groups[i]);
    Secret *base_key =
        mls_epoch_export (e, "SFrame 1.0 Base Key", (MlsSlice){ 0 }, 32);
    if (!model) {
      model = e;
      exported = g_memdup2 (secret_bytes (base_key), 32);
    }
    fail_unless_equals_uint64 (mls_epoch_number (e), mls_epoch_number (model));
    fail_unless (
        memcmp (mls_epoch_tree_hash (e), mls_epoch_tree_hash (model), 32) == 0,
        "tree hashes differ");
    fail_unless (memcmp (mls_epoch_authenticator (e),
                     mls_epoch_authenticator (model), 32)
                     == 0,
        "authenticators differ");
    fail_unless (memcmp (secret_bytes (base_key), exported, 32) == 0,
        "exported secrets differ");
    secret_unref (base_key);

    uint32_t node = 2 * e->own_leaf;
    for (unsigned level = 0; level <= mls_level (mls_root (e->tree->n_leaves));
         level++) {
      guint8 public_key[32];
      if (e->keys->have[level]) {
        fail_unless (mls_public_key (e->keys->key[level], public_key));
        MlsSlice want = level == 0
                            ? e->tree->nodes[node].leaf->node.encryption_key
                            : e->tree->nodes[node].parent->encryption_key;
        fail_unless (memcmp (public_key, want.data, 32) == 0,
            "a private key is not its node's");
      } else if (level > 0 && !mls_tree_is_blank (e->tree, node)) {
        gboolean unmerged =
            FALSE; /* who does not know a node's key must be unmerged there */
        const MlsParent *parent = e->tree->nodes[node].parent;
        for (guint j = 0; j < parent->n_unmerged; j++)
          unmerged |= parent->unmerged[j] == e->own_leaf;
        fail_unless (unmerged, "a private key is missing");
      }
      if (node != mls_root (e->tree->n_leaves))
        node = mls_parent (node);
    }
  }
  fail_unless_equals_uint64 (mls_epoch_members (model), members (w));
}

/* Whether any private key of `e` opens any ciphertext of the path in `commit`, whose recipients see the provisional
 * GroupContext of `next`. */
static gboolean
opens_path (const MlsEpoch *e, const MlsCommit *commit, const MlsEpoch *next)
{
  MlsBuffer provisional = { 0 };
  MlsGroupContext gc = next->context;
  gc.confirmed_transcript_hash = e->context.confirmed_transcript_hash;
  mls_group_context_put (&provisional, &gc);
  Reader nodes = mls_reader (commit->path.nodes);
  gboolean opened = FALSE;
  while (reader_left (&nodes) > 0) {
    MlsPathNode node;
    mls_path_node_read (&nodes, &node);
    Reader list = mls_reader (node.ciphertexts);
    while (reader_left (&list) > 0) {
      MlsHpkeCiphertext ct;
      guint8 secret[64];
      mls_hpke_ciphertext_read (&list, &ct);
      for (unsigned level = 0; level <= MLS_MAX_DEPTH; level++)
        if (e->keys->have[level])
          opened |=
              mls_decrypt ((MlsSuite) e->context.suite, e->keys->key[level],
                  NULL, "UpdatePathNode", mls_buffer_slice (&provisional),
                  ct.kem_output, ct.ciphertext, secret);
    }
  }
  mls_buffer_free (&provisional);
  return opened;
}

/* Somebody takes the winning commit, or is removed by it. */
static void
deliver (World *w, guint who, MlsStaged *mine, MlsSlice message,
    const MlsEpoch *next)
{
  MlsEvent event;
  if (mine) {
    fail_unless_ok (mls_group_merge (w->groups[who], mine, w->epoch));
    return;
  }
  fail_unless_ok (
      mls_group_process (w->groups[who], message, w->epoch, &event));
  fail_unless (event.type == MLS_EVENT_COMMIT);
  MlsStaged *staged = event.commit;
  MlsCommitInfo info = mls_staged_info (staged);
  if (info.removes_us) {
    fail_unless (mls_staged_epoch (staged) == NULL);
    MlsCommit commit;
    Reader in = mls_reader (staged->opened.content.content);
    mls_commit_read (&in, &commit);
    fail_unless (commit.has_path, "somebody was removed without a path");
    if (next)
      fail_unless (!opens_path (w->groups[who]->epoch, &commit, next),
          "a removed member can follow");
  }
  event.commit = NULL;
  mls_event_clear (&event);
  fail_unless_ok (mls_group_merge (w->groups[who], staged, w->epoch));
  fail_unless (mls_group_is_closed (w->groups[who]) == info.removes_us);
  if (info.removes_us) {
    fail_unless (mls_epoch_export (mls_group_epoch (w->groups[who]), "x",
                     (MlsSlice){ 0 }, 32)
                 == NULL);
    mls_group_free (w->groups[who]);
    w->groups[who] = NULL;
  }
}

typedef struct
{
  MlsKeyPackage *kps[4];
  guint who[4];
  guint n;
  MlsStaged *staged;
  guint committer;
} Try;

static void
try_clear (Try *t)
{
  for (guint i = 0; i < t->n; i++)
    mls_key_package_free (t->kps[i]);
  mls_staged_free (t->staged);
  *t = (Try){ .n = 0 };
}

/* A random commit by `committer`. */
static void
try_commit (World *w, guint committer, Try *t)
{
  MlsGroup *group = w->groups[committer];
  const MlsEpoch *e = mls_group_epoch (group);
  MlsSlice adds[4], extensions = { 0 };
  uint32_t removes[4];
  MlsBuffer list = { 0 };
  MlsCommitRequest request = { .add = adds, .remove = removes, .time = 1500 };

  *t = (Try){ .committer = committer };
  guint want = dice_below (&w->dice, 5);
  for (guint i = 0; i < want && t->n < 4; i++) {
    int who = pick (w, FALSE);
    gboolean twice = who < 0;
    for (guint j = 0; j < t->n; j++)
      twice |= t->who[j] == (guint) who;
    if (twice)
      continue;
    t->who[t->n] = (guint) who;
    t->kps[t->n] = person_key_package (&w->people[who]);
    adds[t->n] = mls_key_package_message (t->kps[t->n]);
    t->n++;
  }
  request.n_add = t->n;
  for (guint i = 0; i < 3 && dice_chance (&w->dice, 25); i++) {
    uint32_t leaf = dice_below (&w->dice, mls_epoch_leaves (e));
    gboolean bad = leaf == mls_epoch_own_leaf (e) || !mls_epoch_leaf (e, leaf);
    for (guint j = 0; j < request.n_remove; j++)
      bad |= removes[j] == leaf;
    if (!bad)
      removes[request.n_remove++] = leaf;
  }
  if (dice_chance (&w->dice, 15)) {
    guint8 policy[8];
    dice_draw (&w->dice, policy, sizeof policy);
    mls_put_extension (
        &list, TEST_EXTENSION, mls_slice (policy, sizeof policy));
    extensions = mls_buffer_slice (&list);
    request.extensions = &extensions;
  }
  request.pending = dice_chance (&w->dice, 70);
  request.path =
      dice_chance (&w->dice, 40) || request.n_add + request.n_remove == 0;
  request.handshake.public_message = dice_chance (&w->dice, 30);
  request.handshake.padding = 256;
  fail_unless_ok (mls_group_commit (group, &request, &t->staged));
  mls_buffer_free (&list);
}

/* One to three members commit at once; all members look at all of it; one wins. */
static void
commit_step (World *w)
{
  guint n = members (w) > 1 && dice_chance (&w->dice, 30)
                ? 2 + dice_below (&w->dice, 2)
                : 1,
        k = 0;
  Try tries[3];
  guint8 before[32];
  MlsEvent event;

  for (guint i = 0; i < n; i++) {
    guint committer = (guint) pick (w, TRUE);
    gboolean again = FALSE;
    for (guint j = 0; j < k; j++)
      again |= tries[j].committer == committer;
    if (!again)
      try_commit (w, committer, &tries[k++]);
  }
  guint won = dice_below (&w->dice, k);
  Try *winner = &tries[won];

  /* The losers are staged by the winner's sender, and dropped: staging changes nothing. */
  memcpy (before,
      mls_epoch_authenticator (mls_group_epoch (w->groups[winner->committer])),
      32);
  for (guint i = 0; i < k; i++)
    if (i != won) {
      fail_unless_ok (mls_group_process (w->groups[winner->committer],
          mls_staged_message (tries[i].staged), 0, &event));
      fail_unless (event.type == MLS_EVENT_COMMIT);
      mls_event_clear (&event);
    }
  fail_unless (memcmp (before,
                   mls_epoch_authenticator (
                       mls_group_epoch (w->groups[winner->committer])),
                   32)
               == 0);

  g_autoptr (GBytes) message =
      g_bytes_new (mls_staged_message (winner->staged).data,
          mls_staged_message (winner->staged).len);
  g_autoptr (GBytes) welcome =
      g_bytes_new (mls_staged_welcome (winner->staged).data,
          mls_staged_welcome (winner->staged).len);
  MlsSlice bytes = { g_bytes_get_data (message, NULL),
    g_bytes_get_size (message) };
  w->epoch++;
  gboolean was_member[MAX_PEOPLE];
  for (guint i = 0; i < w->n_people; i++)
    was_member[i] = w->groups[i] != NULL;
  const MlsEpoch *next = mls_staged_epoch (winner->staged);
  fail_unless_result (
      mls_group_process (w->groups[winner->committer], bytes, 0, &event),
      MLS_OWN_MESSAGE);
  for (guint i = 0; i < w->n_people; i++)
    if (was_member[i] && i != winner->committer)
      deliver (w, i, NULL, bytes, next);
  deliver (w, winner->committer, winner->staged, bytes, NULL);
  winner->staged = NULL;

  /* A loser's commit is void for everybody, its sender too. */
  for (guint i = 0; i < k; i++)
    if (i != won) {
      fail_unless_result (mls_group_process (w->groups[winner->committer],
                              mls_staged_message (tries[i].staged), 0, &event),
          MLS_WRONG_EPOCH);
      if (w->groups[tries[i].committer]) {
        fail_unless_result (mls_group_merge (w->groups[tries[i].committer],
                                tries[i].staged, 0),
            MLS_WRONG_EPOCH);
        tries[i].staged = NULL;
      }
    }
  for (guint i = 0; i < winner->n; i++)
    if (!w->groups[winner->who[i]]) {
      w->joined[winner->who[i]]++;
      fail_unless_ok (mls_group_join (winner->kps[i],
          mls_slice (
              g_bytes_get_data (welcome, NULL), g_bytes_get_size (welcome)),
          (MlsSlice){ 0 }, NULL, 0, NULL, &w->groups[winner->who[i]]));
    }
  for (guint i = 0; i < k; i++)
    try_clear (&tries[i]);
  check_agreement (w);
}

/* Somebody proposes something; everybody keeps it. */
static void
propose_step (World *w)
{
  guint sender = (guint) pick (w, TRUE);
  const MlsEpoch *e = mls_group_epoch (w->groups[sender]);
  MlsProposalRequest request = { .type = MLS_PROPOSAL_UPDATE };
  MlsHandshake how = { dice_chance (&w->dice, 50), 64, { 0 } };
  MlsBuffer message = { 0 };
  MlsEvent event;

  uint32_t leaf = dice_below (&w->dice, mls_epoch_leaves (e));
  if (dice_chance (&w->dice, 40) && mls_epoch_leaf (e, leaf)) {
    request.type = MLS_PROPOSAL_REMOVE;
    request.removed = leaf;
  }
  fail_unless_ok (
      mls_group_propose (w->groups[sender], &request, &how, &message));
  for (guint i = 0; i < w->n_people; i++)
    if (w->groups[i] && i != sender) {
      fail_unless_ok (mls_group_process (
          w->groups[i], mls_buffer_slice (&message), 0, &event));
      fail_unless (event.type == MLS_EVENT_PROPOSAL);
      mls_event_clear (&event);
    }
  mls_buffer_free (&message);
}

/* Application messages of one sender in any order, some after the epoch has ended; each is read once. */
static void
talk_step (World *w)
{
  enum
  {
    N = 5
  };
  MlsBuffer messages[N] = { { 0 } };
  guint order[N], sender = (guint) pick (w, TRUE);
  MlsEvent event;
  guint joined[MAX_PEOPLE];
  gboolean was_member[MAX_PEOPLE];

  for (guint i = 0; i < N; i++) {
    char text[16];
    g_snprintf (text, sizeof text, "message %u", i);
    fail_unless_ok (
        mls_group_protect (w->groups[sender], mls_slice (text, strlen (text)),
            mls_slice ("aad", 3), 128, &messages[i]));
    order[i] = i;
  }
  for (guint i = N - 1; i > 0; i--) {
    guint j = dice_below (&w->dice, i + 1), swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  for (guint i = 0; i < w->n_people; i++) {
    was_member[i] = w->groups[i] != NULL;
    joined[i] = w->joined[i];
  }
  guint now = dice_below (&w->dice, N + 1);
  for (guint k = 0; k < N; k++) {
    if (k == now && now > 0)
      commit_step (w);
    for (guint i = 0; i < w->n_people; i++) {
      if (!w->groups[i] || i == sender)
        continue;
      MlsResult result = mls_group_process (
          w->groups[i], mls_buffer_slice (&messages[order[k]]), 0, &event);
      if (!was_member[i] || joined[i] != w->joined[i]) {
        fail_unless (result == MLS_WRONG_EPOCH,
            "a new member reads the past: %s", mls_result_name (result));
        continue;
      }
      char text[16];
      g_snprintf (text, sizeof text, "message %u", order[k]);
      fail_unless (result == MLS_OK && event.type == MLS_EVENT_APPLICATION,
          "%s", mls_result_name (result));
      fail_unless (
          mls_slice_equal (event.data, mls_slice (text, strlen (text))));
      fail_unless (
          mls_slice_equal (event.authenticated_data, mls_slice ("aad", 3)));
      mls_event_clear (&event);
      fail_unless_result (
          mls_group_process (
              w->groups[i], mls_buffer_slice (&messages[order[k]]), 0, &event),
          MLS_REPLAYED);
    }
  }
  for (guint i = 0; i < N; i++)
    mls_buffer_free (&messages[i]);
}

static void
run_schedule (guint64 seed)
{
  Dice sizes = dice_new (seed ^ 0x5eed);
  /* Mostly small: there the shapes of trees change most. */
  guint n = dice_chance (&sizes, 3)    ? 64
            : dice_chance (&sizes, 20) ? 16 + dice_below (&sizes, 17)
                                       : 1 + dice_below (&sizes, 12);
  guint steps = 4 + dice_below (&sizes, 12);
  World *w = world_new (seed, n);
  check_agreement (w);
  for (guint i = 0; i < steps; i++) {
    switch (dice_below (&w->dice, 6)) {
      case 0:
        talk_step (w);
        break;
      case 1:
        propose_step (w);
        break;
      default:
        commit_step (w);
    }
  }
  world_free (w);
}

static guint64
number_from (const char *variable, guint64 otherwise)
{
  const char *text = g_getenv (variable);
  return text ? g_ascii_strtoull (text, NULL, 10) : otherwise;
}

/* The index in the report of a failure, added to the seed that was printed, is the schedule's own. */
GST_START_TEST (members_agree_over_a_random_schedule)
{
  run_schedule (
      number_from ("CONCLAVE_MLS_SEED", DEFAULT_SEED) + (guint64) __i__);
}
GST_END_TEST

/* ---- single behaviours ---- */

typedef struct
{
  Person people[4];
  MlsGroup *anna, *bert, *carl;
} Trio;

static void
trio_new (Trio *t)
{
  static const MlsSettings settings = { 32, 3, 4 };
  MlsKeyPackage *kps[2];
  MlsSlice adds[2];
  MlsStaged *staged;
  for (guint i = 0; i < 4; i++)
    t->people[i] = person_new (MLS_SUITE_AES_128_GCM, i, NULL);
  t->anna = person_create (&t->people[0], group_id, &settings);
  for (guint i = 0; i < 2; i++) {
    kps[i] = person_key_package (&t->people[1 + i]);
    adds[i] = mls_key_package_message (kps[i]);
  }
  MlsCommitRequest request = { .add = adds, .n_add = 2 };
  fail_unless_ok (mls_group_commit (t->anna, &request, &staged));
  MlsSlice welcome = mls_staged_welcome (staged);
  fail_unless_ok (mls_group_join (
      kps[0], welcome, (MlsSlice){ 0 }, NULL, 0, &settings, &t->bert));
  fail_unless_ok (mls_group_join (
      kps[1], welcome, (MlsSlice){ 0 }, NULL, 0, &settings, &t->carl));
  fail_unless_ok (mls_group_merge (t->anna, staged, 0));
  for (guint i = 0; i < 2; i++)
    mls_key_package_free (kps[i]);
}

static void
trio_clear (Trio *t)
{
  mls_group_free (t->anna);
  mls_group_free (t->bert);
  mls_group_free (t->carl);
  for (guint i = 0; i < 4; i++)
    person_clear (&t->people[i]);
}

static void
same_epoch (const MlsGroup *a, const MlsGroup *b)
{
  fail_unless (memcmp (mls_epoch_authenticator (mls_group_epoch (a)),
                   mls_epoch_authenticator (mls_group_epoch (b)), 32)
               == 0);
}

/* Commits by Anna; the others follow. */
static void
anna_commits (Trio *t, const MlsCommitRequest *request)
{
  MlsStaged *staged;
  fail_unless_ok (mls_group_commit (t->anna, request, &staged));
  fail_unless_ok (take_commit (t->bert, mls_staged_message (staged)));
  fail_unless_ok (take_commit (t->carl, mls_staged_message (staged)));
  fail_unless_ok (mls_group_merge (t->anna, staged, 0));
  same_epoch (t->anna, t->bert);
}

GST_START_TEST (a_member_that_lost_its_memory_is_replaced_in_one_commit)
{
  Trio t;
  MlsStaged *staged;
  MlsEvent event;
  MlsGroup *again = NULL;
  trio_new (&t);
  uint32_t old = mls_epoch_own_leaf (mls_group_epoch (t.carl));
  MlsKeyPackage *kp = person_key_package (&t.people[2]);
  MlsSlice add = mls_key_package_message (kp);
  MlsCommitRequest request = {
    .add = &add, .n_add = 1, .remove = &old, .n_remove = 1
  };
  fail_unless_ok (mls_group_commit (t.anna, &request, &staged));

  fail_unless_ok (
      mls_group_process (t.bert, mls_staged_message (staged), 0, &event));
  MlsCommitInfo info = mls_staged_info (event.commit);
  fail_unless (
      info.has_path && !info.own && info.committer == 0 && !info.removes_us);
  fail_unless (!mls_slice_equal (
      info.before->encryption_key, info.after->encryption_key));
  fail_unless (
      mls_slice_equal (info.before->signature_key, info.after->signature_key));
  fail_unless_equals_int (mls_staged_changes (event.commit), 2);
  MlsChange removed = mls_staged_change (event.commit, 0),
            added = mls_staged_change (event.commit, 1);
  fail_unless (removed.type == MLS_PROPOSAL_REMOVE && removed.leaf_index == old
               && removed.before && !removed.after);
  fail_unless (added.type == MLS_PROPOSAL_ADD && added.leaf_index == old
               && !added.before && added.after);
  fail_unless (mls_slice_equal (
      removed.before->signature_key, added.after->signature_key));
  fail_unless (mls_slice_equal (
      added.after->credential.content, mls_slice ("member 2", 8)));
  fail_unless_equals_int (
      mls_epoch_members (mls_staged_epoch (event.commit)), 3);
  MlsStaged *taken = event.commit;
  event.commit = NULL;
  mls_event_clear (&event);
  fail_unless_ok (mls_group_merge (t.bert, taken, 0));

  fail_unless_ok (mls_group_join (kp, mls_staged_welcome (staged),
      (MlsSlice){ 0 }, NULL, 0, NULL, &again));
  fail_unless_equals_int (mls_group_signer (again), 0);
  fail_unless (!mls_group_offers_external_joins (again));
  fail_unless_ok (mls_group_merge (t.anna, staged, 0));
  same_epoch (t.anna, again);
  same_epoch (t.anna, t.bert);
  mls_group_free (again);
  mls_key_package_free (kp);
  trio_clear (&t);
}
GST_END_TEST

GST_START_TEST (psks_go_into_the_key_schedule)
{
  Trio t;
  trio_new (&t);
  MlsPsk external = { .type = MLS_PSK_EXTERNAL,
    .id = mls_slice ("id", 2),
    .psk = secret_random (32) };
  MlsPsk past = { .type = MLS_PSK_RESUMPTION,
    .group_id = mls_slice (group_id, strlen (group_id)),
    .epoch = 1 };
  MlsProposalRequest psks[2] = { { .type = MLS_PROPOSAL_PSK,
                                     .psk = &external },
    { .type = MLS_PROPOSAL_PSK, .psk = &past } };
  MlsCommitRequest empty = { .path = true },
                   request = { .other = psks, .n_other = 2 };
  MlsStaged *staged;
  anna_commits (&t, &empty); /* epoch 1 is over, its resumption PSK kept */

  fail_unless_result (
      mls_group_commit (t.anna, &request, &staged), MLS_UNKNOWN_PSK);
  fail_unless_ok (mls_group_add_psk (t.anna, &external));
  fail_unless_ok (mls_group_commit (t.anna, &request, &staged));
  fail_unless_result (
      take_commit (t.bert, mls_staged_message (staged)), MLS_UNKNOWN_PSK);
  fail_unless_ok (mls_group_add_psk (t.bert, &external));
  fail_unless_ok (take_commit (t.bert, mls_staged_message (staged)));
  MlsPsk wrong = external;
  wrong.psk = secret_random (32);
  fail_unless_ok (mls_group_add_psk (t.carl, &wrong));
  fail_unless_result (
      take_commit (t.carl, mls_staged_message (staged)), MLS_BAD_CONFIRMATION);
  fail_unless_ok (mls_group_merge (t.anna, staged, 0));
  same_epoch (t.anna, t.bert);
  secret_unref (external.psk);
  secret_unref (wrong.psk);
  trio_clear (&t);
}
GST_END_TEST

GST_START_TEST (
    an_extension_that_changes_is_described_and_a_reinit_closes_the_group)
{
  Trio t;
  MlsBuffer list = { 0 };
  MlsStaged *staged;
  MlsEvent event;
  MlsSlice data;
  trio_new (&t);
  mls_put_extension (&list, TEST_EXTENSION, mls_slice ("policy", 6));
  MlsSlice extensions = mls_buffer_slice (&list);
  MlsCommitRequest request = { .extensions = &extensions };
  fail_unless_ok (mls_group_commit (t.anna, &request, &staged));
  fail_unless_ok (
      mls_group_process (t.bert, mls_staged_message (staged), 0, &event));
  MlsChange change = mls_staged_change (event.commit, 0);
  fail_unless (change.type == MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS
               && mls_slice_equal (change.extensions, extensions));
  fail_unless (mls_epoch_extension (
      mls_staged_epoch (event.commit), TEST_EXTENSION, &data));
  fail_unless (mls_slice_equal (data, mls_slice ("policy", 6)));
  fail_unless (
      !mls_epoch_extension (mls_group_epoch (t.bert), TEST_EXTENSION, &data));
  mls_event_clear (&event); /* refused: nothing has changed */
  mls_staged_free (staged);
  mls_buffer_free (&list);

  MlsReInit reinit = { mls_slice ("another", 7), 1, 3, { NULL, 0 } };
  MlsProposalRequest other = { .type = MLS_PROPOSAL_REINIT,
    .reinit = &reinit };
  MlsCommitRequest last = { .other = &other, .n_other = 1 };
  MlsBuffer message = { 0 };
  anna_commits (&t, &last);
  fail_unless (mls_group_is_closed (t.anna) && mls_group_is_closed (t.bert));
  fail_unless_result (mls_group_protect (t.bert, mls_slice ("x", 1),
                          (MlsSlice){ 0 }, 0, &message),
      MLS_CLOSED);
  fail_unless_result (
      mls_group_commit (t.bert, &request, &staged), MLS_CLOSED);
  trio_clear (&t);
}
GST_END_TEST

GST_START_TEST (of_several_candidates_one_is_merged)
{
  Trio t;
  MlsStaged *annas, *carls;
  MlsEvent first, second;
  MlsCommitRequest empty = { .path = true };
  trio_new (&t);
  fail_unless_ok (mls_group_commit (t.anna, &empty, &annas));
  fail_unless_ok (mls_group_commit (t.carl, &empty, &carls));
  fail_unless_ok (
      mls_group_process (t.bert, mls_staged_message (annas), 0, &first));
  fail_unless_ok (
      mls_group_process (t.bert, mls_staged_message (carls), 0, &second));
  MlsStaged *one = first.commit, *two = second.commit;
  first.commit = second.commit = NULL;
  fail_unless_ok (mls_group_merge (t.bert, two, 0));
  fail_unless_result (mls_group_merge (t.bert, one, 0), MLS_WRONG_EPOCH);
  fail_unless_ok (take_commit (
      t.anna, mls_staged_message (carls))); /* the loser follows the winner, */
  fail_unless_result (mls_group_merge (t.anna, annas, 0), MLS_WRONG_EPOCH);
  fail_unless_ok (mls_group_merge (t.carl, carls, 0));
  same_epoch (t.anna, t.bert);
  anna_commits (&t, &empty); /* and commits anew */
  mls_event_clear (&first);
  mls_event_clear (&second);
  trio_clear (&t);
}
GST_END_TEST

GST_START_TEST (runs_with_one_source_of_random_bytes_are_the_same)
{
  guint8 authenticators[2][32];
  for (guint i = 0; i < 2; i++) {
    World *w = world_new (42, 6);
    for (guint j = 0; j < 6; j++)
      commit_step (w);
    guint who = (guint) pick (w, TRUE);
    memcpy (authenticators[i],
        mls_epoch_authenticator (mls_group_epoch (w->groups[who])), 32);
    world_free (w);
  }
  fail_unless (memcmp (authenticators[0], authenticators[1], 32) == 0);
}
GST_END_TEST

static Suite *
mls_group_suite (void)
{
  Suite *suite = suite_create ("mls-group");
  TCase *tc = tcase_create ("schedules");
  int n = (int) number_from ("CONCLAVE_MLS_SCHEDULES",
      g_getenv ("CONCLAVE_SLOW") ? 6 : DEFAULT_SCHEDULES);
  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 0);
  g_print ("%d schedules from seed %" G_GUINT64_FORMAT "\n", n,
      number_from ("CONCLAVE_MLS_SEED", DEFAULT_SEED));
  tcase_add_loop_test (tc, members_agree_over_a_random_schedule, 0, n);
  TCase *single = tcase_create ("general");
  suite_add_tcase (suite, single);
  tcase_add_test (
      single, a_member_that_lost_its_memory_is_replaced_in_one_commit);
  tcase_add_test (single, psks_go_into_the_key_schedule);
  tcase_add_test (single,
      an_extension_that_changes_is_described_and_a_reinit_closes_the_group);
  tcase_add_test (single, of_several_candidates_one_is_merged);
  tcase_add_test (single, runs_with_one_source_of_random_bytes_are_the_same);
  return suite;
}

PURE_CHECK_MAIN (mls_group);

/* MLS groups of 10 to 4,000 members: what adding one, removing one, fresh keys and an application message cost in CPU
 * time, to whom, and how large they are.
 *
 *     bench-mls [MEMBERS…]
 *
 * The group is built as a meeting builds it, by commits that only add: all its parents are blank, so that a commit with
 * a path, as each removal needs, is encrypted to every member. That is the worst case. The floors are the signatures
 * and encryptions that no implementation can do without.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../check/mls-members.h"
#include "bench.h"

#include "ext/sodium/hpke.h"

#define ROUNDS 7
#define BATCH 500

typedef struct
{
  MlsGroup *committer, *receiver;
  uint32_t next; /* the number of the next new member */
} Meeting;

static void
demand (bool holds, const char *what)
{
  if (holds)
    return;
  fprintf (stderr, "bench-mls: %s\n", what);
  exit (1);
}

static MlsKeyPackage *
new_member (Meeting *m, MlsSuite suite)
{
  Person p = person_new (suite, m->next++, NULL);
  MlsKeyPackage *kp = person_key_package (&p);
  person_clear (&p);
  demand (kp != NULL, "key package");
  return kp;
}

/* Commits, and lets the receiver follow. */
static void
commit_both (Meeting *m, const MlsCommitRequest *request)
{
  MlsStaged *staged;
  demand (
      mls_group_commit (m->committer, request, &staged) == MLS_OK, "commit");
  if (m->receiver)
    demand (take_commit (m->receiver, mls_staged_message (staged)) == MLS_OK,
        "process");
  demand (mls_group_merge (m->committer, staged, 0) == MLS_OK, "merge");
}

static void
build (Meeting *m, MlsSuite suite, uint32_t members)
{
  Person host = person_new (suite, m->next++, NULL);
  m->committer = person_create (&host, "bench", NULL);
  person_clear (&host);
  MlsKeyPackage *kp = new_member (m, suite);
  MlsSlice add = mls_key_package_message (kp);
  MlsCommitRequest request = { .add = &add, .n_add = 1 };
  MlsStaged *staged;
  demand (
      mls_group_commit (m->committer, &request, &staged) == MLS_OK, "commit");
  demand (mls_group_join (kp, mls_staged_welcome (staged), (MlsSlice){ 0 },
              NULL, 0, NULL, &m->receiver)
              == MLS_OK,
      "join");
  demand (mls_group_merge (m->committer, staged, 0) == MLS_OK, "merge");
  mls_key_package_free (kp);

  for (uint32_t n = 2; n < members;) {
    MlsKeyPackage *kps[BATCH];
    MlsSlice adds[BATCH];
    uint32_t k = members - n < BATCH ? members - n : BATCH;
    for (uint32_t i = 0; i < k; i++) {
      kps[i] = new_member (m, suite);
      adds[i] = mls_key_package_message (kps[i]);
    }
    MlsCommitRequest batch = { .add = adds, .n_add = k, .no_tree = true };
    commit_both (m, &batch);
    for (uint32_t i = 0; i < k; i++)
      mls_key_package_free (kps[i]);
    n += k;
  }
}

typedef struct
{
  double committer[ROUNDS], receiver[ROUNDS], joiner[ROUNDS];
  size_t commit, welcome;
} Times;

/* One commit, timed on both sides, each with its merge. */
static void
time_commit (Meeting *m, const MlsCommitRequest *request,
    const MlsKeyPackage *joiner, Times *t, size_t round)
{
  MlsStaged *staged;
  MlsBuffer message = { 0 }, welcome = { 0 };
  double start = bench_cpu_ns ();
  demand (
      mls_group_commit (m->committer, request, &staged) == MLS_OK, "commit");
  double middle = bench_cpu_ns ();
  mls_put_slice (&message, mls_staged_message (staged));
  mls_put_slice (&welcome, mls_staged_welcome (staged));
  double again = bench_cpu_ns ();
  demand (mls_group_merge (m->committer, staged, 0) == MLS_OK, "merge");
  t->committer[round] = middle - start + bench_cpu_ns () - again;

  start = bench_cpu_ns ();
  demand (take_commit (m->receiver, mls_buffer_slice (&message)) == MLS_OK,
      "process");
  t->receiver[round] = bench_cpu_ns () - start;
  t->joiner[round] = 0;
  if (joiner) {
    MlsGroup *joined;
    start = bench_cpu_ns ();
    demand (mls_group_join (joiner, mls_buffer_slice (&welcome),
                (MlsSlice){ 0 }, NULL, 0, NULL, &joined)
                == MLS_OK,
        "join");
    t->joiner[round] = bench_cpu_ns () - start;
    mls_group_free (joined);
  }
  t->commit = message.len;
  t->welcome = welcome.len;
  mls_buffer_free (&message);
  mls_buffer_free (&welcome);
}

static void
report (uint32_t members, const char *what, Times *t)
{
  printf (
      "%5u  %-12s  committer %8.2f ms   receiver %7.2f ms   joiner %8.2f ms   commit %7zu B   welcome %7zu B\n",
      members, what, bench_median (t->committer, ROUNDS) / 1e6,
      bench_median (t->receiver, ROUNDS) / 1e6,
      bench_median (t->joiner, ROUNDS) / 1e6, t->commit, t->welcome);
}

static void
time_messages (Meeting *m, uint32_t members)
{
  enum
  {
    N = 200
  };
  uint8_t data[200] = { 0 };
  double protect[ROUNDS], unprotect[ROUNDS];
  size_t size = 0;
  for (size_t round = 0; round < ROUNDS; round++) {
    MlsBuffer messages[N] = { { 0 } };
    double start = bench_cpu_ns ();
    for (size_t i = 0; i < N; i++)
      demand (mls_group_protect (m->committer, mls_slice (data, sizeof data),
                  (MlsSlice){ 0 }, 128, &messages[i])
                  == MLS_OK,
          "protect");
    protect[round] = (bench_cpu_ns () - start) / N;
    start = bench_cpu_ns ();
    for (size_t i = 0; i < N; i++) {
      MlsEvent event;
      demand (mls_group_process (
                  m->receiver, mls_buffer_slice (&messages[i]), 0, &event)
                  == MLS_OK,
          "unprotect");
      mls_event_clear (&event);
    }
    unprotect[round] = (bench_cpu_ns () - start) / N;
    size = messages[0].len;
    for (size_t i = 0; i < N; i++)
      mls_buffer_free (&messages[i]);
  }
  printf (
      "%5u  %-12s  sender    %8.3f ms   receiver %7.3f ms   %zu B for 200\n",
      members, "message", bench_median (protect, ROUNDS) / 1e6,
      bench_median (unprotect, ROUNDS) / 1e6, size);
}

static void
floors (MlsSuite suite)
{
  enum
  {
    N = 200
  };
  uint8_t pk[32], sk[64], sig[64], priv[32], pub[32], enc[32], ct[48],
      info[400] = { 0 }, plain[32] = { 0 };
  crypto_sign_keypair (pk, sk);
  hpke_generate_key_pair (priv, pub);
  double start = bench_cpu_ns ();
  for (size_t i = 0; i < N; i++)
    crypto_sign_detached (sig, NULL, info, sizeof info, sk);
  double sign = (bench_cpu_ns () - start) / N;
  start = bench_cpu_ns ();
  for (size_t i = 0; i < N; i++)
    demand (crypto_sign_verify_detached (sig, info, sizeof info, pk) == 0,
        "verify");
  double verify = (bench_cpu_ns () - start) / N;
  start = bench_cpu_ns ();
  for (size_t i = 0; i < N; i++) {
    crypto_scalarmult_base (enc, priv);
    demand (crypto_scalarmult (ct, priv, pub) == 0, "dh");
  }
  double dh = (bench_cpu_ns () - start) / N;
  start = bench_cpu_ns ();
  for (size_t i = 0; i < N; i++)
    demand (hpke_seal ((HpkeAead) suite, pub, NULL, info, sizeof info, NULL, 0,
                plain, sizeof plain, enc, ct),
        "seal");
  double seal = (bench_cpu_ns () - start) / N;
  printf (
      "floors, in µs: sign %.1f, verify %.1f, X25519 twice %.1f; hpke_seal, which needs these %.1f\n",
      sign / 1e3, verify / 1e3, dh / 1e3, seal / 1e3);
}

static void
run (MlsSuite suite, uint32_t members)
{
  Meeting m = { NULL, NULL, 0 };
  Times add, remove, rekey;

  build (&m, suite, members);
  time_messages (&m, members);
  for (size_t round = 0; round < ROUNDS; round++) {
    MlsKeyPackage *kp = new_member (&m, suite);
    MlsSlice message = mls_key_package_message (kp);
    MlsCommitRequest one = { .add = &message, .n_add = 1 };
    time_commit (&m, &one, kp, &add, round);
    mls_key_package_free (kp);
  }
  report (members, "add one", &add);
  for (size_t round = 0; round < ROUNDS; round++) {
    uint32_t victim =
        members - 1
        - (uint32_t) round; /* of another subtree each time than the last */
    MlsCommitRequest one = { .remove = &victim, .n_remove = 1 };
    if (victim < 2)
      break;
    time_commit (&m, &one, NULL, &remove, round);
  }
  report (members, "remove one", &remove);
  for (size_t round = 0; round < ROUNDS; round++) {
    MlsCommitRequest empty = { .path = true };
    time_commit (&m, &empty, NULL, &rekey, round);
  }
  report (members, "fresh keys", &rekey);
  mls_group_free (m.committer);
  mls_group_free (m.receiver);
}

int
main (int argc, char **argv)
{
  static const uint32_t usual[] = { 10, 100, 1000, 4000 };
  if (!core_init ())
    return 1;
  for (int i = 0; i < 2; i++) {
    MlsSuite suite =
        i == 0 ? MLS_SUITE_CHACHA20_POLY1305 : MLS_SUITE_AES_128_GCM;
    printf ("cipher suite %d\n", (int) suite);
    floors (suite);
    if (argc > 1)
      for (int j = 1; j < argc; j++)
        run (suite, (uint32_t) strtoul (argv[j], NULL, 10));
    else
      for (size_t j = 0; j < sizeof usual / sizeof usual[0]; j++)
        run (suite, usual[j]);
  }
  return 0;
}

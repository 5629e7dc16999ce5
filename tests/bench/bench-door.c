/* Handshakes at the door per second of CPU, at either side, and HPKE's single messages, each beside its floor: the bare
 * libsodium calls that nobody can do without.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

#include "ext/sodium/door.h"
#include "ext/sodium/hpke.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define RUNS 7
#define ROUNDS 100
#define KEY_PACKAGE_LEN 300
#define PROOF_LEN (2 + KEY_PACKAGE_LEN + 65)
#define TRACKS_LEN 200
#define ADMIT_LEN (2 + 33 + 2 + TRACKS_LEN)

typedef struct
{
  Identity *joiner, *host;
  Secret *password;
  uint8_t pinned[IDENTITY_FINGERPRINT_LEN];
} People;

/* ns of CPU spent at each side */
typedef struct
{
  double joiner, host;
} Cost;

static void
must (bool ok)
{
  if (!ok) {
    fprintf (stderr, "a handshake failed\n");
    exit (1);
  }
}

/* Time since `*mark`, which moves to now. */
static double
lap (double *mark)
{
  double now = bench_cpu_ns (), took = now - *mark;
  *mark = now;
  return took;
}

static Cpace *
begin (const People *p, CpaceRole role, const DoorTranscript *t)
{
  uint8_t ci[DOOR_MAX_CI];
  Cpace *cpace = cpace_new (role, p->password, ci, door_ci (t->meeting, ci),
      t->sid, DOOR_SID_LEN, NULL);
  must (cpace != NULL);
  return cpace;
}

/* knock, reply, proof, admit, with every check that door.h has; messages travel as the same memory. */
static Cost
handshake (const People *p)
{
  DoorTranscript t = { .meeting = "standup" };
  DoorKnock knock = { .count = 2, .offers = { { 3 }, { 1 } } };
  DoorReply reply = { .suite = 3 };
  uint8_t key_package[KEY_PACKAGE_LEN] = { 0 }, tracks[TRACKS_LEN] = { 0 };
  uint8_t reply_sig[IDENTITY_SIG_LEN], proof_sig[IDENTITY_SIG_LEN];
  uint8_t ta[CPACE_TAG_LEN], tb[CPACE_TAG_LEN], plain[PROOF_LEN];
  uint8_t proof[PROOF_LEN], proof_box[PROOF_LEN + DOOR_BOX_OVERHEAD];
  uint8_t admit[ADMIT_LEN], admit_box[ADMIT_LEN + DOOR_BOX_OVERHEAD];
  DoorProof got_proof;
  DoorAdmit verdict = {
    .admitted = true, .tracks = tracks, .tracks_len = TRACKS_LEN
  };
  Cost cost = { 0, 0 };
  double mark = bench_cpu_ns ();

  /* J: knock */
  randombytes_buf (t.sid, sizeof t.sid);
  randombytes_buf (knock.nonce, sizeof knock.nonce);
  Writer w = writer_init (t.ada, sizeof t.ada);
  door_write_knock (&w, &knock);
  t.ada_len = writer_len (&w);
  Cpace *a = begin (p, CPACE_INITIATOR, &t);
  memcpy (t.ya, cpace_share (a), CPACE_SHARE_LEN);
  cost.joiner += lap (&mark);

  /* H: reply */
  must (door_parse_knock (reader_init (t.ada, t.ada_len), &knock));
  memcpy (reply.host_key, identity_public_key (p->host), IDENTITY_KEY_LEN);
  randombytes_buf (reply.nonce, sizeof reply.nonce);
  w = writer_init (t.adb, sizeof t.adb);
  door_write_reply (&w, &reply);
  Cpace *b = begin (p, CPACE_RESPONDER, &t);
  memcpy (t.yb, cpace_share (b), CPACE_SHARE_LEN);
  must (cpace_derive (b, t.ya, t.adb, DOOR_ADB_LEN, t.ada, t.ada_len));
  must (door_sign_reply (p->host, &t, reply_sig));
  cost.host += lap (&mark);

  /* J: proof */
  must (door_check_reply (&t, identity_public_key (p->joiner), reply_sig,
            reader_init (NULL, 0), p->pinned, &reply)
        == DOOR_OK);
  must (cpace_derive (a, t.yb, t.ada, t.ada_len, t.adb, DOOR_ADB_LEN));
  must (door_sign_proof (p->joiner, &t, reply_sig, proof_sig));
  w = writer_init (proof, sizeof proof);
  door_write_proof (
      &w, &(DoorProof){ key_package, KEY_PACKAGE_LEN, proof_sig });
  must (!w.failed && writer_len (&w) == PROOF_LEN);
  must (door_seal_proof (
      &t, cpace_isk (a), reply_sig, NULL, proof, PROOF_LEN, proof_box));
  memcpy (ta, cpace_tag (a), sizeof ta);
  cost.joiner += lap (&mark);

  /* H: admit */
  must (cpace_confirm (b, ta));
  must (door_open_proof (
      &t, cpace_isk (b), reply_sig, proof_box, sizeof proof_box, plain));
  must (door_parse_proof (reader_init (plain, PROOF_LEN), &got_proof));
  must (door_verify_proof (
      identity_public_key (p->joiner), &t, reply_sig, got_proof.sig));
  w = writer_init (admit, sizeof admit);
  door_write_admit (&w, &verdict);
  must (!w.failed && writer_len (&w) == ADMIT_LEN);
  must (door_seal_admit (&t, cpace_isk (b), reply_sig, ta, proof_box,
      sizeof proof_box, NULL, admit, ADMIT_LEN, admit_box));
  memcpy (tb, cpace_tag (b), sizeof tb);
  cpace_free (b);
  cost.host += lap (&mark);

  /* J: the end */
  must (cpace_confirm (a, tb));
  must (door_open_admit (&t, cpace_isk (a), reply_sig, ta, proof_box,
      sizeof proof_box, admit_box, sizeof admit_box, plain));
  must (door_parse_admit (reader_init (plain, ADMIT_LEN), &verdict));
  cpace_free (a);
  cost.joiner += lap (&mark);
  return cost;
}

/* One side's group operations and signatures: hash to the group, two multiplications, one signature made, one checked. */
static double
floor_of_a_side (void)
{
  uint8_t hash[64], g[32], scalar[32], y[32], k[32], sig[64], pk[32], sk[64];

  randombytes_buf (hash, sizeof hash);
  crypto_core_ristretto255_scalar_random (scalar);
  crypto_sign_keypair (pk, sk);
  double mark = bench_cpu_ns ();
  crypto_core_ristretto255_from_hash (g, hash);
  must (crypto_scalarmult_ristretto255 (y, scalar, g) == 0);
  must (crypto_scalarmult_ristretto255 (k, scalar, y) == 0);
  crypto_sign_detached (sig, NULL, hash, sizeof hash, sk);
  must (crypto_sign_verify_detached (sig, hash, sizeof hash, pk) == 0);
  return lap (&mark);
}

static void
bench_handshakes (void)
{
  People p = { identity_new (), identity_new (),
    secret_copy ("correct horse", 13) };
  double joiner[RUNS], host[RUNS], floors[RUNS];

  identity_fingerprint (identity_public_key (p.host), p.pinned);
  for (int run = 0; run < RUNS; run++) {
    joiner[run] = host[run] = floors[run] = 0;
    for (int i = 0; i < ROUNDS; i++) {
      Cost cost = handshake (&p);
      joiner[run] += cost.joiner / ROUNDS;
      host[run] += cost.host / ROUNDS;
      floors[run] += floor_of_a_side () / ROUNDS;
    }
  }
  double j = bench_median (joiner, RUNS), h = bench_median (host, RUNS);
  double f = bench_median (floors, RUNS);
  printf (
      "door handshake, floor (from_hash, 2 scalarmult, sign, verify) %6.1f us a side\n",
      f / 1e3);
  printf (
      "  joiner  %6.1f us  %6.0f/s  %.2f x floor\n", j / 1e3, 1e9 / j, j / f);
  printf (
      "  host    %6.1f us  %6.0f/s  %.2f x floor\n", h / 1e3, 1e9 / h, h / f);
  identity_free (p.joiner);
  identity_free (p.host);
  secret_unref (p.password);
}

static void
bench_hpke (HpkeAead aead, const char *name)
{
  uint8_t sk[32], pk[32], enc[32], dh[32], ct[32 + HPKE_TAG_LEN],
      pt[32] = { 0 };
  static const uint8_t info[200];
  double seal[RUNS], open[RUNS], floors[RUNS], mark;

  must (hpke_generate_key_pair (sk, pk));
  for (int run = 0; run < RUNS; run++) {
    mark = bench_cpu_ns ();
    for (int i = 0; i < ROUNDS; i++)
      must (hpke_seal (
          aead, pk, NULL, info, sizeof info, NULL, 0, pt, 32, enc, ct));
    seal[run] = lap (&mark) / ROUNDS;
    for (int i = 0; i < ROUNDS; i++)
      must (hpke_open (
          aead, sk, pk, enc, info, sizeof info, NULL, 0, ct, sizeof ct, pt));
    open[run] = lap (&mark) / ROUNDS;
    for (int i = 0; i < ROUNDS; i++)
      must (crypto_scalarmult (dh, sk, enc) == 0);
    floors[run] = lap (&mark) / ROUNDS;
  }
  double s = bench_median (seal, RUNS), o = bench_median (open, RUNS),
         f = bench_median (floors, RUNS);
  printf ("HPKE %s, 32 bytes, floor (X25519) %5.1f us\n", name, f / 1e3);
  printf ("  seal    %6.1f us  %6.0f/s  %.2f x two X25519\n", s / 1e3, 1e9 / s,
      s / (2 * f));
  printf ("  open    %6.1f us  %6.0f/s  %.2f x one X25519\n", o / 1e3, 1e9 / o,
      o / f);
}

int
main (void)
{
  must (core_init ());
  bench_handshakes ();
  bench_hpke (HPKE_AES_128_GCM, "AES-128-GCM");
  bench_hpke (HPKE_CHACHA20_POLY1305, "ChaCha20-Poly1305");
  return 0;
}

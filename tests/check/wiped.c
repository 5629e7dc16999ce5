/* Keys are gone when they have done their work: the whole memory of the process is searched for them.
 *
 * Each search is first seen to find the secret while it is in use.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memorysearch.h"

#include "ext/sodium/door.h"
#include "ext/sodium/hpke.h"
#include "ext/sodium/identity_file.h"
#include "ext/sodium/precis.h"

#include <glib/gstdio.h>
#include <sodium.h>

/* Bytes of the vector in guarded memory, so that the test leaves none either. */
static guint8 *
guarded (JsonObject *object, const char *name)
{
  const char *hex = json_object_get_string_member (object, name);
  guint8 *bytes = sodium_malloc (strlen (hex) / 2);
  fail_unless (sodium_hex2bin (bytes, strlen (hex) / 2, hex, strlen (hex),
                   NULL, NULL, NULL)
               == 0);
  return bytes;
}

static const char *
text (JsonObject *object, const char *name)
{
  return json_object_get_string_member (object, name);
}

static JsonObject *
row (const char *file, const char *section, guint i)
{
  JsonNode *root = load_vectors (file);
  JsonArray *rows = section ? json_object_get_array_member (
                        json_node_get_object (root), section)
                            : json_node_get_array (root);
  return json_array_get_object_element (rows, i);
}

/* The end of the next test's password as libunistring works on it. Constants are in memory that is not searched. */
static const guint32 end_in_utf32[] = { ' ', 0x6f22, 0x5b57 };

/* One side of a run, from the vector. */
typedef struct
{
  DoorTranscript t;
  const char *typed;
  Secret *password;
  Cpace *cpace;
  guint8 *scalar, *ci, *yb, *reply_sig, *proof_box, *tb, *admit_box,
      *host_seed;
  gsize ci_len, proof_box_len, admit_box_len;
  gboolean ok;
} Side;

static void
prepare_step (gpointer data)
{
  Side *s = data;
  s->ok =
      precis_opaque_string (s->typed, strlen (s->typed), &s->password, NULL)
      == PRECIS_OK;
}

static void
start_step (gpointer data)
{
  Side *s = data;
  s->cpace = cpace_new (CPACE_INITIATOR, s->password, s->ci, s->ci_len,
      s->t.sid, DOOR_SID_LEN, s->scalar);
  s->ok = s->cpace != NULL;
}

static void
derive_step (gpointer data)
{
  Side *s = data;
  s->ok = cpace_derive (
      s->cpace, s->yb, s->t.ada, s->t.ada_len, s->t.adb, DOOR_ADB_LEN);
}

static void
proof_step (gpointer data)
{
  Side *s = data;
  guint8 plain[2048], box[2048];
  s->ok = door_open_proof (&s->t, cpace_isk (s->cpace), s->reply_sig,
              s->proof_box, s->proof_box_len, plain)
          && door_seal_proof (&s->t, cpace_isk (s->cpace), s->reply_sig, NULL,
              plain, s->proof_box_len - DOOR_BOX_OVERHEAD, box);
}

static void
admit_step (gpointer data)
{
  Side *s = data;
  guint8 plain[2048], box[2048];
  s->ok = door_open_admit (&s->t, cpace_isk (s->cpace), s->reply_sig,
              cpace_tag (s->cpace), s->proof_box, s->proof_box_len,
              s->admit_box, s->admit_box_len, plain)
          && door_seal_admit (&s->t, cpace_isk (s->cpace), s->reply_sig,
              cpace_tag (s->cpace), s->proof_box, s->proof_box_len, NULL,
              plain, s->admit_box_len - DOOR_BOX_OVERHEAD, box)
          && cpace_confirm (s->cpace, s->tb);
}

static void
sign_step (gpointer data)
{
  Side *s = data;
  guint8 sig[IDENTITY_SIG_LEN];
  Identity *host = identity_from_seed (s->host_seed);
  s->ok = door_sign_reply (host, &s->t, sig);
  identity_free (host);
}

static void
run_step (Side *s, void (*function) (gpointer data))
{
  aside (function, s);
  fail_unless (s->ok);
}

static Side
load_side (JsonObject *in, JsonObject *out)
{
  Side s = { .typed = text (in, "password") };
  guint8 *ada = guarded (out, "ada"), *adb = guarded (out, "adb"),
         *sid = guarded (in, "sid"), *ya = guarded (out, "ya");

  g_strlcpy (s.t.meeting, text (in, "meeting"), sizeof s.t.meeting);
  s.t.ada_len = strlen (text (out, "ada")) / 2;
  memcpy (s.t.ada, ada, s.t.ada_len);
  memcpy (s.t.adb, adb, DOOR_ADB_LEN);
  memcpy (s.t.sid, sid, DOOR_SID_LEN);
  memcpy (s.t.ya, ya, CPACE_SHARE_LEN);
  s.yb = guarded (out, "yb");
  memcpy (s.t.yb, s.yb, CPACE_SHARE_LEN);
  s.ci = guarded (out, "ci");
  s.ci_len = strlen (text (out, "ci")) / 2;
  s.reply_sig = guarded (out, "reply_sig");
  s.proof_box = guarded (out, "proof_box");
  s.proof_box_len = strlen (text (out, "proof_box")) / 2;
  s.admit_box = guarded (out, "admit_box");
  s.admit_box_len = strlen (text (out, "admit_box")) / 2;
  s.tb = guarded (out, "tb");
  s.scalar = guarded (in, "ya_scalar");
  s.host_seed = guarded (in, "host_seed");
  sodium_free (ada), sodium_free (adb), sodium_free (sid), sodium_free (ya);
  return s;
}

/* The row whose password has another form when prepared than as it is typed in the file. */
GST_START_TEST (nothing_of_a_run_at_the_door_stays)
{
  JsonObject *v = row ("vectors/door/door.json", "runs", 2);
  JsonObject *in = json_object_get_object_member (v, "input"),
             *out = json_object_get_object_member (v, "output");
  Needle prs = needle_from_hex (text (out, "prs")),
         isk = needle_from_hex (text (out, "isk")),
         joiner_key = needle_from_hex (text (out, "joiner_box_key")),
         host_key = needle_from_hex (text (out, "host_box_key")),
         ya = needle_from_hex (text (in, "ya_scalar")),
         tag = needle_from_hex (text (out, "ta")),
         seed = needle_from_hex (text (in, "host_seed"));
  Needle utf32 = needle_from_bytes (end_in_utf32, sizeof end_in_utf32);
  Side s = load_side (in, out);

  run_step (&s, prepare_step);
  must_be_in_one_place ("password", &prs);
  must_be_gone ("password in UTF-32", &utf32);

  run_step (&s, start_step);
  secret_unref (s.password);
  sodium_free (s.scalar);
  must_be_gone ("password", &prs);
  must_be_in_one_place ("scalar", &ya);

  run_step (&s, derive_step);
  must_be_gone ("scalar", &ya);
  must_be_in_one_place ("ISK", &isk);
  must_be_in_one_place ("tag", &tag);

  run_step (&s, proof_step);
  must_be_gone ("joiner box key", &joiner_key);
  run_step (&s, admit_step);
  must_be_gone ("host box key", &host_key);
  must_be_in_one_place ("ISK", &isk);
  cpace_free (s.cpace);
  must_be_gone ("ISK", &isk);
  must_be_gone ("tag", &tag);

  run_step (&s, sign_step);
  must_be_in_one_place ("seed", &seed);
  guint8 *rest[] = { s.ci, s.yb, s.reply_sig, s.proof_box, s.tb, s.admit_box,
    s.host_seed };
  for (guint i = 0; i < G_N_ELEMENTS (rest); i++)
    sodium_free (rest[i]);
  must_be_gone ("seed", &seed);
}
GST_END_TEST;

/* What sealing and opening make of the keys they are given. */
static void
look_for_the_schedule (JsonObject *v)
{
  static const char *const names[] = { "skEm", "shared_secret", "secret",
    "key", "exporter_secret" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    Needle n = needle_from_hex (text (v, names[i]));
    must_be_gone (names[i], &n);
  }
}

typedef struct
{
  HpkeAead aead;
  guint8 *ikm_e, *ikm_r, *info, *sk;
  gsize info_len;
  guint8 pk[HPKE_KEY_LEN], enc[HPKE_KEY_LEN], ct[17], pt[1];
  HpkeContext *from, *to;
  gboolean ok;
} Message;

static void
key_pair_step (gpointer data)
{
  Message *m = data;
  m->ok = hpke_derive_key_pair (m->ikm_r, HPKE_KEY_LEN, m->sk, m->pk);
}

static void
seal_step (gpointer data)
{
  Message *m = data;
  m->ok = hpke_seal (m->aead, m->pk, m->ikm_e, m->info, m->info_len, NULL, 0,
      "x", 1, m->enc, m->ct);
}

static void
open_step (gpointer data)
{
  Message *m = data;
  m->ok = hpke_open (m->aead, m->sk, NULL, m->enc, m->info, m->info_len, NULL,
      0, m->ct, sizeof m->ct, m->pt);
}

static void
contexts_step (gpointer data)
{
  Message *m = data;
  m->from =
      hpke_sender (m->aead, m->pk, m->ikm_e, m->info, m->info_len, m->enc);
  m->to = hpke_receiver (m->aead, m->sk, m->pk, m->enc, m->info, m->info_len);
  m->ok = m->from && m->to
          && hpke_context_seal (m->from, NULL, 0, "x", 1, m->ct)
          && hpke_context_open (m->to, NULL, 0, m->ct, sizeof m->ct, m->pt);
}

GST_START_TEST (nothing_of_an_encrypted_message_stays)
{
  static void (*const steps[]) (gpointer) = { seal_step, open_step };
  JsonObject *v = row ("vectors/hpke/rfc9180.json", NULL, (guint) __i__);
  Message m = { (HpkeAead) json_object_get_int_member (v, "aead_id"),
    guarded (v, "ikmE"), guarded (v, "ikmR"), guarded (v, "info"),
    sodium_malloc (HPKE_KEY_LEN), strlen (text (v, "info")) / 2 };
  Needle sk_r = needle_from_hex (text (v, "skRm")),
         exporter = needle_from_hex (text (v, "exporter_secret"));

  aside (key_pair_step, &m);
  must_be_in_one_place ("private key", &sk_r);
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    aside (steps[i], &m);
    fail_unless (m.ok);
    look_for_the_schedule (v);
    must_be_in_one_place ("private key", &sk_r);
  }
  aside (contexts_step, &m);
  fail_unless (m.ok);
  fail_unless_equals_int (count_in_memory (&exporter), 2);
  hpke_context_free (m.from);
  hpke_context_free (m.to);
  look_for_the_schedule (v);
  sodium_free (m.sk);
  must_be_gone ("private key", &sk_r);
  sodium_free (m.ikm_e);
  sodium_free (m.ikm_r);
  sodium_free (m.info);
}
GST_END_TEST;

typedef struct
{
  const char *path;
  Identity *identity;
  Secret *pem;
  IdentityResult result;
} Keeper;

static void
create_step (gpointer data)
{
  Keeper *k = data;
  k->result = identity_file_load_or_create (k->path, &k->identity);
}

static void
pem_step (gpointer data)
{
  Keeper *k = data;
  k->pem = identity_to_pem (k->identity);
}

static void
load_step (gpointer data)
{
  Keeper *k = data;
  k->result = identity_file_load (k->path, &k->identity);
}

GST_START_TEST (nothing_of_an_identity_stays)
{
  g_autofree char *folder = g_dir_make_tmp ("conclave-wiped-XXXXXX", NULL),
                  *path = g_build_filename (folder, "key", NULL);
  Keeper k = { path };

  aside (create_step, &k);
  fail_unless_equals_int (k.result, IDENTITY_OK);
  Needle seed =
      needle_from_bytes (identity_secret_key (k.identity), IDENTITY_KEY_LEN);
  must_be_in_one_place ("seed", &seed);
  aside (pem_step, &k);
  Needle line = needle_from_bytes (secret_bytes (k.pem) + 50, 40);
  must_be_in_one_place ("seed", &seed);
  must_be_in_one_place ("PEM", &line);
  identity_free (k.identity);
  secret_unref (k.pem);
  must_be_gone ("PEM", &line);

  aside (load_step, &k);
  fail_unless_equals_int (k.result, IDENTITY_OK);
  must_be_in_one_place ("seed", &seed);
  must_be_gone ("PEM", &line);
  identity_free (k.identity);
  must_be_gone ("seed", &seed);
  g_remove (path);
  g_rmdir (folder);
}
GST_END_TEST;

static Suite *
wiped_suite (void)
{
  Suite *suite = suite_create ("wiped");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (suite, tc);
  tcase_add_test (tc, nothing_of_a_run_at_the_door_stays);
  tcase_add_loop_test (tc, nothing_of_an_encrypted_message_stays, 0, 2);
  tcase_add_test (tc, nothing_of_an_identity_stays);
  return suite;
}

MEMORY_CHECK_MAIN (wiped)

/* Keys are gone when they have done their work: the whole memory of the process is searched for them.
 *
 * What is searched for is never itself in memory: needles are kept masked. Each search is first seen to find the secret
 * while it is in use.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/sodium/door.h"
#include "ext/sodium/hpke.h"
#include "ext/sodium/identity_file.h"
#include "ext/sodium/precis.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sodium.h>
#include <unistd.h>

#define MASK 0xa5
#define MAX_NEEDLE 128

typedef struct
{
  gsize len;
  guint8 masked[MAX_NEEDLE];
} Needle;

/* From hexadecimal text, without the bytes in between. */
static Needle
needle_from_hex (const char *hex)
{
  Needle n = { strlen (hex) / 2 };
  g_assert (n.len >= 8 && n.len <= MAX_NEEDLE);
  for (gsize i = 0; i < n.len; i++)
    n.masked[i] = (guint8) (MASK
                            ^ (g_ascii_xdigit_value (hex[2 * i]) << 4
                                | g_ascii_xdigit_value (hex[2 * i + 1])));
  return n;
}

static Needle
needle_from_bytes (const void *bytes, gsize len)
{
  Needle n = { len };
  g_assert (len >= 8 && len <= MAX_NEEDLE);
  for (gsize i = 0; i < len; i++)
    n.masked[i] = MASK ^ ((const guint8 *) bytes)[i];
  return n;
}

__attribute__ ((no_sanitize ("address"))) static const volatile guint8 *
search (
    const volatile guint8 *start, const volatile guint8 *end, const Needle *n)
{
  for (const volatile guint8 *p = start; p + n->len <= end; p++) {
    gsize i = 0;
    while (i < n->len && (p[i] ^ MASK) == n->masked[i])
      i++;
    if (i == n->len)
      return p;
  }
  return NULL;
}

/* How many of the process's own mappings (those without a file, and the data of those with one) hold the needle. */
static guint
count_in_memory (const Needle *n)
{
  static char maps[1 << 18];
  int fd = open ("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  gsize len = 0;
  guint found = 0;

  fail_unless (fd >= 0, "this test needs /proc/self/maps");
  for (gssize got; (got = read (fd, maps + len, sizeof maps - 1 - len)) > 0;
       len += (gsize) got)
    ;
  close (fd);
  maps[len] = '\0';

  for (char *line = maps; *line; line = strchr (line, '\n') + 1) {
    char *rest;
    guint64 start = g_ascii_strtoull (line, &rest, 16),
            end = g_ascii_strtoull (rest + 1, &rest, 16);
    if (rest[1] != 'r' || rest[2] != 'w'
        || end - start > 1 << 28) /* a sanitizer's shadow is larger */
      continue;
    if (search ((const volatile guint8 *) (gsize) start,
            (const volatile guint8 *) (gsize) end, n))
      found++;
  }
  return found;
}

static void
must_be_gone (const char *name, const Needle *n)
{
  fail_unless (count_in_memory (n) == 0, "the %s is still in memory", name);
}

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
         tag = needle_from_hex (text (out, "tb")),
         seed = needle_from_hex (text (in, "host_seed"));
  Needle utf32 = needle_from_bytes (end_in_utf32, sizeof end_in_utf32);
  const char *typed = text (in, "password");
  Secret *password;
  DoorTranscript t = { 0 };
  guint8 *scalar = guarded (in, "ya_scalar"),
         *host_seed = guarded (in, "host_seed");
  gsize ada_len = strlen (text (out, "ada")) / 2,
        box_len = strlen (text (out, "proof_box")) / 2;
  guint8 *ada = guarded (out, "ada"), *adb = guarded (out, "adb"),
         *yb = guarded (out, "yb"), *sid = guarded (in, "sid"),
         *ci = guarded (out, "ci"), *reply_sig = guarded (out, "reply_sig"),
         *box = guarded (out, "proof_box"), *tb = guarded (out, "tb"),
         *admit_box = guarded (out, "admit_box"), sig[IDENTITY_SIG_LEN],
         plain[2048];

  g_strlcpy (t.meeting, text (in, "meeting"), sizeof t.meeting);
  memcpy (t.sid, sid, DOOR_SID_LEN);
  memcpy (t.ada, ada, t.ada_len = ada_len);
  memcpy (t.adb, adb, DOOR_ADB_LEN);
  memcpy (t.yb, yb, CPACE_SHARE_LEN);

  fail_unless_equals_int (
      precis_opaque_string (typed, strlen (typed), &password, NULL),
      PRECIS_OK);
  fail_unless (
      count_in_memory (&prs) > 0, "the search does not find what is there");
  Cpace *a = cpace_new (CPACE_INITIATOR, password, ci,
      strlen (text (out, "ci")) / 2, sid, DOOR_SID_LEN, scalar);
  memcpy (t.ya, cpace_share (a), CPACE_SHARE_LEN);
  secret_unref (password);
  sodium_free (scalar);
  fail_unless (count_in_memory (&ya) > 0);
  fail_unless (cpace_derive (a, yb, ada, ada_len, adb, DOOR_ADB_LEN));
  must_be_gone ("scalar", &ya);
  must_be_gone ("password", &prs);
  must_be_gone ("password in UTF-32", &utf32);
  fail_unless (count_in_memory (&isk) > 0);

  fail_unless (
      door_open_proof (&t, cpace_isk (a), reply_sig, box, box_len, plain));
  fail_unless (door_seal_proof (&t, cpace_isk (a), reply_sig, NULL, plain,
      box_len - DOOR_BOX_OVERHEAD, box));
  must_be_gone ("joiner box key", &joiner_key);
  sodium_free (box);
  box = guarded (out, "proof_box");
  fail_unless (door_open_admit (&t, cpace_isk (a), reply_sig, cpace_tag (a),
      box, box_len, admit_box, strlen (text (out, "admit_box")) / 2, plain));
  must_be_gone ("host box key", &host_key);
  fail_unless (cpace_confirm (a, tb));
  sodium_free (tb);
  cpace_free (a);
  must_be_gone ("ISK", &isk);
  must_be_gone ("tag", &tag);

  Identity *host = identity_from_seed (host_seed);
  sodium_free (host_seed);
  fail_unless (door_sign_reply (host, &t, sig));
  identity_free (host);
  must_be_gone ("seed", &seed);

  guint8 *rest[] = { ada, adb, yb, sid, ci, reply_sig, box, admit_box };
  for (guint i = 0; i < G_N_ELEMENTS (rest); i++)
    sodium_free (rest[i]);
}
GST_END_TEST;

GST_START_TEST (nothing_of_an_encrypted_message_stays)
{
  JsonObject *v = row ("vectors/hpke/rfc9180.json", NULL, (guint) __i__);
  static const char *const names[] = { "skEm", "shared_secret", "secret",
    "key", "exporter_secret", "skRm" };
  HpkeAead aead = (HpkeAead) json_object_get_int_member (v, "aead_id");
  guint8 *ikm_e = guarded (v, "ikmE"), *ikm_r = guarded (v, "ikmR"),
         *info = guarded (v, "info"), *sk = sodium_malloc (HPKE_KEY_LEN),
         pk[HPKE_KEY_LEN], enc[HPKE_KEY_LEN], ct[17], pt[1];
  gsize info_len = strlen (text (v, "info")) / 2;
  Needle sk_r = needle_from_hex (text (v, "skRm")),
         exporter = needle_from_hex (text (v, "exporter_secret"));

  fail_unless (hpke_derive_key_pair (ikm_r, HPKE_KEY_LEN, sk, pk));
  fail_unless (count_in_memory (&sk_r) > 0);
  fail_unless (
      hpke_seal (aead, pk, ikm_e, info, info_len, NULL, 0, "x", 1, enc, ct));
  fail_unless (hpke_open (
      aead, sk, NULL, enc, info, info_len, NULL, 0, ct, sizeof ct, pt));

  HpkeContext *from = hpke_sender (aead, pk, ikm_e, info, info_len, enc),
              *to = hpke_receiver (aead, sk, pk, enc, info, info_len);
  fail_unless (count_in_memory (&exporter) > 0);
  fail_unless (hpke_context_seal (from, NULL, 0, "x", 1, ct));
  fail_unless (hpke_context_open (to, NULL, 0, ct, sizeof ct, pt));
  hpke_context_free (from);
  hpke_context_free (to);
  sodium_free (sk);
  sodium_free (ikm_e);
  sodium_free (ikm_r);
  sodium_free (info);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    Needle n = needle_from_hex (text (v, names[i]));
    fail_unless (count_in_memory (&n) == 0,
        "\"%s\" of the vector is still in memory", names[i]);
  }
}
GST_END_TEST;

GST_START_TEST (nothing_of_an_identity_stays)
{
  g_autofree char *folder = g_dir_make_tmp ("conclave-wiped-XXXXXX", NULL),
                  *path = g_build_filename (folder, "key", NULL);
  Identity *identity;

  fail_unless_equals_int (
      identity_file_load_or_create (path, &identity), IDENTITY_OK);
  Secret *pem = identity_to_pem (identity);
  Needle seed = needle_from_bytes (
             identity_secret_key (identity), IDENTITY_KEY_LEN),
         line = needle_from_bytes (secret_bytes (pem) + 50, 40);
  fail_unless (count_in_memory (&line) > 0);
  identity_free (identity);
  secret_unref (pem);
  fail_unless_equals_int (identity_file_load (path, &identity), IDENTITY_OK);
  identity_free (identity);
  g_remove (path);
  g_rmdir (folder);
  must_be_gone ("seed", &seed);
  must_be_gone ("PEM", &line);
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

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

#ifdef SANITIZED
int
main (void)
{
  (void) wiped_suite;
  puts (
      "skipped: a sanitizer keeps more memory than can be searched, and copies of its own in it");
  return 77;
}
#else
PURE_CHECK_MAIN (wiped)
#endif

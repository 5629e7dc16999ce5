/* Identity files in front of OpenSSL's command line: what it makes we read, what we make it reads, and a signature of
 * the same key verifies on the other side.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/sodium/identity_file.h"
#include "ext/sodium/lv.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

static char *folder;

static char *
path_of (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

/* Runs `openssl ARGUMENT...` in the folder. */
static void
openssl (const char *arguments)
{
  g_autofree char *command = g_strdup_printf ("openssl %s", arguments);
  g_autofree char *output = NULL, *errors = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) argv = NULL;
  int status = -1;

  g_assert_true (g_shell_parse_argv (command, NULL, &argv, NULL));
  if (!g_spawn_sync (folder, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
          &output, &errors, &status, &error)
      || status != 0)
    g_error ("%s: %s", command, error ? error->message : errors);
}

/* The public key of `name`, as OpenSSL sees it: the last 32 bytes of its SubjectPublicKeyInfo (RFC 8410, 4). */
static void
assert_same_public_key (const char *name, const Identity *identity)
{
  g_autofree char *arguments = g_strdup_printf (
      "pkey -in %s -pubout -outform DER -out public.der", name);
  g_autofree char *path = path_of ("public.der"), *der = NULL;
  gsize len;

  openssl (arguments);
  g_assert_true (g_file_get_contents (path, &der, &len, NULL));
  g_assert_cmpuint (len, ==, 44);
  g_assert_cmpmem (
      der + 12, 32, identity_public_key (identity), IDENTITY_KEY_LEN);
}

/* OpenSSL signs with the file `name` what identity_sign() would sign. */
static void
assert_signatures_agree (const char *name, const Identity *identity)
{
  g_autofree char *arguments = g_strdup_printf (
      "pkeyutl -sign -rawin -inkey %s -in message -out signature", name);
  g_autofree char *message_path = path_of ("message"),
                  *sig_path = path_of ("signature"), *theirs = NULL;
  const HashPart part = { "what is said", 12 };
  uint8_t message[64], ours[IDENTITY_SIG_LEN];
  Writer w = writer_init (message, sizeof message);
  gsize len;

  lv_write (&w, "label", 5);
  lv_write (&w, part.bytes, part.len);
  g_assert_true (g_file_set_contents (
      message_path, (char *) message, (gssize) writer_len (&w), NULL));
  openssl (arguments);
  g_assert_true (g_file_get_contents (sig_path, &theirs, &len, NULL));
  g_assert_true (identity_sign (identity, "label", &part, 1, ours));
  g_assert_cmpmem (theirs, len, ours, sizeof ours);
  g_assert_true (identity_verify (
      identity_public_key (identity), "label", &part, 1, (uint8_t *) theirs));
}

static void
openssl_key_is_read (void)
{
  g_autofree char *path = path_of ("theirs.pem");
  Identity *identity;

  openssl ("genpkey -algorithm ed25519 -out theirs.pem");
  g_assert_cmpint (identity_file_load (path, &identity), ==, IDENTITY_OK);
  assert_same_public_key ("theirs.pem", identity);
  assert_signatures_agree ("theirs.pem", identity);
  identity_free (identity);
}

static void
our_key_is_read_by_openssl (void)
{
  g_autofree char *path = path_of ("ours.pem");
  Identity *identity;

  g_assert_cmpint (
      identity_file_load_or_create (path, &identity), ==, IDENTITY_OK);
  openssl ("pkey -in ours.pem -check -noout");
  assert_same_public_key ("ours.pem", identity);
  assert_signatures_agree ("ours.pem", identity);
  identity_free (identity);
}

static void
other_keys_of_openssl_are_named (void)
{
  static const struct
  {
    const char *arguments;
    IdentityResult result;
  } rows[] = { { "genpkey -algorithm x25519 -out other.pem",
                   IDENTITY_OTHER_KIND },
    { "genpkey -algorithm ed448 -out other.pem", IDENTITY_OTHER_KIND },
    { "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem",
        IDENTITY_OTHER_KIND },
    { "genpkey -algorithm ed25519 -aes-256-cbc -pass pass:secret -out other.pem",
        IDENTITY_ENCRYPTED } };
  g_autofree char *path = path_of ("other.pem");

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    Identity *identity;
    openssl (rows[i].arguments);
    g_assert_cmpint (g_chmod (path, 0600), ==, 0);
    g_assert_cmpint (identity_file_load (path, &identity), ==, rows[i].result);
  }
}

int
main (int argc, char **argv)
{
  g_autofree char *program = g_find_program_in_path ("openssl");

  g_test_init (&argc, &argv, NULL);
  if (!program) {
    g_print ("SKIP: the openssl program is not installed\n");
    return 77;
  }
  g_assert_true (core_init ());
  folder = g_dir_make_tmp ("conclave-openssl-XXXXXX", NULL);
  g_test_add_func ("/identity/openssl-key-is-read", openssl_key_is_read);
  g_test_add_func (
      "/identity/our-key-is-read-by-openssl", our_key_is_read_by_openssl);
  g_test_add_func ("/identity/other-keys-of-openssl-are-named",
      other_keys_of_openssl_are_named);
  int failed = g_test_run ();

  static const char *const names[] = { "theirs.pem", "ours.pem", "other.pem",
    "public.der", "message", "signature" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = path_of (names[i]);
    g_remove (path);
  }
  g_rmdir (folder);
  g_free (folder);
  return failed;
}

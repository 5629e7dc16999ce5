/* Identity keys, fingerprints, codes, known identities and their files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/sodium/identity.h"
#include "ext/sodium/identity_file.h"
#include "ext/sodium/known.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static JsonArray *identities;

/* RFC 8410, 10.3: a key in version 1, and the same in version 2 with an attribute and its public key, which 10.1 has. */
#define RFC8410_V1                                                            \
  "-----BEGIN PRIVATE KEY-----\n"                                             \
  "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"        \
  "-----END PRIVATE KEY-----\n"
#define RFC8410_V2                                                            \
  "-----BEGIN PRIVATE KEY-----\n"                                             \
  "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"        \
  "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n"        \
  "Z9w7lshQhqowtrbLDFw4rXAxZuE=\n"                                            \
  "-----END PRIVATE KEY-----\n"
#define PUBLIC_BLOCK                                                                           \
  "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n" \
  "-----END PUBLIC KEY-----\n"
#define CRLF_BLOCK                                                                                          \
  "-----BEGIN PRIVATE KEY-----\r\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp\r\n+K06/nwoy/HU++CXqI9EdVhC\r\n" \
  "-----END PRIVATE KEY-----\r\n"
#define RFC8410_PUBLIC                                                        \
  "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"

static IdentityResult
from_pem (const char *text, Identity **out)
{
  return identity_from_pem (text, strlen (text), out);
}

GST_START_TEST (keys_of_rfc_8410_are_read)
{
  static const char *const texts[] = { RFC8410_V1, RFC8410_V2,
    "notes before the block\n\n" RFC8410_V1 "and after it\n",
    PUBLIC_BLOCK RFC8410_V1, CRLF_BLOCK };
  g_autoptr (GBytes) want = bytes_from_hex (RFC8410_PUBLIC);

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    Identity *identity;
    fail_unless_equals_int (from_pem (texts[i], &identity), IDENTITY_OK);
    fail_unless_equals_bytes (
        identity_public_key (identity), IDENTITY_KEY_LEN, want);
    Secret *pem = identity_to_pem (identity);
    fail_unless_equals_uint64 (secret_len (pem), strlen (RFC8410_V1));
    fail_unless (
        memcmp (secret_bytes (pem), RFC8410_V1, secret_len (pem)) == 0);
    secret_unref (pem);
    identity_free (identity);
  }
}
GST_END_TEST;

GST_START_TEST (other_keys_are_named_for_what_they_are)
{
  /* An X25519 key has the same structure and another algorithm: RFC 8410, 3. */
  static const struct
  {
    const char *text;
    IdentityResult result;
  } rows[] = {
    { "", IDENTITY_NO_KEY },
    { "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n",
        IDENTITY_NO_KEY },
    { "x" RFC8410_V1, IDENTITY_NO_KEY },
    { "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
        IDENTITY_ENCRYPTED },
    { "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
      "-----END PRIVATE KEY-----\n",
        IDENTITY_OTHER_KIND },
    { "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        IDENTITY_MALFORMED },
    { "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n",
        IDENTITY_MALFORMED },
    /* RFC 8410, 3: "the parameters MUST be absent"; here they are NULL. */
    { "-----BEGIN PRIVATE KEY-----\nMDACAQAwBwYDK2VwBQAEIgQg1O5y2/kTWErVttjx92n4rTr+fCjL8dT74Jeoj0R1WEI=\n"
      "-----END PRIVATE KEY-----\n",
        IDENTITY_MALFORMED },
    { "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n",
        IDENTITY_MALFORMED },
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    Identity *identity = (Identity *) &identity;
    fail_unless_equals_int (
        from_pem (rows[i].text, &identity), rows[i].result);
    fail_unless (identity == NULL);
    fail_unless (strlen (identity_result_text (rows[i].result)) > 10);
  }

  g_autofree char *large = g_strnfill (IDENTITY_MAX_PEM + 1, 'x');
  Identity *identity;
  fail_unless_equals_int (from_pem (large, &identity), IDENTITY_TOO_LARGE);
}
GST_END_TEST;

static IdentityResult
from_der (const guint8 *der, gsize len, Identity **out)
{
  g_autofree char *base64 = g_base64_encode (der, len);
  g_autofree char *text = g_strdup_printf (
      "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", base64);
  return from_pem (text, out);
}

/* A change to the structure is refused; one to the key's own bytes gives another key (version 1), or contradicts the
 * public key beside it (version 2). */
GST_START_TEST (every_flipped_bit_and_cut_of_the_structure_is_refused)
{
  static const char *const lines[] = {
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC",
    "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhCoB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJz"
    "gSEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
  };
  gsize len;
  g_autofree guint8 *der = g_base64_decode (lines[__i__], &len);
  Identity *identity;

  fail_unless_equals_int (from_der (der, len, &identity), IDENTITY_OK);
  identity_free (identity);
  for (gsize bit = 0; bit < 8 * len; bit++) {
    gsize at = bit / 8;
    gboolean in_seed = at >= 16 && at < 48,
             in_attributes = __i__ == 1 && at >= 50 && at < 81;
    der[at] ^= (guint8) (1 << bit % 8);
    IdentityResult result = from_der (der, len, &identity);
    der[at] ^= (guint8) (1 << bit % 8);
    gboolean harmless =
        in_attributes || (in_seed && __i__ == 0)
        || (__i__ == 0
            && bit == 8 * 4); /* version 2 without a public key is sound */
    fail_unless ((result == IDENTITY_OK) == harmless, "bit %u", (guint) bit);
    identity_free (identity);
  }
  for (gsize cut = 0; cut < len; cut++)
    fail_if (from_der (der, cut, &identity) == IDENTITY_OK);
  g_autofree guint8 *longer = g_malloc0 (len + 1);
  memcpy (longer, der, len);
  fail_if (from_der (longer, len + 1, &identity) == IDENTITY_OK,
      "a byte is left over");
}
GST_END_TEST;

GST_START_TEST (identity_of_the_vector)
{
  JsonObject *v = json_array_get_object_element (identities, (guint) __i__);
  JsonObject *in = json_object_get_object_member (v, "input"),
             *out = json_object_get_object_member (v, "output");
  g_autoptr (GBytes) seed = hex_member (in, "seed"),
                     key = hex_member (out, "public_key"),
                     authenticator = hex_member (in, "epoch_authenticator");
  const char *pem_text = json_object_get_string_member (out, "pem"),
             *print_text = json_object_get_string_member (out, "fingerprint");
  guint8 print[IDENTITY_FINGERPRINT_LEN], parsed[IDENTITY_FINGERPRINT_LEN];
  char text[FINGERPRINT_TEXT_SIZE], digits[SHORT_FINGERPRINT_SIZE],
      code[SECURITY_CODE_SIZE];
  Identity *identity = identity_from_seed (g_bytes_get_data (seed, NULL)),
           *again;

  fail_unless_equals_bytes (
      identity_public_key (identity), IDENTITY_KEY_LEN, key);
  fail_unless (memcmp (identity_secret_key (identity),
                   g_bytes_get_data (seed, NULL), 32)
               == 0);
  fail_unless (memcmp (identity_secret_key (identity) + 32,
                   g_bytes_get_data (key, NULL), 32)
               == 0);
  Secret *pem = identity_to_pem (identity);
  fail_unless_equals_uint64 (secret_len (pem), strlen (pem_text));
  fail_unless (memcmp (secret_bytes (pem), pem_text, secret_len (pem)) == 0);
  fail_unless_equals_int (from_pem (pem_text, &again), IDENTITY_OK);
  fail_unless (memcmp (identity_public_key (again),
                   identity_public_key (identity), IDENTITY_KEY_LEN)
               == 0);

  identity_fingerprint (identity_public_key (identity), print);
  fingerprint_text (print, text);
  fail_unless_equals_string (text, print_text);
  fail_unless (fingerprint_parse (print_text, strlen (print_text), parsed));
  fail_unless (memcmp (parsed, print, sizeof print) == 0);
  fingerprint_short (print, digits);
  fail_unless_equals_string (
      digits, json_object_get_string_member (out, "fingerprint_short"));
  fail_unless (security_code (g_bytes_get_data (authenticator, NULL),
      g_bytes_get_size (authenticator), code));
  fail_unless_equals_string (
      code, json_object_get_string_member (out, "security_code"));
  secret_unref (pem);
  identity_free (identity);
  identity_free (again);
}
GST_END_TEST;

GST_START_TEST (fingerprints_have_one_spelling)
{
  static const char good[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  static const char *const wrong[] = { "",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* a character short */
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", /* spare bits */
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAA",
    /* "_-" with top bits, which libsodium takes for "_-" */
    "\xdf\xad"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
  guint8 print[IDENTITY_FINGERPRINT_LEN];
  char code[SECURITY_CODE_SIZE] = "x";

  fail_unless (fingerprint_parse (good, strlen (good), print));
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    fail_if (fingerprint_parse (wrong[i], strlen (wrong[i]), print), "\"%s\"",
        wrong[i]);
  fail_if (security_code ("", 0, code));
  fail_unless_equals_string (code, "");
}
GST_END_TEST;

GST_START_TEST (signatures_are_bound_to_label_parts_and_their_boundaries)
{
  Identity *identity = identity_new (), *other = identity_new ();
  const guint8 *key = identity_public_key (identity);
  const HashPart parts[] = { { "ab", 2 }, { "c", 1 } },
                 moved[] = { { "a", 1 }, { "bc", 2 } },
                 one[] = { { "abc", 3 } };
  static const guint8 large[IDENTITY_MAX_SIGNED];
  const HashPart too_much[] = { { large, sizeof large } };
  guint8 sig[IDENTITY_SIG_LEN];

  fail_unless (identity_sign (identity, "label", parts, 2, sig));
  fail_unless (identity_verify (key, "label", parts, 2, sig));
  fail_if (identity_verify (key, "labelx", parts, 2, sig)
           || identity_verify (key, "label", moved, 2, sig)
           || identity_verify (key, "label", one, 1, sig)
           || identity_verify (key, "label", parts, 1, sig));
  fail_if (
      identity_verify (identity_public_key (other), "label", parts, 2, sig));
  for (int bit = 0; bit < 8 * IDENTITY_SIG_LEN; bit++) {
    sig[bit / 8] ^= (guint8) (1 << bit % 8);
    fail_if (identity_verify (key, "label", parts, 2, sig));
    sig[bit / 8] ^= (guint8) (1 << bit % 8);
  }
  fail_if (identity_sign (identity, "label", too_much, 1, sig));

  /* A public key of small order (here the identity) with R of small order and S = 0 verifies any message in a careless
   * implementation. */
  guint8 small[IDENTITY_KEY_LEN] = { 1 }, zero_sig[IDENTITY_SIG_LEN] = { 1 };
  fail_if (identity_verify (small, "label", parts, 2, zero_sig));
  identity_free (identity);
  identity_free (other);
}
GST_END_TEST;

/* ------------------------------------------------------------------------------------------ known identities --- */

static const guint8 print_a[IDENTITY_FINGERPRINT_LEN] = { 1 },
                    print_b[IDENTITY_FINGERPRINT_LEN] = { 2 },
                    print_c[IDENTITY_FINGERPRINT_LEN] = { 3 };

GST_START_TEST (a_changed_key_is_told_from_a_new_one)
{
  gsize bad;
  Known *known = known_parse ("", 0, &bad);
  guint8 recorded[IDENTITY_FINGERPRINT_LEN] = { 0 };

  fail_unless_equals_int (
      known_check (known, "hub:1/m", print_a, recorded), KNOWN_NEW);
  fail_unless (known_add (known, "hub:1/m", print_a));
  fail_unless_equals_int (
      known_check (known, "hub:1/m", print_a, recorded), KNOWN_SAME);
  fail_unless_equals_int (
      known_check (known, "hub:1/m", print_b, recorded), KNOWN_CHANGED);
  fail_unless (memcmp (recorded, print_a, sizeof recorded) == 0);
  fail_unless_equals_int (
      known_check (known, "hub:1/mm", print_a, NULL), KNOWN_NEW);
  fail_unless_equals_int (
      known_check (known, "hub:1/", print_a, NULL), KNOWN_NEW);

  /* Two keys under one name are both known. */
  fail_unless (known_add (known, "hub:1/m", print_b));
  fail_unless_equals_int (
      known_check (known, "hub:1/m", print_a, NULL), KNOWN_SAME);
  fail_unless_equals_int (
      known_check (known, "hub:1/m", print_b, NULL), KNOWN_SAME);
  fail_unless_equals_int (
      known_check (known, "hub:1/m", print_c, recorded), KNOWN_CHANGED);
  fail_unless_equals_uint64 (known_forget (known, "hub:1/m"), 2);
  fail_unless_equals_int (
      known_check (known, "hub:1/m", print_a, NULL), KNOWN_NEW);
  known_free (known);
}
GST_END_TEST;

GST_START_TEST (list_keeps_comments_and_reads_what_it_writes)
{
  static const char text[] =
      "# hosts I know\n\nhub:1/a AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n# last, no newline";
  gsize bad, len;
  Known *known = known_parse (text, strlen (text), &bad);

  fail_unless (known != NULL);
  fail_unless_equals_int (
      known_check (known, "hub:1/a", print_a, NULL), KNOWN_SAME);
  fail_unless (known_add (known, "hub:1/b", print_b));
  const char *out = known_text (known, &len);
  fail_unless (g_str_has_prefix (out, text));
  Known *again = known_parse (out, len, &bad);
  fail_unless (again != NULL);
  fail_unless_equals_int (
      known_check (again, "hub:1/b", print_b, NULL), KNOWN_SAME);
  fail_unless_equals_uint64 (known_forget (again, "hub:1/a"), 1);
  out = known_text (again, &len);
  fail_unless (g_str_has_prefix (
      out, "# hosts I know\n\n# last, no newline\nhub:1/b "));
  known_free (known);
  known_free (again);
}
GST_END_TEST;

GST_START_TEST (malformed_lines_and_lists_without_bound_are_refused)
{
  static const struct
  {
    const char *text;
    gsize bad;
  } rows[] = { { "hub\n", 1 }, { "# fine\nhub AAAA\n", 2 },
    { "hub  AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 1 },
    { "\n\n AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 3 },
    { "h\xc3\xbc AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 1 },
    { "hub AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA \n", 1 },
    { "hub AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n", 1 } };
  gsize bad, added = 0;
  char name[KNOWN_MAX_NAME + 2];

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    fail_unless (
        known_parse (rows[i].text, strlen (rows[i].text), &bad) == NULL,
        "row %u", i);
    fail_unless_equals_uint64 (bad, rows[i].bad);
  }
  fail_unless (known_parse ("# nul \0\n", 8, &bad) == NULL);
  g_autofree char *large = g_strnfill (KNOWN_MAX_TEXT, '\n');
  fail_unless (known_parse (large, KNOWN_MAX_TEXT, &bad) == NULL);
  fail_unless_equals_uint64 (bad, 0);
  g_autofree char *comment = g_strnfill (KNOWN_MAX_LINE + 1, '#');
  fail_unless (known_parse (comment, KNOWN_MAX_LINE + 1, &bad) == NULL);

  Known *known = known_parse ("", 0, &bad);
  memset (name, 'n', sizeof name);
  name[KNOWN_MAX_NAME + 1] = '\0';
  fail_if (known_add (known, name, print_a) || known_add (known, "", print_a)
           || known_add (known, "a b", print_a)
           || known_add (known, "#a", print_a)
           || known_add (known, "a\n", print_a));
  name[KNOWN_MAX_NAME] = '\0';
  for (gsize len; known_add (known, name, print_a); added++)
    fail_if ((known_text (known, &len), len) >= KNOWN_MAX_TEXT);
  fail_unless (added > 1000 && added < 2000);
  known_free (known);
}
GST_END_TEST;

/* ----------------------------------------------------------------------------------------------------- files --- */

static char *folder;

static char *
path_of (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

static void
make_folder (void)
{
  folder = g_dir_make_tmp ("conclave-identity-XXXXXX", NULL);
  fail_unless (folder != NULL);
}

static void
remove_folder (void)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name (dir))) {
    g_autofree char *path = path_of (name);
    fail_if (g_str_has_suffix (name, ".tmp"), "%s was left behind", name);
    if (g_remove (path) != 0)
      g_rmdir (path);
  }
  g_dir_close (dir);
  g_rmdir (folder);
  g_clear_pointer (&folder, g_free);
}

static void
write_file (const char *path, const char *text, int mode)
{
  fail_unless (g_file_set_contents (path, text, -1, NULL));
  fail_unless (g_chmod (path, mode) == 0);
}

GST_START_TEST (key_file_is_made_closed_and_never_overwritten)
{
  g_autofree char *path = path_of ("key.pem");
  Identity *made, *loaded, *third = identity_new ();
  GStatBuf st;
  mode_t old = umask (0); /* what others may read must not hang on it */

  fail_unless_equals_int (
      identity_file_load (path, &loaded), IDENTITY_NOT_FOUND);
  fail_unless_equals_int (
      identity_file_load_or_create (path, &made), IDENTITY_OK);
  umask (old);
  fail_unless (g_stat (path, &st) == 0);
  fail_unless_equals_int (st.st_mode & 07777, 0600);
  fail_unless_equals_int (
      identity_file_load_or_create (path, &loaded), IDENTITY_OK);
  fail_unless (memcmp (identity_public_key (made),
                   identity_public_key (loaded), IDENTITY_KEY_LEN)
               == 0);
  fail_unless_equals_int (identity_file_save (path, third), IDENTITY_EXISTS);
  identity_free (loaded);
  fail_unless_equals_int (identity_file_load (path, &loaded), IDENTITY_OK);
  fail_unless (memcmp (identity_public_key (made),
                   identity_public_key (loaded), IDENTITY_KEY_LEN)
               == 0);
  identity_free (made);
  identity_free (loaded);
  identity_free (third);
}
GST_END_TEST;

GST_START_TEST (key_file_that_others_can_reach_is_refused)
{
  g_autofree char *path = path_of ("key.pem"), *link = path_of ("link.pem"),
                  *pipe = path_of ("pipe"), *sub = path_of ("sub"),
                  *nowhere = g_build_filename (folder, "no", "such", NULL);
  Identity *identity, *fresh = identity_new ();

  write_file (path, RFC8410_V1, 0600);
  fail_unless_equals_int (identity_file_load (path, &identity), IDENTITY_OK);
  identity_free (identity);
  for (int bit = 0; bit < 6; bit++) {
    fail_unless (g_chmod (path, 0600 | 1 << bit) == 0);
    fail_unless_equals_int (
        identity_file_load (path, &identity), IDENTITY_OPEN_TO_ALL);
    fail_unless (identity == NULL);
    fail_unless_equals_int (
        identity_file_load_or_create (path, &identity), IDENTITY_OPEN_TO_ALL);
  }
  fail_unless (g_chmod (path, 0400) == 0);
  fail_unless_equals_int (identity_file_load (path, &identity), IDENTITY_OK);
  identity_free (identity);

  fail_unless (symlink (path, link) == 0 && mkfifo (pipe, 0600) == 0
               && g_mkdir (sub, 0700) == 0);
  fail_unless_equals_int (
      identity_file_load (link, &identity), IDENTITY_NOT_A_FILE);
  fail_unless_equals_int (
      identity_file_load_or_create (link, &identity), IDENTITY_NOT_A_FILE);
  fail_unless_equals_int (identity_file_save (link, fresh), IDENTITY_EXISTS);
  fail_unless_equals_int (
      identity_file_load (pipe, &identity), IDENTITY_NOT_A_FILE);
  fail_unless_equals_int (
      identity_file_load (sub, &identity), IDENTITY_NOT_A_FILE);
  fail_unless_equals_int (identity_file_save (nowhere, fresh), IDENTITY_IO);
  fail_unless_equals_int (errno, ENOENT);

  g_autofree char *large = g_strnfill (IDENTITY_MAX_PEM + 1, 'x'),
                  *big = path_of ("big.pem");
  write_file (big, large, 0600);
  fail_unless_equals_int (
      identity_file_load (big, &identity), IDENTITY_TOO_LARGE);
  identity_free (fresh);
}
GST_END_TEST;

/* What the processes of a test work on; global, so that valgrind does not take it for lost when one exits. */
static char *shared;

static int
tell_key (int fd)
{
  Identity *identity;
  if (identity_file_load_or_create (shared, &identity) != IDENTITY_OK)
    return 1;
  gboolean told = write (fd, identity_public_key (identity), IDENTITY_KEY_LEN)
                  == IDENTITY_KEY_LEN;
  identity_free (identity);
  return told ? 0 : 1;
}

GST_START_TEST (processes_that_start_together_get_one_key)
{
  enum
  {
    N = 8
  };
  int pipes[2];
  guint8 first[IDENTITY_KEY_LEN], next[IDENTITY_KEY_LEN];

  shared = path_of ("key.pem");
  fail_unless (pipe (pipes) == 0);
  for (int i = 0; i < N; i++)
    if (fork () == 0)
      _exit (tell_key (pipes[1]));
  for (int i = 0; i < N; i++) {
    int status;
    fail_unless (wait (&status) > 0 && status == 0);
    fail_unless (read (pipes[0], i == 0 ? first : next, IDENTITY_KEY_LEN)
                 == IDENTITY_KEY_LEN);
    fail_unless (i == 0 || memcmp (first, next, IDENTITY_KEY_LEN) == 0);
  }
  close (pipes[0]);
  close (pipes[1]);
  g_clear_pointer (&shared, g_free);
}
GST_END_TEST;

GST_START_TEST (known_file_remembers_once_and_reports_a_change)
{
  g_autofree char *path = path_of ("known");
  KnownVerdict verdict;
  guint8 recorded[IDENTITY_FINGERPRINT_LEN];
  gsize bad;
  GStatBuf st;

  fail_unless_equals_int (
      known_file_meet (path, "hub:1/m", print_a, &verdict, recorded, &bad),
      IDENTITY_OK);
  fail_unless_equals_int (verdict, KNOWN_NEW);
  fail_unless (g_stat (path, &st) == 0);
  fail_unless_equals_int (st.st_mode & 07777, 0600);
  fail_unless_equals_int (
      known_file_meet (path, "hub:1/m", print_a, &verdict, recorded, &bad),
      IDENTITY_OK);
  fail_unless_equals_int (verdict, KNOWN_SAME);
  for (int i = 0; i < 2;
       i++) { /* the changed key is not remembered by being met */
    fail_unless_equals_int (
        known_file_meet (path, "hub:1/m", print_b, &verdict, recorded, &bad),
        IDENTITY_OK);
    fail_unless_equals_int (verdict, KNOWN_CHANGED);
    fail_unless (memcmp (recorded, print_a, sizeof recorded) == 0);
  }
  fail_unless_equals_int (
      known_file_replace (path, "hub:1/m", print_b, &bad), IDENTITY_OK);
  fail_unless_equals_int (
      known_file_meet (path, "hub:1/m", print_b, &verdict, recorded, &bad),
      IDENTITY_OK);
  fail_unless_equals_int (verdict, KNOWN_SAME);
  fail_unless_equals_int (
      known_file_meet (path, "hub:1/m", print_a, &verdict, recorded, &bad),
      IDENTITY_OK);
  fail_unless_equals_int (verdict, KNOWN_CHANGED);
}
GST_END_TEST;

GST_START_TEST (known_file_that_others_can_change_or_is_damaged_is_refused)
{
  g_autofree char *path = path_of ("known"), *link = path_of ("link");
  KnownVerdict verdict;
  Known *known;
  gsize bad;
  g_autofree char *text = NULL;

  write_file (path, "# one\nhub\n", 0644);
  fail_unless_equals_int (
      known_file_meet (path, "n", print_a, &verdict, NULL, &bad),
      IDENTITY_MALFORMED);
  fail_unless_equals_uint64 (bad, 2);
  fail_unless (g_file_get_contents (path, &text, NULL, NULL));
  fail_unless_equals_string (text, "# one\nhub\n");

  write_file (path, "# one\n", 0664);
  fail_unless_equals_int (
      known_file_load (path, &known, &bad), IDENTITY_OPEN_TO_ALL);
  write_file (path, "# one\n", 0606);
  fail_unless_equals_int (
      known_file_load (path, &known, &bad), IDENTITY_OPEN_TO_ALL);
  write_file (path, "# one\n", 0644);
  fail_unless_equals_int (known_file_load (path, &known, &bad), IDENTITY_OK);
  known_free (known);
  fail_unless (symlink (path, link) == 0);
  fail_unless_equals_int (
      known_file_load (link, &known, &bad), IDENTITY_NOT_A_FILE);
}
GST_END_TEST;

enum
{
  WRITERS = 8,
  EACH = 10
};

static void
name_of (int writer, int i, char name[16])
{
  g_snprintf (name, 16, "n%d-%d", writer, i);
}

static int
write_names (int writer)
{
  char name[16];
  KnownVerdict verdict;
  gsize bad;

  for (int i = 0; i < EACH; i++) {
    name_of (writer, i, name);
    if (known_file_meet (shared, name, print_a, &verdict, NULL, &bad)
            != IDENTITY_OK
        || verdict != KNOWN_NEW)
      return 1;
  }
  return 0;
}

GST_START_TEST (known_file_loses_nothing_to_processes_that_write_together)
{
  gsize bad;
  Known *known;
  char name[16];

  shared = path_of ("known");
  for (int w = 0; w < WRITERS; w++)
    if (fork () == 0)
      _exit (write_names (w));
  for (int w = 0; w < WRITERS; w++) {
    int status;
    fail_unless (wait (&status) > 0 && status == 0);
  }
  fail_unless_equals_int (known_file_load (shared, &known, &bad), IDENTITY_OK);
  for (int w = 0; w < WRITERS; w++)
    for (int i = 0; i < EACH; i++) {
      name_of (w, i, name);
      fail_unless_equals_int (
          known_check (known, name, print_a, NULL), KNOWN_SAME);
    }
  known_free (known);
  g_clear_pointer (&shared, g_free);
}
GST_END_TEST;

static Suite *
identity_suite (void)
{
  Suite *suite = suite_create ("identity");
  TCase *tc = tcase_create ("keys");

  identities = json_object_get_array_member (
      json_node_get_object (load_vectors ("vectors/door/door.json")),
      "identities");
  suite_add_tcase (suite, tc);
  tcase_add_test (tc, keys_of_rfc_8410_are_read);
  tcase_add_test (tc, other_keys_are_named_for_what_they_are);
  tcase_add_loop_test (
      tc, every_flipped_bit_and_cut_of_the_structure_is_refused, 0, 2);
  tcase_add_loop_test (
      tc, identity_of_the_vector, 0, (int) json_array_get_length (identities));
  tcase_add_test (tc, fingerprints_have_one_spelling);
  tcase_add_test (
      tc, signatures_are_bound_to_label_parts_and_their_boundaries);

  tc = tcase_create ("known");
  suite_add_tcase (suite, tc);
  tcase_add_test (tc, a_changed_key_is_told_from_a_new_one);
  tcase_add_test (tc, list_keeps_comments_and_reads_what_it_writes);
  tcase_add_test (tc, malformed_lines_and_lists_without_bound_are_refused);

  tc = tcase_create ("files");
  suite_add_tcase (suite, tc);
  tcase_add_checked_fixture (tc, make_folder, remove_folder);
  tcase_add_test (tc, key_file_is_made_closed_and_never_overwritten);
  tcase_add_test (tc, key_file_that_others_can_reach_is_refused);
  tcase_add_test (tc, processes_that_start_together_get_one_key);
  tcase_add_test (tc, known_file_remembers_once_and_reports_a_change);
  tcase_add_test (
      tc, known_file_that_others_can_change_or_is_damaged_is_refused);
  tcase_add_test (
      tc, known_file_loses_nothing_to_processes_that_write_together);
  return suite;
}

PURE_CHECK_MAIN (identity)

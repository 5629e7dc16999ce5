/* The format of encrypted files: what is written comes back, from the begin and from anywhere.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "secretstreamfile.h"

#include <sodium.h>

#define CHUNK SECRETSTREAM_MIN_CHUNK
#define SEGMENT_BYTES (SECRETSTREAM_SEGMENT * CHUNK)

static Secret *key;

static void
set_up (void)
{
  key = secret_random (32);
}

static void
tear_down (void)
{
  secret_unref (key);
}

static GByteArray *
file_of (const GByteArray *plain, gsize early)
{
  g_autoptr (SecretstreamWriter) writer =
      secretstream_writer_new (key, NULL, CHUNK);
  return make_file (writer, plain->data, plain->len, early, FALSE);
}

static const gsize lengths[] = { 0, 1, CHUNK - 1, CHUNK, CHUNK + 1,
  SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES,
  3 * SEGMENT_BYTES + 77 };

GST_START_TEST (what_is_written_comes_back)
{
  g_autoptr (GByteArray) plain = some_bytes (lengths[__i__]);
  g_autoptr (GByteArray) file = file_of (plain, 0);
  g_autoptr (GByteArray) got = g_byte_array_new ();
  g_autoptr (SecretstreamReader) reader = secretstream_reader_new (key, NULL);
  guint64 size;

  fail_unless_equals_int (
      read_file (reader, file->data, file->len, got), SECRETSTREAM_OK);
  fail_unless_equals_uint64 (got->len, plain->len);
  fail_unless (
      got->len == 0 || memcmp (got->data, plain->data, got->len) == 0);
  fail_unless (secretstream_reader_size (reader, &size));
  fail_unless_equals_uint64 (size, plain->len);
  fail_unless_equals_int (secretstream_reader_wants (reader), 0);
}
GST_END_TEST

/* Chunks that were closed early have any length. */
GST_START_TEST (any_range_is_read_from_the_index)
{
  g_autoptr (GByteArray) plain = some_bytes (3 * SEGMENT_BYTES + 77);
  static const gsize early[] = { 0, 1000, 4095 };
  g_autoptr (GByteArray) file = file_of (plain, early[__i__]);
  g_autoptr (SecretstreamReader) reader = secretstream_reader_new (key, NULL);
  g_autofree guint8 *out = g_malloc (plain->len);
  guint64 size;

  fail_unless_equals_int (
      open_at_end (reader, file->data, file->len), SECRETSTREAM_OK);
  fail_unless (secretstream_reader_size (reader, &size));
  fail_unless_equals_uint64 (size, plain->len);
  guint32 x = 7;
  for (guint i = 0; i < 300; i++) {
    x = x * 1664525u + 1013904223u;
    gsize offset = i == 0 ? 0 : x % plain->len;
    gsize most = plain->len - offset, len = i < 2 ? most : x % 9000 + 1;
    len = MIN (len, most);
    memset (out, 0, len);
    fail_unless_equals_int (
        read_range (reader, file->data, file->len, offset, out, len),
        SECRETSTREAM_OK);
    fail_unless (memcmp (out, plain->data + offset, len) == 0,
        "%zu bytes at %zu differ", len, offset);
  }
  fail_if (secretstream_reader_seek (reader, plain->len));
  fail_if (secretstream_reader_seek (reader, G_MAXUINT64));
}
GST_END_TEST

GST_START_TEST (the_index_leads_to_the_right_segment)
{
  g_autoptr (GByteArray) plain = some_bytes (5 * SEGMENT_BYTES);
  g_autoptr (GByteArray) file = file_of (plain, 0);
  g_autoptr (SecretstreamReader) reader = secretstream_reader_new (key, NULL);

  fail_unless_equals_int (
      open_at_end (reader, file->data, file->len), SECRETSTREAM_OK);
  for (guint i = 0; i < 5; i++) {
    fail_unless (
        secretstream_reader_seek (reader, i * SEGMENT_BYTES + CHUNK + 3));
    fail_unless_equals_uint64 (
        secretstream_reader_offset (reader), i * SEGMENT_BYTES);
    fail_unless_equals_uint64 (
        secretstream_reader_chunk (reader), i * SECRETSTREAM_SEGMENT);
  }
}
GST_END_TEST

/* Two files of the same key and contents have nothing in common but what stands in every file. */
GST_START_TEST (no_two_files_are_alike)
{
  g_autoptr (GByteArray) plain = some_bytes (2 * CHUNK);
  g_autoptr (GByteArray) a = file_of (plain, 0), b = file_of (plain, 0);
  guint same = 0;

  fail_unless_equals_int (a->len, b->len);
  for (guint i = 16; i < a->len - SECRETSTREAM_TRAILER; i++)
    same += a->data[i] == b->data[i];
  /* One in 256 by chance; 12 zero bytes of lengths. */
  fail_unless (same < a->len / 128, "%u of %u bytes", same, a->len);
}
GST_END_TEST

GST_START_TEST (recipients_read_and_nobody_else)
{
  Identity *people[3] = { identity_new (), identity_new (), identity_new () };
  SecretstreamRecipients to = { 2 };
  g_autoptr (GByteArray) plain = some_bytes (10000);

  for (guint i = 0; i < 2; i++)
    memcpy (to.keys[i], identity_public_key (people[i]), IDENTITY_KEY_LEN);
  g_autoptr (SecretstreamWriter) writer =
      secretstream_writer_new (NULL, &to, CHUNK);
  g_autoptr (GByteArray) file =
      make_file (writer, plain->data, plain->len, 0, FALSE);

  for (guint i = 0; i < 3; i++) {
    g_autoptr (SecretstreamReader) reader =
        secretstream_reader_new (key, people[i]);
    g_autoptr (GByteArray) got = g_byte_array_new ();
    fail_unless_equals_int (read_file (reader, file->data, file->len, got),
        i < 2 ? SECRETSTREAM_OK : SECRETSTREAM_NOT_FOR_US);
    fail_unless_equals_int (got->len, i < 2 ? plain->len : 0);
  }
  g_autoptr (SecretstreamReader) keyed = secretstream_reader_new (key, NULL);
  g_autoptr (GByteArray) got = g_byte_array_new ();
  fail_unless_equals_int (read_file (keyed, file->data, file->len, got),
      SECRETSTREAM_NEEDS_IDENTITY);
  for (guint i = 0; i < 3; i++)
    identity_free (people[i]);
}
GST_END_TEST

GST_START_TEST (another_key_is_told_before_anything_is_read)
{
  g_autoptr (GByteArray) plain = some_bytes (10);
  g_autoptr (GByteArray) file = file_of (plain, 0);
  g_autoptr (GByteArray) got = g_byte_array_new ();
  g_autoptr (Secret) other = secret_random (32);
  g_autoptr (SecretstreamReader) wrong = secretstream_reader_new (other, NULL);
  g_autoptr (SecretstreamReader) none = secretstream_reader_new (NULL, NULL);

  fail_unless_equals_int (
      read_file (wrong, file->data, file->len, got), SECRETSTREAM_WRONG_KEY);
  fail_unless_equals_int (
      read_file (none, file->data, file->len, got), SECRETSTREAM_NEEDS_KEY);
  fail_if (secretstream_reader_is_open (wrong));
  fail_unless_equals_int (got->len, 0);
}
GST_END_TEST

GST_START_TEST (a_writer_takes_only_what_is_in_order)
{
  g_autoptr (Secret) shorter = secret_random (SECRETSTREAM_MIN_KEY - 1);
  SecretstreamRecipients nobody = { 0 }, to = { 1 };

  fail_unless (secretstream_writer_new (shorter, NULL, CHUNK) == NULL);
  fail_unless (secretstream_writer_new (NULL, NULL, CHUNK) == NULL);
  fail_unless (secretstream_writer_new (key, &to, CHUNK) == NULL);
  fail_unless (secretstream_writer_new (NULL, &nobody, CHUNK) == NULL);
  fail_unless (secretstream_writer_new (key, NULL, CHUNK - 1) == NULL);
  fail_unless (
      secretstream_writer_new (key, NULL, SECRETSTREAM_MAX_CHUNK + 1) == NULL);
  /* All zeros is a point of small order: anybody could open what is sealed to it. */
  fail_unless (secretstream_writer_new (NULL, &to, CHUNK) == NULL);
}
GST_END_TEST

GST_START_TEST (what_is_finished_stays_finished)
{
  g_autoptr (SecretstreamWriter) writer =
      secretstream_writer_new (key, NULL, CHUNK);
  g_autoptr (GByteArray) file = begin_file (writer);
  guint8 out[256];

  finish_file (writer, file);
  fail_unless_equals_int (secretstream_writer_put (writer, "x", 1), 0);
  fail_unless_equals_int (
      secretstream_writer_close (writer, out), SECRETSTREAM_FAILED);
  fail_unless_equals_int (
      secretstream_writer_finish (writer, out), SECRETSTREAM_FAILED);
}
GST_END_TEST

/* RFC 8410, 10.1: a public key, and what its 32 bytes are. */
#define RFC8410_PEM                                                           \
  "-----BEGIN PUBLIC KEY-----\n"                                              \
  "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"            \
  "-----END PUBLIC KEY-----\n"
#define RFC8410_HEX                                                           \
  "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
#define RFC8410_BASE64 "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"

static RecipientsResult
parse (const char *text, SecretstreamRecipients *out, size_t *line)
{
  gsize len = strlen (text);
  g_autofree char *exact = g_memdup2 (text, len);
  return secretstream_recipients_parse (exact, len, out, line);
}

GST_START_TEST (lists_of_recipients_are_read)
{
  static const char *const lists[] = { RFC8410_PEM, RFC8410_HEX,
    RFC8410_BASE64 "\n", RFC8410_BASE64 "=  Alice\n",
    "# the archive\r\n\r\n" RFC8410_PEM "\n" RFC8410_HEX "\tthe same\n" };
  g_autoptr (GBytes) want = bytes_from_hex (RFC8410_HEX);
  SecretstreamRecipients got;
  size_t line;

  fail_unless_equals_int (parse (lists[__i__], &got, &line), RECIPIENTS_OK);
  fail_unless_equals_int (got.count, 1);
  fail_unless_equals_bytes (got.keys[0], IDENTITY_KEY_LEN, want);
}
GST_END_TEST

GST_START_TEST (useless_lists_are_refused_with_their_line)
{
  static const struct
  {
    const char *text;
    RecipientsResult result;
    size_t line;
  } rows[] = {
    { "", RECIPIENTS_NONE, 0 },
    { "# nobody\n", RECIPIENTS_NONE, 1 },
    { RFC8410_HEX "\nAlice\n", RECIPIENTS_BAD_LINE, 2 },
    { RFC8410_HEX "0\n", RECIPIENTS_BAD_LINE, 1 },
    { "-----BEGIN PUBLIC KEY-----\n", RECIPIENTS_BAD_LINE, 1 },
    { "\n-----BEGIN PRIVATE KEY-----\n", RECIPIENTS_PRIVATE_KEY, 2 },
    /* X25519's, which RFC 8410 has too, and a list of points that seal nothing */
    { "-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
      "-----END PUBLIC KEY-----\n",
        RECIPIENTS_BAD_KEY, 3 },
    { "0000000000000000000000000000000000000000000000000000000000000000",
        RECIPIENTS_BAD_KEY, 1 },
    { "0100000000000000000000000000000000000000000000000000000000000000",
        RECIPIENTS_BAD_KEY, 1 },
  };
  SecretstreamRecipients got;
  size_t line;

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    fail_unless_equals_int (parse (rows[i].text, &got, &line), rows[i].result);
    fail_unless_equals_int (line, rows[i].line);
  }
}
GST_END_TEST

GST_START_TEST (recipients_are_bounded)
{
  g_autoptr (GString) list = g_string_new (NULL);
  SecretstreamRecipients got;
  size_t line;

  for (guint i = 0; i <= SECRETSTREAM_MAX_RECIPIENTS; i++) {
    Identity *somebody = identity_new ();
    const guint8 *public_key = identity_public_key (somebody);
    for (guint k = 0; k < IDENTITY_KEY_LEN; k++)
      g_string_append_printf (list, "%02x", public_key[k]);
    g_string_append_c (list, '\n');
    identity_free (somebody);
    fail_unless_equals_int (parse (list->str, &got, &line),
        i < SECRETSTREAM_MAX_RECIPIENTS ? RECIPIENTS_OK : RECIPIENTS_TOO_MANY);
  }
  g_autoptr (SecretstreamWriter) writer =
      secretstream_writer_new (NULL, &got, CHUNK);
  gsize len;
  fail_unless (writer != NULL);
  secretstream_writer_header (writer, &len);
  fail_unless_equals_int (len, SECRETSTREAM_MAX_HEADER);
}
GST_END_TEST

static Suite *
secretstream_suite (void)
{
  Suite *s = suite_create ("secretstream");
  TCase *tc = tcase_create ("format");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, set_up, tear_down);
  tcase_add_loop_test (
      tc, what_is_written_comes_back, 0, G_N_ELEMENTS (lengths));
  tcase_add_loop_test (tc, any_range_is_read_from_the_index, 0, 3);
  tcase_add_test (tc, the_index_leads_to_the_right_segment);
  tcase_add_test (tc, no_two_files_are_alike);
  tcase_add_test (tc, recipients_read_and_nobody_else);
  tcase_add_test (tc, another_key_is_told_before_anything_is_read);
  tcase_add_test (tc, a_writer_takes_only_what_is_in_order);
  tcase_add_test (tc, what_is_finished_stays_finished);
  tcase_add_loop_test (tc, lists_of_recipients_are_read, 0, 5);
  tcase_add_test (tc, useless_lists_are_refused_with_their_line);
  tcase_add_test (tc, recipients_are_bounded);
  return s;
}

PURE_CHECK_MAIN (secretstream)

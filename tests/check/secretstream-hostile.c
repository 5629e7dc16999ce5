/* Encrypted files that somebody changed: each change is refused at its place, and nothing from there on comes out.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "secretstreamfile.h"

#define CHUNK SECRETSTREAM_MIN_CHUNK
#define EARLY 10 /* bytes in each chunk of the small file */
#define CHUNKS 35u
#define SEALED_CHUNK (SECRETSTREAM_CHUNK_OVERHEAD + EARLY)
#define HEADER (SECRETSTREAM_FIXED_HEADER + SECRETSTREAM_CHECK)

static Secret *key;
static GByteArray *plain, *file; /* three segments, the last one short */

static GByteArray *
another_file (void)
{
  g_autoptr (SecretstreamWriter) writer =
      secretstream_writer_new (key, NULL, CHUNK);
  return make_file (writer, plain->data, plain->len, EARLY, FALSE);
}

static void
set_up (void)
{
  key = secret_random (32);
  plain = some_bytes (CHUNKS * EARLY);
  file = another_file ();
}

static void
tear_down (void)
{
  g_byte_array_unref (file);
  g_byte_array_unref (plain);
  secret_unref (key);
}

/* Where chunk `n` begins, with its segment's head where it has one. */
static gsize
place (gsize n)
{
  return HEADER + n * SEALED_CHUNK
         + (n + SECRETSTREAM_SEGMENT - 1) / SECRETSTREAM_SEGMENT
               * SECRETSTREAM_SEGMENT_HEAD;
}

/* What comes out of a changed file is a beginning of the plain bytes, whole chunks, none of `from` on; and it is refused, for
 * the reason and at the place that the caller expects. */
static SecretstreamResult
check_refused (const GByteArray *changed, gsize from)
{
  g_autoptr (GByteArray) got = g_byte_array_new ();
  g_autoptr (SecretstreamReader) reader = secretstream_reader_new (key, NULL);
  SecretstreamResult result =
      read_file (reader, changed->data, changed->len, got);

  fail_if (result == SECRETSTREAM_OK);
  fail_unless (got->len <= plain->len);
  fail_unless (
      got->len == 0 || memcmp (got->data, plain->data, got->len) == 0);
  fail_unless_equals_uint64 (got->len, MIN (from, CHUNKS) * EARLY);
  if (secretstream_reader_is_open (reader) && from < CHUNKS) {
    fail_unless_equals_uint64 (secretstream_reader_chunk (reader), from);
    fail_unless_equals_uint64 (
        secretstream_reader_place (reader), place (from));
  }
  fail_unless_equals_int (secretstream_reader_end (reader, 0), result);
  return result;
}

static GByteArray *
copy_of (const GByteArray *bytes, gsize len)
{
  GByteArray *copy = g_byte_array_sized_new ((guint) len);
  return g_byte_array_append (copy, bytes->data, (guint) len);
}

/* The chunk that byte `at` of the file belongs to. */
static gsize
chunk_of (gsize at)
{
  gsize n = 0;
  while (n < CHUNKS && place (n + 1) <= at)
    n++;
  return at < HEADER ? 0 : n;
}

GST_START_TEST (each_flipped_byte_is_found_where_it_is)
{
  fail_unless_equals_uint64 (
      place (CHUNKS) + SECRETSTREAM_INDEX_OVERHEAD + 24 + SECRETSTREAM_TRAILER,
      file->len);
  for (gsize at = 0; at < file->len; at++) {
    for (guint bit = 0; bit < 8; bit += 7) {
      file->data[at] ^= (guint8) (1 << bit);
      SecretstreamResult result = check_refused (file, chunk_of (at));
      if (at >= place (CHUNKS))
        fail_unless (result == SECRETSTREAM_BAD_INDEX);
      else if (at >= HEADER)
        /* A length that is too large may reach behind the end. */
        fail_unless (
            result == SECRETSTREAM_DAMAGED || result == SECRETSTREAM_CUT);
      file->data[at] ^= (guint8) (1 << bit);
    }
  }
}
GST_END_TEST

GST_START_TEST (each_cut_is_found)
{
  for (gsize len = 0; len < file->len; len++) {
    g_autoptr (GByteArray) cut = copy_of (file, len);
    SecretstreamResult result = check_refused (cut, chunk_of (len));
    fail_unless_equals_int (result, SECRETSTREAM_CUT);
  }
}
GST_END_TEST

GST_START_TEST (what_is_appended_is_found)
{
  for (guint n = 1; n < 100; n++) {
    g_autoptr (GByteArray) longer = copy_of (file, file->len);
    /* By itself, too, and as what it ends with. */
    g_byte_array_append (
        longer, n % 2 ? file->data : file->data + file->len - n, n);
    fail_unless_equals_int (
        check_refused (longer, CHUNKS), SECRETSTREAM_TRAILING);
  }
}
GST_END_TEST

GST_START_TEST (swapped_and_repeated_chunks_are_found)
{
  for (gsize a = 0; a < CHUNKS; a++) {
    for (gsize b = 0; b < CHUNKS; b++) {
      /* Behind the segment's head, where there is one. */
      gsize from = place (a + 1) - SEALED_CHUNK,
            to = place (b + 1) - SEALED_CHUNK;
      if (a == b)
        continue;
      g_autoptr (GByteArray) changed = copy_of (file, file->len);
      memcpy (changed->data + to, file->data + from, SEALED_CHUNK);
      fail_unless_equals_int (
          check_refused (changed, b), SECRETSTREAM_DAMAGED);
      memcpy (changed->data + from, file->data + to, SEALED_CHUNK);
      fail_unless_equals_int (
          check_refused (changed, MIN (a, b)), SECRETSTREAM_DAMAGED);
    }
  }
}
GST_END_TEST

GST_START_TEST (a_chunk_or_segment_taken_out_is_found)
{
  for (gsize n = 0; n < CHUNKS; n++) {
    g_autoptr (GByteArray) changed = copy_of (file, file->len);
    gsize from = place (n + 1) - SEALED_CHUNK;
    g_byte_array_remove_range (changed, (guint) from, SEALED_CHUNK);
    SecretstreamResult result = check_refused (changed, n);
    fail_unless (result == SECRETSTREAM_DAMAGED || result == SECRETSTREAM_CUT);
  }
  g_autoptr (GByteArray) changed = copy_of (file, file->len);
  g_byte_array_remove_range (
      changed, (guint) place (16), (guint) (place (32) - place (16)));
  fail_unless_equals_int (check_refused (changed, 16), SECRETSTREAM_DAMAGED);
}
GST_END_TEST

/* The other one has the same key, and the same contents at the same places. */
GST_START_TEST (parts_of_another_file_are_found)
{
  g_autoptr (GByteArray) other = another_file ();

  fail_unless_equals_uint64 (other->len, file->len);
  for (gsize n = 0; n < CHUNKS; n++) {
    g_autoptr (GByteArray) mixed = copy_of (file, place (n));
    g_byte_array_append (
        mixed, other->data + place (n), (guint) (other->len - place (n)));
    fail_unless_equals_int (check_refused (mixed, n), SECRETSTREAM_DAMAGED);
  }
  g_autoptr (GByteArray) mixed = copy_of (file, place (CHUNKS));
  g_byte_array_append (mixed, other->data + place (CHUNKS),
      (guint) (other->len - place (CHUNKS)));
  fail_unless_equals_int (
      check_refused (mixed, CHUNKS), SECRETSTREAM_BAD_INDEX);
  g_autoptr (SecretstreamReader) reader = secretstream_reader_new (key, NULL);
  fail_unless_equals_int (
      open_at_end (reader, mixed->data, mixed->len), SECRETSTREAM_BAD_INDEX);
}
GST_END_TEST

/* A reader that jumps sees no change outside of what it reads, but every one inside, and each of the file's length. */
GST_START_TEST (from_the_index_each_flipped_byte_is_found_when_it_is_read)
{
  guint8 out[CHUNKS * EARLY];

  for (gsize at = 0; at < file->len; at++) {
    g_autoptr (SecretstreamReader) reader =
        secretstream_reader_new (key, NULL);
    gsize n = chunk_of (at);
    file->data[at] ^= 0x10;
    SecretstreamResult result = open_at_end (reader, file->data, file->len);
    if (at < HEADER || at >= place (CHUNKS)) {
      fail_if (result == SECRETSTREAM_OK, "byte %zu", at);
    } else {
      fail_unless_equals_int (result, SECRETSTREAM_OK);
      fail_if (read_range (reader, file->data, file->len, n * EARLY, out, 1)
                   == SECRETSTREAM_OK,
          "byte %zu", at);
      /* Another segment is as good as before. */
      gsize elsewhere = n < 16 ? 20 : 3;
      fail_unless_equals_int (read_range (reader, file->data, file->len,
                                  elsewhere * EARLY, out, EARLY),
          SECRETSTREAM_OK);
      fail_unless (memcmp (out, plain->data + elsewhere * EARLY, EARLY) == 0);
    }
    file->data[at] ^= 0x10;
  }
  for (gsize len = 0; len < file->len; len++) {
    g_autoptr (SecretstreamReader) reader =
        secretstream_reader_new (key, NULL);
    fail_if (open_at_end (reader, file->data, len) == SECRETSTREAM_OK);
  }
  g_byte_array_append (file, (const guint8 *) "", 1);
  g_autoptr (SecretstreamReader) reader = secretstream_reader_new (key, NULL);
  fail_if (open_at_end (reader, file->data, file->len) == SECRETSTREAM_OK);
}
GST_END_TEST

GST_START_TEST (the_good_part_of_a_cut_file_is_read_from_anywhere)
{
  guint8 out[EARLY];

  for (gsize len = HEADER; len < file->len; len += 7) {
    g_autoptr (SecretstreamReader) reader =
        secretstream_reader_new (key, NULL);
    g_autoptr (GByteArray) got = g_byte_array_new ();
    guint64 size;
    fail_unless_equals_int (
        read_file (reader, file->data, len, got), SECRETSTREAM_CUT);
    fail_if (secretstream_reader_size (reader, &size));
    secretstream_reader_settle (reader);
    fail_unless (secretstream_reader_size (reader, &size));
    fail_unless_equals_uint64 (size, MIN (chunk_of (len), CHUNKS) * EARLY);
    fail_if (secretstream_reader_seek (reader, size));
    for (guint n = 0; n < size / EARLY; n++) {
      fail_unless_equals_int (read_range (reader, file->data, len,
                                  (guint64) n * EARLY, out, EARLY),
          SECRETSTREAM_OK);
      fail_unless (memcmp (out, plain->data + n * EARLY, EARLY) == 0);
    }
  }
}
GST_END_TEST

/* What is refused leaves the caller's memory as it was. */
GST_START_TEST (nothing_is_written_of_what_is_not_authentic)
{
  g_autoptr (SecretstreamReader) reader = secretstream_reader_new (key, NULL);
  guint8 out[EARLY], before[EARLY];
  gsize at = 0;

  memset (out, 0x5a, sizeof out);
  memset (before, 0x5a, sizeof before);
  file->data[place (0) + SECRETSTREAM_SEGMENT_HEAD + 4 + 1 + EARLY] ^=
      1; /* its MAC */
  while (secretstream_reader_gives (reader) == 0) {
    gsize want = secretstream_reader_wants (reader);
    fail_unless_equals_int (
        secretstream_reader_take (reader, file->data + at, out),
        SECRETSTREAM_OK);
    at += want;
  }
  fail_unless_equals_int (
      secretstream_reader_take (reader, file->data + at, out),
      SECRETSTREAM_DAMAGED);
  fail_unless (memcmp (out, before, sizeof out) == 0);
}
GST_END_TEST

/* Headers that claim too much are refused before their claims are believed. */
GST_START_TEST (a_header_is_bounded)
{
  static const struct
  {
    gsize at;
    guint8 value;
    SecretstreamResult result;
  } rows[] = {
    { 0, 0x09, SECRETSTREAM_NOT_ONE },
    { 8, 2, SECRETSTREAM_OTHER_VERSION },
    { 8, 0, SECRETSTREAM_BAD_HEADER },
    { 9, 2, SECRETSTREAM_BAD_HEADER },
    { 9, 1, SECRETSTREAM_BAD_HEADER },     /* no recipients */
    { 11, 1, SECRETSTREAM_BAD_HEADER },    /* recipients of a key */
    { 12, 0x80, SECRETSTREAM_BAD_HEADER }, /* chunks of 2 GiB */
    { 14, 0, SECRETSTREAM_BAD_HEADER },    /* of 0 bytes */
    { 13, 0x01, SECRETSTREAM_WRONG_KEY },
    { 20, 0, SECRETSTREAM_WRONG_KEY },
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GByteArray) changed = copy_of (file, file->len);
    fail_if (changed->data[rows[i].at] == rows[i].value && i < 9);
    changed->data[rows[i].at] =
        i == 9 ? (guint8) ~changed->data[rows[i].at] : rows[i].value;
    fail_unless_equals_int (check_refused (changed, 0), rows[i].result);
  }
}
GST_END_TEST

static Suite *
secretstream_hostile_suite (void)
{
  Suite *s = suite_create ("secretstream-hostile");
  TCase *tc = tcase_create ("changed files");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, set_up, tear_down);
  tcase_add_test (tc, each_flipped_byte_is_found_where_it_is);
  tcase_add_test (tc, each_cut_is_found);
  tcase_add_test (tc, what_is_appended_is_found);
  tcase_add_test (tc, swapped_and_repeated_chunks_are_found);
  tcase_add_test (tc, a_chunk_or_segment_taken_out_is_found);
  tcase_add_test (tc, parts_of_another_file_are_found);
  tcase_add_test (
      tc, from_the_index_each_flipped_byte_is_found_when_it_is_read);
  tcase_add_test (tc, the_good_part_of_a_cut_file_is_read_from_anywhere);
  tcase_add_test (tc, nothing_is_written_of_what_is_not_authentic);
  tcase_add_test (tc, a_header_is_bounded);
  return s;
}

PURE_CHECK_MAIN (secretstream_hostile)

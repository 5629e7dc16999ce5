/* The minutes of a meeting: what is written is read again, and nothing that somebody changed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/minutes/minutes.h"

#include <string.h>

#define LINK "meet://127.0.0.1/standup"
#define START G_GINT64_CONSTANT (1795510800123) /* 2026-11-24T09:00:00.123Z */

static Identity *keeper, *alice;
static GString *file;
static gboolean disk_is_full;

static bool
append (void *data, const char *line, size_t len)
{
  if (disk_is_full)
    return false;
  g_string_append_len (data, line, (gssize) len);
  return true;
}

static void
set_up (void)
{
  keeper = identity_new ();
  alice = identity_new ();
  file = g_string_new (NULL);
  disk_is_full = FALSE;
}

static void
tear_down (void)
{
  identity_free (keeper);
  identity_free (alice);
  g_string_free (file, TRUE);
}

static MinutesEntry
entry_of (MinutesEvent event, gint64 time, const gchar *name)
{
  MinutesEntry entry;

  minutes_entry (&entry, event, time, name, identity_public_key (alice));
  if (event == MINUTES_BEGIN) {
    g_strlcpy (entry.link, LINK, sizeof entry.link);
    memset (entry.group, 0x5a, sizeof entry.group);
  }
  g_strlcpy (entry.role, "participant", sizeof entry.role);
  entry.epoch = 7;
  entry.admin = TRUE;
  g_strlcpy (
      entry.code, "012345 678901 234567 890123 456789", sizeof entry.code);
  minutes_entry_text (
      &entry, "one \"two\" \\ three\n\t\x01\x7f \xc3\xa9 \xf0\x9f\x94\x92");
  entry.size = (G_GUINT64_CONSTANT (1) << 53) - 1;
  memset (entry.hash, 0xa5, sizeof entry.hash);
  return entry;
}

/* Minutes with each kind of line once. */
static void
write_all (GString *to, const Identity *by)
{
  MinutesWriter *writer = minutes_writer_new (by, append, to);

  for (guint i = MINUTES_BEGIN; i <= MINUTES_END; i++) {
    MinutesEntry entry = entry_of (i, START + i, "Alice");
    fail_unless (minutes_write (writer, &entry), "%s", minutes_event_name (i));
  }
  fail_unless_equals_uint64 (minutes_writer_lines (writer), MINUTES_END);
  minutes_writer_free (writer);
}

/* Fewer lines, for tests that verify them thousands of times. */
static void
write_few (void)
{
  static const MinutesEvent few[] = { MINUTES_BEGIN, MINUTES_JOINED,
    MINUTES_EPOCH, MINUTES_FILE, MINUTES_END };
  MinutesWriter *writer = minutes_writer_new (keeper, append, file);

  for (guint i = 0; i < G_N_ELEMENTS (few); i++) {
    MinutesEntry entry = entry_of (few[i], START + i, "Al\"ice");
    minutes_entry_text (&entry, "a.mkv");
    fail_unless (minutes_write (writer, &entry));
  }
  minutes_writer_free (writer);
}

/* Each byte, or under sanitizers and valgrind some. */
static gsize
step (void)
{
  return g_getenv ("CONCLAVE_SLOW") ? 11 : 1;
}

/* Verifies a text; `lines` gets how many lines were in order. */
static MinutesResult
verify (const gchar *text, gsize len, const guint8 *signer, guint64 *lines)
{
  MinutesReader *reader = minutes_reader_new (signer);
  MinutesResult result = MINUTES_OK;
  MinutesEntry entry;

  while (len > 0 && result == MINUTES_OK) {
    const gchar *end = memchr (text, '\n', len);
    gsize n = end ? (gsize) (end - text) : len, taken = n + (end ? 1 : 0);
    /* In an allocation of its exact size, so that a sanitizer sees one byte too many. */
    g_autofree gchar *line = g_memdup2 (text, n);
    result = minutes_reader_line (reader, line, n, &entry);
    text += taken;
    len -= taken;
  }
  if (lines)
    *lines = minutes_reader_lines (reader);
  MinutesResult ended = minutes_reader_end (reader);
  fail_unless (result == MINUTES_OK || ended == result);
  minutes_reader_free (reader);
  return ended;
}

GST_START_TEST (what_is_written_is_read)
{
  MinutesReader *reader = minutes_reader_new (NULL);
  guint8 fingerprint[IDENTITY_FINGERPRINT_LEN];

  write_all (file, keeper);
  g_auto (GStrv) lines = g_strsplit (file->str, "\n", -1);
  for (guint i = MINUTES_BEGIN; i <= MINUTES_END; i++) {
    MinutesEntry want = entry_of (i, START + i, "Alice"), got;
    const gchar *line = lines[i - 1];
    fail_unless_equals_int (
        minutes_reader_line (reader, line, strlen (line), &got), MINUTES_OK);
    fail_unless_equals_int (got.event, i);
    fail_unless_equals_int64 (got.time, START + i);
    fail_unless_equals_uint64 (got.n, i);
    if (*got.name)
      fail_unless_equals_string (got.name, want.name);
    if (*got.text)
      fail_unless_equals_string (got.text, want.text);
    if (i == MINUTES_BEGIN) {
      fail_unless_equals_string (got.link, LINK);
      fail_unless (memcmp (got.group, want.group, 32) == 0);
      fail_unless (memcmp (got.signer, identity_public_key (keeper), 32) == 0);
    } else if (i == MINUTES_JOINED) {
      fail_unless_equals_string (got.role, "participant");
      fail_unless (got.admin);
      fail_unless (memcmp (got.fingerprint, want.fingerprint, 32) == 0);
    } else if (i == MINUTES_EPOCH) {
      fail_unless_equals_uint64 (got.epoch, 7);
      fail_unless_equals_string (got.code, want.code);
    } else if (i == MINUTES_FILE) {
      fail_unless_equals_uint64 (got.size, want.size);
      fail_unless (memcmp (got.hash, want.hash, 32) == 0);
    }
  }
  identity_fingerprint (identity_public_key (keeper), fingerprint);
  fail_unless (memcmp (minutes_reader_signer (reader), fingerprint, 32) == 0);
  fail_unless_equals_int (minutes_reader_end (reader), MINUTES_OK);
  minutes_reader_free (reader);
}
GST_END_TEST

/* To a reader that is not ours, and a calendar that is not ours. */
GST_START_TEST (each_line_is_json_with_the_right_time)
{
  MinutesWriter *writer = minutes_writer_new (keeper, append, file);
  guint32 x = 11;

  for (guint i = 0; i < (step () > 1 ? 300 : 3000); i++) {
    x = x * 1664525u + 1013904223u;
    gint64 time = i == 0   ? 0
                  : i == 1 ? G_GINT64_CONSTANT (253402300799999)
                  : i == 2 ? G_GINT64_CONSTANT (951782400000) /* 2000-02-29 */
                           : (gint64) x * 59000 + i;
    MinutesEntry entry =
        entry_of (i == 0 ? MINUTES_BEGIN : MINUTES_CHAT, time, "Bob \"B\"");
    g_string_truncate (file, 0);
    fail_unless (minutes_write (writer, &entry));

    g_autoptr (JsonParser) parser = json_parser_new ();
    fail_unless (json_parser_load_from_data (
        parser, file->str, (gssize) file->len, NULL));
    JsonObject *line = json_node_get_object (json_parser_get_root (parser));
    g_autoptr (GDateTime) date = g_date_time_new_from_unix_utc (time / 1000);
    g_autofree gchar *seconds = g_date_time_format (date, "%Y-%m-%dT%H:%M:%S");
    g_autofree gchar *want =
        g_strdup_printf ("%s.%03dZ", seconds, (gint) (time % 1000));
    fail_unless_equals_string (
        json_object_get_string_member (line, "time"), want);
    fail_unless_equals_string (
        json_object_get_string_member (line, "name"), "Bob \"B\"");
    if (i > 0)
      fail_unless_equals_string (
          json_object_get_string_member (line, "text"), entry.text);
  }
  minutes_writer_free (writer);
}
GST_END_TEST

GST_START_TEST (each_flipped_byte_is_found_in_its_line)
{
  write_few ();
  for (gsize at = 0; at < file->len; at += step ()) {
    guint64 line = 0, good;
    for (gsize i = 0; i < at; i++)
      line += file->str[i] == '\n';
    for (guint bit = 0; bit < 8; bit += 7) {
      file->str[at] ^= (gchar) (1 << bit);
      MinutesResult result = verify (file->str, file->len, NULL, &good);
      file->str[at] ^= (gchar) (1 << bit);
      fail_if (result == MINUTES_OK || result == MINUTES_CUT,
          "byte %zu, bit %u", at, bit);
      fail_unless_equals_uint64 (good, line);
    }
  }
}
GST_END_TEST

GST_START_TEST (each_cut_is_found)
{
  write_few ();
  for (gsize len = 0; len < file->len - 1; len += step ()) {
    MinutesResult result = verify (file->str, len, NULL, NULL);
    gboolean whole =
        len > 0 && (file->str[len - 1] == '\n' || file->str[len] == '\n');
    fail_unless_equals_int (result, whole ? MINUTES_CUT
                                    : memchr (file->str, '\n', len)
                                        ? MINUTES_MALFORMED
                                        : MINUTES_NONE);
  }
}
GST_END_TEST

static MinutesResult
verify_lines (gchar **lines)
{
  g_autofree gchar *text = g_strjoinv ("\n", lines);
  return verify (text, strlen (text), NULL, NULL);
}

GST_START_TEST (lines_moved_repeated_or_taken_out_are_found)
{
  write_all (file, keeper);
  g_auto (GStrv) lines = g_strsplit (file->str, "\n", -1);

  fail_unless_equals_int (verify_lines (lines), MINUTES_OK);
  for (guint i = 0; i < MINUTES_END; i++) {
    for (guint k = 0; k < MINUTES_END; k++) {
      gchar *was = lines[i];
      if (i == k)
        continue;
      lines[i] = lines[k];
      MinutesResult repeated = verify_lines (lines);
      lines[k] = was;
      MinutesResult moved = verify_lines (lines);
      lines[k] = lines[i];
      lines[i] = was;
      fail_unless (repeated == (i == 0 ? MINUTES_NONE : MINUTES_BROKEN));
      fail_unless (moved == (MIN (i, k) == 0 ? MINUTES_NONE : MINUTES_BROKEN));
    }
  }
  for (guint i = 1; i < MINUTES_END - 1; i++) {
    gchar *out = lines[i];
    memmove (lines + i, lines + i + 1, (MINUTES_END - i) * sizeof *lines);
    fail_unless_equals_int (verify_lines (lines), MINUTES_BROKEN);
    memmove (lines + i + 1, lines + i, (MINUTES_END - i) * sizeof *lines);
    lines[i] = out;
  }
  fail_unless_equals_int (verify_lines (lines), MINUTES_OK);
}
GST_END_TEST

/* The same keeper, the same meeting, the same events at the same times: but the keeper's other minutes. */
GST_START_TEST (lines_of_other_minutes_are_found)
{
  g_autoptr (GString) other = g_string_new (NULL);
  guint8 signer[IDENTITY_FINGERPRINT_LEN];

  write_all (file, keeper);
  MinutesWriter *writer = minutes_writer_new (keeper, append, other);
  for (guint i = MINUTES_BEGIN; i <= MINUTES_END; i++) {
    MinutesEntry entry = entry_of (i, START + i, i == 2 ? "Bob" : "Alice");
    fail_unless (minutes_write (writer, &entry));
  }
  minutes_writer_free (writer);
  g_auto (GStrv) a = g_strsplit (file->str, "\n", -1);
  g_auto (GStrv) b = g_strsplit (other->str, "\n", -1);
  for (guint i = 2; i < MINUTES_END; i++) {
    gchar *was = a[i];
    a[i] = b[i];
    fail_unless_equals_int (verify_lines (a), MINUTES_BROKEN);
    a[i] = was;
  }

  /* Another keeper's whole minutes are in order, for those who do not know whose they should be. */
  g_string_truncate (other, 0);
  write_all (other, alice);
  identity_fingerprint (identity_public_key (keeper), signer);
  fail_unless_equals_int (
      verify (file->str, file->len, signer, NULL), MINUTES_OK);
  fail_unless_equals_int (
      verify (other->str, other->len, NULL, NULL), MINUTES_OK);
  fail_unless_equals_int (
      verify (other->str, other->len, signer, NULL), MINUTES_OTHER_SIGNER);
  /* And a line of hers among the keeper's is forged. */
  g_auto (GStrv) hers = g_strsplit (other->str, "\n", -1);
  gchar *was = a[5];
  a[5] = hers[5];
  fail_unless_equals_int (verify_lines (a), MINUTES_FORGED);
  a[5] = was;
}
GST_END_TEST

GST_START_TEST (a_line_behind_the_end_is_found)
{
  write_all (file, keeper);
  g_string_append (file, "x\n");
  fail_unless_equals_int (
      verify (file->str, file->len, NULL, NULL), MINUTES_BEHIND_END);
}
GST_END_TEST

GST_START_TEST (what_cannot_stand_in_minutes_is_not_written)
{
  MinutesWriter *writer = minutes_writer_new (keeper, append, file);
  MinutesEntry chat = entry_of (MINUTES_CHAT, START, "Alice"),
               begin = entry_of (MINUTES_BEGIN, START, "Alice"), bad;

  fail_if (minutes_write (writer, &chat)); /* not the begin */
  static const gchar *const links[] = { "",
    "meet://alice:secret@127.0.0.1/standup", "http://127.0.0.1/standup",
    "meet://127.0.0.1/standup?password=x", "MEET://127.0.0.1/standup" };
  for (guint i = 0; i < G_N_ELEMENTS (links); i++) {
    bad = begin;
    g_strlcpy (bad.link, links[i], sizeof bad.link);
    fail_if (minutes_write (writer, &bad), "%s", links[i]);
  }
  bad = begin;
  bad.time = -1;
  fail_if (minutes_write (writer, &bad));
  fail_unless_equals_int (file->len, 0);

  fail_unless (minutes_write (writer, &begin));
  fail_if (minutes_write (writer, &begin)); /* again */
  static const gchar *const texts[] = { "\xff", "\xc0\xaf", "\xed\xa0\x80",
    "\xf4\x90\x80\x80", "cut \xe2\x82" };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    bad = chat;
    minutes_entry_text (&bad, texts[i]);
    fail_if (minutes_write (writer, &bad), "text %u", i);
  }
  bad = entry_of (MINUTES_JOINED, START, "Alice");
  g_strlcpy (bad.role, "A role", sizeof bad.role);
  fail_if (minutes_write (writer, &bad));
  bad = chat;
  bad.event = MINUTES_END + 1;
  fail_if (minutes_write (writer, &bad));
  MinutesEntry end = entry_of (MINUTES_END, START, NULL);
  fail_unless (minutes_write (writer, &end));
  fail_if (minutes_write (writer, &chat));
  fail_unless_equals_int (
      verify (file->str, file->len, NULL, NULL), MINUTES_OK);
  minutes_writer_free (writer);
}
GST_END_TEST

GST_START_TEST (lines_that_could_not_be_written_are_counted)
{
  MinutesWriter *writer = minutes_writer_new (keeper, append, file);
  MinutesReader *reader = minutes_reader_new (NULL);
  MinutesEntry begin = entry_of (MINUTES_BEGIN, START, "Alice"),
               chat = entry_of (MINUTES_CHAT, START, "Alice"), got;

  fail_unless (minutes_write (writer, &begin));
  disk_is_full = TRUE;
  fail_if (minutes_write (writer, &chat));
  fail_if (minutes_write (writer, &chat));
  disk_is_full = FALSE;
  fail_unless (minutes_write (writer, &chat));
  fail_unless (minutes_write (writer, &chat));
  static const guint64 missing[] = { 0, 2, 0 };
  g_auto (GStrv) lines = g_strsplit (file->str, "\n", -1);
  for (guint i = 0; i < 3; i++) {
    fail_unless_equals_int (
        minutes_reader_line (reader, lines[i], strlen (lines[i]), &got),
        MINUTES_OK);
    fail_unless_equals_uint64 (got.missing, missing[i]);
  }
  fail_unless_equals_int (minutes_reader_end (reader), MINUTES_CUT);
  minutes_writer_free (writer);
  minutes_reader_free (reader);
}
GST_END_TEST

GST_START_TEST (long_texts_are_cut_at_a_character)
{
  g_autoptr (GString) name = g_string_new (NULL);
  MinutesEntry entry;

  while (name->len < 70)
    g_string_append (name, "\xe2\x82\xac");
  minutes_entry (
      &entry, MINUTES_LEFT, START, name->str, identity_public_key (alice));
  fail_unless_equals_int (strlen (entry.name), 63);
  fail_unless (g_utf8_validate (entry.name, -1, NULL));

  /* The longest line there is fits. */
  g_autofree gchar *text = g_strnfill (MINUTES_MAX_TEXT + 1, '\x01');
  MinutesWriter *writer = minutes_writer_new (keeper, append, file);
  entry = entry_of (MINUTES_BEGIN, START, "Alice");
  fail_unless (minutes_write (writer, &entry));
  g_autofree gchar *controls = g_strnfill (MINUTES_MAX_NAME, '\x7f');
  entry = entry_of (MINUTES_CHAT, START, controls);
  minutes_entry_text (&entry, text);
  fail_unless_equals_int (strlen (entry.text), MINUTES_MAX_TEXT);
  fail_unless (minutes_write (writer, &entry));
  fail_unless_equals_int (
      verify (file->str, file->len, NULL, NULL), MINUTES_CUT);
  minutes_writer_free (writer);
}
GST_END_TEST

static Suite *
minutes_suite (void)
{
  Suite *s = suite_create ("minutes");
  TCase *tc = tcase_create ("minutes");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, set_up, tear_down);
  tcase_add_test (tc, what_is_written_is_read);
  tcase_add_test (tc, each_line_is_json_with_the_right_time);
  tcase_add_test (tc, each_flipped_byte_is_found_in_its_line);
  tcase_add_test (tc, each_cut_is_found);
  tcase_add_test (tc, lines_moved_repeated_or_taken_out_are_found);
  tcase_add_test (tc, lines_of_other_minutes_are_found);
  tcase_add_test (tc, a_line_behind_the_end_is_found);
  tcase_add_test (tc, what_cannot_stand_in_minutes_is_not_written);
  tcase_add_test (tc, lines_that_could_not_be_written_are_counted);
  tcase_add_test (tc, long_texts_are_cut_at_a_character);
  return s;
}

PURE_CHECK_MAIN (minutes)

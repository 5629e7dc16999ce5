/* Passwords: the examples of RFC 8265, and the rules of RFC 8264 and RFC 5892 that they stand on.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/sodium/precis.h"

typedef struct
{
  const char *in, *out; /* out: NULL when refused */
  gsize bad;            /* then: the position, or 0 for another reason */
  const char *why;
} Example;

static const Example examples[] = {
  /* RFC 8265, 4.3 */
  { "correct horse battery staple", "correct horse battery staple", 0, "12" },
  { "Correct Horse Battery Staple", "Correct Horse Battery Staple", 0,
      "13: case is kept" },
  { "\u03c0\u00df\u00e5", "\u03c0\u00df\u00e5", 0,
      "14: letters that are not ASCII" },
  { "Jack of \u2666s", "Jack of \u2666s", 0, "15: symbols" },
  { "foo\u1680bar", "foo bar", 0, "16: any other space becomes a space" },
  { "", NULL, 0, "17: empty" },
  { "my cat is a \tby", NULL, 13, "18: control characters" },

  /* RFC 8265, 4.2.2: what is mapped and what is not */
  { "a\u00a0b\u3000c\u2003d", "a b c d", 0, "spaces" },
  { "  two  ", "  two  ", 0, "spaces are neither trimmed nor joined" },
  { "A\u030angstro\u0308m", "\u00c5ngstr\u00f6m", 0, "normalization form C" },
  { "\u212b", "\u00c5", 0, "the angstrom sign is the letter" },
  { "\uff21\uff22\uff43", "\uff21\uff22\uff43", 0, "width is kept" },
  { "\ufb01", "\ufb01", 0, "a ligature (HasCompat) is kept, not taken apart" },
  { "\u00bd\u2167\u00b2", "\u00bd\u2167\u00b2", 0, "other numbers" },
  { "\U0001f512\U0001f511", "\U0001f512\U0001f511", 0, "emoji" },
  { "\u05d0\u05d1 abc \u0627", "\u05d0\u05d1 abc \u0627", 0,
      "no rule of direction" },
  { "\ud55c\uae00", "\ud55c\uae00", 0, "modern Hangul" },

  /* RFC 8264, 4.3.3 and section 8: what is refused */
  { "a\nb", NULL, 2, "line feed" },
  { "a\x7f", NULL, 2, "delete" },
  { "a\xc2\x85", NULL, 2, "next line" },
  { "ab\u00ad", NULL, 3, "soft hyphen is ignorable" },
  { "\u200b", NULL, 1, "zero width space is ignorable" },
  { "\ufeffx", NULL, 1, "byte order mark is ignorable" },
  { "x\u202ex", NULL, 2, "direction override" },
  { "\u2028", NULL, 1, "line separator" },
  { "\ue000", NULL, 1, "private use" },
  { "\U000e0041", NULL, 1, "tag character" },
  { "a\u034f", NULL, 2, "combining grapheme joiner is ignorable" },
  { "\u3164", NULL, 1, "Hangul filler is ignorable, though a letter" },
  { "\u2764\ufe0f", NULL, 2, "variation selector is ignorable" },
  { "\ufdd0", NULL, 1, "not a character" },
  { "\U0010ffff", NULL, 1, "not a character" },
  { "\u0378", NULL, 1, "unassigned" },
  { "\u1112\u1161\u11ab", NULL, 1, "Hangul written in single Jamo" },
  { "\u0640", NULL, 1, "exception: Arabic tatweel" },
  { "\u303b", NULL, 1, "exception: vertical iteration mark" },

  /* RFC 5892, 2.6: exceptions that are allowed */
  { "stra\u00dfe \u03c2 \u3007", "stra\u00dfe \u03c2 \u3007", 0,
      "sharp s, final sigma, zero" },

  /* RFC 5892, appendix A: allowed between certain neighbours */
  { "l\u00b7l", "l\u00b7l", 0, "A.3" },
  { "a\u00b7l", NULL, 2, "A.3" },
  { "l\u00b7", NULL, 2, "A.3" },
  { "\u0375\u03b1", "\u0375\u03b1", 0, "A.4" },
  { "\u0375a", NULL, 1, "A.4" },
  { "\u0375", NULL, 1, "A.4" },
  { "\u05d0\u05f3", "\u05d0\u05f3", 0, "A.5" },
  { "a\u05f3", NULL, 2, "A.5" },
  { "\u05d0\u05f4", "\u05d0\u05f4", 0, "A.6" },
  { "\u05f4", NULL, 1, "A.6" },
  { "\u30fb\u3042", "\u30fb\u3042", 0, "A.7: Hiragana" },
  { "\u30ab\u30fb", "\u30ab\u30fb", 0, "A.7: Katakana" },
  { "a\u30fb\u6f22", "a\u30fb\u6f22", 0, "A.7: Han" },
  { "a\u30fbb", NULL, 2, "A.7" },
  { "\u0661\u0662", "\u0661\u0662", 0, "A.8" },
  { "\u06f1\u06f2", "\u06f1\u06f2", 0, "A.9" },
  { "\u0661\u06f2", NULL, 1, "A.8 and A.9: not both" },
  { "\u0915\u094d\u200c\u0937", "\u0915\u094d\u200c\u0937", 0,
      "A.1: non-joiner behind a virama" },
  { "\u0646\u0645\u200c\u0622", "\u0646\u0645\u200c\u0622", 0,
      "A.1: non-joiner between joining letters" },
  { "\u0645\u064e\u200c\u064e\u0622", "\u0645\u064e\u200c\u064e\u0622", 0,
      "A.1: ... with marks between" },
  { "\u0627\u200c\u0645", NULL, 2, "A.1: alef joins nothing behind it" },
  { "\u0645\u200c", NULL, 2, "A.1: nothing behind" },
  { "\u200c\u0645", NULL, 1, "A.1: nothing in front" },
  { "a\u200cb", NULL, 2, "A.1: Latin" },
  { "\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937", 0,
      "A.2: joiner behind a virama" },
  { "\u0646\u200d\u0645", NULL, 2, "A.2: joiner elsewhere" },
};

GST_START_TEST (password_is_prepared_as_the_example_says)
{
  const Example *e = &examples[__i__];
  Secret *got = NULL;
  gsize bad = 0;
  PrecisResult result =
      precis_opaque_string (e->in, strlen (e->in), &got, &bad);

  if (!e->out) {
    fail_unless (got == NULL);
    fail_unless_equals_int (result, e->bad ? PRECIS_DISALLOWED : PRECIS_EMPTY);
    fail_unless_equals_uint64 (bad, e->bad);
    return;
  }
  fail_unless (result == PRECIS_OK, "%s: refused with %d at %u", e->why,
      result, (guint) bad);
  fail_unless_equals_uint64 (secret_len (got), strlen (e->out));
  fail_unless (
      memcmp (secret_bytes (got), e->out, strlen (e->out)) == 0, "%s", e->why);

  /* What was prepared is prepared: a second time changes nothing. */
  Secret *again = NULL;
  fail_unless_equals_int (
      precis_opaque_string (
          (const char *) secret_bytes (got), secret_len (got), &again, NULL),
      PRECIS_OK);
  fail_unless (secret_equal (got, again));
  secret_unref (got);
  secret_unref (again);
}
GST_END_TEST;

GST_START_TEST (bytes_that_are_not_utf8_are_refused)
{
  static const char *const wrong[] = { "\xff", "a\xc3", "\xc0\xaf",
    "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80",
    "\xf8\x88\x80\x80\x80" };
  Secret *got;
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    fail_unless_equals_int (
        precis_opaque_string (wrong[i], strlen (wrong[i]), &got, NULL),
        PRECIS_NOT_UTF8);
  fail_unless_equals_int (
      precis_opaque_string ("a\0b", 3, &got, NULL), PRECIS_DISALLOWED);
}
GST_END_TEST;

GST_START_TEST (lengths_are_bounded_before_and_after)
{
  static char text[PRECIS_MAX_INPUT + 1];
  Secret *got;

  memset (text, 'a', sizeof text);
  fail_unless_equals_int (
      precis_opaque_string (text, SECRET_MAX, &got, NULL), PRECIS_OK);
  secret_unref (got);
  fail_unless_equals_int (
      precis_opaque_string (text, SECRET_MAX + 1, &got, NULL),
      PRECIS_TOO_LONG);
  fail_unless_equals_int (
      precis_opaque_string (text, PRECIS_MAX_INPUT, &got, NULL),
      PRECIS_TOO_LONG);
  fail_unless_equals_int (
      precis_opaque_string (text, PRECIS_MAX_INPUT + 1, &got, NULL),
      PRECIS_TOO_LONG);
  fail_unless (got == NULL);

  /* Composition makes 1,536 bytes 1,024: what counts is the result. U+0390 in three pieces, and U+1D160, which
   * normalization form C takes apart into three: the most it grows. */
  GString *s = g_string_new (NULL);
  for (int i = 0; i < 200; i++)
    g_string_append (s, "\u03b9\u0308\u0301");
  fail_unless_equals_int (
      precis_opaque_string (s->str, s->len, &got, NULL), PRECIS_OK);
  fail_unless_equals_uint64 (secret_len (got), 400);
  secret_unref (got);
  g_string_truncate (s, 0);
  for (int i = 0; i < 85; i++)
    g_string_append (s, "\U0001d160");
  fail_unless_equals_int (
      precis_opaque_string (s->str, s->len, &got, NULL), PRECIS_OK);
  fail_unless_equals_uint64 (secret_len (got), 85 * 12);
  secret_unref (got);
  g_string_append (s, "\U0001d160");
  fail_unless_equals_int (
      precis_opaque_string (s->str, s->len, &got, NULL), PRECIS_TOO_LONG);
  g_string_free (s, TRUE);
}
GST_END_TEST;

GST_START_TEST (file_loses_one_newline)
{
  fail_unless_equals_uint64 (precis_trim_newline ("pw\n", 3), 2);
  fail_unless_equals_uint64 (precis_trim_newline ("pw\r\n", 4), 2);
  fail_unless_equals_uint64 (precis_trim_newline ("pw\n\n", 4), 3);
  fail_unless_equals_uint64 (precis_trim_newline ("pw ", 3), 3);
  fail_unless_equals_uint64 (precis_trim_newline ("\n", 1), 0);
  fail_unless_equals_uint64 (precis_trim_newline ("", 0), 0);
}
GST_END_TEST;

static Suite *
precis_suite (void)
{
  Suite *suite = suite_create ("precis");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc, password_is_prepared_as_the_example_says, 0,
      G_N_ELEMENTS (examples));
  tcase_add_test (tc, bytes_that_are_not_utf8_are_refused);
  tcase_add_test (tc, lengths_are_bounded_before_and_after);
  tcase_add_test (tc, file_loses_one_newline);
  return suite;
}

PURE_CHECK_MAIN (precis)

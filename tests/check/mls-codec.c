/* The encodings that RFC 9420 forbids, and those that it gives as examples (sections 2.1 and 13.4, appendix C).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/mls/leaf_node.h"
#include "ext/mls/proposal.h"
#include "ext/mls/tree.h"

static Reader
reader_of (GBytes *bytes)
{
  gsize len;
  const guint8 *data = g_bytes_get_data (bytes, &len);
  return reader_init (data, len);
}

static const struct
{
  const char *hex;
  gint64 value; /* -1: malformed */
} varints[] = {
  { "9d7f3e7d", 494878333 }, /* the examples of 2.1.2 */
  { "7bbd", 15293 },
  { "25", 37 },
  { "3f", 63 },
  { "4040", 64 },
  { "7fff", 16383 },
  { "80004000", 16384 },
  { "bfffffff", 1073741823 },
  { "4025", -1 }, /* "values using more bits than necessary" */
  { "403f", -1 },
  { "80000025", -1 },
  { "80003fff", -1 },
  { "c000000000000025", -1 }, /* "that start with the prefix "11"" */
  { "ff", -1 },
  { "40", -1 }, /* cut */
  { "800040", -1 },
};

GST_START_TEST (a_length_is_read_only_in_its_shortest_form)
{
  g_autoptr (GBytes) bytes = bytes_from_hex (varints[__i__].hex);
  Reader in = reader_of (bytes);
  uint32_t value = mls_read_varint (&in);
  fail_unless_equals_int (in.failed, varints[__i__].value < 0);
  if (varints[__i__].value < 0)
    return;
  fail_unless_equals_int64 (value, varints[__i__].value);
  MlsBuffer out = { 0 };
  mls_put_varint (&out, value);
  fail_unless_equals_bytes (out.data, out.len, bytes);
  mls_buffer_free (&out);
}
GST_END_TEST

GST_START_TEST (an_optional_value_is_there_or_not)
{
  for (guint i = 0; i < 256; i++) {
    guint8 octet = (guint8) i;
    Reader in = reader_init (&octet, 1);
    fail_unless_equals_int (mls_read_present (&in), i == 1);
    fail_unless_equals_int (in.failed, i > 1);
  }
}
GST_END_TEST

GST_START_TEST (a_list_with_one_extension_twice_is_refused)
{
  MlsBuffer list = { 0 }, out = { 0 };
  mls_put_extension (&list, 0xf0c1, mls_slice ("a", 1));
  mls_put_extension (&list, 0xf0c2, mls_slice ("b", 1));
  for (guint twice = 0; twice < 2; twice++) {
    if (twice)
      mls_put_extension (&list, 0xf0c1, mls_slice ("c", 1));
    mls_put_opaque (&out, mls_buffer_slice (&list));
    Reader in = mls_reader (mls_buffer_slice (&out));
    mls_read_extensions (&in);
    fail_unless_equals_int (in.failed, twice);
    mls_buffer_free (&out);
  }
  mls_buffer_free (&list);
}
GST_END_TEST

/* A tree of a leaf, which is wrong in itself but has the right shape, and a parent with this list of unmerged leaves. */
static MlsResult
parse_with_unmerged (const guint32 *leaves, guint n)
{
  MlsBuffer content = { 0 };
  MlsTree *tree = NULL;
  mls_put_uint (&content, 0, 1);      /* a blank leaf */
  mls_put_uint (&content, 0x0102, 2); /* present, a parent */
  mls_put_opaque (&content, mls_slice ("key", 3));
  mls_put_opaque (&content, (MlsSlice){ 0 });
  mls_put_varint (&content, 4 * n);
  for (guint i = 0; i < n; i++)
    mls_put_uint (&content, leaves[i], 4);
  MlsResult result = mls_tree_parse (mls_buffer_slice (&content), &tree);
  if (result == MLS_OK)
    mls_tree_free (tree);
  mls_buffer_free (&content);
  return result;
}

GST_START_TEST (a_tree_of_the_wrong_shape_is_refused)
{
  static const guint32 rising[] = { 0, 1 }, falling[] = { 1, 0 },
                       twice[] = { 1, 1 };
  static const guint8 blank[] = { 0 }, parent_first[] = { 1, 2, 0, 0, 0 };
  MlsTree *tree = NULL;

  fail_unless_equals_int (parse_with_unmerged (rising, 2), MLS_OK);
  /* 7.1: "MUST be sorted in increasing order" */
  fail_unless_equals_int (parse_with_unmerged (falling, 2), MLS_MALFORMED);
  fail_unless_equals_int (parse_with_unmerged (twice, 2), MLS_MALFORMED);
  /* 12.4.3.3: "the last node in `ratchet_tree` is non-blank" */
  fail_unless_equals_int (
      mls_tree_parse (mls_slice (blank, 1), &tree), MLS_MALFORMED);
  fail_unless_equals_int (
      mls_tree_parse ((MlsSlice){ 0 }, &tree), MLS_MALFORMED);
  /* a parent where a leaf belongs */
  fail_unless_equals_int (
      mls_tree_parse (mls_slice (parent_first, 5), &tree), MLS_MALFORMED);
}
GST_END_TEST

static Suite *
mls_codec_suite (void)
{
  Suite *suite = suite_create ("mls-codec");
  TCase *tc = tcase_create ("general");
  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc, a_length_is_read_only_in_its_shortest_form, 0,
      G_N_ELEMENTS (varints));
  tcase_add_test (tc, an_optional_value_is_there_or_not);
  tcase_add_test (tc, a_list_with_one_extension_twice_is_refused);
  tcase_add_test (tc, a_tree_of_the_wrong_shape_is_refused);
  return suite;
}

PURE_CHECK_MAIN (mls_codec);

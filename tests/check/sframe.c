/* SFrame (RFC 9605) against the official vectors, and each yes against its no.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/sodium/aead.h"
#include "ext/sodium/replay.h"
#include "ext/sodium/sframe.h"

static JsonObject *vectors;

static JsonArray *
rows (const char *section)
{
  return json_object_get_array_member (vectors, section);
}

static JsonObject *
row (const char *section, int i)
{
  return json_array_get_object_element (rows (section), (guint) i);
}

static guint64
uint_member (JsonObject *object, const char *name)
{
  /* The counters of the header table use all 64 bits, which JSON-GLib reads as a signed number or a double. */
  JsonNode *node = json_object_get_member (object, name);
  if (json_node_get_value_type (node) == G_TYPE_DOUBLE)
    return json_node_get_double (node) >= 18446744073709551615.0
               ? G_MAXUINT64
               : (guint64) json_node_get_double (node);
  return (guint64) json_node_get_int (node);
}

static Secret *
secret_member (JsonObject *object, const char *name)
{
  g_autoptr (GBytes) bytes = hex_member (object, name);
  return secret_copy (
      g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

GST_START_TEST (header_of_the_vector_parses_and_is_written_again)
{
  JsonObject *v = row ("header", __i__);
  g_autoptr (GBytes) wire = hex_member (v, "encoded");
  gsize len;
  const guint8 *bytes = g_bytes_get_data (wire, &len);
  Reader in = reader_init (bytes, len);
  SFrameHeader got = { 0 };
  guint8 again[SFRAME_MAX_HEADER];
  Writer out = writer_init (again, sizeof again);

  fail_unless_equals_int (sframe_header_parse (&in, &got), SFRAME_OK);
  fail_unless (reader_done (&in));
  fail_unless_equals_uint64 (got.kid, uint_member (v, "kid"));
  fail_unless_equals_uint64 (got.ctr, uint_member (v, "ctr"));

  sframe_header_write (&out, got);
  fail_if (out.failed);
  fail_unless_equals_bytes (again, writer_len (&out), wire);
  fail_unless_equals_uint64 (sframe_header_len (got), len);

  for (gsize cut = 0; cut < len; cut++) {
    Reader less = reader_init (bytes, cut);
    fail_unless_equals_int (
        sframe_header_parse (&less, &got), SFRAME_TOO_SHORT);
  }
}
GST_END_TEST;

GST_START_TEST (frame_of_the_vector_is_made_and_opened)
{
  JsonObject *v = row ("sframe", __i__);
  SFrameSuite suite = (SFrameSuite) uint_member (v, "cipher_suite");
  Secret *base_key = secret_member (v, "base_key");
  g_autoptr (GBytes) metadata = hex_member (v, "metadata"),
                     pt = hex_member (v, "pt"), ct = hex_member (v, "ct");
  gsize metadata_len, pt_len, ct_len, len;
  const guint8 *m = g_bytes_get_data (metadata, &metadata_len),
               *p = g_bytes_get_data (pt, &pt_len),
               *c = g_bytes_get_data (ct, &ct_len);
  guint8 out[256];

  SFrameKey *key = sframe_key_new (
      suite, uint_member (v, "kid"), base_key, uint_member (v, "ctr"));
  fail_unless (key != NULL);
  fail_unless_equals_int (
      sframe_encrypt (key, m, metadata_len, p, pt_len, out, sizeof out, &len),
      SFRAME_OK);
  fail_unless_equals_bytes (out, len, ct);
  fail_unless_equals_int (
      sframe_decrypt (key, m, metadata_len, c, ct_len, out, &len), SFRAME_OK);
  fail_unless_equals_bytes (out, len, pt);

  sframe_key_free (key);
  secret_unref (base_key);
}
GST_END_TEST;

static Suite *
sframe_suite (void)
{
  Suite *suite = suite_create ("sframe");
  TCase *tc = tcase_create ("vectors");

  vectors =
      json_node_get_object (load_vectors ("vectors/sframe/rfc9605.json"));
  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc, header_of_the_vector_parses_and_is_written_again, 0,
      (int) json_array_get_length (rows ("header")));
  tcase_add_loop_test (tc, frame_of_the_vector_is_made_and_opened, 0,
      (int) json_array_get_length (rows ("sframe")));
  return suite;
}

PURE_CHECK_MAIN (sframe)

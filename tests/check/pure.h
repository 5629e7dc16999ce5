/* For tests of protocol code: GstCheck's macros without GStreamer, and vectors from JSON files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/check/gstcheck.h>
#include <json-glib/json-glib.h>

#include "ext/sodium/secret.h"

/* Like GST_CHECK_MAIN, but no registry is read. */
#define PURE_CHECK_MAIN(name)                                                 \
  int main (void)                                                             \
  {                                                                           \
    if (!core_init ())                                                        \
      return 1;                                                               \
    SRunner *runner = srunner_create (name##_suite ());                       \
    srunner_run_all (runner, CK_NORMAL);                                      \
    int failed = srunner_ntests_failed (runner);                              \
    srunner_free (runner);                                                    \
    return failed ? 1 : 0;                                                    \
  }

/* The parsed file `path` below tests/; a missing or broken one fails the test. Never freed: the tests read it. */
static inline JsonNode *
load_vectors (const char *path)
{
  const char *top = g_getenv ("CONCLAVE_TEST_DATA");
  g_autofree char *file = g_build_filename (top ? top : "tests", path, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();

  if (!json_parser_load_from_file (parser, file, &error))
    g_error ("cannot read %s: %s", file, error->message);
  return json_parser_steal_root (parser);
}

/* A hexadecimal string as bytes. */
static inline GBytes *
bytes_from_hex (const char *hex)
{
  gsize len = strlen (hex) / 2;
  guint8 *out = g_malloc (len + 1);
  for (gsize i = 0; i < len; i++)
    out[i] = (guint8) (g_ascii_xdigit_value (hex[2 * i]) << 4
                       | g_ascii_xdigit_value (hex[2 * i + 1]));
  return g_bytes_new_take (out, len);
}

static inline GBytes *
hex_member (JsonObject *object, const char *name)
{
  fail_unless (json_object_has_member (object, name),
      "the vector has no member \"%s\"", name);
  return bytes_from_hex (json_object_get_string_member (object, name));
}

#define fail_unless_equals_bytes(got, got_len, want)                          \
  G_STMT_START                                                                \
  {                                                                           \
    gsize want_len__;                                                         \
    gconstpointer want__ = g_bytes_get_data (want, &want_len__);              \
    fail_unless_equals_uint64 ((got_len), want_len__);                        \
    fail_unless (want_len__ == 0 || memcmp ((got), want__, want_len__) == 0,  \
        "%s differs from the vector", #got);                                  \
  }                                                                           \
  G_STMT_END

/* The examples of docs/protocol/session.md are messages: each line is read by the code that reads it from the network, and
 * every message there is has one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/session/messages.h"

static char **
load_page (void)
{
  const char *top = g_getenv ("CONCLAVE_TEST_DATA");
  g_autofree char *file = g_build_filename (
      top ? top : "tests", "..", "docs", "protocol", "session.md", NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  if (!g_file_get_contents (file, &text, NULL, &error))
    g_error ("cannot read %s: %s", file, error->message);
  return g_strsplit (text, "\n", -1);
}

/* Reads one line of a block of `from`: "hub", "client" or "member"; its type's name goes to `seen`. */
static void
read_line (const char *line, const char *from, GHashTable *seen)
{
  WireMessage wire;
  Message message;
  gsize len;
  char *again;
  const char *name;

  if (strcmp (from, "member") == 0) {
    fail_unless (message_read (line, strlen (line), &message) == JSON_OK,
        "not a message: %s", line);
    name = message_type_name (message.type);
    again = message_write (&message, &len);
    message_clear (&message);
  } else {
    unsigned bit =
        strcmp (from, "hub") == 0 ? WIRE_FROM_HUB : WIRE_FROM_CLIENT;
    fail_unless (wire_read (line, strlen (line), bit, &wire) == JSON_OK,
        "not a message of the %s: %s", from, line);
    name = wire_type_name (wire.type);
    again = wire_write (&wire, bit, &len);
    wire_clear (&wire, bit);
  }
  fail_unless (again != NULL);
  g_free (again);
  g_hash_table_add (seen, g_strconcat (from, " ", name, NULL));
}

static void
must_be_shown (GHashTable *seen, const char *from, const char *name)
{
  g_autofree char *key = g_strconcat (from, " ", name, NULL);
  fail_unless (g_hash_table_contains (seen, key),
      "no example of \"%s\" of the %s", name, from);
}

GST_START_TEST (every_example_is_a_message_and_every_message_has_one)
{
  g_auto (GStrv) lines = load_page ();
  GHashTable *seen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *from = NULL;
  gboolean inside = FALSE;
  guint blocks = 0, examples = 0;

  for (guint i = 0; lines[i]; i++) {
    const char *line = lines[i];
    if (g_str_has_prefix (line, "<!-- messages: ")) {
      g_free (from);
      from = g_strdup (line + strlen ("<!-- messages: "));
      *strchr (from, ' ') = '\0';
    } else if (strcmp (line, "```json") == 0) {
      fail_unless (from != NULL, "line %u: whose messages are these?", i + 1);
      inside = TRUE;
      blocks++;
    } else if (inside && strcmp (line, "```") == 0) {
      inside = FALSE;
      g_clear_pointer (&from, g_free);
    } else if (inside) {
      read_line (line, from, seen);
      examples++;
    }
  }
  fail_unless (blocks > 8 && examples > 60);

  /* What is writable is a message; which sides have it, the shapes know. */
  for (int type = WIRE_HELLO; type <= WIRE_SPEAKERS; type++) {
    const char *name = wire_type_name ((WireType) type);
    const unsigned sides[] = { WIRE_FROM_CLIENT, WIRE_FROM_HUB };
    for (guint k = 0; k < 2; k++) {
      g_autofree char *probe = g_strdup_printf ("{\"type\":\"%s\"}", name);
      WireMessage m;
      JsonResult result = wire_read (probe, strlen (probe), sides[k], &m);
      if (result == JSON_OK)
        wire_clear (&m, sides[k]);
      if (result != JSON_UNKNOWN_TYPE)
        must_be_shown (
            seen, sides[k] == WIRE_FROM_HUB ? "hub" : "client", name);
    }
  }
  for (int type = MESSAGE_PRESENT; type <= MESSAGE_ADMISSION; type++)
    must_be_shown (seen, "member", message_type_name ((MessageType) type));
  g_hash_table_unref (seen);
}
GST_END_TEST;

static Suite *
session_docs_suite (void)
{
  Suite *s = suite_create ("session-docs");
  TCase *tc = tcase_create ("docs");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, every_example_is_a_message_and_every_message_has_one);
  return s;
}

PURE_CHECK_MAIN (session_docs)

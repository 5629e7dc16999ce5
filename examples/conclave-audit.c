/* Checks a hub's audit log, and sums it up.
 *
 *     conclave-audit [--kept=HASH] FILE
 *
 * Each line of the log carries the SHA-256 of the line before it. Ends with 0 when the whole chain holds, with 1 when it does not,
 * and says where. What nobody can see in a file alone is whether lines at its end are missing: for that, keep the hash that this
 * program prints last, somewhere else, and give it later as --kept: then some line of the log must have it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

typedef struct
{
  guint64 lines, torn, missing;
  gboolean whole, kept_found;
  gchar *hash; /* of the last line */
  GTree *days; /* "2026-11-24 admitted" -> count */
  gint64 next; /* number that the next line must have; -1 behind a torn one */
} Audit;

static gint
compare (gconstpointer a, gconstpointer b, gpointer unused)
{
  (void) unused;
  return strcmp (a, b);
}

static void
count (Audit *audit, JsonObject *line)
{
  const gchar *time =
      json_object_get_string_member_with_default (line, "time", "");
  const gchar *event =
      json_object_get_string_member_with_default (line, "event", "?");
  gchar *key = g_strdup_printf ("%.10s %s", time, event);
  guint n = GPOINTER_TO_UINT (g_tree_lookup (audit->days, key));

  g_tree_replace (audit->days, key, GUINT_TO_POINTER (n + 1));
  audit->missing +=
      (guint64) json_object_get_int_member_with_default (line, "missing", 0);
}

static void
complain (Audit *audit, const gchar *what)
{
  printf ("line %" G_GUINT64_FORMAT ": %s\n", audit->lines, what);
  audit->whole = FALSE;
}

static void
check_line (Audit *audit, const gchar *text, gsize len)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  gboolean parsed =
      json_parser_load_from_data (parser, text, (gssize) len, NULL)
      && json_parser_get_root (parser)
      && JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser));

  audit->lines++;
  if (!parsed) {
    /* Such a line is followed by one with its hash, or it is not the log's. */
    audit->torn++;
    audit->next = -1;
    printf ("line %" G_GUINT64_FORMAT
            ": torn, as when the machine goes down while it is written\n",
        audit->lines);
  } else {
    JsonObject *line = json_node_get_object (json_parser_get_root (parser));
    gint64 n = json_object_get_int_member_with_default (line, "n", 0);
    if (!g_str_equal (
            json_object_get_string_member_with_default (line, "previous", ""),
            audit->hash))
      complain (audit,
          "does not follow from the line before it: that one was changed, or one between them was taken out");
    else if (audit->next >= 0 && n != audit->next)
      complain (audit, "its number does not follow");
    audit->next = n + 1;
    count (audit, line);
  }
  g_free (audit->hash);
  audit->hash = g_compute_checksum_for_data (
      G_CHECKSUM_SHA256, (const guchar *) text, len);
}

static gboolean
print_count (gpointer key, gpointer value, gpointer unused)
{
  (void) unused;
  printf ("  %-28s %u\n", (const gchar *) key, GPOINTER_TO_UINT (value));
  return FALSE;
}

static gboolean
check_file (Audit *audit, const gchar *file, const gchar *kept)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GMappedFile) map = g_mapped_file_new (file, FALSE, &error);

  if (!map) {
    fprintf (stderr, "cannot read %s: %s\n", file, error->message);
    return FALSE;
  }
  const gchar *at = g_mapped_file_get_contents (map);
  gsize left = g_mapped_file_get_length (map);
  while (left > 0) {
    const gchar *end = memchr (at, '\n', left);
    gsize len = end ? (gsize) (end - at) : left;
    check_line (audit, at, len);
    audit->kept_found |= kept && g_ascii_strcasecmp (kept, audit->hash) == 0;
    gsize step = len + (end ? 1 : 0);
    at += step;
    left -= step;
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autofree gchar *kept = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GOptionContext) context =
      g_option_context_new ("FILE - checks a hub's audit log");
  GOptionEntry options[] = { { "kept", 0, 0, G_OPTION_ARG_STRING, &kept,
                                 "A hash that this program printed earlier",
                                 "HASH" },
    G_OPTION_ENTRY_NULL };
  Audit audit = { .whole = TRUE, .next = 1 };

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2) {
    fprintf (stderr, "%s\n",
        error ? error->message : "usage: conclave-audit [--kept=HASH] FILE");
    return 2;
  }
  audit.hash = g_strnfill (64, '0');
  audit.days = g_tree_new_full (compare, NULL, g_free, NULL);
  gboolean read = check_file (&audit, argv[1], kept);
  if (read && kept && !audit.kept_found) {
    printf (
        "no line has the hash that was kept: the end of the log is missing, or it is another one\n");
    audit.whole = FALSE;
  }
  if (read) {
    g_tree_foreach (audit.days, print_count, NULL);
    if (audit.missing > 0)
      printf ("%" G_GUINT64_FORMAT
              " events could not be written at their time\n",
          audit.missing);
    printf ("%" G_GUINT64_FORMAT " lines, %s; last %s\n", audit.lines,
        audit.whole ? "the chain holds" : "THE CHAIN IS BROKEN", audit.hash);
  }
  g_tree_unref (audit.days);
  g_free (audit.hash);
  return read && audit.whole ? 0 : 1;
}

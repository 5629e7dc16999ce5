/* Verifies the minutes of a meeting, and prints them for people.
 *
 *     conclave-minutes verify FILE [--signer=FINGERPRINT]
 *     conclave-minutes print  FILE [--signer=FINGERPRINT]
 *
 * Ends with 0 when every line is in order and the end is there; with 1 when not, and says which line is the first that cannot be
 * trusted and why; `print` shows the lines before it only. A signature says who kept the minutes, and only those who know the
 * keeper's fingerprint can tell whether it is the right one: give it as --signer, in its long form (43 characters) or its short
 * one ("01234 56789 01234 56789").
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/minutes/minutes.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

typedef struct
{
  gboolean print;
  gchar day[16]; /* that was printed last */
} Output;

/* Names and texts come from others: nothing in them may steer a terminal, or turn the direction of what is around them. */
static gchar *
harmless (const gchar *text)
{
  GString *out = g_string_new (NULL);

  for (const gchar *p = text; *p; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);
    GUnicodeType type = g_unichar_type (c);
    if (g_unichar_iscntrl (c) || type == G_UNICODE_FORMAT
        || type == G_UNICODE_LINE_SEPARATOR
        || type == G_UNICODE_PARAGRAPH_SEPARATOR)
      g_string_append_printf (out, "\\u%04x", c);
    else
      g_string_append_unichar (out, c);
  }
  return g_string_free (out, FALSE);
}

static void
print_time (Output *output, const MinutesEntry *entry)
{
  g_autoptr (GDateTime) time =
      g_date_time_new_from_unix_utc (entry->time / 1000);
  g_autofree gchar *day = g_date_time_format (time, "%Y-%m-%d");
  g_autofree gchar *clock = g_date_time_format (time, "%H:%M:%S");

  if (strcmp (day, output->day) != 0)
    printf ("%s (UTC)\n", day);
  g_strlcpy (output->day, day, sizeof output->day);
  printf ("  %s  ", clock);
}

static const gchar *
sentence_of (MinutesEvent event)
{
  static const gchar *const sentences[] = {
    [MINUTES_KNOCKED] = "knocked",
    [MINUTES_ADMITTED] = "was admitted",
    [MINUTES_DENIED] = "was not admitted",
    [MINUTES_JOINED] = "joined",
    [MINUTES_LEFT] = "left",
    [MINUTES_REMOVED] = "was removed",
    [MINUTES_LOCKED] = "The meeting was locked",
    [MINUTES_UNLOCKED] = "The meeting was unlocked",
    [MINUTES_RECORDING] = "began to record",
    [MINUTES_RECORDED] = "stopped recording",
    [MINUTES_CONSENTED] = "agreed to be recorded",
    [MINUTES_REFUSED] = "refused to be recorded",
    [MINUTES_CHAT] = "wrote",
    [MINUTES_END] = "The minutes end",
  };
  const gchar *sentence =
      (gsize) event < G_N_ELEMENTS (sentences) ? sentences[event] : NULL;
  return sentence ? sentence : minutes_event_name (event);
}

static void
print_begin (const MinutesEntry *entry)
{
  guint8 fingerprint[IDENTITY_FINGERPRINT_LEN];
  gchar digits[SHORT_FINGERPRINT_SIZE], text[FINGERPRINT_TEXT_SIZE];
  g_autofree gchar *name = harmless (entry->name);

  identity_fingerprint (entry->signer, fingerprint);
  fingerprint_short (fingerprint, digits);
  fingerprint_text (fingerprint, text);
  printf (
      "Minutes of %s\nkept by %s (%s; %s)\n", entry->link, name, digits, text);
}

static void
print_entry (Output *output, const MinutesEntry *entry)
{
  g_autofree gchar *name = harmless (entry->name),
                   *text = harmless (entry->text);
  const gchar *sentence = sentence_of (entry->event);
  gchar digits[SHORT_FINGERPRINT_SIZE];

  fingerprint_short (entry->fingerprint, digits);
  if (entry->missing > 0)
    printf ("  (%" G_GUINT64_FORMAT " lines could not be written here)\n",
        entry->missing);
  if (entry->event == MINUTES_BEGIN) {
    print_begin (entry);
    return;
  }
  print_time (output, entry);
  switch (entry->event) {
    case MINUTES_LOCKED:
    case MINUTES_UNLOCKED:
    case MINUTES_END:
      printf ("%s.\n", sentence);
      break;
    case MINUTES_EPOCH:
      printf ("Epoch %" G_GUINT64_FORMAT ", security code %s\n", entry->epoch,
          entry->code);
      break;
    case MINUTES_NOTE:
      printf ("Note: %s\n", text);
      break;
    case MINUTES_FILE:
      printf (
          "File %s, %" G_GUINT64_FORMAT " bytes, SHA-256 ", text, entry->size);
      for (guint i = 0; i < MINUTES_HASH_LEN; i++)
        printf ("%02x", entry->hash[i]);
      printf ("\n");
      break;
    case MINUTES_JOINED:
      printf ("%s (%s) joined as %s%s\n", name, digits, entry->role,
          entry->admin ? ", an admin" : "");
      break;
    case MINUTES_CHAT:
      printf ("%s (%s) wrote: %s\n", name, digits, text);
      break;
    default:
      printf ("%s (%s) %s\n", name, digits, sentence);
  }
}

/* Reads and, if so wished, prints all lines up to the first that is not in order. */
static MinutesResult
read_lines (MinutesReader *reader, Output *output, const gchar *at, gsize left)
{
  MinutesResult result = MINUTES_OK;
  MinutesEntry entry;

  while (left > 0 && result == MINUTES_OK) {
    const gchar *end = memchr (at, '\n', left);
    gsize len = end ? (gsize) (end - at) : left, step = len + (end ? 1 : 0);
    result = minutes_reader_line (reader, at, len, &entry);
    if (result == MINUTES_OK && output->print)
      print_entry (output, &entry);
    at += step;
    left -= step;
  }
  return minutes_reader_end (reader);
}

static gboolean
is_signer (const guint8 *fingerprint, const gchar *asked)
{
  gchar digits[SHORT_FINGERPRINT_SIZE];
  guint8 parsed[IDENTITY_FINGERPRINT_LEN];

  fingerprint_short (fingerprint, digits);
  return strcmp (digits, asked) == 0
         || (fingerprint_parse (asked, strlen (asked), parsed)
             && memcmp (parsed, fingerprint, sizeof parsed) == 0);
}

static int
judge (MinutesReader *reader, MinutesResult result, const gchar *signer)
{
  const guint8 *fingerprint = minutes_reader_signer (reader);
  guint64 lines = minutes_reader_lines (reader);
  gchar digits[SHORT_FINGERPRINT_SIZE] = "", text[FINGERPRINT_TEXT_SIZE] = "";
  gboolean right = !signer || (fingerprint && is_signer (fingerprint, signer));

  if (fingerprint) {
    fingerprint_short (fingerprint, digits);
    fingerprint_text (fingerprint, text);
  }
  if (result != MINUTES_OK)
    printf ("Line %" G_GUINT64_FORMAT " %s.\n",
        lines + (result == MINUTES_CUT ? 0 : 1), minutes_result_text (result));
  if (lines > 0)
    printf ("%" G_GUINT64_FORMAT " lines in order, signed by %s (%s)%s.\n",
        lines, digits, text,
        !right   ? ", WHO IS NOT THE ONE ASKED FOR"
        : signer ? ", as asked for"
                 : ": compare this with the fingerprint of whom you believe");
  return result == MINUTES_OK && right ? 0 : 1;
}

int
main (int argc, char **argv)
{
  g_autofree gchar *signer = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GOptionContext) context = g_option_context_new (
      "verify|print FILE - verifies the minutes of a meeting");
  GOptionEntry options[] = { { "signer", 0, 0, G_OPTION_ARG_STRING, &signer,
                                 "Whose minutes they must be", "FINGERPRINT" },
    G_OPTION_ENTRY_NULL };
  Output output = { 0 };

  g_option_context_add_main_entries (context, options, NULL);
  gboolean parsed =
      g_option_context_parse (context, &argc, &argv, &error) && argc == 3
      && (strcmp (argv[1], "verify") == 0 || strcmp (argv[1], "print") == 0);
  if (!parsed || !core_init ()) {
    fprintf (stderr, "%s\n",
        error
            ? error->message
            : "usage: conclave-minutes verify|print FILE [--signer=FINGERPRINT]");
    return 2;
  }
  g_autoptr (GMappedFile) map = g_mapped_file_new (argv[2], FALSE, &error);
  if (!map) {
    fprintf (stderr, "cannot read %s: %s\n", argv[2], error->message);
    return 2;
  }
  MinutesReader *reader = minutes_reader_new (NULL);
  output.print = strcmp (argv[1], "print") == 0;
  MinutesResult result = read_lines (reader, &output,
      g_mapped_file_get_contents (map), g_mapped_file_get_length (map));
  int status = judge (reader, result, signer);
  minutes_reader_free (reader);
  return status;
}

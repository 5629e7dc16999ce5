/* Draws the minutes of a meeting: who was there when, who recorded, when it was locked, who wrote.
 *
 *     conclave-timeline FILE > meeting.svg
 *
 * The minutes are verified first, as conclave-minutes does it; only what is in order is drawn. Ends with 1, and with a line in the
 * picture, when there is more that is not, or when the end is missing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/minutes/minutes.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#define LEFT 240.0 /* of the names */
#define WIDTH 900.0
#define TOP 60.0
#define ROW 30.0
#define MOST_TICKS 8

typedef struct
{
  guint row;
  gint64 from, to;
} Span;

typedef struct
{
  guint8 fingerprint[IDENTITY_FINGERPRINT_LEN];
  gchar *name;                   /* as it was last */
  gint64 since, recording_since; /* -1: not now */
} Person;

typedef struct
{
  gint64 begin, end;
  gchar *link;
  GPtrArray *people; /* Person, in the order in which they came */
  GArray *stays, *recordings, *locks, *chats; /* Span */
  GArray *epochs;                             /* gint64 */
  gint64 locked_since;
} Meeting;

static void
person_free (gpointer data)
{
  Person *person = data;
  g_free (person->name);
  g_free (person);
}

static guint
row_of (Meeting *meeting, const MinutesEntry *entry)
{
  Person *person;
  guint i;

  for (i = 0; i < meeting->people->len; i++) {
    person = g_ptr_array_index (meeting->people, i);
    if (memcmp (person->fingerprint, entry->fingerprint,
            sizeof person->fingerprint)
        == 0)
      break;
  }
  if (i == meeting->people->len) {
    person = g_new0 (Person, 1);
    memcpy (
        person->fingerprint, entry->fingerprint, sizeof person->fingerprint);
    person->since = person->recording_since = -1;
    g_ptr_array_add (meeting->people, person);
  }
  person = g_ptr_array_index (meeting->people, i);
  g_free (person->name);
  person->name = g_strdup (entry->name);
  return i;
}

/* Ends what began at `*since`, if it did. */
static void
end_span (GArray *spans, guint row, gint64 *since, gint64 now)
{
  Span span = { row, *since, now };

  if (*since >= 0)
    g_array_append_val (spans, span);
  *since = -1;
}

static void
take_person (Meeting *meeting, const MinutesEntry *entry)
{
  guint row = row_of (meeting, entry);
  Person *person = g_ptr_array_index (meeting->people, row);
  Span chat = { row, entry->time, entry->time };

  if (entry->event == MINUTES_JOINED && person->since < 0)
    person->since = entry->time;
  if (entry->event == MINUTES_RECORDING && person->recording_since < 0)
    person->recording_since = entry->time;
  if (entry->event == MINUTES_CHAT)
    g_array_append_val (meeting->chats, chat);
  if (entry->event == MINUTES_LEFT || entry->event == MINUTES_REMOVED)
    end_span (meeting->stays, row, &person->since, entry->time);
  if (entry->event == MINUTES_LEFT || entry->event == MINUTES_REMOVED
      || entry->event == MINUTES_RECORDED)
    end_span (meeting->recordings, row, &person->recording_since, entry->time);
}

static void
take_entry (Meeting *meeting, const MinutesEntry *entry)
{
  if (entry->event == MINUTES_BEGIN) {
    meeting->begin = entry->time;
    meeting->link = g_strdup (entry->link);
  }
  /* A clock that is set back does not draw to the left. */
  meeting->end = MAX (meeting->end, entry->time);
  switch (entry->event) {
    case MINUTES_JOINED:
    case MINUTES_LEFT:
    case MINUTES_REMOVED:
    case MINUTES_RECORDING:
    case MINUTES_RECORDED:
    case MINUTES_CHAT:
      take_person (meeting, entry);
      break;
    case MINUTES_EPOCH:
      g_array_append_val (meeting->epochs, entry->time);
      break;
    case MINUTES_LOCKED:
      if (meeting->locked_since < 0)
        meeting->locked_since = entry->time;
      break;
    case MINUTES_UNLOCKED:
      end_span (meeting->locks, 0, &meeting->locked_since, entry->time);
      break;
    default:
      break;
  }
}

/* What had no end when the minutes had theirs. */
static void
end_all (Meeting *meeting)
{
  for (guint i = 0; i < meeting->people->len; i++) {
    Person *person = g_ptr_array_index (meeting->people, i);
    end_span (meeting->stays, i, &person->since, meeting->end);
    end_span (meeting->recordings, i, &person->recording_since, meeting->end);
  }
  end_span (meeting->locks, 0, &meeting->locked_since, meeting->end);
}

/* --- Drawing --- */

static gdouble
x_of (const Meeting *meeting, gint64 time)
{
  gdouble all = (gdouble) MAX (meeting->end - meeting->begin, 1);
  gdouble at = (gdouble) (time - meeting->begin) / all;
  return LEFT + WIDTH * CLAMP (at, 0, 1);
}

/* Text as XML, without what is no character there, or would turn the direction of what stands around it. */
static gchar *
xml_text (const gchar *text)
{
  g_autoptr (GString) clean = g_string_new (NULL);

  for (const gchar *p = text; *p; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);
    gboolean bad = g_unichar_iscntrl (c) || (c & 0xfffe) == 0xfffe
                   || g_unichar_type (c) == G_UNICODE_FORMAT;
    g_string_append_unichar (clean, bad ? 0xfffd : c);
  }
  return g_markup_escape_text (clean->str, (gssize) clean->len);
}

static void
draw_span (const Meeting *meeting, const Span *span, gdouble y, gdouble height,
    const gchar *class)
{
  gdouble from = x_of (meeting, MIN (span->from, span->to)),
          to = x_of (meeting, MAX (span->from, span->to));
  printf (
      "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
      class, from, y, MAX (to - from, 1.0), height);
}

static void
draw_times (const Meeting *meeting, gdouble bottom)
{
  static const gint64 steps[] = { 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200,
    21600, 43200, 86400, 604800 };
  gint64 all = (meeting->end - meeting->begin) / 1000, step = 31536000;

  for (guint i = G_N_ELEMENTS (steps); i > 0; i--)
    if (all / steps[i - 1] <= MOST_TICKS)
      step = steps[i - 1];
  step *= 1000;
  for (gint64 time = (meeting->begin + step - 1) / step * step;
       time <= meeting->end && all / (step / 1000) <= 100; time += step) {
    g_autoptr (GDateTime) date = g_date_time_new_from_unix_utc (time / 1000);
    g_autofree gchar *text = g_date_time_format (
        date, step % 86400000 == 0 ? "%Y-%m-%d" : "%H:%M:%S");
    gdouble x = x_of (meeting, time);
    printf (
        "<line class=\"tick\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
        "<text class=\"time\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
        x, TOP - 4, x, bottom, x, bottom + 16, text);
  }
}

static void
draw_people (const Meeting *meeting)
{
  for (guint i = 0; i < meeting->people->len; i++) {
    const Person *person = g_ptr_array_index (meeting->people, i);
    g_autofree gchar *name = xml_text (person->name);
    gchar digits[SHORT_FINGERPRINT_SIZE];
    fingerprint_short (person->fingerprint, digits);
    printf (
        "<text class=\"name\" x=\"10\" y=\"%.1f\">%s<title>%s</title></text>\n",
        TOP + i * ROW + 18, name, digits);
  }
  for (guint i = 0; i < meeting->stays->len; i++) {
    const Span *span = &g_array_index (meeting->stays, Span, i);
    draw_span (meeting, span, TOP + span->row * ROW + 6, 16, "there");
  }
  for (guint i = 0; i < meeting->recordings->len; i++) {
    const Span *span = &g_array_index (meeting->recordings, Span, i);
    draw_span (meeting, span, TOP + span->row * ROW + 18, 4, "recording");
  }
  for (guint i = 0; i < meeting->chats->len; i++) {
    const Span *span = &g_array_index (meeting->chats, Span, i);
    printf ("<circle class=\"chat\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
        x_of (meeting, span->from), TOP + span->row * ROW + 12);
  }
}

static void
draw (const Meeting *meeting, MinutesResult result)
{
  gdouble bottom = TOP + meeting->people->len * ROW;
  g_autoptr (GDateTime) date =
      g_date_time_new_from_unix_utc (meeting->begin / 1000);
  g_autofree gchar *day = g_date_time_format (date, "%Y-%m-%d %H:%M:%S");
  g_autofree gchar *title = xml_text (meeting->link);

  printf (
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\">\n"
      "<style>text{font:13px sans-serif}.time{font-size:11px;fill:#666;text-anchor:middle}.tick{stroke:#ddd}"
      ".epoch{stroke:#bbb;stroke-dasharray:2 3}.there{fill:#4a90d9}.recording{fill:#d0021b}.locked{fill:#f5a623}"
      ".chat{fill:#fff;stroke:#333}.bad{fill:#d0021b}</style>\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
      "<text x=\"10\" y=\"20\">%s, from %s UTC</text>\n",
      LEFT + WIDTH + 40, bottom + 50, title, day);
  if (result != MINUTES_OK) {
    g_autofree gchar *why = xml_text (minutes_result_text (result));
    printf (
        "<text class=\"bad\" x=\"10\" y=\"%.1f\">Not all of the minutes: the next line %s.</text>\n",
        bottom + 38, why);
  }
  draw_times (meeting, bottom);
  for (guint i = 0; i < meeting->epochs->len; i++) {
    gdouble x = x_of (meeting, g_array_index (meeting->epochs, gint64, i));
    printf (
        "<line class=\"epoch\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
        x, TOP, x, bottom);
  }
  for (guint i = 0; i < meeting->locks->len; i++)
    draw_span (meeting, &g_array_index (meeting->locks, Span, i), TOP - 12, 5,
        "locked");
  draw_people (meeting);
  printf ("</svg>\n");
}

static MinutesResult
read_lines (Meeting *meeting, const gchar *at, gsize left)
{
  MinutesReader *reader = minutes_reader_new (NULL);
  MinutesResult result = MINUTES_OK;
  MinutesEntry entry;

  while (left > 0 && result == MINUTES_OK) {
    const gchar *end = memchr (at, '\n', left);
    gsize len = end ? (gsize) (end - at) : left, taken = len + (end ? 1 : 0);
    result = minutes_reader_line (reader, at, len, &entry);
    if (result == MINUTES_OK)
      take_entry (meeting, &entry);
    at += taken;
    left -= taken;
  }
  result = minutes_reader_end (reader);
  minutes_reader_free (reader);
  return result;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  Meeting meeting = { .locked_since = -1 };

  if (argc != 2 || !core_init ()) {
    fprintf (stderr, "usage: conclave-timeline FILE > meeting.svg\n");
    return 2;
  }
  g_autoptr (GMappedFile) map = g_mapped_file_new (argv[1], FALSE, &error);
  if (!map) {
    fprintf (stderr, "cannot read %s: %s\n", argv[1], error->message);
    return 2;
  }
  meeting.people = g_ptr_array_new_with_free_func (person_free);
  meeting.stays = g_array_new (FALSE, FALSE, sizeof (Span));
  meeting.recordings = g_array_new (FALSE, FALSE, sizeof (Span));
  meeting.locks = g_array_new (FALSE, FALSE, sizeof (Span));
  meeting.chats = g_array_new (FALSE, FALSE, sizeof (Span));
  meeting.epochs = g_array_new (FALSE, FALSE, sizeof (gint64));
  MinutesResult result = read_lines (&meeting,
      g_mapped_file_get_contents (map), g_mapped_file_get_length (map));
  if (meeting.link) {
    end_all (&meeting);
    draw (&meeting, result);
  }
  if (result != MINUTES_OK)
    fprintf (stderr, "%s: the first line that is not in order %s\n", argv[1],
        minutes_result_text (result));
  g_ptr_array_unref (meeting.people);
  g_array_unref (meeting.stays);
  g_array_unref (meeting.recordings);
  g_array_unref (meeting.locks);
  g_array_unref (meeting.chats);
  g_array_unref (meeting.epochs);
  g_free (meeting.link);
  return result == MINUTES_OK ? 0 : 1;
}

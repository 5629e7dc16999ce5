/* Writes the minutes of a small meeting to its output: minutes-make IDENTITY.pem [cut]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/minutes/minutes.h"
#include "ext/sodium/identity_file.h"

#include <stdio.h>
#include <string.h>

#define NINE INT64_C (1795510800000) /* 2026-11-24T09:00:00Z */

static bool
append (void *data, const char *line, size_t len)
{
  return fwrite (line, 1, len, data) == len;
}

int
main (int argc, char **argv)
{
  static const struct
  {
    MinutesEvent event;
    int64_t second;
    const char *name, *text;
  } lines[] = {
    { MINUTES_BEGIN, 0, "Recorder", NULL },
    { MINUTES_JOINED, 0, "Recorder", NULL },
    { MINUTES_JOINED, 0, "Alice", NULL },
    { MINUTES_EPOCH, 0, NULL, NULL },
    { MINUTES_RECORDING, 1, "Recorder", NULL },
    { MINUTES_KNOCKED, 60, "Bob \"the \xe2\x80\xaeredliub\" \x1b[31m", NULL },
    { MINUTES_ADMITTED, 65, "Bob", NULL },
    { MINUTES_JOINED, 66, "Bob", NULL },
    { MINUTES_CONSENTED, 70, "Bob", NULL },
    { MINUTES_CHAT, 80, "Bob", "Good morning.\nI am late." },
    { MINUTES_LOCKED, 90, NULL, NULL },
    { MINUTES_LEFT, 54000, "Bob", NULL },
    { MINUTES_RECORDED, 54001, "Recorder", NULL },
    { MINUTES_FILE, 54002, NULL, "alice-1.mkv.css" },
    { MINUTES_END, 54003, NULL, NULL },
  };
  Identity *keeper = NULL;
  MinutesEntry entry;

  if (argc < 2 || !core_init ()
      || identity_file_load (argv[1], &keeper) != IDENTITY_OK)
    return 2;
  MinutesWriter *writer = minutes_writer_new (keeper, append, stdout);
  for (size_t i = 0; i < sizeof lines / sizeof *lines - (argc > 2); i++) {
    uint8_t key[IDENTITY_KEY_LEN] = { 0 };
    if (lines[i].name)
      key[0] = (uint8_t) lines[i].name[0]; /* a key for each initial */
    minutes_entry (&entry, lines[i].event, NINE + lines[i].second * 1000,
        lines[i].name, key[0] == 'R' ? identity_public_key (keeper) : key);
    if (lines[i].text)
      minutes_entry_text (&entry, lines[i].text);
    strcpy (entry.link, "meet://hub.example/standup");
    strcpy (entry.role,
        lines[i].name && *lines[i].name == 'R' ? "recorder" : "participant");
    entry.admin = lines[i].name && *lines[i].name == 'A';
    entry.epoch = 3;
    strcpy (entry.code, "012345 678901 234567 890123 456789");
    entry.size = 123456789;
    if (!minutes_write (writer, &entry))
      return 1;
  }
  minutes_writer_free (writer);
  identity_free (keeper);
  return 0;
}

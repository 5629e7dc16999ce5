/* The minutes of a meeting. The first byte says what the rest is:
 *
 *     0  lines, as somebody may write them
 *     1  operations: what is written, and what somebody does to it; what was changed must be refused
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/minutes/minutes.h"
#include "ext/sodium/reader.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define MOST 65536

typedef struct
{
  char bytes[MOST];
  size_t len;
} Text;

static void
demand (bool ok)
{
  if (!ok)
    abort ();
}

static bool
append (void *data, const char *line, size_t len)
{
  Text *text = data;
  if (len > MOST - text->len)
    return false;
  memcpy (text->bytes + text->len, line, len);
  text->len += len;
  return true;
}

/* How many lines are in order, and how it ends. */
static MinutesResult
verify (const char *bytes, size_t len, uint64_t *lines)
{
  MinutesReader *reader = minutes_reader_new (NULL);
  MinutesResult result = MINUTES_OK;
  MinutesEntry entry;

  demand (reader != NULL);
  Reader r = reader_init (bytes, len);
  while (reader_left (&r) > 0 && result == MINUTES_OK) {
    size_t n = 0, left = reader_left (&r);
    while (n < left && r.at[n] != '\n')
      n++;
    char *line = malloc (n > 0 ? n : 1);
    demand (line != NULL);
    memcpy (line, reader_take (&r, n), n);
    reader_take (&r, n < left ? 1 : 0);
    result = minutes_reader_line (reader, line, n, &entry);
    if (result == MINUTES_OK)
      demand (minutes_event_name (entry.event) != NULL);
    free (line);
  }
  *lines = minutes_reader_lines (reader);
  MinutesResult ended = minutes_reader_end (reader);
  demand (result == MINUTES_OK || ended == result);
  minutes_reader_free (reader);
  return ended;
}

static void
write_some (Text *text, Reader *r, const Identity *keeper)
{
  static MinutesEntry entry;
  MinutesWriter *writer = minutes_writer_new (keeper, append, text);
  char said[MINUTES_MAX_TEXT + 1];
  uint64_t lines = reader_uint (r, 1) % 12;

  demand (writer != NULL);
  for (uint64_t i = 0; i <= lines + 1; i++) {
    size_t n = i == 0 || i > lines ? 0 : (size_t) reader_uint (r, 1);
    MinutesEvent event = i == 0      ? MINUTES_BEGIN
                         : i > lines ? MINUTES_END
                                     : (MinutesEvent) (n % MINUTES_END + 1);
    const uint8_t *bytes = n <= reader_left (r) ? reader_take (r, n) : NULL;
    size_t used = 0;
    for (size_t k = 0; bytes && k < n; k++)
      if (bytes[k] != 0)
        said[used++] = (char) bytes[k];
    said[used] = '\0';
    minutes_entry (&entry, event, (int64_t) (n * 86400000000), said,
        identity_public_key (keeper));
    minutes_entry_text (&entry, said);
    strcpy (entry.role, "participant");
    strcpy (entry.link, "meet://127.0.0.1/a");
    minutes_write (writer, &entry);
  }
  minutes_writer_free (writer);
}

static void
act (Reader *r)
{
  static Text text, before;
  static const uint8_t seed[IDENTITY_KEY_LEN];
  Identity *keeper = identity_from_seed (seed);
  uint64_t lines, again;

  demand (keeper != NULL);
  text.len = 0;
  write_some (&text, r, keeper);
  demand (verify (text.bytes, text.len, &lines) == MINUTES_OK);
  before = text;
  while (reader_left (r) >= 4) {
    uint64_t what = reader_uint (r, 1) % 3;
    size_t at = (size_t) reader_uint (r, 2), n = (size_t) reader_uint (r, 1);
    if (what == 0 && at < text.len)
      text.bytes[at] = (char) (text.bytes[at] ^ (char) n);
    else if (what == 1 && at < text.len)
      text.len = at;
    else if (what == 2 && at < text.len && n <= text.len - at)
      memmove (text.bytes, text.bytes + at, n);
  }
  /* A line feed at the very end may be missing: nothing else is open to choice. */
  bool same = memcmp (text.bytes, before.bytes, text.len) == 0
              && text.len + 1 >= before.len;
  demand ((verify (text.bytes, text.len, &again) == MINUTES_OK) == same);
  demand (again <= lines);
  identity_free (keeper);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Reader r = reader_init (data, size);
  uint64_t what = reader_uint (&r, 1), lines;
  size_t len = reader_left (&r);

  if (!core_init () || len > MOST || r.failed)
    return 0;
  const uint8_t *rest = reader_take (&r, len);
  if (what == 0) {
    verify ((const char *) rest, len, &lines);
  } else if (what == 1) {
    Reader operations = reader_init (rest, len);
    act (&operations);
  }
  return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "known.h"

#include <stdlib.h>
#include <string.h>

#define PRINT_LEN (FINGERPRINT_TEXT_SIZE - 1)

/* The text itself is the list: there is one place where a line can be wrong, and people's comments stay. */
struct Known
{
  char *text; /* each line ends in '\n' */
  size_t len;
};

static bool
is_name (const char *name, size_t len)
{
  if (len == 0 || len > KNOWN_MAX_NAME || name[0] == '#')
    return false;
  for (size_t i = 0; i < len; i++)
    if (name[i] <= ' ' || name[i] > '~')
      return false;
  return true;
}

/* The length of the line at `at`, without its end. */
static size_t
line_len (const char *text, size_t len, size_t at)
{
  const char *end = memchr (text + at, '\n', len - at);
  return end ? (size_t) (end - (text + at)) : len - at;
}

/* Splits a line into name and fingerprint; false for a comment, an empty one, or one that is neither. */
static bool
split (const char *line, size_t len, size_t *name_len, uint8_t *fingerprint)
{
  if (len < PRINT_LEN + 2 || line[len - PRINT_LEN - 1] != ' ')
    return false;
  *name_len = len - PRINT_LEN - 1;
  return is_name (line, *name_len)
         && fingerprint_parse (line + *name_len + 1, PRINT_LEN, fingerprint);
}

Known *
known_parse (const char *text, size_t len, size_t *bad_line)
{
  size_t number = 0, name_len;
  uint8_t fingerprint[IDENTITY_FINGERPRINT_LEN];

  *bad_line = 0;
  if (len >= KNOWN_MAX_TEXT)
    return NULL;
  for (size_t at = 0; at < len;) {
    size_t n = line_len (text, len, at);
    number++;
    bool comment = n == 0 || text[at] == '#';
    if (n > KNOWN_MAX_LINE || memchr (text + at, '\0', n)
        || (!comment && !split (text + at, n, &name_len, fingerprint))) {
      *bad_line = number;
      return NULL;
    }
    at += n + 1;
  }

  Known *known = malloc (sizeof *known);
  char *copy = malloc (len + 1);
  if (!known || !copy) {
    free (known);
    free (copy);
    return NULL;
  }
  if (len > 0)
    memcpy (copy, text, len);
  if (len > 0 && copy[len - 1] != '\n')
    copy[len++] = '\n';
  *known = (Known){ copy, len };
  return known;
}

void
known_free (Known *known)
{
  if (!known)
    return;
  free (known->text);
  free (known);
}

const char *
known_text (const Known *known, size_t *len)
{
  *len = known->len;
  return known->text;
}

/* Moves `at` to the next line of `name` at or after it; its length to `n`, its fingerprint to `fingerprint`. */
static bool
find (const Known *known, const char *name, size_t *at, size_t *n,
    uint8_t *fingerprint)
{
  size_t want = strlen (name), name_len;

  for (; *at < known->len; *at += *n + 1) {
    const char *line = known->text + *at;
    *n = line_len (known->text, known->len, *at);
    if (*n > 0 && line[0] != '#' && split (line, *n, &name_len, fingerprint)
        && name_len == want && memcmp (line, name, want) == 0)
      return true;
  }
  return false;
}

KnownVerdict
known_check (const Known *known, const char *name, const uint8_t *fingerprint,
    uint8_t *recorded)
{
  uint8_t seen[IDENTITY_FINGERPRINT_LEN];
  KnownVerdict verdict = KNOWN_NEW;

  for (size_t at = 0, n; find (known, name, &at, &n, seen); at += n + 1) {
    if (memcmp (seen, fingerprint, sizeof seen)
        == 0) /* fingerprints are public */
      return KNOWN_SAME;
    verdict = KNOWN_CHANGED;
    if (recorded)
      memcpy (recorded, seen, sizeof seen);
  }
  return verdict;
}

bool
known_add (Known *known, const char *name, const uint8_t *fingerprint)
{
  size_t name_len = strlen (name), n = name_len + 1 + PRINT_LEN + 1;

  if (!is_name (name, name_len) || known->len + n >= KNOWN_MAX_TEXT)
    return false;
  char *text = realloc (known->text, known->len + n + 1);
  if (!text)
    return false;
  known->text = text;
  memcpy (text + known->len, name, name_len);
  text[known->len + name_len] = ' ';
  fingerprint_text (fingerprint, text + known->len + name_len + 1);
  known->len += n;
  text[known->len - 1] = '\n';
  return true;
}

size_t
known_forget (Known *known, const char *name)
{
  uint8_t seen[IDENTITY_FINGERPRINT_LEN];
  size_t count = 0;

  for (size_t at = 0, n; find (known, name, &at, &n, seen); count++) {
    memmove (
        known->text + at, known->text + at + n + 1, known->len - at - n - 1);
    known->len -= n + 1;
  }
  return count;
}

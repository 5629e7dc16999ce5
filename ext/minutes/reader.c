/* Reading minutes: each line in the one form that minutes.c writes, with the right hash and signature.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "private.h"

#include "ext/sodium/reader.h"

#include <stdlib.h>
#include <string.h>

struct MinutesReader
{
  bool any_signer, ended;
  uint8_t signer[IDENTITY_FINGERPRINT_LEN]; /* asked for, or of `key` */
  uint8_t key[IDENTITY_KEY_LEN];
  uint64_t lines;
  MinutesResult refused;
  char previous[HASH_TEXT + 1];
  MinutesEntry entry; /* while it is not known to be in order */
};

static bool
begins_with (const Reader *r, const char *text)
{
  size_t len = strlen (text);
  return reader_left (r) >= len && memcmp (r->at, text, len) == 0;
}

static void
expect (Reader *r, const char *text)
{
  if (begins_with (r, text))
    reader_take (r, strlen (text));
  else
    r->failed = true;
}

static uint64_t
read_number (Reader *r)
{
  uint64_t value = 0;
  size_t digits = 0;

  while (
      reader_left (r) > 0 && *r->at >= '0' && *r->at <= '9' && digits++ < 16)
    value = value * 10 + (uint64_t) (*reader_take (r, 1) - '0');
  if (digits == 0 || value > MAX_NUMBER)
    r->failed = true;
  return value;
}

static int64_t
read_digits (Reader *r, size_t n)
{
  const uint8_t *p = reader_take (r, n);
  int64_t value = 0;

  for (size_t i = 0; p && i < n; i++) {
    if (p[i] < '0' || p[i] > '9')
      r->failed = true;
    value = value * 10 + (p[i] - '0');
  }
  return r->failed ? 0 : value;
}

static int64_t
read_time (Reader *r)
{
  int64_t year = read_digits (r, 4);
  expect (r, "-");
  int64_t month = read_digits (r, 2);
  expect (r, "-");
  int64_t day = read_digits (r, 2);
  expect (r, "T");
  int64_t hour = read_digits (r, 2);
  expect (r, ":");
  int64_t minute = read_digits (r, 2);
  expect (r, ":");
  int64_t second = read_digits (r, 2);
  expect (r, ".");
  int64_t ms = read_digits (r, 3);
  expect (r, "Z");

  if (r->failed || year < 1970 || month < 1 || month > 12 || day < 1
      || day > minutes_days_of_month (year, month) || hour > 23 || minute > 59
      || second > 59) {
    r->failed = true;
    return 0;
  }
  int64_t days = minutes_days_before (year) + day - 1;
  for (int64_t m = 1; m < month; m++)
    days += minutes_days_of_month (year, m);
  return days * DAY + ((hour * 60 + minute) * 60 + second) * 1000 + ms;
}

static int
hex_digit (uint8_t c)
{
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                : -1;
}

/* What write_text() escapes: a backslash and its character, or \u00 and two digits; never 0. */
static uint8_t
read_escape (Reader *r)
{
  uint64_t c = reader_uint (r, 1);

  if (c == '"' || c == '\\')
    return (uint8_t) c;
  const uint8_t *p = reader_take (r, 4);
  int high = p ? hex_digit (p[2]) : -1, low = p ? hex_digit (p[3]) : -1;
  if (c != 'u' || !p || p[0] != '0' || p[1] != '0' || high < 0 || low < 0) {
    r->failed = true;
    return 0;
  }
  uint8_t value = (uint8_t) (high << 4 | low);
  if (value == 0 || (value >= 0x20 && value != 0x7f))
    r->failed = true;
  return value;
}

/* `to` has room for `max` bytes and a NUL. */
static void
read_text (Reader *r, char *to, size_t max)
{
  size_t used = 0;

  expect (r, "\"");
  while (!begins_with (r, "\"") && !r->failed) {
    uint8_t escaped = 0;
    const uint8_t *p = &escaped;
    size_t len = 1;
    if (begins_with (r, "\\")) {
      reader_take (r, 1);
      escaped = read_escape (r);
    } else {
      len = minutes_utf8_len (r->at, reader_left (r));
      p = reader_take (r, len);
      if (len == 0 || !p || *p < 0x20 || *p == 0x7f)
        r->failed = true;
    }
    if (r->failed || len > max - used) {
      r->failed = true;
      break;
    }
    memcpy (to + used, p, len);
    used += len;
  }
  expect (r, "\"");
  to[used] = '\0';
}

/* `text_len` characters for `len` bytes, at most IDENTITY_SIG_LEN, in the one way that they can be written: libsodium takes some
 * characters with the top bit set for those without, so what was read is written again. */
static void
read_base64 (Reader *r, uint8_t *to, size_t len, size_t text_len)
{
  const char *text = (const char *) reader_take (r, text_len);
  char again[SIGNATURE_TEXT + 1];
  size_t got;

  if (!text
      || sodium_base642bin (to, len, text, text_len, NULL, &got, NULL,
             sodium_base64_VARIANT_URLSAFE_NO_PADDING)
             != 0
      || got != len) {
    r->failed = true;
    return;
  }
  sodium_bin2base64 (
      again, sizeof again, to, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  r->failed |= memcmp (again, text, text_len) != 0;
}

/* Inlined under TSan, gcc 12 takes a number's place for the event's, and warns. */
__attribute__ ((noinline)) static void
read_field (Reader *r, const Field *field, MinutesEntry *entry)
{
  char *at = (char *) entry + field->offset;
  uint64_t number;

  expect (r, ",\"");
  expect (r, field->name);
  expect (r, "\":");
  switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_TOKEN:
    case FIELD_LINK:
      read_text (r, at, field->max);
      if (!r->failed)
        r->failed = (field->kind == FIELD_TOKEN && !minutes_is_token (at))
                    || (field->kind == FIELD_LINK && !minutes_is_link (at));
      break;
    case FIELD_NUMBER:
      number = read_number (r);
      memcpy (at, &number, sizeof number);
      break;
    case FIELD_FLAG:
      *(bool *) at = begins_with (r, "true");
      expect (r, *(bool *) at ? "true" : "false");
      break;
    case FIELD_BYTES:
      expect (r, "\"");
      read_base64 (r, (uint8_t *) at, 32, 43);
      expect (r, "\"");
      break;
  }
}

static MinutesEvent
read_event (Reader *r)
{
  for (int i = MINUTES_BEGIN; i <= MINUTES_END; i++) {
    Reader peek = *r;
    expect (&peek, minutes_events[i].name);
    expect (&peek, "\"");
    if (!peek.failed) {
      *r = peek;
      return (MinutesEvent) i;
    }
  }
  r->failed = true;
  return MINUTES_END;
}

/* Reads what write_entry() wrote. */
static MinutesResult
read_entry (Reader *r, MinutesEntry *entry)
{
  *entry = (MinutesEntry){ .event = MINUTES_END };
  expect (r, "{\"n\":");
  entry->n = read_number (r);
  expect (r, ",\"time\":\"");
  entry->time = read_time (r);
  expect (r, "\",\"event\":\"");
  entry->event = read_event (r);
  if (!r->failed && entry->event == MINUTES_BEGIN) {
    expect (r, ",\"minutes\":");
    uint64_t version = read_number (r);
    if (!r->failed && version != MINUTES_VERSION)
      return MINUTES_OTHER_VERSION;
  }
  for (size_t i = 0;
       i < 5 && !r->failed && minutes_events[entry->event].fields[i]; i++)
    read_field (r, minutes_events[entry->event].fields[i], entry);
  if (begins_with (r, ",\"missing\":")) {
    expect (r, ",\"missing\":");
    entry->missing = read_number (r);
    r->failed |= entry->missing == 0;
  }
  return r->failed ? MINUTES_MALFORMED : MINUTES_OK;
}

MinutesReader *
minutes_reader_new (const uint8_t *signer)
{
  MinutesReader *reader = calloc (1, sizeof *reader);
  if (!reader)
    return NULL;
  reader->any_signer = !signer;
  if (signer)
    memcpy (reader->signer, signer, sizeof reader->signer);
  memset (reader->previous, '0', HASH_TEXT);
  return reader;
}

void
minutes_reader_free (MinutesReader *reader)
{
  free (reader);
}

/* The first line says who signs. */
static MinutesResult
take_signer (MinutesReader *reader, const MinutesEntry *entry)
{
  uint8_t fingerprint[IDENTITY_FINGERPRINT_LEN];

  if (entry->event != MINUTES_BEGIN)
    return MINUTES_NONE;
  identity_fingerprint (entry->signer, fingerprint);
  if (!reader->any_signer
      && memcmp (fingerprint, reader->signer, sizeof fingerprint) != 0)
    return MINUTES_OTHER_SIGNER;
  memcpy (reader->signer, fingerprint, sizeof fingerprint);
  memcpy (reader->key, entry->signer, IDENTITY_KEY_LEN);
  return MINUTES_OK;
}

static MinutesResult
check_line (MinutesReader *reader, const char *line, size_t len)
{
  Reader r = reader_init (line, len);
  MinutesEntry *entry = &reader->entry;
  uint8_t sig[IDENTITY_SIG_LEN], hash[crypto_hash_sha256_BYTES];

  if (reader->ended)
    return MINUTES_BEHIND_END;
  MinutesResult result =
      len < MINUTES_MAX_LINE ? read_entry (&r, entry) : MINUTES_MALFORMED;
  expect (&r, PREVIOUS);
  const uint8_t *previous = reader_take (&r, HASH_TEXT);
  size_t covered = len - reader_left (&r);
  expect (&r, SIGNATURE);
  read_base64 (&r, sig, sizeof sig, SIGNATURE_TEXT);
  expect (&r, "\"}");
  if (result == MINUTES_OK && !reader_done (&r))
    result = MINUTES_MALFORMED;
  if (reader->lines == 0) {
    if (result == MINUTES_MALFORMED)
      result = MINUTES_NONE;
    if (result == MINUTES_OK)
      result = take_signer (reader, entry);
  } else if (result == MINUTES_OK && entry->event == MINUTES_BEGIN) {
    result = MINUTES_BROKEN;
  }
  if (result != MINUTES_OK)
    return result;
  HashPart part = minutes_signed_part (hash, line, covered);
  if (!identity_verify (reader->key, LABEL, &part, 1, sig))
    return MINUTES_FORGED;
  if (entry->n != reader->lines + 1
      || memcmp (previous, reader->previous, HASH_TEXT) != 0)
    return MINUTES_BROKEN;
  return MINUTES_OK;
}

MinutesResult
minutes_reader_line (
    MinutesReader *reader, const char *line, size_t len, MinutesEntry *out)
{
  if (reader->refused != MINUTES_OK)
    return reader->refused;
  reader->refused = check_line (reader, line, len);
  if (reader->refused != MINUTES_OK)
    return reader->refused;
  minutes_hash_line (reader->previous, line, len);
  reader->lines++;
  reader->ended = reader->entry.event == MINUTES_END;
  *out = reader->entry;
  return MINUTES_OK;
}

MinutesResult
minutes_reader_end (MinutesReader *reader)
{
  if (reader->refused == MINUTES_OK && reader->lines == 0)
    reader->refused = MINUTES_NONE;
  else if (reader->refused == MINUTES_OK && !reader->ended)
    reader->refused = MINUTES_CUT;
  return reader->refused;
}

const uint8_t *
minutes_reader_signer (const MinutesReader *reader)
{
  return reader->lines > 0 ? reader->signer : NULL;
}

uint64_t
minutes_reader_lines (const MinutesReader *reader)
{
  return reader->lines;
}

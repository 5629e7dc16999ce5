/* Lines of minutes, and writing them. They have one form, which the reader (reader.c) demands byte by byte: so no two lines say
 * the same, and it needs to know no JSON but ours.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "private.h"

#include "ext/sodium/writer.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof (MinutesEntry, member)
static const Field field_name = { "name", FIELD_TEXT, AT (name),
  MINUTES_MAX_NAME };
static const Field field_fingerprint = { "fingerprint", FIELD_BYTES,
  AT (fingerprint), 32 };
static const Field field_role = { "role", FIELD_TOKEN, AT (role),
  MINUTES_MAX_ROLE };
static const Field field_admin = { "admin", FIELD_FLAG, AT (admin), 0 };
static const Field field_epoch = { "epoch", FIELD_NUMBER, AT (epoch), 0 };
static const Field field_code = { "security-code", FIELD_TEXT, AT (code),
  SECURITY_CODE_SIZE - 1 };
static const Field field_text = { "text", FIELD_TEXT, AT (text),
  MINUTES_MAX_TEXT };
static const Field field_size = { "size", FIELD_NUMBER, AT (size), 0 };
static const Field field_hash = { "sha256", FIELD_BYTES, AT (hash), 32 };
static const Field field_signer = { "signer", FIELD_BYTES, AT (signer), 32 };
static const Field field_link = { "link", FIELD_LINK, AT (link),
  LINK_MAX_LEN };
static const Field field_group = { "group", FIELD_BYTES, AT (group), 32 };

_Static_assert(IDENTITY_FINGERPRINT_LEN == 32 && IDENTITY_KEY_LEN == 32
                   && DOOR_GROUP_ID_LEN == 32 && MINUTES_HASH_LEN == 32,
    "FIELD_BYTES has 32");

#define PERSON &field_name, &field_fingerprint
const EventForm minutes_events[] = {
  [MINUTES_BEGIN] = { "begin",
      { &field_name, &field_signer, &field_link, &field_group } },
  [MINUTES_KNOCKED] = { "knocked", { PERSON } },
  [MINUTES_ADMITTED] = { "admitted", { PERSON } },
  [MINUTES_DENIED] = { "denied", { PERSON } },
  [MINUTES_JOINED] = { "joined", { PERSON, &field_role, &field_admin } },
  [MINUTES_LEFT] = { "left", { PERSON } },
  [MINUTES_REMOVED] = { "removed", { PERSON } },
  [MINUTES_EPOCH] = { "epoch", { &field_epoch, &field_code } },
  [MINUTES_LOCKED] = { "locked", { NULL } },
  [MINUTES_UNLOCKED] = { "unlocked", { NULL } },
  [MINUTES_RECORDING] = { "recording-on", { PERSON } },
  [MINUTES_RECORDED] = { "recording-off", { PERSON } },
  [MINUTES_CONSENTED] = { "consented", { PERSON } },
  [MINUTES_REFUSED] = { "refused", { PERSON } },
  [MINUTES_CHAT] = { "chat", { PERSON, &field_text } },
  [MINUTES_NOTE] = { "note", { &field_text } },
  [MINUTES_FILE] = { "file", { &field_text, &field_size, &field_hash } },
  [MINUTES_END] = { "end", { NULL } },
};

struct MinutesWriter
{
  const Identity *identity;
  MinutesSink sink;
  void *data;
  uint64_t lines, missing;
  bool ended;
  char previous[HASH_TEXT + 1];
  char line[MINUTES_MAX_LINE];
};

const char *
minutes_event_name (MinutesEvent event)
{
  return event >= MINUTES_BEGIN && event <= MINUTES_END
             ? minutes_events[event].name
             : NULL;
}

const char *
minutes_result_text (MinutesResult result)
{
  switch (result) {
    case MINUTES_OK:
      return "is in order";
    case MINUTES_NONE:
      return "does not begin minutes: this file is something else, or its begin is missing";
    case MINUTES_OTHER_VERSION:
      return "begins minutes of a later version: read them with a later version of this program";
    case MINUTES_OTHER_SIGNER:
      return "names another signer than the one that was asked for";
    case MINUTES_MALFORMED:
      return "is not as minutes are written: it was changed, or cut when the machine went down";
    case MINUTES_BROKEN:
      return "does not follow from the line before it: that one was changed, or lines between them were taken out or moved";
    case MINUTES_FORGED:
      return "was changed: its signature is not the signer's";
    case MINUTES_BEHIND_END:
      return "stands behind the end";
    case MINUTES_CUT:
      return "is the last, but no end: what came after it is missing, or the keeper of the minutes crashed";
    case MINUTES_FAILED:
      return "cannot be processed: memory is short";
  }
  return "cannot be processed";
}

/* --- Entries --- */

size_t
minutes_utf8_len (const uint8_t *p, size_t left)
{
  uint8_t low = 0x80, high = 0xbf;
  size_t len;

  if (left == 0)
    return 0;
  if (p[0] < 0x80)
    return 1;
  if (p[0] < 0xc2 || p[0] > 0xf4)
    return 0;
  len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
  if (len > left)
    return 0;
  if (p[0] == 0xe0)
    low = 0xa0;
  if (p[0] == 0xed)
    high = 0x9f;
  if (p[0] == 0xf0)
    low = 0x90;
  if (p[0] == 0xf4)
    high = 0x8f;
  if (p[1] < low || p[1] > high)
    return 0;
  for (size_t i = 2; i < len; i++)
    if (p[i] < 0x80 || p[i] > 0xbf)
      return 0;
  return len;
}

/* As much of `text` as fits in `max` bytes and a NUL, without a piece of a character. */
static void
copy_text (char *to, size_t max, const char *text)
{
  size_t len = strlen (text);

  if (len > max) {
    len = max;
    while (len > 0 && ((uint8_t) text[len] & 0xc0) == 0x80)
      len--;
  }
  memcpy (to, text, len);
  to[len] = '\0';
}

void
minutes_entry (MinutesEntry *entry, MinutesEvent event, int64_t time,
    const char *name, const uint8_t *key)
{
  *entry = (MinutesEntry){ .event = event, .time = time };
  if (name)
    copy_text (entry->name, MINUTES_MAX_NAME, name);
  if (name && key)
    identity_fingerprint (key, entry->fingerprint);
}

void
minutes_entry_text (MinutesEntry *entry, const char *text)
{
  copy_text (entry->text, MINUTES_MAX_TEXT, text);
}

/* --- Times: proleptic Gregorian calendar, UTC --- */

static bool
is_leap (int64_t year)
{
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int64_t
minutes_days_of_month (int64_t year, int64_t month)
{
  static const int64_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
    31 };
  return days[month - 1] + (month == 2 && is_leap (year));
}

int64_t
minutes_days_before (int64_t year)
{
  int64_t y = year - 1;
  return 365 * (year - 1970) + (y / 4 - y / 100 + y / 400)
         - (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static void
write_digits (Writer *w, int64_t value, size_t digits)
{
  uint8_t *p = writer_take (w, digits);
  for (size_t i = digits; p && i > 0; i--, value /= 10)
    p[i - 1] = (uint8_t) ('0' + value % 10);
}

static void
write_literal (Writer *w, const char *text)
{
  writer_bytes (w, text, strlen (text));
}

/* "2026-11-24T09:00:00.000Z" */
static void
write_time (Writer *w, int64_t time)
{
  int64_t days = time / DAY, rest = time % DAY, year = 1970 + days / 366,
          month = 1;

  while (minutes_days_before (year + 1) <= days)
    year++;
  days -= minutes_days_before (year);
  for (; days >= minutes_days_of_month (year, month); month++)
    days -= minutes_days_of_month (year, month);
  write_digits (w, year, 4);
  write_literal (w, "-");
  write_digits (w, month, 2);
  write_literal (w, "-");
  write_digits (w, days + 1, 2);
  write_literal (w, "T");
  write_digits (w, rest / 3600000, 2);
  write_literal (w, ":");
  write_digits (w, rest / 60000 % 60, 2);
  write_literal (w, ":");
  write_digits (w, rest / 1000 % 60, 2);
  write_literal (w, ".");
  write_digits (w, rest % 1000, 3);
  write_literal (w, "Z");
}

/* --- Writing --- */

static void
write_number (Writer *w, uint64_t value)
{
  uint8_t digits[20];
  size_t n = sizeof digits;

  do {
    digits[--n] = (uint8_t) ('0' + value % 10);
    value /= 10;
  } while (value > 0);
  writer_bytes (w, digits + n, sizeof digits - n);
}

/* A JSON string (RFC 8259, 7): quotation mark, backslash and control characters escaped, each in one way; the rest as it is. */
static void
write_text (Writer *w, const char *text)
{
  static const char hex[] = "0123456789abcdef";
  const uint8_t *p = (const uint8_t *) text;
  size_t left = strlen (text), len;

  write_literal (w, "\"");
  for (; left > 0; p += len, left -= len) {
    len = minutes_utf8_len (p, left);
    if (len == 0) {
      w->failed = true;
      return;
    }
    if (*p == '"' || *p == '\\') {
      write_literal (w, "\\");
      writer_bytes (w, p, 1);
    } else if (*p < 0x20 || *p == 0x7f) {
      char escape[] = "\\u0000";
      escape[4] = hex[*p >> 4];
      escape[5] = hex[*p & 15];
      write_literal (w, escape);
    } else {
      writer_bytes (w, p, len);
    }
  }
  write_literal (w, "\"");
}

static void
write_base64 (Writer *w, const uint8_t *bytes, size_t len)
{
  char text[SIGNATURE_TEXT + 1];
  sodium_bin2base64 (
      text, sizeof text, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  write_literal (w, text);
}

bool
minutes_is_token (const char *text)
{
  return *text
         && strspn (text, "abcdefghijklmnopqrstuvwxyz-") == strlen (text);
}

bool
minutes_is_link (const char *text)
{
  Link link;
  char again[LINK_SIZE];

  return link_parse (text, strlen (text), &link) == LINK_OK
         && link_format (&link, again) && strcmp (again, text) == 0;
}

static void
write_field (Writer *w, const Field *field, const MinutesEntry *entry)
{
  const char *at = (const char *) entry + field->offset;
  uint64_t number;

  write_literal (w, ",\"");
  write_literal (w, field->name);
  write_literal (w, "\":");
  switch (field->kind) {
    case FIELD_TOKEN:
      w->failed |= !minutes_is_token (at);
      write_text (w, at);
      break;
    case FIELD_LINK:
      w->failed |= !minutes_is_link (at);
      write_text (w, at);
      break;
    case FIELD_TEXT:
      write_text (w, at);
      break;
    case FIELD_NUMBER:
      memcpy (&number, at, sizeof number);
      w->failed |= number > MAX_NUMBER;
      write_number (w, number);
      break;
    case FIELD_FLAG:
      write_literal (w, *(const bool *) at ? "true" : "false");
      break;
    case FIELD_BYTES:
      write_literal (w, "\"");
      write_base64 (w, (const uint8_t *) at, 32);
      write_literal (w, "\"");
      break;
  }
}

/* All up to the hash of the line before. */
static void
write_entry (
    Writer *w, const MinutesEntry *entry, uint64_t n, uint64_t missing)
{
  write_literal (w, "{\"n\":");
  write_number (w, n);
  write_literal (w, ",\"time\":\"");
  write_time (w, entry->time);
  write_literal (w, "\",\"event\":\"");
  write_literal (w, minutes_events[entry->event].name);
  write_literal (w, "\"");
  if (entry->event == MINUTES_BEGIN) {
    write_literal (w, ",\"minutes\":");
    write_number (w, MINUTES_VERSION);
  }
  for (size_t i = 0; i < 5 && minutes_events[entry->event].fields[i]; i++)
    write_field (w, minutes_events[entry->event].fields[i], entry);
  if (missing > 0) {
    write_literal (w, ",\"missing\":");
    write_number (w, missing);
  }
}

void
minutes_hash_line (char *text, const char *line, size_t len)
{
  uint8_t hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256 (hash, (const uint8_t *) line, len);
  sodium_bin2hex (text, HASH_TEXT + 1, hash, sizeof hash);
}

HashPart
minutes_signed_part (uint8_t *hash, const char *line, size_t len)
{
  crypto_hash_sha256 (hash, (const uint8_t *) line, len);
  return (HashPart){ hash, crypto_hash_sha256_BYTES };
}

MinutesWriter *
minutes_writer_new (const Identity *identity, MinutesSink sink, void *data)
{
  MinutesWriter *writer = calloc (1, sizeof *writer);
  if (!writer)
    return NULL;
  writer->identity = identity;
  writer->sink = sink;
  writer->data = data;
  memset (writer->previous, '0', HASH_TEXT);
  return writer;
}

void
minutes_writer_free (MinutesWriter *writer)
{
  free (writer);
}

bool
minutes_write (MinutesWriter *writer, const MinutesEntry *entry)
{
  Writer w = writer_init (writer->line, sizeof writer->line - 1);
  uint8_t hash[crypto_hash_sha256_BYTES], sig[IDENTITY_SIG_LEN];
  MinutesEntry first;

  if (!minutes_event_name (entry->event) || writer->ended || entry->time < 0
      || entry->time > LAST_TIME
      || (entry->event == MINUTES_BEGIN) != (writer->lines == 0))
    return false;
  if (entry->event == MINUTES_BEGIN) {
    first = *entry;
    memcpy (first.signer, identity_public_key (writer->identity),
        IDENTITY_KEY_LEN);
    entry = &first;
  }
  write_entry (&w, entry, writer->lines + 1, writer->missing);
  write_literal (&w, PREVIOUS);
  write_literal (&w, writer->previous);
  if (w.failed)
    return false;
  HashPart part = minutes_signed_part (hash, writer->line, writer_len (&w));
  if (!identity_sign (writer->identity, LABEL, &part, 1, sig))
    return false;
  write_literal (&w, SIGNATURE);
  write_base64 (&w, sig, sizeof sig);
  write_literal (&w, "\"}");
  if (w.failed)
    return false;
  size_t len = writer_len (&w);
  writer->line[len] = '\n';
  if (!writer->sink (writer->data, writer->line, len + 1)) {
    writer->missing++;
    return false;
  }
  minutes_hash_line (writer->previous, writer->line, len);
  writer->missing = 0;
  writer->lines++;
  writer->ended = entry->event == MINUTES_END;
  return true;
}

uint64_t
minutes_writer_lines (const MinutesWriter *writer)
{
  return writer->lines;
}

/* The minutes of a meeting: who was there and what happened, signed by whom kept them. docs/guide/minutes.md.
 *
 * JSON lines that are only ever appended. Each has the SHA-256 of the line before it (of its bytes, without the line feed; 64
 * zeros in the first) and an Ed25519 signature over itself, so that whoever knows the signer's fingerprint sees every
 * change, every line that was taken out, put in or moved, and whether the end is there:
 *
 *     {"n":3,"time":"2026-11-24T09:00:00.000Z","event":"joined","name":"Alice","fingerprint":"6D…","role":"participant",
 *      "admin":false,"previous":"5f…","signature":"x1…"}
 *
 * Pure code: no file, clock or thread; times are arguments, lines go to a callback. One thread at a time for each writer
 * and reader. core_init() first.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ext/sodium/door.h"
#include "ext/sodium/identity.h"
#include "ext/sodium/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MINUTES_VERSION 1
#define MINUTES_MAX_NAME 64 /* bytes of a name, as in conclave/1 */
#define MINUTES_MAX_TEXT                                                      \
  4096 /* bytes of a chat message, a note, a file's name */
#define MINUTES_MAX_ROLE 16    /* lower-case letters and '-' */
#define MINUTES_MAX_LINE 32768 /* with its line feed */
#define MINUTES_HASH_LEN 32

typedef enum
{
  MINUTES_BEGIN =
      1, /* always first, and only there: name, signer, link, group */
  MINUTES_KNOCKED,  /* name, fingerprint */
  MINUTES_ADMITTED, /* name, fingerprint */
  MINUTES_DENIED,   /* name, fingerprint */
  MINUTES_JOINED,   /* name, fingerprint, role, admin */
  MINUTES_LEFT,     /* name, fingerprint */
  MINUTES_REMOVED,  /* name, fingerprint */
  MINUTES_EPOCH, /* epoch, code: who was there is known from the lines before */
  MINUTES_LOCKED,    /* nobody else is let in */
  MINUTES_UNLOCKED,  /* again */
  MINUTES_RECORDING, /* on: name, fingerprint of the recorder */
  MINUTES_RECORDED,  /* off: name, fingerprint of the recorder */
  MINUTES_CONSENTED, /* name, fingerprint */
  MINUTES_REFUSED,   /* to be recorded: name, fingerprint */
  MINUTES_CHAT,      /* name, fingerprint, text */
  MINUTES_NOTE, /* text: what the keeper noticed, such as a lost connection */
  MINUTES_FILE, /* text: a recording's file name; size, hash */
  MINUTES_END   /* always last */
} MinutesEvent;

/* The event's name in a line, "joined"; NULL for a number that is none. */
const char *minutes_event_name (MinutesEvent event);

/* One line. Which fields count is told above; texts are UTF-8 without NUL inside, and end with one. */
typedef struct
{
  MinutesEvent event;
  int64_t time; /* ms since 1970, UTC, from 1970 to 9999 */
  char name[MINUTES_MAX_NAME + 1];
  uint8_t fingerprint[IDENTITY_FINGERPRINT_LEN];
  char role[MINUTES_MAX_ROLE + 1];
  bool admin;
  uint64_t epoch;
  char code[SECURITY_CODE_SIZE];
  char text[MINUTES_MAX_TEXT + 1];
  uint64_t size;
  uint8_t hash[MINUTES_HASH_LEN]; /* SHA-256 */
  /* MINUTES_BEGIN; a writer fills in the signer */
  uint8_t signer[IDENTITY_KEY_LEN]; /* the public key */
  char link[LINK_SIZE];
  uint8_t group[DOOR_GROUP_ID_LEN];
  /* A reader tells them; a writer counts itself */
  uint64_t n; /* of the line, from 1 */
  uint64_t
      missing; /* lines before it that could not be written at their time */
} MinutesEntry;

/* Sets event, time, and where `name` is not NULL name (cut at a character if it is too long) and fingerprint of `key`, an
 * identity's public key; the rest is 0. */
void minutes_entry (MinutesEntry *entry, MinutesEvent event, int64_t time,
    const char *name, const uint8_t *key);

/* Sets the text, cut at a character if it is too long. */
void minutes_entry_text (MinutesEntry *entry, const char *text);

/* --- Writing --- */

typedef struct MinutesWriter MinutesWriter;

/* Takes a whole line, with its line feed; to be appended as it is, or not at all. False when it could not be. */
typedef bool (*MinutesSink) (void *data, const char *line, size_t len);

/* Minutes that `identity`, which must outlive the writer, signs. NULL when memory is short. */
MinutesWriter *minutes_writer_new (
    const Identity *identity, MinutesSink sink, void *data);
void minutes_writer_free (MinutesWriter *writer);

/* Writes one line. False when the sink failed: the next line that can be written tells how many are missing. Also false, with
 * nothing counted as missing, when the entry cannot stand in minutes: not MINUTES_BEGIN first or again, something behind
 * MINUTES_END, text that is not UTF-8, a link that is none. */
bool minutes_write (MinutesWriter *writer, const MinutesEntry *entry);

/* Lines that were written. */
uint64_t minutes_writer_lines (const MinutesWriter *writer);

/* --- Reading --- */

typedef enum
{
  MINUTES_OK,
  MINUTES_NONE,          /* the first line does not begin minutes */
  MINUTES_OTHER_VERSION, /* of a later version */
  MINUTES_OTHER_SIGNER,  /* signed by another than was asked for */
  MINUTES_MALFORMED,     /* not as minutes are written, or cut in the middle */
  MINUTES_BROKEN,        /* does not follow from the line before it */
  MINUTES_FORGED,        /* the signature is not the signer's */
  MINUTES_BEHIND_END,    /* a line behind the end */
  MINUTES_CUT,           /* all is in order, but the end is not there */
  MINUTES_FAILED         /* memory is short */
} MinutesResult;

/* Half a sentence that goes behind "line 7 ". */
const char *minutes_result_text (MinutesResult result);

typedef struct MinutesReader MinutesReader;

/* `signer`: the fingerprint (IDENTITY_FINGERPRINT_LEN bytes) of whom it must be; NULL takes whoever the first line names: then
 * compare minutes_reader_signer() with what you know. NULL when memory is short. */
MinutesReader *minutes_reader_new (const uint8_t *signer);
void minutes_reader_free (MinutesReader *reader);

/* Takes the next line, without its line feed. `out` is written only with MINUTES_OK. What it once refused stays refused: nothing
 * behind a line that is not in order can be. */
MinutesResult minutes_reader_line (
    MinutesReader *reader, const char *line, size_t len, MinutesEntry *out);

/* There are no more lines. MINUTES_OK only when all was in order and the end is there. */
MinutesResult minutes_reader_end (MinutesReader *reader);

/* The fingerprint of whom it is signed by; NULL before the first line. */
const uint8_t *minutes_reader_signer (const MinutesReader *reader);

/* Lines that were in order. */
uint64_t minutes_reader_lines (const MinutesReader *reader);

/* The form of lines, which writer and reader share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "minutes.h"

#include <sodium.h>

#define LABEL "conclave/1 minutes"
#define PREVIOUS ",\"previous\":\""
#define SIGNATURE "\",\"signature\":\""
#define HASH_TEXT 64
#define SIGNATURE_TEXT 86
#define MAX_NUMBER                                                            \
  ((UINT64_C (1) << 53) - 1) /* what every reader of JSON has exactly */
#define DAY INT64_C (86400000)
#define LAST_TIME INT64_C (253402300799999) /* 9999-12-31T23:59:59.999Z */

typedef enum
{
  FIELD_TEXT,
  FIELD_TOKEN, /* a text of lower-case letters and '-' */
  FIELD_LINK,  /* as link_format() writes it */
  FIELD_NUMBER,
  FIELD_FLAG,
  FIELD_BYTES /* 32 bytes, base64url */
} FieldKind;

typedef struct
{
  const char *name;
  FieldKind kind;
  size_t offset, max; /* of texts, bytes without the NUL */
} Field;

typedef struct
{
  const char *name;
  const Field *fields[5]; /* up to NULL, in this order */
} EventForm;

/* By MinutesEvent */
extern const EventForm minutes_events[];

/* Bytes of the UTF-8 character (RFC 3629) at `p` of at most `left`; 0 when there is none. */
size_t minutes_utf8_len (const uint8_t *p, size_t left);

int64_t minutes_days_of_month (int64_t year, int64_t month);

/* Days from 1970-01-01 to the first of January of a year from 1970 on. */
int64_t minutes_days_before (int64_t year);

bool minutes_is_token (const char *text);

/* False for what link_format() would write differently: a link with a user or a password in it is none at all. */
bool minutes_is_link (const char *text);

/* SHA-256 as text, HASH_TEXT characters and a NUL. */
void minutes_hash_line (char *text, const char *line, size_t len);

/* What is signed: the hash of the line up to its signature, which has the number and, by the hash before it, all lines so far.
 * `hash` holds it as long as the part is used. */
HashPart minutes_signed_part (uint8_t *hash, const char *line, size_t len);

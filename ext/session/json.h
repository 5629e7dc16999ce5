/* JSON objects from the network as C structs, by tables of fields.
 *
 * json-glib reads; what it lets through is refused before it sees it: nesting deeper than LIMIT_NESTING (it
 * recurses), anything but one object from the first byte to the last, invalid UTF-8, \u0000, numbers of more digits than
 * any field has. Fields that no table names are ignored. A name that comes twice counts the last time.
 *
 * Byte strings are base64url without padding (RFC 4648, 5), in the one way that they can be written; numbers are whole, not
 * negative, and at most 2^53 - 1, which every reader of JSON has exactly.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "limits.h"

#include <glib.h>

/* Bytes that their holder frees. */
typedef struct
{
  uint8_t *data; /* NULL: absent */
  size_t len;
} Blob;

Blob blob_copy (const void *data, size_t len);
void blob_clear (Blob *blob);

/* Lists, owned: `at` is freed with the message. */
typedef struct
{
  size_t count;
  uint32_t *at;
} NumberList;

typedef struct
{
  size_t count;
  uint8_t (*at)[IDENTITY_KEY_LEN];
} KeyList;

typedef struct
{
  size_t count;
  char **at;
} TextList;

/* A media stream at the hub. */
typedef struct
{
  uint32_t ssrc;
  uint32_t rtx; /* the SSRC of its retransmissions; 0 for none */
  uint32_t roc; /* the rollover counter (RFC 3711, 3.3.1) to begin with */
} Stream;

typedef struct
{
  size_t count;
  Stream *at;
} StreamList;

typedef enum
{
  FIELD_NUMBER,  /* uint64_t; min to max */
  FIELD_FLAG,    /* bool */
  FIELD_TEXT,    /* char *, NUL-terminated; min to max bytes */
  FIELD_BYTES,   /* uint8_t[max], exactly so many */
  FIELD_BLOB,    /* Blob; min to max bytes */
  FIELD_NAME,    /* int, one of `names`, counted from 1 */
  FIELD_NUMBERS, /* NumberList; min to max of them, each of 32 bits */
  FIELD_KEYS,    /* KeyList */
  FIELD_TEXTS,   /* TextList, each of 1 to 512 bytes */
  FIELD_STREAMS  /* StreamList */
} FieldKind;

typedef struct
{
  const char *name;
  FieldKind kind;
  size_t offset; /* of the value in the message */
  uint64_t min, max;
  bool optional; /* absent: 0, NULL, an empty list. Not for FIELD_BYTES */
  const char *const *names; /* FIELD_NAME; ends with NULL */
} Field;

/* One type of message. */
typedef struct
{
  const char *type; /* the value of "type" */
  int number;       /* what the message's enum calls it */
  unsigned from;    /* who may say it: bits, of the caller's meaning */
  const Field *fields;
  size_t n_fields;
} Shape;

typedef enum
{
  JSON_OK,
  JSON_MALFORMED, /* not an object as above, or a field that is missing, of another kind, or out of its bounds */
  JSON_UNKNOWN_TYPE, /* an object whose type is in none of the shapes for this sender */
} JsonResult;

/* True when `text` may be given to a parser: see above. */
bool json_scan (const char *text, size_t len);

/* Reads `text` into `message`, zeroed before, by the shape among `shapes` whose type it has and which `from`, one bit, may
 * say; `type` gets its number. Anything but JSON_OK leaves nothing to be freed in `message`. */
JsonResult json_read (const char *text, size_t len, const Shape *shapes,
    size_t n_shapes, unsigned from, void *message, int *type);

/* The object that json_read() reads as `message`, freed with g_free(); NULL when a field is out of its bounds. `len` gets
 * its length. Absent optional fields are left out. */
char *json_write (const Shape *shapes, size_t n_shapes, unsigned from,
    int type, const void *message, size_t *len);

/* Frees what json_read(), or the caller with GLib, put into `message`. */
void json_clear (const Shape *shapes, size_t n_shapes, unsigned from, int type,
    void *message);

/* base64url without padding, as fields have it. The text is freed with g_free(); reading gives false for anything but the
 * one text of some bytes, 0 to `max` of them. */
char *b64_write (const void *data, size_t len);
bool b64_read (const char *text, size_t len, size_t max, Blob *out);

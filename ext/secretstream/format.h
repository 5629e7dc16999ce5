/* The format of encrypted files, version 1: docs/protocol/secretstream.md. Pure code: bytes in, bytes out, no file, thread
 * or clock. Random bytes are libsodium's.
 *
 *     header | segment | segment ... | index | trailer
 *
 * A segment is up to SECRETSTREAM_SEGMENT chunks under a key of its own: crypto_secretstream_xchacha20poly1305 from its
 * start, so that a reader can begin at each. The chunks may have any length up to the chunk size. The last one has the tag
 * FINAL; the index behind it says where the segments begin.
 *
 * core_init() first. One thread at a time for each writer and reader.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ext/sodium/identity.h"
#include "ext/sodium/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRETSTREAM_FILE_ID_LEN 32
#define SECRETSTREAM_MIN_KEY 32 /* ours: bytes of a key from outside */
#define SECRETSTREAM_MIN_CHUNK 4096u
#define SECRETSTREAM_MAX_CHUNK (1u << 20)
#define SECRETSTREAM_SEGMENT 16u /* chunks in each segment but the last */
#define SECRETSTREAM_MAX_SEGMENTS (1u << 20)
#define SECRETSTREAM_MAX_RECIPIENTS 64
#define SECRETSTREAM_MAX_RECIPIENTS_TEXT 65536 /* ours: bytes of a list */

/* Sizes in bytes */
#define SECRETSTREAM_FIXED_HEADER 48u /* up to the recipients */
#define SECRETSTREAM_SEALED 80u       /* the key, sealed to one recipient */
#define SECRETSTREAM_CHECK 32u
#define SECRETSTREAM_MAX_HEADER                                               \
  (SECRETSTREAM_FIXED_HEADER                                                  \
      + SECRETSTREAM_MAX_RECIPIENTS * SECRETSTREAM_SEALED                     \
      + SECRETSTREAM_CHECK)
#define SECRETSTREAM_SEGMENT_HEAD 24u
#define SECRETSTREAM_CHUNK_OVERHEAD 21u /* length, tag, MAC */
#define SECRETSTREAM_INDEX_OVERHEAD                                           \
  (SECRETSTREAM_SEGMENT_HEAD + SECRETSTREAM_CHUNK_OVERHEAD + 16)
#define SECRETSTREAM_TRAILER 16u

typedef enum
{
  SECRETSTREAM_OK,
  SECRETSTREAM_NOT_ONE,       /* does not begin as such a file does */
  SECRETSTREAM_OTHER_VERSION, /* of a later version */
  SECRETSTREAM_BAD_HEADER,    /* says what it may not say */
  SECRETSTREAM_NEEDS_KEY,     /* made with a key, and there is none */
  SECRETSTREAM_NEEDS_IDENTITY, /* made for recipients, and there is no identity */
  SECRETSTREAM_NOT_FOR_US,     /* sealed to others */
  SECRETSTREAM_WRONG_KEY,      /* or a changed header */
  SECRETSTREAM_DAMAGED,        /* a chunk is not authentic */
  SECRETSTREAM_CUT,            /* it ends before its end */
  SECRETSTREAM_TRAILING,       /* bytes behind its end */
  SECRETSTREAM_BAD_INDEX, /* all chunks are authentic, what follows is not */
  SECRETSTREAM_FULL,      /* SECRETSTREAM_MAX_SEGMENTS */
  SECRETSTREAM_FAILED     /* memory is short, or misuse */
} SecretstreamResult;

/* Half a sentence for a person that goes behind "the file ": "was cut off". */
const char *secretstream_result_text (SecretstreamResult result);

/* --- Recipients --- */

/* Public identity keys (Ed25519) that a file is sealed to. */
typedef struct
{
  size_t count;
  uint8_t keys[SECRETSTREAM_MAX_RECIPIENTS][IDENTITY_KEY_LEN];
} SecretstreamRecipients;

typedef enum
{
  RECIPIENTS_OK,
  RECIPIENTS_NONE, /* the list is empty */
  RECIPIENTS_TOO_MANY,
  RECIPIENTS_BAD_LINE,
  RECIPIENTS_PRIVATE_KEY, /* which has no place there */
  RECIPIENTS_BAD_KEY      /* not Ed25519, or a point that seals nothing */
} RecipientsResult;

/* Reads a list: PEM blocks "PUBLIC KEY" (RFC 8410, as `openssl pkey -pubout` writes them), lines with a key in hexadecimal or
 * base64 (each with or without a name behind white space), empty lines, and comments that begin with '#'. Anything else
 * is refused, with the number of its line from 1 in `line`: a recipient who is silently left out could not read. A key
 * that stands there twice counts once. */
RecipientsResult secretstream_recipients_parse (
    const char *text, size_t len, SecretstreamRecipients *out, size_t *line);

const char *secretstream_recipients_text (RecipientsResult result);

/* --- Writing --- */

typedef struct SecretstreamWriter SecretstreamWriter;

/* A new file with a fresh identifier. Just one of `key` (at least SECRETSTREAM_MIN_KEY bytes) and `recipients` is not
 * NULL; neither is kept. For recipients a random key is made that nobody else ever sees. NULL when memory is short or an
 * argument is out of its range. */
SecretstreamWriter *secretstream_writer_new (Secret *key,
    const SecretstreamRecipients *recipients, uint32_t chunk_size);

/* Wipes. Takes NULL. */
void secretstream_writer_free (SecretstreamWriter *writer);

/* The file's first bytes; `len` gets how many. Valid as long as the writer. */
const uint8_t *secretstream_writer_header (
    const SecretstreamWriter *writer, size_t *len);

/* SECRETSTREAM_FILE_ID_LEN public bytes that no other file has. */
const uint8_t *secretstream_writer_id (const SecretstreamWriter *writer);

/* Takes as much of `bytes` as the open chunk has room for; gives how much. */
size_t secretstream_writer_put (
    SecretstreamWriter *writer, const void *bytes, size_t len);

/* Bytes in the open chunk, and whether it is full. */
size_t secretstream_writer_pending (const SecretstreamWriter *writer);
bool secretstream_writer_is_full (const SecretstreamWriter *writer);

/* What secretstream_writer_close() writes: to be asked before it. 0 for an empty chunk, which is none. */
size_t secretstream_writer_close_size (const SecretstreamWriter *writer);

/* Closes the open chunk: its bytes in the file to `out`. SECRETSTREAM_FULL: no further segment fits in the index; finish. */
SecretstreamResult secretstream_writer_close (
    SecretstreamWriter *writer, uint8_t *out);

/* The same for the end: what is open as the last chunk, the index, the trailer. Nothing may follow. */
size_t secretstream_writer_finish_size (const SecretstreamWriter *writer);
SecretstreamResult secretstream_writer_finish (
    SecretstreamWriter *writer, uint8_t *out);

/* Chunks closed, and plain bytes in them. */
uint64_t secretstream_writer_chunks (const SecretstreamWriter *writer);
uint64_t secretstream_writer_bytes (const SecretstreamWriter *writer);

/* --- Reading --- */

typedef struct SecretstreamReader SecretstreamReader;

/* For one file. `key` or `identity`, or both, or neither may be NULL; the key is referenced, the identity must outlive the
 * reader. NULL when memory is short. */
SecretstreamReader *secretstream_reader_new (
    Secret *key, const Identity *identity);

/* Wipes. Takes NULL. */
void secretstream_reader_free (SecretstreamReader *reader);

/* How many bytes it takes next, from secretstream_reader_position() in the file on; 0 when the file is read to its end. At most
 * SECRETSTREAM_MAX_CHUNK and a few, or the index, whose size is known from what was read. */
size_t secretstream_reader_wants (const SecretstreamReader *reader);

/* How many plain bytes the next secretstream_reader_take() gives: the chunk's length, or 0. */
size_t secretstream_reader_gives (const SecretstreamReader *reader);

/* Takes secretstream_reader_wants() bytes. `out` has room for secretstream_reader_gives(), and is written to only when those
 * are authentic. What it once refused stays refused. */
SecretstreamResult secretstream_reader_take (
    SecretstreamReader *reader, const uint8_t *bytes, uint8_t *out);

/* The file ends, `left` bytes behind secretstream_reader_position(): SECRETSTREAM_OK only when nothing is missing or too much. */
SecretstreamResult secretstream_reader_end (
    SecretstreamReader *reader, size_t left);

/* Where it stands: offset in the file of the bytes it takes next. */
uint64_t secretstream_reader_position (const SecretstreamReader *reader);

/* What it is at: the number of the chunk (from 0), the offset of that chunk's plain bytes, and where in the file it begins.
 * After a refusal that is what was refused. */
uint64_t secretstream_reader_place (const SecretstreamReader *reader);
uint64_t secretstream_reader_chunk (const SecretstreamReader *reader);
uint64_t secretstream_reader_offset (const SecretstreamReader *reader);

/* True when the header was read and the key fits. Then the rest of this: */
bool secretstream_reader_is_open (const SecretstreamReader *reader);
const uint8_t *secretstream_reader_id (const SecretstreamReader *reader);
uint32_t secretstream_reader_chunk_size (const SecretstreamReader *reader);
unsigned secretstream_reader_recipients (const SecretstreamReader *reader);

/* --- Reading from anywhere --- */

/* Finds the index from the last SECRETSTREAM_TRAILER bytes of a file of `file_size` bytes: its place and length. */
bool secretstream_reader_find_index (const SecretstreamReader *reader,
    const uint8_t *trailer, uint64_t file_size, uint64_t *offset, size_t *len);

/* Takes the index from there, right behind the header. SECRETSTREAM_BAD_INDEX leaves the reader as it was. */
SecretstreamResult secretstream_reader_load_index (SecretstreamReader *reader,
    uint64_t offset, const uint8_t *bytes, size_t len);

/* Takes what was read so far for the whole file: after a refusal, for the good part of a file that was cut. */
void secretstream_reader_settle (SecretstreamReader *reader);

/* Plain bytes in all; known after one of these two, and at the end. */
bool secretstream_reader_size (
    const SecretstreamReader *reader, uint64_t *size);

/* Goes to the start of the segment that has the plain byte `offset`, which must be below the size; on from there by
 * secretstream_reader_take(). False when the size is not known or the offset is beyond. */
bool secretstream_reader_seek (SecretstreamReader *reader, uint64_t offset);

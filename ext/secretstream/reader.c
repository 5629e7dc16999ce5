/* Reading an encrypted file: docs/protocol/secretstream.md.
 *
 * Nothing is handed out, and nothing remembered, of bytes that were not authentic. Lengths from the file are bounded by
 * what the header allows, and the header's by constants.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "private.h"

#include "ext/sodium/reader.h"

#include <stdlib.h>
#include <string.h>

/* What is read next */
typedef enum
{
  AT_FIXED_HEADER,
  AT_REST_OF_HEADER,
  AT_SEGMENT, /* its head, and its first chunk's length */
  AT_LENGTH,
  AT_CHUNK,
  AT_INDEX_HEAD,
  AT_INDEX,
  AT_TRAILER,
  AT_END
} Step;

struct SecretstreamReader
{
  Secret *key; /* or NULL */
  const Identity *identity;
  Secret *secret; /* FileKeys */
  Step step;
  SecretstreamResult refused; /* or SECRETSTREAM_OK */
  uint64_t position, place, chunk, offset;
  uint8_t header[SECRETSTREAM_MAX_HEADER];
  size_t header_len; /* without the check until that is read */
  uint32_t chunk_size;
  unsigned recipients;
  FileKind kind;
  bool open;
  size_t len;           /* of the chunk, or the index, that is read next */
  SegmentStarts starts; /* as read, or from the index */
  /* From the index, or what was settled for */
  bool known, complete;
  uint64_t total_chunks, total_bytes;
};

static FileKeys *
keys_of (const SecretstreamReader *reader)
{
  return (FileKeys *) (void *) secret_bytes (reader->secret);
}

SecretstreamReader *
secretstream_reader_new (Secret *key, const Identity *identity)
{
  SecretstreamReader *reader = calloc (1, sizeof *reader);
  if (!reader)
    return NULL;
  reader->secret = secret_new (sizeof (FileKeys));
  if (!reader->secret) {
    free (reader);
    return NULL;
  }
  reader->key = secret_ref (key);
  reader->identity = identity;
  return reader;
}

void
secretstream_reader_free (SecretstreamReader *reader)
{
  if (!reader)
    return;
  secret_unref (reader->key);
  secret_unref (reader->secret);
  free (reader->starts.starts);
  free (reader);
}

size_t
secretstream_reader_wants (const SecretstreamReader *reader)
{
  switch (reader->step) {
    case AT_FIXED_HEADER:
      return SECRETSTREAM_FIXED_HEADER;
    case AT_REST_OF_HEADER:
      return reader->recipients * SECRETSTREAM_SEALED + SECRETSTREAM_CHECK;
    case AT_SEGMENT:
    case AT_INDEX_HEAD:
      return SECRETSTREAM_SEGMENT_HEAD + LENGTH_LEN;
    case AT_LENGTH:
      return LENGTH_LEN;
    case AT_CHUNK:
    case AT_INDEX:
      return reader->len + ABYTES;
    case AT_TRAILER:
      return SECRETSTREAM_TRAILER;
    case AT_END:
      return 0;
  }
  return 0;
}

size_t
secretstream_reader_gives (const SecretstreamReader *reader)
{
  return reader->step == AT_CHUNK ? reader->len : 0;
}

/* --- Header --- */

static SecretstreamResult
take_fixed_header (SecretstreamReader *reader, const uint8_t *bytes)
{
  Reader r = reader_init (bytes, SECRETSTREAM_FIXED_HEADER);
  const uint8_t *magic = reader_take (&r, MAGIC_LEN);
  uint64_t version = reader_uint (&r, 1), kind = reader_uint (&r, 1),
           recipients = reader_uint (&r, 2), chunk_size = reader_uint (&r, 4);

  if (!magic || memcmp (magic, MAGIC, MAGIC_LEN) != 0)
    return SECRETSTREAM_NOT_ONE;
  if (version > VERSION)
    return SECRETSTREAM_OTHER_VERSION;
  bool few =
      kind == KIND_KEY
          ? recipients == 0
          : recipients >= 1 && recipients <= SECRETSTREAM_MAX_RECIPIENTS;
  if (version != VERSION || kind > KIND_RECIPIENTS || !few
      || chunk_size < SECRETSTREAM_MIN_CHUNK
      || chunk_size > SECRETSTREAM_MAX_CHUNK)
    return SECRETSTREAM_BAD_HEADER;
  memcpy (reader->header, bytes, SECRETSTREAM_FIXED_HEADER);
  reader->header_len = SECRETSTREAM_FIXED_HEADER;
  reader->kind = (FileKind) kind;
  reader->recipients = (unsigned) recipients;
  reader->chunk_size = (uint32_t) chunk_size;
  reader->step = AT_REST_OF_HEADER;
  return SECRETSTREAM_OK;
}

/* True when `key` is the file's; `check` is what the file says. */
static bool
try_key (SecretstreamReader *reader, const uint8_t *check, const uint8_t *key,
    size_t len)
{
  uint8_t own[SECRETSTREAM_CHECK];

  file_keys_extract (
      keys_of (reader), reader->header, reader->header_len, key, len);
  file_keys_check (keys_of (reader), own);
  bool fits = sodium_memcmp (own, check, sizeof own) == 0;
  sodium_memzero (own, sizeof own);
  return fits;
}

/* Sealed boxes do not say for whom they are: all are tried. */
static SecretstreamResult
open_sealed (SecretstreamReader *reader, const uint8_t *check)
{
  struct
  {
    uint8_t secret[crypto_box_SECRETKEYBYTES], key[32];
  } own;
  uint8_t box[crypto_box_PUBLICKEYBYTES];
  SecretstreamResult result = SECRETSTREAM_NOT_FOR_US;

  if (!reader->identity)
    return SECRETSTREAM_NEEDS_IDENTITY;
  crypto_sign_ed25519_sk_to_curve25519 (
      own.secret, identity_secret_key (reader->identity));
  crypto_scalarmult_base (box, own.secret);
  Reader r = reader_init (reader->header + SECRETSTREAM_FIXED_HEADER,
      reader->recipients * SECRETSTREAM_SEALED);
  while (reader_left (&r) > 0 && result != SECRETSTREAM_OK) {
    const uint8_t *sealed = reader_take (&r, SECRETSTREAM_SEALED);
    if (crypto_box_seal_open (
            own.key, sealed, SECRETSTREAM_SEALED, box, own.secret)
        == 0)
      result = try_key (reader, check, own.key, sizeof own.key)
                   ? SECRETSTREAM_OK
                   : SECRETSTREAM_WRONG_KEY;
  }
  sodium_memzero (&own, sizeof own);
  return result;
}

static SecretstreamResult
take_rest_of_header (SecretstreamReader *reader, const uint8_t *bytes)
{
  size_t sealed = reader->recipients * SECRETSTREAM_SEALED;
  const uint8_t *check = bytes + sealed;
  SecretstreamResult result;

  memcpy (reader->header + SECRETSTREAM_FIXED_HEADER, bytes, sealed);
  reader->header_len = SECRETSTREAM_FIXED_HEADER + sealed;
  if (reader->kind == KIND_RECIPIENTS)
    result = open_sealed (reader, check);
  else if (!reader->key)
    result = SECRETSTREAM_NEEDS_KEY;
  else
    result = try_key (reader, check, secret_bytes (reader->key),
                 secret_len (reader->key))
                 ? SECRETSTREAM_OK
                 : SECRETSTREAM_WRONG_KEY;
  if (result != SECRETSTREAM_OK)
    return result;
  reader->header_len += SECRETSTREAM_CHECK;
  reader->open = true;
  reader->step = AT_SEGMENT;
  return SECRETSTREAM_OK;
}

/* --- Chunks --- */

static bool
begin_stream (FileKeys *keys, const uint8_t *head)
{
  bool ok = crypto_secretstream_xchacha20poly1305_init_pull (
                &keys->state, head, keys->key)
            == 0;
  sodium_memzero (keys->key, sizeof keys->key);
  return ok;
}

static bool
pull (FileKeys *keys, const uint8_t *sealed, size_t len, uint64_t first,
    uint64_t second, uint8_t *plain, uint8_t *tag)
{
  uint8_t ad[AD_LEN];

  write_ad (ad, first, second);
  return crypto_secretstream_xchacha20poly1305_pull (&keys->state, plain, NULL,
             tag, sealed, len + ABYTES, ad, sizeof ad)
         == 0;
}

/* A chunk without bytes is only ever the last: pull() says whether it is. */
static SecretstreamResult
take_length (SecretstreamReader *reader, Reader *r)
{
  uint64_t len = reader_uint (r, LENGTH_LEN);

  if (r->failed || len > reader->chunk_size)
    return SECRETSTREAM_DAMAGED;
  reader->len = (size_t) len;
  reader->step = AT_CHUNK;
  return SECRETSTREAM_OK;
}

static SecretstreamResult
take_segment (SecretstreamReader *reader, const uint8_t *bytes)
{
  Reader r = reader_init (bytes, SECRETSTREAM_SEGMENT_HEAD + LENGTH_LEN);
  const uint8_t *head = reader_take (&r, SECRETSTREAM_SEGMENT_HEAD);
  uint64_t segment = reader->chunk / SECRETSTREAM_SEGMENT;

  if (reader->known
      && (segment >= reader->starts.count
          || reader->starts.starts[segment] != reader->offset))
    return SECRETSTREAM_DAMAGED;
  file_keys_segment (keys_of (reader), segment);
  if (!begin_stream (keys_of (reader), head))
    return SECRETSTREAM_FAILED;
  return take_length (reader, &r);
}

static void
go_on (SecretstreamReader *reader, bool final)
{
  if (reader->known && reader->chunk == reader->total_chunks)
    reader->step = AT_END;
  else if (final)
    reader->step = AT_INDEX_HEAD;
  else
    reader->step =
        reader->chunk % SECRETSTREAM_SEGMENT == 0 ? AT_SEGMENT : AT_LENGTH;
}

static SecretstreamResult
take_chunk (SecretstreamReader *reader, const uint8_t *bytes, uint8_t *out)
{
  uint8_t tag, nothing[1];
  bool begins = reader->chunk % SECRETSTREAM_SEGMENT == 0;

  if (!pull (keys_of (reader), bytes, reader->len, reader->chunk,
          reader->offset, reader->len > 0 ? out : nothing, &tag))
    return SECRETSTREAM_DAMAGED;
  /* Authentic from here on: what follows holds for all that our writer makes, and a key's holder may have made others. */
  bool final = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
  if (!final
      && (tag != crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
          || reader->len == 0))
    return SECRETSTREAM_DAMAGED;
  if (reader->known
      && final
             != (reader->complete
                 && reader->chunk + 1 == reader->total_chunks))
    return SECRETSTREAM_DAMAGED;
  /* An index that promises more, or less, than there is */
  if (reader->known && reader->chunk + 1 == reader->total_chunks
      && reader->offset + reader->len != reader->total_bytes)
    return SECRETSTREAM_DAMAGED;
  if (begins && !reader->known
      && !segment_starts_add (&reader->starts, reader->offset))
    return reader->starts.count == SECRETSTREAM_MAX_SEGMENTS
               ? SECRETSTREAM_DAMAGED
               : SECRETSTREAM_FAILED;
  reader->chunk++;
  reader->offset += reader->len;
  go_on (reader, final);
  return SECRETSTREAM_OK;
}

/* --- Index --- */

/* What the index says, to `index`, which has room for `len` bytes. */
static bool
open_index (SecretstreamReader *reader, uint64_t place, const uint8_t *sealed,
    size_t len, uint8_t *index)
{
  uint8_t tag;
  return pull (keys_of (reader), sealed, len, place, 0, index, &tag)
         && tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
}

static SecretstreamResult
take_index_head (SecretstreamReader *reader, const uint8_t *bytes)
{
  Reader r = reader_init (bytes, SECRETSTREAM_SEGMENT_HEAD + LENGTH_LEN);
  const uint8_t *head = reader_take (&r, SECRETSTREAM_SEGMENT_HEAD);

  reader->len = 16 + 8 * reader->starts.count;
  file_keys_index (keys_of (reader));
  if (!begin_stream (keys_of (reader), head))
    return SECRETSTREAM_FAILED;
  if (reader_uint (&r, LENGTH_LEN) != reader->len)
    return SECRETSTREAM_BAD_INDEX;
  reader->step = AT_INDEX;
  return SECRETSTREAM_OK;
}

static SecretstreamResult
take_index (SecretstreamReader *reader, const uint8_t *bytes)
{
  uint8_t *index = malloc (reader->len);
  if (!index)
    return SECRETSTREAM_FAILED;
  bool ok = open_index (reader, reader->place, bytes, reader->len, index);
  if (ok) {
    Reader r = reader_init (index, reader->len);
    ok = reader_uint (&r, 8) == reader->chunk
         && reader_uint (&r, 8) == reader->offset;
    for (size_t i = 0; i < reader->starts.count; i++)
      ok &= reader_uint (&r, 8) == reader->starts.starts[i];
    ok &= reader_done (&r);
  }
  free (index);
  reader->step = AT_TRAILER;
  return ok ? SECRETSTREAM_OK : SECRETSTREAM_BAD_INDEX;
}

static SecretstreamResult
take_trailer (SecretstreamReader *reader, const uint8_t *bytes)
{
  Reader r = reader_init (bytes, SECRETSTREAM_TRAILER);
  bool ok = reader_uint (&r, 8) == reader->place;
  const uint8_t *magic = reader_take (&r, 8);

  if (!ok || !magic || memcmp (magic, END_MAGIC, 8) != 0)
    return SECRETSTREAM_BAD_INDEX;
  reader->known = reader->complete = true;
  reader->total_chunks = reader->chunk;
  reader->total_bytes = reader->offset;
  reader->step = AT_END;
  return SECRETSTREAM_OK;
}

SecretstreamResult
secretstream_reader_take (
    SecretstreamReader *reader, const uint8_t *bytes, uint8_t *out)
{
  size_t len = secretstream_reader_wants (reader);
  Step step = reader->step;
  Reader r = reader_init (bytes, len);
  SecretstreamResult result = SECRETSTREAM_FAILED;

  if (reader->refused != SECRETSTREAM_OK)
    return reader->refused;
  if (step == AT_SEGMENT || step == AT_LENGTH || step == AT_INDEX_HEAD)
    reader->place = reader->position;
  if (step == AT_FIXED_HEADER)
    result = take_fixed_header (reader, bytes);
  else if (step == AT_REST_OF_HEADER)
    result = take_rest_of_header (reader, bytes);
  else if (step == AT_SEGMENT)
    result = take_segment (reader, bytes);
  else if (step == AT_LENGTH)
    result = take_length (reader, &r);
  else if (step == AT_CHUNK)
    result = take_chunk (reader, bytes, out);
  else if (step == AT_INDEX_HEAD)
    result = take_index_head (reader, bytes);
  else if (step == AT_INDEX)
    result = take_index (reader, bytes);
  else if (step == AT_TRAILER)
    result = take_trailer (reader, bytes);
  reader->refused = result;
  if (result == SECRETSTREAM_OK)
    reader->position += len;
  return result;
}

SecretstreamResult
secretstream_reader_end (SecretstreamReader *reader, size_t left)
{
  if (reader->refused == SECRETSTREAM_OK && reader->step == AT_END && left > 0)
    reader->refused = SECRETSTREAM_TRAILING;
  else if (reader->refused == SECRETSTREAM_OK && reader->step != AT_END)
    reader->refused = SECRETSTREAM_CUT;
  if (reader->refused == SECRETSTREAM_TRAILING
      || (reader->refused == SECRETSTREAM_CUT
          && (reader->step == AT_SEGMENT || reader->step == AT_LENGTH
              || reader->step == AT_INDEX_HEAD)))
    reader->place = reader->position;
  return reader->refused;
}

uint64_t
secretstream_reader_position (const SecretstreamReader *reader)
{
  return reader->position;
}

uint64_t
secretstream_reader_place (const SecretstreamReader *reader)
{
  return reader->place;
}

uint64_t
secretstream_reader_chunk (const SecretstreamReader *reader)
{
  return reader->chunk;
}

uint64_t
secretstream_reader_offset (const SecretstreamReader *reader)
{
  return reader->offset;
}

bool
secretstream_reader_is_open (const SecretstreamReader *reader)
{
  return reader->open;
}

const uint8_t *
secretstream_reader_id (const SecretstreamReader *reader)
{
  return reader->header + SECRETSTREAM_FIXED_HEADER - SECRETSTREAM_FILE_ID_LEN;
}

uint32_t
secretstream_reader_chunk_size (const SecretstreamReader *reader)
{
  return reader->chunk_size;
}

unsigned
secretstream_reader_recipients (const SecretstreamReader *reader)
{
  return reader->recipients;
}

/* --- From anywhere --- */

bool
secretstream_reader_find_index (const SecretstreamReader *reader,
    const uint8_t *trailer, uint64_t file_size, uint64_t *offset, size_t *len)
{
  Reader r = reader_init (trailer, SECRETSTREAM_TRAILER);
  uint64_t at = reader_uint (&r, 8);
  const uint8_t *magic = reader_take (&r, 8);
  const uint64_t most =
      SECRETSTREAM_INDEX_OVERHEAD + 8 * (uint64_t) SECRETSTREAM_MAX_SEGMENTS;

  if (!reader->open || !magic || memcmp (magic, END_MAGIC, 8) != 0
      || file_size < SECRETSTREAM_TRAILER || at < reader->header_len
      || at > file_size - SECRETSTREAM_TRAILER)
    return false;
  uint64_t between = file_size - SECRETSTREAM_TRAILER - at;
  if (between < SECRETSTREAM_INDEX_OVERHEAD + 8 || between > most
      || (between - SECRETSTREAM_INDEX_OVERHEAD) % 8 != 0)
    return false;
  *offset = at;
  *len = (size_t) between;
  return true;
}

/* Fills the reader from the plain index, or says that it cannot be. */
static bool
use_index (SecretstreamReader *reader, uint64_t place, Reader *r)
{
  uint64_t chunks = reader_uint (r, 8), bytes = reader_uint (r, 8);
  uint64_t segments = reader_left (r) / 8, before = 0;

  /* Without overflow: few segments, each chunk at most its size. */
  if (chunks == 0 || (chunks - 1) / SECRETSTREAM_SEGMENT + 1 != segments
      || bytes > chunks * reader->chunk_size
      || place != place_in_file (reader->header_len, chunks, bytes))
    return false;
  reader->starts.count = 0;
  for (uint64_t i = 0; i < segments; i++) {
    uint64_t start = reader_uint (r, 8);
    if (start < before || start > bytes || (i == 0 && start != 0)
        || !segment_starts_add (&reader->starts, start))
      return false;
    before = start;
  }
  reader->known = reader->complete = true;
  reader->total_chunks = chunks;
  reader->total_bytes = bytes;
  return true;
}

SecretstreamResult
secretstream_reader_load_index (SecretstreamReader *reader, uint64_t offset,
    const uint8_t *bytes, size_t len)
{
  Reader r = reader_init (bytes, len);
  const uint8_t *head = reader_take (&r, SECRETSTREAM_SEGMENT_HEAD);
  uint64_t claimed = reader_uint (&r, LENGTH_LEN);

  if (reader->step != AT_SEGMENT || reader->chunk > 0 || r.failed
      || claimed + ABYTES != reader_left (&r) || claimed < 24)
    return SECRETSTREAM_BAD_INDEX;
  size_t plain_len = (size_t) claimed;
  uint8_t *plain = malloc (plain_len);
  if (!plain)
    return SECRETSTREAM_FAILED;
  file_keys_index (keys_of (reader));
  bool ok = begin_stream (keys_of (reader), head)
            && open_index (reader, offset, bytes + len - plain_len - ABYTES,
                plain_len, plain);
  if (ok) {
    Reader index = reader_init (plain, plain_len);
    ok = use_index (reader, offset, &index);
  }
  free (plain);
  if (!ok)
    reader->starts.count = 0;
  return ok ? SECRETSTREAM_OK : SECRETSTREAM_BAD_INDEX;
}

void
secretstream_reader_settle (SecretstreamReader *reader)
{
  if (!reader->open || reader->known)
    return;
  reader->known = true;
  reader->complete = reader->step >= AT_INDEX_HEAD;
  reader->refused = SECRETSTREAM_OK;
  reader->total_chunks = reader->chunk;
  reader->total_bytes = reader->offset;
  reader->step = AT_END;
}

bool
secretstream_reader_size (const SecretstreamReader *reader, uint64_t *size)
{
  if (reader->known)
    *size = reader->total_bytes;
  return reader->known;
}

bool
secretstream_reader_seek (SecretstreamReader *reader, uint64_t offset)
{
  if (!reader->known || offset >= reader->total_bytes)
    return false;
  size_t low = 0, high = reader->starts.count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (reader->starts.starts[middle] <= offset)
      low = middle;
    else
      high = middle;
  }
  reader->refused = SECRETSTREAM_OK;
  reader->chunk = low * (uint64_t) SECRETSTREAM_SEGMENT;
  reader->offset = reader->starts.starts[low];
  reader->position =
      place_in_file (reader->header_len, reader->chunk, reader->offset);
  reader->step = AT_SEGMENT;
  return true;
}

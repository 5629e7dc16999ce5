/* Writing an encrypted file: docs/protocol/secretstream.md.
 *
 * No key meets a nonce twice: the file's identifier, hence every key, is drawn anew for each writer, each segment has a key
 * of its own, and what was closed is never written again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "private.h"

#include "ext/sodium/writer.h"

#include <stdlib.h>
#include <string.h>

struct SecretstreamWriter
{
  Secret *secret; /* FileKeys */
  uint8_t header[SECRETSTREAM_MAX_HEADER];
  size_t header_len;
  uint8_t *chunk; /* the open one, `chunk_size` bytes */
  uint32_t chunk_size;
  size_t pending;
  uint64_t chunks, bytes;
  SegmentStarts starts;
  bool finished;
};

static FileKeys *
keys_of (const SecretstreamWriter *writer)
{
  return (FileKeys *) (void *) secret_bytes (writer->secret);
}

/* A random key, and that key sealed to each recipient, to the header. */
static bool
seal (Writer *w, const SecretstreamRecipients *recipients, Secret *key)
{
  for (size_t i = 0; i < recipients->count; i++) {
    uint8_t box[crypto_box_PUBLICKEYBYTES];
    uint8_t *sealed = writer_take (w, SECRETSTREAM_SEALED);
    if (!sealed
        || crypto_sign_ed25519_pk_to_curve25519 (box, recipients->keys[i]) != 0
        || crypto_box_seal (sealed, secret_bytes (key), secret_len (key), box)
               != 0)
      return false;
  }
  return true;
}

static bool
write_header (SecretstreamWriter *writer, Secret *given,
    const SecretstreamRecipients *recipients)
{
  Writer w = writer_init (writer->header, sizeof writer->header);
  Secret *key = recipients ? secret_random (32) : secret_ref (given);
  FileKeys *keys = keys_of (writer);

  writer_bytes (&w, MAGIC, MAGIC_LEN);
  writer_uint (&w, VERSION, 1);
  writer_uint (&w, recipients ? KIND_RECIPIENTS : KIND_KEY, 1);
  writer_uint (&w, recipients ? recipients->count : 0, 2);
  writer_uint (&w, writer->chunk_size, 4);
  uint8_t *id = writer_take (&w, SECRETSTREAM_FILE_ID_LEN);
  if (id)
    randombytes_buf (id, SECRETSTREAM_FILE_ID_LEN);
  bool ok = key && (!recipients || seal (&w, recipients, key));
  if (ok) {
    file_keys_extract (keys, writer->header, writer_len (&w),
        secret_bytes (key), secret_len (key));
    uint8_t *check = writer_take (&w, SECRETSTREAM_CHECK);
    if (check)
      file_keys_check (keys, check);
  }
  secret_unref (key);
  writer->header_len = writer_len (&w);
  return ok && !w.failed;
}

SecretstreamWriter *
secretstream_writer_new (
    Secret *key, const SecretstreamRecipients *recipients, uint32_t chunk_size)
{
  if (!key == !recipients || chunk_size < SECRETSTREAM_MIN_CHUNK
      || chunk_size > SECRETSTREAM_MAX_CHUNK
      || (key && secret_len (key) < SECRETSTREAM_MIN_KEY)
      || (recipients
          && (recipients->count == 0
              || recipients->count > SECRETSTREAM_MAX_RECIPIENTS)))
    return NULL;
  SecretstreamWriter *writer = calloc (1, sizeof *writer);
  if (!writer)
    return NULL;
  writer->chunk_size = chunk_size;
  writer->chunk = malloc (chunk_size);
  writer->secret = secret_new (sizeof (FileKeys));
  if (!writer->chunk || !writer->secret
      || !write_header (writer, key, recipients)) {
    secretstream_writer_free (writer);
    return NULL;
  }
  return writer;
}

void
secretstream_writer_free (SecretstreamWriter *writer)
{
  if (!writer)
    return;
  secret_unref (writer->secret);
  if (writer->chunk)
    sodium_memzero (writer->chunk, writer->chunk_size);
  free (writer->chunk);
  free (writer->starts.starts);
  free (writer);
}

const uint8_t *
secretstream_writer_header (const SecretstreamWriter *writer, size_t *len)
{
  *len = writer->header_len;
  return writer->header;
}

const uint8_t *
secretstream_writer_id (const SecretstreamWriter *writer)
{
  return writer->header + SECRETSTREAM_FIXED_HEADER - SECRETSTREAM_FILE_ID_LEN;
}

size_t
secretstream_writer_put (
    SecretstreamWriter *writer, const void *bytes, size_t len)
{
  size_t room = writer->finished ? 0 : writer->chunk_size - writer->pending;
  size_t n = len < room ? len : room;

  if (n > 0)
    memcpy (writer->chunk + writer->pending, bytes, n);
  writer->pending += n;
  return n;
}

size_t
secretstream_writer_pending (const SecretstreamWriter *writer)
{
  return writer->pending;
}

bool
secretstream_writer_is_full (const SecretstreamWriter *writer)
{
  return writer->pending == writer->chunk_size;
}

static bool
begins_segment (const SecretstreamWriter *writer)
{
  return writer->chunks % SECRETSTREAM_SEGMENT == 0;
}

static size_t
chunk_size_in_file (const SecretstreamWriter *writer)
{
  return (begins_segment (writer) ? SECRETSTREAM_SEGMENT_HEAD : 0)
         + SECRETSTREAM_CHUNK_OVERHEAD + writer->pending;
}

/* Behind the chunk that is open. */
static size_t
index_size (const SecretstreamWriter *writer)
{
  return SECRETSTREAM_INDEX_OVERHEAD
         + 8 * (writer->starts.count + begins_segment (writer));
}

size_t
secretstream_writer_close_size (const SecretstreamWriter *writer)
{
  return writer->pending > 0 ? chunk_size_in_file (writer) : 0;
}

size_t
secretstream_writer_finish_size (const SecretstreamWriter *writer)
{
  return chunk_size_in_file (writer) + index_size (writer)
         + SECRETSTREAM_TRAILER;
}

/* The key in `keys->key` is used once, here, and wiped. */
static bool
begin_stream (FileKeys *keys, Writer *w)
{
  uint8_t *head = writer_take (w, SECRETSTREAM_SEGMENT_HEAD);
  bool ok = head
            && crypto_secretstream_xchacha20poly1305_init_push (
                   &keys->state, head, keys->key)
                   == 0;
  sodium_memzero (keys->key, sizeof keys->key);
  return ok;
}

static bool
push (FileKeys *keys, Writer *w, const uint8_t *plain, size_t len,
    uint64_t first, uint64_t second, uint8_t tag)
{
  uint8_t ad[AD_LEN];

  write_ad (ad, first, second);
  writer_uint (w, len, LENGTH_LEN);
  uint8_t *out = writer_take (w, len + ABYTES);
  return out
         && crypto_secretstream_xchacha20poly1305_push (
                &keys->state, out, NULL, plain, len, ad, sizeof ad, tag)
                == 0;
}

static SecretstreamResult
write_chunk (SecretstreamWriter *writer, Writer *w, uint8_t tag)
{
  FileKeys *keys = keys_of (writer);

  if (begins_segment (writer)) {
    if (!segment_starts_add (&writer->starts, writer->bytes))
      return writer->starts.count == SECRETSTREAM_MAX_SEGMENTS
                 ? SECRETSTREAM_FULL
                 : SECRETSTREAM_FAILED;
    file_keys_segment (keys, writer->chunks / SECRETSTREAM_SEGMENT);
    if (!begin_stream (keys, w))
      return SECRETSTREAM_FAILED;
  }
  if (!push (keys, w, writer->chunk, writer->pending, writer->chunks,
          writer->bytes, tag))
    return SECRETSTREAM_FAILED;
  writer->chunks++;
  writer->bytes += writer->pending;
  writer->pending = 0;
  return SECRETSTREAM_OK;
}

SecretstreamResult
secretstream_writer_close (SecretstreamWriter *writer, uint8_t *out)
{
  Writer w = writer_init (out, secretstream_writer_close_size (writer));

  if (writer->finished || writer->pending == 0)
    return SECRETSTREAM_FAILED;
  /* The last segment is kept for the end, which needs a chunk even when nothing is left for it. */
  if (begins_segment (writer)
      && writer->starts.count + 1 >= SECRETSTREAM_MAX_SEGMENTS)
    return SECRETSTREAM_FULL;
  return write_chunk (
      writer, &w, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
}

static bool
write_index (SecretstreamWriter *writer, Writer *w)
{
  FileKeys *keys = keys_of (writer);
  uint64_t place =
      place_in_file (writer->header_len, writer->chunks, writer->bytes);
  size_t size = 16 + 8 * writer->starts.count;
  uint8_t *plain = malloc (size);
  if (!plain)
    return false;

  Writer index = writer_init (plain, size);
  writer_uint (&index, writer->chunks, 8);
  writer_uint (&index, writer->bytes, 8);
  for (size_t i = 0; i < writer->starts.count; i++)
    writer_uint (&index, writer->starts.starts[i], 8);
  file_keys_index (keys);
  bool ok = begin_stream (keys, w)
            && push (keys, w, plain, size, place, 0,
                crypto_secretstream_xchacha20poly1305_TAG_FINAL);
  free (plain);
  writer_uint (w, place, 8);
  writer_bytes (w, END_MAGIC, 8);
  return ok && !w->failed;
}

SecretstreamResult
secretstream_writer_finish (SecretstreamWriter *writer, uint8_t *out)
{
  Writer w = writer_init (out, secretstream_writer_finish_size (writer));

  if (writer->finished)
    return SECRETSTREAM_FAILED;
  writer->finished = true;
  SecretstreamResult result = write_chunk (
      writer, &w, crypto_secretstream_xchacha20poly1305_TAG_FINAL);
  if (result == SECRETSTREAM_OK && !write_index (writer, &w))
    result = SECRETSTREAM_FAILED;
  /* Nothing more is written under these keys. */
  sodium_memzero (secret_bytes (writer->secret), sizeof (FileKeys));
  return result;
}

uint64_t
secretstream_writer_chunks (const SecretstreamWriter *writer)
{
  return writer->chunks;
}

uint64_t
secretstream_writer_bytes (const SecretstreamWriter *writer)
{
  return writer->bytes;
}

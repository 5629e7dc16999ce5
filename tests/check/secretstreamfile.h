/* Encrypted files in memory, for tests of their format.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pure.h"

#include "ext/secretstream/format.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Secret, secret_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SecretstreamReader, secretstream_reader_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SecretstreamWriter, secretstream_writer_free)

/* `len` bytes in which no place looks like another. */
static inline GByteArray *
some_bytes (gsize len)
{
  GByteArray *bytes = g_byte_array_sized_new ((guint) len);
  g_byte_array_set_size (bytes, (guint) len);
  guint32 x = 1;
  for (gsize i = 0; i < len; i++) {
    x = x * 1664525u + 1013904223u;
    bytes->data[i] = (guint8) (x >> 24);
  }
  return bytes;
}

/* Closes the open chunk into `file`. */
static inline void
close_chunk (SecretstreamWriter *writer, GByteArray *file)
{
  gsize at = file->len, size = secretstream_writer_close_size (writer);
  g_byte_array_set_size (file, (guint) (at + size));
  fail_unless_equals_int (
      secretstream_writer_close (writer, file->data + at), SECRETSTREAM_OK);
}

static inline void
finish_file (SecretstreamWriter *writer, GByteArray *file)
{
  gsize at = file->len, size = secretstream_writer_finish_size (writer);
  g_byte_array_set_size (file, (guint) (at + size));
  fail_unless_equals_int (
      secretstream_writer_finish (writer, file->data + at), SECRETSTREAM_OK);
}

static inline GByteArray *
begin_file (SecretstreamWriter *writer)
{
  gsize len;
  const guint8 *header = secretstream_writer_header (writer, &len);
  GByteArray *file = g_byte_array_new ();
  return g_byte_array_append (file, header, (guint) len);
}

/* All of `plain` in chunks of `early` bytes, or full ones where that is 0. Without its end if `cut`. */
static inline GByteArray *
make_file (SecretstreamWriter *writer, const guint8 *plain, gsize len,
    gsize early, gboolean cut)
{
  GByteArray *file = begin_file (writer);

  while (len > 0) {
    gsize n = secretstream_writer_put (
        writer, plain, early ? MIN (early, len) : len);
    plain += n;
    len -= n;
    /* The last one is left open: it becomes the one with the tag FINAL. */
    if (len > 0 || cut)
      close_chunk (writer, file);
  }
  if (!cut)
    finish_file (writer, file);
  return file;
}

/* Reads `file` from its begin, and adds what comes out to `plain`. */
static inline SecretstreamResult
read_file (SecretstreamReader *reader, const guint8 *file, gsize len,
    GByteArray *plain)
{
  gsize at = 0, want;

  while ((want = secretstream_reader_wants (reader)) > 0 && want <= len - at) {
    /* In an allocation of its exact size, so that a sanitizer sees one byte too many. */
    g_autofree guint8 *piece = g_memdup2 (file + at, want);
    gsize gives = secretstream_reader_gives (reader);
    g_autofree guint8 *out = g_malloc (gives);
    SecretstreamResult result = secretstream_reader_take (reader, piece, out);
    if (result != SECRETSTREAM_OK)
      return result;
    g_byte_array_append (plain, out, (guint) gives);
    at += want;
    fail_unless_equals_uint64 (secretstream_reader_position (reader), at);
  }
  return secretstream_reader_end (reader, len - at);
}

/* Finds and loads the index. */
static inline SecretstreamResult
open_at_end (SecretstreamReader *reader, const guint8 *file, gsize len)
{
  guint64 offset;
  gsize at = 0, index;

  for (guint i = 0; i < 2; i++) {
    gsize want = secretstream_reader_wants (reader);
    if (want > len - at)
      return SECRETSTREAM_CUT;
    SecretstreamResult result =
        secretstream_reader_take (reader, file + at, NULL);
    if (result != SECRETSTREAM_OK)
      return result;
    at += want;
  }
  if (len < SECRETSTREAM_TRAILER
      || !secretstream_reader_find_index (
          reader, file + len - SECRETSTREAM_TRAILER, len, &offset, &index))
    return SECRETSTREAM_BAD_INDEX;
  g_autofree guint8 *piece = g_memdup2 (file + offset, index);
  return secretstream_reader_load_index (reader, offset, piece, index);
}

/* `len` plain bytes from `offset` on, the way an element that pulls does it. */
static inline SecretstreamResult
read_range (SecretstreamReader *reader, const guint8 *file, gsize file_len,
    guint64 offset, guint8 *to, gsize len)
{
  if (!secretstream_reader_seek (reader, offset))
    return SECRETSTREAM_FAILED;
  while (len > 0) {
    gsize want = secretstream_reader_wants (reader);
    gsize gives = secretstream_reader_gives (reader);
    guint64 from = secretstream_reader_offset (reader),
            at = secretstream_reader_position (reader);
    if (want == 0 || at > file_len || want > file_len - at)
      return secretstream_reader_end (reader, 0);
    g_autofree guint8 *piece = g_memdup2 (file + at, want);
    g_autofree guint8 *out = g_malloc (gives);
    SecretstreamResult result = secretstream_reader_take (reader, piece, out);
    if (result != SECRETSTREAM_OK)
      return result;
    if (gives > 0 && from + gives > offset) {
      gsize skip = (gsize) (offset - from), n = MIN (gives - skip, len);
      memcpy (to, out + skip, n);
      to += n;
      len -= n;
      offset += n;
    }
  }
  return SECRETSTREAM_OK;
}

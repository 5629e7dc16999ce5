/* secretstreamdec when it is pulled from: the file is opened at its end, chunks are read where they are needed, the last ones kept.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "secretstreamdec.h"

/* `len` bytes at `offset` of the encrypted file. */
static GstFlowReturn
pull_bytes (ConclaveSecretstreamDec *self, guint64 offset, gsize len,
    GstBuffer **buffer)
{
  *buffer = NULL;
  GstFlowReturn flow =
      gst_pad_pull_range (self->sinkpad, offset, (guint) len, buffer);
  if (flow == GST_FLOW_OK && gst_buffer_get_size (*buffer) < len) {
    gst_clear_buffer (buffer);
    flow = GST_FLOW_EOS;
  }
  return flow;
}

/* One step of the reader. At the end of the encrypted file, or where it is refused, the flow is EOS and `result` says why. */
static GstFlowReturn
pull_step (ConclaveSecretstreamDec *self, GstBuffer **plain,
    SecretstreamResult *result)
{
  g_autoptr (GstBuffer) in = NULL;
  GstMapInfo map;

  *plain = NULL;
  *result = SECRETSTREAM_OK;
  GstFlowReturn flow =
      pull_bytes (self, secretstream_reader_position (self->reader),
          secretstream_reader_wants (self->reader), &in);
  if (flow == GST_FLOW_EOS)
    *result = secretstream_reader_end (self->reader, 0);
  if (flow != GST_FLOW_OK)
    return flow;
  if (gst_buffer_map (in, &map, GST_MAP_READ)) {
    *result = secretstream_dec_take_step (self, map.data, plain);
    gst_buffer_unmap (in, &map);
  } else {
    *result = SECRETSTREAM_FAILED;
  }
  return *result == SECRETSTREAM_OK ? GST_FLOW_OK : GST_FLOW_EOS;
}

/* TRUE when the index stands where the file ends. */
static gboolean
load_index (ConclaveSecretstreamDec *self, guint64 file_size)
{
  g_autoptr (GstBuffer) buffer = NULL;
  guint8 trailer[SECRETSTREAM_TRAILER];
  guint64 offset;
  GstMapInfo map;
  gsize len;

  if (file_size < SECRETSTREAM_TRAILER
      || pull_bytes (self, file_size - SECRETSTREAM_TRAILER,
             SECRETSTREAM_TRAILER, &buffer)
             != GST_FLOW_OK)
    return FALSE;
  gst_buffer_extract (buffer, 0, trailer, sizeof trailer);
  gst_clear_buffer (&buffer);
  if (!secretstream_reader_find_index (
          self->reader, trailer, file_size, &offset, &len)
      || pull_bytes (self, offset, len, &buffer) != GST_FLOW_OK
      || !gst_buffer_map (buffer, &map, GST_MAP_READ))
    return FALSE;
  SecretstreamResult result = secretstream_reader_load_index (
      self->reader, offset, map.data, map.size);
  gst_buffer_unmap (buffer, &map);
  return result == SECRETSTREAM_OK;
}

/* Reads a file without a good end from its begin, to find out how far it is good. */
static SecretstreamResult
find_good_part (ConclaveSecretstreamDec *self, guint64 file_size)
{
  SecretstreamResult result = SECRETSTREAM_OK;

  while (result == SECRETSTREAM_OK
         && secretstream_reader_wants (self->reader) > 0) {
    GstBuffer *plain;
    GstFlowReturn flow = pull_step (self, &plain, &result);
    gst_clear_buffer (&plain);
    if (flow != GST_FLOW_OK && result == SECRETSTREAM_OK)
      result = SECRETSTREAM_FAILED;
  }
  guint64 at = secretstream_reader_position (self->reader);
  if (result == SECRETSTREAM_OK)
    result = secretstream_reader_end (
        self->reader, file_size > at ? (gsize) (file_size - at) : 0);
  return result;
}

gboolean
secretstream_dec_open_by_pulling (ConclaveSecretstreamDec *self)
{
  SecretstreamResult result = SECRETSTREAM_OK;
  GstBuffer *plain;
  gint64 file_size = 0;

  if (!secretstream_dec_open (self))
    return FALSE;
  while (result == SECRETSTREAM_OK
         && !secretstream_reader_is_open (self->reader)) {
    GstFlowReturn flow = pull_step (self, &plain, &result);
    /* Flushing, or an error that upstream told. */
    if (flow != GST_FLOW_OK && result == SECRETSTREAM_OK)
      return FALSE;
  }
  if (result != SECRETSTREAM_OK)
    return secretstream_dec_refuse (self, result);
  if (!gst_pad_peer_query_duration (
          self->sinkpad, GST_FORMAT_BYTES, &file_size)
      || file_size < 0)
    file_size = 0;
  if (!load_index (self, (guint64) file_size)) {
    result = find_good_part (self, (guint64) file_size);
    if (result != SECRETSTREAM_OK && !secretstream_dec_refuse (self, result))
      return FALSE;
    secretstream_reader_settle (self->reader);
  }
  secretstream_dec_tell_file (self);
  return TRUE;
}

static CachedChunk *
find_cached (ConclaveSecretstreamDec *self, guint64 offset)
{
  for (guint i = 0; i < CACHED_CHUNKS; i++) {
    CachedChunk *chunk = &self->cache[i];
    if (chunk->plain && offset >= chunk->offset
        && offset - chunk->offset < gst_buffer_get_size (chunk->plain)) {
      chunk->used = ++self->uses;
      return chunk;
    }
  }
  return NULL;
}

/* Takes `plain`. */
static CachedChunk *
keep_cached (ConclaveSecretstreamDec *self, GstBuffer *plain)
{
  CachedChunk *oldest = &self->cache[0];

  for (guint i = 1; i < CACHED_CHUNKS; i++)
    if (!self->cache[i].plain
        || (oldest->plain && self->cache[i].used < oldest->used))
      oldest = &self->cache[i];
  gst_clear_buffer (&oldest->plain);
  *oldest = (CachedChunk){ GST_BUFFER_OFFSET (plain), ++self->uses, plain };
  return oldest;
}

/* The chunk that has the plain byte `offset`, from the cache or the file. NULL with a flow that is not OK. */
static CachedChunk *
find_chunk (ConclaveSecretstreamDec *self, guint64 offset, GstFlowReturn *flow)
{
  CachedChunk *chunk = find_cached (self, offset);
  guint64 at = secretstream_reader_offset (self->reader);
  guint64 near = (guint64) SECRETSTREAM_SEGMENT
                 * secretstream_reader_chunk_size (self->reader);
  SecretstreamResult result;
  GstBuffer *plain;

  *flow = GST_FLOW_OK;
  if (chunk)
    return chunk;
  if ((offset < at || offset - at >= near
          || secretstream_reader_wants (self->reader) == 0)
      && !secretstream_reader_seek (self->reader, offset)) {
    *flow = GST_FLOW_EOS;
    return NULL;
  }
  while (!chunk) {
    *flow = pull_step (self, &plain, &result);
    if (result != SECRETSTREAM_OK) {
      secretstream_dec_refuse (self, result);
      /* From here on nothing fits: the next read begins anew. */
      secretstream_reader_seek (self->reader, 0);
      *flow = GST_FLOW_ERROR;
    }
    if (*flow != GST_FLOW_OK)
      return NULL;
    if (plain)
      keep_cached (self, plain);
    chunk = find_cached (self, offset);
  }
  return chunk;
}

GstFlowReturn
secretstream_dec_read_plain (ConclaveSecretstreamDec *self, guint64 offset,
    guint len, GstBuffer **buffer)
{
  g_autoptr (GstBuffer) made = NULL;
  GstBuffer *into = *buffer;
  GstFlowReturn flow;
  guint done = 0;

  while (done < len) {
    CachedChunk *chunk = find_chunk (self, offset + done, &flow);
    if (!chunk)
      return flow;
    gsize skip = (gsize) (offset + done - chunk->offset);
    gsize n = MIN (gst_buffer_get_size (chunk->plain) - skip, len - done);
    if (!into && n == len) {
      *buffer = gst_buffer_copy_region (
          chunk->plain, GST_BUFFER_COPY_MEMORY, skip, n);
      done = len;
      break;
    }
    if (!into)
      into = made = gst_buffer_new_allocate (NULL, len, NULL);
    GstMapInfo map;
    if (!into || !gst_buffer_map (chunk->plain, &map, GST_MAP_READ))
      return GST_FLOW_ERROR;
    gst_buffer_fill (into, done, map.data + skip, n);
    gst_buffer_unmap (chunk->plain, &map);
    done += (guint) n;
  }
  if (made)
    *buffer = g_steal_pointer (&made);
  GST_BUFFER_OFFSET (*buffer) = offset;
  GST_BUFFER_OFFSET_END (*buffer) = offset + len;
  secretstream_dec_count_out (self, len);
  return GST_FLOW_OK;
}

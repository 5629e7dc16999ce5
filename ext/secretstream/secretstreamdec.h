/* What the two halves of secretstreamdec share: the element (secretstreamdec.c), and reading by pulling (secretstreampull.c).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/base/gstadapter.h>

#include "secretstreamkeys.h"

G_BEGIN_DECLS

/* Demuxers read at several places in turn: two segments' worth of chunks. */
#define CACHED_CHUNKS (2 * SECRETSTREAM_SEGMENT)

#define CONCLAVE_TYPE_SECRETSTREAM_DEC (conclave_secretstream_dec_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveSecretstreamDec, conclave_secretstream_dec,
    CONCLAVE, SECRETSTREAM_DEC, GstElement)

typedef struct
{
  guint64 bytes_in, bytes_out, chunks, damaged;
} DecStats;

typedef struct
{
  guint64 offset, used;
  GstBuffer *plain; /* or NULL */
} CachedChunk;

struct _ConclaveSecretstreamDec
{
  GstElement parent;
  GstPad *sinkpad, *srcpad;

  /* object lock */
  KeySettings settings;
  gboolean allow_truncated;
  Secret *key;        /* loaded; or NULL */
  Identity *identity; /* replaced only while there is no reader */
  DecStats stats;
  gboolean truncated; /* of the file that is, or was, read last */
  gchar file_id[2 * SECRETSTREAM_FILE_ID_LEN + 1];
  guint recipients;
  guint64 size; /* plain; GST_CLOCK_TIME_NONE: not known */

  /* the stream lock of the sink pad when pushed to, of the source pad when pulled from; the other two only when pulled from */
  SecretstreamReader *reader;
  GstAdapter *adapter;
  gboolean begun, ended;
  CachedChunk cache[CACHED_CHUNKS];
  guint64 uses;
};

/* A new reader with the keys of the properties. FALSE after an error on the bus. */
gboolean secretstream_dec_open (ConclaveSecretstreamDec *self);

/* Says what is wrong with the file. TRUE when reading may end here as if the file did. */
gboolean secretstream_dec_refuse (
    ConclaveSecretstreamDec *self, SecretstreamResult result);

/* One step of the reader over `in`, which has as much as it wants. `out` gets a buffer, or NULL where there is nothing to hand
 * out. */
SecretstreamResult secretstream_dec_take_step (
    ConclaveSecretstreamDec *self, const guint8 *in, GstBuffer **out);

/* Takes over the reader's facts, for properties and queries. */
void secretstream_dec_tell_file (ConclaveSecretstreamDec *self);

void secretstream_dec_count_out (ConclaveSecretstreamDec *self, gsize size);

/* Opens the file that upstream lets itself be pulled from: header and index, or where there is no good index the whole file once.
 * FALSE when it is not readable, mostly after an error on the bus. */
gboolean secretstream_dec_open_by_pulling (ConclaveSecretstreamDec *self);

/* `len` plain bytes that are there by the file's size, which lie in one chunk or several, to `*buffer` or, where that is NULL, to a new
 * one. */
GstFlowReturn secretstream_dec_read_plain (ConclaveSecretstreamDec *self,
    guint64 offset, guint len, GstBuffer **buffer);

G_END_DECLS

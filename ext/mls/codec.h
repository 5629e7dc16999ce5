/* The TLS presentation language as MLS uses it (RFC 9420, section 2.1): variable-size vectors, read in place from a
 * Reader and written to a buffer that grows.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "types.h"

#include "ext/sodium/reader.h"

#include <string.h>

#define MLS_MAX_VECTOR 0x3fffffff /* 2.1.2: thirty bits */

/* 2.1.2. The length of a vector: 1, 2 or 4 bytes, the fewest that do. Fails on longer ones, and on prefix 3. */
uint32_t mls_read_varint (Reader *in);

/* opaque x<V>, in place. Empty after a failure. */
MlsSlice mls_read_opaque (Reader *in);

/* T x<V>: a reader over the vector's content. */
Reader mls_read_vector (Reader *in);

/* optional<T>: whether a value follows. Fails on another octet than 0 and 1. */
bool mls_read_present (Reader *in);

static inline Reader
mls_reader (MlsSlice bytes)
{
  return reader_init (bytes.data, bytes.len);
}

/* What `in` has moved over since it was at `start`. */
static inline MlsSlice
mls_slice_since (const Reader *in, const uint8_t *start)
{
  return in->failed ? (MlsSlice){ 0 }
                    : (MlsSlice){ start, (size_t) (in->at - start) };
}

static inline MlsSlice
mls_slice (const void *data, size_t len)
{
  return (MlsSlice){ data, len };
}

/* For public values; secrets are compared with sodium_memcmp. */
static inline bool
mls_slice_equal (MlsSlice a, MlsSlice b)
{
  return a.len == b.len && (a.len == 0 || memcmp (a.data, b.data, a.len) == 0);
}

/* Bytes being written. Errors are sticky: check `failed` once, at the end. What was in it is wiped when it grows and
 * when it is freed, as it may hold secrets. */
typedef struct
{
  uint8_t *data;
  size_t len, room;
  bool failed;
} MlsBuffer;

void mls_buffer_free (MlsBuffer *buffer);

/* Makes room for `len` more bytes and gives them to fill; NULL when memory is short. */
uint8_t *mls_put (MlsBuffer *buffer, size_t len);

void mls_put_uint (MlsBuffer *buffer, uint64_t value, size_t bytes);
void mls_put_bytes (MlsBuffer *buffer, const void *data, size_t len);
void mls_put_slice (MlsBuffer *buffer, MlsSlice slice);
void mls_put_varint (MlsBuffer *buffer, size_t value);

/* opaque x<V> */
void mls_put_opaque (MlsBuffer *buffer, MlsSlice slice);

/* T x<V>: what is put between the two calls is the vector's content. */
size_t mls_begin_vector (const MlsBuffer *buffer);
void mls_end_vector (MlsBuffer *buffer, size_t start);

static inline MlsSlice
mls_buffer_slice (const MlsBuffer *buffer)
{
  return (MlsSlice){ buffer->data, buffer->len };
}

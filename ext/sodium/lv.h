/* lv(x): a byte string with its length in front, as draft-irtf-cfrg-cpace writes every string it hashes (there:
 * prepend_len, lv_cat). The length is a LEB128 number: seven bits a byte, the lowest first, the top bit set in all
 * bytes but the last.
 *
 * Reading accepts the shortest form of a length only, so that equal strings have equal encodings.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "reader.h"
#include "writer.h"

#define LV_MAX_HEAD 4               /* bytes of a length we read or write */
#define LV_MAX_LEN ((1u << 28) - 1) /* what fits in them */

/* Writes the length `len` to `head`, room for LV_MAX_HEAD bytes; `len` at most LV_MAX_LEN. How many bytes it took. */
static inline size_t
lv_head (size_t len, uint8_t *head)
{
  size_t n = 0;
  for (; len >= 128 && n < LV_MAX_HEAD - 1; len >>= 7)
    head[n++] = (uint8_t) (len | 128);
  head[n++] = (uint8_t) len;
  return n;
}

/* The bytes that lv() of `len` bytes takes. */
static inline size_t
lv_size (size_t len)
{
  uint8_t head[LV_MAX_HEAD];
  return lv_head (len, head) + len;
}

static inline void
lv_write (Writer *w, const void *bytes, size_t len)
{
  uint8_t head[LV_MAX_HEAD];

  if (len > LV_MAX_LEN) {
    w->failed = true;
    return;
  }
  writer_bytes (w, head, lv_head (len, head));
  writer_bytes (w, bytes, len);
}

/* lv() of an integer of `n` bytes, big-endian. */
static inline void
lv_write_uint (Writer *w, uint64_t value, size_t n)
{
  writer_uint (w, n, 1);
  writer_uint (w, value, n);
}

/* A reader over the next lv(), which this one skips. A failed reader when the length is not in its shortest form, or
 * promises more than is left or than `max`. */
static inline Reader
lv_read (Reader *r, size_t max)
{
  size_t len = 0;
  unsigned shift = 0;
  uint64_t byte;

  do {
    byte = reader_uint (r, 1);
    len |= (size_t) (byte & 127) << shift;
    shift += 7;
  } while (!r->failed && (byte & 128) && shift < 7 * LV_MAX_HEAD);
  if ((byte & 128) || (byte == 0 && shift > 7) || len > max)
    r->failed = true;
  return reader_sub (r, r->failed ? 0 : len);
}

/* The next lv(), which must be of exactly `len` bytes; in place, or NULL. */
static inline const uint8_t *
lv_take (Reader *r, size_t len)
{
  Reader value = lv_read (r, len);
  const uint8_t *bytes = reader_take (&value, len);
  if (!bytes)
    r->failed = true;
  return bytes;
}

/* The next lv(), an integer of exactly `n` bytes, 1 <= n <= 8. */
static inline uint64_t
lv_take_uint (Reader *r, size_t n)
{
  const uint8_t *bytes = lv_take (r, n);
  Reader value = reader_init (bytes, bytes ? n : 0);
  return bytes ? reader_uint (&value, n) : 0;
}

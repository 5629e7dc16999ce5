/* Bounded reading of bytes from the network.
 *
 * Every parser in the project moves through untrusted bytes with a Reader and nothing else. Its error
 * is sticky: once a read asked for more than was left, all later reads give zero or NULL, so a parser
 * checks `failed` once, at its end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct
{
  const uint8_t *at;
  const uint8_t *end;
  bool failed;
} Reader;

/* Reads `len` bytes at `bytes`, which must outlive the reader. `bytes` may be NULL when `len` is 0. */
static inline Reader
reader_init (const void *bytes, size_t len)
{
  static const uint8_t nothing[1];
  const uint8_t *start = bytes ? bytes : nothing;
  return (
      Reader){ start, start + (bytes ? len : 0), bytes == NULL && len > 0 };
}

/* Bytes not read yet; 0 after a failure. */
static inline size_t
reader_left (const Reader *r)
{
  return r->failed ? 0 : (size_t) (r->end - r->at);
}

/* The only place where the position moves. Gives `n` bytes in place, or NULL when fewer are left. */
static inline const uint8_t *
reader_take (Reader *r, size_t n)
{
  if (r->failed || n > (size_t) (r->end - r->at)) {
    r->failed = true;
    return NULL;
  }
  const uint8_t *p = r->at;
  r->at += n;
  return p;
}

/* A big-endian unsigned integer of `n` bytes, 0 <= n <= 8; 0 when fewer are left. */
static inline uint64_t
reader_uint (Reader *r, size_t n)
{
  const uint8_t *p = n <= 8 ? reader_take (r, n) : NULL;
  uint64_t value = 0;

  if (!p) {
    r->failed = true;
    return 0;
  }
  for (size_t i = 0; i < n; i++)
    value = value << 8 | p[i];
  return value;
}

/* A reader over the next `n` bytes, which this one skips. A failed reader when fewer are left. */
static inline Reader
reader_sub (Reader *r, size_t n)
{
  const uint8_t *p = reader_take (r, n);
  Reader sub = reader_init (p, p ? n : 0);
  sub.failed = p == NULL;
  return sub;
}

/* True when nothing failed and nothing is left over: what a parser returns at its end. */
static inline bool
reader_done (const Reader *r)
{
  return !r->failed && r->at == r->end;
}

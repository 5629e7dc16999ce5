/* Bounded writing of wire formats: the Reader's mirror.
 *
 * A Writer fills a buffer of fixed size that its caller owns; its error is sticky, so a function that
 * serializes checks `failed` once, at its end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct
{
  uint8_t *start;
  uint8_t *at;
  uint8_t *end;
  bool failed;
} Writer;

static inline Writer
writer_init (void *room, size_t size)
{
  uint8_t *start = room;
  return (Writer){ start, start, start + size, false };
}

/* Bytes written so far. */
static inline size_t
writer_len (const Writer *w)
{
  return (size_t) (w->at - w->start);
}

/* The only place where the position moves. Gives `n` bytes to fill, or NULL when there is less room. */
static inline uint8_t *
writer_take (Writer *w, size_t n)
{
  if (w->failed || n > (size_t) (w->end - w->at)) {
    w->failed = true;
    return NULL;
  }
  uint8_t *p = w->at;
  w->at += n;
  return p;
}

/* Writes `value` big-endian in `n` bytes, 0 <= n <= 8. A value that needs more is a failure. */
static inline void
writer_uint (Writer *w, uint64_t value, size_t n)
{
  if (n > 8 || (n < 8 && value >> (8 * n) != 0)) {
    w->failed = true;
    return;
  }
  uint8_t *p = writer_take (w, n);
  if (!p)
    return;
  for (size_t i = n; i > 0; i--, value >>= 8)
    p[i - 1] = (uint8_t) value;
}

static inline void
writer_bytes (Writer *w, const void *bytes, size_t len)
{
  uint8_t *p = writer_take (w, len);
  if (p && len > 0)
    memcpy (p, bytes, len);
}

/* The meter of WebSocket frames (RFC 6455, 5.2) from a client: however the bytes are cut into pieces, it counts the same and stops at
 * the same place, and what it lets through is within its limits.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/hub/edge.h"
#include "ext/hub/wsmeter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                           \
  do {                                                                        \
    if (!(what)) {                                                            \
      fprintf (stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);     \
      abort ();                                                               \
    }                                                                         \
  } while (0)

#define LIMIT 1000

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* In pieces of `step` bytes, each in memory of its own size; how many bytes were let through. */
static size_t
run (WsMeter *meter, const uint8_t *data, size_t size, size_t step)
{
  *meter = (WsMeter){ .limit = LIMIT };
  for (size_t at = 0; at < size; at += step) {
    size_t n = size - at < step ? size - at : step;
    uint8_t *piece = malloc (n);
    memcpy (piece, data + at, n);
    bool more = ws_meter_take (meter, piece, n, 1000);
    free (piece);
    if (!more)
      return at;
    CHECK (meter->message <= LIMIT);
    CHECK (meter->fragments <= HUB_EDGE_FRAGMENTS);
    CHECK (meter->have <= WS_METER_MAX_HEADER);
  }
  return size;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  WsMeter whole, pieces;

  if (size == 0)
    return 0;
  size_t step = 1 + data[0] % 7;
  size_t one = run (&whole, data, size, size),
         some = run (&pieces, data, size, step);
  CHECK ((one == size) == (some == size));
  CHECK (whole.frames == pieces.frames);
  if (one == size)
    CHECK (whole.left == pieces.left && whole.message == pieces.message
           && whole.have == pieces.have);
  return 0;
}

/* Counts what a WebSocket client sends (RFC 6455, 5.2), frame by frame, before anybody keeps it: libsoup bounds a frame, but
 * neither a message of many frames, nor how many there are, nor how many pings it must answer.
 *
 * Pure functions; any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bucket.h"

#include <stddef.h>

#define WS_METER_MAX_HEADER 14 /* 2, an extended length of 8, a mask of 4 */

/* All zero, but for `limit`, at the first byte after the handshake. */
typedef struct
{
  uint64_t limit;   /* bytes of a message; may be changed between two frames */
  uint64_t message; /* so far, of the one that is not whole yet */
  unsigned fragments;
  uint64_t left; /* of the payload of this frame */
  uint8_t header[WS_METER_MAX_HEADER];
  size_t have;
  uint64_t frames; /* that were whole */
  Bucket controls;
} WsMeter;

/* False when a limit was passed: `now` in ms. */
bool ws_meter_take (
    WsMeter *meter, const uint8_t *bytes, size_t len, uint64_t now);

/* What the hub reads of an RTP packet (RFC 3550, 5.1): its header, and two header extensions (RFC 8285, one-byte form).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_RTP_MIN 12
#define HUB_MAX_PACKET 2048 /* on the wire; longer ones are dropped */

typedef struct
{
  uint32_t ssrc, timestamp;
  uint16_t seq;
  uint8_t payload_type;
  bool marker, padding;
  size_t head_len; /* with CSRCs and extension */
  /* The extension's elements, if it has the one-byte form. */
  const uint8_t *elements;
  size_t elements_len;
} HubRtp;

/* False when it is none. `rtp` points into `bytes`. */
bool hub_rtp_parse (const uint8_t *bytes, size_t len, HubRtp *rtp);

/* The element `id`, 1 to 14, and its length, 1 to 16; NULL when there is none. */
const uint8_t *hub_rtp_element (const HubRtp *rtp, uint8_t id, size_t *len);

/* RFC 3711, 3.3.1: the index with the low half `seq` that is nearest to `reference`; near the beginning, where ROC would be -1, that of
 * ROC 0. */
uint64_t hub_nearest_index (uint64_t reference, uint16_t seq);

/* RFC 4588, 4: the RTX packet of `in`. `out` has room for len + 2 bytes. Returns its length. */
size_t hub_rtx_wrap (const uint8_t *in, size_t len, size_t head_len,
    uint8_t payload_type, uint32_t ssrc, uint16_t seq, uint8_t *out);

/* The other way: RTX packet `in`, already parsed, to its original with `ssrc`; the payload type must be told. `out` has room for
 * len - 2 bytes, and may be `in`. Padding (RFC 3550, 5.1) is taken off. Returns the length; 0 when nothing is in it. `seq` gets the
 * original sequence number. */
size_t hub_rtx_unwrap (const uint8_t *in, size_t len, const HubRtp *rtp,
    uint8_t payload_type, uint32_t ssrc, uint16_t *seq, uint8_t *out);

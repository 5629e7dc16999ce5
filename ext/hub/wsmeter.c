/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wsmeter.h"

#include "edge.h"

#include "ext/sodium/reader.h"

#define FIN 0x80
#define CONTROL 0x08 /* of the opcode; RFC 6455, 5.2 */
#define MASKED 0x80
#define LENGTH 0x7f
#define LENGTH_16 126
#define LENGTH_64 127
#define MASK 4

/* Of the header whose first two bytes are there. */
static size_t
header_len (const uint8_t *header)
{
  uint8_t length = header[1] & LENGTH;

  return 2u
         + (length == LENGTH_16    ? 2u
             : length == LENGTH_64 ? 8u
                                   : 0u)
         + (header[1] & MASKED ? MASK : 0u);
}

static uint64_t
payload_len (const uint8_t *header)
{
  Reader r = reader_init (header, WS_METER_MAX_HEADER);

  reader_take (&r, 1);
  uint8_t length = (uint8_t) reader_uint (&r, 1) & LENGTH;
  if (length == LENGTH_16)
    return reader_uint (&r, 2);
  return length == LENGTH_64 ? reader_uint (&r, 8) : length;
}

static bool
begin_frame (WsMeter *meter, uint64_t now)
{
  uint8_t first = meter->header[0];

  meter->left = payload_len (meter->header);
  if (first & CONTROL)
    /* RFC 6455, 5.5: "a payload length of 125 bytes or less". */
    return meter->left < LENGTH_16
           && bucket_take (&meter->controls, now, HUB_EDGE_CONTROLS_BURST,
               HUB_EDGE_CONTROLS_RATE, 1);
  if (meter->left > meter->limit || meter->message > meter->limit - meter->left
      || ++meter->fragments > HUB_EDGE_FRAGMENTS)
    return false;
  meter->message += meter->left;
  return true;
}

static void
end_frame (WsMeter *meter)
{
  uint8_t first = meter->header[0];

  if (!(first & CONTROL) && (first & FIN)) {
    meter->message = 0;
    meter->fragments = 0;
  }
  meter->frames++;
  meter->have = 0;
}

bool
ws_meter_take (WsMeter *meter, const uint8_t *bytes, size_t len, uint64_t now)
{
  Reader r = reader_init (bytes, len);

  while (reader_left (&r) > 0) {
    if (meter->have < 2 || meter->have < header_len (meter->header)) {
      meter->header[meter->have++] = (uint8_t) reader_uint (&r, 1);
      if (meter->have < 2 || meter->have < header_len (meter->header))
        continue;
      if (!begin_frame (meter, now))
        return false;
    } else {
      size_t n = (size_t) (meter->left < reader_left (&r) ? meter->left
                                                          : reader_left (&r));
      reader_take (&r, n);
      meter->left -= n;
    }
    if (meter->left == 0)
      end_frame (meter);
  }
  return true;
}

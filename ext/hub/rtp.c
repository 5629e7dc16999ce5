/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rtp.h"

#include "../sodium/reader.h"
#include "../sodium/writer.h"

#define ONE_BYTE_FORM 0xbede /* RFC 8285, 4.2 */

bool
hub_rtp_parse (const uint8_t *bytes, size_t len, HubRtp *rtp)
{
  Reader r = reader_init (bytes, len);
  uint8_t first = (uint8_t) reader_uint (&r, 1);
  uint8_t second = (uint8_t) reader_uint (&r, 1);

  *rtp = (HubRtp){ .marker = second >> 7,
    .payload_type = second & 0x7f,
    .padding = first >> 5 & 1 };
  rtp->seq = (uint16_t) reader_uint (&r, 2);
  rtp->timestamp = (uint32_t) reader_uint (&r, 4);
  rtp->ssrc = (uint32_t) reader_uint (&r, 4);
  reader_take (&r, 4 * (size_t) (first & 0x0f));
  if (first & 0x10) {
    uint64_t form = reader_uint (&r, 2);
    size_t n = 4 * (size_t) reader_uint (&r, 2);
    const uint8_t *elements = reader_take (&r, n);
    if (form == ONE_BYTE_FORM) {
      rtp->elements = elements;
      rtp->elements_len = n;
    }
  }
  rtp->head_len = len - reader_left (&r);
  return !r.failed && first >> 6 == 2;
}

const uint8_t *
hub_rtp_element (const HubRtp *rtp, uint8_t id, size_t *len)
{
  if (!rtp->elements)
    return NULL;
  Reader r = reader_init (rtp->elements, rtp->elements_len);
  while (reader_left (&r) > 0) {
    uint8_t head = (uint8_t) reader_uint (&r, 1);
    if (head == 0) /* padding */
      continue;
    if (head >> 4 == 15) /* RFC 8285, 4.2: stop there */
      return NULL;
    size_t n = (size_t) (head & 0x0f) + 1;
    const uint8_t *value = reader_take (&r, n);
    if (value && head >> 4 == id) {
      *len = n;
      return value;
    }
  }
  return NULL;
}

uint64_t
hub_nearest_index (uint64_t reference, uint16_t seq)
{
  uint64_t index = (reference & ~UINT64_C (0xffff)) | seq;

  if (index + 0x8000 < reference)
    return index + 0x10000;
  if (index > reference + 0x8000 && index >= 0x10000)
    return index - 0x10000;
  return index;
}

size_t
hub_rtx_wrap (const uint8_t *in, size_t len, size_t head_len,
    uint8_t payload_type, uint32_t ssrc, uint16_t seq, uint8_t *out)
{
  Writer w = writer_init (out, len + 2);

  writer_bytes (&w, in, 1);
  writer_uint (&w, (uint64_t) (in[1] & 0x80) | payload_type, 1);
  writer_uint (&w, seq, 2);
  writer_bytes (&w, in + 4, 4); /* "the timestamp of the original packet" */
  writer_uint (&w, ssrc, 4);
  writer_bytes (&w, in + HUB_RTP_MIN, head_len - HUB_RTP_MIN);
  writer_bytes (&w, in + 2, 2); /* the original sequence number, OSN */
  writer_bytes (&w, in + head_len, len - head_len);
  return writer_len (&w);
}

size_t
hub_rtx_unwrap (const uint8_t *in, size_t len, const HubRtp *rtp,
    uint8_t payload_type, uint32_t ssrc, uint16_t *seq, uint8_t *out)
{
  Reader r = reader_init (in, len);
  const uint8_t *head = reader_take (&r, rtp->head_len);
  *seq = (uint16_t) reader_uint (&r, 2);
  size_t payload_len = reader_left (&r);
  const uint8_t *payload = reader_take (&r, payload_len);

  if (r.failed || payload_len == 0)
    return 0;
  if (rtp->padding) {
    size_t padding = payload[payload_len - 1];
    if (padding == 0 || padding >= payload_len)
      return 0;
    payload_len -= padding;
  }
  size_t extra = rtp->head_len - HUB_RTP_MIN;
  Writer w = writer_init (out, len - 2);
  /* First what lies behind: `out` may be `in`, and all moves towards the front. */
  uint8_t *start = writer_take (&w, HUB_RTP_MIN);
  if (!start)
    return 0;
  uint8_t first = head[0] & 0xdf;
  memmove (start, head, HUB_RTP_MIN);
  memmove (start + HUB_RTP_MIN, head + HUB_RTP_MIN, extra);
  memmove (start + HUB_RTP_MIN + extra, payload, payload_len);
  Writer fixed = writer_init (start, HUB_RTP_MIN);
  writer_uint (&fixed, first, 1);
  writer_uint (&fixed, (uint64_t) (start[1] & 0x80) | payload_type, 1);
  writer_uint (&fixed, *seq, 2);
  writer_take (&fixed, 4);
  writer_uint (&fixed, ssrc, 4);
  return HUB_RTP_MIN + extra + payload_len;
}

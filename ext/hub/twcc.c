/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "twcc.h"

#define UNIT UINT64_C (250000) /* ns, 3.1.5 */
#define NEARLY_FULL (HUB_TWCC_WINDOW * 3 / 4)
#define FORMAT 15
#define RTPFB 205

/* 3.1.1 */
enum
{
  NOT_RECEIVED = 0,
  SMALL_DELTA = 1,
  LARGE_DELTA = 2
};

static uint32_t *
arrival_of (HubTwcc *twcc, uint16_t seq)
{
  return &twcc->arrivals[seq % HUB_TWCC_WINDOW];
}

bool
hub_twcc_count (HubTwcc *twcc, uint16_t seq, uint64_t now)
{
  uint16_t ahead = (uint16_t) (seq - twcc->first);
  uint32_t at = (uint32_t) (now / UNIT);

  if (!twcc->any && (!twcc->reported || ahead < 0x8000)
      && (ahead >= HUB_TWCC_WINDOW || !twcc->reported)) {
    twcc->first = seq;
    twcc->n = 0;
    ahead = 0;
  }
  if (ahead >= 0x8000) /* spoken of already */
    return false;
  if (ahead >= HUB_TWCC_WINDOW) {
    /* A gap that no feedback can bridge: it is not spoken of. */
    memset (twcc->arrivals, 0, sizeof twcc->arrivals);
    twcc->first = seq;
    twcc->n = 0;
    ahead = 0;
  }
  if (ahead >= twcc->n)
    twcc->n = (uint16_t) (ahead + 1);
  twcc->any = true;
  *arrival_of (twcc, seq) = at != 0 ? at : 1;
  return twcc->n >= NEARLY_FULL;
}

static void
write_chunks (Writer *w, const uint8_t *symbols, size_t n)
{
  for (size_t i = 0; i < n;) {
    size_t run = 1;
    while (i + run < n && symbols[i + run] == symbols[i])
      run++;
    if (run >= 7) { /* 3.1.3: run length */
      writer_uint (w, (uint64_t) symbols[i] << 13 | run, 2);
      i += run;
      continue;
    }
    uint64_t chunk = 3; /* 3.1.4: a vector of seven 2-bit symbols */
    for (size_t k = 0; k < 7; k++)
      chunk = chunk << 2 | (i + k < n ? symbols[i + k] : 0u);
    writer_uint (w, chunk, 2);
    i += 7;
  }
}

bool
hub_twcc_write (HubTwcc *twcc, Writer *w, uint32_t ssrc, uint32_t media)
{
  uint8_t symbols[HUB_TWCC_WINDOW];
  uint8_t deltas[2 * HUB_TWCC_WINDOW];
  Writer d = writer_init (deltas, sizeof deltas);
  uint16_t first = twcc->first, n = twcc->n, i;
  uint32_t reference = 0, last = 0;

  if (!twcc->any)
    return false;
  for (i = 0; i < n; i++) {
    uint32_t *arrival = arrival_of (twcc, (uint16_t) (first + i));
    symbols[i] = NOT_RECEIVED;
    if (*arrival == 0)
      continue;
    if (reference == 0) {
      reference = *arrival >> 8; /* in 64 ms */
      last = reference << 8;
      if (reference == 0) /* once in twelve days */
        reference = 1u << 24;
    }
    int32_t delta = (int32_t) (*arrival - last);
    if (delta < INT16_MIN || delta > INT16_MAX)
      break; /* the rest is the next one's */
    symbols[i] = delta >= 0 && delta <= 255 ? SMALL_DELTA : LARGE_DELTA;
    writer_uint (&d,
        (uint32_t) delta & (symbols[i] == SMALL_DELTA ? 0xff : 0xffff),
        symbols[i] == SMALL_DELTA ? 1 : 2);
    last = *arrival;
    *arrival = 0;
  }

  uint8_t *start = w->at;
  writer_uint (w, 0, 4);
  writer_uint (w, ssrc, 4);
  writer_uint (w, media, 4);
  writer_uint (w, first, 2);
  writer_uint (w, i, 2);
  writer_uint (w, reference & 0xffffff, 3);
  writer_uint (w, twcc->n_sent++, 1);
  write_chunks (w, symbols, i);
  writer_bytes (w, deltas, writer_len (&d));

  size_t padding = 0;
  if (!w->failed && (w->at - start) % 4 != 0) {
    padding = 4 - (size_t) (w->at - start) % 4;
    for (size_t k = 1; k <= padding; k++)
      writer_uint (w, k == padding ? padding : 0, 1);
  }
  if (!w->failed) {
    Writer head = writer_init (start, 4);
    writer_uint (&head, (2 << 6) | (padding ? 1 << 5 : 0) | FORMAT, 1);
    writer_uint (&head, RTPFB, 1);
    writer_uint (&head, (uint64_t) (w->at - start) / 4 - 1, 2);
  }
  twcc->first = (uint16_t) (first + i);
  twcc->n = (uint16_t) (n - i);
  twcc->any = twcc->n > 0;
  twcc->reported = true;
  return !w->failed;
}

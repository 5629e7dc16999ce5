/* Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01): when which packet of a publisher arrived.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../sodium/writer.h"

#define HUB_TWCC_WINDOW 256u /* packets between two feedbacks */
#define HUB_TWCC_MAX 640u    /* bytes of a feedback packet about so many */

typedef struct
{
  bool any;      /* something arrived since the last feedback */
  bool reported; /* `first` follows what the last feedback spoke of */
  uint8_t n_sent;
  uint16_t first,
      n; /* sequence numbers `first` up to `first` + n - 1 are spoken of next */
  uint32_t arrivals
      [HUB_TWCC_WINDOW]; /* of seq modulo the window, in 250 us modulo 2^32; 0: not arrived */
} HubTwcc;

/* Packet `seq` arrived at `now`, ns. True when the window is nearly full and a feedback should go now. */
bool hub_twcc_count (HubTwcc *twcc, uint16_t seq, uint64_t now);

/* Appends a feedback packet of `ssrc` about the stream `media`, HUB_TWCC_MAX bytes at most; false when there is nothing to
 * tell. A new window begins. */
bool hub_twcc_write (HubTwcc *twcc, Writer *w, uint32_t ssrc, uint32_t media);

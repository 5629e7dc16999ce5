/* Counters with one writer, the media thread; anybody may read.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "forwarder.h"

#include <stdatomic.h>

typedef _Atomic uint64_t HubCount;

typedef struct
{
  HubCount n[HUB_N_COUNTERS];
} HubCounters;

/* No read-modify-write is needed where only one writes: an ordinary addition. */
static inline void
hub_count_add (HubCount *count, uint64_t n)
{
  atomic_store_explicit (count,
      atomic_load_explicit (count, memory_order_relaxed) + n,
      memory_order_relaxed);
}

static inline uint64_t
hub_count_read (const HubCount *count)
{
  return atomic_load_explicit (count, memory_order_relaxed);
}

static inline void
hub_count (HubCounters *counters, HubCounter which)
{
  hub_count_add (&counters->n[which], 1);
}

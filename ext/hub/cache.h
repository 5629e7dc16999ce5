/* The last packets of one track, for NACK and for pacing: a ring of bytes and an index over it. Packets are kept as the
 * publisher protected them end to end, without the hop's SRTP.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct
{
  uint64_t index;    /* 48-bit packet index */
  uint64_t position; /* in the stream of all bytes; 0: free */
  uint16_t len, head_len;
} HubCached;

typedef struct HubCache HubCache;

/* Room for `n_packets`, a power of two, and `n_bytes`, a multiple of the page size. The pages cost nothing before packets
 * come. NULL when memory is short. */
HubCache *hub_cache_new (size_t n_packets, size_t n_bytes);

/* Takes NULL. */
void hub_cache_free (HubCache *cache);

size_t hub_cache_bytes (const HubCache *cache);

/* Room for the next packet, at most a quarter of the ring; what lay there is lost. */
uint8_t *hub_cache_reserve (HubCache *cache, size_t len);

/* The room that was reserved last holds packet `index` now, `len` bytes. */
void hub_cache_commit (
    HubCache *cache, uint64_t index, size_t len, size_t head_len);

/* NULL when it is not there (any more). The bytes hold until the next reserve. */
const HubCached *hub_cache_find (
    const HubCache *cache, uint64_t index, const uint8_t **bytes);

/* Forgets all and gives the pages back to the system. */
void hub_cache_forget (HubCache *cache);

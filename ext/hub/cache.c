/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct HubCache
{
  uint8_t *ring;
  size_t size;
  uint64_t written; /* where the next packet begins; never 0 */
  uint64_t
      dirty; /* up to where bytes may have been overwritten: a failed packet's too */
  size_t n_slots;
  HubCached
      *slots; /* by index modulo n_slots; behind the ring, in the same pages */
};

static size_t
pages_of (const HubCache *cache)
{
  return cache->size + cache->n_slots * sizeof (HubCached);
}

HubCache *
hub_cache_new (size_t n_packets, size_t n_bytes)
{
  HubCache *cache = calloc (1, sizeof *cache);
  if (!cache)
    return NULL;
  cache->size = n_bytes;
  cache->n_slots = n_packets;
  cache->written = cache->dirty = n_bytes;
  void *pages = mmap (NULL, pages_of (cache), PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) {
    free (cache);
    return NULL;
  }
  cache->ring = pages;
  cache->slots = (HubCached *) (void *) (cache->ring + n_bytes);
  return cache;
}

void
hub_cache_free (HubCache *cache)
{
  if (!cache)
    return;
  munmap (cache->ring, pages_of (cache));
  free (cache);
}

size_t
hub_cache_bytes (const HubCache *cache)
{
  return pages_of (cache);
}

uint8_t *
hub_cache_reserve (HubCache *cache, size_t len)
{
  size_t at = (size_t) (cache->written % cache->size);

  if (cache->size - at < len) {
    cache->written += cache->size - at;
    at = 0;
  }
  if (cache->written + len > cache->dirty)
    cache->dirty = cache->written + len;
  return cache->ring + at;
}

void
hub_cache_commit (HubCache *cache, uint64_t index, size_t len, size_t head_len)
{
  cache->slots[index & (cache->n_slots - 1)] = (HubCached){ .index = index,
    .position = cache->written,
    .len = (uint16_t) len,
    .head_len = (uint16_t) head_len };
  cache->written += len;
}

const HubCached *
hub_cache_find (const HubCache *cache, uint64_t index, const uint8_t **bytes)
{
  const HubCached *slot = &cache->slots[index & (cache->n_slots - 1)];

  if (slot->position == 0 || slot->index != index
      || slot->position + cache->size < cache->dirty)
    return NULL;
  *bytes = cache->ring + slot->position % cache->size;
  return slot;
}

void
hub_cache_forget (HubCache *cache)
{
  /* Private anonymous pages come back as zeros: the slots are free then. */
  if (madvise (cache->ring, pages_of (cache), MADV_DONTNEED) != 0)
    memset (cache->slots, 0, cache->n_slots * sizeof (HubCached));
}

/* A queue of fixed-size messages from one thread to one other, without locks.
 *
 * Each end is touched by its own thread only. Nobody is woken here.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HUB_RING_SLOTS 4096u /* a power of two */
#define HUB_RING_MESSAGE 64u /* bytes: a cache line */

typedef struct
{
  /* Each on a cache line of its own, or the two threads would take them from each other at every message. */
  alignas (64) _Atomic uint32_t
      taken; /* messages, modulo 2^32; written by the reader */
  alignas (64) _Atomic uint32_t put; /* likewise by the writer */
  alignas (64) uint8_t (*slots)[HUB_RING_MESSAGE];
} HubRing;

static inline bool
hub_ring_init (HubRing *ring)
{
  atomic_init (&ring->taken, 0);
  atomic_init (&ring->put, 0);
  ring->slots = aligned_alloc (64, (size_t) HUB_RING_SLOTS * HUB_RING_MESSAGE);
  return ring->slots != NULL;
}

static inline void
hub_ring_clear (HubRing *ring)
{
  free (ring->slots);
  ring->slots = NULL;
}

/* For the writer: how many messages fit now. */
static inline uint32_t
hub_ring_room (HubRing *ring)
{
  return HUB_RING_SLOTS
         - (atomic_load_explicit (&ring->put, memory_order_relaxed)
             - atomic_load_explicit (&ring->taken, memory_order_acquire));
}

/* For the writer: `len` bytes, at most HUB_RING_MESSAGE. False when it is full. */
static inline bool
hub_ring_put (HubRing *ring, const void *message, size_t len)
{
  uint32_t put = atomic_load_explicit (&ring->put, memory_order_relaxed);

  if (hub_ring_room (ring) == 0)
    return false;
  memcpy (ring->slots[put % HUB_RING_SLOTS], message, len);
  /* Sequentially consistent, as are the flag of the sleeper and its look at the ring: one of the two threads must see the
   * other's store. */
  atomic_store (&ring->put, put + 1);
  return true;
}

/* For the reader. False when it is empty. */
static inline bool
hub_ring_take (HubRing *ring, void *message, size_t len)
{
  uint32_t taken = atomic_load_explicit (&ring->taken, memory_order_relaxed);

  if (atomic_load (&ring->put) == taken)
    return false;
  memcpy (message, ring->slots[taken % HUB_RING_SLOTS], len);
  atomic_store_explicit (&ring->taken, taken + 1, memory_order_release);
  return true;
}

/* For the reader. */
static inline bool
hub_ring_is_empty (HubRing *ring)
{
  return atomic_load (&ring->put)
         == atomic_load_explicit (&ring->taken, memory_order_relaxed);
}

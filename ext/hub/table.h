/* Hash tables of the media thread. Their memory is given to them, so that looking up, entering and removing never allocates;
 * the hash is keyed, so that who chooses addresses or SSRCs can't choose collisions.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HUB_KEY_BYTES 20

typedef struct
{
  uint8_t bytes[HUB_KEY_BYTES];
} HubKey;

typedef struct HubTableMemory HubTableMemory;

typedef struct
{
  uint8_t secret[crypto_shorthash_KEYBYTES];
  HubTableMemory *memory;
  size_t n; /* entries */
} HubTable;

/* Memory for `n` entries, at most half full with them; NULL when memory is short. One free() ends it. */
HubTableMemory *hub_table_memory_new (size_t n);

/* The number of entries that it was made for, or more. */
size_t hub_table_memory_room (const HubTableMemory *memory);

/* An empty table. */
void hub_table_init (HubTable *table, HubTableMemory *memory);

/* Moves to other memory, which has room for all entries. Returns the former, for the caller to free. */
HubTableMemory *hub_table_move (HubTable *table, HubTableMemory *memory);

void *hub_table_find (const HubTable *table, const HubKey *key);

/* Enters or replaces. False when the memory has no more room. */
bool hub_table_put (HubTable *table, const HubKey *key, void *value);

void hub_table_remove (HubTable *table, const HubKey *key);

/* Two numbers as a key: (room, SSRC), (transport, SSRC). */
static inline HubKey
hub_key_pair (uint32_t a, uint32_t b)
{
  HubKey key = { { 0 } };
  memcpy (key.bytes, &a, sizeof a);
  memcpy (key.bytes + sizeof a, &b, sizeof b);
  return key;
}

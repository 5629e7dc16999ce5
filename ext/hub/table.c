/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"

#include <stdlib.h>

typedef struct
{
  HubKey key;
  uint32_t hash;
  void *value; /* NULL: free */
} Slot;

struct HubTableMemory
{
  size_t n_slots; /* a power of two, at least twice `room` */
  size_t room;
  Slot slots[];
};

HubTableMemory *
hub_table_memory_new (size_t n)
{
  size_t n_slots = 16;
  while (n_slots < 2 * n)
    n_slots *= 2;
  HubTableMemory *memory =
      calloc (1, sizeof *memory + n_slots * sizeof (Slot));
  if (memory) {
    memory->n_slots = n_slots;
    memory->room = n_slots / 2;
  }
  return memory;
}

size_t
hub_table_memory_room (const HubTableMemory *memory)
{
  return memory->room;
}

void
hub_table_init (HubTable *table, HubTableMemory *memory)
{
  crypto_shorthash_keygen (table->secret);
  table->memory = memory;
  table->n = 0;
}

static uint32_t
hash_of (const HubTable *table, const HubKey *key)
{
  uint8_t hash[crypto_shorthash_BYTES];
  uint32_t low;

  crypto_shorthash (hash, key->bytes, sizeof key->bytes, table->secret);
  memcpy (&low, hash, sizeof low);
  return low;
}

/* The slot that has `key`, or the free one where it would be. */
static Slot *
slot_of (HubTableMemory *memory, const HubKey *key, uint32_t hash)
{
  size_t mask = memory->n_slots - 1;
  size_t i = hash & mask;

  while (memory->slots[i].value
         && (memory->slots[i].hash != hash
             || memcmp (
                    &memory->slots[i].key, key, sizeof *key) /* public bytes */
                    != 0))
    i = (i + 1) & mask;
  return &memory->slots[i];
}

HubTableMemory *
hub_table_move (HubTable *table, HubTableMemory *memory)
{
  HubTableMemory *old = table->memory;

  for (size_t i = 0; i < old->n_slots; i++)
    if (old->slots[i].value)
      *slot_of (memory, &old->slots[i].key, old->slots[i].hash) =
          old->slots[i];
  table->memory = memory;
  return old;
}

void *
hub_table_find (const HubTable *table, const HubKey *key)
{
  return slot_of (table->memory, key, hash_of (table, key))->value;
}

bool
hub_table_put (HubTable *table, const HubKey *key, void *value)
{
  uint32_t hash = hash_of (table, key);
  Slot *slot = slot_of (table->memory, key, hash);

  if (!slot->value) {
    if (table->n >= table->memory->room)
      return false;
    table->n++;
  }
  *slot = (Slot){ *key, hash, value };
  return true;
}

void
hub_table_remove (HubTable *table, const HubKey *key)
{
  HubTableMemory *memory = table->memory;
  size_t mask = memory->n_slots - 1;
  Slot *slot = slot_of (memory, key, hash_of (table, key));

  if (!slot->value)
    return;
  table->n--;
  /* Entries behind the hole that would not be found any more move into it. */
  size_t hole = (size_t) (slot - memory->slots);
  for (size_t i = (hole + 1) & mask; memory->slots[i].value;
       i = (i + 1) & mask) {
    size_t home = memory->slots[i].hash & mask;
    if (((i - home) & mask) >= ((i - hole) & mask)) {
      memory->slots[hole] = memory->slots[i];
      hole = i;
    }
  }
  memory->slots[hole].value = NULL;
}

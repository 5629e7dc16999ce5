/* For tests, fuzzers and benchmarks of MLS: members that are quickly made, and a random source that repeats itself.
 * Plain C: no GLib.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ext/mls/group.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A stream of pseudo-random bytes from a seed: ChaCha20 of a counter. */
typedef struct
{
  uint8_t seed[randombytes_SEEDBYTES];
  uint64_t drawn;
} Dice;

static inline Dice
dice_new (uint64_t seed)
{
  Dice dice = { { 0 }, 0 };
  memcpy (dice.seed, &seed, sizeof seed);
  return dice;
}

static inline void
dice_draw (void *user, void *out, size_t len)
{
  Dice *dice = user;
  memcpy (dice->seed + sizeof (uint64_t), &dice->drawn, sizeof dice->drawn);
  dice->drawn++;
  randombytes_buf_deterministic (out, len, dice->seed);
}

/* 0 to n - 1. */
static inline uint32_t
dice_below (Dice *dice, uint32_t n)
{
  uint32_t value;
  dice_draw (dice, &value, sizeof value);
  return n > 0 ? value % n : 0;
}

static inline bool
dice_chance (Dice *dice, uint32_t percent)
{
  return dice_below (dice, 100) < percent;
}

#define TEST_EXTENSION                                                        \
  0xf0c1 /* private use: what a group's policy would be in */

typedef struct
{
  uint32_t number;
  char name[32];
  MlsSuite suite;
  Secret *seed;
  MlsRandom random;
} Person;

static inline Person
person_new (MlsSuite suite, uint32_t number, Dice *dice)
{
  Person p = { number, "", suite, secret_new (MLS_KEY_LEN),
    { dice ? dice_draw : NULL, dice } };
  snprintf (p.name, sizeof p.name, "member %u", number);
  if (dice)
    dice_draw (dice, secret_bytes (p.seed), MLS_KEY_LEN);
  else
    randombytes_buf (secret_bytes (p.seed), MLS_KEY_LEN);
  return p;
}

static inline void
person_clear (Person *p)
{
  secret_unref (p->seed);
  p->seed = NULL;
}

static inline MlsClient
person_client (const Person *p)
{
  static const uint16_t extensions[] = { TEST_EXTENSION };
  MlsClient client = { .suite = p->suite,
    .signature_seed = p->seed,
    .credential = { (const uint8_t *) p->name, strlen (p->name) },
    .extension_types = extensions,
    .n_extension_types = 1,
    .not_before = 1000,
    .not_after = 2000,
    .grease = true,
    .random = p->random };
  return client;
}

static inline MlsKeyPackage *
person_key_package (const Person *p)
{
  MlsClient client = person_client (p);
  MlsKeyPackage *kp = NULL;
  return mls_key_package_new (&client, &kp) == MLS_OK ? kp : NULL;
}

static inline MlsGroup *
person_create (
    const Person *p, const char *group_id, const MlsSettings *settings)
{
  MlsClient client = person_client (p);
  MlsGroup *group = NULL;
  return mls_group_create (&client, mls_slice (group_id, strlen (group_id)),
             (MlsSlice){ 0 }, settings, &group)
                 == MLS_OK
             ? group
             : NULL;
}

/* Processes a message that must be a commit, and merges it. */
static inline MlsResult
take_commit (MlsGroup *group, MlsSlice message)
{
  MlsEvent event;
  MlsResult result = mls_group_process (group, message, 0, &event);
  if (result == MLS_OK && event.commit) {
    MlsStaged *staged = event.commit;
    event.commit = NULL;
    result = mls_group_merge (group, staged, 0);
  }
  mls_event_clear (&event);
  return result;
}

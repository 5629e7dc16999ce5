/* What is true of a simulated meeting, by what its script did; shared by truth.c, invariants.c and tap.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim.h"

typedef struct
{
  uint8_t key[IDENTITY_KEY_LEN];
  uint32_t leaf;
  Role role;
} Seat;

/* An epoch as the first honest member had it. All who have the same authenticator must agree. */
typedef struct
{
  uint8_t authenticator[MLS_HASH_LEN];
  uint8_t group[DOOR_GROUP_ID_LEN];
  uint64_t epoch;
  GArray *seats; /* Seat, by leaf */
  Policy policy;
  char code[SECURITY_CODE_SIZE];
  uint8_t base_key[SECRET_MAX];
  size_t base_key_len;
  uint8_t room[LIMIT_ROOM]; /* in which life of the room */
  uint64_t seen;            /* when the first honest member came into it */
  bool
      removed_somebody; /* a key that was in the one before it is not in this one */
} EpochTruth;

typedef struct
{
  IntentType type;
  Person *who;
  uint8_t key[IDENTITY_KEY_LEN];
  uint64_t value, at;
  bool spent;
} Intent;

/* Somebody whom a person removed, once it was out. */
typedef struct
{
  const EpochTruth *epoch; /* the first without it */
  const Person *who;       /* removed it, */
  uint64_t crashes;        /* in this life */
  bool owner_knows;        /* the owner has been in that group since */
} Removed;

struct Truth
{
  GHashTable *epochs;  /* authenticator to EpochTruth */
  GHashTable *numbers; /* group and epoch to EpochTruth: one order */
  GArray *intents;
  GHashTable *admitted; /* keys that a person let in */
  GHashTable *removed;  /* key to Removed */
  GHashTable *members;  /* keys that were ever in */
  bool liar_was_admin;
};

EpochTruth *truth_epoch (World *world, const uint8_t *authenticator);
const Seat *truth_seat (const EpochTruth *epoch, const uint8_t *key);

/* Takes a wish of somebody who may have it; false when there is none left. `key` may be NULL for any. */
bool truth_spend (
    World *world, IntentType type, const uint8_t *key, uint64_t value);
bool truth_any (World *world, IntentType type, const uint8_t *key);
/* `epoch` is the first that somebody has seen without `key`, whose removal a person wanted. */
void truth_removed (World *world, const uint8_t *key, const EpochTruth *epoch);
/* Whether somebody who was removed must not be in `epoch`. */
bool truth_is_barred (
    World *world, const uint8_t *key, const EpochTruth *epoch);
/* The owner has come into `epoch`. */
void truth_owner_in (World *world, const EpochTruth *epoch);
bool truth_key_in (GHashTable *set, const uint8_t *key);
void truth_put_key (GHashTable *set, const uint8_t *key);

/* The hub has told no lie in this world and will not. */
static inline bool
hub_is_honest (const World *world)
{
  return !world->adversary || !(world->adversary->powers & LIES_AS_HUB);
}

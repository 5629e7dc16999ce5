/* What the invariants remember of one person's session.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "truth.h"

/* A key that is open for a media element. */
typedef struct
{
  uint64_t kid, epoch;
  uint8_t identity[IDENTITY_KEY_LEN];
  uint32_t leaf, track;
  bool own;
  uint64_t opened;      /* world time */
  uint64_t newer_heard; /* when a frame of a newer epoch was; 0 for not yet */
} OpenKey;

/* An epoch that has ended for this member. */
typedef struct
{
  uint64_t epoch, at;
  bool removed_somebody;
} Passed;

typedef struct
{
  uint8_t identity[IDENTITY_KEY_LEN];
  uint64_t ssrc, number;
} OpenSsrc;

typedef struct Watch
{
  EpochTruth *epoch; /* NULL in none */
  GArray *keys;      /* OpenKey */
  GArray *passed;    /* Passed, of the group it is in */
  GArray *tracks;    /* OpenSsrc */
  uint64_t *
      apart; /* by person: since when it is in another epoch than this admin; 0 for not */
  uint64_t rejoining; /* since */
  bool seated;        /* somebody who lies: was seen in a roster, with */
  Role role;
  char name[LIMIT_NAME + 1];
} Watch;

Watch *watch_of (Person *person);

/* invariants_keys.c */
void keys_turn (Person *person);
void keys_second (Person *person);

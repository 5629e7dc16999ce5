/* Somebody who lies and is in the group: has its keys, by looking into its own session.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim.h"

#include "ext/mls/group.h"

/* Of a member's session; NULL in none. */
MlsGroup *insider_group (const Person *person);
const uint8_t *insider_room (const Person *person);
/* Whether an admin has a chain from the link's host, or is it. */
bool insider_can_show (const Person *person);

/* A frame of the group: on the liar's own connection, or with the hub's help on an admin's. */
void insider_send (
    Person *person, WireKind kind, MlsSlice message, bool by_the_hub);

/* An application message with this content. */
void insider_say (Person *person, const Message *message);

/* What nobody can read, of the epoch that comes after so many more. */
void insider_say_ahead (Person *person, uint64_t epochs, bool as_commit);

typedef enum
{
  COMMIT_PLAIN,        /* nothing but fresh keys */
  COMMIT_PROMOTE,      /* itself an admin */
  COMMIT_UNLOCK,       /* changes the policy, as no admin */
  COMMIT_NAME,         /* another name in its leaf */
  COMMIT_ROLE,         /* another role */
  COMMIT_CAPABILITIES, /* other capabilities */
  COMMIT_UNLOCK_ADD,   /* unlocks, and adds in the same commit */
  COMMIT_LOCKED_ADD,
  COMMIT_NO_REQUIRED, /* drops required_capabilities */
  COMMIT_EXTERNAL_SENDERS,
  COMMIT_OPENED, /* another `opened` */
  COMMIT_BITS,   /* other epoch_bits */
  COMMIT_OWN,    /* itself the owner */
  COMMIT_REMOVE_OWNER,
  COMMIT_NO_ROLE, /* adds a leaf without a role */
  COMMIT_TWICE,   /* adds a key that is there */
  COMMIT_TOO_MANY,
  COMMIT_NOBODY,   /* leaves no admin */
  COMMIT_RECORDER, /* adds one while nobody may record */
  COMMIT_PUBLIC,
  COMMIT_DATA, /* authenticated_data */
  COMMIT_REFERENCE,
  COMMIT_REINIT,
  COMMIT_N_BENDS
} CommitBend;

/* Sends it, and notes where it would lead. False when there was nothing to make it of. */
bool insider_commit (Person *person, CommitBend bend, bool by_the_hub);

/* Clients that speak the protocol by hand: at the door from outside (a joiner that bends one rule), and from inside (a host
 * that does). Which rule is `bend`; with none they do all as they should, which shows that it is the bend that is refused.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim.h"

#include "ext/mls/group.h"

/* Connects, unless it is. */
void fake_connect (Person *person);
/* A text frame to the hub. */
void fake_send (Person *person, const WireMessage *message);
void fake_send_binary (
    Person *person, const WireHeader *header, MlsSlice message);

/* What an MLS client of this person is made of; `role_byte` and `role` hold what it points into. */
MlsClient fake_mls_client (const Person *person, MlsSuite suite,
    const char *name, Role role, MlsExtension *extension, uint8_t *role_byte);

typedef enum
{
  JOINER_HONEST,
  JOINER_GUESSES,   /* with a wrong password, again and again */
  JOINER_STOPS,     /* after `reply`, again and again */
  JOINER_FLOODS,    /* knocks that nobody needs */
  JOINER_OTHER_REF, /* another key package than ADa named */
  JOINER_SAME_REF,  /* one key package in two runs */
  JOINER_SAME_SID,
  JOINER_BAD_SIG,       /* sigJ by another key */
  JOINER_BAD_NAME,      /* not in normalization form C */
  JOINER_CONTROL_NAME,  /* with a character that changes the direction */
  JOINER_OLD,           /* a key package whose time is over */
  JOINER_FOR_EVER,      /* or never ends */
  JOINER_LATE,          /* the proof, 33 s after the reply */
  JOINER_NO_ROLE,       /* a leaf without a role */
  JOINER_CLAIMS_MEMBER, /* a member's key, and no signature of it */
  JOINER_N_BENDS
} JoinerBend;

/* A person that joins like this; not started. */
Person *fake_joiner (World *world, JoinerBend bend);
/* A bent run must never succeed. */
bool fake_joiner_is_in (const Person *person);

typedef enum
{
  HOST_HONEST,
  HOST_BAD_SIG,      /* claims the owner's key and can't sign with it */
  HOST_NO_CHAIN,     /* its own key, and nothing that names it */
  HOST_OWN_KEY,      /* has the joiner's key */
  HOST_BAD_CHAIN,    /* a chain signed by nobody */
  HOST_GUESSES,      /* tries a password at each run, and says `again` */
  HOST_OTHER_HASH,   /* another Welcome than the box names */
  HOST_OTHER_SIGNER, /* GroupInfo signed by another member */
  HOST_OTHER_GROUP,
  HOST_BAD_TREE,  /* a member without a role */
  HOST_TOO_MANY,  /* more members than the policy allows */
  HOST_EXTENSION, /* an extension beside the two */
  HOST_OTHER_MEETING,
  HOST_NOT_ADMIN, /* neither owner nor admin of its own policy */
  HOST_EXTERNAL,  /* offers joins without a host */
  HOST_N_BENDS
} HostBend;

/* Somebody who opens the meeting in the owner's stead. With a bend up to HOST_GUESSES it is not the owner; beyond, it has
 * the owner's key. */
Person *fake_host (World *world, HostBend bend);

/* Makes the next Welcomes offer external joins. */
extern bool fake_offer_external;

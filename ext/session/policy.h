/* What a meeting's members hold each other to: the policy, a GroupContext extension, and each leaf's role (docs/protocol,
 * "The group").
 *
 *     enum { reserved(0), waiting_room(1), password(2), allow_list(3), open(4), (255) } Admission;
 *     enum { reserved(0), everyone(1), admins(2), nobody(3), (255) } Who;
 *     enum { reserved(0), end(1), longest_present(2), (255) } HandOver;
 *     enum { reserved(0), participant(1), listener(2), recorder(3), (255) } Role;     opaque IdentityKey[32];
 *     struct { uint8 version; opaque meeting<V>; uint64 opened; IdentityKey owner; IdentityKey admins<V>;
 *              Admission admission; uint8 locked; Who screen_share; Who recording; uint8 consent; HandOver hand_over;
 *              uint16 sframe_suite; uint8 epoch_bits; uint8 index_bits; uint16 max_members; } ConclavePolicy;
 *     struct { Role role; } ConclaveRole;
 *
 * in the encoding of RFC 9420. A policy has one encoding. Pure functions; any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "limits.h"

#include <string.h>

#define POLICY_EXTENSION 0xf0c1 /* in the GroupContext */
#define ROLE_EXTENSION 0xf0c2   /* in each leaf */
#define POLICY_VERSION 1

typedef enum
{
  ADMISSION_WAITING_ROOM = 1, /* a person decides about each */
  ADMISSION_PASSWORD,         /* who proves the password is let in */
  ADMISSION_ALLOW_LIST,       /* whose key is listed is let in, nobody else */
  ADMISSION_OPEN              /* everybody is let in */
} Admission;

typedef enum
{
  WHO_EVERYONE = 1,
  WHO_ADMINS,
  WHO_NOBODY
} Who;

typedef enum
{
  HAND_OVER_END = 1, /* the meeting ends when its owner leaves */
  HAND_OVER_LONGEST_PRESENT /* the admin, or else the participant, with the lowest leaf takes over */
} HandOver;

typedef enum
{
  ROLE_PARTICIPANT = 1,
  ROLE_LISTENER,
  ROLE_RECORDER
} Role;

typedef struct
{
  uint8_t version;
  char meeting[DOOR_MAX_MEETING + 1];
  uint64_t opened; /* ms since 1970 */
  uint8_t owner[IDENTITY_KEY_LEN];
  size_t n_admins;
  uint8_t
      admins[LIMIT_ADMINS]
            [IDENTITY_KEY_LEN]; /* ascending, distinct, without the owner */
  Admission admission;
  bool locked;
  Who screen_share;
  Who recording;
  bool consent; /* recorders ask first */
  HandOver hand_over;
  uint16_t sframe_suite;
  uint8_t epoch_bits, index_bits;
  uint16_t max_members;
} Policy;

/* The longest encoding: of 64 bytes of meeting and 15 admins. */
#define POLICY_MAX_SIZE                                                       \
  (1 + 1 + DOOR_MAX_MEETING + 8 + 32 + 2 + LIMIT_ADMINS * 32 + 6 + 2 + 1 + 1  \
      + 2)

/* The protocol's defaults: waiting room, everybody may share a screen, admins may record and ask first, the meeting ends
 * with its owner, AES-256-GCM, 8 epoch bits, 10 index bits, 1,000 members. Meeting, time and owner are the caller's. */
Policy policy_default (void);

/* True when every field has a value that may stand in an encoding; what parsing demands and writing refuses without. */
bool policy_is_sound (const Policy *policy);

/* Writes the extension's data; fails on a policy that is not sound. */
void policy_write (Writer *w, const Policy *policy);

/* What became of reading a policy. A version that we don't know is told apart, for a joiner to say so. */
typedef enum
{
  POLICY_OK,
  POLICY_MALFORMED, /* unknown enum values, trailing bytes, wrong order, a limit broken */
  POLICY_OTHER_VERSION
} PolicyResult;

PolicyResult policy_parse (Reader in, Policy *out);

bool policy_is_admin (
    const Policy *policy, const uint8_t *key); /* the owner too */
bool policy_is_owner (const Policy *policy, const uint8_t *key);

/* In their place among the others. False when there is no room, or it is there, or the owner. */
bool policy_add_admin (Policy *policy, const uint8_t *key);
bool policy_drop_admin (Policy *policy, const uint8_t *key);

/* Identity keys are public: what compares them may stop at the first difference. */
static inline int
key_order (const uint8_t *a, const uint8_t *b)
{
  return memcmp (a, b, IDENTITY_KEY_LEN);
}

static inline bool
key_equal (const uint8_t *a, const uint8_t *b)
{
  return key_order (a, b) == 0;
}

/* True when all fields are equal. */
bool policy_equal (const Policy *a, const Policy *b);

/* True when version, meeting, opened, sframe_suite, epoch_bits and index_bits are equal: what never changes. */
bool policy_same_constants (const Policy *a, const Policy *b);

void role_write (Writer *w, Role role);
bool role_parse (Reader in, Role *out);

/* "participant", "waiting-room", …; static. And back: false for none. */
const char *role_name (Role role);
const char *admission_name (Admission admission);
bool admission_from_name (const char *name, Admission *out);

/* True for a display name as every member judges it: UTF-8, 1 to LIMIT_NAME bytes, no control characters, no line or
 * paragraph separators, no characters that change the direction of writing. */
bool name_is_valid (const char *name, size_t len);

/* True when it is in normalization form C, too: what the admin who adds somebody demands. Not every member does, for what is
 * normal depends on the version of Unicode that one was built with, and a commit must be valid for all or none. */
bool name_is_normal (const char *name, size_t len);

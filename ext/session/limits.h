/* Every limit and time of the protocol "conclave/1", with the section of docs/protocol/session.md that it belongs to.
 *
 * Those marked "agreed" decide what is valid: members that differed in one would part, so they are not settings. The
 * others bound what one side keeps or how long it waits, and may be made stricter by nobody but their owner.
 *
 * Times are in milliseconds, sizes in bytes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ext/mls/types.h"
#include "ext/sodium/door.h"

/* ---- To the hub ---- */
#define LIMIT_CHALLENGE 32   /* of `hello` */
#define LIMIT_TOKEN 32       /* of a place: brings back a lost connection */
#define LIMIT_ROOM 16        /* names one life of a room at a hub */
#define LIMIT_SPKI_HASH 32   /* SHA-256 of the hub's SubjectPublicKeyInfo */
#define LIMIT_PLACE_MS 30000 /* how long a place survives its connection */
#define LIMIT_SOURCE 64      /* the hub's label of where a knock comes from */
#define LIMIT_NUMBER                                                          \
  ((UINT64_C (1) << 53)                                                       \
      - 1) /* of JSON: what every reader has exactly; agreed */

/* ---- The door ---- */
#define LIMIT_KNOCKS_OUT 16 /* knocks that one admin works on at a time */
#define LIMIT_DISMISSED                                                       \
  64 /* places that the hub was told to end, and has not yet */
#define LIMIT_WAITING 256 /* proven joiners that one admin shows to a person */
#define LIMIT_PROOF_MS 30000 /* from `reply` to a valid Ta */
#define LIMIT_ADMITTED_MS                                                     \
  60000 /* who was let in and is not heard of begins again when our connection is back */
#define LIMIT_SEEN                                                            \
  4096 /* sids, and references of key packages, that never come twice */
#define LIMIT_SOURCE_TOKENS 5 /* replies to one source at once, */
#define LIMIT_SOURCE_MS 60000 /* and one more after each of these */
#define LIMIT_MEETING_TOKENS                                                  \
  20 /* replies of the meeting at once, over all admins, */
#define LIMIT_MEETING_MIN_TOKENS 4 /* but at least these of each; */
#define LIMIT_MEETING_PER_MIN                                                 \
  2 /* and 2/a of them more a minute, for a admins */
#define LIMIT_MEMBER_TOKENS 20 /* replies to one pinned key that comes back */
#define LIMIT_SOURCES 1024 /* sources and keys whose tokens are remembered */
#define LIMIT_LIFETIME_S                                                      \
  (48 * 3600) /* of a key package, around the adding admin's clock */
#define LIMIT_REFUSED_AGAIN_MS                                                \
  2000 /* a refusal of the budget asks the joiner to wait at least this */

/* ---- The group ---- */
#define LIMIT_NAME 64           /* bytes of a display name; agreed */
#define LIMIT_ADMINS 15         /* beside the owner; agreed */
#define LIMIT_MEMBERS 4096      /* leaves of a tree; agreed */
#define LIMIT_MAX_EPOCH_BITS 16 /* agreed */
#define LIMIT_MAX_INDEX_BITS 16 /* agreed */
#define LIMIT_COMMIT                                                          \
  MLS_MAX_MESSAGE          /* agreed; no implementation may take less */
#define LIMIT_BATCH_MS 100 /* joiners within this share a commit */
#define LIMIT_LEAVE_MIN_MS                                                    \
  250 /* `bye` and `gone` wait n/200 s, between these two, */
#define LIMIT_LEAVE_MAX_MS 5000 /* and share a commit */
#define LIMIT_DUTY_MS                                                         \
  2000 /* the k-th admin does what is undone after k of these */
#define LIMIT_UNREADABLE_MS                                                   \
  2000 /* behind the others for this long: knock again */
#define LIMIT_PROBE_MS                                                        \
  1000 /* between two words by which others see that they are not behind, */
#define LIMIT_PROBES 3        /* by admins and so many others */
#define LIMIT_REJOIN_MS 60000 /* at most LIMIT_REJOINS of that in this time */
#define LIMIT_REJOINS 3
#define LIMIT_BAD_PATH_MS                                                     \
  60000 /* so many malformed paths of one admin in this time are reported by name */
#define LIMIT_BAD_PATHS 3
#define LIMIT_KEPT_MS 60000   /* commits kept for a hub that forgot them, */
#define LIMIT_KEPT_COMMITS 16 /* at most these, */
#define LIMIT_KEPT_SAID 64    /* and so many messages of ours */
#define LIMIT_KEPT_BYTES (4u << 20) /* and at most so large in all */
#define LIMIT_REKEY_MS 300000       /* default of rekey-interval */
#define LIMIT_REMOVED                                                         \
  1024 /* removed keys that an admin remembers; the oldest go first */
#define LIMIT_PADDING_APPLICATION 128 /* agreed */
#define LIMIT_PADDING_COMMIT 256      /* agreed */

/* ---- Media keys ---- */
#define LIMIT_TRACKS 65536   /* of one leaf, and never one twice; agreed */
#define LIMIT_TRACKS_OPEN 64 /* of one leaf at a time */
#define LIMIT_OLD_EPOCH_HEARD_MS                                              \
  1000 /* an epoch closes for a sender after its first authentic frame of a newer one; */
#define LIMIT_OLD_EPOCH_MS 10000 /* for all after the commit, */
#define LIMIT_OLD_EPOCH_REMOVED_MS                                            \
  2000 /* and that early when it removed somebody */

/* ---- Messages among members ---- */
#define LIMIT_APPLICATION 16384 /* bytes of JSON in one message; agreed */
#define LIMIT_CHAT 4096
#define LIMIT_CAPS 2048
#define LIMIT_CODEC 32
#define LIMIT_PAST_MS 10000      /* keys of a past epoch open late messages */
#define LIMIT_HEARTBEAT_MS 10000 /* between two of one admin */
#define LIMIT_LAG_MS 15000       /* a heartbeat later than this is none */
#define LIMIT_STALE_MS 30000     /* without a good one from any other admin */
#define LIMIT_SILENT_MS 60000    /* and no more media from us */
#define LIMIT_SPLIT_MS 30000     /* an admin unheard while another is heard */
#define LIMIT_RETURN_MS 5000     /* a message of ours that doesn't come back */
#define LIMIT_OWN_PENDING 256    /* messages of ours that have not come back */

/* ---- Signalling ---- */
#define LIMIT_NESTING 16             /* of JSON; agreed */
#define LIMIT_FRAME_BEFORE 8192      /* from a client that is not admitted */
#define LIMIT_FRAME_AFTER (1u << 20) /* from a member */
#define LIMIT_FRAME_DOWN (4u << 20)  /* towards a client */
#define LIMIT_ACK_MS 1000            /* a member says how far it has read */
#define LIMIT_TURNED_AWAY                                                     \
  4 /* an owner that an admin sends away so often opens a group of its own */
#define LIMIT_HELLO_MS                                                        \
  10000 /* a hub that takes a connection and says nothing is tried again */
#define LIMIT_REPLAY_MS 1000 /* between two wishes to hear something again */
#define LIMIT_ATTACH_MS 1000 /* between two `attach` */
#define LIMIT_CONNECT_MIN_MS                                                  \
  250 /* before a connection that was lost is made again: doubles from here, */
#define LIMIT_RECONNECT_MAX_MS                                                \
  3000 /* up to here, so that who was away is back within 5 s of the network's return; */
#define LIMIT_CONNECT_MAX_MS 8000 /* other tries at the hub up to here */

/* Every limit and time of the hub's rooms: what a client can make the hub keep or do, per connection, source, meeting and
 * in total. Each has a counter in HubStats that shows when it was met.
 *
 * Times are in milliseconds, sizes in bytes. What both sides must agree on is in ext/session/limits.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ext/session/limits.h"

/* ---- Connections and places ---- */
#define HUB_MAX_CONNECTIONS 65536 /* in total */
#define HUB_MAX_FRESH                                                         \
  512 /* places that have not knocked yet: the oldest give way, so that floods don't keep out who has a place already */
#define HUB_MAX_STRANGERS                                                     \
  8192 /* places that knocked and that nobody admitted: in total, */
#define HUB_MAX_MEETING_STRANGERS                                             \
  1024 /* of one meeting; beyond, the source with the most gives way; */
#define HUB_MAX_SOURCE_STRANGERS 128  /* both kinds, of one source */
#define HUB_MAX_MEETING_MEMBERS 4096  /* LIMIT_MEMBERS: leaves of a tree */
#define HUB_DEFAULT_MAX_MEMBERS 16384 /* in total */
#define HUB_DEFAULT_MAX_ROOMS 1024    /* meetings that have an owner */
#define HUB_MAX_SOURCE_ROOMS 64       /* of them, opened from one source */
#define HUB_MAX_SOURCES                                                       \
  65536 /* whose buckets are remembered; idle ones go first */
#define HUB_SOURCE_TEXT 64 /* the longest name of a source */

#define HUB_IDLE_MS                                                           \
  120000 /* a stranger that has no run and no knock waiting */
#define HUB_REPLY_MS 15000 /* an admin has a knock and says nothing */
#define HUB_STEP_MS                                                           \
  (LIMIT_PROOF_MS                                                             \
      + 5000) /* each further step of a run, but a person's decision */
#define HUB_ATTACH_MS 10000 /* an admin has an `attach` and says nothing */
#define HUB_EMPTY_MS                                                          \
  600000 /* a meeting without a member is still its owner's */
#define HUB_AGAIN_MS                                                          \
  1000 /* `again` asks to wait up to this, each joiner another time */
#define HUB_SWEEP_MS 1000 /* between two rounds through all rooms */
#define HUB_MAX_OPENS                                                         \
  8 /* `open` and `attend` on one connection: each costs a verification */

/* ---- What is kept ---- */
#define HUB_LOG_FRAMES 8192        /* numbered frames of one room: so many, */
#define HUB_LOG_BYTES (8u << 20)   /* so large in all, */
#define HUB_LOG_MS 60000           /* and so old; */
#define HUB_LOG_ACKED_MS 10000     /* or this, when every member has read it */
#define HUB_LOG_TOTAL (256u << 20) /* in all rooms */
#define HUB_WELCOMES 64            /* of one room */
#define HUB_WELCOME_BYTES (8u << 20)
#define HUB_WELCOME_MS 60000
#define HUB_WELCOME_TOTAL (64u << 20)
#define HUB_HELD_TOTAL                                                        \
  (32u                                                                        \
      << 20) /* knocks that wait, and door messages for who has lost the connection */
#define HUB_HANDOVERS 64 /* different commits handed over in one room, */
#define HUB_HANDOVER_BYTES (8u << 20) /* so large in all */
#define HUB_GONE                                                              \
  4096 /* places that went, of one room, told to admins that come back */

/* What one call can put out for one connection: the transport's write budget must be larger. */
#define HUB_MAX_BURST (HUB_LOG_BYTES + 2 * LIMIT_FRAME_AFTER + (1u << 20))

/* ---- How often: token buckets, {at once, a second} ---- */
#define HUB_CONNECTS_BURST                                                    \
  128 /* connections of a source; the rate is HubConfig's */
#define HUB_DEFAULT_CONNECTS_PER_MINUTE 240
#define HUB_STRANGER_BURST                                                    \
  24 /* messages of a connection that is not admitted */
#define HUB_STRANGER_RATE 4
#define HUB_KNOCK_BURST 6 /* knocks and attaches of such a connection */
#define HUB_KNOCK_RATE 1
#define HUB_SOURCE_BURST 512 /* messages of all strangers of a source */
#define HUB_SOURCE_RATE 64
#define HUB_VERIFY_BURST 32 /* signatures verified for a source */
#define HUB_VERIFY_RATE 4
#define HUB_MEMBER_BURST                                                      \
  512 /* text messages of a member; admins answer many knocks */
#define HUB_MEMBER_RATE 100
#define HUB_BYTES_BURST (8u << 20) /* bytes of a member's frames */
#define HUB_BYTES_RATE (1u << 20)
#define HUB_APPLICATION_BURST 128 /* MLS application messages of a member */
#define HUB_APPLICATION_RATE 20
#define HUB_COMMIT_BURST 32 /* commits of an admin: batches are 100 ms apart */
#define HUB_COMMIT_RATE 10
#define HUB_ROOM_BURST 8192 /* numbered frames of a room */
#define HUB_ROOM_RATE 1000
#define HUB_ROOM_BYTES_BURST (32u << 20)
#define HUB_ROOM_BYTES_RATE (8u << 20)
#define HUB_ATTACH_BURST 256 /* attaches passed on in a room */
#define HUB_ATTACH_RATE 100
#define HUB_REPLAY_BURST (16u << 20) /* bytes that a member asked for again */
#define HUB_REPLAY_RATE (256u << 10)
#define HUB_ERRORS_BURST 8 /* errors told to one connection */
#define HUB_ERRORS_RATE 1
#define HUB_MAX_DROPPED                                                       \
  256 /* frames over a limit, of a connection that is not admitted: then it ends */

/* ---- The directory ---- */
#define HUB_LEASE_MS 15000 /* of a room */
#define HUB_RENEW_MS                                                          \
  5000 /* before the next renewal; also between announcements */
#define HUB_LEASE_MARGIN_MS                                                   \
  5000 /* without an answer, the room closes this long before its lease ends */

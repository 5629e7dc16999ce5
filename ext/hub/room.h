/* The hub's rooms: who waits at the door, who is in, and the one order of a meeting's MLS messages ("conclave/1",
 * docs/protocol/session.md). A `Hub` holds the rooms of one process, what each source may still do, and the bounds on it
 * all.
 *
 * It judges nothing that members can judge: it numbers and passes on. What it does decide is who is connected to which
 * meeting, who owns a meeting here, and how much anybody may ask of it.
 *
 * It opens no socket, starts no thread, reads no clock and calls nobody back but the directory: connections, frames and
 * times go in, and the caller takes out what is to be sent and what happened.
 *
 *     hub_new (config)
 *     loop:  hub_tick (now)                          first in each turn: all that follows happens at this time
 *            hub_connected / _frame / _disconnected  what came; hub_send_media for the forwarder
 *            while (hub_next_output (...))           send, disconnect
 *            while (hub_next_event (...))            tell the forwarder, write the audit log
 *            sleep until hub_deadline (), or a frame
 *
 * Used by one thread at a time. core_init() first. Randomness is libsodium's randombytes, all of it: a simulation that
 * is to repeat itself replaces the generator of its process with randombytes_set_implementation() before core_init().
 *
 * A meeting that nobody has opened is a room like any other, whose host is away: one code path, the same messages in the
 * same order. Only `open` tells them apart: the first identity to open a meeting owns it here.
 *
 * What a place is:
 *
 *     member   admitted, or opened: gets the order, may have a transport. An admin too, when it proved an identity that
 *              owns the meeting or is named
 *     stranger all others
 *
 * and what it is to the door, a member too, which knocks to come into the group anew and has its transport still:
 *
 *     idle     nothing yet, or not any more
 *     queued   its knock or `attach` waits for an admin with credit, by turns over sources, members first. It is told
 *              `waiting`, but for an admin while another one serves
 *     run      its knock is with one attending admin: knocked, replied, proven, waiting for a person, admit passed on. When
 *              that admin goes, by losing its connection before it answered the knock or its place at any time, it gets
 *              `again`. A proof that the admin's old connection may have lost is sent to its new one
 *     attach   its `attach` is with one; when that goes, with another; after HUB_ATTACH_MS without an answer it is idle
 *
 * An admin serves the door from its first `credits` after `opened`, and again after it came in by a knock of its own.
 *
 * A lost connection leaves the place for LIMIT_PLACE_MS, but for strangers who are idle or attach. A run before its proof is
 * over then. `return` gets `returned`, with a room of zeros for a stranger, and
 *
 *     member   the frames after `seq`; or, when it names another room than this one (or came in anew), it has not heard
 *              that it was admitted: `admit`, `admitted`, Welcome, the frames after it, or `again` when those are gone.
 *              When the frames are not kept any more: `error {too-late}`, and it stays a member until it knocked anew
 *     queued   its turn, and `waiting`
 *     run      what the admin, or the hub, said last
 *
 * or `error {unknown-place}`: then the connection has the new place of its `hello`.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "directory.h"
#include "limits.h"

#include "ext/session/wire.h"

#include <glib.h>

typedef struct
{
  uint8_t spki_hash
      [LIMIT_SPKI_HASH]; /* SHA-256 of this hub's SubjectPublicKeyInfo */
  const char *self; /* its name in the directory, copied; "local" when NULL */
  HubDirectory *directory; /* borrowed; outlives the hub */
  unsigned
      max_rooms; /* meetings with an owner; HUB_DEFAULT_MAX_ROOMS when 0 */
  unsigned max_members; /* in all meetings; HUB_DEFAULT_MAX_MEMBERS when 0 */
  unsigned
      connects_per_minute; /* of one source; HUB_DEFAULT_CONNECTS_PER_MINUTE when 0 */
} HubConfig;

Hub *hub_new (const HubConfig *config, uint64_t now);

/* Forgets and wipes all; says nothing to anybody and releases nothing in the directory: as if the program had crashed,
 * unless hub_shutdown() came before. Takes NULL. */
void hub_free (Hub *hub);

/* Everybody gets `error {going-away}`, all connections end, all rooms are released. */
void hub_shutdown (Hub *hub);

/* ---- Time ---- */

/* ms of a monotonic clock; never goes back. */
void hub_tick (Hub *hub, uint64_t now);

/* The latest time at which hub_tick() is to be called again; UINT64_MAX for none. */
uint64_t hub_deadline (const Hub *hub);

/* ---- Connections ---- */

/* What shares a budget: an IPv4 address (4 bytes, or 16 as ::ffff:a.b.c.d), or the /64 of an IPv6 address (16 bytes).
 * `text`: HUB_SOURCE_TEXT bytes. False for another length. */
bool hub_source (const uint8_t *address, size_t len, char *text);

/* The WebSocket at WIRE_PATH MEETING is there. `connection` is the caller's number for it, not 0, never used twice in a
 * hub's life. `source` is hub_source()'s text, shorter than HUB_SOURCE_TEXT; admins never see it, but a label made from it
 * with a key of this process, another for each meeting. False, and the hub doesn't know the connection, when the name or
 * the source is not one. A connection that is refused for a limit gets an error and HUB_DISCONNECT. */
bool hub_connected (
    Hub *hub, uint64_t connection, const char *meeting, const char *source);

/* The largest frame that may come from it now: LIMIT_FRAME_AFTER once its place is a member's, and from then on;
 * LIMIT_FRAME_BEFORE until then; 0 when the hub has ended it. */
size_t hub_frame_limit (const Hub *hub, uint64_t connection);

/* A frame from it. The transport need not take more than LIMIT_FRAME_AFTER; whether it may be so large is judged here.
 * Ignored for connections that the hub has ended. */
void hub_frame (
    Hub *hub, uint64_t connection, bool binary, const void *data, size_t len);

/* It is gone. Ignored likewise. */
void hub_disconnected (Hub *hub, uint64_t connection);

/* ---- What is to be done ---- */

typedef enum
{
  HUB_SEND_TEXT = 1,
  HUB_SEND_BINARY,
  HUB_DISCONNECT /* once what was sent is out; the hub has forgotten the connection */
} HubOutputType;

typedef struct
{
  HubOutputType type;
  uint64_t connection;
  GBytes *frame; /* the same for all who get it */
} HubOutput;

/* Outputs are in the order in which they are to be done. Take all after each call: nothing else bounds them. */
bool hub_next_output (Hub *hub, HubOutput *out);
void hub_output_clear (HubOutput *output);

/* ---- What happened ---- */

typedef enum
{
  HUB_EVENT_ADMITTED = 1, /* this place may have a transport */
  HUB_EVENT_GONE,         /* and may not any more: it and its streams go */
  HUB_EVENT_RETURNED, /* a member's place has a new connection: what was told to the old one may be lost */
  HUB_EVENT_MEDIA, /* a member's transport, publish, unpublish, subscribe, unsubscribe, pause, resume */
  HUB_EVENT_AUDIT
} HubEventType;

typedef enum
{
  HUB_AUDIT_OPENED = 1, /* a meeting has an owner from now on */
  HUB_AUDIT_ATTENDED,   /* an admin attends: by `open` or `attend` */
  HUB_AUDIT_ADMITTED,
  HUB_AUDIT_GONE, /* a member's place lapsed or was given up */
  HUB_AUDIT_DISMISSED,
  HUB_AUDIT_TRANSFERRED,
  HUB_AUDIT_CLOSED, /* by its owner */
  HUB_AUDIT_ENDED,  /* nobody was there for HUB_EMPTY_MS */
  HUB_AUDIT_LOST,   /* another hub has it, or the directory does not answer */
  HUB_AUDIT_REFUSED /* `code`, for a limit, a wrong signature or a wrong identity */
} HubAudit;

/* "opened". Static. */
const char *hub_audit_name (HubAudit audit);

typedef struct
{
  HubEventType type;
  uint64_t
      room; /* the hub's number for this life of a room; 0 before it was opened. Never used twice */
  uint64_t peer;     /* the place: never used twice in the hub's life */
  WireMessage media; /* MEDIA */
  HubAudit audit;    /* AUDIT */
  WireCode code;     /* AUDIT, REFUSED */
  char *meeting;     /* AUDIT */
  char source[HUB_SOURCE_TEXT]; /* AUDIT */
} HubEvent;

bool hub_next_event (Hub *hub, HubEvent *out);
void hub_event_clear (HubEvent *event);

/* ---- The forwarder ---- */

/* transport, published, subscribed, resumed, speakers or an error, to a member's place. False when it is none, or its
 * connection is away: HUB_EVENT_RETURNED says when to tell it again. */
bool hub_send_media (Hub *hub, uint64_t peer, const WireMessage *message);

/* ---- The directory's answers ---- */

void hub_claimed (Hub *hub, uint64_t request, bool mine, uint64_t fence);
void hub_renewed (Hub *hub, uint64_t request, bool mine);
void hub_looked_up (Hub *hub, uint64_t request, HubWhere where);

/* ---- What is ---- */

/* What the hub keeps now. */
typedef struct
{
  size_t connections;
  size_t rooms;     /* also those that nobody has opened */
  size_t opened;    /* those that have an owner */
  size_t members;   /* places */
  size_t fresh;     /* places that have not knocked */
  size_t strangers; /* that have, and are no members */
  size_t sources;
  size_t log_frames, log_bytes;
  size_t welcomes, welcome_bytes;
  size_t held_bytes;
} HubUsage;

HubUsage hub_usage (const Hub *hub);

/* What became of a frame from a client. */
typedef enum
{
  HUB_TAKEN,
  HUB_MALFORMED, /* error, and the connection ends */
  HUB_TOO_LARGE, /* likewise */
  HUB_RATE_LIMITED, /* of the connection, its source or its meeting; from here on: error */
  HUB_BUSY, /* no room to keep it */
  HUB_NOT_MEMBER,
  HUB_NOT_ADMIN,
  HUB_NOT_OWNER,
  HUB_BAD_SIGNATURE,
  HUB_UNKNOWN_PLACE, /* `return` with a token that is none */
  HUB_TOO_LATE,
  HUB_UNEXPECTED, /* no place in the state that the sender, or who it is for, is in; from here on: dropped in silence */
  HUB_STALE_ROOM, /* for another life of the room */
  HUB_KNOWN,      /* handed over before */
  HUB_N_VERDICTS
} HubVerdict;

/* "rate-limited". Static. */
const char *hub_verdict_name (HubVerdict verdict);

/* Counters that only grow. */
typedef struct
{
  uint64_t frames; /* from clients that are connected; the sum of `verdicts` */
  uint64_t verdicts[HUB_N_VERDICTS];
  uint64_t sent;     /* frames to clients */
  uint64_t numbered; /* of those from clients */
  uint64_t connects;
  uint64_t connects_refused; /* for a limit of source, meeting or hub */
  uint64_t
      crowded_out; /* strangers that gave way to one of a source with fewer, fresh places to fresher ones */
  uint64_t returns;
  uint64_t knocks, attaches; /* passed on to an admin */
  uint64_t admitted;
  uint64_t agains; /* runs that the hub ended */
  uint64_t idle;   /* strangers that said nothing for HUB_IDLE_MS */
  uint64_t
      dropped; /* strangers that sent HUB_MAX_DROPPED frames over a limit */
  uint64_t lapsed; /* places whose connection did not come back */
  uint64_t dismissed;
  uint64_t
      log_crowded; /* frames that left a log before their time, for want of room */
  uint64_t
      held_crowded; /* door messages for who was away that were not kept */
  uint64_t members_refused; /* admitted, and there was no room */
  uint64_t
      rooms_lost; /* to another hub, or to a directory that does not answer */
  uint64_t elsewhere; /* knocks for a meeting that another hub has */
} HubStats;

HubStats hub_stats (const Hub *hub);

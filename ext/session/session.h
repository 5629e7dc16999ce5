/* A session: one person's, or program's, part in a meeting, as "conclave/1" has it (docs/protocol/session.md). The same
 * type is an owner, a co-host, a participant, a listener and a recorder.
 *
 * It opens no socket, starts no thread, reads no clock and calls nobody back: frames, acts and times go in, and the caller
 * takes out what is to be sent and what happened.
 *
 *     session_new (config)
 *     loop:  session_tick (now)                        first in each turn: all that follows happens at this time
 *            session_connected / _frame / _disconnected, and what the user does
 *            while (session_next_output (...))         connect, send, disconnect
 *            while (session_next_event (...))          tell the user, give keys to the media elements
 *            sleep until session_deadline (), a frame, or an act
 *
 * Used by one thread at a time. core_init() first.
 *
 * Randomness comes from libsodium's randombytes, all of it: a simulation that is to repeat itself replaces the generator of
 * its process with randombytes_set_implementation() before core_init().
 *
 * What comes from the network is counted and dropped when it is wrong; no bytes make a call fail or memory grow beyond
 * limits.h. Memory that the system refuses ends the process (GLib), but for that of keys, whose want ends the session.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "messages.h"
#include "policy.h"

#include "ext/sodium/known.h"
#include "ext/sodium/link.h"
#include "ext/sodium/sframe.h"

typedef struct Session Session;

/* ---- What a session is made with ---- */

typedef struct
{
  const char *uri; /* the link, meet://… */
  bool owner;      /* opens the meeting and owns it; else knocks */
  Role role;       /* an owner is a participant */
  const char *display_name;
  const Identity *identity; /* copied */
  Secret
      *password; /* prepared (precis.h), a reference is taken; NULL for none */
  const Known *
      known; /* borrowed, may be NULL: whose keys were seen before. Outlives the session */
  MlsSuite
      suite; /* offered first, and the group's for an owner; MLS_SUITE_CHACHA20_POLY1305 when 0 */

  /* An owner's; admission, screen_share, recording, consent, hand_over, sframe_suite, epoch_bits, index_bits and
   * max_members of `policy` count, those that are 0 are policy_default()'s. A co-host uses the policy of the group. */
  Policy policy;
  const uint8_t (*allow_list)[IDENTITY_FINGERPRINT_LEN]; /* copied */
  size_t n_allow_list;
  const uint8_t (*recorders)
      [IDENTITY_FINGERPRINT_LEN]; /* let in as recorders without being asked; copied */
  size_t n_recorders;
  const void *
      record; /* what SESSION_EVENT_RECORD last gave, or NULL: for an owner that comes back */
  size_t record_len;

  uint64_t rekey_interval; /* ms; LIMIT_REKEY_MS when 0 */
} SessionConfig;

/* Why a session can't be. */
typedef enum
{
  SESSION_OK,
  SESSION_BAD_LINK, /* link_parse() tells more */
  SESSION_BAD_NAME, /* the display name: name_is_valid(), name_is_normal() */
  SESSION_BAD_POLICY, /* a field has no such value, or max_members > 2^index_bits */
  SESSION_BAD_RECORD, /* not made with this identity for this meeting, or damaged */
  SESSION_NOT_HOST_KEY, /* an owner whose identity is not the link's #host */
  SESSION_OPEN_TO_ALL, /* an owner with ADMISSION_PASSWORD, or none chosen, and no password */
  SESSION_UNPINNED, /* neither #host in the link, nor a known host, nor a password: it could be anybody's meeting */
  SESSION_NO_MEMORY
} SessionResult;

/* Half a sentence for a person, behind "cannot join: ". Static. */
const char *session_result_text (SessionResult result);

/* `wall` and `mono` as for session_tick(). With SESSION_OK, `out` asks to be connected. */
SessionResult session_new (
    const SessionConfig *config, uint64_t mono, uint64_t wall, Session **out);

/* Wipes. Takes NULL. Without session_leave() before, it is to the others as if the program had crashed. */
void session_free (Session *session);

/* ---- Time ---- */

/* `mono`: ms of a monotonic clock that counts suspended time; never goes back. `wall`: ms since 1970, for lifetimes alone;
 * may jump. */
void session_tick (Session *session, uint64_t mono, uint64_t wall);

/* The latest `mono` at which session_tick() is to be called again; UINT64_MAX for none. */
uint64_t session_deadline (const Session *session);

/* ---- The hub ---- */

/* A connection is there: TLS, the WebSocket's 101, and the pin of the link or the CA verified. `spki_hash`: SHA-256 of the
 * hub's SubjectPublicKeyInfo. */
void session_connected (Session *session, const uint8_t *spki_hash);

/* A frame from it; copied. */
void session_frame (
    Session *session, bool binary, const void *data, size_t len);

/* It is gone, or could not be made. */
void session_disconnected (Session *session);

typedef enum
{
  SESSION_CONNECT =
      1, /* make a connection to session_link(); answer with session_connected() or _disconnected() */
  SESSION_SEND_TEXT,
  SESSION_SEND_BINARY,
  SESSION_DISCONNECT /* close it once what was sent is out; no answer is waited for, and another SESSION_CONNECT may follow: what
                        the old connection still says is not to be passed on */
} SessionOutputType;

typedef struct
{
  SessionOutputType type;
  uint8_t *data; /* freed with session_output_clear() */
  size_t len;
} SessionOutput;

bool session_next_output (Session *session, SessionOutput *out);
void session_output_clear (SessionOutput *output);

/* ---- What happened ---- */

typedef enum
{
  SESSION_CONNECTING = 1,
  SESSION_KNOCKING, /* on its way to an admin, or waiting for one to be there */
  SESSION_WAITING,  /* a person is to decide */
  SESSION_MEMBER,   /* in the group; also while the connection is away */
  SESSION_REJOINING, /* in no group for now: was one, and knocks again by itself */
  SESSION_AGAIN, /* a run came to nothing, and only a person may begin another: session_knock_again() */
  SESSION_DENIED,  /* the end: `code` tells why */
  SESSION_LEFT,    /* the end, by our own wish */
  SESSION_REMOVED, /* the end: an admin removed us */
  SESSION_ENDED    /* the end: the owner ended the meeting */
} SessionState;

typedef enum
{
  SESSION_EVENT_STATE = 1,
  SESSION_EVENT_KNOCK,      /* decide: session_admit(), session_deny() */
  SESSION_EVENT_KNOCK_GONE, /* nothing to decide any more */
  SESSION_EVENT_JOINED,     /* a member is there; for each, when we come in */
  SESSION_EVENT_LEFT,       /* a member is not there any more */
  SESSION_EVENT_EPOCH, /* a new epoch: roster, policy and security code are those of it */
  SESSION_EVENT_KEY_OPENED, /* frames with this KID may be made (ours) or are to be accepted */
  SESSION_EVENT_KEY_CLOSED, /* and no more: key and replay state go together */
  SESSION_EVENT_TRACK,      /* a member announced a track, whose keys follow */
  SESSION_EVENT_TRACK_ENDED, /* its pad ends */
  SESSION_EVENT_MESSAGE,     /* chat, hand, mute-request, recording */
  SESSION_EVENT_MEDIA,    /* what the hub says about transport and streams */
  SESSION_EVENT_SILENCED, /* `on`: stop sending media until it is off again */
  SESSION_EVENT_STALE,    /* `on`: no admin was heard for 30 s */
  SESSION_EVENT_SPLIT, /* `on`: this admin was not heard for 30 s while another was */
  SESSION_EVENT_UNDELIVERED, /* `on`: what we say does not come back: the hub suppresses it */
  SESSION_EVENT_BAD_PATHS, /* this admin sent the third commit within a minute that we can't follow */
  SESSION_EVENT_ADMISSION_HELD, /* `on`: after a removal everybody waits for a person: session_release_admission() */
  SESSION_EVENT_RECORD /* an owner's record to keep beside its identity, sealed; replaces the one before */
} SessionEventType;

typedef enum
{
  LEFT_BY_ITSELF = 1, /* said so, or its place lapsed */
  LEFT_REMOVED        /* a person removed it */
} LeftReason;

/* A member, as the roster has it. A name is a claim: show it with the short fingerprint. */
typedef struct
{
  uint8_t key[IDENTITY_KEY_LEN];
  uint32_t leaf;
  char name[LIMIT_NAME + 1];
  char fingerprint[SHORT_FINGERPRINT_SIZE];
  Role role;
  bool owner, admin; /* admin: the owner too */
  bool self;
  bool double_name; /* another member has the same name */
  KnownVerdict verdict;
  uint64_t peer; /* its place at the hub; 0 while unknown */
  bool hand;
  RecordingState recording; /* ASK, ON or OFF */
} SessionMember;

typedef struct
{
  SessionEventType type;
  SessionState state; /* STATE */
  WireCode code;      /* STATE, denied or again; 0 for none */
  int64_t
      skew; /* STATE, denied for the clock: ms that ours is ahead of the admin's */
  uint64_t peer; /* KNOCK, KNOCK_GONE: for the answer */
  SessionMember
      member; /* KNOCK (who knocks), JOINED, LEFT, TRACK, TRACK_ENDED, MESSAGE, SPLIT, BAD_PATHS */
  LeftReason reason; /* LEFT */
  uint64_t epoch;    /* EPOCH, KEY_OPENED, KEY_CLOSED */
  struct
  {
    uint64_t kid;
    Secret *
        base_key; /* OPENED: the SFrame base key, for session_policy()->sframe_suite; released by the clear */
    uint8_t identity[IDENTITY_KEY_LEN]; /* whose frames */
    uint32_t leaf;
    uint32_t track;
    bool
        own; /* OPENED: encrypt with it from now on, in place of the one before */
  } key;
  Message message;   /* MESSAGE, TRACK */
  uint32_t track;    /* TRACK_ENDED */
  WireMessage media; /* MEDIA, from the hub */
  bool on;           /* SILENCED, STALE, SPLIT, UNDELIVERED, ADMISSION_HELD */
  Blob record;       /* RECORD */
} SessionEvent;

bool session_next_event (Session *session, SessionEvent *out);
void session_event_clear (SessionEvent *event);

/* ---- What the user does ----
 *
 * False when it can't be done now: not a member, not an admin, nobody there by that key, a value out of bounds. What is done
 * shows in events once the group has agreed. */

bool session_admit (Session *session, uint64_t peer);
bool session_deny (Session *session, uint64_t peer);

/* Removes a member; its key is not let in again by an admin of this meeting, and `password` and `open` admission is held. */
bool session_remove (Session *session, const uint8_t *key);
bool session_release_admission (Session *session);

bool session_lock (Session *session, bool locked);

/* What a policy may change: `policy`'s admission, screen_share, recording, consent, hand_over, max_members. */
bool session_set_policy (Session *session, const Policy *policy);

/* The owner's. */
bool session_promote (Session *session, const uint8_t *key);
bool session_demote (Session *session, const uint8_t *key);
bool session_hand_over (Session *session, const uint8_t *key);
bool session_end (Session *session);

bool session_rotate (Session *session); /* an admin's: fresh keys */
bool session_mute_request (
    Session *session, const uint8_t *key, bool all, uint32_t track);

bool session_chat (Session *session, const char *text);
bool session_hand (Session *session, bool up);
bool session_recording (
    Session *session, RecordingState state); /* a recorder's: ask, on, off */
bool session_consent (Session *session, const uint8_t *recorder, bool allow);

/* Announces a track of ours; its number is one that was not used before. Keys follow as events. */
bool session_track (Session *session, const Track *track);
bool session_untrack (Session *session, uint32_t number);

/* The lowest track number that this session has not announced yet. */
uint32_t session_free_track (const Session *session);

/* To the hub: transport, publish, unpublish, subscribe, unsubscribe, pause, resume. */
bool session_media (Session *session, const WireMessage *message);

/* Where the hub would take it: true while it has us as a member, with the number of our place and LIMIT_ROOM bytes that name
 * this life of the room. What it gave out for media (a transport, SSRCs, subscriptions) is of that place in that room, and
 * gone when either is another. */
bool session_place (const Session *session, uint64_t *peer, uint8_t *room);

/* The media elements saw an authentic frame of (leaf, track, epoch) for the first time: the sender's older epochs close
 * 1 s after. */
void session_heard (
    Session *session, uint32_t leaf, uint32_t track, uint64_t epoch);

/* In SESSION_AGAIN: knocks once more. */
bool session_knock_again (Session *session);

/* Says `bye`, or hands over or ends the meeting, as the policy wants it of an owner, then SESSION_LEFT. */
bool session_leave (Session *session);

/* ---- What is ---- */

SessionState session_state (const Session *session);
const Link *session_link (const Session *session);

/* Of the current epoch; valid until the next input. NULL, 0 or an empty text in no group. */
const Policy *session_policy (const Session *session);
uint64_t session_epoch (const Session *session);
const uint8_t *session_epoch_authenticator (
    const Session *session); /* MLS_HASH_LEN bytes */
const uint8_t *session_group_id (
    const Session *session); /* DOOR_GROUP_ID_LEN bytes */
const char *session_security_code (const Session *session);
size_t session_members (const Session *session);
bool session_member (const Session *session, size_t i, SessionMember *out);
bool session_find_member (
    const Session *session, const uint8_t *key, SessionMember *out);

/* The SFrame base key of an epoch that is open, a new reference; NULL for another. For tests of who knows what. */
Secret *session_base_key (const Session *session, uint64_t epoch);

/* The fingerprint of the host that let us in, or of ourselves as the owner; NULL before. Verified: it is the link's #host, a
 * known one, or one that these name by a chain; false when the password alone vouches for it. */
const uint8_t *session_host_fingerprint (const Session *session);
bool session_host_verified (const Session *session);

/* The link for others to join by: ours with #host of the owner. LINK_SIZE bytes. */
bool session_link_text (const Session *session, char *text);

bool session_is_silenced (const Session *session);
bool session_is_stale (const Session *session);

/* Counters that only grow: what was dropped, by reason, and what was done. */
typedef struct
{
  uint64_t malformed;  /* frames that are not the protocol's */
  uint64_t unexpected; /* messages that have no place in the state we are in */
  uint64_t commits_void; /* commits that failed a check, or came too late */
  uint64_t commits_merged;
  uint64_t unreadable;   /* MLS messages that don't open */
  uint64_t replayed;     /* frames and messages that came again */
  uint64_t gaps;         /* numbers that the hub left out */
  uint64_t knocks;       /* that reached us as an admin, */
  uint64_t over_budget;  /* sent back for want of a token, */
  uint64_t replies;      /* answered by a CPace computation, */
  uint64_t wrong_tags;   /* whose Ta was wrong, */
  uint64_t refused;      /* refused by a rule or a person, */
  uint64_t admitted;     /* let in */
  uint64_t rejoins;      /* our own, by ourselves */
  uint64_t bad_messages; /* application messages that break their rules */
} SessionStats;

SessionStats session_stats (const Session *session);

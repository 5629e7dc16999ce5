/* What a client and a hub say to each other (docs/protocol, "Signalling"): JSON messages, one object a text frame, and
 * binary frames with a header of 32 bytes. Both sides use this file.
 *
 *     client                        hub                         an attending admin
 *                        <- hello
 *     knock ->                          knock {peer, source} ->
 *                        <- reply                            <- reply {peer}
 *     proof ->                          proof {peer} ->
 *                        <- waiting                          <- waiting {peer}      a person is asked
 *                        <- admit                            <- [Welcome], admit {peer}, admitted {peer, seq}
 *                        <- admitted, [Welcome], [messages after seq] ...
 *
 * A `peer` is the hub's number for a place: what it gives a connection in `hello`, and what a lost connection comes back
 * to with `return` and the place's token for LIMIT_PLACE_MS. Numbers of places are not used twice in one life of a room.
 *
 * Pure functions; any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "json.h"

#include "ext/sodium/reader.h"
#include "ext/sodium/writer.h"

#define WIRE_VERSION 1
#define WIRE_SUBPROTOCOL "conclave.v1"
#define WIRE_PATH "/v1/meetings/" /* and the meeting's name */

#define WIRE_LABEL_OPEN "conclave/1 open"     /* label of open's signature, */
#define WIRE_LABEL_ATTEND "conclave/1 attend" /* of attend's, */
#define WIRE_LABEL_REOPENED "conclave/1 reopened" /* and of reopened's */

#define WIRE_MAX_MESSAGE 6000 /* of an MLS message in `attach` */
#define WIRE_MAX_CANDIDATES 16
#define WIRE_MAX_SSRCS 512 /* in one message */

/* Who may say a message: bits for Shape.from. */
enum
{
  WIRE_FROM_CLIENT = 1, /* to the hub */
  WIRE_FROM_HUB = 2     /* to a client */
};

typedef enum
{
  /* Arriving. hub: the first message on each connection. */
  WIRE_HELLO = 1,
  /* client: back to a place; the hub answers with `returned` and all frames after `seq`, or an error. */
  WIRE_RETURN,
  WIRE_RETURNED, /* hub */
  /* client: gives its place up at once; a knock or a membership ends without the 30 s. */
  WIRE_LEAVE,

  /* Admins. client: `open` by who owns the meeting at the hub (the first to open it, or whom `transfer` named), `attend`
   * by those whom `admins` named. The hub answers with `opened`, or an error: not-owner, not-admin, bad-signature. After
   * either the connection counts as a member's and an admin's, and attends the door. */
  WIRE_OPEN,
  WIRE_ATTEND,
  WIRE_OPENED, /* hub */
  WIRE_ADMINS, /* client, owner at the hub: all identities that may attend, beside itself */
  WIRE_TRANSFER, /* client, owner at the hub: another one owns it from now on; the sender stays an admin if named one */
  WIRE_CLOSE, /* client, owner at the hub: the room is dropped; all get `error {closed}` */
  WIRE_DISMISS, /* client, admin: ends a place: `error {dismissed}`, no transport, no messages */
  WIRE_GONE, /* hub, to all attending admins: a place has lapsed or was given up */
  WIRE_CREDITS, /* client, admin: how many knocks, counted from its `open` or `attend`, the hub may have passed on */

  /* The door. Each is said by one side and passed on to the other; towards an admin it has `peer`, from whom. */
  WIRE_KNOCK,
  WIRE_REPLY,
  WIRE_PROOF,
  WIRE_ADMIT,
  WIRE_ADMITTED, /* admin: this place is a member's from now on; hub: you are, and frames after `seq` follow */
  WIRE_WAITING, /* hub: until an admin is there; admin: until a person has decided */
  WIRE_AGAIN, /* the run is over, for the admin has gone or can't serve it now: knock again, not before `after` ms */
  WIRE_ERROR, /* hub; admin, about a joiner */

  /* A new group, a new hub. */
  WIRE_REOPENED, /* owner; the hub passes it on to all members, and to those who attach later in this room's life */
  WIRE_ATTACH, /* client: a member that the hub doesn't know; hub, to one attending admin, with `peer`, `challenge` */

  /* The order. client. */
  WIRE_ACK,    /* everything up to `seq` was read */
  WIRE_REPLAY, /* everything after `seq` again */

  /* Media; only after `admitted` or `opened`. */
  WIRE_TRANSPORT, /* client: asks for one, or for a new one; hub: here it is */
  WIRE_PUBLISH,   /* client */
  WIRE_PUBLISHED, /* hub */
  WIRE_UNPUBLISH, /* client */
  WIRE_SUBSCRIBE, /* client: streams of others, by the SSRCs that `track` messages told */
  WIRE_SUBSCRIBED,
  WIRE_UNSUBSCRIBE,
  WIRE_PAUSE,
  WIRE_RESUME,
  WIRE_RESUMED,
  WIRE_SPEAKERS /* hub: the audio streams that it forwards now */
} WireType;

/* Why something was refused: DoorRefusal's codes first, with their numbers, then the hub's. */
typedef enum
{
  WIRE_CODE_WRONG_PASSWORD = DOOR_WRONG_PASSWORD,
  WIRE_CODE_DENIED = DOOR_DENIED,
  WIRE_CODE_LOCKED = DOOR_LOCKED,
  WIRE_CODE_FULL = DOOR_FULL,
  WIRE_CODE_REMOVED = DOOR_REMOVED,
  WIRE_CODE_RECORDING_FORBIDDEN = DOOR_RECORDING_FORBIDDEN,
  WIRE_CODE_CLOCK = DOOR_CLOCK,
  WIRE_CODE_VERSION = DOOR_VERSION,
  WIRE_CODE_MALFORMED, /* a message that breaks this file's rules; the connection ends */
  WIRE_CODE_TOO_LARGE,    /* a frame beyond its limit; the connection ends */
  WIRE_CODE_RATE_LIMITED, /* too much in too short a time */
  WIRE_CODE_BUSY,         /* the hub has no room for this */
  WIRE_CODE_NOT_OWNER, /* `open` by another identity than the one that owns the meeting here */
  WIRE_CODE_NOT_ADMIN, /* `attend`, or an admin's message, by somebody who is none here */
  WIRE_CODE_BAD_SIGNATURE, /* of `open` or `attend` */
  WIRE_CODE_NOT_MEMBER, /* a member's message by somebody who is none here */
  WIRE_CODE_UNKNOWN_PLACE, /* `return` to a place that has lapsed or never was */
  WIRE_CODE_TOO_LATE, /* frames that `return` or `replay` asked for are no longer kept: knock again */
  WIRE_CODE_DISMISSED,  /* an admin ended this place */
  WIRE_CODE_CLOSED,     /* the meeting was closed */
  WIRE_CODE_TIMEOUT,    /* nothing was heard for too long */
  WIRE_CODE_GOING_AWAY, /* the hub restarts: come back */
} WireCode;

#define WIRE_LAST_CODE WIRE_CODE_GOING_AWAY

/* "rate-limited"; NULL for no code. Static. */
const char *wire_code_name (WireCode code);

typedef enum
{
  MEDIA_AUDIO = 1,
  MEDIA_VIDEO,
  MEDIA_SCREEN /* video of a screen */
} MediaKind;

/* "audio", "video", "screen"; ends with NULL. */
extern const char *const media_kind_names[];

/* One message. Which fields it has depends on its type and sender: the comments name the sender where only one has the
 * field. `peer` is never 0 where it is there. */
typedef struct
{
  WireType type;
  uint64_t
      peer; /* hello, returned, gone, dismiss, admitted; and of the door's messages, to and from an admin */
  union
  {
    struct
    {
      uint64_t version; /* WIRE_VERSION */
      uint8_t challenge[LIMIT_CHALLENGE];
      uint8_t token[LIMIT_TOKEN];
    } hello;
    struct
    {
      uint8_t token[LIMIT_TOKEN];
      uint8_t room[LIMIT_ROOM];
      uint64_t seq; /* of the last frame read; 0 for none */
    } back;         /* return */
    struct
    {
      uint8_t room[LIMIT_ROOM];
      uint64_t
          seq; /* opened: of the last frame there is; frames after it follow */
      bool
          attended; /* opened, after `open`: another admin is attending, so there is a group */
      bool
          running; /* opened, after `open`: the room was there before, with members in it */
    } opened; /* opened, returned */
    struct
    {
      char *meeting;
      uint8_t identity[IDENTITY_KEY_LEN];
      uint8_t sig[IDENTITY_SIG_LEN];
    } open; /* open, attend */
    KeyList admins;
    uint8_t transfer[IDENTITY_KEY_LEN];
    uint64_t credits; /* credits: the total */
    struct
    {
      char *
          source; /* from the hub: its label of where this comes from, the same for all that share a budget */
      uint8_t sid[DOOR_SID_LEN];
      uint8_t ya[CPACE_SHARE_LEN];
      Blob ada;
      Blob key; /* a member who comes back: its identity key, and sigK */
      Blob sig;
    } knock;
    struct
    {
      uint8_t yb[CPACE_SHARE_LEN];
      Blob adb;
      Blob chain;
      uint8_t sig[IDENTITY_SIG_LEN];
    } reply;
    struct
    {
      uint8_t tag[CPACE_TAG_LEN];
      Blob box;
    } box; /* proof, admit */
    struct
    {
      uint8_t room[LIMIT_ROOM]; /* from the hub */
      uint64_t seq; /* of the commit that added the member; 0 after `attach` */
    } admitted;
    uint64_t after; /* again: ms */
    WireCode code;  /* error */
    struct
    {
      uint64_t opened;
      uint8_t group_id[DOOR_GROUP_ID_LEN];
      uint8_t sig[IDENTITY_SIG_LEN];
    } reopened;
    struct
    {
      Blob
          challenge; /* from the hub: what it gave that connection in `hello` */
      Blob message;  /* an MLS application message, `here` */
    } attach;
    uint64_t seq; /* ack, replay */
    struct
    {
      char *ufrag, *pwd;   /* from the hub: its ICE credentials, ICE-lite */
      TextList candidates; /* "candidate:…", RFC 8839, 5.1 */
      Blob
          send_key; /* AEAD_AES_256_GCM master key and salt, 44 bytes, for what the client sends, */
      Blob receive_key; /* and for what it receives */
    } transport;
    struct
    {
      uint64_t track; /* the number that `track` will have */
      MediaKind kind;
    } publish; /* publish, unpublish */
    struct
    {
      uint64_t track;
      uint64_t ssrc, rtx; /* rtx: 0 for none */
    } published;
    NumberList ssrcs;   /* subscribe, unsubscribe, pause, resume, speakers */
    StreamList streams; /* subscribed, resumed */
  };
} WireMessage;

/* Reads a text frame from `from`. JSON_OK, or `out` has nothing to clear. */
JsonResult wire_read (
    const char *text, size_t len, unsigned from, WireMessage *out);

/* The frame, freed with g_free(); NULL when a field is missing or out of bounds. */
char *wire_write (const WireMessage *message, unsigned from, size_t *len);

/* Frees what a message of `from` holds. */
void wire_clear (WireMessage *message, unsigned from);

/* "knock". Static. */
const char *wire_type_name (WireType type);

/* ---- Signatures of open, attend and reopened ---- */

/* open, attend: over lv(label) | lv(challenge) | lv(MEETING) | lv(SHA-256 (SPKI)). */
bool wire_sign_open (const Identity *identity, bool attend,
    const uint8_t *challenge, const char *meeting, const uint8_t *spki_hash,
    uint8_t *sig);
bool wire_verify_open (const uint8_t *key, bool attend,
    const uint8_t *challenge, const char *meeting, const uint8_t *spki_hash,
    const uint8_t *sig);

/* reopened: over lv(label) | lv(MEETING) | lv(opened u64) | lv(group_id). */
bool wire_sign_reopened (const Identity *owner, const char *meeting,
    uint64_t opened, const uint8_t *group_id, uint8_t *sig);
bool wire_verify_reopened (const uint8_t *owner, const char *meeting,
    uint64_t opened, const uint8_t *group_id, const uint8_t *sig);

/* ---- Binary frames ---- */

/*  0      kind u8
 *  1- 7   0
 *  8-15   seq u64
 * 16-31   room: LIMIT_ROOM bytes
 * 32-     an MLSMessage
 *
 * A client writes the room that it was told, and seq 0, but for a Welcome: there seq is that of the commit it goes with.
 * What the kind says steers the hub alone: members judge by the MLSMessage. */
#define WIRE_HEADER 32

typedef enum
{
  WIRE_COMMIT = 1,  /* from an admin, to all */
  WIRE_APPLICATION, /* from a member, to all */
  WIRE_WELCOME, /* from an admin, once for a commit; to those whom `admitted` names with that seq */
  WIRE_HANDOVER /* from a member, in the first LIMIT_KEPT_MS of a room: a commit of the room before; to all, as a commit */
} WireKind;

typedef struct
{
  WireKind kind;
  uint64_t seq;
  uint8_t room[LIMIT_ROOM];
} WireHeader;

void wire_header_write (Writer *w, const WireHeader *header);

/* Reads the header and leaves `in` at the message, which has at least one byte; false otherwise, or for an unknown kind, or
 * when bytes 1 to 7 are not 0. */
bool wire_header_parse (Reader *in, WireHeader *out);

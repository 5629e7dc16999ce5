/* What members say to each other inside the group: MLS application messages whose content is a JSON object (docs/protocol,
 * "Messages among members"). The hub can't read them; everybody in the group can, and knows who sent each.
 *
 * Each has `n`, which its sender counts up from 1 with each new message and keeps when it sends one again after a commit:
 * so a receiver tells a repetition from a new one.
 *
 * Pure functions; any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "wire.h"

typedef enum
{
  MESSAGE_PRESENT = 1, /* the sender's place at the hub */
  MESSAGE_TRACK,       /* the sender sends this from now on */
  MESSAGE_UNTRACK,     /* and no more */
  MESSAGE_MUTE_REQUEST, /* an admin asks `key` to mute itself; it asks, it can't force */
  MESSAGE_CHAT,
  MESSAGE_HAND,
  MESSAGE_RECORDING,
  MESSAGE_HEARTBEAT, /* of an admin */
  MESSAGE_REMOVED, /* of an admin: `key` is being removed because a person said so, and is not to be let in again */
  MESSAGE_HERE,    /* inside `attach` only */
  MESSAGE_BYE,     /* the sender leaves: somebody commit its removal */
  MESSAGE_END,     /* of the owner: the meeting is over, all wipe */
  MESSAGE_CHAIN, /* of an owner: `chain` is how the admin `key` shows at the door that it was named */
  MESSAGE_ADMISSION /* of an admin: the admission of the policy counts again, after a removal had made it a waiting room */
} MessageType;

typedef enum
{
  RECORDING_ASK = 1, /* a recorder would like to */
  RECORDING_ON,
  RECORDING_OFF,
  RECORDING_CONSENT /* the sender's answer to `key`, who asked */
} RecordingState;

/* "ask", "on", "off", "consent"; ends with NULL. */
extern const char *const recording_state_names[];

typedef struct
{
  uint64_t number; /* 0 to LIMIT_TRACKS - 1, never used twice by a leaf */
  MediaKind kind;
  uint64_t ssrc; /* as the hub gave it out */
  uint64_t rtx;  /* 0 for none */
  char *codec;   /* RTP encoding name, "VP8" */
  char *
      caps; /* what a receiver needs to know of the stream; a claim, parsed with care by whoever uses it */
} Track;

typedef struct
{
  MessageType type;
  uint64_t n;
  union
  {
    uint64_t peer; /* present */
    Track track;
    uint64_t untrack; /* its number */
    struct
    {
      uint8_t key[IDENTITY_KEY_LEN];
      bool all;       /* all its tracks, */
      uint64_t track; /* or this one */
    } mute;
    char *chat;
    bool hand; /* up */
    struct
    {
      RecordingState state;
      Blob key;   /* consent: whom it answers, an identity key */
      bool allow; /* consent */
    } recording;
    uint64_t heartbeat; /* t: the sender's monotonic clock in ms */
    uint8_t removed[IDENTITY_KEY_LEN];
    struct
    {
      uint64_t
          peer; /* the place that asks, and what the hub challenged it with */
      uint8_t challenge[LIMIT_CHALLENGE];
      uint8_t room
          [LIMIT_ROOM]; /* where the sender stood: that room's frames up to `seq` it has read */
      uint64_t seq;
    } here;
    struct
    {
      uint8_t key[IDENTITY_KEY_LEN];
      Blob chain; /* door_write_chain() */
    } chain;
  };
} Message;

/* Reads the content of an application message, at most LIMIT_APPLICATION bytes. With another result than JSON_OK, `out` has
 * nothing to clear. */
JsonResult message_read (const void *data, size_t len, Message *out);

/* The content, freed with g_free(); NULL when a field is out of its bounds. */
char *message_write (const Message *message, size_t *len);

void message_clear (Message *message);

/* "chat". Static. */
const char *message_type_name (MessageType type);

/* ---- What a new member is told ----
 *
 * It can't read what was said before, so the admin who lets it in repeats what still holds: `tracks` of boxH is
 *     (lv(identity key 32) | lv(content))*
 * with the latest present, each open track, the hand if it is up, recording if it is on or asked for, of each member
; each `removed` and each `chain`. */
bool snapshot_next (Reader *in, const uint8_t **key, Message *out);
void snapshot_put (
    GByteArray *snapshot, const uint8_t *key, const Message *message);

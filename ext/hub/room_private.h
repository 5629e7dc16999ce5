/* What the files of the hub's rooms share. room.c: the hub, connections, frames, time. place.c: places and what becomes of
 * them. door.c: knocks and attaches, by turns. admin.c: who owns, who attends. order.c: numbers, log, Welcomes.
 * source.c: what sources may do. output.c: what is to be sent and told.
 *
 * Whoever holds a Connection, Place or Room across a call that may end it looks it up again: each such function says so.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bucket.h"
#include "room.h"

#define TOKEN_HASH_LEN 32
#define HUB_KEY_LEN 32
#define MAX_FORMER 4

typedef struct Room Room;
typedef struct Place Place;
typedef struct Connection Connection;

/* What shares a budget. */
typedef struct
{
  char text[HUB_SOURCE_TEXT];
  unsigned refs;             /* connections, places, rooms */
  unsigned strangers, rooms; /* strangers: fresh ones too */
  Bucket connects, messages, verifies;
  GList link; /* hub->idle_sources, while refs is 0 */
  uint64_t idle_since;
} Source;

/* The strangers of one source in one room, and whose turn comes when. */
typedef enum
{
  QUEUE_KNOCKS,
  QUEUE_ATTACHES,
  N_QUEUES
} QueueKind;

typedef struct
{
  Source *source;
  GQueue strangers;          /* all who are no members; the newest last */
  unsigned entered;          /* of them, those who knocked */
  GQueue waiting[N_QUEUES];  /* Place.queue_link */
  GList turn_link[N_QUEUES]; /* room->turns, while somebody waits */
  GList link;                /* room->sources */
} Turn;

struct Connection
{
  uint64_t id;
  Source *source;
  Place *place; /* never NULL */
  uint8_t challenge[LIMIT_CHALLENGE];
  unsigned opens;   /* signatures verified */
  unsigned dropped; /* frames over a limit */
  Bucket messages, knocks, errors;
};

/* What it is to the door; a member may be at the door too, to come into the group anew. */
typedef enum
{
  PLACE_IDLE,   /* nothing, or nothing any more */
  PLACE_LOOKUP, /* the directory is asked where its meeting is */
  PLACE_QUEUED, /* the knock or attach waits for its turn */
  PLACE_RUN,    /* the knock is with `admin` */
  PLACE_ATTACH  /* the attach is */
} PlaceState;

typedef enum
{
  RUN_KNOCKED,
  RUN_REPLIED,
  RUN_PROVEN,
  RUN_WAITING, /* for a person */
  RUN_ADMIT    /* was passed on; `admitted` is to follow */
} RunStep;

typedef enum
{
  TIMER_NONE,
  TIMER_IDLE,
  TIMER_REPLY,
  TIMER_STEP,
  TIMER_ATTACH,
  TIMER_AWAY,
  N_TIMERS
} Timer;

typedef struct
{
  GList link;
  Timer timer; /* TIMER_NONE: not running */
  uint64_t due;
} TimerLink;

struct Place
{
  uint64_t peer;
  uint8_t token_hash[TOKEN_HASH_LEN];
  Room *room;
  Source *source;         /* where it was made */
  Connection *connection; /* NULL while away */
  PlaceState state;
  TimerLink timer, away;

  uint64_t former
      [MAX_FORMER]; /* places that this one took over, whose leaves may still be the group's */
  unsigned n_former;

  /* At the door */
  bool entered;     /* a stranger that knocked: no fresh place any more */
  GList fresh_link; /* hub->fresh, before that */
  bool used;        /* said something: not fit to `return` any more */
  GList stranger_link, queue_link;
  QueueKind queue;
  bool queue_waits; /* is in its turn's queue: QUEUED, and not away */
  uint64_t request; /* LOOKUP: to the directory */
  GBytes
      *held; /* LOOKUP, QUEUED, ATTACH, RUN_PROVEN: the frame for the admin */
  Place *admin;   /* RUN, ATTACH */
  GList run_link; /* admin->runs */
  RunStep step;
  GBytes *
      said; /* NEW and away: what the admin or the hub said last, for `return` */
  GBytes *admit; /* from RUN_ADMIT until the client shows that it knows */

  bool member;
  GList member_link;
  uint64_t acked;
  uint64_t admitted_seq;
  bool unaware; /* admitted, and has not shown yet that it knows */
  bool
      readmitted; /* when it was a member already: then only a frame of its own shows it */
  bool attached; /* admitted after `attach`: without `admit` and Welcome */
  bool reopened_due;
  Bucket bytes, applications, commits, replays;

  /* An admin's */
  bool identified; /* proved `identity`, by open or attend */
  bool attends;    /* is in room->admins; with or without a connection */
  uint8_t identity[IDENTITY_KEY_LEN];
  GList admin_link;
  bool serves; /* the door: gave credits, and is not at the door itself */
  uint64_t credits, passed; /* knocks */
  unsigned out;             /* runs before RUN_WAITING */
  GQueue runs;              /* Place.run_link: RUN and ATTACH */
  uint64_t gone_told; /* how many of the room's gone places it was told */
};

typedef struct
{
  GBytes *frame;
  uint64_t sender; /* peer */
  uint64_t at;
  WireKind kind;
} LogEntry;

typedef struct
{
  GBytes *frame;
  uint64_t seq, at;
} Welcome;

struct Room
{
  Hub *hub;
  char *meeting;
  GList link;             /* hub->rooms */
  GHashTable *by_source;  /* Source * -> Turn * */
  GQueue sources;         /* all turns */
  GQueue turns[N_QUEUES]; /* those with somebody waiting; the next one first */
  unsigned strangers,
      entered; /* who are no members; of them, those who knocked */

  /* Ownership */
  bool opened;
  bool dropping;  /* room_drop() is at work */
  uint64_t claim; /* the request, while the directory is asked */
  uint8_t owner[IDENTITY_KEY_LEN];
  uint8_t (*named)[IDENTITY_KEY_LEN];
  size_t n_named;
  Source *opener;
  uint64_t fence, lease_end, renew_at, renewal; /* renewal: the request */
  uint64_t renewal_at;
  uint64_t empty_since; /* without a member */

  /* One life: from `open` to the last member */
  uint64_t number; /* 0: none */
  uint8_t id[LIMIT_ROOM];
  uint64_t began;
  GQueue members, admins;
  uint64_t seq;
  LogEntry *log; /* a ring: the entry of `seq` is the last */
  size_t log_size, log_first, log_count, log_bytes;
  GQueue welcomes; /* of Welcome, the oldest first */
  size_t welcome_bytes;
  uint8_t (*handovers)[TOKEN_HASH_LEN];
  size_t n_handovers, handover_bytes;
  GBytes *reopened;
  uint64_t reopened_at; /* its `opened` */
  GArray *gone;    /* of uint64_t: the last of them */
  uint64_t n_gone; /* ever */
  Bucket frames, bytes, attaches;
};

/* A question to the directory. */
typedef struct
{
  char *meeting;
  uint64_t peer; /* claim, lookup: who waits for the answer */
  uint8_t identity[IDENTITY_KEY_LEN]; /* claim */
} Request;

struct Hub
{
  uint64_t now;
  char *self;
  HubDirectory *directory;
  uint8_t spki_hash[LIMIT_SPKI_HASH];
  unsigned max_rooms, max_members, connects_per_minute;
  uint8_t
      *key; /* HUB_KEY_LEN bytes, guarded: for tokens, labels and numbers */

  GHashTable *connections; /* id -> Connection * */
  GHashTable *places;      /* peer -> Place * */
  GHashTable *tokens;      /* token_hash -> Place * */
  GHashTable *by_meeting;  /* name -> Room * */
  GHashTable *by_source;   /* text -> Source * */
  GHashTable *requests;    /* number -> Request * */
  GQueue rooms, idle_sources;
  GQueue fresh; /* places that have not knocked, the oldest first */
  GQueue timers
      [N_TIMERS]; /* of Place; each runs for one time, so the first is due first */
  GQueue outputs, events; /* of HubOutput, HubEvent */

  uint64_t places_made, rooms_begun, requests_made;
  uint64_t sweep_at, announce_at;
  Bucket audits;
  HubUsage usage;
  HubStats stats;
};

/* ---- output.c ---- */
void send_message (Connection *to, const WireMessage *message);
void send_simple (Connection *to, WireType type);
void send_peer (Connection *to, WireType type, uint64_t peer);
void send_again (Connection *to, uint64_t after);
void send_frame (Hub *hub, uint64_t connection, bool binary, GBytes *frame);
void send_error (Hub *hub, uint64_t connection, WireCode code);
/* A message as a frame; wiped with its last reference. */
GBytes *frame_new (const WireMessage *message);
void push_disconnect (Hub *hub, uint64_t connection);
void push_event (Hub *hub, HubEventType type, const Place *place);
void push_audit (const Place *place, HubAudit audit, WireCode code);
void push_room_audit (const Room *room, HubAudit audit);
/* In the place of what is held there. False, and `*held` is NULL, when the hub holds too much. */
bool hold (Hub *hub, GBytes **held, GBytes *frame);
void let_go (Hub *hub, GBytes **held);

/* ---- source.c ---- */
/* A reference; NULL when too many are remembered. */
Source *source_get (Hub *hub, const char *text);
void source_ref (Hub *hub, Source *source);
void source_unref (Hub *hub, Source *source);
/* Forgets those that nobody needs and whose buckets are full again; with `all`, the others too. */
void sources_sweep (Hub *hub, bool all);
/* The label that admins get: LIMIT_SOURCE + 1 bytes. */
void source_label (
    const Hub *hub, const Source *source, const char *meeting, char *label);

/* ---- place.c ---- */
Place *place_new (Room *room, Source *source, Connection *connection);
void place_timer (Place *place, Timer timer);
/* It is no more. With a connection, `code` unless 0 is told, and the connection ends. `gone`: admins are told. May end the
 * room. */
void place_end (Place *place, WireCode code, bool gone);
void place_lost (Place *place); /* the connection is gone: may end it */
void place_due (Place *place, Timer timer); /* likewise */
/* `old`, of the same client, ends; the group may have a leaf for it still. */
void place_take_over (Place *place, Place *old);
HubVerdict place_return (Place *fresh, const WireMessage *message);
Place *place_find (const Room *room, uint64_t peer);
/* The place has knocked: from the fresh ones to those who wait. False when there is no room. */
bool place_enter (Place *place);
/* The place is a member's: out of the strangers, into the order. False when there is no room. */
bool place_become_member (Place *place);
/* What being admitted brings: [admit, when it is told once more], admitted, Welcome, frames after, reopened. */
void place_tell_admitted (Place *place, bool again);
/* It has shown that it was admitted. `surely`: not by what it would have said as the member that it was before, either. */
void place_knows (Place *place, bool surely);
/* The end of a connection: told to the caller, and forgotten; its place is without one. */
void connection_end (Hub *hub, Connection *connection);
void token_hash (const Hub *hub, const uint8_t *token, uint8_t *hash);

/* ---- door.c ---- */
HubVerdict door_knock (Place *place, WireMessage *message);
HubVerdict door_attach (Place *place, WireMessage *message);
HubVerdict door_proof (Place *place, WireMessage *message);
/* reply, waiting, admit, again, error: of an admin about a joiner */
HubVerdict door_answer (Place *admin, WireMessage *message);
HubVerdict door_admitted (Place *admin, WireMessage *message);
void door_located (Place *place, HubWhere where);
/* The turn of the place's source in its room, made if there is none. */
Turn *door_turn (Place *place);
void door_forget_turn (Room *room, Turn *turn); /* if nobody needs it */
typedef enum
{
  LAST,
  FIRST_OF_SOURCE,
  FIRST
} Rank;
void door_enqueue (Place *place, Rank rank);
void door_dequeue (Place *place);
/* To PLACE_IDLE, from whatever it is, without a word to it. */
void door_quit (Place *place);
/* Whether it is to be told `waiting` in the queue: an owner opens a new group by that, so not while another can let it in. */
bool door_says_waiting (const Place *place);
/* Passes on what may be passed on. Ends nothing. */
void door_serve (Room *room);
/* The run or attach is not with its admin any more; the place is idle. */
void door_unbind (Place *place);
/* The run is over, and the joiner is told `again`, now or when it returns. */
void door_again (Place *place);
/* An admin's connection is lost: knocks that it may not have read are over, its attaches wait for another, and the rest
 * waits for it. For good: all its runs are over. */
void door_admin_away (Place *admin, bool for_good);
/* It is back: proofs that it may not have read. */
void door_admin_back (Place *admin);

/* ---- admin.c ---- */
HubVerdict admin_open (Place *place, WireMessage *message);
HubVerdict admin_attend (Place *place, WireMessage *message);
HubVerdict admin_admins (Place *place, WireMessage *message);
HubVerdict admin_transfer (Place *place, WireMessage *message);
HubVerdict admin_close (Place *place, WireMessage *message);
HubVerdict admin_dismiss (Place *place, WireMessage *message);
HubVerdict admin_credits (Place *place, WireMessage *message);
HubVerdict admin_reopened (Place *place, WireMessage *message);
void admin_claimed (Request *request, Hub *hub, bool mine, uint64_t fence);
bool admin_is_owner (const Place *place);
/* Attends, or not, as its identity and the room have it. */
void admin_update (Place *place);
void admin_tell_gone (Room *room, uint64_t peer);
/* Of a joiner: to the one admin that had its run. */
void admin_tell_gone_to (Place *admin, uint64_t peer);
/* What an admin missed while it was away. */
void admin_tell_missed (Place *place);

/* ---- The room: room_life.c ---- */
Room *room_get (Hub *hub, const char *meeting);
/* Forgets it when nobody is there and nobody owns it. */
void room_unuse (Room *room);
void room_begin (Room *room);    /* a life */
void room_end_life (Room *room); /* the last member is gone */
void room_disown (Room *room); /* nobody owns it any more; releases nothing */
void room_sweep (Room *room);  /* may end it */
/* All its places end with `code`; strangers too, or they wait on. Ends it. */
void room_drop (Room *room, WireCode code, bool strangers);
uint64_t hub_request (
    Hub *hub, const char *meeting, uint64_t peer, const uint8_t *identity);

/* ---- order.c ---- */
HubVerdict order_take (Place *place, const uint8_t *data, size_t len);
HubVerdict order_ack (Place *place, WireMessage *message);
HubVerdict order_replay (Place *place, WireMessage *message);
bool order_has_after (const Room *room, uint64_t seq);
size_t order_bytes_after (const Room *room, uint64_t seq);
void order_send_after (Place *place, uint64_t seq);
GBytes *order_welcome (const Room *room, uint64_t seq); /* borrowed; or NULL */
void order_clear (Room *room);
void order_sweep (Room *room);

/* A simulated meeting: real sessions and a real room, in one process, on virtual time, with seeded randomness and somebody
 * in between who lies. docs/guide/simulation.md tells how to use it.
 *
 * A world is made from a seed alone, and lives the same life each time: all events stand in one queue ordered by time and
 * by the order in which they were put there; all choices come from `dice`, and all random bytes of the code under test
 * from a generator of the same seed.
 *
 * What is checked stands in invariants.c and tap.c, which know what happened from the script (truth.c) and never ask the
 * code under test what it should have done.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ext/session/session.h"

#include <glib.h>
#include <string.h>

typedef struct World World;
typedef struct Person Person;
typedef struct Conn Conn;
typedef struct Adversary Adversary;

/* ---- Chance (chance.c) ---- */

/* A stream of ChaCha20: what a seed and a purpose give, and nothing else does. */
typedef struct
{
  uint8_t key[32];
  uint64_t block;
  size_t used;
  uint8_t pool[1024];
} Dice;

void dice_init (Dice *dice, uint64_t seed, const char *purpose);
void dice_bytes (Dice *dice, void *out, size_t len);
uint64_t dice_below (Dice *dice, uint64_t n); /* 0 to n - 1 */
uint64_t dice_between (
    Dice *dice, uint64_t from, uint64_t to); /* both may be */
bool dice_chance (Dice *dice, unsigned of_a_thousand);

/* libsodium's randombytes of this process come from a stream of its own from now on; chance_seed() starts it anew. */
void chance_install (void);
void chance_seed (uint64_t seed);

/* Forgets which signatures were verified (memory.c). */
void memory_forget (void);

/* ---- The world (world.c) ---- */

typedef void (*WorldFn) (World *world, void *what, uint64_t number);

typedef struct
{
  uint64_t at, order;
  WorldFn fn;
  void *what;
  uint64_t number;
} WorldEvent;

/* What sort of meeting a seed gives. The adversary may change it before it starts. */
typedef struct
{
  Policy policy;
  bool password;   /* the meeting has one */
  bool pinned;     /* the link of those who join has #host */
  unsigned people; /* who may come in, the owner among them */
  unsigned
      strangers; /* who knock and may not come in, or have a wrong password */
  unsigned co_hosts; /* promoted by the owner soon after they are in */
  unsigned recorders, listeners;
  unsigned faults;  /* how many, until `heal` */
  unsigned acts;    /* of people, until `heal` */
  bool storm;       /* all come and go at once */
  bool quiet;       /* nobody leaves or is removed, all come at the start, */
  bool late_comers; /* but for the last, who comes after the liar has begun */
  MlsSuite suite;
  uint64_t rekey; /* ms; 0 for the default */
  uint8_t (*allow_list)[IDENTITY_FINGERPRINT_LEN];
  size_t n_allow_list;
  uint8_t (*recorder_list)[IDENTITY_FINGERPRINT_LEN];
  size_t n_recorder_list;
  uint64_t settled; /* when those who come at the start have come */
  uint64_t
      heal; /* no fault, no act and, unless it persists, no lie begins after this */
  uint64_t end; /* when everything is looked at a last time */
} Plan;

struct World
{
  uint64_t seed;
  uint64_t now; /* ms since the world began; what the hub's clock shows */
  uint64_t order;
  GArray *queue; /* a heap of WorldEvent */
  Dice dice;
  const Adversary *adversary;
  void *lie; /* the adversary's own */
  Plan plan;
  bool verbose, frames; /* tell what happens; and each frame */
  uint64_t trace;       /* hash over all that happened */
  uint64_t steps;

  GPtrArray *people; /* Person */
  GPtrArray *conns;  /* Conn, dead ones too */
  GPtrArray *kept;
  struct Server *server;
  struct Truth *truth;
  struct Tap *tap;
  Secret *password, *wrong_password;

  bool
      lying; /* the hub does not do now what an honest one would: other rules hold (invariant 7) */
  bool
      deceived; /* it has: its members may have been parted, and then say so */
  bool healed;  /* past plan.heal */
  bool over;    /* the owner ended the meeting */
  bool was_locked; /* at some time: who was away then may be out */
  bool probe,
      probe_locked; /* what an admin wanted at last: it must come about */
  const char *trap; /* nobody may come in, for this reason */
  bool somebody_must_come_in;
  bool
      nobody_goes; /* in this life nobody has a reason to leave its group and knock anew */
  Person *must_be_let_in; /* a fake joiner whose first run is right */
  unsigned
      lied; /* how often: an adversary that never got to it proves nothing */
  uint64_t
      silent_by; /* by when nobody but a lonely admin speaks; 0 for never */
  GHashTable *
      forbidden; /* authenticators that a commit which is void would lead to, and what is wrong with it */
  bool cut_at_admit, restart_at_commit; /* faults that wait for their moment */
  size_t heap_before;
  uint64_t last_change; /* when the last epoch began */
  bool hub_forgot;
  uint64_t
      calm_since; /* when the last fault or lie ended; 0 while there is one */
  char *failure;  /* the first invariant that broke, in words */
};

World *world_new (uint64_t seed, const Adversary *adversary, bool verbose);
void world_free (World *world);

/* Runs to the end; false when an invariant broke. */
bool world_run (World *world);

/* fn (world, what, number) after `delay` ms. `what` lives as long as the world. */
void world_after (
    World *world, uint64_t delay, WorldFn fn, void *what, uint64_t number);

void world_fail (World *world, unsigned invariant, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
void world_say (World *world, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* g_free()s `what` with the world. */
void *world_keep (World *world, void *what);
void world_trace (World *world, const void *data, size_t len);

/* ---- People (people.c) ---- */

typedef enum
{
  ACT_JOIN = 1,
  ACT_LEAVE,
  ACT_CRASH,   /* and back after `number` ms with the same identity */
  ACT_LOCK,    /* `number` 0: unlock */
  ACT_REMOVE,  /* `target` */
  ACT_PROMOTE, /* `target` */
  ACT_DEMOTE,
  ACT_HAND_OVER,
  ACT_CHAT,
  ACT_TRACK,
  ACT_UNTRACK,
  ACT_HAND,
  ACT_ROTATE,
  ACT_POLICY, /* other values, from `number` */
  ACT_RECORDING,
  ACT_MUTE,
  ACT_RELEASE, /* the admission that a removal held */
  ACT_END
} Act;

/* Somebody without a session, who speaks the protocol by hand and not as it should be (fake.c). */
typedef struct
{
  void (*start) (Person *person);
  void (*frame) (Person *person, bool binary, GBytes *bytes);
  void (*gone) (Person *person); /* its connection */
  void (*free) (Person *person);
} FakeClient;

struct Person
{
  World *world;
  unsigned index;
  char name[LIMIT_NAME + 1];
  Identity *identity;
  uint8_t key[IDENTITY_KEY_LEN];
  uint8_t fingerprint[IDENTITY_FINGERPRINT_LEN];
  Role role;
  bool owner; /* opened the meeting */
  bool honest;
  bool knows_password;
  bool invited;     /* a person at the door would let it in */
  bool listed;      /* on the allow-list */
  unsigned source;  /* where its packets come from, at the hub */
  int64_t wall;     /* its clock's error, ms */
  uint64_t delay;   /* of its connections, ms one way, at least */
  uint64_t started; /* mono of its machine at world time 0 */

  const FakeClient *fake; /* NULL for who has a session */
  void *fake_state;
  Session *session; /* NULL before it came, and while crashed */
  Conn *conn;       /* the one in use */
  bool came;
  bool wants_in;        /* came, and has not left by its own wish */
  bool idle;            /* does not answer knocks */
  bool idle_until_told; /* the adversary starts it */
  unsigned tries;
  unsigned knocks_wanted; /* how often the person wanted to knock */
  bool away;              /* can't reach the hub now: a fault */
  uint64_t wake;          /* when a tick is due, 0 for none */
  uint64_t crashes;
  GByteArray *record; /* an owner's */
  SessionState state;
  WireCode code;
  struct Watch *watch; /* what the invariants remember of it */
  bool stale, silenced, undelivered;
  uint64_t excused; /* an answer at the door was lost: until it knocks again */
  uint64_t
      lost_at; /* when it last lost a connection, or crashed; 0 for never */
  GHashTable
      *split; /* identity keys of admins that it says are away, as g_bytes */
};

Person *person_new (World *world, Role role, bool owner);
void person_free (Person *person);
void person_start (Person *person);
void person_stop (Person *person);
void person_crash (Person *person);

/* Takes what the session gives, and looks at the invariants. After session_tick() and each input. */
void person_turn (Person *person);

void person_connected (Person *person);
void person_frame (Person *person, bool binary, GBytes *bytes);
void person_disconnected (Person *person);

/* Does it now; false when the session refused. */
bool person_act (Person *person, Act act, Person *target, uint64_t number);
void person_act_later (
    Person *person, uint64_t delay, Act act, Person *target, uint64_t number);

bool person_is_member (const Person *person);
Person *world_person (World *world, const uint8_t *key); /* or NULL */
Person *world_owner (World *world); /* who opened the meeting */
uint64_t person_mono (const Person *person);
uint64_t person_wall (const Person *person);

/* script.c */
void people_plan (World *world);     /* who there is */
void people_schedule (World *world); /* and what they do when */

/* ---- The net (net.c) ---- */

typedef enum
{
  UP = 1, /* to the hub */
  DOWN
} Direction;

typedef struct
{
  bool binary;
  GBytes *bytes;
} Frame;

/* One connection; frames keep their order in it, and only in it. */
struct Conn
{
  World *world;
  Person *person;
  unsigned index;
  uint64_t place;          /* the hub's handle of it */
  bool up_open, down_open; /* the client's side, the hub's side */
  bool ended;              /* one side has closed it, or it was cut */
  bool cut;                /* what is under way to the hub is lost */
  GQueue *under_way[3];    /* Frame */
  GQueue *injected;        /* Frame, by the adversary */
  uint64_t inject_last;
  uint64_t last[3]; /* when the latest frame of a direction arrives */
  uint64_t lag;     /* beyond the person's delay, ms */
  uint64_t frames[3], bytes[3];
  void *lie; /* the adversary's own */
};

Conn *net_connect (Person *person);
void net_send (Conn *conn, bool binary, const void *data, size_t len);
void net_close (Conn *conn);
/* Both sides see it end; what is under way may be lost. */
void net_cut (Conn *conn);

void net_free (World *world);

/* The hub's: a frame to a client, past the adversary; the end of a connection. */
void net_from_server (Conn *conn, bool binary, GBytes *bytes);
void net_server_close (Conn *conn);

/* The adversary's: a frame as if the hub had sent it to the client, or the client to the hub. */
void net_deliver_down (Conn *conn, bool binary, GBytes *bytes, uint64_t delay);
void net_deliver_up (Conn *conn, bool binary, GBytes *bytes, uint64_t delay);

/* ---- The hub (server.c) ---- */

struct Server *server_new (World *world);
void server_free (struct Server *server);
void server_connected (Conn *conn);
void server_frame (Conn *conn, bool binary, GBytes *bytes);
void server_disconnected (Conn *conn);
/* Loses its memory; all connections end. */
void server_restart (World *world, uint64_t away);
bool server_is_up (World *world);
size_t server_memory (World *world);
extern const uint8_t server_spki_hash[LIMIT_SPKI_HASH];

/* ---- Adversaries (adversaries.c) ---- */

typedef enum
{
  PASS,
  DROP /* the adversary has seen to it: kept, changed and sent by itself, or lost */
} Verdict;

enum
{
  LIES_AS_HUB = 1,
  LIES_AS_MEMBER = 2,
  LIES_AS_JOINER = 4,
  LIES_ON =
      8, /* goes on after plan.heal: members need not converge, but notice */
};

struct Adversary
{
  const char *name;
  const char *what;
  unsigned powers;
  int bend;                      /* which of the family's rules */
  void (*plan) (World *world);   /* what the meeting must be like */
  void (*people) (World *world); /* who else there is, and who of them lies */
  void (*begin) (World *world);  /* once at plan.settled */
  /* Each frame that the hub's machine takes or gives. */
  Verdict (*frame) (
      World *world, Conn *conn, Direction direction, const Frame *frame);
  void (*tick) (World *world); /* each 250 ms from plan.settled on */
  void (*end) (World *world);  /* frees `lie` */
};

size_t adversaries_count (void);
const Adversary *adversary_at (size_t i);
const Adversary *adversary_find (const char *name);

/* ---- Faults (faults.c) ---- */
void faults_schedule (World *world);
/* Before a frame leaves the hub's machine; true when it is lost with its connection. */
bool faults_frame (Conn *conn, bool binary, GBytes *bytes);

/* ---- What is true (truth.c), and what must hold (invariants.c, tap.c) ---- */

typedef enum
{
  INTENT_LOCK = 1, /* value: 0, 1 */
  INTENT_POLICY, /* anything an admin may change, but the admins and the lock */
  INTENT_PROMOTE, /* key, as all below */
  INTENT_DEMOTE,
  INTENT_HAND_OVER,
  INTENT_REMOVE,
  INTENT_LEAVE
} IntentType;

GHashTable *truth_forbidden_new (void);
struct Truth *truth_new (World *world);
void truth_free (struct Truth *truth);

/* Somebody with the power to do it wants this. */
void truth_intent (World *world, IntentType type, Person *who,
    const uint8_t *key, uint64_t value);
/* Who may be let in, by what the script knows: password, list, invitation; and not once removed. */
bool truth_admissible (World *world, const Person *person);
void truth_admitted (World *world, const uint8_t *key);
bool truth_was_admitted (World *world, const uint8_t *key);

void invariants_event (Person *person, const SessionEvent *event);
void invariants_turn (Person *person); /* after each turn of a session */
void invariants_second (World *world); /* each second */
void invariants_end (World *world);
void invariants_forget (Person *person); /* its session is gone */

struct Tap *tap_new (World *world);
void tap_free (struct Tap *tap);
/* A frame as the hub's machine takes or gives it. */
void tap_frame (Conn *conn, Direction direction, bool binary, GBytes *bytes);

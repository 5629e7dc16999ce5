/* Members who lie: what they commit, and what they say.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "adversaries.h"
#include "insider.h"

#define TIMES 6         /* how often the bent thing is done */
#define FIRST_N 1000000 /* beyond what its own client has used */
#define FLOOD 100       /* tracks at a time; LIMIT_TRACKS_OPEN are allowed */

typedef enum
{
  SAY_GARBAGE_FIRST, /* a commit of rubbish, first in each epoch */
  SAY_HEARTBEAT,     /* as no admin */
  SAY_REMOVED,
  SAY_END,
  SAY_SSRC,   /* another member's */
  SAY_TRACK,  /* as a listener */
  SAY_SCREEN, /* where nobody may */
  SAY_FLOOD,
  SAY_AHEAD /* what nobody can read, as if of epochs to come */
} SayBend;

typedef struct
{
  Person *liar;
  unsigned times;
  uint64_t epoch, n, next;
  bool admin, by_the_hub;
} Liar;

/* Who may commit, so that only what it commits is wrong. */
static bool
needs_admin (int bend)
{
  return bend > COMMIT_UNLOCK;
}

static void
plan_commits (World *world)
{
  Policy *policy = &world->plan.policy;
  int bend = world->adversary->bend;

  quiet_plan (world, 12000);
  world->plan.co_hosts = 2;
  world->plan.people = MAX (world->plan.people, 4u);
  policy->admission = ADMISSION_OPEN;
  world->plan.password = false;
  world->plan.pinned = true;
  if (bend == COMMIT_RECORDER)
    policy->recording = WHO_NOBODY;
  if (policy->epoch_bits < 4)
    policy->epoch_bits = 8;
}

/* A co-host, the owner, or somebody who is neither. */
static void
commit_people (World *world)
{
  Liar *lie = world->lie = g_new0 (Liar, 1);
  int bend = world->adversary->bend;

  lie->admin = needs_admin (bend);
  lie->by_the_hub = !lie->admin;
  lie->liar =
      g_ptr_array_index (world->people, bend == COMMIT_NOBODY ? 0
                                        : lie->admin          ? 2
                                                     : world->people->len - 1);
  lie->liar->honest = false;
}

static void
commit_begin (World *world)
{
  if (world->adversary->bend == COMMIT_UNLOCK_ADD
      || world->adversary->bend == COMMIT_LOCKED_ADD)
    person_act (world_owner (world), ACT_LOCK, NULL, 1);
}

static void
commit_tick (World *world)
{
  Liar *lie = world->lie;

  if (world->now < lie->next || lie->times >= TIMES)
    return;
  lie->next = world->now + 1500;
  if (insider_commit (
          lie->liar, (CommitBend) world->adversary->bend, lie->by_the_hub))
    lie->times++;
  world->lied += lie->times == 1;
}

static void
free_lie (World *world)
{
  g_free (world->lie);
}

/* ---- What they say ---- */

static void
plan_say (World *world)
{
  SayBend bend = (SayBend) world->adversary->bend;
  Policy *policy = &world->plan.policy;

  quiet_plan (world, bend == SAY_HEARTBEAT ? 5000 : 12000);
  world->plan.people = MAX (world->plan.people, 4u);
  world->plan.co_hosts = bend == SAY_GARBAGE_FIRST ? 2 : 1;
  world->plan.listeners = bend == SAY_TRACK;
  policy->admission = ADMISSION_OPEN;
  world->plan.password = false;
  world->plan.pinned = true;
  policy->screen_share = bend == SAY_SCREEN ? WHO_ADMINS : WHO_EVERYONE;
}

static void
say_people (World *world)
{
  Liar *lie = world->lie = g_new0 (Liar, 1);
  bool admin = world->adversary->bend == SAY_GARBAGE_FIRST;

  lie->liar =
      g_ptr_array_index (world->people, admin ? 2 : world->plan.people - 1);
  lie->liar->honest = false;
  world->nobody_goes = world->adversary->bend == SAY_AHEAD;
  lie->n = FIRST_N;
}

static void
say_begin (World *world)
{
  for (guint i = 0; i < world->plan.people; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (person->honest)
      person_act_later (person, 100 + 50 * i, ACT_TRACK, NULL, 0);
  }
  for (unsigned i = 1; i < 6; i++)
    person_act_later (world_owner (world), 1500 * i, ACT_ROTATE, NULL, 0);
}

static void
garbage_first (Liar *lie)
{
  World *world = lie->liar->world;
  uint8_t rubbish[300];

  if (session_epoch (lie->liar->session) == lie->epoch)
    return;
  lie->epoch = session_epoch (lie->liar->session);
  world->lied++;
  dice_bytes (&world->dice, rubbish, sizeof rubbish);
  insider_send (
      lie->liar, WIRE_COMMIT, mls_slice (rubbish, sizeof rubbish), false);
  insider_commit (lie->liar, COMMIT_DATA, false);
}

static void
say (Liar *lie, SayBend bend)
{
  World *world = lie->liar->world;
  Person *other = world_owner (world);
  Message m = { .n = lie->n++ };

  switch (bend) {
    case SAY_AHEAD:
      insider_say_ahead (lie->liar, lie->times % 3, lie->times % 2);
      return;
    case SAY_HEARTBEAT:
      m.type = MESSAGE_HEARTBEAT;
      m.heartbeat = person_mono (lie->liar);
      break;
    case SAY_REMOVED:
      m.type = MESSAGE_REMOVED;
      other = g_ptr_array_index (world->people, 1);
      memcpy (m.removed, other->key, IDENTITY_KEY_LEN);
      break;
    case SAY_END:
      m.type = MESSAGE_END;
      break;
    default:
      m.type = MESSAGE_TRACK;
      m.track.number = 100 + lie->n - FIRST_N;
      m.track.kind = bend == SAY_SCREEN ? MEDIA_SCREEN : MEDIA_VIDEO;
      m.track.ssrc = bend == SAY_SSRC ? 1001 : 777000 + lie->n - FIRST_N;
      m.track.codec = (char *) "VP8";
      m.track.caps = (char *) "";
      break;
  }
  insider_say (lie->liar, &m);
}

static void
say_tick (World *world)
{
  Liar *lie = world->lie;
  SayBend bend = (SayBend) world->adversary->bend;

  if (!insider_group (lie->liar))
    return;
  if (bend == SAY_GARBAGE_FIRST) {
    garbage_first (lie);
    return;
  }
  if (world->now < lie->next
      || (lie->times >= TIMES && bend != SAY_HEARTBEAT && bend != SAY_AHEAD))
    return;
  lie->times++;
  world->lied++;
  lie->next = world->now + (bend == SAY_HEARTBEAT ? 5000 : 1000);
  if (bend == SAY_FLOOD)
    for (unsigned i = 0; i < FLOOD; i++)
      say (lie, SAY_TRACK);
  else
    say (lie, bend);
  /* An end is only the owner's; the others stay. */
}

/* Admins are not heard, but one who is none beats: all must go stale and silent. */
static void
heartbeat_begin (World *world)
{
  for (guint i = 0; i <= world->plan.co_hosts; i++) {
    Person *admin = g_ptr_array_index (world->people, i);
    admin->wants_in = false;
    admin->away = true;
    person_crash (admin);
  }
  world->silent_by = world->now + 66500;
}

static void
plan_heartbeat (World *world)
{
  plan_say (world);
  world->plan.heal = world->plan.settled + 75000;
  world->plan.end = world->plan.heal + 1000;
}

#define COMMIT(bend, name, what)                                              \
  {                                                                           \
    name, what, LIES_AS_MEMBER | (bend <= COMMIT_UNLOCK ? LIES_AS_HUB : 0),   \
        bend, plan_commits, commit_people, commit_begin, NULL, commit_tick,   \
        free_lie                                                              \
  }
#define SAY(bend, name, what)                                                 \
  {                                                                           \
    name, what, LIES_AS_MEMBER, bend, plan_say, say_people, say_begin, NULL,  \
        say_tick, free_lie                                                    \
  }

const Adversary member_adversaries[] = {
  COMMIT (
      COMMIT_PLAIN, "commit-plain", "a member commits, with the hub's help"),
  COMMIT (COMMIT_PROMOTE, "commit-promote", "and makes itself an admin"),
  COMMIT (COMMIT_UNLOCK, "commit-unlock", "and changes the lock"),
  COMMIT (COMMIT_NAME, "commit-name", "a co-host's path changes its name"),
  COMMIT (COMMIT_ROLE, "commit-role", "its role"),
  COMMIT (COMMIT_CAPABILITIES, "commit-capabilities", "its capabilities"),
  COMMIT (COMMIT_UNLOCK_ADD, "commit-unlock-add",
      "a co-host unlocks and adds in one commit"),
  COMMIT (COMMIT_LOCKED_ADD, "commit-locked-add", "adds under lock"),
  COMMIT (
      COMMIT_NO_REQUIRED, "commit-no-required", "drops required_capabilities"),
  COMMIT (COMMIT_EXTERNAL_SENDERS, "commit-external-senders",
      "adds external_senders"),
  COMMIT (COMMIT_OPENED, "commit-opened", "changes `opened`"),
  COMMIT (COMMIT_BITS, "commit-bits", "changes epoch_bits"),
  COMMIT (COMMIT_OWN, "commit-own", "takes the ownership"),
  COMMIT (COMMIT_REMOVE_OWNER, "commit-remove-owner", "removes the owner"),
  COMMIT (COMMIT_NO_ROLE, "commit-no-role", "adds a leaf without a role"),
  COMMIT (COMMIT_TWICE, "commit-twice", "adds a key that is there"),
  COMMIT (COMMIT_TOO_MANY, "commit-too-many",
      "allows fewer members than there are"),
  COMMIT (COMMIT_NOBODY, "commit-nobody",
      "an owner leaves the meeting without an admin"),
  COMMIT (COMMIT_RECORDER, "commit-recorder",
      "a co-host adds a recorder where nobody may record"),
  COMMIT (COMMIT_PUBLIC, "commit-public", "commits in a PublicMessage"),
  COMMIT (COMMIT_DATA, "commit-data", "commits with authenticated_data"),
  COMMIT (COMMIT_REFERENCE, "commit-reference",
      "proposes, and commits by reference"),
  COMMIT (COMMIT_REINIT, "commit-reinit", "reinitializes the group"),
  SAY (SAY_GARBAGE_FIRST, "say-garbage-first",
      "a co-host puts rubbish first in each epoch"),
  SAY (SAY_REMOVED, "say-removed", "a member says that somebody was removed"),
  SAY (SAY_END, "say-end", "a member says that the meeting is over"),
  SAY (SAY_SSRC, "say-ssrc", "announces another member's stream as its own"),
  SAY (SAY_TRACK, "say-track", "a listener announces a track"),
  SAY (SAY_SCREEN, "say-screen", "shares a screen where only admins may"),
  SAY (SAY_FLOOD, "say-flood", "announces hundreds of tracks"),
  SAY (SAY_AHEAD, "say-ahead",
      "sends what nobody can read, as if others were in epochs to come"),
  { "say-heartbeat", "a member beats in the admins' stead",
      LIES_AS_MEMBER | LIES_AS_HUB | LIES_ON, SAY_HEARTBEAT, plan_heartbeat,
      say_people, heartbeat_begin, NULL, say_tick, free_lie },
};
const size_t n_member_adversaries = G_N_ELEMENTS (member_adversaries);

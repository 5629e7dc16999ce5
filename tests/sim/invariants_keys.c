/* What must hold about media keys: invariant 4. Which are open, for whom, for how long; and about tracks.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "watch.h"

#define SLACK_MS 1100 /* this file looks once a second, and after each turn */

static uint64_t
kid_of (const Policy *policy, uint32_t leaf, uint32_t track, uint64_t epoch)
{
  unsigned e = policy->epoch_bits, s = policy->index_bits;
  return (uint64_t) track << (s + e) | (uint64_t) leaf << e
         | (epoch & ((UINT64_C (1) << e) - 1));
}

static void
key_opened (Person *person, const SessionEvent *event)
{
  World *world = person->world;
  Watch *watch = watch_of (person);
  const Policy *policy = session_policy (person->session);
  OpenKey key = { .kid = event->key.kid,
    .epoch = event->epoch,
    .leaf = event->key.leaf,
    .track = event->key.track,
    .own = event->key.own,
    .opened = world->now };

  memcpy (key.identity, event->key.identity, IDENTITY_KEY_LEN);
  if (policy && key.kid != kid_of (policy, key.leaf, key.track, key.epoch))
    world_fail (world, 4, "%u has a key under a KID that is not its own",
        person->index);
  if (key.own != (memcmp (key.identity, person->key, IDENTITY_KEY_LEN) == 0))
    world_fail (world, 4, "%u has somebody's key as its own", person->index);
  for (guint i = 0; i < watch->keys->len; i++) {
    const OpenKey *open = &g_array_index (watch->keys, OpenKey, i);
    if (open->kid == key.kid)
      world_fail (world, 4,
          "%u has two keys with the KID %" G_GINT64_MODIFIER "x open",
          person->index, key.kid);
  }
  g_array_append_val (watch->keys, key);
}

static void
key_closed (Person *person, const SessionEvent *event)
{
  Watch *watch = watch_of (person);

  for (guint i = 0; i < watch->keys->len; i++) {
    const OpenKey *open = &g_array_index (watch->keys, OpenKey, i);
    if (open->kid == event->key.kid && open->epoch == event->epoch) {
      g_array_remove_index_fast (watch->keys, i);
      return;
    }
  }
  world_fail (
      person->world, 4, "%u closes a key that is not open", person->index);
}

/* 4: a track is its announcer's; 6 of the protocol: by whom it may be announced. */
static void
track_opened (Person *person, const SessionEvent *event)
{
  World *world = person->world;
  Watch *watch = watch_of (person);
  const Track *track = &event->message.track;
  const SessionMember *member = &event->member;
  const Policy *policy = session_policy (person->session);
  OpenSsrc open = { .ssrc = track->ssrc, .number = track->number };

  unsigned of_member = 1;

  memcpy (open.identity, member->key, IDENTITY_KEY_LEN);
  if (member->role != ROLE_PARTICIPANT)
    world_fail (world, 4, "%u takes a track from a listener or recorder",
        person->index);
  if (track->kind == MEDIA_SCREEN && policy
      && (policy->screen_share == WHO_NOBODY
          || (policy->screen_share == WHO_ADMINS
              && !policy_is_admin (policy, member->key))))
    world_fail (world, 6, "%u takes a screen from somebody who may not",
        person->index);
  for (guint i = 0; i < watch->tracks->len; i++) {
    const OpenSsrc *other = &g_array_index (watch->tracks, OpenSsrc, i);
    of_member +=
        memcmp (other->identity, open.identity, IDENTITY_KEY_LEN) == 0;
    if (other->ssrc == open.ssrc
        && memcmp (other->identity, open.identity, IDENTITY_KEY_LEN) != 0)
      world_fail (world, 4, "%u takes two members' tracks with one SSRC",
          person->index);
  }
  if (of_member > LIMIT_TRACKS_OPEN)
    world_fail (world, 9, "%u keeps %u tracks of one member", person->index,
        of_member);
  g_array_append_val (watch->tracks, open);
}

static void
drop_tracks (
    Person *person, const uint8_t *identity, bool all, uint64_t number)
{
  GArray *tracks = watch_of (person)->tracks;

  for (guint i = tracks->len; i-- > 0;) {
    const OpenSsrc *open = &g_array_index (tracks, OpenSsrc, i);
    if (memcmp (open->identity, identity, IDENTITY_KEY_LEN) == 0
        && (all || open->number == number))
      g_array_remove_index_fast (tracks, i);
  }
}

/* A media element hears the sender's first frame of a new epoch a little later. */
typedef struct
{
  Person *person;
  uint64_t crashes, epoch;
  uint32_t leaf, track;
} Heard;

static void
hear (World *world, void *what, uint64_t number)
{
  Heard *h = what;
  Person *person = h->person;
  bool open = false;

  if (!person->session || person->crashes != h->crashes || !person->watch)
    return;
  GArray *keys = person->watch->keys;
  for (guint i = 0; i < keys->len; i++) {
    const OpenKey *key = &g_array_index (keys, OpenKey, i);
    open |= key->leaf == h->leaf && key->track == h->track
            && key->epoch == h->epoch;
  }
  if (!open)
    return;
  for (guint i = 0; i < keys->len; i++) {
    OpenKey *key = &g_array_index (keys, OpenKey, i);
    if (key->leaf == h->leaf && key->track == h->track && key->epoch < h->epoch
        && !key->newer_heard)
      key->newer_heard = world->now;
  }
  session_tick (person->session, person_mono (person), person_wall (person));
  session_heard (person->session, h->leaf, h->track, h->epoch);
  person_turn (person);
}

static void
plan_to_hear (Person *person, const SessionEvent *event)
{
  World *world = person->world;

  if (event->key.own || dice_chance (&world->dice, 400))
    return;
  Heard *h = world_keep (world, g_new0 (Heard, 1));
  h->person = person;
  h->crashes = person->crashes;
  h->epoch = event->epoch;
  h->leaf = event->key.leaf;
  h->track = event->key.track;
  world_after (world, dice_between (&world->dice, 20, 600), hear, h, 0);
}

void
invariants_event (Person *person, const SessionEvent *event)
{
  if (!person->honest)
    return;
  switch (event->type) {
    case SESSION_EVENT_KEY_OPENED:
      key_opened (person, event);
      plan_to_hear (person, event);
      break;
    case SESSION_EVENT_KEY_CLOSED:
      key_closed (person, event);
      break;
    case SESSION_EVENT_TRACK:
      track_opened (person, event);
      break;
    case SESSION_EVENT_TRACK_ENDED:
      drop_tracks (person, event->member.key, false, event->track);
      break;
    case SESSION_EVENT_LEFT:
      drop_tracks (person, event->member.key, true, 0);
      break;
    case SESSION_EVENT_STATE:
      if (event->state == SESSION_ENDED && !person->world->over
          && !truth_any (person->world, INTENT_LEAVE, NULL))
        world_fail (person->world, 8,
            "the meeting has ended for %u and no owner wanted it",
            person->index);
      if (event->state == SESSION_REJOINING && person->world->nobody_goes)
        world_fail (person->world,
            person->world->adversary->powers & LIES_AS_HUB ? 6 : 8,
            "%u has left its group for what a liar says", person->index);
      if (event->state != SESSION_MEMBER)
        g_array_set_size (watch_of (person)->tracks, 0);
      break;
    default:
      break;
  }
}

/* When an epoch ended for this member; false while it has not. */
static const Passed *
find_passed (const Watch *watch, uint64_t epoch)
{
  for (guint i = watch->passed->len; i-- > 0;) {
    const Passed *passed = &g_array_index (watch->passed, Passed, i);
    if (passed->epoch == epoch)
      return passed;
  }
  return NULL;
}

/* After each turn: what must hold at once. */
void
keys_turn (Person *person)
{
  World *world = person->world;
  Watch *watch = person->watch;

  if (!watch->epoch)
    return;
  for (guint i = 0; i < watch->keys->len; i++) {
    const OpenKey *key = &g_array_index (watch->keys, OpenKey, i);
    const Seat *seat = truth_seat (watch->epoch, key->identity);
    /* 5: "A removed leaf's tracks end with the commit" */
    if (!seat || seat->leaf != key->leaf)
      world_fail (
          world, 4, "%u has a key open of a leaf that is gone", person->index);
    if (key->own && key->epoch > watch->epoch->epoch)
      world_fail (
          world, 4, "%u uses a key of an epoch to come", person->index);
  }
}

/* Each second: what ends in time. */
void
keys_second (Person *person)
{
  World *world = person->world;
  Watch *watch = person->watch;

  for (guint i = 0; i < watch->keys->len; i++) {
    const OpenKey *key = &g_array_index (watch->keys, OpenKey, i);
    const Passed *passed = find_passed (watch, key->epoch);
    if (!passed)
      continue;
    uint64_t limit = passed->removed_somebody ? LIMIT_OLD_EPOCH_REMOVED_MS
                                              : LIMIT_OLD_EPOCH_MS;
    if (world->now > passed->at + limit + SLACK_MS)
      world_fail (world, 4,
          "%u still accepts frames of epoch %" G_GUINT64_FORMAT
          ", which ended %" G_GUINT64_FORMAT " ms ago",
          person->index, key->epoch, world->now - passed->at);
    if (key->newer_heard
        && world->now > key->newer_heard + LIMIT_OLD_EPOCH_HEARD_MS + SLACK_MS)
      world_fail (world, 4,
          "%u accepts an old epoch's frames though the sender has moved on",
          person->index);
    /* "honest senders use it within 1 s of its delivery to them" */
    if (key->own && world->now > passed->at + 1000 + SLACK_MS) {
      bool newer = false;
      for (guint j = 0; j < watch->keys->len; j++) {
        const OpenKey *other = &g_array_index (watch->keys, OpenKey, j);
        newer |= other->own && other->track == key->track
                 && other->epoch > key->epoch;
      }
      if (!newer)
        world_fail (world, 4, "%u still sends in an epoch that has ended",
            person->index);
    }
  }
}

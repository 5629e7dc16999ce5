/* What must hold about groups: invariants 1, 2, 4 to 9. Who knows which epoch, who is in it and why, what its policy is and
 * who wanted it so; that all come together, or say that they don't.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "truth.h"
#include "watch.h"

#include "fake.h"
#include "insider.h"

#include <malloc.h>

#define CONVERGE_MS 5000
#define NOTICE_MS 35000
#define SILENCE_MS 65000
#define SLACK_MS 1500 /* this file looks once a second */
#define ROSTERS_OF_ALL 20
#define HEAP_EVERY_S 4

Watch *
watch_of (Person *person)
{
  if (!person->watch) {
    person->watch = g_new0 (Watch, 1);
    person->watch->keys = g_array_new (FALSE, FALSE, sizeof (OpenKey));
    person->watch->passed = g_array_new (FALSE, FALSE, sizeof (Passed));
    person->watch->tracks = g_array_new (FALSE, FALSE, sizeof (OpenSsrc));
    person->watch->apart = g_new0 (uint64_t, person->world->people->len + 64);
  }
  return person->watch;
}

void
invariants_forget (Person *person)
{
  Watch *watch = person->watch;

  if (!watch)
    return;
  g_array_free (watch->keys, TRUE);
  g_array_free (watch->passed, TRUE);
  g_array_free (watch->tracks, TRUE);
  g_free (watch->apart);
  g_free (watch);
  person->watch = NULL;
}

/* ---- An epoch by itself ---- */

static bool
seats_distinct (const EpochTruth *epoch)
{
  for (guint i = 0; i < epoch->seats->len; i++)
    for (guint j = 0; j < i; j++)
      if (memcmp (g_array_index (epoch->seats, Seat, i).key,
              g_array_index (epoch->seats, Seat, j).key, IDENTITY_KEY_LEN)
          == 0)
        return false;
  return true;
}

static void
check_seat (World *world, Person *by, const EpochTruth *epoch,
    const SessionMember *member)
{
  Person *person = world_person (world, member->key);

  truth_put_key (world->truth->members, member->key);
  if (!person) {
    world_fail (world, 1, "%u has somebody in its roster who does not exist",
        by->index);
    return;
  }
  if (world->plan.password && !person->knows_password && !person->owner
      && !world->truth->liar_was_admin)
    world_fail (world, 5, "%u is in with a wrong password", person->index);
  if (!truth_was_admitted (world, member->key)
      || (!world->truth->liar_was_admin && !truth_admissible (world, person)
          && !truth_any (world, INTENT_REMOVE, member->key)
          && !truth_key_in (world->truth->removed, member->key)))
    world_fail (world, 3,
        "%u is in epoch %" G_GUINT64_FORMAT " though nobody let it in",
        person->index, epoch->epoch);
  if (person->honest
      && (member->role != person->role
          || strcmp (member->name, person->name) != 0))
    world_fail (world, 6, "%u is in with another role or name", person->index);
  if (!person->honest && person->watch && person->watch->seated
      && (member->role != person->watch->role
          || strcmp (member->name, person->watch->name) != 0))
    world_fail (
        world, 6, "%u has changed its role or name in a leaf", person->index);
  if (!person->honest) {
    Watch *watch = watch_of (person);
    watch->seated = true;
    watch->role = member->role;
    g_strlcpy (watch->name, member->name, sizeof watch->name);
  }
}

static void
check_policy (World *world, Person *by, const EpochTruth *epoch)
{
  const Policy *policy = &epoch->policy;
  unsigned admins = 0, recorders = 0;

  for (guint i = 0; i < epoch->seats->len; i++) {
    const Seat *seat = &g_array_index (epoch->seats, Seat, i);
    admins += policy_is_admin (policy, seat->key);
    recorders += seat->role == ROLE_RECORDER;
  }
  if (!policy_is_sound (policy)
      || strcmp (policy->meeting, world->plan.policy.meeting) != 0
      || policy->sframe_suite != world->plan.policy.sframe_suite
      || policy->epoch_bits != world->plan.policy.epoch_bits
      || policy->index_bits != world->plan.policy.index_bits)
    world_fail (world, 6, "%u follows a policy of other constants", by->index);
  if (admins == 0)
    world_fail (
        world, 6, "no admin is in epoch %" G_GUINT64_FORMAT, epoch->epoch);
  if (epoch->seats->len > policy->max_members)
    world_fail (world, 6, "%u members are more than the policy allows",
        epoch->seats->len);
  if (recorders > 0 && policy->recording == WHO_NOBODY)
    world_fail (world, 6, "a recorder is in though nobody may record");
  if (!seats_distinct (epoch))
    world_fail (world, 2, "a key is twice in the roster");
}

/* ---- From one epoch to the next ---- */

static bool
was_admin_wanted (World *world, const Policy *before, const uint8_t *key)
{
  return policy_is_admin (before, key)
         || truth_spend (world, INTENT_PROMOTE, key, 0)
         || truth_any (world, INTENT_HAND_OVER, NULL)
         || truth_any (world, INTENT_LEAVE, before->owner);
}

static void
compare_policies (
    World *world, const EpochTruth *before, const EpochTruth *after)
{
  const Policy *a = &before->policy, *b = &after->policy;
  bool wild = world->truth->liar_was_admin;

  if (!policy_same_constants (a, b))
    world_fail (world, 6, "a constant of the policy has changed");
  if (memcmp (a->owner, b->owner, IDENTITY_KEY_LEN) != 0
      && !truth_spend (world, INTENT_HAND_OVER, b->owner, 0)
      && !truth_any (world, INTENT_LEAVE, a->owner))
    world_fail (world, 6, "the owner has changed and did not want it");
  if (a->locked != b->locked && !wild
      && !truth_spend (world, INTENT_LOCK, NULL, b->locked))
    world_fail (world, 6, "%s, and no admin wanted it",
        b->locked ? "locked" : "unlocked");
  if ((a->screen_share != b->screen_share || a->recording != b->recording
          || a->consent != b->consent || a->max_members != b->max_members
          || a->hand_over != b->hand_over || a->admission != b->admission)
      && !wild && !truth_spend (world, INTENT_POLICY, NULL, 0))
    world_fail (world, 6, "the policy has changed, and no admin wanted it");
  for (size_t i = 0; i < b->n_admins && !wild; i++)
    if (!was_admin_wanted (world, a, b->admins[i]))
      world_fail (world, 6, "somebody is an admin whom no owner promoted");
}

/* Whether somebody may be gone without having been removed: it left, or its place may have lapsed. */
static bool
may_be_gone (World *world, Person *person)
{
  return !person->honest || !person->session || !person->wants_in
         || person->lost_at > 0 || world->over
         || truth_any (world, INTENT_LEAVE, person->key)
         || session_state (person->session) != SESSION_MEMBER;
}

static void
compare_seats (World *world, const EpochTruth *before, EpochTruth *after)
{
  for (guint i = 0; i < after->seats->len; i++) {
    const Seat *seat = &g_array_index (after->seats, Seat, i);
    if (!truth_seat (before, seat->key) && before->policy.locked
        && !policy_is_admin (&before->policy, seat->key))
      world_fail (world, 6, "somebody was added while the meeting was locked");
    if (!truth_seat (before, seat->key)
        && truth_is_barred (world, seat->key, after))
      world_fail (world, 4, "somebody who was removed is in again");
  }
  for (guint i = 0; i < before->seats->len; i++) {
    const Seat *seat = &g_array_index (before->seats, Seat, i);
    const Seat *now = truth_seat (after, seat->key);
    Person *person = world_person (world, seat->key);
    if (now || !person)
      continue;
    after->removed_somebody = true;
    if (policy_is_owner (&after->policy, seat->key))
      world_fail (world, 6, "the owner was removed");
    if (truth_any (world, INTENT_REMOVE, seat->key))
      truth_removed (world, seat->key, after);
    else if (hub_is_honest (world) && !world->truth->liar_was_admin
             && !may_be_gone (world, person)
             && !(seat->role == ROLE_RECORDER
                  && after->policy.recording == WHO_NOBODY))
      world_fail (
          world, 8, "%u was removed and nobody wanted it", person->index);
  }
}

/* ---- Who is where ---- */

static void
read_seats (Session *session, GArray *seats)
{
  SessionMember member;

  for (size_t i = 0; i < session_members (session); i++) {
    if (!session_member (session, i, &member))
      continue;
    Seat seat = { .leaf = member.leaf, .role = member.role };
    memcpy (seat.key, member.key, IDENTITY_KEY_LEN);
    g_array_append_val (seats, seat);
  }
}

static bool
seats_equal (const GArray *a, const GArray *b)
{
  if (a->len != b->len)
    return false;
  for (guint i = 0; i < a->len; i++) {
    const Seat *x = &g_array_index (a, Seat, i),
               *y = &g_array_index (b, Seat, i);
    if (x->leaf != y->leaf || x->role != y->role
        || memcmp (x->key, y->key, IDENTITY_KEY_LEN) != 0)
      return false;
  }
  return true;
}

static bool
policies_equal (const Policy *a, const Policy *b)
{
  uint8_t x[POLICY_MAX_SIZE], y[POLICY_MAX_SIZE];
  Writer wx = writer_init (x, sizeof x), wy = writer_init (y, sizeof y);

  policy_write (&wx, a);
  policy_write (&wy, b);
  return !wx.failed && writer_len (&wx) == writer_len (&wy)
         && memcmp (x, y, writer_len (&wx)) == 0;
}

static void
check_base_key (Person *person, EpochTruth *epoch)
{
  Secret *key = session_base_key (person->session, epoch->epoch);

  if (!key) {
    world_fail (
        person->world, 2, "%u has no key for its epoch", person->index);
    return;
  }
  if (epoch->base_key_len == 0) {
    epoch->base_key_len = secret_len (key);
    memcpy (epoch->base_key, secret_bytes (key), secret_len (key));
  } else if (epoch->base_key_len != secret_len (key)
             || memcmp (epoch->base_key, secret_bytes (key), secret_len (key))
                    != 0) {
    world_fail (person->world, 2, "%u has another key for the same epoch",
        person->index);
  }
  secret_unref (key);
}

static EpochTruth *
new_epoch (Person *person, const EpochTruth *before)
{
  World *world = person->world;
  Session *session = person->session;
  EpochTruth *epoch = g_new0 (EpochTruth, 1);
  SessionMember member;

  memcpy (epoch->authenticator, session_epoch_authenticator (session),
      MLS_HASH_LEN);
  memcpy (epoch->group, session_group_id (session), DOOR_GROUP_ID_LEN);
  memcpy (epoch->room, insider_room (person), LIMIT_ROOM);
  epoch->epoch = session_epoch (session);
  epoch->policy = *session_policy (session);
  g_strlcpy (epoch->code, session_security_code (session), sizeof epoch->code);
  epoch->seats = g_array_new (FALSE, FALSE, sizeof (Seat));
  epoch->seen = world->now;
  read_seats (session, epoch->seats);
  g_hash_table_insert (world->truth->epochs, epoch->authenticator, epoch);
  world->last_change = world->now;
  /* group is followed by epoch in the struct: that is the key. */
  EpochTruth *other =
      g_hash_table_lookup (world->truth->numbers, epoch->group);
  /* A room that all had left is forgotten like all of them by a hub that restarts. */
  if (other && memcmp (other->room, epoch->room, LIMIT_ROOM) != 0)
    world->hub_forgot = true;
  /* A hub that lost its memory, or the room when the owner closed it, gives one number twice; who got the other commit
   * joins anew. */
  if (other && hub_is_honest (world) && !world->hub_forgot && !world->over)
    world_fail (world, 2, "two epochs %" G_GUINT64_FORMAT " of one group",
        epoch->epoch);
  g_hash_table_insert (world->truth->numbers, epoch->group, epoch);

  for (size_t i = 0; i < session_members (session); i++)
    if (session_member (session, i, &member))
      check_seat (world, person, epoch, &member);
  if (before && before->epoch + 1 == epoch->epoch
      && memcmp (before->group, epoch->group, DOOR_GROUP_ID_LEN) == 0) {
    compare_policies (world, before, epoch);
    compare_seats (world, before, epoch);
  } else if (memcmp (epoch->policy.owner, world_owner (world)->key,
                 IDENTITY_KEY_LEN)
                 != 0
             && !truth_any (world, INTENT_HAND_OVER, NULL)
             && !truth_any (world, INTENT_LEAVE, NULL)) {
    world_fail (
        world, 6, "a stranger owns the meeting that %u is in", person->index);
  }
  check_policy (world, person, epoch);
  return epoch;
}

/* An honest member has come into an epoch. */
static void
enter_epoch (Person *person)
{
  World *world = person->world;
  Watch *watch = watch_of (person);
  const uint8_t *authenticator = session_epoch_authenticator (person->session);
  EpochTruth *epoch = truth_epoch (world, authenticator);
  EpochTruth *before = watch->epoch;

  if (world->trap)
    world_fail (world, 3, "%u has come into the group of %s", person->index,
        world->trap);
  world->somebody_must_come_in = false;
  if (!epoch)
    epoch = new_epoch (person, before);
  else if (epoch->epoch != session_epoch (person->session)
           || strcmp (epoch->code, session_security_code (person->session))
                  != 0
           || !policies_equal (
               &epoch->policy, session_policy (person->session)))
    world_fail (
        world, 2, "%u has another policy, code or number", person->index);
  if (world->people->len <= ROSTERS_OF_ALL || person->index % 16 == 0) {
    GArray *seats = g_array_new (FALSE, FALSE, sizeof (Seat));
    read_seats (person->session, seats);
    if (!seats_equal (seats, epoch->seats))
      world_fail (world, 2, "%u has another roster", person->index);
    g_array_free (seats, TRUE);
  }
  const char *why = g_hash_table_lookup (world->forbidden, authenticator);
  if (why)
    world_fail (world, 6, "%u has followed a commit that is void: %s",
        person->index, why);
  if (!truth_seat (epoch, person->key))
    world_fail (world, 1, "%u is in an epoch without being in its roster",
        person->index);
  check_base_key (person, epoch);
  if (person->owner)
    truth_owner_in (world, epoch);
  if (before && memcmp (before->group, epoch->group, DOOR_GROUP_ID_LEN) == 0
      && before->epoch + 1 == epoch->epoch) {
    bool removed = false;
    for (guint i = 0; i < before->seats->len; i++)
      removed |=
          !truth_seat (epoch, g_array_index (before->seats, Seat, i).key);
    Passed passed = { before->epoch, world->now, removed };
    g_array_append_val (watch->passed, passed);
  } else {
    g_array_set_size (watch->passed, 0);
  }
  watch->epoch = epoch;
  for (guint i = 0; i < world->people->len; i++) {
    const Person *other = g_ptr_array_index (world->people, i);
    if (other->watch && other->watch->epoch == epoch)
      watch->apart[i] = 0;
  }
  world_say (world, "%u in epoch %" G_GUINT64_FORMAT " of %u %02x%02x",
      person->index, epoch->epoch, epoch->seats->len, authenticator[0],
      authenticator[1]);
}

/* Somebody who lies, or was removed, must be in no epoch that it is not in the roster of. */
static void
check_knowledge (Person *person)
{
  const uint8_t *authenticator = session_epoch_authenticator (person->session);
  EpochTruth *epoch =
      authenticator ? truth_epoch (person->world, authenticator) : NULL;

  if (epoch && !truth_seat (epoch, person->key))
    world_fail (person->world, 1,
        "%u knows the keys of an epoch without being in its roster",
        person->index);
}

void
invariants_turn (Person *person)
{
  Watch *watch = watch_of (person);
  const uint8_t *authenticator = session_epoch_authenticator (person->session);

  if (!authenticator) {
    watch->epoch = NULL;
    g_array_set_size (watch->passed, 0);
    return;
  }
  if (!person->honest) {
    const Policy *policy = session_policy (person->session);
    if (policy && policy_is_admin (policy, person->key))
      person->world->truth->liar_was_admin = true;
    check_knowledge (person);
    return;
  }
  if (!watch->epoch
      || memcmp (watch->epoch->authenticator, authenticator, MLS_HASH_LEN)
             != 0)
    enter_epoch (person);
  keys_turn (person);
}

/* ---- Together, or not ---- */

static bool
counts (Person *person)
{
  return person->honest && person_is_member (person) && person->watch
         && person->watch->epoch;
}

/* Whether there is an honest admin to let anybody in. */
static Person *
somebody_in_charge (World *world)
{
  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (counts (person)
        && policy_is_admin (&person->watch->epoch->policy, person->key))
      return person;
  }
  return NULL;
}

/* Where nothing but a member lies, it is what one bad member must not be able to do. */
static unsigned
together_or_stopped (const World *world)
{
  const Adversary *a = world->adversary;
  return a && a->powers & LIES_AS_MEMBER && !(a->powers & LIES_AS_HUB) ? 8 : 7;
}

/* 7: no faults and lies: all honest members are in one epoch within 5 s. */
static void
check_together (World *world)
{
  const EpochTruth *newest = NULL;
  Person *late = NULL;

  /* "under a lying hub they say `stale` or `split`": check_notice(), and that does not end with the lie. */
  if (!world->calm_since || world->deceived)
    return;
  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (counts (person)
        && (!newest || person->watch->epoch->seen > newest->seen))
      newest = person->watch->epoch;
  }
  /* Without an admin nobody can bring them together. */
  if (!newest || !somebody_in_charge (world)
      || world->now
             < MAX (newest->seen, world->calm_since) + CONVERGE_MS + SLACK_MS)
    return;
  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (counts (person) && person->watch->epoch != newest
        && (truth_seat (newest, person->key)
            || !truth_any (world, INTENT_REMOVE, person->key)))
      late = person;
  }
  if (late)
    world_fail (world, together_or_stopped (world),
        "%u is still in epoch %" G_GUINT64_FORMAT
        ", others have gone to %" G_GUINT64_FORMAT,
        late->index, late->watch->epoch->epoch, newest->epoch);
}

/* Who is in no epoch for a while begins anew. */
static void
forget_apart (Person *person)
{
  for (guint i = 0; person->watch && i < person->world->people->len; i++)
    person->watch->apart[i] = 0;
}

/* 7: who is not where the admins are says so, and then is silent. */
static void
check_notice (World *world, Person *person)
{
  const EpochTruth *epoch = person->watch->epoch;
  uint64_t least = UINT64_MAX;
  bool apart_of_all = false;

  for (guint i = 0; i < world->people->len; i++) {
    Person *admin = g_ptr_array_index (world->people, i);
    uint64_t *since = &person->watch->apart[i];
    if (admin == person || !counts (admin) || admin->watch->epoch == epoch
        || !policy_is_admin (&epoch->policy, admin->key)
        || !truth_seat (epoch, admin->key)) {
      if (admin != person && counts (admin) && admin->watch->epoch == epoch
          && policy_is_admin (&epoch->policy, admin->key))
        least = 0;
      *since = 0;
      continue;
    }
    apart_of_all = true;
    if (!*since)
      *since = world->now;
    uint64_t apart = world->now - *since;
    least = MIN (least, apart);
    GBytes *key = g_bytes_new_static (admin->key, IDENTITY_KEY_LEN);
    if (apart > NOTICE_MS + SLACK_MS && !person->stale && !person->undelivered
        && !g_hash_table_contains (person->split, key))
      world_fail (world, 7,
          "%u is apart from admin %u for %" G_GUINT64_FORMAT
          " ms and does not say so",
          person->index, admin->index, apart);
    g_bytes_unref (key);
  }
  if (apart_of_all && least > SILENCE_MS + SLACK_MS && !person->silenced
      && !world->truth->liar_was_admin)
    world_fail (world, 7, "%u is apart from all admins and still speaks",
        person->index);
}

/* 9: what anybody can make anybody keep. */
static void
check_memory (World *world)
{
  size_t limit = world->plan.storm ? (size_t) 1 << 30 : (size_t) 96 << 20;

  if (server_memory (world) > (size_t) 64 << 20)
    world_fail (world, 9, "the hub keeps %zu bytes", server_memory (world));
#ifdef __GLIBC__
  /* It walks all that is free. */
  if (world->heap_before && world->now / 1000 % HEAP_EVERY_S != 0)
    return;
  struct mallinfo2 heap = mallinfo2 ();
  if (!world->heap_before)
    world->heap_before = heap.uordblks + heap.hblkhd;
  if (heap.uordblks + heap.hblkhd > world->heap_before + limit)
    world_fail (world, 9, "the heap has grown by %zu bytes",
        heap.uordblks + heap.hblkhd - world->heap_before);
#endif
}

/* Calm is when nothing is wrong with the net: whoever wants to be there is connected. */
static void
watch_calm (World *world)
{
  for (guint i = 0; world->healed && i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (person->honest && person->session && person->wants_in
        && (!person->conn || !person->conn->down_open)
        && session_state (person->session) <= SESSION_REJOINING)
      world->calm_since = world->now;
  }
}

/* 7: the hub keeps all from the admins, or them from all: nobody speaks any more. */
static void
check_silence (World *world)
{
  if (!world->silent_by || world->now < world->silent_by + SLACK_MS)
    return;
  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (counts (person) && !person->silenced
        && g_hash_table_size (person->split) == 0
        && !policy_is_admin (&person->watch->epoch->policy, person->key))
      world_fail (world, 7, "%u still speaks, though no admin can be heard",
          person->index);
  }
}

void
invariants_second (World *world)
{
  watch_calm (world);
  check_together (world);
  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (!counts (person)) {
      forget_apart (person);
      continue;
    }
    check_notice (world, person);
    keys_second (person);
  }
  check_silence (world);
  check_memory (world);
}

/* ---- The end ---- */

static bool
clock_fits (World *world, const Person *person)
{
  return ABS (person->wall) < (int64_t) 3600 * 1000
         && ABS (world_owner (world)->wall) < (int64_t) 3600 * 1000;
}

static bool
somebody_can_show (World *world)
{
  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (counts (person)
        && policy_is_admin (&person->watch->epoch->policy, person->key)
        && insider_can_show (person))
      return true;
  }
  return false;
}

/* Reasons by which somebody who may come in is rightly out. */
static bool
is_rightly_out (World *world, Person *person, const EpochTruth *epoch)
{
  const Policy *policy = &epoch->policy;

  /* Nobody is left who could show that the link's host named it. */
  if (world->plan.pinned && !somebody_can_show (world))
    return true;
  /* What a lying hub did to somebody at the door is over when the timers of the door are. */
  return !hub_is_honest (world) || world->now < person->excused
         || !person->came || !person->wants_in || !person->session
         || !truth_admissible (world, person) || !clock_fits (world, person)
         || policy->locked || world->was_locked
         || policy->max_members <= world->plan.people + 1u
         || person->role == ROLE_RECORDER || person->state == SESSION_REMOVED
         || (person->state == SESSION_DENIED
             && (world->adversary || person->code == WIRE_CODE_CLOCK));
}

void
invariants_end (World *world)
{
  Person *admin = somebody_in_charge (world);

  if (world->somebody_must_come_in)
    world_fail (world, 7, "nobody came in");
  if (world->must_be_let_in && !fake_joiner_is_in (world->must_be_let_in))
    world_fail (world, 8, "a joiner that does all as it should is not let in");
  if (world->over || !admin
      || (world->adversary && world->adversary->powers & LIES_ON))
    return;
  const EpochTruth *epoch = admin->watch->epoch;
  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (!person->honest || is_rightly_out (world, person, epoch))
      continue;
    if (!counts (person))
      world_fail (world, together_or_stopped (world),
          "%u is not in at the end: state %d, code %d", person->index,
          person->state, person->code);
    else if (person->watch->epoch != epoch
             && world->now > world->last_change + CONVERGE_MS)
      world_fail (world, 7, "%u and %u are not together at the end",
          person->index, admin->index);
  }
  for (guint i = 0; i < epoch->seats->len; i++)
    if (truth_is_barred (
            world, g_array_index (epoch->seats, Seat, i).key, epoch))
      world_fail (world, 4, "somebody who was removed is in at the end");
  if (world->probe && epoch->policy.locked != world->probe_locked)
    world_fail (world, 8, "what the admin wanted was not done");
}

/* People: a session each, what it says, and what they do about it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "truth.h"

#include <stdio.h>

#define TRIES 3 /* of a stranger */

uint64_t
person_mono (const Person *person)
{
  return person->started + person->world->now;
}

/* 2026, and what its clock shows of it. */
uint64_t
person_wall (const Person *person)
{
  return (uint64_t) ((int64_t) (UINT64_C (1795000000000) + person->world->now)
                     + person->wall);
}

bool
person_is_member (const Person *person)
{
  return person->session && session_state (person->session) == SESSION_MEMBER;
}

Person *
world_person (World *world, const uint8_t *key)
{
  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (memcmp (person->key, key, IDENTITY_KEY_LEN) == 0)
      return person;
  }
  return NULL;
}

Person *
world_owner (World *world)
{
  return g_ptr_array_index (world->people, 0);
}

Person *
person_new (World *world, Role role, bool owner)
{
  Person *person = g_new0 (Person, 1);
  uint8_t seed[IDENTITY_KEY_LEN];

  person->world = world;
  person->index = world->people->len;
  person->role = role;
  person->owner = owner;
  person->honest = true;
  person->invited = true;
  person->listed = true;
  person->knows_password = true;
  person->source = person->index + 1;
  person->delay = dice_between (&world->dice, 2, 60);
  person->started = dice_below (&world->dice, 1u << 30);
  /* The marker of what must never be seen by the hub: tap.c looks for it. */
  g_snprintf (person->name, sizeof person->name, "SIMNAME-%u",
      dice_chance (&world->dice, 100) ? 0 : person->index);
  dice_bytes (&world->dice, seed, sizeof seed);
  person->identity = identity_from_seed (seed);
  memcpy (
      person->key, identity_public_key (person->identity), IDENTITY_KEY_LEN);
  identity_fingerprint (person->key, person->fingerprint);
  person->split = g_hash_table_new_full (
      g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  g_ptr_array_add (world->people, person);
  return person;
}

void
person_free (Person *person)
{
  invariants_forget (person);
  if (person->fake)
    person->fake->free (person);
  session_free (person->session);
  identity_free (person->identity);
  g_hash_table_unref (person->split);
  if (person->record)
    g_byte_array_unref (person->record);
  g_free (person);
}

/* ---- What it decides ---- */

typedef struct
{
  Person *person, *guest; /* guest: NULL for a key that nobody has */
  uint64_t crashes, peer;
} Decision;

static void
decide (World *world, void *what, uint64_t number)
{
  Decision *d = what;

  if (!d->person->session || d->person->crashes != d->crashes)
    return;
  session_tick (
      d->person->session, person_mono (d->person), person_wall (d->person));
  if (d->guest && truth_admissible (world, d->guest)) {
    if (session_admit (d->person->session, d->peer))
      truth_admitted (world, d->guest->key);
  } else {
    session_deny (d->person->session, d->peer);
  }
  person_turn (d->person);
}

static void
knock_again (World *world, void *what, uint64_t number)
{
  Person *person = what;

  if (!person->session || person->crashes != number
      || session_state (person->session) != SESSION_AGAIN)
    return;
  session_tick (person->session, person_mono (person), person_wall (person));
  if (session_knock_again (person->session))
    person->knocks_wanted++;
  person_turn (person);
}

static void
come_back (World *world, void *what, uint64_t number)
{
  Person *person = what;
  if (person->crashes == number && person->wants_in)
    person_start (person);
}

/* A session that has ended stays, for what it knows; a person that may be there tries anew. */
static void
state_changed (Person *person, const SessionEvent *event)
{
  World *world = person->world;

  person->state = event->state;
  world->over |= event->state == SESSION_ENDED
                 && truth_any (world, INTENT_LEAVE, person->key);
  person->code = event->code;
  world_say (
      world, "%u is %d, code %d", person->index, event->state, event->code);
  if (event->state == SESSION_AGAIN
      && (truth_admissible (world, person) || person->tries++ < TRIES))
    world_after (world, dice_between (&world->dice, 500, 4000), knock_again,
        person, person->crashes);
  if (event->state == SESSION_DENIED && person->tries++ < TRIES
      && !world->healed)
    world_after (world, dice_between (&world->dice, 3000, 9000), come_back,
        person, person->crashes);
}

static void
take_event (Person *person, SessionEvent *event)
{
  World *world = person->world;

  switch (event->type) {
    case SESSION_EVENT_STATE:
      state_changed (person, event);
      break;
    case SESSION_EVENT_KNOCK: {
      Decision *d = world_keep (world, g_new0 (Decision, 1));
      d->person = person;
      d->guest = world_person (world, event->member.key);
      d->crashes = person->crashes;
      d->peer = event->peer;
      if (!person->idle)
        world_after (
            world, dice_between (&world->dice, 50, 1500), decide, d, 0);
      break;
    }
    case SESSION_EVENT_SILENCED:
      person->silenced = event->on;
      break;
    case SESSION_EVENT_STALE:
      person->stale = event->on;
      break;
    case SESSION_EVENT_UNDELIVERED:
      person->undelivered = event->on;
      break;
    case SESSION_EVENT_SPLIT: {
      GBytes *key = g_bytes_new (event->member.key, IDENTITY_KEY_LEN);
      if (event->on)
        g_hash_table_add (person->split, key);
      else {
        g_hash_table_remove (person->split, key);
        g_bytes_unref (key);
      }
      break;
    }
    case SESSION_EVENT_RECORD:
      if (person->record)
        g_byte_array_unref (person->record);
      person->record = g_byte_array_new ();
      g_byte_array_append (
          person->record, event->record.data, (guint) event->record.len);
      break;
    default:
      break;
  }
  invariants_event (person, event);
}

/* ---- Its session ---- */

static void
take_output (Person *person, const SessionOutput *out)
{
  Conn *conn = person->conn;

  switch (out->type) {
    case SESSION_CONNECT:
      if (conn)
        net_close (conn);
      person->conn = net_connect (person);
      break;
    case SESSION_SEND_TEXT:
    case SESSION_SEND_BINARY:
      if (conn && conn->down_open)
        net_send (conn, out->type == SESSION_SEND_BINARY, out->data, out->len);
      break;
    case SESSION_DISCONNECT:
      if (conn)
        net_close (conn);
      person->conn = NULL;
      break;
  }
}

static void
wake (World *world, void *what, uint64_t number)
{
  Person *person = what;
  if (person->session && person->wake == world->now
      && person->crashes == number) {
    person->wake = 0;
    session_tick (person->session, person_mono (person), person_wall (person));
    person_turn (person);
  }
}

void
person_turn (Person *person)
{
  World *world = person->world;
  SessionOutput out;
  SessionEvent event;
  bool more = true;

  if (!person->session)
    return;
  while (more && !world->failure) {
    more = false;
    while (session_next_event (person->session, &event)) {
      take_event (person, &event);
      session_event_clear (&event);
      more = true;
    }
    while (session_next_output (person->session, &out)) {
      take_output (person, &out);
      session_output_clear (&out);
      more = true;
    }
  }
  invariants_turn (person);

  uint64_t deadline = session_deadline (person->session);
  if (deadline == UINT64_MAX)
    return;
  uint64_t at = deadline > person->started ? deadline - person->started : 0;
  at = MAX (at, world->now + 1);
  if (person->wake > world->now && person->wake <= at)
    return;
  person->wake = at;
  world_after (world, at - world->now, wake, person, person->crashes);
}

void
person_connected (Person *person)
{
  if (!person->session)
    return;
  session_tick (person->session, person_mono (person), person_wall (person));
  session_connected (person->session, server_spki_hash);
  person_turn (person);
}

void
person_frame (Person *person, bool binary, GBytes *bytes)
{
  gsize len;
  const void *data = g_bytes_get_data (bytes, &len);

  if (person->fake)
    person->fake->frame (person, binary, bytes);
  if (!person->session)
    return;
  session_tick (person->session, person_mono (person), person_wall (person));
  session_frame (person->session, binary, data, len);
  person_turn (person);
}

void
person_disconnected (Person *person)
{
  person->lost_at = person->world->now;
  if (person->fake && person->fake->gone)
    person->fake->gone (person);
  if (!person->session)
    return;
  session_tick (person->session, person_mono (person), person_wall (person));
  session_disconnected (person->session);
  person_turn (person);
}

void
person_stop (Person *person)
{
  Session *session = person->session;

  /* It does not live to see its connection end. */
  person->session = NULL;
  invariants_forget (person);
  if (person->conn)
    net_cut (person->conn);
  person->conn = NULL;
  session_free (session);
  person->crashes++;
  person->lost_at = person->world->now;
  person->wake = 0;
  person->silenced = person->stale = person->undelivered = false;
  g_hash_table_remove_all (person->split);
}

void
person_start (Person *person)
{
  World *world = person->world;
  const Plan *plan = &world->plan;
  char uri[LINK_SIZE], pin[FINGERPRINT_TEXT_SIZE];
  bool pinned = plan->pinned || person->owner;

  if (person->fake) {
    person->fake->start (person);
    return;
  }
  if (person->session)
    person_stop (person);
  fingerprint_text (world_owner (world)->fingerprint, pin);
  g_snprintf (uri, sizeof uri, "meet://sim.invalid/%s%s%s",
      plan->policy.meeting, pinned ? "#host=" : "", pinned ? pin : "");

  SessionConfig config = { .uri = uri,
    .owner = person->owner,
    .role = person->role,
    .display_name = person->name,
    .identity = person->identity,
    .password = !plan->password          ? NULL
                : person->knows_password ? world->password
                                         : world->wrong_password,
    .suite = plan->suite,
    .policy = plan->policy,
    .allow_list = plan->allow_list,
    .n_allow_list = plan->n_allow_list,
    .recorders = plan->recorder_list,
    .n_recorders = plan->n_recorder_list,
    .rekey_interval = plan->rekey };
  if (person->record) {
    config.record = person->record->data;
    config.record_len = person->record->len;
  }
  SessionResult result = session_new (
      &config, person_mono (person), person_wall (person), &person->session);
  if (result != SESSION_OK) {
    world_fail (world, 7, "no session for %u: %s", person->index,
        session_result_text (result));
    return;
  }
  person->state = SESSION_CONNECTING;
  person->code = 0;
  person->wants_in = true;
  person->came = true;
  person->knocks_wanted++;
  world_say (world, "%u starts", person->index);
  person_turn (person);
}

void
person_crash (Person *person)
{
  world_say (person->world, "%u crashes", person->index);
  if (person->session)
    person_stop (person);
}

/* ---- What it does ---- */

static const char *const act_names[] = { [ACT_JOIN] = "joins",
  [ACT_LEAVE] = "leaves",
  [ACT_CRASH] = "crashes",
  [ACT_LOCK] = "locks",
  [ACT_REMOVE] = "removes",
  [ACT_PROMOTE] = "promotes",
  [ACT_DEMOTE] = "demotes",
  [ACT_HAND_OVER] = "hands over to",
  [ACT_CHAT] = "says something",
  [ACT_TRACK] = "announces a track",
  [ACT_UNTRACK] = "ends a track",
  [ACT_HAND] = "raises a hand",
  [ACT_ROTATE] = "rotates keys",
  [ACT_POLICY] = "changes the policy",
  [ACT_RECORDING] = "records",
  [ACT_MUTE] = "asks to mute",
  [ACT_RELEASE] = "releases the admission",
  [ACT_END] = "ends the meeting" };

/* Announces a track of some kind, or a screen. */
static bool
announce (Person *person, uint64_t number)
{
  Track track = { .number = session_free_track (person->session),
    .kind = number % 5 == 4 ? MEDIA_SCREEN : (MediaKind) (1 + number % 2),
    .ssrc =
        1000 * (person->index + 1u) + session_free_track (person->session) + 1,
    .codec = (char *) "VP8",
    .caps = (char *) "SIMNAME-caps" };
  return session_track (person->session, &track);
}

static bool
change_policy (Person *person, uint64_t number)
{
  Policy policy = *session_policy (person->session);

  switch (number % 4) {
    case 0:
      policy.screen_share = (Who) (1 + number / 4 % 3);
      break;
    case 1:
      policy.recording = (Who) (1 + number / 4 % 3);
      break;
    case 2:
      policy.consent = !policy.consent;
      break;
    default:
      policy.max_members = (uint16_t) (policy.max_members == 40 ? 50 : 40);
      break;
  }
  return session_set_policy (person->session, &policy);
}

static bool
do_act (Person *person, Act act, Person *target, uint64_t number)
{
  Session *session = person->session;
  const Policy *policy = session_policy (session);
  bool admin = policy && policy_is_admin (policy, person->key);

  switch (act) {
    case ACT_LEAVE:
      truth_intent (person->world, INTENT_LEAVE, person, person->key, 0);
      if (policy_is_owner (policy, person->key)
          && policy->hand_over == HAND_OVER_END)
        person->world->over = true;
      if (!session_leave (session))
        return false;
      person->wants_in = false;
      return true;
    case ACT_LOCK:
      if (!admin || !session_lock (session, number != 0))
        return false;
      truth_intent (person->world, INTENT_LOCK, person, NULL, number != 0);
      person->world->was_locked |= number != 0;
      return true;
    case ACT_REMOVE:
      if (!admin || policy_is_owner (policy, target->key)
          || !session_remove (session, target->key))
        return false;
      truth_intent (person->world, INTENT_REMOVE, person, target->key, 0);
      return true;
    case ACT_PROMOTE:
      if (!session_promote (session, target->key))
        return false;
      truth_intent (person->world, INTENT_PROMOTE, person, target->key, 0);
      return true;
    case ACT_DEMOTE:
      if (!session_demote (session, target->key))
        return false;
      truth_intent (person->world, INTENT_DEMOTE, person, target->key, 0);
      return true;
    case ACT_HAND_OVER:
      if (!session_hand_over (session, target->key))
        return false;
      truth_intent (person->world, INTENT_HAND_OVER, person, target->key, 0);
      return true;
    case ACT_CHAT:
      return session_chat (session, "SIMNAME-says what is nobody's business");
    case ACT_TRACK:
      return announce (person, number);
    case ACT_UNTRACK:
      return session_free_track (session) > 0
             && session_untrack (
                 session, (uint32_t) (number % session_free_track (session)));
    case ACT_HAND:
      return session_hand (session, number % 2 == 0);
    case ACT_ROTATE:
      return session_rotate (session);
    case ACT_POLICY:
      if (!admin || !change_policy (person, number))
        return false;
      truth_intent (person->world, INTENT_POLICY, person, NULL, 0);
      return true;
    case ACT_RECORDING:
      return session_recording (
          session, number % 2 ? RECORDING_ON : RECORDING_OFF);
    case ACT_MUTE:
      return session_mute_request (session, target->key, true, 0);
    case ACT_RELEASE:
      return admin && session_release_admission (session);
    case ACT_END:
      if (!session_end (session))
        return false;
      person->world->over = true;
      return true;
    default:
      return false;
  }
}

bool
person_act (Person *person, Act act, Person *target, uint64_t number)
{
  World *world = person->world;
  bool done = true;

  if (act == ACT_JOIN) {
    if (!person->session || !person->wants_in
        || session_state (person->session) >= SESSION_DENIED)
      person_start (person);
    return true;
  }
  if (!person->session)
    return false;
  if (act == ACT_CRASH) {
    person_crash (person);
    world_after (world, number, come_back, person, person->crashes);
    return true;
  }
  if (!person_is_member (person))
    return false;
  session_tick (person->session, person_mono (person), person_wall (person));
  done = do_act (person, act, target, number);
  world_say (world, "%u %s %d%s", person->index, act_names[act],
      target ? (int) target->index : (int) number, done ? "" : ": refused");
  person_turn (person);
  return done;
}

typedef struct
{
  Person *person, *target;
  Act act;
} LaterAct;

static void
act_now (World *world, void *what, uint64_t number)
{
  LaterAct *later = what;
  person_act (later->person, later->act, later->target, number);
}

void
person_act_later (
    Person *person, uint64_t delay, Act act, Person *target, uint64_t number)
{
  LaterAct *later = world_keep (person->world, g_new0 (LaterAct, 1));
  later->person = person;
  later->target = target;
  later->act = act;
  world_after (person->world, delay, act_now, later, number);
}

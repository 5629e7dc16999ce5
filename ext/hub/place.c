/* Places: what a connection has in a room, and what is left of it for a while when the connection is lost.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "room_private.h"

#include <sodium.h>
#include <string.h>

static const uint64_t timer_ms[N_TIMERS] = { 0, HUB_IDLE_MS, HUB_REPLY_MS,
  HUB_STEP_MS, HUB_ATTACH_MS, LIMIT_PLACE_MS };

/* ---- Numbers and tokens ---- */

/* The hub's n-th place as a number that tells nothing about n, and is nobody else's: four Feistel rounds over 52 bits. */
static uint64_t
peer_number (const Hub *hub, uint64_t n)
{
  const uint32_t mask = (1u << 26) - 1;
  uint32_t left = (uint32_t) (n >> 26) & mask, right = (uint32_t) n & mask;

  for (uint8_t round = 0; round < 4; round++) {
    uint8_t in[6] = { 'P', round, (uint8_t) (right >> 24),
      (uint8_t) (right >> 16), (uint8_t) (right >> 8), (uint8_t) right };
    uint8_t out[crypto_shorthash_BYTES];
    crypto_shorthash (out, in, sizeof in, hub->key);
    uint32_t f;
    memcpy (&f, out, sizeof f);
    uint32_t next = (left ^ f) & mask;
    left = right;
    right = next;
  }
  return (uint64_t) left << 26 | right;
}

/* The hub keeps this in the token's stead: what it has in memory brings nobody back. */
void
token_hash (const Hub *hub, const uint8_t *token, uint8_t *hash)
{
  uint8_t in[1 + LIMIT_TOKEN] = { 'T' };

  memcpy (in + 1, token, LIMIT_TOKEN);
  crypto_generichash (
      hash, TOKEN_HASH_LEN, in, sizeof in, hub->key, HUB_KEY_LEN);
  sodium_memzero (in, sizeof in);
}

/* ---- Strangers ---- */

static void
become_stranger (Place *place)
{
  Hub *hub = place->room->hub;

  g_queue_push_tail_link (
      &door_turn (place)->strangers, &place->stranger_link);
  place->room->strangers++;
  place->source->strangers++;
  g_queue_push_tail_link (&hub->fresh, &place->fresh_link);
  hub->usage.fresh++;
  place_timer (place, TIMER_IDLE);
}

static void
be_no_stranger (Place *place)
{
  Room *room = place->room;
  Hub *hub = room->hub;
  Turn *turn = door_turn (place);

  g_queue_unlink (&turn->strangers, &place->stranger_link);
  room->strangers--;
  place->source->strangers--;
  if (place->entered) {
    turn->entered--;
    room->entered--;
    hub->usage.strangers--;
  } else {
    g_queue_unlink (&hub->fresh, &place->fresh_link);
    hub->usage.fresh--;
  }
  place->entered = false;
  place_timer (place, TIMER_NONE);
  door_forget_turn (room, turn);
}

/* In a meeting that is full of strangers, the source with the most of them gives up its newest that no admin has, when it
 * has at least two more than `own` and nobody's leaf is at stake: so one source can't keep the others out. */
static bool
crowd_out (Room *room, const Turn *own)
{
  Turn *largest = NULL;

  for (GList *l = room->sources.head; l; l = l->next) {
    Turn *turn = l->data;
    if (!largest || turn->entered > largest->entered)
      largest = turn;
  }
  if (largest->entered < own->entered + 2)
    return false;
  for (GList *l = largest->strangers.tail; l; l = l->prev) {
    Place *place = l->data;
    if (place->entered && !place->admin && place->n_former == 0) {
      room->hub->stats.crowded_out++;
      place_end (place, WIRE_CODE_BUSY, false);
      return true;
    }
  }
  return false;
}

bool
place_enter (Place *place)
{
  Room *room = place->room;
  Hub *hub = room->hub;
  Turn *turn = door_turn (place);

  if (place->member || place->entered)
    return true;
  if (hub->usage.strangers >= HUB_MAX_STRANGERS
      || (room->entered >= HUB_MAX_MEETING_STRANGERS
          && !crowd_out (room, turn)))
    return false;
  place->entered = true;
  turn->entered++;
  room->entered++;
  hub->usage.strangers++;
  g_queue_unlink (&hub->fresh, &place->fresh_link);
  hub->usage.fresh--;
  return true;
}

/* ---- Time ---- */

static void
start (Hub *hub, TimerLink *link, Timer timer)
{
  if (link->timer != TIMER_NONE)
    g_queue_unlink (&hub->timers[link->timer], &link->link);
  link->timer = timer;
  link->due = hub->now + timer_ms[timer];
  if (timer != TIMER_NONE)
    g_queue_push_tail_link (&hub->timers[timer], &link->link);
}

void
place_timer (Place *place, Timer timer)
{
  start (place->room->hub, &place->timer, timer);
}

void
place_due (Place *place, Timer timer)
{
  Hub *hub = place->room->hub;

  switch (timer) {
    case TIMER_IDLE:
      hub->stats.idle++;
      place_end (place, WIRE_CODE_TIMEOUT, true);
      break;
    case TIMER_AWAY:
      hub->stats.lapsed++;
      place_end (place, 0, true);
      break;
    case TIMER_ATTACH:
      door_unbind (place);
      break;
    default:
      door_again (place);
  }
}

/* ---- Coming and going ---- */

Place *
place_new (Room *room, Source *source, Connection *connection)
{
  Hub *hub = room->hub;
  Place *place = g_new0 (Place, 1);
  WireMessage hello = { .type = WIRE_HELLO };

  while (place->peer == 0)
    place->peer = peer_number (hub, ++hub->places_made);
  place->room = room;
  place->source = source;
  source_ref (hub, source);
  place->connection = connection;
  connection->place = place;
  place->fresh_link.data = place;
  place->stranger_link.data = place->queue_link.data = place->run_link.data =
      place;
  place->member_link.data = place->admin_link.data = place;
  place->timer.link.data = place->away.link.data = place;
  g_hash_table_insert (hub->places, &place->peer, place);

  hello.peer = place->peer;
  hello.hello.version = WIRE_VERSION;
  memcpy (hello.hello.challenge, connection->challenge, LIMIT_CHALLENGE);
  randombytes_buf (hello.hello.token, LIMIT_TOKEN);
  token_hash (hub, hello.hello.token, place->token_hash);
  g_hash_table_insert (hub->tokens, place->token_hash, place);
  become_stranger (place);
  send_message (connection, &hello);
  sodium_memzero (&hello, sizeof hello);
  return place;
}

Place *
place_find (const Room *room, uint64_t peer)
{
  Place *place = g_hash_table_lookup (room->hub->places, &peer);
  return place && place->room == room ? place : NULL;
}

static void
stop_being_member (Place *place)
{
  Room *room = place->room;

  push_event (room->hub, HUB_EVENT_GONE, place);
  place->member = false;
  g_queue_unlink (&room->members, &place->member_link);
  room->hub->usage.members--;
  admin_update (place);
  if (room->members.length == 0)
    room_end_life (room);
}

void
connection_end (Hub *hub, Connection *connection)
{
  push_disconnect (hub, connection->id);
  connection->place->connection = NULL;
  source_unref (hub, connection->source);
  hub->usage.connections--;
  g_hash_table_remove (hub->connections, &connection->id);
}

void
place_end (Place *place, WireCode code, bool gone)
{
  Room *room = place->room;
  Hub *hub = room->hub;
  Connection *connection = place->connection;
  Place *admin = place->admin;
  bool member = place->member;

  door_quit (place);
  let_go (hub, &place->admit);
  if (member) {
    push_audit (place,
        code == WIRE_CODE_DISMISSED ? HUB_AUDIT_DISMISSED : HUB_AUDIT_GONE, 0);
    stop_being_member (place);
  } else
    be_no_stranger (place);
  place_timer (place, TIMER_NONE);
  start (hub, &place->away, TIMER_NONE);
  if (connection) {
    if (code)
      send_error (hub, connection->id, code);
    connection_end (hub, connection);
  }
  if (gone && member)
    admin_tell_gone (room, place->peer);
  else if (gone && admin)
    admin_tell_gone_to (admin, place->peer);
  for (unsigned i = 0; gone && i < place->n_former; i++)
    admin_tell_gone (room, place->former[i]);
  g_hash_table_remove (hub->places, &place->peer);
  g_hash_table_remove (hub->tokens, place->token_hash);
  source_unref (hub, place->source);
  sodium_memzero (place->token_hash, TOKEN_HASH_LEN);
  g_free (place);
  door_serve (room);
  room_unuse (room);
}

void
place_lost (Place *place)
{
  if (place->state == PLACE_RUN && place->step < RUN_PROVEN)
    door_again (place); /* hears of it when it returns */
  else if (place->state == PLACE_ATTACH
           || (place->state == PLACE_QUEUED && place->queue == QUEUE_ATTACHES))
    door_quit (place); /* was for that connection */
  else if (place->state == PLACE_QUEUED) {
    door_dequeue (place);
    place->state = PLACE_QUEUED; /* gets its turn back when it returns */
  }
  if (place->attends)
    door_admin_away (place, false);
  /* Who has nothing that another connection could go on with leaves nothing. */
  if (!place->member && place->state == PLACE_IDLE && !place->said
      && place->n_former == 0)
    place_end (place, 0, false);
  else
    start (place->room->hub, &place->away, TIMER_AWAY);
}

/* ---- Members ---- */

bool
place_become_member (Place *place)
{
  Room *room = place->room;
  Hub *hub = room->hub;

  if (place->member)
    return true;
  if (hub->usage.members >= hub->max_members
      || room->members.length >= HUB_MAX_MEETING_MEMBERS) {
    hub->stats.members_refused++;
    return false;
  }
  be_no_stranger (place);
  place->member = true;
  g_queue_push_tail_link (&room->members, &place->member_link);
  hub->usage.members++;
  push_event (hub, HUB_EVENT_ADMITTED, place);
  admin_update (place);
  return true;
}

void
place_knows (Place *place, bool surely)
{
  if (place->readmitted && !surely)
    return; /* knew this room before */
  place->unaware = false;
  let_go (place->room->hub, &place->admit);
}

void
place_tell_admitted (Place *place, bool again)
{
  Room *room = place->room;
  Connection *to = place->connection;
  WireMessage admitted = { .type = WIRE_ADMITTED, .peer = place->peer };
  GBytes *welcome = place->admitted_seq > 0
                        ? order_welcome (room, place->admitted_seq)
                        : NULL;

  memcpy (admitted.admitted.room, room->id, LIMIT_ROOM);
  admitted.admitted.seq = place->admitted_seq;
  if (again && place->admit)
    send_frame (room->hub, to->id, false, place->admit);
  send_message (to, &admitted);
  if (welcome)
    send_frame (room->hub, to->id, true, welcome);
  order_send_after (place, place->admitted_seq);
  if (room->reopened)
    send_frame (room->hub, to->id, false, room->reopened);
  place->reopened_due = false;
}

/* ---- Return ---- */

static void
inherit (Place *place, uint64_t peer)
{
  if (place->n_former == MAX_FORMER)
    memmove (place->former, place->former + 1,
        --place->n_former * sizeof place->former[0]);
  place->former[place->n_former++] = peer;
}

void
place_take_over (Place *place, Place *old)
{
  for (unsigned i = 0; i < old->n_former; i++)
    inherit (place, old->former[i]);
  inherit (place, old->peer);
  place_end (old, 0, false);
}

/* The connection of `fresh`, which ends, is `old`'s from now on. An admin's gets nothing but `returned` first: so the end,
 * at which knocks are passed on, comes while it has none. */
static void
move_connection (Place *fresh, Place *old)
{
  Connection *connection = fresh->connection;

  fresh->connection = NULL;
  place_end (fresh, 0, false);
  start (old->room->hub, &old->away, TIMER_NONE);
  old->connection = connection;
  connection->place = old;
}

static void
send_returned (Place *place)
{
  WireMessage returned = { .type = WIRE_RETURNED, .peer = place->peer };

  if (place->member) {
    memcpy (returned.opened.room, place->room->id, LIMIT_ROOM);
    returned.opened.seq = place->room->seq;
  }
  send_message (place->connection, &returned);
}

/* What a member has missed, if it is kept. */
static HubVerdict
catch_up (Place *place, uint64_t seq, bool aware)
{
  Room *room = place->room;
  bool again = !aware || (place->unaware && place->readmitted);
  uint64_t from = again ? place->admitted_seq : MAX (seq, place->admitted_seq);

  if (!order_has_after (room, from) && !(again && place->attached))
    return HUB_TOO_LATE;
  if (!bucket_take (&place->replays, room->hub->now, HUB_REPLAY_BURST,
          HUB_REPLAY_RATE, order_bytes_after (room, from)))
    return HUB_TOO_LATE;
  if (again)
    place_tell_admitted (place, true);
  else {
    place_knows (place, false);
    order_send_after (place, from);
    /* Also to who had a connection when it was told: that may have been dead already. */
    if (room->reopened)
      send_frame (room->hub, place->connection->id, false, room->reopened);
    place->reopened_due = false;
  }
  return HUB_TAKEN;
}

static HubVerdict
return_member (Place *place, uint64_t seq, bool aware)
{
  Room *room = place->room;
  HubVerdict verdict = HUB_TAKEN;

  push_event (room->hub, HUB_EVENT_RETURNED, place);
  /* Who has not heard that it was admitted can go on with `admit` and Welcome only, or knocks again. */
  if (!aware
      && !(
          place->unaware
          && (place->attached
              || (place->admit && order_welcome (room, place->admitted_seq)))))
    send_again (place->connection, 0);
  else
    verdict = catch_up (place, seq, aware);
  admin_tell_missed (place);
  door_admin_back (place);
  return verdict;
}

/* What came of the knock meanwhile. */
static void
return_to_door (Place *place)
{
  Room *room = place->room;
  uint64_t id = place->connection->id;

  if (place->state == PLACE_QUEUED) {
    if (!place->queue_waits)
      door_enqueue (place, place->member ? FIRST : FIRST_OF_SOURCE);
    door_serve (room);
    if (place->state == PLACE_QUEUED && door_says_waiting (place))
      send_simple (place->connection, WIRE_WAITING);
  } else if (place->state == PLACE_RUN && place->step == RUN_WAITING)
    send_simple (place->connection, WIRE_WAITING);
  else if (place->state == PLACE_RUN && place->admit)
    send_frame (room->hub, id, false, place->admit);
  else if (place->said)
    send_frame (room->hub, id, false, place->said);
  let_go (room->hub, &place->said);
}

HubVerdict
place_return (Place *fresh, const WireMessage *message)
{
  Room *room = fresh->room;
  Hub *hub = room->hub;
  uint8_t hash[TOKEN_HASH_LEN];
  HubVerdict verdict = HUB_TAKEN;

  if (fresh->used || fresh->member)
    return HUB_UNEXPECTED;
  token_hash (hub, message->back.token, hash);
  Place *old = g_hash_table_lookup (hub->tokens, hash);
  if (!old || old->room != room || old == fresh
      || (!old->member && old->state == PLACE_IDLE && !old->said))
    return HUB_UNKNOWN_PLACE;
  /* The connection that it still has is as good as lost, with all that was on its way. */
  if (old->connection) {
    connection_end (hub, old->connection);
    place_lost (old);
    if (g_hash_table_lookup (hub->tokens, hash) != old)
      return HUB_UNKNOWN_PLACE; /* had nothing but that connection */
  }
  move_connection (fresh, old);
  hub->stats.returns++;
  send_returned (old);
  if (old->member)
    verdict = return_member (old, message->back.seq,
        memcmp (message->back.room, room->id, LIMIT_ROOM) == 0);
  return_to_door (old);
  door_serve (room);
  return verdict;
}

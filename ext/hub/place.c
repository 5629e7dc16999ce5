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
    uint32_t f = (uint32_t) out[0] << 24 | out[1] << 16 | out[2] << 8 | out[3];
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
  Room *room = place->room;
  Turn *turn = g_hash_table_lookup (room->by_source, place->source);

  if (!turn) {
    turn = g_new0 (Turn, 1);
    turn->source = place->source;
    turn->link.data = turn;
    for (int i = 0; i < N_QUEUES; i++)
      turn->turn_link[i].data = turn;
    g_queue_push_tail_link (&room->sources, &turn->link);
    g_hash_table_insert (room->by_source, place->source, turn);
  }
  place->turn = turn;
  g_queue_push_tail_link (&turn->strangers, &place->turn_link);
  room->strangers++;
  place->source->strangers++;
  room->hub->usage.strangers++;
  place->state = PLACE_NEW;
  place_timer (place, TIMER_IDLE);
}

static void
be_no_stranger (Place *place)
{
  Room *room = place->room;
  Turn *turn = place->turn;

  place_timer (place, TIMER_NONE);
  place->turn = NULL;
  g_queue_unlink (&turn->strangers, &place->turn_link);
  room->strangers--;
  place->source->strangers--;
  room->hub->usage.strangers--;
  if (turn->strangers.length == 0) {
    g_queue_unlink (&room->sources, &turn->link);
    g_hash_table_remove (room->by_source, turn->source);
    g_free (turn);
  }
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
  place->turn_link.data = place->queue_link.data = place->run_link.data =
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

/* A member's, from now on a stranger's. */
static void
stop_being_member (Place *place)
{
  Room *room = place->room;

  push_event (room->hub, HUB_EVENT_GONE, place);
  place->shown = true;
  g_queue_unlink (&room->members, &place->member_link);
  room->hub->usage.members--;
  become_stranger (place);
  admin_update (place);
  place_knows (place);
  if (room->members.length == 0)
    room_end_life (room);
}

void
place_leave (Place *place)
{
  Hub *hub = place->room->hub;

  switch (place->state) {
    case PLACE_LOOKUP:
      g_hash_table_remove (hub->requests, &place->request);
      place->request = 0;
      break;
    case PLACE_QUEUED:
      door_dequeue (place);
      break;
    case PLACE_RUN:
    case PLACE_ATTACH:
      door_unbind (place);
      break;
    case PLACE_MEMBER:
      stop_being_member (place);
      break;
    case PLACE_NEW:
      break;
  }
  let_go (hub, &place->held);
  let_go (hub, &place->said);
  let_go (hub, &place->admit);
  place->state = PLACE_NEW;
  place_timer (place, TIMER_IDLE);
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

  if (place->state == PLACE_MEMBER)
    push_audit (place,
        code == WIRE_CODE_DISMISSED ? HUB_AUDIT_DISMISSED : HUB_AUDIT_GONE, 0);
  place_leave (place);
  be_no_stranger (place);
  if (place->away.timer != TIMER_NONE)
    start (hub, &place->away, TIMER_NONE);
  if (connection) {
    if (code)
      send_error (hub, connection->id, code);
    connection_end (hub, connection);
  }
  if (gone && place->shown)
    admin_tell_gone (room, place->peer);
  else if (gone && admin && admin->connection)
    send_peer (admin->connection, WIRE_GONE, place->peer);
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
  switch (place->state) {
    case PLACE_QUEUED:
      if (place->queue == QUEUE_ATTACHES) {
        place_leave (place);
        break;
      }
      door_dequeue (place);
      place->state = PLACE_QUEUED; /* gets its turn back when it returns */
      break;
    case PLACE_LOOKUP:
      break;
    case PLACE_RUN:
      if (place->step < RUN_PROVEN)
        door_unbind (place);
      break;
    case PLACE_ATTACH:
      place_leave (place);
      break;
    case PLACE_MEMBER:
      door_admin_away (place);
      break;
    case PLACE_NEW:
      break;
  }
  /* Who has done nothing that another connection could go on with leaves nothing. */
  if (place->state == PLACE_NEW && !place->shown && place->n_former == 0
      && !place->knocked)
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

  if (hub->usage.members >= hub->max_members
      || room->members.length >= HUB_MAX_MEETING_MEMBERS) {
    hub->stats.members_refused++;
    return false;
  }
  place_leave (place);
  be_no_stranger (place);
  place->state = PLACE_MEMBER;
  g_queue_push_tail_link (&room->members, &place->member_link);
  hub->usage.members++;
  push_event (hub, HUB_EVENT_ADMITTED, place);
  admin_update (place);
  return true;
}

void
place_knows (Place *place)
{
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
  if (old->shown || old->state == PLACE_MEMBER)
    inherit (place, old->peer);
  place_end (old, 0, false);
}

/* The connection of `fresh`, which ends, is `old`'s from now on. */
static void
move_connection (Place *fresh, Place *old)
{
  Hub *hub = old->room->hub;
  Connection *connection = fresh->connection;

  if (old->connection)
    connection_end (hub, old->connection);
  if (old->away.timer != TIMER_NONE)
    start (hub, &old->away, TIMER_NONE);
  fresh->connection = NULL;
  old->connection = connection;
  connection->place = old;
  place_end (fresh, 0, false);
}

static void
send_returned (Place *place)
{
  WireMessage returned = { .type = WIRE_RETURNED, .peer = place->peer };

  if (place->state == PLACE_MEMBER) {
    memcpy (returned.opened.room, place->room->id, LIMIT_ROOM);
    returned.opened.seq = place->room->seq;
  }
  send_message (place->connection, &returned);
}

static HubVerdict
return_member (Place *fresh, Place *old, uint64_t seq, const uint8_t *id)
{
  Room *room = old->room;
  Hub *hub = room->hub;
  bool aware = memcmp (id, room->id, LIMIT_ROOM) == 0;
  uint64_t from = aware ? MAX (seq, old->admitted_seq) : old->admitted_seq;
  bool can = order_has_after (room, from);

  /* Who has not heard of `admitted` can only go on with the `admit` before it and its Welcome. Who attached was a member
   * before and needs neither. */
  if (!aware)
    can = old->unaware
          && (from == 0 || (can && old->admit && order_welcome (room, from)));
  if (!can) {
    hub->stats.returns++;
    place_take_over (fresh, old);
    return HUB_TOO_LATE;
  }
  if (!bucket_take (&old->replays, hub->now, HUB_REPLAY_BURST, HUB_REPLAY_RATE,
          order_bytes_after (room, from)))
    return HUB_RATE_LIMITED;
  if (old->connection)
    connection_end (hub, old->connection);
  door_admin_away (old); /* what was on its way to it may be lost */
  move_connection (fresh, old);
  hub->stats.returns++;
  push_event (hub, HUB_EVENT_RETURNED, old);
  send_returned (old);
  if (aware) {
    place_knows (old);
    order_send_after (old, from);
    if (old->reopened_due && room->reopened)
      send_frame (hub, old->connection->id, false, room->reopened);
    old->reopened_due = false;
  } else
    place_tell_admitted (old, true);
  admin_tell_missed (old);
  door_serve (room);
  return HUB_TAKEN;
}

HubVerdict
place_return (Place *fresh, const WireMessage *message)
{
  Room *room = fresh->room;
  Hub *hub = room->hub;
  uint8_t hash[TOKEN_HASH_LEN];

  if (fresh->state != PLACE_NEW || fresh->knocked || fresh->shown)
    return HUB_UNEXPECTED;
  token_hash (hub, message->back.token, hash);
  Place *old = g_hash_table_lookup (hub->tokens, hash);
  if (!old || old->room != room || old == fresh
      || (old->state == PLACE_NEW && !old->knocked && !old->shown
          && old->n_former == 0))
    return HUB_UNKNOWN_PLACE;
  if (old->state == PLACE_MEMBER)
    return return_member (fresh, old, message->back.seq, message->back.room);

  /* A run that this connection had no part in before its proof is of no use to it. */
  if (old->state == PLACE_RUN && old->step < RUN_PROVEN)
    door_unbind (old);
  else if (old->state == PLACE_ATTACH
           || (old->state == PLACE_QUEUED && old->queue == QUEUE_ATTACHES))
    place_leave (old);
  move_connection (fresh, old);
  hub->stats.returns++;
  send_returned (old);
  if (old->state == PLACE_QUEUED) {
    if (!old->queue_waits)
      door_enqueue (old, true);
    door_serve (room);
    if (old->state == PLACE_QUEUED)
      send_simple (old->connection, WIRE_WAITING);
  } else if (old->state == PLACE_RUN && old->step == RUN_WAITING)
    send_simple (old->connection, WIRE_WAITING);
  else if (old->admit)
    send_frame (hub, old->connection->id, false, old->admit);
  else if (old->said)
    send_frame (hub, old->connection->id, false, old->said);
  else if (old->state == PLACE_NEW)
    send_again (old->connection, 0);
  let_go (hub, &old->said);
  return HUB_TAKEN;
}

/* The door: knocks and attaches wait their turn, go to one attending admin, and what the two say passes here.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "room_private.h"

#include <sodium.h>
#include <string.h>

/* ---- Turns ---- */

Turn *
door_turn (Place *place)
{
  Room *room = place->room;
  Turn *turn = g_hash_table_lookup (room->by_source, place->source);

  if (turn)
    return turn;
  turn = g_new0 (Turn, 1);
  turn->source = place->source;
  turn->link.data = turn;
  for (int i = 0; i < N_QUEUES; i++)
    turn->turn_link[i].data = turn;
  g_queue_push_tail_link (&room->sources, &turn->link);
  g_hash_table_insert (room->by_source, place->source, turn);
  return turn;
}

void
door_forget_turn (Room *room, Turn *turn)
{
  if (turn->strangers.length > 0 || turn->waiting[QUEUE_KNOCKS].length > 0
      || turn->waiting[QUEUE_ATTACHES].length > 0)
    return;
  g_queue_unlink (&room->sources, &turn->link);
  g_hash_table_remove (room->by_source, turn->source);
  g_free (turn);
}

void
door_enqueue (Place *place, Rank rank)
{
  Turn *turn = door_turn (place);
  GQueue *waiting = &turn->waiting[place->queue];
  GQueue *turns = &place->room->turns[place->queue];
  GList *link = &turn->turn_link[place->queue];

  if (waiting->length == 0)
    g_queue_push_tail_link (turns, link);
  if (rank == LAST)
    g_queue_push_tail_link (waiting, &place->queue_link);
  else
    g_queue_push_head_link (waiting, &place->queue_link);
  if (rank == FIRST) {
    g_queue_unlink (turns, link);
    g_queue_push_head_link (turns, link);
  }
  place->queue_waits = true;
  place->state = PLACE_QUEUED;
}

void
door_dequeue (Place *place)
{
  Room *room = place->room;
  Turn *turn = door_turn (place);
  GQueue *waiting = &turn->waiting[place->queue];

  if (place->queue_waits) {
    g_queue_unlink (waiting, &place->queue_link);
    if (waiting->length == 0)
      g_queue_unlink (
          &room->turns[place->queue], &turn->turn_link[place->queue]);
  }
  door_forget_turn (room, turn);
  place->queue_waits = false;
  place->state = PLACE_IDLE;
}

/* The first of the source whose turn it is; the source's next one waits until all others had theirs. */
static Place *
next_in_turn (Room *room, QueueKind kind)
{
  Turn *turn = room->turns[kind].head->data;

  if (turn->waiting[kind].length > 1) {
    g_queue_unlink (&room->turns[kind], &turn->turn_link[kind]);
    g_queue_push_tail_link (&room->turns[kind], &turn->turn_link[kind]);
  }
  Place *place = turn->waiting[kind].head->data;
  door_dequeue (place);
  return place;
}

/* ---- With an admin ---- */

/* Runs before a person decides count against what an admin works on at a time. */
static bool
is_out (const Place *place)
{
  return place->state == PLACE_RUN && place->step < RUN_WAITING;
}

static void
hand_to (Place *place, Place *admin, PlaceState state)
{
  Room *room = place->room;

  place->admin = admin;
  place->state = state;
  place->step = RUN_KNOCKED;
  g_queue_push_tail_link (&admin->runs, &place->run_link);
  if (is_out (place))
    admin->out++;
  place_timer (place, state == PLACE_RUN ? TIMER_REPLY : TIMER_ATTACH);
  send_frame (room->hub, admin->connection->id, false, place->held);
  /* The next goes to another one. */
  g_queue_unlink (&room->admins, &admin->admin_link);
  g_queue_push_tail_link (&room->admins, &admin->admin_link);
}

static void
take_back (Place *place)
{
  Place *admin = place->admin;

  if (is_out (place))
    admin->out--;
  g_queue_unlink (&admin->runs, &place->run_link);
  place->admin = NULL;
  place->state = PLACE_IDLE;
}

void
door_unbind (Place *place)
{
  Hub *hub = place->room->hub;

  take_back (place);
  let_go (hub, &place->held);
  let_go (hub, &place->admit);
  place_timer (place, place->member ? TIMER_NONE : TIMER_IDLE);
}

void
door_quit (Place *place)
{
  Hub *hub = place->room->hub;

  if (place->state == PLACE_LOOKUP)
    g_hash_table_remove (hub->requests, &place->request);
  else if (place->state == PLACE_QUEUED)
    door_dequeue (place);
  else if (place->state != PLACE_IDLE)
    door_unbind (place);
  place->request = 0;
  place->state = PLACE_IDLE;
  let_go (hub, &place->held);
  let_go (hub, &place->said);
  place_timer (place, place->member ? TIMER_NONE : TIMER_IDLE);
}

static void
set_step (Place *place, RunStep step)
{
  bool was_out = is_out (place);

  place->step = step;
  if (was_out && !is_out (place))
    place->admin->out--;
  if (step > RUN_PROVEN)
    let_go (place->room->hub, &place->held);
  place_timer (place, step == RUN_WAITING ? TIMER_NONE : TIMER_STEP);
}

/* Passes `frame` on to a joiner, or keeps it for its return. */
static void
pass_or_keep (Place *place, GBytes *frame)
{
  Hub *hub = place->room->hub;

  if (place->connection)
    send_frame (hub, place->connection->id, false, frame);
  else
    hold (hub, &place->said, frame);
}

static void
say_again (Place *place)
{
  WireMessage again = { .type = WIRE_AGAIN };

  again.after = randombytes_uniform (HUB_AGAIN_MS + 1);
  g_autoptr (GBytes) frame = frame_new (&again);
  place->room->hub->stats.agains++;
  pass_or_keep (place, frame);
}

void
door_again (Place *place)
{
  door_unbind (place);
  say_again (place);
}

void
door_admin_away (Place *admin, bool for_good)
{
  GList *last = admin->runs.tail;

  /* From the last, so that attaches come back to the head of their queues in their order. */
  while (last) {
    Place *place = last->data;
    last = last->prev;
    if (place->state == PLACE_RUN) {
      /* A knock without an answer did not arrive: it must not count against the credit for ever. */
      if (place->step == RUN_KNOCKED && admin->passed > 0)
        admin->passed--;
      if (for_good || place->step == RUN_KNOCKED)
        door_again (place);
    } else {
      take_back (place);
      place_timer (place, TIMER_NONE);
      door_enqueue (place, FIRST_OF_SOURCE);
    }
  }
  door_serve (admin->room);
}

/* ---- Serving ---- */

/* An admin says that it can serve by `credits`. */
static Place *
free_admin (const Room *room, QueueKind kind)
{
  for (GList *l = room->admins.head; l; l = l->next) {
    Place *admin = l->data;
    if (admin->connection && admin->serves
        && (kind == QUEUE_ATTACHES
            || (admin->out < LIMIT_KNOCKS_OUT
                && admin->passed < admin->credits)))
      return admin;
  }
  return NULL;
}

void
door_serve (Room *room)
{
  Hub *hub = room->hub;
  Place *admin;

  while (room->turns[QUEUE_KNOCKS].head
         && (admin = free_admin (room, QUEUE_KNOCKS))) {
    Place *place = next_in_turn (room, QUEUE_KNOCKS);
    admin->passed++;
    hub->stats.knocks++;
    hand_to (place, admin, PLACE_RUN);
    let_go (hub, &place->held);
  }
  while (room->turns[QUEUE_ATTACHES].head
         && (admin = free_admin (room, QUEUE_ATTACHES))
         && bucket_take (&room->attaches, hub->now, HUB_ATTACH_BURST,
             HUB_ATTACH_RATE, 1)) {
    hub->stats.attaches++;
    hand_to (next_in_turn (room, QUEUE_ATTACHES), admin, PLACE_ATTACH);
  }
}

bool
door_says_waiting (const Place *place)
{
  if (!place->attends)
    return true;
  for (GList *l = place->room->admins.head; l; l = l->next) {
    const Place *admin = l->data;
    if (admin != place && admin->connection && admin->serves)
      return false;
  }
  return true;
}

void
door_located (Place *place, HubWhere where)
{
  Room *room = place->room;

  /* What is elsewhere waits here, like what is nowhere: a client must not be able to tell. */
  if (where == HUB_ELSEWHERE)
    room->hub->stats.elsewhere++;
  place_timer (place, TIMER_NONE);
  place->state = PLACE_QUEUED;
  if (!place->connection)
    return; /* gets its turn when it returns */
  /* A member that comes anew is not kept out by who wants to come in. */
  door_enqueue (place, place->member ? FIRST : LAST);
  door_serve (room);
  if (place->state == PLACE_QUEUED && door_says_waiting (place))
    send_simple (place->connection, WIRE_WAITING);
}

/* ---- The joiner ---- */

/* Takes a knock or attach, as the message that an admin will get. */
static HubVerdict
arrive (Place *place, QueueKind kind, const WireMessage *message)
{
  Room *room = place->room;
  Hub *hub = room->hub;

  if (!bucket_take (&place->connection->knocks, hub->now, HUB_KNOCK_BURST,
          HUB_KNOCK_RATE, 1))
    return HUB_RATE_LIMITED;
  door_quit (place);
  place->used = true;
  place->queue = kind;
  if (place->attends) { /* it has no group to let anybody into */
    place->serves = false;
    door_admin_away (place, true);
  }
  g_autoptr (GBytes) frame = frame_new (message);
  if (!frame)
    return HUB_UNEXPECTED;
  if (!place_enter (place) || !hold (hub, &place->held, frame))
    return HUB_BUSY;
  place->state = PLACE_LOOKUP;
  place->request = hub_request (hub, room->meeting, place->peer, NULL);
  hub->directory->lookup (
      hub->directory, hub, hub->self, place->request, room->meeting, hub->now);
  return HUB_TAKEN;
}

HubVerdict
door_knock (Place *place, WireMessage *message)
{
  char label[LIMIT_SOURCE + 1];
  WireMessage on = *message;

  source_label (place->room->hub, place->connection->source,
      place->room->meeting, label);
  on.peer = place->peer;
  on.knock.source = label;
  return arrive (place, QUEUE_KNOCKS, &on);
}

HubVerdict
door_attach (Place *place, WireMessage *message)
{
  WireMessage on = *message;

  on.peer = place->peer;
  on.attach.challenge =
      (Blob){ place->connection->challenge, LIMIT_CHALLENGE };
  return arrive (place, QUEUE_ATTACHES, &on);
}

HubVerdict
door_proof (Place *place, WireMessage *message)
{
  if (place->state != PLACE_RUN || place->step != RUN_REPLIED)
    return HUB_UNEXPECTED;
  message->peer = place->peer;
  g_autoptr (GBytes) frame = frame_new (message);
  if (!frame)
    return HUB_UNEXPECTED;
  /* Kept until it is answered, for an admin that is away or goes before it has read it. */
  if (!hold (place->room->hub, &place->held, frame)
      && !place->admin->connection)
    return HUB_BUSY;
  if (place->admin->connection)
    send_frame (place->room->hub, place->admin->connection->id, false, frame);
  set_step (place, RUN_PROVEN);
  return HUB_TAKEN;
}

void
door_admin_back (Place *admin)
{
  for (GList *l = admin->runs.head; l; l = l->next) {
    const Place *place = l->data;
    if (place->state == PLACE_RUN && place->step == RUN_PROVEN && place->held)
      send_frame (admin->room->hub, admin->connection->id, false, place->held);
  }
}

/* ---- The admin ---- */

static bool
answer_fits (const Place *place, WireType type)
{
  switch (type) {
    case WIRE_REPLY:
      return place->step == RUN_KNOCKED;
    case WIRE_WAITING:
      return place->step == RUN_PROVEN;
    case WIRE_ADMIT:
      return place->step == RUN_PROVEN || place->step == RUN_WAITING;
    default:
      return true; /* again, error: the run is over */
  }
}

HubVerdict
door_answer (Place *admin, WireMessage *message)
{
  Room *room = admin->room;
  Place *place = place_find (room, message->peer);
  WireType type = message->type;

  if (!place || place->admin != admin
      || (place->state == PLACE_ATTACH && type != WIRE_ERROR
          && type != WIRE_AGAIN)
      || (place->state == PLACE_RUN && !answer_fits (place, type)))
    return HUB_UNEXPECTED;
  g_autoptr (GBytes) frame = frame_new (message);
  if (!frame)
    return HUB_UNEXPECTED;
  if (type == WIRE_REPLY)
    set_step (place, RUN_REPLIED);
  else if (type == WIRE_WAITING)
    set_step (place, RUN_WAITING);
  else if (type == WIRE_ADMIT) {
    set_step (place, RUN_ADMIT);
    hold (room->hub, &place->admit, frame);
  } else
    door_unbind (place);
  /* waiting and admit are told by the state itself when the place returns. */
  if (place->connection || type == WIRE_AGAIN || type == WIRE_ERROR)
    pass_or_keep (place, frame);
  door_serve (room);
  return HUB_TAKEN;
}

/* The joiner can't be let in after all, and hears it now or when it returns. */
static HubVerdict
not_admitted (Place *place, HubVerdict verdict, const WireMessage *why)
{
  g_autoptr (GBytes) frame = frame_new (why);

  door_unbind (place);
  pass_or_keep (place, frame);
  door_serve (place->room);
  return verdict;
}

/* Whether `admitted` with this number fits the state that its place is in. A number after `attach` is of the last frame that
 * the member has. */
static bool
admitted_fits (const Place *place, uint64_t seq)
{
  return place->state == PLACE_ATTACH
         || (place->state == PLACE_RUN && place->step == RUN_ADMIT && seq > 0);
}

HubVerdict
door_admitted (Place *admin, WireMessage *message)
{
  Room *room = admin->room;
  Place *place = place_find (room, message->peer);
  uint64_t seq = message->admitted.seq;

  if (!place || place->admin != admin || !admitted_fits (place, seq))
    return HUB_UNEXPECTED;
  bool attached = place->state == PLACE_ATTACH, member = place->member;
  if (attached && seq > 0 && !order_has_after (room, seq))
    return not_admitted (place, HUB_TAKEN,
        &(WireMessage){ .type = WIRE_ERROR, .code = WIRE_CODE_TOO_LATE });
  if (!attached
      && (!order_has_after (room, seq) || !order_welcome (room, seq)))
    return not_admitted (
        place, HUB_UNEXPECTED, &(WireMessage){ .type = WIRE_AGAIN });
  if (!place_become_member (place)) {
    if (!attached)
      admin_tell_gone (room, place->peer);
    return not_admitted (place, HUB_TAKEN,
        &(WireMessage){ .type = WIRE_ERROR, .code = WIRE_CODE_BUSY });
  }

  GBytes *admit = g_steal_pointer (&place->admit);
  door_unbind (place);
  place->admit = admit;
  place->unaware = true;
  place->readmitted = member;
  place->attached = attached;
  place->admitted_seq = place->acked = seq;
  place->serves |= place->attends;
  place->n_former = 0;
  room->hub->stats.admitted++;
  push_audit (place, HUB_AUDIT_ADMITTED, 0);
  if (place->connection)
    place_tell_admitted (place, false);
  door_serve (room);
  return HUB_TAKEN;
}

/* Admins: who owns a meeting here, who attends its door, what they may do to the room.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "room_private.h"

#include <string.h>

static bool
is_named (const Room *room, const uint8_t *identity)
{
  for (size_t i = 0; i < room->n_named; i++)
    if (memcmp (room->named[i], identity, IDENTITY_KEY_LEN) == 0)
      return true;
  return false;
}

static bool
owns (const Room *room, const uint8_t *identity)
{
  return room->opened && memcmp (room->owner, identity, IDENTITY_KEY_LEN) == 0;
}

bool
admin_is_owner (const Place *place)
{
  return place->attends && owns (place->room, place->identity);
}

void
admin_update (Place *place)
{
  Room *room = place->room;
  bool attends = place->member && place->identified
                 && (owns (room, place->identity)
                     || (room->opened && is_named (room, place->identity)));

  if (attends == place->attends)
    return;
  place->attends = attends;
  if (attends)
    g_queue_push_tail_link (&room->admins, &place->admin_link);
  else {
    g_queue_unlink (&room->admins, &place->admin_link);
    door_admin_away (place, true);
  }
}

/* ---- Who has gone ---- */

/* For who is away and comes back. */
static void
remember_gone (Room *room, uint64_t peer)
{
  if (room->gone->len == HUB_GONE)
    g_array_remove_range (room->gone, 0, HUB_GONE / 4);
  g_array_append_val (room->gone, peer);
  room->n_gone++;
}

void
admin_tell_gone_to (Place *admin, uint64_t peer)
{
  if (admin->connection)
    send_peer (admin->connection, WIRE_GONE, peer);
  else if (admin->attends)
    remember_gone (admin->room, peer);
}

void
admin_tell_gone (Room *room, uint64_t peer)
{
  if (room->number == 0)
    return;
  remember_gone (room, peer);
  for (GList *l = room->admins.head; l; l = l->next) {
    Place *admin = l->data;
    if (admin->connection) {
      send_peer (admin->connection, WIRE_GONE, peer);
      admin->gone_told = room->n_gone;
    }
  }
}

void
admin_tell_missed (Place *place)
{
  Room *room = place->room;

  if (!place->attends)
    return;
  uint64_t first = room->n_gone - room->gone->len;
  for (uint64_t i = MAX (first, place->gone_told); i < room->n_gone; i++)
    send_peer (place->connection, WIRE_GONE,
        g_array_index (room->gone, uint64_t, i - first));
  place->gone_told = room->n_gone;
}

/* ---- open, attend ---- */

/* Another place of the same identity: a process that crashed and is back, or a connection that nobody knows is dead. */
static void
supersede (Place *place, const uint8_t *identity)
{
  GList *next;
  for (GList *l = place->room->members.head; l; l = next) {
    Place *other = l->data;
    next = l->next;
    if (other != place && other->identified
        && memcmp (other->identity, identity, IDENTITY_KEY_LEN) == 0)
      place_take_over (place, other);
  }
}

/* The proven `identity` may attend: the place is a member's and an admin's. */
static HubVerdict
let_attend (Place *place, const uint8_t *identity)
{
  Room *room = place->room;
  WireMessage opened = { .type = WIRE_OPENED };

  supersede (place, identity);
  if (room->number == 0)
    room_begin (room);
  door_quit (place);
  if (!place->member) {
    if (!place_become_member (place)) {
      if (room->members.length == 0)
        room_end_life (room);
      return HUB_BUSY;
    }
    place->admitted_seq = 0; /* its signature opens the whole of the order */
    place->acked = room->seq;
    place->unaware = false;
  }
  place->used = true;
  place->identified = true;
  memcpy (place->identity, identity, IDENTITY_KEY_LEN);
  place->credits = place->passed = 0;
  place->serves = false;
  admin_update (place);

  memcpy (opened.opened.room, room->id, LIMIT_ROOM);
  opened.opened.seq = room->seq;
  for (GList *l = room->admins.head; l; l = l->next)
    opened.opened.attended |=
        l->data != place && ((Place *) l->data)->connection;
  opened.opened.running = room->members.length > 1;
  send_message (place->connection, &opened);
  admin_tell_missed (place);
  if (room->reopened)
    send_frame (room->hub, place->connection->id, false, room->reopened);
  place->reopened_due = false;
  push_audit (place, HUB_AUDIT_ATTENDED, 0);
  return HUB_TAKEN;
}

static HubVerdict
claim (Place *place, const uint8_t *identity)
{
  Room *room = place->room;
  Hub *hub = room->hub;

  if (room->claim != 0 || hub->usage.opened >= hub->max_rooms
      || place->source->rooms >= HUB_MAX_SOURCE_ROOMS)
    return HUB_BUSY;
  room->claim = hub_request (hub, room->meeting, place->peer, identity);
  hub->directory->claim (hub->directory, hub, hub->self, room->claim,
      room->meeting, HUB_LEASE_MS, hub->now);
  return HUB_TAKEN;
}

void
admin_claimed (Request *request, Hub *hub, bool mine, uint64_t fence)
{
  Room *room = g_hash_table_lookup (hub->by_meeting, request->meeting);
  Place *place = g_hash_table_lookup (hub->places, &request->peer);
  HubVerdict verdict = HUB_BUSY;

  room->claim = 0; /* an unanswered claim keeps its room */
  if (mine && place && place->connection) {
    room->opened = true;
    memcpy (room->owner, request->identity, IDENTITY_KEY_LEN);
    room->fence = fence;
    room->lease_end = hub->now + HUB_LEASE_MS;
    room->renew_at = hub->now + HUB_RENEW_MS;
    room->empty_since = hub->now;
    room->opener = place->source;
    source_ref (hub, room->opener);
    room->opener->rooms++;
    hub->usage.opened++;
    verdict = let_attend (place, request->identity);
    if (verdict == HUB_TAKEN)
      push_audit (place, HUB_AUDIT_OPENED, 0);
    else
      room_disown (room);
  }
  if (mine && !room->opened)
    hub->directory->release (
        hub->directory, hub->self, request->meeting, fence);
  if (verdict != HUB_TAKEN && place && place->connection)
    send_error (hub, place->connection->id, WIRE_CODE_BUSY);
  room_unuse (room);
}

/* What both have in common: one verification, whatever the room is. */
static HubVerdict
verify (Place *place, const WireMessage *message, bool attend)
{
  Room *room = place->room;
  Connection *connection = place->connection;

  if (connection->opens >= HUB_MAX_OPENS
      || !bucket_take (&connection->source->verifies, room->hub->now,
          HUB_VERIFY_BURST, HUB_VERIFY_RATE, 1))
    return HUB_RATE_LIMITED;
  connection->opens++;
  if (!wire_verify_open (message->open.identity, attend, connection->challenge,
          room->meeting, room->hub->spki_hash, message->open.sig)
      || strcmp (message->open.meeting, room->meeting) != 0)
    return HUB_BAD_SIGNATURE;
  /* Who did not get our `opened` asks again. */
  if (place->attends
      && memcmp (place->identity, message->open.identity, IDENTITY_KEY_LEN)
             != 0)
    return HUB_UNEXPECTED;
  return HUB_TAKEN;
}

HubVerdict
admin_open (Place *place, WireMessage *message)
{
  Room *room = place->room;
  HubVerdict verdict = verify (place, message, false);

  if (verdict != HUB_TAKEN)
    return verdict;
  if (!room->opened)
    return claim (place, message->open.identity);
  if (!owns (room, message->open.identity))
    return HUB_NOT_OWNER;
  return let_attend (place, message->open.identity);
}

HubVerdict
admin_attend (Place *place, WireMessage *message)
{
  Room *room = place->room;
  HubVerdict verdict = verify (place, message, true);

  if (verdict != HUB_TAKEN)
    return verdict;
  if (!room->opened
      || (!is_named (room, message->open.identity)
          && !owns (room, message->open.identity)))
    return HUB_NOT_ADMIN;
  return let_attend (place, message->open.identity);
}

/* ---- What the owner does ---- */

/* Not over room->admins: who serves a knock moves in that list. */
static void
update_all (Room *room)
{
  for (GList *l = room->members.head; l; l = l->next)
    admin_update (l->data);
}

HubVerdict
admin_admins (Place *place, WireMessage *message)
{
  Room *room = place->room;
  size_t size = message->admins.count * IDENTITY_KEY_LEN;

  g_free (room->named);
  room->named = size ? g_malloc (size) : NULL;
  if (size)
    memcpy (room->named, message->admins.at, size);
  room->n_named = message->admins.count;
  update_all (room);
  return HUB_TAKEN;
}

HubVerdict
admin_transfer (Place *place, WireMessage *message)
{
  Room *room = place->room;

  memcpy (room->owner, message->transfer, IDENTITY_KEY_LEN);
  push_audit (place, HUB_AUDIT_TRANSFERRED, 0);
  update_all (room);
  return HUB_TAKEN;
}

HubVerdict
admin_close (Place *place, WireMessage *message)
{
  Room *room = place->room;
  Hub *hub = room->hub;

  push_audit (place, HUB_AUDIT_CLOSED, 0);
  hub->directory->release (
      hub->directory, hub->self, room->meeting, room->fence);
  room_drop (room, WIRE_CODE_CLOSED, true);
  return HUB_TAKEN;
}

/* Passed to who is there; who is away gets it when it returns, who comes later when it comes. Of any admin: the meeting's owner
 * need not be who owns it here. It proves nothing to the hub, and of two the later one is kept, unless the owner here says so. */
HubVerdict
admin_reopened (Place *place, WireMessage *message)
{
  Room *room = place->room;

  g_autoptr (GBytes) frame = frame_new (message);
  bool keep = admin_is_owner (place) || !room->reopened
              || message->reopened.opened > room->reopened_at;

  if (!frame)
    return HUB_UNEXPECTED;
  if (keep) {
    g_clear_pointer (&room->reopened, g_bytes_unref);
    room->reopened = g_bytes_ref (frame);
    room->reopened_at = message->reopened.opened;
  }
  for (GList *l = room->members.head; l; l = l->next) {
    Place *member = l->data;
    if (member == place)
      continue;
    if (member->connection)
      send_frame (room->hub, member->connection->id, false, frame);
    else
      member->reopened_due |= keep;
  }
  return HUB_TAKEN;
}

/* ---- What every admin does ---- */

HubVerdict
admin_dismiss (Place *place, WireMessage *message)
{
  Place *target = place_find (place->room, message->peer);

  if (!target || target == place
      || (!target->member && target->admin != place))
    return HUB_UNEXPECTED;
  if (admin_is_owner (target))
    return HUB_NOT_OWNER;
  place->room->hub->stats.dismissed++;
  place_end (target, WIRE_CODE_DISMISSED, false);
  return HUB_TAKEN;
}

HubVerdict
admin_credits (Place *place, WireMessage *message)
{
  if (message->credits < place->credits)
    return HUB_UNEXPECTED;
  place->credits = message->credits;
  door_quit (place); /* who serves the door is not at it */
  place->serves = true;
  door_serve (place->room);
  return HUB_TAKEN;
}

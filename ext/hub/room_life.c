/* A room's coming and going: who owns it, one life from the first member to the last, its lease.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "room_private.h"

#include <sodium.h>
#include <string.h>

uint64_t
hub_request (
    Hub *hub, const char *meeting, uint64_t peer, const uint8_t *identity)
{
  Request *request = g_new0 (Request, 1);
  uint64_t *number = g_new (uint64_t, 1);

  *number = ++hub->requests_made;
  request->meeting = g_strdup (meeting);
  request->peer = peer;
  if (identity)
    memcpy (request->identity, identity, IDENTITY_KEY_LEN);
  g_hash_table_insert (hub->requests, number, request);
  return *number;
}

Room *
room_get (Hub *hub, const char *meeting)
{
  Room *room = g_hash_table_lookup (hub->by_meeting, meeting);

  if (room)
    return room;
  room = g_new0 (Room, 1);
  room->hub = hub;
  room->meeting = g_strdup (meeting);
  room->by_source = g_hash_table_new (NULL, NULL);
  room->link.data = room;
  g_queue_push_tail_link (&hub->rooms, &room->link);
  g_hash_table_insert (hub->by_meeting, room->meeting, room);
  hub->usage.rooms++;
  return room;
}

static void
room_free (Room *room)
{
  Hub *hub = room->hub;

  g_hash_table_remove (hub->by_meeting, room->meeting);
  g_queue_unlink (&hub->rooms, &room->link);
  g_hash_table_unref (room->by_source);
  g_free (room->meeting);
  g_free (room);
  hub->usage.rooms--;
}

void
room_unuse (Room *room)
{
  if (!room->opened && !room->dropping && room->claim == 0
      && room->strangers == 0 && room->members.length == 0)
    room_free (room);
}

void
room_begin (Room *room)
{
  room->number = ++room->hub->rooms_begun;
  randombytes_buf (room->id, sizeof room->id);
  room->began = room->hub->now;
  room->gone = g_array_new (FALSE, FALSE, sizeof (uint64_t));
}

void
room_end_life (Room *room)
{
  order_clear (room);
  g_clear_pointer (&room->reopened, g_bytes_unref);
  g_clear_pointer (&room->gone, g_array_unref);
  room->n_gone = 0;
  room->number = 0;
  memset (room->id, 0, sizeof room->id);
  room->empty_since = room->hub->now;
}

void
room_disown (Room *room)
{
  Hub *hub = room->hub;

  room->opened = false;
  room->opener->rooms--;
  source_unref (hub, room->opener);
  room->opener = NULL;
  g_clear_pointer (&room->named, g_free);
  room->n_named = 0;
  if (room->renewal)
    g_hash_table_remove (hub->requests, &room->renewal);
  room->renewal = 0;
  hub->usage.opened--;
}

static Place *
any_stranger (const Room *room)
{
  for (GList *l = room->sources.head; l; l = l->next) {
    const Turn *turn = l->data;
    if (turn->strangers.head)
      return turn->strangers.head->data;
  }
  return NULL;
}

void
room_drop (Room *room, WireCode code, bool strangers)
{
  room->dropping = true;
  while (strangers && room->strangers > 0)
    place_end (any_stranger (room), code, false);
  while (room->members.head)
    place_end (room->members.head->data, code, false);
  if (room->opened)
    room_disown (room);
  room->dropping = false;
  room_unuse (room);
}

/* The lease ends, or is another hub's: who is in is sent away, who waits can't tell and waits on. */
static void
room_lose (Room *room)
{
  room->hub->stats.rooms_lost++;
  push_room_audit (room, HUB_AUDIT_LOST);
  room_drop (room, WIRE_CODE_GOING_AWAY, false);
}

static void
renew (Room *room)
{
  Hub *hub = room->hub;

  if (room->renewal)
    g_hash_table_remove (hub->requests, &room->renewal);
  room->renewal = hub_request (hub, room->meeting, 0, NULL);
  room->renewal_at = hub->now;
  room->renew_at = hub->now + HUB_RENEW_MS;
  hub->directory->renew (hub->directory, hub, hub->self, room->renewal,
      room->meeting, room->fence, HUB_LEASE_MS, hub->now);
}

void
room_sweep (Room *room)
{
  Hub *hub = room->hub;

  order_sweep (room);
  door_serve (room);
  if (!room->opened)
    return;
  if (room->members.length == 0
      && hub->now - room->empty_since >= HUB_EMPTY_MS) {
    push_room_audit (room, HUB_AUDIT_ENDED);
    hub->directory->release (
        hub->directory, hub->self, room->meeting, room->fence);
    room_drop (room, WIRE_CODE_CLOSED, false);
  } else if (hub->now + HUB_LEASE_MARGIN_MS >= room->lease_end)
    room_lose (room);
  else if (hub->now >= room->renew_at)
    renew (room); /* answers within the call may end the room */
}

void
hub_renewed (Hub *hub, uint64_t request, bool mine)
{
  Request *asked = g_hash_table_lookup (hub->requests, &request);
  Room *room =
      asked ? g_hash_table_lookup (hub->by_meeting, asked->meeting) : NULL;

  if (!room || room->renewal != request)
    return;
  g_hash_table_remove (hub->requests, &request);
  room->renewal = 0;
  if (mine)
    room->lease_end = room->renewal_at + HUB_LEASE_MS;
  else
    room_lose (room);
}

void
hub_claimed (Hub *hub, uint64_t request, bool mine, uint64_t fence)
{
  Request *asked = NULL;
  uint64_t *number = NULL;

  if (!g_hash_table_lookup_extended (
          hub->requests, &request, (void **) &number, (void **) &asked))
    return;
  g_hash_table_steal (hub->requests, &request);
  g_free (number);
  admin_claimed (asked, hub, mine, fence);
  g_free (asked->meeting);
  g_free (asked);
}

void
hub_looked_up (Hub *hub, uint64_t request, HubWhere where)
{
  Request *asked = g_hash_table_lookup (hub->requests, &request);
  Place *place =
      asked ? g_hash_table_lookup (hub->places, &asked->peer) : NULL;

  if (!place || place->state != PLACE_LOOKUP || place->request != request)
    return;
  g_hash_table_remove (hub->requests, &request);
  place->request = 0;
  door_located (place, where);
}

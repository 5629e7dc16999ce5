/* The signalling thread's side of the forwarder.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mediathread.h"

struct HubForwarder
{
  HubMediaThread thread;
  HubForwarderConfig config;
  bool any_address, any_public;
  uint8_t bind_ip[16], public_ip[16];
  HubMediaEventFunc event;
  void *data;

  HubLink rooms;
  uint32_t n_rooms, n_transports, n_tracks, n_subscriptions;
  uint32_t
      next_id; /* of rooms and transports; never used twice while 2^32 of them are not */
  size_t table_room[HUB_N_TABLES];
  size_t cache;

  /* Commands that the ring had no room for. There is always room here for the removal of everything. */
  HubCommand *waiting;
  size_t n_waiting, first_waiting, room_waiting;
};

/* --- Lists --- */

static inline void
hub_link_init (HubLink *head)
{
  head->next = head->previous = head;
}

static inline void
hub_link_add (HubLink *head, HubLink *link)
{
  link->next = head;
  link->previous = head->previous;
  head->previous->next = link;
  head->previous = link;
}

static inline void
hub_link_remove (HubLink *link)
{
  link->previous->next = link->next;
  link->next->previous = link->previous;
}

#define HUB_OF(link, type, member)                                            \
  ((type *) (void *) ((uint8_t *) (link) -offsetof (type, member)))

/* --- forwarder.c --- */

/* Never fails: hub_reserve() has made room. */
void hub_command (HubForwarder *forwarder, const HubCommand *command);

/* Room for `n` more commands besides the removal of all objects and one more; false when memory is short. */
bool hub_reserve (HubForwarder *forwarder, size_t n);

/* Tables for `n` entries. */
bool hub_reserve_table (HubForwarder *forwarder, HubTableName table, size_t n);

bool hub_reserve_names (HubForwarder *forwarder, uint32_t more);

/* An SSRC that the room has not given out. False after 2^32 of them. */
bool hub_room_draw_ssrc (HubRoom *room, uint32_t *ssrc);

/* tracks.c */
void hub_end_track (HubForwarder *forwarder, HubTrack *track);
void hub_end_subscriptions_of (
    HubForwarder *forwarder, HubTransport *transport);
void hub_track_free (HubForwarder *forwarder, HubTrack *track);

/* transports.c */
void hub_end_transport (HubForwarder *forwarder, HubTransport *transport);
void hub_transport_free (HubTransport *transport);
void hub_login_free (HubLogin *login);

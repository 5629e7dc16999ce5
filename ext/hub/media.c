/* The media thread's tables, commands and clock.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine.h"

#include <stdlib.h>

/* The ring of events must hold what one command can tell. */
#define EVENTS_OF_COMMAND 4

bool
hub_media_init (HubMedia *media, uint32_t max_transports, HubRing *commands,
    HubRing *events, HubCounters *counters, HubSendFunc send, void *io,
    HubTableMemory **tables)
{
  *media = (HubMedia){ .commands = commands,
    .events = events,
    .counters = counters,
    .max_transports = max_transports,
    .n_paces = max_transports < HUB_PACES ? max_transports : HUB_PACES };
  for (int i = 0; i < HUB_N_TABLES; i++)
    hub_table_init (&media->tables[i], tables[i]);
  crypto_shorthash_keygen (media->hash_key);
  hub_ice_init (&media->ice);

  bool ok = hub_egress_init (&media->egress, send, io, counters);
  media->transports = calloc (max_transports, sizeof *media->transports);
  media->touched = calloc (max_transports, sizeof *media->touched);
  media->packets = calloc (HUB_BATCH, sizeof *media->packets);
  media->paces = calloc (media->n_paces, sizeof *media->paces);
  media->pacing = calloc (media->n_paces, sizeof *media->pacing);
  if (!ok || !media->transports || !media->touched || !media->packets
      || !media->paces || !media->pacing) {
    hub_media_clear (media);
    return false;
  }
  for (uint32_t i = 0; i < media->n_paces; i++)
    media->pacing[i] = &media->paces[i];
  return true;
}

void
hub_media_clear (HubMedia *media)
{
  hub_egress_clear (&media->egress);
  free (media->transports);
  free (media->touched);
  free (media->packets);
  free (media->paces);
  free (media->pacing);
  for (int i = 0; i < HUB_N_TABLES; i++)
    free (media->tables[i].memory);
  *media = (HubMedia){ 0 };
}

void
hub_media_count (HubMedia *media, HubCounter which)
{
  hub_count (media->counters, which);
}

uint64_t
hub_media_hash (const HubMedia *media, const void *bytes, size_t len)
{
  uint64_t hash;
  _Static_assert(sizeof hash == crypto_shorthash_BYTES, "SipHash");
  crypto_shorthash ((uint8_t *) &hash, bytes, len, media->hash_key);
  return hash;
}

bool
hub_bucket_take (
    HubBucket *bucket, uint64_t now, uint32_t rate, uint32_t depth)
{
  uint64_t interval = HUB_S / rate;
  uint64_t due = bucket->due > now ? bucket->due : now;

  if (due - now > interval * (depth - 1))
    return false;
  bucket->due = due + interval;
  return true;
}

/* --- Upwards --- */

static void
put_up (HubMedia *media, const HubUp *up)
{
  /* There is room: hub_media_commands() sees to it. */
  hub_ring_put (media->events, up, sizeof *up);
  media->told = true;
}

static void
give_back (HubMedia *media, HubUpType type, void *object)
{
  if (object)
    put_up (media, &(HubUp){ .type = (uint8_t) type, .object = object });
}

bool
hub_media_tell (HubMedia *media, HubMediaEventType event, void *object)
{
  if (hub_ring_room (media->events) < HUB_RING_SLOTS / 4)
    return false;
  put_up (media,
      &(HubUp){
          .type = HUB_UP_EVENT, .event = (uint8_t) event, .object = object });
  return true;
}

/* --- Commands --- */

static void
put_name (HubMedia *media, HubName *name, uint32_t room, uint32_t ssrc)
{
  HubKey key = hub_key_pair (room, ssrc);
  hub_table_put (&media->tables[HUB_TABLE_SSRCS], &key, name);
}

static void
remove_name (HubMedia *media, uint32_t room, uint32_t ssrc)
{
  HubKey key = hub_key_pair (room, ssrc);
  hub_table_remove (&media->tables[HUB_TABLE_SSRCS], &key);
}

static void
add_transport (HubMedia *media, HubTransport *transport)
{
  HubKey ufrag = hub_key_ufrag (transport->login->ufrag);

  transport->name = (HubName){ .holder = transport };
  transport->place = media->n_transports;
  transport->consent_until = media->now + HUB_CONSENT_TIME;
  transport->rtx_budget = HUB_RTX_BURST;
  media->transports[media->n_transports++] = transport;
  hub_table_put (&media->tables[HUB_TABLE_UFRAGS], &ufrag, transport);
  put_name (media, &transport->name, transport->room->id, transport->ssrc);
}

static void
remove_transport (HubMedia *media, HubTransport *transport)
{
  HubKey ufrag = hub_key_ufrag (transport->login->ufrag);

  hub_transport_disconnect (media, transport);
  hub_table_remove (&media->tables[HUB_TABLE_UFRAGS], &ufrag);
  remove_name (media, transport->room->id, transport->ssrc);
  media->transports[transport->place] =
      media->transports[--media->n_transports];
  media->transports[transport->place]->place = transport->place;
  give_back (media, HUB_UP_TRANSPORT, transport);
}

static void
set_login (HubMedia *media, HubTransport *transport, HubLogin *login)
{
  HubKey old = hub_key_ufrag (transport->login->ufrag);
  HubKey new = hub_key_ufrag (login->ufrag);

  hub_table_remove (&media->tables[HUB_TABLE_UFRAGS], &old);
  hub_table_put (&media->tables[HUB_TABLE_UFRAGS], &new, transport);
  give_back (media, HUB_UP_LOGIN, transport->login);
  transport->login = login;
}

static void
add_track (HubMedia *media, HubTrack *track)
{
  track->name = (HubName){ track->publisher, track, false };
  track->rtx_name = (HubName){ track->publisher, track, true };
  track->reception.clock_rate = track->config.clock_rate;
  track->next = track->publisher->tracks;
  track->publisher->tracks = track;
  put_name (media, &track->name, track->room->id, track->ssrc);
  put_name (media, &track->rtx_name, track->room->id, track->rtx_ssrc);
}

static void
remove_track (HubMedia *media, HubTrack *track)
{
  HubTrack **at = &track->publisher->tracks;
  while (*at != track)
    at = &(*at)->next;
  *at = track->next;
  hub_speakers_forget (track);
  hub_media_forget_pli (media, track);
  hub_media_forget_holes (media, track);
  remove_name (media, track->room->id, track->ssrc);
  remove_name (media, track->room->id, track->rtx_ssrc);
  give_back (media, HUB_UP_TRACK, track);
}

static void
activate (HubSubscription *subscription)
{
  HubTrack *track = subscription->track;

  subscription->place = track->n_receivers;
  subscription->gated = false;
  track->receivers[track->n_receivers++] =
      (HubReceiver){ subscription, subscription->to };
}

static void
deactivate (HubMedia *media, HubSubscription *subscription)
{
  HubTrack *track = subscription->track;

  track->receivers[subscription->place] =
      track->receivers[--track->n_receivers];
  track->receivers[subscription->place].subscription->place =
      subscription->place;
  hub_pace_forget (media, subscription);
}

static void
set_state (HubMedia *media, HubSubscription *subscription, HubSubState state)
{
  if ((subscription->state == HUB_SUB_ACTIVE) == (state == HUB_SUB_ACTIVE)) {
    subscription->state = state;
    return;
  }
  subscription->state = state;
  if (state == HUB_SUB_ACTIVE) {
    activate (subscription);
    hub_media_want_keyframe (media, subscription->track);
  } else {
    deactivate (media, subscription);
  }
}

static void
tell_stand (HubMedia *media, const HubCommand *command)
{
  HubSubscription *subscription = command->object;

  put_up (media, &(HubUp){ .type = HUB_UP_EVENT,
                     .event = (uint8_t) command->event,
                     .object = subscription,
                     .index = subscription->track->top,
                     .rtx_index = subscription->rtx_index });
}

static void
subscribe (HubMedia *media, const HubCommand *command)
{
  HubSubscription *subscription = command->object;
  HubTrack *track = subscription->track;
  HubKey key = hub_key_pair (subscription->to->id, track->ssrc);

  if (command->with) {
    memcpy (command->with, track->receivers,
        track->n_receivers * sizeof *track->receivers);
    give_back (media, HUB_UP_MEMORY, track->receivers);
    track->receivers = command->with;
  }
  hub_table_put (&media->tables[HUB_TABLE_SUBSCRIPTIONS], &key, subscription);
  subscription->next = subscription->to->subscriptions;
  subscription->to->subscriptions = subscription;
  subscription->state = HUB_SUB_PAUSED;
  set_state (media, subscription, command->state);
  tell_stand (media, command);
}

static void
remove_subscription (HubMedia *media, HubSubscription *subscription)
{
  HubKey key = hub_key_pair (subscription->to->id, subscription->track->ssrc);
  HubSubscription **at = &subscription->to->subscriptions;

  set_state (media, subscription, HUB_SUB_ENDED);
  while (*at != subscription)
    at = &(*at)->next;
  *at = subscription->next;
  hub_table_remove (&media->tables[HUB_TABLE_SUBSCRIPTIONS], &key);
  give_back (media, HUB_UP_SUBSCRIPTION, subscription);
}

HubSubscription *
hub_media_find_subscription (
    HubMedia *media, const HubTransport *to, uint32_t ssrc)
{
  HubKey key = hub_key_pair (to->id, ssrc);
  HubSubscription *found =
      hub_table_find (&media->tables[HUB_TABLE_SUBSCRIPTIONS], &key);
  return found && found->state == HUB_SUB_ACTIVE ? found : NULL;
}

static void
add_room (HubMedia *media, HubRoom *room)
{
  room->next = media->rooms;
  if (room->next)
    room->next->previous = room;
  media->rooms = room;
}

static void
remove_room (HubMedia *media, HubRoom *room)
{
  if (room->previous)
    room->previous->next = room->next;
  else
    media->rooms = room->next;
  if (room->next)
    room->next->previous = room->previous;
  give_back (media, HUB_UP_ROOM, room);
}

static void
run (HubMedia *media, const HubCommand *command)
{
  switch (command->type) {
    case HUB_CMD_ADD_ROOM:
      add_room (media, command->object);
      break;
    case HUB_CMD_ADD_TRANSPORT:
      add_transport (media, command->object);
      break;
    case HUB_CMD_LOGIN:
      set_login (media, command->object, command->with);
      break;
    case HUB_CMD_ADD_TRACK:
      add_track (media, command->object);
      break;
    case HUB_CMD_SUBSCRIBE:
      subscribe (media, command);
      break;
    case HUB_CMD_SET_STATE:
      set_state (media, command->object, command->state);
      if (command->state == HUB_SUB_ACTIVE
          || command->event == HUB_MEDIA_EVENT_SUBSCRIBED)
        tell_stand (media, command);
      break;
    case HUB_CMD_KEYFRAME:
      hub_media_want_keyframe (media, command->object);
      break;
    case HUB_CMD_REMOVE_SUBSCRIPTION:
      remove_subscription (media, command->object);
      break;
    case HUB_CMD_REMOVE_TRACK:
      remove_track (media, command->object);
      break;
    case HUB_CMD_REMOVE_TRANSPORT:
      remove_transport (media, command->object);
      break;
    case HUB_CMD_REMOVE_ROOM:
      remove_room (media, command->object);
      break;
    case HUB_CMD_TABLE:
      give_back (media, HUB_UP_MEMORY,
          hub_table_move (&media->tables[command->table], command->with));
      break;
  }
}

void
hub_media_commands (HubMedia *media)
{
  HubCommand command;

  media->last_from = NULL;
  while (hub_ring_room (media->events) >= EVENTS_OF_COMMAND
         && hub_ring_take (media->commands, &command, sizeof command))
    run (media, &command);
}

/* --- Datagrams --- */

static HubTransport *
find_sender (HubMedia *media, const HubAddress *remote)
{
  if (media->last_from && hub_address_equal (remote, &media->last_address))
    return media->last_from;
  HubKey key = hub_key_address (remote);
  media->last_from =
      hub_table_find (&media->tables[HUB_TABLE_ADDRESSES], &key);
  media->last_address = *remote;
  return media->last_from;
}

void
hub_media_input (
    HubMedia *media, const HubPath *path, uint8_t *bytes, size_t len)
{
  hub_media_count (media, HUB_PACKETS_IN);
  hub_count_add (&media->counters->n[HUB_BYTES_IN], len);

  /* RFC 7983, 7. */
  if (len > 0 && len <= HUB_MAX_PACKET && bytes[0] <= 3) {
    hub_media_stun (media, path, bytes, len);
    return;
  }
  if (len < 8 || len > HUB_MAX_PACKET || bytes[0] < 128 || bytes[0] > 191) {
    hub_media_count (media, HUB_DROPPED_NOT_MEDIA);
    return;
  }
  HubTransport *from = find_sender (media, &path->remote);
  if (!from)
    hub_media_count (media, HUB_DROPPED_UNKNOWN_SOURCE);
  else if (srtp_is_rtcp (bytes, len))
    hub_media_rtcp (media, from, bytes, len);
  else
    hub_media_rtp (media, from, bytes, len);
}

/* --- Time --- */

void
hub_media_turn (HubMedia *media, uint64_t now)
{
  media->now = now;
  media->turn++;
  if (media->tick_at == 0)
    media->tick_at = now + HUB_TICK;
}

static void
look_at_caches (HubMedia *media, HubTransport *transport)
{
  for (HubTrack *track = transport->tracks; track; track = track->next)
    if (track->cached && media->now - track->came_at >= HUB_CACHE_IDLE) {
      hub_cache_forget (track->cache);
      track->cached = false;
    }
}

/* Once a second for each. */
static void
look_at (HubMedia *media, HubTransport *transport)
{
  /* RFC 7675, 5.1: "the consent to send expires". */
  if (!transport->consent_lost && media->now >= transport->consent_until) {
    hub_transport_disconnect (media, transport);
    transport->consent_lost = transport->event_due = true;
  }
  if (transport->event_due)
    transport->event_due = !hub_media_tell (media,
        transport->connected ? HUB_MEDIA_EVENT_CONNECTED : HUB_MEDIA_EVENT_CONSENT_LOST,
        transport);
  hub_shed_look (media, transport);
  if (transport->tracks) {
    look_at_caches (media, transport);
    if (transport->connected)
      hub_media_report (media, transport);
  }
}

static void
tick (HubMedia *media)
{
  uint32_t slice = media->tick++ % HUB_SLICES;

  for (uint32_t i = slice; i < media->n_transports; i += HUB_SLICES)
    look_at (media, media->transports[i]);
  for (uint32_t i = 0; i < media->n_transports; i++)
    if (media->transports[i]->twcc.any)
      hub_media_send_twcc (media, media->transports[i]);
  if (slice % 2 == 0)
    for (HubRoom *room = media->rooms; room; room = room->next)
      hub_speakers_tell (media, room);
}

void
hub_media_timers (HubMedia *media)
{
  hub_pace_run (media);
  hub_media_send_due_plis (media);
  hub_media_send_due_nacks (media);
  if (media->now >= media->tick_at) {
    tick (media);
    media->tick_at = media->now + HUB_TICK;
  }
  hub_egress_flush (&media->egress);
}

uint64_t
hub_media_deadline (const HubMedia *media)
{
  uint64_t deadline = media->n_transports > 0 ? media->tick_at : UINT64_MAX;

  if (media->n_pacing > 0 && media->pace_at < deadline)
    deadline = media->pace_at;
  for (const HubTrack *track = media->pli; track; track = track->next_pli)
    if (track->pli_at < deadline)
      deadline = track->pli_at;
  for (const HubTrack *track = media->nacks; track; track = track->next_nack)
    if (track->nack_at < deadline)
      deadline = track->nack_at;
  return deadline;
}

/* The forwarder's life, its events, rooms and numbers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forwarder_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FIRST_ENTRIES 64u
#define FEISTEL_ROUNDS 4

/* --- Commands --- */

bool
hub_reserve (HubForwarder *f, size_t n)
{
  size_t objects =
      (size_t) f->n_rooms + f->n_transports + f->n_tracks + f->n_subscriptions;
  size_t needed = f->n_waiting + objects + n + 8;

  if (f->first_waiting > 0) {
    memmove (f->waiting, f->waiting + f->first_waiting,
        (f->n_waiting - f->first_waiting) * sizeof *f->waiting);
    f->n_waiting -= f->first_waiting;
    f->first_waiting = 0;
  }
  if (needed <= f->room_waiting)
    return true;
  HubCommand *waiting = realloc (f->waiting, 2 * needed * sizeof *f->waiting);
  if (!waiting)
    return false;
  f->waiting = waiting;
  f->room_waiting = 2 * needed;
  return true;
}

static void
put_waiting (HubForwarder *f)
{
  while (f->first_waiting < f->n_waiting
         && hub_ring_put (&f->thread.commands, &f->waiting[f->first_waiting],
             sizeof *f->waiting))
    f->first_waiting++;
  if (f->first_waiting == f->n_waiting)
    f->first_waiting = f->n_waiting = 0;
}

void
hub_command (HubForwarder *f, const HubCommand *command)
{
  put_waiting (f);
  if (f->n_waiting > 0
      || !hub_ring_put (&f->thread.commands, command, sizeof *command))
    f->waiting[f->n_waiting++] = *command;
  hub_media_thread_poke (&f->thread);
}

bool
hub_reserve_table (HubForwarder *f, HubTableName table, size_t n)
{
  if (n <= f->table_room[table])
    return true;
  if (!hub_reserve (f, 1))
    return false;
  HubTableMemory *memory = hub_table_memory_new (n);
  if (!memory)
    return false;
  f->table_room[table] = hub_table_memory_room (memory);
  hub_command (f,
      &(HubCommand){ .type = HUB_CMD_TABLE, .with = memory, .table = table });
  return true;
}

bool
hub_reserve_names (HubForwarder *f, uint32_t more)
{
  return hub_reserve_table (f, HUB_TABLE_SSRCS,
      (size_t) f->n_transports + 2 * (size_t) f->n_tracks + more);
}

/* --- Life --- */

void
hub_forwarder_config_init (HubForwarderConfig *config)
{
  *config = (HubForwarderConfig){ .max_transports = 4096,
    .max_tracks = 8192,
    .max_subscriptions = 262144,
    .max_tracks_per_transport = 16,
    .max_packet_rate = 5000,
    .max_cache = (size_t) 256 << 20 };
}

static bool
keep_addresses (
    HubForwarder *f, const HubForwarderConfig *config, char *problem)
{
  f->any_address = !config->bind_address || config->bind_address[0] == '\0';
  f->any_public = config->public_address && config->public_address[0] != '\0';
  if (f->any_public
      && !hub_address_parse (config->public_address, f->public_ip)) {
    snprintf (problem, HUB_MAX_PROBLEM,
        "public-address \"%.64s\" is no IP address: give the one that clients reach this hub by, in numbers",
        config->public_address);
    return false;
  }
  /* A bad one is told by whoever binds to it. */
  if (!f->any_address)
    hub_address_parse (config->bind_address, f->bind_ip);
  return true;
}

static bool
make_tables (HubForwarder *f, HubTableMemory **tables)
{
  bool ok = true;
  for (int i = 0; i < HUB_N_TABLES; i++) {
    tables[i] = hub_table_memory_new (FIRST_ENTRIES);
    ok &= tables[i] != NULL;
    if (tables[i])
      f->table_room[i] = hub_table_memory_room (tables[i]);
  }
  for (int i = 0; !ok && i < HUB_N_TABLES; i++)
    free (tables[i]);
  return ok;
}

HubForwarder *
hub_forwarder_new (const HubForwarderConfig *config, HubMediaEventFunc event,
    void *data, char *problem)
{
  HubTableMemory *tables[HUB_N_TABLES];
  HubForwarder *f = aligned_alloc (64, (sizeof *f + 63) / 64 * 64);

  if (!f) {
    snprintf (
        problem, HUB_MAX_PROBLEM, "there is no memory for the forwarder");
    return NULL;
  }
  memset (f, 0, sizeof *f);
  f->config = *config;
  f->event = event;
  f->data = data;
  f->next_id = 1;
  hub_link_init (&f->rooms);
  if (!keep_addresses (f, config, problem)) {
    free (f);
    return NULL;
  }
  f->config.bind_address = f->config.public_address = NULL;
  if (!make_tables (f, tables) || !hub_reserve (f, 0)) {
    snprintf (
        problem, HUB_MAX_PROBLEM, "there is no memory for the forwarder");
    free (f);
    return NULL;
  }
  if (!hub_media_thread_start (&f->thread, config, tables, problem)) {
    hub_media_thread_clear (&f->thread);
    free (f->waiting);
    free (f);
    return NULL;
  }
  return f;
}

void
hub_forwarder_free (HubForwarder *f)
{
  if (!f)
    return;
  hub_media_thread_stop (&f->thread);
  f->event = NULL;
  while (f->rooms.next != &f->rooms)
    hub_forwarder_end_room (f, HUB_OF (f->rooms.next, HubRoom, link));
  /* Everything comes back on the same way as ever, only that this thread is both now. */
  do {
    hub_media_commands (&f->thread.media);
    hub_forwarder_dispatch (f);
  } while (f->n_waiting > 0 || !hub_ring_is_empty (&f->thread.commands)
           || !hub_ring_is_empty (&f->thread.events));
  hub_media_thread_clear (&f->thread);
  free (f->waiting);
  free (f);
}

int
hub_forwarder_event_fd (const HubForwarder *f)
{
  return f->thread.event_fd;
}

void
hub_forwarder_wake (HubForwarder *f)
{
  hub_media_thread_wake (&f->thread);
}

uint16_t
hub_forwarder_port (const HubForwarder *f)
{
  return hub_udp_port (f->thread.udp);
}

/* --- Events --- */

static bool
fill_from_subscription (const HubUp *up, HubMediaEvent *event)
{
  HubSubscription *s = up->object;

  if (s->wanted == HUB_SUB_ENDED || s->to->removed || s->track->removed)
    return false;
  event->transport = s->to;
  event->track = s->track;
  event->room = s->track->room;
  event->ssrc = s->track->ssrc;
  event->rtx_ssrc = s->track->rtx_ssrc;
  event->index = up->index;
  event->roc = (uint32_t) (up->index >> 16);
  event->rtx_index = up->rtx_index;
  event->rtx_roc = (uint32_t) (up->rtx_index >> 16);
  return true;
}

static bool
fill_from_room (const HubUp *up, HubMediaEvent *event)
{
  event->room = up->object;
  if (event->room->removed)
    return false;
  for (size_t i = 0; i < up->n; i++)
    if (!up->tracks[i]->removed)
      event->speakers[event->n_speakers++] = up->tracks[i];
  return true;
}

/* False when what it is about was removed meanwhile. */
static bool
fill (const HubUp *up, HubMediaEvent *event)
{
  *event = (HubMediaEvent){ .type = (HubMediaEventType) up->event };
  switch (event->type) {
    case HUB_MEDIA_EVENT_CONNECTED:
    case HUB_MEDIA_EVENT_CONSENT_LOST:
      event->transport = up->object;
      event->room = event->transport->room;
      return !event->transport->removed;
    case HUB_MEDIA_EVENT_SUBSCRIBED:
    case HUB_MEDIA_EVENT_RESUMED:
      return fill_from_subscription (up, event);
    case HUB_MEDIA_EVENT_KEYFRAME_WANTED:
      event->track = up->object;
      event->transport = event->track->publisher;
      event->room = event->track->room;
      return !event->track->removed;
    case HUB_MEDIA_EVENT_SPEAKERS:
      return fill_from_room (up, event);
  }
  return false;
}

static void
tell (HubForwarder *f, const HubUp *up)
{
  HubMediaEvent event;
  if (f->event && fill (up, &event))
    f->event (&event, f->data);
}

static void
take_back (HubForwarder *f, const HubUp *up)
{
  switch ((HubUpType) up->type) {
    case HUB_UP_EVENT:
      tell (f, up);
      break;
    case HUB_UP_MEMORY:
    case HUB_UP_SUBSCRIPTION:
    case HUB_UP_ROOM:
      free (up->object);
      break;
    case HUB_UP_LOGIN:
      hub_login_free (up->object);
      break;
    case HUB_UP_TRACK:
      hub_track_free (f, up->object);
      break;
    case HUB_UP_TRANSPORT:
      hub_transport_free (up->object);
      break;
  }
}

void
hub_forwarder_dispatch (HubForwarder *f)
{
  HubUp up;
  uint32_t n = 0;

  hub_media_thread_listen (&f->thread);
  /* Not endless, should events come faster than they are told. */
  while (n++ < HUB_RING_SLOTS
         && hub_ring_take (&f->thread.events, &up, sizeof up))
    take_back (f, &up);
  put_waiting (f);
  if (!hub_ring_is_empty (&f->thread.commands))
    hub_media_thread_wake (&f->thread);
}

/* --- Rooms --- */

/* SSRCs are the numbers 0, 1, 2 … behind a keyed permutation of 32 bits (a Feistel network with SipHash): random to the eye,
 * and none comes twice, without a memory of those that were. */
static uint32_t
permute (const HubRoom *room, uint32_t n)
{
  uint16_t left = (uint16_t) (n >> 16), right = (uint16_t) n;

  for (uint8_t i = 0; i < FEISTEL_ROUNDS; i++) {
    uint8_t in[3] = { i, (uint8_t) (right >> 8), (uint8_t) right };
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash (hash, in, sizeof in, room->ssrc_key);
    uint16_t mixed = (uint16_t) (left ^ (hash[0] << 8 | hash[1]));
    left = right;
    right = mixed;
  }
  return (uint32_t) left << 16 | right;
}

bool
hub_room_draw_ssrc (HubRoom *room, uint32_t *ssrc)
{
  do {
    if (room->n_ssrcs > UINT32_MAX)
      return false;
    *ssrc = permute (room, (uint32_t) room->n_ssrcs++);
  } while (*ssrc == 0); /* looks like none to many */
  return true;
}

HubRoom *
hub_forwarder_add_room (
    HubForwarder *f, const HubRoomConfig *config, void *owner)
{
  uint8_t name[12];
  HubRoom *room = hub_reserve (f, 1) ? calloc (1, sizeof *room) : NULL;

  if (!room)
    return NULL;
  room->config = *config;
  if (room->config.audio_last_n > HUB_MAX_LAST_N)
    room->config.audio_last_n = HUB_MAX_LAST_N;
  room->id = f->next_id++;
  room->owner = owner;
  hub_link_init (&room->transports);
  crypto_shorthash_keygen (room->ssrc_key);
  hub_room_draw_ssrc (room, &room->ssrc);
  randombytes_buf (name, sizeof name);
  sodium_bin2base64 (room->cname, sizeof room->cname, name, sizeof name,
      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  hub_link_add (&f->rooms, &room->link);
  f->n_rooms++;
  hub_command (f, &(HubCommand){ .type = HUB_CMD_ADD_ROOM, .object = room });
  return room;
}

void
hub_forwarder_end_room (HubForwarder *f, HubRoom *room)
{
  while (room->transports.next != &room->transports)
    hub_end_transport (f, HUB_OF (room->transports.next, HubTransport, link));
  hub_link_remove (&room->link);
  room->removed = true;
  f->n_rooms--;
  hub_command (
      f, &(HubCommand){ .type = HUB_CMD_REMOVE_ROOM, .object = room });
}

uint32_t
hub_room_ssrc (const HubRoom *room)
{
  return room->ssrc;
}

void *
hub_room_owner (const HubRoom *room)
{
  return room->owner;
}

/* --- Numbers --- */

const char *
hub_counter_name (HubCounter counter)
{
  static const char *const names[HUB_N_COUNTERS] = {
    [HUB_PACKETS_IN] = "packets-in",
    [HUB_BYTES_IN] = "bytes-in",
    [HUB_PACKETS_OUT] = "packets-out",
    [HUB_BYTES_OUT] = "bytes-out",
    [HUB_RTP_ACCEPTED] = "rtp-accepted",
    [HUB_RTCP_ACCEPTED] = "rtcp-accepted",
    [HUB_STUN_ANSWERED] = "stun-answered",
    [HUB_DROPPED_NOT_MEDIA] = "dropped-not-media",
    [HUB_DROPPED_UNKNOWN_SOURCE] = "dropped-unknown-source",
    [HUB_DROPPED_MALFORMED] = "dropped-malformed",
    [HUB_DROPPED_SSRC_UNKNOWN] = "dropped-ssrc-unknown",
    [HUB_DROPPED_SSRC_THEFT] = "dropped-ssrc-theft",
    [HUB_DROPPED_UNAUTHENTIC] = "dropped-unauthentic",
    [HUB_DROPPED_REPLAYED] = "dropped-replayed",
    [HUB_DROPPED_RTP_FLOOD] = "dropped-rtp-flood",
    [HUB_DROPPED_RTCP_FLOOD] = "dropped-rtcp-flood",
    [HUB_DROPPED_STUN_MALFORMED] = "dropped-stun-malformed",
    [HUB_DROPPED_STUN_UFRAG] = "dropped-stun-ufrag",
    [HUB_DROPPED_STUN_INTEGRITY] = "dropped-stun-integrity",
    [HUB_DROPPED_STUN_FLOOD] = "dropped-stun-flood",
    [HUB_DROPPED_STUN_REPLAY] = "dropped-stun-replay",
    [HUB_DROPPED_STUN_OTHER] = "dropped-stun-other",
    [HUB_DROPPED_RTX_EMPTY] = "dropped-rtx-empty",
    [HUB_STUN_ROLE_CONFLICTS] = "stun-role-conflicts",
    [HUB_FEEDBACK_REFUSED] = "feedback-refused",
    [HUB_NACKS] = "nacks",
    [HUB_NACK_MISSES] = "nack-misses",
    [HUB_NACK_LIMITED] = "nack-limited",
    [HUB_RTX_SENT] = "rtx-sent",
    [HUB_KEYFRAMES_ASKED] = "keyframes-asked",
    [HUB_NACK_SENT] = "nack-sent",
    [HUB_PLI_SENT] = "pli-sent",
    [HUB_NOT_FORWARDED_MUTED] = "not-forwarded-muted",
    [HUB_SHED_VIDEO] = "shed-video",
    [HUB_PACED] = "paced",
    [HUB_SEND_BLOCKED] = "send-blocked",
    [HUB_SEND_DROPPED] = "send-dropped",
    [HUB_SEND_ERRORS] = "send-errors",
  };
  return names[counter];
}

void
hub_forwarder_stats (const HubForwarder *f, HubForwarderStats *out)
{
  *out = (HubForwarderStats){ .transports = f->n_transports,
    .tracks = f->n_tracks,
    .subscriptions = f->n_subscriptions,
    .rooms = f->n_rooms,
    .cache = f->cache,
    .gso = hub_udp_gso (f->thread.udp),
    .gro = hub_udp_gro (f->thread.udp),
    .loops = hub_count_read (&f->thread.loops) };
  for (int i = 0; i < HUB_N_COUNTERS; i++)
    out->counters[i] = hub_count_read (&f->thread.counters.n[i]);
}

uint64_t
hub_forwarder_cpu_time (const HubForwarder *f)
{
  struct timespec t = { 0 };
  clockid_t clock;

  if (f->thread.running
      && pthread_getcpuclockid (f->thread.thread, &clock) == 0)
    clock_gettime (clock, &t);
  return (uint64_t) t.tv_sec * HUB_S + (uint64_t) t.tv_nsec;
}

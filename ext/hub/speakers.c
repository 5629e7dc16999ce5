/* Who is heard: the loudest `audio_last_n` of a room, by the level that clients put into a header extension (RFC 6464). The level is
 * a claim; who lies takes one place, no more.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine.h"

#define DB 256u
#define SILENCE 127u               /* -dBov */
#define UNKNOWN_LOUDNESS (40 * DB) /* of tracks without the extension */
#define SPEAKING (77 * DB)         /* louder than -50 dBov */
#define HYSTERESIS (6 * DB)
#define SWAP_AFTER (500 * HUB_MS)  /* who got a place keeps it so long */
#define QUIET_AFTER (500 * HUB_MS) /* without packets: DTX, mute */
#define ORDER_HYSTERESIS (3 * DB)

static uint32_t
loudness_of (const HubMedia *media, const HubTrack *track)
{
  return media->now - track->came_at >= QUIET_AFTER ? 0 : track->loudness;
}

static void
measure (HubTrack *track, const HubRtp *rtp)
{
  uint8_t id = track->room->config.audio_level_id;
  size_t len;
  const uint8_t *value = id ? hub_rtp_element (rtp, id, &len) : NULL;
  uint32_t now = value ? (SILENCE - (value[0] & 0x7f)) * DB : UNKNOWN_LOUDNESS;

  /* Up in 40 ms of 20-ms packets, down in 160: the first word counts. */
  if (now > track->loudness)
    track->loudness += (now - track->loudness) / 2;
  else
    track->loudness -= (track->loudness - now) / 8;
}

static void
set_loud (HubTrack *track, bool loud, uint64_t now, uint64_t index)
{
  track->loud = loud;
  track->loud_since = now;
  track->muted_index = index;
  atomic_store_explicit (&track->is_muted,
      !loud && track->room->config.audio_last_n > 0, memory_order_relaxed);
}

static uint32_t
places_of (const HubRoom *room)
{
  return room->config.audio_last_n > 0 ? room->config.audio_last_n
                                       : HUB_DEFAULT_LAST_N;
}

/* A place for `track`: a free one, or that of one that is clearly quieter. */
static void
seek_place (HubMedia *media, HubTrack *track, uint64_t index)
{
  HubRoom *room = track->room;
  uint32_t weakest = 0;

  if (room->n_loudest < places_of (room)) {
    room->loudest[room->n_loudest++] = track;
    set_loud (track, true, media->now, index);
    return;
  }
  for (uint32_t i = 1; i < room->n_loudest; i++)
    if (loudness_of (media, room->loudest[i])
        < loudness_of (media, room->loudest[weakest]))
      weakest = i;
  HubTrack *out = room->loudest[weakest];
  uint32_t level = loudness_of (media, out);
  if (loudness_of (media, track) <= level + HYSTERESIS
      || (level > 0 && media->now - out->loud_since < SWAP_AFTER))
    return;
  set_loud (out, false, media->now, out->top);
  room->loudest[weakest] = track;
  set_loud (track, true, media->now, index);
}

/* An audio packet came: true when it goes to the receivers. */
bool
hub_speakers_pass (
    HubMedia *media, HubTrack *track, const HubRtp *rtp, uint64_t index)
{
  measure (track, rtp);
  if (!track->loud)
    seek_place (media, track, index);
  if (track->loud || track->room->config.audio_last_n == 0)
    return true;
  /* Receivers estimate the ROC from what they get. */
  if (index < track->muted_index + HUB_PASS_EVERY)
    return false;
  track->muted_index = index;
  return true;
}

void
hub_speakers_forget (HubTrack *track)
{
  HubRoom *room = track->room;

  for (uint32_t i = 0; i < room->n_loudest; i++)
    if (room->loudest[i] == track)
      room->loudest[i--] = room->loudest[--room->n_loudest];
  for (uint32_t i = 0; i < room->n_told; i++)
    if (room->told[i] == track) {
      memmove (&room->told[i], &room->told[i + 1],
          (room->n_told - i - 1) * sizeof *room->told);
      room->n_told--;
      i--;
    }
}

static bool
was_told (const HubRoom *room, const HubTrack *track)
{
  for (uint32_t i = 0; i < room->n_told; i++)
    if (room->told[i] == track)
      return true;
  return false;
}

/* The speaking ones, loudest first. */
static uint32_t
list_speakers (const HubMedia *media, const HubRoom *room, HubTrack **out)
{
  uint32_t n = 0;

  for (uint32_t i = 0; i < room->n_loudest; i++) {
    HubTrack *track = room->loudest[i];
    uint32_t level = loudness_of (media, track);
    if (level <= SPEAKING)
      continue;
    uint32_t at = n < HUB_MAX_SPEAKERS ? n++ : HUB_MAX_SPEAKERS;
    while (at > 0 && loudness_of (media, out[at - 1]) < level) {
      if (at < HUB_MAX_SPEAKERS)
        out[at] = out[at - 1];
      at--;
    }
    if (at < HUB_MAX_SPEAKERS)
      out[at] = track;
  }
  return n;
}

/* Called five times a second: tells when somebody began or ceased, or another is the loudest. */
void
hub_speakers_tell (HubMedia *media, HubRoom *room)
{
  HubTrack *now[HUB_MAX_SPEAKERS];
  HubUp up = {
    .type = HUB_UP_EVENT, .event = HUB_MEDIA_EVENT_SPEAKERS, .object = room
  };
  uint32_t n = list_speakers (media, room, now);
  bool same = n == room->n_told;

  for (uint32_t i = 0; i < n && same; i++)
    same = was_told (room, now[i]);
  if (same && n > 0 && now[0] != room->told[0])
    same = loudness_of (media, now[0])
           <= loudness_of (media, room->told[0]) + ORDER_HYSTERESIS;
  if (same || hub_ring_room (media->events) < HUB_RING_SLOTS / 4)
    return;
  room->n_told = n;
  memcpy (room->told, now, n * sizeof *now);
  memcpy (up.tracks, now, n * sizeof *now);
  up.n = (uint8_t) n;
  hub_ring_put (media->events, &up, sizeof up);
  media->told = true;
}

/* RTP from publishers: whose it is, whether it is authentic and new, and into the cache and the batch.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine.h"

static HubTrack *
find_own (const HubTransport *from, uint32_t ssrc)
{
  for (HubTrack *track = from->tracks; track; track = track->next)
    if (track->ssrc == ssrc || track->rtx_ssrc == ssrc)
      return track;
  return NULL;
}

static void
count_stranger (HubMedia *media, const HubTransport *from, uint32_t ssrc)
{
  HubKey key = hub_key_pair (from->room->id, ssrc);
  bool known = ssrc == from->room->ssrc
               || hub_table_find (&media->tables[HUB_TABLE_SSRCS], &key);
  hub_media_count (
      media, known ? HUB_DROPPED_SSRC_THEFT : HUB_DROPPED_SSRC_UNKNOWN);
}

static void
count_failure (HubMedia *media, SrtpResult result)
{
  switch (result) {
    case SRTP_MALFORMED:
      hub_media_count (media, HUB_DROPPED_MALFORMED);
      break;
    case SRTP_REPLAYED:
    case SRTP_TOO_OLD:
      hub_media_count (media, HUB_DROPPED_REPLAYED);
      break;
    default:
      hub_media_count (media, HUB_DROPPED_UNAUTHENTIC);
  }
}

/* What waits in the batch must not be overwritten by what comes. */
static void
make_room (HubMedia *media, const HubTrack *track, size_t len)
{
  if (media->n_packets == HUB_BATCH
      || (track->cache && track->batch_n > 0
          && track->batch_bytes + len > (track->config.kind == HUB_AUDIO
                                                ? HUB_AUDIO_CACHE
                                                : HUB_VIDEO_CACHE)
                                            / 2))
    hub_media_forward (media);
}

/* An authentic packet that has not passed before: from here on its index is spent, whatever becomes of it. */
static void
pass (HubMedia *media, HubTrack *track, const HubRtp *rtp,
    const HubPacket *packet)
{
  replay_window_commit (track->passed, packet->index);
  if (track->cache) {
    hub_cache_commit (
        track->cache, packet->index, packet->len, packet->head_len);
    track->cached = true;
  }
  if (track->any && packet->index > track->top)
    hub_media_note_holes (media, track, packet->index);
  if (!track->any || packet->index > track->top)
    track->top = packet->index;
  track->any = true;
  track->came_at = media->now;
  if (track->config.kind == HUB_AUDIO
      && !hub_speakers_pass (media, track, rtp, packet->index)) {
    hub_media_count (media, HUB_NOT_FORWARDED_MUTED);
    return;
  }
  if (track->n_receivers > 0)
    hub_media_queue (media, packet);
}

static void
count_transport_wide (HubMedia *media, HubTransport *from, const HubRtp *rtp)
{
  size_t len;
  uint8_t id = from->room->config.twcc_id;
  const uint8_t *seq = id ? hub_rtp_element (rtp, id, &len) : NULL;

  if (seq && len == 2
      && hub_twcc_count (
          &from->twcc, (uint16_t) (seq[0] << 8 | seq[1]), media->now))
    hub_media_send_twcc (media, from);
}

/* A publisher's retransmission of what was lost on the way to us (RFC 4588): the original, with its own index, which nobody has
 * been sent. */
static void
take_rtx (HubMedia *media, HubTransport *from, HubTrack *track, uint8_t *bytes,
    size_t len, const HubRtp *rtp)
{
  uint16_t seq;

  count_transport_wide (media, from, rtp);
  if (!track->any || rtp->payload_type != track->config.rtx_payload_type) {
    hub_media_count (media, HUB_DROPPED_RTX_EMPTY);
    return;
  }
  make_room (media, track, len);
  uint8_t *to = track->cache ? hub_cache_reserve (track->cache, len) : bytes;
  size_t plain_len = hub_rtx_unwrap (
      bytes, len, rtp, track->payload_type, track->ssrc, &seq, to);
  uint64_t index = hub_nearest_index (track->top, seq);
  if (plain_len == 0 || !replay_window_is_new (track->passed, index)) {
    hub_media_count (media, HUB_DROPPED_RTX_EMPTY);
    return;
  }
  hub_media_count (media, HUB_RTP_ACCEPTED);
  pass (media, track, rtp,
      &(HubPacket){ .track = track,
          .bytes = to,
          .index = index,
          .timestamp = rtp->timestamp,
          .len = (uint16_t) plain_len,
          .head_len = (uint16_t) rtp->head_len });
}

void
hub_media_rtp (HubMedia *media, HubTransport *from, uint8_t *bytes, size_t len)
{
  HubRtp rtp;
  SrtpInfo info;
  size_t plain_len;

  if (!hub_rtp_parse (bytes, len, &rtp)) {
    hub_media_count (media, HUB_DROPPED_MALFORMED);
    return;
  }
  uint32_t rate = media->max_packet_rate;
  if (rate > 0 && !hub_bucket_take (&from->rtp, media->now, rate, rate)) {
    hub_media_count (media, HUB_DROPPED_RTP_FLOOD);
    return;
  }
  HubTrack *track = find_own (from, rtp.ssrc);
  if (!track) {
    count_stranger (media, from, rtp.ssrc);
    return;
  }
  bool rtx = rtp.ssrc != track->ssrc;
  make_room (media, track, len);
  uint8_t *to =
      track->cache && !rtx ? hub_cache_reserve (track->cache, len) : bytes;
  SrtpResult result = srtp_session_unprotect_rtp (
      from->in, bytes, len, to, len, &plain_len, &info);
  if (result != SRTP_OK) {
    count_failure (media, result);
    return;
  }
  hub_count_add (&from->packets_in, 1);
  hub_count_add (&from->bytes_in, plain_len);
  if (rtx) {
    take_rtx (media, from, track, bytes, plain_len, &rtp);
    return;
  }
  if (!replay_window_is_new (track->passed, info.index)) {
    hub_media_count (media, HUB_DROPPED_REPLAYED);
    return;
  }
  hub_media_count (media, HUB_RTP_ACCEPTED);
  hub_count_add (&track->packets, 1);
  hub_count_add (&track->bytes, plain_len);
  track->payload_type = rtp.payload_type;
  hub_reception_count (
      &track->reception, info.index, rtp.timestamp, media->now);
  count_transport_wide (media, from, &rtp);
  pass (media, track, &rtp,
      &(HubPacket){ .track = track,
          .bytes = to,
          .index = info.index,
          .timestamp = rtp.timestamp,
          .len = (uint16_t) plain_len,
          .head_len = (uint16_t) rtp.head_len });
}

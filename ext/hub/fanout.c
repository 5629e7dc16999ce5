/* From the batch to the receivers: what is due to one of them together leaves together.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine.h"

#define NO_PACKET UINT32_MAX

void
hub_media_queue (HubMedia *media, const HubPacket *packet)
{
  HubTrack *track = packet->track;
  uint32_t i = media->n_packets++;

  media->packets[i] = *packet;
  media->packets[i].next = NO_PACKET;
  if (track->batch_n++ > 0) {
    media->packets[track->batch_last].next = i;
  } else {
    HubTrack **list = track->config.kind == HUB_AUDIO ? &media->batch_audio
                                                      : &media->batch_video;
    track->batch_first = i;
    track->batch_bytes = 0;
    track->next_in_batch = *list;
    *list = track;
  }
  track->batch_last = i;
  track->batch_bytes += packet->len;
}

static HubSendKind
kind_of (const HubTrack *track)
{
  return track->config.kind == HUB_AUDIO ? HUB_SEND_AUDIO : HUB_SEND_VIDEO;
}

static void
count_sent (HubMedia *media, HubTransport *to, size_t len)
{
  to->burst++;
  hub_count_add (&to->packets_out, 1);
  hub_count_add (&to->bytes_out, len);
  hub_media_count (media, HUB_PACKETS_OUT);
  hub_count_add (&media->counters->n[HUB_BYTES_OUT], len);
}

bool
hub_media_send_rtp (HubMedia *media, HubSubscription *subscription,
    uint64_t index, const uint8_t *bytes, size_t len, size_t head_len)
{
  HubTransport *to = subscription->to;
  size_t wire_len = len + SRTP_HOP_RTP_OVERHEAD;
  uint8_t *room = hub_egress_reserve (
      &media->egress, &to->path, kind_of (subscription->track), wire_len);

  if (!room)
    return false;
  if (!srtp_hop_protect_rtp (to->out, index, subscription->track->ssrc,
          head_len, bytes, len, room)) {
    hub_egress_undo (&media->egress, wire_len);
    return false;
  }
  count_sent (media, to, wire_len);
  if (to->rtx_budget < HUB_RTX_BURST)
    to->rtx_budget += (int64_t) wire_len / 10;
  return true;
}

bool
hub_media_send_rtx (HubMedia *media, HubSubscription *subscription,
    uint64_t index, const uint8_t *bytes, size_t len, size_t head_len)
{
  uint8_t rtx[HUB_MAX_PACKET + 2];
  HubTransport *to = subscription->to;
  HubTrack *track = subscription->track;
  uint64_t rtx_index = subscription->rtx_index++;
  size_t rtx_len =
      hub_rtx_wrap (bytes, len, head_len, track->config.rtx_payload_type,
          track->rtx_ssrc, (uint16_t) rtx_index, rtx);
  size_t wire_len = rtx_len + SRTP_HOP_RTP_OVERHEAD;
  uint8_t *room = hub_egress_reserve (
      &media->egress, &to->path, kind_of (track), wire_len);

  if (!room)
    return false;
  if (!srtp_hop_protect_rtp (
          to->out, rtx_index, track->rtx_ssrc, head_len, rtx, rtx_len, room)) {
    hub_egress_undo (&media->egress, wire_len);
    return false;
  }
  count_sent (media, to, wire_len);
  hub_count_add (&to->rtx_out, 1);
  hub_media_count (media, HUB_RTX_SENT);
  return true;
}

bool
hub_media_send_rtcp (HubMedia *media, HubTransport *to, HubSendKind kind,
    const uint8_t *bytes, size_t len)
{
  size_t wire_len = len + SRTP_HOP_RTCP_OVERHEAD;
  uint8_t *room = to->connected ? hub_egress_reserve (
                      &media->egress, &to->path, kind, wire_len)
                                : NULL;

  if (!room)
    return false;
  if (!srtp_hop_protect_rtcp (to->out, bytes, len, room)) {
    hub_egress_undo (&media->egress, wire_len);
    return false;
  }
  hub_media_count (media, HUB_PACKETS_OUT);
  hub_count_add (&media->counters->n[HUB_BYTES_OUT], wire_len);
  return true;
}

/* First pass: which receivers, and what of the batch is theirs. */
static uint32_t
gather (HubMedia *media, HubTrack *list, uint32_t n)
{
  for (HubTrack *track = list; track; track = track->next_in_batch)
    for (uint32_t i = 0; i < track->n_receivers; i++) {
      HubTransport *to = track->receivers[i].to;
      HubSubscription *subscription = track->receivers[i].subscription;
      if (!to->connected)
        continue;
      if (!to->batch)
        media->touched[n++] = to;
      subscription->next_in_batch = to->batch;
      to->batch = subscription;
    }
  return n;
}

/* Video may have to wait, or to go. */
static bool
goes_now (
    HubMedia *media, HubSubscription *subscription, const HubPacket *packet)
{
  HubTransport *to = subscription->to;

  if ((to->shed || subscription->gated)
      && !hub_shed_passes (media, subscription, packet))
    return false;
  if (to->pace || to->burst >= HUB_PACE_BURST)
    return !hub_pace_add (media, subscription, packet->index);
  return true;
}

static void
send_batch (HubMedia *media, HubTransport *to)
{
  HubSubscription *next;

  if (to->turn != media->turn) {
    to->turn = media->turn;
    to->burst = 0;
  }
  for (HubSubscription *s = to->batch; s; s = next) {
    next = s->next_in_batch;
    bool video = s->track->config.kind == HUB_VIDEO;
    for (uint32_t i = s->track->batch_first; i != NO_PACKET;
         i = media->packets[i].next) {
      const HubPacket *packet = &media->packets[i];
      if (!video || goes_now (media, s, packet))
        hub_media_send_rtp (media, s, packet->index, packet->bytes,
            packet->len, packet->head_len);
    }
  }
  to->batch = NULL;
}

static void
forget_batch (HubTrack *list)
{
  for (HubTrack *track = list; track; track = track->next_in_batch)
    track->batch_n = 0;
}

void
hub_media_forward (HubMedia *media)
{
  if (media->n_packets > 0) {
    /* Lists grow at their heads: what is gathered last, audio, is sent first. */
    uint32_t n = gather (media, media->batch_video, 0);
    n = gather (media, media->batch_audio, n);
    /* Each time another one is first: should the socket be full, it is not always the same who lose. */
    uint32_t begin = n > 0 ? (uint32_t) (media->turn % n) : 0;
    for (uint32_t i = 0; i < n; i++)
      send_batch (media, media->touched[(begin + i) % n]);
    forget_batch (media->batch_video);
    forget_batch (media->batch_audio);
    media->batch_video = media->batch_audio = NULL;
    media->n_packets = 0;
  }
  hub_egress_flush (&media->egress);
}

/* RTCP: what participants report and ask for, and what the hub does (RFC 3550, 4585, 4588, 5104).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine.h"

#define BAD_LOSS 64  /* of 256: a quarter */
#define GOOD_LOSS 13 /* a twentieth */
#define BAD_REPORTS 3u
#define MAX_REPORTS 31 /* RFC 3550, 6.4.1: five bits */

/* --- Whose it is --- */

static HubTrack *
find_media (const HubTransport *from, uint32_t ssrc)
{
  for (HubTrack *track = from->tracks; track; track = track->next)
    if (track->ssrc == ssrc)
      return track;
  return NULL;
}

static bool
is_own (const HubTransport *from, uint32_t ssrc)
{
  if (ssrc == from->ssrc)
    return true;
  for (const HubTrack *track = from->tracks; track; track = track->next)
    if (track->ssrc == ssrc || track->rtx_ssrc == ssrc)
      return true;
  for (uint32_t i = 0; i < from->n_own_rtcp; i++)
    if (from->own_rtcp[i] == ssrc)
      return true;
  return false;
}

static bool
is_another (HubMedia *media, const HubTransport *from, uint32_t ssrc)
{
  HubKey key = hub_key_pair (from->room->id, ssrc);
  return ssrc == from->room->ssrc
         || hub_table_find (&media->tables[HUB_TABLE_SSRCS], &key);
}

/* --- Keyframes --- */

/* A compound needs a report first (RFC 3550, 6.1). */
Writer
hub_media_begin_compound (uint8_t *bytes, size_t size, const HubRoom *room,
    const HubReport *reports, size_t n)
{
  Writer w = writer_init (bytes, size);
  hub_rtcp_write_rr (&w, room->ssrc, reports, n);
  hub_rtcp_write_cname (
      &w, room->ssrc, (const uint8_t *) room->cname, sizeof room->cname - 1);
  return w;
}

static void
send_pli (HubMedia *media, HubTrack *track)
{
  uint8_t bytes[HUB_RTCP_MAX + SRTP_HOP_RTCP_OVERHEAD];
  Writer w = hub_media_begin_compound (bytes, HUB_RTCP_MAX, track->room, NULL, 0);

  hub_rtcp_write_pli (&w, track->room->ssrc, track->ssrc);
  track->pli_at = media->now + HUB_PLI_INTERVAL;
  if (hub_media_send_rtcp (
          media, track->publisher, HUB_SEND_CONTROL, bytes, writer_len (&w)))
    hub_media_count (media, HUB_PLI_SENT);
  hub_media_tell (media, HUB_MEDIA_EVENT_KEYFRAME_WANTED, track);
}

void
hub_media_want_keyframe (HubMedia *media, HubTrack *track)
{
  if (track->config.kind != HUB_VIDEO)
    return;
  hub_media_count (media, HUB_KEYFRAMES_ASKED);
  if (track->pli_due)
    return;
  if (media->now >= track->pli_at) {
    send_pli (media, track);
    return;
  }
  track->pli_due = true;
  track->next_pli = media->pli;
  media->pli = track;
}

void
hub_media_send_due_plis (HubMedia *media)
{
  HubTrack **at = &media->pli;

  while (*at) {
    HubTrack *track = *at;
    if (media->now < track->pli_at) {
      at = &track->next_pli;
      continue;
    }
    *at = track->next_pli;
    track->pli_due = false;
    send_pli (media, track);
  }
}

void
hub_media_forget_pli (HubMedia *media, HubTrack *track)
{
  HubTrack **at = &media->pli;

  if (!track->pli_due)
    return;
  while (*at != track)
    at = &(*at)->next_pli;
  *at = track->next_pli;
  track->pli_due = false;
}

/* --- NACK --- */

/* False when the receiver's budget is used up. */
static bool
retransmit (HubMedia *media, HubSubscription *subscription, uint16_t seq)
{
  HubTransport *to = subscription->to;
  HubTrack *track = subscription->track;
  uint32_t place = seq % HUB_RTX_HISTORY;
  const uint8_t *bytes;
  uint64_t index = hub_nearest_index (track->top, seq);
  const HubCached *cached =
      track->cache && track->any && track->config.rtx_payload_type != 0
          ? hub_cache_find (track->cache, index, &bytes)
          : NULL;

  hub_media_count (media, HUB_NACKS);
  if (!cached) {
    hub_media_count (media, HUB_NACK_MISSES);
    return true;
  }
  if (subscription->rtx_history[place].seq != seq) {
    subscription->rtx_history[place].seq = seq;
    subscription->rtx_history[place].times = 0;
  }
  if (subscription->rtx_history[place].times >= HUB_RTX_TWICE) {
    hub_media_count (media, HUB_NACK_LIMITED);
    return true;
  }
  if (to->rtx_budget < cached->len) {
    hub_media_count (media, HUB_NACK_LIMITED);
    return false;
  }
  to->rtx_budget -= cached->len;
  subscription->rtx_history[place].times++;
  if ((to->pace || to->burst >= HUB_PACE_BURST)
      && hub_pace_add (media, subscription, index | HUB_PACED_RTX))
    return true;
  hub_media_send_rtx (
      media, subscription, index, bytes, cached->len, cached->head_len);
  return true;
}

/* RFC 4585, 6.2.1. */
static void
take_nack (HubMedia *media, HubSubscription *subscription, Reader fci)
{
  HubTransport *to = subscription->to;
  bool within = true;

  if (to->turn != media->turn) {
    to->turn = media->turn;
    to->burst = 0;
  }
  while (reader_left (&fci) >= 4) {
    uint16_t seq = (uint16_t) reader_uint (&fci, 2);
    uint32_t following = (uint32_t) reader_uint (&fci, 2);
    within &= retransmit (media, subscription, seq);
    for (; following; following >>= 1) {
      seq++;
      if (following & 1)
        within &= retransmit (media, subscription, seq);
    }
  }
  /* More than a tenth is lost, and for some time. */
  if (!within && !to->shed && ++to->bad_reports >= BAD_REPORTS)
    hub_shed_begin (media, to);
}

/* --- Feedback packets --- */

static HubSubscription *
find_target (HubMedia *media, HubTransport *from, uint32_t ssrc)
{
  HubSubscription *found = hub_media_find_subscription (media, from, ssrc);
  if (!found)
    hub_media_count (media, HUB_FEEDBACK_REFUSED);
  return found;
}

static void
take_feedback (HubMedia *media, HubTransport *from, const HubRtcp *packet)
{
  Reader body = packet->body;
  uint32_t about = (uint32_t) reader_uint (&body, 4);
  HubSubscription *target;

  if (packet->type == HUB_RTCP_RTPFB && packet->count == HUB_RTPFB_NACK) {
    if ((target = find_target (media, from, about)))
      take_nack (media, target, body);
  } else if (packet->type == HUB_RTCP_PSFB && packet->count == HUB_PSFB_PLI) {
    if ((target = find_target (media, from, about)))
      hub_media_want_keyframe (media, target->track);
  } else if (packet->type == HUB_RTCP_PSFB && packet->count == HUB_PSFB_FIR) {
    /* RFC 5104, 4.3.1: the targets are in the entries. */
    while (reader_left (&body) >= 8) {
      about = (uint32_t) reader_uint (&body, 4);
      reader_take (&body, 4);
      if ((target = find_target (media, from, about)))
        hub_media_want_keyframe (media, target->track);
    }
  }
}

/* --- Reports --- */

static void
take_reports (HubMedia *media, HubTransport *from, Reader body, uint8_t n)
{
  HubReport report;
  bool bad = false, good = true;

  for (uint8_t i = 0; i < n && hub_rtcp_read_report (&body, &report); i++) {
    HubSubscription *subscription =
        hub_media_find_subscription (media, from, report.ssrc);
    if (!subscription || subscription->track->config.kind != HUB_VIDEO)
      continue;
    bad |= report.fraction >= BAD_LOSS;
    good &= report.fraction <= GOOD_LOSS;
  }
  if (from->shed)
    return;
  if (bad && ++from->bad_reports >= BAD_REPORTS)
    hub_shed_begin (media, from);
  else if (!bad && good)
    from->bad_reports = 0;
}

/* To all that receive the track, without its report blocks: those are about what the hub sends. */
static void
pass_sender_report (
    HubMedia *media, HubTrack *track, const HubSenderInfo *info)
{
  uint8_t bytes[HUB_RTCP_MAX + SRTP_HOP_RTCP_OVERHEAD];
  Writer w = writer_init (bytes, HUB_RTCP_MAX);

  if (media->now < track->sr_at)
    return;
  track->sr_at = media->now + HUB_SR_INTERVAL;
  hub_rtcp_write_sr (&w, track->ssrc, info);
  if (track->cname_len > 0)
    hub_rtcp_write_cname (&w, track->ssrc, track->cname, track->cname_len);
  for (uint32_t i = 0; i < track->n_receivers; i++)
    hub_media_send_rtcp (
        media, track->receivers[i].to, HUB_SEND_AUDIO, bytes, writer_len (&w));
}

static void
take_sender_report (HubMedia *media, HubTransport *from, const HubRtcp *packet)
{
  HubTrack *track = find_media (from, packet->ssrc);
  Reader body = packet->body;
  HubSenderInfo info;

  if (!hub_rtcp_read_sender (&body, &info))
    return;
  if (track) {
    hub_reception_sender (&track->reception, &info, media->now);
    pass_sender_report (media, track, &info);
  }
  take_reports (media, from, body, packet->count);
}

static void
take_names (HubTransport *from, const HubRtcp *packet)
{
  for (HubTrack *track = from->tracks; track; track = track->next) {
    size_t len;
    const uint8_t *cname =
        hub_rtcp_find_cname (packet->body, packet->count, track->ssrc, &len);
    if (cname) {
      memcpy (track->cname, cname, len);
      track->cname_len = len;
    }
  }
}

static void
take_packet (HubMedia *media, HubTransport *from, const HubRtcp *packet)
{
  if (packet->type == HUB_RTCP_SDES || packet->type == HUB_RTCP_BYE)
    return;
  if (!is_own (from, packet->ssrc)) {
    hub_media_count (media, HUB_FEEDBACK_REFUSED);
    return;
  }
  switch (packet->type) {
    case HUB_RTCP_SR:
      take_sender_report (media, from, packet);
      break;
    case HUB_RTCP_RR:
      take_reports (media, from, packet->body, packet->count);
      break;
    case HUB_RTCP_RTPFB:
    case HUB_RTCP_PSFB:
      take_feedback (media, from, packet);
      break;
    default:
      break;
  }
}

static void
take_compound (
    HubMedia *media, HubTransport *from, const uint8_t *bytes, size_t len)
{
  HubRtcp packet;

  /* Names come behind the sender report that they are to be sent on with. */
  Reader compound = reader_init (bytes, len);
  while (hub_rtcp_next (&compound, &packet))
    if (packet.type == HUB_RTCP_SDES)
      take_names (from, &packet);
  compound = reader_init (bytes, len);
  while (hub_rtcp_next (&compound, &packet))
    take_packet (media, from, &packet);
}

void
hub_media_rtcp (
    HubMedia *media, HubTransport *from, uint8_t *bytes, size_t len)
{
  uint32_t ssrc = 0;
  size_t plain_len;
  bool stranger;

  if (!hub_bucket_take (
          &from->rtcp, media->now, HUB_RTCP_RATE, 2 * HUB_RTCP_RATE)) {
    hub_media_count (media, HUB_DROPPED_RTCP_FLOOD);
    return;
  }
  if (!srtp_packet_ssrc (bytes, len, true, &ssrc)) {
    hub_media_count (media, HUB_DROPPED_MALFORMED);
    return;
  }
  stranger = !is_own (from, ssrc);
  if (stranger && is_another (media, from, ssrc)) {
    hub_media_count (media, HUB_DROPPED_SSRC_THEFT);
    return;
  }
  if (stranger && from->n_own_rtcp == HUB_OWN_RTCP_SSRCS) {
    hub_media_count (media, HUB_DROPPED_RTCP_FLOOD);
    return;
  }
  SrtpResult result = srtp_session_unprotect_rtcp (
      from->in, bytes, len, bytes, len, &plain_len, NULL);
  if (result != SRTP_OK) {
    hub_media_count (media, result == SRTP_MALFORMED ? HUB_DROPPED_MALFORMED
                            : result == SRTP_REPLAYED || result == SRTP_TOO_OLD
                                ? HUB_DROPPED_REPLAYED
                                : HUB_DROPPED_UNAUTHENTIC);
    return;
  }
  if (stranger)
    from->own_rtcp[from->n_own_rtcp++] = ssrc;
  if (!hub_rtcp_check (bytes, plain_len)) {
    hub_media_count (media, HUB_DROPPED_MALFORMED);
    return;
  }
  hub_media_count (media, HUB_RTCP_ACCEPTED);
  take_compound (media, from, bytes, plain_len);
}

/* --- To publishers --- */

void
hub_media_report (HubMedia *media, HubTransport *to)
{
  uint8_t bytes[HUB_RTCP_MAX + SRTP_HOP_RTCP_OVERHEAD];
  HubReport reports[MAX_REPORTS];
  size_t n = 0;

  for (HubTrack *track = to->tracks; track && n < MAX_REPORTS;
       track = track->next) {
    /* RFC 3550, 6.4: "SSRCs from which RTP data packets have been received since the last report". */
    if (track->reception.received == track->reception.received_before)
      continue;
    n += hub_reception_report (
        &track->reception, track->ssrc, media->now, &reports[n]);
    atomic_store_explicit (&track->lost,
        hub_reception_lost (&track->reception), memory_order_relaxed);
  }
  if (n == 0)
    return;
  Writer w = hub_media_begin_compound (bytes, HUB_RTCP_MAX, to->room, reports, n);
  hub_media_send_rtcp (media, to, HUB_SEND_CONTROL, bytes, writer_len (&w));
}

void
hub_media_send_twcc (HubMedia *media, HubTransport *to)
{
  uint8_t bytes[HUB_RTCP_MAX + SRTP_HOP_RTCP_OVERHEAD];
  Writer w = hub_media_begin_compound (bytes, HUB_RTCP_MAX, to->room, NULL, 0);

  if (!to->tracks) {
    to->twcc.any = false;
    return;
  }
  if (hub_twcc_write (&to->twcc, &w, to->room->ssrc, to->tracks->ssrc))
    hub_media_send_rtcp (media, to, HUB_SEND_CONTROL, bytes, writer_len (&w));
}

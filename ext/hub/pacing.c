/* Bursts are spread over ticks of 1 ms; and who can't keep up gets no video for a while.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine.h"

#define SHED_LEAST HUB_S
#define SHED_MOST (16 * HUB_S)
#define SHED_FORGIVEN                                                         \
  (30 * HUB_S) /* after so long without, it begins with the least again */

static HubPace *
take_pace (HubMedia *media, HubTransport *to)
{
  if (media->n_pacing == media->n_paces)
    return NULL;
  if (media->n_pacing == 0)
    media->pace_at = media->now + HUB_PACE_TICK;
  HubPace *pace = media->pacing[media->n_pacing++];
  pace->to = to;
  pace->first = pace->n = 0;
  to->pace = pace;
  return pace;
}

static void
drop_pace (HubMedia *media, uint32_t i)
{
  HubPace *pace = media->pacing[i];

  pace->to->pace = NULL;
  pace->to = NULL;
  media->pacing[i] = media->pacing[--media->n_pacing];
  media->pacing[media->n_pacing] = pace;
}

/* True when the packet waits now, or was dropped because too many do; false when it can't wait. */
bool
hub_pace_add (HubMedia *media, HubSubscription *subscription, uint64_t index)
{
  HubTransport *to = subscription->to;
  HubPace *pace = to->pace;

  if (!subscription->track->cache)
    return false;
  if (!pace)
    pace = take_pace (media, to);
  if (!pace)
    return false;
  if (pace->n == HUB_PACE_QUEUE) {
    hub_shed_begin (media, to);
    hub_media_count (media, HUB_SHED_VIDEO);
    hub_count_add (&to->shed_out, 1);
    return true;
  }
  pace->queue[(pace->first + pace->n++) % HUB_PACE_QUEUE] =
      (HubPaced){ subscription, index };
  hub_media_count (media, HUB_PACED);
  return true;
}

static void
send_paced (HubMedia *media, const HubPaced *paced)
{
  HubSubscription *subscription = paced->subscription;
  uint64_t index = paced->index & ~HUB_PACED_RTX;
  const uint8_t *bytes;
  const HubCached *cached =
      hub_cache_find (subscription->track->cache, index, &bytes);

  if (!cached)
    return;
  if (paced->index & HUB_PACED_RTX)
    hub_media_send_rtx (
        media, subscription, index, bytes, cached->len, cached->head_len);
  else
    hub_media_send_rtp (
        media, subscription, index, bytes, cached->len, cached->head_len);
}

void
hub_pace_run (HubMedia *media)
{
  if (media->n_pacing == 0 || media->now < media->pace_at
      || media->egress.blocked)
    return;
  /* A thread that was kept from running makes up for some of its ticks: else queues would fill up and shed for want of them. */
  uint64_t missed = (media->now - media->pace_at) / HUB_PACE_TICK;
  uint32_t ticks =
      1 + (uint32_t) (missed < HUB_PACE_MADE_UP ? missed : HUB_PACE_MADE_UP);
  media->pace_at = media->now + HUB_PACE_TICK;
  for (uint32_t i = media->n_pacing; i-- > 0;) {
    HubPace *pace = media->pacing[i];
    uint32_t budget = ticks * (HUB_PACE_BURST + pace->n / 8);
    while (pace->n > 0 && budget > 0) {
      HubPaced *paced = &pace->queue[pace->first++ % HUB_PACE_QUEUE];
      pace->n--;
      if (paced->subscription) {
        send_paced (media, paced);
        budget--;
      }
    }
    if (pace->n == 0)
      drop_pace (media, i);
  }
}

void
hub_pace_forget (HubMedia *media, const HubSubscription *subscription)
{
  HubPace *pace = subscription->to->pace;

  for (uint32_t i = 0; pace && i < pace->n; i++) {
    HubPaced *paced = &pace->queue[(pace->first + i) % HUB_PACE_QUEUE];
    if (paced->subscription == subscription)
      paced->subscription = NULL;
  }
}

void
hub_pace_drop (HubMedia *media, HubTransport *to)
{
  for (uint32_t i = 0; to->pace && i < media->n_pacing; i++)
    if (media->pacing[i] == to->pace) {
      drop_pace (media, i);
      return;
    }
}

/* --- Shedding --- */

void
hub_shed_begin (HubMedia *media, HubTransport *to)
{
  if (to->shed)
    return;
  if (to->shed_for == 0 || media->now - to->shed_until >= SHED_FORGIVEN)
    to->shed_for = SHED_LEAST;
  else if (to->shed_for < SHED_MOST)
    to->shed_for *= 2;
  to->shed = true;
  to->shed_until = media->now + to->shed_for;
  to->bad_reports = 0;
}

void
hub_shed_look (HubMedia *media, HubTransport *to)
{
  if (!to->shed || media->now < to->shed_until || to->pace)
    return;
  to->shed = false;
  for (HubSubscription *s = to->subscriptions; s; s = s->next)
    if (s->state == HUB_SUB_ACTIVE)
      hub_media_want_keyframe (media, s->track);
}

/* Video starts again with a whole frame: nobody but its members can see which one is a keyframe, so one is asked for, and
 * frames before it are the decoder's to skip. Meanwhile a packet passes now and then, or the receiver would lose count of
 * the ROC. */
bool
hub_shed_passes (
    HubMedia *media, HubSubscription *subscription, const HubPacket *packet)
{
  HubTransport *to = subscription->to;

  if (!to->shed && packet->timestamp != subscription->gate_timestamp) {
    subscription->gated = false;
    return true;
  }
  if (!subscription->gated) {
    subscription->gated = true;
    subscription->gate_index = packet->index;
  }
  subscription->gate_timestamp = packet->timestamp;
  if (packet->index >= subscription->gate_index + HUB_PASS_EVERY) {
    subscription->gate_index = packet->index;
    return true;
  }
  hub_media_count (media, HUB_SHED_VIDEO);
  hub_count_add (&to->shed_out, 1);
  return false;
}

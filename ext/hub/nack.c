/* What is missing of what publishers send: asked for again (RFC 4585, 6.2.1), a few times and only what is recent, so that every
 * receiver gets what was lost before the hub.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine.h"

#define GRACE (10 * HUB_MS) /* what comes late in this time was only overtaken */
#define AGAIN (60 * HUB_MS) /* to the second request; then twice as long each time */
#define TIMES 4u

static void
remove_hole (HubTrack *track, uint32_t i)
{
  memmove (&track->holes[i], &track->holes[i + 1], (--track->n_holes - i) * sizeof *track->holes);
}

/* `next` is the index that came, beyond `top`. */
void
hub_media_note_holes (HubMedia *media, HubTrack *track, uint64_t next)
{
  uint64_t first = track->top + 1;

  if (track->config.rtx_payload_type == 0 || first >= next)
    return;
  if (next - first > HUB_HOLES) /* the older ones would be pushed out */
    first = next - HUB_HOLES;
  if (track->n_holes == 0) {
    track->next_nack = media->nacks;
    media->nacks = track;
    track->nack_at = media->now + GRACE;
  }
  for (; first < next; first++) {
    if (track->n_holes == HUB_HOLES)
      remove_hole (track, 0);
    track->holes[track->n_holes++] = (HubHole){ first, media->now + GRACE, 0 };
  }
}

static void
send_nack (HubMedia *media, HubTrack *track, const uint64_t *indices, size_t n)
{
  uint8_t bytes[HUB_RTCP_MAX + SRTP_HOP_RTCP_OVERHEAD];
  Writer w = hub_media_begin_compound (bytes, HUB_RTCP_MAX, track->room, NULL, 0);

  hub_rtcp_write_nack (&w, track->room->ssrc, track->ssrc, indices, n);
  if (hub_media_send_rtcp (media, track->publisher, HUB_SEND_CONTROL, bytes, writer_len (&w)))
    hub_media_count (media, HUB_NACK_SENT);
}

/* Forgets what has come or is given up, and asks for what is due. */
static void
look_at_holes (HubMedia *media, HubTrack *track)
{
  uint64_t due[HUB_HOLES];
  size_t n = 0;

  track->nack_at = UINT64_MAX;
  for (uint32_t i = 0; i < track->n_holes;) {
    HubHole *hole = &track->holes[i];
    bool is_due = hole->at <= media->now;
    if (!replay_window_is_new (track->passed, hole->index) || (is_due && hole->times == TIMES)) {
      remove_hole (track, i);
      continue;
    }
    if (is_due) {
      due[n++] = hole->index;
      hole->at = media->now + (AGAIN << hole->times++);
    }
    if (hole->at < track->nack_at)
      track->nack_at = hole->at;
    i++;
  }
  if (n > 0)
    send_nack (media, track, due, n);
}

void
hub_media_send_due_nacks (HubMedia *media)
{
  HubTrack **at = &media->nacks;

  while (*at) {
    HubTrack *track = *at;
    if (track->nack_at <= media->now)
      look_at_holes (media, track);
    if (track->n_holes == 0)
      *at = track->next_nack;
    else
      at = &track->next_nack;
  }
}

void
hub_media_forget_holes (HubMedia *media, HubTrack *track)
{
  HubTrack **at = &media->nacks;

  if (track->n_holes == 0)
    return;
  while (*at != track)
    at = &(*at)->next_nack;
  *at = track->next_nack;
  track->n_holes = 0;
}

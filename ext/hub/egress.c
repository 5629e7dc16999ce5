/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "egress.h"

#include <stdlib.h>
#include <string.h>

bool
hub_egress_init (
    HubEgress *egress, HubSendFunc send, void *io, HubCounters *counters)
{
  *egress = (HubEgress){ .send = send, .io = io, .counters = counters };
  egress->arena = malloc (HUB_EGRESS_ARENA);
  return egress->arena != NULL;
}

void
hub_egress_clear (HubEgress *egress)
{
  free (egress->arena);
  egress->arena = NULL;
}

/* One more packet for the message that was begun last? */
static bool
fits (
    const HubEgress *egress, const HubPath *path, HubSendKind kind, size_t len)
{
  const HubMessage *last = &egress->messages[egress->n - 1];

  return egress->gso && last->kind == kind && len <= last->segment
         && last->segment <= HUB_GSO_SEGMENT
         /* A shorter one ended it. */
         && last->len == (uint32_t) last->segment * last->n_segments
         && last->n_segments < HUB_GSO_SEGMENTS
         && last->len + len <= HUB_GSO_BYTES
         && hub_address_equal (&last->path.remote, &path->remote);
}

uint8_t *
hub_egress_reserve (
    HubEgress *egress, const HubPath *path, HubSendKind kind, size_t len)
{
  bool joins = egress->n > 0 && fits (egress, path, kind, len);

  if (HUB_EGRESS_ARENA - egress->used < len
      || (!joins && egress->n == HUB_EGRESS_MESSAGES)) {
    hub_egress_flush (egress);
    joins = false;
  }
  if (egress->blocked
      && (kind == HUB_SEND_VIDEO || HUB_EGRESS_ARENA - egress->used < len
          || egress->n == HUB_EGRESS_MESSAGES)) {
    hub_count (egress->counters, HUB_SEND_DROPPED);
    return NULL;
  }

  uint8_t *room = egress->arena + egress->used;
  egress->used += len;
  if (joins) {
    HubMessage *last = &egress->messages[egress->n - 1];
    last->len += (uint32_t) len;
    last->n_segments++;
  } else {
    egress->messages[egress->n++] = (HubMessage){ .path = *path,
      .bytes = room,
      .len = (uint32_t) len,
      .segment = (uint16_t) len,
      .n_segments = 1,
      .kind = kind };
  }
  return room;
}

void
hub_egress_undo (HubEgress *egress, size_t len)
{
  HubMessage *last = &egress->messages[egress->n - 1];

  egress->used -= len;
  last->len -= (uint32_t) len;
  if (--last->n_segments == 0)
    egress->n--;
}

/* The socket is full: what is stale soonest goes, the rest waits. */
static void
keep_from (HubEgress *egress, size_t first)
{
  size_t kept = 0;

  for (size_t i = first; i < egress->n; i++) {
    if (egress->messages[i].kind == HUB_SEND_VIDEO)
      hub_count_add (&egress->counters->n[HUB_SEND_DROPPED],
          egress->messages[i].n_segments);
    else
      egress->messages[kept++] = egress->messages[i];
  }
  egress->n = kept;
  if (kept == 0)
    egress->used = 0;
}

void
hub_egress_flush (HubEgress *egress)
{
  if (egress->n == 0 || egress->blocked)
    return;
  size_t done = egress->send (egress->io, egress->messages, egress->n);
  if (done < egress->n) {
    hub_count (egress->counters, HUB_SEND_BLOCKED);
    egress->blocked = true;
    keep_from (egress, done);
  } else {
    egress->n = 0;
    egress->used = 0;
  }
}

void
hub_egress_unblock (HubEgress *egress)
{
  egress->blocked = false;
  hub_egress_flush (egress);
}

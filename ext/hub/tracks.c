/* Tracks and subscriptions as signalling makes and ends them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forwarder_private.h"

#include <stdlib.h>

#define FIRST_RECEIVERS 8u

void
hub_track_free (HubForwarder *f, HubTrack *track)
{
  if (!track)
    return;
  f->cache -= track->cache_bytes;
  replay_window_free (track->passed);
  hub_cache_free (track->cache);
  free (track->receivers);
  free (track);
}

/* Without one, if memory is meant for others: then nothing of this track is sent twice or late. */
static void
make_cache (HubForwarder *f, HubTrack *track)
{
  bool video = track->config.kind == HUB_VIDEO;
  HubCache *cache = hub_cache_new (video ? HUB_VIDEO_CACHED : HUB_AUDIO_CACHED,
      video ? HUB_VIDEO_CACHE : HUB_AUDIO_CACHE);

  if (!cache)
    return;
  if (hub_cache_bytes (cache) > f->config.max_cache - f->cache
      || f->cache > f->config.max_cache) {
    hub_cache_free (cache);
    return;
  }
  track->cache = cache;
  track->cache_bytes = hub_cache_bytes (cache);
  f->cache += track->cache_bytes;
}

HubResult
hub_forwarder_publish (HubForwarder *f, HubTransport *transport,
    const HubTrackConfig *config, void *owner, HubTrack **track,
    HubTrackSsrcs *ssrcs)
{
  if (f->n_tracks >= f->config.max_tracks
      || transport->n_tracks >= f->config.max_tracks_per_transport
      || transport->n_ever >= HUB_SSRCS_OF_TRANSPORT)
    return HUB_LIMIT_REACHED;
  HubTrack *t = calloc (1, sizeof *t);
  if (!t || !hub_reserve (f, 1) || !hub_reserve_names (f, 2)
      || !(t->passed = replay_window_new (HUB_STREAM_WINDOW))
      || !(t->receivers = calloc (FIRST_RECEIVERS, sizeof *t->receivers))) {
    hub_track_free (f, t);
    return HUB_NO_MEMORY;
  }
  if (!hub_room_draw_ssrc (transport->room, &t->ssrc)
      || !hub_room_draw_ssrc (transport->room, &t->rtx_ssrc)) {
    hub_track_free (f, t);
    return HUB_LIMIT_REACHED;
  }
  t->config = *config;
  make_cache (f, t);
  t->receivers_room = FIRST_RECEIVERS;
  t->publisher = transport;
  t->room = transport->room;
  t->owner = owner;
  hub_link_init (&t->links_of_subscriptions);
  hub_link_add (&transport->links_of_tracks, &t->link);
  transport->n_tracks++;
  transport->n_ever++;
  f->n_tracks++;
  hub_command (f, &(HubCommand){ .type = HUB_CMD_ADD_TRACK, .object = t });
  *track = t;
  *ssrcs = (HubTrackSsrcs){ t->ssrc, t->rtx_ssrc };
  return HUB_OK;
}

static void
end_subscription (HubForwarder *f, HubSubscription *subscription)
{
  hub_link_remove (&subscription->link_of_receiver);
  hub_link_remove (&subscription->link_of_track);
  subscription->wanted = HUB_SUB_ENDED;
  subscription->track->n_subscriptions--;
  f->n_subscriptions--;
  hub_command (f, &(HubCommand){ .type = HUB_CMD_REMOVE_SUBSCRIPTION,
                      .object = subscription });
}

void
hub_end_subscriptions_of (HubForwarder *f, HubTransport *transport)
{
  HubLink *head = &transport->links_of_subscriptions;
  while (head->next != head)
    end_subscription (
        f, HUB_OF (head->next, HubSubscription, link_of_receiver));
}

void
hub_end_track (HubForwarder *f, HubTrack *track)
{
  HubLink *head = &track->links_of_subscriptions;
  while (head->next != head)
    end_subscription (f, HUB_OF (head->next, HubSubscription, link_of_track));
  hub_link_remove (&track->link);
  track->removed = true;
  track->publisher->n_tracks--;
  f->n_tracks--;
  hub_command (
      f, &(HubCommand){ .type = HUB_CMD_REMOVE_TRACK, .object = track });
}

void
hub_forwarder_unpublish (HubForwarder *f, HubTrack *track)
{
  hub_end_track (f, track);
}

void *
hub_track_owner (const HubTrack *track)
{
  return track->owner;
}

HubTransport *
hub_track_publisher (const HubTrack *track)
{
  return track->publisher;
}

uint32_t
hub_track_ssrc (const HubTrack *track)
{
  return track->ssrc;
}

void
hub_forwarder_request_keyframe (HubForwarder *f, HubTrack *track)
{
  if (hub_reserve (f, 1))
    hub_command (
        f, &(HubCommand){ .type = HUB_CMD_KEYFRAME, .object = track });
}

/* --- Subscriptions --- */

static HubSubscription *
find_subscription (const HubTransport *receiver, const HubTrack *track)
{
  const HubLink *head = &receiver->links_of_subscriptions;
  for (HubLink *link = head->next; link != head; link = link->next) {
    HubSubscription *subscription =
        HUB_OF (link, HubSubscription, link_of_receiver);
    if (subscription->track == track)
      return subscription;
  }
  return NULL;
}

static void
set_state (HubForwarder *f, HubSubscription *subscription, HubSubState state,
    HubMediaEventType event)
{
  subscription->wanted = state;
  hub_command (f, &(HubCommand){ .type = HUB_CMD_SET_STATE,
                      .object = subscription,
                      .state = state,
                      .event = event });
}

static HubResult
make_subscription (HubForwarder *f, HubTransport *receiver, HubTrack *track,
    HubSubState state)
{
  HubReceiver *larger = NULL;

  if (f->n_subscriptions >= f->config.max_subscriptions)
    return HUB_LIMIT_REACHED;
  HubSubscription *s =
      hub_reserve (f, 1)
              && hub_reserve_table (
                  f, HUB_TABLE_SUBSCRIPTIONS, (size_t) f->n_subscriptions + 1)
          ? calloc (1, sizeof *s)
          : NULL;
  if (s && track->n_subscriptions == track->receivers_room) {
    larger = calloc (2 * (size_t) track->receivers_room, sizeof *larger);
    if (!larger) {
      free (s);
      s = NULL;
    }
  }
  if (!s)
    return HUB_NO_MEMORY;
  if (larger)
    track->receivers_room *= 2;
  s->to = receiver;
  s->track = track;
  s->wanted = state;
  hub_link_add (&receiver->links_of_subscriptions, &s->link_of_receiver);
  hub_link_add (&track->links_of_subscriptions, &s->link_of_track);
  track->n_subscriptions++;
  f->n_subscriptions++;
  hub_command (f, &(HubCommand){ .type = HUB_CMD_SUBSCRIBE,
                      .object = s,
                      .with = larger,
                      .state = state,
                      .event = HUB_MEDIA_EVENT_SUBSCRIBED });
  return HUB_OK;
}

HubResult
hub_forwarder_subscribe (
    HubForwarder *f, HubTransport *receiver, HubTrack *track, bool paused)
{
  HubSubState state = paused ? HUB_SUB_PAUSED : HUB_SUB_ACTIVE;

  if (receiver->room != track->room || track->publisher == receiver)
    return HUB_NOT_ALLOWED;
  HubSubscription *s = find_subscription (receiver, track);
  if (!s)
    return make_subscription (f, receiver, track, state);
  if (s->wanted != HUB_SUB_ENDED)
    return HUB_NOT_ALLOWED;
  if (!hub_reserve (f, 1))
    return HUB_NO_MEMORY;
  set_state (f, s, state, HUB_MEDIA_EVENT_SUBSCRIBED);
  return HUB_OK;
}

/* From one of two states to another. */
static HubResult
change (HubForwarder *f, HubTransport *receiver, HubTrack *track,
    HubSubState state)
{
  HubSubscription *s = find_subscription (receiver, track);

  if (!s || s->wanted == HUB_SUB_ENDED)
    return HUB_NOT_ALLOWED;
  if (!hub_reserve (f, 1))
    return HUB_NO_MEMORY;
  set_state (f, s, state, HUB_MEDIA_EVENT_RESUMED);
  return HUB_OK;
}

HubResult
hub_forwarder_unsubscribe (
    HubForwarder *f, HubTransport *receiver, HubTrack *track)
{
  return change (f, receiver, track, HUB_SUB_ENDED);
}

HubResult
hub_forwarder_pause (HubForwarder *f, HubTransport *receiver, HubTrack *track)
{
  return change (f, receiver, track, HUB_SUB_PAUSED);
}

HubResult
hub_forwarder_resume (HubForwarder *f, HubTransport *receiver, HubTrack *track)
{
  return change (f, receiver, track, HUB_SUB_ACTIVE);
}

void
hub_track_stats (const HubTrack *track, HubTrackStats *out)
{
  *out = (HubTrackStats){ .packets = hub_count_read (&track->packets),
    .bytes = hub_count_read (&track->bytes),
    .lost = hub_count_read (&track->lost),
    .muted = atomic_load_explicit (&track->is_muted, memory_order_relaxed) };
  const HubLink *head = &track->links_of_subscriptions;
  for (HubLink *link = head->next; link != head; link = link->next)
    out->subscriptions +=
        HUB_OF (link, HubSubscription, link_of_track)->wanted != HUB_SUB_ENDED;
}

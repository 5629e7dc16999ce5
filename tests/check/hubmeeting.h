/* A forwarder with one room and some participants in it, for tests: the clock is turned by hand.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pure.h"

#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "hubclient.h"

#define S G_GUINT64_CONSTANT (1000000000)
#define MS G_GUINT64_CONSTANT (1000000)
#define MAX_MEMBERS 16
#define MAX_EVENTS 256
#define PATIENCE 10000 /* ms, for what must come */

typedef struct
{
  HubForwarder *forwarder;
  HubRoom *room;
  _Atomic guint64 now; /* 0: the system's clock */
  HubTransport *transports[MAX_MEMBERS];
  HubClient clients[MAX_MEMBERS];
  guint n;
  HubMediaEvent events[MAX_EVENTS];
  guint n_events;
} Meeting;

static uint64_t
meeting_clock (void *meeting)
{
  return atomic_load (&((Meeting *) meeting)->now);
}

static void
meeting_event (const HubMediaEvent *event, void *data)
{
  Meeting *m = data;
  if (m->n_events < MAX_EVENTS)
    m->events[m->n_events++] = *event;
}

G_GNUC_UNUSED static void
meeting_open_with (
    Meeting *m, const HubForwarderConfig *given, const HubRoomConfig *room)
{
  HubForwarderConfig config = *given;
  char problem[HUB_MAX_PROBLEM] = "";

  memset (m, 0, sizeof *m);
  atomic_init (&m->now, 1000 * S);
  if (!config.bind_address)
    config.bind_address = "127.0.0.1";
  if (!config.clock) {
    config.clock = meeting_clock;
    config.clock_data = m;
  }
  m->forwarder = hub_forwarder_new (&config, meeting_event, m, problem);
  fail_unless (m->forwarder != NULL, "%s", problem);
  m->room = hub_forwarder_add_room (m->forwarder, room, NULL);
}

G_GNUC_UNUSED static void
meeting_open (Meeting *m)
{
  HubForwarderConfig config;
  HubRoomConfig room = { .audio_last_n = 0 };
  hub_forwarder_config_init (&config);
  meeting_open_with (m, &config, &room);
}

G_GNUC_UNUSED static void
meeting_close (Meeting *m)
{
  hub_forwarder_free (m->forwarder);
  for (guint i = 0; i < m->n; i++)
    hub_client_clear (&m->clients[i]);
}

/* Waits for the forwarder to say something, and lets it. */
static void
meeting_wait (Meeting *m, int timeout)
{
  struct pollfd p = { .fd = hub_forwarder_event_fd (m->forwarder),
    .events = POLLIN };
  poll (&p, 1, timeout);
  hub_forwarder_dispatch (m->forwarder);
}

/* The first event of `type` that was not asked for yet, about `about` (its transport, track or room, NULL for any). */
static gboolean
meeting_take_event (
    Meeting *m, HubMediaEventType type, gconstpointer about, HubMediaEvent *event)
{
  for (guint i = 0; i < m->n_events; i++) {
    HubMediaEvent *e = &m->events[i];
    if (e->type != type
        || (about && about != e->transport && about != e->track
            && about != e->room))
      continue;
    if (event)
      *event = *e;
    memmove (e, e + 1, (--m->n_events - i) * sizeof *e);
    return TRUE;
  }
  return FALSE;
}

G_GNUC_UNUSED static HubMediaEvent
meeting_expect (Meeting *m, HubMediaEventType type, gconstpointer about)
{
  HubMediaEvent event = { 0 };
  gint64 end = g_get_monotonic_time () + PATIENCE * 1000;

  while (!meeting_take_event (m, type, about, &event)) {
    fail_unless (g_get_monotonic_time () < end, "event %d did not come", type);
    meeting_wait (m, 100);
  }
  return event;
}

static guint64
meeting_counter (Meeting *m, HubCounter counter)
{
  HubForwarderStats stats;
  hub_forwarder_stats (m->forwarder, &stats);
  return stats.counters[counter];
}

/* Waits until `counter` is at least `n`. */
G_GNUC_UNUSED static void
meeting_await (Meeting *m, HubCounter counter, guint64 n)
{
  gint64 end = g_get_monotonic_time () + PATIENCE * 1000;
  while (meeting_counter (m, counter) < n) {
    fail_unless (g_get_monotonic_time () < end,
        "%s is %" G_GUINT64_FORMAT ", not %" G_GUINT64_FORMAT,
        hub_counter_name (counter), meeting_counter (m, counter), n);
    meeting_wait (m, 1);
  }
}

/* Waits for the media thread to have been through at least one whole turn. */
G_GNUC_UNUSED static void
meeting_settle (Meeting *m)
{
  HubForwarderStats stats;
  guint64 before;
  gint64 end = g_get_monotonic_time () + PATIENCE * 1000;

  hub_forwarder_stats (m->forwarder, &stats);
  before = stats.loops;
  do {
    hub_forwarder_wake (m->forwarder);
    meeting_wait (m, 1);
    hub_forwarder_stats (m->forwarder, &stats);
    fail_unless (g_get_monotonic_time () < end);
  } while (stats.loops < before + 2);
}

/* Turns the clock, tick by tick, so that everything that is due by then has its turn. */
G_GNUC_UNUSED static void
meeting_advance (Meeting *m, guint64 by)
{
  guint64 end = atomic_load (&m->now) + by;
  while (atomic_load (&m->now) < end) {
    guint64 step = MIN (end - atomic_load (&m->now), 100 * MS);
    atomic_fetch_add (&m->now, step);
    meeting_settle (m);
  }
}

/* Without a check yet. */
G_GNUC_UNUSED static HubClient *
meeting_add_silent (Meeting *m, SrtpBackend backend)
{
  HubCredentials credentials;
  guint i = m->n++;

  g_assert_cmpuint (i, <, MAX_MEMBERS);
  g_assert_cmpint (hub_forwarder_add_transport (m->forwarder, m->room, "them",
                       &m->clients[i], &m->transports[i], &credentials),
      ==, HUB_OK);
  hub_client_init (&m->clients[i], NULL, hub_forwarder_port (m->forwarder),
      &credentials, backend, FALSE);
  return &m->clients[i];
}

G_GNUC_UNUSED static void
meeting_connect (Meeting *m, guint i)
{
  static HubReceived received;
  hub_client_check (&m->clients[i], HUB_CHECK_NOMINATE);
  fail_unless (hub_client_receive_kind (
      &m->clients[i], HUB_CLIENT_STUN, &received, PATIENCE));
  meeting_expect (m, HUB_MEDIA_EVENT_CONNECTED, m->transports[i]);
}

/* Number of the new member, who is connected. */
G_GNUC_UNUSED static guint
meeting_join (Meeting *m)
{
  meeting_add_silent (m, SRTP_BACKEND_GNUTLS);
  meeting_connect (m, m->n - 1);
  return m->n - 1;
}

G_GNUC_UNUSED static HubTrack *
meeting_publish (Meeting *m, guint i, HubKind kind, HubTrackSsrcs *ssrcs)
{
  HubTrack *track;
  HubTrackConfig config = { .kind = kind,
    .clock_rate = kind == HUB_VIDEO ? 90000 : 48000,
    .rtx_payload_type = 97 };

  g_assert_cmpint (hub_forwarder_publish (m->forwarder, m->transports[i],
                       &config, NULL, &track, ssrcs),
      ==, HUB_OK);
  meeting_settle (m);
  return track;
}

G_GNUC_UNUSED static HubMediaEvent
meeting_subscribe (Meeting *m, guint i, HubTrack *track)
{
  g_assert_cmpint (
      hub_forwarder_subscribe (m->forwarder, m->transports[i], track, FALSE),
      ==, HUB_OK);
  return meeting_expect (m, HUB_MEDIA_EVENT_SUBSCRIBED, track);
}

/* Two members; the second receives the video of the first. */
G_GNUC_UNUSED static HubTrack *
meeting_open_pair (Meeting *m, HubTrackSsrcs *ssrcs)
{
  meeting_open (m);
  meeting_join (m);
  meeting_join (m);
  HubTrack *track = meeting_publish (m, 0, HUB_VIDEO, ssrcs);
  meeting_subscribe (m, 1, track);
  return track;
}

/* A small packet whose payload tells its index. */
G_GNUC_UNUSED static void
meeting_send (Meeting *m, guint i, guint32 ssrc, guint64 index)
{
  guint8 payload[100];
  memset (payload, (int) index, sizeof payload);
  memcpy (payload, &index, sizeof index);
  hub_client_send_rtp (&m->clients[i], ssrc, index, (guint32) (index * 3000),
      96, NULL, 0, payload, sizeof payload);
}

G_GNUC_UNUSED static HubReceived *
meeting_receive (Meeting *m, guint i, HubClientKind kind)
{
  static HubReceived received;
  fail_unless (
      hub_client_receive_kind (&m->clients[i], kind, &received, PATIENCE),
      "member %u got nothing", i);
  return &received;
}

/* The packet that meeting_send() sent, as it was. */
G_GNUC_UNUSED static void
meeting_expect_packet (Meeting *m, guint i, guint32 ssrc, guint64 index)
{
  HubReceived *r = meeting_receive (m, i, HUB_CLIENT_RTP);
  guint64 told;

  fail_unless_equals_int (r->ssrc, ssrc);
  fail_unless_equals_uint64 (r->index, index);
  fail_unless_equals_int (r->payload_type, 96);
  fail_unless_equals_int (r->timestamp, (guint32) (index * 3000));
  fail_unless_equals_int (r->len, 112);
  memcpy (&told, r->bytes + 12, sizeof told);
  fail_unless_equals_uint64 (told, index);
  for (guint k = 20; k < 112; k++)
    fail_unless_equals_int (r->bytes[k], (guint8) index);
}

/* True when no RTP is there for member `i` of all that was sent before; a check is the end mark. */
G_GNUC_UNUSED static gboolean
meeting_got_nothing (Meeting *m, guint i)
{
  static HubReceived received;
  gboolean nothing = TRUE;

  hub_client_check (&m->clients[i], HUB_CHECK_NOMINATE);
  do {
    g_assert_cmpint (hub_client_receive (&m->clients[i], &received, PATIENCE),
        !=, HUB_CLIENT_NOTHING);
    nothing &= received.kind != HUB_CLIENT_RTP;
  } while (received.kind != HUB_CLIENT_STUN);
  return nothing;
}

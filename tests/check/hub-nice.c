/* The forwarder and whole libnice agents, which are full and controlling: they connect, media flows both ways, and their
 * consent checks keep it flowing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include <agent.h>
#include <poll.h>
#include <string.h>

#include "ext/hub/forwarder.h"
#include "ext/srtp/session.h"
#include "srtp-packets.h"

#define PATIENCE 20

typedef struct
{
  NiceAgent *agent;
  guint stream;
  gboolean connected, gathered;
  HubTransport *transport;
  SrtpSession *out, *in;
  guint received;
  guint16 last_seq;
} Peer;

typedef struct
{
  GMainContext *context;
  HubForwarder *forwarder;
  HubRoom *room;
  guint events[HUB_MEDIA_EVENT_SPEAKERS + 1];
  Peer peers[2];
} Fixture;

static void
take_event (const HubMediaEvent *event, void *data)
{
  ((Fixture *) data)->events[event->type]++;
}

static void
state_changed (NiceAgent *agent, guint stream, guint component, guint state,
    gpointer data)
{
  Peer *peer = data;
  peer->connected = state == NICE_COMPONENT_STATE_CONNECTED
                    || state == NICE_COMPONENT_STATE_READY;
}

static void
gathering_done (NiceAgent *agent, guint stream, gpointer data)
{
  ((Peer *) data)->gathered = TRUE;
}

static void
packet_came (NiceAgent *agent, guint stream, guint component, guint len,
    gchar *bytes, gpointer data)
{
  Peer *peer = data;
  guint8 plain[2048];
  gsize plain_len;

  if (srtp_is_rtcp ((guint8 *) bytes, len)
      || srtp_session_unprotect_rtp (peer->in, (guint8 *) bytes, len, plain,
             sizeof plain, &plain_len, NULL)
             != SRTP_OK)
    return;
  peer->received++;
  peer->last_seq = (guint16) (plain[2] << 8 | plain[3]);
}

static SrtpSession *
make_session (Secret *key, SrtpDirection direction)
{
  SrtpConfig config;
  srtp_config_init (&config, direction);
  SrtpSession *session = srtp_session_new (&config, NULL);
  g_assert_cmpint (srtp_session_set_key (session, key, NULL, 0), ==, SRTP_OK);
  return session;
}

static void
turn (Fixture *f)
{
  g_main_context_iteration (f->context, FALSE);
  hub_forwarder_dispatch (f->forwarder);
  g_usleep (500);
}

#define WAIT_FOR(f, condition)                                                \
  G_STMT_START                                                                \
  {                                                                           \
    gint64 end__ = g_get_monotonic_time () + PATIENCE * G_USEC_PER_SEC;       \
    while (!(condition)) {                                                    \
      fail_unless (                                                           \
          g_get_monotonic_time () < end__, "not in time: %s", #condition);    \
      turn (f);                                                               \
    }                                                                         \
  }                                                                           \
  G_STMT_END

static void
add_candidates (Fixture *f, Peer *peer)
{
  HubCandidate offered[4];
  GSList *list = NULL;
  gsize n = hub_forwarder_candidates (f->forwarder, "127.0.0.1", offered, 4);

  for (gsize i = 0; i < n; i++) {
    NiceCandidate *candidate = nice_candidate_new (NICE_CANDIDATE_TYPE_HOST);
    candidate->stream_id = peer->stream;
    candidate->component_id = 1;
    candidate->transport = NICE_CANDIDATE_TRANSPORT_UDP;
    candidate->priority = offered[i].priority;
    g_strlcpy (candidate->foundation, offered[i].foundation,
        sizeof candidate->foundation);
    nice_address_set_from_string (&candidate->addr, offered[i].address);
    nice_address_set_port (&candidate->addr, offered[i].port);
    list = g_slist_append (list, candidate);
  }
  fail_unless_equals_int (
      nice_agent_set_remote_candidates (peer->agent, peer->stream, 1, list),
      (int) n);
  g_slist_free_full (list, (GDestroyNotify) nice_candidate_free);
}

static void
join (Fixture *f, Peer *peer)
{
  HubCredentials credentials;
  NiceAddress loopback;
  g_autofree char *ufrag = NULL, *pwd = NULL;

  peer->agent = nice_agent_new_full (f->context, NICE_COMPATIBILITY_RFC5245,
      NICE_AGENT_OPTION_CONSENT_FRESHNESS);
  g_object_set (peer->agent, "controlling-mode", TRUE, "ice-tcp", FALSE,
      "upnp", FALSE, "stun-pacing-timer", 5, NULL);
  g_signal_connect (peer->agent, "component-state-changed",
      G_CALLBACK (state_changed), peer);
  g_signal_connect (peer->agent, "candidate-gathering-done",
      G_CALLBACK (gathering_done), peer);
  nice_address_init (&loopback);
  nice_address_set_from_string (&loopback, "127.0.0.1");
  nice_agent_add_local_address (peer->agent, &loopback);
  peer->stream = nice_agent_add_stream (peer->agent, 1);
  nice_agent_attach_recv (
      peer->agent, peer->stream, 1, f->context, packet_came, peer);
  nice_agent_get_local_credentials (peer->agent, peer->stream, &ufrag, &pwd);

  g_assert_cmpint (hub_forwarder_add_transport (f->forwarder, f->room, ufrag,
                       NULL, &peer->transport, &credentials),
      ==, HUB_OK);
  peer->out = make_session (credentials.to_hub, SRTP_SEND);
  peer->in = make_session (credentials.from_hub, SRTP_RECEIVE);
  nice_agent_gather_candidates (peer->agent, peer->stream);
  WAIT_FOR (f, peer->gathered);
  nice_agent_set_remote_credentials (
      peer->agent, peer->stream, credentials.ufrag, credentials.pwd);
  add_candidates (f, peer);
  nice_agent_peer_candidate_gathering_done (peer->agent, peer->stream);
  hub_credentials_clear (&credentials);
}

static void
send_packet (Peer *peer, guint32 ssrc, guint16 seq)
{
  guint8 plain[300], wire[400];
  gsize len, wire_len;

  len = make_rtp (plain, sizeof plain, ssrc, seq, 0, -1, 200);
  g_assert_cmpint (srtp_session_protect_rtp (peer->out, plain, len, wire,
                       sizeof wire, &wire_len, NULL),
      ==, SRTP_OK);
  nice_agent_send (
      peer->agent, peer->stream, 1, (guint) wire_len, (const char *) wire);
}

static HubTrack *
publish (Fixture *f, Peer *peer, HubTrackSsrcs *ssrcs)
{
  HubTrackConfig config = { .kind = HUB_AUDIO, .clock_rate = 48000 };
  HubTrack *track;
  g_assert_cmpint (hub_forwarder_publish (f->forwarder, peer->transport,
                       &config, NULL, &track, ssrcs),
      ==, HUB_OK);
  return track;
}

GST_START_TEST (two_agents_hear_each_other_through_the_hub)
{
  static Fixture f;
  HubForwarderConfig config;
  HubRoomConfig room = { 0 };
  char problem[HUB_MAX_PROBLEM];
  HubTrackSsrcs ssrcs[2];
  HubForwarderStats stats;
  guint16 seq = 0;

  memset (&f, 0, sizeof f);
  f.context = g_main_context_new ();
  hub_forwarder_config_init (&config);
  config.bind_address = "127.0.0.1";
  f.forwarder = hub_forwarder_new (&config, take_event, &f, problem);
  fail_unless (f.forwarder != NULL, "%s", problem);
  f.room = hub_forwarder_add_room (f.forwarder, &room, NULL);
  for (guint i = 0; i < 2; i++)
    join (&f, &f.peers[i]);
  WAIT_FOR (&f, f.peers[0].connected && f.peers[1].connected);
  WAIT_FOR (&f, f.events[HUB_MEDIA_EVENT_CONNECTED] == 2);
  for (guint i = 0; i < 2; i++) {
    HubTrack *track = publish (&f, &f.peers[i], &ssrcs[i]);
    hub_forwarder_subscribe (
        f.forwarder, f.peers[1 - i].transport, track, FALSE);
  }
  WAIT_FOR (&f, f.events[HUB_MEDIA_EVENT_SUBSCRIBED] == 2);

  /* Until the agents have sent consent checks, which they do every few seconds. */
  hub_forwarder_stats (f.forwarder, &stats);
  guint64 checks = stats.counters[HUB_STUN_ANSWERED];
  gint64 end = g_get_monotonic_time () + PATIENCE * G_USEC_PER_SEC;
  do {
    seq++;
    for (guint i = 0; i < 2; i++)
      send_packet (&f.peers[i], ssrcs[i].ssrc, seq);
    WAIT_FOR (&f, f.peers[0].last_seq == seq && f.peers[1].last_seq == seq);
    for (guint i = 0; i < 20; i++)
      turn (&f);
    hub_forwarder_stats (f.forwarder, &stats);
    fail_unless (g_get_monotonic_time () < end, "no consent checks came");
  } while (stats.counters[HUB_STUN_ANSWERED] < checks + 4);
  fail_unless (f.peers[0].connected && f.peers[1].connected);
  fail_unless_equals_int (f.peers[0].received, seq);
  fail_unless_equals_int (f.peers[1].received, seq);
  fail_unless_equals_int (f.events[HUB_MEDIA_EVENT_CONNECTED], 2);
  fail_unless_equals_int (f.events[HUB_MEDIA_EVENT_CONSENT_LOST], 0);
  fail_unless_equals_uint64 (stats.counters[HUB_STUN_ROLE_CONFLICTS], 0);
  fail_unless_equals_uint64 (stats.counters[HUB_DROPPED_STUN_INTEGRITY], 0);

  for (guint i = 0; i < 2; i++) {
    g_object_unref (f.peers[i].agent);
    srtp_session_free (f.peers[i].out);
    srtp_session_free (f.peers[i].in);
  }
  hub_forwarder_free (f.forwarder);
  g_main_context_unref (f.context);
}
GST_END_TEST;

static Suite *
hub_nice_suite (void)
{
  Suite *suite = suite_create ("hub-nice");
  TCase *tc = tcase_create ("nice");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, two_agents_hear_each_other_through_the_hub);
  return suite;
}

PURE_CHECK_MAIN (hub_nice)

/* Forwarding over real sockets: what arrives, under which index, and what does not pass.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hubmeeting.h"

#include <stdlib.h>
#include <string.h>

static const struct
{
  gboolean no_gso, no_gro;
} ways[] = { { FALSE, FALSE }, { TRUE, TRUE } };

GST_START_TEST (every_receiver_gets_every_packet_as_it_was)
{
  Meeting m;
  HubForwarderConfig config;
  HubRoomConfig room = { 0 };
  HubTrackSsrcs ssrcs;

  hub_forwarder_config_init (&config);
  config.no_gso = ways[__i__].no_gso;
  config.no_gro = ways[__i__].no_gro;
  meeting_open_with (&m, &config, &room);
  meeting_join (&m);
  for (guint i = 1; i < 8; i++) {
    /* The other implementation reads what ours wrote. */
    meeting_add_silent (
        &m, i % 2 ? SRTP_BACKEND_LIBSRTP2 : SRTP_BACKEND_GNUTLS);
    meeting_connect (&m, i);
  }
  HubTrack *track = meeting_publish (&m, 0, HUB_VIDEO, &ssrcs);
  for (guint i = 1; i < 8; i++)
    meeting_subscribe (&m, i, track);
  for (guint64 index = 1; index <= 12; index++)
    meeting_send (&m, 0, ssrcs.ssrc, index);
  for (guint i = 1; i < 8; i++)
    for (guint64 index = 1; index <= 12; index++)
      meeting_expect_packet (&m, i, ssrcs.ssrc, index);
  fail_unless (meeting_got_nothing (&m, 0), "the publisher got its own track");
  for (guint i = 1; i < 8; i++) {
    fail_unless (meeting_got_nothing (&m, i));
    fail_unless_equals_int (m.clients[i].unauthentic, 0);
  }
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_RTP_ACCEPTED), 12);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (headers_with_csrcs_and_extensions_pass_untouched)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  guint8 plain[64], wire[128];
  gsize len;

  meeting_open (&m);
  meeting_join (&m);
  meeting_join (&m);
  HubTrack *track = meeting_publish (&m, 0, HUB_AUDIO, &ssrcs);
  meeting_subscribe (&m, 1, track);
  for (guint i = 0; i < sizeof plain; i++)
    plain[i] = (guint8) (i * 7);
  plain[0] = 0x80 | 0x20 | 0x10 | 2; /* padding, an extension, two CSRCs */
  plain[1] = 0x80 | 111;
  plain[2] = 0;
  plain[3] = 9;
  for (guint i = 0; i < 4; i++)
    plain[8 + i] = (guint8) (ssrcs.ssrc >> (24 - 8 * i));
  plain[20] = 0x10; /* the two-byte form of extensions */
  plain[21] = 0x00;
  plain[22] = 0;
  plain[23] = 2;
  plain[63] = 4;
  fail_unless_equals_int (srtp_session_protect_rtp (m.clients[0].out, plain,
                              sizeof plain, wire, sizeof wire, &len, NULL),
      SRTP_OK);
  hub_client_send_raw (&m.clients[0], wire, len);
  HubReceived *r = meeting_receive (&m, 1, HUB_CLIENT_RTP);
  fail_unless_equals_int (r->len, sizeof plain);
  fail_unless (memcmp (r->bytes, plain, sizeof plain) == 0);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (packets_of_all_sizes_pass)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  static guint8 payload[2048];
  static const guint sizes[] = { 0, 1, 2, 1200, 1200, 1200, 700, 1200, 1204,
    1205, 1300, 1460, 1900, 2020, 1200 };

  meeting_open (&m);
  meeting_join (&m);
  meeting_join (&m);
  HubTrack *track = meeting_publish (&m, 0, HUB_VIDEO, &ssrcs);
  meeting_subscribe (&m, 1, track);
  for (guint i = 0; i < sizeof payload; i++)
    payload[i] = (guint8) (i * 31);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    hub_client_send_rtp (
        &m.clients[0], ssrcs.ssrc, i + 1, i, 96, NULL, 0, payload, sizes[i]);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    HubReceived *r = meeting_receive (&m, 1, HUB_CLIENT_RTP);
    fail_unless_equals_uint64 (r->index, i + 1);
    fail_unless_equals_int (r->len, 12 + sizes[i]);
    fail_unless (memcmp (r->bytes + 12, payload, sizes[i]) == 0);
  }
  /* One that is longer than any datagram of a sane sender. */
  hub_client_send_rtp (
      &m.clients[0], ssrcs.ssrc, 100, 0, 96, NULL, 0, payload, 2040);
  meeting_await (&m, HUB_DROPPED_NOT_MEDIA, 1);
  fail_unless (meeting_got_nothing (&m, 1));
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (nobody_gets_anything_without_a_check)
{
  Meeting m;
  HubTrackSsrcs ssrcs;

  meeting_open (&m);
  meeting_join (&m);
  meeting_add_silent (&m, SRTP_BACKEND_GNUTLS);
  HubTrack *track = meeting_publish (&m, 0, HUB_VIDEO, &ssrcs);
  meeting_subscribe (&m, 1, track);
  guint64 before = meeting_counter (&m, HUB_PACKETS_OUT);
  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_await (&m, HUB_RTP_ACCEPTED, 1);
  meeting_settle (&m);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_PACKETS_OUT), before);
  /* And it is not heard either. */
  meeting_send (&m, 1, ssrcs.ssrc, 1);
  meeting_await (&m, HUB_DROPPED_UNKNOWN_SOURCE, 1);
  meeting_connect (&m, 1);
  meeting_send (&m, 0, ssrcs.ssrc, 2);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 2);
  meeting_close (&m);
}
GST_END_TEST;

/* A stream that runs on: one packet in 16,000, as loss and pauses make it. */
static void
run_to (Meeting *m, guint32 ssrc, guint64 from, guint64 to)
{
  for (guint64 index = from; index < to; index += 16000)
    meeting_send (m, 0, ssrc, index);
  meeting_send (m, 0, ssrc, to);
}

GST_START_TEST (a_late_joiner_is_told_the_roc)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);

  run_to (&m, ssrcs.ssrc, 1, 3 * 65536 + 17);
  meeting_settle (&m);
  meeting_join (&m);
  HubMediaEvent event = meeting_subscribe (&m, 2, track);
  fail_unless_equals_int (event.ssrc, ssrcs.ssrc);
  fail_unless_equals_int (event.rtx_ssrc, ssrcs.rtx_ssrc);
  fail_unless_equals_int (event.roc, 3);
  fail_unless_equals_uint64 (event.index, 3 * 65536 + 17);
  fail_unless_equals_uint64 (event.rtx_index, 0);
  fail_unless (event.transport == m.transports[2]);
  fail_unless_equals_int (
      srtp_session_set_roc (m.clients[2].in, event.ssrc, event.roc), SRTP_OK);
  meeting_send (&m, 0, ssrcs.ssrc, 3 * 65536 + 18);
  meeting_expect_packet (&m, 2, ssrcs.ssrc, 3 * 65536 + 18);
  fail_unless_equals_int (m.clients[2].unauthentic, 0);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_track_goes_on_after_a_pause_of_several_rocs)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);

  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 1);
  fail_unless_equals_int (
      hub_forwarder_pause (m.forwarder, m.transports[1], track), HUB_OK);
  meeting_settle (&m);
  run_to (&m, ssrcs.ssrc, 2, 2 * 65536 + 5);
  meeting_settle (&m);
  fail_unless (meeting_got_nothing (&m, 1), "packets came through the pause");

  fail_unless_equals_int (
      hub_forwarder_resume (m.forwarder, m.transports[1], track), HUB_OK);
  HubMediaEvent event = meeting_expect (&m, HUB_MEDIA_EVENT_RESUMED, track);
  fail_unless_equals_int (event.roc, 2);
  fail_unless_equals_int (
      srtp_session_set_index (m.clients[1].in, event.ssrc, event.index),
      SRTP_OK);
  meeting_send (&m, 0, ssrcs.ssrc, 2 * 65536 + 6);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 2 * 65536 + 6);
  fail_unless_equals_int (m.clients[1].unauthentic, 0);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_subscription_may_begin_paused)
{
  Meeting m;
  HubTrackSsrcs ssrcs;

  meeting_open (&m);
  meeting_join (&m);
  meeting_join (&m);
  HubTrack *track = meeting_publish (&m, 0, HUB_VIDEO, &ssrcs);
  fail_unless_equals_int (
      hub_forwarder_subscribe (m.forwarder, m.transports[1], track, TRUE),
      HUB_OK);
  meeting_expect (&m, HUB_MEDIA_EVENT_SUBSCRIBED, track);
  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_await (&m, HUB_RTP_ACCEPTED, 1);
  meeting_settle (&m);
  fail_unless (meeting_got_nothing (&m, 1));
  hub_forwarder_resume (m.forwarder, m.transports[1], track);
  meeting_expect (&m, HUB_MEDIA_EVENT_RESUMED, track);
  meeting_send (&m, 0, ssrcs.ssrc, 2);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 2);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (what_comes_twice_passes_once)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  guint8 wire[256];
  meeting_open_pair (&m, &ssrcs);

  gsize len = hub_client_make_rtp (&m.clients[0], wire, sizeof wire,
      ssrcs.ssrc, 5, 15000, 96, NULL, 0, "0123456789", 10);
  for (guint i = 0; i < 3; i++)
    hub_client_send_raw (&m.clients[0], wire, len);
  meeting_await (&m, HUB_DROPPED_REPLAYED, 2);
  meeting_receive (&m, 1, HUB_CLIENT_RTP);
  fail_unless (meeting_got_nothing (&m, 1), "a replayed packet passed");

  /* Reordering is no replay. */
  meeting_send (&m, 0, ssrcs.ssrc, 9);
  meeting_send (&m, 0, ssrcs.ssrc, 7);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 9);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 7);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (what_was_changed_on_the_way_is_dropped)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  guint8 wire[256];
  meeting_open_pair (&m, &ssrcs);

  gsize len = hub_client_make_rtp (&m.clients[0], wire, sizeof wire,
      ssrcs.ssrc, 5, 15000, 96, NULL, 0, "0123456789", 10);
  guint64 dropped = 0;
  for (gsize i = 0; i < len; i++) {
    if (i == 0 || (i >= 8 && i < 12)) /* another kind of packet, or SSRC */
      continue;
    if (i == 1) /* becomes RTCP only by its high bit and more */
      continue;
    wire[i] ^= 1;
    hub_client_send_raw (&m.clients[0], wire, len);
    wire[i] ^= 1;
    dropped++;
  }
  meeting_await (&m, HUB_DROPPED_UNAUTHENTIC, dropped);
  fail_unless (meeting_got_nothing (&m, 1));
  hub_client_send_raw (&m.clients[0], wire, len);
  meeting_receive (&m, 1, HUB_CLIENT_RTP);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (an_ssrc_of_somebody_else_is_theft)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  meeting_open_pair (&m, &ssrcs);

  meeting_join (&m);
  meeting_send (&m, 2, ssrcs.ssrc, 1);
  meeting_send (&m, 2, ssrcs.rtx_ssrc, 1);
  meeting_send (&m, 2, m.clients[0].credentials.ssrc, 1);
  meeting_send (&m, 2, hub_room_ssrc (m.room), 1);
  meeting_await (&m, HUB_DROPPED_SSRC_THEFT, 4);
  meeting_send (&m, 2, ssrcs.ssrc + 1, 1);
  meeting_await (&m, HUB_DROPPED_SSRC_UNKNOWN, 1);
  fail_unless (meeting_got_nothing (&m, 1));
  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 1);
  meeting_close (&m);
}
GST_END_TEST;

/* From its own address, but under the key of another. */
GST_START_TEST (a_packet_under_anothers_key_is_not_authentic)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  meeting_open_pair (&m, &ssrcs);

  int own = m.clients[1].fd;
  m.clients[1].fd = m.clients[0].fd;
  meeting_send (&m, 1, ssrcs.ssrc, 1);
  m.clients[1].fd = own;
  meeting_await (&m, HUB_DROPPED_UNAUTHENTIC, 1);
  fail_unless (meeting_got_nothing (&m, 1));
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (rooms_do_not_hear_each_other)
{
  Meeting m;
  HubTrackSsrcs ssrcs, other;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);
  HubRoomConfig config = { 0 };
  HubRoom *former = m.room;

  m.room = hub_forwarder_add_room (m.forwarder, &config, NULL);
  meeting_join (&m);
  meeting_join (&m);
  HubTrack *newer = meeting_publish (&m, 2, HUB_VIDEO, &other);
  fail_unless_equals_int (
      hub_forwarder_subscribe (m.forwarder, m.transports[3], track, FALSE),
      HUB_NOT_ALLOWED);
  meeting_subscribe (&m, 3, newer);
  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_send (&m, 2, other.ssrc, 1);
  /* A number of the first room means nothing here. */
  meeting_send (&m, 2, ssrcs.ssrc, 2);
  meeting_await (&m, HUB_DROPPED_SSRC_UNKNOWN, 1);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 1);
  meeting_expect_packet (&m, 3, other.ssrc, 1);
  fail_unless (meeting_got_nothing (&m, 1));
  fail_unless (meeting_got_nothing (&m, 3));

  hub_forwarder_end_room (m.forwarder, former);
  meeting_settle (&m);
  meeting_send (&m, 0, ssrcs.ssrc, 2);
  meeting_await (&m, HUB_DROPPED_UNKNOWN_SOURCE, 1);
  meeting_send (&m, 2, other.ssrc, 2);
  meeting_expect_packet (&m, 3, other.ssrc, 2);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (subscribing_has_rules)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);

#define sub(i)                                                                \
  hub_forwarder_subscribe (m.forwarder, m.transports[i], track, FALSE)
#define unsub(i)                                                              \
  hub_forwarder_unsubscribe (m.forwarder, m.transports[i], track)
  fail_unless_equals_int (sub (0), HUB_NOT_ALLOWED);
  fail_unless_equals_int (sub (1), HUB_NOT_ALLOWED);
  fail_unless_equals_int (unsub (1), HUB_OK);
  fail_unless_equals_int (unsub (1), HUB_NOT_ALLOWED);
  fail_unless_equals_int (
      hub_forwarder_pause (m.forwarder, m.transports[1], track),
      HUB_NOT_ALLOWED);
  meeting_settle (&m);
  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_await (&m, HUB_RTP_ACCEPTED, 1);
  fail_unless (meeting_got_nothing (&m, 1));
  fail_unless_equals_int (sub (1), HUB_OK);
  meeting_expect (&m, HUB_MEDIA_EVENT_SUBSCRIBED, track);
  meeting_send (&m, 0, ssrcs.ssrc, 2);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 2);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (limits_hold)
{
  Meeting m;
  HubForwarderConfig config;
  HubRoomConfig room = { 0 };
  HubTrackConfig video = { .kind = HUB_VIDEO, .clock_rate = 90000 };
  HubTrackSsrcs ssrcs;
  HubTrack *tracks[4];
  HubCredentials credentials;
  HubTransport *transport;

  hub_forwarder_config_init (&config);
  config.max_transports = 3;
  config.max_tracks = 3;
  config.max_tracks_per_transport = 2;
  config.max_subscriptions = 2;
  meeting_open_with (&m, &config, &room);
  for (guint i = 0; i < 3; i++)
    meeting_join (&m);
  fail_unless_equals_int (hub_forwarder_add_transport (m.forwarder, m.room,
                              NULL, NULL, &transport, &credentials),
      HUB_LIMIT_REACHED);
#define publish(i, n)                                                         \
  hub_forwarder_publish (                                                     \
      m.forwarder, m.transports[i], &video, NULL, &tracks[n], &ssrcs)
  fail_unless_equals_int (publish (0, 0), HUB_OK);
  fail_unless_equals_int (publish (0, 1), HUB_OK);
  fail_unless_equals_int (publish (0, 2), HUB_LIMIT_REACHED);
  fail_unless_equals_int (publish (1, 2), HUB_OK);
  fail_unless_equals_int (publish (1, 3), HUB_LIMIT_REACHED);
  meeting_subscribe (&m, 1, tracks[0]);
  meeting_subscribe (&m, 1, tracks[1]);
  fail_unless_equals_int (
      hub_forwarder_subscribe (m.forwarder, m.transports[2], tracks[0], FALSE),
      HUB_LIMIT_REACHED);
  /* What ends makes room. */
  hub_forwarder_unpublish (m.forwarder, tracks[0]);
  fail_unless_equals_int (publish (1, 3), HUB_OK);
  meeting_subscribe (&m, 2, tracks[1]);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (an_ssrc_is_never_given_out_twice)
{
  Meeting m;
  HubTrackConfig audio = { .kind = HUB_AUDIO, .clock_rate = 48000 };
  HubTrackSsrcs ssrcs;
  HubTrack *track;
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  meeting_open (&m);
  g_hash_table_add (seen, GUINT_TO_POINTER (hub_room_ssrc (m.room)));
  for (guint i = 0; i < 10; i++) {
    HubClient *client = meeting_add_silent (&m, SRTP_BACKEND_GNUTLS);
    fail_unless (
        g_hash_table_add (seen, GUINT_TO_POINTER (client->credentials.ssrc)));
    for (guint k = 0; k < 1000; k++) {
      g_assert_cmpint (hub_forwarder_publish (m.forwarder, m.transports[i],
                           &audio, NULL, &track, &ssrcs),
          ==, HUB_OK);
      fail_unless (g_hash_table_add (seen, GUINT_TO_POINTER (ssrcs.ssrc)));
      fail_unless (g_hash_table_add (seen, GUINT_TO_POINTER (ssrcs.rtx_ssrc)));
      hub_forwarder_unpublish (m.forwarder, track);
      if (k % 100 == 0)
        hub_forwarder_dispatch (m.forwarder);
    }
    /* And so what one participant can make us remember is bounded. */
    fail_unless_equals_int (hub_forwarder_publish (m.forwarder,
                                m.transports[i], &audio, NULL, &track, &ssrcs),
        HUB_LIMIT_REACHED);
  }
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_publisher_that_floods_is_held_to_a_rate)
{
  Meeting m;
  HubForwarderConfig config;
  HubRoomConfig room = { 0 };
  HubTrackSsrcs ssrcs, calm;

  hub_forwarder_config_init (&config);
  config.max_packet_rate = 100;
  meeting_open_with (&m, &config, &room);
  meeting_join (&m);
  meeting_join (&m);
  meeting_publish (&m, 0, HUB_VIDEO, &ssrcs);
  HubTrack *track = meeting_publish (&m, 1, HUB_VIDEO, &calm);
  meeting_subscribe (&m, 0, track);
  for (guint64 index = 1; index <= 150; index++)
    meeting_send (&m, 0, ssrcs.ssrc, index);
  meeting_await (&m, HUB_DROPPED_RTP_FLOOD, 50);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_RTP_ACCEPTED), 100);
  meeting_send (&m, 1, calm.ssrc, 1);
  meeting_expect_packet (&m, 0, calm.ssrc, 1);
  meeting_advance (&m, 100 * MS);
  for (guint64 index = 151; index <= 170; index++)
    meeting_send (&m, 0, ssrcs.ssrc, index);
  meeting_await (&m, HUB_DROPPED_RTP_FLOOD, 60);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_RTP_ACCEPTED), 111);
  meeting_close (&m);
}
GST_END_TEST;

/* More than the rings hold, while nobody listens. */
GST_START_TEST (thousands_of_objects_come_and_go_while_media_flows)
{
  Meeting m;
  HubTrackSsrcs ssrcs, unused;
  HubTrackConfig video = { .kind = HUB_VIDEO, .clock_rate = 90000 };
  HubTransport *transports[600];
  HubTrack *tracks[20];
  HubTrack *track = meeting_open_pair (&m, &ssrcs);
  guint64 index = 1;

  for (guint round = 0; round < 3; round++) {
    for (guint i = 0; i < G_N_ELEMENTS (tracks); i++) {
      HubCredentials credentials;
      HubTransport *publisher;
      if (i % 10 == 0) {
        g_assert_cmpint (hub_forwarder_add_transport (m.forwarder, m.room,
                             NULL, NULL, &publisher, &credentials),
            ==, HUB_OK);
        hub_credentials_clear (&credentials);
      }
      g_assert_cmpint (hub_forwarder_publish (m.forwarder, publisher, &video,
                           NULL, &tracks[i], &unused),
          ==, HUB_OK);
    }
    for (guint i = 0; i < G_N_ELEMENTS (transports); i++) {
      HubCredentials credentials;
      g_assert_cmpint (hub_forwarder_add_transport (m.forwarder, m.room, NULL,
                           NULL, &transports[i], &credentials),
          ==, HUB_OK);
      hub_credentials_clear (&credentials);
      g_assert_cmpint (
          hub_forwarder_subscribe (m.forwarder, transports[i], track, FALSE),
          ==, HUB_OK);
      for (guint k = 0; k < G_N_ELEMENTS (tracks); k++)
        g_assert_cmpint (hub_forwarder_subscribe (
                             m.forwarder, transports[i], tracks[k], i % 2),
            ==, HUB_OK);
    }
    meeting_send (&m, 0, ssrcs.ssrc, index);
    meeting_expect_packet (&m, 1, ssrcs.ssrc, index++);
    HubForwarderStats stats;
    hub_forwarder_stats (m.forwarder, &stats);
    fail_unless_equals_int (stats.subscriptions, 1 + 600 * 21);
    for (guint i = 0; i < G_N_ELEMENTS (tracks); i += 10)
      hub_forwarder_remove_transport (
          m.forwarder, hub_track_publisher (tracks[i]));
    for (guint i = 0; i < G_N_ELEMENTS (transports); i++)
      hub_forwarder_remove_transport (m.forwarder, transports[i]);
    meeting_send (&m, 0, ssrcs.ssrc, index);
    meeting_expect_packet (&m, 1, ssrcs.ssrc, index++);
    m.n_events = 0;
    meeting_settle (&m);
    meeting_settle (&m);
    m.n_events = 0;
    hub_forwarder_stats (m.forwarder, &stats);
    fail_unless_equals_int (stats.transports, 2);
    fail_unless_equals_int (stats.subscriptions, 1);
  }
  meeting_close (&m);
}
GST_END_TEST;

/* A burst of one receiver is spread, all of it arrives, and in order. */
GST_START_TEST (a_burst_is_paced_and_complete)
{
  Meeting m;
  HubForwarderConfig config;
  HubRoomConfig room = { 0 };
  HubTrackSsrcs ssrcs, voice;

  hub_forwarder_config_init (&config);
  meeting_open_with (&m, &config, &room);
  meeting_join (&m);
  meeting_join (&m);
  HubTrack *track = meeting_publish (&m, 0, HUB_VIDEO, &ssrcs);
  HubTrack *audio = meeting_publish (&m, 0, HUB_AUDIO, &voice);
  meeting_subscribe (&m, 1, track);
  meeting_subscribe (&m, 1, audio);
  for (guint64 index = 1; index <= 200; index++)
    meeting_send (&m, 0, ssrcs.ssrc, index);
  meeting_send (&m, 0, voice.ssrc, 1);
  meeting_await (&m, HUB_RTP_ACCEPTED, 201);
  /* Time stands still: 16 at a turn at most have gone, and the audio packet did not wait behind the rest. */
  HubReceived *r;
  guint n = 0;
  do {
    r = meeting_receive (&m, 1, HUB_CLIENT_RTP);
    if (r->ssrc == ssrcs.ssrc)
      fail_unless_equals_uint64 (r->index, ++n);
  } while (r->ssrc != voice.ssrc);
  fail_unless (n < 200);
  fail_unless (meeting_counter (&m, HUB_PACED) > 0);
  for (guint i = 0; i < 20; i++) {
    atomic_fetch_add (&m.now, MS);
    meeting_settle (&m);
  }
  while (n < 200)
    meeting_expect_packet (&m, 1, ssrcs.ssrc, ++n);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_SHED_VIDEO), 0);
  meeting_close (&m);
}
GST_END_TEST;

/* A busy machine does not let the thread run each millisecond: at the next one more goes than in one tick. */
GST_START_TEST (missed_ticks_are_made_up_for)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  guint64 index = 0;

  meeting_open_pair (&m, &ssrcs);
  while (meeting_counter (&m, HUB_PACED) < 150) {
    for (guint i = 0; i < 20; i++)
      meeting_send (&m, 0, ssrcs.ssrc, ++index);
    meeting_await (&m, HUB_RTP_ACCEPTED, index);
  }
  guint64 before = meeting_counter (&m, HUB_PACKETS_OUT);
  atomic_fetch_add (&m.now, 10 * MS);
  meeting_settle (&m);
  guint64 sent = meeting_counter (&m, HUB_PACKETS_OUT) - before;
  fail_unless (sent >= 60, "%" G_GUINT64_FORMAT, sent);
  fail_unless (sent < 170, "%" G_GUINT64_FORMAT, sent);
  meeting_close (&m);
}
GST_END_TEST;

/* What still waits for its tick goes with the subscription, or with the track. */
GST_START_TEST (a_queue_does_not_outlive_its_subscription)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);

  for (guint64 index = 1; index <= 200; index++)
    meeting_send (&m, 0, ssrcs.ssrc, index);
  meeting_await (&m, HUB_RTP_ACCEPTED, 200);
  fail_unless (meeting_counter (&m, HUB_PACED) > 0);
  if (__i__ == 0)
    hub_forwarder_unsubscribe (m.forwarder, m.transports[1], track);
  else
    hub_forwarder_unpublish (m.forwarder, track);
  meeting_settle (&m);
  meeting_settle (&m);
  meeting_got_nothing (&m, 1); /* takes what went before */
  for (guint i = 0; i < 20; i++) {
    atomic_fetch_add (&m.now, MS);
    meeting_settle (&m);
  }
  fail_unless (meeting_got_nothing (&m, 1));
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_queue_that_overflows_sheds_video_until_a_new_frame)
{
  Meeting m;
  HubTrackSsrcs ssrcs, voice;
  guint64 index = 1;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);
  HubTrack *audio = meeting_publish (&m, 0, HUB_AUDIO, &voice);

  meeting_subscribe (&m, 1, audio);
  meeting_expect (&m, HUB_MEDIA_EVENT_KEYFRAME_WANTED, track);
  while (meeting_counter (&m, HUB_SHED_VIDEO) == 0) {
    for (guint i = 0; i < 100; i++)
      meeting_send (&m, 0, ssrcs.ssrc, index++);
    meeting_settle (&m);
    fail_unless (index < 10000);
  }
  /* Audio goes on. */
  meeting_send (&m, 0, voice.ssrc, 1);
  HubReceived *r;
  do
    r = meeting_receive (&m, 1, HUB_CLIENT_RTP);
  while (r->ssrc != voice.ssrc);
  /* After a second, and with the queue empty, it begins again, with a keyframe. */
  meeting_advance (&m, 3 * S);
  meeting_expect (&m, HUB_MEDIA_EVENT_KEYFRAME_WANTED, track);
  guint64 resumed = index;
  meeting_send (&m, 0, ssrcs.ssrc, index++);
  do
    r = meeting_receive (&m, 1, HUB_CLIENT_RTP);
  while (r->index < resumed);
  fail_unless_equals_uint64 (r->index, resumed);
  meeting_close (&m);
}
GST_END_TEST;

static Suite *
hub_forward_suite (void)
{
  Suite *suite = suite_create ("hub-forward");
  TCase *tc = tcase_create ("forward");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_loop_test (tc, every_receiver_gets_every_packet_as_it_was, 0,
      (int) G_N_ELEMENTS (ways));
  tcase_add_test (tc, headers_with_csrcs_and_extensions_pass_untouched);
  tcase_add_test (tc, packets_of_all_sizes_pass);
  tcase_add_test (tc, nobody_gets_anything_without_a_check);
  tcase_add_test (tc, a_late_joiner_is_told_the_roc);
  tcase_add_test (tc, a_track_goes_on_after_a_pause_of_several_rocs);
  tcase_add_test (tc, a_subscription_may_begin_paused);
  tcase_add_test (tc, what_comes_twice_passes_once);
  tcase_add_test (tc, what_was_changed_on_the_way_is_dropped);
  tcase_add_test (tc, an_ssrc_of_somebody_else_is_theft);
  tcase_add_test (tc, a_packet_under_anothers_key_is_not_authentic);
  tcase_add_test (tc, rooms_do_not_hear_each_other);
  tcase_add_test (tc, subscribing_has_rules);
  tcase_add_test (tc, limits_hold);
  tcase_add_test (tc, an_ssrc_is_never_given_out_twice);
  tcase_add_test (tc, a_publisher_that_floods_is_held_to_a_rate);
  tcase_add_test (tc, thousands_of_objects_come_and_go_while_media_flows);
  tcase_add_test (tc, a_burst_is_paced_and_complete);
  tcase_add_test (tc, missed_ticks_are_made_up_for);
  tcase_add_loop_test (tc, a_queue_does_not_outlive_its_subscription, 0, 2);
  tcase_add_test (tc, a_queue_that_overflows_sheds_video_until_a_new_frame);
  return suite;
}

PURE_CHECK_MAIN (hub_forward)

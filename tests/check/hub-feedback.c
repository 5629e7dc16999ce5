/* RTCP at the forwarder, over real sockets: NACK and RTX, keyframes, reports, transport-wide feedback, who may say what.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hubrtcp.h"

#include <string.h>

/* --- NACK --- */

static void
expect_rtx (Meeting *m, guint i, const HubTrackSsrcs *ssrcs, guint64 index,
    guint64 rtx_index)
{
  HubReceived *r = meeting_receive (m, i, HUB_CLIENT_RTP);
  guint64 told;

  fail_unless_equals_int (r->ssrc, ssrcs->rtx_ssrc);
  fail_unless_equals_int (r->payload_type, 97);
  fail_unless_equals_uint64 (r->index, rtx_index);
  fail_unless_equals_int (r->timestamp, (guint32) (index * 3000));
  fail_unless_equals_int (r->len, 114);
  fail_unless_equals_int (r->bytes[12] << 8 | r->bytes[13], index & 0xffff);
  memcpy (&told, r->bytes + 14, sizeof told);
  fail_unless_equals_uint64 (told, index);
}

GST_START_TEST (a_nack_is_answered_by_rtx)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  meeting_open_pair (&m, &ssrcs);

  /* Across the end of a ROC. */
  for (guint64 index = 65530; index < 65540; index++) {
    if (index == 65530)
      meeting_send (&m, 0, ssrcs.ssrc, 32767);
    meeting_send (&m, 0, ssrcs.ssrc, index);
  }
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 32767);
  for (guint64 index = 65530; index < 65540; index++)
    meeting_expect_packet (&m, 1, ssrcs.ssrc, index);
  send_nack (&m, 1, ssrcs.ssrc, 65533, 1 << 0 | 1 << 3);
  expect_rtx (&m, 1, &ssrcs, 65533, 0);
  expect_rtx (&m, 1, &ssrcs, 65534, 1);
  expect_rtx (&m, 1, &ssrcs, 65537, 2);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_NACKS), 3);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_RTX_SENT), 3);
  /* The publisher hears nothing of it. */
  fail_unless (meeting_got_nothing (&m, 0));
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_packet_is_sent_again_twice_at_most)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  meeting_open_pair (&m, &ssrcs);

  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 1);
  for (guint i = 0; i < 5; i++)
    send_nack (&m, 1, ssrcs.ssrc, 1, 0);
  expect_rtx (&m, 1, &ssrcs, 1, 0);
  expect_rtx (&m, 1, &ssrcs, 1, 1);
  meeting_await (&m, HUB_NACK_LIMITED, 3);
  fail_unless (meeting_got_nothing (&m, 1));
  /* What never came is not there. */
  send_nack (&m, 1, ssrcs.ssrc, 2, 0xffff);
  meeting_await (&m, HUB_NACK_MISSES, 17);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (retransmissions_have_a_budget)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  guint8 payload[1200] = { 0 };
  meeting_open_pair (&m, &ssrcs);

  /* 300 packets of 1.2 kB: a tenth and the initial 64 kB are some 80 retransmissions. */
  for (guint index = 1; index <= 300; index++) {
    hub_client_send_rtp (&m.clients[0], ssrcs.ssrc, index, index, 96, NULL, 0,
        payload, sizeof payload);
    if (index % 10 == 0) {
      meeting_await (&m, HUB_RTP_ACCEPTED, index);
      atomic_fetch_add (&m.now, 20 * MS);
      meeting_settle (&m);
    }
  }
  for (guint seq = 1; seq <= 300; seq += 17) {
    send_nack (&m, 1, ssrcs.ssrc, (guint16) seq, 0xffff);
    meeting_await (&m, HUB_NACKS, MIN (seq + 16, 306));
    atomic_fetch_add (&m.now, 20 * MS);
    meeting_settle (&m);
  }
  guint64 sent = meeting_counter (&m, HUB_RTX_SENT);
  fail_unless (
      sent >= 50 && sent <= 90, "%" G_GUINT64_FORMAT " retransmissions", sent);
  fail_unless (meeting_counter (&m, HUB_NACK_LIMITED) >= 200);
  meeting_close (&m);
}
GST_END_TEST;

/* The RTX index of a key never begins anew: two packets under one nonce would be an open book. */
GST_START_TEST (the_rtx_index_goes_on_after_a_new_subscription)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);

  for (guint64 index = 1; index <= 3; index++) {
    meeting_send (&m, 0, ssrcs.ssrc, index);
    meeting_expect_packet (&m, 1, ssrcs.ssrc, index);
  }
  send_nack (&m, 1, ssrcs.ssrc, 1, 1);
  expect_rtx (&m, 1, &ssrcs, 1, 0);
  expect_rtx (&m, 1, &ssrcs, 2, 1);
  fail_unless_equals_int (
      hub_forwarder_unsubscribe (m.forwarder, m.transports[1], track), HUB_OK);
  HubMediaEvent event = meeting_subscribe (&m, 1, track);
  fail_unless_equals_uint64 (event.rtx_index, 2);
  fail_unless_equals_uint64 (event.index, 3);
  send_nack (&m, 1, ssrcs.ssrc, 3, 0);
  expect_rtx (&m, 1, &ssrcs, 3, 2);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_publishers_rtx_fills_the_gap_once)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  guint8 payload[102];
  guint64 index = 65535;
  meeting_open_pair (&m, &ssrcs);

  meeting_send (&m, 0, ssrcs.ssrc, 65534);
  meeting_send (&m, 0, ssrcs.ssrc, 65536);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 65534);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 65536);
  payload[0] = 0xff;
  payload[1] = 0xff;
  memset (payload + 2, (int) index, 100);
  memcpy (payload + 2, &index, sizeof index);
  for (guint i = 0; i < 2; i++)
    hub_client_send_rtp (&m.clients[0], ssrcs.rtx_ssrc, i,
        (guint32) (index * 3000), 97, NULL, 0, payload, sizeof payload);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, index);
  meeting_await (&m, HUB_DROPPED_RTX_EMPTY, 1);
  /* The original, late, is nothing new. */
  meeting_send (&m, 0, ssrcs.ssrc, index);
  meeting_await (&m, HUB_DROPPED_REPLAYED, 1);
  /* Nor is padding, nor another payload type. */
  hub_client_send_rtp (
      &m.clients[0], ssrcs.rtx_ssrc, 5, 0, 97, NULL, 0, payload, 2);
  hub_client_send_rtp (&m.clients[0], ssrcs.rtx_ssrc, 6, 0, 98, NULL, 0,
      payload, sizeof payload);
  meeting_await (&m, HUB_DROPPED_RTX_EMPTY, 3);
  fail_unless (meeting_got_nothing (&m, 1));
  meeting_close (&m);
}
GST_END_TEST;

/* --- Keyframes --- */

static guint
count_plis (Meeting *m, guint i)
{
  Reader body = { 0 };
  guint n = 0;
  HubReceived mark;

  hub_client_check (&m->clients[i], HUB_CHECK_NOMINATE);
  while (hub_client_receive (&m->clients[i], &mark, PATIENCE)
         != HUB_CLIENT_STUN) {
    fail_if (mark.kind == HUB_CLIENT_NOTHING);
    body = reader_init (mark.bytes, mark.len);
    while (mark.kind == HUB_CLIENT_RTCP && reader_left (&body) > 0) {
      guint count = reader_uint (&body, 1) & 31;
      guint type = reader_uint (&body, 1);
      reader_sub (&body, 4 * reader_uint (&body, 2));
      n += type == 206 && count == 1;
    }
  }
  return n;
}

GST_START_TEST (plis_of_all_become_at_most_two_a_second)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  Rtcp r;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);

  /* The first subscription asked for one. */
  meeting_expect (&m, HUB_MEDIA_EVENT_KEYFRAME_WANTED, track);
  meeting_join (&m);
  meeting_subscribe (&m, 2, track);
  meeting_join (&m);
  meeting_subscribe (&m, 3, track);
  for (guint i = 1; i < 4; i++)
    for (guint k = 0; k < 10; k++)
      send_pli (&m, i, ssrcs.ssrc);
  rtcp_begin (&r);
  rtcp_fir (&r, own_ssrc (&m, 2), ssrcs.ssrc);
  rtcp_send (&m, 2, &r);
  hub_forwarder_request_keyframe (m.forwarder, track);
  meeting_await (&m, HUB_KEYFRAMES_ASKED, 3 + 30 + 1 + 1);
  fail_unless_equals_int (count_plis (&m, 0), 1);
  meeting_advance (&m, 400 * MS);
  fail_unless_equals_int (count_plis (&m, 0), 0);
  meeting_advance (&m, 200 * MS);
  fail_unless_equals_int (count_plis (&m, 0), 1);
  meeting_advance (&m, 2 * S);
  fail_unless_equals_int (count_plis (&m, 0), 0);
  meeting_expect (&m, HUB_MEDIA_EVENT_KEYFRAME_WANTED, track);
  fail_if (meeting_take_event (&m, HUB_MEDIA_EVENT_KEYFRAME_WANTED, NULL, NULL));

  /* And the next comes at once. */
  send_pli (&m, 3, ssrcs.ssrc);
  meeting_await (&m, HUB_PLI_SENT, 3);
  Reader body = { 0 };
  fail_unless (find_rtcp (&m, 0, 206, 1, PATIENCE, &body, NULL));
  fail_unless_equals_int (reader_uint (&body, 4), hub_room_ssrc (m.room));
  fail_unless_equals_int (reader_uint (&body, 4), ssrcs.ssrc);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_removed_track_takes_its_due_pli_along)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);

  send_pli (&m, 1, ssrcs.ssrc);
  meeting_await (&m, HUB_KEYFRAMES_ASKED, 2);
  hub_forwarder_unpublish (m.forwarder, track);
  meeting_settle (&m);
  meeting_advance (&m, S);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_PLI_SENT), 1);
  meeting_close (&m);
}
GST_END_TEST;

/* --- Who may say what --- */

GST_START_TEST (feedback_counts_from_subscribers_only)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);

  meeting_join (&m);
  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 1);
  guint64 asked = meeting_counter (&m, HUB_KEYFRAMES_ASKED);
  send_nack (&m, 2, ssrcs.ssrc, 1, 0);
  send_pli (&m, 2, ssrcs.ssrc);
  send_pli (&m, 2, 12345);
  /* The publisher itself receives nothing either. */
  send_nack (&m, 0, ssrcs.ssrc, 1, 0);
  meeting_await (&m, HUB_FEEDBACK_REFUSED, 4);
  /* Who has unsubscribed is nobody. */
  hub_forwarder_unsubscribe (m.forwarder, m.transports[1], track);
  meeting_settle (&m);
  send_nack (&m, 1, ssrcs.ssrc, 1, 0);
  meeting_await (&m, HUB_FEEDBACK_REFUSED, 5);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_RTX_SENT), 0);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_KEYFRAMES_ASKED), asked);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (rtcp_in_anothers_name_is_dropped)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  Rtcp r;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);

  meeting_join (&m);
  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 1);
  /* Its own key, but the name of the other receiver, of the publisher's track, of the hub. */
  rtcp_begin (&r);
  rtcp_nack (&r, own_ssrc (&m, 1), ssrcs.ssrc, 1, 0);
  rtcp_send (&m, 2, &r);
  rtcp_begin (&r);
  rtcp_rr (&r, ssrcs.ssrc);
  rtcp_send (&m, 2, &r);
  rtcp_begin (&r);
  rtcp_rr (&r, hub_room_ssrc (m.room));
  rtcp_send (&m, 2, &r);
  meeting_await (&m, HUB_DROPPED_SSRC_THEFT, 3);
  /* The outer name its own, the inner one not; of a track that it does receive. */
  meeting_subscribe (&m, 2, track);
  rtcp_begin (&r);
  rtcp_rr (&r, own_ssrc (&m, 2));
  rtcp_nack (&r, own_ssrc (&m, 1), ssrcs.ssrc, 1, 0);
  rtcp_send (&m, 2, &r);
  meeting_await (&m, HUB_FEEDBACK_REFUSED, 1);
  /* Another's key from its address. */
  int own = m.clients[2].fd;
  m.clients[2].fd = m.clients[1].fd;
  send_nack (&m, 2, ssrcs.ssrc, 1, 0);
  m.clients[2].fd = own;
  meeting_await (&m, HUB_DROPPED_SSRC_THEFT, 4);
  rtcp_begin (&r);
  rtcp_rr (&r, 0x7777);
  m.clients[2].fd = m.clients[1].fd;
  rtcp_send (&m, 2, &r);
  m.clients[2].fd = own;
  meeting_await (&m, HUB_DROPPED_UNAUTHENTIC, 1);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_RTX_SENT), 0);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_few_names_of_ones_own_are_taken)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  Rtcp r;
  meeting_open_pair (&m, &ssrcs);

  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 1);
  rtcp_begin (&r);
  rtcp_nack (&r, 1, ssrcs.ssrc, 1, 0); /* as browsers that send nothing do */
  rtcp_send (&m, 1, &r);
  expect_rtx (&m, 1, &ssrcs, 1, 0);
  for (guint32 name = 2; name < 10; name++) {
    rtcp_begin (&r);
    rtcp_rr (&r, name);
    rtcp_send (&m, 1, &r);
  }
  meeting_await (&m, HUB_DROPPED_RTCP_FLOOD, 5);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_RTCP_ACCEPTED), 4);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (rtcp_that_is_malformed_or_replayed_does_nothing)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  Rtcp r;
  guint8 wire[256];
  gsize len;
  meeting_open_pair (&m, &ssrcs);

  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 1);
  /* A good NACK in front of a length that points outside: all or nothing. */
  rtcp_begin (&r);
  rtcp_nack (&r, own_ssrc (&m, 1), ssrcs.ssrc, 1, 0);
  rtcp_head (&r, 0, 201, 9);
  writer_uint (&r.w, 0, 4);
  rtcp_send (&m, 1, &r);
  meeting_await (&m, HUB_DROPPED_MALFORMED, 1);
  rtcp_begin (&r);
  rtcp_nack (&r, own_ssrc (&m, 1), ssrcs.ssrc, 1, 0);
  fail_unless_equals_int (
      srtp_session_protect_rtcp (m.clients[1].out, r.bytes, writer_len (&r.w),
          wire, sizeof wire, &len, NULL),
      SRTP_OK);
  hub_client_send_raw (&m.clients[1], wire, len);
  hub_client_send_raw (&m.clients[1], wire, len);
  meeting_await (&m, HUB_DROPPED_REPLAYED, 1);
  expect_rtx (&m, 1, &ssrcs, 1, 0);
  fail_unless (meeting_got_nothing (&m, 1));
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_RTX_SENT), 1);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (an_rtcp_flood_is_bounded)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  Rtcp r;
  meeting_open_pair (&m, &ssrcs);

  rtcp_begin (&r);
  rtcp_rr (&r, own_ssrc (&m, 1));
  for (guint i = 0; i < 1000; i++) {
    rtcp_send (&m, 1, &r);
    if (i % 100 == 99)
      meeting_settle (&m);
  }
  meeting_await (&m, HUB_DROPPED_RTCP_FLOOD, 600);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_RTCP_ACCEPTED), 400);
  meeting_close (&m);
}
GST_END_TEST;

/* --- Reports --- */

static void
send_sr (Meeting *m, guint32 ssrc, const char *cname)
{
  Rtcp r;
  guint len = (guint) strlen (cname);

  rtcp_begin (&r);
  rtcp_head (&r, 1, 200, 12);
  writer_uint (&r.w, ssrc, 4);
  writer_uint (&r.w, 0x1112131415161718, 8);
  writer_uint (&r.w, 90000, 4);
  writer_uint (&r.w, 77, 4);
  writer_uint (&r.w, 7700, 4);
  for (guint i = 0; i < 6; i++) /* a block about something else */
    writer_uint (&r.w, 0x55555555, 4);
  rtcp_head (&r, 1, 202, (4 + 2 + len) / 4 + 1);
  writer_uint (&r.w, ssrc, 4);
  writer_uint (&r.w, 1, 1);
  writer_uint (&r.w, len, 1);
  writer_bytes (&r.w, cname, len);
  writer_uint (&r.w, 0, 4 - (6 + len) % 4);
  rtcp_send (m, 0, &r);
}

GST_START_TEST (sender_reports_are_passed_on_without_their_blocks)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  Reader body = { 0 };
  guint count = 99;
  meeting_open_pair (&m, &ssrcs);

  meeting_send (&m, 0, ssrcs.ssrc, 1);
  send_sr (&m, ssrcs.ssrc, "somebody");
  fail_unless (find_rtcp (&m, 1, 200, G_MAXUINT, PATIENCE, &body, &count));
  fail_unless_equals_int (count, 0);
  fail_unless_equals_int (reader_left (&body), 24);
  fail_unless_equals_int (reader_uint (&body, 4), ssrcs.ssrc);
  fail_unless_equals_uint64 (reader_uint (&body, 8), 0x1112131415161718);
  fail_unless_equals_int (reader_uint (&body, 4), 90000);
  fail_unless_equals_int (reader_uint (&body, 4), 77);
  fail_unless_equals_int (reader_uint (&body, 4), 7700);
  /* The name goes along; it is behind the report in the same compound, which find_rtcp() left: so the next. */
  atomic_fetch_add (&m.now, 300 * MS);
  send_sr (&m, ssrcs.ssrc, "somebody");
  fail_unless (find_rtcp (&m, 1, 202, 1, PATIENCE, &body, NULL));
  fail_unless_equals_int (reader_uint (&body, 4), ssrcs.ssrc);
  fail_unless_equals_int (reader_uint (&body, 1), 1);
  fail_unless_equals_int (reader_uint (&body, 1), 8);
  fail_unless (memcmp (reader_take (&body, 8), "somebody", 8) == 0);

  /* A thousand receivers must not be flooded by one. */
  meeting_settle (&m);
  guint64 sent = meeting_counter (&m, HUB_PACKETS_OUT);
  for (guint i = 0; i < 20; i++)
    send_sr (&m, ssrcs.ssrc, "somebody");
  meeting_await (&m, HUB_RTCP_ACCEPTED, 22);
  meeting_settle (&m);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_PACKETS_OUT), sent);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (publishers_get_reports_of_the_hubs_own_reception)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  Reader body = { 0 };
  guint count = 0;
  HubTrackStats stats;
  HubTrack *track = meeting_open_pair (&m, &ssrcs);

  send_sr (&m, ssrcs.ssrc, "x");
  meeting_await (&m, HUB_RTCP_ACCEPTED, 1);
  /* 8 of 11. */
  for (guint64 index = 65530; index < 65541; index++)
    if (index % 3 != 0)
      meeting_send (&m, 0, ssrcs.ssrc, index);
  meeting_await (&m, HUB_RTP_ACCEPTED, 8);
  meeting_advance (&m, 1100 * MS);
  fail_unless (find_rtcp (&m, 0, 201, 1, PATIENCE, &body, &count));
  fail_unless_equals_int (reader_uint (&body, 4), hub_room_ssrc (m.room));
  fail_unless_equals_int (reader_uint (&body, 4), ssrcs.ssrc);
  fail_unless_equals_int (reader_uint (&body, 1), 3 * 256 / 11);
  fail_unless_equals_int (reader_uint (&body, 3), 3);
  fail_unless_equals_int (reader_uint (&body, 4), 65540);
  reader_take (&body, 4);
  fail_unless_equals_int (reader_uint (&body, 4), 0x13141516);
  guint dlsr = reader_uint (&body, 4);
  fail_unless (dlsr > 0 && dlsr <= 72090, "%u", dlsr);
  hub_track_stats (track, &stats);
  fail_unless_equals_uint64 (stats.lost, 3);
  fail_unless_equals_uint64 (stats.packets, 8);
  fail_unless_equals_int (stats.subscriptions, 1);

  /* Silence is no report: what comes with requests for what is missing has no block. */
  meeting_advance (&m, 3 * S);
  hub_client_check (&m.clients[0], HUB_CHECK_NOMINATE);
  HubReceived r;
  do
    fail_if (hub_client_receive (&m.clients[0], &r, PATIENCE) == HUB_CLIENT_RTCP
             && (r.bytes[0] & 31) > 0);
  while (r.kind != HUB_CLIENT_STUN);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (who_reports_heavy_loss_keeps_its_audio_only)
{
  Meeting m;
  HubTrackSsrcs video, audio;
  HubTransportStats stats;
  Rtcp r;
  HubTrack *track = meeting_open_pair (&m, &video);
  HubTrack *voice = meeting_publish (&m, 0, HUB_AUDIO, &audio);

  meeting_subscribe (&m, 1, voice);
  meeting_join (&m);
  meeting_subscribe (&m, 2, track);
  for (guint i = 0; i < 3; i++) {
    rtcp_begin (&r);
    rtcp_loss (&r, own_ssrc (&m, 1), video.ssrc, 100);
    rtcp_send (&m, 1, &r);
  }
  meeting_await (&m, HUB_RTCP_ACCEPTED, 3);
  for (guint64 index = 1; index <= 5; index++) {
    meeting_send (&m, 0, video.ssrc, index);
    meeting_send (&m, 0, audio.ssrc, index);
  }
  for (guint64 index = 1; index <= 5; index++) {
    meeting_expect_packet (&m, 1, audio.ssrc, index);
    /* The other one is not slowed. */
    meeting_expect_packet (&m, 2, video.ssrc, index);
  }
  fail_unless (meeting_got_nothing (&m, 1));
  hub_transport_stats (m.transports[1], &stats);
  fail_unless_equals_uint64 (stats.shed, 5);

  while (meeting_take_event (&m, HUB_MEDIA_EVENT_KEYFRAME_WANTED, NULL, NULL))
    continue;
  meeting_advance (&m, 2500 * MS);
  meeting_expect (&m, HUB_MEDIA_EVENT_KEYFRAME_WANTED, track);
  meeting_send (&m, 0, video.ssrc, 6);
  meeting_expect_packet (&m, 1, video.ssrc, 6);
  meeting_close (&m);
}
GST_END_TEST;

/* A shed stream still passes a packet now and then, or the receiver would lose the ROC. */
GST_START_TEST (a_long_shed_stream_does_not_lose_its_roc)
{
  Meeting m;
  HubTrackSsrcs ssrcs;
  Rtcp r;
  meeting_open_pair (&m, &ssrcs);

  meeting_send (&m, 0, ssrcs.ssrc, 1);
  meeting_expect_packet (&m, 1, ssrcs.ssrc, 1);
  for (guint i = 0; i < 3; i++) {
    rtcp_begin (&r);
    rtcp_loss (&r, own_ssrc (&m, 1), ssrcs.ssrc, 200);
    rtcp_send (&m, 1, &r);
  }
  meeting_await (&m, HUB_RTCP_ACCEPTED, 3);
  for (guint64 index = 100; index < 3 * 65536; index += 1000)
    meeting_send (&m, 0, ssrcs.ssrc, index);
  meeting_settle (&m);
  meeting_advance (&m, 2500 * MS);
  meeting_send (&m, 0, ssrcs.ssrc, 3 * 65536 + 1);
  HubReceived *last;
  guint n = 0;
  do {
    last = meeting_receive (&m, 1, HUB_CLIENT_RTP);
    n++;
  } while (last->index != 3 * 65536 + 1);
  fail_unless_equals_int (m.clients[1].unauthentic, 0);
  fail_unless (n < 30, "%u packets passed", n);
  meeting_close (&m);
}
GST_END_TEST;

/* --- Transport-wide feedback --- */

GST_START_TEST (arrivals_are_fed_back_with_their_times)
{
  Meeting m;
  HubForwarderConfig config;
  HubRoomConfig room = { .twcc_id = 5 };
  HubTrackSsrcs ssrcs;
  Reader body = { 0 };
  /* ms of arrival; 0: lost */
  static const guint at[] = { 1, 3, 0, 3, 100, 90, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    120 };
  static const guint order[] = { 0, 1, 3, 5, 4, 15 };

  hub_forwarder_config_init (&config);
  meeting_open_with (&m, &config, &room);
  meeting_join (&m);
  meeting_publish (&m, 0, HUB_VIDEO, &ssrcs);
  guint64 start = 64 * 20000 * MS;
  atomic_store (&m.now, start);
  hub_client_check (&m.clients[0], HUB_CHECK_NOMINATE);
  meeting_receive (&m, 0, HUB_CLIENT_STUN);
  meeting_settle (&m);
  /* The tick was due long since: the next one comes 100 ms after, and at 120 the last packet. */
  for (guint i = 0; i < G_N_ELEMENTS (order); i++) {
    guint16 seq = (guint16) (65530 + order[i]);
    guint8 extension[4] = { 5 << 4 | 1, (guint8) (seq >> 8), (guint8) seq, 0 };
    guint64 when = start + at[order[i]] * MS;
    if (when > atomic_load (&m.now) && at[order[i]] < 100)
      atomic_store (&m.now, when);
    hub_client_send_rtp (&m.clients[0], ssrcs.ssrc, order[i] + 1, 0, 96,
        extension, sizeof extension, "x", 1);
    meeting_await (&m, HUB_RTP_ACCEPTED, i + 1);
  }
  meeting_advance (&m, 200 * MS);
  fail_unless (find_rtcp (&m, 0, 205, 15, PATIENCE, &body, NULL));
  fail_unless_equals_int (reader_uint (&body, 4), hub_room_ssrc (m.room));
  fail_unless_equals_int (reader_uint (&body, 4), ssrcs.ssrc);
  fail_unless_equals_int (reader_uint (&body, 2), 65530);
  guint count = reader_uint (&body, 2);
  fail_unless_equals_int (count, 16);
  fail_unless_equals_int (reader_uint (&body, 3), 20000);
  fail_unless_equals_int (reader_uint (&body, 1), 0);

  guint8 symbols[64];
  guint n = 0;
  while (n < count) {
    guint chunk = reader_uint (&body, 2);
    if (chunk & 0x8000) {
      fail_unless (chunk & 0x4000);
      for (guint i = 0; i < 7; i++)
        symbols[n++] = chunk >> (12 - 2 * i) & 3;
    } else {
      for (guint i = chunk & 0x1fff; i > 0; i--)
        symbols[n++] = chunk >> 13;
    }
  }
  gint64 time = 0; /* in 250 us since `start` */
  for (guint i = 0; i < count; i++) {
    fail_unless_equals_int (symbols[i] != 0, at[i] != 0);
    if (symbols[i] == 1)
      time += reader_uint (&body, 1);
    else if (symbols[i] == 2)
      time += (gint16) reader_uint (&body, 2);
    if (symbols[i] != 0 && at[i] < 100)
      fail_unless_equals_int (time, at[i] * 4);
  }
  fail_if (body.failed);
  meeting_close (&m);
}
GST_END_TEST;

static Suite *
hub_feedback_suite (void)
{
  Suite *suite = suite_create ("hub-feedback");
  TCase *tc = tcase_create ("feedback");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, a_nack_is_answered_by_rtx);
  tcase_add_test (tc, a_packet_is_sent_again_twice_at_most);
  tcase_add_test (tc, retransmissions_have_a_budget);
  tcase_add_test (tc, the_rtx_index_goes_on_after_a_new_subscription);
  tcase_add_test (tc, a_publishers_rtx_fills_the_gap_once);
  tcase_add_test (tc, plis_of_all_become_at_most_two_a_second);
  tcase_add_test (tc, a_removed_track_takes_its_due_pli_along);
  tcase_add_test (tc, feedback_counts_from_subscribers_only);
  tcase_add_test (tc, rtcp_in_anothers_name_is_dropped);
  tcase_add_test (tc, a_few_names_of_ones_own_are_taken);
  tcase_add_test (tc, rtcp_that_is_malformed_or_replayed_does_nothing);
  tcase_add_test (tc, an_rtcp_flood_is_bounded);
  tcase_add_test (tc, sender_reports_are_passed_on_without_their_blocks);
  tcase_add_test (tc, publishers_get_reports_of_the_hubs_own_reception);
  tcase_add_test (tc, who_reports_heavy_loss_keeps_its_audio_only);
  tcase_add_test (tc, a_long_shed_stream_does_not_lose_its_roc);
  tcase_add_test (tc, arrivals_are_fed_back_with_their_times);
  return suite;
}

PURE_CHECK_MAIN (hub_feedback)

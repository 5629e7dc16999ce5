/* Audio of the loudest only: who is heard, who is told to speak, and that the ROC of the others is not lost.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hubmeeting.h"

#define LEVEL_ID 1

typedef struct
{
  Meeting m;
  HubTrack *tracks[MAX_MEMBERS];
  guint32 ssrc[MAX_MEMBERS];
  guint64 index[MAX_MEMBERS];
  guint speakers;
  guint heard[MAX_MEMBERS]; /* packets at the listener */
} Room;

/* `speakers` members who speak, and one who listens to all. */
static void
room_open (Room *r, guint speakers, guint last_n)
{
  HubForwarderConfig config;
  HubRoomConfig room = { .audio_last_n = last_n, .audio_level_id = LEVEL_ID };
  HubTrackSsrcs ssrcs;

  memset (r, 0, sizeof *r);
  hub_forwarder_config_init (&config);
  meeting_open_with (&r->m, &config, &room);
  r->speakers = speakers;
  for (guint i = 0; i <= speakers; i++)
    meeting_join (&r->m);
  for (guint i = 0; i < speakers; i++) {
    r->tracks[i] = meeting_publish (&r->m, i, HUB_AUDIO, &ssrcs);
    r->ssrc[i] = ssrcs.ssrc;
    meeting_subscribe (&r->m, speakers, r->tracks[i]);
  }
}

static void
say_at (Room *r, guint i, guint64 index, guint level)
{
  guint8 extension[4] = { LEVEL_ID << 4, (guint8) (0x80 | level), 0, 0 };
  hub_client_send_rtp (&r->m.clients[i], r->ssrc[i], index,
      (guint32) (index * 960), 111, extension, sizeof extension, "opus", 4);
}

/* All speak for `packets` times 20 ms, member i at -levels[i] dBov (127 is silence, 255: sends nothing). */
static void
speak (Room *r, const guint8 *levels, guint packets)
{
  Meeting *m = &r->m;
  guint64 accepted = meeting_counter (m, HUB_RTP_ACCEPTED);

  for (guint p = 0; p < packets; p++) {
    for (guint i = 0; i < r->speakers; i++)
      if (levels[i] != 255) {
        say_at (r, i, ++r->index[i], levels[i]);
        accepted++;
      }
    meeting_await (m, HUB_RTP_ACCEPTED, accepted);
    atomic_fetch_add (&m->now, 20 * MS);
  }
  meeting_settle (m);
}

static void
hear (Room *r)
{
  static HubReceived received;

  memset (r->heard, 0, sizeof r->heard);
  hub_client_check (&r->m.clients[r->speakers], HUB_CHECK_NOMINATE);
  while (hub_client_receive (&r->m.clients[r->speakers], &received, PATIENCE)
         != HUB_CLIENT_STUN) {
    fail_if (received.kind == HUB_CLIENT_NOTHING);
    for (guint i = 0; i < r->speakers; i++)
      r->heard[i] +=
          received.kind == HUB_CLIENT_RTP && received.ssrc == r->ssrc[i];
  }
  fail_unless_equals_int (r->m.clients[r->speakers].unauthentic, 0);
}

GST_START_TEST (only_the_loudest_are_heard)
{
  Room r;

  room_open (&r, 5, 2);
  speak (&r, (const guint8[]){ 127, 127, 127, 127, 127 }, 5);
  hear (&r);
  speak (&r, (const guint8[]){ 80, 30, 70, 20, 90 }, 60);
  hear (&r);
  speak (&r, (const guint8[]){ 80, 30, 70, 20, 90 }, 20);
  hear (&r);
  fail_unless_equals_int (r.heard[1], 20);
  fail_unless_equals_int (r.heard[3], 20);
  fail_unless_equals_int (r.heard[0] + r.heard[2] + r.heard[4], 0);
  HubTrackStats stats;
  hub_track_stats (r.tracks[1], &stats);
  fail_if (stats.muted);
  hub_track_stats (r.tracks[2], &stats);
  fail_unless (stats.muted);
  meeting_close (&r.m);
}
GST_END_TEST;

GST_START_TEST (all_are_heard_while_there_are_places_or_no_limit)
{
  Room r;
  static const guint n[] = { 0, 5 };

  room_open (&r, 5, n[__i__]);
  speak (&r, (const guint8[]){ 127, 90, 60, 30, 1 }, 10);
  hear (&r);
  for (guint i = 0; i < 5; i++)
    fail_unless_equals_int (r.heard[i], 10);
  meeting_close (&r.m);
}
GST_END_TEST;

GST_START_TEST (a_little_louder_is_not_enough)
{
  Room r;

  room_open (&r, 3, 1);
  speak (&r, (const guint8[]){ 30, 127, 127 }, 50);
  hear (&r);
  fail_unless_equals_int (r.heard[0], 50);
  speak (&r, (const guint8[]){ 30, 27, 127 }, 50);
  hear (&r);
  fail_unless_equals_int (r.heard[0], 50);
  fail_unless_equals_int (r.heard[1], 0);
  speak (&r, (const guint8[]){ 30, 20, 127 }, 50);
  hear (&r);
  fail_unless (r.heard[1] > 40, "%u", r.heard[1]);
  /* Nor back at once: places are kept for half a second. */
  speak (&r, (const guint8[]){ 30, 60, 127 }, 1);
  hear (&r);
  fail_unless_equals_int (r.heard[0], 0);
  meeting_close (&r.m);
}
GST_END_TEST;

GST_START_TEST (who_falls_silent_without_packets_loses_the_place)
{
  Room r;

  room_open (&r, 2, 1);
  speak (&r, (const guint8[]){ 10, 255 }, 50);
  speak (&r, (const guint8[]){ 255, 60 }, 50);
  hear (&r);
  fail_unless (r.heard[1] >= 20 && r.heard[1] <= 30, "%u", r.heard[1]);
  meeting_close (&r.m);
}
GST_END_TEST;

GST_START_TEST (a_track_that_ends_gives_its_place_away)
{
  Room r;

  room_open (&r, 2, 1);
  speak (&r, (const guint8[]){ 10, 127 }, 10);
  hub_forwarder_unpublish (r.m.forwarder, r.tracks[0]);
  meeting_settle (&r.m);
  speak (&r, (const guint8[]){ 255, 90 }, 10);
  hear (&r);
  fail_unless_equals_int (r.heard[1], 10);
  meeting_close (&r.m);
}
GST_END_TEST;

/* The receiver has never been told a ROC, and yet reads the first packet after hours of being muted. */
GST_START_TEST (a_muted_stream_does_not_lose_its_roc)
{
  Room r;
  Meeting *m = &r.m;

  room_open (&r, 2, 1);
  speak (&r, (const guint8[]){ 10, 127 }, 10);
  for (guint64 index = 100; index < 3 * 65536; index += 500) {
    say_at (&r, 1, index, 127);
    if (index % 16 == 4)
      meeting_settle (m);
  }
  r.index[1] = 3 * 65536;
  meeting_settle (m);
  hear (&r);
  fail_unless (r.heard[1] >= 20 && r.heard[1] <= 26, "%u", r.heard[1]);
  speak (&r, (const guint8[]){ 255, 10 }, 40);
  hear (&r);
  fail_unless (r.heard[1] > 10, "%u", r.heard[1]);
  meeting_close (m);
}
GST_END_TEST;

static HubMediaEvent
last_speakers (Meeting *m)
{
  HubMediaEvent event = { 0 };
  fail_unless (meeting_take_event (m, HUB_MEDIA_EVENT_SPEAKERS, m->room, &event));
  while (meeting_take_event (m, HUB_MEDIA_EVENT_SPEAKERS, m->room, &event))
    continue;
  return event;
}

GST_START_TEST (speakers_are_told_loudest_first_when_they_change)
{
  Room r;
  Meeting *m = &r.m;

  room_open (&r, 4, 3);
  speak (&r, (const guint8[]){ 127, 40, 20, 90 }, 50);
  HubMediaEvent event = last_speakers (m);
  fail_unless_equals_int (event.n_speakers, 2);
  fail_unless (event.speakers[0] == r.tracks[2]);
  fail_unless (event.speakers[1] == r.tracks[1]);
  /* The same again is not told again. */
  speak (&r, (const guint8[]){ 127, 40, 20, 90 }, 50);
  fail_if (meeting_take_event (m, HUB_MEDIA_EVENT_SPEAKERS, NULL, NULL));
  speak (&r, (const guint8[]){ 127, 10, 30, 90 }, 50);
  event = last_speakers (m);
  fail_unless_equals_int (event.n_speakers, 2);
  fail_unless (event.speakers[0] == r.tracks[1]);
  meeting_advance (m, 2 * S);
  event = last_speakers (m);
  fail_unless_equals_int (event.n_speakers, 0);
  meeting_close (m);
}
GST_END_TEST;

static Suite *
hub_speakers_suite (void)
{
  Suite *suite = suite_create ("hub-speakers");
  TCase *tc = tcase_create ("speakers");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, only_the_loudest_are_heard);
  tcase_add_loop_test (
      tc, all_are_heard_while_there_are_places_or_no_limit, 0, 2);
  tcase_add_test (tc, a_little_louder_is_not_enough);
  tcase_add_test (tc, who_falls_silent_without_packets_loses_the_place);
  tcase_add_test (tc, a_track_that_ends_gives_its_place_away);
  tcase_add_test (tc, a_muted_stream_does_not_lose_its_roc);
  tcase_add_test (tc, speakers_are_told_loudest_first_when_they_change);
  return suite;
}

PURE_CHECK_MAIN (hub_speakers)

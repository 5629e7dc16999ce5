/* A hub that says nothing, or suppresses, or drips: who notices, when, and by what name.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session-meeting.h"

static gboolean
drop_all (World *w, int from, const HubFrame *frame)
{
  return TRUE;
}

GST_START_TEST (silence_is_stale_at_30_and_stops_sending_at_60_seconds)
{
  World *w = meeting (2);
  world_run (w, 20000); /* to the time of a heartbeat */
  forget_events (w);
  guint64 start = w->now;
  w->drop = drop_all;
  world_run (w, 5000 + 200);
  fail_unless (w->now - start == 5200);
  world_run (w, 24000);
  fail_if (session_is_stale (of (w, 1)) && w->now - start < 20000);
  world_run (w, 2000);
  fail_unless (session_is_stale (of (w, 1)));
  fail_if (session_is_silenced (of (w, 1)));
  world_run (w, 60000 - (w->now - start) + 1000);
  fail_unless (session_is_silenced (of (w, 1)));
  fail_if (session_is_stale (of (w, 0)), "a sole admin is exempt");
  /* A good one makes it well. */
  w->drop = NULL;
  world_run (w, 11000);
  fail_if (session_is_stale (of (w, 1)) || session_is_silenced (of (w, 1)));
  fail_if (last_event (w, 1, SESSION_EVENT_SILENCED)->on);
  world_free (w);
}
GST_END_TEST;

static gboolean
suppress_a_removal (World *w, int from, const HubFrame *frame)
{
  gsize len = g_bytes_get_size (frame->message);
  /* Heartbeats and `removed` differ in length no more than their padding lets: the hub goes by what comes first. */
  static gboolean removing;
  if (frame->seq == G_MAXUINT64)
    removing = FALSE;
  removing |= frame->kind == WIRE_COMMIT;
  return frame->kind == WIRE_COMMIT || (removing && len > 100000);
}

GST_START_TEST (a_suppressed_removal_stops_the_meeting_within_65_seconds)
{
  World *w = meeting (2);
  world_run (w, 5000);
  HubFrame reset = { G_MAXUINT64, WIRE_APPLICATION, g_bytes_new ("", 0) };
  suppress_a_removal (w, 0, &reset);
  g_bytes_unref (reset.message);
  w->drop = suppress_a_removal;
  guint64 start = w->now;
  fail_unless (session_remove (of (w, 0), client_key (w, 2)));
  world_run (w, 6000);
  fail_unless (last_event (w, 0, SESSION_EVENT_UNDELIVERED)->on);
  while (!session_is_silenced (of (w, 1)) && w->now - start < 100000)
    world_run (w, 100);
  fail_unless (w->now - start <= 65000,
      "silent only after %" G_GUINT64_FORMAT " ms", w->now - start);
  fail_unless (w->now - start >= 50000);
  world_free (w);
}
GST_END_TEST;

/* Lets nothing of client 1 through. */
static gboolean
drop_client_1 (World *w, int from, const HubFrame *frame)
{
  return from == 1;
}

GST_START_TEST (an_unheard_admin_is_a_split_by_name)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 20000);
  forget_events (w);
  w->drop = drop_client_1;
  world_run (w, 25000);
  fail_unless_equals_uint64 (count_events (w, 2, SESSION_EVENT_SPLIT), 0);
  world_run (w, 16000);
  SessionEvent *event = last_event (w, 2, SESSION_EVENT_SPLIT);
  fail_unless (event && event->on);
  fail_unless (
      memcmp (event->member.key, client_key (w, 1), IDENTITY_KEY_LEN) == 0);
  fail_if (session_is_stale (of (w, 2)));
  /* The host hears no other admin: its meeting is stale. */
  fail_unless (session_is_stale (of (w, 0)));
  w->drop = NULL;
  world_run (w, 11000);
  fail_if (last_event (w, 2, SESSION_EVENT_SPLIT)->on);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (dripped_heartbeats_are_stale)
{
  World *w = meeting (1);
  world_run (w, 12000);
  HubPlace *place = client_place (w, 1);
  guint64 start = w->now, stale = 0, silent = 0;
  /* The hub gives client 1 one frame every 25 s, in order: each is later than the one before. */
  place->member = FALSE;
  for (int i = 0; i < 5; i++) {
    for (int k = 0; k < 25; k++) {
      world_run (w, 1000);
      if (stale == 0 && session_is_stale (of (w, 1)))
        stale = w->now - start;
      if (silent == 0 && session_is_silenced (of (w, 1)))
        silent = w->now - start;
    }
    HubFrame frame = g_array_index (w->hub.log, HubFrame, place->sent++);
    hub_give (w, place, &frame);
  }
  /* Counted from a last good one that came up to 10 s before. */
  fail_unless (stale >= 20000 && stale <= 60000);
  fail_unless (silent >= 50000 && silent <= 90000);
  world_free (w);
}
GST_END_TEST;

static Suite *
session_heartbeat_suite (void)
{
  Suite *s = suite_create ("session-heartbeat");
  TCase *tc = tcase_create ("heartbeat");

  tcase_set_timeout (tc, 60);
  tcase_add_checked_fixture (tc, world_set_up, world_tear_down);
  suite_add_tcase (s, tc);
  tcase_add_test (
      tc, silence_is_stale_at_30_and_stops_sending_at_60_seconds);
  tcase_add_test (
      tc, a_suppressed_removal_stops_the_meeting_within_65_seconds);
  tcase_add_test (tc, an_unheard_admin_is_a_split_by_name);
  tcase_add_test (tc, dripped_heartbeats_are_stale);
  return s;
}

PURE_CHECK_MAIN (session_heartbeat)

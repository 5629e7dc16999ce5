/* A meeting goes on: commits, restarts, hand-overs, hubs that forget or suppress, in virtual time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session-hub.h"

static SessionConfig
owner_config (void)
{
  return (SessionConfig){ .owner = true,
    .display_name = "Host",
    .password = pw,
    .policy = { .admission = ADMISSION_PASSWORD } };
}

static SessionConfig
guest_config (const char *name)
{
  return (SessionConfig){ .display_name = name, .password = pw };
}

static int
start_again (World *w, int before, SessionConfig config)
{
  config.identity = w->clients[before].identity;
  int i = world_add (w, config);
  g_free (w->clients[i].source);
  w->clients[i].source = g_strdup (w->clients[before].source);
  return i;
}

static Session *
of (World *w, int i)
{
  return w->clients[i].session;
}

/* A host, who is client 0, and `n` participants. */
static World *
meeting (int n)
{
  World *w = world_new ();
  world_add (w, owner_config ());
  world_run (w, 100);
  for (int i = 0; i < n; i++) {
    g_autofree char *name = g_strdup_printf ("Guest %d", i + 1);
    world_add (w, guest_config (name));
  }
  world_run (w, 1000);
  for (int i = 0; i <= n; i++)
    fail_unless_state (w, i, SESSION_MEMBER);
  return w;
}

static void
say_track (World *w, int i, guint32 ssrc)
{
  Track track = { session_free_track (of (w, i)), MEDIA_AUDIO, ssrc, 0,
    (char *) "OPUS", (char *) "" };
  fail_unless (session_track (of (w, i), &track));
}

GST_START_TEST (who_says_bye_is_removed_and_who_vanishes_too)
{
  World *w = meeting (3);
  fail_unless (session_leave (of (w, 1)));
  world_run (w, 100);
  fail_unless_state (w, 1, SESSION_LEFT);
  world_run (w, 400);
  check_members (w, 0, 2, 3);
  fail_unless_equals_int (
      last_event (w, 2, SESSION_EVENT_LEFT)->reason, LEFT_BY_ITSELF);
  world_crash (w, 2);
  world_run (w, 29000);
  fail_unless_equals_uint64 (session_members (of (w, 0)), 3);
  world_run (w, 2000);
  check_members (w, 0, 3);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_lost_connection_resumes_without_a_commit)
{
  World *w = meeting (2);
  guint64 epoch = session_epoch (of (w, 0));
  w->clients[1].offline = TRUE;
  client_cut (w, 1);
  fail_unless (session_rotate (of (w, 0)));
  fail_unless (session_chat (of (w, 2), "while you were away"));
  world_run (w, 20000);
  fail_unless_equals_uint64 (session_epoch (of (w, 1)), epoch);
  w->clients[1].offline = FALSE;
  world_run (w, 9000);
  check_members (w, 0, 1, 2);
  fail_unless_equals_uint64 (session_epoch (of (w, 1)), epoch + 1);
  fail_unless_equals_string (
      last_event (w, 1, SESSION_EVENT_MESSAGE)->message.chat,
      "while you were away");
  fail_unless_equals_uint64 (session_stats (of (w, 1)).rejoins, 0);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (what_the_hub_gave_out_is_of_a_place_in_a_room)
{
  World *w = meeting (1);
  guint64 peer = 0, other = 0;
  guint8 room[LIMIT_ROOM], later[LIMIT_ROOM];

  fail_unless (session_place (of (w, 1), &peer, room));
  client_cut (w, 1);
  fail_if (session_place (of (w, 1), &other, later));
  world_run (w, 5000);
  fail_unless (session_place (of (w, 1), &other, later));
  fail_unless_equals_uint64 (other, peer);
  fail_unless (memcmp (later, room, LIMIT_ROOM) == 0);
  world_restart_hub (w);
  world_run (w, 15000);
  fail_unless (session_place (of (w, 1), &other, later));
  fail_unless (memcmp (later, room, LIMIT_ROOM) != 0);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (who_lost_the_hub_tries_again_at_least_every_three_seconds)
{
  World *w = meeting (1);
  Session *session = of (w, 1);
  guint64 now = w->now, last = 0;
  SessionOutput output;

  for (guint i = 0; i < 12; i++) {
    guint tries = 0;
    session_tick (session, now, now);
    session_disconnected (session);
    last = session_deadline (session) - now;
    fail_unless (
        last > 0 && last <= 3000, "try %u after %" G_GUINT64_FORMAT, i, last);
    now += last;
    session_tick (session, now, now);
    while (session_next_output (session, &output)) {
      tries += output.type == SESSION_CONNECT;
      session_output_clear (&output);
    }
    fail_unless_equals_int (tries, 1);
  }
  fail_unless_equals_uint64 (last, 3000);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_restarted_member_takes_its_old_leafs_place)
{
  World *w = meeting (2);
  world_crash (w, 1);
  int again = start_again (w, 1, guest_config ("Guest 1"));
  world_run (w, 1000);
  check_members (w, 0, 2, again);
  /* The place of the old connection lapses later; the member stays. */
  world_run (w, 60000);
  check_members (w, 0, 2, again);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (of_two_admins_commits_one_wins_and_both_are_done)
{
  World *w = meeting (3);
  fail_unless (session_promote (of (w, 0), client_key (w, 1)));
  world_run (w, 2000);
  check_members (w, 0, 1, 2, 3);
  fail_unless_equals_uint64 (session_policy (of (w, 3))->n_admins, 1);
  guint64 epoch = session_epoch (of (w, 0));

  fail_unless (session_lock (of (w, 0), true));
  fail_unless (session_remove (of (w, 1), client_key (w, 3)));
  world_run (w, 1000);
  check_members (w, 0, 1, 2);
  fail_unless (session_policy (of (w, 2))->locked);
  fail_unless_equals_uint64 (session_epoch (of (w, 0)), epoch + 2);
  fail_unless_state (w, 3, SESSION_REMOVED);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_co_host_lets_in_by_its_chain_when_the_host_is_away)
{
  World *w = meeting (1);
  char uri[LINK_SIZE];
  fail_unless (session_link_text (of (w, 0), uri));
  fail_unless (session_promote (of (w, 0), client_key (w, 1)));
  world_run (w, 2000);
  w->clients[0].offline = TRUE;
  client_cut (w, 0);
  SessionConfig config = guest_config ("Late");
  config.uri = uri;
  int late = world_add (w, config);
  world_run (w, 2000);
  fail_unless_state (w, late, SESSION_MEMBER);
  fail_unless (session_host_verified (of (w, late)));
  w->clients[0].offline = FALSE;
  world_run (w, 9000);
  check_members (w, 0, 1, late);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_demoted_co_host_can_not_commit)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  fail_if (session_demote (of (w, 1), client_key (w, 0)));
  fail_if (session_remove (of (w, 1), client_key (w, 0)));
  fail_unless (session_demote (of (w, 0), client_key (w, 1)));
  world_run (w, 1000);
  fail_unless_equals_uint64 (session_policy (of (w, 2))->n_admins, 0);
  fail_if (session_lock (of (w, 1), true));
  fail_if (session_rotate (of (w, 1)));
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_removed_co_host_is_no_admin_any_more)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  fail_unless (session_remove (of (w, 0), client_key (w, 1)));
  world_run (w, 1000);
  check_members (w, 0, 2);
  fail_unless_equals_uint64 (session_policy (of (w, 0))->n_admins, 0);
  int again = start_again (w, 1, guest_config ("Guest 1"));
  world_run (w, 1000);
  fail_unless_state (w, again, SESSION_DENIED);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (the_owner_hands_over_and_the_new_one_lets_in)
{
  World *w = meeting (2);
  char uri[LINK_SIZE];
  fail_unless (session_link_text (of (w, 0), uri));
  fail_unless (session_hand_over (of (w, 0), client_key (w, 2)));
  world_run (w, 2000);
  check_members (w, 0, 1, 2);
  SessionMember member;
  fail_unless (session_find_member (of (w, 1), client_key (w, 2), &member));
  fail_unless (member.owner);
  fail_unless (session_find_member (of (w, 1), client_key (w, 0), &member));
  fail_unless (member.admin && !member.owner);
  fail_if (session_promote (of (w, 0), client_key (w, 1)));
  fail_unless (session_promote (of (w, 2), client_key (w, 1)));
  world_run (w, 2000);
  /* Whom the second owner named lets in whom the first one's link was given to. */
  w->clients[0].offline = w->clients[2].offline = TRUE;
  client_cut (w, 0);
  client_cut (w, 2);
  SessionConfig config = guest_config ("Late");
  config.uri = uri;
  int late = world_add (w, config);
  world_run (w, 2000);
  fail_unless_state (w, late, SESSION_MEMBER);
  fail_unless (session_host_verified (of (w, late)));
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (an_owner_who_leaves_hands_over_to_the_longest_present)
{
  World *w = meeting (1);
  int late = world_add (w, guest_config ("Late"));
  world_run (w, 1000);
  Policy policy = *session_policy (of (w, 0));
  policy.hand_over = HAND_OVER_LONGEST_PRESENT;
  fail_unless (session_set_policy (of (w, 0), &policy));
  world_run (w, 1000);
  fail_unless (session_leave (of (w, 0)));
  world_run (w, 6000);
  fail_unless_state (w, 0, SESSION_LEFT);
  check_members (w, 1, late);
  fail_unless (
      policy_is_owner (session_policy (of (w, 1)), client_key (w, 1)));
  int more = world_add (w, guest_config ("More"));
  world_run (w, 1000);
  check_members (w, 1, late, more);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (the_owner_ends_the_meeting_for_all)
{
  World *w = meeting (2);
  fail_if (session_end (of (w, 1)));
  fail_unless (session_leave (of (w, 0)));
  world_run (w, 100);
  for (int i = 0; i < 3; i++) {
    fail_unless_state (w, i, SESSION_ENDED);
    fail_unless (session_policy (of (w, i)) == NULL);
    fail_unless_equals_uint64 (session_members (of (w, i)), 0);
    fail_unless_equals_uint64 (session_deadline (of (w, i)), G_MAXUINT64);
  }
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (keys_change_by_themselves)
{
  World *w = meeting (1);
  guint64 epoch = session_epoch (of (w, 0));
  world_run (w, LIMIT_REKEY_MS + 1000);
  fail_unless_equals_uint64 (session_epoch (of (w, 0)), epoch + 1);
  check_members (w, 0, 1);
  world_free (w);
}
GST_END_TEST;

/* ---- The host and the hub go ---- */

GST_START_TEST (a_crashed_owner_comes_back_to_its_group_by_a_co_host)
{
  World *w = meeting (2);
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  session_lock (of (w, 0), true);
  world_run (w, 500);
  world_crash (w, 0);
  int again = start_again (w, 0, owner_config ());
  world_run (w, 3000);
  check_members (w, 1, 2, again);
  fail_unless (session_lock (of (w, again), false));
  world_run (w, 500);
  fail_if (session_policy (of (w, 1))->locked);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_crashed_sole_owner_reopens_and_members_follow)
{
  World *w = meeting (2);
  SessionEvent *record = last_event (w, 0, SESSION_EVENT_RECORD);
  GBytes *kept = g_bytes_new (record->record.data, record->record.len);
  guint64 opened = session_policy (of (w, 0))->opened;
  guint8 group[DOOR_GROUP_ID_LEN];
  memcpy (group, session_group_id (of (w, 0)), sizeof group);
  world_crash (w, 0);
  SessionConfig config = owner_config ();
  /* Under a waiting room: keys in the record are let in without. */
  config.policy.admission = ADMISSION_WAITING_ROOM;
  config.record = g_bytes_get_data (kept, &config.record_len);
  int again = start_again (w, 0, config);
  world_run (w, 3000);
  check_members (w, 1, 2, again);
  fail_unless (session_policy (of (w, 1))->opened > opened);
  fail_if (memcmp (session_group_id (of (w, 1)), group, sizeof group) == 0);
  g_bytes_unref (kept);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (reopened_is_obeyed_only_from_the_owner_and_only_later)
{
  World *w = meeting (1);
  const char *meeting_name = "standup";
  guint8 group[DOOR_GROUP_ID_LEN] = { 1 };
  guint64 opened = session_policy (of (w, 1))->opened;
  WireMessage m = { .type = WIRE_REOPENED };
  HubPlace *place = client_place (w, 1);
  memcpy (m.reopened.group_id, group, sizeof group);

  m.reopened.opened = opened + 1;
  wire_sign_reopened (
      w->clients[1].identity, meeting_name, opened + 1, group, m.reopened.sig);
  hub_send (w, place, &m);
  fail_unless_state (w, 1, SESSION_MEMBER);
  m.reopened.opened = opened;
  wire_sign_reopened (
      w->clients[0].identity, meeting_name, opened, group, m.reopened.sig);
  hub_send (w, place, &m);
  fail_unless_state (w, 1, SESSION_MEMBER);
  m.reopened.opened = opened + 1;
  wire_sign_reopened (
      w->clients[0].identity, meeting_name, opened + 1, group, m.reopened.sig);
  hub_send (w, place, &m);
  fail_unless_state (w, 1, SESSION_REJOINING);
  /* The owner itself offers another one: that is where it is. */
  world_run (w, 30000);
  check_members (w, 0, 1);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_co_host_can_not_lead_into_another_group_than_reopened_names)
{
  World *w = meeting (2);
  guint8 group[DOOR_GROUP_ID_LEN] = { 1 };
  guint64 opened = session_policy (of (w, 1))->opened + 1;
  WireMessage m = { .type = WIRE_REOPENED };
  session_promote (of (w, 0), client_key (w, 1));
  world_run (w, 2000);
  w->clients[0].offline = TRUE;
  client_cut (w, 0);
  memcpy (m.reopened.group_id, group, sizeof group);
  m.reopened.opened = opened;
  wire_sign_reopened (
      w->clients[0].identity, "standup", opened, group, m.reopened.sig);
  hub_send (w, client_place (w, 2), &m);
  world_run (w, 20000);
  fail_unless_state (w, 2, SESSION_REJOINING);
  fail_unless (session_stats (of (w, 1)).replies > 0);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (after_a_hub_restart_all_are_there_again_without_a_commit)
{
  World *w = meeting (3);
  session_promote (of (w, 0), client_key (w, 2));
  world_run (w, 2000);
  guint64 epoch = session_epoch (of (w, 0));
  world_restart_hub (w);
  world_run (w, 5000);
  check_members (w, 0, 1, 2, 3);
  fail_unless_equals_uint64 (session_epoch (of (w, 0)), epoch);
  for (int i = 0; i < 4; i++)
    fail_unless_equals_uint64 (session_stats (of (w, i)).rejoins, 0);
  fail_unless (session_chat (of (w, 1), "still here"));
  world_run (w, 100);
  fail_unless_equals_string (
      last_event (w, 3, SESSION_EVENT_MESSAGE)->message.chat, "still here");
  int late = world_add (w, guest_config ("Late"));
  world_run (w, 1000);
  check_members (w, 0, 1, 2, 3, late);
  world_free (w);
}
GST_END_TEST;

static int withheld_from;

static gboolean
withhold_commits (World *w, int to, const HubFrame *frame)
{
  return to != withheld_from && frame->kind == WIRE_COMMIT;
}

GST_START_TEST (a_hub_that_dies_with_a_half_delivered_commit_parts_nobody)
{
  /* Each time somebody else has seen the commit that the others have not: its author, a co-host, a participant. */
  for (withheld_from = 0; withheld_from < 3; withheld_from++) {
    World *w = meeting (3);
    session_promote (of (w, 0), client_key (w, 1));
    world_run (w, 2000);
    w->withhold = withhold_commits;
    fail_unless (session_remove (of (w, 0), client_key (w, 3)));
    world_settle (w);
    w->withhold = NULL;
    world_restart_hub (w);
    world_run (w, 9000);
    check_members (w, 0, 1, 2);
    world_free (w);
  }
}
GST_END_TEST;

static gboolean
withhold_from_one (World *w, int to, const HubFrame *frame)
{
  return to == withheld_from && frame->kind == WIRE_COMMIT;
}

GST_START_TEST (who_misses_a_commit_asks_again_and_then_knocks)
{
  World *w = meeting (2);
  withheld_from = 1;
  w->withhold = withhold_from_one;
  fail_unless (session_rotate (of (w, 0)));
  fail_unless (session_chat (of (w, 2), "in the new epoch"));
  world_run (w, 100);
  fail_unless (session_chat (of (w, 2), "in the new epoch"));
  world_run (w, 1000);
  w->withhold = NULL;
  world_run (w, 8000);
  check_members (w, 0, 1, 2);
  world_free (w);
}
GST_END_TEST;

/* ---- Heartbeats ---- */

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

/* ---- Media keys ---- */

static gboolean
is_open (World *w, int at, int whose, guint32 track, guint64 epoch)
{
  char key[2 * IDENTITY_KEY_LEN + 1];
  sodium_bin2hex (key, sizeof key, client_key (w, whose), IDENTITY_KEY_LEN);
  g_autofree char *name =
      g_strdup_printf ("%s/%u/%" G_GUINT64_FORMAT, key, track, epoch);
  return g_hash_table_contains (w->clients[at].keys, name);
}

GST_START_TEST (media_keys_open_and_close_at_their_times)
{
  World *w = meeting (2);
  say_track (w, 1, 1111);
  world_run (w, 100);
  guint64 epoch = session_epoch (of (w, 0));
  fail_unless (is_open (w, 0, 1, 0, epoch) && is_open (w, 1, 1, 0, epoch));
  SessionEvent *key = last_event (w, 0, SESSION_EVENT_KEY_OPENED),
               *own = last_event (w, 1, SESSION_EVENT_KEY_OPENED);
  fail_unless (own->key.own && !key->key.own && key->key.kid == own->key.kid);
  fail_unless (secret_equal (key->key.base_key, own->key.base_key));
  guint64 kid;
  fail_unless (sframe_mls_kid (epoch, 8, key->key.leaf, 10, 0, &kid));
  fail_unless_equals_uint64 (kid, key->key.kid);

  /* The sender uses the new epoch at merge; receivers take the old one for 10 s, */
  session_rotate (of (w, 0));
  world_run (w, 9900);
  fail_unless (is_open (w, 0, 1, 0, epoch) && is_open (w, 0, 1, 0, epoch + 1));
  fail_if (is_open (w, 1, 1, 0, epoch));
  fail_unless (is_open (w, 1, 1, 0, epoch + 1));
  world_run (w, 200);
  fail_if (is_open (w, 0, 1, 0, epoch));

  /* or for 1 s after the first frame of the new one, */
  session_rotate (of (w, 0));
  world_run (w, 500);
  session_heard (of (w, 0), key->key.leaf, 0, epoch + 2);
  world_run (w, 900);
  fail_unless (is_open (w, 0, 1, 0, epoch + 1));
  world_run (w, 200);
  fail_if (is_open (w, 0, 1, 0, epoch + 1));
  fail_unless (is_open (w, 2, 1, 0, epoch + 1));

  /* and for 2 s when somebody was removed. */
  session_remove (of (w, 0), client_key (w, 2));
  world_run (w, 1900);
  fail_unless (is_open (w, 0, 1, 0, epoch + 2));
  world_run (w, 200);
  fail_if (is_open (w, 0, 1, 0, epoch + 2));
  fail_unless_equals_uint64 (g_hash_table_size (w->clients[2].keys), 0);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (epochs_with_equal_low_bits_are_never_open_together)
{
  World *w = world_new ();
  SessionConfig config = owner_config ();
  config.policy.epoch_bits = 1;
  world_add (w, config);
  world_run (w, 100);
  world_add (w, guest_config ("Ann"));
  world_run (w, 500);
  say_track (w, 1, 5);
  world_run (w, 100);
  guint64 epoch = session_epoch (of (w, 0));
  for (int i = 0; i < 2; i++) {
    session_rotate (of (w, 0));
    world_run (w, 100);
  }
  fail_unless (
      is_open (w, 0, 1, 0, epoch + 2) && is_open (w, 0, 1, 0, epoch + 1));
  fail_if (is_open (w, 0, 1, 0, epoch));
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_removed_leafs_tracks_end_with_the_commit)
{
  World *w = meeting (2);
  say_track (w, 1, 1111);
  say_track (w, 2, 2222);
  world_run (w, 100);
  session_remove (of (w, 0), client_key (w, 2));
  world_settle (w);
  fail_unless_equals_uint64 (
      count_events (w, 1, SESSION_EVENT_TRACK_ENDED), 1);
  fail_if (is_open (w, 1, 2, 0, session_epoch (of (w, 1))));
  fail_if (is_open (w, 1, 2, 0, session_epoch (of (w, 1)) - 1));
  fail_unless (is_open (w, 0, 1, 0, session_epoch (of (w, 1))));

  /* Who takes the leaf has no keys of the time before. */
  int late = world_add (w, guest_config ("Late"));
  session_release_admission (of (w, 0));
  world_run (w, 300);
  say_track (w, late, 3333);
  world_run (w, 100);
  fail_unless (is_open (w, 1, late, 0, session_epoch (of (w, 1))));
  fail_if (is_open (w, 1, late, 0, session_epoch (of (w, 1)) - 1));
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (tracks_are_told_to_who_joins_and_refused_where_they_lie)
{
  World *w = meeting (2);
  say_track (w, 1, 1111);
  world_run (w, 100);
  int late = world_add (w, guest_config ("Late"));
  SessionConfig config = guest_config ("Listener");
  config.role = ROLE_LISTENER;
  int listener = world_add (w, config);
  world_run (w, 1000);
  fail_unless_equals_uint64 (count_events (w, late, SESSION_EVENT_TRACK), 1);
  fail_unless (is_open (w, late, 1, 0, session_epoch (of (w, late))));
  /* A track across the join, in the epoch before it, comes too. */
  Track track = { 0, MEDIA_AUDIO, 9999, 0, (char *) "OPUS", (char *) "" };
  fail_if (session_track (of (w, listener), &track));
  /* Another's SSRC. */
  track.ssrc = 1111;
  fail_if (session_track (of (w, 2), &track));
  /* A number that was used. */
  fail_unless (session_untrack (of (w, 1), 0));
  track.ssrc = 7777;
  fail_if (session_track (of (w, 1), &track));
  world_run (w, 100);
  fail_unless_equals_uint64 (
      count_events (w, late, SESSION_EVENT_TRACK_ENDED), 1);
  world_free (w);
}
GST_END_TEST;

static int joining;

/* The commit that adds somebody is ordered before what was said at the same time. */
static gboolean
say_at_commit (World *w, int from, const HubFrame *frame)
{
  if (frame->kind == WIRE_COMMIT && joining == 1) {
    joining = 2;
    fail_unless (session_chat (of (w, 1), "across the join"));
    client_pump (w, 1);
  }
  return FALSE;
}

GST_START_TEST (what_is_said_across_a_join_is_heard_once_by_all)
{
  World *w = meeting (2);
  joining = 1;
  w->drop = say_at_commit;
  world_run (w, 1);
  int late = world_add (w, guest_config ("Late"));
  world_run (w, 200);
  forget_events (w);
  /* Once more, ordered behind the commit: the sender sends it again in the new epoch. */
  joining = 0;
  w->drop = NULL;
  session_rotate (of (w, 0));
  session_chat (of (w, 1), "twice on the wire");
  world_run (w, 500);
  for (int i = 0; i < w->n; i++)
    fail_unless_equals_uint64 (count_events (w, i, SESSION_EVENT_MESSAGE), 1);
  fail_unless_equals_string (
      last_event (w, late, SESSION_EVENT_MESSAGE)->message.chat,
      "twice on the wire");
  world_free (w);
}
GST_END_TEST;

/* ---- Recording ---- */

GST_START_TEST (a_recorder_asks_and_records_when_all_agree)
{
  World *w = meeting (1);
  SessionConfig config = guest_config ("Recorder");
  config.role = ROLE_RECORDER;
  int recorder = world_add (w, config);
  world_run (w, 500);
  session_admit (of (w, 0), last_event (w, 0, SESSION_EVENT_KNOCK)->peer);
  world_run (w, 500);
  check_members (w, 0, 1, recorder);
  fail_if (session_recording (of (w, recorder), RECORDING_ON));
  fail_unless (session_recording (of (w, recorder), RECORDING_ASK));
  world_run (w, 100);
  fail_unless (session_consent (of (w, 0), client_key (w, recorder), true));
  world_run (w, 100);
  fail_if (session_recording (of (w, recorder), RECORDING_ON));
  fail_unless (session_consent (of (w, 1), client_key (w, recorder), false));
  world_run (w, 100);
  fail_if (session_recording (of (w, recorder), RECORDING_ON));
  fail_unless (session_consent (of (w, 1), client_key (w, recorder), true));
  world_run (w, 100);
  fail_unless (session_recording (of (w, recorder), RECORDING_ON));
  world_run (w, 100);
  SessionMember member;
  fail_unless (
      session_find_member (of (w, 1), client_key (w, recorder), &member));
  fail_unless_equals_int (member.recording, RECORDING_ON);
  /* A participant may not. */
  fail_if (session_recording (of (w, 1), RECORDING_ON));
  world_free (w);
}
GST_END_TEST;

static Suite *
session_group_suite (void)
{
  Suite *s = suite_create ("session-group");
  TCase *tc = tcase_create ("group");

  tcase_set_timeout (tc, 60);
  tcase_add_checked_fixture (tc, world_set_up, world_tear_down);
  suite_add_tcase (s, tc);
  tcase_add_test (tc, who_says_bye_is_removed_and_who_vanishes_too);
  tcase_add_test (tc, a_lost_connection_resumes_without_a_commit);
  tcase_add_test (tc, what_the_hub_gave_out_is_of_a_place_in_a_room);
  tcase_add_test (
      tc, who_lost_the_hub_tries_again_at_least_every_three_seconds);
  tcase_add_test (tc, a_restarted_member_takes_its_old_leafs_place);
  tcase_add_test (tc, of_two_admins_commits_one_wins_and_both_are_done);
  tcase_add_test (tc, a_co_host_lets_in_by_its_chain_when_the_host_is_away);
  tcase_add_test (tc, a_demoted_co_host_can_not_commit);
  tcase_add_test (tc, a_removed_co_host_is_no_admin_any_more);
  tcase_add_test (tc, the_owner_hands_over_and_the_new_one_lets_in);
  tcase_add_test (tc, an_owner_who_leaves_hands_over_to_the_longest_present);
  tcase_add_test (tc, the_owner_ends_the_meeting_for_all);
  tcase_add_test (tc, keys_change_by_themselves);
  tcase_add_test (tc, a_crashed_owner_comes_back_to_its_group_by_a_co_host);
  tcase_add_test (tc, a_crashed_sole_owner_reopens_and_members_follow);
  tcase_add_test (tc, reopened_is_obeyed_only_from_the_owner_and_only_later);
  tcase_add_test (
      tc, a_co_host_can_not_lead_into_another_group_than_reopened_names);
  tcase_add_test (
      tc, after_a_hub_restart_all_are_there_again_without_a_commit);
  tcase_add_test (
      tc, a_hub_that_dies_with_a_half_delivered_commit_parts_nobody);
  tcase_add_test (tc, who_misses_a_commit_asks_again_and_then_knocks);
  tcase_add_test (tc, silence_is_stale_at_30_and_stops_sending_at_60_seconds);
  tcase_add_test (
      tc, a_suppressed_removal_stops_the_meeting_within_65_seconds);
  tcase_add_test (tc, an_unheard_admin_is_a_split_by_name);
  tcase_add_test (tc, dripped_heartbeats_are_stale);
  tcase_add_test (tc, media_keys_open_and_close_at_their_times);
  tcase_add_test (tc, epochs_with_equal_low_bits_are_never_open_together);
  tcase_add_test (tc, a_removed_leafs_tracks_end_with_the_commit);
  tcase_add_test (tc, tracks_are_told_to_who_joins_and_refused_where_they_lie);
  tcase_add_test (tc, what_is_said_across_a_join_is_heard_once_by_all);
  tcase_add_test (tc, a_recorder_asks_and_records_when_all_agree);
  return s;
}

PURE_CHECK_MAIN (session_group)

/* The hub's rooms: the door, places, admins. Order, log and replay are in hub-order.c, floods and lies in hub-hostile.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hub-rig.h"

static Rig *rig;
static Identity *owner, *deputy, *stranger;

static void
setup (void)
{
  rig = rig_new ();
  owner = identity_new ();
  deputy = identity_new ();
  stranger = identity_new ();
}

static void
teardown (void)
{
  check_sums (rig);
  rig_free (rig);
  identity_free (owner);
  identity_free (deputy);
  identity_free (stranger);
}

/* ---- Sources ---- */

GST_START_TEST (addresses_of_one_64_are_one_source_and_mapped_ones_are_ipv4)
{
  static const struct
  {
    const char *address, *source;
  } rows[] = {
    { "0a000001", "10.0.0.1" },
    { "00000000000000000000ffff0a000001", "10.0.0.1" },
    { "20010db8000100020000000000000001", "2001:db8:1:2::/64" },
    { "20010db800010002ffffffffffffffff", "2001:db8:1:2::/64" },
    { "20010db8000100030000000000000001", "2001:db8:1:3::/64" },
    { "0a0000", NULL },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GBytes) address = bytes_from_hex (rows[i].address);
    char text[HUB_SOURCE_TEXT];
    bool ok = hub_source (
        g_bytes_get_data (address, NULL), g_bytes_get_size (address), text);
    fail_unless_equals_int (ok, rows[i].source != NULL);
    if (ok)
      fail_unless_equals_string (text, rows[i].source);
  }
}
GST_END_TEST;

GST_START_TEST (a_connection_needs_a_meetings_name_and_a_source)
{
  fail_if (hub_connected (rig->hub, 1, "", "s"));
  fail_if (hub_connected (rig->hub, 1, "a b", "s"));
  fail_if (hub_connected (rig->hub, 1, MEETING, ""));
  fail_if (hub_connected (rig->hub, 0, MEETING, "s"));
  fail_unless (hub_connected (rig->hub, 1, MEETING, "s"));
  fail_if (hub_connected (rig->hub, 1, MEETING, "s"));
}
GST_END_TEST;

/* ---- The door ---- */

GST_START_TEST (
    hello_comes_first_with_a_place_a_challenge_and_a_token_of_its_own)
{
  Client *a = arrive (rig), *b = arrive (rig);
  fail_unless (a->peer != b->peer);
  fail_unless (memcmp (a->token, b->token, LIMIT_TOKEN) != 0);
  fail_unless (memcmp (a->challenge, b->challenge, LIMIT_CHALLENGE) != 0);
  fail_unless (a->peer <= LIMIT_NUMBER && b->peer <= LIMIT_NUMBER);
}
GST_END_TEST;

GST_START_TEST (a_knock_waits_until_an_admin_is_there)
{
  Client *joiner = arrive (rig);
  say_knock (rig, joiner);
  expect (joiner, WIRE_WAITING);
  Client *host = open_meeting (rig, owner, 0);
  expect_nothing (host); /* no credit yet */
  SAY (host, .type = WIRE_CREDITS, .credits = 1);
  fail_unless_equals_uint64 (expect (host, WIRE_KNOCK)->peer, joiner->peer);
  expect_nothing (joiner);
}
GST_END_TEST;

GST_START_TEST (a_joiner_is_led_from_knock_to_welcome)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  rig_events (rig, HUB_EVENT_ADMITTED, 0);
  prove (rig, host, joiner);
  SAY (host, .type = WIRE_WAITING, .peer = joiner->peer);
  expect (joiner, WIRE_WAITING);
  uint64_t seq = commit (rig, host, "add", "welcome");
  expect_nothing (joiner);
  say_admit (rig, host, joiner->peer);
  expect (joiner, WIRE_ADMIT);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_ADMITTED, 0), 0);
  say_admitted (rig, host, joiner->peer, seq);
  expect_admitted (joiner, seq, "welcome");
  expect_nothing (joiner);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_ADMITTED, 0), 1);
  fail_unless_equals_int (
      rig_events (rig, HUB_EVENT_AUDIT, HUB_AUDIT_ADMITTED), 1);
}
GST_END_TEST;

GST_START_TEST (
    a_label_is_one_for_a_source_another_for_each_meeting_and_no_address)
{
  Client *host = open_meeting (rig, owner, 16);
  g_autofree char *label = NULL, *other_source = NULL;
  say_knock (rig, arrive_from (rig, MEETING, "192.0.2.7"));
  label = g_strdup (expect (host, WIRE_KNOCK)->knock.source);
  say_knock (rig, arrive_from (rig, MEETING, "192.0.2.7"));
  fail_unless_equals_string (expect (host, WIRE_KNOCK)->knock.source, label);
  say_knock (rig, arrive_from (rig, MEETING, "192.0.2.8"));
  other_source = g_strdup (expect (host, WIRE_KNOCK)->knock.source);
  fail_unless (strcmp (label, other_source) != 0);
  fail_unless (strstr (label, "192") == NULL);
}
GST_END_TEST;

GST_START_TEST (nobody_but_the_knocks_admin_can_answer_it)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  name_admin (rig, host, deputy);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_opened (co);
  say_knock (rig, joiner);
  expect (host, WIRE_KNOCK);

  uint64_t unexpected = verdicts (rig, HUB_UNEXPECTED);
  say_reply (rig, co, joiner->peer);
  SAY (co, .type = WIRE_AGAIN, .peer = joiner->peer);
  SAY (co, .type = WIRE_ERROR, .peer = joiner->peer, .code = WIRE_CODE_DENIED);
  expect_nothing (joiner);
  fail_unless_equals_uint64 (verdicts (rig, HUB_UNEXPECTED), unexpected + 3);
  say_reply (rig, host, joiner->peer);
  expect (joiner, WIRE_REPLY);
}
GST_END_TEST;

GST_START_TEST (steps_of_a_run_come_once_and_in_their_order)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  say_proof (rig, joiner); /* without a run */
  say_knock (rig, joiner);
  expect (host, WIRE_KNOCK);
  say_proof (rig, joiner);             /* before the reply */
  say_admit (rig, host, joiner->peer); /* before the proof */
  SAY (host, .type = WIRE_WAITING, .peer = joiner->peer);
  say_admitted (rig, host, joiner->peer, 1); /* before anything */
  say_admitted (rig, host, joiner->peer, 0);
  say_admitted (rig, host, joiner->peer + 1, 0);
  expect_nothing (joiner);
  expect_nothing (host);
  say_reply (rig, host, joiner->peer);
  say_reply (rig, host, joiner->peer);
  expect (joiner, WIRE_REPLY);
  expect_nothing (joiner);
  say_proof (rig, joiner);
  say_proof (rig, joiner);
  expect (host, WIRE_PROOF);
  expect_nothing (host);
  say_admitted (rig, host, joiner->peer, 0); /* no attach */
  expect_nothing (joiner);
}
GST_END_TEST;

GST_START_TEST (a_refusal_or_again_ends_the_run_and_the_joiner_may_knock_again)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  prove (rig, host, joiner);
  SAY (host, .type = WIRE_ERROR, .peer = joiner->peer,
      .code = WIRE_CODE_WRONG_PASSWORD);
  expect_error (joiner, WIRE_CODE_WRONG_PASSWORD);
  say_admit (rig, host, joiner->peer);
  expect_nothing (joiner);
  prove (rig, host, joiner);
  SAY (host, .type = WIRE_AGAIN, .peer = joiner->peer, .after = 700);
  fail_unless_equals_uint64 (expect (joiner, WIRE_AGAIN)->after, 700);
  prove (rig, host, joiner);
}
GST_END_TEST;

GST_START_TEST (
    an_admin_that_goes_gives_its_joiners_again_and_another_may_serve)
{
  Client *host = open_meeting (rig, owner, 16);
  Client *joiner = arrive (rig), *waiting = arrive (rig);
  prove (rig, host, waiting);
  SAY (host, .type = WIRE_WAITING, .peer = waiting->peer);
  expect (waiting, WIRE_WAITING);
  say_knock (rig, joiner);
  expect (host, WIRE_KNOCK);
  name_admin (rig, host, deputy);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  fail_unless (expect_opened (co)->opened.attended);
  SAY (co, .type = WIRE_CREDITS, .credits = 4);

  hang_up (rig, host);
  fail_unless (expect (joiner, WIRE_AGAIN)->after <= HUB_AGAIN_MS);
  expect_nothing (waiting); /* a person may come back to it */
  let_in (rig, co, joiner);
  rig_wait (rig, LIMIT_PLACE_MS);
  expect (waiting, WIRE_AGAIN);
  forget_inbox (co);
  prove (rig, co, waiting);
}
GST_END_TEST;

GST_START_TEST (runs_go_on_when_their_admin_comes_back)
{
  Client *host = open_meeting (rig, owner, 16);
  Client *replied = arrive (rig), *proven = arrive (rig),
         *waiting = arrive (rig);
  prove (rig, host, waiting);
  SAY (host, .type = WIRE_WAITING, .peer = waiting->peer);
  expect (waiting, WIRE_WAITING);
  say_knock (rig, replied);
  say_reply (rig, host, replied->peer);
  expect (replied, WIRE_REPLY);
  say_knock (rig, proven);
  say_reply (rig, host, proven->peer);
  expect (proven, WIRE_REPLY);
  say_proof (rig, proven); /* is lost on its way to the admin */
  forget_inbox (host);
  hang_up (rig, host);
  say_proof (rig, replied); /* comes when nobody is there */
  rig_wait (rig, LIMIT_PLACE_MS / 2);
  come_back (rig, host, host->seq);
  expect_returned (host);
  fail_unless_equals_uint64 (expect (host, WIRE_PROOF)->peer, replied->peer);
  fail_unless_equals_uint64 (expect (host, WIRE_PROOF)->peer, proven->peer);
  expect_nothing (host);
  Client *all[] = { replied, proven, waiting };
  uint64_t seq = commit (rig, host, "add all", "welcome");
  for (int i = 0; i < 3; i++) {
    say_admit (rig, host, all[i]->peer);
    say_admitted (rig, host, all[i]->peer, seq);
    expect (all[i], WIRE_ADMIT);
    expect_admitted (all[i], seq, "welcome");
    SAY (all[i], .type = WIRE_ACK, .seq = seq);
  }
  fail_unless_equals_uint64 (hub_usage (rig->hub).held_bytes, 0);
}
GST_END_TEST;

GST_START_TEST (an_admin_that_was_away_hears_of_joiners_who_went_meanwhile)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  prove (rig, host, joiner);
  SAY (host, .type = WIRE_WAITING, .peer = joiner->peer);
  hang_up (rig, host);
  SAY (joiner, .type = WIRE_LEAVE);
  come_back (rig, host, host->seq);
  expect_returned (host);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, joiner->peer);
}
GST_END_TEST;

GST_START_TEST (knocks_go_to_the_admins_in_turn)
{
  Client *host = open_meeting (rig, owner, 16);
  name_admin (rig, host, deputy);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_opened (co);
  SAY (co, .type = WIRE_CREDITS, .credits = 16);
  for (int i = 0; i < 6; i++)
    say_knock (rig, arrive (rig));
  for (int i = 0; i < 3; i++) {
    expect (host, WIRE_KNOCK);
    expect (co, WIRE_KNOCK);
  }
  expect_nothing (host);
  expect_nothing (co);
}
GST_END_TEST;

GST_START_TEST (an_admin_gets_no_more_knocks_than_it_gave_credit_for)
{
  Client *host = open_meeting (rig, owner, 2);
  for (int i = 0; i < 3; i++)
    say_knock (rig, arrive (rig));
  expect (host, WIRE_KNOCK);
  expect (host, WIRE_KNOCK);
  expect_nothing (host);
  SAY (host, .type = WIRE_CREDITS, .credits = 2); /* a total, not one more */
  SAY (host, .type = WIRE_CREDITS, .credits = 1);
  expect_nothing (host);
  SAY (host, .type = WIRE_CREDITS, .credits = 3);
  expect (host, WIRE_KNOCK);
}
GST_END_TEST;

GST_START_TEST (an_admin_has_at_most_16_knocks_out_whatever_its_credit)
{
  Client *host = open_meeting (rig, owner, LIMIT_NUMBER), *last = NULL;
  for (int i = 0; i < LIMIT_KNOCKS_OUT + 1; i++) {
    last = arrive (rig);
    say_knock (rig, last);
  }
  uint64_t ahead = expect (host, WIRE_KNOCK)->peer;
  for (int i = 1; i < LIMIT_KNOCKS_OUT; i++)
    expect (host, WIRE_KNOCK);
  expect_nothing (host);
  expect (last, WIRE_WAITING);
  /* A person decides: the admin has its hands free again. */
  say_reply (rig, host, ahead);
  say_proof (rig, g_ptr_array_index (rig->clients, 1));
  expect (host, WIRE_PROOF);
  expect_nothing (host);
  SAY (host, .type = WIRE_WAITING, .peer = ahead);
  fail_unless_equals_uint64 (expect (host, WIRE_KNOCK)->peer, last->peer);
}
GST_END_TEST;

GST_START_TEST (who_waits_is_served_by_turns_over_sources)
{
  Client *a[3], *b, *c;
  for (int i = 0; i < 3; i++) {
    a[i] = arrive_from (rig, MEETING, "10.0.0.1");
    say_knock (rig, a[i]);
  }
  b = arrive_from (rig, MEETING, "10.0.0.2");
  say_knock (rig, b);
  c = arrive_from (rig, MEETING, "10.0.0.3");
  say_knock (rig, c);

  Client *host = open_meeting (rig, owner, 16);
  const Client *order[] = { a[0], b, c, a[1], a[2] };
  for (int i = 0; i < 5; i++)
    fail_unless_equals_uint64 (
        expect (host, WIRE_KNOCK)->peer, order[i]->peer);
}
GST_END_TEST;

GST_START_TEST (a_silent_admin_or_joiner_does_not_keep_a_run_for_ever)
{
  Client *host = open_meeting (rig, owner, 16);
  Client *a = arrive (rig), *b = arrive (rig), *c = arrive (rig);
  say_knock (rig, a); /* never answered */
  expect (host, WIRE_KNOCK);
  prove (rig, host, b); /* nothing after the proof */
  say_knock (rig, c);
  say_reply (rig, host, c->peer); /* never proven */
  expect (c, WIRE_REPLY);
  rig_wait (rig, HUB_REPLY_MS - 1);
  expect_nothing (a);
  rig_wait (rig, 1);
  expect (a, WIRE_AGAIN);
  rig_wait (rig, HUB_STEP_MS - HUB_REPLY_MS);
  expect (b, WIRE_AGAIN);
  expect (c, WIRE_AGAIN);
  fail_unless_equals_uint64 (hub_stats (rig->hub).agains, 3);
}
GST_END_TEST;

GST_START_TEST (a_person_may_take_any_time_to_decide)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  prove (rig, host, joiner);
  SAY (host, .type = WIRE_WAITING, .peer = joiner->peer);
  expect (joiner, WIRE_WAITING);
  rig_wait (rig, 3600000);
  expect_nothing (joiner);
  uint64_t seq = commit (rig, host, "add", "welcome");
  say_admit (rig, host, joiner->peer);
  say_admitted (rig, host, joiner->peer, seq);
  expect (joiner, WIRE_ADMIT);
  expect_admitted (joiner, seq, "welcome");
}
GST_END_TEST;

GST_START_TEST (a_connection_that_says_nothing_is_ended)
{
  Client *silent = arrive (rig), *waits = arrive (rig);
  say_knock (rig, waits);
  expect (waits, WIRE_WAITING);
  rig_wait (rig, HUB_IDLE_MS - 1);
  expect_nothing (silent);
  rig_wait (rig, 1);
  expect_error (silent, WIRE_CODE_TIMEOUT);
  fail_unless (silent->closed);
  expect_nothing (waits);
  fail_if (waits->closed);
}
GST_END_TEST;

/* ---- Places ---- */

GST_START_TEST (
    a_place_in_the_queue_survives_a_lost_connection_and_keeps_its_turn)
{
  Client *ahead = arrive_from (rig, MEETING, "10.0.0.1");
  say_knock (rig, ahead);
  expect (ahead, WIRE_WAITING);
  Client *behind = arrive_from (rig, MEETING, "10.0.0.1");
  say_knock (rig, behind);
  hang_up (rig, ahead);
  rig_wait (rig, LIMIT_PLACE_MS - 1);
  come_back (rig, ahead, 0);
  expect_returned (ahead);
  expect (ahead, WIRE_WAITING);
  Client *host = open_meeting (rig, owner, 16);
  fail_unless_equals_uint64 (expect (host, WIRE_KNOCK)->peer, ahead->peer);
  fail_unless_equals_uint64 (expect (host, WIRE_KNOCK)->peer, behind->peer);
}
GST_END_TEST;

GST_START_TEST (
    a_lapsed_place_is_unknown_and_an_absent_joiners_knock_goes_to_nobody)
{
  Client *joiner = arrive (rig);
  say_knock (rig, joiner);
  expect (joiner, WIRE_WAITING);
  hang_up (rig, joiner);
  Client *host = open_meeting (rig, owner, 16);
  expect_nothing (host);
  rig_wait (rig, LIMIT_PLACE_MS);
  come_back (rig, joiner, 0);
  expect_error (joiner, WIRE_CODE_UNKNOWN_PLACE);
  expect_nothing (host);
  fail_unless_equals_uint64 (hub_stats (rig->hub).lapsed, 1);
}
GST_END_TEST;

GST_START_TEST (a_run_before_its_proof_is_over_when_the_joiner_is_lost)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  say_knock (rig, joiner);
  expect (host, WIRE_KNOCK);
  hang_up (rig, joiner);
  say_reply (rig, host, joiner->peer);
  come_back (rig, joiner, 0);
  expect_returned (joiner);
  expect (joiner, WIRE_AGAIN);
  expect_nothing (joiner);
  prove (rig, host, joiner);
}
GST_END_TEST;

GST_START_TEST (a_proven_joiner_comes_back_to_what_was_said_meanwhile)
{
  static const WireType rows[] = { 0, WIRE_WAITING, WIRE_ADMIT, WIRE_AGAIN,
    WIRE_ERROR };
  WireType said = rows[__i__];
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  prove (rig, host, joiner);
  hang_up (rig, joiner);
  if (said == WIRE_ADMIT)
    say_admit (rig, host, joiner->peer);
  else if (said == WIRE_ERROR)
    SAY (host, .type = said, .peer = joiner->peer, .code = WIRE_CODE_DENIED);
  else if (said)
    SAY (host, .type = said, .peer = joiner->peer);
  come_back (rig, joiner, 0);
  expect_returned (joiner);
  if (said)
    expect (joiner, said);
  expect_nothing (joiner);
}
GST_END_TEST;

GST_START_TEST (who_lost_the_admit_gets_all_of_it_when_it_returns)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  prove (rig, host, joiner);
  uint64_t seq = commit (rig, host, "add", "welcome");
  say_admit (rig, host, joiner->peer);
  say_admitted (rig, host, joiner->peer, seq);
  send_mls (rig, host, WIRE_APPLICATION, 0, "hello");
  expect_frame (host, WIRE_APPLICATION, seq + 1, "hello");
  forget_inbox (joiner); /* nothing of that arrived */
  hang_up (rig, joiner);
  come_back (rig, joiner, 0);
  fail_unless_equals_uint64 (expect_returned (joiner)->opened.seq, seq + 1);
  expect (joiner, WIRE_ADMIT);
  expect_admitted (joiner, seq, "welcome");
  expect_frame (joiner, WIRE_APPLICATION, seq + 1, "hello");
  expect_nothing (joiner);
  /* Once it knows, the admit is not kept any more. */
  SAY (joiner, .type = WIRE_ACK, .seq = seq + 1);
  fail_unless_equals_uint64 (hub_usage (rig->hub).held_bytes, 0);
}
GST_END_TEST;

GST_START_TEST (a_member_returns_to_what_it_missed_and_to_its_transport)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  hang_up (rig, member);
  send_mls (rig, host, WIRE_APPLICATION, 0, "one");
  send_mls (rig, host, WIRE_APPLICATION, 0, "two");
  rig_events (rig, HUB_EVENT_GONE, 0);
  uint64_t seq = member->seq;
  come_back (rig, member, seq);
  WireMessage *returned = expect_returned (member);
  fail_unless_equals_uint64 (returned->opened.seq, seq + 2);
  fail_unless (memcmp (returned->opened.room, member->room, LIMIT_ROOM) == 0);
  expect_frame (member, WIRE_APPLICATION, seq + 1, "one");
  expect_frame (member, WIRE_APPLICATION, seq + 2, "two");
  expect_nothing (member);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_GONE, 0), 0);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_RETURNED, 0), 1);
}
GST_END_TEST;

GST_START_TEST (a_return_ends_the_connection_that_the_place_still_has)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  uint64_t old_id = member->id;
  come_back (rig, member, member->seq);
  expect_returned (member);
  fail_unless (rig_client (rig, old_id)->closed);
  send_mls (rig, host, WIRE_APPLICATION, 0, "now");
  expect_frame (member, WIRE_APPLICATION, member->seq + 1, "now");
}
GST_END_TEST;

GST_START_TEST (
    a_members_place_that_lapses_is_told_to_the_admins_and_the_forwarder)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  hang_up (rig, member);
  rig_wait (rig, LIMIT_PLACE_MS - 1);
  expect_nothing (host);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_GONE, 0), 0);
  rig_wait (rig, 1);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, member->peer);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_GONE, 0), 1);
}
GST_END_TEST;

GST_START_TEST (leave_ends_a_place_at_once)
{
  Client *host = open_meeting (rig, owner, 16);
  Client *member = arrive (rig), *joiner = arrive (rig);
  let_in (rig, host, member);
  SAY (member, .type = WIRE_LEAVE);
  fail_unless (member->closed);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, member->peer);
  prove (rig, host, joiner);
  SAY (joiner, .type = WIRE_LEAVE);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, joiner->peer);
  come_back (rig, member, 0);
  expect_error (member, WIRE_CODE_UNKNOWN_PLACE);
}
GST_END_TEST;

GST_START_TEST (an_admin_that_was_away_hears_of_who_went_meanwhile)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  hang_up (rig, member);
  rig_wait (rig, LIMIT_PLACE_MS / 2);
  hang_up (rig, host);
  rig_wait (rig, LIMIT_PLACE_MS / 2);
  come_back (rig, host, host->seq);
  expect_returned (host);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, member->peer);
  expect_nothing (host);
}
GST_END_TEST;

GST_START_TEST (a_member_that_knocks_comes_in_anew_and_keeps_its_transport)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  rig_events (rig, HUB_EVENT_ADMITTED, 0);
  prove (rig, host, member);
  send_mls (rig, host, WIRE_APPLICATION, 0, "one");
  expect_frame (host, WIRE_APPLICATION, host->seq + 1, "one");
  expect_frame (member, WIRE_APPLICATION, host->seq, "one");
  uint64_t seq = commit (rig, host, "remove and add", "welcome");
  expect_frame (member, WIRE_COMMIT, seq, "remove and add");
  send_mls (rig, host, WIRE_APPLICATION, 0, "two");
  expect_frame (member, WIRE_APPLICATION, seq + 1, "two");
  say_admit (rig, host, member->peer);
  say_admitted (rig, host, member->peer, seq);
  expect (member, WIRE_ADMIT);
  expect_admitted (member, seq, "welcome");
  expect_frame (member, WIRE_APPLICATION, seq + 1, "two"); /* readable now */
  expect_nothing (member);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_GONE, 0), 0);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_ADMITTED, 0), 0);
}
GST_END_TEST;

GST_START_TEST (
    a_member_that_came_in_anew_and_may_not_know_it_is_told_once_more)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  prove (rig, host, member);
  uint64_t seq = commit (rig, host, "remove and add", "welcome");
  say_admit (rig, host, member->peer);
  say_admitted (rig, host, member->peer, seq);
  forget_inbox (member);
  SAY (member, .type = WIRE_ACK, .seq = seq); /* read as the old member */
  hang_up (rig, member);
  come_back (rig, member, seq);
  expect_returned (member);
  expect (member, WIRE_ADMIT);
  expect_admitted (member, seq, "welcome");
  expect_nothing (member);
  send_mls (rig, member, WIRE_APPLICATION, 0, "here I am");
  forget_inbox (member);
  hang_up (rig, member);
  come_back (rig, member, seq + 1);
  expect_returned (member);
  expect_nothing (member);
}
GST_END_TEST;

GST_START_TEST (a_members_knock_is_served_before_strangers_knocks)
{
  Client *host = open_meeting (rig, owner, 1), *member = arrive (rig);
  let_in (rig, host, member);
  for (int i = 0; i < 3; i++)
    say_knock (rig, arrive (rig));
  say_knock (rig, member);
  SAY (host, .type = WIRE_CREDITS, .credits = 2);
  fail_unless_equals_uint64 (expect (host, WIRE_KNOCK)->peer, member->peer);
  expect_nothing (host);
}
GST_END_TEST;

GST_START_TEST (an_admin_at_the_door_itself_serves_nobody_until_it_is_in)
{
  Client *host = open_meeting (rig, owner, 16), *joiner = arrive (rig);
  name_admin (rig, host, deputy);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_opened (co);
  SAY (co, .type = WIRE_CREDITS, .credits = 16);
  prove (rig, host, co);
  for (int i = 0; i < 3; i++)
    say_knock (rig, arrive (rig));
  expect_nothing (co);
  for (int i = 0; i < 3; i++)
    expect (host, WIRE_KNOCK);
  uint64_t seq = commit (rig, host, "remove and add", "welcome");
  say_admit (rig, host, co->peer);
  say_admitted (rig, host, co->peer, seq);
  forget_inbox (co);
  say_knock (rig, joiner);
  expect (co, WIRE_KNOCK);
}
GST_END_TEST;

GST_START_TEST (
    an_owner_at_the_door_is_told_waiting_only_when_nobody_can_let_it_in)
{
  Client *host = open_meeting (rig, owner, 0);
  name_admin (rig, host, deputy);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_opened (co);
  SAY (co, .type = WIRE_CREDITS, .credits = 1);
  say_knock (rig, arrive (rig));
  expect (co, WIRE_KNOCK);
  say_knock (rig, host); /* its process was restarted, say */
  expect_nothing (host); /* another serves, without credit just now */
  hang_up (rig, co);
  say_knock (rig, host);
  expect (host, WIRE_WAITING);
  /* So it opens a group of its own: its knock, and no other, is forgotten. */
  Client *joiner = arrive (rig);
  say_knock (rig, joiner);
  SAY (host, .type = WIRE_CREDITS, .credits = 2);
  fail_unless_equals_uint64 (expect (host, WIRE_KNOCK)->peer, joiner->peer);
  expect_nothing (host);
}
GST_END_TEST;

GST_START_TEST (returned_is_the_first_that_an_admin_gets_on_its_new_connection)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  SAY (member, .type = WIRE_ATTACH, .attach = { .message = FILL (9) });
  expect (host, WIRE_ATTACH);
  come_back (rig, host, 0); /* the attach may have been lost on the way */
  expect_returned (host);
  expect (host, WIRE_ATTACH);
  expect_nothing (host);
}
GST_END_TEST;

GST_START_TEST (a_knock_lost_with_the_admins_connection_costs_no_credit)
{
  Client *host = open_meeting (rig, owner, 1), *joiner = arrive (rig);
  for (int i = 0; i < 3; i++) {
    say_knock (rig, joiner);
    forget_inbox (host); /* the knock never arrived */
    hang_up (rig, host);
    expect (joiner, WIRE_AGAIN);
    come_back (rig, host, host->seq);
    expect_returned (host);
    rig_wait (rig, 1000);
  }
  say_knock (rig, joiner);
  expect (host, WIRE_KNOCK);
}
GST_END_TEST;

GST_START_TEST (a_member_that_knocked_and_went_is_gone)
{
  Client *host = open_meeting (rig, owner, 0), *member = arrive (rig);
  SAY (host, .type = WIRE_CREDITS, .credits = 1);
  let_in (rig, host, member);
  say_knock (rig, member);
  expect (member, WIRE_WAITING); /* no credit */
  hang_up (rig, member);
  rig_wait (rig, LIMIT_PLACE_MS);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, member->peer);
}
GST_END_TEST;

/* ---- Owner and admins ---- */

GST_START_TEST (the_first_to_open_owns_and_another_identity_does_not)
{
  Client *host = arrive (rig), *other = arrive (rig);
  say_open (rig, host, owner, false);
  WireMessage *opened = expect_opened (host);
  fail_if (opened->opened.attended);
  fail_if (opened->opened.running);
  fail_unless_equals_uint64 (opened->opened.seq, 0);
  say_open (rig, other, stranger, false);
  expect_error (other, WIRE_CODE_NOT_OWNER);
  fail_if (other->closed);
  fail_unless_equals_int (
      rig_events (rig, HUB_EVENT_AUDIT, HUB_AUDIT_OPENED), 1);
}
GST_END_TEST;

GST_START_TEST (open_needs_the_signature_over_this_challenge_meeting_and_hub)
{
  for (int row = 0; row < 5; row++) {
    Client *host = arrive (rig);
    WireMessage message = { .type = WIRE_OPEN };
    uint8_t challenge[LIMIT_CHALLENGE], spki[LIMIT_SPKI_HASH];
    memcpy (challenge, host->challenge, sizeof challenge);
    memcpy (spki, rig->spki_hash, sizeof spki);
    challenge[0] ^= row == 0;
    spki[0] ^= row == 1;
    const char *meeting = row == 2 ? "other" : MEETING;
    message.open.meeting = (char *) MEETING;
    memcpy (message.open.identity,
        identity_public_key (row == 3 ? stranger : owner), IDENTITY_KEY_LEN);
    wire_sign_open (
        owner, row == 4, challenge, meeting, spki, message.open.sig);
    say (rig, host, &message);
    expect_error (host, WIRE_CODE_BAD_SIGNATURE);
  }
  /* And a right one for the meeting that the connection is not for. */
  Client *host = arrive (rig);
  WireMessage message = { .type = WIRE_OPEN };
  message.open.meeting = (char *) "other";
  memcpy (
      message.open.identity, identity_public_key (owner), IDENTITY_KEY_LEN);
  wire_sign_open (owner, false, host->challenge, "other", rig->spki_hash,
      message.open.sig);
  say (rig, host, &message);
  expect_error (host, WIRE_CODE_BAD_SIGNATURE);
  fail_unless_equals_uint64 (hub_usage (rig->hub).opened, 0);
}
GST_END_TEST;

GST_START_TEST (only_those_whom_the_owner_named_may_attend)
{
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_error (co, WIRE_CODE_NOT_ADMIN); /* of a meeting nobody opened */
  Client *host = open_meeting (rig, owner, 16);
  say_open (rig, co, deputy, true);
  expect_error (co, WIRE_CODE_NOT_ADMIN);
  name_admin (rig, host, deputy);
  say_open (rig, co, deputy, true);
  WireMessage *opened = expect_opened (co);
  fail_unless (opened->opened.attended && opened->opened.running);
  /* And no more once the owner named others. */
  name_admin (rig, host, NULL);
  SAY (co, .type = WIRE_CREDITS, .credits = 3);
  expect_error (co, WIRE_CODE_NOT_ADMIN);
}
GST_END_TEST;

GST_START_TEST (a_message_of_owner_or_admin_needs_one)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  Client *door = arrive (rig);
  let_in (rig, host, member);
  name_admin (rig, host, deputy);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_opened (co);

  WireMessage owners[] = { { .type = WIRE_ADMINS }, { .type = WIRE_TRANSFER },
    { .type = WIRE_CLOSE }, { .type = WIRE_REOPENED } };
  for (gsize i = 0; i < G_N_ELEMENTS (owners); i++) {
    say (rig, member, &owners[i]);
    expect_error (member, WIRE_CODE_NOT_OWNER);
    say (rig, co, &owners[i]);
    expect_error (co, WIRE_CODE_NOT_OWNER);
  }
  WireMessage admins[] = { { .type = WIRE_DISMISS, .peer = host->peer },
    { .type = WIRE_CREDITS, .credits = 9 },
    { .type = WIRE_AGAIN, .peer = host->peer },
    { .type = WIRE_ADMITTED, .peer = door->peer } };
  rig_wait (rig, 10000);
  for (gsize i = 0; i < G_N_ELEMENTS (admins); i++) {
    say (rig, member, &admins[i]);
    expect_error (member, WIRE_CODE_NOT_ADMIN);
    say (rig, door, &admins[i]);
    expect_error (door, WIRE_CODE_NOT_ADMIN);
  }
  WireMessage members[] = { { .type = WIRE_ACK }, { .type = WIRE_REPLAY },
    { .type = WIRE_TRANSPORT }, { .type = WIRE_SUBSCRIBE } };
  rig_wait (rig, 10000);
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++) {
    say (rig, door, &members[i]);
    expect_error (door, WIRE_CODE_NOT_MEMBER);
  }
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_MEDIA, 0), 0);
}
GST_END_TEST;

GST_START_TEST (media_requests_of_members_are_handed_to_the_forwarder)
{
  Client *host = open_meeting (rig, owner, 16);
  SAY (host, .type = WIRE_TRANSPORT);
  SAY (host, .type = WIRE_PUBLISH,
      .publish = { .track = 3, .kind = MEDIA_VIDEO });
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_MEDIA, 0), 2);
  WireMessage published = { .type = WIRE_PUBLISHED,
    .published = { .track = 3, .ssrc = 77 } };
  fail_unless (hub_send_media (rig->hub, host->peer, &published));
  rig_pump (rig);
  fail_unless_equals_uint64 (
      expect (host, WIRE_PUBLISHED)->published.ssrc, 77);
  Client *door = arrive (rig);
  fail_if (hub_send_media (rig->hub, door->peer, &published));
  hang_up (rig, host);
  fail_if (hub_send_media (rig->hub, host->peer, &published));
}
GST_END_TEST;

GST_START_TEST (transfer_makes_another_the_owner)
{
  Client *host = open_meeting (rig, owner, 16);
  WireMessage transfer = { .type = WIRE_TRANSFER };
  memcpy (transfer.transfer, identity_public_key (deputy), IDENTITY_KEY_LEN);
  say (rig, host, &transfer);
  SAY (host, .type = WIRE_CLOSE);
  expect_error (host, WIRE_CODE_NOT_OWNER);
  send_mls (rig, host, WIRE_COMMIT, 0, "mine?");
  expect_error (host, WIRE_CODE_NOT_ADMIN); /* named by nobody */
  Client *heir = arrive (rig);
  say_open (rig, heir, deputy, false);
  expect_opened (heir);
  SAY (heir, .type = WIRE_CLOSE);
  expect_error (heir, WIRE_CODE_CLOSED);
}
GST_END_TEST;

GST_START_TEST (close_ends_all_and_another_may_own_the_name)
{
  Client *host = open_meeting (rig, owner, 16);
  Client *member = arrive (rig), *waits = arrive (rig), *away = arrive (rig);
  let_in (rig, host, member);
  let_in (rig, host, away);
  forget_inbox (member);
  hang_up (rig, away);
  prove (rig, host, waits);
  SAY (host, .type = WIRE_CLOSE);
  Client *all[] = { host, member, waits };
  for (int i = 0; i < 3; i++) {
    expect_error (all[i], WIRE_CODE_CLOSED);
    fail_unless (all[i]->closed);
  }
  HubUsage usage = hub_usage (rig->hub);
  fail_unless (usage.rooms == 0 && usage.members == 0 && usage.strangers == 0
               && usage.log_bytes == 0 && usage.welcome_bytes == 0
               && usage.held_bytes == 0);
  come_back (rig, away, away->seq);
  expect_error (away, WIRE_CODE_UNKNOWN_PLACE);
  open_meeting (rig, stranger, 0);
}
GST_END_TEST;

GST_START_TEST (dismiss_ends_a_member_and_not_the_owner)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  name_admin (rig, host, deputy);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_opened (co);
  SAY (co, .type = WIRE_DISMISS, .peer = host->peer);
  expect_error (co, WIRE_CODE_NOT_OWNER);
  fail_if (host->closed);
  SAY (co, .type = WIRE_DISMISS, .peer = member->peer);
  expect_error (member, WIRE_CODE_DISMISSED);
  fail_unless (member->closed);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_GONE, 0), 1);
  come_back (rig, member, member->seq);
  expect_error (member, WIRE_CODE_UNKNOWN_PLACE);
  send_mls (rig, co, WIRE_APPLICATION, 0, "after");
  expect_nothing (member);
}
GST_END_TEST;

GST_START_TEST (an_owner_that_restarted_takes_its_old_place_over)
{
  Client *host = open_meeting (rig, owner, 16), *again = arrive (rig);
  say_open (rig, again, owner, false);
  fail_if (expect_opened (again)->opened.running); /* was alone */
  fail_unless (host->closed);
  fail_if (memcmp (again->room, host->room, LIMIT_ROOM) == 0);

  Client *member = arrive (rig), *third = arrive (rig);
  SAY (again, .type = WIRE_CREDITS, .credits = 5);
  let_in (rig, again, member);
  hang_up (rig, again);
  say_open (rig, third, owner, false);
  WireMessage *opened = expect_opened (third);
  fail_unless (opened->opened.running);
  fail_if (opened->opened.attended);
  fail_unless (memcmp (opened->opened.room, member->room, LIMIT_ROOM) == 0);
}
GST_END_TEST;

GST_START_TEST (a_meeting_is_its_owners_for_a_while_after_all_have_gone)
{
  Client *host = open_meeting (rig, owner, 16);
  hang_up (rig, host);
  rig_wait (rig, LIMIT_PLACE_MS + HUB_EMPTY_MS - 2000);
  Client *thief = arrive (rig);
  say_open (rig, thief, stranger, false);
  expect_error (thief, WIRE_CODE_NOT_OWNER);
  rig_wait (rig, 4000);
  say_open (rig, thief, stranger, false);
  expect_opened (thief);
  fail_unless_equals_int (
      rig_events (rig, HUB_EVENT_AUDIT, HUB_AUDIT_ENDED), 1);
}
GST_END_TEST;

/* ---- Reopening, hub restart ---- */

static WireMessage
reopened_message (uint64_t opened)
{
  return (
      WireMessage){ .type = WIRE_REOPENED, .reopened = { .opened = opened } };
}

GST_START_TEST (reopened_reaches_members_there_away_and_yet_to_come)
{
  Client *host = open_meeting (rig, owner, 16);
  Client *there = arrive (rig), *away = arrive (rig), *later = arrive (rig);
  let_in (rig, host, there);
  let_in (rig, host, away);
  forget_inbox (there);
  hang_up (rig, away);
  WireMessage message = reopened_message (42);
  say (rig, host, &message);
  fail_unless_equals_uint64 (
      expect (there, WIRE_REOPENED)->reopened.opened, 42);
  expect_nothing (host);
  come_back (rig, away, away->seq);
  expect_returned (away);
  expect (away, WIRE_REOPENED);
  SAY (later, .type = WIRE_ATTACH, .attach = { .message = FILL (200) });
  expect (host, WIRE_ATTACH);
  say_admitted (rig, host, later->peer, 0);
  expect (later, WIRE_ADMITTED);
  while (g_queue_get_length (&later->inbox) > 1)
    got_free (g_queue_pop_head (&later->inbox));
  expect (later, WIRE_REOPENED);
  expect_nothing (later);
}
GST_END_TEST;

GST_START_TEST (
    attach_goes_to_one_serving_admin_with_the_challenge_of_the_connection)
{
  Client *member = arrive (rig);
  SAY (member, .type = WIRE_ATTACH, .attach = { .message = FILL (200) });
  expect (member, WIRE_WAITING);
  Client *host = open_meeting (rig, owner, 0);
  expect_nothing (host); /* has said nothing about the door yet */
  SAY (host, .type = WIRE_CREDITS, .credits = 1);
  WireMessage *attach = expect (host, WIRE_ATTACH);
  fail_unless_equals_uint64 (attach->peer, member->peer);
  fail_unless (attach->attach.challenge.len == LIMIT_CHALLENGE
               && memcmp (attach->attach.challenge.data, member->challenge,
                      LIMIT_CHALLENGE)
                      == 0);
  fail_unless_equals_uint64 (attach->attach.message.len, 200);
  send_mls (rig, host, WIRE_HANDOVER, 0, "old commit");
  expect_frame (host, WIRE_COMMIT, 1, "old commit");
  say_admitted (rig, host, member->peer, 0);
  expect_admitted (member, 0, NULL);
  expect_frame (member, WIRE_COMMIT, 1, "old commit");
  expect_nothing (member);
}
GST_END_TEST;

GST_START_TEST (
    a_member_that_lost_its_place_attaches_where_it_was_in_the_order)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  for (int i = 0; i < 3; i++)
    send_mls (rig, host, WIRE_APPLICATION, 0, "x");
  SAY (member, .type = WIRE_ATTACH, .attach = { .message = FILL (9) });
  forget_inbox (host);
  say_admitted (rig, host, member->peer, 2);
  expect_admitted (member, 2, NULL);
  expect_frame (member, WIRE_APPLICATION, 3, "x");
  expect_nothing (member);

  /* Too far back for the log: to knock, without being a member. */
  Client *late = arrive (rig);
  rig_wait (rig, HUB_LOG_MS + HUB_SWEEP_MS);
  send_mls (rig, host, WIRE_APPLICATION, 0, "y");
  SAY (late, .type = WIRE_ATTACH, .attach = { .message = FILL (9) });
  forget_inbox (host);
  say_admitted (rig, host, late->peer, 2);
  expect_error (late, WIRE_CODE_TOO_LATE);
  expect_nothing (host);
  fail_unless_equals_uint64 (hub_usage (rig->hub).members, 2);
}
GST_END_TEST;

GST_START_TEST (an_attach_whose_admin_goes_is_given_to_another)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  name_admin (rig, host, deputy);
  SAY (member, .type = WIRE_ATTACH, .attach = { .message = FILL (9) });
  expect (host, WIRE_ATTACH);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_opened (co);
  SAY (co, .type = WIRE_CREDITS, .credits = 1);
  expect_nothing (co);
  hang_up (rig, host);
  expect (co, WIRE_ATTACH);
  say_admitted (rig, co, member->peer, 0);
  expect_admitted (member, 0, NULL);
}
GST_END_TEST;

GST_START_TEST (
    an_attach_that_nobody_answers_ends_in_silence_and_may_come_again)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  SAY (member, .type = WIRE_ATTACH, .attach = { .message = FILL (9) });
  expect (host, WIRE_ATTACH);
  rig_wait (rig, HUB_ATTACH_MS);
  say_admitted (rig, host, member->peer, 0); /* too late */
  expect_nothing (member);
  SAY (member, .type = WIRE_ATTACH, .attach = { .message = FILL (9) });
  expect (host, WIRE_ATTACH);
  say_admitted (rig, host, member->peer, 0);
  expect_admitted (member, 0, NULL);
}
GST_END_TEST;

/* ---- The directory ---- */

GST_START_TEST (a_meeting_lives_on_one_hub_and_elsewhere_looks_like_nowhere)
{
  Client *host = open_meeting (rig, owner, 16);
  Hub *here = rig->hub;
  rig->hub = rig_hub (rig, "another");
  Client *other = arrive (rig), *joiner = arrive (rig);
  say_open (rig, other, owner, false);
  expect_error (other, WIRE_CODE_BUSY);
  say_knock (rig, joiner);
  expect (joiner, WIRE_WAITING);
  fail_unless_equals_uint64 (hub_stats (rig->hub).elsewhere, 1);
  /* The first hub crashes: its lease runs out. */
  rig_wait (rig, HUB_LEASE_MS - 1);
  say_open (rig, other, owner, false);
  expect_error (other, WIRE_CODE_BUSY);
  rig_wait (rig, 1);
  say_open (rig, other, owner, false);
  expect_opened (other);

  /* It comes back to life, and must see that it lost. */
  Hub *there = rig->hub;
  rig->hub = here;
  hub_tick (here, rig->now);
  rig_pump (rig);
  expect_error (host, WIRE_CODE_GOING_AWAY);
  fail_unless_equals_uint64 (hub_stats (here).rooms_lost, 1);
  fail_unless_equals_uint64 (hub_usage (here).opened, 0);
  hub_free (here);
  rig->hub = there;
}
GST_END_TEST;

GST_START_TEST (a_lease_is_renewed_as_long_as_the_meeting_lasts)
{
  Client *host = open_meeting (rig, owner, 16);
  Hub *here = rig->hub;
  for (int i = 0; i < 20; i++) {
    rig_wait (rig, HUB_RENEW_MS);
    SAY (host, .type = WIRE_ACK, .seq = 0);
  }
  rig->hub = rig_hub (rig, "another");
  Client *other = arrive (rig);
  say_open (rig, other, owner, false);
  expect_error (other, WIRE_CODE_BUSY);
  hub_free (rig->hub);
  rig->hub = here;
  SAY (host, .type = WIRE_CLOSE); /* and given up with it */
  expect_error (host, WIRE_CODE_CLOSED);
  rig->hub = rig_hub (rig, "another");
  open_meeting (rig, owner, 0);
  hub_free (rig->hub);
  rig->hub = here;
}
GST_END_TEST;

/* A directory that answers when it is told to. */
typedef struct
{
  HubDirectory calls;
  uint64_t claim, renew, lookup;
  unsigned released;
} Slow;

static void
slow_claim (HubDirectory *d, Hub *hub, const char *self, uint64_t request,
    const char *meeting, uint64_t ttl, uint64_t now)
{
  ((Slow *) d)->claim = request;
}

static void
slow_renew (HubDirectory *d, Hub *hub, const char *self, uint64_t request,
    const char *meeting, uint64_t fence, uint64_t ttl, uint64_t now)
{
  ((Slow *) d)->renew = request;
}

static void
slow_release (
    HubDirectory *d, const char *self, const char *meeting, uint64_t fence)
{
  ((Slow *) d)->released++;
}

static void
slow_lookup (HubDirectory *d, Hub *hub, const char *self, uint64_t request,
    const char *meeting, uint64_t now)
{
  ((Slow *) d)->lookup = request;
}

static void
slow_announce (HubDirectory *d, const char *self, uint64_t load, uint64_t ttl,
    uint64_t now)
{
}

static Slow *
slow_down (void)
{
  static Slow slow;
  slow = (Slow){ .calls = { slow_claim, slow_renew, slow_release, slow_lookup,
                     slow_announce, NULL } };
  hub_free (rig->hub);
  HubConfig config = { .directory = &slow.calls };
  memcpy (config.spki_hash, rig->spki_hash, LIMIT_SPKI_HASH);
  rig->hub = hub_new (&config, rig->now);
  return &slow;
}

GST_START_TEST (
    answers_of_a_slow_directory_are_waited_for_and_late_ones_ignored)
{
  Slow *slow = slow_down ();
  Client *joiner = arrive (rig), *host = arrive (rig), *gone = arrive (rig);
  say_knock (rig, joiner);
  expect_nothing (joiner);
  uint64_t ahead = slow->lookup;
  say_knock (rig, joiner); /* another knock, before the answer */
  hub_looked_up (rig->hub, ahead, HUB_NOWHERE);
  rig_pump (rig);
  expect_nothing (joiner);
  hub_looked_up (rig->hub, slow->lookup, HUB_NOWHERE);
  rig_pump (rig);
  expect (joiner, WIRE_WAITING);

  say_open (rig, gone, stranger, false);
  say_open (rig, host, owner, false);
  expect_error (host, WIRE_CODE_BUSY); /* one claim at a time */
  hang_up (rig, gone);
  hub_claimed (rig->hub, slow->claim, true, 1); /* for nobody any more */
  rig_pump (rig);
  fail_unless_equals_int (slow->released, 1);
  say_open (rig, host, owner, false);
  expect_nothing (host);
  hub_claimed (rig->hub, slow->claim, true, 2);
  hub_claimed (rig->hub, slow->claim, true, 3); /* twice */
  rig_pump (rig);
  expect_opened (host);
  expect_nothing (host);
}
GST_END_TEST;

GST_START_TEST (
    a_directory_that_does_not_answer_ends_the_room_before_the_lease)
{
  Slow *slow = slow_down ();
  Client *host = arrive (rig), *waits = arrive (rig);
  say_open (rig, host, owner, false);
  hub_claimed (rig->hub, slow->claim, true, 1);
  rig_pump (rig);
  expect_opened (host);
  say_knock (rig, waits);
  hub_looked_up (rig->hub, slow->lookup, HUB_HERE);
  rig_pump (rig);
  expect (waits, WIRE_WAITING);
  rig_wait (rig, HUB_RENEW_MS + HUB_SWEEP_MS);
  fail_unless (slow->renew != 0);
  hub_renewed (rig->hub, slow->renew, true);
  rig_wait (rig, HUB_LEASE_MS - HUB_LEASE_MARGIN_MS - 2 * HUB_SWEEP_MS);
  expect_nothing (host);
  rig_wait (rig, 3 * HUB_SWEEP_MS);
  expect_error (host, WIRE_CODE_GOING_AWAY);
  expect_nothing (waits); /* can't tell */
}
GST_END_TEST;

GST_START_TEST (a_shutdown_tells_all_and_releases_all)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  Client *door = arrive_from (rig, "elsewhere", "s");
  let_in (rig, host, member);
  hub_shutdown (rig->hub);
  rig_pump (rig);
  Client *all[] = { host, member, door };
  for (int i = 0; i < 3; i++) {
    expect_error (all[i], WIRE_CODE_GOING_AWAY);
    fail_unless (all[i]->closed);
  }
  Hub *here = rig->hub;
  rig->hub = rig_hub (rig, "another");
  open_meeting (rig, owner, 0);
  hub_free (here);
}
GST_END_TEST;

static Suite *
hub_room_suite (void)
{
  Suite *suite = suite_create ("hub-room");
  TCase *door = tcase_create ("door"), *places = tcase_create ("places"),
        *admins = tcase_create ("admins"), *fleet = tcase_create ("fleet");
  TCase *cases[] = { door, places, admins, fleet };

  for (int i = 0; i < 4; i++) {
    suite_add_tcase (suite, cases[i]);
    tcase_add_checked_fixture (cases[i], setup, teardown);
    tcase_set_timeout (cases[i], 60);
  }
  tcase_add_test (
      door, addresses_of_one_64_are_one_source_and_mapped_ones_are_ipv4);
  tcase_add_test (door, a_connection_needs_a_meetings_name_and_a_source);
  tcase_add_test (
      door, hello_comes_first_with_a_place_a_challenge_and_a_token_of_its_own);
  tcase_add_test (door, a_knock_waits_until_an_admin_is_there);
  tcase_add_test (door, a_joiner_is_led_from_knock_to_welcome);
  tcase_add_test (door,
      a_label_is_one_for_a_source_another_for_each_meeting_and_no_address);
  tcase_add_test (door, nobody_but_the_knocks_admin_can_answer_it);
  tcase_add_test (door, steps_of_a_run_come_once_and_in_their_order);
  tcase_add_test (
      door, a_refusal_or_again_ends_the_run_and_the_joiner_may_knock_again);
  tcase_add_test (
      door, an_admin_that_goes_gives_its_joiners_again_and_another_may_serve);
  tcase_add_test (door, runs_go_on_when_their_admin_comes_back);
  tcase_add_test (
      door, an_admin_that_was_away_hears_of_joiners_who_went_meanwhile);
  tcase_add_test (door, knocks_go_to_the_admins_in_turn);
  tcase_add_test (door, an_admin_gets_no_more_knocks_than_it_gave_credit_for);
  tcase_add_test (
      door, an_admin_has_at_most_16_knocks_out_whatever_its_credit);
  tcase_add_test (door, who_waits_is_served_by_turns_over_sources);
  tcase_add_test (door, a_silent_admin_or_joiner_does_not_keep_a_run_for_ever);
  tcase_add_test (door, a_person_may_take_any_time_to_decide);
  tcase_add_test (door, a_connection_that_says_nothing_is_ended);

  tcase_add_test (places,
      a_place_in_the_queue_survives_a_lost_connection_and_keeps_its_turn);
  tcase_add_test (places,
      a_lapsed_place_is_unknown_and_an_absent_joiners_knock_goes_to_nobody);
  tcase_add_test (
      places, a_run_before_its_proof_is_over_when_the_joiner_is_lost);
  tcase_add_loop_test (
      places, a_proven_joiner_comes_back_to_what_was_said_meanwhile, 0, 5);
  tcase_add_test (places, who_lost_the_admit_gets_all_of_it_when_it_returns);
  tcase_add_test (
      places, a_member_returns_to_what_it_missed_and_to_its_transport);
  tcase_add_test (
      places, a_return_ends_the_connection_that_the_place_still_has);
  tcase_add_test (places,
      a_members_place_that_lapses_is_told_to_the_admins_and_the_forwarder);
  tcase_add_test (places, leave_ends_a_place_at_once);
  tcase_add_test (places, an_admin_that_was_away_hears_of_who_went_meanwhile);
  tcase_add_test (
      places, a_member_that_knocks_comes_in_anew_and_keeps_its_transport);
  tcase_add_test (places,
      a_member_that_came_in_anew_and_may_not_know_it_is_told_once_more);
  tcase_add_test (places, a_members_knock_is_served_before_strangers_knocks);
  tcase_add_test (
      places, an_admin_at_the_door_itself_serves_nobody_until_it_is_in);
  tcase_add_test (places,
      an_owner_at_the_door_is_told_waiting_only_when_nobody_can_let_it_in);
  tcase_add_test (
      places, returned_is_the_first_that_an_admin_gets_on_its_new_connection);
  tcase_add_test (
      places, a_knock_lost_with_the_admins_connection_costs_no_credit);
  tcase_add_test (places, a_member_that_knocked_and_went_is_gone);

  tcase_add_test (
      admins, the_first_to_open_owns_and_another_identity_does_not);
  tcase_add_test (
      admins, open_needs_the_signature_over_this_challenge_meeting_and_hub);
  tcase_add_test (admins, only_those_whom_the_owner_named_may_attend);
  tcase_add_test (admins, a_message_of_owner_or_admin_needs_one);
  tcase_add_test (
      admins, media_requests_of_members_are_handed_to_the_forwarder);
  tcase_add_test (admins, transfer_makes_another_the_owner);
  tcase_add_test (admins, close_ends_all_and_another_may_own_the_name);
  tcase_add_test (admins, dismiss_ends_a_member_and_not_the_owner);
  tcase_add_test (admins, an_owner_that_restarted_takes_its_old_place_over);
  tcase_add_test (
      admins, a_meeting_is_its_owners_for_a_while_after_all_have_gone);
  tcase_add_test (admins, reopened_reaches_members_there_away_and_yet_to_come);
  tcase_add_test (admins,
      attach_goes_to_one_serving_admin_with_the_challenge_of_the_connection);
  tcase_add_test (
      admins, a_member_that_lost_its_place_attaches_where_it_was_in_the_order);
  tcase_add_test (admins, an_attach_whose_admin_goes_is_given_to_another);
  tcase_add_test (admins,
      an_attach_that_nobody_answers_ends_in_silence_and_may_come_again);

  tcase_add_test (
      fleet, a_meeting_lives_on_one_hub_and_elsewhere_looks_like_nowhere);
  tcase_add_test (fleet, a_lease_is_renewed_as_long_as_the_meeting_lasts);
  tcase_add_test (
      fleet, answers_of_a_slow_directory_are_waited_for_and_late_ones_ignored);
  tcase_add_test (
      fleet, a_directory_that_does_not_answer_ends_the_room_before_the_lease);
  tcase_add_test (fleet, a_shutdown_tells_all_and_releases_all);
  return suite;
}

PURE_CHECK_MAIN (hub_room);

/* The hub's door: sources, and the way from knock to admitted.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hub-cast.h"

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
  /* Admins of two meetings can't tell that it is the same. */
  Client *other = arrive_from (rig, "another", "192.0.2.9");
  WireMessage open = { .type = WIRE_OPEN };
  open.open.meeting = (char *) "another";
  memcpy (open.open.identity, identity_public_key (owner), IDENTITY_KEY_LEN);
  wire_sign_open (owner, false, other->challenge, "another", rig->spki_hash,
      open.open.sig);
  say (rig, other, &open);
  expect_opened (other);
  SAY (other, .type = WIRE_CREDITS, .credits = 1);
  say_knock (rig, arrive_from (rig, "another", "192.0.2.7"));
  fail_unless (strcmp (label, expect (other, WIRE_KNOCK)->knock.source) != 0);
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

static Suite *
hub_door_suite (void)
{
  Suite *suite = suite_create ("hub-door");
  TCase *door = tcase_create ("door");

  suite_add_tcase (suite, door);
  tcase_add_checked_fixture (door, setup, teardown);
  tcase_set_timeout (door, 60);
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
  return suite;
}

PURE_CHECK_MAIN (hub_door);

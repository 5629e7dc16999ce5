/* Who owns a meeting at the hub and attends its door; reopening, and a hub that forgot.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hub-cast.h"

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
  /* And the other way about: signed for this one, said of another. */
  wire_sign_open (owner, false, host->challenge, MEETING, rig->spki_hash,
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
    { .type = WIRE_CLOSE } };
  for (gsize i = 0; i < G_N_ELEMENTS (owners); i++) {
    say (rig, member, &owners[i]);
    expect_error (member, WIRE_CODE_NOT_OWNER);
    say (rig, co, &owners[i]);
    expect_error (co, WIRE_CODE_NOT_OWNER);
  }
  WireMessage admins[] = { { .type = WIRE_DISMISS, .peer = host->peer },
    { .type = WIRE_CREDITS, .credits = 9 },
    { .type = WIRE_AGAIN, .peer = host->peer },
    { .type = WIRE_ADMITTED, .peer = door->peer }, { .type = WIRE_REOPENED } };
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

GST_START_TEST (who_did_not_get_its_answer_opens_again)
{
  Client *host = open_meeting (rig, owner, 16);
  say_open (rig, host, owner, false);
  fail_if (expect_opened (host)->opened.attended);
  /* And is served by a door that knows nothing of the credits before. */
  Client *guest = arrive (rig);
  say_knock (rig, guest);
  expect (guest, WIRE_WAITING);
  expect_nothing (host);
  SAY (host, .type = WIRE_CREDITS, .credits = 1);
  expect (host, WIRE_KNOCK);
  /* Not as somebody else. */
  say_open (rig, host, deputy, false);
  expect_nothing (host);
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

GST_START_TEST (reopened_of_a_co_host_is_passed_on_and_kept_only_if_later)
{
  Client *host = open_meeting (rig, owner, 16), *there = arrive (rig);
  let_in (rig, host, there);
  name_admin (rig, host, deputy);
  Client *co = arrive (rig);
  say_open (rig, co, deputy, true);
  expect_opened (co);
  WireMessage ours = reopened_message (42), theirs = reopened_message (41);
  say (rig, host, &ours);
  fail_unless_equals_uint64 (
      expect (there, WIRE_REOPENED)->reopened.opened, 42);
  say (rig, co, &theirs);
  fail_unless_equals_uint64 (
      expect (there, WIRE_REOPENED)->reopened.opened, 41);
  hang_up (rig, there);
  come_back (rig, there, there->seq);
  expect_returned (there);
  Client *later = arrive (rig);
  SAY (later, .type = WIRE_ATTACH, .attach = { .message = FILL (200) });
  forget_inbox (host);
  say_admitted (rig, host, later->peer, 0);
  expect (later, WIRE_ADMITTED);
  while (g_queue_get_length (&later->inbox) > 1)
    got_free (g_queue_pop_head (&later->inbox));
  fail_unless_equals_uint64 (
      expect (later, WIRE_REOPENED)->reopened.opened, 42);
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

static Suite *
hub_admins_suite (void)
{
  Suite *suite = suite_create ("hub-admins");
  TCase *admins = tcase_create ("admins");

  suite_add_tcase (suite, admins);
  tcase_add_checked_fixture (admins, setup, teardown);
  tcase_set_timeout (admins, 60);
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
  tcase_add_test (admins, who_did_not_get_its_answer_opens_again);
  tcase_add_test (
      admins, reopened_of_a_co_host_is_passed_on_and_kept_only_if_later);
  tcase_add_test (admins,
      attach_goes_to_one_serving_admin_with_the_challenge_of_the_connection);
  tcase_add_test (
      admins, a_member_that_lost_its_place_attaches_where_it_was_in_the_order);
  tcase_add_test (admins, an_attach_whose_admin_goes_is_given_to_another);
  tcase_add_test (admins,
      an_attach_that_nobody_answers_ends_in_silence_and_may_come_again);
  return suite;
}

PURE_CHECK_MAIN (hub_admins);

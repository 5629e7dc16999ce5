/* One hub for a meeting: the directory's leases, and a directory that is slow or silent.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hub-cast.h"

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
hub_directory_suite (void)
{
  Suite *suite = suite_create ("hub-directory");
  TCase *fleet = tcase_create ("fleet");

  suite_add_tcase (suite, fleet);
  tcase_add_checked_fixture (fleet, setup, teardown);
  tcase_set_timeout (fleet, 60);
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

PURE_CHECK_MAIN (hub_directory);

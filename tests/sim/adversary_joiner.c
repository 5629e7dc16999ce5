/* Those who lie at the door: joiners that bend a rule, and hosts that are none.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "adversaries.h"
#include "fake.h"

static void
plan_joiner (World *world)
{
  Policy *policy = &world->plan.policy;
  JoinerBend bend = (JoinerBend) world->adversary->bend;

  quiet_plan (world, bend == JOINER_LATE ? 45000 : 14000);
  policy->admission = bend == JOINER_GUESSES || dice_chance (&world->dice, 500)
                          ? ADMISSION_PASSWORD
                          : ADMISSION_OPEN;
  world->plan.password = policy->admission == ADMISSION_PASSWORD;
  world->plan.pinned = true;
  /* What one admin has seen, another has not. */
  if (bend == JOINER_SAME_SID || bend == JOINER_SAME_REF)
    world->plan.co_hosts = 0;
  /* An honest one comes while the other is at it. */
  world->plan.late_comers = true;
}

static void
joiner_people (World *world)
{
  JoinerBend bend = (JoinerBend) world->adversary->bend;

  world->lie = fake_joiner (world, bend);
  if (bend == JOINER_STOPS || bend == JOINER_FLOODS)
    ((Person *) world->lie)->source = 99;
  if (bend == JOINER_HONEST || bend == JOINER_SAME_REF
      || bend == JOINER_SAME_SID)
    world->must_be_let_in = world->lie;
}

static void
joiner_begin (World *world)
{
  Person *person = world->lie;
  person->fake->start (person);
}

#define JOINER(bend, name, what)                                              \
  {                                                                           \
    name, what, LIES_AS_JOINER, bend, plan_joiner, joiner_people,             \
        joiner_begin, NULL, NULL, NULL                                        \
  }

const Adversary joiner_adversaries[] = {
  JOINER (JOINER_HONEST, "joiner-honest",
      "a joiner by hand that breaks no rule: shows that the others are refused "
      "for theirs"),
  JOINER (JOINER_GUESSES, "joiner-guesses", "tries passwords"),
  JOINER (JOINER_STOPS, "joiner-stops", "knocks and never proves anything"),
  JOINER (JOINER_FLOODS, "joiner-floods", "knocks and sends rubbish"),
  JOINER (JOINER_OTHER_REF, "joiner-other-ref",
      "proves with another key package than it named"),
  JOINER (
      JOINER_SAME_REF, "joiner-same-ref", "uses one key package in two runs"),
  JOINER (JOINER_SAME_SID, "joiner-same-sid", "uses one sid in two knocks"),
  JOINER (JOINER_BAD_SIG, "joiner-bad-sig",
      "has a key package whose key it has not"),
  JOINER (JOINER_BAD_NAME, "joiner-bad-name",
      "has a name that is not in normalization form C"),
  JOINER (JOINER_CONTROL_NAME, "joiner-control-name",
      "has a name that turns the direction of writing"),
  JOINER (JOINER_OLD, "joiner-old", "has a key package whose time is over"),
  JOINER (
      JOINER_FOR_EVER, "joiner-for-ever", "has a key package that never ends"),
  JOINER (JOINER_LATE, "joiner-late", "proves 33 s after the reply"),
  JOINER (JOINER_NO_ROLE, "joiner-no-role", "has a leaf without a role"),
  JOINER (JOINER_CLAIMS_MEMBER, "joiner-claims-member",
      "knocks as a member that it is not"),
};
const size_t n_joiner_adversaries = G_N_ELEMENTS (joiner_adversaries);

/* ---- Hosts ---- */

static void
plan_host (World *world)
{
  Policy *policy = &world->plan.policy;
  HostBend bend = (HostBend) world->adversary->bend;
  bool password = bend == HOST_GUESSES || bend == HOST_OWN_KEY;

  quiet_plan (world, 12000);
  world->plan.people = 2;
  world->plan.co_hosts = 0;
  policy->admission = password ? ADMISSION_PASSWORD : ADMISSION_OPEN;
  world->plan.password = password;
  world->plan.pinned = !password;
  if (bend == HOST_BAD_TREE || bend == HOST_OTHER_SIGNER
      || bend == HOST_TOO_MANY)
    world->plan.pinned = true;
}

static void
host_people (World *world)
{
  Person *person = fake_host (world, (HostBend) world->adversary->bend);
  person->idle_until_told = true;
  person_act_later (person, 100, ACT_JOIN, NULL, 0);
}

#define HOST(bend, name, what)                                                \
  {                                                                           \
    name, what, LIES_AS_HUB | LIES_ON, bend, plan_host, host_people, NULL,    \
        NULL, NULL, NULL                                                      \
  }

const Adversary host_adversaries[] = {
  HOST (HOST_HONEST, "host-honest",
      "an owner by hand that breaks no rule: shows that the others are refused "
      "for theirs"),
  HOST (HOST_BAD_SIG, "host-bad-sig",
      "answers for an absent host, whose key it has not"),
  HOST (HOST_NO_CHAIN, "host-no-chain",
      "answers for an absent host, with a key of its own"),
  HOST (
      HOST_BAD_CHAIN, "host-bad-chain", "and with a chain that nobody signed"),
  HOST (HOST_OWN_KEY, "host-own-key", "answers a joiner with its own key"),
  HOST (HOST_GUESSES, "host-guesses",
      "answers for an absent host, to try passwords on who joins"),
  HOST (HOST_OTHER_HASH, "host-other-hash",
      "gives another Welcome than the box names"),
  HOST (HOST_OTHER_SIGNER, "host-other-signer",
      "gives a Welcome that another member made"),
  HOST (HOST_OTHER_GROUP, "host-other-group",
      "gives a Welcome to another group than it named"),
  HOST (HOST_BAD_TREE, "host-bad-tree", "has a member without a role"),
  HOST (HOST_TOO_MANY, "host-too-many",
      "has more members than its policy allows"),
  HOST (HOST_EXTENSION, "host-extension", "has external_senders in its group"),
  HOST (
      HOST_OTHER_MEETING, "host-other-meeting", "lets in to another meeting"),
  HOST (HOST_NOT_ADMIN, "host-not-admin",
      "is no admin of the group that it lets in to"),
  HOST (HOST_EXTERNAL, "host-external",
      "gives a Welcome by which others could join by themselves"),
};
const size_t n_host_adversaries = G_N_ELEMENTS (host_adversaries);

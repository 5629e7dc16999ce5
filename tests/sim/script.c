/* Who there is and what they do when: what a seed means.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim.h"

#include "ext/sodium/precis.h"

#define STORM_ONE_IN 200
#define STORM_PEOPLE 200
#define NEVER_MS 1000000000

static void
choose_policy (World *world)
{
  Dice *dice = &world->dice;
  Plan *plan = &world->plan;
  Policy *policy = &plan->policy;
  uint64_t kind = dice_below (dice, 100);

  *policy = policy_default ();
  strcpy (policy->meeting, "simulated");
  policy->admission = kind < 35   ? ADMISSION_WAITING_ROOM
                      : kind < 75 ? ADMISSION_PASSWORD
                      : kind < 85 ? ADMISSION_ALLOW_LIST
                                  : ADMISSION_OPEN;
  plan->password = policy->admission == ADMISSION_PASSWORD
                   || (policy->admission == ADMISSION_WAITING_ROOM
                       && dice_chance (dice, 500));
  plan->pinned = !plan->password || dice_chance (dice, 700);
  policy->epoch_bits =
      (uint8_t) (dice_chance (dice, 300) ? dice_between (dice, 1, 3)
                                         : policy->epoch_bits);
  policy->screen_share = (Who) dice_between (dice, 1, 3);
  policy->recording = (Who) dice_between (dice, 1, 3);
  policy->consent = dice_chance (dice, 500);
  policy->hand_over = (HandOver) dice_between (dice, 1, 2);
  plan->suite = dice_chance (dice, 250) ? MLS_SUITE_AES_128_GCM
                                        : MLS_SUITE_CHACHA20_POLY1305;
}

static void
choose_plan (World *world)
{
  Dice *dice = &world->dice;
  Plan *plan = &world->plan;

  choose_policy (world);
  plan->storm = !world->adversary && dice_below (dice, STORM_ONE_IN) == 0;
  plan->people =
      (unsigned) (dice_chance (dice, 100) ? dice_between (dice, 6, 8)
                                          : dice_between (dice, 2, 5));
  plan->co_hosts = plan->people > 2 ? (unsigned) dice_below (dice, 3) : 0;
  plan->recorders = dice_chance (dice, 250);
  plan->listeners = dice_chance (dice, 250);
  plan->strangers = plan->policy.admission == ADMISSION_OPEN
                        ? 0
                        : (unsigned) dice_below (dice, 3);
  plan->settled = dice_between (dice, 5000, 9000);
  plan->heal = plan->settled
               + (dice_chance (dice, 50) ? dice_between (dice, 60000, 150000)
                                         : dice_between (dice, 8000, 30000));
  plan->end = plan->heal + 20000;
  plan->rekey = dice_chance (dice, 200) ? 10000 : 0;
  plan->faults = world->adversary ? 0 : (unsigned) dice_below (dice, 5);
  plan->acts = (unsigned) dice_between (dice, 1, 7);
  if (plan->storm) {
    plan->people = STORM_PEOPLE;
    plan->strangers = 0;
    plan->co_hosts = 1;
    plan->faults = 1;
    plan->acts = 3;
    plan->rekey = 0;
    plan->policy.admission = ADMISSION_OPEN;
    plan->password = false;
    plan->pinned = true;
    plan->settled = 20000;
    plan->heal = 30000;
    plan->end = 60000;
  }
}

/* Who is on the lists: by fingerprint. */
static void
write_lists (World *world)
{
  Plan *plan = &world->plan;

  plan->allow_list =
      world_keep (world, g_malloc0 (32 * (world->people->len + 1)));
  plan->recorder_list =
      world_keep (world, g_malloc0 (32 * (world->people->len + 1)));
  for (guint i = 1; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (person->listed)
      memcpy (plan->allow_list[plan->n_allow_list++], person->fingerprint, 32);
    if (person->role == ROLE_RECORDER && person->invited && i % 2)
      memcpy (plan->recorder_list[plan->n_recorder_list++],
          person->fingerprint, 32);
  }
}

/* Somebody who is not to get in: by a wrong password, or since nobody would say yes. */
static void
add_stranger (World *world)
{
  Person *person = person_new (world, ROLE_PARTICIPANT, false);

  person->listed = false;
  if (world->plan.password
      && (world->plan.policy.admission == ADMISSION_PASSWORD
          || dice_chance (&world->dice, 500)))
    person->knows_password = false;
  else
    person->invited = false;
}

void
people_plan (World *world)
{
  Plan *plan = &world->plan;

  precis_opaque_string ("SIMNAME-password", 16, &world->password, NULL);
  precis_opaque_string ("SIMNAME-passwort", 16, &world->wrong_password, NULL);
  choose_plan (world);
  if (world->adversary && world->adversary->plan)
    world->adversary->plan (world);
  for (unsigned i = 0; i < plan->people; i++)
    person_new (world,
        i > plan->co_hosts && i >= plan->people - plan->recorders
            ? ROLE_RECORDER
        : i > plan->co_hosts
                && i >= plan->people - plan->recorders - plan->listeners
            ? ROLE_LISTENER
            : ROLE_PARTICIPANT,
        i == 0);
  for (unsigned i = 0; i < plan->strangers; i++)
    add_stranger (world);
  if (world->adversary && world->adversary->people)
    world->adversary->people (world);
  write_lists (world);
  plan->policy.max_members =
      (uint16_t) (dice_chance (&world->dice, 50) && !plan->storm
                          && !plan->quiet
                      ? MAX (2u, plan->people)
                      : 1000);
}

/* ---- When ---- */

static void
schedule_arrivals (World *world)
{
  Dice *dice = &world->dice;
  Plan *plan = &world->plan;
  uint64_t latest = plan->storm ? 2000 : plan->settled - 3500;

  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    uint64_t at = i == 0 ? dice_below (dice, 300) : dice_below (dice, latest);
    /* Some come late, into what goes on then. */
    bool late = plan->quiet ? plan->late_comers && i == plan->people - 1
                            : dice_chance (dice, 250);
    if (i > plan->co_hosts && !plan->storm && late)
      at = dice_between (dice, plan->settled, plan->heal - 4000);
    if (person->idle_until_told)
      continue;
    person_act_later (person, at, ACT_JOIN, NULL, 0);
  }
  for (unsigned i = 1; i <= plan->co_hosts; i++)
    person_act_later (world_owner (world),
        plan->settled - 2000 + dice_below (dice, 500), ACT_PROMOTE,
        g_ptr_array_index (world->people, i), 0);
}

static void
schedule_act (World *world, uint64_t at)
{
  static const Act of_anybody[] = { ACT_CHAT, ACT_TRACK, ACT_TRACK,
    ACT_UNTRACK, ACT_HAND, ACT_LEAVE, ACT_RECORDING };
  static const Act of_admins[] = { ACT_LOCK, ACT_LOCK, ACT_REMOVE, ACT_REMOVE,
    ACT_ROTATE, ACT_POLICY, ACT_MUTE, ACT_RELEASE };
  static const Act of_owners[] = { ACT_PROMOTE, ACT_DEMOTE, ACT_HAND_OVER,
    ACT_LEAVE };
  Dice *dice = &world->dice;
  guint n = world->plan.people;
  Person *target = g_ptr_array_index (world->people, dice_below (dice, n));
  Person *person = target;
  uint64_t kind = dice_below (dice, 100), number = dice_below (dice, 64);
  Act act;

  if (kind < 45) {
    act = of_anybody[dice_below (dice, G_N_ELEMENTS (of_anybody))];
    if (act == ACT_LEAVE && person->owner)
      act = ACT_CHAT;
  } else if (kind < 93) {
    person = g_ptr_array_index (
        world->people, dice_below (dice, world->plan.co_hosts + 1u));
    act = of_admins[dice_below (dice, G_N_ELEMENTS (of_admins))];
    if (act == ACT_LOCK)
      number = dice_below (dice, 2);
    /* Two at once, of two admins */
    if (world->plan.co_hosts && dice_chance (dice, 300))
      person_act_later (g_ptr_array_index (world->people,
                            dice_below (dice, world->plan.co_hosts + 1u)),
          at + dice_below (dice, 30), ACT_ROTATE, NULL, 0);
  } else {
    person = world_owner (world);
    act = of_owners[dice_below (dice, G_N_ELEMENTS (of_owners))];
  }
  person_act_later (person, at, act, target, number);
  /* What was removed or left may knock again. */
  if ((act == ACT_REMOVE || act == ACT_LEAVE) && !target->owner)
    person_act_later (
        target, at + dice_between (dice, 1000, 9000), ACT_JOIN, NULL, 0);
  if (act == ACT_LOCK && number)
    person_act_later (
        person, at + dice_between (dice, 1000, 15000), ACT_LOCK, NULL, 0);
}

void
people_schedule (World *world)
{
  Dice *dice = &world->dice;
  Plan *plan = &world->plan;

  schedule_arrivals (world);
  for (unsigned i = 0; i < plan->acts; i++)
    schedule_act (
        world, dice_between (dice, plan->settled, plan->heal - 1000));
  /* Everybody goes at once. */
  if (plan->quiet)
    return;
  if (dice_chance (dice, 40) || plan->storm)
    for (guint i = plan->storm ? 5 : 1; i < plan->people; i++) {
      /* Of a storm most don't say so. */
      bool says = !plan->storm || dice_chance (dice, 250);
      person_act_later (g_ptr_array_index (world->people, i),
          plan->heal - 2000 + dice_below (dice, 200),
          says ? ACT_LEAVE : ACT_CRASH, NULL, says ? 0 : NEVER_MS);
    }
  if (dice_chance (dice, 60))
    person_act_later (world_owner (world), plan->heal - 500, ACT_END, NULL, 0);
}

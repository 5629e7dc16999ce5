/* What goes wrong without anybody's ill will.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim.h"

#define YEAR_MS (INT64_C (365) * 24 * 3600 * 1000)

static Person *
anybody (World *world)
{
  return g_ptr_array_index (
      world->people, dice_below (&world->dice, world->people->len));
}

static void
cut (World *world, void *what, uint64_t number)
{
  Person *person = what;
  if (person->conn) {
    world_say (world, "%u loses its connection", person->index);
    net_cut (person->conn);
  }
}

static void
come_near (World *world, void *what, uint64_t number)
{
  ((Person *) what)->away = false;
}

static void
go_away (World *world, void *what, uint64_t number)
{
  Person *person = what;

  person->away = true;
  cut (world, person, 0);
  world_after (world, number, come_near, person, 0);
}

static void
crash (World *world, void *what, uint64_t number)
{
  if (((Person *) what)->session)
    person_act (what, ACT_CRASH, NULL, number);
}

static void
restart_hub (World *world, void *what, uint64_t number)
{
  server_restart (world, number);
}

/* A connection that hangs, and then goes. */
static void
stall (World *world, void *what, uint64_t number)
{
  Person *person = what;
  if (person->conn) {
    person->conn->lag = number;
    world_say (world, "%u hangs", person->index);
    world_after (world, number, cut, person, 0);
  }
}

static void
jump (World *world, void *what, uint64_t number)
{
  ((Person *) what)->wall += number % 2 ? YEAR_MS : -YEAR_MS;
}

static void
arm_admit (World *world, void *what, uint64_t number)
{
  world->cut_at_admit = true;
}

static void
arm_commit (World *world, void *what, uint64_t number)
{
  world->restart_at_commit = true;
}

bool
faults_frame (Conn *conn, bool binary, GBytes *bytes)
{
  World *world = conn->world;
  gsize len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);

  if (world->cut_at_admit && !binary && memmem (data, len, "\"admit\"", 7)
      && conn->person->state != SESSION_MEMBER) {
    world->cut_at_admit = false;
    world_say (world, "the admit for %u is lost", conn->person->index);
    conn->person->excused = world->now + 45000;
    net_cut (conn);
    return true;
  }
  /* Those behind this one in the hub's list don't get the commit, and then it forgets. */
  if (world->restart_at_commit && binary && len > WIRE_HEADER
      && data[0] == WIRE_COMMIT && dice_chance (&world->dice, 400)) {
    world->restart_at_commit = false;
    world_say (world, "the hub dies with a commit half delivered");
    for (guint i = 0; i < world->conns->len; i++) {
      Conn *other = g_ptr_array_index (world->conns, i);
      if (other->up_open && dice_chance (&world->dice, 500))
        net_cut (other);
    }
    world_after (
        world, 0, restart_hub, NULL, dice_between (&world->dice, 100, 3000));
    return true;
  }
  return false;
}

void
faults_schedule (World *world)
{
  static const struct
  {
    WorldFn fn;
    uint64_t from, to;
  } kinds[] = { { cut, 0, 0 }, { cut, 0, 0 }, { go_away, 500, 20000 },
    { go_away, 31000, 40000 }, { crash, 100, 8000 }, { crash, 100, 8000 },
    { restart_hub, 100, 4000 }, { stall, 500, 5000 }, { jump, 0, 1 },
    { arm_admit, 0, 0 }, { arm_commit, 0, 0 } };
  Dice *dice = &world->dice;

  for (unsigned i = 0; i < world->plan.faults; i++) {
    guint kind = (guint) dice_below (dice, G_N_ELEMENTS (kinds));
    Person *person =
        dice_chance (dice, 300) ? world_owner (world) : anybody (world);
    uint64_t at = dice_between (dice, 500, world->plan.heal - 500);
    world_after (world, at, kinds[kind].fn, person,
        dice_between (dice, kinds[kind].from, kinds[kind].to));
  }
}

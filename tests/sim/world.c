/* The queue of events, and a world's life.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>

#define TICK_MS 250
#define MAX_STEPS 4000000

static bool
event_before (const WorldEvent *a, const WorldEvent *b)
{
  return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void
push_event (GArray *heap, WorldEvent event)
{
  g_array_append_val (heap, event);
  WorldEvent *e = &g_array_index (heap, WorldEvent, 0);
  for (guint i = heap->len - 1; i > 0;) {
    guint parent = (i - 1) / 2;
    if (!event_before (&e[i], &e[parent]))
      break;
    WorldEvent swap = e[i];
    e[i] = e[parent];
    e[parent] = swap;
    i = parent;
  }
}

static WorldEvent
pop_event (GArray *heap)
{
  WorldEvent *e = &g_array_index (heap, WorldEvent, 0);
  WorldEvent first = e[0];
  guint n = heap->len - 1;

  e[0] = e[n];
  g_array_set_size (heap, n);
  for (guint i = 0;;) {
    guint least = i, left = 2 * i + 1, right = left + 1;
    if (left < n && event_before (&e[left], &e[least]))
      least = left;
    if (right < n && event_before (&e[right], &e[least]))
      least = right;
    if (least == i)
      return first;
    WorldEvent swap = e[i];
    e[i] = e[least];
    e[least] = swap;
    i = least;
  }
}

void
world_after (
    World *world, uint64_t delay, WorldFn fn, void *what, uint64_t number)
{
  WorldEvent event = { world->now + delay, world->order++, fn, what, number };
  push_event (world->queue, event);
}

void *
world_keep (World *world, void *what)
{
  g_ptr_array_add (world->kept, what);
  return what;
}

void
world_say (World *world, const char *format, ...)
{
  if (!world->verbose)
    return;
  va_list args;
  va_start (args, format);
  printf ("%8" G_GUINT64_FORMAT "  ", world->now);
  vprintf (format, args);
  putchar ('\n');
  va_end (args);
}

void
world_fail (World *world, unsigned invariant, const char *format, ...)
{
  if (world->failure)
    return;
  va_list args;
  va_start (args, format);
  char *text = g_strdup_vprintf (format, args);
  va_end (args);
  world->failure =
      g_strdup_printf ("invariant %u at %" G_GUINT64_FORMAT " ms: %s",
          invariant, world->now, text);
  g_free (text);
  world_say (world, "BROKEN %s", world->failure);
}

void
world_trace (World *world, const void *data, size_t len)
{
  const uint8_t *at = data;
  uint64_t word, hash = world->trace ^ (world->now * 0x9e3779b97f4a7c15u);

  for (; len >= 8; len -= 8, at += 8) {
    memcpy (&word, at, 8);
    hash = (hash ^ word) * 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
  }
  for (; len > 0; len--, at++)
    hash = (hash ^ *at) * 0x100000001b3u;
  world->trace = hash;
}

/* ---- A life ---- */

static void
tick (World *world, void *what, uint64_t number)
{
  if (world->adversary && world->adversary->tick
      && (!world->healed || world->adversary->powers & LIES_ON))
    world->adversary->tick (world);
  world_after (world, TICK_MS, tick, NULL, 0);
}

static void
second (World *world, void *what, uint64_t number)
{
  invariants_second (world);
  world_after (world, 1000, second, NULL, 0);
}

static void
settle (World *world, void *what, uint64_t number)
{
  world_say (world, "-- settled");
  if (world->adversary && world->adversary->begin)
    world->adversary->begin (world);
  tick (world, NULL, 0);
}

/* Faults and lies end; what they left behind is for the meeting to overcome. */
static void
heal (World *world, void *what, uint64_t number)
{
  world_say (world, "-- healed");
  world->healed = true;
  world->cut_at_admit = world->restart_at_commit = false;
  if (!world->adversary || !(world->adversary->powers & LIES_ON))
    world->lying = false;
  world->calm_since = world->now;
  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    person->away = false;
    /* What a client waits for that an honest hub never heard of ends with the connection. */
    if (world->adversary && world->adversary->powers & LIES_AS_HUB
        && !(world->adversary->powers & LIES_ON) && person->conn)
      net_cut (person->conn);
  }
}

World *
world_new (uint64_t seed, const Adversary *adversary, bool verbose)
{
  World *world = g_new0 (World, 1);

  chance_seed (seed);
  world->seed = seed;
  world->verbose = verbose;
  world->adversary = adversary;
  dice_init (&world->dice, seed, "script");
  world->queue = g_array_new (FALSE, FALSE, sizeof (WorldEvent));
  world->people = g_ptr_array_new ();
  world->conns = g_ptr_array_new ();
  world->kept = g_ptr_array_new_with_free_func (g_free);
  world->forbidden = truth_forbidden_new ();
  people_plan (world);
  world->truth = truth_new (world);
  world->tap = tap_new (world);
  world->server = server_new (world);
  people_schedule (world);
  faults_schedule (world);
  world_after (world, 1000, second, NULL, 0);
  world_after (world, world->plan.settled, settle, NULL, 0);
  world_after (world, world->plan.heal, heal, NULL, 0);
  return world;
}

bool
world_run (World *world)
{
  while (world->queue->len > 0 && !world->failure) {
    WorldEvent event = pop_event (world->queue);
    if (event.at > world->plan.end)
      break;
    world->now = event.at;
    event.fn (world, event.what, event.number);
    if (++world->steps > MAX_STEPS)
      world_fail (world, 9, "%u events and no end", MAX_STEPS);
  }
  if (!world->failure)
    invariants_end (world);
  return !world->failure;
}

void
world_free (World *world)
{
  if (world->adversary && world->adversary->end)
    world->adversary->end (world);
  for (guint i = 0; i < world->people->len; i++)
    person_free (g_ptr_array_index (world->people, i));
  g_ptr_array_free (world->people, TRUE);
  server_free (world->server);
  net_free (world);
  g_ptr_array_free (world->conns, TRUE);
  truth_free (world->truth);
  tap_free (world->tap);
  g_hash_table_unref (world->forbidden);
  secret_unref (world->password);
  secret_unref (world->wrong_password);
  g_array_free (world->queue, TRUE);
  g_ptr_array_free (world->kept, TRUE);
  memory_forget ();
  g_free (world->failure);
  g_free (world);
}

/* Connections: in order in themselves, late, and cut at any time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim.h"

static Conn *
conn_new (Person *person)
{
  World *world = person->world;
  Conn *conn = g_new0 (Conn, 1);

  conn->world = world;
  conn->person = person;
  conn->index = world->conns->len;
  for (int d = UP; d <= DOWN; d++)
    conn->under_way[d] = g_queue_new ();
  g_ptr_array_add (world->conns, conn);
  return conn;
}

static void
frame_free (Frame *frame)
{
  g_bytes_unref (frame->bytes);
  g_free (frame);
}

void
net_free (World *world)
{
  for (guint i = 0; i < world->conns->len; i++) {
    Conn *conn = g_ptr_array_index (world->conns, i);
    for (int d = UP; d <= DOWN; d++)
      g_queue_free_full (conn->under_way[d], (GDestroyNotify) frame_free);
    if (conn->injected)
      g_queue_free_full (conn->injected, (GDestroyNotify) frame_free);
    g_free (conn);
  }
}

/* How long a frame that leaves now takes; never less than the one before it. */
static uint64_t
arrival (Conn *conn, Direction direction, uint64_t delay)
{
  World *world = conn->world;
  uint64_t at = world->now + delay + conn->person->delay + conn->lag
                + dice_below (&world->dice, 1 + conn->person->delay / 2);
  conn->last[direction] = MAX (conn->last[direction], at);
  return conn->last[direction] - world->now;
}

static void
arrive_up (World *world, void *what, uint64_t number)
{
  Conn *conn = what;
  Frame *frame = g_queue_pop_head (conn->under_way[UP]);

  if (!frame)
    return;
  if (conn->up_open && !conn->cut) {
    tap_frame (conn, UP, frame->binary, frame->bytes);
    const Adversary *a = world->adversary;
    if (!a || !a->frame || (world->healed && !(a->powers & LIES_ON))
        || a->frame (world, conn, UP, frame) == PASS)
      server_frame (conn, frame->binary, frame->bytes);
  }
  frame_free (frame);
}

static void
arrive_down (World *world, void *what, uint64_t number)
{
  Conn *conn = what;
  Frame *frame = g_queue_pop_head (conn->under_way[DOWN]);

  if (!frame)
    return;
  if (conn->down_open && conn->person->conn == conn)
    person_frame (conn->person, frame->binary, frame->bytes);
  frame_free (frame);
}

static void
put_under_way (Conn *conn, Direction direction, bool binary, GBytes *bytes,
    uint64_t delay)
{
  Frame *frame = g_new (Frame, 1);
  frame->binary = binary;
  frame->bytes = g_bytes_ref (bytes);
  g_queue_push_tail (conn->under_way[direction], frame);
  conn->frames[direction]++;
  conn->bytes[direction] += g_bytes_get_size (bytes);
  world_after (conn->world, arrival (conn, direction, delay),
      direction == UP ? arrive_up : arrive_down, conn, 0);
}

void
net_send (Conn *conn, bool binary, const void *data, size_t len)
{
  GBytes *bytes = g_bytes_new (data, len);
  world_trace (conn->world, data, len);
  put_under_way (conn, UP, binary, bytes, 0);
  g_bytes_unref (bytes);
}

void
net_from_server (Conn *conn, bool binary, GBytes *bytes)
{
  World *world = conn->world;
  const Adversary *a = world->adversary;
  Frame frame = { binary, bytes };

  tap_frame (conn, DOWN, binary, bytes);
  if (faults_frame (conn, binary, bytes))
    return;
  if (a && a->frame && (!world->healed || a->powers & LIES_ON)
      && a->frame (world, conn, DOWN, &frame) == DROP)
    return;
  net_deliver_down (conn, binary, bytes, 0);
}

void
net_deliver_down (Conn *conn, bool binary, GBytes *bytes, uint64_t delay)
{
  gsize len;
  const void *data = g_bytes_get_data (bytes, &len);
  world_trace (conn->world, data, len);
  put_under_way (conn, DOWN, binary, bytes, delay);
}

static void
inject_up (World *world, void *what, uint64_t number)
{
  Conn *conn = what;
  Frame *frame = g_queue_pop_head (conn->injected);
  if (frame && conn->up_open)
    server_frame (conn, frame->binary, frame->bytes);
  if (frame)
    frame_free (frame);
}

void
net_deliver_up (Conn *conn, bool binary, GBytes *bytes, uint64_t delay)
{
  Frame *frame = g_new (Frame, 1);
  frame->binary = binary;
  frame->bytes = g_bytes_ref (bytes);
  if (!conn->injected)
    conn->injected = g_queue_new ();
  g_queue_push_tail (conn->injected, frame);
  conn->inject_last = MAX (conn->inject_last, conn->world->now + delay);
  world_after (
      conn->world, conn->inject_last - conn->world->now, inject_up, conn, 0);
}

/* ---- Beginning and end ---- */

static void
server_side_opens (World *world, void *what, uint64_t number)
{
  Conn *conn = what;
  if (!conn->ended) {
    conn->up_open = true;
    server_connected (conn);
  }
}

static void
client_side_opens (World *world, void *what, uint64_t number)
{
  Conn *conn = what;
  if (!conn->ended && conn->person->conn == conn) {
    conn->down_open = true;
    person_connected (conn->person);
  }
}

static void
server_side_ends (World *world, void *what, uint64_t number)
{
  Conn *conn = what;
  if (conn->up_open) {
    conn->up_open = false;
    server_disconnected (conn);
  }
}

static void
client_side_ends (World *world, void *what, uint64_t number)
{
  Conn *conn = what;
  conn->down_open = false;
  if (conn->person->conn == conn) {
    conn->person->conn = NULL;
    person_disconnected (conn->person);
  }
}

static void
cannot_connect (World *world, void *what, uint64_t number)
{
  Person *person = what;
  if (person->crashes == number && !person->conn)
    person_disconnected (person);
}

Conn *
net_connect (Person *person)
{
  World *world = person->world;

  if (person->away || !server_is_up (world)) {
    world_after (world, dice_between (&world->dice, 50, 1500), cannot_connect,
        person, person->crashes);
    return NULL;
  }
  Conn *conn = conn_new (person);
  conn->lag = 0;
  world_after (world, person->delay, server_side_opens, conn, 0);
  world_after (world, 2 * person->delay, client_side_opens, conn, 0);
  conn->last[DOWN] = world->now + 2 * person->delay;
  return conn;
}

void
net_close (Conn *conn)
{
  conn->down_open = false;
  conn->ended = true;
  world_after (conn->world, arrival (conn, UP, 0), server_side_ends, conn, 0);
}

void
net_server_close (Conn *conn)
{
  conn->up_open = false;
  conn->ended = true;
  world_after (
      conn->world, arrival (conn, DOWN, 0), client_side_ends, conn, 0);
}

/* What was under way arrives or does not; each side notices in its time. */
void
net_cut (Conn *conn)
{
  World *world = conn->world;
  bool notices_at_once = dice_chance (&world->dice, 600);

  if (conn->ended && !conn->up_open && !conn->down_open)
    return;
  conn->ended = true;
  if (dice_chance (&world->dice, 500))
    conn->cut = true;
  client_side_ends (world, conn, 0);
  world_after (world,
      notices_at_once ? dice_below (&world->dice, 100)
                      : dice_between (&world->dice, 1000, 12000),
      server_side_ends, conn, 0);
}

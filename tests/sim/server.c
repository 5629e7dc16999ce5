/* The hub's machine: the room under test behind the net.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim.h"

#include "ext/hub/room.h"

const uint8_t server_spki_hash[LIMIT_SPKI_HASH] = { 0x5a, 1, 2, 3 };

struct Server
{
  Hub *hub;
  HubDirectory *directory;
  uint64_t started; /* its clock at world time 0 */
  uint64_t wake;
  uint64_t life; /* counts restarts */
  bool down;
};

static uint64_t
server_clock (const World *world)
{
  return world->server->started + world->now;
}

static Conn *
find_conn (World *world, uint64_t number)
{
  return number >= 1 && number <= world->conns->len
             ? g_ptr_array_index (world->conns, number - 1)
             : NULL;
}

static void server_turn (World *world);

static void
wake (World *world, void *what, uint64_t number)
{
  struct Server *server = world->server;
  if (server->wake != world->now || server->life != number)
    return;
  server->wake = 0;
  server_turn (world);
}

static void
take_outputs (World *world)
{
  HubOutput out;

  while (hub_next_output (world->server->hub, &out)) {
    Conn *conn = find_conn (world, out.connection);
    if (conn && conn->up_open) {
      if (out.type == HUB_DISCONNECT)
        net_server_close (conn);
      else
        net_from_server (conn, out.type == HUB_SEND_BINARY, out.frame);
    }
    hub_output_clear (&out);
  }
}

/* A world has no forwarder: streams get their numbers here. */
static void
answer_media (World *world, const HubEvent *event)
{
  if (event->type != HUB_EVENT_MEDIA || event->media.type != WIRE_PUBLISH)
    return;
  WireMessage answer = { .type = WIRE_PUBLISHED };
  answer.published.track = event->media.publish.track;
  answer.published.ssrc = 1 + dice_below (&world->dice, G_MAXUINT32 - 1);
  hub_send_media (world->server->hub, event->peer, &answer);
}

static void
server_turn (World *world)
{
  struct Server *server = world->server;
  HubEvent event;

  if (server->down)
    return;
  hub_tick (server->hub, server_clock (world));
  take_outputs (world);
  while (hub_next_event (server->hub, &event)) {
    answer_media (world, &event);
    hub_event_clear (&event);
  }
  take_outputs (world);

  uint64_t deadline = hub_deadline (server->hub);
  if (deadline == UINT64_MAX)
    return;
  uint64_t at = deadline > server->started ? deadline - server->started : 0;
  at = MAX (at, world->now + 1);
  if (server->wake > world->now && server->wake <= at)
    return;
  server->wake = at;
  world_after (world, at - world->now, wake, NULL, server->life);
}

static void
start_hub (World *world)
{
  struct Server *server = world->server;
  HubConfig config = { .directory = server->directory };

  memcpy (config.spki_hash, server_spki_hash, LIMIT_SPKI_HASH);
  server->hub = hub_new (&config, server_clock (world));
}

struct Server *
server_new (World *world)
{
  struct Server *server = g_new0 (struct Server, 1);

  world->server = server;
  server->started = dice_below (&world->dice, 1u << 30);
  server->directory = hub_directory_local_new ();
  start_hub (world);
  return server;
}

void
server_free (struct Server *server)
{
  hub_free (server->hub);
  hub_directory_free (server->directory);
  g_free (server);
}

bool
server_is_up (World *world)
{
  return !world->server->down;
}

void
server_connected (Conn *conn)
{
  World *world = conn->world;
  char source[32];

  if (world->server->down)
    return;
  g_snprintf (source, sizeof source, "10.0.0.%u", conn->person->source);
  hub_tick (world->server->hub, server_clock (world));
  if (!hub_connected (world->server->hub, conn->index + 1u,
          world->plan.policy.meeting, source))
    world_fail (world, 7, "the hub does not know the meeting's name");
  server_turn (world);
}

void
server_frame (Conn *conn, bool binary, GBytes *bytes)
{
  World *world = conn->world;
  gsize len;
  const void *data = g_bytes_get_data (bytes, &len);

  if (world->server->down)
    return;
  hub_tick (world->server->hub, server_clock (world));
  hub_frame (world->server->hub, conn->index + 1u, binary, data, len);
  server_turn (world);
}

void
server_disconnected (Conn *conn)
{
  World *world = conn->world;

  if (world->server->down)
    return;
  hub_tick (world->server->hub, server_clock (world));
  hub_disconnected (world->server->hub, conn->index + 1u);
  server_turn (world);
}

static void
come_up (World *world, void *what, uint64_t number)
{
  struct Server *server = world->server;
  server->down = false;
  start_hub (world);
  server_turn (world);
}

/* Its memory is lost, and the directory's with it: one machine. */
void
server_restart (World *world, uint64_t away)
{
  struct Server *server = world->server;

  if (server->down)
    return;
  world_say (world, "hub restarts, away for %" G_GUINT64_FORMAT " ms", away);
  hub_free (server->hub);
  server->hub = NULL;
  hub_directory_free (server->directory);
  server->directory = hub_directory_local_new ();
  server->life++;
  server->wake = 0;
  server->down = true;
  world->hub_forgot = true;
  for (guint i = 0; i < world->conns->len; i++) {
    Conn *conn = g_ptr_array_index (world->conns, i);
    if (conn->up_open)
      net_server_close (conn);
  }
  world_after (world, away, come_up, NULL, 0);
}

/* Bytes and things that the hub keeps, by its own account. */
size_t
server_memory (World *world)
{
  if (world->server->down)
    return 0;
  HubUsage usage = hub_usage (world->server->hub);
  return usage.log_bytes + usage.welcome_bytes + usage.held_bytes
         + 1024 * (usage.connections + usage.strangers + usage.members)
         + 256 * usage.sources;
}

/* What strangers, members and admins can do to a hub's rooms.
 *
 * The input is a list of operations, each a byte and its arguments:
 *
 *     0 connect   slot, meeting, source         5 open, attend   slot, identity, flags (1 attend, 2 a wrong signature)
 *     1 hang up   slot                          6 say            slot, type, slot of the peer, number
 *     2 text      slot, len u16, bytes          7 MLS frame      slot, kind, seq, len u16
 *     3 binary    slot, len u16, bytes          8 return         slot, slot of token and room, seq
 *     4 wait      u16: in 16 ms                 9 media          slot
 *
 * Slots, meetings, sources and identities are few, so that their numbers meet. The clients believe what the hub tells
 * them: numbers, tokens, challenges, rooms.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/hub/room.h"
#include "tests/seeded.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 16
#define MEETINGS 3
#define SOURCES 6
#define IDENTITIES 3
#define MAX_OPS 4096

#define CHECK(what)                                                           \
  do {                                                                        \
    if (!(what)) {                                                            \
      fprintf (stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);     \
      abort ();                                                               \
    }                                                                         \
  } while (0)

typedef struct
{
  uint64_t connection; /* 0: none */
  unsigned meeting;
  uint64_t peer;
  uint8_t token[LIMIT_TOKEN], challenge[LIMIT_CHALLENGE], room[LIMIT_ROOM];
  bool inside; /* was told admitted, opened or returned to a room */
} Slot;

typedef struct
{
  Hub *hub;
  HubDirectory *directory;
  uint64_t now, connections;
  Slot slots[SLOTS];
  uint8_t spki_hash[LIMIT_SPKI_HASH];
} World;

static const char *const meetings[MEETINGS] = { "a", "b", "c" };
static const char *const sources[SOURCES] = { "1", "2", "3", "4", "5", "6" };
static Identity *identities[IDENTITIES];
static const uint8_t filler[WIRE_MAX_MESSAGE];

static void
begin (void)
{
  static bool begun;
  if (!begun) {
    uint8_t seed[IDENTITY_KEY_LEN] = { 0 };
    seeded_install ();
    CHECK (core_init ());
    for (int i = 0; i < IDENTITIES; i++) {
      seed[0] = (uint8_t) i;
      identities[i] = identity_from_seed (seed);
    }
    begun = true;
  }
  seeded_start (0);
}

/* ---- What clients are told ---- */

static void
read_text (Slot *slot, GBytes *frame)
{
  gsize len;
  const char *text = g_bytes_get_data (frame, &len);
  WireMessage m;
  static const uint8_t zeros[LIMIT_ROOM];

  CHECK (wire_read (text, len, WIRE_FROM_HUB, &m) == JSON_OK);
  switch (m.type) {
    case WIRE_HELLO:
      slot->peer = m.peer;
      memcpy (slot->token, m.hello.token, LIMIT_TOKEN);
      memcpy (slot->challenge, m.hello.challenge, LIMIT_CHALLENGE);
      break;
    case WIRE_OPENED:
    case WIRE_RETURNED:
      memcpy (slot->room, m.opened.room, LIMIT_ROOM);
      slot->inside |= memcmp (slot->room, zeros, LIMIT_ROOM) != 0;
      break;
    case WIRE_ADMITTED:
      memcpy (slot->room, m.admitted.room, LIMIT_ROOM);
      slot->inside = true;
      break;
    case WIRE_REPLY:
    case WIRE_ADMIT:
    case WIRE_AGAIN:
    case WIRE_WAITING:
    case WIRE_ERROR:
      break;
    default: /* knocks, proofs, gone, transport…: not for strangers */
      CHECK (slot->inside);
  }
  wire_clear (&m, WIRE_FROM_HUB);
}

static void
pump (World *world)
{
  HubOutput output;
  HubEvent event;

  while (hub_next_output (world->hub, &output)) {
    Slot *slot = NULL;
    for (int i = 0; i < SLOTS; i++)
      if (world->slots[i].connection == output.connection)
        slot = &world->slots[i];
    if (output.type == HUB_SEND_BINARY)
      CHECK (!slot || slot->inside);
    if (slot && output.type == HUB_SEND_TEXT)
      read_text (slot, output.frame);
    if (slot && output.type == HUB_DISCONNECT) {
      slot->connection = 0;
      slot->inside = false;
    }
    hub_output_clear (&output);
  }
  while (hub_next_event (world->hub, &event))
    hub_event_clear (&event);

  HubUsage usage = hub_usage (world->hub);
  HubStats stats = hub_stats (world->hub);
  uint64_t sum = 0;
  for (int i = 0; i < HUB_N_VERDICTS; i++)
    sum += stats.verdicts[i];
  CHECK (sum == stats.frames);
  CHECK (usage.connections <= SLOTS && usage.sources <= SOURCES);
  CHECK (usage.fresh <= HUB_MAX_FRESH && usage.strangers <= 1000);
  CHECK (usage.log_bytes <= MEETINGS * HUB_LOG_BYTES);
  CHECK (usage.welcome_bytes <= MEETINGS * HUB_WELCOME_BYTES);
  CHECK (usage.held_bytes <= HUB_HELD_TOTAL);
}

/* ---- What clients do ---- */

static void
say (World *world, const Slot *slot, const WireMessage *message)
{
  size_t len;
  char *text = wire_write (message, WIRE_FROM_CLIENT, &len);

  if (text)
    hub_frame (world->hub, slot->connection, false, text, len);
  g_free (text);
}

static void
say_open (World *world, const Slot *slot, Reader *in)
{
  const Identity *identity = identities[reader_uint (in, 1) % IDENTITIES];
  uint64_t flags = reader_uint (in, 1);
  WireMessage m = { .type = flags & 1 ? WIRE_ATTEND : WIRE_OPEN };

  m.open.meeting = (char *) meetings[slot->meeting];
  memcpy (m.open.identity, identity_public_key (identity), IDENTITY_KEY_LEN);
  wire_sign_open (identity, flags & 1, slot->challenge, m.open.meeting,
      world->spki_hash, m.open.sig);
  m.open.sig[0] ^= (uint8_t) (flags & 2);
  say (world, slot, &m);
}

static void
say_something (World *world, const Slot *slot, Reader *in)
{
  WireMessage m = { .type = (WireType) reader_uint (in, 1) };
  uint64_t peer = world->slots[reader_uint (in, 1) % SLOTS].peer;
  uint64_t number = reader_uint (in, 1);
  uint8_t keys[IDENTITIES][IDENTITY_KEY_LEN];
  const Blob blob = { (uint8_t *) filler, 40 + number };

  for (int i = 0; i < IDENTITIES; i++)
    memcpy (keys[i], identity_public_key (identities[i]), IDENTITY_KEY_LEN);
  m.peer = peer;
  switch (m.type) {
    case WIRE_ADMINS:
      m.admins = (KeyList){ number % (IDENTITIES + 1), keys };
      break;
    case WIRE_TRANSFER:
      memcpy (m.transfer, keys[number % IDENTITIES], IDENTITY_KEY_LEN);
      break;
    case WIRE_CREDITS:
      m.credits = number;
      break;
    case WIRE_KNOCK:
      m.knock.ada = blob;
      break;
    case WIRE_REPLY:
      m.reply.adb = (Blob){ (uint8_t *) filler, DOOR_ADB_LEN };
      m.reply.chain = (Blob){ (uint8_t *) filler, 33 };
      break;
    case WIRE_PROOF:
    case WIRE_ADMIT:
      m.box.box = blob;
      break;
    case WIRE_ADMITTED:
      m.admitted.seq = number;
      break;
    case WIRE_AGAIN:
      m.after = number;
      break;
    case WIRE_ERROR:
      m.code = (WireCode) (1 + number % WIRE_LAST_CODE);
      break;
    case WIRE_ATTACH:
      m.attach.message = (Blob){ (uint8_t *) filler, 1 + 23 * number };
      break;
    case WIRE_ACK:
    case WIRE_REPLAY:
      m.seq = number;
      break;
    case WIRE_PUBLISH:
      m.publish.kind = MEDIA_AUDIO;
      break;
    case WIRE_OPEN:
    case WIRE_ATTEND:
    case WIRE_RETURN:
      return; /* operations of their own */
    default:
      break;
  }
  say (world, slot, &m);
}

static void
send_frame (World *world, const Slot *slot, Reader *in)
{
  WireHeader header = { .kind = (WireKind) reader_uint (in, 1) };
  header.seq = reader_uint (in, 1);
  size_t len = (size_t) reader_uint (in, 2) * 8 + 1;
  uint8_t *bytes = calloc (1, WIRE_HEADER + len);
  Writer w = writer_init (bytes, WIRE_HEADER + len);

  memcpy (header.room, slot->room, LIMIT_ROOM);
  wire_header_write (&w, &header);
  bytes[WIRE_HEADER] = (uint8_t) world->connections;
  hub_frame (world->hub, slot->connection, true, bytes, WIRE_HEADER + len);
  free (bytes);
}

static void
say_return (World *world, const Slot *slot, Reader *in)
{
  const Slot *whose = &world->slots[reader_uint (in, 1) % SLOTS];
  WireMessage m = { .type = WIRE_RETURN };

  memcpy (m.back.token, whose->token, LIMIT_TOKEN);
  memcpy (m.back.room, whose->room, LIMIT_ROOM);
  m.back.seq = reader_uint (in, 1);
  say (world, slot, &m);
}

static void
hang_up (World *world, Slot *slot)
{
  hub_disconnected (world->hub, slot->connection);
  slot->connection = 0;
  slot->inside = false;
}

static void
operate (World *world, Reader *in)
{
  uint64_t op = reader_uint (in, 1) % 10;
  uint64_t first = op == 4 ? 0 : reader_uint (in, 1);
  Slot *slot = &world->slots[first % SLOTS];
  const uint8_t *bytes;
  size_t len;

  switch (op) {
    case 0:
      if (slot->connection)
        hang_up (world, slot);
      slot->meeting = (unsigned) reader_uint (in, 1) % MEETINGS;
      slot->connection = ++world->connections;
      CHECK (hub_connected (world->hub, slot->connection,
          meetings[slot->meeting], sources[reader_uint (in, 1) % SOURCES]));
      break;
    case 1:
      hang_up (world, slot);
      break;
    case 2:
    case 3:
      len = (size_t) reader_uint (in, 2);
      bytes = reader_take (in, len);
      if (bytes)
        hub_frame (world->hub, slot->connection, op == 3, bytes, len);
      break;
    case 4:
      world->now += 16 * reader_uint (in, 2);
      hub_tick (world->hub, world->now);
      break;
    case 5:
      say_open (world, slot, in);
      break;
    case 6:
      say_something (world, slot, in);
      break;
    case 7:
      send_frame (world, slot, in);
      break;
    case 8:
      say_return (world, slot, in);
      break;
    default: {
      WireMessage m = { .type = WIRE_SPEAKERS };
      hub_send_media (world->hub, slot->peer, &m);
    }
  }
  pump (world);
}

/* When all have gone, nothing is left of them. */
static void
end (World *world)
{
  for (int i = 0; i < SLOTS; i++)
    hang_up (world, &world->slots[i]);
  pump (world);
  static const uint64_t waits[] = { LIMIT_PLACE_MS, HUB_EMPTY_MS + 2000,
    130000 };
  for (size_t i = 0; i < G_N_ELEMENTS (waits); i++) {
    world->now += waits[i];
    hub_tick (world->hub, world->now);
    pump (world);
  }
  HubUsage usage = hub_usage (world->hub);
  static const HubUsage nothing;
  CHECK (memcmp (&usage, &nothing, sizeof usage) == 0);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  World world = { .now = 1000 };
  Reader in = reader_init (data, size);

  begin ();
  world.directory = hub_directory_local_new ();
  HubConfig config = { .directory = world.directory };
  world.hub = hub_new (&config, world.now);
  for (int i = 0; i < MAX_OPS && reader_left (&in) > 0; i++)
    operate (&world, &in);
  end (&world);
  hub_free (world.hub);
  hub_directory_free (world.directory);
  return 0;
}

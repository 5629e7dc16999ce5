/* The one order: numbers, the log of what was numbered, Welcomes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "room_private.h"

#include <sodium.h>
#include <string.h>

/* ---- The log ---- */

static LogEntry *
entry_at (const Room *room, size_t i)
{
  return &room->log[(room->log_first + i) % room->log_size];
}

/* The number of the first frame that is kept; room->seq + 1 for none. */
static uint64_t
first_seq (const Room *room)
{
  return room->seq + 1 - room->log_count;
}

static LogEntry *
entry_of (const Room *room, uint64_t seq)
{
  uint64_t first = first_seq (room);
  return seq >= first && seq <= room->seq
             ? entry_at (room, (size_t) (seq - first))
             : NULL;
}

static void
log_drop_first (Room *room)
{
  Hub *hub = room->hub;
  LogEntry *entry = entry_at (room, 0);
  size_t size = g_bytes_get_size (entry->frame);

  room->log_bytes -= size;
  hub->usage.log_bytes -= size;
  hub->usage.log_frames--;
  g_clear_pointer (&entry->frame, g_bytes_unref);
  room->log_first = (room->log_first + 1) % room->log_size;
  room->log_count--;
}

static void
log_grow (Room *room)
{
  size_t size = room->log_size ? 2 * room->log_size : 16;
  LogEntry *log = g_new0 (LogEntry, size);

  for (size_t i = 0; i < room->log_count; i++)
    log[i] = *entry_at (room, i);
  g_free (room->log);
  room->log = log;
  room->log_size = size;
  room->log_first = 0;
}

static Room *
largest_log (Hub *hub)
{
  Room *largest = NULL;
  for (GList *l = hub->rooms.head; l; l = l->next)
    if (!largest || ((Room *) l->data)->log_bytes > largest->log_bytes)
      largest = l->data;
  return largest;
}

static void
log_push (Room *room, GBytes *frame, uint64_t sender, WireKind kind)
{
  Hub *hub = room->hub;
  size_t size = g_bytes_get_size (frame);

  while (room->log_count >= HUB_LOG_FRAMES
         || room->log_bytes + size > HUB_LOG_BYTES) {
    log_drop_first (room);
    hub->stats.log_crowded++;
  }
  while (hub->usage.log_bytes + size > HUB_LOG_TOTAL) {
    log_drop_first (largest_log (hub));
    hub->stats.log_crowded++;
  }
  if (room->log_count == room->log_size)
    log_grow (room);
  room->log_count++;
  *entry_at (room, room->log_count - 1) =
      (LogEntry){ g_bytes_ref (frame), sender, hub->now, kind };
  room->log_bytes += size;
  hub->usage.log_bytes += size;
  hub->usage.log_frames++;
}

bool
order_has_after (const Room *room, uint64_t seq)
{
  return seq <= room->seq && seq + 1 >= first_seq (room);
}

size_t
order_bytes_after (const Room *room, uint64_t seq)
{
  uint64_t first = first_seq (room);
  size_t bytes = 0;

  for (size_t i = seq >= first ? (size_t) (seq - first + 1) : 0;
       i < room->log_count; i++)
    bytes += g_bytes_get_size (entry_at (room, i)->frame);
  return bytes;
}

void
order_send_after (Place *place, uint64_t seq)
{
  Room *room = place->room;
  uint64_t first = first_seq (room);

  for (size_t i = seq >= first ? (size_t) (seq - first + 1) : 0;
       i < room->log_count; i++)
    send_frame (
        room->hub, place->connection->id, true, entry_at (room, i)->frame);
}

/* ---- Welcomes ---- */

static void
welcome_drop_first (Room *room)
{
  Welcome *first = g_queue_pop_head (&room->welcomes);
  size_t size = g_bytes_get_size (first->frame);

  room->welcome_bytes -= size;
  room->hub->usage.welcome_bytes -= size;
  room->hub->usage.welcomes--;
  g_bytes_unref (first->frame);
  g_free (first);
}

GBytes *
order_welcome (const Room *room, uint64_t seq)
{
  for (GList *l = room->welcomes.tail; l; l = l->prev)
    if (((Welcome *) l->data)->seq == seq)
      return ((Welcome *) l->data)->frame;
  return NULL;
}

/* Once for a commit that is in the log, by who sent it: another admin can't put a blob of its own in its place. */
static HubVerdict
take_welcome (Place *place, uint64_t seq, GBytes *frame)
{
  Room *room = place->room;
  Hub *hub = room->hub;
  LogEntry *commit = entry_of (room, seq);
  size_t size = g_bytes_get_size (frame);

  if (!place->attends)
    return HUB_NOT_ADMIN;
  if (!commit || commit->kind != WIRE_COMMIT || commit->sender != place->peer
      || order_welcome (room, seq))
    return HUB_UNEXPECTED;
  while (room->welcomes.head
         && (room->welcomes.length >= HUB_WELCOMES
             || room->welcome_bytes + size > HUB_WELCOME_BYTES))
    welcome_drop_first (room);
  if (hub->usage.welcome_bytes + size > HUB_WELCOME_TOTAL)
    return HUB_BUSY;
  Welcome *welcome = g_new (Welcome, 1);
  *welcome = (Welcome){ g_bytes_ref (frame), seq, hub->now };
  g_queue_push_tail (&room->welcomes, welcome);
  room->welcome_bytes += size;
  hub->usage.welcome_bytes += size;
  hub->usage.welcomes++;
  return HUB_TAKEN;
}

/* ---- Frames ---- */

static GBytes *
numbered (const Room *room, WireKind kind, uint64_t seq, const uint8_t *data,
    size_t len)
{
  uint8_t *bytes = g_malloc (WIRE_HEADER + len);
  WireHeader header = { kind, seq, { 0 } };
  Writer w = writer_init (bytes, WIRE_HEADER + len);

  memcpy (header.room, room->id, LIMIT_ROOM);
  wire_header_write (&w, &header);
  writer_bytes (&w, data, len);
  return g_bytes_new_take (bytes, WIRE_HEADER + len);
}

/* Gives the message its number, and to all. */
static void
put_in_order (Place *place, WireKind kind, const uint8_t *message, size_t len)
{
  Room *room = place->room;
  g_autoptr (GBytes) frame =
      numbered (room, kind, room->seq + 1, message, len);

  log_push (room, frame, place->peer, kind);
  room->seq++;
  room->hub->stats.numbered++;
  for (GList *l = room->members.head; l; l = l->next) {
    Place *member = l->data;
    if (member->connection)
      send_frame (room->hub, member->connection->id, true, frame);
  }
}

static bool
room_takes (Room *room, size_t len)
{
  uint64_t now = room->hub->now;

  return bucket_take (&room->frames, now, HUB_ROOM_BURST, HUB_ROOM_RATE, 1)
         && bucket_take (&room->bytes, now, HUB_ROOM_BYTES_BURST,
             HUB_ROOM_BYTES_RATE, len);
}

/* A commit of the room before this one's: every member has them, so what came once is known. */
static HubVerdict
take_handover (Place *place, const uint8_t *message, size_t len)
{
  Room *room = place->room;
  Hub *hub = room->hub;
  uint8_t hash[TOKEN_HASH_LEN];

  if (hub->now - room->began >= LIMIT_KEPT_MS)
    return HUB_UNEXPECTED;
  crypto_generichash (hash, sizeof hash, message, len, NULL, 0);
  for (size_t i = 0; i < room->n_handovers; i++)
    if (memcmp (room->handovers[i], hash, sizeof hash) == 0)
      return HUB_KNOWN;
  if (room->n_handovers >= HUB_HANDOVERS
      || room->handover_bytes + len > HUB_HANDOVER_BYTES)
    return HUB_BUSY;
  if (!room_takes (room, len))
    return HUB_RATE_LIMITED;
  if (!room->handovers)
    room->handovers = g_malloc_n (HUB_HANDOVERS, sizeof *room->handovers);
  memcpy (room->handovers[room->n_handovers++], hash, sizeof hash);
  room->handover_bytes += len;
  put_in_order (place, WIRE_COMMIT, message, len);
  return HUB_TAKEN;
}

HubVerdict
order_take (Place *place, const uint8_t *data, size_t len)
{
  Room *room = place->room;
  Hub *hub = room->hub;
  Reader in = reader_init (data, len);
  WireHeader header;

  if (!place->member)
    return HUB_NOT_MEMBER;
  if (!wire_header_parse (&in, &header)
      || (header.seq != 0 && header.kind != WIRE_WELCOME))
    return HUB_MALFORMED;
  if (memcmp (header.room, room->id, LIMIT_ROOM) != 0)
    return HUB_STALE_ROOM;
  place_knows (place, true);

  size_t message_len = reader_left (&in);
  const uint8_t *message = reader_take (&in, message_len);
  switch (header.kind) {
    case WIRE_COMMIT:
      if (!place->attends)
        return HUB_NOT_ADMIN;
      if (!bucket_take (
              &place->commits, hub->now, HUB_COMMIT_BURST, HUB_COMMIT_RATE, 1)
          || !room_takes (room, message_len))
        return HUB_RATE_LIMITED;
      break;
    case WIRE_APPLICATION:
      if (!bucket_take (&place->applications, hub->now, HUB_APPLICATION_BURST,
              HUB_APPLICATION_RATE, 1)
          || !room_takes (room, message_len))
        return HUB_RATE_LIMITED;
      break;
    case WIRE_WELCOME: {
      g_autoptr (GBytes) frame =
          numbered (room, WIRE_WELCOME, header.seq, message, message_len);
      return take_welcome (place, header.seq, frame);
    }
    case WIRE_HANDOVER:
      return take_handover (place, message, message_len);
  }
  put_in_order (place, header.kind, message, message_len);
  return HUB_TAKEN;
}

HubVerdict
order_ack (Place *place, WireMessage *message)
{
  if (message->seq > place->room->seq)
    return HUB_UNEXPECTED;
  place->acked = MAX (place->acked, message->seq);
  place_knows (place, false);
  return HUB_TAKEN;
}

HubVerdict
order_replay (Place *place, WireMessage *message)
{
  Room *room = place->room;

  /* What was before its own place in the order is not for it. */
  if (message->seq < place->admitted_seq)
    return HUB_UNEXPECTED;
  if (!order_has_after (room, message->seq))
    return HUB_TOO_LATE;
  if (!bucket_take (&place->replays, room->hub->now, HUB_REPLAY_BURST,
          HUB_REPLAY_RATE, order_bytes_after (room, message->seq)))
    return HUB_RATE_LIMITED;
  place_knows (place, false);
  order_send_after (place, message->seq);
  return HUB_TAKEN;
}

/* ---- Time ---- */

void
order_sweep (Room *room)
{
  uint64_t now = room->hub->now, read = room->seq;

  for (GList *l = room->members.head; l; l = l->next)
    read = MIN (read, ((Place *) l->data)->acked);
  /* In its first minute a room keeps all for those who are still to attach. */
  if (now - room->began < HUB_LOG_MS)
    read = 0;
  while (room->log_count > 0) {
    uint64_t age = now - entry_at (room, 0)->at;
    if (age < HUB_LOG_ACKED_MS
        || (age < HUB_LOG_MS && first_seq (room) > read))
      break;
    log_drop_first (room);
  }
  while (
      room->welcomes.head
      && now - ((Welcome *) room->welcomes.head->data)->at >= HUB_WELCOME_MS)
    welcome_drop_first (room);
}

void
order_clear (Room *room)
{
  while (room->log_count > 0)
    log_drop_first (room);
  g_clear_pointer (&room->log, g_free);
  room->log_size = room->log_first = 0;
  while (room->welcomes.head)
    welcome_drop_first (room);
  g_clear_pointer (&room->handovers, g_free);
  room->n_handovers = room->handover_bytes = 0;
  room->seq = 0;
}

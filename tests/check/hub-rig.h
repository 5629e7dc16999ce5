/* For tests of the hub's rooms: a hub in virtual time, and clients that say what they like and read what they get.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pure.h"

#include "ext/hub/room.h"

#include <sodium.h>
#include <string.h>

#define MEETING "standup"

typedef struct
{
  uint64_t id; /* of its connection */
  uint64_t peer;
  uint8_t token[LIMIT_TOKEN];
  uint8_t challenge[LIMIT_CHALLENGE];
  uint8_t room[LIMIT_ROOM];
  uint64_t seq; /* of the last numbered frame read */
  GQueue inbox; /* of Got */
  bool closed;
  WireMessage last; /* what expect() gave */
  GString *heard;   /* names of all messages ever, for comparison */
} Client;

typedef struct
{
  bool binary;
  GBytes *frame;
} Got;

typedef struct
{
  Hub *hub;
  HubDirectory *directory;
  uint64_t now, connections;
  GPtrArray *clients;
  GArray *events; /* of HubEvent; media is not kept */
  uint8_t spki_hash[LIMIT_SPKI_HASH];
} Rig;

static inline void
got_free (void *data)
{
  Got *got = data;
  g_bytes_unref (got->frame);
  g_free (got);
}

static inline void
client_free (void *data)
{
  Client *client = data;
  g_queue_clear_full (&client->inbox, got_free);
  wire_clear (&client->last, WIRE_FROM_HUB);
  g_string_free (client->heard, TRUE);
  g_free (client);
}

static inline Hub *
rig_hub (Rig *rig, const char *self)
{
  HubConfig config = { .self = self, .directory = rig->directory };
  memcpy (config.spki_hash, rig->spki_hash, LIMIT_SPKI_HASH);
  return hub_new (&config, rig->now);
}

static inline Rig *
rig_new (void)
{
  Rig *rig = g_new0 (Rig, 1);
  rig->now = 1000000;
  rig->directory = hub_directory_local_new ();
  memset (rig->spki_hash, 0x5b, LIMIT_SPKI_HASH);
  rig->hub = rig_hub (rig, NULL);
  rig->clients = g_ptr_array_new_with_free_func (client_free);
  rig->events = g_array_new (FALSE, FALSE, sizeof (HubEvent));
  return rig;
}

static inline void
rig_free (Rig *rig)
{
  hub_free (rig->hub);
  hub_directory_free (rig->directory);
  g_ptr_array_unref (rig->clients);
  g_array_unref (rig->events);
  g_free (rig);
}

static inline Client *
rig_client (Rig *rig, uint64_t id)
{
  for (guint i = rig->clients->len; i > 0; i--) {
    Client *client = g_ptr_array_index (rig->clients, i - 1);
    if (client->id == id)
      return client;
  }
  return NULL;
}

/* What the hub put out, into the inboxes. Nothing may be sent to a connection that the hub has ended. */
static inline void
rig_pump (Rig *rig)
{
  HubOutput output;
  HubEvent event;

  while (hub_next_output (rig->hub, &output)) {
    Client *client = rig_client (rig, output.connection);
    if (client) {
      fail_if (client->closed, "a frame after the end of the connection");
      if (output.type == HUB_DISCONNECT)
        client->closed = true;
      else {
        Got *got = g_new (Got, 1);
        *got = (Got){ output.type == HUB_SEND_BINARY,
          g_bytes_ref (output.frame) };
        fail_unless (g_bytes_get_size (got->frame) <= LIMIT_FRAME_DOWN);
        g_queue_push_tail (&client->inbox, got);
      }
    }
    hub_output_clear (&output);
  }
  while (hub_next_event (rig->hub, &event)) {
    HubEvent kept = event;
    kept.meeting = NULL;
    kept.media = (WireMessage){ .type = event.media.type };
    g_array_append_val (rig->events, kept);
    hub_event_clear (&event);
  }
}

static inline void
rig_wait (Rig *rig, uint64_t ms)
{
  uint64_t until = rig->now + ms;
  while (rig->now < until) {
    rig->now = MIN (until, MAX (rig->now + 1, hub_deadline (rig->hub)));
    hub_tick (rig->hub, rig->now);
    rig_pump (rig);
  }
}

/* How many events of this type (and audit) there were since the last call. */
static inline unsigned
rig_events (Rig *rig, HubEventType type, HubAudit audit)
{
  unsigned count = 0;
  for (guint i = 0; i < rig->events->len;) {
    HubEvent *event = &g_array_index (rig->events, HubEvent, i);
    if (event->type == type && (audit == 0 || event->audit == audit)) {
      count++;
      g_array_remove_index (rig->events, i);
    } else
      i++;
  }
  return count;
}

/* ---- What a client gets ---- */

/* The next message, which must be of this type; valid until the next expect(). */
static inline WireMessage *
expect (Client *client, WireType type)
{
  Got *got = g_queue_pop_head (&client->inbox);
  gsize len;

  fail_unless (
      got != NULL, "nothing came in place of \"%s\"", wire_type_name (type));
  fail_if (got->binary, "a binary frame came in place of \"%s\"",
      wire_type_name (type));
  const char *text = g_bytes_get_data (got->frame, &len);
  wire_clear (&client->last, WIRE_FROM_HUB);
  fail_unless (wire_read (text, len, WIRE_FROM_HUB, &client->last) == JSON_OK,
      "the hub says what a client can't read: %.*s", (int) len, text);
  fail_unless (client->last.type == type,
      "\"%s\" came in place of \"%s\": %.*s",
      wire_type_name (client->last.type), wire_type_name (type), (int) len,
      text);
  got_free (got);
  return &client->last;
}

static inline void
expect_error (Client *client, WireCode code)
{
  WireMessage *message = expect (client, WIRE_ERROR);
  fail_unless_equals_string (
      wire_code_name (message->code), wire_code_name (code));
}

static inline void
expect_nothing (Client *client)
{
  Got *got = g_queue_peek_head (&client->inbox);
  if (got) {
    gsize len;
    const char *text = g_bytes_get_data (got->frame, &len);
    fail ("something came where nothing should: %.*s", (int) MIN (len, 300),
        got->binary ? "(binary)" : text);
  }
}

/* The next frame, which must be this message with this number. */
static inline void
expect_frame (Client *client, WireKind kind, uint64_t seq, const char *message)
{
  Got *got = g_queue_pop_head (&client->inbox);
  gsize len;
  WireHeader header;

  fail_unless (got != NULL, "nothing came in place of \"%s\"", message);
  fail_unless (got->binary, "a text came in place of \"%s\": %s", message,
      (const char *) g_bytes_get_data (got->frame, NULL));
  Reader in = reader_init (
      g_bytes_get_data (got->frame, NULL), g_bytes_get_size (got->frame));
  (void) len;
  fail_unless (wire_header_parse (&in, &header));
  fail_unless_equals_int (header.kind, kind);
  fail_unless_equals_uint64 (header.seq, seq);
  fail_unless (reader_left (&in) == strlen (message)
                   && memcmp (in.at, message, strlen (message)) == 0,
      "another message than \"%s\": %.*s", message, (int) reader_left (&in),
      (const char *) in.at);
  memcpy (client->room, header.room, LIMIT_ROOM);
  client->seq = MAX (client->seq, seq);
  got_free (got);
}

static inline void
forget_inbox (Client *client)
{
  g_queue_clear_full (&client->inbox, got_free);
}

/* ---- What a client does ---- */

/* A connection without its hello read. */
static inline Client *
dial (Rig *rig, const char *meeting, const char *source)
{
  Client *client = g_new0 (Client, 1);
  client->heard = g_string_new ("");
  client->id = ++rig->connections;
  g_ptr_array_add (rig->clients, client);
  fail_unless (hub_connected (rig->hub, client->id, meeting, source));
  rig_pump (rig);
  return client;
}

static inline void
read_hello (Client *client)
{
  WireMessage *hello = expect (client, WIRE_HELLO);
  client->peer = hello->peer;
  memcpy (client->token, hello->hello.token, LIMIT_TOKEN);
  memcpy (client->challenge, hello->hello.challenge, LIMIT_CHALLENGE);
}

static inline Client *
arrive_from (Rig *rig, const char *meeting, const char *source)
{
  Client *client = dial (rig, meeting, source);
  read_hello (client);
  return client;
}

/* Each from a source of its own. */
static inline Client *
arrive (Rig *rig)
{
  g_autofree char *source =
      g_strdup_printf ("s%" G_GUINT64_FORMAT, rig->connections);
  return arrive_from (rig, MEETING, source);
}

static inline void
hang_up (Rig *rig, Client *client)
{
  client->closed = true;
  hub_disconnected (rig->hub, client->id);
  rig_pump (rig);
}

static inline void
say_text (Rig *rig, Client *client, const char *text)
{
  hub_frame (rig->hub, client->id, false, text, strlen (text));
  rig_pump (rig);
}

static inline void
say (Rig *rig, Client *client, const WireMessage *message)
{
  size_t len;
  g_autofree char *text = wire_write (message, WIRE_FROM_CLIENT, &len);
  fail_unless (text != NULL, "the test can't say \"%s\"",
      wire_type_name (message->type));
  hub_frame (rig->hub, client->id, false, text, len);
  rig_pump (rig);
}

#define SAY(client, ...) say (rig, client, &(WireMessage){ __VA_ARGS__ })

static inline void
send_bytes (Rig *rig, Client *client, WireKind kind, uint64_t seq,
    const void *message, size_t len)
{
  g_autofree uint8_t *bytes = g_malloc (WIRE_HEADER + len);
  WireHeader header = { kind, seq, { 0 } };
  Writer w = writer_init (bytes, WIRE_HEADER + len);

  memcpy (header.room, client->room, LIMIT_ROOM);
  wire_header_write (&w, &header);
  writer_bytes (&w, message, len);
  hub_frame (rig->hub, client->id, true, bytes, WIRE_HEADER + len);
  rig_pump (rig);
}

static inline void
send_mls (
    Rig *rig, Client *client, WireKind kind, uint64_t seq, const char *message)
{
  send_bytes (rig, client, kind, seq, message, strlen (message));
}

/* open or attend, by `identity`. */
static inline void
say_open (Rig *rig, Client *client, const Identity *identity, bool attend)
{
  WireMessage message = { .type = attend ? WIRE_ATTEND : WIRE_OPEN };
  message.open.meeting = (char *) MEETING;
  memcpy (
      message.open.identity, identity_public_key (identity), IDENTITY_KEY_LEN);
  fail_unless (wire_sign_open (identity, attend, client->challenge, MEETING,
      rig->spki_hash, message.open.sig));
  say (rig, client, &message);
}

static inline WireMessage *
expect_opened (Client *client)
{
  WireMessage *opened = expect (client, WIRE_OPENED);
  memcpy (client->room, opened->opened.room, LIMIT_ROOM);
  client->seq = opened->opened.seq;
  return opened;
}

/* An owner that serves the door with this many credits. */
static inline Client *
open_meeting (Rig *rig, const Identity *owner, uint64_t credits)
{
  Client *client = arrive (rig);
  say_open (rig, client, owner, false);
  expect_opened (client);
  if (credits)
    SAY (client, .type = WIRE_CREDITS, .credits = credits);
  return client;
}

static inline void
name_admin (Rig *rig, Client *owner, const Identity *admin)
{
  WireMessage message = { .type = WIRE_ADMINS };
  message.admins.count = admin ? 1 : 0;
  message.admins.at =
      admin ? g_memdup2 (identity_public_key (admin), IDENTITY_KEY_LEN) : NULL;
  say (rig, owner, &message);
  g_free (message.admins.at);
}

static const uint8_t filler[DOOR_ADB_LEN + DOOR_MAX_PROOF];
#define FILL(size) ((Blob){ (uint8_t *) filler, size })

static inline void
say_knock (Rig *rig, Client *client)
{
  SAY (client, .type = WIRE_KNOCK, .knock = { .ada = FILL (90) });
}

static inline void
say_reply (Rig *rig, Client *admin, uint64_t peer)
{
  SAY (admin, .type = WIRE_REPLY, .peer = peer,
      .reply = { .adb = FILL (DOOR_ADB_LEN), .chain = FILL (33) });
}

static inline void
say_proof (Rig *rig, Client *client)
{
  SAY (client, .type = WIRE_PROOF, .box = { .box = FILL (900) });
}

static inline void
say_admit (Rig *rig, Client *admin, uint64_t peer)
{
  SAY (admin, .type = WIRE_ADMIT, .peer = peer, .box = { .box = FILL (120) });
}

static inline void
say_admitted (Rig *rig, Client *admin, uint64_t peer, uint64_t seq)
{
  SAY (admin, .type = WIRE_ADMITTED, .peer = peer, .admitted = { .seq = seq });
}

/* From knock to proof. */
static inline void
prove (Rig *rig, Client *admin, Client *client)
{
  say_knock (rig, client);
  fail_unless_equals_uint64 (expect (admin, WIRE_KNOCK)->peer, client->peer);
  say_reply (rig, admin, client->peer);
  expect (client, WIRE_REPLY);
  say_proof (rig, client);
  fail_unless_equals_uint64 (expect (admin, WIRE_PROOF)->peer, client->peer);
}

/* The admin commits; gives the number. `others`: who else is to read it. */
static inline uint64_t
commit (Rig *rig, Client *admin, const char *message, const char *welcome)
{
  uint64_t seq = admin->seq + 1;
  send_mls (rig, admin, WIRE_COMMIT, 0, message);
  expect_frame (admin, WIRE_COMMIT, seq, message);
  if (welcome)
    send_mls (rig, admin, WIRE_WELCOME, seq, welcome);
  return seq;
}

static inline void
expect_admitted (Client *client, uint64_t seq, const char *welcome)
{
  WireMessage *admitted = expect (client, WIRE_ADMITTED);
  fail_unless_equals_uint64 (admitted->admitted.seq, seq);
  fail_unless_equals_uint64 (admitted->peer, client->peer);
  memcpy (client->room, admitted->admitted.room, LIMIT_ROOM);
  client->seq = seq;
  if (welcome) {
    expect_frame (client, WIRE_WELCOME, seq, welcome);
    client->seq = seq;
  }
}

/* Lets a client in, from knock to Welcome. */
static inline void
let_in (Rig *rig, Client *admin, Client *client)
{
  prove (rig, admin, client);
  uint64_t seq = commit (rig, admin, "add", "welcome");
  say_admit (rig, admin, client->peer);
  say_admitted (rig, admin, client->peer, seq);
  expect (client, WIRE_ADMIT);
  expect_admitted (client, seq, "welcome");
}

/* A new connection that comes back to `old`'s place, as `old` from now on. Nothing after its hello is read. */
static inline void
come_back (Rig *rig, Client *old, uint64_t seq)
{
  Client *fresh = arrive (rig);
  WireMessage message = { .type = WIRE_RETURN, .back = { .seq = seq } };
  memcpy (message.back.token, old->token, LIMIT_TOKEN);
  memcpy (message.back.room, old->room, LIMIT_ROOM);
  uint64_t id = fresh->id;
  fresh->id = old->id; /* whose connection nobody reads any more */
  old->id = id;
  bool was_closed = old->closed;
  old->closed = false;
  memcpy (old->challenge, fresh->challenge, LIMIT_CHALLENGE);
  fresh->closed = was_closed;
  say (rig, old, &message);
}

static inline WireMessage *
expect_returned (Client *client)
{
  WireMessage *returned = expect (client, WIRE_RETURNED);
  fail_unless_equals_uint64 (returned->peer, client->peer);
  return returned;
}

static inline uint64_t
verdicts (const Rig *rig, HubVerdict verdict)
{
  HubStats stats = hub_stats (rig->hub);
  return stats.verdicts[verdict];
}

/* Frames are counted once, by what became of them. */
static inline void
check_sums (const Rig *rig)
{
  HubStats stats = hub_stats (rig->hub);
  uint64_t sum = 0;
  for (int i = 0; i < HUB_N_VERDICTS; i++)
    sum += stats.verdicts[i];
  fail_unless_equals_uint64 (sum, stats.frames);
}

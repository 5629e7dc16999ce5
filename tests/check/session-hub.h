/* For tests of sessions: a hub that orders and hands on, in a few lines, and a world of sessions in virtual time around it.
 * It is honest and instant unless a test tells it otherwise.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pure.h"

#include "ext/session/session.h"

#include <sodium.h>

#define WORLD_MAX 24
#define WORLD_WALL G_GUINT64_CONSTANT (1700000000000)

typedef struct
{
  guint64 seq;
  WireKind kind;
  GBytes *message;
} HubFrame;

typedef struct World World;

/* A connection's place. */
typedef struct
{
  guint64 peer;
  guint8 token[LIMIT_TOKEN], challenge[LIMIT_CHALLENGE];
  int client;   /* its connection's, or -1 */
  guint64 left; /* when the connection went */
  gboolean member, admin, knocking, routed;
  gboolean
      serves; /* as an admin: has said credits since it was at the door itself */
  guint64 admin_peer;    /* who works on its knock */
  guint64 credits, used; /* as an admin */
  guint64 sent;          /* the last frame it was given */
  WireMessage knock;     /* that waits for an admin */
  guint64 welcome;       /* owed: of this commit */
  GQueue waiting;        /* texts for a place without a connection */
} HubPlace;

typedef struct
{
  guint8 room[LIMIT_ROOM];
  guint64 seq, next_peer;
  GPtrArray *places; /* HubPlace */
  GArray *log;       /* HubFrame */
  GHashTable *welcomes;
  gboolean open;
  guint8 owner[IDENTITY_KEY_LEN];
  guint8 admins[LIMIT_ADMINS + 1][IDENTITY_KEY_LEN];
  gsize n_admins;
  WireMessage reopened;
  gboolean have_reopened;
  gboolean other_challenge; /* passes attaches on as if it had challenged otherwise */
} Hub_;

/* One program with a session; its own clocks. */
typedef struct
{
  Session *session;
  Identity *identity;
  int place; /* index in the hub's places of its connection's, or -1 */
  gboolean connected, offline;
  GPtrArray *events; /* SessionEvent */
  GHashTable *keys;  /* of open KIDs, "identity/track/epoch" */
  gint64 skew;       /* of its wall clock */
  char *source;
} Client;

struct World
{
  guint64 now;
  Hub_ hub;
  Client clients[WORLD_MAX];
  int n;
  /* What a lying hub does. */
  gboolean (*drop) (World *world, int from, const HubFrame *frame);
  gboolean (*withhold) (World *world, int to, const HubFrame *frame);
  void (*tamper) (World *world, WireMessage *message);
  /* What is lost on its way from a client: of text frames the message, of binary ones NULL. */
  gboolean (*lose) (World *world, int from, const WireMessage *text);
  gboolean mute; /* takes connections and says nothing */
  guint64 knocks_routed;
};

static const guint8 world_spki[LIMIT_SPKI_HASH] = { 7 };

static inline void
hub_start (Hub_ *hub)
{
  randombytes_buf (hub->room, LIMIT_ROOM);
  hub->seq = 0;
  hub->next_peer = 1 + randombytes_uniform (1000000);
  hub->places = g_ptr_array_new ();
  hub->log = g_array_new (FALSE, FALSE, sizeof (HubFrame));
  hub->welcomes = g_hash_table_new_full (
      g_int64_hash, g_int64_equal, g_free, (GDestroyNotify) g_bytes_unref);
  hub->open = FALSE;
  hub->n_admins = 0;
  hub->have_reopened = FALSE;
}

static inline void
hub_stop (Hub_ *hub)
{
  for (guint i = 0; i < hub->places->len; i++) {
    HubPlace *place = g_ptr_array_index (hub->places, i);
    if (place->knock.type)
      wire_clear (&place->knock, WIRE_FROM_CLIENT);
    g_queue_clear_full (&place->waiting, g_free);
    g_free (place);
  }
  g_ptr_array_unref (hub->places);
  for (guint i = 0; i < hub->log->len; i++)
    g_bytes_unref (g_array_index (hub->log, HubFrame, i).message);
  g_array_unref (hub->log);
  g_hash_table_unref (hub->welcomes);
}

static inline HubPlace *
hub_place (Hub_ *hub, guint64 peer)
{
  for (guint i = 0; i < hub->places->len; i++) {
    HubPlace *place = g_ptr_array_index (hub->places, i);
    if (place->peer == peer)
      return place;
  }
  return NULL;
}

static inline HubPlace *
client_place (World *w, int client)
{
  int at = w->clients[client].place;
  return at < 0 ? NULL : g_ptr_array_index (w->hub.places, at);
}

static inline void
hub_send (World *w, HubPlace *place, const WireMessage *m)
{
  gsize len;
  char *text = wire_write (m, WIRE_FROM_HUB, &len);
  fail_unless (
      text != NULL, "the hub can't write %s", wire_type_name (m->type));
  if (w->tamper) {
    WireMessage copy;
    fail_unless_equals_int (
        wire_read (text, len, WIRE_FROM_HUB, &copy), JSON_OK);
    w->tamper (w, &copy);
    g_free (text);
    text = wire_write (&copy, WIRE_FROM_HUB, &len);
    wire_clear (&copy, WIRE_FROM_HUB);
  }
  if (place->client >= 0) {
    session_frame (w->clients[place->client].session, false, text, len);
    g_free (text);
  } else {
    g_queue_push_tail (&place->waiting, text);
  }
}

static inline void
hub_error_to (World *w, HubPlace *place, WireCode code)
{
  WireMessage m = { .type = WIRE_ERROR, .code = code };
  hub_send (w, place, &m);
}

static inline void
hub_give (World *w, HubPlace *place, const HubFrame *frame)
{
  if (w->withhold && w->withhold (w, place->client, frame))
    return;
  gsize len;
  const guint8 *bytes = g_bytes_get_data (frame->message, &len);
  guint8 *data = g_malloc (WIRE_HEADER + len);
  Writer out = writer_init (data, WIRE_HEADER + len);
  WireHeader header = { frame->kind, frame->seq, { 0 } };
  memcpy (header.room, w->hub.room, LIMIT_ROOM);
  wire_header_write (&out, &header);
  writer_bytes (&out, bytes, len);
  session_frame (
      w->clients[place->client].session, true, data, WIRE_HEADER + len);
  g_free (data);
}

static inline void
hub_flush (World *w)
{
  for (guint i = 0; i < w->hub.places->len; i++) {
    HubPlace *place = g_ptr_array_index (w->hub.places, i);
    while (place->member && place->client >= 0 && place->sent < w->hub.seq) {
      HubFrame frame = g_array_index (w->hub.log, HubFrame, place->sent++);
      hub_give (w, place, &frame);
    }
  }
}

static inline void
hub_route (World *w)
{
  for (guint i = 0; i < w->hub.places->len; i++) {
    HubPlace *place = g_ptr_array_index (w->hub.places, i);
    if (!place->knocking || place->routed || place->client < 0)
      continue;
    for (guint k = 0; k < w->hub.places->len; k++) {
      HubPlace *admin = g_ptr_array_index (w->hub.places, k);
      if (admin == place || !admin->admin || admin->client < 0
          || !admin->serves || admin->used >= admin->credits)
        continue;
      WireMessage m = place->knock;
      m.peer = place->peer;
      m.knock.source = w->clients[place->client].source;
      admin->used++;
      place->routed = TRUE;
      place->admin_peer = admin->peer;
      w->knocks_routed++;
      hub_send (w, admin, &m);
      break;
    }
  }
}

/* An admin went: who was with it begins again. */
static inline void
hub_orphan (World *w, guint64 admin)
{
  for (guint i = 0; i < w->hub.places->len; i++) {
    HubPlace *place = g_ptr_array_index (w->hub.places, i);
    if (place->knocking && place->routed && place->admin_peer == admin) {
      WireMessage m = { .type = WIRE_AGAIN };
      place->knocking = place->routed = FALSE;
      hub_send (w, place, &m);
    }
  }
}

static inline void
hub_lapse (World *w, HubPlace *place)
{
  guint64 peer = place->peer;
  gboolean was_admin = place->admin;
  place->member = place->admin = place->knocking = FALSE;
  place->peer = 0;
  if (place->client >= 0)
    w->clients[place->client].place = -1;
  place->client = -1;
  for (guint i = 0; i < w->hub.places->len; i++) {
    HubPlace *admin = g_ptr_array_index (w->hub.places, i);
    WireMessage m = { .type = WIRE_GONE, .peer = peer };
    if (admin->admin)
      hub_send (w, admin, &m);
  }
  if (was_admin)
    hub_orphan (w, peer);
}

static inline gboolean
any_admin (const Hub_ *hub, const HubPlace *but)
{
  for (guint i = 0; i < hub->places->len; i++) {
    const HubPlace *place = g_ptr_array_index (hub->places, i);
    if (place != but && place->admin && place->client >= 0)
      return TRUE;
  }
  return FALSE;
}

static inline void
hub_open (World *w, HubPlace *place, const WireMessage *m, gboolean attend)
{
  Hub_ *hub = &w->hub;
  WireMessage answer = { .type = WIRE_OPENED };
  gboolean listed = FALSE;

  fail_unless (wire_verify_open (m->open.identity, attend, place->challenge,
      m->open.meeting, world_spki, m->open.sig));
  for (gsize i = 0; i < hub->n_admins; i++)
    listed |= memcmp (hub->admins[i], m->open.identity, IDENTITY_KEY_LEN) == 0;
  if (attend && !(hub->open && listed)) {
    hub_error_to (w, place, WIRE_CODE_NOT_ADMIN);
    return;
  }
  if (!attend && hub->open
      && memcmp (hub->owner, m->open.identity, IDENTITY_KEY_LEN) != 0) {
    hub_error_to (w, place, WIRE_CODE_NOT_OWNER);
    return;
  }
  if (!attend && !hub->open)
    memcpy (hub->owner, m->open.identity, IDENTITY_KEY_LEN);
  answer.opened.attended = any_admin (hub, place);
  answer.opened.running = hub->open;
  hub->open = TRUE;
  place->admin = place->member = TRUE;
  place->serves = FALSE;
  place->credits = place->used = 0;
  place->sent = hub->seq;
  memcpy (answer.opened.room, hub->room, LIMIT_ROOM);
  answer.opened.seq = hub->seq;
  hub_send (w, place, &answer);
}

static inline void
hub_knock (World *w, HubPlace *place, const WireMessage *m)
{
  if (place->knock.type)
    wire_clear (&place->knock, WIRE_FROM_CLIENT);
  place->knock = *m;
  place->knock.knock.ada = blob_copy (m->knock.ada.data, m->knock.ada.len);
  if (m->knock.key.data) {
    place->knock.knock.key = blob_copy (m->knock.key.data, m->knock.key.len);
    place->knock.knock.sig = blob_copy (m->knock.sig.data, m->knock.sig.len);
  }
  place->knocking = TRUE;
  place->routed = place->serves = FALSE;
  hub_route (w);
  if (!place->routed) {
    WireMessage waiting = { .type = WIRE_WAITING };
    hub_send (w, place, &waiting);
  }
}

static inline void
hub_welcome (World *w, HubPlace *place)
{
  gint64 seq = (gint64) place->welcome;
  GBytes *welcome = g_hash_table_lookup (w->hub.welcomes, &seq);

  if (!welcome || place->welcome == 0 || place->client < 0)
    return;
  HubFrame frame = { place->welcome, WIRE_WELCOME, welcome };
  place->welcome = 0;
  hub_give (w, place, &frame);
}

static inline void
hub_admitted (World *w, HubPlace *place, const WireMessage *m)
{
  WireMessage answer = { .type = WIRE_ADMITTED, .peer = place->peer };
  gint64 seq = (gint64) m->admitted.seq;
  gpointer welcome = g_hash_table_lookup (w->hub.welcomes, &seq);

  place->member = TRUE;
  place->knocking = FALSE;
  place->serves |= place->admin;
  place->sent = m->admitted.seq;
  answer.admitted.seq = m->admitted.seq;
  memcpy (answer.admitted.room, w->hub.room, LIMIT_ROOM);
  hub_send (w, place, &answer);
  if (w->hub.have_reopened)
    hub_send (w, place, &w->hub.reopened);
  place->welcome = welcome ? m->admitted.seq : 0;
  hub_welcome (w, place);
}

static inline void
hub_return (World *w, HubPlace *fresh, const WireMessage *m)
{
  for (guint i = 0; i < w->hub.places->len; i++) {
    HubPlace *place = g_ptr_array_index (w->hub.places, i);
    WireMessage answer = { .type = WIRE_RETURNED, .peer = place->peer };
    char *text;
    if (place == fresh || place->peer == 0
        || memcmp (place->token, m->back.token, LIMIT_TOKEN) != 0)
      continue;
    place->client = fresh->client;
    memcpy (place->challenge, fresh->challenge, LIMIT_CHALLENGE);
    w->clients[place->client].place = (int) i;
    fresh->peer = 0;
    fresh->client = -1;
    memcpy (answer.opened.room, w->hub.room, LIMIT_ROOM);
    answer.opened.seq = w->hub.seq;
    if (place->member)
      place->sent = MIN (m->back.seq, w->hub.seq);
    hub_send (w, place, &answer);
    while ((text = g_queue_pop_head (&place->waiting))) {
      session_frame (
          w->clients[place->client].session, false, text, strlen (text));
      g_free (text);
    }
    hub_welcome (w, place);
    return;
  }
  hub_error_to (w, fresh, WIRE_CODE_UNKNOWN_PLACE);
}

static inline void
hub_text (World *w, int client, const WireMessage *m)
{
  Hub_ *hub = &w->hub;
  HubPlace *place = client_place (w, client), *other;
  WireMessage pass = *m;

  switch (m->type) {
    case WIRE_RETURN:
      hub_return (w, place, m);
      break;
    case WIRE_LEAVE:
      hub_lapse (w, place);
      break;
    case WIRE_OPEN:
    case WIRE_ATTEND:
      hub_open (w, place, m, m->type == WIRE_ATTEND);
      break;
    case WIRE_ADMINS:
      hub->n_admins = m->admins.count;
      memcpy (hub->admins, m->admins.at, m->admins.count * IDENTITY_KEY_LEN);
      break;
    case WIRE_TRANSFER:
      memcpy (hub->owner, m->transfer, IDENTITY_KEY_LEN);
      break;
    case WIRE_CREDITS:
      place->credits = m->credits;
      place->serves = TRUE;
      place->knocking = FALSE;
      hub_route (w);
      break;
    case WIRE_KNOCK:
      hub_knock (w, place, m);
      break;
    case WIRE_PROOF:
      other = hub_place (hub, place->admin_peer);
      pass.peer = place->peer;
      if (other)
        hub_send (w, other, &pass);
      break;
    case WIRE_REPLY:
    case WIRE_ADMIT:
    case WIRE_WAITING:
    case WIRE_AGAIN:
    case WIRE_ERROR:
      other = hub_place (hub, m->peer);
      if (!other || !place->admin)
        break;
      if (m->type == WIRE_AGAIN || m->type == WIRE_ERROR)
        other->knocking = FALSE;
      hub_send (w, other, &pass);
      break;
    case WIRE_ADMITTED:
      other = hub_place (hub, m->peer);
      if (other && place->admin)
        hub_admitted (w, other, m);
      break;
    case WIRE_DISMISS:
      other = hub_place (hub, m->peer);
      if (other && place->admin) {
        hub_error_to (w, other, WIRE_CODE_DISMISSED);
        hub_lapse (w, other);
      }
      break;
    case WIRE_REOPENED:
      hub->reopened = *m;
      hub->have_reopened = TRUE;
      for (guint i = 0; i < hub->places->len; i++) {
        other = g_ptr_array_index (hub->places, i);
        if (other != place && other->member)
          hub_send (w, other, m);
      }
      break;
    case WIRE_ATTACH:
      for (guint i = 0; i < hub->places->len; i++) {
        other = g_ptr_array_index (hub->places, i);
        if (other == place || !other->admin || other->client < 0)
          continue;
        pass.peer = place->peer;
        pass.attach.challenge = (Blob){ hub->other_challenge ? other->challenge : place->challenge, LIMIT_CHALLENGE };
        hub_send (w, other, &pass);
        return;
      }
      pass = (WireMessage){ .type = WIRE_WAITING };
      hub_send (w, place, &pass);
      break;
    case WIRE_REPLAY:
      if (place->member)
        place->sent = MIN (m->seq, hub->seq);
      break;
    default:
      break;
  }
}

static inline void
hub_binary (World *w, int client, const guint8 *data, gsize len)
{
  HubPlace *place = client_place (w, client);
  Reader in = reader_init (data, len);
  WireHeader header;

  fail_unless (wire_header_parse (&in, &header));
  gsize left = reader_left (&in);
  HubFrame frame = { 0, header.kind,
    g_bytes_new (reader_take (&in, left), left) };
  if (!place->member || memcmp (header.room, w->hub.room, LIMIT_ROOM) != 0) {
    g_bytes_unref (frame.message);
    return;
  }
  if (header.kind == WIRE_WELCOME) {
    gint64 *seq = g_new (gint64, 1);
    *seq = (gint64) header.seq;
    g_hash_table_insert (w->hub.welcomes, seq, frame.message);
    return;
  }
  if (header.kind == WIRE_HANDOVER)
    frame.kind = WIRE_COMMIT;
  if ((header.kind == WIRE_COMMIT && !place->admin)
      || (w->drop && w->drop (w, client, &frame))) {
    g_bytes_unref (frame.message);
    return;
  }
  frame.seq = ++w->hub.seq;
  g_array_append_val (w->hub.log, frame);
}

/* ---- Clients ---- */

static inline void
hub_connect (World *w, int client)
{
  if (w->mute) {
    w->clients[client].connected = TRUE;
    session_connected (w->clients[client].session, world_spki);
    return;
  }
  HubPlace *place = g_new0 (HubPlace, 1);
  WireMessage hello = { .type = WIRE_HELLO, .hello.version = WIRE_VERSION };

  place->peer = w->hub.next_peer++;
  place->client = client;
  g_queue_init (&place->waiting);
  randombytes_buf (place->token, LIMIT_TOKEN);
  randombytes_buf (place->challenge, LIMIT_CHALLENGE);
  g_ptr_array_add (w->hub.places, place);
  w->clients[client].place = (int) w->hub.places->len - 1;
  w->clients[client].connected = TRUE;
  session_connected (w->clients[client].session, world_spki);
  hello.peer = place->peer;
  memcpy (hello.hello.challenge, place->challenge, LIMIT_CHALLENGE);
  memcpy (hello.hello.token, place->token, LIMIT_TOKEN);
  hub_send (w, place, &hello);
}

/* The connection breaks; the place stays. */
static inline void
client_cut (World *w, int client)
{
  Client *c = &w->clients[client];
  HubPlace *place = client_place (w, client);

  if (place) {
    place->client = -1;
    place->left = w->now;
  }
  c->place = -1;
  if (c->connected && c->session)
    session_disconnected (c->session);
  c->connected = FALSE;
}

static inline char *
key_name (const SessionEvent *event)
{
  char key[2 * IDENTITY_KEY_LEN + 1];
  sodium_bin2hex (key, sizeof key, event->key.identity, IDENTITY_KEY_LEN);
  return g_strdup_printf (
      "%s/%u/%" G_GUINT64_FORMAT, key, event->key.track, event->epoch);
}

static inline void
free_world_event (gpointer data)
{
  session_event_clear (data);
  g_free (data);
}

static inline gboolean
client_pump (World *w, int i)
{
  Client *c = &w->clients[i];
  SessionOutput out;
  SessionEvent event;
  gboolean busy = FALSE;
  WireMessage m;

  if (!c->session)
    return FALSE;
  while (session_next_output (c->session, &out)) {
    busy = TRUE;
    switch (out.type) {
      case SESSION_CONNECT:
        if (c->offline)
          session_disconnected (c->session);
        else
          hub_connect (w, i);
        break;
      case SESSION_DISCONNECT:
        client_cut (w, i);
        break;
      case SESSION_SEND_BINARY:
        if (client_place (w, i) && !(w->lose && w->lose (w, i, NULL)))
          hub_binary (w, i, out.data, out.len);
        break;
      default:
        fail_unless_equals_int (
            wire_read ((const char *) out.data, out.len, WIRE_FROM_CLIENT, &m),
            JSON_OK);
        if (client_place (w, i) && !(w->lose && w->lose (w, i, &m)))
          hub_text (w, i, &m);
        wire_clear (&m, WIRE_FROM_CLIENT);
    }
    session_output_clear (&out);
  }
  while (session_next_event (c->session, &event)) {
    busy = TRUE;
    if (event.type == SESSION_EVENT_KEY_OPENED)
      fail_unless (g_hash_table_add (c->keys, key_name (&event)),
          "a key was opened twice");
    if (event.type == SESSION_EVENT_KEY_CLOSED) {
      char *name = key_name (&event);
      fail_unless (g_hash_table_remove (c->keys, name),
          "a key was closed that was not open");
      g_free (name);
    }
    g_ptr_array_add (c->events, g_memdup2 (&event, sizeof event));
  }
  return busy;
}

/* Until nobody has anything to say at this time. */
static inline void
world_settle (World *w)
{
  gboolean busy = TRUE;
  int turns = 0;

  while (busy) {
    busy = FALSE;
    fail_unless (turns++ < 10000, "the sessions never come to rest");
    for (int i = 0; i < w->n; i++) {
      Client *c = &w->clients[i];
      if (!c->session)
        continue;
      session_tick (c->session, w->now,
          (guint64) ((gint64) (WORLD_WALL + w->now) + c->skew));
      busy |= client_pump (w, i);
    }
    guint64 before = w->hub.seq;
    hub_route (w);
    hub_flush (w);
    busy |= before != w->hub.seq;
    for (int i = 0; i < w->n; i++)
      busy |= client_pump (w, i);
  }
}

/* Lets `ms` pass. */
static inline void
world_run (World *w, guint64 ms)
{
  guint64 end = w->now + ms;

  world_settle (w);
  while (w->now < end) {
    guint64 next = end;
    for (int i = 0; i < w->n; i++)
      if (w->clients[i].session)
        next = MIN (next, session_deadline (w->clients[i].session));
    /* A deadline that is due makes no progress by itself: time does. */
    w->now = CLAMP (next, w->now + 1, end);
    for (guint i = 0; i < w->hub.places->len; i++) {
      HubPlace *place = g_ptr_array_index (w->hub.places, i);
      if (place->peer != 0 && place->client < 0
          && w->now - place->left >= LIMIT_PLACE_MS)
        hub_lapse (w, place);
    }
    world_settle (w);
  }
}

static inline World *
world_new (void)
{
  World *w = g_new0 (World, 1);
  w->now = 1000000;
  hub_start (&w->hub);
  return w;
}

static inline void
client_clear (Client *c)
{
  session_free (c->session);
  c->session = NULL;
  identity_free (c->identity);
  c->identity = NULL;
  g_clear_pointer (&c->events, g_ptr_array_unref);
  g_clear_pointer (&c->keys, g_hash_table_unref);
  g_clear_pointer (&c->source, g_free);
}

static inline void
world_free (World *w)
{
  for (int i = 0; i < w->n; i++)
    client_clear (&w->clients[i]);
  hub_stop (&w->hub);
  g_free (w);
}

/* The hub's process ends and another one begins, with nothing. */
static inline void
world_restart_hub (World *w)
{
  Hub_ old = w->hub;
  for (int i = 0; i < w->n; i++)
    if (w->clients[i].session)
      client_cut (w, i);
  hub_stop (&old);
  hub_start (&w->hub);
}

static inline Secret *
world_password (const char *text)
{
  return text ? secret_copy (text, strlen (text)) : NULL;
}

/* A fixture: the password that those know who may come in. */
static Secret *pw;

static inline void
world_set_up (void)
{
  pw = world_password ("correct horse");
}

static inline void
world_tear_down (void)
{
  secret_unref (pw);
  pw = NULL;
}

/* A session with `config`, whose identity is fresh unless it has one; the number of its client. */
static inline int
world_add (World *w, SessionConfig config)
{
  int i = w->n++;
  Client *c = &w->clients[i];

  fail_unless (i < WORLD_MAX);
  c->identity = config.identity ? identity_from_seed (
                    identity_secret_key (config.identity))
                                : identity_new ();
  config.identity = c->identity;
  if (!config.uri)
    config.uri = "meet://hub.example/standup";
  if (!config.role)
    config.role = ROLE_PARTICIPANT;
  c->place = -1;
  c->events = g_ptr_array_new_with_free_func (free_world_event);
  c->keys = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  c->source = g_strdup_printf ("source %d", i);
  fail_unless_equals_int (
      session_new (&config, w->now, WORLD_WALL + w->now, &c->session),
      SESSION_OK);
  return i;
}

/* The process of a client ends without a word; another one begins with the same identity, if `config` is given. */
static inline int
world_crash (World *w, int i)
{
  Client *c = &w->clients[i];
  client_cut (w, i);
  session_free (c->session);
  c->session = NULL;
  return i;
}

static inline const guint8 *
client_key (const World *w, int i)
{
  return identity_public_key (w->clients[i].identity);
}

static inline gsize
count_events (const World *w, int i, SessionEventType type)
{
  gsize n = 0;
  for (guint k = 0; k < w->clients[i].events->len; k++)
    n += ((SessionEvent *) g_ptr_array_index (w->clients[i].events, k))->type
         == type;
  return n;
}

static inline SessionEvent *
last_event (const World *w, int i, SessionEventType type)
{
  for (guint k = w->clients[i].events->len; k > 0; k--) {
    SessionEvent *event = g_ptr_array_index (w->clients[i].events, k - 1);
    if (event->type == type)
      return event;
  }
  return NULL;
}

static inline void
forget_events (World *w)
{
  for (int i = 0; i < w->n; i++)
    g_ptr_array_set_size (w->clients[i].events, 0);
}

#define fail_unless_state(w, i, want)                                         \
  fail_unless_equals_int (session_state ((w)->clients[i].session), (want))

/* All of `n` clients are members of one group and see the same. */
static inline void
check_agreement (const World *w, const int *who, int n)
{
  Session *one = w->clients[who[0]].session;

  for (int i = 0; i < n; i++) {
    Session *s = w->clients[who[i]].session;
    fail_unless_equals_int (session_state (s), SESSION_MEMBER);
    fail_unless_equals_uint64 (session_epoch (s), session_epoch (one));
    fail_unless (memcmp (session_epoch_authenticator (s),
                     session_epoch_authenticator (one), MLS_HASH_LEN)
                 == 0);
    fail_unless_equals_string (
        session_security_code (s), session_security_code (one));
    fail_unless (policy_equal (session_policy (s), session_policy (one)));
    fail_unless_equals_uint64 (session_members (s), (guint64) n);
    for (int k = 0; k < n; k++) {
      SessionMember member;
      fail_unless (session_find_member (s, client_key (w, who[k]), &member));
    }
  }
}

#define check_members(w, ...)                                                 \
  G_STMT_START                                                                \
  {                                                                           \
    const int who__[] = { __VA_ARGS__ };                                      \
    check_agreement ((w), who__, G_N_ELEMENTS (who__));                       \
  }                                                                           \
  G_STMT_END

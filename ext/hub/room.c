/* The hub: connections, frames, time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "room_private.h"

#include <sodium.h>
#include <string.h>

/* ---- Names ---- */

/* What a verdict is called, and what the client is told. */
static const struct
{
  const char *name;
  WireCode code; /* 0: nothing */
} verdicts[HUB_N_VERDICTS] = {
  [HUB_TAKEN] = { "taken", 0 },
  [HUB_MALFORMED] = { "malformed", WIRE_CODE_MALFORMED },
  [HUB_TOO_LARGE] = { "too-large", WIRE_CODE_TOO_LARGE },
  [HUB_RATE_LIMITED] = { "rate-limited", WIRE_CODE_RATE_LIMITED },
  [HUB_BUSY] = { "busy", WIRE_CODE_BUSY },
  [HUB_NOT_MEMBER] = { "not-member", WIRE_CODE_NOT_MEMBER },
  [HUB_NOT_ADMIN] = { "not-admin", WIRE_CODE_NOT_ADMIN },
  [HUB_NOT_OWNER] = { "not-owner", WIRE_CODE_NOT_OWNER },
  [HUB_BAD_SIGNATURE] = { "bad-signature", WIRE_CODE_BAD_SIGNATURE },
  [HUB_UNKNOWN_PLACE] = { "unknown-place", WIRE_CODE_UNKNOWN_PLACE },
  [HUB_TOO_LATE] = { "too-late", WIRE_CODE_TOO_LATE },
  [HUB_UNEXPECTED] = { "unexpected", 0 },
  [HUB_STALE_ROOM] = { "stale-room", 0 },
  [HUB_KNOWN] = { "known", 0 },
};

static const char *const audit_names[] = { NULL, "opened", "attended",
  "admitted", "gone", "dismissed", "transferred", "closed", "ended", "lost",
  "refused" };

const char *
hub_verdict_name (HubVerdict verdict)
{
  return verdict < HUB_N_VERDICTS ? verdicts[verdict].name : NULL;
}

const char *
hub_audit_name (HubAudit audit)
{
  return (size_t) audit < G_N_ELEMENTS (audit_names) ? audit_names[audit]
                                                     : NULL;
}

/* ---- Life ---- */

static guint
hash_of_token (gconstpointer key)
{
  guint hash;
  memcpy (&hash, key, sizeof hash);
  return hash;
}

static gboolean
same_token (gconstpointer a, gconstpointer b)
{
  return sodium_memcmp (a, b, TOKEN_HASH_LEN) == 0;
}

static void
connection_free (void *data)
{
  Connection *connection = data;
  sodium_memzero (connection->challenge, LIMIT_CHALLENGE);
  g_free (connection);
}

static void
request_free (void *data)
{
  Request *request = data;
  g_free (request->meeting);
  g_free (request);
}

Hub *
hub_new (const HubConfig *config, uint64_t now)
{
  Hub *hub = g_new0 (Hub, 1);

  hub->key = sodium_malloc (HUB_KEY_LEN);
  if (!hub->key)
    g_error ("no locked memory for the hub's key");
  randombytes_buf (hub->key, HUB_KEY_LEN);
  hub->now = now;
  hub->sweep_at = now + HUB_SWEEP_MS;
  hub->self = g_strdup (config->self ? config->self : "local");
  hub->directory = config->directory;
  memcpy (hub->spki_hash, config->spki_hash, LIMIT_SPKI_HASH);
  hub->max_rooms =
      config->max_rooms ? config->max_rooms : HUB_DEFAULT_MAX_ROOMS;
  hub->max_members =
      config->max_members ? config->max_members : HUB_DEFAULT_MAX_MEMBERS;
  hub->connects_per_minute = config->connects_per_minute
                                 ? config->connects_per_minute
                                 : HUB_DEFAULT_CONNECTS_PER_MINUTE;
  hub->connections = g_hash_table_new_full (
      g_int64_hash, g_int64_equal, NULL, connection_free);
  hub->places = g_hash_table_new (g_int64_hash, g_int64_equal);
  hub->tokens = g_hash_table_new (hash_of_token, same_token);
  hub->by_meeting = g_hash_table_new (g_str_hash, g_str_equal);
  hub->by_source = g_hash_table_new (g_str_hash, g_str_equal);
  hub->requests = g_hash_table_new_full (
      g_int64_hash, g_int64_equal, g_free, request_free);
  return hub;
}

static void
forget_all (Hub *hub, WireCode code)
{
  while (hub->rooms.head) {
    Room *room = hub->rooms.head->data;
    if (room->opened && code)
      hub->directory->release (
          hub->directory, hub->self, room->meeting, room->fence);
    if (room->claim)
      g_hash_table_remove (hub->requests, &room->claim);
    room->claim = 0;
    room_drop (room, code, true);
  }
}

void
hub_shutdown (Hub *hub)
{
  forget_all (hub, WIRE_CODE_GOING_AWAY);
}

void
hub_free (Hub *hub)
{
  HubOutput output;
  HubEvent event;

  if (!hub)
    return;
  forget_all (hub, 0);
  sources_sweep (hub, true);
  while (hub_next_output (hub, &output))
    hub_output_clear (&output);
  while (hub_next_event (hub, &event))
    hub_event_clear (&event);
  g_hash_table_unref (hub->connections);
  g_hash_table_unref (hub->places);
  g_hash_table_unref (hub->tokens);
  g_hash_table_unref (hub->by_meeting);
  g_hash_table_unref (hub->by_source);
  g_hash_table_unref (hub->requests);
  g_free (hub->self);
  sodium_free (hub->key);
  g_free (hub);
}

HubUsage
hub_usage (const Hub *hub)
{
  return hub->usage;
}

HubStats
hub_stats (const Hub *hub)
{
  return hub->stats;
}

/* ---- Connections ---- */

/* 0, or why this connection can't be. The same for all meetings. */
static WireCode
why_not (Hub *hub, Source *source)
{
  if (!source || hub->usage.connections >= HUB_MAX_CONNECTIONS
      || source->strangers >= HUB_MAX_SOURCE_STRANGERS)
    return WIRE_CODE_BUSY;
  if (!bucket_take (&source->connects, hub->now, HUB_CONNECTS_BURST * 60,
          hub->connects_per_minute, 60))
    return WIRE_CODE_RATE_LIMITED;
  return 0;
}

bool
hub_connected (
    Hub *hub, uint64_t id, const char *meeting, const char *source_text)
{
  if (id == 0 || g_hash_table_contains (hub->connections, &id)
      || !door_meeting_is_valid (meeting, strlen (meeting))
      || source_text[0] == '\0' || strlen (source_text) >= HUB_SOURCE_TEXT)
    return false;

  Source *source = source_get (hub, source_text);
  WireCode code = why_not (hub, source);
  if (code != 0) {
    hub->stats.connects_refused++;
    send_error (hub, id, code);
    push_disconnect (hub, id);
    if (source)
      source_unref (hub, source);
    return true;
  }
  if (hub->usage.fresh >= HUB_MAX_FRESH) {
    hub->stats.crowded_out++;
    place_end (hub->fresh.head->data, WIRE_CODE_BUSY, false);
  }
  Connection *connection = g_new0 (Connection, 1);
  connection->id = id;
  connection->source = source; /* the reference */
  randombytes_buf (connection->challenge, LIMIT_CHALLENGE);
  g_hash_table_insert (hub->connections, &connection->id, connection);
  hub->usage.connections++;
  hub->stats.connects++;
  place_new (room_get (hub, meeting), source, connection);
  return true;
}

void
hub_disconnected (Hub *hub, uint64_t id)
{
  Connection *connection = g_hash_table_lookup (hub->connections, &id);

  if (!connection)
    return;
  Place *place = connection->place;
  place->connection = NULL;
  source_unref (hub, connection->source);
  hub->usage.connections--;
  g_hash_table_remove (hub->connections, &id);
  place_lost (place);
}

/* ---- Frames ---- */

static HubVerdict
take_leave (Place *place, WireMessage *message)
{
  (void) message;
  place_end (place, 0, true);
  return HUB_TAKEN;
}

static HubVerdict
take_return (Place *place, WireMessage *message)
{
  return place_return (place, message);
}

static HubVerdict
take_media (Place *place, WireMessage *message)
{
  HubEvent *event = NULL;

  push_event (place->room->hub, HUB_EVENT_MEDIA, place);
  event = g_queue_peek_tail (&place->room->hub->events);
  event->media = *message;
  *message = (WireMessage){ 0 }; /* the event's now */
  return HUB_TAKEN;
}

typedef enum
{
  ANYBODY,
  MEMBER,
  ADMIN,
  OWNER
} Who;

/* Who may say what. What a stranger may say is judged by the state of its run, where it is handled. */
static const struct
{
  WireType type;
  Who who;
  HubVerdict (*take) (Place *, WireMessage *);
} takers[] = {
  { WIRE_RETURN, ANYBODY, take_return },
  { WIRE_LEAVE, ANYBODY, take_leave },
  { WIRE_OPEN, ANYBODY, admin_open },
  { WIRE_ATTEND, ANYBODY, admin_attend },
  { WIRE_KNOCK, ANYBODY, door_knock },
  { WIRE_PROOF, ANYBODY, door_proof },
  { WIRE_ATTACH, ANYBODY, door_attach },
  { WIRE_ADMINS, OWNER, admin_admins },
  { WIRE_TRANSFER, OWNER, admin_transfer },
  { WIRE_CLOSE, OWNER, admin_close },
  { WIRE_REOPENED, ADMIN, admin_reopened },
  { WIRE_DISMISS, ADMIN, admin_dismiss },
  { WIRE_CREDITS, ADMIN, admin_credits },
  { WIRE_REPLY, ADMIN, door_answer },
  { WIRE_WAITING, ADMIN, door_answer },
  { WIRE_ADMIT, ADMIN, door_answer },
  { WIRE_AGAIN, ADMIN, door_answer },
  { WIRE_ERROR, ADMIN, door_answer },
  { WIRE_ADMITTED, ADMIN, door_admitted },
  { WIRE_ACK, MEMBER, order_ack },
  { WIRE_REPLAY, MEMBER, order_replay },
  { WIRE_TRANSPORT, MEMBER, take_media },
  { WIRE_PUBLISH, MEMBER, take_media },
  { WIRE_UNPUBLISH, MEMBER, take_media },
  { WIRE_SUBSCRIBE, MEMBER, take_media },
  { WIRE_UNSUBSCRIBE, MEMBER, take_media },
  { WIRE_PAUSE, MEMBER, take_media },
  { WIRE_RESUME, MEMBER, take_media },
};

static HubVerdict
dispatch (Place *place, WireMessage *message)
{
  for (size_t i = 0; i < G_N_ELEMENTS (takers); i++) {
    if (takers[i].type != message->type)
      continue;
    if (takers[i].who == OWNER && !admin_is_owner (place))
      return HUB_NOT_OWNER;
    if (takers[i].who == ADMIN && !place->attends)
      return HUB_NOT_ADMIN;
    if (takers[i].who == MEMBER && !place->member)
      return HUB_NOT_MEMBER;
    return takers[i].take (place, message);
  }
  return HUB_MALFORMED;
}

static bool
may_speak (Connection *connection, bool binary, size_t len)
{
  Place *place = connection->place;
  Hub *hub = place->room->hub;

  if (!place->member)
    return bucket_take (&connection->messages, hub->now, HUB_STRANGER_BURST,
               HUB_STRANGER_RATE, 1)
           && bucket_take (&connection->source->messages, hub->now,
               HUB_SOURCE_BURST, HUB_SOURCE_RATE, 1);
  return bucket_take (
             &place->bytes, hub->now, HUB_BYTES_BURST, HUB_BYTES_RATE, len)
         && (binary
             || bucket_take (&connection->messages, hub->now, HUB_MEMBER_BURST,
                 HUB_MEMBER_RATE, 1));
}

static size_t
frame_limit (const Connection *connection)
{
  return connection->place->member ? LIMIT_FRAME_AFTER : LIMIT_FRAME_BEFORE;
}

size_t
hub_frame_limit (const Hub *hub, uint64_t id)
{
  const Connection *connection = g_hash_table_lookup (hub->connections, &id);

  return connection ? frame_limit (connection) : 0;
}

static HubVerdict
take_frame (Connection *connection, bool binary, const void *data, size_t len)
{
  Place *place = connection->place;
  WireMessage message;

  if (len > frame_limit (connection))
    return HUB_TOO_LARGE;
  if (!may_speak (connection, binary, len))
    return HUB_RATE_LIMITED;
  if (binary)
    return order_take (place, data, len);
  if (wire_read (data, len, WIRE_FROM_CLIENT, &message) != JSON_OK)
    return HUB_MALFORMED;
  HubVerdict verdict = dispatch (place, &message);
  wire_clear (&message, WIRE_FROM_CLIENT);
  return verdict;
}

/* What follows from a verdict: the place may have another connection by now, the connection another place. */
static void
follow (Hub *hub, uint64_t id, HubVerdict verdict)
{
  Connection *connection = g_hash_table_lookup (hub->connections, &id);
  WireCode code = verdicts[verdict].code;

  if (!connection || code == 0)
    return;
  Place *place = connection->place;
  bool ends = verdict == HUB_MALFORMED || verdict == HUB_TOO_LARGE;
  if (verdict == HUB_RATE_LIMITED && !place->member
      && ++connection->dropped >= HUB_MAX_DROPPED) {
    hub->stats.dropped++;
    ends = true;
  }
  push_audit (place, HUB_AUDIT_REFUSED, code);
  if (ends
      || bucket_take (
          &connection->errors, hub->now, HUB_ERRORS_BURST, HUB_ERRORS_RATE, 1))
    send_error (hub, id, code);
  if (ends) {
    connection_end (hub, connection);
    place_lost (place);
  }
}

void
hub_frame (Hub *hub, uint64_t id, bool binary, const void *data, size_t len)
{
  Connection *connection = g_hash_table_lookup (hub->connections, &id);

  if (!connection)
    return;
  hub->stats.frames++;
  HubVerdict verdict = take_frame (connection, binary, data, len);
  hub->stats.verdicts[verdict]++;
  follow (hub, id, verdict);
}

bool
hub_send_media (Hub *hub, uint64_t peer, const WireMessage *message)
{
  Place *place = g_hash_table_lookup (hub->places, &peer);

  if (!place || !place->member || !place->connection)
    return false;
  send_message (place->connection, message);
  return true;
}

/* ---- Time ---- */

/* The timer that is due first: each queue is in the order of its times. */
static Timer
first_due (const Hub *hub, uint64_t *due)
{
  Timer first = TIMER_NONE;

  *due = UINT64_MAX;
  for (int i = TIMER_NONE + 1; i < N_TIMERS; i++) {
    if (!hub->timers[i].head)
      continue;
    const Place *place = hub->timers[i].head->data;
    uint64_t at = i == TIMER_AWAY ? place->away.due : place->timer.due;
    if (at < *due) {
      *due = at;
      first = (Timer) i;
    }
  }
  return first;
}

static void
sweep (Hub *hub)
{
  GList *next;

  hub->sweep_at = hub->now + HUB_SWEEP_MS;
  for (GList *l = hub->rooms.head; l; l = next) {
    next = l->next;
    room_sweep (l->data);
  }
  sources_sweep (hub, false);
  if (hub->now >= hub->announce_at) {
    hub->announce_at = hub->now + HUB_RENEW_MS;
    hub->directory->announce (
        hub->directory, hub->self, hub->usage.members, HUB_LEASE_MS, hub->now);
  }
}

void
hub_tick (Hub *hub, uint64_t now)
{
  uint64_t due;
  Timer timer;

  hub->now = MAX (hub->now, now);
  while ((timer = first_due (hub, &due)) != TIMER_NONE && due <= hub->now)
    place_due (hub->timers[timer].head->data, timer);
  if (hub->now >= hub->sweep_at)
    sweep (hub);
}

uint64_t
hub_deadline (const Hub *hub)
{
  uint64_t due;

  first_due (hub, &due);
  return hub->rooms.head || hub->idle_sources.head ? MIN (due, hub->sweep_at)
                                                   : due;
}

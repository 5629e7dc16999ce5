/* Between the rooms and the forwarder: who is a member may have a transport, publish on it and subscribe to others' tracks.
 *
 * A member that is gone has none of it any more. A transport that lost consent is removed, its member stays one and may ask
 * for a new one; each has keys, SSRCs and tracks of its own. Credentials are kept until the first check with them shows that
 * they arrived: so that a member that lost its connection in between can be told again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server_private.h"

#include "ext/session/media.h"

#include <sodium.h>
#include <string.h>

#define TRANSPORTS_BURST                                                      \
  4 /* of one member, and one more in 5 s: each makes keys */
#define TRANSPORTS_PER_MINUTE 12
#define STREAMS_BURST 2048 /* SSRCs in requests of one member */
#define STREAMS_RATE 256

typedef struct Member Member;

typedef struct
{
  uint64_t number;
  HubRoom *room;
  GQueue members;     /* Member.link */
  GHashTable *tracks; /* ssrc -> Track, owned */
} MediaRoom;

typedef struct
{
  Member *publisher;
  uint64_t number;
  HubTrack *track;
  HubTrackSsrcs ssrcs;
} Track;

struct Member
{
  MediaGlue *glue;
  uint64_t peer;
  MediaRoom *room;
  HubTransport *transport; /* NULL: none */
  bool connected;
  HubCredentials credentials; /* of `transport`, until it is connected */
  char local[HUB_ADDRESS_TEXT];
  Bucket transports, streams;
  GArray *subscribed, *resumed; /* of Stream: to be told; NULL for none */
  GList link, told_link;
};

struct MediaGlue
{
  HubServer *server;
  unsigned audio_last_n;
  GHashTable *rooms;   /* number -> MediaRoom */
  GHashTable *members; /* peer -> Member */
  GQueue told;         /* Member.told_link: with something to be told */
};

/* ---- Telling ---- */

static void
tell (Member *member, const WireMessage *message)
{
  hub_send_media (member->glue->server->hub, member->peer, message);
}

static void
tell_error (Member *member, WireCode code)
{
  tell (member, &(WireMessage){ .type = WIRE_ERROR, .code = code });
}

static void
tell_transport (Member *member)
{
  HubCandidate candidates[WIRE_MAX_CANDIDATES];
  char *texts[WIRE_MAX_CANDIDATES];
  HubServer *server = member->glue->server;
  HubCredentials *credentials = &member->credentials;
  size_t n = hub_forwarder_candidates (server->forwarder,
      member->local[0] ? member->local : NULL, candidates,
      WIRE_MAX_CANDIDATES);

  for (size_t i = 0; i < n; i++) /* RFC 8839, 5.1 */
    texts[i] = g_strdup_printf ("candidate:%s 1 UDP %u %s %u typ host",
        candidates[i].foundation, candidates[i].priority,
        candidates[i].address, candidates[i].port);
  tell (member,
      &(WireMessage){ .type = WIRE_TRANSPORT,
          .transport = { .ufrag = credentials->ufrag,
              .pwd = credentials->pwd,
              .candidates = { n, texts },
              .send_key = { secret_bytes (credentials->to_hub), HUB_KEY_LEN },
              .receive_key = {
                  secret_bytes (credentials->from_hub), HUB_KEY_LEN } } });
  for (size_t i = 0; i < n; i++)
    g_free (texts[i]);
}

static void
tell_streams (Member *member, WireType type, GArray **streams)
{
  if (!*streams)
    return;
  for (guint at = 0; at < (*streams)->len; at += WIRE_MAX_SSRCS) {
    WireMessage message = { .type = type };
    message.streams.at = &g_array_index (*streams, Stream, at);
    message.streams.count = MIN ((*streams)->len - at, WIRE_MAX_SSRCS);
    tell (member, &message);
  }
  g_clear_pointer (streams, g_array_unref);
}

void
media_glue_flush (MediaGlue *glue)
{
  while (glue->told.head) {
    Member *member = glue->told.head->data;
    g_queue_unlink (&glue->told, &member->told_link);
    tell_streams (member, WIRE_SUBSCRIBED, &member->subscribed);
    tell_streams (member, WIRE_RESUMED, &member->resumed);
  }
}

/* ---- Rooms, members, tracks ---- */

static MediaRoom *
get_room (MediaGlue *glue, uint64_t number)
{
  MediaRoom *room = g_hash_table_lookup (glue->rooms, &number);
  HubRoomConfig config = { .audio_last_n = glue->audio_last_n,
    .audio_level_id = MEDIA_AUDIO_LEVEL_ID,
    .twcc_id = MEDIA_TWCC_ID };

  if (room)
    return room;
  room = g_new0 (MediaRoom, 1);
  room->number = number;
  room->tracks = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  room->room = hub_forwarder_add_room (glue->server->forwarder, &config, room);
  g_hash_table_insert (glue->rooms, &room->number, room);
  return room;
}

static void
room_free (MediaRoom *room)
{
  g_hash_table_unref (room->tracks);
  g_free (room);
}

static void
end_room (MediaGlue *glue, MediaRoom *room)
{
  if (room->room)
    hub_forwarder_end_room (glue->server->forwarder, room->room);
  g_hash_table_remove (glue->rooms, &room->number);
  room_free (room);
}

static gboolean
is_of (gpointer ssrc, gpointer track, gpointer member)
{
  (void) ssrc;
  return ((Track *) track)->publisher == member;
}

static void
end_transport (Member *member)
{
  if (!member->transport)
    return;
  g_hash_table_foreach_remove (member->room->tracks, is_of, member);
  hub_forwarder_remove_transport (
      member->glue->server->forwarder, member->transport);
  member->transport = NULL;
  member->connected = false;
  hub_credentials_clear (&member->credentials);
  g_clear_pointer (&member->subscribed, g_array_unref);
  g_clear_pointer (&member->resumed, g_array_unref);
}

static void
member_new (MediaGlue *glue, const HubEvent *event)
{
  Member *member = g_new0 (Member, 1);

  member->glue = glue;
  member->peer = event->peer;
  member->room = get_room (glue, event->room);
  member->link.data = member->told_link.data = member;
  g_queue_push_tail_link (&member->room->members, &member->link);
  g_hash_table_insert (glue->members, &member->peer, member);
}

static bool
is_to_be_told (const Member *member)
{
  return member->subscribed || member->resumed;
}

static void
member_gone (Member *member)
{
  MediaGlue *glue = member->glue;
  MediaRoom *room = member->room;

  if (is_to_be_told (member))
    g_queue_unlink (&glue->told, &member->told_link);
  end_transport (member);
  g_queue_unlink (&room->members, &member->link);
  g_hash_table_remove (glue->members, &member->peer);
  g_free (member);
  if (room->members.length == 0)
    end_room (glue, room);
}

static Track *
find_own (Member *member, uint64_t number)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, member->room->tracks);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Track *track = value;
    if (track->publisher == member && track->number == number)
      return track;
  }
  return NULL;
}

/* ---- What members ask for ---- */

static void
make_transport (Member *member)
{
  HubServer *server = member->glue->server;

  if (!bucket_take (&member->transports, server_now (), TRANSPORTS_BURST * 60,
          TRANSPORTS_PER_MINUTE, 60)) {
    tell_error (member, WIRE_CODE_RATE_LIMITED);
    return;
  }
  if (is_to_be_told (member))
    g_queue_unlink (&member->glue->told, &member->told_link);
  end_transport (member);
  if (server->speaking)
    g_strlcpy (member->local, websocket_local (server->speaking),
        sizeof member->local);
  if (!member->room->room
      || hub_forwarder_add_transport (server->forwarder, member->room->room,
             NULL, member, &member->transport, &member->credentials)
             != HUB_OK) {
    member->transport = NULL;
    tell_error (member, WIRE_CODE_BUSY);
    return;
  }
  tell_transport (member);
}

static void
tell_published (Member *member, const Track *track)
{
  tell (member, &(WireMessage){ .type = WIRE_PUBLISHED,
                    .published = { track->number, track->ssrcs.ssrc,
                        track->ssrcs.rtx_ssrc } });
}

/* Asked twice, for instance because the answer was lost, it gets the same answer twice. */
static void
publish (Member *member, const WireMessage *message)
{
  bool audio = message->publish.kind == MEDIA_AUDIO;
  HubTrackConfig config = { .kind = audio ? HUB_AUDIO : HUB_VIDEO,
    .clock_rate = audio ? MEDIA_AUDIO_CLOCK : MEDIA_VIDEO_CLOCK,
    .rtx_payload_type = audio ? MEDIA_AUDIO_RTX_PT : MEDIA_VIDEO_RTX_PT };
  Track *track = find_own (member, message->publish.track);

  if (!track) {
    track = g_new0 (Track, 1);
    track->publisher = member;
    track->number = message->publish.track;
    if (hub_forwarder_publish (member->glue->server->forwarder,
            member->transport, &config, track, &track->track, &track->ssrcs)
        != HUB_OK) {
      g_free (track);
      tell_error (member, WIRE_CODE_BUSY);
      return;
    }
    g_hash_table_insert (
        member->room->tracks, GUINT_TO_POINTER (track->ssrcs.ssrc), track);
  }
  tell_published (member, track);
}

static void
unpublish (Member *member, const WireMessage *message)
{
  Track *track = find_own (member, message->publish.track);

  if (!track)
    return;
  hub_forwarder_unpublish (member->glue->server->forwarder, track->track);
  g_hash_table_remove (
      member->room->tracks, GUINT_TO_POINTER (track->ssrcs.ssrc));
}

/* Paused: packets would overtake the `subscribed` that tells the ROC to read them with. Asked again, it begins. */
static HubResult
subscribe (HubForwarder *forwarder, HubTransport *receiver, HubTrack *track)
{
  HubResult result =
      hub_forwarder_subscribe (forwarder, receiver, track, true);

  return result == HUB_NOT_ALLOWED
             ? hub_forwarder_resume (forwarder, receiver, track)
             : result;
}

static void
change_streams (Member *member, const WireMessage *message)
{
  HubForwarder *forwarder = member->glue->server->forwarder;
  bool full = false;

  if (!bucket_take (&member->streams, server_now (), STREAMS_BURST,
          STREAMS_RATE, message->ssrcs.count)) {
    tell_error (member, WIRE_CODE_RATE_LIMITED);
    return;
  }
  for (size_t i = 0; i < message->ssrcs.count; i++) {
    Track *track = g_hash_table_lookup (
        member->room->tracks, GUINT_TO_POINTER (message->ssrcs.at[i]));
    if (!track)
      continue; /* has just ended, and `untrack` is on its way */
    HubResult (*change) (HubForwarder *, HubTransport *, HubTrack *) =
        message->type == WIRE_SUBSCRIBE     ? subscribe
        : message->type == WIRE_UNSUBSCRIBE ? hub_forwarder_unsubscribe
        : message->type == WIRE_PAUSE       ? hub_forwarder_pause
                                            : hub_forwarder_resume;
    HubResult result = change (forwarder, member->transport, track->track);
    full |= result == HUB_LIMIT_REACHED || result == HUB_NO_MEMORY;
  }
  if (full)
    tell_error (member, WIRE_CODE_BUSY);
}

static void
member_asks (Member *member, const WireMessage *message)
{
  if (message->type == WIRE_TRANSPORT)
    make_transport (member);
  else if (!member->transport)
    return; /* it has just ended, and the member will find out */
  else if (message->type == WIRE_PUBLISH)
    publish (member, message);
  else if (message->type == WIRE_UNPUBLISH)
    unpublish (member, message);
  else
    change_streams (member, message);
}

void
media_glue_room_event (MediaGlue *glue, HubEvent *event)
{
  Member *member = g_hash_table_lookup (glue->members, &event->peer);

  if (event->type == HUB_EVENT_ADMITTED && !member)
    member_new (glue, event);
  if (!member)
    return;
  if (event->type == HUB_EVENT_GONE)
    member_gone (member);
  else if (event->type == HUB_EVENT_MEDIA)
    member_asks (member, &event->media);
  else if (event->type == HUB_EVENT_RETURNED && member->transport
           && !member->connected)
    tell_transport (member);
}

/* ---- What the forwarder says ---- */

static void
await_telling (Member *member, GArray **streams, const HubMediaEvent *event)
{
  Stream stream = { event->ssrc, event->rtx_ssrc, event->roc };

  if (!is_to_be_told (member))
    g_queue_push_tail_link (&member->glue->told, &member->told_link);
  if (!*streams)
    *streams = g_array_new (FALSE, FALSE, sizeof (Stream));
  g_array_append_val (*streams, stream);
}

static void
tell_speakers (const HubMediaEvent *event)
{
  MediaRoom *room = hub_room_owner (event->room);
  uint32_t ssrcs[HUB_MAX_SPEAKERS];
  WireMessage message = { .type = WIRE_SPEAKERS,
    .ssrcs = { event->n_speakers, ssrcs } };

  for (size_t i = 0; i < event->n_speakers; i++)
    ssrcs[i] = hub_track_ssrc (event->speakers[i]);
  for (GList *l = room->members.head; l; l = l->next) {
    Member *member = l->data;
    if (member->connected)
      tell (member, &message);
  }
}

void
media_glue_forwarder_event (const HubMediaEvent *event, void *data)
{
  Member *member =
      event->transport ? hub_transport_owner (event->transport) : NULL;

  (void) data;
  switch (event->type) {
    case HUB_MEDIA_EVENT_CONNECTED:
      member->connected = true;
      hub_credentials_clear (&member->credentials);
      break;
    case HUB_MEDIA_EVENT_CONSENT_LOST:
      if (is_to_be_told (member))
        g_queue_unlink (&member->glue->told, &member->told_link);
      end_transport (member);
      break;
    case HUB_MEDIA_EVENT_SUBSCRIBED:
      await_telling (member, &member->subscribed, event);
      break;
    case HUB_MEDIA_EVENT_RESUMED:
      await_telling (member, &member->resumed, event);
      break;
    case HUB_MEDIA_EVENT_KEYFRAME_WANTED:
      break; /* RTCP has said so */
    case HUB_MEDIA_EVENT_SPEAKERS:
      tell_speakers (event);
      break;
  }
}

/* ---- Life ---- */

MediaGlue *
media_glue_new (HubServer *server, unsigned audio_last_n)
{
  MediaGlue *glue = g_new0 (MediaGlue, 1);

  glue->server = server;
  glue->audio_last_n = audio_last_n;
  glue->rooms = g_hash_table_new (g_int64_hash, g_int64_equal);
  glue->members = g_hash_table_new (g_int64_hash, g_int64_equal);
  return glue;
}

/* Before the forwarder's end, which ends its objects itself. */
void
media_glue_free (MediaGlue *glue)
{
  GHashTableIter iter;
  gpointer value;

  if (!glue)
    return;
  g_hash_table_iter_init (&iter, glue->members);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Member *member = value;
    hub_credentials_clear (&member->credentials);
    g_clear_pointer (&member->subscribed, g_array_unref);
    g_clear_pointer (&member->resumed, g_array_unref);
    g_free (member);
  }
  g_hash_table_iter_init (&iter, glue->rooms);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    room_free (value);
  g_hash_table_unref (glue->members);
  g_hash_table_unref (glue->rooms);
  g_free (glue);
}

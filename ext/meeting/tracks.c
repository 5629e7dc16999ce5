/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tracks.h"

#include <string.h>

GST_DEBUG_CATEGORY_EXTERN (meetingjoin_debug);
#define GST_CAT_DEFAULT meetingjoin_debug

#define ANSWER_MS 3000 /* without an answer: asked again */
#define RETRY_MIN_MS                                                          \
  250 /* after a way to the hub was lost: doubles from here, */
#define RETRY_MAX_MS 4000 /* up to here */
#define NEVER G_MAXUINT64

typedef enum
{
  OWN_WANTED, /* nobody was asked for an SSRC yet */
  OWN_ASKED,
  OWN_LIVE, /* announced */
  OWN_REFUSED
} OwnStage;

typedef struct
{
  GstPad *pad; /* a reference, for the name */
  MediaKind kind;
  char *codec, *caps;
  OwnStage stage;
  guint32 number;
  guint64 ask_at;
} Own;

typedef struct
{
  guint8 identity[IDENTITY_KEY_LEN];
  guint32 number, ssrc;
  gboolean subscribed, heard;
  guint64 ask_at;
  char *failing; /* NULL: it does not */
} Remote;

typedef enum
{
  WAY_NONE,
  WAY_ASKED,
  WAY_THERE /* told to the media bin, which may still be trying */
} Way;

struct MeetingTracks
{
  ConclaveMeetingMedia *media; /* NULL: a member without */
  MeetingWarn warn;
  gpointer user;

  GPtrArray *own, *remote;
  gboolean hold;

  /* where what the hub gave out is of */
  gboolean placed, at_hub;
  guint64 peer;
  guint8 room[LIMIT_ROOM];

  Way way;
  gboolean connected;
  guint64 way_at; /* when to ask for one, or to ask again */
  guint retry;    /* ms */
  guint64 n_transports;
  guint32 next_number; /* of an own track */
};

static void
own_free (gpointer data)
{
  Own *own = data;
  gst_object_unref (own->pad);
  g_free (own->codec);
  g_free (own->caps);
  g_free (own);
}

static void
remote_free (gpointer data)
{
  Remote *remote = data;
  g_free (remote->failing);
  g_free (remote);
}

MeetingTracks *
meeting_tracks_new (
    ConclaveMeetingMedia *media, MeetingWarn warn, gpointer user)
{
  MeetingTracks *tracks = g_new0 (MeetingTracks, 1);

  tracks->media = media ? gst_object_ref (media) : NULL;
  tracks->warn = warn;
  tracks->user = user;
  tracks->own = g_ptr_array_new_with_free_func (own_free);
  tracks->remote = g_ptr_array_new_with_free_func (remote_free);
  tracks->way_at = NEVER;
  return tracks;
}

void
meeting_tracks_free (MeetingTracks *tracks)
{
  if (!tracks)
    return;
  g_ptr_array_unref (tracks->own);
  g_ptr_array_unref (tracks->remote);
  if (tracks->media)
    gst_object_unref (tracks->media);
  g_free (tracks);
}

const char *
meeting_keys_name (MeetingKeys keys)
{
  static const char *const names[] = { "none", "ready", "waiting", "failing" };
  return names[keys];
}

/* ---- Own tracks ---- */

static Own *
find_own (const MeetingTracks *tracks, GstPad *pad)
{
  for (guint i = 0; i < tracks->own->len; i++) {
    Own *own = g_ptr_array_index (tracks->own, i);
    if (own->pad == pad)
      return own;
  }
  return NULL;
}

static void
say_publish (Session *session, WireType type, guint32 number, MediaKind kind)
{
  WireMessage m = { .type = type };
  m.publish.track = number;
  m.publish.kind = kind;
  session_media (session, &m);
}

/* Takes back what was announced; the hub forgets the SSRCs. */
static void
withdraw (MeetingTracks *tracks, Session *session, Own *own)
{
  if (own->stage == OWN_LIVE)
    session_untrack (session, own->number);
  if (own->stage == OWN_LIVE || own->stage == OWN_ASKED)
    say_publish (session, WIRE_UNPUBLISH, own->number, own->kind);
  if (own->stage == OWN_LIVE)
    meeting_media_unpublish (tracks->media, own->pad);
  own->stage = OWN_WANTED;
}

static void
ask_to_publish (MeetingTracks *tracks, Session *session, Own *own, guint64 now)
{
  if (own->stage == OWN_WANTED) {
    tracks->next_number =
        MAX (tracks->next_number, session_free_track (session));
    own->number = tracks->next_number++;
    own->stage = OWN_ASKED;
  }
  own->ask_at = now + ANSWER_MS;
  say_publish (session, WIRE_PUBLISH, own->number, own->kind);
}

static void
take_published (MeetingTracks *tracks, Session *session, const WireMessage *m)
{
  Own *own = NULL;

  for (guint i = 0; i < tracks->own->len && !own; i++) {
    Own *candidate = g_ptr_array_index (tracks->own, i);
    if (candidate->stage == OWN_ASKED
        && candidate->number == m->published.track)
      own = candidate;
  }
  if (!own)
    return;
  Track track = { .number = own->number,
    .kind = own->kind,
    .ssrc = m->published.ssrc,
    .rtx = m->published.rtx,
    .codec = own->codec,
    .caps = own->caps };
  /* Before its key, which session_track() has follow. */
  meeting_media_publish (tracks->media, own->pad, own->number,
      (guint32) m->published.ssrc, (guint32) m->published.rtx);
  if (session_track (session, &track)) {
    own->stage = OWN_LIVE;
    own->ask_at = NEVER;
    return;
  }
  meeting_media_unpublish (tracks->media, own->pad);
  say_publish (session, WIRE_UNPUBLISH, own->number, own->kind);
  if (own->number < session_free_track (session)) {
    own->stage = OWN_WANTED; /* overtaken by another: with another number */
    return;
  }
  own->stage = OWN_REFUSED;
  own->ask_at = NEVER;
  g_autofree char *sentence = g_strdup_printf (
      "What comes in on %s is not sent: %s.", GST_OBJECT_NAME (own->pad),
      own->kind == MEDIA_SCREEN
          ? "this meeting does not let us share a screen"
          : "this role publishes nothing, or there are too many tracks");
  tracks->warn (tracks->user, sentence);
}

void
meeting_tracks_ready (MeetingTracks *tracks, GstPad *pad, MediaKind kind,
    const char *codec, const char *caps)
{
  if (find_own (tracks, pad))
    return;
  Own *own = g_new0 (Own, 1);
  own->pad = gst_object_ref (pad);
  own->kind = kind;
  own->codec = g_strdup (codec);
  own->caps = g_strdup (caps);
  g_ptr_array_add (tracks->own, own);
}

void
meeting_tracks_gone (MeetingTracks *tracks, Session *session, GstPad *pad)
{
  Own *own = find_own (tracks, pad);

  if (!own)
    return;
  withdraw (tracks, session, own);
  g_ptr_array_remove (tracks->own, own);
}

GPtrArray *
meeting_tracks_pads (const MeetingTracks *tracks, gboolean all, guint32 number)
{
  GPtrArray *pads = g_ptr_array_new_with_free_func (gst_object_unref);

  for (guint i = 0; i < tracks->own->len; i++) {
    Own *own = g_ptr_array_index (tracks->own, i);
    if (all || (own->stage == OWN_LIVE && own->number == number))
      g_ptr_array_add (pads, gst_object_ref (own->pad));
  }
  return pads;
}

/* ---- Others' tracks ---- */

static Remote *
find_remote (
    const MeetingTracks *tracks, const guint8 *identity, guint32 number)
{
  for (guint i = 0; i < tracks->remote->len; i++) {
    Remote *remote = g_ptr_array_index (tracks->remote, i);
    if (remote->number == number
        && memcmp (remote->identity, identity, IDENTITY_KEY_LEN) == 0)
      return remote;
  }
  return NULL;
}

static void
add_remote (MeetingTracks *tracks, const SessionEvent *event)
{
  const Track *track = &event->message.track;
  const SessionMember *member = &event->member;
  MeetingRemoteTrack told = { .leaf = member->leaf,
    .number = (guint32) track->number,
    .kind = track->kind,
    .ssrc = (guint32) track->ssrc,
    .rtx = (guint32) track->rtx,
    .codec = track->codec,
    .caps = track->caps,
    .name = member->name,
    .fingerprint = member->fingerprint };
  Remote *remote = g_new0 (Remote, 1);

  memcpy (told.identity, member->key, IDENTITY_KEY_LEN);
  memcpy (remote->identity, member->key, IDENTITY_KEY_LEN);
  remote->number = told.number;
  remote->ssrc = told.ssrc;
  g_ptr_array_add (tracks->remote, remote);
  meeting_media_add_remote (tracks->media, &told);
}

static void
say_ssrcs (Session *session, WireType type, guint32 *ssrcs, gsize count)
{
  WireMessage m = { .type = type };
  m.ssrcs.at = ssrcs;
  m.ssrcs.count = count;
  session_media (session, &m);
}

static void
drop_remote (MeetingTracks *tracks, Session *session, const guint8 *identity,
    guint32 number)
{
  Remote *remote = find_remote (tracks, identity, number);

  if (!remote)
    return;
  if (remote->subscribed)
    say_ssrcs (session, WIRE_UNSUBSCRIBE, &remote->ssrc, 1);
  meeting_media_remove_remote (tracks->media, identity, number);
  g_ptr_array_remove (tracks->remote, remote);
}

/* Packets come only after `resume`: none before its ROC is known. Both answers tell it. */
static void
take_subscribed (
    MeetingTracks *tracks, Session *session, const WireMessage *m)
{
  const StreamList *streams = &m->streams;
  guint32 ssrcs[WIRE_MAX_SSRCS];

  for (gsize i = 0; i < streams->count; i++)
    ssrcs[i] = streams->at[i].ssrc;
  for (gsize i = 0; i < streams->count; i++)
    meeting_media_set_roc (
        tracks->media, streams->at[i].ssrc, streams->at[i].roc);
  if (m->type == WIRE_SUBSCRIBED) {
    say_ssrcs (session, WIRE_RESUME, ssrcs, streams->count);
    return;
  }
  for (gsize i = 0; i < streams->count; i++) {
    const Stream *stream = &streams->at[i];
    for (guint k = 0; k < tracks->remote->len; k++) {
      Remote *remote = g_ptr_array_index (tracks->remote, k);
      if (remote->ssrc == stream->ssrc) {
        remote->subscribed = TRUE;
        remote->ask_at = NEVER;
      }
    }
  }
}

/* One message for all that is due. */
static void
subscribe (MeetingTracks *tracks, Session *session, guint64 now)
{
  guint32 ssrcs[WIRE_MAX_SSRCS];
  gsize count = 0;

  for (guint i = 0; i < tracks->remote->len && count < WIRE_MAX_SSRCS; i++) {
    Remote *remote = g_ptr_array_index (tracks->remote, i);
    if (remote->subscribed || now < remote->ask_at)
      continue;
    ssrcs[count++] = remote->ssrc;
    remote->ask_at = now + ANSWER_MS;
  }
  if (count > 0)
    say_ssrcs (session, WIRE_SUBSCRIBE, ssrcs, count);
}

void
meeting_tracks_hold (MeetingTracks *tracks, gboolean hold)
{
  tracks->hold = hold;
}

gboolean
meeting_tracks_set_key_state (MeetingTracks *tracks, const guint8 *identity,
    guint32 number, const char *failing)
{
  Remote *remote = find_remote (tracks, identity, number);

  if (!remote
      || (remote->heard == (failing == NULL)
          && g_strcmp0 (remote->failing, failing) == 0))
    return FALSE;
  g_free (remote->failing);
  remote->failing = g_strdup (failing);
  remote->heard = failing == NULL;
  return TRUE;
}

MeetingKeys
meeting_tracks_keys (const MeetingTracks *tracks, const guint8 *identity,
    guint *n_tracks, const char **why)
{
  MeetingKeys keys = MEETING_KEYS_NONE;

  *n_tracks = 0;
  if (why)
    *why = NULL;
  for (guint i = 0; i < tracks->remote->len; i++) {
    const Remote *remote = g_ptr_array_index (tracks->remote, i);
    if (memcmp (remote->identity, identity, IDENTITY_KEY_LEN) != 0)
      continue;
    (*n_tracks)++;
    MeetingKeys one = remote->failing ? MEETING_KEYS_FAILING
                      : remote->heard ? MEETING_KEYS_READY
                                      : MEETING_KEYS_WAITING;
    keys = MAX (keys, one);
    if (remote->failing && why)
      *why = remote->failing;
  }
  return keys;
}

/* The low bits of the epoch stand in the KID; the rest is that of the newest epoch with these bits that has been. */
void
meeting_tracks_heard (MeetingTracks *tracks, Session *session, guint64 kid)
{
  const Policy *policy = session_policy (session);

  if (!policy)
    return;
  guint64 epoch = session_epoch (session),
          epoch_mask = (G_GUINT64_CONSTANT (1) << policy->epoch_bits) - 1,
          leaf_mask = (G_GUINT64_CONSTANT (1) << policy->index_bits) - 1;
  guint64 back = (epoch - kid) & epoch_mask;
  if (back > epoch)
    return;
  session_heard (session, (guint32) (kid >> policy->epoch_bits & leaf_mask),
      (guint32) (kid >> (policy->epoch_bits + policy->index_bits)),
      epoch - back);
}

/* ---- The way to the hub ---- */

/* All that the hub gave out is gone, or will be. */
static void
forget_way (MeetingTracks *tracks, Session *session)
{
  for (guint i = 0; i < tracks->own->len; i++) {
    Own *own = g_ptr_array_index (tracks->own, i);
    withdraw (tracks, session, own);
    own->stage = OWN_WANTED;
  }
  for (guint i = 0; i < tracks->remote->len; i++) {
    Remote *remote = g_ptr_array_index (tracks->remote, i);
    remote->subscribed = FALSE;
    remote->ask_at = 0;
  }
  tracks->way = WAY_NONE;
}

void
meeting_tracks_connected (
    MeetingTracks *tracks, gboolean connected, guint64 now)
{
  tracks->connected = connected;
  if (connected) {
    tracks->retry = 0;
    return;
  }
  if (tracks->way != WAY_THERE)
    return;
  tracks->retry = tracks->retry == 0 ? RETRY_MIN_MS
                                     : MIN (2 * tracks->retry, RETRY_MAX_MS);
  tracks->way_at = now + tracks->retry;
}

static void
take_transport (MeetingTracks *tracks, const WireMessage *m)
{
  if (meeting_media_set_transport (tracks->media, m->transport.ufrag,
          m->transport.pwd, &m->transport.candidates, &m->transport.send_key,
          &m->transport.receive_key)) {
    tracks->way = WAY_THERE;
    tracks->way_at = NEVER;
    return;
  }
  GST_WARNING ("the hub's transport makes no sense");
}

static void
ask_for_way (MeetingTracks *tracks, Session *session, guint64 now)
{
  WireMessage m = { .type = WIRE_TRANSPORT };

  if (tracks->way == WAY_THERE)
    forget_way (tracks, session);
  tracks->way = WAY_ASKED;
  tracks->way_at = now + ANSWER_MS;
  tracks->connected = FALSE;
  tracks->n_transports++;
  session_media (session, &m);
}

/* ---- From the session ---- */

static void
take_media (MeetingTracks *tracks, Session *session, const WireMessage *m)
{
  switch (m->type) {
    case WIRE_TRANSPORT:
      take_transport (tracks, m);
      break;
    case WIRE_PUBLISHED:
      take_published (tracks, session, m);
      break;
    case WIRE_SUBSCRIBED:
    case WIRE_RESUMED:
      take_subscribed (tracks, session, m);
      break;
    default:
      break;
  }
}

static void
take_key (MeetingTracks *tracks, Session *session, const SessionEvent *event)
{
  const Policy *policy = session_policy (session);

  if (event->type == SESSION_EVENT_KEY_CLOSED) {
    meeting_media_close_key (tracks->media, event->key.kid);
    return;
  }
  if (!policy)
    return;
  SFrameSuite suite = (SFrameSuite) policy->sframe_suite;
  meeting_media_set_kid_layout (
      tracks->media, policy->epoch_bits, policy->index_bits);
  if (event->key.own)
    meeting_media_set_send_key (tracks->media, event->key.track,
        event->key.kid, suite, event->key.base_key);
  else
    meeting_media_open_key (tracks->media, event->key.leaf, event->key.track,
        event->key.kid, suite, event->key.base_key);
}

static void
show_recording (MeetingTracks *tracks, Session *session)
{
  gboolean on = FALSE;

  for (gsize i = 0; i < session_members (session) && !on; i++) {
    SessionMember member;
    on = session_member (session, i, &member)
         && member.recording == RECORDING_ON;
  }
  meeting_media_set_recording (tracks->media, on);
}

void
meeting_tracks_event (
    MeetingTracks *tracks, Session *session, const SessionEvent *event)
{
  const SessionMember *member = &event->member;
  const Policy *policy = session_policy (session);

  if (!tracks->media)
    return;
  switch (event->type) {
    case SESSION_EVENT_EPOCH:
      if (policy)
        meeting_media_set_kid_layout (
            tracks->media, policy->epoch_bits, policy->index_bits);
      break;
    case SESSION_EVENT_KEY_OPENED:
    case SESSION_EVENT_KEY_CLOSED:
      take_key (tracks, session, event);
      break;
    case SESSION_EVENT_TRACK:
      if (!member->self)
        add_remote (tracks, event);
      break;
    case SESSION_EVENT_TRACK_ENDED:
      drop_remote (tracks, session, member->key, event->track);
      break;
    case SESSION_EVENT_JOINED:
      if (!member->self)
        meeting_media_add_member (
            tracks->media, member->key, member->name, member->fingerprint);
      break;
    case SESSION_EVENT_LEFT:
      if (!member->self)
        meeting_media_remove_member (tracks->media, member->key);
      show_recording (tracks, session);
      break;
    case SESSION_EVENT_MESSAGE:
      if (event->message.type == MESSAGE_RECORDING)
        show_recording (tracks, session);
      break;
    case SESSION_EVENT_SILENCED:
      meeting_media_set_silenced (tracks->media, event->on);
      break;
    case SESSION_EVENT_MEDIA:
      take_media (tracks, session, &event->media);
      break;
    default:
      break;
  }
}

/* Back at the hub: whether it still knows what it gave us. */
static void
find_place (MeetingTracks *tracks, Session *session, guint64 now, guint64 peer,
    const guint8 *room)
{
  if (tracks->placed && peer == tracks->peer
      && memcmp (room, tracks->room, LIMIT_ROOM) == 0)
    return;
  forget_way (tracks, session);
  tracks->placed = TRUE;
  tracks->peer = peer;
  memcpy (tracks->room, room, LIMIT_ROOM);
  tracks->way_at = now;
}

void
meeting_tracks_turn (MeetingTracks *tracks, Session *session, guint64 now)
{
  guint64 peer;
  guint8 room[LIMIT_ROOM];

  if (!tracks->media)
    return;
  if (!session_policy (session) && tracks->placed) {
    /* In no group: who comes back is at another place. */
    tracks->placed = tracks->at_hub = FALSE;
    forget_way (tracks, session);
    tracks->way_at = NEVER;
    meeting_media_drop_transport (tracks->media);
    return;
  }
  tracks->at_hub = session_place (session, &peer, room);
  if (!tracks->at_hub)
    return;
  find_place (tracks, session, now, peer, room);
  if (now >= tracks->way_at)
    ask_for_way (tracks, session, now);
  if (tracks->way != WAY_THERE)
    return;
  for (guint i = 0; i < tracks->own->len; i++) {
    Own *own = g_ptr_array_index (tracks->own, i);
    if (own->stage == OWN_WANTED
        || (own->stage == OWN_ASKED && now >= own->ask_at))
      ask_to_publish (tracks, session, own, now);
  }
  if (!tracks->hold)
    subscribe (tracks, session, now);
}

guint64
meeting_tracks_deadline (const MeetingTracks *tracks)
{
  guint64 deadline = tracks->way_at;

  if (!tracks->placed || !tracks->at_hub)
    return NEVER;
  if (tracks->way != WAY_THERE)
    return deadline;
  for (guint i = 0; i < tracks->own->len; i++) {
    const Own *own = g_ptr_array_index (tracks->own, i);
    if (own->stage == OWN_ASKED)
      deadline = MIN (deadline, own->ask_at);
  }
  for (guint i = 0; i < tracks->remote->len && !tracks->hold; i++) {
    const Remote *remote = g_ptr_array_index (tracks->remote, i);
    if (!remote->subscribed)
      deadline = MIN (deadline, remote->ask_at);
  }
  return deadline;
}

MeetingTracksStats
meeting_tracks_stats (const MeetingTracks *tracks)
{
  MeetingTracksStats stats = { .connected = tracks->connected,
    .transports = tracks->n_transports,
    .own = tracks->own->len,
    .remote = tracks->remote->len };

  for (guint i = 0; i < tracks->own->len; i++)
    stats.own_live +=
        ((Own *) g_ptr_array_index (tracks->own, i))->stage == OWN_LIVE;
  for (guint i = 0; i < tracks->remote->len; i++)
    stats.remote_live +=
        ((Remote *) g_ptr_array_index (tracks->remote, i))->subscribed;
  return stats;
}

/* Media bins in one room of a real forwarder, with a stand-in for their sessions: whoever has a track publishes it at the hub,
 * and everybody else is told, gets the keys and subscribes. All of it on the test's thread, in hub_turn().
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>

#include "ext/hub/forwarder.h"
#include "ext/meeting/media.h"
#include "ext/session/media.h"

#define MAX_PEOPLE 6
#define MAX_TRACKS 16
#define PATIENCE 50 /* s, for what must come */
#define EPOCH_BITS 4
#define INDEX_BITS 10
#define SUITE SFRAME_AES_256_GCM_SHA512_128

typedef struct Room Room;

typedef struct
{
  GstPad *pad; /* a reference; NULL: free */
  guint32 number;
  MediaKind kind;
  char *codec, *caps;
  HubTrack *track;
  HubTrackSsrcs ssrcs;
  gboolean ended;
} Sent;

typedef struct
{
  Room *room;
  char name[16];
  guint8 identity[IDENTITY_KEY_LEN];
  guint32 leaf;
  GstElement *pipeline, *media;
  HubTransport *transport;
  Sent sent[MAX_TRACKS];
  guint n_sent;
  gboolean is_in;

  /* lock: what callbacks told */
  GMutex lock;
  GQueue ready;   /* Sent, without a number */
  GQueue gone;    /* GstPad */
  gint connected; /* atomic; -1: told that it is lost */
  char *why;
  guint64 heard[64];
  guint n_heard;
  guint n_failing, n_good;
  char *failing;
} Person;

struct Room
{
  HubForwarder *forwarder;
  HubRoom *hub_room;
  Person people[MAX_PEOPLE];
  guint n;
  guint epoch;
  Secret *base_key;
};

static inline void
room_event (const HubMediaEvent *event, void *data)
{
  Room *room = data;

  if (event->type != HUB_MEDIA_EVENT_SUBSCRIBED
      && event->type != HUB_MEDIA_EVENT_RESUMED)
    return;
  for (guint i = 0; i < room->n; i++) {
    Person *p = &room->people[i];
    if (p->transport != event->transport)
      continue;
    meeting_media_set_roc (
        CONCLAVE_MEETING_MEDIA (p->media), event->ssrc, event->roc);
    meeting_media_set_roc (
        CONCLAVE_MEETING_MEDIA (p->media), event->rtx_ssrc, event->rtx_roc);
    if (event->type == HUB_MEDIA_EVENT_SUBSCRIBED)
      hub_forwarder_resume (room->forwarder, event->transport, event->track);
  }
}

static inline void
room_open (Room *room)
{
  HubForwarderConfig config;
  HubRoomConfig hub_room = { .audio_level_id = MEDIA_AUDIO_LEVEL_ID,
    .twcc_id = MEDIA_TWCC_ID };
  char problem[HUB_MAX_PROBLEM] = "";

  memset (room, 0, sizeof *room);
  fail_unless (core_init ());
  hub_forwarder_config_init (&config);
  config.bind_address = "127.0.0.1";
  room->forwarder = hub_forwarder_new (&config, room_event, room, problem);
  fail_unless (room->forwarder != NULL, "%s", problem);
  room->hub_room = hub_forwarder_add_room (room->forwarder, &hub_room, NULL);
  room->base_key = secret_random (32);
}

static inline guint64
kid_of (Room *room, guint32 leaf, guint32 track)
{
  guint64 kid;
  fail_unless (
      sframe_mls_kid (room->epoch, EPOCH_BITS, leaf, INDEX_BITS, track, &kid));
  return kid;
}

/* ---- What callbacks tell ---- */

static inline void
on_ready (gpointer user, GstPad *pad, MediaKind kind, const char *codec,
    const char *caps)
{
  Person *p = user;
  Sent *sent = g_new0 (Sent, 1);
  sent->pad = gst_object_ref (pad);
  sent->kind = kind;
  sent->codec = g_strdup (codec);
  sent->caps = g_strdup (caps);
  g_mutex_lock (&p->lock);
  g_queue_push_tail (&p->ready, sent);
  g_mutex_unlock (&p->lock);
}

static inline void
on_gone (gpointer user, GstPad *pad)
{
  Person *p = user;
  g_mutex_lock (&p->lock);
  g_queue_push_tail (&p->gone, pad);
  g_mutex_unlock (&p->lock);
}

static inline void
on_transport (gpointer user, gboolean connected, const char *why)
{
  Person *p = user;
  g_mutex_lock (&p->lock);
  g_free (p->why);
  p->why = g_strdup (why);
  g_mutex_unlock (&p->lock);
  g_atomic_int_set (&p->connected, connected ? 1 : -1);
}

static inline void
on_heard (gpointer user, uint64_t kid)
{
  Person *p = user;
  g_mutex_lock (&p->lock);
  if (p->n_heard < G_N_ELEMENTS (p->heard))
    p->heard[p->n_heard++] = kid;
  g_mutex_unlock (&p->lock);
}

static inline void
on_key_state (gpointer user, const uint8_t *identity, uint32_t number,
    const char *failing)
{
  Person *p = user;
  g_mutex_lock (&p->lock);
  if (failing) {
    p->n_failing++;
    g_free (p->failing);
    p->failing = g_strdup (failing);
  } else
    p->n_good++;
  g_mutex_unlock (&p->lock);
}

/* ---- The stand-in for sessions ---- */

static inline void
send_key_to (Room *room, Person *to, Person *from, const Sent *sent)
{
  meeting_media_open_key (CONCLAVE_MEETING_MEDIA (to->media), from->leaf,
      sent->number, kid_of (room, from->leaf, sent->number), SUITE,
      room->base_key);
}

static inline void
tell_track (Room *room, Person *to, Person *from, const Sent *sent)
{
  MeetingRemoteTrack track = { .leaf = from->leaf,
    .number = sent->number,
    .kind = sent->kind,
    .ssrc = sent->ssrcs.ssrc,
    .rtx = sent->ssrcs.rtx_ssrc,
    .codec = sent->codec,
    .caps = sent->caps,
    .name = from->name,
    .fingerprint = from->name };
  memcpy (track.identity, from->identity, sizeof track.identity);
  meeting_media_add_remote (CONCLAVE_MEETING_MEDIA (to->media), &track);
  send_key_to (room, to, from, sent);
  g_assert_cmpint (hub_forwarder_subscribe (
                       room->forwarder, to->transport, sent->track, TRUE),
      ==, HUB_OK);
}

static inline void
publish_at_hub (Room *room, Person *p, Sent *sent)
{
  HubTrackConfig config = { .kind = sent->kind == MEDIA_AUDIO ? HUB_AUDIO
                                                              : HUB_VIDEO,
    .clock_rate =
        sent->kind == MEDIA_AUDIO ? MEDIA_AUDIO_CLOCK : MEDIA_VIDEO_CLOCK,
    .rtx_payload_type =
        sent->kind == MEDIA_AUDIO ? MEDIA_AUDIO_RTX_PT : MEDIA_VIDEO_RTX_PT };

  g_assert_cmpint (hub_forwarder_publish (room->forwarder, p->transport,
                       &config, NULL, &sent->track, &sent->ssrcs),
      ==, HUB_OK);
  meeting_media_publish (CONCLAVE_MEETING_MEDIA (p->media), sent->pad,
      sent->number, sent->ssrcs.ssrc, sent->ssrcs.rtx_ssrc);
  meeting_media_set_send_key (CONCLAVE_MEETING_MEDIA (p->media), sent->number,
      kid_of (room, p->leaf, sent->number), SUITE, room->base_key);
  for (guint i = 0; i < room->n; i++)
    if (room->people[i].is_in && &room->people[i] != p)
      tell_track (room, &room->people[i], p, sent);
}

static inline void
end_sent (Room *room, Person *p, Sent *sent)
{
  if (sent->ended)
    return;
  sent->ended = TRUE;
  hub_forwarder_unpublish (room->forwarder, sent->track);
  for (guint i = 0; i < room->n; i++)
    if (room->people[i].is_in && &room->people[i] != p)
      meeting_media_remove_remote (
          CONCLAVE_MEETING_MEDIA (room->people[i].media), p->identity,
          sent->number);
}

static inline void
take_ready (Room *room, Person *p)
{
  Sent *sent;
  GstPad *gone;

  for (;;) {
    g_mutex_lock (&p->lock);
    sent = p->is_in ? g_queue_pop_head (&p->ready) : NULL;
    gone = g_queue_pop_head (&p->gone);
    g_mutex_unlock (&p->lock);
    for (guint i = 0; gone && i < p->n_sent; i++)
      if (p->sent[i].pad == gone)
        end_sent (room, p, &p->sent[i]);
    if (sent) {
      fail_unless (p->n_sent < MAX_TRACKS);
      sent->number = p->n_sent;
      p->sent[p->n_sent] = *sent;
      g_free (sent);
      publish_at_hub (room, p, &p->sent[p->n_sent++]);
    }
    if (!sent && !gone)
      return;
  }
}

static inline void
room_turn (Room *room)
{
  hub_forwarder_dispatch (room->forwarder);
  for (guint i = 0; i < room->n; i++)
    if (room->people[i].media)
      take_ready (room, &room->people[i]);
  g_usleep (2000);
}

#define ROOM_WAIT(room, condition)                                            \
  G_STMT_START                                                                \
  {                                                                           \
    gint64 end__ = g_get_monotonic_time () + PATIENCE * G_USEC_PER_SEC;       \
    while (!(condition)) {                                                    \
      fail_unless (                                                           \
          g_get_monotonic_time () < end__, "not in time: %s", #condition);    \
      room_turn (room);                                                       \
    }                                                                         \
  }                                                                           \
  G_STMT_END

/* Lets time pass. */
static inline void
room_run (Room *room, guint ms)
{
  gint64 end = g_get_monotonic_time () + ms * G_GINT64_CONSTANT (1000);
  while (g_get_monotonic_time () < end)
    room_turn (room);
}

/* ---- People ---- */

/* A pipeline with a media bin "m" in it, and what `line` says besides; NULL for the bin alone. */
static inline Person *
room_add (Room *room, const char *name)
{
  static const MeetingMediaCallbacks callbacks = { on_ready, on_gone,
    on_transport, on_heard, on_key_state };
  Person *p = &room->people[room->n];

  p->room = room;
  g_strlcpy (p->name, name, sizeof p->name);
  p->leaf = room->n++;
  memset (p->identity, 'a' + (int) p->leaf, sizeof p->identity);
  g_mutex_init (&p->lock);
  g_queue_init (&p->ready);
  g_queue_init (&p->gone);
  p->pipeline = gst_pipeline_new (NULL);
  p->media = meeting_media_new (&callbacks, p);
  gst_object_set_name (GST_OBJECT (p->media), "m");
  /* For machines that have other things to do. */
  g_object_set (p->media, "latency", 800u, NULL);
  gst_bin_add (GST_BIN (p->pipeline), p->media);
  meeting_media_set_kid_layout (
      CONCLAVE_MEETING_MEDIA (p->media), EPOCH_BITS, INDEX_BITS);
  return p;
}

static inline void
give_transport (Room *room, Person *p)
{
  HubCredentials credentials;
  HubCandidate offered[2];
  char *texts[2] = { NULL, NULL };
  TextList candidates = { 0, texts };

  g_assert_cmpint (hub_forwarder_add_transport (room->forwarder,
                       room->hub_room, NULL, p, &p->transport, &credentials),
      ==, HUB_OK);
  candidates.count = hub_forwarder_candidates (
      room->forwarder, "127.0.0.1", offered, G_N_ELEMENTS (offered));
  for (gsize i = 0; i < candidates.count; i++)
    texts[i] = g_strdup_printf ("candidate:%s 1 udp %u %s %u typ host",
        offered[i].foundation, offered[i].priority, offered[i].address,
        offered[i].port);
  Blob send = { secret_bytes (credentials.to_hub), HUB_KEY_LEN };
  Blob receive = { secret_bytes (credentials.from_hub), HUB_KEY_LEN };
  fail_unless (meeting_media_set_transport (CONCLAVE_MEETING_MEDIA (p->media),
      credentials.ufrag, credentials.pwd, &candidates, &send, &receive));
  for (gsize i = 0; i < candidates.count; i++)
    g_free (texts[i]);
  hub_credentials_clear (&credentials);
}

static inline void
room_play (Person *p)
{
  fail_unless (gst_element_set_state (p->pipeline, GST_STATE_PLAYING)
               != GST_STATE_CHANGE_FAILURE);
}

/* Admitted: gets a transport, and hears of the tracks that are there. */
static inline void
room_admit (Room *room, Person *p)
{
  give_transport (room, p);
  p->is_in = TRUE;
  for (guint i = 0; i < room->n; i++) {
    Person *other = &room->people[i];
    if (other == p || !other->is_in)
      continue;
    meeting_media_add_member (CONCLAVE_MEETING_MEDIA (p->media),
        other->identity, other->name, other->name);
    meeting_media_add_member (
        CONCLAVE_MEETING_MEDIA (other->media), p->identity, p->name, p->name);
    for (guint k = 0; k < other->n_sent; k++)
      if (!other->sent[k].ended)
        tell_track (room, p, other, &other->sent[k]);
  }
}

/* Gone, as if it had crashed: the others are told. */
static inline void
room_leave (Room *room, Person *p)
{
  p->is_in = FALSE;
  for (guint i = 0; i < room->n; i++) {
    Person *other = &room->people[i];
    if (other == p || !other->is_in)
      continue;
    for (guint k = 0; k < p->n_sent; k++)
      if (!p->sent[k].ended)
        meeting_media_remove_remote (CONCLAVE_MEETING_MEDIA (other->media),
            p->identity, p->sent[k].number);
    meeting_media_remove_member (
        CONCLAVE_MEETING_MEDIA (other->media), p->identity);
  }
  if (p->transport)
    hub_forwarder_remove_transport (room->forwarder, p->transport);
  p->transport = NULL;
}

static inline void
person_clear (Person *p)
{
  Sent *sent;

  if (p->media)
    meeting_media_detach (CONCLAVE_MEETING_MEDIA (p->media));
  if (p->pipeline) {
    gst_element_set_state (p->pipeline, GST_STATE_NULL);
    gst_object_unref (p->pipeline);
  }
  p->pipeline = p->media = NULL;
  while ((sent = g_queue_pop_head (&p->ready))) {
    gst_object_unref (sent->pad);
    g_free (sent->codec);
    g_free (sent->caps);
    g_free (sent);
  }
  g_queue_clear (&p->gone);
  for (guint i = 0; i < p->n_sent; i++) {
    gst_object_unref (p->sent[i].pad);
    g_free (p->sent[i].codec);
    g_free (p->sent[i].caps);
  }
  p->n_sent = 0;
  g_free (p->why);
  g_free (p->failing);
  g_mutex_clear (&p->lock);
}

static inline void
room_close (Room *room)
{
  for (guint i = 0; i < room->n; i++)
    person_clear (&room->people[i]);
  hub_forwarder_free (room->forwarder);
  secret_unref (room->base_key);
}

/* Adds a launch line's bin to the pipeline and links its one source to `sink`. */
static inline void
person_link (Person *p, const char *line, GstPad *sink)
{
  g_autoptr (GError) error = NULL;
  GstElement *bin = gst_parse_bin_from_description (line, TRUE, &error);
  g_autoptr (GstPad) src = NULL;

  fail_unless (bin != NULL, "%s", error ? error->message : "");
  gst_bin_add (GST_BIN (p->pipeline), bin);
  src = gst_element_get_static_pad (bin, "src");
  fail_unless_equals_int (gst_pad_link (src, sink), GST_PAD_LINK_OK);
  gst_element_sync_state_with_parent (bin);
}

/* The same, to a new pad of the media bin. */
static inline GstPad *
person_send (Person *p, const char *line, const char *pad_name)
{
  GstPad *sink = gst_element_request_pad_simple (p->media, pad_name);
  fail_unless (sink != NULL);
  person_link (p, line, sink);
  return sink;
}

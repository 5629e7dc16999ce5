/* The media bin: pads, properties, states, messages, and the worker on which its structure changes. See mediaparts.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mediaparts.h"

#include <sodium.h>
#include <string.h>

GST_DEBUG_CATEGORY (meetingmedia_debug);
#define GST_CAT_DEFAULT meetingmedia_debug

#define DEFAULT_LATENCY 200
#define DEFAULT_VIDEO_CODEC "VP8"
#define DEFAULT_AUDIO_CODEC "OPUS"
#define DEFAULT_VIDEO_BITRATE 1000000

G_DEFINE_FINAL_TYPE (
    ConclaveMeetingMedia, conclave_meeting_media, GST_TYPE_BIN)

enum
{
  PROP_0,
  PROP_LATENCY,
  PROP_DECODE,
  PROP_VIDEO_CODEC,
  PROP_AUDIO_CODEC,
  PROP_VIDEO_BITRATE,
  PROP_PARTICIPANT_BIN,
  PROP_STUN_SERVER,
  PROP_TURN_SERVERS,
  PROP_STATS
};

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY);

/* ---- The worker ---- */

struct MeetingWorker
{
  gint refs; /* atomic: the bin's, and the thread's own */
  GAsyncQueue *tasks;
  GThread *thread;
};

typedef struct
{
  ConclaveMeetingMedia *media; /* a reference; NULL: the end of the thread */
  MeetingTask run;
  gpointer data;
  GDestroyNotify free;
} Task;

static void
worker_unref (MeetingWorker *worker)
{
  if (!g_atomic_int_dec_and_test (&worker->refs))
    return;
  g_async_queue_unref (worker->tasks);
  g_free (worker);
}

static gpointer
work (gpointer data)
{
  MeetingWorker *worker = data;

  for (;;) {
    Task *task = g_async_queue_pop (worker->tasks);
    gboolean end = task->media == NULL;
    if (!end) {
      task->run (task->media, task->data);
      if (task->free)
        task->free (task->data);
      gst_object_unref (
          task->media); /* perhaps the last one: then the end is queued */
    }
    g_free (task);
    if (end)
      break;
  }
  worker_unref (worker);
  return NULL;
}

static MeetingWorker *
worker_new (void)
{
  MeetingWorker *worker = g_new0 (MeetingWorker, 1);

  worker->refs = 2;
  worker->tasks = g_async_queue_new ();
  worker->thread = g_thread_new ("meeting-media", work, worker);
  return worker;
}

/* No task is left, since each holds a reference to the bin. */
static void
worker_end (MeetingWorker *worker)
{
  g_async_queue_push (worker->tasks, g_new0 (Task, 1));
  if (worker->thread == g_thread_self ())
    g_thread_unref (worker->thread);
  else
    g_thread_join (worker->thread);
  worker_unref (worker);
}

void
meeting_media_queue (ConclaveMeetingMedia *media, MeetingTask run,
    gpointer data, GDestroyNotify free)
{
  Task *task = g_new (Task, 1);
  *task = (Task){ gst_object_ref (media), run, data, free };
  g_async_queue_push (media->worker->tasks, task);
}

typedef struct
{
  MeetingTask run;
  gpointer data;
  GMutex lock;
  GCond done;
  gboolean is_done;
} Awaited;

static void
run_awaited (ConclaveMeetingMedia *media, gpointer data)
{
  Awaited *awaited = data;

  awaited->run (media, awaited->data);
  g_mutex_lock (&awaited->lock);
  awaited->is_done = TRUE;
  g_cond_signal (&awaited->done);
  g_mutex_unlock (&awaited->lock);
}

void
meeting_media_run (ConclaveMeetingMedia *media, MeetingTask run, gpointer data)
{
  if (media->worker->thread == g_thread_self ()) {
    run (media, data);
    return;
  }
  Awaited awaited = { .run = run, .data = data };
  g_mutex_init (&awaited.lock);
  g_cond_init (&awaited.done);
  meeting_media_queue (media, run_awaited, &awaited, NULL);
  g_mutex_lock (&awaited.lock);
  while (!awaited.is_done)
    g_cond_wait (&awaited.done, &awaited.lock);
  g_mutex_unlock (&awaited.lock);
  g_mutex_clear (&awaited.lock);
  g_cond_clear (&awaited.done);
}

/* ---- Callbacks ---- */

static gboolean
begin_call (
    ConclaveMeetingMedia *media, MeetingMediaCallbacks *out, gpointer *user)
{
  g_mutex_lock (&media->callback_lock);
  gboolean attached = media->attached;
  if (attached)
    media->n_calling++;
  *out = media->callbacks;
  *user = media->user;
  g_mutex_unlock (&media->callback_lock);
  return attached;
}

static void
end_call (ConclaveMeetingMedia *media)
{
  g_mutex_lock (&media->callback_lock);
  if (--media->n_calling == 0)
    g_cond_broadcast (&media->callback_done);
  g_mutex_unlock (&media->callback_lock);
}

void
meeting_media_detach (ConclaveMeetingMedia *media)
{
  g_mutex_lock (&media->callback_lock);
  media->attached = FALSE;
  while (media->n_calling > 0)
    g_cond_wait (&media->callback_done, &media->callback_lock);
  g_mutex_unlock (&media->callback_lock);
}

void
meeting_media_tell_track_ready (ConclaveMeetingMedia *media, GstPad *pad,
    MediaKind kind, const char *codec, const char *caps)
{
  MeetingMediaCallbacks callbacks;
  gpointer user;

  if (!begin_call (media, &callbacks, &user))
    return;
  if (callbacks.track_ready)
    callbacks.track_ready (user, pad, kind, codec, caps);
  end_call (media);
}

void
meeting_media_tell_track_gone (ConclaveMeetingMedia *media, GstPad *pad)
{
  MeetingMediaCallbacks callbacks;
  gpointer user;

  if (!begin_call (media, &callbacks, &user))
    return;
  if (callbacks.track_gone)
    callbacks.track_gone (user, pad);
  end_call (media);
}

void
meeting_media_tell_transport (
    ConclaveMeetingMedia *media, gboolean connected, const char *why)
{
  MeetingMediaCallbacks callbacks;
  gpointer user;

  if (!begin_call (media, &callbacks, &user))
    return;
  if (callbacks.transport)
    callbacks.transport (user, connected, why);
  end_call (media);
}

void
meeting_media_tell_heard (ConclaveMeetingMedia *media, guint64 kid)
{
  MeetingMediaCallbacks callbacks;
  gpointer user;

  if (!begin_call (media, &callbacks, &user))
    return;
  if (callbacks.heard)
    callbacks.heard (user, kid);
  end_call (media);
}

void
meeting_media_tell_key_state (ConclaveMeetingMedia *media,
    const uint8_t *identity, guint32 number, const char *failing)
{
  MeetingMediaCallbacks callbacks;
  gpointer user;

  if (!begin_call (media, &callbacks, &user))
    return;
  if (callbacks.key_state)
    callbacks.key_state (user, identity, number, failing);
  end_call (media);
}

/* ---- Helpers ---- */

/* Where the elements are found that are not everywhere. */
static const struct
{
  const char *factory, *where;
} homes[] = {
  { "sframeenc", "gst-conclave's plugin sframe" },
  { "sframedec", "gst-conclave's plugin sframe" },
  { "rtpsframepay", "gst-conclave's plugin rtpsframe" },
  { "rtpsframedepay", "gst-conclave's plugin rtpsframe" },
  { "srtpprotect", "gst-conclave's plugin conclavesrtp" },
  { "srtpunprotect", "gst-conclave's plugin conclavesrtp" },
  { "icetransport", "gst-conclave's plugin conclaveice" },
  { "rtpbin", "GStreamer's plugin rtpmanager (gstreamer1.0-plugins-good)" },
  { "rtpfunnel", "GStreamer's plugin rtpmanager (gstreamer1.0-plugins-good)" },
  { "rtprtxsend",
      "GStreamer's plugin rtpmanager (gstreamer1.0-plugins-good)" },
  { "rtprtxreceive",
      "GStreamer's plugin rtpmanager (gstreamer1.0-plugins-good)" },
  { "compositor",
      "GStreamer's plugin compositor (gstreamer1.0-plugins-base)" },
  { "audiomixer",
      "GStreamer's plugin audiomixer (gstreamer1.0-plugins-base)" },
};

GstElement *
meeting_media_make (
    ConclaveMeetingMedia *media, const char *factory, const char *name)
{
  GstElement *element = gst_element_factory_make (factory, name);
  const char *where = "one of GStreamer's plugins";

  if (element)
    return element;
  for (guint i = 0; i < G_N_ELEMENTS (homes); i++)
    if (g_str_equal (homes[i].factory, factory))
      where = homes[i].where;
  GST_ELEMENT_ERROR (media, CORE, MISSING_PLUGIN,
      ("There is no element \"%s\", which meetings need: install %s, or add its folder to GST_PLUGIN_PATH.",
          factory, where),
      (NULL));
  return NULL;
}

GBytes *
meeting_secret_bytes (const void *data, gsize len)
{
  void *copy = sodium_malloc (len);
  if (!copy)
    return NULL;
  memcpy (copy, data, len);
  sodium_mprotect_readonly (copy);
  return g_bytes_new_with_free_func (copy, len, sodium_free, copy);
}

/* ---- Pads ---- */

static GstPad *
conclave_meeting_media_request_new_pad (GstElement *element,
    GstPadTemplate *template, const gchar *name, const GstCaps *caps)
{
  ConclaveMeetingMedia *self = CONCLAVE_MEETING_MEDIA (element);
  const gchar *kind = GST_PAD_TEMPLATE_NAME_TEMPLATE (template);

  if (g_str_equal (kind, "sink_%u"))
    return meeting_publish_request (self, template, name);
  return meeting_mix_request (self, template);
}

static void
conclave_meeting_media_release_pad (GstElement *element, GstPad *pad)
{
  ConclaveMeetingMedia *self = CONCLAVE_MEETING_MEDIA (element);

  /* The element lets go of its pads at its very end: nothing is left to take down. */
  if (self->is_disposed)
    gst_element_remove_pad (element, pad);
  else if (CONCLAVE_IS_MEETING_SINK_PAD (pad))
    meeting_publish_release (self, pad);
  else
    meeting_mix_release (self, pad);
}

/* Lets data of an unlinked ghost pad go nowhere instead of stopping what pushes it; and that of one whose reader is not
 * started yet, or stopped already, for nobody would start the pushing thread again. */
static GstFlowReturn
forgive (GstPad *pad, GstFlowReturn flow)
{
  if (flow == GST_FLOW_NOT_LINKED
      || (flow == GST_FLOW_FLUSHING && !GST_PAD_IS_FLUSHING (pad)))
    return GST_FLOW_OK;
  return flow;
}

static GstFlowReturn
chain_or_drop (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  return forgive (pad, gst_proxy_pad_chain_default (pad, parent, buffer));
}

static GstFlowReturn
chain_list_or_drop (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  return forgive (pad, gst_proxy_pad_chain_list_default (pad, parent, list));
}

static void
ask_for_keyframe (GstPad *ghost, GstPad *peer, gpointer unused)
{
  g_autoptr (GstPad) target = gst_ghost_pad_get_target (GST_GHOST_PAD (ghost));
  if (target)
    gst_pad_send_event (target, gst_video_event_new_upstream_force_key_unit (
                                    GST_CLOCK_TIME_NONE, TRUE, 0));
}

void
meeting_ghost_may_be_unlinked (GstPad *ghost)
{
  g_autoptr (GstProxyPad) inner =
      gst_proxy_pad_get_internal (GST_PROXY_PAD (ghost));

  gst_pad_set_chain_function (GST_PAD (inner), chain_or_drop);
  gst_pad_set_chain_list_function (GST_PAD (inner), chain_list_or_drop);
  g_signal_connect (ghost, "linked", G_CALLBACK (ask_for_keyframe), NULL);
}

void
meeting_media_push_eos (ConclaveMeetingMedia *self, GstEvent *eos)
{
  GList *ghosts = NULL;

  g_atomic_int_set (&self->ended, 1);
  meeting_receive_end (self);
  GST_OBJECT_LOCK (self);
  for (GList *l = GST_ELEMENT (self)->srcpads; l; l = l->next)
    ghosts = g_list_prepend (ghosts, gst_object_ref (l->data));
  GST_OBJECT_UNLOCK (self);
  for (GList *l = ghosts; l; l = l->next) {
    g_autoptr (GstPad) target = gst_ghost_pad_get_target (l->data);
    if (target)
      gst_pad_push_event (target, gst_event_ref (eos));
  }
  g_list_free_full (ghosts, gst_object_unref);
  gst_event_unref (eos);
}

static gboolean
conclave_meeting_media_send_event (GstElement *element, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    return GST_ELEMENT_CLASS (conclave_meeting_media_parent_class)
        ->send_event (element, event);
  /* GstBin's way deadlocks with live mixers: it pushes into their sink pads. */
  meeting_media_push_eos (CONCLAVE_MEETING_MEDIA (element), event);
  return TRUE;
}

/* ---- States and messages ---- */

static void
build_hop (ConclaveMeetingMedia *self, gpointer result)
{
  *(gboolean *) result = meeting_hop_build (self);
}

/* What a session left behind. */
static void
reset (ConclaveMeetingMedia *self, gpointer unused)
{
  meeting_hop_drop_transport (self);
  meeting_receive_reset (self);
  meeting_publish_reset (self);
  meeting_mix_reset (self);
}

static GstStateChangeReturn
conclave_meeting_media_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveMeetingMedia *self = CONCLAVE_MEETING_MEDIA (element);
  gboolean built = TRUE;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY) {
    meeting_media_run (self, build_hop, &built);
    if (!built || !meeting_participant_check (self))
      return GST_STATE_CHANGE_FAILURE;
  }
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
    g_atomic_int_set (&self->ended, 0);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    meeting_receive_stop (self);
  GstStateChangeReturn result =
      GST_ELEMENT_CLASS (conclave_meeting_media_parent_class)
          ->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    meeting_media_run (self, reset, NULL);
  if (result != GST_STATE_CHANGE_FAILURE
      && (transition == GST_STATE_CHANGE_READY_TO_PAUSED
          || transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED))
    return GST_STATE_CHANGE_NO_PREROLL;
  return result;
}

static void
conclave_meeting_media_handle_message (GstBin *bin, GstMessage *message)
{
  ConclaveMeetingMedia *self = CONCLAVE_MEETING_MEDIA (bin);

  /* Nothing inside is a sink of the pipeline: its EOS is none. Nor does it preroll. */
  if (meeting_hop_take_message (self, message)
      || meeting_receive_take_message (self, message)
      || GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS) {
    gst_message_unref (message);
    return;
  }
  /* Behind EOS a mixer takes a sticky event that it can't pass on for an error, and stops its sources with it. */
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR
      && g_atomic_int_get (&self->ended)) {
    GST_INFO_OBJECT (self, "an error after the end: %" GST_PTR_FORMAT, message);
    gst_message_unref (message);
    return;
  }
  GST_BIN_CLASS (conclave_meeting_media_parent_class)
      ->handle_message (bin, message);
}

/* ---- Object ---- */

static void
conclave_meeting_media_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveMeetingMedia *self = CONCLAVE_MEETING_MEDIA (object);
  char **text = NULL, *old = NULL;

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_LATENCY:
      self->latency = g_value_get_uint (value);
      break;
    case PROP_DECODE:
      self->decode = g_value_get_boolean (value);
      break;
    case PROP_VIDEO_CODEC:
      text = &self->video_codec;
      break;
    case PROP_AUDIO_CODEC:
      text = &self->audio_codec;
      break;
    case PROP_VIDEO_BITRATE:
      self->video_bitrate = g_value_get_uint (value);
      break;
    case PROP_PARTICIPANT_BIN:
      text = &self->participant_bin;
      break;
    case PROP_STUN_SERVER:
      text = &self->stun_server;
      break;
    case PROP_TURN_SERVERS:
      text = &self->turn_servers;
      break;
    default:
      break;
  }
  if (text) {
    old = *text;
    *text = g_value_dup_string (value);
  }
  GST_OBJECT_UNLOCK (self);
  if (old && id == PROP_TURN_SERVERS)
    sodium_memzero (old, strlen (old)); /* passwords stand in it */
  g_free (old);
}

static GstStructure *
make_stats (ConclaveMeetingMedia *self)
{
  GstElement *const parts[] = { self->hop.protect, self->hop.unprotect };
  static const char *const names[] = { "sent", "received" };
  guint repaired = 0;

  guint64 n_unexpected = meeting_expected_get_refused (self->expected);
  if (self->hop.rtx_receive)
    g_object_get (
        self->hop.rtx_receive, "num-rtx-assoc-packets", &repaired, NULL);
  GstStructure *stats =
      gst_structure_new ("application/x-meeting-media-stats", "connected",
          G_TYPE_BOOLEAN, g_atomic_int_get (&self->hop.connected) != 0,
          "unexpected", G_TYPE_UINT64, n_unexpected, "retransmitted",
          G_TYPE_UINT, repaired, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autoptr (GstStructure) part = NULL;
    if (parts[i])
      g_object_get (parts[i], "stats", &part, NULL);
    if (part)
      gst_structure_set (stats, names[i], GST_TYPE_STRUCTURE, part, NULL);
  }
  return stats;
}

static void
conclave_meeting_media_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveMeetingMedia *self = CONCLAVE_MEETING_MEDIA (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_LATENCY:
      g_value_set_uint (value, self->latency);
      break;
    case PROP_DECODE:
      g_value_set_boolean (value, self->decode);
      break;
    case PROP_VIDEO_CODEC:
      g_value_set_string (value, self->video_codec);
      break;
    case PROP_AUDIO_CODEC:
      g_value_set_string (value, self->audio_codec);
      break;
    case PROP_VIDEO_BITRATE:
      g_value_set_uint (value, self->video_bitrate);
      break;
    case PROP_PARTICIPANT_BIN:
      g_value_set_string (value, self->participant_bin);
      break;
    case PROP_STUN_SERVER:
      g_value_set_string (value, self->stun_server);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_meeting_media_dispose (GObject *object)
{
  ConclaveMeetingMedia *self = CONCLAVE_MEETING_MEDIA (object);

  self->is_disposed = TRUE;
  meeting_media_detach (self);
  meeting_receive_dispose (self);
  meeting_publish_dispose (self);
  meeting_mix_dispose (self);
  meeting_hop_dispose (self);
  G_OBJECT_CLASS (conclave_meeting_media_parent_class)->dispose (object);
}

static void
conclave_meeting_media_finalize (GObject *object)
{
  ConclaveMeetingMedia *self = CONCLAVE_MEETING_MEDIA (object);

  worker_end (self->worker);
  meeting_expected_free (self->expected);
  g_hash_table_unref (self->own_keys);
  g_free (self->video_codec);
  g_free (self->audio_codec);
  g_free (self->participant_bin);
  g_free (self->stun_server);
  if (self->turn_servers)
    sodium_memzero (self->turn_servers, strlen (self->turn_servers));
  g_free (self->turn_servers);
  g_mutex_clear (&self->callback_lock);
  g_cond_clear (&self->callback_done);
  g_mutex_clear (&self->finished_lock);
  g_cond_clear (&self->finished);
  G_OBJECT_CLASS (conclave_meeting_media_parent_class)->finalize (object);
}

static void
conclave_meeting_media_init (ConclaveMeetingMedia *self)
{
  self->latency = DEFAULT_LATENCY;
  self->video_codec = g_strdup (DEFAULT_VIDEO_CODEC);
  self->audio_codec = g_strdup (DEFAULT_AUDIO_CODEC);
  self->video_bitrate = DEFAULT_VIDEO_BITRATE;
  g_mutex_init (&self->callback_lock);
  g_cond_init (&self->callback_done);
  g_mutex_init (&self->finished_lock);
  g_cond_init (&self->finished);
  self->expected = meeting_expected_new ();
  self->own_keys = meeting_publish_make_own_keys ();
  self->worker = worker_new ();
  /* What is inside never changes how the pipeline treats the bin. */
  gst_bin_set_suppressed_flags (
      GST_BIN (self), GST_ELEMENT_FLAG_SINK | GST_ELEMENT_FLAG_SOURCE);
  GST_OBJECT_FLAG_SET (self, GST_ELEMENT_FLAG_SOURCE);
}

static void
install_properties (GObjectClass *klass)
{
  const GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  g_object_class_install_property (klass, PROP_LATENCY,
      g_param_spec_uint ("latency", "Latency",
          "How long received packets wait for those that are late, in ms", 0,
          G_MAXUINT / 2, DEFAULT_LATENCY, ready));
  g_object_class_install_property (klass, PROP_DECODE,
      g_param_spec_boolean ("decode", "Decode",
          "Give out raw media on src pads instead of encoded", FALSE, ready));
  g_object_class_install_property (klass, PROP_VIDEO_CODEC,
      g_param_spec_string ("video-codec", "Video codec",
          "Codec for raw video: VP8, VP9, H264 or H265", DEFAULT_VIDEO_CODEC,
          ready));
  g_object_class_install_property (klass, PROP_AUDIO_CODEC,
      g_param_spec_string ("audio-codec", "Audio codec",
          "Codec for raw audio: OPUS", DEFAULT_AUDIO_CODEC, ready));
  g_object_class_install_property (klass, PROP_VIDEO_BITRATE,
      g_param_spec_uint ("video-bitrate", "Video bitrate",
          "For raw video, in bit/s", 10000, 100000000, DEFAULT_VIDEO_BITRATE,
          ready));
  g_object_class_install_property (klass, PROP_PARTICIPANT_BIN,
      g_param_spec_string ("participant-bin", "Participant bin",
          "Launch line of a bin that is made for each remote track; {participant}, {track} and {kind} are filled in",
          NULL, ready));
  g_object_class_install_property (klass, PROP_STUN_SERVER,
      g_param_spec_string (
          "stun-server", "STUN server", "stun://host:port", NULL, ready));
  g_object_class_install_property (klass, PROP_TURN_SERVERS,
      g_param_spec_string ("turn-servers", "TURN servers",
          "turn://user:password@host:port, divided by commas", NULL,
          G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_READY));
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics", "Of all that moves here",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
add_mix_template (GstElementClass *klass, const char *name)
{
  g_autoptr (GstCaps) caps =
      meeting_mix_template_caps (g_str_equal (name, "video_mix"));
  gst_element_class_add_pad_template (
      klass, gst_pad_template_new (name, GST_PAD_SRC, GST_PAD_REQUEST, caps));
}

static void
conclave_meeting_media_class_init (ConclaveMeetingMediaClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (
      meetingmedia_debug, "meetingmedia", 0, "Media of a meeting");

  object_class->set_property = conclave_meeting_media_set_property;
  object_class->get_property = conclave_meeting_media_get_property;
  object_class->dispose = conclave_meeting_media_dispose;
  object_class->finalize = conclave_meeting_media_finalize;
  install_properties (object_class);

  element_class->request_new_pad = conclave_meeting_media_request_new_pad;
  element_class->release_pad = conclave_meeting_media_release_pad;
  element_class->send_event = conclave_meeting_media_send_event;
  element_class->change_state = conclave_meeting_media_change_state;
  GST_BIN_CLASS (klass)->handle_message =
      conclave_meeting_media_handle_message;

  g_autoptr (GstCaps) caps = meeting_publish_template_caps ();
  gst_element_class_add_pad_template (element_class,
      gst_pad_template_new_with_gtype ("sink_%u", GST_PAD_SINK,
          GST_PAD_REQUEST, caps, CONCLAVE_TYPE_MEETING_SINK_PAD));
  gst_element_class_add_static_pad_template (element_class, &src_template);
  add_mix_template (element_class, "audio_mix");
  add_mix_template (element_class, "video_mix");
  gst_element_class_set_static_metadata (element_class, "Media of a meeting",
      "Bin/Network", "What meetingjoin sends and receives", "gst-conclave");
}

GstElement *
meeting_media_new (const MeetingMediaCallbacks *callbacks, gpointer user)
{
  ConclaveMeetingMedia *self =
      g_object_new (CONCLAVE_TYPE_MEETING_MEDIA, NULL);

  self->callbacks = *callbacks;
  self->user = user;
  self->attached = TRUE;
  return GST_ELEMENT (self);
}

void
meeting_media_set_kid_layout (
    ConclaveMeetingMedia *self, unsigned epoch_bits, unsigned index_bits)
{
  GST_OBJECT_LOCK (self);
  self->epoch_bits = epoch_bits;
  self->index_bits = index_bits;
  GST_OBJECT_UNLOCK (self);
}

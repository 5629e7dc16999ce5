/**
 * SECTION:element-meetingjoin
 * @title: meetingjoin
 *
 * A meeting, as one bin: what is linked to its sink pads is sent to the others, encrypted end to end; what they send comes out
 * of its source pads, a pad a track, or mixed, of audio_mix and video_mix. It joins when it goes to PAUSED, on a thread of its
 * own, however long a person takes to let it in, and leaves when it goes to READY. What happens is told by signals and, for
 * gst-launch-1.0 -m, by element messages; who is not let in gets an error with the reason.
 *
 * ## Threads
 * `conclave-session` talks to the hub and owns the session; it emits signals and posts messages, with no lock held. A handler
 * must not wait for a state change of this element: that one waits for the thread, up to a second, so that the others hear
 * that we leave. Actions and properties may be used from any thread, in handlers too; actions return at once.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -m meetingjoin name=m role=host uri=meet://127.0.0.1:8443/standup hub-certificate=hub.pem
 *     password-location=pw admission=password display-name=Host videotestsrc is-live=true ! m.
 *     audiotestsrc is-live=true wave=ticks ! m.   m.video_mix ! videoconvert ! autovideosink
 * ]|
 * Opens a meeting, and lets in who knows the password.
 *
 * Since: 0.1
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "joinpriv.h"
#include "mediaparts.h"

GST_DEBUG_CATEGORY (meetingjoin_debug);
#define GST_CAT_DEFAULT meetingjoin_debug

#define LEAVE_MS 1000 /* for the others to hear that we go */

G_DEFINE_FINAL_TYPE (ConclaveMeetingJoin, conclave_meeting_join, GST_TYPE_BIN)
GST_ELEMENT_REGISTER_DEFINE (
    meetingjoin, "meetingjoin", GST_RANK_NONE, CONCLAVE_TYPE_MEETING_JOIN)

/* ---- Sink pads: what the media bin's have, from outside, and `muted` ---- */

#define CONCLAVE_TYPE_MEETING_JOIN_PAD (conclave_meeting_join_pad_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveMeetingJoinPad, conclave_meeting_join_pad,
    CONCLAVE, MEETING_JOIN_PAD, GstGhostPad)

struct _ConclaveMeetingJoinPad
{
  GstGhostPad parent;

  gboolean muted; /* object lock */
};

G_DEFINE_FINAL_TYPE (
    ConclaveMeetingJoinPad, conclave_meeting_join_pad, GST_TYPE_GHOST_PAD)

enum
{
  PAD_PROP_0,
  PAD_PROP_KIND,
  PAD_PROP_MUTED
};

static void
set_muted (ConclaveMeetingJoinPad *self, gboolean muted)
{
  g_autoptr (GstPad) inner = gst_ghost_pad_get_target (GST_GHOST_PAD (self));
  g_autoptr (GstElement) media =
      inner ? gst_pad_get_parent_element (inner) : NULL;

  GST_OBJECT_LOCK (self);
  self->muted = muted;
  GST_OBJECT_UNLOCK (self);
  if (media)
    meeting_media_set_muted (CONCLAVE_MEETING_MEDIA (media), inner, muted);
}

static void
conclave_meeting_join_pad_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  g_autoptr (GstPad) inner = gst_ghost_pad_get_target (GST_GHOST_PAD (object));

  if (id == PAD_PROP_MUTED)
    set_muted (
        CONCLAVE_MEETING_JOIN_PAD (object), g_value_get_boolean (value));
  else if (inner)
    g_object_set_property (G_OBJECT (inner), pspec->name, value);
}

static void
conclave_meeting_join_pad_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveMeetingJoinPad *self = CONCLAVE_MEETING_JOIN_PAD (object);
  g_autoptr (GstPad) inner = gst_ghost_pad_get_target (GST_GHOST_PAD (object));

  if (id == PAD_PROP_MUTED) {
    GST_OBJECT_LOCK (self);
    g_value_set_boolean (value, self->muted);
    GST_OBJECT_UNLOCK (self);
  } else if (inner) {
    g_object_get_property (G_OBJECT (inner), pspec->name, value);
  }
}

static void
conclave_meeting_join_pad_init (ConclaveMeetingJoinPad *self)
{
}

static void
conclave_meeting_join_pad_class_init (ConclaveMeetingJoinPadClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = conclave_meeting_join_pad_set_property;
  object_class->get_property = conclave_meeting_join_pad_get_property;
  g_object_class_install_property (object_class, PAD_PROP_KIND,
      g_param_spec_enum ("kind", "Kind",
          "What the video shows; a screen may need the host's leave. Set before media arrives",
          conclave_meeting_source_kind_get_type (), 0,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  g_object_class_install_property (object_class, PAD_PROP_MUTED,
      g_param_spec_boolean ("muted", "Muted",
          "Whether nothing of this is sent; an admin's request sets it, too",
          FALSE,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_PLAYING));
}

/* ---- Pads ---- */

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY);

static GList *
copy_pads (ConclaveMeetingJoin *self)
{
  GST_OBJECT_LOCK (self);
  GList *pads = g_list_copy (GST_ELEMENT (self)->pads);
  for (GList *l = pads; l; l = l->next)
    gst_object_ref (l->data);
  GST_OBJECT_UNLOCK (self);
  return pads;
}

/* The pad outside whose target is `inner`; a reference. */
static GstPad *
find_outer (ConclaveMeetingJoin *self, GstPad *inner)
{
  GList *pads = copy_pads (self);
  GstPad *found = NULL;

  for (GList *l = pads; l && !found; l = l->next) {
    g_autoptr (GstPad) target = gst_ghost_pad_get_target (l->data);
    if (target == inner)
      found = gst_object_ref (l->data);
  }
  g_list_free_full (pads, gst_object_unref);
  return found;
}

void
meeting_join_mute (ConclaveMeetingJoin *self, GstPad *inner, gboolean muted)
{
  g_autoptr (GstPad) outer = find_outer (self, inner);

  if (outer && CONCLAVE_IS_MEETING_JOIN_PAD (outer))
    g_object_set (outer, "muted", muted, NULL);
}

static void
media_pad_added (GstElement *media, GstPad *inner, ConclaveMeetingJoin *self)
{
  GstElementClass *klass = GST_ELEMENT_GET_CLASS (self);

  /* Request pads are made in request_new_pad(). */
  if (!GST_PAD_IS_SRC (inner)
      || GST_PAD_TEMPLATE_PRESENCE (GST_PAD_PAD_TEMPLATE (inner))
             != GST_PAD_SOMETIMES)
    return;
  GstPad *outer = gst_ghost_pad_new_from_template (GST_PAD_NAME (inner), inner,
      gst_element_class_get_pad_template (klass, "src_%u"));
  meeting_ghost_may_be_unlinked (outer);
  gst_pad_set_active (outer, TRUE);
  gst_element_add_pad (GST_ELEMENT (self), outer);
}

static void
media_pad_removed (GstElement *media, GstPad *inner, ConclaveMeetingJoin *self)
{
  GList *pads = copy_pads (self);

  /* Its target may be unset by now; names are not used twice. */
  for (GList *l = pads; l; l = l->next)
    if (GST_PAD_IS_SRC (l->data) && GST_PAD_IS_SRC (inner)
        && g_str_equal (GST_PAD_NAME (l->data), GST_PAD_NAME (inner))) {
      gst_pad_set_active (l->data, FALSE);
      gst_element_remove_pad (GST_ELEMENT (self), l->data);
    }
  g_list_free_full (pads, gst_object_unref);
}

static GstPad *
conclave_meeting_join_request_new_pad (GstElement *element,
    GstPadTemplate *template, const gchar *name, const GstCaps *caps)
{
  ConclaveMeetingJoin *self = CONCLAVE_MEETING_JOIN (element);
  const char *pattern = GST_PAD_TEMPLATE_NAME_TEMPLATE (template);
  gboolean is_sink = GST_PAD_TEMPLATE_DIRECTION (template) == GST_PAD_SINK;
  GstElementClass *media_class = GST_ELEMENT_GET_CLASS (self->media);

  GST_OBJECT_LOCK (self);
  MeetingRole role = self->role;
  GST_OBJECT_UNLOCK (self);
  if (is_sink && role != MEETING_ROLE_HOST
      && role != MEETING_ROLE_PARTICIPANT) {
    GST_ELEMENT_WARNING (self, STREAM, FAILED,
        ("A listener or recorder sends nothing: link nothing to %s, or set role=participant before.",
            GST_OBJECT_NAME (self)),
        (NULL));
    return NULL;
  }
  GstPad *inner = gst_element_request_pad (GST_ELEMENT (self->media),
      gst_element_class_get_pad_template (media_class, pattern), name, caps);
  if (!inner)
    return NULL;
  GstPad *outer = is_sink ? g_object_new (CONCLAVE_TYPE_MEETING_JOIN_PAD,
                      "name", GST_PAD_NAME (inner), "direction", GST_PAD_SINK,
                      "template", template, NULL)
                          : gst_ghost_pad_new_from_template (
                              GST_PAD_NAME (inner), inner, template);
  if (is_sink)
    gst_ghost_pad_set_target (GST_GHOST_PAD (outer), inner);
  else
    meeting_ghost_may_be_unlinked (outer);
  gst_object_unref (inner);
  gst_pad_set_active (outer, TRUE);
  gst_element_add_pad (element, outer);
  return outer;
}

static void
conclave_meeting_join_release_pad (GstElement *element, GstPad *pad)
{
  ConclaveMeetingJoin *self = CONCLAVE_MEETING_JOIN (element);
  g_autoptr (GstPad) inner = gst_ghost_pad_get_target (GST_GHOST_PAD (pad));

  gst_object_ref (pad);
  gst_pad_set_active (pad, FALSE);
  gst_element_remove_pad (element, pad);
  gst_ghost_pad_set_target (GST_GHOST_PAD (pad), NULL);
  gst_object_unref (pad);
  if (inner)
    gst_element_release_request_pad (GST_ELEMENT (self->media), inner);
}

/* ---- The end of the stream ---- */

static void
post_eos (ConclaveMeetingJoin *self, guint32 seqnum)
{
  GstMessage *message = gst_message_new_eos (GST_OBJECT (self));

  if (seqnum != GST_SEQNUM_INVALID)
    gst_message_set_seqnum (message, seqnum);
  gst_element_post_message (GST_ELEMENT (self), message);
}

static void
end_stream (GstElement *element, gpointer run)
{
  ConclaveMeetingJoin *self = CONCLAVE_MEETING_JOIN (element);

  if (GPOINTER_TO_UINT (run) != (guint) g_atomic_int_get ((gint *) &self->run)
      || g_atomic_int_get (&self->stopping))
    return;
  GstEvent *eos = gst_event_new_eos ();
  guint32 seqnum = gst_event_get_seqnum (eos);
  meeting_media_push_eos (self->media, eos);
  post_eos (self, seqnum);
}

void
meeting_join_end_stream (ConclaveMeetingJoin *self)
{
  gst_element_call_async (GST_ELEMENT (self), end_stream,
      GUINT_TO_POINTER ((guint) g_atomic_int_get ((gint *) &self->run)), NULL);
}

static gboolean
conclave_meeting_join_send_event (GstElement *element, GstEvent *event)
{
  ConclaveMeetingJoin *self = CONCLAVE_MEETING_JOIN (element);

  if (GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    return GST_ELEMENT_CLASS (conclave_meeting_join_parent_class)
        ->send_event (element, event);
  /* GstBin's own way pushes into the sink pads of live mixers, and deadlocks. */
  guint32 seqnum = gst_event_get_seqnum (event);
  meeting_media_push_eos (self->media, event);
  post_eos (self, seqnum);
  return TRUE;
}

/* ---- States ---- */

gboolean
meeting_join_invoke (ConclaveMeetingJoin *self, MeetingCommand command,
    gpointer data, GDestroyNotify free)
{
  g_mutex_lock (&self->lock);
  gboolean there = self->thread != NULL;
  if (there)
    meeting_thread_invoke (self->thread, command, data, free);
  g_mutex_unlock (&self->lock);
  if (!there && free)
    free (data);
  return there;
}

static gboolean
prepare (ConclaveMeetingJoin *self)
{
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (self);
  gboolean old = self->settings_are_old || !self->settings;
  GST_OBJECT_UNLOCK (self);
  if (!old)
    return TRUE;
  g_clear_pointer (&self->settings, meeting_settings_free);
  GST_OBJECT_LOCK (self);
  MeetingWishes wishes = meeting_join_wishes (self);
  self->settings_are_old = FALSE;
  GST_OBJECT_UNLOCK (self);
  self->settings = meeting_settings_new (&wishes, &error);
  meeting_wishes_clear (&wishes);
  if (self->settings)
    return TRUE;
  GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS, ("%s", error->message), (NULL));
  return FALSE;
}

static gboolean
start (ConclaveMeetingJoin *self)
{
  g_autoptr (GError) error = NULL;

  self->was_connected = self->was_member = self->over = FALSE;
  self->record_off = FALSE;
  self->fresh = self->dirty = FALSE;
  g_clear_pointer (&self->last_warning, g_free);
  self->started = meeting_now ();
  g_atomic_int_set (&self->stopping, FALSE);
  g_atomic_int_inc ((gint *) &self->run);
  g_mutex_lock (&self->lock);
  meeting_snapshot_clear (&self->now);
  g_mutex_unlock (&self->lock);

  MeetingThread *thread = meeting_thread_new (self->settings, self->media,
      &meeting_join_thread_callbacks, self, &error);
  if (!thread) {
    GST_ELEMENT_ERROR (
        self, RESOURCE, SETTINGS, ("%s", error->message), (NULL));
    return FALSE;
  }
  g_mutex_lock (&self->lock);
  self->thread = thread;
  g_mutex_unlock (&self->lock);
  return TRUE;
}

static void
stop (ConclaveMeetingJoin *self)
{
  g_atomic_int_set (&self->stopping, TRUE);
  g_mutex_lock (&self->lock);
  MeetingThread *thread = g_steal_pointer (&self->thread);
  g_mutex_unlock (&self->lock);
  if (thread)
    meeting_thread_stop (thread, LEAVE_MS);
  meeting_media_drop_transport (self->media);
}

/* The numbers of the last run stay; the meeting's are gone with it. */
static void
forget (ConclaveMeetingJoin *self)
{
  g_mutex_lock (&self->lock);
  SessionStats session = self->now.session;
  MeetingHubStats hub = self->now.hub;
  meeting_snapshot_clear (&self->now);
  self->now.session = session;
  self->now.hub = hub;
  g_mutex_unlock (&self->lock);
  g_object_notify (G_OBJECT (self), "state");
}

static GstStateChangeReturn
conclave_meeting_join_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveMeetingJoin *self = CONCLAVE_MEETING_JOIN (element);

  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !prepare (self))
    return GST_STATE_CHANGE_FAILURE;
  /* Before the bin: media that is there at once finds the thread that it is told to. */
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED
      && (!prepare (self) || !start (self)))
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    stop (self);

  GstStateChangeReturn result =
      GST_ELEMENT_CLASS (conclave_meeting_join_parent_class)
          ->change_state (element, transition);

  gboolean failed = result == GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && failed)
    stop (self);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    forget (self);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL
      || (transition == GST_STATE_CHANGE_NULL_TO_READY && failed))
    g_clear_pointer (&self->settings, meeting_settings_free);
  if (!failed
      && (transition == GST_STATE_CHANGE_READY_TO_PAUSED
          || transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED))
    return GST_STATE_CHANGE_NO_PREROLL;
  return result;
}

/* ---- Object ---- */

static void
conclave_meeting_join_dispose (GObject *object)
{
  ConclaveMeetingJoin *self = CONCLAVE_MEETING_JOIN (object);

  if (self->media) {
    meeting_media_detach (self->media);
    g_signal_handlers_disconnect_by_data (self->media, self);
    gst_bin_remove (GST_BIN (self), GST_ELEMENT (self->media));
    self->media = NULL;
  }
  G_OBJECT_CLASS (conclave_meeting_join_parent_class)->dispose (object);
}

static void
conclave_meeting_join_finalize (GObject *object)
{
  ConclaveMeetingJoin *self = CONCLAVE_MEETING_JOIN (object);

  meeting_join_free_properties (self);
  meeting_snapshot_clear (&self->now);
  g_free (self->last_warning);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (conclave_meeting_join_parent_class)->finalize (object);
}

static void
conclave_meeting_join_init (ConclaveMeetingJoin *self)
{
  g_mutex_init (&self->lock);
  meeting_join_init_properties (self);
  self->media = CONCLAVE_MEETING_MEDIA (
      meeting_media_new (&meeting_join_media_callbacks, self));
  gst_bin_add (GST_BIN (self), GST_ELEMENT (self->media));
  g_signal_connect (
      self->media, "pad-added", G_CALLBACK (media_pad_added), self);
  g_signal_connect (
      self->media, "pad-removed", G_CALLBACK (media_pad_removed), self);
  /* What is inside never changes how the pipeline treats the bin. A sink, too: a member that only sends ends a pipeline. */
  gst_bin_set_suppressed_flags (
      GST_BIN (self), GST_ELEMENT_FLAG_SINK | GST_ELEMENT_FLAG_SOURCE);
  GST_OBJECT_FLAG_SET (self, GST_ELEMENT_FLAG_SINK | GST_ELEMENT_FLAG_SOURCE);
}

/* As the media bin has them. */
static void
install_pads (GstElementClass *klass)
{
  GstElementClass *media = g_type_class_ref (CONCLAVE_TYPE_MEETING_MEDIA);

  for (GList *l = gst_element_class_get_pad_template_list (media); l;
       l = l->next) {
    GstPadTemplate *from = l->data;
    if (GST_PAD_TEMPLATE_PRESENCE (from) != GST_PAD_REQUEST)
      continue;
    gst_element_class_add_pad_template (klass,
        gst_pad_template_new_with_gtype (GST_PAD_TEMPLATE_NAME_TEMPLATE (from),
            GST_PAD_TEMPLATE_DIRECTION (from), GST_PAD_REQUEST,
            GST_PAD_TEMPLATE_CAPS (from),
            GST_PAD_TEMPLATE_DIRECTION (from) == GST_PAD_SINK
                ? CONCLAVE_TYPE_MEETING_JOIN_PAD
                : GST_TYPE_GHOST_PAD));
  }
  gst_element_class_add_static_pad_template (klass, &src_template);
  g_type_class_unref (media);
}

static void
conclave_meeting_join_class_init (ConclaveMeetingJoinClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (
      meetingjoin_debug, "meetingjoin", 0, "Secure meetings");
  object_class->dispose = conclave_meeting_join_dispose;
  object_class->finalize = conclave_meeting_join_finalize;
  meeting_join_install_properties (object_class);
  meeting_join_install_signals (object_class);
  element_class->request_new_pad = conclave_meeting_join_request_new_pad;
  element_class->release_pad = conclave_meeting_join_release_pad;
  element_class->send_event = conclave_meeting_join_send_event;
  element_class->change_state = conclave_meeting_join_change_state;
  install_pads (element_class);
  gst_element_class_set_static_metadata (element_class, "Meeting",
      "Source/Sink/Network", "Joins a secure meeting: sends, receives, mixes",
      "gst-conclave");
}

/* sink_%u: what is linked to it, what the session is told of that, and what passes. The gates run on the streaming thread of
 * whoever is linked.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mediaparts.h"

#define GST_CAT_DEFAULT meetingmedia_debug

#define RAW_CAPS "video/x-raw; audio/x-raw"

/* ---- The pad ---- */

enum
{
  PROP_0,
  PROP_KIND
};

G_DEFINE_FINAL_TYPE (
    ConclaveMeetingSinkPad, conclave_meeting_sink_pad, GST_TYPE_GHOST_PAD)

GType
conclave_meeting_source_kind_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { MEETING_SOURCE_CAMERA, "A camera or a microphone", "camera" },
    { MEETING_SOURCE_SCREEN, "A screen", "screen" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("ConclaveMeetingSourceKind", values));
  return type;
}

static void
conclave_meeting_sink_pad_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveMeetingSinkPad *self = CONCLAVE_MEETING_SINK_PAD (object);

  GST_OBJECT_LOCK (self);
  self->source_kind = g_value_get_enum (value);
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_meeting_sink_pad_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveMeetingSinkPad *self = CONCLAVE_MEETING_SINK_PAD (object);

  GST_OBJECT_LOCK (self);
  g_value_set_enum (value, self->source_kind);
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_meeting_sink_pad_finalize (GObject *object)
{
  ConclaveMeetingSinkPad *self = CONCLAVE_MEETING_SINK_PAD (object);

  secret_unref (self->key);
  g_clear_object (&self->funnel_pad);
  g_clear_object (&self->bin);
  G_OBJECT_CLASS (conclave_meeting_sink_pad_parent_class)->finalize (object);
}

static void
conclave_meeting_sink_pad_init (ConclaveMeetingSinkPad *self)
{
}

static void
conclave_meeting_sink_pad_class_init (ConclaveMeetingSinkPadClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = conclave_meeting_sink_pad_set_property;
  object_class->get_property = conclave_meeting_sink_pad_get_property;
  object_class->finalize = conclave_meeting_sink_pad_finalize;
  g_object_class_install_property (object_class, PROP_KIND,
      g_param_spec_enum ("kind", "Kind",
          "What the video shows; a screen may need the host's leave. Set before media arrives",
          CONCLAVE_TYPE_MEETING_SOURCE_KIND, MEETING_SOURCE_CAMERA,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
}

GstCaps *
meeting_publish_template_caps (void)
{
  GstCaps *caps = gst_caps_from_string (RAW_CAPS);
  gst_caps_append (caps, meeting_codec_all_caps ());
  return caps;
}

/* ---- What passes ---- */

void
meeting_sink_pad_ask_for_keyframe (ConclaveMeetingSinkPad *self)
{
  g_autoptr (GstPad) src = gst_element_get_static_pad (self->first, "src");

  if (src && self->codec->is_video)
    gst_pad_send_event (src, gst_video_event_new_upstream_force_key_unit (
                                 GST_CLOCK_TIME_NONE, TRUE, 0));
}

static MediaKind
kind_of (ConclaveMeetingSinkPad *self, gboolean is_video)
{
  GST_OBJECT_LOCK (self);
  gboolean screen = self->source_kind == MEETING_SOURCE_SCREEN;
  GST_OBJECT_UNLOCK (self);
  return !is_video ? MEDIA_AUDIO : screen ? MEDIA_SCREEN : MEDIA_VIDEO;
}

/* What a receiver is told of the stream: no more than media type, size and rate. */
static char *
describe_caps (const MeetingCodec *codec, const GstCaps *caps)
{
  static const char *const fields[] = { "width", "height", "framerate", "rate",
    "channels" };
  const GstStructure *from = gst_caps_get_structure (caps, 0);
  g_autoptr (GstCaps) told = gst_caps_from_string (codec->caps);

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    const GValue *value = gst_structure_get_value (from, fields[i]);
    if (value && gst_value_is_fixed (value))
      gst_caps_set_value (told, fields[i], value);
  }
  return gst_caps_to_string (told);
}

static const MeetingCodec *
choose_codec (
    ConclaveMeetingMedia *media, const GstStructure *s, const GstCaps *caps)
{
  gboolean video = gst_structure_has_name (s, "video/x-raw");
  g_autofree char *name = NULL;

  if (!video && !gst_structure_has_name (s, "audio/x-raw"))
    return meeting_codec_of_caps (caps);
  GST_OBJECT_LOCK (media);
  name = g_strdup (video ? media->video_codec : media->audio_codec);
  GST_OBJECT_UNLOCK (media);
  const MeetingCodec *codec = meeting_codec_find (name);
  if (!codec || codec->is_video != video)
    GST_ELEMENT_ERROR (media, LIBRARY, SETTINGS,
        ("\"%s\" is no %s codec that meetings know: set \"%s-codec\" to %s.",
            name ? name : "", video ? "video" : "audio",
            video ? "video" : "audio",
            video ? "VP8, VP9, H264 or H265" : "OPUS"),
        (NULL));
  return codec && codec->is_video == video ? codec : NULL;
}

/* The first caps: the track is announced. Others later are the encoder's business. */
static void
take_caps (ConclaveMeetingSinkPad *self, const GstCaps *caps)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);

  if (self->told)
    return;
  self->codec = choose_codec (self->media, s, caps);
  if (!self->codec)
    return;
  self->is_raw = gst_structure_has_name (s, "video/x-raw")
                 || gst_structure_has_name (s, "audio/x-raw");
  self->told = TRUE;
  g_autofree char *told = describe_caps (self->codec, caps);
  meeting_media_tell_track_ready (self->media, GST_PAD (self),
      kind_of (self, self->codec->is_video), self->codec->name, told);
}

gboolean
meeting_sink_pad_may_pass (ConclaveMeetingSinkPad *self)
{
  return g_atomic_int_get (&self->open) && !g_atomic_int_get (&self->muted)
         && !g_atomic_int_get (&self->media->silenced);
}

static void
watch_event (ConclaveMeetingSinkPad *self, GstEvent *event)
{
  GstCaps *caps;

  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    gst_event_parse_caps (event, &caps);
    take_caps (self, caps);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_EOS && self->told) {
    self->told = FALSE;
    meeting_media_tell_track_gone (self->media, GST_PAD (self));
  }
}

/* Encoded video begins with a keyframe: what is before is dropped, and one is asked for now and then. */
static gboolean
is_beginning (ConclaveMeetingSinkPad *self, GstBuffer *frame)
{
  if (self->is_raw || !self->codec->is_video
      || !GST_BUFFER_FLAG_IS_SET (frame, GST_BUFFER_FLAG_DELTA_UNIT))
    return TRUE;
  gint64 now = g_get_monotonic_time ();
  if (now - self->last_ask >= G_USEC_PER_SEC) {
    self->last_ask = now;
    meeting_sink_pad_ask_for_keyframe (self);
  }
  return FALSE;
}

/* In front of the encoder. */
GstPadProbeReturn
meeting_sink_pad_gate (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  ConclaveMeetingSinkPad *self = data;
  GstBuffer *first;

  if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    watch_event (self, GST_PAD_PROBE_INFO_EVENT (info));
    return GST_PAD_PROBE_OK;
  }
  if (!meeting_sink_pad_may_pass (self) || !g_atomic_int_get (&self->media->hop.connected)) {
    g_atomic_int_set (&self->needs_keyframe, 1);
    return GST_PAD_PROBE_DROP;
  }
  if (!g_atomic_int_get (&self->needs_keyframe))
    return GST_PAD_PROBE_OK;
  first = info->type & GST_PAD_PROBE_TYPE_BUFFER
              ? GST_PAD_PROBE_INFO_BUFFER (info)
              : gst_buffer_list_get (GST_PAD_PROBE_INFO_BUFFER_LIST (info), 0);
  if (!is_beginning (self, first))
    return GST_PAD_PROBE_DROP;
  g_atomic_int_set (&self->needs_keyframe, 0);
  return GST_PAD_PROBE_OK;
}

/* In front of sframeenc: what an encoder gives late is not sent either. */
GstPadProbeReturn
meeting_sink_pad_last_gate (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  return meeting_sink_pad_may_pass (data) ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

/* The queue meeting_sink_pad_leaked. Of encoded video the rest is of no use until the next keyframe. */
void
meeting_sink_pad_leaked (GstElement *queue, gpointer data)
{
  ConclaveMeetingSinkPad *self = data;

  if (g_atomic_int_get (&self->open))
    g_atomic_int_set (&self->needs_keyframe, 1);
}

/* From a sink pad to the hop:
 *
 *     sink_%u ─ clocksync ─ queue ─(gate)─ [converter ─ encoder | parser] ─(gate)─ sframeenc ─ rtpsframepay ─ rtpfunnel
 *
 * The queue is leaky, so that nothing here holds up who links the pad; the clocksync paces media that is not live. Caps decide what
 * comes behind: they are told to the session, which publishes the track and gives a key; with both the chain is built and
 * the gates open. Until then, while muted or silenced, and while there is no way to the hub, frames end at the first gate;
 * the second one stops what an encoder held back.
 *
 * sframeenc lives as long as the pad: whatever is published anew goes on counting under the keys it has.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mediaparts.h"

#include <gst/rtp/rtp.h>
#include <sodium.h>
#include <string.h>

#define GST_CAT_DEFAULT meetingmedia_debug

#define QUEUE_TIME (500 * GST_MSECOND)
#define MTU                                                                   \
  1200 /* bytes of an RTP packet; SRTP adds 16, and IPv6 needs 1280 less 48 */
#define MAX_FIRST_SEQ 0x7fff /* the hub and all receivers begin in ROC 0 */

#define RAW_CAPS "video/x-raw; audio/x-raw"
#define AUDIO_LEVEL_URI "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
#define TWCC_URI                                                              \
  "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

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

/* Of encoded media the source, of raw media the encoder. */
static void
ask_for_keyframe (ConclaveMeetingSinkPad *self)
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

static gboolean
may_pass (ConclaveMeetingSinkPad *self)
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
    ask_for_keyframe (self);
  }
  return FALSE;
}

/* In front of the encoder. */
static GstPadProbeReturn
first_gate (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  ConclaveMeetingSinkPad *self = data;
  GstBuffer *first;

  if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    watch_event (self, GST_PAD_PROBE_INFO_EVENT (info));
    return GST_PAD_PROBE_OK;
  }
  if (!may_pass (self) || !g_atomic_int_get (&self->media->hop.connected)) {
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
static GstPadProbeReturn
last_gate (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  return may_pass (data) ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

/* One track's end is not the session's: rtpfunnel would pass the last one on. */
static GstPadProbeReturn
drop_eos (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  return GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_EOS
             ? GST_PAD_PROBE_DROP
             : GST_PAD_PROBE_OK;
}

/* The queue leaked. Of encoded video the rest is of no use until the next keyframe. */
static void
leaked (GstElement *queue, gpointer data)
{
  ConclaveMeetingSinkPad *self = data;

  if (g_atomic_int_get (&self->open))
    g_atomic_int_set (&self->needs_keyframe, 1);
}

/* ---- Pads ---- */

typedef struct
{
  GstPadTemplate *template;
  const char *name;
  GstPad *pad;
} Request;

static void
add_probe (GstElement *element, const char *name, GstPadProbeType type,
    GstPadProbeCallback callback, gpointer data)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, name);
  gst_pad_add_probe (pad, type, callback, data, NULL);
}

/* The lowest number that is free. */
static char *
free_name (ConclaveMeetingMedia *media)
{
  for (guint n = 0;; n++) {
    char *name = g_strdup_printf ("sink_%u", n);
    g_autoptr (GstPad) taken =
        gst_element_get_static_pad (GST_ELEMENT (media), name);
    if (!taken)
      return name;
    g_free (name);
  }
}

static GstElement *
make_entry (ConclaveMeetingMedia *media, ConclaveMeetingSinkPad *self)
{
  GstElement *sync = meeting_media_make (media, "clocksync", NULL);
  GstElement *queue = meeting_media_make (media, "queue", NULL);
  g_autofree char *name =
      g_strdup_printf ("publish-%s", GST_OBJECT_NAME (self));

  if (!sync || !queue) {
    g_clear_pointer (&sync, gst_object_unref);
    g_clear_pointer (&queue, gst_object_unref);
    return NULL;
  }
  self->bin = gst_object_ref_sink (gst_bin_new (name));
  self->queue = queue;
  g_object_set (queue, "max-size-bytes", 0u, "max-size-buffers", 0u,
      "max-size-time", (guint64) QUEUE_TIME, NULL);
  gst_util_set_object_arg (G_OBJECT (queue), "leaky", "downstream");
  g_signal_connect (queue, "overrun", G_CALLBACK (leaked), self);
  gst_bin_add_many (GST_BIN (self->bin), sync, queue, NULL);
  gst_element_link (sync, queue);
  add_probe (queue, "src",
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST
          | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      first_gate, self);
  return sync;
}

static void
request (ConclaveMeetingMedia *media, gpointer data)
{
  Request *request = data;
  g_autofree char *name =
      request->name ? g_strdup (request->name) : free_name (media);
  ConclaveMeetingSinkPad *self =
      g_object_new (CONCLAVE_TYPE_MEETING_SINK_PAD, "name", name, "direction",
          GST_PAD_SINK, "template", request->template, NULL);

  gst_object_ref_sink (self);
  self->media = media;
  self->needs_keyframe = 1;
  GstElement *entry = make_entry (media, self);
  if (!entry) {
    gst_object_unref (self);
    return;
  }
  g_autoptr (GstPad) inner = gst_element_get_static_pad (entry, "sink");
  GstPad *ghost = gst_ghost_pad_new ("sink", inner);
  gst_element_add_pad (self->bin, ghost);
  gst_bin_add (GST_BIN (media), self->bin);
  gst_ghost_pad_set_target (GST_GHOST_PAD (self), ghost);
  gst_element_sync_state_with_parent (self->bin);
  if (!gst_element_add_pad (GST_ELEMENT (media), GST_PAD (self))) {
    gst_element_set_state (self->bin, GST_STATE_NULL);
    gst_bin_remove (GST_BIN (media), self->bin);
    gst_object_unref (self);
    return;
  }
  media->sinks = g_list_append (media->sinks, self);
  request->pad = GST_PAD (self);
}

GstPad *
meeting_publish_request (
    ConclaveMeetingMedia *media, GstPadTemplate *template, const char *name)
{
  Request data = { template, name, NULL };
  meeting_media_run (media, request, &data);
  return data.pad;
}

/* Waits for a frame that is on its way behind the queue. With the gates closed there is none afterwards. */
static void
drain (ConclaveMeetingSinkPad *self)
{
  if (!self->first)
    return;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (self->first, "sink");
  GST_PAD_STREAM_LOCK (sink);
  GST_PAD_STREAM_UNLOCK (sink);
}

static void
release_funnel_pad (ConclaveMeetingMedia *media, ConclaveMeetingSinkPad *self)
{
  if (!self->funnel_pad)
    return;
  gst_element_release_request_pad (media->hop.funnel, self->funnel_pad);
  g_clear_object (&self->funnel_pad);
}

static void
release (ConclaveMeetingMedia *media, gpointer data)
{
  ConclaveMeetingSinkPad *self = data;
  GList *link = g_list_find (media->sinks, self);

  if (!link)
    return;
  media->sinks = g_list_delete_link (media->sinks, link);
  g_atomic_int_set (&self->open, 0);
  gst_element_set_locked_state (self->bin, TRUE);
  gst_element_set_state (self->bin, GST_STATE_NULL);
  gst_pad_set_active (GST_PAD (self), FALSE);
  gst_element_remove_pad (GST_ELEMENT (media), GST_PAD (self));
  release_funnel_pad (media, self);
  gst_bin_remove (GST_BIN (media), self->bin);
  meeting_hop_update_rtx (media);
  gst_object_unref (self);
}

void
meeting_publish_release (ConclaveMeetingMedia *media, GstPad *pad)
{
  g_autoptr (GstPad) held = gst_object_ref (pad);

  meeting_media_run (media, release, pad);
  meeting_media_tell_track_gone (media, pad);
}

/* ---- The chain ---- */

/* The bin's error is its launch line's, and this program's. */
static GstElement *
parse_line (ConclaveMeetingMedia *media, const char *line)
{
  g_autoptr (GError) error = NULL;
  GstElement *bin = gst_parse_bin_from_description_full (line, TRUE, NULL,
      GST_PARSE_FLAG_FATAL_ERRORS | GST_PARSE_FLAG_PLACE_IN_BIN, &error);

  if (!bin)
    GST_INFO_OBJECT (media, "no \"%s\": %s", line, error->message);
  return bin;
}

static GstElement *
make_encoder (ConclaveMeetingMedia *media, const MeetingCodec *codec)
{
  guint bitrate;

  GST_OBJECT_LOCK (media);
  bitrate = media->video_bitrate;
  GST_OBJECT_UNLOCK (media);
  for (const MeetingEncoder *e = codec->encoders; e->line; e++) {
    g_autofree char *line = g_strconcat (
        codec->is_video
            ? "videoconvert ! "
            : "audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=[1,2] ! "
              "level audio-level-meta=true post-messages=false ! ",
        e->line, codec->repeats ? " ! " : "",
        codec->repeats ? codec->repeats : "", NULL);
    GstElement *bin = parse_line (media, line);
    if (!bin)
      continue;
    g_autoptr (GstElement) encoder =
        gst_bin_get_by_name (GST_BIN (bin), "encoder");
    if (e->bitrate) {
      g_autofree char *value = g_strdup_printf ("%u", bitrate / e->unit);
      gst_util_set_object_arg (G_OBJECT (encoder), e->bitrate, value);
    }
    return bin;
  }
  GST_ELEMENT_ERROR (media, CORE, MISSING_PLUGIN,
      ("There is no encoder for %s here: install one, or choose another codec with \"%s-codec\".",
          codec->name, codec->is_video ? "video" : "audio"),
      (NULL));
  return NULL;
}

static void
add_extension (GstElement *payloader, const char *uri, guint id)
{
  GstRTPHeaderExtension *extension =
      gst_rtp_header_extension_create_from_uri (uri);

  if (!extension)
    return;
  gst_rtp_header_extension_set_id (extension, id);
  g_signal_emit_by_name (payloader, "add-extension", extension);
  gst_object_unref (extension);
}

/* A payloader for the SSRC that the hub gave. */
static gboolean
add_payloader (ConclaveMeetingMedia *media, ConclaveMeetingSinkPad *self)
{
  GstElement *payloader = meeting_media_make (media, "rtpsframepay", NULL);

  if (!payloader)
    return FALSE;
  g_object_set (payloader, "ssrc", self->ssrc, "pt",
      self->codec->is_video ? MEDIA_VIDEO_PT : MEDIA_AUDIO_PT, "mtu", MTU,
      "seqnum-offset", (gint) randombytes_uniform (MAX_FIRST_SEQ), NULL);
  add_extension (payloader, TWCC_URI, MEDIA_TWCC_ID);
  if (!self->codec->is_video)
    add_extension (payloader, AUDIO_LEVEL_URI, MEDIA_AUDIO_LEVEL_ID);
  gst_bin_add (GST_BIN (self->bin), payloader);
  add_probe (
      payloader, "src", GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, drop_eos, NULL);
  self->payloader = payloader;

  g_autoptr (GstPad) inner = gst_element_get_static_pad (payloader, "src");
  g_autoptr (GstPad) ghost = gst_element_get_static_pad (self->bin, "src");
  if (ghost)
    gst_ghost_pad_set_target (GST_GHOST_PAD (ghost), inner);
  else {
    ghost = gst_object_ref_sink (gst_ghost_pad_new ("src", inner));
    gst_pad_set_active (ghost, TRUE);
    gst_element_add_pad (self->bin, ghost);
  }
  self->funnel_pad =
      gst_element_request_pad_simple (media->hop.funnel, "sink_%u");
  gboolean linked =
      GST_PAD_LINK_SUCCESSFUL (gst_pad_link (ghost, self->funnel_pad))
      && gst_element_link (self->encryptor, payloader);
  gst_element_sync_state_with_parent (payloader);
  return linked;
}

static void
remove_payloader (ConclaveMeetingMedia *media, ConclaveMeetingSinkPad *self)
{
  GstElement *payloader = g_steal_pointer (&self->payloader);

  if (!payloader)
    return;
  gst_element_set_locked_state (payloader, TRUE);
  gst_element_set_state (payloader, GST_STATE_NULL);
  release_funnel_pad (media, self);
  g_autoptr (GstPad) ghost = gst_element_get_static_pad (self->bin, "src");
  gst_ghost_pad_set_target (GST_GHOST_PAD (ghost), NULL);
  gst_bin_remove (GST_BIN (self->bin), payloader);
}

/* Suites differ between meetings: another one needs an encryptor that has no caps yet. Its keys are others then, for the
 * suite is part of what they are derived from. */
static gboolean
add_encryptor (ConclaveMeetingMedia *media, ConclaveMeetingSinkPad *self)
{
  GstElement *encryptor = meeting_media_make (media, "sframeenc", NULL);

  if (!encryptor)
    return FALSE;
  /* Keys are of one epoch, one leaf and one track: nobody else has counted under them. */
  g_object_set (encryptor, "initial-counter", (guint64) 0, NULL);
  gst_util_set_object_arg (
      G_OBJECT (encryptor), "cipher-suite", sframe_suite_name (self->suite));
  gst_bin_add (GST_BIN (self->bin), encryptor);
  add_probe (encryptor, "sink", GST_PAD_PROBE_TYPE_BUFFER, last_gate, self);
  self->encryptor = encryptor;
  return TRUE;
}

static void
give_key (ConclaveMeetingSinkPad *self)
{
  g_autoptr (GBytes) key =
      meeting_secret_bytes (secret_bytes (self->key), secret_len (self->key));
  if (key)
    g_signal_emit_by_name (self->encryptor, "set-key", self->kid, key);
}

/* In front of the encryptor: NULL where encoded media goes straight to it. */
static gboolean
add_encoder (ConclaveMeetingMedia *media, ConclaveMeetingSinkPad *self)
{
  GstElement *element = self->is_raw ? make_encoder (media, self->codec)
                        : self->codec->repeats
                            ? parse_line (media, self->codec->repeats)
                            : gst_element_factory_make ("identity", NULL);

  if (!element)
    return FALSE;
  gst_bin_add (GST_BIN (self->bin), element);
  self->first = element;
  return TRUE;
}

/* The codec is another than the chain is for: after EOS something else came. */
static void
remove_encoder (ConclaveMeetingMedia *media, ConclaveMeetingSinkPad *self)
{
  GstElement *first = g_steal_pointer (&self->first);

  if (!first)
    return;
  gst_element_set_locked_state (first, TRUE);
  gst_element_set_state (first, GST_STATE_NULL);
  gst_bin_remove (GST_BIN (self->bin), first);
}

/* All that is missing behind the queue. The gates are closed, and nothing is on its way. */
static gboolean
build_chain (ConclaveMeetingMedia *media, ConclaveMeetingSinkPad *self)
{
  if (!self->encryptor && !add_encryptor (media, self))
    return FALSE;
  if (!self->payloader && !add_payloader (media, self))
    return FALSE;
  give_key (self);
  gst_element_sync_state_with_parent (self->encryptor);
  if (self->first)
    return TRUE;
  if (!add_encoder (media, self)
      || !gst_element_link (self->first, self->encryptor))
    return FALSE;
  gst_element_sync_state_with_parent (self->first);
  self->chain_codec = self->codec;
  self->chain_is_raw = self->is_raw;
  return gst_element_link (self->queue, self->first);
}

/* Closes the gates, and opens them again if number, SSRC and key are there, with a chain that fits. */
static void
renew (ConclaveMeetingMedia *media, ConclaveMeetingSinkPad *self,
    gboolean new_ssrc)
{
  g_atomic_int_set (&self->open, 0);
  drain (self);
  if (new_ssrc)
    remove_payloader (media, self);
  meeting_hop_update_rtx (media);
  if (!self->published || !self->key || !self->codec || !media->hop.rtpbin)
    return;
  if (self->chain_codec != self->codec || self->chain_is_raw != self->is_raw)
    remove_encoder (media, self);
  if (!build_chain (media, self)) {
    GST_ELEMENT_ERROR (media, CORE, PAD,
        ("The media of pad \"%s\" can't be sent: there is no chain for %s.",
            GST_OBJECT_NAME (self), self->codec->name),
        (NULL));
    return;
  }
  g_atomic_int_set (&self->needs_keyframe, 1);
  g_atomic_int_set (&self->open, 1);
  ask_for_keyframe (self);
}

/* ---- Keys of our own ---- */

typedef struct
{
  guint32 number;
  guint64 kid;
  SFrameSuite suite;
  Secret *key;
} OwnKey;

static void
free_own_key (gpointer data)
{
  OwnKey *own = data;
  secret_unref (own->key);
  g_free (own);
}

static void
take_key (ConclaveMeetingMedia *media, ConclaveMeetingSinkPad *self,
    const OwnKey *own)
{
  gboolean opened = g_atomic_int_get (&self->open);

  secret_ref (own->key);
  secret_unref (self->key);
  self->key = own->key;
  self->kid = own->kid;
  if (self->encryptor && own->suite != self->suite) {
    g_atomic_int_set (&self->open, 0);
    drain (self);
    gst_element_set_state (self->encryptor, GST_STATE_NULL);
    gst_bin_remove (GST_BIN (self->bin), g_steal_pointer (&self->encryptor));
    remove_encoder (media, self);
    remove_payloader (media, self);
    opened = FALSE;
  }
  self->suite = own->suite;
  /* In the course of things nothing stops for a new epoch. */
  if (opened)
    give_key (self);
  else
    renew (media, self, FALSE);
}

static ConclaveMeetingSinkPad *
find_number (ConclaveMeetingMedia *media, guint32 number)
{
  for (GList *l = media->sinks; l; l = l->next) {
    ConclaveMeetingSinkPad *self = l->data;
    if (self->published && self->number == number)
      return self;
  }
  return NULL;
}

static void
set_send_key (ConclaveMeetingMedia *media, gpointer data)
{
  const OwnKey *own = data;
  ConclaveMeetingSinkPad *self = find_number (media, own->number);
  OwnKey *kept = g_new (OwnKey, 1);

  *kept = *own;
  secret_ref (kept->key);
  g_hash_table_replace (media->own_keys, &kept->number, kept);
  if (self)
    take_key (media, self, own);
}

void
meeting_media_set_send_key (ConclaveMeetingMedia *media, uint32_t number,
    uint64_t kid, SFrameSuite suite, Secret *base_key)
{
  OwnKey *own = g_new (OwnKey, 1);

  *own = (OwnKey){ number, kid, suite, secret_ref (base_key) };
  meeting_media_queue (media, set_send_key, own, free_own_key);
}

static void
forget_key (ConclaveMeetingSinkPad *self)
{
  g_atomic_int_set (&self->open, 0);
  drain (self);
  if (self->encryptor)
    g_signal_emit_by_name (self->encryptor, "remove-key", self->kid);
  secret_clear (&self->key);
}

static gboolean
has_kid (gpointer number, gpointer own, gpointer kid)
{
  return ((OwnKey *) own)->kid == *(guint64 *) kid;
}

void
meeting_publish_close_key (ConclaveMeetingMedia *media, guint64 kid)
{
  g_hash_table_foreach_remove (media->own_keys, has_kid, &kid);
  for (GList *l = media->sinks; l; l = l->next) {
    ConclaveMeetingSinkPad *self = l->data;
    if (self->key && self->kid == kid)
      forget_key (self);
  }
}

GHashTable *
meeting_publish_make_own_keys (void)
{
  return g_hash_table_new_full (g_int_hash, g_int_equal, NULL, free_own_key);
}

/* ---- Publishing ---- */

typedef struct
{
  GstPad *pad; /* a reference */
  guint32 number, ssrc, rtx;
} Publication;

static void
free_publication (gpointer data)
{
  Publication *publication = data;
  gst_object_unref (publication->pad);
  g_free (publication);
}

static void
publish (ConclaveMeetingMedia *media, gpointer data)
{
  const Publication *p = data;
  ConclaveMeetingSinkPad *self = CONCLAVE_MEETING_SINK_PAD (p->pad);

  if (!g_list_find (media->sinks, self))
    return; /* released meanwhile */
  gboolean new_ssrc = self->ssrc != p->ssrc || self->rtx != p->rtx;
  if (self->published && !new_ssrc && self->number == p->number)
    return;
  if (self->published && self->number != p->number)
    forget_key (self);
  self->published = TRUE;
  self->number = p->number;
  self->ssrc = p->ssrc;
  self->rtx = p->rtx;
  const OwnKey *own = g_hash_table_lookup (media->own_keys, &p->number);
  if (own && !self->key) {
    self->key = secret_ref (own->key);
    self->kid = own->kid;
    self->suite = own->suite;
  }
  renew (media, self, new_ssrc);
}

void
meeting_media_publish (ConclaveMeetingMedia *media, GstPad *pad,
    uint32_t number, uint32_t ssrc, uint32_t rtx)
{
  Publication *publication = g_new (Publication, 1);

  *publication = (Publication){ gst_object_ref (pad), number, ssrc, rtx };
  meeting_media_queue (media, publish, publication, free_publication);
}

static void
unpublish (ConclaveMeetingMedia *media, gpointer data)
{
  ConclaveMeetingSinkPad *self = data;

  if (!g_list_find (media->sinks, self) || !self->published)
    return;
  forget_key (self);
  g_hash_table_remove (media->own_keys, &self->number);
  self->published = FALSE;
  renew (media, self, TRUE);
}

void
meeting_media_unpublish (ConclaveMeetingMedia *media, GstPad *pad)
{
  meeting_media_queue (
      media, unpublish, gst_object_ref (pad), gst_object_unref);
}

/* What begins after an interruption begins with a keyframe. */
void
meeting_publish_refresh (ConclaveMeetingMedia *media)
{
  for (GList *l = media->sinks; l; l = l->next) {
    ConclaveMeetingSinkPad *self = l->data;
    if (may_pass (self)) {
      g_atomic_int_set (&self->needs_keyframe, 1);
      ask_for_keyframe (self);
    }
  }
}

void
meeting_publish_reset (ConclaveMeetingMedia *media)
{
  for (GList *l = media->sinks; l; l = l->next) {
    ConclaveMeetingSinkPad *self = l->data;
    unpublish (media, self);
    self->told = FALSE;
  }
  g_hash_table_remove_all (media->own_keys);
}

void
meeting_publish_dispose (ConclaveMeetingMedia *media)
{
  g_list_free_full (g_steal_pointer (&media->sinks), gst_object_unref);
}

static void
refresh (ConclaveMeetingMedia *media, gpointer unused)
{
  meeting_publish_refresh (media);
}

void
meeting_media_set_silenced (ConclaveMeetingMedia *media, gboolean silenced)
{
  g_atomic_int_set (&media->silenced, silenced);
  if (!silenced)
    meeting_media_queue (media, refresh, NULL, NULL);
}

void
meeting_media_set_muted (
    ConclaveMeetingMedia *media, GstPad *pad, gboolean muted)
{
  g_atomic_int_set (&CONCLAVE_MEETING_SINK_PAD (pad)->muted, muted);
  if (!muted)
    meeting_media_queue (media, refresh, NULL, NULL);
}

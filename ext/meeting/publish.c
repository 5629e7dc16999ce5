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

#define AUDIO_LEVEL_URI "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
#define TWCC_URI                                                              \
  "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

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
  g_signal_connect (queue, "overrun", G_CALLBACK (meeting_sink_pad_leaked), self);
  gst_bin_add_many (GST_BIN (self->bin), sync, queue, NULL);
  gst_element_link (sync, queue);
  add_probe (queue, "src",
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST
          | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      meeting_sink_pad_gate, self);
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

/* One track's end is not the session's: rtpfunnel would pass the last one on. */
static GstPadProbeReturn
drop_eos (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  return GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_EOS
             ? GST_PAD_PROBE_DROP
             : GST_PAD_PROBE_OK;
}

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
  add_probe (encryptor, "sink", GST_PAD_PROBE_TYPE_BUFFER, meeting_sink_pad_last_gate, self);
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
  meeting_sink_pad_ask_for_keyframe (self);
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
    if (meeting_sink_pad_may_pass (self)) {
      g_atomic_int_set (&self->needs_keyframe, 1);
      meeting_sink_pad_ask_for_keyframe (self);
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

/* From the hop to a source pad and to the mixes, one bin for each remote track:
 *
 *     rtpbin ─ rtpsframedepay ─ sframedec ─ [parser] ─ [decoder] ─ tee ─┬ queue ─ src_%u
 *                                                                     └ queue ─ [decoder] ─ mixer
 *
 * The decryptor is bound to leaf and track, so no other member's frames pass for this one's. What the sender says about
 * itself (codec, size) is believed as far as the table of codecs goes. Whatever fails in here ends this track and no other:
 * errors become a warning, and no flow return but that of a flush leaves the bin.
 *
 * The pad src_%u is added when the first authentic frame has come, so that its caps are known. A pad that nobody linked swallows
 * what comes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mediaparts.h"

#include <string.h>

#define GST_CAT_DEFAULT meetingmedia_debug

#define PENDING_TIME                                                          \
  (2 * GST_SECOND) /* for keys of an epoch whose commit is on its way */
#define BRANCH_TIME                                                           \
  (1 * GST_SECOND) /* what waits for a slow reader, at most */
#define EOS_TIME (3 * G_USEC_PER_SEC) /* for it to have passed the reader */
#define MAX_PIXELS (8192 * 4352)      /* of a picture that is decoded */

/* ---- Object ---- */

MeetingRemote *
meeting_remote_ref (MeetingRemote *remote)
{
  g_atomic_ref_count_inc (&remote->refs);
  return remote;
}

void
meeting_remote_unref (MeetingRemote *remote)
{
  if (!g_atomic_ref_count_dec (&remote->refs))
    return;
  g_clear_object (&remote->bin);
  g_free (remote->name);
  g_free (remote->fingerprint);
  g_free (remote);
}

static void
unref_remote (gpointer data, GClosure *closure)
{
  meeting_remote_unref (data);
}

static void
drop_remote (gpointer data)
{
  meeting_remote_unref (data);
}

static ConclaveMeetingMedia *
media_of (MeetingRemote *remote)
{
  return remote->media;
}

/* ---- Entry ---- */

static GQuark
remote_quark (void)
{
  return g_quark_from_static_string ("conclave-meeting-remote");
}

/* RTP caps with what the sender said, instead of the stand-in of the hop. */
static GstEvent *
make_caps (const MeetingRemote *remote)
{
  gboolean video = remote->codec->is_video;
  g_autoptr (GstCaps) caps = gst_caps_new_simple ("application/x-rtp", "media",
      G_TYPE_STRING, video ? "video" : "audio", "clock-rate", G_TYPE_INT,
      video ? MEDIA_VIDEO_CLOCK : MEDIA_AUDIO_CLOCK, "encoding-name",
      G_TYPE_STRING, remote->codec->name, "a-sframe", G_TYPE_STRING, "",
      "payload", G_TYPE_INT, video ? MEDIA_VIDEO_PT : MEDIA_AUDIO_PT, "ssrc",
      G_TYPE_UINT, remote->ssrc, NULL);
  return gst_event_new_caps (caps);
}

static const char *
kind_name (const MeetingRemote *remote)
{
  return media_kind_names[remote->kind - 1];
}

/* Who it is, on the stream itself: for whoever only sees the pad. */
static void
send_identity (GstPad *pad, GstObject *parent, const MeetingRemote *remote)
{
  g_autofree char *id =
      g_strdup_printf ("%s/%u", remote->fingerprint, remote->number);
  GstEvent *start = gst_event_new_stream_start (id);

  gst_event_set_group_id (start, remote->group_id);
  gst_pad_event_default (pad, parent, start);
  gst_pad_event_default (pad, parent,
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
          gst_structure_new ("conclave-track", "participant", G_TYPE_STRING,
              remote->fingerprint, "name", G_TYPE_STRING, remote->name,
              "track", G_TYPE_UINT, remote->number, "kind", G_TYPE_STRING,
              kind_name (remote), NULL)));
}

static gboolean
entry_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  const MeetingRemote *remote =
      g_object_get_qdata (G_OBJECT (pad), remote_quark ());

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      gst_event_unref (event);
      send_identity (pad, parent, remote);
      return TRUE;
    case GST_EVENT_CAPS:
      gst_event_unref (event);
      gst_pad_event_default (pad, parent, make_caps (remote));
      return gst_pad_event_default (pad, parent,
          gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, remote->name,
              GST_TAG_ARTIST, remote->name, NULL)));
    case GST_EVENT_EOS:
      /* From RTCP, that is, from the hub. A track ends when its sender says so to the members, or leaves. */
      gst_event_unref (event);
      return TRUE;
    default:
      return gst_pad_event_default (pad, parent, event);
  }
}

/* Packets of other tracks may follow in the same list. */
static GstFlowReturn
entry_chain (GstPad *pad, GstObject *parent, GstBuffer *packet)
{
  GstFlowReturn flow = gst_proxy_pad_chain_default (pad, parent, packet);
  return flow == GST_FLOW_FLUSHING ? flow : GST_FLOW_OK;
}

static GstFlowReturn
entry_chain_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  GstFlowReturn flow = gst_proxy_pad_chain_list_default (pad, parent, list);
  return flow == GST_FLOW_FLUSHING ? flow : GST_FLOW_OK;
}

/* ---- Exit ---- */

static void
expose (ConclaveMeetingMedia *media, MeetingRemote *remote)
{
  g_autoptr (GstPad) inner = gst_element_get_static_pad (remote->bin, "src");

  GST_OBJECT_LOCK (media);
  guint n = media->next_src++;
  GST_OBJECT_UNLOCK (media);
  g_autofree char *name = g_strdup_printf ("src_%u", n);
  GstPad *ghost = gst_ghost_pad_new_from_template (name, inner,
      gst_element_class_get_pad_template (
          GST_ELEMENT_GET_CLASS (media), "src_%u"));
  meeting_ghost_may_be_unlinked (ghost);
  gst_pad_set_active (ghost, TRUE);
  /* Known to who removes the track before others can see it. */
  GST_OBJECT_LOCK (remote->bin);
  gboolean ended = remote->closed;
  if (!ended)
    remote->ghost = gst_object_ref_sink (ghost);
  GST_OBJECT_UNLOCK (remote->bin);
  if (ended) {
    gst_object_unref (gst_object_ref_sink (ghost));
    return;
  }
  g_autoptr (GstPad) held = gst_object_ref (ghost);
  gst_element_add_pad (GST_ELEMENT (media), ghost);
}

static GstPadProbeReturn
expose_at_caps (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  MeetingRemote *remote = data;

  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  expose (media_of (remote), remote);
  return GST_PAD_PROBE_REMOVE;
}

static void end_remote (ConclaveMeetingMedia *media, gpointer data);

/* A picture is memory before anybody looks at it: 16 thousand pixels square, which VP8 can say, are 400 MB. */
static GstPadProbeReturn
check_size (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  MeetingRemote *remote = data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  gint width = 0, height = 0;
  GstCaps *caps;

  if (GST_EVENT_TYPE (event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps (event, &caps);
  const GstStructure *s = gst_caps_get_structure (caps, 0);
  if (!gst_structure_get_int (s, "width", &width)
      || !gst_structure_get_int (s, "height", &height)
      || (width > 0 && height > 0 && width <= MAX_PIXELS / height))
    return GST_PAD_PROBE_OK;
  GST_ELEMENT_ERROR (remote->bin, STREAM, DECODE,
      ("Pictures of %d x %d are larger than a meeting shows.", width, height),
      (NULL));
  return GST_PAD_PROBE_DROP;
}

/* ---- Building ---- */

static GstElement *
add (MeetingRemote *remote, const char *factory)
{
  GstElement *element = meeting_media_make (media_of (remote), factory, NULL);
  if (element)
    gst_bin_add (GST_BIN (remote->bin), element);
  return element;
}

GstElement *
meeting_remote_add_queue (MeetingRemote *remote)
{
  GstElement *queue = add (remote, "queue");

  if (queue) {
    g_object_set (queue, "max-size-bytes", 0u, "max-size-buffers", 0u,
        "max-size-time", (guint64) BRANCH_TIME, NULL);
    gst_util_set_object_arg (G_OBJECT (queue), "leaky", "downstream");
  }
  return queue;
}

GstElement *
meeting_remote_add_decoder (MeetingRemote *remote)
{
  for (const char *const *name = remote->codec->decoders; *name; name++) {
    GstElement *decoder = gst_element_factory_make (*name, NULL);
    if (!decoder)
      continue;
    if (g_object_class_find_property (G_OBJECT_GET_CLASS (decoder), "plc"))
      g_object_set (decoder, "plc", TRUE, NULL);
    gst_bin_add (GST_BIN (remote->bin), decoder);
    return decoder;
  }
  GST_ELEMENT_WARNING (media_of (remote), CORE, MISSING_PLUGIN,
      ("There is no decoder for %s here, which %s sends: install one to see or hear it.",
          remote->codec->name, remote->fingerprint),
      (NULL));
  return NULL;
}

void
meeting_remote_ask_for_keyframe (MeetingRemote *remote)
{
  g_autoptr (GstPad) sink = gst_element_get_static_pad (remote->tee, "sink");

  if (remote->codec->is_video)
    gst_pad_push_event (sink, gst_video_event_new_upstream_force_key_unit (
                                  GST_CLOCK_TIME_NONE, TRUE, 0));
}

static void
kid_authenticated (GstElement *decryptor, guint64 kid, gpointer data)
{
  MeetingRemote *remote = data;
  ConclaveMeetingMedia *media = media_of (remote);

  meeting_media_tell_heard (media, kid);
  if (g_atomic_int_compare_and_exchange (&remote->heard, 0, 1))
    meeting_media_tell_key_state (
        media, remote->identity, remote->number, NULL);
}

/* KIDs of this leaf and track, of whichever epoch. */
static void
bind_decryptor (ConclaveMeetingMedia *media, MeetingRemote *remote)
{
  GST_OBJECT_LOCK (media);
  unsigned epoch_bits = media->epoch_bits, index_bits = media->index_bits;
  GST_OBJECT_UNLOCK (media);
  guint64 epochs = (G_GUINT64_CONSTANT (1) << epoch_bits) - 1;
  guint64 value = 0;

  sframe_mls_kid (
      0, epoch_bits, remote->leaf, index_bits, remote->number, &value);
  g_object_set (
      remote->decryptor, "kid-mask", ~epochs, "kid-value", value, NULL);
}

static gboolean
build_entry (MeetingRemote *remote, GstElement **last)
{
  GstElement *depay = add (remote, "rtpsframedepay");
  GstElement *dec = add (remote, "sframedec"), *parser = NULL;

  if (!depay || !dec || !gst_element_link (depay, dec))
    return FALSE;
  remote->decryptor = dec;
  g_object_set (dec, "pending-time", (guint64) PENDING_TIME, NULL);
  bind_decryptor (media_of (remote), remote);
  g_signal_connect_data (dec, "kid-authenticated",
      G_CALLBACK (kid_authenticated), meeting_remote_ref (remote),
      unref_remote, 0);
  *last = dec;
  if (remote->codec->parser) {
    parser = add (remote, remote->codec->parser);
    if (!parser || !gst_element_link (dec, parser))
      return FALSE;
    *last = parser;
  }

  g_autoptr (GstPad) sink = gst_element_get_static_pad (depay, "sink");
  GstPad *ghost = gst_ghost_pad_new ("sink", sink);
  g_object_set_qdata_full (G_OBJECT (ghost), remote_quark (),
      meeting_remote_ref (remote), drop_remote);
  gst_pad_set_event_function (ghost, entry_event);
  gst_pad_set_chain_function (ghost, entry_chain);
  gst_pad_set_chain_list_function (ghost, entry_chain_list);
  gst_element_add_pad (remote->bin, ghost);
  return TRUE;
}

static void
probe_events (GstElement *element, const char *name,
    GstPadProbeCallback callback, MeetingRemote *remote)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, name);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, callback,
      meeting_remote_ref (remote), drop_remote);
}

static gboolean
build_bin (ConclaveMeetingMedia *media, MeetingRemote *remote)
{
  GstElement *last;

  if (!build_entry (remote, &last))
    return FALSE;
  probe_events (last, "src", check_size, remote);
  if (remote->decode) {
    GstElement *decoder = meeting_remote_add_decoder (remote);
    if (!decoder || !gst_element_link (last, decoder))
      return FALSE;
    last = decoder;
  }
  remote->tee = add (remote, "tee");
  GstElement *queue = meeting_remote_add_queue (remote);
  if (!remote->tee || !queue
      || !gst_element_link_many (last, remote->tee, queue, NULL))
    return FALSE;
  g_object_set (remote->tee, "allow-not-linked", TRUE, NULL);
  g_autoptr (GstPad) src = gst_element_get_static_pad (queue, "src");
  GstPad *ghost = gst_ghost_pad_new ("src", src);
  meeting_ghost_may_be_unlinked (ghost);
  gst_element_add_pad (remote->bin, ghost);
  probe_events (remote->decryptor, "src", expose_at_caps, remote);
  return meeting_participant_add (media, remote);
}

static void
expect_remote (ConclaveMeetingMedia *media, MeetingRemote *remote)
{
  gboolean video = remote->codec->is_video;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (remote->bin, "sink");

  if (remote->is_expected)
    return;
  remote->is_expected = TRUE;
  meeting_expected_add (media->expected, remote->ssrc,
      video ? MEDIA_VIDEO_PT : MEDIA_AUDIO_PT, sink);
  if (remote->rtx != 0)
    meeting_expected_add (media->expected, remote->rtx,
        video ? MEDIA_VIDEO_RTX_PT : MEDIA_AUDIO_RTX_PT, NULL);
}

void
meeting_receive_link (ConclaveMeetingMedia *media, guint32 ssrc, GstPad *pad)
{
  g_autoptr (GstPad) sink = meeting_expected_get_sink (media->expected, ssrc);

  if (sink)
    gst_pad_link (pad, sink);
}

/* ---- Removing ---- */

typedef struct
{
  GMutex lock;
  GCond done;
  gboolean is_done;
  gint refs;
} Passage;

static void
passage_unref (gpointer data)
{
  Passage *passage = data;
  if (!g_atomic_int_dec_and_test (&passage->refs))
    return;
  g_mutex_clear (&passage->lock);
  g_cond_clear (&passage->done);
  g_free (passage);
}

static GstPadProbeReturn
note_eos (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Passage *passage = data;

  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_EOS) {
    g_mutex_lock (&passage->lock);
    passage->is_done = TRUE;
    g_cond_signal (&passage->done);
    g_mutex_unlock (&passage->lock);
  }
  return GST_PAD_PROBE_OK;
}

/* Ends what the reader has got, behind all frames before; waits for it, but not for ever. */
static void
drain (MeetingRemote *remote, GstPad *ghost)
{
  g_autoptr (GstPad) src = gst_element_get_static_pad (remote->bin, "src");
  g_autoptr (GstPad) sink =
      gst_element_get_static_pad (remote->decryptor, "sink");
  gint64 end = g_get_monotonic_time () + EOS_TIME;
  Passage *passage = g_new0 (Passage, 1);

  passage->refs = 2;
  g_mutex_init (&passage->lock);
  g_cond_init (&passage->done);
  gulong probe = gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      note_eos, passage, passage_unref);
  gst_pad_send_event (sink, gst_event_new_eos ());
  g_mutex_lock (&passage->lock);
  while (!passage->is_done
         && g_cond_wait_until (&passage->done, &passage->lock, end)) {
  }
  g_mutex_unlock (&passage->lock);
  gst_pad_remove_probe (src, probe);
  passage_unref (passage);
}

/* The bin knows its track (and so do its signal handlers and probes), and the track its bin: that ends when nothing runs in
 * it any more. */
static void
untie (MeetingRemote *remote)
{
  g_object_set_qdata (G_OBJECT (remote->bin), remote_quark (), NULL);
  g_clear_object (&remote->bin);
}

/* May wait for readers: on a thread of its own. */
static void
dismantle (GstElement *element, gpointer data)
{
  ConclaveMeetingMedia *media = CONCLAVE_MEETING_MEDIA (element);
  MeetingRemote *remote = data;
  GstPad *ghost;

  GST_OBJECT_LOCK (remote->bin);
  remote->closed = TRUE;
  ghost = g_steal_pointer (&remote->ghost);
  GST_OBJECT_UNLOCK (remote->bin);

  if (ghost) {
    drain (remote, ghost);
    meeting_participant_finish (media, remote);
    gst_pad_set_active (ghost, FALSE);
    gst_element_remove_pad (element, ghost);
    gst_object_unref (ghost);
  }
  gst_element_set_locked_state (remote->bin, TRUE);
  gst_element_set_state (remote->bin, GST_STATE_NULL);
  gst_bin_remove (GST_BIN (media), remote->bin);
  untie (remote); /* which is held here */
  if (remote->run == g_atomic_int_get (&media->run))
    meeting_hop_forget_ssrc (media, remote->ssrc);
}

/* The worker's. Takes the list's reference. */
static void
end_track (ConclaveMeetingMedia *media, MeetingRemote *remote)
{
  media->remotes = g_list_remove (media->remotes, remote);
  g_atomic_int_set (&remote->ended, 1);
  meeting_expected_forget (media->expected, remote->ssrc);
  meeting_expected_forget (media->expected, remote->rtx);
  meeting_hop_update_rtx (media);
  meeting_mix_remove (media, remote);
  gst_element_call_async (GST_ELEMENT (media), dismantle, remote, drop_remote);
}

static void
end_remote (ConclaveMeetingMedia *media, gpointer data)
{
  if (g_list_find (media->remotes, data))
    end_track (media, data);
}

void
meeting_receive_reset (ConclaveMeetingMedia *media)
{
  while (media->remotes)
    end_track (media, media->remotes->data);
}

static void
list_remotes (ConclaveMeetingMedia *media, gpointer list)
{
  for (GList *l = media->remotes; l; l = l->next)
    *(GList **) list =
        g_list_prepend (*(GList **) list, meeting_remote_ref (l->data));
}

void
meeting_receive_end (ConclaveMeetingMedia *media)
{
  GList *remotes = NULL;

  meeting_media_run (media, list_remotes, &remotes);
  for (GList *l = remotes; l; l = l->next) {
    MeetingRemote *remote = l->data;
    g_autoptr (GstPad) sink =
        remote->participant
            ? gst_element_get_static_pad (remote->decryptor, "sink")
            : NULL;
    if (sink)
      gst_pad_send_event (sink, gst_event_new_eos ());
  }
  for (GList *l = remotes; l; l = l->next)
    meeting_participant_finish (media, l->data);
  g_list_free_full (remotes, drop_remote);
}

/* The next run may have the same SSRCs, and rtpssrcdemux, once stopped, does not know any more which pads it had: so they go
 * before. Not on the worker: a stream may be in a handler of pad-added that waits for it. */
void
meeting_receive_stop (ConclaveMeetingMedia *media)
{
  g_atomic_int_inc (&media->run);
  g_autoptr (GArray) ssrcs = meeting_expected_end (media->expected);
  meeting_hop_drain (media);
  for (guint i = 0; i < ssrcs->len; i++)
    meeting_hop_forget_ssrc (media, g_array_index (ssrcs, guint32, i));
}

void
meeting_receive_dispose (ConclaveMeetingMedia *media)
{
  for (GList *l = media->remotes; l; l = l->next) {
    untie (l->data);
    meeting_remote_unref (l->data);
  }
  g_clear_pointer (&media->remotes, g_list_free);
}

/* ---- Tracks ---- */

static MeetingRemote *
find_track (
    ConclaveMeetingMedia *media, const guint8 *identity, guint32 number)
{
  for (GList *l = media->remotes; l; l = l->next) {
    MeetingRemote *remote = l->data;
    if (remote->number == number
        && memcmp (remote->identity, identity, IDENTITY_KEY_LEN) == 0)
      return remote;
  }
  return NULL;
}

/* The streams of a person belong together. */
static guint
group_of (ConclaveMeetingMedia *media, const guint8 *identity)
{
  for (GList *l = media->remotes; l; l = l->next) {
    const MeetingRemote *remote = l->data;
    if (memcmp (remote->identity, identity, IDENTITY_KEY_LEN) == 0)
      return remote->group_id;
  }
  return gst_util_group_id_next ();
}

static void
add_remote (ConclaveMeetingMedia *media, gpointer data)
{
  MeetingRemote *remote = data;

  if (!media->hop.rtpbin
      || find_track (media, remote->identity, remote->number))
    return;
  remote->group_id = group_of (media, remote->identity);
  remote->run = g_atomic_int_get (&media->run);
  GST_OBJECT_LOCK (media);
  remote->decode = media->decode;
  guint n = media->next_remote++;
  GST_OBJECT_UNLOCK (media);
  g_autofree char *name = g_strdup_printf ("remote-%u", n);
  remote->bin = gst_object_ref_sink (gst_bin_new (name));
  g_object_set_qdata_full (G_OBJECT (remote->bin), remote_quark (),
      meeting_remote_ref (remote), drop_remote);
  if (!build_bin (media, remote)) {
    untie (remote);
    return;
  }
  gst_bin_add (GST_BIN (media), remote->bin);
  gst_element_sync_state_with_parent (remote->bin);
  media->remotes = g_list_append (media->remotes, meeting_remote_ref (remote));
  meeting_hop_update_rtx (media);
  meeting_mix_add (media, remote);
}

void
meeting_media_add_remote (
    ConclaveMeetingMedia *media, const MeetingRemoteTrack *track)
{
  const MeetingCodec *codec = meeting_codec_find (track->codec);
  gboolean video = track->kind != MEDIA_AUDIO;

  if (!codec || codec->is_video != video) {
    g_autofree char *told = g_strdup_printf (
        "%s sends %s, which this program can't receive as %s.",
        track->fingerprint, codec ? codec->name : "a codec it doesn't know",
        video ? "video" : "audio");
    GST_WARNING_OBJECT (media, "%s", told);
    meeting_media_tell_key_state (media, track->identity, track->number, told);
    return;
  }
  MeetingRemote *remote = g_new0 (MeetingRemote, 1);
  g_atomic_ref_count_init (&remote->refs);
  memcpy (remote->identity, track->identity, IDENTITY_KEY_LEN);
  remote->media = media;
  remote->leaf = track->leaf;
  remote->number = track->number;
  remote->ssrc = track->ssrc;
  remote->rtx = track->rtx;
  remote->kind = track->kind;
  remote->codec = codec;
  remote->name = g_strdup (track->name ? track->name : "");
  remote->fingerprint = g_strdup (track->fingerprint);
  meeting_media_queue (media, add_remote, remote, drop_remote);
}

typedef struct
{
  guint8 identity[IDENTITY_KEY_LEN];
  guint32 number;
} TrackName;

static void
remove_remote (ConclaveMeetingMedia *media, gpointer data)
{
  const TrackName *name = data;
  MeetingRemote *remote = find_track (media, name->identity, name->number);

  if (remote)
    end_track (media, remote);
}

void
meeting_media_remove_remote (
    ConclaveMeetingMedia *media, const uint8_t *identity, uint32_t number)
{
  TrackName *name = g_new (TrackName, 1);

  memcpy (name->identity, identity, IDENTITY_KEY_LEN);
  name->number = number;
  meeting_media_queue (media, remove_remote, name, g_free);
}

/* ---- Keys ---- */

typedef struct
{
  guint32 leaf, number;
  guint64 kid;
  SFrameSuite suite;
  Secret *key;
} Opening;

static void
free_opening (gpointer data)
{
  Opening *opening = data;
  secret_unref (opening->key);
  g_free (opening);
}

static void
open_key (ConclaveMeetingMedia *media, gpointer data)
{
  const Opening *opening = data;
  MeetingRemote *remote = NULL;

  for (GList *l = media->remotes; l && !remote; l = l->next) {
    MeetingRemote *candidate = l->data;
    if (candidate->leaf == opening->leaf
        && candidate->number == opening->number)
      remote = candidate;
  }
  if (!remote)
    return;
  g_autoptr (GBytes) key = meeting_secret_bytes (
      secret_bytes (opening->key), secret_len (opening->key));
  if (!key)
    return;
  /* Of a group all keys have one suite; and before the first one nothing is let in, so that it is set in time. */
  if (!remote->is_expected)
    gst_util_set_object_arg (G_OBJECT (remote->decryptor), "cipher-suite",
        sframe_suite_name (opening->suite));
  g_signal_emit_by_name (remote->decryptor, "set-key", opening->kid, key);
  expect_remote (media, remote);
}

void
meeting_media_open_key (ConclaveMeetingMedia *media, uint32_t leaf,
    uint32_t number, uint64_t kid, SFrameSuite suite, Secret *base_key)
{
  Opening *opening = g_new (Opening, 1);

  *opening = (Opening){ leaf, number, kid, suite, secret_ref (base_key) };
  meeting_media_queue (media, open_key, opening, free_opening);
}

static void
close_key (ConclaveMeetingMedia *media, gpointer data)
{
  guint64 kid = *(guint64 *) data;

  for (GList *l = media->remotes; l; l = l->next) {
    MeetingRemote *remote = l->data;
    g_signal_emit_by_name (remote->decryptor, "remove-key", kid);
  }
  meeting_publish_close_key (media, kid);
}

void
meeting_media_close_key (ConclaveMeetingMedia *media, uint64_t kid)
{
  meeting_media_queue (media, close_key, g_memdup2 (&kid, sizeof kid), g_free);
}

/* ---- Messages ---- */

static gpointer
dup_remote (gpointer remote, gpointer unused)
{
  return remote ? meeting_remote_ref (remote) : NULL;
}

static MeetingRemote *
remote_of (ConclaveMeetingMedia *media, GstObject *source)
{
  g_autoptr (GstObject) object = gst_object_ref (source);

  while (object) {
    MeetingRemote *remote = g_object_dup_qdata (
        G_OBJECT (object), remote_quark (), dup_remote, NULL);
    if (remote)
      return remote;
    GstObject *parent = gst_object_get_parent (object);
    gst_object_unref (object);
    object = parent;
  }
  return NULL;
}

static void
take_error (
    ConclaveMeetingMedia *media, MeetingRemote *remote, GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *debug = NULL;

  gst_message_parse_error (message, &error, &debug);
  if (!g_atomic_int_compare_and_exchange (&remote->ended, 0, 1))
    return;
  GST_ELEMENT_WARNING (media, STREAM, FAILED,
      ("The %s of %s can't be shown any more: %s", kind_name (remote),
          remote->fingerprint, error->message),
      ("%s", debug));
  meeting_media_queue (
      media, end_remote, meeting_remote_ref (remote), drop_remote);
}

/* Of the decryptor: the key does not fit, or there is none. */
static gboolean
take_warning (
    ConclaveMeetingMedia *media, MeetingRemote *remote, GstMessage *message)
{
  g_autoptr (GError) error = NULL;

  if (GST_MESSAGE_SRC (message) != GST_OBJECT (remote->decryptor))
    return FALSE;
  gst_message_parse_warning (message, &error, NULL);
  g_atomic_int_set (&remote->heard, 0);
  meeting_media_tell_key_state (
      media, remote->identity, remote->number, error->message);
  return TRUE;
}

gboolean
meeting_receive_take_message (ConclaveMeetingMedia *media, GstMessage *message)
{
  GstObject *source = GST_MESSAGE_SRC (message);
  gboolean taken = FALSE;

  if (!source
      || !(GST_MESSAGE_TYPE (message)
           & (GST_MESSAGE_ERROR | GST_MESSAGE_WARNING | GST_MESSAGE_EOS)))
    return FALSE;
  MeetingRemote *remote = remote_of (media, source);
  if (!remote)
    return FALSE;
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    take_error (media, remote, message);
    taken = TRUE;
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    taken = meeting_participant_take_eos (media, remote, message);
  else
    taken = take_warning (media, remote, message);
  meeting_remote_unref (remote);
  return taken;
}

/**
 * SECTION:element-sframedec
 * @title: sframedec
 *
 * Checks and decrypts what sframeenc, or another sender of SFrame (RFC 9605), made: one SFrame in is one frame out, with
 * the caps it had. A frame that is not authentic, seen before, or not encrypted at all never comes out: it is counted
 * under its cause in #ConclaveSFrameDec:stats, dropped, and upstream is asked for a keyframe.
 *
 * Keys come from #ConclaveSFrameDec:key-location or #ConclaveSFrameDec:key for #ConclaveSFrameDec:kid, live from
 * #ConclaveSFrameDec::set-key, or when they are first missed from a handler of #ConclaveSFrameDec::key-needed. With
 * #ConclaveSFrameDec:pending-time, frames whose key is on its way wait for it. A wrong key shows as a warning on the bus,
 * once per KID, and with #ConclaveSFrameDec:error-after as an error.
 *
 * After RTP only the codec is known: the size of VP8 pictures is read from the first keyframe, and frames before it,
 * which no decoder could use, are dropped.
 *
 * ## Threads
 * Frames are decrypted and pushed on the upstream streaming thread; frames that waited are also pushed by a helper thread
 * of GStreamer's, with the stream lock, once set-key has brought their key. Properties and actions may come from any
 * thread. The object lock is taken inside the key lock; nothing is called out with either held.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 udpsrc port=5000 caps="application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,a-sframe=(string)\"\"" ! rtpjitterbuffer ! rtpsframedepay ! sframedec kid=1 key-location=k ! vp8dec ! autovideosink
 * ]|
 * Plays what the example of sframeenc sends.
 *
 * Since: 0.1
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sframeelements.h"

#include "sframedec.h"

GST_DEBUG_CATEGORY (sframedec_debug);
#define GST_CAT_DEFAULT sframedec_debug

#define DEFAULT_REPLAY_WINDOW 1024
#define DEFAULT_MAX_PENDING_BYTES (1024 * 1024)
#define DEFAULT_KEYFRAME_INTERVAL (1 * GST_SECOND)

#define MIN_ASK_INTERVAL                                                      \
  10000 /* µs between two key-needed when so many KIDs were refused */
#define MAX_REFUSED_KIDS 1024 /* KIDs for which key-needed had no answer */

G_DEFINE_FINAL_TYPE (
    ConclaveSFrameDec, conclave_sframe_dec, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (
    sframedec, "sframedec", GST_RANK_SECONDARY, CONCLAVE_TYPE_SFRAME_DEC)

enum
{
  PROP_0,
  PROP_CIPHER_SUITE,
  PROP_KID,
  PROP_KEY,
  PROP_KEY_LOCATION,
  PROP_METADATA,
  PROP_RATCHET_BITS,
  PROP_PER_SSRC_KEYS,
  PROP_SSRC,
  PROP_REPLAY_WINDOW,
  PROP_PENDING_TIME,
  PROP_MAX_PENDING_BYTES,
  PROP_KID_MASK,
  PROP_KID_VALUE,
  PROP_KEYFRAME_INTERVAL,
  PROP_ERROR_AFTER,
  PROP_STATS
};

enum
{
  SIGNAL_KEY_NEEDED,
  SIGNAL_KID_AUTHENTICATED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (SFRAME_MEDIA_TYPE));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

/* --- Keys --- */

static DecoderKeysConfig
get_config (ConclaveSFrameDec *self)
{
  GST_OBJECT_LOCK (self);
  DecoderKeysConfig config = { self->settings.suite,
    self->settings.ratchet_bits, self->settings.per_ssrc_keys,
    self->replay_window };
  GST_OBJECT_UNLOCK (self);
  return config;
}

/* Takes up what changed of the properties. */
static gboolean
load_settings (ConclaveSFrameDec *self)
{
  g_autoptr (Secret) key = NULL;
  guint64 kid;

  if (!sframe_settings_load_key (
          GST_ELEMENT (self), &self->settings, &key, &kid))
    return FALSE;
  DecoderKeysConfig config = get_config (self);
  GST_OBJECT_LOCK (self);
  guint32 ssrc = self->settings.ssrc;
  g_autoptr (GBytes) aad =
      self->settings.metadata ? g_bytes_ref (self->settings.metadata) : NULL;
  GST_OBJECT_UNLOCK (self);

  g_mutex_lock (&self->key_lock);
  decoder_keys_configure (self->keys, &config);
  self->may_try_twice = config.ratchet_bits > 0;
  self->ssrc = ssrc;
  GBytes *old = self->aad;
  self->aad = g_steal_pointer (&aad);
  aad = old; /* freed on return, without the lock */
  if (key) {
    decoder_keys_set (self->keys, kid, key);
    self->key_epoch++;
    kid_set_clear (self->refused);
  }
  g_mutex_unlock (&self->key_lock);
  return TRUE;
}

/* A key has come: frames that waited for it need not wait for the next frame too. On a helper thread. */
static void
release_pending (GstElement *element, gpointer unused)
{
  ConclaveSFrameDec *self = CONCLAVE_SFRAME_DEC (element);
  GstPad *sink = GST_BASE_TRANSFORM_SINK_PAD (self);

  GST_PAD_STREAM_LOCK (sink);
  if (!GST_PAD_IS_FLUSHING (sink) && self->pool)
    sframe_dec_work_off_pending (self, FALSE);
  GST_PAD_STREAM_UNLOCK (sink);
}

static void
conclave_sframe_dec_set_key (
    ConclaveSFrameDec *self, guint64 kid, GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Secret) key = sframe_key_from_bytes (bytes, &error);

  if (!key) {
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS, ("%s.", error->message),
        ("KID %" G_GUINT64_FORMAT, kid));
    return;
  }
  DecoderKeysConfig config = get_config (self);

  g_mutex_lock (&self->key_lock);
  decoder_keys_configure (self->keys, &config);
  decoder_keys_set (self->keys, kid, key);
  self->key_epoch++;
  kid_set_clear (self->refused); /* whoever has a new key may have others */
  gboolean waiting = self->n_pending > 0;
  g_mutex_unlock (&self->key_lock);
  GST_INFO_OBJECT (self, "have the key of KID %" G_GUINT64_FORMAT, kid);
  if (waiting)
    gst_element_call_async (GST_ELEMENT (self), release_pending, NULL, NULL);
}

static void
conclave_sframe_dec_remove_key (ConclaveSFrameDec *self, guint64 kid)
{
  g_mutex_lock (&self->key_lock);
  decoder_keys_remove (self->keys, kid);
  kid_set_remove (self->refused, kid); /* it may be asked for again */
  g_mutex_unlock (&self->key_lock);
}

/* Whether the application is asked for a key. With the key lock held. */
static gboolean
may_ask (ConclaveSFrameDec *self, guint64 kid)
{
  gint64 now = g_get_monotonic_time ();

  if (kid_set_has (self->refused, kid) || decoder_keys_have (self->keys, kid))
    return FALSE;
  /* More KIDs than are remembered: somebody makes them up, and the application is not to be flooded too. */
  if (kid_set_is_full (self->refused)
      && now - self->last_ask < MIN_ASK_INTERVAL)
    return FALSE;
  self->last_ask = now;
  return TRUE;
}

gboolean
sframe_dec_ask_for_key (ConclaveSFrameDec *self, guint64 kid)
{
  g_autoptr (GBytes) answer = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (Secret) key = NULL;

  if (!g_signal_has_handler_pending (
          self, signals[SIGNAL_KEY_NEEDED], 0, FALSE))
    return FALSE;
  g_mutex_lock (&self->key_lock);
  gboolean ask = may_ask (self, kid);
  g_mutex_unlock (&self->key_lock);
  if (!ask)
    return FALSE;

  g_signal_emit (self, signals[SIGNAL_KEY_NEEDED], 0, kid, &answer);
  key = answer ? sframe_key_from_bytes (answer, &error) : NULL;
  if (error)
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS, ("%s.", error->message),
        ("answer of \"key-needed\" for KID %" G_GUINT64_FORMAT, kid));

  g_mutex_lock (&self->key_lock);
  if (key && decoder_keys_set (self->keys, kid, key))
    self->key_epoch++;
  gboolean have = decoder_keys_have (
      self->keys, kid); /* it may also have called set-key */
  if (!have)
    kid_set_add (self->refused, kid);
  g_mutex_unlock (&self->key_lock);
  return have;
}

void
sframe_dec_tell_authenticated (ConclaveSFrameDec *self, guint64 kid)
{
  g_signal_emit (self, signals[SIGNAL_KID_AUTHENTICATED], 0, kid);
}

static GstFlowReturn
conclave_sframe_dec_generate_output (GstBaseTransform *trans, GstBuffer **out)
{
  ConclaveSFrameDec *self = CONCLAVE_SFRAME_DEC (trans);
  g_autoptr (GstBuffer) in = g_steal_pointer (&trans->queued_buf);

  *out = NULL;
  if (!in)
    return GST_FLOW_OK;
  if (g_atomic_int_get (&self->settings.source.fresh) && !load_settings (self))
    return GST_FLOW_ERROR;

  /* GstBaseTransform would mark what comes next from this pad, which need not be what comes next: DISCONT is ours to
   * set. */
  GstFlowReturn flow = sframe_dec_take_frame (self, in, out);
  return flow == GST_BASE_TRANSFORM_FLOW_DROPPED ? GST_FLOW_OK : flow;
}

/* --- Negotiation and events --- */

static gboolean
lacks_vp8_size (const GstStructure *s)
{
  return gst_structure_has_name (s, "video/x-vp8")
         && !gst_structure_has_field (s, "width");
}

/* Muxers want a framerate too, as from the stock depayloader: 0/1 is variable. */
static void
set_vp8_size (GstCaps *caps, guint width, guint height)
{
  gst_caps_set_simple (caps, "width", G_TYPE_INT, (gint) width, "height",
      G_TYPE_INT, (gint) height, NULL);
  if (!gst_structure_has_field (gst_caps_get_structure (caps, 0), "framerate"))
    gst_caps_set_simple (caps, "framerate", GST_TYPE_FRACTION, 0, 1, NULL);
}

static GstCaps *
conclave_sframe_dec_transform_caps (GstBaseTransform *trans,
    GstPadDirection direction, GstCaps *caps, GstCaps *filter)
{
  ConclaveSFrameDec *self = CONCLAVE_SFRAME_DEC (trans);
  GstCaps *result;

  if (direction == GST_PAD_SINK) {
    result = sframe_caps_restore (caps);
    GST_OBJECT_LOCK (self);
    guint width = self->width, height = self->height;
    GST_OBJECT_UNLOCK (self);
    if (width != 0 && gst_caps_is_fixed (result)
        && lacks_vp8_size (gst_caps_get_structure (result, 0)))
      set_vp8_size (result, width, height);
  } else {
    /* Which suite and SSRC it will be is not known here. */
    result =
        sframe_caps_protect (caps, SFRAME_AES_256_GCM_SHA512_128, NO_SSRC);
    for (guint i = 0;
         !gst_caps_is_any (result) && i < gst_caps_get_size (result); i++)
      gst_structure_remove_field (
          gst_caps_get_structure (result, i), FIELD_SUITE);
  }
  if (filter) {
    GstCaps *filtered =
        gst_caps_intersect_full (filter, result, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (result);
    result = filtered;
  }
  return result;
}

/* Whatever comes is let through to sink_event(), where what cannot be gets a sentence instead of "not negotiated". */
static gboolean
conclave_sframe_dec_accept_caps (
    GstBaseTransform *trans, GstPadDirection direction, GstCaps *caps)
{
  if (direction == GST_PAD_SINK)
    return TRUE;
  return GST_BASE_TRANSFORM_CLASS (conclave_sframe_dec_parent_class)
      ->accept_caps (trans, direction, caps);
}

static gboolean
check_input_caps (ConclaveSFrameDec *self, GstCaps *caps)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);
  const gchar *suite = gst_structure_get_string (s, FIELD_SUITE);
  guint ssrc = NO_SSRC;

  if (!gst_structure_has_name (s, SFRAME_MEDIA_TYPE)
      || !gst_structure_get_string (s, FIELD_ORIGINAL_TYPE)) {
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE,
        ("These frames are not encrypted, and nothing unencrypted is let through: put sframeenc at the sender (and "
         "rtpsframedepay in front of this element if they come by RTP)."),
        ("caps %" GST_PTR_FORMAT, caps));
    return FALSE;
  }

  GST_OBJECT_LOCK (self);
  const gchar *own_suite = sframe_suite_name (self->settings.suite);
  gboolean needs_ssrc = self->settings.per_ssrc_keys
                        && !sframe_caps_is_rtp (caps)
                        && self->settings.ssrc == NO_SSRC;
  GST_OBJECT_UNLOCK (self);
  /* The suite is the user's choice: a stream that names another does not change it. */
  if (suite && !g_str_equal (suite, own_suite)) {
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE,
        ("The frames are encrypted with %s, but \"cipher-suite\" is %s: set the same on both sides.",
            suite, own_suite),
        (NULL));
    return FALSE;
  }
  if (needs_ssrc && !gst_structure_get_uint (s, FIELD_SSRC, &ssrc)) {
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS,
        ("\"per-ssrc-keys\" needs the SSRC of the RTP stream, and the caps do not tell it: set \"ssrc\"."),
        (NULL));
    return FALSE;
  }
  return TRUE;
}

/* What the frames after these caps are. */
static void
learn_caps (ConclaveSFrameDec *self, GstCaps *caps)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);
  const gchar *type = gst_structure_get_string (s, FIELD_ORIGINAL_TYPE);

  self->is_rtp = sframe_caps_is_rtp (caps);
  self->is_video =
      g_str_has_prefix (type, "video/") || g_str_has_prefix (type, "image/")
      || (self->is_rtp
          && g_strcmp0 (gst_structure_get_string (s, "media"), "video") == 0);
  self->is_vp8_of_unknown_size = g_str_equal (type, "video/x-vp8")
                                 && !gst_structure_has_field (s, "width");
  self->caps_ssrc = NO_SSRC;
  gst_structure_get_uint (s, FIELD_SSRC, &self->caps_ssrc);
}

/* TRUE when nothing but the SSRC differs from the caps before: then frames that wait go on waiting. */
static gboolean
remember_caps (ConclaveSFrameDec *self, GstCaps *caps)
{
  g_autoptr (GstCaps) bare = gst_caps_copy (caps);

  gst_structure_remove_field (gst_caps_get_structure (bare, 0), FIELD_SSRC);
  gboolean same = self->caps && gst_caps_is_strictly_equal (self->caps, bare);
  gst_caps_replace (&self->caps, bare);
  return same;
}

static gboolean
take_caps (ConclaveSFrameDec *self, GstEvent *event)
{
  GstCaps *caps;

  gst_event_parse_caps (event, &caps);
  if (!check_input_caps (self, caps) || !load_settings (self)) {
    gst_event_unref (event);
    return FALSE;
  }
  if (!remember_caps (self, caps)) {
    sframe_dec_work_off_pending (self, FALSE);
    sframe_dec_lose_pending (self);
  }
  learn_caps (self, caps);

  if (self->is_vp8_of_unknown_size && self->width == 0) {
    sframe_dec_hold (self, event);
    return TRUE;
  }
  return sframe_dec_chain_up_sink_event (self, event);
}

gboolean
sframe_dec_chain_up_sink_event (ConclaveSFrameDec *self, GstEvent *event)
{
  return GST_BASE_TRANSFORM_CLASS (conclave_sframe_dec_parent_class)
      ->sink_event (GST_BASE_TRANSFORM (self), event);
}

static gboolean
conclave_sframe_dec_sink_event (GstBaseTransform *trans, GstEvent *event)
{
  ConclaveSFrameDec *self = CONCLAVE_SFRAME_DEC (trans);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      return take_caps (self, event);
    case GST_EVENT_EOS:
    case GST_EVENT_STREAM_START:
      sframe_dec_send_held (self);
      sframe_dec_work_off_pending (self, TRUE);
      break;
    case GST_EVENT_SEGMENT:
      /* Frames that wait belong to the segment before. */
      sframe_dec_work_off_pending (self, TRUE);
      break;
    case GST_EVENT_FLUSH_STOP:
      sframe_dec_flush_pending (self);
      sframe_dec_flush_held (self);
      return sframe_dec_chain_up_sink_event (self, event);
    default:
      break;
  }
  /* Nothing serialized may overtake caps that wait for their size. */
  if (GST_EVENT_IS_SERIALIZED (event) && !g_queue_is_empty (&self->held)) {
    sframe_dec_hold (self, event);
    return TRUE;
  }
  return sframe_dec_chain_up_sink_event (self, event);
}

static gboolean
conclave_sframe_dec_query (
    GstBaseTransform *trans, GstPadDirection direction, GstQuery *query)
{
  return sframe_answer_scheduling (direction, query)
         || GST_BASE_TRANSFORM_CLASS (conclave_sframe_dec_parent_class)
                ->query (trans, direction, query);
}

/* --- States --- */

static GstStateChangeReturn
conclave_sframe_dec_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveSFrameDec *self = CONCLAVE_SFRAME_DEC (element);

  if ((transition == GST_STATE_CHANGE_NULL_TO_READY
          || transition == GST_STATE_CHANGE_READY_TO_PAUSED)
      && !load_settings (self))
    return GST_STATE_CHANGE_FAILURE;
  return GST_ELEMENT_CLASS (conclave_sframe_dec_parent_class)
      ->change_state (element, transition);
}

static gboolean
conclave_sframe_dec_start (GstBaseTransform *trans)
{
  ConclaveSFrameDec *self = CONCLAVE_SFRAME_DEC (trans);

  sframe_dec_start_frames (self);
  g_mutex_lock (&self->key_lock);
  self->failures = 0;
  kid_set_clear (self->refused);
  g_mutex_unlock (&self->key_lock);
  return TRUE;
}

static gboolean
conclave_sframe_dec_stop (GstBaseTransform *trans)
{
  sframe_dec_stop_frames (CONCLAVE_SFRAME_DEC (trans));
  return TRUE;
}

/* --- Object --- */

static GstStructure *
make_stats (ConclaveSFrameDec *self)
{
  GstStructure *stats =
      gst_structure_new_empty ("application/x-sframedec-stats");

  g_mutex_lock (&self->key_lock);
  gst_structure_set (stats, "received", G_TYPE_UINT64,
      (guint64) atomic_load_explicit (&self->n_received, memory_order_relaxed),
      NULL);
  for (guint i = 0; i < N_FATES; i++)
    gst_structure_set (stats, sframe_dec_fate_names[i], G_TYPE_UINT64,
        self->n_fates[i], NULL);
  gst_structure_set (stats, "pending", G_TYPE_UINT64,
      (guint64) self->n_pending, "counter-jumps", G_TYPE_UINT64, self->n_jumps,
      "keyframe-requests", G_TYPE_UINT64, self->n_keyframe_requests, "keys",
      G_TYPE_UINT, decoder_keys_count (self->keys), NULL);
  g_mutex_unlock (&self->key_lock);
  return stats;
}

static void
conclave_sframe_dec_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveSFrameDec *self = CONCLAVE_SFRAME_DEC (object);
  gboolean known = TRUE;

  if (sframe_settings_refuse (GST_ELEMENT (self), pspec))
    return;
  g_mutex_lock (&self->key_lock);
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_REPLAY_WINDOW:
      self->replay_window = g_value_get_uint (value);
      break;
    case PROP_PENDING_TIME:
      self->pending_time = g_value_get_uint64 (value);
      break;
    case PROP_MAX_PENDING_BYTES:
      self->max_pending_bytes = g_value_get_uint (value);
      break;
    case PROP_KID_MASK:
      self->kid_mask = g_value_get_uint64 (value);
      break;
    case PROP_KID_VALUE:
      self->kid_value = g_value_get_uint64 (value);
      break;
    case PROP_KEYFRAME_INTERVAL:
      self->keyframe_interval = g_value_get_uint64 (value);
      break;
    case PROP_ERROR_AFTER:
      self->error_after = g_value_get_uint (value);
      break;
    default:
      known = sframe_settings_set (&self->settings, pspec, value);
  }
  GST_OBJECT_UNLOCK (self);
  g_mutex_unlock (&self->key_lock);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
conclave_sframe_dec_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveSFrameDec *self = CONCLAVE_SFRAME_DEC (object);
  gboolean known = TRUE;

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  g_mutex_lock (&self->key_lock);
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_REPLAY_WINDOW:
      g_value_set_uint (value, self->replay_window);
      break;
    case PROP_PENDING_TIME:
      g_value_set_uint64 (value, self->pending_time);
      break;
    case PROP_MAX_PENDING_BYTES:
      g_value_set_uint (value, self->max_pending_bytes);
      break;
    case PROP_KID_MASK:
      g_value_set_uint64 (value, self->kid_mask);
      break;
    case PROP_KID_VALUE:
      g_value_set_uint64 (value, self->kid_value);
      break;
    case PROP_KEYFRAME_INTERVAL:
      g_value_set_uint64 (value, self->keyframe_interval);
      break;
    case PROP_ERROR_AFTER:
      g_value_set_uint (value, self->error_after);
      break;
    default:
      known = sframe_settings_get (&self->settings, pspec, value);
  }
  GST_OBJECT_UNLOCK (self);
  g_mutex_unlock (&self->key_lock);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
conclave_sframe_dec_finalize (GObject *object)
{
  ConclaveSFrameDec *self = CONCLAVE_SFRAME_DEC (object);

  decoder_keys_free (self->keys);
  g_clear_pointer (&self->aad, g_bytes_unref);
  kid_set_free (self->refused);
  sframe_settings_clear (&self->settings);
  g_mutex_clear (&self->key_lock);
  G_OBJECT_CLASS (conclave_sframe_dec_parent_class)->finalize (object);
}

static void
conclave_sframe_dec_init (ConclaveSFrameDec *self)
{
  sframe_settings_init (&self->settings);
  self->replay_window = DEFAULT_REPLAY_WINDOW;
  self->max_pending_bytes = DEFAULT_MAX_PENDING_BYTES;
  self->keyframe_interval = DEFAULT_KEYFRAME_INTERVAL;
  g_mutex_init (&self->key_lock);
  DecoderKeysConfig config = get_config (self);
  self->keys = decoder_keys_new (&config);
  self->refused = kid_set_new (MAX_REFUSED_KIDS);
  self->caps_ssrc = self->ssrc = NO_SSRC;
  g_queue_init (&self->pending);
  g_queue_init (&self->held);
}

static void
install_properties (GObjectClass *klass)
{
  const GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  sframe_install_common_properties (klass, PROP_CIPHER_SUITE, PROP_KID,
      PROP_KEY, PROP_KEY_LOCATION, PROP_METADATA, PROP_RATCHET_BITS,
      PROP_PER_SSRC_KEYS, PROP_SSRC);
  g_object_class_install_property (klass, PROP_REPLAY_WINDOW,
      g_param_spec_uint ("replay-window", "Replay window",
          "Counters, up to the highest seen, within which a frame may come late; older ones count as replayed",
          1, REPLAY_MAX_WINDOW, DEFAULT_REPLAY_WINDOW, ready));
  g_object_class_install_property (klass, PROP_PENDING_TIME,
      g_param_spec_uint64 ("pending-time", "Pending time",
          "How long frames wait for the key of a KID that has none yet, in ns; 0: they are dropped at once",
          0, G_MAXUINT64, 0, playing));
  g_object_class_install_property (klass, PROP_MAX_PENDING_BYTES,
      g_param_spec_uint ("max-pending-bytes", "Maximum pending bytes",
          "Room for frames that wait for a key, in bytes", 0, G_MAXUINT,
          DEFAULT_MAX_PENDING_BYTES, playing));
  g_object_class_install_property (klass, PROP_KID_MASK,
      g_param_spec_uint64 ("kid-mask", "KID mask",
          "Binds the decoder to one sender: frames with (KID & kid-mask) != kid-value are dropped as wrong-sender",
          0, G_MAXUINT64, 0, playing));
  g_object_class_install_property (klass, PROP_KID_VALUE,
      g_param_spec_uint64 ("kid-value", "KID value",
          "What KIDs have in common in the bits of \"kid-mask\"", 0,
          G_MAXUINT64, 0, playing));
  g_object_class_install_property (klass, PROP_KEYFRAME_INTERVAL,
      g_param_spec_uint64 ("keyframe-interval", "Keyframe interval",
          "After lost frames upstream is asked for a keyframe at most once in this time, in ns",
          0, G_MAXUINT64, DEFAULT_KEYFRAME_INTERVAL, playing));
  g_object_class_install_property (klass, PROP_ERROR_AFTER,
      g_param_spec_uint ("error-after", "Error after",
          "End with an error after this many frames in a row that could not be decrypted; 0: never",
          0, G_MAXUINT, 0, playing));

  /**
   * ConclaveSFrameDec:stats:
   *
   * `application/x-sframedec-stats`: `received` = `decrypted` + `pending` + the causes of dropping `truncated`,
   * `not-minimal`, `unknown-kid`, `unauthenticated`, `replayed`, `too-many-streams`, `malformed`, `wrong-sender`,
   * `waiting-keyframe`, `flushed`, `no-memory`. Besides: `counter-jumps`, `keyframe-requests`, `keys`.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Frames received, decrypted and dropped, by cause",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

/* The first handler that has the key ends the search; one that has none does not. */
static gboolean
first_answer_wins (GSignalInvocationHint *hint, GValue *result,
    const GValue *answer, gpointer unused)
{
  if (!g_value_get_boxed (answer))
    return TRUE;
  g_value_copy (answer, result);
  return FALSE;
}

static void
install_signals (ConclaveSFrameDecClass *klass)
{
  /**
   * ConclaveSFrameDec::key-needed:
   * @self: the element
   * @kid: the KID of a frame that has no key
   *
   * Asks for the key of a KID, once; after no answer not again until set-key was called or the element was restarted. On
   * the streaming thread, with no lock held but the stream lock: answer at once, or not and call set-key later.
   *
   * Returns: (nullable) (transfer full): the base key, at least 16 bytes
   *
   * Since: 0.1
   */
  signals[SIGNAL_KEY_NEEDED] =
      g_signal_new ("key-needed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST,
          0, first_answer_wins, NULL, NULL, G_TYPE_BYTES, 1, G_TYPE_UINT64);

  /**
   * ConclaveSFrameDec::kid-authenticated:
   * @self: the element
   * @kid: a KID whose key fits
   *
   * The first frame that is authentic under the key of a KID was accepted: its sender uses it. Once for each key that was
   * set, with `per-ssrc-keys` once for each stream, with a ratchet for each step. On the streaming thread, before the frame
   * goes out, with no lock held but the stream lock; all actions may be called.
   *
   * Since: 0.1
   */
  signals[SIGNAL_KID_AUTHENTICATED] = g_signal_new ("kid-authenticated",
      G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
      G_TYPE_NONE, 1, G_TYPE_UINT64);

  /**
   * ConclaveSFrameDec::set-key:
   * @self: the element
   * @kid: the KID
   * @key: the base key, at least 16 bytes; best made with g_bytes_new_with_free_func() over wiped memory
   *
   * Adds or replaces the key of a KID; the same key again changes nothing. Frames that waited for it go out. A key that is
   * too short is an error on the bus. From any thread.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("set-key", G_TYPE_FROM_CLASS (klass),
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (conclave_sframe_dec_set_key), NULL, NULL, NULL, G_TYPE_NONE,
      2, G_TYPE_UINT64, G_TYPE_BYTES);

  /**
   * ConclaveSFrameDec::remove-key:
   * @self: the element
   * @kid: the KID
   *
   * Wipes the key of a KID; key-needed may ask for it again. What it has
   * accepted is remembered, should the same key be set again. From any thread.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("remove-key", G_TYPE_FROM_CLASS (klass),
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (conclave_sframe_dec_remove_key), NULL, NULL, NULL,
      G_TYPE_NONE, 1, G_TYPE_UINT64);
}

static void
conclave_sframe_dec_class_init (ConclaveSFrameDecClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (
      sframedec_debug, "sframedec", 0, "SFrame decryption");

  object_class->set_property = conclave_sframe_dec_set_property;
  object_class->get_property = conclave_sframe_dec_get_property;
  object_class->finalize = conclave_sframe_dec_finalize;
  install_properties (object_class);
  install_signals (klass);

  element_class->change_state = conclave_sframe_dec_change_state;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "SFrame decryptor",
      "Decryptor",
      "Checks and decrypts media frames that were encrypted end to end (SFrame, RFC 9605)",
      "gst-conclave");
  gst_type_mark_as_plugin_api (CONCLAVE_TYPE_SFRAME_SUITE, 0);

  trans_class->transform_caps = conclave_sframe_dec_transform_caps;
  trans_class->accept_caps = conclave_sframe_dec_accept_caps;
  trans_class->sink_event = conclave_sframe_dec_sink_event;
  sframe_set_up_transform (trans_class);
  trans_class->generate_output = conclave_sframe_dec_generate_output;
  trans_class->query = conclave_sframe_dec_query;
  trans_class->start = conclave_sframe_dec_start;
  trans_class->stop = conclave_sframe_dec_stop;
}

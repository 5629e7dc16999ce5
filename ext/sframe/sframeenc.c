/**
 * SECTION:element-sframeenc
 * @title: sframeenc
 *
 * Encrypts media frames end to end (SFrame, RFC 9605): one buffer in is one SFrame out. Any media type passes, encoded
 * or raw; `video/x-vp8,…` becomes `application/x-sframe,original-media-type=(string)video/x-vp8,cipher-suite=…,…`, which
 * sframedec turns back. Of `application/x-rtp` only the payload is encrypted, so that `rtpsframepay` can send packet by
 * packet.
 *
 * The key comes from #ConclaveSFrameEnc:key-location, #ConclaveSFrameEnc:key, or live from #ConclaveSFrameEnc::set-key.
 * There is no pass-through: what cannot be encrypted is not sent. A counter is never used twice under one key and KID,
 * whatever flushes, states and keys do; each key starts at a random counter, so that not even two runs with the same key
 * share one.
 *
 * ## Threads
 * Frames are encrypted on the upstream streaming thread, under the key lock. Properties and actions may come from any
 * thread. Of the two locks, object lock and key lock, neither is taken
 * inside the other, and nothing is called out with one held.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=100 ! vp8enc deadline=1 ! sframeenc kid=1 key-location=k ! rtpsframepay ! udpsink host=127.0.0.1 port=5000
 * ]|
 * Sends VP8 over RTP that only a holder of the key in the file `k` can read. Make a key with `openssl rand -hex 32 > k`.
 *
 * Since: 0.1
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sframeelements.h"

#include <gst/base/gstbasetransform.h>
#include <gst/video/video.h>

#include "counterledger.h"
#include "framepool.h"
#include "sframecommon.h"

GST_DEBUG_CATEGORY_STATIC (sframeenc_debug);
#define GST_CAT_DEFAULT sframeenc_debug

#define CONCLAVE_TYPE_SFRAME_ENC (conclave_sframe_enc_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveSFrameEnc, conclave_sframe_enc, CONCLAVE,
    SFRAME_ENC, GstBaseTransform)

/* The key in use. The base key stays for the ratchet and for keys of further SSRCs. */
typedef struct
{
  guint64 kid;
  Secret *base_key;
  guint32 ssrc; /* that `key` is derived for, where keys are per SSRC */
  guint64
      first_kid; /* as set, wherever the ratchet is by now; and its key's print: the key itself is gone with the first step */
  KeyPrint first;
  KeyPrint print; /* of `key` */
  SFrameKey *key; /* NULL: none yet for the SSRC */
} SendingKey;

struct _ConclaveSFrameEnc
{
  GstBaseTransform parent;

  /* object lock */
  SFrameSettings settings;
  guint64 initial_counter;

  /* key lock: the key, and what was counted with it */
  GMutex key_lock;
  SFrameSuite running_suite; /* what `sending` is derived for */
  gboolean
      for_ssrc; /* these four follow the properties, which are fixed while frames flow */
  guint32 ssrc;
  guint64 first_counter;
  GBytes *aad; /* or NULL */
  gboolean
      was_keyed; /* a key was configured or set since the object was made */
  SendingKey sending; /* base_key NULL: none */
  CounterLedger *ledger;
  guint64 n_received, n_encrypted, n_no_key, n_malformed, n_bytes_in,
      n_bytes_out;

  /* streaming thread */
  FramePool *pool;
  gboolean is_rtp;
  gboolean is_raw_video;
  GstVideoInfo video_info;
  gboolean warned_no_key;
};

G_DEFINE_FINAL_TYPE (
    ConclaveSFrameEnc, conclave_sframe_enc, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (
    sframeenc, "sframeenc", GST_RANK_NONE, CONCLAVE_TYPE_SFRAME_ENC)

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
  PROP_INITIAL_COUNTER,
  PROP_STATS
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (SFRAME_MEDIA_TYPE));

/* --- The key. All of this with the key lock held. --- */

static void
put_key_away (ConclaveSFrameEnc *self)
{
  SendingKey *sending = &self->sending;
  guint64 next;

  if (!sending->key)
    return;
  gboolean left = sframe_key_next_ctr (sending->key, &next);
  counter_ledger_retire (self->ledger, &sending->print, next, !left);
  g_clear_pointer (&sending->key, sframe_key_free);
}

/* Makes `sending.key` from the base key, for `ssrc` where keys are per SSRC. The key counts on from where it was put
 * away, if it ever was. */
static gboolean
take_key_up (ConclaveSFrameEnc *self, guint32 ssrc)
{
  SendingKey *sending = &self->sending;
  g_autoptr (Secret) base = self->for_ssrc ? sframe_ssrc_key (
                                self->running_suite, sending->base_key, ssrc)
                                           : secret_ref (sending->base_key);
  guint64 ctr;

  put_key_away (self);
  if (!base)
    return FALSE;
  sending->ssrc = ssrc;
  sending->print = counter_ledger_print (
      self->ledger, self->running_suite, sending->kid, base);
  gboolean left = counter_ledger_start (
      self->ledger, &sending->print, self->first_counter, &ctr);
  sending->key = sframe_key_new (self->running_suite, sending->kid, base, ctr);
  if (sending->key && !left)
    sframe_key_spend (sending->key);
  return sending->key != NULL;
}

static void
drop_base_key (ConclaveSFrameEnc *self)
{
  put_key_away (self);
  g_clear_pointer (&self->sending.base_key, secret_unref);
}

/* A key that is in use already, ratcheted or not, changes nothing when it is set again. */
static void
use_base_key (ConclaveSFrameEnc *self, guint64 kid, Secret *base_key)
{
  SendingKey *sending = &self->sending;
  KeyPrint print = counter_ledger_print (self->ledger, 0, kid, base_key);

  self->was_keyed = TRUE;
  if (sending->base_key && sending->first_kid == kid
      && key_print_equal (&sending->first, &print))
    return;
  drop_base_key (self);
  sending->kid = sending->first_kid = kid;
  sending->first = print;
  sending->base_key = secret_ref (base_key);
}

/* Takes up what changed of the properties. */
static gboolean
load_settings (ConclaveSFrameEnc *self)
{
  g_autoptr (Secret) key = NULL;
  guint64 kid;

  if (!sframe_settings_load_key (
          GST_ELEMENT (self), &self->settings, &key, &kid))
    return FALSE;
  GST_OBJECT_LOCK (self);
  SFrameSuite suite = self->settings.suite;
  gboolean for_ssrc = self->settings.per_ssrc_keys;
  guint32 ssrc = self->settings.ssrc;
  guint64 first_counter = self->initial_counter;
  g_autoptr (GBytes) aad =
      self->settings.metadata ? g_bytes_ref (self->settings.metadata) : NULL;
  GST_OBJECT_UNLOCK (self);

  g_mutex_lock (&self->key_lock);
  if (suite != self->running_suite || for_ssrc != self->for_ssrc)
    put_key_away (self);
  self->running_suite = suite;
  self->for_ssrc = for_ssrc;
  self->ssrc = ssrc;
  self->first_counter = first_counter;
  GBytes *old = self->aad;
  self->aad = g_steal_pointer (&aad);
  aad = old; /* freed on return, without the lock */
  if (key)
    use_base_key (self, kid, key);
  g_mutex_unlock (&self->key_lock);
  return TRUE;
}

/* --- Actions --- */

static void
conclave_sframe_enc_set_key (
    ConclaveSFrameEnc *self, guint64 kid, GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Secret) key = sframe_key_from_bytes (bytes, &error);

  if (!key) {
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS, ("%s.", error->message),
        ("KID %" G_GUINT64_FORMAT, kid));
    return;
  }
  g_mutex_lock (&self->key_lock);
  use_base_key (self, kid, key);
  g_mutex_unlock (&self->key_lock);
  GST_INFO_OBJECT (self,
      "sending with KID %" G_GUINT64_FORMAT " from the next frame on", kid);
}

static void
conclave_sframe_enc_remove_key (ConclaveSFrameEnc *self, guint64 kid)
{
  GST_OBJECT_LOCK (self);
  guint bits = self->settings.ratchet_bits;
  GST_OBJECT_UNLOCK (self);

  /* Whoever removes a key may not know which step it is at. */
  g_mutex_lock (&self->key_lock);
  if (self->sending.base_key && self->sending.kid >> bits == kid >> bits)
    drop_base_key (self);
  g_mutex_unlock (&self->key_lock);
}

/* RFC 9605, 5.1. */
static void
conclave_sframe_enc_ratchet (ConclaveSFrameEnc *self)
{
  SendingKey *sending = &self->sending;

  /* Suite and key may still be as they were set, before the first frame. */
  if (!load_settings (self))
    return;
  GST_OBJECT_LOCK (self);
  guint bits = self->settings.ratchet_bits;
  GST_OBJECT_UNLOCK (self);
  if (bits == 0) {
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("Cannot ratchet the key: \"ratchet-bits\" is 0."), (NULL));
    return;
  }

  g_mutex_lock (&self->key_lock);
  guint64 mask = (G_GUINT64_CONSTANT (1) << bits) - 1;
  Secret *next = sending->base_key
                     ? sframe_ratchet (self->running_suite, sending->base_key)
                     : NULL;
  if (next) {
    drop_base_key (self);
    sending->kid = (sending->kid & ~mask) | ((sending->kid + 1) & mask);
    sending->base_key = next;
  }
  g_mutex_unlock (&self->key_lock);
  if (!next)
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("Cannot ratchet the key: there is none."), (NULL));
}

/* --- Frames --- */

typedef struct
{
  SFrameResult result;
  gboolean no_key;
  gboolean never_keyed;
  guint64 kid;
} Outcome;

/* The frame's ciphertext to `out`, which has room for it at `extent->offset`. A frame in one memory is encrypted from
 * there. One in several is gathered where its ciphertext will be and encrypted in place: mapping it whole would allocate. */
static SFrameResult
encrypt_to (ConclaveSFrameEnc *self, GstBuffer *in, const FrameExtent *extent,
    guint8 *out, gsize room)
{
  gsize header =
            room - extent->size - sframe_suite_tag_len (self->running_suite),
        aad_len = 0, len;
  const guint8 *aad =
      self->aad ? g_bytes_get_data (self->aad, &aad_len) : NULL;
  guint8 *sframe = out + extent->offset, *frame = sframe + header;
  GstMapInfo from;

  gboolean mapped = sframe_map_single (in, &from, GST_MAP_READ);
  if (mapped)
    frame = from.data + extent->offset;
  else if (gst_buffer_extract (in, extent->offset, frame, extent->size)
           != extent->size)
    return SFRAME_FAILED;
  if (extent->offset > 0) {
    gst_buffer_extract (in, 0, out, extent->offset);
    out[0] &= (guint8) ~0x20; /* RFC 3550, 5.1: padding is not carried over */
  }
  SFrameResult result = sframe_encrypt (self->sending.key, aad, aad_len, frame,
      extent->size, sframe, room, &len);
  if (mapped)
    gst_memory_unmap (from.memory, &from);
  return result;
}

/* Encrypts what lies at `extent` of `in` to a buffer of the pool; NULL when `outcome` says why. */
static GstBuffer *
encrypt (ConclaveSFrameEnc *self, GstBuffer *in, const FrameExtent *extent,
    Outcome *outcome)
{
  SendingKey *sending = &self->sending;
  GstBuffer *out = NULL;
  GstMapInfo to;

  g_mutex_lock (&self->key_lock);
  self->n_received++;
  guint32 ssrc = self->is_rtp ? extent->ssrc : self->ssrc;
  *outcome = (Outcome){ SFRAME_FAILED, !sending->base_key, !self->was_keyed,
    sending->kid };
  if (!sending->base_key)
    goto done;
  if ((!sending->key || (self->for_ssrc && sending->ssrc != ssrc))
      && !take_key_up (self, ssrc))
    goto done;

  gsize room = extent->size + sframe_key_overhead (sending->key);
  out = frame_pool_acquire (self->pool, extent->offset + room);
  if (!out || !sframe_map_single (out, &to, GST_MAP_WRITE))
    goto done;
  outcome->result = encrypt_to (self, in, extent, to.data, room);
  gst_memory_unmap (to.memory, &to);
  gst_buffer_set_size (out, (gssize) (extent->offset + room));
  if (outcome->result == SFRAME_OK) {
    self->n_encrypted++;
    self->n_bytes_in += extent->size;
    self->n_bytes_out += room;
  }

done:
  self->n_no_key += outcome->no_key;
  g_mutex_unlock (&self->key_lock);
  if (outcome->result != SFRAME_OK)
    gst_clear_buffer (&out);
  return out;
}

/* Says why a frame was not encrypted: an error the first time there is nothing to be done about it. */
static GstFlowReturn
refuse_frame (ConclaveSFrameEnc *self, const Outcome *outcome)
{
  if (outcome->no_key && outcome->never_keyed) {
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS,
        ("%s has no key, and nothing is sent unencrypted: set \"key-location\" to a file with a key (openssl rand -hex 32 "
         "> FILE), or call \"set-key\" before the first frame.",
            GST_OBJECT_NAME (self)),
        (NULL));
    return GST_FLOW_ERROR;
  }

  if (outcome->no_key) {
    if (!self->warned_no_key)
      GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
          ("The key was removed: frames are dropped until \"set-key\" gives another."),
          (NULL));
    self->warned_no_key = TRUE;
    return GST_BASE_TRANSFORM_FLOW_DROPPED;
  }

  if (outcome->result == SFRAME_COUNTER_SPENT)
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("The key of KID %" G_GUINT64_FORMAT
         " has encrypted as many frames as it may: use a new key.",
            outcome->kid),
        ("counter 2^64 - 1 is used"));
  else
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("A frame could not be encrypted with the key of KID %" G_GUINT64_FORMAT
         ".",
            outcome->kid),
        ("result %d: memory is short, or a library refuses", outcome->result));
  return GST_FLOW_ERROR;
}

/* A raw picture whose rows or planes lie elsewhere than its caps say (GstVideoMeta, which stays here) is laid out anew.
 * Takes `in`. */
static GstBuffer *
lay_out_plainly (ConclaveSFrameEnc *self, GstBuffer *in)
{
  const GstVideoInfo *info = &self->video_info;
  GstVideoMeta *meta = gst_buffer_get_video_meta (in);
  gboolean plain = TRUE;

  if (!meta)
    return in;
  for (guint i = 0; i < meta->n_planes; i++)
    plain &= meta->offset[i] == info->offset[i]
             && meta->stride[i] == info->stride[i];
  if (plain)
    return in;

  GstBuffer *out = gst_buffer_new_allocate (NULL, info->size, NULL);
  GstVideoFrame from, to;
  gboolean ok = out && gst_video_frame_map (&from, info, in, GST_MAP_READ);
  if (ok) {
    ok = gst_video_frame_map (&to, info, out, GST_MAP_WRITE);
    if (ok) {
      gst_video_frame_copy (&to, &from);
      gst_video_frame_unmap (&to);
      sframe_copy_metadata (out, in);
    }
    gst_video_frame_unmap (&from);
  }
  if (!ok)
    gst_clear_buffer (&out);
  gst_buffer_unref (in);
  return out;
}

static GstFlowReturn
conclave_sframe_enc_generate_output (GstBaseTransform *trans, GstBuffer **out)
{
  ConclaveSFrameEnc *self = CONCLAVE_SFRAME_ENC (trans);
  g_autoptr (GstBuffer) in = g_steal_pointer (&trans->queued_buf);
  FrameExtent extent;
  Outcome outcome;

  *out = NULL;
  if (!in)
    return GST_FLOW_OK;
  if (g_atomic_int_get (&self->settings.source.fresh) && !load_settings (self))
    return GST_FLOW_ERROR;
  if (self->is_raw_video
      && !(in = lay_out_plainly (self, g_steal_pointer (&in))))
    return GST_FLOW_ERROR;

  if (!sframe_frame_extent (in, self->is_rtp, &extent)) {
    g_mutex_lock (&self->key_lock);
    self->n_received++;
    self->n_malformed++;
    g_mutex_unlock (&self->key_lock);
    return GST_BASE_TRANSFORM_FLOW_DROPPED;
  }

  *out = encrypt (self, in, &extent, &outcome);
  if (!*out)
    return refuse_frame (self, &outcome);
  sframe_copy_metadata (*out, in);
  /* The counter shows no gap where frames had no key: nobody but us can ask
   * for a frame that decoders can start from. */
  if (self->warned_no_key)
    gst_pad_push_event (GST_BASE_TRANSFORM_SINK_PAD (trans),
        gst_video_event_new_upstream_force_key_unit (
            GST_CLOCK_TIME_NONE, TRUE, 0));
  self->warned_no_key = FALSE;
  return GST_FLOW_OK;
}

/* --- Negotiation --- */

static GstCaps *
conclave_sframe_enc_transform_caps (GstBaseTransform *trans,
    GstPadDirection direction, GstCaps *caps, GstCaps *filter)
{
  ConclaveSFrameEnc *self = CONCLAVE_SFRAME_ENC (trans);
  GstCaps *result;

  if (direction == GST_PAD_SINK) {
    GST_OBJECT_LOCK (self);
    SFrameSuite suite = self->settings.suite;
    guint ssrc = self->settings.per_ssrc_keys ? self->settings.ssrc : NO_SSRC;
    GST_OBJECT_UNLOCK (self);
    result = sframe_caps_protect (caps, suite, ssrc);
  } else {
    result = sframe_caps_restore (caps);
  }
  if (filter) {
    GstCaps *filtered =
        gst_caps_intersect_full (filter, result, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (result);
    result = filtered;
  }
  return result;
}

/* What cannot be encrypted is let through to sink_event(), where it gets a sentence instead of "not negotiated". */
static gboolean
conclave_sframe_enc_accept_caps (
    GstBaseTransform *trans, GstPadDirection direction, GstCaps *caps)
{
  if (direction == GST_PAD_SINK)
    return TRUE;
  return GST_BASE_TRANSFORM_CLASS (conclave_sframe_enc_parent_class)
      ->accept_caps (trans, direction, caps);
}

static gboolean
check_input_caps (ConclaveSFrameEnc *self, GstCaps *caps)
{
  g_autoptr (GstCaps) protected =
      sframe_caps_protect (caps, SFRAME_AES_256_GCM_SHA512_128, NO_SSRC);

  if (!gst_caps_is_empty (protected))
    return TRUE;
  if (gst_structure_has_name (
          gst_caps_get_structure (caps, 0), SFRAME_MEDIA_TYPE))
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE,
        ("The frames are SFrames already: take one of the two sframeenc out of the pipeline."),
        ("caps %" GST_PTR_FORMAT, caps));
  else
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE,
        ("These frames cannot be encrypted: they are encrypted already, or lie in memory of a device (put an element in "
         "front that downloads them, such as gldownload)."),
        ("caps %" GST_PTR_FORMAT, caps));
  return FALSE;
}

static gboolean
conclave_sframe_enc_sink_event (GstBaseTransform *trans, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    GstCaps *caps;
    gst_event_parse_caps (event, &caps);
    if (!check_input_caps (CONCLAVE_SFRAME_ENC (trans), caps)) {
      gst_event_unref (event);
      return FALSE;
    }
  }
  return GST_BASE_TRANSFORM_CLASS (conclave_sframe_enc_parent_class)
      ->sink_event (trans, event);
}

static gboolean
conclave_sframe_enc_set_caps (
    GstBaseTransform *trans, GstCaps *in, GstCaps *out)
{
  ConclaveSFrameEnc *self = CONCLAVE_SFRAME_ENC (trans);
  const GstStructure *s = gst_caps_get_structure (in, 0);

  if (!load_settings (self))
    return FALSE;
  self->is_rtp = sframe_caps_is_rtp (in);
  self->is_raw_video = gst_structure_has_name (s, "video/x-raw")
                       && gst_video_info_from_caps (&self->video_info, in);

  GST_OBJECT_LOCK (self);
  gboolean lacks_ssrc = self->settings.per_ssrc_keys && !self->is_rtp
                        && self->settings.ssrc == NO_SSRC;
  GST_OBJECT_UNLOCK (self);
  if (lacks_ssrc) {
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS,
        ("\"per-ssrc-keys\" needs the SSRC of the RTP stream: set \"ssrc\" here; rtpsframepay takes it over."),
        (NULL));
    return FALSE;
  }
  return TRUE;
}

static gboolean
conclave_sframe_enc_query (
    GstBaseTransform *trans, GstPadDirection direction, GstQuery *query)
{
  return sframe_answer_scheduling (direction, query)
         || GST_BASE_TRANSFORM_CLASS (conclave_sframe_enc_parent_class)
                ->query (trans, direction, query);
}

/* --- States --- */

static GstStateChangeReturn
conclave_sframe_enc_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveSFrameEnc *self = CONCLAVE_SFRAME_ENC (element);

  if ((transition == GST_STATE_CHANGE_NULL_TO_READY
          || transition == GST_STATE_CHANGE_READY_TO_PAUSED)
      && !load_settings (self))
    return GST_STATE_CHANGE_FAILURE;
  return GST_ELEMENT_CLASS (conclave_sframe_enc_parent_class)
      ->change_state (element, transition);
}

static gboolean
conclave_sframe_enc_start (GstBaseTransform *trans)
{
  ConclaveSFrameEnc *self = CONCLAVE_SFRAME_ENC (trans);
  self->pool = frame_pool_new ();
  self->warned_no_key = FALSE;
  return TRUE;
}

static gboolean
conclave_sframe_enc_stop (GstBaseTransform *trans)
{
  g_clear_pointer (&CONCLAVE_SFRAME_ENC (trans)->pool, frame_pool_free);
  return TRUE;
}

/* --- Object --- */

static GstStructure *
make_stats (ConclaveSFrameEnc *self)
{
  guint64 ctr = 0;

  g_mutex_lock (&self->key_lock);
  gboolean keyed =
      self->sending.key && sframe_key_next_ctr (self->sending.key, &ctr);
  GstStructure *stats = gst_structure_new ("application/x-sframeenc-stats",
      "received", G_TYPE_UINT64, self->n_received, "encrypted", G_TYPE_UINT64,
      self->n_encrypted, "no-key", G_TYPE_UINT64, self->n_no_key, "malformed",
      G_TYPE_UINT64, self->n_malformed, "bytes-in", G_TYPE_UINT64,
      self->n_bytes_in, "bytes-out", G_TYPE_UINT64, self->n_bytes_out,
      "has-key", G_TYPE_BOOLEAN, self->sending.base_key != NULL, "kid",
      G_TYPE_UINT64, self->sending.kid, "next-counter", G_TYPE_UINT64,
      keyed ? ctr : 0, NULL);
  g_mutex_unlock (&self->key_lock);
  return stats;
}

static void
conclave_sframe_enc_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveSFrameEnc *self = CONCLAVE_SFRAME_ENC (object);

  if (sframe_settings_refuse (GST_ELEMENT (self), pspec))
    return;
  GST_OBJECT_LOCK (self);
  gboolean known = id == PROP_INITIAL_COUNTER
                   || sframe_settings_set (&self->settings, pspec, value);
  if (id == PROP_INITIAL_COUNTER)
    self->initial_counter = g_value_get_uint64 (value);
  GST_OBJECT_UNLOCK (self);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
conclave_sframe_enc_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveSFrameEnc *self = CONCLAVE_SFRAME_ENC (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  gboolean known = id == PROP_INITIAL_COUNTER
                   || sframe_settings_get (&self->settings, pspec, value);
  if (id == PROP_INITIAL_COUNTER)
    g_value_set_uint64 (value, self->initial_counter);
  GST_OBJECT_UNLOCK (self);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
conclave_sframe_enc_finalize (GObject *object)
{
  ConclaveSFrameEnc *self = CONCLAVE_SFRAME_ENC (object);

  drop_base_key (self);
  counter_ledger_free (self->ledger);
  g_clear_pointer (&self->aad, g_bytes_unref);
  sframe_settings_clear (&self->settings);
  g_mutex_clear (&self->key_lock);
  G_OBJECT_CLASS (conclave_sframe_enc_parent_class)->finalize (object);
}

static void
conclave_sframe_enc_init (ConclaveSFrameEnc *self)
{
  sframe_settings_init (&self->settings);
  self->running_suite = self->settings.suite;
  self->initial_counter = self->first_counter = G_MAXUINT64;
  self->ssrc = NO_SSRC;
  self->ledger = counter_ledger_new ();
  g_mutex_init (&self->key_lock);
}

static void
install_properties (GObjectClass *klass)
{
  const GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  sframe_install_common_properties (klass, PROP_CIPHER_SUITE, PROP_KID,
      PROP_KEY, PROP_KEY_LOCATION, PROP_METADATA, PROP_RATCHET_BITS,
      PROP_PER_SSRC_KEYS, PROP_SSRC);

  /**
   * ConclaveSFrameEnc:initial-counter:
   *
   * The counter of a key's first frame. The default draws it at random for each key, so that two runs with the same key
   * do not share counters. Set it only for keys that are never used again, not even by another process: 0 makes the
   * shortest headers.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_INITIAL_COUNTER,
      g_param_spec_uint64 ("initial-counter", "Initial counter",
          "Counter of a key's first frame; default: random. Set it (0 gives the shortest headers) only for keys that "
          "no other run has used or will use",
          0, G_MAXUINT64, G_MAXUINT64, ready));

  /**
   * ConclaveSFrameEnc:stats:
   *
   * `application/x-sframeenc-stats`: `received` = `encrypted` + `no-key` + `malformed` (unless an error ended the
   * stream), `bytes-in`, `bytes-out`, `has-key`, `kid`, `next-counter`.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Frames received, encrypted and dropped (by cause), and the KID in use",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
conclave_sframe_enc_class_init (ConclaveSFrameEncClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (
      sframeenc_debug, "sframeenc", 0, "SFrame encryption");

  object_class->set_property = conclave_sframe_enc_set_property;
  object_class->get_property = conclave_sframe_enc_get_property;
  object_class->finalize = conclave_sframe_enc_finalize;
  install_properties (object_class);

  /**
   * ConclaveSFrameEnc::set-key:
   * @self: the element
   * @kid: the KID that frames will carry
   * @key: the base key, at least 16 bytes; best made with g_bytes_new_with_free_func() over wiped memory
   *
   * Encrypts with this key from the next frame on. The key before it is put away; set again, it goes on counting where
   * it stopped. A key that is too short is an error on the bus. From any thread.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("set-key", G_TYPE_FROM_CLASS (klass),
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (conclave_sframe_enc_set_key), NULL, NULL, NULL, G_TYPE_NONE,
      2, G_TYPE_UINT64, G_TYPE_BYTES);

  /**
   * ConclaveSFrameEnc::remove-key:
   * @self: the element
   * @kid: the KID of the key
   *
   * Wipes the key if it is the one in use, with `ratchet-bits` at whatever step: frames are dropped until another is
   * set. From any thread.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("remove-key", G_TYPE_FROM_CLASS (klass),
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (conclave_sframe_enc_remove_key), NULL, NULL, NULL,
      G_TYPE_NONE, 1, G_TYPE_UINT64);

  /**
   * ConclaveSFrameEnc::ratchet:
   * @self: the element
   *
   * Steps the key on (RFC 9605, 5.1) from the next frame on and wipes the one before, which then cannot be had any more.
   * Receivers with the same `ratchet-bits` follow by themselves. From any thread.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("ratchet", G_TYPE_FROM_CLASS (klass),
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (conclave_sframe_enc_ratchet), NULL, NULL, NULL, G_TYPE_NONE,
      0);

  element_class->change_state = conclave_sframe_enc_change_state;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "SFrame encryptor",
      "Encryptor", "Encrypts media frames end to end (SFrame, RFC 9605)",
      "gst-conclave");
  gst_type_mark_as_plugin_api (CONCLAVE_TYPE_SFRAME_SUITE, 0);

  trans_class->transform_caps = conclave_sframe_enc_transform_caps;
  trans_class->accept_caps = conclave_sframe_enc_accept_caps;
  trans_class->sink_event = conclave_sframe_enc_sink_event;
  trans_class->set_caps = conclave_sframe_enc_set_caps;
  sframe_set_up_transform (trans_class);
  trans_class->generate_output = conclave_sframe_enc_generate_output;
  trans_class->query = conclave_sframe_enc_query;
  trans_class->start = conclave_sframe_enc_start;
  trans_class->stop = conclave_sframe_enc_stop;
}

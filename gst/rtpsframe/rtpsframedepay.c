/* rtpsframedepay: SFrames out of RTP packets.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * SECTION:element-rtpsframedepay
 * @title: rtpsframedepay
 * @see_also: rtpsframepay, sframedec
 *
 * Puts SFrames (RFC 9605) together from RTP packets as draft-ietf-avtcore-rtp-sframe-02 says, for sframedec to decrypt.
 * RTP caps must carry `a-sframe=(string)""` (SDP: `a=sframe`); `encoding-name` names the codec inside. Packets must
 * come in order: behind an rtpjitterbuffer.
 *
 * The sender's choice is followed packet by packet:
 *
 * - T=0, whole frames: caps are `application/x-sframe, original-media-type=…` with what RTP tells about the codec, and
 *   `sframe-ssrc`, the SSRC of the packets, from which sframedec derives keys per SSRC where that is in use. Whether a
 *   frame is a keyframe is encrypted, so DELTA_UNIT is never set.
 * - T=1, "per-packet": caps are `application/x-sframe, original-media-type=application/x-rtp` with the RTP fields; a
 *   buffer is an RTP header and an SFrame. `sframedec ! rtpXdepay` follows. Sequence numbers are this element's own,
 *   without a gap where a unit took several packets, and with one for each lost unit.
 *
 * A change of T or SSRC is a change of caps.
 *
 * An SFrame arrives whole or not at all. Bad packets are dropped, counted by cause in #ConclaveRtpSFrameDepay:stats,
 * and never an error; after a loss in a video stream a keyframe is asked for upstream (GstForceKeyUnit), at most once
 * per #ConclaveRtpSFrameDepay:keyframe-interval, and the next buffer has DISCONT.
 *
 * *Threads*: none of its own. Packets are put together in the thread that pushes them; properties may be read and set
 * from any thread.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 udpsrc port=5000 caps="application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,a-sframe=(string)\"\"" ! rtpjitterbuffer ! rtpsframedepay ! sframedec kid=1 key-location=k ! vp8dec ! videoconvert ! autovideosink
 * ]| Receives and decrypts; `k` holds the key that the sender has.
 *
 * Since: 0.1
 */
#include "gst/rtpsframe/rtpsframe.h"
#include "gst/rtpsframe/openframe.h"
#include "gst/rtpsframe/reassembly.h"

#include <gst/rtp/rtp.h>
#include <gst/video/video.h>

GST_DEBUG_CATEGORY_STATIC (rtpsframedepay_debug);
#define GST_CAT_DEFAULT rtpsframedepay_debug

/* 2 MiB is a large keyframe; a SFrame of 4K intra-only video fits too. */
#define DEFAULT_MAX_FRAME_SIZE (16 * 1024 * 1024)
#define DEFAULT_KEYFRAME_INTERVAL GST_SECOND

static const char *const drop_names[DROP_N] = {
  [DROP_INVALID_RTP] = "invalid-rtp",
  [DROP_DUPLICATE] = "duplicate",
  [DROP_NO_DESCRIPTOR] = "no-descriptor",
  [DROP_EMPTY_FRAGMENT] = "empty-fragment",
  [DROP_NO_START] = "no-start",
  [DROP_NO_END] = "no-end",
  [DROP_INCOMPLETE] = "incomplete",
  [DROP_TIMESTAMP_CHANGED] = "timestamp-changed",
  [DROP_PAYLOAD_TYPE_CHANGED] = "payload-type-changed",
  [DROP_MODE_CHANGED] = "mode-changed",
  [DROP_SSRC_CHANGED] = "ssrc-changed",
  [DROP_TOO_LARGE] = "too-large",
  [DROP_TOO_MANY_FRAGMENTS] = "too-many-fragments",
  [DROP_FLUSHED] = "flushed",
};

typedef struct
{
  guint64 received;  /* packets */
  guint64 delivered; /* packets of SFrames that were handed on */
  guint64 pending;   /* packets of the SFrame that is being put together */
  guint64 dropped[DROP_N];
  guint64 lost; /* packets that never came, by their sequence numbers */
  guint64 reserved_bits;
  guint64 frames_delivered;
  guint64 frames_dropped;
  guint64 keyframe_requests;
} Stats;

struct _ConclaveRtpSFrameDepay
{
  GstRTPBaseDepayload parent;

  guint max_frame_size; /* atomic */

  /* Object lock: */
  GstClockTime keyframe_interval;
  Stats stats;

  /* Set in init: */
  GstPadChainFunction base_chain;

  /* All below: streaming thread. */
  const Codec *codec;
  gboolean video;
  GstStructure *rtp_fields; /* of the sink caps, for per-packet caps */
  gboolean processed; /* the base class handed the packet in hand on to us */

  gboolean have_seq;
  guint16 next_seq;
  guint32 last_ssrc;

  Reassembly reassembly; /* what belongs to the open SFrame, ... */
  OpenFrame frame;       /* ... and its bytes */
  gboolean discont;      /* something was dropped since the last SFrame */

  gboolean have_caps; /* the source pad's are for: */
  gboolean caps_packetized;
  guint32 caps_ssrc;
  guint8 caps_pt;

  gboolean have_unit_seq;
  guint16 unit_seq; /* of the next per-packet unit */
  GstClockTime
      last_request; /* GST_CLOCK_TIME_NONE: no keyframe was asked for yet */
};

enum
{
  PROP_0,
  PROP_MAX_FRAME_SIZE,
  PROP_KEYFRAME_INTERVAL,
  PROP_STATS
};

#define CONCLAVE_TYPE_RTP_SFRAME_DEPAY (conclave_rtp_sframe_depay_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveRtpSFrameDepay, conclave_rtp_sframe_depay,
    CONCLAVE, RTP_SFRAME_DEPAY, GstRTPBaseDepayload)
G_DEFINE_FINAL_TYPE (ConclaveRtpSFrameDepay, conclave_rtp_sframe_depay,
    GST_TYPE_RTP_BASE_DEPAYLOAD)
/* Above the stock depayloaders (MARGINAL), which accept caps with a field more: autoplugging must come here first. */
GST_ELEMENT_REGISTER_DEFINE (rtpsframedepay, "rtpsframedepay",
    GST_RANK_SECONDARY, CONCLAVE_TYPE_RTP_SFRAME_DEPAY)

/* --- Keyframes --- */

/* Real time, not that of the packets: a jitterbuffer may hand on a second's worth of them at once. */
static GstClockTime
now (ConclaveRtpSFrameDepay *self)
{
  g_autoptr (GstClock) clock = gst_element_get_clock (GST_ELEMENT (self));
  return clock ? gst_clock_get_time (clock)
               : (GstClockTime) g_get_monotonic_time () * GST_USECOND;
}

static void
request_keyframe (ConclaveRtpSFrameDepay *self)
{
  GstClockTime time, interval;

  if (!self->video)
    return;
  time = now (self);
  GST_OBJECT_LOCK (self);
  interval = self->keyframe_interval;
  GST_OBJECT_UNLOCK (self);
  /* A clock that went back is another clock. */
  if (GST_CLOCK_TIME_IS_VALID (self->last_request)
      && time >= self->last_request && time - self->last_request < interval)
    return;
  self->last_request = time;
  GST_OBJECT_LOCK (self);
  self->stats.keyframe_requests++;
  GST_OBJECT_UNLOCK (self);
  GST_DEBUG_OBJECT (self, "asking for a keyframe");
  gst_pad_push_event (GST_RTP_BASE_DEPAYLOAD_SINKPAD (self),
      gst_video_event_new_upstream_force_key_unit (
          GST_CLOCK_TIME_NONE, TRUE, 0));
}

/* --- Caps --- */

static void
set_source_caps (ConclaveRtpSFrameDepay *self, const Fragment *f)
{
  gboolean packetized = (f->descriptor & DESCRIPTOR_PACKETIZED) != 0;
  GstCaps *caps;

  if (self->have_caps && self->caps_packetized == packetized
      && self->caps_ssrc == f->ssrc
      && (!packetized || self->caps_pt == f->payload_type))
    return;

  if (packetized) {
    GstStructure *fields = gst_structure_copy (self->rtp_fields);
    gst_structure_set_name (fields, SFRAME_CAPS);
    /* Of the packets that came in, not of those that go out. */
    gst_structure_remove_fields (
        fields, "a-sframe", "seqnum-base", "seqnum-offset", NULL);
    gst_structure_set (fields, "original-media-type", G_TYPE_STRING,
        PACKETIZED_TYPE, "payload", G_TYPE_INT, f->payload_type, "ssrc",
        G_TYPE_UINT, f->ssrc, NULL);
    caps = gst_caps_new_full (fields, NULL);
  } else {
    caps = codec_frame_caps (self->codec, self->rtp_fields);
    gst_caps_set_simple (caps, "sframe-ssrc", G_TYPE_UINT, f->ssrc, NULL);
  }
  GST_INFO_OBJECT (self, "%s: %" GST_PTR_FORMAT,
      packetized ? "per-packet" : "per-frame", caps);
  gst_pad_set_caps (GST_RTP_BASE_DEPAYLOAD_SRCPAD (self), caps);
  gst_caps_unref (caps);
  self->have_caps = TRUE;
  self->caps_packetized = packetized;
  self->caps_ssrc = f->ssrc;
  self->caps_pt = f->payload_type;
}

static void
break_frame (ConclaveRtpSFrameDepay *self, DropReason reason)
{
  guint32 packets;

  open_frame_forget (&self->frame);
  if (!self->reassembly.open)
    return;
  packets = reassembly_break (&self->reassembly, reason);
  self->discont = TRUE;
  self->unit_seq++;
  GST_OBJECT_LOCK (self);
  self->stats.dropped[reason] += packets;
  self->stats.pending = 0;
  self->stats.frames_dropped++;
  GST_OBJECT_UNLOCK (self);
}

static gboolean
conclave_rtp_sframe_depay_set_caps (GstRTPBaseDepayload *base, GstCaps *caps)
{
  ConclaveRtpSFrameDepay *self = CONCLAVE_RTP_SFRAME_DEPAY (base);
  const GstStructure *in = gst_caps_get_structure (caps, 0);
  const Codec *codec =
      codec_by_encoding_name (gst_structure_get_string (in, "encoding-name"));
  int clock_rate = 0;

  if (!codec || !gst_structure_get_string (in, "a-sframe")) {
    GST_ERROR_OBJECT (
        self, "not SFrame of a known codec: %" GST_PTR_FORMAT, caps);
    return FALSE;
  }
  gst_structure_get_int (in, "clock-rate", &clock_rate);
  base->clock_rate = (guint) (clock_rate > 0 ? clock_rate : codec->clock_rate);

  break_frame (self, DROP_FLUSHED);
  self->codec = codec;
  self->video = g_str_equal (codec->media, "video");
  g_clear_pointer (&self->rtp_fields, gst_structure_free);
  self->rtp_fields = gst_structure_copy (in);
  self->have_caps = FALSE; /* which ones, the first SFrame tells */
  return TRUE;
}

/* --- Packets --- */

/* How many packets are missing before this one. The base class has dropped repeated and older ones; it lets very old
 * ones pass, as those of a sender that started again. */
static guint
missing_before (
    ConclaveRtpSFrameDepay *self, guint16 seq, guint32 ssrc, gboolean *lost)
{
  guint16 gap = (guint16) (seq - self->next_seq);
  gboolean same = self->have_seq && ssrc == self->last_ssrc;

  *lost = self->have_seq && (gap != 0 || !same);
  self->have_seq = TRUE;
  self->next_seq = (guint16) (seq + 1);
  self->last_ssrc = ssrc;
  return same && gap < 0x8000 ? gap : 0;
}

static void
count_step (ConclaveRtpSFrameDepay *self, const Step *step, guint missing,
    guint8 descriptor)
{
  Stats *stats = &self->stats;

  GST_OBJECT_LOCK (self);
  stats->received++;
  stats->lost += missing;
  if (descriptor & DESCRIPTOR_RESERVED)
    stats->reserved_bits++;
  if (step->broken) {
    stats->dropped[step->broken] += step->broken_packets;
    stats->pending = 0;
    stats->frames_dropped++;
  }
  if (step->dropped) {
    stats->dropped[step->dropped]++;
    /* The rest of an SFrame that was given up already is not one more. */
    if (!step->broken
        && (step->begins || step->dropped == DROP_EMPTY_FRAGMENT))
      stats->frames_dropped++;
  } else if (step->complete) {
    stats->delivered += stats->pending + 1;
    stats->pending = 0;
    stats->frames_delivered++;
  } else {
    stats->pending++;
  }
  GST_OBJECT_UNLOCK (self);
}

/* A packet that was no fragment of any SFrame. */
static void
count_unseen (ConclaveRtpSFrameDepay *self, DropReason reason)
{
  GST_OBJECT_LOCK (self);
  self->stats.received++;
  self->stats.dropped[reason]++;
  GST_OBJECT_UNLOCK (self);
}

/* Per-packet: each unit that was lost takes a sequence number, so that the codec's depayloader sees the loss. A packet
 * that is missing outside of a unit counts as one: units of several packets are rare. */
static void
skip_lost_units (ConclaveRtpSFrameDepay *self, const Step *step,
    gboolean was_open, guint missing, gboolean lost)
{
  guint units = step->broken ? 1 : 0;

  if (step->dropped
      && (step->begins || (step->dropped == DROP_EMPTY_FRAGMENT && !was_open)))
    units++;
  if (lost && !was_open)
    units += MAX (missing, 1);
  self->unit_seq = (guint16) (self->unit_seq + units);
}

static GstBuffer *
finish (ConclaveRtpSFrameDepay *self, GstBuffer *frame, const Fragment *f)
{
  set_source_caps (self, f);
  if (self->discont) {
    GST_BUFFER_FLAG_SET (frame, GST_BUFFER_FLAG_DISCONT);
    self->discont = FALSE;
  }
  return frame;
}

static GstBuffer *
take_fragment (ConclaveRtpSFrameDepay *self, GstRTPBuffer *rtp,
    const Fragment *f, const Step *step)
{
  gboolean marker = gst_rtp_buffer_get_marker (rtp);

  if (step->begins && !self->have_unit_seq) {
    self->unit_seq = gst_rtp_buffer_get_seq (rtp);
    self->have_unit_seq = TRUE;
  }
  if (step->begins && step->complete
      && !(f->descriptor & DESCRIPTOR_PACKETIZED)) {
    open_frame_forget (&self->frame);
    return finish (self, open_frame_of_one_packet (rtp), f);
  }
  if (step->begins
      && !open_frame_begin (&self->frame, rtp, f->len,
          f->descriptor & DESCRIPTOR_PACKETIZED, !step->complete))
    return NULL;
  if (!open_frame_add (&self->frame, rtp, f->len)) {
    GST_WARNING_OBJECT (
        self, "no memory for %" G_GSIZE_FORMAT " bytes more", f->len);
    return NULL;
  }
  if (!step->complete)
    return NULL;
  return finish (
      self, open_frame_end (&self->frame, marker, &self->unit_seq), f);
}

static GstBuffer *
conclave_rtp_sframe_depay_process (
    GstRTPBaseDepayload *base, GstRTPBuffer *rtp)
{
  ConclaveRtpSFrameDepay *self = CONCLAVE_RTP_SFRAME_DEPAY (base);
  guint payload_len = gst_rtp_buffer_get_payload_len (rtp);
  gboolean lost, was_open = self->reassembly.open;
  Fragment f = { gst_rtp_buffer_get_timestamp (rtp),
    gst_rtp_buffer_get_ssrc (rtp), gst_rtp_buffer_get_payload_type (rtp), 0,
    0 };
  guint missing =
      missing_before (self, gst_rtp_buffer_get_seq (rtp), f.ssrc, &lost);
  Step step = { DROP_NONE };

  self->processed = TRUE;
  if (payload_len == 0
      && !lost) { /* a keepalive, or padding that probes bandwidth: no part of any SFrame */
    count_unseen (self, DROP_NO_DESCRIPTOR);
    return NULL;
  }
  if (payload_len == 0) {
    step.broken_packets =
        reassembly_break (&self->reassembly, DROP_INCOMPLETE);
    step.broken = step.broken_packets ? DROP_INCOMPLETE : DROP_NONE;
    step.dropped = DROP_NO_DESCRIPTOR;
  } else {
    gst_buffer_extract (
        rtp->buffer, gst_rtp_buffer_get_header_len (rtp), &f.descriptor, 1);
    f.len = payload_len - 1;
    step = reassembly_step (&self->reassembly, &f, lost,
        (gsize) g_atomic_int_get (&self->max_frame_size));
  }
  count_step (self, &step, missing, f.descriptor);
  skip_lost_units (self, &step, was_open, missing, lost);

  if (step.broken || step.dropped)
    open_frame_forget (&self->frame);
  if (step.broken || step.dropped || lost) {
    GST_DEBUG_OBJECT (self,
        "packet %u: %u missing, SFrame given up: %s, packet dropped: %s",
        gst_rtp_buffer_get_seq (rtp), missing,
        GST_STR_NULL (drop_names[step.broken]),
        GST_STR_NULL (drop_names[step.dropped]));
    self->discont = TRUE;
    request_keyframe (self);
  }
  return step.dropped ? NULL : take_fragment (self, rtp, &f, &step);
}

/* The base class drops what is not RTP with a warning on the bus for each, and repeated packets without a word. */
static GstFlowReturn
conclave_rtp_sframe_depay_chain (
    GstPad *pad, GstObject *parent, GstBuffer *packet)
{
  ConclaveRtpSFrameDepay *self = CONCLAVE_RTP_SFRAME_DEPAY (parent);
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  gboolean valid = gst_rtp_buffer_map (packet, GST_MAP_READ, &rtp);
  GstFlowReturn flow;

  if (!valid) {
    GST_DEBUG_OBJECT (self, "not RTP, dropped");
    count_unseen (self, DROP_INVALID_RTP);
    gst_buffer_unref (packet);
    return GST_FLOW_OK;
  }
  gst_rtp_buffer_unmap (&rtp);

  self->processed = FALSE;
  flow = self->base_chain (pad, parent, packet);
  if (!self->processed)
    count_unseen (self, DROP_DUPLICATE);
  return flow;
}

static GstFlowReturn
conclave_rtp_sframe_depay_chain_list (
    GstPad *pad, GstObject *parent, GstBufferList *list)
{
  GstFlowReturn flow = GST_FLOW_OK;

  for (guint i = 0; i < gst_buffer_list_length (list) && flow == GST_FLOW_OK;
       i++)
    flow = conclave_rtp_sframe_depay_chain (
        pad, parent, gst_buffer_ref (gst_buffer_list_get (list, i)));
  gst_buffer_list_unref (list);
  return flow;
}

/* --- Events and states --- */

/* The jitterbuffer gave up on a packet: no need to wait for the next to know. */
static gboolean
conclave_rtp_sframe_depay_packet_lost (
    GstRTPBaseDepayload *base, GstEvent *event)
{
  ConclaveRtpSFrameDepay *self = CONCLAVE_RTP_SFRAME_DEPAY (base);
  gboolean fec = FALSE;

  gst_structure_get_boolean (
      gst_event_get_structure (event), "might-have-been-fec", &fec);
  if (!fec)
    request_keyframe (self);
  return GST_RTP_BASE_DEPAYLOAD_CLASS (conclave_rtp_sframe_depay_parent_class)
      ->packet_lost (base, event);
}

static gboolean
conclave_rtp_sframe_depay_handle_event (
    GstRTPBaseDepayload *base, GstEvent *event)
{
  ConclaveRtpSFrameDepay *self = CONCLAVE_RTP_SFRAME_DEPAY (base);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_FLUSH_STOP:
      break_frame (self, DROP_FLUSHED);
      self->have_seq = FALSE;
      self->discont = FALSE;
      break;
    case GST_EVENT_EOS:
    case GST_EVENT_STREAM_START:
      break_frame (self, DROP_FLUSHED);
      break;
    default:
      break;
  }
  return GST_RTP_BASE_DEPAYLOAD_CLASS (conclave_rtp_sframe_depay_parent_class)
      ->handle_event (base, event);
}

static GstStateChangeReturn
conclave_rtp_sframe_depay_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveRtpSFrameDepay *self = CONCLAVE_RTP_SFRAME_DEPAY (element);
  GstStateChangeReturn result;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY) {
    GST_OBJECT_LOCK (self);
    self->stats = (Stats){ 0 };
    GST_OBJECT_UNLOCK (self);
  } else if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    self->last_request = GST_CLOCK_TIME_NONE;
    self->have_caps = FALSE;
    self->have_seq = FALSE;
    self->have_unit_seq = FALSE;
    self->discont = FALSE;
    self->frame.largest = 0;
    self->reassembly = (Reassembly){ 0 };
  }
  result = GST_ELEMENT_CLASS (conclave_rtp_sframe_depay_parent_class)
               ->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    break_frame (self, DROP_FLUSHED);
    g_clear_pointer (&self->rtp_fields, gst_structure_free);
  }
  return result;
}

/* --- Properties --- */

static GstStructure *
snapshot (ConclaveRtpSFrameDepay *self)
{
  Stats s;

  GST_OBJECT_LOCK (self);
  s = self->stats;
  GST_OBJECT_UNLOCK (self);

  GstStructure *out = gst_structure_new ("application/x-rtpsframedepay-stats",
      "received-packets", G_TYPE_UINT64, s.received, "delivered-packets",
      G_TYPE_UINT64, s.delivered, "pending-packets", G_TYPE_UINT64, s.pending,
      "lost-packets", G_TYPE_UINT64, s.lost, "reserved-bits", G_TYPE_UINT64,
      s.reserved_bits, "delivered-frames", G_TYPE_UINT64, s.frames_delivered,
      "dropped-frames", G_TYPE_UINT64, s.frames_dropped, "keyframe-requests",
      G_TYPE_UINT64, s.keyframe_requests, NULL);
  for (int i = DROP_NONE + 1; i < DROP_N; i++)
    gst_structure_set (out, drop_names[i], G_TYPE_UINT64, s.dropped[i], NULL);
  return out;
}

static void
conclave_rtp_sframe_depay_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveRtpSFrameDepay *self = CONCLAVE_RTP_SFRAME_DEPAY (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_MAX_FRAME_SIZE:
      g_atomic_int_set (&self->max_frame_size, g_value_get_uint (value));
      break;
    case PROP_KEYFRAME_INTERVAL:
      self->keyframe_interval = g_value_get_uint64 (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_rtp_sframe_depay_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveRtpSFrameDepay *self = CONCLAVE_RTP_SFRAME_DEPAY (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, snapshot (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_MAX_FRAME_SIZE:
      g_value_set_uint (value, g_atomic_int_get (&self->max_frame_size));
      break;
    case PROP_KEYFRAME_INTERVAL:
      g_value_set_uint64 (value, self->keyframe_interval);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_rtp_sframe_depay_finalize (GObject *object)
{
  ConclaveRtpSFrameDepay *self = CONCLAVE_RTP_SFRAME_DEPAY (object);

  open_frame_forget (&self->frame);
  g_clear_pointer (&self->rtp_fields, gst_structure_free);
  G_OBJECT_CLASS (conclave_rtp_sframe_depay_parent_class)->finalize (object);
}

static void
conclave_rtp_sframe_depay_init (ConclaveRtpSFrameDepay *self)
{
  GstPad *sinkpad = GST_RTP_BASE_DEPAYLOAD_SINKPAD (self);

  self->max_frame_size = DEFAULT_MAX_FRAME_SIZE;
  self->keyframe_interval = DEFAULT_KEYFRAME_INTERVAL;
  self->last_request = GST_CLOCK_TIME_NONE;
  self->base_chain = GST_PAD_CHAINFUNC (sinkpad);
  gst_pad_set_chain_function (sinkpad, conclave_rtp_sframe_depay_chain);
  gst_pad_set_chain_list_function (
      sinkpad, conclave_rtp_sframe_depay_chain_list);
}

static void
install_properties (GObjectClass *klass)
{
  /**
   * ConclaveRtpSFrameDepay:max-frame-size:
   *
   * The largest SFrame to put together, in bytes, header and tag included. A larger one is dropped and counted as
   * `too-large`. Bounds the memory that a sender can make this element use.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_MAX_FRAME_SIZE,
      g_param_spec_uint ("max-frame-size", "Maximum frame size",
          "Largest SFrame to put together, in bytes", 1, G_MAXINT32,
          DEFAULT_MAX_FRAME_SIZE,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_PLAYING));

  /**
   * ConclaveRtpSFrameDepay:keyframe-interval:
   *
   * The least time between two requests for a keyframe, in nanoseconds of the pipeline's clock. 0 asks after each loss.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_KEYFRAME_INTERVAL,
      g_param_spec_uint64 ("keyframe-interval", "Keyframe interval",
          "Least time between two requests for a keyframe after a loss, in ns (0 = ask after each loss)",
          0, G_MAXUINT64, DEFAULT_KEYFRAME_INTERVAL,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_PLAYING));

  /**
   * ConclaveRtpSFrameDepay:stats:
   *
   * Structure `application/x-rtpsframedepay-stats`, all fields #guint64, since READY. Packets: `received-packets` =
   * `delivered-packets` + `pending-packets` (of the SFrame that is being put together) + the sum of what was dropped:
   * `invalid-rtp`, `duplicate` (repeated, or older than one before), `no-descriptor` (no payload), `empty-fragment`,
   * `no-start`, `no-end`, `incomplete` (a packet of the SFrame was lost), `timestamp-changed`, `payload-type-changed`,
   * `mode-changed` (T), `ssrc-changed` (within an SFrame), `too-large`, `too-many-fragments`, `flushed`. Beside them:
   * `lost-packets` (gaps in sequence numbers), `reserved-bits` (packets with reserved bits, which are ignored),
   * `delivered-frames`, `dropped-frames` (SFrames that began, or an empty one), `keyframe-requests`.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Packets and SFrames delivered and dropped, by cause",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
conclave_rtp_sframe_depay_class_init (ConclaveRtpSFrameDepayClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstRTPBaseDepayloadClass *depayload_class =
      GST_RTP_BASE_DEPAYLOAD_CLASS (klass);
  g_autoptr (GstCaps) sink = codecs_rtp_template ();
  g_autoptr (GstCaps) src = codecs_sframe_template ();

  GST_DEBUG_CATEGORY_INIT (
      rtpsframedepay_debug, "rtpsframedepay", 0, "SFrames out of RTP packets");

  /* No field "payload": udpsrc fixates its caps against ours and would make it 0, which no packet has. */
  gst_element_class_add_pad_template (element_class,
      gst_pad_template_new ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, sink));
  gst_element_class_add_pad_template (element_class,
      gst_pad_template_new ("src", GST_PAD_SRC, GST_PAD_ALWAYS, src));
  gst_element_class_set_static_metadata (element_class,
      "RTP SFrame depayloader", "Codec/Depayloader/Network/RTP",
      "Extracts frames encrypted end to end (SFrame, RFC 9605) from RTP packets (draft-ietf-avtcore-rtp-sframe)",
      "The gst-conclave authors");

  object_class->set_property = conclave_rtp_sframe_depay_set_property;
  object_class->get_property = conclave_rtp_sframe_depay_get_property;
  object_class->finalize = conclave_rtp_sframe_depay_finalize;
  element_class->change_state = conclave_rtp_sframe_depay_change_state;
  depayload_class->set_caps = conclave_rtp_sframe_depay_set_caps;
  depayload_class->process_rtp_packet = conclave_rtp_sframe_depay_process;
  depayload_class->handle_event = conclave_rtp_sframe_depay_handle_event;
  depayload_class->packet_lost = conclave_rtp_sframe_depay_packet_lost;
  install_properties (object_class);
}

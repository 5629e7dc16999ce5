/* rtpsframepay: SFrames into RTP packets.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * SECTION:element-rtpsframepay
 * @title: rtpsframepay
 * @see_also: rtpsframedepay, sframeenc
 *
 * Puts frames that sframeenc encrypted (RFC 9605) into RTP packets as draft-ietf-avtcore-rtp-sframe-02 says: one octet
 * in front of each payload tells first and last fragment. The RTP caps name the codec inside and carry
 * `a-sframe=(string)""`, which GStreamer's SDP library writes as `a=sframe`.
 *
 * Two kinds of input:
 *
 * - Frames (`original-media-type` is a codec): the SFrame is cut into equal packets that fill #GstRTPBasePayload:mtu
 *   and one rest, which leave as one buffer list. Marker: the last packet of a video frame; of audio, the first frame
 *   after a pause (RFC 3551, 4.1), that is after a DISCONT.
 * - RTP packets whose payload is an SFrame (`original-media-type=application/x-rtp`, "per-packet"): SSRC, payload
 *   type, timestamp, marker, CSRCs and header extensions are those of the codec's payloader in front of the encryptor,
 *   and this element's own properties for them are not used, nor its header extensions. A unit that does not fit
 *   #GstRTPBasePayload:mtu is cut, which doubles its chance of loss: give the codec's payloader an MTU that is 34 bytes
 *   smaller (header 17, tag 16, descriptor 1). A gap in the incoming sequence numbers stays a gap.
 *
 * Caps with `sframe-ssrc` (the keys are bound to that SSRC) decide the SSRC. Another one in #GstRTPBasePayload:ssrc is
 * an error, and a GstRTPCollision event is answered by a warning, not by another SSRC.
 *
 * *Threads*: none of its own. Frames are cut, and all private fields used, in the thread that pushes them; the base
 * class guards its properties.
 *
 * ## Example launch line
 * |[
 * head -c 32 /dev/urandom | base64 > k
 * gst-launch-1.0 videotestsrc num-buffers=300 is-live=true ! vp8enc deadline=1 ! sframeenc kid=1 key-location=k ! rtpsframepay ! udpsink host=127.0.0.1 port=5000
 * ]| Encrypts end to end and sends.
 *
 * Since: 0.1
 */
#include "gst/rtpsframe/rtpsframe.h"

#include <string.h>

#include <gst/rtp/rtp.h>

GST_DEBUG_CATEGORY_STATIC (rtpsframepay_debug);
#define GST_CAT_DEFAULT rtpsframepay_debug

#define RTP_HEADER_LEN 12
#define RTP_PADDING_BIT 0x20
#define RTP_MARKER_BIT 0x80

/* RFC 3550, A.1, MAX_DROPOUT: a jump that is larger is a new start, not a loss. */
#define MAX_DROPOUT 3000

struct _ConclaveRtpSFramePay
{
  GstRTPBasePayload parent;

  /* All below: streaming thread. */
  gboolean packetized; /* input is RTP packets with an SFrame as payload */
  gboolean video;
  gboolean talkspurt; /* the next audio frame starts one */
  guint
      extension_room; /* bytes that the base class may add to a packet for RTP header extensions */
  gboolean have_unit_seq;
  guint16 unit_seq;  /* of the last RTP packet that came in */
  guint16 next_seq;  /* of the next one that goes out, per-packet */
  GstEvent *segment; /* the last one that came in */

  gint
      bound_ssrc; /* atomic; not 0: keys are bound to the SSRC, which must not change */
};

#define CONCLAVE_TYPE_RTP_SFRAME_PAY (conclave_rtp_sframe_pay_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveRtpSFramePay, conclave_rtp_sframe_pay, CONCLAVE,
    RTP_SFRAME_PAY, GstRTPBasePayload)
G_DEFINE_FINAL_TYPE (
    ConclaveRtpSFramePay, conclave_rtp_sframe_pay, GST_TYPE_RTP_BASE_PAYLOAD)
GST_ELEMENT_REGISTER_DEFINE (rtpsframepay, "rtpsframepay", GST_RANK_SECONDARY,
    CONCLAVE_TYPE_RTP_SFRAME_PAY)

/* --- Negotiation --- */

static gboolean
bind_ssrc (
    ConclaveRtpSFramePay *self, const GstStructure *in, GstStructure *out)
{
  GstRTPBasePayload *base = GST_RTP_BASE_PAYLOAD (self);
  guint bound, wanted;

  g_atomic_int_set (&self->bound_ssrc, 0);
  if (!gst_structure_get_uint (in, "sframe-ssrc", &bound))
    return TRUE;

  g_object_get (self, "ssrc", &wanted, NULL); /* all ones: not set */
  if (wanted != G_MAXUINT32 && wanted != bound) {
    GST_ELEMENT_ERROR (self, CORE, NEGOTIATION,
        ("The frames are encrypted with keys for SSRC %u, but the property ssrc is %u: set both elements to one SSRC, or leave ssrc alone.",
            bound, wanted),
        (NULL));
    return FALSE;
  }
  g_atomic_int_set (&self->bound_ssrc, 1);
  base->current_ssrc = bound;
  gst_structure_set (out, "ssrc", G_TYPE_UINT, bound, NULL);
  return TRUE;
}

static gboolean
set_frame_caps (
    ConclaveRtpSFramePay *self, const Codec *codec, const GstStructure *in)
{
  GstRTPBasePayload *base = GST_RTP_BASE_PAYLOAD (self);
  int clock_rate = codec_clock_rate (codec, in);
  g_autoptr (GstStructure) fields = codec_rtp_fields (codec, in);

  if (clock_rate <= 0) {
    GST_ELEMENT_ERROR (self, CORE, NEGOTIATION,
        ("The caps of %s have no rate, which RTP needs as its clock rate.",
            codec->media_type),
        (NULL));
    return FALSE;
  }
  if (!bind_ssrc (self, in, fields))
    return FALSE;
  gst_rtp_base_payload_set_options (
      base, codec->media, TRUE, codec->encoding_name, (guint32) clock_rate);
  return gst_rtp_base_payload_set_outcaps_structure (base, fields);
}

static gboolean
is_ours (const char *name)
{
  return g_str_equal (name, "original-media-type")
         || g_str_equal (name, "cipher-suite")
         || g_str_equal (name, "sframe-ssrc");
}

static gboolean
keep_rtp_field (GQuark id, const GValue *value, gpointer user_data)
{
  const char *name = g_quark_to_string (id);

  if (!is_ours (name) && gst_value_is_fixed (value))
    gst_structure_set_value (user_data, name, value);
  return TRUE;
}

/* What the codec's payloader decided stays: SSRC, payload type and offsets are in the packets already. */
static gboolean
set_packet_caps (ConclaveRtpSFramePay *self, const GstStructure *in)
{
  GstRTPBasePayload *base = GST_RTP_BASE_PAYLOAD (self);
  g_autoptr (GstStructure) fields =
      gst_structure_new ("fields", "a-sframe", G_TYPE_STRING, "", NULL);
  const char *media = gst_structure_get_string (in, "media");
  const char *encoding_name = gst_structure_get_string (in, "encoding-name");
  guint number;
  int clock_rate, pt;

  if (!media || !encoding_name
      || !gst_structure_get_int (in, "clock-rate", &clock_rate)
      || clock_rate <= 0) {
    GST_ELEMENT_ERROR (self, CORE, NEGOTIATION,
        ("RTP caps without media, encoding-name or clock-rate: put sframeenc right behind the codec's payloader."),
        (NULL));
    return FALSE;
  }
  g_atomic_int_set (&self->bound_ssrc, 0);
  gst_structure_foreach (in, keep_rtp_field, fields);
  if (gst_structure_get_int (in, "payload", &pt) && pt >= 0 && pt <= 127)
    base->pt = (guint) pt;
  if (gst_structure_get_uint (in, "ssrc", &number))
    base->current_ssrc = number;
  if (gst_structure_get_uint (in, "timestamp-offset", &number))
    base->ts_base = number;
  if (gst_structure_get_uint (in, "seqnum-offset", &number))
    base->seqnum_base = (guint16) number;
  gst_structure_set (
      fields, "seqnum-offset", G_TYPE_UINT, (guint) base->seqnum_base, NULL);
  gst_rtp_base_payload_set_options (
      base, media, TRUE, encoding_name, (guint32) clock_rate);
  return gst_rtp_base_payload_set_outcaps_structure (base, fields);
}

static gboolean
conclave_rtp_sframe_pay_set_caps (GstRTPBasePayload *base, GstCaps *caps)
{
  ConclaveRtpSFramePay *self = CONCLAVE_RTP_SFRAME_PAY (base);
  const GstStructure *in = gst_caps_get_structure (caps, 0);
  const char *media_type =
      gst_structure_get_string (in, "original-media-type");
  const Codec *codec;

  self->packetized = g_strcmp0 (media_type, PACKETIZED_TYPE) == 0;
  if (self->packetized) {
    self->video =
        g_strcmp0 (gst_structure_get_string (in, "media"), "video") == 0;
    return set_packet_caps (self, in);
  }
  codec = codec_by_media_type (media_type);
  if (!codec || !codec_takes (codec, in)) {
    GST_ERROR_OBJECT (self,
        "%s is not a form of media that RTP receivers know",
        GST_STR_NULL (media_type));
    return FALSE;
  }
  self->video = g_str_equal (codec->media, "video");
  return set_frame_caps (self, codec, in);
}

static gboolean
add_extension_room (GQuark id, const GValue *value, gpointer user_data)
{
  guint *room = user_data;
  const char *uri = NULL;
  guint len =
      16; /* the most that fits a one-byte header, where the extension is the application's own */

  if (!g_str_has_prefix (g_quark_to_string (id), "extmap-"))
    return TRUE;
  if (G_VALUE_HOLDS_STRING (value))
    uri = g_value_get_string (value);
  else if (GST_VALUE_HOLDS_ARRAY (value)
           && gst_value_array_get_size (value) > 1
           && G_VALUE_HOLDS_STRING (gst_value_array_get_value (value, 1)))
    uri = g_value_get_string (gst_value_array_get_value (value, 1));

  GstRTPHeaderExtension *extension =
      uri ? gst_rtp_header_extension_create_from_uri (uri) : NULL;
  if (extension) {
    g_autoptr (GstBuffer) none = gst_buffer_new ();
    len = (guint) gst_rtp_header_extension_get_max_size (extension, none);
    gst_object_unref (extension);
  }
  *room += 2 + len;
  return TRUE;
}

/* The base class adds header extensions after the packets were cut, and its caps are the only place that lists them. */
static void
measure_extensions (GstPad *pad, GParamSpec *pspec, ConclaveRtpSFramePay *self)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  guint room = 0;

  if (caps && !self->packetized)
    gst_structure_foreach (
        gst_caps_get_structure (caps, 0), add_extension_room, &room);
  self->extension_room = room > 0 ? GST_ROUND_UP_4 (room) + 4 : 0;
}

/* --- Packets --- */

/* A packet with room for `payload_len` bytes, which are the last in it. */
static GstBuffer *
allocate_packet (ConclaveRtpSFramePay *self, gsize payload_len)
{
  GstRTPBasePayload *base = GST_RTP_BASE_PAYLOAD (self);

  /* Header extensions are inserted behind the header, which must then be a memory of its own. */
  if (self->extension_room > 0
      || gst_rtp_base_payload_is_source_info_enabled (base))
    return gst_rtp_base_payload_allocate_output_buffer (
        base, (guint) payload_len, 0, 0);
  return gst_buffer_new_allocate (NULL, RTP_HEADER_LEN + payload_len, NULL);
}

static void
describe_packet (GstBuffer *packet, GstBuffer *frame, gboolean first,
    gboolean last, gboolean marker)
{
  GstBufferFlags kept = GST_BUFFER_FLAG_DELTA_UNIT | GST_BUFFER_FLAG_HEADER
                        | GST_BUFFER_FLAG_DROPPABLE
                        | GST_BUFFER_FLAG_NON_DROPPABLE | GST_BUFFER_FLAG_LIVE;

  GST_BUFFER_FLAG_SET (packet, GST_BUFFER_FLAGS (frame) & kept);
  if (first && GST_BUFFER_IS_DISCONT (frame))
    GST_BUFFER_FLAG_SET (packet, GST_BUFFER_FLAG_DISCONT);
  if (last && marker)
    GST_BUFFER_FLAG_SET (packet, GST_BUFFER_FLAG_MARKER);
  GST_BUFFER_PTS (packet) = GST_BUFFER_PTS (frame);
  GST_BUFFER_DTS (packet) = GST_BUFFER_DTS (frame);
  GST_BUFFER_DURATION (packet) = GST_BUFFER_DURATION (frame);
  /* The offset stays behind: the base class would take that of an encoder for a count in clock-rate units. */
  copy_metas (packet, frame);
}

static guint8
descriptor_of (gboolean first, gboolean last)
{
  return (
      guint8) ((first ? DESCRIPTOR_START : 0) | (last ? DESCRIPTOR_END : 0));
}

/* Copies. To share the frame's memory behind a small one with the headers was measured and lost, at 187 bytes (411 ns
 * against 257), at 1187 (343, 251) and even at 8987 (332, 316); and a packet in one piece is cheaper to send. */
static GstBuffer *
make_packet (ConclaveRtpSFramePay *self, GstBuffer *frame,
    const GstMapInfo *map, gsize offset, gsize len, gboolean marker)
{
  gboolean first = offset == 0, last = offset + len == map->size;
  GstBuffer *packet = allocate_packet (self, 1 + len);
  gboolean whole = gst_buffer_n_memory (packet) == 1;
  GstMapInfo out;

  /* The base class fills in the rest of the header. */
  gst_buffer_map_range (packet, 0, 1, &out, GST_MAP_WRITE);
  if (whole)
    memset (out.data, 0, RTP_HEADER_LEN);
  out.data[0] = (guint8) (0x80 | (out.data[0] & 0x0f));
  out.data[1] = last && marker ? RTP_MARKER_BIT : 0;
  if (!whole) {
    gst_buffer_unmap (packet, &out);
    gst_buffer_map_range (packet, 1, 1, &out, GST_MAP_WRITE);
  }
  out.data[out.size - len - 1] = descriptor_of (first, last);
  memcpy (out.data + out.size - len, map->data + offset, len);
  gst_buffer_unmap (packet, &out);
  describe_packet (packet, frame, first, last, marker);
  return packet;
}

/* Room for the SFrame in one packet, 0 when the headers alone fill it. */
static gsize
room_behind (ConclaveRtpSFramePay *self, gsize headers)
{
  guint mtu = GST_RTP_BASE_PAYLOAD_MTU (self);

  if (mtu > headers + 1)
    return mtu - headers - 1;
  GST_ELEMENT_ERROR (self, STREAM, FAILED,
      ("The MTU of %u bytes has no room for media behind %" G_GSIZE_FORMAT
       " bytes of headers: raise the property mtu.",
          mtu, headers + 1),
      (NULL));
  return 0;
}

static gboolean
marks (ConclaveRtpSFramePay *self, GstBuffer *frame)
{
  gboolean starts = self->talkspurt || GST_BUFFER_IS_DISCONT (frame);

  self->talkspurt = FALSE;
  return self->video || starts;
}

static GstFlowReturn
send_frame (ConclaveRtpSFramePay *self, GstBuffer *frame)
{
  GstRTPBasePayload *base = GST_RTP_BASE_PAYLOAD (self);
  guint sources =
      MIN (gst_rtp_base_payload_get_source_count (base, frame), 15);
  gsize room =
      room_behind (self, RTP_HEADER_LEN + 4 * sources + self->extension_room);
  gboolean marker = marks (self, frame);
  GstFlowReturn flow;
  GstMapInfo map;

  if (room == 0 || !gst_buffer_map (frame, &map, GST_MAP_READ))
    return GST_FLOW_ERROR;

  if (map.size <= room) {
    flow = gst_rtp_base_payload_push (
        base, make_packet (self, frame, &map, 0, map.size, marker));
  } else {
    GstBufferList *list =
        gst_buffer_list_new_sized ((guint) ((map.size - 1) / room + 1));
    for (gsize at = 0; at < map.size; at += room)
      gst_buffer_list_add (list, make_packet (self, frame, &map, at,
                                     MIN (room, map.size - at), marker));
    flow = gst_rtp_base_payload_push_list (base, list);
  }
  gst_buffer_unmap (frame, &map);
  return flow;
}

/* --- Per-packet --- */

/* What was lost in front of us must be a loss to the receiver too. */
static void
follow_sequence (ConclaveRtpSFramePay *self, guint16 seq)
{
  guint16 step = (guint16) (seq - self->unit_seq);

  if (!self->have_unit_seq)
    self->next_seq = seq;
  else if (step > 1 && step < MAX_DROPOUT)
    self->next_seq = (guint16) (self->next_seq + step - 1);
  self->have_unit_seq = TRUE;
  self->unit_seq = seq;
}

static GstBuffer *
make_fragment (ConclaveRtpSFramePay *self, GstBuffer *unit,
    const guint8 *bytes, gsize header_len, gsize offset, gsize len,
    gsize payload_len)
{
  gboolean first = offset == 0, last = offset + len == payload_len;
  gboolean marker = bytes[1] & RTP_MARKER_BIT;
  GstBuffer *packet =
      gst_buffer_new_allocate (NULL, header_len + 1 + len, NULL);
  GstMapInfo map;

  if (!gst_buffer_map (packet, &map, GST_MAP_WRITE)) {
    gst_buffer_unref (packet);
    return NULL;
  }
  memcpy (map.data, bytes, header_len);
  map.data[0] &= (guint8) ~RTP_PADDING_BIT;
  if (!last)
    map.data[1] &= (guint8) ~RTP_MARKER_BIT;
  GST_WRITE_UINT16_BE (map.data + 2, self->next_seq);
  self->next_seq++;
  map.data[header_len] = descriptor_of (first, last) | DESCRIPTOR_PACKETIZED;
  memcpy (map.data + header_len + 1, bytes + header_len + offset, len);
  gst_buffer_unmap (packet, &map);
  describe_packet (packet, unit, first, last, marker);
  return packet;
}

/* The base class holds the first segment back until something is pushed through it, which rewrites headers. */
static void
send_segment (ConclaveRtpSFramePay *self)
{
  GstPad *srcpad = GST_RTP_BASE_PAYLOAD_SRCPAD (self);
  g_autoptr (GstEvent) there =
      gst_pad_get_sticky_event (srcpad, GST_EVENT_SEGMENT, 0);

  if (!there && self->segment)
    gst_pad_push_event (srcpad, gst_event_ref (self->segment));
}

static GstFlowReturn
send_unit (ConclaveRtpSFramePay *self, GstBuffer *unit)
{
  GstRTPBasePayload *base = GST_RTP_BASE_PAYLOAD (self);
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  g_autoptr (GstBufferList) list = gst_buffer_list_new ();
  GstMapInfo map;

  if (!gst_rtp_buffer_map (unit, GST_MAP_READ, &rtp)) {
    GST_WARNING_OBJECT (self, "not an RTP packet, dropped");
    return GST_FLOW_OK;
  }
  gsize header_len = gst_rtp_buffer_get_header_len (&rtp),
        payload_len = gst_rtp_buffer_get_payload_len (&rtp);
  guint16 seq = gst_rtp_buffer_get_seq (&rtp);
  base->timestamp = gst_rtp_buffer_get_timestamp (&rtp);
  gst_rtp_buffer_unmap (&rtp);
  if (payload_len == 0) {
    GST_WARNING_OBJECT (self, "packet without payload, dropped");
    return GST_FLOW_OK;
  }

  gsize room = room_behind (self, header_len);
  if (room == 0 || !gst_buffer_map (unit, &map, GST_MAP_READ))
    return GST_FLOW_ERROR;
  follow_sequence (self, seq);
  for (gsize at = 0; at < payload_len; at += room) {
    GstBuffer *packet = make_fragment (self, unit, map.data, header_len, at,
        MIN (room, payload_len - at), payload_len);
    if (packet)
      gst_buffer_list_add (list, packet);
  }
  gst_buffer_unmap (unit, &map);
  base->seqnum = (guint16) (self->next_seq - 1);

  send_segment (self);
  if (gst_buffer_list_length (list) == 1)
    return gst_pad_push (
        base->srcpad, gst_buffer_ref (gst_buffer_list_get (list, 0)));
  return gst_pad_push_list (base->srcpad, g_steal_pointer (&list));
}

static GstFlowReturn
conclave_rtp_sframe_pay_handle_buffer (
    GstRTPBasePayload *base, GstBuffer *buffer)
{
  ConclaveRtpSFramePay *self = CONCLAVE_RTP_SFRAME_PAY (base);
  GstFlowReturn flow = GST_FLOW_OK;

  /* The smallest SFrame is a header and a tag; nothing at all is none. */
  if (gst_buffer_get_size (buffer) == 0)
    GST_DEBUG_OBJECT (self, "empty buffer, dropped");
  else
    flow = self->packetized ? send_unit (self, buffer)
                            : send_frame (self, buffer);
  gst_buffer_unref (buffer);
  return flow;
}

/* --- Events and states --- */

static gboolean
conclave_rtp_sframe_pay_sink_event (GstRTPBasePayload *base, GstEvent *event)
{
  ConclaveRtpSFramePay *self = CONCLAVE_RTP_SFRAME_PAY (base);
  GstRTPBasePayloadClass *parent =
      GST_RTP_BASE_PAYLOAD_CLASS (conclave_rtp_sframe_pay_parent_class);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_SEGMENT:
      gst_event_replace (&self->segment, event);
      if (self->packetized) {
        gst_event_copy_segment (event, &base->segment);
        return gst_pad_event_default (base->sinkpad, GST_OBJECT (self), event);
      }
      break;
    case GST_EVENT_FLUSH_STOP:
      gst_event_replace (&self->segment, NULL);
      self->talkspurt = TRUE;
      break;
    case GST_EVENT_GAP:
      self->talkspurt = TRUE;
      break;
    default:
      break;
  }
  return parent->sink_event (base, event);
}

static gboolean
conclave_rtp_sframe_pay_src_event (GstRTPBasePayload *base, GstEvent *event)
{
  ConclaveRtpSFramePay *self = CONCLAVE_RTP_SFRAME_PAY (base);

  if (GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_UPSTREAM
      && gst_event_has_name (event, "GstRTPCollision")) {
    /* The codec's payloader chose the SSRC, so it has to choose another. */
    if (self->packetized)
      return gst_pad_event_default (base->srcpad, GST_OBJECT (self), event);
    if (g_atomic_int_get (&self->bound_ssrc)) {
      gst_event_unref (event);
      GST_ELEMENT_WARNING (self, STREAM, FAILED,
          ("Another sender uses SSRC %u. It cannot change here, since the keys are bound to it: give the encryptor another SSRC.",
              base->current_ssrc),
          (NULL));
      return TRUE;
    }
  }
  return GST_RTP_BASE_PAYLOAD_CLASS (conclave_rtp_sframe_pay_parent_class)
      ->src_event (base, event);
}

static GstStateChangeReturn
conclave_rtp_sframe_pay_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveRtpSFramePay *self = CONCLAVE_RTP_SFRAME_PAY (element);

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    self->talkspurt = TRUE;
    self->packetized = FALSE;
    self->have_unit_seq = FALSE;
    self->extension_room = 0;
    g_atomic_int_set (&self->bound_ssrc, 0);
  }
  GstStateChangeReturn result =
      GST_ELEMENT_CLASS (conclave_rtp_sframe_pay_parent_class)
          ->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    gst_event_replace (&self->segment, NULL);
  return result;
}

static void
conclave_rtp_sframe_pay_finalize (GObject *object)
{
  gst_event_replace (&CONCLAVE_RTP_SFRAME_PAY (object)->segment, NULL);
  G_OBJECT_CLASS (conclave_rtp_sframe_pay_parent_class)->finalize (object);
}

static void
conclave_rtp_sframe_pay_init (ConclaveRtpSFramePay *self)
{
  g_signal_connect (GST_RTP_BASE_PAYLOAD_SRCPAD (self), "notify::caps",
      G_CALLBACK (measure_extensions), self);
}

static void
conclave_rtp_sframe_pay_class_init (ConclaveRtpSFramePayClass *klass)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstRTPBasePayloadClass *payload_class = GST_RTP_BASE_PAYLOAD_CLASS (klass);
  g_autoptr (GstCaps) sink = codecs_sframe_template ();
  g_autoptr (GstCaps) src = codecs_rtp_template ();

  GST_DEBUG_CATEGORY_INIT (
      rtpsframepay_debug, "rtpsframepay", 0, "SFrames into RTP packets");

  gst_caps_set_simple (src, "payload", GST_TYPE_INT_RANGE, 0, 127, NULL);
  gst_element_class_add_pad_template (element_class,
      gst_pad_template_new ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, sink));
  gst_element_class_add_pad_template (element_class,
      gst_pad_template_new ("src", GST_PAD_SRC, GST_PAD_ALWAYS, src));
  gst_element_class_set_static_metadata (element_class, "RTP SFrame payloader",
      "Codec/Payloader/Network/RTP",
      "Puts frames encrypted end to end (SFrame, RFC 9605) in RTP packets (draft-ietf-avtcore-rtp-sframe)",
      "The gst-conclave authors");

  G_OBJECT_CLASS (klass)->finalize = conclave_rtp_sframe_pay_finalize;
  element_class->change_state = conclave_rtp_sframe_pay_change_state;
  payload_class->set_caps = conclave_rtp_sframe_pay_set_caps;
  payload_class->handle_buffer = conclave_rtp_sframe_pay_handle_buffer;
  payload_class->sink_event = conclave_rtp_sframe_pay_sink_event;
  payload_class->src_event = conclave_rtp_sframe_pay_src_event;
}

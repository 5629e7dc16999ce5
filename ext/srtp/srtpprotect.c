/**
 * SECTION:element-srtpprotect
 * @title: srtpprotect
 *
 * Encrypts and authenticates RTP and RTCP (SRTP, RFC 3711; AES-GCM, RFC 7714). Stands in for GStreamer's `srtpenc`: the
 * same pads, also behind rtpbin's `request-rtp-encoder` and `request-rtcp-encoder`, and the same packets on the wire,
 * but the key stands in no caps. A pad `rtp_sink_N` brings `rtp_src_N`, a pad `rtcp_sink_N` brings `rtcp_src_N`. RTCP that
 * arrives on an RTP pad (RFC 5761) is protected as RTCP and leaves with the RTP.
 *
 * The key comes from #ConclaveSrtpBase:key-location, #ConclaveSrtpBase:key, or live from
 * #ConclaveSrtpBase::set-key; #ConclaveSrtpBase::rekey changes it without a gap. Without a key nothing is sent.
 *
 * No packet index is used twice under a key: not after a flush, not after a stop and a second start, not after set-key
 * with the same key. A packet whose sequence number was sent already is dropped and counted as `replayed` or `too-old`; a
 * source that goes on like that (it was restarted) is asked to take another SSRC. What an element cannot know is what
 * another element, or another run, has sent under the same key: give a key to one sender, and a fresh one to each run.
 *
 * ## Threads
 * Packets are protected and pushed on the streaming thread of their pad, a list under one lock. Properties and actions may
 * come from any thread. The lock is taken after none other; nothing is called out with it held.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=100 ! vp8enc deadline=1 ! rtpvp8pay ! srtpprotect key-location=key.hex ! udpsink host=127.0.0.1 port=5004
 * ]|
 * Sends VP8 as SRTP. Make a key with `openssl rand -hex 44 > key.hex`.
 *
 * Since: 0.1
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpelements.h"

#include <stdio.h>

#include "srtpcommon.h"
#include "srtppackets.h"

GST_DEBUG_CATEGORY_STATIC (srtpprotect_debug);
#define GST_CAT_DEFAULT srtpprotect_debug

/* Packets in a row whose index was used before: then their source was restarted, and needs an SSRC of its own. */
#define RESTART_AFTER 16
/* SSRCs that are told of in one list. */
#define MAX_TOLD 8

#define CONCLAVE_TYPE_SRTP_PROTECT (conclave_srtp_protect_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveSrtpProtect, conclave_srtp_protect, CONCLAVE,
    SRTP_PROTECT, ConclaveSrtpBase)

#define CONCLAVE_TYPE_SRTP_PROTECT_PAD (conclave_srtp_protect_pad_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveSrtpProtectPad, conclave_srtp_protect_pad,
    CONCLAVE, SRTP_PROTECT_PAD, GstPad)

/* A sink or source pad; each knows the other one of its pair. */
struct _ConclaveSrtpProtectPad
{
  GstPad parent;

  GstPad *other; /* element's object lock; NULL once released */
  gboolean rtcp; /* fixed */

  /* streaming thread, sink pads only */
  GHashTable *
      refused; /* SSRC → packets in a row whose index was used before. Of the pad: another one with the same SSRC may
                  well go on */
};

struct _ConclaveSrtpProtect
{
  ConclaveSrtpBase parent;

  /* object lock */
  guint next_pad;
};

G_DEFINE_FINAL_TYPE (
    ConclaveSrtpProtectPad, conclave_srtp_protect_pad, GST_TYPE_PAD)
G_DEFINE_FINAL_TYPE (
    ConclaveSrtpProtect, conclave_srtp_protect, CONCLAVE_TYPE_SRTP_BASE)
GST_ELEMENT_REGISTER_DEFINE (
    srtpprotect, "srtpprotect", GST_RANK_NONE, CONCLAVE_TYPE_SRTP_PROTECT)

static GstStaticPadTemplate rtp_sink_template =
    GST_STATIC_PAD_TEMPLATE ("rtp_sink_%u", GST_PAD_SINK, GST_PAD_REQUEST,
        GST_STATIC_CAPS ("application/x-rtp"));
static GstStaticPadTemplate rtp_src_template =
    GST_STATIC_PAD_TEMPLATE ("rtp_src_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
        GST_STATIC_CAPS ("application/x-srtp"));
static GstStaticPadTemplate rtcp_sink_template =
    GST_STATIC_PAD_TEMPLATE ("rtcp_sink_%u", GST_PAD_SINK, GST_PAD_REQUEST,
        GST_STATIC_CAPS ("application/x-rtcp"));
static GstStaticPadTemplate rtcp_src_template =
    GST_STATIC_PAD_TEMPLATE ("rtcp_src_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
        GST_STATIC_CAPS ("application/x-srtcp"));

static void
conclave_srtp_protect_pad_finalize (GObject *object)
{
  g_hash_table_unref (CONCLAVE_SRTP_PROTECT_PAD (object)->refused);
  G_OBJECT_CLASS (conclave_srtp_protect_pad_parent_class)->finalize (object);
}

static void
conclave_srtp_protect_pad_class_init (ConclaveSrtpProtectPadClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = conclave_srtp_protect_pad_finalize;
}

static void
conclave_srtp_protect_pad_init (ConclaveSrtpProtectPad *pad)
{
  pad->refused = g_hash_table_new (NULL, NULL);
}

/* A reference to the pad's partner, or NULL. Whoever pushes on it needs one: release_pad() waits for other streaming
 * threads, but may be called from this one, downstream. */
static GstPad *
other_pad (ConclaveSrtpProtect *self, GstPad *pad)
{
  GST_OBJECT_LOCK (self);
  GstPad *other = CONCLAVE_SRTP_PROTECT_PAD (pad)->other;
  if (other)
    gst_object_ref (other);
  GST_OBJECT_UNLOCK (self);
  return other;
}

/* --- Packets --- */

/* What is to be told once the lock is released. */
typedef struct
{
  ConclaveSrtpBase *self;
  ConclaveSrtpProtectPad *pad;
  gsize overhead;
  SrtpResult fatal; /* SRTP_OK: none */
  gboolean lost_key, too_many, soft_limit;
  guint32 fatal_ssrc, too_many_ssrc, restarted[MAX_TOLD];
  guint n_restarted;
} Batch;

static SrtpResult
protect_bytes (Batch *batch, const guint8 *in, gsize len, guint8 *out,
    gsize room, gsize *out_len, SrtpInfo *info)
{
  SrtpSession *session = batch->self->session;

  if (!session)
    return SRTP_NO_KEY;
  if (batch->pad->rtcp || srtp_is_rtcp (in, len))
    return srtp_session_protect_rtcp (
        session, in, len, out, room, out_len, info);
  return srtp_session_protect_rtp (session, in, len, out, room, out_len, info);
}

/* Where the packet lies, when that is ours alone and has room behind. False when it is not like that, or the library
 * refuses the memory. */
static gboolean
protect_in_place (
    Batch *batch, GstBuffer *buffer, SrtpResult *result, SrtpInfo *info)
{
  GstMemory *memory = gst_buffer_peek_memory (buffer, 0);
  gsize offset, room, len = gst_memory_get_sizes (memory, &offset, &room),
                      out_len = 0;
  GstMapInfo map;

  if (gst_buffer_n_memory (buffer) != 1
      || room - offset - len < batch->overhead
      || !gst_buffer_is_writable (buffer) || !gst_memory_is_writable (memory))
    return FALSE;
  gst_memory_resize (memory, 0, len + batch->overhead);
  if (!gst_memory_map (memory, &map, GST_MAP_READWRITE)) {
    gst_memory_resize (memory, 0, len);
    return FALSE;
  }
  *result =
      protect_bytes (batch, map.data, len, map.data, map.size, &out_len, info);
  gst_memory_unmap (memory, &map);
  gst_memory_resize (memory, 0, out_len);
  return TRUE;
}

/* From where the packet lies to a block of its own, which takes its place in the buffer, or in a new one where others
 * hold this one too. A packet in several memories (payloaders put the header in front of a part of the frame) is gathered
 * first.  Gives the buffer to send, or NULL. */
static GstBuffer *
protect_to_new (
    Batch *batch, GstBuffer *buffer, SrtpResult *result, SrtpInfo *info)
{
  gsize len = gst_buffer_get_size (buffer), room = len + batch->overhead,
        out_len = 0;
  GstMemory *from = gst_buffer_n_memory (buffer) == 1
                        ? gst_buffer_peek_memory (buffer, 0)
                        : NULL;
  guint8 *data;
  GstMemory *memory = srtp_blocks_take (batch->self->blocks, room, &data);
  GstMapInfo map;

  if (!memory) {
    *result = SRTP_FAILED;
    return NULL;
  }
  if (from && gst_memory_map (from, &map, GST_MAP_READ)) {
    *result =
        protect_bytes (batch, map.data, map.size, data, room, &out_len, info);
    gst_memory_unmap (from, &map);
  } else {
    gst_buffer_extract (buffer, 0, data, len);
    *result = protect_bytes (batch, data, len, data, room, &out_len, info);
  }
  if (*result != SRTP_OK) {
    gst_memory_unref (memory);
    return NULL;
  }
  gst_memory_resize (memory, 0, out_len);
  return srtp_buffer_with (buffer, memory);
}

/* A packet whose index was used before. */
static void
note_repetition (Batch *batch, guint32 ssrc)
{
  gpointer key = GUINT_TO_POINTER (ssrc);
  guint n =
      GPOINTER_TO_UINT (g_hash_table_lookup (batch->pad->refused, key)) + 1;

  g_hash_table_insert (batch->pad->refused, key, GUINT_TO_POINTER (n));
  if (n == RESTART_AFTER && batch->n_restarted < MAX_TOLD)
    batch->restarted[batch->n_restarted++] = ssrc;
}

/* Notes what must be said about a packet that is not sent. */
static void
note_refusal (Batch *batch, SrtpResult result, const SrtpInfo *info)
{
  ConclaveSrtpBase *self = batch->self;

  switch (result) {
    case SRTP_NO_KEY:
      if (self->was_keyed) {
        batch->lost_key |= !self->warned_no_key;
        self->warned_no_key = TRUE;
        break;
      }
      G_GNUC_FALLTHROUGH;
    case SRTP_KEY_SPENT:
    case SRTP_FAILED:
    case SRTP_NO_ROOM:
      batch->fatal = result;
      batch->fatal_ssrc = info->ssrc;
      break;
    case SRTP_TOO_MANY_SSRCS:
      if (!self->warned_too_many) {
        batch->too_many = TRUE;
        batch->too_many_ssrc = info->ssrc;
      }
      self->warned_too_many = TRUE;
      break;
    case SRTP_REPLAYED:
    case SRTP_TOO_OLD:
      note_repetition (batch, info->ssrc);
      break;
    default:
      break;
  }
}

/* The protected packet in place of the one at `buffer`, or NULL. Lock held. */
static gboolean
protect_one (GstBuffer **buffer, guint i, gpointer user_data)
{
  Batch *batch = user_data;
  SrtpResult result;
  SrtpInfo info = { 0 };
  GstBuffer *out = NULL;

  if (gst_buffer_n_memory (*buffer) == 0)
    result =
        protect_bytes (batch, (const guint8 *) "", 0, NULL, 0, NULL, &info);
  else if (protect_in_place (batch, *buffer, &result, &info))
    out = result == SRTP_OK ? *buffer : NULL;
  else
    out = protect_to_new (batch, *buffer, &result, &info);
  if (out != *buffer)
    gst_buffer_unref (*buffer);
  if (result == SRTP_OK) {
    if (g_hash_table_size (batch->pad->refused) > 0)
      g_hash_table_remove (batch->pad->refused, GUINT_TO_POINTER (info.ssrc));
    srtp_base_note_use (batch->self, batch->self->session);
    batch->soft_limit |= info.soft_limit;
  } else {
    note_refusal (batch, result, &info);
  }
  *buffer = out;
  return batch->fatal == SRTP_OK;
}

static void
start_batch (Batch *batch, ConclaveSrtpBase *self, GstPad *pad)
{
  SrtpSession *session = self->session;

  *batch = (Batch){ .self = self, .pad = CONCLAVE_SRTP_PROTECT_PAD (pad) };
  if (session)
    batch->overhead = batch->pad->rtcp
                          ? srtp_session_rtcp_overhead (session)
                          : MAX (srtp_session_rtp_overhead (session),
                              srtp_session_rtcp_overhead (session));
}

static void
tell_restart (Batch *batch, guint32 ssrc)
{
  ConclaveSrtpBase *self = batch->self;

  GST_ELEMENT_WARNING (self, STREAM, ENCODE,
      ("SSRC %08x goes over sequence numbers again that were sent under this key; its packets are dropped, since "
       "whoever sees both could read them. A restarted stream needs a new SSRC or a new key.",
          ssrc),
      ("%d packets in a row; the source is asked to take another SSRC",
          RESTART_AFTER));
  /* What payloaders and rtpbin understand. */
  gst_pad_push_event (
      GST_PAD (batch->pad), gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
                                gst_structure_new ("GstRTPCollision", "ssrc",
                                    G_TYPE_UINT, ssrc, NULL)));
}

/* Says what happened; GST_FLOW_ERROR when that ends the stream. */
static GstFlowReturn
finish_batch (Batch *batch)
{
  ConclaveSrtpBase *self = batch->self;

  if (batch->soft_limit)
    srtp_base_tell (self, "conclave-srtp-soft-limit", -1);
  if (batch->lost_key)
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("The keys were cleared: packets are dropped until \"set-key\" gives another."),
        (NULL));
  if (batch->too_many)
    GST_ELEMENT_WARNING (self, STREAM, ENCODE,
        ("There are \"max-ssrcs\" streams under this key: SSRC %08x is not sent. Raise it, or change the key with "
         "\"rekey\".",
            batch->too_many_ssrc),
        (NULL));
  for (guint i = 0; i < batch->n_restarted; i++)
    tell_restart (batch, batch->restarted[i]);

  if (batch->fatal == SRTP_OK)
    return GST_FLOW_OK;
  if (batch->fatal == SRTP_NO_KEY)
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS,
        ("%s has no key, and nothing is sent unprotected: set \"key-location\" to a file with master key and salt (openssl "
         "rand -hex 44 > FILE), or call \"set-key\" before the first packet.",
            GST_OBJECT_NAME (self)),
        (NULL));
  else if (batch->fatal == SRTP_KEY_SPENT)
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("The key has protected as many packets as it may: change it with \"rekey\" when \"conclave-srtp-soft-limit\" "
         "is on the bus."),
        ("SSRC %08x", batch->fatal_ssrc));
  else
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("A packet could not be protected."),
        ("SSRC %08x: %s", batch->fatal_ssrc, srtp_result_name (batch->fatal)));
  return GST_FLOW_ERROR;
}

static GstFlowReturn
conclave_srtp_protect_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  ConclaveSrtpBase *self = (ConclaveSrtpBase *) parent;
  Batch batch;

  g_mutex_lock (&self->lock);
  start_batch (&batch, self, pad);
  protect_one (&buffer, 0, &batch);
  g_mutex_unlock (&self->lock);

  GstFlowReturn flow = finish_batch (&batch);
  if (flow != GST_FLOW_OK)
    gst_clear_buffer (&buffer);
  if (!buffer)
    return flow;
  g_autoptr (GstPad) src = other_pad ((ConclaveSrtpProtect *) self, pad);
  if (!src) {
    gst_buffer_unref (buffer);
    return GST_FLOW_FLUSHING;
  }
  return gst_pad_push (src, buffer);
}

static GstFlowReturn
conclave_srtp_protect_chain_list (
    GstPad *pad, GstObject *parent, GstBufferList *list)
{
  ConclaveSrtpBase *self = (ConclaveSrtpBase *) parent;
  Batch batch;

  list = gst_buffer_list_make_writable (list);
  g_mutex_lock (&self->lock);
  start_batch (&batch, self, pad);
  gst_buffer_list_foreach (list, protect_one, &batch);
  g_mutex_unlock (&self->lock);

  GstFlowReturn flow = finish_batch (&batch);
  g_autoptr (GstPad) src = other_pad ((ConclaveSrtpProtect *) self, pad);
  if (flow != GST_FLOW_OK || !src || gst_buffer_list_length (list) == 0) {
    gst_buffer_list_unref (list);
    return flow != GST_FLOW_OK || src ? flow : GST_FLOW_FLUSHING;
  }
  return gst_pad_push_list (src, list);
}

/* --- Negotiation --- */

static gboolean
conclave_srtp_protect_sink_event (
    GstPad *pad, GstObject *parent, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    GstCaps *caps;
    gst_event_parse_caps (event, &caps);
    g_autoptr (GstCaps) out = srtp_caps_protect (caps);
    gst_event_unref (event);
    if (gst_caps_is_empty (out))
      return FALSE;
    event = gst_event_new_caps (out);
    g_autoptr (GstPad) src = other_pad (CONCLAVE_SRTP_PROTECT (parent), pad);
    if (src)
      return gst_pad_push_event (src, event);
    gst_event_unref (event);
    return FALSE;
  }
  return gst_pad_event_default (pad, parent, event);
}

static gboolean
conclave_srtp_protect_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  ConclaveSrtpProtect *self = CONCLAVE_SRTP_PROTECT (parent);

  if (GST_QUERY_TYPE (query) == GST_QUERY_CAPS) {
    g_autoptr (GstPad) other = other_pad (self, pad);
    srtp_answer_caps_query (query, pad, other, GST_PAD_IS_SINK (pad));
    return TRUE;
  }
  if (GST_QUERY_TYPE (query) == GST_QUERY_ALLOCATION) {
    /* Room behind the packet, for those who ask: then it is protected where it lies. */
    GstAllocationParams params;
    gst_allocation_params_init (&params);
    params.padding = SRTP_MAX_OVERHEAD;
    gst_query_add_allocation_param (query, NULL, &params);
    return TRUE;
  }
  return gst_pad_query_default (pad, parent, query);
}

static GstIterator *
conclave_srtp_protect_iterate_internal_links (GstPad *pad, GstObject *parent)
{
  g_autoptr (GstPad) other = other_pad (CONCLAVE_SRTP_PROTECT (parent), pad);
  return srtp_iterate_pad (other);
}

/* --- Pads --- */

static ConclaveSrtpProtectPad *
make_pad (GstPadDirection direction, gboolean rtcp, guint number)
{
  GstStaticPadTemplate *from =
      direction == GST_PAD_SINK
          ? (rtcp ? &rtcp_sink_template : &rtp_sink_template)
          : (rtcp ? &rtcp_src_template : &rtp_src_template);
  g_autoptr (GstPadTemplate) template = gst_static_pad_template_get (from);
  g_autofree gchar *name = g_strdup_printf ("%s_%s_%u", rtcp ? "rtcp" : "rtp",
      direction == GST_PAD_SINK ? "sink" : "src", number);
  ConclaveSrtpProtectPad *pad = g_object_new (CONCLAVE_TYPE_SRTP_PROTECT_PAD,
      "name", name, "direction", direction, "template", template, NULL);

  pad->rtcp = rtcp;
  gst_pad_set_query_function (GST_PAD (pad), conclave_srtp_protect_query);
  gst_pad_set_iterate_internal_links_function (
      GST_PAD (pad), conclave_srtp_protect_iterate_internal_links);
  if (direction == GST_PAD_SINK) {
    gst_pad_set_chain_function (GST_PAD (pad), conclave_srtp_protect_chain);
    gst_pad_set_chain_list_function (
        GST_PAD (pad), conclave_srtp_protect_chain_list);
    gst_pad_set_event_function (
        GST_PAD (pad), conclave_srtp_protect_sink_event);
  }
  return pad;
}

/* The source pad is there when the sink pad is returned: rtpbin looks for it by name at once. */
static GstPad *
conclave_srtp_protect_request_new_pad (GstElement *element,
    GstPadTemplate *template, const gchar *name, const GstCaps *caps)
{
  ConclaveSrtpProtect *self = CONCLAVE_SRTP_PROTECT (element);
  gboolean rtcp =
      g_str_has_prefix (GST_PAD_TEMPLATE_NAME_TEMPLATE (template), "rtcp");
  guint number;

  GST_OBJECT_LOCK (self);
  if (name
      && sscanf (name, rtcp ? "rtcp_sink_%u" : "rtp_sink_%u", &number) == 1) {
    if (number >= self->next_pad)
      self->next_pad = number + 1;
  } else {
    number = self->next_pad++;
  }
  GST_OBJECT_UNLOCK (self);

  ConclaveSrtpProtectPad *sink = make_pad (GST_PAD_SINK, rtcp, number),
                         *src = make_pad (GST_PAD_SRC, rtcp, number);
  sink->other = GST_PAD (src);
  src->other = GST_PAD (sink);
  gst_pad_set_active (GST_PAD (src), TRUE);
  gst_pad_set_active (GST_PAD (sink), TRUE);
  if (!gst_element_add_pad (element,
          GST_PAD (src))) { /* sinks it, and warns: the name is taken */
    src->other = NULL;
    gst_object_unref (gst_object_ref_sink (sink));
    return NULL;
  }
  gst_element_add_pad (element, GST_PAD (sink));
  return GST_PAD (sink);
}

static void
conclave_srtp_protect_release_pad (GstElement *element, GstPad *pad)
{
  ConclaveSrtpProtect *self = CONCLAVE_SRTP_PROTECT (element);

  /* Deactivating waits for the streaming thread to leave. */
  g_autoptr (GstPad) src = other_pad (self, pad);
  gst_pad_set_active (pad, FALSE);
  GST_OBJECT_LOCK (self);
  CONCLAVE_SRTP_PROTECT_PAD (pad)->other = NULL;
  if (src)
    CONCLAVE_SRTP_PROTECT_PAD (src)->other = NULL;
  GST_OBJECT_UNLOCK (self);
  if (src) {
    gst_pad_set_active (src, FALSE);
    gst_element_remove_pad (element, src);
  }
  gst_element_remove_pad (element, pad);
}

/* --- Object --- */

static void
conclave_srtp_protect_init (ConclaveSrtpProtect *self)
{
}

static void
conclave_srtp_protect_class_init (ConclaveSrtpProtectClass *klass)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  ConclaveSrtpBaseClass *base_class = (ConclaveSrtpBaseClass *) klass;

  GST_DEBUG_CATEGORY_INIT (
      srtpprotect_debug, "srtpprotect", 0, "SRTP protection");

  base_class->direction = SRTP_SEND;
  base_class->good_name = "protected";
  element_class->request_new_pad = conclave_srtp_protect_request_new_pad;
  element_class->release_pad = conclave_srtp_protect_release_pad;
  gst_element_class_add_static_pad_template_with_gtype (
      element_class, &rtp_sink_template, CONCLAVE_TYPE_SRTP_PROTECT_PAD);
  gst_element_class_add_static_pad_template_with_gtype (
      element_class, &rtp_src_template, CONCLAVE_TYPE_SRTP_PROTECT_PAD);
  gst_element_class_add_static_pad_template_with_gtype (
      element_class, &rtcp_sink_template, CONCLAVE_TYPE_SRTP_PROTECT_PAD);
  gst_element_class_add_static_pad_template_with_gtype (
      element_class, &rtcp_src_template, CONCLAVE_TYPE_SRTP_PROTECT_PAD);
  gst_element_class_set_static_metadata (element_class, "SRTP protector",
      "Filter/Network/SRTP",
      "Encrypts and authenticates RTP and RTCP (RFC 3711, RFC 7714)",
      "gst-conclave");
  gst_type_mark_as_plugin_api (CONCLAVE_TYPE_SRTP_PROTECT_PAD, 0);
}

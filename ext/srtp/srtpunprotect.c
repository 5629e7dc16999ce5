/**
 * SECTION:element-srtpunprotect
 * @title: srtpunprotect
 *
 * Checks and decrypts SRTP and SRTCP (RFC 3711; AES-GCM, RFC 7714). Stands in for GStreamer's `srtpdec`: the same pads,
 * also behind rtpbin's `request-rtp-decoder` and `request-rtcp-decoder`, and the same packets on the wire, but no key is
 * looked for in caps. SRTCP that arrives on `rtp_sink` (RFC 5761) leaves on `rtcp_src`.
 *
 * One key serves all SSRCs: #ConclaveSrtpUnprotect:key-location, #ConclaveSrtpUnprotect:key, or live from
 * #ConclaveSrtpUnprotect::set-key; #ConclaveSrtpUnprotect::rekey adds the next one, and both are taken until the sender has
 * moved. Where each SSRC has a key of its own, #ConclaveSrtpUnprotect::request-key asks for it, once per SSRC.
 *
 * Nothing but an authentic packet changes anything: neither ROC nor replay window, and an SSRC costs no memory before. What
 * is forged, repeated, too late or malformed is counted in #ConclaveSrtpUnprotect:stats and dropped. The first failure of
 * an SSRC is a warning on the bus; a failure that lasts can be made an error with #ConclaveSrtpUnprotect:error-after.
 *
 * A receiver that joins after 65,536 packets needs the sender's ROC: #ConclaveSrtpUnprotect::set-roc.
 *
 * ## Threads
 * Packets are checked and pushed on the streaming thread of their pad, a list under one lock, which `request-key` is asked
 * without. Properties and actions may come from any thread. The lock is taken after none other; nothing is called out with
 * it held.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 udpsrc port=5004 caps="application/x-srtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96" ! srtpunprotect key-location=key.hex ! rtpjitterbuffer ! rtpvp8depay ! vp8dec ! autovideosink
 * ]|
 * Plays what srtpprotect sends with the same key.
 *
 * Since: 0.1
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpelements.h"

#include "srtpcommon.h"

GST_DEBUG_CATEGORY_STATIC (srtpunprotect_debug);
#define GST_CAT_DEFAULT srtpunprotect_debug

/* Streams whose first failure is told of in one list; the others are in the statistics. */
#define MAX_WARNINGS 8

#define CONCLAVE_TYPE_SRTP_UNPROTECT (conclave_srtp_unprotect_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveSrtpUnprotect, conclave_srtp_unprotect, CONCLAVE,
    SRTP_UNPROTECT, GstElement)

struct _ConclaveSrtpUnprotect
{
  GstElement parent;

  GstPad *rtp_sink, *rtp_src, *rtcp_sink, *rtcp_src; /* fixed */
  SrtpCore core;

  /* object lock */
  guint error_after;

  /* core.lock */
  gboolean was_keyed; /* had a key when a packet came */
  gboolean warned_no_key;
  guint failures; /* in a row */

  /* streaming thread of rtp_sink */
  gboolean
      muxed; /* rtcp_src has had RTCP from rtp_sink, and goes with its events */
};

G_DEFINE_FINAL_TYPE (
    ConclaveSrtpUnprotect, conclave_srtp_unprotect, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE (srtpunprotect, "srtpunprotect", GST_RANK_NONE,
    CONCLAVE_TYPE_SRTP_UNPROTECT)

enum
{
  PROP_0,
  PROP_ERROR_AFTER,
  PROP_STATS,
  PROP_CORE
};

enum
{
  SIGNAL_REQUEST_KEY,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

static GstStaticPadTemplate rtp_sink_template =
    GST_STATIC_PAD_TEMPLATE ("rtp_sink", GST_PAD_SINK, GST_PAD_ALWAYS,
        GST_STATIC_CAPS ("application/x-srtp"));
static GstStaticPadTemplate rtp_src_template =
    GST_STATIC_PAD_TEMPLATE ("rtp_src", GST_PAD_SRC, GST_PAD_ALWAYS,
        GST_STATIC_CAPS ("application/x-rtp"));
static GstStaticPadTemplate rtcp_sink_template =
    GST_STATIC_PAD_TEMPLATE ("rtcp_sink", GST_PAD_SINK, GST_PAD_ALWAYS,
        GST_STATIC_CAPS ("application/x-srtcp"));
static GstStaticPadTemplate rtcp_src_template =
    GST_STATIC_PAD_TEMPLATE ("rtcp_src", GST_PAD_SRC, GST_PAD_ALWAYS,
        GST_STATIC_CAPS ("application/x-rtcp"));

static GstPad *
other_pad (ConclaveSrtpUnprotect *self, GstPad *pad)
{
  return pad == self->rtp_sink    ? self->rtp_src
         : pad == self->rtp_src   ? self->rtp_sink
         : pad == self->rtcp_sink ? self->rtcp_src
                                  : self->rtcp_sink;
}

/* --- Keys of single SSRCs --- */

/* Asks the application for the key of `ssrc`, without the lock, and keeps what it says. Lock held on entry and return. */
static void
ask_for_key (ConclaveSrtpUnprotect *self, guint32 ssrc)
{
  SrtpCore *core = &self->core;
  GBytes *key = NULL;
  SrtpSession *session = NULL;

  g_hash_table_insert (core->by_ssrc, GUINT_TO_POINTER (ssrc),
      NULL); /* not asked twice, not even meanwhile */
  g_mutex_unlock (&core->lock);
  g_signal_emit (self, signals[SIGNAL_REQUEST_KEY], 0, ssrc, &key);
  if (key)
    session = srtp_core_session_for (GST_ELEMENT (self), core, key);
  g_clear_pointer (&key, g_bytes_unref);
  g_mutex_lock (&core->lock);
  if (!session)
    return;
  if (g_hash_table_contains (core->by_ssrc, GUINT_TO_POINTER (ssrc)))
    g_hash_table_replace (core->by_ssrc, GUINT_TO_POINTER (ssrc), session);
  else /* the keys were cleared meanwhile */
    srtp_session_free (session);
}

/* The session for this packet: the one for all, or that of its SSRC. Lock held, but for the question. */
static SrtpSession *
choose_session (
    ConclaveSrtpUnprotect *self, const guint8 *in, gsize len, gboolean rtcp)
{
  SrtpCore *core = &self->core;
  guint32 ssrc;

  if (srtp_session_has_key (core->session)
      || !srtp_packet_ssrc (in, len, rtcp, &ssrc))
    return core->session;
  if (!g_hash_table_contains (core->by_ssrc, GUINT_TO_POINTER (ssrc))
      && g_hash_table_size (core->by_ssrc)
             < srtp_session_config (core->session)->max_ssrcs
      && g_signal_has_handler_pending (
          self, signals[SIGNAL_REQUEST_KEY], 0, FALSE))
    ask_for_key (self, ssrc);
  SrtpSession *own =
      g_hash_table_lookup (core->by_ssrc, GUINT_TO_POINTER (ssrc));
  return own ? own
             : core->session; /* which has no key, unless it was set meanwhile, and counts that */
}

static gboolean
has_any_key (ConclaveSrtpUnprotect *self)
{
  return srtp_session_has_key (self->core.session)
         || g_hash_table_size (self->core.by_ssrc) > 0
         || g_signal_has_handler_pending (
             self, signals[SIGNAL_REQUEST_KEY], 0, FALSE);
}

/* --- Packets --- */

/* What is to be told, and where packets go, once the lock is released. */
typedef struct
{
  ConclaveSrtpUnprotect *self;
  gboolean rtcp;       /* of the pad */
  GstBufferList *side; /* RTCP that came on the RTP pad, or NULL */
  guint32 warn[MAX_WARNINGS], recovered[MAX_WARNINGS];
  guint n_warn, n_recovered;
  gboolean fatal, lost_key, soft_limit;
  guint failures; /* in a row, at the worst moment */
  SrtpResult last_failure;
  guint32 last_ssrc;
} Batch;

static SrtpResult
unprotect_bytes (Batch *batch, const guint8 *in, gsize len, guint8 *out,
    gsize room, gsize *out_len, gboolean *rtcp, SrtpInfo *info)
{
  *rtcp = batch->rtcp || srtp_is_rtcp (in, len);
  SrtpSession *session = choose_session (batch->self, in, len, *rtcp);
  return *rtcp ? srtp_session_unprotect_rtcp (
             session, in, len, out, room, out_len, info)
               : srtp_session_unprotect_rtp (
                   session, in, len, out, room, out_len, info);
}

/* Where the packet lies, if nobody else has it. */
static gboolean
unprotect_in_place (Batch *batch, GstBuffer *buffer, SrtpResult *result,
    gboolean *rtcp, SrtpInfo *info)
{
  GstMemory *memory = gst_buffer_peek_memory (buffer, 0);
  GstMapInfo map;
  gsize out_len = 0;

  if (gst_buffer_n_memory (buffer) != 1 || !gst_buffer_is_writable (buffer)
      || !gst_memory_is_writable (memory)
      || !gst_memory_map (memory, &map, GST_MAP_READWRITE))
    return FALSE;
  *result = unprotect_bytes (
      batch, map.data, map.size, map.data, map.size, &out_len, rtcp, info);
  gst_memory_unmap (memory, &map);
  gst_memory_resize (memory, 0, out_len);
  return TRUE;
}

/* To a block of its own: a tee or somebody's list holds the packet too, and must not see it change. Gives the buffer to
 * push, or NULL. */
static GstBuffer *
unprotect_to_new (Batch *batch, GstBuffer *buffer, SrtpResult *result,
    gboolean *rtcp, SrtpInfo *info)
{
  gsize len = gst_buffer_get_size (buffer), room = len, out_len = 0;
  GstMemory *from = gst_buffer_n_memory (buffer) == 1
                        ? gst_buffer_peek_memory (buffer, 0)
                        : NULL;
  guint8 *data;
  GstMemory *memory = srtp_blocks_take (batch->self->core.blocks, room, &data);
  GstMapInfo map;

  if (!memory) {
    *result = SRTP_FAILED;
    return NULL;
  }
  if (from && gst_memory_map (from, &map, GST_MAP_READ)) {
    *result = unprotect_bytes (
        batch, map.data, map.size, data, room, &out_len, rtcp, info);
    gst_memory_unmap (from, &map);
  } else {
    gst_buffer_extract (buffer, 0, data, len);
    *result =
        unprotect_bytes (batch, data, len, data, room, &out_len, rtcp, info);
  }
  if (*result != SRTP_OK) {
    gst_memory_unref (memory);
    return NULL;
  }
  gst_memory_resize (memory, 0, out_len);
  return srtp_buffer_with (buffer, memory);
}

static void
note_failure (Batch *batch, SrtpResult result, const SrtpInfo *info)
{
  ConclaveSrtpUnprotect *self = batch->self;

  if (info->first_failure && batch->n_warn < MAX_WARNINGS)
    batch->warn[batch->n_warn++] = info->ssrc;
  /* A repeated or late packet says nothing about the key. */
  if (result != SRTP_UNAUTHENTIC && result != SRTP_NO_KEY
      && result != SRTP_MALFORMED)
    return;
  self->failures++;
  batch->failures = MAX (batch->failures, self->failures);
  batch->last_failure = result;
  batch->last_ssrc = info->ssrc;
  if (result == SRTP_NO_KEY && !has_any_key (self)) {
    batch->fatal |= !self->was_keyed;
    batch->lost_key |= self->was_keyed && !self->warned_no_key;
    self->warned_no_key |= self->was_keyed;
  }
}

/* The packet in place of the protected one at `buffer`, or NULL. Lock held. */
static gboolean
unprotect_one (GstBuffer **buffer, guint i, gpointer user_data)
{
  Batch *batch = user_data;
  gboolean rtcp = FALSE;
  SrtpResult result;
  SrtpInfo info = { 0 };
  GstBuffer *out = NULL;

  if (gst_buffer_n_memory (*buffer) == 0)
    result = unprotect_bytes (
        batch, (const guint8 *) "", 0, NULL, 0, NULL, &rtcp, &info);
  else if (unprotect_in_place (batch, *buffer, &result, &rtcp, &info))
    out = result == SRTP_OK ? *buffer : NULL;
  else
    out = unprotect_to_new (batch, *buffer, &result, &rtcp, &info);
  if (out != *buffer)
    gst_buffer_unref (*buffer);
  if (result == SRTP_OK) {
    batch->self->failures = 0;
    batch->self->was_keyed = TRUE;
    batch->soft_limit |= info.soft_limit;
    if (info.recovered && batch->n_recovered < MAX_WARNINGS)
      batch->recovered[batch->n_recovered++] = info.ssrc;
  } else {
    note_failure (batch, result, &info);
  }
  if (out && rtcp && !batch->rtcp) {
    if (!batch->side)
      batch->side = gst_buffer_list_new ();
    gst_buffer_list_add (batch->side, g_steal_pointer (&out));
  }
  *buffer = out;
  return TRUE;
}

static void
post_about (ConclaveSrtpUnprotect *self, const gchar *name, guint32 ssrc)
{
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self),
          gst_structure_new (name, "ssrc", G_TYPE_UINT, ssrc, NULL)));
}

/* Says what happened; GST_FLOW_ERROR when that ends the stream. */
static GstFlowReturn
finish_batch (Batch *batch)
{
  ConclaveSrtpUnprotect *self = batch->self;

  for (guint i = 0; i < batch->n_warn; i++)
    GST_ELEMENT_WARNING (self, STREAM, DECRYPT,
        ("A packet of SSRC %08x is not authentic: the key, \"rtp-cipher\" or \"rtp-auth\" differ from the sender's; or it "
         "has sent more than 65,536 packets already (then call \"set-roc\"); or somebody changed the packet on its way.",
            batch->warn[i]),
        (NULL));
  for (guint i = 0; i < batch->n_recovered; i++)
    post_about (self, "conclave-srtp-recovered", batch->recovered[i]);
  if (batch->soft_limit)
    gst_element_post_message (GST_ELEMENT (self),
        gst_message_new_element (GST_OBJECT (self),
            gst_structure_new_empty ("conclave-srtp-soft-limit")));
  if (batch->lost_key)
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("The keys were cleared: packets are dropped until \"set-key\" gives another."),
        (NULL));
  if (batch->fatal) {
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS,
        ("%s has no key: set \"key-location\" to the file with the sender's master key and salt, call \"set-key\" before "
         "the first packet, or connect \"request-key\".",
            GST_OBJECT_NAME (self)),
        (NULL));
    return GST_FLOW_ERROR;
  }
  if (batch->failures == 0)
    return GST_FLOW_OK;

  GST_OBJECT_LOCK (self);
  guint limit = self->error_after;
  GST_OBJECT_UNLOCK (self);
  GST_DEBUG_OBJECT (self, "dropped a packet of SSRC %08x: %s",
      batch->last_ssrc, srtp_result_name (batch->last_failure));
  if (limit == 0 || batch->failures < limit)
    return GST_FLOW_OK;
  GST_ELEMENT_ERROR (self, STREAM, DECRYPT,
      ("None of the last %u packets could be read (\"error-after\"). The last one, of SSRC %08x: %s. Check the key, "
       "\"rtp-cipher\" and \"rtp-auth\".",
          batch->failures, batch->last_ssrc,
          srtp_result_name (batch->last_failure)),
      (NULL));
  return GST_FLOW_ERROR;
}

/* rtcp_src begins: what is sticky on rtp_sink goes there as well, as RTCP. */
static void
start_mux (ConclaveSrtpUnprotect *self)
{
  if (self->muxed)
    return;
  self->muxed = TRUE;
  if (gst_pad_has_current_caps (self->rtcp_src))
    return; /* rtcp_sink has started it */

  g_autofree gchar *of = gst_pad_get_stream_id (self->rtp_sink);
  g_autofree gchar *id =
      g_strdup_printf ("%s/rtcp", of ? of : GST_OBJECT_NAME (self));
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("application/x-rtcp");
  g_autoptr (GstEvent) segment =
      gst_pad_get_sticky_event (self->rtp_sink, GST_EVENT_SEGMENT, 0);
  gst_pad_push_event (self->rtcp_src, gst_event_new_stream_start (id));
  gst_pad_push_event (self->rtcp_src, gst_event_new_caps (caps));
  if (segment)
    gst_pad_push_event (self->rtcp_src, gst_event_ref (segment));
}

/* RTCP that came with the RTP. That nobody wants it is no reason to stop the RTP. */
static void
push_side (ConclaveSrtpUnprotect *self, GstBufferList *side)
{
  start_mux (self);
  GstFlowReturn flow = gst_pad_push_list (self->rtcp_src, side);
  if (flow != GST_FLOW_OK)
    GST_LOG_OBJECT (
        self, "RTCP from the RTP pad: %s", gst_flow_get_name (flow));
}

static GstFlowReturn
conclave_srtp_unprotect_chain (
    GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  ConclaveSrtpUnprotect *self = (ConclaveSrtpUnprotect *) parent;
  Batch batch = { .self = self, .rtcp = pad == self->rtcp_sink };

  g_mutex_lock (&self->core.lock);
  unprotect_one (&buffer, 0, &batch);
  g_mutex_unlock (&self->core.lock);

  GstFlowReturn flow = finish_batch (&batch);
  if (batch.side)
    push_side (self, batch.side);
  if (flow != GST_FLOW_OK)
    gst_clear_buffer (&buffer);
  return buffer ? gst_pad_push (other_pad (self, pad), buffer) : flow;
}

static GstFlowReturn
conclave_srtp_unprotect_chain_list (
    GstPad *pad, GstObject *parent, GstBufferList *list)
{
  ConclaveSrtpUnprotect *self = (ConclaveSrtpUnprotect *) parent;
  Batch batch = { .self = self, .rtcp = pad == self->rtcp_sink };

  list = gst_buffer_list_make_writable (list);
  g_mutex_lock (&self->core.lock);
  gst_buffer_list_foreach (list, unprotect_one, &batch);
  g_mutex_unlock (&self->core.lock);

  GstFlowReturn flow = finish_batch (&batch);
  if (batch.side)
    push_side (self, batch.side);
  if (flow != GST_FLOW_OK || gst_buffer_list_length (list) == 0) {
    gst_buffer_list_unref (list);
    return flow;
  }
  return gst_pad_push_list (other_pad (self, pad), list);
}

/* --- Negotiation --- */

static gboolean
conclave_srtp_unprotect_sink_event (
    GstPad *pad, GstObject *parent, GstEvent *event)
{
  ConclaveSrtpUnprotect *self = CONCLAVE_SRTP_UNPROTECT (parent);

  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    GstCaps *caps;
    gst_event_parse_caps (event, &caps);
    g_autoptr (GstCaps) out = srtp_caps_unprotect (caps);
    gst_event_unref (event);
    return !gst_caps_is_empty (out)
           && gst_pad_push_event (
               other_pad (self, pad), gst_event_new_caps (out));
  }
  if (pad == self->rtp_sink) {
    switch (GST_EVENT_TYPE (event)) {
      case GST_EVENT_EOS:
        /* Who waits for the end of RTCP gets it from here, if it comes from nowhere else. */
        if (!gst_pad_is_linked (self->rtcp_sink)) {
          start_mux (self);
          gst_pad_push_event (self->rtcp_src, gst_event_ref (event));
        }
        break;
      case GST_EVENT_FLUSH_START:
      case GST_EVENT_FLUSH_STOP:
      case GST_EVENT_SEGMENT:
        if (self->muxed && !gst_pad_is_linked (self->rtcp_sink))
          gst_pad_push_event (self->rtcp_src, gst_event_ref (event));
        break;
      default:
        break;
    }
  }
  return gst_pad_event_default (pad, parent, event);
}

/* What the pad can do: its template, as far as the other side of the element can do its part. */
static GstCaps *
query_caps (ConclaveSrtpUnprotect *self, GstPad *pad, GstCaps *filter)
{
  GstCaps *caps = gst_pad_get_pad_template_caps (pad);
  g_autoptr (GstCaps) far =
      gst_pad_peer_query_caps (other_pad (self, pad), NULL);

  if (!gst_caps_is_any (far)) {
    g_autoptr (GstCaps) near = GST_PAD_IS_SINK (pad)
                                   ? srtp_caps_protect (far)
                                   : srtp_caps_unprotect (far);
    GstCaps *both =
        gst_caps_intersect_full (near, caps, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (caps);
    caps = both;
  }
  if (filter) {
    GstCaps *filtered =
        gst_caps_intersect_full (filter, caps, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (caps);
    caps = filtered;
  }
  return caps;
}

static gboolean
conclave_srtp_unprotect_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_CAPS) {
    GstCaps *filter;
    gst_query_parse_caps (query, &filter);
    g_autoptr (GstCaps) caps =
        query_caps (CONCLAVE_SRTP_UNPROTECT (parent), pad, filter);
    gst_query_set_caps_result (query, caps);
    return TRUE;
  }
  return gst_pad_query_default (pad, parent, query);
}

static GstIterator *
conclave_srtp_unprotect_iterate_internal_links (GstPad *pad, GstObject *parent)
{
  GValue value = G_VALUE_INIT;

  g_value_init (&value, GST_TYPE_PAD);
  g_value_set_object (
      &value, other_pad (CONCLAVE_SRTP_UNPROTECT (parent), pad));
  GstIterator *iterator = gst_iterator_new_single (GST_TYPE_PAD, &value);
  g_value_unset (&value);
  return iterator;
}

/* --- States --- */

static GstStateChangeReturn
conclave_srtp_unprotect_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveSrtpUnprotect *self = CONCLAVE_SRTP_UNPROTECT (element);

  if ((transition == GST_STATE_CHANGE_NULL_TO_READY
          || transition == GST_STATE_CHANGE_READY_TO_PAUSED)
      && !srtp_core_load (element, &self->core))
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    self->muxed = FALSE;
    g_mutex_lock (&self->core.lock);
    self->failures = 0;
    self->warned_no_key = FALSE;
    g_mutex_unlock (&self->core.lock);
  }
  return GST_ELEMENT_CLASS (conclave_srtp_unprotect_parent_class)
      ->change_state (element, transition);
}

/* --- Actions and object --- */

static SrtpCore *
core_of (GstElement *element)
{
  return &CONCLAVE_SRTP_UNPROTECT (element)->core;
}

static void
conclave_srtp_unprotect_remove_key (ConclaveSrtpUnprotect *self, guint ssrc)
{
  g_mutex_lock (&self->core.lock);
  g_hash_table_remove (self->core.by_ssrc, GUINT_TO_POINTER (ssrc));
  g_mutex_unlock (&self->core.lock);
}

static void
add_session (SrtpCounters *sum, GValue *streams, SrtpSession *session)
{
  SrtpStats stats;

  srtp_session_stats (session, &stats);
  for (guint i = 0; i < SRTP_N_RESULTS; i++)
    sum->results[i] += stats.counters.results[i];
  sum->octets += stats.counters.octets;
  srtp_stats_append_streams (streams, session, "delivered");
}

static GstStructure *
make_stats (ConclaveSrtpUnprotect *self)
{
  GstStructure *stats =
      gst_structure_new_empty ("application/x-srtpunprotect-stats");
  SrtpCounters sum = { { 0 }, 0 };
  GValue streams = G_VALUE_INIT;
  GHashTableIter iter;
  gpointer session;

  g_value_init (&streams, GST_TYPE_ARRAY);
  g_mutex_lock (&self->core.lock);
  gboolean has_key =
      self->core.session && srtp_session_has_key (self->core.session);
  if (self->core.session)
    add_session (&sum, &streams, self->core.session);
  g_hash_table_iter_init (&iter, self->core.by_ssrc);
  while (g_hash_table_iter_next (&iter, NULL, &session))
    if (session) {
      add_session (&sum, &streams, session);
      has_key = TRUE;
    }
  g_mutex_unlock (&self->core.lock);
  srtp_stats_add_counters (stats, &sum, "delivered");
  gst_structure_set (stats, "has-key", G_TYPE_BOOLEAN, has_key, NULL);
  gst_structure_take_value (stats, "streams", &streams);
  return stats;
}

static void
conclave_srtp_unprotect_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveSrtpUnprotect *self = CONCLAVE_SRTP_UNPROTECT (object);

  if (id == PROP_ERROR_AFTER) {
    GST_OBJECT_LOCK (self);
    self->error_after = g_value_get_uint (value);
    GST_OBJECT_UNLOCK (self);
  } else if (!srtp_core_set_property (
                 GST_ELEMENT (self), &self->core, pspec, value)) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
conclave_srtp_unprotect_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveSrtpUnprotect *self = CONCLAVE_SRTP_UNPROTECT (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
  } else if (id == PROP_ERROR_AFTER) {
    GST_OBJECT_LOCK (self);
    g_value_set_uint (value, self->error_after);
    GST_OBJECT_UNLOCK (self);
  } else if (!srtp_core_get_property (
                 GST_ELEMENT (self), &self->core, pspec, value)) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
conclave_srtp_unprotect_finalize (GObject *object)
{
  srtp_core_clear (&CONCLAVE_SRTP_UNPROTECT (object)->core);
  G_OBJECT_CLASS (conclave_srtp_unprotect_parent_class)->finalize (object);
}

static GstPad *
add_pad (ConclaveSrtpUnprotect *self, GstStaticPadTemplate *template,
    const gchar *name)
{
  GstPad *pad = gst_pad_new_from_static_template (template, name);

  gst_pad_set_query_function (pad, conclave_srtp_unprotect_query);
  gst_pad_set_iterate_internal_links_function (
      pad, conclave_srtp_unprotect_iterate_internal_links);
  if (GST_PAD_IS_SINK (pad)) {
    gst_pad_set_chain_function (pad, conclave_srtp_unprotect_chain);
    gst_pad_set_chain_list_function (pad, conclave_srtp_unprotect_chain_list);
    gst_pad_set_event_function (pad, conclave_srtp_unprotect_sink_event);
  }
  gst_element_add_pad (GST_ELEMENT (self), pad);
  return pad;
}

static void
conclave_srtp_unprotect_init (ConclaveSrtpUnprotect *self)
{
  srtp_core_init (&self->core, SRTP_RECEIVE);
  self->rtp_sink = add_pad (self, &rtp_sink_template, "rtp_sink");
  self->rtp_src = add_pad (self, &rtp_src_template, "rtp_src");
  self->rtcp_sink = add_pad (self, &rtcp_sink_template, "rtcp_sink");
  self->rtcp_src = add_pad (self, &rtcp_src_template, "rtcp_src");
}

static void
install_signals (ConclaveSrtpUnprotectClass *klass)
{
  /**
   * ConclaveSrtpUnprotect::request-key:
   * @self: the element
   * @ssrc: an SSRC that has sent a packet, while there is no key for all
   *
   * Asks for the key of one SSRC. Emitted on a streaming thread without any lock, once per SSRC and for at most
   * `max-ssrcs` of them, whatever the answers: strangers can use them up, so where they can send, prefer one key for all.
   *
   * Returns: (transfer full) (nullable): master key and salt, or %NULL: then the SSRC's packets are dropped
   *
   * Since: 0.1
   */
  signals[SIGNAL_REQUEST_KEY] = g_signal_new ("request-key",
      G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
      G_TYPE_BYTES, 1, G_TYPE_UINT);

  /**
   * ConclaveSrtpUnprotect::remove-key:
   * @self: the element
   * @ssrc: an SSRC
   *
   * Forgets what `request-key` answered for this SSRC, which is asked for again with its next packet. From any thread.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("remove-key", G_TYPE_FROM_CLASS (klass),
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (conclave_srtp_unprotect_remove_key), NULL, NULL, NULL,
      G_TYPE_NONE, 1, G_TYPE_UINT);
}

static void
conclave_srtp_unprotect_class_init (ConclaveSrtpUnprotectClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (
      srtpunprotect_debug, "srtpunprotect", 0, "SRTP unprotection");

  object_class->set_property = conclave_srtp_unprotect_set_property;
  object_class->get_property = conclave_srtp_unprotect_get_property;
  object_class->finalize = conclave_srtp_unprotect_finalize;
  srtp_core_install_properties (object_class, PROP_CORE);
  srtp_core_install_actions (G_TYPE_FROM_CLASS (klass), core_of);
  install_signals (klass);

  /**
   * ConclaveSrtpUnprotect:error-after:
   *
   * After this many packets in a row that are not authentic, have no key or are malformed, the stream ends with an error.
   * 0: never. Whoever can send packets here can end the stream with it.
   *
   * Since: 0.1
   */
  g_object_class_install_property (object_class, PROP_ERROR_AFTER,
      g_param_spec_uint ("error-after", "Error after",
          "End with an error after this many packets in a row that could not be read; 0: never",
          0, G_MAXUINT, 0,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_PLAYING));

  /**
   * ConclaveSrtpUnprotect:stats:
   *
   * `application/x-srtpunprotect-stats`: what came in is `delivered` + the causes of dropping `malformed`, `auth-failed`,
   * `replayed`, `too-old`, `no-key`, `too-many-ssrcs`, `key-spent`, `failed`. Besides `bytes`, `has-key`, and `streams`: for
   * each SSRC the same counters with `ssrc`, `authentic`, `roc`, `sequence`, `rtcp-index`; of SSRCs without an authentic
   * packet the first 64.
   *
   * Since: 0.1
   */
  g_object_class_install_property (object_class, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Packets delivered and dropped, by cause and by SSRC",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));

  element_class->change_state = conclave_srtp_unprotect_change_state;
  gst_element_class_add_static_pad_template (
      element_class, &rtp_sink_template);
  gst_element_class_add_static_pad_template (element_class, &rtp_src_template);
  gst_element_class_add_static_pad_template (
      element_class, &rtcp_sink_template);
  gst_element_class_add_static_pad_template (
      element_class, &rtcp_src_template);
  gst_element_class_set_static_metadata (element_class, "SRTP unprotector",
      "Filter/Network/SRTP",
      "Checks and decrypts SRTP and SRTCP (RFC 3711, RFC 7714)",
      "gst-conclave");
}

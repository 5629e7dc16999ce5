/**
 * SECTION:element-srtpunprotect
 * @title: srtpunprotect
 *
 * Checks and decrypts SRTP and SRTCP (RFC 3711; AES-GCM, RFC 7714). Stands in for GStreamer's `srtpdec`: the same pads,
 * also behind rtpbin's `request-rtp-decoder` and `request-rtcp-decoder`, and the same packets on the wire, but no key is
 * looked for in caps. SRTCP that arrives on `rtp_sink` (RFC 5761) leaves on `rtcp_src`.
 *
 * One key serves all SSRCs: #ConclaveSrtpBase:key-location, #ConclaveSrtpBase:key, or live from
 * #ConclaveSrtpBase::set-key; #ConclaveSrtpBase::rekey adds the next one, and both are taken until the sender has
 * moved. Where each SSRC has a key of its own, #ConclaveSrtpUnprotect::request-key asks for it, once per SSRC, and
 * #ConclaveSrtpUnprotect::rekey-ssrc brings the next.
 *
 * Nothing but an authentic packet changes anything: neither ROC nor replay window, and an SSRC costs no memory before. What
 * is forged, repeated, too late or malformed is counted in #ConclaveSrtpBase:stats and dropped. The first failure of
 * an SSRC is a warning on the bus; a failure that lasts can be made an error with #ConclaveSrtpUnprotect:error-after.
 *
 * A receiver that joins after 65,536 packets needs the sender's ROC: #ConclaveSrtpBase::set-roc.
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
#include "srtppackets.h"

GST_DEBUG_CATEGORY_STATIC (srtpunprotect_debug);
#define GST_CAT_DEFAULT srtpunprotect_debug

/* Streams whose first failure is told of in one list; the others are in the statistics. */
#define MAX_TOLD 8

#define CONCLAVE_TYPE_SRTP_UNPROTECT (conclave_srtp_unprotect_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveSrtpUnprotect, conclave_srtp_unprotect, CONCLAVE,
    SRTP_UNPROTECT, ConclaveSrtpBase)

struct _ConclaveSrtpUnprotect
{
  ConclaveSrtpBase parent;

  GstPad *rtp_sink, *rtp_src, *rtcp_sink, *rtcp_src; /* fixed */

  /* object lock */
  guint error_after;

  /* parent.lock */
  guint failures; /* in a row */
  guint own_tellable,
      since_tellable; /* failures under keys of single SSRCs that may be told; those since one more may */
  guint
      answers_refused; /* keys of "request-key" that did not fit, in this run */

  /* streaming thread of rtp_sink; state changes while there is none */
  gboolean
      muxed; /* rtcp_src has had RTCP from rtp_sink, and goes with its serialized events */
};

G_DEFINE_FINAL_TYPE (
    ConclaveSrtpUnprotect, conclave_srtp_unprotect, CONCLAVE_TYPE_SRTP_BASE)
GST_ELEMENT_REGISTER_DEFINE (srtpunprotect, "srtpunprotect", GST_RANK_NONE,
    CONCLAVE_TYPE_SRTP_UNPROTECT)

enum
{
  PROP_0,
  PROP_ERROR_AFTER
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

/* A reference to the pad's partner. */
static GstPad *
other_pad (ConclaveSrtpUnprotect *self, GstPad *pad)
{
  return gst_object_ref (pad == self->rtp_sink    ? self->rtp_src
                         : pad == self->rtp_src   ? self->rtp_sink
                         : pad == self->rtcp_sink ? self->rtcp_src
                                                  : self->rtcp_sink);
}

/* SSRCs that one list may have something said about. */
typedef struct
{
  guint32 ssrc[MAX_TOLD];
  guint n;
} Ssrcs;

static void
ssrcs_add (Ssrcs *ssrcs, guint32 ssrc)
{
  if (ssrcs->n < MAX_TOLD)
    ssrcs->ssrc[ssrcs->n++] = ssrc;
}

/* What is to be told, and where packets go, once the lock is released. */
typedef struct
{
  ConclaveSrtpUnprotect *self;
  gboolean rtcp;       /* of the pad */
  GstBufferList *side; /* RTCP that came on the RTP pad, or NULL */
  Ssrcs unauthentic, wrong_mki, recovered, spent;
  gboolean no_key, lost_key, soft_limit, all_spent, too_many;
  guint32 too_many_ssrc, bad_answer_ssrc;
  GError *bad_answer; /* or NULL */
  guint failures;     /* in a row, at the worst moment */
  SrtpResult last_failure;
  guint32 last_ssrc;
} Batch;

/* --- Keys of single SSRCs --- */

static gboolean
may_ask (ConclaveSrtpUnprotect *self)
{
  return g_signal_has_handler_pending (
      self, signals[SIGNAL_REQUEST_KEY], 0, FALSE);
}

/* Lock held. `key` is NULL for an empty one. */
static void
take_answer (Batch *batch, guint32 ssrc, const SrtpConfig *config, Secret *key)
{
  ConclaveSrtpUnprotect *self = batch->self;
  ConclaveSrtpBase *base = &self->parent;

  SrtpResult result = srtp_base_give_own_key (
      base, ssrc, config, key, base->mki, FALSE, FALSE);
  if (result != SRTP_OK && !batch->bad_answer
      && self->answers_refused++ < MAX_TOLD) {
    batch->bad_answer_ssrc = ssrc;
    srtp_set_key_error (&batch->bad_answer, result, config,
        "The key that \"request-key\" gave");
  }
}

/* Asks the application for the key of `ssrc`, without the lock, and keeps what it says. Lock held on entry and return. */
static void
ask_for_key (Batch *batch, guint32 ssrc, guint max)
{
  ConclaveSrtpBase *base = &batch->self->parent;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (Secret) key = NULL;

  guint question = own_keys_begin (base->own, ssrc, max);
  if (question == 0)
    return;
  g_mutex_unlock (&base->lock);
  g_signal_emit (base, signals[SIGNAL_REQUEST_KEY], 0, ssrc, &bytes);
  SrtpConfig config = srtp_base_config (base);
  if (bytes && g_bytes_get_size (bytes) > 0)
    key =
        secret_copy (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  g_mutex_lock (&base->lock);
  /* Or the keys were cleared, or set for all, meanwhile. */
  if (own_keys_end (base->own, ssrc, question) && bytes)
    take_answer (batch, ssrc, &config, key);
}

/* The session for this packet, after the application was asked for its key where that may help. Lock held, but for the
 * question. */
static SrtpSession *
choose_session (Batch *batch, const guint8 *in, gsize len, gboolean rtcp)
{
  ConclaveSrtpBase *base = &batch->self->parent;
  guint32 ssrc;

  if (own_keys_in_force (base->own) == 0
      && srtp_session_has_key (base->session))
    return base->session;
  if (!srtp_packet_ssrc (in, len, rtcp, &ssrc))
    return base->session;
  SrtpSession *session = srtp_base_session_of (base, ssrc);
  if (srtp_session_has_key (session) || !may_ask (batch->self))
    return session;

  guint max = (guint) srtp_session_config (base->session)->max_ssrcs;
  switch (own_keys_may_ask (base->own, ssrc, max)) {
    case OWN_ASK:
      ask_for_key (batch, ssrc, max);
      break;
    case OWN_FULL:
      batch->too_many |= !base->warned_too_many;
      base->warned_too_many = TRUE;
      batch->too_many_ssrc = ssrc;
      break;
    case OWN_ASKED:
      break;
  }
  return srtp_base_session_of (base, ssrc);
}

/* --- Packets --- */

/* A key is used up. That of all SSRCs ends the stream; but a packet that may be anybody's can say so only when no key is
 * left that could read it. */
static void
note_spent (Batch *batch, const SrtpSession *session, gboolean rtcp,
    const SrtpInfo *info)
{
  ConclaveSrtpUnprotect *self = batch->self;
  SrtpStats stats;

  if (session == self->parent.session) {
    batch->all_spent |= srtp_session_is_spent (session, rtcp);
    return;
  }
  srtp_session_stats (session, &stats);
  if (stats.counters.results[SRTP_KEY_SPENT] == 1)
    ssrcs_add (&batch->spent, info->ssrc);
}

/* What a refused packet says about keys, of one SSRC for the first time. A session sees to it that these are few; of
 * sessions there may be one for each SSRC, so they are counted here in the same way. */
static void
note_first_failure (Batch *batch, const SrtpSession *session,
    SrtpResult result, const SrtpInfo *info)
{
  ConclaveSrtpUnprotect *self = batch->self;

  if (session != self->parent.session
      && !own_keys_is_kept (self->parent.own, info->ssrc)) {
    if (self->own_tellable == 0)
      return;
    self->own_tellable--;
  }
  if (result == SRTP_UNAUTHENTIC)
    ssrcs_add (&batch->unauthentic, info->ssrc);
  else if (result == SRTP_NO_KEY && srtp_session_has_key (session))
    ssrcs_add (&batch->wrong_mki, info->ssrc);
}

static void
note_failure (Batch *batch, const SrtpSession *session, gboolean rtcp,
    SrtpResult result, const SrtpInfo *info)
{
  ConclaveSrtpUnprotect *self = batch->self;
  ConclaveSrtpBase *base = &self->parent;

  if (session != base->session
      && ++self->since_tellable >= SRTP_TELL_INTERVAL) {
    self->since_tellable = 0;
    self->own_tellable = MIN (self->own_tellable + 1, SRTP_MAX_STRANGERS);
  }
  if (info->first_failure)
    note_first_failure (batch, session, result, info);
  if (result == SRTP_TOO_MANY_SSRCS) {
    batch->too_many |= !base->warned_too_many;
    base->warned_too_many = TRUE;
    batch->too_many_ssrc = info->ssrc;
  }
  if (result == SRTP_KEY_SPENT)
    note_spent (batch, session, rtcp, info);
  /* A repeated or late packet says nothing about the key. */
  if (result != SRTP_UNAUTHENTIC && result != SRTP_NO_KEY
      && result != SRTP_MALFORMED)
    return;
  self->failures++;
  batch->failures = MAX (batch->failures, self->failures);
  batch->last_failure = result;
  batch->last_ssrc = info->ssrc;
  if (result == SRTP_NO_KEY && !srtp_base_has_any_key (base)) {
    batch->no_key |= !base->was_keyed;
    batch->lost_key |= base->was_keyed && !base->warned_no_key;
    base->warned_no_key |= base->was_keyed;
  }
}

static void
note_success (Batch *batch, const SrtpSession *session, const SrtpInfo *info)
{
  ConclaveSrtpBase *base = &batch->self->parent;

  batch->self->failures = 0;
  srtp_base_note_use (base, session);
  if (info->new_stream && session != base->session)
    own_keys_prove (base->own, info->ssrc);
  batch->soft_limit |= info->soft_limit;
  if (info->recovered)
    ssrcs_add (&batch->recovered, info->ssrc);
}

static SrtpResult
unprotect_bytes (Batch *batch, const guint8 *in, gsize len, guint8 *out,
    gsize room, gsize *out_len, gboolean *rtcp)
{
  SrtpInfo info;

  *rtcp = batch->rtcp || srtp_is_rtcp (in, len);
  SrtpSession *session = choose_session (batch, in, len, *rtcp);
  SrtpResult result = *rtcp ? srtp_session_unprotect_rtcp (
                          session, in, len, out, room, out_len, &info)
                            : srtp_session_unprotect_rtp (
                                session, in, len, out, room, out_len, &info);
  if (result == SRTP_OK)
    note_success (batch, session, &info);
  else
    note_failure (batch, session, *rtcp, result, &info);
  return result;
}

/* Where the packet lies, if nobody else has it. */
static gboolean
unprotect_in_place (
    Batch *batch, GstBuffer *buffer, SrtpResult *result, gboolean *rtcp)
{
  GstMemory *memory = gst_buffer_peek_memory (buffer, 0);
  GstMapInfo map;
  gsize out_len = 0;

  if (gst_buffer_n_memory (buffer) != 1 || !gst_buffer_is_writable (buffer)
      || !gst_memory_is_writable (memory)
      || !gst_memory_map (memory, &map, GST_MAP_READWRITE))
    return FALSE;
  *result = unprotect_bytes (
      batch, map.data, map.size, map.data, map.size, &out_len, rtcp);
  gst_memory_unmap (memory, &map);
  gst_memory_resize (memory, 0, out_len);
  return TRUE;
}

/* To a block of its own: a tee or somebody's list holds the packet too, and must not see it change. Gives the buffer to
 * push, or NULL. */
static GstBuffer *
unprotect_to_new (
    Batch *batch, GstBuffer *buffer, SrtpResult *result, gboolean *rtcp)
{
  gsize len = gst_buffer_get_size (buffer), room = len, out_len = 0;
  GstMemory *from = gst_buffer_n_memory (buffer) == 1
                        ? gst_buffer_peek_memory (buffer, 0)
                        : NULL;
  guint8 *data;
  GstMemory *memory =
      srtp_blocks_take (batch->self->parent.blocks, room, &data);
  GstMapInfo map;

  if (!memory) {
    *result = SRTP_FAILED;
    return NULL;
  }
  if (from && gst_memory_map (from, &map, GST_MAP_READ)) {
    *result = unprotect_bytes (
        batch, map.data, map.size, data, room, &out_len, rtcp);
    gst_memory_unmap (from, &map);
  } else {
    gst_buffer_extract (buffer, 0, data, len);
    *result = unprotect_bytes (batch, data, len, data, room, &out_len, rtcp);
  }
  if (*result != SRTP_OK) {
    gst_memory_unref (memory);
    return NULL;
  }
  gst_memory_resize (memory, 0, out_len);
  return srtp_buffer_with (buffer, memory);
}

/* The packet in place of the protected one at `buffer`, or NULL. Lock held. */
static gboolean
unprotect_one (GstBuffer **buffer, guint i, gpointer user_data)
{
  Batch *batch = user_data;
  gboolean rtcp = FALSE;
  SrtpResult result;
  GstBuffer *out = NULL;

  if (gst_buffer_n_memory (*buffer) == 0)
    result =
        unprotect_bytes (batch, (const guint8 *) "", 0, NULL, 0, NULL, &rtcp);
  else if (unprotect_in_place (batch, *buffer, &result, &rtcp))
    out = result == SRTP_OK ? *buffer : NULL;
  else
    out = unprotect_to_new (batch, *buffer, &result, &rtcp);
  if (out != *buffer)
    gst_buffer_unref (*buffer);
  if (out && rtcp && !batch->rtcp) {
    if (!batch->side)
      batch->side = gst_buffer_list_new ();
    gst_buffer_list_add (batch->side, g_steal_pointer (&out));
  }
  *buffer = out;
  return TRUE;
}

/* About single SSRCs. */
static void
tell_of_ssrcs (Batch *batch)
{
  ConclaveSrtpUnprotect *self = batch->self;

  for (guint i = 0; i < batch->unauthentic.n; i++)
    GST_ELEMENT_WARNING (self, STREAM, DECRYPT,
        ("A packet of SSRC %08x is not authentic: the key, \"rtp-cipher\", \"rtp-auth\" or \"mki\" differ from the "
         "sender's; or it has sent more than 65,536 packets already (then call \"set-roc\"); or somebody changed the "
         "packet on its way.",
            batch->unauthentic.ssrc[i]),
        (NULL));
  for (guint i = 0; i < batch->wrong_mki.n; i++)
    GST_ELEMENT_WARNING (self, STREAM, DECRYPT,
        ("A packet of SSRC %08x has the MKI of no key that is here: \"mki\" differs from the sender's, or the sender "
         "puts none; or it has changed its key, and \"rekey\" was not called here.",
            batch->wrong_mki.ssrc[i]),
        (NULL));
  for (guint i = 0; i < batch->spent.n; i++)
    GST_ELEMENT_WARNING (self, STREAM, DECRYPT,
        ("The key of SSRC %08x has had as many packets as it may: give the next one with \"rekey-ssrc\" when "
         "\"conclave-srtp-soft-limit\" is on the bus.",
            batch->spent.ssrc[i]),
        (NULL));
  for (guint i = 0; i < batch->recovered.n; i++)
    srtp_base_tell (
        &self->parent, "conclave-srtp-recovered", batch->recovered.ssrc[i]);
}

/* About keys; GST_FLOW_ERROR when there is none, or none that may be used. */
static GstFlowReturn
tell_of_keys (Batch *batch)
{
  ConclaveSrtpUnprotect *self = batch->self;

  if (batch->bad_answer) {
    GST_INFO_OBJECT (
        self, "the answer for SSRC %08x is refused", batch->bad_answer_ssrc);
    srtp_base_post (&self->parent, GST_MESSAGE_WARNING, batch->bad_answer);
    g_clear_error (&batch->bad_answer);
  }
  if (batch->soft_limit)
    srtp_base_tell (&self->parent, "conclave-srtp-soft-limit", -1);
  if (batch->lost_key)
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("The keys were cleared: packets are dropped until \"set-key\" gives another."),
        (NULL));
  if (batch->too_many)
    GST_ELEMENT_WARNING (self, STREAM, DECRYPT,
        ("There are \"max-ssrcs\" streams: packets of SSRC %08x and other new ones are dropped. Raise it, or let go of "
         "finished streams with \"rekey\" or \"remove-key\".",
            batch->too_many_ssrc),
        (NULL));
  if (batch->no_key) {
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS,
        ("%s has no key: set \"key-location\" to the file with the sender's master key and salt, call \"set-key\" before "
         "the first packet, or connect \"request-key\".",
            GST_OBJECT_NAME (self)),
        (NULL));
    return GST_FLOW_ERROR;
  }
  if (batch->all_spent) {
    GST_ELEMENT_ERROR (self, STREAM, DECRYPT,
        ("The key has had as many packets as it may: change it with \"rekey\" when \"conclave-srtp-soft-limit\" is on "
         "the bus."),
        (NULL));
    return GST_FLOW_ERROR;
  }
  return GST_FLOW_OK;
}

/* Says what happened; GST_FLOW_ERROR when that ends the stream. */
static GstFlowReturn
finish_batch (Batch *batch)
{
  ConclaveSrtpUnprotect *self = batch->self;

  tell_of_ssrcs (batch);
  GstFlowReturn flow = tell_of_keys (batch);
  if (flow != GST_FLOW_OK)
    return flow;
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
  g_autoptr (GstPad) src = other_pad (self, pad);
  Batch batch = { .self = self, .rtcp = pad == self->rtcp_sink };

  g_mutex_lock (&self->parent.lock);
  unprotect_one (&buffer, 0, &batch);
  g_mutex_unlock (&self->parent.lock);

  GstFlowReturn flow = finish_batch (&batch);
  if (batch.side)
    push_side (self, batch.side);
  if (flow != GST_FLOW_OK)
    gst_clear_buffer (&buffer);
  return buffer ? gst_pad_push (src, buffer) : flow;
}

static GstFlowReturn
conclave_srtp_unprotect_chain_list (
    GstPad *pad, GstObject *parent, GstBufferList *list)
{
  ConclaveSrtpUnprotect *self = (ConclaveSrtpUnprotect *) parent;
  g_autoptr (GstPad) src = other_pad (self, pad);
  Batch batch = { .self = self, .rtcp = pad == self->rtcp_sink };

  list = gst_buffer_list_make_writable (list);
  g_mutex_lock (&self->parent.lock);
  gst_buffer_list_foreach (list, unprotect_one, &batch);
  g_mutex_unlock (&self->parent.lock);

  GstFlowReturn flow = finish_batch (&batch);
  if (batch.side)
    push_side (self, batch.side);
  if (flow != GST_FLOW_OK || gst_buffer_list_length (list) == 0) {
    gst_buffer_list_unref (list);
    return flow;
  }
  return gst_pad_push_list (src, list);
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
    g_autoptr (GstPad) src = other_pad (self, pad);
    gst_event_unref (event);
    return !gst_caps_is_empty (out)
           && gst_pad_push_event (src, gst_event_new_caps (out));
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
        /* Whether or not RTCP came yet: it may, just now, on the streaming thread that is to be let go. */
        if (!gst_pad_is_linked (self->rtcp_sink))
          gst_pad_push_event (self->rtcp_src, gst_event_ref (event));
        break;
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

static gboolean
conclave_srtp_unprotect_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_CAPS) {
    g_autoptr (GstPad) other =
        other_pad (CONCLAVE_SRTP_UNPROTECT (parent), pad);
    srtp_answer_caps_query (query, pad, other, GST_PAD_IS_SRC (pad));
    return TRUE;
  }
  return gst_pad_query_default (pad, parent, query);
}

static GstIterator *
conclave_srtp_unprotect_iterate_internal_links (GstPad *pad, GstObject *parent)
{
  g_autoptr (GstPad) other = other_pad (CONCLAVE_SRTP_UNPROTECT (parent), pad);
  return srtp_iterate_pad (other);
}

/* --- States --- */

static GstStateChangeReturn
conclave_srtp_unprotect_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveSrtpUnprotect *self = CONCLAVE_SRTP_UNPROTECT (element);

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    self->muxed = FALSE;
    g_mutex_lock (&self->parent.lock);
    self->failures = self->answers_refused = 0;
    self->own_tellable = SRTP_MAX_STRANGERS;
    g_mutex_unlock (&self->parent.lock);
  }
  return GST_ELEMENT_CLASS (conclave_srtp_unprotect_parent_class)
      ->change_state (element, transition);
}

/* --- Object --- */

static void
conclave_srtp_unprotect_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveSrtpUnprotect *self = CONCLAVE_SRTP_UNPROTECT (object);

  GST_OBJECT_LOCK (self);
  self->error_after = g_value_get_uint (value);
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_srtp_unprotect_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveSrtpUnprotect *self = CONCLAVE_SRTP_UNPROTECT (object);

  GST_OBJECT_LOCK (self);
  g_value_set_uint (value, self->error_after);
  GST_OBJECT_UNLOCK (self);
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
  self->rtp_sink = add_pad (self, &rtp_sink_template, "rtp_sink");
  self->rtp_src = add_pad (self, &rtp_src_template, "rtp_src");
  self->rtcp_sink = add_pad (self, &rtcp_sink_template, "rtcp_sink");
  self->rtcp_src = add_pad (self, &rtcp_src_template, "rtcp_src");
}

static void
conclave_srtp_unprotect_class_init (ConclaveSrtpUnprotectClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  ConclaveSrtpBaseClass *base_class = (ConclaveSrtpBaseClass *) klass;

  GST_DEBUG_CATEGORY_INIT (
      srtpunprotect_debug, "srtpunprotect", 0, "SRTP unprotection");

  /**
   * ConclaveSrtpUnprotect::request-key:
   * @self: the element
   * @ssrc: an SSRC that has sent a packet, while there is no key for all
   *
   * Asks for the key of one SSRC; its packets have the MKI of `mki`, if that is set. Emitted on a streaming thread without
   * any lock, once per SSRC until `remove-key` or the next start. Answers for `max-ssrcs` SSRCs are kept; when strangers
   * have used them up, a newcomer takes the place of one that has sent nothing authentic. The handler may call all actions.
   *
   * Returns: (transfer full) (nullable): master key and salt, or %NULL: then the SSRC's packets are dropped
   *
   * Since: 0.1
   */
  signals[SIGNAL_REQUEST_KEY] = g_signal_new ("request-key",
      G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
      G_TYPE_BYTES, 1, G_TYPE_UINT);
  srtp_install_ssrc_actions (G_TYPE_FROM_CLASS (klass));

  base_class->direction = SRTP_RECEIVE;
  base_class->good_name = "delivered";
  base_class->request_key = signals[SIGNAL_REQUEST_KEY];
  object_class->set_property = conclave_srtp_unprotect_set_property;
  object_class->get_property = conclave_srtp_unprotect_get_property;

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

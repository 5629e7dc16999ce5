/* The way of a frame through sframedec: decrypted, dropped for a reason that is counted and told, or waiting for its key.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sframedec.h"

#include <gst/video/video.h>

#include "vp8size.h"

GST_DEBUG_CATEGORY_EXTERN (sframedec_debug);
#define GST_CAT_DEFAULT sframedec_debug

#define MAX_WARNED_KIDS                                                       \
  64 /* of each kind, on the bus; after so many there are no more */
#define REPLAYS_UNTIL_WARNING                                                 \
  50 /* in a row: a few are the network's duplicates */

/* What a waiting frame costs beside its bytes: buffer, memory and list node, generously. */
#define PENDING_OVERHEAD 512

const gchar *const sframe_dec_fate_names[N_FATES] = {
  [DECODE_OK] = "decrypted",
  [DECODE_TRUNCATED] = "truncated",
  [DECODE_NOT_MINIMAL] = "not-minimal",
  [DECODE_UNKNOWN_KID] = "unknown-kid",
  [DECODE_UNAUTHENTIC] = "unauthenticated",
  [DECODE_REPLAYED] = "replayed",
  [DECODE_TOO_MANY_STREAMS] = "too-many-streams",
  [DROP_MALFORMED] = "malformed",
  [DROP_WRONG_SENDER] = "wrong-sender",
  [DROP_WAITING_KEYFRAME] = "waiting-keyframe",
  [DROP_FLUSHED] = "flushed",
  [DROP_NO_MEMORY] = "no-memory",
};

/* --- What happens to frames that are dropped --- */

/* Asks for a keyframe if frames were lost and the last request is long enough ago. */
static void
request_keyframe (ConclaveSFrameDec *self)
{
  if (!self->lost)
    return;
  GST_OBJECT_LOCK (self);
  gint64 interval = (gint64) (self->keyframe_interval / 1000);
  GST_OBJECT_UNLOCK (self);
  gint64 now = g_get_monotonic_time ();

  if (!self->lost || !self->is_video
      || (self->last_request != 0 && now - self->last_request < interval))
    return;
  self->last_request = now;
  self->lost = FALSE;
  g_mutex_lock (&self->key_lock);
  self->n_keyframe_requests++;
  g_mutex_unlock (&self->key_lock);
  gst_pad_push_event (GST_BASE_TRANSFORM_SINK_PAD (self),
      gst_video_event_new_upstream_force_key_unit (
          GST_CLOCK_TIME_NONE, TRUE, 0));
}

/* The first failure of a KID, told to people: a wrong key must not look like silence. Strangers' KIDs have warnings of
 * their own, so that they cannot use up those of KIDs that have a key. */
static void
warn_of_kid (ConclaveSFrameDec *self, guint fate, guint64 kid)
{
  guint which = fate == DECODE_UNKNOWN_KID ? WARNED_UNKNOWN
                : fate == DECODE_REPLAYED  ? WARNED_REPLAYED
                                           : WARNED_UNAUTHENTIC;

  if (self->n_warned[which] >= MAX_WARNED_KIDS
      || !kid_set_add (self->warned[which], kid))
    return;
  self->n_warned[which]++;
  const gchar *last = self->n_warned[which] == MAX_WARNED_KIDS
                          ? "there will be no more warnings of this kind"
                          : "";
  if (which == WARNED_UNKNOWN)
    GST_ELEMENT_WARNING (self, STREAM, DECRYPT_NOKEY,
        ("There is no key for KID %" G_GUINT64_FORMAT
         ": its frames are dropped. Set \"kid\" and \"key-location\", or call \"set-key\".",
            kid),
        ("%s", last));
  else if (which == WARNED_REPLAYED)
    GST_ELEMENT_WARNING (self, STREAM, DECRYPT,
        ("The last %d frames of KID %" G_GUINT64_FORMAT
         " are authentic, but older than frames received before: somebody replays them, or the sender was restarted with "
         "the same key. Then give both sides a new key, or restart this element too.",
            REPLAYS_UNTIL_WARNING, kid),
        ("%s", last));
  else
    GST_ELEMENT_WARNING (self, STREAM, DECRYPT,
        ("A frame of KID %" G_GUINT64_FORMAT
         " is not authentic: the key is wrong, or \"cipher-suite\", \"metadata\", \"ratchet-bits\" or \"per-ssrc-keys\" "
         "differ from the sender's, or somebody changed it on the way.",
            kid),
        ("%s", last));
}

/* Counts a frame that ends here. GST_FLOW_ERROR when it was one too many. */
static GstFlowReturn
drop_frame (ConclaveSFrameDec *self, guint fate, guint64 kid)
{
  gboolean fails = fate == DECODE_UNAUTHENTIC || fate == DECODE_UNKNOWN_KID
                   || fate == DECODE_TRUNCATED || fate == DECODE_NOT_MINIMAL
                   || fate == DECODE_REPLAYED;

  g_mutex_lock (&self->key_lock);
  guint limit = self->error_after;
  self->n_fates[fate]++;
  self->failures += fails;
  guint failures = self->failures;
  self->replays = fate == DECODE_REPLAYED ? self->replays + 1 : self->replays;
  guint replays = self->replays;
  g_mutex_unlock (&self->key_lock);
  GST_DEBUG_OBJECT (self, "dropped a frame of KID %" G_GUINT64_FORMAT ": %s",
      kid, sframe_dec_fate_names[fate]);

  if (fate == DECODE_UNAUTHENTIC || fate == DECODE_UNKNOWN_KID
      || (fate == DECODE_REPLAYED && replays == REPLAYS_UNTIL_WARNING))
    warn_of_kid (self, fate, kid);
  /* A replay is no loss, and what others send is none of ours. */
  if (fate != DECODE_REPLAYED && fate != DROP_WRONG_SENDER) {
    self->is_discont = self->lost = TRUE;
    request_keyframe (self);
  }

  if (!fails || limit == 0 || failures < limit)
    return GST_BASE_TRANSFORM_FLOW_DROPPED;
  GST_ELEMENT_ERROR (self, STREAM, DECRYPT,
      ("None of the last %u frames could be decrypted (\"error-after\"). The last one, of KID %" G_GUINT64_FORMAT
       ": %s. Check the key and \"cipher-suite\".",
          failures, kid, sframe_dec_fate_names[fate]),
      (NULL));
  return GST_FLOW_ERROR;
}

/* --- Decryption --- */

/* Judges and decrypts what lies at `extent` of `in` to `out`, which has as much room as `in` has bytes. `frame` gets where
 * the result lies in `out`. An SFrame in one memory is decrypted from there. One in several is gathered in `out` and
 * decrypted in place, so that its plaintext lies behind where its header was: mapping it whole would allocate. With a
 * ratchet it is mapped nevertheless, since the first try in place would leave nothing for a second one. */
static guint
decrypt_to (ConclaveSFrameDec *self, GstBuffer *in, const FrameExtent *extent,
    guint8 *out, FrameExtent *frame, guint64 *kid, gboolean *first)
{
  SFrameInput input = { .len = extent->size };
  Decoded decoded = { 0, FALSE, FALSE };
  GstMapInfo from;
  gsize skip = 0;

  gboolean mapped = sframe_map_single (in, &from, GST_MAP_READ),
           merged = !mapped && self->may_try_twice
                    && gst_buffer_n_memory (in) > 1
                    && gst_buffer_map (in, &from, GST_MAP_READ);
  if (mapped || merged)
    input.sframe = from.data + extent->offset;
  else if (gst_buffer_extract (
               in, extent->offset, out + extent->offset, extent->size)
           == extent->size)
    input.sframe = out + extent->offset;
  else
    return DROP_NO_MEMORY;

  guint fate = sframe_input_parse (&input);
  *kid = input.header.kid;
  if (!mapped && !merged)
    skip = input.header_len;

  g_mutex_lock (&self->key_lock);
  if (fate == DECODE_OK && (*kid & self->kid_mask) != self->kid_value)
    fate = DROP_WRONG_SENDER;
  if (fate == DECODE_OK) {
    input.ssrc = self->is_rtp                 ? extent->ssrc
                 : self->caps_ssrc != NO_SSRC ? self->caps_ssrc
                                              : self->ssrc;
    input.metadata =
        self->aad ? g_bytes_get_data (self->aad, &input.metadata_len) : NULL;
    fate = decoder_keys_decrypt (
        self->keys, &input, out + extent->offset + skip, &decoded);
  }
  if (fate == DECODE_OK) {
    self->n_fates[DECODE_OK]++;
    self->n_jumps += decoded.jump;
    self->failures = self->replays = 0;
  }
  g_mutex_unlock (&self->key_lock);

  if (mapped)
    gst_memory_unmap (from.memory, &from);
  else if (merged)
    gst_buffer_unmap (in, &from);
  if (fate == DECODE_OK && extent->offset > 0) {
    gst_buffer_extract (in, 0, out + skip, extent->offset);
    out[skip] &=
        (guint8) ~0x20; /* RFC 3550, 5.1: padding is not carried over */
  }
  *frame = (FrameExtent){ skip, extent->offset + decoded.len, 0 };
  *first = decoded.first;
  return fate;
}

/* The frame of `in` in a buffer of the pool; NULL with its `fate`, and `kid` if that could be read. `first`: the first that
 * the key of its KID accepted. */
static GstBuffer *
decrypt (ConclaveSFrameDec *self, GstBuffer *in, guint *fate, guint64 *kid,
    gboolean *first)
{
  FrameExtent extent, frame = { 0, 0, 0 };
  GstMapInfo to;

  *kid = 0;
  *first = FALSE;
  *fate = DROP_MALFORMED;
  if (!sframe_frame_extent (in, self->is_rtp, &extent))
    return NULL;

  *fate = DROP_NO_MEMORY;
  GstBuffer *out =
      frame_pool_acquire (self->pool, extent.offset + extent.size);
  if (out && sframe_map_single (out, &to, GST_MAP_WRITE)) {
    *fate = decrypt_to (self, in, &extent, to.data, &frame, kid, first);
    gst_memory_unmap (to.memory, &to);
  }
  if (*fate == DECODE_OK)
    gst_buffer_resize (out, (gssize) frame.offset, (gssize) frame.size);
  else
    gst_clear_buffer (&out);
  return out;
}

/* --- VP8 after RTP: the size is in the keyframes --- */

void
sframe_dec_clear_held (ConclaveSFrameDec *self)
{
  g_queue_clear_full (&self->held, (GDestroyNotify) gst_event_unref);
}

void
sframe_dec_hold (ConclaveSFrameDec *self, GstEvent *event)
{
  GstEventType type = GST_EVENT_TYPE (event);

  /* Of what is sticky the newest counts, in the place of the one before. */
  for (GList *l =
           GST_EVENT_IS_STICKY (event) && !(type & GST_EVENT_TYPE_STICKY_MULTI)
               ? self->held.head
               : NULL;
       l; l = l->next) {
    if (GST_EVENT_TYPE (l->data) == type) {
      gst_event_unref (l->data);
      l->data = event;
      return;
    }
  }
  /* What is about time, or comes without end, is not worth keeping. */
  if (type == GST_EVENT_GAP
      || g_queue_get_length (&self->held) >= MAX_HELD_EVENTS)
    gst_event_unref (event);
  else
    g_queue_push_tail (&self->held, event);
}

void
sframe_dec_flush_held (ConclaveSFrameDec *self)
{
  for (GList *l = self->held.head, *next; l; l = next) {
    next = l->next;
    if (GST_EVENT_TYPE (l->data) == GST_EVENT_CAPS
        || GST_EVENT_TYPE (l->data) == GST_EVENT_TAG)
      continue;
    gst_event_unref (l->data);
    g_queue_delete_link (&self->held, l);
  }
}

gboolean
sframe_dec_send_held (ConclaveSFrameDec *self)
{
  gboolean ok = TRUE;
  GstEvent *event;

  while ((event = g_queue_pop_head (&self->held))) {
    gboolean is_caps = GST_EVENT_TYPE (event) == GST_EVENT_CAPS;
    gboolean taken = sframe_dec_chain_up_sink_event (self, event);
    ok &= taken || !is_caps;
  }
  return ok;
}

/* Looks into a decrypted VP8 frame: learns the size, marks what is no keyframe. FALSE when it has to be dropped, since
 * no size is known yet. */
static gboolean
inspect_vp8 (ConclaveSFrameDec *self, GstBuffer *frame, GstFlowReturn *flow)
{
  guint width = 0, height = 0;
  gboolean is_key = vp8_keyframe_size (frame, &width, &height);

  if (!is_key) {
    GST_BUFFER_FLAG_SET (frame, GST_BUFFER_FLAG_DELTA_UNIT);
    return self->width != 0;
  }
  GST_BUFFER_FLAG_UNSET (frame, GST_BUFFER_FLAG_DELTA_UNIT);
  if (width == self->width && height == self->height)
    return TRUE;

  GST_OBJECT_LOCK (self);
  self->width = width;
  self->height = height;
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "pictures are %ux%u", width, height);
  if (!g_queue_is_empty (&self->held)) {
    if (!sframe_dec_send_held (self))
      *flow = GST_FLOW_NOT_NEGOTIATED;
  } else if (gst_pad_has_current_caps (GST_BASE_TRANSFORM_SRC_PAD (self))) {
    g_autoptr (GstCaps) caps =
        gst_pad_get_current_caps (GST_BASE_TRANSFORM_SRC_PAD (self));
    caps = gst_caps_make_writable (
        caps ? g_steal_pointer (&caps)
             : gst_caps_new_empty_simple ("video/x-vp8"));
    gst_caps_set_simple (caps, "width", G_TYPE_INT, (gint) width, "height",
        G_TYPE_INT, (gint) height, NULL);
    if (!gst_base_transform_update_src_caps (GST_BASE_TRANSFORM (self), caps))
      *flow = GST_FLOW_NOT_NEGOTIATED;
  }
  return TRUE;
}

/* --- Frames, and frames that wait --- */

/* One frame from arrival to its fate. GST_FLOW_OK with `out`, GST_BASE_TRANSFORM_FLOW_DROPPED, or an error. `waits` is
 * NULL for a frame that may not wait (any longer); else it is set when the frame should. */
static GstFlowReturn
process (
    ConclaveSFrameDec *self, GstBuffer *in, GstBuffer **out, gboolean *waits)
{
  GstFlowReturn flow = GST_FLOW_OK;
  guint64 kid;
  guint fate;
  gboolean first;

  *out = decrypt (self, in, &fate, &kid, &first);
  if (fate == DECODE_UNKNOWN_KID && sframe_dec_ask_for_key (self, kid))
    *out = decrypt (self, in, &fate, &kid, &first);
  if (first)
    sframe_dec_tell_authenticated (self, kid);
  if (fate == DECODE_UNKNOWN_KID && waits) {
    *waits = TRUE;
    return GST_BASE_TRANSFORM_FLOW_DROPPED;
  }
  if (!*out)
    return drop_frame (self, fate, kid);

  sframe_copy_metadata (*out, in);
  if (self->is_discont)
    GST_BUFFER_FLAG_SET (*out, GST_BUFFER_FLAG_DISCONT);
  if (self->is_vp8_of_unknown_size && !inspect_vp8 (self, *out, &flow)) {
    gst_clear_buffer (out);
    g_mutex_lock (&self->key_lock);
    self->n_fates[DECODE_OK]--; /* it is counted where it ends */
    g_mutex_unlock (&self->key_lock);
    return drop_frame (self, DROP_WAITING_KEYFRAME, kid);
  }
  self->is_discont = FALSE;
  if (flow != GST_FLOW_OK)
    gst_clear_buffer (out);
  request_keyframe (self);
  return flow;
}

static void
count_pending (ConclaveSFrameDec *self)
{
  g_mutex_lock (&self->key_lock);
  self->n_pending = g_queue_get_length (&self->pending);
  g_mutex_unlock (&self->key_lock);
}

static void
free_pending (Pending *pending)
{
  gst_buffer_unref (pending->buffer);
  g_free (pending);
}

static gsize
cost_of (GstBuffer *buffer)
{
  return gst_buffer_get_size (buffer) + PENDING_OVERHEAD;
}

/* Takes the frame that has waited longest. */
static Pending *
pop_pending (ConclaveSFrameDec *self)
{
  Pending *pending = g_queue_pop_head (&self->pending);
  self->pending_bytes -= cost_of (pending->buffer);
  count_pending (self);
  return pending;
}

static void
push_pending (ConclaveSFrameDec *self, Pending *pending)
{
  self->pending_bytes += cost_of (pending->buffer);
  g_queue_push_tail (&self->pending, pending);
  count_pending (self);
}

/* Keeps a frame until its key comes, if there is room. A copy, since a few bytes may hold on to the memory of a whole
 * packet. */
static gboolean
let_wait (ConclaveSFrameDec *self, GstBuffer *in)
{
  gsize cost = cost_of (in);

  GST_OBJECT_LOCK (self);
  gboolean fits = self->pending_time > 0 && cost <= self->max_pending_bytes
                  && self->pending_bytes <= self->max_pending_bytes - cost;
  GST_OBJECT_UNLOCK (self);
  if (!fits)
    return FALSE;

  Pending *pending = g_new (Pending, 1);
  *pending = (Pending){ gst_buffer_copy_deep (in), g_get_monotonic_time (),
    self->caps_ssrc };
  push_pending (self, pending);
  return TRUE;
}

GstFlowReturn
sframe_dec_work_off_pending (ConclaveSFrameDec *self, gboolean last_chance)
{
  GstFlowReturn flow = GST_FLOW_OK;

  GST_OBJECT_LOCK (self);
  gint64 limit = (gint64) (self->pending_time / 1000);
  GST_OBJECT_UNLOCK (self);
  gint64 now = g_get_monotonic_time ();

  /* Frames are tried again only when there is a new key, else only those whose time is over are looked at: what waits may
   * be somebody's flood. */
  g_mutex_lock (&self->key_lock);
  gboolean new_keys = self->key_epoch != self->pending_epoch;
  self->pending_epoch = self->key_epoch;
  g_mutex_unlock (&self->key_lock);

  for (guint n = g_queue_get_length (&self->pending);
       n > 0 && flow == GST_FLOW_OK; n--) {
    const Pending *oldest = g_queue_peek_head (&self->pending);
    gboolean may_wait = !last_chance && now - oldest->arrived < limit,
             waits = FALSE;
    GstBuffer *out = NULL;

    if (may_wait && !new_keys)
      break;
    Pending *pending = pop_pending (self);
    guint32 caps_ssrc = self->caps_ssrc;
    self->caps_ssrc = pending->ssrc;
    flow = process (self, pending->buffer, &out, may_wait ? &waits : NULL);
    self->caps_ssrc = caps_ssrc;
    if (waits)
      push_pending (self, pending);
    else
      free_pending (pending);
    if (out)
      flow = gst_pad_push (GST_BASE_TRANSFORM_SRC_PAD (self), out);
    else if (flow == GST_BASE_TRANSFORM_FLOW_DROPPED)
      flow = GST_FLOW_OK;
  }
  return flow;
}

void
sframe_dec_flush_pending (ConclaveSFrameDec *self)
{
  guint n = g_queue_get_length (&self->pending);

  g_queue_clear_full (&self->pending, (GDestroyNotify) free_pending);
  self->pending_bytes = 0;
  g_mutex_lock (&self->key_lock);
  self->n_fates[DROP_FLUSHED] += n;
  self->n_pending = 0;
  g_mutex_unlock (&self->key_lock);
}

void
sframe_dec_lose_pending (ConclaveSFrameDec *self)
{
  if (g_queue_is_empty (&self->pending))
    return;
  sframe_dec_flush_pending (self);
  self->is_discont = self->lost = TRUE;
  request_keyframe (self);
}

/* The key that decrypted `out` may have come just now, and others wait for it in front. If there `is_discont`, the first
 * one to go has the flag. */
static GstFlowReturn
let_others_out_first (ConclaveSFrameDec *self, GstBuffer *in, GstBuffer **out,
    gboolean is_discont)
{
  self->is_discont = is_discont;
  if (is_discont && !GST_BUFFER_IS_DISCONT (in))
    GST_BUFFER_FLAG_UNSET (*out, GST_BUFFER_FLAG_DISCONT);
  GstFlowReturn flow = sframe_dec_work_off_pending (self, FALSE);

  if (flow != GST_FLOW_OK) {
    gst_clear_buffer (out);
  } else if (self->is_discont) {
    GST_BUFFER_FLAG_SET (*out, GST_BUFFER_FLAG_DISCONT);
    self->is_discont = FALSE;
  }
  return flow;
}

GstFlowReturn
sframe_dec_take_frame (ConclaveSFrameDec *self, GstBuffer *in, GstBuffer **out)
{
  GstFlowReturn flow;
  gboolean waits = FALSE;

  atomic_fetch_add_explicit (&self->n_received, 1, memory_order_relaxed);
  if (!g_queue_is_empty (&self->pending)
      && (flow = sframe_dec_work_off_pending (self, FALSE)) != GST_FLOW_OK) {
    g_mutex_lock (&self->key_lock);
    self->n_fates[DROP_FLUSHED]++;
    g_mutex_unlock (&self->key_lock);
    return flow;
  }

  gboolean is_discont = self->is_discont;
  flow = process (self, in, out, &waits);
  if (*out && !g_queue_is_empty (&self->pending))
    flow = let_others_out_first (self, in, out, is_discont);
  if (!waits)
    return flow;
  if (let_wait (self, in))
    return GST_FLOW_OK;
  return process (self, in, out, NULL);
}

void
sframe_dec_start_frames (ConclaveSFrameDec *self)
{
  self->pool = frame_pool_new ();
  for (guint i = 0; i < N_WARNED; i++) {
    self->warned[i] = kid_set_new (MAX_WARNED_KIDS);
    self->n_warned[i] = 0;
  }
  GST_OBJECT_LOCK (self);
  self->width = self->height = 0;
  GST_OBJECT_UNLOCK (self);
  self->lost = self->is_discont = FALSE;
  self->last_request = 0;
}

void
sframe_dec_stop_frames (ConclaveSFrameDec *self)
{
  sframe_dec_flush_pending (self);
  sframe_dec_clear_held (self);
  for (guint i = 0; i < N_WARNED; i++)
    g_clear_pointer (&self->warned[i], kid_set_free);
  g_clear_pointer (&self->pool, frame_pool_free);
  gst_clear_caps (&self->caps);
}

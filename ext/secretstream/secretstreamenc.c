/**
 * SECTION:element-secretstreamenc
 * @title: secretstreamenc
 *
 * Encrypts a stream of bytes to a file that secretstreamdec reads: what a muxer writes, or anything else. The format, on
 * libsodium's secretstream, is in docs/protocol/secretstream.md.
 *
 * The key comes from #ConclaveSecretstreamEnc:key-location or #ConclaveSecretstreamEnc:key; or each file gets a random one
 * that is sealed to those whose public keys are in #ConclaveSecretstreamEnc:recipients-location: then only they can read
 * it, and the machine that wrote it cannot.
 *
 * What is written is never written again: upstream is told that it cannot seek, as over a network, and muxers write
 * what they write there. matroskamux then leaves out its index; secretstreamdec and matroskademux seek without.
 *
 * No more than #ConclaveSecretstreamEnc:max-latency of what came in is kept back; that much a crash loses.
 *
 * ## Threads
 * Chunks are made and pushed on the upstream streaming thread and, when data comes slower than "max-latency", on a thread
 * "secretstream" of the element's own, which takes the sink pad's stream lock for it as the streaming thread does. Properties
 * may be read from any thread. Nothing is called out with the object lock or the timer lock held; neither is taken inside the other.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -e videotestsrc num-buffers=300 ! vp8enc deadline=1 ! matroskamux ! secretstreamenc key-location=k ! filesink location=a.mkv.css
 * ]|
 * A recording that can be read with the key in the file `k` only. Make a key with `openssl rand -hex 32 > k`.
 *
 * Since: 0.1
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "secretstreamelements.h"

#include "secretstreamkeys.h"

GST_DEBUG_CATEGORY_STATIC (secretstreamenc_debug);
#define GST_CAT_DEFAULT secretstreamenc_debug

#define DEFAULT_CHUNK_SIZE 65536
#define DEFAULT_MAX_LATENCY GST_SECOND

#define CONCLAVE_TYPE_SECRETSTREAM_ENC (conclave_secretstream_enc_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveSecretstreamEnc, conclave_secretstream_enc,
    CONCLAVE, SECRETSTREAM_ENC, GstElement)

typedef struct
{
  guint64 bytes_in, bytes_out, chunks, early, files, rewritten;
} EncStats;

struct _ConclaveSecretstreamEnc
{
  GstElement parent;
  GstPad *sinkpad, *srcpad;

  /* object lock */
  KeySettings settings;
  guint chunk_size;
  guint64 max_latency;                /* ns; 0: none */
  Secret *key;                        /* loaded; or NULL */
  SecretstreamRecipients *recipients; /* or NULL */
  EncStats stats;
  gchar file_id[2 * SECRETSTREAM_FILE_ID_LEN + 1]; /* of the last file */
  guint64 position; /* bytes of the file that were pushed */

  /* the sink pad's stream lock */
  SecretstreamWriter *writer; /* NULL between files */
  gboolean in_bytes;          /* upstream says where its bytes belong */
  guint64 base, expected;     /* of upstream's first byte, and its next */
  guint64 taken;
  gboolean warned_rewrite;
  gint64 opened_at, synced_at; /* monotonic, us */
  GstFlowReturn late_flow;     /* of what the timer's thread pushed */

  /* timer lock */
  GMutex timer_lock;
  GCond timer_cond;
  GThread *timer;
  gint64 deadline; /* monotonic, us; 0: none */
  gboolean stop;
};

G_DEFINE_FINAL_TYPE (
    ConclaveSecretstreamEnc, conclave_secretstream_enc, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE (secretstreamenc, "secretstreamenc", GST_RANK_NONE,
    CONCLAVE_TYPE_SECRETSTREAM_ENC)

enum
{
  PROP_0,
  PROP_KEY,
  PROP_KEY_LOCATION,
  PROP_RECIPIENTS_LOCATION,
  PROP_CHUNK_SIZE,
  PROP_MAX_LATENCY,
  PROP_STATS
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (SECRETSTREAM_MEDIA_TYPE));

/* --- Keys --- */

/* Takes up what the properties say, if it changed. FALSE after an error on the bus. */
static gboolean
load_keys (ConclaveSecretstreamEnc *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree SecretstreamRecipients *recipients = NULL;

  GST_OBJECT_LOCK (self);
  KeySettings settings = key_settings_copy (&self->settings);
  GST_OBJECT_UNLOCK (self);
  if (!settings.fresh) {
    key_settings_clear (&settings);
    return TRUE;
  }
  g_autoptr (Secret) key = key_settings_load_key (&settings, &error);
  if (!error && settings.people)
    recipients = key_settings_load_recipients (&settings, &error);
  if (!error && key && recipients)
    g_set_error_literal (&error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "Both a key and \"recipients-location\" are set: a file has either a key that you keep, or one of its own that only its "
        "recipients can open");
  if (!error && !key && !recipients)
    g_set_error (&error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "%s has no key, and nothing is written unencrypted: set \"key-location\" to a file with a key (openssl rand -hex 32 > "
        "FILE), or \"recipients-location\" to a list of public keys",
        GST_OBJECT_NAME (self));
  key_settings_clear (&settings);
  if (error) {
    post_error (GST_ELEMENT (self), error);
    return FALSE;
  }
  GST_OBJECT_LOCK (self);
  self->settings.fresh = FALSE;
  Secret *old_key = self->key;
  SecretstreamRecipients *old_recipients = self->recipients;
  self->key = g_steal_pointer (&key);
  self->recipients = g_steal_pointer (&recipients);
  GST_OBJECT_UNLOCK (self);
  secret_unref (old_key);
  g_free (old_recipients);
  return TRUE;
}

/* --- Writing. All of this with the sink pad's stream lock held. --- */

/* Pushes `out`, and asks for it to be on the disk if it is time. Takes it. */
static GstFlowReturn
push_bytes (ConclaveSecretstreamEnc *self, GstBuffer *out, gboolean last)
{
  gsize size = gst_buffer_get_size (out);
  gint64 now = g_get_monotonic_time ();

  GST_OBJECT_LOCK (self);
  gint64 latency = (gint64) (self->max_latency / GST_USECOND);
  GST_BUFFER_OFFSET (out) = self->position;
  self->position += size;
  GST_BUFFER_OFFSET_END (out) = self->position;
  self->stats.bytes_out += size;
  GST_OBJECT_UNLOCK (self);
  /* What filesink has in a buffer of its own, and what the system has, is lost in a crash, too. */
  if (last || (latency > 0 && now - self->synced_at >= latency)) {
    GST_BUFFER_FLAG_SET (out, GST_BUFFER_FLAG_SYNC_AFTER);
    self->synced_at = now;
  }
  return gst_pad_push (self->srcpad, out);
}

static GstFlowReturn
cannot_write (ConclaveSecretstreamEnc *self, SecretstreamResult result)
{
  GST_ELEMENT_ERROR (self, STREAM, ENCODE,
      ("The encrypted file %s.", secretstream_result_text (result)),
      ("result %d", result));
  return GST_FLOW_ERROR;
}

/* The header, unless there is a file already. */
static GstFlowReturn
begin_file (ConclaveSecretstreamEnc *self)
{
  GstSegment segment;
  gsize len;

  if (self->writer)
    return GST_FLOW_OK;
  if (!load_keys (self))
    return GST_FLOW_ERROR;
  GST_OBJECT_LOCK (self);
  g_autoptr (Secret) key = secret_ref (self->key);
  SecretstreamRecipients *recipients =
      self->recipients; /* replaced here only */
  guint chunk_size = self->chunk_size;
  GST_OBJECT_UNLOCK (self);
  self->writer = secretstream_writer_new (key, recipients, chunk_size);
  if (!self->writer)
    return cannot_write (self, SECRETSTREAM_FAILED);

  const guint8 *id = secretstream_writer_id (self->writer);
  GST_OBJECT_LOCK (self);
  for (guint i = 0; i < SECRETSTREAM_FILE_ID_LEN; i++)
    g_snprintf (self->file_id + 2 * i, 3, "%02x", id[i]);
  self->stats.files++;
  self->position = 0;
  GST_OBJECT_UNLOCK (self);

  g_autoptr (GstCaps) caps =
      gst_caps_new_empty_simple (SECRETSTREAM_MEDIA_TYPE);
  gst_pad_push_event (self->srcpad, gst_event_new_caps (caps));
  gst_segment_init (&segment, GST_FORMAT_BYTES);
  gst_pad_push_event (self->srcpad, gst_event_new_segment (&segment));
  const guint8 *header = secretstream_writer_header (self->writer, &len);
  GstBuffer *out = gst_buffer_new_memdup (header, len);
  GST_BUFFER_FLAG_SET (out, GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_HEADER);
  self->synced_at = g_get_monotonic_time ();
  GST_INFO_OBJECT (self, "file %s begins", self->file_id);
  return push_bytes (self, out, FALSE);
}

/* Makes and pushes what is open as a chunk; with `end`, the file's last. */
static GstFlowReturn
close_chunk (ConclaveSecretstreamEnc *self, gboolean end)
{
  SecretstreamWriter *writer = self->writer;
  gsize size = end ? secretstream_writer_finish_size (writer)
                   : secretstream_writer_close_size (writer);
  g_autoptr (GstBuffer) out = gst_buffer_new_allocate (NULL, size, NULL);
  gboolean early = !end && !secretstream_writer_is_full (writer);
  GstMapInfo map;

  if (!out || !gst_buffer_map (out, &map, GST_MAP_WRITE))
    return cannot_write (self, SECRETSTREAM_FAILED);
  SecretstreamResult result =
      end ? secretstream_writer_finish (writer, map.data)
          : secretstream_writer_close (writer, map.data);
  gst_buffer_unmap (out, &map);
  if (result != SECRETSTREAM_OK) {
    /* What is there so far becomes a whole file before the error. */
    if (result == SECRETSTREAM_FULL && !end)
      close_chunk (self, TRUE);
    return cannot_write (self, result);
  }
  GST_OBJECT_LOCK (self);
  self->stats.chunks++;
  self->stats.early += early;
  GST_OBJECT_UNLOCK (self);
  return push_bytes (self, g_steal_pointer (&out), end);
}

static void
drop_file (ConclaveSecretstreamEnc *self)
{
  g_clear_pointer (&self->writer, secretstream_writer_free);
  self->in_bytes = FALSE;
  self->taken = 0;
  self->warned_rewrite = FALSE;
  self->late_flow = GST_FLOW_OK;
  g_mutex_lock (&self->timer_lock);
  self->deadline = 0;
  g_mutex_unlock (&self->timer_lock);
}

/* Tells the timer's thread until when what is open may stay so. */
static void
set_deadline (ConclaveSecretstreamEnc *self)
{
  GST_OBJECT_LOCK (self);
  gint64 latency = (gint64) (self->max_latency / GST_USECOND);
  GST_OBJECT_UNLOCK (self);
  if (latency == 0)
    return;
  g_mutex_lock (&self->timer_lock);
  self->deadline = secretstream_writer_pending (self->writer) > 0
                       ? self->opened_at + latency
                       : 0;
  g_cond_signal (&self->timer_cond);
  g_mutex_unlock (&self->timer_lock);
}

static GstFlowReturn
write_plain (ConclaveSecretstreamEnc *self, const guint8 *data, gsize size)
{
  GstFlowReturn flow = GST_FLOW_OK;
  gboolean was_open = secretstream_writer_pending (self->writer) > 0;

  while (size > 0 && flow == GST_FLOW_OK) {
    if (secretstream_writer_pending (self->writer) == 0) {
      self->opened_at = g_get_monotonic_time ();
      was_open = FALSE;
    }
    gsize n = secretstream_writer_put (self->writer, data, size);
    data += n;
    size -= n;
    if (secretstream_writer_is_full (self->writer))
      flow = close_chunk (self, FALSE);
  }
  if (!was_open)
    set_deadline (self);
  return flow;
}

/* How many bytes at the begin of a buffer of `size` upstream writes for the second time: a muxer that goes back to its header.
 * They are left out; what is behind is taken. FALSE when upstream leaves a gap. */
static gboolean
find_new_bytes (ConclaveSecretstreamEnc *self, gsize size, gsize *skip)
{
  guint64 at = self->expected, next = self->base + self->taken;

  *skip = 0;
  if (!self->in_bytes)
    return TRUE;
  self->expected += size;
  if (at > next)
    return FALSE;
  *skip = (gsize) MIN (next - at, size);
  if (*skip == 0)
    return TRUE;
  GST_OBJECT_LOCK (self);
  self->stats.rewritten += *skip;
  GST_OBJECT_UNLOCK (self);
  if (!self->warned_rewrite)
    GST_ELEMENT_WARNING (self, STREAM, MUX,
        ("Upstream goes back to change what is written already, and that cannot be: the file stays as it was written first. "
         "Most muxers have a mode for streams that needs no going back, such as matroskamux streamable=true."),
        ("%" G_GSIZE_FORMAT " bytes at %" G_GUINT64_FORMAT, *skip, at));
  self->warned_rewrite = TRUE;
  return TRUE;
}

static GstFlowReturn
conclave_secretstream_enc_chain (
    GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  ConclaveSecretstreamEnc *self = CONCLAVE_SECRETSTREAM_ENC (parent);
  g_autoptr (GstBuffer) in = buffer;
  GstFlowReturn flow = self->late_flow;
  GstMapInfo map;
  gsize skip;

  if (flow == GST_FLOW_OK)
    flow = begin_file (self);
  if (flow != GST_FLOW_OK)
    return flow;
  if (!find_new_bytes (self, gst_buffer_get_size (in), &skip)) {
    GST_ELEMENT_ERROR (self, STREAM, MUX,
        ("Upstream leaves a gap behind byte %" G_GUINT64_FORMAT
         " to fill it later, and an encrypted file is written in one go: set the muxer to a mode for streams.",
            self->taken),
        (NULL));
    return GST_FLOW_ERROR;
  }
  if (!gst_buffer_map (in, &map, GST_MAP_READ)) {
    GST_ELEMENT_ERROR (
        self, STREAM, ENCODE, ("A buffer's memory cannot be read."), (NULL));
    return GST_FLOW_ERROR;
  }
  self->taken += map.size - skip;
  GST_OBJECT_LOCK (self);
  self->stats.bytes_in += map.size;
  GST_OBJECT_UNLOCK (self);
  flow = write_plain (self, map.data + skip, map.size - skip);
  gst_buffer_unmap (in, &map);
  return flow;
}

/* --- The timer's thread --- */

static void
close_late_chunk (ConclaveSecretstreamEnc *self)
{
  GST_OBJECT_LOCK (self);
  gint64 latency = (gint64) (self->max_latency / GST_USECOND);
  GST_OBJECT_UNLOCK (self);

  GST_PAD_STREAM_LOCK (self->sinkpad);
  /* Meanwhile it may have been closed, and another opened. */
  if (self->writer && secretstream_writer_pending (self->writer) > 0
      && self->late_flow == GST_FLOW_OK) {
    if (g_get_monotonic_time () >= self->opened_at + latency)
      self->late_flow = close_chunk (self, FALSE);
    else
      set_deadline (self);
  }
  GST_PAD_STREAM_UNLOCK (self->sinkpad);
}

static gpointer
run_timer (gpointer data)
{
  ConclaveSecretstreamEnc *self = data;

  g_mutex_lock (&self->timer_lock);
  while (!self->stop) {
    if (self->deadline == 0) {
      g_cond_wait (&self->timer_cond, &self->timer_lock);
    } else if (g_get_monotonic_time () < self->deadline) {
      g_cond_wait_until (&self->timer_cond, &self->timer_lock, self->deadline);
    } else {
      self->deadline = 0;
      g_mutex_unlock (&self->timer_lock);
      close_late_chunk (self);
      g_mutex_lock (&self->timer_lock);
    }
  }
  g_mutex_unlock (&self->timer_lock);
  return NULL;
}

static void
start_timer (ConclaveSecretstreamEnc *self)
{
  GST_OBJECT_LOCK (self);
  gboolean wanted = self->max_latency > 0;
  GST_OBJECT_UNLOCK (self);

  self->stop = FALSE;
  self->deadline = 0;
  if (wanted)
    self->timer = g_thread_new ("secretstream", run_timer, self);
}

/* Wakes it; it ends by itself unless it is in a push. */
static void
wake_timer (ConclaveSecretstreamEnc *self)
{
  g_mutex_lock (&self->timer_lock);
  self->stop = TRUE;
  g_cond_signal (&self->timer_cond);
  g_mutex_unlock (&self->timer_lock);
}

/* --- Events, queries --- */

static void
take_segment (ConclaveSecretstreamEnc *self, GstEvent *event)
{
  const GstSegment *segment;

  gst_event_parse_segment (event, &segment);
  if (segment->format != GST_FORMAT_BYTES) {
    self->in_bytes = FALSE;
    return;
  }
  if (!self->in_bytes)
    self->base = segment->start - MIN (self->taken, segment->start);
  self->in_bytes = TRUE;
  self->expected = segment->start;
}

static void
finish_file (ConclaveSecretstreamEnc *self)
{
  GstFlowReturn flow = begin_file (self); /* of no bytes, perhaps */

  if (flow == GST_FLOW_OK && self->late_flow == GST_FLOW_OK)
    flow = close_chunk (self, TRUE);
  GST_INFO_OBJECT (
      self, "file %s ends: %s", self->file_id, gst_flow_get_name (flow));
  drop_file (self);
}

static gboolean
conclave_secretstream_enc_sink_event (
    GstPad *pad, GstObject *parent, GstEvent *event)
{
  ConclaveSecretstreamEnc *self = CONCLAVE_SECRETSTREAM_ENC (parent);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_SEGMENT:
      take_segment (self, event);
      gst_event_unref (event);
      return TRUE;
    case GST_EVENT_CAPS: /* ours is pushed with the file's first bytes */
    case GST_EVENT_GAP:
      gst_event_unref (event);
      return TRUE;
    case GST_EVENT_EOS:
      finish_file (self);
      break;
    case GST_EVENT_FLUSH_STOP:
      /* filesink starts anew, too. Another file has other keys. */
      drop_file (self);
      break;
    default:
      break;
  }
  return gst_pad_event_default (pad, parent, event);
}

static gboolean
conclave_secretstream_enc_src_event (
    GstPad *pad, GstObject *parent, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_SEEK) {
    gst_event_unref (event);
    return FALSE;
  }
  return gst_pad_event_default (pad, parent, event);
}

static gboolean
cannot_seek (GstQuery *query)
{
  GstFormat format;

  gst_query_parse_seeking (query, &format, NULL, NULL, NULL);
  gst_query_set_seeking (query, format, FALSE, 0, -1);
  return TRUE;
}

static gboolean
conclave_secretstream_enc_sink_query (
    GstPad *pad, GstObject *parent, GstQuery *query)
{
  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_SEEKING:
      return cannot_seek (query);
    case GST_QUERY_ALLOCATION:
    case GST_QUERY_FORMATS:
      return FALSE;
    default:
      return gst_pad_query_default (pad, parent, query);
  }
}

static gboolean
conclave_secretstream_enc_src_query (
    GstPad *pad, GstObject *parent, GstQuery *query)
{
  ConclaveSecretstreamEnc *self = CONCLAVE_SECRETSTREAM_ENC (parent);
  GstFormat format;

  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_SEEKING:
      return cannot_seek (query);
    case GST_QUERY_POSITION:
      gst_query_parse_position (query, &format, NULL);
      if (format != GST_FORMAT_BYTES)
        return gst_pad_query_default (pad, parent, query);
      GST_OBJECT_LOCK (self);
      gst_query_set_position (query, format, (gint64) self->position);
      GST_OBJECT_UNLOCK (self);
      return TRUE;
    case GST_QUERY_DURATION:
      /* In bytes it is not upstream's. */
      gst_query_parse_duration (query, &format, NULL);
      return format != GST_FORMAT_BYTES
             && gst_pad_query_default (pad, parent, query);
    case GST_QUERY_CONVERT:
      return FALSE;
    default:
      return gst_pad_query_default (pad, parent, query);
  }
}

/* --- States, properties --- */

static GstStateChangeReturn
conclave_secretstream_enc_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveSecretstreamEnc *self = CONCLAVE_SECRETSTREAM_ENC (element);

  if (transition == GST_STATE_CHANGE_NULL_TO_READY
      || transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    if (!load_keys (self))
      return GST_STATE_CHANGE_FAILURE;
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
      start_timer (self);
  } else if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    wake_timer (self);
  }
  GstStateChangeReturn result =
      GST_ELEMENT_CLASS (conclave_secretstream_enc_parent_class)
          ->change_state (element, transition);
  /* Its pads are inactive now, in a failed way up as well: nothing pushes any more. */
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY
      || (transition == GST_STATE_CHANGE_READY_TO_PAUSED
          && result == GST_STATE_CHANGE_FAILURE)) {
    wake_timer (self);
    g_clear_pointer (&self->timer, g_thread_join);
    drop_file (self);
  }
  return result;
}

static GstStructure *
make_stats (ConclaveSecretstreamEnc *self)
{
  GST_OBJECT_LOCK (self);
  EncStats stats = self->stats;
  g_autofree gchar *id = g_strdup (self->file_id);
  guint recipients = self->recipients ? (guint) self->recipients->count : 0;
  GST_OBJECT_UNLOCK (self);
  return gst_structure_new ("application/x-secretstreamenc-stats", "bytes-in",
      G_TYPE_UINT64, stats.bytes_in, "bytes-out", G_TYPE_UINT64,
      stats.bytes_out, "chunks", G_TYPE_UINT64, stats.chunks, "early-chunks",
      G_TYPE_UINT64, stats.early, "rewritten", G_TYPE_UINT64, stats.rewritten,
      "files", G_TYPE_UINT64, stats.files, "recipients", G_TYPE_UINT,
      recipients, "file-id", G_TYPE_STRING, id, NULL);
}

static void
conclave_secretstream_enc_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveSecretstreamEnc *self = CONCLAVE_SECRETSTREAM_ENC (object);

  if (refuse_to_change (GST_ELEMENT (self), pspec))
    return;
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_KEY:
      key_settings_set_text (&self->settings, g_value_get_string (value));
      break;
    case PROP_KEY_LOCATION:
      key_settings_set_location (&self->settings, g_value_get_string (value));
      break;
    case PROP_RECIPIENTS_LOCATION:
      key_settings_set_people (&self->settings, g_value_get_string (value));
      break;
    case PROP_CHUNK_SIZE:
      self->chunk_size = g_value_get_uint (value);
      break;
    case PROP_MAX_LATENCY:
      self->max_latency = g_value_get_uint64 (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_secretstream_enc_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveSecretstreamEnc *self = CONCLAVE_SECRETSTREAM_ENC (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_KEY_LOCATION:
      g_value_set_string (value, self->settings.location);
      break;
    case PROP_RECIPIENTS_LOCATION:
      g_value_set_string (value, self->settings.people);
      break;
    case PROP_CHUNK_SIZE:
      g_value_set_uint (value, self->chunk_size);
      break;
    case PROP_MAX_LATENCY:
      g_value_set_uint64 (value, self->max_latency);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_secretstream_enc_finalize (GObject *object)
{
  ConclaveSecretstreamEnc *self = CONCLAVE_SECRETSTREAM_ENC (object);

  secretstream_writer_free (self->writer);
  key_settings_clear (&self->settings);
  secret_unref (self->key);
  g_free (self->recipients);
  g_mutex_clear (&self->timer_lock);
  g_cond_clear (&self->timer_cond);
  G_OBJECT_CLASS (conclave_secretstream_enc_parent_class)->finalize (object);
}

static void
conclave_secretstream_enc_init (ConclaveSecretstreamEnc *self)
{
  self->settings.fresh = TRUE;
  self->chunk_size = DEFAULT_CHUNK_SIZE;
  self->max_latency = DEFAULT_MAX_LATENCY;
  self->late_flow = GST_FLOW_OK;
  g_mutex_init (&self->timer_lock);
  g_cond_init (&self->timer_cond);

  self->sinkpad = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sinkpad, conclave_secretstream_enc_chain);
  gst_pad_set_event_function (
      self->sinkpad, conclave_secretstream_enc_sink_event);
  gst_pad_set_query_function (
      self->sinkpad, conclave_secretstream_enc_sink_query);
  gst_element_add_pad (GST_ELEMENT (self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template (&src_template, "src");
  gst_pad_set_event_function (
      self->srcpad, conclave_secretstream_enc_src_event);
  gst_pad_set_query_function (
      self->srcpad, conclave_secretstream_enc_src_query);
  gst_pad_use_fixed_caps (self->srcpad);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
}

static void
install_properties (GObjectClass *klass)
{
  const GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  key_settings_install (klass, PROP_KEY, PROP_KEY_LOCATION);
  g_object_class_install_property (klass, PROP_RECIPIENTS_LOCATION,
      g_param_spec_string ("recipients-location", "Recipients location",
          "File with the public keys (Ed25519, PEM) of those who can read what is written; nobody else can, not even this machine",
          NULL, ready));
  g_object_class_install_property (klass, PROP_CHUNK_SIZE,
      g_param_spec_uint ("chunk-size", "Chunk size",
          "Bytes that are encrypted together: what is read at least when a place is sought",
          SECRETSTREAM_MIN_CHUNK, SECRETSTREAM_MAX_CHUNK, DEFAULT_CHUNK_SIZE,
          ready));
  g_object_class_install_property (klass, PROP_MAX_LATENCY,
      g_param_spec_uint64 ("max-latency", "Maximum latency",
          "How long (ns) bytes may wait for a chunk to fill up, and at which distance what is written is forced to the disk: what a "
          "crash loses at most. 0: chunks wait until they are full",
          0, G_MAXINT64, DEFAULT_MAX_LATENCY, ready));
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "What was encrypted, and the last file's public identifier",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
conclave_secretstream_enc_class_init (ConclaveSecretstreamEncClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (secretstreamenc_debug, "secretstreamenc", 0,
      "encryption of byte streams");
  object_class->set_property = conclave_secretstream_enc_set_property;
  object_class->get_property = conclave_secretstream_enc_get_property;
  object_class->finalize = conclave_secretstream_enc_finalize;
  element_class->change_state = conclave_secretstream_enc_change_state;
  install_properties (object_class);
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class,
      "Encrypted file writer", "Encryptor",
      "Encrypts a byte stream to a file in which every change is detected",
      "gst-conclave");
}

/**
 * SECTION:element-secretstreamdec
 * @title: secretstreamdec
 *
 * Decrypts a file that secretstreamenc wrote. What comes out is authentic, in its place, and whole: each change, cut,
 * exchange or addition ends the stream with an error that says where, and nothing from there on comes out.
 *
 * The key comes from #ConclaveSecretstreamDec:key-location or #ConclaveSecretstreamDec:key; for files that are sealed to recipients,
 * #ConclaveSecretstreamDec:identity-location is the identity of one of them.
 *
 * Behind an element that can be read at any place, such as filesrc, the element can be so too, in decrypted bytes: demuxers seek
 * as in a plain file. Behind others it passes on what comes.
 *
 * Of a recording whose recorder crashed the end is missing. With #ConclaveSecretstreamDec:allow-truncated its good part comes out, and
 * a warning says where it ends.
 *
 * ## Threads
 * None of its own. What is pushed is decrypted on the upstream streaming thread; what is pulled on the one that pulls, and
 * the file is opened on the one that activates the pads. Both exclude each other. Properties may be read from any thread.
 * Nothing is called out with the object lock held.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 filesrc location=a.mkv.css ! secretstreamdec key-location=k ! matroskademux ! vp8dec ! videoconvert ! autovideosink
 * ]|
 * Plays a recording.
 *
 * Since: 0.1
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "secretstreamelements.h"

#include "secretstreamdec.h"

GST_DEBUG_CATEGORY_STATIC (secretstreamdec_debug);
#define GST_CAT_DEFAULT secretstreamdec_debug

G_DEFINE_FINAL_TYPE (
    ConclaveSecretstreamDec, conclave_secretstream_dec, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE (secretstreamdec, "secretstreamdec", GST_RANK_NONE,
    CONCLAVE_TYPE_SECRETSTREAM_DEC)

enum
{
  PROP_0,
  PROP_KEY,
  PROP_KEY_LOCATION,
  PROP_IDENTITY_LOCATION,
  PROP_ALLOW_TRUNCATED,
  PROP_STATS
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (SECRETSTREAM_MEDIA_TYPE));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

/* --- Keys --- */

/* Takes up what the properties say, if it changed. FALSE after an error on the bus. */
static gboolean
load_keys (ConclaveSecretstreamDec *self)
{
  g_autoptr (GError) error = NULL;
  Identity *identity = NULL;

  GST_OBJECT_LOCK (self);
  KeySettings settings = key_settings_copy (&self->settings);
  GST_OBJECT_UNLOCK (self);
  if (!settings.fresh) {
    key_settings_clear (&settings);
    return TRUE;
  }
  g_autoptr (Secret) key = key_settings_load_key (&settings, &error);
  if (!error && settings.people)
    identity = key_settings_load_identity (&settings, &error);
  if (!error && !key && !identity)
    g_set_error (&error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "%s has no key: set \"key-location\" to the file with the key, or \"identity-location\" to the identity that the file was "
        "sealed to",
        GST_OBJECT_NAME (self));
  key_settings_clear (&settings);
  if (error) {
    identity_free (identity);
    post_error (GST_ELEMENT (self), error);
    return FALSE;
  }
  GST_OBJECT_LOCK (self);
  self->settings.fresh = FALSE;
  Secret *old_key = self->key;
  Identity *old_identity = self->identity;
  self->key = g_steal_pointer (&key);
  self->identity = identity;
  GST_OBJECT_UNLOCK (self);
  secret_unref (old_key);
  identity_free (old_identity);
  return TRUE;
}

/* --- Reading --- */

static void
close_file (ConclaveSecretstreamDec *self)
{
  g_clear_pointer (&self->reader, secretstream_reader_free);
  gst_adapter_clear (self->adapter);
  self->begun = self->ended = FALSE;
  for (guint i = 0; i < CACHED_CHUNKS; i++)
    gst_clear_buffer (&self->cache[i].plain);
  GST_OBJECT_LOCK (self);
  self->size = GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK (self);
}

gboolean
secretstream_dec_open (ConclaveSecretstreamDec *self)
{
  if (!load_keys (self))
    return FALSE;
  GST_OBJECT_LOCK (self);
  g_autoptr (Secret) key = secret_ref (self->key);
  Identity *identity = self->identity;
  self->truncated = FALSE;
  self->file_id[0] = '\0';
  self->recipients = 0;
  GST_OBJECT_UNLOCK (self);
  self->reader = secretstream_reader_new (key, identity);
  return self->reader != NULL;
}

void
secretstream_dec_tell_file (ConclaveSecretstreamDec *self)
{
  guint64 size;

  GST_OBJECT_LOCK (self);
  if (secretstream_reader_is_open (self->reader) && self->file_id[0] == '\0') {
    const guint8 *id = secretstream_reader_id (self->reader);
    for (guint i = 0; i < SECRETSTREAM_FILE_ID_LEN; i++)
      g_snprintf (self->file_id + 2 * i, 3, "%02x", id[i]);
    self->recipients = secretstream_reader_recipients (self->reader);
  }
  if (secretstream_reader_size (self->reader, &size))
    self->size = size;
  GST_OBJECT_UNLOCK (self);
}

/* "The encrypted file was changed in chunk 3, at byte 131267 of it; ..." */
static gchar *
tell_place (ConclaveSecretstreamDec *self, SecretstreamResult result)
{
  SecretstreamReader *reader = self->reader;

  if (!secretstream_reader_is_open (reader))
    return g_strdup_printf (
        "The encrypted file %s.", secretstream_result_text (result));
  return g_strdup_printf (
      "The encrypted file %s: in chunk %" G_GUINT64_FORMAT
      ", at byte %" G_GUINT64_FORMAT "; the %" G_GUINT64_FORMAT
      " decrypted bytes before are good, and nothing from there on is handed out.",
      secretstream_result_text (result), secretstream_reader_chunk (reader),
      secretstream_reader_place (reader), secretstream_reader_offset (reader));
}

static gboolean
is_about_keys (SecretstreamResult result)
{
  return result == SECRETSTREAM_NEEDS_KEY
         || result == SECRETSTREAM_NEEDS_IDENTITY
         || result == SECRETSTREAM_NOT_FOR_US
         || result == SECRETSTREAM_WRONG_KEY;
}

gboolean
secretstream_dec_refuse (
    ConclaveSecretstreamDec *self, SecretstreamResult result)
{
  g_autofree gchar *text = tell_place (self, result);

  GST_OBJECT_LOCK (self);
  gboolean go_on = self->allow_truncated && result != SECRETSTREAM_FAILED
                   && secretstream_reader_is_open (self->reader);
  self->stats.damaged++;
  self->truncated = TRUE;
  GST_OBJECT_UNLOCK (self);
  if (go_on)
    GST_ELEMENT_WARNING (self, STREAM, DECRYPT, ("%s", text), (NULL));
  else if (is_about_keys (result))
    GST_ELEMENT_ERROR (self, STREAM, DECRYPT_NOKEY, ("%s", text), (NULL));
  else if (result == SECRETSTREAM_NOT_ONE
           || result == SECRETSTREAM_OTHER_VERSION)
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE, ("%s", text), (NULL));
  else if (result == SECRETSTREAM_CUT
           && secretstream_reader_is_open (self->reader))
    GST_ELEMENT_ERROR (self, STREAM, DECRYPT,
        ("%s To read those, set \"allow-truncated\".", text), (NULL));
  else
    GST_ELEMENT_ERROR (self, STREAM, DECRYPT, ("%s", text), (NULL));
  return go_on;
}

SecretstreamResult
secretstream_dec_take_step (
    ConclaveSecretstreamDec *self, const guint8 *in, GstBuffer **out)
{
  gsize want = secretstream_reader_wants (self->reader);
  gsize gives = secretstream_reader_gives (self->reader);
  guint64 offset = secretstream_reader_offset (self->reader);
  g_autoptr (GstBuffer) plain =
      gives > 0 ? gst_buffer_new_allocate (NULL, gives, NULL) : NULL;
  GstMapInfo map = { 0 };

  *out = NULL;
  if (gives > 0 && (!plain || !gst_buffer_map (plain, &map, GST_MAP_WRITE)))
    return SECRETSTREAM_FAILED;
  SecretstreamResult result =
      secretstream_reader_take (self->reader, in, map.data);
  if (gives > 0)
    gst_buffer_unmap (plain, &map);
  if (result != SECRETSTREAM_OK)
    return result;
  GST_OBJECT_LOCK (self);
  self->stats.bytes_in += want;
  self->stats.chunks += gives > 0;
  GST_OBJECT_UNLOCK (self);
  if (gives > 0) {
    GST_BUFFER_OFFSET (plain) = offset;
    GST_BUFFER_OFFSET_END (plain) = offset + gives;
    *out = g_steal_pointer (&plain);
  }
  secretstream_dec_tell_file (self);
  return SECRETSTREAM_OK;
}

void
secretstream_dec_count_out (ConclaveSecretstreamDec *self, gsize size)
{
  GST_OBJECT_LOCK (self);
  self->stats.bytes_out += size;
  GST_OBJECT_UNLOCK (self);
}

/* --- Pushed to --- */

static GstFlowReturn
push_plain (ConclaveSecretstreamDec *self, GstBuffer *plain)
{
  GstSegment segment;

  if (!self->begun) {
    gst_segment_init (&segment, GST_FORMAT_BYTES);
    gst_pad_push_event (self->srcpad, gst_event_new_segment (&segment));
    GST_BUFFER_FLAG_SET (plain, GST_BUFFER_FLAG_DISCONT);
  }
  self->begun = TRUE;
  secretstream_dec_count_out (self, gst_buffer_get_size (plain));
  return gst_pad_push (self->srcpad, plain);
}

/* The stream ends at what cannot be trusted. */
static GstFlowReturn
end_early (ConclaveSecretstreamDec *self, SecretstreamResult result)
{
  gst_adapter_clear (self->adapter);
  self->ended = TRUE;
  if (!secretstream_dec_refuse (self, result))
    return GST_FLOW_ERROR;
  gst_pad_push_event (self->srcpad, gst_event_new_eos ());
  return GST_FLOW_EOS;
}

static GstFlowReturn
conclave_secretstream_dec_chain (
    GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  ConclaveSecretstreamDec *self = CONCLAVE_SECRETSTREAM_DEC (parent);
  GstFlowReturn flow = GST_FLOW_OK;
  gsize want;

  if (self->ended) {
    gst_buffer_unref (buffer);
    return GST_FLOW_EOS;
  }
  if (!self->reader && !secretstream_dec_open (self)) {
    gst_buffer_unref (buffer);
    return GST_FLOW_ERROR;
  }
  gst_adapter_push (self->adapter, buffer);
  while (flow == GST_FLOW_OK
         && (want = secretstream_reader_wants (self->reader)) > 0
         && gst_adapter_available (self->adapter) >= want) {
    GstBuffer *plain;
    const guint8 *in = gst_adapter_map (self->adapter, want);
    SecretstreamResult result =
        in ? secretstream_dec_take_step (self, in, &plain)
           : SECRETSTREAM_FAILED;
    gst_adapter_unmap (self->adapter);
    if (result != SECRETSTREAM_OK)
      return end_early (self, result);
    gst_adapter_flush (self->adapter, want);
    if (plain)
      flow = push_plain (self, plain);
  }
  gsize left = gst_adapter_available (self->adapter);
  if (flow == GST_FLOW_OK && secretstream_reader_wants (self->reader) == 0
      && left > 0)
    return end_early (self, secretstream_reader_end (self->reader, left));
  return flow;
}

/* TRUE when downstream may be told that the stream ends well. */
static gboolean
end_of_file (ConclaveSecretstreamDec *self)
{
  GstSegment segment;

  if (self->ended)
    return FALSE; /* it was told, or is not to be */
  if (!self->reader && !secretstream_dec_open (self))
    return FALSE;
  SecretstreamResult result = secretstream_reader_end (
      self->reader, gst_adapter_available (self->adapter));
  self->ended = TRUE;
  gst_adapter_clear (self->adapter);
  if (result != SECRETSTREAM_OK && !secretstream_dec_refuse (self, result))
    return FALSE;
  if (!self->begun) {
    gst_segment_init (&segment, GST_FORMAT_BYTES);
    gst_pad_push_event (self->srcpad, gst_event_new_segment (&segment));
  }
  return TRUE;
}

static gboolean
conclave_secretstream_dec_sink_event (
    GstPad *pad, GstObject *parent, GstEvent *event)
{
  ConclaveSecretstreamDec *self = CONCLAVE_SECRETSTREAM_DEC (parent);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_SEGMENT: /* ours is pushed with the first bytes */
    case GST_EVENT_CAPS:
    case GST_EVENT_GAP:
      gst_event_unref (event);
      return TRUE;
    case GST_EVENT_EOS:
      if (!end_of_file (self)) {
        gst_event_unref (event);
        return FALSE;
      }
      break;
    case GST_EVENT_FLUSH_STOP:
    case GST_EVENT_STREAM_START:
      close_file (self);
      break;
    default:
      break;
  }
  return gst_pad_event_default (pad, parent, event);
}

/* --- Pulled from: secretstreampull.c --- */

static GstFlowReturn
conclave_secretstream_dec_get_range (GstPad *pad, GstObject *parent,
    guint64 offset, guint length, GstBuffer **buffer)
{
  ConclaveSecretstreamDec *self = CONCLAVE_SECRETSTREAM_DEC (parent);
  guint64 size;

  if (!self->reader || !secretstream_reader_size (self->reader, &size))
    return GST_FLOW_FLUSHING;
  if (offset >= size)
    return GST_FLOW_EOS;
  guint len = (guint) MIN (length, size - offset);
  if (*buffer && gst_buffer_get_size (*buffer) > len)
    gst_buffer_resize (*buffer, 0, len);
  return secretstream_dec_read_plain (self, offset, len, buffer);
}

static gboolean
conclave_secretstream_dec_src_activate_mode (
    GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
  ConclaveSecretstreamDec *self = CONCLAVE_SECRETSTREAM_DEC (parent);

  if (mode != GST_PAD_MODE_PULL)
    return mode == GST_PAD_MODE_PUSH;
  if (!active) {
    close_file (self);
    return gst_pad_activate_mode (self->sinkpad, mode, FALSE);
  }
  if (!gst_pad_activate_mode (self->sinkpad, mode, TRUE))
    return FALSE;
  if (secretstream_dec_open_by_pulling (self))
    return TRUE;
  close_file (self);
  gst_pad_activate_mode (self->sinkpad, mode, FALSE);
  return FALSE;
}

static gboolean
conclave_secretstream_dec_sink_activate_mode (
    GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
  return mode != GST_PAD_MODE_NONE;
}

/* --- Events, queries --- */

static gboolean
conclave_secretstream_dec_src_event (
    GstPad *pad, GstObject *parent, GstEvent *event)
{
  /* Who pulls seeks by itself, and what is pushed is decrypted in order. */
  if (GST_EVENT_TYPE (event) == GST_EVENT_SEEK) {
    gst_event_unref (event);
    return FALSE;
  }
  return gst_pad_event_default (pad, parent, event);
}

static void
answer_scheduling (ConclaveSecretstreamDec *self, GstQuery *query)
{
  g_autoptr (GstQuery) upstream = gst_query_new_scheduling ();
  GstSchedulingFlags flags = GST_SCHEDULING_FLAG_SEQUENTIAL;
  gboolean pull = FALSE;

  if (gst_pad_peer_query (self->sinkpad, upstream)) {
    pull = gst_query_has_scheduling_mode_with_flags (
        upstream, GST_PAD_MODE_PULL, GST_SCHEDULING_FLAG_SEEKABLE);
    if (pull)
      gst_query_parse_scheduling (upstream, &flags, NULL, NULL, NULL);
  }
  gst_query_set_scheduling (query, flags, 1, -1, 0);
  if (pull)
    gst_query_add_scheduling_mode (query, GST_PAD_MODE_PULL);
  gst_query_add_scheduling_mode (query, GST_PAD_MODE_PUSH);
}

static gboolean
conclave_secretstream_dec_src_query (
    GstPad *pad, GstObject *parent, GstQuery *query)
{
  ConclaveSecretstreamDec *self = CONCLAVE_SECRETSTREAM_DEC (parent);
  GstFormat format;

  GST_OBJECT_LOCK (self);
  guint64 size = self->size;
  GST_OBJECT_UNLOCK (self);
  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_SCHEDULING:
      answer_scheduling (self, query);
      return TRUE;
    case GST_QUERY_DURATION:
      gst_query_parse_duration (query, &format, NULL);
      if (format != GST_FORMAT_BYTES || size == GST_CLOCK_TIME_NONE)
        return FALSE;
      gst_query_set_duration (query, format, (gint64) size);
      return TRUE;
    case GST_QUERY_SEEKING:
      gst_query_parse_seeking (query, &format, NULL, NULL, NULL);
      if (format == GST_FORMAT_BYTES
          && GST_PAD_MODE (pad) == GST_PAD_MODE_PULL)
        gst_query_set_seeking (query, format, TRUE, 0, (gint64) size);
      else
        gst_query_set_seeking (query, format, FALSE, 0, -1);
      return TRUE;
    case GST_QUERY_POSITION: /* upstream's is in encrypted bytes */
    case GST_QUERY_CONVERT:
    case GST_QUERY_FORMATS:
      return FALSE;
    default:
      return gst_pad_query_default (pad, parent, query);
  }
}

static gboolean
conclave_secretstream_dec_sink_query (
    GstPad *pad, GstObject *parent, GstQuery *query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_ALLOCATION)
    return FALSE;
  return gst_pad_query_default (pad, parent, query);
}

/* --- States, properties --- */

static GstStateChangeReturn
conclave_secretstream_dec_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveSecretstreamDec *self = CONCLAVE_SECRETSTREAM_DEC (element);

  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !load_keys (self))
    return GST_STATE_CHANGE_FAILURE;
  GstStateChangeReturn result =
      GST_ELEMENT_CLASS (conclave_secretstream_dec_parent_class)
          ->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    close_file (self);
  return result;
}

static GstStructure *
make_stats (ConclaveSecretstreamDec *self)
{
  GST_OBJECT_LOCK (self);
  DecStats stats = self->stats;
  gboolean truncated = self->truncated;
  guint recipients = self->recipients;
  g_autofree gchar *id = g_strdup (self->file_id);
  GST_OBJECT_UNLOCK (self);
  return gst_structure_new ("application/x-secretstreamdec-stats", "bytes-in",
      G_TYPE_UINT64, stats.bytes_in, "bytes-out", G_TYPE_UINT64,
      stats.bytes_out, "chunks", G_TYPE_UINT64, stats.chunks, "damaged",
      G_TYPE_UINT64, stats.damaged, "truncated", G_TYPE_BOOLEAN, truncated,
      "recipients", G_TYPE_UINT, recipients, "file-id", G_TYPE_STRING, id,
      NULL);
}

static void
conclave_secretstream_dec_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveSecretstreamDec *self = CONCLAVE_SECRETSTREAM_DEC (object);

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
    case PROP_IDENTITY_LOCATION:
      key_settings_set_people (&self->settings, g_value_get_string (value));
      break;
    case PROP_ALLOW_TRUNCATED:
      self->allow_truncated = g_value_get_boolean (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_secretstream_dec_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveSecretstreamDec *self = CONCLAVE_SECRETSTREAM_DEC (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_KEY_LOCATION:
      g_value_set_string (value, self->settings.location);
      break;
    case PROP_IDENTITY_LOCATION:
      g_value_set_string (value, self->settings.people);
      break;
    case PROP_ALLOW_TRUNCATED:
      g_value_set_boolean (value, self->allow_truncated);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_secretstream_dec_finalize (GObject *object)
{
  ConclaveSecretstreamDec *self = CONCLAVE_SECRETSTREAM_DEC (object);

  close_file (self);
  g_object_unref (self->adapter);
  key_settings_clear (&self->settings);
  secret_unref (self->key);
  identity_free (self->identity);
  G_OBJECT_CLASS (conclave_secretstream_dec_parent_class)->finalize (object);
}

static void
conclave_secretstream_dec_init (ConclaveSecretstreamDec *self)
{
  self->settings.fresh = TRUE;
  self->size = GST_CLOCK_TIME_NONE;
  self->adapter = gst_adapter_new ();

  self->sinkpad = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sinkpad, conclave_secretstream_dec_chain);
  gst_pad_set_event_function (
      self->sinkpad, conclave_secretstream_dec_sink_event);
  gst_pad_set_query_function (
      self->sinkpad, conclave_secretstream_dec_sink_query);
  gst_pad_set_activatemode_function (
      self->sinkpad, conclave_secretstream_dec_sink_activate_mode);
  gst_element_add_pad (GST_ELEMENT (self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template (&src_template, "src");
  gst_pad_set_getrange_function (
      self->srcpad, conclave_secretstream_dec_get_range);
  gst_pad_set_activatemode_function (
      self->srcpad, conclave_secretstream_dec_src_activate_mode);
  gst_pad_set_event_function (
      self->srcpad, conclave_secretstream_dec_src_event);
  gst_pad_set_query_function (
      self->srcpad, conclave_secretstream_dec_src_query);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
}

static void
install_properties (GObjectClass *klass)
{
  const GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  key_settings_install (klass, PROP_KEY, PROP_KEY_LOCATION);
  g_object_class_install_property (klass, PROP_IDENTITY_LOCATION,
      g_param_spec_string ("identity-location", "Identity location",
          "File with the private key (Ed25519, PEM) of one of those to whom the file was sealed",
          NULL, ready));
  g_object_class_install_property (klass, PROP_ALLOW_TRUNCATED,
      g_param_spec_boolean ("allow-truncated", "Allow truncated",
          "Read a file without a good end, as a crash leaves it, up to where it is good, with a warning that says where. Somebody who "
          "cuts a file on purpose cannot be told from a crash",
          FALSE, ready));
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "What was decrypted, and the file's public identifier",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
conclave_secretstream_dec_class_init (ConclaveSecretstreamDecClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (secretstreamdec_debug, "secretstreamdec", 0,
      "decryption of byte streams");
  object_class->set_property = conclave_secretstream_dec_set_property;
  object_class->get_property = conclave_secretstream_dec_get_property;
  object_class->finalize = conclave_secretstream_dec_finalize;
  element_class->change_state = conclave_secretstream_dec_change_state;
  install_properties (object_class);
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class,
      "Encrypted file reader", "Decryptor",
      "Decrypts a file of secretstreamenc, from any place in it",
      "gst-conclave");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpcommon.h"

#include <string.h>

G_DEFINE_ABSTRACT_TYPE (ConclaveSrtpBase, conclave_srtp_base, GST_TYPE_ELEMENT)

enum
{
  PROP_0,
  PROP_STATS,
  PROP_KEY,
  PROP_KEY_LOCATION,
  PROP_MKI,
  PROP_SETTINGS
};

/* --- Sessions --- */

SrtpConfig
srtp_base_config (ConclaveSrtpBase *self)
{
  GST_OBJECT_LOCK (self);
  SrtpConfig config = srtp_settings_config (
      &self->settings, srtp_base_class (self)->direction);
  GST_OBJECT_UNLOCK (self);
  return config;
}

SrtpSession *
srtp_base_session_of (ConclaveSrtpBase *self, guint32 ssrc)
{
  SrtpSession *own = own_keys_session (self->own, ssrc);
  return own ? own : self->session;
}

gboolean
srtp_base_has_any_key (ConclaveSrtpBase *self)
{
  guint request_key = srtp_base_class (self)->request_key;
  return (self->session && srtp_session_has_key (self->session))
         || own_keys_in_force (self->own) > 0
         || (request_key != 0
             && g_signal_has_handler_pending (self, request_key, 0, FALSE));
}

/* Sets the key that no packet has used again, after its session gave way to another. */
static void
carry_unused (ConclaveSrtpBase *self)
{
  g_autoptr (Secret) key = g_steal_pointer (&self->unused);
  g_autoptr (GBytes) mki = g_steal_pointer (&self->unused_mki);

  if (key
      && secret_len (key)
             == srtp_config_key_len (srtp_session_config (self->session)))
    (void) srtp_base_give_key (self, key, mki, FALSE);
}

gboolean
srtp_base_ensure_session (
    ConclaveSrtpBase *self, const SrtpConfig *config, GError **error)
{
  const gchar *problem = srtp_config_problem (config);
  SrtpStats stats;

  if (problem) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "The settings do not go together: %s", problem);
    return FALSE;
  }
  if (self->session
      && srtp_config_same_crypto (
          srtp_session_config (self->session), config)) {
    srtp_session_set_limits (
        self->session, config->window, config->max_ssrcs, config->lifetime);
    return TRUE;
  }
  SrtpSession *session = srtp_session_new (config, self->session);
  if (!session) {
    g_set_error_literal (
        error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED, "Memory is short");
    return FALSE;
  }
  if (self->session) {
    srtp_session_stats (self->session, &stats);
    srtp_counters_add (&self->past, &stats.counters);
    srtp_session_free (self->session);
  }
  self->session = session;
  own_keys_retire (self->own);
  carry_unused (self);
  return TRUE;
}

SrtpResult
srtp_base_give_key (
    ConclaveSrtpBase *self, Secret *key, GBytes *mki, gboolean next)
{
  gsize mki_len = 0;
  gconstpointer mki_data = mki ? g_bytes_get_data (mki, &mki_len) : NULL;
  KeyPrint print = { { 0 } };

  if (key)
    print = key_print (key);
  /* Its ROC and replay windows lie with the SSRCs that had it. */
  if (key && own_keys_know (self->own, &print))
    return SRTP_KEY_REUSED;
  gboolean first = !srtp_session_has_key (self->session);
  SrtpResult result =
      next ? srtp_session_rekey (self->session, key, mki_data, mki_len)
           : srtp_session_set_key (self->session, key, mki_data, mki_len);
  if (result != SRTP_OK)
    return result;
  gboolean known = key_print_in (&print, self->prints);
  if (!known)
    g_array_append_val (self->prints, print);
  if (!next)
    own_keys_retire (self->own);
  if (self->unused && secret_equal (self->unused, key))
    return SRTP_OK;
  g_clear_pointer (&self->unused, secret_unref);
  g_clear_pointer (&self->unused_mki, g_bytes_unref);
  if (!known && (first || !next)) {
    self->unused = secret_ref (key);
    self->unused_mki = mki ? g_bytes_ref (mki) : NULL;
  }
  return SRTP_OK;
}

SrtpResult
srtp_base_give_own_key (ConclaveSrtpBase *self, guint32 ssrc,
    const SrtpConfig *config, Secret *key, GBytes *mki, gboolean next,
    gboolean named)
{
  if (key) {
    KeyPrint print = key_print (key);
    if (key_print_in (&print, self->prints))
      return SRTP_KEY_REUSED;
  }
  return own_keys_give (self->own, ssrc, config, (guint) config->max_ssrcs,
      key, mki, next, named);
}

void
srtp_base_post (
    ConclaveSrtpBase *self, GstMessageType type, const GError *error)
{
  gst_element_message_full (GST_ELEMENT (self), type, error->domain,
      error->code, g_strdup_printf ("%s.", error->message), NULL, __FILE__,
      GST_FUNCTION, __LINE__);
}

void
srtp_base_tell (ConclaveSrtpBase *self, const gchar *name, gint64 ssrc)
{
  GstStructure *s = gst_structure_new_empty (name);
  if (ssrc >= 0)
    gst_structure_set (s, "ssrc", G_TYPE_UINT, (guint) ssrc, NULL);
  gst_element_post_message (
      GST_ELEMENT (self), gst_message_new_element (GST_OBJECT (self), s));
}

/* --- States --- */

/* What the properties say, copied for a load. */
typedef struct
{
  gboolean fresh, fresh_key, cleared;
  Secret *text;
  gchar *location, *mki_text;
} Given;

static void
given_take (ConclaveSrtpBase *self, Given *given)
{
  GST_OBJECT_LOCK (self);
  *given = (Given){ self->fresh, self->fresh_key, self->cleared,
    secret_ref (self->key), g_strdup (self->location),
    g_strdup (self->mki_text) };
  self->fresh = self->fresh_key = self->cleared = FALSE;
  GST_OBJECT_UNLOCK (self);
}

static void
given_clear (Given *given)
{
  secret_unref (given->text);
  g_free (given->location);
  g_free (given->mki_text);
}

/* Lock held. A key that is in the file still is not set again: an action may have given a later one. */
static void
load_key (ConclaveSrtpBase *self, const Given *given, const SrtpConfig *config,
    Secret *key, GError **error)
{
  const SrtpSession *before = self->session;
  KeyPrint print;

  if (!srtp_base_ensure_session (self, config, error))
    return;
  if (!key) {
    if (given->cleared)
      srtp_session_retire (self->session);
    return;
  }
  print = key_print (key);
  if (!given->fresh_key && self->any_loaded
      && memcmp (&print, &self->loaded, sizeof print) == 0
      && (before == self->session || srtp_session_has_key (self->session)))
    return;
  SrtpResult result = srtp_base_give_key (self, key, self->mki, FALSE);
  if (result == SRTP_OK) {
    self->loaded = print;
    self->any_loaded = TRUE;
  } else {
    srtp_set_key_error (error, result, config,
        given->text ? "The key in \"key\"" : "The key of \"key-location\"");
  }
}

/* Makes the session, and gives it the key of the properties if they changed; a file is read again with `reread`. False
 * with an error on the bus. */
static gboolean
load (ConclaveSrtpBase *self, gboolean reread)
{
  SrtpConfig config = srtp_base_config (self);
  g_autoptr (GError) error = NULL;
  g_autoptr (Secret) key = NULL;
  g_autoptr (GBytes) mki = NULL;
  Given given;

  given_take (self, &given);
  if (!given.fresh && !(reread && given.location)) {
    given_clear (&given);
    return TRUE;
  }
  if (!srtp_config_problem (&config)) {
    key = srtp_read_key (given.text, given.location, &config, &error);
    if (!error)
      mki = srtp_read_mki (given.mki_text, &error);
  }
  if (!error) {
    g_mutex_lock (&self->lock);
    g_clear_pointer (&self->mki, g_bytes_unref);
    self->mki = g_steal_pointer (&mki);
    load_key (self, &given, &config, key, &error);
    g_mutex_unlock (&self->lock);
  }
  if (error) {
    /* Judged again the next time, whether or not it was changed. */
    GST_OBJECT_LOCK (self);
    self->fresh = TRUE;
    self->fresh_key |= given.fresh_key;
    self->cleared |= given.cleared;
    GST_OBJECT_UNLOCK (self);
    srtp_base_post (self, GST_MESSAGE_ERROR, error);
  }
  given_clear (&given);
  return error == NULL;
}

static GstStateChangeReturn
conclave_srtp_base_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveSrtpBase *self = CONCLAVE_SRTP_BASE (element);

  if ((transition == GST_STATE_CHANGE_NULL_TO_READY
          || transition == GST_STATE_CHANGE_READY_TO_PAUSED)
      && !load (self, transition == GST_STATE_CHANGE_NULL_TO_READY))
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    g_mutex_lock (&self->lock);
    /* Keys of single SSRCs are asked for anew: with other settings, or by another program, the answers differ. */
    own_keys_ask_anew (self->own);
    self->warned_no_key = self->warned_too_many = FALSE;
    g_mutex_unlock (&self->lock);
  }
  return GST_ELEMENT_CLASS (conclave_srtp_base_parent_class)
      ->change_state (element, transition);
}

/* --- Statistics --- */

static void
add_counters (
    GstStructure *stats, const SrtpCounters *counters, const gchar *good_name)
{
  static const SrtpResult drops[] = { SRTP_MALFORMED, SRTP_UNAUTHENTIC,
    SRTP_REPLAYED, SRTP_TOO_OLD, SRTP_NO_KEY, SRTP_TOO_MANY_SSRCS,
    SRTP_KEY_SPENT, SRTP_FAILED };

  gst_structure_set (stats, good_name, G_TYPE_UINT64,
      (guint64) counters->results[SRTP_OK], "bytes", G_TYPE_UINT64,
      (guint64) counters->octets, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (drops); i++)
    gst_structure_set (stats, srtp_result_name (drops[i]), G_TYPE_UINT64,
        (guint64) counters->results[drops[i]], NULL);
}

static void
append_stream (
    GValue *array, const SrtpStreamStats *stream, const gchar *good_name)
{
  GstStructure *s = gst_structure_new ("application/x-srtp-stream", "ssrc",
      G_TYPE_UINT, stream->ssrc, "authentic", G_TYPE_BOOLEAN,
      (gboolean) stream->authentic, NULL);
  GValue value = G_VALUE_INIT;

  if (stream->has_index)
    gst_structure_set (s, "roc", G_TYPE_UINT, (guint) (stream->index >> 16),
        "sequence", G_TYPE_UINT, (guint) (stream->index & 0xffff), NULL);
  gst_structure_set (s, "rtcp-index", G_TYPE_UINT, stream->rtcp_index, NULL);
  add_counters (s, &stream->counters, good_name);
  g_value_init (&value, GST_TYPE_STRUCTURE);
  g_value_take_boxed (&value, s);
  gst_value_array_append_and_take_value (array, &value);
}

/* The numbers are copied under the lock, packets wait for nothing else. */
static GstStructure *
make_stats (ConclaveSrtpBase *self)
{
  const gchar *good_name = srtp_base_class (self)->good_name;
  g_autofree gchar *name = g_strdup_printf ("application/x-%s-stats",
      srtp_base_class (self)->direction == SRTP_SEND ? "srtpprotect"
                                                     : "srtpunprotect");
  g_autoptr (GArray) streams =
      g_array_new (FALSE, FALSE, sizeof (SrtpStreamStats));
  GValue array = G_VALUE_INIT;
  SrtpStats all = { 0 };

  g_mutex_lock (&self->lock);
  SrtpCounters sum = self->past;
  if (self->session) {
    srtp_session_stats (self->session, &all);
    srtp_counters_add (&sum, &all.counters);
    srtp_session_add_streams (self->session, streams);
  }
  own_keys_add_counters (self->own, &sum);
  own_keys_add_streams (self->own, streams);
  gboolean has_key = all.n_keys > 0 || own_keys_in_force (self->own) > 0;
  g_mutex_unlock (&self->lock);

  GstStructure *stats =
      gst_structure_new (name, "has-key", G_TYPE_BOOLEAN, has_key, NULL);
  add_counters (stats, &sum, good_name);
  g_value_init (&array, GST_TYPE_ARRAY);
  for (guint i = 0; i < streams->len; i++)
    append_stream (
        &array, &g_array_index (streams, SrtpStreamStats, i), good_name);
  gst_structure_take_value (stats, "streams", &array);
  return stats;
}

/* --- Properties --- */

/* A new object with a copy of `text`; NULL for NULL. An empty string is kept: loading it says what is wrong. */
static Secret *
copy_secret_text (const gchar *text)
{
  if (!text)
    return NULL;
  gsize len = strnlen (text, SECRET_MAX);
  return secret_copy (len ? text : " ", MAX (len, 1));
}

static void
conclave_srtp_base_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveSrtpBase *self = CONCLAVE_SRTP_BASE (object);
  Secret *old = NULL;
  gboolean known = TRUE;

  GST_OBJECT_LOCK (self);
  if (GST_STATE (self) > GST_STATE_READY) {
    GST_OBJECT_UNLOCK (self);
    g_warning (
        "\"%s\" of %s cannot change while data flows; set it in NULL or READY, or use the action \"rekey\"",
        pspec->name, GST_OBJECT_NAME (self));
    return;
  }
  self->fresh = TRUE;
  switch (id) {
    case PROP_KEY:
      old = self->key;
      self->key = copy_secret_text (g_value_get_string (value));
      break;
    case PROP_KEY_LOCATION:
      self->cleared |= self->location != NULL;
      g_free (self->location);
      self->location = g_value_dup_string (value);
      break;
    case PROP_MKI:
      g_free (self->mki_text);
      self->mki_text = g_value_dup_string (value);
      break;
    default:
      known = srtp_settings_set (&self->settings, pspec->name, value);
  }
  self->cleared = (self->cleared || old) && !self->key && !self->location;
  self->fresh_key |= id < PROP_SETTINGS;
  GST_OBJECT_UNLOCK (self);
  secret_unref (old);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
conclave_srtp_base_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveSrtpBase *self = CONCLAVE_SRTP_BASE (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  gboolean known = TRUE;
  GST_OBJECT_LOCK (self);
  if (id == PROP_KEY_LOCATION)
    g_value_set_string (value, self->location);
  else if (id == PROP_MKI)
    g_value_set_string (value, self->mki_text);
  else
    known = srtp_settings_get (&self->settings, pspec->name, value);
  GST_OBJECT_UNLOCK (self);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

/* --- Object --- */

static void
conclave_srtp_base_finalize (GObject *object)
{
  ConclaveSrtpBase *self = CONCLAVE_SRTP_BASE (object);

  srtp_session_free (self->session);
  own_keys_free (self->own);
  srtp_blocks_free (self->blocks);
  g_array_unref (self->prints);
  secret_unref (self->key);
  secret_unref (self->unused);
  g_clear_pointer (&self->unused_mki, g_bytes_unref);
  g_clear_pointer (&self->mki, g_bytes_unref);
  g_free (self->location);
  g_free (self->mki_text);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (conclave_srtp_base_parent_class)->finalize (object);
}

static void
conclave_srtp_base_init (ConclaveSrtpBase *self)
{
  srtp_settings_init (&self->settings);
  self->fresh = self->fresh_key = TRUE;
  self->blocks = srtp_blocks_new ();
  self->own = own_keys_new ();
  self->prints = g_array_new (FALSE, FALSE, sizeof (KeyPrint));
  g_mutex_init (&self->lock);
}

static void
conclave_srtp_base_class_init (ConclaveSrtpBaseClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags ready = G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  object_class->set_property = conclave_srtp_base_set_property;
  object_class->get_property = conclave_srtp_base_get_property;
  object_class->finalize = conclave_srtp_base_finalize;
  GST_ELEMENT_CLASS (klass)->change_state = conclave_srtp_base_change_state;

  /**
   * ConclaveSrtpBase:stats:
   *
   * `application/x-srtpprotect-stats` or `application/x-srtpunprotect-stats`: what came in is `protected` or `delivered`
   * and the causes of dropping `malformed`, `auth-failed`, `replayed`, `too-old`, `no-key`, `too-many-ssrcs`, `key-spent`,
   * `failed`. Besides `bytes`, `has-key`, and `streams`: for each SSRC the same counters with `ssrc`, `authentic`, `roc`,
   * `sequence`, `rtcp-index`; of SSRCs without an authentic packet 64. Counters never go down.
   *
   * Since: 0.1
   */
  g_object_class_install_property (object_class, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Good packets and those dropped, by cause and by SSRC",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  g_object_class_install_property (object_class, PROP_KEY,
      g_param_spec_string ("key", "Key",
          "Master key and salt together, hexadecimal or base64. gst-launch shows it in logs, ps and the shell's "
          "history: prefer \"key-location\"",
          NULL, G_PARAM_WRITABLE | ready));
  g_object_class_install_property (object_class, PROP_KEY_LOCATION,
      g_param_spec_string ("key-location", "Key location",
          "File that holds master key and salt together as hexadecimal or base64 text (openssl rand -hex 44 > FILE); "
          "read at each start",
          NULL, G_PARAM_READWRITE | ready));
  g_object_class_install_property (object_class, PROP_MKI,
      g_param_spec_string ("mki", "MKI",
          "Master key identifier that packets carry, hexadecimal or base64, up to 128 bytes; unset: packets carry none",
          NULL, G_PARAM_READWRITE | ready));
  srtp_settings_install_properties (object_class, PROP_SETTINGS);
  srtp_install_actions (G_TYPE_FROM_CLASS (klass));
  gst_type_mark_as_plugin_api (CONCLAVE_TYPE_SRTP_BASE, 0);
}

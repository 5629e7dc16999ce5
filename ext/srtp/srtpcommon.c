/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpcommon.h"

#include <errno.h>
#include <string.h>

/* The numbers of GStreamer's own enumerations, so that code that sets them by number goes on to work. */
enum
{
  CIPHER_AES_128_ICM = 1,
  CIPHER_AES_256_ICM = 2,
  CIPHER_AES_128_GCM = 3,
  CIPHER_AES_256_GCM = 4,
  CIPHER_AUTO = 5
};

enum
{
  AUTH_NULL = 0,
  AUTH_HMAC_SHA1_32 = 1,
  AUTH_HMAC_SHA1_80 = 2,
  AUTH_AUTO = 3
};

static GType
enum_type (gsize *type, const gchar *name, const GEnumValue *values)
{
  if (g_once_init_enter (type))
    g_once_init_leave (type, g_enum_register_static (name, values));
  return *type;
}

static GType
conclave_srtp_cipher_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { CIPHER_AES_128_ICM, "AES-128 in counter mode (key and salt: 30 bytes)",
        "aes-128-icm" },
    { CIPHER_AES_256_ICM, "AES-256 in counter mode (46 bytes)",
        "aes-256-icm" },
    { CIPHER_AES_128_GCM, "AES-128-GCM (28 bytes)", "aes-128-gcm" },
    { CIPHER_AES_256_GCM, "AES-256-GCM (44 bytes)", "aes-256-gcm" },
    { CIPHER_AUTO, "RTP: AES-256-GCM; RTCP: as RTP", "auto" },
    { 0, NULL, NULL },
  };
  return enum_type (&type, "ConclaveSrtpCipher", values);
}

static GType
conclave_srtp_auth_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { AUTH_NULL, "None but the cipher's own: GCM only", "null" },
    { AUTH_HMAC_SHA1_32, "HMAC-SHA1, tag of 32 bits: easily forged",
        "hmac-sha1-32" },
    { AUTH_HMAC_SHA1_80, "HMAC-SHA1, tag of 80 bits", "hmac-sha1-80" },
    { AUTH_AUTO, "null with GCM, hmac-sha1-80 otherwise", "auto" },
    { 0, NULL, NULL },
  };
  return enum_type (&type, "ConclaveSrtpAuth", values);
}

static GType
conclave_srtp_backend_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { SRTP_BACKEND_AUTO, "GnuTLS for GCM, libsrtp2 otherwise", "auto" },
    { SRTP_BACKEND_LIBSRTP2, "libsrtp2", "libsrtp2" },
    { SRTP_BACKEND_GNUTLS, "GnuTLS: GCM only", "gnutls" },
    { 0, NULL, NULL },
  };
  return enum_type (&type, "ConclaveSrtpBackend", values);
}

static SrtpCipher
cipher_of (gint value, SrtpCipher other)
{
  switch (value) {
    case CIPHER_AES_128_ICM:
      return SRTP_AES_128_ICM;
    case CIPHER_AES_256_ICM:
      return SRTP_AES_256_ICM;
    case CIPHER_AES_128_GCM:
      return SRTP_AES_128_GCM;
    case CIPHER_AES_256_GCM:
      return SRTP_AES_256_GCM;
    default:
      return other;
  }
}

static SrtpAuth
auth_of (gint value)
{
  switch (value) {
    case AUTH_NULL:
      return SRTP_AUTH_NULL;
    case AUTH_HMAC_SHA1_32:
      return SRTP_AUTH_HMAC_SHA1_32;
    case AUTH_HMAC_SHA1_80:
      return SRTP_AUTH_HMAC_SHA1_80;
    default:
      return SRTP_AUTH_AUTO;
  }
}

void
srtp_core_init (SrtpCore *core, SrtpDirection direction)
{
  *core = (SrtpCore){ .direction = direction,
    .rtp_cipher = CIPHER_AES_256_GCM,
    .rtcp_cipher = CIPHER_AUTO,
    .rtp_auth = AUTH_AUTO,
    .rtcp_auth = AUTH_AUTO,
    .backend = SRTP_BACKEND_AUTO,
    .window = 1024,
    .max_ssrcs = 1024,
    .lifetime = SRTP_RTP_LIFETIME,
    .fresh = TRUE };
  g_mutex_init (&core->lock);
  core->blocks = srtp_blocks_new ();
  core->by_ssrc = g_hash_table_new_full (
      NULL, NULL, NULL, (GDestroyNotify) srtp_session_free);
}

void
srtp_core_clear (SrtpCore *core)
{
  g_clear_pointer (&core->session, srtp_session_free);
  g_clear_pointer (&core->blocks, srtp_blocks_free);
  g_clear_pointer (&core->by_ssrc, g_hash_table_unref);
  g_clear_pointer (&core->key, secret_unref);
  g_clear_pointer (&core->location, g_free);
  g_clear_pointer (&core->mki, g_free);
  g_mutex_clear (&core->lock);
}

/* --- Properties --- */

void
srtp_core_install_properties (GObjectClass *klass, guint first)
{
  const GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  GParamSpec *specs[] = {
    g_param_spec_string ("key", "Key",
        "Master key and salt together, hexadecimal or base64. gst-launch shows it in logs, ps and the shell's history: "
        "prefer \"key-location\"",
        NULL,
        G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY),
    g_param_spec_string ("key-location", "Key location",
        "File that holds master key and salt together as hexadecimal or base64 text (openssl rand -hex 44 > FILE)",
        NULL, ready),
    g_param_spec_string ("mki", "MKI",
        "Master key identifier that packets carry, hexadecimal or base64, up to 128 bytes; unset: packets carry none",
        NULL, ready),
    g_param_spec_enum ("rtp-cipher", "RTP cipher", "Cipher of RTP",
        conclave_srtp_cipher_get_type (), CIPHER_AES_256_GCM, ready),
    g_param_spec_enum ("rtp-auth", "RTP authentication",
        "Authentication of RTP", conclave_srtp_auth_get_type (), AUTH_AUTO,
        ready),
    g_param_spec_enum ("rtcp-cipher", "RTCP cipher", "Cipher of RTCP",
        conclave_srtp_cipher_get_type (), CIPHER_AUTO, ready),
    g_param_spec_enum ("rtcp-auth", "RTCP authentication",
        "Authentication of RTCP", conclave_srtp_auth_get_type (), AUTH_AUTO,
        ready),
    g_param_spec_enum ("backend", "Backend",
        "Library that does the cryptography",
        conclave_srtp_backend_get_type (), SRTP_BACKEND_AUTO, ready),
    g_param_spec_uint ("replay-window", "Replay window",
        "Packets, counted back from the newest, among which a late one is told from a repeated one; takes effect with "
        "the next key",
        SRTP_MIN_WINDOW, SRTP_MAX_WINDOW, 1024, ready),
    g_param_spec_uint ("max-ssrcs", "Maximum SSRCs",
        "Streams under one key; packets of further ones are dropped", 1,
        SRTP_MAX_SSRCS, 1024, ready),
    g_param_spec_uint64 ("key-lifetime", "Key lifetime",
        "Packets under one key after which it is not used any more (RFC 3711, 9.2; SDES's lifetime); RTCP packets at "
        "most 2^31",
        1, SRTP_RTP_LIFETIME, SRTP_RTP_LIFETIME, ready),
  };

  for (guint i = 0; i < G_N_ELEMENTS (specs); i++)
    g_object_class_install_property (klass, first + i, specs[i]);
  gst_type_mark_as_plugin_api (conclave_srtp_cipher_get_type (), 0);
  gst_type_mark_as_plugin_api (conclave_srtp_auth_get_type (), 0);
  gst_type_mark_as_plugin_api (conclave_srtp_backend_get_type (), 0);
}

/* A new object with a copy of `text`; NULL for NULL. An empty string is kept: loading it says what is wrong. */
static Secret *
copy_secret_text (const gchar *text)
{
  if (!text)
    return NULL;
  gsize len = strnlen (text, SECRET_MAX);
  return secret_copy (len ? text : " ", MAX (len, 1));
}

/* The field that a property sets; object lock held. */
static gint *
int_field (SrtpCore *core, const gchar *name)
{
  static const struct
  {
    const gchar *name;
    gsize offset;
  } fields[] = {
    { "rtp-cipher", G_STRUCT_OFFSET (SrtpCore, rtp_cipher) },
    { "rtcp-cipher", G_STRUCT_OFFSET (SrtpCore, rtcp_cipher) },
    { "rtp-auth", G_STRUCT_OFFSET (SrtpCore, rtp_auth) },
    { "rtcp-auth", G_STRUCT_OFFSET (SrtpCore, rtcp_auth) },
    { "backend", G_STRUCT_OFFSET (SrtpCore, backend) },
  };
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    if (g_str_equal (name, fields[i].name))
      return G_STRUCT_MEMBER_P (core, fields[i].offset);
  return NULL;
}

static gboolean
is_core_property (SrtpCore *core, const gchar *name)
{
  static const gchar *const others[] = { "key", "key-location", "mki",
    "replay-window", "max-ssrcs", "key-lifetime", NULL };
  return int_field (core, name) || g_strv_contains (others, name);
}

gboolean
srtp_core_set_property (GstElement *element, SrtpCore *core,
    const GParamSpec *pspec, const GValue *value)
{
  const gchar *name = pspec->name;
  Secret *old = NULL;

  if (!is_core_property (core, name))
    return FALSE;
  GST_OBJECT_LOCK (element);
  if (GST_STATE (element) > GST_STATE_READY) {
    GST_OBJECT_UNLOCK (element);
    g_warning (
        "\"%s\" of %s cannot change while data flows; set it in NULL or READY, or use the action \"rekey\"",
        name, GST_OBJECT_NAME (element));
    return TRUE;
  }
  if (int_field (core, name)) {
    *int_field (core, name) = g_value_get_enum (value);
  } else if (g_str_equal (name, "key")) {
    old = core->key;
    core->key = copy_secret_text (g_value_get_string (value));
  } else if (g_str_equal (name, "key-location")) {
    g_free (core->location);
    core->location = g_value_dup_string (value);
  } else if (g_str_equal (name, "mki")) {
    g_free (core->mki);
    core->mki = g_value_dup_string (value);
  } else if (g_str_equal (name, "replay-window")) {
    core->window = g_value_get_uint (value);
  } else if (g_str_equal (name, "max-ssrcs")) {
    core->max_ssrcs = g_value_get_uint (value);
  } else {
    core->lifetime = g_value_get_uint64 (value);
  }
  core->fresh = TRUE;
  GST_OBJECT_UNLOCK (element);
  secret_unref (old);
  return TRUE;
}

gboolean
srtp_core_get_property (GstElement *element, SrtpCore *core,
    const GParamSpec *pspec, GValue *value)
{
  const gchar *name = pspec->name;
  gboolean known = TRUE;

  GST_OBJECT_LOCK (element);
  if (int_field (core, name))
    g_value_set_enum (value, *int_field (core, name));
  else if (g_str_equal (name, "key-location"))
    g_value_set_string (value, core->location);
  else if (g_str_equal (name, "mki"))
    g_value_set_string (value, core->mki);
  else if (g_str_equal (name, "replay-window"))
    g_value_set_uint (value, core->window);
  else if (g_str_equal (name, "max-ssrcs"))
    g_value_set_uint (value, core->max_ssrcs);
  else if (g_str_equal (name, "key-lifetime"))
    g_value_set_uint64 (value, core->lifetime);
  else
    known = FALSE;
  GST_OBJECT_UNLOCK (element);
  return known;
}

/* --- Keys --- */

/* The settings as they are. */
static SrtpConfig
make_config (GstElement *element, SrtpCore *core)
{
  SrtpConfig config;

  srtp_config_init (&config, core->direction);
  GST_OBJECT_LOCK (element);
  config.rtp_cipher = cipher_of (core->rtp_cipher, SRTP_AES_256_GCM);
  config.rtcp_cipher = cipher_of (core->rtcp_cipher, config.rtp_cipher);
  config.rtp_auth = auth_of (core->rtp_auth);
  config.rtcp_auth = auth_of (core->rtcp_auth);
  config.backend = (SrtpBackend) core->backend;
  config.window = core->window;
  config.max_ssrcs = core->max_ssrcs;
  config.lifetime = core->lifetime;
  GST_OBJECT_UNLOCK (element);
  return config;
}

static gchar *
describe_key (const SrtpConfig *config)
{
  static const gchar *const names[] = { [SRTP_AES_256_GCM] = "aes-256-gcm",
    [SRTP_AES_128_GCM] = "aes-128-gcm",
    [SRTP_AES_256_ICM] = "aes-256-icm",
    [SRTP_AES_128_ICM] = "aes-128-icm" };
  gsize len = srtp_config_key_len (config);
  gsize salt = config->rtp_cipher <= SRTP_AES_128_GCM ? 12 : 14;

  return g_strdup_printf (
      "%s needs %" G_GSIZE_FORMAT " bytes: %" G_GSIZE_FORMAT
      " of master key and %" G_GSIZE_FORMAT
      " of master salt (make them with: openssl rand -hex %" G_GSIZE_FORMAT
      ")",
      names[config->rtp_cipher], len, len - salt, salt, len);
}

/* The key of the properties. NULL without error when they tell none. */
static Secret *
read_key (const Secret *text, const gchar *location, const SrtpConfig *config,
    GError **error)
{
  g_autofree gchar *needs = describe_key (config);
  g_autofree gchar *where =
      text ? g_strdup ("The key in \"key\"")
           : g_strdup_printf (
               "The key in the file \"%s\"", location ? location : "");
  Secret *key = NULL;

  if (text && location) {
    g_set_error_literal (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "Both \"key\" and \"key-location\" are set: set only one of them");
    return NULL;
  }
  if (text)
    key = secret_from_text (
        (const char *) secret_bytes ((Secret *) text), secret_len (text));
  else if (location)
    key = secret_from_file (location);
  else
    return NULL;

  if (!key && location && errno != EINVAL) {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ,
        "Could not read the key file \"%s\" of \"key-location\": %s", location,
        g_strerror (errno));
    return NULL;
  }
  if (!key) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "%s is neither hexadecimal nor base64; %s", where, needs);
    return NULL;
  }
  if (secret_len (key) != srtp_config_key_len (config)) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "%s has %" G_GSIZE_FORMAT " bytes, but %s", where, secret_len (key),
        needs);
    g_clear_pointer (&key, secret_unref);
  }
  return key;
}

static Secret *
read_mki (const gchar *text, GError **error)
{
  Secret *mki = text && *text ? secret_from_text (text, strlen (text)) : NULL;

  if (text && *text && (!mki || secret_len (mki) > SRTP_MAX_MKI)) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "The MKI in \"mki\" is not hexadecimal or base64 of 1 to %d bytes",
        SRTP_MAX_MKI);
    g_clear_pointer (&mki, secret_unref);
  }
  return mki;
}

/* A sentence about why a session refuses a key. */
static void
set_key_error (GError **error, SrtpResult result, const SrtpConfig *config,
    const gchar *where)
{
  g_autofree gchar *needs = describe_key (config);

  switch (result) {
    case SRTP_BAD_KEY:
      g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
          "%s does not fit: %s, and an MKI of at most %d bytes that is as long as the one before",
          where, needs, SRTP_MAX_MKI);
      break;
    case SRTP_KEY_REUSED:
      g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
          "%s was used here before and then replaced: packets could repeat under it, so take a fresh key (openssl rand "
          "-hex %" G_GSIZE_FORMAT ")",
          where, srtp_config_key_len (config));
      break;
    default:
      g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED,
          "%s could not be set up: memory is short, or a "
          "library refuses",
          where);
  }
}

/* Makes the session of these settings, or keeps the one there is. Lock held. False with an error. */
static gboolean
ensure_session (SrtpCore *core, const SrtpConfig *config, GError **error)
{
  const gchar *problem = srtp_config_problem (config);

  if (problem) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "The settings do not go together: %s", problem);
    return FALSE;
  }
  if (core->session
      && srtp_config_same_crypto (
          srtp_session_config (core->session), config)) {
    srtp_session_set_limits (
        core->session, config->window, config->max_ssrcs, config->lifetime);
    return TRUE;
  }
  SrtpSession *session = srtp_session_new (config, core->session);
  if (!session) {
    g_set_error_literal (
        error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED, "Memory is short");
    return FALSE;
  }
  srtp_session_free (core->session);
  core->session = session;
  return TRUE;
}

static void
post_error (GstElement *element, GstMessageType type, const GError *error)
{
  gst_element_message_full (element, type, error->domain, error->code,
      g_strdup_printf ("%s.", error->message), NULL, __FILE__, GST_FUNCTION,
      __LINE__);
}

gboolean
srtp_core_load (GstElement *element, SrtpCore *core)
{
  SrtpConfig config = make_config (element, core);
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (element);
  gboolean fresh = core->fresh;
  core->fresh = FALSE;
  g_autoptr (Secret) text = secret_ref (core->key);
  g_autofree gchar *location = g_strdup (core->location),
                   *mki_text = g_strdup (core->mki);
  GST_OBJECT_UNLOCK (element);
  if (!fresh)
    return TRUE;

  g_autoptr (Secret) mki = NULL;
  g_autoptr (Secret) key = NULL;
  if (!srtp_config_problem (&config)) {
    key = read_key (text, location, &config, &error);
    if (!error)
      mki = read_mki (mki_text, &error);
  }
  if (!error) {
    g_mutex_lock (&core->lock);
    if (ensure_session (core, &config, &error) && key) {
      SrtpResult result = srtp_session_set_key (core->session, key,
          mki ? secret_bytes (mki) : NULL, mki ? secret_len (mki) : 0);
      if (result != SRTP_OK)
        set_key_error (&error, result, &config,
            text ? "The key in \"key\"" : "The key of \"key-location\"");
    }
    g_mutex_unlock (&core->lock);
  }
  if (!error)
    return TRUE;

  /* Judged again the next time, whether or not it was changed. */
  GST_OBJECT_LOCK (element);
  core->fresh = TRUE;
  GST_OBJECT_UNLOCK (element);
  post_error (element, GST_MESSAGE_ERROR, error);
  return FALSE;
}

static Secret *
secret_from_gbytes (GBytes *bytes)
{
  gsize len = 0;
  gconstpointer data = bytes ? g_bytes_get_data (bytes, &len) : NULL;
  return data ? secret_copy (data, len) : NULL;
}

SrtpSession *
srtp_core_session_for (GstElement *element, SrtpCore *core, GBytes *bytes)
{
  SrtpConfig config = make_config (element, core);
  g_autoptr (Secret) key = secret_from_gbytes (bytes);
  g_autoptr (GError) error = NULL;

  config.max_ssrcs = 1;
  SrtpSession *session = srtp_session_new (&config, NULL);
  SrtpResult result =
      session ? srtp_session_set_key (session, key, NULL, 0) : SRTP_FAILED;
  if (result == SRTP_OK)
    return session;
  set_key_error (&error, result, &config, "The key that \"request-key\" gave");
  post_error (element, GST_MESSAGE_WARNING, error);
  srtp_session_free (session);
  return NULL;
}

/* --- Actions --- */

static GQuark
core_quark (void)
{
  return g_quark_from_static_string ("conclave-srtp-core");
}

static SrtpCore *
core_of_element (GstElement *element)
{
  SrtpCoreOf core_of =
      (SrtpCoreOf) g_type_get_qdata (G_OBJECT_TYPE (element), core_quark ());
  return core_of (element);
}

typedef SrtpResult (*KeySetter) (
    SrtpSession *session, Secret *key, const void *mki, size_t mki_len);

static gboolean
give_key (GstElement *element, GBytes *bytes, GBytes *mki, KeySetter set)
{
  SrtpCore *core = core_of_element (element);
  SrtpConfig config = make_config (element, core);
  g_autoptr (Secret) key = secret_from_gbytes (bytes);
  g_autoptr (GError) error = NULL;
  gsize mki_len = 0;
  gconstpointer mki_data = mki ? g_bytes_get_data (mki, &mki_len) : NULL;

  g_mutex_lock (&core->lock);
  if (ensure_session (core, &config, &error)) {
    SrtpResult result = set (core->session, key, mki_data, mki_len);
    if (result != SRTP_OK)
      set_key_error (&error, result, &config, "The key");
  }
  g_mutex_unlock (&core->lock);
  if (error)
    post_error (element, GST_MESSAGE_WARNING, error);
  return error == NULL;
}

static gboolean
set_key (GstElement *element, GBytes *key, GBytes *mki)
{
  return give_key (element, key, mki, srtp_session_set_key);
}

static gboolean
rekey (GstElement *element, GBytes *key, GBytes *mki)
{
  return give_key (element, key, mki, srtp_session_rekey);
}

static void
clear_keys (GstElement *element)
{
  SrtpCore *core = core_of_element (element);

  g_mutex_lock (&core->lock);
  if (core->session)
    srtp_session_clear_keys (core->session);
  g_hash_table_remove_all (core->by_ssrc);
  g_mutex_unlock (&core->lock);
}

/* The session that an SSRC belongs to, or NULL. Lock held. */
static SrtpSession *
session_of_ssrc (SrtpCore *core, guint ssrc)
{
  SrtpSession *own =
      g_hash_table_lookup (core->by_ssrc, GUINT_TO_POINTER (ssrc));
  return own ? own : core->session;
}

static gint64
get_index (GstElement *element, guint ssrc)
{
  SrtpCore *core = core_of_element (element);
  guint64 index = 0;

  g_mutex_lock (&core->lock);
  SrtpSession *session = session_of_ssrc (core, ssrc);
  gboolean known = session && srtp_session_get_index (session, ssrc, &index);
  g_mutex_unlock (&core->lock);
  return known ? (gint64) index : -1;
}

static gint64
get_roc (GstElement *element, guint ssrc)
{
  gint64 index = get_index (element, ssrc);
  return index < 0 ? -1 : index >> 16;
}

static gboolean
set_index (GstElement *element, guint ssrc, guint64 index)
{
  SrtpCore *core = core_of_element (element);

  g_mutex_lock (&core->lock);
  SrtpSession *session = session_of_ssrc (core, ssrc);
  gboolean ok =
      session && srtp_session_set_index (session, ssrc, index) == SRTP_OK;
  g_mutex_unlock (&core->lock);
  return ok;
}

static gboolean
set_roc (GstElement *element, guint ssrc, guint roc)
{
  SrtpCore *core = core_of_element (element);

  g_mutex_lock (&core->lock);
  SrtpSession *session = session_of_ssrc (core, ssrc);
  gboolean ok =
      session && srtp_session_set_roc (session, ssrc, roc) == SRTP_OK;
  g_mutex_unlock (&core->lock);
  return ok;
}

void
srtp_core_install_actions (GType type, SrtpCoreOf core_of)
{
  const GSignalFlags action = G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION;

  /* What each does and answers is in docs/elements/srtpprotect.md; all may be called from any thread. */
  g_type_set_qdata (type, core_quark (), (gpointer) core_of);
  g_signal_new_class_handler ("set-key", type, action, G_CALLBACK (set_key),
      NULL, NULL, NULL, G_TYPE_BOOLEAN, 2, G_TYPE_BYTES, G_TYPE_BYTES);
  g_signal_new_class_handler ("rekey", type, action, G_CALLBACK (rekey), NULL,
      NULL, NULL, G_TYPE_BOOLEAN, 2, G_TYPE_BYTES, G_TYPE_BYTES);
  g_signal_new_class_handler ("clear-keys", type, action,
      G_CALLBACK (clear_keys), NULL, NULL, NULL, G_TYPE_NONE, 0);
  g_signal_new_class_handler ("get-roc", type, action, G_CALLBACK (get_roc),
      NULL, NULL, NULL, G_TYPE_INT64, 1, G_TYPE_UINT);
  g_signal_new_class_handler ("set-roc", type, action, G_CALLBACK (set_roc),
      NULL, NULL, NULL, G_TYPE_BOOLEAN, 2, G_TYPE_UINT, G_TYPE_UINT);
  g_signal_new_class_handler ("get-index", type, action,
      G_CALLBACK (get_index), NULL, NULL, NULL, G_TYPE_INT64, 1, G_TYPE_UINT);
  g_signal_new_class_handler ("set-index", type, action,
      G_CALLBACK (set_index), NULL, NULL, NULL, G_TYPE_BOOLEAN, 2, G_TYPE_UINT,
      G_TYPE_UINT64);
}

/* --- Statistics --- */

void
srtp_stats_add_counters (
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

void
srtp_stats_append_streams (
    GValue *array, SrtpSession *session, const gchar *good_name)
{
  SrtpStats all;
  srtp_session_stats (session, &all);
  g_autofree SrtpStreamStats *streams =
      g_new (SrtpStreamStats, all.n_streams + 1);
  gsize n = srtp_session_stream_stats (session, streams, all.n_streams);

  for (gsize i = 0; i < n; i++) {
    const SrtpStreamStats *s = &streams[i];
    GstStructure *structure = gst_structure_new ("application/x-srtp-stream",
        "ssrc", G_TYPE_UINT, s->ssrc, "authentic", G_TYPE_BOOLEAN,
        (gboolean) s->authentic, NULL);
    if (s->has_index)
      gst_structure_set (structure, "roc", G_TYPE_UINT,
          (guint) (s->index >> 16), "sequence", G_TYPE_UINT,
          (guint) (s->index & 0xffff), NULL);
    gst_structure_set (
        structure, "rtcp-index", G_TYPE_UINT, s->rtcp_index, NULL);
    srtp_stats_add_counters (structure, &s->counters, good_name);
    GValue value = G_VALUE_INIT;
    g_value_init (&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed (&value, structure);
    gst_value_array_append_and_take_value (array, &value);
  }
}

/* --- Caps and buffers --- */

static GstCaps *
rename_caps (GstCaps *caps, const gchar *const *names)
{
  /* Where GStreamer's own elements put the key, in the clear, and what goes with it. */
  static const gchar *const fields[] = { "srtp-key", "srtp-cipher",
    "srtp-auth", "srtcp-cipher", "srtcp-auth", "mki", "roc" };
  GstCaps *result = gst_caps_new_empty ();

  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    GstStructure *s = gst_structure_copy (gst_caps_get_structure (caps, i));
    const gchar *to = gst_structure_has_name (s, names[0])   ? names[1]
                      : gst_structure_has_name (s, names[2]) ? names[3]
                                                             : NULL;
    if (!to) {
      gst_structure_free (s);
      continue;
    }
    gst_structure_set_name (s, to);
    for (guint k = 0; k < G_N_ELEMENTS (fields); k++)
      gst_structure_remove_field (s, fields[k]);
    for (guint k = 2;; k++) { /* srtp-key2 with mki2, … */
      g_autofree gchar *key = g_strdup_printf ("srtp-key%u", k),
                       *mki = g_strdup_printf ("mki%u", k);
      if (!gst_structure_has_field (s, key))
        break;
      gst_structure_remove_fields (s, key, mki, NULL);
    }
    gst_caps_append_structure (result, s);
  }
  return result;
}

GstCaps *
srtp_caps_protect (GstCaps *caps)
{
  static const gchar *const names[] = { "application/x-rtp",
    "application/x-srtp", "application/x-rtcp", "application/x-srtcp" };
  return rename_caps (caps, names);
}

GstCaps *
srtp_caps_unprotect (GstCaps *caps)
{
  static const gchar *const names[] = { "application/x-srtp",
    "application/x-rtp", "application/x-srtcp", "application/x-rtcp" };
  return rename_caps (caps, names);
}

GstBuffer *
srtp_buffer_with (GstBuffer *buffer, GstMemory *memory)
{
  gpointer state = NULL;

  if (gst_buffer_is_writable (buffer)) {
    gst_buffer_replace_all_memory (buffer, memory);
    return buffer;
  }
  GstBuffer *out = gst_buffer_new ();
  gst_buffer_append_memory (out, memory);
  gst_buffer_copy_into (out, buffer,
      GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_TIMESTAMPS, 0, (gsize) -1);
  if (gst_buffer_iterate_meta (buffer, &state))
    gst_buffer_copy_into (out, buffer, GST_BUFFER_COPY_META, 0, (gsize) -1);
  return out;
}

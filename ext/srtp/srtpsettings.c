/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpsettings.h"

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
srtp_settings_init (SrtpSettings *settings)
{
  *settings = (SrtpSettings){ .rtp_cipher = CIPHER_AES_256_GCM,
    .rtcp_cipher = CIPHER_AUTO,
    .rtp_auth = AUTH_AUTO,
    .rtcp_auth = AUTH_AUTO,
    .backend = SRTP_BACKEND_AUTO,
    .window = 1024,
    .max_ssrcs = 1024,
    .lifetime = SRTP_RTP_LIFETIME };
}

guint
srtp_settings_install_properties (GObjectClass *klass, guint first)
{
  const GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  GParamSpec *specs[] = {
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
  return first + G_N_ELEMENTS (specs);
}

/* The field that an enumeration's property sets, or NULL. */
static gint *
enum_field (SrtpSettings *settings, const gchar *name)
{
  static const struct
  {
    const gchar *name;
    gsize offset;
  } fields[] = {
    { "rtp-cipher", G_STRUCT_OFFSET (SrtpSettings, rtp_cipher) },
    { "rtp-auth", G_STRUCT_OFFSET (SrtpSettings, rtp_auth) },
    { "rtcp-cipher", G_STRUCT_OFFSET (SrtpSettings, rtcp_cipher) },
    { "rtcp-auth", G_STRUCT_OFFSET (SrtpSettings, rtcp_auth) },
    { "backend", G_STRUCT_OFFSET (SrtpSettings, backend) },
  };
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    if (g_str_equal (name, fields[i].name))
      return G_STRUCT_MEMBER_P (settings, fields[i].offset);
  return NULL;
}

gboolean
srtp_settings_set (
    SrtpSettings *settings, const gchar *name, const GValue *value)
{
  gint *field = enum_field (settings, name);

  if (field)
    *field = g_value_get_enum (value);
  else if (g_str_equal (name, "replay-window"))
    settings->window = g_value_get_uint (value);
  else if (g_str_equal (name, "max-ssrcs"))
    settings->max_ssrcs = g_value_get_uint (value);
  else if (g_str_equal (name, "key-lifetime"))
    settings->lifetime = g_value_get_uint64 (value);
  else
    return FALSE;
  return TRUE;
}

gboolean
srtp_settings_get (
    const SrtpSettings *settings, const gchar *name, GValue *value)
{
  const gint *field = enum_field ((SrtpSettings *) settings, name);

  if (field)
    g_value_set_enum (value, *field);
  else if (g_str_equal (name, "replay-window"))
    g_value_set_uint (value, settings->window);
  else if (g_str_equal (name, "max-ssrcs"))
    g_value_set_uint (value, settings->max_ssrcs);
  else if (g_str_equal (name, "key-lifetime"))
    g_value_set_uint64 (value, settings->lifetime);
  else
    return FALSE;
  return TRUE;
}

SrtpConfig
srtp_settings_config (const SrtpSettings *settings, SrtpDirection direction)
{
  SrtpConfig config;

  srtp_config_init (&config, direction);
  config.rtp_cipher = cipher_of (settings->rtp_cipher, SRTP_AES_256_GCM);
  config.rtcp_cipher = cipher_of (settings->rtcp_cipher, config.rtp_cipher);
  config.rtp_auth = auth_of (settings->rtp_auth);
  config.rtcp_auth = auth_of (settings->rtcp_auth);
  config.backend = (SrtpBackend) settings->backend;
  config.window = settings->window;
  config.max_ssrcs = settings->max_ssrcs;
  config.lifetime = settings->lifetime;
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

Secret *
srtp_read_key (Secret *text, const gchar *location, const SrtpConfig *config,
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
        (const char *) secret_bytes (text), secret_len (text));
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

GBytes *
srtp_read_mki (const gchar *text, GError **error)
{
  g_autoptr (Secret) mki =
      text && *text ? secret_from_text (text, strlen (text)) : NULL;

  if (!text || !*text)
    return NULL;
  if (!mki || secret_len (mki) > SRTP_MAX_MKI) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "The MKI in \"mki\" is not hexadecimal or base64 of 1 to %d bytes",
        SRTP_MAX_MKI);
    return NULL;
  }
  return g_bytes_new (secret_bytes (mki), secret_len (mki)); /* public */
}

void
srtp_set_key_error (GError **error, SrtpResult result,
    const SrtpConfig *config, const gchar *where)
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
    case SRTP_TOO_MANY_KEYS:
      g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
          "%s comes too soon: there are %d keys, and the oldest is in use still. Change keys more slowly, or call "
          "\"set-key\" with the newest to give up the others",
          where, SRTP_MAX_KEYS);
      break;
    case SRTP_TOO_MANY_SSRCS:
      g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
          "%s has no place: \"max-ssrcs\" SSRCs have keys of their own. Raise it, or take one away with "
          "\"remove-key\"",
          where);
      break;
    default:
      g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED,
          "%s could not be set up: memory is short, or a "
          "library refuses",
          where);
  }
}

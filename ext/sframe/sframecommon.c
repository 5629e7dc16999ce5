/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sframecommon.h"

#include <errno.h>
#include <string.h>

#include <gst/rtp/gstrtpbuffer.h>

#define RTP_MEDIA_TYPE "application/x-rtp"

GType
conclave_sframe_suite_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { SFRAME_AES_128_CTR_HMAC_SHA256_80,
        "AES-128-CTR, HMAC-SHA256, tag of 80 bits (0x0001)",
        "aes-128-ctr-hmac-sha256-80" },
    { SFRAME_AES_128_CTR_HMAC_SHA256_64,
        "AES-128-CTR, HMAC-SHA256, tag of 64 bits (0x0002)",
        "aes-128-ctr-hmac-sha256-64" },
    { SFRAME_AES_128_CTR_HMAC_SHA256_32,
        "AES-128-CTR, HMAC-SHA256, tag of 32 bits: easily forged (0x0003)",
        "aes-128-ctr-hmac-sha256-32" },
    { SFRAME_AES_128_GCM_SHA256_128, "AES-128-GCM, tag of 128 bits (0x0004)",
        "aes-128-gcm-sha256-128" },
    { SFRAME_AES_256_GCM_SHA512_128, "AES-256-GCM, tag of 128 bits (0x0005)",
        "aes-256-gcm-sha512-128" },
    { SFRAME_AES_256_CTR_HMAC_SHA512_80,
        "AES-256-CTR, HMAC-SHA512, tag of 80 bits (0x0006)",
        "aes-256-ctr-hmac-sha512-80" },
    { SFRAME_AES_256_CTR_HMAC_SHA512_64,
        "AES-256-CTR, HMAC-SHA512, tag of 64 bits (0x0007)",
        "aes-256-ctr-hmac-sha512-64" },
    { SFRAME_AES_256_CTR_HMAC_SHA512_32,
        "AES-256-CTR, HMAC-SHA512, tag of 32 bits: easily forged (0x0008)",
        "aes-256-ctr-hmac-sha512-32" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("ConclaveSFrameSuite", values));
  return type;
}

static gboolean
is_system_memory (GstCaps *caps, guint i)
{
  GstCapsFeatures *features = gst_caps_get_features (caps, i);
  return !features || gst_caps_features_is_any (features)
         || gst_caps_features_is_equal (
             features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY);
}

GstCaps *
sframe_caps_protect (GstCaps *caps, SFrameSuite suite, guint ssrc)
{
  if (gst_caps_is_any (caps))
    return gst_caps_new_empty_simple (SFRAME_MEDIA_TYPE);

  GstCaps *result = gst_caps_new_empty ();
  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    const GstStructure *frame = gst_caps_get_structure (caps, i);
    const gchar *type = gst_structure_get_name (frame);

    /* Fields of these names (SFrame, Common Encryption) would be lost on the way back. */
    if (gst_structure_has_name (frame, SFRAME_MEDIA_TYPE)
        || gst_structure_has_field (frame, FIELD_ORIGINAL_TYPE)
        || gst_structure_has_field (frame, FIELD_SUITE)
        || !is_system_memory (caps, i))
      continue;

    GstStructure *out = gst_structure_copy (frame);
    gst_structure_set (out, FIELD_ORIGINAL_TYPE, G_TYPE_STRING, type,
        FIELD_SUITE, G_TYPE_STRING, sframe_suite_name (suite), NULL);
    if (ssrc != NO_SSRC)
      gst_structure_set (out, FIELD_SSRC, G_TYPE_UINT, ssrc, NULL);
    gst_structure_set_name (out, SFRAME_MEDIA_TYPE);
    gst_caps_append_structure (result, out);
  }
  return result;
}

GstCaps *
sframe_caps_restore (GstCaps *caps)
{
  if (gst_caps_is_any (caps))
    return gst_caps_new_any ();

  GstCaps *result = gst_caps_new_empty ();
  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    GstStructure *sframe = gst_caps_get_structure (caps, i);
    if (!gst_structure_has_name (sframe, SFRAME_MEDIA_TYPE))
      continue;
    const gchar *type = gst_structure_get_string (sframe, FIELD_ORIGINAL_TYPE);
    if (!type) {
      gst_caps_unref (result);
      return gst_caps_new_any ();
    }
    GstStructure *out = gst_structure_copy (sframe);
    gst_structure_set_name (out, type);
    gst_structure_remove_fields (
        out, FIELD_ORIGINAL_TYPE, FIELD_SUITE, FIELD_SSRC, NULL);
    gst_caps_append_structure (result, out);
  }
  return result;
}

gboolean
sframe_caps_is_rtp (GstCaps *caps)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);
  return gst_structure_has_name (s, RTP_MEDIA_TYPE)
         || g_strcmp0 (gst_structure_get_string (s, FIELD_ORIGINAL_TYPE),
                RTP_MEDIA_TYPE)
                == 0;
}

static void
set_key_text (KeySource *source, const gchar *text)
{
  gsize len = text ? strlen (text) : 0;

  g_clear_pointer (&source->text, secret_unref);
  /* Too long to be a key: kept as one byte, so that it is judged, and refused, with everything else. */
  if (len > 0)
    source->text =
        len <= SECRET_MAX ? secret_copy (text, len) : secret_copy ("?", 1);
  g_atomic_int_set (&source->fresh, TRUE);
}

static void
set_key_location (KeySource *source, const gchar *location)
{
  g_free (source->location);
  source->location = g_strdup (location && *location ? location : NULL);
  g_atomic_int_set (&source->fresh, TRUE);
}

static void
clear_key_source (KeySource *source)
{
  g_clear_pointer (&source->text, secret_unref);
  g_clear_pointer (&source->location, g_free);
}

/* `where` says in a sentence where the key came from; the key itself is never told. */
static Secret *
check_length (Secret *key, gsize len, const gchar *where, GError **error)
{
  if (key && len >= SFRAME_MIN_BASE_KEY)
    return key;
  g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
      "%s has %" G_GSIZE_FORMAT
      " bytes; a base key has %d to %d (make one with: openssl rand -hex 32)",
      where, len, SFRAME_MIN_BASE_KEY, SECRET_MAX);
  secret_unref (key);
  return NULL;
}

/* NULL without error when `source` tells no key; NULL with a sentence in `error` when it tells an unusable one. */
static Secret *
read_key_source (const KeySource *source, GError **error)
{
  if (source->text && source->location) {
    g_set_error_literal (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "Both \"key\" and \"key-location\" are set: set only one of them");
    return NULL;
  }

  if (source->text) {
    Secret *key = secret_from_text (
        (const char *) secret_bytes (source->text), secret_len (source->text));
    if (key)
      return check_length (key, secret_len (key), "The key in \"key\"", error);
    g_set_error_literal (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "The text in \"key\" is neither hexadecimal nor base64 (make a key with: openssl rand -hex 32)");
    return NULL;
  }

  if (source->location) {
    Secret *key = secret_from_file (source->location);
    if (key) {
      g_autofree gchar *where =
          g_strdup_printf ("The key in the file \"%s\"", source->location);
      return check_length (key, secret_len (key), where, error);
    }
    if (errno == EINVAL)
      g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
          "The file \"%s\" holds neither hexadecimal nor base64 text (make a key with: openssl rand -hex 32 > \"%s\")",
          source->location, source->location);
    else
      g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ,
          "Could not read the key file \"%s\" of \"key-location\": %s",
          source->location, g_strerror (errno));
  }
  return NULL;
}

Secret *
sframe_key_from_bytes (GBytes *bytes, GError **error)
{
  gsize len = 0;
  gconstpointer data = bytes ? g_bytes_get_data (bytes, &len) : NULL;
  return check_length (data ? secret_copy (data, len) : NULL, len,
      "The key given to \"set-key\"", error);
}

gboolean
sframe_frame_extent (GstBuffer *buffer, gboolean is_rtp, FrameExtent *extent)
{
  *extent = (FrameExtent){ 0, gst_buffer_get_size (buffer), 0 };
  if (!is_rtp)
    return TRUE;

  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  if (!gst_rtp_buffer_map (buffer, GST_MAP_READ, &rtp))
    return FALSE;
  extent->offset = gst_rtp_buffer_get_header_len (&rtp);
  extent->size = gst_rtp_buffer_get_payload_len (&rtp);
  extent->ssrc = gst_rtp_buffer_get_ssrc (&rtp);
  gst_rtp_buffer_unmap (&rtp);
  return TRUE;
}

static gboolean
copy_meta (GstBuffer *from, GstMeta **meta, gpointer to)
{
  const GstMetaInfo *info = (*meta)->info;
  GQuark memory = g_quark_try_string (GST_META_TAG_MEMORY_STR);
  GQuark reference = g_quark_try_string (GST_META_TAG_MEMORY_REFERENCE_STR);

  /* What describes or holds the old memory means nothing for the new one. */
  if (info->transform_func
      && !(memory && gst_meta_api_type_has_tag (info->api, memory))
      && !(reference && gst_meta_api_type_has_tag (info->api, reference))) {
    GstMetaTransformCopy copy = { FALSE, 0, (gsize) -1 };
    info->transform_func (to, *meta, from, _gst_meta_transform_copy, &copy);
  }
  return TRUE;
}

void
sframe_copy_metadata (GstBuffer *to, GstBuffer *from)
{
  GST_BUFFER_FLAG_SET (
      to, GST_BUFFER_FLAGS (from) & ~(guint) GST_BUFFER_FLAG_TAG_MEMORY);
  GST_BUFFER_PTS (to) = GST_BUFFER_PTS (from);
  GST_BUFFER_DTS (to) = GST_BUFFER_DTS (from);
  GST_BUFFER_DURATION (to) = GST_BUFFER_DURATION (from);
  GST_BUFFER_OFFSET (to) = GST_BUFFER_OFFSET (from);
  GST_BUFFER_OFFSET_END (to) = GST_BUFFER_OFFSET_END (from);
  gst_buffer_foreach_meta (from, copy_meta, to);
}

static GstFlowReturn
submit_input (GstBaseTransform *trans, gboolean is_discont, GstBuffer *buffer)
{
  if (GST_PAD_NEEDS_RECONFIGURE (GST_BASE_TRANSFORM_SRC_PAD (trans))
      && gst_pad_has_current_caps (GST_BASE_TRANSFORM_SRC_PAD (trans))
      && !gst_base_transform_reconfigure (trans)
      && !GST_PAD_IS_FLUSHING (GST_BASE_TRANSFORM_SRC_PAD (trans))) {
    gst_buffer_unref (buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  trans->queued_buf = buffer;
  return GST_FLOW_OK;
}

static gboolean
offer_nothing (GstBaseTransform *trans, GstQuery *decide, GstQuery *query)
{
  return TRUE;
}

static gboolean
take_no_offer (GstBaseTransform *trans, GstQuery *query)
{
  return TRUE;
}

void
sframe_set_up_transform (GstBaseTransformClass *klass)
{
  klass->submit_input_buffer = submit_input;
  klass->propose_allocation = offer_nothing;
  klass->decide_allocation = take_no_offer;
}

gboolean
sframe_answer_scheduling (GstPadDirection direction, GstQuery *query)
{
  if (direction != GST_PAD_SRC
      || GST_QUERY_TYPE (query) != GST_QUERY_SCHEDULING)
    return FALSE;
  gst_query_set_scheduling (query, GST_SCHEDULING_FLAG_SEQUENTIAL, 1, -1, 0);
  gst_query_add_scheduling_mode (query, GST_PAD_MODE_PUSH);
  return TRUE;
}

gboolean
sframe_map_single (GstBuffer *buffer, GstMapInfo *map, GstMapFlags flags)
{
  return gst_buffer_n_memory (buffer) == 1
         && gst_memory_map (gst_buffer_peek_memory (buffer, 0), map, flags);
}

/* --- Properties --- */

void
sframe_install_common_properties (GObjectClass *klass, guint suite, guint kid,
    guint key, guint key_location, guint metadata, guint ratchet_bits,
    guint per_ssrc_keys, guint ssrc)
{
  const GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  g_object_class_install_property (klass, suite,
      g_param_spec_enum ("cipher-suite", "Cipher suite",
          "SFrame cipher suite, by its name in the IANA registry",
          CONCLAVE_TYPE_SFRAME_SUITE, SFRAME_AES_256_GCM_SHA512_128, ready));
  g_object_class_install_property (klass, kid,
      g_param_spec_uint64 ("kid", "KID",
          "KID of the key in \"key\" or \"key-location\"", 0, G_MAXUINT64, 0,
          playing));
  g_object_class_install_property (klass, key,
      g_param_spec_string ("key", "Key",
          "Base key, hexadecimal or base64, at least 16 bytes. gst-launch shows it in logs, ps and the shell's history: "
          "prefer \"key-location\"",
          NULL,
          G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (klass, key_location,
      g_param_spec_string ("key-location", "Key location",
          "File that holds the base key as hexadecimal or base64 text (openssl rand -hex 32 > FILE)",
          NULL, playing));
  g_object_class_install_property (klass, metadata,
      g_param_spec_string ("metadata", "Metadata",
          "Text that is authenticated with each frame but not sent: both sides must set the same (at most 4096 bytes)",
          NULL, ready));
  g_object_class_install_property (klass, ratchet_bits,
      g_param_spec_uint ("ratchet-bits", "Ratchet bits",
          "Low bits of the KID that count ratchet steps (RFC 9605, 5.1); 0: no ratchet. Both sides must set the same",
          0, SFRAME_MAX_RATCHET_BITS, 0, ready));
  g_object_class_install_property (klass, per_ssrc_keys,
      g_param_spec_boolean ("per-ssrc-keys", "Per-SSRC keys",
          "Derive a key for each RTP stream (SSRC) from the base key. Both sides must set the same",
          FALSE, ready));
  g_object_class_install_property (klass, ssrc,
      g_param_spec_uint ("ssrc", "SSRC",
          "SSRC for \"per-ssrc-keys\" where frames do not tell it (4294967295: unset)",
          0, G_MAXUINT, NO_SSRC, ready));
}

void
sframe_settings_init (SFrameSettings *settings)
{
  *settings = (SFrameSettings){ .suite = SFRAME_AES_256_GCM_SHA512_128,
    .ssrc = NO_SSRC };
}

void
sframe_settings_clear (SFrameSettings *settings)
{
  clear_key_source (&settings->source);
  g_clear_pointer (&settings->metadata, g_bytes_unref);
}

static void
set_metadata (SFrameSettings *settings, const gchar *text)
{
  g_clear_pointer (&settings->metadata, g_bytes_unref);
  if (text && *text)
    settings->metadata = g_bytes_new (text, strlen (text));
  g_atomic_int_set (&settings->source.fresh, TRUE); /* judged with the key */
}

gboolean
sframe_settings_set (
    SFrameSettings *settings, const GParamSpec *pspec, const GValue *value)
{
  if (g_str_equal (pspec->name, "cipher-suite")) {
    settings->suite = (SFrameSuite) g_value_get_enum (value);
    g_atomic_int_set (&settings->source.fresh, TRUE);
  } else if (g_str_equal (pspec->name, "kid")) {
    settings->kid = g_value_get_uint64 (value);
    g_atomic_int_set (&settings->source.fresh, TRUE);
  } else if (g_str_equal (pspec->name, "key")) {
    set_key_text (&settings->source, g_value_get_string (value));
  } else if (g_str_equal (pspec->name, "key-location")) {
    set_key_location (&settings->source, g_value_get_string (value));
  } else if (g_str_equal (pspec->name, "metadata")) {
    set_metadata (settings, g_value_get_string (value));
  } else if (g_str_equal (pspec->name, "ratchet-bits")) {
    settings->ratchet_bits = g_value_get_uint (value);
  } else if (g_str_equal (pspec->name, "per-ssrc-keys")) {
    settings->per_ssrc_keys = g_value_get_boolean (value);
  } else if (g_str_equal (pspec->name, "ssrc")) {
    settings->ssrc = g_value_get_uint (value);
  } else {
    return FALSE;
  }
  return TRUE;
}

gboolean
sframe_settings_get (
    const SFrameSettings *settings, const GParamSpec *pspec, GValue *value)
{
  if (g_str_equal (pspec->name, "cipher-suite")) {
    g_value_set_enum (value, (gint) settings->suite);
  } else if (g_str_equal (pspec->name, "kid")) {
    g_value_set_uint64 (value, settings->kid);
  } else if (g_str_equal (pspec->name, "key-location")) {
    g_value_set_string (value, settings->source.location);
  } else if (g_str_equal (pspec->name, "metadata")) {
    gsize len = 0;
    const gchar *text = settings->metadata
                            ? g_bytes_get_data (settings->metadata, &len)
                            : NULL;
    g_value_take_string (value, text ? g_strndup (text, len) : NULL);
  } else if (g_str_equal (pspec->name, "ratchet-bits")) {
    g_value_set_uint (value, settings->ratchet_bits);
  } else if (g_str_equal (pspec->name, "per-ssrc-keys")) {
    g_value_set_boolean (value, settings->per_ssrc_keys);
  } else if (g_str_equal (pspec->name, "ssrc")) {
    g_value_set_uint (value, settings->ssrc);
  } else {
    return FALSE;
  }
  return TRUE;
}

gboolean
sframe_settings_refuse (GstElement *element, const GParamSpec *pspec)
{
  if (!(pspec->flags & GST_PARAM_MUTABLE_READY))
    return FALSE;

  g_autoptr (GstPad) sink = gst_element_get_static_pad (element, "sink");
  if (!sink || !gst_pad_has_current_caps (sink))
    return FALSE;
  g_warning (
      "\"%s\" of %s cannot change while frames flow; set it in NULL or READY",
      pspec->name, GST_OBJECT_NAME (element));
  return TRUE;
}

gboolean
sframe_settings_load_key (
    GstElement *element, SFrameSettings *settings, Secret **key, guint64 *kid)
{
  g_autoptr (GError) error = NULL;

  *key = NULL;
  GST_OBJECT_LOCK (element);
  gboolean fresh = g_atomic_int_get (&settings->source.fresh);
  g_atomic_int_set (&settings->source.fresh, FALSE);
  *kid = settings->kid;
  gboolean both = settings->per_ssrc_keys && settings->ratchet_bits > 0;
  gsize metadata_len =
      settings->metadata ? g_bytes_get_size (settings->metadata) : 0;
  KeySource source = { fresh ? secret_ref (settings->source.text) : NULL,
    fresh ? g_strdup (settings->source.location) : NULL, FALSE };
  GST_OBJECT_UNLOCK (element);

  /* The payload format derives a stream's key once and ratchets it from then
   * on. A stream that starts later would need the base key as it was before,
   * and a ratchet that keeps it protects nothing. */
  if (both)
    g_set_error_literal (&error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "\"per-ssrc-keys\" and \"ratchet-bits\" cannot be used together: give new keys with \"set-key\" instead of ratcheting");
  else if (metadata_len > SFRAME_MAX_METADATA)
    g_set_error (&error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "\"metadata\" has %" G_GSIZE_FORMAT " bytes; it may have %d",
        metadata_len, SFRAME_MAX_METADATA);
  else
    *key = read_key_source (&source, &error);
  clear_key_source (&source);
  if (!error) {
    /* What the ratchet is to leave behind must not lie about here. */
    GST_OBJECT_LOCK (element);
    if (settings->ratchet_bits > 0)
      g_clear_pointer (&settings->source.text, secret_unref);
    GST_OBJECT_UNLOCK (element);
    return TRUE;
  }

  /* Judged again the next time, whether or not it was changed. */
  GST_OBJECT_LOCK (element);
  g_atomic_int_set (&settings->source.fresh, TRUE);
  GST_OBJECT_UNLOCK (element);
  gst_element_message_full (element, GST_MESSAGE_ERROR, error->domain,
      error->code, g_strdup_printf ("%s.", error->message), NULL, __FILE__,
      GST_FUNCTION, __LINE__);
  return FALSE;
}

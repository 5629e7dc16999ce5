/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "secretstreamkeys.h"

#include "ext/sodium/identity_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAKE_KEY "make one with: openssl rand -hex 32"

static void
set_string (gchar **string, const gchar *value)
{
  g_free (*string);
  *string = g_strdup (value && *value ? value : NULL);
}

void
key_settings_set_text (KeySettings *settings, const gchar *text)
{
  gsize len = text ? strlen (text) : 0;

  g_clear_pointer (&settings->text, secret_unref);
  /* Too long to be a key: kept as one byte, so that it is judged, and refused, with everything else. */
  if (len > 0)
    settings->text =
        len <= SECRET_MAX ? secret_copy (text, len) : secret_copy ("?", 1);
  settings->fresh = TRUE;
}

void
key_settings_set_location (KeySettings *settings, const gchar *location)
{
  set_string (&settings->location, location);
  settings->fresh = TRUE;
}

void
key_settings_set_people (KeySettings *settings, const gchar *location)
{
  set_string (&settings->people, location);
  settings->fresh = TRUE;
}

void
key_settings_clear (KeySettings *settings)
{
  g_clear_pointer (&settings->text, secret_unref);
  g_clear_pointer (&settings->location, g_free);
  g_clear_pointer (&settings->people, g_free);
}

KeySettings
key_settings_copy (const KeySettings *settings)
{
  return (KeySettings){ secret_ref (settings->text),
    g_strdup (settings->location), g_strdup (settings->people),
    settings->fresh };
}

/* `where` says in a sentence where the key came from; the key itself is never told. */
static Secret *
check_length (Secret *key, const gchar *where, GError **error)
{
  gsize len = secret_len (key);

  if (len >= SECRETSTREAM_MIN_KEY)
    return key;
  g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
      "%s has %" G_GSIZE_FORMAT " bytes; a file's key has %d to %d (" MAKE_KEY
      ")",
      where, len, SECRETSTREAM_MIN_KEY, SECRET_MAX);
  secret_unref (key);
  return NULL;
}

Secret *
key_settings_load_key (const KeySettings *settings, GError **error)
{
  if (settings->text && settings->location) {
    g_set_error_literal (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "Both \"key\" and \"key-location\" are set: set only one of them");
    return NULL;
  }
  if (settings->text) {
    Secret *key =
        secret_from_text ((const char *) secret_bytes (settings->text),
            secret_len (settings->text));
    if (key)
      return check_length (key, "The key in \"key\"", error);
    g_set_error_literal (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "The text in \"key\" is neither hexadecimal nor base64 (" MAKE_KEY
        ")");
    return NULL;
  }
  if (!settings->location)
    return NULL;

  Secret *key = secret_from_file (settings->location);
  if (key) {
    g_autofree gchar *where =
        g_strdup_printf ("The key in the file \"%s\"", settings->location);
    return check_length (key, where, error);
  }
  if (errno == EINVAL)
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "The file \"%s\" holds neither hexadecimal nor base64 text (" MAKE_KEY
        " > \"%s\")",
        settings->location, settings->location);
  else
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ,
        "Could not read the key file \"%s\" of \"key-location\": %s",
        settings->location, g_strerror (errno));
  return NULL;
}

SecretstreamRecipients *
key_settings_load_recipients (const KeySettings *settings, GError **error)
{
  g_autofree gchar *text = g_malloc (SECRETSTREAM_MAX_RECIPIENTS_TEXT + 1);
  size_t line;

  FILE *file = fopen (settings->people, "rbe");
  gsize len =
      file ? fread (text, 1, SECRETSTREAM_MAX_RECIPIENTS_TEXT + 1, file) : 0;
  int code = errno;
  gboolean read = file && !ferror (file);
  if (file)
    fclose (file);
  if (!read) {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ,
        "Could not read the list \"%s\" of \"recipients-location\": %s",
        settings->people, g_strerror (code));
    return NULL;
  }
  g_autofree SecretstreamRecipients *recipients =
      g_new (SecretstreamRecipients, 1);
  RecipientsResult result =
      secretstream_recipients_parse (text, len, recipients, &line);
  if (result == RECIPIENTS_OK)
    return g_steal_pointer (&recipients);
  if (result == RECIPIENTS_NONE || result == RECIPIENTS_TOO_MANY)
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "The list \"%s\" of \"recipients-location\" %s", settings->people,
        secretstream_recipients_text (result));
  else
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "Line %" G_GSIZE_FORMAT
        " of the list \"%s\" of \"recipients-location\" %s",
        line, settings->people, secretstream_recipients_text (result));
  return NULL;
}

Identity *
key_settings_load_identity (const KeySettings *settings, GError **error)
{
  Identity *identity;
  IdentityResult result = identity_file_load (settings->people, &identity);

  if (result == IDENTITY_OK)
    return identity;
  g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ,
      "The identity \"%s\" of \"identity-location\" %s", settings->people,
      identity_result_text (result));
  return NULL;
}

void
key_settings_install (GObjectClass *klass, guint key, guint key_location)
{
  g_object_class_install_property (klass, key,
      g_param_spec_string ("key", "Key",
          "The file's key, hexadecimal or base64, at least 32 bytes. gst-launch shows it in logs, ps and the shell's history: "
          "prefer \"key-location\"",
          NULL,
          G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_READY));
  g_object_class_install_property (klass, key_location,
      g_param_spec_string ("key-location", "Key location",
          "File that holds the key as hexadecimal or base64 text (openssl rand -hex 32 > FILE)",
          NULL,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_READY));
}

void
post_error (GstElement *element, const GError *error)
{
  gst_element_message_full (element, GST_MESSAGE_ERROR, error->domain,
      error->code, g_strdup_printf ("%s.", error->message), NULL, __FILE__,
      GST_FUNCTION, __LINE__);
}

gboolean
refuse_to_change (GstElement *element, const GParamSpec *pspec)
{
  GST_OBJECT_LOCK (element);
  gboolean running = GST_STATE (element) > GST_STATE_READY
                     || GST_STATE_PENDING (element) > GST_STATE_READY;
  GST_OBJECT_UNLOCK (element);
  if (running && pspec->flags & G_PARAM_WRITABLE)
    g_warning (
        "\"%s\" of %s cannot change while data flows; set it in NULL or READY",
        pspec->name, GST_OBJECT_NAME (element));
  return running;
}

/* Keys as a user configures them, for both elements.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

#include "format.h"

G_BEGIN_DECLS

#define SECRETSTREAM_MEDIA_TYPE "application/x-conclave-secretstream"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Secret, secret_unref)

/* What the properties say: plain strings, judged when they are loaded. The element's object lock guards it. */
typedef struct
{
  Secret *text;    /* "key" as given, or NULL */
  gchar *location; /* of the key's file, or NULL */
  gchar *people;   /* "recipients-location" or "identity-location", or NULL */
  gboolean fresh;  /* changed since it was last loaded */
} KeySettings;

void key_settings_set_text (KeySettings *settings, const gchar *text);
void key_settings_set_location (KeySettings *settings, const gchar *location);
void key_settings_set_people (KeySettings *settings, const gchar *location);
void key_settings_clear (KeySettings *settings);

/* A copy to load from without the lock; to be cleared. */
KeySettings key_settings_copy (const KeySettings *settings);

/* The key of "key" or "key-location". NULL without an error when neither is set, NULL with a sentence when what is set cannot be
 * used. Reads a file. */
Secret *key_settings_load_key (const KeySettings *settings, GError **error);

/* The list of "recipients-location"; NULL with a sentence in `error` when it cannot be used. To be freed with g_free(). Reads a file. */
SecretstreamRecipients *key_settings_load_recipients (
    const KeySettings *settings, GError **error);

/* The identity of "identity-location", as above; to be freed with identity_free(). */
Identity *key_settings_load_identity (
    const KeySettings *settings, GError **error);

/* Installs "key" and "key-location". */
void key_settings_install (GObjectClass *klass, guint key, guint key_location);

/* An error on the bus, whose text is the error's. */
void post_error (GstElement *element, const GError *error);

/* Warns on the terminal and returns TRUE when a property may not change any more. */
gboolean refuse_to_change (GstElement *element, const GParamSpec *pspec);

G_END_DECLS

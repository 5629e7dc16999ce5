/* What a user sets on srtpprotect and srtpunprotect: the enumerations of ciphers, what makes a session's config of
 * them, and keys as they are written.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

#include "ext/srtp/session.h"

G_BEGIN_DECLS

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Secret, secret_unref)

/* As the properties have them: enumeration values. */
typedef struct
{
  gint rtp_cipher, rtcp_cipher, rtp_auth, rtcp_auth, backend;
  guint window, max_ssrcs;
  guint64 lifetime;
} SrtpSettings;

void srtp_settings_init (SrtpSettings *settings);

/* The properties `rtp-cipher` to `key-lifetime`, which SrtpSettings holds, from this number on; returns the next. */
guint srtp_settings_install_properties (GObjectClass *klass, guint first);

/* By the property's name. False for one that is not among them. */
gboolean srtp_settings_set (
    SrtpSettings *settings, const gchar *name, const GValue *value);
gboolean srtp_settings_get (
    const SrtpSettings *settings, const gchar *name, GValue *value);

SrtpConfig srtp_settings_config (
    const SrtpSettings *settings, SrtpDirection direction);

/* The key of `text`, or of the file at `location`. NULL without error when both are NULL; with one, a sentence, when
 * there is no key in them that fits `config`. */
Secret *srtp_read_key (Secret *text, const gchar *location,
    const SrtpConfig *config, GError **error);

/* NULL without error for no text or an empty one. */
GBytes *srtp_read_mki (const gchar *text, GError **error);

/* A sentence about why a session refuses the key that `where` names. */
void srtp_set_key_error (GError **error, SrtpResult result,
    const SrtpConfig *config, const gchar *where);

G_END_DECLS

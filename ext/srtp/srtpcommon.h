/* What srtpprotect and srtpunprotect share: settings, the key that a user gives, the session behind its lock, caps, and
 * how a buffer becomes another.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

#include "ext/srtp/session.h"
#include "ext/srtp/srtpblocks.h"

G_BEGIN_DECLS

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Secret, secret_unref)

typedef struct
{
  SrtpDirection direction; /* fixed, */
  SrtpBlocks
      *blocks; /* as this is: for packets that cannot stay where they are */

  /* object lock */
  gint rtp_cipher, rtcp_cipher, rtp_auth, rtcp_auth, backend; /* enum values */
  guint window, max_ssrcs;
  guint64 lifetime;
  Secret *key;     /* text as given, or NULL */
  gchar *location; /* or NULL */
  gchar *mki;      /* text as given, or NULL */
  gboolean fresh;  /* changed since it was last loaded */

  /* lock: taken after none other, nothing is called out with it held */
  GMutex lock;
  SrtpSession *session; /* NULL before the first load */
  GHashTable *
      by_ssrc; /* receiving: SSRC → SrtpSession with a key of its own, or NULL for one that has none */
} SrtpCore;

void srtp_core_init (SrtpCore *core, SrtpDirection direction);
void srtp_core_clear (SrtpCore *core);

/* The properties that both elements have, from this number on. */
void srtp_core_install_properties (GObjectClass *klass, guint first);

/* Set and get by the property's name. False for a property that is not one of them. Settings that may not change while
 * data flows are refused with a warning. */
gboolean srtp_core_set_property (GstElement *element, SrtpCore *core,
    const GParamSpec *pspec, const GValue *value);
gboolean srtp_core_get_property (GstElement *element, SrtpCore *core,
    const GParamSpec *pspec, GValue *value);

/* The actions that both have: set-key, rekey, clear-keys, get-roc, set-roc, get-index, set-index. The instance's core is
 * found by `core_of`. */
typedef SrtpCore *(*SrtpCoreOf) (GstElement *element);
void srtp_core_install_actions (GType type, SrtpCoreOf core_of);

/* Makes the session and gives it the key of the properties, if they changed. False with an error on the bus. */
gboolean srtp_core_load (GstElement *element, SrtpCore *core);

/* A session with the settings as they are, for one SSRC with a key of its own; NULL with a warning on the bus if the key
 * does not fit. */
SrtpSession *srtp_core_session_for (
    GstElement *element, SrtpCore *core, GBytes *key);

/* Statistics: adds the counters to `stats`, under these names for good packets; and the streams of `session`. */
void srtp_stats_add_counters (
    GstStructure *stats, const SrtpCounters *counters, const gchar *good_name);
void srtp_stats_append_streams (
    GValue *array, SrtpSession *session, const gchar *good_name);

/* application/x-rtp → x-srtp, x-rtcp → x-srtcp, or back; without the fields in which GStreamer's own elements put keys. */
GstCaps *srtp_caps_protect (GstCaps *caps);
GstCaps *srtp_caps_unprotect (GstCaps *caps);

/* The packet `buffer` with `memory` in place of its own: itself, if nobody else holds it, else a new buffer with the same
 * flags, times and metas. Takes `memory`; of `buffer` only what the result is. */
GstBuffer *srtp_buffer_with (GstBuffer *buffer, GstMemory *memory);

G_END_DECLS

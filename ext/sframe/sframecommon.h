/* What sframeenc and sframedec share: caps, the key a user configures, and how a buffer becomes another.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/base/gstbasetransform.h>

#include "ext/sodium/sframe.h"

G_BEGIN_DECLS

#define SFRAME_MEDIA_TYPE "application/x-sframe"
#define FIELD_ORIGINAL_TYPE "original-media-type"
#define FIELD_SUITE "cipher-suite"
#define FIELD_SSRC                                                            \
  "sframe-ssrc" /* uint: of the RTP stream, for per-SSRC keys */

/* No SSRC known: the property's default. */
#define NO_SSRC G_MAXUINT

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Secret, secret_unref)

/* The enumeration of cipher suites, nicks as in the registry: one GType for both elements. */
#define CONCLAVE_TYPE_SFRAME_SUITE (conclave_sframe_suite_get_type ())
GType conclave_sframe_suite_get_type (void);

/* Caps of frames → caps of SFrames, and back. Structures that cannot be are left out: frames that are SFrames already,
 * or that lie in memory that a CPU does not see. `ssrc` goes into the result unless it is NO_SSRC. The second gives
 * ANY where the original type is not told. */
GstCaps *sframe_caps_protect (GstCaps *caps, SFrameSuite suite, guint ssrc);
GstCaps *sframe_caps_restore (GstCaps *caps);

/* True for original or SFrame caps whose frames are RTP packets: then only the payload is encrypted. */
gboolean sframe_caps_is_rtp (GstCaps *caps);

/* The key that a user gave as text or by file. Plain strings, judged when they are loaded. */
typedef struct
{
  Secret *text;    /* as given, or NULL */
  gchar *location; /* or NULL */
  gint
      fresh; /* changed since it was last loaded; atomic, so that frames may ask without a lock */
} KeySource;

/* A base key from a GBytes that an application gave. NULL with a sentence in `error`. */
Secret *sframe_key_from_bytes (GBytes *bytes, GError **error);

/* Where the frame lies in a buffer: all of it, or an RTP packet's payload. */
typedef struct
{
  gsize offset;
  gsize size;
  guint32 ssrc; /* RTP only */
} FrameExtent;

/* False when an RTP packet is malformed. */
gboolean sframe_frame_extent (
    GstBuffer *buffer, gboolean is_rtp, FrameExtent *extent);

/* What both elements put in the place of GstBaseTransform's own: they do no
 * QoS, sframedec takes frames before it is negotiated, and a frame goes into
 * a buffer of our pools, from any memory. So nothing is asked of, or offered
 * to, the neighbours' allocators: no GstVideoMeta either, whose strides and
 * planes do not travel. */
void sframe_set_up_transform (GstBaseTransformClass *klass);

/* Frames are pushed, never pulled: a byte range of them means nothing. TRUE when it answered the query. */
gboolean sframe_answer_scheduling (GstPadDirection direction, GstQuery *query);

/* The one memory of `buffer`, mapped; FALSE when it has none or several, or cannot be mapped. Cheaper than mapping the
 * buffer, which would also merge. */
gboolean sframe_map_single (
    GstBuffer *buffer, GstMapInfo *map, GstMapFlags flags);

/* Copies flags, times and those metas that do not describe the memory's layout. */
void sframe_copy_metadata (GstBuffer *to, GstBuffer *from);

/* Installs the properties that both elements have, under these numbers. */
void sframe_install_common_properties (GObjectClass *klass, guint suite,
    guint kid, guint key, guint key_location, guint metadata,
    guint ratchet_bits, guint per_ssrc_keys, guint ssrc);

/* The settings behind them; the element's object lock guards it. */
typedef struct
{
  SFrameSuite suite;
  guint64 kid;
  KeySource source;
  GBytes *metadata; /* or NULL */
  guint ratchet_bits;
  gboolean per_ssrc_keys;
  guint ssrc; /* or NO_SSRC */
} SFrameSettings;

void sframe_settings_init (SFrameSettings *settings);
void sframe_settings_clear (SFrameSettings *settings);

/* Set and get by the property's name, with the object lock held. False for a property that is not one of them. */
gboolean sframe_settings_set (
    SFrameSettings *settings, const GParamSpec *pspec, const GValue *value);
gboolean sframe_settings_get (
    const SFrameSettings *settings, const GParamSpec *pspec, GValue *value);

/* Warns and returns TRUE when `pspec` may not change any more: it is mutable in READY only, and caps have arrived. */
gboolean sframe_settings_refuse (GstElement *element, const GParamSpec *pspec);

/* Loads the key of the settings if it changed since it was last loaded. FALSE after an error on the bus. Takes the
 * object lock; `key` gets the new base key and `kid` its KID, or `key` gets NULL. */
gboolean sframe_settings_load_key (
    GstElement *element, SFrameSettings *settings, Secret **key, guint64 *kid);

G_END_DECLS

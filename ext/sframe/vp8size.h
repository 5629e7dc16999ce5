/* The size of a VP8 picture (RFC 6386, 9.1).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* True when `frame` is a keyframe with a whole header; then `width` and `height` are its size in pixels, without the
 * upscaling hint. */
gboolean vp8_keyframe_size (GstBuffer *frame, guint *width, guint *height);

G_END_DECLS

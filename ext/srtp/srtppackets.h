/* What srtpprotect and srtpunprotect do alike with caps and buffers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* application/x-rtp → x-srtp, x-rtcp → x-srtcp; and back. Without the fields in which GStreamer's own elements put keys. */
GstCaps *srtp_caps_protect (GstCaps *caps);
GstCaps *srtp_caps_unprotect (GstCaps *caps);

/* Answers a CAPS query on `pad`: its template, as far as what is linked to `other`, the pad on the other side of the
 * element, can do its part. `other` is NULL when there is none (any more). `plain`: packets on `pad` are unprotected. */
void srtp_answer_caps_query (
    GstQuery *query, GstPad *pad, GstPad *other, gboolean plain);

/* An iterator over `other` alone; NULL for NULL. */
GstIterator *srtp_iterate_pad (GstPad *other);

/* The packet `buffer` with `memory` in place of its own: itself, if nobody else holds it, else a new buffer with the same
 * flags, times and metas. Takes `memory`; of `buffer` only what the result is. */
GstBuffer *srtp_buffer_with (GstBuffer *buffer, GstMemory *memory);

G_END_DECLS

/* Which streams are let in: those that members announced, and whose keys we have. The hub could send others, and each SSRC costs
 * a jitterbuffer and threads.
 *
 * Any thread; a lock of its own, never held for more than a look-up.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct MeetingExpected MeetingExpected;

MeetingExpected *meeting_expected_new (void);
void meeting_expected_free (MeetingExpected *expected);

/* `sink`: of the chain that takes the stream; NULL for RTX, which rtpbin takes. Replaces what was said of the SSRC. */
void meeting_expected_add (MeetingExpected *expected, guint32 ssrc,
    guint8 payload_type, GstPad *sink);
void meeting_expected_forget (MeetingExpected *expected, guint32 ssrc);

/* A reference; NULL for none. */
GstPad *meeting_expected_get_sink (MeetingExpected *expected, guint32 ssrc);

/* Whether this RTP packet is of an SSRC and payload type that are let in; counted when it is not. */
gboolean meeting_expected_passes (
    MeetingExpected *expected, GstBuffer *packet);
guint64 meeting_expected_get_refused (MeetingExpected *expected);

/* Lets nothing in any more of what is there. The SSRCs of it that have a sink: guint32, to be freed. */
GArray *meeting_expected_end (MeetingExpected *expected);

G_END_DECLS

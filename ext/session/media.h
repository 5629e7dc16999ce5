/* What a participant and a hub agree on about media, as there is no SDP between them: payload types, header extensions, clock
 * rates. A codec is named among members only (`track`); the hub sees these numbers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* RFC 3551, 3: dynamic payload types. */
#define MEDIA_VIDEO_PT 96     /* also of screens */
#define MEDIA_VIDEO_RTX_PT 97 /* RFC 4588: retransmissions of it */
#define MEDIA_AUDIO_PT 111
#define MEDIA_AUDIO_RTX_PT 112

#define MEDIA_VIDEO_CLOCK 90000 /* Hz, of the RTP timestamp */
#define MEDIA_AUDIO_CLOCK 48000

/* RFC 8285, 4.2: one-byte header extensions. */
#define MEDIA_AUDIO_LEVEL_ID 1 /* RFC 6464 */
#define MEDIA_TWCC_ID 3        /* transport-wide sequence numbers */

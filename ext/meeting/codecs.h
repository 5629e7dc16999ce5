/* Codecs of a meeting: names, caps, parsers, encoders and decoders. What is not in this table is neither sent nor received:
 * a `track` message is a claim of its sender.
 *
 * Pure look-ups; any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  const char *line;    /* launch line, in which it is called "encoder" */
  const char *bitrate; /* its property, or NULL */
  guint unit;          /* bit/s */
} MeetingEncoder;

typedef struct
{
  const char *name; /* RTP encoding name */
  gboolean is_video;
  const char *caps;           /* of encoded media, as rtpsframepay takes it */
  const char *parser;         /* launch line, or NULL: there is none */
  const char *repeats;        /* parser in front of the payloader, or NULL */
  const char *decoders[3];    /* factories, best first; ends with NULL */
  MeetingEncoder encoders[3]; /* best first; the last has no line */
} MeetingCodec;

/* By RTP encoding name, any case; NULL for one that is not known. */
const MeetingCodec *meeting_codec_find (const char *name);

/* By caps of encoded media. */
const MeetingCodec *meeting_codec_of_caps (const GstCaps *caps);

/* All caps together; transfer full. */
GstCaps *meeting_codec_all_caps (void);

G_END_DECLS

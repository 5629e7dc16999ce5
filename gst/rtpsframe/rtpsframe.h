/* What the payloader and the depayloader share: the descriptor octet and the codecs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

GST_ELEMENT_REGISTER_DECLARE (rtpsframepay)
GST_ELEMENT_REGISTER_DECLARE (rtpsframedepay)

/* draft-ietf-avtcore-rtp-sframe-02: the first octet of each RTP payload. The five bits below T are reserved: we send
 * zero and ignore what we receive, so that a later draft can use them. */
enum
{
  DESCRIPTOR_START = 0x80, /* S: the first fragment of an SFrame */
  DESCRIPTOR_END = 0x40,   /* E: its last */
  DESCRIPTOR_PACKETIZED =
      0x20, /* T: inside is the payload of one RTP packet, not a whole frame */
  DESCRIPTOR_RESERVED = 0x1f,
};

#define SFRAME_CAPS "application/x-sframe"
#define PACKETIZED_TYPE                                                       \
  "application/x-rtp" /* original-media-type of a unit with T=1 */

/* A media type and its RTP name. `clock_rate` 0: it is the sample rate. */
typedef struct
{
  const char *encoding_name;
  const char *media;
  const char *media_type;
  int clock_rate;
  const char *
      fields; /* what caps of the media type must say so that a receiver, who is not told, may assume it */
} Codec;

const Codec *codec_by_encoding_name (const char *name);
const Codec *codec_by_media_type (const char *media_type);

/* The caps of the pad templates, on the SFrame side and on the RTP side. Each returns a new reference. */
GstCaps *codecs_sframe_template (void);
GstCaps *codecs_rtp_template (void);

/* Whether `frames` (SFrame caps that the template allows) are in the form that receivers assume. */
gboolean codec_takes (const Codec *codec, const GstStructure *frames);

/* RTP caps fields beyond media, clock-rate and encoding-name for frames of `from` (SFrame caps); never NULL. */
GstStructure *codec_rtp_fields (const Codec *codec, const GstStructure *from);
int codec_clock_rate (const Codec *codec, const GstStructure *from);

/* What RTP caps tell about the frames inside, as SFrame caps. */
GstCaps *codec_frame_caps (const Codec *codec, const GstStructure *rtp);

/* Copies what describes the content from `from` to `to`: metas that are tied to the memory stay behind. */
void copy_metas (GstBuffer *to, GstBuffer *from);

/* The codecs of the RTP payload format for SFrame: what they are called in RTP and in GStreamer's caps.
 *
 * The payload format has no encoding name of its own: `encoding-name` is that of the codec inside, and the attribute
 * `a=sframe`, in caps the field `a-sframe`, says that it is wrapped.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gst/rtpsframe/rtpsframe.h"

#include <string.h>

static const Codec codecs[] = {
  { "VP8", "video", "video/x-vp8", 90000, "" },
  { "VP9", "video", "video/x-vp9", 90000, "" },
  { "AV1", "video", "video/x-av1", 90000,
      ", stream-format=(string)obu-stream, alignment=(string)tu" },
  { "H264", "video", "video/x-h264", 90000,
      ", stream-format=(string)byte-stream, alignment=(string)au" },
  { "H265", "video", "video/x-h265", 90000,
      ", stream-format=(string)byte-stream, alignment=(string)au" },
  { "OPUS", "audio", "audio/x-opus", 48000,
      ", channel-mapping-family=(int)0" },
  { "PCMU", "audio", "audio/x-mulaw", 0,
      ", rate=(int)[1,2147483647], channels=(int)[1,2147483647]" },
  { "PCMA", "audio", "audio/x-alaw", 0,
      ", rate=(int)[1,2147483647], channels=(int)[1,2147483647]" },
  /* RFC 3551, 4.5.2: the clock rate of G722 is 8000 by an old mistake, its sample rate is 16000. */
  { "G722", "audio", "audio/G722", 8000,
      ", rate=(int)16000, channels=(int)[1,2147483647]" },
  { "L16", "audio", "audio/x-raw", 0,
      ", format=(string)S16BE, layout=(string)interleaved, rate=(int)[1,2147483647], channels=(int)[1,2147483647]" },
};

const Codec *
codec_by_encoding_name (const char *name)
{
  for (gsize i = 0; name && i < G_N_ELEMENTS (codecs); i++)
    if (g_ascii_strcasecmp (codecs[i].encoding_name, name) == 0)
      return &codecs[i];
  return NULL;
}

const Codec *
codec_by_media_type (const char *media_type)
{
  for (gsize i = 0; media_type && i < G_N_ELEMENTS (codecs); i++)
    if (strcmp (codecs[i].media_type, media_type) == 0)
      return &codecs[i];
  return NULL;
}

static void
append_encoding_names (GString *caps)
{
  g_string_append (caps, "encoding-name=(string){");
  for (gsize i = 0; i < G_N_ELEMENTS (codecs); i++)
    g_string_append_printf (
        caps, "%s%s", i ? "," : "", codecs[i].encoding_name);
  g_string_append (caps, "}");
}

GstCaps *
codecs_sframe_template (void)
{
  g_autoptr (GString) caps = g_string_new (NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (codecs); i++) {
    g_string_append_printf (caps,
        SFRAME_CAPS ", original-media-type=(string)%s%s; ",
        codecs[i].media_type, codecs[i].fields);
    /* GStreamer 1.22's av1enc does not say that what it makes is an obu-stream. Second, so that who can choose (av1parse)
     * chooses the first. */
    if (strcmp (codecs[i].encoding_name, "AV1") == 0)
      g_string_append (caps, SFRAME_CAPS
          ", original-media-type=(string)video/x-av1, alignment=(string)tu; ");
  }
  g_string_append (caps, SFRAME_CAPS
      ", original-media-type=(string)" PACKETIZED_TYPE
      ", media=(string){video,audio}, clock-rate=(int)[1,2147483647], ");
  append_encoding_names (caps);
  return gst_caps_from_string (caps->str);
}

GstCaps *
codecs_rtp_template (void)
{
  g_autoptr (GString) caps =
      g_string_new ("application/x-rtp, media=(string){video,audio}, "
                    "clock-rate=(int)[1,2147483647], a-sframe=(string)\"\", ");

  append_encoding_names (caps);
  return gst_caps_from_string (caps->str);
}

gboolean
codec_takes (const Codec *codec, const GstStructure *frames)
{
  const char *format = gst_structure_get_string (frames, "stream-format");
  return strcmp (codec->encoding_name, "AV1") != 0
         || g_strcmp0 (format, "annexb") != 0;
}

static int
int_field (const GstStructure *s, const char *name, int otherwise)
{
  int value;
  return gst_structure_get_int (s, name, &value) && value > 0 ? value
                                                              : otherwise;
}

static int
number_in_string (const GstStructure *s, const char *name, int otherwise)
{
  const char *text = gst_structure_get_string (s, name);
  guint64 value;
  return text
                 && g_ascii_string_to_unsigned (
                     text, 10, 1, G_MAXINT, &value, NULL)
             ? (int) value
             : otherwise;
}

int
codec_clock_rate (const Codec *codec, const GstStructure *from)
{
  return codec->clock_rate ? codec->clock_rate : int_field (from, "rate", 0);
}

GstStructure *
codec_rtp_fields (const Codec *codec, const GstStructure *from)
{
  GstStructure *fields =
      gst_structure_new ("fields", "a-sframe", G_TYPE_STRING, "", NULL);
  int rate = int_field (from, "rate", 0),
      channels = int_field (from, "channels", 0);

  if (strcmp (codec->encoding_name, "OPUS") == 0) {
    /* RFC 7587, 7: always "opus/48000/2"; what is really inside stands in the sprop parameters. */
    gst_structure_set (fields, "encoding-params", G_TYPE_STRING, "2", NULL);
    if (channels)
      gst_structure_set (fields, "sprop-stereo", G_TYPE_STRING,
          channels > 1 ? "1" : "0", NULL);
    if (rate) {
      g_autofree char *text = g_strdup_printf ("%d", rate);
      gst_structure_set (
          fields, "sprop-maxcapturerate", G_TYPE_STRING, text, NULL);
    }
  } else if (strcmp (codec->media, "audio") == 0 && channels > 1) {
    g_autofree char *text = g_strdup_printf ("%d", channels);
    gst_structure_set (fields, "encoding-params", G_TYPE_STRING, text,
        "channels", G_TYPE_INT, channels, NULL);
  }
  return fields;
}

/* Audio caps need numbers: the best that RTP caps tell, else what the codec's RTP format says is usual. */
static void
set_audio_fields (GstCaps *caps, const Codec *codec, const GstStructure *rtp)
{
  int rate = int_field (rtp, "clock-rate", codec->clock_rate);
  int channels = number_in_string (
      rtp, "encoding-params", int_field (rtp, "channels", 1));

  if (strcmp (codec->encoding_name, "OPUS") == 0) {
    const char *stereo = gst_structure_get_string (rtp, "sprop-stereo");
    rate = number_in_string (rtp, "sprop-maxcapturerate", 48000);
    channels = stereo && strcmp (stereo, "0") == 0 ? 1 : 2;
  } else if (strcmp (codec->encoding_name, "G722") == 0) {
    rate = 16000;
  }
  gst_caps_set_simple (
      caps, "rate", G_TYPE_INT, rate, "channels", G_TYPE_INT, channels, NULL);
}

GstCaps *
codec_frame_caps (const Codec *codec, const GstStructure *rtp)
{
  g_autofree char *text =
      g_strdup_printf (SFRAME_CAPS ", original-media-type=(string)%s%s",
          codec->media_type, codec->fields);
  GstCaps *caps = gst_caps_from_string (text);

  if (strcmp (codec->media, "audio") == 0)
    set_audio_fields (caps, codec, rtp);
  return caps;
}

static gboolean
copy_one_meta (GstBuffer *from, GstMeta **meta, gpointer user_data)
{
  static GQuark memory; /* idempotent, so that two threads may set it */
  const GstMetaInfo *info = (*meta)->info;
  GstMetaTransformCopy whole = { FALSE, 0, (gsize) -1 };

  if (!memory)
    memory = g_quark_from_static_string (GST_META_TAG_MEMORY_STR);
  if (info->transform_func && !gst_meta_api_type_has_tag (info->api, memory))
    info->transform_func (
        user_data, *meta, from, _gst_meta_transform_copy, &whole);
  return TRUE;
}

void
copy_metas (GstBuffer *to, GstBuffer *from)
{
  gst_buffer_foreach_meta (from, copy_one_meta, to);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codecs.h"

/* Encoders are set for calls: no frame waits for a later one, keyframes come when asked for, and else every ten seconds. */
static const MeetingCodec codecs[] = {
  { "VP8", TRUE, "video/x-vp8", NULL, NULL, { "vp8dec", "avdec_vp8" },
      { { "vp8enc deadline=1 cpu-used=8 end-usage=cbr lag-in-frames=0 keyframe-max-dist=300 buffer-initial-size=300 "
          "buffer-optimal-size=400 buffer-size=600 min-quantizer=4 max-quantizer=56 threads=2 name=encoder",
          "target-bitrate", 1 } } },
  { "VP9", TRUE, "video/x-vp9", "vp9parse", NULL, { "vp9dec", "avdec_vp9" },
      { { "vp9enc deadline=1 cpu-used=8 end-usage=cbr lag-in-frames=0 keyframe-max-dist=300 row-mt=true threads=2 "
          "name=encoder",
          "target-bitrate", 1 } } },
  { "H264", TRUE,
      "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au",
      "h264parse", "h264parse config-interval=-1",
      { "avdec_h264", "openh264dec" },
      { { "x264enc tune=zerolatency speed-preset=veryfast key-int-max=300 name=encoder",
            "bitrate", 1000 },
          { "openh264enc complexity=low gop-size=300 name=encoder", "bitrate",
              1 } } },
  { "H265", TRUE,
      "video/x-h265, stream-format=(string)byte-stream, alignment=(string)au",
      "h265parse", "h265parse config-interval=-1",
      { "avdec_h265", "libde265dec" },
      { { "x265enc tune=zerolatency speed-preset=veryfast key-int-max=300 name=encoder",
          "bitrate", 1000 } } },
  { "AV1", TRUE,
      "video/x-av1, stream-format=(string)obu-stream, alignment=(string)tu",
      "av1parse", "av1parse", { "dav1ddec", "av1dec" },
      /* av1enc of GStreamer 1.22 over libaom 3.6 hits an assertion of its rate control in live use. */
      { { NULL, NULL, 0 } } },
  { "OPUS", FALSE, "audio/x-opus, channel-mapping-family=(int)0", "opusparse",
      NULL, { "opusdec", "avdec_opus" },
      { { "opusenc inband-fec=true packet-loss-percentage=5 name=encoder",
          NULL, 0 } } },
};

const MeetingCodec *
meeting_codec_find (const char *name)
{
  for (guint i = 0; name && i < G_N_ELEMENTS (codecs); i++)
    if (g_ascii_strcasecmp (codecs[i].name, name) == 0)
      return &codecs[i];
  return NULL;
}

const MeetingCodec *
meeting_codec_of_caps (const GstCaps *caps)
{
  for (guint i = 0; i < G_N_ELEMENTS (codecs); i++) {
    g_autoptr (GstCaps) ours = gst_caps_from_string (codecs[i].caps);
    if (gst_caps_can_intersect (ours, caps))
      return &codecs[i];
  }
  return NULL;
}

GstCaps *
meeting_codec_all_caps (void)
{
  GstCaps *all = gst_caps_new_empty ();
  for (guint i = 0; i < G_N_ELEMENTS (codecs); i++)
    gst_caps_append (all, gst_caps_from_string (codecs[i].caps));
  return all;
}

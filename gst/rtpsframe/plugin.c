/* The rtpsframe plugin: the RTP payload format for SFrame. It needs GStreamer and nothing else.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gst/rtpsframe/rtpsframe.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  return GST_ELEMENT_REGISTER (rtpsframepay, plugin)
         && GST_ELEMENT_REGISTER (rtpsframedepay, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, rtpsframe,
    "RTP payload format for SFrame end-to-end encryption", plugin_init,
    PACKAGE_VERSION, "LGPL", PACKAGE_NAME, PACKAGE_ORIGIN)

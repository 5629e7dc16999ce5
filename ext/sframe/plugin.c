/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sframeelements.h"

#include "ext/sodium/secret.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  if (!core_init ()) {
    GST_ERROR ("the system gives no random numbers");
    return FALSE;
  }
  gboolean any = GST_ELEMENT_REGISTER (sframeenc, plugin);
  return GST_ELEMENT_REGISTER (sframedec, plugin) && any;
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, sframe,
    "End-to-end encryption of media frames (SFrame, RFC 9605)", plugin_init,
    PACKAGE_VERSION, "LGPL", PACKAGE_NAME, PACKAGE_ORIGIN)

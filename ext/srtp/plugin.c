/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpelements.h"

#include "ext/sodium/secret.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  if (!core_init ()) {
    GST_ERROR ("the system gives no random numbers");
    return FALSE;
  }
  gboolean any = GST_ELEMENT_REGISTER (srtpprotect, plugin);
  return GST_ELEMENT_REGISTER (srtpunprotect, plugin) && any;
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, conclavesrtp,
    "Secure RTP (RFC 3711, RFC 7714) by libsrtp2 and GnuTLS", plugin_init,
    PACKAGE_VERSION, "LGPL", PACKAGE_NAME, PACKAGE_ORIGIN)

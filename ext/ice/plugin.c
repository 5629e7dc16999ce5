/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "icetransport.h"

#include "ext/sodium/secret.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  if (!core_init ()) {
    GST_ERROR ("the system gives no random numbers");
    return FALSE;
  }
  return GST_ELEMENT_REGISTER (icetransport, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, conclaveice,
    "ICE transport that works from a launch line (RFC 8445)", plugin_init,
    PACKAGE_VERSION, "LGPL", PACKAGE_NAME, PACKAGE_ORIGIN)

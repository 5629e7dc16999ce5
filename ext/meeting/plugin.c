/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meetingjoin.h"

#include "ext/sodium/secret.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  if (!core_init ()) {
    GST_ERROR ("the system gives no random numbers");
    return FALSE;
  }
  return GST_ELEMENT_REGISTER (meetingjoin, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, meeting,
    "Secure meetings: joining them", plugin_init, PACKAGE_VERSION, "LGPL",
    PACKAGE_NAME, PACKAGE_ORIGIN)

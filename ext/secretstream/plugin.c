/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "secretstreamelements.h"

#include "ext/sodium/secret.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  if (!core_init ()) {
    GST_ERROR ("the system gives no random numbers");
    return FALSE;
  }
  gboolean any = GST_ELEMENT_REGISTER (secretstreamenc, plugin);
  return GST_ELEMENT_REGISTER (secretstreamdec, plugin) && any;
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, secretstream,
    "Encrypted files: any byte stream, seekable, with every change detected",
    plugin_init, PACKAGE_VERSION, "LGPL", PACKAGE_NAME, PACKAGE_ORIGIN)

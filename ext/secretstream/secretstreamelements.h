/* The elements of the plugin.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

GST_ELEMENT_REGISTER_DECLARE (secretstreamenc)
GST_ELEMENT_REGISTER_DECLARE (secretstreamdec)

G_END_DECLS

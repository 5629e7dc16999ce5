/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vp8size.h"

#include "ext/sodium/reader.h"

#define HEADER_LEN 10

gboolean
vp8_keyframe_size (GstBuffer *frame, guint *width, guint *height)
{
  guint8 header[HEADER_LEN];
  Reader in = reader_init (
      header, gst_buffer_extract (frame, 0, header, sizeof header));

  guint tag = (guint) reader_uint (&in, 3);
  guint start_code = (guint) reader_uint (&in, 3);
  guint w = (guint) reader_uint (&in, 2), h = (guint) reader_uint (&in, 2);

  /* Bit 0 of the first byte is 0 for a keyframe; width and height are little-endian, 14 bits, below 2 of scale. */
  if (!reader_done (&in) || tag >> 16 & 1 || start_code != 0x9d012a)
    return FALSE;
  *width = GUINT16_SWAP_LE_BE (w) & 0x3fff;
  *height = GUINT16_SWAP_LE_BE (h) & 0x3fff;
  return *width != 0 && *height != 0;
}

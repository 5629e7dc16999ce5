/* RTP and RTCP packets for the tests of SRTP.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <string.h>

#include "ext/sodium/writer.h"

/* An RTP packet: `csrcs` of them, an extension of `ext_words` words unless that is -1, a payload of `payload` bytes.
 * What is not told is a function of the sequence number. Returns the length. */
static inline gsize
make_rtp (guint8 *out, gsize room, guint32 ssrc, guint16 seq, guint csrcs,
    gint ext_words, gsize payload)
{
  Writer w = writer_init (out, room);

  writer_uint (&w, 0x80 | (ext_words >= 0 ? 0x10 : 0) | csrcs, 1);
  writer_uint (&w, 96, 1);
  writer_uint (&w, seq, 2);
  writer_uint (&w, seq * 90u, 4);
  writer_uint (&w, ssrc, 4);
  for (guint i = 0; i < csrcs; i++)
    writer_uint (&w, 0xc0000000u + i, 4);
  if (ext_words >= 0) {
    writer_uint (&w, 0xbede, 2);
    writer_uint (&w, (guint) ext_words, 2);
    for (gint i = 0; i < ext_words; i++)
      writer_uint (&w, 0x10aa0000u + (guint) i, 4);
  }
  guint8 *p = writer_take (&w, payload);
  g_assert_false (w.failed);
  for (gsize i = 0; i < payload; i++)
    p[i] = (guint8) (seq + i * 7);
  return writer_len (&w);
}

/* A receiver report with `blocks` report blocks. */
static inline gsize
make_rtcp (guint8 *out, gsize room, guint32 ssrc, guint blocks)
{
  Writer w = writer_init (out, room);

  writer_uint (&w, 0x80 | blocks, 1);
  writer_uint (&w, 201, 1);
  writer_uint (&w, 1 + 6 * blocks, 2);
  writer_uint (&w, ssrc, 4);
  for (guint i = 0; i < 6 * blocks; i++)
    writer_uint (&w, 0x01020304u * (i + 1) & 0xffffffffu, 4);
  g_assert_false (w.failed);
  return writer_len (&w);
}

/* The bytes of the SFrame that is being put together; which packets belong to it is for reassembly.h to say.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>
#include <gst/rtp/rtp.h>

/* Zero-initialized. */
typedef struct
{
  GstBuffer *
      buffer; /* its metadata, and memory of `map.size` bytes; NULL: none is open */
  GstMapInfo map; /* of `buffer`, while there is one */
  gsize filled;   /* bytes of `map` in use */
  gsize
      header_len; /* those at the front that are the RTP header of a per-packet unit */
  gsize
      largest; /* size of the largest recent SFrame: where the next one starts */
} OpenFrame;

/* Drops what is open, if anything is. */
void open_frame_forget (OpenFrame *self);

/* Opens an SFrame for its first packet, with `len` bytes behind the descriptor, instead of what is open. A `packetized`
 * one, a per-packet unit, keeps the RTP header of that packet, with CSRCs and header extensions. `more`: packets will
 * follow. FALSE when there is no memory. */
gboolean open_frame_begin (OpenFrame *self, GstRTPBuffer *rtp, gsize len,
    gboolean packetized, gboolean more);

/* Adds the `len` bytes behind the descriptor of a packet. FALSE when nothing is open or there is no memory. */
gboolean open_frame_add (OpenFrame *self, GstRTPBuffer *rtp, gsize len);

/* What is open, whole. The header of a per-packet unit gets `marker`, that of the last packet, and the number
 * `unit_seq`, which is moved on. */
GstBuffer *open_frame_end (
    OpenFrame *self, gboolean marker, guint16 *unit_seq);

/* An SFrame that is one packet is a part of that packet: no copy, and nothing to open. */
GstBuffer *open_frame_of_one_packet (GstRTPBuffer *rtp);

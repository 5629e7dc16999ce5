/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gst/rtpsframe/openframe.h"

#include <string.h>

#include "gst/rtpsframe/rtpsframe.h"

#define RTP_PADDING_BIT 0x20
#define RTP_MARKER_BIT 0x80

/* The first allocation for an SFrame of several packets; later ones start at the size of the largest recent SFrame. */
#define SMALLEST_ROOM 4096

/* To map the payload of a packet in several memories would copy it first. */
static void
read_payload (GstRTPBuffer *rtp, gsize offset, guint8 *to, gsize len)
{
  if (gst_buffer_n_memory (rtp->buffer) == 1)
    memcpy (to, (guint8 *) gst_rtp_buffer_get_payload (rtp) + offset, len);
  else
    gst_buffer_extract (
        rtp->buffer, gst_rtp_buffer_get_header_len (rtp) + offset, to, len);
}

void
open_frame_forget (OpenFrame *self)
{
  if (self->buffer) {
    gst_buffer_unmap (self->buffer, &self->map);
    gst_clear_buffer (&self->buffer);
  }
  self->filled = 0;
  self->header_len = 0;
}

static gboolean
allocate (OpenFrame *self, gsize room)
{
  self->buffer = gst_buffer_new_allocate (NULL, room, NULL);
  if (self->buffer && gst_buffer_map (self->buffer, &self->map, GST_MAP_WRITE))
    return TRUE;
  gst_clear_buffer (&self->buffer);
  return FALSE;
}

static gboolean
make_room (OpenFrame *self, gsize more)
{
  GstBuffer *old = self->buffer;
  GstMapInfo old_map = self->map;

  if (more <= old_map.size - self->filled)
    return TRUE;
  if (!allocate (self, MAX (self->filled + more, 2 * old_map.size))) {
    self->buffer = old;
    self->map = old_map;
    return FALSE;
  }
  memcpy (self->map.data, old_map.data, self->filled);
  gst_buffer_copy_into (self->buffer, old,
      GST_BUFFER_COPY_TIMESTAMPS | GST_BUFFER_COPY_FLAGS, 0, -1);
  copy_metas (self->buffer, old);
  gst_buffer_unmap (old, &old_map);
  gst_buffer_unref (old);
  return TRUE;
}

static void
describe_frame (GstBuffer *frame, GstBuffer *packet)
{
  GST_BUFFER_PTS (frame) = GST_BUFFER_PTS (packet);
  GST_BUFFER_DTS (frame) = GST_BUFFER_DTS (packet);
  GST_BUFFER_DURATION (frame) = GST_BUFFER_DURATION (packet);
  copy_metas (frame, packet);
}

gboolean
open_frame_begin (OpenFrame *self, GstRTPBuffer *rtp, gsize len,
    gboolean packetized, gboolean more)
{
  gsize header_len = packetized ? gst_rtp_buffer_get_header_len (rtp) : 0;
  gsize room = header_len + len;

  open_frame_forget (self);
  if (more)
    room = MAX (room, MAX (self->largest, SMALLEST_ROOM));
  if (!allocate (self, room))
    return FALSE;
  gst_buffer_extract (rtp->buffer, 0, self->map.data, header_len);
  self->header_len = self->filled = header_len;
  describe_frame (self->buffer, rtp->buffer);
  return TRUE;
}

gboolean
open_frame_add (OpenFrame *self, GstRTPBuffer *rtp, gsize len)
{
  if (!self->buffer || !make_room (self, len))
    return FALSE;
  read_payload (rtp, 1, self->map.data + self->filled, len);
  self->filled += len;
  return TRUE;
}

GstBuffer *
open_frame_end (OpenFrame *self, gboolean marker, guint16 *unit_seq)
{
  GstBuffer *frame = g_steal_pointer (&self->buffer);

  if (self->header_len > 0) {
    guint8 *header = self->map.data;
    header[0] &= (guint8) ~RTP_PADDING_BIT;
    header[1] = (guint8) ((header[1] & ~RTP_MARKER_BIT)
                          | (marker ? RTP_MARKER_BIT : 0));
    GST_WRITE_UINT16_BE (header + 2, *unit_seq);
    ++*unit_seq;
  } else {
    /* Half of an outlier is forgotten with each frame. */
    self->largest = MAX (self->filled, self->largest / 2);
  }
  gst_buffer_unmap (frame, &self->map);
  gst_buffer_set_size (frame, (gssize) self->filled);
  self->filled = 0;
  self->header_len = 0;
  return frame;
}

GstBuffer *
open_frame_of_one_packet (GstRTPBuffer *rtp)
{
  GstBuffer *frame = gst_buffer_new ();

  gst_buffer_copy_into (frame, rtp->buffer, GST_BUFFER_COPY_MEMORY,
      gst_rtp_buffer_get_header_len (rtp) + 1,
      gst_rtp_buffer_get_payload_len (rtp) - 1);
  describe_frame (frame, rtp->buffer);
  return frame;
}

/* RTCP for tests of the forwarder.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "hubmeeting.h"

#include "ext/sodium/reader.h"
#include "ext/sodium/writer.h"

/* --- Making RTCP, independent of the hub's own writers --- */

typedef struct
{
  guint8 bytes[1500];
  Writer w;
} Rtcp;

G_GNUC_UNUSED static void
rtcp_begin (Rtcp *r)
{
  r->w = writer_init (r->bytes, sizeof r->bytes);
}

G_GNUC_UNUSED static void
rtcp_head (Rtcp *r, guint count, guint type, guint words)
{
  writer_uint (&r->w, 0x80 | count, 1);
  writer_uint (&r->w, type, 1);
  writer_uint (&r->w, words, 2);
}

G_GNUC_UNUSED static void
rtcp_rr (Rtcp *r, guint32 ssrc)
{
  rtcp_head (r, 0, 201, 1);
  writer_uint (&r->w, ssrc, 4);
}

G_GNUC_UNUSED static void
rtcp_nack (Rtcp *r, guint32 ssrc, guint32 media, guint16 pid, guint16 blp)
{
  rtcp_head (r, 1, 205, 3);
  writer_uint (&r->w, ssrc, 4);
  writer_uint (&r->w, media, 4);
  writer_uint (&r->w, pid, 2);
  writer_uint (&r->w, blp, 2);
}

G_GNUC_UNUSED static void
rtcp_pli (Rtcp *r, guint32 ssrc, guint32 media)
{
  rtcp_head (r, 1, 206, 2);
  writer_uint (&r->w, ssrc, 4);
  writer_uint (&r->w, media, 4);
}

G_GNUC_UNUSED static void
rtcp_fir (Rtcp *r, guint32 ssrc, guint32 media)
{
  rtcp_head (r, 4, 206, 4);
  writer_uint (&r->w, ssrc, 4);
  writer_uint (&r->w, 0, 4);
  writer_uint (&r->w, media, 4);
  writer_uint (&r->w, 7u << 24, 4);
}

G_GNUC_UNUSED static void
rtcp_loss (Rtcp *r, guint32 ssrc, guint32 media, guint fraction)
{
  rtcp_head (r, 1, 201, 7);
  writer_uint (&r->w, ssrc, 4);
  writer_uint (&r->w, media, 4);
  writer_uint (&r->w, fraction, 1);
  writer_uint (&r->w, 0, 3);
  for (guint i = 0; i < 4; i++)
    writer_uint (&r->w, 0, 4);
}

G_GNUC_UNUSED static void
rtcp_send (Meeting *m, guint i, const Rtcp *r)
{
  g_assert (!r->w.failed);
  hub_client_send_rtcp (&m->clients[i], r->bytes, writer_len (&r->w));
}

G_GNUC_UNUSED static guint32
own_ssrc (const Meeting *m, guint i)
{
  return m->clients[i].credentials.ssrc;
}

G_GNUC_UNUSED static void
send_nack (Meeting *m, guint i, guint32 media, guint16 pid, guint16 blp)
{
  Rtcp r;
  rtcp_begin (&r);
  rtcp_rr (&r, own_ssrc (m, i));
  rtcp_nack (&r, own_ssrc (m, i), media, pid, blp);
  rtcp_send (m, i, &r);
}

G_GNUC_UNUSED static void
send_pli (Meeting *m, guint i, guint32 media)
{
  Rtcp r;
  rtcp_begin (&r);
  rtcp_pli (&r, own_ssrc (m, i), media);
  rtcp_send (m, i, &r);
}

/* The next packet of `type` and `count` in RTCP that member `i` gets within `timeout` ms: its bytes behind the common header. */
G_GNUC_UNUSED static gboolean
find_rtcp (Meeting *m, guint i, guint type, guint count, int timeout,
    Reader *body, guint *rc)
{
  static HubReceived received;

  while (hub_client_receive_kind (
      &m->clients[i], HUB_CLIENT_RTCP, &received, timeout)) {
    Reader r = reader_init (received.bytes, received.len);
    while (reader_left (&r) > 0) {
      guint head = reader_uint (&r, 1);
      guint t = reader_uint (&r, 1);
      Reader sub = reader_sub (&r, 4 * reader_uint (&r, 2));
      fail_if (r.failed, "the hub made RTCP that is malformed");
      fail_unless_equals_int (head >> 6, 2);
      if (t == type && (count == G_MAXUINT || (head & 31) == count)) {
        *body = sub;
        if (rc)
          *rc = head & 31;
        return TRUE;
      }
    }
  }
  return FALSE;
}

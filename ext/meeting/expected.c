/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "expected.h"

#define RTP_HEADER 12 /* RFC 3550, 5.1 */

typedef struct
{
  guint32 ssrc;
  guint8 payload_type;
  gboolean is_over; /* nothing is let in any more */
  GstPad *sink;
} Stream;

struct MeetingExpected
{
  GMutex lock;
  GHashTable *streams; /* SSRC: Stream */
  guint64 n_refused;
};

static void
free_stream (gpointer data)
{
  Stream *stream = data;
  g_clear_object (&stream->sink);
  g_free (stream);
}

MeetingExpected *
meeting_expected_new (void)
{
  MeetingExpected *self = g_new0 (MeetingExpected, 1);

  g_mutex_init (&self->lock);
  self->streams =
      g_hash_table_new_full (g_int_hash, g_int_equal, NULL, free_stream);
  return self;
}

void
meeting_expected_free (MeetingExpected *self)
{
  g_hash_table_unref (self->streams);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* With the lock; what it gives is freed without. */
static Stream *
take (MeetingExpected *self, guint32 ssrc)
{
  gpointer found = NULL;

  g_hash_table_steal_extended (self->streams, &ssrc, NULL, &found);
  return found;
}

void
meeting_expected_add (MeetingExpected *self, guint32 ssrc,
    guint8 payload_type, GstPad *sink)
{
  Stream *stream = g_new (Stream, 1);

  *stream = (Stream){ ssrc, payload_type, FALSE,
    sink ? gst_object_ref (sink) : NULL };
  g_mutex_lock (&self->lock);
  Stream *before = take (self, ssrc);
  g_hash_table_insert (self->streams, &stream->ssrc, stream);
  g_mutex_unlock (&self->lock);
  if (before)
    free_stream (before);
}

void
meeting_expected_forget (MeetingExpected *self, guint32 ssrc)
{
  g_mutex_lock (&self->lock);
  Stream *found = take (self, ssrc);
  g_mutex_unlock (&self->lock);
  if (found)
    free_stream (found);
}

GstPad *
meeting_expected_get_sink (MeetingExpected *self, guint32 ssrc)
{
  g_mutex_lock (&self->lock);
  const Stream *stream = g_hash_table_lookup (self->streams, &ssrc);
  GstPad *sink = stream && stream->sink ? gst_object_ref (stream->sink) : NULL;
  g_mutex_unlock (&self->lock);
  return sink;
}

gboolean
meeting_expected_passes (MeetingExpected *self, GstBuffer *packet)
{
  guint8 header[RTP_HEADER];

  if (gst_buffer_extract (packet, 0, header, sizeof header) != sizeof header)
    return FALSE;
  guint32 ssrc = GST_READ_UINT32_BE (header + 8);
  g_mutex_lock (&self->lock);
  const Stream *stream = g_hash_table_lookup (self->streams, &ssrc);
  gboolean passes = stream && !stream->is_over
                    && stream->payload_type == (header[1] & 0x7f);
  if (!passes)
    self->n_refused++;
  g_mutex_unlock (&self->lock);
  return passes;
}

guint64
meeting_expected_get_refused (MeetingExpected *self)
{
  g_mutex_lock (&self->lock);
  guint64 n = self->n_refused;
  g_mutex_unlock (&self->lock);
  return n;
}

GArray *
meeting_expected_end (MeetingExpected *self)
{
  GArray *ssrcs = g_array_new (FALSE, FALSE, sizeof (guint32));
  GHashTableIter iter;
  gpointer value;

  g_mutex_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->streams);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Stream *stream = value;
    stream->is_over = TRUE;
    if (stream->sink)
      g_array_append_val (ssrcs, stream->ssrc);
  }
  g_mutex_unlock (&self->lock);
  return ssrcs;
}

/* What comes out of a media bin: taps on its pads, and somebody who links and taps all that appears.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mediahub.h"

#define VP8_SOURCE                                                                 \
  "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! " \
  "vp8enc deadline=1 keyframe-max-dist=1000 target-bitrate=400000"
#define OPUS_SOURCE                                                           \
  "audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=1 ! opusenc"

#define RAW_VIDEO                                                             \
  "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! identity"
#define RAW_AUDIO                                                             \
  "audiotestsrc is-live=true ! audio/x-raw,rate=44100,channels=2 ! identity"

/* Digests of the frames that pass a pad. */
typedef struct
{
  GMutex lock;
  GPtrArray *digests;
  GstPad *pad;
  gulong probe;
  guint n_raw; /* buffers of raw media */
  GstCaps *caps;
  char *stream_id;
  GstStructure *track;
  gboolean eos;
} Tap;

G_GNUC_UNUSED static void
note_event (Tap *tap, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    GstCaps *caps;
    gst_event_parse_caps (event, &caps);
    gst_caps_replace (&tap->caps, caps);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START) {
    const char *id;
    gst_event_parse_stream_start (event, &id);
    g_free (tap->stream_id);
    tap->stream_id = g_strdup (id);
  } else if (gst_event_has_name (event, "conclave-track")) {
    g_clear_pointer (&tap->track, gst_structure_free);
    tap->track = gst_structure_copy (gst_event_get_structure (event));
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    tap->eos = TRUE;
}

G_GNUC_UNUSED static GstPadProbeReturn
note (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Tap *tap = data;
  GstMapInfo map;

  g_mutex_lock (&tap->lock);
  if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM)
    note_event (tap, GST_PAD_PROBE_INFO_EVENT (info));
  else {
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
    fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
    g_ptr_array_add (tap->digests,
        g_compute_checksum_for_data (G_CHECKSUM_MD5, map.data, map.size));
    gst_buffer_unmap (buffer, &map);
  }
  g_mutex_unlock (&tap->lock);
  return GST_PAD_PROBE_OK;
}

G_GNUC_UNUSED static void
tap_pad (Tap *tap, GstPad *pad)
{
  tap->pad = gst_object_ref (pad);
  tap->digests = g_ptr_array_new_with_free_func (g_free);
  g_mutex_init (&tap->lock);
  tap->probe = gst_pad_add_probe (pad,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, note,
      tap, NULL);
}

G_GNUC_UNUSED static void
tap_clear (Tap *tap)
{
  if (!tap->pad)
    return;
  gst_pad_remove_probe (tap->pad, tap->probe);
  gst_object_unref (tap->pad);
  g_ptr_array_unref (tap->digests);
  gst_caps_replace (&tap->caps, NULL);
  g_free (tap->stream_id);
  g_clear_pointer (&tap->track, gst_structure_free);
  g_mutex_clear (&tap->lock);
}

G_GNUC_UNUSED static guint
tap_count (Tap *tap)
{
  if (!tap->pad)
    return 0;
  g_mutex_lock (&tap->lock);
  guint n = tap->digests->len;
  g_mutex_unlock (&tap->lock);
  return n;
}

/* All that came out went in, in this order. How many are missing from the first on: a busy machine may lose some. */
G_GNUC_UNUSED static guint
missing_frames (Tap *in, Tap *out)
{
  guint at = 0, missing = 0;

  g_mutex_lock (&in->lock);
  g_mutex_lock (&out->lock);
  fail_unless (out->digests->len > 0);
  for (guint i = 0; i < out->digests->len; i++) {
    const char *digest = g_ptr_array_index (out->digests, i);
    guint from = at;
    while (at < in->digests->len
           && !g_str_equal (g_ptr_array_index (in->digests, at), digest))
      at++;
    fail_unless (at < in->digests->len,
        "frame %u of %u was never sent, or not in this order", i,
        out->digests->len);
    missing += i > 0 ? at - from : 0;
    at++;
  }
  g_mutex_unlock (&in->lock);
  g_mutex_unlock (&out->lock);
  return missing;
}

/* Links what appears to a fakesink and taps it. */
typedef struct
{
  Person *person;
  GMutex lock;
  guint n;
  Tap taps[8];
} Listener;

G_GNUC_UNUSED static void
read_pad (GstElement *media, GstPad *pad, gpointer data)
{
  Listener *reader = data;

  if (!GST_PAD_IS_SRC (pad))
    return;
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  g_object_set (sink, "async", FALSE, "sync", FALSE, NULL);
  gst_bin_add (GST_BIN (reader->person->pipeline), sink);
  g_autoptr (GstPad) sinkpad = gst_element_get_static_pad (sink, "sink");
  g_mutex_lock (&reader->lock);
  tap_pad (&reader->taps[reader->n], pad);
  g_mutex_unlock (&reader->lock);
  fail_unless_equals_int (gst_pad_link (pad, sinkpad), GST_PAD_LINK_OK);
  gst_element_sync_state_with_parent (sink);
  g_atomic_int_inc (&reader->n);
}

G_GNUC_UNUSED static void
reader_start (Listener *reader, Person *person)
{
  memset (reader, 0, sizeof *reader);
  reader->person = person;
  g_mutex_init (&reader->lock);
  g_signal_connect (person->media, "pad-added", G_CALLBACK (read_pad), reader);
}

G_GNUC_UNUSED static void
reader_clear (Listener *reader)
{
  for (guint i = 0; i < reader->n; i++)
    tap_clear (&reader->taps[i]);
  g_mutex_clear (&reader->lock);
}

G_GNUC_UNUSED static Tap *
tap_of (Listener *reader, const char *stream_id)
{
  for (gint i = 0; i < g_atomic_int_get (&reader->n); i++) {
    Tap *tap = &reader->taps[i];
    g_mutex_lock (&tap->lock);
    gboolean it = g_strcmp0 (tap->stream_id, stream_id) == 0;
    g_mutex_unlock (&tap->lock);
    if (it)
      return tap;
  }
  return NULL;
}

G_GNUC_UNUSED static guint
count_of (Listener *reader, const char *stream_id)
{
  Tap *tap = tap_of (reader, stream_id);
  return tap ? tap_count (tap) : 0;
}

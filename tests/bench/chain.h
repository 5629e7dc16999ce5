/* For benchmarks of elements: one between a source pad and a sink pad of our own, in one thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

typedef struct
{
  GstElement *element; /* or NULL: the source pad is linked to the sink pad */
  GstPad *src, *sink;
} Chain;

/* What arrives at the sink pads is given back at once, and kept here too while this is not NULL. */
static GPtrArray *chain_kept;

static GstFlowReturn
chain_swallow (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  if (chain_kept)
    g_ptr_array_add (chain_kept, gst_buffer_ref (buffer));
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static GstFlowReturn
chain_swallow_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  for (guint i = 0; chain_kept && i < gst_buffer_list_length (list); i++)
    g_ptr_array_add (
        chain_kept, gst_buffer_ref (gst_buffer_list_get (list, i)));
  gst_buffer_list_unref (list);
  return GST_FLOW_OK;
}

/* An element that is not there ends the program. Not a new reference. */
static inline GstElement *
chain_make (Chain *chain, const char *factory)
{
  chain->element = gst_element_factory_make (factory, NULL);
  if (!chain->element)
    g_error ("no element %s: run under `meson devenv`", factory);
  return chain->element;
}

/* Links and starts `chain`, whose element was made, or is NULL. */
static inline void
chain_open (Chain *chain, GstCaps *caps)
{
  GstSegment segment;

  chain->src = gst_pad_new ("src", GST_PAD_SRC);
  chain->sink = gst_pad_new ("sink", GST_PAD_SINK);
  gst_pad_set_chain_function (chain->sink, chain_swallow);
  gst_pad_set_chain_list_function (chain->sink, chain_swallow_list);
  if (chain->element) {
    g_autoptr (GstPad) in =
        gst_element_get_static_pad (chain->element, "sink");
    g_autoptr (GstPad) out =
        gst_element_get_static_pad (chain->element, "src");
    gst_pad_link (chain->src, in);
    gst_pad_link (out, chain->sink);
  } else {
    gst_pad_link (chain->src, chain->sink);
  }
  gst_pad_set_active (chain->sink, TRUE);
  gst_pad_set_active (chain->src, TRUE);
  if (chain->element)
    gst_element_set_state (chain->element, GST_STATE_PLAYING);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (chain->src, gst_event_new_stream_start ("bench"));
  gst_pad_push_event (chain->src, gst_event_new_caps (caps));
  gst_pad_push_event (chain->src, gst_event_new_segment (&segment));
}

static inline void
chain_close (Chain *chain)
{
  if (chain->element) {
    gst_element_set_state (chain->element, GST_STATE_NULL);
    gst_object_unref (chain->element);
  }
  gst_pad_set_active (chain->src, FALSE);
  gst_pad_set_active (chain->sink, FALSE);
  gst_object_unref (chain->src);
  gst_object_unref (chain->sink);
}

static inline GstBuffer *
chain_frame (gsize size)
{
  GstBuffer *frame = gst_buffer_new_allocate (NULL, size, NULL);
  gst_buffer_memset (frame, 0, 0x5a, size);
  GST_BUFFER_PTS (frame) = 0;
  return frame;
}

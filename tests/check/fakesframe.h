/* Stand-ins for sframeenc and sframedec, so that the RTP elements are tested without a key and without that plugin: a
 * "frame" is turned into one octet 0x00 and its bytes, inverted. Caps are mapped as the real ones map them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>
#include <gst/rtp/rtp.h>

typedef struct
{
  GstBaseTransform parent;
} FakeSFrame;

typedef struct
{
  GstBaseTransformClass parent_class;
  gboolean encrypts;
} FakeSFrameClass;

static inline GstCaps *
fake_sframe_map_caps (GstCaps *caps, gboolean wrap)
{
  GstCaps *out = gst_caps_new_empty ();

  if (gst_caps_is_any (caps)) {
    gst_caps_unref (out);
    return wrap ? gst_caps_new_empty_simple ("application/x-sframe")
                : gst_caps_new_any ();
  }
  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    GstStructure *s = gst_structure_copy (gst_caps_get_structure (caps, i));
    if (wrap) {
      gst_structure_set (s, "original-media-type", G_TYPE_STRING,
          gst_structure_get_name (s), NULL);
      gst_structure_set_name (s, "application/x-sframe");
    } else {
      const char *type = gst_structure_get_string (s, "original-media-type");
      if (!type) {
        gst_structure_free (s);
        gst_caps_unref (out);
        return gst_caps_new_any ();
      }
      gst_structure_set_name (s, type);
      gst_structure_remove_fields (
          s, "original-media-type", "sframe-ssrc", "cipher-suite", NULL);
    }
    gst_caps_append_structure (out, s);
  }
  return out;
}

static GstCaps *
fake_sframe_transform_caps (GstBaseTransform *trans, GstPadDirection direction,
    GstCaps *caps, GstCaps *filter)
{
  gboolean encrypts =
      ((FakeSFrameClass *) G_OBJECT_GET_CLASS (trans))->encrypts;
  GstCaps *out =
      fake_sframe_map_caps (caps, encrypts == (direction == GST_PAD_SINK));

  if (filter) {
    GstCaps *filtered =
        gst_caps_intersect_full (filter, out, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (out);
    out = filtered;
  }
  return out;
}

static GstFlowReturn
fake_sframe_prepare (GstBaseTransform *trans, GstBuffer *in, GstBuffer **out)
{
  gboolean encrypts =
      ((FakeSFrameClass *) G_OBJECT_GET_CLASS (trans))->encrypts;
  GstCaps *caps =
      gst_pad_get_current_caps (encrypts ? trans->sinkpad : trans->srcpad);
  gboolean rtp = gst_structure_has_name (
      gst_caps_get_structure (caps, 0), "application/x-rtp");
  gsize clear =
      rtp ? 12
          : 0; /* enough for the payloaders under test: no CSRC, no extension */
  GstMapInfo from, to;

  gst_caps_unref (caps);
  gst_buffer_map (in, &from, GST_MAP_READ);
  *out = gst_buffer_new_allocate (
      NULL, encrypts ? from.size + 1 : from.size - 1, NULL);
  gst_buffer_map (*out, &to, GST_MAP_WRITE);
  memcpy (to.data, from.data, clear);
  if (encrypts)
    to.data[clear] = 0;
  const guint8 *read = from.data + clear + (encrypts ? 0 : 1);
  guint8 *write = to.data + clear + (encrypts ? 1 : 0);
  for (gsize i = 0; i < MIN (from.size, to.size) - clear; i++)
    write[i] = (guint8) ~read[i];
  gst_buffer_unmap (*out, &to);
  gst_buffer_unmap (in, &from);
  gst_buffer_copy_into (*out, in, GST_BUFFER_COPY_METADATA, 0, -1);
  return GST_FLOW_OK;
}

static GstFlowReturn
fake_sframe_transform (GstBaseTransform *trans, GstBuffer *in, GstBuffer *out)
{
  return GST_FLOW_OK;
}

static void
fake_sframe_class_init (gpointer klass, gpointer encrypts)
{
  GstBaseTransformClass *transform_class = klass;
  GstElementClass *element_class = klass;
  g_autoptr (GstCaps) any = gst_caps_new_any ();

  ((FakeSFrameClass *) klass)->encrypts = encrypts != NULL;
  gst_element_class_add_pad_template (element_class,
      gst_pad_template_new ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, any));
  gst_element_class_add_pad_template (element_class,
      gst_pad_template_new ("src", GST_PAD_SRC, GST_PAD_ALWAYS, any));
  gst_element_class_set_static_metadata (
      element_class, "Fake SFrame", "Test", "Test", "Test");
  transform_class->transform_caps = fake_sframe_transform_caps;
  transform_class->prepare_output_buffer = fake_sframe_prepare;
  transform_class->transform = fake_sframe_transform;
}

static inline void
fake_sframe_register (void)
{
  GTypeInfo info = { sizeof (FakeSFrameClass), NULL, NULL,
    fake_sframe_class_init, NULL, NULL, sizeof (FakeSFrame) };

  gst_element_register (NULL, "fakesframedec", GST_RANK_NONE,
      g_type_register_static (
          GST_TYPE_BASE_TRANSFORM, "FakeSFrameDec", &info, 0));
  info.class_data = (gpointer) 1;
  gst_element_register (NULL, "fakesframeenc", GST_RANK_NONE,
      g_type_register_static (
          GST_TYPE_BASE_TRANSFORM, "FakeSFrameEnc", &info, 0));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtppackets.h"

static GstCaps *
rename_caps (GstCaps *caps, const gchar *const *names)
{
  /* Where GStreamer's own elements put the key, in the clear, and what goes with it. */
  static const gchar *const fields[] = { "srtp-key", "srtp-cipher",
    "srtp-auth", "srtcp-cipher", "srtcp-auth", "mki", "roc" };
  GstCaps *result = gst_caps_new_empty ();

  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    GstStructure *s = gst_structure_copy (gst_caps_get_structure (caps, i));
    const gchar *to = gst_structure_has_name (s, names[0])   ? names[1]
                      : gst_structure_has_name (s, names[2]) ? names[3]
                                                             : NULL;
    if (!to) {
      gst_structure_free (s);
      continue;
    }
    gst_structure_set_name (s, to);
    for (guint k = 0; k < G_N_ELEMENTS (fields); k++)
      gst_structure_remove_field (s, fields[k]);
    for (guint k = 2;; k++) { /* srtp-key2 with mki2, … */
      g_autofree gchar *key = g_strdup_printf ("srtp-key%u", k),
                       *mki = g_strdup_printf ("mki%u", k);
      if (!gst_structure_has_field (s, key))
        break;
      gst_structure_remove_fields (s, key, mki, NULL);
    }
    gst_caps_append_structure (result, s);
  }
  return result;
}

GstCaps *
srtp_caps_protect (GstCaps *caps)
{
  static const gchar *const names[] = { "application/x-rtp",
    "application/x-srtp", "application/x-rtcp", "application/x-srtcp" };
  return rename_caps (caps, names);
}

GstCaps *
srtp_caps_unprotect (GstCaps *caps)
{
  static const gchar *const names[] = { "application/x-srtp",
    "application/x-rtp", "application/x-srtcp", "application/x-rtcp" };
  return rename_caps (caps, names);
}

void
srtp_answer_caps_query (
    GstQuery *query, GstPad *pad, GstPad *other, gboolean plain)
{
  GstCaps *caps = gst_pad_get_pad_template_caps (pad), *filter;
  g_autoptr (GstCaps) far =
      other ? gst_pad_peer_query_caps (other, NULL) : NULL;

  if (far && !gst_caps_is_any (far)) {
    g_autoptr (GstCaps) near =
        plain ? srtp_caps_unprotect (far) : srtp_caps_protect (far);
    GstCaps *both =
        gst_caps_intersect_full (near, caps, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (caps);
    caps = both;
  }
  gst_query_parse_caps (query, &filter);
  if (filter) {
    GstCaps *filtered =
        gst_caps_intersect_full (filter, caps, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (caps);
    caps = filtered;
  }
  gst_query_set_caps_result (query, caps);
  gst_caps_unref (caps);
}

GstIterator *
srtp_iterate_pad (GstPad *other)
{
  GValue value = G_VALUE_INIT;

  if (!other)
    return NULL;
  g_value_init (&value, GST_TYPE_PAD);
  g_value_set_object (&value, other);
  GstIterator *iterator = gst_iterator_new_single (GST_TYPE_PAD, &value);
  g_value_unset (&value);
  return iterator;
}

GstBuffer *
srtp_buffer_with (GstBuffer *buffer, GstMemory *memory)
{
  gpointer state = NULL;

  if (gst_buffer_is_writable (buffer)) {
    gst_buffer_replace_all_memory (buffer, memory);
    return buffer;
  }
  GstBuffer *out = gst_buffer_new ();
  gst_buffer_append_memory (out, memory);
  gst_buffer_copy_into (out, buffer,
      GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_TIMESTAMPS, 0, (gsize) -1);
  if (gst_buffer_iterate_meta (buffer, &state))
    gst_buffer_copy_into (out, buffer, GST_BUFFER_COPY_META, 0, (gsize) -1);
  return out;
}

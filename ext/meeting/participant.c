/* participant-bin: a launch line that is made for each remote track and gets what src_%u would give, for example to record
 * everybody into a file of their own.
 *
 *     tee ─ queue ─ [launch line]
 *
 * {participant}, {track} and {kind} stand for the short fingerprint, the number and the kind of the track. Names are not to be
 * had: they are their bearers' claims, and would be part of a launch line. Sinks in it get EOS, and time to act on it, when
 * the track ends and when the pipeline does.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mediaparts.h"

#include <string.h>

#define GST_CAT_DEFAULT meetingmedia_debug

#define FINISH_TIME (3 * G_TIME_SPAN_SECOND)

/* Taken apart and put together again, for a value must not be searched for names. */
static char *
fill_in (const char *line, const char *participant, guint32 number,
    const char *kind)
{
  GString *filled = g_string_new (NULL);

  for (const char *c = line; *c;) {
    if (g_str_has_prefix (c, "{participant}")) {
      g_string_append (filled, participant);
      c += strlen ("{participant}");
    } else if (g_str_has_prefix (c, "{track}")) {
      g_string_append_printf (filled, "%u", number);
      c += strlen ("{track}");
    } else if (g_str_has_prefix (c, "{kind}")) {
      g_string_append (filled, kind);
      c += strlen ("{kind}");
    } else
      g_string_append_c (filled, *c++);
  }
  return g_string_free (filled, FALSE);
}

static char *
get_line (ConclaveMeetingMedia *media)
{
  GST_OBJECT_LOCK (media);
  char *line = g_strdup (media->participant_bin);
  GST_OBJECT_UNLOCK (media);
  return line;
}

static void
set_async (const GValue *item, gpointer data)
{
  GObject *element = g_value_get_object (item);

  if (GST_OBJECT_FLAG_IS_SET (element, GST_ELEMENT_FLAG_SINK)
      && g_object_class_find_property (G_OBJECT_GET_CLASS (element), "async"))
    g_object_set (element, "async", FALSE, NULL);
}

/* A sink that waits for its first buffer, in the middle of what is playing already, would hold all up. */
static void
let_go_on (GstBin *bin)
{
  g_autoptr (GstIterator) all = gst_bin_iterate_recurse (bin);

  while (gst_iterator_foreach (all, set_async, NULL) == GST_ITERATOR_RESYNC)
    gst_iterator_resync (all);
}

/* With a queue in front, whose pad is the bin's: muxers have none before they are linked. And with the media type in front of
 * that: a muxer that hears of none gives out its pad for video. */
static GstElement *
make (const char *line, const char *media_type, GError **error)
{
  g_autofree char *whole = g_strconcat ("capsfilter caps=", media_type,
      " ! queue max-size-bytes=0 max-size-buffers=0 max-size-time=1000000000 leaky=downstream ! ",
      line, NULL);
  GstElement *bin = gst_parse_bin_from_description_full (
      whole, TRUE, NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  if (bin)
    let_go_on (GST_BIN (bin));
  return bin;
}

static char *
get_media_type (const MeetingRemote *remote)
{
  if (remote->decode)
    return g_strdup (remote->codec->is_video ? "video/x-raw" : "audio/x-raw");
  g_autoptr (GstCaps) caps = gst_caps_from_string (remote->codec->caps);
  return g_strdup (gst_structure_get_name (gst_caps_get_structure (caps, 0)));
}

gboolean
meeting_participant_check (ConclaveMeetingMedia *media)
{
  g_autofree char *line = get_line (media), *filled = NULL;
  g_autoptr (GError) error = NULL;

  if (!line)
    return TRUE;
  filled = fill_in (line, "participant", 0, "video");
  GstElement *bin = make (filled, "video/x-vp8", &error);
  if (!bin) {
    GST_ELEMENT_ERROR (media, LIBRARY, SETTINGS,
        ("\"participant-bin\" is no launch line that works here: %s",
            error->message),
        (NULL));
    return FALSE;
  }
  gst_object_unref (gst_object_ref_sink (bin));
  return TRUE;
}

gboolean
meeting_participant_add (ConclaveMeetingMedia *media, MeetingRemote *remote)
{
  g_autofree char *line = get_line (media), *filled = NULL, *who = NULL,
                  *type = NULL;
  g_autoptr (GError) error = NULL;

  if (!line)
    return TRUE;
  who = g_strdup (remote->fingerprint);
  g_strcanon (who, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS, '-');
  filled =
      fill_in (line, who, remote->number, media_kind_names[remote->kind - 1]);
  type = get_media_type (remote);
  GstElement *bin = make (filled, type, &error);
  if (!bin) {
    GST_ELEMENT_WARNING (media, LIBRARY, SETTINGS,
        ("\"participant-bin\" could not be made for a track: %s",
            error->message),
        (NULL));
    return FALSE;
  }
  gst_bin_add (GST_BIN (remote->bin), bin);
  if (!gst_element_link (remote->tee, bin)) {
    GST_ELEMENT_WARNING (media, LIBRARY, SETTINGS,
        ("\"participant-bin\" does not take %s, which somebody sends.", type),
        (NULL));
    return FALSE;
  }
  remote->participant = bin;
  return TRUE;
}

/* The bin of a track says EOS when all sinks in it have had theirs. */
gboolean
meeting_participant_take_eos (
    ConclaveMeetingMedia *media, MeetingRemote *remote, GstMessage *message)
{
  if (GST_MESSAGE_SRC (message) != GST_OBJECT (remote->bin))
    return FALSE;
  g_mutex_lock (&media->finished_lock);
  remote->is_finished = TRUE;
  g_cond_broadcast (&media->finished);
  g_mutex_unlock (&media->finished_lock);
  return TRUE;
}

void
meeting_participant_finish (ConclaveMeetingMedia *media, MeetingRemote *remote)
{
  gint64 end = g_get_monotonic_time () + FINISH_TIME;

  if (!remote->participant)
    return;
  g_mutex_lock (&media->finished_lock);
  while (!remote->is_finished
         && g_cond_wait_until (&media->finished, &media->finished_lock, end)) {
  }
  g_mutex_unlock (&media->finished_lock);
}

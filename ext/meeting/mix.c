/* audio_mix and video_mix: everybody else in one stream each.
 *
 *     silence ───────────────┐
 *     remote track ─ decoder ┴ audiomixer ─ caps ─ audio_mix
 *
 *     black ──────────────────────────────┐
 *     member's placeholder, 2 pictures/s ─┤
 *     remote track ─ decoder ─ name ──────┴ compositor ─ caps ─ video_mix
 *
 * The first input of each mixer is live from the start and never goes: so there is data before anybody is there, and time does not
 * jump when somebody comes. What comes and goes does so at mixer pads that have their place before data arrives, and that
 * are released before what feeds them stops.
 *
 * A member without a picture, or whose picture has stood still for STALE_TIME, has a placeholder with its name there, whose own
 * streaming thread looks after that.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layout.h"
#include "mediaparts.h"

#include <stdatomic.h>
#include <string.h>

#define GST_CAT_DEFAULT meetingmedia_debug

#define WIDTH 1280
#define HEIGHT 720
#define VIDEO_CAPS                                                                                 \
  "video/x-raw, format=(string)I420, width=(int)1280, height=(int)720, framerate=(fraction)30/1, " \
  "pixel-aspect-ratio=(fraction)1/1"
#define AUDIO_CAPS                                                            \
  "audio/x-raw, format=(string)S16LE, layout=(string)interleaved, rate=(int)48000, channels=(int)2"
#define MIXER_LATENCY                                                         \
  (50 * GST_MSECOND) /* beside the jitterbuffer: decoding, and the network's moods */
#define STALE_TIME (2 * G_USEC_PER_SEC) /* then a picture is no picture */

enum
{
  Z_BLACK,
  Z_PLACEHOLDER,
  Z_PICTURE,
  Z_RECORDING
};

/* What the streaming threads of a member's placeholder and of its camera share. */
struct MeetingTile
{
  gatomicrefcount refs;
  _Atomic gint64 last_picture; /* monotonic time in µs; 0: none yet */

  GMutex lock;
  GstPad *camera; /* of the compositor; a reference, or NULL */
};

typedef struct
{
  guint8 identity[IDENTITY_KEY_LEN];
  char *label;
  GstElement *placeholder; /* NULL: there is no video mix */
  GstPad *pad;             /* of the compositor */
  MeetingTile *tile;
} Member;

/* ---- Tiles ---- */

static MeetingTile *
tile_new (void)
{
  MeetingTile *tile = g_new0 (MeetingTile, 1);
  g_atomic_ref_count_init (&tile->refs);
  g_mutex_init (&tile->lock);
  return tile;
}

static MeetingTile *
tile_ref (MeetingTile *tile)
{
  g_atomic_ref_count_inc (&tile->refs);
  return tile;
}

static void
tile_unref (gpointer data)
{
  MeetingTile *tile = data;
  if (!g_atomic_ref_count_dec (&tile->refs))
    return;
  g_clear_object (&tile->camera);
  g_mutex_clear (&tile->lock);
  g_free (tile);
}

static void
tile_set_camera (MeetingTile *tile, GstPad *camera)
{
  g_mutex_lock (&tile->lock);
  GstPad *old = tile->camera;
  tile->camera = camera ? gst_object_ref (camera) : NULL;
  g_mutex_unlock (&tile->lock);
  g_clear_object (&old);
  atomic_store (&tile->last_picture, 0);
}

static GstPad *
tile_get_camera (MeetingTile *tile)
{
  g_mutex_lock (&tile->lock);
  GstPad *camera = tile->camera ? gst_object_ref (tile->camera) : NULL;
  g_mutex_unlock (&tile->lock);
  return camera;
}

static void
set_alpha (GstPad *pad, gdouble alpha)
{
  if (pad)
    g_object_set (pad, "alpha", alpha, NULL);
}

/* On the placeholder's streaming thread, twice a second: is there a picture to be seen instead? */
static GstPadProbeReturn
compare_ages (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  MeetingTile *tile = data;
  g_autoptr (GstPad) own = gst_pad_get_peer (pad);
  g_autoptr (GstPad) camera = tile_get_camera (tile);
  gint64 last = atomic_load (&tile->last_picture);
  gboolean alive = last != 0 && g_get_monotonic_time () - last < STALE_TIME;

  set_alpha (own, alive ? 0 : 1);
  set_alpha (camera, alive ? 1 : 0);
  return GST_PAD_PROBE_OK;
}

/* On the camera's. */
static GstPadProbeReturn
note_picture (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  MeetingTile *tile = data;
  gint64 now = g_get_monotonic_time ();
  gint64 last = atomic_exchange (&tile->last_picture, now);

  if (now - last >= STALE_TIME) {
    g_autoptr (GstPad) camera = tile_get_camera (tile);
    set_alpha (camera, 1);
  }
  return GST_PAD_PROBE_OK;
}

/* ---- Names ---- */

static gboolean
have_text (ConclaveMeetingMedia *media)
{
  g_autoptr (GstElementFactory) factory =
      gst_element_factory_find ("textoverlay");

  if (!factory && !media->warned_of_text) {
    media->warned_of_text = TRUE;
    GST_ELEMENT_WARNING (media, CORE, MISSING_PLUGIN,
        ("Pictures have no names, for there is no element \"textoverlay\": install GStreamer's plugin pango "
         "(gstreamer1.0-x, gstreamer1.0-plugins-base)."),
        (NULL));
  }
  return factory != NULL;
}

/* `head` (taken) and text over its pictures, as one bin; `head` alone where there is no overlay. Not as a launch line, whose bin
 * would have the overlay's text pad for its sink, and wait there. A name is its bearer's claim, and the overlay's text is
 * markup: `label` stands there as it is. */
static GstElement *
with_text (ConclaveMeetingMedia *media, GstElement *head, const char *label,
    const char *font, gboolean centred)
{
  g_autofree char *escaped = g_markup_escape_text (label, -1);

  if (!head || !have_text (media))
    return head;
  GstElement *overlay = gst_element_factory_make ("textoverlay", NULL);
  g_object_set (overlay, "text", escaped, "font-desc", font, "wait-text",
      FALSE, "draw-shadow", FALSE, "draw-outline", FALSE, "shaded-background",
      !centred, "auto-resize", !centred, "xpad", centred ? 0 : 12, "ypad",
      centred ? 0 : 8, NULL);
  gst_util_set_object_arg (
      G_OBJECT (overlay), "valignment", centred ? "center" : "bottom");
  gst_util_set_object_arg (
      G_OBJECT (overlay), "halignment", centred ? "center" : "left");
  GstElement *bin = gst_bin_new (NULL);
  gst_bin_add_many (GST_BIN (bin), head, overlay, NULL);
  gst_element_link_pads (head, "src", overlay, "video_sink");
  g_autoptr (GstPad) src = gst_element_get_static_pad (overlay, "src");
  g_autoptr (GstPad) sink = gst_element_get_static_pad (head, "sink");
  gst_element_add_pad (bin, gst_ghost_pad_new ("src", src));
  if (sink)
    gst_element_add_pad (bin, gst_ghost_pad_new ("sink", sink));
  return bin;
}

static char *
make_label (const char *name, const char *fingerprint)
{
  return g_strdup_printf ("%s  %s", name, fingerprint);
}

/* ---- Mixers ---- */

static GstElement *
add_to (GstElement *bin, GstElement *element)
{
  if (element)
    gst_bin_add (GST_BIN (bin), element);
  return element;
}

static GstElement *
parse (const char *line)
{
  return gst_parse_bin_from_description (line, TRUE, NULL);
}

static gboolean
is_running (ConclaveMeetingMedia *media)
{
  GST_OBJECT_LOCK (media);
  gboolean running = GST_STATE (media) == GST_STATE_PLAYING;
  GST_OBJECT_UNLOCK (media);
  return running;
}

static GstElement *
make_mixer (ConclaveMeetingMedia *media, gboolean video)
{
  GstElement *mixer =
      meeting_media_make (media, video ? "compositor" : "audiomixer", NULL);

  if (!mixer)
    return NULL;
  GST_OBJECT_LOCK (media);
  guint64 latency = media->latency * GST_MSECOND + MIXER_LATENCY;
  GST_OBJECT_UNLOCK (media);
  g_object_set (mixer, "min-upstream-latency", latency, NULL);
  if (video)
    gst_util_set_object_arg (G_OBJECT (mixer), "background", "black");
  /* Asked for in the midst of it: it begins now, and does not make up for what has been. */
  if (is_running (media))
    gst_util_set_object_arg (
        G_OBJECT (mixer), "start-time-selection", "first");
  return mixer;
}

static GstPad *
link_to_mixer (GstElement *mixer, GstElement *from, gint zorder)
{
  GstPad *pad = gst_element_request_pad_simple (mixer, "sink_%u");
  g_autoptr (GstPad) src = gst_element_get_static_pad (from, "src");

  if (zorder >= 0)
    g_object_set (pad, "zorder", (guint) zorder, NULL);
  gst_pad_link (src, pad);
  return pad;
}

/* Pads that have had no data yet are not waited for, once the base has some: a mixer that is started again with none but such
 * pads takes it for the end (GStreamer 1.22). With the second buffer, as the first is in the mixer then. */
static GstPadProbeReturn
settle (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  MeetingMix *mix = data;

  if (g_atomic_int_add (&mix->n_base, 1) == 1)
    g_object_set (mix->mixer, "ignore-inactive-pads", TRUE, NULL);
  return GST_PAD_PROBE_OK;
}

static void
unsettle (MeetingMix *mix)
{
  if (!mix->mixer)
    return;
  g_object_set (mix->mixer, "ignore-inactive-pads", FALSE, NULL);
  g_atomic_int_set (&mix->n_base, 0);
}

/* The one input that is always there. */
static gboolean
add_base (ConclaveMeetingMedia *media, MeetingMix *mix, gboolean video)
{
  GstElement *base = parse (
      video
          ? "videotestsrc is-live=true pattern=black ! "
            "video/x-raw,format=I420,width=32,height=18,framerate=30/1 ! identity"
          : "audiotestsrc is-live=true wave=silence samplesperbuffer=480 ! " AUDIO_CAPS
            " ! identity");

  if (!base)
    return FALSE;
  mix->base = add_to (GST_ELEMENT (media), base);
  g_autoptr (GstPad) pad =
      link_to_mixer (mix->mixer, base, video ? Z_BLACK : -1);
  if (video)
    g_object_set (pad, "alpha", 0.0, NULL);
  g_autoptr (GstPad) src = gst_element_get_static_pad (base, "src");
  gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_BUFFER, settle, mix, NULL);
  return TRUE;
}

/* Tells everybody that the meeting is recorded; needs no fonts. */
static void
add_recording_mark (ConclaveMeetingMedia *media)
{
  MeetingMix *mix = &media->video_mix;
  GstElement *mark = with_text (media,
      parse (
          "videotestsrc is-live=true do-timestamp=true pattern=solid-color foreground-color=0xffc01818 ! "
          "video/x-raw,format=I420,width=96,height=40,framerate=2/1 ! identity"),
      "REC", "Sans Bold 16", TRUE);

  if (!mark)
    return;
  mix->mark = add_to (GST_ELEMENT (media), mark);
  mix->mark_pad = gst_element_request_pad_simple (mix->mixer, "sink_%u");
  g_object_set (mix->mark_pad, "zorder", (guint) Z_RECORDING, "xpos",
      WIDTH - 96 - 16, "ypos", 16, "width", 96, "height", 40, NULL);
  g_autoptr (GstPad) src = gst_element_get_static_pad (mark, "src");
  gst_pad_link (src, mix->mark_pad);
  gst_element_sync_state_with_parent (mark);
}

static void
remove_source (ConclaveMeetingMedia *media, MeetingMix *mix,
    GstElement **source, GstPad **pad)
{
  if (*pad)
    gst_element_release_request_pad (mix->mixer, *pad);
  g_clear_object (pad);
  if (!*source)
    return;
  gst_element_set_locked_state (*source, TRUE);
  gst_element_set_state (*source, GST_STATE_NULL);
  gst_bin_remove (GST_BIN (media), *source);
  *source = NULL;
}

static void
update_recording (ConclaveMeetingMedia *media)
{
  MeetingMix *mix = &media->video_mix;

  if (media->is_recording && mix->mixer && !mix->mark)
    add_recording_mark (media);
  else if (!media->is_recording && mix->mark)
    remove_source (media, mix, &mix->mark, &mix->mark_pad);
}

/* ---- Layout ---- */

/* A member's camera lies over its placeholder; further pictures have cells of their own. */
static void
add_cells_of (ConclaveMeetingMedia *media, const guint8 *identity,
    GstPad *placeholder, GArray *cells)
{
  GstPad *camera = NULL;

  for (GList *l = media->remotes; l; l = l->next) {
    const MeetingRemote *remote = l->data;
    if (!camera && remote->kind == MEDIA_VIDEO && remote->mix_pad
        && memcmp (remote->identity, identity, IDENTITY_KEY_LEN) == 0)
      camera = remote->mix_pad;
  }
  meeting_layout_add (cells, placeholder, camera, FALSE);
  for (GList *l = media->remotes; l; l = l->next) {
    const MeetingRemote *remote = l->data;
    if (remote->kind != MEDIA_AUDIO && remote->mix_pad
        && remote->mix_pad != camera
        && memcmp (remote->identity, identity, IDENTITY_KEY_LEN) == 0)
      meeting_layout_add (cells, NULL, remote->mix_pad, remote->kind == MEDIA_SCREEN);
  }
}

static Member *
find_member (ConclaveMeetingMedia *media, const guint8 *identity)
{
  for (GList *l = media->members; l; l = l->next) {
    Member *member = l->data;
    if (memcmp (member->identity, identity, IDENTITY_KEY_LEN) == 0)
      return member;
  }
  return NULL;
}

static void
lay_out (ConclaveMeetingMedia *media)
{
  g_autoptr (GArray) cells = g_array_new (FALSE, FALSE, sizeof (MeetingCell));

  if (!media->video_mix.mixer)
    return;
  for (GList *l = media->members; l; l = l->next) {
    const Member *member = l->data;
    add_cells_of (media, member->identity, member->pad, cells);
  }
  for (GList *l = media->remotes; l; l = l->next) {
    const MeetingRemote *remote = l->data;
    if (!find_member (media, remote->identity) && remote->kind != MEDIA_AUDIO)
      meeting_layout_add (cells, NULL, remote->mix_pad, remote->kind == MEDIA_SCREEN);
  }
  meeting_layout_place (cells, WIDTH, HEIGHT);
}

/* ---- Members ---- */

static void
add_placeholder (ConclaveMeetingMedia *media, Member *member)
{
  MeetingMix *mix = &media->video_mix;
  /* A colour for each, of the identity: public, and the same for all who look. */
  guint colour = 0xff303030u + ((member->identity[0] & 0x1fu) << 16)
                 + ((member->identity[1] & 0x1fu) << 8)
                 + (member->identity[2] & 0x3fu);
  g_autofree char *line = g_strdup_printf (
      "videotestsrc is-live=true do-timestamp=true pattern=solid-color foreground-color=0x%08x ! "
      "video/x-raw,format=I420,width=640,height=360,framerate=2/1 ! identity",
      colour);

  member->placeholder =
      with_text (media, parse (line), member->label, "Sans 22", TRUE);
  if (!member->placeholder)
    return;
  add_to (GST_ELEMENT (media), member->placeholder);
  g_autoptr (GstPad) src =
      gst_element_get_static_pad (member->placeholder, "src");
  gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_BUFFER, compare_ages,
      tile_ref (member->tile), tile_unref);
  member->pad = gst_element_request_pad_simple (mix->mixer, "sink_%u");
  g_object_set (member->pad, "zorder", (guint) Z_PLACEHOLDER, NULL);
  lay_out (media);
  gst_pad_link (src, member->pad);
  gst_element_sync_state_with_parent (member->placeholder);
}

static void
remove_placeholder (ConclaveMeetingMedia *media, Member *member)
{
  remove_source (media, &media->video_mix, &member->placeholder, &member->pad);
}

static void
free_member (gpointer data)
{
  Member *member = data;
  g_clear_object (&member->pad);
  tile_unref (member->tile);
  g_free (member->label);
  g_free (member);
}

static void
add_member (ConclaveMeetingMedia *media, gpointer data)
{
  Member *member = *(Member **) data;

  if (find_member (media, member->identity))
    return;
  *(Member **) data = NULL;
  media->members = g_list_append (media->members, member);
  for (GList *l = media->remotes; l; l = l->next) {
    MeetingRemote *remote = l->data;
    if (remote->kind == MEDIA_VIDEO && remote->mix_pad
        && memcmp (remote->identity, member->identity, IDENTITY_KEY_LEN) == 0)
      tile_set_camera (member->tile, remote->mix_pad);
  }
  if (media->video_mix.mixer)
    add_placeholder (media, member);
}

static void
free_member_box (gpointer data)
{
  Member **box = data;
  g_clear_pointer (box, free_member);
  g_free (box);
}

void
meeting_media_add_member (ConclaveMeetingMedia *media, const uint8_t *identity,
    const char *name, const char *fingerprint)
{
  Member **box = g_new (Member *, 1), *member = *box = g_new0 (Member, 1);

  memcpy (member->identity, identity, IDENTITY_KEY_LEN);
  member->label = make_label (name, fingerprint);
  member->tile = tile_new ();
  meeting_media_queue (media, add_member, box, free_member_box);
}

static void
remove_member (ConclaveMeetingMedia *media, gpointer identity)
{
  Member *member = find_member (media, identity);

  if (!member)
    return;
  media->members = g_list_remove (media->members, member);
  remove_placeholder (media, member);
  free_member (member);
  lay_out (media);
}

void
meeting_media_remove_member (
    ConclaveMeetingMedia *media, const uint8_t *identity)
{
  meeting_media_queue (
      media, remove_member, g_memdup2 (identity, IDENTITY_KEY_LEN), g_free);
}

static void
set_recording (ConclaveMeetingMedia *media, gpointer recording)
{
  media->is_recording = GPOINTER_TO_INT (recording);
  update_recording (media);
}

void
meeting_media_set_recording (ConclaveMeetingMedia *media, gboolean recording)
{
  meeting_media_queue (
      media, set_recording, GINT_TO_POINTER (recording), NULL);
}

/* ---- Tracks ---- */

/* Behind the decoder. */
static GstElement *
make_tail (ConclaveMeetingMedia *media, const MeetingRemote *remote)
{
  if (!remote->codec->is_video)
    return parse ("audioconvert ! audioresample");
  g_autofree char *label = make_label (remote->name, remote->fingerprint);
  return with_text (media, parse ("videoconvert"), label, "Sans 14", FALSE);
}

static MeetingMix *
mix_for (ConclaveMeetingMedia *media, const MeetingRemote *remote)
{
  return remote->codec->is_video ? &media->video_mix : &media->audio_mix;
}

/* The elements between tee and mixer, linked among themselves; the last one has the ghost pad "mix" of the track's bin. */
static gboolean
build_branch (ConclaveMeetingMedia *media, MeetingRemote *remote)
{
  GstElement *queue = meeting_remote_add_queue (remote), *decoder = NULL;
  GstElement *tail = make_tail (media, remote);

  if (queue)
    remote->branch = g_list_prepend (remote->branch, queue);
  if (tail)
    remote->branch =
        g_list_prepend (remote->branch, add_to (remote->bin, tail));
  if (!queue || !tail)
    return FALSE;
  if (remote->decode)
    return gst_element_link (queue, tail);
  decoder = meeting_remote_add_decoder (remote);
  if (!decoder)
    return FALSE;
  remote->branch = g_list_insert (remote->branch, decoder, 1);
  return gst_element_link_many (queue, decoder, tail, NULL);
}

static void
watch_camera (ConclaveMeetingMedia *media, MeetingRemote *remote, GstPad *src)
{
  Member *member = find_member (media, remote->identity);

  if (!member || remote->kind != MEDIA_VIDEO)
    return;
  tile_set_camera (member->tile, remote->mix_pad);
  gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_BUFFER, note_picture,
      tile_ref (member->tile), tile_unref);
}

void
meeting_mix_add (ConclaveMeetingMedia *media, MeetingRemote *remote)
{
  MeetingMix *mix = mix_for (media, remote);

  if (!mix->mixer || remote->mix_pad)
    return;
  if (!build_branch (media, remote)) {
    meeting_mix_remove (media, remote);
    return;
  }
  GstElement *tail = remote->branch->data;
  g_autoptr (GstPad) last = gst_element_get_static_pad (tail, "src");
  GstPad *ghost = gst_ghost_pad_new ("mix", last);
  meeting_ghost_may_be_unlinked (ghost);
  gst_pad_set_active (ghost, TRUE);
  gst_element_add_pad (remote->bin, ghost);

  remote->mix_pad = gst_element_request_pad_simple (mix->mixer, "sink_%u");
  if (remote->codec->is_video) {
    g_object_set (remote->mix_pad, "zorder", (guint) Z_PICTURE, NULL);
    gst_util_set_object_arg (
        G_OBJECT (remote->mix_pad), "sizing-policy", "keep-aspect-ratio");
  }
  watch_camera (media, remote, last);
  lay_out (media);
  gst_pad_link (ghost, remote->mix_pad);
  for (GList *l = remote->branch; l; l = l->next)
    gst_element_sync_state_with_parent (l->data);
  remote->tee_pad = gst_element_request_pad_simple (remote->tee, "src_%u");
  g_autoptr (GstPad) first =
      gst_element_get_static_pad (g_list_last (remote->branch)->data, "sink");
  gst_pad_link (remote->tee_pad, first);
  meeting_remote_ask_for_keyframe (remote);
}

void
meeting_mix_remove (ConclaveMeetingMedia *media, MeetingRemote *remote)
{
  MeetingMix *mix = mix_for (media, remote);
  Member *member = find_member (media, remote->identity);

  if (member && remote->kind == MEDIA_VIDEO)
    tile_set_camera (member->tile, NULL);
  /* First of all: it wakes the thread that waits in it. */
  if (remote->mix_pad)
    gst_element_release_request_pad (mix->mixer, remote->mix_pad);
  g_clear_object (&remote->mix_pad);
  if (remote->tee_pad)
    gst_element_release_request_pad (remote->tee, remote->tee_pad);
  g_clear_object (&remote->tee_pad);
  for (GList *l = remote->branch; l; l = l->next) {
    gst_element_set_locked_state (l->data, TRUE);
    gst_element_set_state (l->data, GST_STATE_NULL);
  }
  g_autoptr (GstPad) ghost = gst_element_get_static_pad (remote->bin, "mix");
  if (ghost) {
    gst_pad_set_active (ghost, FALSE);
    gst_element_remove_pad (remote->bin, ghost);
  }
  for (GList *l = remote->branch; l; l = l->next)
    gst_bin_remove (GST_BIN (remote->bin), l->data);
  g_clear_pointer (&remote->branch, g_list_free);
  lay_out (media);
}

void
meeting_mix_reset (ConclaveMeetingMedia *media)
{
  while (media->members)
    remove_member (media, ((Member *) media->members->data)->identity);
  media->is_recording = FALSE;
  update_recording (media);
  unsettle (&media->audio_mix);
  unsettle (&media->video_mix);
}

void
meeting_mix_dispose (ConclaveMeetingMedia *media)
{
  g_list_free_full (g_steal_pointer (&media->members), free_member);
  g_clear_object (&media->video_mix.mark_pad);
}

/* ---- Pads ---- */

static void
fill (ConclaveMeetingMedia *media, MeetingMix *mix)
{
  for (GList *l = media->members; l && mix == &media->video_mix; l = l->next)
    add_placeholder (media, l->data);
  for (GList *l = media->remotes; l; l = l->next)
    if (mix_for (media, l->data) == mix)
      meeting_mix_add (media, l->data);
  update_recording (media);
}

typedef struct
{
  GstPadTemplate *template;
  GstPad *pad;
} Request;

static void
request (ConclaveMeetingMedia *media, gpointer data)
{
  Request *request = data;
  const char *name = GST_PAD_TEMPLATE_NAME_TEMPLATE (request->template);
  gboolean video = g_str_equal (name, "video_mix");
  MeetingMix *mix = video ? &media->video_mix : &media->audio_mix;
  GstElement *mixer, *filter;

  if (mix->mixer || !(mixer = make_mixer (media, video)))
    return;
  filter = meeting_media_make (media, "capsfilter", NULL);
  gst_util_set_object_arg (
      G_OBJECT (filter), "caps", video ? VIDEO_CAPS : AUDIO_CAPS);
  gst_bin_add_many (GST_BIN (media), mixer, filter, NULL);
  gst_element_link (mixer, filter);
  mix->mixer = mixer;
  mix->filter = filter;
  if (!add_base (media, mix, video))
    GST_ELEMENT_ERROR (media, CORE, MISSING_PLUGIN,
        ("\"%s\" needs GStreamer's plugins %s (gstreamer1.0-plugins-base).",
            name, video ? "videotestsrc" : "audiotestsrc"),
        (NULL));

  g_autoptr (GstPad) src = gst_element_get_static_pad (filter, "src");
  mix->ghost = gst_ghost_pad_new_from_template (name, src, request->template);
  meeting_ghost_may_be_unlinked (mix->ghost);
  gst_pad_set_active (mix->ghost, TRUE);
  gst_element_add_pad (GST_ELEMENT (media), mix->ghost);
  gst_element_sync_state_with_parent (filter);
  gst_element_sync_state_with_parent (mixer);
  if (mix->base)
    gst_element_sync_state_with_parent (mix->base);
  request->pad = mix->ghost;
  fill (media, mix);
}

GstPad *
meeting_mix_request (ConclaveMeetingMedia *media, GstPadTemplate *template)
{
  Request data = { template, NULL };
  meeting_media_run (media, request, &data);
  return data.pad;
}

typedef struct
{
  GstElement *elements[3];
} Remains;

/* May wait for who reads the pad: on a thread of its own. */
static void
dismantle (GstElement *media, gpointer data)
{
  Remains *remains = data;

  for (guint i = 0; i < G_N_ELEMENTS (remains->elements); i++) {
    GstElement *element = remains->elements[i];
    if (!element)
      continue;
    gst_element_set_locked_state (element, TRUE);
    gst_element_set_state (element, GST_STATE_NULL);
    gst_bin_remove (GST_BIN (media), element);
  }
}

static void
release (ConclaveMeetingMedia *media, gpointer pad)
{
  MeetingMix *mix =
      media->video_mix.ghost == pad ? &media->video_mix : &media->audio_mix;

  if (mix->ghost != pad)
    return;
  for (GList *l = media->remotes; l; l = l->next)
    if (mix_for (media, l->data) == mix)
      meeting_mix_remove (media, l->data);
  if (mix == &media->video_mix) {
    for (GList *l = media->members; l; l = l->next)
      remove_placeholder (media, l->data);
    remove_source (media, mix, &mix->mark, &mix->mark_pad);
  }
  if (mix->base) {
    g_autoptr (GstPad) src = gst_element_get_static_pad (mix->base, "src");
    g_autoptr (GstPad) peer = gst_pad_get_peer (src);
    gst_element_set_locked_state (mix->base, TRUE);
    if (peer)
      gst_element_release_request_pad (mix->mixer, peer);
    gst_element_set_state (mix->base, GST_STATE_NULL);
  }
  gst_pad_set_active (mix->ghost, FALSE);
  gst_element_remove_pad (GST_ELEMENT (media), mix->ghost);
  Remains *remains = g_new (Remains, 1);
  *remains = (Remains){ { mix->base, mix->mixer, mix->filter } };
  *mix = (MeetingMix){ NULL };
  gst_element_call_async (GST_ELEMENT (media), dismantle, remains, g_free);
}

void
meeting_mix_release (ConclaveMeetingMedia *media, GstPad *pad)
{
  g_autoptr (GstPad) held = gst_object_ref (pad);
  meeting_media_run (media, release, pad);
}

GstCaps *
meeting_mix_template_caps (gboolean video)
{
  return gst_caps_from_string (video ? VIDEO_CAPS : AUDIO_CAPS);
}

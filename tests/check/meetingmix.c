/* audio_mix and video_mix: data from the start, no jump in time when people come and go, everybody in their place.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rtpsessionrace.h"
#include "mediahub.h"

#define CAMERA(pattern)                                                       \
  "videotestsrc is-live=true pattern=" pattern                                \
  " ! video/x-raw,width=160,height=120,framerate=15/1 ! identity"
#define VOICE(frequency)                                                      \
  "audiotestsrc is-live=true freq=" frequency                                 \
  " ! audio/x-raw,rate=48000,channels=1 ! identity"

/* What comes out of a mix: every buffer begins where the one before ended. */
typedef struct
{
  GMutex lock;
  guint n, n_gaps;
  GstClockTime next;
  GstBuffer *last;
  gboolean eos;
} Watch;

static GstPadProbeReturn
watch_pad (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Watch *watch = data;

  g_mutex_lock (&watch->lock);
  if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    watch->eos |=
        GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_EOS;
    g_mutex_unlock (&watch->lock);
    return GST_PAD_PROBE_OK;
  }
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  if (watch->n++ > 0 && GST_BUFFER_PTS (buffer) != watch->next
      && ABS (GST_CLOCK_DIFF (GST_BUFFER_PTS (buffer), watch->next)) > 1)
    watch->n_gaps++;
  watch->next = GST_BUFFER_PTS (buffer) + GST_BUFFER_DURATION (buffer);
  gst_buffer_replace (&watch->last, buffer);
  g_mutex_unlock (&watch->lock);
  return GST_PAD_PROBE_OK;
}

static guint
count (Watch *watch)
{
  g_mutex_lock (&watch->lock);
  guint n = watch->n;
  g_mutex_unlock (&watch->lock);
  return n;
}

/* A mix into a sink that keeps the pipeline's time. */
static GstPad *
watch_mix (Person *p, const char *name, Watch *watch)
{
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);

  memset (watch, 0, sizeof *watch);
  g_mutex_init (&watch->lock);
  g_object_set (sink, "sync", TRUE, NULL);
  gst_bin_add (GST_BIN (p->pipeline), sink);
  GstPad *mix = gst_element_request_pad_simple (p->media, name);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  fail_unless (mix != NULL);
  gst_pad_add_probe (mix,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      watch_pad, watch, NULL);
  fail_unless_equals_int (gst_pad_link (mix, pad), GST_PAD_LINK_OK);
  return mix;
}

static void
watch_clear (Watch *watch)
{
  gst_buffer_replace (&watch->last, NULL);
  g_mutex_clear (&watch->lock);
}

/* Another run begins at 0. */
static void
watch_restart (Watch *watch)
{
  g_mutex_lock (&watch->lock);
  watch->n = 0;
  g_mutex_unlock (&watch->lock);
}

/* Mean colour of a rectangle of the last picture: Y, U, V. */
static void
colour_at (Watch *watch, guint x, guint y, guint size, guint *yuv)
{
  GstVideoInfo info;
  GstVideoFrame frame;
  guint64 sum[3] = { 0, 0, 0 };

  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_I420, 1280, 720);
  g_mutex_lock (&watch->lock);
  fail_unless (gst_video_frame_map (&frame, &info, watch->last, GST_MAP_READ));
  for (guint c = 0; c < 3; c++) {
    guint shift = c > 0;
    for (guint j = y >> shift; j < (y + size) >> shift; j++)
      for (guint i = x >> shift; i < (x + size) >> shift; i++)
        sum[c] += ((guint8 *) GST_VIDEO_FRAME_COMP_DATA (
            &frame, c))[j * GST_VIDEO_FRAME_COMP_STRIDE (&frame, c) + i];
    yuv[c] = (guint) (sum[c] / ((size >> shift) * (size >> shift)));
  }
  gst_video_frame_unmap (&frame);
  g_mutex_unlock (&watch->lock);
}

static gboolean
is_colour (Watch *watch, guint x, guint y, guint Y, guint U, guint V)
{
  guint yuv[3];

  if (count (watch) == 0)
    return FALSE;
  colour_at (watch, x, y, 32, yuv);
  return ABS ((gint) yuv[0] - (gint) Y) < 24
         && ABS ((gint) yuv[1] - (gint) U) < 24
         && ABS ((gint) yuv[2] - (gint) V) < 24;
}

static gboolean
is_mark (Watch *watch)
{
  guint yuv[3];

  colour_at (watch, 1280 - 96 - 16 + 4, 16 + 2, 8, yuv);
  return yuv[2] > 180;
}

#define IS_RED(watch, x, y) is_colour (watch, x, y, 81, 90, 240)
#define IS_BLUE(watch, x, y) is_colour (watch, x, y, 41, 240, 110)
#define IS_GREEN(watch, x, y) is_colour (watch, x, y, 145, 54, 34)
#define IS_BLACK(watch, x, y) is_colour (watch, x, y, 16, 128, 128)

/* 0xc01818, beside the letters. */
#define IS_RECORDING_RED(watch) is_mark (watch)

/* For people to look at. */
static void
save_picture (Watch *watch, const char *name)
{
  const char *folder = g_getenv ("CONCLAVE_TEST_PICTURES");
  g_autoptr (GstCaps) i420 = gst_caps_from_string (
      "video/x-raw,format=I420,width=1280,height=720,framerate=30/1,colorimetry=bt601");
  g_autoptr (GstCaps) png = gst_caps_from_string ("image/png");
  g_autoptr (GstSample) sample = NULL, converted = NULL;
  g_autofree char *path = NULL;
  GstMapInfo map;

  if (!folder)
    return;
  g_mutex_lock (&watch->lock);
  sample = gst_sample_new (watch->last, i420, NULL, NULL);
  g_mutex_unlock (&watch->lock);
  converted = gst_video_convert_sample (sample, png, 5 * GST_SECOND, NULL);
  fail_unless (converted != NULL);
  path = g_build_filename (folder, name, NULL);
  gst_buffer_map (gst_sample_get_buffer (converted), &map, GST_MAP_READ);
  g_file_set_contents (path, (char *) map.data, (gssize) map.size, NULL);
  gst_buffer_unmap (gst_sample_get_buffer (converted), &map);
}

GST_START_TEST (mixes_give_data_from_the_start_and_time_never_jumps)
{
  Room room;
  Watch video, audio;

  room_open (&room);
  Person *a = room_add (&room, "alice");
  g_autoptr (GstPad) video_mix = watch_mix (a, "video_mix", &video);
  g_autoptr (GstPad) audio_mix = watch_mix (a, "audio_mix", &audio);
  room_play (a);
  ROOM_WAIT (&room, count (&video) >= 10 && count (&audio) >= 30);
  fail_unless (IS_BLACK (&video, 600, 300));

  room_admit (&room, a);
  static const char *const cameras[] = { CAMERA ("red"), CAMERA ("blue"),
    CAMERA ("green") };
  for (guint i = 0; i < 3; i++) {
    g_autofree char *name = g_strdup_printf ("p%u", i);
    Person *p = room_add (&room, name);
    gst_object_unref (person_send (p, cameras[i], "sink_%u"));
    gst_object_unref (person_send (p, VOICE ("440"), "sink_%u"));
    room_play (p);
    room_admit (&room, p);
    room_run (&room, 700);
  }
  /* Two above, one below in the middle. */
  ROOM_WAIT (&room, IS_RED (&video, 300, 150) && IS_BLUE (&video, 940, 150)
                        && IS_GREEN (&video, 620, 510));
  save_picture (&video, "grid-3.png");
  room_leave (&room, &room.people[2]);
  ROOM_WAIT (&room, IS_RED (&video, 300, 330) && IS_GREEN (&video, 940, 330));
  room_leave (&room, &room.people[1]);
  room_leave (&room, &room.people[3]);
  ROOM_WAIT (
      &room, IS_BLACK (&video, 300, 330) && IS_BLACK (&video, 940, 330));
  room_run (&room, 300);
  guint n_video = count (&video), n_audio = count (&audio);
  ROOM_WAIT (
      &room, count (&video) > n_video + 5 && count (&audio) > n_audio + 15);
  fail_unless_equals_int (video.n_gaps, 0);
  fail_unless_equals_int (audio.n_gaps, 0);
  room_close (&room);
  watch_clear (&video);
  watch_clear (&audio);
}
GST_END_TEST;

#define ENDINGS 20

/* As Ctrl-C with `gst-launch-1.0 -e` does, with contributors in both mixes; and the same pipeline again. */
GST_START_TEST (the_end_comes_and_the_next_run_is_like_the_first)
{
  Room room;
  Watch video, audio;

  room_open (&room);
  Person *a = room_add (&room, "alice");
  for (guint i = 0; i < 4; i++) {
    g_autofree char *name = g_strdup_printf ("p%u", i);
    Person *p = room_add (&room, name);
    gst_object_unref (person_send (p,
        "videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=15/1 ! identity",
        "sink_%u"));
    gst_object_unref (person_send (p, VOICE ("440"), "sink_%u"));
    room_play (p);
    room_admit (&room, p);
  }
  g_autoptr (GstPad) video_mix = watch_mix (a, "video_mix", &video);
  g_autoptr (GstPad) audio_mix = watch_mix (a, "audio_mix", &audio);
  g_autoptr (GstBus) bus = gst_element_get_bus (a->pipeline);
  for (guint i = 0; i < ENDINGS; i++) {
    guint n_good = a->n_good;
    room_play (a);
    room_admit (&room, a);
    ROOM_WAIT (&room, count (&video) >= 10 && a->n_good >= n_good + 8);
    fail_unless (gst_element_send_event (a->pipeline, gst_event_new_eos ()));
    g_autoptr (GstMessage) end = gst_bus_timed_pop_filtered (
        bus, PATIENCE * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    fail_unless (end != NULL, "no end the %u. time", i + 1);
    fail_unless_equals_int (GST_MESSAGE_TYPE (end), GST_MESSAGE_EOS);
    gst_element_set_state (a->pipeline, GST_STATE_NULL);
    room_leave (&room, a);
    watch_restart (&video);
    watch_restart (&audio);
  }
  room_close (&room);
  watch_clear (&video);
  watch_clear (&audio);
}
GST_END_TEST;

/* A member without a camera, one with, a screen, a recording. */
GST_START_TEST (
    everybody_has_a_place_and_the_mark_is_there_while_it_is_recorded)
{
  Room room;
  Watch video;

  room_open (&room);
  Person *a = room_add (&room, "alice"), *bob = room_add (&room, "bob"),
         *carol = room_add (&room, "<b>C&rol</b>");
  g_autoptr (GstPad) mix = watch_mix (a, "video_mix", &video);
  g_autoptr (GstPad) camera = person_send (bob, CAMERA ("blue"), "sink_%u");
  gst_object_unref (person_send (carol, VOICE ("440"), "sink_%u"));
  room_play (a);
  room_play (bob);
  room_play (carol);
  room_admit (&room, a);
  room_admit (&room, bob);
  room_admit (&room, carol);
  ROOM_WAIT (
      &room, IS_BLUE (&video, 300, 330) && !IS_BLACK (&video, 700, 200));
  meeting_media_set_recording (CONCLAVE_MEETING_MEDIA (a->media), TRUE);
  ROOM_WAIT (&room, IS_RECORDING_RED (&video));
  save_picture (&video, "placeholder-and-mark.png");
  meeting_media_set_recording (CONCLAVE_MEETING_MEDIA (a->media), FALSE);
  ROOM_WAIT (&room, !IS_RECORDING_RED (&video));

  /* The camera stands still: the placeholder is there instead, and goes when it goes on. */
  meeting_media_set_muted (CONCLAVE_MEETING_MEDIA (bob->media), camera, TRUE);
  ROOM_WAIT (&room, !IS_BLUE (&video, 300, 330));
  fail_if (IS_BLACK (&video, 300, 200));
  save_picture (&video, "muted.png");
  meeting_media_set_muted (CONCLAVE_MEETING_MEDIA (bob->media), camera, FALSE);
  ROOM_WAIT (&room, IS_BLUE (&video, 300, 330));

  GstPad *screen = gst_element_request_pad_simple (carol->media, "sink_%u");
  gst_util_set_object_arg (G_OBJECT (screen), "kind", "screen");
  person_link (carol, CAMERA ("green"), screen);
  gst_object_unref (screen);
  ROOM_WAIT (
      &room, IS_GREEN (&video, 500, 330) && IS_BLUE (&video, 1140, 180));
  fail_unless_equals_int (carol->sent[1].kind, MEDIA_SCREEN);
  save_picture (&video, "screen.png");
  room_close (&room);
  fail_unless_equals_int (video.n_gaps, 0);
  watch_clear (&video);
}
GST_END_TEST;

/* Asked for while tracks are there already, released while data flows, asked for again. */
GST_START_TEST (a_mix_can_be_asked_for_at_any_time)
{
  Room room;
  Watch video;

  room_open (&room);
  Person *a = room_add (&room, "alice"), *b = room_add (&room, "bob");
  gst_object_unref (person_send (b, CAMERA ("red"), "sink_%u"));
  room_play (a);
  room_play (b);
  room_admit (&room, a);
  room_admit (&room, b);
  ROOM_WAIT (&room, a->n_good == 1);
  for (guint i = 0; i < 3; i++) {
    GstPad *mix = watch_mix (a, "video_mix", &video);
    g_autoptr (GstPad) peer = gst_pad_get_peer (mix);
    g_autoptr (GstElement) sink = gst_pad_get_parent_element (peer);
    gst_element_sync_state_with_parent (sink);
    ROOM_WAIT (&room, IS_RED (&video, 640, 330));
    gst_element_release_request_pad (a->media, mix);
    gst_element_set_state (sink, GST_STATE_NULL);
    gst_bin_remove (GST_BIN (a->pipeline), sink);
    gst_object_unref (mix);
    watch_clear (&video);
  }
  room_close (&room);
}
GST_END_TEST;

static Suite *
meetingmix_suite (void)
{
  Suite *suite = suite_create ("meetingmix");
  TCase *tc = tcase_create ("mix");

  tcase_add_checked_fixture (tc, tolerate_rtpsession_race, NULL);

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 250);
  tcase_add_test (tc, mixes_give_data_from_the_start_and_time_never_jumps);
  tcase_add_test (tc, the_end_comes_and_the_next_run_is_like_the_first);
  tcase_add_test (
      tc, everybody_has_a_place_and_the_mark_is_there_while_it_is_recorded);
  tcase_add_test (tc, a_mix_can_be_asked_for_at_any_time);
  return suite;
}

GST_CHECK_MAIN (meetingmix)

/* The pads of the media bin: in every order, released while frames flow, unlinked, ended; and what is not to be sent.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>

#include "rtpsessionrace.h"
#include "mediatap.h"

/* ---- Pads ---- */

/* Linked before and after the pipeline runs, before and after admission; in whatever order they come. */
GST_START_TEST (pads_come_in_every_order)
{
  Room room;
  Listener reader;

  room_open (&room);
  Person *a = room_add (&room, "alice"), *b = room_add (&room, "bob");
  reader_start (&reader, b);
  room_play (b);
  room_admit (&room, b);
  if (__i__ & 1)
    gst_object_unref (person_send (a, VP8_SOURCE, "sink_7"));
  if (__i__ & 2)
    room_play (a);
  gst_object_unref (person_send (a, RAW_AUDIO, "sink_%u"));
  if ((__i__ & 6) == 4) /* admission is a session's, which begins above NULL */
    gst_element_set_state (a->pipeline, GST_STATE_READY);
  if (__i__ & 4)
    room_admit (&room, a);
  if (!(__i__ & 2))
    room_play (a);
  room_run (&room, 100);
  if (!(__i__ & 1))
    gst_object_unref (person_send (a, VP8_SOURCE, "sink_7"));
  if (!(__i__ & 4))
    room_admit (&room, a);
  ROOM_WAIT (&room, count_of (&reader, "alice/0") >= 5
                        && count_of (&reader, "alice/1") >= 5);
  room_close (&room);
  reader_clear (&reader);
}
GST_END_TEST;

/* Gone while frames flow, and back: another track with a number of its own. What others have ends with EOS. */
GST_START_TEST (a_pad_is_released_while_frames_flow)
{
  Room room;
  Listener reader;

  room_open (&room);
  Person *a = room_add (&room, "alice"), *b = room_add (&room, "bob");
  GstPad *sink = person_send (a, __i__ ? RAW_VIDEO : VP8_SOURCE, "sink_%u");
  reader_start (&reader, b);
  room_play (a);
  room_play (b);
  room_admit (&room, a);
  room_admit (&room, b);
  ROOM_WAIT (&room, count_of (&reader, "alice/0") >= 5);

  g_autoptr (GstPad) src = gst_pad_get_peer (sink);
  g_autoptr (GstElement) source = gst_pad_get_parent_element (src);
  gst_element_release_request_pad (a->media, sink);
  gst_object_unref (sink);
  gst_element_set_state (source, GST_STATE_NULL);
  gst_bin_remove (GST_BIN (a->pipeline), source);
  ROOM_WAIT (&room, a->sent[0].ended);
  ROOM_WAIT (&room, reader.taps[0].eos);
  gst_object_unref (person_send (a, VP8_SOURCE, "sink_%u"));
  ROOM_WAIT (&room, count_of (&reader, "alice/1") >= 5);
  ROOM_WAIT (&room, b->media->numsrcpads == 1);
  room_close (&room);
  reader_clear (&reader);
}
GST_END_TEST;

/* A finite track: EOS ends it for the others, and nothing else. */
GST_START_TEST (the_end_of_one_track_is_not_the_end_of_all)
{
  Room room;
  Listener reader;

  room_open (&room);
  Person *a = room_add (&room, "alice"), *b = room_add (&room, "bob");
  gst_object_unref (person_send (a,
      "videotestsrc is-live=true num-buffers=60 ! video/x-raw,width=160,height=120,framerate=30/1 ! identity",
      "sink_%u"));
  reader_start (&reader, b);
  room_play (a);
  room_play (b);
  room_admit (&room, a);
  room_admit (&room, b);
  ROOM_WAIT (&room, a->n_sent == 1 && a->sent[0].ended);
  gst_object_unref (person_send (a, RAW_AUDIO, "sink_%u"));
  ROOM_WAIT (&room, count_of (&reader, "alice/1") >= 20);
  ROOM_WAIT (&room, tap_of (&reader, "alice/0")->eos);
  room_close (&room);
  reader_clear (&reader);
}
GST_END_TEST;

/* Nobody reads what comes: the pipeline goes on; who links later gets a keyframe. */
GST_START_TEST (pads_that_nobody_linked_swallow_what_comes)
{
  Room room;
  Listener reader;

  room_open (&room);
  Person *a = room_add (&room, "alice"), *b = room_add (&room, "bob");
  gst_object_unref (person_send (a, VP8_SOURCE, "sink_%u"));
  room_play (a);
  room_play (b);
  room_admit (&room, a);
  room_admit (&room, b);
  ROOM_WAIT (&room, b->n_good == 1);
  room_run (&room, 500);
  g_autoptr (GstBus) bus = gst_element_get_bus (b->pipeline);
  g_autoptr (GstMessage) error = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  fail_unless (error == NULL);

  memset (&reader, 0, sizeof reader);
  reader.person = b;
  g_mutex_init (&reader.lock);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (b->media, "src_0");
  fail_unless (pad != NULL);
  read_pad (b->media, pad, &reader);
  ROOM_WAIT (&room, tap_count (&reader.taps[0]) >= 10);
  fail_unless (reader.taps[0].caps != NULL);
  room_close (&room);
  reader_clear (&reader);
}
GST_END_TEST;

/* ---- What is not to be sent ---- */

static guint
settled_count (Room *room, Listener *reader, const char *stream_id)
{
  guint n, before;
  do {
    before = count_of (reader, stream_id);
    room_run (room, 1500); /* more than the jitterbuffer holds */
    n = count_of (reader, stream_id);
  } while (n != before && n < 1000);
  return n;
}

/* 0: the pad is muted. 1: all is silenced. 2: the key is closed. */
GST_START_TEST (muted_silenced_and_keyless_tracks_send_nothing)
{
  Room room;
  Listener reader;

  room_open (&room);
  Person *a = room_add (&room, "alice"), *b = room_add (&room, "bob");
  ConclaveMeetingMedia *media = CONCLAVE_MEETING_MEDIA (a->media);
  g_autoptr (GstPad) video = person_send (a, VP8_SOURCE, "sink_%u");
  g_autoptr (GstPad) audio = person_send (a, RAW_AUDIO, "sink_%u");
  reader_start (&reader, b);
  room_play (a);
  room_play (b);
  room_admit (&room, a);
  room_admit (&room, b);
  ROOM_WAIT (&room, count_of (&reader, "alice/0") >= 5
                        && count_of (&reader, "alice/1") >= 5);
  if (__i__ == 0) {
    meeting_media_set_muted (media, video, TRUE);
    meeting_media_set_muted (media, audio, TRUE);
  } else if (__i__ == 1)
    meeting_media_set_silenced (media, TRUE);
  else {
    meeting_media_close_key (media, kid_of (&room, 0, 0));
    meeting_media_close_key (media, kid_of (&room, 0, 1));
  }
  guint n_video = settled_count (&room, &reader, "alice/0");
  guint n_audio = settled_count (&room, &reader, "alice/1");
  HubTrackStats stats, later;
  hub_track_stats (a->sent[0].track, &stats);
  room_run (&room, 500);
  hub_track_stats (a->sent[0].track, &later);
  fail_unless_equals_uint64 (later.packets, stats.packets);
  fail_unless_equals_int (count_of (&reader, "alice/0"), n_video);
  fail_unless_equals_int (count_of (&reader, "alice/1"), n_audio);

  if (__i__ == 0) {
    meeting_media_set_muted (media, video, FALSE);
    meeting_media_set_muted (media, audio, FALSE);
  } else if (__i__ == 1)
    meeting_media_set_silenced (media, FALSE);
  else {
    room.epoch++;
    for (guint i = 0; i < 2; i++) {
      send_key_to (&room, b, a, &a->sent[i]);
      meeting_media_set_send_key (
          media, i, kid_of (&room, 0, i), SUITE, room.base_key);
    }
  }
  ROOM_WAIT (&room, count_of (&reader, "alice/0") >= n_video + 10
                        && count_of (&reader, "alice/1") >= n_audio + 10);
  if (__i__ == 2)
    fail_unless_equals_int (b->n_heard, 4);
  room_close (&room);
  reader_clear (&reader);
}
GST_END_TEST;

/* ---- participant-bin ---- */

/* A file that was closed says how long it is. */
static void
expect_recording (const char *folder, const char *kind)
{
  gint64 length = 0;
  g_autofree char *file = NULL;

  /* Which of them is announced first is chance. */
  for (guint number = 0; number < 2; number++) {
    g_free (file);
    file = g_strdup_printf ("%s/alice-%u-%s.mkv", folder, number, kind);
    if (g_file_test (file, G_FILE_TEST_EXISTS))
      break;
  }
  GstElement *reader = gst_parse_launch (
      "filesrc name=f ! matroskademux ! fakesink name=s", NULL);
  g_autoptr (GstElement) source = gst_bin_get_by_name (GST_BIN (reader), "f");
  g_object_set (source, "location", file, NULL);
  gst_element_set_state (reader, GST_STATE_PAUSED);
  fail_unless_equals_int (
      gst_element_get_state (reader, NULL, NULL, PATIENCE * GST_SECOND),
      GST_STATE_CHANGE_SUCCESS);
  fail_unless (gst_element_query_duration (reader, GST_FORMAT_TIME, &length));
  fail_unless (
      length > (gint64) (200 * GST_MSECOND), "%" G_GINT64_FORMAT, length);
  gst_element_set_state (reader, GST_STATE_NULL);
  gst_object_unref (reader);
  g_remove (file);
}

/* 0: the tracks end. 1: the pipeline does. */
GST_START_TEST (each_track_is_recorded_to_its_own_file)
{
  Room room;
  g_autofree char *folder = g_dir_make_tmp ("conclave-XXXXXX", NULL);
  g_autofree char *line = g_strdup_printf (
      "matroskamux ! filesink location=%s/{participant}-{track}-{kind}.mkv",
      folder);

  room_open (&room);
  Person *a = room_add (&room, "alice"), *b = room_add (&room, "bob");
  g_object_set (b->media, "participant-bin", line, NULL);
  g_autoptr (GstPad) sink = person_send (a, VP8_SOURCE, "sink_%u");
  g_autoptr (GstPad) second = person_send (a, OPUS_SOURCE, "sink_%u");
  room_play (a);
  room_play (b);
  room_admit (&room, a);
  room_admit (&room, b);
  ROOM_WAIT (&room, b->n_good == 2);
  room_run (&room, 1500);
  if (__i__ == 0) {
    end_sent (&room, a, &a->sent[0]);
    end_sent (&room, a, &a->sent[1]);
    ROOM_WAIT (&room, b->media->numsrcpads == 0);
  } else
    gst_element_send_event (b->media, gst_event_new_eos ());
  room_close (&room);
  expect_recording (folder, "video");
  expect_recording (folder, "audio");
  g_rmdir (folder);
}
GST_END_TEST;

static Suite *
meetingpads_suite (void)
{
  Suite *suite = suite_create ("meetingpads");
  TCase *tc = tcase_create ("pads");

  tcase_add_checked_fixture (tc, tolerate_rtpsession_race, NULL);

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 250);
  tcase_add_loop_test (tc, pads_come_in_every_order, 0, 8);
  tcase_add_loop_test (tc, a_pad_is_released_while_frames_flow, 0, 2);
  tcase_add_test (tc, the_end_of_one_track_is_not_the_end_of_all);
  tcase_add_test (tc, pads_that_nobody_linked_swallow_what_comes);
  tcase_add_loop_test (
      tc, muted_silenced_and_keyless_tracks_send_nothing, 0, 3);
  tcase_add_loop_test (tc, each_track_is_recorded_to_its_own_file, 0, 2);
  return suite;
}

GST_CHECK_MAIN (meetingpads)

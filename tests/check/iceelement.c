/* icetransport as an element: states, flushes, EOS, queries, time stamps, settings and files, whatever the network does.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ice-side.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define APART                                                                 \
  (50 * GST_MSECOND) /* packets that are to be told by their time */

static void
set_ret (Side *side, GstFlowReturn ret)
{
  g_mutex_lock (&side->lock);
  side->ret = ret;
  g_mutex_unlock (&side->lock);
}

static void
send_until_arrived (Side *from, Side *to)
{
  gint64 end = g_get_monotonic_time () + WAIT;
  guint before = to->arrived->len;
  do
    gst_pad_push (from->push, packet (0, 100));
  while (!arrives_within (to, 20) && g_get_monotonic_time () < end);
  fail_unless (wait_until (to, has_arrived, before + 1), "nothing arrives");
}

static void
forget_arrived (Side *side)
{
  g_mutex_lock (&side->lock);
  g_ptr_array_set_size (side->arrived, 0);
  g_mutex_unlock (&side->lock);
}

static void
close_gate (Side *from, Side *to)
{
  g_mutex_lock (&to->gate);
  g_atomic_int_set (&to->gated, TRUE);
  gst_pad_push (from->push, packet (0, 100));
  g_mutex_lock (&to->lock);
  while (!to->held)
    g_cond_wait (&to->cond, &to->lock);
  g_mutex_unlock (&to->lock);
}

static void
open_gate (Side *to)
{
  g_atomic_int_set (&to->gated, FALSE);
  g_mutex_unlock (&to->gate);
}

static gboolean
stat_is_above (Side *side, const char *name, guint64 value, guint ms)
{
  gint64 end = g_get_monotonic_time () + ms * G_TIME_SPAN_MILLISECOND;
  while (stat_of (side, name) <= value && g_get_monotonic_time () < end)
    g_usleep (LOOK_AGAIN);
  return stat_of (side, name) > value;
}

/* 0: the chain function says that it flushes. 1: a flush comes by the element. 2: the stream had ended before. 3: the pads
 * behind `src` are flushed without its knowledge. */
GST_START_TEST (after_a_flush_downstream_the_stream_goes_on)
{
  Side a, b;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  send_until_arrived (&a, &b);
  fail_unless_equals_int (b.segments, 1);

  if (__i__ == 0 || __i__ == 2) {
    gint64 end = g_get_monotonic_time () + WAIT;
    set_ret (&b, __i__ ? GST_FLOW_EOS : GST_FLOW_FLUSHING);
    do
      gst_pad_push (a.push, packet (0, 100));
    while (!stat_is_above (&b, "dropped-not-wanted", 0, 20)
           && g_get_monotonic_time () < end);
    fail_unless (stat_of (&b, "dropped-not-wanted") > 0);
    if (__i__ == 2)
      fail_unless (wait_until (&b, is_eos, 0), "the end was not told");
    set_ret (&b, GST_FLOW_OK);
  }
  if (__i__ == 1 || __i__ == 2) {
    fail_unless (
        gst_element_send_event (b.element, gst_event_new_flush_start ()));
    gst_pad_push (a.push, packet (0, 100));
    fail_unless (
        gst_element_send_event (b.element, gst_event_new_flush_stop (TRUE)));
  }
  if (__i__ == 3) {
    guint64 refused = stat_of (&b, "dropped-not-wanted");
    fail_unless (gst_pad_send_event (b.take, gst_event_new_flush_start ()));
    gst_pad_push (a.push, packet (0, 100));
    fail_unless (stat_reaches (&b, "dropped-not-wanted", refused + 1));
    fail_unless (gst_pad_send_event (b.take, gst_event_new_flush_stop (TRUE)));
  }
  forget_arrived (&b);
  send_until_arrived (&a, &b);
  fail_unless (b.segments > 1, "no segment came behind the flush");
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

/* A sink in PAUSED keeps the packet it has, and with it the streaming thread. Sinks go down before sources. */
GST_START_TEST (pausing_does_not_wait_for_who_holds_a_packet)
{
  Side a, b;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  send_until_arrived (&a, &b);
  forget_arrived (&b);

  close_gate (&a, &b);
  fail_unless_equals_int (gst_element_set_state (b.element, GST_STATE_PAUSED),
      GST_STATE_CHANGE_NO_PREROLL);
  fail_unless_equals_int (gst_element_set_state (b.element, GST_STATE_PLAYING),
      GST_STATE_CHANGE_SUCCESS);
  open_gate (&b);
  send_until_arrived (&a, &b);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

static gpointer
send_without_end (gpointer user)
{
  Side *side = user;
  while (!g_atomic_int_get (&side->stop)) {
    gst_pad_push (side->push, packet (0, 100));
    g_usleep (50);
  }
  return NULL;
}

/* 0: media sockets, 1: through libnice. */
GST_START_TEST (pauses_in_the_midst_of_packets_do_not_end_the_stream)
{
  Side a, b;
  pair_init (&a, &b);
  g_object_set (b.element, "media-sockets", __i__ == 0, NULL);
  pair_connect (&a, &b);
  GThread *thread = g_thread_new ("sender", send_without_end, &a);
  for (guint i = 0; i < 500; i++) {
    fail_unless_equals_int (
        gst_element_set_state (b.element, GST_STATE_PAUSED),
        GST_STATE_CHANGE_NO_PREROLL);
    fail_unless_equals_int (
        gst_element_set_state (b.element, GST_STATE_PLAYING),
        GST_STATE_CHANGE_SUCCESS);
  }
  forget_arrived (&b);
  fail_unless (wait_until (&b, has_arrived, 10), "the stream has ended");
  g_atomic_int_set (&a.stop, TRUE);
  g_thread_join (thread);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (it_never_prerolls)
{
  Side a;
  side_init (&a, TRUE);
  for (guint i = 0; i < 3; i++) {
    fail_unless_equals_int (gst_element_set_state (a.element, GST_STATE_READY),
        GST_STATE_CHANGE_SUCCESS);
    fail_unless_equals_int (
        gst_element_set_state (a.element, GST_STATE_PAUSED),
        GST_STATE_CHANGE_NO_PREROLL);
    fail_unless_equals_int (
        gst_element_set_state (a.element, GST_STATE_PLAYING),
        GST_STATE_CHANGE_SUCCESS);
    fail_unless_equals_int (
        gst_element_set_state (a.element, GST_STATE_PAUSED),
        GST_STATE_CHANGE_NO_PREROLL);
    fail_unless_equals_int (
        gst_element_get_state (a.element, NULL, NULL, GST_CLOCK_TIME_NONE),
        GST_STATE_CHANGE_NO_PREROLL);
  }
  side_clear (&a);

  /* With a sink that would wait for a first buffer. */
  GstElement *pipeline = gst_parse_launch (
      "icetransport name=t bind-address=127.0.0.1 t.src ! fakesink", NULL);
  fail_unless_equals_int (gst_element_set_state (pipeline, GST_STATE_PAUSED),
      GST_STATE_CHANGE_NO_PREROLL);
  fail_unless_equals_int (gst_element_set_state (pipeline, GST_STATE_NULL),
      GST_STATE_CHANGE_SUCCESS);
  gst_object_unref (pipeline);
}
GST_END_TEST

static GstClockTime
clock_time (Side *side)
{
  g_autoptr (GstClock) clock = gst_element_get_clock (side->element);
  return gst_clock_get_time (clock);
}

static void
wait_clock (Side *side, GstClockTime until)
{
  g_autoptr (GstClock) clock = gst_element_get_clock (side->element);
  GstClockID id = gst_clock_new_single_shot_id (clock, until);
  gst_clock_id_wait (id, NULL);
  gst_clock_id_unref (id);
}

/* Downstream takes nothing while packets come, and then all of them at once. 0: media sockets, where the kernel stamps them;
 * 1: through libnice, which may be late, but counts what it has handed over. The base time is 0, so running time is the
 * clock's. */
GST_START_TEST (packets_are_stamped_with_their_arrival)
{
  enum
  {
    N = 6
  };
  Side a, b;
  GstClockTime sent[N + 1];

  pair_init (&a, &b);
  g_object_set (b.element, "media-sockets", __i__ == 0, NULL);
  pair_connect (&a, &b);
  send_until_arrived (&a, &b);
  close_gate (&a, &b);

  for (guint i = 0; i < N; i++) {
    sent[i] = clock_time (&b);
    guint64 received = stat_of (&b, "packets-received");
    gst_pad_push (a.push, packet (1000 + i, 100));
    if (__i__ == 1)
      fail_unless (stat_reaches (&b, "packets-received", received + 1));
    wait_clock (&b, clock_time (&b) + APART);
  }
  sent[N] = clock_time (&b);
  forget_arrived (&b);
  open_gate (&b);

  guint n = 0;
  fail_unless (wait_until (&b, has_arrived, N + 1));
  for (guint i = 0; i < b.arrived->len; i++) {
    GstBuffer *buffer = g_ptr_array_index (b.arrived, i);
    guint k = number_of (buffer) - 1000;
    if (k >= N)
      continue;
    fail_unless_equals_uint64 (
        GST_BUFFER_DTS (buffer), GST_BUFFER_PTS (buffer));
    fail_unless (GST_BUFFER_PTS (buffer) >= sent[k]
                     && GST_BUFFER_PTS (buffer) <= sent[k + 1],
        "packet %u, sent at %" GST_TIME_FORMAT
        ", is stamped %" GST_TIME_FORMAT,
        k, GST_TIME_ARGS (sent[k]), GST_TIME_ARGS (GST_BUFFER_PTS (buffer)));
    n++;
  }
  fail_unless_equals_int (n, N);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

static gboolean
is_last (Side *side, guint n)
{
  return side->arrived->len > 0
         && number_of (
                g_ptr_array_index (side->arrived, side->arrived->len - 1))
                == n;
}

/* Running time stands still in PAUSED, so nothing of it is older than its end. 0: media sockets, 1: through libnice; with 2
 * more the sink keeps a packet, and the streaming thread, through all of it. */
GST_START_TEST (what_came_in_a_pause_is_stamped_with_its_end)
{
  Side a, b;
  gboolean held = __i__ >= 2;
  pair_init (&a, &b);
  g_object_set (b.element, "media-sockets", __i__ % 2 == 0, NULL);
  pair_connect (&a, &b);
  send_until_arrived (&a, &b);
  if (held)
    close_gate (&a, &b);
  fail_unless_equals_int (gst_element_set_state (b.element, GST_STATE_PAUSED),
      GST_STATE_CHANGE_NO_PREROLL);
  forget_arrived (&b);
  gst_pad_push (a.push, packet (1, 100));
  wait_clock (&b, clock_time (&b) + APART);
  GstClockTime end = clock_time (&b);
  fail_unless_equals_int (gst_element_set_state (b.element, GST_STATE_PLAYING),
      GST_STATE_CHANGE_SUCCESS);
  if (held)
    open_gate (&b);
  fail_unless (wait_until (&b, is_last, 1));
  GstBuffer *buffer = g_ptr_array_index (b.arrived, b.arrived->len - 1);
  fail_unless (GST_BUFFER_PTS (buffer) >= end,
      "%" GST_TIME_FORMAT " of before %" GST_TIME_FORMAT,
      GST_TIME_ARGS (GST_BUFFER_PTS (buffer)), GST_TIME_ARGS (end));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

static guint n_crossed;

static gboolean
count_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  n_crossed++;
  return FALSE;
}

static gboolean
count_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  n_crossed++;
  gst_event_unref (event);
  return TRUE;
}

static gboolean
answers (GstPad *from, GstQuery *query)
{
  gboolean answered = gst_pad_peer_query (from, query);
  gst_query_unref (query);
  return answered;
}

GST_START_TEST (nothing_that_is_asked_crosses_to_the_other_pad)
{
  Side a;
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("application/x-rtp");
  side_init (&a, TRUE);
  play (&a);
  n_crossed = 0;
  gst_pad_set_query_function (a.push, count_query);
  gst_pad_set_event_function (a.push, count_event);
  gst_pad_set_query_function (a.take, count_query);

  fail_unless (answers (a.take, gst_query_new_latency ()));
  fail_unless (answers (a.take, gst_query_new_caps (NULL)));
  fail_unless (answers (a.take, gst_query_new_scheduling ()));
  fail_unless (answers (a.push, gst_query_new_caps (NULL)));
  fail_unless (gst_pad_peer_query_accept_caps (a.push, caps));

  GstPad *const pads[] = { a.take, a.push };
  for (guint i = 0; i < G_N_ELEMENTS (pads); i++) {
    fail_if (answers (pads[i], gst_query_new_position (GST_FORMAT_TIME)));
    fail_if (answers (pads[i], gst_query_new_duration (GST_FORMAT_TIME)));
    fail_if (answers (pads[i], gst_query_new_seeking (GST_FORMAT_TIME)));
    fail_if (answers (pads[i], gst_query_new_context ("x")));
    fail_if (answers (pads[i], gst_query_new_uri ()));
  }
  fail_if (answers (a.push, gst_query_new_allocation (caps, TRUE)));
  fail_if (answers (a.push, gst_query_new_drain ()));
  fail_if (answers (a.push, gst_query_new_latency ()));

  fail_if (gst_pad_push_event (
      a.take, gst_event_new_seek (1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                  GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_NONE, 0)));
  fail_unless (gst_pad_push_event (a.take, gst_event_new_latency (7)));
  fail_unless (gst_pad_push_event (a.take, gst_event_new_reconfigure ()));
  fail_unless_equals_int (n_crossed, 0);
  side_clear (&a);
}
GST_END_TEST

GST_START_TEST (its_stream_is_not_the_one_that_it_sends)
{
  Side a, b;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  send_until_arrived (&a, &b);
  send_until_arrived (&b, &a);
  fail_unless (a.stream_id != NULL && b.stream_id != NULL);
  fail_if (strstr (b.stream_id, "test"), "%s", b.stream_id);
  fail_if (g_str_equal (a.stream_id, b.stream_id));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

/* Packets that come one by one are one stream, and one segment. */
GST_START_TEST (a_stream_begins_once)
{
  Side a, b;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  for (guint i = 0; i < 5; i++) {
    send_until_arrived (&a, &b);
    forget_arrived (&b);
  }
  fail_unless_equals_int (b.stream_starts, 1);
  fail_unless_equals_int (b.segments, 1);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (eos_waits_for_what_is_queued)
{
  Side a, b;
  g_autofree char *text = NULL;
  pair_init (&a, &b);
  play (&a);
  for (guint i = 0; i < 10; i++)
    gst_pad_push (a.push, packet (i, 100));
  GstEvent *eos = gst_event_new_eos ();
  guint32 seqnum = gst_event_get_seqnum (eos);
  fail_unless (gst_pad_push_event (a.push, eos));
  fail_unless (wait_until (&a, has_descriptions, 1));
  fail_unless (gst_bus_pop_filtered (a.bus, GST_MESSAGE_EOS) == NULL,
      "over, with %u packets unsent", (guint) stat_of (&a, "queued"));

  play (&b);
  g_object_get (a.element, "local-description", &text, NULL);
  g_object_set (b.element, "remote-description", text, NULL);
  GstMessage *message = await_message (&a, GST_MESSAGE_EOS);
  fail_unless (message != NULL, "it never ends");
  fail_unless_equals_int (gst_message_get_seqnum (message), seqnum);
  gst_message_unref (message);
  fail_unless_equals_uint64 (stat_of (&a, "queued"), 0);
  fail_unless_equals_uint64 (stat_of (&a, "packets-sent"), 10);
  fail_unless (wait_until (&b, has_arrived, 10));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (eos_does_not_wait_for_ever)
{
  Side a;
  side_init (&a, TRUE);
  g_object_set (a.element, "connect-timeout", 1, NULL);
  play (&a);
  gst_pad_push (a.push, packet (0, 100));
  gst_pad_push_event (a.push, gst_event_new_eos ());
  GstMessage *message = await_message (&a, GST_MESSAGE_EOS);
  fail_unless (message != NULL, "it never ends");
  gst_message_unref (message);
  fail_unless_equals_uint64 (stat_of (&a, "dropped-discarded"), 1);
  sending_adds_up (&a);
  side_clear (&a);
}
GST_END_TEST

/* 0: by a flush, 1: because there is more to send. */
GST_START_TEST (eos_that_waits_can_be_taken_back)
{
  Side a, b;
  g_autofree char *text = NULL;
  pair_init (&a, &b);
  play (&a);
  gst_pad_push (a.push, packet (0, 100));
  gst_pad_push_event (a.push, gst_event_new_eos ());
  if (__i__ == 0) {
    gst_pad_push_event (a.push, gst_event_new_flush_start ());
    gst_pad_push_event (a.push, gst_event_new_flush_stop (TRUE));
  }
  start_pushing (&a);
  fail_unless_equals_int (gst_pad_push (a.push, packet (1, 100)), GST_FLOW_OK);
  fail_unless (wait_until (&a, has_descriptions, 1));
  play (&b);
  g_object_get (a.element, "local-description", &text, NULL);
  g_object_set (b.element, "remote-description", text, NULL);
  fail_unless (wait_until (&b, has_arrived, __i__ ? 2 : 1));
  fail_unless (wait_until (&a, is_ready, 0));
  fail_unless (gst_bus_pop_filtered (a.bus, GST_MESSAGE_EOS) == NULL);
  gst_pad_push_event (a.push, gst_event_new_eos ());
  GstMessage *message = await_message (&a, GST_MESSAGE_EOS);
  fail_unless (message != NULL);
  gst_message_unref (message);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

static void
fail_unless_eos (Side *side, guint32 seqnum)
{
  GstMessage *message = await_message (side, GST_MESSAGE_EOS);
  fail_unless (message != NULL, "no EOS");
  fail_unless_equals_int (gst_message_get_seqnum (message), seqnum);
  gst_message_unref (message);
}

/* Bins forget in PAUSED who has ended, so sinks say it each time that PLAYING begins, and in PLAYING alone. */
GST_START_TEST (eos_is_told_whenever_playing_begins)
{
  Side a;
  side_init (&a, TRUE);
  fail_unless_equals_int (gst_element_set_state (a.element, GST_STATE_PAUSED),
      GST_STATE_CHANGE_NO_PREROLL);
  start_pushing (&a);
  GstEvent *eos = gst_event_new_eos ();
  guint32 seqnum = gst_event_get_seqnum (eos);
  fail_unless (gst_pad_push_event (a.push, eos));
  fail_unless (gst_bus_pop_filtered (a.bus, GST_MESSAGE_EOS) == NULL);
  for (guint i = 0; i < 3; i++) {
    gst_element_set_state (a.element, GST_STATE_PLAYING);
    fail_unless_eos (&a, seqnum);
    gst_element_set_state (a.element, GST_STATE_PAUSED);
  }
  /* There is more to send; and a stop ends it all. */
  start_pushing (&a);
  gst_element_set_state (a.element, GST_STATE_PLAYING);
  fail_unless (gst_bus_pop_filtered (a.bus, GST_MESSAGE_EOS) == NULL);
  gst_pad_push_event (a.push, gst_event_new_eos ());
  GstMessage *message = await_message (&a, GST_MESSAGE_EOS);
  fail_unless (message != NULL);
  gst_message_unref (message);
  gst_element_set_state (a.element, GST_STATE_READY);
  gst_element_set_state (a.element, GST_STATE_PLAYING);
  fail_unless (gst_bus_pop_filtered (a.bus, GST_MESSAGE_EOS) == NULL);
  side_clear (&a);
}
GST_END_TEST

GST_START_TEST (a_pipeline_that_has_ended_ends_again_after_a_pause)
{
  GstElement *pipeline = gst_parse_launch (
      "fakesrc num-buffers=0 ! icetransport bind-address=127.0.0.1", NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  for (guint i = 0; i < 3; i++) {
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    GstMessage *message = gst_bus_timed_pop_filtered (
        bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    fail_unless (message != NULL, "the pipeline does not end, round %u", i);
    fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_EOS);
    gst_message_unref (message);
    gst_element_set_state (pipeline, GST_STATE_PAUSED);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}
GST_END_TEST

/* 0: in READY before, 1: in READY between two runs. */
GST_START_TEST (eos_below_paused_does_not_end_the_next_run)
{
  Side a, b;
  pair_init (&a, &b);
  if (__i__ == 1) {
    pair_connect (&a, &b);
    gst_element_set_state (a.element, GST_STATE_NULL);
    gst_element_set_state (b.element, GST_STATE_NULL);
    g_ptr_array_set_size (a.states, 0);
    g_ptr_array_set_size (b.states, 0);
  }
  fail_unless_equals_int (gst_element_set_state (b.element, GST_STATE_READY),
      GST_STATE_CHANGE_SUCCESS);
  fail_if (gst_element_send_event (b.element, gst_event_new_eos ()));
  pair_connect (&a, &b);
  send_until_arrived (&a, &b);
  fail_if (b.eos);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

static gboolean
has_caps (Side *side, guint n)
{
  return side->caps != NULL;
}

GST_START_TEST (caps_that_leave_a_choice_do_not_replace_those_of_before)
{
  Side a, b;
  g_autoptr (GstCaps) fixed =
      gst_caps_from_string ("application/x-rtp,clock-rate=90000");
  g_autoptr (GstCaps) open =
      gst_caps_from_string ("application/x-rtp,clock-rate=[1,90000]");
  g_autoptr (GstCaps) now = NULL;
  pair_init (&a, &b);
  g_object_set (b.element, "caps", fixed, NULL);
  pair_connect (&a, &b);
  g_object_set (b.element, "caps", open, NULL);
  fail_unless_told (&b, GST_MESSAGE_WARNING, "without ranges", "[ 1, 90000 ]");
  send_until_arrived (&a, &b);
  fail_unless (wait_until (&b, has_caps, 0));
  fail_unless (gst_caps_is_equal (b.caps, fixed));
  g_object_get (b.element, "caps", &now, NULL);
  fail_unless (gst_caps_is_equal (now, fixed));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (settings_of_a_start_do_not_change_while_it_runs)
{
  static const char *const rows[][2] = { { "controlling", "false" },
    { "stun-server", "stun://192.0.2.1" }, { "bind-address", "127.0.0.2" },
    { "port-min", "5" }, { "max-queued", "5" }, { "connect-timeout", "5" },
    { "local-description-location", "/nonexistent/a" } };
  Side a;
  /* The leaks setup makes warnings fatal, these wanted ones too. */
  GLogLevelFlags fatal = g_log_set_always_fatal (G_LOG_LEVEL_ERROR);
  side_init (&a, TRUE);
  for (guint round = 0; round < 2; round++) {
    play (&a);
    for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
      g_autofree char *before = NULL;
      g_autofree char *after = NULL;
      GParamSpec *pspec = g_object_class_find_property (
          G_OBJECT_GET_CLASS (a.element), rows[i][0]);
      GValue value = G_VALUE_INIT;
      g_value_init (&value, pspec->value_type);
      g_object_get_property (G_OBJECT (a.element), rows[i][0], &value);
      before = g_strdup_value_contents (&value);
      ASSERT_WARNING (gst_util_set_object_arg (
          G_OBJECT (a.element), rows[i][0], rows[i][1]));
      g_object_get_property (G_OBJECT (a.element), rows[i][0], &value);
      after = g_strdup_value_contents (&value);
      g_value_unset (&value);
      fail_unless_equals_string (after, before);
    }
    gst_element_set_state (a.element, GST_STATE_READY);
    g_object_set (a.element, "connect-timeout", 7, NULL);
  }
  g_log_set_always_fatal (fatal);
  side_clear (&a);
}
GST_END_TEST

/* Readable by name, for the application that carries it; not among what a dot file lists. */
GST_START_TEST (the_password_stands_in_no_dot_file)
{
  GstElement *pipeline =
      gst_parse_launch ("icetransport name=t bind-address=127.0.0.1 "
                        "stun-server=stun://127.0.0.1:9 t.src ! fakesink",
          NULL);
  g_autoptr (GstElement) t = gst_bin_get_by_name (GST_BIN (pipeline), "t");
  g_autofree char *text = NULL;
  gint64 end = g_get_monotonic_time () + WAIT;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  do {
    g_free (text);
    g_object_get (t, "local-description", &text, NULL);
  } while (!text && g_get_monotonic_time () < end);
  fail_unless (text != NULL);
  g_autofree char *pwd = g_strndup (strstr (text, "a=ice-pwd:") + 10, 22);
  g_autofree char *dot = gst_debug_bin_to_dot_data (
      GST_BIN (pipeline), GST_DEBUG_GRAPH_SHOW_VERBOSE);
  fail_unless (strstr (dot, "stun://127.0.0.1:9"), "no property is listed");
  fail_if (strstr (dot, pwd), "%s", dot);
  fail_if (strstr (dot, "ice-ufrag"), "%s", dot);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}
GST_END_TEST

/* Sides that write and read by way of symbolic links; the files are elsewhere. */
GST_START_TEST (descriptions_behind_symbolic_links_connect)
{
  Side a, b;
  g_autofree char *dir = temporary_dir ();
  g_autofree char *file_a = g_build_filename (dir, "a.sdp", NULL);
  g_autofree char *link_a = g_build_filename (dir, "link-a", NULL);
  g_autofree char *file_b = g_build_filename (dir, "b.sdp", NULL);
  g_autofree char *link_b = g_build_filename (dir, "link-b", NULL);

  fail_unless (
      symlink ("a.sdp", link_a) == 0 && symlink (file_b, link_b) == 0);
  side_init (&a, TRUE);
  side_init (&b, FALSE);
  g_object_set (a.element, "local-description-location", link_a,
      "remote-description-location", link_b, NULL);
  g_object_set (b.element, "local-description-location", file_b,
      "remote-description-location", file_a, NULL);
  pair_connect (&a, &b);
  fail_unless (g_file_test (link_a, G_FILE_TEST_IS_SYMLINK));
  side_clear (&a);
  side_clear (&b);
  fail_if (g_file_test (file_a, G_FILE_TEST_EXISTS));
  fail_unless (g_remove (link_a) == 0 && g_remove (link_b) == 0);
  fail_unless_equals_int (g_rmdir (dir), 0);
}
GST_END_TEST

GST_START_TEST (a_fifo_for_a_description_is_an_error_at_once)
{
  Side a;
  g_autofree char *dir = temporary_dir ();
  g_autofree char *fifo = g_build_filename (dir, "a.sdp", NULL);
  fail_unless_equals_int (mkfifo (fifo, 0600), 0);
  side_init (&a, TRUE);
  g_object_set (a.element, "local-description-location", fifo, NULL);
  play (&a);
  fail_unless_error (&a, "it is a FIFO", NULL);
  side_clear (&a);
  fail_unless_equals_int (g_remove (fifo), 0);
  fail_unless_equals_int (g_rmdir (dir), 0);
}
GST_END_TEST

/* A folder, which root cannot read either; then the file that it should have been. */
GST_START_TEST (a_description_that_cannot_be_read_is_a_warning_at_once)
{
  Side a, b;
  g_autofree char *dir = temporary_dir ();
  g_autofree char *file_a = g_build_filename (dir, "a.sdp", NULL);
  g_autofree char *file_b = g_build_filename (dir, "b.sdp", NULL);
  side_init (&a, TRUE);
  side_init (&b, FALSE);
  fail_unless_equals_int (g_mkdir (file_b, 0700), 0);
  g_object_set (a.element, "connect-timeout", 0, "local-description-location",
      file_a, "remote-description-location", file_b, NULL);
  g_object_set (b.element, "local-description-location", file_b,
      "remote-description-location", file_a, NULL);
  play (&a);
  fail_unless_told (&a, GST_MESSAGE_WARNING, file_b, NULL);
  fail_unless_equals_int (g_rmdir (file_b), 0);
  play (&b);
  fail_unless (wait_until (&a, is_ready, 0) && wait_until (&b, is_ready, 0),
      "no connection");
  fail_unless (gst_bus_pop_filtered (a.bus, GST_MESSAGE_WARNING) == NULL);
  side_clear (&a);
  side_clear (&b);
  fail_unless_equals_int (g_rmdir (dir), 0);
}
GST_END_TEST

static Suite *
iceelement_suite (void)
{
  Suite *s = suite_create ("iceelement");
  TCase *t = tcase_create ("element");

  suite_add_tcase (s, t);
  tcase_set_timeout (t, 120);
  tcase_add_loop_test (t, after_a_flush_downstream_the_stream_goes_on, 0, 4);
  tcase_add_test (t, pausing_does_not_wait_for_who_holds_a_packet);
  tcase_add_loop_test (
      t, pauses_in_the_midst_of_packets_do_not_end_the_stream, 0, 2);
  tcase_add_test (t, it_never_prerolls);
  tcase_add_loop_test (t, packets_are_stamped_with_their_arrival, 0, 2);
  tcase_add_loop_test (t, what_came_in_a_pause_is_stamped_with_its_end, 0, 4);
  tcase_add_test (t, nothing_that_is_asked_crosses_to_the_other_pad);
  tcase_add_test (t, its_stream_is_not_the_one_that_it_sends);
  tcase_add_test (t, a_stream_begins_once);
  tcase_add_test (t, eos_waits_for_what_is_queued);
  tcase_add_test (t, eos_does_not_wait_for_ever);
  tcase_add_loop_test (t, eos_that_waits_can_be_taken_back, 0, 2);
  tcase_add_test (t, eos_is_told_whenever_playing_begins);
  tcase_add_test (t, a_pipeline_that_has_ended_ends_again_after_a_pause);
  tcase_add_loop_test (t, eos_below_paused_does_not_end_the_next_run, 0, 2);
  tcase_add_test (t, caps_that_leave_a_choice_do_not_replace_those_of_before);
  tcase_add_test (t, settings_of_a_start_do_not_change_while_it_runs);
  tcase_add_test (t, the_password_stands_in_no_dot_file);
  tcase_add_test (t, descriptions_behind_symbolic_links_connect);
  tcase_add_test (t, a_fifo_for_a_description_is_an_error_at_once);
  tcase_add_test (t, a_description_that_cannot_be_read_is_a_warning_at_once);
  return s;
}

GST_CHECK_MAIN (iceelement)

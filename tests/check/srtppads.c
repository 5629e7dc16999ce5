/* srtpprotect and srtpunprotect: pads that go while data flows, streams that share or restart, packets of every size and
 * kind of memory, and what waits for what.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "srtpharness.h"

#include <dlfcn.h>

/* --- Pads that go --- */

/* A pad that pushes to `sink` of an element, and one that takes what its partner pushes. */
typedef struct
{
  GstElement *element;
  GstPad *src, *sink, *out, *end;
  gboolean is_request, gone, gone_early;
  guint seen;
} Line;

static void
note_gone (gpointer data, GObject *object)
{
  ((Line *) data)->gone = TRUE;
}

/* Downstream, on the streaming thread: the pad that pushes must live until it is back. */
static void
let_go (Line *line)
{
  if (line->seen++ > 0)
    return;
  if (line->is_request)
    gst_element_release_request_pad (line->element, line->sink);
  else
    gst_element_remove_pad (line->element, line->out);
  line->gone_early = line->gone;
}

static GstFlowReturn
let_go_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  let_go (gst_pad_get_element_private (pad));
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static GstFlowReturn
let_go_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  let_go (gst_pad_get_element_private (pad));
  gst_buffer_list_unref (list);
  return GST_FLOW_OK;
}

static void
line_start (Line *line, GstElement *element, GstPad *sink, GstPad *out,
    const gchar *caps_text)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (caps_text);
  GstSegment segment;

  line->element = element;
  line->sink = sink;
  line->out = out;
  line->src = gst_pad_new ("src", GST_PAD_SRC);
  line->end = gst_pad_new ("end", GST_PAD_SINK);
  gst_pad_set_element_private (line->end, line);
  gst_pad_set_chain_function (line->end, let_go_chain);
  gst_pad_set_chain_list_function (line->end, let_go_list);
  gst_pad_set_active (line->src, TRUE);
  gst_pad_set_active (line->end, TRUE);
  fail_unless_equals_int (gst_pad_link (line->src, sink), GST_PAD_LINK_OK);
  fail_unless_equals_int (gst_pad_link (out, line->end), GST_PAD_LINK_OK);
  gst_pad_push_event (line->src, gst_event_new_stream_start ("test"));
  gst_pad_push_event (line->src, gst_event_new_caps (caps));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (line->src, gst_event_new_segment (&segment));
}

static void
line_clear (Line *line)
{
  gst_object_unref (line->sink);
  gst_object_unref (line->src);
  gst_object_unref (line->end);
}

/* Row 0: buffers, 1: lists. */
GST_START_TEST (a_pad_may_be_released_from_downstream)
{
  GstElement *element = gst_element_factory_make ("srtpprotect", NULL);
  Line line = { .is_request = TRUE };

  g_object_set (element, "key", key_text (1), NULL);
  gst_element_set_state (element, GST_STATE_PLAYING);
  GstPad *sink = gst_element_request_pad_simple (element, "rtp_sink_0");
  GstPad *out = gst_element_get_static_pad (element, "rtp_src_0");
  line_start (&line, element, sink, out, RTP_CAPS);
  g_object_weak_ref (G_OBJECT (out), note_gone, &line);
  gst_object_unref (out);
  for (guint16 seq = 1; seq < 3; seq++) {
    if (__i__ == 0) {
      gst_pad_push (line.src, rtp_buffer (seq));
    } else {
      GstBufferList *list = gst_buffer_list_new ();
      gst_buffer_list_add (list, rtp_buffer (seq));
      gst_pad_push_list (line.src, list);
    }
  }
  fail_unless_equals_int (line.seen, 1);
  fail_if (line.gone_early, "the pad was freed while it pushed");
  fail_unless (line.gone, "the pad is leaked");
  line_clear (&line);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (a_pad_may_be_removed_from_downstream)
{
  GstElement *element = gst_element_factory_make ("srtpunprotect", NULL);
  srtp_t sender = raw_of (SRTP_SEND, 1);
  Line line = { .is_request = FALSE };

  g_object_set (element, "key", key_text (1), NULL);
  gst_element_set_state (element, GST_STATE_PLAYING);
  GstPad *sink = gst_element_get_static_pad (element, "rtp_sink");
  GstPad *out = gst_element_get_static_pad (element, "rtp_src");
  line_start (&line, element, sink, out, SRTP_CAPS);
  g_object_weak_ref (G_OBJECT (out), note_gone, &line);
  gst_object_unref (out);
  if (__i__ == 0) {
    gst_pad_push (line.src, srtp_buffer (sender, 1));
  } else {
    GstBufferList *list = gst_buffer_list_new ();
    gst_buffer_list_add (list, srtp_buffer (sender, 1));
    gst_pad_push_list (line.src, list);
  }
  fail_unless_equals_int (line.seen, 1);
  fail_if (line.gone_early, "the pad was freed while it pushed");
  line_clear (&line);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);
  fail_unless (line.gone, "the pad is leaked");
  srtp_dealloc (sender);
}
GST_END_TEST;

/* --- Flushing --- */

/* RTCP from the RTP pad that its reader does not take; and the moments that a test can wait for. */
typedef struct
{
  GMutex lock;
  GCond changed;
  gboolean asked, may_answer, flushed, stuck;
} Blockade;

static GBytes *
answer_when_told (GstElement *element, guint ssrc, Blockade *b)
{
  g_mutex_lock (&b->lock);
  b->asked = TRUE;
  g_cond_broadcast (&b->changed);
  while (!b->may_answer)
    g_cond_wait (&b->changed, &b->lock);
  g_mutex_unlock (&b->lock);
  return key_bytes (1);
}

static GstFlowReturn
block_until_flushed (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  Blockade *b = gst_pad_get_element_private (pad);
  gint64 end = g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;

  g_mutex_lock (&b->lock);
  while (!b->flushed && !b->stuck)
    b->stuck = !g_cond_wait_until (&b->changed, &b->lock, end);
  g_mutex_unlock (&b->lock);
  gst_buffer_unref (buffer);
  return GST_FLOW_FLUSHING;
}

static gboolean
note_flush (GstPad *pad, GstObject *parent, GstEvent *event)
{
  Blockade *b = gst_pad_get_element_private (pad);

  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START) {
    g_mutex_lock (&b->lock);
    b->flushed = TRUE;
    g_cond_broadcast (&b->changed);
    g_mutex_unlock (&b->lock);
  }
  gst_event_unref (event);
  return TRUE;
}

static gpointer
push_rtcp (gpointer data)
{
  GstHarness *h = data;
  srtp_t sender = raw_of (SRTP_SEND, 1);
  gst_harness_push (h, srtcp_buffer (sender));
  srtp_dealloc (sender);
  return NULL;
}

/* The flush comes while the first RTCP from the RTP pad is on its way, before it is known that there is any. */
GST_START_TEST (a_flush_frees_a_thread_that_pushes_rtcp)
{
  GstElement *element = gst_element_factory_make ("srtpunprotect", NULL);
  GstPad *end = gst_pad_new ("end", GST_PAD_SINK);
  g_autoptr (GstPad) out = gst_element_get_static_pad (element, "rtcp_src");
  Blockade b = { 0 };

  g_mutex_init (&b.lock);
  g_cond_init (&b.changed);
  g_signal_connect (element, "request-key", G_CALLBACK (answer_when_told), &b);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink", "rtp_src");
  gst_pad_set_element_private (end, &b);
  gst_pad_set_chain_function (end, block_until_flushed);
  gst_pad_set_event_function (end, note_flush);
  gst_pad_set_active (end, TRUE);
  fail_unless_equals_int (gst_pad_link (out, end), GST_PAD_LINK_OK);
  gst_harness_set_src_caps_str (h, SRTP_CAPS);

  GThread *thread = g_thread_new ("rtcp", push_rtcp, h);
  g_mutex_lock (&b.lock);
  while (!b.asked)
    g_cond_wait (&b.changed, &b.lock);
  g_mutex_unlock (&b.lock);
  gst_harness_push_event (h, gst_event_new_flush_start ());
  g_mutex_lock (&b.lock);
  b.may_answer = TRUE;
  g_cond_broadcast (&b.changed);
  g_mutex_unlock (&b.lock);
  g_thread_join (thread);
  fail_if (b.stuck, "the flush does not reach rtcp_src");
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));

  gst_pad_unlink (out, end);
  gst_harness_teardown (h);
  gst_object_unref (end);
  gst_object_unref (element);
  g_mutex_clear (&b.lock);
  g_cond_clear (&b.changed);
}
GST_END_TEST;

/* --- Streams --- */

static guint
collisions (GstHarness *h, guint32 wanted)
{
  guint n = 0;
  GstEvent *event;

  while ((event = gst_harness_try_pull_upstream_event (h))) {
    const GstStructure *s = gst_event_get_structure (event);
    if (s && gst_structure_has_name (s, "GstRTPCollision")) {
      guint ssrc = 0;
      gst_structure_get_uint (s, "ssrc", &ssrc);
      fail_unless_equals_uint64 (ssrc, wanted);
      n++;
    }
    gst_event_unref (event);
  }
  return n;
}

/* Several streams on one pad, one of which was restarted, another one has now and then a packet twice. */
GST_START_TEST (a_restarted_source_is_noticed_inside_a_bundle)
{
  GstHarness *h = protect_harness (1);
  GstBus *bus = watch_bus (h->element);

  for (guint16 seq = 1; seq < 40; seq++)
    for (guint32 ssrc = 1; ssrc <= 3; ssrc++)
      fail_unless (passes (h, rtp_buffer_of (ssrc, seq)));
  for (guint16 seq = 1; seq < 40; seq++) {
    if (__i__ == 0) {
      fail_if (passes (h, rtp_buffer_of (2, seq)));
      fail_unless (passes (h, rtp_buffer_of (1, (guint16) (seq + 40))));
      fail_if (passes (h, rtp_buffer_of (1, (guint16) (seq + 40))));
      fail_unless (passes (h, rtp_buffer_of (3, (guint16) (seq + 40))));
      continue;
    }
    /* The same as one list. */
    GstBufferList *list = gst_buffer_list_new ();
    gst_buffer_list_add (list, rtp_buffer_of (2, seq));
    gst_buffer_list_add (list, rtp_buffer_of (1, (guint16) (seq + 40)));
    gst_buffer_list_add (list, rtp_buffer_of (1, (guint16) (seq + 40)));
    gst_buffer_list_add (list, rtp_buffer_of (3, (guint16) (seq + 40)));
    fail_unless_equals_int (gst_pad_push_list (h->srcpad, list), GST_FLOW_OK);
  }
  fail_unless_says (bus, GST_MESSAGE_WARNING, "SSRC 00000002 goes over");
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING) == NULL);
  fail_unless_equals_int (collisions (h, 2), 1);
  drop_bus (h->element, bus);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* Two sources with one SSRC: no index is used twice, and the one that is behind is asked to take another. */
GST_START_TEST (two_pads_with_one_ssrc_are_a_collision)
{
  GstElement *element = gst_element_factory_make ("srtpprotect", NULL);
  srtp_t receiver = raw_of (SRTP_RECEIVE, 1);
  GstHarness *h[2];
  guint sent = 0;

  g_object_set (element, "key", key_text (1), NULL);
  h[0] = gst_harness_new_with_element (element, "rtp_sink_0", "rtp_src_0");
  h[1] = gst_harness_new_with_element (element, "rtp_sink_1", "rtp_src_1");
  gst_harness_set_src_caps_str (h[0], RTP_CAPS);
  gst_harness_set_src_caps_str (h[1], RTP_CAPS);
  for (guint16 seq = 1; seq < 100; seq++)
    for (guint i = 0; i < 2; i++) {
      /* In step; or the second far ahead. */
      guint16 own = (guint16) (i && __i__ ? seq + 20000 : seq);
      fail_unless_equals_int (
          gst_harness_push (h[i], rtp_buffer (own)), GST_FLOW_OK);
      GstBuffer *out = gst_harness_try_pull (h[i]);
      if (out) {
        check_srtp (receiver, out, own); /* which refuses a repeated index */
        sent++;
      }
      gst_clear_buffer (&out);
    }
  fail_unless (sent >= 99 && sent <= 101, "%u sent", sent);
  fail_unless_equals_int (collisions (h[0], SSRC), __i__ ? 1 : 0);
  fail_unless_equals_int (collisions (h[1], SSRC), __i__ ? 0 : 1);
  srtp_dealloc (receiver);
  gst_harness_teardown (h[0]);
  gst_harness_teardown (h[1]);
  gst_object_unref (element);
}
GST_END_TEST;

/* What a receiver makes of a sender that was started again. */
GST_START_TEST (receiver_takes_a_restarted_stream_under_a_new_ssrc_or_key)
{
  GstHarness *h = unprotect_harness (1);
  srtp_t one = raw_of (SRTP_SEND, 1), again = raw_of (SRTP_SEND, 1),
         fresh = raw_of (SRTP_SEND, 2);
  g_autoptr (GBytes) key = key_bytes (2);
  gboolean ok;

  for (guint seq = 100; seq < 70000; seq += 10000)
    fail_unless (passes (h, srtp_buffer (one, (guint16) seq)));
  fail_unless (passes (h, srtp_buffer (one, 5000))); /* ROC 1 */
  /* The same SSRC under the same key, from the same place: every packet is an old one. */
  for (guint seq = 100; seq < 70000; seq += 10000)
    fail_if (passes (h, srtp_buffer (again, (guint16) seq)));
  /* A new SSRC starts by itself. */
  for (guint16 seq = 100; seq < 120; seq++)
    fail_unless (passes (h, srtp_buffer_of (again, SSRC + 1, seq)));
  /* A new key on both sides: ROC 0. */
  g_signal_emit_by_name (h->element, "set-key", key, NULL, &ok);
  fail_unless (ok);
  for (guint16 seq = 100; seq < 120; seq++)
    fail_unless (passes (h, srtp_buffer (fresh, seq)));
  srtp_dealloc (one);
  srtp_dealloc (again);
  srtp_dealloc (fresh);
  gst_harness_teardown (h);
}
GST_END_TEST;

static GstBuffer *
forged_copy (GstBuffer *buffer, guint at)
{
  GstBuffer *copy = gst_buffer_copy_deep (buffer);
  GstMapInfo map;
  gst_buffer_map (copy, &map, GST_MAP_READWRITE);
  map.data[12 + at % (map.size - 12)] ^= (guint8) (1 << at % 8);
  gst_buffer_unmap (copy, &map);
  return copy;
}

/* Before, at and behind the switch: every seventh packet is lost, every fifth comes ten packets late, and forged copies
 * come before and after. Row 1: with MKI. */
GST_START_TEST (lost_late_and_forged_packets_around_a_rekey)
{
  GstElement *elements[] = { gst_element_factory_make ("srtpprotect", NULL),
    gst_element_factory_make ("srtpunprotect", NULL) };
  g_autoptr (GBytes) key1 = key_bytes (1), key2 = key_bytes (2);
  g_autoptr (GBytes) mki1 = __i__ ? g_bytes_new ("a", 1) : NULL,
                     mki2 = __i__ ? g_bytes_new ("b", 1) : NULL;
  GQueue late = G_QUEUE_INIT;
  guint wanted = 0, got = 0;
  gboolean ok;

  for (guint i = 0; i < 2; i++)
    g_signal_emit_by_name (elements[i], "set-key", key1, mki1, &ok);
  GstHarness *out = gst_harness_new_with_element (
                 elements[0], "rtp_sink_0", "rtp_src_0"),
             *in = gst_harness_new_with_element (
                 elements[1], "rtp_sink", "rtp_src");
  gst_harness_set_src_caps_str (out, RTP_CAPS);
  gst_harness_set_src_caps_str (in, SRTP_CAPS);
  for (guint16 seq = 1; seq < 300; seq++) {
    if (seq == 100)
      g_signal_emit_by_name (elements[1], "rekey", key2, mki2, &ok);
    if (seq == 105)
      g_signal_emit_by_name (elements[0], "rekey", key2, mki2, &ok);
    fail_unless (ok);
    GstBuffer *buffer = gst_harness_push_and_pull (out, rtp_buffer (seq));
    fail_if (passes (in, forged_copy (buffer, seq)));
    if (seq % 7 == 0) {
      gst_buffer_unref (buffer);
      continue;
    }
    wanted++;
    if (seq % 5 == 0) {
      g_queue_push_tail (&late, buffer);
    } else {
      got += passes (in, gst_buffer_ref (buffer));
      fail_if (passes (in, forged_copy (buffer, seq + 3u)));
      fail_if (passes (in, buffer)); /* repeated */
    }
    if (g_queue_get_length (&late) > 2)
      got += passes (in, g_queue_pop_head (&late));
  }
  while (!g_queue_is_empty (&late))
    got += passes (in, g_queue_pop_head (&late));
  fail_unless_equals_int (got, wanted);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
  gst_object_unref (elements[0]);
  gst_object_unref (elements[1]);
}
GST_END_TEST;

/* --- Sizes and memories --- */

static GstBuffer *
sized_buffer (guint16 seq, gsize payload)
{
  guint8 *bytes = g_malloc (12 + payload);
  gsize len = make_rtp (bytes, 12 + payload, SSRC, seq, 0, -1, payload);
  return gst_buffer_new_wrapped (bytes, len);
}

GST_START_TEST (packets_of_every_size_pass)
{
  static const gsize sizes[] = { 1, 2, 15, 16, 17, 1200, 2035, 2036, 2037,
    2048, 9000, 65000, 65535 - 12 - 16 };
  GstHarness *out = protect_harness (1), *in = unprotect_harness (1);
  guint16 seq = 1;

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    for (guint shared = 0; shared < 2; shared++, seq++) {
      GstBuffer *plain = sized_buffer (seq, sizes[i]);
      g_autoptr (GstBuffer) want = gst_buffer_copy_deep (plain);
      GstBuffer *held = shared ? gst_buffer_ref (plain) : NULL;
      GstBuffer *buffer = gst_harness_push_and_pull (out, plain);
      fail_unless_equals_uint64 (
          gst_buffer_get_size (buffer), 12 + sizes[i] + 16);
      gst_clear_buffer (&held);
      held = shared ? gst_buffer_ref (buffer) : NULL;
      buffer = gst_harness_push_and_pull (in, buffer);
      GstMapInfo map;
      gst_buffer_map (want, &map, GST_MAP_READ);
      gst_check_buffer_data (buffer, map.data, map.size);
      gst_buffer_unmap (want, &map);
      gst_buffer_unref (buffer);
      gst_clear_buffer (&held);
    }
  }
  /* What would not fit into UDP any more is not sent. */
  fail_if (passes (out, sized_buffer (seq, 65535 - 12)));
  fail_unless_equals_uint64 (stat_of (out->element, "malformed"), 1);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
}
GST_END_TEST;

static GstBuffer *
read_only (GstBuffer *buffer)
{
  gsize len = gst_buffer_get_size (buffer);
  guint8 *bytes = g_malloc (len + 64);

  gst_buffer_extract (buffer, 0, bytes, len);
  gst_buffer_unref (buffer);
  /* With room behind: that alone makes it nobody's to write to. */
  return gst_buffer_new_wrapped_full (
      GST_MEMORY_FLAG_READONLY, bytes, len + 64, 0, len, bytes, g_free);
}

GST_START_TEST (memory_that_may_only_be_read_is_not_written_to)
{
  GstHarness *out = protect_harness (1), *in = unprotect_harness (1);
  srtp_t sender = raw_of (SRTP_SEND, 1), receiver = raw_of (SRTP_RECEIVE, 1);

  for (guint16 seq = 1; seq < 9; seq++) {
    GstBuffer *buffer = read_only (rtp_buffer (seq));
    GstMemory *memory = gst_memory_ref (gst_buffer_peek_memory (buffer, 0));
    buffer = gst_harness_push_and_pull (out, buffer);
    check_srtp (receiver, buffer, seq);
    gst_buffer_unref (buffer);
    g_autoptr (GstBuffer) before = gst_buffer_new ();
    gst_buffer_append_memory (before, memory);
    check_rtp (before, seq);

    buffer = read_only (srtp_buffer (sender, seq));
    memory = gst_memory_ref (gst_buffer_peek_memory (buffer, 0));
    g_autoptr (GstBuffer) copy = gst_buffer_copy_deep (buffer);
    buffer = gst_harness_push_and_pull (in, buffer);
    check_rtp (buffer, seq);
    gst_buffer_unref (buffer);
    GstMapInfo map, now;
    gst_buffer_map (copy, &map, GST_MAP_READ);
    gst_memory_map (memory, &now, GST_MAP_READ);
    fail_unless (
        now.size == map.size && memcmp (now.data, map.data, now.size) == 0);
    gst_memory_unmap (memory, &now);
    gst_memory_unref (memory);
    gst_buffer_unmap (copy, &map);
  }
  srtp_dealloc (sender);
  srtp_dealloc (receiver);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
}
GST_END_TEST;

/* --- Statistics --- */

/* A packet that another thread pushes while statistics are being put together. */
typedef struct
{
  GstHarness *h;
  GMutex lock;
  GCond changed;
  gboolean wanted, done, stuck;
} Passer;

static Passer *passer; /* of the running test */

static gpointer
push_when_wanted (gpointer data)
{
  Passer *p = data;

  g_mutex_lock (&p->lock);
  while (!p->wanted)
    g_cond_wait (&p->changed, &p->lock);
  g_mutex_unlock (&p->lock);
  gst_harness_push (p->h, rtp_buffer (1));
  g_mutex_lock (&p->lock);
  p->done = TRUE;
  g_cond_broadcast (&p->changed);
  g_mutex_unlock (&p->lock);
  return NULL;
}

/* In place of GStreamer's, which the element calls for each stream of its statistics. */
void
gst_value_array_append_and_take_value (GValue *array, GValue *value)
{
  static void (*real) (GValue * array, GValue * value);
  Passer *p = passer;

  if (!real)
    *(void **) &real =
        dlsym (RTLD_NEXT, "gst_value_array_append_and_take_value");
  if (p && !p->wanted) {
    gint64 end = g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;
    g_mutex_lock (&p->lock);
    p->wanted = TRUE;
    g_cond_broadcast (&p->changed);
    while (!p->done && !p->stuck)
      p->stuck = !g_cond_wait_until (&p->changed, &p->lock, end);
    g_mutex_unlock (&p->lock);
  }
  real (array, value);
}

GST_START_TEST (packets_pass_while_statistics_are_made)
{
  GstHarness *h = __i__ ? unprotect_harness (1) : protect_harness (1);
  Passer p = { .h = h };
  srtp_t sender = raw_of (SRTP_SEND, 1);

  fail_unless (passes (h, __i__ ? srtp_buffer (sender, 7) : rtp_buffer (7)));
  g_mutex_init (&p.lock);
  g_cond_init (&p.changed);
  passer = &p;
  GThread *thread = g_thread_new ("push", push_when_wanted, &p);
  stat_of (h->element, __i__ ? "delivered" : "protected");
  passer = NULL;
  fail_unless (p.wanted, "the statistics name no stream");
  g_thread_join (thread);
  fail_if (p.stuck, "a packet had to wait for the statistics");
  g_mutex_clear (&p.lock);
  g_cond_clear (&p.changed);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

static Suite *
srtppads_suite (void)
{
  Suite *suite = suite_create ("srtppads");
  TCase *tc = tcase_create ("pads");

  core_init ();
  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_loop_test (tc, a_pad_may_be_released_from_downstream, 0, 2);
  tcase_add_loop_test (tc, a_pad_may_be_removed_from_downstream, 0, 2);
  tcase_add_test (tc, a_flush_frees_a_thread_that_pushes_rtcp);
  tcase_add_loop_test (
      tc, a_restarted_source_is_noticed_inside_a_bundle, 0, 2);
  tcase_add_loop_test (tc, two_pads_with_one_ssrc_are_a_collision, 0, 2);
  tcase_add_test (
      tc, receiver_takes_a_restarted_stream_under_a_new_ssrc_or_key);
  tcase_add_loop_test (tc, lost_late_and_forged_packets_around_a_rekey, 0, 2);
  tc = tcase_create ("packets");
  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, packets_of_every_size_pass);
  tcase_add_test (tc, memory_that_may_only_be_read_is_not_written_to);
  tcase_add_loop_test (tc, packets_pass_while_statistics_are_made, 0, 2);
  return suite;
}

GST_CHECK_MAIN (srtppads)

/* srtpprotect and srtpunprotect as elements: pads, caps, buffers, states, messages. What is on the wire is compared with
 * libsrtp2 used directly.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpharness.h"

/* --- Packets --- */

GST_START_TEST (packets_are_those_of_libsrtp2_and_back)
{
  GstHarness *out = protect_harness (1), *in = unprotect_harness (1);
  srtp_t sender = raw_of (SRTP_SEND, 1), receiver = raw_of (SRTP_RECEIVE, 1);

  for (guint16 seq = 65500; seq != 100; seq++) {
    GstBuffer *buffer = gst_harness_push_and_pull (out, rtp_buffer (seq));
    fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer), seq * GST_MSECOND);
    check_srtp (receiver, buffer, seq);
    gst_buffer_unref (buffer);
    buffer = gst_harness_push_and_pull (in, srtp_buffer (sender, seq));
    check_rtp (buffer, seq);
    gst_buffer_unref (buffer);
  }
  check_sum (out->element, 136);
  check_sum (in->element, 136);
  srtp_dealloc (sender);
  srtp_dealloc (receiver);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
}
GST_END_TEST;

/* What payloaders make: a header, and a part of a frame that others may see as well. */
GST_START_TEST (packets_in_several_memories_and_with_room_behind_are_the_same)
{
  GstHarness *h = protect_harness (1);
  srtp_t receiver = raw_of (SRTP_RECEIVE, 1);

  for (guint16 seq = 1; seq < 9; seq++) {
    GstBuffer *whole = rtp_buffer (seq), *buffer = NULL;
    if (seq % 3 == 0) {
      buffer = gst_buffer_copy_region (whole, GST_BUFFER_COPY_ALL, 0, 12);
      buffer = gst_buffer_append (buffer,
          gst_buffer_copy_region (whole, GST_BUFFER_COPY_MEMORY, 12, PAYLOAD));
      fail_unless_equals_int (gst_buffer_n_memory (buffer), 2);
    } else if (seq % 3 == 1) {
      guint8 bytes[512];
      gsize len = gst_buffer_extract (whole, 0, bytes, sizeof bytes);
      buffer = gst_buffer_new_allocate (NULL, 512, NULL);
      gst_buffer_fill (buffer, 0, bytes, len);
      gst_buffer_set_size (buffer, (gssize) len);
    } else {
      buffer = gst_buffer_ref (whole);
    }
    GstBuffer *result = gst_harness_push_and_pull (h, buffer);
    check_srtp (receiver, result, seq);
    check_rtp (whole, seq); /* nobody else's bytes changed */
    gst_buffer_unref (result);
    gst_buffer_unref (whole);
  }
  srtp_dealloc (receiver);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (who_else_holds_a_packet_keeps_it_as_it_was)
{
  GstHarness *h = unprotect_harness (1);
  srtp_t sender = raw_of (SRTP_SEND, 1);

  for (guint16 seq = 1; seq < 5; seq++) {
    GstBuffer *shared = srtp_buffer (sender, seq),
              *copy = gst_buffer_copy_deep (shared), *in;
    if (seq < 3) /* a tee: another reference to the buffer, or to its memory */
      in = gst_buffer_ref (shared);
    else
      in = gst_buffer_copy (shared);
    GstBuffer *out = gst_harness_push_and_pull (h, in);
    check_rtp (out, seq);
    fail_unless (out != shared);
    GstMapInfo map;
    gst_buffer_map (copy, &map, GST_MAP_READ);
    gst_check_buffer_data (shared, map.data, map.size);
    gst_buffer_unmap (copy, &map);
    ASSERT_MINI_OBJECT_REFCOUNT (shared, "the other holder's buffer", 1);
    gst_buffer_unref (out);
    gst_buffer_unref (copy);
    gst_buffer_unref (shared);
  }
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* Blocks are used again: not before the last holder of any part of one has let it go, and also not after the element. */
GST_START_TEST (memory_is_not_used_again_while_somebody_holds_it)
{
  GstHarness *h = protect_harness (1);
  srtp_t receiver = raw_of (SRTP_RECEIVE, 1);
  GstBuffer *kept[200];

  for (guint round = 0; round < 2; round++) {
    for (guint i = 0; i < 200; i++) {
      GstBuffer *buffer = gst_harness_push_and_pull (
          h, rtp_buffer ((guint16) (1 + 1000 * round + i)));
      /* All of it, all but the header behind a copy of that, or a deep copy. */
      if (i % 3 == 0) {
        kept[i] = buffer;
        continue;
      }
      if (i % 3 == 1)
        kept[i] = gst_buffer_append (
            gst_buffer_copy_region (buffer, GST_BUFFER_COPY_ALL, 0, 12),
            gst_buffer_copy_region (
                buffer, GST_BUFFER_COPY_MEMORY, 12, (gsize) -1));
      else
        kept[i] = gst_buffer_copy_deep (buffer);
      gst_buffer_unref (buffer);
    }
    if (round == 1)
      gst_harness_teardown (h);
    for (guint i = 0; i < 200; i++) {
      check_srtp (receiver, kept[i], (guint16) (1 + 1000 * round + i));
      gst_buffer_unref (kept[i]);
    }
  }
  srtp_dealloc (receiver);
}
GST_END_TEST;

/* --- Lists --- */

static guint lists_seen, in_lists;

static GstFlowReturn
take_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  lists_seen++;
  in_lists += gst_buffer_list_length (list);
  GList **kept = g_object_get_data (G_OBJECT (pad), "kept");
  for (guint i = 0; i < gst_buffer_list_length (list); i++)
    *kept =
        g_list_append (*kept, gst_buffer_ref (gst_buffer_list_get (list, i)));
  gst_buffer_list_unref (list);
  return GST_FLOW_OK;
}

static GstBufferList *
list_of (GstBuffer *(*make) (guint16 seq, gpointer data), gpointer data,
    guint16 first, guint n)
{
  GstBufferList *list = gst_buffer_list_new ();
  for (guint i = 0; i < n; i++)
    gst_buffer_list_insert (list, -1, make ((guint16) (first + i), data));
  return list;
}

static GstBuffer *
make_plain (guint16 seq, gpointer data)
{
  return rtp_buffer (seq);
}

static GstBuffer *
make_protected (guint16 seq, gpointer data)
{
  return srtp_buffer (data, seq);
}

GST_START_TEST (whole_list_in_whole_list_out)
{
  GstHarness *out = protect_harness (1), *in = unprotect_harness (1);
  srtp_t sender = raw_of (SRTP_SEND, 1), receiver = raw_of (SRTP_RECEIVE, 1);
  GList *kept = NULL;

  g_object_set_data (G_OBJECT (out->sinkpad), "kept", &kept);
  g_object_set_data (G_OBJECT (in->sinkpad), "kept", &kept);
  gst_pad_set_chain_list_function (out->sinkpad, take_list);
  gst_pad_set_chain_list_function (in->sinkpad, take_list);

  /* A list that is ours, then one that somebody else holds too; with a packet in it that must not be sent again. */
  for (guint shared = 0; shared < 2; shared++) {
    guint16 start = (guint16) (1 + 20 * shared);
    GstBufferList *list = list_of (make_plain, NULL, start, 16);
    gst_buffer_list_insert (list, 5, rtp_buffer (start));
    lists_seen = in_lists = 0;
    if (shared)
      gst_buffer_list_ref (list);
    fail_unless_equals_int (
        gst_pad_push_list (out->srcpad, list), GST_FLOW_OK);
    fail_unless_equals_int (lists_seen, 1);
    fail_unless_equals_int (in_lists, 16);
    guint16 seq = start;
    for (GList *l = kept; l; l = l->next)
      check_srtp (receiver, l->data, seq++);
    if (shared) {
      check_rtp (gst_buffer_list_get (list, 0), start);
      gst_buffer_list_unref (list);
    }
    g_list_free_full (
        g_steal_pointer (&kept), (GDestroyNotify) gst_buffer_unref);
  }
  fail_unless_equals_uint64 (stat_of (out->element, "replayed"), 2);

  for (guint shared = 0; shared < 2; shared++) {
    guint16 start = (guint16) (1 + 20 * shared);
    GstBufferList *list = list_of (make_protected, sender, start, 16);
    gst_buffer_list_insert (
        list, 3, gst_buffer_new_memdup ("not even RTP", 12));
    gst_buffer_list_insert (
        list, 9, gst_buffer_copy_deep (gst_buffer_list_get (list, 0)));
    GstBuffer *before = gst_buffer_copy_deep (gst_buffer_list_get (list, 0));
    lists_seen = in_lists = 0;
    if (shared)
      gst_buffer_list_ref (list);
    fail_unless_equals_int (gst_pad_push_list (in->srcpad, list), GST_FLOW_OK);
    fail_unless_equals_int (lists_seen, 1);
    fail_unless_equals_int (in_lists, 16);
    guint16 seq = start;
    for (GList *l = kept; l; l = l->next)
      check_rtp (l->data, seq++);
    if (shared) {
      GstMapInfo map;
      gst_buffer_map (before, &map, GST_MAP_READ);
      gst_check_buffer_data (
          gst_buffer_list_get (list, 0), map.data, map.size);
      gst_buffer_unmap (before, &map);
      gst_buffer_list_unref (list);
    }
    gst_buffer_unref (before);
    g_list_free_full (
        g_steal_pointer (&kept), (GDestroyNotify) gst_buffer_unref);
  }
  fail_unless_equals_uint64 (stat_of (in->element, "malformed"), 2);
  fail_unless_equals_uint64 (stat_of (in->element, "replayed"), 2);

  /* Nothing good in it: nothing is pushed. */
  GstBufferList *bad = gst_buffer_list_new ();
  for (guint i = 0; i < 4; i++)
    gst_buffer_list_insert (bad, -1, gst_buffer_new ());
  lists_seen = 0;
  fail_unless_equals_int (gst_pad_push_list (in->srcpad, bad), GST_FLOW_OK);
  fail_unless_equals_int (lists_seen, 0);
  check_sum (in->element, 40);

  srtp_dealloc (sender);
  srtp_dealloc (receiver);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
}
GST_END_TEST;

/* --- RTP and RTCP on one pad --- */

GST_START_TEST (rtcp_on_the_rtp_pad_is_told_apart)
{
  GstHarness *out = protect_harness (1), *in = unprotect_harness (1);
  GstHarness *rtcp =
      gst_harness_new_with_element (in->element, NULL, "rtcp_src");
  srtp_t sender = raw_of (SRTP_SEND, 1), receiver = raw_of (SRTP_RECEIVE, 1);
  guint8 bytes[512];

  GstBuffer *buffer = gst_harness_push_and_pull (out, rtcp_buffer ());
  int len = (int) gst_buffer_extract (buffer, 0, bytes, sizeof bytes);
  fail_unless_equals_int (srtp_unprotect_rtcp (receiver, bytes, &len), 0);
  gst_buffer_unref (buffer);

  buffer = gst_harness_push_and_pull (in, srtp_buffer (sender, 1));
  check_rtp (buffer, 1);
  gst_buffer_unref (buffer);
  fail_unless_equals_int (
      gst_harness_push (in, srtcp_buffer (sender)), GST_FLOW_OK);
  buffer = gst_harness_pull (rtcp);
  g_autoptr (GstBuffer) plain = rtcp_buffer ();
  GstMapInfo map;
  gst_buffer_map (plain, &map, GST_MAP_READ);
  gst_check_buffer_data (buffer, map.data, map.size);
  gst_buffer_unmap (plain, &map);
  gst_buffer_unref (buffer);
  fail_unless_equals_int ((int) gst_harness_buffers_in_queue (in), 0);
  /* stream-start, caps and segment came first. */
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (rtcp->sinkpad);
  fail_unless (gst_structure_has_name (
      gst_caps_get_structure (caps, 0), "application/x-rtcp"));
  g_autoptr (GstEvent) segment =
      gst_pad_get_sticky_event (rtcp->sinkpad, GST_EVENT_SEGMENT, 0);
  fail_unless (segment != NULL);
  fail_unless (gst_harness_push_event (in, gst_event_new_eos ()));
  g_autoptr (GstEvent) eos =
      gst_pad_get_sticky_event (rtcp->sinkpad, GST_EVENT_EOS, 0);
  fail_unless (eos != NULL);

  srtp_dealloc (sender);
  srtp_dealloc (receiver);
  gst_harness_teardown (rtcp);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
}
GST_END_TEST;

GST_START_TEST (rtcp_pads_do_rtcp_and_nothing_else)
{
  GstElement *protect = gst_element_factory_make ("srtpprotect", NULL),
             *unprotect = gst_element_factory_make ("srtpunprotect", NULL);
  srtp_t sender = raw_of (SRTP_SEND, 1), receiver = raw_of (SRTP_RECEIVE, 1);
  guint8 bytes[512];

  g_object_set (protect, "key", key_text (1), NULL);
  g_object_set (unprotect, "key", key_text (1), NULL);
  GstHarness *out = gst_harness_new_with_element (
                 protect, "rtcp_sink_7", "rtcp_src_7"),
             *in = gst_harness_new_with_element (
                 unprotect, "rtcp_sink", "rtcp_src");
  gst_harness_set_src_caps_str (out, "application/x-rtcp");
  gst_harness_set_src_caps_str (in, "application/x-srtcp");

  GstBuffer *buffer = gst_harness_push_and_pull (out, rtcp_buffer ());
  int len = (int) gst_buffer_extract (buffer, 0, bytes, sizeof bytes);
  fail_unless_equals_int (srtp_unprotect_rtcp (receiver, bytes, &len), 0);
  gst_buffer_unref (buffer);
  gst_buffer_unref (gst_harness_push_and_pull (in, srtcp_buffer (sender)));
  fail_unless_equals_int (gst_harness_push (out, rtp_buffer (1)), GST_FLOW_OK);
  fail_unless_equals_int (
      gst_harness_push (in, srtp_buffer (sender, 1)), GST_FLOW_OK);
  fail_unless_equals_int ((int) gst_harness_buffers_in_queue (out), 0);
  fail_unless_equals_int ((int) gst_harness_buffers_in_queue (in), 0);
  fail_unless_equals_uint64 (stat_of (protect, "malformed"), 1);
  fail_unless_equals_uint64 (stat_of (unprotect, "malformed"), 1);

  srtp_dealloc (sender);
  srtp_dealloc (receiver);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
  gst_object_unref (protect);
  gst_object_unref (unprotect);
}
GST_END_TEST;

/* --- An index is used once --- */

static void
push_refused (GstHarness *h, guint16 seq)
{
  guint before = gst_harness_buffers_in_queue (h);
  fail_unless_equals_int (gst_harness_push (h, rtp_buffer (seq)), GST_FLOW_OK);
  fail_unless (gst_harness_buffers_in_queue (h) == before,
      "sequence number %u was sent twice under one key", seq);
}

static void
push_sent (GstHarness *h, srtp_t receiver, guint16 seq)
{
  GstBuffer *buffer = gst_harness_push_and_pull (h, rtp_buffer (seq));
  check_srtp (receiver, buffer, seq);
  gst_buffer_unref (buffer);
}

GST_START_TEST (no_flush_state_or_key_action_has_an_index_used_again)
{
  GstHarness *h = protect_harness (1);
  srtp_t receiver = raw_of (SRTP_RECEIVE, 1);
  g_autoptr (GBytes) key = key_bytes (1), key2 = key_bytes (2);
  gboolean ok;

  for (guint seq = 1; seq < 65536; seq += 9000)
    push_sent (h, receiver, (guint16) seq);
  push_sent (h, receiver, 5); /* ROC 1 */

  gst_harness_push_event (h, gst_event_new_flush_start ());
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  push_refused (h, 5);
  push_sent (h, receiver, 6); /* in ROC 1: else libsrtp2 would not read it */

  gst_element_set_state (h->element, GST_STATE_READY);
  gst_element_set_state (h->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (h, RTP_CAPS);
  push_refused (h, 6);
  push_sent (h, receiver, 7);

  gst_element_set_state (h->element, GST_STATE_NULL);
  g_object_set (h->element, "key", key_text (1), NULL);
  gst_element_set_state (h->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (h, RTP_CAPS);
  push_refused (h, 7);
  push_sent (h, receiver, 8);

  g_signal_emit_by_name (h->element, "set-key", key, NULL, &ok);
  fail_unless (ok);
  push_refused (h, 8);
  push_sent (h, receiver, 9);

  /* Another key, and back: refused, since what was sent under the first is not known any more. */
  GstBus *bus = watch_bus (h->element);
  g_signal_emit_by_name (h->element, "set-key", key2, NULL, &ok);
  fail_unless (ok);
  g_signal_emit_by_name (h->element, "set-key", key, NULL, &ok);
  fail_if (ok);
  fail_unless_says (bus, GST_MESSAGE_WARNING, "fresh key");
  drop_bus (h->element, bus);
  srtp_t second = raw_of (SRTP_RECEIVE, 2);
  push_sent (h, second, 9);
  srtp_dealloc (second);
  srtp_dealloc (receiver);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (restarted_source_is_asked_to_take_another_ssrc)
{
  GstHarness *h = protect_harness (1);
  GstBus *bus = watch_bus (h->element);
  srtp_t receiver = raw_of (SRTP_RECEIVE, 1);
  guint collisions = 0, ssrc = 0;

  for (guint16 seq = 100; seq < 140; seq++)
    push_sent (h, receiver, seq);
  for (guint16 seq = 100; seq < 140; seq++)
    push_refused (h, seq);
  fail_unless_says (bus, GST_MESSAGE_WARNING, "new SSRC or a new key");
  fail_unless (
      gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING) == NULL); /* said once */
  GstEvent *event;
  while ((event = gst_harness_try_pull_upstream_event (h))) {
    const GstStructure *s = gst_event_get_structure (event);
    if (s && gst_structure_has_name (s, "GstRTPCollision")) {
      collisions++;
      gst_structure_get_uint (s, "ssrc", &ssrc);
    }
    gst_event_unref (event);
  }
  fail_unless_equals_int (collisions, 1);
  fail_unless_equals_uint64 (ssrc, SSRC);
  fail_unless_equals_uint64 (stat_of (h->element, "replayed"), 40);
  drop_bus (h->element, bus);
  srtp_dealloc (receiver);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* A real payloader follows, and the stream goes on. */
GST_START_TEST (payloader_with_a_fixed_ssrc_recovers_after_a_restart)
{
  GstElement *pay = gst_element_factory_make ("rtpL16pay", NULL),
             *protect = gst_element_factory_make ("srtpprotect", NULL);
  GstBin *bin = GST_BIN (gst_bin_new (NULL));
  guint sent = 0;

  g_object_set (pay, "ssrc", SSRC, "seqnum-offset", 50, "max-ptime",
      (gint64) 20000000, NULL);
  g_object_set (protect, "key", key_text (1), NULL);
  gst_bin_add_many (bin, pay, protect, NULL);
  fail_unless (gst_element_link_pads (pay, "src", protect, "rtp_sink_0"));
  g_autoptr (GstPad) sink = gst_element_get_static_pad (pay, "sink"),
                     src = gst_element_get_static_pad (protect, "rtp_src_0");
  gst_element_add_pad (GST_ELEMENT (bin), gst_ghost_pad_new ("sink", sink));
  gst_element_add_pad (GST_ELEMENT (bin), gst_ghost_pad_new ("src", src));
  GstHarness *h =
      gst_harness_new_with_element (GST_ELEMENT (bin), "sink", "src");

  for (guint run = 0; run < 2; run++) {
    gst_harness_set_src_caps_str (
        h, "audio/x-raw,format=S16BE,rate=8000,channels=1,layout=interleaved");
    for (guint i = 0; i < 60; i++) {
      GstBuffer *buffer = gst_buffer_new_allocate (NULL, 320, NULL);
      gst_buffer_memset (buffer, 0, 1, 320);
      GST_BUFFER_PTS (buffer) = i * 20 * GST_MSECOND;
      GST_BUFFER_DURATION (buffer) = 20 * GST_MSECOND;
      fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
    }
    sent = gst_harness_buffers_in_queue (h);
    gst_element_set_state (
        pay, GST_STATE_READY); /* starts at its sequence number again */
    gst_element_set_state (pay, GST_STATE_PLAYING);
  }
  fail_unless (sent >= 100, "%u packets sent", sent);
  gst_harness_teardown (h);
  gst_object_unref (bin);
}
GST_END_TEST;

/* --- Caps, pads, properties --- */

GST_START_TEST (caps_change_their_name_and_carry_no_key)
{
  GstHarness *out = protect_harness (1), *in = unprotect_harness (1);
  g_autoptr (GstCaps) want = gst_caps_from_string (SRTP_CAPS),
                      want_rtp = gst_caps_from_string (RTP_CAPS);

  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (out->sinkpad);
  fail_unless (gst_caps_is_strictly_equal (caps, want));
  /* What srtpenc puts there is taken away. */
  gst_harness_set_src_caps_str (in, SRTP_CAPS
      ",srtp-key=(buffer)00112233,srtp-cipher=aes-256-gcm,srtp-auth=null,srtcp-cipher=aes-256-gcm,"
      "srtcp-auth=null,mki=(buffer)01,srtp-key2=(buffer)00,mki2=(buffer)02,roc=(uint)3");
  g_autoptr (GstCaps) rtp = gst_pad_get_current_caps (in->sinkpad);
  fail_unless (gst_caps_is_strictly_equal (rtp, want_rtp));

  /* Asked, it answers with what the other side can do. */
  gst_harness_set_sink_caps_str (out, "application/x-srtp,payload=(int)111");
  g_autoptr (GstCaps) can = gst_pad_peer_query_caps (out->srcpad, NULL);
  g_autoptr (GstCaps) narrow =
      gst_caps_from_string ("application/x-rtp,payload=(int)111");
  fail_unless (gst_caps_is_equal (can, narrow));
  gst_harness_teardown (out);
  gst_harness_teardown (in);
}
GST_END_TEST;

/* As rtpbin needs it, and as srtpenc does it. */
GST_START_TEST (pads_come_in_pairs_and_go_in_pairs)
{
  GstElement *element = gst_element_factory_make ("srtpprotect", NULL);
  static const gchar *const names[] = { "rtp_sink_3", "rtcp_sink_3",
    "rtp_sink_%u", "rtp_sink_0" };
  static const gchar *const srcs[] = { "rtp_src_3", "rtcp_src_3", "rtp_src_4",
    "rtp_src_0" };
  GstPad *pads[4];

  for (guint i = 0; i < 4; i++) {
    pads[i] = gst_element_request_pad_simple (element, names[i]);
    fail_unless (pads[i] != NULL);
    g_autoptr (GstPad) src = gst_element_get_static_pad (element, srcs[i]);
    fail_unless (src != NULL, "no %s", srcs[i]);
    GstIterator *iterator = gst_pad_iterate_internal_links (pads[i]);
    GValue linked = G_VALUE_INIT;
    fail_unless_equals_int (
        gst_iterator_next (iterator, &linked), GST_ITERATOR_OK);
    fail_unless (g_value_get_object (&linked) == src);
    g_value_unset (&linked);
    gst_iterator_free (iterator);
  }
  fail_unless_equals_int (element->numpads, 8);
  for (guint i = 0; i < 4; i++) {
    gst_element_release_request_pad (element, pads[i]);
    gst_object_unref (pads[i]);
  }
  fail_unless_equals_int (element->numpads, 0);
  gst_object_unref (element);
}
GST_END_TEST;

static gpointer
push_until_it_fails (gpointer user_data)
{
  GstPad *src = user_data;
  guint16 seq = 0;
  while (gst_pad_push (src, rtp_buffer (seq++)) == GST_FLOW_OK)
    ;
  return NULL;
}

static GstFlowReturn
swallow (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

GST_START_TEST (pads_are_released_while_data_flows)
{
  GstElement *element = gst_element_factory_make ("srtpprotect", NULL);
  guint64 before = 0;

  g_object_set (element, "key", key_text (1), NULL);
  gst_element_set_state (element, GST_STATE_PLAYING);
  for (guint round = 0; round < 50; round++) {
    GstPad *sink = gst_element_request_pad_simple (element, "rtp_sink_%u"),
           *src = gst_pad_new ("src", GST_PAD_SRC);
    GstPad *end = gst_pad_new ("sink", GST_PAD_SINK);
    g_autofree gchar *name = g_strdup_printf ("rtp_src_%u", round);
    g_autoptr (GstPad) out = gst_element_get_static_pad (element, name);
    GstSegment segment;
    g_autoptr (GstCaps) caps = gst_caps_from_string (RTP_CAPS);

    gst_pad_set_chain_function (end, swallow);
    gst_pad_set_active (src, TRUE);
    gst_pad_set_active (end, TRUE);
    fail_unless_equals_int (gst_pad_link (src, sink), GST_PAD_LINK_OK);
    fail_unless_equals_int (gst_pad_link (out, end), GST_PAD_LINK_OK);
    gst_pad_push_event (src, gst_event_new_stream_start ("test"));
    gst_pad_push_event (src, gst_event_new_caps (caps));
    gst_segment_init (&segment, GST_FORMAT_TIME);
    gst_pad_push_event (src, gst_event_new_segment (&segment));
    GThread *thread = g_thread_new ("push", push_until_it_fails, src);
    guint64 now;
    do {
      g_thread_yield ();
      now = stat_of (element, "protected") + stat_of (element, "replayed")
            + stat_of (element, "too-old");
    } while (now < before + 20);
    before = now;
    gst_element_release_request_pad (element, sink);
    g_thread_join (thread);
    before = stat_of (element, "protected") + stat_of (element, "replayed")
             + stat_of (element, "too-old");
    gst_object_unref (sink);
    gst_object_unref (src);
    gst_object_unref (end);
  }
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (stats_tell_each_stream)
{
  GstHarness *h = unprotect_harness (1);
  srtp_t sender = raw_of (SRTP_SEND, 1);
  GstStructure *stats;

  for (guint seq = 1; seq < 70000; seq += 10000)
    gst_buffer_unref (
        gst_harness_push_and_pull (h, srtp_buffer (sender, (guint16) seq)));
  g_object_get (h->element, "stats", &stats, NULL);
  const GValue *streams = gst_structure_get_value (stats, "streams");
  fail_unless_equals_int ((int) gst_value_array_get_size (streams), 1);
  const GstStructure *s =
      gst_value_get_structure (gst_value_array_get_value (streams, 0));
  guint ssrc, roc, sequence;
  guint64 delivered;
  fail_unless (gst_structure_get (s, "ssrc", G_TYPE_UINT, &ssrc, "roc",
      G_TYPE_UINT, &roc, "sequence", G_TYPE_UINT, &sequence, "delivered",
      G_TYPE_UINT64, &delivered, NULL));
  fail_unless_equals_uint64 (ssrc, SSRC);
  fail_unless_equals_int (roc, 0);
  fail_unless_equals_int (sequence, 60001);
  fail_unless_equals_uint64 (delivered, 7);
  gst_structure_free (stats);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* --- Threads --- */

static gpointer
read_and_rekey (gpointer user_data)
{
  GstElement **elements = user_data;
  gboolean ok;

  for (guint i = 2; i < 4; i++) {
    g_autoptr (GBytes) key = key_bytes (i);
    g_signal_emit_by_name (elements[1], "rekey", key, NULL, &ok);
    for (guint k = 0; k < 50; k++) {
      stat_of (elements[0], "protected");
      stat_of (elements[1], "delivered");
    }
    g_signal_emit_by_name (elements[0], "rekey", key, NULL, &ok);
  }
  return NULL;
}

typedef struct
{
  GstHarness *out, *in;
  gboolean rtcp;
  guint lost;
} Lane;

static gpointer
run_lane (gpointer user_data)
{
  Lane *lane = user_data;
  for (guint16 seq = 1; seq < 1500; seq++) {
    GstBuffer *buffer = gst_harness_push_and_pull (
        lane->out, lane->rtcp ? rtcp_buffer () : rtp_buffer (seq));
    gst_harness_push (lane->in, buffer);
    buffer = gst_harness_try_pull (lane->in);
    lane->lost += buffer == NULL;
    gst_clear_buffer (&buffer);
  }
  return NULL;
}

GST_START_TEST (rtp_rtcp_and_rekeying_at_once_lose_nothing)
{
  GstElement *elements[] = { gst_element_factory_make ("srtpprotect", NULL),
    gst_element_factory_make ("srtpunprotect", NULL) };
  GThread *threads[3];

  g_object_set (elements[0], "key", key_text (1), NULL);
  g_object_set (elements[1], "key", key_text (1), NULL);
  Lane rtp = {
    gst_harness_new_with_element (elements[0], "rtp_sink_0", "rtp_src_0"),
    gst_harness_new_with_element (elements[1], "rtp_sink", "rtp_src"), FALSE, 0
  };
  Lane rtcp = { gst_harness_new_with_element (
                    elements[0], "rtcp_sink_0", "rtcp_src_0"),
    gst_harness_new_with_element (elements[1], "rtcp_sink", "rtcp_src"), TRUE,
    0 };
  gst_harness_set_src_caps_str (rtp.out, RTP_CAPS);
  gst_harness_set_src_caps_str (rtp.in, SRTP_CAPS);
  gst_harness_set_src_caps_str (rtcp.out, "application/x-rtcp");
  gst_harness_set_src_caps_str (rtcp.in, "application/x-srtcp");
  threads[0] = g_thread_new ("rtp", run_lane, &rtp);
  threads[1] = g_thread_new ("rtcp", run_lane, &rtcp);
  threads[2] = g_thread_new ("rekey", read_and_rekey, elements);
  for (guint i = 0; i < 3; i++)
    g_thread_join (threads[i]);
  fail_unless_equals_int (rtp.lost + rtcp.lost, 0);
  fail_unless_equals_uint64 (stat_of (elements[1], "delivered"), 2 * 1499);
  gst_harness_teardown (rtp.out);
  gst_harness_teardown (rtp.in);
  gst_harness_teardown (rtcp.out);
  gst_harness_teardown (rtcp.in);
  gst_object_unref (elements[0]);
  gst_object_unref (elements[1]);
}
GST_END_TEST;

static Suite *
srtpelements_suite (void)
{
  Suite *suite = suite_create ("srtpelements");
  TCase *tc = tcase_create ("packets");

  core_init ();
  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, packets_are_those_of_libsrtp2_and_back);
  tcase_add_test (
      tc, packets_in_several_memories_and_with_room_behind_are_the_same);
  tcase_add_test (tc, who_else_holds_a_packet_keeps_it_as_it_was);
  tcase_add_test (tc, memory_is_not_used_again_while_somebody_holds_it);
  tcase_add_test (tc, whole_list_in_whole_list_out);
  tcase_add_test (tc, rtcp_on_the_rtp_pad_is_told_apart);
  tcase_add_test (tc, rtcp_pads_do_rtcp_and_nothing_else);
  tcase_add_test (tc, no_flush_state_or_key_action_has_an_index_used_again);
  tcase_add_test (tc, restarted_source_is_asked_to_take_another_ssrc);
  tcase_add_test (tc, payloader_with_a_fixed_ssrc_recovers_after_a_restart);
  tc = tcase_create ("pads");
  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, caps_change_their_name_and_carry_no_key);
  tcase_add_test (tc, pads_come_in_pairs_and_go_in_pairs);
  tcase_add_test (tc, pads_are_released_while_data_flows);
  tcase_add_test (tc, stats_tell_each_stream);
  tcase_add_test (tc, rtp_rtcp_and_rekeying_at_once_lose_nothing);
  return suite;
}

GST_CHECK_MAIN (srtpelements)

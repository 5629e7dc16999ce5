/* icetransport over loopback: two elements that an application, or files, introduce to each other.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ice-side.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <unistd.h>

GST_START_TEST (packets_cross_both_ways_whole_and_in_order)
{
  Side a, b;
  pair_init (&a, &b);
  if (__i__)
    g_object_set (a.element, "media-sockets", FALSE,
        NULL); /* the way through libnice, facing the other one */
  pair_connect (&a, &b);

  for (guint i = 0; i < 100; i++) {
    fail_unless_equals_int (
        gst_pad_push (a.push, packet (i, 20 + i * 14)), GST_FLOW_OK);
    fail_unless_equals_int (
        gst_pad_push (b.push, packet (i, 1420 - i * 14)), GST_FLOW_OK);
  }
  fail_unless (
      wait_until (&b, has_arrived, 100) && wait_until (&a, has_arrived, 100));
  fail_unless_in_order (&a, 100);
  fail_unless_in_order (&b, 100);
  for (guint i = 0; i < 100; i++) {
    fail_unless_equals_uint64 (
        gst_buffer_get_size (g_ptr_array_index (b.arrived, i)), 20 + i * 14);
    fail_unless_equals_uint64 (
        gst_buffer_get_size (g_ptr_array_index (a.arrived, i)), 1420 - i * 14);
    fail_unless (GST_BUFFER_PTS_IS_VALID (
        (GstBuffer *) g_ptr_array_index (a.arrived, i)));
  }
  fail_unless_equals_uint64 (stat_of (&a, "packets-sent"), 100);
  fail_unless (stat_reaches (&b, "packets-delivered", 100));
  fail_unless_equals_uint64 (
      stat_of (&b, "bytes-delivered"), stat_of (&a, "bytes-sent"));
  sending_adds_up (&a);
  sending_adds_up (&b);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

/* A frame is equal packets and a rest: it leaves by UDP_SEGMENT and comes coalesced; odd sizes do not. */
GST_START_TEST (lists_of_any_sizes_arrive_as_they_were)
{
  Side a, b;
  guint total = 0;
  GRand *random = g_rand_new_with_seed (7);
  GArray *sizes = g_array_new (FALSE, FALSE, sizeof (gsize));

  pair_init (&a, &b);
  pair_connect (&a, &b);
  for (guint round = 0; round < 40; round++) {
    GstBufferList *list = gst_buffer_list_new ();
    guint n = (guint) g_rand_int_range (random, 1, 150);
    gsize size = (gsize) g_rand_int_range (random, 12, 1400);
    for (guint i = 0; i < n; i++) {
      gsize own = round % 2    ? (gsize) g_rand_int_range (random, 12, 1400)
                  : i + 1 == n ? 5 + size / 2
                               : size;
      GstBuffer *buffer = packet (total++, own);
      if (i % 3
          == 0) { /* a header in a memory of its own, as payloaders make it */
        GstMemory *whole = gst_buffer_get_all_memory (buffer);
        GstBuffer *split = gst_buffer_new ();
        gst_buffer_append_memory (split, gst_memory_share (whole, 0, 5));
        gst_buffer_append_memory (split, gst_memory_share (whole, 5, -1));
        gst_memory_unref (whole);
        gst_buffer_unref (buffer);
        buffer = split;
      }
      gst_buffer_list_add (list, buffer);
      g_array_append_val (sizes, own);
    }
    fail_unless_equals_int (gst_pad_push_list (a.push, list), GST_FLOW_OK);
    fail_unless (wait_until (&b, has_arrived, total), "%u of %u arrived",
        b.arrived->len, total);
  }
  fail_unless_in_order (&b, total);
  for (guint i = 0; i < total; i++)
    fail_unless_equals_uint64 (
        gst_buffer_get_size (g_ptr_array_index (b.arrived, i)),
        g_array_index (sizes, gsize, i));
  fail_unless (b.lists < total, "no packet came together with another one");
  sending_adds_up (&a);
  g_array_unref (sizes);
  g_rand_free (random);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (what_is_no_rtp_crosses_too)
{
  static const guint8 firsts[] = { 5, 20, 63, 64, 79, 127, 128, 191, 192,
    255 };
  Side a, b;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  for (guint i = 0; i < G_N_ELEMENTS (firsts); i++) {
    GstBuffer *buffer = packet (i, 100);
    gst_buffer_fill (buffer, 0, &firsts[i], 1);
    gst_pad_push (a.push, buffer);
    fail_unless (wait_until (&b, has_arrived, i + 1),
        "first byte %u did not arrive", firsts[i]);
  }
  fail_unless_in_order (&b, G_N_ELEMENTS (firsts));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (sizes_that_no_datagram_has_are_counted_not_sent)
{
  Side a, b;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  fail_unless_equals_int (
      gst_pad_push (a.push, gst_buffer_new ()), GST_FLOW_OK);
  fail_unless_equals_int (
      gst_pad_push (a.push, packet (0, 65508)), GST_FLOW_OK);
  fail_unless_equals_int (
      gst_pad_push (a.push, packet (0, 65507)), GST_FLOW_OK);
  fail_unless_equals_int (gst_pad_push (a.push, packet (1, 12)), GST_FLOW_OK);
  fail_unless (wait_until (&b, has_arrived, 2));
  fail_unless_in_order (&b, 2);
  fail_unless_equals_uint64 (stat_of (&a, "dropped-refused"), 2);
  sending_adds_up (&a);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (states_are_told_in_order_by_notify_and_message)
{
  static const char *const want[] = { "gathering", "connecting", "connected",
    "ready" };
  Side a, b;
  guint n = 0;

  pair_init (&a, &b);
  pair_connect (&a, &b);
  /* GObject merges notifications while somebody sets a property, so one may be left out; never the last. */
  for (guint i = 0, at = 0; i < a.states->len; i++) {
    while (at < G_N_ELEMENTS (want)
           && !g_str_equal (g_ptr_array_index (a.states, i), want[at]))
      at++;
    fail_unless (at < G_N_ELEMENTS (want), "state %s is out of order",
        (char *) g_ptr_array_index (a.states, i));
  }
  fail_unless (is_ready (&a, 0));

  GstMessage *message;
  gboolean pair = FALSE;
  while (n < G_N_ELEMENTS (want)) {
    message = gst_bus_timed_pop_filtered (
        a.bus, 10 * GST_SECOND, GST_MESSAGE_ELEMENT);
    fail_unless (message != NULL);
    const GstStructure *s = gst_message_get_structure (message);
    if (gst_structure_has_name (s, "conclave-ice-state"))
      fail_unless_equals_string (
          gst_structure_get_string (s, "state"), want[n++]);
    pair |= gst_structure_has_name (s, "conclave-ice-pair");
    gst_message_unref (message);
  }
  fail_unless_equals_int (n, G_N_ELEMENTS (want));
  fail_unless (pair);
  g_autofree char *selected = NULL;
  g_object_get (a.element, "selected-pair", &selected, NULL);
  fail_unless (g_str_has_prefix (selected, "host 127.0.0.1:")
                   && strstr (selected, " -> host 127.0.0.1:"),
      "%s", selected);
  fail_unless (a.keyframes > 0, "no keyframe was asked for");
  fail_unless (a.descriptions > 0 && a.candidates->len > 0);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

static void
pass_credentials_only (GstElement *from, const char *text, GstElement *to)
{
  g_autofree char *head =
      g_strndup (text, (gsize) (strstr (text, "m=audio") - text));
  g_object_set (to, "remote-description", head, NULL);
}

static void
pass_candidate (GstElement *from, const char *candidate, GstElement *to)
{
  g_signal_emit_by_name (to, "add-ice-candidate", candidate);
}

GST_START_TEST (descriptions_may_trickle_in_pieces)
{
  Side a, b;
  side_init (&a, TRUE);
  side_init (&b, FALSE);
  /* a hears of b whole; b hears of a by candidates, which come before the credentials they belong to. */
  g_signal_connect (b.element, "local-description-changed",
      G_CALLBACK (pass_description), a.element);
  g_signal_connect (
      a.element, "on-ice-candidate", G_CALLBACK (pass_candidate), b.element);
  fail_unless_equals_int (gst_element_set_state (b.element, GST_STATE_PLAYING),
      GST_STATE_CHANGE_SUCCESS);
  play (&a);
  fail_unless (wait_until (&a, has_descriptions, 1));
  g_autofree char *text = NULL;
  g_object_get (a.element, "local-description", &text, NULL);
  pass_credentials_only (a.element, text, b.element);
  fail_unless (wait_until (&a, is_ready, 0) && wait_until (&b, is_ready, 0),
      "no connection");
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (what_was_told_before_the_start_is_used)
{
  Side a, b;
  g_autofree char *text = NULL;
  side_init (&a, TRUE);
  side_init (&b, FALSE);
  g_signal_connect (b.element, "local-description-changed",
      G_CALLBACK (pass_description), a.element);
  play (&a);
  fail_unless (wait_until (&a, has_descriptions, 1));
  g_object_get (a.element, "local-description", &text, NULL);
  g_object_set (b.element, "remote-description", text, NULL); /* in NULL */
  play (&b);
  fail_unless (wait_until (&a, is_ready, 0) && wait_until (&b, is_ready, 0),
      "no connection");
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (packets_wait_for_the_connection_and_the_oldest_go)
{
  Side a, b;
  pair_init (&a, &b);
  g_object_set (a.element, "max-queued", 10, NULL);
  play (&a);
  for (guint i = 0; i < 30; i++)
    fail_unless_equals_int (
        gst_pad_push (a.push, packet (i, 100)), GST_FLOW_OK);
  fail_unless_equals_uint64 (stat_of (&a, "queued"), 10);
  fail_unless_equals_uint64 (stat_of (&a, "dropped-queue-full"), 20);
  fail_unless (wait_until (&a, has_descriptions, 1));
  play (&b);
  /* b missed a's first words: they are still there to read. */
  g_autofree char *text = NULL;
  g_object_get (a.element, "local-description", &text, NULL);
  g_object_set (b.element, "remote-description", text, NULL);
  fail_unless (wait_until (&b, has_arrived, 10));
  for (guint i = 0; i < 10; i++)
    fail_unless_equals_int (
        number_of (g_ptr_array_index (b.arrived, i)), 20 + i);
  sending_adds_up (&a);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (a_restart_loses_nothing)
{
  Side a, b;
  g_autofree char *before = NULL;
  guint sent = 0;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  g_object_get (a.element, "local-description", &before, NULL);

  for (guint round = 0; round < 3; round++) {
    guint pairs_a = a.pairs, pairs_b = b.pairs;
    g_signal_emit_by_name (__i__ ? b.element : a.element, "restart");
    /* Packets flow while it happens, one at a time so that none can be lost to a full buffer. */
    do {
      gst_pad_push (a.push, packet (sent++, 200));
      fail_unless (wait_until (&b, has_arrived, sent),
          "packet %u was lost in restart %u", sent, round);
    } while (a.pairs == pairs_a || b.pairs == pairs_b);
    fail_unless_equals_uint64 (stat_of (&a, "restarts"), round + 1);
    fail_unless_equals_uint64 (stat_of (&b, "restarts"), round + 1);
  }
  for (guint i = 0; i < 50; i++) {
    gst_pad_push (a.push, packet (sent++, 200));
    fail_unless (wait_until (&b, has_arrived, sent),
        "packet %u was lost after the restart", sent);
  }
  fail_unless_in_order (&b, sent);
  g_autofree char *after = NULL;
  g_object_get (a.element, "local-description", &after, NULL);
  fail_if (strcmp (before, after) == 0);
  for (guint i = 0; i < a.states->len; i++)
    fail_if (g_str_equal (g_ptr_array_index (a.states, i), "disconnected"));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

static void
use_files (Side *side, const char *dir, const char *own, const char *other)
{
  g_autofree char *local = g_build_filename (dir, own, NULL);
  g_autofree char *remote = g_build_filename (dir, other, NULL);
  g_object_set (side->element, "local-description-location", local,
      "remote-description-location", remote, NULL);
}

/* 0: a first; 1: b first; 2: with files of an earlier run, whose other ends are gone. */
GST_START_TEST (files_connect_in_either_order_and_are_removed)
{
  static const char stale[] =
      "a=ice-pwd:0123456789012345678901\r\na=ice-ufrag:dead\r\nm=audio 9 RTP/AVP 0\r\n"
      "a=candidate:1 1 UDP 2130706431 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n";
  Side a, b;
  g_autofree char *dir = temporary_dir ();
  g_autofree char *file_a = g_build_filename (dir, "a.sdp", NULL);
  g_autofree char *file_b = g_build_filename (dir, "b.sdp", NULL);
  GStatBuf info;

  side_init (&a, TRUE);
  side_init (&b, FALSE);
  use_files (&a, dir, "a.sdp", "b.sdp");
  use_files (&b, dir, "b.sdp", "a.sdp");
  if (__i__ == 2) {
    g_file_set_contents (file_a, stale, -1, NULL);
    g_file_set_contents (file_b, stale, -1, NULL);
  }
  play (__i__ == 1 ? &b : &a);
  if (__i__
      < 2) /* only when the first one has written its file does the second start */
    fail_unless (wait_until (__i__ == 1 ? &b : &a, has_descriptions, 1));
  play (__i__ == 1 ? &a : &b);
  fail_unless (wait_until (&a, is_ready, 0) && wait_until (&b, is_ready, 0),
      "no connection");

  fail_unless_equals_int (g_stat (file_a, &info), 0);
  fail_unless_equals_int (info.st_mode & 0777, 0600);
  gst_pad_push (a.push, packet (0, 100));
  fail_unless (wait_until (&b, has_arrived, 1));
  side_clear (&a);
  side_clear (&b);
  fail_if (g_file_test (file_a, G_FILE_TEST_EXISTS)
           || g_file_test (file_b, G_FILE_TEST_EXISTS));
  fail_unless_equals_int (g_rmdir (dir), 0);
}
GST_END_TEST

/* The far side starts anew and so has other credentials; who stays follows. */
GST_START_TEST (a_far_end_that_starts_anew_is_found_again)
{
  Side a, b;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  for (guint round = 0; round < 3; round++) {
    g_autofree char *text = NULL;
    fail_unless_equals_int (gst_element_set_state (b.element, GST_STATE_NULL),
        GST_STATE_CHANGE_SUCCESS);
    g_mutex_lock (&b.lock);
    g_ptr_array_set_size (b.states, 0);
    g_ptr_array_set_size (b.arrived, 0);
    g_mutex_unlock (&b.lock);
    play (&b);
    g_object_get (a.element, "local-description", &text, NULL);
    g_object_set (b.element, "remote-description", text, NULL);
    fail_unless (
        wait_until (&b, is_ready, 0), "no connection in round %u", round);
    /* What is sent before the new path stands goes where the far end was. */
    gint64 end = g_get_monotonic_time () + WAIT;
    do
      gst_pad_push (a.push, packet (0, 100));
    while (!arrives_within (&b, 20) && g_get_monotonic_time () < end);
    fail_unless (wait_until (&b, has_arrived, 1));
  }
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (settings_that_cannot_work_are_refused_with_what_would)
{
  static const struct
  {
    const char *property, *value, *text;
  } rows[] = {
    { "stun-server", "stun://", "stun://host:3478" },
    { "turn-servers", "turn://relay.example.org",
        "turn://user:password@host:port" },
    { "turn-servers-location", "/nonexistent/turn", "check its name" },
    { "bind-address", "localhost", "IP addresses" },
    { "bind-address", "192.0.2.77", "192.0.2.77, which this machine" },
    { "bind-address", "127.0.0.1,2001:db8::77", "2001:db8::77, which this" },
    { "force-relay", "true", "turn-servers" },
    { "port-max", "1000", "port-min" },
    { "caps", "application/x-rtp,payload=[96,127]", "without ranges" },
    { "caps", "application/x-rtp; application/x-rtcp", "without ranges" },
    { "caps", "ANY", "without ranges" },
    { "caps", "EMPTY", "without ranges" },
  };
  Side a;
  side_init (&a, TRUE);
  gst_util_set_object_arg (
      G_OBJECT (a.element), rows[__i__].property, rows[__i__].value);
  fail_unless_equals_int (gst_element_set_state (a.element, GST_STATE_PLAYING),
      GST_STATE_CHANGE_FAILURE);
  fail_unless_error (&a, rows[__i__].text, NULL);
  side_clear (&a);
}
GST_END_TEST

GST_START_TEST (without_a_description_the_time_runs_out)
{
  Side a;
  side_init (&a, TRUE);
  g_object_set (a.element, "connect-timeout", 1, "remote-description-location",
      "/nonexistent/b.sdp", NULL);
  play (&a);
  fail_unless_error (&a, "start the other side", "/nonexistent/b.sdp");
  fail_unless_equals_string (
      g_ptr_array_index (a.states, a.states->len - 1), "failed");
  side_clear (&a);
}
GST_END_TEST

GST_START_TEST (a_file_that_cannot_be_written_is_an_error_at_once)
{
  Side a;
  side_init (&a, TRUE);
  g_object_set (
      a.element, "local-description-location", "/nonexistent/a.sdp", NULL);
  play (&a);
  fail_unless_error (&a, "/nonexistent/a.sdp", NULL);
  side_clear (&a);
}
GST_END_TEST

/* A socket that is there and never answers, one that is gone, and a far end that knows other credentials. */
GST_START_TEST (a_failure_says_what_each_pair_answered)
{
  Side a, b;
  struct sockaddr_in address = { .sin_family = AF_INET,
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t len = sizeof address;
  g_autofree char *theirs = NULL;
  g_autoptr (GString) text = g_string_new (
      "a=ice-ufrag:wrong\r\na=ice-pwd:0123456789012345678901\r\n");

  int silent = socket (AF_INET, SOCK_DGRAM, 0);
  fail_unless (
      bind (silent, (struct sockaddr *) &address, len) == 0
      && getsockname (silent, (struct sockaddr *) &address, &len) == 0);
  guint silent_port = g_ntohs (address.sin_port);
  address.sin_port = 0;
  int gone = socket (AF_INET, SOCK_DGRAM, 0);
  fail_unless (bind (gone, (struct sockaddr *) &address, len) == 0
               && getsockname (gone, (struct sockaddr *) &address, &len) == 0);
  guint gone_port = g_ntohs (address.sin_port);
  close (gone);

  side_init (&a, TRUE);
  side_init (&b, FALSE);
  g_object_set (a.element, "connect-timeout", 2, NULL);
  play (&b);
  fail_unless (wait_until (&b, has_descriptions, 1));
  g_object_get (b.element, "local-description", &theirs, NULL);
  g_string_append (text, strstr (theirs, "m=audio"));
  g_string_append_printf (
      text, "a=candidate:8 1 UDP 5 127.0.0.1 %u typ host\r\n", silent_port);
  g_string_append_printf (
      text, "a=candidate:9 1 UDP 4 127.0.0.1 %u typ host\r\n", gone_port);
  g_object_set (a.element, "remote-description", text->str, NULL);
  play (&a);

  GstMessage *message = await_message (&a, GST_MESSAGE_ERROR);
  fail_unless (message != NULL, "no error");
  g_autoptr (GError) error = NULL;
  g_autofree char *detail = NULL;
  gst_message_parse_error (message, &error, &detail);
  gst_message_unref (message);
  g_autofree char *no_answer =
      g_strdup_printf ("-> host 127.0.0.1:%u (udp): no answer", silent_port);
  g_autofree char *refused =
      g_strdup_printf ("-> host 127.0.0.1:%u (udp): refused", gone_port);
  fail_unless (strstr (error->message, "within 2 s"), "%s", error->message);
  fail_unless (strstr (detail, no_answer), "%s", detail);
  fail_unless (strstr (detail, refused), "%s", detail);
  fail_unless (strstr (detail, "401"), "%s", detail);
  close (silent);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (eos_of_upstream_ends_sending_and_eos_of_the_pipeline_all)
{
  Side a, b;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  gst_pad_push_event (a.push, gst_event_new_eos ());
  GstMessage *message = await_message (&a, GST_MESSAGE_EOS);
  fail_unless (message != NULL);
  gst_message_unref (message);
  gst_pad_push (b.push, packet (0, 100)); /* still receives */
  fail_unless (wait_until (&a, has_arrived, 1));
  fail_if (a.eos);
  gst_element_send_event (a.element, gst_event_new_eos ());
  fail_unless (wait_until (&a, is_eos, 0));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (it_is_live_and_adds_no_latency)
{
  Side a;
  gboolean live = FALSE;
  GstClockTime min = 1, max = 0;
  side_init (&a, TRUE);
  play (&a);
  GstQuery *query = gst_query_new_latency ();
  fail_unless (gst_pad_peer_query (a.take, query));
  gst_query_parse_latency (query, &live, &min, &max);
  fail_unless (live && min == 0 && max == GST_CLOCK_TIME_NONE);
  gst_query_unref (query);
  side_clear (&a);
}
GST_END_TEST

static gboolean
has_caps (Side *side, guint n)
{
  return side->caps != NULL;
}

GST_START_TEST (caps_are_those_of_the_property)
{
  Side a, b;
  g_autoptr (GstCaps) caps =
      gst_caps_from_string ("application/x-rtp,media=audio,clock-rate=48000");
  pair_init (&a, &b);
  g_object_set (b.element, "caps", caps, NULL);
  pair_connect (&a, &b);
  gst_pad_push (a.push, packet (0, 100));
  fail_unless (
      wait_until (&b, has_arrived, 1) && wait_until (&b, has_caps, 0));
  fail_unless (gst_caps_is_equal (b.caps, caps));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (a_hundred_restarts_leave_no_descriptor_thread_or_memory)
{
  Side a, b;
  guint descriptors = 0, threads = 0;
  gsize memory = 0;
  gboolean slow = g_getenv ("CONCLAVE_SLOW")
                  != NULL; /* under valgrind, which finds leaks by itself */
  guint rounds = slow ? 20 : 100;

  pair_init (&a, &b);
  for (guint round = 0; round < rounds; round++) {
    g_mutex_lock (&a.lock);
    g_ptr_array_set_size (a.states, 0);
    g_ptr_array_set_size (a.arrived, 0);
    g_mutex_unlock (&a.lock);
    g_mutex_lock (&b.lock);
    g_ptr_array_set_size (b.states, 0);
    g_ptr_array_set_size (b.arrived, 0);
    g_mutex_unlock (&b.lock);
    pair_connect (&a, &b);
    gst_pad_push (a.push, packet (0, 100));
    gst_pad_push (b.push, packet (0, 100));
    fail_unless (
        wait_until (&b, has_arrived, 1) && wait_until (&a, has_arrived, 1));
    GstState down = round % 2 ? GST_STATE_READY : GST_STATE_NULL;
    fail_unless_equals_int (
        gst_element_set_state (a.element, down), GST_STATE_CHANGE_SUCCESS);
    fail_unless_equals_int (
        gst_element_set_state (b.element, down), GST_STATE_CHANGE_SUCCESS);
    GstMessage *message;
    while ((message = gst_bus_pop (a.bus)) || (message = gst_bus_pop (b.bus)))
      gst_message_unref (message);
    g_ptr_array_set_size (a.candidates, 0);
    g_ptr_array_set_size (b.candidates, 0);
    if (round == rounds / 5) { /* caches are full by now */
      descriptors = count_entries ("/proc/self/fd");
      threads = count_entries ("/proc/self/task");
      memory = allocated_bytes ();
    }
  }
  fail_unless (count_entries ("/proc/self/fd") <= descriptors);
  fail_unless (
      count_entries ("/proc/self/task")
      <= threads + 1); /* a thread that is just ending may still be listed */
  /* GnuTLS, on which libnice draws transaction IDs, keeps 192 bytes for each thread that ever asked it for random
   * numbers, until the process ends: some 900 bytes a round here. Anything of ours would be far more. */
  gsize now = allocated_bytes (), grown = now > memory ? now - memory : 0;
  fail_unless (slow || grown < rounds * 1536, "%zu bytes more after %u rounds",
      grown, rounds);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (pausing_keeps_the_connection)
{
  Side a, b;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  for (guint i = 0; i < 5; i++) {
    fail_unless_equals_int (
        gst_element_set_state (b.element, GST_STATE_PAUSED),
        GST_STATE_CHANGE_NO_PREROLL);
    gst_pad_push (a.push, packet (i, 100)); /* waits in the kernel */
    fail_unless_equals_int (
        gst_element_set_state (b.element, GST_STATE_PLAYING),
        GST_STATE_CHANGE_SUCCESS);
    fail_unless (wait_until (&b, has_arrived, i + 1));
  }
  fail_unless_in_order (&b, 5);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

static Suite *
icetransport_suite (void)
{
  Suite *s = suite_create ("icetransport");
  TCase *t = tcase_create ("loopback");

  suite_add_tcase (s, t);
  tcase_set_timeout (t, 120);
  tcase_add_loop_test (t, packets_cross_both_ways_whole_and_in_order, 0, 2);
  tcase_add_test (t, lists_of_any_sizes_arrive_as_they_were);
  tcase_add_test (t, what_is_no_rtp_crosses_too);
  tcase_add_test (t, sizes_that_no_datagram_has_are_counted_not_sent);
  tcase_add_test (t, states_are_told_in_order_by_notify_and_message);
  tcase_add_test (t, descriptions_may_trickle_in_pieces);
  tcase_add_test (t, what_was_told_before_the_start_is_used);
  tcase_add_test (t, packets_wait_for_the_connection_and_the_oldest_go);
  tcase_add_loop_test (t, a_restart_loses_nothing, 0, 2);
  tcase_add_loop_test (t, files_connect_in_either_order_and_are_removed, 0, 3);
  tcase_add_test (t, a_far_end_that_starts_anew_is_found_again);
  tcase_add_loop_test (
      t, settings_that_cannot_work_are_refused_with_what_would, 0, 12);
  tcase_add_test (t, without_a_description_the_time_runs_out);
  tcase_add_test (t, a_file_that_cannot_be_written_is_an_error_at_once);
  tcase_add_test (t, a_failure_says_what_each_pair_answered);
  tcase_add_test (t, eos_of_upstream_ends_sending_and_eos_of_the_pipeline_all);
  tcase_add_test (t, it_is_live_and_adds_no_latency);
  tcase_add_test (t, caps_are_those_of_the_property);
  tcase_add_test (t, a_hundred_restarts_leave_no_descriptor_thread_or_memory);
  tcase_add_test (t, pausing_keeps_the_connection);
  return s;
}

GST_CHECK_MAIN (icetransport)

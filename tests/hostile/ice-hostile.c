/* What strangers, liars and crowds can do to icetransport: floods of STUN, RTP and noise at its port, descriptions that
 * are wrong or endless, more packets than anybody can take. Bounded, counted, and the call goes on.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/check/ice-side.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CHECKS                                                            \
  20 /* STUN messages that may come to a full buffer during a test */
#define SETTLED                                                               \
  5000000 /* us without anything new: it will not come any more */

static guint
port_of (Side *side)
{
  g_autofree char *text = NULL;
  guint port = 0;
  g_object_get (side->element, "local-description", &text, NULL);
  fail_unless (text != NULL);
  fail_unless_equals_int (
      sscanf (strstr (text, "127.0.0.1 "), "127.0.0.1 %u", &port), 1);
  return port;
}

static int
stranger (guint port)
{
  struct sockaddr_in to = { .sin_family = AF_INET,
    .sin_port = g_htons ((guint16) port),
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_DGRAM, 0);
  fail_unless (
      fd >= 0 && connect (fd, (struct sockaddr *) &to, sizeof to) == 0);
  return fd;
}

static gboolean
was_connected (Side *side, guint n)
{
  for (guint i = 0; i < side->states->len; i++)
    if (g_str_equal (g_ptr_array_index (side->states, i), "connected"))
      return TRUE;
  return FALSE;
}

/* A Binding request (RFC 8489) of this user name, with whatever integrity and fingerprint. */
static gsize
make_stun (guint8 *out, const char *user, GRand *random)
{
  gsize user_len = strlen (user), padded = (user_len + 3) & ~(gsize) 3,
        len = 4 + padded + 24 + 8;
  memset (out, 0, 20 + len);
  out[1] = 0x01;
  out[2] = (guint8) (len >> 8);
  out[3] = (guint8) len;
  memcpy (out + 4, "\x21\x12\xa4\x42", 4);
  for (guint i = 8; i < 20; i++)
    out[i] = (guint8) g_rand_int (random);
  memcpy (out + 20, "\x00\x06", 2);
  out[22] = (guint8) (user_len >> 8);
  out[23] = (guint8) user_len;
  memcpy (out + 24, user, user_len);
  guint8 *at = out + 24 + padded;
  memcpy (at, "\x00\x08\x00\x14", 4);
  for (guint i = 4; i < 24; i++)
    at[i] = (guint8) g_rand_int (random);
  memcpy (at + 24, "\x80\x28\x00\x04", 4);
  return 20 + len;
}

/* 30,000 packets of every kind from a stranger, while a call goes on: not one of its packets is lost. */
GST_START_TEST (floods_from_strangers_do_not_touch_a_call)
{
  Side a, b;
  guint8 bytes[1500];
  guint sent = 0, media = 0;
  GRand *random = g_rand_new_with_seed (11);

  pair_init (&a, &b);
  pair_connect (&a, &b);
  guint port = port_of (&b);
  int fd = stranger (port);
  g_autofree char *ufrag = NULL;
  g_autofree char *text = NULL;
  g_object_get (b.element, "local-description", &text, NULL);
  ufrag = g_strndup (strstr (text, "a=ice-ufrag:") + 12, 4);
  g_autofree char *user = g_strdup_printf ("%s:abcd", ufrag);
  gsize memory = allocated_bytes ();

  for (guint i = 0; i < 30000; i++) {
    gsize size;
    switch (i % 5) {
      case 0: /* a user name that is right, a password that is not */
        size = make_stun (bytes, user, random);
        break;
      case 1: /* STUN that lies about its lengths */
        size = make_stun (bytes, "x", random);
        bytes[3] = (guint8) (4 * g_rand_int_range (random, 0, 60));
        bytes[23] = (guint8) g_rand_int (random);
        break;
      case 2: /* RTP of somebody who takes no part */
        size = (gsize) g_rand_int_range (random, 1, 1400);
        memset (bytes, 0x80, size);
        media++;
        break;
      case 3: /* TURN channel data, DTLS, anything */
        size = (gsize) g_rand_int_range (random, 1, 1400);
        memset (bytes, g_rand_int_range (random, 4, 128), size);
        break;
      default:
        size = (gsize) g_rand_int_range (random, 0, 1400);
        for (gsize k = 0; k < size; k++)
          bytes[k] = (guint8) g_rand_int (random);
        if (size)
          bytes[0] &= 0x3f;
        break;
    }
    (void) !send (fd, bytes, size, 0);
    if (i % 100 == 0) {
      gst_pad_push (a.push, packet (sent++, 300));
      fail_unless (wait_until (&b, has_arrived, sent),
          "packet %u of the call was lost in the flood", sent);
    }
  }
  fail_unless_in_order (&b, sent);
  gst_pad_push (b.push, packet (0, 100));
  fail_unless (wait_until (&a, has_arrived, 1));
  fail_unless (is_ready (&b, 0), "the call ended");

  /* All of the stranger's RTP is refused, or dropped by the kernel, but for a few that wait to be known. */
  guint64 unknown, kernel;
  gint64 end = g_get_monotonic_time () + WAIT;
  do {
    g_usleep (LOOK_AGAIN);
    unknown = stat_of (&b, "dropped-unknown-source");
    kernel = stat_of (&b, "dropped-by-kernel");
  } while (unknown + kernel + 64 < media && g_get_monotonic_time () < end);
  fail_unless (unknown + kernel + 64 >= media && unknown <= media,
      "%u sent, %" G_GUINT64_FORMAT " refused, %" G_GUINT64_FORMAT " lost",
      media, unknown, kernel);
  gsize now = allocated_bytes ();
  fail_unless (now < memory + 4 * 1024 * 1024, "%zu bytes more", now - memory);
  close (fd);
  g_rand_free (random);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (rtp_before_the_connection_is_counted_and_goes_nowhere)
{
  Side b;
  guint8 bytes[200];
  side_init (&b, FALSE);
  play (&b);
  fail_unless (wait_until (&b, has_descriptions, 1));
  int fd = stranger (port_of (&b));
  memset (bytes, 0x80, sizeof bytes);
  for (guint i = 0; i < 1000; i++)
    (void) !send (fd, bytes, sizeof bytes, 0);
  gint64 end = g_get_monotonic_time () + WAIT;
  while (stat_of (&b, "packets-received") + stat_of (&b, "dropped-by-kernel")
             < 1000
         && g_get_monotonic_time () < end)
    g_usleep (LOOK_AGAIN);
  fail_unless_equals_uint64 (
      stat_of (&b, "packets-received") + stat_of (&b, "dropped-by-kernel"),
      1000);
  fail_unless_equals_int (b.arrived->len, 0);
  close (fd);
  fail_unless_equals_int (gst_element_set_state (b.element, GST_STATE_NULL),
      GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_uint64 (stat_of (&b, "dropped-unknown-source"),
      stat_of (&b, "packets-received"));
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (ten_thousand_candidates_do_not_keep_a_call_from_coming_about)
{
  Side a, b;
  g_autofree char *theirs = NULL;
  side_init (&a, TRUE);
  side_init (&b, FALSE);
  g_signal_connect (a.element, "local-description-changed",
      G_CALLBACK (pass_description), b.element);
  play (&b);
  fail_unless (wait_until (&b, has_descriptions, 1));
  g_object_get (b.element, "local-description", &theirs, NULL);
  g_autoptr (GString) text = g_string_new (theirs);
  for (guint i = 0; i < 10000; i++)
    g_string_append_printf (text,
        "a=candidate:%u 1 UDP %u 127.%u.%u.1 9 typ host\r\n", i, 1000 + i,
        1 + i / 250, i % 250);
  g_object_set (a.element, "remote-description", text->str, NULL);
  play (&a);
  /* The first hundred are taken, the far end's own among them. Ready comes when all of the others were given up. */
  fail_unless (wait_until (&a, was_connected, 0), "no connection");
  gst_pad_push (a.push, packet (0, 100));
  fail_unless (wait_until (&b, has_arrived, 1), "nothing arrives");
  fail_unless_equals_uint64 (stat_of (&a, "candidates-skipped"), 10001 - 100);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (
    nonsense_instead_of_a_description_is_counted_and_warned_of_once)
{
  static const char *const nonsense[] = { "hello", "a=ice-ufrag:abcd",
    "\xff\xfe\x01", "a=ice-ufrag:a b\na=ice-pwd:x",
    "candidate:1 1 UDP 1 127.0.0.1 9 typ host" };
  Side a, b;
  guint warnings = 0;
  pair_init (&a, &b);
  play (&a);
  for (guint round = 0; round < 20; round++)
    for (gsize i = 0; i < G_N_ELEMENTS (nonsense); i++)
      g_object_set (a.element, "remote-description", nonsense[i], NULL);
  for (guint i = 0; i < 1000; i++)
    g_signal_emit_by_name (a.element, "add-ice-candidate",
        i % 2 ? "candidate:nonsense"
              : "a=candidate:1 1 UDP 1 10.0.0.1 9 typ host");
  play (&b);
  g_autofree char *text = NULL;
  fail_unless (wait_until (&a, has_descriptions, 1));
  g_object_get (a.element, "local-description", &text, NULL);
  g_object_set (b.element, "remote-description", text, NULL);
  fail_unless (wait_until (&b, is_ready, 0), "no connection after all");
  fail_unless_equals_uint64 (stat_of (&a, "descriptions-refused"), 100);
  fail_unless_equals_uint64 (stat_of (&a, "candidates-skipped"), 500);
  GstMessage *message;
  while ((message = gst_bus_pop_filtered (a.bus, GST_MESSAGE_WARNING))) {
    warnings++;
    gst_message_unref (message);
  }
  fail_unless_equals_int (warnings, 1);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

/* A far end that restarts without end: each time is a new link here. */
GST_START_TEST (a_thousand_descriptions_leave_nothing_behind)
{
  Side a, b;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  guint descriptors = count_entries ("/proc/self/fd"),
        threads = count_entries ("/proc/self/task");
  for (guint i = 0; i < 1000; i++) {
    g_autofree char *text = g_strdup_printf (
        "a=ice-ufrag:u%05u\na=ice-pwd:0123456789012345678901\nm=audio 9 RTP/AVP 0\n"
        "a=candidate:1 1 UDP 1 127.0.0.1 9 typ host\n",
        i);
    g_object_set (a.element, "remote-description", text, NULL);
  }
  gst_pad_push (a.push,
      packet (0, 100)); /* the old path stands as long as no other does */
  fail_unless (wait_until (&b, has_arrived, 1));
  /* One link that is being connected besides the one in use: its sockets, its thread. */
  gint64 end = g_get_monotonic_time () + WAIT;
  while ((stat_of (&a, "restarts") == 0
             || count_entries ("/proc/self/task") > threads + 2)
         && g_get_monotonic_time () < end)
    g_usleep (LOOK_AGAIN);
  fail_unless (count_entries ("/proc/self/fd") <= descriptors + 12,
      "%u descriptors, before %u", count_entries ("/proc/self/fd"),
      descriptors);
  fail_unless (count_entries ("/proc/self/task") <= threads + 2);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

/* Everything that was sent is delivered, or counted where it was dropped. 0: media sockets, 1: through libnice. */
GST_START_TEST (overload_delivers_what_it_can_and_counts_the_rest)
{
  Side a, b;
  const guint total =
      g_getenv ("CONCLAVE_SLOW") ? 4000 : 200000; /* slow: under valgrind */
  guint sent = 0;

  pair_init (&a, &b);
  g_object_set (b.element, "media-sockets", __i__ == 0, NULL);
  pair_connect (&a, &b);
  b.keep_nothing = TRUE;
  gsize memory = allocated_bytes ();
  while (sent < total) {
    GstBufferList *list = gst_buffer_list_new_sized (40);
    for (guint i = 0; i < 40; i++)
      gst_buffer_list_add (list, packet (sent++, 1200));
    gst_pad_push_list (a.push, list);
  }
  gst_pad_push_event (a.push,
      gst_event_new_flush_start ()); /* what still waits to be sent is counted as discarded */
  gst_pad_push_event (a.push, gst_event_new_flush_stop (TRUE));
  guint64 left = stat_of (&a, "packets-sent"), seen, last = 0;
  gint64 since = g_get_monotonic_time ();
  do { /* what is on its way comes in, or was dropped */
    seen = stat_of (&b, "packets-delivered")
           + stat_of (&b, "dropped-by-kernel")
           + stat_of (&b, "dropped-overload");
    if (seen != last)
      since = g_get_monotonic_time ();
    last = seen;
    g_usleep (LOOK_AGAIN);
  } while (seen < left && g_get_monotonic_time () - since < SETTLED);
  /* The kernel counts what it drops by messages, and one that it coalesced is many packets: so with media sockets the
   * sum may fall short. A check that fell to the full buffer is counted with the rest. */
  if (__i__ == 1)
    fail_unless (seen >= left,
        "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " accounted for", seen,
        left);
  fail_unless (seen <= left + MAX_CHECKS,
      "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT, seen, left);
  fail_unless (b.n_arrived == left || stat_of (&b, "dropped-by-kernel") > 0);
  fail_unless_equals_uint64 (stat_of (&b, "packets-delivered"), b.n_arrived);
  fail_unless (
      b.n_arrived > 1000, "only %u packets came through", b.n_arrived);
  fail_unless (allocated_bytes () < memory + 16 * 1024 * 1024,
      "%zu bytes more", allocated_bytes () - memory);
  sending_adds_up (&a);
  fail_unless (is_ready (&a, 0) && is_ready (&b, 0),
      "the connection did not outlive it");
  g_print ("%u sent, %" G_GUINT64_FORMAT
           " left, %u arrived, %" G_GUINT64_FORMAT
           " dropped by the kernel, %" G_GUINT64_FORMAT " at the queue\n",
      total, left, b.n_arrived, stat_of (&b, "dropped-by-kernel"),
      stat_of (&b, "dropped-overload"));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

/* Downstream takes nothing: what the kernel's buffer does not hold is dropped there and counted, and the far end's
 * checks are answered all the while. */
GST_START_TEST (a_blocked_pipeline_bounds_memory)
{
  Side a, b;
  guint sent = 0;
  pair_init (&a, &b);
  g_object_set (b.element, "receive-buffer-size", 64 * 1024, "media-sockets",
      __i__ == 0, NULL);
  pair_connect (&a, &b);
  g_mutex_lock (&b.gate); /* the chain function waits for it */
  b.gated = TRUE;
  gsize memory = allocated_bytes ();
  while (sent < 20000)
    gst_pad_push (a.push, packet (sent++, 1200));
  fail_unless (allocated_bytes () < memory + 8 * 1024 * 1024, "%zu bytes more",
      allocated_bytes () - memory);
  b.gated = FALSE;
  g_mutex_unlock (&b.gate);
  guint64 left = stat_of (&a, "packets-sent"), seen;
  gint64 end = g_get_monotonic_time () + WAIT;
  do {
    g_usleep (LOOK_AGAIN);
    seen = stat_of (&b, "packets-delivered")
           + stat_of (&b, "dropped-by-kernel")
           + stat_of (&b, "dropped-overload");
  } while (seen < left && g_get_monotonic_time () < end);
  fail_unless (seen >= left && seen <= left + MAX_CHECKS);
  fail_unless (
      stat_of (&b, "dropped-by-kernel") + stat_of (&b, "dropped-overload")
      > 0);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

static Suite *
ice_hostile_suite (void)
{
  Suite *s = suite_create ("ice-hostile");
  TCase *t = tcase_create ("strangers");

  suite_add_tcase (s, t);
  tcase_set_timeout (t, 120);
  tcase_add_test (t, floods_from_strangers_do_not_touch_a_call);
  tcase_add_test (t, rtp_before_the_connection_is_counted_and_goes_nowhere);
  tcase_add_test (
      t, ten_thousand_candidates_do_not_keep_a_call_from_coming_about);
  tcase_add_test (
      t, nonsense_instead_of_a_description_is_counted_and_warned_of_once);
  tcase_add_test (t, a_thousand_descriptions_leave_nothing_behind);
  tcase_add_loop_test (
      t, overload_delivers_what_it_can_and_counts_the_rest, 0, 2);
  tcase_add_loop_test (t, a_blocked_pipeline_bounds_memory, 0, 2);
  return s;
}

GST_CHECK_MAIN (ice_hostile)

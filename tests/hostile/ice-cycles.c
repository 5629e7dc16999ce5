/* Connects and disconnects two icetransports again and again, a packet each way each time: neither descriptors nor threads
 * nor memory grow, and the processor is idle in between.
 *
 *     ice-cycles ROUNDS "properties of both sides" [PID]
 *
 * PID: of the TURN server, which is stopped (SIGSTOP) while both sides end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/check/ice-side.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

static guint rounds;
static const char *properties;
static pid_t server;

static double
process_seconds (void)
{
  struct timespec t;
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* CPU used in half a second in which nothing is to be done. */
static double
idle_share (void)
{
  double before = process_seconds ();
  g_usleep (500000);
  return (process_seconds () - before) / 0.5;
}

static void
set_properties (GstElement *element)
{
  g_auto (GStrv) all = g_strsplit (properties, " ", -1);
  for (char **p = all; *p; p++) {
    g_auto (GStrv) pair = g_strsplit (*p, "=", 2);
    if (pair[0] && pair[1])
      gst_util_set_object_arg (G_OBJECT (element), pair[0], pair[1]);
  }
}

static void
forget (Side *side)
{
  GstMessage *message;
  g_mutex_lock (&side->lock);
  g_ptr_array_set_size (side->states, 0);
  g_ptr_array_set_size (side->arrived, 0);
  g_ptr_array_set_size (side->candidates, 0);
  g_mutex_unlock (&side->lock);
  while ((message = gst_bus_pop (side->bus)))
    gst_message_unref (message);
}

static gboolean
is_connected (Side *side, guint n)
{
  for (guint i = 0; i < side->states->len; i++)
    if (g_str_equal (g_ptr_array_index (side->states, i), "connected")
        || g_str_equal (g_ptr_array_index (side->states, i), "ready"))
      return TRUE;
  return FALSE;
}

GST_START_TEST (cycles_leave_nothing_behind)
{
  Side a, b;
  guint descriptors = 0, threads = 0;
  gsize memory = 0;

  pair_init (&a, &b);
  set_properties (a.element);
  set_properties (b.element);
  for (guint round = 0; round < rounds; round++) {
    play (&a);
    play (&b);
    fail_unless (
        wait_until (&a, is_connected, 0) && wait_until (&b, is_connected, 0),
        "no connection in round %u", round);
    gint64 end = g_get_monotonic_time () + WAIT;
    do { /* a relay may lose what comes before its permission stands */
      gst_pad_push (a.push, packet (0, 100));
      gst_pad_push (b.push, packet (0, 100));
    } while ((!arrives_within (&a, 20) || !arrives_within (&b, 20))
             && g_get_monotonic_time () < end);
    fail_unless (
        wait_until (&b, has_arrived, 1) && wait_until (&a, has_arrived, 1),
        "no packet in round %u", round);
    if (round + 1 == rounds) {
      double share = idle_share ();
      fail_unless (share < 0.1,
          "%.0f %% of a processor while connected and idle", share * 100);
    }
    if (server)
      fail_unless_equals_int (kill (server, SIGSTOP), 0);
    fail_unless_equals_int (gst_element_set_state (a.element, GST_STATE_NULL),
        GST_STATE_CHANGE_SUCCESS);
    fail_unless_equals_int (gst_element_set_state (b.element, GST_STATE_NULL),
        GST_STATE_CHANGE_SUCCESS);
    if (server)
      fail_unless_equals_int (kill (server, SIGCONT), 0);
    forget (&a);
    forget (&b);
    if (round == rounds / 5) { /* caches are full by now */
      descriptors = count_entries ("/proc/self/fd");
      threads = count_entries ("/proc/self/task");
      memory = allocated_bytes ();
    }
  }
  double share = idle_share ();
  fail_unless (
      share < 0.02, "%.0f %% of a processor after the end", share * 100);
  fail_unless (count_entries ("/proc/self/fd") <= descriptors);
  fail_unless (count_entries ("/proc/self/task") <= threads);
  /* See icetransport.c for the 192 bytes that GnuTLS keeps of each thread. */
  gsize now = allocated_bytes (), grown = now > memory ? now - memory : 0;
  printf (
      "%u rounds: %u descriptors, %u threads, %zu bytes more than after a fifth of them\n",
      rounds, descriptors, threads, grown);
  fail_unless (
      grown < rounds * 1536, "%zu bytes more after %u rounds", grown, rounds);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

int
main (int argc, char **argv)
{
  gst_check_init (&argc, &argv);
  if (argc != 3 && argc != 4)
    return 2;
  server = argc == 4 ? (pid_t) atoi (argv[3]) : 0;
  rounds = (guint) atoi (argv[1]);
  properties = argv[2];
  Suite *s = suite_create ("ice-cycles");
  TCase *t = tcase_create ("cycles");
  suite_add_tcase (s, t);
  tcase_set_timeout (t, 570);
  tcase_add_test (t, cycles_leave_nothing_behind);
  return gst_check_run_suite (s, "ice-cycles", __FILE__);
}

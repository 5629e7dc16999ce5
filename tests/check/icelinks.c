/* icetransport's links over loopback: restarts, roles, pacing, ports, sockets, servers that are away.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ice-side.h"

#include <stdio.h>
#include <unistd.h>

static char *
description_of (Side *side)
{
  char *text = NULL;
  g_object_get (side->element, "local-description", &text, NULL);
  return text;
}

static void
tell (Side *from, Side *to)
{
  g_autofree char *text = description_of (from);
  g_object_set (to->element, "remote-description", text, NULL);
}

/* Forgets what was told, not what is. */
static void
forget (Side *side)
{
  g_mutex_lock (&side->lock);
  g_ptr_array_set_size (side->states, 0);
  g_ptr_array_set_size (side->arrived, 0);
  side->descriptions = side->pairs = 0;
  g_mutex_unlock (&side->lock);
}

static gboolean
has_descriptions (Side *side, guint n)
{
  return side->descriptions >= n;
}

static gboolean
has_pairs (Side *side, guint n)
{
  return side->pairs >= n;
}

/* The side that does not nominate starts anew and checks with what it was last told, while the other one's new
 * credentials are still on their way: by the time they come, the nomination is over. libnice repeats it with its next
 * consent check, 4 to 6 s later. */
GST_START_TEST (a_controlled_side_that_starts_anew_is_nominated_at_once)
{
  Side a, b;
  side_init (&a, TRUE);
  side_init (&b, FALSE);
  play (&a);
  play (&b);
  fail_unless (wait_until (&a, has_descriptions, 1)
               && wait_until (&b, has_descriptions, 1));
  tell (&a, &b);
  tell (&b, &a);
  fail_unless (wait_until (&a, is_ready, 0) && wait_until (&b, is_ready, 0));

  g_autofree char *old = description_of (&a);
  fail_unless_equals_int (gst_element_set_state (b.element, GST_STATE_NULL),
      GST_STATE_CHANGE_SUCCESS);
  forget (&a);
  forget (&b);
  g_object_set (b.element, "remote-description", old, NULL);
  play (&b);
  fail_unless (wait_until (&b, has_descriptions, 1));
  tell (&b, &a);
  fail_unless (wait_until (&a, has_pairs, 1), "no new pair");
  gint64 told = g_get_monotonic_time ();
  tell (&a, &b);
  fail_unless (wait_until (&b, is_ready, 0), "no connection");
  gint64 took = (g_get_monotonic_time () - told) / 1000;
  fail_unless (took < 3000, "%" G_GINT64_FORMAT " ms", took);
  gst_pad_push (a.push, packet (0, 100));
  fail_unless (wait_until (&b, has_arrived, 1));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

static Suite *
icelinks_suite (void)
{
  Suite *s = suite_create ("icelinks");
  TCase *t = tcase_create ("loopback");

  suite_add_tcase (s, t);
  tcase_set_timeout (t, 120);
  tcase_add_test (t, a_controlled_side_that_starts_anew_is_nominated_at_once);
  return s;
}

GST_CHECK_MAIN (icelinks)

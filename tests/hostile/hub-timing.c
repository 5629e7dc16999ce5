/* Whether a meeting that does not exist can be told by the clock from one whose host is away.
 *
 * What a stranger can do to either is timed, in turns by lot, so that a busy machine disturbs both alike; then the samples are ranked
 * (Mann and Whitney, 1947): of all pairs of one sample each, in how many was the meeting that does not exist the slower one?
 * For equal distributions half of them, with a standard deviation of sqrt ((n + m + 1) / 12nm), whatever the distributions, and so
 * whatever the machine.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../check/hubnet.h"

#include "ext/sodium/identity.h"

#include <math.h>
#include <sodium.h>

#define SAMPLES 400 /* of each kind */
#define BOUND                                                                 \
  6 /* standard deviations: chance alone is beyond it once in 5e8 runs */

typedef enum
{
  HELLO,   /* from the request to `hello` */
  KNOCK,   /* from a knock to `waiting` */
  REFUSAL, /* from what only members may ask to the error */
  N_STEPS
} Step;

static const char *const step_names[] = { "hello", "knock", "refusal" };

typedef struct
{
  double us;
  bool unknown;
} Sample;

static Identity *owner;
static Sample samples[N_STEPS][2 * SAMPLES];

static int
compare (const void *a, const void *b)
{
  double d = ((const Sample *) a)->us - ((const Sample *) b)->us;

  return d < 0 ? -1 : d > 0;
}

/* Mann and Whitney's U of the unknown ones, as its distance from the mean in standard deviations; equal times share their ranks. */
static double
distance (Sample *all, size_t n)
{
  double ranks = 0, half = (double) n / 2;

  qsort (all, n, sizeof *all, compare);
  for (size_t i = 0, end; i < n; i = end) {
    for (end = i; end < n && all[end].us == all[i].us; end++)
      ;
    for (size_t k = i; k < end; k++)
      ranks += all[k].unknown ? (double) (i + 1 + end) / 2 : 0;
  }
  double u = ranks - half * (half + 1) / 2;
  return (u - half * half / 2) / sqrt (half * half * (double) (n + 1) / 12);
}

static double
median (const Sample *sorted, size_t n, bool unknown)
{
  for (size_t i = 0, seen = 0; i < n; i++)
    if (sorted[i].unknown == unknown && ++seen == n / 4)
      return sorted[i].us;
  return 0;
}

static void
take_sample (const Net *net, const char *meeting, const char *from,
    bool unknown, size_t at)
{
  g_autofree char *path = g_strconcat (WIRE_PATH, meeting, NULL);
  gint64 times[N_STEPS + 1];
  NetClient client;

  times[HELLO] = g_get_monotonic_time ();
  fail_unless_equals_int (net_upgrade (net, &client, path, from), 101);
  net_expect (&client, WIRE_HELLO);
  times[KNOCK] = g_get_monotonic_time ();
  NET_SAY (
      &client, .type = WIRE_KNOCK, .knock = { .ada = { (uint8_t *) "x", 1 } });
  net_expect (&client, WIRE_WAITING);
  times[REFUSAL] = g_get_monotonic_time ();
  NET_SAY (&client, .type = WIRE_TRANSPORT);
  net_expect_error (&client, WIRE_CODE_NOT_MEMBER);
  times[N_STEPS] = g_get_monotonic_time ();
  for (int step = 0; step < N_STEPS; step++)
    samples[step][at] =
        (Sample){ (double) (times[step + 1] - times[step]), unknown };
  net_hang_up (&client);
}

/* A source has so many connections a minute: each comes from another address. */
static const char *
address (size_t n)
{
  static char text[32];

  g_snprintf (text, sizeof text, "127.3.%u.%u", (unsigned) n / 250 % 250,
      1 + (unsigned) n % 250);
  return text;
}

GST_START_TEST (
    a_meeting_that_does_not_exist_takes_as_long_as_one_whose_host_is_away)
{
  NetClient host;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &host, NET_MEETING, NULL);
  net_open (&net, &host, owner, 16);
  NET_SAY (&host, .type = WIRE_LEAVE);
  net_is_ended (&host);
  net_hang_up (&host);
  for (size_t i = 0; i < 2 * SAMPLES; i += 2) {
    bool first = randombytes_uniform (2) == 0;
    for (size_t k = 0; k < 2; k++) {
      bool unknown = first == (k == 0);
      /* As long, and never asked for before: it is made for the occasion. */
      g_autofree char *name = g_strdup_printf ("n%06zu", i + k);
      take_sample (
          &net, unknown ? name : NET_MEETING, address (i + k), unknown, i + k);
    }
  }
  for (int step = 0; step < N_STEPS; step++) {
    double d = distance (samples[step], 2 * SAMPLES);
    g_print ("%s: %.1f standard deviations; medians %.0f us, %.0f us away\n",
        step_names[step], d, median (samples[step], 2 * SAMPLES, true),
        median (samples[step], 2 * SAMPLES, false));
    fail_unless (fabs (d) < BOUND,
        "%s tells them apart: %.1f standard deviations", step_names[step], d);
  }
  net_stop (&net);
}
GST_END_TEST

/* The statistic itself: equal samples are equal, and a shift of one standard deviation is seen. */
GST_START_TEST (the_statistic_sees_a_shift_and_only_that)
{
  for (int shift = 0; shift < 2; shift++) {
    for (size_t i = 0; i < 2 * SAMPLES; i++) {
      double sum = 0; /* of twelve: about normal */
      for (int k = 0; k < 12; k++)
        sum += randombytes_uniform (1000) / 1000.0;
      samples[0][i] = (Sample){ sum + (i % 2 ? shift : 0), i % 2 };
    }
    double d = distance (samples[0], 2 * SAMPLES);
    if (shift)
      fail_unless (d > BOUND, "%g", d);
    else
      fail_unless (fabs (d) < BOUND, "%g", d);
  }
}
GST_END_TEST

static Suite *
hub_timing_suite (void)
{
  Suite *s = suite_create ("hub-timing");
  TCase *tc = tcase_create ("general");

  owner = identity_new ();
  suite_add_tcase (s, tc);
  tcase_set_timeout (tc, 180);
  tcase_add_test (tc, the_statistic_sees_a_shift_and_only_that);
  tcase_add_test (tc,
      a_meeting_that_does_not_exist_takes_as_long_as_one_whose_host_is_away);
  return s;
}

PURE_CHECK_MAIN (hub_timing)

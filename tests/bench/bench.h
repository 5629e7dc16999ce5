/* Timing for benchmarks: CPU time of the calling thread, medians.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdlib.h>
#include <time.h>

/* CPU time of this thread in ns: what else the machine does does not count. */
static inline double
bench_cpu_ns (void)
{
  struct timespec t;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

static inline int
bench_compare (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

/* Sorts. */
static inline double
bench_median (double *values, size_t n)
{
  qsort (values, n, sizeof *values, bench_compare);
  return values[n / 2];
}

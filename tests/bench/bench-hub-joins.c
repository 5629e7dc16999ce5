/* What a join costs the hub beside connections that are open and idle: TCP, TLS, the upgrade and `hello`, one after another
 * from one client, and from many at once. CPU time of the signalling thread for each, and the clients' wall clock.
 *
 *     meson devenv -C build tests/bench/bench-hub-joins [most open connections]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

#include "../check/hubnet.h"

#include "ext/sodium/identity.h"

#include <stdio.h>
#include <sys/resource.h>

#define JOINS 200
#define CROWD 16
#define MEMBERS 20 /* of one meeting: their commits are within an admin's burst */
#define MAX_OPEN 5000

/* ns that the thread of this name has run, from the scheduler. */
static double
thread_ns (const char *name)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  const char *tid;

  while ((tid = g_dir_read_name (dir))) {
    g_autofree char *comm = g_strdup_printf ("/proc/self/task/%s/comm", tid);
    g_autofree char *stat = g_strdup_printf ("/proc/self/task/%s/schedstat", tid);
    g_autofree char *text = NULL, *numbers = NULL;
    if (!g_file_get_contents (comm, &text, NULL, NULL))
      continue;
    if (strcmp (g_strchomp (text), name) == 0 && g_file_get_contents (stat, &numbers, NULL, NULL))
      return g_ascii_strtod (numbers, NULL);
  }
  return 0;
}

static double
wall_ns (void)
{
  return (double) g_get_monotonic_time () * 1000;
}

/* An address for each few, as sources have limits. */
static void
address (char *text, size_t size, unsigned net, unsigned i)
{
  g_snprintf (text, size, "127.%u.%u.%u", net, i / 200, 1 + i % 200);
}

static void
open_some (const Net *net, NetClient *clients, unsigned from, unsigned to)
{
  static NetClient *host;
  char source[32], meeting[32];

  for (unsigned i = from; i < to; i++) {
    bool first = i % MEMBERS == 0;
    g_snprintf (meeting, sizeof meeting, "meeting-%u", i / MEMBERS);
    address (source, sizeof source, 1, i / 20);
    net_join (net, &clients[i], meeting, source);
    if (first) {
      Identity *owner = identity_new ();
      host = &clients[i];
      net_open_meeting (net, host, meeting, owner, MEMBERS);
      identity_free (owner);
    } else
      net_let_in (host, &clients[i]);
  }
}

static void
measure (const Net *net, unsigned open, unsigned *source)
{
  double cpu[JOINS], wall[JOINS];

  for (unsigned i = 0; i < JOINS; i++) {
    NetClient client;
    char from[32];
    address (from, sizeof from, 2, (*source)++ / 10);
    double cpu_before = thread_ns ("hub-signalling"), before = wall_ns ();
    net_join (net, &client, "another", from);
    wall[i] = wall_ns () - before;
    net_hang_up (&client);
    g_usleep (2000); /* the end of it is counted, too */
    cpu[i] = thread_ns ("hub-signalling") - cpu_before;
  }
  printf ("%6u open: %7.2f ms of the signalling thread a join, %7.2f ms for the client\n", open,
      bench_median (cpu, JOINS) / 1e6, bench_median (wall, JOINS) / 1e6);
}

typedef struct
{
  const Net *net;
  unsigned number; /* of this crowd's client */
  unsigned *source;
} Joiner;

static gpointer
join_often (gpointer data)
{
  Joiner *self = data;

  for (unsigned i = 0; i < JOINS / 2; i++) {
    NetClient client;
    char from[32];
    address (from, sizeof from, 3 + self->number, *self->source + i / 10);
    net_join (self->net, &client, "another", from);
    net_hang_up (&client);
  }
  return NULL;
}

/* Several at once: turns of the loop are shared. */
static void
measure_crowd (const Net *net, unsigned open, unsigned *source)
{
  GThread *threads[CROWD];
  Joiner joiners[CROWD];
  double cpu = thread_ns ("hub-signalling"), before = wall_ns ();

  for (unsigned i = 0; i < CROWD; i++) {
    joiners[i] = (Joiner){ net, i, source };
    threads[i] = g_thread_new ("joiner", join_often, &joiners[i]);
  }
  for (unsigned i = 0; i < CROWD; i++)
    g_thread_join (threads[i]);
  *source += JOINS / 10;
  printf ("%6u open: %7.2f ms of the signalling thread a join when %u join at once, %.0f joins a second\n", open,
      (thread_ns ("hub-signalling") - cpu) / 1e6 / (CROWD * JOINS / 2), CROWD,
      CROWD * JOINS / 2 * 1e9 / (wall_ns () - before));
}

static unsigned most = 2000;

/* As a test, for the clients' sake: they check what they get. */
START_TEST (joins)
{
  static const unsigned steps[] = { 0, 100, 1000, 2000, 5000 };
  static NetClient clients[MAX_OPEN];
  unsigned open = 0, source = 0;
  Net net;

  net_start (&net, &(HubServerConfig){ .rate_limit = 60000 });
  for (unsigned s = 0; s < G_N_ELEMENTS (steps) && steps[s] <= MIN (most, MAX_OPEN); s++) {
    open_some (&net, clients, open, steps[s]);
    open = steps[s];
    measure (&net, open, &source);
    measure_crowd (&net, open, &source);
  }
  for (unsigned i = 0; i < open; i++)
    net_hang_up (&clients[i]);
  net_stop (&net);
}
END_TEST

int
main (int argc, char **argv)
{
  Suite *suite = suite_create ("bench-hub-joins");
  TCase *tc = tcase_create ("joins");
  struct rlimit files = { 0 };

  if (!core_init ())
    return 1;
  if (argc > 1)
    most = (unsigned) g_ascii_strtoull (argv[1], NULL, 10);
  getrlimit (RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit (RLIMIT_NOFILE, &files);
  suite_add_tcase (suite, tc);
  tcase_add_test (tc, joins);
  tcase_set_timeout (tc, 0);
  SRunner *runner = srunner_create (suite);
  srunner_set_fork_status (runner, CK_NOFORK);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? 1 : 0;
}

/* conclave-sim: runs seeds, and says which of them broke an invariant. docs/guide/simulation.md.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim.h"

#include "ext/session/check.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_JOBS 64
#define MAX_SHOWN 20 /* failures that are told in words */

typedef struct
{
  uint64_t seeds, first;
  const char *adversary; /* NULL: the seed's; "none": none */
  const char *mutation;
  unsigned jobs;
  bool verbose, frames;
  bool stop;          /* at the first that breaks something */
  const char *except; /* seeds that are known to break, "8376,9498" */
  bool twice;         /* and each life is the same the second time */
} Options;

/* What a worker tells, in memory that is shared with it: it may die. */
typedef struct
{
  uint64_t seed; /* the one it is in */
  bool busy;
  uint64_t done, broken, hash, steps, lied;
} Report;

static void
usage (void)
{
  fputs (
      "conclave-sim [--seeds N] [--first-seed S] [--adversary NAME|none]\n"
      "             [--mutation NAME[,NAME...]] [--jobs N] [--stop] [--twice]\n"
      "             [--except SEED[,SEED...]]\n"
      "             [--verbose] "
      "[--frames]\n"
      "conclave-sim --list\n",
      stderr);
  exit (2);
}

static void
list (void)
{
  puts ("adversaries:");
  for (size_t i = 0; i < adversaries_count (); i++)
    printf ("  %-24s %s\n", adversary_at (i)->name, adversary_at (i)->what);
  puts ("mutations:");
  for (int i = 0; i < SESSION_N_CHECKS; i++)
    printf ("  %-24s section %s: %s\n", session_check_name ((SessionCheck) i),
        session_check_section ((SessionCheck) i),
        session_check_meaning ((SessionCheck) i));
}

static uint64_t
number_of (const char *text)
{
  char *end;
  errno = 0;
  unsigned long long number = text ? strtoull (text, &end, 10) : 0;
  if (!text || errno || end == text || *end)
    usage ();
  return number;
}

static Options
read_options (int argc, char **argv)
{
  long cores = sysconf (_SC_NPROCESSORS_ONLN);
  Options o = {
    .seeds = 1000, .first = 1, .jobs = (unsigned) CLAMP (cores, 1, MAX_JOBS)
  };

  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (strcmp (argv[i], "--list") == 0) {
      list ();
      exit (0);
    } else if (strcmp (argv[i], "--verbose") == 0) {
      o.verbose = true;
      continue;
    } else if (strcmp (argv[i], "--frames") == 0) {
      o.verbose = o.frames = true;
      continue;
    } else if (strcmp (argv[i], "--stop") == 0) {
      o.stop = true;
      continue;
    } else if (strcmp (argv[i], "--twice") == 0) {
      o.twice = true;
      continue;
    } else if (strcmp (argv[i], "--seeds") == 0) {
      o.seeds = number_of (value);
    } else if (strcmp (argv[i], "--first-seed") == 0) {
      o.first = number_of (value);
    } else if (strcmp (argv[i], "--jobs") == 0) {
      o.jobs = (unsigned) CLAMP (number_of (value), 1, MAX_JOBS);
    } else if (strcmp (argv[i], "--adversary") == 0 && value) {
      o.adversary = value;
    } else if (strcmp (argv[i], "--except") == 0 && value) {
      o.except = value;
    } else if (strcmp (argv[i], "--mutation") == 0 && value) {
      o.mutation = value;
    } else {
      usage ();
    }
    i++;
  }
  if (o.adversary && strcmp (o.adversary, "none") != 0
      && !adversary_find (o.adversary)) {
    fprintf (stderr,
        "conclave-sim: there is no adversary \"%s\"; --list names them\n",
        o.adversary);
    exit (2);
  }
  return o;
}

/* Half of all seeds are without anybody who lies. */
static const Adversary *
adversary_of (uint64_t seed, const Options *o)
{
  Dice dice;

  if (o->adversary)
    return adversary_find (o->adversary);
  dice_init (&dice, seed, "adversary");
  return dice_chance (&dice, 500)
             ? adversary_at (dice_below (&dice, adversaries_count ()))
             : NULL;
}

static void
tell_replay (uint64_t seed, const Adversary *adversary, const Options *o)
{
  printf ("  replay: conclave-sim --seeds 1 --first-seed %" G_GUINT64_FORMAT
          " --adversary %s%s%s --verbose\n",
      seed, adversary ? adversary->name : "none",
      o->mutation ? " --mutation " : "", o->mutation ? o->mutation : "");
}

static bool
is_same_again (uint64_t seed, const Adversary *adversary, uint64_t trace)
{
  World *world = world_new (seed, adversary, false);

  world_run (world);
  bool same = world->trace == trace;
  world_free (world);
  if (!same)
    printf ("seed %" G_GUINT64_FORMAT
            ", adversary %s: another life the second time\n",
        seed, adversary ? adversary->name : "none");
  return same;
}

static bool
run_seed (uint64_t seed, const Options *o, Report *report)
{
  const Adversary *adversary = adversary_of (seed, o);
  World *world = world_new (seed, adversary, o->verbose);

  world->frames = o->frames;
  bool held = world_run (world);

  if (!held && report->broken < MAX_SHOWN) {
    printf ("seed %" G_GUINT64_FORMAT ", adversary %s: %s\n", seed,
        adversary ? adversary->name : "none", world->failure);
    tell_replay (seed, adversary, o);
    fflush (stdout);
  }
  /* Of the order of seeds the sum must not depend. */
  report->hash += world->trace ^ seed;
  report->steps += world->steps;
  report->lied += world->lied > 0;
  report->broken += !held;
  report->done++;
  uint64_t trace = world->trace;
  world_free (world);
  if (held && o->twice && !is_same_again (seed, adversary, trace)) {
    report->broken++;
    return false;
  }
  return held;
}

/* A break that is known and not mended yet: told, not run. */
static bool
is_left_out (uint64_t seed, const Options *o)
{
  char **each = g_strsplit (o->except ? o->except : "", ",", -1);
  bool found = false;

  for (size_t i = 0; each[i]; i++)
    found |= g_ascii_strtoull (each[i], NULL, 10) == seed;
  g_strfreev (each);
  if (found)
    printf (
        "seed %" G_GUINT64_FORMAT ": left out, it is known to break\n", seed);
  return found;
}

static void
work (unsigned job, const Options *o, Report *report)
{
  for (uint64_t i = job; i < o->seeds; i += o->jobs) {
    if (o->except && is_left_out (o->first + i, o)) {
      report->done++;
      continue;
    }
    report->seed = o->first + i;
    report->busy = true;
    bool held = run_seed (o->first + i, o, report);
    report->busy = false;
    if (!held && o->stop)
      break;
  }
}

static bool
switch_off (const char *names)
{
  char **each = g_strsplit (names, ",", -1);
  bool ok = true;

  for (size_t i = 0; each[i]; i++)
    if (!session_check_switch_off (each[i])) {
      fprintf (stderr,
          "conclave-sim: there is no mutation \"%s\"; --list names them\n",
          each[i]);
      ok = false;
    }
  g_strfreev (each);
  return ok;
}

/* Each job is a process: a seed that makes the code under test abort takes only its job with it. */
static int
run_jobs (const Options *o, Report *reports)
{
  int died = 0;

  fflush (stdout);
  for (unsigned j = 0; j < o->jobs; j++) {
    pid_t pid = fork ();
    if (pid < 0) {
      perror ("conclave-sim: fork");
      exit (2);
    }
    if (pid == 0) {
      work (j, o, &reports[j]);
      fflush (stdout);
      _exit (0);
    }
  }
  for (int status; wait (&status) > 0;)
    died += !WIFEXITED (status) || WEXITSTATUS (status) != 0;
  return died;
}

int
main (int argc, char **argv)
{
  Options o = read_options (argc, argv);
  Report sum = { 0 };
  gint64 began = g_get_monotonic_time ();

#ifdef __GLIBC__
  /* Worlds come and go: their memory is kept for the next. */
  mallopt (M_MMAP_THRESHOLD, 256 << 20);
  mallopt (M_TRIM_THRESHOLD, 512 << 20);
#endif
  chance_install ();
  if (!core_init ())
    return 2;
  if (o.mutation && !switch_off (o.mutation))
    return 2;
  o.jobs = (unsigned) MIN (o.jobs, MAX (o.seeds, 1));
  Report *reports = mmap (NULL, MAX_JOBS * sizeof *reports,
      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (reports == MAP_FAILED)
    return 2;
  int died = 0;
  if (o.jobs == 1 && o.seeds == 1)
    work (0, &o, &reports[0]);
  else
    died = run_jobs (&o, reports);
  for (unsigned j = 0; j < o.jobs; j++) {
    sum.done += reports[j].done;
    sum.broken += reports[j].broken;
    sum.hash += reports[j].hash;
    sum.steps += reports[j].steps;
    sum.lied += reports[j].lied;
    if (reports[j].busy) {
      printf ("seed %" G_GUINT64_FORMAT ": the program under test died\n",
          reports[j].seed);
      tell_replay (reports[j].seed, adversary_of (reports[j].seed, &o), &o);
    }
  }
  printf ("%" G_GUINT64_FORMAT " seeds, %" G_GUINT64_FORMAT
          " broken, %" G_GUINT64_FORMAT " with lies, %" G_GUINT64_FORMAT
          " steps, %.1f s, hash %016" G_GINT64_MODIFIER "x\n",
      sum.done, sum.broken, sum.lied, sum.steps,
      (double) (g_get_monotonic_time () - began) / 1e6, sum.hash);
  munmap (reports, MAX_JOBS * sizeof *reports);
  return sum.broken > 0 || died > 0 || sum.done < o.seeds;
}

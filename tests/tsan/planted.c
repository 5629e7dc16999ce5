/* Whether TSan, with glib-locks.c, sees what it must and nothing else: two threads count, with a GMutex, or `race` for
 * without; and one of them hands work to a main loop in another, or `loop-race` counts after it was handed over.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#define ROUNDS 10000

static GMutex lock;
static gboolean locked;
static guint count;

static gpointer
count_up (gpointer unused)
{
  for (guint i = 0; i < ROUNDS; i++) {
    if (locked)
      g_mutex_lock (&lock);
    count++;
    if (locked)
      g_mutex_unlock (&lock);
  }
  return NULL;
}

static GMainContext *context;
static gboolean done; /* the loop's */

static gboolean
count_in_loop (gpointer unused)
{
  count++;
  done = TRUE;
  return G_SOURCE_REMOVE;
}

static gpointer
run_loop (gpointer unused)
{
  while (!done)
    g_main_context_iteration (context, TRUE);
  return NULL;
}

static int
hand_over (gboolean race)
{
  GSource *source = g_idle_source_new ();
  GThread *thread;

  context = g_main_context_new ();
  thread = g_thread_new ("loop", run_loop, NULL);
  count = 1;
  g_source_set_callback (source, count_in_loop, NULL, NULL);
  g_source_attach (source, context);
  if (race)
    count++;
  g_thread_join (thread);
  g_source_unref (source);
  g_main_context_unref (context);
  return count == 2 ? 0 : 1;
}

int
main (int argc, char **argv)
{
  GThread *threads[2];

  if (argc > 1 && g_str_has_prefix (argv[1], "loop"))
    return hand_over (g_str_equal (argv[1], "loop-race"));
  locked = !(argc > 1 && g_str_equal (argv[1], "race"));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("count", count_up, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  return !locked || count == 2 * ROUNDS ? 0 : 1;
}

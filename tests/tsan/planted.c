/* Whether TSan, with glib-locks.c, sees what it must and nothing else: two threads count, with a GMutex, or `race` for
 * without.
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

int
main (int argc, char **argv)
{
  GThread *threads[2];

  locked = !(argc > 1 && g_str_equal (argv[1], "race"));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("count", count_up, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  return !locked || count == 2 * ROUNDS ? 0 : 1;
}

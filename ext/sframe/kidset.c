/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kidset.h"

struct KidSet
{
  guint max;
  GHashTable *members; /* the list's data: gint64 */
  GQueue order;        /* oldest first */
};

KidSet *
kid_set_new (guint max)
{
  KidSet *set = g_new0 (KidSet, 1);
  set->max = max;
  set->members =
      g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_queue_init (&set->order);
  return set;
}

void
kid_set_free (KidSet *set)
{
  if (!set)
    return;
  kid_set_clear (set);
  g_hash_table_unref (set->members);
  g_free (set);
}

gboolean
kid_set_add (KidSet *set, guint64 kid)
{
  if (kid_set_has (set, kid))
    return FALSE;
  if (g_queue_get_length (&set->order) >= set->max)
    g_hash_table_remove (set->members, g_queue_pop_head (&set->order));

  guint64 *member = g_new (guint64, 1);
  *member = kid;
  g_hash_table_add (set->members, member);
  g_queue_push_tail (&set->order, member);
  return TRUE;
}

gboolean
kid_set_has (KidSet *set, guint64 kid)
{
  return g_hash_table_contains (set->members, &kid);
}

gboolean
kid_set_is_full (KidSet *set)
{
  return g_queue_get_length (&set->order) >= set->max;
}

void
kid_set_remove (KidSet *set, guint64 kid)
{
  guint64 *member = NULL;
  if (!g_hash_table_lookup_extended (
          set->members, &kid, (gpointer *) &member, NULL))
    return;
  g_queue_remove (&set->order, member);
  g_hash_table_remove (set->members, member);
}

void
kid_set_clear (KidSet *set)
{
  g_queue_clear (&set->order);
  g_hash_table_remove_all (set->members);
}

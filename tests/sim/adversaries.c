/* Those who lie, by name.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "adversaries.h"

size_t
adversaries_count (void)
{
  return n_joiner_adversaries + n_host_adversaries + n_member_adversaries
         + n_hub_adversaries;
}

const Adversary *
adversary_at (size_t i)
{
  if (i < n_joiner_adversaries)
    return &joiner_adversaries[i];
  i -= n_joiner_adversaries;
  if (i < n_host_adversaries)
    return &host_adversaries[i];
  i -= n_host_adversaries;
  if (i < n_member_adversaries)
    return &member_adversaries[i];
  i -= n_member_adversaries;
  return i < n_hub_adversaries ? &hub_adversaries[i] : NULL;
}

const Adversary *
adversary_find (const char *name)
{
  for (size_t i = 0; i < adversaries_count (); i++)
    if (strcmp (adversary_at (i)->name, name) == 0)
      return adversary_at (i);
  return NULL;
}

void
quiet_plan (World *world, uint64_t ms)
{
  Plan *plan = &world->plan;

  plan->storm = false;
  plan->people = MAX (plan->people, 3u);
  plan->people = MIN (plan->people, 5u);
  plan->recorders = plan->listeners = 0;
  plan->strangers = 0;
  plan->faults = plan->acts = 0;
  plan->quiet = true;
  plan->settled = 7000;
  plan->heal = plan->settled + ms;
  plan->end = plan->heal + 20000;
  plan->rekey = 0;
}

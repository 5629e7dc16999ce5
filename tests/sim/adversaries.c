/* Those who lie, by name.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "adversaries.h"

const Adversary *const adversaries[] = { NULL };

const Adversary *
adversary_find (const char *name)
{
  for (size_t i = 0; adversaries[i]; i++)
    if (strcmp (adversaries[i]->name, name) == 0)
      return adversaries[i];
  return NULL;
}

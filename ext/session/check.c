/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#ifdef CONCLAVE_MUTATIONS

#include <string.h>

/* The simulation's alone: one process, one thread, set before it starts. */
static bool off[SESSION_N_CHECKS];

static const struct
{
  const char *name, *section, *meaning;
} checks[] = {
#define ENTRY(name, section, what) { #name, section, what },
  SESSION_CHECKS (ENTRY)
#undef ENTRY
};

bool
session_check_switch_off (const char *name)
{
  bool found = name == NULL;
  for (size_t i = 0; i < SESSION_N_CHECKS; i++)
    if (!name) {
      off[i] = false;
    } else if (strcmp (checks[i].name, name) == 0) {
      off[i] = true;
      found = true;
    }
  return found;
}

bool
session_check_is_off (SessionCheck check)
{
  return off[check];
}

const char *
session_check_name (SessionCheck check)
{
  return checks[check].name;
}

const char *
session_check_section (SessionCheck check)
{
  return checks[check].section;
}

const char *
session_check_meaning (SessionCheck check)
{
  return checks[check].meaning;
}

#else

/* A translation unit must not be empty. */
typedef int SessionChecksAreConditions;

#endif

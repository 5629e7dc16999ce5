/* Meetings for tests of the session: a host and some participants around the hub of session-hub.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "session-hub.h"

static inline SessionConfig
owner_config (Admission admission)
{
  return (SessionConfig){ .owner = true,
    .display_name = "Host",
    .password = pw,
    .policy = { .admission = admission } };
}

static inline SessionConfig
guest_config (const char *name)
{
  return (SessionConfig){ .display_name = name, .password = pw };
}

static inline Session *
of (World *w, int i)
{
  return w->clients[i].session;
}

static inline void
set_source (World *w, int i, const char *source)
{
  g_free (w->clients[i].source);
  w->clients[i].source = g_strdup (source);
}

/* A new session for the same identity: as if the program had been started again. */
static inline int
start_again (World *w, int before, SessionConfig config)
{
  config.identity = w->clients[before].identity;
  int i = world_add (w, config);
  set_source (w, i, w->clients[before].source);
  return i;
}

/* A host, who is client 0, and `n` participants. */
static inline World *
meeting (int n)
{
  World *w = world_new ();
  world_add (w, owner_config (ADMISSION_PASSWORD));
  world_run (w, 100);
  for (int i = 0; i < n; i++) {
    g_autofree char *name = g_strdup_printf ("Guest %d", i + 1);
    world_add (w, guest_config (name));
  }
  world_run (w, 1000);
  for (int i = 0; i <= n; i++)
    fail_unless_state (w, i, SESSION_MEMBER);
  return w;
}

/* Until `offline` is FALSE again. */
static inline void
go_away (World *w, int i)
{
  w->clients[i].offline = TRUE;
  client_cut (w, i);
}

/* Who gets in: sessions and an honest hub in virtual time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session-hub.h"

static SessionConfig
owner_config (Admission admission, Secret *password)
{
  return (SessionConfig){ .owner = true,
    .display_name = "Host",
    .password = password,
    .policy = { .admission = admission } };
}

static SessionConfig
guest_config (const char *name, Secret *password)
{
  return (SessionConfig){ .display_name = name, .password = password };
}

GST_START_TEST (the_password_lets_in)
{
  World *w = world_new ();
  Secret *pw = world_password ("correct horse");
  int host = world_add (w, owner_config (ADMISSION_PASSWORD, pw));
  world_run (w, 100);
  fail_unless_state (w, host, SESSION_MEMBER);
  int ann = world_add (w, guest_config ("Ann", pw));
  int bob = world_add (w, guest_config ("Bob", pw));
  world_run (w, 1000);
  check_members (w, host, ann, bob);
  fail_if (session_host_verified (w->clients[ann].session));
  /* Joiners within 100 ms share a commit. */
  fail_unless_equals_uint64 (session_epoch (w->clients[host].session), 1);
  secret_unref (pw);
  world_free (w);
}
GST_END_TEST;

static Suite *
session_door_suite (void)
{
  Suite *s = suite_create ("session-door");
  TCase *tc = tcase_create ("door");

  tcase_set_timeout (tc, 60);
  suite_add_tcase (s, tc);
  tcase_add_test (tc, the_password_lets_in);
  return s;
}

PURE_CHECK_MAIN (session_door)

/* Random schedules of people, programs and hubs that come and go: when the faults stop, all who are in the meeting agree.
 *
 * All randomness is seeded: CONCLAVE_SESSION_SEED=N runs one schedule again, CONCLAVE_SESSION_SCHEDULES=N that many.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session-hub.h"

#include "tests/seeded.h"

#define PEOPLE 7

static guint
below (guint n)
{
  return n > 0 ? seeded_draw_32 () % n : 0;
}

/* ---- A schedule ---- */

typedef struct
{
  World *w;
  int client[PEOPLE]; /* the session that each person has now, or -1 */
  Identity *identity[PEOPLE];
  GBytes *record;
  guint loss; /* of 1,000 frames to be ordered */
} Storm;

static guint loss;

static gboolean
lose_some (World *w, int from, const HubFrame *frame)
{
  return below (1000) < loss;
}

static gboolean
lose_some_down (World *w, int to, const HubFrame *frame)
{
  return below (1000) < loss;
}

static int
free_client (World *w)
{
  for (int i = 0; i < w->n; i++)
    if (!w->clients[i].session && !w->clients[i].identity)
      return i;
  return -1;
}

static void
join (Storm *s, int who)
{
  World *w = s->w;
  SessionConfig config = { .owner = who == 0,
    .display_name = who == 0 ? "Host" : "Guest",
    .identity = s->identity[who],
    .password = pw,
    .policy = { .admission = ADMISSION_PASSWORD } };
  int at = free_client (w), n = w->n;
  char text[FINGERPRINT_TEXT_SIZE];
  guint8 print[IDENTITY_FINGERPRINT_LEN];

  /* Pinned, so that it comes back by itself. */
  identity_fingerprint (identity_public_key (s->identity[0]), print);
  fingerprint_text (print, text);
  g_autofree char *uri =
      g_strdup_printf ("meet://hub.example/standup#host=%s", text);
  config.uri = uri;
  if (who == 0 && s->record)
    config.record = g_bytes_get_data (s->record, &config.record_len);
  if (at >= 0)
    w->n = at;
  s->client[who] = world_add (w, config);
  g_free (w->clients[s->client[who]].source);
  w->clients[s->client[who]].source = g_strdup_printf ("person %d", who);
  w->n = MAX (w->n, n);
}

static void
keep_record (Storm *s)
{
  SessionEvent *event =
      s->client[0] >= 0 ? last_event (s->w, s->client[0], SESSION_EVENT_RECORD)
                        : NULL;
  if (!event)
    return;
  g_clear_pointer (&s->record, g_bytes_unref);
  s->record = g_bytes_new (event->record.data, event->record.len);
}

static void
crash (Storm *s, int who)
{
  if (s->client[who] < 0)
    return;
  keep_record (s);
  world_crash (s->w, s->client[who]);
  client_clear (&s->w->clients[s->client[who]]);
  s->client[who] = -1;
}

static void
act (Storm *s)
{
  World *w = s->w;
  int who = (int) below (PEOPLE), other = (int) below (PEOPLE);
  Session *session =
      s->client[who] >= 0 ? w->clients[s->client[who]].session : NULL;
  const guint8 *key = identity_public_key (s->identity[other]);

  if (!session) {
    join (s, who);
    return;
  }
  switch (below (14)) {
    case 0:
      crash (s, who);
      break;
    case 1:
      client_cut (w, s->client[who]);
      break;
    case 2:
      w->clients[s->client[who]].offline ^= TRUE;
      client_cut (w, s->client[who]);
      break;
    case 3:
      session_rotate (session);
      break;
    case 4:
      session_promote (session, key);
      break;
    case 5:
      session_demote (session, key);
      break;
    case 6:
      session_lock (session, below (2));
      break;
    case 7:
      if (below (3) == 0)
        world_restart_hub (w);
      break;
    case 8:
      loss = below (2) ? below (200) : 0;
      break;
    case 9: {
      Track track = { session_free_track (session), MEDIA_AUDIO,
        1 + below (1000000), 0, (char *) "OPUS", (char *) "" };
      session_track (session, &track);
      break;
    }
    default:
      session_chat (session, "words");
  }
}

static void
calm (Storm *s)
{
  World *w = s->w;
  loss = 0;
  for (int i = 0; i < PEOPLE; i++) {
    if (s->client[i] < 0)
      join (s, i);
    w->clients[s->client[i]].offline = FALSE;
  }
}

/* Everybody who is a member sees the same group; nobody is between two groups. */
static gboolean
agrees (Storm *s, GString *why)
{
  World *w = s->w;
  Session *host = w->clients[s->client[0]].session;
  guint members = 0;

  g_string_set_size (why, 0);
  for (int i = 0; i < PEOPLE; i++) {
    Session *session = w->clients[s->client[i]].session;
    SessionState state = session_state (session);
    const guint8 *group = session_group_id (session);
    SessionStats stats = session_stats (session);
    g_string_append_printf (why,
        " [%d: client %d state %d epoch %d group %02x members %d stale %d "
        "unreadable %d void %d merged %d malformed %d rejoins %d]",
        i, s->client[i], state, (int) session_epoch (session),
        group ? group[0] : 0, (int) session_members (session),
        session_is_stale (session), (int) stats.unreadable,
        (int) stats.commits_void, (int) stats.commits_merged,
        (int) stats.malformed, (int) stats.rejoins);
    if (state == SESSION_DENIED)
      continue; /* locked out */
    if (state != SESSION_MEMBER || session_state (host) != SESSION_MEMBER
        || session_epoch (session) != session_epoch (host)
        || memcmp (session_epoch_authenticator (session),
               session_epoch_authenticator (host), MLS_HASH_LEN)
               != 0)
      return FALSE;
    members++;
  }
  return session_members (host) == members;
}

static void
run_schedule (guint64 seed)
{
  Storm s = { .w = world_new () };
  GString *why = g_string_new (NULL);

  seeded_start (seed);
  loss = 0;
  for (int i = 0; i < PEOPLE; i++) {
    s.identity[i] = identity_new ();
    s.client[i] = -1;
  }
  s.w->drop = lose_some;
  s.w->withhold = lose_some_down;
  join (&s, 0);
  for (int i = 0; i < 60; i++) {
    act (&s);
    world_run (s.w, below (4) == 0 ? below (8000) : below (300));
  }
  calm (&s);
  /* Backoffs, lapses of places, three rejoins a minute. */
  guint64 end = s.w->now + 100000;
  while (!agrees (&s, why) && s.w->now < end) {
    Session *host = s.w->clients[s.client[0]].session;
    const Policy *policy = session_policy (host);
    if (policy && policy->locked)
      session_lock (host, false);
    world_run (s.w, 1000);
  }
  fail_unless (
      agrees (&s, why), "seed %" G_GUINT64_FORMAT ":%s", seed, why->str);
  for (int i = 0; i < PEOPLE; i++)
    identity_free (s.identity[i]);
  g_clear_pointer (&s.record, g_bytes_unref);
  g_string_free (why, TRUE);
  world_free (s.w);
}

GST_START_TEST (when_faults_stop_all_agree)
{
  const char *one = g_getenv ("CONCLAVE_SESSION_SEED"),
             *many = g_getenv ("CONCLAVE_SESSION_SCHEDULES");
  guint64 n = many ? g_ascii_strtoull (many, NULL, 10) : 25;

  world_set_up ();
  if (one)
    run_schedule (g_ascii_strtoull (one, NULL, 10));
  else
    for (guint64 seed = 1; seed <= n; seed++)
      run_schedule (seed);
  world_tear_down ();
}
GST_END_TEST;

static Suite *
session_storm_suite (void)
{
  Suite *s = suite_create ("session-storm");
  TCase *tc = tcase_create ("storm");

  tcase_set_timeout (tc, 0);
  suite_add_tcase (s, tc);
  tcase_add_test (tc, when_faults_stop_all_agree);
  return s;
}

int
main (void)
{
  seeded_install ();
  if (!core_init ())
    return 1;
  SRunner *runner = srunner_create (session_storm_suite ());
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? 1 : 0;
}

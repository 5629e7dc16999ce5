/* What a meeting's secrets leave behind: the password and the media keys are gone from the process when its session is, and
 * were never in the hub. The whole memory is searched; the hub still runs, with all that it keeps of the meeting.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memorysearch.h"

#include "ext/hub/room.h"
#include "ext/session/session.h"

#include <sodium.h>

#define MEETING "standup"
#define WALL G_GUINT64_CONSTANT (1700000000000)
#define N 3

/* The owner and two guests, and the hub between them. */
typedef struct
{
  Hub *hub;
  HubDirectory *directory;
  guint64 now;
  Session *session[N];
  guint64 connection[N]; /* 0 for none */
  guint64 next;
} Scene;

/* No constant: what is searched for would be in the program's own file, too. */
static Secret *
make_password (void)
{
  char text[24];
  for (guint i = 0; i < sizeof text; i++)
    text[i] = (char) ('a' + randombytes_uniform (26));
  Secret *secret = secret_copy (text, sizeof text);
  sodium_memzero (text, sizeof text);
  return secret;
}

static void
connect_to_hub (Scene *s, int i)
{
  static const guint8 spki[LIMIT_SPKI_HASH] = { 7 };
  char source[32];

  s->connection[i] = ++s->next;
  g_snprintf (source, sizeof source, "10.0.0.%d", i + 1);
  session_connected (s->session[i], spki);
  fail_unless (hub_connected (s->hub, s->connection[i], MEETING, source));
}

static gboolean
pump_session (Scene *s, int i)
{
  SessionOutput out;
  SessionEvent event;
  gboolean busy = FALSE;

  if (!s->session[i])
    return FALSE;
  session_tick (s->session[i], s->now, WALL + s->now);
  while (session_next_output (s->session[i], &out)) {
    busy = TRUE;
    if (out.type == SESSION_CONNECT) {
      connect_to_hub (s, i);
    } else if (out.type == SESSION_DISCONNECT) {
      hub_disconnected (s->hub, s->connection[i]);
      s->connection[i] = 0;
    } else if (s->connection[i] != 0) {
      hub_frame (s->hub, s->connection[i], out.type == SESSION_SEND_BINARY,
          out.data, out.len);
    }
    session_output_clear (&out);
  }
  while (session_next_event (s->session[i], &event))
    session_event_clear (&event);
  return busy;
}

static gboolean
pump_hub (Scene *s)
{
  HubOutput out;
  HubEvent event;
  gboolean busy = FALSE;

  hub_tick (s->hub, s->now);
  while (hub_next_event (s->hub, &event))
    hub_event_clear (&event);
  while (hub_next_output (s->hub, &out)) {
    busy = TRUE;
    for (int i = 0; i < N; i++) {
      gsize len;
      const void *data = out.frame ? g_bytes_get_data (out.frame, &len) : NULL;
      if (s->session[i] && s->connection[i] == out.connection && data)
        session_frame (s->session[i], out.type == HUB_SEND_BINARY, data, len);
    }
    hub_output_clear (&out);
  }
  return busy;
}

static void
run (Scene *s, guint64 ms)
{
  for (guint64 end = s->now + ms; s->now < end; s->now += 50)
    for (gboolean busy = TRUE; busy;) {
      busy = FALSE;
      for (int i = 0; i < N; i++)
        busy |= pump_session (s, i);
      busy |= pump_hub (s);
    }
}

static Needle password_needle;

static void
meet (gpointer data)
{
  Scene *s = data;
  Secret *password = make_password ();
  HubConfig hub = { .directory = s->directory, .spki_hash = { 7 } };

  password_needle =
      needle_from_bytes (secret_bytes (password), secret_len (password));
  s->hub = hub_new (&hub, s->now);
  for (int i = 0; i < N; i++) {
    Identity *identity = identity_new ();
    SessionConfig config = { .uri = "meet://hub.example/" MEETING,
      .owner = i == 0,
      .role = ROLE_PARTICIPANT,
      .display_name = i == 0 ? "Host" : "Guest",
      .identity = identity,
      .password = password,
      .policy = { .admission = ADMISSION_PASSWORD } };
    fail_unless_equals_int (
        session_new (&config, s->now, WALL + s->now, &s->session[i]),
        SESSION_OK);
    identity_free (identity);
    run (s, 1000);
  }
  secret_unref (password);
}

static void
part (gpointer data)
{
  Scene *s = data;
  for (int i = 0; i < N; i++) {
    session_free (s->session[i]);
    s->session[i] = NULL;
  }
}

/* What was generated last, masked; the bytes are in guarded memory of the sessions alone. */
static Needle
base_key_of (Scene *s)
{
  Secret *key =
      session_base_key (s->session[0], session_epoch (s->session[0]));
  Needle needle = needle_from_bytes (secret_bytes (key), secret_len (key));
  secret_unref (key);
  return needle;
}

GST_START_TEST (nothing_of_a_meeting_stays_and_nothing_is_in_the_hub)
{
  Scene *s = g_new0 (Scene, 1);
  s->now = 1000000;
  s->directory = hub_directory_local_new ();
  aside (meet, s);
  for (int i = 0; i < N; i++)
    fail_unless_equals_int (session_state (s->session[i]), SESSION_MEMBER);
  Needle key = base_key_of (s);
  fail_unless (count_in_memory (&key) > 0, "the search finds nothing");
  must_be_in_one_place ("password", &password_needle);
  /* An epoch goes by: its keys close, and only the new ones are there. */
  fail_unless (session_rotate (s->session[0]));
  run (s, 12000);
  must_be_gone ("base key of an epoch that has closed", &key);
  key = base_key_of (s);
  fail_unless (count_in_memory (&key) > 0);

  aside (part, s);
  fail_unless (hub_usage (s->hub).log_bytes > 0, "the hub keeps nothing");
  must_be_gone ("base key", &key);
  must_be_gone ("password", &password_needle);
  hub_free (s->hub);
  hub_directory_free (s->directory);
  g_free (s);
}
GST_END_TEST;

static Suite *
session_wiped_suite (void)
{
  Suite *s = suite_create ("session-wiped");
  TCase *tc = tcase_create ("wiped");

  tcase_set_timeout (tc, 120);
  suite_add_tcase (s, tc);
  tcase_add_test (tc, nothing_of_a_meeting_stays_and_nothing_is_in_the_hub);
  return s;
}

MEMORY_CHECK_MAIN (session_wiped)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meetingthread.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 5000 /* of one try */
#define CLOSE_MS 100            /* for the WebSocket's closing handshake */

struct MeetingThread
{
  /* fixed */
  const MeetingSettings *settings;
  MeetingThreadCallbacks callbacks;
  gpointer user;
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;

  /* of the thread; until it runs, of who makes it */
  Session *session;
  MeetingTracks *tracks;
  MeetingHub *hub;
  int timer_fd;
  guint64 timer_at; /* when it is to fire; G_MAXUINT64: never */
  gboolean ending, finishing;
};

guint64
meeting_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_BOOTTIME, &now);
  return (guint64) now.tv_sec * 1000 + (guint64) now.tv_nsec / 1000000;
}

static void
tick (MeetingThread *self)
{
  session_tick (
      self->session, meeting_now (), (guint64) g_get_real_time () / 1000);
}

/* ---- A turn ---- */

static void
put_out (MeetingThread *self, const SessionOutput *output)
{
  switch (output->type) {
    case SESSION_CONNECT:
      if (!self->ending)
        meeting_hub_connect (self->hub, CONNECT_TIMEOUT_MS);
      break;
    case SESSION_SEND_TEXT:
    case SESSION_SEND_BINARY:
      meeting_hub_send (self->hub, output->type == SESSION_SEND_BINARY,
          output->data, output->len);
      break;
    case SESSION_DISCONNECT:
      meeting_hub_close (self->hub);
      break;
  }
}

static gboolean
take_out (MeetingThread *self)
{
  SessionOutput output;
  SessionEvent event;
  gboolean told = FALSE;

  for (;;) {
    if (session_next_output (self->session, &output)) {
      put_out (self, &output);
      session_output_clear (&output);
    } else if (session_next_event (self->session, &event)) {
      meeting_tracks_event (self->tracks, self->session, &event);
      self->callbacks.event (self, self->session, &event);
      session_event_clear (&event);
      told = TRUE;
    } else {
      return told;
    }
  }
}

static void
set_timer (MeetingThread *self)
{
  guint64 at = MIN (session_deadline (self->session),
      meeting_tracks_deadline (self->tracks));
  struct itimerspec spec = { 0 };

  if (at == self->timer_at)
    return;
  self->timer_at = at;
  if (at != G_MAXUINT64) {
    spec.it_value.tv_sec = (time_t) (at / 1000);
    spec.it_value.tv_nsec = (long) (at % 1000) * 1000000;
    if (spec.it_value.tv_sec == 0 && spec.it_value.tv_nsec == 0)
      spec.it_value.tv_nsec = 1;
  }
  timerfd_settime (self->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static gboolean
stop_waiting (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

static void
stop_after (MeetingThread *self, guint ms)
{
  GSource *source = g_timeout_source_new (ms);

  g_source_set_callback (source, stop_waiting, g_main_loop_ref (self->loop),
      (GDestroyNotify) g_main_loop_unref);
  g_source_attach (source, self->context);
  g_source_unref (source);
}

/* The session is over: what was said is on its way once the context has run; the hub's last word is not waited for long. */
static void
finish (MeetingThread *self)
{
  if (!meeting_hub_is_busy (self->hub))
    g_main_loop_quit (self->loop);
  else if (!self->finishing)
    stop_after (self, CLOSE_MS);
  self->finishing = TRUE;
}

/* After each input. What it does itself (hub callbacks come from the main context only) is done when it returns. */
static void
turn (MeetingThread *self)
{
  gboolean told = take_out (self);

  meeting_tracks_turn (self->tracks, self->session, meeting_now ());
  told |= take_out (self);
  self->callbacks.turned (self, self->session, told);
  set_timer (self);
  if (self->ending && session_state (self->session) >= SESSION_DENIED)
    finish (self);
}

static gboolean
time_has_come (int fd, GIOCondition condition, gpointer data)
{
  MeetingThread *self = data;
  guint64 times;

  if (read (fd, &times, sizeof times) > 0) {
    self->timer_at = 0; /* to be set anew in any case */
    tick (self);
    turn (self);
  }
  return G_SOURCE_CONTINUE;
}

/* ---- The hub ---- */

static void
hub_connected (gpointer data, const guint8 *spki_hash)
{
  MeetingThread *self = data;

  tick (self);
  self->callbacks.hub (self, self->session, TRUE, 0, NULL);
  session_connected (self->session, spki_hash);
  turn (self);
}

static void
hub_frame (gpointer data, gboolean binary, gconstpointer bytes, gsize len)
{
  MeetingThread *self = data;

  tick (self);
  session_frame (self->session, binary, bytes, len);
  turn (self);
}

static void
hub_lost (gpointer data, MeetingHubLoss loss, const char *why)
{
  MeetingThread *self = data;

  tick (self);
  self->callbacks.hub (self, self->session, FALSE, loss, why);
  session_disconnected (self->session);
  turn (self);
}

static void
hub_closed (gpointer data)
{
  MeetingThread *self = data;

  tick (self);
  turn (self);
}

/* ---- Commands ---- */

typedef struct
{
  MeetingThread *thread;
  MeetingCommand run;
  gpointer data;
  GDestroyNotify free;
} Command;

static gboolean
run_command (gpointer data)
{
  Command *command = data;
  MeetingThread *self = command->thread;

  if (!self->hub) /* it came too late */
    return G_SOURCE_REMOVE;
  tick (self);
  command->run (self, self->session, command->data);
  turn (self);
  return G_SOURCE_REMOVE;
}

static void
free_command (gpointer data)
{
  Command *command = data;

  if (command->free)
    command->free (command->data);
  g_free (command);
}

void
meeting_thread_invoke (MeetingThread *self, MeetingCommand run, gpointer data,
    GDestroyNotify free)
{
  Command *command = g_new (Command, 1);
  GSource *source = g_idle_source_new ();

  *command = (Command){ self, run, data, free };
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, run_command, command, free_command);
  g_source_attach (source, self->context);
  g_source_unref (source);
}

MeetingTracks *
meeting_thread_tracks (MeetingThread *self)
{
  return self->tracks;
}

MeetingHubStats
meeting_thread_hub_stats (MeetingThread *self)
{
  return meeting_hub_stats (self->hub);
}

gpointer
meeting_thread_user (MeetingThread *self)
{
  return self->user;
}

/* ---- Life ---- */

static void
warn (gpointer data, const char *sentence)
{
  MeetingThread *self = data;
  self->callbacks.warn (self, sentence);
}

static void
run_loop (MeetingThread *self)
{
  static const MeetingHubCallbacks callbacks = { hub_connected, hub_frame,
    hub_lost, hub_closed };
  GSource *timer = g_unix_fd_source_new (self->timer_fd, G_IO_IN);

  g_source_set_callback (timer, G_SOURCE_FUNC (time_has_come), self, NULL);
  g_source_attach (timer, self->context);
  self->hub = meeting_hub_new (
      &self->settings->link, self->settings->trust, &callbacks, self);
  tick (self);
  turn (self);
  g_main_loop_run (self->loop);
  g_source_destroy (timer);
  g_source_unref (timer);
  g_clear_pointer (&self->hub, meeting_hub_free);
  /* What is under way was cancelled, and comes back now. */
  while (meeting_hub_pending (self->settings->trust) > 0)
    g_main_context_iteration (self->context, TRUE);
}

static gpointer
run (gpointer data)
{
  MeetingThread *self = data;

  g_main_context_push_thread_default (self->context);
  run_loop (self);
  g_clear_pointer (&self->session, session_free);
  g_clear_pointer (&self->tracks, meeting_tracks_free);
  while (g_main_context_iteration (self->context, FALSE))
    ;
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

static void
thread_free (MeetingThread *self)
{
  session_free (self->session);
  meeting_tracks_free (self->tracks);
  if (self->timer_fd >= 0)
    close (self->timer_fd);
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
  g_free (self);
}

MeetingThread *
meeting_thread_new (const MeetingSettings *settings,
    ConclaveMeetingMedia *media, const MeetingThreadCallbacks *callbacks,
    gpointer user, GError **error)
{
  MeetingThread *self = g_new0 (MeetingThread, 1);

  self->settings = settings;
  self->callbacks = *callbacks;
  self->user = user;
  self->context = g_main_context_new ();
  self->loop = g_main_loop_new (self->context, FALSE);
  self->tracks = meeting_tracks_new (media, warn, self);
  self->timer_fd = timerfd_create (CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (self->timer_fd < 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
        "The system gives no timer: %s.", g_strerror (errno));
  else
    self->session = meeting_settings_begin (
        settings, meeting_now (), (guint64) g_get_real_time () / 1000, error);
  if (self->session)
    self->thread = g_thread_try_new ("conclave-session", run, self, error);
  if (!self->thread) {
    thread_free (self);
    return NULL;
  }
  return self;
}

static void
begin_end (MeetingThread *self, Session *session, gpointer patience)
{
  self->ending = TRUE;
  stop_after (self, GPOINTER_TO_UINT (patience));
  session_leave (session);
}

void
meeting_thread_stop (MeetingThread *self, guint patience)
{
  meeting_thread_invoke (self, begin_end, GUINT_TO_POINTER (patience), NULL);
  g_thread_join (self->thread);
  thread_free (self);
}

/* The server's life, its turns and its time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server_private.h"

#include <glib-unix.h>
#include <stdio.h>
#include <string.h>

uint64_t
server_now (void)
{
  return (uint64_t) g_get_monotonic_time () / 1000;
}

void
server_log (HubServer *server, bool warning, const char *format, ...)
{
  va_list args;

  if (!server->log)
    return;
  va_start (args, format);
  g_autofree char *line = g_strdup_vprintf (format, args);
  va_end (args);
  server->log (warning, line, server->log_data);
}

/* ---- Sources ---- */

GSource *
server_attach (
    HubServer *server, GSource *source, GSourceFunc func, gpointer data)
{
  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, server->context);
  return source;
}

void
server_detach (GSource **source)
{
  if (*source)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static gboolean
dispatch_timer (GSource *source, GSourceFunc func, gpointer data)
{
  g_source_set_ready_time (source, -1);
  return func (data);
}

GSource *
server_timer (HubServer *server, GSourceFunc func, gpointer data)
{
  static GSourceFuncs funcs = { .dispatch = dispatch_timer };

  return server_attach (
      server, g_source_new (&funcs, sizeof (GSource)), func, data);
}

/* Called before each poll. */
typedef struct
{
  GSource source;
  HubTlsTurn *turn;
} TurnSource;

static gboolean
begin_turn (GSource *source, gint *timeout)
{
  HubTlsTurn *turn = ((TurnSource *) source)->turn;

  *timeout = -1;
  turn->turn++;
  turn->handshakes = HUB_EDGE_HANDSHAKES;
  return FALSE;
}

static GSource *
turn_source (HubServer *server)
{
  static GSourceFuncs funcs = { .prepare = begin_turn };
  GSource *source = g_source_new (&funcs, sizeof (TurnSource));

  ((TurnSource *) source)->turn = &server->turn;
  g_source_attach (source, server->context);
  return source;
}

/* ---- Turns ---- */

void
server_enter (HubServer *server)
{
  hub_tick (server->hub, server_now ());
}

static void
take_event (HubServer *server, HubEvent *event)
{
  if (event->type != HUB_EVENT_AUDIT) {
    media_glue_room_event (server->media, event);
    return;
  }
  if (!server->audit || hub_audit_write (server->audit, event))
    return;
  if (server->stats.audit_failed++ == 0)
    server_log (server, true,
        "cannot write the audit log: is the disk full? Lines are missing, and the next one tells how many");
}

static void
set_timer (HubServer *server)
{
  uint64_t due = hub_deadline (server->hub);

  g_source_set_ready_time (
      server->timer, due == UINT64_MAX ? -1 : (gint64) due * 1000);
}

void
server_drain (HubServer *server)
{
  HubOutput output;
  HubEvent event;
  bool more = true;

  if (server->draining)
    return; /* whoever drains takes what came of that, too */
  server->draining = true;
  while (more) {
    more = false;
    while (hub_next_output (server->hub, &output)) {
      websocket_deliver (server, &output);
      hub_output_clear (&output);
      more = true;
    }
    while (hub_next_event (server->hub, &event)) {
      take_event (server, &event);
      hub_event_clear (&event);
      more = true;
    }
    if (server->lost.length > 0) {
      websocket_forget_lost (server);
      more = true;
    }
  }
  server->draining = false;
  set_timer (server);
  if (server->leaving && g_hash_table_size (server->websockets) == 0)
    g_main_loop_quit (server->loop);
}

static gboolean
time_came (gpointer data)
{
  HubServer *server = data;

  server_enter (server);
  server_drain (server);
  return G_SOURCE_CONTINUE;
}

static gboolean
sweep (gpointer data)
{
  HubServer *server = data;

  websocket_sweep (server);
  server_enter (server);
  server_drain (server);
  if (server->leaving && (gint64) server_now () >= server->stop_at)
    g_main_loop_quit (server->loop);
  g_source_set_ready_time (server->sweep,
      ((gint64) server_now ()
          + (server->stopping ? HUB_EDGE_SWEEP_MS / 10 : HUB_EDGE_SWEEP_MS))
          * 1000);
  return G_SOURCE_CONTINUE;
}

static gboolean
media_said (int fd, GIOCondition condition, gpointer data)
{
  HubServer *server = data;

  (void) fd;
  (void) condition;
  server_enter (server);
  hub_forwarder_dispatch (server->forwarder);
  media_glue_flush (server->media);
  server_drain (server);
  return G_SOURCE_CONTINUE;
}

/* ---- Numbers ---- */

void
server_snapshot (HubServer *server, HubServerStats *out)
{
  *out = (HubServerStats){ .edge = server->stats,
    .usage = hub_usage (server->hub),
    .rooms = hub_stats (server->hub) };
  out->edge.backlog = server->backlog;
  out->edge.arrivals = listener_arrivals (server->listener);
  out->edge.audit_lines = server->audit ? hub_audit_lines (server->audit) : 0;
  hub_forwarder_stats (server->forwarder, &out->media);
}

typedef struct
{
  HubServer *server;
  HubServerStats *out;
  GMutex lock;
  GCond cond;
  bool done; /* lock */
} Question;

static gboolean
answer (gpointer data)
{
  Question *question = data;

  server_snapshot (question->server, question->out);
  g_mutex_lock (&question->lock);
  question->done = true;
  g_cond_signal (&question->cond);
  g_mutex_unlock (&question->lock);
  return G_SOURCE_REMOVE;
}

void
hub_server_stats (HubServer *server, HubServerStats *out)
{
  Question question = { .server = server, .out = out };

  if (g_main_context_is_owner (server->context)) {
    server_snapshot (server, out);
    return;
  }
  g_mutex_init (&question.lock);
  g_cond_init (&question.cond);
  g_autoptr (GSource) source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_HIGH);
  server_attach (server, source, answer, &question);
  g_mutex_lock (&question.lock);
  while (!question.done)
    g_cond_wait (&question.cond, &question.lock);
  g_mutex_unlock (&question.lock);
  g_mutex_clear (&question.lock);
  g_cond_clear (&question.cond);
}

/* ---- Life ---- */

static HubForwarder *
new_forwarder (
    HubServer *server, const HubServerConfig *config, GError **error)
{
  HubForwarderConfig media;
  char problem[HUB_MAX_PROBLEM] = "";

  hub_forwarder_config_init (&media);
  media.bind_address = config->bind_address;
  media.public_address = config->public_address;
  media.media_port = config->media_port ? config->media_port : config->port;
  if (config->max_participants > 0) {
    media.max_transports = config->max_participants;
    media.max_tracks = MAX (media.max_tracks, 2 * config->max_participants);
  }
  HubForwarder *forwarder = hub_forwarder_new (
      &media, media_glue_forwarder_event, server->media, problem);
  if (!forwarder)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, problem);
  return forwarder;
}

static bool
open_all (HubServer *server, const HubServerConfig *config, GError **error)
{
  HubConfig rooms = { .directory = server->directory,
    .max_rooms = config->max_meetings,
    .max_members = config->max_participants,
    .connects_per_minute = server->connects_per_minute };
  HubCandidate first;

  memcpy (rooms.spki_hash, hub_certificate_pin (config->certificate),
      sizeof rooms.spki_hash);
  server->hub = hub_new (&rooms, server_now ());
  server->media = media_glue_new (server, config->audio_last_n);
  if (!(server->listener =
              listener_new (server, config->bind_address, config->port, error))
      || !(server->forwarder = new_forwarder (server, config, error)))
    return false;
  if (config->audit_location && config->audit_location[0]
      && !(server->audit = hub_audit_open (
               config->audit_location, config->audit_addresses, error)))
    return false;
  server->port = listener_port (server->listener);
  if (hub_forwarder_candidates (server->forwarder, NULL, &first, 1) == 1)
    server->host = g_strdup (first.address);
  else
    server->host = g_strdup ("127.0.0.1");
  return true;
}

static void
free_all (HubServer *server)
{
  server_detach (&server->timer);
  server_detach (&server->sweep);
  server_detach (&server->media_events);
  server_detach (&server->turns);
  listener_free (server->listener);
  g_clear_object (&server->soup);
  media_glue_free (server->media);
  hub_free (server->hub);
  hub_forwarder_free (server->forwarder);
  hub_directory_free (server->directory);
  hub_audit_close (server->audit);
  g_hash_table_unref (server->websockets);
  if (server->poller)
    hub_poller_stop (server->poller);
  g_clear_pointer (&server->poller, hub_poller_unref);
  hub_certificate_unref (server->certificate);
  g_main_loop_unref (server->loop);
  g_main_context_unref (server->context);
  g_free (server->host);
  g_free (server);
}

/* libsoup finishes what it has begun from sources of its own. */
static void
let_soup_finish (HubServer *server)
{
  websocket_close_all (server);
  for (unsigned i = 0;
       i < 1000 && g_main_context_iteration (server->context, FALSE); i++)
    ;
}

static gpointer
run (gpointer data)
{
  HubServer *server = data;

  g_main_context_push_thread_default (server->context);
  g_main_loop_run (server->loop);
  listener_stop (server->listener);
  let_soup_finish (server);
  soup_server_disconnect (server->soup);
  let_soup_finish (server);
  g_main_context_pop_thread_default (server->context);
  return NULL;
}

static void
attach_sources (HubServer *server)
{
  server->turns = turn_source (server);
  server->timer = server_timer (server, time_came, server);
  server->sweep = server_timer (server, sweep, server);
  g_source_set_ready_time (
      server->sweep, g_get_monotonic_time () + HUB_EDGE_SWEEP_MS * 1000);
  server->media_events = g_unix_fd_source_new (
      hub_forwarder_event_fd (server->forwarder), G_IO_IN);
  server_attach (
      server, server->media_events, G_SOURCE_FUNC (media_said), server);
}

HubServer *
hub_server_new (const HubServerConfig *config, GError **error)
{
  HubServer *server = g_new0 (HubServer, 1);

  server->context = g_main_context_new ();
  server->loop = g_main_loop_new (server->context, FALSE);
  server->certificate = hub_certificate_ref (config->certificate);
  server->log = config->log;
  server->log_data = config->log_data;
  server->metrics_for_all = config->metrics_for_all;
  server->connects_per_minute = config->rate_limit
                                    ? config->rate_limit
                                    : HUB_DEFAULT_CONNECTS_PER_MINUTE;
  server->directory = hub_directory_local_new ();
  server->websockets = g_hash_table_new (g_int64_hash, g_int64_equal);
  server->poller = hub_poller_new (server->context, error);
  if (!server->poller || !open_all (server, config, error)) {
    free_all (server);
    return NULL;
  }
  /* libsoup takes the context that is the thread's default now. */
  g_main_context_push_thread_default (server->context);
  server->soup = soup_server_new ("raw-paths", TRUE, NULL);
  pages_init (server);
  websocket_init (server);
  g_main_context_pop_thread_default (server->context);
  attach_sources (server);

  GError *problem = NULL;
  server->thread = g_thread_try_new ("hub-signalling", run, server, &problem);
  if (!server->thread) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
        "cannot start the signalling thread: %s; raise the limit of threads",
        problem->message);
    g_error_free (problem);
    free_all (server);
    return NULL;
  }
  return server;
}

static gboolean
shut_down (gpointer data)
{
  HubServer *server = data;

  if (server->stopping)
    return G_SOURCE_REMOVE;
  server->stopping = true;
  server->stop_at = (gint64) server_now () + HUB_EDGE_DRAIN_MS;
  listener_stop (server->listener);
  server_enter (server);
  hub_shutdown (server->hub);
  server_drain (server);
  g_source_set_ready_time (server->sweep, 0);
  return G_SOURCE_REMOVE;
}

static void
call (HubServer *server, GSourceFunc func)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_HIGH);
  server_attach (server, source, func, server);
}

void
hub_server_shutdown (HubServer *server)
{
  call (server, shut_down);
}

static gboolean
leave (gpointer data)
{
  HubServer *server = data;

  server->leaving = true;
  shut_down (server);
  server_drain (server);
  return G_SOURCE_REMOVE;
}

void
hub_server_free (HubServer *server)
{
  if (!server)
    return;
  call (server, leave);
  g_thread_join (server->thread);
  free_all (server);
}

uint16_t
hub_server_port (const HubServer *server)
{
  return server->port;
}

uint16_t
hub_server_media_port (const HubServer *server)
{
  return hub_forwarder_port (server->forwarder);
}

const char *
hub_server_host (const HubServer *server)
{
  return server->host;
}

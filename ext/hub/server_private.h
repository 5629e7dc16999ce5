/* What the files of the server share. server.c: life, turns, time. listener.c: sockets and TLS, until libsoup has them.
 * websocket.c: WebSockets and the rooms. pages.c: all other HTTP. media_glue.c: the rooms and the forwarder.
 *
 * All of it belongs to the signalling thread once that runs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "audit.h"
#include "edge.h"
#include "server.h"
#include "tls_stream.h"
#include "wsmeter.h"

#include <libsoup/soup.h>

typedef struct Listener Listener;
typedef struct Arrival Arrival;
typedef struct Websocket Websocket;
typedef struct MediaGlue MediaGlue;

struct HubServer
{
  /* fixed once it runs */
  GMainContext *context;
  HubPoller *poller; /* of all connections */
  GMainLoop *loop;
  GThread *thread;
  HubCertificate *certificate;
  unsigned connects_per_minute;
  bool metrics_for_all;
  HubLogFunc log;
  void *log_data;
  char *host;
  uint16_t port;

  /* the signalling thread's */
  Hub *hub;
  HubDirectory *directory;
  HubForwarder *forwarder;
  HubAuditLog *audit;
  SoupServer *soup;
  Listener *listener;
  MediaGlue *media;
  GSource *timer, *sweep, *media_events, *turns;
  HubTlsTurn turn;

  GHashTable *websockets; /* id -> Websocket */
  GQueue lost;            /* of Websocket: gone, the rooms don't know yet */
  Websocket *speaking;    /* whose frame the rooms work on */
  uint64_t next_id, backlog;
  bool draining, stopping, leaving;
  gint64 stop_at; /* ms, when stopping */
  HubEdgeStats stats;
};

uint64_t server_now (void);

/* Before the rooms are called. */
void server_enter (HubServer *server);

/* After that: sends what is to be sent, does what is to be done, sets the timer. */
void server_drain (HubServer *server);

void server_log (HubServer *server, bool warning, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* A source on the signalling thread, owned by `server->context` and the caller. */
GSource *server_attach (
    HubServer *server, GSource *source, GSourceFunc func, gpointer data);
void server_detach (GSource **source);

/* One that fires at its ready time, which its function sets anew: each has its own. */
GSource *server_timer (HubServer *server, GSourceFunc func, gpointer data);

void server_snapshot (HubServer *server, HubServerStats *out);

/* --- listener.c --- */
Listener *listener_new (HubServer *server, const char *bind_address,
    uint16_t port, GError **error);
uint16_t listener_port (const Listener *listener);
void listener_stop (Listener
        *listener); /* takes no more, and cuts what has no WebSocket yet */
void listener_free (Listener *listener);
uint32_t listener_arrivals (const Listener *listener);

/* The arrival behind a stream, or NULL; and its end as such: the stream lives on. */
Arrival *arrival_of (HubTlsStream *stream);
const char *arrival_source (const Arrival *arrival);
void arrival_done (Arrival *arrival);

/* --- pages.c --- */
void pages_init (HubServer *server);

/* --- websocket.c --- */
void websocket_init (HubServer *server);
void websocket_deliver (HubServer *server, const HubOutput *output);
void websocket_forget_lost (HubServer *server);
void websocket_sweep (HubServer *server);
void websocket_close_all (HubServer *server);
void websocket_cut (Websocket *websocket, uint64_t *counter);

/* The local address that it came in on, numeric. */
const char *websocket_local (const Websocket *websocket);

/* --- media_glue.c --- */
MediaGlue *media_glue_new (HubServer *server, unsigned audio_last_n);
void media_glue_free (MediaGlue *glue);
void media_glue_room_event (MediaGlue *glue, HubEvent *event);
void media_glue_forwarder_event (const HubMediaEvent *event, void *glue);

/* Tells what came of several events in one message each. */
void media_glue_flush (MediaGlue *glue);

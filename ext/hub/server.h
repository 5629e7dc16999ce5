/* The hub as a server: HTTPS and WebSockets in front of the rooms (room.h), the forwarder (forwarder.h) behind them, and the
 * thread "hub-signalling" that owns all of it.
 *
 *     listener ─ TLS ─ libsoup ─ WebSocket ══ rooms ══ media glue ── forwarder ─ media thread
 *                         └ pages                └ audit log
 *
 * Threads: everything here may be called from any thread but the signalling thread, hub_server_stats() also from there.
 * HubLogFunc is called on the signalling thread, or within hub_server_new().
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "certificate.h"
#include "forwarder.h"
#include "room.h"

typedef struct HubServer HubServer;

/* `warning`: something that the operator should repair. One line, nobody's name, address or key in it. */
typedef void (*HubLogFunc) (bool warning, const char *line, void *data);

typedef struct
{
  const char *
      bind_address; /* numeric; NULL or "" for all addresses of both families */
  uint16_t port;    /* TCP; 0 lets the system choose */
  uint16_t media_port; /* UDP; 0 for the number of `port` */
  const char *
      public_address; /* numeric: what clients are told to send media to; NULL or "" for none */
  HubCertificate *certificate; /* a reference is taken */
  unsigned max_meetings, max_participants;
  unsigned rate_limit;        /* WebSockets a minute from one source */
  unsigned audio_last_n;      /* 0 for all */
  const char *audit_location; /* NULL or "" for none */
  bool audit_addresses;
  bool metrics_for_all; /* else for clients on this machine only */
  HubLogFunc log;       /* may be NULL */
  void *log_data;
} HubServerConfig;

/* Binds, opens the audit log, starts both threads. NULL with a sentence for the operator. core_init() first. */
HubServer *hub_server_new (const HubServerConfig *config, GError **error);

/* Takes no more connections, tells everybody that it goes away and lets them go. Does not wait. */
void hub_server_shutdown (HubServer *server);

/* The same, waits for the last to be gone or HUB_EDGE_DRAIN_MS, and frees all. Takes NULL. */
void hub_server_free (HubServer *server);

uint16_t hub_server_port (const HubServer *server);
uint16_t hub_server_media_port (const HubServer *server);

/* What a link may name as this hub: the public address, the bound one, or the first of the machine. */
const char *hub_server_host (const HubServer *server);

/* What became of connections; they only grow, but for the last two. */
typedef struct
{
  uint64_t accepted; /* TCP */
  uint64_t
      refused_rate; /* closed at once: too many of this source in a short time, */
  uint64_t refused_full; /* or the process has no more file descriptors */
  uint64_t gave_way;     /* closed before the 101, for newer ones */
  uint64_t handshakes;   /* of TLS, that were done */
  uint64_t handshakes_failed;
  uint64_t
      timed_out; /* neither a WebSocket nor a whole page within HUB_EDGE_ARRIVAL_MS */
  uint64_t pages; /* answers that are no WebSocket, errors included */
  uint64_t websockets;
  uint64_t cut_early; /* sent something before it had an answer */
  uint64_t
      cut_too_much; /* frames that are too large, too many, or too many pings */
  uint64_t cut_slow;   /* did not read what it was sent */
  uint64_t cut_silent; /* did not answer pings */
  uint64_t audit_lines, audit_failed;
  uint64_t backlog; /* bytes that wait for clients to read, at most */
  uint32_t arrivals;
} HubEdgeStats;

typedef struct
{
  HubEdgeStats edge;
  HubUsage usage;
  HubStats rooms;
  HubForwarderStats media;
} HubServerStats;

/* A snapshot, taken on the signalling thread between two turns. */
void hub_server_stats (HubServer *server, HubServerStats *out);

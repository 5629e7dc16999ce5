/* TLS for connections of strangers: a GIOStream over a socket that never blocks, with budgets.
 *
 * GIO's own TLS does handshakes in a shared pool of threads, which a few hundred silent connections keep busy, and tells
 * nobody how much is queued; so the hub gives libsoup this stream instead. TLS 1.2 and 1.3 by GnuTLS, no renegotiation,
 * no resumption.
 *
 *     hub_tls_stream_new (socket) ── hub_tls_stream_handshake () ── soup_server_accept_iostream ()
 *
 * Threads: that of the GMainContext which was the thread's default at hub_tls_stream_handshake(); all of it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "certificate.h"
#include "poller.h"

G_BEGIN_DECLS

#define HUB_TYPE_TLS_STREAM (hub_tls_stream_get_type ())
G_DECLARE_FINAL_TYPE (HubTlsStream, hub_tls_stream, HUB, TLS_STREAM, GIOStream)

/* `socket`: connected, TCP; a reference is taken, and it is made non-blocking. `poller`: of the context in which the stream is
 * used; a reference is taken. NULL when memory is short. */
HubTlsStream *hub_tls_stream_new (GSocket *socket, HubCertificate *certificate, HubPoller *poller);

/* How a handshake ended. */
typedef enum
{
  HUB_TLS_READY,
  HUB_TLS_TIMEOUT, /* not done in time */
  HUB_TLS_CLOSED,  /* the client went away, or was cut */
  HUB_TLS_FAILED   /* not TLS, or nothing in common with us */
} HubTlsResult;

typedef void (*HubTlsFunc) (HubTlsStream *stream, HubTlsResult result, gpointer data);

/* What all streams of one loop share of one turn of it, so that a flood of one kind leaves the others their turns. Whoever
 * runs the loop counts `turn` up and sets `handshakes` anew before each poll. */
typedef struct
{
  unsigned turn;
  unsigned handshakes; /* steps of handshakes that are still done in this turn */
} HubTlsTurn;

/* Before the handshake; `turn` outlives the stream and its halves. Without it nothing bounds a turn; with
 * it, blocking reads must not be used. */
void hub_tls_stream_set_turn (HubTlsStream *stream, HubTlsTurn *turn);

/* Does the handshake within `timeout` ms, then calls `done`, once, from the main context; unless the stream is closed
 * before. */
void hub_tls_stream_handshake (HubTlsStream *stream, unsigned timeout, HubTlsFunc done, gpointer data);

/* How many more bytes may be read from now on; a read beyond that is an error and cuts the connection. Without a call: none
 * may be. */
void hub_tls_stream_allow (HubTlsStream *stream, uint64_t bytes);

/* Called with all that is read from now on; false is an error and cuts the connection. */
typedef bool (*HubTlsMeter) (const uint8_t *bytes, size_t len, gpointer data);
void hub_tls_stream_set_meter (HubTlsStream *stream, HubTlsMeter meter, gpointer data);

/* While it is held, nothing can be read: neither from the socket nor what is left of a record. */
void hub_tls_stream_hold (HubTlsStream *stream, bool hold);

/* Bytes of content, in all. */
uint64_t hub_tls_stream_get_read (HubTlsStream *stream);
uint64_t hub_tls_stream_get_written (HubTlsStream *stream);

/* Ends the connection now, without waiting for what is queued: all that comes after is an error. */
void hub_tls_stream_cut (HubTlsStream *stream);
bool hub_tls_stream_is_cut (HubTlsStream *stream);

G_END_DECLS

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

G_BEGIN_DECLS

#define HUB_TYPE_TLS_STREAM (hub_tls_stream_get_type ())
G_DECLARE_FINAL_TYPE (HubTlsStream, hub_tls_stream, HUB, TLS_STREAM, GIOStream)

/* `socket`: connected, TCP; a reference is taken, and it is made non-blocking. NULL when memory is short. */
HubTlsStream *hub_tls_stream_new (GSocket *socket, HubCertificate *certificate);

/* How a handshake ended. */
typedef enum
{
  HUB_TLS_READY,
  HUB_TLS_TIMEOUT, /* not done in time */
  HUB_TLS_CLOSED,  /* the client went away, or was cut */
  HUB_TLS_FAILED   /* not TLS, or nothing in common with us */
} HubTlsResult;

typedef void (*HubTlsFunc) (HubTlsStream *stream, HubTlsResult result, gpointer data);

/* Does the handshake within `timeout` ms, then calls `done`, once, from the main context; unless the stream is closed
 * before. */
void hub_tls_stream_handshake (HubTlsStream *stream, unsigned timeout, HubTlsFunc done, gpointer data);

/* How many more bytes may be read from now on; a read beyond that is an error and cuts the connection. Without a call: none
 * may be. */
void hub_tls_stream_allow (HubTlsStream *stream, uint64_t bytes);

/* Bytes of content, in all. */
uint64_t hub_tls_stream_get_read (HubTlsStream *stream);
uint64_t hub_tls_stream_get_written (HubTlsStream *stream);

/* Ends the connection now, without waiting for what is queued: all that comes after is an error. */
void hub_tls_stream_cut (HubTlsStream *stream);
bool hub_tls_stream_is_cut (HubTlsStream *stream);

G_END_DECLS

/* TLS for TURN (RFC 8656, 3.1): libnice speaks TURN over UDP and TCP only, so it is given a port on loopback, and what
 * comes there goes on to the server inside TLS.
 *
 * Everything happens in the thread-default main context of the thread that made it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

typedef struct IceTunnel IceTunnel;

/* `trust`: whom to believe instead of the system's authorities, or NULL. `failed` tells why a connection to the server
 * did not come about. NULL with `error` when no port can be opened. */
IceTunnel *ice_tunnel_new (const char *host, guint16 port, GTlsDatabase *trust,
    gboolean ipv6, void (*failed) (const char *why, gpointer user),
    gpointer user, GError **error);

/* The port on loopback. */
guint16 ice_tunnel_port (IceTunnel *tunnel);

/* Closes the port and what goes through it; that is over when ice_tunnel_is_busy() says so, some turns of the main
 * context later. */
void ice_tunnel_stop (IceTunnel *tunnel);
gboolean ice_tunnel_is_busy (IceTunnel *tunnel);
void ice_tunnel_free (IceTunnel *tunnel);

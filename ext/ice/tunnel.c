/* A port on loopback that leads to a server inside TLS.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tunnel.h"

#define MAX_CONNECTIONS                                                       \
  64 /* one for each local address and restart; more is somebody else on this machine */
#define CONNECT_TIME 10 /* s */

struct IceTunnel
{
  gatomicrefcount refs; /* the tunnel's, and one for each connection */
  GSocketService *service;
  GSocketClient *client;
  GCancellable *stop;
  char *host;
  guint16 port;
  guint16 local_port;
  guint n_connections;
  void (*failed) (const char *why, gpointer user);
  gpointer user;
};

typedef struct
{
  IceTunnel *tunnel;
  GIOStream *near;
} Carriage;

static void
tunnel_unref (IceTunnel *tunnel)
{
  if (!g_atomic_ref_count_dec (&tunnel->refs))
    return;
  g_clear_object (&tunnel->service);
  g_clear_object (&tunnel->client);
  g_clear_object (&tunnel->stop);
  g_free (tunnel->host);
  g_free (tunnel);
}

static void
carriage_free (Carriage *carriage)
{
  carriage->tunnel->n_connections--;
  g_object_unref (carriage->near);
  tunnel_unref (carriage->tunnel);
  g_free (carriage);
}

static void
on_spliced (GObject *object, GAsyncResult *result, gpointer user)
{
  (void) g_io_stream_splice_finish (
      result, NULL); /* either side closed: libnice sees that itself */
  carriage_free (user);
}

static void
on_connected (GObject *object, GAsyncResult *result, gpointer user)
{
  Carriage *carriage = user;
  IceTunnel *tunnel = carriage->tunnel;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketConnection) far = g_socket_client_connect_to_host_finish (
      G_SOCKET_CLIENT (object), result, &error);

  if (far) {
    /* The time limit was for connecting; an allocation may be silent for minutes. */
    g_socket_set_timeout (g_socket_connection_get_socket (far), 0);
    g_io_stream_splice_async (carriage->near, G_IO_STREAM (far),
        G_IO_STREAM_SPLICE_CLOSE_STREAM1 | G_IO_STREAM_SPLICE_CLOSE_STREAM2,
        G_PRIORITY_DEFAULT, tunnel->stop, on_spliced, carriage);
    return;
  }
  if (!g_cancellable_is_cancelled (tunnel->stop))
    tunnel->failed (error->message, tunnel->user);
  (void) g_io_stream_close (carriage->near, NULL, NULL);
  carriage_free (carriage);
}

static gboolean
on_incoming (GSocketService *service, GSocketConnection *near, GObject *source,
    gpointer user)
{
  IceTunnel *tunnel = user;

  if (tunnel->n_connections >= MAX_CONNECTIONS)
    return TRUE; /* unreferenced, it closes */
  tunnel->n_connections++;
  Carriage *carriage = g_new (Carriage, 1);
  g_atomic_ref_count_inc (&tunnel->refs);
  *carriage = (Carriage){ tunnel, G_IO_STREAM (g_object_ref (near)) };
  g_socket_client_connect_to_host_async (tunnel->client, tunnel->host,
      tunnel->port, tunnel->stop, on_connected, carriage);
  return TRUE;
}

static void
on_client_event (GSocketClient *client, GSocketClientEvent event,
    GSocketConnectable *connectable, GIOStream *connection,
    GTlsDatabase *trust)
{
  if (event == G_SOCKET_CLIENT_TLS_HANDSHAKING && trust)
    g_tls_connection_set_database (G_TLS_CONNECTION (connection), trust);
}

IceTunnel *
ice_tunnel_new (const char *host, guint16 port, GTlsDatabase *trust,
    gboolean ipv6, void (*failed) (const char *why, gpointer user),
    gpointer user, GError **error)
{
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (
      ipv6 ? G_SOCKET_FAMILY_IPV6 : G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (loopback, 0);
  g_autoptr (GSocketAddress) bound = NULL;
  IceTunnel *tunnel = g_new0 (IceTunnel, 1);

  g_atomic_ref_count_init (&tunnel->refs);
  tunnel->host = g_strdup (host);
  tunnel->port = port;
  tunnel->failed = failed;
  tunnel->user = user;
  tunnel->stop = g_cancellable_new ();
  tunnel->client = g_socket_client_new ();
  g_socket_client_set_tls (tunnel->client, TRUE);
  g_socket_client_set_enable_proxy (tunnel->client, FALSE);
  g_socket_client_set_timeout (tunnel->client, CONNECT_TIME);
  if (trust)
    g_signal_connect_data (tunnel->client, "event",
        G_CALLBACK (on_client_event), g_object_ref (trust),
        (GClosureNotify) (void (*) (void)) g_object_unref, 0);

  tunnel->service = g_socket_service_new ();
  g_signal_connect (
      tunnel->service, "incoming", G_CALLBACK (on_incoming), tunnel);
  if (!g_socket_listener_add_address (G_SOCKET_LISTENER (tunnel->service),
          address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL, &bound,
          error)) {
    tunnel_unref (tunnel);
    return NULL;
  }
  tunnel->local_port =
      g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  g_socket_service_start (tunnel->service);
  return tunnel;
}

guint16
ice_tunnel_port (IceTunnel *tunnel)
{
  return tunnel->local_port;
}

gboolean
ice_tunnel_is_busy (IceTunnel *tunnel)
{
  return tunnel->n_connections > 0;
}

void
ice_tunnel_stop (IceTunnel *tunnel)
{
  g_signal_handlers_disconnect_by_data (tunnel->service, tunnel);
  g_socket_service_stop (tunnel->service);
  g_socket_listener_close (G_SOCKET_LISTENER (tunnel->service));
  g_cancellable_cancel (tunnel->stop);
}

void
ice_tunnel_free (IceTunnel *tunnel)
{
  if (tunnel)
    tunnel_unref (tunnel);
}

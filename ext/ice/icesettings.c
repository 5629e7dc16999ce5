/* Settings of icetransport: judged when it starts, all of them, so that what cannot work is refused before anybody waits.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "icetransport.h"

#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#define GST_CAT_DEFAULT conclave_ice_debug

/* Reads the TURN servers from the property and its twin. Messages never quote: a URI holds a password. */
static gboolean
read_turn_servers (ConclaveIceTransport *self, Secret *given,
    const char *location, IceConfig *config)
{
  g_autoptr (GError) error = NULL;
  gint n = 0;

  if (given) {
    n = ice_turn_list_parse (
        (const char *) secret_bytes (given), secret_len (given), config->turn);
  } else if (location) {
    char *text = NULL;
    gsize len = 0;
    if (!g_file_get_contents (location, &text, &len, &error)) {
      GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ,
          ("The file \"%s\" of \"turn-servers-location\" cannot be read: check its name and rights.",
              location),
          ("%s", error->message));
      return FALSE;
    }
    n = ice_turn_list_parse (text, len, config->turn);
    sodium_memzero (text, len);
    g_free (text);
  }
  if (n < 0) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("\"turn-servers\" should be at most %d URIs of the form turn://user:password@host:port?transport=udp (or tcp), "
         "divided by commas.",
            ICE_MAX_SERVERS),
        ("one of them is not"));
    return FALSE;
  }
  config->n_turn = (guint) n;
  return TRUE;
}

/* TURN over TLS needs a TLS library behind GIO, and somebody to trust. */
static gboolean
prepare_tls (ConclaveIceTransport *self, const char *certificates,
    IceAgentConfig *config)
{
  g_autoptr (GError) error = NULL;
  gboolean wanted = FALSE;

  for (guint i = 0; i < config->link.n_turn; i++)
    wanted |= config->link.turn[i].transport == ICE_SERVER_TLS;
  if (!wanted)
    return TRUE;
  if (!g_tls_backend_supports_tls (g_tls_backend_get_default ())) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("TURN over TLS needs GIO's TLS module: install glib-networking."),
        ("no TLS backend"));
    return FALSE;
  }
  if (!certificates || !*certificates)
    return TRUE;
  /* GIO wants an absolute name. */
  g_autofree char *path = g_canonicalize_filename (certificates, NULL);
  config->trust = g_tls_file_database_new (path, &error);
  if (config->trust)
    return TRUE;
  GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ,
      ("\"turn-certificates-location\" should name a PEM file with certificates; \"%s\" is none.",
          certificates),
      ("%s", error->message));
  return FALSE;
}

/* Whether a socket can have `address`; errno says why not. */
static gboolean
can_bind (const NiceAddress *address)
{
  struct sockaddr_storage to = { 0 };
  nice_address_copy_to_sockaddr (address, (struct sockaddr *) &to);
  socklen_t len = to.ss_family == AF_INET6 ? sizeof (struct sockaddr_in6)
                                           : sizeof (struct sockaddr_in);
  int fd = socket (to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  gboolean ok = fd >= 0 && bind (fd, (struct sockaddr *) &to, len) == 0;
  int code = errno;

  if (fd >= 0)
    (void) close (fd);
  errno = code;
  return ok;
}

static gboolean
check_addresses (ConclaveIceTransport *self, char **addresses)
{
  for (char **a = addresses; a && *a; a++) {
    NiceAddress address;
    nice_address_init (&address);
    if (!nice_address_set_from_string (&address, *a)) {
      GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
          ("\"bind-address\" should be one or more IP addresses of this machine, divided by commas; \"%s\" is none.",
              *a),
          ("not an IP address"));
      return FALSE;
    }
    if (!can_bind (&address)) {
      GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
          ("\"bind-address\" names %s, which this machine does not have now: \"ip address\" lists those that it has.",
              *a),
          ("%s", g_strerror (errno)));
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
check_caps (ConclaveIceTransport *self, const GstCaps *caps)
{
  if (!caps || gst_caps_is_fixed (caps))
    return TRUE;
  g_autofree char *text = gst_caps_to_string (caps);
  GST_ELEMENT_ERROR (self, CORE, NEGOTIATION,
      ("\"caps\" should say one thing of what arrives, without ranges and choices, such as "
       "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8."),
      ("not fixed: %s", text));
  return FALSE;
}

static gboolean
check_settings (
    ConclaveIceTransport *self, const char *stun, IceAgentConfig *config)
{
  IceConfig *link = &config->link;

  if (stun && *stun
      && !ice_stun_uri_parse (stun, strlen (stun), &link->stun)) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("\"stun-server\" should look like stun://host:3478; \"%s\" does not.",
            stun),
        ("not a STUN URI"));
    return FALSE;
  }
  if (link->port_min > link->port_max
      || (link->port_min == 0 && link->port_max != 0)) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("\"port-min\" (%u) and \"port-max\" (%u) should be both 0, or a range.",
            link->port_min, link->port_max),
        ("no port range"));
    return FALSE;
  }
  if (config->local_location
      && g_strcmp0 (config->local_location, config->remote_location) == 0) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("\"local-description-location\" and \"remote-description-location\" are the same file: what one side writes the "
         "other reads, so there are two."),
        ("%s", config->local_location));
    return FALSE;
  }
  if (link->force_relay && link->n_turn == 0) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("\"force-relay\" needs a server in \"turn-servers\"."),
        ("no TURN server"));
    return FALSE;
  }
  return check_addresses (self, link->bind_addresses);
}

void
conclave_ice_config_clear (IceAgentConfig *config)
{
  for (guint i = 0; i < config->link.n_turn; i++)
    ice_server_clear (&config->link.turn[i]);
  g_clear_object (&config->trust);
  g_strfreev (config->link.bind_addresses);
  g_free (config->local_location);
  g_free (config->remote_location);
}

static char **
split_addresses (const char *text)
{
  if (!text || !*text)
    return NULL;
  char **all = g_strsplit_set (text, ", ", -1);
  guint n = 0;
  for (guint i = 0; all[i]; i++) {
    if (all[i][0])
      all[n++] = all[i];
    else
      g_free (all[i]);
  }
  all[n] = NULL;
  return all;
}

gboolean
conclave_ice_transport_read_settings (
    ConclaveIceTransport *self, IceAgentConfig *config)
{
  g_autofree char *stun = NULL;
  g_autofree char *turn_location = NULL;
  g_autofree char *certificates = NULL;
  g_autoptr (GstCaps) caps = NULL;
  IceConfig *link = &config->link;

  GST_OBJECT_LOCK (self);
  gst_caps_replace (&caps, self->caps);
  stun = g_strdup (self->stun_server);
  turn_location = g_strdup (self->turn_servers_location);
  certificates = g_strdup (self->turn_certificates);
  Secret *turn = secret_ref (self->turn_servers);
  link->controlling = self->controlling;
  link->force_relay = self->force_relay;
  link->ice_tcp = self->ice_tcp;
  link->media_sockets = self->media_sockets;
  link->bind_addresses = split_addresses (self->bind_address);
  link->port_min = self->port_min;
  link->port_max = self->port_max;
  link->pacing = self->pacing;
  link->receive_buffer_size = self->receive_buffer_size;
  config->connect_timeout = self->connect_timeout;
  config->disconnect_timeout = self->disconnect_timeout;
  config->local_location = g_strdup (self->local_location);
  config->remote_location = g_strdup (self->remote_location);
  GST_OBJECT_UNLOCK (self);

  gboolean ok = check_caps (self, caps)
                && read_turn_servers (self, turn, turn_location, link)
                && prepare_tls (self, certificates, config)
                && check_settings (self, stun, config);
  secret_unref (turn);
  return ok;
}

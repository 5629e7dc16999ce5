/* Properties of icetransport.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "icetransport.h"

#include <string.h>

enum
{
  PROP_0,
  PROP_CONTROLLING,
  PROP_STUN_SERVER,
  PROP_TURN_SERVERS,
  PROP_TURN_SERVERS_LOCATION,
  PROP_TURN_CERTIFICATES_LOCATION,
  PROP_BIND_ADDRESS,
  PROP_PORT_MIN,
  PROP_PORT_MAX,
  PROP_CAPS,
  PROP_LOCAL_DESCRIPTION,
  PROP_REMOTE_DESCRIPTION,
  PROP_LOCAL_DESCRIPTION_LOCATION,
  PROP_REMOTE_DESCRIPTION_LOCATION,
  PROP_STATE,
  PROP_SELECTED_PAIR,
  PROP_STATS,
  PROP_FORCE_RELAY,
  PROP_ICE_TCP,
  PROP_CONNECT_TIMEOUT,
  PROP_DISCONNECT_TIMEOUT,
  PROP_MAX_QUEUED,
  PROP_RECEIVE_BUFFER_SIZE,
  PROP_STUN_PACING_TIMER,
  PROP_MEDIA_SOCKETS,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

GType
conclave_ice_state_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { ICE_STATE_NEW, "Not started", "new" },
    { ICE_STATE_GATHERING,
        "Gathering candidates, awaiting the far end's description",
        "gathering" },
    { ICE_STATE_CONNECTING, "Checking pairs", "connecting" },
    { ICE_STATE_CONNECTED, "Connected, other pairs are still checked",
        "connected" },
    { ICE_STATE_READY, "Connected, all checks are over", "ready" },
    { ICE_STATE_DISCONNECTED, "The path was lost; restarting",
        "disconnected" },
    { ICE_STATE_FAILED, "Given up", "failed" },
    { 0, NULL, NULL },
  };
  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("ConclaveIceState", values));
  return type;
}

const char *
conclave_ice_state_nick (IceState state)
{
  GEnumClass *klass = g_type_class_ref (CONCLAVE_TYPE_ICE_STATE);
  const char *nick = g_enum_get_value (klass, (gint) state)->value_nick;
  g_type_class_unref (klass);
  return nick;
}

void
conclave_ice_transport_notify_state (ConclaveIceTransport *self)
{
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_STATE]);
}

void
conclave_ice_transport_notify_pair (ConclaveIceTransport *self)
{
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_SELECTED_PAIR]);
}

static GstStructure *
make_stats (ConclaveIceTransport *self)
{
  IceSender *sender = &self->sender;
  IceReceiver *receiver = &self->receiver;
  IceAgentStats agent = { .rtt = -1 };
  GstStructure *s =
      gst_structure_new_empty ("application/x-icetransport-stats");

  GST_OBJECT_LOCK (self);
  if (self->agent)
    ice_agent_get_stats (self->agent, &agent);
  ice_agent_stats_add (&agent, &self->past);
  GST_OBJECT_UNLOCK (self);

  g_mutex_lock (&sender->lock);
  gst_structure_set (s, "packets-in", G_TYPE_UINT64, sender->received,
      "packets-sent", G_TYPE_UINT64, sender->sent, "bytes-sent", G_TYPE_UINT64,
      sender->bytes, "queued", G_TYPE_UINT, sender->queue.length,
      "dropped-queue-full", G_TYPE_UINT64, sender->queue_full,
      "dropped-refused", G_TYPE_UINT64, sender->refused, "dropped-discarded",
      G_TYPE_UINT64, sender->discarded, NULL);
  g_mutex_unlock (&sender->lock);

  g_mutex_lock (&receiver->lock);
  gst_structure_set (s, "packets-received", G_TYPE_UINT64, receiver->packets,
      "packets-delivered", G_TYPE_UINT64, receiver->delivered,
      "bytes-delivered", G_TYPE_UINT64, receiver->bytes,
      "dropped-unknown-source", G_TYPE_UINT64, receiver->unknown_source,
      "dropped-overload", G_TYPE_UINT64, receiver->overload,
      "dropped-not-linked", G_TYPE_UINT64, receiver->not_linked,
      "dropped-not-wanted", G_TYPE_UINT64, receiver->not_wanted, NULL);
  g_mutex_unlock (&receiver->lock);

  gst_structure_set (s, "dropped-by-kernel", G_TYPE_UINT64, agent.kernel_drops,
      "restarts", G_TYPE_UINT64, agent.restarts, "descriptions-refused",
      G_TYPE_UINT64, agent.descriptions_refused, "candidates-skipped",
      G_TYPE_UINT64, agent.candidates_skipped, "media-socket", G_TYPE_BOOLEAN,
      agent.media_socket, NULL);
  if (agent.local_type[0])
    gst_structure_set (s, "local-type", G_TYPE_STRING, agent.local_type,
        "remote-type", G_TYPE_STRING, agent.remote_type, "transport",
        G_TYPE_STRING, agent.transport, NULL);
  if (agent.rtt >= 0)
    gst_structure_set (
        s, "round-trip-time", G_TYPE_UINT64, (guint64) agent.rtt, NULL);
  return s;
}

static void
set_string (char **field, const GValue *value)
{
  g_free (*field);
  *field = g_value_dup_string (value);
}

static void
set_turn_servers (ConclaveIceTransport *self, const GValue *value)
{
  const char *text = g_value_get_string (value);
  Secret *old,
      *fresh = text && *text ? secret_copy (text, strlen (text)) : NULL;

  /* Too long to be kept (SECRET_MAX): an empty list that is none, so that READY->PAUSED says what is wrong. */
  if (text && *text && !fresh)
    fresh = secret_copy ("?", 1);
  GST_OBJECT_LOCK (self);
  old = self->turn_servers;
  self->turn_servers = fresh;
  GST_OBJECT_UNLOCK (self);
  secret_unref (old);
}

/* Caps that leave a choice cannot be pushed. Before the start they are kept, and refused with the other settings. */
static void
set_caps (ConclaveIceTransport *self, const GValue *value)
{
  const GstCaps *caps = gst_value_get_caps (value);
  GstCaps *fresh = caps ? gst_caps_copy (caps) : NULL;
  gboolean fixed = !caps || gst_caps_is_fixed (caps);

  GST_OBJECT_LOCK (self);
  gboolean refused = self->agent && !fixed;
  if (!refused) {
    GstCaps *old = self->caps;
    self->caps = fresh;
    fresh = old;
  }
  GST_OBJECT_UNLOCK (self);
  if (refused) {
    g_autofree char *text = gst_caps_to_string (fresh);
    GST_ELEMENT_WARNING (self, CORE, NEGOTIATION,
        ("\"caps\" should say one thing of what arrives, without ranges and choices; those of before stay."),
        ("not fixed: %s", text));
  } else
    g_atomic_int_set (&self->receiver.renegotiate, TRUE);
  gst_clear_caps (&fresh);
}

/* What the agent was started with it does not look at again. */
static gboolean
refuse_while_running (ConclaveIceTransport *self, const GParamSpec *pspec)
{
  if (!(pspec->flags & GST_PARAM_MUTABLE_READY))
    return FALSE;
  GST_OBJECT_LOCK (self);
  gboolean running = self->agent != NULL;
  GST_OBJECT_UNLOCK (self);
  if (running)
    g_warning (
        "\"%s\" of %s cannot change in PAUSED and PLAYING; set it in NULL or READY",
        pspec->name, GST_OBJECT_NAME (self));
  return running;
}

static void
conclave_ice_transport_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveIceTransport *self = CONCLAVE_ICE_TRANSPORT (object);

  if (refuse_while_running (self, pspec))
    return;
  switch (id) {
    case PROP_TURN_SERVERS:
      set_turn_servers (self, value);
      return;
    case PROP_CAPS:
      set_caps (self, value);
      return;
    case PROP_REMOTE_DESCRIPTION:
      conclave_ice_transport_take_text (
          self, g_value_get_string (value), FALSE);
      return;
    default:
      break;
  }

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_CONTROLLING:
      self->controlling = g_value_get_boolean (value);
      break;
    case PROP_STUN_SERVER:
      set_string (&self->stun_server, value);
      break;
    case PROP_TURN_SERVERS_LOCATION:
      set_string (&self->turn_servers_location, value);
      break;
    case PROP_TURN_CERTIFICATES_LOCATION:
      set_string (&self->turn_certificates, value);
      break;
    case PROP_BIND_ADDRESS:
      set_string (&self->bind_address, value);
      break;
    case PROP_PORT_MIN:
      self->port_min = g_value_get_uint (value);
      break;
    case PROP_PORT_MAX:
      self->port_max = g_value_get_uint (value);
      break;
    case PROP_LOCAL_DESCRIPTION_LOCATION:
      set_string (&self->local_location, value);
      break;
    case PROP_REMOTE_DESCRIPTION_LOCATION:
      set_string (&self->remote_location, value);
      break;
    case PROP_FORCE_RELAY:
      self->force_relay = g_value_get_boolean (value);
      break;
    case PROP_ICE_TCP:
      self->ice_tcp = g_value_get_boolean (value);
      break;
    case PROP_CONNECT_TIMEOUT:
      self->connect_timeout = g_value_get_uint (value);
      break;
    case PROP_DISCONNECT_TIMEOUT:
      self->disconnect_timeout = g_value_get_uint (value);
      break;
    case PROP_MAX_QUEUED:
      self->max_queued = g_value_get_uint (value);
      break;
    case PROP_RECEIVE_BUFFER_SIZE:
      self->receive_buffer_size = g_value_get_int (value);
      break;
    case PROP_STUN_PACING_TIMER:
      self->pacing = g_value_get_uint (value);
      break;
    case PROP_MEDIA_SOCKETS:
      self->media_sockets = g_value_get_boolean (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_ice_transport_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveIceTransport *self = CONCLAVE_ICE_TRANSPORT (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_CONTROLLING:
      g_value_set_boolean (value, self->controlling);
      break;
    case PROP_STUN_SERVER:
      g_value_set_string (value, self->stun_server);
      break;
    case PROP_TURN_SERVERS_LOCATION:
      g_value_set_string (value, self->turn_servers_location);
      break;
    case PROP_TURN_CERTIFICATES_LOCATION:
      g_value_set_string (value, self->turn_certificates);
      break;
    case PROP_BIND_ADDRESS:
      g_value_set_string (value, self->bind_address);
      break;
    case PROP_PORT_MIN:
      g_value_set_uint (value, self->port_min);
      break;
    case PROP_PORT_MAX:
      g_value_set_uint (value, self->port_max);
      break;
    case PROP_CAPS:
      gst_value_set_caps (value, self->caps);
      break;
    case PROP_LOCAL_DESCRIPTION:
      g_value_take_string (value,
          self->agent ? ice_agent_dup_local_description (self->agent) : NULL);
      break;
    case PROP_LOCAL_DESCRIPTION_LOCATION:
      g_value_set_string (value, self->local_location);
      break;
    case PROP_REMOTE_DESCRIPTION_LOCATION:
      g_value_set_string (value, self->remote_location);
      break;
    case PROP_STATE:
      g_value_set_enum (value, (gint) self->state);
      break;
    case PROP_SELECTED_PAIR:
      g_value_take_string (value,
          self->agent ? ice_agent_dup_selected_pair (self->agent) : NULL);
      break;
    case PROP_FORCE_RELAY:
      g_value_set_boolean (value, self->force_relay);
      break;
    case PROP_ICE_TCP:
      g_value_set_boolean (value, self->ice_tcp);
      break;
    case PROP_CONNECT_TIMEOUT:
      g_value_set_uint (value, self->connect_timeout);
      break;
    case PROP_DISCONNECT_TIMEOUT:
      g_value_set_uint (value, self->disconnect_timeout);
      break;
    case PROP_MAX_QUEUED:
      g_value_set_uint (value, self->max_queued);
      break;
    case PROP_RECEIVE_BUFFER_SIZE:
      g_value_set_int (value, self->receive_buffer_size);
      break;
    case PROP_STUN_PACING_TIMER:
      g_value_set_uint (value, self->pacing);
      break;
    case PROP_MEDIA_SOCKETS:
      g_value_set_boolean (value, self->media_sockets);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
}

/* A string that is for who asks for it by name, and for no listing. GStreamer's dot files hold what differs from a property's
 * default; a value of this kind never does. */

static gint
compare_as_equal (GParamSpec *pspec, const GValue *a, const GValue *b)
{
  return 0;
}

static void
init_unlisted_class (gpointer klass, gpointer data)
{
  GParamSpecClass *pspec_class = klass;
  pspec_class->values_cmp = compare_as_equal;
}

static GType
unlisted_string_get_type (void)
{
  static gsize type;
  if (g_once_init_enter (&type)) {
    GTypeQuery parent;
    g_type_query (G_TYPE_PARAM_STRING, &parent);
    g_once_init_leave (&type,
        g_type_register_static_simple (G_TYPE_PARAM_STRING,
            "ConclaveIceUnlistedString", (guint) parent.class_size,
            init_unlisted_class, (guint) parent.instance_size, NULL, 0));
  }
  return type;
}

void
conclave_ice_transport_install_properties (GObjectClass *klass)
{
  const GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  const GParamFlags reading = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  /**
   * ConclaveIceTransport:controlling:
   *
   * Whether this side nominates pairs (RFC 8445, 6.1.1): the one that makes the first move. If both say the same, ICE
   * settles it with one more round trip; against an ice-lite peer this side always controls.
   *
   * Since: 0.1
   */
  props[PROP_CONTROLLING] = g_param_spec_boolean ("controlling", "Controlling",
      "Nominate pairs: TRUE on one of the two sides", FALSE, ready);

  /**
   * ConclaveIceTransport:stun-server:
   *
   * `stun://host:port`, or host with or without port (3478). Tells this host under which address NATs show it.
   *
   * Since: 0.1
   */
  props[PROP_STUN_SERVER] = g_param_spec_string ("stun-server", "STUN server",
      "Server that tells our address outside of NATs: stun://host:port", NULL,
      ready);

  /**
   * ConclaveIceTransport:turn-servers:
   *
   * Relays: `turn://user:password@host:port?transport=udp` (or `tcp`, `tls`), divided by commas; user and password
   * percent-encoded. On a launch line it is in the shell's history: prefer
   * #ConclaveIceTransport:turn-servers-location.
   *
   * Since: 0.1
   */
  props[PROP_TURN_SERVERS] = g_param_spec_string ("turn-servers",
      "TURN servers",
      "Relays, divided by commas: turn://user:password@host:port?transport=udp|tcp|tls (prefer turn-servers-location)",
      NULL,
      G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);

  /**
   * ConclaveIceTransport:turn-servers-location:
   *
   * A file with what #ConclaveIceTransport:turn-servers would hold, one or more a line; # begins a comment.
   *
   * Since: 0.1
   */
  props[PROP_TURN_SERVERS_LOCATION] =
      g_param_spec_string ("turn-servers-location", "TURN servers location",
          "File with the URIs of TURN servers", NULL, ready);

  /**
   * ConclaveIceTransport:turn-certificates-location:
   *
   * A PEM file with the certificates to trust for TURN servers over TLS, instead of the system's authorities.
   *
   * Since: 0.1
   */
  props[PROP_TURN_CERTIFICATES_LOCATION] = g_param_spec_string (
      "turn-certificates-location", "TURN certificates location",
      "PEM file with the certificates to trust for TURN over TLS (default: the system's)",
      NULL, ready);

  /**
   * ConclaveIceTransport:bind-address:
   *
   * Addresses of this machine to use, divided by commas; all of them are there at the start. By default all of interfaces that are up; loopback only when
   * there is no other, or the far end offers it.
   *
   * Since: 0.1
   */
  props[PROP_BIND_ADDRESS] = g_param_spec_string ("bind-address",
      "Bind address",
      "Addresses of this machine to use, divided by commas (default: all but loopback)",
      NULL, ready);

  /**
   * ConclaveIceTransport:port-min:
   *
   * First local port to use, 0 for any.
   *
   * Since: 0.1
   */
  props[PROP_PORT_MIN] = g_param_spec_uint ("port-min", "Port min",
      "First local port to use, 0: any", 0, 65535, 0, ready);

  /**
   * ConclaveIceTransport:port-max:
   *
   * Last local port to use, 0 for any.
   *
   * Since: 0.1
   */
  props[PROP_PORT_MAX] = g_param_spec_uint ("port-max", "Port max",
      "Last local port to use, 0: any", 0, 65535, 0, ready);

  /**
   * ConclaveIceTransport:caps:
   *
   * Caps of what arrives, as on `udpsrc`; fixed ones. By default what downstream asks for, if it leaves no choice.
   *
   * Since: 0.1
   */
  props[PROP_CAPS] = g_param_spec_boxed ("caps", "Caps",
      "Caps of what arrives (default: what downstream asks for, if it leaves no choice)",
      GST_TYPE_CAPS, playing);

  /**
   * ConclaveIceTransport:local-description:
   *
   * What the far end needs to know, as far as it is known by now: it grows until it ends in `a=end-of-candidates`
   * (#ConclaveIceTransport::local-description-changed), and is another one after a restart. %NULL before PAUSED. It holds
   * the ICE password of this connection: give it to the far end only. So it is not notified, and dot files leave it out.
   *
   * Since: 0.1
   */
  props[PROP_LOCAL_DESCRIPTION] = g_param_spec_internal (
      unlisted_string_get_type (), "local-description", "Local description",
      "What the far end needs to know (application/trickle-ice-sdpfrag, RFC 8840); grows",
      reading);

  /**
   * ConclaveIceTransport:remote-description:
   *
   * The far end's description, whole or in pieces: candidates of the same credentials add up, other credentials are a
   * restart. Set before PAUSED it serves the next start. Not readable: it holds an ICE password.
   *
   * Since: 0.1
   */
  props[PROP_REMOTE_DESCRIPTION] = g_param_spec_string ("remote-description",
      "Remote description", "The far end's description, whole or in pieces",
      NULL,
      G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);

  /**
   * ConclaveIceTransport:local-description-location:
   *
   * File to write the local description to, whenever it grows; replaced in one step, readable by its owner alone,
   * removed at the end. Symbolic links are followed; anything else than a regular file is refused.
   *
   * Since: 0.1
   */
  props[PROP_LOCAL_DESCRIPTION_LOCATION] = g_param_spec_string (
      "local-description-location", "Local description location",
      "File to write the local description to", NULL, ready);

  /**
   * ConclaveIceTransport:remote-description-location:
   *
   * File to read the far end's description from: awaited, and read again whenever it changes. One that exists and cannot
   * be read is a warning.
   *
   * Since: 0.1
   */
  props[PROP_REMOTE_DESCRIPTION_LOCATION] = g_param_spec_string (
      "remote-description-location", "Remote description location",
      "File to await the far end's description in", NULL, ready);

  /**
   * ConclaveIceTransport:state:
   *
   * Where the connection stands. Every change is notified, and posted as element message `conclave-ice-state`. Packets
   * flow in `connected` and `ready`.
   *
   * Since: 0.1
   */
  props[PROP_STATE] =
      g_param_spec_enum ("state", "State", "Where the connection stands",
          CONCLAVE_TYPE_ICE_STATE, ICE_STATE_NEW, reading);

  /**
   * ConclaveIceTransport:selected-pair:
   *
   * The addresses in use, such as `host 192.0.2.1:5000 -> srflx 198.51.100.2:6000 (udp)`. Changes are notified, and
   * posted as element message `conclave-ice-pair`.
   *
   * Since: 0.1
   */
  props[PROP_SELECTED_PAIR] =
      g_param_spec_string ("selected-pair", "Selected pair",
          "The addresses in use: type and address here -> there (transport)",
          NULL, reading);

  /**
   * ConclaveIceTransport:stats:
   *
   * `application/x-icetransport-stats`. Sending: `packets-in` = `packets-sent` + `queued` + `dropped-queue-full` +
   * `dropped-refused` (by the network) + `dropped-discarded` (at a flush or stop, or when EOS had waited); `bytes-sent`. Receiving:
   * `packets-received` = `packets-delivered` + `dropped-unknown-source` + `dropped-overload` + `dropped-not-linked` +
   * `dropped-not-wanted` (by downstream) + those on their way; `bytes-delivered`; `dropped-by-kernel` are not among
   * those received. `restarts`, `descriptions-refused`, `candidates-skipped`; `local-type`, `remote-type`, `transport`
   * of the selected pair, whether it has a `media-socket`, and its `round-trip-time` in ns where known: of direct UDP
   * pairs, measured every two seconds.
   *
   * Since: 0.1
   */
  props[PROP_STATS] = g_param_spec_boxed ("stats", "Statistics",
      "Packets sent, received and dropped (by cause)", GST_TYPE_STRUCTURE,
      reading);

  /**
   * ConclaveIceTransport:force-relay:
   *
   * Use TURN servers only, so that the far end does not learn this host's address.
   *
   * Since: 0.1
   */
  props[PROP_FORCE_RELAY] = g_param_spec_boolean ("force-relay", "Force relay",
      "Go through TURN servers only: hides this host's address", FALSE, ready);

  /**
   * ConclaveIceTransport:ice-tcp:
   *
   * Offer TCP candidates besides UDP (RFC 6544): for networks that let no UDP out. Media over TCP stalls on loss.
   *
   * Since: 0.1
   */
  props[PROP_ICE_TCP] = g_param_spec_boolean (
      "ice-tcp", "ICE-TCP", "Offer TCP candidates besides UDP", FALSE, ready);

  /**
   * ConclaveIceTransport:connect-timeout:
   *
   * Seconds from PAUSED to the first connection, waiting for the far end's description included; then the element
   * errors. 0 waits for ever.
   *
   * Since: 0.1
   */
  props[PROP_CONNECT_TIMEOUT] =
      g_param_spec_uint ("connect-timeout", "Connect timeout",
          "Seconds until the first connection, then an error; 0: no limit", 0,
          86400, ICE_DEFAULT_CONNECT_TIMEOUT, ready);

  /**
   * ConclaveIceTransport:disconnect-timeout:
   *
   * Seconds a lost connection may take to come back, then the element errors. 0, the default, waits for ever.
   *
   * Since: 0.1
   */
  props[PROP_DISCONNECT_TIMEOUT] = g_param_spec_uint ("disconnect-timeout",
      "Disconnect timeout",
      "Seconds a lost connection may take to come back, then an error; 0: no limit",
      0, 86400, 0, ready);

  /**
   * ConclaveIceTransport:max-queued:
   *
   * Packets that wait while there is no connection or the socket is full; the oldest go first.
   *
   * Since: 0.1
   */
  props[PROP_MAX_QUEUED] = g_param_spec_uint ("max-queued", "Max queued",
      "Packets that wait while they cannot be sent; older ones are dropped", 0,
      65536, ICE_DEFAULT_MAX_QUEUED, ready);

  /**
   * ConclaveIceTransport:receive-buffer-size:
   *
   * Bytes of the kernel's receive buffer (SO_RCVBUF) of each socket; 0 for the system's default, which holds few packets
   * of a burst. Without CAP_NET_ADMIN the kernel grants at most the sysctl `net.core.rmem_max`.
   *
   * Since: 0.1
   */
  props[PROP_RECEIVE_BUFFER_SIZE] =
      g_param_spec_int ("receive-buffer-size", "Receive buffer size",
          "Bytes of kernel receive buffer to ask for, 0: the system's default",
          0, 256 * 1024 * 1024, ICE_DEFAULT_RECEIVE_BUFFER, ready);

  /**
   * ConclaveIceTransport:stun-pacing-timer:
   *
   * Milliseconds between two checks (Ta of RFC 8445, 14). 0 chooses: 5, and 1 where there are at most 4 pairs.
   *
   * Since: 0.1
   */
  props[PROP_STUN_PACING_TIMER] =
      g_param_spec_uint ("stun-pacing-timer", "STUN pacing timer",
          "Milliseconds between checks; 0: 5, and 1 for few pairs", 0, 1000, 0,
          ready);

  /**
   * ConclaveIceTransport:media-sockets:
   *
   * Move RTP and RTCP by sockets of our own beside libnice's, where the kernel can divide a port: many packets a system
   * call. FALSE moves everything through libnice.
   *
   * Since: 0.1
   */
  props[PROP_MEDIA_SOCKETS] =
      g_param_spec_boolean ("media-sockets", "Media sockets",
          "Move RTP by sockets beside libnice's, many packets a system call",
          TRUE, ready);

  klass->set_property = conclave_ice_transport_set_property;
  klass->get_property = conclave_ice_transport_get_property;
  g_object_class_install_properties (klass, N_PROPS, props);
}

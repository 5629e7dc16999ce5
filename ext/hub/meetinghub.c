/**
 * SECTION:element-meetinghub
 * @title: meetinghub
 *
 * A hub for secure meetings: where participants meet, and what passes their media on. It has no pads; in PAUSED and PLAYING it
 * is a server. Signalling is WebSocket over TLS on one TCP port, media is SRTP on one UDP port. What it passes on it cannot
 * read: keys to content are made by the members and never come here.
 *
 * The certificate at #ConclaveMeetingHub:certificate-location is made on first use. #ConclaveMeetingHub:pin is its
 * fingerprint; a link with it lets clients know this hub again. An element message `conclave-hub` says when it listens, with
 * `port`, `media-port`, `pin` and a `link` in which only the meeting's name is to be put in.
 *
 * The hub ends like a file source: on EOS it tells everybody that it goes away and posts EOS. So Ctrl-C ends it, also with
 * `gst-launch-1.0 -e`. A pipeline with such a hub in it does not end by itself.
 *
 * ## Threads
 * `hub-signalling` owns connections and meetings, the media thread owns packets; neither is a streaming thread. State changes
 * start and end them, and wait: up to a second at the end, for clients to hear of it. Properties may be read from any thread.
 * #ConclaveMeetingHub:stats asks `hub-signalling` and waits for its answer.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -m meetinghub port=8443 certificate-location=hub.pem
 * ]|
 * A hub until Ctrl-C.
 *
 * Since: 0.1
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meetinghub.h"

#include "server.h"

#include "ext/session/json.h"
#include "ext/sodium/link.h"

GST_DEBUG_CATEGORY_STATIC (meetinghub_debug);
#define GST_CAT_DEFAULT meetinghub_debug

#define DEFAULT_MAX_PARTICIPANTS 4096
#define MEETING_TO_FILL_IN "MEETING"

#define CONCLAVE_TYPE_MEETING_HUB (conclave_meeting_hub_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveMeetingHub, conclave_meeting_hub, CONCLAVE,
    MEETING_HUB, GstElement)

struct _ConclaveMeetingHub
{
  GstElement parent;

  /* object lock; fixed from READY on */
  guint port, media_port, max_meetings, max_participants, rate_limit,
      audio_last_n;
  gchar *bind_address, *public_address, *certificate_location,
      *private_key_location, *audit_location;
  gboolean audit_addresses, public_metrics;

  /* object lock */
  HubCertificate *certificate; /* from READY to NULL */

  GMutex
      lock; /* of what follows; taken after none other, and nothing is called out with it held */
  GCond unused;
  HubServer *server; /* from READY to PAUSED and back */
  guint users;       /* who is asking it something */
  HubServerStats last;
};

G_DEFINE_FINAL_TYPE (
    ConclaveMeetingHub, conclave_meeting_hub, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE (
    meetinghub, "meetinghub", GST_RANK_NONE, CONCLAVE_TYPE_MEETING_HUB)

enum
{
  PROP_0,
  PROP_PORT,
  PROP_BIND_ADDRESS,
  PROP_CERTIFICATE_LOCATION,
  PROP_PRIVATE_KEY_LOCATION,
  PROP_PUBLIC_ADDRESS,
  PROP_MEDIA_PORT,
  PROP_MAX_MEETINGS,
  PROP_MAX_PARTICIPANTS,
  PROP_RATE_LIMIT,
  PROP_AUDIO_LAST_N,
  PROP_AUDIT_LOCATION,
  PROP_AUDIT_ADDRESSES,
  PROP_PUBLIC_METRICS,
  PROP_PIN,
  PROP_STATS
};

static void
log_line (bool warning, const char *line, void *data)
{
  if (warning)
    GST_WARNING_OBJECT (data, "%s", line);
  else
    GST_INFO_OBJECT (data, "%s", line);
}

/* ---- Numbers ---- */

/* The server as it is now, for a question; to be given back. */
static HubServer *
borrow_server (ConclaveMeetingHub *self)
{
  g_mutex_lock (&self->lock);
  HubServer *server = self->server;
  if (server)
    self->users++;
  g_mutex_unlock (&self->lock);
  return server;
}

static void
return_server (ConclaveMeetingHub *self)
{
  g_mutex_lock (&self->lock);
  if (--self->users == 0)
    g_cond_broadcast (&self->unused);
  g_mutex_unlock (&self->lock);
}

static void
read_stats (ConclaveMeetingHub *self, HubServerStats *stats)
{
  HubServer *server = borrow_server (self);

  if (server) {
    hub_server_stats (server, stats);
    return_server (self);
    return;
  }
  g_mutex_lock (&self->lock);
  *stats = self->last;
  g_mutex_unlock (&self->lock);
}

static void
set_count (
    GstStructure *s, const char *prefix, const char *name, guint64 value)
{
  g_autofree gchar *field = g_strconcat (prefix, name, NULL);

  gst_structure_set (s, field, G_TYPE_UINT64, value, NULL);
}

static void
set_edge (GstStructure *s, const HubEdgeStats *edge)
{
  gst_structure_set (s, "accepted", G_TYPE_UINT64, edge->accepted,
      "refused-rate", G_TYPE_UINT64, edge->refused_rate, "refused-full",
      G_TYPE_UINT64, edge->refused_full, "gave-way", G_TYPE_UINT64,
      edge->gave_way, "handshakes", G_TYPE_UINT64, edge->handshakes,
      "handshakes-failed", G_TYPE_UINT64, edge->handshakes_failed, "timed-out",
      G_TYPE_UINT64, edge->timed_out, "pages", G_TYPE_UINT64, edge->pages,
      "websockets", G_TYPE_UINT64, edge->websockets, "cut-early",
      G_TYPE_UINT64, edge->cut_early, "cut-too-much", G_TYPE_UINT64,
      edge->cut_too_much, "cut-slow", G_TYPE_UINT64, edge->cut_slow,
      "cut-silent", G_TYPE_UINT64, edge->cut_silent, "audit-lines",
      G_TYPE_UINT64, edge->audit_lines, "audit-failed", G_TYPE_UINT64,
      edge->audit_failed, "backlog", G_TYPE_UINT64, edge->backlog, "arrivals",
      G_TYPE_UINT, edge->arrivals, NULL);
}

static void
set_rooms (GstStructure *s, const HubServerStats *stats)
{
  const HubStats *rooms = &stats->rooms;

  gst_structure_set (s, "meetings", G_TYPE_UINT, (guint) stats->usage.opened,
      "participants", G_TYPE_UINT, (guint) stats->usage.members, "strangers",
      G_TYPE_UINT, (guint) stats->usage.strangers, "knocks", G_TYPE_UINT64,
      rooms->knocks, "admitted", G_TYPE_UINT64, rooms->admitted, "returns",
      G_TYPE_UINT64, rooms->returns, "lapsed", G_TYPE_UINT64, rooms->lapsed,
      "dismissed", G_TYPE_UINT64, rooms->dismissed, "connects-refused",
      G_TYPE_UINT64, rooms->connects_refused, "frames", G_TYPE_UINT64,
      rooms->frames, NULL);
  for (int i = 0; i < HUB_N_VERDICTS; i++)
    set_count (
        s, "frames-", hub_verdict_name ((HubVerdict) i), rooms->verdicts[i]);
}

static GstStructure *
make_stats (ConclaveMeetingHub *self)
{
  HubServerStats stats;
  GstStructure *s = gst_structure_new_empty ("application/x-meetinghub-stats");

  read_stats (self, &stats);
  set_rooms (s, &stats);
  set_edge (s, &stats.edge);
  gst_structure_set (s, "transports", G_TYPE_UINT, stats.media.transports,
      "tracks", G_TYPE_UINT, stats.media.tracks, "subscriptions", G_TYPE_UINT,
      stats.media.subscriptions, "cache", G_TYPE_UINT64,
      (guint64) stats.media.cache, NULL);
  for (int i = 0; i < HUB_N_COUNTERS; i++)
    set_count (s, "media-", hub_counter_name ((HubCounter) i),
        stats.media.counters[i]);
  return s;
}

/* ---- The server ---- */

static gchar *
pin_text (HubCertificate *certificate)
{
  return certificate
             ? b64_write (hub_certificate_pin (certificate), HUB_PIN_LEN)
             : NULL;
}

/* What clients can be told; the host is this machine's best guess when there is no public address. */
static gboolean
make_link (ConclaveMeetingHub *self, HubServer *server, char *text)
{
  Link link = { .port = hub_server_port (server),
    .meeting = MEETING_TO_FILL_IN,
    .has_pin = true };

  g_strlcpy (link.host, hub_server_host (server), sizeof link.host);
  link.ipv6 = strchr (link.host, ':') != NULL;
  GST_OBJECT_LOCK (self);
  memcpy (link.pin, hub_certificate_pin (self->certificate), sizeof link.pin);
  GST_OBJECT_UNLOCK (self);
  return link_format (&link, text);
}

static void
announce (ConclaveMeetingHub *self, HubServer *server)
{
  char link[LINK_SIZE] = "";

  make_link (self, server, link);
  GST_OBJECT_LOCK (self);
  g_autofree gchar *pin = pin_text (self->certificate);
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "listening: TCP port %u, UDP port %u, %s",
      hub_server_port (server), hub_server_media_port (server), link);
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self),
          gst_structure_new ("conclave-hub", "port", G_TYPE_UINT,
              (guint) hub_server_port (server), "media-port", G_TYPE_UINT,
              (guint) hub_server_media_port (server), "pin", G_TYPE_STRING,
              pin, "link", G_TYPE_STRING, link, NULL)));
}

/* A copy that outlives a change of the property; fields are freed with the strings. */
static HubServerConfig
config_of (ConclaveMeetingHub *self, gchar **strings)
{
  GST_OBJECT_LOCK (self);
  strings[0] = g_strdup (self->bind_address);
  strings[1] = g_strdup (self->public_address);
  strings[2] = g_strdup (self->audit_location);
  HubServerConfig config = { .port = (uint16_t) self->port,
    .media_port = (uint16_t) self->media_port,
    .certificate = hub_certificate_ref (self->certificate),
    .max_meetings = self->max_meetings,
    .max_participants = self->max_participants,
    .rate_limit = self->rate_limit,
    .audio_last_n = self->audio_last_n,
    .audit_addresses = self->audit_addresses,
    .metrics_for_all = self->public_metrics,
    .log = log_line,
    .log_data = self };
  GST_OBJECT_UNLOCK (self);
  config.bind_address = strings[0];
  config.public_address = strings[1];
  config.audit_location = strings[2];
  return config;
}

static gboolean
start (ConclaveMeetingHub *self)
{
  gchar *strings[4] = { NULL };
  g_autoptr (GError) error = NULL;
  HubServerConfig config = config_of (self, strings);
  HubServer *server = hub_server_new (&config, &error);

  hub_certificate_unref (config.certificate);
  for (guint i = 0; i < G_N_ELEMENTS (strings); i++)
    g_free (strings[i]);
  if (!server) {
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ_WRITE,
        ("The hub cannot start: %s.", error->message), (NULL));
    return FALSE;
  }
  g_mutex_lock (&self->lock);
  self->server = server;
  g_mutex_unlock (&self->lock);
  announce (self, server);
  return TRUE;
}

static void
stop (ConclaveMeetingHub *self)
{
  HubServerStats last;

  read_stats (self, &last);
  g_mutex_lock (&self->lock);
  HubServer *server = g_steal_pointer (&self->server);
  while (self->users > 0)
    g_cond_wait (&self->unused, &self->lock);
  self->last = last;
  g_mutex_unlock (&self->lock);
  hub_server_free (server);
}

static gboolean
load_certificate (ConclaveMeetingHub *self)
{
  g_autoptr (GError) error = NULL;
  bool made = false;

  GST_OBJECT_LOCK (self);
  g_autofree gchar *location = g_strdup (self->certificate_location);
  g_autofree gchar *key_location = g_strdup (self->private_key_location);
  g_autofree gchar *public_address = g_strdup (self->public_address);
  g_autofree gchar *bind_address = g_strdup (self->bind_address);
  GST_OBJECT_UNLOCK (self);
  if (!location || !*location) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("The hub has no certificate: set certificate-location to a PEM file. One that does not exist yet is made."),
        (NULL));
    return FALSE;
  }
  const char *names[4] = { g_get_host_name () };
  guint n = 1;
  if (public_address && *public_address)
    names[n++] = public_address;
  if (bind_address && *bind_address)
    names[n++] = bind_address;
  HubCertificate *certificate = hub_certificate_load (location,
      key_location && *key_location ? key_location : NULL, names, &made,
      &error);
  if (!certificate) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("The hub has no certificate: %s", error->message), (NULL));
    return FALSE;
  }
  if (made)
    GST_INFO_OBJECT (self, "made a certificate: %s", location);
  GST_OBJECT_LOCK (self);
  self->certificate = certificate;
  GST_OBJECT_UNLOCK (self);
  g_object_notify (G_OBJECT (self), "pin");
  return TRUE;
}

static void
drop_certificate (ConclaveMeetingHub *self)
{
  GST_OBJECT_LOCK (self);
  HubCertificate *certificate = g_steal_pointer (&self->certificate);
  GST_OBJECT_UNLOCK (self);
  if (certificate)
    hub_certificate_unref (certificate);
}

/* ---- GstElement ---- */

static GstStateChangeReturn
conclave_meeting_hub_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveMeetingHub *self = CONCLAVE_MEETING_HUB (element);

  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !load_certificate (self))
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start (self))
    return GST_STATE_CHANGE_FAILURE;

  GstStateChangeReturn result =
      GST_ELEMENT_CLASS (conclave_meeting_hub_parent_class)
          ->change_state (element, transition);

  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY
      || (transition == GST_STATE_CHANGE_READY_TO_PAUSED
          && result == GST_STATE_CHANGE_FAILURE))
    stop (self);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL
      || (transition == GST_STATE_CHANGE_NULL_TO_READY
          && result == GST_STATE_CHANGE_FAILURE))
    drop_certificate (self);
  if (result == GST_STATE_CHANGE_SUCCESS
      && (transition == GST_STATE_CHANGE_READY_TO_PAUSED
          || transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED))
    return GST_STATE_CHANGE_NO_PREROLL;
  return result;
}

static gboolean
conclave_meeting_hub_send_event (GstElement *element, GstEvent *event)
{
  ConclaveMeetingHub *self = CONCLAVE_MEETING_HUB (element);

  if (GST_EVENT_TYPE (event) != GST_EVENT_EOS) {
    gst_event_unref (event);
    return FALSE;
  }
  HubServer *server = borrow_server (self);
  if (server) {
    hub_server_shutdown (server);
    return_server (self);
  }
  GstMessage *eos = gst_message_new_eos (GST_OBJECT (self));
  gst_message_set_seqnum (eos, gst_event_get_seqnum (event));
  gst_event_unref (event);
  gst_element_post_message (element, eos);
  return TRUE;
}

/* ---- Properties ---- */

static gchar **
string_property (ConclaveMeetingHub *self, guint id)
{
  switch (id) {
    case PROP_BIND_ADDRESS:
      return &self->bind_address;
    case PROP_PUBLIC_ADDRESS:
      return &self->public_address;
    case PROP_CERTIFICATE_LOCATION:
      return &self->certificate_location;
    case PROP_PRIVATE_KEY_LOCATION:
      return &self->private_key_location;
    case PROP_AUDIT_LOCATION:
      return &self->audit_location;
    default:
      return NULL;
  }
}

static guint *
number_property (ConclaveMeetingHub *self, guint id)
{
  switch (id) {
    case PROP_PORT:
      return &self->port;
    case PROP_MEDIA_PORT:
      return &self->media_port;
    case PROP_MAX_MEETINGS:
      return &self->max_meetings;
    case PROP_MAX_PARTICIPANTS:
      return &self->max_participants;
    case PROP_RATE_LIMIT:
      return &self->rate_limit;
    case PROP_AUDIO_LAST_N:
      return &self->audio_last_n;
    default:
      return NULL;
  }
}

static gboolean *
flag_property (ConclaveMeetingHub *self, guint id)
{
  return id == PROP_AUDIT_ADDRESSES  ? &self->audit_addresses
         : id == PROP_PUBLIC_METRICS ? &self->public_metrics
                                     : NULL;
}

static void
conclave_meeting_hub_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveMeetingHub *self = CONCLAVE_MEETING_HUB (object);
  gchar **string = string_property (self, id);
  guint *number = number_property (self, id);
  gboolean *flag = flag_property (self, id);
  gchar *old = NULL;

  GST_OBJECT_LOCK (self);
  /* What is read at READY would not be heeded any more. */
  if (GST_STATE (self) > GST_STATE_READY
      || (self->certificate
          && (id == PROP_CERTIFICATE_LOCATION
              || id == PROP_PRIVATE_KEY_LOCATION))) {
    GST_OBJECT_UNLOCK (self);
    GST_WARNING_OBJECT (
        self, "%s can't be changed in this state", pspec->name);
    return;
  }
  if (string) {
    old = *string;
    *string = g_value_dup_string (value);
  } else if (number)
    *number = g_value_get_uint (value);
  else if (flag)
    *flag = g_value_get_boolean (value);
  GST_OBJECT_UNLOCK (self);
  g_free (old);
  if (!string && !number && !flag)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
conclave_meeting_hub_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveMeetingHub *self = CONCLAVE_MEETING_HUB (object);
  gchar **string = string_property (self, id);
  guint *number = number_property (self, id);
  gboolean *flag = flag_property (self, id);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  if (id == PROP_PIN)
    g_value_take_string (value, pin_text (self->certificate));
  else if (string)
    g_value_set_string (value, *string);
  else if (number)
    g_value_set_uint (value, *number);
  else if (flag)
    g_value_set_boolean (value, *flag);
  GST_OBJECT_UNLOCK (self);
  if (id != PROP_PIN && !string && !number && !flag)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
conclave_meeting_hub_finalize (GObject *object)
{
  ConclaveMeetingHub *self = CONCLAVE_MEETING_HUB (object);

  g_free (self->bind_address);
  g_free (self->public_address);
  g_free (self->certificate_location);
  g_free (self->private_key_location);
  g_free (self->audit_location);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->unused);
  G_OBJECT_CLASS (conclave_meeting_hub_parent_class)->finalize (object);
}

static void
conclave_meeting_hub_init (ConclaveMeetingHub *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->unused);
  self->port = LINK_DEFAULT_PORT;
  self->max_meetings = HUB_DEFAULT_MAX_ROOMS;
  self->max_participants = DEFAULT_MAX_PARTICIPANTS;
  self->rate_limit = HUB_DEFAULT_CONNECTS_PER_MINUTE;
  self->audio_last_n = HUB_DEFAULT_LAST_N;
  GST_OBJECT_FLAG_SET (self, GST_ELEMENT_FLAG_SINK | GST_ELEMENT_FLAG_SOURCE);
}

static void
install_string (GObjectClass *klass, guint id, const gchar *name,
    const gchar *nick, const gchar *blurb)
{
  g_object_class_install_property (klass, id,
      g_param_spec_string (name, nick, blurb, NULL,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_READY));
}

static void
install_number (GObjectClass *klass, guint id, const gchar *name,
    const gchar *nick, const gchar *blurb, guint min, guint max, guint value)
{
  g_object_class_install_property (klass, id,
      g_param_spec_uint (name, nick, blurb, min, max, value,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_READY));
}

static void
install_flag (GObjectClass *klass, guint id, const gchar *name,
    const gchar *nick, const gchar *blurb)
{
  g_object_class_install_property (klass, id,
      g_param_spec_boolean (name, nick, blurb, FALSE,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_READY));
}

static void
install_properties (GObjectClass *klass)
{
  install_number (klass, PROP_PORT, "port", "Port",
      "TCP port of the signalling; 0: one that the system chooses", 0, 65535,
      LINK_DEFAULT_PORT);
  install_string (klass, PROP_BIND_ADDRESS, "bind-address", "Bind address",
      "Address of this machine to listen on, in numbers; empty: all of both families");
  install_string (klass, PROP_CERTIFICATE_LOCATION, "certificate-location",
      "Certificate location",
      "PEM file with the hub's certificate or chain and, unless private-key-location is set, its key; made on first use");
  install_string (klass, PROP_PRIVATE_KEY_LOCATION, "private-key-location",
      "Private key location",
      "PEM file with the certificate's key, where it is not in the same file");
  install_string (klass, PROP_PUBLIC_ADDRESS, "public-address",
      "Public address",
      "Address to which clients send media, in numbers, when it is none of this machine's (behind a NAT)");
  install_number (klass, PROP_MEDIA_PORT, "media-port", "Media port",
      "UDP port of all media; 0: the number of port", 0, 65535, 0);
  install_number (klass, PROP_MAX_MEETINGS, "max-meetings",
      "Maximal number of meetings", "Meetings that are open at a time", 1,
      1000000, HUB_DEFAULT_MAX_ROOMS);
  install_number (klass, PROP_MAX_PARTICIPANTS, "max-participants",
      "Maximal number of participants",
      "Participants in all meetings together", 1, HUB_MAX_CONNECTIONS,
      DEFAULT_MAX_PARTICIPANTS);
  install_number (klass, PROP_RATE_LIMIT, "rate-limit", "Rate limit",
      "Connections a minute from one source, an IPv4 address or an IPv6 /64; 128 may come at once",
      1, 1000000, HUB_DEFAULT_CONNECTS_PER_MINUTE);
  install_number (klass, PROP_AUDIO_LAST_N, "audio-last-n", "Audio last N",
      "How many of the loudest audio tracks of a meeting are passed on; 0: all",
      0, HUB_MAX_LAST_N, HUB_DEFAULT_LAST_N);
  install_string (klass, PROP_AUDIT_LOCATION, "audit-location",
      "Audit location",
      "File to which what happens is appended as JSON lines, each with the hash of the one before; empty: none");
  install_flag (klass, PROP_AUDIT_ADDRESSES, "audit-addresses",
      "Audit addresses",
      "Whether the addresses of clients stand in the audit log");
  install_flag (klass, PROP_PUBLIC_METRICS, "public-metrics", "Public metrics",
      "Whether /metrics is for everybody, not for programs on this machine alone");
  g_object_class_install_property (klass, PROP_PIN,
      g_param_spec_string ("pin", "Pin",
          "Fingerprint of the hub's key, as links carry it: base64url of the SHA-256 of the SubjectPublicKeyInfo; from READY on",
          NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Numbers since the hub was started, application/x-meetinghub-stats",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
conclave_meeting_hub_class_init (ConclaveMeetingHubClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (
      meetinghub_debug, "meetinghub", 0, "hub for secure meetings");
  object_class->set_property = conclave_meeting_hub_set_property;
  object_class->get_property = conclave_meeting_hub_get_property;
  object_class->finalize = conclave_meeting_hub_finalize;
  element_class->change_state = conclave_meeting_hub_change_state;
  element_class->send_event = conclave_meeting_hub_send_event;
  install_properties (object_class);
  gst_element_class_set_static_metadata (element_class, "Meeting hub",
      "Network/Server", "Passes on secure meetings that it cannot read",
      "gst-conclave");
}

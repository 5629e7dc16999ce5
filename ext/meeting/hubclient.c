/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hubclient.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <libsoup/soup.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <string.h>

#define PING_S 4    /* between two pings */
#define SILENT_S 10 /* without a word or a pong: the connection is lost */
#define USER_TIMEOUT_MS                                                       \
  10000 /* RFC 5482: what was sent and not acknowledged for so long */

struct MeetingTrust
{
  gboolean has_pin;
  guint8 pin[LIMIT_SPKI_HASH];
  char *pem;        /* NULL: none */
  GArray *pem_pins; /* of the certificates in it, LIMIT_SPKI_HASH bytes each */
  GTlsDatabase *database;
  guint pending;
};

/* One try, and the connection that comes of it. */
typedef struct
{
  MeetingHub *hub; /* NULL: nobody waits for it any more */
  MeetingTrust *trust;
  SoupMessage *message;
  GCancellable *cancellable;
  GSource *timer;
  SoupWebsocketConnection *connection;
  GSource *watch;
  gint64 heard; /* monotonic time in µs of the last word or pong */
  gboolean timed_out, closing;
  char *distrust; /* why the certificate was refused */
  guint refs;
} Attempt;

struct MeetingHub
{
  const Link *link;
  MeetingTrust *trust;
  MeetingHubCallbacks callbacks;
  gpointer user;
  SoupSession *session;
  Attempt *attempt; /* NULL: none */
  MeetingHubStats stats;
};

/* ---- Whom to believe ---- */

static gboolean
hash_spki (GTlsCertificate *certificate, guint8 *hash)
{
  g_autoptr (GByteArray) der = NULL;
  gnutls_x509_crt_t crt = NULL;
  gnutls_pubkey_t key = NULL;
  gnutls_datum_t spki = { NULL, 0 };
  gboolean ok = FALSE;

  g_object_get (certificate, "certificate", &der, NULL);
  if (!der)
    return FALSE;
  gnutls_datum_t in = { der->data, der->len };
  if (gnutls_x509_crt_init (&crt) < 0 || gnutls_pubkey_init (&key) < 0)
    goto out;
  ok = gnutls_x509_crt_import (crt, &in, GNUTLS_X509_FMT_DER) >= 0
       && gnutls_pubkey_import_x509 (key, crt, 0) >= 0
       && gnutls_pubkey_export2 (key, GNUTLS_X509_FMT_DER, &spki) >= 0;
  if (ok)
    crypto_hash_sha256 (hash, spki.data, spki.size);
out:
  gnutls_free (spki.data);
  if (key)
    gnutls_pubkey_deinit (key);
  if (crt)
    gnutls_x509_crt_deinit (crt);
  return ok;
}

static gboolean
load_pem (MeetingTrust *trust, const char *pem, GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autofree char *absolute = g_canonicalize_filename (pem, NULL);
  GList *certificates = g_tls_certificate_list_new_from_file (absolute, &why);

  trust->pem = g_strdup (pem);
  trust->pem_pins = g_array_new (FALSE, FALSE, LIMIT_SPKI_HASH);
  for (GList *l = certificates; l; l = l->next) {
    guint8 hash[LIMIT_SPKI_HASH];
    if (hash_spki (l->data, hash))
      g_array_append_vals (trust->pem_pins, hash, 1);
  }
  g_list_free_full (certificates, g_object_unref);
  if (!why && trust->pem_pins->len > 0)
    trust->database = g_tls_file_database_new (absolute, &why);
  if (trust->database)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
      "The hub's certificate cannot be read from hub-certificate=%s: %s. It is the PEM file that the hub has as its certificate-location; a copy without the private key is enough.",
      pem, why ? why->message : "there is no certificate in it");
  return FALSE;
}

MeetingTrust *
meeting_trust_new (const Link *link, const char *pem, GError **error)
{
  MeetingTrust *trust = g_new0 (MeetingTrust, 1);
  GTlsBackend *backend = g_tls_backend_get_default ();

  trust->has_pin = link->has_pin;
  memcpy (trust->pin, link->pin, sizeof trust->pin);
  if (!g_tls_backend_supports_tls (backend)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
        "There is no TLS for GIO on this system: install glib-networking.");
    meeting_trust_free (trust);
    return NULL;
  }
  if (pem && !load_pem (trust, pem, error)) {
    meeting_trust_free (trust);
    return NULL;
  }
  if (!pem && !trust->has_pin)
    trust->database = g_tls_backend_get_default_database (backend);
  return trust;
}

void
meeting_trust_free (MeetingTrust *trust)
{
  if (!trust)
    return;
  g_clear_object (&trust->database);
  g_clear_pointer (&trust->pem_pins, g_array_unref);
  g_free (trust->pem);
  g_free (trust);
}

guint
meeting_hub_pending (const MeetingTrust *trust)
{
  return trust->pending;
}

static const char *
flags_text (GTlsCertificateFlags flags)
{
  if (flags & G_TLS_CERTIFICATE_EXPIRED)
    return "it has expired";
  if (flags & G_TLS_CERTIFICATE_NOT_ACTIVATED)
    return "it is not valid yet; is this machine's clock right?";
  if (flags & G_TLS_CERTIFICATE_REVOKED)
    return "it was revoked";
  if (flags & G_TLS_CERTIFICATE_UNKNOWN_CA)
    return "no authority that this system trusts has signed it";
  if (flags & G_TLS_CERTIFICATE_BAD_IDENTITY)
    return "it is another host's";
  return "it is not valid";
}

static gboolean
is_in_pem (const MeetingTrust *trust, const guint8 *hash)
{
  for (guint i = 0; i < trust->pem_pins->len; i++)
    if (sodium_memcmp (
            trust->pem_pins->data + i * LIMIT_SPKI_HASH, hash, LIMIT_SPKI_HASH)
        == 0)
      return TRUE;
  return FALSE;
}

/* NULL, and `hash` filled, when this is the hub that was meant; else a sentence. */
static char *
distrust (const MeetingTrust *trust, const Link *link,
    GTlsCertificate *certificate, GTlsCertificateFlags flags, guint8 *hash)
{
  char found[FINGERPRINT_TEXT_SIZE], expected[FINGERPRINT_TEXT_SIZE];

  if (!certificate || !hash_spki (certificate, hash))
    return g_strdup_printf ("The hub at %s, port %u, showed no certificate.",
        link->host, link->port);
  fingerprint_text (hash, found);
  if (trust->has_pin
      && sodium_memcmp (trust->pin, hash, LIMIT_SPKI_HASH) != 0) {
    fingerprint_text (trust->pin, expected);
    return g_strdup_printf (
        "The hub at %s, port %u, is not the one that the link names: the fingerprint of its key is %s, expected %s. Somebody may be in between, or the hub has a new key: ask for the link anew, in a way that you trust.",
        link->host, link->port, found, expected);
  }
  if (trust->pem && flags != 0 && !is_in_pem (trust, hash)) {
    fingerprint_text ((const guint8 *) trust->pem_pins->data, expected);
    return g_strdup_printf (
        "The hub at %s, port %u, is not the one of hub-certificate=%s: the fingerprint of its key is %s, expected %s. Somebody may be in between, or the hub has a new certificate.",
        link->host, link->port, trust->pem, found, expected);
  }
  if (!trust->pem && !trust->has_pin && flags != 0)
    return g_strdup_printf (
        "The certificate of the hub at %s, port %u, cannot be trusted: %s. Set hub-certificate to the hub's PEM file, or take a link with ?pin=; the fingerprint found is %s.",
        link->host, link->port, flags_text (flags), found);
  return NULL;
}

/* ---- One try ---- */

static void
stop_source (GSource **source)
{
  if (*source) {
    g_source_destroy (*source);
    g_source_unref (*source);
    *source = NULL;
  }
}

static void
attempt_unref (Attempt *attempt)
{
  if (--attempt->refs > 0)
    return;
  stop_source (&attempt->timer);
  stop_source (&attempt->watch);
  g_clear_object (&attempt->message);
  g_clear_object (&attempt->cancellable);
  g_clear_object (&attempt->connection);
  g_free (attempt->distrust);
  g_free (attempt);
}

/* Takes it out of the hub's hands; whatever comes of it reaches nobody. */
static void
abandon (MeetingHub *hub)
{
  Attempt *attempt = g_steal_pointer (&hub->attempt);

  if (!attempt)
    return;
  attempt->hub = NULL;
  stop_source (&attempt->timer);
  stop_source (&attempt->watch);
  g_cancellable_cancel (attempt->cancellable);
  if (attempt->message)
    g_signal_handlers_disconnect_by_data (attempt->message, attempt);
  if (attempt->connection) {
    g_signal_handlers_disconnect_by_data (attempt->connection, attempt);
    g_io_stream_close_async (
        soup_websocket_connection_get_io_stream (attempt->connection),
        G_PRIORITY_DEFAULT, NULL, NULL, NULL);
  }
  attempt_unref (attempt);
}

static void
lose (Attempt *attempt, MeetingHubLoss loss, const char *why)
{
  MeetingHub *hub = attempt->hub;
  g_autofree char *sentence = g_strdup (why);
  gboolean closing = attempt->closing;

  if (!hub)
    return;
  abandon (hub);
  if (closing) {
    hub->callbacks.closed (hub->user);
    return;
  }
  hub->stats.losses++;
  hub->callbacks.lost (hub->user, loss, sentence);
}

static void
take_message (SoupWebsocketConnection *connection, SoupWebsocketDataType type,
    GBytes *bytes, Attempt *attempt)
{
  MeetingHub *hub = attempt->hub;
  gsize len;
  const void *data = g_bytes_get_data (bytes, &len);

  attempt->heard = g_get_monotonic_time ();
  hub->stats.frames_in++;
  hub->stats.bytes_in += len;
  attempt->refs++;
  hub->callbacks.frame (
      hub->user, type == SOUP_WEBSOCKET_DATA_BINARY, data ? data : "", len);
  attempt_unref (attempt);
}

static void
take_pong (
    SoupWebsocketConnection *connection, GBytes *bytes, Attempt *attempt)
{
  attempt->heard = g_get_monotonic_time ();
}

static void
closed (SoupWebsocketConnection *connection, Attempt *attempt)
{
  lose (attempt, MEETING_HUB_UNREACHABLE, "The hub closed the connection.");
}

static gboolean
check_silence (gpointer data)
{
  Attempt *attempt = data;

  if (g_get_monotonic_time () - attempt->heard > SILENT_S * G_USEC_PER_SEC) {
    lose (attempt, MEETING_HUB_UNREACHABLE,
        "The hub has not answered for 10 s; the connection is taken for lost.");
    return G_SOURCE_REMOVE;
  }
  return G_SOURCE_CONTINUE;
}

static GSource *
start_timer (guint ms, GSourceFunc function, Attempt *attempt)
{
  GSource *source = g_timeout_source_new (ms);

  g_source_set_callback (source, function, attempt, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  return source;
}

static gboolean
give_up (gpointer data)
{
  Attempt *attempt = data;

  attempt->timed_out = TRUE;
  g_cancellable_cancel (attempt->cancellable);
  return G_SOURCE_REMOVE;
}

static void
begin_talking (Attempt *attempt, const guint8 *hash)
{
  MeetingHub *hub = attempt->hub;

  stop_source (&attempt->timer);
  soup_websocket_connection_set_max_incoming_payload_size (
      attempt->connection, LIMIT_FRAME_DOWN);
  soup_websocket_connection_set_keepalive_interval (
      attempt->connection, PING_S);
  attempt->heard = g_get_monotonic_time ();
  attempt->watch = start_timer (1000, check_silence, attempt);
  g_signal_connect (
      attempt->connection, "message", G_CALLBACK (take_message), attempt);
  g_signal_connect (
      attempt->connection, "pong", G_CALLBACK (take_pong), attempt);
  g_signal_connect (
      attempt->connection, "closed", G_CALLBACK (closed), attempt);
  hub->stats.connects++;
  hub->callbacks.connected (hub->user, hash);
}

/* No WebSocket came of it: why, as well as can be told. */
static void
explain (Attempt *attempt, const GError *error)
{
  const Link *link = attempt->hub->link;
  g_autofree char *why = NULL;
  guint status = soup_message_get_status (attempt->message);

  if (attempt->distrust) {
    g_autofree char *distrusted = g_strdup (attempt->distrust);
    lose (attempt, MEETING_HUB_UNTRUSTED, distrusted);
    return;
  }
  if (error->domain == SOUP_WEBSOCKET_ERROR) {
    why = g_strdup_printf (
        "%s, port %u, answers, but not as a hub (HTTP status %u%s%s).",
        link->host, link->port, status,
        status == SOUP_STATUS_SERVICE_UNAVAILABLE ? ": it is full" : "",
        status == 429 ? ": too many connections from here" : "");
    lose (attempt, MEETING_HUB_NO_HUB, why);
    return;
  }
  if (error->domain == G_TLS_ERROR && error->code != G_TLS_ERROR_EOF) {
    why = g_strdup_printf ("%s, port %u, answers, but TLS with it fails: %s.",
        link->host, link->port, error->message);
    lose (attempt, MEETING_HUB_NO_HUB, why);
    return;
  }
  why = g_strdup_printf (
      "The hub at %s, port %u, cannot be reached: %s. Is it running, and are name and port those of the link?",
      link->host, link->port,
      attempt->timed_out ? "it does not answer" : error->message);
  lose (attempt, MEETING_HUB_UNREACHABLE, why);
}

static void
upgraded (GObject *source, GAsyncResult *result, gpointer data)
{
  Attempt *attempt = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SoupWebsocketConnection) connection =
      soup_session_websocket_connect_finish (
          SOUP_SESSION (source), result, &error);
  guint8 hash[LIMIT_SPKI_HASH];

  attempt->trust->pending--;
  if (!attempt->hub) {
    /* dropped with the last reference */
  } else if (!connection) {
    explain (attempt, error);
  } else {
    const char *protocol = soup_websocket_connection_get_protocol (connection);
    /* The signal that asks for a decision is not emitted when an authority vouches: this is the one that counts. */
    g_autofree char *why = distrust (attempt->trust, attempt->hub->link,
        soup_message_get_tls_peer_certificate (attempt->message),
        soup_message_get_tls_peer_certificate_errors (attempt->message), hash);
    attempt->connection = g_steal_pointer (&connection);
    if (why)
      lose (attempt, MEETING_HUB_UNTRUSTED, why);
    else if (!protocol || !g_str_equal (protocol, WIRE_SUBPROTOCOL))
      lose (attempt, MEETING_HUB_NO_HUB,
          "What answers there speaks another protocol than " WIRE_SUBPROTOCOL
          ".");
    else
      begin_talking (attempt, hash);
  }
  attempt_unref (attempt);
}

/* Asked when no authority vouches for the certificate; a wrong one does not even get to see the request. */
static gboolean
accept_certificate (SoupMessage *message, GTlsCertificate *certificate,
    GTlsCertificateFlags flags, Attempt *attempt)
{
  guint8 hash[LIMIT_SPKI_HASH];

  if (!attempt->hub)
    return FALSE;
  g_free (attempt->distrust);
  attempt->distrust =
      distrust (attempt->trust, attempt->hub->link, certificate, flags, hash);
  return attempt->distrust == NULL;
}

/* Nagle's algorithm costs 40 ms a round trip, and a dead path would be noticed after a quarter of an hour. */
static void
set_socket_options (SoupMessage *message, GSocketClientEvent event,
    GIOStream *stream, Attempt *attempt)
{
  if (event != G_SOCKET_CLIENT_CONNECTED || !G_IS_SOCKET_CONNECTION (stream))
    return;
  GSocket *socket =
      g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream));
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, 1, NULL);
#ifdef TCP_USER_TIMEOUT
  g_socket_set_option (
      socket, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS, NULL);
#endif
}

/* ---- The connection ---- */

MeetingHub *
meeting_hub_new (const Link *link, const MeetingTrust *trust,
    const MeetingHubCallbacks *callbacks, gpointer user)
{
  MeetingHub *hub = g_new0 (MeetingHub, 1);

  hub->link = link;
  hub->trust = (MeetingTrust *) trust;
  hub->callbacks = *callbacks;
  hub->user = user;
  hub->session = soup_session_new ();
  soup_session_set_timeout (hub->session, 0);
  soup_session_set_idle_timeout (hub->session, 0);
  soup_session_set_proxy_resolver (hub->session, NULL);
  soup_session_set_tls_database (hub->session, trust->database);
  /* Frames are encrypted: nothing to compress, and what a compressor gives away is not ours to give. */
  soup_session_remove_feature_by_type (
      hub->session, SOUP_TYPE_WEBSOCKET_EXTENSION_MANAGER);
  return hub;
}

void
meeting_hub_free (MeetingHub *hub)
{
  if (!hub)
    return;
  abandon (hub);
  soup_session_abort (hub->session);
  g_object_unref (hub->session);
  g_free (hub);
}

void
meeting_hub_connect (MeetingHub *hub, guint timeout)
{
  const Link *link = hub->link;
  g_autofree char *path = g_strconcat (WIRE_PATH, link->meeting, NULL);
  g_autoptr (GUri) uri = g_uri_build (
      G_URI_FLAGS_NONE, "wss", NULL, link->host, link->port, path, NULL, NULL);
  char *protocols[] = { (char *) WIRE_SUBPROTOCOL, NULL };
  Attempt *attempt = g_new0 (Attempt, 1);

  abandon (hub);
  attempt->hub = hub;
  attempt->trust = hub->trust;
  attempt->refs = 2; /* the hub's, and the operation's */
  attempt->cancellable = g_cancellable_new ();
  attempt->message = soup_message_new_from_uri ("GET", uri);
  hub->attempt = attempt;
  g_signal_connect (attempt->message, "accept-certificate",
      G_CALLBACK (accept_certificate), attempt);
  g_signal_connect (attempt->message, "network-event",
      G_CALLBACK (set_socket_options), attempt);
  attempt->timer = start_timer (timeout, give_up, attempt);
  attempt->trust->pending++;
  soup_session_websocket_connect_async (hub->session, attempt->message, NULL,
      protocols, G_PRIORITY_DEFAULT, attempt->cancellable, upgraded, attempt);
}

void
meeting_hub_send (
    MeetingHub *hub, gboolean binary, gconstpointer data, gsize len)
{
  Attempt *attempt = hub->attempt;

  if (!attempt || !attempt->connection || attempt->closing
      || soup_websocket_connection_get_state (attempt->connection)
             != SOUP_WEBSOCKET_STATE_OPEN)
    return;
  g_autoptr (GBytes) bytes = g_bytes_new (data, len);
  hub->stats.frames_out++;
  hub->stats.bytes_out += len;
  soup_websocket_connection_send_message (attempt->connection,
      binary ? SOUP_WEBSOCKET_DATA_BINARY : SOUP_WEBSOCKET_DATA_TEXT, bytes);
}

void
meeting_hub_close (MeetingHub *hub)
{
  Attempt *attempt = hub->attempt;

  if (!attempt)
    return;
  if (!attempt->connection
      || soup_websocket_connection_get_state (attempt->connection)
             != SOUP_WEBSOCKET_STATE_OPEN) {
    abandon (hub);
    return;
  }
  attempt->closing = TRUE;
  soup_websocket_connection_close (
      attempt->connection, SOUP_WEBSOCKET_CLOSE_NORMAL, NULL);
}

gboolean
meeting_hub_is_busy (const MeetingHub *hub)
{
  return hub->attempt != NULL;
}

MeetingHubStats
meeting_hub_stats (const MeetingHub *hub)
{
  return hub->stats;
}

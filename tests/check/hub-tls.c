/* The hub's certificate, and its TLS for strangers, against a client of GnuTLS over a pair of sockets.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/hub/tls_stream.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define HANDSHAKE_MS 5000
#define MAX_TURNS 200000 /* of a loop that would otherwise have no end */

/* ---- Certificates ---- */

static char *
folder (void)
{
  char *path = g_dir_make_tmp ("conclave-hub-XXXXXX", NULL);

  fail_unless (path != NULL);
  return path;
}

static void
drop_folder (char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *file = g_build_filename (path, name, NULL);
    if (g_remove (file) != 0)
      g_rmdir (file);
  }
  g_rmdir (path);
  g_free (path);
}

GST_START_TEST (a_certificate_is_made_once_and_for_its_owner_alone)
{
  char *dir = folder ();
  g_autofree char *pem = g_build_filename (dir, "hub.pem", NULL);
  const char *names[] = { "hub.example.org", "192.0.2.7", NULL };
  g_autoptr (GError) error = NULL;
  bool made = false;

  g_autoptr (HubCertificate) made_now = hub_certificate_load (pem, NULL, names, &made, &error);
  g_assert_no_error (error);
  fail_unless (made);
  struct stat st;
  fail_unless (stat (pem, &st) == 0);
  fail_unless_equals_int (st.st_mode & 07777, 0600);

  g_autoptr (HubCertificate) read_later = hub_certificate_load (pem, NULL, names, &made, &error);
  g_assert_no_error (error);
  fail_unless (!made);
  fail_unless (memcmp (hub_certificate_pin (made_now), hub_certificate_pin (read_later), HUB_PIN_LEN) == 0);
  fail_unless (hub_certificate_not_after (read_later) > g_get_real_time () / G_USEC_PER_SEC + 365 * 86400);

  /* Nothing else is left in the folder. */
  g_autoptr (GDir) entries = g_dir_open (dir, 0, NULL);
  fail_unless_equals_string (g_dir_read_name (entries), "hub.pem");
  fail_unless (g_dir_read_name (entries) == NULL);

  /* GLib's own TLS reads it, and finds the names. */
  g_autoptr (GTlsCertificate) read = g_tls_certificate_new_from_file (pem, &error);
  if (g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_UNAVAILABLE))
    g_clear_error (&error); /* no TLS module here */
  else {
    g_assert_no_error (error);
    g_autoptr (GPtrArray) dns = g_tls_certificate_get_dns_names (read);
    g_autoptr (GPtrArray) addresses = g_tls_certificate_get_ip_addresses (read);
    fail_unless_equals_int (dns->len, 2);
    fail_unless_equals_int (addresses->len, 3);
  }
  drop_folder (dir);
}
GST_END_TEST

GST_START_TEST (the_pin_is_what_openssl_finds)
{
  char *dir = folder ();
  g_autofree char *pem = g_build_filename (dir, "hub.pem", NULL);
  g_autofree char *openssl = g_find_program_in_path ("openssl");
  g_autoptr (HubCertificate) certificate = hub_certificate_load (pem, NULL, NULL, NULL, NULL);

  fail_unless (certificate != NULL);
  if (openssl) {
    g_autofree char *command = g_strdup_printf ("%s x509 -in %s -noout -pubkey | %s pkey -pubin -outform der | %s dgst "
                                                "-sha256 -r",
        openssl, pem, openssl, openssl);
    const char *argv[] = { "/bin/sh", "-c", command, NULL };
    g_autofree char *said = NULL;
    char pin[2 * HUB_PIN_LEN + 1];
    fail_unless (g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &said, NULL, NULL, NULL));
    sodium_bin2hex (pin, sizeof pin, hub_certificate_pin (certificate), HUB_PIN_LEN);
    fail_unless (g_str_has_prefix (said, pin), "openssl: %s; ours: %s", said, pin);
  }
  drop_folder (dir);
}
GST_END_TEST

static void
refuses (const char *location, const char *key_location, const char *because)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HubCertificate) certificate = hub_certificate_load (location, key_location, NULL, NULL, &error);

  fail_unless (certificate == NULL, "%s was taken", location);
  fail_unless (strstr (error->message, because) != NULL, "\"%s\" does not say \"%s\"", error->message, because);
}

GST_START_TEST (a_certificate_that_cannot_serve_is_refused_with_the_reason)
{
  char *dir = folder ();
  g_autofree char *pem = g_build_filename (dir, "hub.pem", NULL);
  g_autofree char *other = g_build_filename (dir, "other.pem", NULL);
  g_autofree char *broken = g_build_filename (dir, "broken.pem", NULL);
  g_autofree char *pipe = g_build_filename (dir, "pipe", NULL);
  g_autofree char *nowhere = g_build_filename (dir, "no", "hub.pem", NULL);
  g_autoptr (HubCertificate) one = hub_certificate_load (pem, NULL, NULL, NULL, NULL);
  g_autoptr (HubCertificate) two = hub_certificate_load (other, NULL, NULL, NULL, NULL);

  fail_unless (one && two);
  refuses (nowhere, NULL, "certificate-location");
  refuses (nowhere, pem, "cannot read");
  refuses (dir, NULL, "is not a file");
  fail_unless (mkfifo (pipe, 0600) == 0);
  refuses (pipe, NULL, "is not a file");
  fail_unless (g_file_set_contents_full (broken, "no PEM", -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  refuses (broken, NULL, "broken.pem");
  refuses (pem, other, "hub.pem");
  fail_unless (g_chmod (pem, 0644) == 0);
  refuses (pem, NULL, "chmod o-rwx");

  /* As ACME clients leave them: the chain is public, the key is not. */
  g_autoptr (GError) error = NULL;
  g_autofree char *key = g_build_filename (dir, "privkey.pem", NULL);
  g_autofree char *text = NULL;
  fail_unless (g_file_get_contents (pem, &text, NULL, NULL));
  char *begins = strstr (text, "-----BEGIN PRIVATE KEY");
  fail_unless (begins != NULL);
  fail_unless (g_file_set_contents_full (key, begins, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  *begins = 0;
  fail_unless (g_file_set_contents_full (pem, text, -1, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
  g_autoptr (HubCertificate) apart = hub_certificate_load (pem, key, NULL, NULL, &error);
  g_assert_no_error (error);
  fail_unless (memcmp (hub_certificate_pin (apart), hub_certificate_pin (one), HUB_PIN_LEN) == 0);
  drop_folder (dir);
}
GST_END_TEST

/* ---- A client and a stream ---- */

typedef struct
{
  HubPoller *poller;
  HubTlsStream *stream;
  HubTlsResult result;
  unsigned calls;
  int fd; /* the client's end */
  gnutls_session_t session;
  gnutls_certificate_credentials_t credentials;
} Pair;

static void
on_done (HubTlsStream *stream, HubTlsResult result, gpointer data)
{
  Pair *pair = data;

  fail_unless (stream == pair->stream);
  pair->result = result;
  pair->calls++;
}

static void
start (Pair *pair, unsigned timeout, const char *priority)
{
  char *dir = folder ();
  g_autofree char *pem = g_build_filename (dir, "hub.pem", NULL);
  g_autoptr (HubCertificate) certificate = hub_certificate_load (pem, NULL, NULL, NULL, NULL);
  int ends[2];

  drop_folder (dir);
  fail_unless (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  g_autoptr (GSocket) socket = g_socket_new_from_fd (ends[0], NULL);
  fcntl (ends[1], F_SETFL, O_NONBLOCK);
  *pair = (Pair){ .fd = ends[1] };
  pair->poller = hub_poller_new (NULL, NULL);
  pair->stream = hub_tls_stream_new (socket, certificate, pair->poller);
  hub_tls_stream_handshake (pair->stream, timeout, on_done, pair);

  gnutls_init (&pair->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
  fail_unless (gnutls_priority_set_direct (pair->session, priority, NULL) == 0);
  gnutls_certificate_allocate_credentials (&pair->credentials);
  gnutls_credentials_set (pair->session, GNUTLS_CRD_CERTIFICATE, pair->credentials);
  gnutls_transport_set_int (pair->session, pair->fd);
}

static void
stop (Pair *pair)
{
  if (pair->stream) {
    g_io_stream_close (G_IO_STREAM (pair->stream), NULL, NULL);
    g_object_unref (pair->stream);
  }
  gnutls_deinit (pair->session);
  gnutls_certificate_free_credentials (pair->credentials);
  if (pair->fd >= 0)
    close (pair->fd);
  hub_poller_stop (pair->poller);
  hub_poller_unref (pair->poller);
}

static void
turn (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
connect_pair (Pair *pair)
{
  int code = GNUTLS_E_AGAIN;

  for (unsigned i = 0; i < MAX_TURNS && (code != 0 || !pair->calls); i++) {
    if (code != 0)
      code = gnutls_handshake (pair->session);
    fail_unless (code == 0 || !gnutls_error_is_fatal (code), "%s", gnutls_strerror (code));
    turn ();
  }
  fail_unless_equals_int (pair->calls, 1);
  fail_unless_equals_int (pair->result, HUB_TLS_READY);
}

static void
await_result (Pair *pair, HubTlsResult result)
{
  while (!pair->calls)
    g_main_context_iteration (NULL, TRUE); /* the stream's own deadline ends it */
  fail_unless_equals_int (pair->calls, 1);
  fail_unless_equals_int (pair->result, result);
  fail_unless (hub_tls_stream_is_cut (pair->stream));
}

static GPollableInputStream *
in_of (Pair *pair)
{
  return G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (G_IO_STREAM (pair->stream)));
}

static GPollableOutputStream *
out_of (Pair *pair)
{
  return G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (G_IO_STREAM (pair->stream)));
}

#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
static const char *const versions[] = { TLS13, TLS12 };

/* A megabyte each way at once, through sockets that hold far less: both sides must wait, and nothing may get lost. */
GST_START_TEST (bytes_pass_both_ways_whole_and_in_order)
{
  enum
  {
    SIZE = 1 << 20
  };
  g_autofree guint8 *sent = g_malloc (SIZE), *up = g_malloc (SIZE), *down = g_malloc (SIZE);
  gsize client_sent = 0, client_got = 0, hub_sent = 0, hub_got = 0, waits = 0;
  Pair pair;

  randombytes_buf (sent, SIZE);
  start (&pair, HANDSHAKE_MS, versions[__i__]);
  connect_pair (&pair);
  hub_tls_stream_allow (pair.stream, SIZE);
  for (unsigned i = 0; i < MAX_TURNS && (hub_got < SIZE || client_got < SIZE); i++) {
    g_autoptr (GError) error = NULL;
    ssize_t n;
    if (client_sent < SIZE && (n = gnutls_record_send (pair.session, sent + client_sent, SIZE - client_sent)) > 0)
      client_sent += (gsize) n;
    gssize m = g_pollable_output_stream_write_nonblocking (out_of (&pair), sent + hub_sent, SIZE - hub_sent, NULL, &error);
    if (m > 0)
      hub_sent += (gsize) m;
    waits += g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
    fail_unless (m >= 0 || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK), "%s", error->message);
    g_clear_error (&error);
    m = g_pollable_input_stream_read_nonblocking (in_of (&pair), up + hub_got, MIN (9999, SIZE - hub_got), NULL, &error);
    if (m > 0)
      hub_got += (gsize) m;
    if (i % 4 == 0 && (n = gnutls_record_recv (pair.session, down + client_got, SIZE - client_got)) > 0)
      client_got += (gsize) n;
  }
  fail_unless (hub_got == SIZE && memcmp (up, sent, SIZE) == 0);
  fail_unless (client_got == SIZE && memcmp (down, sent, SIZE) == 0);
  fail_unless (waits > 0);
  fail_unless_equals_uint64 (hub_tls_stream_get_read (pair.stream), SIZE);
  fail_unless_equals_uint64 (hub_tls_stream_get_written (pair.stream), SIZE);
  stop (&pair);
}
GST_END_TEST

static gboolean
on_ready (GObject *half, gpointer data)
{
  (void) half;
  ++*(unsigned *) data;
  return G_SOURCE_CONTINUE;
}

/* A record is read in pieces: the socket has nothing more, GnuTLS has, and the source must fire. */
GST_START_TEST (a_source_fires_for_what_only_gnutls_still_has)
{
  guint8 byte;
  unsigned fired = 0;
  Pair pair;

  start (&pair, HANDSHAKE_MS, versions[__i__]);
  connect_pair (&pair);
  hub_tls_stream_allow (pair.stream, 100);
  fail_unless_equals_int (gnutls_record_send (pair.session, "two", 3), 3);
  for (unsigned left = 3; left; left--) {
    g_autoptr (GSource) source = g_pollable_input_stream_create_source (in_of (&pair), NULL);
    unsigned before = fired;
    g_source_set_callback (source, G_SOURCE_FUNC (on_ready), &fired, NULL);
    g_source_attach (source, NULL);
    for (unsigned i = 0; i < 100 && fired == before; i++)
      g_main_context_iteration (NULL, FALSE), g_usleep (1000);
    g_source_destroy (source);
    fail_unless (fired > before, "nothing fired with %u bytes left", left);
    fail_unless (g_pollable_input_stream_is_readable (in_of (&pair)));
    fail_unless_equals_int (g_pollable_input_stream_read_nonblocking (in_of (&pair), &byte, 1, NULL, NULL), 1);
  }
  stop (&pair);
}
GST_END_TEST

GST_START_TEST (who_says_nothing_is_cut_at_the_deadline)
{
  Pair pair;

  start (&pair, 50, TLS13);
  await_result (&pair, HUB_TLS_TIMEOUT);
  stop (&pair);

  /* Half a ClientHello is nothing, too. */
  static const guint8 half[] = { 0x16, 3, 1, 0x02, 0x00, 1, 0, 1, 0xfc };
  start (&pair, 50, TLS13);
  fail_unless_equals_int (write (pair.fd, half, sizeof half), sizeof half);
  await_result (&pair, HUB_TLS_TIMEOUT);
  stop (&pair);
}
GST_END_TEST

GST_START_TEST (who_does_not_speak_tls_is_cut_at_once)
{
  static const char http[] = "GET / HTTP/1.1\r\nHost: hub\r\n\r\n";
  Pair pair;

  start (&pair, HANDSHAKE_MS, TLS13);
  fail_unless_equals_int (write (pair.fd, http, sizeof http), sizeof http);
  await_result (&pair, HUB_TLS_FAILED);
  stop (&pair);

  start (&pair, HANDSHAKE_MS, TLS13);
  shutdown (pair.fd, SHUT_RDWR);
  await_result (&pair, HUB_TLS_CLOSED);
  stop (&pair);
}
GST_END_TEST

GST_START_TEST (old_tls_has_nothing_in_common_with_us)
{
  Pair pair;
  int code = GNUTLS_E_AGAIN;

  start (&pair, HANDSHAKE_MS, "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0:%COMPAT");
  for (unsigned i = 0; i < MAX_TURNS && !pair.calls && (code == GNUTLS_E_AGAIN || !gnutls_error_is_fatal (code)); i++) {
    code = gnutls_handshake (pair.session);
    turn ();
  }
  await_result (&pair, HUB_TLS_FAILED);
  stop (&pair);
}
GST_END_TEST

GST_START_TEST (more_than_is_allowed_cuts)
{
  g_autoptr (GError) error = NULL;
  guint8 room[16];
  Pair pair;

  start (&pair, HANDSHAKE_MS, versions[__i__]);
  connect_pair (&pair);
  hub_tls_stream_allow (pair.stream, 5);
  fail_unless_equals_int (gnutls_record_send (pair.session, "123456", 6), 6);
  fail_unless_equals_int (
      g_pollable_input_stream_read_nonblocking (in_of (&pair), room, sizeof room, NULL, &error), 5);
  fail_unless (!hub_tls_stream_is_cut (pair.stream));
  fail_unless_equals_int (
      g_pollable_input_stream_read_nonblocking (in_of (&pair), room, sizeof room, NULL, &error), -1);
  fail_unless (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE));
  fail_unless (hub_tls_stream_is_cut (pair.stream));

  /* Both halves are at their end, and sources tell so. */
  g_clear_error (&error);
  fail_unless_equals_int (g_pollable_output_stream_write_nonblocking (out_of (&pair), "x", 1, NULL, &error), -1);
  fail_unless (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED));
  fail_unless (g_pollable_input_stream_is_readable (in_of (&pair)));
  fail_unless (g_pollable_output_stream_is_writable (out_of (&pair)));
  stop (&pair);
}
GST_END_TEST

/* RFC 5746's attack and a cheap way to keep a server busy: TLS 1.2 clients may ask for a new handshake; ours is over. */
GST_START_TEST (another_handshake_is_refused)
{
  g_autoptr (GError) error = NULL;
  guint8 room[16];
  Pair pair;
  gssize n = 0;

  start (&pair, HANDSHAKE_MS, TLS12);
  connect_pair (&pair);
  hub_tls_stream_allow (pair.stream, 1000);
  for (unsigned i = 0; i < MAX_TURNS && !hub_tls_stream_is_cut (pair.stream); i++) {
    gnutls_handshake (pair.session);
    g_clear_error (&error);
    n = g_pollable_input_stream_read_nonblocking (in_of (&pair), room, sizeof room, NULL, &error);
  }
  fail_unless_equals_int (n, -1);
  fail_unless (hub_tls_stream_is_cut (pair.stream));
  stop (&pair);
}
GST_END_TEST

GST_START_TEST (closing_says_so_to_the_client)
{
  guint8 room[16];
  ssize_t n = GNUTLS_E_AGAIN;
  Pair pair;

  start (&pair, HANDSHAKE_MS, versions[__i__]);
  connect_pair (&pair);
  fail_unless (g_io_stream_close (G_IO_STREAM (pair.stream), NULL, NULL));
  for (unsigned i = 0; i < 1000 && n == GNUTLS_E_AGAIN; i++)
    n = gnutls_record_recv (pair.session, room, sizeof room);
  fail_unless_equals_int (n, 0); /* close_notify, and not a premature end */
  stop (&pair);
}
GST_END_TEST

GST_START_TEST (a_client_that_goes_is_the_end_of_the_stream)
{
  guint8 room[16];
  Pair pair;

  start (&pair, HANDSHAKE_MS, versions[__i__]);
  connect_pair (&pair);
  hub_tls_stream_allow (pair.stream, 16);
  close (pair.fd);
  pair.fd = -1;
  fail_unless_equals_int (g_pollable_input_stream_read_nonblocking (in_of (&pair), room, sizeof room, NULL, NULL), 0);
  stop (&pair);
}
GST_END_TEST

GST_START_TEST (a_half_may_be_kept_longer_than_the_stream)
{
  g_autoptr (GError) error = NULL;
  guint8 room[16];
  Pair pair;

  start (&pair, HANDSHAKE_MS, TLS13);
  connect_pair (&pair);
  g_autoptr (GPollableInputStream) kept = g_object_ref (in_of (&pair));
  g_clear_object (&pair.stream);
  fail_unless_equals_int (g_pollable_input_stream_read_nonblocking (kept, room, sizeof room, NULL, &error), -1);
  stop (&pair);
}
GST_END_TEST

GST_START_TEST (closing_in_the_middle_of_a_handshake_calls_nobody)
{
  Pair pair;

  start (&pair, 20, TLS13);
  gnutls_handshake (pair.session);
  turn ();
  g_io_stream_close (G_IO_STREAM (pair.stream), NULL, NULL);
  g_usleep (30 * 1000); /* the deadline would be over */
  turn ();
  fail_unless_equals_int (pair.calls, 0);
  stop (&pair);
}
GST_END_TEST

/* Many that begin at once must not keep those from their turn who are in. */
GST_START_TEST (a_turn_has_only_so_many_steps_of_handshakes)
{
  HubTlsTurn shared = { 0 };
  Pair pair;

  start (&pair, HANDSHAKE_MS, TLS13);
  hub_tls_stream_set_turn (pair.stream, &shared);
  fail_unless (gnutls_handshake (pair.session) == GNUTLS_E_AGAIN);
  for (unsigned i = 0; i < 100; i++)
    g_main_context_iteration (NULL, FALSE);
  fail_unless (gnutls_handshake (pair.session) == GNUTLS_E_AGAIN);
  fail_unless_equals_int (pair.calls, 0); /* the hub has not answered */
  shared.handshakes = 8;
  connect_pair (&pair);
  fail_unless (shared.handshakes >= 4 && shared.handshakes < 8);
  stop (&pair);
}
GST_END_TEST

GST_START_TEST (a_turn_has_only_so_many_bytes_of_one_stream)
{
  static guint8 sent[1 << 16], got[1 << 16];
  HubTlsTurn shared = { .handshakes = 100 };
  gsize in_turn = 0, all = 0, out = 0;
  Pair pair;

  start (&pair, HANDSHAKE_MS, TLS13);
  hub_tls_stream_set_turn (pair.stream, &shared);
  connect_pair (&pair);
  hub_tls_stream_allow (pair.stream, 1 << 30);
  for (unsigned i = 0; i < MAX_TURNS && all < 4 * sizeof sent; i++) {
    ssize_t n = gnutls_record_send (pair.session, sent, sizeof sent);
    out += n > 0 ? (gsize) n : 0;
    gssize m = g_pollable_input_stream_read_nonblocking (in_of (&pair), got, 1000, NULL, NULL);
    if (m > 0) {
      in_turn += (gsize) m;
      all += (gsize) m;
      continue;
    }
    fail_unless (in_turn <= sizeof sent + 1000, "%" G_GSIZE_FORMAT " bytes in a turn", in_turn);
    if (in_turn > 0)
      fail_unless (g_pollable_input_stream_is_readable (in_of (&pair)) || out <= all);
    in_turn = 0;
    shared.turn++;
  }
  fail_unless (all >= 4 * sizeof sent);
  fail_unless (shared.turn >= 3);
  stop (&pair);
}
GST_END_TEST

static gboolean
read_all (GObject *stream, gpointer data)
{
  GString *all = data;
  char got[64];
  gssize n;

  while ((n = g_pollable_input_stream_read_nonblocking (
              G_POLLABLE_INPUT_STREAM (stream), got, sizeof got, NULL, NULL))
         > 0)
    g_string_append_len (all, got, n);
  return G_SOURCE_CONTINUE;
}

/* The kernel tells of edges, and GnuTLS says "again" also for a record that is not content: neither may cost the next one. */
GST_START_TEST (who_waits_is_told_of_all_that_comes)
{
  g_autoptr (GString) all = g_string_new (NULL);
  Pair pair;

  start (&pair, HANDSHAKE_MS, TLS13);
  connect_pair (&pair);
  hub_tls_stream_allow (pair.stream, 1000);
  g_autoptr (GSource) source = g_pollable_input_stream_create_source (in_of (&pair), NULL);
  g_source_set_callback (source, G_SOURCE_FUNC (read_all), all, NULL);
  g_source_attach (source, NULL);
  for (unsigned i = 1; i <= 3; i++) {
    turn (); /* nothing there */
    fail_unless (gnutls_session_key_update (pair.session, 0) >= 0);
    fail_unless_equals_int (gnutls_record_send (pair.session, "a", 1), 1);
    turn ();
    fail_unless_equals_int (all->len, 2 * i - 1);
    fail_unless_equals_int (gnutls_record_send (pair.session, "b", 1), 1);
    turn ();
    fail_unless_equals_int (all->len, 2 * i);
  }
  g_source_destroy (source);
  stop (&pair);
}
GST_END_TEST

static gboolean
count_call (GObject *stream, gpointer data)
{
  (void) stream;
  ++*(unsigned *) data;
  return G_SOURCE_CONTINUE;
}

GST_START_TEST (who_waits_to_write_is_told_when_there_is_room)
{
  static guint8 bytes[16384];
  unsigned calls = 0;
  Pair pair;

  start (&pair, HANDSHAKE_MS, TLS13);
  connect_pair (&pair);
  while (g_pollable_output_stream_write_nonblocking (out_of (&pair), bytes, sizeof bytes, NULL, NULL) > 0)
    ;
  g_autoptr (GSource) source = g_pollable_output_stream_create_source (out_of (&pair), NULL);
  g_source_set_callback (source, G_SOURCE_FUNC (count_call), &calls, NULL);
  g_source_attach (source, NULL);
  turn ();
  fail_unless_equals_int (calls, 0);
  while (gnutls_record_recv (pair.session, bytes, sizeof bytes) > 0)
    ;
  for (unsigned i = 0; i < MAX_TURNS && calls == 0; i++)
    g_main_context_iteration (NULL, FALSE);
  fail_unless (calls > 0);
  g_source_destroy (source);
  stop (&pair);
}
GST_END_TEST

static bool
five_bytes (const uint8_t *bytes, size_t len, gpointer data)
{
  GString *all = data;

  g_string_append_len (all, (const char *) bytes, (gssize) len);
  return all->len <= 5;
}

GST_START_TEST (a_meter_sees_all_and_may_cut)
{
  g_autoptr (GString) seen = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  char got[8];
  Pair pair;

  start (&pair, HANDSHAKE_MS, TLS13);
  connect_pair (&pair);
  hub_tls_stream_allow (pair.stream, 100);
  hub_tls_stream_set_meter (pair.stream, five_bytes, seen);
  fail_unless_equals_int (gnutls_record_send (pair.session, "12345", 5), 5);
  hub_tls_stream_hold (pair.stream, true);
  fail_unless (g_pollable_input_stream_read_nonblocking (in_of (&pair), got, 8, NULL, &error) < 0);
  fail_unless (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK));
  g_clear_error (&error);
  hub_tls_stream_hold (pair.stream, false);
  fail_unless_equals_int (g_pollable_input_stream_read_nonblocking (in_of (&pair), got, 3, NULL, NULL), 3);
  fail_unless_equals_int (g_pollable_input_stream_read_nonblocking (in_of (&pair), got, 8, NULL, NULL), 2);
  fail_unless_equals_string (seen->str, "12345");
  fail_if (hub_tls_stream_is_cut (pair.stream));
  fail_unless_equals_int (gnutls_record_send (pair.session, "6", 1), 1);
  fail_unless (g_pollable_input_stream_read_nonblocking (in_of (&pair), got, 8, NULL, &error) < 0);
  fail_unless (hub_tls_stream_is_cut (pair.stream));
  stop (&pair);
}
GST_END_TEST

static Suite *
hub_tls_suite (void)
{
  Suite *s = suite_create ("hub-tls");
  TCase *tc = tcase_create ("certificate");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, a_certificate_is_made_once_and_for_its_owner_alone);
  tcase_add_test (tc, the_pin_is_what_openssl_finds);
  tcase_add_test (tc, a_certificate_that_cannot_serve_is_refused_with_the_reason);

  tc = tcase_create ("stream");
  suite_add_tcase (s, tc);
  tcase_set_timeout (tc, 60);
  tcase_add_loop_test (tc, bytes_pass_both_ways_whole_and_in_order, 0, G_N_ELEMENTS (versions));
  tcase_add_loop_test (tc, a_source_fires_for_what_only_gnutls_still_has, 0, G_N_ELEMENTS (versions));
  tcase_add_test (tc, who_says_nothing_is_cut_at_the_deadline);
  tcase_add_test (tc, who_does_not_speak_tls_is_cut_at_once);
  tcase_add_test (tc, old_tls_has_nothing_in_common_with_us);
  tcase_add_loop_test (tc, more_than_is_allowed_cuts, 0, G_N_ELEMENTS (versions));
  tcase_add_test (tc, another_handshake_is_refused);
  tcase_add_loop_test (tc, closing_says_so_to_the_client, 0, G_N_ELEMENTS (versions));
  tcase_add_loop_test (tc, a_client_that_goes_is_the_end_of_the_stream, 0, G_N_ELEMENTS (versions));
  tcase_add_test (tc, a_turn_has_only_so_many_steps_of_handshakes);
  tcase_add_test (tc, a_turn_has_only_so_many_bytes_of_one_stream);
  tcase_add_test (tc, a_meter_sees_all_and_may_cut);
  tcase_add_test (tc, who_waits_is_told_of_all_that_comes);
  tcase_add_test (tc, who_waits_to_write_is_told_when_there_is_room);
  tcase_add_test (tc, a_half_may_be_kept_longer_than_the_stream);
  tcase_add_test (tc, closing_in_the_middle_of_a_handshake_calls_nobody);
  return s;
}

PURE_CHECK_MAIN (hub_tls)

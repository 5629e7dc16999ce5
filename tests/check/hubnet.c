/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hubnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ext/sodium/identity.h"

/* ---- The server ---- */

void
net_start (Net *net, const HubServerConfig *given)
{
  HubServerConfig config = given ? *given : (HubServerConfig){ 0 };
  g_autoptr (GError) error = NULL;

  *net = (Net){ .folder = g_dir_make_tmp ("conclave-hub-XXXXXX", NULL) };
  g_autofree char *pem = g_build_filename (net->folder, "hub.pem", NULL);
  net->certificate = hub_certificate_load (pem, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_remove (pem);
  config.certificate = net->certificate;
  if (!config.bind_address)
    config.bind_address = "127.0.0.1";
  net->server = hub_server_new (&config, &error);
  g_assert_no_error (error);
  net->port = hub_server_port (net->server);
}

void
net_stop (Net *net)
{
  hub_server_free (net->server);
  hub_certificate_unref (net->certificate);
  g_rmdir (net->folder);
  g_free (net->folder);
}

HubServerStats
net_stats (const Net *net)
{
  HubServerStats stats;

  hub_server_stats (net->server, &stats);
  return stats;
}

void
net_await (
    const Net *net, uint64_t (*counter) (const HubServerStats *), uint64_t n)
{
  gint64 end = g_get_monotonic_time () + NET_PATIENCE_S * G_USEC_PER_SEC;
  HubServerStats stats;

  while (stats = net_stats (net), counter (&stats) < n) {
    fail_unless (g_get_monotonic_time () < end,
        "%" G_GUINT64_FORMAT " in place of %" G_GUINT64_FORMAT,
        counter (&stats), n);
    g_usleep (2000);
  }
}

/* ---- TCP, TLS, HTTP ---- */

int
net_tcp (uint16_t port, const char *from)
{
  struct sockaddr_in own = { .sin_family = AF_INET };
  struct sockaddr_in hub = { .sin_family = AF_INET,
    .sin_port = htons (port),
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct timeval patience = { .tv_sec = NET_PATIENCE_S };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

  fail_unless (fd >= 0);
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (from) {
    inet_pton (AF_INET, from, &own.sin_addr);
    fail_unless (bind (fd, (struct sockaddr *) &own, sizeof own) == 0,
        "%s: %s", from, g_strerror (errno));
  }
  fail_unless (connect (fd, (struct sockaddr *) &hub, sizeof hub) == 0,
      "connect: %s", g_strerror (errno));
  return fd;
}

bool
net_dial_tls (const Net *net, NetClient *client, const char *from)
{
  int code;

  *client = (NetClient){ .fd = net_tcp (net->port, from),
    .in = g_byte_array_new () };
  gnutls_init (&client->tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
  gnutls_set_default_priority (client->tls);
  gnutls_certificate_allocate_credentials (&client->credentials);
  gnutls_credentials_set (
      client->tls, GNUTLS_CRD_CERTIFICATE, client->credentials);
  gnutls_transport_set_int (client->tls, client->fd);
  do
    code = gnutls_handshake (client->tls);
  while (code < 0 && code != GNUTLS_E_AGAIN && !gnutls_error_is_fatal (code));
  return code == GNUTLS_E_SUCCESS;
}

bool
net_send (NetClient *client, const void *bytes, size_t len)
{
  const char *at = bytes;

  while (len > 0) {
    ssize_t n = gnutls_record_send (client->tls, at, len);
    if (n == GNUTLS_E_INTERRUPTED)
      continue;
    if (n <= 0)
      return false;
    at += n;
    len -= (size_t) n;
  }
  return true;
}

/* More into `in`; false at the end. */
static bool
read_more (NetClient *client)
{
  uint8_t bytes[16384];
  ssize_t n;

  do
    n = gnutls_record_recv (client->tls, bytes, sizeof bytes);
  while (
      n == GNUTLS_E_INTERRUPTED
      || (n < 0 && n != GNUTLS_E_AGAIN && !gnutls_error_is_fatal ((int) n)));
  fail_unless (n != GNUTLS_E_AGAIN, "nothing came for %d s", NET_PATIENCE_S);
  if (n <= 0)
    return false;
  g_byte_array_append (client->in, bytes, (guint) n);
  return true;
}

char *
net_request (const Net *net, const char *request)
{
  NetClient client;
  char *text = NULL;

  if (net_dial_tls (net, &client, NULL)
      && net_send (&client, request, strlen (request))) {
    while (read_more (&client))
      ;
    if (client.in->len > 0)
      text = g_strndup ((char *) client.in->data, client.in->len);
  }
  net_hang_up (&client);
  return text;
}

static char *
read_head (NetClient *client)
{
  while (read_more (client)) {
    char *begin = (char *) client->in->data;
    char *end = g_strstr_len (begin, (gssize) client->in->len, "\r\n\r\n");
    if (!end)
      continue;
    char *head = g_strndup (begin, (gsize) (end - begin));
    g_byte_array_remove_range (client->in, 0, (guint) (end - begin) + 4);
    return head;
  }
  return NULL;
}

int
net_upgrade (
    const Net *net, NetClient *client, const char *path, const char *from)
{
  g_autofree char *request = g_strdup_printf (
      "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: conclave.v1\r\n"
      "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
      path);

  if (!net_dial_tls (net, client, from)
      || !net_send (client, request, strlen (request)))
    return -1;
  g_autofree char *head = read_head (client);
  if (!head)
    return -1;
  int status = (int) g_ascii_strtoull (head + strlen ("HTTP/1.1 "), NULL, 10);
  if (status == 101) {
    /* RFC 6455, 1.3: the answer to this key; and the hub's choices. */
    fail_unless (
        strstr (head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != NULL, "%s", head);
    fail_unless (strstr (head, "conclave.v1") != NULL, "%s", head);
    fail_unless (strstr (head, "deflate") == NULL, "%s", head);
  }
  return status;
}

void
net_join (
    const Net *net, NetClient *client, const char *meeting, const char *from)
{
  g_autofree char *path = g_strconcat (WIRE_PATH, meeting, NULL);

  fail_unless_equals_int (net_upgrade (net, client, path, from), 101);
  WireMessage *hello = net_expect (client, WIRE_HELLO);
  fail_unless_equals_uint64 (hello->hello.version, WIRE_VERSION);
  client->peer = hello->peer;
  memcpy (client->token, hello->hello.token, LIMIT_TOKEN);
  memcpy (client->challenge, hello->hello.challenge, LIMIT_CHALLENGE);
}

void
net_hang_up (NetClient *client)
{
  wire_clear (&client->last, WIRE_FROM_HUB);
  if (client->tls) {
    gnutls_deinit (client->tls);
    gnutls_certificate_free_credentials (client->credentials);
  }
  close (client->fd);
  g_byte_array_unref (client->in);
  *client = (NetClient){ .fd = -1 };
}

/* ---- Frames ---- */

bool
net_send_frame (
    NetClient *client, uint8_t first, const void *payload, size_t len)
{
  static const uint8_t mask[4] = { 0x11, 0x22, 0x33, 0x44 };
  g_autoptr (GByteArray) frame = g_byte_array_sized_new ((guint) len + 14);
  uint8_t head[14] = { first };
  guint n = 2;

  head[1] = (uint8_t) (0x80 | (len < 126 ? len : len < 65536 ? 126 : 127));
  for (int shift = len < 126     ? -8
                   : len < 65536 ? 8
                                 : 56;
       shift >= 0; shift -= 8)
    head[n++] = (uint8_t) ((uint64_t) len >> shift);
  memcpy (head + n, mask, sizeof mask);
  g_byte_array_append (frame, head, n + 4);
  for (size_t i = 0; i < len; i++) {
    uint8_t byte = ((const uint8_t *) payload)[i] ^ mask[i % 4];
    g_byte_array_append (frame, &byte, 1);
  }
  return net_send (client, frame->data, frame->len);
}

static bool
have (NetClient *client, guint n)
{
  while (client->in->len < n)
    if (!read_more (client))
      return false;
  return true;
}

static int
read_any_frame (NetClient *client, GByteArray *payload)
{
  uint64_t len;
  guint header = 2;

  if (!have (client, 2))
    return -1;
  len = client->in->data[1];
  fail_unless (len < 128, "the hub masks");
  header += len == 126 ? 2 : len == 127 ? 8 : 0;
  if (!have (client, header))
    return -1;
  if (header > 2)
    for (guint i = 2, at = (guint) (len = 0); i < header; i++, at++)
      len = len << 8 | client->in->data[i];
  if (!have (client, header + (guint) len))
    return -1;
  uint8_t first = client->in->data[0];
  fail_unless ((first & 0xf0) == NET_FIN, "a fragment, or an extension");
  g_byte_array_set_size (payload, 0);
  g_byte_array_append (payload, client->in->data + header, (guint) len);
  g_byte_array_remove_range (client->in, 0, header + (guint) len);
  return first & 0x0f;
}

int
net_read_frame (NetClient *client, GByteArray *payload)
{
  int opcode;

  while ((opcode = read_any_frame (client, payload)) == NET_PING)
    net_send_frame (client, NET_FIN | NET_PONG, payload->data, payload->len);
  return opcode == NET_CLOSE ? -1 : opcode;
}

bool
net_is_ended (NetClient *client)
{
  g_autoptr (GByteArray) payload = g_byte_array_new ();

  while (net_read_frame (client, payload) >= 0)
    ;
  return true;
}

/* ---- Messages ---- */

void
net_say (NetClient *client, const WireMessage *message)
{
  size_t len;
  g_autofree char *text = wire_write (message, WIRE_FROM_CLIENT, &len);

  fail_unless (text != NULL, "the test can't say \"%s\"",
      wire_type_name (message->type));
  fail_unless (net_send_frame (client, NET_FIN | NET_TEXT, text, len));
}

WireMessage *
net_expect (NetClient *client, WireType type)
{
  g_autoptr (GByteArray) frame = g_byte_array_new ();
  int opcode = net_read_frame (client, frame);

  fail_unless (opcode == NET_TEXT, "%s came in place of \"%s\"",
      opcode < 0 ? "the end" : "a binary frame", wire_type_name (type));
  wire_clear (&client->last, WIRE_FROM_HUB);
  fail_unless (wire_read ((char *) frame->data, frame->len, WIRE_FROM_HUB,
                   &client->last)
                   == JSON_OK,
      "the hub says what a client can't read: %.*s", (int) frame->len,
      (char *) frame->data);
  fail_unless (client->last.type == type,
      "\"%s\" came in place of \"%s\": %.*s",
      wire_type_name (client->last.type), wire_type_name (type),
      (int) frame->len, (char *) frame->data);
  return &client->last;
}

void
net_expect_error (NetClient *client, WireCode code)
{
  fail_unless_equals_string (
      wire_code_name (net_expect (client, WIRE_ERROR)->code),
      wire_code_name (code));
}

void
net_expect_binary (NetClient *client, WireKind kind, uint64_t seq)
{
  g_autoptr (GByteArray) frame = g_byte_array_new ();
  WireHeader header;

  fail_unless_equals_int (net_read_frame (client, frame), NET_BINARY);
  Reader in = reader_init (frame->data, frame->len);
  fail_unless (wire_header_parse (&in, &header));
  fail_unless_equals_int (header.kind, kind);
  fail_unless_equals_uint64 (header.seq, seq);
  client->seq = seq;
}

static void
send_mls (NetClient *client, WireKind kind, uint64_t seq, const char *message)
{
  uint8_t bytes[256];
  WireHeader header = { kind, seq, { 0 } };
  Writer w = writer_init (bytes, sizeof bytes);

  memcpy (header.room, client->room, LIMIT_ROOM);
  wire_header_write (&w, &header);
  writer_bytes (&w, message, strlen (message));
  fail_unless (net_send_frame (
      client, NET_FIN | NET_BINARY, bytes, WIRE_HEADER + strlen (message)));
}

void
net_open (
    const Net *net, NetClient *client, const Identity *owner, uint64_t credits)
{
  net_open_meeting (net, client, NET_MEETING, owner, credits);
}

void
net_open_meeting (const Net *net, NetClient *client, const char *meeting,
    const Identity *owner, uint64_t credits)
{
  WireMessage message = { .type = WIRE_OPEN };

  message.open.meeting = (char *) meeting;
  memcpy (
      message.open.identity, identity_public_key (owner), IDENTITY_KEY_LEN);
  fail_unless (wire_sign_open (owner, false, client->challenge, meeting,
      hub_certificate_pin (net->certificate), message.open.sig));
  net_say (client, &message);
  WireMessage *opened = net_expect (client, WIRE_OPENED);
  memcpy (client->room, opened->opened.room, LIMIT_ROOM);
  client->seq = opened->opened.seq;
  NET_SAY (client, .type = WIRE_CREDITS, .credits = credits);
}

static uint8_t filler[DOOR_ADB_LEN + DOOR_MAX_PROOF];
#define FILL(size) ((Blob){ filler, size })

void
net_let_in (NetClient *admin, NetClient *client)
{
  uint64_t seq = admin->seq + 1;

  NET_SAY (client, .type = WIRE_KNOCK, .knock = { .ada = FILL (90) });
  fail_unless_equals_uint64 (
      net_expect (admin, WIRE_KNOCK)->peer, client->peer);
  NET_SAY (admin, .type = WIRE_REPLY, .peer = client->peer,
      .reply = { .adb = FILL (DOOR_ADB_LEN), .chain = FILL (33) });
  net_expect (client, WIRE_REPLY);
  NET_SAY (client, .type = WIRE_PROOF, .box = { .box = FILL (900) });
  fail_unless_equals_uint64 (
      net_expect (admin, WIRE_PROOF)->peer, client->peer);
  send_mls (admin, WIRE_COMMIT, 0, "add");
  net_expect_binary (admin, WIRE_COMMIT, seq);
  send_mls (admin, WIRE_WELCOME, seq, "welcome");
  NET_SAY (admin, .type = WIRE_ADMIT, .peer = client->peer,
      .box = { .box = FILL (120) });
  NET_SAY (admin, .type = WIRE_ADMITTED, .peer = client->peer,
      .admitted = { .seq = seq });
  net_expect (client, WIRE_ADMIT);
  WireMessage *admitted = net_expect (client, WIRE_ADMITTED);
  fail_unless_equals_uint64 (admitted->admitted.seq, seq);
  memcpy (client->room, admitted->admitted.room, LIMIT_ROOM);
  net_expect_binary (client, WIRE_WELCOME, seq);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hubclient.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ext/sodium/reader.h"
#include "ext/sodium/writer.h"

#define DIE(what)                                                             \
  do {                                                                        \
    perror (what);                                                            \
    abort ();                                                                 \
  } while (0)

static socklen_t
make_address (struct sockaddr_storage *out, const char *text, uint16_t port)
{
  struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons (port) };
  struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
    .sin6_port = htons (port) };

  memset (out, 0, sizeof *out);
  if (inet_pton (AF_INET, text, &in.sin_addr) == 1) {
    memcpy (out, &in, sizeof in);
    return sizeof in;
  }
  if (inet_pton (AF_INET6, text, &in6.sin6_addr) != 1)
    DIE (text);
  memcpy (out, &in6, sizeof in6);
  return sizeof in6;
}

int
hub_client_new_socket (struct sockaddr_storage *own, bool v6)
{
  int size = 4 << 20;
  socklen_t len = make_address (own, v6 ? "::1" : "127.0.0.1", 0);
  int fd = socket (v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || bind (fd, (struct sockaddr *) own, len) < 0
      || getsockname (fd, (struct sockaddr *) own, &len) < 0)
    DIE ("socket");
  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return fd;
}

static SrtpSession *
make_session (Secret *key, SrtpDirection direction, SrtpBackend backend)
{
  SrtpConfig config;

  srtp_config_init (&config, direction);
  config.backend = backend;
  SrtpSession *session = srtp_session_new (&config, NULL);
  if (!session || srtp_session_set_key (session, key, NULL, 0) != SRTP_OK)
    DIE ("srtp");
  return session;
}

void
hub_client_init (HubClient *client, const char *hub_address, uint16_t port,
    HubCredentials *credentials, SrtpBackend backend, bool connected)
{
  *client = (HubClient){ .ufrag = "them" };
  client->address_len = make_address (
      &client->hub, hub_address ? hub_address : "127.0.0.1", port);
  client->fd =
      hub_client_new_socket (&client->own, client->hub.ss_family == AF_INET6);
  if (connected
      && connect (
             client->fd, (struct sockaddr *) &client->hub, client->address_len)
             < 0)
    DIE ("connect");
  client->out = make_session (credentials->to_hub, SRTP_SEND, backend);
  client->in = make_session (credentials->from_hub, SRTP_RECEIVE, backend);
  client->credentials = *credentials;
  secret_unref (credentials->to_hub);
  secret_unref (credentials->from_hub);
  client->credentials.to_hub = client->credentials.from_hub = NULL;
  *credentials = (HubCredentials){ 0 };
}

void
hub_client_clear (HubClient *client)
{
  close (client->fd);
  srtp_session_free (client->out);
  srtp_session_free (client->in);
  hub_credentials_clear (&client->credentials);
}

void
hub_client_send_raw (HubClient *client, const void *bytes, size_t len)
{
  if (sendto (client->fd, bytes, len, 0, (struct sockaddr *) &client->hub,
          client->address_len)
      < 0)
    DIE ("sendto");
}

/* --- Checks --- */

/* RFC 5389, 15.5. */
static uint32_t
fingerprint_of (const uint8_t *bytes, size_t len)
{
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < len; i++) {
    crc ^= bytes[i];
    for (int k = 0; k < 8; k++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc ^ 0x5354554e;
}

/* A request whose MESSAGE-INTEGRITY is cut to 4 bytes, with a right FINGERPRINT behind it: a reader that takes 20 bytes
 * whatever the length says reads past the end. */
static void
shorten_integrity (HubClient *client)
{
  Reader r = reader_init (client->last_check, client->last_check_len);
  reader_take (&r, 20);
  while (reader_left (&r) > 0) {
    size_t at = client->last_check_len - reader_left (&r);
    uint64_t type = reader_uint (&r, 2);
    reader_take (&r, ((size_t) reader_uint (&r, 2) + 3) / 4 * 4);
    if (type != STUN_ATTRIBUTE_MESSAGE_INTEGRITY)
      continue;
    client->last_check[at + 3] = 4;
    client->last_check_len = at + 16;
    client->last_check[2] = 0;
    client->last_check[3] = (uint8_t) (client->last_check_len - 20);
    Writer w = writer_init (client->last_check + at + 8, 8);
    writer_uint (&w, STUN_ATTRIBUTE_FINGERPRINT, 2);
    writer_uint (&w, 4, 2);
    writer_uint (&w, fingerprint_of (client->last_check, at + 8), 4);
    return;
  }
}

void
hub_client_make_check (HubClient *client, unsigned flags)
{
  char username[HUB_UFRAG_LEN + HUB_MAX_REMOTE_UFRAG + 2];
  StunMessage message;
  StunAgentUsageFlags usage = STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS;

  if (!(flags & HUB_CHECK_NO_FINGERPRINT))
    usage |= STUN_AGENT_USAGE_USE_FINGERPRINT;
  stun_agent_init (&client->agent, STUN_ALL_KNOWN_ATTRIBUTES,
      STUN_COMPATIBILITY_RFC5389, usage);
  memcpy (client->password, client->credentials.pwd, sizeof client->password);
  if (flags & HUB_CHECK_BAD_PASSWORD)
    client->password[0] ^= 1;
  snprintf (username, sizeof username, "%s:%s", client->credentials.ufrag,
      client->ufrag);
  if (flags & HUB_CHECK_BAD_UFRAG)
    username[0] = username[0] == 'A' ? 'B' : 'A';
  bool ok = stun_agent_init_request (&client->agent, &message,
      client->last_check, sizeof client->last_check, STUN_BINDING);
  ok &= stun_message_append32 (&message, STUN_ATTRIBUTE_PRIORITY, 0x6e0001ff)
        == STUN_MESSAGE_RETURN_SUCCESS;
  ok &= stun_message_append64 (&message,
            flags & HUB_CHECK_CONTROLLED ? STUN_ATTRIBUTE_ICE_CONTROLLED
                                         : STUN_ATTRIBUTE_ICE_CONTROLLING,
            0x0102030405060708)
        == STUN_MESSAGE_RETURN_SUCCESS;
  if (flags & HUB_CHECK_NOMINATE)
    ok &= stun_message_append_flag (&message, STUN_ATTRIBUTE_USE_CANDIDATE)
          == STUN_MESSAGE_RETURN_SUCCESS;
  if (flags & HUB_CHECK_UNKNOWN_REQUIRED)
    ok &= stun_message_append32 (&message, (StunAttribute) 0x7abc, 1)
          == STUN_MESSAGE_RETURN_SUCCESS;
  ok &=
      stun_message_append_string (&message, STUN_ATTRIBUTE_USERNAME, username)
      == STUN_MESSAGE_RETURN_SUCCESS;
  client->last_check_len = stun_agent_finish_message (
      &client->agent, &message, client->password, sizeof client->password);
  if (!ok || client->last_check_len == 0)
    DIE ("stun");
  if (flags & HUB_CHECK_SHORT_INTEGRITY)
    shorten_integrity (client);
}

void
hub_client_check (HubClient *client, unsigned flags)
{
  hub_client_make_check (client, flags);
  hub_client_send_raw (client, client->last_check, client->last_check_len);
}

/* --- Media --- */

size_t
hub_client_make_rtp (HubClient *client, uint8_t *out, size_t room,
    uint32_t ssrc, uint64_t index, uint32_t timestamp, uint8_t payload_type,
    const void *extension, size_t extension_len, const void *payload,
    size_t payload_len)
{
  uint8_t plain[HUB_CLIENT_ROOM];
  Writer w = writer_init (plain, sizeof plain);
  size_t len;

  writer_uint (&w, extension_len > 0 ? 0x90 : 0x80, 1);
  writer_uint (&w, payload_type, 1);
  writer_uint (&w, index & 0xffff, 2);
  writer_uint (&w, timestamp, 4);
  writer_uint (&w, ssrc, 4);
  if (extension_len > 0) {
    writer_uint (&w, 0xbede, 2);
    writer_uint (&w, extension_len / 4, 2);
    writer_bytes (&w, extension, extension_len);
  }
  writer_bytes (&w, payload, payload_len);
  if (w.failed
      || srtp_session_protect_rtp_at (
             client->out, index, plain, writer_len (&w), out, room, &len, NULL)
             != SRTP_OK)
    DIE ("protect");
  return len;
}

void
hub_client_send_rtp (HubClient *client, uint32_t ssrc, uint64_t index,
    uint32_t timestamp, uint8_t payload_type, const void *extension,
    size_t extension_len, const void *payload, size_t payload_len)
{
  uint8_t wire[HUB_CLIENT_ROOM + SRTP_MAX_OVERHEAD];
  size_t len = hub_client_make_rtp (client, wire, sizeof wire, ssrc, index,
      timestamp, payload_type, extension, extension_len, payload, payload_len);
  hub_client_send_raw (client, wire, len);
}

void
hub_client_send_rtcp (HubClient *client, const void *bytes, size_t len)
{
  uint8_t wire[HUB_CLIENT_ROOM + SRTP_MAX_OVERHEAD];
  size_t wire_len;

  if (srtp_session_protect_rtcp (
          client->out, bytes, len, wire, sizeof wire, &wire_len, NULL)
      != SRTP_OK)
    DIE ("protect");
  hub_client_send_raw (client, wire, wire_len);
}

static bool
open_packet (HubClient *client, HubReceived *received)
{
  uint8_t *bytes = received->bytes;
  size_t len = received->wire_len;
  SrtpInfo info;

  if (len > 0 && bytes[0] < 4) {
    received->kind = HUB_CLIENT_STUN;
    received->len = len;
    return true;
  }
  bool rtcp = srtp_is_rtcp (bytes, len);
  SrtpResult result = rtcp ? srtp_session_unprotect_rtcp (client->in, bytes,
                          len, bytes, len, &received->len, &info)
                           : srtp_session_unprotect_rtp (client->in, bytes,
                               len, bytes, len, &received->len, &info);
  if (result != SRTP_OK) {
    client->unauthentic++;
    return false;
  }
  received->kind = rtcp ? HUB_CLIENT_RTCP : HUB_CLIENT_RTP;
  received->ssrc = info.ssrc;
  received->index = info.index;
  if (!rtcp) {
    Reader r = reader_init (bytes, received->len);
    reader_take (&r, 1);
    received->payload_type = reader_uint (&r, 1) & 0x7f;
    received->seq = (uint16_t) reader_uint (&r, 2);
    received->timestamp = (uint32_t) reader_uint (&r, 4);
  }
  return true;
}

HubClientKind
hub_client_receive (HubClient *client, HubReceived *received, int timeout)
{
  struct pollfd p = { .fd = client->fd, .events = POLLIN };

  received->kind = HUB_CLIENT_NOTHING;
  while (poll (&p, 1, timeout) > 0) {
    ssize_t n = recv (client->fd, received->bytes, sizeof received->bytes, 0);
    if (n < 0)
      continue;
    received->wire_len = (size_t) n;
    if (open_packet (client, received))
      break;
  }
  return received->kind;
}

bool
hub_client_receive_kind (
    HubClient *client, HubClientKind kind, HubReceived *received, int timeout)
{
  HubClientKind got;
  do {
    got = hub_client_receive (client, received, timeout);
  } while (got != kind && got != HUB_CLIENT_NOTHING);
  return got == kind;
}

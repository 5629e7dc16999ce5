/* For tests of the hub as a server: one on loopback, and clients over TCP, TLS and WebSocket that may also do what no honest
 * client does. Blocking; whoever waits longer than NET_PATIENCE_S fails.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pure.h"

#include "ext/hub/server.h"

#include <gnutls/gnutls.h>
#include <string.h>

#define NET_PATIENCE_S 20
#define NET_MEETING "standup"

typedef struct
{
  HubServer *server;
  HubCertificate *certificate;
  char *folder;
  uint16_t port;
} Net;

/* A server on 127.0.0.1, on ports that the system chooses. `config` may have more set; NULL for nothing. */
void net_start (Net *net, const HubServerConfig *config);
void net_stop (Net *net);
HubServerStats net_stats (const Net *net);

/* Waits until the number that `counter` gives is at least `n`. */
void net_await (
    const Net *net, uint64_t (*counter) (const HubServerStats *), uint64_t n);

typedef struct
{
  int fd;
  gnutls_session_t tls; /* NULL before, or without */
  gnutls_certificate_credentials_t credentials;
  GByteArray *in; /* read, and not used yet */
  uint64_t peer;
  uint8_t token[LIMIT_TOKEN], challenge[LIMIT_CHALLENGE], room[LIMIT_ROOM];
  uint64_t seq;
  WireMessage last; /* what net_expect() gave */
} NetClient;

/* TCP to the port, from this local address (NULL: any). The descriptor. */
int net_tcp (uint16_t port, const char *from);

/* TCP and TLS. False when the hub does not let it in. */
bool net_dial_tls (const Net *net, NetClient *client, const char *from);

/* Sends as it is; false when the connection is gone. */
bool net_send (NetClient *client, const void *bytes, size_t len);

/* The answer to an HTTP request, as text; NULL when there was none. */
char *net_request (const Net *net, const char *request);

/* TLS and the upgrade; the `hello` is read. */
void net_join (
    const Net *net, NetClient *client, const char *meeting, const char *from);
/* Likewise, or the status of another answer than 101, or -1 for none; the hello is not read. */
int net_upgrade (
    const Net *net, NetClient *client, const char *path, const char *from);
void net_hang_up (NetClient *client);

#define NET_FIN 0x80
enum
{
  NET_CONTINUATION = 0,
  NET_TEXT = 1,
  NET_BINARY = 2,
  NET_CLOSE = 8,
  NET_PING = 9,
  NET_PONG = 10
};
bool net_send_frame (
    NetClient *client, uint8_t first, const void *payload, size_t len);

/* The next frame that is no ping; -1 when the connection has ended, or after the close frame. */
int net_read_frame (NetClient *client, GByteArray *payload);

/* True when the hub ends the connection, whatever it says before. */
bool net_is_ended (NetClient *client);

void net_say (NetClient *client, const WireMessage *message);
#define NET_SAY(client, ...) net_say (client, &(WireMessage){ __VA_ARGS__ })

/* The next frame, which must be this message. Valid until the next call. */
WireMessage *net_expect (NetClient *client, WireType type);
void net_expect_error (NetClient *client, WireCode code);
void net_expect_binary (NetClient *client, WireKind kind, uint64_t seq);

/* open; the answer is read, and `credits` are given. */
void net_open (const Net *net, NetClient *client, const Identity *owner,
    uint64_t credits);

void net_open_meeting (const Net *net, NetClient *client, const char *meeting,
    const Identity *owner, uint64_t credits);

/* Lets `client` into the meeting whose owner `admin` is: knock, reply, proof, a commit and a Welcome, admitted. */
void net_let_in (NetClient *admin, NetClient *client);

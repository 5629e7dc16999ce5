/* Where STUN and TURN servers are: the URIs of RFC 7064 and RFC 7065, with the user information in front of the
 * host that GStreamer's users know.
 *
 *     stun:host[:port]      stun://host[:port]      host[:port]
 *     turn://user:password@host[:port][?transport=udp|tcp|tls]      turns://user:password@host[:port]
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ext/sodium/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICE_MAX_SERVERS                                                       \
  8 /* libnice takes no more TURN servers (NICE_CANDIDATE_MAX_TURN_SERVERS) */
#define ICE_MAX_HOST 253   /* RFC 1035, 2.3.4 */
#define ICE_MAX_USER 512   /* RFC 8489, 14.3: "less than 509 bytes" */
#define ICE_STUN_PORT 3478 /* RFC 8489, 18.6 */
#define ICE_STUNS_PORT 5349

typedef enum
{
  ICE_SERVER_UDP,
  ICE_SERVER_TCP,
  ICE_SERVER_TLS
} IceServerTransport;

typedef struct
{
  char host[ICE_MAX_HOST + 1];
  uint16_t port;
  IceServerTransport transport;
  char user[ICE_MAX_USER + 1]; /* TURN only */
  Secret *password;            /* TURN only; NUL-terminated */
} IceServer;

/* Both read one URI of `len` bytes and leave `out` empty when it is none. The TURN form needs user and password,
 * percent-encoded where RFC 3986 asks for it. No message says why: what is wrong may be the password. */
bool ice_stun_uri_parse (const char *text, size_t len, IceServer *out);
bool ice_turn_uri_parse (const char *text, size_t len, IceServer *out);

/* Wipes the password. */
void ice_server_clear (IceServer *server);

/* Reads URIs divided by commas, spaces or line ends, "#" to the end of the line left out. Gives how many, or -1
 * when one of them is no TURN URI or there are more than ICE_MAX_SERVERS; then nothing is left to clear. */
int ice_turn_list_parse (
    const char *text, size_t len, IceServer out[ICE_MAX_SERVERS]);

/* A participant of the hub's forwarder as tests and benchmarks need one: a UDP socket, ICE checks by libnice's STUN, SRTP.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ext/hub/forwarder.h"
#include "ext/srtp/session.h"

#include <netinet/in.h>
#include <stun/stunagent.h>

#define HUB_CLIENT_ROOM 4096

typedef struct
{
  int fd;
  struct sockaddr_storage hub, own;
  socklen_t address_len;
  HubCredentials credentials; /* its keys are in the sessions */
  SrtpSession *out, *in;
  StunAgent agent;
  uint8_t password
      [HUB_PWD_LEN]; /* the agent points to it until the reply has come */
  const char *ufrag; /* of this side */
  uint8_t last_check[512];
  size_t last_check_len;
  unsigned unauthentic; /* packets that came and could not be read */
} HubClient;

typedef enum
{
  HUB_CLIENT_NOTHING,
  HUB_CLIENT_STUN,
  HUB_CLIENT_RTP,
  HUB_CLIENT_RTCP
} HubClientKind;

typedef struct
{
  HubClientKind kind;
  uint8_t bytes[HUB_CLIENT_ROOM]; /* without SRTP */
  size_t len, wire_len;
  uint64_t index; /* of SRTP */
  uint32_t ssrc, timestamp;
  uint16_t seq;
  uint8_t payload_type;
} HubReceived;

/* A socket on the loopback of the family of `hub_address` (NULL: 127.0.0.1), towards the hub's port there; takes the credentials over. Aborts when
 * that can't be had. `connected`: takes datagrams from that address only. */
void hub_client_init (HubClient *client, const char *hub_address,
    uint16_t port, HubCredentials *credentials, SrtpBackend backend,
    bool connected);
void hub_client_clear (HubClient *client);

/* A second socket of the same participant, for migration: shares nothing but the credentials. */
int hub_client_new_socket (struct sockaddr_storage *own, bool v6);

enum
{
  HUB_CHECK_NOMINATE = 1,
  HUB_CHECK_CONTROLLED = 2, /* a role conflict */
  HUB_CHECK_BAD_PASSWORD = 4,
  HUB_CHECK_BAD_UFRAG = 8,
  HUB_CHECK_UNKNOWN_REQUIRED =
      16, /* an attribute that must be understood and is not */
  HUB_CHECK_NO_FINGERPRINT = 32,
  HUB_CHECK_SHORT_INTEGRITY =
      64 /* MESSAGE-INTEGRITY of 4 bytes, and a right FINGERPRINT */
};

/* A Binding request; it stays in `last_check`. */
void hub_client_make_check (HubClient *client, unsigned flags);
void hub_client_check (HubClient *client, unsigned flags);
void hub_client_send_raw (HubClient *client, const void *bytes, size_t len);

/* Sends an RTP packet of the 48-bit index, with `extension_len` bytes (a multiple of 4, may be 0) of one-byte header extensions. */
void hub_client_send_rtp (HubClient *client, uint32_t ssrc, uint64_t index,
    uint32_t timestamp, uint8_t payload_type, const void *extension,
    size_t extension_len, const void *payload, size_t payload_len);
size_t hub_client_make_rtp (HubClient *client, uint8_t *out, size_t room,
    uint32_t ssrc, uint64_t index, uint32_t timestamp, uint8_t payload_type,
    const void *extension, size_t extension_len, const void *payload,
    size_t payload_len);
void hub_client_send_rtcp (HubClient *client, const void *bytes, size_t len);

/* The next packet within `timeout` ms; unauthentic ones are counted and left out. */
HubClientKind hub_client_receive (
    HubClient *client, HubReceived *received, int timeout);

/* The next of `kind`; what is of another is lost. False after `timeout` ms without any. */
bool hub_client_receive_kind (
    HubClient *client, HubClientKind kind, HubReceived *received, int timeout);

/* Packets on their way out: collected in one arena as messages, several packets of one receiver in one where the kernel cuts
 * them (UDP GSO), and handed to the socket together.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "address.h"
#include "counters.h"

#define HUB_EGRESS_MESSAGES 64u
#define HUB_EGRESS_ARENA ((size_t) 1 << 20) /* stays in the L2 cache */
#define HUB_GSO_SEGMENTS 48u                /* kernels before 6.9 take 64 */
#define HUB_GSO_BYTES 65507u
/* A segment above the MTU is refused where a plain packet would be fragmented: 1,280 bytes, IPv6's least, without its headers. */
#define HUB_GSO_SEGMENT 1232u

/* In the order in which they are given up. */
typedef enum
{
  HUB_SEND_VIDEO,
  HUB_SEND_AUDIO,
  HUB_SEND_CONTROL /* STUN, RTCP */
} HubSendKind;

typedef struct
{
  HubPath path;
  const uint8_t *bytes;
  uint32_t len;
  uint16_t segment,
      n_segments; /* all of `segment` bytes but the last, which may be shorter */
  HubSendKind kind;
} HubMessage;

/* Sends; returns how many were sent or given up for good (and counted as errors). Less than `n`: the socket is full. */
typedef size_t (*HubSendFunc) (void *io, const HubMessage *messages, size_t n);

typedef struct
{
  HubSendFunc send;
  void *io;
  HubCounters *counters;
  uint8_t *arena;
  size_t used;
  bool gso;
  bool
      blocked; /* what is here waits for the socket; video is not taken meanwhile */
  size_t n;
  HubMessage messages[HUB_EGRESS_MESSAGES];
} HubEgress;

bool hub_egress_init (
    HubEgress *egress, HubSendFunc send, void *io, HubCounters *counters);
void hub_egress_clear (HubEgress *egress);

/* `len` bytes, 1 to 4096, to be filled with one packet before the next call. NULL when the socket is full. */
uint8_t *hub_egress_reserve (
    HubEgress *egress, const HubPath *path, HubSendKind kind, size_t len);

/* Takes the last reserved packet, of `len` bytes, back. */
void hub_egress_undo (HubEgress *egress, size_t len);

/* Hands all to the socket. */
void hub_egress_flush (HubEgress *egress);

/* The socket takes packets again. */
void hub_egress_unblock (HubEgress *egress);

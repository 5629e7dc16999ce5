/* The one UDP socket: batches in and out, with the kernel's segmentation and coalescing where it has them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "egress.h"

typedef struct HubUdp HubUdp;

/* `bind_address` numeric, or NULL for all of both families. NULL with a sentence in `problem`, HUB_MAX_PROBLEM bytes. */
HubUdp *hub_udp_new (const char *bind_address, uint16_t port, bool gso,
    bool gro, HubCounters *counters, char *problem);
void hub_udp_free (HubUdp *udp);

int hub_udp_fd (const HubUdp *udp);
int hub_udp_family (const HubUdp *udp); /* AF_INET, or AF_INET6 for both */
uint16_t hub_udp_port (const HubUdp *udp);
bool hub_udp_gso (const HubUdp *udp);
bool hub_udp_gro (const HubUdp *udp);

/* Takes what has arrived, without waiting: the number of messages. `full`: there may be more. Their bytes hold until the next call. */
size_t hub_udp_receive (HubUdp *udp, bool *full);

/* Message `i`: one datagram, or several of `segment` bytes from one peer, the last maybe shorter. False when it is not
 * usable (truncated). */
bool hub_udp_message (HubUdp *udp, size_t i, HubPath *path, uint8_t **bytes,
    size_t *len, size_t *segment);

/* A HubSendFunc. */
size_t hub_udp_send (void *udp, const HubMessage *messages, size_t n);

/* Addresses and the ways between two of them. An IPv4 address is always kept as IPv4-mapped IPv6, however the socket gave it,
 * so that one peer has one key in the tables.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct
{
  uint8_t ip[16];
  uint16_t port; /* host order */
} HubAddress;

/* Where packets to a peer go, and from which of our addresses: a multi-homed host must answer from the one that was asked. */
typedef struct
{
  HubAddress remote;
  uint8_t local[16];  /* all zero: the kernel chooses */
  uint32_t interface; /* of link-local addresses; 0 for any */
} HubPath;

bool hub_address_is_v4 (const uint8_t *ip);
bool hub_address_equal (const HubAddress *a, const HubAddress *b);

/* False for families other than IP. */
bool hub_address_from_sockaddr (HubAddress *address, const void *sockaddr);

/* For a socket of `family`: AF_INET, or AF_INET6 with mapped addresses. Returns the length. An IPv6 address does not fit
 * AF_INET: 0. `interface` is the scope of link-local addresses. */
socklen_t hub_address_to_sockaddr (const HubAddress *address,
    uint32_t interface, int family, struct sockaddr_storage *out);

/* As plain IPv4 or IPv6: what STUN tells a peer about itself. */
socklen_t hub_address_to_plain (
    const HubAddress *address, struct sockaddr_storage *out);

/* Numeric text, without brackets and scope. */
bool hub_address_parse (const char *text, uint8_t *ip);
void hub_address_print (const uint8_t *ip, char *text, size_t room);

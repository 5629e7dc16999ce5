/* Which addresses a client is told to try.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forwarder_private.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>

typedef struct
{
  HubCandidate *out;
  size_t room, n;
  uint16_t port;
  bool v4, v6;
} List;

/* RFC 8445, 5.1.2.1: type preference 126 of host candidates, component 1. */
static uint32_t
priority_of (size_t place)
{
  uint32_t local = 65535u - (uint32_t) place;
  return (126u << 24) + (local << 8) + 255u;
}

static void
add (List *list, const uint8_t *ip)
{
  char text[HUB_ADDRESS_TEXT];

  if (list->n == list->room || !(hub_address_is_v4 (ip) ? list->v4 : list->v6))
    return;
  hub_address_print (ip, text, sizeof text);
  for (size_t i = 0; i < list->n; i++)
    if (strcmp (list->out[i].address, text) == 0)
      return;
  HubCandidate *candidate = &list->out[list->n];
  memcpy (candidate->address, text, sizeof text);
  candidate->port = list->port;
  candidate->priority = priority_of (list->n);
  snprintf (candidate->foundation, sizeof candidate->foundation, "%u",
      (unsigned) list->n + 1);
  list->n++;
}

static bool
is_link_local (const uint8_t *ip)
{
  if (hub_address_is_v4 (ip))
    return ip[12] == 169 && ip[13] == 254;
  return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

static void
add_interfaces (List *list)
{
  struct ifaddrs *all;

  if (getifaddrs (&all) != 0)
    return;
  for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
    HubAddress address;
    if (i->ifa_addr && (i->ifa_flags & IFF_UP)
        && !(i->ifa_flags & IFF_LOOPBACK)
        && hub_address_from_sockaddr (&address, i->ifa_addr)
        && !is_link_local (address.ip))
      add (list, address.ip);
  }
  freeifaddrs (all);
}

size_t
hub_forwarder_candidates (const HubForwarder *f, const char *preferred,
    HubCandidate *out, size_t room)
{
  List list = { .out = out,
    .room = room,
    .port = hub_udp_port (f->thread.udp),
    .v4 = true,
    .v6 = !f->any_address || hub_udp_family (f->thread.udp) == AF_INET6 };
  uint8_t ip[16];

  if (f->any_public) {
    add (&list, f->public_ip);
  } else if (!f->any_address) {
    add (&list, f->bind_ip);
  } else {
    if (preferred && hub_address_parse (preferred, ip))
      add (&list, ip);
    add_interfaces (&list);
  }
  return list.n;
}

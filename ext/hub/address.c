/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "address.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

bool
hub_address_is_v4 (const uint8_t *ip)
{
  return memcmp (ip, mapped, sizeof mapped) == 0;
}

bool
hub_address_equal (const HubAddress *a, const HubAddress *b)
{
  return a->port == b->port && memcmp (a->ip, b->ip, sizeof a->ip) == 0;
}

bool
hub_address_from_sockaddr (HubAddress *address, const void *sockaddr)
{
  sa_family_t family;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;

  memcpy (&family,
      (const uint8_t *) sockaddr + offsetof (struct sockaddr, sa_family),
      sizeof family);
  if (family == AF_INET) {
    memcpy (&in, sockaddr, sizeof in);
    memcpy (address->ip, mapped, sizeof mapped);
    memcpy (address->ip + 12, &in.sin_addr, 4);
    address->port = ntohs (in.sin_port);
    return true;
  }
  if (family == AF_INET6) {
    memcpy (&in6, sockaddr, sizeof in6);
    memcpy (address->ip, &in6.sin6_addr, 16);
    address->port = ntohs (in6.sin6_port);
    return true;
  }
  return false;
}

socklen_t
hub_address_to_sockaddr (const HubAddress *address, uint32_t interface,
    int family, struct sockaddr_storage *out)
{
  if (family == AF_INET6) {
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
      .sin6_port = htons (address->port) };
    memcpy (&in6.sin6_addr, address->ip, 16);
    if (IN6_IS_ADDR_LINKLOCAL (&in6.sin6_addr))
      in6.sin6_scope_id = interface;
    memcpy (out, &in6, sizeof in6);
    return sizeof in6;
  }
  if (!hub_address_is_v4 (address->ip))
    return 0;
  struct sockaddr_in in = { .sin_family = AF_INET,
    .sin_port = htons (address->port) };
  memcpy (&in.sin_addr, address->ip + 12, 4);
  memcpy (out, &in, sizeof in);
  return sizeof in;
}

socklen_t
hub_address_to_plain (const HubAddress *address, struct sockaddr_storage *out)
{
  return hub_address_to_sockaddr (
      address, 0, hub_address_is_v4 (address->ip) ? AF_INET : AF_INET6, out);
}

bool
hub_address_parse (const char *text, uint8_t *ip)
{
  if (inet_pton (AF_INET, text, ip + 12) == 1) {
    memcpy (ip, mapped, sizeof mapped);
    return true;
  }
  return inet_pton (AF_INET6, text, ip) == 1;
}

void
hub_address_print (const uint8_t *ip, char *text, size_t room)
{
  const char *done = hub_address_is_v4 (ip)
                         ? inet_ntop (AF_INET, ip + 12, text, (socklen_t) room)
                         : inet_ntop (AF_INET6, ip, text, (socklen_t) room);
  if (!done && room > 0)
    text[0] = '\0';
}

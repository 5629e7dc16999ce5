/* Addresses and candidates between this code, libnice and the socket API.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert.h"

#include <netinet/in.h>
#include <string.h>

#define UNTOLD_PORT 9 /* discard, of a related address that is not told */

gboolean
ice_address_to_nice (const IceAddress *address, NiceAddress *out)
{
  struct sockaddr_storage storage;
  nice_address_init (out);
  if (ice_address_to_sockaddr (address, &storage) == 0)
    return FALSE;
  nice_address_set_from_sockaddr (out, (struct sockaddr *) &storage);
  return TRUE;
}

void
ice_address_from_nice (const NiceAddress *address, IceAddress *out)
{
  struct sockaddr_storage storage = { 0 };
  nice_address_copy_to_sockaddr (address, (struct sockaddr *) &storage);
  ice_address_from_sockaddr (&storage, out);
}

socklen_t
ice_address_to_sockaddr (
    const IceAddress *address, struct sockaddr_storage *out)
{
  memset (out, 0, sizeof *out);
  if (address->family == 4) {
    struct sockaddr_in *in = (struct sockaddr_in *) out;
    in->sin_family = AF_INET;
    in->sin_port = g_htons (address->port);
    memcpy (&in->sin_addr, address->ip, 4);
    return sizeof *in;
  }
  if (address->family == 6) {
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) out;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = g_htons (address->port);
    memcpy (&in6->sin6_addr, address->ip, 16);
    return sizeof *in6;
  }
  return 0;
}

void
ice_address_from_sockaddr (
    const struct sockaddr_storage *address, IceAddress *out)
{
  memset (out, 0, sizeof *out);
  if (address->ss_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *) address;
    out->family = 4;
    out->port = g_ntohs (in->sin_port);
    memcpy (out->ip, &in->sin_addr, 4);
  } else if (address->ss_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) address;
    out->family = 6;
    out->port = g_ntohs (in6->sin6_port);
    memcpy (out->ip, &in6->sin6_addr, 16);
  }
}

static IceTransport
transport_from_nice (NiceCandidateTransport transport)
{
  switch (transport) {
    case NICE_CANDIDATE_TRANSPORT_TCP_ACTIVE:
      return ICE_TCP_ACTIVE;
    case NICE_CANDIDATE_TRANSPORT_TCP_PASSIVE:
      return ICE_TCP_PASSIVE;
    case NICE_CANDIDATE_TRANSPORT_TCP_SO:
      return ICE_TCP_SO;
    case NICE_CANDIDATE_TRANSPORT_UDP:
    default:
      return ICE_UDP;
  }
}

static NiceCandidateTransport
transport_to_nice (IceTransport transport)
{
  switch (transport) {
    case ICE_TCP_ACTIVE:
      return NICE_CANDIDATE_TRANSPORT_TCP_ACTIVE;
    case ICE_TCP_PASSIVE:
      return NICE_CANDIDATE_TRANSPORT_TCP_PASSIVE;
    case ICE_TCP_SO:
      return NICE_CANDIDATE_TRANSPORT_TCP_SO;
    case ICE_UDP:
    default:
      return NICE_CANDIDATE_TRANSPORT_UDP;
  }
}

static IceCandidateType
type_from_nice (NiceCandidateType type)
{
  switch (type) {
    case NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE:
      return ICE_SRFLX;
    case NICE_CANDIDATE_TYPE_PEER_REFLEXIVE:
      return ICE_PRFLX;
    case NICE_CANDIDATE_TYPE_RELAYED:
      return ICE_RELAY;
    case NICE_CANDIDATE_TYPE_HOST:
    default:
      return ICE_HOST;
  }
}

static NiceCandidateType
type_to_nice (IceCandidateType type)
{
  switch (type) {
    case ICE_SRFLX:
      return NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE;
    case ICE_PRFLX:
      return NICE_CANDIDATE_TYPE_PEER_REFLEXIVE;
    case ICE_RELAY:
      return NICE_CANDIDATE_TYPE_RELAYED;
    case ICE_HOST:
    default:
      return NICE_CANDIDATE_TYPE_HOST;
  }
}

void
ice_candidate_from_nice (const NiceCandidate *c, IceCandidate *out)
{
  memset (out, 0, sizeof *out);
  g_strlcpy (out->foundation, c->foundation, sizeof out->foundation);
  out->component = (uint16_t) c->component_id;
  out->transport = transport_from_nice (c->transport);
  out->priority = c->priority;
  out->type = type_from_nice (c->type);
  ice_address_from_nice (&c->addr, &out->address);
  /* RFC 8839, 5.1: the related address of a relayed candidate is the mapped one, which libnice does not tell; what it
   * has is this host's own, which nobody behind a relay needs and which force-relay is there to hide. One that is not
   * told is written as 0.0.0.0 or ::, and port 9. */
  if (out->type == ICE_RELAY)
    out->related =
        (IceAddress){ .family = out->address.family, .port = UNTOLD_PORT };
  else if (out->type != ICE_HOST)
    ice_address_from_nice (&c->base_addr, &out->related);
}

NiceCandidate *
ice_candidate_to_nice (const IceCandidate *c, guint stream)
{
  NiceCandidate *out = nice_candidate_new (type_to_nice (c->type));
  out->transport = transport_to_nice (c->transport);
  out->stream_id = stream;
  out->component_id = ICE_COMPONENT;
  out->priority = c->priority;
  g_strlcpy (out->foundation, c->foundation, sizeof out->foundation);
  ice_address_to_nice (&c->address, &out->addr);
  if (c->related.family)
    ice_address_to_nice (&c->related, &out->base_addr);
  return out;
}

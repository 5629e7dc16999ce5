/* The round trip time of the selected pair.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agentpriv.h"

#include <string.h>
#include <stun/usages/ice.h>

/* Round trip time: a check of our own, whose answer comes to the media socket by its transaction ID. RFC 7675 wants
 * such checks anyway; libnice keeps the time of its own ones to itself. No role is claimed, so none can conflict. */

void
ice_agent_send_check (IceAgent *agent)
{
  uint8_t packet[STUN_MAX_MESSAGE_SIZE_IPV6];
  const char *username, *password;
  StunMessage message;
  IceRoute *route = ice_agent_ref_route (agent);
  gsize len = 0;

  if (route && route->path
      && ice_link_check_credentials (route->link, &username, &password)) {
    guint32 tag = g_htonl (ice_link_stun_tag (route->link));
    g_mutex_lock (&agent->stun_lock);
    if (agent->check_sent)
      stun_agent_forget_transaction (&agent->stun, agent->check_id);
    g_strlcpy (agent->check_password, password, sizeof agent->check_password);
    if (stun_agent_init_request (
            &agent->stun, &message, packet, sizeof packet, STUN_BINDING)) {
      memcpy (packet + 8, &tag, sizeof tag);
      stun_message_append_bytes (
          &message, STUN_ATTRIBUTE_USERNAME, username, strlen (username));
      len = stun_agent_finish_message (&agent->stun, &message,
          (uint8_t *) agent->check_password, strlen (agent->check_password));
      stun_message_id (&message, agent->check_id);
    }
    agent->check_sent = len ? g_get_monotonic_time () : 0;
    g_mutex_unlock (&agent->stun_lock);
    if (len)
      (void) sendto (route->path->fd, packet, len, MSG_DONTWAIT,
          (struct sockaddr *) &route->to, route->to_len);
  }
  ice_route_unref (route);
}

void
ice_agent_take_stun (
    IceAgent *agent, IceLink *link, const guint8 *bytes, gsize size)
{
  uint8_t packet[STUN_MAX_MESSAGE_SIZE_IPV6 + 32] = {
    0
  }; /* libnice reads up to 12 bytes past a short attribute */
  StunMessage message;
  gint64 rtt = -1;

  if (size > STUN_MAX_MESSAGE_SIZE_IPV6)
    return;
  memcpy (packet, bytes, size);
  g_mutex_lock (&agent->stun_lock);
  if (agent->check_sent
      && stun_agent_validate (&agent->stun, &message, packet, size, NULL, NULL)
             == STUN_VALIDATION_SUCCESS
      && stun_message_get_class (&message) == STUN_RESPONSE) {
    rtt = (g_get_monotonic_time () - agent->check_sent) * 1000;
    agent->check_sent = 0;
  }
  g_mutex_unlock (&agent->stun_lock);
  if (rtt < 0)
    return;
  g_mutex_lock (&agent->lock);
  agent->stats.rtt = rtt;
  g_mutex_unlock (&agent->lock);
}

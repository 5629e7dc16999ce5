/* Checks over the selected pair besides libnice's: for the round trip time, and to repeat a nomination.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agentpriv.h"

#include <string.h>
#include <stun/usages/ice.h>

#define GST_CAT_DEFAULT conclave_ice_debug

#define NOMINATE_FIRST 100 /* ms after the link came into use */
#define NOMINATE_LAST                                                         \
  60000 /* ms; libnice's consent checks, every 4 to 6 s, nominate too */
#define PRFLX_PREFERENCE (UINT32_C (110) << 24) /* RFC 8445, 5.1.2.2 */

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
      memcpy (packet + UDP_PATH_TAG_AT, &tag, sizeof tag);
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
ice_agent_take_stun (IceAgent *agent, const guint8 *bytes, gsize size)
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

/* A check that says USE-CANDIDATE, over whatever the selected pair is. Its answer is nobody's: libnice drops it. The
 * tie-breaker is the lowest there is, so that a far end which controls too never gives its role up for it. */
static void
send_nomination (IceAgent *agent, IceLink *link)
{
  uint8_t packet[STUN_MAX_MESSAGE_SIZE_IPV6];
  const char *username, *password;
  IceCandidate local, remote;
  StunMessage message;
  gsize len = 0;

  if (!ice_link_is_controlling (link)
      || !ice_link_selected (link, &local, &remote)
      || !ice_link_check_credentials (link, &username, &password))
    return;
  /* RFC 8445, 7.1.1: the priority of a peer-reflexive candidate that would be learnt from this check. */
  guint32 priority = local.type == ICE_RELAY
                         ? local.priority
                         : PRFLX_PREFERENCE | (local.priority & 0xffffff);
  g_mutex_lock (&agent->stun_lock);
  if (stun_agent_init_request (
          &agent->stun, &message, packet, sizeof packet, STUN_BINDING)) {
    StunTransactionId id;
    stun_message_append_bytes (
        &message, STUN_ATTRIBUTE_USERNAME, username, strlen (username));
    stun_message_append32 (&message, STUN_ATTRIBUTE_PRIORITY, priority);
    stun_message_append_flag (&message, STUN_ATTRIBUTE_USE_CANDIDATE);
    stun_message_append64 (&message, STUN_ATTRIBUTE_ICE_CONTROLLING, 0);
    len = stun_agent_finish_message (
        &agent->stun, &message, (const uint8_t *) password, strlen (password));
    stun_message_id (&message, id);
    stun_agent_forget_transaction (&agent->stun, id);
  }
  g_mutex_unlock (&agent->stun_lock);
  if (len == 0)
    return;
  GOutputVector vector = { packet, len };
  NiceOutputMessage output = { &vector, 1 };
  gboolean gone;
  (void) ice_link_send (link, &output, 1, &gone);
}

static gboolean
on_nominate (gpointer user)
{
  IceAgent *agent = user;

  ice_clear_source (&agent->nomination);
  if (!agent->active || agent->active_lost)
    return G_SOURCE_REMOVE;
  send_nomination (agent, agent->active);
  agent->nominated_for += agent->nominate_in;
  agent->nominate_in = MAX (NOMINATE_FIRST, agent->nominated_for / 4);
  if (agent->nominated_for < NOMINATE_LAST)
    agent->nomination =
        ice_agent_add_timeout (agent, agent->nominate_in, on_nominate);
  return G_SOURCE_REMOVE;
}

void
ice_agent_start_nominating (IceAgent *agent)
{
  ice_clear_source (&agent->nomination);
  agent->nominated_for = 0;
  agent->nominate_in = NOMINATE_FIRST;
  agent->nomination =
      ice_agent_add_timeout (agent, agent->nominate_in, on_nominate);
}

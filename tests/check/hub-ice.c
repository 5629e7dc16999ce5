/* The forwarder's ICE-lite side over real sockets: what is answered, what is not, where media goes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hubmeeting.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#define REJECTED(m, client, flags, counter)                                   \
  G_STMT_START                                                                \
  {                                                                           \
    guint64 before__ = meeting_counter (m, counter);                          \
    hub_client_check (client, (flags) | HUB_CHECK_NOMINATE);                  \
    meeting_await (m, counter, before__ + 1);                                 \
  }                                                                           \
  G_STMT_END

static StunValidationStatus
read_reply (
    HubClient *client, const HubReceived *received, StunMessage *message)
{
  return stun_agent_validate (
      &client->agent, message, received->bytes, received->len, NULL, NULL);
}

GST_START_TEST (a_valid_check_is_answered_with_the_senders_address)
{
  Meeting m;
  StunMessage message;
  struct sockaddr_storage mapped;
  socklen_t len = sizeof mapped;

  meeting_open (&m);
  HubClient *client = meeting_add_silent (&m, SRTP_BACKEND_GNUTLS);
  hub_client_check (client, HUB_CHECK_NOMINATE);
  HubReceived *reply = meeting_receive (&m, 0, HUB_CLIENT_STUN);
  fail_unless_equals_int (
      read_reply (client, reply, &message), STUN_VALIDATION_SUCCESS);
  fail_unless_equals_int (stun_message_get_class (&message), STUN_RESPONSE);
  fail_unless_equals_int (
      stun_message_find_xor_addr (
          &message, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped, &len),
      STUN_MESSAGE_RETURN_SUCCESS);
  fail_unless_equals_int (mapped.ss_family, AF_INET);
  fail_unless (
      memcmp (&mapped, &client->own, sizeof (struct sockaddr_in)) == 0);
  fail_unless (reply->len <= client->last_check_len,
      "the reply is longer than the request: an amplifier");
  HubMediaEvent event = meeting_expect (&m, HUB_MEDIA_EVENT_CONNECTED, m.transports[0]);
  fail_unless (hub_transport_owner (event.transport) == client);
  meeting_close (&m);
}
GST_END_TEST;

static const struct
{
  unsigned flags;
  HubCounter counter;
} silent[] = {
  { HUB_CHECK_BAD_PASSWORD, HUB_DROPPED_STUN_INTEGRITY },
  { HUB_CHECK_BAD_UFRAG, HUB_DROPPED_STUN_UFRAG },
  { HUB_CHECK_NO_FINGERPRINT, HUB_DROPPED_STUN_MALFORMED },
  { HUB_CHECK_SHORT_INTEGRITY, HUB_DROPPED_STUN_MALFORMED },
};

GST_START_TEST (what_is_not_authentic_is_not_answered)
{
  Meeting m;

  meeting_open (&m);
  HubClient *client = meeting_add_silent (&m, SRTP_BACKEND_GNUTLS);
  REJECTED (&m, client, silent[__i__].flags, silent[__i__].counter);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_PACKETS_OUT), 0);
  /* And the way is free for the right one. */
  meeting_connect (&m, 0);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_check_of_another_remote_ufrag_is_not_answered)
{
  Meeting m;

  meeting_open (&m);
  HubClient *client = meeting_add_silent (&m, SRTP_BACKEND_GNUTLS);
  client->ufrag = "thex";
  REJECTED (&m, client, 0, HUB_DROPPED_STUN_UFRAG);
  client->ufrag = "themm";
  REJECTED (&m, client, 0, HUB_DROPPED_STUN_UFRAG);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_PACKETS_OUT), 0);
  meeting_close (&m);
}
GST_END_TEST;

static int
error_of (HubClient *client, const HubReceived *reply)
{
  StunMessage message;
  int code = 0;

  fail_unless_equals_int (
      read_reply (client, reply, &message), STUN_VALIDATION_SUCCESS);
  fail_unless_equals_int (stun_message_get_class (&message), STUN_ERROR);
  fail_unless_equals_int (
      stun_message_find_error (&message, &code), STUN_MESSAGE_RETURN_SUCCESS);
  return code;
}

GST_START_TEST (a_role_conflict_is_487_and_no_consent)
{
  Meeting m;

  meeting_open (&m);
  HubClient *client = meeting_add_silent (&m, SRTP_BACKEND_GNUTLS);
  hub_client_check (client, HUB_CHECK_NOMINATE | HUB_CHECK_CONTROLLED);
  fail_unless_equals_int (
      error_of (client, meeting_receive (&m, 0, HUB_CLIENT_STUN)), 487);
  meeting_settle (&m);
  fail_if (meeting_take_event (&m, HUB_MEDIA_EVENT_CONNECTED, NULL, NULL));
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_STUN_ROLE_CONFLICTS), 1);
  meeting_connect (&m, 0);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (an_unknown_required_attribute_is_420)
{
  Meeting m;

  meeting_open (&m);
  HubClient *client = meeting_add_silent (&m, SRTP_BACKEND_GNUTLS);
  hub_client_check (client, HUB_CHECK_NOMINATE | HUB_CHECK_UNKNOWN_REQUIRED);
  fail_unless_equals_int (
      error_of (client, meeting_receive (&m, 0, HUB_CLIENT_STUN)), 420);
  meeting_settle (&m);
  fail_if (meeting_take_event (&m, HUB_MEDIA_EVENT_CONNECTED, NULL, NULL));
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (responses_indications_and_noise_are_not_answered)
{
  Meeting m;
  guint8 bytes[64];

  meeting_open (&m);
  HubClient *client = meeting_add_silent (&m, SRTP_BACKEND_GNUTLS);
  hub_client_make_check (client, HUB_CHECK_NOMINATE);
  client->last_check[0] = 0x01; /* a success response */
  hub_client_send_raw (client, client->last_check, client->last_check_len);
  client->last_check[0] = 0x00;
  client->last_check[1] = 0x11; /* an indication */
  hub_client_send_raw (client, client->last_check, client->last_check_len);
  meeting_await (&m, HUB_DROPPED_STUN_OTHER, 2);
  for (guint first = 0; first < 256; first++) {
    memset (bytes, 0xa5, sizeof bytes);
    bytes[0] = (guint8) first;
    hub_client_send_raw (client, bytes, sizeof bytes);
    hub_client_send_raw (client, bytes, 1);
  }
  hub_client_send_raw (client, bytes, 0);
  meeting_await (&m, HUB_PACKETS_IN, 2 + 513);
  meeting_settle (&m);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_PACKETS_OUT), 0);
  fail_unless_equals_uint64 (
      meeting_counter (&m, HUB_DROPPED_STUN_MALFORMED), 8);
  fail_unless_equals_uint64 (
      meeting_counter (&m, HUB_DROPPED_UNKNOWN_SOURCE), 64);
  fail_unless_equals_uint64 (
      meeting_counter (&m, HUB_DROPPED_NOT_MEDIA), 513 - 72);
  meeting_close (&m);
}
GST_END_TEST;

/* Member 1 gets member 0's video. */
static guint32
open_pair (Meeting *m)
{
  HubTrackSsrcs ssrcs;

  meeting_open (m);
  meeting_join (m);
  meeting_join (m);
  HubTrack *track = meeting_publish (m, 0, HUB_VIDEO, &ssrcs);
  meeting_subscribe (m, 1, track);
  meeting_send (m, 0, ssrcs.ssrc, 1);
  meeting_expect_packet (m, 1, ssrcs.ssrc, 1);
  return ssrcs.ssrc;
}

static void
move_to_new_socket (HubClient *client)
{
  client->fd = hub_client_new_socket (&client->own, FALSE);
}

GST_START_TEST (media_follows_the_newest_nominating_check)
{
  Meeting m;
  guint32 ssrc = open_pair (&m);
  HubClient *receiver = &m.clients[1];
  int old = receiver->fd;

  /* From a new address, but without nomination: media stays. */
  move_to_new_socket (receiver);
  hub_client_check (receiver, 0);
  meeting_receive (&m, 1, HUB_CLIENT_STUN);
  meeting_send (&m, 0, ssrc, 2);
  int new = receiver->fd;
  receiver->fd = old;
  meeting_expect_packet (&m, 1, ssrc, 2);

  receiver->fd = new;
  hub_client_check (receiver, HUB_CHECK_NOMINATE);
  meeting_receive (&m, 1, HUB_CLIENT_STUN);
  meeting_send (&m, 0, ssrc, 3);
  meeting_expect_packet (&m, 1, ssrc, 3);
  close (old);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_publisher_is_heard_from_both_addresses_while_it_moves)
{
  Meeting m;
  guint32 ssrc = open_pair (&m);
  HubClient *publisher = &m.clients[0];
  int old = publisher->fd;

  move_to_new_socket (publisher);
  hub_client_check (publisher, HUB_CHECK_NOMINATE);
  meeting_receive (&m, 0, HUB_CLIENT_STUN);
  meeting_send (&m, 0, ssrc, 2);
  meeting_expect_packet (&m, 1, ssrc, 2);
  int new = publisher->fd;
  publisher->fd = old;
  meeting_send (&m, 0, ssrc, 3);
  meeting_expect_packet (&m, 1, ssrc, 3);
  publisher->fd = new;
  close (old);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_replayed_check_moves_nobody)
{
  Meeting m;
  guint32 ssrc = open_pair (&m);
  HubClient thief = m.clients[1];

  /* The receiver's own last check, sent again by somebody who saw it. */
  move_to_new_socket (&thief);
  hub_client_send_raw (&thief, thief.last_check, thief.last_check_len);
  meeting_await (&m, HUB_DROPPED_STUN_REPLAY, 1);
  meeting_send (&m, 0, ssrc, 2);
  meeting_expect_packet (&m, 1, ssrc, 2);
  close (thief.fd);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_retransmitted_check_is_answered_again)
{
  Meeting m;

  meeting_open (&m);
  meeting_join (&m);
  hub_client_send_raw (
      &m.clients[0], m.clients[0].last_check, m.clients[0].last_check_len);
  meeting_receive (&m, 0, HUB_CLIENT_STUN);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_STUN_ANSWERED), 2);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (a_participants_address_is_not_anothers_to_take)
{
  Meeting m;
  guint32 ssrc = open_pair (&m);
  int own = m.clients[0].fd;

  /* Member 0's credentials from member 1's address, as one who spoofs would. */
  m.clients[0].fd = m.clients[1].fd;
  hub_client_check (&m.clients[0], HUB_CHECK_NOMINATE);
  m.clients[0].fd = own;
  meeting_await (&m, HUB_DROPPED_STUN_REPLAY, 1);
  meeting_send (&m, 0, ssrc, 2);
  meeting_expect_packet (&m, 1, ssrc, 2);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (an_ice_restart_takes_new_credentials_and_keeps_media)
{
  Meeting m;
  guint32 ssrc = open_pair (&m);
  HubClient *receiver = &m.clients[1];
  HubCredentials credentials;

  g_assert_cmpint (hub_forwarder_restart_ice (
                       m.forwarder, m.transports[1], "anew", &credentials),
      ==, HUB_OK);
  fail_unless (!credentials.to_hub && !credentials.from_hub);
  meeting_settle (&m);
  meeting_send (&m, 0, ssrc, 2);
  meeting_expect_packet (&m, 1, ssrc, 2);
  REJECTED (&m, receiver, 0, HUB_DROPPED_STUN_UFRAG);

  int old = receiver->fd;
  receiver->ufrag = "anew";
  receiver->credentials = credentials;
  move_to_new_socket (receiver);
  hub_client_check (receiver, HUB_CHECK_NOMINATE);
  meeting_receive (&m, 1, HUB_CLIENT_STUN);
  meeting_send (&m, 0, ssrc, 3);
  meeting_expect_packet (&m, 1, ssrc, 3);
  close (old);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (consent_expires_after_30_s_and_comes_back_with_a_check)
{
  Meeting m;
  guint32 ssrc = open_pair (&m);

  meeting_advance (&m, 20 * S);
  hub_client_check (&m.clients[0], HUB_CHECK_NOMINATE);
  meeting_receive (&m, 0, HUB_CLIENT_STUN);
  meeting_send (&m, 0, ssrc, 2);
  meeting_expect_packet (&m, 1, ssrc, 2);
  /* The receiver vanishes: 30 s after its last check nothing is sent to it any more. */
  meeting_advance (&m, 9 * S);
  fail_if (meeting_take_event (&m, HUB_MEDIA_EVENT_CONSENT_LOST, NULL, NULL));
  meeting_advance (&m, 3 * S);
  meeting_expect (&m, HUB_MEDIA_EVENT_CONSENT_LOST, m.transports[1]);
  guint64 sent = meeting_counter (&m, HUB_PACKETS_OUT);
  meeting_send (&m, 0, ssrc, 3);
  meeting_await (&m, HUB_RTP_ACCEPTED, 3);
  meeting_settle (&m);
  fail_unless_equals_uint64 (meeting_counter (&m, HUB_PACKETS_OUT), sent);
  /* Nor is it heard. */
  meeting_send (&m, 1, 0x1234, 3);
  meeting_await (&m, HUB_DROPPED_UNKNOWN_SOURCE, 1);

  meeting_connect (&m, 1);
  meeting_send (&m, 0, ssrc, 4);
  meeting_expect_packet (&m, 1, ssrc, 4);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (who_never_connects_is_told_after_30_s)
{
  Meeting m;

  meeting_open (&m);
  meeting_add_silent (&m, SRTP_BACKEND_GNUTLS);
  meeting_settle (&m);
  meeting_advance (&m, 28 * S);
  fail_if (meeting_take_event (&m, HUB_MEDIA_EVENT_CONSENT_LOST, NULL, NULL));
  meeting_advance (&m, 4 * S);
  meeting_expect (&m, HUB_MEDIA_EVENT_CONSENT_LOST, m.transports[0]);
  meeting_close (&m);
}
GST_END_TEST;

/* Who knows a ufrag can make the hub compute MACs: not many, and never at the expense of those who are connected. */
GST_START_TEST (a_flood_of_checks_is_bounded_and_harms_nobody)
{
  Meeting m;
  guint32 ssrc = open_pair (&m);
  HubClient flooder = m.clients[1];

  move_to_new_socket (&flooder);
  for (guint i = 0; i < 2000; i++) {
    hub_client_make_check (
        &flooder, HUB_CHECK_NOMINATE | HUB_CHECK_BAD_PASSWORD);
    hub_client_send_raw (&flooder, flooder.last_check, flooder.last_check_len);
    if (i % 100 == 99)
      meeting_await (&m, HUB_PACKETS_IN, i + 1);
  }
  meeting_await (&m, HUB_DROPPED_STUN_FLOOD, 1900);
  fail_unless (meeting_counter (&m, HUB_DROPPED_STUN_INTEGRITY) <= 51);
  hub_client_check (&m.clients[1], HUB_CHECK_NOMINATE);
  meeting_receive (&m, 1, HUB_CLIENT_STUN);
  meeting_send (&m, 0, ssrc, 2);
  meeting_expect_packet (&m, 1, ssrc, 2);
  close (flooder.fd);
  meeting_close (&m);
}
GST_END_TEST;

/* 127.0.0.0/8 is all ours: two addresses of one host. The client takes datagrams only from the one that it asked. */
GST_START_TEST (a_wildcard_socket_answers_from_the_address_that_was_asked)
{
  Meeting m;
  HubForwarderConfig config;
  HubRoomConfig room = { 0 };
  HubCredentials credentials;
  HubTransport *transport;
  HubClient client;
  HubReceived received;

  hub_forwarder_config_init (&config);
  config.bind_address = "";
  meeting_open_with (&m, &config, &room);
  hub_forwarder_add_transport (
      m.forwarder, m.room, NULL, NULL, &transport, &credentials);
  hub_client_init (&client, "127.0.0.7", hub_forwarder_port (m.forwarder),
      &credentials, SRTP_BACKEND_GNUTLS, TRUE);
  hub_client_check (&client, HUB_CHECK_NOMINATE);
  fail_unless (
      hub_client_receive_kind (&client, HUB_CLIENT_STUN, &received, PATIENCE));
  meeting_expect (&m, HUB_MEDIA_EVENT_CONNECTED, transport);
  hub_client_clear (&client);
  meeting_close (&m);
}
GST_END_TEST;

/* Both families on one socket: the mapped form of IPv4 is nobody's business but ours. */
GST_START_TEST (ipv6_and_ipv4_meet_in_one_room)
{
  Meeting m;
  HubForwarderConfig config;
  HubRoomConfig room = { 0 };
  HubCredentials credentials;
  HubTrackSsrcs ssrcs;
  StunMessage message;
  struct sockaddr_storage mapped = { 0 };
  socklen_t len = sizeof mapped;

  hub_forwarder_config_init (&config);
  config.bind_address = "";
  meeting_open_with (&m, &config, &room);
  meeting_join (&m);
  int probe = socket (AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 loopback = { .sin6_family = AF_INET6,
    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
  if (probe < 0
      || bind (probe, (struct sockaddr *) &loopback, sizeof loopback) < 0) {
    g_printerr ("no IPv6 on this machine: half of this test was left out\n");
    meeting_close (&m);
    return;
  }
  close (probe);
  hub_forwarder_add_transport (
      m.forwarder, m.room, NULL, NULL, &m.transports[1], &credentials);
  hub_client_init (&m.clients[1], "::1", hub_forwarder_port (m.forwarder),
      &credentials, SRTP_BACKEND_GNUTLS, TRUE);
  m.n = 2;
  hub_client_check (&m.clients[1], HUB_CHECK_NOMINATE);
  HubReceived *reply = meeting_receive (&m, 1, HUB_CLIENT_STUN);
  fail_unless_equals_int (
      read_reply (&m.clients[1], reply, &message), STUN_VALIDATION_SUCCESS);
  fail_unless_equals_int (
      stun_message_find_xor_addr (
          &message, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped, &len),
      STUN_MESSAGE_RETURN_SUCCESS);
  fail_unless_equals_int (mapped.ss_family, AF_INET6);
  fail_unless (memcmp (&((struct sockaddr_in6 *) &mapped)->sin6_addr,
                   &in6addr_loopback, 16)
               == 0);
  HubTrack *track = meeting_publish (&m, 0, HUB_VIDEO, &ssrcs);
  meeting_subscribe (&m, 1, track);
  for (guint64 index = 1; index < 12; index++)
    meeting_send (&m, 0, ssrcs.ssrc, index);
  for (guint64 index = 1; index < 12; index++)
    meeting_expect_packet (&m, 1, ssrcs.ssrc, index);
  track = meeting_publish (&m, 1, HUB_AUDIO, &ssrcs);
  meeting_subscribe (&m, 0, track);
  meeting_send (&m, 1, ssrcs.ssrc, 1);
  meeting_expect_packet (&m, 0, ssrcs.ssrc, 1);
  meeting_close (&m);
}
GST_END_TEST;

/* Nor does it prove that anybody is there any more. */
GST_START_TEST (a_check_sent_again_does_not_renew_consent)
{
  Meeting m;

  open_pair (&m);
  for (guint i = 0; i < 7; i++) {
    meeting_advance (&m, 5 * S);
    hub_client_send_raw (
        &m.clients[1], m.clients[1].last_check, m.clients[1].last_check_len);
  }
  meeting_expect (&m, HUB_MEDIA_EVENT_CONSENT_LOST, m.transports[1]);
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (candidates_are_what_a_client_can_reach)
{
  Meeting m;
  HubForwarderConfig config;
  HubRoomConfig room = { 0 };
  HubCandidate c[16];

  meeting_open (&m); /* bound to 127.0.0.1 */
  fail_unless_equals_int (
      hub_forwarder_candidates (m.forwarder, "192.0.2.1", c, 16), 1);
  fail_unless_equals_string (c[0].address, "127.0.0.1");
  fail_unless_equals_int (c[0].port, hub_forwarder_port (m.forwarder));
  fail_unless_equals_uint64 (c[0].priority, 2130706431);
  meeting_close (&m);

  hub_forwarder_config_init (&config);
  config.bind_address = "";
  config.public_address = "2001:db8::5";
  meeting_open_with (&m, &config, &room);
  gsize n = hub_forwarder_candidates (m.forwarder, "127.0.0.1", c, 16);
  if (n == 1)
    fail_unless_equals_string (c[0].address, "2001:db8::5");
  meeting_close (&m);

  config.public_address = NULL;
  meeting_open_with (&m, &config, &room);
  n = hub_forwarder_candidates (m.forwarder, "127.0.0.1", c, 16);
  fail_unless (n >= 1);
  fail_unless_equals_string (c[0].address, "127.0.0.1");
  for (gsize i = 1; i < n; i++) {
    fail_if (g_str_has_prefix (c[i].address, "127."));
    fail_unless (c[i].priority < c[i - 1].priority);
  }
  meeting_close (&m);
}
GST_END_TEST;

GST_START_TEST (what_cannot_be_bound_is_said_in_a_sentence)
{
  HubForwarderConfig config;
  char problem[HUB_MAX_PROBLEM];
  struct sockaddr_storage own;
  int fd = hub_client_new_socket (&own, FALSE);

  hub_forwarder_config_init (&config);
  config.bind_address = "127.0.0.1";
  config.media_port = ntohs (((struct sockaddr_in *) &own)->sin_port);
  fail_unless (hub_forwarder_new (&config, NULL, NULL, problem) == NULL);
  fail_unless (strstr (problem, "media-port") != NULL, "%s", problem);
  config.bind_address = "localhost";
  fail_unless (hub_forwarder_new (&config, NULL, NULL, problem) == NULL);
  fail_unless (strstr (problem, "\"localhost\"") != NULL, "%s", problem);
  config.bind_address = "127.0.0.1";
  config.media_port = 0;
  config.public_address = "example.org";
  fail_unless (hub_forwarder_new (&config, NULL, NULL, problem) == NULL);
  fail_unless (strstr (problem, "\"example.org\"") != NULL, "%s", problem);
  close (fd);
}
GST_END_TEST;

static Suite *
hub_ice_suite (void)
{
  Suite *suite = suite_create ("hub-ice");
  TCase *tc = tcase_create ("ice");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, a_valid_check_is_answered_with_the_senders_address);
  tcase_add_loop_test (tc, what_is_not_authentic_is_not_answered, 0,
      (int) G_N_ELEMENTS (silent));
  tcase_add_test (tc, a_check_of_another_remote_ufrag_is_not_answered);
  tcase_add_test (tc, a_role_conflict_is_487_and_no_consent);
  tcase_add_test (tc, an_unknown_required_attribute_is_420);
  tcase_add_test (tc, responses_indications_and_noise_are_not_answered);
  tcase_add_test (tc, media_follows_the_newest_nominating_check);
  tcase_add_test (tc, a_publisher_is_heard_from_both_addresses_while_it_moves);
  tcase_add_test (tc, a_replayed_check_moves_nobody);
  tcase_add_test (tc, a_retransmitted_check_is_answered_again);
  tcase_add_test (tc, a_participants_address_is_not_anothers_to_take);
  tcase_add_test (tc, an_ice_restart_takes_new_credentials_and_keeps_media);
  tcase_add_test (tc, consent_expires_after_30_s_and_comes_back_with_a_check);
  tcase_add_test (tc, who_never_connects_is_told_after_30_s);
  tcase_add_test (tc, a_flood_of_checks_is_bounded_and_harms_nobody);
  tcase_add_test (
      tc, a_wildcard_socket_answers_from_the_address_that_was_asked);
  tcase_add_test (tc, ipv6_and_ipv4_meet_in_one_room);
  tcase_add_test (tc, a_check_sent_again_does_not_renew_consent);
  tcase_add_test (tc, candidates_are_what_a_client_can_reach);
  tcase_add_test (tc, what_cannot_be_bound_is_said_in_a_sentence);
  return suite;
}

PURE_CHECK_MAIN (hub_ice)

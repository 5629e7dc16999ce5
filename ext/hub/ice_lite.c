/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ice_lite.h"

#include "../sodium/reader.h"

#include <sodium.h>
#include <string.h>

#define BINDING_REQUEST 0x0001
#define MAGIC_COOKIE 0x2112a442u
#define INTEGRITY_LEN 20
#define FINGERPRINT_LEN 4
#define TRANSACTION_LEN 12

/* It must outlive the agent. */
static const uint16_t known_attributes[] = { STUN_ATTRIBUTE_USERNAME,
  STUN_ATTRIBUTE_MESSAGE_INTEGRITY, STUN_ATTRIBUTE_PRIORITY,
  STUN_ATTRIBUTE_USE_CANDIDATE, STUN_ATTRIBUTE_ICE_CONTROLLING,
  STUN_ATTRIBUTE_ICE_CONTROLLED, 0 };

/* libnice compares 20 bytes of MESSAGE-INTEGRITY whatever its length says, and so could read past the packet: lengths are
 * checked here. */
static bool
read_attributes (Reader *r, const uint8_t **username, size_t *username_len)
{
  bool integrity = false, fingerprint = false, ok = true;

  while (reader_left (r) > 0) {
    uint64_t type = reader_uint (r, 2);
    size_t len = (size_t) reader_uint (r, 2);
    const uint8_t *value = reader_take (r, len);
    reader_take (r, (4 - len % 4) % 4);
    if (type == STUN_ATTRIBUTE_USERNAME && !*username) {
      *username = value;
      *username_len = len;
    } else if (type == STUN_ATTRIBUTE_MESSAGE_INTEGRITY) {
      ok &= len == INTEGRITY_LEN;
      integrity = true;
    } else if (type == STUN_ATTRIBUTE_FINGERPRINT) {
      ok &= len == FINGERPRINT_LEN;
      fingerprint = true;
    }
  }
  return !r->failed && ok && integrity && fingerprint && *username;
}

HubCheckResult
hub_check_parse (const uint8_t *bytes, size_t len, HubCheck *check)
{
  Reader r = reader_init (bytes, len);
  const uint8_t *username = NULL;
  size_t username_len = 0;

  uint64_t type = reader_uint (&r, 2);
  uint64_t body = reader_uint (&r, 2);
  uint64_t cookie = reader_uint (&r, 4);
  check->transaction = reader_take (&r, TRANSACTION_LEN);
  if (r.failed || cookie != MAGIC_COOKIE || body != reader_left (&r)
      || body % 4 != 0)
    return HUB_CHECK_MALFORMED;
  if (type != BINDING_REQUEST)
    return HUB_CHECK_OTHER;
  if (!read_attributes (&r, &username, &username_len))
    return HUB_CHECK_MALFORMED;
  /* RFC 8445, 7.2.2: "the username fragment of the peer, a colon, and its own". */
  if (username_len <= HUB_UFRAG_LEN || username[HUB_UFRAG_LEN] != ':')
    return HUB_CHECK_STRANGER;
  check->ufrag = username;
  check->remote = username + HUB_UFRAG_LEN + 1;
  check->remote_len = username_len - HUB_UFRAG_LEN - 1;
  return HUB_CHECK_OK;
}

void
hub_ice_init (HubIce *ice)
{
  stun_agent_init (&ice->agent, known_attributes, STUN_COMPATIBILITY_RFC5389,
      STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS
          | STUN_AGENT_USAGE_USE_FINGERPRINT);
}

static bool
give_password (StunAgent *agent, StunMessage *message, uint8_t *username,
    uint16_t username_len, uint8_t **password, size_t *password_len,
    void *user_data)
{
  *password = user_data;
  *password_len = HUB_PWD_LEN;
  return true;
}

static size_t
make_reply (HubIce *ice, const StunMessage *request, const HubAddress *from,
    HubVerdict *verdict)
{
  struct sockaddr_storage plain;
  StunMessage reply;

  if (verdict->conflict) {
    /* RFC 8445, 7.3.1.1. A lite agent never changes its role. */
    if (!stun_agent_init_error (&ice->agent, &reply, verdict->reply,
            sizeof verdict->reply, request, STUN_ERROR_ROLE_CONFLICT))
      return 0;
  } else {
    socklen_t plain_len = hub_address_to_plain (from, &plain);
    if (!stun_agent_init_response (&ice->agent, &reply, verdict->reply,
            sizeof verdict->reply, request)
        || stun_message_append_xor_addr (
               &reply, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &plain, plain_len)
               != STUN_MESSAGE_RETURN_SUCCESS)
      return 0;
  }
  return stun_agent_finish_message (&ice->agent, &reply, NULL, 0);
}

bool
hub_ice_verify (HubIce *ice, const uint8_t *bytes, size_t len, const char *pwd,
    const HubAddress *from, HubVerdict *verdict)
{
  char password[HUB_PWD_LEN];
  StunMessage request;

  memcpy (password, pwd, sizeof password);
  StunValidationStatus status = stun_agent_validate (
      &ice->agent, &request, bytes, len, give_password, password);
  verdict->valid = verdict->nominates = verdict->conflict = false;
  verdict->reply_len = 0;
  if (status == STUN_VALIDATION_UNKNOWN_REQUEST_ATTRIBUTE) {
    StunMessage error;
    verdict->reply_len = stun_agent_build_unknown_attributes_error (
        &ice->agent, &error, verdict->reply, sizeof verdict->reply, &request);
  } else if (status == STUN_VALIDATION_SUCCESS) {
    verdict->conflict =
        stun_message_has_attribute (&request, STUN_ATTRIBUTE_ICE_CONTROLLED);
    verdict->valid = !verdict->conflict;
    verdict->nominates =
        verdict->valid
        && stun_message_has_attribute (&request, STUN_ATTRIBUTE_USE_CANDIDATE);
    verdict->reply_len = make_reply (ice, &request, from, verdict);
  } else {
    sodium_memzero (password, sizeof password);
    return false;
  }
  sodium_memzero (password, sizeof password);
  if (verdict->reply_len > len)
    verdict->reply_len = 0;
  return true;
}

/* The lite side of ICE (RFC 8445, 2.5): what a connectivity check says, and the answer to it. STUN is libnice's (RFC 5389).
 *
 * Nothing is answered that does not carry a MESSAGE-INTEGRITY made with a password of ours, and no answer is longer than its
 * request: who spoofs a source address gains nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "address.h"
#include "forwarder.h"

#include <stun/stunagent.h>

#define HUB_STUN_MAX_REPLY 512

/* What is read before any key is known. */
typedef struct
{
  const uint8_t *ufrag;  /* HUB_UFRAG_LEN bytes: ours */
  const uint8_t *remote; /* the sender's, behind the colon */
  size_t remote_len;
  const uint8_t *transaction; /* 12 bytes */
} HubCheck;

typedef enum
{
  HUB_CHECK_OK,
  HUB_CHECK_MALFORMED,
  HUB_CHECK_OTHER,   /* a response, an indication, another method */
  HUB_CHECK_STRANGER /* the ufrag can't be one of ours */
} HubCheckResult;

/* Reads a Binding request. Whatever it says is unproven. `check` points into `bytes`. */
HubCheckResult hub_check_parse (
    const uint8_t *bytes, size_t len, HubCheck *check);

typedef struct
{
  StunAgent agent; /* 12 KiB: one for a thread, not for a peer */
} HubIce;

void hub_ice_init (HubIce *ice);

typedef struct
{
  bool valid;     /* understood, and the roles agree */
  bool nominates; /* valid, with USE-CANDIDATE */
  bool
      conflict; /* the peer believes it is the controlled one: the reply is 487 */
  uint8_t reply[HUB_STUN_MAX_REPLY];
  size_t reply_len; /* 0: no reply */
} HubVerdict;

/* Verifies a request that hub_check_parse() found well-formed, with `pwd` (HUB_PWD_LEN characters), and makes the reply to `from`. False when
 * the integrity or the fingerprint is wrong: then nothing is to be answered. */
bool hub_ice_verify (HubIce *ice, const uint8_t *bytes, size_t len,
    const char *pwd, const HubAddress *from, HubVerdict *verdict);

/* CPace (draft-irtf-cfrg-cpace-21): two parties who know the same password agree on a key, and learn nothing about the
 * other's password when it differs. Cipher suite CPACE-RISTR255-SHA512, roles initiator and responder, with explicit
 * key confirmation (draft, "Key Confirmation").
 *
 *   initiator                                   responder
 *   a = cpace_new (CPACE_INITIATOR, ...)
 *                      -- Ya = share, ADa -->   b = cpace_new (CPACE_RESPONDER, ...)
 *                                               cpace_derive (b, ...)
 *   cpace_derive (a, ...)  <-- Yb, ADb --
 *                      -- Ta = cpace_tag -->    cpace_confirm (b, Ta)
 *   cpace_confirm (a, Tb)  <-- Tb = cpace_tag --
 *
 * A run serves one guess: after a wrong tag, or a share that is not a group element or is the identity, it is over for
 * good. The key is good for anything that matters only once the other side has confirmed.
 *
 * A Cpace is used by one thread at a time and lives in guarded memory. core_init() first.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPACE_SHARE_LEN 32 /* an encoded element (RFC 9496, 4.3.2) */
#define CPACE_SCALAR_LEN 32
#define CPACE_ISK_LEN 64     /* SHA-512 */
#define CPACE_TAG_LEN 64     /* HMAC-SHA-512 */
#define CPACE_MAX_SID 64     /* ours */
#define CPACE_MAX_INPUT 4096 /* ours: CI, ADa and ADb */

typedef enum
{
  CPACE_INITIATOR, /* A of the draft: sends first */
  CPACE_RESPONDER  /* B */
} CpaceRole;

typedef struct Cpace Cpace;

/* Begins a run.
 *
 * `password` is PRS, NULL for an empty one; prepare it (precis.h), so that the same password typed on two machines is
 * the same bytes. `ci` names what the run is for and who takes part; `sid` is the session's identifier, never used
 * before. Both sides must pass the same.
 * `scalar` is the secret scalar of a test vector, CPACE_SCALAR_LEN bytes below the group's order, or NULL to draw one.
 *
 * NULL when a length is beyond its limit, the scalar is zero or memory is short. */
Cpace *cpace_new (CpaceRole role, Secret *password, const void *ci,
    size_t ci_len, const void *sid, size_t sid_len, const uint8_t *scalar);

/* Wipes. Takes NULL. */
void cpace_free (Cpace *cpace);

/* Ya or Yb, CPACE_SHARE_LEN bytes to send. */
const uint8_t *cpace_share (const Cpace *cpace);

/* Takes the other side's share, CPACE_SHARE_LEN bytes, and both sides' associated data as they were sent. Once a run.
 *
 * False, and the run is over, when the share does not decode or is the identity ("B MUST abort if K=G.I"), or is our
 * own come back: both tags would be equal, and an echo would pass for somebody who knows the password. */
bool cpace_derive (Cpace *cpace, const uint8_t *share, const void *own_ad,
    size_t own_ad_len, const void *peer_ad, size_t peer_ad_len);

/* Our tag, CPACE_TAG_LEN bytes to send: the initiator's once it has derived, the responder's once the initiator has
 * confirmed; otherwise NULL. */
const uint8_t *cpace_tag (const Cpace *cpace);

/* True when `tag`, CPACE_TAG_LEN bytes, shows that the other side has the same password and saw the same messages.
 * Constant time. Once a run: a wrong tag, or a second one, ends it. */
bool cpace_confirm (Cpace *cpace, const uint8_t *tag);

/* ISK, CPACE_ISK_LEN bytes for a key derivation function, valid while the run lives; NULL before cpace_derive() and
 * after the run is over. Until cpace_confirm() it is the other side's only if that side has the password. */
const uint8_t *cpace_isk (const Cpace *cpace);

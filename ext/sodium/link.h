/* Links to meetings:
 *
 *     meet://HOST[:PORT]/MEETING[?pin=b64(SHA-256 (hub's SPKI))][#host=b64(SHA-256 (host's identity key))]
 *
 * A link says where the hub is and, with its two fingerprints, whom to believe there: the hub before anything is said to
 * it, the host before anything is told to it. Neither is a secret, and a password is never part of a link. What is after
 * '#' is not sent to anybody by programs that open links.
 *
 * A link is refused whole rather than understood in part: a fingerprint that is mistyped or misnamed must not become a
 * link without one. Pure functions; any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "door.h"
#include "identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_MAX_HOST 253 /* RFC 1035, 2.3.4, in text */
#define LINK_DEFAULT_PORT 8443
#define LINK_MAX_LEN 512 /* the longest that can be written has 430 */
#define LINK_SIZE (LINK_MAX_LEN + 1)

typedef enum
{
  LINK_OK,
  LINK_TOO_LONG,
  LINK_OTHER_SCHEME, /* does not begin with meet:// */
  LINK_HAS_USER,     /* a user or password before an '@' */
  LINK_BAD_HOST,
  LINK_BAD_PORT,
  LINK_BAD_MEETING,
  LINK_BAD_PIN,     /* not exactly ?pin= and 43 characters of base64url */
  LINK_BAD_HOST_KEY /* not exactly #host= and the same */
} LinkResult;

/* What is wrong, as half a sentence that goes behind "the link ". */
const char *link_result_text (LinkResult result);

typedef struct
{
  char host
      [LINK_MAX_HOST
          + 1]; /* a name or an address, in lower case; an IPv6 address without brackets */
  bool ipv6;
  uint16_t port; /* 1 to 65535 */
  char meeting[DOOR_MAX_MEETING + 1];
  bool has_pin, has_host_key;
  uint8_t
      pin[IDENTITY_FINGERPRINT_LEN]; /* of the hub's SubjectPublicKeyInfo */
  uint8_t host_key[IDENTITY_FINGERPRINT_LEN]; /* of the host's identity key */
} Link;

/* Reads a link; `out` is written only with LINK_OK. */
LinkResult link_parse (const char *text, size_t len, Link *out);

/* Writes a link that was parsed, or filled with what one may hold, to `text`, LINK_SIZE bytes. One link has one text:
 * lower case, addresses in their short form, the default port left out. False when `link` holds something else. */
bool link_format (const Link *link, char *text);

/* What known identities (known.h) are kept under, "HOST:PORT/MEETING"; LINK_SIZE bytes. */
bool link_known_name (const Link *link, char *text);

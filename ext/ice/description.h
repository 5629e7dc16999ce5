/* ICE descriptions: the media type application/trickle-ice-sdpfrag (RFC 8840, 9) and the `candidate` attribute
 * (RFC 8839, 5.1) as text.
 *
 * One stream, one component. What is read comes from the far end and from the way it took: every length has a
 * named limit, a description is parsed whole before anybody acts on it, and a line that means nothing to us is
 * skipped and counted, as RFC 8839 wants ("MUST ignore").
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ext/sodium/reader.h"
#include "ext/sodium/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICE_MAX_DESCRIPTION (1024 * 1024) /* ours: bytes of one description */
#define ICE_MAX_LINE 1024 /* ours: bytes of a line that is looked at */
#define ICE_MAX_CANDIDATES                                                    \
  100 /* RFC 8445, 6.1.2.5: "default of 100" pairs; more is a flood */
#define ICE_MIN_UFRAG 4 /* RFC 8839, 5.4 */
#define ICE_MAX_UFRAG 256
#define ICE_MIN_PWD 22
#define ICE_MAX_PWD 256
#define ICE_MAX_FOUNDATION 32 /* RFC 8839, 5.1 */
#define ICE_COMPONENT 1       /* RTP and RTCP share it (RFC 5761) */

/* Bytes that ice_description_write() needs for any description without candidates, and for one candidate line. */
#define ICE_DESCRIPTION_ROOM 1024
#define ICE_CANDIDATE_ROOM 512

typedef enum
{
  ICE_HOST,
  ICE_SRFLX,
  ICE_PRFLX,
  ICE_RELAY
} IceCandidateType;

/* RFC 6544, 4.5: TCP candidates say who connects. */
typedef enum
{
  ICE_UDP,
  ICE_TCP_ACTIVE,
  ICE_TCP_PASSIVE,
  ICE_TCP_SO
} IceTransport;

typedef struct
{
  uint8_t ip[16]; /* network order; the first 4 bytes when family is 4 */
  uint8_t family; /* 4, 6, or 0 for none */
  uint16_t port;
} IceAddress;

typedef struct
{
  char foundation[ICE_MAX_FOUNDATION + 1];
  uint16_t component;
  IceTransport transport;
  uint32_t priority;
  IceAddress address;
  IceCandidateType type;
  IceAddress
      related; /* family 0 when there is none, or one that says nothing */
  char ufrag
      [ICE_MAX_UFRAG
          + 1]; /* the `ufrag` extension: which credentials it belongs to; may be empty */
} IceCandidate;

typedef enum
{
  ICE_PARSE_OK,
  ICE_PARSE_TOO_LONG, /* more than ICE_MAX_DESCRIPTION */
  ICE_PARSE_NO_CREDENTIALS, /* ice-ufrag or ice-pwd is missing: nothing can be checked without */
  ICE_PARSE_BAD_CREDENTIALS, /* of a length or with characters that RFC 8839, 5.4 rules out */
  ICE_PARSE_BAD_CANDIDATE /* ice_candidate_parse(): not a candidate line, or one that nobody can reach */
} IceParseResult;

typedef struct
{
  char ufrag[ICE_MAX_UFRAG + 1];
  char pwd[ICE_MAX_PWD + 1];
  bool lite;              /* RFC 8839, 5.3: the far end only answers checks */
  bool trickle;           /* RFC 8838: more may come */
  bool end_of_candidates; /* RFC 8840: nothing more comes */
  size_t n_candidates;
  size_t
      skipped; /* candidate lines that were malformed, for another component or generation, or beyond the limit */
  IceCandidate candidates[ICE_MAX_CANDIDATES];
} IceDescription;

/* What is wrong, as half a sentence for people. */
const char *ice_parse_result_text (IceParseResult result);

/* Reads a description of `len` bytes; `out` is left empty with anything but ICE_PARSE_OK. Only the first m-section counts:
 * candidates of others are skipped. Lines may end in CRLF or LF; a whole SDP is understood too. */
IceParseResult ice_description_parse (
    const char *text, size_t len, IceDescription *out);

/* Reads one candidate, with or without "a=" and "candidate:" in front. Refused besides bad syntax: another
 * component, a name instead of an address (mDNS), an unspecified, multicast or broadcast address, port 0. */
IceParseResult ice_candidate_parse (
    const char *text, size_t len, IceCandidate *out);

/* Writes the whole description, CRLF line ends, no NUL. Check `out->failed`. */
void ice_description_write (Writer *out, const IceDescription *description);

/* Writes "candidate:…" without "a=" and line end. */
void ice_candidate_write (Writer *out, const IceCandidate *candidate);

bool ice_address_equal (const IceAddress *a, const IceAddress *b);

/* Same transport address and transport: for checks the same target. */
bool ice_candidate_same_target (const IceCandidate *a, const IceCandidate *b);

bool ice_address_is_loopback (const IceAddress *address);

/* "192.0.2.1:5000" or "[2001:db8::1]:5000", NUL included; `text` has room for ICE_ADDRESS_TEXT bytes. */
#define ICE_ADDRESS_TEXT 64
void ice_address_text (const IceAddress *address, char *text);

/* "host", "srflx", "prflx", "relay"; "udp", "tcp". */
const char *ice_candidate_type_name (IceCandidateType type);
const char *ice_transport_name (IceTransport transport);

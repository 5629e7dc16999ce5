/* The door: how somebody who wants to join a meeting proves the password to the client of an admin who attends, through
 * a hub that learns nothing and cannot take either side's place. docs/protocol/door.md draws it; in short
 *
 *   J -> H  knock  sid, Ya, ADa                  ADa: the suites and key packages J offers
 *   H -> J  reply  Yb, ADb, chain, sigH          ADb: who H is, for which group
 *   J -> H  proof  Ta, boxJ { KeyPackage, sigJ }
 *   H -> J  admit  Tb, boxH { SHA-256(Welcome), tracks } or { refused }
 *
 * Ya, Yb, Ta, Tb and ISK are CPace's (cpace.h); this file has the associated data, the signatures, the boxes, and the
 * chain by which a host who is not the one in the link shows that it was named. Pure functions on the caller's memory:
 * nothing here allocates. lv() is lv.h's; integers are big-endian.
 *
 * A parser takes a Reader over the whole field; it gives false, with `out` as it was, for anything but exactly what its
 * writer writes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cpace.h"
#include "identity.h"
#include "reader.h"
#include "writer.h"

#define DOOR_MAX_MEETING 64 /* of A-Z a-z 0-9 _ - */
#define DOOR_SID_LEN 16
#define DOOR_NONCE_LEN 32
#define DOOR_REF_LEN 32 /* KeyPackageRef (RFC 9420, 5.2) */
#define DOOR_GROUP_ID_LEN 32
#define DOOR_HASH_LEN 32 /* SHA-256 of the Welcome */
#define DOOR_MAX_OFFERS 8
#define DOOR_MAX_LINKS 4
#define DOOR_MAX_KEY_PACKAGE 4096
#define DOOR_MAX_TRACKS (1u << 19)

/* What these make of the formats below, in bytes */
#define DOOR_OFFER_LEN (2 + DOOR_REF_LEN)
#define DOOR_MAX_CI 80
#define DOOR_MAX_ADA (2 + DOOR_MAX_OFFERS * DOOR_OFFER_LEN + 33)
#define DOOR_ADB_LEN (33 + 3 + 33 + 9 + 33)
#define DOOR_MAX_CHAIN (33 + DOOR_MAX_LINKS * (33 + 2 + 65))
#define DOOR_BOX_OVERHEAD (24 + 16) /* XChaCha20-Poly1305: nonce and tag */
#define DOOR_MAX_PROOF (2 + DOOR_MAX_KEY_PACKAGE + 65)
#define DOOR_MAX_ADMIT (2 + 33 + 3 + DOOR_MAX_TRACKS)

/* True for 1 to DOOR_MAX_MEETING characters of A-Z a-z 0-9 _ -. */
bool door_meeting_is_valid (const char *meeting, size_t len);

/* --- What the two sides say in the clear --------------------------------------------------------------------- */

typedef struct
{
  uint16_t suite; /* an MLS cipher suite */
  uint8_t key_package_ref[DOOR_REF_LEN];
} DoorOffer;

/* ADa = lv(suite u16 | KeyPackageRef 32, for each suite offered, best first) | lv(nonce 32). Each suite once. */
typedef struct
{
  size_t count; /* 1 to DOOR_MAX_OFFERS */
  DoorOffer offers[DOOR_MAX_OFFERS];
  uint8_t nonce[DOOR_NONCE_LEN];
} DoorKnock;

void door_write_knock (Writer *w, const DoorKnock *knock);
bool door_parse_knock (Reader in, DoorKnock *out);

/* The offer of `suite`, or NULL. */
const DoorOffer *door_find_offer (const DoorKnock *knock, uint16_t suite);

/* ADb = lv(H's identity key 32) | lv(suite u16) | lv(group_id 32) | lv(t u64) | lv(nonce 32) */
typedef struct
{
  uint8_t host_key[IDENTITY_KEY_LEN];
  uint16_t suite;
  uint8_t group_id[DOOR_GROUP_ID_LEN];
  uint64_t t; /* H's monotonic clock in ms, where its heartbeats begin */
  uint8_t nonce[DOOR_NONCE_LEN];
} DoorReply;

void door_write_reply (Writer *w, const DoorReply *reply);
bool door_parse_reply (Reader in, DoorReply *out);

/* What both sides have said, as bytes. All signatures, tags and boxes stand on it. */
typedef struct
{
  char meeting[DOOR_MAX_MEETING + 1];
  uint8_t sid[DOOR_SID_LEN];
  uint8_t ya[CPACE_SHARE_LEN];
  size_t ada_len;
  uint8_t ada[DOOR_MAX_ADA];
  uint8_t yb[CPACE_SHARE_LEN];
  uint8_t adb[DOOR_ADB_LEN];
} DoorTranscript;

/* CI = lv("conclave/1") | lv(MEETING), up to DOOR_MAX_CI bytes; its length. 0 for a meeting that is not valid. */
size_t door_ci (const char *meeting, uint8_t *ci);

/* T1 = lv(sid) | lv(Ya) | lv(ADa) | lv(Yb) | lv(ADb) */
void door_write_t1 (Writer *w, const DoorTranscript *transcript);

/* --- Signatures ------------------------------------------------------------------------------------------------ */

/* sigH, by H's identity key over lv("conclave/1 reply") | lv(CI) | T1. */
bool door_sign_reply (
    const Identity *host, const DoorTranscript *transcript, uint8_t *sig);
bool door_verify_reply (const uint8_t *host_key,
    const DoorTranscript *transcript, const uint8_t *sig);

/* sigJ, by the key of J's key package over lv("conclave/1 proof") | lv(CI) | T1 | lv(sigH): whoever holds the key was
 * here, in this run, in front of this host. */
bool door_sign_proof (const Identity *joiner, const DoorTranscript *transcript,
    const uint8_t *reply_sig, uint8_t *sig);
bool door_verify_proof (const uint8_t *joiner_key,
    const DoorTranscript *transcript, const uint8_t *reply_sig,
    const uint8_t *sig);

/* sigK, of a member who comes back to a pinned host, over lv("conclave/1 knock") | lv(CI) | lv(sid) | lv(Ya) |
 * lv(ADa). Of the transcript, Yb and ADb are not looked at. */
bool door_sign_knock (
    const Identity *joiner, const DoorTranscript *transcript, uint8_t *sig);
bool door_verify_knock (const uint8_t *joiner_key,
    const DoorTranscript *transcript, const uint8_t *sig);

/* --- The chain from the host in the link to the host at the door ---------------------------------------------- */

/* One step: whoever signed names `key` an admin, or, with `owner`, the owner of the meeting. */
typedef struct
{
  uint8_t key[IDENTITY_KEY_LEN];
  bool owner;
  uint8_t sig[IDENTITY_SIG_LEN];
} DoorLink;

/* Nothing at all when the host is the one in the link; otherwise lv(root 32), the key whose fingerprint the link has,
 * and 1 to DOOR_MAX_LINKS times lv(key 32) | lv(owner u8) | lv(signature 64). */
typedef struct
{
  size_t count;
  uint8_t root[IDENTITY_KEY_LEN]; /* when count > 0 */
  DoorLink links[DOOR_MAX_LINKS];
} DoorChain;

void door_write_chain (Writer *w, const DoorChain *chain);
bool door_parse_chain (Reader in, DoorChain *out);

/* A link, signed by an owner over lv("conclave/1 door") | lv(MEETING) | lv(group_id) | lv(key) | lv(owner u8). */
bool door_sign_link (const Identity *signer, const char *meeting,
    const uint8_t *group_id, const uint8_t *key, bool owner, DoorLink *out);

/* True when `chain` leads from the key with `fingerprint` to `host_key`: each link signed by the key before it, the
 * first by the root; all but the last name an owner; the last names `host_key`. An empty chain: `host_key` itself has
 * the fingerprint. */
bool door_chain_leads_to (const DoorChain *chain, const uint8_t *fingerprint,
    const char *meeting, const uint8_t *group_id, const uint8_t *host_key);

/* --- What J checks before it sends Ta --------------------------------------------------------------------------- */

typedef enum
{
  DOOR_OK,
  DOOR_MALFORMED, /* ADa, ADb or chain */
  DOOR_SUITE_NOT_OFFERED,
  DOOR_OWN_KEY,       /* the host has J's key: somebody sends J's words back */
  DOOR_BAD_SIGNATURE, /* sigH */
  DOOR_OTHER_HOST     /* no way from the pinned fingerprint to this host */
} DoorVerdict;

/* `transcript` as J has it, with its own sid, Ya and ADa; `chain` as received. `fingerprint` is the link's #host, or the
 * known host's; NULL without one, then the chain is not looked at: the password alone vouches for the host. `reply`, if
 * not NULL, gets ADb parsed with DOOR_OK. */
DoorVerdict door_check_reply (const DoorTranscript *transcript,
    const uint8_t *joiner_key, const uint8_t *reply_sig, Reader chain,
    const uint8_t *fingerprint, DoorReply *reply);

/* --- Boxes ------------------------------------------------------------------------------------------------------ */

/* box = nonce | XChaCha20-Poly1305 (K, nonce, AAD, content): content's length and DOOR_BOX_OVERHEAD.
 *
 *   K_J = HKDF-SHA512 (salt "", ISK, "conclave/1 joiner box"), AAD = SHA-512 (T1 | lv(sigH))
 *   K_H = HKDF-SHA512 (salt "", ISK, "conclave/1 host box"),   AAD = SHA-512 (T1 | lv(sigH) | lv(Ta) | lv(boxJ))
 *
 * Each key serves one box of one run. `isk` is cpace_isk()'s. `nonce` is a test vector's, 24 bytes, or NULL to draw one.
 * Opening is constant time; false when the box is not authentic, then `content` holds nothing that anyone may use. */

/* boxJ of `content`, `len` bytes, at most DOOR_MAX_PROOF, to `box`. */
bool door_seal_proof (const DoorTranscript *transcript, const uint8_t *isk,
    const uint8_t *reply_sig, const uint8_t *nonce, const uint8_t *content,
    size_t len, uint8_t *box);
bool door_open_proof (const DoorTranscript *transcript, const uint8_t *isk,
    const uint8_t *reply_sig, const uint8_t *box, size_t box_len,
    uint8_t *content);

/* boxH, which answers the proof `tag` (Ta), `proof_box` (boxJ). At most DOOR_MAX_ADMIT bytes of content. */
bool door_seal_admit (const DoorTranscript *transcript, const uint8_t *isk,
    const uint8_t *reply_sig, const uint8_t *tag, const uint8_t *proof_box,
    size_t proof_box_len, const uint8_t *nonce, const uint8_t *content,
    size_t len, uint8_t *box);
bool door_open_admit (const DoorTranscript *transcript, const uint8_t *isk,
    const uint8_t *reply_sig, const uint8_t *tag, const uint8_t *proof_box,
    size_t proof_box_len, const uint8_t *box, size_t box_len,
    uint8_t *content);

/* In boxJ: lv(KeyPackage) | lv(sigJ 64). Parsed in place. */
typedef struct
{
  const uint8_t *key_package;
  size_t key_package_len; /* 1 to DOOR_MAX_KEY_PACKAGE */
  const uint8_t *sig;
} DoorProof;

void door_write_proof (Writer *w, const DoorProof *proof);
bool door_parse_proof (Reader in, DoorProof *out);

/* Why somebody is not let in. "wrong-password" never stands in a box, for there is no common key then. */
typedef enum
{
  DOOR_WRONG_PASSWORD = 1,
  DOOR_DENIED,
  DOOR_LOCKED,
  DOOR_FULL,
  DOOR_REMOVED,
  DOOR_RECORDING_FORBIDDEN,
  DOOR_CLOCK,
  DOOR_VERSION
} DoorRefusal;

#define DOOR_LAST_REFUSAL DOOR_VERSION

/* The code as `error` and `refused` spell it, "recording-forbidden"; NULL for no refusal. And back; false for none. */
const char *door_refusal_name (DoorRefusal refusal);
bool door_refusal_from_name (const char *name, DoorRefusal *out);

/* In boxH: lv(0x01) | lv(SHA-256 of the Welcome 32) | lv(tracks), or lv(0x00) | lv(refusal u8) | lv(skew i64). */
typedef struct
{
  bool admitted;
  uint8_t welcome_hash[DOOR_HASH_LEN]; /* when admitted */
  const uint8_t *
      tracks; /* when admitted; in place: what the members have announced, as the session writes it */
  size_t tracks_len;   /* 0 to DOOR_MAX_TRACKS */
  DoorRefusal refusal; /* when not */
  int64_t
      skew; /* with DOOR_CLOCK: ms that the joiner's clock is ahead of the host's; else 0 */
} DoorAdmit;

void door_write_admit (Writer *w, const DoorAdmit *admit);
bool door_parse_admit (Reader in, DoorAdmit *out);

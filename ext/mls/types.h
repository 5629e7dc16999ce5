/* MLS (RFC 9420): numbers from the registries, limits, results. Included by every file here, and by users of group.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MLS_VERSION 1 /* mls10, section 6 */

/* 17.1. Both hash with SHA-256, sign with Ed25519 and agree with X25519. */
typedef enum
{
  MLS_SUITE_AES_128_GCM =
      0x0001, /* MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519 */
  MLS_SUITE_CHACHA20_POLY1305 =
      0x0003 /* MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519 */
} MlsSuite;

#define MLS_HASH_LEN 32 /* KDF.Nh and the hash's length, in both suites */
#define MLS_KEY_LEN                                                           \
  32 /* HPKE and signature public keys, HPKE private keys, signature seeds */
#define MLS_MAX_AEAD_KEY 32 /* AEAD.Nk: 16 or 32 */
#define MLS_NONCE_LEN 12    /* AEAD.Nn */
#define MLS_TAG_LEN 16      /* AEAD.Nt */
#define MLS_SIGNATURE_LEN 64

/* Limits of the project's protocol, not settings: two members that differed here would part. Beyond each of them a call
 * fails; nothing grows without bound. */
#define MLS_MAX_MEMBERS 4096 /* leaves of a tree */
#define MLS_MAX_DEPTH 12     /* log2 of that: the longest direct path */
#define MLS_MAX_MESSAGE                                                       \
  ((size_t) 1 << 20) /* a handshake or application message, 1 MiB */
#define MLS_MAX_WELCOME                                                       \
  ((size_t) 16 << 20)          /* a Welcome or GroupInfo, which carry a tree */
#define MLS_MAX_PROPOSALS 8192 /* in a commit: remove and add everybody */
#define MLS_MAX_PENDING 1024   /* proposals kept for a later commit, */
#define MLS_MAX_PENDING_BYTES ((size_t) 4 << 20) /* and their size in all */
#define MLS_MAX_PSKS 64                          /* in one commit */
#define MLS_MAX_GROUP_ID 255
#define MLS_MAX_EXTENSIONS 256 /* in one list */
#define MLS_MAX_CAPABILITIES                                                  \
  1024 /* values in one list of a leaf's capabilities */
#define MLS_MAX_FORWARD                                                       \
  1024 /* generations that one message may move a sender ratchet on */
#define MLS_MAX_WINDOW                                                        \
  1024 /* unused generations kept of one ratchet, at most */
#define MLS_MAX_SKIPPED 16384  /* and of all ratchets of an epoch */
#define MLS_MAX_PAST_EPOCHS 16 /* kept for late application messages */
#define MLS_MAX_RESUMPTION 64  /* epochs whose resumption PSK is kept */

/* 6 */
enum
{
  MLS_WIRE_PUBLIC_MESSAGE = 1,
  MLS_WIRE_PRIVATE_MESSAGE = 2,
  MLS_WIRE_WELCOME = 3,
  MLS_WIRE_GROUP_INFO = 4,
  MLS_WIRE_KEY_PACKAGE = 5
};

typedef enum
{
  MLS_CONTENT_APPLICATION = 1,
  MLS_CONTENT_PROPOSAL = 2,
  MLS_CONTENT_COMMIT = 3
} MlsContentType;

typedef enum
{
  MLS_SENDER_MEMBER = 1,
  MLS_SENDER_EXTERNAL = 2,
  MLS_SENDER_NEW_MEMBER_PROPOSAL = 3,
  MLS_SENDER_NEW_MEMBER_COMMIT = 4
} MlsSenderType;

/* 17.4 */
typedef enum
{
  MLS_PROPOSAL_ADD = 1,
  MLS_PROPOSAL_UPDATE = 2,
  MLS_PROPOSAL_REMOVE = 3,
  MLS_PROPOSAL_PSK = 4,
  MLS_PROPOSAL_REINIT = 5,
  MLS_PROPOSAL_EXTERNAL_INIT = 6,
  MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS = 7
} MlsProposalType;

/* 17.3; those up to 5 are "default" (7.2): every client has them and none lists them. */
typedef enum
{
  MLS_EXTENSION_APPLICATION_ID = 1,
  MLS_EXTENSION_RATCHET_TREE = 2,
  MLS_EXTENSION_REQUIRED_CAPABILITIES = 3,
  MLS_EXTENSION_EXTERNAL_PUB = 4,
  MLS_EXTENSION_EXTERNAL_SENDERS = 5,
  MLS_LAST_DEFAULT_EXTENSION = 5
} MlsExtensionType;

/* 17.5 */
typedef enum
{
  MLS_CREDENTIAL_BASIC = 1,
  MLS_CREDENTIAL_X509 = 2
} MlsCredentialType;

/* 7.2 */
typedef enum
{
  MLS_LEAF_KEY_PACKAGE = 1,
  MLS_LEAF_UPDATE = 2,
  MLS_LEAF_COMMIT = 3
} MlsLeafSource;

/* 8.4 */
typedef enum
{
  MLS_PSK_EXTERNAL = 1,
  MLS_PSK_RESUMPTION = 2
} MlsPskType;

typedef enum
{
  MLS_PSK_USAGE_APPLICATION = 1,
  MLS_PSK_USAGE_REINIT = 2,
  MLS_PSK_USAGE_BRANCH = 3
} MlsPskUsage;

/* What became of a call. Everything but MLS_OK leaves the group as it was. */
typedef enum
{
  MLS_OK,
  MLS_MALFORMED, /* not the encoding that the RFC gives: cut, trailing or reordered bytes, impossible values */
  MLS_UNSUPPORTED, /* a version, suite, credential, proposal or extension that this code or the group has not */
  MLS_TOO_LARGE,   /* beyond one of the limits above */
  MLS_WRONG_GROUP, /* another group's message */
  MLS_WRONG_EPOCH, /* a handshake message of another epoch, or an application message of one not kept */
  MLS_UNKNOWN_SENDER, /* a sender that is no member, or of a kind that may not send this */
  MLS_OWN_MESSAGE, /* sent by this member itself: there is nothing to decrypt it with */
  MLS_UNAUTHENTIC,   /* AEAD tag, membership tag or HPKE decryption */
  MLS_BAD_SIGNATURE, /* of a message, leaf, key package or group info */
  MLS_BAD_CONFIRMATION, /* the confirmation tag: the sender's view of the group is not ours */
  MLS_REPLAYED,         /* a generation whose key was used, or dropped */
  MLS_TOO_FAR,          /* a generation more than MLS_MAX_FORWARD ahead */
  MLS_UNKNOWN_PROPOSAL, /* a commit refers to a proposal that we don't hold */
  MLS_UNKNOWN_PSK,      /* a PSK that we don't hold */
  MLS_INVALID_PROPOSALS, /* a proposal, or the list of them, breaks section 12.2 */
  MLS_INVALID_LEAF,      /* a leaf node breaks section 7.3 */
  MLS_INVALID_KEY_PACKAGE, /* a key package breaks section 10.1 */
  MLS_INVALID_PATH, /* an update path is missing, of the wrong shape, or does not fit the tree */
  MLS_INVALID_TREE, /* a ratchet tree breaks section 7.9.2 or 12.4.3.1 */
  MLS_NOT_FOR_US,   /* a Welcome with nothing for this key package */
  MLS_EXPIRED,      /* a lifetime that does not hold the time given */
  MLS_CLOSED, /* this member was removed, or the group reinitialized: it sends and takes nothing more */
  MLS_NO_MEMORY,
  MLS_MISUSE /* arguments that no caller should give */
} MlsResult;

/* Bytes that somebody else owns. */
typedef struct
{
  const uint8_t *data;
  size_t len;
} MlsSlice;

/* Draws `len` random bytes to `out`. The default is libsodium's generator; a simulation gives its own source to be
 * repeatable. */
typedef struct
{
  void (*draw) (void *user, void *out, size_t len); /* NULL: libsodium */
  void *user;
} MlsRandom;

/* A short name for logs and tests: "bad-signature". Static. */
const char *mls_result_name (MlsResult result);

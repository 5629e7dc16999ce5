/* MLS groups (RFC 9420) for one member: bytes in, bytes and a typed description out.
 *
 * This header and what it includes is all that a user of ext/mls needs. Nothing here opens a socket, starts a thread,
 * reads a clock or keeps anything beyond the process: a member that lost its memory joins anew.
 *
 *     create or join ──► MlsGroup ──► mls_group_process (bytes) ──► application data, a proposal, or a staged commit
 *                          │  ▲                                         │ inspect it; drop it, or
 *                          │  └──────────── mls_group_merge ◄───────────┘
 *                          └──► mls_group_commit (what to change) ──► a staged commit of our own: send its message,
 *                               merge it when it has won, then hand out its Welcome
 *
 * A commit changes nothing until it is merged. Several of one epoch may be held side by side, ours among them; merging
 * one makes the others useless. A call that fails leaves the group as it was.
 *
 * A group, its staged commits and events are used by one thread at a time. core_init() comes before anything else.
 * Slices in descriptions live as long as the object they were asked of, or until that is merged.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "framing.h"

#include "ext/sodium/secret.h"

/* ---- who we are ---- */

/* What goes into a leaf node and who signs it. Everything is copied. */
typedef struct
{
  MlsSuite suite;
  Secret *signature_seed;            /* an Ed25519 seed of MLS_KEY_LEN bytes */
  MlsCredentialType credential_type; /* basic when 0 */
  MlsSlice
      credential; /* basic: the identity; X.509: the content of certificates<V> */

  const uint16_t *
      extension_types; /* capabilities beyond the defaults of section 7.2; version, the two suites and */
  size_t
      n_extension_types; /* our credential's type are listed without being named here */
  const uint16_t *proposal_types;
  size_t n_proposal_types;
  const uint16_t *credential_types;
  size_t n_credential_types;
  const MlsExtension *leaf_extensions;
  size_t n_leaf_extensions;

  uint64_t not_before, not_after; /* of a key package, in seconds since 1970 */
  bool grease; /* 13.5: list some values that nobody knows */
  MlsRandom random;
} MlsClient;

/* A key package of ours, with its private keys. */
typedef struct MlsKeyPackage MlsKeyPackage;

/* MLS_OK, MLS_UNSUPPORTED, MLS_MISUSE or MLS_NO_MEMORY. */
MlsResult mls_key_package_new (const MlsClient *client, MlsKeyPackage **out);

/* The same from bytes and keys that were made elsewhere: `message` is an MLSMessage or a bare KeyPackage. The private
 * keys must be those of the public ones: else MLS_INVALID_KEY_PACKAGE. */
MlsResult mls_key_package_load (MlsSlice message, Secret *signature_seed,
    Secret *init_key, Secret *encryption_key, const MlsRandom *random,
    MlsKeyPackage **out);

/* Wipes. Call it once the Welcome was taken: a key package is used once. */
void mls_key_package_free (MlsKeyPackage *key_package);

/* What to send: an MLSMessage. */
MlsSlice mls_key_package_message (const MlsKeyPackage *key_package);

/* Its KeyPackageRef (5.2), MLS_HASH_LEN bytes. */
const uint8_t *mls_key_package_own_ref (const MlsKeyPackage *key_package);

/* Reads and checks (10.1) somebody's key package, an MLSMessage or a bare KeyPackage; `ref` gets MLS_HASH_LEN bytes
 * unless NULL. `time`, in seconds since 1970, must be in its lifetime; 0 checks no lifetime. `out` points into
 * `message`. */
MlsResult mls_key_package_inspect (
    MlsSlice message, uint64_t time, MlsKeyPackageView *out, uint8_t *ref);

/* ---- the state of a group in one epoch ---- */

typedef struct MlsEpoch MlsEpoch;

uint64_t mls_epoch_number (const MlsEpoch *epoch);
MlsSuite mls_epoch_suite (const MlsEpoch *epoch);
MlsSlice mls_epoch_group_id (const MlsEpoch *epoch);
uint32_t mls_epoch_own_leaf (const MlsEpoch *epoch);
size_t mls_epoch_members (const MlsEpoch *epoch);

/* The leaf with this index, or NULL when it is blank or there is none. Indices go up to mls_epoch_leaves() - 1. */
const MlsLeafNode *mls_epoch_leaf (const MlsEpoch *epoch, uint32_t leaf_index);
uint32_t mls_epoch_leaves (const MlsEpoch *epoch);

/* The member with this signature key; false when there is none. */
bool mls_epoch_find (
    const MlsEpoch *epoch, MlsSlice signature_key, uint32_t *leaf_index);

/* The GroupContext's extensions: the content of the list, or one of them. */
MlsSlice mls_epoch_extensions (const MlsEpoch *epoch);
bool mls_epoch_extension (
    const MlsEpoch *epoch, uint16_t type, MlsSlice *data);

/* MLS_HASH_LEN bytes each. The authenticator (8.7) is not secret among members. */
const uint8_t *mls_epoch_tree_hash (const MlsEpoch *epoch);
const uint8_t *mls_epoch_authenticator (const MlsEpoch *epoch);

/* MLS-Exporter (8.5). NULL when `len` is 0 or greater than SECRET_MAX, or memory is short. */
Secret *mls_epoch_export (
    const MlsEpoch *epoch, const char *label, MlsSlice context, size_t len);

/* ---- groups ---- */

typedef struct MlsGroup MlsGroup;

/* How much a member keeps for late messages. */
typedef struct
{
  uint32_t window; /* unused generations of each sender, 0 to MLS_MAX_WINDOW */
  uint32_t past_epochs; /* 0 to MLS_MAX_PAST_EPOCHS */
  uint32_t
      resumption; /* resumption PSKs of past epochs, 0 to MLS_MAX_RESUMPTION */
} MlsSettings;

/* 256 generations, 4 epochs, no resumption PSKs. */
extern const MlsSettings mls_default_settings;

/* A PSK that was agreed on elsewhere (8.4). */
typedef struct
{
  MlsPskType type;
  MlsSlice id; /* external */
  MlsSlice
      group_id; /* resumption, of another group; our own group's past epochs are known (MlsSettings) */
  uint64_t epoch;
  Secret *psk;
} MlsPsk;

/* 11: a group of one, in epoch 0. `extensions` is the content of the GroupContext's list; our leaf must support them.
 * `settings` may be NULL. */
MlsResult mls_group_create (const MlsClient *client, MlsSlice group_id,
    MlsSlice extensions, const MlsSettings *settings, MlsGroup **out);

/* 12.4.3.1: joins by a Welcome, an MLSMessage. `ratchet_tree`, an optional<Node> ratchet_tree<V>, is needed when the
 * Welcome doesn't hold it. That the group is none we are in already, and who the members are, is the caller's to check,
 * before anything is sent: mls_group_epoch(), mls_group_signer(). */
MlsResult mls_group_join (const MlsKeyPackage *key_package, MlsSlice welcome,
    MlsSlice ratchet_tree, const MlsPsk *psks, size_t n_psks,
    const MlsSettings *settings, MlsGroup **out);

/* Wipes. Takes NULL. Staged commits and events are to be freed before. */
void mls_group_free (MlsGroup *group);

/* The current epoch: valid until the next merge. */
const MlsEpoch *mls_group_epoch (const MlsGroup *group);

/* The leaf that signed the GroupInfo we joined by; our own for a group that we created. */
uint32_t mls_group_signer (const MlsGroup *group);

/* Whether the GroupInfo we joined by had an external_pub, with which others could join by themselves. */
bool mls_group_offers_external_joins (const MlsGroup *group);

/* Whether we were removed, or the group was reinitialized: then it takes and sends nothing more. */
bool mls_group_is_closed (const MlsGroup *group);

/* A PSK that commits may refer to from now on. MLS_OK, MLS_TOO_LARGE after MLS_MAX_PSKS, MLS_MISUSE, MLS_NO_MEMORY. */
MlsResult mls_group_add_psk (MlsGroup *group, const MlsPsk *psk);

/* ---- sending ---- */

/* An application message: a PrivateMessage, padded to a multiple of `padding` bytes. Freed with mls_buffer_free(). */
MlsResult mls_group_protect (MlsGroup *group, MlsSlice data,
    MlsSlice authenticated_data, size_t padding, MlsBuffer *message);

/* How a handshake message is sent. All zero: a PrivateMessage without padding. */
typedef struct
{
  bool public_message;
  size_t padding;
  MlsSlice authenticated_data;
} MlsHandshake;

/* A proposal by itself. It is kept, and goes into the commits that refer to pending proposals. */
typedef struct
{
  MlsProposalType
      type; /* add, update, remove, psk, reinit or group_context_extensions */
  MlsSlice key_package; /* add */
  uint32_t removed;
  const MlsPsk *psk; /* its `psk` is not looked at */
  MlsPskUsage usage; /* resumption */
  MlsSlice extensions;
  const MlsReInit *reinit;
} MlsProposalRequest;

MlsResult mls_group_propose (MlsGroup *group,
    const MlsProposalRequest *request, const MlsHandshake *handshake,
    MlsBuffer *message);

/* A commit. All zero: an empty one, which makes fresh keys. */
typedef struct
{
  const MlsSlice *add; /* key packages, MLSMessages or bare */
  size_t n_add;
  const uint32_t *remove; /* leaf indices */
  size_t n_remove;
  const MlsSlice *
      extensions; /* the new content of the GroupContext's list; NULL leaves it */
  const MlsProposalRequest *other; /* more proposals by value */
  size_t n_other;
  bool
      pending; /* refer to the pending proposals, those that can be committed together and by us */
  bool path;   /* make fresh keys even where the proposals don't ask for it */
  bool no_tree; /* leave the ratchet tree out of the Welcome */
  bool grease;  /* put an extension that nobody knows into the Welcome */
  uint64_t
      time; /* seconds since 1970, which must be in the lifetime of what is added; 0 checks none */
  MlsHandshake handshake;
} MlsCommitRequest;

typedef struct MlsStaged MlsStaged;

/* Stages a commit of our own. The generation it is sent with is used up; nothing else changes. */
MlsResult mls_group_commit (
    MlsGroup *group, const MlsCommitRequest *request, MlsStaged **out);

/* The commit, an MLSMessage; and its Welcome, an MLSMessage too, empty when nobody is added: not to be handed out before
 * the commit is known to have won. Both empty for somebody else's commit. */
MlsSlice mls_staged_message (const MlsStaged *staged);
MlsSlice mls_staged_welcome (const MlsStaged *staged);

/* 12.4.3: the current epoch's GroupInfo, an MLSMessage, with the ratchet tree; with `external_pub`, whoever has it can
 * join by itself. */
MlsResult mls_group_info (
    MlsGroup *group, bool external_pub, MlsBuffer *message);

/* ---- receiving ---- */

typedef enum
{
  MLS_EVENT_NONE,
  MLS_EVENT_APPLICATION,
  MLS_EVENT_PROPOSAL, /* kept for a later commit */
  MLS_EVENT_COMMIT    /* staged */
} MlsEventType;

typedef struct
{
  MlsEventType type;
  uint64_t epoch; /* the message's */
  MlsSender sender;
  MlsSlice authenticated_data;
  MlsSlice data;        /* application */
  MlsProposal proposal; /* proposal */
  MlsStaged *commit; /* owned by the event: take it by setting this to NULL */
  MlsOpened opened;  /* what the slices point into */
  bool authentic; /* after another result than MLS_OK: the signature was right, and `sender` names who sent it */
} MlsEvent;

/* Takes one MLSMessage, a PublicMessage or PrivateMessage. `now` is the caller's clock in a unit of its choice; it dates
 * what is kept for late messages. Anything but MLS_OK leaves the group as it was, and `event` empty but for `sender` where a
 * member's signature was right all the same: who sends commits that cannot be followed has a name.
 *
 * A commit is checked wholly, but for what only the application can judge: who may commit what. The key it was encrypted
 * with is used up, so that the same message is MLS_REPLAYED the second time. */
MlsResult mls_group_process (
    MlsGroup *group, MlsSlice message, uint64_t now, MlsEvent *event);

void mls_event_clear (MlsEvent *event);

/* One of the proposals of a staged commit, as applied. */
typedef struct
{
  MlsProposalType type;
  bool by_reference;
  MlsSender sender;
  uint32_t leaf_index;       /* add, update, remove: the leaf it was about */
  const MlsLeafNode *before; /* update, remove: that leaf until now */
  const MlsLeafNode *after;  /* add, update: that leaf from now on */
  MlsSlice extensions; /* group_context_extensions: the new list's content */
  MlsPskId psk;
  MlsReInit reinit;
} MlsChange;

size_t mls_staged_changes (const MlsStaged *staged);
MlsChange mls_staged_change (const MlsStaged *staged, size_t i);

typedef struct
{
  bool own;           /* made by mls_group_commit() */
  MlsSender sender;   /* a member, or new_member_commit */
  uint32_t committer; /* its leaf, in the new epoch for a new member */
  bool has_path;
  const MlsLeafNode *before; /* the committer's leaf; NULL for a new member */
  const MlsLeafNode *after;  /* the same one unless there is a path */
  bool removes_us;
  bool reinitializes;
} MlsCommitInfo;

MlsCommitInfo mls_staged_info (const MlsStaged *staged);

/* The epoch that it leads to; NULL when it removes us. Valid until the commit is merged or freed. */
const MlsEpoch *mls_staged_epoch (const MlsStaged *staged);

/* Makes the epoch of `staged` the group's, and frees it, also when it fails: with MLS_WRONG_EPOCH when another commit
 * was merged since. `now` is when the old epoch ended. */
MlsResult mls_group_merge (MlsGroup *group, MlsStaged *staged, uint64_t now);

/* Drops a commit that lost. Takes NULL. */
void mls_staged_free (MlsStaged *staged);

/* Forgets the keys of epochs that ended, and of messages that were overtaken, before `then`. */
void mls_group_expire (MlsGroup *group, uint64_t then);

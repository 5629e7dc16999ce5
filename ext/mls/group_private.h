/* Inside a group: what group.c, commit_create.c, commit_process.c and welcome.c share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "group.h"
#include "proposal_list.h"
#include "treekem.h"

/* All of one epoch. A past one keeps what opens its late application messages, and nothing else. */
struct MlsEpoch
{
  MlsTree *tree;
  MlsTreeKeys *keys;
  MlsSecrets *secrets;
  MlsSecretTree *secret_tree;
  MlsBuffer context_bytes;
  MlsGroupContext context; /* points into context_bytes */
  uint8_t interim[MLS_HASH_LEN];
  uint8_t confirmation_tag[MLS_HASH_LEN];
  uint32_t own_leaf;
};

MlsEpoch *mls_epoch_new (void);
void mls_epoch_free (MlsEpoch *epoch);

/* Writes the GroupContext; the tree hash is the tree's. */
MlsResult mls_epoch_set_context (MlsEpoch *epoch, MlsSuite suite,
    MlsSlice group_id, uint64_t number, MlsSlice confirmed_transcript_hash,
    MlsSlice extensions);

/* Once `secrets` are set: the secret tree, and from the confirmed transcript hash the confirmation tag and the interim
 * hash. */
MlsResult mls_epoch_start (MlsEpoch *epoch, uint32_t window);

typedef struct
{
  MlsBuffer bytes; /* the AuthenticatedContent */
  MlsSender sender;
  uint8_t ref[MLS_HASH_LEN];
  MlsProposal proposal; /* points into bytes */
} MlsPending;

/* The private key of an Update of ours that waits for a commit. */
typedef struct
{
  uint8_t public_key[MLS_KEY_LEN];
  Secret *private_key;
} MlsOwnUpdate;

typedef struct
{
  MlsPskType type;
  MlsBuffer id; /* external: psk_id; resumption: psk_group_id */
  uint64_t epoch;
  Secret *psk;
} MlsKeptPsk;

typedef struct
{
  MlsEpoch *epoch;
  uint64_t ended;
} MlsPastEpoch;

typedef struct
{
  uint64_t epoch;
  uint8_t psk[MLS_HASH_LEN];
} MlsResumption;

struct MlsGroup
{
  MlsRandom random;
  MlsSettings settings;
  Secret *signature_key; /* MLS_SECRET_KEY_LEN bytes */
  MlsEpoch *epoch;
  MlsPastEpoch past[MLS_MAX_PAST_EPOCHS]; /* the latest first */
  size_t n_past;
  MlsResumption *
      resumption; /* sodium memory, settings.resumption entries, the latest first */
  size_t n_resumption;
  MlsPending *pending;
  size_t n_pending, pending_room, pending_bytes;
  MlsOwnUpdate *updates;
  size_t n_updates;
  MlsKeptPsk psks[MLS_MAX_PSKS];
  size_t n_psks;
  uint32_t signer;
  bool external_pub; /* was in the GroupInfo we joined by */
  bool closed;
};

MlsGroup *mls_group_new (const MlsRandom *random, const MlsSettings *settings,
    Secret *signature_key);

struct MlsStaged
{
  const MlsGroup *group;
  uint64_t base; /* the epoch it ends */
  MlsCommitInfo info;
  MlsOpened opened; /* somebody's commit, */
  MlsBuffer
      proposals; /* and the proposals that `list` points into, by value and by reference */
  MlsProposalList list;
  MlsLeaf *before, *after; /* the committer's leaf */
  MlsEpoch *epoch;         /* NULL when it removes us */
  MlsBuffer message, welcome;
};

MlsStaged *mls_staged_new (const MlsGroup *group);

/* A list of what the group's epoch is, for judging proposals. */
MlsListContext mls_group_list_context (
    const MlsGroup *group, MlsSender committer);

/* The Secrets of the PSK proposals of a list, in their order; borrowed. MLS_OK, MLS_UNKNOWN_PSK or MLS_NO_MEMORY.
 * Nh bytes to `psk_secret`. */
MlsResult mls_group_psk_secret (
    MlsGroup *group, const MlsProposalList *list, uint8_t *psk_secret);

/* psk_secret of identifiers, found among a group's PSKs, when there is one, and among `more`. */
MlsResult mls_find_psk_secret (MlsGroup *group, const MlsPsk *more,
    size_t n_more, const MlsPskId *ids, size_t n, uint8_t *psk_secret);

/* Keeps a proposal that was verified. */
MlsResult mls_group_keep_proposal (MlsGroup *group, const MlsOpened *opened);
MlsPending *mls_group_find_proposal (MlsGroup *group, MlsSlice reference);

/* Checks `staged->list` and applies it: `staged->epoch` gets the changed tree, and our keys. */
MlsResult mls_commit_apply (MlsGroup *group, MlsStaged *staged,
    const MlsListContext *context, MlsApplied *applied);

/* 8: the next epoch's secrets, from the transcript on. `content` is the commit with its signature; the next epoch has
 * its tree. Gives the joiner secret when `joiner` is not NULL. */
MlsResult mls_commit_advance (MlsGroup *group, MlsEpoch *next,
    const MlsApplied *applied, const MlsContent *content,
    const uint8_t *init_secret, const uint8_t *commit_secret,
    const uint8_t *psk_secret, uint8_t *joiner);

/* Stages a commit that was opened and whose signature is right. */
MlsResult mls_commit_process (
    MlsGroup *group, MlsOpened *opened, MlsStaged **out);

/* Signs and writes a handshake content of ours as a message; `opened` gets what a receiver will see. `confirmation_tag`
 * is asked for after the signature is there. */
typedef struct
{
  MlsContent content;
  uint8_t signature[MLS_SIGNATURE_LEN];
  uint8_t confirmation_tag[MLS_HASH_LEN];
} MlsOutgoing;

MlsResult mls_outgoing_sign (MlsGroup *group, MlsContentType type,
    MlsSlice body, const MlsHandshake *handshake, MlsOutgoing *out);
MlsResult mls_outgoing_write (MlsGroup *group, MlsOutgoing *out,
    const MlsHandshake *handshake, MlsBuffer *message);

/* A GroupInfo of `epoch`, signed by us, without the MLSMessage's head. */
MlsResult mls_group_info_make (MlsGroup *group, const MlsEpoch *epoch,
    bool with_tree, bool external_pub, bool grease, MlsBuffer *out);

/* The Welcome of our commit. `path` holds the path secrets, or is NULL. */
MlsResult mls_welcome_make (MlsGroup *group, const MlsStaged *staged,
    const MlsApplied *applied, const MlsCommitRequest *request,
    const uint8_t *joiner, const uint8_t *psk_secret,
    const MlsPathSecrets *path, MlsBuffer *out);

/* One of the values that 13.5 reserves for nobody. */
uint16_t mls_grease (const MlsRandom *random);

struct MlsKeyPackage
{
  MlsRandom random;
  MlsBuffer message;
  MlsKeyPackageView view; /* points into message */
  uint8_t ref[MLS_HASH_LEN];
  Secret *signature_key; /* MLS_SECRET_KEY_LEN bytes */
  Secret *init_key;
  Secret *encryption_key;
};

/* A 64-byte signature key from a seed; NULL for another length. */
Secret *mls_signature_key (Secret *seed);

/* The fields of a leaf node of `client`, without keys and source; `storage` holds what they point into. */
bool mls_client_leaf (
    const MlsClient *client, MlsBuffer storage[4], MlsLeafNode *out);

/* An MLSMessage with a KeyPackage, or a bare one. */
MlsResult mls_key_package_parse (MlsSlice message, MlsKeyPackageView *out);

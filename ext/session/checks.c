/* What leaves, policies, commits and Welcomes must obey: sections 3 and 4 of the protocol. Pure functions of bytes and group
 * state: two members never judge differently.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

/* RFC 9420, 13.5 */
static bool
is_grease (uint16_t type)
{
  return (type & 0x0f0f) == 0x0a0a && type >> 8 == (type & 0xff)
         && type != 0xfafa;
}

bool
leaf_read (const MlsLeafNode *leaf, LeafFacts *out)
{
  MlsSlice list = leaf->extensions, name = leaf->credential.content;
  Reader in = mls_reader (list);
  MlsExtension extension;
  bool has_role = false;

  if (leaf->signature_key.len != IDENTITY_KEY_LEN
      || leaf->credential.type != MLS_CREDENTIAL_BASIC
      || !mls_list_has (leaf->credential_types, MLS_CREDENTIAL_BASIC)
      || !mls_list_has (leaf->extension_types, POLICY_EXTENSION)
      || !mls_list_has (leaf->extension_types, ROLE_EXTENSION)
      || !name_is_valid ((const char *) name.data, name.len))
    return false;
  while (mls_next_extension (&in, &extension)) {
    if (extension.type == ROLE_EXTENSION)
      has_role = role_parse (mls_reader (extension.data), &out->role);
    else if (!is_grease (extension.type))
      return false;
  }
  if (!has_role)
    return false;
  out->key = leaf->signature_key.data;
  memcpy (out->name, name.data, name.len);
  out->name[name.len] = '\0';
  return true;
}

/* required_capabilities (RFC 9420, 11.1) of every meeting: the two extensions, no proposals, basic. */
static const uint8_t required_capabilities[] = { 4, POLICY_EXTENSION >> 8,
  POLICY_EXTENSION & 0xff, ROLE_EXTENSION >> 8, ROLE_EXTENSION & 0xff, 0, 2, 0,
  MLS_CREDENTIAL_BASIC };

PolicyResult
extensions_read (MlsSlice extensions, Policy *out)
{
  Reader in = mls_reader (extensions);
  MlsExtension extension;
  bool exact = true, required = false;
  PolicyResult result = POLICY_MALFORMED;

  while (mls_next_extension (&in, &extension)) {
    if (extension.type == POLICY_EXTENSION)
      result = policy_parse (mls_reader (extension.data), out);
    else if (extension.type == MLS_EXTENSION_REQUIRED_CAPABILITIES)
      required = mls_slice_equal (extension.data,
          mls_slice (required_capabilities, sizeof required_capabilities));
    else
      exact = false;
  }
  if (result == POLICY_OK
      && !SESSION_CHECK (COMMIT_EXTENSIONS, exact && required))
    return POLICY_MALFORMED;
  return result;
}

bool
extensions_write (const Policy *policy, MlsBuffer *out)
{
  uint8_t room[POLICY_MAX_SIZE];
  Writer w = writer_init (room, sizeof room);

  policy_write (&w, policy);
  mls_put_extension (out, MLS_EXTENSION_REQUIRED_CAPABILITIES,
      mls_slice (required_capabilities, sizeof required_capabilities));
  mls_put_extension (out, POLICY_EXTENSION, mls_slice (room, writer_len (&w)));
  return !w.failed && !out->failed;
}

/* ---- Commits ---- */

/* A commit's changes, gathered. */
typedef struct
{
  const MlsEpoch *epoch;
  const Policy *policy;
  const MlsStaged *staged;
  size_t adds, removes, others;
  bool by_reference;
  bool new_policy;
  MlsSlice extensions;
  bool removed_leaf[LIMIT_MEMBERS];
} Judged;

static bool
is_key (MlsSlice slice, const uint8_t *key)
{
  return slice.len == IDENTITY_KEY_LEN && key_equal (slice.data, key);
}

static void
gather (Judged *j)
{
  for (size_t i = 0; i < mls_staged_changes (j->staged); i++) {
    MlsChange change = mls_staged_change (j->staged, i);
    j->by_reference |= change.by_reference;
    switch (change.type) {
      case MLS_PROPOSAL_ADD:
        j->adds++;
        break;
      case MLS_PROPOSAL_REMOVE:
        j->removes++;
        if (change.leaf_index < LIMIT_MEMBERS)
          j->removed_leaf[change.leaf_index] = true;
        break;
      case MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        j->new_policy = true;
        j->extensions = change.extensions;
        break;
      default:
        j->others++;
    }
  }
}

/* Whether this commit removes, or adds, the leaf of `key`. */
static bool
touches (const Judged *j, MlsProposalType type, const uint8_t *key)
{
  for (size_t i = 0; i < mls_staged_changes (j->staged); i++) {
    MlsChange change = mls_staged_change (j->staged, i);
    const MlsLeafNode *leaf =
        type == MLS_PROPOSAL_ADD ? change.after : change.before;
    if (change.type == type && leaf && is_key (leaf->signature_key, key))
      return true;
  }
  return false;
}

/* "The committer's new leaf differs from the old only in encryption_key, leaf_node_source, parent_hash, signature." */
static bool
same_leaf (const MlsLeafNode *a, const MlsLeafNode *b)
{
  return mls_slice_equal (a->signature_key, b->signature_key)
         && mls_slice_equal (a->credential.raw, b->credential.raw)
         && mls_slice_equal (a->versions, b->versions)
         && mls_slice_equal (a->suites, b->suites)
         && mls_slice_equal (a->extension_types, b->extension_types)
         && mls_slice_equal (a->proposal_types, b->proposal_types)
         && mls_slice_equal (a->credential_types, b->credential_types)
         && mls_slice_equal (a->extensions, b->extensions);
}

static bool
check_form (const Judged *j, const MlsCommitInfo *info)
{
  bool only_adds =
      j->adds > 0 && j->removes + j->others == 0 && !j->new_policy;

  if (!SESSION_CHECK (COMMIT_MEMBER,
          info->sender.type == MLS_SENDER_MEMBER && info->before))
    return false;
  if (!SESSION_CHECK (COMMIT_BY_ADMIN,
          info->before && info->before->signature_key.len == IDENTITY_KEY_LEN
              && policy_is_admin (
                  j->policy, info->before->signature_key.data)))
    return false;
  return SESSION_CHECK (COMMIT_BY_VALUE, !j->by_reference)
         && SESSION_CHECK (
             COMMIT_CONTENTS, j->others == 0 && !info->reinitializes)
         && (info->has_path || only_adds)
         && SESSION_CHECK (
             COMMIT_LEAF, !info->has_path
                              || (info->before && info->after
                                  && same_leaf (info->before, info->after)));
}

static bool
check_policy (const Judged *j, const MlsCommitInfo *info, Policy *next)
{
  *next = *j->policy;
  if (j->new_policy && extensions_read (j->extensions, next) != POLICY_OK)
    return false;
  if (!SESSION_CHECK (
          COMMIT_CONSTANTS, policy_same_constants (j->policy, next)))
    return false;
  return SESSION_CHECK (COMMIT_OWNER,
      key_equal (j->policy->owner, next->owner)
          || (info->before
              && is_key (info->before->signature_key, j->policy->owner)));
}

static bool
check_added (const Judged *j, size_t at, const Policy *next)
{
  MlsChange change = mls_staged_change (j->staged, at);
  LeafFacts facts = { 0 };
  uint32_t there;

  if (!SESSION_CHECK (COMMIT_ADDED_LEAF, leaf_read (change.after, &facts)))
    return false;
  MlsSlice key = change.after->signature_key;
  if (key.len != IDENTITY_KEY_LEN)
    return false;
  bool comes_back = touches (j, MLS_PROPOSAL_REMOVE, key.data);
  bool once = comes_back || !mls_epoch_find (j->epoch, key, &there);
  for (size_t i = 0; i < at && once; i++) {
    MlsChange other = mls_staged_change (j->staged, i);
    once = other.type != MLS_PROPOSAL_ADD
           || !mls_slice_equal (other.after->signature_key, key);
  }
  if (!SESSION_CHECK (COMMIT_KEY_ONCE, once))
    return false;
  if (!SESSION_CHECK (
          COMMIT_LOCKED, !j->policy->locked || comes_back
                             || policy_is_admin (j->policy, key.data)))
    return false;
  return SESSION_CHECK (COMMIT_RECORDING,
      next->recording != WHO_NOBODY || facts.role != ROLE_RECORDER);
}

/* Who stays: an admin among them, and no recorder where recording is nobody's. */
static bool
check_result (const Judged *j, const Policy *next)
{
  size_t members = mls_epoch_members (j->epoch) - j->removes + j->adds;
  bool an_admin = false, a_recorder = false;

  for (uint32_t i = 0; i < mls_epoch_leaves (j->epoch); i++) {
    const MlsLeafNode *leaf = mls_epoch_leaf (j->epoch, i);
    if (!leaf || j->removed_leaf[i]
        || leaf->signature_key.len != IDENTITY_KEY_LEN)
      continue;
    an_admin = an_admin || policy_is_admin (next, leaf->signature_key.data);
    if (next->recording == WHO_NOBODY && j->new_policy) {
      LeafFacts facts;
      a_recorder =
          a_recorder
          || (leaf_read (leaf, &facts) && facts.role == ROLE_RECORDER);
    }
  }
  for (size_t i = 0; i < mls_staged_changes (j->staged); i++) {
    MlsChange change = mls_staged_change (j->staged, i);
    an_admin =
        an_admin
        || (change.type == MLS_PROPOSAL_ADD
            && policy_is_admin (next, change.after->signature_key.data));
  }
  return SESSION_CHECK (COMMIT_FULL, members <= next->max_members)
         && SESSION_CHECK (COMMIT_AN_ADMIN, an_admin)
         && SESSION_CHECK (COMMIT_RECORDING, !a_recorder);
}

static bool
check_removed (const Judged *j, bool *removed_somebody)
{
  for (size_t i = 0; i < mls_staged_changes (j->staged); i++) {
    MlsChange change = mls_staged_change (j->staged, i);
    if (change.type != MLS_PROPOSAL_REMOVE)
      continue;
    MlsSlice key = change.before->signature_key;
    bool comes_back =
        key.len == IDENTITY_KEY_LEN && touches (j, MLS_PROPOSAL_ADD, key.data);
    *removed_somebody = *removed_somebody || !comes_back;
    if (!SESSION_CHECK (
            COMMIT_OWNER_LEAF, comes_back || !is_key (key, j->policy->owner)))
      return false;
  }
  return true;
}

bool
commit_is_valid (const MlsEpoch *epoch, const Policy *policy,
    const MlsStaged *staged, Policy *out, bool *removed_somebody)
{
  Judged *j = g_new0 (Judged, 1);
  MlsCommitInfo info = mls_staged_info (staged);
  Policy next;

  *j = (Judged){ .epoch = epoch, .policy = policy, .staged = staged };
  gather (j);
  *removed_somebody = false;
  bool ok = check_form (j, &info) && check_policy (j, &info, &next)
            && check_removed (j, removed_somebody);
  for (size_t i = 0; i < mls_staged_changes (staged) && ok; i++)
    if (mls_staged_change (staged, i).type == MLS_PROPOSAL_ADD)
      ok = check_added (j, i, &next);
  ok = ok && check_result (j, &next);
  if (ok)
    *out = next;
  g_free (j);
  return ok;
}

/* ---- Welcomes ---- */

static bool
check_tree (const MlsEpoch *epoch, bool *a_recorder)
{
  GHashTable *keys = g_hash_table_new_full (
      g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  bool ok = true;

  *a_recorder = false;
  for (uint32_t i = 0; i < mls_epoch_leaves (epoch) && ok; i++) {
    const MlsLeafNode *leaf = mls_epoch_leaf (epoch, i);
    LeafFacts facts;
    if (!leaf)
      continue;
    ok = leaf_read (leaf, &facts)
         && g_hash_table_add (keys, g_bytes_new (facts.key, IDENTITY_KEY_LEN));
    *a_recorder = *a_recorder || (ok && facts.role == ROLE_RECORDER);
  }
  g_hash_table_unref (keys);
  return ok;
}

static bool
is_own_leaf (const Knock *knock, const MlsEpoch *epoch)
{
  const MlsLeafNode *leaf = mls_epoch_leaf (epoch, mls_epoch_own_leaf (epoch));
  for (size_t i = 0; i < G_N_ELEMENTS (knock->key_packages) && leaf; i++) {
    MlsKeyPackageView view;
    if (knock->key_packages[i]
        && mls_key_package_inspect (
               mls_key_package_message (knock->key_packages[i]), 0, &view,
               NULL)
               == MLS_OK
        && view.suite == knock->reply.suite)
      return mls_slice_equal (view.leaf.raw, leaf->raw);
  }
  return false;
}

WireCode
welcome_check (const Session *session, const MlsGroup *group,
    const Knock *knock, Policy *out, bool *ok)
{
  const MlsEpoch *epoch = mls_group_epoch (group);
  const DoorReply *reply = &knock->reply;
  const MlsLeafNode *signer = mls_epoch_leaf (epoch, mls_group_signer (group));

  *ok = false;
  if (!SESSION_CHECK (WELCOME_SIGNER,
          signer && is_key (signer->signature_key, reply->host_key)))
    return WIRE_CODE_MALFORMED;
  if (!SESSION_CHECK (
          WELCOME_GROUP, mls_slice_equal (mls_epoch_group_id (epoch),
                             mls_slice (reply->group_id, DOOR_GROUP_ID_LEN))
                             && mls_epoch_suite (epoch) == reply->suite))
    return WIRE_CODE_MALFORMED;
  PolicyResult policy = extensions_read (mls_epoch_extensions (epoch), out);
  if (policy == POLICY_OTHER_VERSION)
    return WIRE_CODE_VERSION;
  /* Without any policy there is nothing to go on with, whatever the simulation switched off. */
  if (policy != POLICY_OK)
    return WIRE_CODE_MALFORMED;
  if (!SESSION_CHECK (
          WELCOME_POLICY, mls_epoch_members (epoch) <= out->max_members))
    return WIRE_CODE_MALFORMED;
  bool a_recorder;
  if (!SESSION_CHECK (WELCOME_TREE, check_tree (epoch, &a_recorder)))
    return WIRE_CODE_MALFORMED;
  if (!SESSION_CHECK (
          WELCOME_RECORDING, !a_recorder || out->recording != WHO_NOBODY))
    return WIRE_CODE_MALFORMED;
  if (!SESSION_CHECK (
          WELCOME_MEETING, strcmp (out->meeting, session->link.meeting) == 0))
    return WIRE_CODE_MALFORMED;
  if (!SESSION_CHECK (
          WELCOME_HOST_IS_ADMIN, policy_is_admin (out, reply->host_key)))
    return WIRE_CODE_MALFORMED;
  if (!SESSION_CHECK (WELCOME_OWN_LEAF, is_own_leaf (knock, epoch)))
    return WIRE_CODE_MALFORMED;
  if (!SESSION_CHECK (
          WELCOME_NO_EXTERNAL, !mls_group_offers_external_joins (group)))
    return WIRE_CODE_MALFORMED;
  *ok = true;
  return 0;
}

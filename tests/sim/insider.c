/* Commits and messages that an honest client would not make.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "insider.h"

#include "fake.h"

#include "ext/mls/group_private.h"
#include "ext/session/session_private.h"

MlsGroup *
insider_group (const Person *person)
{
  return person->session && session_state (person->session) == SESSION_MEMBER
             ? person->session->group
             : NULL;
}

const uint8_t *
insider_room (const Person *person)
{
  return person->session->hub.room;
}

bool
insider_can_show (const Person *person)
{
  return admin_can_show (person->session);
}

static Conn *
admins_conn (World *world)
{
  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    const Policy *policy =
        person_is_member (person) ? session_policy (person->session) : NULL;
    if (policy && policy_is_admin (policy, person->key) && person->conn)
      return person->conn;
  }
  return NULL;
}

void
insider_send (Person *person, WireKind kind, MlsSlice message, bool by_the_hub)
{
  WireHeader header = { .kind = kind };
  uint8_t *frame = g_malloc (WIRE_HEADER + message.len);
  Writer w = writer_init (frame, WIRE_HEADER + message.len);
  Conn *conn = by_the_hub ? admins_conn (person->world) : person->conn;

  memcpy (header.room, insider_room (person), LIMIT_ROOM);
  wire_header_write (&w, &header);
  writer_bytes (&w, message.data, message.len);
  if (conn && by_the_hub) {
    GBytes *bytes = g_bytes_new (frame, writer_len (&w));
    net_deliver_up (conn, true, bytes, 0);
    g_bytes_unref (bytes);
  } else if (conn && conn->down_open) {
    net_send (conn, true, frame, writer_len (&w));
  }
  g_free (frame);
}

void
insider_say (Person *person, const Message *message)
{
  MlsGroup *group = insider_group (person);
  size_t len;
  MlsBuffer out = { 0 };
  char *text = message_write (message, &len);

  if (group && text
      && mls_group_protect (group, mls_slice (text, len), (MlsSlice){ 0 },
             LIMIT_PADDING_APPLICATION, &out)
             == MLS_OK)
    insider_send (person, WIRE_APPLICATION, mls_buffer_slice (&out), false);
  mls_buffer_free (&out);
  g_free (text);
}

/* version 2, wire_format 2, group_id<V>: 1 and 32, then epoch 8 and content_type (RFC 9420, 6.3) */
#define EPOCH_AT (2 + 2 + 1 + DOOR_GROUP_ID_LEN)

void
insider_say_ahead (Person *person, uint64_t epochs, bool as_commit)
{
  MlsGroup *group = insider_group (person);
  MlsBuffer out = { 0 };

  if (group
      && mls_group_protect (group, mls_slice ("?", 1), (MlsSlice){ 0 },
             LIMIT_PADDING_APPLICATION, &out)
             == MLS_OK) {
    MlsSlice message = mls_buffer_slice (&out);
    uint8_t *copy = g_memdup2 (message.data, message.len);
    uint64_t epoch = session_epoch (person->session) + epochs;
    for (int i = 0; i < 8; i++)
      copy[EPOCH_AT + i] = (uint8_t) (epoch >> (56 - 8 * i));
    copy[EPOCH_AT + 8] =
        as_commit ? MLS_CONTENT_COMMIT : MLS_CONTENT_APPLICATION;
    copy[message.len - 1] ^= 1;
    insider_send (
        person, WIRE_APPLICATION, mls_slice (copy, message.len), false);
    g_free (copy);
  }
  mls_buffer_free (&out);
}

/* ---- Commits ---- */

/* What a bent commit is made of. */
typedef struct
{
  Person *person;
  MlsGroup *group;
  MlsCommitRequest request;
  Policy policy;
  bool new_policy;
  MlsBuffer extensions;
  MlsKeyPackage *key_packages[3];
  MlsSlice adds[3];
  uint32_t removes[2];
  MlsProposalRequest other;
  MlsReInit reinit;
  MlsTree *tree; /* the group's own, while it has another */
} Bent;

static void
add_somebody (Bent *b, Role role, bool twice)
{
  MlsExtension extension;
  uint8_t role_byte;
  Person *person = b->person;
  Identity *identity = person->identity;

  if (!twice)
    person->identity = identity_new ();
  MlsClient client =
      fake_mls_client (person, mls_epoch_suite (mls_group_epoch (b->group)),
          "ghost", role, &extension, &role_byte);
  size_t n = b->request.n_add;
  if (mls_key_package_new (&client, &b->key_packages[n]) == MLS_OK) {
    b->adds[n] = mls_key_package_message (b->key_packages[n]);
    b->request.add = b->adds;
    b->request.n_add = n + 1;
  }
  secret_unref (client.signature_seed);
  if (!twice) {
    identity_free (person->identity);
    person->identity = identity;
  }
}

/* The liar's leaf as it is not allowed to become: in a tree that the group has for the time of this commit. */
static void
bend_leaf (Bent *b, CommitBend bend)
{
  static const uint8_t listener[] = { ROLE_LISTENER };
  MlsEpoch *epoch = b->group->epoch;
  MlsBuffer bytes = { 0 }, credential = { 0 }, list = { 0 };

  b->tree = epoch->tree;
  epoch->tree = mls_tree_copy (b->tree);
  MlsLeafNode fields = mls_tree_leaf (epoch->tree, epoch->own_leaf)->node;
  if (bend == COMMIT_NAME) {
    mls_put_uint (&credential, MLS_CREDENTIAL_BASIC, 2);
    mls_put_opaque (&credential, mls_slice ("somebody else", 13));
    fields.credential.content = mls_slice ("somebody else", 13);
    fields.credential.raw = mls_buffer_slice (&credential);
  } else if (bend == COMMIT_ROLE) {
    mls_put_extension (&list, ROLE_EXTENSION, mls_slice (listener, 1));
    fields.extensions = mls_buffer_slice (&list);
  } else {
    mls_put_slice (&list, fields.extension_types);
    mls_put_uint (&list, 0xf0c7, 2);
    fields.extension_types = mls_buffer_slice (&list);
  }
  mls_leaf_node_sign (&bytes, &fields, secret_bytes (b->group->signature_key),
      epoch->context.group_id, epoch->own_leaf);
  mls_tree_set_leaf (
      epoch->tree, epoch->own_leaf, mls_leaf_new (mls_buffer_slice (&bytes)));
  mls_buffer_free (&bytes);
  mls_buffer_free (&credential);
  mls_buffer_free (&list);
}

static void
put_extensions (Bent *b, CommitBend bend)
{
  static const uint8_t required[] = { 4, 0xf0, 0xc1, 0xf0, 0xc2, 0, 2, 0,
    MLS_CREDENTIAL_BASIC };
  static const uint8_t nothing[] = { 0, 0, 0 };
  uint8_t room[POLICY_MAX_SIZE];
  Writer w = writer_init (room, sizeof room);

  policy_write (&w, &b->policy);
  mls_put_extension (&b->extensions, MLS_EXTENSION_REQUIRED_CAPABILITIES,
      bend == COMMIT_NO_REQUIRED ? mls_slice (nothing, sizeof nothing)
                                 : mls_slice (required, sizeof required));
  mls_put_extension (
      &b->extensions, POLICY_EXTENSION, mls_slice (room, writer_len (&w)));
  if (bend == COMMIT_EXTERNAL_SENDERS)
    mls_put_extension (
        &b->extensions, MLS_EXTENSION_EXTERNAL_SENDERS, mls_slice ("", 1));
}

static bool
find_leaf (Bent *b, const uint8_t *key, uint32_t *out)
{
  return mls_epoch_find (
      mls_group_epoch (b->group), mls_slice (key, IDENTITY_KEY_LEN), out);
}

static void
remove_leaf (Bent *b, uint32_t leaf)
{
  b->removes[b->request.n_remove++] = leaf;
  b->request.remove = b->removes;
}

/* Sends a proposal by itself; the commit after it refers to what is pending. */
static bool
propose (Bent *b, bool by_the_hub)
{
  static const MlsHandshake how;
  MlsBuffer out = { 0 };
  MlsProposalRequest proposal = { .type = MLS_PROPOSAL_REMOVE };
  uint32_t owner;

  if (!find_leaf (b, b->policy.owner, &owner)
      || owner == mls_epoch_own_leaf (mls_group_epoch (b->group)))
    return false;
  for (uint32_t i = 0; i < mls_epoch_leaves (mls_group_epoch (b->group)); i++)
    if (i != owner && i != mls_epoch_own_leaf (mls_group_epoch (b->group))
        && mls_epoch_leaf (mls_group_epoch (b->group), i))
      proposal.removed = i;
  if (proposal.removed == 0)
    return false;
  bool ok = mls_group_propose (b->group, &proposal, &how, &out) == MLS_OK;
  if (ok)
    insider_send (b->person, WIRE_COMMIT, mls_buffer_slice (&out), by_the_hub);
  mls_buffer_free (&out);
  b->request.pending = true;
  return ok;
}

static bool
fill (Bent *b, CommitBend bend, bool by_the_hub)
{
  uint32_t leaf;

  b->request.path = true;
  switch (bend) {
    case COMMIT_PLAIN:
      return true;
    case COMMIT_PROMOTE:
      b->new_policy = true;
      return policy_add_admin (&b->policy, b->person->key);
    case COMMIT_UNLOCK:
      b->new_policy = true;
      b->policy.locked = !b->policy.locked;
      return true;
    case COMMIT_NAME:
    case COMMIT_ROLE:
    case COMMIT_CAPABILITIES:
      bend_leaf (b, bend);
      return true;
    case COMMIT_UNLOCK_ADD:
      b->new_policy = true;
      add_somebody (b, ROLE_PARTICIPANT, false);
      if (!b->policy.locked)
        return false;
      b->policy.locked = false;
      return true;
    case COMMIT_LOCKED_ADD:
      add_somebody (b, ROLE_PARTICIPANT, false);
      return b->policy.locked;
    case COMMIT_NO_REQUIRED:
    case COMMIT_EXTERNAL_SENDERS:
      b->new_policy = true;
      return true;
    case COMMIT_OPENED:
      b->new_policy = true;
      b->policy.opened++;
      return true;
    case COMMIT_BITS:
      b->new_policy = true;
      b->policy.epoch_bits = b->policy.epoch_bits == 8 ? 9 : 8;
      return true;
    case COMMIT_OWN: {
      uint8_t old[IDENTITY_KEY_LEN];
      memcpy (old, b->policy.owner, IDENTITY_KEY_LEN);
      b->new_policy = true;
      policy_drop_admin (&b->policy, b->person->key);
      memcpy (b->policy.owner, b->person->key, IDENTITY_KEY_LEN);
      return policy_add_admin (&b->policy, old);
    }
    case COMMIT_REMOVE_OWNER:
      if (!find_leaf (b, b->policy.owner, &leaf))
        return false;
      remove_leaf (b, leaf);
      return true;
    case COMMIT_NO_ROLE:
      add_somebody (b, (Role) 0, false);
      return !b->policy.locked;
    case COMMIT_TWICE:
      add_somebody (b, ROLE_PARTICIPANT, true);
      return !b->policy.locked;
    case COMMIT_TOO_MANY:
      b->new_policy = true;
      b->policy.max_members = 1;
      return true;
    case COMMIT_NOBODY:
      b->new_policy = true;
      b->policy.n_admins = 0;
      b->policy.owner[5] ^= 1;
      return true;
    case COMMIT_RECORDER:
      add_somebody (b, ROLE_RECORDER, false);
      return !b->policy.locked && b->policy.recording == WHO_NOBODY;
    case COMMIT_PUBLIC:
      b->request.handshake.public_message = true;
      return true;
    case COMMIT_DATA:
      b->request.handshake.authenticated_data = mls_slice ("hello", 5);
      return true;
    case COMMIT_REFERENCE:
      return propose (b, by_the_hub);
    case COMMIT_REINIT:
      b->reinit = (MlsReInit){ .group_id = mls_slice ("another", 7),
        .version = MLS_VERSION,
        .suite = (uint16_t) mls_epoch_suite (mls_group_epoch (b->group)),
        .extensions = mls_epoch_extensions (mls_group_epoch (b->group)) };
      b->other = (MlsProposalRequest){ .type = MLS_PROPOSAL_REINIT,
        .reinit = &b->reinit };
      b->request.other = &b->other;
      b->request.n_other = 1;
      return true;
    default:
      return false;
  }
}

/* What is wrong with them, for who reads of a break. */
static const char *const wrongs[] = { [COMMIT_PLAIN] = "by no admin",
  [COMMIT_PROMOTE] = "its committer made itself an admin",
  [COMMIT_UNLOCK] = "no admin changed the lock",
  [COMMIT_NAME] = "another name in the path's leaf",
  [COMMIT_ROLE] = "another role in the path's leaf",
  [COMMIT_CAPABILITIES] = "other capabilities in the path's leaf",
  [COMMIT_UNLOCK_ADD] = "unlocked and added",
  [COMMIT_LOCKED_ADD] = "added under lock",
  [COMMIT_NO_REQUIRED] = "dropped required_capabilities",
  [COMMIT_EXTERNAL_SENDERS] = "added external_senders",
  [COMMIT_OPENED] = "another `opened`",
  [COMMIT_BITS] = "other epoch_bits",
  [COMMIT_OWN] = "took the ownership",
  [COMMIT_REMOVE_OWNER] = "removed the owner",
  [COMMIT_NO_ROLE] = "added a leaf without a role",
  [COMMIT_TWICE] = "added a key twice",
  [COMMIT_TOO_MANY] = "more members than the policy allows",
  [COMMIT_NOBODY] = "no admin is left",
  [COMMIT_RECORDER] = "added a recorder where nobody may record",
  [COMMIT_PUBLIC] = "a PublicMessage",
  [COMMIT_DATA] = "with authenticated_data",
  [COMMIT_REFERENCE] = "proposals by reference",
  [COMMIT_REINIT] = "a ReInit" };

bool
insider_commit (Person *person, CommitBend bend, bool by_the_hub)
{
  World *world = person->world;
  MlsStaged *staged = NULL;
  MlsSlice extensions;
  Bent b = { .person = person, .group = insider_group (person) };

  if (!b.group)
    return false;
  b.policy = person->session->policy;
  b.request.handshake.padding = LIMIT_PADDING_COMMIT;
  bool ok = fill (&b, bend, by_the_hub);
  if (ok && b.new_policy) {
    put_extensions (&b, bend);
    extensions = mls_buffer_slice (&b.extensions);
    b.request.extensions = &extensions;
  }
  MlsResult result =
      ok ? mls_group_commit (b.group, &b.request, &staged) : MLS_MISUSE;
  if (b.tree) {
    mls_tree_free (b.group->epoch->tree);
    b.group->epoch->tree = b.tree;
  }
  if (result == MLS_OK) {
    const MlsEpoch *next = mls_staged_epoch (staged);
    world_say (world, "%u commits: %s", person->index, wrongs[bend]);
    if (next)
      g_hash_table_insert (world->forbidden,
          g_memdup2 (mls_epoch_authenticator (next), MLS_HASH_LEN),
          (gpointer) wrongs[bend]);
    insider_send (
        person, WIRE_COMMIT, mls_staged_message (staged), by_the_hub);
  } else if (ok) {
    world_say (world, "%u can't commit (%s): %s", person->index, wrongs[bend],
        mls_result_name (result));
  }
  mls_staged_free (staged);
  for (size_t i = 0; i < G_N_ELEMENTS (b.key_packages); i++)
    mls_key_package_free (b.key_packages[i]);
  mls_buffer_free (&b.extensions);
  return result == MLS_OK;
}

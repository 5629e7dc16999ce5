/* What members refuse of an admin who lies: each rule for commits, seen to be the one that refuses, since without it the same
 * commit passes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/mls/group_private.h"
#include "ext/session/session_private.h"

static const guint8 group_name[DOOR_GROUP_ID_LEN] = "group";

typedef struct
{
  Secret *seed;
  guint8 key[IDENTITY_KEY_LEN];
  char name[LIMIT_NAME + 1];
  Role role;
  bool bare; /* without the role's extension */
  MlsKeyPackage *key_package;
  MlsGroup *group;
} Party;

enum
{
  OWNER,
  ADMIN,
  MEMBER,
  RECORDER,
  OUTSIDER, /* not in the group */
  N_PARTIES
};

/* A group in epoch 1 of an owner, a co-host, a participant and a recorder; and somebody who is not in it. */
typedef struct
{
  Party p[N_PARTIES];
  Policy policy;
} Meeting;

static MlsClient
client_of (const Party *party, MlsExtension *role, guint8 *byte)
{
  static const guint16 types[] = { POLICY_EXTENSION, ROLE_EXTENSION };
  *byte = (guint8) party->role;
  *role = (MlsExtension){ ROLE_EXTENSION, { byte, 1 } };
  return (MlsClient){ .suite = MLS_SUITE_CHACHA20_POLY1305,
    .signature_seed = party->seed,
    .credential = { (const guint8 *) party->name, strlen (party->name) },
    .extension_types = types,
    .n_extension_types = 2,
    .leaf_extensions = role,
    .n_leaf_extensions = party->bare ? 0 : 1,
    .not_after = 2000 };
}

static void
party_init (Party *party, const char *name, Role role)
{
  guint8 secret[64];
  *party = (Party){ .seed = secret_random (MLS_KEY_LEN), .role = role };
  g_strlcpy (party->name, name, sizeof party->name);
  crypto_sign_seed_keypair (party->key, secret, secret_bytes (party->seed));
}

static MlsSlice
package (Party *party)
{
  MlsExtension role;
  guint8 byte;
  MlsClient client = client_of (party, &role, &byte);
  mls_key_package_free (party->key_package);
  fail_unless_equals_int (
      mls_key_package_new (&client, &party->key_package), MLS_OK);
  return mls_key_package_message (party->key_package);
}

static Meeting *
meeting_new (void (*change) (Policy *policy))
{
  static const char *const names[] = { "Owner", "Admin", "Member", "Recorder",
    "Outsider" };
  static const MlsSettings settings = { 16, 4, 0 };
  Meeting *m = g_new0 (Meeting, 1);
  MlsBuffer extensions = { 0 };
  MlsExtension role;
  guint8 byte;
  MlsSlice adds[3];
  MlsStaged *staged;

  for (int i = 0; i < N_PARTIES; i++)
    party_init (
        &m->p[i], names[i], i == RECORDER ? ROLE_RECORDER : ROLE_PARTICIPANT);
  m->policy = policy_default ();
  g_strlcpy (m->policy.meeting, "standup", sizeof m->policy.meeting);
  memcpy (m->policy.owner, m->p[OWNER].key, IDENTITY_KEY_LEN);
  policy_add_admin (&m->policy, m->p[ADMIN].key);
  if (change)
    change (&m->policy);
  fail_unless (extensions_write (&m->policy, &extensions));
  MlsClient client = client_of (&m->p[OWNER], &role, &byte);
  fail_unless_equals_int (
      mls_group_create (&client, mls_slice (group_name, DOOR_GROUP_ID_LEN),
          mls_buffer_slice (&extensions), &settings, &m->p[OWNER].group),
      MLS_OK);
  for (int i = 0; i < 3; i++)
    adds[i] = package (&m->p[ADMIN + i]);
  MlsCommitRequest request = { .add = adds, .n_add = 3, .path = true };
  fail_unless_equals_int (
      mls_group_commit (m->p[OWNER].group, &request, &staged), MLS_OK);
  for (int i = ADMIN; i <= RECORDER; i++)
    fail_unless_equals_int (
        mls_group_join (m->p[i].key_package, mls_staged_welcome (staged),
            (MlsSlice){ 0 }, NULL, 0, &settings, &m->p[i].group),
        MLS_OK);
  mls_group_merge (m->p[OWNER].group, staged, 0);
  mls_buffer_free (&extensions);
  return m;
}

static void
meeting_free (Meeting *m)
{
  session_check_switch_off (NULL);
  for (int i = 0; i < N_PARTIES; i++) {
    mls_group_free (m->p[i].group);
    mls_key_package_free (m->p[i].key_package);
    secret_unref (m->p[i].seed);
  }
  g_free (m);
}

/* The commit of `who`, as a member who is not in it sees it. */
static MlsStaged *
see (Meeting *m, int who, const MlsCommitRequest *request)
{
  MlsStaged *own, *seen;
  MlsEvent event;
  int by = who == OWNER ? ADMIN : OWNER;

  fail_unless_equals_int (
      mls_group_commit (m->p[who].group, request, &own), MLS_OK);
  fail_unless_equals_string (
      mls_result_name (mls_group_process (
          m->p[by].group, mls_staged_message (own), 0, &event)),
      "ok");
  seen = event.commit;
  event.commit = NULL;
  mls_event_clear (&event);
  mls_staged_free (own);
  return seen;
}

static bool
is_valid (Meeting *m, int who, MlsStaged *staged)
{
  Policy next;
  bool removed;
  int by = who == OWNER ? ADMIN : OWNER;
  return commit_is_valid (
      mls_group_epoch (m->p[by].group), &m->policy, staged, &next, &removed);
}

/* Refused, and by this check. */
static void
refused_by (
    Meeting *m, int who, const MlsCommitRequest *request, const char *check)
{
  MlsStaged *staged = see (m, who, request);
  fail_if (is_valid (m, who, staged), "%s does not refuse", check);
  fail_unless (session_check_switch_off (check));
  fail_unless (is_valid (m, who, staged), "not only %s refuses", check);
  session_check_switch_off (NULL);
  mls_staged_free (staged);
}

static void
accepted (Meeting *m, int who, const MlsCommitRequest *request)
{
  MlsStaged *staged = see (m, who, request);
  fail_unless (is_valid (m, who, staged));
  mls_staged_free (staged);
}

static MlsSlice
extensions_of (const Policy *policy, MlsBuffer *buffer)
{
  mls_buffer_free (buffer);
  *buffer = (MlsBuffer){ 0 };
  fail_unless (extensions_write (policy, buffer));
  return mls_buffer_slice (buffer);
}

GST_START_TEST (what_admins_may_do_is_valid)
{
  Meeting *m = meeting_new (NULL);
  MlsBuffer buffer = { 0 };
  MlsSlice add = package (&m->p[OUTSIDER]), extensions;
  guint32 leaf = 2;
  Policy next = m->policy;

  accepted (m, ADMIN, &(MlsCommitRequest){ 0 });
  accepted (m, ADMIN, &(MlsCommitRequest){ .add = &add, .n_add = 1 });
  accepted (m, ADMIN, &(MlsCommitRequest){ .remove = &leaf, .n_remove = 1 });
  next.locked = true;
  policy_add_admin (&next, m->p[MEMBER].key);
  extensions = extensions_of (&next, &buffer);
  accepted (m, ADMIN, &(MlsCommitRequest){ .extensions = &extensions });
  /* The owner hands over. */
  next = m->policy;
  policy_drop_admin (&next, m->p[ADMIN].key);
  memcpy (next.owner, m->p[ADMIN].key, IDENTITY_KEY_LEN);
  extensions = extensions_of (&next, &buffer);
  accepted (m, OWNER, &(MlsCommitRequest){ .extensions = &extensions });
  mls_buffer_free (&buffer);
  meeting_free (m);
}
GST_END_TEST;

GST_START_TEST (only_admins_commit)
{
  Meeting *m = meeting_new (NULL);
  refused_by (m, MEMBER, &(MlsCommitRequest){ 0 }, "COMMIT_BY_ADMIN");
  meeting_free (m);
}
GST_END_TEST;

GST_START_TEST (proposals_by_reference_are_void)
{
  Meeting *m = meeting_new (NULL);
  MlsProposalRequest remove = { .type = MLS_PROPOSAL_REMOVE, .removed = 2 };
  MlsHandshake plain = { 0 };
  MlsBuffer message = { 0 };
  MlsEvent event;

  fail_unless_equals_int (
      mls_group_propose (m->p[ADMIN].group, &remove, &plain, &message),
      MLS_OK);
  fail_unless_equals_int (mls_group_process (m->p[OWNER].group,
                              mls_buffer_slice (&message), 0, &event),
      MLS_OK);
  mls_event_clear (&event);
  mls_buffer_free (&message);
  refused_by (
      m, ADMIN, &(MlsCommitRequest){ .pending = true }, "COMMIT_BY_VALUE");
  meeting_free (m);
}
GST_END_TEST;

GST_START_TEST (other_proposals_are_void)
{
  Meeting *m = meeting_new (NULL);
  MlsReInit reinit = { mls_slice ("other", 5), MLS_VERSION,
    MLS_SUITE_CHACHA20_POLY1305, { 0 } };
  MlsProposalRequest other = { .type = MLS_PROPOSAL_REINIT,
    .reinit = &reinit };

  refused_by (m, ADMIN,
      &(MlsCommitRequest){ .other = &other, .n_other = 1, .path = true },
      "COMMIT_CONTENTS");
  meeting_free (m);
}
GST_END_TEST;

GST_START_TEST (a_path_leaf_keeps_name_and_role)
{
  for (int fault = 0; fault < 2; fault++) {
    Meeting *m = meeting_new (NULL);
    MlsGroup *group = m->p[ADMIN].group;
    MlsTree *tree = group->epoch->tree;
    guint32 own = mls_epoch_own_leaf (group->epoch);
    MlsLeafNode fields = mls_tree_leaf (tree, own)->node;
    MlsLeaf *before = mls_leaf_ref (mls_tree_leaf (tree, own));
    MlsBuffer bytes = { 0 }, extensions = { 0 };
    guint8 role = ROLE_LISTENER;

    if (fault == 0)
      fields.credential.content = mls_slice ("Owner", 5);
    mls_put_extension (&extensions, ROLE_EXTENSION, mls_slice (&role, 1));
    if (fault == 1)
      fields.extensions = mls_buffer_slice (&extensions);
    fail_unless (mls_leaf_node_sign (&bytes, &fields,
        secret_bytes (group->signature_key),
        mls_slice (group_name, DOOR_GROUP_ID_LEN), own));
    mls_tree_set_leaf (tree, own, mls_leaf_new (mls_buffer_slice (&bytes)));
    refused_by (m, ADMIN, &(MlsCommitRequest){ .path = true }, "COMMIT_LEAF");
    mls_tree_set_leaf (tree, own, before);
    mls_buffer_free (&bytes);
    mls_buffer_free (&extensions);
    meeting_free (m);
  }
}
GST_END_TEST;

GST_START_TEST (the_groups_extensions_stay_exactly_two)
{
  Meeting *m = meeting_new (NULL);
  MlsBuffer buffer = { 0 };
  MlsSlice extensions = extensions_of (&m->policy, &buffer), policy;

  /* external_senders, through which others could propose */
  mls_put_extension (
      &buffer, MLS_EXTENSION_EXTERNAL_SENDERS, mls_slice ("", 1));
  extensions = mls_buffer_slice (&buffer);
  refused_by (m, ADMIN, &(MlsCommitRequest){ .extensions = &extensions },
      "COMMIT_EXTENSIONS");
  /* without required_capabilities */
  fail_unless (mls_epoch_extension (
      m->p[OWNER].group->epoch, POLICY_EXTENSION, &policy));
  mls_buffer_free (&buffer);
  buffer = (MlsBuffer){ 0 };
  mls_put_extension (&buffer, POLICY_EXTENSION, policy);
  extensions = mls_buffer_slice (&buffer);
  refused_by (m, ADMIN, &(MlsCommitRequest){ .extensions = &extensions },
      "COMMIT_EXTENSIONS");
  mls_buffer_free (&buffer);
  meeting_free (m);
}
GST_END_TEST;

GST_START_TEST (what_is_constant_stays)
{
  for (int i = 0; i < 5; i++) {
    Meeting *m = meeting_new (NULL);
    MlsBuffer buffer = { 0 };
    Policy next = m->policy;
    if (i == 0)
      next.opened++;
    else if (i == 1)
      next.sframe_suite = SFRAME_AES_128_GCM_SHA256_128;
    else if (i == 2)
      next.epoch_bits++;
    else if (i == 3)
      next.index_bits++;
    else
      next.meeting[0] = 'S';
    MlsSlice extensions = extensions_of (&next, &buffer);
    refused_by (m, OWNER, &(MlsCommitRequest){ .extensions = &extensions },
        "COMMIT_CONSTANTS");
    mls_buffer_free (&buffer);
    meeting_free (m);
  }
}
GST_END_TEST;

GST_START_TEST (a_co_host_can_not_take_the_meeting)
{
  Meeting *m = meeting_new (NULL);
  MlsBuffer buffer = { 0 };
  Policy next = m->policy;
  guint32 leaf = 0;

  policy_drop_admin (&next, m->p[ADMIN].key);
  memcpy (next.owner, m->p[ADMIN].key, IDENTITY_KEY_LEN);
  MlsSlice extensions = extensions_of (&next, &buffer);
  refused_by (m, ADMIN, &(MlsCommitRequest){ .extensions = &extensions },
      "COMMIT_OWNER");
  mls_buffer_free (&buffer);

  /* The owner itself would see this one only as its removal. */
  MlsStaged *own;
  MlsEvent event;
  Policy out;
  bool removed;
  MlsCommitRequest request = { .remove = &leaf, .n_remove = 1 };
  fail_unless_equals_int (
      mls_group_commit (m->p[ADMIN].group, &request, &own), MLS_OK);
  for (int by = OWNER; by <= MEMBER; by += 2) {
    fail_unless_equals_int (mls_group_process (m->p[by].group,
                                mls_staged_message (own), 0, &event),
        MLS_OK);
    fail_if (commit_is_valid (
        m->p[by].group->epoch, &m->policy, event.commit, &out, &removed));
    session_check_switch_off ("COMMIT_OWNER_LEAF");
    fail_unless (commit_is_valid (
        m->p[by].group->epoch, &m->policy, event.commit, &out, &removed));
    session_check_switch_off (NULL);
    mls_event_clear (&event);
  }
  mls_staged_free (own);

  /* An owner that lost its memory comes back by a co-host. */
  MlsSlice add = package (&m->p[OWNER]);
  request.add = &add;
  request.n_add = 1;
  fail_unless_equals_int (
      mls_group_commit (m->p[ADMIN].group, &request, &own), MLS_OK);
  fail_unless_equals_int (mls_group_process (m->p[MEMBER].group,
                              mls_staged_message (own), 0, &event),
      MLS_OK);
  fail_unless (commit_is_valid (
      m->p[MEMBER].group->epoch, &m->policy, event.commit, &out, &removed));
  fail_if (removed);
  mls_event_clear (&event);
  mls_staged_free (own);
  meeting_free (m);
}
GST_END_TEST;

static void
lock (Policy *policy)
{
  policy->locked = true;
}

GST_START_TEST (a_lock_holds_for_the_commit_that_opens_it)
{
  Meeting *m = meeting_new (lock);
  MlsBuffer buffer = { 0 };
  Policy next = m->policy;
  MlsSlice add = package (&m->p[OUTSIDER]);
  guint32 leaf = 2;

  refused_by (m, ADMIN, &(MlsCommitRequest){ .add = &add, .n_add = 1 },
      "COMMIT_LOCKED");
  next.locked = false;
  MlsSlice extensions = extensions_of (&next, &buffer);
  refused_by (m, ADMIN,
      &(MlsCommitRequest){
          .add = &add, .n_add = 1, .extensions = &extensions },
      "COMMIT_LOCKED");
  /* A removal of somebody else does not help; of the same key it does. */
  refused_by (m, ADMIN,
      &(MlsCommitRequest){
          .add = &add, .n_add = 1, .remove = &leaf, .n_remove = 1 },
      "COMMIT_LOCKED");
  add = package (&m->p[MEMBER]);
  accepted (m, ADMIN,
      &(MlsCommitRequest){
          .add = &add, .n_add = 1, .remove = &leaf, .n_remove = 1 });
  mls_buffer_free (&buffer);
  meeting_free (m);
}
GST_END_TEST;

GST_START_TEST (added_leaves_obey_the_rules)
{
  for (int fault = 0; fault < 3; fault++) {
    Meeting *m = meeting_new (NULL);
    Party *p = &m->p[OUTSIDER];
    if (fault == 0)
      p->bare = true;
    else if (fault == 1)
      g_strlcpy (p->name, "Ann\xe2\x80\xae", sizeof p->name);
    else
      p->role = (Role) 9;
    MlsSlice add = package (p);
    refused_by (m, ADMIN, &(MlsCommitRequest){ .add = &add, .n_add = 1 },
        "COMMIT_ADDED_LEAF");
    meeting_free (m);
  }
}
GST_END_TEST;

static void
four (Policy *policy)
{
  policy->max_members = 4;
}

GST_START_TEST (a_full_group_grows_no_more)
{
  Meeting *m = meeting_new (four);
  MlsSlice add = package (&m->p[OUTSIDER]);
  guint32 leaf = 2;
  refused_by (
      m, ADMIN, &(MlsCommitRequest){ .add = &add, .n_add = 1 }, "COMMIT_FULL");
  accepted (m, ADMIN,
      &(MlsCommitRequest){
          .add = &add, .n_add = 1, .remove = &leaf, .n_remove = 1 });
  meeting_free (m);
}
GST_END_TEST;

GST_START_TEST (an_admin_stays)
{
  Meeting *m = meeting_new (NULL);
  MlsBuffer buffer = { 0 };
  Policy next = m->policy;
  policy_drop_admin (&next, m->p[ADMIN].key);
  memcpy (next.owner, m->p[OUTSIDER].key, IDENTITY_KEY_LEN);
  MlsSlice extensions = extensions_of (&next, &buffer);
  refused_by (m, OWNER, &(MlsCommitRequest){ .extensions = &extensions },
      "COMMIT_AN_ADMIN");
  mls_buffer_free (&buffer);
  meeting_free (m);
}
GST_END_TEST;

GST_START_TEST (no_recorder_where_recording_is_nobodys)
{
  Meeting *m = meeting_new (NULL);
  MlsBuffer buffer = { 0 };
  Policy next = m->policy;
  guint32 leaf = 3;
  next.recording = WHO_NOBODY;
  MlsSlice extensions = extensions_of (&next, &buffer);
  refused_by (m, ADMIN, &(MlsCommitRequest){ .extensions = &extensions },
      "COMMIT_RECORDING");
  accepted (m, ADMIN,
      &(MlsCommitRequest){
          .extensions = &extensions, .remove = &leaf, .n_remove = 1 });
  m->p[OUTSIDER].role = ROLE_RECORDER;
  MlsSlice add = package (&m->p[OUTSIDER]);
  refused_by (m, ADMIN,
      &(MlsCommitRequest){ .extensions = &extensions,
          .remove = &leaf,
          .n_remove = 1,
          .add = &add,
          .n_add = 1 },
      "COMMIT_RECORDING");
  mls_buffer_free (&buffer);
  meeting_free (m);
}
GST_END_TEST;

/* A path whose ciphertexts are for another key than the member's: signed by an admin all the same, who has a name. */
static void
nobody_records (Policy *policy)
{
  policy->recording = WHO_NOBODY;
}

/* What a joiner says of the group that `m`'s outsider is let into by its owner. */
static bool
welcome_is_good (Meeting *m)
{
  static const MlsSettings settings = { 16, 4, 0 };
  MlsSlice add = package (&m->p[OUTSIDER]);
  MlsCommitRequest request = { .add = &add, .n_add = 1 };
  MlsStaged *staged;
  MlsGroup *group = NULL;
  Session session = { 0 };
  Knock knock = { 0 };
  Policy policy;
  bool ok;

  fail_unless_equals_int (
      mls_group_commit (m->p[OWNER].group, &request, &staged), MLS_OK);
  fail_unless_equals_int (
      mls_group_join (m->p[OUTSIDER].key_package, mls_staged_welcome (staged),
          (MlsSlice){ 0 }, NULL, 0, &settings, &group),
      MLS_OK);
  g_strlcpy (session.link.meeting, "standup", sizeof session.link.meeting);
  memcpy (knock.reply.host_key, m->p[OWNER].key, IDENTITY_KEY_LEN);
  knock.reply.suite = MLS_SUITE_CHACHA20_POLY1305;
  MlsSlice id = mls_epoch_group_id (mls_group_epoch (group));
  memcpy (knock.reply.group_id, id.data, MIN (id.len, DOOR_GROUP_ID_LEN));
  knock.key_packages[0] = m->p[OUTSIDER].key_package;
  welcome_check (&session, group, &knock, &policy, &ok);
  mls_group_free (group);
  mls_staged_free (staged);
  return ok;
}

GST_START_TEST (no_welcome_has_a_recorder_where_nobody_may_record)
{
  Meeting *m = meeting_new (NULL);
  fail_unless (welcome_is_good (m));
  meeting_free (m);

  m = meeting_new (nobody_records); /* and has a recorder in it */
  fail_if (welcome_is_good (m));
  fail_unless (session_check_switch_off ("WELCOME_RECORDING"));
  fail_unless (welcome_is_good (m), "not only WELCOME_RECORDING refuses");
  meeting_free (m);
}
GST_END_TEST;

GST_START_TEST (who_sends_a_path_that_can_not_be_followed_is_known)
{
  Meeting *m = meeting_new (NULL);
  MlsTree *tree = m->p[ADMIN].group->epoch->tree;
  MlsLeafNode fields = mls_tree_leaf (tree, 2)->node;
  guint8 other[MLS_KEY_LEN], secret[MLS_KEY_LEN];
  MlsBuffer bytes = { 0 };
  MlsStaged *own;
  MlsEvent event;

  crypto_box_keypair (other, secret);
  fields.encryption_key = mls_slice (other, sizeof other);
  mls_leaf_node_put (&bytes, &fields);
  mls_tree_set_leaf (tree, 2, mls_leaf_new (mls_buffer_slice (&bytes)));
  MlsCommitRequest request = { .path = true };
  fail_unless_equals_int (
      mls_group_commit (m->p[ADMIN].group, &request, &own), MLS_OK);
  fail_if (mls_group_process (
               m->p[MEMBER].group, mls_staged_message (own), 0, &event)
           == MLS_OK);
  fail_unless (event.authentic);
  fail_unless_equals_int (event.sender.index, 1);
  mls_event_clear (&event);

  /* What nobody signed names nobody. */
  MlsSlice message = mls_staged_message (own);
  guint8 *changed = g_memdup2 (message.data, message.len);
  changed[message.len - 1] ^= 1;
  fail_if (mls_group_process (
               m->p[MEMBER].group, mls_slice (changed, message.len), 0, &event)
           == MLS_OK);
  fail_if (event.authentic);
  mls_event_clear (&event);
  g_free (changed);
  mls_staged_free (own);
  mls_buffer_free (&bytes);
  meeting_free (m);
}
GST_END_TEST;

GST_START_TEST (every_check_has_a_name_a_section_and_a_meaning)
{
  for (int i = 0; i < SESSION_N_CHECKS; i++) {
    const char *name = session_check_name ((SessionCheck) i);
    fail_unless (session_check_switch_off (name));
    fail_unless (session_check_is_off ((SessionCheck) i));
    fail_unless (*session_check_section ((SessionCheck) i) != '\0'
                 && *session_check_meaning ((SessionCheck) i) != '\0');
    session_check_switch_off (NULL);
    fail_if (session_check_is_off ((SessionCheck) i));
  }
  fail_if (session_check_switch_off ("NO_SUCH_CHECK"));
}
GST_END_TEST;

static Suite *
session_checks_suite (void)
{
  Suite *s = suite_create ("session-checks");
  TCase *tc = tcase_create ("checks");

  tcase_set_timeout (tc, 60);
  suite_add_tcase (s, tc);
  tcase_add_test (tc, what_admins_may_do_is_valid);
  tcase_add_test (tc, only_admins_commit);
  tcase_add_test (tc, proposals_by_reference_are_void);
  tcase_add_test (tc, other_proposals_are_void);
  tcase_add_test (tc, a_path_leaf_keeps_name_and_role);
  tcase_add_test (tc, the_groups_extensions_stay_exactly_two);
  tcase_add_test (tc, what_is_constant_stays);
  tcase_add_test (tc, a_co_host_can_not_take_the_meeting);
  tcase_add_test (tc, a_lock_holds_for_the_commit_that_opens_it);
  tcase_add_test (tc, added_leaves_obey_the_rules);
  tcase_add_test (tc, a_full_group_grows_no_more);
  tcase_add_test (tc, an_admin_stays);
  tcase_add_test (tc, no_recorder_where_recording_is_nobodys);
  tcase_add_test (tc, no_welcome_has_a_recorder_where_nobody_may_record);
  tcase_add_test (tc, who_sends_a_path_that_can_not_be_followed_is_known);
  tcase_add_test (tc, every_check_has_a_name_a_section_and_a_meaning);
  return s;
}

PURE_CHECK_MAIN (session_checks)

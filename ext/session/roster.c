/* Who is in the group.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

Member *
roster_find (const Session *session, const uint8_t *key)
{
  uint32_t leaf;
  if (!session->group
      || !mls_epoch_find (mls_group_epoch (session->group),
          mls_slice (key, IDENTITY_KEY_LEN), &leaf)
      || leaf >= LIMIT_MEMBERS)
    return NULL;
  Member *member = session->by_leaf[leaf];
  return member && key_equal (member->key, key) ? member : NULL;
}

Member *
roster_by_peer (const Session *session, uint64_t peer)
{
  for (guint i = 0; i < session->members->len; i++) {
    Member *member = g_ptr_array_index (session->members, i);
    if (member->peer == peer)
      return member;
  }
  return NULL;
}

static bool
is_self (const Session *session, const uint8_t *key)
{
  return key_equal (key, self_key (session));
}

/* What known identities are kept under: names may hold spaces and any script. */
static KnownVerdict
look_up (const Session *session, const char *name, const uint8_t *key)
{
  uint8_t fingerprint[IDENTITY_FINGERPRINT_LEN];
  char *escaped, *entry;

  if (!session->known)
    return KNOWN_NEW;
  identity_fingerprint (key, fingerprint);
  escaped = g_uri_escape_string (name, NULL, FALSE);
  entry = g_strconcat ("name:", escaped, NULL);
  KnownVerdict verdict =
      known_check (session->known, entry, fingerprint, NULL);
  g_free (escaped);
  g_free (entry);
  return verdict;
}

static void
describe (const Session *session, const uint8_t *key, const char *name,
    Role role, SessionMember *out)
{
  uint8_t fingerprint[IDENTITY_FINGERPRINT_LEN];

  memcpy (out->key, key, IDENTITY_KEY_LEN);
  g_strlcpy (out->name, name, sizeof out->name);
  identity_fingerprint (key, fingerprint);
  fingerprint_short (fingerprint, out->fingerprint);
  out->role = role;
  out->owner = session->group && policy_is_owner (&session->policy, key);
  out->admin = session->group && policy_is_admin (&session->policy, key);
  out->self = is_self (session, key);
  out->verdict = look_up (session, name, key);
  for (guint i = 0; i < session->members->len; i++) {
    const Member *other = g_ptr_array_index (session->members, i);
    bool same_name = strcmp (other->name, name) == 0;
    if (same_name && !key_equal (other->key, key))
      out->double_name = true;
  }
}

void
roster_describe (
    const Session *session, const Member *member, SessionMember *out)
{
  *out = (SessionMember){ .leaf = member->leaf,
    .peer = member->peer,
    .hand = member->hand,
    .recording = member->recording };
  describe (session, member->key, member->name, member->role, out);
}

void
roster_describe_guest (
    const Session *session, const Guest *guest, SessionMember *out)
{
  *out = (SessionMember){
    .peer = guest->peer, .leaf = UINT32_MAX, .recording = RECORDING_OFF
  };
  describe (session, guest->key, guest->name, guest->role, out);
}

static Member *
add (Session *session, uint32_t leaf_index, const MlsLeafNode *leaf,
    uint64_t epoch)
{
  LeafFacts facts = { 0 };

  /* A leaf that a switched-off check let in has what it has. */
  if (leaf_index >= LIMIT_MEMBERS || session->by_leaf[leaf_index]
      || leaf->signature_key.len != IDENTITY_KEY_LEN)
    return NULL;
  if (!leaf_read (leaf, &facts)) {
    facts.key = leaf->signature_key.data;
    facts.role = ROLE_LISTENER;
  }
  Member *member = g_new0 (Member, 1);
  memcpy (member->key, facts.key, IDENTITY_KEY_LEN);
  g_strlcpy (member->name, facts.name, sizeof member->name);
  member->role = facts.role;
  member->leaf = leaf_index;
  member->since_epoch = epoch;
  member->since = session->mono;
  member->recording = RECORDING_OFF;
  member->track_highest = -1;

  guint at = session->members->len;
  while (at > 0
         && ((Member *) g_ptr_array_index (session->members, at - 1))->leaf
                > leaf_index)
    at--;
  g_ptr_array_insert (session->members, (gint) at, member);
  session->by_leaf[leaf_index] = member;
  return member;
}

static void
drop (Session *session, Member *member, bool tell)
{
  if (!SESSION_CHECK (KEY_REMOVED_LEAF, false))
    keys_drop_member (session, member->key);
  if (tell) {
    out_member_event (session, SESSION_EVENT_LEFT, member);
    SessionEvent *event = g_queue_peek_tail (&session->events);
    event->reason = admin_removed_key (session, member->key) ? LEFT_REMOVED
                                                             : LEFT_BY_ITSELF;
  }
  session->by_leaf[member->leaf] = NULL;
  g_ptr_array_remove (session->members, member);
  g_ptr_array_remove (session->admins, member);
  g_free (member);
}

void
roster_fill (Session *session)
{
  const MlsEpoch *epoch = mls_group_epoch (session->group);

  for (uint32_t i = 0; i < mls_epoch_leaves (epoch); i++) {
    const MlsLeafNode *leaf = mls_epoch_leaf (epoch, i);
    if (leaf)
      add (session, i, leaf, mls_epoch_number (epoch));
  }
  roster_policy (session);
  for (guint i = 0; i < session->members->len; i++)
    out_member_event (session, SESSION_EVENT_JOINED,
        g_ptr_array_index (session->members, i));
}

void
roster_apply (Session *session, const MlsStaged *staged)
{
  const MlsEpoch *next = mls_staged_epoch (staged);
  GPtrArray *joined = g_ptr_array_new ();

  for (size_t i = 0; i < mls_staged_changes (staged); i++) {
    MlsChange change = mls_staged_change (staged, i);
    if (change.type == MLS_PROPOSAL_REMOVE && change.leaf_index < LIMIT_MEMBERS
        && session->by_leaf[change.leaf_index])
      drop (session, session->by_leaf[change.leaf_index], true);
  }
  for (size_t i = 0; i < mls_staged_changes (staged); i++) {
    MlsChange change = mls_staged_change (staged, i);
    Member *member = change.type == MLS_PROPOSAL_ADD
                         ? add (session, change.leaf_index, change.after,
                             mls_epoch_number (next))
                         : NULL;
    if (member)
      g_ptr_array_add (joined, member);
  }
  for (guint i = 0; i < joined->len; i++)
    out_member_event (
        session, SESSION_EVENT_JOINED, g_ptr_array_index (joined, i));
  g_ptr_array_unref (joined);
}

void
roster_policy (Session *session)
{
  g_ptr_array_set_size (session->admins, 0);
  for (guint i = 0; i < session->members->len; i++) {
    Member *member = g_ptr_array_index (session->members, i);
    bool is_admin = policy_is_admin (&session->policy, member->key);
    if (is_admin)
      g_ptr_array_add (session->admins, member);
    if (is_admin && member->admin_since == 0) {
      member->admin_since = MAX (session->mono, 1);
      member->heard = false;
      member->good = 0;
    } else if (!is_admin) {
      member->admin_since = 0;
      member->split = false;
    }
  }
}

void
roster_clear (Session *session, bool tell)
{
  while (session->members->len > 0)
    drop (session, g_ptr_array_index (session->members, 0), tell);
}

/* ---- What the caller may ask ---- */

size_t
session_members (const Session *session)
{
  return session->members->len;
}

bool
session_member (const Session *session, size_t i, SessionMember *out)
{
  if (i >= session->members->len)
    return false;
  roster_describe (session, g_ptr_array_index (session->members, i), out);
  return true;
}

bool
session_find_member (
    const Session *session, const uint8_t *key, SessionMember *out)
{
  const Member *member = roster_find (session, key);
  if (member)
    roster_describe (session, member, out);
  return member != NULL;
}

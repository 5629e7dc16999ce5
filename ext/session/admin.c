/* What an admin may do, and what it has to do without being asked (section 4, "Duties").
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

#define LEAVE_WAIT_MS 5000

bool
admin_is (const Session *session)
{
  return session->group
         && policy_is_admin (&session->policy, self_key (session));
}

static bool
is_owner (const Session *session)
{
  return session->group
         && policy_is_owner (&session->policy, self_key (session));
}

size_t
admin_count (const Session *session)
{
  return MAX (session->admins->len, 1);
}

size_t
admin_rank (const Session *session)
{
  uint32_t own = mls_epoch_own_leaf (mls_group_epoch (session->group));
  size_t n = 0;
  for (guint i = 0; i < session->admins->len; i++)
    n += ((Member *) g_ptr_array_index (session->admins, i))->leaf < own;
  return n;
}

/* ---- Removed keys ---- */

bool
admin_removed_key (const Session *session, const uint8_t *key)
{
  for (guint i = 0; i < session->removed->len; i++)
    if (key_equal (g_ptr_array_index (session->removed, i), key))
      return true;
  return false;
}

void
admin_remember_removed (Session *session, const uint8_t *key)
{
  if (admin_removed_key (session, key))
    return;
  if (session->removed->len == LIMIT_REMOVED)
    g_ptr_array_remove_index (session->removed, 0);
  g_ptr_array_add (session->removed, g_memdup2 (key, IDENTITY_KEY_LEN));
}

/* "after it, `password` and `open` act as waiting room until an admin says otherwise" */
void
admin_hold (Session *session, bool held)
{
  bool matters = session->policy.admission == ADMISSION_PASSWORD
                 || session->policy.admission == ADMISSION_OPEN;
  if (session->held == held)
    return;
  session->held = held;
  if (matters)
    out_flag (session, SESSION_EVENT_ADMISSION_HELD, held);
  if (!held && session->group)
    host_recheck (session);
}

/* ---- Who leaves ---- */

void
admin_leaver (Session *session, const Member *member, bool bye)
{
  uint64_t wait = CLAMP ((uint64_t) session->members->len * 5,
      LIMIT_LEAVE_MIN_MS, LIMIT_LEAVE_MAX_MS);

  if (!session->group || policy_is_owner (&session->policy, member->key)
      || key_equal (member->key, self_key (session)))
    return;
  Removal *removal = commits_remove (session, member, session->mono + wait);
  removal->bye |= bye;
}

void
admin_is_back (Session *session, const Member *member)
{
  for (guint i = session->removals->len; i > 0; i--) {
    const Removal *removal = g_ptr_array_index (session->removals, i - 1);
    if (!removal->person && !removal->bye
        && key_equal (removal->key, member->key))
      g_ptr_array_remove_index (session->removals, i - 1);
  }
}

/* ---- Chains ---- */

GBytes *
admin_find_chain (const Session *session, const uint8_t *key)
{
  GBytes *bytes = g_bytes_new_static (key, IDENTITY_KEY_LEN);
  GBytes *chain = g_hash_table_lookup (session->chains, bytes);
  g_bytes_unref (bytes);
  return chain;
}

static void
keep_chain (
    Session *session, const uint8_t *key, const void *chain, size_t len)
{
  g_hash_table_replace (session->chains, g_bytes_new (key, IDENTITY_KEY_LEN),
      g_bytes_new (chain, len));
}

static gboolean
is_no_admin (gpointer key, gpointer value, gpointer user)
{
  return !policy_is_admin (user, g_bytes_get_data (key, NULL));
}

/* Who opened the meeting is the key in the link, also when it has handed over; who was named has a chain from there. */
bool
admin_can_show (const Session *session)
{
  return session->chain.count > 0 || session->owner;
}

/* Signs the link by which `key` shows that we named it, and tells it to all: it may lose its memory. */
static void
name_admin (Session *session, const uint8_t *key, bool owner)
{
  DoorChain chain = session->chain;
  uint8_t bytes[DOOR_MAX_CHAIN];
  Message message = { .type = MESSAGE_CHAIN };
  MlsSlice group_id = mls_epoch_group_id (mls_group_epoch (session->group));

  if (chain.count == 0)
    memcpy (chain.root, self_key (session), IDENTITY_KEY_LEN);
  if (chain.count == DOOR_MAX_LINKS
      || !door_sign_link (session->identity, session->link.meeting,
          group_id.data, key, owner, &chain.links[chain.count]))
    return;
  chain.count++;
  Writer w = writer_init (bytes, sizeof bytes);
  door_write_chain (&w, &chain);
  memcpy (message.chain.key, key, IDENTITY_KEY_LEN);
  message.chain.chain = blob_copy (bytes, writer_len (&w));
  keep_chain (session, key, bytes, writer_len (&w));
  talk_say (session, &message);
}

/* Whom an owner named that crashed before it could say so has no chain: the owner that comes back signs it. */
void
admin_name_all (Session *session)
{
  const Policy *policy = &session->policy;

  if (!is_owner (session) || !admin_can_show (session))
    return;
  for (size_t i = 0; i < policy->n_admins; i++)
    if (!admin_find_chain (session, policy->admins[i]))
      name_admin (session, policy->admins[i], false);
}

void
admin_chain (Session *session, const uint8_t *key, const Blob *chain)
{
  DoorChain parsed;
  uint8_t root[IDENTITY_FINGERPRINT_LEN];
  MlsSlice group_id = mls_epoch_group_id (mls_group_epoch (session->group));

  if (!policy_is_admin (&session->policy, key)
      || !door_parse_chain (reader_init (chain->data, chain->len), &parsed)
      || parsed.count == 0)
    return;
  identity_fingerprint (parsed.root, root);
  if ((session->link.has_host_key
          && sodium_memcmp (root, session->link.host_key, sizeof root) != 0)
      || !door_chain_leads_to (
          &parsed, root, session->link.meeting, group_id.data, key)) {
    session->stats.bad_messages++;
    return;
  }
  keep_chain (session, key, chain->data, chain->len);
  if (key_equal (key, self_key (session)))
    session->chain = parsed;
}

/* ---- A new epoch ---- */

static void
finish_leave (Session *session)
{
  Message bye = { .type = MESSAGE_BYE };
  session->leaving = true;
  session->leave_at = session->mono + LEAVE_WAIT_MS;
  if (!talk_say (session, &bye))
    session->leave_at = session->mono;
}

void
admin_heard (Session *session, const Member *member, uint64_t epoch)
{
  if (!session->heir_awaited
      || !policy_is_owner (&session->policy, member->key)
      || epoch != mls_epoch_number (mls_group_epoch (session->group)))
    return;
  session->heir_awaited = false;
  finish_leave (session);
}

void
admin_epoch (Session *session, const Policy *before, bool own)
{
  const Policy *policy = &session->policy;
  const uint8_t *self = self_key (session);
  bool was = policy_is_admin (before, self), is = admin_is (session),
       owned = policy_is_owner (before, self),
       changed = before->n_admins != policy->n_admins
                 || !key_equal (before->owner, policy->owner)
                 || memcmp (before->admins, policy->admins,
                        policy->n_admins * IDENTITY_KEY_LEN)
                        != 0;

  if (own && owned && !policy_is_owner (policy, self))
    name_admin (session, policy->owner, true);
  if (changed) {
    g_hash_table_foreach_remove (
        session->chains, is_no_admin, (gpointer) policy);
    admin_name_all (session);
  }
  if (before->admission != policy->admission)
    admin_hold (session, false);
  if (is && !was) {
    session->heartbeat_at = session->mono;
    if (!session->hub.attending)
      hub_attend (session);
  } else if (was && !is) {
    host_drop_guests (session);
    session->hub.attending = false;
  }
  if (changed)
    hub_tell_admins (session);
  /* The one before tells the hub that the meeting is ours; what changes from now on is ours to tell. */
  if (!owned && policy_is_owner (policy, self))
    session->hub.is_owner = true;
  hub_credits (session);
  admin_enforce (session);
  if (session->leaving && owned && !policy_is_owner (policy, self))
    session->heir_awaited = true;
}

/* ---- Acts ---- */

bool
session_remove (Session *session, const uint8_t *key)
{
  const Member *member = roster_find (session, key);
  Message message = { .type = MESSAGE_REMOVED };

  if (!admin_is (session) || !member || policy_is_owner (&session->policy, key)
      || key_equal (key, self_key (session)))
    return false;
  memcpy (message.removed, key, IDENTITY_KEY_LEN);
  if (!talk_say (session, &message))
    return false;
  admin_remember_removed (session, key);
  admin_hold (session, true);
  if (policy_is_admin (&session->policy, key))
    memcpy (commits_wish (session, WISH_DEMOTE)->key, key, IDENTITY_KEY_LEN);
  commits_remove (session, member, session->mono)->person = true;
  commits_want (session, true);
  record_update (session);
  return true;
}

bool
session_release_admission (Session *session)
{
  Message message = { .type = MESSAGE_ADMISSION };
  if (!admin_is (session) || !talk_say (session, &message))
    return false;
  admin_hold (session, false);
  return true;
}

bool
session_lock (Session *session, bool locked)
{
  if (!admin_is (session))
    return false;
  commits_wish (session, WISH_LOCK)->locked = locked;
  return true;
}

bool
session_set_policy (Session *session, const Policy *policy)
{
  Policy next = session->policy;

  if (!admin_is (session))
    return false;
  next.admission = policy->admission;
  next.screen_share = policy->screen_share;
  next.recording = policy->recording;
  next.consent = policy->consent;
  next.hand_over = policy->hand_over;
  next.max_members = policy->max_members;
  if (!policy_is_sound (&next) || next.max_members < session->members->len
      || (next.admission == ADMISSION_PASSWORD && !session->password))
    return false;
  commits_wish (session, WISH_POLICY)->policy = next;
  /* Saying which admission counts is saying otherwise. */
  if (session->held)
    session_release_admission (session);
  return true;
}

static bool
wish_about (Session *session, WishType type, const uint8_t *key)
{
  const Member *member = roster_find (session, key);

  if (!is_owner (session) || policy_is_owner (&session->policy, key)
      || (type != WISH_DEMOTE
          && (!member || member->role != ROLE_PARTICIPANT
              || admin_removed_key (session, key))))
    return false;
  /* Links are signed by owners, and a chain has at most four. */
  if (type != WISH_DEMOTE && session->chain.count == DOOR_MAX_LINKS)
    return false;
  memcpy (commits_wish (session, type)->key, key, IDENTITY_KEY_LEN);
  return true;
}

bool
session_promote (Session *session, const uint8_t *key)
{
  if (session->policy.n_admins == LIMIT_ADMINS
      || policy_is_admin (&session->policy, key))
    return false;
  return wish_about (session, WISH_PROMOTE, key);
}

bool
session_demote (Session *session, const uint8_t *key)
{
  return policy_is_admin (&session->policy, key)
         && wish_about (session, WISH_DEMOTE, key);
}

bool
session_hand_over (Session *session, const uint8_t *key)
{
  return wish_about (session, WISH_HAND_OVER, key);
}

bool
session_rotate (Session *session)
{
  if (!admin_is (session))
    return false;
  session->rekey_wished = true;
  commits_want (session, true);
  return true;
}

bool
session_end (Session *session)
{
  Message message = { .type = MESSAGE_END };

  if (!is_owner (session) || !talk_say (session, &message))
    return false;
  session->leaving = true;
  session->leave_at = session->mono + LEAVE_WAIT_MS;
  return true;
}

/* Who takes over: the admin that has been there longest, or else such a participant. */
static const Member *
find_heir (const Session *session)
{
  const Member *best = NULL;
  const uint8_t *self = self_key (session);

  for (guint i = 0; i < session->members->len; i++) {
    const Member *member = g_ptr_array_index (session->members, i);
    if (member->role != ROLE_PARTICIPANT || key_equal (member->key, self))
      continue;
    bool is_admin = policy_is_admin (&session->policy, member->key),
         best_is = best && policy_is_admin (&session->policy, best->key);
    if (!best || (is_admin && !best_is)
        || (is_admin == best_is && member->since_epoch < best->since_epoch))
      best = member;
  }
  return best;
}

bool
session_leave (Session *session)
{
  if (session_is_over (session) || session->leaving)
    return false;
  if (!session->group || !hub_is_member (session)) {
    session_finish (session, SESSION_LEFT, 0, 0);
    return true;
  }
  if (!is_owner (session)) {
    finish_leave (session);
    return true;
  }
  const Member *heir = session->policy.hand_over == HAND_OVER_LONGEST_PRESENT
                               && session->chain.count < DOOR_MAX_LINKS
                           ? find_heir (session)
                           : NULL;
  if (!heir)
    return session_end (session);
  session->leaving = true;
  session->leave_at = session->mono + LEAVE_WAIT_MS;
  memcpy (
      commits_wish (session, WISH_GIVE_UP)->key, heir->key, IDENTITY_KEY_LEN);
  return true;
}

void
admin_enforce (Session *session)
{
  for (guint i = 0; i < session->removed->len && admin_is (session); i++) {
    const Member *member =
        roster_find (session, g_ptr_array_index (session->removed, i));
    if (!member || policy_is_owner (&session->policy, member->key)
        || key_equal (member->key, self_key (session))
        || commits_is_leaving (session, member->key))
      continue;
    /* Who is here and did not know would let it in again. */
    Message message = { .type = MESSAGE_REMOVED };
    memcpy (message.removed, member->key, IDENTITY_KEY_LEN);
    talk_say (session, &message);
    commits_remove (session, member, session->mono);
  }
}

/* In a room that forgot all places those who did not come have no `gone`. */
static void
remove_absent (Session *session)
{
  session->absent_at = UINT64_MAX;
  for (guint i = 0; i < session->members->len && admin_is (session); i++) {
    const Member *member = g_ptr_array_index (session->members, i);
    if (member->peer == 0)
      admin_leaver (session, member, false);
  }
}

void
admin_tick (Session *session)
{
  if (session->mono >= session->absent_at)
    remove_absent (session);
  /* The hub keeps our last word back: the others will notice that we are gone. */
  if (session->heir_awaited && session->mono >= session->leave_at) {
    session->heir_awaited = false;
    if (session->group)
      finish_leave (session);
  }
  if (session->leaving && session->mono >= session->leave_at)
    session_finish (session, SESSION_LEFT, 0, 0);
}

uint64_t
admin_deadline (const Session *session)
{
  return MIN (
      session->absent_at, session->leaving ? session->leave_at : UINT64_MAX);
}

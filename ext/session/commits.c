/* Our own commits, as an admin: built from what is wanted, and built again when another one won. What is wanted is told by
 * identity keys, never by leaf indices, which may be somebody else's by the time it is done.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

#define MAX_ADDS 256 /* in one commit; the rest goes into the next */

void
commits_want (Session *session, bool now)
{
  if (now)
    session->commit_now = true;
  else if (session->batch_at == 0)
    session->batch_at = session->mono + LIMIT_BATCH_MS;
}

bool
commits_is_candidate (const Session *session, MlsSlice message)
{
  return session->candidate
         && mls_slice_equal (mls_staged_message (session->candidate), message);
}

Wish *
commits_wish (Session *session, WishType type)
{
  Wish *wish = g_new0 (Wish, 1);
  wish->type = type;
  g_ptr_array_add (session->wishes, wish);
  commits_want (session, true);
  return wish;
}

bool
commits_is_leaving (const Session *session, const uint8_t *key)
{
  for (guint i = 0; i < session->removals->len; i++)
    if (key_equal (
            ((Removal *) g_ptr_array_index (session->removals, i))->key, key))
      return true;
  return false;
}

Removal *
commits_remove (Session *session, const Member *member, uint64_t due)
{
  for (guint i = 0; i < session->removals->len; i++) {
    Removal *removal = g_ptr_array_index (session->removals, i);
    if (key_equal (removal->key, member->key)) {
      removal->due = MIN (removal->due, due);
      return removal;
    }
  }
  Removal *removal = g_new0 (Removal, 1);
  memcpy (removal->key, member->key, IDENTITY_KEY_LEN);
  removal->leaf = member->leaf;
  removal->due = due;
  g_ptr_array_add (session->removals, removal);
  return removal;
}

/* ---- The policy that is wanted ---- */

static void
apply_wish (const Session *session, const Wish *wish, Policy *policy)
{
  const Policy *from = &wish->policy;
  uint8_t old_owner[IDENTITY_KEY_LEN];
  /* Nobody who goes is named: not in the commit that removes it. */
  bool present = roster_find (session, wish->key) != NULL
                 && !commits_is_leaving (session, wish->key);

  switch (wish->type) {
    case WISH_LOCK:
      policy->locked = wish->locked;
      break;
    case WISH_POLICY:
      policy->admission = from->admission;
      policy->screen_share = from->screen_share;
      policy->recording = from->recording;
      policy->consent = from->consent;
      policy->hand_over = from->hand_over;
      policy->max_members = from->max_members;
      break;
    case WISH_PROMOTE:
      if (present)
        policy_add_admin (policy, wish->key);
      break;
    case WISH_DEMOTE:
      policy_drop_admin (policy, wish->key);
      break;
    default:
      if (!present)
        break;
      memcpy (old_owner, policy->owner, IDENTITY_KEY_LEN);
      policy_drop_admin (policy, wish->key);
      memcpy (policy->owner, wish->key, IDENTITY_KEY_LEN);
      if (wish->type == WISH_HAND_OVER)
        policy_add_admin (policy, old_owner);
  }
}

/* ---- One commit ---- */

typedef struct
{
  Policy policy;
  bool new_policy;
  MlsSlice adds[MAX_ADDS];
  Guest *guests[MAX_ADDS];
  size_t n_adds;
  uint32_t removes[LIMIT_MEMBERS];
  size_t n_removes;
  bool removed[LIMIT_MEMBERS];
} Plan;

static void
plan_remove (Plan *plan, uint32_t leaf)
{
  if (!plan->removed[leaf])
    plan->removes[plan->n_removes++] = leaf;
  plan->removed[leaf] = true;
}

static bool
is_due (const Session *session, const Removal *removal)
{
  uint64_t wait = removal->person ? 0 : admin_rank (session) * LIMIT_DUTY_MS;
  return session->mono >= removal->due + wait;
}

static bool
any_removal_due (const Session *session)
{
  for (guint i = 0; i < session->removals->len; i++)
    if (is_due (session, g_ptr_array_index (session->removals, i)))
      return true;
  return false;
}

static void
plan_removals (Session *session, Plan *plan)
{
  const uint8_t *own = self_key (session);

  /* Who leaves at about the same time shares a commit. */
  bool all = any_removal_due (session);
  for (guint i = 0; i < session->removals->len && all; i++) {
    const Removal *removal = g_ptr_array_index (session->removals, i);
    const Member *member = roster_find (session, removal->key);
    if (member && !policy_is_owner (&session->policy, member->key)
        && !key_equal (member->key, own))
      plan_remove (plan, member->leaf);
  }
  if (plan->policy.recording != WHO_NOBODY)
    return;
  for (guint i = 0; i < session->members->len; i++) {
    const Member *member = g_ptr_array_index (session->members, i);
    if (member->role == ROLE_RECORDER)
      plan_remove (plan, member->leaf);
  }
}

static void
plan_adds (Session *session, Plan *plan)
{
  for (guint i = 0; i < session->guests->len && plan->n_adds < MAX_ADDS; i++) {
    Guest *guest = g_ptr_array_index (session->guests, i);
    if (guest->stage == GUEST_REPLIED || guest->stage == GUEST_COMMITTED
        || !SESSION_CHECK (DECISION, guest->decided))
      continue;
    const Member *member = roster_find (session, guest->key);
    size_t members = session->members->len - plan->n_removes + plan->n_adds
                     - (member && !plan->removed[member->leaf]);
    if (members >= plan->policy.max_members
        || (guest->role == ROLE_RECORDER
            && plan->policy.recording == WHO_NOBODY))
      continue;
    if (member)
      plan_remove (plan, member->leaf);
    plan->guests[plan->n_adds] = guest;
    plan->adds[plan->n_adds++] =
        mls_slice (guest->key_package.data, guest->key_package.len);
  }
}

static bool
stage (Session *session, const Plan *plan, MlsStaged **out)
{
  MlsBuffer extensions = { 0 };
  MlsCommitRequest request = { .add = plan->adds,
    .n_add = plan->n_adds,
    .remove = plan->removes,
    .n_remove = plan->n_removes,
    .path = plan->new_policy || plan->n_removes > 0,
    .handshake = { .padding = LIMIT_PADDING_COMMIT } };
  MlsSlice content;
  Policy policy;
  bool removed_somebody;

  if (plan->new_policy) {
    if (!extensions_write (&plan->policy, &extensions)) {
      mls_buffer_free (&extensions);
      return false;
    }
    content = mls_buffer_slice (&extensions);
    request.extensions = &content;
  }
  MlsResult result = mls_group_commit (session->group, &request, out);
  mls_buffer_free (&extensions);
  if (result != MLS_OK)
    return false;
  if (mls_staged_message (*out).len <= LIMIT_COMMIT
      && commit_is_valid (mls_group_epoch (session->group), &session->policy,
          *out, &policy, &removed_somebody))
    return true;
  mls_staged_free (*out);
  *out = NULL;
  return false;
}

/* A key package can be such that no commit can take it, because its keys are in the tree already. It must not keep the
 * others out: each is tried alone, and those that can't be added are refused. */
static void
refuse_bad_guests (Session *session, Plan *plan)
{
  Plan *alone = g_new0 (Plan, 1);

  for (size_t i = 0; i < plan->n_adds; i++) {
    const Member *member = roster_find (session, plan->guests[i]->key);
    MlsStaged *staged = NULL;
    *alone = (Plan){
      .policy = session->policy, .adds = { plan->adds[i] }, .n_adds = 1
    };
    if (member)
      plan_remove (alone, member->leaf);
    if (stage (session, alone, &staged))
      mls_staged_free (staged);
    else
      host_refuse (session, plan->guests[i], DOOR_DENIED, 0);
  }
  g_free (alone);
}

static void
send_candidate (Session *session)
{
  MlsSlice message = mls_staged_message (session->candidate);

  if (session->candidate_sent == 0)
    session->candidate_sent = MAX (session->mono, 1);
  out_frame (session, WIRE_COMMIT, 0, message.data, message.len);
}

static void
launch (Session *session, const Plan *plan, MlsStaged *staged)
{
  session->candidate = staged;
  session->commit_now = session->rekey_wished = false;
  session->batch_at = 0;
  for (size_t i = 0; i < plan->n_adds; i++)
    plan->guests[i]->stage = GUEST_COMMITTED;
  for (guint i = 0; i < session->wishes->len; i++)
    ((Wish *) g_ptr_array_index (session->wishes, i))->in_candidate = true;
  send_candidate (session);

  /* What the simulation breaks on purpose. In the product neither condition can be true. */
  if (SESSION_CHECK (ADMIT_AFTER_WIN, false) && plan->n_adds > 0) {
    MlsSlice welcome = mls_staged_welcome (staged);
    Blob copy = blob_copy (welcome.data, welcome.len);
    host_admit_all (
        session, session->hub.seq + 1, mls_slice (copy.data, copy.len));
    blob_clear (&copy);
  }
  if (SESSION_CHECK (COMMIT_WON, false))
    order_won (session, session->hub.seq + 1);
}

static void
give_up (Session *session, Plan *plan)
{
  guint guests = session->guests->len;

  refuse_bad_guests (session, plan);
  if (session->guests->len < guests) {
    commits_want (session, false);
    return;
  }
  /* Not the guests: what an act asked for can't be done in this group. */
  g_ptr_array_set_size (session->wishes, 0);
  g_ptr_array_set_size (session->removals, 0);
  session->commit_now = session->rekey_wished = false;
  session->rekey_at = session->mono + session->rekey_interval;
}

static bool
rekey_is_due (const Session *session)
{
  return session->rekey_wished
         || session->mono
                >= session->rekey_at + admin_rank (session) * LIMIT_DUTY_MS;
}

static bool
is_time (const Session *session)
{
  return session->commit_now
         || (session->batch_at != 0 && session->mono >= session->batch_at)
         || any_removal_due (session) || rekey_is_due (session);
}

void
commits_tick (Session *session)
{
  MlsStaged *staged = NULL;

  if (!session->group || session->candidate || !hub_is_member (session)
      || !admin_is (session) || !is_time (session))
    return;
  Plan *plan = g_new0 (Plan, 1);
  plan->policy = session->policy;
  for (guint i = 0; i < session->wishes->len; i++)
    apply_wish (
        session, g_ptr_array_index (session->wishes, i), &plan->policy);
  plan->new_policy = !policy_equal (&plan->policy, &session->policy);
  plan_removals (session, plan);
  plan_adds (session, plan);
  if (!plan->new_policy && plan->n_adds == 0 && plan->n_removes == 0
      && !rekey_is_due (session)) {
    session->commit_now = false;
    session->batch_at = 0;
    g_ptr_array_set_size (session->wishes, 0);
  } else if (stage (session, plan, &staged)) {
    launch (session, plan, staged);
  } else {
    give_up (session, plan);
  }
  g_free (plan);
}

uint64_t
commits_deadline (const Session *session)
{
  uint64_t deadline = UINT64_MAX;

  if (!session->group || session->candidate || !hub_is_member (session)
      || !admin_is (session))
    return UINT64_MAX;
  uint64_t wait = admin_rank (session) * LIMIT_DUTY_MS;
  if (session->commit_now)
    return session->mono;
  if (session->batch_at != 0)
    deadline = session->batch_at;
  for (guint i = 0; i < session->removals->len; i++) {
    const Removal *removal = g_ptr_array_index (session->removals, i);
    deadline = MIN (deadline, removal->due + (removal->person ? 0 : wait));
  }
  return MIN (deadline, session->rekey_at + wait);
}

/* ---- What became of it ---- */

/* Who was in it is to be committed again. */
static void
take_back (Session *session)
{
  for (guint i = session->guests->len; i > 0; i--) {
    Guest *guest = g_ptr_array_index (session->guests, i - 1);
    if (guest->stage != GUEST_COMMITTED)
      continue;
    if (guest->peer == 0)
      g_ptr_array_remove_index_fast (session->guests, i - 1);
    else
      guest->stage = GUEST_ACCEPTED;
  }
  for (guint i = 0; i < session->wishes->len; i++)
    ((Wish *) g_ptr_array_index (session->wishes, i))->in_candidate = false;
}

void
commits_drop_candidate (Session *session)
{
  bool had = session->candidate != NULL;

  g_clear_pointer (&session->candidate, mls_staged_free);
  session->candidate_sent = 0;
  take_back (session);
  if (had || session->guests->len > 0)
    commits_want (session, had);
}

void
commits_won (Session *session)
{
  session->candidate_sent = 0;
  for (guint i = session->wishes->len; i > 0; i--)
    if (((Wish *) g_ptr_array_index (session->wishes, i - 1))->in_candidate)
      g_ptr_array_remove_index (session->wishes, i - 1);
  if (session->wishes->len > 0)
    commits_want (session, true);
}

/* Removals of whom the group has no more; one without a person's word ends with the leaf it was about. */
void
commits_cleanup (Session *session)
{
  for (guint i = session->removals->len; i > 0; i--) {
    const Removal *removal = g_ptr_array_index (session->removals, i - 1);
    const Member *member = roster_find (session, removal->key);
    if (!member
        || (!removal->person
            && (member->leaf != removal->leaf
                || member->since_epoch
                       == mls_epoch_number (
                           mls_group_epoch (session->group)))))
      g_ptr_array_remove_index (session->removals, i - 1);
  }
}

void
commits_resend (Session *session, uint64_t away)
{
  if (session->candidate_sent != 0)
    session->candidate_sent += away;
  if (session->candidate)
    send_candidate (session);
}

void
commits_clear (Session *session)
{
  g_clear_pointer (&session->candidate, mls_staged_free);
  session->candidate_sent = 0;
  session->commit_now = session->rekey_wished = false;
  session->batch_at = 0;
  g_ptr_array_set_size (session->wishes, 0);
  g_ptr_array_set_size (session->removals, 0);
  host_drop_guests (session);
}

/* Heartbeats of admins, and what their absence means (section 6): a hub that keeps us from hearing of a removal can do so for
 * a minute at most.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

static bool
is_other (const Session *session, const Member *admin)
{
  return !key_equal (admin->key, self_key (session));
}

void
beat_start (Session *session)
{
  session->stale_base = session->mono;
  session->heartbeat_at = session->mono;
  if (session->stale)
    out_flag (session, SESSION_EVENT_STALE, false);
  if (session->silenced)
    out_flag (session, SESSION_EVENT_SILENCED, false);
  if (session->undelivered)
    out_flag (session, SESSION_EVENT_UNDELIVERED, false);
  session->stale = session->silenced = session->undelivered = false;
}

/* The first difference is that of the reply which let us in: a hub that delays all heartbeats from the beginning is seen. */
void
beat_first (Session *session, Member *host, int64_t difference)
{
  if (!host)
    return;
  host->heard = true;
  host->least_difference = difference;
}

static bool
is_heard (const Session *session, const Member *member)
{
  return member->good != 0 && session->mono - member->good < LIMIT_SPLIT_MS;
}

/* Since when `admin` has not been heard. */
static uint64_t
unheard_since (const Session *session, const Member *admin)
{
  return MAX (MAX (admin->good, admin->admin_since), session->stale_base);
}

void
beat_now (Session *session)
{
  session->heartbeat_at = MIN (session->heartbeat_at, session->mono);
}

/* The owner, or where it has been unheard for a while, the lowest of the admins' leaves. */
const Member *
beat_reference (const Session *session)
{
  for (int owner = 1; owner >= 0; owner--)
    for (guint i = 0; i < session->admins->len; i++) {
      const Member *admin = g_ptr_array_index (session->admins, i);
      if (owner && !policy_is_owner (&session->policy, admin->key))
        continue;
      if (!is_other (session, admin)
          || session->mono - unheard_since (session, admin) < LIMIT_SPLIT_MS)
        return admin;
    }
  return NULL;
}

void
beat_take (Session *session, Member *member, uint64_t t)
{
  int64_t difference = (int64_t) session->mono - (int64_t) t;

  if (member->admin_since == 0 || !is_other (session, member))
    return;
  if (!member->heard || difference < member->least_difference) {
    member->heard = true;
    member->least_difference = difference;
  }
  int64_t lag = difference - member->least_difference;
  if (!SESSION_CHECK (HEARTBEAT_LAG, lag <= LIMIT_LAG_MS))
    return;
  /* It tells of when it was sent: counted from when it came, a hub that holds one back for 15 s would keep us in the dark
   * for that much longer. */
  uint64_t sent = session->mono - MIN ((uint64_t) lag, LIMIT_LAG_MS);
  member->good = MAX (MAX (member->good, sent), 1);
  if (member->split) {
    member->split = false;
    out_member_event (session, SESSION_EVENT_SPLIT, member);
    ((SessionEvent *) g_queue_peek_tail (&session->events))->on = false;
  }
  if (session->stale)
    out_flag (session, SESSION_EVENT_STALE, false);
  if (session->silenced)
    out_flag (session, SESSION_EVENT_SILENCED, false);
  session->stale = session->silenced = false;
}

/* When an admin other than us was last heard well; UINT64_MAX when there is no other. */
static uint64_t
last_good (const Session *session)
{
  uint64_t last = UINT64_MAX;

  for (guint i = 0; i < session->admins->len; i++) {
    const Member *member = g_ptr_array_index (session->admins, i);
    if (!is_other (session, member))
      continue;
    uint64_t at = unheard_since (session, member);
    last = last == UINT64_MAX ? at : MAX (last, at);
  }
  return last;
}

static void
look_for_splits (Session *session)
{
  bool heard = false;

  for (guint i = 0; i < session->admins->len && !heard; i++) {
    const Member *member = g_ptr_array_index (session->admins, i);
    heard = is_other (session, member) && is_heard (session, member);
  }
  for (guint i = 0; i < session->admins->len && heard; i++) {
    Member *member = g_ptr_array_index (session->admins, i);
    if (!is_other (session, member) || member->split)
      continue;
    if (SESSION_CHECK (HEARTBEAT_SPLIT,
            session->mono - unheard_since (session, member) < LIMIT_SPLIT_MS))
      continue;
    member->split = true;
    out_member_event (session, SESSION_EVENT_SPLIT, member);
    ((SessionEvent *) g_queue_peek_tail (&session->events))->on = true;
  }
}

/* When what we sent last without an answer was sent; UINT64_MAX for nothing. */
static uint64_t
waiting_since (const Session *session)
{
  uint64_t since = UINT64_MAX;

  if (!hub_is_member (session))
    return UINT64_MAX;
  for (GList *l = session->own.head; l; l = l->next) {
    uint64_t sent = ((OwnMessage *) l->data)->sent;
    if (sent != 0)
      since = MIN (since, sent);
  }
  if (session->candidate_sent != 0)
    since = MIN (since, session->candidate_sent);
  return since;
}

static void
look_for_undelivered (Session *session)
{
  uint64_t since = waiting_since (session);
  bool undelivered =
      since != UINT64_MAX && session->mono - since >= LIMIT_RETURN_MS;

  /* It may have been lost, not suppressed. Who has heard it takes it for a repetition. */
  if (undelivered && session->mono >= session->resend_at) {
    session->resend_at = session->mono + LIMIT_RETURN_MS;
    commits_resend (session, 0);
    talk_resend (session, 0);
  }
  if (undelivered == session->undelivered)
    return;
  session->undelivered = undelivered;
  out_flag (session, SESSION_EVENT_UNDELIVERED, undelivered);
}

static void
send_heartbeat (Session *session)
{
  Message message = { .type = MESSAGE_HEARTBEAT,
    .heartbeat = MIN (session->mono, LIMIT_NUMBER) };

  if (session->mono < session->heartbeat_at || !hub_is_member (session))
    return;
  session->heartbeat_at = session->mono + LIMIT_HEARTBEAT_MS;
  /* "An admin whose own message does not come back within 5 s says so and stops its heartbeats" */
  if (SESSION_CHECK (HEARTBEAT_RETURN, !session->undelivered))
    talk_say (session, &message);
}

void
beat_tick (Session *session)
{
  if (!session->group)
    return;
  look_for_undelivered (session);
  if (admin_is (session))
    send_heartbeat (session);
  look_for_splits (session);

  uint64_t last = last_good (session);
  if (last == UINT64_MAX)
    last = session->mono; /* a sole admin is exempt */
  if (!session->stale
      && !SESSION_CHECK (
          HEARTBEAT_STALE, session->mono - last < LIMIT_STALE_MS)) {
    session->stale = true;
    out_flag (session, SESSION_EVENT_STALE, true);
  }
  if (!session->silenced
      && !SESSION_CHECK (
          HEARTBEAT_SILENT, session->mono - last < LIMIT_SILENT_MS)) {
    session->silenced = true;
    out_flag (session, SESSION_EVENT_SILENCED, true);
  }
  /* Whom the others' removal, or a hand-over, made the sole admin hears from nobody, and has nobody to hear from. */
  if (last == session->mono && (session->stale || session->silenced)
      && last_good (session) == UINT64_MAX) {
    if (session->stale)
      out_flag (session, SESSION_EVENT_STALE, false);
    if (session->silenced)
      out_flag (session, SESSION_EVENT_SILENCED, false);
    session->stale = session->silenced = false;
  }
}

uint64_t
beat_deadline (const Session *session)
{
  uint64_t deadline = UINT64_MAX;

  if (!session->group)
    return UINT64_MAX;
  if (admin_is (session) && hub_is_member (session))
    deadline = session->heartbeat_at;
  uint64_t since = waiting_since (session);
  if (since != UINT64_MAX && !session->undelivered)
    deadline = MIN (deadline, since + LIMIT_RETURN_MS);
  if (session->undelivered)
    deadline = MIN (deadline, session->resend_at);
  uint64_t last = last_good (session);
  if (last != UINT64_MAX && !session->silenced)
    deadline = MIN (
        deadline, last + (session->stale ? LIMIT_SILENT_MS : LIMIT_STALE_MS));
  for (guint i = 0; i < session->admins->len; i++) {
    const Member *member = g_ptr_array_index (session->admins, i);
    if (is_other (session, member) && !member->split) {
      uint64_t at = unheard_since (session, member) + LIMIT_SPLIT_MS;
      if (at > session->mono)
        deadline = MIN (deadline, at);
    }
  }
  return deadline;
}

bool
session_is_silenced (const Session *session)
{
  return session->silenced;
}

bool
session_is_stale (const Session *session)
{
  return session->stale;
}

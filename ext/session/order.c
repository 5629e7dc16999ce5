/* The hub's order: each frame in its place, the commits that count, what is kept for a hub that forgets (section 4).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

/* ---- Kept commits ---- */

static void
free_kept (KeptCommit *kept)
{
  blob_clear (&kept->bytes);
  g_free (kept);
}

static void
trim_kept (Session *session)
{
  size_t bytes = 0;
  for (GList *l = session->kept.head; l; l = l->next)
    bytes += ((KeptCommit *) l->data)->bytes.len;
  while (session->kept.head) {
    KeptCommit *oldest = session->kept.head->data;
    if (session->kept.length <= LIMIT_KEPT_COMMITS && bytes <= LIMIT_KEPT_BYTES
        && session->mono - oldest->merged <= LIMIT_KEPT_MS)
      break;
    bytes -= oldest->bytes.len;
    free_kept (g_queue_pop_head (&session->kept));
  }
}

static void
keep (Session *session, MlsSlice message)
{
  KeptCommit *kept = g_new (KeptCommit, 1);
  *kept = (KeptCommit){ .bytes = blob_copy (message.data, message.len),
    .merged = session->mono,
    .epoch = mls_epoch_number (mls_group_epoch (session->group)),
    .seen = true };
  g_queue_push_tail (&session->kept, kept);
  trim_kept (session);
}

/* The commit that added us is told from another of its epoch by its bytes, which we don't have yet. */
static void
remember_joining (Session *session)
{
  uint64_t epoch = mls_epoch_number (mls_group_epoch (session->group));
  KeptCommit *kept;

  if (epoch == 0)
    return;
  kept = g_new (KeptCommit, 1);
  *kept = (KeptCommit){
    .merged = session->mono, .epoch = epoch - 1, .joined = true
  };
  g_queue_push_tail (&session->kept, kept);
}

static KeptCommit *
find_kept (const Session *session, uint64_t epoch)
{
  for (GList *l = session->kept.head; l; l = l->next) {
    KeptCommit *kept = l->data;
    if (kept->epoch == epoch)
      return kept;
  }
  return NULL;
}

/* ---- Coming into a group, and out of it ---- */

static void
tell_epoch (Session *session)
{
  const MlsEpoch *epoch = mls_group_epoch (session->group);

  security_code (mls_epoch_authenticator (epoch), MLS_HASH_LEN, session->code);
  out_event (session, SESSION_EVENT_EPOCH)->epoch = mls_epoch_number (epoch);
}

void
order_take_group (Session *session, MlsGroup *group, const Policy *policy)
{
  order_drop_group (session);
  session->group = group;
  session->policy = *policy;
  remember_joining (session);
  session->was_member = true;
  session->chain = (DoorChain){ 0 };
  g_hash_table_remove_all (session->chains);
  session->removed_by_person = false;
  session->behind_since = 0;
  session->fork_suspected = session->unread_commit = false;
  session->hub.away_since = 0;
  session->expire_at = UINT64_MAX;
  session->rekey_at = session->mono + session->rekey_interval;
  session->absent_at = UINT64_MAX;
  roster_fill (session);
  keys_epoch (session, false);
  if (session_is_over (session))
    return;
  tell_epoch (session);
  beat_start (session);
  session_enter (session, SESSION_MEMBER, 0, 0);
  record_update (session);
}

void
order_drop_group (Session *session)
{
  commits_clear (session);
  talk_clear (session);
  keys_clear (session);
  roster_clear (session, false);
  g_queue_clear_full (&session->kept, (GDestroyNotify) free_kept);
  mls_group_free (session->group);
  session->group = NULL;
  session->code[0] = '\0';
  session->behind_since = 0;
}

/* "does the same, at most three times a minute" */
void
order_rejoin (Session *session)
{
  uint64_t at = session->mono;
  size_t kept = 0;

  if (session->knock.stage != KNOCK_NONE || session_is_over (session))
    return;
  for (size_t i = 0; i < session->n_rejoins; i++)
    if (session->mono - session->rejoins[i] < LIMIT_REJOIN_MS)
      session->rejoins[kept++] = session->rejoins[i];
  session->n_rejoins = kept;
  if (kept == LIMIT_REJOINS) {
    at = session->rejoins[0] + LIMIT_REJOIN_MS;
    memmove (&session->rejoins[0], &session->rejoins[1],
        (LIMIT_REJOINS - 1) * sizeof session->rejoins[0]);
    session->n_rejoins--;
  }
  session->rejoins[session->n_rejoins++] = at;
  session->stats.rejoins++;
  order_drop_group (session);
  session_enter (session, SESSION_REJOINING, 0, 0);
  knock_begin (session, at);
}

/* ---- Commits ---- */

static void
forget_past (Session *session)
{
  uint64_t next = UINT64_MAX;

  if (session->mono < session->expire_at)
    return;
  mls_group_expire (session->group, session->mono - LIMIT_PAST_MS);
  for (GList *l = session->kept.head; l; l = l->next) {
    uint64_t at = ((KeptCommit *) l->data)->merged + LIMIT_PAST_MS + 1;
    if (at > session->mono)
      next = MIN (next, at);
  }
  session->expire_at = next;
}

/* Whether this room is so young that others may come from another place than we. */
static bool
room_is_young (const Session *session)
{
  return session->room_since != 0
         && session->mono - session->room_since < LIMIT_KEPT_MS;
}

/* We are not in the group any more. */
static void
merge_our_removal (Session *session, MlsStaged *staged)
{
  mls_group_merge (session->group, staged, session->mono);
  bool by_person = session->removed_by_person;
  order_drop_group (session);
  if (by_person)
    session_finish (session, SESSION_REMOVED, WIRE_CODE_REMOVED, 0);
  else if (session->knock.stage == KNOCK_NONE)
    order_rejoin (session);
}

/* "A person's removal … followed by `dismiss`". Not of who comes back in the same commit: its new place may be the old one. */
static void
dismiss_removed (Session *session, const MlsStaged *staged)
{
  for (size_t i = 0; i < mls_staged_changes (staged); i++) {
    MlsChange change = mls_staged_change (staged, i);
    const Member *member =
        change.type == MLS_PROPOSAL_REMOVE && change.leaf_index < LIMIT_MEMBERS
            ? session->by_leaf[change.leaf_index]
            : NULL;
    if (member && admin_removed_key (session, member->key))
      hub_dismiss (session, member->peer);
  }
}

static void
merge (Session *session, MlsStaged *staged, const Policy *policy,
    bool removed_somebody, bool own, MlsSlice message, uint64_t seq)
{
  MlsCommitInfo info = mls_staged_info (staged);
  Policy before = session->policy;
  Blob welcome = { 0 };

  session->stats.commits_merged++;
  if (info.removes_us) {
    merge_our_removal (session, staged);
    return;
  }
  if (own) {
    MlsSlice bytes = mls_staged_welcome (staged);
    if (bytes.len > 0)
      welcome = blob_copy (bytes.data, bytes.len);
    commits_won (session);
  } else {
    commits_drop_candidate (session);
  }
  keep (session, message);
  session->policy = *policy;
  if (own)
    dismiss_removed (session, staged);
  roster_apply (session, staged);
  if (info.has_path)
    session->rekey_at = session->mono + session->rekey_interval;
  if (mls_group_merge (session->group, staged, session->mono) != MLS_OK) {
    blob_clear (&welcome);
    order_rejoin (session);
    return;
  }
  /* Our own commit says nothing about where the others are. */
  if (!(own && session->fork_suspected)) {
    session->behind_since = 0;
    session->unread_commit = false;
  }
  session->expire_at =
      MIN (session->expire_at, session->mono + LIMIT_PAST_MS + 1);
  roster_policy (session);
  keys_epoch (session, removed_somebody);
  if (session_is_over (session)) {
    blob_clear (&welcome);
    return;
  }
  tell_epoch (session);
  /* Who has left that epoch by another commit, in the room before, is to notice at once. */
  if (own && room_is_young (session))
    beat_now (session);
  if (welcome.data)
    host_admit_all (session, seq, mls_slice (welcome.data, welcome.len));
  blob_clear (&welcome);
  commits_cleanup (session);
  talk_merged (session);
  admin_epoch (session, &before, own);
  if (session->group) {
    host_recheck (session);
    record_update (session);
  }
}

/* Judges a staged commit of the current epoch, and merges it if it is the winner. */
static void
judge (Session *session, MlsStaged *staged, bool own, MlsSlice message,
    uint64_t seq)
{
  Policy policy;
  bool removed_somebody;

  if (commit_is_valid (mls_group_epoch (session->group), &session->policy,
          staged, &policy, &removed_somebody)) {
    merge (session, staged, &policy, removed_somebody, own, message, seq);
    return;
  }
  session->stats.commits_void++;
  if (own)
    commits_drop_candidate (session);
  mls_staged_free (staged);
}

void
order_won (Session *session, uint64_t seq)
{
  MlsStaged *staged = session->candidate;
  MlsSlice bytes = mls_staged_message (staged);
  Blob message = blob_copy (bytes.data, bytes.len);

  session->candidate = NULL;
  judge (session, staged, true, mls_slice (message.data, message.len), seq);
  blob_clear (&message);
}

static BadPaths *
find_bad_paths (Session *session, const uint8_t *key)
{
  for (guint i = 0; i < session->bad_paths->len; i++) {
    BadPaths *bad = &g_array_index (session->bad_paths, BadPaths, i);
    if (key_equal (bad->key, key))
      return bad;
  }
  if (session->bad_paths->len > LIMIT_ADMINS)
    g_array_remove_index (session->bad_paths, 0);
  BadPaths fresh = { 0 };
  memcpy (fresh.key, key, IDENTITY_KEY_LEN);
  g_array_append_val (session->bad_paths, fresh);
  return &g_array_index (
      session->bad_paths, BadPaths, session->bad_paths->len - 1);
}

/* A signed commit of this member that we can't follow. */
static void
note_bad_path (Session *session, uint32_t leaf)
{
  Member *member = leaf < LIMIT_MEMBERS ? session->by_leaf[leaf] : NULL;

  if (!member || !policy_is_admin (&session->policy, member->key))
    return;
  BadPaths *bad = find_bad_paths (session, member->key);
  memmove (
      &bad->at[1], &bad->at[0], (LIMIT_BAD_PATHS - 1) * sizeof bad->at[0]);
  bad->at[0] = MAX (session->mono, 1);
  uint64_t third = bad->at[LIMIT_BAD_PATHS - 1];
  if (third != 0 && session->mono - third < LIMIT_BAD_PATH_MS) {
    out_member_event (session, SESSION_EVENT_BAD_PATHS, member);
    memset (bad->at, 0, sizeof bad->at);
  }
}

static void
ask_replay (Session *session)
{
  Hub *hub = &session->hub;
  WireMessage m = { .type = WIRE_REPLAY, .seq = hub->seq };

  if (session->mono < hub->replay_at)
    return;
  hub->replay_at = session->mono + LIMIT_REPLAY_MS;
  out_text (session, &m);
}

/* What looks as if others were ahead may be one member's rubbish. Who is not behind reads in a moment what the admins and a
 * few others say, each in the epoch where it is. */
static void
probe (Session *session)
{
  const uint8_t *own = self_key (session);
  unsigned before = 0;

  if (session->mono < session->probe_at)
    return;
  session->probe_at = session->mono + LIMIT_PROBE_MS;
  if (admin_is (session)) {
    beat_now (session);
    return;
  }
  for (guint i = 0; i < session->members->len && before < LIMIT_PROBES; i++) {
    const Member *member = g_ptr_array_index (session->members, i);
    if (key_equal (member->key, own)) {
      Message present = { .type = MESSAGE_PRESENT, .peer = session->hub.peer };
      talk_say (session, &present);
      return;
    }
    before += member->admin_since == 0;
  }
}

static void
note_behind (Session *session)
{
  /* Nobody else could have committed. */
  if (admin_is (session) && session->admins->len == 1)
    return;
  if (session->behind_since == 0)
    session->behind_since = MAX (session->mono, 1);
  probe (session);
}

/* A message of the current epoch that we can read: from whom it shows that this is where the group is. */
static void
note_abreast (Session *session, uint32_t leaf)
{
  const Member *reference = beat_reference (session);
  uint32_t own = mls_epoch_own_leaf (mls_group_epoch (session->group));
  bool shows =
      reference && (reference->leaf == leaf || reference->leaf == own);

  /* Off, it shows nothing. */
  if (session->fork_suspected || SESSION_CHECK (ABREAST, !shows))
    return;
  session->behind_since = 0;
  session->unread_commit = false;
}

/* A commit of an epoch that we have left. In the room we were in, it lost against the one we merged. In a room after it the
 * order is another: what comes first in it counts, and who left by another commit will have to join anew. */
static void
take_past_commit (Session *session, MlsSlice message, uint64_t epoch)
{
  KeptCommit *kept = find_kept (session, epoch);

  session->stats.commits_void++;
  if (!kept)
    return;
  if (kept->joined && kept->bytes.len == 0)
    kept->bytes = blob_copy (message.data, message.len);
  if (mls_slice_equal (mls_slice (kept->bytes.data, kept->bytes.len), message))
    kept->seen = true;
  else if ((!kept->seen || kept->joined) && room_is_young (session))
    session->fork_suspected = true;
}

static void
take_commit (Session *session, WireKind kind, MlsSlice message, uint64_t epoch,
    uint64_t seq)
{
  uint64_t current = mls_epoch_number (mls_group_epoch (session->group));
  MlsEvent event;

  if (epoch < current) {
    take_past_commit (session, message, epoch);
    return;
  }
  if (epoch > current) {
    session->stats.unreadable++;
    /* An honest hub takes commits as such from admins alone. */
    session->unread_commit |= kind == WIRE_COMMIT;
    if (SESSION_CHECK (AHEAD_BY_COMMIT,
            session->unread_commit || room_is_young (session)))
      note_behind (session);
    return;
  }
  if (commits_is_candidate (session, message)) {
    order_won (session, seq);
    return;
  }
  MlsResult result =
      mls_group_process (session->group, message, session->mono, &event);
  if (result != MLS_OK) {
    session->stats.commits_void++;
    if (result == MLS_REPLAYED)
      session->stats.replayed++;
    else
      session->stats.unreadable++;
    if (event.authentic)
      note_bad_path (session, event.sender.index);
    session->unread_commit |= kind == WIRE_COMMIT && result != MLS_REPLAYED;
    if (session->fork_suspected && result == MLS_UNAUTHENTIC)
      note_behind (session);
    return;
  }
  MlsStaged *staged = event.commit;
  event.commit = NULL;
  mls_event_clear (&event);
  if (staged)
    judge (session, staged, false, message, seq);
}

/* ---- Application messages ---- */

/* Clears `event` before anything is done about it: what a message says may end the group. */
static void
take_event (Session *session, MlsEvent *event)
{
  Message message;
  bool application = event->type == MLS_EVENT_APPLICATION
                     && event->sender.type == MLS_SENDER_MEMBER;
  uint32_t leaf = event->sender.index;
  uint64_t epoch = event->epoch;
  JsonResult read =
      application ? message_read (event->data.data, event->data.len, &message)
                  : JSON_MALFORMED;

  mls_event_clear (event);
  if (read != JSON_OK) {
    session->stats.bad_messages++;
    return;
  }
  talk_take (session, leaf, epoch, &message);
  message_clear (&message);
}

static void
take_application (Session *session, MlsSlice message, uint64_t epoch)
{
  uint64_t current = mls_epoch_number (mls_group_epoch (session->group));
  MlsEvent event;

  if (talk_returned (session, message))
    return;
  if (epoch > current) {
    session->stats.unreadable++;
    if (SESSION_CHECK (AHEAD_BY_COMMIT,
            session->unread_commit || room_is_young (session)))
      note_behind (session);
    return;
  }
  MlsResult result =
      mls_group_process (session->group, message, session->mono, &event);
  if (result == MLS_OK) {
    if (event.epoch == current)
      note_abreast (session, event.sender.index);
    take_event (session, &event);
  } else if (result == MLS_REPLAYED || result == MLS_OWN_MESSAGE) {
    session->stats.replayed++;
  } else {
    session->stats.unreadable++;
    /* Who hears no admin and can't read what is said is not where the group is. */
    if ((session->fork_suspected || session->unread_commit
            || (session->stale && !admin_is (session)))
        && epoch == current && result == MLS_UNAUTHENTIC)
      note_behind (session);
  }
}

void
order_message (Session *session, WireKind kind, MlsSlice message, uint64_t seq)
{
  Reader in = mls_reader (message);
  uint16_t format = mls_message_head_read (&in);
  MlsPrivateMessage m = { 0 };
  MlsPublicMessage public_message = { 0 };

  if (!session->group)
    return;
  if (format == MLS_WIRE_PUBLIC_MESSAGE) {
    mls_public_message_read (&in, &public_message);
    m.epoch = public_message.content.epoch;
    m.content_type = public_message.content.content_type;
    m.group_id = public_message.content.group_id;
  } else {
    mls_private_message_read (&in, &m);
  }
  if (!reader_done (&in)
      || !mls_slice_equal (
          m.group_id, mls_epoch_group_id (mls_group_epoch (session->group)))) {
    session->stats.malformed++;
    return;
  }
  if (!SESSION_CHECK (COMMIT_PRIVATE,
          format == MLS_WIRE_PRIVATE_MESSAGE && m.authenticated_data.len == 0)
      || !SESSION_CHECK (
          NO_STANDALONE, m.content_type != MLS_CONTENT_PROPOSAL)) {
    session->stats.commits_void++;
    return;
  }
  if (m.content_type == MLS_CONTENT_APPLICATION)
    take_application (session, message, m.epoch);
  else
    take_commit (session, kind, message, m.epoch, seq);
}

/* ---- Frames ---- */

/* Whether a frame with this number is the next one. A hub that leaves some out is asked for them; what it never gives is
 * passed over after a while, and if it was a commit, others' messages show it. */
static bool
is_next (Session *session, uint64_t seq)
{
  Hub *hub = &session->hub;

  if (seq <= hub->seq) {
    session->stats.replayed++;
    return false;
  }
  if (seq == hub->seq + 1) {
    hub->gap_since = 0;
    return true;
  }
  if (hub->gap_since == 0)
    hub->gap_since = MAX (session->mono, 1);
  if (session->mono - hub->gap_since < LIMIT_UNREADABLE_MS) {
    ask_replay (session);
    return false;
  }
  session->stats.gaps += seq - hub->seq - 1;
  hub->gap_since = 0;
  session->unread_commit = true; /* there may have been one */
  return true;
}

void
order_frame (Session *session, const uint8_t *data, size_t len)
{
  Hub *hub = &session->hub;
  Reader in = reader_init (data, len);
  WireHeader header;

  if (!wire_header_parse (&in, &header)) {
    session->stats.malformed++;
    return;
  }
  size_t left = reader_left (&in);
  MlsSlice message = mls_slice (reader_take (&in, left), left);
  if (header.kind == WIRE_WELCOME) {
    knock_welcome (session, header.seq, message);
    return;
  }
  if (!hub_is_member (session) || !hub->have_room
      || memcmp (header.room, hub->room, LIMIT_ROOM) != 0) {
    session->stats.unexpected++;
    return;
  }
  if (!is_next (session, header.seq))
    return;
  hub->seq = header.seq;
  order_message (session, header.kind, message, header.seq);
}

/* On a connection that came back, or in a new room: what the hub may not have. */
void
order_resend (Session *session, bool new_room)
{
  uint64_t away = session->hub.away_since != 0
                      ? session->mono - session->hub.away_since
                      : 0;
  session->hub.away_since = 0;
  if (!session->group)
    return;
  if (new_room) {
    session->room_since = MAX (session->mono, 1);
    session->absent_at = session->mono + LIMIT_PLACE_MS;
    trim_kept (session);
    session->fork_suspected = false;
    for (GList *l = session->kept.head; l; l = l->next) {
      KeptCommit *kept = l->data;
      kept->seen = false;
      if (kept->joined)
        continue;
      out_frame (session, session->hub.attending ? WIRE_COMMIT : WIRE_HANDOVER,
          0, kept->bytes.data, kept->bytes.len);
    }
    for (guint i = 0; i < session->members->len; i++)
      ((Member *) g_ptr_array_index (session->members, i))->peer = 0;
  }
  commits_resend (session, away);
  if (new_room)
    talk_repeat (session);
  talk_resend (session, away);
  if (!new_room)
    host_resend (session);
  if (new_room)
    talk_announce (session);
}

void
order_tick (Session *session)
{
  if (!session->group)
    return;
  forget_past (session);
  trim_kept (session);
  if (session->hub.gap_since != 0 && hub_is_member (session))
    ask_replay (session);
  if (session->behind_since == 0)
    return;
  if (session->mono - session->behind_since >= LIMIT_UNREADABLE_MS) {
    order_rejoin (session);
  } else if (hub_is_member (session)) {
    ask_replay (session);
    probe (session);
  }
}

uint64_t
order_deadline (const Session *session)
{
  if (!session->group)
    return UINT64_MAX;
  if (session->behind_since == 0)
    return session->expire_at;
  uint64_t deadline =
      MIN (session->expire_at, session->behind_since + LIMIT_UNREADABLE_MS);
  return hub_is_member (session) ? MIN (deadline, session->probe_at)
                                 : deadline;
}

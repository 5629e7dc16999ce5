/* Media keys (section 5): which KIDs are open, for whose track, from when until when.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

static bool
is_own (const Session *session, const OpenTrack *track)
{
  return key_equal (track->key, self_key (session));
}

static OpenEpoch *
find_epoch (const Session *session, uint64_t number)
{
  for (guint i = 0; i < session->epochs->len; i++) {
    OpenEpoch *epoch = &g_array_index (session->epochs, OpenEpoch, i);
    if (epoch->epoch == number)
      return epoch;
  }
  return NULL;
}

static void
describe_key (const OpenTrack *track, const TrackKey *key, SessionEvent *event)
{
  event->epoch = key->epoch;
  event->key.kid = key->kid;
  memcpy (event->key.identity, track->key, IDENTITY_KEY_LEN);
  event->key.leaf = track->leaf;
  event->key.track = (uint32_t) track->track.number;
}

static void
open_key (Session *session, OpenTrack *track, const OpenEpoch *epoch)
{
  TrackKey key = { epoch->epoch, 0, epoch->closes };

  if (!sframe_mls_kid (epoch->epoch, session->policy.epoch_bits, track->leaf,
          session->policy.index_bits, track->track.number, &key.kid))
    return;
  g_array_append_val (track->keys, key);
  SessionEvent *event = out_event (session, SESSION_EVENT_KEY_OPENED);
  describe_key (track, &key, event);
  event->key.base_key = secret_ref (epoch->base_key);
  event->key.own = is_own (session, track);
}

static void
close_key (Session *session, OpenTrack *track, guint at)
{
  TrackKey *key = &g_array_index (track->keys, TrackKey, at);
  describe_key (track, key, out_event (session, SESSION_EVENT_KEY_CLOSED));
  g_array_remove_index (track->keys, at);
}

static void
close_epoch (Session *session, guint at)
{
  OpenEpoch *epoch = &g_array_index (session->epochs, OpenEpoch, at);

  for (guint i = 0; i < session->tracks->len; i++) {
    OpenTrack *track = g_ptr_array_index (session->tracks, i);
    for (guint k = track->keys->len; k > 0; k--)
      if (g_array_index (track->keys, TrackKey, k - 1).epoch == epoch->epoch)
        close_key (session, track, k - 1);
  }
  secret_unref (epoch->base_key);
  g_array_remove_index (session->epochs, at);
}

/* Opens the group's current epoch for all tracks, and says when the older ones close. */
void
keys_epoch (Session *session, bool removed_somebody)
{
  const MlsEpoch *epoch = mls_group_epoch (session->group);
  uint64_t number = mls_epoch_number (epoch),
           low = (UINT64_C (1) << session->policy.epoch_bits) - 1,
           last = session->mono
                  + (removed_somebody ? LIMIT_OLD_EPOCH_REMOVED_MS
                                      : LIMIT_OLD_EPOCH_MS);
  OpenEpoch fresh = { number, NULL, UINT64_MAX };

  for (guint i = session->epochs->len; i > 0; i--) {
    OpenEpoch *old = &g_array_index (session->epochs, OpenEpoch, i - 1);
    old->closes = MIN (old->closes, last);
    if (!SESSION_CHECK (KEY_LOW_BITS, (old->epoch & low) != (number & low)))
      close_epoch (session, i - 1);
  }
  fresh.base_key =
      mls_epoch_export (epoch, "SFrame 1.0 Base Key", (MlsSlice){ 0 },
          sframe_suite_key_len ((SFrameSuite) session->policy.sframe_suite));
  if (!fresh.base_key) {
    session_finish (session, SESSION_DENIED, WIRE_CODE_BUSY, 0);
    return;
  }
  g_array_append_val (session->epochs, fresh);
  for (guint i = 0; i < session->tracks->len; i++) {
    OpenTrack *track = g_ptr_array_index (session->tracks, i);
    for (guint k = track->keys->len; k > 0; k--) {
      TrackKey *key = &g_array_index (track->keys, TrackKey, k - 1);
      key->closes = MIN (key->closes, last);
      /* "Senders use a new epoch at merge." */
      if (is_own (session, track))
        close_key (session, track, k - 1);
    }
    open_key (session, track, &fresh);
  }
}

OpenTrack *
keys_find_track (const Session *session, const uint8_t *key, uint32_t number)
{
  for (guint i = 0; i < session->tracks->len; i++) {
    OpenTrack *track = g_ptr_array_index (session->tracks, i);
    if (track->track.number == number && key_equal (track->key, key))
      return track;
  }
  return NULL;
}

static bool
uses_ssrc (const Track *track, uint64_t ssrc)
{
  return ssrc != 0 && (track->ssrc == ssrc || track->rtx == ssrc);
}

/* Whether `track` may stand beside what is announced; its number is new for the member, or it repeats an open one. */
static bool
may_add (const Session *session, const Member *member, const Track *track)
{
  size_t open = 0;
  for (guint i = 0; i < session->tracks->len; i++) {
    const OpenTrack *other = g_ptr_array_index (session->tracks, i);
    bool same = key_equal (other->key, member->key);
    open += same;
    if (!SESSION_CHECK (
            TRACK_SSRC, same
                            || (!uses_ssrc (&other->track, track->ssrc)
                                && !uses_ssrc (&other->track, track->rtx))))
      return false;
  }
  return SESSION_CHECK (TRACK_BOUND, open < LIMIT_TRACKS_OPEN);
}

/* A member announced a track: false when it may not be. */
bool
keys_add_track (Session *session, const Member *member, const Track *track)
{
  if (keys_find_track (session, member->key, (uint32_t) track->number)
      || (int64_t) track->number <= member->track_highest
      || !may_add (session, member, track))
    return false;

  OpenTrack *open = g_new0 (OpenTrack, 1);
  memcpy (open->key, member->key, IDENTITY_KEY_LEN);
  open->leaf = member->leaf;
  open->track = *track;
  open->track.codec = g_strdup (track->codec);
  open->track.caps = g_strdup (track->caps);
  open->since_epoch = member->since_epoch;
  open->keys = g_array_new (FALSE, FALSE, sizeof (TrackKey));
  g_ptr_array_add (session->tracks, open);

  if (!is_own (session, open)) {
    out_member_event (session, SESSION_EVENT_TRACK, member);
    SessionEvent *event = g_queue_peek_tail (&session->events);
    event->message.type = MESSAGE_TRACK;
    event->message.track = open->track;
    event->message.track.codec = g_strdup (track->codec);
    event->message.track.caps = g_strdup (track->caps);
  }
  for (guint i = 0; i < session->epochs->len; i++) {
    const OpenEpoch *epoch = &g_array_index (session->epochs, OpenEpoch, i);
    bool current = i + 1 == session->epochs->len;
    if (is_own (session, open) ? current : epoch->epoch >= open->since_epoch)
      open_key (session, open, epoch);
  }
  return true;
}

static void
drop_track (Session *session, OpenTrack *track)
{
  while (track->keys->len > 0)
    close_key (session, track, track->keys->len - 1);
  const Member *member =
      track->leaf < LIMIT_MEMBERS ? session->by_leaf[track->leaf] : NULL;
  if (member && key_equal (member->key, track->key)) {
    out_member_event (session, SESSION_EVENT_TRACK_ENDED, member);
    SessionEvent *event = g_queue_peek_tail (&session->events);
    event->track = (uint32_t) track->track.number;
  }
  g_free (track->track.codec);
  g_free (track->track.caps);
  g_array_unref (track->keys);
  g_ptr_array_remove (session->tracks, track);
  g_free (track);
}

void
keys_drop_track (Session *session, const uint8_t *key, uint32_t number)
{
  OpenTrack *track = keys_find_track (session, key, number);
  if (track)
    drop_track (session, track);
}

void
keys_drop_member (Session *session, const uint8_t *key)
{
  for (guint i = session->tracks->len; i > 0; i--) {
    OpenTrack *track = g_ptr_array_index (session->tracks, i - 1);
    if (key_equal (track->key, key))
      drop_track (session, track);
  }
}

void
keys_clear (Session *session)
{
  while (session->tracks->len > 0)
    drop_track (session,
        g_ptr_array_index (session->tracks, session->tracks->len - 1));
  while (session->epochs->len > 0)
    close_epoch (session, session->epochs->len - 1);
}

void
keys_tick (Session *session)
{
  for (guint i = 0; i < session->tracks->len; i++) {
    OpenTrack *track = g_ptr_array_index (session->tracks, i);
    for (guint k = track->keys->len; k > 0; k--)
      if (!SESSION_CHECK (KEY_CLOSES,
              session->mono
                  < g_array_index (track->keys, TrackKey, k - 1).closes))
        close_key (session, track, k - 1);
  }
  for (guint i = session->epochs->len; i > 0; i--)
    if (!SESSION_CHECK (KEY_CLOSES,
            session->mono
                < g_array_index (session->epochs, OpenEpoch, i - 1).closes))
      close_epoch (session, i - 1);
}

uint64_t
keys_deadline (const Session *session)
{
  uint64_t deadline = UINT64_MAX;
  for (guint i = 0; i < session->epochs->len; i++)
    deadline =
        MIN (deadline, g_array_index (session->epochs, OpenEpoch, i).closes);
  for (guint i = 0; i < session->tracks->len; i++) {
    const OpenTrack *track = g_ptr_array_index (session->tracks, i);
    for (guint k = 0; k < track->keys->len; k++)
      deadline =
          MIN (deadline, g_array_index (track->keys, TrackKey, k).closes);
  }
  return deadline;
}

void
session_heard (Session *session, uint32_t leaf, uint32_t track, uint64_t epoch)
{
  for (guint i = 0; i < session->tracks->len; i++) {
    OpenTrack *open = g_ptr_array_index (session->tracks, i);
    if (open->leaf != leaf)
      continue;
    for (guint k = 0; k < open->keys->len; k++) {
      TrackKey *key = &g_array_index (open->keys, TrackKey, k);
      if (key->epoch < epoch)
        key->closes =
            MIN (key->closes, session->mono + LIMIT_OLD_EPOCH_HEARD_MS);
    }
  }
}

Secret *
session_base_key (const Session *session, uint64_t epoch)
{
  const OpenEpoch *open = find_epoch (session, epoch);
  return open ? secret_ref (open->base_key) : NULL;
}

uint32_t
session_free_track (const Session *session)
{
  return session->next_track;
}

/* Messages among members: those of ours until they have come back in the order, and everybody's (section 6).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

#include "ext/sodium/lv.h"

/* ---- Ours ---- */

static void
free_own (OwnMessage *own)
{
  message_clear (&own->message);
  blob_clear (&own->bytes);
  g_free (own);
}

static void
free_said (SaidMessage *said)
{
  blob_clear (&said->text);
  g_free (said);
}

static void
trim_said (Session *session)
{
  while (session->said.head) {
    const SaidMessage *oldest = session->said.head->data;
    if (session->said.length <= LIMIT_KEPT_SAID
        && session->mono - oldest->at <= LIMIT_KEPT_MS)
      break;
    free_said (g_queue_pop_head (&session->said));
  }
}

/* What is said anew by itself is not kept. */
static void
keep_said (Session *session, const OwnMessage *own)
{
  MessageType type = own->message.type;
  size_t len;
  char *text;

  if (type == MESSAGE_HEARTBEAT || type == MESSAGE_PRESENT
      || !(text = message_write (&own->message, &len)))
    return;
  SaidMessage *said = g_new (SaidMessage, 1);
  *said = (SaidMessage){ { (uint8_t *) text, len }, session->mono };
  g_queue_push_tail (&session->said, said);
  trim_said (session);
}

static bool
protect (Session *session, const Message *message, Blob *out)
{
  size_t len;
  char *text = message_write (message, &len);
  MlsBuffer bytes = { 0 };

  if (!text)
    return false;
  MlsResult result = mls_group_protect (session->group, mls_slice (text, len),
      (MlsSlice){ 0 }, LIMIT_PADDING_APPLICATION, &bytes);
  g_free (text);
  if (result == MLS_OK)
    *out = blob_copy (bytes.data, bytes.len);
  mls_buffer_free (&bytes);
  return result == MLS_OK;
}

static void
send_own (Session *session, OwnMessage *own)
{
  if (own->sent == 0)
    own->sent = MAX (session->mono, 1);
  out_frame (session, WIRE_APPLICATION, 0, own->bytes.data, own->bytes.len);
}

bool
talk_say (Session *session, Message *message)
{
  OwnMessage *own;
  Blob bytes;

  message->n = session->n + 1;
  if (!session->group || session->own.length >= LIMIT_OWN_PENDING
      || !protect (session, message, &bytes)) {
    message_clear (message);
    return false;
  }
  session->n++;
  own = g_new0 (OwnMessage, 1);
  own->message = *message;
  own->bytes = bytes;
  *message = (Message){ 0 };
  g_queue_push_tail (&session->own, own);
  if (hub_is_member (session))
    send_own (session, own);
  return true;
}

/* Our last word is out: what it said comes true for us, too. */
static void
came_back (Session *session, OwnMessage *own)
{
  const Member *self = roster_find (session, self_key (session));
  MessageType type = own->message.type;

  if (type == MESSAGE_BYE) {
    session_finish (session, SESSION_LEFT, 0, 0);
  } else if (type == MESSAGE_END) {
    WireMessage close = { .type = WIRE_CLOSE };
    out_text (session, &close);
    session_finish (session, SESSION_ENDED, 0, 0);
  } else if (self
             && (type == MESSAGE_CHAT || type == MESSAGE_HAND
                 || type == MESSAGE_RECORDING)) {
    Member *member = session->by_leaf[self->leaf];
    talk_content (session, member, &own->message, false);
  }
}

bool
talk_returned (Session *session, MlsSlice message)
{
  for (GList *l = session->own.head; l; l = l->next) {
    OwnMessage *own = l->data;
    if (own->bytes.len != message.len
        || memcmp (own->bytes.data, message.data, message.len) != 0)
      continue;
    g_queue_delete_link (&session->own, l);
    keep_said (session, own);
    if (!own->again)
      came_back (session, own);
    free_own (own);
    return true;
  }
  return false;
}

/* "Who merges a commit sends again, in the new epoch, each of its own application messages that the order puts after that
 * commit": those that have not come back, since the order is one. A heartbeat would only be late. */
void
talk_merged (Session *session)
{
  GList *next;

  for (GList *l = session->own.head; l; l = next) {
    OwnMessage *own = l->data;
    next = l->next;
    blob_clear (&own->bytes);
    if (own->message.type == MESSAGE_HEARTBEAT
        || !protect (session, &own->message, &own->bytes)) {
      g_queue_delete_link (&session->own, l);
      free_own (own);
      continue;
    }
    if (hub_is_member (session))
      send_own (session, own);
  }
}

/* What a hub suppresses must not look new each time it is said again: only `away`, the time without a connection, does not
 * count. */
void
talk_resend (Session *session, uint64_t away)
{
  for (GList *l = session->own.head; l; l = l->next) {
    OwnMessage *own = l->data;
    if (own->sent != 0)
      own->sent += away;
    send_own (session, own);
  }
}

/* A hub that died may have given to some what it had given back to us: who has heard it drops it by its number. */
void
talk_repeat (Session *session)
{
  SaidMessage *said;

  trim_said (session);
  while ((said = g_queue_pop_head (&session->said))) {
    OwnMessage *own = g_new0 (OwnMessage, 1);
    own->again = true;
    JsonResult read =
        message_read (said->text.data, said->text.len, &own->message);
    free_said (said);
    if (read == JSON_OK && session->own.length < LIMIT_OWN_PENDING
        && protect (session, &own->message, &own->bytes))
      g_queue_push_tail (&session->own, own);
    else
      free_own (own);
  }
}

void
talk_clear (Session *session)
{
  g_queue_clear_full (&session->said, (GDestroyNotify) free_said);
  g_queue_clear_full (&session->own, (GDestroyNotify) free_own);
}

void
talk_announce (Session *session)
{
  const uint8_t *self = self_key (session);
  Message present = { .type = MESSAGE_PRESENT, .peer = session->hub.peer };
  Member *member = roster_find (session, self);

  if (!member || session->hub.peer == 0 || member->peer == session->hub.peer)
    return;
  member->peer = session->hub.peer;
  talk_say (session, &present);
}

Blob
talk_here (Session *session)
{
  Message here = { .type = MESSAGE_HERE, .n = ++session->n };
  Blob bytes = { 0 };

  here.here.peer = session->hub.peer;
  memcpy (here.here.challenge, session->hub.challenge, LIMIT_CHALLENGE);
  memcpy (here.here.room, session->hub.room, LIMIT_ROOM);
  here.here.seq = session->hub.seq;
  if (session->group)
    protect (session, &here, &bytes);
  return bytes;
}

/* ---- Everybody's ---- */

/* False for a message that was taken before: who sends one again after a commit keeps its number. */
static bool
is_new (Member *member, uint64_t n)
{
  if (n > member->n_highest) {
    uint64_t ahead = n - member->n_highest;
    member->n_seen = ahead < 64 ? member->n_seen << ahead | 1 : 1;
    member->n_highest = n;
    return true;
  }
  uint64_t back = member->n_highest - n;
  if (back >= 64 || (member->n_seen & UINT64_C (1) << back))
    return false;
  member->n_seen |= UINT64_C (1) << back;
  return true;
}

static bool
may_record (const Session *session, const Member *member)
{
  switch (session->policy.recording) {
    case WHO_EVERYONE:
      return true;
    case WHO_ADMINS:
      return member->role == ROLE_RECORDER
             || policy_is_admin (&session->policy, member->key);
    default:
      return false;
  }
}

static void
tell_message (Session *session, const Member *member, Message *message)
{
  out_member_event (session, SESSION_EVENT_MESSAGE, member);
  SessionEvent *event = g_queue_peek_tail (&session->events);
  event->message = *message;
  *message = (Message){ 0 }; /* it is the event's now */
}

static void
take_recording (Session *session, Member *member, Message *message)
{
  const uint8_t *self = self_key (session);

  if (message->recording.state == RECORDING_CONSENT) {
    if (key_equal (message->recording.key.data, self))
      member->consented = message->recording.allow;
  } else if (!may_record (session, member)) {
    session->stats.bad_messages++;
    return;
  } else {
    member->recording = message->recording.state;
  }
  tell_message (session, member, message);
}

static void
take_track (Session *session, Member *member, const Track *track)
{
  Who who = session->policy.screen_share;
  bool may_share = who == WHO_EVERYONE
                   || (who == WHO_ADMINS
                       && policy_is_admin (&session->policy, member->key));

  if (!SESSION_CHECK (
          TRACK_OF_ROLE, member->role == ROLE_PARTICIPANT
                             && (track->kind != MEDIA_SCREEN || may_share))
      || !keys_add_track (session, member, track)) {
    session->stats.bad_messages++;
    return;
  }
  member->track_highest = (int64_t) track->number;
}

static void
take_present (Session *session, Member *member, uint64_t peer)
{
  const Member *holder = roster_by_peer (session, peer);

  /* A place has one holder, and the first that said so: else who is about to be removed could name another's. */
  if (holder && holder != member) {
    session->stats.bad_messages++;
    return;
  }
  member->peer = peer;
  host_heard_of (session, member->key);
  admin_is_back (session, member);
}

static void
take_removed (Session *session, const uint8_t *key)
{
  if (policy_is_owner (&session->policy, key))
    return;
  if (key_equal (key, self_key (session)))
    session->removed_by_person = true;
  admin_remember_removed (session, key);
  admin_hold (session, true);
  record_update (session);
}

void
talk_content (
    Session *session, Member *member, Message *message, bool snapshot)
{
  bool is_admin = policy_is_admin (&session->policy, member->key),
       is_owner = policy_is_owner (&session->policy, member->key);
  const uint8_t *self = self_key (session);
  bool for_admins = message->type == MESSAGE_REMOVED
                    || message->type == MESSAGE_ADMISSION
                    || message->type == MESSAGE_HEARTBEAT
                    || message->type == MESSAGE_MUTE_REQUEST;

  if (!SESSION_CHECK (
          ADMINS_MESSAGE, (is_admin || !for_admins)
                              && (is_owner || message->type != MESSAGE_END))) {
    session->stats.bad_messages++;
    return;
  }
  switch (message->type) {
    case MESSAGE_PRESENT:
      take_present (session, member, message->peer);
      break;
    case MESSAGE_TRACK:
      take_track (session, member, &message->track);
      break;
    case MESSAGE_UNTRACK:
      keys_drop_track (session, member->key, (uint32_t) message->untrack);
      break;
    case MESSAGE_MUTE_REQUEST:
      if (key_equal (message->mute.key, self))
        tell_message (session, member, message);
      break;
    case MESSAGE_HAND:
      member->hand = message->hand;
      tell_message (session, member, message);
      break;
    case MESSAGE_CHAT:
      tell_message (session, member, message);
      break;
    case MESSAGE_RECORDING:
      take_recording (session, member, message);
      break;
    case MESSAGE_HEARTBEAT:
      beat_take (session, member, message->heartbeat);
      break;
    case MESSAGE_REMOVED:
      take_removed (session, message->removed);
      break;
    case MESSAGE_BYE:
      admin_leaver (session, member, true);
      break;
    case MESSAGE_END:
      session_finish (session, SESSION_ENDED, 0, 0);
      break;
    case MESSAGE_CHAIN:
      /* An owner's word; it may have handed over since, and the signature inside is what counts. */
      admin_chain (session, message->chain.key, &message->chain.chain);
      break;
    case MESSAGE_ADMISSION:
      admin_hold (session, false);
      break;
    default:
      session->stats.bad_messages++;
  }
}

void
talk_take (Session *session, uint32_t leaf, uint64_t epoch, Message *message)
{
  Member *member = leaf < LIMIT_MEMBERS ? session->by_leaf[leaf] : NULL;

  /* A late message of an epoch in which this leaf was somebody else's. */
  if (!member || epoch < member->since_epoch) {
    session->stats.unexpected++;
    return;
  }
  if (!is_new (member, message->n)) {
    session->stats.replayed++;
    return;
  }
  admin_heard (session, member, epoch);
  talk_content (session, member, message, false);
}

/* ---- For who joins ---- */

static void
put (GByteArray *out, const Member *member, Message message)
{
  message.n = MAX (member->n_highest, 1);
  if (out->len < DOOR_MAX_TRACKS - LIMIT_APPLICATION)
    snapshot_put (out, member->key, &message);
}

Blob
talk_snapshot (Session *session)
{
  GByteArray *out = g_byte_array_new ();
  const Member *self = roster_find (session, self_key (session));

  for (guint i = 0; i < session->removed->len && self; i++) {
    Message message = { .type = MESSAGE_REMOVED };
    memcpy (message.removed, g_ptr_array_index (session->removed, i),
        IDENTITY_KEY_LEN);
    put (out, self, message);
  }
  if (self && !session->held)
    put (out, self, (Message){ .type = MESSAGE_ADMISSION });
  for (guint i = 0; i < session->members->len; i++) {
    const Member *member = g_ptr_array_index (session->members, i);
    Message message = { .type = MESSAGE_PRESENT, .peer = member->peer };
    if (member->peer != 0)
      put (out, member, message);
    if (member->hand)
      put (out, member, (Message){ .type = MESSAGE_HAND, .hand = true });
    if (member->recording != RECORDING_OFF) {
      message = (Message){ .type = MESSAGE_RECORDING };
      message.recording.state = member->recording;
      put (out, member, message);
    }
    GBytes *chain = admin_find_chain (session, member->key);
    if (chain && self) {
      message = (Message){ .type = MESSAGE_CHAIN };
      memcpy (message.chain.key, member->key, IDENTITY_KEY_LEN);
      message.chain.chain.data =
          (uint8_t *) g_bytes_get_data (chain, &message.chain.chain.len);
      put (out, self, message);
    }
  }
  for (guint i = 0; i < session->tracks->len; i++) {
    const OpenTrack *track = g_ptr_array_index (session->tracks, i);
    const Member *member = roster_find (session, track->key);
    if (member)
      put (out, member,
          (Message){ .type = MESSAGE_TRACK, .track = track->track });
  }
  size_t len = out->len;
  return (Blob){ g_byte_array_free (out, FALSE), len };
}

static bool
may_be_repeated (MessageType type)
{
  return type == MESSAGE_PRESENT || type == MESSAGE_TRACK
         || type == MESSAGE_HAND || type == MESSAGE_RECORDING
         || type == MESSAGE_REMOVED || type == MESSAGE_CHAIN
         || type == MESSAGE_ADMISSION;
}

void
talk_read_snapshot (Session *session, const Blob *tracks)
{
  Reader in = reader_init (tracks->data, tracks->len);
  const uint8_t *key;
  Message message;

  while (session->group && snapshot_next (&in, &key, &message)) {
    Member *member = roster_find (session, key);
    if (member && may_be_repeated (message.type)
        && !key_equal (key, self_key (session)))
      talk_content (session, member, &message, true);
    message_clear (&message);
  }
}

/* ---- What the user says ---- */

bool
session_chat (Session *session, const char *text)
{
  Message message = { .type = MESSAGE_CHAT, .chat = g_strdup (text) };
  return talk_say (session, &message);
}

bool
session_hand (Session *session, bool up)
{
  Message message = { .type = MESSAGE_HAND, .hand = up };
  return talk_say (session, &message);
}

bool
session_mute_request (
    Session *session, const uint8_t *key, bool all, uint32_t track)
{
  Message message = { .type = MESSAGE_MUTE_REQUEST };

  if (!admin_is (session) || !roster_find (session, key))
    return false;
  memcpy (message.mute.key, key, IDENTITY_KEY_LEN);
  message.mute.all = all;
  message.mute.track = all ? 0 : track;
  return talk_say (session, &message);
}

/* Where the policy says that recorders ask: whether every participant has said yes. */
static bool
all_consented (const Session *session)
{
  const uint8_t *self = self_key (session);

  for (guint i = 0; i < session->members->len; i++) {
    const Member *member = g_ptr_array_index (session->members, i);
    if (member->role == ROLE_PARTICIPANT && !member->consented
        && !key_equal (member->key, self))
      return false;
  }
  return true;
}

bool
session_recording (Session *session, RecordingState state)
{
  Message message = { .type = MESSAGE_RECORDING };
  const Member *self =
      session->group ? roster_find (session, self_key (session)) : NULL;

  if (!self || state < RECORDING_ASK || state > RECORDING_OFF
      || !may_record (session, self)
      || (state == RECORDING_ON && session->policy.consent
          && !all_consented (session)))
    return false;
  for (guint i = 0; i < session->members->len && state == RECORDING_ASK; i++)
    ((Member *) g_ptr_array_index (session->members, i))->consented = false;
  message.recording.state = state;
  return talk_say (session, &message);
}

bool
session_consent (Session *session, const uint8_t *recorder, bool allow)
{
  Message message = { .type = MESSAGE_RECORDING };

  if (!roster_find (session, recorder))
    return false;
  message.recording.state = RECORDING_CONSENT;
  message.recording.key = blob_copy (recorder, IDENTITY_KEY_LEN);
  message.recording.allow = allow;
  return talk_say (session, &message);
}

bool
session_track (Session *session, const Track *track)
{
  Message message = { .type = MESSAGE_TRACK, .track = *track };
  Member *self = roster_find (session, self_key (session));

  if (!self || track->number < session->next_track
      || self->role != ROLE_PARTICIPANT
      || !keys_add_track (session, self, track))
    return false;
  message.track.codec = g_strdup (track->codec);
  message.track.caps = g_strdup (track->caps);
  if (!talk_say (session, &message)) {
    keys_drop_track (session, self->key, (uint32_t) track->number);
    return false;
  }
  session->next_track = (uint32_t) track->number + 1;
  self->track_highest = (int64_t) track->number;
  return true;
}

bool
session_untrack (Session *session, uint32_t number)
{
  Message message = { .type = MESSAGE_UNTRACK, .untrack = number };
  const uint8_t *self = self_key (session);

  if (!session->group || !keys_find_track (session, self, number))
    return false;
  keys_drop_track (session, self, number);
  return talk_say (session, &message);
}

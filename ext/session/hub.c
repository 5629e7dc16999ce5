/* The connection to the hub, the place it gives, and what an admin and a member are to it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

#define ATTEND_RETRY_MS 500
#define OPEN_TRIES 4 /* of an owner without a group */
#define ATTACH_GIVE_UP_MS 4000

void
hub_ask (Session *session, uint64_t at)
{
  session->hub.stage = HUB_AWAY;
  session->hub.connect_at = at;
}

bool
hub_is_member (const Session *session)
{
  return session->hub.stage == HUB_MEMBER;
}

void
session_connected (Session *session, const uint8_t *spki_hash)
{
  Hub *hub = &session->hub;
  if (hub->stage != HUB_ASKED)
    return;
  hub->stage = HUB_CONNECTED;
  hub->answer_by = session->mono + LIMIT_HELLO_MS;
  memcpy (hub->spki_hash, spki_hash, LIMIT_SPKI_HASH);
}

void
session_disconnected (Session *session)
{
  Hub *hub = &session->hub;
  if (session_is_over (session) || hub->stage == HUB_AWAY)
    return;
  hub->backoff = hub->backoff == 0
                     ? LIMIT_CONNECT_MIN_MS
                     : MIN (2 * hub->backoff, LIMIT_RECONNECT_MAX_MS);
  if (hub->away_since == 0)
    hub->away_since = MAX (session->mono, 1);
  hub->asking = ASKING_NOTHING;
  hub->attend_at = UINT64_MAX;
  hub->attaching = false;
  hub->gap_since = 0;
  hub_ask (session, session->mono + hub->backoff);
}

/* ---- A place ---- */

static void
adopt_place (Session *session)
{
  Hub *hub = &session->hub;
  bool moved = hub->have_place && hub->peer != hub->fresh_peer;

  hub->have_place = true;
  hub->peer = hub->fresh_peer;
  memcpy (hub->token, hub->fresh_token, LIMIT_TOKEN);
  hub->attending = hub->is_owner = hub->is_member = false;
  hub->stage = HUB_GUEST;
  /* The hub gave our SSRCs to the place that is gone. */
  for (guint i = session->tracks->len; i > 0 && moved && session->group; i--) {
    const OpenTrack *track = g_ptr_array_index (session->tracks, i - 1);
    if (key_equal (track->key, self_key (session)))
      session_untrack (session, (uint32_t) track->track.number);
  }
  host_drop_guests (session);
}

static void
send_attach (Session *session)
{
  WireMessage m = { .type = WIRE_ATTACH };

  m.attach.message = talk_here (session);
  if (m.attach.message.data)
    out_text (session, &m);
  blob_clear (&m.attach.message);
  session->hub.attach_at = session->mono + LIMIT_ATTACH_MS;
}

static void
begin_attach (Session *session)
{
  session->hub.attaching = true;
  session->hub.attach_since = session->mono;
  send_attach (session);
}

/* Whether a group of our own may be opened: unless it was handed over. */
static bool
may_open (const Session *session)
{
  return session->owner
         && (!session->was_member
             || policy_is_owner (&session->policy, self_key (session)));
}

/* On a place that the hub knows nothing about: says what we are. */
static void
arrive (Session *session)
{
  if (session->group ? admin_is (session) : may_open (session))
    hub_attend (session);
  else if (session->group)
    begin_attach (session);
  else if (session->state != SESSION_AGAIN)
    knock_begin (session, session->mono);
}

void
hub_hello (Session *session, const WireMessage *m)
{
  Hub *hub = &session->hub;

  if (hub->stage != HUB_CONNECTED) {
    session->stats.unexpected++;
    return;
  }
  if (m->hello.version != WIRE_VERSION) {
    session_finish (session, SESSION_DENIED, WIRE_CODE_VERSION, 0);
    return;
  }
  memcpy (hub->challenge, m->hello.challenge, LIMIT_CHALLENGE);
  memcpy (hub->fresh_token, m->hello.token, LIMIT_TOKEN);
  hub->fresh_peer = m->peer;
  if (!hub->have_place) {
    adopt_place (session);
    arrive (session);
    return;
  }
  WireMessage back = { .type = WIRE_RETURN };
  memcpy (back.back.token, hub->token, LIMIT_TOKEN);
  memcpy (back.back.room, hub->room, LIMIT_ROOM);
  back.back.seq = hub->seq;
  out_text (session, &back);
  hub->stage = HUB_RETURNING;
  hub->answer_by = session->mono + LIMIT_HELLO_MS;
}

static void
announce_reopened (Session *session)
{
  WireMessage m = { .type = WIRE_REOPENED };
  MlsSlice group_id = mls_epoch_group_id (mls_group_epoch (session->group));

  session->hub.reopened_at = MAX (session->mono, 1);
  m.reopened.opened = session->policy.opened;
  memcpy (m.reopened.group_id, group_id.data, DOOR_GROUP_ID_LEN);
  if (wire_sign_reopened (session->identity, session->link.meeting,
          m.reopened.opened, m.reopened.group_id, m.reopened.sig))
    out_text (session, &m);
}

static void
dismiss (Session *session, uint64_t peer)
{
  WireMessage m = { .type = WIRE_DISMISS, .peer = peer };
  out_text (session, &m);
}

/* Whom our commit has removed has no place here any more: said until the hub tells that it is gone. */
void
hub_dismiss (Session *session, uint64_t peer)
{
  if (peer == 0 || peer == session->hub.peer)
    return;
  if (session->dismissed->len >= LIMIT_DISMISSED)
    g_array_remove_index (session->dismissed, 0);
  g_array_append_val (session->dismissed, peer);
  dismiss (session, peer);
}

void
hub_gone (Session *session, uint64_t peer)
{
  for (guint i = session->dismissed->len; i > 0; i--)
    if (g_array_index (session->dismissed, uint64_t, i - 1) == peer)
      g_array_remove_index (session->dismissed, i - 1);
}

/* What an admin told the hub last may have been lost with the connection, and nothing else says it again. */
static void
say_again (Session *session)
{
  Hub *hub = &session->hub;

  hub_tell_admins (session);
  for (guint i = 0; i < session->dismissed->len; i++)
    dismiss (session, g_array_index (session->dismissed, uint64_t, i));
  if (hub->reopened_at != 0
      && session->mono - hub->reopened_at < LIMIT_ADMITTED_MS
      && policy_is_owner (&session->policy, self_key (session)))
    announce_reopened (session);
  hub->credits = 0;
  hub_credits (session);
}

void
hub_returned (Session *session, const WireMessage *m)
{
  Hub *hub = &session->hub;

  if (hub->stage != HUB_RETURNING || m->peer != hub->peer) {
    session->stats.unexpected++;
    return;
  }
  hub->backoff = 0;
  if (hub->is_member && hub->have_room
      && memcmp (hub->room, m->opened.room, LIMIT_ROOM) == 0) {
    hub->stage = HUB_MEMBER;
    order_resend (session, false);
    if (session->group && admin_is (session)) {
      if (hub->attending)
        say_again (session);
      else
        hub_attend (session);
    }
    return;
  }
  hub->stage = HUB_GUEST;
  /* What we had asked for may have been lost, or its answer. */
  if (session->group || session->knock.stage == KNOCK_NONE)
    arrive (session);
}

void
hub_enter_room (Session *session)
{
  session->hub.stage = HUB_MEMBER;
  session->hub.is_member = true;
}

void
hub_new_room (Session *session, const uint8_t *room, uint64_t seq)
{
  Hub *hub = &session->hub;
  memcpy (hub->room, room, LIMIT_ROOM);
  hub->have_room = true;
  g_array_set_size (session->dismissed, 0);
  hub->seq = hub->acked = seq;
  hub->gap_since = hub->replay_at = 0;
}

/* ---- Admins ---- */

/* The owner opens and, if the meeting is another's here, attends; a co-host does it the other way round, so that one of them
 * opens it at a hub that knows nothing. */
void
hub_attend (Session *session)
{
  Hub *hub = &session->hub;
  WireMessage m = { 0 };
  const uint8_t *key = self_key (session);
  bool is_owner = session->group ? policy_is_owner (&session->policy, key)
                                 : session->owner;

  hub->attend_at = UINT64_MAX;
  if (hub->stage < HUB_GUEST || hub->asking != ASKING_NOTHING)
    return;
  bool attend =
      is_owner ? hub->attend_tries % 2 == 1 : hub->attend_tries % 2 == 0;
  m.type = attend ? WIRE_ATTEND : WIRE_OPEN;
  m.open.meeting = session->link.meeting;
  memcpy (m.open.identity, key, IDENTITY_KEY_LEN);
  if (!wire_sign_open (session->identity, attend, hub->challenge,
          session->link.meeting, hub->spki_hash, m.open.sig))
    return;
  hub->asking = attend ? ASKING_ATTEND : ASKING_OPEN;
  out_text (session, &m);
}

void
hub_tell_admins (Session *session)
{
  WireMessage m = { .type = WIRE_ADMINS };
  uint8_t keys[LIMIT_ADMINS + 1][IDENTITY_KEY_LEN];
  const Policy *policy = &session->policy;
  const uint8_t *own = self_key (session);

  if (!session->group || !session->hub.is_owner)
    return;
  memcpy (keys[0], policy->owner, IDENTITY_KEY_LEN);
  memcpy (keys[1], policy->admins, policy->n_admins * IDENTITY_KEY_LEN);
  m.admins = (KeyList){ policy->n_admins + 1, keys };
  out_text (session, &m);
  if (!policy_is_owner (policy, own)) {
    WireMessage transfer = { .type = WIRE_TRANSFER };
    memcpy (transfer.transfer, policy->owner, IDENTITY_KEY_LEN);
    out_text (session, &transfer);
    session->hub.is_owner = false;
  }
}

/* Counted from `opened`, so that a total that is said twice means the same. */
void
hub_credits (Session *session)
{
  Hub *hub = &session->hub;
  size_t out = host_replied (session);
  uint64_t total =
      hub->knocks + (out < LIMIT_KNOCKS_OUT ? LIMIT_KNOCKS_OUT - out : 0);

  if (!hub->attending || !session->group || hub->stage != HUB_MEMBER
      || total <= hub->credits)
    return;
  hub->credits = total;
  WireMessage m = { .type = WIRE_CREDITS, .credits = total };
  out_text (session, &m);
}

/* An owner's group of one: the first, or after everything was lost. */
void
hub_open_group (Session *session)
{
  Policy policy = session->wanted;
  MlsBuffer extensions = { 0 };
  MlsExtension role;
  uint8_t role_byte, group_id[DOOR_GROUP_ID_LEN];
  MlsClient client =
      session_mls_client (session, session->suite, &role, &role_byte);
  MlsSettings settings = { 256, MLS_MAX_PAST_EPOCHS, 0 };
  MlsGroup *group = NULL;

  knock_clear (session);
  g_strlcpy (policy.meeting, session->link.meeting, sizeof policy.meeting);
  memcpy (policy.owner, self_key (session), IDENTITY_KEY_LEN);
  policy.opened = MAX (session->wall, session->record_opened + 1);
  randombytes_buf (group_id, sizeof group_id);
  MlsResult result = MLS_NO_MEMORY;
  if (extensions_write (&policy, &extensions))
    result = mls_group_create (&client, mls_slice (group_id, sizeof group_id),
        mls_buffer_slice (&extensions), &settings, &group);
  mls_buffer_free (&extensions);
  if (result != MLS_OK) {
    session_finish (session, SESSION_DENIED, WIRE_CODE_BUSY, 0);
    return;
  }
  session->record_opened = policy.opened;
  session->have_host = session->host_verified = true;
  identity_fingerprint (self_key (session), session->host);
  order_take_group (session, group, &policy);
  hub_tell_admins (session);
  announce_reopened (session);
  /* Who knocked served the door no more: it is said again, even if the number is the same. */
  session->hub.credits = 0;
  hub_credits (session);
}

/* Above the co-hosts stands the owner: one that can't show that it was named, or does not want to, keeps it out of nothing. */
bool
hub_turned_away (Session *session)
{
  if (session->group || !may_open (session) || !session->hub.attending
      || ++session->hub.turned_away < LIMIT_TURNED_AWAY)
    return false;
  session->hub.turned_away = 0;
  hub_open_group (session);
  return true;
}

void
hub_opened (Session *session, const WireMessage *m)
{
  Hub *hub = &session->hub;
  bool opened = hub->asking == ASKING_OPEN;

  if (hub->asking == ASKING_NOTHING) {
    session->stats.unexpected++;
    return;
  }
  hub->asking = ASKING_NOTHING;
  hub->backoff = 0;
  hub->attend_tries = 0;
  hub->attending = true;
  hub->is_owner = opened;
  hub->attaching = false;
  hub->knocks = hub->credits = 0;
  hub_enter_room (session);
  bool same_room =
      hub->have_room && memcmp (hub->room, m->opened.room, LIMIT_ROOM) == 0;
  if (!session->group) {
    hub_new_room (session, m->opened.room, m->opened.seq);
    /* There is a group, says the hub: knock there. If it lies, or the admin goes, `waiting` comes, and we open a new one. */
    if (m->opened.attended || !may_open (session))
      knock_begin (session, session->mono);
    else
      hub_open_group (session);
    return;
  }
  if (!same_room)
    hub_new_room (session, m->opened.room, 0);
  if (m->opened.seq > hub->seq) {
    WireMessage replay = { .type = WIRE_REPLAY, .seq = hub->seq };
    out_text (session, &replay);
  }
  order_resend (session, !same_room);
  hub_tell_admins (session);
  /* A room that forgot does not tell who comes from the group before. */
  if (!same_room && policy_is_owner (&session->policy, self_key (session)))
    announce_reopened (session);
  hub_credits (session);
}

void
hub_attach_request (Session *session, const WireMessage *m)
{
  Hub *hub = &session->hub;
  MlsEvent event;
  Message here;

  if (!session->group || !hub->attending || !admin_is (session)) {
    session->stats.unexpected++;
    return;
  }
  MlsSlice message = mls_slice (m->attach.message.data, m->attach.message.len);
  if (mls_group_process (session->group, message, session->mono, &event)
      != MLS_OK) {
    session->stats.unreadable++;
    return;
  }
  if (event.type == MLS_EVENT_APPLICATION
      && message_read (event.data.data, event.data.len, &here) == JSON_OK) {
    Member *member = event.sender.index < LIMIT_MEMBERS
                         ? session->by_leaf[event.sender.index]
                         : NULL;
    /* In the epoch of the message the leaf may have been another's. */
    if (member && SESSION_CHECK (HERE_LEAF, event.epoch >= member->since_epoch)
        && here.type == MESSAGE_HERE
        && SESSION_CHECK (
            HERE_PEER, here.here.peer == m->peer
                           && sodium_memcmp (here.here.challenge,
                                  m->attach.challenge.data, LIMIT_CHALLENGE)
                                  == 0)) {
      bool same_room = memcmp (here.here.room, hub->room, LIMIT_ROOM) == 0;
      WireMessage answer = { .type = WIRE_ADMITTED, .peer = m->peer };
      answer.admitted.seq = same_room ? here.here.seq : 0;
      member->peer = m->peer;
      out_text (session, &answer);
    } else {
      session->stats.bad_messages++;
    }
    message_clear (&here);
  }
  mls_event_clear (&event);
}

/* ---- Members ---- */

void
hub_attached (Session *session, const WireMessage *m)
{
  Hub *hub = &session->hub;
  bool same_room =
      hub->have_room && memcmp (hub->room, m->admitted.room, LIMIT_ROOM) == 0;

  if (!hub->attaching || m->peer != hub->peer) {
    session->stats.unexpected++;
    return;
  }
  hub->attaching = false;
  hub->backoff = 0;
  hub_enter_room (session);
  if (!same_room)
    hub_new_room (session, m->admitted.room, m->admitted.seq);
  else
    hub->seq = MIN (hub->seq, m->admitted.seq);
  order_resend (session, !same_room);
  talk_announce (session);
  if (admin_is (session))
    hub->attend_at = session->mono + ATTEND_RETRY_MS;
}

void
hub_reopened (Session *session, const WireMessage *m)
{
  const uint8_t *own = self_key (session);

  if (!session->was_member || policy_is_owner (&session->policy, own)) {
    session->stats.unexpected++;
    return;
  }
  if (!SESSION_CHECK (REOPENED_SIGNATURE,
          wire_verify_reopened (session->policy.owner, session->link.meeting,
              m->reopened.opened, m->reopened.group_id, m->reopened.sig))
      || !SESSION_CHECK (
          REOPENED_LATER, m->reopened.opened > session->policy.opened)) {
    session->stats.unexpected++;
    return;
  }
  order_drop_group (session);
  session->policy.opened = m->reopened.opened;
  session->reopening = true;
  memcpy (session->reopened_group, m->reopened.group_id, DOOR_GROUP_ID_LEN);
  session_enter (session, SESSION_REJOINING, 0, 0);
  knock_begin (session, session->mono);
}

/* ---- Errors ---- */

static void
refused_as_admin (Session *session, WireCode code)
{
  Hub *hub = &session->hub;

  hub->asking = ASKING_NOTHING;
  hub->attend_tries++;
  if (!session->group && session->knock.stage != KNOCK_NONE)
    return; /* we have left the group meanwhile, and knock */
  if (!session->group && hub->attend_tries >= OPEN_TRIES) {
    session_finish (session, SESSION_DENIED, code, 0);
    return;
  }
  /* The hub knows us as nobody, as after it lost its memory and somebody else opened: then we are a member like others. */
  if (session->group && hub->stage == HUB_GUEST && !hub->attaching
      && hub->attend_tries >= OPEN_TRIES) {
    hub->attend_tries = 0;
    begin_attach (session);
    return;
  }
  /* The other way at once, then after a while: the owner may not have named us yet. */
  if (hub->attend_tries % 2 == 1) {
    hub_attend (session);
    return;
  }
  hub->attend_at =
      session->mono
      + MIN ((uint64_t) ATTEND_RETRY_MS << MIN (hub->attend_tries / 2, 6),
          LIMIT_CONNECT_MAX_MS);
}

/* The hub says that nobody is there, or that a person is being asked. */
void
hub_waiting (Session *session)
{
  Knock *knock = &session->knock;

  if (session->hub.attaching) {
    session->hub.attach_since = session->mono;
  } else if (knock->stage == KNOCK_SENT) {
    knock->at = UINT64_MAX;
    /* No admin attends: an owner's meeting is its own to open. */
    if (!session->group && may_open (session) && session->hub.attending)
      hub_open_group (session);
  } else if (knock->stage == KNOCK_PROVED) {
    knock->at = UINT64_MAX;
    if (session->state == SESSION_KNOCKING)
      session_enter (session, SESSION_WAITING, 0, 0);
  } else {
    session->stats.unexpected++;
  }
}

static void
lose_place (Session *session)
{
  if (session->hub.stage == HUB_RETURNING) {
    bool was_knocking =
        session->knock.stage > KNOCK_WISHED && !may_open (session);
    adopt_place (session);
    if (was_knocking) {
      knock_again (session, 0);
      return;
    }
    if (!session->group)
      knock_clear (session); /* the run went with the place */
    arrive (session);
  }
}

void
hub_error (Session *session, const WireMessage *m)
{
  Hub *hub = &session->hub;

  switch (m->code) {
    case WIRE_CODE_NOT_OWNER:
    case WIRE_CODE_NOT_ADMIN:
    case WIRE_CODE_BAD_SIGNATURE:
      if (hub->asking != ASKING_NOTHING)
        refused_as_admin (session, m->code);
      break;
    case WIRE_CODE_UNKNOWN_PLACE:
      lose_place (session);
      break;
    case WIRE_CODE_TOO_LATE:
      if (session->group)
        order_rejoin (session);
      break;
    case WIRE_CODE_NOT_MEMBER:
      if (hub->stage == HUB_MEMBER && session->group) {
        hub->is_member = false;
        hub->stage = HUB_GUEST;
        arrive (session);
      }
      break;
    case WIRE_CODE_DISMISSED:
      hub->have_place = false;
      if (session->removed_by_person)
        session_finish (session, SESSION_REMOVED, WIRE_CODE_REMOVED, 0);
      else if (session->group)
        order_rejoin (session);
      break;
    case WIRE_CODE_CLOSED:
      session_finish (session, SESSION_DENIED, WIRE_CODE_CLOSED, 0);
      break;
    case WIRE_CODE_RATE_LIMITED:
    case WIRE_CODE_BUSY:
      if (session->knock.stage == KNOCK_SENT)
        knock_again (session, LIMIT_CONNECT_MAX_MS);
      break;
    case WIRE_CODE_MALFORMED:
    case WIRE_CODE_TOO_LARGE:
    case WIRE_CODE_TIMEOUT:
    case WIRE_CODE_GOING_AWAY:
      break; /* the connection ends, and comes back */
    default:
      knock_refused (session, m->code, 0);
      break;
  }
}

/* ---- Time ---- */

static bool
is_unanswered (const Hub *hub)
{
  return hub->stage == HUB_CONNECTED || hub->stage == HUB_RETURNING;
}

void
hub_pass_time (Session *session)
{
  Hub *hub = &session->hub;

  if (hub->stage == HUB_AWAY && session->mono >= hub->connect_at) {
    hub->stage = HUB_ASKED;
    out_connect (session);
  }
  /* It took the connection and died, or is none: the net may never tell. */
  if (is_unanswered (hub) && session->mono >= hub->answer_by) {
    out_disconnect (session);
    session_disconnected (session);
  }
  if (session->mono >= hub->attend_at)
    hub_attend (session);
  if (hub->attaching && session->mono >= hub->attach_at) {
    if (session->mono - hub->attach_since >= ATTACH_GIVE_UP_MS) {
      hub->attaching = false;
      order_rejoin (session);
    } else {
      send_attach (session);
    }
  }
  if (hub->stage == HUB_MEMBER && hub->seq > hub->acked
      && session->mono >= hub->ack_at) {
    WireMessage m = { .type = WIRE_ACK, .seq = hub->seq };
    hub->acked = hub->seq;
    hub->ack_at = session->mono + LIMIT_ACK_MS;
    out_text (session, &m);
  }
}

uint64_t
hub_due (const Session *session)
{
  const Hub *hub = &session->hub;
  uint64_t deadline = hub->stage == HUB_AWAY ? hub->connect_at : UINT64_MAX;

  if (is_unanswered (hub))
    deadline = hub->answer_by;
  deadline = MIN (deadline, hub->attend_at);
  if (hub->attaching)
    deadline = MIN (deadline, hub->attach_at);
  if (hub->stage == HUB_MEMBER && hub->seq > hub->acked)
    deadline = MIN (deadline, hub->ack_at);
  return deadline;
}

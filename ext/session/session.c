/* A session's life, its time, and which file a frame goes to.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

const char *
session_result_text (SessionResult result)
{
  switch (result) {
    case SESSION_OK:
      return "nothing is wrong";
    case SESSION_BAD_LINK:
      return "the link is not one of a meeting";
    case SESSION_BAD_NAME:
      return "the display name must have 1 to 64 bytes of text in "
             "normalization form C, without control or direction characters";
    case SESSION_BAD_POLICY:
      return "a setting of the meeting has a value that it can't have";
    case SESSION_BAD_RECORD:
      return "the meeting's record was made with another identity or is "
             "damaged; move it away to open the meeting anew";
    case SESSION_NOT_HOST_KEY:
      return "the link names another host; open the meeting with the identity "
             "that it was made with, or without #host";
    case SESSION_OPEN_TO_ALL:
      return "admission by password needs a password; choose the waiting "
             "room, an allow list or open admission in so many words";
    case SESSION_UNPINNED:
      return "the link has no #host, the host is not known and there is no "
             "password: it could be anybody's meeting; ask for a link with "
             "#host";
    default:
      return "the system has no memory for keys";
  }
}

/* ---- Life ---- */

static void
copy_list (const uint8_t (*from)[IDENTITY_FINGERPRINT_LEN], size_t n,
    uint8_t (**to)[IDENTITY_FINGERPRINT_LEN])
{
  if (n > 0)
    *to = g_memdup2 (from, n * IDENTITY_FINGERPRINT_LEN);
}

static bool
take_policy (const SessionConfig *config, Policy *out)
{
  const Policy *from = &config->policy;
  Policy policy = policy_default ();

  if (from->admission)
    policy.admission = from->admission;
  if (from->screen_share)
    policy.screen_share = from->screen_share;
  if (from->recording) {
    policy.recording = from->recording;
    policy.consent = from->consent;
  }
  if (from->hand_over)
    policy.hand_over = from->hand_over;
  if (from->sframe_suite)
    policy.sframe_suite = from->sframe_suite;
  if (from->epoch_bits)
    policy.epoch_bits = from->epoch_bits;
  if (from->index_bits)
    policy.index_bits = from->index_bits;
  if (from->max_members)
    policy.max_members = from->max_members;
  *out = policy;
  g_strlcpy (policy.meeting, "m", sizeof policy.meeting);
  return policy_is_sound (&policy);
}

static SessionResult
check_config (const SessionConfig *config, const Link *link)
{
  uint8_t fingerprint[IDENTITY_FINGERPRINT_LEN];

  identity_fingerprint (identity_public_key (config->identity), fingerprint);
  if (!config->display_name
      || !name_is_valid (config->display_name, strlen (config->display_name))
      || !name_is_normal (config->display_name, strlen (config->display_name)))
    return SESSION_BAD_NAME;
  if (!config->owner)
    return role_name (config->role) ? SESSION_OK : SESSION_BAD_POLICY;
  if (link->has_host_key
      && sodium_memcmp (link->host_key, fingerprint, sizeof fingerprint) != 0)
    return SESSION_NOT_HOST_KEY;
  /* "A host without `password` must choose waiting-room or open in so many words." */
  if (!config->password
      && (config->policy.admission == 0
          || config->policy.admission == ADMISSION_PASSWORD))
    return SESSION_OPEN_TO_ALL;
  return SESSION_OK;
}

/* Whom we expect at the door: the link's host; ourselves, as the owner; or the host that was known under this link. */
static void
find_pin (Session *session)
{
  char name[LINK_SIZE];
  static const uint8_t nobody[IDENTITY_FINGERPRINT_LEN];

  if (session->link.has_host_key) {
    session->pinned = true;
    memcpy (session->pin, session->link.host_key, sizeof session->pin);
  } else if (session->owner) {
    session->pinned = true;
    identity_fingerprint (self_key (session), session->pin);
  } else if (session->known && link_known_name (&session->link, name)) {
    session->pinned = known_check (session->known, name, nobody, session->pin)
                      == KNOWN_CHANGED;
  }
}

static Session *
make (const SessionConfig *config, const Link *link)
{
  const uint8_t *secret = identity_secret_key (config->identity);
  Session *session = g_new0 (Session, 1);

  session->link = *link;
  session->owner = config->owner;
  session->role = config->owner ? ROLE_PARTICIPANT : config->role;
  g_strlcpy (session->name, config->display_name, sizeof session->name);
  session->identity = identity_from_seed (secret);
  session->seed = secret_copy (secret, IDENTITY_KEY_LEN);
  session->password = secret_ref (config->password);
  session->known = config->known;
  session->suite = config->suite ? config->suite : MLS_SUITE_CHACHA20_POLY1305;
  copy_list (config->allow_list, config->n_allow_list, &session->allow_list);
  session->n_allow_list = config->n_allow_list;
  copy_list (config->recorders, config->n_recorders, &session->recorders);
  session->n_recorders = config->n_recorders;
  session->rekey_interval =
      config->rekey_interval ? config->rekey_interval : LIMIT_REKEY_MS;

  g_queue_init (&session->outputs);
  g_queue_init (&session->events);
  g_queue_init (&session->kept);
  g_queue_init (&session->own);
  g_queue_init (&session->said);
  session->members = g_ptr_array_new ();
  session->admins = g_ptr_array_new ();
  session->tracks = g_ptr_array_new ();
  session->epochs = g_array_new (FALSE, FALSE, sizeof (OpenEpoch));
  session->guests =
      g_ptr_array_new_with_free_func ((GDestroyNotify) guest_free);
  session->admitted = g_array_new (FALSE, FALSE, sizeof (Admitted));
  session->wishes = g_ptr_array_new_with_free_func (g_free);
  session->removals = g_ptr_array_new_with_free_func (g_free);
  session->removed = g_ptr_array_new_with_free_func (g_free);
  session->bad_paths = g_array_new (FALSE, FALSE, sizeof (BadPaths));
  session->dismissed = g_array_new (FALSE, FALSE, sizeof (uint64_t));
  session->chains = g_hash_table_new_full (g_bytes_hash, g_bytes_equal,
      (GDestroyNotify) g_bytes_unref, (GDestroyNotify) g_bytes_unref);
  session->record_admitted = g_hash_table_new_full (
      g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  seen_init (&session->sids);
  seen_init (&session->refs);
  session->knock.at = session->hub.attend_at = UINT64_MAX;
  session->rekey_at = session->expire_at = session->absent_at = UINT64_MAX;
  return session;
}

SessionResult
session_new (
    const SessionConfig *config, uint64_t mono, uint64_t wall, Session **out)
{
  Link link;
  Policy policy;

  *out = NULL;
  if (!config->uri
      || link_parse (config->uri, strlen (config->uri), &link) != LINK_OK)
    return SESSION_BAD_LINK;
  SessionResult result = check_config (config, &link);
  if (result != SESSION_OK)
    return result;
  if (!take_policy (config, &policy))
    return SESSION_BAD_POLICY;

  Session *session = make (config, &link);
  session->wanted = policy;
  session->mono = mono;
  session->wall = wall;
  budget_init (&session->budget, mono);
  find_pin (session);
  if (!session->identity || !session->seed)
    result = SESSION_NO_MEMORY;
  else if (!session->pinned && !session->password)
    result = SESSION_UNPINNED;
  else if (config->record
           && !record_open (session, config->record, config->record_len))
    result = SESSION_BAD_RECORD;
  if (result != SESSION_OK) {
    session_free (session);
    return result;
  }
  session_enter (session, SESSION_CONNECTING, 0, 0);
  hub_ask (session, mono);
  hub_pass_time (session);
  *out = session;
  return SESSION_OK;
}

bool
session_is_over (const Session *session)
{
  return session->state >= SESSION_DENIED;
}

/* All keys go; what the accessors tell of the end stays. */
static void
wipe (Session *session)
{
  order_drop_group (session);
  knock_clear (session);
  host_drop_guests (session);
  secret_unref (session->password);
  session->password = NULL;
}

void
session_finish (
    Session *session, SessionState state, WireCode code, int64_t skew)
{
  WireMessage leave = { .type = WIRE_LEAVE };

  if (session_is_over (session))
    return;
  if (session->hub.stage >= HUB_GUEST)
    out_text (session, &leave);
  wipe (session);
  if (session->hub.stage >= HUB_ASKED)
    out_disconnect (session);
  session->hub.stage = HUB_AWAY;
  session->hub.connect_at = session->hub.attend_at = UINT64_MAX;
  session->hub.attaching = session->leaving = false;
  session_enter (session, state, code, skew);
}

static void
free_output (gpointer data)
{
  session_output_clear (data);
  g_free (data);
}

static void
free_event (gpointer data)
{
  session_event_clear (data);
  g_free (data);
}

void
session_free (Session *session)
{
  if (!session)
    return;
  wipe (session);
  g_queue_clear_full (&session->outputs, free_output);
  g_queue_clear_full (&session->events, free_event);
  g_ptr_array_unref (session->members);
  g_ptr_array_unref (session->admins);
  g_ptr_array_unref (session->tracks);
  g_array_unref (session->epochs);
  g_ptr_array_unref (session->guests);
  g_array_unref (session->admitted);
  g_ptr_array_unref (session->wishes);
  g_ptr_array_unref (session->removals);
  g_ptr_array_unref (session->removed);
  g_array_unref (session->dismissed);
  g_array_unref (session->bad_paths);
  g_hash_table_unref (session->record_admitted);
  g_hash_table_unref (session->chains);
  blob_clear (&session->record_content);
  seen_clear (&session->sids);
  seen_clear (&session->refs);
  budget_clear (&session->budget);
  g_free (session->allow_list);
  g_free (session->recorders);
  identity_free (session->identity);
  secret_unref (session->seed);
  g_free (session);
}

/* ---- Time ---- */

void
session_tick (Session *session, uint64_t mono, uint64_t wall)
{
  session->mono = MAX (session->mono, mono);
  session->wall = wall;
  if (session_is_over (session))
    return;
  hub_pass_time (session);
  knock_tick (session);
  order_tick (session);
  keys_tick (session);
  host_tick (session);
  commits_tick (session);
  beat_tick (session);
  admin_tick (session);
}

uint64_t
session_deadline (const Session *session)
{
  uint64_t deadline = hub_due (session);

  if (session_is_over (session))
    return UINT64_MAX;
  deadline = MIN (deadline, knock_deadline (session));
  deadline = MIN (deadline, order_deadline (session));
  deadline = MIN (deadline, keys_deadline (session));
  deadline = MIN (deadline, host_deadline (session));
  deadline = MIN (deadline, commits_deadline (session));
  deadline = MIN (deadline, beat_deadline (session));
  return MIN (deadline, admin_deadline (session));
}

/* ---- Frames ---- */

static void
take_gone (Session *session, uint64_t peer)
{
  Member *member = roster_by_peer (session, peer);

  host_gone (session, peer);
  hub_gone (session, peer);
  if (member && admin_is (session))
    admin_leaver (session, member, false);
}

static void
take_media (Session *session, WireMessage *m)
{
  if (!SESSION_CHECK (
          MEMBERS_ONLY, hub_is_member (session) && session->group != NULL)) {
    session->stats.unexpected++;
    return;
  }
  out_event (session, SESSION_EVENT_MEDIA)->media = *m;
  *m = (WireMessage){ 0 }; /* it is the event's now */
}

static void
dispatch (Session *session, WireMessage *m)
{
  switch (m->type) {
    case WIRE_HELLO:
      hub_hello (session, m);
      break;
    case WIRE_RETURNED:
      hub_returned (session, m);
      break;
    case WIRE_OPENED:
      hub_opened (session, m);
      break;
    case WIRE_GONE:
      take_gone (session, m->peer);
      break;
    case WIRE_KNOCK:
      host_knock (session, m);
      break;
    case WIRE_REPLY:
      knock_reply (session, m);
      break;
    case WIRE_PROOF:
      host_proof (session, m);
      break;
    case WIRE_ADMIT:
      knock_admit (session, m);
      break;
    case WIRE_ADMITTED:
      knock_admitted (session, m);
      break;
    case WIRE_WAITING:
      hub_waiting (session);
      break;
    case WIRE_AGAIN:
      knock_again (session, m->after);
      break;
    case WIRE_ERROR:
      hub_error (session, m);
      break;
    case WIRE_REOPENED:
      hub_reopened (session, m);
      break;
    case WIRE_ATTACH:
      hub_attach_request (session, m);
      break;
    default:
      take_media (session, m);
  }
}

void
session_frame (Session *session, bool binary, const void *data, size_t len)
{
  WireMessage m;

  if (session_is_over (session) || session->hub.stage < HUB_CONNECTED)
    return;
  if (len > LIMIT_FRAME_DOWN) {
    session->stats.malformed++;
    return;
  }
  if (binary) {
    order_frame (session, data, len);
  } else if (wire_read (data, len, WIRE_FROM_HUB, &m) == JSON_OK) {
    dispatch (session, &m);
    wire_clear (&m, WIRE_FROM_HUB);
  } else {
    session->stats.malformed++;
  }
  /* What a frame made due is not left for the next one. */
  if (!session_is_over (session))
    commits_tick (session);
}

bool
session_media (Session *session, const WireMessage *message)
{
  if (!session->group || !hub_is_member (session)
      || message->type < WIRE_TRANSPORT)
    return false;
  size_t len;
  char *text = wire_write (message, WIRE_FROM_CLIENT, &len);
  if (!text)
    return false;
  g_free (text);
  out_text (session, message);
  return true;
}

bool
session_place (const Session *session, uint64_t *peer, uint8_t *room)
{
  if (!session->group || !hub_is_member (session))
    return false;
  *peer = session->hub.peer;
  memcpy (room, session->hub.room, LIMIT_ROOM);
  return true;
}

/* ---- What is ---- */

SessionState
session_state (const Session *session)
{
  return session->state;
}

const Link *
session_link (const Session *session)
{
  return &session->link;
}

const Policy *
session_policy (const Session *session)
{
  return session->group ? &session->policy : NULL;
}

uint64_t
session_epoch (const Session *session)
{
  return session->group ? mls_epoch_number (mls_group_epoch (session->group))
                        : 0;
}

const uint8_t *
session_epoch_authenticator (const Session *session)
{
  return session->group
             ? mls_epoch_authenticator (mls_group_epoch (session->group))
             : NULL;
}

const uint8_t *
session_group_id (const Session *session)
{
  return session->group
             ? mls_epoch_group_id (mls_group_epoch (session->group)).data
             : NULL;
}

const char *
session_security_code (const Session *session)
{
  return session->code;
}

const uint8_t *
session_host_fingerprint (const Session *session)
{
  return session->have_host ? session->host : NULL;
}

bool
session_host_verified (const Session *session)
{
  return session->have_host && session->host_verified;
}

bool
session_link_text (const Session *session, char *text)
{
  Link link = session->link;

  if (!link.has_host_key) {
    if (session->pinned)
      memcpy (link.host_key, session->pin, sizeof link.host_key);
    else if (session->group)
      identity_fingerprint (session->policy.owner, link.host_key);
    else
      return false;
    link.has_host_key = true;
  }
  return link_format (&link, text);
}

SessionStats
session_stats (const Session *session)
{
  return session->stats;
}

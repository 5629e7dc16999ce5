/* What the session tells, as signals, messages on the bus, errors and warnings; and what the media bin tells, on its way to
 * the session.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "joinpriv.h"

#include <string.h>

#define GST_CAT_DEFAULT meetingjoin_debug

/* ---- The snapshot ---- */

void
meeting_snapshot_clear (MeetingSnapshot *now)
{
  g_free (now->detail);
  g_free (now->link);
  g_free (now->security_code);
  g_free (now->host_fingerprint);
  g_clear_pointer (&now->participants, g_ptr_array_unref);
  *now = (MeetingSnapshot){ 0 };
}

static const char *
verdict_name (KnownVerdict verdict)
{
  return verdict == KNOWN_SAME      ? "same"
         : verdict == KNOWN_CHANGED ? "changed"
                                    : "new";
}

/* FINGERPRINT_TEXT_SIZE bytes. */
static void
long_fingerprint (const SessionMember *member, char *text)
{
  guint8 fingerprint[IDENTITY_FINGERPRINT_LEN];

  identity_fingerprint (member->key, fingerprint);
  fingerprint_text (fingerprint, text);
}

static GstStructure *
describe (MeetingThread *thread, const SessionMember *member)
{
  char fingerprint[FINGERPRINT_TEXT_SIZE];
  g_autofree char *key = b64_write (member->key, IDENTITY_KEY_LEN);
  const char *why;
  guint n_tracks;
  MeetingKeys keys = meeting_tracks_keys (
      meeting_thread_tracks (thread), member->key, &n_tracks, &why);

  long_fingerprint (member, fingerprint);
  GstStructure *s = gst_structure_new ("conclave-participant", "name",
      G_TYPE_STRING, member->name, "fingerprint", G_TYPE_STRING, fingerprint,
      "short-fingerprint", G_TYPE_STRING, member->fingerprint, "key",
      G_TYPE_STRING, key, "role", G_TYPE_STRING, role_name (member->role),
      "owner", G_TYPE_BOOLEAN, (gboolean) member->owner, "admin",
      G_TYPE_BOOLEAN, (gboolean) member->admin, "self", G_TYPE_BOOLEAN,
      (gboolean) member->self, "double-name", G_TYPE_BOOLEAN,
      (gboolean) member->double_name, "verdict", G_TYPE_STRING,
      verdict_name (member->verdict), "hand", G_TYPE_BOOLEAN,
      (gboolean) member->hand, "recording", G_TYPE_STRING,
      recording_state_names[member->recording - 1], "tracks", G_TYPE_UINT,
      n_tracks, "key-state", G_TYPE_STRING, meeting_keys_name (keys), NULL);
  if (why)
    gst_structure_set (s, "key-problem", G_TYPE_STRING, why, NULL);
  return s;
}

static gboolean
replace (char **old, const char *text)
{
  if (g_strcmp0 (*old, text) == 0)
    return FALSE;
  g_free (*old);
  *old = g_strdup (text);
  return TRUE;
}

enum
{
  CHANGED_LINK = 1,
  CHANGED_HOST = 2,
  CHANGED_EPOCH = 4,
  CHANGED_LOCKED = 8,
  CHANGED_PARTICIPANTS = 16
};

static void
notify_changed (ConclaveMeetingJoin *self, guint changed)
{
  GObject *object = G_OBJECT (self);

  if (changed & CHANGED_LINK)
    g_object_notify (object, "link");
  if (changed & CHANGED_HOST) {
    g_object_notify (object, "host-fingerprint");
    g_object_notify (object, "host-verified");
  }
  if (changed & CHANGED_EPOCH) {
    g_object_notify (object, "epoch");
    g_object_notify (object, "security-code");
  }
  if (changed & CHANGED_LOCKED)
    g_object_notify (object, "locked");
  if (changed & CHANGED_PARTICIPANTS)
    g_object_notify (object, "participants");
}

static gboolean
are_equal (const GPtrArray *a, const GPtrArray *b)
{
  if (!a || !b || a->len != b->len)
    return a == b || (a ? a->len : b->len) == 0;
  for (guint i = 0; i < a->len; i++)
    if (!gst_structure_is_equal (
            g_ptr_array_index (a, i), g_ptr_array_index (b, i)))
      return FALSE;
  return TRUE;
}

/* With the lock. */
static guint
fill_texts (MeetingSnapshot *now, Session *session)
{
  char link[LINK_SIZE], fingerprint[FINGERPRINT_TEXT_SIZE];
  const guint8 *host = session_host_fingerprint (session);
  const Policy *policy = session_policy (session);
  gboolean locked = policy && policy->locked;
  guint changed = 0;

  if (session_link_text (session, link) && replace (&now->link, link))
    changed |= CHANGED_LINK;
  if (host)
    fingerprint_text (host, fingerprint);
  if (replace (&now->host_fingerprint, host ? fingerprint : NULL)
      || now->host_verified != session_host_verified (session))
    changed |= CHANGED_HOST;
  now->host_verified = session_host_verified (session);
  if (replace (
          &now->security_code, policy ? session_security_code (session) : NULL)
      || now->epoch != session_epoch (session))
    changed |= CHANGED_EPOCH;
  now->epoch = session_epoch (session);
  if (now->locked != locked)
    changed |= CHANGED_LOCKED;
  now->locked = locked;
  now->silenced = session_is_silenced (session);
  now->stale = session_is_stale (session);
  return changed;
}

static void
refresh (MeetingThread *thread, Session *session)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);
  GPtrArray *participants =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_structure_free);
  gboolean is_admin = FALSE, is_owner = FALSE;

  for (gsize i = 0; i < session_members (session); i++) {
    SessionMember member;
    if (!session_member (session, i, &member))
      continue;
    g_ptr_array_add (participants, describe (thread, &member));
    is_admin |= member.self && member.admin;
    is_owner |= member.self && member.owner;
  }
  g_mutex_lock (&self->lock);
  GPtrArray *old = g_steal_pointer (&self->now.participants);
  self->now.participants = participants;
  self->now.is_admin = is_admin;
  self->now.is_owner = is_owner;
  guint changed = fill_texts (&self->now, session);
  g_mutex_unlock (&self->lock);
  if (!are_equal (old, participants))
    changed |= CHANGED_PARTICIPANTS;
  if (old)
    g_ptr_array_unref (old);
  self->fresh = TRUE;
  notify_changed (self, changed);
}

static void
turned (MeetingThread *thread, Session *session, gboolean told)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);

  if (told || self->dirty)
    refresh (thread, session);
  self->fresh = self->dirty = FALSE;
  g_mutex_lock (&self->lock);
  self->now.session = session_stats (session);
  self->now.hub = meeting_thread_hub_stats (thread);
  self->now.tracks = meeting_tracks_stats (meeting_thread_tracks (thread));
  g_mutex_unlock (&self->lock);
}

/* ---- Telling ---- */

static void
post (ConclaveMeetingJoin *self, GstStructure *structure)
{
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self), structure));
}

static void
post_flag (ConclaveMeetingJoin *self, const char *name, gboolean on)
{
  post (self, gst_structure_new (name, "on", G_TYPE_BOOLEAN, on, NULL));
}

/* Of whom; what else is said is added by the caller. */
static GstStructure *
about (const char *name, const SessionMember *member)
{
  char fingerprint[FINGERPRINT_TEXT_SIZE];

  long_fingerprint (member, fingerprint);
  return gst_structure_new (name, "name", G_TYPE_STRING, member->name,
      "fingerprint", G_TYPE_STRING, fingerprint, "short-fingerprint",
      G_TYPE_STRING, member->fingerprint, "role", G_TYPE_STRING,
      role_name (member->role), "verdict", G_TYPE_STRING,
      verdict_name (member->verdict), "self", G_TYPE_BOOLEAN,
      (gboolean) member->self, NULL);
}

const char *
meeting_state_name (MeetingState state)
{
  static const char *const names[] = { "idle", "connecting", "waiting",
    "admitted", "denied", "left" };
  return names[state];
}

void
meeting_join_tell_state (
    ConclaveMeetingJoin *self, MeetingState state, const char *detail)
{
  g_mutex_lock (&self->lock);
  gboolean other = self->now.state != state;
  self->now.state = state;
  other |= replace (&self->now.detail, detail);
  GstStructure *s = gst_structure_new ("conclave-state", "state",
      G_TYPE_STRING, meeting_state_name (state), NULL);
  if (detail)
    gst_structure_set (s, "detail", G_TYPE_STRING, detail, NULL);
  if (state == MEETING_ADMITTED)
    gst_structure_set (s, "link", G_TYPE_STRING, self->now.link,
        "host-fingerprint", G_TYPE_STRING, self->now.host_fingerprint,
        "host-verified", G_TYPE_BOOLEAN, self->now.host_verified, NULL);
  g_mutex_unlock (&self->lock);
  if (!other) {
    gst_structure_free (s);
    return;
  }
  GST_INFO_OBJECT (self, "state %s%s%s", meeting_state_name (state),
      detail ? ": " : "", detail ? detail : "");
  post (self, s);
  g_object_notify (G_OBJECT (self), "state");
}

static void
fail (ConclaveMeetingJoin *self, gint code, const char *sentence)
{
  if (self->over || g_atomic_int_get (&self->stopping))
    return;
  self->over = TRUE;
  meeting_join_tell_state (self, MEETING_DENIED, sentence);
  gst_element_message_full (GST_ELEMENT (self), GST_MESSAGE_ERROR,
      GST_RESOURCE_ERROR, code, g_strdup (sentence), NULL, __FILE__,
      GST_FUNCTION, __LINE__);
}

static void
warn_user (ConclaveMeetingJoin *self, gint code, const char *sentence)
{
  gst_element_message_full (GST_ELEMENT (self), GST_MESSAGE_WARNING,
      GST_RESOURCE_ERROR, code, g_strdup (sentence), NULL, __FILE__,
      GST_FUNCTION, __LINE__);
}

static void
warn (MeetingThread *thread, const char *sentence)
{
  warn_user (
      meeting_thread_user (thread), GST_RESOURCE_ERROR_FAILED, sentence);
}

/* ---- The hub ---- */

static void
hub (MeetingThread *thread, Session *session, gboolean connected,
    MeetingHubLoss loss, const char *why)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);
  GstStructure *s = gst_structure_new (
      "conclave-connection", "connected", G_TYPE_BOOLEAN, connected, NULL);

  if (why)
    gst_structure_set (s, "detail", G_TYPE_STRING, why, NULL);
  g_mutex_lock (&self->lock);
  self->now.hub_connected = connected;
  g_mutex_unlock (&self->lock);
  post (self, s);
  if (connected) {
    self->was_connected = TRUE;
    g_clear_pointer (&self->last_warning, g_free);
    return;
  }
  GST_INFO_OBJECT (self, "%s", why);
  GST_OBJECT_LOCK (self);
  guint64 patience = self->connect_timeout / GST_MSECOND;
  GST_OBJECT_UNLOCK (self);
  if (!self->was_connected
      && (loss == MEETING_HUB_UNTRUSTED
          || meeting_now () - self->started >= patience)) {
    fail (self,
        loss == MEETING_HUB_UNTRUSTED ? GST_RESOURCE_ERROR_NOT_AUTHORIZED
                                      : GST_RESOURCE_ERROR_OPEN_READ_WRITE,
        why);
    session_leave (session);
  } else if (self->was_connected && replace (&self->last_warning, why)) {
    warn_user (self, GST_RESOURCE_ERROR_READ, why);
  }
}

/* ---- State ---- */

/* As a recorder: says so, at once or when everybody has agreed; what others send is not asked for before. */
static void
begin_recording (MeetingThread *thread, Session *session)
{
  const Policy *policy = session_policy (session);

  if (policy)
    session_recording (
        session, policy->consent ? RECORDING_ASK : RECORDING_ON);
}

static void
hold_recording (MeetingThread *thread, Session *session)
{
  const Policy *policy = session_policy (session);
  gboolean on = FALSE;

  for (gsize i = 0; i < session_members (session); i++) {
    SessionMember member;
    if (session_member (session, i, &member) && member.self)
      on = member.recording == RECORDING_ON;
  }
  meeting_tracks_hold (
      meeting_thread_tracks (thread), policy && policy->consent && !on);
}

static void
remember_host (ConclaveMeetingJoin *self, Session *session)
{
  const Policy *policy = session_policy (session);
  char name[LINK_SIZE];
  guint8 fingerprint[IDENTITY_FINGERPRINT_LEN];

  if (!policy || self->settings->role == MEETING_ROLE_HOST
      || !link_known_name (session_link (session), name))
    return;
  identity_fingerprint (policy->owner, fingerprint);
  meeting_settings_remember (self->settings, name, fingerprint);
}

static void
end_well (ConclaveMeetingJoin *self, const char *sentence)
{
  if (self->over)
    return;
  self->over = TRUE;
  meeting_join_tell_state (self, MEETING_LEFT, sentence);
  if (!g_atomic_int_get (&self->stopping))
    meeting_join_end_stream (self);
}

static void
take_state (MeetingThread *thread, Session *session, const SessionEvent *event)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);
  g_autofree char *why = NULL;

  switch (event->state) {
    case SESSION_CONNECTING:
      meeting_join_tell_state (
          self, MEETING_CONNECTING, "on the way to the hub");
      break;
    case SESSION_KNOCKING:
      meeting_join_tell_state (self, MEETING_WAITING,
          "knocking: until the host, or a co-host, answers");
      break;
    case SESSION_WAITING:
      meeting_join_tell_state (
          self, MEETING_WAITING, "until the host, or a co-host, decides");
      break;
    case SESSION_MEMBER:
      self->was_member = TRUE;
      remember_host (self, session);
      meeting_join_tell_state (self, MEETING_ADMITTED, NULL);
      if (self->settings->role == MEETING_ROLE_RECORDER)
        begin_recording (thread, session);
      break;
    case SESSION_REJOINING:
      meeting_join_tell_state (
          self, MEETING_CONNECTING, "on the way back into the group");
      break;
    case SESSION_AGAIN:
      meeting_join_tell_state (
          self, MEETING_WAITING, "stopped: until knock-again is called");
      warn_user (self, GST_RESOURCE_ERROR_BUSY,
          "Nobody has let us in, and the password is not tried again by itself, since the link does not name the host (#host=): whoever answers could be somebody else. Call knock-again, or start anew.");
      break;
    case SESSION_LEFT:
      end_well (self, "We have left the meeting.");
      break;
    case SESSION_ENDED:
      end_well (self, "The meeting has ended.");
      break;
    default:
      if (self->was_member && event->code == WIRE_CODE_CLOSED) {
        end_well (self, "The meeting has ended.");
        break;
      }
      why = meeting_why_not (event->state, event->code, event->skew);
      fail (self, GST_RESOURCE_ERROR_NOT_AUTHORIZED, why);
  }
}

/* ---- Messages of members ---- */

static void
obey_mute (MeetingThread *thread, const SessionEvent *event)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);

  GST_OBJECT_LOCK (self);
  gboolean obey = self->obey_mute;
  GST_OBJECT_UNLOCK (self);
  if (!obey)
    return;
  g_autoptr (GPtrArray) pads =
      meeting_tracks_pads (meeting_thread_tracks (thread),
          event->message.mute.all, (guint32) event->message.mute.track);
  for (guint i = 0; i < pads->len; i++)
    meeting_join_mute (self, g_ptr_array_index (pads, i), TRUE);
}

static void
take_recording (
    MeetingThread *thread, Session *session, const SessionEvent *event)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);
  const SessionMember *member = &event->member;
  RecordingState state = event->message.recording.state;
  GstStructure *s = about ("conclave-recording", member);
  char fingerprint[FINGERPRINT_TEXT_SIZE];

  gst_structure_set (
      s, "state", G_TYPE_STRING, recording_state_names[state - 1], NULL);
  if (state == RECORDING_CONSENT)
    gst_structure_set (s, "allow", G_TYPE_BOOLEAN,
        (gboolean) event->message.recording.allow, NULL);
  post (self, s);
  if (state == RECORDING_CONSENT) {
    if (self->settings->role == MEETING_ROLE_RECORDER && !self->record_off)
      session_recording (session, RECORDING_ON);
    return;
  }
  if (self->settings->role == MEETING_ROLE_RECORDER)
    hold_recording (thread, session);
  long_fingerprint (member, fingerprint);
  g_signal_emit (self, meeting_join_signals[MEETING_SIGNAL_RECORDING], 0,
      member->name, fingerprint, recording_state_names[state - 1]);
}

static void
take_message (
    MeetingThread *thread, Session *session, const SessionEvent *event)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);
  const SessionMember *member = &event->member;
  const Message *message = &event->message;
  char fingerprint[FINGERPRINT_TEXT_SIZE];
  GstStructure *s;

  long_fingerprint (member, fingerprint);
  switch (message->type) {
    case MESSAGE_CHAT:
      s = about ("conclave-message", member);
      gst_structure_set (s, "text", G_TYPE_STRING, message->chat, NULL);
      if (!member->self)
        g_signal_emit (self, meeting_join_signals[MEETING_SIGNAL_MESSAGE], 0,
            member->name, fingerprint, message->chat);
      post (self, s);
      break;
    case MESSAGE_HAND:
      s = about ("conclave-hand", member);
      gst_structure_set (
          s, "up", G_TYPE_BOOLEAN, (gboolean) message->hand, NULL);
      g_signal_emit (self, meeting_join_signals[MEETING_SIGNAL_HAND], 0,
          member->name, fingerprint, (gboolean) message->hand);
      post (self, s);
      break;
    case MESSAGE_MUTE_REQUEST:
      obey_mute (thread, event);
      g_signal_emit (self, meeting_join_signals[MEETING_SIGNAL_MUTE_REQUESTED],
          0, member->name, fingerprint);
      post (self, about ("conclave-mute-request", member));
      break;
    case MESSAGE_RECORDING:
      take_recording (thread, session, event);
      break;
    default:
      break;
  }
}

/* ---- Events ---- */

static void
take_knock (ConclaveMeetingJoin *self, const SessionEvent *event)
{
  const SessionMember *member = &event->member;
  GstStructure *s = about ("conclave-knock", member);
  char fingerprint[FINGERPRINT_TEXT_SIZE];

  gst_structure_set (s, "id", G_TYPE_UINT64, (guint64) event->peer,
      "double-name", G_TYPE_BOOLEAN, (gboolean) member->double_name, NULL);
  long_fingerprint (member, fingerprint);
  g_signal_emit (self, meeting_join_signals[MEETING_SIGNAL_KNOCK], 0,
      (guint64) event->peer, member->name, fingerprint);
  post (self, s);
}

static void
take_coming_and_going (ConclaveMeetingJoin *self, const SessionEvent *event)
{
  const SessionMember *member = &event->member;
  gboolean joined = event->type == SESSION_EVENT_JOINED;
  char fingerprint[FINGERPRINT_TEXT_SIZE];

  if (member->self)
    return;
  GstStructure *s = about (
      joined ? "conclave-participant-joined" : "conclave-participant-left",
      member);
  if (!joined)
    gst_structure_set (
        s, "removed", G_TYPE_BOOLEAN, event->reason == LEFT_REMOVED, NULL);
  long_fingerprint (member, fingerprint);
  g_signal_emit (self,
      meeting_join_signals[joined ? MEETING_SIGNAL_JOINED
                                  : MEETING_SIGNAL_LEFT],
      0, member->name, fingerprint);
  post (self, s);
}

static void
take_epoch (MeetingThread *thread, Session *session, const SessionEvent *event)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);
  g_autofree char *code = g_strdup (session_security_code (session));
  guint64 epoch = session_epoch (session);

  if (self->settings->role == MEETING_ROLE_RECORDER)
    hold_recording (thread, session);
  post (self, gst_structure_new ("conclave-security-code", "code",
                  G_TYPE_STRING, code, "epoch", G_TYPE_UINT64, epoch, NULL));
  g_signal_emit (self, meeting_join_signals[MEETING_SIGNAL_SECURITY_CODE], 0,
      code, epoch);
}

static void
take_record (ConclaveMeetingJoin *self, const SessionEvent *event)
{
  g_autoptr (GError) error = NULL;

  if (!meeting_settings_keep_record (self->settings, &event->record, &error))
    warn_user (self, GST_RESOURCE_ERROR_WRITE, error->message);
}

/* What a hub that lies, or a network that is down, shows as. */
static void
take_suspicion (ConclaveMeetingJoin *self, const SessionEvent *event)
{
  GstStructure *s;

  switch (event->type) {
    case SESSION_EVENT_SILENCED:
      post_flag (self, "conclave-silenced", event->on);
      break;
    case SESSION_EVENT_STALE:
      post_flag (self, "conclave-stale", event->on);
      break;
    case SESSION_EVENT_UNDELIVERED:
      post_flag (self, "conclave-undelivered", event->on);
      break;
    case SESSION_EVENT_ADMISSION_HELD:
      post_flag (self, "conclave-admission-held", event->on);
      break;
    case SESSION_EVENT_SPLIT:
      s = about ("conclave-split", &event->member);
      gst_structure_set (s, "on", G_TYPE_BOOLEAN, (gboolean) event->on, NULL);
      post (self, s);
      break;
    case SESSION_EVENT_BAD_PATHS:
      post (self, about ("conclave-bad-commits", &event->member));
      break;
    default:
      break;
  }
}

static void
take_event (MeetingThread *thread, Session *session, const SessionEvent *event)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);

  /* Who hears of it finds properties that show it already. */
  if (!self->fresh && event->type != SESSION_EVENT_MEDIA
      && event->type != SESSION_EVENT_KEY_OPENED
      && event->type != SESSION_EVENT_KEY_CLOSED)
    refresh (thread, session);
  switch (event->type) {
    case SESSION_EVENT_STATE:
      take_state (thread, session, event);
      break;
    case SESSION_EVENT_KNOCK:
      take_knock (self, event);
      break;
    case SESSION_EVENT_KNOCK_GONE:
      post (self, gst_structure_new ("conclave-knock-gone", "id",
                      G_TYPE_UINT64, (guint64) event->peer, NULL));
      g_signal_emit (self, meeting_join_signals[MEETING_SIGNAL_KNOCK_GONE], 0,
          (guint64) event->peer);
      break;
    case SESSION_EVENT_JOINED:
    case SESSION_EVENT_LEFT:
      take_coming_and_going (self, event);
      break;
    case SESSION_EVENT_EPOCH:
      take_epoch (thread, session, event);
      break;
    case SESSION_EVENT_MESSAGE:
      take_message (thread, session, event);
      break;
    case SESSION_EVENT_RECORD:
      take_record (self, event);
      break;
    default:
      take_suspicion (self, event);
  }
}

const MeetingThreadCallbacks meeting_join_thread_callbacks = { take_event,
  turned, hub, warn };

/* ---- From the media bin ---- */

typedef struct
{
  GstPad *pad;
  MediaKind kind;
  char *codec, *caps, *why;
  gboolean on;
  guint64 kid;
  guint8 identity[IDENTITY_KEY_LEN];
  guint32 number;
} Told;

static void
told_free (gpointer data)
{
  Told *told = data;
  g_clear_object (&told->pad);
  g_free (told->codec);
  g_free (told->caps);
  g_free (told->why);
  g_free (told);
}

static void
run_track_ready (MeetingThread *thread, Session *session, gpointer data)
{
  Told *told = data;
  meeting_tracks_ready (meeting_thread_tracks (thread), told->pad, told->kind,
      told->codec, told->caps);
}

static void
media_track_ready (gpointer user, GstPad *pad, MediaKind kind,
    const char *codec, const char *caps)
{
  Told *told = g_new0 (Told, 1);
  told->pad = gst_object_ref (pad);
  told->kind = kind;
  told->codec = g_strdup (codec);
  told->caps = g_strdup (caps);
  meeting_join_invoke (user, run_track_ready, told, told_free);
}

static void
run_track_gone (MeetingThread *thread, Session *session, gpointer data)
{
  Told *told = data;
  meeting_tracks_gone (meeting_thread_tracks (thread), session, told->pad);
}

static void
media_track_gone (gpointer user, GstPad *pad)
{
  Told *told = g_new0 (Told, 1);
  told->pad = gst_object_ref (pad);
  meeting_join_invoke (user, run_track_gone, told, told_free);
}

static void
run_transport (MeetingThread *thread, Session *session, gpointer data)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);
  Told *told = data;
  GstStructure *s = gst_structure_new (
      "conclave-media", "connected", G_TYPE_BOOLEAN, told->on, NULL);

  if (told->why)
    gst_structure_set (s, "detail", G_TYPE_STRING, told->why, NULL);
  post (self, s);
  meeting_tracks_connected (
      meeting_thread_tracks (thread), told->on, meeting_now ());
}

static void
media_transport (gpointer user, gboolean connected, const char *why)
{
  Told *told = g_new0 (Told, 1);
  told->on = connected;
  told->why = g_strdup (why);
  meeting_join_invoke (user, run_transport, told, told_free);
}

static void
run_heard (MeetingThread *thread, Session *session, gpointer data)
{
  Told *told = data;
  meeting_tracks_heard (meeting_thread_tracks (thread), session, told->kid);
}

static void
media_heard (gpointer user, uint64_t kid)
{
  Told *told = g_new0 (Told, 1);
  told->kid = kid;
  meeting_join_invoke (user, run_heard, told, told_free);
}

static void
run_key_state (MeetingThread *thread, Session *session, gpointer data)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);
  Told *told = data;
  SessionMember member;

  if (!meeting_tracks_set_key_state (meeting_thread_tracks (thread),
          told->identity, told->number, told->why))
    return;
  self->dirty = TRUE;
  if (!session_find_member (session, told->identity, &member))
    return;
  GstStructure *s = about ("conclave-key-state", &member);
  gst_structure_set (s, "track", G_TYPE_UINT, told->number, "state",
      G_TYPE_STRING, told->why ? "failing" : "ready", NULL);
  if (told->why)
    gst_structure_set (s, "detail", G_TYPE_STRING, told->why, NULL);
  post (self, s);
}

static void
media_key_state (gpointer user, const uint8_t *identity, uint32_t number,
    const char *failing)
{
  Told *told = g_new0 (Told, 1);
  memcpy (told->identity, identity, IDENTITY_KEY_LEN);
  told->number = number;
  told->why = g_strdup (failing);
  meeting_join_invoke (user, run_key_state, told, told_free);
}

const MeetingMediaCallbacks meeting_join_media_callbacks = { media_track_ready,
  media_track_gone, media_transport, media_heard, media_key_state };

/* Signals of meetingjoin, and its actions: what a program can ask for. Actions return at once: TRUE when this can be asked
 * for now. What comes of it shows in signals; what the session still refuses, in a message conclave-refused.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "joinpriv.h"

#include <string.h>

#define GST_CAT_DEFAULT meetingjoin_debug

guint meeting_join_signals[MEETING_N_SIGNALS];

typedef enum
{
  ACT_ADMIT,
  ACT_DENY,
  ACT_REMOVE,
  ACT_LOCK,
  ACT_UNLOCK,
  ACT_RELEASE_ADMISSION,
  ACT_MUTE,
  ACT_PROMOTE,
  ACT_DEMOTE,
  ACT_HAND_OVER,
  ACT_SEND_MESSAGE,
  ACT_RAISE_HAND,
  ACT_ALLOW_RECORDING,
  ACT_RECORD,
  ACT_REMEMBER,
  ACT_ROTATE_KEYS,
  ACT_END_MEETING,
  ACT_KNOCK_AGAIN,
  ACT_LEAVE
} ActType;

static const char *const act_names[] = { "admit", "deny", "remove", "lock",
  "unlock", "release-admission", "mute", "promote", "demote", "hand-over",
  "send-message", "raise-hand", "allow-recording", "record", "remember",
  "rotate-keys", "end-meeting", "knock-again", "leave" };

typedef struct
{
  ActType type;
  guint64 id;
  gboolean on;
  gboolean all; /* mute: everybody */
  guint8 key[IDENTITY_KEY_LEN];
  char *text;
} Act;

static void
act_free (gpointer data)
{
  Act *act = data;
  g_free (act->text);
  g_free (act);
}

/* ---- On the session's thread ---- */

static gboolean
mute_all (Session *session)
{
  gboolean done = TRUE;

  for (gsize i = 0; i < session_members (session); i++) {
    SessionMember member;
    if (session_member (session, i, &member) && !member.self
        && member.role == ROLE_PARTICIPANT)
      done &= session_mute_request (session, member.key, true, 0);
  }
  return done;
}

static gboolean
remember (MeetingThread *thread, Session *session, const Act *act)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);
  SessionMember member;
  guint8 fingerprint[IDENTITY_FINGERPRINT_LEN];

  if (!self->settings->known
      || !session_find_member (session, act->key, &member))
    return FALSE;
  g_autofree char *escaped = g_uri_escape_string (member.name, NULL, FALSE);
  g_autofree char *name = g_strconcat ("name:", escaped, NULL);
  identity_fingerprint (act->key, fingerprint);
  meeting_settings_remember (self->settings, name, fingerprint);
  self->dirty = TRUE;
  return session_find_member (session, act->key, &member)
         && member.verdict == KNOWN_SAME;
}

static gboolean
do_act (MeetingThread *thread, Session *session, const Act *act)
{
  switch (act->type) {
    case ACT_ADMIT:
      return session_admit (session, act->id);
    case ACT_DENY:
      return session_deny (session, act->id);
    case ACT_REMOVE:
      return session_remove (session, act->key);
    case ACT_LOCK:
    case ACT_UNLOCK:
      return session_lock (session, act->type == ACT_LOCK);
    case ACT_RELEASE_ADMISSION:
      return session_release_admission (session);
    case ACT_MUTE:
      return act->all ? mute_all (session)
                      : session_mute_request (session, act->key, true, 0);
    case ACT_PROMOTE:
      return session_promote (session, act->key);
    case ACT_DEMOTE:
      return session_demote (session, act->key);
    case ACT_HAND_OVER:
      return session_hand_over (session, act->key);
    case ACT_SEND_MESSAGE:
      return session_chat (session, act->text);
    case ACT_RAISE_HAND:
      return session_hand (session, act->on);
    case ACT_ALLOW_RECORDING:
      return session_consent (session, act->key, act->on);
    case ACT_RECORD:
      CONCLAVE_MEETING_JOIN (meeting_thread_user (thread))->record_off =
          !act->on;
      return session_recording (
          session, act->on ? RECORDING_ON : RECORDING_OFF);
    case ACT_REMEMBER:
      return remember (thread, session, act);
    case ACT_ROTATE_KEYS:
      return session_rotate (session);
    case ACT_END_MEETING:
      return session_end (session);
    case ACT_KNOCK_AGAIN:
      return session_knock_again (session);
    case ACT_LEAVE:
      return session_leave (session);
  }
  return FALSE;
}

static void
run_act (MeetingThread *thread, Session *session, gpointer data)
{
  ConclaveMeetingJoin *self = meeting_thread_user (thread);
  const Act *act = data;

  if (do_act (thread, session, act))
    return;
  GST_INFO_OBJECT (self, "%s was refused", act_names[act->type]);
  gst_element_post_message (
      GST_ELEMENT (self), gst_message_new_element (GST_OBJECT (self),
                              gst_structure_new ("conclave-refused", "action",
                                  G_TYPE_STRING, act_names[act->type], NULL)));
}

/* ---- From any thread ---- */

/* Finds the member of a fingerprint, as host-fingerprint and participants show them, long or short. With the lock. */
static gboolean
find_key (const MeetingSnapshot *now, const char *fingerprint, guint8 *key)
{
  for (guint i = 0;
       now->participants && fingerprint && i < now->participants->len; i++) {
    const GstStructure *s = g_ptr_array_index (now->participants, i);
    Blob blob;
    if (g_strcmp0 (gst_structure_get_string (s, "fingerprint"), fingerprint)
            != 0
        && g_strcmp0 (
               gst_structure_get_string (s, "short-fingerprint"), fingerprint)
               != 0)
      continue;
    if (!b64_read (gst_structure_get_string (s, "key"),
            strlen (gst_structure_get_string (s, "key")), IDENTITY_KEY_LEN,
            &blob))
      return FALSE;
    gboolean whole = blob.len == IDENTITY_KEY_LEN;
    if (whole)
      memcpy (key, blob.data, IDENTITY_KEY_LEN);
    blob_clear (&blob);
    return whole;
  }
  return FALSE;
}

static gboolean
is_admins (ActType type)
{
  return type <= ACT_MUTE || type == ACT_ROTATE_KEYS;
}

static gboolean
is_owners (ActType type)
{
  return type == ACT_PROMOTE || type == ACT_DEMOTE || type == ACT_HAND_OVER
         || type == ACT_END_MEETING;
}

/* Takes `act`. `fingerprint`: of the member that it is about; NULL: of none. */
static gboolean
ask (ConclaveMeetingJoin *self, Act *act, const char *fingerprint)
{
  gboolean possible;

  g_mutex_lock (&self->lock);
  const MeetingSnapshot *now = &self->now;
  possible = act->type == ACT_LEAVE || act->type == ACT_KNOCK_AGAIN
                 ? now->state > MEETING_IDLE && now->state < MEETING_DENIED
                 : now->state == MEETING_ADMITTED;
  possible = possible && (!is_admins (act->type) || now->is_admin)
             && (!is_owners (act->type) || now->is_owner)
             && (!fingerprint || find_key (now, fingerprint, act->key));
  g_mutex_unlock (&self->lock);
  if (possible)
    return meeting_join_invoke (self, run_act, act, act_free);
  act_free (act);
  return FALSE;
}

static Act *
act_new (ActType type)
{
  Act *act = g_new0 (Act, 1);
  act->type = type;
  return act;
}

#define ACTION_PLAIN(name, what)                                              \
  static gboolean name (ConclaveMeetingJoin *self)                            \
  {                                                                           \
    return ask (self, act_new (what), NULL);                                  \
  }

#define ACTION_ID(name, what)                                                 \
  static gboolean name (ConclaveMeetingJoin *self, guint64 id)                \
  {                                                                           \
    Act *act = act_new (what);                                                \
    act->id = id;                                                             \
    return ask (self, act, NULL);                                             \
  }

#define ACTION_MEMBER(name, what)                                             \
  static gboolean name (ConclaveMeetingJoin *self, const char *fingerprint)   \
  {                                                                           \
    return ask (self, act_new (what), fingerprint ? fingerprint : "");        \
  }

ACTION_ID (admit, ACT_ADMIT)
ACTION_ID (deny, ACT_DENY)
ACTION_MEMBER (remove_member, ACT_REMOVE)
ACTION_PLAIN (lock, ACT_LOCK)
ACTION_PLAIN (unlock, ACT_UNLOCK)
ACTION_PLAIN (release_admission, ACT_RELEASE_ADMISSION)
ACTION_MEMBER (promote, ACT_PROMOTE)
ACTION_MEMBER (demote, ACT_DEMOTE)
ACTION_MEMBER (hand_over, ACT_HAND_OVER)
ACTION_MEMBER (remember_member, ACT_REMEMBER)
ACTION_PLAIN (rotate_keys, ACT_ROTATE_KEYS)
ACTION_PLAIN (end_meeting, ACT_END_MEETING)
ACTION_PLAIN (knock_again, ACT_KNOCK_AGAIN)
ACTION_PLAIN (leave, ACT_LEAVE)

static gboolean
mute (ConclaveMeetingJoin *self, const char *fingerprint)
{
  Act *act = act_new (ACT_MUTE);

  act->all = !fingerprint || !*fingerprint;
  return ask (self, act, act->all ? NULL : fingerprint);
}

static gboolean
send_message (ConclaveMeetingJoin *self, const char *text)
{
  if (!text || !*text || strlen (text) > LIMIT_CHAT
      || !g_utf8_validate (text, -1, NULL))
    return FALSE;
  Act *act = act_new (ACT_SEND_MESSAGE);
  act->text = g_strdup (text);
  return ask (self, act, NULL);
}

static gboolean
raise_hand (ConclaveMeetingJoin *self, gboolean up)
{
  Act *act = act_new (ACT_RAISE_HAND);
  act->on = up;
  return ask (self, act, NULL);
}

static gboolean
record (ConclaveMeetingJoin *self, gboolean on)
{
  Act *act = act_new (ACT_RECORD);
  act->on = on;
  return ask (self, act, NULL);
}

static gboolean
allow_recording (
    ConclaveMeetingJoin *self, const char *fingerprint, gboolean allow)
{
  Act *act = act_new (ACT_ALLOW_RECORDING);
  act->on = allow;
  return ask (self, act, fingerprint ? fingerprint : "");
}

/* ---- Installing ---- */

static void
install_action (GObjectClass *klass, const char *name, GCallback handler,
    guint n, GType first, GType second)
{
  GType types[2] = { first, second };

  g_signal_newv (name, G_OBJECT_CLASS_TYPE (klass),
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      g_cclosure_new (handler, NULL, NULL), NULL, NULL, NULL, G_TYPE_BOOLEAN,
      n, types);
}

static void
install_actions (GObjectClass *klass)
{
  static const struct
  {
    const char *name;
    GCallback handler;
  } plain[] = {
    { "lock", G_CALLBACK (lock) },
    { "unlock", G_CALLBACK (unlock) },
    { "release-admission", G_CALLBACK (release_admission) },
    { "rotate-keys", G_CALLBACK (rotate_keys) },
    { "end-meeting", G_CALLBACK (end_meeting) },
    { "knock-again", G_CALLBACK (knock_again) },
    { "leave", G_CALLBACK (leave) },
  }, text[] = {
    { "remove", G_CALLBACK (remove_member) },
    { "mute", G_CALLBACK (mute) },
    { "promote", G_CALLBACK (promote) },
    { "demote", G_CALLBACK (demote) },
    { "hand-over", G_CALLBACK (hand_over) },
    { "remember", G_CALLBACK (remember_member) },
    { "send-message", G_CALLBACK (send_message) },
  };

  for (guint i = 0; i < G_N_ELEMENTS (plain); i++)
    install_action (
        klass, plain[i].name, plain[i].handler, 0, G_TYPE_NONE, G_TYPE_NONE);
  for (guint i = 0; i < G_N_ELEMENTS (text); i++)
    install_action (
        klass, text[i].name, text[i].handler, 1, G_TYPE_STRING, G_TYPE_NONE);
  install_action (
      klass, "admit", G_CALLBACK (admit), 1, G_TYPE_UINT64, G_TYPE_NONE);
  install_action (
      klass, "deny", G_CALLBACK (deny), 1, G_TYPE_UINT64, G_TYPE_NONE);
  install_action (klass, "raise-hand", G_CALLBACK (raise_hand), 1,
      G_TYPE_BOOLEAN, G_TYPE_NONE);
  install_action (
      klass, "record", G_CALLBACK (record), 1, G_TYPE_BOOLEAN, G_TYPE_NONE);
  install_action (klass, "allow-recording", G_CALLBACK (allow_recording), 2,
      G_TYPE_STRING, G_TYPE_BOOLEAN);
}

void
meeting_join_install_signals (GObjectClass *klass)
{
  GType type = G_OBJECT_CLASS_TYPE (klass);
  const GSignalFlags flags = G_SIGNAL_RUN_LAST;
  guint *ids = meeting_join_signals;

  ids[MEETING_SIGNAL_KNOCK] = g_signal_new ("knock", type, flags, 0, NULL,
      NULL, NULL, G_TYPE_NONE, 3, G_TYPE_UINT64, G_TYPE_STRING, G_TYPE_STRING);
  ids[MEETING_SIGNAL_KNOCK_GONE] = g_signal_new ("knock-gone", type, flags, 0,
      NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT64);
  ids[MEETING_SIGNAL_JOINED] = g_signal_new ("participant-joined", type, flags,
      0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  ids[MEETING_SIGNAL_LEFT] = g_signal_new ("participant-left", type, flags, 0,
      NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  ids[MEETING_SIGNAL_MESSAGE] =
      g_signal_new ("message-received", type, flags, 0, NULL, NULL, NULL,
          G_TYPE_NONE, 3, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING);
  ids[MEETING_SIGNAL_HAND] =
      g_signal_new ("hand-changed", type, flags, 0, NULL, NULL, NULL,
          G_TYPE_NONE, 3, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_BOOLEAN);
  ids[MEETING_SIGNAL_SECURITY_CODE] =
      g_signal_new ("security-code-changed", type, flags, 0, NULL, NULL, NULL,
          G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_UINT64);
  ids[MEETING_SIGNAL_RECORDING] =
      g_signal_new ("recording-changed", type, flags, 0, NULL, NULL, NULL,
          G_TYPE_NONE, 3, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING);
  ids[MEETING_SIGNAL_MUTE_REQUESTED] =
      g_signal_new ("mute-requested", type, flags, 0, NULL, NULL, NULL,
          G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  install_actions (klass);
}

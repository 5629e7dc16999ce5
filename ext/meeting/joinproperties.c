/* Properties of meetingjoin. Those of the media bin are passed through; secrets go in, and never out.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "joinpriv.h"

#include <sodium.h>
#include <string.h>

#define GST_CAT_DEFAULT meetingjoin_debug

#define DEFAULT_REKEY_INTERVAL (LIMIT_REKEY_MS * GST_MSECOND)
#define DEFAULT_CONNECT_TIMEOUT (5 * GST_SECOND)

enum
{
  PROP_0,
  PROP_URI,
  PROP_HUB_CERTIFICATE,
  PROP_ROLE,
  PROP_PASSWORD,
  PROP_PASSWORD_LOCATION,
  PROP_DISPLAY_NAME,
  PROP_ADMISSION,
  PROP_IDENTITY_LOCATION,
  PROP_KNOWN_LOCATION,
  PROP_ALLOW_LIST_LOCATION,
  PROP_RECORDERS_LOCATION,
  PROP_RECORDING,
  PROP_RECORDING_CONSENT,
  PROP_SCREEN_SHARE,
  PROP_HAND_OVER,
  PROP_MAX_MEMBERS,
  PROP_REKEY_INTERVAL,
  PROP_CONNECT_TIMEOUT,
  PROP_OBEY_MUTE,
  /* the media bin's */
  PROP_LATENCY,
  PROP_DECODE,
  PROP_VIDEO_CODEC,
  PROP_AUDIO_CODEC,
  PROP_VIDEO_BITRATE,
  PROP_PARTICIPANT_BIN,
  PROP_STUN_SERVER,
  PROP_TURN_SERVERS,
  /* read-only */
  PROP_STATE,
  PROP_LINK,
  PROP_SECURITY_CODE,
  PROP_HOST_FINGERPRINT,
  PROP_HOST_VERIFIED,
  PROP_EPOCH,
  PROP_LOCKED,
  PROP_PARTICIPANTS,
  PROP_STATS
};

/* ---- Enumerations ---- */

#define DEFINE_ENUM(function, name, ...)                                      \
  GType function (void);                                                      \
  GType function (void)                                                       \
  {                                                                           \
    static gsize type;                                                        \
    static const GEnumValue values[] = { __VA_ARGS__, { 0, NULL, NULL } };    \
                                                                              \
    if (g_once_init_enter (&type))                                            \
      g_once_init_leave (&type, g_enum_register_static (name, values));       \
    return type;                                                              \
  }

DEFINE_ENUM (conclave_meeting_role_get_type, "ConclaveMeetingRole",
    { MEETING_ROLE_HOST, "Opens the meeting, and owns it", "host" },
    { MEETING_ROLE_PARTICIPANT, "Sends and receives", "participant" },
    { MEETING_ROLE_LISTENER, "Receives only", "listener" },
    { MEETING_ROLE_RECORDER, "Receives only, and says that it records",
        "recorder" })

DEFINE_ENUM (conclave_meeting_state_get_type, "ConclaveMeetingState",
    { MEETING_IDLE, "Not started", "idle" },
    { MEETING_CONNECTING, "On the way to the hub, or back into the group",
        "connecting" },
    { MEETING_WAITING, "At the door", "waiting" },
    { MEETING_ADMITTED, "In the meeting", "admitted" },
    { MEETING_DENIED, "Not let in, or removed", "denied" },
    { MEETING_LEFT, "Left, or the meeting has ended", "left" })

DEFINE_ENUM (conclave_meeting_admission_get_type, "ConclaveMeetingAdmission",
    { 0, "The waiting room, if there is a password", "default" },
    { ADMISSION_WAITING_ROOM, "A person decides about each", "waiting-room" },
    { ADMISSION_PASSWORD, "Who knows the password is let in", "password" },
    { ADMISSION_ALLOW_LIST, "Who stands in allow-list-location is let in",
        "allow-list" },
    { ADMISSION_OPEN, "Everybody is let in", "open" })

DEFINE_ENUM (conclave_meeting_who_get_type, "ConclaveMeetingWho",
    { WHO_EVERYONE, "Everybody", "everyone" },
    { WHO_ADMINS, "The host and co-hosts, and recorders that they let in",
        "admins" },
    { WHO_NOBODY, "Nobody", "nobody" })

DEFINE_ENUM (conclave_meeting_hand_over_get_type, "ConclaveMeetingHandOver",
    { HAND_OVER_END, "The meeting ends when its host leaves", "end" },
    { HAND_OVER_LONGEST_PRESENT,
        "A co-host takes over, or else who has been there the longest",
        "longest-present" })

/* ---- Setting and getting ---- */

static char **
text_property (ConclaveMeetingJoin *self, guint id)
{
  switch (id) {
    case PROP_URI:
      return &self->uri;
    case PROP_HUB_CERTIFICATE:
      return &self->hub_certificate;
    case PROP_PASSWORD_LOCATION:
      return &self->password_location;
    case PROP_DISPLAY_NAME:
      return &self->display_name;
    case PROP_IDENTITY_LOCATION:
      return &self->identity_location;
    case PROP_KNOWN_LOCATION:
      return &self->known_location;
    case PROP_ALLOW_LIST_LOCATION:
      return &self->allow_list_location;
    case PROP_RECORDERS_LOCATION:
      return &self->recorders_location;
    default:
      return NULL;
  }
}

static void
set_password (ConclaveMeetingJoin *self, const char *text)
{
  gsize len = text ? strlen (text) : 0;
  Secret *password = len > 0 ? secret_copy (text, len) : NULL;

  GST_OBJECT_LOCK (self);
  Secret *old = self->password;
  self->password = password;
  self->password_too_long = len > 0 && !password;
  GST_OBJECT_UNLOCK (self);
  secret_unref (old);
}

/* With the object lock. */
static gboolean
set_value (ConclaveMeetingJoin *self, guint id, const GValue *value)
{
  switch (id) {
    case PROP_ROLE:
      self->role = g_value_get_enum (value);
      break;
    case PROP_ADMISSION:
      self->admission = g_value_get_enum (value);
      break;
    case PROP_RECORDING:
      self->recording = g_value_get_enum (value);
      break;
    case PROP_RECORDING_CONSENT:
      self->recording_consent = g_value_get_boolean (value);
      break;
    case PROP_SCREEN_SHARE:
      self->screen_share = g_value_get_enum (value);
      break;
    case PROP_HAND_OVER:
      self->hand_over = g_value_get_enum (value);
      break;
    case PROP_MAX_MEMBERS:
      self->max_members = g_value_get_uint (value);
      break;
    case PROP_REKEY_INTERVAL:
      self->rekey_interval = g_value_get_uint64 (value);
      break;
    case PROP_CONNECT_TIMEOUT:
      self->connect_timeout = g_value_get_uint64 (value);
      break;
    case PROP_OBEY_MUTE:
      self->obey_mute = g_value_get_boolean (value);
      break;
    default:
      return FALSE;
  }
  return TRUE;
}

static gboolean
is_media (guint id)
{
  return id >= PROP_LATENCY && id <= PROP_TURN_SERVERS;
}

static void
conclave_meeting_join_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  ConclaveMeetingJoin *self = CONCLAVE_MEETING_JOIN (object);
  char **text = text_property (self, id), *old = NULL;
  gboolean known = TRUE;

  if (is_media (id)) {
    g_object_set_property (G_OBJECT (self->media), pspec->name, value);
    return;
  }
  GST_OBJECT_LOCK (self);
  if (GST_STATE (self) > GST_STATE_READY && id != PROP_OBEY_MUTE) {
    GST_OBJECT_UNLOCK (self);
    GST_WARNING_OBJECT (
        self, "%s can't be changed in this state", pspec->name);
    return;
  }
  self->settings_are_old = TRUE;
  if (text) {
    old = *text;
    *text = g_value_dup_string (value);
  } else if (id != PROP_PASSWORD)
    known = set_value (self, id, value);
  GST_OBJECT_UNLOCK (self);
  if (id == PROP_PASSWORD)
    set_password (self, g_value_get_string (value));
  g_free (old);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

/* With the object lock. */
static gboolean
get_value (ConclaveMeetingJoin *self, guint id, GValue *value)
{
  char **text = text_property (self, id);

  if (text) {
    g_value_set_string (value, *text);
    return TRUE;
  }
  switch (id) {
    case PROP_ROLE:
      g_value_set_enum (value, self->role);
      break;
    case PROP_ADMISSION:
      g_value_set_enum (value, self->admission);
      break;
    case PROP_RECORDING:
      g_value_set_enum (value, self->recording);
      break;
    case PROP_RECORDING_CONSENT:
      g_value_set_boolean (value, self->recording_consent);
      break;
    case PROP_SCREEN_SHARE:
      g_value_set_enum (value, self->screen_share);
      break;
    case PROP_HAND_OVER:
      g_value_set_enum (value, self->hand_over);
      break;
    case PROP_MAX_MEMBERS:
      g_value_set_uint (value, self->max_members);
      break;
    case PROP_REKEY_INTERVAL:
      g_value_set_uint64 (value, self->rekey_interval);
      break;
    case PROP_CONNECT_TIMEOUT:
      g_value_set_uint64 (value, self->connect_timeout);
      break;
    case PROP_OBEY_MUTE:
      g_value_set_boolean (value, self->obey_mute);
      break;
    default:
      return FALSE;
  }
  return TRUE;
}

static void
set_participants (GValue *value, const GPtrArray *participants)
{
  for (guint i = 0; participants && i < participants->len; i++) {
    GValue one = G_VALUE_INIT;
    g_value_init (&one, GST_TYPE_STRUCTURE);
    g_value_set_boxed (&one, g_ptr_array_index (participants, i));
    gst_value_array_append_and_take_value (value, &one);
  }
}

static GstStructure *
make_stats (ConclaveMeetingJoin *self)
{
  GstStructure *media = NULL, *s = gst_structure_new_empty (
                                  "application/x-meetingjoin-stats");

  g_mutex_lock (&self->lock);
  SessionStats n = self->now.session;
  MeetingHubStats hub = self->now.hub;
  MeetingTracksStats tracks = self->now.tracks;
  gboolean connected = self->now.hub_connected;
  g_mutex_unlock (&self->lock);
  gst_structure_set (s, "hub-connected", G_TYPE_BOOLEAN, connected,
      "hub-connects", G_TYPE_UINT64, hub.connects, "hub-losses", G_TYPE_UINT64,
      hub.losses, "hub-frames-in", G_TYPE_UINT64, hub.frames_in,
      "hub-frames-out", G_TYPE_UINT64, hub.frames_out, "hub-bytes-in",
      G_TYPE_UINT64, hub.bytes_in, "hub-bytes-out", G_TYPE_UINT64,
      hub.bytes_out, NULL);
  gst_structure_set (s, "malformed", G_TYPE_UINT64, (guint64) n.malformed,
      "unexpected", G_TYPE_UINT64, (guint64) n.unexpected, "commits-merged",
      G_TYPE_UINT64, (guint64) n.commits_merged, "commits-void", G_TYPE_UINT64,
      (guint64) n.commits_void, "unreadable", G_TYPE_UINT64,
      (guint64) n.unreadable, "replayed", G_TYPE_UINT64, (guint64) n.replayed,
      "gaps", G_TYPE_UINT64, (guint64) n.gaps, "bad-messages", G_TYPE_UINT64,
      (guint64) n.bad_messages, "rejoins", G_TYPE_UINT64, (guint64) n.rejoins,
      NULL);
  gst_structure_set (s, "knocks", G_TYPE_UINT64, (guint64) n.knocks,
      "knocks-over-budget", G_TYPE_UINT64, (guint64) n.over_budget,
      "knocks-answered", G_TYPE_UINT64, (guint64) n.replies, "wrong-passwords",
      G_TYPE_UINT64, (guint64) n.wrong_tags, "refused", G_TYPE_UINT64,
      (guint64) n.refused, "admitted", G_TYPE_UINT64, (guint64) n.admitted,
      NULL);
  gst_structure_set (s, "media-connected", G_TYPE_BOOLEAN, tracks.connected,
      "transports", G_TYPE_UINT64, tracks.transports, "tracks-own",
      G_TYPE_UINT, tracks.own, "tracks-own-announced", G_TYPE_UINT,
      tracks.own_live, "tracks-remote", G_TYPE_UINT, tracks.remote,
      "tracks-remote-subscribed", G_TYPE_UINT, tracks.remote_live, NULL);
  g_object_get (self->media, "stats", &media, NULL);
  if (media) {
    gst_structure_set (s, "media", GST_TYPE_STRUCTURE, media, NULL);
    gst_structure_free (media);
  }
  return s;
}

/* With the lock. */
static gboolean
get_from_snapshot (const MeetingSnapshot *now, guint id, GValue *value)
{
  switch (id) {
    case PROP_STATE:
      g_value_set_enum (value, now->state);
      break;
    case PROP_LINK:
      g_value_set_string (value, now->link);
      break;
    case PROP_SECURITY_CODE:
      g_value_set_string (value, now->security_code);
      break;
    case PROP_HOST_FINGERPRINT:
      g_value_set_string (value, now->host_fingerprint);
      break;
    case PROP_HOST_VERIFIED:
      g_value_set_boolean (value, now->host_verified);
      break;
    case PROP_EPOCH:
      g_value_set_uint64 (value, now->epoch);
      break;
    case PROP_LOCKED:
      g_value_set_boolean (value, now->locked);
      break;
    case PROP_PARTICIPANTS:
      set_participants (value, now->participants);
      break;
    default:
      return FALSE;
  }
  return TRUE;
}

static void
conclave_meeting_join_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  ConclaveMeetingJoin *self = CONCLAVE_MEETING_JOIN (object);

  if (is_media (id)) {
    g_object_get_property (G_OBJECT (self->media), pspec->name, value);
    return;
  }
  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  g_mutex_lock (&self->lock);
  gboolean known = get_from_snapshot (&self->now, id, value);
  g_mutex_unlock (&self->lock);
  if (!known) {
    GST_OBJECT_LOCK (self);
    known = get_value (self, id, value);
    GST_OBJECT_UNLOCK (self);
  }
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

MeetingWishes
meeting_join_wishes (ConclaveMeetingJoin *self)
{
  return (MeetingWishes){ .uri = g_strdup (self->uri),
    .hub_certificate = g_strdup (self->hub_certificate),
    .display_name = g_strdup (self->display_name),
    .password_location = g_strdup (self->password_location),
    .identity_location = g_strdup (self->identity_location),
    .known_location = g_strdup (self->known_location),
    .allow_list_location = g_strdup (self->allow_list_location),
    .recorders_location = g_strdup (self->recorders_location),
    .role = self->role,
    .password = secret_ref (self->password),
    .password_too_long = self->password_too_long,
    .admission = self->admission,
    .recording = self->recording,
    .screen_share = self->screen_share,
    .recording_consent = self->recording_consent,
    .hand_over = self->hand_over,
    .max_members = self->max_members,
    .rekey_interval = self->rekey_interval / GST_MSECOND };
}

void
meeting_join_init_properties (ConclaveMeetingJoin *self)
{
  self->role = MEETING_ROLE_PARTICIPANT;
  self->recording = self->screen_share = WHO_EVERYONE;
  self->hand_over = HAND_OVER_END;
  self->rekey_interval = DEFAULT_REKEY_INTERVAL;
  self->connect_timeout = DEFAULT_CONNECT_TIMEOUT;
  self->obey_mute = TRUE;
}

void
meeting_join_free_properties (ConclaveMeetingJoin *self)
{
  for (guint id = PROP_URI; id <= PROP_OBEY_MUTE; id++) {
    char **text = text_property (self, id);
    if (text)
      g_clear_pointer (text, g_free);
  }
  secret_clear (&self->password);
}

/* ---- Installing ---- */

#define SETTABLE                                                              \
  (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define SECRET_IN                                                             \
  (G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define SHOWN (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)

static void
install_text (GObjectClass *klass, guint id, const char *name,
    const char *nick, const char *blurb)
{
  g_object_class_install_property (klass, id,
      g_param_spec_string (name, nick, blurb, NULL,
          id == PROP_PASSWORD ? SECRET_IN : SETTABLE));
}

static void
install_enum (GObjectClass *klass, guint id, const char *name,
    const char *nick, const char *blurb, GType type, gint value,
    GParamFlags flags)
{
  g_object_class_install_property (
      klass, id, g_param_spec_enum (name, nick, blurb, type, value, flags));
}

static void
install_who (GObjectClass *klass)
{
  install_text (klass, PROP_URI, "uri", "URI",
      "Link to the meeting: meet://HOST[:PORT]/MEETING[?pin=…][#host=…]");
  install_text (klass, PROP_HUB_CERTIFICATE, "hub-certificate",
      "Hub certificate",
      "PEM file with the hub's certificate, or that of an authority to trust; for links without a pin");
  install_enum (klass, PROP_ROLE, "role", "Role", "What we are in the meeting",
      conclave_meeting_role_get_type (), MEETING_ROLE_PARTICIPANT, SETTABLE);
  install_text (klass, PROP_PASSWORD, "password", "Password",
      "The meeting's password; gst-launch-1.0 lines show it to others, better use password-location");
  install_text (klass, PROP_PASSWORD_LOCATION, "password-location",
      "Password location",
      "File with the meeting's password; with neither, the environment's CONCLAVE_PASSWORD counts");
  install_text (klass, PROP_DISPLAY_NAME, "display-name", "Display name",
      "The name that others see, 1 to 64 bytes; \"Guest\" if there is none");
  install_text (klass, PROP_IDENTITY_LOCATION, "identity-location",
      "Identity location",
      "PEM file with our identity key, made when there is none; without it each meeting sees a fresh identity");
  install_text (klass, PROP_KNOWN_LOCATION, "known-location", "Known location",
      "File that remembers hosts' keys, made when there is none: a known host is recognized, a changed key refused");
}

static void
install_policy (GObjectClass *klass)
{
  install_enum (klass, PROP_ADMISSION, "admission", "Admission",
      "Who is let in; the host's. Without a password it must be chosen",
      conclave_meeting_admission_get_type (), 0, SETTABLE);
  install_text (klass, PROP_ALLOW_LIST_LOCATION, "allow-list-location",
      "Allow list location",
      "File with the fingerprints of those whom admission=allow-list lets in, one a line; the host's");
  install_text (klass, PROP_RECORDERS_LOCATION, "recorders-location",
      "Recorders location",
      "File with the fingerprints of recorders that are let in unasked, one a line; the host's");
  install_enum (klass, PROP_RECORDING, "recording", "Recording",
      "Who may record; the host's", conclave_meeting_who_get_type (),
      WHO_EVERYONE, SETTABLE);
  g_object_class_install_property (klass, PROP_RECORDING_CONSENT,
      g_param_spec_boolean ("recording-consent", "Recording consent",
          "Whether recorders wait until every participant has agreed; the host's",
          FALSE, SETTABLE));
  install_enum (klass, PROP_SCREEN_SHARE, "screen-share", "Screen share",
      "Who may send a screen; the host's", conclave_meeting_who_get_type (),
      WHO_EVERYONE, SETTABLE);
  install_enum (klass, PROP_HAND_OVER, "hand-over", "Hand over",
      "What becomes of the meeting when its host leaves; the host's",
      conclave_meeting_hand_over_get_type (), HAND_OVER_END, SETTABLE);
  g_object_class_install_property (klass, PROP_MAX_MEMBERS,
      g_param_spec_uint ("max-members", "Maximal number of members",
          "How many the meeting takes; 0: 1,000; the host's", 0, 1024, 0,
          SETTABLE));
  g_object_class_install_property (klass, PROP_REKEY_INTERVAL,
      g_param_spec_uint64 ("rekey-interval", "Rekey interval",
          "Time in ns after which an admin has everybody take new keys",
          GST_SECOND, G_MAXINT64, DEFAULT_REKEY_INTERVAL, SETTABLE));
  g_object_class_install_property (klass, PROP_CONNECT_TIMEOUT,
      g_param_spec_uint64 ("connect-timeout", "Connect timeout",
          "Time in ns within which the hub must be there for the first time; 0: one try",
          0, G_MAXINT64, DEFAULT_CONNECT_TIMEOUT, SETTABLE));
  g_object_class_install_property (klass, PROP_OBEY_MUTE,
      g_param_spec_boolean ("obey-mute", "Obey mute",
          "Whether an admin's request mutes us", TRUE,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS
              | GST_PARAM_MUTABLE_PLAYING));
}

/* The media bin's, as they stand there. */
static void
install_media (GObjectClass *klass)
{
  static const char *const names[] = { "latency", "decode", "video-codec",
    "audio-codec", "video-bitrate", "participant-bin", "stun-server",
    "turn-servers" };
  GObjectClass *media = g_type_class_ref (CONCLAVE_TYPE_MEETING_MEDIA);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    GParamSpec *spec = g_object_class_find_property (media, names[i]);
    const char *nick = g_param_spec_get_nick (spec),
               *blurb = g_param_spec_get_blurb (spec);
    GParamSpec *own;
    if (G_IS_PARAM_SPEC_UINT (spec))
      own = g_param_spec_uint (names[i], nick, blurb,
          G_PARAM_SPEC_UINT (spec)->minimum, G_PARAM_SPEC_UINT (spec)->maximum,
          G_PARAM_SPEC_UINT (spec)->default_value, spec->flags);
    else if (G_IS_PARAM_SPEC_BOOLEAN (spec))
      own = g_param_spec_boolean (names[i], nick, blurb,
          G_PARAM_SPEC_BOOLEAN (spec)->default_value, spec->flags);
    else
      own = g_param_spec_string (names[i], nick, blurb,
          G_PARAM_SPEC_STRING (spec)->default_value, spec->flags);
    g_object_class_install_property (klass, PROP_LATENCY + i, own);
  }
  g_type_class_unref (media);
}

static void
install_shown (GObjectClass *klass)
{
  install_enum (klass, PROP_STATE, "state", "State", "Where we stand",
      conclave_meeting_state_get_type (), MEETING_IDLE, SHOWN);
  g_object_class_install_property (klass, PROP_LINK,
      g_param_spec_string ("link", "Link",
          "The link for others, with the host's fingerprint", NULL, SHOWN));
  g_object_class_install_property (klass, PROP_SECURITY_CODE,
      g_param_spec_string ("security-code", "Security code",
          "Five groups of digits, the same for all members of an epoch: compare them",
          NULL, SHOWN));
  g_object_class_install_property (klass, PROP_HOST_FINGERPRINT,
      g_param_spec_string ("host-fingerprint", "Host fingerprint",
          "Of the host that let us in, or our own as the host", NULL, SHOWN));
  g_object_class_install_property (klass, PROP_HOST_VERIFIED,
      g_param_spec_boolean ("host-verified", "Host verified",
          "Whether link or known-location name this host; otherwise the password alone vouches for it",
          FALSE, SHOWN));
  g_object_class_install_property (klass, PROP_EPOCH,
      g_param_spec_uint64 ("epoch", "Epoch",
          "Of the group's keys; counts up with every change", 0, G_MAXUINT64,
          0, SHOWN));
  g_object_class_install_property (klass, PROP_LOCKED,
      g_param_spec_boolean (
          "locked", "Locked", "Whether nobody new is let in", FALSE, SHOWN));
  g_object_class_install_property (klass, PROP_PARTICIPANTS,
      gst_param_spec_array ("participants", "Participants",
          "Who is in the meeting, we too: structures conclave-participant",
          g_param_spec_boxed ("participant", "Participant", "One of them",
              GST_TYPE_STRUCTURE, SHOWN),
          SHOWN));
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Numbers since the start, application/x-meetingjoin-stats",
          GST_TYPE_STRUCTURE, SHOWN));
}

void
meeting_join_install_properties (GObjectClass *klass)
{
  klass->set_property = conclave_meeting_join_set_property;
  klass->get_property = conclave_meeting_join_get_property;
  install_who (klass);
  install_policy (klass);
  install_media (klass);
  install_shown (klass);
}

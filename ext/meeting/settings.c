/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ext/sodium/identity_file.h"
#include "ext/sodium/precis.h"

#define DEFAULT_NAME "Guest"
#define MAX_LIST (1u << 20)   /* bytes of a list of fingerprints, */
#define MAX_RECORD (8u << 20) /* and of an owner's record */

G_GNUC_PRINTF (2, 3)
static gboolean
refuse (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, text);
  return FALSE;
}

/* ---- The password ---- */

static gboolean
prepare (MeetingSettings *settings, const char *text, gsize len,
    const char *from, GError **error)
{
  gsize bad = 0;

  switch (precis_opaque_string (text, len, &settings->password, &bad)) {
    case PRECIS_OK:
    case PRECIS_EMPTY: /* is none */
      return TRUE;
    case PRECIS_TOO_LONG:
      return refuse (
          error, "The password from %s is longer than 1,024 bytes.", from);
    case PRECIS_NOT_UTF8:
      return refuse (
          error, "The password from %s is not text in UTF-8.", from);
    case PRECIS_DISALLOWED:
      return refuse (error,
          "Character %" G_GSIZE_FORMAT
          " of the password from %s is not allowed in passwords: letters, digits, signs and spaces are.",
          bad, from);
    default:
      return refuse (error, "The system has no memory for the password.");
  }
}

/* The whole of a file, at most `room` bytes, into memory that is wiped. -1 with errno. */
static gssize
read_guarded (const char *path, char *buffer, gsize room)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  gsize len = 0;

  if (fd < 0)
    return -1;
  while (len < room) {
    gssize n = read (fd, buffer + len, room - len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      int saved = errno;
      close (fd);
      errno = saved;
      return -1;
    }
    if (n == 0)
      break;
    len += (gsize) n;
  }
  close (fd);
  return (gssize) len;
}

static gboolean
take_password_file (
    MeetingSettings *settings, const char *path, GError **error)
{
  const gsize room = PRECIS_MAX_INPUT + 2; /* a line break more */
  g_autofree char *from = g_strdup_printf ("password-location=%s", path);
  char *buffer = sodium_malloc (room);

  if (!buffer)
    return refuse (error, "The system has no memory for the password.");
  gssize len = read_guarded (path, buffer, room);
  gboolean ok =
      len < 0 ? refuse (error, "The password cannot be read from %s: %s.",
          from, g_strerror (errno))
              : prepare (settings, buffer,
                  precis_trim_newline (buffer, (gsize) len), from, error);
  sodium_free (buffer);
  if (ok && !settings->password)
    return refuse (error, "The file of %s is empty.", from);
  return ok;
}

static gboolean
take_password (
    MeetingSettings *settings, const MeetingWishes *wishes, GError **error)
{
  const char *environment = g_getenv ("CONCLAVE_PASSWORD");

  if (wishes->password_too_long)
    return refuse (error, "The password is longer than 1,024 bytes.");
  if (wishes->password)
    return prepare (settings, (const char *) secret_bytes (wishes->password),
        secret_len (wishes->password), "the property", error);
  if (wishes->password_location && *wishes->password_location)
    return take_password_file (settings, wishes->password_location, error);
  if (environment)
    return prepare (settings, environment, strlen (environment),
        "CONCLAVE_PASSWORD", error);
  return TRUE;
}

/* ---- Identities ---- */

static gboolean
take_identity (MeetingSettings *settings, const char *location, GError **error)
{
  if (!location || !*location) {
    settings->identity = identity_new ();
    return settings->identity != NULL
           || refuse (error, "The system has no memory for keys.");
  }
  errno = 0;
  IdentityResult result =
      identity_file_load_or_create (location, &settings->identity);
  if (result == IDENTITY_OK)
    return TRUE;
  return refuse (error, "There is no identity: %s %s%s%s.", location,
      identity_result_text (result), result == IDENTITY_IO ? ": " : "",
      result == IDENTITY_IO ? g_strerror (errno) : "");
}

static gboolean
take_known (MeetingSettings *settings, const char *location, GError **error)
{
  gsize bad_line = 0;

  if (!location || !*location)
    return TRUE;
  settings->known_location = g_strdup (location);
  errno = 0;
  IdentityResult result =
      known_file_load (location, &settings->known, &bad_line);
  if (result == IDENTITY_OK)
    return TRUE;
  if (bad_line > 0)
    return refuse (error,
        "The known identities cannot be read: line %" G_GSIZE_FORMAT
        " of %s is not \"NAME FINGERPRINT\".",
        bad_line, location);
  return refuse (error, "The known identities cannot be read: %s %s.",
      location, identity_result_text (result));
}

/* A fingerprint a line; what stands behind it, and lines that begin with '#', are for people. */
static gboolean
take_list (
    GArray **list, const char *property, const char *location, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) why = NULL;
  g_auto (GStrv) lines = NULL;

  *list = g_array_new (FALSE, FALSE, IDENTITY_FINGERPRINT_LEN);
  if (!location || !*location)
    return TRUE;
  gsize len;
  if (!g_file_get_contents (location, &text, &len, &why))
    return refuse (
        error, "%s=%s cannot be read: %s.", property, location, why->message);
  if (len > MAX_LIST)
    return refuse (error, "%s=%s is larger than 1 MiB.", property, location);
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i]; i++) {
    guint8 fingerprint[IDENTITY_FINGERPRINT_LEN];
    const char *line = g_strstrip (lines[i]);
    gsize n = strcspn (line, " \t");
    if (*line == '\0' || *line == '#')
      continue;
    if (!fingerprint_parse (line, n, fingerprint))
      return refuse (error,
          "Line %u of %s=%s does not begin with a fingerprint: 43 characters, as host-fingerprint and the roster show them.",
          i + 1, property, location);
    g_array_append_vals (*list, fingerprint, 1);
  }
  return TRUE;
}

/* ---- An owner's record ---- */

static gboolean
take_record (
    MeetingSettings *settings, const char *identity_location, GError **error)
{
  struct stat status;
  g_autoptr (GError) why = NULL;
  char *content = NULL;
  gsize len;

  if (settings->role != MEETING_ROLE_HOST || !identity_location
      || !*identity_location)
    return TRUE;
  settings->record_location = g_strdup_printf (
      "%s.record-%s", identity_location, settings->link.meeting);
  if (stat (settings->record_location, &status) < 0 && errno == ENOENT)
    return TRUE;
  if (!g_file_get_contents (settings->record_location, &content, &len, &why))
    return refuse (error, "The meeting's record cannot be read: %s: %s.",
        settings->record_location, why->message);
  settings->record = (Blob){ (uint8_t *) content, len };
  if (len > MAX_RECORD || len == 0)
    return refuse (error,
        "The meeting's record %s is damaged; move it away to open the meeting anew.",
        settings->record_location);
  return TRUE;
}

gboolean
meeting_settings_keep_record (
    MeetingSettings *settings, const Blob *record, GError **error)
{
  g_autoptr (GError) why = NULL;

  /* The next run from READY goes on from here, too. */
  blob_clear (&settings->record);
  settings->record = blob_copy (record->data, record->len);
  if (!settings->record_location
      || g_file_set_contents_full (settings->record_location,
          (const char *) record->data, (gssize) record->len,
          G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
          &why))
    return TRUE;
  return refuse (error,
      "The meeting's record cannot be kept in %s: %s. After a crash of this program the meeting cannot be opened as it was.",
      settings->record_location, why->message);
}

void
meeting_settings_remember (const MeetingSettings *settings, const char *name,
    const guint8 *fingerprint)
{
  KnownVerdict verdict;
  gsize bad_line;

  if (settings->known
      && known_check (settings->known, name, fingerprint, NULL) == KNOWN_NEW
      && known_file_meet (settings->known_location, name, fingerprint,
             &verdict, NULL, &bad_line)
             == IDENTITY_OK
      && verdict != KNOWN_CHANGED)
    known_add (settings->known, name, fingerprint);
}

/* ---- All of them ---- */

void
meeting_wishes_clear (MeetingWishes *wishes)
{
  g_free (wishes->uri);
  g_free (wishes->hub_certificate);
  g_free (wishes->display_name);
  g_free (wishes->password_location);
  g_free (wishes->identity_location);
  g_free (wishes->known_location);
  g_free (wishes->allow_list_location);
  g_free (wishes->recorders_location);
  secret_unref (wishes->password);
  *wishes = (MeetingWishes){ 0 };
}

static gboolean
take_link (MeetingSettings *settings, const char *uri, GError **error)
{
  if (!uri || !*uri)
    return refuse (error,
        "There is no meeting to join: set uri to its link, meet://HOST:PORT/MEETING.");
  LinkResult result = link_parse (uri, strlen (uri), &settings->link);
  if (result != LINK_OK)
    return refuse (error, "The link %s.", link_result_text (result));
  settings->uri = g_strdup (uri);
  return TRUE;
}

static gboolean
take_name (MeetingSettings *settings, const char *name, GError **error)
{
  if (!name || !*name)
    name = DEFAULT_NAME;
  if (!name_is_valid (name, strlen (name)))
    return refuse (error,
        "The display-name must have 1 to 64 bytes of text, without control characters or characters that turn the direction of writing.");
  settings->display_name = g_utf8_normalize (name, -1, G_NORMALIZE_NFC);
  return TRUE;
}

static gboolean
check_host (
    MeetingSettings *settings, const MeetingWishes *wishes, GError **error)
{
  settings->policy = (Policy){ .admission = wishes->admission,
    .recording = wishes->recording,
    .consent = wishes->recording_consent,
    .screen_share = wishes->screen_share,
    .hand_over = wishes->hand_over,
    .max_members = (uint16_t) wishes->max_members };
  if (settings->role != MEETING_ROLE_HOST)
    return TRUE;
  if (!settings->password && wishes->admission == 0)
    return refuse (error,
        "The host has no password: set password-location, or say who is let in with admission=waiting-room, allow-list or open.");
  if (!settings->password && wishes->admission == ADMISSION_PASSWORD)
    return refuse (
        error, "admission=password needs a password: set password-location.");
  if (wishes->admission == ADMISSION_ALLOW_LIST
      && settings->allow_list->len == 0)
    return refuse (error,
        "admission=allow-list lets nobody in without fingerprints: set allow-list-location to a file with one a line.");
  return TRUE;
}

/* Whether a session can be: what it would say at the start is said now. */
static gboolean
try_out (MeetingSettings *settings, GError **error)
{
  Session *session = meeting_settings_begin (settings, 0, 0, error);

  session_free (session);
  return session != NULL;
}

MeetingSettings *
meeting_settings_new (const MeetingWishes *wishes, GError **error)
{
  MeetingSettings *settings = g_new0 (MeetingSettings, 1);
  const char *pem = wishes->hub_certificate;

  settings->role = wishes->role;
  settings->rekey_interval = wishes->rekey_interval;
  if (take_link (settings, wishes->uri, error)
      && take_name (settings, wishes->display_name, error)
      && take_password (settings, wishes, error)
      && take_identity (settings, wishes->identity_location, error)
      && take_known (settings, wishes->known_location, error)
      && take_list (&settings->allow_list, "allow-list-location",
          wishes->allow_list_location, error)
      && take_list (&settings->recorders, "recorders-location",
          wishes->recorders_location, error)
      && take_record (settings, wishes->identity_location, error)
      && check_host (settings, wishes, error) && try_out (settings, error)
      && (settings->trust = meeting_trust_new (
              &settings->link, pem && *pem ? pem : NULL, error)))
    return settings;
  meeting_settings_free (settings);
  return NULL;
}

void
meeting_settings_free (MeetingSettings *settings)
{
  if (!settings)
    return;
  g_free (settings->uri);
  g_free (settings->display_name);
  identity_free (settings->identity);
  secret_unref (settings->password);
  known_free (settings->known);
  g_free (settings->known_location);
  g_free (settings->record_location);
  blob_clear (&settings->record);
  g_clear_pointer (&settings->allow_list, g_array_unref);
  g_clear_pointer (&settings->recorders, g_array_unref);
  meeting_trust_free (settings->trust);
  g_free (settings);
}

Session *
meeting_settings_begin (const MeetingSettings *settings, guint64 mono,
    guint64 wall, GError **error)
{
  Session *session = NULL;
  SessionConfig config = { .uri = settings->uri,
    .owner = settings->role == MEETING_ROLE_HOST,
    .role = settings->role == MEETING_ROLE_LISTENER   ? ROLE_LISTENER
            : settings->role == MEETING_ROLE_RECORDER ? ROLE_RECORDER
                                                      : ROLE_PARTICIPANT,
    .display_name = settings->display_name,
    .identity = settings->identity,
    .password = settings->password,
    .known = settings->known,
    .policy = settings->policy,
    .allow_list = (const void *) settings->allow_list->data,
    .n_allow_list = settings->allow_list->len,
    .recorders = (const void *) settings->recorders->data,
    .n_recorders = settings->recorders->len,
    .record = settings->record.data,
    .record_len = settings->record.len,
    .rekey_interval = settings->rekey_interval };
  SessionResult result = session_new (&config, mono, wall, &session);

  if (result != SESSION_OK)
    refuse (error, "Cannot join: %s.", session_result_text (result));
  return session;
}

/* ---- Sentences ---- */

static char *
why_clock (int64_t skew)
{
  gint64 seconds = (skew < 0 ? -skew : skew) / 1000;

  return g_strdup_printf ("This machine's clock is %" G_GINT64_FORMAT
                          " s %s the host's: set the clock, and join again.",
      seconds, skew < 0 ? "behind" : "ahead of");
}

static const char *
why_denied (WireCode code)
{
  switch (code) {
    case WIRE_CODE_WRONG_PASSWORD:
      return "The password is wrong.";
    case WIRE_CODE_DENIED:
      return "The host did not let us in.";
    case WIRE_CODE_LOCKED:
      return "The meeting is locked: nobody new is let in until an admin unlocks it.";
    case WIRE_CODE_FULL:
      return "The meeting is full.";
    case WIRE_CODE_REMOVED:
      return "An admin has removed this identity from the meeting: it is not let in again.";
    case WIRE_CODE_RECORDING_FORBIDDEN:
      return "This meeting lets no recorder in.";
    case WIRE_CODE_VERSION:
      return "The hub or the meeting speaks another version of the protocol: both sides need the same version of gst-conclave.";
    case WIRE_CODE_NOT_OWNER:
    case WIRE_CODE_NOT_ADMIN:
      return "Another host has opened a meeting of this name at this hub: take another name, or the identity that it was opened with (identity-location).";
    case WIRE_CODE_BAD_SIGNATURE:
      return "The hub does not accept our signature: somebody may be between us and the hub.";
    case WIRE_CODE_CLOSED:
      return "The meeting has ended.";
    case WIRE_CODE_BUSY:
      return "There is no room: at the hub, or for keys in this machine's memory.";
    default:
      return "The hub or the host refused us.";
  }
}

char *
meeting_why_not (SessionState state, WireCode code, int64_t skew)
{
  switch (state) {
    case SESSION_REMOVED:
      return g_strdup ("An admin removed us from the meeting.");
    case SESSION_ENDED:
      return g_strdup ("The meeting has ended.");
    case SESSION_LEFT:
      return g_strdup ("We have left the meeting.");
    default:
      return code == WIRE_CODE_CLOCK ? why_clock (skew)
                                     : g_strdup (why_denied (code));
  }
}

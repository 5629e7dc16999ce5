/* What a member comes with: the properties, judged, and the files that they name, read.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "hubclient.h"

#include "ext/session/session.h"

G_BEGIN_DECLS

typedef enum
{
  MEETING_ROLE_HOST,
  MEETING_ROLE_PARTICIPANT,
  MEETING_ROLE_LISTENER,
  MEETING_ROLE_RECORDER
} MeetingRole;

/* Properties as they were set; copies. Texts may be NULL. */
typedef struct
{
  char *uri, *hub_certificate, *display_name, *password_location,
      *identity_location, *known_location, *allow_list_location,
      *recorders_location;
  MeetingRole role;
  Secret *password; /* as it was given; NULL: not */
  gboolean password_too_long;
  Admission admission; /* 0: not chosen */
  Who recording, screen_share;
  gboolean recording_consent;
  HandOver hand_over;
  guint max_members;      /* 0: the protocol's default */
  guint64 rekey_interval; /* ms */
} MeetingWishes;

void meeting_wishes_clear (MeetingWishes *wishes);

typedef struct
{
  char *uri, *display_name;
  Link link;
  MeetingRole role;
  Identity *identity;
  Secret *password; /* prepared; NULL: none */
  Known *known;     /* NULL: without known-location */
  char *known_location;
  char *record_location;          /* NULL: none is kept */
  Blob record;                    /* what it held */
  GArray *allow_list, *recorders; /* fingerprints */
  Policy policy;
  guint64 rekey_interval;
  MeetingTrust *trust;
} MeetingSettings;

/* NULL with a sentence that says what to change. Reads files, and makes an identity's. */
MeetingSettings *meeting_settings_new (
    const MeetingWishes *wishes, GError **error);

/* Wipes. Takes NULL. */
void meeting_settings_free (MeetingSettings *settings);

/* The session that they ask for; NULL with a sentence. */
Session *meeting_settings_begin (const MeetingSettings *settings, guint64 mono,
    guint64 wall, GError **error);

/* Keeps an owner's record; FALSE with a sentence. */
gboolean meeting_settings_keep_record (
    MeetingSettings *settings, const Blob *record, GError **error);

/* Remembers a key under a name, if it is new there. */
void meeting_settings_remember (const MeetingSettings *settings,
    const char *name, const guint8 *fingerprint);

/* ---- Sentences ---- */

/* Why we are not in the meeting, for SESSION_DENIED and the states behind it. Freed with g_free(). */
char *meeting_why_not (SessionState state, WireCode code, int64_t skew);

G_END_DECLS

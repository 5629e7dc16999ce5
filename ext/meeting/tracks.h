/* What of a session concerns media: asks the hub for transport, SSRCs and streams, announces our tracks, and hands keys and
 * remote tracks to the media bin.
 *
 *     sink pad has media ─ publish ─► hub ─ published ─► announced (`track`) ─► key ─► frames
 *     `track` of another ─ subscribe ─► hub ─ subscribed (ROC) ─► the bin expects it
 *
 * What the hub gave out belongs to a place in a room (session_place()): when either changes, or the way to the hub is
 * lost, all of it is asked for anew.
 *
 * Used by the session's thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "media.h"

#include "ext/session/session.h"

G_BEGIN_DECLS

typedef struct MeetingTracks MeetingTracks;

/* What became of another's tracks here, the worst of them first. */
typedef enum
{
  MEETING_KEYS_NONE,    /* it has announced no track */
  MEETING_KEYS_READY,   /* frames of each come through */
  MEETING_KEYS_WAITING, /* nothing has come yet of one */
  MEETING_KEYS_FAILING  /* frames of one can't be decrypted */
} MeetingKeys;

/* "none", "ready", "waiting", "failing". Static. */
const char *meeting_keys_name (MeetingKeys keys);

typedef void (*MeetingWarn) (gpointer user, const char *sentence);

/* `media`: a reference is taken; NULL for a member without media. */
MeetingTracks *meeting_tracks_new (
    ConclaveMeetingMedia *media, MeetingWarn warn, gpointer user);
void meeting_tracks_free (MeetingTracks *tracks);

/* ---- From the session ---- */

void meeting_tracks_event (
    MeetingTracks *tracks, Session *session, const SessionEvent *event);

/* At the end of each turn: asks for what is due. `now`: mono, ms. */
void meeting_tracks_turn (
    MeetingTracks *tracks, Session *session, guint64 now);
guint64 meeting_tracks_deadline (const MeetingTracks *tracks);

/* ---- From the media bin, brought to this thread ---- */

void meeting_tracks_ready (MeetingTracks *tracks, GstPad *pad, MediaKind kind,
    const char *codec, const char *caps);
void meeting_tracks_gone (
    MeetingTracks *tracks, Session *session, GstPad *pad);
void meeting_tracks_connected (
    MeetingTracks *tracks, gboolean connected, guint64 now);
void meeting_tracks_heard (
    MeetingTracks *tracks, Session *session, guint64 kid);

/* TRUE when the member's state changed by it. */
gboolean meeting_tracks_set_key_state (MeetingTracks *tracks,
    const guint8 *identity, guint32 number, const char *failing);

/* ---- From the user ---- */

/* The sink pads of all own tracks, or of the one of this number; references. */
GPtrArray *meeting_tracks_pads (
    const MeetingTracks *tracks, gboolean all, guint32 number);

/* Nothing is asked for of what others send: for a recorder that waits for consent. */
void meeting_tracks_hold (MeetingTracks *tracks, gboolean hold);

/* ---- What is ---- */

/* `why`: a half sentence while it fails, valid until the next call; may be NULL. */
MeetingKeys meeting_tracks_keys (const MeetingTracks *tracks,
    const guint8 *identity, guint *n_tracks, const char **why);

typedef struct
{
  gboolean connected;  /* the way to the hub is there */
  guint64 transports;  /* that were asked for */
  guint own, own_live; /* tracks of ours, and those announced */
  guint remote, remote_live;
} MeetingTracksStats;

MeetingTracksStats meeting_tracks_stats (const MeetingTracks *tracks);

G_END_DECLS

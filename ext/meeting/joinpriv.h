/* The element meetingjoin: what its files share.
 *
 *     meetingjoin.c    states, pads, EOS
 *     joinproperties.c properties
 *     joinactions.c    signals and actions
 *     joinevents.c     what the session tells: signals, messages, errors, and the snapshot that properties show
 *
 * ## Threads and locks
 * The session has a thread of its own (meetingthread.h), from NULL→READY→PAUSED on until PAUSED→READY. It writes the snapshot
 * under the lock, and emits and posts with no lock held. Everybody else reads the snapshot, and has commands invoked.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meetingjoin.h"
#include "meetingthread.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (meetingjoin_debug);

typedef enum
{
  MEETING_IDLE,
  MEETING_CONNECTING,
  MEETING_WAITING,
  MEETING_ADMITTED,
  MEETING_DENIED,
  MEETING_LEFT
} MeetingState;

#define CONCLAVE_TYPE_MEETING_JOIN (conclave_meeting_join_get_type ())
G_DECLARE_FINAL_TYPE (
    ConclaveMeetingJoin, conclave_meeting_join, CONCLAVE, MEETING_JOIN, GstBin)

/* What properties show. */
typedef struct
{
  MeetingState state;
  char *detail; /* why, or what is waited for */
  char *link, *security_code, *host_fingerprint;
  gboolean host_verified, locked, silenced, stale;
  gboolean is_admin, is_owner;
  guint64 epoch;
  GPtrArray *participants; /* GstStructure */
  gboolean hub_connected;
  SessionStats session;
  MeetingHubStats hub;
  MeetingTracksStats tracks;
} MeetingSnapshot;

struct _ConclaveMeetingJoin
{
  GstBin parent;

  ConclaveMeetingMedia *media; /* fixed; inside of the bin */

  /* object lock; from READY on fixed, but for what is said otherwise */
  char *uri, *hub_certificate, *display_name, *password_location,
      *identity_location, *known_location, *allow_list_location,
      *recorders_location;
  Secret *password; /* as it was given */
  gboolean password_too_long;
  MeetingRole role;
  Admission admission;
  Who recording, screen_share;
  gboolean recording_consent;
  HandOver hand_over;
  guint max_members;
  guint64 rekey_interval, connect_timeout; /* ns */
  gboolean obey_mute;                      /* may change */
  gboolean settings_are_old;               /* properties were set since */

  MeetingSettings *settings; /* from READY to NULL; the state lock's */

  GMutex lock; /* of what follows; nothing is called out with it held */
  MeetingThread *thread; /* from PAUSED to READY */
  MeetingSnapshot now;

  /* of the session's thread, while there is one; else of the state lock */
  guint64 started; /* meeting_now() */
  gboolean was_connected, was_member, over;
  gboolean record_off; /* somebody said so: no consent that comes later starts it */
  gboolean fresh,
      dirty;          /* the snapshot is of this turn; has to be made anew */
  char *last_warning; /* about the hub */
  gint stopping;      /* atomic */
  guint run;          /* atomic: counts starts */
};

/* ---- meetingjoin.c ---- */

/* Has `command` run on the session's thread; FALSE, and `data` freed, when there is none. */
gboolean meeting_join_invoke (ConclaveMeetingJoin *self,
    MeetingCommand command, gpointer data, GDestroyNotify free);

/* The end of the meeting is the end of the stream; on a thread of GStreamer's. */
void meeting_join_end_stream (ConclaveMeetingJoin *self);

/* Mutes the sink pad whose inner pad this is. */
void meeting_join_mute (
    ConclaveMeetingJoin *self, GstPad *inner, gboolean muted);

/* ---- joinproperties.c ---- */

void meeting_join_install_properties (GObjectClass *klass);
void meeting_join_init_properties (ConclaveMeetingJoin *self);
void meeting_join_free_properties (ConclaveMeetingJoin *self);

/* What they ask for. The caller holds the object lock. */
MeetingWishes meeting_join_wishes (ConclaveMeetingJoin *self);

GType conclave_meeting_role_get_type (void);
GType conclave_meeting_state_get_type (void);

/* ---- joinactions.c ---- */

typedef enum
{
  MEETING_SIGNAL_KNOCK,
  MEETING_SIGNAL_KNOCK_GONE,
  MEETING_SIGNAL_JOINED,
  MEETING_SIGNAL_LEFT,
  MEETING_SIGNAL_MESSAGE,
  MEETING_SIGNAL_HAND,
  MEETING_SIGNAL_SECURITY_CODE,
  MEETING_SIGNAL_RECORDING,
  MEETING_SIGNAL_MUTE_REQUESTED,
  MEETING_N_SIGNALS
} MeetingSignal;

extern guint meeting_join_signals[MEETING_N_SIGNALS];

void meeting_join_install_signals (GObjectClass *klass);

/* ---- joinevents.c ---- */

extern const MeetingThreadCallbacks meeting_join_thread_callbacks;
extern const MeetingMediaCallbacks meeting_join_media_callbacks;

/* Empties the snapshot, as before the first start. The caller holds the lock. */
void meeting_snapshot_clear (MeetingSnapshot *snapshot);

/* Posts conclave-state, and notifies. */
void meeting_join_tell_state (
    ConclaveMeetingJoin *self, MeetingState state, const char *detail);

/* "waiting"; static. */
const char *meeting_state_name (MeetingState state);

G_END_DECLS

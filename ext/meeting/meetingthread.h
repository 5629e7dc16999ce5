/* The thread "conclave-session": runs a session against the hub and the media bin, with a main context of its own.
 *
 * Callbacks come from it, with no lock held. What others want of the session is invoked on it, in the order of the calls.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "settings.h"
#include "tracks.h"

G_BEGIN_DECLS

typedef struct MeetingThread MeetingThread;

typedef struct
{
  void (*event) (
      MeetingThread *thread, Session *session, const SessionEvent *event);
  /* After each turn; `told`: there were events in it. */
  void (*turned) (MeetingThread *thread, Session *session, gboolean told);
  /* The connection to the hub is there, or was lost: `why` is a sentence then, and `loss` not 0. */
  void (*hub) (MeetingThread *thread, Session *session, gboolean connected,
      MeetingHubLoss loss, const char *why);
  void (*warn) (MeetingThread *thread, const char *sentence);
} MeetingThreadCallbacks;

/* Begins. `settings` outlives it; `media` may be NULL. NULL with a sentence. */
MeetingThread *meeting_thread_new (const MeetingSettings *settings,
    ConclaveMeetingMedia *media, const MeetingThreadCallbacks *callbacks,
    gpointer user, GError **error);

/* Leaves the meeting, waits for that at most `patience` ms, wipes, ends. Not from the thread itself. */
void meeting_thread_stop (MeetingThread *thread, guint patience);

typedef void (*MeetingCommand) (
    MeetingThread *thread, Session *session, gpointer data);

/* Has `command` run on the thread. From any thread, without waiting; `data` is freed by `free`, may be NULL. */
void meeting_thread_invoke (MeetingThread *thread, MeetingCommand command,
    gpointer data, GDestroyNotify free);

/* ---- On the thread ---- */

MeetingTracks *meeting_thread_tracks (MeetingThread *thread);
MeetingHubStats meeting_thread_hub_stats (MeetingThread *thread);
gpointer meeting_thread_user (MeetingThread *thread);

/* ms of CLOCK_BOOTTIME: monotonic, and counts suspended time. */
guint64 meeting_now (void);

G_END_DECLS

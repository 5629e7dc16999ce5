/* Descriptions that travel by files: written atomically, watched for.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Writes `text` beside `path` and moves it there, readable by its owner alone: it holds an ICE password. A reader
 * sees the old text or the new one, never a half. A symbolic link is followed; anything else than a regular file is
 * refused and left alone. Never waits. `error`: why not and what to do, to stand behind the name. */
gboolean signal_file_write (
    const char *path, const char *text, GError **error);

/* Removes `path`, or the file that it links to, if it still holds `text`: it describes sockets that are gone. Never
 * waits. */
void signal_file_retract (const char *path, const char *text);

typedef struct SignalFile SignalFile;

typedef struct
{
  void (*changed) (const char *text, gsize len, gpointer user);
  /* It exists, or its folder does, and cannot be read; once, until it could be read. */
  void (*unreadable) (const char *why, gpointer user);
} SignalFileEvents;

/* Calls `events` in `context`: with the text of `path`, now if it exists and then whenever it is another one. The
 * kernel tells (inotify); where it does not, on network file systems and behind symbolic links, a look a second finds
 * it. At most `limit` bytes are read; a longer file is reported as it is up to there and one byte more. */
SignalFile *signal_file_watch (const char *path, gsize limit,
    GMainContext *context, const SignalFileEvents *events, gpointer user);
void signal_file_free (SignalFile *file);

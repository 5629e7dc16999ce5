/* Descriptions that travel by files: written atomically, watched for.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Writes `text` beside `path` and moves it there, readable by its owner alone: it holds an ICE password. A reader
 * sees the old text or the new one, never a half. */
gboolean signal_file_write (
    const char *path, const char *text, GError **error);

/* Removes `path` if it still holds `text`: it describes sockets that are gone. */
void signal_file_retract (const char *path, const char *text);

typedef struct SignalFile SignalFile;

/* Calls `changed` in `context` with the text of `path`, now if it exists and then whenever it is another one. The
 * kernel tells (inotify); where it does not, on network file systems, a look a second finds it. At most `limit`
 * bytes are read; a longer file is reported as it is up to there and one byte more. */
SignalFile *signal_file_watch (const char *path, gsize limit,
    GMainContext *context,
    void (*changed) (const char *text, gsize len, gpointer user),
    gpointer user);
void signal_file_free (SignalFile *file);

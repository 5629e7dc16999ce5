/* Files as a signalling channel.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "signalfile.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LOOK_INTERVAL 1000 /* ms, where the kernel does not tell */

struct SignalFile
{
  char *path;
  gsize limit;
  char *last;  /* digest of the text reported last */
  int inotify; /* -1: not available */
  GSource *events;
  GSource *look;
  void (*changed) (const char *text, gsize len, gpointer user);
  gpointer user;
};

gboolean
signal_file_write (const char *path, const char *text, GError **error)
{
  /* Not g_file_set_contents(): it waits for the disk, and this need not outlive a power cut. */
  g_autofree char *temporary = g_strdup_printf ("%s.XXXXXX", path);
  gsize len = strlen (text), done = 0;
  int fd = g_mkstemp_full (temporary, O_WRONLY | O_CLOEXEC, 0600);

  while (fd >= 0 && done < len) {
    gssize n = write (fd, text + done, len - done);
    if (n < 0 && errno != EINTR)
      break;
    done += n > 0 ? (gsize) n : 0;
  }
  if (fd < 0 || done < len || close (fd) < 0
      || g_rename (temporary, path) < 0) {
    int code = errno;
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), "%s",
        g_strerror (code));
    if (fd >= 0)
      (void) g_unlink (temporary);
    return FALSE;
  }
  return TRUE;
}

void
signal_file_retract (const char *path, const char *text)
{
  g_autofree char *now = NULL;
  if (g_file_get_contents (path, &now, NULL, NULL) && strcmp (now, text) == 0)
    (void) g_unlink (path);
}

/* Not g_file_get_contents(): the file may be of any size, or a device. */
static char *
read_limited (const char *path, gsize limit, gsize *len)
{
  int fd = g_open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  if (fd < 0)
    return NULL;
  char *text = g_malloc (limit + 2);
  gsize n = 0;
  for (;;) {
    gssize got = read (fd, text + n, limit + 1 - n);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    n += (gsize) got;
    if (n == limit + 1)
      break;
  }
  (void) close (fd);
  text[n] = '\0';
  *len = n;
  return text;
}

static void
look (SignalFile *file)
{
  gsize len;
  g_autofree char *text = read_limited (file->path, file->limit, &len);

  if (!text || len == 0)
    return;
  g_autofree char *digest = g_compute_checksum_for_data (
      G_CHECKSUM_SHA256, (const guchar *) text, len);
  if (g_strcmp0 (digest, file->last) == 0)
    return;
  g_free (file->last);
  file->last = g_steal_pointer (&digest);
  file->changed (text, len, file->user);
}

static gboolean
on_inotify (gint fd, GIOCondition condition, gpointer user)
{
  char events[4096];
  while (read (fd, events, sizeof events) > 0)
    ;
  look (user);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_look (gpointer user)
{
  look (user);
  return G_SOURCE_CONTINUE;
}

SignalFile *
signal_file_watch (const char *path, gsize limit, GMainContext *context,
    void (*changed) (const char *text, gsize len, gpointer user),
    gpointer user)
{
  SignalFile *file = g_new0 (SignalFile, 1);
  g_autofree char *dir = g_path_get_dirname (path);

  file->path = g_strdup (path);
  file->limit = limit;
  file->changed = changed;
  file->user = user;

  /* The directory, not the file: it need not exist yet, and a move replaces it. Before the first look, so that
   * nothing falls between the two. */
  file->inotify = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
  if (file->inotify >= 0
      && inotify_add_watch (file->inotify, dir, IN_MOVED_TO | IN_CLOSE_WRITE)
             >= 0) {
    file->events = g_unix_fd_source_new (file->inotify, G_IO_IN);
    g_source_set_callback (
        file->events, G_SOURCE_FUNC (on_inotify), file, NULL);
    g_source_attach (file->events, context);
  }
  file->look = g_timeout_source_new (LOOK_INTERVAL);
  g_source_set_callback (file->look, on_look, file, NULL);
  g_source_attach (file->look, context);
  look (file);
  return file;
}

void
signal_file_free (SignalFile *file)
{
  if (!file)
    return;
  if (file->events) {
    g_source_destroy (file->events);
    g_source_unref (file->events);
  }
  g_source_destroy (file->look);
  g_source_unref (file->look);
  if (file->inotify >= 0)
    (void) close (file->inotify);
  g_free (file->path);
  g_free (file->last);
  g_free (file);
}

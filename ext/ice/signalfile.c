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
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_INTERVAL 1000 /* ms, where the kernel does not tell */
#define MAX_LINKS 40 /* as many as Linux follows itself, path_resolution(7) */

struct SignalFile
{
  char *path;
  char *name; /* in its folder */
  gsize limit;
  char *last;      /* digest of the text reported last */
  gboolean warned; /* until it can be read again */
  int inotify;     /* -1: not available */
  GSource *events;
  GSource *look;
  SignalFileEvents told;
  gpointer user;
};

/* The file that `path` means, symbolic links followed, also when it does not exist yet. It is a regular one or none:
 * what waits for a reader (FIFO), or belongs to everybody (device), is nothing to replace. NULL with `error`. */
static char *
find_target (const char *path, GError **error)
{
  char *target = g_strdup (path);
  struct stat info;

  for (guint links = 0; lstat (target, &info) == 0; links++) {
    if (S_ISREG (info.st_mode))
      return target;
    if (!S_ISLNK (info.st_mode)) {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE,
          "it is a %s and no file; name another one",
          S_ISDIR (info.st_mode)    ? "folder"
          : S_ISFIFO (info.st_mode) ? "FIFO"
          : S_ISSOCK (info.st_mode) ? "socket"
                                    : "device");
      g_free (target);
      return NULL;
    }
    g_autofree char *link = g_file_read_link (target, NULL);
    if (!link || links == MAX_LINKS) {
      errno = ELOOP;
      break;
    }
    g_autofree char *dir = g_path_get_dirname (target);
    g_free (target);
    target = g_path_is_absolute (link) ? g_strdup (link)
                                       : g_build_filename (dir, link, NULL);
  }
  if (errno == ENOENT)
    return target;
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "%s",
      g_strerror (errno));
  g_free (target);
  return NULL;
}

static gboolean
write_all (int fd, const char *text)
{
  gsize len = strlen (text), done = 0;
  while (done < len) {
    gssize n = write (fd, text + done, len - done);
    if (n < 0 && errno != EINTR)
      return FALSE;
    done += n > 0 ? (gsize) n : 0;
  }
  return TRUE;
}

gboolean
signal_file_write (const char *path, const char *text, GError **error)
{
  g_autofree char *target = find_target (path, error);
  if (!target)
    return FALSE;

  /* Not g_file_set_contents(): it waits for the disk, and this need not outlive a power cut. */
  g_autofree char *temporary = g_strdup_printf ("%s.XXXXXX", target);
  int fd = g_mkstemp_full (temporary, O_WRONLY | O_CLOEXEC, 0600);
  gboolean written = fd >= 0 && write_all (fd, text);
  int code = errno;

  if (fd >= 0 && close (fd) < 0 && written) {
    written = FALSE;
    code = errno;
  }
  if (written && g_rename (temporary, target) == 0)
    return TRUE;
  if (written)
    code = errno;
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code),
      "%s; check that the folder exists and can be written",
      g_strerror (code));
  if (fd >= 0)
    (void) g_unlink (temporary);
  return FALSE;
}

/* Not g_file_get_contents(): the file may be of any size, a device, or a FIFO that nobody writes to. NULL: errno says
 * why. */
static char *
read_limited (const char *path, gsize limit, gsize *len)
{
  int fd = g_open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  if (fd < 0)
    return NULL;
  char *text = g_malloc (limit + 2);
  gssize got;
  gsize n = 0;
  do {
    got = read (fd, text + n, limit + 1 - n);
    n += got > 0 ? (gsize) got : 0;
  } while ((got > 0 && n <= limit) || (got < 0 && errno == EINTR));
  int code = errno;
  (void) close (fd);
  if (got < 0 && code != EAGAIN) {
    g_free (text);
    errno = code;
    return NULL;
  }
  text[n] = '\0';
  *len = n;
  return text;
}

void
signal_file_retract (const char *path, const char *text)
{
  g_autofree char *target = find_target (path, NULL);
  gsize len;
  g_autofree char *now =
      target ? read_limited (target, strlen (text), &len) : NULL;
  if (now && strcmp (now, text) == 0)
    (void) g_unlink (target);
}

static void
look (SignalFile *file)
{
  gsize len;
  g_autofree char *text = read_limited (file->path, file->limit, &len);

  if (!text) {
    /* A file that does not exist is one to wait for. Any other reason will not go away by itself. */
    int code = errno;
    if (code != ENOENT && !file->warned)
      file->told.unreadable (g_strerror (code), file->user);
    file->warned |= code != ENOENT;
    return;
  }
  file->warned = FALSE;
  if (len == 0)
    return;
  g_autofree char *digest = g_compute_checksum_for_data (
      G_CHECKSUM_SHA256, (const guchar *) text, len);
  if (g_strcmp0 (digest, file->last) == 0)
    return;
  g_free (file->last);
  file->last = g_steal_pointer (&digest);
  file->told.changed (text, len, file->user);
}

/* Whether `events`, as inotify(7) gives them, are about this file: its folder may be a busy one. */
static gboolean
is_told_of (
    const SignalFile *file, const struct inotify_event *events, gsize len)
{
  const char *at = (const char *) events, *end = at + len;

  while (at < end) {
    const struct inotify_event *e = (const struct inotify_event *) at;
    if ((e->mask & IN_Q_OVERFLOW)
        || (e->len > 0 && strcmp (e->name, file->name) == 0))
      return TRUE;
    at += sizeof *e + e->len;
  }
  return FALSE;
}

static gboolean
on_inotify (gint fd, GIOCondition condition, gpointer user)
{
  union
  {
    struct inotify_event first;
    char bytes[4096];
  } events;
  SignalFile *file = user;
  gboolean ours = FALSE;
  gssize n;

  while ((n = read (fd, &events, sizeof events)) > 0)
    ours |= is_told_of (file, &events.first, (gsize) n);
  if (ours)
    look (file);
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
    const SignalFileEvents *events, gpointer user)
{
  SignalFile *file = g_new0 (SignalFile, 1);
  g_autofree char *dir = g_path_get_dirname (path);

  file->path = g_strdup (path);
  file->name = g_path_get_basename (path);
  file->limit = limit;
  file->told = *events;
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
  g_free (file->name);
  g_free (file->last);
  g_free (file);
}

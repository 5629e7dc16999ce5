/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_TEXT (2 * crypto_hash_sha256_BYTES + 1)
#define LONGEST_LINE                                                          \
  4096 /* of ours; what is longer was written by somebody else */

struct HubAuditLog
{
  int fd;
  bool addresses;
  bool torn; /* the file does not end with a line feed */
  uint64_t n, lines, missing;
  char previous[HASH_TEXT];
};

static void
hash_line (char *out, const char *line, size_t len)
{
  uint8_t hash[crypto_hash_sha256_BYTES];

  crypto_hash_sha256 (hash, (const uint8_t *) line, len);
  sodium_bin2hex (out, HASH_TEXT, hash, sizeof hash);
}

static uint64_t
number_of (const char *line)
{
  static const char begin[] = "{\"n\":";

  return strncmp (line, begin, strlen (begin)) == 0
             ? g_ascii_strtoull (line + strlen (begin), NULL, 10)
             : 0;
}

/* The chain goes on where it ended, also behind a line that was cut short when the machine went down. */
static bool
read_end (HubAuditLog *log)
{
  char end[LONGEST_LINE + 2];
  off_t size = lseek (log->fd, 0, SEEK_END);

  memset (log->previous, '0', HASH_TEXT - 1);
  log->previous[HASH_TEXT - 1] = '\0';
  if (size <= 0)
    return size == 0;
  size_t want = size > LONGEST_LINE + 1 ? LONGEST_LINE + 1 : (size_t) size;
  ssize_t n = pread (log->fd, end, want, size - (off_t) want);
  if (n != (ssize_t) want)
    return false;
  log->torn = end[want - 1] != '\n';
  size_t len = want - (log->torn ? 0 : 1), begin = len;
  while (begin > 0 && end[begin - 1] != '\n')
    begin--;
  if (begin == 0 && (off_t) want < size)
    return false;
  end[len] = '\0';
  log->n = number_of (end + begin);
  hash_line (log->previous, end + begin, len - begin);
  return true;
}

static bool
put (HubAuditLog *log, const char *event, const char *more)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%dT%H:%M:%SZ");
  g_autoptr (GString) line = g_string_new (log->torn ? "\n" : "");
  size_t begin = line->len;

  g_string_append_printf (line,
      "{\"n\":%" G_GUINT64_FORMAT ",\"time\":\"%s\",\"event\":\"%s\"%s",
      log->n + 1, time, event, more);
  if (log->missing > 0)
    g_string_append_printf (
        line, ",\"missing\":%" G_GUINT64_FORMAT, log->missing);
  g_string_append_printf (line, ",\"previous\":\"%s\"}", log->previous);
  char hash[HASH_TEXT];
  hash_line (hash, line->str + begin, line->len - begin);
  g_string_append_c (line, '\n');

  off_t size = lseek (log->fd, 0, SEEK_END);
  ssize_t n = write (log->fd, line->str, line->len);
  if (n != (ssize_t) line->len) {
    /* A piece of a line is taken back if the disk lets us; if not, it stays, and the chain goes over it. */
    if (n > 0 && (size < 0 || ftruncate (log->fd, size) < 0)) {
      log->torn = true;
      hash_line (log->previous, line->str + begin, (size_t) n - begin);
    }
    log->missing++;
    return false;
  }
  memcpy (log->previous, hash, HASH_TEXT);
  log->torn = false;
  log->missing = 0;
  log->n++;
  log->lines++;
  return true;
}

HubAuditLog *
hub_audit_open (const char *location, bool addresses, GError **error)
{
  struct stat st;
  /* Not blocked by a FIFO; a directory fails by itself. */
  int fd = open (location,
      O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);

  if (fd < 0 || fstat (fd, &st) < 0 || !S_ISREG (st.st_mode)) {
    int code = fd < 0 ? errno : EINVAL;
    if (fd >= 0)
      close (fd);
    g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (code),
        "cannot append to the audit log %s: %s; set audit-location to a file in a folder that this user may write",
        location, fd >= 0 ? "it is not a regular file" : g_strerror (code));
    return NULL;
  }
  if (flock (fd, LOCK_EX | LOCK_NB) < 0) {
    close (fd);
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_BUSY,
        "another hub writes the audit log %s: give each its own audit-location",
        location);
    return NULL;
  }
  HubAuditLog *log = g_new0 (HubAuditLog, 1);
  log->fd = fd;
  log->addresses = addresses;
  if (!read_end (log)
      || !put (log, "started", ",\"version\":\"" CONCLAVE_VERSION "\"")) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
        "cannot go on with the audit log %s: it can't be read or written, or its last line is none of ours; move it away, or set "
        "another audit-location",
        location);
    close (fd);
    g_free (log);
    return NULL;
  }
  return log;
}

void
hub_audit_close (HubAuditLog *log)
{
  if (!log)
    return;
  put (log, "stopped", "");
  fdatasync (log->fd);
  close (log->fd);
  g_free (log);
}

/* A meeting's name and a source's text have no character that JSON would escape. */
bool
hub_audit_write (HubAuditLog *log, const HubEvent *event)
{
  g_autoptr (GString) more = g_string_new (NULL);

  if (event->meeting)
    g_string_append_printf (more, ",\"meeting\":\"%s\"", event->meeting);
  if (event->room != 0)
    g_string_append_printf (more, ",\"room\":%" G_GUINT64_FORMAT, event->room);
  if (event->peer != 0)
    g_string_append_printf (more, ",\"peer\":%" G_GUINT64_FORMAT, event->peer);
  if (event->audit == HUB_AUDIT_REFUSED && event->code != 0)
    g_string_append_printf (
        more, ",\"code\":\"%s\"", wire_code_name (event->code));
  if (log->addresses && event->source[0] != '\0')
    g_string_append_printf (more, ",\"source\":\"%s\"", event->source);
  return put (log, hub_audit_name (event->audit), more->str);
}

uint64_t
hub_audit_lines (const HubAuditLog *log)
{
  return log->lines;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* flock(), which unlike POSIX's locks also holds between the threads of a process */
#endif
#include "identity_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_PATH 4096

static void
close_quietly (int fd)
{
  int saved = errno;
  close (fd);
  errno = saved;
}

/* A file that nobody but us can have put there, checked on the open descriptor. `forbidden` are the mode bits that it
 * must not have. */
static IdentityResult
open_ours (const char *path, mode_t forbidden, int *fd)
{
  /* O_NONBLOCK: opening a pipe must not wait for its writer. */
  *fd = open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (*fd < 0)
    return errno == ENOENT  ? IDENTITY_NOT_FOUND
           : errno == ELOOP ? IDENTITY_NOT_A_FILE
                            : IDENTITY_IO;

  struct stat st;
  IdentityResult result = IDENTITY_OK;
  if (fstat (*fd, &st) != 0)
    result = IDENTITY_IO;
  else if (!S_ISREG (st.st_mode))
    result = IDENTITY_NOT_A_FILE;
  else if (st.st_uid != geteuid ())
    result = IDENTITY_NOT_OWNED;
  else if (st.st_mode & forbidden)
    result = IDENTITY_OPEN_TO_ALL;
  if (result != IDENTITY_OK)
    close_quietly (*fd);
  return result;
}

/* Up to `room` bytes of the whole file. */
static IdentityResult
read_ours (
    const char *path, mode_t forbidden, void *room, size_t size, size_t *len)
{
  int fd;
  IdentityResult result = open_ours (path, forbidden, &fd);
  if (result != IDENTITY_OK)
    return result;

  ssize_t n = 1;
  for (*len = 0; *len < size && n != 0; *len += (size_t) (n > 0 ? n : 0)) {
    n = read (fd, (char *) room + *len, size - *len);
    if (n < 0 && errno != EINTR) {
      result = IDENTITY_IO;
      break;
    }
  }
  close_quietly (fd);
  return result == IDENTITY_OK && n != 0 ? IDENTITY_TOO_LARGE : result;
}

static bool
write_all (int fd, const uint8_t *bytes, size_t len)
{
  while (len > 0) {
    ssize_t n = write (fd, bytes, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return false;
    bytes += n;
    len -= (size_t) n;
  }
  return fsync (fd) == 0;
}

/* So that the new name survives a crash too; some file systems can't, and say so. */
static void
sync_folder (const char *path)
{
  char copy[MAX_PATH];
  snprintf (copy, sizeof copy, "%s", path);
  int fd = open (dirname (copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void) fsync (fd);
    close_quietly (fd);
  }
}

/* Writes to a file beside `path`, mode 0600, then gives it that name: in place of the old file, or only if there is
 * none. */
static IdentityResult
write_ours (const char *path, const void *bytes, size_t len, bool replace)
{
  char temporary[MAX_PATH + 32], random_name[17];
  uint8_t random[8];

  randombytes_buf (random, sizeof random);
  sodium_bin2hex (random_name, sizeof random_name, random, sizeof random);
  if (strlen (path) >= MAX_PATH) {
    errno = ENAMETOOLONG;
    return IDENTITY_IO;
  }
  snprintf (temporary, sizeof temporary, "%s.%s.tmp", path, random_name);

  int fd = open (
      temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return IDENTITY_IO;
  bool ok = write_all (fd, bytes, len);
  close_quietly (fd);

  /* link() fails where rename() would overwrite. */
  IdentityResult result = IDENTITY_OK;
  if (!ok
      || (replace ? rename (temporary, path) : link (temporary, path)) != 0)
    result = ok && !replace && errno == EEXIST ? IDENTITY_EXISTS : IDENTITY_IO;
  if (result != IDENTITY_OK || !replace) {
    int saved = errno;
    unlink (temporary);
    errno = saved;
  }
  if (result == IDENTITY_OK)
    sync_folder (path);
  return result;
}

IdentityResult
identity_file_load (const char *path, Identity **out)
{
  size_t len;

  *out = NULL;
  char *text = sodium_malloc (IDENTITY_MAX_PEM + 1);
  if (!text)
    return IDENTITY_FAILED;
  IdentityResult result =
      read_ours (path, S_IRWXG | S_IRWXO, text, IDENTITY_MAX_PEM + 1, &len);
  if (result == IDENTITY_OK)
    result = identity_from_pem (text, len, out);
  sodium_free (text); /* wipes */
  return result;
}

IdentityResult
identity_file_save (const char *path, const Identity *identity)
{
  Secret *pem = identity_to_pem (identity);
  if (!pem)
    return IDENTITY_FAILED;
  IdentityResult result =
      write_ours (path, secret_bytes (pem), secret_len (pem), false);
  secret_unref (pem);
  return result;
}

IdentityResult
identity_file_load_or_create (const char *path, Identity **out)
{
  IdentityResult result = identity_file_load (path, out);
  if (result != IDENTITY_NOT_FOUND)
    return result;

  Identity *fresh = identity_new ();
  if (!fresh)
    return IDENTITY_FAILED;
  result = identity_file_save (path, fresh);
  if (result == IDENTITY_OK) {
    *out = fresh;
    return IDENTITY_OK;
  }
  identity_free (fresh);
  /* Another process was faster: its key is the key. */
  return result == IDENTITY_EXISTS ? identity_file_load (path, out) : result;
}

IdentityResult
known_file_load (const char *path, Known **out, size_t *bad_line)
{
  size_t len = 0;

  *out = NULL;
  *bad_line = 0;
  char *text = malloc (KNOWN_MAX_TEXT);
  if (!text)
    return IDENTITY_FAILED;
  IdentityResult result =
      read_ours (path, S_IWGRP | S_IWOTH, text, KNOWN_MAX_TEXT, &len);
  if (result == IDENTITY_OK || result == IDENTITY_NOT_FOUND) {
    *out = known_parse (text, len, bad_line);
    result = *out        ? IDENTITY_OK
             : *bad_line ? IDENTITY_MALFORMED
                         : IDENTITY_FAILED;
  }
  free (text);
  return result;
}

/* Holds `path`.lock until the descriptor is closed. */
static int
take_lock (const char *path)
{
  char name[MAX_PATH + 8];
  int fd, got;

  if (strlen (path) >= MAX_PATH) {
    errno = ENAMETOOLONG;
    return -1;
  }
  snprintf (name, sizeof name, "%s.lock", path);
  fd = open (name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return -1;
  do
    got = flock (fd, LOCK_EX);
  while (got != 0 && errno == EINTR);
  if (got != 0) {
    close_quietly (fd);
    return -1;
  }
  return fd;
}

/* With the lock held: adds to `known` and writes it. */
static IdentityResult
add_and_write (const char *path, Known *known, const char *name,
    const uint8_t *fingerprint)
{
  size_t len;

  if (!known_add (known, name, fingerprint))
    return IDENTITY_TOO_LARGE;
  const char *text = known_text (known, &len);
  return write_ours (path, text, len, true);
}

IdentityResult
known_file_meet (const char *path, const char *name,
    const uint8_t *fingerprint, KnownVerdict *verdict, uint8_t *recorded,
    size_t *bad_line)
{
  Known *known;
  int lock = take_lock (path);

  *bad_line = 0;
  if (lock < 0)
    return IDENTITY_IO;
  IdentityResult result = known_file_load (path, &known, bad_line);
  if (result == IDENTITY_OK) {
    *verdict = known_check (known, name, fingerprint, recorded);
    if (*verdict == KNOWN_NEW)
      result = add_and_write (path, known, name, fingerprint);
    known_free (known);
  }
  close_quietly (lock);
  return result;
}

IdentityResult
known_file_replace (const char *path, const char *name,
    const uint8_t *fingerprint, size_t *bad_line)
{
  Known *known;
  int lock = take_lock (path);

  *bad_line = 0;
  if (lock < 0)
    return IDENTITY_IO;
  IdentityResult result = known_file_load (path, &known, bad_line);
  if (result == IDENTITY_OK) {
    known_forget (known, name);
    result = add_and_write (path, known, name, fingerprint);
    known_free (known);
  }
  close_quietly (lock);
  return result;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#define MAX_FILE (4 * SECRET_MAX)

/* Reads all of `fd`, at most MAX_FILE + 1 bytes so that the caller sees a file that is too large. -1 on error. */
static ssize_t
read_all (int fd, uint8_t *room)
{
  size_t have = 0;
  while (have <= MAX_FILE) {
    ssize_t n = read (fd, room + have, MAX_FILE + 1 - have);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -1;
    if (n == 0)
      break;
    have += (size_t) n;
  }
  return (ssize_t) have;
}

Secret *
secret_from_file (const char *path)
{
  /* read(2) straight into guarded memory: stdio would leave a copy in its buffer. */
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return NULL;

  uint8_t *room = sodium_malloc (MAX_FILE + 1);
  ssize_t len = room ? read_all (fd, room) : -1;
  int error = room ? errno : ENOMEM;
  Secret *secret = NULL;
  if (len > MAX_FILE) {
    error = EFBIG;
  } else if (len >= 0) {
    secret = secret_from_text ((const char *) room, (size_t) len);
    error = EINVAL;
  }
  sodium_free (room);
  close (fd);
  errno = error;
  return secret;
}

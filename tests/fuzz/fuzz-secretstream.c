/* Encrypted files. The first byte says what the rest is:
 *
 *     0  a list of recipients
 *     1  a file under the key of 32 zero bytes, read from its begin and by its index
 *     2  operations: how a file is written, and what somebody does to it. What comes out must be a beginning of what went in,
 *        and all of it only from a file that is as it was.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/secretstream/format.h"
#include "ext/sodium/reader.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define MOST 65536
#define CHUNK SECRETSTREAM_MIN_CHUNK

static void
demand (bool ok)
{
  if (!ok)
    abort ();
}

/* Reads until the end or a refusal; `plain`, unless NULL, is what should come out. Gives how much did. */
static size_t
read_all (SecretstreamReader *reader, const uint8_t *file, size_t len,
    const uint8_t *plain, size_t plain_len, SecretstreamResult *result)
{
  size_t at = (size_t) secretstream_reader_position (reader), got = 0, want;

  *result = SECRETSTREAM_OK;
  while (*result == SECRETSTREAM_OK
         && (want = secretstream_reader_wants (reader)) > 0 && at <= len
         && want <= len - at) {
    size_t gives = secretstream_reader_gives (reader);
    uint8_t *in = malloc (want), *out = malloc (gives > 0 ? gives : 1);
    demand (in && out);
    memcpy (in, file + at, want);
    *result = secretstream_reader_take (reader, in, out);
    if (*result == SECRETSTREAM_OK) {
      if (plain)
        demand (
            gives <= plain_len - got && memcmp (plain + got, out, gives) == 0);
      got += gives;
      at += want;
    }
    free (in);
    free (out);
  }
  if (*result == SECRETSTREAM_OK)
    *result = secretstream_reader_end (reader, at <= len ? len - at : 0);
  return got;
}

static void
read_by_index (Secret *key, const uint8_t *file, size_t len)
{
  SecretstreamReader *reader = secretstream_reader_new (key, NULL);
  SecretstreamResult result = SECRETSTREAM_OK;
  uint64_t offset, size;
  size_t at = 0, index, want;

  demand (reader != NULL);
  for (int i = 0; i < 2 && result == SECRETSTREAM_OK; i++) {
    want = secretstream_reader_wants (reader);
    if (want > len - at)
      break;
    result = secretstream_reader_take (reader, file + at, NULL);
    at += want;
  }
  if (secretstream_reader_is_open (reader) && len >= SECRETSTREAM_TRAILER
      && secretstream_reader_find_index (
          reader, file + len - SECRETSTREAM_TRAILER, len, &offset, &index)) {
    demand (offset <= len && index <= len - offset);
    if (secretstream_reader_load_index (reader, offset, file + offset, index)
        == SECRETSTREAM_OK) {
      demand (secretstream_reader_size (reader, &size));
      for (uint64_t to = 0; to < size; to += size / 3 + 1) {
        demand (secretstream_reader_seek (reader, to));
        read_all (reader, file, len, NULL, 0, &result);
      }
    }
  }
  secretstream_reader_free (reader);
}

static void
read_file (Secret *key, const uint8_t *file, size_t len)
{
  SecretstreamReader *reader = secretstream_reader_new (key, NULL);
  SecretstreamResult result, again;
  uint64_t size;

  demand (reader != NULL);
  size_t got = read_all (reader, file, len, NULL, 0, &result);
  secretstream_reader_settle (reader);
  if (secretstream_reader_is_open (reader)) {
    demand (secretstream_reader_size (reader, &size) && size == got);
    if (size > 0) {
      demand (secretstream_reader_seek (reader, 0));
      demand (read_all (reader, file, len, NULL, 0, &again) == got);
    }
  }
  secretstream_reader_free (reader);
  read_by_index (key, file, len);
}

static size_t
write_file (SecretstreamWriter *writer, Reader *r, const uint8_t *plain,
    size_t *plain_len, uint8_t *file)
{
  size_t len, used = 0;
  const uint8_t *header = secretstream_writer_header (writer, &len);
  uint64_t chunks = reader_uint (r, 1) % 40;

  memcpy (file, header, len);
  for (uint64_t i = 0; i < chunks; i++) {
    size_t n = (size_t) reader_uint (r, 1) + 1;
    demand (secretstream_writer_put (writer, plain + used, n) == n);
    used += n;
    size_t more = secretstream_writer_close_size (writer);
    demand (secretstream_writer_close (writer, file + len) == SECRETSTREAM_OK);
    len += more;
  }
  *plain_len = used;
  size_t more = secretstream_writer_finish_size (writer);
  demand (secretstream_writer_finish (writer, file + len) == SECRETSTREAM_OK);
  return len + more;
}

/* One thing that somebody does to a file; gives its new length. */
static size_t
change (Reader *r, uint8_t *file, size_t len)
{
  uint64_t what = reader_uint (r, 1) % 4;
  size_t at = (size_t) reader_uint (r, 2), from = (size_t) reader_uint (r, 2),
         n = (size_t) reader_uint (r, 1);

  if (what == 0 && at < len)
    file[at] ^= (uint8_t) n;
  else if (what == 1 && at < len)
    return at;
  else if (what == 2 && at <= len && from <= len && n <= len - at
           && n <= len - from)
    memmove (file + at, file + from, n);
  else if (what == 3 && len + n <= MOST) {
    memset (file + len, (int) from, n);
    return len + n;
  }
  return len;
}

static void
act (Secret *key, Reader *r)
{
  static uint8_t plain[MOST], file[MOST], before[MOST];
  SecretstreamWriter *writer = secretstream_writer_new (key, NULL, CHUNK);
  SecretstreamReader *reader = secretstream_reader_new (key, NULL);
  SecretstreamResult result;
  size_t plain_len;

  demand (writer && reader);
  for (size_t i = 0; i < sizeof plain; i++)
    plain[i] = (uint8_t) (i * 7 + i / 256);
  size_t len = write_file (writer, r, plain, &plain_len, file), was = len;
  memcpy (before, file, len);
  while (reader_left (r) >= 6)
    len = change (r, file, len);
  bool same = len == was && memcmp (before, file, len) == 0;
  size_t got = read_all (reader, file, len, plain, plain_len, &result);
  demand ((result == SECRETSTREAM_OK) == same);
  demand (!same || got == plain_len);
  secretstream_writer_free (writer);
  secretstream_reader_free (reader);
  read_file (key, file, len);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Reader r = reader_init (data, size);
  uint64_t what = reader_uint (&r, 1);
  size_t len = reader_left (&r);
  const uint8_t *rest = reader_take (&r, len);

  if (!core_init () || len > MOST)
    return 0;
  Secret *key = secret_new (32);
  demand (key != NULL);
  if (what == 0) {
    SecretstreamRecipients list;
    size_t line;
    RecipientsResult result =
        secretstream_recipients_parse ((const char *) rest, len, &list, &line);
    demand ((result == RECIPIENTS_OK) == (list.count > 0) || result > 1);
    demand (list.count <= SECRETSTREAM_MAX_RECIPIENTS && line <= len + 1);
  } else if (what == 1) {
    read_file (key, rest, len);
  } else if (what == 2) {
    Reader operations = reader_init (rest, len);
    act (key, &operations);
  }
  secret_unref (key);
  return 0;
}

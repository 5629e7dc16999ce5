/* A frame from the network: header parse, decrypt with every suite, and parse (write (header)). The same bytes, read as
 * instructions, also make an authentic frame that is then changed or cut: what a fuzzer would not find by luck.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/sodium/sframe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static SFrameKey *keys[SFRAME_LAST_SUITE + 1];
static Secret *base_key;

/* LeakSanitizer does not look into libsodium's guarded memory, and takes what only that points to for lost: GnuTLS's half
 * of keys that stay. Absent without the sanitizer. */
__attribute__ ((weak)) void __lsan_disable (void);
__attribute__ ((weak)) void __lsan_enable (void);

static void
make_keys (void)
{
  static const uint8_t base[32] = "a base key that everybody knows";
  if (!core_init ())
    abort ();
  if (__lsan_disable)
    __lsan_disable ();
  base_key = secret_copy (base, sizeof base);
  for (int suite = SFRAME_FIRST_SUITE; suite <= SFRAME_LAST_SUITE; suite++)
    keys[suite] = sframe_key_new ((SFrameSuite) suite, 1, base_key, 0);
  if (__lsan_enable)
    __lsan_enable ();
}

static void
try_as_frame (const uint8_t *data, size_t size)
{
  Reader in = reader_init (data, size);
  SFrameHeader header;
  size_t len;

  if (sframe_header_parse (&in, &header) == SFRAME_OK) {
    uint8_t again[SFRAME_MAX_HEADER];
    Writer out = writer_init (again, sizeof again);
    sframe_header_write (&out, header);
    if (out.failed || writer_len (&out) != size - reader_left (&in)
        || writer_len (&out) != sframe_header_len (header)
        || memcmp (again, data, writer_len (&out)) != 0)
      abort ();
  }

  uint8_t *plain = malloc (size > 0 ? size : 1);
  for (int suite = SFRAME_FIRST_SUITE; suite <= SFRAME_LAST_SUITE; suite++)
    if (sframe_decrypt (keys[suite], NULL, 0, data, size, plain, &len)
            == SFRAME_OK
        && len > size)
      abort ();
  free (plain);
}

/* suite u8 | KID u64 | CTR u64 | position u16 | change u8 | cut u16 | length of metadata u8 | metadata | frame */
static void
try_as_instructions (const uint8_t *data, size_t size)
{
  Reader in = reader_init (data, size);
  SFrameSuite suite =
      (SFrameSuite) (SFRAME_FIRST_SUITE
                     + reader_uint (&in, 1) % SFRAME_LAST_SUITE);
  uint64_t kid = reader_uint (&in, 8), ctr = reader_uint (&in, 8);
  size_t position = (size_t) reader_uint (&in, 2);
  uint8_t change = (uint8_t) reader_uint (&in, 1);
  size_t cut = (size_t) reader_uint (&in, 2);
  size_t metadata_len = (size_t) reader_uint (&in, 1);
  const uint8_t *metadata = reader_take (&in, metadata_len);
  size_t len = reader_left (&in), sframe_len, plain_len;
  const uint8_t *frame = reader_take (&in, len);
  if (in.failed)
    return;

  SFrameKey *key = sframe_key_new (suite, kid, base_key, ctr);
  size_t room = len + sframe_key_overhead (key);
  uint8_t *sframe = malloc (room), *plain = malloc (room);
  if (sframe_encrypt (
          key, metadata, metadata_len, frame, len, sframe, room, &sframe_len)
          != SFRAME_OK
      || sframe_len != room)
    abort ();

  /* In an allocation of its exact size, so that a sanitizer sees one byte too many. */
  size_t kept = cut < room ? room - cut : 0;
  uint8_t *changed = malloc (kept > 0 ? kept : 1);
  memcpy (changed, sframe, kept);
  if (kept > 0)
    changed[position % kept] ^= change;
  SFrameResult result = sframe_decrypt (
      key, metadata, metadata_len, changed, kept, plain, &plain_len);
  if (kept == room && change == 0) {
    if (result != SFRAME_OK || plain_len != len
        || memcmp (plain, frame, len) != 0)
      abort ();
  } else if (result == SFRAME_OK && sframe_suite_tag_len (suite) >= 8) {
    abort (); /* tags of 32 bits may be met by luck */
  }
  free (changed);
  free (plain);
  free (sframe);
  sframe_key_free (key);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (!base_key)
    make_keys ();
  try_as_frame (data, size);
  try_as_instructions (data, size);
  return 0;
}

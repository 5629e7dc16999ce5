/* A frame from the network: header parse, decrypt with every suite, and parse (write (header)).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/sodium/sframe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static SFrameKey *keys[SFRAME_LAST_SUITE + 1];

static void
make_keys (void)
{
  static const uint8_t base[32] = "a base key that everybody knows";
  core_init ();
  Secret *secret = secret_copy (base, sizeof base);
  for (int suite = SFRAME_FIRST_SUITE; suite <= SFRAME_LAST_SUITE; suite++)
    keys[suite] = sframe_key_new ((SFrameSuite) suite, 1, secret, 0);
  secret_unref (secret);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Reader in = reader_init (data, size);
  SFrameHeader header;
  size_t len;

  if (!keys[SFRAME_FIRST_SUITE])
    make_keys ();

  if (sframe_header_parse (&in, &header) == SFRAME_OK) {
    uint8_t again[SFRAME_MAX_HEADER];
    Writer out = writer_init (again, sizeof again);
    sframe_header_write (&out, header);
    if (out.failed || writer_len (&out) != size - reader_left (&in)
        || memcmp (again, data, writer_len (&out)) != 0)
      abort ();
  }

  uint8_t *plain = malloc (size);
  for (int suite = SFRAME_FIRST_SUITE; suite <= SFRAME_LAST_SUITE; suite++)
    if (sframe_decrypt (keys[suite], NULL, 0, data, size, plain, &len)
            == SFRAME_OK
        && len > size)
      abort ();
  free (plain);
  return 0;
}

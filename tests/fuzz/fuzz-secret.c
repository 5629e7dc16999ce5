/* A key file: text that is hexadecimal, base64 or neither.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/sodium/secret.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
must_be (Secret *want, const char *text, size_t len)
{
  Secret *got = secret_from_text (text, len);
  if (!got || !secret_equal (got, want))
    abort ();
  secret_unref (got);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (!core_init ())
    abort ();
  Secret *secret = secret_from_text ((const char *) data, size);
  if (!secret)
    return 0;

  size_t len = secret_len (secret);
  if (len == 0 || len > SECRET_MAX || len > size)
    abort ();
  for (size_t i = 0; i < size; i++)
    if (data[i] == 0 || data[i] >= 0x80)
      abort (); /* no text */

  /* What was understood, said anew in each spelling, is the same; with white space around it too. */
  char text[2 * SECRET_MAX + 3];
  sodium_bin2hex (text, sizeof text, secret_bytes (secret), len);
  must_be (secret, text, strlen (text));
  if (size < 4 * SECRET_MAX - 2) {
    char *spaced = malloc (size + 2);
    spaced[0] = '\n';
    memcpy (spaced + 1, data, size);
    spaced[size + 1] = ' ';
    must_be (secret, spaced, size + 2);
    free (spaced);
  }
  secret_unref (secret);
  return 0;
}

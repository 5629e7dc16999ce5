/* A link that somebody was sent: parse, and parse (format (link)) == link.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/sodium/link.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Link link, again;
  char text[LINK_SIZE];

  if (link_parse ((const char *) data, size, &link) != LINK_OK)
    return 0;
  if (!link_format (&link, text)
      || link_parse (text, strlen (text), &again) != LINK_OK
      || memcmp (&link, &again, sizeof link) != 0
      || !link_known_name (&link, text))
    abort ();
  return 0;
}

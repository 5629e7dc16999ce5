/* Which keys were replaced, in bounded memory. None is ever forgotten, since its packet indices are: the last ones are
 * remembered as they are, those before by a Bloom filter, which says yes to all that it was told and, wrongly, to a few
 * others. A fresh key that is refused for that costs another one; a used key that is taken would cost all.
 *
 * A key that no packet was under need not come here.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_EXACT 1024
/* 1 MiB: after a year of a new key each minute a fresh key is refused once in 1,700 times. */
#define FILTER_BITS (UINT64_C (1) << 23)
#define FILTER_PLACES 8

/* A fingerprint is as good as random, so its halves serve as the two hashes of which all places are made. */
static uint64_t
place_of (const uint8_t *fingerprint, unsigned i)
{
  uint64_t first, second;
  memcpy (&first, fingerprint, sizeof first);
  memcpy (&second, fingerprint + sizeof first, sizeof second);
  return (first + i * (second | 1)) & (FILTER_BITS - 1);
}

static bool
filter_has (const uint8_t *filter, const uint8_t *fingerprint)
{
  for (unsigned i = 0; i < FILTER_PLACES; i++) {
    uint64_t place = place_of (fingerprint, i);
    if (!(filter[place / 8] >> (place % 8) & 1))
      return false;
  }
  return true;
}

/* Room for `more` fingerprints, so that replaced_add() cannot fail when it is too late to refuse. */
bool
replaced_reserve (ReplacedKeys *replaced, size_t more)
{
  if (replaced->n + more > MAX_EXACT) {
    if (!replaced->filter)
      replaced->filter = calloc (1, FILTER_BITS / 8);
    if (!replaced->filter)
      return false;
    for (size_t k = 0; k < replaced->n; k++)
      for (unsigned i = 0; i < FILTER_PLACES; i++) {
        uint64_t place = place_of (replaced->exact + k * FINGERPRINT_LEN, i);
        replaced->filter[place / 8] |= (uint8_t) (1u << (place % 8));
      }
    replaced->n = 0;
  }
  if (replaced->n + more > replaced->room) {
    size_t room = replaced->n + more;
    uint8_t *exact = realloc (replaced->exact, room * FINGERPRINT_LEN);
    if (!exact)
      return false;
    replaced->exact = exact;
    replaced->room = room;
  }
  return true;
}

/* Room was reserved. */
void
replaced_add (ReplacedKeys *replaced, const uint8_t *fingerprint)
{
  memcpy (replaced->exact + replaced->n++ * FINGERPRINT_LEN, fingerprint,
      FINGERPRINT_LEN);
}

bool
replaced_has (const ReplacedKeys *replaced, const uint8_t *fingerprint)
{
  for (size_t i = 0; i < replaced->n; i++)
    if (memcmp (replaced->exact + i * FINGERPRINT_LEN, fingerprint,
            FINGERPRINT_LEN)
        == 0)
      return true;
  return replaced->filter && filter_has (replaced->filter, fingerprint);
}

/* `to` is empty. */
bool
replaced_copy (ReplacedKeys *to, const ReplacedKeys *from)
{
  if (from->filter) {
    to->filter = malloc (FILTER_BITS / 8);
    if (!to->filter)
      return false;
    memcpy (to->filter, from->filter, FILTER_BITS / 8);
  }
  if (from->n > 0) {
    if (!replaced_reserve (to, from->n))
      return false;
    memcpy (to->exact, from->exact, from->n * FINGERPRINT_LEN);
    to->n = from->n;
  }
  return true;
}

void
replaced_clear (ReplacedKeys *replaced)
{
  free (replaced->exact);
  free (replaced->filter);
  *replaced = (ReplacedKeys){ 0 };
}

size_t
replaced_memory (const ReplacedKeys *replaced)
{
  return replaced->room * FINGERPRINT_LEN
         + (replaced->filter ? FILTER_BITS / 8 : 0);
}

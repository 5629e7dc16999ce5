/* Token buckets in virtual time: how often something may happen. A bucket of zeros is a full one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct
{
  uint64_t debt; /* thousandths of a token that are missing */
  uint64_t at;   /* ms: when it was so */
} Bucket;

/* Lets `now` count: `rate` tokens a second come back. */
static inline void
bucket_fill (Bucket *bucket, uint64_t now, uint64_t rate)
{
  uint64_t elapsed = now > bucket->at ? now - bucket->at : 0;

  bucket->at = now;
  if (rate == 0 || elapsed <= bucket->debt / rate)
    bucket->debt -= elapsed * rate;
  else
    bucket->debt = 0;
}

/* Takes `amount` tokens out of at most `burst`; false, and nothing is taken, when there are fewer. */
static inline bool
bucket_take (Bucket *bucket, uint64_t now, uint64_t burst, uint64_t rate,
    uint64_t amount)
{
  bucket_fill (bucket, now, rate);
  if (amount > burst || bucket->debt > (burst - amount) * 1000)
    return false;
  bucket->debt += amount * 1000;
  return true;
}

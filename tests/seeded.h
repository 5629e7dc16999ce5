/* Random bytes that repeat themselves, in the place of libsodium's: a run is its seed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sodium.h>
#include <string.h>

static uint64_t seeded_seed, seeded_draws;

/* The n-th draw of a seed is the same in every run. */
static void
seeded_draw (void *const out, const size_t len)
{
  uint8_t seed[randombytes_SEEDBYTES] = { 0 };
  memcpy (seed, &seeded_draws, sizeof seeded_draws);
  memcpy (seed + sizeof seeded_draws, &seeded_seed, sizeof seeded_seed);
  seeded_draws++;
  randombytes_buf_deterministic (out, len, seed);
}

static uint32_t
seeded_draw_32 (void)
{
  uint32_t value;
  seeded_draw (&value, sizeof value);
  return value;
}

static const char *
seeded_name (void)
{
  return "seeded";
}

static inline void
seeded_start (uint64_t seed)
{
  seeded_seed = seed;
  seeded_draws = 0;
}

/* From here on libsodium draws from this, in all of the process: before core_init(), and only in tests. */
static inline void
seeded_install (void)
{
  static randombytes_implementation implementation = { seeded_name,
    seeded_draw_32, NULL, NULL, seeded_draw, NULL };
  randombytes_set_implementation (&implementation);
}

/* Chance that repeats itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim.h"

#include <sodium.h>

static Dice code; /* what the code under test draws */

void
dice_init (Dice *dice, uint64_t seed, const char *purpose)
{
  crypto_generichash_state state;

  memset (dice, 0, sizeof *dice);
  dice->used = sizeof dice->pool;
  crypto_generichash_init (&state, NULL, 0, sizeof dice->key);
  crypto_generichash_update (&state, (const uint8_t *) &seed, sizeof seed);
  crypto_generichash_update (
      &state, (const uint8_t *) purpose, strlen (purpose));
  crypto_generichash_final (&state, dice->key, sizeof dice->key);
}

void
dice_bytes (Dice *dice, void *out, size_t len)
{
  uint8_t *to = out, nonce[crypto_stream_chacha20_NONCEBYTES];

  while (len > 0) {
    if (dice->used == sizeof dice->pool) {
      memset (nonce, 0, sizeof nonce);
      memcpy (nonce, &dice->block, sizeof dice->block);
      crypto_stream_chacha20 (dice->pool, sizeof dice->pool, nonce, dice->key);
      dice->block++;
      dice->used = 0;
    }
    size_t n = MIN (len, sizeof dice->pool - dice->used);
    memcpy (to, dice->pool + dice->used, n);
    dice->used += n;
    to += n;
    len -= n;
  }
}

/* The bias of a 64-bit remainder is below 2^-40 for all that is asked here. */
uint64_t
dice_below (Dice *dice, uint64_t n)
{
  uint64_t number;
  dice_bytes (dice, &number, sizeof number);
  return n ? number % n : 0;
}

uint64_t
dice_between (Dice *dice, uint64_t from, uint64_t to)
{
  return from + dice_below (dice, to - from + 1);
}

bool
dice_chance (Dice *dice, unsigned of_a_thousand)
{
  return dice_below (dice, 1000) < of_a_thousand;
}

static const char *
chance_name (void)
{
  return "seeded";
}

static uint32_t
chance_random (void)
{
  uint32_t number;
  dice_bytes (&code, &number, sizeof number);
  return number;
}

static void
chance_stir (void)
{
}

static void
chance_buf (void *const out, const size_t len)
{
  dice_bytes (&code, out, len);
}

static int
chance_close (void)
{
  return 0;
}

void
chance_install (void)
{
  static randombytes_implementation seeded = { .implementation_name =
                                                   chance_name,
    .random = chance_random,
    .stir = chance_stir,
    .uniform = NULL, /* libsodium's, over random() */
    .buf = chance_buf,
    .close = chance_close };
  randombytes_set_implementation (&seeded);
  /* sodium_init() draws before there is a seed. */
  memset (&code, 0, sizeof code);
  code.used = sizeof code.pool;
}

void
chance_seed (uint64_t seed)
{
  dice_init (&code, seed, "code under test");
}

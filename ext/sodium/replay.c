/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay.h"

#include <stdlib.h>
#include <string.h>

struct ReplayWindow
{
  size_t size; /* counters that the window covers */
  size_t
      ring_bits; /* power of two, at least size: a counter's place is ctr mod ring_bits */
  bool any; /* whether `highest` means something */
  uint64_t highest;
  uint64_t ring[];
};

ReplayWindow *
replay_window_new (size_t size)
{
  if (size < 1 || size > REPLAY_MAX_WINDOW)
    return NULL;

  size_t bits = 64;
  while (bits < size)
    bits *= 2;
  ReplayWindow *window = calloc (1, sizeof *window + bits / 8);
  if (!window)
    return NULL;
  window->size = size;
  window->ring_bits = bits;
  return window;
}

void
replay_window_free (ReplayWindow *window)
{
  free (window);
}

static uint64_t *
word_of (ReplayWindow *window, uint64_t ctr)
{
  return &window->ring[(ctr & (window->ring_bits - 1)) / 64];
}

bool
replay_window_is_new (const ReplayWindow *window, uint64_t ctr)
{
  if (!window->any || ctr > window->highest)
    return true;
  if (window->highest - ctr >= window->size)
    return false;
  return !(
      window->ring[(ctr & (window->ring_bits - 1)) / 64] >> (ctr % 64) & 1);
}

void
replay_window_commit (ReplayWindow *window, uint64_t ctr)
{
  if (!window->any
      || (ctr > window->highest
          && ctr - window->highest >= window->ring_bits)) {
    memset (window->ring, 0, window->ring_bits / 8);
  } else if (ctr > window->highest) {
    /* Places between the old and the new highest belong to counters not seen yet. */
    for (uint64_t c = window->highest + 1; c != ctr; c++)
      *word_of (window, c) &= ~(UINT64_C (1) << (c % 64));
  }
  if (!window->any || ctr > window->highest)
    window->highest = ctr;
  window->any = true;
  *word_of (window, ctr) |= UINT64_C (1) << (ctr % 64);
}

void
replay_window_clear (ReplayWindow *window)
{
  window->any = false;
}

void
replay_window_resume (ReplayWindow *window, uint64_t highest)
{
  window->any = true;
  window->highest = highest;
  memset (window->ring, 0xff, window->ring_bits / 8);
}

bool
replay_window_highest (const ReplayWindow *window, uint64_t *highest)
{
  *highest = window->highest;
  return window->any;
}

/* A replay window: which of the last counters were seen.
 *
 * Ask and commit only with counters of authentic frames or packets (RFC 9605, 9.3; RFC 3711, 3.3.2): a forged one must
 * neither move the window nor be able to mark a counter as seen.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_MAX_WINDOW 65536

typedef struct ReplayWindow ReplayWindow;

/* A window over the last `size` counters up to the highest seen, 1 <= size <= REPLAY_MAX_WINDOW; it takes about
 * size / 8 bytes. NULL when size is out of range or memory is short. */
ReplayWindow *replay_window_new (size_t size);
void replay_window_free (ReplayWindow *window);

/* True when `ctr` is new: not seen and not older than the window. Changes nothing. */
bool replay_window_is_new (const ReplayWindow *window, uint64_t ctr);

/* Marks `ctr`, which replay_window_is_new(), as seen. */
void replay_window_commit (ReplayWindow *window, uint64_t ctr);

/* Forgets everything. */
void replay_window_clear (ReplayWindow *window);

/* Counts every counter up to `highest` as seen: a window that goes on where another one ended. */
void replay_window_resume (ReplayWindow *window, uint64_t highest);

/* The highest counter seen to `highest`; false when there was none. */
bool replay_window_highest (const ReplayWindow *window, uint64_t *highest);

/* The adversaries' files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim.h"

extern const Adversary joiner_adversaries[], host_adversaries[],
    member_adversaries[], hub_adversaries[];
extern const size_t n_joiner_adversaries, n_host_adversaries,
    n_member_adversaries, n_hub_adversaries;

/* The plan's people, none of whom leaves or is removed, for `ms` after the beginning; nothing goes wrong but by the liar. */
void quiet_plan (World *world, uint64_t ms);

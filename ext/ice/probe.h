/* Why there is no connection: asks each remote candidate from each local address, and reports what came back.
 *
 * libnice tells that all pairs failed, not how. So when the time is up, each pair is asked once more by a socket of
 * its own, and the answer, the error of the network or the silence is put in words.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "description.h"

#include <glib.h>

#define ICE_PROBE_MAX_PAIRS 32
#define ICE_PROBE_TIME 1000 /* ms */

typedef struct IceProbe IceProbe;

/* Calls `done` in `context` after ICE_PROBE_TIME with one line for each pair; free it then or before. */
IceProbe *ice_probe_new (const IceDescription *local,
    const IceDescription *remote, GMainContext *context,
    void (*done) (const char *report, gpointer user), gpointer user);
void ice_probe_free (IceProbe *probe);

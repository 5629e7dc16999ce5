/* What the transport asks the rooms about a connection.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "room.h"

/* The largest frame that may come from it now: LIMIT_FRAME_AFTER once its place is a member's, and from then on;
 * LIMIT_FRAME_BEFORE until then; 0 when the hub has ended it. */
size_t hub_frame_limit (const Hub *hub, uint64_t connection);

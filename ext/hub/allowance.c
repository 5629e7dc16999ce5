/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "allowance.h"

#include "room_private.h"

size_t
hub_frame_limit (const Hub *hub, uint64_t id)
{
  const Connection *connection = g_hash_table_lookup (hub->connections, &id);

  if (!connection)
    return 0;
  return connection->place->member ? LIMIT_FRAME_AFTER : LIMIT_FRAME_BEFORE;
}

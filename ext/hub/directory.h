/* Where rooms live: a meeting is served by one hub of a fleet at a time. The seam between a hub's rooms and whatever
 * keeps that table; hub_directory_local_new() keeps it in this process.
 *
 * A hub asks with a number of its own, and is told with that number, within the call or later, by hub_claimed(),
 * hub_renewed() and hub_looked_up() of room.h, on the thread that uses the hub and not after hub_free(). A `fence` is
 * greater than any before for the same meeting: whoever acts for a hub refuses an older one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Hub Hub;

typedef enum
{
  HUB_NOWHERE = 1, /* nobody has claimed it */
  HUB_HERE,
  HUB_ELSEWHERE
} HubWhere;

/* `self` names the hub that asks, the same in all its calls. Times in ms of the hub's clock. */
typedef struct HubDirectory HubDirectory;
struct HubDirectory
{
  /* Makes `meeting` the hub's for `ttl`, unless another has it: hub_claimed(). */
  void (*claim) (HubDirectory *directory, Hub *hub, const char *self,
      uint64_t request, const char *meeting, uint64_t ttl, uint64_t now);
  /* And for `ttl` more: hub_renewed(), which says no when the claim has ended or is somebody else's. */
  void (*renew) (HubDirectory *directory, Hub *hub, const char *self,
      uint64_t request, const char *meeting, uint64_t fence, uint64_t ttl,
      uint64_t now);
  /* Gives it up; nothing when `fence` is not the claim's any more. Not answered. */
  void (*release) (HubDirectory *directory, const char *self,
      const char *meeting, uint64_t fence);
  /* hub_looked_up(). What the hub does then must not tell a client whether the meeting exists. */
  void (*lookup) (HubDirectory *directory, Hub *hub, const char *self,
      uint64_t request, const char *meeting, uint64_t now);
  /* Says that the hub is there, and how many members it serves. Not answered. */
  void (*announce) (HubDirectory *directory, const char *self, uint64_t load,
      uint64_t ttl, uint64_t now);
  void (*free) (HubDirectory *directory);
};

/* In this process; answers within the call. Several hubs may share it, on one thread. Outlives them. */
HubDirectory *hub_directory_local_new (void);

/* Takes NULL. */
void hub_directory_free (HubDirectory *directory);

/* A directory that is a table of this process.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "directory.h"

#include "room.h"

#include <string.h>

typedef struct
{
  char *hub;
  uint64_t fence;
  uint64_t end; /* of the claim */
} Claim;

#define TIDY                                                                  \
  1024 /* with more claims than this, those that ended are looked for */

typedef struct
{
  HubDirectory calls; /* first */
  GHashTable *claims; /* meeting -> Claim */
  uint64_t fences;
} Local;

static void
claim_free (void *data)
{
  Claim *claim = data;
  g_free (claim->hub);
  g_free (claim);
}

/* The claim on `meeting` that counts at `now`. */
static Claim *
find (Local *local, const char *meeting, uint64_t now)
{
  Claim *claim = g_hash_table_lookup (local->claims, meeting);
  if (claim && claim->end <= now) {
    g_hash_table_remove (local->claims, meeting);
    claim = NULL;
  }
  return claim;
}

static gboolean
has_ended (void *key, void *value, void *now)
{
  return ((Claim *) value)->end <= *(uint64_t *) now;
}

static void
claim (HubDirectory *directory, Hub *hub, const char *self, uint64_t request,
    const char *meeting, uint64_t ttl, uint64_t now)
{
  Local *local = (Local *) directory;
  Claim *old = find (local, meeting, now);

  if (old && strcmp (old->hub, self) != 0) {
    hub_claimed (hub, request, false, 0);
    return;
  }
  if (g_hash_table_size (local->claims) > TIDY)
    g_hash_table_foreach_remove (local->claims, has_ended, &now);
  Claim *new = g_new0 (Claim, 1);
  *new = (Claim){ g_strdup (self), ++local->fences, now + ttl };
  g_hash_table_replace (local->claims, g_strdup (meeting), new);
  hub_claimed (hub, request, true, local->fences);
}

static void
renew (HubDirectory *directory, Hub *hub, const char *self, uint64_t request,
    const char *meeting, uint64_t fence, uint64_t ttl, uint64_t now)
{
  Claim *old = find ((Local *) directory, meeting, now);
  bool mine = old && old->fence == fence && strcmp (old->hub, self) == 0;

  if (mine)
    old->end = now + ttl;
  hub_renewed (hub, request, mine);
}

static void
release (HubDirectory *directory, const char *self, const char *meeting,
    uint64_t fence)
{
  Local *local = (Local *) directory;
  Claim *old = g_hash_table_lookup (local->claims, meeting);

  if (old && old->fence == fence && strcmp (old->hub, self) == 0)
    g_hash_table_remove (local->claims, meeting);
}

static void
lookup (HubDirectory *directory, Hub *hub, const char *self, uint64_t request,
    const char *meeting, uint64_t now)
{
  Claim *old = find ((Local *) directory, meeting, now);

  hub_looked_up (hub, request,
      !old                           ? HUB_NOWHERE
      : strcmp (old->hub, self) == 0 ? HUB_HERE
                                     : HUB_ELSEWHERE);
}

/* Nobody in one process chooses a hub by its load. */
static void
announce (HubDirectory *directory, const char *self, uint64_t load,
    uint64_t ttl, uint64_t now)
{
  (void) directory;
  (void) self;
  (void) load;
  (void) ttl;
  (void) now;
}

static void
local_free (HubDirectory *directory)
{
  Local *local = (Local *) directory;
  g_hash_table_unref (local->claims);
  g_free (local);
}

HubDirectory *
hub_directory_local_new (void)
{
  Local *local = g_new0 (Local, 1);

  local->calls =
      (HubDirectory){ claim, renew, release, lookup, announce, local_free };
  local->claims =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, claim_free);
  return &local->calls;
}

void
hub_directory_free (HubDirectory *directory)
{
  if (directory)
    directory->free (directory);
}

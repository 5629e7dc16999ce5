/* What the tests of the rooms begin with: a hub, and three people's identities.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "hub-rig.h"

static Rig *rig;
static Identity *owner, *deputy, *stranger;

static inline void
setup (void)
{
  rig = rig_new ();
  owner = identity_new ();
  deputy = identity_new ();
  stranger = identity_new ();
}

static inline void
teardown (void)
{
  check_sums (rig);
  rig_free (rig);
  identity_free (owner);
  identity_free (deputy);
  identity_free (stranger);
}

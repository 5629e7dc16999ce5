/* A bounded set of KIDs: the network chooses them, so what is remembered of them has an end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct KidSet KidSet;

/* A set of at most `max` KIDs; the oldest makes room for a new one. */
KidSet *kid_set_new (guint max);
void kid_set_free (KidSet *set);

/* FALSE when `kid` was in the set already. */
gboolean kid_set_add (KidSet *set, guint64 kid);
gboolean kid_set_has (KidSet *set, guint64 kid);
gboolean kid_set_is_full (KidSet *set);
void kid_set_remove (KidSet *set, guint64 kid);
void kid_set_clear (KidSet *set);

G_END_DECLS

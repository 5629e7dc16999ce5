/* What an encoder, or a decoder, remembers of every key it has used, so that a key that comes back goes on where it
 * stopped: no counter is sent twice, none is accepted twice.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "ext/sodium/sframe.h"

G_BEGIN_DECLS

typedef struct CounterLedger CounterLedger;

/* Identifies (suite, KID, base key) without telling the key: a hash under a key that only this ledger knows. */
typedef struct
{
  guint8 bytes[16];
} KeyPrint;

CounterLedger *counter_ledger_new (void);
void counter_ledger_free (CounterLedger *ledger);

KeyPrint counter_ledger_print (
    CounterLedger *ledger, SFrameSuite suite, guint64 kid, Secret *base_key);

/* The counter with which a key may start: where it stopped when it is known, else `first`, or a random one when
 * `first` is G_MAXUINT64 or the ledger has forgotten keys. False when the key is known to be spent. */
gboolean counter_ledger_start (
    CounterLedger *ledger, const KeyPrint *print, guint64 first, guint64 *ctr);

/* What was remembered of a key, to `ctr`; FALSE when it is not known. */
gboolean counter_ledger_find (
    CounterLedger *ledger, const KeyPrint *print, guint64 *ctr);

gboolean key_print_equal (const KeyPrint *a, const KeyPrint *b);

/* Remembers a counter of a key that is put away: an encoder's next one, and whether there is none left, or a decoder's
 * highest. */
void counter_ledger_retire (
    CounterLedger *ledger, const KeyPrint *print, guint64 ctr, gboolean spent);

G_END_DECLS

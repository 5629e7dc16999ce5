/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "counterledger.h"

#include <sodium.h>
#include <string.h>

#define MAX_ENTRIES 4096

typedef struct
{
  KeyPrint print; /* first: the hash table's key */
  guint64 ctr;
  gboolean spent;
} Entry;

struct CounterLedger
{
  guint8 hash_key[crypto_generichash_KEYBYTES];
  GHashTable *entries; /* KeyPrint → Entry */
  gboolean
      forgot; /* entries were thrown away: from now on only random starts are safe */
};

static guint
hash_print (gconstpointer print)
{
  guint value;
  memcpy (&value, print, sizeof value);
  return value;
}

static gboolean
equal_print (gconstpointer a, gconstpointer b)
{
  return sodium_memcmp (a, b, sizeof (KeyPrint)) == 0;
}

CounterLedger *
counter_ledger_new (void)
{
  CounterLedger *ledger = g_new0 (CounterLedger, 1);
  randombytes_buf (ledger->hash_key, sizeof ledger->hash_key);
  ledger->entries =
      g_hash_table_new_full (hash_print, equal_print, NULL, g_free);
  return ledger;
}

void
counter_ledger_free (CounterLedger *ledger)
{
  if (!ledger)
    return;
  g_hash_table_unref (ledger->entries);
  sodium_memzero (ledger->hash_key, sizeof ledger->hash_key);
  g_free (ledger);
}

KeyPrint
counter_ledger_print (
    CounterLedger *ledger, SFrameSuite suite, guint64 kid, Secret *base_key)
{
  KeyPrint print;
  guint8 context[10];
  crypto_generichash_state state;
  Writer w = writer_init (context, sizeof context);

  writer_uint (&w, (guint64) suite, 2);
  writer_uint (&w, kid, 8);
  crypto_generichash_init (
      &state, ledger->hash_key, sizeof ledger->hash_key, sizeof print.bytes);
  crypto_generichash_update (&state, context, sizeof context);
  crypto_generichash_update (
      &state, secret_bytes (base_key), secret_len (base_key));
  crypto_generichash_final (&state, print.bytes, sizeof print.bytes);
  sodium_memzero (&state, sizeof state);
  return print;
}

/* A start that two runs with the same key will not share: 2^63 places, and as many counters left above each. */
static guint64
random_start (void)
{
  guint64 ctr;
  randombytes_buf (&ctr, sizeof ctr);
  return ctr >> 1;
}

gboolean
counter_ledger_start (
    CounterLedger *ledger, const KeyPrint *print, guint64 first, guint64 *ctr)
{
  const Entry *entry = g_hash_table_lookup (ledger->entries, print);

  if (entry) {
    *ctr = entry->ctr;
    return !entry->spent;
  }
  *ctr = first == G_MAXUINT64 || ledger->forgot ? random_start () : first;
  return TRUE;
}

gboolean
counter_ledger_find (
    CounterLedger *ledger, const KeyPrint *print, guint64 *ctr)
{
  const Entry *entry = g_hash_table_lookup (ledger->entries, print);
  if (entry)
    *ctr = entry->ctr;
  return entry != NULL;
}

gboolean
key_print_equal (const KeyPrint *a, const KeyPrint *b)
{
  return equal_print (a, b);
}

void
counter_ledger_retire (
    CounterLedger *ledger, const KeyPrint *print, guint64 ctr, gboolean spent)
{
  Entry *entry = g_hash_table_lookup (ledger->entries, print);

  if (!entry) {
    if (g_hash_table_size (ledger->entries) >= MAX_ENTRIES) {
      g_hash_table_remove_all (ledger->entries);
      ledger->forgot = TRUE;
    }
    entry = g_new0 (Entry, 1);
    entry->print = *print;
    g_hash_table_insert (ledger->entries, entry, entry);
  }
  entry->ctr = ctr;
  entry->spent = spent;
}

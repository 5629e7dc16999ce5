/* Sources: what shares a budget.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "room_private.h"

#include <sodium.h>
#include <string.h>

#define REMEMBERED_MS 120000 /* longer than any of its buckets takes to fill */
#define LABEL_LEN 16

bool
hub_source (const uint8_t *address, size_t len, char *text)
{
  static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

  if (len == 16 && memcmp (address, mapped, sizeof mapped) == 0) {
    address += sizeof mapped;
    len = 4;
  }
  if (len == 4)
    g_snprintf (text, HUB_SOURCE_TEXT, "%u.%u.%u.%u", address[0], address[1],
        address[2], address[3]);
  else if (len == 16)
    g_snprintf (text, HUB_SOURCE_TEXT, "%x:%x:%x:%x::/64",
        address[0] << 8 | address[1], address[2] << 8 | address[3],
        address[4] << 8 | address[5], address[6] << 8 | address[7]);
  else
    return false;
  return true;
}

static void
source_forget (Hub *hub, Source *source)
{
  g_queue_unlink (&hub->idle_sources, &source->link);
  g_hash_table_remove (hub->by_source, source->text);
  hub->usage.sources--;
  g_free (source);
}

void
source_ref (Hub *hub, Source *source)
{
  if (source->refs++ == 0)
    g_queue_unlink (&hub->idle_sources, &source->link);
}

Source *
source_get (Hub *hub, const char *text)
{
  Source *source = g_hash_table_lookup (hub->by_source, text);

  if (!source) {
    /* Whose buckets are forgotten has full ones again: only those that nobody uses may go, and they fill up anyway. */
    if (hub->usage.sources >= HUB_MAX_SOURCES) {
      if (!hub->idle_sources.head)
        return NULL;
      source_forget (hub, hub->idle_sources.head->data);
    }
    source = g_new0 (Source, 1);
    g_strlcpy (source->text, text, sizeof source->text);
    source->link.data = source;
    g_hash_table_insert (hub->by_source, source->text, source);
    g_queue_push_tail_link (&hub->idle_sources, &source->link);
    hub->usage.sources++;
  }
  source_ref (hub, source);
  return source;
}

void
source_unref (Hub *hub, Source *source)
{
  if (--source->refs > 0)
    return;
  source->idle_since = hub->now;
  g_queue_push_tail_link (&hub->idle_sources, &source->link);
}

void
sources_sweep (Hub *hub, bool all)
{
  for (;;) {
    Source *source =
        hub->idle_sources.head ? hub->idle_sources.head->data : NULL;
    if (!source || (!all && hub->now - source->idle_since < REMEMBERED_MS))
      return;
    source_forget (hub, source);
  }
}

void
source_label (
    const Hub *hub, const Source *source, const char *meeting, char *label)
{
  crypto_generichash_state state;
  uint8_t hash[LABEL_LEN];
  static const uint8_t what = 'L';
  uint8_t len = (uint8_t) strlen (meeting);

  crypto_generichash_init (&state, hub->key, HUB_KEY_LEN, sizeof hash);
  crypto_generichash_update (&state, &what, 1);
  crypto_generichash_update (&state, &len, 1);
  crypto_generichash_update (&state, (const uint8_t *) meeting, len);
  crypto_generichash_update (
      &state, (const uint8_t *) source->text, strlen (source->text));
  crypto_generichash_final (&state, hash, sizeof hash);
  sodium_bin2base64 (label, LIMIT_SOURCE + 1, hash, sizeof hash,
      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  sodium_memzero (&state, sizeof state);
}

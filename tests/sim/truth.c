/* What is true, by the script: who may be in, who wanted what.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "watch.h"

static guint
key_hash (gconstpointer key)
{
  guint hash;
  memcpy (&hash, key, sizeof hash);
  return hash;
}

static gboolean
same_key (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, 32) == 0;
}

/* The group's id with the number worked into it: that two collide is as unlikely as for hashes. */
static gboolean
number_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, 40) == 0;
}

GHashTable *
truth_forbidden_new (void)
{
  return g_hash_table_new_full (key_hash, same_key, g_free, NULL);
}

static void
epoch_free (EpochTruth *epoch)
{
  g_array_free (epoch->seats, TRUE);
  g_free (epoch);
}

struct Truth *
truth_new (World *world)
{
  struct Truth *truth = g_new0 (struct Truth, 1);

  truth->epochs = g_hash_table_new_full (
      key_hash, same_key, NULL, (GDestroyNotify) epoch_free);
  truth->numbers = g_hash_table_new (key_hash, number_equal);
  truth->intents = g_array_new (FALSE, FALSE, sizeof (Intent));
  truth->admitted = g_hash_table_new_full (key_hash, same_key, g_free, NULL);
  truth->removed = g_hash_table_new_full (key_hash, same_key, g_free, g_free);
  truth->members = g_hash_table_new_full (key_hash, same_key, g_free, NULL);
  return truth;
}

void
truth_free (struct Truth *truth)
{
  g_hash_table_unref (truth->numbers);
  g_hash_table_unref (truth->epochs);
  g_hash_table_unref (truth->admitted);
  g_hash_table_unref (truth->removed);
  g_hash_table_unref (truth->members);
  g_array_free (truth->intents, TRUE);
  g_free (truth);
}

bool
truth_key_in (GHashTable *set, const uint8_t *key)
{
  return g_hash_table_contains (set, key);
}

void
truth_put_key (GHashTable *set, const uint8_t *key)
{
  if (!g_hash_table_contains (set, key))
    g_hash_table_add (set, g_memdup2 (key, IDENTITY_KEY_LEN));
}

EpochTruth *
truth_epoch (World *world, const uint8_t *authenticator)
{
  return g_hash_table_lookup (world->truth->epochs, authenticator);
}

const Seat *
truth_seat (const EpochTruth *epoch, const uint8_t *key)
{
  for (guint i = 0; i < epoch->seats->len; i++) {
    const Seat *seat = &g_array_index (epoch->seats, Seat, i);
    if (memcmp (seat->key, key, IDENTITY_KEY_LEN) == 0)
      return seat;
  }
  return NULL;
}

void
truth_intent (World *world, IntentType type, Person *who, const uint8_t *key,
    uint64_t value)
{
  Intent intent = {
    .type = type, .who = who, .value = value, .at = world->now
  };
  if (key)
    memcpy (intent.key, key, IDENTITY_KEY_LEN);
  g_array_append_val (world->truth->intents, intent);
}

static Intent *
find_intent (World *world, IntentType type, const uint8_t *key)
{
  GArray *intents = world->truth->intents;
  for (guint i = 0; i < intents->len; i++) {
    Intent *intent = &g_array_index (intents, Intent, i);
    if (intent->type == type && !intent->spent
        && (!key || memcmp (intent->key, key, IDENTITY_KEY_LEN) == 0))
      return intent;
  }
  return NULL;
}

bool
truth_any (World *world, IntentType type, const uint8_t *key)
{
  return find_intent (world, type, key) != NULL;
}

bool
truth_spend (World *world, IntentType type, const uint8_t *key, uint64_t value)
{
  GArray *intents = world->truth->intents;
  for (guint i = 0; i < intents->len; i++) {
    Intent *intent = &g_array_index (intents, Intent, i);
    /* Where a hub forgot, what was done in vain is done again. */
    if (intent->type == type && (!intent->spent || world->hub_forgot)
        && intent->value == value
        && (!key || memcmp (intent->key, key, IDENTITY_KEY_LEN) == 0)) {
      intent->spent = true;
      return true;
    }
  }
  return false;
}

void
truth_removed (World *world, const uint8_t *key, const EpochTruth *epoch)
{
  const Intent *intent = find_intent (world, INTENT_REMOVE, key);

  if (g_hash_table_contains (world->truth->removed, key))
    return;
  Removed *removed = g_new0 (Removed, 1);
  removed->epoch = epoch;
  removed->who = intent ? intent->who : NULL;
  removed->crashes = intent ? intent->who->crashes : 0;
  g_hash_table_insert (
      world->truth->removed, g_memdup2 (key, IDENTITY_KEY_LEN), removed);
}

static bool
same_group (const EpochTruth *a, const EpochTruth *b)
{
  return memcmp (a->group, b->group, DOOR_GROUP_ID_LEN) == 0;
}

void
truth_owner_in (World *world, const EpochTruth *epoch)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, world->truth->removed);
  while (g_hash_table_iter_next (&iter, &key, &value)) {
    Removed *removed = value;
    removed->owner_knows |= same_group (removed->epoch, epoch)
                            && epoch->epoch >= removed->epoch->epoch
                            && !truth_seat (epoch, key);
  }
}

/* Not known to who has lost all: the owner that opens a new group knows what it had heard. And where a hub forgot, the group
 * may have gone another way; but who removed somebody and is still there will not have it. */
bool
truth_is_barred (World *world, const uint8_t *key, const EpochTruth *epoch)
{
  const Removed *removed = g_hash_table_lookup (world->truth->removed, key);

  if (!removed)
    return false;
  if (!same_group (removed->epoch, epoch))
    return removed->owner_knows;
  return epoch->epoch >= removed->epoch->epoch
         && (!world->hub_forgot
             || (removed->who && person_is_member (removed->who)
                 && removed->who->crashes == removed->crashes
                 && removed->who->watch && removed->who->watch->epoch
                 && removed->who->watch->epoch->epoch
                        >= removed->epoch->epoch));
}

bool
truth_admissible (World *world, const Person *person)
{
  const Plan *plan = &world->plan;

  if (truth_key_in (world->truth->removed, person->key)
      || truth_any (world, INTENT_REMOVE, person->key))
    return false;
  if (person->owner)
    return true;
  if (plan->password && !person->knows_password)
    return false;
  switch (plan->policy.admission) {
    case ADMISSION_ALLOW_LIST:
      return person->listed;
    case ADMISSION_OPEN:
    case ADMISSION_PASSWORD:
      return true;
    default:
      return person->invited;
  }
}

void
truth_admitted (World *world, const uint8_t *key)
{
  truth_put_key (world->truth->admitted, key);
}

/* In a waiting room somebody must have said yes, or the owner's list of recorders. */
bool
truth_was_admitted (World *world, const uint8_t *key)
{
  const Plan *plan = &world->plan;
  Person *person = world_person (world, key);

  if (!person)
    return false;
  if (person->owner || world->truth->liar_was_admin
      || truth_key_in (world->truth->admitted, key))
    return true;
  for (size_t i = 0; i < plan->n_recorder_list; i++)
    if (memcmp (plan->recorder_list[i], person->fingerprint, 32) == 0)
      return true;
  return plan->policy.admission != ADMISSION_WAITING_ROOM;
}

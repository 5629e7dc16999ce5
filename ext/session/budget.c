/* Tokens for replies: what bounds the guesses at a password, and the work that a flood can make us do.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

/* Levels are in 1/720,720 of a token and ms, so that every rate is a whole number. */
#define UNIT UINT64_C (720720)
#define MINUTE UINT64_C (60000)

static void
fill (Bucket *bucket, uint64_t depth, uint64_t per_ms, uint64_t now)
{
  uint64_t full = depth * BUDGET_TOKEN, passed = now - bucket->updated;
  uint64_t gain = passed > full / per_ms ? full : passed * per_ms;
  bucket->level = MIN (full, bucket->level + gain);
  bucket->updated = now;
}

static uint64_t
meeting_depth (size_t admins)
{
  return MAX (LIMIT_MEETING_MIN_TOKENS, LIMIT_MEETING_TOKENS / admins);
}

void
budget_init (Budget *budget, uint64_t now)
{
  budget->sources =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  budget->meeting = (Bucket){ LIMIT_MEETING_TOKENS * BUDGET_TOKEN, now };
}

void
budget_clear (Budget *budget)
{
  g_clear_pointer (&budget->sources, g_hash_table_unref);
}

/* Forgets buckets that are full again: they are as new. */
static gboolean
is_full (gpointer label, gpointer value, gpointer user)
{
  uint64_t depth = strncmp (label, "key ", 4) == 0 ? LIMIT_MEMBER_TOKENS
                                                   : LIMIT_SOURCE_TOKENS;
  fill (value, depth, UNIT, *(uint64_t *) user);
  return ((Bucket *) value)->level == depth * BUDGET_TOKEN;
}

static Bucket *
find_bucket (Budget *budget, const char *label, uint64_t depth, uint64_t now)
{
  Bucket *bucket = g_hash_table_lookup (budget->sources, label);

  if (!bucket) {
    if (g_hash_table_size (budget->sources) >= LIMIT_SOURCES)
      g_hash_table_foreach_remove (budget->sources, is_full, &now);
    if (g_hash_table_size (budget->sources) >= LIMIT_SOURCES)
      return NULL;
    bucket = g_new0 (Bucket, 1);
    *bucket = (Bucket){ depth * BUDGET_TOKEN, now };
    g_hash_table_insert (budget->sources, g_strdup (label), bucket);
  }
  fill (bucket, depth, UNIT, now); /* one a minute */
  return bucket;
}

/* Takes a reply's tokens: a member's from a bucket of its own, everybody else's from its source's and the meeting's. False
 * when one is empty; then nothing is taken. */
bool
budget_pay (Budget *budget, const char *source, const uint8_t *member,
    size_t admins, uint64_t now, Payment *out)
{
  char label[LIMIT_SOURCE + 8];
  Bucket *bucket;

  admins = MAX (admins, 1);
  fill (&budget->meeting, meeting_depth (admins),
      LIMIT_MEETING_PER_MIN * UNIT / admins, now);
  if (member) {
    char text[FINGERPRINT_TEXT_SIZE];
    uint8_t fingerprint[IDENTITY_FINGERPRINT_LEN];
    identity_fingerprint (member, fingerprint);
    fingerprint_text (fingerprint, text);
    g_snprintf (label, sizeof label, "key %s", text);
    bucket = find_bucket (budget, label, LIMIT_MEMBER_TOKENS, now);
  } else {
    g_snprintf (label, sizeof label, "src %s", source);
    bucket = find_bucket (budget, label, LIMIT_SOURCE_TOKENS, now);
  }
  if (!bucket || bucket->level < BUDGET_TOKEN
      || (!member && budget->meeting.level < BUDGET_TOKEN))
    return false;
  bucket->level -= BUDGET_TOKEN;
  if (!member)
    budget->meeting.level -= BUDGET_TOKEN;
  *out = (Payment){ g_strdup (label), !member };
  return true;
}

/* Gives back what a valid Ta proves not to have been a guess. */
void
budget_refund (Budget *budget, Payment *payment, size_t admins)
{
  Bucket *bucket = payment->label
                       ? g_hash_table_lookup (budget->sources, payment->label)
                       : NULL;
  uint64_t depth =
      payment->meeting ? LIMIT_SOURCE_TOKENS : LIMIT_MEMBER_TOKENS;

  if (bucket)
    bucket->level = MIN (bucket->level + BUDGET_TOKEN, depth * BUDGET_TOKEN);
  if (payment->label && payment->meeting)
    budget->meeting.level = MIN (budget->meeting.level + BUDGET_TOKEN,
        meeting_depth (MAX (admins, 1)) * BUDGET_TOKEN);
  payment_clear (payment);
}

void
payment_clear (Payment *payment)
{
  g_free (payment->label);
  *payment = (Payment){ NULL, false };
}

/* ---- What never comes twice ---- */

void
seen_init (Seen *seen)
{
  seen->set = g_hash_table_new_full (
      g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  g_queue_init (&seen->order);
}

void
seen_clear (Seen *seen)
{
  g_queue_clear (&seen->order);
  g_clear_pointer (&seen->set, g_hash_table_unref);
}

bool
seen_has (const Seen *seen, const void *what, size_t len)
{
  GBytes *key = g_bytes_new_static (what, len);
  bool has = g_hash_table_contains (seen->set, key);
  g_bytes_unref (key);
  return has;
}

void
seen_add (Seen *seen, const void *what, size_t len)
{
  GBytes *key = g_bytes_new (what, len);
  if (!g_hash_table_add (seen->set, key))
    return; /* the table has freed it, and kept the one it had */
  g_queue_push_tail (&seen->order, key);
  if (g_queue_get_length (&seen->order) > LIMIT_SEEN)
    g_hash_table_remove (seen->set, g_queue_pop_head (&seen->order));
}

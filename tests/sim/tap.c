/* What the hub can read, and what it gives to whom: invariants 3 and 5, and that no name, password or key is ever in it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "watch.h"

#define MARKER "SIMNAME-"
#define NEEDLES 4

/* The marker, and how base64 shows it at each of its three places. */
static const char *const needles[NEEDLES] = { MARKER, "U0lNTkFNRS",
  "NJTU5BTUUt", "TSU1OQU1FL" };

/* Replies of one admin's client to one source. */
typedef struct
{
  Person *admin;
  uint64_t crashes;
  char source[LIMIT_SOURCE + 1];
  uint64_t first; /* when it began to attend */
  unsigned replies, refunds;
} Spent;

typedef struct
{
  Conn *admin;
  uint64_t peer;
  char source[LIMIT_SOURCE + 1];
  bool member; /* with the joiner's own key in it */
  Person *joiner;
} Run;

struct Tap
{
  GArray *spent;      /* Spent; with an empty source: the meeting's */
  GArray *runs;       /* Run */
  GHashTable *knocks; /* Ya to Person */
};

struct Tap *
tap_new (World *world)
{
  struct Tap *tap = g_new0 (struct Tap, 1);
  tap->spent = g_array_new (FALSE, TRUE, sizeof (Spent));
  tap->runs = g_array_new (FALSE, TRUE, sizeof (Run));
  tap->knocks = g_hash_table_new_full (
      g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  return tap;
}

void
tap_free (struct Tap *tap)
{
  g_array_free (tap->spent, TRUE);
  g_array_free (tap->runs, TRUE);
  g_hash_table_unref (tap->knocks);
  g_free (tap);
}

/* ---- Secrets ---- */

static void
look_for_secrets (Conn *conn, GBytes *bytes)
{
  World *world = conn->world;
  gsize len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  const EpochTruth *epoch =
      conn->person->watch ? conn->person->watch->epoch : NULL;

  for (unsigned i = 0; i < NEEDLES; i++)
    if (memmem (data, len, needles[i], strlen (needles[i])))
      world_fail (world, 3,
          "what %u sends shows the hub a name, a text or a password",
          conn->person->index);
  if (epoch && epoch->base_key_len > 0) {
    char *text = g_base64_encode (epoch->base_key, epoch->base_key_len);
    if (memmem (data, len, epoch->base_key, epoch->base_key_len)
        || memmem (data, len, text, 16))
      world_fail (world, 3, "what %u sends shows the hub a media key",
          conn->person->index);
    g_free (text);
  }
}

/* ---- Budgets ---- */

static Spent *
find_spent (World *world, Person *admin, const char *source)
{
  GArray *all = world->tap->spent;

  for (guint i = 0; i < all->len; i++) {
    Spent *spent = &g_array_index (all, Spent, i);
    if (spent->admin == admin && spent->crashes == admin->crashes
        && strcmp (spent->source, source) == 0)
      return spent;
  }
  Spent fresh = {
    .admin = admin, .crashes = admin->crashes, .first = world->now
  };
  g_strlcpy (fresh.source, source, sizeof fresh.source);
  g_array_append_val (all, fresh);
  return &g_array_index (all, Spent, all->len - 1);
}

/* A reply has cost a CPace computation: it must have been paid for. */
static void
count_reply (World *world, Person *admin, Run *run)
{
  Spent *source, *meeting;

  if (run->member)
    return;
  /* A new one may move the others. */
  find_spent (world, admin, "");
  find_spent (world, admin, run->source);
  meeting = find_spent (world, admin, "");
  source = find_spent (world, admin, run->source);
  source->replies++;
  meeting->replies++;
  uint64_t minutes = (world->now - source->first) / LIMIT_SOURCE_MS + 1;
  if (source->replies > LIMIT_SOURCE_TOKENS + minutes + source->refunds)
    world_fail (world, 5,
        "%u has answered %u knocks of one source, %u of them rightly",
        admin->index, source->replies, source->refunds);
  minutes = (world->now - meeting->first) / 60000 + 1;
  if (meeting->replies > LIMIT_MEETING_TOKENS + LIMIT_MEETING_PER_MIN * minutes
                             + meeting->refunds)
    world_fail (world, 5, "%u has answered %u knocks, %u of them rightly",
        admin->index, meeting->replies, meeting->refunds);
}

static Run *
find_run (World *world, Conn *admin, uint64_t peer)
{
  GArray *runs = world->tap->runs;
  for (guint i = runs->len; i-- > 0;) {
    Run *run = &g_array_index (runs, Run, i);
    if (run->admin == admin && run->peer == peer)
      return run;
  }
  return NULL;
}

/* The door as the admin's client sees it. */
static void
admins_door (Conn *conn, Direction direction, const WireMessage *m)
{
  World *world = conn->world;

  if (direction == DOWN && m->type == WIRE_KNOCK) {
    Run run = { .admin = conn, .peer = m->peer };
    g_strlcpy (run.source, m->knock.source, sizeof run.source);
    GBytes *ya = g_bytes_new_static (m->knock.ya, CPACE_SHARE_LEN);
    run.joiner = g_hash_table_lookup (world->tap->knocks, ya);
    g_bytes_unref (ya);
    /* Whose key it names, and that it is who sent it. */
    run.member =
        m->knock.key.len == IDENTITY_KEY_LEN && run.joiner
        && memcmp (m->knock.key.data, run.joiner->key, IDENTITY_KEY_LEN) == 0;
    g_array_append_val (world->tap->runs, run);
  } else if (direction == DOWN && m->type == WIRE_PROOF) {
    Run *run = find_run (world, conn, m->peer);
    if (run && run->joiner
        && (run->joiner->knows_password || !world->plan.password)
        && !run->member) {
      find_spent (world, conn->person, run->source)->refunds++;
      find_spent (world, conn->person, "")->refunds++;
    }
  } else if (direction == UP && m->type == WIRE_REPLY) {
    Run *run = find_run (world, conn, m->peer);
    if (run)
      count_reply (world, conn->person, run);
  }
}

/* ---- Who gets what ---- */

static bool
is_for_strangers (WireType type)
{
  return type == WIRE_HELLO || type == WIRE_WAITING || type == WIRE_REPLY
         || type == WIRE_AGAIN || type == WIRE_ERROR || type == WIRE_RETURNED
         || type == WIRE_ADMIT; /* which may be a refusal, in a box */
}

/* 3: who has not been let in. The owner opens; an admin attends. */
static void
check_stranger (Conn *conn, bool binary, const WireMessage *m)
{
  World *world = conn->world;
  Person *person = conn->person;

  /* Not where the door is in the hands of somebody who lies. */
  if (person->owner || truth_key_in (world->truth->members, person->key)
      || world->trap || !world_owner (world)->honest)
    return;
  if (binary)
    world_fail (world, 3, "%u gets messages of the group and is not in",
        person->index);
  else if (!is_for_strangers (m->type))
    world_fail (world, 3, "%u gets \"%s\" and is not in", person->index,
        wire_type_name (m->type));
}

static bool
looks_like_door (const char *text, gsize len)
{
  return memmem (text, MIN (len, 64), "\"knock\"", 7)
         || memmem (text, MIN (len, 64), "\"again\"", 7)
         || memmem (text, MIN (len, 64), "\"reply\"", 7)
         || memmem (text, MIN (len, 64), "\"proof\"", 7);
}

void
tap_frame (Conn *conn, Direction direction, bool binary, GBytes *bytes)
{
  World *world = conn->world;
  Person *person = conn->person;
  gsize len;
  const char *text = g_bytes_get_data (bytes, &len);
  bool stranger = !truth_key_in (world->truth->members, person->key);
  WireMessage m = { 0 };
  unsigned from = direction == UP ? WIRE_FROM_CLIENT : WIRE_FROM_HUB;

  if (world->frames && binary)
    world_say (world, "      %s %u %s %u: %" G_GSIZE_FORMAT " bytes",
        direction == UP ? "from" : "to", person->index,
        text[0] == WIRE_COMMIT        ? "commit"
        : text[0] == WIRE_APPLICATION ? "message"
        : text[0] == WIRE_WELCOME     ? "Welcome"
                                      : "handover",
        (unsigned) (uint8_t) text[15], len);
  else if (world->frames)
    world_say (world, "      %s %u %.*s", direction == UP ? "from" : "to",
        person->index, (int) MIN (len, 100), text);
  if (direction == UP && person->honest)
    look_for_secrets (conn, bytes);
  if (binary) {
    if (direction == DOWN)
      check_stranger (conn, true, NULL);
    return;
  }
  if (!stranger && !looks_like_door (text, len))
    return;
  if (wire_read (text, len, from, &m) != JSON_OK)
    return;
  if (direction == UP && m.type == WIRE_KNOCK)
    g_hash_table_replace (
        world->tap->knocks, g_bytes_new (m.knock.ya, CPACE_SHARE_LEN), person);
  if (person->honest && !stranger)
    admins_door (conn, direction, &m);
  if (direction == DOWN)
    check_stranger (conn, false, &m);
  /* Over the budget: the runs that a hub's death broke have cost their tokens. */
  if (direction == DOWN && m.type == WIRE_AGAIN && m.after >= LIMIT_SOURCE_MS)
    person->excused = world->now + m.after + 5000;
  wire_clear (&m, from);
}

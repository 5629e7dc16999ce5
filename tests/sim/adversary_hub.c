/* A hub that lies: it has all bytes and no key.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "adversaries.h"

typedef enum
{
  HUB_DROPS,
  HUB_WITHHOLDS, /* all of the group's messages from one member */
  HUB_WITHHOLDS_COMMITS,
  HUB_SUPPRESSES, /* a removal, from all, while heartbeats pass */
  HUB_REPLAYS,
  HUB_REORDERS,
  HUB_FORGES,
  HUB_REWRITES, /* numbers in its own messages */
  HUB_GHOST,    /* gives all to a stranger, and tells it that it is in */
  HUB_SWAPS_WELCOME,
  HUB_SWAPS_KNOCK, /* key packages' references, and boxes */
  HUB_SWAPS_PLACE,
  HUB_SPLITS,      /* in two halves, an admin in each */
  HUB_DRIPS,       /* one message in 25 s */
  HUB_REOPENS,     /* tells of a new group that no owner made */
  HUB_REOPENS_OLD, /* tells again of one that is over */
  HUB_COLLUDES     /* gives all to somebody removed, but for the removal */
} HubBend;

#define MAX_KEPT 256

typedef struct
{
  Conn *conn;
  Direction direction;
  bool binary;
  GBytes *bytes;
  uint64_t at;
} Kept;

typedef struct
{
  HubBend bend;
  bool on;
  Person *victim;
  GQueue *kept;        /* Kept */
  GHashTable *senders; /* an MLS message's hash to Person */
  uint64_t released, count;
  GBytes *old; /* `reopened`, or a Welcome */
  GHashTable
      *numbers; /* Conn to the number of the last frame that it was given */
} HubLie;

static void
kept_free (Kept *kept)
{
  g_bytes_unref (kept->bytes);
  g_free (kept);
}

static void
keep (HubLie *lie, Conn *conn, Direction direction, const Frame *frame)
{
  Kept *kept = g_new (Kept, 1);

  *kept = (Kept){ conn, direction, frame->binary, g_bytes_ref (frame->bytes),
    conn->world->now };
  g_queue_push_tail (lie->kept, kept);
  if (g_queue_get_length (lie->kept) > MAX_KEPT && lie->bend != HUB_DRIPS)
    kept_free (g_queue_pop_head (lie->kept));
}

static void
give (Conn *conn, Direction direction, bool binary, GBytes *bytes)
{
  if (direction == DOWN && conn->up_open)
    net_deliver_down (conn, binary, bytes, 0);
  else if (direction == UP && conn->up_open)
    net_deliver_up (conn, binary, bytes, 0);
}

static const uint8_t *
data_of (const Frame *frame, gsize *len)
{
  return g_bytes_get_data (frame->bytes, len);
}

static bool
is_kind (const Frame *frame, WireKind kind)
{
  gsize len;
  const uint8_t *data = data_of (frame, &len);
  return frame->binary && len > WIRE_HEADER && data[0] == kind;
}

static bool
is_text (const Frame *frame, const char *type)
{
  gsize len;
  const uint8_t *data = data_of (frame, &len);
  char needle[40];

  g_snprintf (needle, sizeof needle, "\"%s\"", type);
  return !frame->binary
         && memmem (data, MIN (len, 40), needle, strlen (needle)) != NULL;
}

/* A copy with another number. */
static GBytes *
renumber (const Frame *frame, uint64_t seq)
{
  gsize len;
  const uint8_t *data = data_of (frame, &len);
  uint8_t *copy = g_memdup2 (data, len);

  for (int i = 0; i < 8; i++)
    copy[8 + i] = (uint8_t) (seq >> (56 - 8 * i));
  return g_bytes_new_take (copy, len);
}

static uint64_t
number_of (const Frame *frame)
{
  gsize len;
  const uint8_t *data = data_of (frame, &len);
  uint64_t seq = 0;
  for (int i = 0; i < 8; i++)
    seq = seq << 8 | data[8 + i];
  return seq;
}

/* ---- Each of its lies, frame by frame ---- */

static Verdict
forge (World *world, Conn *conn, Direction direction, const Frame *frame)
{
  gsize len;
  const uint8_t *data = data_of (frame, &len);

  if (!dice_chance (&world->dice, 60) || len == 0)
    return PASS;
  uint8_t *copy = g_memdup2 (data, len);
  size_t at = dice_below (&world->dice, len);
  copy[at] ^= (uint8_t) (1u << dice_below (&world->dice, 8));
  GBytes *bytes = g_bytes_new_take (copy, len);
  world->lied++;
  give (conn, direction, frame->binary, bytes);
  g_bytes_unref (bytes);
  return DROP;
}

/* Another digit in a message of its own. */
static Verdict
rewrite (World *world, Conn *conn, Direction direction, const Frame *frame)
{
  gsize len;
  const uint8_t *data = data_of (frame, &len);
  size_t digits = 0;

  if (frame->binary || !dice_chance (&world->dice, 200))
    return PASS;
  for (size_t i = 1; i < len; i++)
    digits += g_ascii_isdigit (data[i])
              && (data[i - 1] == ':' || g_ascii_isdigit (data[i - 1]));
  if (digits == 0)
    return PASS;
  uint8_t *copy = g_memdup2 (data, len);
  size_t chosen = dice_below (&world->dice, digits);
  for (size_t i = 1; i < len; i++)
    if (g_ascii_isdigit (data[i])
        && (data[i - 1] == ':' || g_ascii_isdigit (data[i - 1]))
        && chosen-- == 0)
      copy[i] = (uint8_t) ('1' + dice_below (&world->dice, 9));
  GBytes *bytes = g_bytes_new_take (copy, len);
  world->lied++;
  give (conn, direction, false, bytes);
  g_bytes_unref (bytes);
  return DROP;
}

static Verdict
reorder (World *world, HubLie *lie, Conn *conn, const Frame *frame)
{
  if (!frame->binary || is_kind (frame, WIRE_WELCOME))
    return PASS;
  Kept *before = g_queue_peek_tail (lie->kept);
  if (before && before->conn == conn) {
    Frame held = { true, before->bytes };
    uint64_t first = number_of (&held);
    GBytes *a = renumber (frame, first);
    GBytes *b = renumber (&held, number_of (frame));
    give (conn, DOWN, true, a);
    give (conn, DOWN, true, b);
    g_bytes_unref (a);
    g_bytes_unref (b);
    world->lied++;
    kept_free (g_queue_pop_tail (lie->kept));
    return DROP;
  }
  if (!dice_chance (&world->dice, 200) || before)
    return PASS;
  keep (lie, conn, DOWN, frame);
  return DROP;
}

/* The two halves: by who is nearer to the owner, and to the co-host. */
static unsigned
half_of (const Person *person)
{
  return person->index % 2;
}

static guint32
hash_message (const Frame *frame)
{
  gsize len;
  const uint8_t *data = data_of (frame, &len);
  guint32 hash = 5381;
  for (gsize i = WIRE_HEADER; i < len; i++)
    hash = hash * 33 + data[i];
  return hash;
}

/* Each half gets only what it says itself, numbered without a hole. */
static Verdict
split (World *world, HubLie *lie, Conn *conn, Direction direction,
    const Frame *frame)
{
  if (!frame->binary)
    return direction == UP && is_text (frame, "replay") ? DROP : PASS;
  gpointer message = GUINT_TO_POINTER (hash_message (frame));
  if (direction == UP) {
    g_hash_table_insert (lie->senders, message, conn->person);
    return PASS;
  }
  Person *sender = g_hash_table_lookup (lie->senders, message);
  gpointer last;
  if (!g_hash_table_lookup_extended (lie->numbers, conn, NULL, &last)) {
    last = GSIZE_TO_POINTER (number_of (frame) - 1);
    g_hash_table_insert (lie->numbers, conn, last);
  }
  if (!sender || half_of (sender) != half_of (conn->person)) {
    world->lied++;
    return DROP;
  }
  uint64_t seq = GPOINTER_TO_SIZE (last) + 1;
  g_hash_table_insert (lie->numbers, conn, GSIZE_TO_POINTER (seq));
  GBytes *bytes = renumber (frame, seq);
  give (conn, DOWN, true, bytes);
  g_bytes_unref (bytes);
  return DROP;
}

static Person *
a_stranger (World *world)
{
  for (guint i = world->plan.people; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    if (person->conn)
      return person;
  }
  return NULL;
}

static void
give_to_stranger (World *world, Conn *conn, const Frame *frame)
{
  Person *stranger = a_stranger (world);

  if (stranger && stranger->conn != conn && stranger->conn->up_open) {
    world->lied++;
    give (stranger->conn, DOWN, frame->binary, frame->bytes);
  }
}

static Verdict
swap_welcome (World *world, HubLie *lie, Conn *conn, const Frame *frame)
{
  if (!is_kind (frame, WIRE_WELCOME))
    return PASS;
  GBytes *old = lie->old;
  lie->old = g_bytes_ref (frame->bytes);
  if (!old)
    return PASS;
  Frame other = { true, old };
  GBytes *bytes = renumber (&other, number_of (frame));
  give (conn, DOWN, true, bytes);
  world->lied++;
  g_bytes_unref (bytes);
  g_bytes_unref (old);
  return DROP;
}

/* What one joiner says, in another's place. */
static Verdict
swap_knock (World *world, HubLie *lie, Conn *conn, const Frame *frame)
{
  if (!is_text (frame, "knock") && !is_text (frame, "proof"))
    return PASS;
  if (dice_chance (&world->dice, 300)) {
    for (GList *at = lie->kept->head; at; at = at->next) {
      Kept *kept = at->data;
      Frame other = { false, kept->bytes };
      if (kept->conn != conn
          && !is_text (&other, "knock") == !is_text (frame, "knock")) {
        world->lied++;
        net_deliver_up (conn, false, kept->bytes, 0);
        return DROP;
      }
    }
  }
  keep (lie, conn, UP, frame);
  return PASS;
}

static Verdict
lie_about (World *world, HubLie *lie, Conn *conn, Direction direction,
    const Frame *frame)
{
  switch (lie->bend) {
    case HUB_DROPS:
      if (is_text (frame, "hello") || !dice_chance (&world->dice, 50))
        return PASS;
      world->lied++;
      return DROP;
    case HUB_WITHHOLDS:
      if (!frame->binary || direction == UP || conn->person != lie->victim)
        return PASS;
      world->lied++;
      return DROP;
    case HUB_WITHHOLDS_COMMITS:
      if (!is_kind (frame, WIRE_COMMIT) || direction == UP
          || conn->person != lie->victim)
        return PASS;
      world->lied++;
      return DROP;
    case HUB_SUPPRESSES:
      if (!is_kind (frame, WIRE_COMMIT))
        return PASS;
      world->lied++;
      return DROP;
    case HUB_REPLAYS:
      if (direction == DOWN || frame->binary)
        keep (lie, conn, direction, frame);
      return PASS;
    case HUB_REORDERS:
      return direction == DOWN ? reorder (world, lie, conn, frame) : PASS;
    case HUB_FORGES:
      return forge (world, conn, direction, frame);
    case HUB_REWRITES:
      return rewrite (world, conn, direction, frame);
    case HUB_GHOST:
      if (direction == DOWN
          && (frame->binary || is_text (frame, "admitted")
              || is_text (frame, "admit")))
        give_to_stranger (world, conn, frame);
      return PASS;
    case HUB_SWAPS_WELCOME:
      return direction == DOWN ? swap_welcome (world, lie, conn, frame) : PASS;
    case HUB_SWAPS_KNOCK:
      return direction == UP ? swap_knock (world, lie, conn, frame) : PASS;
    case HUB_SWAPS_PLACE:
      if (direction == DOWN
          && (is_text (frame, "admit") || is_text (frame, "admitted")
              || is_kind (frame, WIRE_WELCOME))) {
        give_to_stranger (world, conn, frame);
        return DROP;
      }
      return PASS;
    case HUB_SPLITS:
      return split (world, lie, conn, direction, frame);
    case HUB_DRIPS:
      if (!frame->binary || direction == UP || conn->person != lie->victim)
        return PASS;
      keep (lie, conn, DOWN, frame);
      return DROP;
    case HUB_COLLUDES:
      if (is_kind (frame, WIRE_COMMIT) && direction == DOWN
          && conn->person == lie->victim && lie->count++ < 2) {
        world->lied++;
        return DROP;
      }
      return PASS;
    default:
      return PASS;
  }
}

static Verdict
hub_lie_frame (
    World *world, Conn *conn, Direction direction, const Frame *frame)
{
  HubLie *lie = world->lie;

  if (is_text (frame, "reopened") && direction == DOWN && !lie->old)
    lie->old = g_bytes_ref (frame->bytes);
  return lie->on ? lie_about (world, lie, conn, direction, frame) : PASS;
}

/* ---- And unasked ---- */

static void
replay (World *world, HubLie *lie)
{
  guint n = g_queue_get_length (lie->kept);

  for (unsigned i = 0; i < 3 && n > 0; i++) {
    Kept *kept =
        g_queue_peek_nth (lie->kept, (guint) dice_below (&world->dice, n));
    Person *person = kept->conn->person;
    if (!person->conn || is_text (&(Frame){ false, kept->bytes }, "hello"))
      continue;
    world->lied++;
    give (person->conn, kept->direction, kept->binary, kept->bytes);
  }
}

static void
drip (World *world, HubLie *lie)
{
  if (world->now < lie->released + 25000)
    return;
  Kept *kept = g_queue_pop_head (lie->kept);
  if (!kept)
    return;
  lie->released = world->now;
  world->lied++;
  if (lie->victim->conn)
    give (lie->victim->conn, DOWN, true, kept->bytes);
  kept_free (kept);
}

/* A new group, by nobody who owns the meeting. */
static void
reopen (World *world, HubLie *lie)
{
  WireMessage m = { .type = WIRE_REOPENED };
  Identity *identity = identity_new ();
  size_t len;

  if (lie->bend == HUB_REOPENS_OLD) {
    for (guint i = 0; lie->old && i < world->people->len; i++) {
      Person *person = g_ptr_array_index (world->people, i);
      world->lied++;
      if (person->conn && !person->owner)
        give (person->conn, DOWN, false, lie->old);
    }
    identity_free (identity);
    return;
  }
  m.reopened.opened = UINT64_C (1995000000000) + world->now;
  dice_bytes (&world->dice, m.reopened.group_id, DOOR_GROUP_ID_LEN);
  wire_sign_reopened (identity, world->plan.policy.meeting, m.reopened.opened,
      m.reopened.group_id, m.reopened.sig);
  char *text = wire_write (&m, WIRE_FROM_HUB, &len);
  GBytes *bytes = g_bytes_new_take (text, len);
  for (guint i = 0; i < world->people->len; i++) {
    Person *person = g_ptr_array_index (world->people, i);
    world->lied++;
    if (person->conn)
      give (person->conn, DOWN, false, bytes);
  }
  g_bytes_unref (bytes);
  identity_free (identity);
}

static void
hub_tick_lie (World *world)
{
  HubLie *lie = world->lie;

  switch (lie->bend) {
    case HUB_REPLAYS:
      replay (world, lie);
      break;
    case HUB_DRIPS:
      drip (world, lie);
      break;
    case HUB_REOPENS:
    case HUB_REOPENS_OLD:
      if (lie->count++ % 8 == 0)
        reopen (world, lie);
      break;
    default:
      break;
  }
}

static void
hub_begin (World *world)
{
  HubLie *lie = world->lie;

  lie->on = true;
  world->lying = world->deceived = true;
  if (lie->bend == HUB_SUPPRESSES) {
    person_act (world_owner (world), ACT_REMOVE,
        g_ptr_array_index (world->people, world->plan.people - 1), 0);
    world->silent_by = world->now + 65000;
  }
  if (lie->bend == HUB_COLLUDES)
    person_act (world_owner (world), ACT_REMOVE, lie->victim, 0);
  /* So that there are epochs that the victim misses. */
  for (unsigned i = 0; i < 12; i++)
    person_act_later (
        world_owner (world), 4000 + 7000 * i, ACT_ROTATE, NULL, 0);
  if (lie->bend == HUB_SPLITS)
    for (unsigned i = 0; i < 12; i++)
      person_act_later (g_ptr_array_index (world->people, 1), 4200 + 7000 * i,
          ACT_ROTATE, NULL, 0);
}

static void
plan_hub (World *world)
{
  HubBend bend = (HubBend) world->adversary->bend;

  quiet_plan (world, world->adversary->powers & LIES_ON
                         ? (bend == HUB_DRIPS ? 150000 : 90000)
                         : 16000);
  world->plan.people = MAX (world->plan.people, 4u);
  world->plan.co_hosts = bend == HUB_SPLITS || dice_chance (&world->dice, 500);
  world->plan.late_comers = true;
  if (world->plan.policy.admission == ADMISSION_OPEN)
    world->plan.policy.admission = ADMISSION_WAITING_ROOM;
  world->plan.strangers = 1;
  /* Whom it has parted hears no admin from then on, and says so within 35 s. */
  world->plan.end = world->plan.heal + 40000;
  if (world->adversary->powers & LIES_ON) {
    world->plan.end = world->plan.heal + 1000;
    world->plan.late_comers = false;
    world->plan.strangers = 0;
  }
}

static void
hub_people (World *world)
{
  HubLie *lie = world->lie = g_new0 (HubLie, 1);

  lie->bend = (HubBend) world->adversary->bend;
  lie->kept = g_queue_new ();
  world->nobody_goes =
      lie->bend == HUB_REOPENS || lie->bend == HUB_REOPENS_OLD;
  lie->senders = g_hash_table_new (NULL, NULL);
  lie->numbers = g_hash_table_new (NULL, NULL);
  lie->victim = g_ptr_array_index (
      world->people, dice_between (&world->dice, 1, world->plan.people - 1));
  /* Those who lie at the door have to be lied to from the start. */
  lie->on = lie->bend == HUB_SWAPS_KNOCK || lie->bend == HUB_SWAPS_WELCOME;
  if (lie->bend == HUB_COLLUDES) {
    lie->victim = g_ptr_array_index (world->people, world->plan.people - 1);
    lie->victim->honest = false;
    lie->victim->wants_in = false;
  }
}

static void
hub_end (World *world)
{
  HubLie *lie = world->lie;

  g_queue_free_full (lie->kept, (GDestroyNotify) kept_free);
  g_hash_table_unref (lie->senders);
  g_hash_table_unref (lie->numbers);
  if (lie->old)
    g_bytes_unref (lie->old);
  g_free (lie);
}

#define HUB(bend, name, what, more)                                           \
  {                                                                           \
    name, what, LIES_AS_HUB | more, bend, plan_hub, hub_people, hub_begin,    \
        hub_lie_frame, hub_tick_lie, hub_end                                  \
  }

const Adversary hub_adversaries[] = {
  HUB (HUB_DROPS, "hub-drops", "loses some of everything", 0),
  HUB (HUB_WITHHOLDS, "hub-withholds",
      "keeps the group's messages from one member", LIES_ON),
  HUB (HUB_WITHHOLDS_COMMITS, "hub-withholds-commits",
      "keeps commits from one member", LIES_ON),
  HUB (HUB_SUPPRESSES, "hub-suppresses",
      "keeps a removal from all, while heartbeats pass", LIES_ON),
  HUB (HUB_REPLAYS, "hub-replays", "gives old frames again", 0),
  HUB (HUB_REORDERS, "hub-reorders", "gives frames in another order", 0),
  HUB (HUB_FORGES, "hub-forges", "changes bits", 0),
  HUB (HUB_REWRITES, "hub-rewrites", "changes numbers", 0),
  HUB (HUB_GHOST, "hub-ghost",
      "gives all to a stranger, and tells it that it is in", 0),
  HUB (HUB_SWAPS_WELCOME, "hub-swaps-welcome", "gives old Welcomes", 0),
  HUB (HUB_SWAPS_KNOCK, "hub-swaps-knock",
      "gives one joiner's knock or proof for another's", 0),
  HUB (HUB_SWAPS_PLACE, "hub-swaps-place",
      "gives a waiting person's place to a stranger", 0),
  HUB (HUB_SPLITS, "hub-splits", "makes two groups of one, an admin in each",
      LIES_ON),
  HUB (
      HUB_DRIPS, "hub-drips", "gives one member a message each 25 s", LIES_ON),
  HUB (HUB_REOPENS, "hub-reopens", "tells of a group that no owner made", 0),
  HUB (HUB_REOPENS_OLD, "hub-reopens-old",
      "tells again of a group that is there", 0),
  HUB (HUB_COLLUDES, "hub-colludes",
      "gives all to somebody removed, but the removal", 0),
};
const size_t n_hub_adversaries = G_N_ELEMENTS (hub_adversaries);

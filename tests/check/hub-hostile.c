/* The hub's rooms against floods, guesses and lies; and that a meeting which nobody opened can't be told from one whose
 * host is away.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hub-rig.h"

static Rig *rig;
static Identity *owner, *stranger;

static void
setup (void)
{
  rig = rig_new ();
  owner = identity_new ();
  stranger = identity_new ();
}

static void
check_bounds (void)
{
  HubUsage usage = hub_usage (rig->hub);
  fail_unless (usage.connections <= HUB_MAX_CONNECTIONS);
  fail_unless (usage.strangers <= HUB_MAX_STRANGERS);
  fail_unless (usage.fresh <= HUB_MAX_FRESH);
  fail_unless (usage.sources <= HUB_MAX_SOURCES);
  fail_unless (usage.held_bytes <= HUB_HELD_TOTAL);
  fail_unless (usage.log_bytes <= HUB_LOG_TOTAL);
  fail_unless (usage.welcome_bytes <= HUB_WELCOME_TOTAL);
}

static void
teardown (void)
{
  check_sums (rig);
  check_bounds ();
  rig_free (rig);
  identity_free (owner);
  identity_free (stranger);
}

/* A connection whose outputs nobody keeps: for floods. */
static uint64_t
flood (const char *meeting, const char *source, bool knocks)
{
  static const WireMessage knock = { .type = WIRE_KNOCK,
    .knock = { .ada = { (uint8_t *) filler, 90 } } };
  uint64_t id = ++rig->connections;
  size_t len;
  g_autofree char *text = wire_write (&knock, WIRE_FROM_CLIENT, &len);

  hub_connected (rig->hub, id, meeting, source);
  if (knocks)
    hub_frame (rig->hub, id, false, text, len);
  rig_pump (rig);
  return id;
}

static void
flood_from_many (unsigned count, unsigned of_each, const char *meeting)
{
  for (unsigned i = 0; i < count; i++) {
    g_autofree char *source = g_strdup_printf ("flood%u", i / of_each);
    flood (meeting, source, true);
  }
}

/* ---- Floods ---- */

GST_START_TEST (ten_thousand_knocks_from_one_source_delay_nobody_else)
{
  for (int i = 0; i < 10000; i++)
    flood (MEETING, "203.0.113.5", true);
  fail_unless_equals_uint64 (
      hub_usage (rig->hub).strangers, HUB_MAX_SOURCE_STRANGERS);
  fail_unless_equals_uint64 (
      hub_stats (rig->hub).connects_refused, 10000 - HUB_MAX_SOURCE_STRANGERS);
  Client *joiner = arrive (rig), *host = open_meeting (rig, owner, 2);
  expect (host, WIRE_KNOCK);
  expect (host, WIRE_KNOCK);
  say_knock (rig, joiner);
  expect (joiner, WIRE_WAITING);
  SAY (host, .type = WIRE_CREDITS, .credits = 4);
  expect (
      host, WIRE_KNOCK); /* one of the flood's, and it is the joiner's turn */
  fail_unless_equals_uint64 (expect (host, WIRE_KNOCK)->peer, joiner->peer);
}
GST_END_TEST;

GST_START_TEST (ten_thousand_knocks_from_many_sources_are_bounded)
{
  flood_from_many (10000, 1, MEETING);
  fail_unless_equals_uint64 (
      hub_usage (rig->hub).strangers, HUB_MAX_MEETING_STRANGERS);
  /* Another meeting has its room still, and the host gets past the flood, which delays who knocks. */
  Client *other = arrive_from (rig, "another", "198.51.100.1");
  say_knock (rig, other);
  expect (other, WIRE_WAITING);
  Client *host = open_meeting (rig, owner, 0), *joiner = arrive (rig);
  say_knock (rig, joiner);
  expect_error (joiner, WIRE_CODE_BUSY);
  fail_if (joiner->closed || host->closed);
}
GST_END_TEST;

GST_START_TEST (connections_that_say_nothing_give_way_to_fresher_ones)
{
  Client *silent = arrive (rig), *knocks = arrive (rig);
  say_knock (rig, knocks);
  expect (knocks, WIRE_WAITING);
  for (int i = 0; i < 3000; i++) {
    g_autofree char *source = g_strdup_printf ("flood%d", i);
    flood (MEETING, source, false);
  }
  fail_unless_equals_uint64 (hub_usage (rig->hub).fresh, HUB_MAX_FRESH);
  expect_error (silent, WIRE_CODE_BUSY);
  fail_unless (silent->closed);
  fail_if (knocks->closed);
  open_meeting (rig, owner, 0);
}
GST_END_TEST;

GST_START_TEST (in_a_full_meeting_the_source_with_the_most_gives_way)
{
  flood_from_many (HUB_MAX_MEETING_STRANGERS, 32, MEETING);
  fail_unless_equals_uint64 (
      hub_usage (rig->hub).strangers, HUB_MAX_MEETING_STRANGERS);
  Client *joiner = arrive_from (rig, MEETING, "198.51.100.3");
  say_knock (rig, joiner);
  expect (joiner, WIRE_WAITING);
  fail_unless_equals_uint64 (hub_stats (rig->hub).crowded_out, 1);
  fail_unless_equals_uint64 (
      hub_usage (rig->hub).strangers, HUB_MAX_MEETING_STRANGERS);
}
GST_END_TEST;

GST_START_TEST (floods_over_all_meetings_are_bounded_in_total)
{
  for (unsigned i = 0; i < 12000; i++) {
    g_autofree char *source = g_strdup_printf ("flood%u", i / 60);
    g_autofree char *meeting = g_strdup_printf ("m%u", i);
    flood (meeting, source, true);
  }
  fail_unless_equals_uint64 (
      hub_usage (rig->hub).strangers, HUB_MAX_STRANGERS);
  fail_unless_equals_uint64 (
      hub_usage (rig->hub).rooms, HUB_MAX_STRANGERS + HUB_MAX_FRESH);
  check_bounds ();
  for (uint64_t id = 1; id <= rig->connections; id++)
    hub_disconnected (rig->hub, id);
  rig_wait (rig, LIMIT_PLACE_MS);
  HubUsage usage = hub_usage (rig->hub);
  fail_unless (usage.strangers == 0 && usage.fresh == 0 && usage.rooms == 0
               && usage.connections == 0 && usage.held_bytes == 0);
  rig_wait (rig, 200000);
  fail_unless_equals_uint64 (hub_usage (rig->hub).sources, 0);
}
GST_END_TEST;

GST_START_TEST (a_source_connects_as_often_as_it_may_and_no_more)
{
  unsigned ok = 0;
  for (int i = 0; i < 1000; i++) {
    uint64_t before = hub_stats (rig->hub).connects;
    uint64_t id = flood (MEETING, "s", false);
    ok += hub_stats (rig->hub).connects > before;
    hub_disconnected (rig->hub, id);
  }
  fail_unless_equals_int (ok, HUB_CONNECTS_BURST);
  rig_wait (rig, 60000);
  ok = 0;
  for (int i = 0; i < 1000; i++) {
    uint64_t before = hub_stats (rig->hub).connects;
    uint64_t id = flood (MEETING, "s", false);
    ok += hub_stats (rig->hub).connects > before;
    hub_disconnected (rig->hub, id);
  }
  fail_unless_equals_int (ok, HUB_CONNECTS_BURST); /* full again */
}
GST_END_TEST;

GST_START_TEST (a_stranger_that_shouts_is_slowed_down_and_then_cut)
{
  Client *client = arrive (rig);
  for (int i = 0; i < HUB_STRANGER_BURST; i++)
    say_proof (rig, client);
  fail_unless_equals_uint64 (verdicts (rig, HUB_RATE_LIMITED), 0);
  for (int i = 0; i < HUB_MAX_DROPPED - 1; i++)
    say_proof (rig, client);
  fail_if (client->closed);
  /* It is told so a few times, not each time. */
  fail_unless_equals_int (client->inbox.length, HUB_ERRORS_BURST);
  say_proof (rig, client);
  fail_unless (client->closed);
  fail_unless_equals_uint64 (hub_stats (rig->hub).dropped, 1);
}
GST_END_TEST;

GST_START_TEST (all_strangers_of_a_source_share_a_budget_of_messages)
{
  Client *clients[64];
  for (int i = 0; i < 64; i++)
    clients[i] = arrive_from (rig, MEETING, "s");
  for (int k = 0; k < 20; k++)
    for (int i = 0; i < 64; i++)
      say_proof (rig, clients[i]);
  fail_unless_equals_uint64 (
      verdicts (rig, HUB_RATE_LIMITED), 64 * 20 - HUB_SOURCE_BURST);
}
GST_END_TEST;

GST_START_TEST (knocks_of_one_connection_have_a_rate)
{
  Client *host = open_meeting (rig, owner, 64), *client = arrive (rig);
  for (int i = 0; i < 20; i++)
    say_knock (rig, client);
  fail_unless_equals_int (host->inbox.length, HUB_KNOCK_BURST);
  rig_wait (rig, 2000);
  for (int i = 0; i < 20; i++)
    say_knock (rig, client);
  fail_unless_equals_int (
      host->inbox.length, HUB_KNOCK_BURST + 2 * HUB_KNOCK_RATE);
}
GST_END_TEST;

GST_START_TEST (signatures_are_verified_for_a_source_at_a_rate)
{
  uint64_t bad = 0, limited = 0;
  for (int i = 0; i < 12; i++) {
    Client *client = arrive_from (rig, MEETING, "s");
    client->challenge[0] ^= 1;
    for (int k = 0; k < HUB_MAX_OPENS + 1; k++)
      say_open (rig, client, owner, k % 2 == 0);
  }
  bad = verdicts (rig, HUB_BAD_SIGNATURE);
  limited = verdicts (rig, HUB_RATE_LIMITED);
  fail_unless_equals_uint64 (bad, HUB_VERIFY_BURST);
  fail_unless_equals_uint64 (limited, 12 * (HUB_MAX_OPENS + 1) - bad);
}
GST_END_TEST;

GST_START_TEST (one_connection_has_few_signatures_however_slowly)
{
  Client *client = arrive (rig);
  client->challenge[0] ^= 1;
  for (int k = 0; k < HUB_MAX_OPENS + 3; k++) {
    say_open (rig, client, owner, false);
    rig_wait (rig, 5000);
  }
  fail_unless_equals_uint64 (verdicts (rig, HUB_BAD_SIGNATURE), HUB_MAX_OPENS);
}
GST_END_TEST;

GST_START_TEST (meetings_opened_have_bounds_of_source_and_hub)
{
  HubConfig config = { .directory = rig->directory, .max_rooms = 100 };
  memcpy (config.spki_hash, rig->spki_hash, LIMIT_SPKI_HASH);
  hub_free (rig->hub);
  rig->hub = hub_new (&config, rig->now);
  unsigned opened = 0;
  for (int i = 0; i < 150; i++) {
    g_autofree char *meeting = g_strdup_printf ("m%d", i);
    Client *client = arrive_from (rig, meeting, i < 70 ? "one" : "another");
    WireMessage message = { .type = WIRE_OPEN };
    message.open.meeting = meeting;
    memcpy (
        message.open.identity, identity_public_key (owner), IDENTITY_KEY_LEN);
    wire_sign_open (owner, false, client->challenge, meeting, rig->spki_hash,
        message.open.sig);
    rig_wait (rig, 1000);
    say (rig, client, &message);
    const Got *last = g_queue_peek_tail (&client->inbox);
    opened += last
              && g_strstr_len (g_bytes_get_data (last->frame, NULL),
                     (gssize) g_bytes_get_size (last->frame), "\"opened\"")
                     != NULL;
    if (i == 69)
      fail_unless_equals_int (opened, HUB_MAX_SOURCE_ROOMS);
  }
  fail_unless_equals_int (opened, 100);
  fail_unless_equals_uint64 (hub_usage (rig->hub).opened, 100);
}
GST_END_TEST;

GST_START_TEST (members_have_a_bound_and_who_is_beyond_is_told_and_reported)
{
  HubConfig config = { .directory = rig->directory, .max_members = 2 };
  memcpy (config.spki_hash, rig->spki_hash, LIMIT_SPKI_HASH);
  hub_free (rig->hub);
  rig->hub = hub_new (&config, rig->now);
  Client *host = open_meeting (rig, owner, 16);
  Client *member = arrive (rig), *third = arrive (rig);
  let_in (rig, host, member);
  SAY (member, .type = WIRE_ACK, .seq = member->seq);
  prove (rig, host, third);
  uint64_t seq = commit (rig, host, "add", "welcome");
  say_admit (rig, host, third->peer);
  say_admitted (rig, host, third->peer, seq);
  expect (third, WIRE_ADMIT);
  expect_error (third, WIRE_CODE_BUSY);
  fail_unless_equals_uint64 (expect (host, WIRE_GONE)->peer, third->peer);
  fail_unless_equals_uint64 (hub_usage (rig->hub).members, 2);
  fail_unless_equals_uint64 (hub_usage (rig->hub).held_bytes, 0);
}
GST_END_TEST;

GST_START_TEST (what_waits_has_a_bound_of_bytes)
{
  g_autofree uint8_t *large = g_malloc0 (WIRE_MAX_MESSAGE);
  for (unsigned i = 0; i < 6000; i++) {
    g_autofree char *source = g_strdup_printf ("s%u", i / 40);
    g_autofree char *meeting = g_strdup_printf ("m%u", i / 500);
    WireMessage attach = { .type = WIRE_ATTACH,
      .attach = { .message = { large, i < 4500 ? WIRE_MAX_MESSAGE : 1 } } };
    uint64_t id = flood (meeting, source, false);
    size_t len;
    g_autofree char *text = wire_write (&attach, WIRE_FROM_CLIENT, &len);
    hub_frame (rig->hub, id, false, text, len);
    rig_pump (rig);
  }
  check_bounds ();
  fail_unless (hub_usage (rig->hub).held_bytes > HUB_HELD_TOTAL - 16384);
  fail_unless (verdicts (rig, HUB_BUSY) > 0);
  fail_unless_equals_uint64 (
      hub_stats (rig->hub).held_crowded, verdicts (rig, HUB_BUSY));
}
GST_END_TEST;

/* ---- Bad frames ---- */

GST_START_TEST (what_is_not_the_protocols_ends_the_connection)
{
  static const char *const rows[] = { "", "{", "[]", "{}", "null",
    "{\"type\":\"nonsense\"}", "{\"type\":\"hello\"}", "{\"type\":\"gone\"}",
    "{\"type\":\"knock\"}", "{\"type\":\"leave\"} ", "{\"type\":7}",
    "{\"type\":\"leave\"}{\"type\":\"leave\"}",
    "{\"type\":\"ack\",\"seq\":-1}", "{\"type\":\"ack\",\"seq\":1e400}",
    "{\"type\":\"again\",\"peer\":0}" };
  Client *client = arrive (rig);
  say_text (rig, client, rows[__i__]);
  if (strcmp (rows[__i__], "{\"type\":\"leave\"} ") == 0)
    return; /* white space behind is JSON's */
  expect_error (client, WIRE_CODE_MALFORMED);
  fail_unless (client->closed);
  fail_unless_equals_uint64 (hub_usage (rig->hub).strangers, 0);
}
GST_END_TEST;

GST_START_TEST (deep_nesting_is_refused_before_it_is_parsed)
{
  g_autoptr (GString) text = g_string_new ("{\"type\":");
  Client *client = arrive (rig);
  for (int i = 0; i < 4000; i++)
    g_string_append_c (text, '[');
  say_text (rig, client, text->str);
  expect_error (client, WIRE_CODE_MALFORMED);
}
GST_END_TEST;

GST_START_TEST (giant_frames_of_strangers_end_the_connection_unread)
{
  g_autofree char *giant = g_malloc (4u << 20);
  memset (giant, ' ', 4u << 20);
  for (int binary = 0; binary < 2; binary++) {
    Client *client = arrive (rig);
    hub_frame (rig->hub, client->id, binary != 0, giant, 4u << 20);
    rig_pump (rig);
    expect_error (client, WIRE_CODE_TOO_LARGE);
    fail_unless (client->closed);
    client = arrive (rig);
    hub_frame (
        rig->hub, client->id, binary != 0, giant, LIMIT_FRAME_BEFORE + 1);
    rig_pump (rig);
    expect_error (client, WIRE_CODE_TOO_LARGE);
  }
}
GST_END_TEST;

GST_START_TEST (a_stranger_says_every_message_and_gets_nowhere)
{
  Client *host = open_meeting (rig, owner, 0), *client = arrive (rig);
  for (int type = WIRE_HELLO; type <= WIRE_SPEAKERS; type++) {
    WireMessage message = { .type = (WireType) type, .peer = host->peer };
    size_t len;
    if (type == WIRE_OPEN || type == WIRE_ATTEND)
      message.open.meeting = (char *) MEETING;
    else if (type == WIRE_ERROR)
      message.code = WIRE_CODE_DENIED;
    else if (type == WIRE_PUBLISH)
      message.publish.kind = MEDIA_AUDIO;
    g_autofree char *text = wire_write (&message, WIRE_FROM_CLIENT, &len);
    if (!text || type == WIRE_LEAVE)
      continue;
    if (client->closed)
      client = arrive (rig);
    say (rig, client, &message);
    rig_wait (rig, 2000);
  }
  expect_nothing (host);
  HubUsage usage = hub_usage (rig->hub);
  fail_unless_equals_uint64 (usage.members, 1);
  fail_unless_equals_uint64 (usage.opened, 1);
  fail_unless_equals_int (rig_events (rig, HUB_EVENT_MEDIA, 0), 0);
}
GST_END_TEST;

GST_START_TEST (after_its_end_a_connection_is_nobody)
{
  Client *client = arrive (rig);
  SAY (client, .type = WIRE_LEAVE);
  uint64_t frames = hub_stats (rig->hub).frames;
  say_knock (rig, client);
  hub_disconnected (rig->hub, client->id);
  hub_frame (rig->hub, 999, false, "{}", 2);
  fail_unless_equals_uint64 (hub_stats (rig->hub).frames, frames);
}
GST_END_TEST;

/* ---- Tokens ---- */

static void
say_return (Client *client, const uint8_t *token, const uint8_t *room)
{
  WireMessage message = { .type = WIRE_RETURN };
  memcpy (message.back.token, token, LIMIT_TOKEN);
  if (room)
    memcpy (message.back.room, room, LIMIT_ROOM);
  say (rig, client, &message);
}

GST_START_TEST (guessed_and_altered_tokens_bring_nobody_back)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  hang_up (rig, member);
  for (int bit = 0; bit < 8 * LIMIT_TOKEN; bit++) {
    Client *thief = arrive (rig);
    uint8_t token[LIMIT_TOKEN];
    memcpy (token, member->token, LIMIT_TOKEN);
    token[bit / 8] ^= (uint8_t) (1 << bit % 8);
    say_return (thief, token, member->room);
    expect_error (thief, WIRE_CODE_UNKNOWN_PLACE);
    expect_nothing (thief);
    hang_up (rig, thief);
  }
  come_back (rig, member, member->seq);
  expect_returned (member);
}
GST_END_TEST;

GST_START_TEST (a_token_is_of_one_meeting_only)
{
  Client *host = open_meeting (rig, owner, 16);
  Client *thief = arrive_from (rig, "another", "s");
  say_return (thief, host->token, host->room);
  expect_error (thief, WIRE_CODE_UNKNOWN_PLACE);
  fail_if (host->closed);
}
GST_END_TEST;

GST_START_TEST (two_connections_with_one_token_do_not_both_have_the_place)
{
  Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
  let_in (rig, host, member);
  Client *a = arrive (rig), *b = arrive (rig);
  say_return (a, member->token, member->room);
  fail_unless (member->closed);
  say_return (b, member->token, member->room);
  fail_unless (a->closed);
  fail_if (b->closed);
  send_mls (rig, host, WIRE_APPLICATION, 0, "one");
  expect (b, WIRE_RETURNED);
  fail_unless_equals_uint64 (hub_usage (rig->hub).members, 2);
}
GST_END_TEST;

GST_START_TEST (a_fresh_places_token_and_ones_own_bring_nothing)
{
  Client *a = arrive (rig), *b = arrive (rig);
  say_return (a, b->token, NULL);
  expect_error (a, WIRE_CODE_UNKNOWN_PLACE);
  say_return (a, a->token, NULL);
  expect_error (a, WIRE_CODE_UNKNOWN_PLACE);
  fail_if (b->closed);
  /* Nor may a connection that has begun something take another's place. */
  say_knock (rig, b);
  say_knock (rig, a);
  expect (a, WIRE_WAITING);
  say_return (a, b->token, NULL);
  expect_nothing (a);
  fail_if (b->closed);
}
GST_END_TEST;

/* ---- The meeting that does not exist ---- */

/* Field values that are random, or numbers of the hub's, by name; everything else must be the same. */
static char *
without_random_fields (const char *text, gsize len)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  fail_unless (json_parser_load_from_data (parser, text, (gssize) len, NULL));
  JsonObject *object = json_node_get_object (json_parser_get_root (parser));
  static const char *const random[] = { "peer", "challenge", "token",
    "after" };
  for (gsize i = 0; i < G_N_ELEMENTS (random); i++)
    if (json_object_has_member (object, random[i]))
      json_object_set_string_member (object, random[i], "random");
  return json_to_string (json_parser_get_root (parser), FALSE);
}

/* All that the connections of one meeting get, in its order, with the time. */
typedef struct
{
  const char *meeting;
  GPtrArray *clients;
  GString *transcript;
} Side;

static void
read_all (Side *side)
{
  for (guint i = 0; i < side->clients->len; i++) {
    Client *client = g_ptr_array_index (side->clients, i);
    Got *got;
    while ((got = g_queue_pop_head (&client->inbox))) {
      gsize len;
      const char *text = g_bytes_get_data (got->frame, &len);
      fail_if (got->binary);
      g_autofree char *plain = without_random_fields (text, len);
      g_string_append_printf (side->transcript,
          "%" G_GUINT64_FORMAT " connection %u, %zu bytes: %s\n", rig->now, i,
          strstr (text, "\"after\"") || strstr (text, "\"peer\"") ? 0 : len,
          plain);
      got_free (got);
    }
    if (client->closed)
      g_string_append_printf (side->transcript, "closed %u\n", i);
  }
}

static Client *
side_dial (Side *side, const char *source)
{
  Client *client = dial (rig, side->meeting, source);
  Got *hello = g_queue_peek_head (&client->inbox);
  WireMessage message;
  fail_unless (wire_read (g_bytes_get_data (hello->frame, NULL),
                   g_bytes_get_size (hello->frame), WIRE_FROM_HUB, &message)
               == JSON_OK);
  memcpy (client->challenge, message.hello.challenge, LIMIT_CHALLENGE);
  memcpy (client->token, message.hello.token, LIMIT_TOKEN);
  client->peer = message.peer;
  wire_clear (&message, WIRE_FROM_HUB);
  g_ptr_array_add (side->clients, client);
  return client;
}

/* Everything a stranger can think of, but `open`. */
static void
explore (Side *side, const char *source)
{
  g_autofree char *other = g_strconcat (source, "b", NULL);
  Client *a = side_dial (side, source), *b = side_dial (side, other);
  WireMessage attend = { .type = WIRE_ATTEND };

  say_knock (rig, a);
  say_proof (rig, a);
  SAY (b, .type = WIRE_ATTACH, .attach = { .message = FILL (500) });
  read_all (side);
  attend.open.meeting = (char *) side->meeting;
  memcpy (
      attend.open.identity, identity_public_key (stranger), IDENTITY_KEY_LEN);
  wire_sign_open (stranger, true, b->challenge, side->meeting, rig->spki_hash,
      attend.open.sig);
  say (rig, b, &attend);
  attend.open.sig[0] ^= 1;
  say (rig, b, &attend);
  read_all (side);
  send_mls (rig, b, WIRE_COMMIT, 0, "x");
  SAY (b, .type = WIRE_TRANSPORT);
  SAY (b, .type = WIRE_REPLAY);
  SAY (b, .type = WIRE_CREDITS, .credits = 3);
  SAY (b, .type = WIRE_CLOSE);
  SAY (b, .type = WIRE_DISMISS, .peer = a->peer);
  say_admitted (rig, b, a->peer, 0);
  say_return (b, a->token, NULL);
  read_all (side);
  /* Lost and back, too late, silent, malformed. */
  hang_up (rig, a);
  rig_wait (rig, 10000);
  Client *back = side_dial (side, source);
  say_return (back, a->token, NULL);
  read_all (side);
  hang_up (rig, back);
  rig_wait (rig, LIMIT_PLACE_MS);
  Client *late = side_dial (side, source);
  say_return (late, a->token, NULL);
  for (int i = 0; i < 10; i++)
    say_knock (rig, late);
  read_all (side);
  say_text (rig, side_dial (side, source), "{\"type\":\"x\"}");
  side_dial (side, source);
  SAY (side_dial (side, source), .type = WIRE_LEAVE);
  rig_wait (rig, HUB_IDLE_MS + 1000);
  read_all (side);
}

static char *
explore_meeting (const char *meeting, const char *source)
{
  Side side = { meeting, g_ptr_array_new (), g_string_new ("") };
  uint64_t start = rig->now;
  explore (&side, source);
  g_ptr_array_unref (side.clients);
  char *text = g_string_free (side.transcript, FALSE);
  (void) start;
  return text;
}

/* The same exploration of a hub where the meeting is as `state` says. */
static char *
exploration (int state)
{
  rig_free (rig);
  rig = rig_new ();
  if (state > 0) {
    Client *host = open_meeting (rig, owner, 16), *member = arrive (rig);
    name_admin (rig, host, owner);
    if (state == 2)
      let_in (rig, host, member);
    forget_inbox (host);
    hang_up (rig, host);
    if (state == 1)
      hang_up (rig, member);
    rig_wait (rig, LIMIT_PLACE_MS + 10000);
  } else
    rig_wait (rig, LIMIT_PLACE_MS + 10000);
  return explore_meeting (MEETING, "explorer");
}

GST_START_TEST (a_meeting_that_does_not_exist_is_like_one_whose_host_is_away)
{
  g_autofree char *nothing = exploration (0);
  g_autofree char *away = exploration (1);
  g_autofree char *members_only = exploration (2);
  fail_unless (strlen (nothing) > 1000);
  fail_unless_equals_string (nothing, away);
  fail_unless_equals_string (nothing, members_only);
}
GST_END_TEST;

GST_START_TEST (numbers_of_places_tell_nothing_about_how_many_there_were)
{
  uint64_t last = 0, small = 0, next = 0;
  for (int i = 0; i < 200; i++) {
    uint64_t peer = arrive (rig)->peer;
    small += peer < (UINT64_C (1) << 40);
    next += peer == last + 1;
    last = peer;
  }
  fail_unless (small < 5 && next == 0);
}
GST_END_TEST;

static Suite *
hub_hostile_suite (void)
{
  Suite *suite = suite_create ("hub-hostile");
  TCase *floods = tcase_create ("floods"), *frames = tcase_create ("frames"),
        *tokens = tcase_create ("tokens"), *nowhere = tcase_create ("nowhere");
  TCase *cases[] = { floods, frames, tokens, nowhere };

  for (int i = 0; i < 4; i++) {
    suite_add_tcase (suite, cases[i]);
    tcase_add_checked_fixture (cases[i], setup, teardown);
    tcase_set_timeout (cases[i], 120);
  }
  tcase_add_test (
      floods, ten_thousand_knocks_from_one_source_delay_nobody_else);
  tcase_add_test (floods, ten_thousand_knocks_from_many_sources_are_bounded);
  tcase_add_test (
      floods, connections_that_say_nothing_give_way_to_fresher_ones);
  tcase_add_test (
      floods, in_a_full_meeting_the_source_with_the_most_gives_way);
  tcase_add_test (floods, floods_over_all_meetings_are_bounded_in_total);
  tcase_add_test (floods, a_source_connects_as_often_as_it_may_and_no_more);
  tcase_add_test (floods, a_stranger_that_shouts_is_slowed_down_and_then_cut);
  tcase_add_test (
      floods, all_strangers_of_a_source_share_a_budget_of_messages);
  tcase_add_test (floods, knocks_of_one_connection_have_a_rate);
  tcase_add_test (floods, signatures_are_verified_for_a_source_at_a_rate);
  tcase_add_test (floods, one_connection_has_few_signatures_however_slowly);
  tcase_add_test (floods, meetings_opened_have_bounds_of_source_and_hub);
  tcase_add_test (
      floods, members_have_a_bound_and_who_is_beyond_is_told_and_reported);
  tcase_add_test (floods, what_waits_has_a_bound_of_bytes);

  tcase_add_loop_test (
      frames, what_is_not_the_protocols_ends_the_connection, 0, 15);
  tcase_add_test (frames, deep_nesting_is_refused_before_it_is_parsed);
  tcase_add_test (frames, giant_frames_of_strangers_end_the_connection_unread);
  tcase_add_test (frames, a_stranger_says_every_message_and_gets_nowhere);
  tcase_add_test (frames, after_its_end_a_connection_is_nobody);

  tcase_add_test (tokens, guessed_and_altered_tokens_bring_nobody_back);
  tcase_add_test (tokens, a_token_is_of_one_meeting_only);
  tcase_add_test (
      tokens, two_connections_with_one_token_do_not_both_have_the_place);
  tcase_add_test (tokens, a_fresh_places_token_and_ones_own_bring_nothing);

  tcase_add_test (
      nowhere, a_meeting_that_does_not_exist_is_like_one_whose_host_is_away);
  tcase_add_test (
      nowhere, numbers_of_places_tell_nothing_about_how_many_there_were);
  return suite;
}

PURE_CHECK_MAIN (hub_hostile);

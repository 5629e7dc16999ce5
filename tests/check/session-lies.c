/* A hub, a host and a joiner that lie at the door: whatever byte they change, nobody gets in by it, and when they stop, the
 * honest ones meet.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session-hub.h"

static int
add (World *w, bool owner, const char *uri)
{
  SessionConfig config = { .uri = uri,
    .owner = owner,
    .display_name = owner ? "Host" : "Guest",
    .password = pw,
    .policy = { .admission = ADMISSION_PASSWORD } };
  return world_add (w, config);
}

/* A byte of one field of a message on its way, or of a frame. */
typedef struct
{
  const char *what;
  WireType type;
  gsize at, len; /* of bytes in the message; */
  gsize blob;    /* or of a Blob, */
  gboolean is_blob;
} Place;

#define BYTES(type, field)                                                    \
  {                                                                           \
#type " " #field, type, offsetof(WireMessage, field),                     \
        sizeof(((WireMessage *) NULL)->field), 0, FALSE                       \
  }
#define IN_BLOB(type, field)                                                  \
  {                                                                           \
#type " " #field, type, 0, 0, offsetof(WireMessage, field), TRUE          \
  }

static const Place places[] = {
  BYTES (WIRE_KNOCK, knock.sid),
  BYTES (WIRE_KNOCK, knock.ya),
  IN_BLOB (WIRE_KNOCK, knock.ada),
  BYTES (WIRE_REPLY, reply.yb),
  IN_BLOB (WIRE_REPLY, reply.adb),
  BYTES (WIRE_REPLY, reply.sig),
  BYTES (WIRE_PROOF, box.tag),
  IN_BLOB (WIRE_PROOF, box.box),
  BYTES (WIRE_ADMIT, box.tag),
  IN_BLOB (WIRE_ADMIT, box.box),
};

static const Place *place_now;
static gboolean spoil_welcome;
static guint times, byte_now;

static void
tamper (World *w, WireMessage *m)
{
  if (!place_now || m->type != place_now->type)
    return;
  guint8 *bytes = (guint8 *) m + place_now->at;
  gsize len = place_now->len;
  if (place_now->is_blob) {
    Blob *blob = (Blob *) ((guint8 *) m + place_now->blob);
    bytes = blob->data;
    len = blob->len;
  }
  bytes[byte_now % len] ^= (guint8) (1 << byte_now % 8);
  times++;
}

static gboolean
tamper_welcome (World *w, int to, const HubFrame *frame)
{
  if (!spoil_welcome || frame->kind != WIRE_WELCOME)
    return FALSE;
  gsize len;
  const guint8 *bytes = g_bytes_get_data (frame->message, &len);
  guint8 *changed = g_memdup2 (bytes, len);
  changed[byte_now % len] ^= 1;
  HubFrame other = { frame->seq, frame->kind,
    g_bytes_new_take (changed, len) };
  spoil_welcome = FALSE;
  hub_give (w, client_place (w, to), &other);
  spoil_welcome = TRUE;
  g_bytes_unref (other.message);
  times++;
  return TRUE;
}

static void
lie_and_stop (World *w, int host)
{
  char uri[LINK_SIZE];
  guint8 print[IDENTITY_FINGERPRINT_LEN];

  fail_unless (session_link_text (w->clients[host].session, uri));
  int guest = add (w, false, uri);
  times = 0;
  /* A wrong byte may look like a wrong password: that ends a session, by the hub's word alone. */
  world_run (w, 3000);
  fail_unless (times > 0, "%s: nothing to change",
      place_now ? place_now->what : "Welcome");
  SessionState state = session_state (w->clients[guest].session);
  fail_if (state == SESSION_MEMBER || state == SESSION_WAITING,
      "%s, byte %u: got in", place_now ? place_now->what : "Welcome",
      byte_now);
  fail_unless_equals_uint64 (session_members (w->clients[guest].session), 0);
  fail_unless_equals_uint64 (count_events (w, guest, SESSION_EVENT_MEDIA), 0);
  fail_unless_equals_uint64 (
      count_events (w, guest, SESSION_EVENT_KEY_OPENED), 0);
  (void) print;

  place_now = NULL;
  spoil_welcome = FALSE;
  if (state == SESSION_DENIED)
    guest = add (w, false, uri);
  world_run (w, 150000);
  fail_unless_state (w, guest, SESSION_MEMBER);
}

GST_START_TEST (no_changed_byte_lets_in_or_keeps_out_for_good)
{
  for (byte_now = 0; byte_now < 3; byte_now++) {
    World *w = world_new ();
    const Place *place = &places[__i__];
    int host = add (w, true, NULL);
    w->tamper = tamper;
    world_run (w, 100);
    guint chosen = byte_now;
    place_now = place;
    byte_now = chosen * 29;
    lie_and_stop (w, host);
    byte_now = chosen;
    world_free (w);
  }
}
GST_END_TEST;

GST_START_TEST (a_changed_welcome_is_not_joined)
{
  for (guint i = 0; i < 4; i++) {
    World *w = world_new ();
    int host = add (w, true, NULL);
    w->withhold = tamper_welcome;
    world_run (w, 100);
    spoil_welcome = TRUE;
    byte_now = i * 211;
    lie_and_stop (w, host);
    world_free (w);
  }
}
GST_END_TEST;

/* ---- A hub that plays host ---- */

GST_START_TEST (an_echo_is_no_host)
{
  World *w = world_new ();
  int guest = add (w, false, NULL);
  WireMessage m = { .type = WIRE_REPLY };
  world_run (w, 100);
  HubPlace *place = client_place (w, guest);
  /* The joiner's own words: its share, as if it were the host. */
  guint8 adb[DOOR_ADB_LEN];
  DoorReply reply = { .suite = MLS_SUITE_CHACHA20_POLY1305 };
  memcpy (reply.host_key, client_key (w, guest), IDENTITY_KEY_LEN);
  Writer out = writer_init (adb, sizeof adb);
  door_write_reply (&out, &reply);
  memcpy (m.reply.yb, place->knock.knock.ya, CPACE_SHARE_LEN);
  m.reply.adb = (Blob){ adb, sizeof adb };
  m.reply.chain = (Blob){ adb, 0 };
  hub_send (w, place, &m);
  world_run (w, 100);
  fail_unless_equals_uint64 (
      session_stats (w->clients[guest].session).unexpected, 1);
  fail_unless_state (w, guest, SESSION_KNOCKING);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (what_only_members_get_is_not_taken_before)
{
  World *w = world_new ();
  int guest = add (w, false, NULL);
  guint32 ssrcs[] = { 1 };
  WireMessage m = { .type = WIRE_SPEAKERS, .ssrcs = { 1, ssrcs } };
  world_run (w, 100);
  hub_send (w, client_place (w, guest), &m);
  m = (WireMessage){ .type = WIRE_ADMITTED,
    .peer = client_place (w, guest)->peer };
  hub_send (w, client_place (w, guest), &m);
  m = (WireMessage){ .type = WIRE_PUBLISHED };
  m.published.ssrc = 5;
  hub_send (w, client_place (w, guest), &m);
  world_run (w, 100);
  fail_unless_equals_uint64 (count_events (w, guest, SESSION_EVENT_MEDIA), 0);
  fail_unless_state (w, guest, SESSION_KNOCKING);
  world_free (w);
}
GST_END_TEST;

/* ---- A joiner that lies ---- */

GST_START_TEST (a_knock_is_answered_once_and_a_late_proof_not_at_all)
{
  World *w = world_new ();
  char uri[LINK_SIZE];
  int host = add (w, true, NULL);
  world_run (w, 100);
  fail_unless (session_link_text (w->clients[host].session, uri));
  int guest = add (w, false, uri);
  world_settle (w);
  HubPlace *place = client_place (w, guest), *admin = client_place (w, host);
  WireMessage m = place->knock;
  /* Another place says the same knock. */
  m.peer = place->peer + 1000;
  m.knock.source = (char *) "another";
  guint64 replies = session_stats (w->clients[host].session).replies;
  hub_send (w, admin, &m);
  world_settle (w);
  fail_unless_equals_uint64 (
      session_stats (w->clients[host].session).replies, replies);

  /* A fresh one, whose proof comes after 30 s: any proof is as good. */
  m.knock.sid[0] ^= 1;
  hub_send (w, admin, &m);
  world_settle (w);
  fail_unless_equals_uint64 (
      session_stats (w->clients[host].session).replies, replies + 1);
  world_run (w, LIMIT_PROOF_MS);
  guint8 box[DOOR_BOX_OVERHEAD + 8] = { 0 };
  guint64 peer = m.peer, unexpected;
  m = (WireMessage){ .type = WIRE_PROOF, .peer = peer };
  m.box.box = (Blob){ box, sizeof box };
  unexpected = session_stats (w->clients[host].session).unexpected;
  hub_send (w, admin, &m);
  world_settle (w);
  fail_unless_equals_uint64 (
      session_stats (w->clients[host].session).unexpected, unexpected + 1);
  world_free (w);
}
GST_END_TEST;

GST_START_TEST (a_flood_does_not_keep_a_member_from_coming_back)
{
  World *w = world_new ();
  char uri[LINK_SIZE];
  int host = add (w, true, NULL);
  world_run (w, 100);
  fail_unless (session_link_text (w->clients[host].session, uri));
  int ann = add (w, false, uri);
  world_run (w, 500);
  check_members (w, host, ann);

  /* The flood has used up the meeting's tokens. */
  Secret *right = pw;
  pw = world_password ("wrong");
  for (int i = 0; i < 30; i++) {
    int bot = add (w, false, NULL);
    world_run (w, 1);
    world_crash (w, bot);
    client_clear (&w->clients[bot]);
    w->n--;
  }
  secret_unref (pw);
  pw = right;
  fail_unless (session_stats (w->clients[host].session).over_budget > 5);

  /* A member that can't follow knocks, signed: it has a budget of its own. */
  WireMessage late = { .type = WIRE_ERROR, .code = WIRE_CODE_TOO_LATE };
  hub_send (w, client_place (w, ann), &late);
  fail_unless_state (w, ann, SESSION_REJOINING);
  world_run (w, 500);
  check_members (w, host, ann);
  world_free (w);
}
GST_END_TEST;

static Suite *
session_lies_suite (void)
{
  Suite *s = suite_create ("session-lies");
  TCase *tc = tcase_create ("lies");

  tcase_set_timeout (tc, 60);
  tcase_add_checked_fixture (tc, world_set_up, world_tear_down);
  suite_add_tcase (s, tc);
  tcase_add_loop_test (tc, no_changed_byte_lets_in_or_keeps_out_for_good, 0,
      G_N_ELEMENTS (places));
  tcase_add_test (tc, a_changed_welcome_is_not_joined);
  tcase_add_test (tc, an_echo_is_no_host);
  tcase_add_test (tc, what_only_members_get_is_not_taken_before);
  tcase_add_test (tc, a_knock_is_answered_once_and_a_late_proof_not_at_all);
  tcase_add_test (tc, a_flood_does_not_keep_a_member_from_coming_back);
  return s;
}

PURE_CHECK_MAIN (session_lies)

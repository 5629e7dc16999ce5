/* The bytes of a session: policies and roles, JSON messages both ways, frames, messages among members, snapshots.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/session/messages.h"
#include "ext/session/policy.h"

static Policy
some_policy (gsize admins)
{
  Policy policy = policy_default ();
  g_strlcpy (policy.meeting, "standup", sizeof policy.meeting);
  policy.opened = G_GUINT64_CONSTANT (0x0102030405060708);
  memset (policy.owner, 0xaa, sizeof policy.owner);
  policy.n_admins = admins;
  for (gsize i = 0; i < admins; i++)
    memset (policy.admins[i], (int) i + 1, IDENTITY_KEY_LEN);
  return policy;
}

static gsize
encode (const Policy *policy, guint8 *room)
{
  Writer w = writer_init (room, POLICY_MAX_SIZE);
  policy_write (&w, policy);
  return w.failed ? 0 : writer_len (&w);
}

GST_START_TEST (a_policy_has_the_bytes_of_the_protocol)
{
  Policy policy = some_policy (1);
  guint8 room[POLICY_MAX_SIZE];
  gsize len = encode (&policy, room);
  g_autoptr (GBytes) want = bytes_from_hex (
      "01" /* version */
      "07"
      "7374616e647570"   /* meeting */
      "0102030405060708" /* opened */
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "20" /* admins: 32 bytes */
      "0101010101010101010101010101010101010101010101010101010101010101"
      "01"
      "00"
      "01"
      "02"
      "01"
      "01" /* admission to hand_over */
      "0005"
      "08"
      "0a"
      "03e8"); /* suite, bits, members */
  fail_unless_equals_bytes (room, len, want);
}
GST_END_TEST;

GST_START_TEST (every_policy_reads_back_and_every_cut_is_refused)
{
  for (gsize admins = 0; admins <= LIMIT_ADMINS; admins++) {
    Policy policy = some_policy (admins), back;
    guint8 room[POLICY_MAX_SIZE + 1];
    gsize len = encode (&policy, room);
    fail_unless (len > 0);
    fail_unless_equals_int (
        policy_parse (reader_init (room, len), &back), POLICY_OK);
    fail_unless (policy_equal (&policy, &back));
    for (gsize cut = 0; cut < len; cut++)
      fail_unless_equals_int (
          policy_parse (reader_init (room, cut), &back), POLICY_MALFORMED);
    room[len] = 0;
    fail_unless_equals_int (
        policy_parse (reader_init (room, len + 1), &back), POLICY_MALFORMED);
    room[0] = 2;
    fail_unless_equals_int (
        policy_parse (reader_init (room, len), &back), POLICY_OTHER_VERSION);
  }
}
GST_END_TEST;

/* Byte `at` from the end as `value`. */
static PolicyResult
with_byte (gsize at, guint8 value)
{
  Policy policy = some_policy (2), back;
  guint8 room[POLICY_MAX_SIZE];
  gsize len = encode (&policy, room);
  room[len - at] = value;
  return policy_parse (reader_init (room, len), &back);
}

GST_START_TEST (values_that_a_policy_can_not_have_are_refused)
{
  static const struct
  {
    guint at; /* from the end */
    guint8 good, bad;
  } rows[] = { { 12, 4, 5 }, { 12, 1, 0 }, { 11, 1, 2 }, { 10, 3, 4 },
    { 10, 1, 0 }, { 9, 3, 4 }, { 9, 1, 0 }, { 8, 0, 2 }, { 7, 2, 3 },
    { 7, 1, 0 }, { 5, 1, 3 /* a tag of 32 bits */ }, { 5, 7, 8 }, { 5, 6, 9 },
    { 4, 16, 17 }, { 4, 1, 0 }, { 3, 12, 17 }, { 3, 10, 9 /* < 1,000 */ } };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    fail_unless_equals_int (with_byte (rows[i].at, rows[i].good), POLICY_OK);
    fail_unless_equals_int (
        with_byte (rows[i].at, rows[i].bad), POLICY_MALFORMED);
  }

  /* Admins in order, distinct, without the owner. */
  Policy policy = some_policy (3);
  guint8 room[POLICY_MAX_SIZE];
  memset (policy.admins[1], 9, IDENTITY_KEY_LEN);
  fail_unless_equals_uint64 (encode (&policy, room), 0);
  policy = some_policy (3);
  memset (policy.admins[1], 1, IDENTITY_KEY_LEN);
  fail_unless_equals_uint64 (encode (&policy, room), 0);
  policy = some_policy (3);
  memset (policy.owner, 2, IDENTITY_KEY_LEN);
  fail_unless_equals_uint64 (encode (&policy, room), 0);
}
GST_END_TEST;

GST_START_TEST (admins_come_and_go_in_their_order)
{
  Policy policy = some_policy (0);
  guint8 key[IDENTITY_KEY_LEN], room[POLICY_MAX_SIZE];

  for (int i = 0; i < LIMIT_ADMINS; i++) {
    memset (key, (i * 7) % LIMIT_ADMINS + 1, sizeof key);
    fail_unless (policy_add_admin (&policy, key));
    fail_if (policy_add_admin (&policy, key));
    fail_unless (policy_is_admin (&policy, key));
    fail_if (policy_is_owner (&policy, key));
    fail_unless (encode (&policy, room) > 0);
  }
  memset (key, 99, sizeof key);
  fail_if (policy_add_admin (&policy, key));
  fail_if (policy_drop_admin (&policy, key));
  fail_if (policy_add_admin (&policy, policy.owner));
  memset (key, 8, sizeof key);
  fail_unless (policy_drop_admin (&policy, key));
  fail_if (policy_is_admin (&policy, key));
  fail_unless (encode (&policy, room) > 0);
}
GST_END_TEST;

GST_START_TEST (names_are_text_that_does_not_deceive)
{
  static const char *const good[] = { "A", "Ann Example", "Zo\xc3\xab",
    "\xe6\x9d\x8e\xe9\x9b\xb7", "\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7",
    "me\xe2\x80\x8dyou" /* a joiner is part of scripts */ };
  static const char *const bad[] = { "", "a\nb", "a\x7f", "\xc2\x85",
    "Ann\xe2\x80\xae", "\xe2\x81\xa6x", "x\xe2\x80\x8f", "\xd8\x9c",
    "\xe2\x80\xa8", "\xff", "\xc3", "\xed\xa0\x80" };
  char many[LIMIT_NAME + 2];

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    fail_unless (name_is_valid (good[i], strlen (good[i]))
                     && name_is_normal (good[i], strlen (good[i])),
        "name %u", i);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    fail_if (name_is_valid (bad[i], strlen (bad[i])), "name %u", i);
  fail_if (name_is_valid ("a\0b", 3));
  memset (many, 'n', sizeof many);
  fail_unless (name_is_valid (many, LIMIT_NAME));
  fail_if (name_is_valid (many, LIMIT_NAME + 1));
  /* e and a combining diaeresis: valid, not normal. */
  fail_unless (name_is_valid ("Zoe\xcc\x88", 5));
  fail_if (name_is_normal ("Zoe\xcc\x88", 5));
}
GST_END_TEST;

/* ---- JSON ---- */

GST_START_TEST (what_json_glib_must_not_see_is_refused)
{
  static const char *const bad[] = { "", " {}", "[]", "{} ", "{}{}",
    "{\"a\":1}\n", "{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}", "{\"a\":[}",
    "{\"a\":\"", "{\"a\":1", "{'a':1}", "{/* */}", "{//\n}",
    "{\"a\":12345678901234567}", "{\"a\":\"\x01\"}", "{\"a\":\"\\",
    "{\"a\":\"\\u00", "{\"a\":`}" };
  static const char *const good[] = { "{}", "{\"a\":[1,-2.5e3,true,null]}",
    "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[\"}", "{\"a\":\"\\\"}\"}",
    "{\"a\":9007199254740991}", "{\"a\":\"\\u00e9\"}" };
  GString *deep = g_string_new ("{\"a\":");

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    fail_if (json_scan (bad[i], strlen (bad[i])), "%s", bad[i]);
  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    fail_unless (json_scan (good[i], strlen (good[i])), "%s", good[i]);
  for (int i = 0; i < LIMIT_NESTING - 1; i++)
    g_string_append_c (deep, '[');
  for (int i = 0; i < LIMIT_NESTING - 1; i++)
    g_string_append_c (deep, ']');
  g_string_append_c (deep, '}');
  fail_unless (json_scan (deep->str, deep->len));
  g_string_insert_c (deep, 5, '[');
  g_string_insert_c (deep, (gssize) deep->len - 1, ']');
  fail_if (json_scan (deep->str, deep->len));
  /* 100,000 brackets are read no further than the seventeenth. */
  g_string_set_size (deep, 100005);
  memset (deep->str + 5, '[', 100000);
  fail_if (json_scan (deep->str, deep->len));
  g_string_free (deep, TRUE);
}
GST_END_TEST;

static JsonResult
read_text (const char *text, unsigned from)
{
  WireMessage m;
  JsonResult result = wire_read (text, strlen (text), from, &m);
  if (result == JSON_OK)
    wire_clear (&m, from);
  return result;
}

GST_START_TEST (messages_are_read_strictly_and_unknown_fields_ignored)
{
#define ZEROS32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
  static const struct
  {
    const char *text;
    unsigned from;
    JsonResult want;
  } rows[] = {
    { "{\"type\":\"leave\"}", WIRE_FROM_CLIENT, JSON_OK },
    { "{\"type\":\"leave\",\"new\":{\"x\":[1]}}", WIRE_FROM_CLIENT, JSON_OK },
    { "{\"type\":\"leave\"}", WIRE_FROM_HUB, JSON_UNKNOWN_TYPE },
    { "{\"type\":\"dance\"}", WIRE_FROM_CLIENT, JSON_UNKNOWN_TYPE },
    { "{\"type\":7}", WIRE_FROM_CLIENT, JSON_MALFORMED },
    { "{}", WIRE_FROM_CLIENT, JSON_MALFORMED },
    { "{\"type\":\"ack\",\"seq\":5}", WIRE_FROM_CLIENT, JSON_OK },
    { "{\"type\":\"ack\",\"seq\":-1}", WIRE_FROM_CLIENT, JSON_MALFORMED },
    { "{\"type\":\"ack\",\"seq\":1.0}", WIRE_FROM_CLIENT, JSON_MALFORMED },
    { "{\"type\":\"ack\",\"seq\":\"5\"}", WIRE_FROM_CLIENT, JSON_MALFORMED },
    { "{\"type\":\"ack\",\"seq\":9007199254740992}", WIRE_FROM_CLIENT,
        JSON_MALFORMED },
    { "{\"type\":\"ack\"}", WIRE_FROM_CLIENT, JSON_MALFORMED },
    { "{\"type\":\"ack\",\"seq\":null}", WIRE_FROM_CLIENT, JSON_MALFORMED },
    { "{\"type\":\"dismiss\",\"peer\":0}", WIRE_FROM_CLIENT, JSON_MALFORMED },
    { "{\"type\":\"error\",\"code\":\"denied\"}", WIRE_FROM_HUB, JSON_OK },
    { "{\"type\":\"error\",\"code\":\"nonsense\"}", WIRE_FROM_HUB,
        JSON_MALFORMED },
    { "{\"type\":\"transfer\",\"identity\":\"" ZEROS32 "\"}", WIRE_FROM_CLIENT,
        JSON_OK },
    { "{\"type\":\"transfer\",\"identity\":\"" ZEROS32 "=\"}",
        WIRE_FROM_CLIENT, JSON_MALFORMED },
    { "{\"type\":\"transfer\",\"identity\":\"" ZEROS32 "A\"}",
        WIRE_FROM_CLIENT, JSON_MALFORMED },
    /* bits behind the last byte */
    { "{\"type\":\"transfer\",\"identity\":"
      "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\"}",
        WIRE_FROM_CLIENT, JSON_MALFORMED },
    { "{\"type\":\"transfer\",\"identity\":\"AAAA AAAA\"}", WIRE_FROM_CLIENT,
        JSON_MALFORMED },
    { "{\"type\":\"admins\",\"identities\":[\"" ZEROS32 "\"]}",
        WIRE_FROM_CLIENT, JSON_OK },
    { "{\"type\":\"admins\",\"identities\":[\"" ZEROS32 "\",1]}",
        WIRE_FROM_CLIENT, JSON_MALFORMED },
    { "{\"type\":\"subscribe\",\"ssrcs\":[1,4294967295]}", WIRE_FROM_CLIENT,
        JSON_OK },
    { "{\"type\":\"subscribe\",\"ssrcs\":[4294967296]}", WIRE_FROM_CLIENT,
        JSON_MALFORMED },
    { "{\"type\":\"subscribed\",\"streams\":[{\"ssrc\":1,\"roc\":2}]}",
        WIRE_FROM_HUB, JSON_OK },
    { "{\"type\":\"subscribed\",\"streams\":[{\"ssrc\":1}]}", WIRE_FROM_HUB,
        JSON_MALFORMED },
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    fail_unless (read_text (rows[i].text, rows[i].from) == rows[i].want, "%s",
        rows[i].text);
}
GST_END_TEST;

/* Every type, with something in each field. */
static GPtrArray *
all_messages (unsigned from)
{
  GPtrArray *all = g_ptr_array_new_with_free_func (g_free);
  static guint8 bytes[DOOR_MAX_ADMIT + DOOR_BOX_OVERHEAD];
  static guint32 ssrcs[] = { 1, 77, G_MAXUINT32 };
  static Stream streams[] = { { 1, 2, 3 }, { 4, 0, 5 } };
  static guint8 keys[3][IDENTITY_KEY_LEN];
  static char *texts[] = { (char *) "candidate:1 1 udp 1 192.0.2.1 9 typ host",
    (char *) "\"\\\xc3\xa9\n" };

  memset (bytes, 0x5a, sizeof bytes);
  memset (keys, 3, sizeof keys);
  for (int type = WIRE_HELLO; type <= WIRE_SPEAKERS; type++) {
    WireMessage m;
    memset (&m, 0, sizeof m);
    m.type = (WireType) type;
    m.peer = LIMIT_NUMBER;
    switch (type) {
      case WIRE_HELLO:
        m.hello.version = 1;
        memset (m.hello.token, 9, sizeof m.hello.token);
        break;
      case WIRE_RETURN:
        m.back.seq = 5;
        break;
      case WIRE_OPENED:
        m.opened.seq = 3;
        m.opened.running = true;
        break;
      case WIRE_OPEN:
      case WIRE_ATTEND:
        m.open.meeting = (char *) "standup";
        break;
      case WIRE_ADMINS:
        m.admins = (KeyList){ 3, keys };
        break;
      case WIRE_CREDITS:
        m.credits = 12;
        break;
      case WIRE_KNOCK:
        m.knock.source = (char *) "2001:db8::/64";
        m.knock.ada = (Blob){ bytes, DOOR_MAX_ADA };
        m.knock.key = (Blob){ bytes, IDENTITY_KEY_LEN };
        m.knock.sig = (Blob){ bytes, IDENTITY_SIG_LEN };
        break;
      case WIRE_REPLY:
        m.reply.adb = (Blob){ bytes, DOOR_ADB_LEN };
        m.reply.chain = (Blob){ bytes, 0 };
        break;
      case WIRE_PROOF:
        m.box.box = (Blob){ bytes, DOOR_MAX_PROOF + DOOR_BOX_OVERHEAD };
        break;
      case WIRE_ADMIT:
        m.box.box = (Blob){ bytes, sizeof bytes };
        break;
      case WIRE_AGAIN:
        m.after = 2000;
        break;
      case WIRE_ERROR:
        m.code = WIRE_LAST_CODE;
        break;
      case WIRE_REOPENED:
        m.reopened.opened = 1;
        break;
      case WIRE_ATTACH:
        m.attach.challenge = (Blob){ bytes, LIMIT_CHALLENGE };
        m.attach.message = (Blob){ bytes, WIRE_MAX_MESSAGE };
        break;
      case WIRE_TRANSPORT:
        m.transport.ufrag = (char *) "abcd";
        m.transport.pwd = (char *) "0123456789012345678901";
        m.transport.candidates = (TextList){ 2, texts };
        m.transport.send_key = (Blob){ bytes, 44 };
        m.transport.receive_key = (Blob){ bytes, 44 };
        break;
      case WIRE_PUBLISH:
      case WIRE_UNPUBLISH:
        m.publish.track = 65535;
        m.publish.kind = MEDIA_SCREEN;
        break;
      case WIRE_PUBLISHED:
        m.published.ssrc = 7;
        break;
      case WIRE_SUBSCRIBE:
      case WIRE_UNSUBSCRIBE:
      case WIRE_PAUSE:
      case WIRE_RESUME:
      case WIRE_SPEAKERS:
        m.ssrcs = (NumberList){ 3, ssrcs };
        break;
      case WIRE_SUBSCRIBED:
      case WIRE_RESUMED:
        m.streams = (StreamList){ 2, streams };
        break;
      default:
        break;
    }
    gsize len;
    char *text = wire_write (&m, from, &len);
    if (text)
      g_ptr_array_add (all, text);
  }
  return all;
}

GST_START_TEST (every_message_reads_back_as_it_was_written)
{
  for (unsigned from = WIRE_FROM_CLIENT; from <= WIRE_FROM_HUB; from++) {
    GPtrArray *all = all_messages (from);
    fail_unless_equals_uint64 (all->len, from == WIRE_FROM_CLIENT ? 28 : 19);
    for (guint i = 0; i < all->len; i++) {
      const char *text = g_ptr_array_index (all, i);
      WireMessage m;
      gsize len;
      fail_unless_equals_int (
          wire_read (text, strlen (text), from, &m), JSON_OK);
      g_autofree char *again = wire_write (&m, from, &len);
      fail_unless_equals_string (again, text);
      wire_clear (&m, from);
      if (strlen (text) > 20000)
        continue;
      for (gsize cut = 0; cut < strlen (text); cut++)
        fail_if (wire_read (text, cut, from, &m) == JSON_OK);
    }
    g_ptr_array_unref (all);
  }
}
GST_END_TEST;

GST_START_TEST (a_frame_has_a_header_of_32_bytes)
{
  WireHeader header = { WIRE_WELCOME, 0x0102030405060708, { 0 } }, back;
  guint8 frame[WIRE_HEADER + 1] = { 0 };
  Writer w = writer_init (frame, WIRE_HEADER);
  memset (header.room, 0xee, LIMIT_ROOM);
  wire_header_write (&w, &header);
  g_autoptr (GBytes) want =
      bytes_from_hex ("03"
                      "00000000000000"
                      "0102030405060708"
                      "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
  fail_unless_equals_bytes (frame, writer_len (&w), want);
  for (gsize cut = 0; cut <= WIRE_HEADER; cut++) {
    Reader in = reader_init (frame, cut);
    fail_if (wire_header_parse (&in, &back)); /* nothing inside, too */
  }
  Reader in = reader_init (frame, sizeof frame);
  fail_unless (wire_header_parse (&in, &back));
  fail_unless (back.kind == header.kind && back.seq == header.seq
               && memcmp (back.room, header.room, LIMIT_ROOM) == 0);
  fail_unless_equals_uint64 (reader_left (&in), 1);
  for (int i = 0; i < 8; i++) {
    guint8 saved = frame[i];
    frame[i] = i == 0 ? 5 : 1;
    in = reader_init (frame, sizeof frame);
    fail_if (wire_header_parse (&in, &back));
    frame[i] = saved;
  }
}
GST_END_TEST;

GST_START_TEST (open_and_reopened_are_signed_for_their_place_and_time)
{
  Identity *who = identity_new ();
  const guint8 *key = identity_public_key (who);
  guint8 challenge[LIMIT_CHALLENGE] = { 1 }, spki[LIMIT_SPKI_HASH] = { 2 },
         group[DOOR_GROUP_ID_LEN] = { 3 }, sig[IDENTITY_SIG_LEN];

  fail_unless (wire_sign_open (who, false, challenge, "m", spki, sig));
  fail_unless (wire_verify_open (key, false, challenge, "m", spki, sig));
  fail_if (wire_verify_open (key, true, challenge, "m", spki, sig));
  fail_if (wire_verify_open (key, false, challenge, "n", spki, sig));
  challenge[0] ^= 1;
  fail_if (wire_verify_open (key, false, challenge, "m", spki, sig));
  challenge[0] ^= 1;
  spki[0] ^= 1;
  fail_if (wire_verify_open (key, false, challenge, "m", spki, sig));

  fail_unless (wire_sign_reopened (who, "m", 77, group, sig));
  fail_unless (wire_verify_reopened (key, "m", 77, group, sig));
  fail_if (wire_verify_reopened (key, "m", 78, group, sig));
  fail_if (wire_verify_reopened (key, "n", 77, group, sig));
  group[0] ^= 1;
  fail_if (wire_verify_reopened (key, "m", 77, group, sig));
  identity_free (who);
}
GST_END_TEST;

/* ---- Messages among members ---- */

static char *
say (Message message)
{
  gsize len;
  message.n = 3;
  return message_write (&message, &len);
}

GST_START_TEST (every_member_message_reads_back)
{
  GPtrArray *all = g_ptr_array_new_with_free_func (g_free);
  static guint8 bytes[DOOR_MAX_CHAIN];
  Message m = { .type = MESSAGE_TRACK,
    .track = { 65535, MEDIA_VIDEO, 1, 2, (char *) "VP8",
        (char *) "profile=(string)\"0\"" } };

  g_ptr_array_add (all, say (m));
  g_ptr_array_add (all, say ((Message){ .type = MESSAGE_PRESENT, .peer = 1 }));
  g_ptr_array_add (all, say ((Message){ .type = MESSAGE_UNTRACK }));
  m = (Message){ .type = MESSAGE_MUTE_REQUEST };
  m.mute.all = true;
  g_ptr_array_add (all, say (m));
  g_ptr_array_add (all, say ((Message){ .type = MESSAGE_CHAT,
                            .chat = (char *) "\"\\\n\xf0\x9f\x99\x82" }));
  g_ptr_array_add (all, say ((Message){ .type = MESSAGE_HAND, .hand = true }));
  m = (Message){ .type = MESSAGE_RECORDING };
  m.recording.state = RECORDING_ON;
  g_ptr_array_add (all, say (m));
  m.recording.state = RECORDING_CONSENT;
  m.recording.key = (Blob){ bytes, IDENTITY_KEY_LEN };
  g_ptr_array_add (all, say (m));
  g_ptr_array_add (all, say ((Message){ .type = MESSAGE_HEARTBEAT }));
  g_ptr_array_add (all, say ((Message){ .type = MESSAGE_REMOVED }));
  g_ptr_array_add (
      all, say ((Message){ .type = MESSAGE_HERE, .here = { .peer = 4 } }));
  g_ptr_array_add (all, say ((Message){ .type = MESSAGE_BYE }));
  g_ptr_array_add (all, say ((Message){ .type = MESSAGE_END }));
  g_ptr_array_add (all, say ((Message){ .type = MESSAGE_ADMISSION }));
  m = (Message){ .type = MESSAGE_CHAIN };
  m.chain.chain = (Blob){ bytes, sizeof bytes };
  g_ptr_array_add (all, say (m));
  for (guint i = 0; i < all->len; i++) {
    const char *text = g_ptr_array_index (all, i);
    Message back;
    gsize len;
    fail_unless (text != NULL, "message %u", i);
    fail_unless_equals_int (
        message_read (text, strlen (text), &back), JSON_OK);
    g_autofree char *again = message_write (&back, &len);
    fail_unless_equals_string (again, text);
    message_clear (&back);
    for (gsize cut = 0; cut < strlen (text); cut++)
      fail_if (message_read (text, cut, &back) == JSON_OK);
  }
  g_ptr_array_unref (all);
}
GST_END_TEST;

GST_START_TEST (member_messages_out_of_bounds_are_refused)
{
  static const char *const bad[] = {
    "{\"type\":\"bye\"}",
    "{\"type\":\"bye\",\"n\":0}",
    "{\"type\":\"chat\",\"n\":1,\"text\":\"\"}",
    "{\"type\":\"hand\",\"n\":1,\"up\":1}",
    "{\"type\":\"untrack\",\"n\":1,\"track\":65536}",
    "{\"type\":\"recording\",\"n\":1,\"state\":\"consent\"}",
    "{\"type\":\"recording\",\"n\":1,\"state\":\"on\",\"key\":"
    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
    "{\"type\":\"track\",\"n\":1,\"track\":0,\"kind\":\"smell\",\"ssrc\":1,"
    "\"codec\":\"X\",\"caps\":\"\"}",
    "{\"type\":\"track\",\"n\":1,\"track\":0,\"kind\":\"audio\",\"ssrc\":0,"
    "\"codec\":\"X\",\"caps\":\"\"}",
  };
  Message m;
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    fail_unless (message_read (bad[i], strlen (bad[i]), &m) == JSON_MALFORMED,
        "%s", bad[i]);

  g_autofree char *text = g_strnfill (LIMIT_CHAT + 1, 'x');
  gsize len;
  m = (Message){ .type = MESSAGE_CHAT, .n = 1, .chat = text };
  fail_unless (message_write (&m, &len) == NULL);
  text[LIMIT_CHAT] = '\0';
  g_autofree char *fits = message_write (&m, &len);
  fail_unless (fits != NULL);
}
GST_END_TEST;

GST_START_TEST (a_snapshot_gives_back_what_was_put_in)
{
  GByteArray *bytes = g_byte_array_new ();
  guint8 key[IDENTITY_KEY_LEN] = { 1 };
  Message m = { .type = MESSAGE_HAND, .n = 4, .hand = true };
  snapshot_put (bytes, key, &m);
  key[0] = 2;
  m = (Message){ .type = MESSAGE_PRESENT, .n = 5, .peer = 6 };
  snapshot_put (bytes, key, &m);

  Reader in = reader_init (bytes->data, bytes->len);
  const guint8 *who;
  fail_unless (snapshot_next (&in, &who, &m));
  fail_unless (who[0] == 1 && m.type == MESSAGE_HAND && m.n == 4);
  message_clear (&m);
  fail_unless (snapshot_next (&in, &who, &m));
  fail_unless (who[0] == 2 && m.type == MESSAGE_PRESENT && m.peer == 6);
  message_clear (&m);
  fail_if (snapshot_next (&in, &who, &m));
  for (gsize cut = 0; cut < bytes->len; cut++) {
    in = reader_init (bytes->data, cut);
    int n = 0;
    while (snapshot_next (&in, &who, &m)) {
      message_clear (&m);
      n++;
    }
    fail_unless (n < 2);
  }
  g_byte_array_unref (bytes);
}
GST_END_TEST;

static Suite *
session_wire_suite (void)
{
  Suite *s = suite_create ("session-wire");
  TCase *tc = tcase_create ("wire");

  tcase_set_timeout (tc, 60);
  suite_add_tcase (s, tc);
  tcase_add_test (tc, a_policy_has_the_bytes_of_the_protocol);
  tcase_add_test (tc, every_policy_reads_back_and_every_cut_is_refused);
  tcase_add_test (tc, values_that_a_policy_can_not_have_are_refused);
  tcase_add_test (tc, admins_come_and_go_in_their_order);
  tcase_add_test (tc, names_are_text_that_does_not_deceive);
  tcase_add_test (tc, what_json_glib_must_not_see_is_refused);
  tcase_add_test (tc, messages_are_read_strictly_and_unknown_fields_ignored);
  tcase_add_test (tc, every_message_reads_back_as_it_was_written);
  tcase_add_test (tc, a_frame_has_a_header_of_32_bytes);
  tcase_add_test (tc, open_and_reopened_are_signed_for_their_place_and_time);
  tcase_add_test (tc, every_member_message_reads_back);
  tcase_add_test (tc, member_messages_out_of_bounds_are_refused);
  tcase_add_test (tc, a_snapshot_gives_back_what_was_put_in);
  return s;
}

PURE_CHECK_MAIN (session_wire)

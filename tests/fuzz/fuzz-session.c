/* A session between a hub and members who say anything: the input is a list of operations on a host in its group or on a
 * joiner. Nothing may crash, grow without bound, or come back to life after its end.
 *
 * An operation is a byte, and for some a length of two bytes and as many bytes:
 *     0 a text frame   1 a binary frame   2 time passes (seconds)   3 the connection breaks, and another one comes
 *     4 a frame in the hub's order: an MLS message   5 a message as if a member had said it   6 a user's act
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/session/session_private.h"
#include "tests/seeded.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static uint64_t now;

static void
drain (Session *session)
{
  SessionOutput out;
  SessionEvent event;

  while (session_next_output (session, &out)) {
    if (out.type == SESSION_CONNECT) {
      static const uint8_t spki[LIMIT_SPKI_HASH];
      session_connected (session, spki);
    }
    session_output_clear (&out);
  }
  while (session_next_event (session, &event))
    session_event_clear (&event);
}

static void
say (Session *session, const WireMessage *m)
{
  size_t len;
  char *text = wire_write (m, WIRE_FROM_HUB, &len);
  session_frame (session, false, text, len);
  g_free (text);
  drain (session);
}

static Session *
start (bool owner)
{
  static const uint8_t seed[2][IDENTITY_KEY_LEN] = { { 1 }, { 2 } };
  Identity *identity = identity_from_seed (seed[owner]);
  Secret *password = secret_copy ("pw", 2);
  SessionConfig config = { .uri = "meet://hub.example/standup",
    .owner = owner,
    .role = ROLE_PARTICIPANT,
    .display_name = "Fuzz",
    .identity = identity,
    .password = password,
    .policy = { .admission = ADMISSION_PASSWORD } };
  WireMessage m = { .type = WIRE_HELLO, .peer = 1, .hello.version = 1 };
  Session *session;

  now = 1000000;
  seeded_start (0);
  if (session_new (&config, now, now, &session) != SESSION_OK)
    abort ();
  identity_free (identity);
  secret_unref (password);
  drain (session);
  say (session, &m);
  if (owner) {
    m = (WireMessage){ .type = WIRE_OPENED };
    say (session, &m);
    if (session_state (session) != SESSION_MEMBER)
      abort ();
  }
  return session;
}

static void
in_order (Session *session, const uint8_t *message, size_t len)
{
  uint8_t *frame = g_malloc (WIRE_HEADER + len);
  Writer w = writer_init (frame, WIRE_HEADER + len);
  WireHeader header = { WIRE_COMMIT, session->hub.seq + 1, { 0 } };

  memcpy (header.room, session->hub.room, LIMIT_ROOM);
  wire_header_write (&w, &header);
  writer_bytes (&w, message, len);
  session_frame (session, true, frame, WIRE_HEADER + len);
  g_free (frame);
}

static void
act (Session *session, unsigned what)
{
  const uint8_t *own = identity_public_key (session->identity);
  Track track = { session_free_track (session), MEDIA_AUDIO, what + 1, 0,
    (char *) "OPUS", (char *) "" };

  switch (what % 10) {
    case 0:
      session_lock (session, what & 16);
      break;
    case 1:
      session_rotate (session);
      break;
    case 2:
      session_chat (session, "hello");
      break;
    case 3:
      session_track (session, &track);
      break;
    case 4:
      session_untrack (session, what);
      break;
    case 5:
      session_remove (session, own);
      break;
    case 6:
      session_admit (session, what);
      break;
    case 7:
      session_knock_again (session);
      break;
    case 8:
      session_recording (session, RECORDING_ON);
      break;
    default:
      if (what > 250)
        session_leave (session);
  }
}

static void
operate (Session *session, Reader *in)
{
  unsigned op = (unsigned) reader_uint (in, 1) % 7;
  size_t len =
      op == 2 || op == 3 || op == 6 ? 1 : (size_t) reader_uint (in, 2);
  const uint8_t *bytes = reader_take (in, len);
  Message message;

  if (!bytes)
    return;
  switch (op) {
    case 0:
      session_frame (session, false, bytes, len);
      break;
    case 1:
      session_frame (session, true, bytes, len);
      break;
    case 2:
      now += 1000 * (uint64_t) *bytes;
      session_tick (session, now, now);
      break;
    case 3:
      session_disconnected (session);
      now += *bytes;
      session_tick (session, now, now);
      break;
    case 4:
      in_order (session, bytes, len);
      break;
    case 5:
      if (session->group
          && message_read ((const char *) bytes, len, &message) == JSON_OK) {
        talk_take (session, 0, session_epoch (session), &message);
        message_clear (&message);
      }
      break;
    default:
      act (session, *bytes);
  }
  drain (session);
  if (session->guests->len > LIMIT_KNOCKS_OUT + LIMIT_WAITING + 1
      || session->own.length > LIMIT_OWN_PENDING)
    abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static bool ready;

  if (!ready) {
    seeded_install ();
    ready = core_init ();
  }
  if (size == 0)
    return 0;
  Session *session = start (*data & 1);
  Reader in = reader_init (data + 1, size - 1);
  while (reader_left (&in) > 0) {
    bool over = session_is_over (session);
    operate (session, &in);
    if (over && !session_is_over (session))
      abort ();
  }
  session_free (session);
  return 0;
}

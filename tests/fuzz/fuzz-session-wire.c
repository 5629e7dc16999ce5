/* What a hub, a client or a member may send: every parser of the session. What parses is written and read again, and must
 * come to the same. The first byte chooses the parser.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/session/messages.h"
#include "ext/session/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
fuzz_wire (const char *text, size_t size, unsigned from)
{
  WireMessage m, again;
  size_t len, len2;

  if (wire_read (text, size, from, &m) != JSON_OK)
    return;
  char *one = wire_write (&m, from, &len);
  if (!one || wire_read (one, len, from, &again) != JSON_OK)
    abort ();
  char *two = wire_write (&again, from, &len2);
  if (!two || len != len2 || memcmp (one, two, len) != 0)
    abort ();
  g_free (one);
  g_free (two);
  wire_clear (&m, from);
  wire_clear (&again, from);
}

static void
fuzz_message (const char *text, size_t size)
{
  Message m, again;
  size_t len, len2;

  if (message_read (text, size, &m) != JSON_OK)
    return;
  char *one = message_write (&m, &len);
  /* What was escaped more tersely than we write it may be too long for us to say. */
  if (one) {
    if (message_read (one, len, &again) != JSON_OK)
      abort ();
    char *two = message_write (&again, &len2);
    if (!two || len != len2 || memcmp (one, two, len) != 0)
      abort ();
    g_free (two);
    message_clear (&again);
  }
  g_free (one);
  message_clear (&m);
}

static void
fuzz_policy (const uint8_t *data, size_t size)
{
  Policy policy;
  uint8_t room[POLICY_MAX_SIZE];
  Writer w = writer_init (room, sizeof room);

  if (policy_parse (reader_init (data, size), &policy) != POLICY_OK)
    return;
  policy_write (&w, &policy);
  if (w.failed || writer_len (&w) != size || memcmp (room, data, size) != 0)
    abort ();
}

static void
fuzz_frame (const uint8_t *data, size_t size)
{
  Reader in = reader_init (data, size);
  uint8_t room[WIRE_HEADER];
  Writer w = writer_init (room, sizeof room);
  WireHeader header;

  if (!wire_header_parse (&in, &header))
    return;
  wire_header_write (&w, &header);
  if (w.failed || memcmp (room, data, sizeof room) != 0)
    abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static bool ready;
  const uint8_t *key;
  Message message;
  Role role;

  if (!ready)
    ready = core_init ();
  if (size == 0)
    return 0;
  unsigned what = *data % 8;
  size--;
  /* Of its exact size, so that a sanitizer sees one byte too many. */
  uint8_t *exact = malloc (size > 0 ? size : 1);
  memcpy (exact, data + 1, size);
  Reader in = reader_init (exact, size);
  switch (what) {
    case 0:
      fuzz_wire ((const char *) exact, size, WIRE_FROM_CLIENT);
      break;
    case 1:
      fuzz_wire ((const char *) exact, size, WIRE_FROM_HUB);
      break;
    case 2:
      fuzz_message ((const char *) exact, size);
      break;
    case 3:
      fuzz_policy (exact, size);
      break;
    case 4:
      fuzz_frame (exact, size);
      break;
    case 5:
      while (snapshot_next (&in, &key, &message))
        message_clear (&message);
      break;
    case 6:
      role_parse (in, &role);
      break;
    default:
      if (name_is_valid ((const char *) exact, size)
          && memchr (exact, 0, size))
        abort ();
      name_is_normal ((const char *) exact, size);
  }
  free (exact);
  return 0;
}

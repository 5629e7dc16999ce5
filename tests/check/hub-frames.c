/* The meter of a client's WebSocket frames.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/hub/edge.h"
#include "ext/hub/wsmeter.h"

#include <string.h>

#define LIMIT 70000

/* A frame of `len` bytes of zeros behind its header, masked or not. */
static GByteArray *
frame (guint8 first, guint64 len, gboolean masked, gsize payload)
{
  GByteArray *out = g_byte_array_new ();
  guint8 head[14] = { first };
  guint n = 2;

  head[1] = (guint8) ((masked ? 0x80 : 0)
                      | (len < 126      ? len
                          : len < 65536 ? 126
                                        : 127));
  for (int shift = len < 126     ? -8
                   : len < 65536 ? 8
                                 : 56;
       shift >= 0; shift -= 8)
    head[n++] = (guint8) (len >> shift);
  g_byte_array_append (out, head, n + (masked ? 4 : 0));
  n = out->len;
  g_byte_array_set_size (out, n + (guint) payload);
  memset (out->data + n, 0, payload);
  return out;
}

static gboolean
take (WsMeter *meter, guint8 first, guint64 len)
{
  g_autoptr (GByteArray) bytes = frame (first, len, TRUE, (gsize) len);
  return ws_meter_take (meter, bytes->data, bytes->len, 0);
}

/* RFC 6455, 5.2: each form of the length, at its ends. */
GST_START_TEST (each_form_of_the_length_is_understood)
{
  static const guint64 lengths[] = { 0, 1, 125, 126, 127, 255, 256, 65535,
    65536, LIMIT };

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++) {
    for (guint masked = 0; masked < 2; masked++) {
      WsMeter meter = { .limit = LIMIT };
      g_autoptr (GByteArray) bytes =
          frame (0x82, lengths[i], masked, (gsize) lengths[i]);
      fail_unless (ws_meter_take (&meter, bytes->data, bytes->len - 1, 0));
      fail_unless_equals_uint64 (meter.frames, 0);
      fail_unless (ws_meter_take (&meter, bytes->data + bytes->len - 1, 1, 0));
      fail_unless_equals_uint64 (meter.frames, 1);
      /* It stands at the next frame's first byte. */
      fail_unless (take (&meter, 0x82, 3));
      fail_unless_equals_uint64 (meter.frames, 2);
    }
  }
}
GST_END_TEST

/* Before a byte of it came. */
GST_START_TEST (a_frame_that_says_too_much_is_refused_at_its_header)
{
  static const guint64 lengths[] = { LIMIT + 1, 1u << 31, G_MAXINT64,
    G_MAXUINT64 };

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++) {
    WsMeter meter = { .limit = LIMIT };
    g_autoptr (GByteArray) bytes = frame (0x82, lengths[i], TRUE, 0);
    fail_unless (ws_meter_take (&meter, bytes->data, bytes->len - 1, 0));
    fail_if (ws_meter_take (&meter, bytes->data + bytes->len - 1, 1, 0));
  }
}
GST_END_TEST

GST_START_TEST (a_message_of_fragments_has_the_limit_of_one_frame)
{
  WsMeter meter = { .limit = LIMIT };

  for (guint message = 0; message < 3; message++) {
    fail_unless (take (&meter, 0x01, LIMIT - 10));
    fail_unless (take (&meter, 0x89, 5)); /* a ping in between is none of it */
    fail_unless (take (&meter, 0x80, 10));
  }
  fail_unless (take (&meter, 0x01, LIMIT - 10));
  fail_if (take (&meter, 0x80, 11));

  meter = (WsMeter){ .limit = LIMIT };
  fail_unless (take (&meter, 0x01, 0));
  for (guint i = 1; i < HUB_EDGE_FRAGMENTS; i++)
    fail_unless (take (&meter, 0x00, 0));
  fail_if (take (&meter, 0x80, 0));
}
GST_END_TEST

GST_START_TEST (control_frames_are_small_and_few)
{
  g_autoptr (GByteArray) ping = frame (0x89, 125, TRUE, 125);
  WsMeter meter = { .limit = LIMIT };

  fail_if (take (&(WsMeter){ .limit = LIMIT }, 0x89, 126)); /* RFC 6455, 5.5 */
  for (guint i = 0; i < HUB_EDGE_CONTROLS_BURST; i++)
    fail_unless (ws_meter_take (&meter, ping->data, ping->len, 1000));
  fail_if (ws_meter_take (&meter, ping->data, ping->len,
      1000 + 1000 / HUB_EDGE_CONTROLS_RATE - 1));

  meter = (WsMeter){ .limit = LIMIT };
  for (guint i = 0; i < 500; i++)
    fail_unless (ws_meter_take (
        &meter, ping->data, ping->len, i * 1000 / HUB_EDGE_CONTROLS_RATE));
}
GST_END_TEST

static Suite *
hub_frames_suite (void)
{
  Suite *s = suite_create ("hub-frames");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, each_form_of_the_length_is_understood);
  tcase_add_test (tc, a_frame_that_says_too_much_is_refused_at_its_header);
  tcase_add_test (tc, a_message_of_fragments_has_the_limit_of_one_frame);
  tcase_add_test (tc, control_frames_are_small_and_few);
  return s;
}

PURE_CHECK_MAIN (hub_frames)

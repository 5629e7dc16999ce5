/* srtpprotect and srtpunprotect: their keys, and what the user is told of them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpharness.h"

/* --- Keys --- */

GST_START_TEST (rekeying_on_both_sides_loses_nothing)
{
  GstElement *protect = gst_element_factory_make ("srtpprotect", NULL),
             *unprotect = gst_element_factory_make ("srtpunprotect", NULL);
  gboolean ok;

  for (guint with_mki = 0; with_mki < 2; with_mki++) {
    GBytes *key[] = { NULL, key_bytes (1), key_bytes (2), key_bytes (3) };
    GBytes *mki[] = { NULL, with_mki ? g_bytes_new ("AAAA", 4) : NULL,
      with_mki ? g_bytes_new ("BBBB", 4) : NULL,
      with_mki ? g_bytes_new ("CCCC", 4) : NULL };
    gst_object_unref (gst_object_ref_sink (protect));
    gst_object_unref (gst_object_ref_sink (unprotect));
    protect = gst_element_factory_make ("srtpprotect", NULL);
    unprotect = gst_element_factory_make ("srtpunprotect", NULL);
    g_signal_emit_by_name (protect, "set-key", key[1], mki[1], &ok);
    fail_unless (ok);
    g_signal_emit_by_name (unprotect, "set-key", key[1], mki[1], &ok);
    fail_unless (ok);
    GstHarness *out = gst_harness_new_with_element (
                   protect, "rtp_sink_0", "rtp_src_0"),
               *in = gst_harness_new_with_element (
                   unprotect, "rtp_sink", "rtp_src");
    gst_harness_set_src_caps_str (out, RTP_CAPS);
    gst_harness_set_src_caps_str (in, SRTP_CAPS);
    for (guint16 seq = 1; seq < 300; seq++) {
      if (seq % 100 == 0)
        g_signal_emit_by_name (
            unprotect, "rekey", key[seq / 100 + 1], mki[seq / 100 + 1], &ok);
      if (seq % 100 == 50 && seq > 100)
        g_signal_emit_by_name (
            protect, "rekey", key[seq / 100 + 1], mki[seq / 100 + 1], &ok);
      fail_unless (ok);
      GstBuffer *buffer = gst_harness_push_and_pull (out, rtp_buffer (seq));
      fail_unless_equals_uint64 (
          gst_buffer_get_size (buffer), 12 + PAYLOAD + 16 + 4 * with_mki);
      buffer = gst_harness_push_and_pull (in, buffer);
      check_rtp (buffer, seq);
      gst_buffer_unref (buffer);
    }
    fail_unless_equals_uint64 (stat_of (unprotect, "delivered"), 299);
    for (guint i = 1; i < 4; i++) {
      g_bytes_unref (key[i]);
      g_clear_pointer (&mki[i], g_bytes_unref);
    }
    gst_harness_teardown (out);
    gst_harness_teardown (in);
  }
  gst_object_unref (protect);
  gst_object_unref (unprotect);
}
GST_END_TEST;

GST_START_TEST (late_joiner_is_told_the_roc)
{
  GstHarness *out = protect_harness (1), *in = unprotect_harness (1);
  gint64 roc, index;
  gboolean ok;

  for (guint i = 1; i <= 70000; i += 1000)
    gst_buffer_unref (
        gst_harness_push_and_pull (out, rtp_buffer ((guint16) i)));
  g_signal_emit_by_name (out->element, "get-roc", SSRC, &roc);
  fail_unless_equals_int64 (roc, 1);
  g_signal_emit_by_name (out->element, "get-index", SSRC, &index);
  fail_unless_equals_int64 (index, 69001);
  g_signal_emit_by_name (in->element, "get-roc", SSRC, &roc);
  fail_unless_equals_int64 (roc, -1);
  g_signal_emit_by_name (in->element, "set-roc", SSRC, (guint) 1, &ok);
  fail_unless (ok);
  GstBuffer *buffer =
      gst_harness_push_and_pull (out, rtp_buffer ((guint16) 70001));
  buffer = gst_harness_push_and_pull (in, buffer);
  check_rtp (buffer, (guint16) 70001);
  gst_buffer_unref (buffer);
  g_signal_emit_by_name (in->element, "set-roc", SSRC, (guint) 0, &ok);
  fail_if (ok);
  g_signal_emit_by_name (in->element, "set-index", SSRC, (guint64) 5, &ok);
  fail_if (ok);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
}
GST_END_TEST;

static guint asked;

/* Reads the element's state from inside, as an application does: that must not hang. */
static GBytes *
give_key (GstElement *element, guint ssrc, gpointer unused)
{
  GstStructure *stats;
  gint64 roc;

  asked++;
  g_object_get (element, "stats", &stats, NULL);
  gst_structure_free (stats);
  g_signal_emit_by_name (element, "get-roc", ssrc, &roc);
  return ssrc == SSRC ? key_bytes (2) : NULL;
}

GST_START_TEST (request_key_is_asked_once_per_ssrc_without_a_lock_and_bounded)
{
  GstElement *element = gst_element_factory_make ("srtpunprotect", NULL);
  srtp_t sender = raw_of (SRTP_SEND, 2);
  guint8 bytes[256];

  asked = 0;
  g_object_set (element, "max-ssrcs", 20, NULL);
  g_signal_connect (element, "request-key", G_CALLBACK (give_key), NULL);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink", "rtp_src");
  gst_harness_set_src_caps_str (h, SRTP_CAPS);
  for (guint16 seq = 1; seq < 30; seq++) {
    GstBuffer *buffer =
        gst_harness_push_and_pull (h, srtp_buffer (sender, seq));
    check_rtp (buffer, seq);
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_int (asked, 1);
  for (guint round = 0; round < 2; round++)
    for (guint32 ssrc = 1; ssrc <= 100; ssrc++) {
      gsize len = make_rtp (bytes, sizeof bytes, ssrc, 1, 0, -1, 60);
      fail_unless_equals_int (
          gst_harness_push (h, gst_buffer_new_memdup (bytes, len)),
          GST_FLOW_OK);
    }
  fail_unless (asked >= 20 && asked < 80, "%u questions", asked);
  fail_unless_equals_uint64 (stat_of (element, "no-key"), 200);
  check_sum (element, 229);
  guint before = asked;
  g_signal_emit_by_name (element, "remove-key", SSRC);
  gst_buffer_unref (gst_harness_push_and_pull (h, srtp_buffer (sender, 30)));
  fail_unless_equals_int (asked, before + 1);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
  gst_object_unref (element);
}
GST_END_TEST;

/* --- What the user is told --- */

GST_START_TEST (wrong_key_is_a_warning_once_and_an_error_if_asked)
{
  GstHarness *h = unprotect_harness (1);
  GstBus *bus = watch_bus (h->element);
  srtp_t wrong = raw_of (SRTP_SEND, 2), right = raw_of (SRTP_SEND, 1);
  GstFlowReturn flow = GST_FLOW_OK;

  for (guint16 seq = 1; seq < 20; seq++)
    fail_unless_equals_int (
        gst_harness_push (h, srtp_buffer (wrong, seq)), GST_FLOW_OK);
  fail_unless_says (bus, GST_MESSAGE_WARNING, "01020304 is not authentic");
  fail_unless (gst_bus_pop (bus) == NULL);
  fail_unless_equals_uint64 (stat_of (h->element, "auth-failed"), 19);

  /* The right sender comes: told as well, and the count starts anew. */
  gst_buffer_unref (gst_harness_push_and_pull (h, srtp_buffer (right, 1)));
  g_autoptr (GstMessage) message = gst_bus_pop (bus);
  fail_unless (
      message && gst_message_has_name (message, "conclave-srtp-recovered"));

  g_object_set (h->element, "error-after", 5, NULL);
  for (guint16 seq = 20; flow == GST_FLOW_OK && seq < 40; seq++)
    flow = gst_harness_push (h, srtp_buffer (wrong, seq));
  fail_unless_equals_int (flow, GST_FLOW_ERROR);
  fail_unless_equals_uint64 (stat_of (h->element, "auth-failed"), 19 + 5);
  fail_unless_says (bus, GST_MESSAGE_ERROR, "last 5 packets");
  drop_bus (h->element, bus);
  srtp_dealloc (wrong);
  srtp_dealloc (right);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* factory, properties, and what the error says. */
static const struct
{
  const gchar *launch, *says;
} misconfigured[] = {
  { "srtpprotect name=e key=0011", "aes-256-gcm needs 44 bytes" },
  { "srtpprotect name=e key=\"what is this\"",
      "neither hexadecimal nor base64" },
  { "srtpprotect name=e key=\"\"", "neither hexadecimal nor base64" },
  { "srtpunprotect name=e key-location=/nonexistent/key",
      "Could not read the key file \"/nonexistent/key\"" },
  { "srtpunprotect name=e key=00 key-location=/nonexistent/key",
      "set only one" },
  { "srtpunprotect name=e key=00 rtp-cipher=aes-128-icm",
      "aes-128-icm needs 30 bytes" },
  { "srtpprotect name=e rtp-auth=hmac-sha1-80",
      "set rtp-auth to auto or null" },
  { "srtpprotect name=e rtp-cipher=aes-256-icm rtp-auth=null",
      "RTP without authentication is refused" },
  { "srtpprotect name=e rtcp-cipher=aes-128-icm", "do not mix" },
  { "srtpprotect name=e rtp-cipher=aes-128-icm backend=gnutls", "backend" },
  { "srtpprotect name=e mki=zz", "MKI" },
};

GST_START_TEST (misconfiguration_is_an_error_that_says_what_to_do)
{
  g_autoptr (GError) error = NULL;
  GstElement *element = gst_parse_launch (misconfigured[__i__].launch, &error);
  fail_unless (element && !error);
  GstBus *bus = watch_bus (element);

  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_READY),
      GST_STATE_CHANGE_FAILURE);
  fail_unless_says (bus, GST_MESSAGE_ERROR, misconfigured[__i__].says);
  gst_element_set_state (element, GST_STATE_NULL);
  drop_bus (element, bus);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (without_a_key_the_first_packet_is_an_error)
{
  GstElement *protect = gst_element_factory_make ("srtpprotect", NULL),
             *unprotect = gst_element_factory_make ("srtpunprotect", NULL);
  GstHarness *out = gst_harness_new_with_element (
                 protect, "rtp_sink_0", "rtp_src_0"),
             *in = gst_harness_new_with_element (
                 unprotect, "rtp_sink", "rtp_src");
  GstBus *out_bus = watch_bus (protect), *in_bus = watch_bus (unprotect);
  gboolean ok;

  gst_harness_set_src_caps_str (out, RTP_CAPS);
  gst_harness_set_src_caps_str (in, SRTP_CAPS);
  fail_unless_equals_int (
      gst_harness_push (out, rtp_buffer (1)), GST_FLOW_ERROR);
  fail_unless_says (out_bus, GST_MESSAGE_ERROR, "has no key");
  fail_unless_equals_int (
      gst_harness_push (in, rtp_buffer (1)), GST_FLOW_ERROR);
  fail_unless_says (in_bus, GST_MESSAGE_ERROR, "has no key");
  fail_unless_equals_int ((int) gst_harness_buffers_in_queue (out), 0);

  /* Cleared while it runs: dropped, with one warning. */
  g_autoptr (GBytes) key = key_bytes (1);
  g_signal_emit_by_name (protect, "set-key", key, NULL, &ok);
  gst_buffer_unref (gst_harness_push_and_pull (out, rtp_buffer (1)));
  g_signal_emit_by_name (protect, "clear-keys");
  fail_unless_equals_int (gst_harness_push (out, rtp_buffer (2)), GST_FLOW_OK);
  fail_unless_equals_int (gst_harness_push (out, rtp_buffer (3)), GST_FLOW_OK);
  fail_unless_says (out_bus, GST_MESSAGE_WARNING, "set-key");
  fail_unless (gst_bus_pop (out_bus) == NULL);
  drop_bus (protect, out_bus);
  drop_bus (unprotect, in_bus);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
  gst_object_unref (protect);
  gst_object_unref (unprotect);
}
GST_END_TEST;

GST_START_TEST (key_lifetime_is_a_message_and_then_a_stop)
{
  GstElement *element = gst_element_factory_make ("srtpprotect", NULL);
  g_object_set (
      element, "key", key_text (1), "key-lifetime", (guint64) 32, NULL);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink_0", "rtp_src_0");
  GstBus *bus = watch_bus (element);
  g_autoptr (GBytes) next = key_bytes (2);
  gboolean ok;

  gst_harness_set_src_caps_str (h, RTP_CAPS);
  for (guint16 seq = 1; seq <= 32; seq++)
    gst_buffer_unref (gst_harness_push_and_pull (h, rtp_buffer (seq)));
  g_autoptr (GstMessage) message = gst_bus_pop (bus);
  fail_unless (
      message && gst_message_has_name (message, "conclave-srtp-soft-limit"));
  fail_unless_equals_int (
      gst_harness_push (h, rtp_buffer (33)), GST_FLOW_ERROR);
  fail_unless_says (bus, GST_MESSAGE_ERROR, "rekey");
  fail_unless_equals_int ((int) gst_harness_buffers_in_queue (h), 0);
  g_signal_emit_by_name (element, "rekey", next, NULL, &ok);
  fail_unless (ok);
  gst_buffer_unref (gst_harness_push_and_pull (h, rtp_buffer (34)));
  drop_bus (element, bus);
  gst_harness_teardown (h);
  gst_object_unref (element);
}
GST_END_TEST;

static Suite *
srtpelementkeys_suite (void)
{
  Suite *suite = suite_create ("srtpelementkeys");
  TCase *tc = tcase_create ("keys");

  core_init ();
  suite_add_tcase (suite, tc);
  tcase_add_test (tc, rekeying_on_both_sides_loses_nothing);
  tcase_add_test (tc, late_joiner_is_told_the_roc);
  tcase_add_test (
      tc, request_key_is_asked_once_per_ssrc_without_a_lock_and_bounded);
  tcase_add_test (tc, wrong_key_is_a_warning_once_and_an_error_if_asked);
  tcase_add_loop_test (tc, misconfiguration_is_an_error_that_says_what_to_do,
      0, (int) G_N_ELEMENTS (misconfigured));
  tcase_add_test (tc, without_a_key_the_first_packet_is_an_error);
  tcase_add_test (tc, key_lifetime_is_a_message_and_then_a_stop);
  return suite;
}

GST_CHECK_MAIN (srtpelementkeys)

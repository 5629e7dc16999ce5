/* srtpprotect and srtpunprotect: their keys, and what the user is told of them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpharness.h"

#include <glib/gstdio.h>

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

/* A change of settings makes another session, by way of the properties of row 0 to 2 without another key length. */
static const gchar *const changes[][2] = { { "backend", "libsrtp2" },
  { "rtcp-cipher", "aes-128-gcm" }, { "backend", "gnutls" } };

GST_START_TEST (a_key_that_nothing_has_used_survives_a_change_of_settings)
{
  GstElement *element = gst_element_factory_make ("srtpprotect", NULL);
  GstBus *bus = watch_bus (element);
  g_autoptr (GBytes) key = key_bytes (1);
  srtp_t receiver = raw_of (SRTP_RECEIVE, 1);
  gboolean ok;

  g_signal_emit_by_name (element, "set-key", key, NULL, &ok);
  fail_unless (ok);
  gst_util_set_object_arg (
      G_OBJECT (element), changes[__i__][0], changes[__i__][1]);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink_0", "rtp_src_0");
  gst_harness_set_src_caps_str (h, RTP_CAPS);
  GstBuffer *buffer = gst_harness_push_and_pull (h, rtp_buffer (1));
  check_srtp (receiver, buffer, 1);
  gst_buffer_unref (buffer);
  fail_unless (
      gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR)
      == NULL);

  /* Now it was used: another session does not know for what. */
  gst_element_set_state (element, GST_STATE_READY);
  gst_util_set_object_arg (G_OBJECT (element), changes[__i__][0], "auto");
  gst_element_set_state (element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (h, RTP_CAPS);
  g_signal_emit_by_name (element, "set-key", key, NULL, &ok);
  fail_if (ok);
  fail_unless_says (bus, GST_MESSAGE_WARNING, "used here before");
  g_autoptr (GBytes) other = key_bytes (2);
  srtp_t second_receiver = raw_of (SRTP_RECEIVE, 2);
  g_signal_emit_by_name (element, "set-key", other, NULL, &ok);
  fail_unless (ok);
  buffer = gst_harness_push_and_pull (h, rtp_buffer (2));
  check_srtp (second_receiver, buffer, 2);
  gst_buffer_unref (buffer);
  drop_bus (element, bus);
  srtp_dealloc (receiver);
  srtp_dealloc (second_receiver);
  gst_harness_teardown (h);
  gst_object_unref (element);
}
GST_END_TEST;

static void
write_key (const gchar *path, guint key)
{
  fail_unless (g_file_set_contents (path, key_text (key), -1, NULL));
}

static void
start_again (GstHarness *h)
{
  gst_element_set_state (h->element, GST_STATE_NULL);
  fail_unless (gst_element_set_state (h->element, GST_STATE_PLAYING)
               != GST_STATE_CHANGE_FAILURE);
  gst_harness_set_src_caps_str (h, RTP_CAPS);
}

static void
fail_unless_sent_under (GstHarness *h, guint key, guint16 seq)
{
  srtp_t receiver = raw_of (SRTP_RECEIVE, key);
  GstBuffer *buffer = gst_harness_push_and_pull (h, rtp_buffer (seq));
  check_srtp (receiver, buffer, seq);
  gst_buffer_unref (buffer);
  srtp_dealloc (receiver);
}

GST_START_TEST (a_key_file_is_read_at_each_start)
{
  GstElement *element = gst_element_factory_make ("srtpprotect", NULL);
  g_autofree gchar *dir = g_dir_make_tmp ("srtpkeyXXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (dir, "key", NULL);
  g_autoptr (GBytes) live = key_bytes (2);
  gboolean ok;

  write_key (path, 0);
  g_object_set (element, "key-location", path, NULL);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink_0", "rtp_src_0");
  gst_harness_set_src_caps_str (h, RTP_CAPS);
  fail_unless_sent_under (h, 0, 1);
  start_again (h); /* the same key: it goes on */
  fail_unless_sent_under (h, 0, 2);
  write_key (path, 1);
  start_again (h);
  fail_unless_sent_under (h, 1, 3);
  /* A later key by action stays, while the file says nothing new. */
  g_signal_emit_by_name (element, "rekey", live, NULL, &ok);
  fail_unless (ok);
  start_again (h);
  fail_unless_sent_under (h, 2, 4);
  write_key (path, 3);
  start_again (h);
  fail_unless_sent_under (h, 3, 5);
  fail_unless_equals_uint64 (stat_of (element, "protected"), 5);
  g_remove (path);
  g_rmdir (dir);
  gst_harness_teardown (h);
  gst_object_unref (element);
}
GST_END_TEST;

/* Row 0: "key", 1: "key-location"; 2: and then an action gives another. */
GST_START_TEST (a_key_that_is_taken_away_is_gone)
{
  GstElement *element = gst_element_factory_make ("srtpprotect", NULL);
  g_autofree gchar *dir = g_dir_make_tmp ("srtpkeyXXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (dir, "key", NULL);
  g_autoptr (GBytes) live = key_bytes (2);
  const gchar *property = __i__ == 1 ? "key-location" : "key";
  gboolean ok;

  write_key (path, 1);
  g_object_set (element, property, __i__ == 1 ? path : key_text (1), NULL);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink_0", "rtp_src_0");
  gst_harness_set_src_caps_str (h, RTP_CAPS);
  fail_unless_sent_under (h, 1, 1);
  gst_element_set_state (element, GST_STATE_NULL);
  g_object_set (element, property, NULL, NULL);
  if (__i__ == 2) {
    g_signal_emit_by_name (element, "set-key", live, NULL, &ok);
    fail_unless (ok);
  }
  start_again (h);
  if (__i__ == 2) {
    fail_unless_sent_under (h, 2, 2);
  } else {
    gst_harness_push (h, rtp_buffer (2));
    fail_unless_equals_int ((int) gst_harness_buffers_in_queue (h), 0);
    fail_unless_equals_uint64 (stat_of (element, "no-key"), 1);
  }
  g_remove (path);
  g_rmdir (dir);
  gst_harness_teardown (h);
  gst_object_unref (element);
}
GST_END_TEST;

/* The key for all, too, comes back with what it knows. */
GST_START_TEST (a_cleared_key_that_is_set_again_accepts_no_replay)
{
  GstHarness *h = unprotect_harness (1);
  srtp_t sender = raw_of (SRTP_SEND, 1);
  g_autoptr (GBytes) key = key_bytes (1);
  GstBuffer *old = srtp_buffer (sender, 65535);
  gboolean ok;

  fail_unless (passes (h, gst_buffer_ref (old)));
  fail_unless (passes (h, srtp_buffer (sender, 0))); /* ROC 1 */
  g_signal_emit_by_name (h->element, "clear-keys");
  fail_if (passes (h, srtp_buffer (sender, 1)));
  g_signal_emit_by_name (h->element, "set-key", key, NULL, &ok);
  fail_unless (ok);
  fail_if (passes (h, old));
  fail_unless (passes (h, srtp_buffer (sender, 2)));
  check_sum (h->element, 5);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* A ROC that is told before there is a key, and before set-key. */
GST_START_TEST (a_told_roc_waits_for_the_key)
{
  GstHarness *out = protect_harness (1);
  GstElement *element = gst_element_factory_make ("srtpunprotect", NULL);
  g_autoptr (GBytes) key = key_bytes (1);
  gboolean ok;

  for (guint i = 1; i <= 70000; i += 1000)
    gst_buffer_unref (
        gst_harness_push_and_pull (out, rtp_buffer ((guint16) i)));
  GstHarness *in =
      gst_harness_new_with_element (element, "rtp_sink", "rtp_src");
  gst_harness_set_src_caps_str (in, SRTP_CAPS);
  g_signal_emit_by_name (element, "set-roc", SSRC, 1u, &ok);
  fail_unless (ok);
  g_signal_emit_by_name (element, "set-key", key, NULL, &ok);
  fail_unless (ok);
  GstBuffer *buffer =
      gst_harness_push_and_pull (out, rtp_buffer ((guint16) 70001));
  fail_unless (passes (in, buffer));
  gst_harness_teardown (out);
  gst_harness_teardown (in);
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

static const gchar *const mkis[][3] = {
  /* of the sender, of the receiver, what the warning says */
  { "01020304", "01020305", "has the MKI of no key" },
  { NULL, "01020305", "has the MKI of no key" },
  { "01020304", NULL, "\"mki\" differ" },
};

GST_START_TEST (a_wrong_or_missing_mki_is_told_once_per_ssrc)
{
  GstElement *protect = gst_element_factory_make ("srtpprotect", NULL),
             *unprotect = gst_element_factory_make ("srtpunprotect", NULL);
  GstBus *bus = watch_bus (unprotect);

  g_object_set (protect, "key", key_text (1), "mki", mkis[__i__][0], NULL);
  g_object_set (unprotect, "key", key_text (1), "mki", mkis[__i__][1], NULL);
  GstHarness *out = gst_harness_new_with_element (
                 protect, "rtp_sink_0", "rtp_src_0"),
             *in = gst_harness_new_with_element (
                 unprotect, "rtp_sink", "rtp_src");
  gst_harness_set_src_caps_str (out, RTP_CAPS);
  gst_harness_set_src_caps_str (in, SRTP_CAPS);
  for (guint16 seq = 1; seq < 30; seq++)
    for (guint32 ssrc = 1; ssrc <= 2; ssrc++)
      fail_if (passes (
          in, gst_harness_push_and_pull (out, rtp_buffer_of (ssrc, seq))));
  for (guint i = 0; i < 2; i++)
    fail_unless_says (bus, GST_MESSAGE_WARNING, mkis[__i__][2]);
  fail_unless (gst_bus_pop (bus) == NULL);
  drop_bus (unprotect, bus);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
  gst_object_unref (protect);
  gst_object_unref (unprotect);
}
GST_END_TEST;

/* That somebody sends invented SSRCs first does not hide that a sender has another key. */
GST_START_TEST (invented_ssrcs_do_not_silence_a_warning)
{
  GstHarness *h = unprotect_harness (1);
  GstBus *bus = watch_bus (h->element);
  srtp_t wrong = raw_of (SRTP_SEND, 2);
  gboolean told = FALSE;
  guint messages = 0;

  for (guint32 i = 0; i < 2000; i++)
    fail_if (passes (h, rtp_buffer_of (0x70000000u + i, 1)));
  gst_bus_set_flushing (bus, TRUE);
  gst_bus_set_flushing (bus, FALSE);
  for (guint16 seq = 1; seq < 3000 && !told; seq++) {
    fail_if (passes (h, srtp_buffer (wrong, seq)));
    GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
    if (message) {
      g_autoptr (GError) error = NULL;
      gst_message_parse_warning (message, &error, NULL);
      told = strstr (error->message, "01020304 is not") != NULL;
      gst_message_unref (message);
      messages++;
    }
  }
  fail_unless (told, "nothing is said of the sender with another key");
  fail_unless (messages < 5);
  drop_bus (h->element, bus);
  srtp_dealloc (wrong);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (a_full_table_of_streams_is_told_at_the_receiver)
{
  GstElement *element = gst_element_factory_make ("srtpunprotect", NULL);
  srtp_t sender = raw_of (SRTP_SEND, 1);
  g_object_set (element, "key", key_text (1), "max-ssrcs", 2, NULL);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink", "rtp_src");
  GstBus *bus = watch_bus (element);

  gst_harness_set_src_caps_str (h, SRTP_CAPS);
  for (guint16 seq = 1; seq < 20; seq++)
    for (guint32 ssrc = 1; ssrc <= 3; ssrc++)
      fail_unless (
          passes (h, srtp_buffer_of (sender, ssrc, seq)) == (ssrc <= 2));
  fail_unless_says (bus, GST_MESSAGE_WARNING, "SSRC 00000003");
  fail_unless (gst_bus_pop (bus) == NULL);
  fail_unless_equals_uint64 (stat_of (element, "too-many-ssrcs"), 19);
  drop_bus (element, bus);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
  gst_object_unref (element);
}
GST_END_TEST;

GST_START_TEST (a_spent_key_ends_the_stream_at_the_receiver)
{
  GstElement *element = gst_element_factory_make ("srtpunprotect", NULL);
  srtp_t sender = raw_of (SRTP_SEND, 1), next = raw_of (SRTP_SEND, 2);
  g_autoptr (GBytes) key = key_bytes (2);
  gboolean ok;

  g_object_set (
      element, "key", key_text (1), "key-lifetime", (guint64) 32, NULL);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink", "rtp_src");
  GstBus *bus = watch_bus (element);
  gst_harness_set_src_caps_str (h, SRTP_CAPS);
  for (guint16 seq = 1; seq <= 32; seq++)
    fail_unless (passes (h, srtp_buffer (sender, seq)));
  g_autoptr (GstMessage) message = gst_bus_pop (bus);
  fail_unless (
      message && gst_message_has_name (message, "conclave-srtp-soft-limit"));
  if (__i__ == 1) {
    /* The next key is there: nobody can end the stream with a packet that looks like one under the old key. */
    g_signal_emit_by_name (element, "rekey", key, NULL, &ok);
    fail_unless (ok);
    fail_if (passes (h, rtp_buffer (33)));
    fail_if (passes (h, srtp_buffer (sender, 34)));
    fail_unless (passes (h, srtp_buffer (next, 35)));
    fail_if (passes (h, rtp_buffer (36)));
    fail_unless (passes (h, srtp_buffer (next, 37)));
    fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR) == NULL);
  } else {
    fail_unless_equals_int (
        gst_harness_push (h, srtp_buffer (sender, 33)), GST_FLOW_ERROR);
    fail_unless_says (bus, GST_MESSAGE_ERROR, "rekey");
    fail_unless_equals_uint64 (stat_of (element, "key-spent"), 1);
  }
  gst_bus_set_flushing (bus, TRUE);
  drop_bus (element, bus);
  srtp_dealloc (sender);
  srtp_dealloc (next);
  gst_harness_teardown (h);
  gst_object_unref (element);
}
GST_END_TEST;

/* The others go on. */
GST_START_TEST (a_spent_key_of_one_ssrc_is_a_warning)
{
  GstElement *element = gst_element_factory_make ("srtpunprotect", NULL);
  srtp_t one = raw_of (SRTP_SEND, 1), two = raw_of (SRTP_SEND, 2);
  g_autoptr (GBytes) key1 = key_bytes (1), key2 = key_bytes (2);
  gboolean ok;

  g_object_set (element, "key-lifetime", (guint64) 40, NULL);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink", "rtp_src");
  GstBus *bus = watch_bus (element);
  gst_harness_set_src_caps_str (h, SRTP_CAPS);
  g_signal_emit_by_name (element, "rekey-ssrc", 1u, key1, NULL, &ok);
  fail_unless (ok);
  g_signal_emit_by_name (element, "rekey-ssrc", 2u, key2, NULL, &ok);
  fail_unless (ok);
  for (guint16 seq = 1; seq < 60; seq++) {
    fail_unless (passes (h, srtp_buffer_of (one, 1, seq)) == (seq <= 40));
    if (seq % 2)
      fail_unless (passes (h, srtp_buffer_of (two, 2, seq)));
  }
  fail_unless_says (bus, GST_MESSAGE_WARNING, "SSRC 00000001");
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING) == NULL);
  drop_bus (element, bus);
  srtp_dealloc (one);
  srtp_dealloc (two);
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
  tcase_add_loop_test (tc,
      a_key_that_nothing_has_used_survives_a_change_of_settings, 0,
      (int) G_N_ELEMENTS (changes));
  tcase_add_test (tc, a_key_file_is_read_at_each_start);
  tcase_add_loop_test (tc, a_key_that_is_taken_away_is_gone, 0, 3);
  tcase_add_test (tc, a_cleared_key_that_is_set_again_accepts_no_replay);
  tcase_add_test (tc, a_told_roc_waits_for_the_key);
  tcase_add_loop_test (tc, a_wrong_or_missing_mki_is_told_once_per_ssrc, 0,
      (int) G_N_ELEMENTS (mkis));
  tcase_add_test (tc, invented_ssrcs_do_not_silence_a_warning);
  tcase_add_test (tc, a_full_table_of_streams_is_told_at_the_receiver);
  tcase_add_loop_test (tc, a_spent_key_ends_the_stream_at_the_receiver, 0, 2);
  tcase_add_test (tc, a_spent_key_of_one_ssrc_is_a_warning);
  return suite;
}

GST_CHECK_MAIN (srtpelementkeys)

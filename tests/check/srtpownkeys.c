/* srtpunprotect where each SSRC has a key of its own: `request-key`, `rekey-ssrc`, `remove-key`, and strangers who send
 * invented SSRCs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpharness.h"

#include <malloc.h>

/* What the application of a test knows, and does when asked. */
typedef struct
{
  guint asked;
  guint key;             /* its answer for SSRC, and for all others if */
  gboolean for_everyone; /* that is set */
  void (*then) (GstElement *element, guint ssrc, gpointer app);
  gpointer data;
} App;

static GBytes *
answer (GstElement *element, guint ssrc, App *app)
{
  app->asked++;
  if (app->then)
    app->then (element, ssrc, app);
  return app->key > 0 && (ssrc == SSRC || app->for_everyone)
             ? key_bytes (app->key)
             : NULL;
}

static GstHarness *
asking_harness (App *app, guint max_ssrcs)
{
  GstElement *element = gst_element_factory_make ("srtpunprotect", NULL);
  g_object_set (element, "max-ssrcs", max_ssrcs, NULL);
  g_signal_connect (element, "request-key", G_CALLBACK (answer), app);
  GstHarness *h =
      gst_harness_new_with_element (element, "rtp_sink", "rtp_src");
  gst_harness_set_src_caps_str (h, SRTP_CAPS);
  gst_object_unref (element);
  return h;
}

static void
restart (GstHarness *h, GstState by)
{
  gst_element_set_state (h->element, by);
  gst_element_set_state (h->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (h, SRTP_CAPS);
}

/* --- Replays --- */

static void
remove_it (GstHarness *h)
{
  g_signal_emit_by_name (h->element, "remove-key", SSRC);
}

static void
clear_it (GstHarness *h)
{
  g_signal_emit_by_name (h->element, "clear-keys");
}

static void
stop_it (GstHarness *h)
{
  restart (h, GST_STATE_READY);
}

static void
switch_it_off (GstHarness *h)
{
  restart (h, GST_STATE_NULL);
}

static void (*const takers[]) (
    GstHarness *h) = { remove_it, clear_it, stop_it, switch_it_off };

GST_START_TEST (a_key_that_comes_back_accepts_no_replay_and_counters_only_grow)
{
  App app = { .key = 1 };
  GstHarness *h = asking_harness (&app, 16);
  srtp_t sender = raw_of (SRTP_SEND, 1);
  GstBuffer *sent[20];
  guint64 received = 0;

  for (guint16 i = 0; i < 20; i++)
    sent[i] = srtp_buffer (sender, (guint16) (65530 + i));
  for (guint round = 0; round < 3; round++) {
    for (guint i = 0; i < 5 * (round + 1); i++, received++)
      fail_unless (passes (h, gst_buffer_ref (sent[i])) == (i >= 5 * round),
          "round %u: packet %u", round, i);
    fail_unless_equals_uint64 (
        stat_of (h->element, "delivered"), 5 * (round + 1));
    check_sum (h->element, received);
    takers[__i__](h);
    fail_unless_equals_uint64 (
        stat_of (h->element, "delivered"), 5 * (round + 1));
    check_sum (h->element, received);
  }
  fail_unless_equals_int (app.asked, 3);
  for (guint i = 0; i < 20; i++)
    gst_buffer_unref (sent[i]);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (a_key_that_was_followed_by_another_is_refused)
{
  App app = { .key = 1 };
  GstHarness *h = asking_harness (&app, 16);
  GstBus *bus = watch_bus (h->element);
  srtp_t one = raw_of (SRTP_SEND, 1), two = raw_of (SRTP_SEND, 2);
  GstBuffer *old = srtp_buffer (one, 1);

  fail_unless (passes (h, gst_buffer_ref (old)));
  remove_it (h);
  app.key = 2;
  fail_unless (passes (h, srtp_buffer (two, 2)));
  remove_it (h);
  app.key = 1;
  fail_if (passes (h, old));
  fail_unless_says (bus, GST_MESSAGE_WARNING, "used here before");
  drop_bus (h->element, bus);
  srtp_dealloc (one);
  srtp_dealloc (two);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* Nor is one for all taken that single SSRCs had, or the other way round: the windows lie elsewhere. */
GST_START_TEST (keys_of_single_ssrcs_and_of_all_do_not_mix)
{
  App app = { .key = 1 };
  GstHarness *h = asking_harness (&app, 16);
  GstBus *bus = watch_bus (h->element);
  srtp_t sender = raw_of (SRTP_SEND, 1), all = raw_of (SRTP_SEND, 2);
  GstBuffer *old = srtp_buffer (sender, 1);
  g_autoptr (GBytes) one = key_bytes (1), two = key_bytes (2);
  gboolean ok;

  fail_unless (passes (h, gst_buffer_ref (old)));
  g_signal_emit_by_name (h->element, "set-key", one, NULL, &ok);
  fail_if (ok);
  fail_unless_says (bus, GST_MESSAGE_WARNING, "used here before");
  g_signal_emit_by_name (h->element, "set-key", two, NULL, &ok);
  fail_unless (ok);
  fail_if (passes (h, old)); /* the key for all is the only one now */
  gst_bus_set_flushing (bus, TRUE);
  gst_bus_set_flushing (bus, FALSE);
  old = srtp_buffer (all, 2);
  fail_unless (passes (h, gst_buffer_ref (old)));
  clear_it (h);
  app.key = 2;
  fail_if (passes (h, old));
  gst_bus_set_flushing (bus, TRUE);
  drop_bus (h->element, bus);
  srtp_dealloc (sender);
  srtp_dealloc (all);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* The entries of keys that were taken away make room for others, but not for a replay. */
GST_START_TEST (a_removed_key_that_made_room_is_used_up)
{
  App app = { .key = 1, .for_everyone = TRUE };
  GstHarness *h = asking_harness (&app, 4);
  GstBus *bus = watch_bus (h->element);
  srtp_t sender = raw_of (SRTP_SEND, 1);
  GstBuffer *old = srtp_buffer_of (sender, 1, 1);

  for (guint32 ssrc = 1; ssrc <= 20; ssrc++) {
    guint tries = 0;
    while (!passes (h, ssrc == 1 && tries == 0 ? gst_buffer_ref (old)
                                               : srtp_buffer_of (sender, ssrc,
                                                   (guint16) (tries + 2))))
      fail_unless (++tries < 1000, "SSRC %u is never let in", ssrc);
    g_signal_emit_by_name (h->element, "remove-key", ssrc);
  }
  gst_bus_set_flushing (bus, TRUE);
  gst_bus_set_flushing (bus, FALSE);
  for (guint i = 0; i < 300; i++)
    fail_if (passes (h, gst_buffer_ref (old)));
  fail_unless_says (bus, GST_MESSAGE_WARNING, "used here before");
  drop_bus (h->element, bus);
  gst_buffer_unref (old);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* --- What a session for all can do --- */

GST_START_TEST (a_told_roc_reaches_the_key_of_its_ssrc)
{
  App app = { .key = 1 };
  GstHarness *out = protect_harness (1), *in = asking_harness (&app, 16);
  gint64 roc;
  gboolean ok;

  for (guint i = 1; i <= 70000; i += 1000)
    gst_buffer_unref (
        gst_harness_push_and_pull (out, rtp_buffer ((guint16) i)));
  if (__i__ == 0)
    g_signal_emit_by_name (in->element, "set-roc", SSRC, 1u, &ok);
  else
    g_signal_emit_by_name (
        in->element, "set-index", SSRC, G_GUINT64_CONSTANT (70000), &ok);
  fail_unless (ok);
  GstBuffer *buffer =
      gst_harness_push_and_pull (out, rtp_buffer ((guint16) 70001));
  buffer = gst_harness_push_and_pull (in, buffer);
  check_rtp (buffer, (guint16) 70001);
  gst_buffer_unref (buffer);
  g_signal_emit_by_name (in->element, "get-roc", SSRC, &roc);
  fail_unless_equals_int64 (roc, 1);
  g_signal_emit_by_name (in->element, "set-roc", SSRC, 0u, &ok);
  fail_if (ok);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
}
GST_END_TEST;

static GBytes *
mki_bytes (guint n)
{
  return n == 0 ? NULL : g_bytes_new (n == 1 ? "\x01\x02" : "\x03\x04", 2);
}

GST_START_TEST (rekey_of_one_ssrc_loses_nothing_with_and_without_mki)
{
  App app = { .key = 1 };
  GstElement *protect = gst_element_factory_make ("srtpprotect", NULL);
  GstHarness *out, *in = asking_harness (&app, 16);
  GstBus *bus = watch_bus (in->element);
  g_autoptr (GBytes) key1 = key_bytes (1), key2 = key_bytes (2),
                     mki1 = mki_bytes (__i__ ? 1 : 0),
                     mki2 = mki_bytes (__i__ ? 2 : 0);
  GstBuffer *late = NULL;
  gboolean ok;

  if (__i__) {
    gst_element_set_state (in->element, GST_STATE_READY);
    g_object_set (in->element, "mki", "0102", NULL);
    restart (in, GST_STATE_READY);
  }
  out = gst_harness_new_with_element (protect, "rtp_sink_0", "rtp_src_0");
  gst_harness_set_src_caps_str (out, RTP_CAPS);
  g_signal_emit_by_name (protect, "set-key", key1, mki1, &ok);
  fail_unless (ok);
  for (guint16 seq = 1; seq < 60; seq++) {
    if (seq == 20) {
      /* Which SSRC? */
      g_signal_emit_by_name (in->element, "rekey", key2, mki2, &ok);
      fail_if (ok);
      fail_unless_says (bus, GST_MESSAGE_WARNING, "rekey-ssrc");
      g_signal_emit_by_name (in->element, "rekey-ssrc", SSRC, key2, mki2, &ok);
      fail_unless (ok);
    }
    GstBuffer *buffer = gst_harness_push_and_pull (out, rtp_buffer (seq));
    if (seq == 39) {
      late = buffer;
      g_signal_emit_by_name (protect, "rekey", key2, mki2, &ok);
      fail_unless (ok);
      continue;
    }
    fail_unless (passes (in, buffer), "sequence number %u is lost", seq);
  }
  fail_unless (passes (in, late));
  fail_unless_equals_int (app.asked, 1);
  gst_bus_set_flushing (bus, TRUE);
  drop_bus (in->element, bus);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
  gst_object_unref (protect);
}
GST_END_TEST;

GST_START_TEST (a_refused_ssrc_is_asked_for_again_after_a_restart)
{
  App app = { .key = 0 };
  GstHarness *h = asking_harness (&app, 16);
  srtp_t sender = raw_of (SRTP_SEND, 1);

  for (guint16 seq = 1; seq < 5; seq++)
    fail_if (passes (h, srtp_buffer (sender, seq)));
  fail_unless_equals_int (app.asked, 1);
  app.key = 1;
  restart (h, GST_STATE_READY);
  fail_unless (passes (h, srtp_buffer (sender, 5)));
  fail_unless_equals_int (app.asked, 2);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (other_ciphers_want_other_sessions)
{
  App app = { .key = 1 };
  GstHarness *h = asking_harness (&app, 16);
  srtp_t gcm = raw_of (SRTP_SEND, 1);
  SrtpConfig config;

  fail_unless (passes (h, srtp_buffer (gcm, 1)));
  gst_element_set_state (h->element, GST_STATE_READY);
  /* ICM with the first 46 bytes of a key: answered below as it is, 44 bytes, it does not fit. */
  gst_util_set_object_arg (G_OBJECT (h->element), "rtp-cipher", "aes-256-icm");
  gst_element_set_state (h->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (h, SRTP_CAPS);
  GstBus *bus = watch_bus (h->element);
  fail_if (passes (h, srtp_buffer (gcm, 2)));
  fail_unless_says (bus, GST_MESSAGE_WARNING, "aes-256-icm needs 46 bytes");
  drop_bus (h->element, bus);

  srtp_config_init (&config, SRTP_SEND);
  config.rtp_cipher = config.rtcp_cipher = SRTP_AES_256_ICM;
  guint8 long_key[46];
  memset (long_key, 7, sizeof long_key);
  srtp_t icm = raw_new (&config, long_key);
  g_autoptr (GBytes) key = g_bytes_new (long_key, sizeof long_key);
  gboolean ok;
  g_signal_emit_by_name (h->element, "rekey-ssrc", SSRC, key, NULL, &ok);
  fail_unless (ok);
  fail_unless (passes (h, srtp_buffer (icm, 2)));
  fail_unless_equals_uint64 (stat_of (h->element, "delivered"), 2);
  srtp_dealloc (gcm);
  srtp_dealloc (icm);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* --- Strangers --- */

static void
push_forged (GstHarness *h, guint32 ssrc)
{
  guint8 bytes[256];
  gsize len = make_rtp (bytes, sizeof bytes, ssrc, 1, 0, -1, 60);
  GstFlowReturn flow =
      gst_harness_push (h, gst_buffer_new_memdup (bytes, len));
  if (flow != GST_FLOW_OK) /* libcheck's macros write a note each */
    fail ("%s", gst_flow_get_name (flow));
}

static guint
streams_in_stats (GstElement *element)
{
  GstStructure *stats;
  g_object_get (element, "stats", &stats, NULL);
  guint n =
      gst_value_array_get_size (gst_structure_get_value (stats, "streams"));
  gst_structure_free (stats);
  return n;
}

/* Whether the application refuses strangers or has a key for everyone: they do not keep a newcomer out, and build no more
 * sessions than a few. */
GST_START_TEST (strangers_do_not_keep_a_newcomer_out)
{
  App app = { .key = 1, .for_everyone = __i__ == 1 };
  GstHarness *h = asking_harness (&app, 200);
  srtp_t sender = raw_of (SRTP_SEND, 1);
  guint16 seq = 1;

  fail_unless (passes (h, srtp_buffer_of (sender, 77, seq)) == (__i__ == 1));
  for (guint32 ssrc = 1000; ssrc < 6000; ssrc++)
    push_forged (h, ssrc);
  fail_unless (app.asked >= 65 && app.asked < 1000, "%u questions", app.asked);
  fail_unless (streams_in_stats (h->element) <= 2 * 64 + 1, "%u streams",
      streams_in_stats (h->element));
  /* The newcomer, among as many strangers as before. */
  while (!passes (h, srtp_buffer (sender, seq++))) {
    fail_unless (seq < 1000, "the newcomer is never asked for");
    for (guint32 i = 0; i < 10; i++)
      push_forged (h, 100000u + seq * 10u + i);
  }
  for (; seq < 1200; seq++) {
    push_forged (h, 200000u + seq);
    fail_unless (passes (h, srtp_buffer (sender, seq)));
  }
  if (__i__ == 1)
    fail_unless (passes (h, srtp_buffer_of (sender, 77, 2)));
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

GST_START_TEST (no_room_among_proven_ssrcs_is_told)
{
  App app = { .key = 1, .for_everyone = TRUE };
  GstHarness *h = asking_harness (&app, 3);
  GstBus *bus = watch_bus (h->element);
  srtp_t sender = raw_of (SRTP_SEND, 1);

  for (guint32 ssrc = 1; ssrc <= 3; ssrc++)
    fail_unless (passes (h, srtp_buffer_of (sender, ssrc, 1)));
  for (guint16 seq = 1; seq < 50; seq++)
    fail_if (passes (h, srtp_buffer_of (sender, 4, seq)));
  fail_unless_says (bus, GST_MESSAGE_WARNING, "\"max-ssrcs\" streams");
  fail_unless (gst_bus_pop (bus) == NULL);
  g_signal_emit_by_name (h->element, "remove-key", 2u);
  for (guint16 seq = 50; seq < 1000; seq++)
    if (passes (h, srtp_buffer_of (sender, 4, seq)))
      break;
  fail_unless (passes (h, srtp_buffer_of (sender, 4, 1000)));
  drop_bus (h->element, bus);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

static gsize
heap_in_use (void)
{
  return mallinfo2 ()
      .uordblks; /* 0 under ASan, which has an allocator of its own */
}

/* One key for all; a key for each that nobody but the good one has; one answer for everybody. */
GST_START_TEST (a_million_invented_ssrcs_cost_no_memory_and_harm_nobody)
{
  App app = { .key = __i__ == 0 ? 0 : 1, .for_everyone = __i__ == 2 };
  guint many = g_getenv ("CONCLAVE_SLOW") ? 20000
               : __i__ == 2 ? 100000 /* a session for one in 16 */
                            : 1000000;
  GstHarness *h =
      __i__ == 0 ? unprotect_harness (1) : asking_harness (&app, 1024);
  GstBus *bus = watch_bus (h->element);
  srtp_t sender = raw_of (SRTP_SEND, 1);
  guint16 seq = 1;
  guint messages = 0;
  gsize before = 0;

  for (guint i = 0; i < many; i++) {
    /* Numbers that a stream might have; the good one sends among them. */
    push_forged (h, i * 2654435761u | 1u << 30);
    if (i % 1000 == 0)
      fail_unless (passes (h, srtp_buffer (sender, seq++)));
    for (GstMessage *m; i % 1000 == 0 && (m = gst_bus_pop (bus)); messages++)
      gst_message_unref (m);
    if (i == many / 10)
      before = heap_in_use ();
  }
  gsize after = heap_in_use ();
  fail_unless (after < before + 512 * 1024,
      "%" G_GSIZE_FORMAT " bytes more at the end", after - before);
  fail_unless_equals_uint64 (
      stat_of (h->element, "delivered"), (guint64) seq - 1);
  check_sum (h->element, (guint64) many + seq - 1);
  /* A line for each would fill a log. */
  fail_unless (messages < 100 + many / 512, "%u messages", messages);
  drop_bus (h->element, bus);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

/* --- From inside the question --- */

static void
set_for_all (GstElement *element, guint ssrc, gpointer data)
{
  App *app = data;
  g_autoptr (GBytes) key = key_bytes (1);
  gboolean ok;
  app->key = 0;
  g_signal_emit_by_name (element, "set-key", key, NULL, &ok);
  fail_unless (ok);
}

static void
rekey_for_all (GstElement *element, guint ssrc, gpointer data)
{
  App *app = data;
  g_autoptr (GBytes) key = key_bytes (1);
  gboolean ok;
  app->key = 0;
  g_signal_emit_by_name (element, "rekey", key, NULL, &ok);
  fail_unless (ok);
}

static void
rekey_this (GstElement *element, guint ssrc, gpointer data)
{
  App *app = data;
  g_autoptr (GBytes) key = key_bytes (1);
  gboolean ok;
  app->key = 0;
  g_signal_emit_by_name (element, "rekey-ssrc", ssrc, key, NULL, &ok);
  fail_unless (ok);
}

static void
tell_roc (GstElement *element, guint ssrc, gpointer data)
{
  gboolean ok;
  g_signal_emit_by_name (element, "set-roc", ssrc, 0u, &ok);
  fail_unless (ok);
}

static void
look (GstElement *element, guint ssrc, gpointer data)
{
  GstStructure *stats;
  gint64 roc;
  g_object_get (element, "stats", &stats, NULL);
  gst_structure_free (stats);
  g_signal_emit_by_name (element, "get-roc", ssrc, &roc);
}

static void (*const handlers[]) (GstElement *element, guint ssrc,
    gpointer app) = { set_for_all, rekey_for_all, rekey_this, tell_roc, look };

GST_START_TEST (a_handler_may_call_all_actions)
{
  App app = { .key = 1, .then = handlers[__i__] };
  GstHarness *h = asking_harness (&app, 16);
  srtp_t sender = raw_of (SRTP_SEND, 1);

  for (guint16 seq = 1; seq < 10; seq++)
    fail_unless (passes (h, srtp_buffer (sender, seq)));
  fail_unless_equals_int (app.asked, 1);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

static void
take_away (GstElement *element, guint ssrc, gpointer data)
{
  App *app = data;
  if (app->asked == 1)
    g_signal_emit_by_name (
        element, app->data ? "clear-keys" : "remove-key", ssrc);
}

/* The answer comes too late then; the next packet asks again. */
GST_START_TEST (a_key_taken_away_during_its_question_is_not_kept)
{
  App app = { .key = 1, .then = take_away, .data = GINT_TO_POINTER (__i__) };
  GstHarness *h = asking_harness (&app, 16);
  srtp_t sender = raw_of (SRTP_SEND, 1);

  fail_if (passes (h, srtp_buffer (sender, 1)));
  fail_unless (passes (h, srtp_buffer (sender, 2)));
  fail_unless_equals_int (app.asked, 2);
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

static void
change_state (GstElement *element, guint ssrc, gpointer data)
{
  App *app = data;
  if (app->asked > 1)
    return;
  gst_element_set_state (element, GST_STATE_NULL);
  gst_util_set_object_arg (G_OBJECT (element), "rtp-cipher", "aes-128-gcm");
  gst_element_set_state (element, GST_STATE_READY);
  gst_util_set_object_arg (G_OBJECT (element), "rtp-cipher", "aes-256-gcm");
  gst_element_set_state (element, GST_STATE_PLAYING);
}

GST_START_TEST (a_handler_may_change_state_and_settings)
{
  App app = { .key = 1, .then = change_state };
  GstHarness *h = asking_harness (&app, 16);
  srtp_t sender = raw_of (SRTP_SEND, 1);

  /* The packet of the question is one of the run before. */
  (void) gst_harness_push (h, srtp_buffer (sender, 1));
  gst_harness_set_src_caps_str (h, SRTP_CAPS);
  GstBuffer *out = gst_harness_try_pull (h);
  gst_clear_buffer (&out);
  fail_unless (passes (h, srtp_buffer (sender, 2)));
  srtp_dealloc (sender);
  gst_harness_teardown (h);
}
GST_END_TEST;

static Suite *
srtpownkeys_suite (void)
{
  Suite *suite = suite_create ("srtpownkeys");
  TCase *tc = tcase_create ("keys");

  core_init ();
  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc,
      a_key_that_comes_back_accepts_no_replay_and_counters_only_grow, 0,
      (int) G_N_ELEMENTS (takers));
  tcase_add_test (tc, a_key_that_was_followed_by_another_is_refused);
  tcase_add_test (tc, keys_of_single_ssrcs_and_of_all_do_not_mix);
  tcase_add_test (tc, a_removed_key_that_made_room_is_used_up);
  tcase_add_loop_test (tc, a_told_roc_reaches_the_key_of_its_ssrc, 0, 2);
  tcase_add_loop_test (
      tc, rekey_of_one_ssrc_loses_nothing_with_and_without_mki, 0, 2);
  tcase_add_test (tc, a_refused_ssrc_is_asked_for_again_after_a_restart);
  tcase_add_test (tc, other_ciphers_want_other_sessions);
  tcase_add_loop_test (
      tc, a_handler_may_call_all_actions, 0, (int) G_N_ELEMENTS (handlers));
  tcase_add_loop_test (
      tc, a_key_taken_away_during_its_question_is_not_kept, 0, 2);
  tcase_add_test (tc, a_handler_may_change_state_and_settings);
  tc = tcase_create ("strangers");
  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 240);
  tcase_add_loop_test (tc, strangers_do_not_keep_a_newcomer_out, 0, 2);
  tcase_add_test (tc, no_room_among_proven_ssrcs_is_told);
  tcase_add_loop_test (
      tc, a_million_invented_ssrcs_cost_no_memory_and_harm_nobody, 0, 3);
  return suite;
}

GST_CHECK_MAIN (srtpownkeys)

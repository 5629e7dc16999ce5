/* SRTP sessions: the streams of a table that is full, those of a session that is retired, what is told of SSRCs, and what
 * is said of those that fail.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtppair.h"

#include "ext/srtp/internal.h"

/* --- Full tables --- */

static Pair
pair_of_sizes (const Suit *suit, gsize sender, gsize receiver)
{
  SrtpConfig config = config_of (suit, SRTP_SEND);
  config.max_ssrcs = sender;
  SrtpSession *a = session_of (&config, 1, NULL);
  config.direction = SRTP_RECEIVE;
  config.max_ssrcs = receiver;
  return (Pair){ a, session_of (&config, 1, NULL) };
}

static SrtpResult
pass_of (Pair *pair, guint32 ssrc, guint16 seq)
{
  gsize len = must_send (pair->sender, ssrc, seq, wire);
  return receive_rtp (pair->receiver, wire, len);
}

static SrtpResult
pass_rtcp_of (Pair *pair, guint32 ssrc)
{
  gsize len = send_rtcp (pair->sender, ssrc, wire);
  return receive_rtcp (pair->receiver, wire, len);
}

static void
rekey_both (Pair *pair, guint8 key)
{
  fail_unless_equals_int (rekey (pair->receiver, key, NULL), SRTP_OK);
  fail_unless_equals_int (rekey (pair->sender, key, NULL), SRTP_OK);
}

static guint64
index_of (const SrtpSession *session, guint32 ssrc)
{
  guint64 index;
  fail_unless (srtp_session_get_index (session, ssrc, &index));
  return index;
}

GST_START_TEST (sender_gives_up_ended_streams_only_and_they_go_on_when_back)
{
  Pair pair = pair_of_sizes (&suits[__i__], 4, 100);
  SrtpStreamStats stats[8];
  SrtpResult result;

  /* Four streams in ROC 1, with RTCP. */
  for (guint i = 0; i < 4; i++) {
    for (guint seq = 100; seq < 65536 + 200; seq += 20000)
      fail_unless_equals_int (
          pass_of (&pair, SSRC + i, (guint16) seq), SRTP_OK);
    fail_unless_equals_int (pass_of (&pair, SSRC + i, 7), SRTP_OK);
    for (guint n = 0; n < 3 + i; n++)
      fail_unless_equals_int (pass_rtcp_of (&pair, SSRC + i), SRTP_OK);
  }

  /* A new key alone ends nobody. */
  rekey_both (&pair, 2);
  send_rtp (pair.sender, SSRC + 4, 1, wire, &result);
  fail_unless_equals_int (result, SRTP_TOO_MANY_SSRCS);
  for (guint i = 0; i < 4; i++) {
    fail_unless_equals_uint64 (index_of (pair.sender, SSRC + i), 65536 + 7);
    if (i < 2)
      fail_unless_equals_int (pass_of (&pair, SSRC + i, 8), SRTP_OK);
  }

  /* The third and fourth were idle through all of it: their places are free, the others' are not. */
  rekey_both (&pair, 3);
  fail_unless_equals_int (pass_of (&pair, SSRC + 4, 1), SRTP_OK);
  fail_unless_equals_int (pass_of (&pair, SSRC + 5, 1), SRTP_OK);
  send_rtp (pair.sender, SSRC + 6, 1, wire, &result);
  fail_unless_equals_int (result, SRTP_TOO_MANY_SSRCS);
  fail_unless_equals_int (pass_of (&pair, SSRC, 9), SRTP_OK);
  fail_unless_equals_uint64 (index_of (pair.sender, SSRC), 65536 + 9);

  /* And when they come back after all, they go on: the receiver, who forgot nothing, reads them. RTCP first, or RTP. */
  for (guint i = 0; i < 6 * SRTP_KEY_SILENT; i++)
    fail_unless_equals_int (
        pass_of (&pair, SSRC, (guint16) (10 + i)), SRTP_OK);
  rekey_both (&pair, 4);
  rekey_both (&pair, 5);
  fail_unless_equals_int (pass_rtcp_of (&pair, SSRC + 2), SRTP_OK);
  fail_unless_equals_int (pass_of (&pair, SSRC + 2, 8), SRTP_OK);
  fail_unless_equals_int (pass_of (&pair, SSRC + 3, 8), SRTP_OK);
  fail_unless_equals_int (pass_rtcp_of (&pair, SSRC + 3), SRTP_OK);
  fail_unless_equals_uint64 (index_of (pair.sender, SSRC + 2), 65536 + 8);
  gsize n = srtp_session_stream_stats (pair.sender, stats, 8);
  fail_unless_equals_int ((int) n, 4);
  for (gsize i = 0; i < n; i++)
    if (stats[i].ssrc == SSRC + 2 || stats[i].ssrc == SSRC + 3)
      fail_unless_equals_int (
          (int) stats[i].rtcp_index, stats[i].ssrc == SSRC + 2 ? 6 : 7);
  /* What the others had counted is in the sum still. */
  SrtpStats all;
  guint64 sum = 0;
  srtp_session_stats (pair.sender, &all);
  for (gsize i = 0; i < n; i++)
    sum += stats[i].counters.results[SRTP_OK];
  fail_unless_equals_uint64 (
      all.counters.results[SRTP_OK], sum + all.others.results[SRTP_OK]);
  pair_clear (&pair);
}
GST_END_TEST;

GST_START_TEST (receiver_reads_a_stream_on_that_had_made_room)
{
  Pair pair = pair_of_sizes (&suits[__i__], 100, 2);

  for (guint seq = 100; seq < 65536 + 200; seq += 20000)
    fail_unless_equals_int (pass_of (&pair, SSRC, (guint16) seq), SRTP_OK);
  fail_unless_equals_int (pass_of (&pair, SSRC, 7), SRTP_OK);
  fail_unless_equals_int (pass_of (&pair, SSRC + 1, 7), SRTP_OK);
  rekey_both (&pair, 2);
  for (guint i = 0; i <= SRTP_KEY_LINGER; i++)
    fail_unless_equals_int (
        pass_of (&pair, SSRC + 1, (guint16) (8 + i)), SRTP_OK);
  fail_unless_equals_int (pass_of (&pair, SSRC + 2, 1), SRTP_OK);
  rekey_both (&pair, 3);
  for (guint i = 0; i <= SRTP_KEY_LINGER; i++)
    fail_unless_equals_int (
        pass_of (&pair, SSRC + 1, (guint16) (9000 + i)), SRTP_OK);
  fail_unless_equals_int (pass_of (&pair, SSRC, 8), SRTP_OK);
  fail_unless_equals_uint64 (index_of (pair.receiver, SSRC), 65536 + 8);
  pair_clear (&pair);
}
GST_END_TEST;

/* libsrtp2 must not keep what the session has given up. */
GST_START_TEST (libsrtp2_forgets_the_stream_that_it_is_told_to)
{
  SrtpConfig config = config_of (&suits[2], SRTP_SEND);
  static const guint8 key[64] = { 1, 2, 3 };
  const SrtpTransform *t = &srtp_libsrtp2_transform;
  void *state = t->create (&config, key, NULL);
  SrtpPacket at = { .ssrc = SSRC, .header_len = 12, .index = 1 };
  gsize len = make_rtp (packet, sizeof packet, SSRC, 1, 0, -1, 20);

  fail_unless (t->protect_rtp (state, &at, packet, len, wire));
  fail_if (t->protect_rtp (state, &at, packet, len, wire));
  t->forget (state, SSRC + 1);
  fail_if (t->protect_rtp (state, &at, packet, len, wire));
  t->forget (state, SSRC);
  fail_unless (t->protect_rtp (state, &at, packet, len, wire));

  /* And an SRTCP packet never leaves with another index than the one decided. */
  SrtpPacket rtcp = { .ssrc = SSRC, .header_len = 8, .index = 1 };
  len = make_rtcp (packet, sizeof packet, SSRC, 1);
  fail_unless (t->protect_rtcp (state, &rtcp, packet, len, wire));
  rtcp.known = true;
  rtcp.index = 7;
  fail_if (t->protect_rtcp (state, &rtcp, packet, len, wire));
  t->destroy (state);
}
GST_END_TEST;

GST_START_TEST (every_ssrc_of_the_largest_table_is_found)
{
  SrtpConfig config = config_of (&suits[0], SRTP_SEND);
  config.max_ssrcs =
      g_getenv ("CONCLAVE_SLOW") ? SRTP_MAX_SSRCS / 16 : SRTP_MAX_SSRCS;
  config.window = SRTP_MIN_WINDOW;
  SrtpSession *sender = session_of (&config, 1, NULL);
  guint n = (guint) config.max_ssrcs;
  SrtpResult result;

  for (guint i = 0; i < n; i++)
    must_send (sender, i * 2654435761u, 1, wire);
  for (guint i = 0; i < n; i++)
    fail_unless_equals_uint64 (index_of (sender, i * 2654435761u), 1);
  send_rtp (sender, n * 2654435761u, 1, wire, &result);
  fail_unless_equals_int (result, SRTP_TOO_MANY_SSRCS);

  /* All make room for others, in any order, and all of those are found. */
  fail_unless_equals_int (rekey (sender, 2, NULL), SRTP_OK);
  for (guint i = 1; i < n; i += 2)
    must_send (sender, i * 2654435761u, 2, wire);
  fail_unless_equals_int (rekey (sender, 3, NULL), SRTP_OK);
  for (guint i = 0; i < n / 2; i++)
    must_send (sender, (n + i) * 2654435761u, 1, wire);
  send_rtp (sender, 2 * n * 2654435761u, 1, wire, &result);
  fail_unless_equals_int (result, SRTP_TOO_MANY_SSRCS);
  for (guint i = 1; i < n; i += 2)
    fail_unless_equals_uint64 (index_of (sender, i * 2654435761u), 2);
  for (guint i = 0; i < n / 2; i++)
    fail_unless_equals_uint64 (index_of (sender, (n + i) * 2654435761u), 1);
  srtp_session_free (sender);
}
GST_END_TEST;

/* --- Retired sessions --- */

GST_START_TEST (what_was_received_is_a_replay_still_when_a_key_comes_back)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  static guint8 kept[32][256];
  gsize len = 0, rtcp_len;
  guint8 rtcp[256];
  SrtpStats before, after;

  fail_unless_equals_int (rekey (pair.receiver, 9, NULL), SRTP_OK);
  srtp_session_retire (pair.receiver); /* key 9, which was never used */
  fail_unless_equals_int (set_key (pair.receiver, 1, NULL), SRTP_OK);
  for (guint seq = 40000; seq < 65530; seq += 10000)
    fail_unless_equals_int (pass (&pair, (guint16) seq), SRTP_OK);
  for (guint i = 0; i < 32; i++) {
    len = must_send (pair.sender, SSRC, (guint16) (65520 + i), kept[i]);
    if (i != 12)
      fail_unless_equals_int (
          receive_rtp (pair.receiver, kept[i], len), SRTP_OK);
  }
  rtcp_len = send_rtcp (pair.sender, SSRC, rtcp);
  fail_unless_equals_int (
      receive_rtcp (pair.receiver, rtcp, rtcp_len), SRTP_OK);
  srtp_session_stats (pair.receiver, &before);

  for (guint round = 0; round < 2; round++) {
    srtp_session_retire (pair.receiver);
    fail_if (srtp_session_has_key (pair.receiver));
    fail_unless_equals_int (
        receive_rtp (pair.receiver, kept[3], len), SRTP_NO_KEY);
    fail_unless (srtp_session_memory (pair.receiver) < 4096,
        "%" G_GSIZE_FORMAT " bytes", srtp_session_memory (pair.receiver));
    fail_unless_equals_int (set_key (pair.receiver, 1, NULL), SRTP_OK);
    for (guint i = 0; i < 32; i++)
      if (i != 12 || round == 1)
        fail_unless_equals_int (
            receive_rtp (pair.receiver, kept[i], len), SRTP_REPLAYED);
    fail_unless_equals_int (
        receive_rtcp (pair.receiver, rtcp, rtcp_len), SRTP_REPLAYED);
    /* What is new is read, from the first packet on, in the ROC where it stood; a late one as well. */
    fail_unless_equals_int (pass (&pair, (guint16) (20 + round)), SRTP_OK);
    if (round == 0)
      fail_unless_equals_int (
          receive_rtp (pair.receiver, kept[12], len), SRTP_OK);
    fail_unless_equals_int (pass_rtcp_of (&pair, SSRC), SRTP_OK);
  }
  srtp_session_stats (pair.receiver, &after);
  for (guint i = 0; i < SRTP_N_RESULTS; i++)
    fail_unless (after.counters.results[i] >= before.counters.results[i]);

  /* With another key it is another context, and the one before does not come back. */
  srtp_session_retire (pair.receiver);
  fail_unless_equals_int (set_key (pair.receiver, 2, NULL), SRTP_OK);
  fail_unless_equals_int (set_key (pair.receiver, 1, NULL), SRTP_KEY_REUSED);
  srtp_session_retire (pair.receiver);
  fail_unless_equals_int (set_key (pair.receiver, 1, NULL), SRTP_KEY_REUSED);
  fail_unless_equals_int (set_key (pair.receiver, 2, NULL), SRTP_OK);
  /* A sender cannot be sure of its indices then. */
  srtp_session_retire (pair.sender);
  fail_unless_equals_int (set_key (pair.sender, 1, NULL), SRTP_KEY_REUSED);
  pair_clear (&pair);
}
GST_END_TEST;

/* --- What is told --- */

GST_START_TEST (roc_told_before_the_key_holds)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  SrtpConfig config = config_of (&suits[__i__], SRTP_RECEIVE);
  gsize len;

  for (guint seq = 100; seq < 2 * 65536 + 200; seq += 20000)
    must_send (pair.sender, SSRC, (guint16) seq, wire);
  len = must_send (pair.sender, SSRC, 300, wire);
  /* Told to a session without a key, through clear_keys, to one that takes its place, and to one with another key. */
  for (guint way = 0; way < 4; way++) {
    SrtpSession *late = srtp_session_new (&config, NULL);
    if (way == 3)
      fail_unless_equals_int (set_key (late, 5, NULL), SRTP_OK);
    fail_unless_equals_int (
        way == 3 ? srtp_session_set_index (late, SSRC, 2 * 65536 + 200)
                 : srtp_session_set_roc (late, SSRC, 2),
        SRTP_OK);
    if (way == 1)
      srtp_session_clear_keys (late);
    if (way == 2) {
      config.window = 2000;
      SrtpSession *next = srtp_session_new (&config, late);
      srtp_session_free (late);
      late = next;
    }
    fail_unless_equals_int (set_key (late, 1, NULL), SRTP_OK);
    fail_unless_equals_int (receive_rtp (late, wire, len), SRTP_OK);
    fail_unless_equals_uint64 (index_of (late, SSRC), 2 * 65536 + 300);
    /* Used, it does not come back with yet another key. */
    fail_unless_equals_int (set_key (late, 7, NULL), SRTP_OK);
    guint64 index;
    fail_if (srtp_session_get_index (late, SSRC, &index));
    srtp_session_free (late);
  }
  pair_clear (&pair);
}
GST_END_TEST;

GST_START_TEST (roc_told_wrongly_can_be_taken_back)
{
  Pair pair = pair_with (&suits[__i__], NULL);

  for (guint seq = 100; seq < 65536 + 200; seq += 20000)
    fail_unless_equals_int (pass (&pair, (guint16) seq), SRTP_OK);
  fail_unless_equals_int (pass (&pair, 7), SRTP_OK);
  for (guint by_index = 0; by_index < 2; by_index++) {
    for (guint side = 0; side < 2; side++) {
      SrtpSession *session = side ? pair.sender : pair.receiver;
      guint64 stands = index_of (session, SSRC);
      fail_unless_equals_int (
          srtp_session_set_roc (session, SSRC, 9), SRTP_OK);
      fail_unless_equals_int (
          srtp_session_set_roc (session, SSRC, 0), SRTP_TOO_OLD);
      fail_unless_equals_int (
          by_index ? srtp_session_set_index (session, SSRC, stands)
                   : srtp_session_set_roc (session, SSRC, 1),
          SRTP_OK);
      fail_unless_equals_uint64 (index_of (session, SSRC), stands);
    }
    fail_unless_equals_int (pass (&pair, (guint16) (8 + by_index)), SRTP_OK);
    fail_unless_equals_uint64 (
        index_of (pair.receiver, SSRC), 65536 + 8 + by_index);
  }
  pair_clear (&pair);
}
GST_END_TEST;

/* --- What is said of failures --- */

static SrtpInfo
receive_forged (SrtpSession *receiver, guint32 ssrc, guint16 seq)
{
  gsize out_len, len = make_rtp (wire, sizeof wire, ssrc, seq, 0, -1, 60);
  SrtpInfo info;
  fail_unless_equals_int (srtp_session_unprotect_rtp (receiver, wire, len,
                              plain, sizeof plain, &out_len, &info),
      SRTP_UNAUTHENTIC);
  return info;
}

GST_START_TEST (flood_does_not_hide_a_source_with_another_key)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  SrtpStreamStats stats[SRTP_MAX_STRANGERS + 8];
  guint told = 0, flood = 0, told_of_flood = 0;
  SrtpInfo info;

  for (guint i = 0; i < 10 * SRTP_MAX_STRANGERS; i++)
    told_of_flood +=
        receive_forged (pair.receiver, 0x10000u + flood++, 1).first_failure;
  fail_unless (told_of_flood >= SRTP_MAX_STRANGERS
               && told_of_flood <= SRTP_MAX_STRANGERS + 1);

  /* The source sends one packet for ten forged ones. It is told of, in time, and once. */
  for (guint i = 0; i < 4 * SRTP_TELL_INTERVAL; i++) {
    info = receive_forged (pair.receiver, 0xabcdef, (guint16) i);
    told += info.first_failure;
    fail_unless_equals_int ((int) info.refused_in_row, (int) i + 1);
    if (i > 0)
      for (guint k = 0; k < 10; k++)
        receive_forged (pair.receiver, 0x10000u + flood++, 1);
  }
  /* It shares what may be told with the flood, so it may not have had its turn; when the flood ends, it has. */
  for (guint i = 0; told == 0 && i <= SRTP_TELL_INTERVAL; i++)
    told +=
        receive_forged (pair.receiver, 0xabcdef, (guint16) i).first_failure;
  fail_unless_equals_int (told, 1);

  /* It kept its place: all of its failures are counted as its own, those of the others are not lost. */
  SrtpStats all;
  gsize n =
      srtp_session_stream_stats (pair.receiver, stats, G_N_ELEMENTS (stats));
  guint64 sum = 0, own = 0;
  for (gsize i = 0; i < n; i++) {
    sum += stats[i].counters.results[SRTP_UNAUTHENTIC];
    if (stats[i].ssrc == 0xabcdef)
      own = stats[i].counters.results[SRTP_UNAUTHENTIC];
  }
  srtp_session_stats (pair.receiver, &all);
  fail_unless (own >= 4 * SRTP_TELL_INTERVAL);
  fail_unless_equals_int ((int) n, (int) all.n_streams);
  fail_unless_equals_uint64 (all.counters.results[SRTP_UNAUTHENTIC],
      sum + all.others.results[SRTP_UNAUTHENTIC]);
  pair_clear (&pair);
}
GST_END_TEST;

GST_START_TEST (refusals_in_a_row_are_counted_per_ssrc_and_kind)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  gsize len, out_len;
  SrtpInfo info;

  /* A bundle of two sources and their RTCP; one source is restarted. */
  for (guint seq = 2000; seq < 2010; seq++) {
    must_send (pair.sender, SSRC, (guint16) seq, wire);
    must_send (pair.sender, SSRC + 1, (guint16) seq, wire);
  }
  for (guint i = 1; i <= 20; i++) {
    len = make_rtp (
        packet, sizeof packet, SSRC, (guint16) (1990 + i), 0, -1, 28);
    SrtpResult result = srtp_session_protect_rtp (
        pair.sender, packet, len, wire, ROOM, &out_len, &info);
    if (i < 10) {
      fail_unless_equals_int (result, SRTP_OK);
      fail_unless_equals_int ((int) info.refused_in_row, 0);
    } else if (i < 20) {
      fail_unless_equals_int (result, SRTP_REPLAYED);
      fail_unless_equals_int ((int) info.refused_in_row, (int) i - 9);
      fail_unless_equals_uint64 (info.ssrc, SSRC);
    }
    must_send (pair.sender, SSRC + 1, (guint16) (2010 + i), wire);
    send_rtcp (pair.sender, SSRC, wire);
  }
  must_send (pair.sender, SSRC, 2100, wire);
  len = make_rtp (packet, sizeof packet, SSRC, 1, 0, -1, 28);
  fail_unless_equals_int (srtp_session_protect_rtp (pair.sender, packet, len,
                              wire, ROOM, &out_len, &info),
      SRTP_TOO_OLD);
  fail_unless_equals_int ((int) info.refused_in_row, 1);

  /* Receiving: for a stream, and for an SSRC that has none. */
  fail_unless_equals_int (pass (&pair, 2101), SRTP_OK);
  fail_unless_equals_int (
      (int) receive_forged (pair.receiver, SSRC, 2102).refused_in_row, 1);
  fail_unless_equals_int (
      (int) receive_forged (pair.receiver, SSRC, 2103).refused_in_row, 2);
  fail_unless_equals_int (
      (int) receive_forged (pair.receiver, SSRC + 9, 1).refused_in_row, 1);
  fail_unless_equals_int (
      (int) receive_forged (pair.receiver, SSRC + 9, 2).refused_in_row, 2);
  len = must_send (pair.sender, SSRC, 2104, wire);
  fail_unless_equals_int (srtp_session_unprotect_rtp (pair.receiver, wire, len,
                              plain, sizeof plain, &out_len, &info),
      SRTP_OK);
  fail_unless_equals_int ((int) info.refused_in_row, 0);
  pair_clear (&pair);
}
GST_END_TEST;

GST_START_TEST (snapshot_is_what_the_session_knows)
{
  Pair pair = pair_with (&suits[0], NULL);
  SrtpStreamStats stats[64];
  SrtpStats all, same;
  gsize n;

  g_autofree SrtpStreamStats *none =
      srtp_session_snapshot (pair.receiver, &all, &n);
  fail_unless (none != NULL && n == 0 && all.n_streams == 0);
  for (guint i = 0; i < 20; i++)
    fail_unless_equals_int (pass_of (&pair, SSRC + i, 5), SRTP_OK);
  receive_forged (pair.receiver, 77, 1);
  SrtpStreamStats *snapshot = srtp_session_snapshot (pair.receiver, &all, &n);
  srtp_session_stats (pair.receiver, &same);
  fail_unless (memcmp (&all, &same, sizeof all) == 0);
  fail_unless_equals_int ((int) n, 21);
  fail_unless_equals_int (
      (int) srtp_session_stream_stats (pair.receiver, stats, 64), 21);
  for (gsize i = 0; i < n; i++) {
    fail_unless_equals_uint64 (snapshot[i].ssrc, stats[i].ssrc);
    fail_unless_equals_int (snapshot[i].authentic, i < 20);
    fail_unless_equals_uint64 (snapshot[i].counters.results[SRTP_OK], i < 20);
    fail_unless_equals_uint64 (snapshot[i].index, i < 20 ? 5 : 0);
  }
  free (snapshot);
  pair_clear (&pair);
}
GST_END_TEST;

static Suite *
srtpstreams_suite (void)
{
  Suite *suite = suite_create ("srtpstreams");
  TCase *tc = tcase_create ("streams");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_loop_test (tc,
      sender_gives_up_ended_streams_only_and_they_go_on_when_back, 0, N_SUITS);
  tcase_add_loop_test (
      tc, receiver_reads_a_stream_on_that_had_made_room, 0, N_SUITS);
  tcase_add_test (tc, libsrtp2_forgets_the_stream_that_it_is_told_to);
  tcase_add_test (tc, every_ssrc_of_the_largest_table_is_found);
  tcase_add_loop_test (tc,
      what_was_received_is_a_replay_still_when_a_key_comes_back, 0, N_SUITS);
  tcase_add_loop_test (tc, roc_told_before_the_key_holds, 0, N_SUITS);
  tcase_add_loop_test (tc, roc_told_wrongly_can_be_taken_back, 0, N_SUITS);
  tcase_add_loop_test (
      tc, flood_does_not_hide_a_source_with_another_key, 0, N_SUITS);
  tcase_add_loop_test (
      tc, refusals_in_a_row_are_counted_per_ssrc_and_kind, 0, N_SUITS);
  tcase_add_test (tc, snapshot_is_what_the_session_knows);
  return suite;
}

PURE_CHECK_MAIN (srtpstreams)

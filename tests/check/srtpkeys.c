/* SRTP sessions: keys that are set, changed, used up and not taken back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtppair.h"

/* --- Keys --- */

GST_START_TEST (no_index_is_used_twice_under_a_key)
{
  SrtpConfig config = config_of (&suits[__i__], SRTP_SEND);
  SrtpSession *sender = session_of (&config, 1, NULL);
  SrtpResult result;

  must_send (sender, SSRC, 10, wire);
  must_send (sender, SSRC, 3000, wire);
  send_rtp (sender, SSRC, 3000, wire, &result);
  fail_unless_equals_int (result, SRTP_REPLAYED);
  send_rtp (sender, SSRC, 10, wire, &result);
  fail_unless_equals_int (result, SRTP_TOO_OLD);

  /* The same key set again is the same key still. */
  fail_unless_equals_int (set_key (sender, 1, NULL), SRTP_OK);
  send_rtp (sender, SSRC, 3000, wire, &result);
  fail_unless_equals_int (result, SRTP_REPLAYED);

  /* Under another key everything is new; the one before does not come back, by whatever way. */
  fail_unless_equals_int (set_key (sender, 2, NULL), SRTP_OK);
  must_send (sender, SSRC, 3000, wire);
  fail_unless_equals_int (set_key (sender, 1, NULL), SRTP_KEY_REUSED);
  fail_unless_equals_int (rekey (sender, 1, NULL), SRTP_KEY_REUSED);
  send_rtp (sender, SSRC, 3000, wire, &result);
  fail_unless_equals_int (result, SRTP_REPLAYED); /* key 2 is still there */
  SrtpSession *next = srtp_session_new (&config, sender);
  fail_unless_equals_int (set_key (next, 1, NULL), SRTP_KEY_REUSED);
  fail_unless_equals_int (set_key (next, 2, NULL), SRTP_KEY_REUSED);
  fail_unless_equals_int (set_key (next, 3, NULL), SRTP_OK);
  srtp_session_clear_keys (next);
  /* A key that no packet was under has no index to repeat. */
  fail_unless_equals_int (set_key (next, 3, NULL), SRTP_OK);
  must_send (next, SSRC, 1, wire);
  srtp_session_clear_keys (next);
  fail_unless_equals_int (set_key (next, 3, NULL), SRTP_KEY_REUSED);
  send_rtp (next, SSRC, 1, wire, &result);
  fail_unless_equals_int (result, SRTP_NO_KEY);
  srtp_session_free (next);
  srtp_session_free (sender);
}
GST_END_TEST;

static void
check_rekeying (const Suit *suit, const char *old_mki, const char *new_mki)
{
  Pair pair = pair_with (suit, old_mki);
  guint8 late[256], late_rtcp[256], forged[256], old_after[256];
  gsize late_len, late_rtcp_len, len;

  for (guint seq = 65000; seq < 65800; seq += 100)
    fail_unless_equals_int (pass (&pair, (guint16) seq), SRTP_OK);
  len = send_rtcp (pair.sender, SSRC, wire);
  fail_unless_equals_int (receive_rtcp (pair.receiver, wire, len), SRTP_OK);
  late_len = must_send (pair.sender, SSRC, 265, late);
  late_rtcp_len = send_rtcp (pair.sender, SSRC, late_rtcp);

  fail_unless_equals_int (rekey (pair.receiver, 2, new_mki), SRTP_OK);
  /* The sender has not moved: the old one goes on, and what somebody makes up about the new one harms nothing. */
  fail_unless_equals_int (pass (&pair, 266), SRTP_OK);
  memcpy (forged, wire, 256);
  if (new_mki)
    memcpy (forged + late_len - srtp_session_rtp_overhead (pair.sender)
                + (srtp_cipher_is_gcm (suit->cipher) ? 16 : 0),
        new_mki, strlen (new_mki));
  forged[3]++;
  fail_unless_equals_int (
      receive_rtp (pair.receiver, forged, late_len), SRTP_UNAUTHENTIC);
  fail_unless_equals_int (pass (&pair, 268), SRTP_OK);

  /* An old-key holder's packet of later: sent by a twin of the sender. */
  SrtpConfig config = config_of (suit, SRTP_SEND);
  SrtpSession *twin = session_of (&config, 1, old_mki);
  fail_unless_equals_int (
      srtp_session_set_index (twin, SSRC, 65536 + 268), SRTP_OK);
  must_send (twin, SSRC, 400, old_after);

  fail_unless_equals_int (rekey (pair.sender, 2, new_mki), SRTP_OK);
  must_send (pair.sender, SSRC, 269,
      wire); /* the first one under the new key is lost */
  fail_unless_equals_int (pass (&pair, 270), SRTP_OK);
  fail_unless_equals_int (receive_rtp (pair.receiver, late, late_len),
      SRTP_OK); /* before the switch, and late */
  fail_unless_equals_int (
      receive_rtp (pair.receiver, late, late_len), SRTP_REPLAYED);
  SrtpResult result = receive_rtp (pair.receiver, old_after, late_len);
  fail_unless (result == SRTP_NO_KEY || result == SRTP_UNAUTHENTIC,
      "the old key still speaks: %s", srtp_result_name (result));
  fail_unless_equals_int (
      receive_rtcp (pair.receiver, late_rtcp, late_rtcp_len), SRTP_OK);

  /* RFC 3711, 3.4: the SRTCP index goes on, so what came before is a replay now as it was then. */
  len = send_rtcp (pair.sender, SSRC, wire);
  fail_unless_equals_int (receive_rtcp (pair.receiver, wire, len), SRTP_OK);
  fail_unless_equals_int (
      receive_rtcp (pair.receiver, wire, len), SRTP_REPLAYED);
  SrtpStreamStats stats[4];
  fail_unless_equals_int (
      (int) srtp_session_stream_stats (pair.receiver, stats, 4), 1);
  fail_unless_equals_uint64 (stats[0].rtcp_index, 3);
  fail_unless_equals_uint64 (stats[0].index, 65536 + 270);

  /* And the old one is dropped in the end. */
  must_send (twin, SSRC + 1, 1, old_after);
  fail_unless_equals_int (
      receive_rtp (pair.receiver, old_after, late_len), SRTP_OK);
  for (guint i = 0; i < SRTP_KEY_LINGER; i++)
    fail_unless_equals_int (pass (&pair, (guint16) (271 + i)), SRTP_OK);
  must_send (twin, SSRC + 1, 2, old_after);
  fail_if (receive_rtp (pair.receiver, old_after, late_len) == SRTP_OK);
  SrtpStats all;
  srtp_session_stats (pair.receiver, &all);
  fail_unless_equals_int ((int) all.n_keys, 1);
  srtp_session_free (twin);
  pair_clear (&pair);
}

GST_START_TEST (rekeying_loses_nothing_and_the_old_key_ends)
{
  check_rekeying (&suits[__i__], "old1", "new2");
  check_rekeying (&suits[__i__], NULL, NULL);
}
GST_END_TEST;

GST_START_TEST (keys_that_do_not_fit_are_refused)
{
  Pair pair = pair_with (&suits[__i__], "ab");
  Secret *shorter = secret_random (
      srtp_config_key_len (srtp_session_config (pair.sender)) - 1);
  static const guint8 long_mki[SRTP_MAX_MKI + 1] = { 0 };
  Secret *fits = key_for (pair.sender, 9);

  fail_unless_equals_int (
      srtp_session_set_key (pair.sender, shorter, NULL, 0), SRTP_BAD_KEY);
  fail_unless_equals_int (
      srtp_session_set_key (pair.sender, NULL, NULL, 0), SRTP_BAD_KEY);
  fail_unless_equals_int (
      srtp_session_set_key (pair.sender, fits, long_mki, sizeof long_mki),
      SRTP_BAD_KEY);
  fail_unless_equals_int (rekey (pair.sender, 2, "abc"),
      SRTP_BAD_KEY); /* the MKI's length is the session's */
  fail_unless_equals_int (rekey (pair.receiver, 1, "cd"), SRTP_KEY_REUSED);
  fail_unless_equals_int (pass (&pair, 1), SRTP_OK);
  secret_unref (shorter);
  secret_unref (fits);
  pair_clear (&pair);
}
GST_END_TEST;

/* RFC 3711, 9.2. A small lifetime is what SDES (RFC 4568, 6.1) would ask for. */
GST_START_TEST (spent_key_is_told_of_in_time_and_then_refused)
{
  SrtpConfig config = config_of (&suits[__i__], SRTP_SEND);
  config.lifetime = 32;
  SrtpSession *sender = session_of (&config, 1, NULL);
  config.direction = SRTP_RECEIVE;
  SrtpSession *receiver = session_of (&config, 1, NULL);
  SrtpInfo info;
  SrtpResult result;
  guint told = 0;
  gsize len, out_len;

  for (guint16 seq = 1; seq <= 32; seq++) {
    /* All SSRCs together. */
    len = make_rtp (packet, sizeof packet, SSRC + seq % 3, seq, 0, -1, 20);
    fail_unless_equals_int (srtp_session_protect_rtp (
                                sender, packet, len, wire, ROOM, &len, &info),
        SRTP_OK);
    told += info.soft_limit;
    fail_unless_equals_int (info.soft_limit, seq == 30);
    /* What is not authentic uses nothing up. */
    wire[12] ^= 1;
    fail_unless_equals_int (
        receive_rtp (receiver, wire, len), SRTP_UNAUTHENTIC);
    wire[12] ^= 1;
    fail_unless_equals_int (srtp_session_unprotect_rtp (receiver, wire, len,
                                plain, ROOM, &out_len, &info),
        SRTP_OK);
  }
  fail_unless_equals_int (told, 1);
  send_rtp (sender, SSRC, 50, wire, &result);
  fail_unless_equals_int (result, SRTP_KEY_SPENT);
  fail_unless_equals_int (set_key (sender, 1, NULL), SRTP_OK);
  send_rtp (sender, SSRC, 50, wire, &result);
  fail_unless_equals_int (result, SRTP_KEY_SPENT);
  for (guint i = 0; i < 32; i++)
    send_rtcp (sender, SSRC, wire);
  len = make_rtcp (packet, sizeof packet, SSRC, 1);
  fail_unless_equals_int (srtp_session_protect_rtcp (
                              sender, packet, len, wire, ROOM, &out_len, NULL),
      SRTP_KEY_SPENT);
  fail_unless_equals_int (rekey (sender, 2, NULL), SRTP_OK);
  must_send (sender, SSRC, 50, wire);
  srtp_session_free (sender);
  srtp_session_free (receiver);
}
GST_END_TEST;

GST_START_TEST (rtcp_without_encryption_is_read_by_every_receiver)
{
  SrtpConfig sending = config_of (&suits[__i__], SRTP_SEND),
             receiving = config_of (&suits[__i__], SRTP_RECEIVE);
  sending.clear_rtcp = TRUE;
  SrtpSession *sender = session_of (&sending, 1, NULL),
              *receiver = session_of (&receiving, 1, NULL);
  sending.clear_rtcp = FALSE;
  SrtpSession *encrypting = session_of (&sending, 1, NULL);
  gsize len = send_rtcp (sender, SSRC, wire);
  fail_unless (
      memcmp (wire, packet, 8 + 48) == 0, "E = 0, but it is encrypted");
  wire[20] ^= 1;
  fail_unless_equals_int (
      receive_rtcp (receiver, wire, len), SRTP_UNAUTHENTIC);
  wire[20] ^= 1;
  fail_unless_equals_int (receive_rtcp (receiver, wire, len), SRTP_OK);
  fail_unless_equals_int (receive_rtcp (receiver, wire, len), SRTP_REPLAYED);
  len = send_rtcp (encrypting, SSRC + 1, wire);
  fail_unless_equals_int (receive_rtcp (receiver, wire, len), SRTP_OK);
  srtp_session_free (sender);
  srtp_session_free (receiver);
  srtp_session_free (encrypting);
}
GST_END_TEST;

static Suite *
srtpkeys_suite (void)
{
  Suite *suite = suite_create ("srtpkeys");
  TCase *tc = tcase_create ("keys");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_loop_test (tc, no_index_is_used_twice_under_a_key, 0, N_SUITS);
  tcase_add_loop_test (
      tc, rekeying_loses_nothing_and_the_old_key_ends, 0, N_SUITS);
  tcase_add_loop_test (tc, keys_that_do_not_fit_are_refused, 0, N_SUITS);
  tcase_add_loop_test (
      tc, spent_key_is_told_of_in_time_and_then_refused, 0, N_SUITS);
  tcase_add_loop_test (
      tc, rtcp_without_encryption_is_read_by_every_receiver, 0, N_SUITS);
  return suite;
}

PURE_CHECK_MAIN (srtpkeys)

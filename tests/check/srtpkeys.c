/* SRTP sessions: keys that are set, changed, used up and not taken back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtppair.h"

#include "ext/srtp/internal.h"

#include <sodium.h>

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

/* A receiver stops as well, of its own accord: its key has no more packets to read than its sender has to send. */
GST_START_TEST (spent_key_is_refused_by_the_receiver)
{
  SrtpConfig config = config_of (&suits[__i__], SRTP_SEND);
  SrtpSession *sender = session_of (&config, 1, NULL);
  config.direction = SRTP_RECEIVE;
  config.lifetime = 8;
  SrtpSession *receiver = session_of (&config, 1, NULL);
  guint8 late[256];
  gsize len;

  gsize late_len = must_send (sender, SSRC, 1, late);
  for (guint16 seq = 2; seq < 10; seq++) {
    len = must_send (sender, SSRC, seq, wire);
    fail_unless_equals_int (receive_rtp (receiver, wire, len), SRTP_OK);
    fail_unless_equals_int (receive_rtp (receiver, wire, len), SRTP_REPLAYED);
  }
  fail_unless_equals_int (
      receive_rtp (receiver, late, late_len), SRTP_KEY_SPENT);
  len = must_send (sender, SSRC, 10, wire);
  fail_unless_equals_int (receive_rtp (receiver, wire, len), SRTP_KEY_SPENT);
  fail_unless_equals_int (set_key (receiver, 1, NULL), SRTP_OK);
  fail_unless_equals_int (receive_rtp (receiver, wire, len), SRTP_KEY_SPENT);
  /* RTCP has a count of its own. */
  len = send_rtcp (sender, SSRC, wire);
  fail_unless_equals_int (receive_rtcp (receiver, wire, len), SRTP_OK);

  fail_unless_equals_int (rekey (receiver, 2, NULL), SRTP_OK);
  fail_unless_equals_int (rekey (sender, 2, NULL), SRTP_OK);
  len = must_send (sender, SSRC, 11, wire);
  fail_unless_equals_int (receive_rtp (receiver, wire, len), SRTP_OK);
  srtp_session_free (sender);
  srtp_session_free (receiver);
}
GST_END_TEST;

/* RFC 3711, 3.3.1 and 3.4: modulo 2^48 and 2^31, which a new key makes safe. */
GST_START_TEST (indices_begin_anew_under_a_new_key_only)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  guint64 limit = G_GUINT64_CONSTANT (1) << 48, index;
  guint8 old[256], anew[256];
  SrtpResult result;
  gsize len, old_len;

  fail_unless_equals_int (pass (&pair, 3), SRTP_OK);
  len = must_send (pair.sender, SSRC, 1, old); /* never received */
  for (guint i = 0; i < 2; i++)
    fail_unless_equals_int (
        srtp_session_set_index (
            i ? pair.sender : pair.receiver, SSRC, limit - 3),
        SRTP_OK);
  fail_unless_equals_int (pass (&pair, 65533), SRTP_OK);
  fail_unless_equals_int (pass (&pair, 65535), SRTP_OK);
  send_rtp (pair.sender, SSRC, 0, wire, &result);
  fail_unless_equals_int (result, SRTP_KEY_SPENT);
  fail_unless_equals_int (rekey (pair.receiver, 2, NULL), SRTP_OK);
  /* The receiver's old key does not begin anew either: this would be its first packet again. */
  result = receive_rtp (pair.receiver, old, len);
  fail_if (result == SRTP_OK || result == SRTP_FAILED);

  fail_unless_equals_int (rekey (pair.sender, 2, NULL), SRTP_OK);
  must_send (pair.sender, SSRC, 0, anew);
  fail_unless_equals_int (pass (&pair, 2), SRTP_OK);
  fail_unless (srtp_session_get_index (pair.receiver, SSRC, &index));
  fail_unless_equals_uint64 (index, 2);
  result = receive_rtp (pair.receiver, old, len);
  fail_if (result == SRTP_OK, "a packet of the old key's beginning is taken");
  fail_unless_equals_int (receive_rtp (pair.receiver, anew, len), SRTP_OK);
  fail_unless_equals_int (
      receive_rtp (pair.receiver, anew, len), SRTP_REPLAYED);
  fail_if (receive_rtp (pair.receiver, old, len) == SRTP_OK);
  fail_unless_equals_int (pass (&pair, 6), SRTP_OK);
  send_rtp (pair.sender, SSRC, 2, wire, &result);
  fail_unless_equals_int (result, SRTP_REPLAYED);

  /* RTCP; libsrtp2 cannot be brought to its last index, so ours is told to be there. */
  len = send_rtcp (pair.sender, SSRC, wire);
  fail_unless_equals_int (receive_rtcp (pair.receiver, wire, len), SRTP_OK);
  old_len = send_rtcp (pair.sender, SSRC, old);
  stream_find (pair.sender, SSRC)->at.rtcp_top = 0x7fffffff;
  stream_find (pair.receiver, SSRC)->at.rtcp_top = 0x7fffffff;
  replay_window_commit (
      stream_find (pair.receiver, SSRC)->seen[RTCP], 0x7fffffff);
  len = make_rtcp (packet, sizeof packet, SSRC, 1);
  fail_unless_equals_int (srtp_session_protect_rtcp (pair.sender, packet, len,
                              wire, ROOM, &len, NULL),
      SRTP_KEY_SPENT);
  fail_unless_equals_int (
      receive_rtcp (pair.receiver, old, old_len), SRTP_TOO_OLD);
  fail_unless_equals_int (rekey (pair.receiver, 3, NULL), SRTP_OK);
  fail_unless_equals_int (
      receive_rtcp (pair.receiver, old, old_len), SRTP_TOO_OLD);
  fail_unless_equals_int (rekey (pair.sender, 3, NULL), SRTP_OK);
  len = send_rtcp (pair.sender, SSRC, wire);
  fail_unless_equals_int (receive_rtcp (pair.receiver, wire, len), SRTP_OK);
  fail_unless_equals_int (
      receive_rtcp (pair.receiver, wire, len), SRTP_REPLAYED);
  fail_if (receive_rtcp (pair.receiver, old, old_len) == SRTP_OK);
  len = send_rtcp (pair.sender, SSRC, wire);
  fail_unless_equals_int (receive_rtcp (pair.receiver, wire, len), SRTP_OK);
  fail_unless_equals_int (pass (&pair, 7), SRTP_OK);
  pair_clear (&pair);
}
GST_END_TEST;

GST_START_TEST (key_that_lingers_is_not_taken_for_the_newest)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  guint8 late[256];
  SrtpStats stats;
  gsize len;

  fail_unless_equals_int (pass (&pair, 1), SRTP_OK);
  len = must_send (pair.sender, SSRC, 2, late);
  fail_unless_equals_int (rekey (pair.receiver, 2, NULL), SRTP_OK);
  fail_unless_equals_int (set_key (pair.receiver, 1, NULL), SRTP_KEY_REUSED);
  fail_unless_equals_int (rekey (pair.sender, 2, NULL), SRTP_OK);
  fail_unless_equals_int (pass (&pair, 3), SRTP_OK);
  fail_unless_equals_int (receive_rtp (pair.receiver, late, len), SRTP_OK);
  /* The newest again: only the older ones go. */
  fail_unless_equals_int (set_key (pair.receiver, 2, NULL), SRTP_OK);
  srtp_session_stats (pair.receiver, &stats);
  fail_unless_equals_int ((int) stats.n_keys, 1);
  fail_unless_equals_int (pass (&pair, 4), SRTP_OK);
  pair_clear (&pair);
}
GST_END_TEST;

GST_START_TEST (key_in_use_does_not_make_room)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  SrtpStats stats;

  fail_unless_equals_int (pass (&pair, 1), SRTP_OK);
  for (guint8 key = 2; key <= SRTP_MAX_KEYS; key++)
    fail_unless_equals_int (rekey (pair.receiver, key, NULL), SRTP_OK);
  /* The sender has not moved. */
  fail_unless_equals_int (rekey (pair.receiver, 9, NULL), SRTP_TOO_MANY_KEYS);
  fail_unless_equals_int (pass (&pair, 2), SRTP_OK);
  srtp_session_stats (pair.receiver, &stats);
  fail_unless_equals_int ((int) stats.n_keys, SRTP_MAX_KEYS);
  /* It moves, and the first key is done with. */
  fail_unless_equals_int (rekey (pair.sender, 3, NULL), SRTP_OK);
  fail_unless_equals_int (pass (&pair, 3), SRTP_OK);
  fail_unless_equals_int (rekey (pair.receiver, 9, NULL), SRTP_OK);
  fail_unless_equals_int (pass (&pair, 4), SRTP_OK);
  /* A second stream falls silent and does not move: no reason to refuse for ever. */
  gsize len = must_send (pair.sender, SSRC + 1, 1, wire);
  fail_unless_equals_int (receive_rtp (pair.receiver, wire, len), SRTP_OK);
  fail_unless_equals_int (rekey (pair.sender, 4, NULL), SRTP_OK);
  fail_unless_equals_int (pass (&pair, 5), SRTP_OK);
  fail_unless_equals_int (
      rekey (pair.receiver, 10, NULL), SRTP_OK); /* for 2 */
  fail_unless_equals_int (rekey (pair.receiver, 11, NULL), SRTP_TOO_MANY_KEYS);
  for (guint16 seq = 6; seq < 6 + 2 * SRTP_KEY_SILENT; seq++)
    fail_unless_equals_int (pass (&pair, seq), SRTP_OK);
  fail_unless_equals_int (rekey (pair.receiver, 11, NULL), SRTP_OK);
  fail_unless_equals_int (pass (&pair, 1000), SRTP_OK);
  /* Or the caller gives all but the newest up. */
  fail_unless_equals_int (rekey (pair.receiver, 12, NULL), SRTP_TOO_MANY_KEYS);
  fail_unless_equals_int (set_key (pair.receiver, 11, NULL), SRTP_OK);
  fail_unless_equals_int (rekey (pair.receiver, 12, NULL), SRTP_OK);
  pair_clear (&pair);
}
GST_END_TEST;

/* Under several keys no packet that somebody made up is called anything else, wherever its index lies. */
GST_START_TEST (forged_packet_is_called_so_under_several_keys)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  guint8 forged[256], missing[64][256];
  gsize len = 0, rtcp_len;

  for (guint i = 0; i < 2; i++)
    for (guint seq = 100; seq < 65536; seq += 9000)
      fail_unless_equals_int (pass (&pair, (guint16) seq), SRTP_OK);
  for (guint8 key = 2; key <= 4; key++) {
    fail_unless_equals_int (rekey (pair.receiver, key, NULL), SRTP_OK);
    if (key == 4)
      break; /* the sender has not moved to the last one */
    fail_unless_equals_int (rekey (pair.sender, key, NULL), SRTP_OK);
    for (guint i = 0; i < 64; i++) {
      guint16 seq = (guint16) (65536 - 64 + (key - 2) * 200 + i * 2);
      len = must_send (pair.sender, SSRC, seq, missing[i]);
      rtcp_len = send_rtcp (pair.sender, SSRC, forged);
      if (i % 3 == 0) {
        fail_unless_equals_int (
            receive_rtp (pair.receiver, missing[i], len), SRTP_OK);
        fail_unless_equals_int (
            receive_rtcp (pair.receiver, forged, rtcp_len), SRTP_OK);
      } else {
        forged[10] ^= 1;
        fail_unless_equals_int (
            receive_rtcp (pair.receiver, forged, rtcp_len), SRTP_UNAUTHENTIC);
      }
    }
    for (guint i = 0; i < 64; i++)
      if (i % 3 != 0)
        for (guint at = 12; at < len; at++) {
          memcpy (forged, missing[i], len);
          forged[at] ^= 0x10;
          fail_unless_equals_int (
              receive_rtp (pair.receiver, forged, len), SRTP_UNAUTHENTIC);
          fail_unless_equals_int (
              srtp_session_unprotect_rtp (
                  pair.receiver, forged, len, forged, len, &rtcp_len, NULL),
              SRTP_UNAUTHENTIC);
        }
    for (guint i = 0; i < 64; i++)
      if (i % 3 != 0)
        fail_unless_equals_int (
            receive_rtp (pair.receiver, missing[i], len), SRTP_OK);
  }
  pair_clear (&pair);
}
GST_END_TEST;

/* --- Replaced keys --- */

static void
make_fingerprint (guint64 n, guint8 *out)
{
  crypto_generichash (
      out, FINGERPRINT_LEN, (const guint8 *) &n, sizeof n, NULL, 0);
}

GST_START_TEST (no_replaced_key_is_forgotten_and_memory_is_bounded)
{
  ReplacedKeys replaced = { 0 }, copy = { 0 };
  guint8 fingerprint[FINGERPRINT_LEN];
  guint n = g_getenv ("CONCLAVE_SLOW") ? 5000 : 100000, wrongly = 0;

  for (guint i = 0; i < n; i++) {
    make_fingerprint (i, fingerprint);
    fail_unless (replaced_reserve (&replaced, 1));
    replaced_add (&replaced, fingerprint);
  }
  fail_unless (replaced_memory (&replaced) <= (1 << 20) + 16 * 1024);
  fail_unless (replaced_copy (&copy, &replaced));
  for (guint i = 0; i < n; i++) {
    make_fingerprint (i, fingerprint);
    fail_unless (replaced_has (&replaced, fingerprint), "key %u", i);
    fail_unless (replaced_has (&copy, fingerprint), "key %u of the copy", i);
    make_fingerprint (G_GUINT64_CONSTANT (1) << 40 | i, fingerprint);
    wrongly += replaced_has (&replaced, fingerprint);
  }
  fail_unless (wrongly <= 1, "%u fresh keys refused", wrongly);
  replaced_clear (&replaced);
  replaced_clear (&copy);
}
GST_END_TEST;

static SrtpResult
set_numbered_key (SrtpSession *session, guint n, gboolean again)
{
  Secret *key = key_for (session, 0);
  memcpy (secret_bytes (key), &n, sizeof n);
  SrtpResult result = again ? srtp_session_rekey (session, key, NULL, 0)
                            : srtp_session_set_key (session, key, NULL, 0);
  secret_unref (key);
  return result;
}

GST_START_TEST (session_of_very_many_keys_takes_none_again)
{
  SrtpConfig config = config_of (&suits[0], SRTP_SEND);
  SrtpSession *sender = session_of (&config, 1, NULL);
  guint n = g_getenv ("CONCLAVE_SLOW") ? 1200 : 3000;

  for (guint i = 1; i <= n; i++) {
    fail_unless_equals_int (set_numbered_key (sender, i, i % 3 != 0), SRTP_OK);
    must_send (sender, SSRC, (guint16) i, wire);
  }
  SrtpSession *next = srtp_session_new (&config, sender);
  for (guint i = 1; i <= n; i++) {
    if (i < n)
      fail_unless_equals_int (
          set_numbered_key (sender, i, i % 2), SRTP_KEY_REUSED);
    fail_unless_equals_int (
        set_numbered_key (next, i, i % 2), SRTP_KEY_REUSED);
  }
  fail_unless (srtp_session_memory (sender) < (1 << 20) + 32 * 1024);
  srtp_session_free (sender);
  srtp_session_free (next);
}
GST_END_TEST;

/* --- The one thing that must never happen --- */

#define POOL 9

typedef struct
{
  GRand *rand;
  SrtpConfig config;
  SrtpSession *sender;
  GHashTable *streams; /* beginnings of key streams, of RTP and RTCP */
  guint16 seq[POOL];
  guint next_key;
  guint sent, refused_keys;
} Sending;

/* The payload is zeros, so what is sent in its place is the key stream. */
static void
send_zeros (Sending *s)
{
  guint who = (guint) g_rand_int_range (s->rand, 0, POOL);
  gboolean rtcp = g_rand_int_range (s->rand, 0, 5) == 0,
           at = !rtcp && g_rand_int_range (s->rand, 0, 6) == 0;
  guint64 index = 0;
  gsize len, out_len;

  s->seq[who] += (guint16) (g_rand_int_range (s->rand, 0, 4) == 0
                                ? g_rand_int_range (s->rand, -70, 20000)
                                : 1);
  if (rtcp) {
    len = make_rtcp (packet, sizeof packet, SSRC + who, 1);
    memset (packet + 8, 0, len - 8);
  } else {
    len = make_rtp (packet, sizeof packet, SSRC + who, s->seq[who], 0, -1, 24);
    memset (packet + 12, 0, len - 12);
  }
  if (at) {
    (void) srtp_session_get_index (s->sender, SSRC + who, &index);
    index = ((index >> 16) + (guint64) g_rand_int_range (s->rand, 0, 3)) << 16
            | s->seq[who];
  }
  SrtpResult result = rtcp ? srtp_session_protect_rtcp (
                          s->sender, packet, len, wire, ROOM, &out_len, NULL)
                      : at ? srtp_session_protect_rtp_at (s->sender, index,
                            packet, len, wire, ROOM, &out_len, NULL)
                           : srtp_session_protect_rtp (s->sender, packet, len,
                               wire, ROOM, &out_len, NULL);
  fail_if (result == SRTP_FAILED);
  if (result != SRTP_OK)
    return;
  s->sent++;
  GBytes *beginning = g_bytes_new (wire + (rtcp ? 8 : 12), 16);
  fail_unless (g_hash_table_add (s->streams, beginning),
      "a key stream for the second time: %s of SSRC %u, packet %u",
      rtcp ? "RTCP" : "RTP", who, s->sent);
}

static void
change_something (Sending *s)
{
  guint32 ssrc = SSRC + (guint32) g_rand_int_range (s->rand, 0, POOL);
  guint64 index = 0;
  SrtpResult result = SRTP_OK;
  SrtpSession *next;

  switch (g_rand_int_range (s->rand, 0, 12)) {
    case 0:
      result = set_numbered_key (s->sender, ++s->next_key, FALSE);
      break;
    case 1: /* one of before, or the one in force */
    case 2:
      result = set_numbered_key (s->sender,
          (guint) g_rand_int_range (s->rand, 1, (gint) s->next_key + 1),
          g_rand_boolean (s->rand));
      s->refused_keys += result == SRTP_KEY_REUSED;
      break;
    case 3:
      if (g_rand_int_range (s->rand, 0, 4) == 0)
        srtp_session_clear_keys (s->sender);
      break;
    case 4:
      if (g_rand_int_range (s->rand, 0, 4) == 0)
        srtp_session_retire (s->sender);
      break;
    case 5:
      if (g_rand_int_range (s->rand, 0, 4) != 0)
        break;
      s->config.max_ssrcs = (gsize) g_rand_int_range (s->rand, 2, 7);
      next = srtp_session_new (&s->config, s->sender);
      srtp_session_free (s->sender);
      s->sender = next;
      break;
    case 6:
      (void) srtp_session_get_index (s->sender, ssrc, &index);
      result = srtp_session_set_roc (s->sender, ssrc,
          (guint32) (index >> 16)
              + (guint32) g_rand_int_range (s->rand, 0, 4));
      break;
    case 7:
      (void) srtp_session_get_index (s->sender, ssrc, &index);
      result = srtp_session_set_index (s->sender, ssrc,
          index + (guint64) g_rand_int_range (s->rand, 0, 100000));
      break;
    default:
      result = set_numbered_key (s->sender, ++s->next_key, TRUE);
  }
  fail_if (result == SRTP_FAILED);
  if (!srtp_session_has_key (s->sender))
    fail_unless_equals_int (
        set_numbered_key (s->sender, ++s->next_key, FALSE), SRTP_OK);
}

GST_START_TEST (no_key_stream_is_made_twice_whatever_happens)
{
  guint rounds = g_getenv ("CONCLAVE_SLOW") ? 300 : 1000;
  const char *seed = g_getenv ("CONCLAVE_SEED");
  Sending s = { .rand = g_rand_new_with_seed (
                    seed ? (guint32) g_ascii_strtoull (seed, NULL, 10)
                         : 4711 + (guint32) __i__),
    .config = config_of (&suits[__i__], SRTP_SEND) };

  s.config.max_ssrcs = 4;
  s.config.window = SRTP_MIN_WINDOW;
  s.sender = srtp_session_new (&s.config, NULL);
  s.streams = g_hash_table_new_full (
      g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  fail_unless_equals_int (
      set_numbered_key (s.sender, ++s.next_key, FALSE), SRTP_OK);
  for (guint i = 0; i < rounds; i++) {
    for (gint k = g_rand_int_range (s.rand, 0, 30); k > 0; k--)
      send_zeros (&s);
    change_something (&s);
  }
  fail_unless (s.sent > rounds && s.refused_keys > rounds / 20,
      "%u sent, %u keys refused", s.sent, s.refused_keys);
  srtp_session_free (s.sender);
  g_hash_table_unref (s.streams);
  g_rand_free (s.rand);
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
  tcase_add_loop_test (tc, spent_key_is_refused_by_the_receiver, 0, N_SUITS);
  tcase_add_loop_test (
      tc, indices_begin_anew_under_a_new_key_only, 0, N_SUITS);
  tcase_add_loop_test (
      tc, key_that_lingers_is_not_taken_for_the_newest, 0, N_SUITS);
  tcase_add_loop_test (tc, key_in_use_does_not_make_room, 0, N_SUITS);
  tcase_add_loop_test (
      tc, forged_packet_is_called_so_under_several_keys, 0, N_SUITS);
  tcase_add_test (tc, no_replaced_key_is_forgotten_and_memory_is_bounded);
  tcase_add_test (tc, session_of_very_many_keys_takes_none_again);
  tcase_add_loop_test (
      tc, no_key_stream_is_made_twice_whatever_happens, 0, N_SUITS);
  tcase_add_loop_test (
      tc, rtcp_without_encryption_is_read_by_every_receiver, 0, N_SUITS);
  return suite;
}

PURE_CHECK_MAIN (srtpkeys)

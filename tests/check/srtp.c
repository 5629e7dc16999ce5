/* SRTP sessions: the vectors of the RFCs, and each yes against its no. That ours does what libsrtp2 does is the matter
 * of srtp-differential.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtppair.h"

#include <sys/mman.h>
#include <unistd.h>

static JsonObject *vectors;

/* --- Vectors --- */

GST_START_TEST (session_keys_are_those_of_the_vector)
{
  JsonObject *v = json_array_get_object_element (
      json_object_get_array_member (vectors, "derive"), (guint) __i__);
  g_autoptr (GBytes) key = hex_member (v, "key"),
                     salt = hex_member (v, "salt"),
                     want = hex_member (v, "out");
  guint8 out[128];

  srtp_derive (g_bytes_get_data (key, NULL), g_bytes_get_size (key),
      g_bytes_get_data (salt, NULL),
      (SrtpLabel) json_object_get_int_member (v, "label"), out,
      g_bytes_get_size (want));
  fail_unless_equals_bytes (out, g_bytes_get_size (want), want);
}
GST_END_TEST;

GST_START_TEST (gcm_packet_is_that_of_the_vector)
{
  JsonObject *v = json_array_get_object_element (
      json_object_get_array_member (vectors, "gcm"), (guint) __i__);
  g_autoptr (GBytes) key = hex_member (v, "key"),
                     salt = hex_member (v, "salt"),
                     clear = hex_member (v, "plain"),
                     sent = hex_member (v, "wire");
  gsize clear_len, sent_len;
  const guint8 *p = g_bytes_get_data (clear, &clear_len),
               *s = g_bytes_get_data (sent, &sent_len);
  gboolean rtcp = json_object_get_boolean_member (v, "rtcp");
  SrtpConfig config;
  SrtpPacket at = { .ssrc = (guint32) json_object_get_int_member (v, "ssrc"),
    .header_len = (gsize) json_object_get_int_member (v, "header"),
    .index = (guint64) json_object_get_int_member (v, "index") };
  const SrtpTransform *t = &srtp_gcm_transform;

  srtp_config_init (&config, SRTP_SEND);
  config.rtp_cipher = config.rtcp_cipher =
      g_bytes_get_size (key) == 32 ? SRTP_AES_256_GCM : SRTP_AES_128_GCM;
  config.clear_rtcp = json_object_get_boolean_member (v, "clear");
  void *state = srtp_gcm_from_session_keys (&config,
      g_bytes_get_data (key, NULL), g_bytes_get_data (salt, NULL),
      g_bytes_get_data (key, NULL), g_bytes_get_data (salt, NULL));
  fail_unless (rtcp ? t->protect_rtcp (state, &at, p, clear_len, wire)
                    : t->protect_rtp (state, &at, p, clear_len, wire));
  fail_unless_equals_bytes (wire, sent_len, sent);
  fail_unless_equals_int (
      rtcp ? t->unprotect_rtcp (state, &at, s, sent_len, plain)
           : t->unprotect_rtp (state, &at, s, sent_len, plain),
      SRTP_OK);
  fail_unless_equals_bytes (plain, clear_len, clear);

  memcpy (wire, s, sent_len);
  wire[at.header_len] ^= 1;
  fail_unless_equals_int (
      rtcp ? t->unprotect_rtcp (state, &at, wire, sent_len, plain)
           : t->unprotect_rtp (state, &at, wire, sent_len, plain),
      SRTP_UNAUTHENTIC);
  t->destroy (state);
}
GST_END_TEST;

/* --- All suites --- */

static void
round_trip (Pair *pair, gboolean rtcp, gsize len, gboolean in_place)
{
  g_autofree guint8 *copy = g_memdup2 (packet, len);
  gsize wire_len, plain_len;
  guint8 *from = in_place ? wire : packet;
  SrtpInfo info;
  gsize overhead = rtcp ? srtp_session_rtcp_overhead (pair->sender)
                        : srtp_session_rtp_overhead (pair->sender);

  if (in_place)
    memcpy (wire, packet, len);
  SrtpResult result = rtcp ? srtp_session_protect_rtcp (pair->sender, from,
                          len, wire, len + overhead, &wire_len, &info)
                           : srtp_session_protect_rtp (pair->sender, from, len,
                               wire, len + overhead, &wire_len, &info);
  fail_unless_equals_int (result, SRTP_OK);
  fail_unless_equals_uint64 (wire_len, len + overhead);
  guint8 *to = in_place ? wire : plain;
  result = rtcp ? srtp_session_unprotect_rtcp (
               pair->receiver, wire, wire_len, to, wire_len, &plain_len, &info)
                : srtp_session_unprotect_rtp (pair->receiver, wire, wire_len,
                    to, wire_len, &plain_len, &info);
  fail_unless (result == SRTP_OK, "%s packet of %" G_GSIZE_FORMAT " bytes: %s",
      rtcp ? "RTCP" : "RTP", len, srtp_result_name (result));
  fail_unless_equals_uint64 (plain_len, len);
  fail_unless (memcmp (to, copy, len) == 0);
}

GST_START_TEST (packets_of_all_shapes_come_back_as_they_were)
{
  static const gsize payloads[] = { 0, 1, 2, 15, 16, 17, 160, 1188, 1400, 9000,
    65000 };
  static const char *const mkis[] = { NULL, "a", "four",
    "one hundred and twenty-eight bytes, the longest MKI that there is, written out in full so that nobody has to count "
    "them again..." };

  for (guint m = 0; m < G_N_ELEMENTS (mkis); m++) {
    Pair pair = pair_with (&suits[__i__], mkis[m]);
    guint16 seq = 65500; /* over a wrap */
    for (guint i = 0; i < G_N_ELEMENTS (payloads); i++)
      for (guint csrcs = 0; csrcs <= 15; csrcs += 15)
        for (gint words = -1; words < 8; words += 4)
          round_trip (&pair, FALSE,
              make_rtp (packet, sizeof packet, SSRC, ++seq, csrcs, words,
                  payloads[i]),
              words < 0);
    /* RFC 3550, 5.1: padding is payload for SRTP. */
    gsize len = make_rtp (packet, sizeof packet, SSRC, ++seq, 0, -1, 32);
    packet[0] |= 0x20;
    packet[len - 1] = 7;
    round_trip (&pair, FALSE, len, TRUE);
    for (guint blocks = 0; blocks < 32; blocks++)
      round_trip (&pair, TRUE, make_rtcp (packet, sizeof packet, SSRC, blocks),
          blocks & 1);
    pair_clear (&pair);
  }
}
GST_END_TEST;

/* The longest packet that is sent is the longest that is received. */
GST_START_TEST (longest_packet_is_the_same_for_both_sides)
{
  for (guint m = 0; m < 2; m++)
    for (guint rtcp = 0; rtcp < 2; rtcp++) {
      Pair pair = pair_with (&suits[__i__], m ? "four" : NULL);
      gsize overhead = rtcp ? srtp_session_rtcp_overhead (pair.sender)
                            : srtp_session_rtp_overhead (pair.sender),
            wire_len;
      for (gsize len = SRTP_MAX_PACKET - overhead - 2; len < ROOM; len++) {
        memset (packet, 7, len);
        packet[0] = 0x80;
        packet[1] = rtcp ? 201 : 96;
        packet[2] = 0;
        packet[3] = (guint8) len;
        SrtpResult result =
            rtcp ? srtp_session_protect_rtcp (
                pair.sender, packet, len, wire, sizeof wire, &wire_len, NULL)
                 : srtp_session_protect_rtp (pair.sender, packet, len, wire,
                     sizeof wire, &wire_len, NULL);
        if (len + overhead > SRTP_MAX_PACKET) {
          fail_unless_equals_int (result, SRTP_MALFORMED);
          continue;
        }
        fail_unless_equals_int (result, SRTP_OK);
        fail_unless_equals_int (
            rtcp ? receive_rtcp (pair.receiver, wire, wire_len)
                 : receive_rtp (pair.receiver, wire, wire_len),
            SRTP_OK);
        fail_unless (memcmp (plain, packet, len) == 0);
      }
      pair_clear (&pair);
    }
}
GST_END_TEST;

/* What a tee or a list holds too may be mapped for reading only, and end where its mapping ends. */
GST_START_TEST (input_is_read_only)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  guint8 *map = mmap (NULL, 2 * page, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  fail_unless (map != MAP_FAILED);
  fail_unless (mprotect (map + page, page, PROT_NONE) == 0);
  for (guint m = 0; m < 2; m++) {
    Pair pair = pair_with (&suits[__i__], m ? "identifier" : NULL);
    /* Several keys: the first one that is tried does not fit. */
    fail_unless_equals_int (
        rekey (pair.receiver, 2, m ? "identified" : NULL), SRTP_OK);
    for (guint i = 0; i < 40; i++) {
      gboolean rtcp = i % 4 == 3, clear = i % 8 == 7;
      gsize len = rtcp ? make_rtcp (packet, sizeof packet, SSRC, i % 5)
                       : make_rtp (packet, sizeof packet, SSRC, (guint16) i,
                           i % 16, (gint) (i % 7) - 1, i * 20),
            wire_len, plain_len;
      guint8 *in = map + page - len;
      memcpy (in, packet, len);
      fail_unless (mprotect (map, page, PROT_READ) == 0);
      fail_unless_equals_int (rtcp
                                  ? srtp_session_protect_rtcp (pair.sender, in,
                                      len, wire, sizeof wire, &wire_len, NULL)
                                  : srtp_session_protect_rtp (pair.sender, in,
                                      len, wire, sizeof wire, &wire_len, NULL),
          SRTP_OK);
      fail_unless (mprotect (map, page, PROT_READ | PROT_WRITE) == 0);
      in = map + page - wire_len;
      memcpy (in, wire, wire_len);
      if (clear) /* E = 0, a lie: another way through libsrtp2 */
        in[wire_len - srtp_session_rtcp_overhead (pair.sender)
            + (srtp_cipher_is_gcm (suits[__i__].cipher) ? 16 : 0)] ^= 0x80;
      fail_unless (mprotect (map, page, PROT_READ) == 0);
      SrtpResult result =
          rtcp ? srtp_session_unprotect_rtcp (pair.receiver, in, wire_len,
              plain, sizeof plain, &plain_len, NULL)
               : srtp_session_unprotect_rtp (pair.receiver, in, wire_len,
                   plain, sizeof plain, &plain_len, NULL);
      fail_unless_equals_int (result, clear ? SRTP_UNAUTHENTIC : SRTP_OK);
      fail_unless (clear || memcmp (plain, packet, len) == 0);
      fail_unless (memcmp (in + wire_len - 1, wire + wire_len - 1, 1) == 0);
      fail_unless (mprotect (map, page, PROT_READ | PROT_WRITE) == 0);
    }
    pair_clear (&pair);
  }
  munmap (map, 2 * page);
}
GST_END_TEST;

GST_START_TEST (every_cut_and_every_flipped_bit_is_refused_and_changes_nothing)
{
  for (guint m = 0; m < 2; m++)
    for (guint rtcp = 0; rtcp < 2; rtcp++) {
      Pair pair = pair_with (&suits[__i__], m ? "id" : NULL);
      guint8 good[256];
      gsize start = rtcp ? send_rtcp (pair.sender, SSRC, wire)
                         : must_send (pair.sender, SSRC, 1, wire);
      fail_unless_equals_int (rtcp ? receive_rtcp (pair.receiver, wire, start)
                                   : receive_rtp (pair.receiver, wire, start),
          SRTP_OK);
      gsize len = rtcp ? send_rtcp (pair.sender, SSRC, good)
                       : must_send (pair.sender, SSRC, 2, good);
      SrtpStats before, after;

      srtp_session_stats (pair.receiver, &before);
      for (gsize cut = 0; cut < len; cut++) {
        g_autofree guint8 *exact = g_memdup2 (
            good, MAX (cut, 1)); /* its exact size, for the sanitizers */
        fail_if ((rtcp ? receive_rtcp (pair.receiver, exact, cut)
                       : receive_rtp (pair.receiver, exact, cut))
                     == SRTP_OK,
            "cut to %" G_GSIZE_FORMAT, cut);
      }
      for (gsize bit = 0; bit < 8 * len; bit++) {
        memcpy (wire, good, len);
        wire[bit / 8] ^= (guint8) (1u << (bit % 8));
        fail_if ((rtcp ? receive_rtcp (pair.receiver, wire, len)
                       : receive_rtp (pair.receiver, wire, len))
                     == SRTP_OK,
            "bit %" G_GSIZE_FORMAT, bit);
      }
      fail_unless_equals_int (rtcp ? receive_rtcp (pair.receiver, good, len)
                                   : receive_rtp (pair.receiver, good, len),
          SRTP_OK);
      fail_unless_equals_int (rtcp ? receive_rtcp (pair.receiver, good, len)
                                   : receive_rtp (pair.receiver, good, len),
          SRTP_REPLAYED);
      srtp_session_stats (pair.receiver, &after);
      guint64 sum = 0;
      for (guint i = 0; i < SRTP_N_RESULTS; i++)
        sum += after.counters.results[i] - before.counters.results[i];
      fail_unless_equals_uint64 (sum, len + 8 * len + 2);
      pair_clear (&pair);
    }
}
GST_END_TEST;

GST_START_TEST (reordering_across_a_wrap_and_back_finds_every_index)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  static const guint16 order[] = { 65530, 65534, 0, 65535, 2, 65533, 1, 65532,
    40, 65531, 3 };
  guint8 held[8][128];
  guint64 index;

  for (guint roc = 0; roc < 3; roc++) {
    /* Up to the wrap in steps, then across it in disorder: each at the sender and again at the receiver. */
    for (guint seq = roc ? 100 : 1; seq < 65530; seq += 5000)
      fail_unless_equals_int (pass (&pair, (guint16) seq), SRTP_OK);
    for (guint i = 0; i < G_N_ELEMENTS (order); i++)
      fail_unless_equals_int (pass (&pair, order[i]), SRTP_OK);
    fail_unless (srtp_session_get_index (pair.receiver, SSRC, &index));
    fail_unless_equals_uint64 (index, ((guint64) roc + 1) << 16 | 40);
    fail_unless (srtp_session_get_index (pair.sender, SSRC, &index));
    fail_unless_equals_uint64 (index, ((guint64) roc + 1) << 16 | 40);
  }

  /* Sent in order, received in disorder. */
  for (guint seq = 100; seq < 65532; seq += 5000)
    fail_unless_equals_int (pass (&pair, (guint16) seq), SRTP_OK);
  gsize len = 0;
  for (guint i = 0; i < 8; i++)
    len = must_send (pair.sender, SSRC, (guint16) (65532 + i), held[i]);
  for (guint i = 0; i < 8; i++)
    fail_unless_equals_int (
        receive_rtp (pair.receiver, held[i * 3 % 8], len), SRTP_OK);
  for (guint i = 0; i < 8; i++)
    fail_unless_equals_int (
        receive_rtp (pair.receiver, held[i], len), SRTP_REPLAYED);
  pair_clear (&pair);
}
GST_END_TEST;

GST_START_TEST (
    late_joiner_reads_from_the_first_packet_when_it_is_told_the_roc)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  SrtpConfig receiving = config_of (&suits[__i__], SRTP_RECEIVE);
  guint64 index;

  /* 70,000 packets have gone by. */
  for (guint i = 1; i <= 70000; i += i < 65000 ? 1000 : 1)
    must_send (pair.sender, SSRC, (guint16) i, wire);
  fail_unless (srtp_session_get_index (pair.sender, SSRC, &index));
  fail_unless_equals_uint64 (index, 70000);
  gsize len = must_send (pair.sender, SSRC, (guint16) 70001, wire);

  fail_unless_equals_int (
      receive_rtp (pair.receiver, wire, len), SRTP_UNAUTHENTIC);
  fail_unless_equals_int (
      srtp_session_set_roc (pair.receiver, SSRC, 1), SRTP_OK);
  fail_unless_equals_int (receive_rtp (pair.receiver, wire, len), SRTP_OK);

  SrtpSession *by_index = session_of (&receiving, 1, NULL);
  fail_unless_equals_int (
      srtp_session_set_index (by_index, SSRC, index), SRTP_OK);
  fail_unless_equals_int (receive_rtp (by_index, wire, len), SRTP_OK);
  fail_unless_equals_int (pass (&pair, (guint16) 70002), SRTP_OK);
  /* It does not go back. */
  fail_unless_equals_int (
      srtp_session_set_roc (by_index, SSRC, 0), SRTP_TOO_OLD);
  fail_unless_equals_int (
      srtp_session_set_index (by_index, SSRC, 70000), SRTP_TOO_OLD);
  fail_unless_equals_int (receive_rtp (by_index, wire, len), SRTP_OK);

  /* Told just before a wrap, the first packet comes just after it; and the reverse. In place, too. */
  for (guint told = 0; told <= 2; told += 2) {
    SrtpSession *early = session_of (&receiving, 1, NULL);
    gsize out_len;
    len = must_send (pair.sender, SSRC, (guint16) (70010 + told), wire);
    fail_unless_equals_int (srtp_session_set_roc (early, SSRC, told), SRTP_OK);
    SrtpResult want =
        told == 0
            ? SRTP_OK
            : SRTP_UNAUTHENTIC; /* 4474 is in the first half: not of the ROC before */
    fail_unless_equals_int (srtp_session_unprotect_rtp (
                                early, wire, len, wire, len, &out_len, NULL),
        want);
    srtp_session_free (early);
  }
  for (guint seq = 5000; seq < 65000; seq += 10000)
    fail_unless_equals_int (pass (&pair, (guint16) seq), SRTP_OK);
  len = must_send (pair.sender, SSRC, 65000, wire);
  SrtpSession *late = session_of (&receiving, 1, NULL);
  fail_unless_equals_int (srtp_session_set_roc (late, SSRC, 2), SRTP_OK);
  fail_unless_equals_int (receive_rtp (late, wire, len), SRTP_OK);
  fail_unless_equals_int (srtp_session_unprotect_rtp (late, wire, len, plain,
                              sizeof plain, &len, NULL),
      SRTP_REPLAYED);

  srtp_session_free (late);
  srtp_session_free (by_index);
  pair_clear (&pair);
}
GST_END_TEST;

GST_START_TEST (forwarder_sends_under_the_indices_it_is_given)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  static const guint64 steps[] = { 0x50003, 0x50004, 0x50001, 0x5ffff, 0x60000,
    0x90000, 0x20000005, 0x20000002 };
  guint64 seen;
  gsize len, wire_len;

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    len =
        make_rtp (packet, sizeof packet, SSRC, (guint16) steps[i], 0, -1, 50);
    fail_unless_equals_int (
        srtp_session_protect_rtp_at (pair.sender, steps[i], packet, len, wire,
            sizeof wire, &wire_len, NULL),
        SRTP_OK);
    if (i == 0 || steps[i] > steps[i - 1] + 0x8000)
      fail_unless_equals_int (
          srtp_session_set_index (pair.receiver, SSRC, steps[i]), SRTP_OK);
    fail_unless_equals_int (
        receive_rtp (pair.receiver, wire, wire_len), SRTP_OK);
  }
  fail_unless (srtp_session_get_index (pair.receiver, SSRC, &seen));
  fail_unless_equals_uint64 (seen, 0x20000005);

  /* Not a second time, not from behind the window, not with another sequence number than the packet's. */
  fail_unless_equals_int (srtp_session_protect_rtp_at (pair.sender, 0x20000002,
                              packet, len, wire, sizeof wire, &wire_len, NULL),
      SRTP_REPLAYED);
  fail_unless_equals_int (srtp_session_protect_rtp_at (pair.sender, 0x10000002,
                              packet, len, wire, sizeof wire, &wire_len, NULL),
      SRTP_TOO_OLD);
  fail_unless_equals_int (srtp_session_protect_rtp_at (pair.sender, 0x20000003,
                              packet, len, wire, sizeof wire, &wire_len, NULL),
      SRTP_MALFORMED);
  pair_clear (&pair);
}
GST_END_TEST;

/* RFC 3711, 3.3.1: "the sender MUST NOT" let the 48-bit index wrap; 9.2 ends the key instead. */
GST_START_TEST (last_index_is_the_last)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  guint64 limit = G_GUINT64_CONSTANT (1) << 48;
  SrtpResult result;

  fail_unless_equals_int (
      srtp_session_set_index (pair.sender, SSRC, limit - 3), SRTP_OK);
  fail_unless_equals_int (
      srtp_session_set_index (pair.receiver, SSRC, limit - 3), SRTP_OK);
  fail_unless_equals_int (pass (&pair, 65534), SRTP_OK);
  fail_unless_equals_int (pass (&pair, 65535), SRTP_OK);
  send_rtp (pair.sender, SSRC, 0, wire, &result);
  fail_unless_equals_int (result, SRTP_KEY_SPENT);
  fail_unless_equals_int (
      srtp_session_set_index (pair.sender, SSRC + 1, limit), SRTP_TOO_OLD);
  pair_clear (&pair);
}
GST_END_TEST;

/* --- Attackers --- */

GST_START_TEST (flood_of_ssrcs_costs_no_memory_and_harms_no_stream)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  guint n = g_getenv ("CONCLAVE_SLOW") ? 3000 : __i__ == 0 ? 1000000 : 20000;
  guint first_failures = 0;
  gsize out_len, len, filled = 0;
  SrtpInfo info;

  fail_unless_equals_int (pass (&pair, 1), SRTP_OK);
  len = make_rtp (wire, sizeof wire, 0, 7, 0, -1, 40);
  for (guint i = 0; i < n; i++) {
    guint32 ssrc = i * 2654435761u + 5;
    guint8 *p = wire + 8;
    p[0] = (guint8) (ssrc >> 24), p[1] = (guint8) (ssrc >> 16),
    p[2] = (guint8) (ssrc >> 8), p[3] = (guint8) ssrc;
    fail_unless_equals_int (srtp_session_unprotect_rtp (pair.receiver, wire,
                                len, plain, sizeof plain, &out_len, &info),
        SRTP_UNAUTHENTIC);
    first_failures += info.first_failure;
    if (i == SRTP_MAX_STRANGERS)
      filled = srtp_session_memory (pair.receiver);
  }
  /* Told of some at once, and of no more than one in so many packets after that: neither silent nor a flood itself. */
  fail_unless_equals_int (
      first_failures, SRTP_MAX_STRANGERS + (n + 1) / SRTP_TELL_INTERVAL);
  fail_unless_equals_uint64 (srtp_session_memory (pair.receiver), filled);
  fail_unless (filled < 32 * 1024, "%" G_GSIZE_FORMAT " bytes", filled);
  fail_unless_equals_uint64 (count_of (pair.receiver, SRTP_UNAUTHENTIC), n);
  fail_unless_equals_int (pass (&pair, 2), SRTP_OK);
  len = must_send (pair.sender, SSRC + 1, 1, wire);
  fail_unless_equals_int (receive_rtp (pair.receiver, wire, len), SRTP_OK);
  pair_clear (&pair);
}
GST_END_TEST;

GST_START_TEST (ssrc_that_failed_first_takes_its_failures_along)
{
  Pair pair = pair_with (&suits[__i__], NULL);
  SrtpStreamStats stats[4];
  SrtpInfo info;
  gsize out_len, len = must_send (pair.sender, SSRC, 1, wire);

  wire[15] ^= 1;
  for (guint i = 0; i < 3; i++) {
    fail_unless_equals_int (srtp_session_unprotect_rtp (pair.receiver, wire,
                                len, plain, sizeof plain, &out_len, &info),
        SRTP_UNAUTHENTIC);
    fail_unless_equals_int (info.first_failure, i == 0);
  }
  wire[15] ^= 1;
  fail_unless_equals_int (srtp_session_unprotect_rtp (pair.receiver, wire, len,
                              plain, sizeof plain, &out_len, &info),
      SRTP_OK);
  fail_unless (info.recovered && info.new_stream);
  fail_unless_equals_int (
      (int) srtp_session_stream_stats (pair.receiver, stats, 4), 1);
  fail_unless (stats[0].authentic);
  fail_unless_equals_uint64 (stats[0].counters.results[SRTP_UNAUTHENTIC], 3);
  fail_unless_equals_uint64 (stats[0].counters.results[SRTP_OK], 1);
  pair_clear (&pair);
}
GST_END_TEST;

GST_START_TEST (streams_are_bounded_and_make_room_when_their_key_is_gone)
{
  SrtpConfig config = config_of (&suits[__i__], SRTP_SEND);
  SrtpSession *sender = session_of (&config, 1, NULL);
  SrtpResult result;
  gsize len;

  config.direction = SRTP_RECEIVE;
  config.max_ssrcs = 5;
  SrtpSession *receiver = session_of (&config, 1, NULL);
  for (guint i = 0; i < 5; i++) {
    len = must_send (sender, SSRC + i, 1, wire);
    fail_unless_equals_int (receive_rtp (receiver, wire, len), SRTP_OK);
  }
  len = must_send (sender, SSRC + 5, 1, wire);
  fail_unless_equals_int (
      receive_rtp (receiver, wire, len), SRTP_TOO_MANY_SSRCS);
  fail_unless_equals_int (
      srtp_session_set_roc (receiver, SSRC + 6, 1), SRTP_TOO_MANY_SSRCS);
  for (guint i = 0; i < 5; i++) {
    len = must_send (sender, SSRC + i, 2, wire);
    fail_unless_equals_int (receive_rtp (receiver, wire, len), SRTP_OK);
  }

  fail_unless_equals_int (rekey (receiver, 2, NULL), SRTP_OK);
  fail_unless_equals_int (rekey (sender, 2, NULL), SRTP_OK);
  for (guint i = 0; i <= SRTP_KEY_LINGER; i++) {
    len = must_send (sender, SSRC, (guint16) (3 + i), wire);
    fail_unless_equals_int (receive_rtp (receiver, wire, len), SRTP_OK);
  }
  for (guint i = 6; i < 10; i++) {
    len = must_send (sender, SSRC + i, 1, wire);
    fail_unless_equals_int (receive_rtp (receiver, wire, len), SRTP_OK);
  }
  len = must_send (sender, SSRC, 5000, wire);
  fail_unless_equals_int (receive_rtp (receiver, wire, len), SRTP_OK);
  fail_unless_equals_int (receive_rtp (receiver, wire, len), SRTP_REPLAYED);
  len = must_send (sender, SSRC + 11, 1, wire);
  fail_unless_equals_int (
      receive_rtp (receiver, wire, len), SRTP_TOO_MANY_SSRCS);

  /* A sender as well. */
  config.direction = SRTP_SEND;
  SrtpSession *narrow = session_of (&config, 1, NULL);
  for (guint i = 0; i < 5; i++)
    must_send (narrow, SSRC + i, 1, wire);
  send_rtp (narrow, SSRC + 5, 1, wire, &result);
  fail_unless_equals_int (result, SRTP_TOO_MANY_SSRCS);
  srtp_session_free (narrow);
  srtp_session_free (sender);
  srtp_session_free (receiver);
}
GST_END_TEST;

GST_START_TEST (replay_window_has_the_size_asked_for)
{
  SrtpConfig config = config_of (&suits[__i__], SRTP_SEND);
  SrtpSession *sender = session_of (&config, 1, NULL);
  static guint8 sent[301][64];
  gsize len = 0;

  config.direction = SRTP_RECEIVE;
  config.window = 128;
  SrtpSession *receiver = session_of (&config, 1, NULL);
  for (guint i = 0; i <= 300; i++)
    len = must_send (sender, SSRC, (guint16) i, sent[i]);
  fail_unless_equals_int (receive_rtp (receiver, sent[300], len), SRTP_OK);
  fail_unless_equals_int (
      receive_rtp (receiver, sent[172], len), SRTP_TOO_OLD);
  fail_unless_equals_int (receive_rtp (receiver, sent[173], len), SRTP_OK);
  fail_unless_equals_int (
      receive_rtp (receiver, sent[173], len), SRTP_REPLAYED);
  srtp_session_free (sender);
  srtp_session_free (receiver);
}
GST_END_TEST;

/* --- Without a suite --- */

GST_START_TEST (settings_that_do_not_go_together_are_named)
{
  SrtpConfig c;

  srtp_config_init (&c, SRTP_SEND);
  fail_unless (srtp_config_problem (&c) == NULL);
  fail_unless_equals_int ((int) srtp_config_key_len (&c), 44);
  c.rtp_auth = SRTP_AUTH_HMAC_SHA1_80;
  fail_unless (strstr (srtp_config_problem (&c), "rtp-auth") != NULL);
  srtp_config_init (&c, SRTP_SEND);
  c.rtp_cipher = c.rtcp_cipher = SRTP_AES_128_ICM;
  fail_unless (srtp_config_problem (&c) == NULL);
  c.rtcp_auth = SRTP_AUTH_NULL;
  fail_unless (strstr (srtp_config_problem (&c), "rtcp-auth") != NULL);
  c.rtcp_auth = SRTP_AUTH_AUTO;
  c.backend = SRTP_BACKEND_GNUTLS;
  fail_unless (strstr (srtp_config_problem (&c), "backend") != NULL);
  srtp_config_init (&c, SRTP_SEND);
  c.window = 63;
  fail_unless (srtp_config_problem (&c) != NULL);
  fail_unless (srtp_session_new (&c, NULL) == NULL);
  srtp_config_init (&c, SRTP_SEND);
  c.rtp_cipher = c.rtcp_cipher = SRTP_AES_128_ICM;
  fail_unless_equals_int ((int) srtp_config_key_len (&c), 30);
}
GST_END_TEST;

/* RTP and RTCP may have suites of their own; one key serves both, and libsrtp2 derives the same from it. */
GST_START_TEST (suites_of_rtp_and_rtcp_may_differ)
{
  for (int rtp = SRTP_AES_256_GCM; rtp <= SRTP_AES_128_ICM; rtp++)
    for (int rtcp = SRTP_AES_256_GCM; rtcp <= SRTP_AES_128_ICM; rtcp++) {
      Suit suit = { (SrtpCipher) rtp, SRTP_AUTH_AUTO, SRTP_BACKEND_AUTO };
      SrtpConfig sending = config_of (&suit, SRTP_SEND),
                 receiving = config_of (&suit, SRTP_RECEIVE);
      sending.rtcp_cipher = receiving.rtcp_cipher = (SrtpCipher) rtcp;
      receiving.backend = SRTP_BACKEND_LIBSRTP2;
      if (srtp_cipher_is_gcm (sending.rtp_cipher)
          != srtp_cipher_is_gcm (sending.rtcp_cipher)) {
        fail_unless (
            strstr (srtp_config_problem (&sending), "rtcp-cipher") != NULL);
        continue;
      }
      Pair pair = { session_of (&sending, 1, "m"),
        session_of (&receiving, 1, "m") };
      fail_unless_equals_int (pass (&pair, 1), SRTP_OK);
      gsize len = send_rtcp (pair.sender, SSRC, wire);
      fail_unless_equals_int (
          receive_rtcp (pair.receiver, wire, len), SRTP_OK);
      pair_clear (&pair);
    }
}
GST_END_TEST;

GST_START_TEST (packets_without_room_key_or_sense_are_refused)
{
  SrtpConfig config;
  srtp_config_init (&config, SRTP_SEND);
  SrtpSession *session = srtp_session_new (&config, NULL);
  gsize out_len, len = make_rtp (packet, sizeof packet, SSRC, 1, 0, -1, 100);

  fail_unless_equals_int (srtp_session_protect_rtp (session, packet, len, wire,
                              ROOM, &out_len, NULL),
      SRTP_NO_KEY);
  fail_unless_equals_int (set_key (session, 1, NULL), SRTP_OK);
  fail_unless_equals_int (srtp_session_protect_rtp (session, packet, len, wire,
                              len + 15, &out_len, NULL),
      SRTP_NO_ROOM);
  fail_unless_equals_int (
      srtp_session_protect_rtp (session, packet, len, wire, 3, &out_len, NULL),
      SRTP_NO_ROOM);
  fail_unless_equals_int (srtp_session_protect_rtp (session, packet, len, wire,
                              len + 16, &out_len, NULL),
      SRTP_OK);
  fail_unless_equals_int (srtp_session_unprotect_rtp (session, wire, out_len,
                              plain, ROOM, &out_len, NULL),
      SRTP_NO_KEY);
  fail_unless_equals_int (srtp_session_protect_rtp (
                              session, packet, 11, wire, ROOM, &out_len, NULL),
      SRTP_MALFORMED);
  packet[0] = 0x40; /* version 1 */
  fail_unless_equals_int (srtp_session_protect_rtp (session, packet, len, wire,
                              ROOM, &out_len, NULL),
      SRTP_MALFORMED);
  packet[0] = 0x8f; /* more CSRCs than bytes */
  fail_unless_equals_int (srtp_session_protect_rtp (
                              session, packet, 40, wire, ROOM, &out_len, NULL),
      SRTP_MALFORMED);
  packet[0] = 0x90; /* an extension longer than the packet */
  packet[14] = 0xff;
  fail_unless_equals_int (srtp_session_protect_rtp (session, packet, len, wire,
                              ROOM, &out_len, NULL),
      SRTP_MALFORMED);
  fail_unless (srtp_is_rtcp ((const guint8 *) "\x80\xc8", 2)
               && srtp_is_rtcp ((const guint8 *) "\xa0\xce", 2));
  fail_if (srtp_is_rtcp ((const guint8 *) "\x80\x60", 2)
           || srtp_is_rtcp ((const guint8 *) "\x80\xe0", 2)
           || srtp_is_rtcp ((const guint8 *) "\x80\xc8", 1)
           || srtp_is_rtcp ((const guint8 *) "\x00\xc8", 2));
  srtp_session_free (session);
}
GST_END_TEST;

static Suite *
srtp_suite (void)
{
  Suite *suite = suite_create ("srtp");
  TCase *tc = tcase_create ("vectors");

  vectors = json_node_get_object (load_vectors ("vectors/srtp/vectors.json"));
  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc, session_keys_are_those_of_the_vector, 0,
      (int) json_array_get_length (
          json_object_get_array_member (vectors, "derive")));
  tcase_add_loop_test (tc, gcm_packet_is_that_of_the_vector, 0,
      (int) json_array_get_length (
          json_object_get_array_member (vectors, "gcm")));

  tc = tcase_create ("suites");
  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_loop_test (
      tc, packets_of_all_shapes_come_back_as_they_were, 0, N_SUITS);
  tcase_add_loop_test (
      tc, longest_packet_is_the_same_for_both_sides, 0, N_SUITS);
  tcase_add_loop_test (tc, input_is_read_only, 0, N_SUITS);
  tcase_add_loop_test (tc,
      every_cut_and_every_flipped_bit_is_refused_and_changes_nothing, 0,
      N_SUITS);
  tcase_add_loop_test (
      tc, reordering_across_a_wrap_and_back_finds_every_index, 0, N_SUITS);
  tcase_add_loop_test (tc,
      late_joiner_reads_from_the_first_packet_when_it_is_told_the_roc, 0,
      N_SUITS);
  tcase_add_loop_test (
      tc, forwarder_sends_under_the_indices_it_is_given, 0, N_SUITS);
  tcase_add_loop_test (tc, last_index_is_the_last, 0, N_SUITS);
  tcase_add_loop_test (
      tc, flood_of_ssrcs_costs_no_memory_and_harms_no_stream, 0, N_SUITS);
  tcase_add_loop_test (
      tc, ssrc_that_failed_first_takes_its_failures_along, 0, N_SUITS);
  tcase_add_loop_test (tc,
      streams_are_bounded_and_make_room_when_their_key_is_gone, 0, N_SUITS);
  tcase_add_loop_test (tc, replay_window_has_the_size_asked_for, 0, N_SUITS);

  tc = tcase_create ("settings");
  suite_add_tcase (suite, tc);
  tcase_add_test (tc, settings_that_do_not_go_together_are_named);
  tcase_add_test (tc, suites_of_rtp_and_rtcp_may_differ);
  tcase_add_test (tc, packets_without_room_key_or_sense_are_refused);
  return suite;
}

PURE_CHECK_MAIN (srtp)

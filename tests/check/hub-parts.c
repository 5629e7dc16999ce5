/* The forwarder's parts, each alone: tables, rings, caches, RTP and RTCP as bytes, transport-wide feedback, the hop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include <pthread.h>
#include <string.h>

#include "ext/hub/egress.h"
#include "ext/hub/engine.h"
#include "ext/srtp/hop.h"
#include "srtp-packets.h"

/* The same numbers in every run. */
static guint
any_below (guint limit)
{
  static guint64 state = 1;
  state = state * G_GUINT64_CONSTANT (6364136223846793005) + 1;
  return (guint) (state >> 33) % limit;
}

/* --- Tables --- */

GST_START_TEST (a_table_does_what_a_naive_one_does)
{
  enum
  {
    KEYS = 64
  };
  HubTable table;
  void *model[KEYS] = { NULL };
  static int values[1000];
  guint n = 0;

  hub_table_init (&table, hub_table_memory_new (8));
  for (guint step = 0; step < 100000; step++) {
    guint k = any_below (KEYS);
    HubKey key = hub_key_pair (7, k);
    switch (any_below (4)) {
      case 0:
        n += model[k] == NULL;
        if (n > hub_table_memory_room (table.memory))
          free (hub_table_move (&table, hub_table_memory_new (n)));
        model[k] = &values[step % 1000];
        fail_unless (hub_table_put (&table, &key, model[k]));
        break;
      case 1:
        hub_table_remove (&table, &key);
        n -= model[k] != NULL;
        model[k] = NULL;
        break;
      default:
        fail_unless (hub_table_find (&table, &key) == model[k]);
    }
    fail_unless_equals_int (table.n, n);
  }
  for (guint k = 0; k < KEYS; k++) {
    HubKey key = hub_key_pair (7, k), other = hub_key_pair (8, k);
    fail_unless (hub_table_find (&table, &key) == model[k]);
    fail_unless (hub_table_find (&table, &other) == NULL);
  }
  free (table.memory);
}
GST_END_TEST;

GST_START_TEST (a_full_table_refuses)
{
  HubTable table;
  int value;
  guint n = 0;

  hub_table_init (&table, hub_table_memory_new (8));
  HubKey key = hub_key_pair (0, 0);
  while (hub_table_put (&table, &key, &value))
    key = hub_key_pair (0, ++n);
  fail_unless_equals_int (n, hub_table_memory_room (table.memory));
  fail_unless (hub_table_find (&table, &key) == NULL);
  free (table.memory);
}
GST_END_TEST;

/* --- Rings --- */

#define MESSAGES 200000u

static void *
write_ring (void *data)
{
  HubRing *ring = data;
  for (guint32 i = 0; i < MESSAGES;) {
    guint32 message[4] = { i, ~i, i * 3, i ^ 0x55 };
    if (hub_ring_put (ring, message, sizeof message))
      i++;
    else
      sched_yield ();
  }
  return NULL;
}

GST_START_TEST (a_ring_loses_and_mixes_nothing_between_threads)
{
  static HubRing ring;
  pthread_t writer;
  guint32 message[4];

  fail_unless (hub_ring_init (&ring));
  pthread_create (&writer, NULL, write_ring, &ring);
  for (guint32 i = 0; i < MESSAGES;) {
    if (!hub_ring_take (&ring, message, sizeof message)) {
      sched_yield ();
      continue;
    }
    g_assert_cmpuint (message[0], ==, i);
    g_assert_cmpuint (message[1], ==, ~i);
    g_assert_cmpuint (message[2], ==, i * 3);
    g_assert_cmpuint (message[3], ==, i ^ 0x55);
    i++;
  }
  pthread_join (writer, NULL);
  fail_unless (hub_ring_is_empty (&ring));
  fail_unless_equals_int (hub_ring_room (&ring), HUB_RING_SLOTS);
  for (guint i = 0; i < HUB_RING_SLOTS; i++)
    fail_unless (hub_ring_put (&ring, message, sizeof message));
  fail_if (hub_ring_put (&ring, message, sizeof message));
  hub_ring_clear (&ring);
}
GST_END_TEST;

/* --- Caches --- */

static guint8
byte_of (guint64 index, gsize i)
{
  return (guint8) (index * 31 + i * 7);
}

/* Everything that it gives is what was put; and what was put lately is there. */
GST_START_TEST (a_cache_gives_what_was_put_or_nothing)
{
  HubCache *cache = hub_cache_new (64, 16384);
  guint64 put = 0;
  gsize lengths[64] = { 0 };

  for (guint step = 0; step < 20000; step++) {
    gsize len = (gsize) (12 + any_below (1488));
    guint8 *room = hub_cache_reserve (cache, len);
    if (any_below (5) == 0) {
      memset (room, 0xee, len); /* a packet that was not authentic */
    } else {
      put++;
      for (gsize i = 0; i < len; i++)
        room[i] = byte_of (put, i);
      hub_cache_commit (cache, put, len, 12);
      lengths[put % 64] = len;
    }
    gsize behind = 0;
    for (guint64 index = put > 70 ? put - 70 : 1; index <= put + 2; index++) {
      const guint8 *bytes;
      const HubCached *cached = hub_cache_find (cache, index, &bytes);
      if (!cached)
        continue;
      fail_unless (index <= put && put - index < 64);
      fail_unless_equals_int (cached->len, lengths[index % 64]);
      for (gsize i = 0; i < cached->len; i++)
        g_assert_cmpint (bytes[i], ==, byte_of (index, i));
    }
    for (guint64 index = put; index > 0 && put - index < 64; index--) {
      const guint8 *bytes;
      behind += lengths[index % 64];
      if (behind > 16384 - 3 * 1500)
        break;
      fail_unless (hub_cache_find (cache, index, &bytes) != NULL,
          "a packet that had room is gone");
    }
  }
  hub_cache_forget (cache);
  const guint8 *bytes;
  for (guint64 index = 0; index <= put; index++)
    fail_unless (hub_cache_find (cache, index, &bytes) == NULL);
  hub_cache_free (cache);
}
GST_END_TEST;

/* --- RTP --- */

GST_START_TEST (rtp_is_refused_at_every_cut)
{
  guint8 bytes[64];
  HubRtp rtp;
  gsize len = make_rtp (bytes, sizeof bytes, 0x01020304, 77, 3, 8, 0);

  fail_unless (hub_rtp_parse (bytes, len, &rtp));
  fail_unless_equals_int (rtp.head_len, len);
  fail_unless_equals_int (rtp.seq, 77);
  fail_unless_equals_int (rtp.ssrc, 0x01020304);
  for (gsize cut = 0; cut < len; cut++) {
    guint8 *exact = g_memdup2 (bytes, cut);
    fail_if (hub_rtp_parse (exact, cut, &rtp));
    g_free (exact);
  }
  bytes[0] = (bytes[0] & 0x3f) | 0x40;
  fail_if (hub_rtp_parse (bytes, len, &rtp));
}
GST_END_TEST;

static const struct
{
  guint8 bytes[8];
  gsize want; /* length of element 3; 0: none */
  guint8 value;
} elements[] = {
  { { 0x30, 0xaa, 0, 0 }, 1, 0xaa }, { { 0, 0, 0x30, 0xab }, 1, 0xab },
  { { 0x11, 1, 2, 0x30, 0xac }, 1, 0xac },
  { { 0x31, 0xad, 2, 0x30, 9 }, 2, 0xad },
  { { 0xf0, 0, 0x30, 0xae }, 0, 0 },          /* id 15: stop */
  { { 0x10, 1, 0, 0, 0, 0, 0, 0x30 }, 0, 0 }, /* cut */
  { { 0x3f, 1, 2, 3, 4, 5, 6, 7 }, 0, 0 },    /* longer than what is there */
};

GST_START_TEST (header_extensions_are_found_within_their_bounds)
{
  guint8 *bytes = g_malloc0 (24);
  HubRtp rtp;
  gsize len;

  bytes[0] = 0x90;
  bytes[12] = 0xbe;
  bytes[13] = 0xde;
  bytes[15] = 2;
  memcpy (bytes + 16, elements[__i__].bytes, 8);
  fail_unless (hub_rtp_parse (bytes, 24, &rtp));
  const guint8 *value = hub_rtp_element (&rtp, 3, &len);
  fail_unless_equals_int (value != NULL, elements[__i__].want > 0);
  if (value) {
    fail_unless_equals_int (len, elements[__i__].want);
    fail_unless_equals_int (value[0], elements[__i__].value);
  }
  g_free (bytes);
}
GST_END_TEST;

GST_START_TEST (rtx_is_undone_to_the_original)
{
  guint8 plain[128], rtx[130], back[130];
  HubRtp rtp;
  guint16 seq;

  for (int extension = -1; extension <= 8; extension += 9)
    for (guint csrcs = 0; csrcs < 4; csrcs++) {
      gsize len = make_rtp (
          plain, sizeof plain, 0xaabbccdd, 65535, csrcs, extension, 20);
      fail_unless (hub_rtp_parse (plain, len, &rtp));
      gsize rtx_len =
          hub_rtx_wrap (plain, len, rtp.head_len, 97, 0x11223344, 5, rtx);
      fail_unless_equals_int (rtx_len, len + 2);
      guint8 type = rtp.payload_type;
      fail_unless (hub_rtp_parse (rtx, rtx_len, &rtp));
      fail_unless_equals_int (rtp.payload_type, 97);
      fail_unless_equals_int (rtp.ssrc, 0x11223344);
      fail_unless_equals_int (rtp.seq, 5);
      fail_unless_equals_int (
          hub_rtx_unwrap (rtx, rtx_len, &rtp, type, 0xaabbccdd, &seq, back),
          len);
      fail_unless_equals_int (seq, 65535);
      fail_unless (memcmp (back, plain, len) == 0);
      /* In place too. */
      hub_rtx_unwrap (rtx, rtx_len, &rtp, type, 0xaabbccdd, &seq, rtx);
      fail_unless (memcmp (rtx, plain, len) == 0);
    }
}
GST_END_TEST;

static const struct
{
  guint64 reference;
  guint16 seq;
  guint64 want;
} nearest[] = {
  { 0, 0, 0 },
  { 0, 65535, 65535 }, /* ROC -1 does not exist */
  { 65535, 0, 65536 },
  { 65536, 65535, 65535 },
  { 0x1ffff, 1, 0x20001 },
  { 0x20001, 0xffff, 0x1ffff },
  { 0x28000, 0x7fff, 0x27fff },
  { 0x25000, 0xd001, 0x1d001 },
};

GST_START_TEST (the_nearest_index_is_found)
{
  fail_unless_equals_uint64 (
      hub_nearest_index (nearest[__i__].reference, nearest[__i__].seq),
      nearest[__i__].want);
}
GST_END_TEST;

/* --- RTCP --- */

GST_START_TEST (rtcp_is_all_or_nothing_at_every_cut_and_change)
{
  guint8 bytes[256];
  Writer w = writer_init (bytes, sizeof bytes);
  HubReport report = { .ssrc = 1, .fraction = 2, .lost = -3, .highest = 4 };
  HubSenderInfo info = { .timestamp = 5 };
  HubRtcp packet;
  gsize ends[5], n = 0;

  hub_rtcp_write_sr (&w, 10, &info);
  ends[n++] = writer_len (&w);
  hub_rtcp_write_cname (&w, 10, (const guint8 *) "abcdef", 6);
  ends[n++] = writer_len (&w);
  hub_rtcp_write_rr (&w, 10, &report, 1);
  ends[n++] = writer_len (&w);
  hub_rtcp_write_pli (&w, 10, 11);
  ends[n++] = writer_len (&w);
  gsize len = writer_len (&w);
  fail_if (w.failed);
  for (gsize cut = 0; cut <= len; cut++) {
    guint8 *exact = g_memdup2 (bytes, MAX (cut, 1));
    gboolean whole = FALSE;
    for (gsize i = 0; i < n; i++)
      whole |= cut == ends[i];
    fail_unless_equals_int (hub_rtcp_check (exact, cut), whole);
    g_free (exact);
  }
  Reader compound = reader_init (bytes, len);
  fail_unless (hub_rtcp_next (&compound, &packet));
  fail_unless_equals_int (packet.type, HUB_RTCP_SR);
  fail_unless_equals_int (packet.ssrc, 10);
  fail_unless (hub_rtcp_next (&compound, &packet));
  fail_unless_equals_int (packet.type, HUB_RTCP_SDES);
  fail_unless (memcmp (hub_rtcp_find_cname (packet.body, packet.count, 10, &n),
                   "abcdef", 6)
               == 0);
  fail_unless_equals_int (n, 6);
  fail_unless (
      hub_rtcp_find_cname (packet.body, packet.count, 11, &n) == NULL);
  fail_unless (hub_rtcp_next (&compound, &packet));
  HubReport back;
  fail_unless (hub_rtcp_read_report (&packet.body, &back));
  fail_unless_equals_int (back.lost, -3);
  fail_unless_equals_int (back.fraction, 2);
  fail_unless (hub_rtcp_next (&compound, &packet));
  fail_unless_equals_int (packet.type, HUB_RTCP_PSFB);
  fail_if (hub_rtcp_next (&compound, &packet));

  /* Every single byte changed: whatever the checker says, the reader stays inside. */
  for (gsize at = 0; at < len; at++)
    for (guint v = 0; v < 256; v++) {
      guint8 *exact = g_memdup2 (bytes, len);
      exact[at] = (guint8) v;
      if (hub_rtcp_check (exact, len)) {
        compound = reader_init (exact, len);
        while (hub_rtcp_next (&compound, &packet))
          hub_rtcp_find_cname (packet.body, packet.count, 10, &n);
        fail_if (compound.failed);
      }
      g_free (exact);
    }
}
GST_END_TEST;

GST_START_TEST (padding_of_rtcp_is_checked)
{
  guint8 rr[] = { 0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4 };
  fail_unless (hub_rtcp_check (rr, sizeof rr));
  static const guint8 bad[] = { 0, 1, 3, 5, 8, 12, 255 };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    rr[11] = bad[i];
    fail_if (hub_rtcp_check (rr, sizeof rr), "padding of %u", bad[i]);
  }
  /* Only the last of a compound may be padded. */
  guint8 two[20];
  rr[11] = 4;
  memcpy (two, rr, 12);
  memcpy (two + 12, (guint8[]){ 0x80, 201, 0, 1, 0, 0, 0, 1 }, 8);
  fail_if (hub_rtcp_check (two, sizeof two));
}
GST_END_TEST;

GST_START_TEST (jitter_is_that_of_rfc_3550)
{
  HubReception r = { .clock_rate = 90000 };
  HubReport report;
  double jitter = 0;
  gint64 before = 0;

  /* Deep into the life of a clock: nothing overflows. */
  guint64 base = G_GUINT64_CONSTANT (90) * 24 * 3600 * HUB_S;
  for (guint i = 0; i < 500; i++) {
    guint64 late = (i * 7919) % 20 * HUB_MS;
    guint32 timestamp = i * 3000;
    guint64 at = base + i * HUB_S / 30 + late;
    gint64 transit = (gint64) (i * 3000 + late * 90 / HUB_MS) - timestamp;
    if (i > 0)
      jitter += (ABS (transit - before) - jitter) / 16;
    before = transit;
    hub_reception_count (&r, 65000 + i, timestamp, at);
  }
  fail_unless (hub_reception_report (&r, 1, base, &report));
  fail_unless (report.jitter > 0);
  fail_unless (ABS ((double) report.jitter - jitter) < 4, "%u, not %f",
      report.jitter, jitter);
  fail_unless_equals_int (report.lost, 0);
  fail_unless_equals_int (report.fraction, 0);
  fail_unless_equals_int (report.highest, 65499);
}
GST_END_TEST;

/* --- Transport-wide feedback, by a reader of its own --- */

typedef struct
{
  guint first, count, fb;
  gint64 at[600]; /* 250 us; -1: not received */
} Feedback;

static void
read_feedback (const guint8 *bytes, gsize len, Feedback *out)
{
  Reader r = reader_init (bytes, len);
  guint8 symbols[700];
  guint n = 0;

  guint head = reader_uint (&r, 1);
  fail_unless_equals_int (head & 0xdf, 0x8f);
  fail_unless_equals_int (reader_uint (&r, 1), 205);
  fail_unless_equals_int (reader_uint (&r, 2) * 4 + 4, len);
  gsize padding = head & 0x20 ? bytes[len - 1] : 0;
  fail_unless (padding < 4);
  reader_take (&r, 8);
  out->first = reader_uint (&r, 2);
  out->count = reader_uint (&r, 2);
  gint64 time = (gint64) reader_uint (&r, 3) * 256;
  out->fb = reader_uint (&r, 1);
  while (n < out->count) {
    guint chunk = reader_uint (&r, 2);
    fail_if (r.failed);
    if (!(chunk & 0x8000))
      for (guint i = chunk & 0x1fff; i > 0; i--)
        symbols[n++] = chunk >> 13;
    else if (chunk & 0x4000)
      for (guint i = 0; i < 7; i++)
        symbols[n++] = chunk >> (12 - 2 * i) & 3;
    else
      for (guint i = 0; i < 14; i++)
        symbols[n++] = chunk >> (13 - i) & 1;
  }
  for (guint i = 0; i < out->count; i++) {
    out->at[i] = -1;
    if (symbols[i] == 0)
      continue;
    time += symbols[i] == 1 ? (gint64) reader_uint (&r, 1)
                            : (gint16) reader_uint (&r, 2);
    out->at[i] = time;
  }
  fail_if (r.failed);
  fail_unless_equals_int (reader_left (&r), padding);
}

GST_START_TEST (feedback_tells_every_arrival_once)
{
  HubTwcc twcc = { 0 };
  guint8 bytes[HUB_TWCC_MAX];
  Feedback feedback;
  guint64 now = 64 * HUB_MS * 5;
  guint next_told = 65000, fb = 0;
  gint64 *arrivals = g_new (gint64, 70000);

  for (guint i = 0; i < 70000; i++)
    arrivals[i] = -1;
  for (guint seq = 65000; seq < 69000; seq++) {
    now += (guint64) any_below (8) * HUB_MS / 2;
    if (any_below (10) == 0)
      continue;
    arrivals[seq] = (gint64) (now / 250000);
    gboolean full = hub_twcc_count (&twcc, (guint16) seq, now);
    if (!full && any_below (40) != 0)
      continue;
    Writer w = writer_init (bytes, sizeof bytes);
    fail_unless (hub_twcc_write (&twcc, &w, 1, 2));
    read_feedback (bytes, writer_len (&w), &feedback);
    fail_unless_equals_int (feedback.fb, fb++ & 0xff);
    if (seq == 65000)
      next_told = 65000;
    fail_unless_equals_int (
        feedback.first, (guint16) (fb == 1 ? feedback.first : next_told));
    if (fb == 1)
      next_told = seq - feedback.count + 1;
    for (guint i = 0; i < feedback.count; i++)
      fail_unless_equals_int64 (feedback.at[i], arrivals[next_told + i]);
    next_told += feedback.count;
    Writer again = writer_init (bytes, sizeof bytes);
    fail_unless_equals_int (
        hub_twcc_write (&twcc, &again, 1, 2), next_told <= seq);
    if (next_told <= seq) {
      read_feedback (bytes, writer_len (&again), &feedback);
      next_told += feedback.count;
      fb++;
    }
  }
  fail_unless (fb > 50);
  g_free (arrivals);
}
GST_END_TEST;

GST_START_TEST (feedback_survives_what_a_publisher_may_invent)
{
  HubTwcc twcc = { 0 };
  guint8 bytes[HUB_TWCC_MAX];
  Feedback feedback;
  guint64 now = 1;

  for (guint i = 0; i < 50000; i++) {
    hub_twcc_count (&twcc, (guint16) any_below (65536), now);
    now += (guint64) any_below (1000) * HUB_S;
    if (i % 7 == 0) {
      Writer w = writer_init (bytes, sizeof bytes);
      if (hub_twcc_write (&twcc, &w, 1, 2))
        read_feedback (bytes, writer_len (&w), &feedback);
      fail_if (w.failed, "longer than HUB_TWCC_MAX");
    }
  }
}
GST_END_TEST;

/* --- Messages to the socket --- */

typedef struct
{
  gsize room; /* messages that are taken */
  GString *log;
} Socket;

static size_t
take_messages (void *io, const HubMessage *messages, size_t n)
{
  Socket *s = io;
  gsize taken = MIN (n, s->room);
  for (gsize i = 0; i < taken; i++)
    g_string_append_printf (s->log, "%u:%u*%u/%u%c ",
        messages[i].path.remote.port, messages[i].segment,
        messages[i].n_segments, messages[i].len, "vac"[messages[i].kind]);
  s->room -= taken;
  return taken;
}

static guint8 *
put_message (HubEgress *e, guint16 port, HubSendKind kind, gsize len)
{
  HubPath path = { .remote.port = port };
  return hub_egress_reserve (e, &path, kind, len);
}

GST_START_TEST (equal_packets_to_one_receiver_are_one_message)
{
  HubCounters counters = { 0 };
  HubEgress e;
  Socket s = { 100, g_string_new (NULL) };

  hub_egress_init (&e, take_messages, &s, &counters);
  e.gso = TRUE;
  put_message (&e, 1, HUB_SEND_VIDEO, 100);
  put_message (&e, 1, HUB_SEND_VIDEO, 100);
  put_message (&e, 1, HUB_SEND_VIDEO, 40); /* shorter: the last */
  put_message (&e, 1, HUB_SEND_VIDEO, 40);
  put_message (&e, 1, HUB_SEND_VIDEO, 41); /* longer: a new one */
  put_message (&e, 2, HUB_SEND_VIDEO, 41); /* another receiver */
  put_message (&e, 2, HUB_SEND_AUDIO, 41); /* another kind */
  put_message (&e, 3, HUB_SEND_VIDEO, 1300);
  put_message (&e, 3, HUB_SEND_VIDEO, 1300); /* above the least MTU: apart */
  put_message (&e, 4, HUB_SEND_VIDEO, 10);
  hub_egress_undo (&e, 10);
  put_message (&e, 5, HUB_SEND_VIDEO, 10);
  put_message (&e, 5, HUB_SEND_VIDEO, 10);
  hub_egress_undo (&e, 10);
  hub_egress_flush (&e);
  fail_unless_equals_string (s.log->str,
      "1:100*3/240v 1:40*1/40v 1:41*1/41v 2:41*1/41v 2:41*1/41a 3:1300*1/1300v "
      "3:1300*1/1300v 5:10*1/10v ");
  g_string_truncate (s.log, 0);
  for (guint i = 0; i < 100; i++)
    put_message (&e, 1, HUB_SEND_VIDEO, 1200);
  e.gso = FALSE;
  put_message (&e, 1, HUB_SEND_VIDEO, 1200);
  hub_egress_flush (&e);
  fail_unless_equals_string (s.log->str,
      "1:1200*48/57600v 1:1200*48/57600v 1:1200*4/4800v 1:1200*1/1200v ");
  hub_egress_clear (&e);
  g_string_free (s.log, TRUE);
}
GST_END_TEST;

GST_START_TEST (a_full_socket_costs_video_before_audio)
{
  HubCounters counters = { 0 };
  HubEgress e;
  Socket s = { 1, g_string_new (NULL) };

  hub_egress_init (&e, take_messages, &s, &counters);
  put_message (&e, 1, HUB_SEND_VIDEO, 10);
  put_message (&e, 2, HUB_SEND_VIDEO, 11);
  put_message (&e, 3, HUB_SEND_AUDIO, 12);
  put_message (&e, 4, HUB_SEND_CONTROL, 13);
  hub_egress_flush (&e);
  fail_unless (e.blocked);
  fail_unless_equals_uint64 (
      hub_count_read (&counters.n[HUB_SEND_DROPPED]), 1);
  fail_unless (put_message (&e, 5, HUB_SEND_VIDEO, 14) == NULL);
  fail_unless (put_message (&e, 6, HUB_SEND_AUDIO, 15) != NULL);
  hub_egress_flush (&e); /* waits */
  fail_unless_equals_string (s.log->str, "1:10*1/10v ");
  /* Not for ever: it holds so many, and no more. */
  guint n = 3;
  while (put_message (&e, 7, HUB_SEND_AUDIO, 16))
    n++;
  fail_unless_equals_int (n, HUB_EGRESS_MESSAGES);
  s.room = 100;
  hub_egress_unblock (&e);
  fail_if (e.blocked);
  fail_unless (g_str_has_prefix (
      s.log->str, "1:10*1/10v 3:12*1/12a 4:13*1/13c 6:15*1/15a 7:16*1/16a "));
  fail_unless (put_message (&e, 5, HUB_SEND_VIDEO, 14) != NULL);
  hub_egress_clear (&e);
  g_string_free (s.log, TRUE);
}
GST_END_TEST;

/* --- The hop --- */

static const SrtpBackend backends[] = { SRTP_BACKEND_GNUTLS,
  SRTP_BACKEND_LIBSRTP2 };

GST_START_TEST (a_session_reads_what_a_hop_writes)
{
  SrtpConfig config;
  Secret *key = secret_random (HUB_KEY_LEN), *wrong = secret_random (43);
  SrtpHop *hop = srtp_hop_new (key);
  guint8 plain[256], wire[256 + SRTP_MAX_OVERHEAD], back[300];
  gsize back_len;
  SrtpInfo info;
  static const guint64 indices[] = { 65530, 65535, 65536, 65537, 65536 * 7 };

  fail_unless (srtp_hop_new (NULL) == NULL);
  fail_unless (srtp_hop_new (wrong) == NULL);
  srtp_config_init (&config, SRTP_RECEIVE);
  config.backend = backends[__i__];
  SrtpSession *in = srtp_session_new (&config, NULL);
  fail_unless_equals_int (srtp_session_set_key (in, key, NULL, 0), SRTP_OK);
  for (guint i = 0; i < G_N_ELEMENTS (indices); i++) {
    gsize len =
        make_rtp (plain, sizeof plain, 0x11, (guint16) indices[i], 2, 8, 100);
    fail_unless (srtp_hop_protect_rtp (
        hop, indices[i], 0x11, len - 100, plain, len, wire));
    if (i == 4)
      fail_unless_equals_int (
          srtp_session_set_index (in, 0x11, indices[i]), SRTP_OK);
    fail_unless_equals_int (
        srtp_session_unprotect_rtp (in, wire, len + SRTP_HOP_RTP_OVERHEAD,
            back, sizeof back, &back_len, &info),
        SRTP_OK);
    fail_unless_equals_uint64 (info.index, indices[i]);
    fail_unless (back_len == len && memcmp (back, plain, len) == 0);
  }
  for (guint i = 1; i < 5; i++) {
    /* One count for all SSRCs. */
    gsize len = make_rtcp (plain, sizeof plain, i % 2 ? 0x11 : 0x22, 2);
    fail_unless (srtp_hop_protect_rtcp (hop, plain, len, wire));
    fail_unless_equals_int (
        srtp_session_unprotect_rtcp (in, wire, len + SRTP_HOP_RTCP_OVERHEAD,
            back, sizeof back, &back_len, &info),
        SRTP_OK);
    fail_unless_equals_uint64 (info.index, i);
    fail_unless (back_len == len && memcmp (back, plain, len) == 0);
  }
  fail_if (srtp_hop_protect_rtp (
      hop, G_GUINT64_CONSTANT (1) << 48, 0x11, 12, plain, 20, wire));
  fail_if (srtp_hop_protect_rtcp (hop, plain, 7, wire));
  srtp_session_free (in);
  srtp_hop_free (hop);
  srtp_hop_free (NULL);
  secret_unref (key);
  secret_unref (wrong);
}
GST_END_TEST;

GST_START_TEST (a_bucket_gives_its_rate_and_its_depth)
{
  HubBucket bucket = { 0 };
  guint64 now = 5 * HUB_S;
  guint n = 0;

  while (hub_bucket_take (&bucket, now, 50, 10))
    n++;
  fail_unless_equals_int (n, 10);
  for (n = 0; now < 6 * HUB_S; now += HUB_MS)
    n += hub_bucket_take (&bucket, now, 50, 10);
  fail_unless (n >= 49 && n <= 51, "%u", n);
  now += 1000 * HUB_S;
  for (n = 0; hub_bucket_take (&bucket, now, 50, 10);)
    n++;
  fail_unless_equals_int (n, 10);
}
GST_END_TEST;

static Suite *
hub_parts_suite (void)
{
  Suite *suite = suite_create ("hub-parts");
  TCase *tc = tcase_create ("parts");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, a_table_does_what_a_naive_one_does);
  tcase_add_test (tc, a_full_table_refuses);
  tcase_add_test (tc, a_ring_loses_and_mixes_nothing_between_threads);
  tcase_add_test (tc, a_cache_gives_what_was_put_or_nothing);
  tcase_add_test (tc, rtp_is_refused_at_every_cut);
  tcase_add_loop_test (tc, header_extensions_are_found_within_their_bounds, 0,
      (int) G_N_ELEMENTS (elements));
  tcase_add_test (tc, rtx_is_undone_to_the_original);
  tcase_add_loop_test (
      tc, the_nearest_index_is_found, 0, (int) G_N_ELEMENTS (nearest));
  tcase_add_test (tc, rtcp_is_all_or_nothing_at_every_cut_and_change);
  tcase_add_test (tc, padding_of_rtcp_is_checked);
  tcase_add_test (tc, jitter_is_that_of_rfc_3550);
  tcase_add_test (tc, feedback_tells_every_arrival_once);
  tcase_add_test (tc, feedback_survives_what_a_publisher_may_invent);
  tcase_add_test (tc, equal_packets_to_one_receiver_are_one_message);
  tcase_add_test (tc, a_full_socket_costs_video_before_audio);
  tcase_add_loop_test (tc, a_session_reads_what_a_hop_writes, 0, 2);
  tcase_add_test (tc, a_bucket_gives_its_rate_and_its_depth);
  return suite;
}

PURE_CHECK_MAIN (hub_parts)

/* The media thread allocates nothing per packet, and what comes and goes leaves nothing behind. The allocator is counted: this
 * test stands in front of the C library's. With a sanitizer, which stands there itself, it is left out.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hubmeeting.h"

#include <malloc.h>
#include <string.h>

#include "ext/sodium/writer.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)             \
    || !defined(__GLIBC__)
#define COUNTED 0
#else
#define COUNTED 1
#endif

static _Atomic gint64 n_calls, n_bytes;

#if COUNTED
extern void *__libc_malloc (size_t size);
extern void *__libc_calloc (size_t n, size_t size);
extern void *__libc_realloc (void *old, size_t size);
extern void __libc_free (void *p);

static void *
count (void *p)
{
  atomic_fetch_add (&n_calls, 1);
  atomic_fetch_add (&n_bytes, (gint64) malloc_usable_size (p));
  return p;
}

void *
malloc (size_t size)
{
  return count (__libc_malloc (size));
}

void *
calloc (size_t n, size_t size)
{
  return count (__libc_calloc (n, size));
}

void *
realloc (void *old, size_t size)
{
  atomic_fetch_sub (&n_bytes, (gint64) malloc_usable_size (old));
  return count (__libc_realloc (old, size));
}

void
free (void *p)
{
  atomic_fetch_sub (&n_bytes, (gint64) malloc_usable_size (p));
  __libc_free (p);
}
#endif

#define PACKETS 1000
#define ROOM 200

typedef struct
{
  guint8 bytes[ROOM];
  gsize len;
} Wire;

/* A compound of an empty report, a NACK and a PLI. */
static gsize
make_feedback (Meeting *m, guint32 media, guint16 seq, Wire *out)
{
  guint8 plain[64];
  Writer w = writer_init (plain, sizeof plain);
  guint32 own = m->clients[1].credentials.ssrc;

  writer_uint (&w, 0x80c90001, 4);
  writer_uint (&w, own, 4);
  writer_uint (&w, 0x81cd0003, 4);
  writer_uint (&w, own, 4);
  writer_uint (&w, media, 4);
  writer_uint (&w, (guint32) seq << 16 | 1, 4);
  writer_uint (&w, 0x81ce0002, 4);
  writer_uint (&w, own, 4);
  writer_uint (&w, media, 4);
  g_assert_cmpint (srtp_session_protect_rtcp (m->clients[1].out, plain,
                       writer_len (&w), out->bytes, ROOM, &out->len, NULL),
      ==, SRTP_OK);
  return out->len;
}

static void
await_quietly (Meeting *m, HubCounter counter, guint64 n)
{
  while (meeting_counter (m, counter) < n)
    g_usleep (200);
}

GST_START_TEST (nothing_is_allocated_per_packet)
{
  Meeting m;
  HubForwarderConfig config;
  HubRoomConfig room = {
    .audio_last_n = 1, .audio_level_id = 1, .twcc_id = 2
  };
  HubTrackSsrcs video, voices[2];
  guint8 payload[100] = { 0 };
  static Wire wires[PACKETS], feedback[20];

  if (!COUNTED)
    return;
  hub_forwarder_config_init (&config);
  meeting_open_with (&m, &config, &room);
  for (guint i = 0; i < 4; i++)
    meeting_join (&m);
  HubTrack *tracks[3] = { meeting_publish (&m, 0, HUB_VIDEO, &video),
    meeting_publish (&m, 0, HUB_AUDIO, &voices[0]),
    meeting_publish (&m, 0, HUB_AUDIO, &voices[1]) };
  for (guint i = 1; i < 4; i++)
    for (guint k = 0; k < 3; k++)
      meeting_subscribe (&m, i, tracks[k]);
  guint32 ssrcs[3] = { video.ssrc, voices[0].ssrc, voices[1].ssrc };
  for (guint i = 0; i < PACKETS; i++) {
    guint8 extension[8] = { 0x10, (guint8) (i % 127), 0x21, (guint8) (i >> 8),
      (guint8) i };
    wires[i].len = hub_client_make_rtp (&m.clients[0], wires[i].bytes, ROOM,
        ssrcs[i % 3], i / 3 + 1, i, 96, extension, sizeof extension, payload,
        sizeof payload);
  }
  for (guint i = 0; i < G_N_ELEMENTS (feedback); i++)
    make_feedback (&m, video.ssrc, (guint16) (i + 5), &feedback[i]);

  guint64 half = PACKETS / 2;
  for (guint i = 0; i < PACKETS; i++) {
    /* The first half makes what is made once: streams, pages. */
    if (i == half) {
      await_quietly (&m, HUB_RTP_ACCEPTED, half);
      meeting_settle (&m);
      atomic_store (&n_calls, 0);
    }
    hub_client_send_raw (&m.clients[0], wires[i].bytes, wires[i].len);
    if (i % 50 == 49) {
      hub_client_send_raw (
          &m.clients[1], feedback[i / 50].bytes, feedback[i / 50].len);
      await_quietly (&m, HUB_RTP_ACCEPTED, i + 1);
      await_quietly (&m, HUB_RTCP_ACCEPTED, i / 50 + 1);
      atomic_fetch_add (&m.now, 50 * MS);
      hub_forwarder_wake (m.forwarder);
    }
  }
  await_quietly (&m, HUB_RTP_ACCEPTED, PACKETS);
  gint64 calls = atomic_load (&n_calls);
  fail_unless (
      calls == 0, "%" G_GINT64_FORMAT " allocations for 500 packets", calls);
  fail_unless (meeting_counter (&m, HUB_RTX_SENT) >= 20);
  fail_unless (meeting_counter (&m, HUB_PLI_SENT) >= 2);
  meeting_close (&m);
}
GST_END_TEST;

/* Members come, speak, listen and go. */
static void
live_a_while (Meeting *m)
{
  HubTrackSsrcs ssrcs[3];
  HubTrack *tracks[3];

  for (guint i = 0; i < 3; i++) {
    meeting_join (m);
    tracks[i] =
        meeting_publish (m, i, i % 2 ? HUB_AUDIO : HUB_VIDEO, &ssrcs[i]);
  }
  for (guint i = 0; i < 3; i++)
    for (guint k = 0; k < 3; k++)
      if (i != k)
        meeting_subscribe (m, i, tracks[k]);
  for (guint64 index = 1; index < 30; index++)
    for (guint i = 0; i < 3; i++)
      meeting_send (m, i, ssrcs[i].ssrc, index);
  for (guint i = 0; i < 3; i++) {
    hub_forwarder_remove_transport (m->forwarder, m->transports[i]);
    hub_client_clear (&m->clients[i]);
  }
  m->n = m->n_events = 0;
  meeting_settle (m);
  meeting_settle (m);
}

GST_START_TEST (what_came_and_went_leaves_nothing)
{
  Meeting m;

  if (!COUNTED)
    return;
  meeting_open (&m);
  for (guint i = 0; i < 5; i++)
    live_a_while (&m);
  gint64 before = atomic_load (&n_bytes);
  for (guint i = 0; i < 40; i++)
    live_a_while (&m);
  gint64 grown = atomic_load (&n_bytes) - before;
  fail_unless (
      grown < 4096, "%" G_GINT64_FORMAT " bytes after 40 rounds", grown);
  meeting_close (&m);
}
GST_END_TEST;

/* What one idle participant costs here: DESIGN's budget is 32 KiB with its WebSocket and TLS, which take some 15. */
GST_START_TEST (an_idle_participant_is_small)
{
  Meeting m;
  HubTrackSsrcs ssrcs[2];
  enum
  {
    N = 500
  };

  if (!COUNTED)
    return;
  meeting_open (&m);
  meeting_join (&m);
  HubTrack *tracks[2] = { meeting_publish (&m, 0, HUB_VIDEO, &ssrcs[0]),
    meeting_publish (&m, 0, HUB_AUDIO, &ssrcs[1]) };
  gint64 before = atomic_load (&n_bytes);
  for (guint i = 0; i < N; i++) {
    HubTransport *transport;
    HubCredentials credentials;
    g_assert_cmpint (hub_forwarder_add_transport (m.forwarder, m.room, "x",
                         NULL, &transport, &credentials),
        ==, HUB_OK);
    hub_credentials_clear (&credentials);
    for (guint k = 0; k < 2; k++)
      hub_forwarder_subscribe (m.forwarder, transport, tracks[k], FALSE);
    hub_forwarder_dispatch (m.forwarder);
  }
  meeting_settle (&m);
  gint64 each = (atomic_load (&n_bytes) - before) / N;
  fail_unless (each < 14 * 1024, "%" G_GINT64_FORMAT " bytes", each);
  g_print ("%" G_GINT64_FORMAT " bytes per participant\n", each);
  meeting_close (&m);
}
GST_END_TEST;

static Suite *
hub_memory_suite (void)
{
  Suite *suite = suite_create ("hub-memory");
  TCase *tc = tcase_create ("memory");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, nothing_is_allocated_per_packet);
  tcase_add_test (tc, what_came_and_went_leaves_nothing);
  tcase_add_test (tc, an_idle_participant_is_small);
  return suite;
}

PURE_CHECK_MAIN (hub_memory)

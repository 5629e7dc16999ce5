/* CPU ns per forwarded packet of the hub's media thread, beside a bare loop with the same batches and the same crypto:
 * recvmmsg with UDP GRO, GnuTLS AES-256-GCM, sendmmsg with UDP GSO, and nothing else.
 *
 * One publisher sends batches of `CONCLAVE_BENCH_BATCH` packets of 1,200 bytes, N receivers with a key and a socket each
 * take them; the next batch goes when all have arrived, so that nothing is lost and both loops wait as often. In rounds, one
 * of each, medians.
 *
 *     CONCLAVE_BENCH_FORWARDED=200000 CONCLAVE_BENCH_RUNS=5 CONCLAVE_BENCH_BATCH=8 build/tests/bench/bench-hub-load [N...]
 *     build/tests/bench/bench-hub-load meeting PUBLISHERS PARTICIPANTS SECONDS [slow] [audio] [last=N] [videos=N]
 *
 * The second form is a load: the first of the participants publish 1 Mbit/s of video and 50 packets a second of audio each, and all are
 * subscribed to all of it, or to the `videos` of that many others. With "audio" there is no video; with `last` the loudest so many are heard,
 * and others become the loudest every two seconds; with "slow" a tenth does not read. It tells loss at the others and the memory's growth.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE

#include <gnutls/crypto.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "ext/hub/udp.h"
#include "ext/sodium/writer.h"
#include "tests/check/hubclient.h"

#define PACKET 1200
#define WIRE (PACKET + 16)
#define HEAD 12
#define MAX_BATCH 48
#define MAX_RECEIVERS 2048
#define MAX_RUNS 31
#define UDP_SEGMENT_OPTION 103

static long n_forwarded;
static int n_runs, batch;

/* Of a meeting. */
static struct
{
  bool slow, audio_only;
  int last_n, videos; /* 0: all */
} options;

static long
number (const char *name, long value)
{
  const char *text = getenv (name);
  return text ? atol (text) : value;
}

static void
check (bool ok, const char *what)
{
  if (!ok) {
    perror (what);
    exit (1);
  }
}

/* --- Bare crypto --- */

static gnutls_aead_cipher_hd_t
make_cipher (uint8_t n)
{
  uint8_t key[32];
  gnutls_datum_t datum = { key, sizeof key };
  gnutls_aead_cipher_hd_t handle;

  memset (key, n, sizeof key);
  check (gnutls_aead_cipher_init (&handle, GNUTLS_CIPHER_AES_256_GCM, &datum)
             == 0,
      "cipher");
  return handle;
}

static void
make_nonce (uint8_t *nonce, const uint8_t *packet)
{
  memset (nonce, 0x5a, 12);
  for (int i = 0; i < 4; i++)
    nonce[2 + i] ^= packet[8 + i];
  nonce[10] ^= packet[2];
  nonce[11] ^= packet[3];
}

/* --- The feeder: a publisher's batch out, everybody's batch in --- */

/* One message that the kernel cuts, or one by one: as a publisher with our payloader sends a frame. */
static void
send_batch (HubClient *publisher, const uint8_t *bytes, size_t n)
{
  union
  {
    struct cmsghdr header;
    char bytes[CMSG_SPACE (sizeof (uint16_t))];
  } control = { 0 };
  struct iovec iov = { (void *) (uintptr_t) bytes, n * WIRE };
  struct msghdr message = { .msg_name = &publisher->hub,
    .msg_namelen = publisher->address_len,
    .msg_iov = &iov,
    .msg_iovlen = 1 };
  uint16_t segment = WIRE;

  if (n > 1) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    control.header.cmsg_level = IPPROTO_UDP;
    control.header.cmsg_type = UDP_SEGMENT_OPTION;
    control.header.cmsg_len = CMSG_LEN (sizeof segment);
    memcpy (CMSG_DATA (&control.header), &segment, sizeof segment);
  }
  check (sendmsg (publisher->fd, &message, 0) > 0, "sendmsg");
}

/* Waits for `n` packets; their content does not matter here. */
static bool
drain (int fd, int n)
{
  static uint8_t bytes[MAX_BATCH][64];
  struct mmsghdr in[MAX_BATCH];
  struct iovec iov[MAX_BATCH];

  for (int i = 0; i < MAX_BATCH; i++) {
    iov[i] = (struct iovec){ bytes[i], sizeof bytes[i] };
    in[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
  }
  for (int done = 0; done < n;) {
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int got = recvmmsg (fd, in, (unsigned) (n - done), MSG_DONTWAIT, NULL);
    if (got > 0)
      done += got;
    else if (poll (&p, 1, 2000) <= 0)
      return false;
  }
  return true;
}

typedef struct
{
  HubClient publisher;
  HubClient *receivers;
  int n;
  uint32_t ssrc;
  uint64_t index;
  gnutls_aead_cipher_hd_t bare; /* what the bare loop reads */
  long lost;
} Feeder;

static void
seal_bare (Feeder *f, uint8_t *out, const uint8_t *payload)
{
  uint8_t nonce[12];
  size_t len = WIRE - HEAD;
  Writer w = writer_init (out, HEAD);

  writer_uint (&w, 0x8060, 2);
  writer_uint (&w, f->index & 0xffff, 2);
  writer_uint (&w, 0, 4);
  writer_uint (&w, f->ssrc, 4);
  make_nonce (nonce, out);
  gnutls_aead_cipher_encrypt (f->bare, nonce, 12, out, HEAD, 16, payload,
      PACKET - HEAD, out + HEAD, &len);
}

static void
feed (Feeder *f, long rounds, bool bare)
{
  static uint8_t out[MAX_BATCH * WIRE], payload[PACKET - HEAD];

  for (long round = 0; round < rounds; round++) {
    for (int i = 0; i < batch; i++) {
      if (bare) {
        seal_bare (f, out + i * WIRE, payload);
        continue;
      }
      f->index++;
      hub_client_make_rtp (&f->publisher, out + i * WIRE, WIRE, f->ssrc,
          f->index, (uint32_t) (f->index / (unsigned) batch * 3000), 96, NULL,
          0, payload, sizeof payload);
    }
    send_batch (&f->publisher, out, (size_t) batch);
    for (int i = 0; i < f->n; i++)
      if (!drain (f->receivers[i].fd, batch))
        f->lost++;
  }
}

/* --- The bare loop --- */

typedef struct
{
  HubCounters counters;
  HubUdp *udp;
  gnutls_aead_cipher_hd_t in, *out;
  HubPath *paths;
  int n;
  _Atomic bool stop;
  double cpu;
  pthread_t thread;
} Bare;

static void
bare_fan_out (Bare *b, const uint8_t *plain, int n)
{
  static uint8_t arena[HUB_EGRESS_ARENA];
  HubMessage messages[HUB_EGRESS_MESSAGES];
  size_t used = 0, n_messages = 0, each = (size_t) n * WIRE;
  uint8_t nonce[12];

  for (int r = 0; r < b->n; r++) {
    if (n_messages == HUB_EGRESS_MESSAGES || sizeof arena - used < each) {
      hub_udp_send (b->udp, messages, n_messages);
      used = n_messages = 0;
    }
    messages[n_messages++] = (HubMessage){ .path = b->paths[r],
      .bytes = arena + used,
      .len = (uint32_t) each,
      .segment = WIRE,
      .n_segments = (uint16_t) n };
    for (int i = 0; i < n; i++, used += WIRE) {
      const uint8_t *from = plain + i * PACKET;
      size_t len = WIRE - HEAD;
      memcpy (arena + used, from, HEAD);
      make_nonce (nonce, from);
      gnutls_aead_cipher_encrypt (b->out[r], nonce, 12, from, HEAD, 16,
          from + HEAD, PACKET - HEAD, arena + used + HEAD, &len);
    }
  }
  hub_udp_send (b->udp, messages, n_messages);
}

static void *
bare_run (void *data)
{
  static uint8_t plain[MAX_BATCH * 64 * PACKET];
  Bare *b = data;

  while (!atomic_load (&b->stop)) {
    struct pollfd p = { .fd = hub_udp_fd (b->udp), .events = POLLIN };
    bool full;
    int n = 0;
    /* As an event loop waits. */
    if (poll (&p, 1, 100) <= 0)
      continue;
    size_t got = hub_udp_receive (b->udp, &full);
    for (size_t i = 0; i < got; i++) {
      HubPath path;
      uint8_t *bytes, nonce[12];
      size_t len, segment;
      hub_udp_message (b->udp, i, &path, &bytes, &len, &segment);
      for (; len >= WIRE; bytes += WIRE, len -= WIRE) {
        size_t room = PACKET - HEAD;
        memcpy (plain + n * PACKET, bytes, HEAD);
        make_nonce (nonce, bytes);
        gnutls_aead_cipher_decrypt (b->in, nonce, 12, bytes, HEAD, 16,
            bytes + HEAD, WIRE - HEAD, plain + n * PACKET + HEAD, &room);
        n++;
      }
    }
    for (int i = 0; i < n; i += MAX_BATCH)
      bare_fan_out (
          b, plain + i * PACKET, n - i < MAX_BATCH ? n - i : MAX_BATCH);
  }
  b->cpu = bench_cpu_ns ();
  return NULL;
}

static void
bare_start (Bare *b, Feeder *f)
{
  char problem[HUB_MAX_PROBLEM];

  memset (b, 0, sizeof *b);
  b->udp = hub_udp_new ("127.0.0.1", 0, true, true, &b->counters, problem);
  check (b->udp != NULL, "bare socket");
  b->n = f->n;
  b->in = make_cipher (0);
  b->out = calloc ((size_t) f->n, sizeof *b->out);
  b->paths = calloc ((size_t) f->n, sizeof *b->paths);
  for (int i = 0; i < f->n; i++) {
    b->out[i] = make_cipher ((uint8_t) i);
    hub_address_from_sockaddr (&b->paths[i].remote, &f->receivers[i].own);
    hub_address_parse ("127.0.0.1", b->paths[i].local);
  }
  check (pthread_create (&b->thread, NULL, bare_run, b) == 0, "thread");
}

/* CPU ns of the loop so far. */
static double
thread_cpu (pthread_t thread)
{
  struct timespec t;
  clockid_t clock;
  check (pthread_getcpuclockid (thread, &clock) == 0
             && clock_gettime (clock, &t) == 0,
      "clock");
  return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

static void
bare_stop (Bare *b)
{
  atomic_store (&b->stop, true);
  pthread_join (b->thread, NULL);
  hub_udp_free (b->udp);
  gnutls_aead_cipher_deinit (b->in);
  for (int i = 0; i < b->n; i++)
    gnutls_aead_cipher_deinit (b->out[i]);
  free (b->out);
  free (b->paths);
}

/* --- The hub --- */

typedef struct
{
  HubForwarder *forwarder;
  HubRoom *room;
  unsigned events[HUB_MEDIA_EVENT_SPEAKERS + 1];
} Hub;

static void
count_event (const HubMediaEvent *event, void *data)
{
  ((Hub *) data)->events[event->type]++;
}

static void
hub_start (Hub *hub, unsigned last_n)
{
  HubForwarderConfig config;
  HubRoomConfig room = { .audio_last_n = last_n, .audio_level_id = 1 };
  char problem[HUB_MAX_PROBLEM];

  memset (hub, 0, sizeof *hub);
  hub_forwarder_config_init (&config);
  config.bind_address = "127.0.0.1";
  config.max_packet_rate = 0;
  hub->forwarder = hub_forwarder_new (&config, count_event, hub, problem);
  if (!hub->forwarder) {
    fprintf (stderr, "%s\n", problem);
    exit (1);
  }
  hub->room = hub_forwarder_add_room (hub->forwarder, &room, NULL);
}

static void
await (Hub *hub, HubMediaEventType type, unsigned n)
{
  while (hub->events[type] < n) {
    struct pollfd p = { .fd = hub_forwarder_event_fd (hub->forwarder),
      .events = POLLIN };
    check (poll (&p, 1, 5000) > 0, "an event of the hub");
    hub_forwarder_dispatch (hub->forwarder);
  }
}

static HubTransport *
hub_join (Hub *hub, HubClient *client)
{
  HubTransport *transport;
  HubCredentials credentials;
  HubReceived received;
  unsigned connected = hub->events[HUB_MEDIA_EVENT_CONNECTED];

  check (hub_forwarder_add_transport (
             hub->forwarder, hub->room, NULL, NULL, &transport, &credentials)
             == HUB_OK,
      "transport");
  hub_client_init (client, NULL, hub_forwarder_port (hub->forwarder),
      &credentials, SRTP_BACKEND_GNUTLS, false);
  hub_client_check (client, HUB_CHECK_NOMINATE);
  check (hub_client_receive_kind (client, HUB_CLIENT_STUN, &received, 2000),
      "a check's reply");
  await (hub, HUB_MEDIA_EVENT_CONNECTED, connected + 1);
  return transport;
}

static HubTrack *
hub_publish (Hub *hub, HubTransport *transport, HubKind kind, uint32_t *ssrc)
{
  HubTrackConfig config = { .kind = kind,
    .clock_rate = kind == HUB_VIDEO ? 90000 : 48000,
    .rtx_payload_type = 97 };
  HubTrackSsrcs ssrcs;
  HubTrack *track;

  check (hub_forwarder_publish (
             hub->forwarder, transport, &config, NULL, &track, &ssrcs)
             == HUB_OK,
      "publish");
  *ssrc = ssrcs.ssrc;
  return track;
}

/* --- The comparison --- */

static void
allow_descriptors (void)
{
  struct rlimit limit;
  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

static void
compare (int n)
{
  double hub_ns[MAX_RUNS], bare_ns[MAX_RUNS], ratios[MAX_RUNS];
  HubForwarderStats stats;
  Hub hub;
  Bare bare;
  Feeder feeder = { .n = n, .bare = make_cipher (0) };
  struct sockaddr_storage hub_address, bare_address;
  long rounds = n_forwarded / n / batch;

  if (rounds < 20)
    rounds = 20;
  hub_start (&hub, 0);
  feeder.receivers = calloc ((size_t) n, sizeof *feeder.receivers);
  HubTrack *track = hub_publish (
      &hub, hub_join (&hub, &feeder.publisher), HUB_VIDEO, &feeder.ssrc);
  for (int i = 0; i < n; i++) {
    HubTransport *receiver = hub_join (&hub, &feeder.receivers[i]);
    check (hub_forwarder_subscribe (hub.forwarder, receiver, track, false)
               == HUB_OK,
        "subscribe");
  }
  await (&hub, HUB_MEDIA_EVENT_SUBSCRIBED, (unsigned) n);
  bare_start (&bare, &feeder);
  hub_address = bare_address = feeder.publisher.hub;
  ((struct sockaddr_in *) &bare_address)->sin_port =
      htons (hub_udp_port (bare.udp));

  for (int run = -1; run < n_runs; run++) {
    double before = thread_cpu (bare.thread);
    feeder.publisher.hub = bare_address;
    feed (&feeder, rounds, true);
    double between = thread_cpu (bare.thread);
    double hub_before = (double) hub_forwarder_cpu_time (hub.forwarder);
    feeder.publisher.hub = hub_address;
    feed (&feeder, rounds, false);
    double hub_after = (double) hub_forwarder_cpu_time (hub.forwarder);
    if (run < 0)
      continue; /* warms caches, ours and the kernel's */
    double packets = (double) rounds * batch * n;
    bare_ns[run] = (between - before) / packets;
    hub_ns[run] = (hub_after - hub_before) / packets;
    ratios[run] = hub_ns[run] / bare_ns[run];
  }
  hub_forwarder_stats (hub.forwarder, &stats);
  double hub_median = bench_median (hub_ns, (size_t) n_runs);
  double bare_median = bench_median (bare_ns, (size_t) n_runs);
  double ratio = bench_median (ratios, (size_t) n_runs);
  printf (
      "%6d %8.0f %8.0f (%.0f-%.0f)   %5.2f (%.2f-%.2f)  %9.0f   lost %ld, errors %ld\n",
      n, bare_median, hub_median, hub_ns[0], hub_ns[n_runs - 1], ratio,
      ratios[0], ratios[n_runs - 1], 1e9 / hub_median, feeder.lost,
      (long) (stats.counters[HUB_SEND_ERRORS]
              + stats.counters[HUB_SEND_DROPPED]));
  fflush (stdout);
  bare_stop (&bare);
  hub_forwarder_free (hub.forwarder);
  hub_client_clear (&feeder.publisher);
  for (int i = 0; i < n; i++)
    hub_client_clear (&feeder.receivers[i]);
  free (feeder.receivers);
  gnutls_aead_cipher_deinit (feeder.bare);
}

/* --- A meeting under load --- */

#define TICK_MS 10
#define FRAME 4 /* packets of a video frame, 25 a second: 0.96 Mbit/s */
#define AUDIO_BYTES 120

typedef struct
{
  HubClient client;
  HubTransport *transport;
  HubTrack *video, *audio;
  uint32_t video_ssrc, audio_ssrc;
  uint64_t video_index, audio_index;
  bool publishes, slow;
  long received;
} Attendee;

static double
wall_ms (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

static long
resident_kib (void)
{
  long pages = 0, ignored;
  FILE *file = fopen ("/proc/self/statm", "r");
  if (file && fscanf (file, "%ld %ld", &ignored, &pages) != 2)
    pages = 0;
  if (file)
    fclose (file);
  return pages * (sysconf (_SC_PAGESIZE) / 1024);
}

/* Those of the loudest talk: whose turn it is, by number. */
static bool
is_loud (int number, int publishers, long tick)
{
  int first = (int) (tick * TICK_MS / 2000) * options.last_n % publishers;
  return (number - first + publishers) % publishers < options.last_n;
}

static void
publish_tick (Attendee *a, int number, int publishers, long tick)
{
  static uint8_t out[FRAME * WIRE], payload[PACKET];

  if (tick % 2 == 0) {
    /* RFC 6464: -dBov. */
    uint8_t level[4] = { 0x10, is_loud (number, publishers, tick) ? 20 : 90 };
    size_t level_len = options.last_n > 0 ? sizeof level : 0;
    a->audio_index++;
    hub_client_send_rtp (&a->client, a->audio_ssrc, a->audio_index,
        (uint32_t) (a->audio_index * 960), 111, level, level_len, payload,
        AUDIO_BYTES);
  }
  if (tick % 4 != 0 || options.audio_only)
    return;
  for (int i = 0; i < FRAME; i++) {
    a->video_index++;
    hub_client_make_rtp (&a->client, out + i * WIRE, WIRE, a->video_ssrc,
        a->video_index, (uint32_t) tick * 900, 96, NULL, 0, payload,
        PACKET - HEAD);
  }
  send_batch (&a->client, out, FRAME);
}

/* Counts RTP, leaves out RTCP and STUN. */
static long
take_all (int fd)
{
  static uint8_t bytes[64][16];
  struct mmsghdr in[64];
  struct iovec iov[64];
  long media = 0;
  int n;

  do {
    for (int i = 0; i < 64; i++) {
      iov[i] = (struct iovec){ bytes[i], sizeof bytes[i] };
      in[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
    }
    n = recvmmsg (fd, in, 64, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
      media += bytes[i][0] >= 128 && (bytes[i][1] < 192 || bytes[i][1] > 223);
  } while (n == 64);
  return media;
}

/* Whether it is subscribed to the video of publisher `k`: to those that come after it, or after its like among the publishers. */
static bool
sees (int i, int k, int publishers)
{
  int after = (k - i % publishers + publishers) % publishers;
  return i != k && !options.audio_only
         && (options.videos == 0
             || (i < publishers ? after >= 1 && after <= options.videos
                                : after < options.videos));
}

static void
seat (Hub *hub, Attendee *all, int publishers, int n)
{
  unsigned subscriptions = 0;

  for (int i = 0; i < n; i++) {
    all[i].transport = hub_join (hub, &all[i].client);
    all[i].slow = options.slow && i % 10 == 9;
    all[i].publishes = i < publishers;
    if (!all[i].publishes)
      continue;
    all[i].video =
        hub_publish (hub, all[i].transport, HUB_VIDEO, &all[i].video_ssrc);
    all[i].audio =
        hub_publish (hub, all[i].transport, HUB_AUDIO, &all[i].audio_ssrc);
  }
  for (int i = 0; i < n; i++)
    for (int k = 0; k < publishers; k++) {
      if (sees (i, k, publishers))
        subscriptions += hub_forwarder_subscribe (hub->forwarder,
                             all[i].transport, all[k].video, false)
                         == HUB_OK;
      if (i != k)
        subscriptions += hub_forwarder_subscribe (hub->forwarder,
                             all[i].transport, all[k].audio, false)
                         == HUB_OK;
    }
  await (hub, HUB_MEDIA_EVENT_SUBSCRIBED, subscriptions);
}

static void
report_meeting (Hub *hub, const Attendee *all, int publishers, int n,
    double cpu_ns, double ms, long kib)
{
  HubForwarderStats stats;
  long sent = 0, expected = 0, received = 0, readers = 0;
  long least = LONG_MAX, most = 0;

  hub_forwarder_stats (hub->forwarder, &stats);
  uint64_t *c = stats.counters;
  for (int i = 0; i < publishers; i++)
    sent += (long) (all[i].video_index + all[i].audio_index);
  for (int i = 0; i < n; i++) {
    if (all[i].slow)
      continue;
    readers++;
    received += all[i].received;
    least = all[i].received < least ? all[i].received : least;
    most = all[i].received > most ? all[i].received : most;
    for (int k = 0; k < publishers; k++)
      expected += (sees (i, k, publishers) ? (long) all[k].video_index : 0)
                  + (i != k ? (long) all[k].audio_index : 0);
  }
  /* Who was not among the loudest was heard by nobody; itself it does not hear anyhow. */
  expected -= (long) c[HUB_NOT_FORWARDED_MUTED]
              * (readers - (publishers == n ? 1 : 0));
  printf (
      "%d publishers, %d participants, %.1f s: %.0f packets/s in, %.0f out\n",
      publishers, n, ms / 1e3, (double) c[HUB_RTP_ACCEPTED] / ms * 1e3,
      (double) c[HUB_PACKETS_OUT] / ms * 1e3);
  printf ("  lost %ld of %ld (%.4f %%), of them before the hub %ld\n",
      expected - received, expected,
      100.0 * (double) (expected - received) / (double) expected,
      (sent - (long) c[HUB_RTP_ACCEPTED]) * (n - 1));
  printf ("  a receiver got %ld to %ld packets\n", least, most);
  printf (
      "  media thread: %.0f %% of a core, %.0f ns a packet out, %.1f packets a turn\n",
      cpu_ns / ms / 1e4, cpu_ns / (double) c[HUB_PACKETS_OUT],
      (double) c[HUB_PACKETS_OUT] / (double) stats.loops);
  printf (
      "  paced %ld, shed %ld, socket full %ld times (%ld lost), errors %ld; memory grew by %ld KiB\n",
      (long) c[HUB_PACED], (long) c[HUB_SHED_VIDEO],
      (long) c[HUB_SEND_BLOCKED], (long) c[HUB_SEND_DROPPED],
      (long) c[HUB_SEND_ERRORS], kib);
}

static void
meet (int publishers, int n, double seconds)
{
  Hub hub;
  Attendee *all = calloc ((size_t) n, sizeof *all);

  hub_start (&hub, (unsigned) options.last_n);
  seat (&hub, all, publishers, n);
  long kib = 0;
  double cpu = (double) hub_forwarder_cpu_time (hub.forwarder);
  double start = wall_ms ();
  long ticks = (long) (seconds * 1000 / TICK_MS);
  for (long tick = 0; tick < ticks + 50; tick++) {
    double due = start + (double) tick * TICK_MS;
    for (int i = 0; i < publishers && tick < ticks; i++)
      publish_tick (&all[i], i, publishers, tick);
    /* Consent, each in its turn, however late this is. */
    for (int i = (int) (tick % 500); i < n; i += 500)
      hub_client_check (&all[i].client, HUB_CHECK_NOMINATE);
    do {
      for (int i = 0; i < n; i++)
        if (!all[i].slow)
          all[i].received += take_all (all[i].client.fd);
      hub_forwarder_dispatch (hub.forwarder);
      usleep (500);
    } while (wall_ms () < due + TICK_MS);
    if (tick == ticks / 2)
      kib = resident_kib ();
  }
  report_meeting (&hub, all, publishers, n,
      (double) hub_forwarder_cpu_time (hub.forwarder) - cpu,
      wall_ms () - start, resident_kib () - kib);
  hub_forwarder_free (hub.forwarder);
  for (int i = 0; i < n; i++)
    hub_client_clear (&all[i].client);
  free (all);
}

int
main (int argc, char **argv)
{
  static const int usual[] = { 1, 8, 16, 32, 64, 128, 512 };

  setlinebuf (stdout);
  check (core_init (), "libsodium");
  allow_descriptors ();
  if (argc >= 5 && strcmp (argv[1], "meeting") == 0) {
    for (int i = 5; i < argc; i++) {
      options.slow |= strcmp (argv[i], "slow") == 0;
      options.audio_only |= strcmp (argv[i], "audio") == 0;
      if (strncmp (argv[i], "last=", 5) == 0)
        options.last_n = atoi (argv[i] + 5);
      if (strncmp (argv[i], "videos=", 7) == 0)
        options.videos = atoi (argv[i] + 7);
    }
    meet (atoi (argv[2]), atoi (argv[3]), atof (argv[4]));
    return 0;
  }
  n_forwarded = number ("CONCLAVE_BENCH_FORWARDED", 100000);
  n_runs = (int) number ("CONCLAVE_BENCH_RUNS", 5);
  batch = (int) number ("CONCLAVE_BENCH_BATCH", 8);
  if (n_runs < 1 || n_runs > MAX_RUNS || batch < 1 || batch > MAX_BATCH)
    return 2;
  printf (
      "batches of %d packets of %d bytes; CPU ns per forwarded packet, medians of %d\n\n",
      batch, PACKET, n_runs);
  printf (
      "     N     bare      hub              ratio             packets/s/core\n");
  if (argc > 1)
    for (int i = 1; i < argc; i++)
      compare (atoi (argv[i]));
  else
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
      compare (usual[i]);
  return 0;
}

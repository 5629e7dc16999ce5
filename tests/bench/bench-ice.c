/* What a packet of 1,200 bytes costs from one process end to the other over loopback: icetransport, the stock
 * nicesink -> nicesrc, and the bare system calls below them, in one run.
 *
 * The sender runs on one cpu, open loop, in ticks of 1 ms; who receives runs on another. CPU time is that of the whole
 * process per packet delivered, less what the ticking costs alone, so that helper threads count. "Lists" are buffer
 * lists of 32, as a payloader pushes a large frame. Also: what arrives when four times as much is offered as the stock
 * elements can take, and the time from PLAYING to the first packet.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <gst/gst.h>
#include <nice/agent.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define PACKET 1200
#define BATCH 32
#define RUNS 5
#define N_RATES 3
#define TRIAL 0.5 /* s */
#define OVERLOAD 200000.0
#define STARTS 11

typedef struct Path Path;
struct Path
{
  const char *name;
  gboolean (*open) (Path *path);
  void (*send) (Path *path, guint n);
  void (*close) (Path *path);
  guint list;             /* buffers a push; 0: single ones */
  gboolean gso, batch;    /* of the bare system calls */
  gboolean stock_buffers; /* nicesrc with the receive buffer libnice leaves */

  gint received; /* atomic */
  int rx, tx;
  struct sockaddr_in to;
  gint stop;
  pthread_t thread;
  GstElement *element[2]; /* sender, receiver */
  GstElement *sink;
  NiceAgent *agent[2];
  guint stream[2];
  gint flags[4];
  GMainContext *context;
  GMainLoop *loop;
  GThread *loop_thread;
  GstPad *push, *count;
};

static double
seconds (clockid_t clock)
{
  struct timespec t;
  clock_gettime (clock, &t);
  return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void
pin (int cpu)
{
  cpu_set_t set;
  CPU_ZERO (&set);
  CPU_SET (cpu, &set);
  (void) pthread_setaffinity_np (pthread_self (), sizeof set, &set);
}

/* --- The bare system calls --- */

static guint8 wire_bytes[BATCH * PACKET];

static void *
receive_bare (void *user)
{
  Path *path = user;
  static guint8 room[16][65536];
  struct mmsghdr m[16];
  struct iovec v[16];

  while (!g_atomic_int_get (&path->stop)) {
    if (!path->batch) {
      if (recvfrom (path->rx, room[0], sizeof room[0], 0, NULL, NULL) > 0)
        g_atomic_int_inc (&path->received);
      continue;
    }
    for (guint i = 0; i < 16; i++) {
      v[i] = (struct iovec){ room[i], sizeof room[i] };
      m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
    }
    int n = recvmmsg (path->rx, m, 16, MSG_WAITFORONE, NULL);
    for (int i = 0; i < n; i++)
      g_atomic_int_add (
          &path->received, (gint) ((m[i].msg_len + PACKET - 1) / PACKET));
  }
  return NULL;
}

static gboolean
open_bare (Path *path)
{
  struct timeval wait = { 0, 100000 };
  int one = 1, size = 4 << 20;
  socklen_t len = sizeof path->to;

  path->to = (struct sockaddr_in){ .sin_family = AF_INET,
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  path->rx = socket (AF_INET, SOCK_DGRAM, 0);
  path->tx = socket (AF_INET, SOCK_DGRAM, 0);
  if (bind (path->rx, (struct sockaddr *) &path->to, sizeof path->to) < 0
      || getsockname (path->rx, (struct sockaddr *) &path->to, &len) < 0)
    return FALSE;
  setsockopt (path->rx, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  setsockopt (path->rx, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  if (path->gso)
    setsockopt (path->rx, IPPROTO_UDP, UDP_GRO, &one, sizeof one);
  path->stop = FALSE;
  return pthread_create (&path->thread, NULL, receive_bare, path) == 0;
}

static void
close_bare (Path *path)
{
  g_atomic_int_set (&path->stop, TRUE);
  pthread_join (path->thread, NULL);
  close (path->rx);
  close (path->tx);
}

static void
send_gso (Path *path, guint n)
{
  union
  {
    char bytes[CMSG_SPACE (sizeof (guint16))];
    struct cmsghdr align;
  } control;
  struct iovec v = { wire_bytes, (size_t) n * PACKET };
  struct msghdr h = { .msg_name = &path->to,
    .msg_namelen = sizeof path->to,
    .msg_iov = &v,
    .msg_iovlen = 1,
    .msg_control = control.bytes,
    .msg_controllen = sizeof control.bytes };
  struct cmsghdr *c = CMSG_FIRSTHDR (&h);
  guint16 segment = PACKET;

  c->cmsg_level = IPPROTO_UDP;
  c->cmsg_type = UDP_SEGMENT;
  c->cmsg_len = CMSG_LEN (sizeof segment);
  memcpy (CMSG_DATA (c), &segment, sizeof segment);
  (void) !sendmsg (path->tx, &h, 0);
}

static void
send_batch (Path *path, guint n)
{
  struct mmsghdr m[BATCH];
  struct iovec v[BATCH];
  for (guint i = 0; i < n; i++) {
    v[i] = (struct iovec){ wire_bytes + i * PACKET, PACKET };
    m[i].msg_hdr = (struct msghdr){ .msg_name = &path->to,
      .msg_namelen = sizeof path->to,
      .msg_iov = &v[i],
      .msg_iovlen = 1 };
  }
  (void) !sendmmsg (path->tx, m, n, 0);
}

static void
send_bare (Path *path, guint n)
{
  while (n > 0) {
    guint k = path->batch ? MIN (n, BATCH) : 1;
    if (!path->batch)
      (void) !sendto (path->tx, wire_bytes, PACKET, 0,
          (struct sockaddr *) &path->to, sizeof path->to);
    else if (path->gso)
      send_gso (path, k);
    else
      send_batch (path, k);
    n -= k;
  }
}

/* --- Elements --- */

static GstFlowReturn
count_buffer (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  Path *path = gst_pad_get_element_private (pad);
  if (path)
    g_atomic_int_inc (&path->received);
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static GstFlowReturn
count_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  Path *path = gst_pad_get_element_private (pad);
  if (path)
    g_atomic_int_add (&path->received, (gint) gst_buffer_list_length (list));
  gst_buffer_list_unref (list);
  return GST_FLOW_OK;
}

static gboolean
swallow_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  gst_event_unref (event);
  return TRUE;
}

static GstPad *
counter_for (GstElement *element, Path *path)
{
  GstPad *src = gst_element_get_static_pad (element, "src");
  GstPad *pad = gst_pad_new ("count", GST_PAD_SINK);
  gst_pad_set_chain_function (pad, count_buffer);
  gst_pad_set_chain_list_function (pad, count_list);
  gst_pad_set_event_function (pad, swallow_event);
  gst_pad_set_element_private (pad, path);
  gst_pad_set_active (pad, TRUE);
  gst_pad_link (src, pad);
  gst_object_unref (src);
  return pad;
}

static GstPad *
pusher_for (GstElement *element)
{
  GstPad *sink = gst_element_get_static_pad (element, "sink");
  GstPad *pad = gst_pad_new ("push", GST_PAD_SRC);
  GstSegment segment;
  GstCaps *caps = gst_caps_new_empty_simple ("application/x-rtp");

  gst_pad_set_active (pad, TRUE);
  gst_pad_link (pad, sink);
  gst_object_unref (sink);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (pad, gst_event_new_stream_start ("bench"));
  gst_pad_push_event (pad, gst_event_new_caps (caps));
  gst_pad_push_event (pad, gst_event_new_segment (&segment));
  gst_caps_unref (caps);
  return pad;
}

static void
send_element (Path *path, guint n)
{
  static GstBuffer *packets[BATCH];
  for (guint i = 0; !packets[BATCH - 1] && i < BATCH; i++) {
    packets[i] = gst_buffer_new_allocate (NULL, PACKET, NULL);
    gst_buffer_memset (packets[i], 0, 0x80, PACKET);
  }
  while (n > 0) {
    guint k = path->list ? MIN (n, path->list) : 1;
    if (path->list) {
      GstBufferList *list = gst_buffer_list_new_sized (k);
      for (guint i = 0; i < k; i++)
        gst_buffer_list_add (list, gst_buffer_ref (packets[i]));
      gst_pad_push_list (path->push, list);
    } else
      gst_pad_push (path->push, gst_buffer_ref (packets[0]));
    n -= k;
  }
}

static gboolean
await (gint *flag)
{
  for (guint i = 0; i < 10000 && !g_atomic_int_get (flag); i++)
    g_usleep (1000);
  return g_atomic_int_get (flag);
}

static void
pass_description (GstElement *from, const char *text, GstElement *to)
{
  g_object_set (to, "remote-description", text, NULL);
}

static void
on_our_state (GstElement *element, GParamSpec *pspec, gint *flag)
{
  gint state;
  g_object_get (element, "state", &state, NULL);
  if (state == 4) /* ready */
    g_atomic_int_set (flag, TRUE);
}

static gboolean
make_ours (Path *path)
{
  GstClock *clock = gst_system_clock_obtain ();
  for (guint i = 0; i < 2; i++) {
    path->element[i] = gst_element_factory_make ("icetransport", NULL);
    if (!path->element[i])
      return FALSE;
    g_object_set (path->element[i], "bind-address", "127.0.0.1", "controlling",
        i == 0, NULL);
    g_signal_connect (path->element[i], "notify::state",
        G_CALLBACK (on_our_state), &path->flags[i]);
    gst_element_set_clock (path->element[i], clock);
    gst_object_ref_sink (path->element[i]);
  }
  gst_object_unref (clock);
  for (guint i = 0; i < 2; i++)
    g_signal_connect (path->element[i], "local-description-changed",
        G_CALLBACK (pass_description), path->element[1 - i]);
  path->count = counter_for (path->element[1], path);
  return TRUE;
}

static gboolean
open_ours (Path *path)
{
  memset (path->flags, 0, sizeof path->flags);
  if (!make_ours (path))
    return FALSE;
  for (guint i = 0; i < 2; i++)
    gst_element_set_state (path->element[i], GST_STATE_PLAYING);
  path->push = pusher_for (path->element[0]);
  return await (&path->flags[0]) && await (&path->flags[1]);
}

static void
close_ours (Path *path)
{
  for (guint i = 0; i < 2; i++) {
    gst_element_set_state (path->element[i], GST_STATE_NULL);
    gst_object_unref (path->element[i]);
  }
  if (path->push)
    gst_object_unref (path->push);
  gst_object_unref (path->count);
  path->push = NULL;
}

/* --- The stock elements, as an application drives them --- */

static void
on_gathered (NiceAgent *agent, guint stream, gint *flag)
{
  g_atomic_int_set (flag, TRUE);
}

static void
on_nice_state (
    NiceAgent *agent, guint stream, guint component, guint state, gint *flag)
{
  if (state == NICE_COMPONENT_STATE_READY)
    g_atomic_int_set (flag, TRUE);
}

static void
exchange (Path *path, guint from, guint to)
{
  gchar *ufrag = NULL, *pwd = NULL;
  nice_agent_get_local_credentials (
      path->agent[from], path->stream[from], &ufrag, &pwd);
  nice_agent_set_remote_credentials (
      path->agent[to], path->stream[to], ufrag, pwd);
  GSList *c = nice_agent_get_local_candidates (
      path->agent[from], path->stream[from], 1);
  nice_agent_set_remote_candidates (path->agent[to], path->stream[to], 1, c);
  g_slist_free_full (c, (GDestroyNotify) nice_candidate_free);
  g_free (ufrag);
  g_free (pwd);
}

static gpointer
run_loop (gpointer user)
{
  Path *path = user;
  g_main_context_push_thread_default (path->context);
  g_main_loop_run (path->loop);
  g_main_context_pop_thread_default (path->context);
  return NULL;
}

static void
make_stock_side (Path *path, guint i)
{
  NiceAddress address;
  nice_address_init (&address);
  nice_address_set_from_string (&address, "127.0.0.1");
  path->agent[i] = nice_agent_new (path->context, NICE_COMPATIBILITY_RFC5245);
  g_object_set (path->agent[i], "controlling-mode", i == 0, "ice-tcp", FALSE,
      "upnp", FALSE, NULL);
  nice_agent_add_local_address (path->agent[i], &address);
  g_signal_connect (path->agent[i], "candidate-gathering-done",
      G_CALLBACK (on_gathered), &path->flags[i]);
  g_signal_connect (path->agent[i], "component-state-changed",
      G_CALLBACK (on_nice_state), &path->flags[2 + i]);
  path->stream[i] = nice_agent_add_stream (path->agent[i], 1);
  path->element[i] = gst_element_factory_make ("nicesrc", NULL);
  g_object_set (path->element[i], "agent", path->agent[i], "stream",
      path->stream[i], "component", 1, NULL);
  gst_object_ref_sink (path->element[i]);
}

static gboolean
open_stock (Path *path)
{
  int size = 4 << 20;

  memset (path->flags, 0, sizeof path->flags);
  path->context = g_main_context_new ();
  path->loop = g_main_loop_new (path->context, FALSE);
  path->loop_thread = g_thread_new ("agents", run_loop, path);
  make_stock_side (path, 0);
  make_stock_side (path, 1);
  path->count = counter_for (path->element[1], path);
  GstPad *other = counter_for (path->element[0], NULL);
  gst_object_unref (other);
  path->sink =
      gst_object_ref_sink (gst_element_factory_make ("nicesink", NULL));
  g_object_set (path->sink, "agent", path->agent[0], "stream", path->stream[0],
      "component", 1, "sync", FALSE, "async", FALSE, "enable-last-sample",
      FALSE, NULL);
  for (guint i = 0; i < 2; i++)
    gst_element_set_state (path->element[i], GST_STATE_PLAYING);
  gst_element_set_state (path->sink, GST_STATE_PLAYING);
  path->push = pusher_for (path->sink);
  for (guint i = 0; i < 2; i++)
    nice_agent_gather_candidates (path->agent[i], path->stream[i]);
  if (!await (&path->flags[0]) || !await (&path->flags[1]))
    return FALSE;
  exchange (path, 0, 1);
  exchange (path, 1, 0);
  if (!await (&path->flags[2]) || !await (&path->flags[3]))
    return FALSE;
  GSocket *socket =
      nice_agent_get_selected_socket (path->agent[1], path->stream[1], 1);
  if (!path->stock_buffers)
    g_socket_set_option (socket, SOL_SOCKET, SO_RCVBUF, size, NULL);
  g_object_unref (socket);
  return TRUE;
}

static void
close_stock (Path *path)
{
  gst_element_set_state (path->sink, GST_STATE_NULL);
  gst_object_unref (path->sink);
  for (guint i = 0; i < 2; i++) {
    gst_element_set_state (path->element[i], GST_STATE_NULL);
    gst_object_unref (path->element[i]);
    g_object_unref (path->agent[i]);
  }
  g_main_loop_quit (path->loop);
  g_thread_join (path->loop_thread);
  g_main_loop_unref (path->loop);
  g_main_context_unref (path->context);
  gst_object_unref (path->push);
  gst_object_unref (path->count);
}

/* --- Measuring --- */

typedef struct
{
  double sent, received; /* packets */
  double cpu;            /* s of the process */
  double wall;
} Trial;

/* What ticks cost alone is measured with a path of NULL. */
static Trial
run_trial (Path *path, double rate, double duration)
{
  Trial t = { 0 };
  gint before = path ? g_atomic_int_get (&path->received) : 0;
  double cpu = seconds (CLOCK_PROCESS_CPUTIME_ID),
         start = seconds (CLOCK_MONOTONIC), now = start;

  for (double tick = start + 1e-3; now < start + duration; tick += 1e-3) {
    guint due = (guint) ((tick - start) * rate - t.sent);
    if (due > 0 && path)
      path->send (path, due);
    t.sent += due;
    now = seconds (CLOCK_MONOTONIC);
    if (now < tick) {
      struct timespec until = { (time_t) tick,
        (long) ((tick - (double) (time_t) tick) * 1e9) };
      clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
      now = seconds (CLOCK_MONOTONIC);
    }
  }
  t.wall = now - start;
  if (path) { /* what is still on its way: until 20 ms bring nothing more */
    gint last, have = g_atomic_int_get (&path->received);
    do {
      last = have;
      g_usleep (20000);
      have = g_atomic_int_get (&path->received);
    } while (have != last);
    t.received = have - before;
  }
  t.cpu = seconds (CLOCK_PROCESS_CPUTIME_ID) - cpu;
  return t;
}

static double tick_cost; /* s of CPU a second */

static double
ns_per_packet (const Trial *t)
{
  return t->received > 0 ? (t->cpu - tick_cost * t->wall) / t->received * 1e9
                         : 0;
}

/* The highest rate in steps of a tenth that loses less than 0.1 %. */
static double
highest_rate (Path *path)
{
  double rate = 20000, best = 0;
  while (rate < 4e6) {
    Trial t = run_trial (path, rate, TRIAL / 2);
    if (t.received < t.sent * 0.999 || t.sent / t.wall < rate * 0.97) {
      Trial again = run_trial (
          path, rate, TRIAL / 2); /* one hiccup of the machine is forgiven */
      if (again.received < again.sent * 0.999
          || again.sent / again.wall < rate * 0.97)
        break;
    }
    best = rate;
    rate *= best < 60000 ? 1.3 : 1.15;
  }
  return best;
}

static const double rates[N_RATES] = { 50000, 20000, 5000 };

/* ns per packet at each rate; 0 where more than a hundredth was lost: its CPU time bought something else. */
static gboolean
measure (Path *path, double cost[N_RATES])
{
  memset (wire_bytes, 0x80, sizeof wire_bytes);
  pin (1); /* the threads made now inherit it */
  if (!path->open (path)) {
    printf ("%-34s could not be set up\n", path->name);
    return FALSE;
  }
  pin (0);
  run_trial (path, 5000, 0.2);
  printf ("%-34s", path->name);
  for (guint r = 0; r < N_RATES; r++) {
    double runs[RUNS], lost = 0;
    for (guint i = 0; i < RUNS; i++) {
      Trial t = run_trial (path, rates[r], TRIAL);
      runs[i] = ns_per_packet (&t);
      lost += 1 - t.received / t.sent;
    }
    cost[r] = lost / RUNS < 0.01 ? bench_median (runs, RUNS) : 0;
    if (cost[r] > 0)
      printf (" | %6.0f (%.0f-%.0f)", cost[r], runs[0], runs[RUNS - 1]);
    else
      printf (" | loses %.0f %%", lost / RUNS * 100);
  }
  double best[3];
  for (guint i = 0; i < 3; i++)
    best[i] = highest_rate (path);
  printf (" | %5.0f k/s", bench_median (best, 3) / 1e3);
  Trial over = run_trial (path, OVERLOAD, TRIAL);
  printf (" | %.0f k/s of %.0f, %.0f ns\n", over.received / over.wall / 1e3,
      over.sent / over.wall / 1e3, ns_per_packet (&over));
  fflush (stdout);
  path->close (path);
  return TRUE;
}

/* ms from PLAYING on both sides to the first packet out of the receiver. */
static void
measure_start (void)
{
  double ms[STARTS];

  for (guint i = 0; i < STARTS; i++) {
    Path path = { .open = open_ours };
    if (!make_ours (&path))
      return;
    path.push = NULL;
    double start = seconds (CLOCK_MONOTONIC);
    for (guint k = 0; k < 2; k++)
      gst_element_set_state (path.element[k], GST_STATE_PLAYING);
    path.push = pusher_for (path.element[0]);
    send_element (&path, 1);
    while (!g_atomic_int_get (&path.received)
           && seconds (CLOCK_MONOTONIC) - start < 5)
      g_usleep (50);
    ms[i] = (seconds (CLOCK_MONOTONIC) - start) * 1e3;
    close_ours (&path);
  }
  double median = bench_median (ms, STARTS);
  printf ("PLAYING to the first packet: %.1f ms (%.1f-%.1f)\n", median, ms[0],
      ms[STARTS - 1]);
}

int
main (int argc, char **argv)
{
  Path paths[] = {
    { "sendto -> recvfrom", open_bare, send_bare, close_bare },
    { "sendmmsg 32 -> recvmmsg", open_bare, send_bare, close_bare,
        .batch = TRUE },
    { "UDP_SEGMENT 32 -> recvmmsg UDP_GRO", open_bare, send_bare, close_bare,
        .batch = TRUE, .gso = TRUE },
    { "nicesink -> nicesrc", open_stock, send_element, close_stock },
    { "nicesink -> nicesrc, lists", open_stock, send_element, close_stock,
        .list = BATCH },
    { "nicesink -> nicesrc, own buffers", open_stock, send_element,
        close_stock, .stock_buffers = TRUE },
    { "icetransport pair", open_ours, send_element, close_ours },
    { "icetransport pair, lists", open_ours, send_element, close_ours,
        .list = BATCH },
  };
  double cost[G_N_ELEMENTS (paths)][N_RATES] = { 0 };
  const char *only = g_getenv ("ONLY");

  gst_init (&argc, &argv);
  Trial idle = run_trial (NULL, 1000, 0.5);
  tick_cost = idle.cpu / idle.wall;
  printf (
      "%d-byte packets over 127.0.0.1; CPU ns of the process per packet, median (min-max) of %d, at %.0f | %.0f | "
      "%.0f packets/s; highest rate with < 0.1 %% loss; what arrives of %.0f k/s offered\n",
      PACKET, RUNS, rates[0], rates[1], rates[2], OVERLOAD / 1e3);
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    if (!only || strstr (paths[i].name, only))
      measure (&paths[i], cost[i]);
  for (guint r = 0; r < N_RATES; r++) {
    printf ("at %.0f packets/s:", rates[r]);
    if (cost[3][r] > 0 && cost[6][r] > 0)
      printf (
          " single %.2f x the packets a second and core of nicesink -> nicesrc;",
          cost[3][r] / cost[6][r]);
    if (cost[4][r] > 0 && cost[7][r] > 0)
      printf (" lists %.2f x;", cost[4][r] / cost[7][r]);
    if (cost[3][r] > 0 && cost[7][r] > 0)
      printf (" lists of ours against single of theirs %.2f x;",
          cost[3][r] / cost[7][r]);
    if (cost[0][r] > 0 && cost[2][r] > 0)
      printf (" over the bare calls: single %.2f x the CPU, lists %.2f x",
          cost[6][r] / cost[0][r], cost[7][r] / cost[2][r]);
    printf ("\n");
  }
  measure_start ();
  return 0;
}

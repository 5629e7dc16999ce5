/* A hub at the end of its means: no file descriptor left, more to be read by its clients than it may keep, clients that have gone
 * without a word. Each is met, counted and got over, and who behaves is served.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../check/hubnet.h"

#include "ext/hub/edge.h"
#include "ext/sodium/identity.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static Identity *owner;

/* ---- No file descriptor ---- */

static void
set_file_limit (rlim_t n)
{
  struct rlimit files;

  fail_unless (getrlimit (RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = MIN (files.rlim_max, n);
  fail_unless (setrlimit (RLIMIT_NOFILE, &files) == 0);
}

static uint64_t
refused_full (const HubServerStats *stats)
{
  return stats->edge.refused_full;
}

static uint64_t
arrivals (const HubServerStats *stats)
{
  return stats->edge.arrivals;
}

/* Who knocks in vain stays in the kernel's queue; the hub looks again five times a second, and not all the time. */
GST_START_TEST (without_a_descriptor_nobody_comes_and_nothing_spins)
{
  enum
  {
    WAITING = 5,
    LOOKS = 3
  };
  struct sockaddr_in hub = { .sin_family = AF_INET,
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  NetClient member;
  int waiting[WAITING], taken[1024], n_taken = 0, fd;
  Net net;

  set_file_limit (512); /* what it is when the hub starts is its own bound */
  net_start (&net, NULL);
  net_join (&net, &member, NET_MEETING, NULL);
  net_open (&net, &member, owner, 16);
  for (unsigned i = 0; i < WAITING; i++)
    waiting[i] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  while ((fd = fcntl (member.fd, F_DUPFD_CLOEXEC, 0)) >= 0)
    taken[n_taken++] = fd;
  fail_unless_equals_int (errno, EMFILE);

  gint64 begin = g_get_monotonic_time ();
  hub.sin_port = htons (net.port);
  for (unsigned i = 0; i < WAITING; i++)
    fail_unless (
        connect (waiting[i], (struct sockaddr *) &hub, sizeof hub) == 0);
  net_await (&net, refused_full, LOOKS);
  uint64_t refused = net_stats (&net).edge.refused_full;
  gint64 ms = (g_get_monotonic_time () - begin) / 1000;
  fail_unless (refused <= (uint64_t) ms / HUB_EDGE_REFUSED_MS + 1,
      "%" G_GUINT64_FORMAT " times in %" G_GINT64_FORMAT " ms", refused, ms);
  fail_unless_equals_uint64 (net_stats (&net).edge.arrivals, 0);

  /* Who is in notices nothing. */
  NET_SAY (&member, .type = WIRE_TRANSPORT);
  net_expect (&member, WIRE_TRANSPORT);

  /* And those who waited get in. */
  while (n_taken > 0)
    close (taken[--n_taken]);
  net_await (&net, arrivals, WAITING);
  for (unsigned i = 0; i < WAITING; i++)
    close (waiting[i]);
  net_hang_up (&member);
  net_stop (&net);
}
GST_END_TEST

/* The hub leaves some to the rest of its process: beyond that it closes what comes. */
GST_START_TEST (a_hub_that_is_full_says_so_by_closing)
{
  enum
  {
    FILES = HUB_EDGE_FILES + 64,
    MORE = 80
  };
  int fds[MORE];
  NetClient late;
  Net net;

  set_file_limit (FILES);
  net_start (&net, NULL);
  set_file_limit (1024); /* for this end */
  for (unsigned i = 0; i < MORE; i++)
    fds[i] = net_tcp (net.port, NULL);
  net_await (&net, refused_full, MORE - 64);
  fail_unless (net_stats (&net).edge.arrivals <= 64);
  for (unsigned i = 0; i < MORE; i++)
    close (fds[i]);
  while (net_stats (&net).edge.arrivals > 0)
    g_usleep (2000);
  net_join (&net, &late, NET_MEETING, NULL);
  net_hang_up (&late);
  net_stop (&net);
}
GST_END_TEST

/* ---- Backlog ---- */

static uint64_t
memory_that_is_free (void)
{
  g_autofree char *text = NULL;
  const char *line = NULL;

  if (g_file_get_contents ("/proc/meminfo", &text, NULL, NULL))
    line = strstr (text, "MemAvailable:");
  return line ? g_ascii_strtoull (line + strlen ("MemAvailable:"), NULL, 10)
                    * 1024
              : 0;
}

static uint64_t
cut_slow (const HubServerStats *stats)
{
  return stats->edge.cut_slow;
}

static const char *
address (unsigned n)
{
  static char text[INET_ADDRSTRLEN];

  g_snprintf (text, sizeof text, "127.2.%u.%u", n / 250, 1 + n % 250);
  return text;
}

enum
{
  MEETINGS = 6,
  GUESTS = 19, /* of each: a host admits so many at once */
  FRAMES = 8,  /* of each: 8 MB, as much as a member may say at once, */
  AGAIN =
      4 /* and as many are asked for again. The kernel keeps up to 6 MB of these 12 for each */
};
static uint8_t big[1000000];

/* A meeting whose guests stop reading. */
static void
open_meeting (
    const Net *net, unsigned number, NetClient *host, NetClient *guests)
{
  g_autofree char *name = g_strdup_printf ("meeting-%u", number);
  int small = 4096;

  net_join (net, host, name, address (1000 + number));
  net_open_meeting (net, host, name, owner, GUESTS);
  for (unsigned i = 0; i < GUESTS; i++) {
    net_join (net, &guests[i], name, address (number * GUESTS + i));
    net_let_in (host, &guests[i]);
    for (unsigned k = 0; k < i; k++) /* they hear of it */
      net_expect_binary (&guests[k], WIRE_COMMIT, host->seq);
  }
  for (unsigned i = 0; i < GUESTS; i++)
    setsockopt (guests[i].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
}

static void
say_big (NetClient *host, unsigned number)
{
  WireHeader header = { WIRE_COMMIT, 0, { 0 } };
  Writer w = writer_init (big, sizeof big);

  memcpy (header.room, host->room, LIMIT_ROOM);
  wire_header_write (&w, &header);
  big[WIRE_HEADER] = (uint8_t) number;
  fail_unless (net_send_frame (host, NET_FIN | NET_BINARY, big, sizeof big));
  net_expect_binary (host, WIRE_COMMIT, host->seq + 1);
}

/* None of them is over what one may leave unread, but all of them together are. */
GST_START_TEST (what_all_leave_unread_has_a_bound)
{
  static NetClient guests[MEETINGS][GUESTS];
  NetClient hosts[MEETINGS];
  HubServerStats stats;
  Net net;

  G_STATIC_ASSERT ((FRAMES + AGAIN) * sizeof big < HUB_EDGE_BACKLOG_MEMBER);
  if (memory_that_is_free () < 3 * (uint64_t) HUB_EDGE_BACKLOG_TOTAL) {
    g_print ("skipped: this takes 1.5 GiB of memory\n");
    return;
  }
  net_start (&net, NULL);
  for (unsigned i = 0; i < MEETINGS; i++)
    open_meeting (&net, i, &hosts[i], guests[i]);
  for (unsigned i = 0; i < MEETINGS; i++)
    for (unsigned k = 0; k < FRAMES; k++)
      say_big (&hosts[i], k);
  for (unsigned i = 0; i < MEETINGS * GUESTS; i++) {
    NetClient *guest = &guests[i / GUESTS][i % GUESTS];
    net_say (guest, &(WireMessage){ .type = WIRE_REPLAY,
                        .seq = hosts[i / GUESTS].seq - AGAIN });
    stats = net_stats (&net);
    fail_unless (stats.edge.backlog <= HUB_EDGE_BACKLOG_TOTAL);
  }
  net_await (&net, cut_slow, 1);
  stats = net_stats (&net);
  fail_unless (stats.edge.backlog <= HUB_EDGE_BACKLOG_TOTAL);
  /* No more went than had to. */
  fail_unless (stats.edge.backlog > (uint64_t) HUB_EDGE_BACKLOG_TOTAL * 9 / 10,
      "%" G_GUINT64_FORMAT, stats.edge.backlog);

  /* Who reads goes on. */
  for (unsigned i = 0; i < MEETINGS; i++) {
    NET_SAY (&hosts[i], .type = WIRE_TRANSPORT);
    net_expect (&hosts[i], WIRE_TRANSPORT);
    for (unsigned k = 0; k < GUESTS; k++)
      net_hang_up (&guests[i][k]);
    net_hang_up (&hosts[i]);
  }
  net_stop (&net);
}
GST_END_TEST

/* ---- Silence ---- */

/* One whose machine lost its network; one that sends a byte now and then of a frame that never ends; and one that only
 * answers pings. TCP keeps the connections of all three. */
GST_START_TEST (who_answers_no_ping_is_cut)
{
  static const uint8_t half[] = { NET_FIN | NET_TEXT, 0x80 | 100, 1, 2, 3, 4 };
  NetClient gone, slow, quiet;
  Net net;

  net_start (&net, NULL);
  net_join (&net, &gone, NET_MEETING, NULL);
  net_join (&net, &slow, NET_MEETING, NULL);
  net_join (&net, &quiet, NET_MEETING, NULL);
  fail_unless (net_send (&slow, half, sizeof half));
  for (unsigned i = 0; net_stats (&net).edge.cut_silent < 2; i++) {
    g_usleep (250000);
    if (i % 8 == 0)
      net_send (&slow, "x", 1);
    if (i % 32 == 0)
      fail_unless (net_send_frame (&quiet, NET_FIN | NET_PONG, "", 0));
  }
  fail_unless (net_is_ended (&gone));
  fail_unless (net_is_ended (&slow));
  g_autoptr (GByteArray) answer = g_byte_array_new ();
  fail_unless (net_send_frame (&quiet, NET_FIN | NET_PING, "x", 1));
  fail_unless_equals_int (net_read_frame (&quiet, answer), NET_PONG);
  fail_unless_equals_uint64 (net_stats (&net).edge.cut_silent, 2);
  net_hang_up (&gone);
  net_hang_up (&slow);
  net_hang_up (&quiet);
  net_stop (&net);
}
GST_END_TEST

static Suite *
hub_exhaustion_suite (void)
{
  Suite *s = suite_create ("hub-exhaustion");
  TCase *tc = tcase_create ("general");

  owner = identity_new ();
  suite_add_tcase (s, tc);
  tcase_set_timeout (tc, 180);
  tcase_add_test (tc, without_a_descriptor_nobody_comes_and_nothing_spins);
  tcase_add_test (tc, a_hub_that_is_full_says_so_by_closing);
  tcase_add_test (tc, what_all_leave_unread_has_a_bound);
  tcase_add_test (tc, who_answers_no_ping_is_cut);
  return s;
}

PURE_CHECK_MAIN (hub_exhaustion)

/* icetransport's links over loopback: restarts, roles, pacing, ports, sockets, servers that are away.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ice-side.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stun/stunagent.h>
#include <stun/usages/ice.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static char *
description_of (Side *side)
{
  char *text = NULL;
  g_object_get (side->element, "local-description", &text, NULL);
  return text;
}

static void
tell (Side *from, Side *to)
{
  g_autofree char *text = description_of (from);
  g_object_set (to->element, "remote-description", text, NULL);
}

/* Forgets what was told, not what is. */
static void
forget (Side *side)
{
  g_mutex_lock (&side->lock);
  g_ptr_array_set_size (side->states, 0);
  g_ptr_array_set_size (side->arrived, 0);
  side->descriptions = side->pairs = 0;
  g_mutex_unlock (&side->lock);
}

static gboolean
has_pairs (Side *side, guint n)
{
  return side->pairs >= n;
}

#define TRIES 3 /* of what must be fast, on a machine that may be busy */

/* How long it takes, in ms, that the side which does not nominate is connected again after it has started anew and checks
 * with what it was last told, while the other one's new credentials are still on their way. */
static gint64
start_controlled_anew (Side *a, Side *b)
{
  g_autofree char *old = description_of (a);
  fail_unless_equals_int (gst_element_set_state (b->element, GST_STATE_NULL),
      GST_STATE_CHANGE_SUCCESS);
  forget (a);
  forget (b);
  g_object_set (b->element, "remote-description", old, NULL);
  play (b);
  fail_unless (wait_until (b, has_descriptions, 1));
  tell (b, a);
  fail_unless (wait_until (a, has_pairs, 1), "no new pair");
  gint64 told = g_get_monotonic_time ();
  tell (a, b);
  fail_unless (wait_until (b, is_ready, 0), "no connection");
  gint64 took = (g_get_monotonic_time () - told) / 1000;
  gst_pad_push (a->push, packet (0, 100));
  fail_unless (wait_until (b, has_arrived, 1));
  return took;
}

/* By the time that the new credentials come, the nomination is over. libnice repeats it with its next consent check, 4 to 6 s
 * later. */
GST_START_TEST (a_controlled_side_that_starts_anew_is_nominated_at_once)
{
  Side a, b;
  gint64 took = G_MAXINT64;
  side_init (&a, TRUE);
  side_init (&b, FALSE);
  play (&a);
  play (&b);
  fail_unless (wait_until (&a, has_descriptions, 1)
               && wait_until (&b, has_descriptions, 1));
  tell (&a, &b);
  tell (&b, &a);
  fail_unless (wait_until (&a, is_ready, 0) && wait_until (&b, is_ready, 0));
  for (guint i = 0; i < TRIES && took >= 3000; i++)
    took = start_controlled_anew (&a, &b);
  fail_unless (took < 3000, "%" G_GINT64_FORMAT " ms", took);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

/* The first of `n` ports in a row that were free a moment ago; 0 for none. Below those that the kernel hands out, which
 * whatever runs besides would take meanwhile. */
static guint
free_ports (guint n)
{
  for (guint attempt = 0; attempt < 100; attempt++) {
    guint base = (guint) g_random_int_range (10000, 20000), got = 0;
    for (; got < n; got++) {
      struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_port = g_htons ((guint16) (base + got)),
        .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
      int udp = socket (AF_INET, SOCK_DGRAM, 0),
          tcp = socket (AF_INET, SOCK_STREAM, 0);
      gboolean is_free =
          bind (udp, (struct sockaddr *) &at, sizeof at) == 0
          && bind (tcp, (struct sockaddr *) &at, sizeof at) == 0;
      close (udp);
      close (tcp);
      if (!is_free)
        break;
    }
    if (got == n)
      return base;
  }
  return 0;
}

static guint
port_of (Side *side)
{
  g_autofree char *text = NULL;
  guint port = 0;
  g_object_get (side->element, "local-description", &text, NULL);
  fail_unless_equals_int (
      sscanf (strstr (text, "127.0.0.1 "), "127.0.0.1 %u", &port), 1);
  return port;
}

static gboolean
port_is_one_of (Side *side, guint base, guint n)
{
  guint port = port_of (side);
  return port >= base && port < base + n;
}

static gboolean
description_changed (Side *side, const char *before)
{
  gint64 end = g_get_monotonic_time () + WAIT;
  for (;;) {
    g_autofree char *now = description_of (side);
    if (strcmp (before, now) != 0)
      return TRUE;
    if (g_get_monotonic_time () > end)
      return FALSE;
    g_usleep (1000);
  }
}

/* 1 to 3 ports are too few for a link beside the one in use: at a restart, by whichever side, it gives them up first. With
 * 4 no path is lost. What is pushed meanwhile waits. */
GST_START_TEST (a_restart_works_with_few_ports)
{
  Side a, b;
  guint n = (guint) __i__, base[2] = { free_ports (n), 0 };
  do
    base[1] = free_ports (n);
  while (base[1] + n > base[0] && base[1] < base[0] + n);
  pair_init (&a, &b);
  g_object_set (
      a.element, "port-min", base[0], "port-max", base[0] + n - 1, NULL);
  g_object_set (
      b.element, "port-min", base[1], "port-max", base[1] + n - 1, NULL);
  /* A TCP candidate needs no port of the range, and a TCP port is not free at once: neither may keep UDP from working. */
  g_object_set (a.element, "ice-tcp", n == 1, NULL);
  g_object_set (b.element, "ice-tcp", n == 1, NULL);
  pair_connect (&a, &b);
  for (guint round = 1; round <= 4; round++) {
    g_autofree char *before_a = description_of (&a);
    g_autofree char *before_b = description_of (&b);
    guint arrived = b.arrived->len;
    g_signal_emit_by_name (round % 2 ? a.element : b.element, "restart");
    fail_unless (description_changed (&a, before_a)
                     && description_changed (&b, before_b),
        "no restart %u", round);
    gint64 end = g_get_monotonic_time () + WAIT;
    do { /* what is still sent over the old path goes nowhere */
      gst_pad_push (a.push, packet (0, 200));
      g_usleep (1000);
    } while (b.arrived->len == arrived && g_get_monotonic_time () < end);
    fail_unless (wait_until (&b, has_arrived, arrived + 1),
        "nothing arrives after restart %u", round);
    fail_unless (wait_until (&a, is_ready, 0) && wait_until (&b, is_ready, 0));
    fail_unless (stat_of (&a, "restarts") >= round);
    fail_unless (
        port_is_one_of (&a, base[0], n) && port_is_one_of (&b, base[1], n));
    g_autofree char *pair = NULL;
    g_object_get (a.element, "selected-pair", &pair, NULL);
    fail_unless (strstr (pair, "(udp)") != NULL, "%s", pair);
    g_usleep (200000); /* the far end may still hold the link before */
  }
  for (guint i = 0; n >= 4 && i < a.states->len; i++)
    fail_if (g_str_equal (g_ptr_array_index (a.states, i), "disconnected"));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

#define SILENT 40

/* Sockets that say nothing, and when each had its first check. */
typedef struct
{
  int fds[SILENT];
  guint ports[SILENT];
} Silent;

static void
silent_open (Silent *silent)
{
  int one = 1;
  for (guint i = 0; i < SILENT; i++) {
    struct sockaddr_in at = { .sin_family = AF_INET,
      .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    silent->fds[i] = socket (AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    fail_unless (
        bind (silent->fds[i], (struct sockaddr *) &at, len) == 0
        && getsockname (silent->fds[i], (struct sockaddr *) &at, &len) == 0
        && setsockopt (
               silent->fds[i], SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one)
               == 0);
    silent->ports[i] = g_ntohs (at.sin_port);
  }
}

/* us, by the kernel's clock; 0 while nothing came. */
static gint64
first_check (int fd)
{
  union
  {
    char bytes[CMSG_SPACE (sizeof (struct timespec))];
    struct cmsghdr align;
  } control;
  char bytes[1500];
  struct iovec vector = { bytes, sizeof bytes };
  struct msghdr h = { .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = control.bytes,
    .msg_controllen = sizeof control.bytes };
  struct timespec at = { 0, 0 };
  if (recvmsg (fd, &h, 0) < 0)
    return 0;
  fail_unless (CMSG_FIRSTHDR (&h) != NULL);
  memcpy (&at, CMSG_DATA (CMSG_FIRSTHDR (&h)), sizeof at);
  return at.tv_sec * G_USEC_PER_SEC + at.tv_nsec / 1000;
}

/* Sets `when` to when each had its first check, in order. */
static void
silent_await (Silent *silent, gint64 when[SILENT])
{
  gint64 end = g_get_monotonic_time () + WAIT;
  for (guint i = 0; i < SILENT; i++) {
    while (!(when[i] = first_check (silent->fds[i]))
           && g_get_monotonic_time () < end)
      g_usleep (1000);
    fail_unless (when[i] != 0, "no check came to candidate %u", i);
    close (silent->fds[i]);
  }
  for (guint i = 1; i < SILENT; i++)
    for (guint k = i; k > 0 && when[k] < when[k - 1]; k--) {
      gint64 swap = when[k];
      when[k] = when[k - 1];
      when[k - 1] = swap;
    }
}

/* 1 ms between checks is for a handful of them. 0: the first piece of a description has one candidate, more follow; 1: it
 * says that it has all, and more follow; 2: `stun-pacing-timer` says how long. */
GST_START_TEST (many_candidates_are_checked_slowly_however_they_come)
{
  Side a;
  Silent silent;
  gint64 when[SILENT];
  guint pace = __i__ == 2 ? 20 : 5; /* ms */
  const char *more = __i__ == 1 ? "a=end-of-candidates\n" : "";

  silent_open (&silent);
  side_init (&a, TRUE);
  if (__i__ == 2)
    g_object_set (a.element, "stun-pacing-timer", pace, NULL);
  play (&a);
  fail_unless (wait_until (&a, has_descriptions, 1));
  g_autoptr (GString) text = g_string_new (
      "a=ice-ufrag:some\na=ice-pwd:0123456789012345678901\na=ice-options:trickle\nm=audio 9 RTP/AVP 0\n");
  for (guint i = 0; i < SILENT; i++) {
    g_string_append_printf (text,
        "a=candidate:%u 1 UDP %u 127.0.0.1 %u typ host\n%s", i, 1000 - i,
        silent.ports[i], i == 0 ? more : "");
    if (i == 0)
      g_object_set (a.element, "remote-description", text->str, NULL);
  }
  g_object_set (a.element, "remote-description", text->str, NULL);
  silent_await (&silent, when);
  /* The median: a timer that came late is made up for by the next one. */
  gint64 gaps[SILENT - 1];
  for (guint i = 0; i + 1 < SILENT; i++) {
    gint64 gap = when[i + 1] - when[i];
    guint k = i;
    for (; k > 0 && gaps[k - 1] > gap; k--)
      gaps[k] = gaps[k - 1];
    gaps[k] = gap;
  }
  fail_unless (gaps[SILENT / 2] > pace * 1000 / 2,
      "%" G_GINT64_FORMAT " us between checks", gaps[SILENT / 2]);
  side_clear (&a);
}
GST_END_TEST

static gboolean
passes (Side *from, Side *to)
{
  guint have = to->arrived->len;
  gst_pad_push (from->push, packet (0, 200));
  return wait_until (to, has_arrived, have + 1);
}

/* 0: both sides want to control; 1: neither does. RFC 8445, 7.3.1.1 settles it, again at each restart. */
GST_START_TEST (roles_that_conflict_are_settled)
{
  Side a, b;
  pair_init (&a, &b);
  g_object_set (a.element, "controlling", __i__ == 0, NULL);
  g_object_set (b.element, "controlling", __i__ == 0, NULL);
  pair_connect (&a, &b);
  fail_unless (passes (&a, &b) && passes (&b, &a));
  for (guint round = 0; round < 4; round++) {
    guint pairs_a = a.pairs, pairs_b = b.pairs;
    g_signal_emit_by_name (round % 2 ? a.element : b.element, "restart");
    fail_unless (wait_until (&a, has_pairs, pairs_a + 1)
                     && wait_until (&b, has_pairs, pairs_b + 1),
        "no connection after restart %u", round);
    fail_unless (passes (&a, &b) && passes (&b, &a));
  }
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

GST_START_TEST (both_sides_may_restart_at_once)
{
  Side a, b;
  pair_init (&a, &b);
  pair_connect (&a, &b);
  for (guint round = 0; round < 10; round++) {
    g_autofree char *before_a = description_of (&a);
    g_autofree char *before_b = description_of (&b);
    guint pairs_a = a.pairs, pairs_b = b.pairs;
    g_signal_emit_by_name (a.element, "restart");
    g_signal_emit_by_name (b.element, "restart");
    fail_unless (wait_until (&a, has_pairs, pairs_a + 1)
                     && wait_until (&b, has_pairs, pairs_b + 1),
        "no connection after restart %u", round);
    fail_unless (description_changed (&a, before_a)
                 && description_changed (&b, before_b));
    fail_unless (passes (&a, &b) && passes (&b, &a));
  }
  for (guint i = 0; i < a.states->len; i++)
    fail_if (g_str_equal (g_ptr_array_index (a.states, i), "disconnected"));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

/* A lite agent (RFC 8445, 2.5), as hubs are: answers checks to its own user name, and sends packets back. */
typedef struct
{
  int fd;
  guint port;
  GThread *thread;
  gint stop;      /* atomic */
  gint nominated; /* atomic: checks that did */
  gint bundled;   /* atomic: answers that went out amid packets */
  gboolean bundles;
} Lite;

#define LITE_UFRAG "lite"
#define LITE_PWD "0123456789012345678901"

static bool
lite_password (StunAgent *agent, StunMessage *message, uint8_t *username,
    uint16_t username_len, uint8_t **password, size_t *password_len,
    void *user_data)
{
  *password = (uint8_t *) LITE_PWD;
  *password_len = strlen (LITE_PWD);
  return username_len > 5 && memcmp (username, LITE_UFRAG ":", 5) == 0;
}

/* `answer` as the kernel may coalesce it: between two packets of RTP of its size. */
static void
send_amid_packets (int fd, const uint8_t *answer, size_t len,
    const struct sockaddr_storage *to, socklen_t to_len)
{
  static uint8_t rtp[1024] = { 0x80 };
  uint16_t segment = (uint16_t) len;
  union
  {
    char bytes[CMSG_SPACE (sizeof (uint16_t))];
    struct cmsghdr align;
  } control = { { 0 } };
  struct iovec vectors[] = { { rtp, len }, { (void *) answer, len },
    { rtp, len } };
  struct msghdr h = { .msg_name = (void *) to,
    .msg_namelen = to_len,
    .msg_iov = vectors,
    .msg_iovlen = G_N_ELEMENTS (vectors),
    .msg_control = control.bytes,
    .msg_controllen = sizeof control.bytes };
  struct cmsghdr *c = CMSG_FIRSTHDR (&h);
  c->cmsg_level = IPPROTO_UDP;
  c->cmsg_type = UDP_SEGMENT;
  c->cmsg_len = CMSG_LEN (sizeof segment);
  memcpy (CMSG_DATA (c), &segment, sizeof segment);
  (void) !sendmsg (fd, &h, 0);
}

static gpointer
run_lite (gpointer user)
{
  static const uint16_t known[] = { STUN_ATTRIBUTE_USERNAME,
    STUN_ATTRIBUTE_MESSAGE_INTEGRITY, STUN_ATTRIBUTE_PRIORITY,
    STUN_ATTRIBUTE_USE_CANDIDATE, STUN_ATTRIBUTE_ICE_CONTROLLING,
    STUN_ATTRIBUTE_ICE_CONTROLLED, 0 };
  Lite *lite = user;
  StunAgent stun;
  stun_agent_init (&stun, known, STUN_COMPATIBILITY_RFC5389,
      STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS
          | STUN_AGENT_USAGE_USE_FINGERPRINT);
  while (!g_atomic_int_get (&lite->stop)) {
    struct pollfd at = { lite->fd, POLLIN, 0 };
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    uint8_t in[2048] = { 0 }, out[1024];
    StunMessage request, answer;
    if (poll (&at, 1, 20) <= 0)
      continue;
    ssize_t n = recvfrom (
        lite->fd, in, sizeof in - 64, 0, (struct sockaddr *) &from, &from_len);
    if (n > 0 && in[0] >= 4)
      (void) !sendto (
          lite->fd, in, (size_t) n, 0, (struct sockaddr *) &from, from_len);
    if (n <= 0 || in[0] >= 4
        || stun_agent_validate (
               &stun, &request, in, (size_t) n, lite_password, NULL)
               != STUN_VALIDATION_SUCCESS)
      continue;
    size_t out_len = sizeof out;
    bool control = FALSE;
    if (stun_usage_ice_conncheck_create_reply (&stun, &request, &answer, out,
            &out_len, &from, from_len, &control, 0,
            STUN_USAGE_ICE_COMPATIBILITY_RFC5245)
        != STUN_USAGE_ICE_RETURN_SUCCESS)
      continue;
    if (stun_usage_ice_conncheck_use_candidate (&request))
      g_atomic_int_inc (&lite->nominated);
    /* libnice's own checks tell a priority, the element's do not. */
    if (lite->bundles
        && !stun_message_has_attribute (&request, STUN_ATTRIBUTE_PRIORITY)) {
      send_amid_packets (lite->fd, out, out_len, &from, from_len);
      g_atomic_int_inc (&lite->bundled);
    } else
      (void) !sendto (
          lite->fd, out, out_len, 0, (struct sockaddr *) &from, from_len);
  }
  return NULL;
}

static void
lite_start (Lite *lite, gboolean bundles)
{
  struct sockaddr_in at = { .sin_family = AF_INET,
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t len = sizeof at;
  *lite = (Lite){ .fd = socket (AF_INET, SOCK_DGRAM, 0), .bundles = bundles };
  fail_unless (bind (lite->fd, (struct sockaddr *) &at, len) == 0
               && getsockname (lite->fd, (struct sockaddr *) &at, &len) == 0);
  lite->port = g_ntohs (at.sin_port);
  lite->thread = g_thread_new ("lite", run_lite, lite);
}

static void
lite_stop (Lite *lite)
{
  g_atomic_int_set (&lite->stop, TRUE);
  g_thread_join (lite->thread);
  close (lite->fd);
}

static void
connect_to_lite (Side *side, const Lite *lite)
{
  g_autofree char *text = g_strdup_printf (
      "a=ice-lite\na=ice-ufrag:" LITE_UFRAG "\na=ice-pwd:" LITE_PWD
      "\nm=audio 9 RTP/AVP 0\na=candidate:1 1 UDP 2130706431 127.0.0.1 %u typ host\na=end-of-candidates\n",
      lite->port);
  play (side);
  g_object_set (side->element, "remote-description", text, NULL);
  fail_unless (wait_until (side, is_ready, 0), "no connection");
}

/* Who faces a lite agent controls, whatever it was told, and does not wait at a restart for an answer that never comes. */
GST_START_TEST (a_lite_far_end_is_controlled_and_not_waited_for)
{
  Side a;
  Lite lite;
  lite_start (&lite, FALSE);
  side_init (&a, FALSE);
  connect_to_lite (&a, &lite);
  fail_unless (passes (&a, &a));
  fail_unless (g_atomic_int_get (&lite.nominated) > 0);
  gint64 took = G_MAXINT64;
  for (guint i = 0; i < TRIES && took >= 4000; i++) {
    guint pairs = a.pairs;
    gint64 start = g_get_monotonic_time ();
    g_signal_emit_by_name (a.element, "restart");
    fail_unless (wait_until (&a, has_pairs, pairs + 1), "no restart");
    took = (g_get_monotonic_time () - start) / 1000;
  }
  fail_unless (took < 4000, "%" G_GINT64_FORMAT " ms", took);
  fail_unless (passes (&a, &a));
  side_clear (&a);
  lite_stop (&lite);
}
GST_END_TEST

static gboolean
has_round_trip_time (Side *side)
{
  GstStructure *stats;
  g_object_get (side->element, "stats", &stats, NULL);
  gboolean has = gst_structure_has_field (stats, "round-trip-time");
  gst_structure_free (stats);
  return has;
}

/* An answer to the element's own check that the kernel hands over in one piece with packets: it is taken out, they are not. */
GST_START_TEST (an_answer_that_comes_amid_packets_is_told_apart)
{
  Side a;
  Lite lite;
  gint64 end = g_get_monotonic_time () + WAIT;
  lite_start (&lite, TRUE);
  side_init (&a, FALSE);
  connect_to_lite (&a, &lite);
  while (!has_round_trip_time (&a) && g_get_monotonic_time () < end)
    g_usleep (LOOK_AGAIN);
  fail_unless (has_round_trip_time (&a), "the answer went by");
  lite_stop (&lite);
  guint want = 2 * (guint) lite.bundled;
  fail_unless (stat_reaches (&a, "packets-delivered", want),
      "%" G_GUINT64_FORMAT " packets of %u", stat_of (&a, "packets-delivered"),
      want);
  side_clear (&a);
}
GST_END_TEST

static gboolean
was_connected (Side *side, guint n)
{
  for (guint i = 0; i < side->states->len; i++)
    if (g_str_equal (g_ptr_array_index (side->states, i), "connected"))
      return TRUE;
  return FALSE;
}

/* A STUN server answers only when the call has come about without it: its candidate is told all the same. */
GST_START_TEST (candidates_that_come_late_are_told)
{
  /* A success response with XOR-MAPPED-ADDRESS 198.51.100.7:4660 (RFC 8489, 14.2). */
  static const guint8 answer[32] = { 0x01, 0x01, 0x00, 0x0c, [20] = 0x00, 0x20,
    0x00, 0x08, 0x00, 0x01, 0x12 ^ 0x21, 0x34 ^ 0x12, 198 ^ 0x21, 51 ^ 0x12,
    100 ^ 0xa4, 7 ^ 0x42 };
  Side a, b;
  struct sockaddr_in at = { .sin_family = AF_INET,
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t len = sizeof at;
  int fd = socket (AF_INET, SOCK_DGRAM, 0);
  fail_unless (bind (fd, (struct sockaddr *) &at, len) == 0
               && getsockname (fd, (struct sockaddr *) &at, &len) == 0);
  g_autofree char *server =
      g_strdup_printf ("stun://127.0.0.1:%u", g_ntohs (at.sin_port));
  pair_init (&a, &b);
  g_object_set (a.element, "stun-server", server, NULL);
  play (&a);
  play (&b);
  fail_unless (wait_until (&a, was_connected, 0), "no connection");
  gint64 end = g_get_monotonic_time () + WAIT;
  gboolean told = FALSE;
  while (!told && g_get_monotonic_time () < end) {
    guint8 in[1500], out[sizeof answer];
    struct pollfd ready = { fd, POLLIN, 0 };
    g_autofree char *text = description_of (&a);
    told = strstr (text, " 198.51.100.7 4660 typ srflx") != NULL
           && strstr (text, "a=end-of-candidates") != NULL;
    if (poll (&ready, 1, 20) <= 0)
      continue;
    len = sizeof at;
    if (recvfrom (fd, in, sizeof in, 0, (struct sockaddr *) &at, &len) < 20)
      continue;
    memcpy (out, answer, sizeof answer);
    memcpy (out + 4, in + 4, 16); /* cookie and transaction */
    (void) !sendto (fd, out, sizeof out, 0, (struct sockaddr *) &at, len);
  }
  fail_unless (told, "the local description has not grown");
  fail_unless (passes (&a, &b) && passes (&b, &a));
  close (fd);
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

/* Both sockets of the port, the media one and libnice's, have the buffer that was asked for. */
GST_START_TEST (the_receive_buffer_is_as_large_as_asked_for)
{
  const int want = 100000; /* below what every system grants */
  Side a;
  guint found = 0;
  side_init (&a, TRUE);
  g_object_set (a.element, "receive-buffer-size", want, NULL);
  play (&a);
  fail_unless (wait_until (&a, has_descriptions, 1));
  guint port = port_of (&a);
  for (int fd = 0; fd < 1024; fd++) {
    struct sockaddr_in at = { 0 };
    socklen_t len = sizeof at, n = sizeof (int);
    int size = 0;
    if (getsockname (fd, (struct sockaddr *) &at, &len) < 0
        || at.sin_family != AF_INET || g_ntohs (at.sin_port) != port)
      continue;
    fail_unless_equals_int (
        getsockopt (fd, SOL_SOCKET, SO_RCVBUF, &size, &n), 0);
    fail_unless_equals_int (size, 2 * want); /* socket(7): doubled */
    found++;
  }
  fail_unless_equals_int (found, 2);
  side_clear (&a);
}
GST_END_TEST

/* A description grows, so its lines come again and again; each counts once. */
GST_START_TEST (what_is_skipped_is_counted_once)
{
  static const char head[] =
      "a=ice-ufrag:some\na=ice-pwd:0123456789012345678901\na=ice-options:trickle\nm=audio 9 RTP/AVP 0\n";
  static const char first[] =
      "a=candidate:1 1 UDP 9 127.0.0.1 9 typ host\na=candidate:nonsense\na=candidate:more\n";
  static const char second[] =
      "a=candidate:2 1 UDP 8 127.0.0.1 10 typ host\na=candidate:and more\n";
  static const char third[] =
      "a=candidate:3 1 UDP 7 127.0.0.1 11 typ host\na=candidate:and so on\n";
  g_autofree char *grown = g_strconcat (head, first, second, NULL);
  g_autofree char *begun = g_strconcat (head, first, NULL);
  g_autofree char *piece = g_strconcat (head, third, NULL);
  Side a;
  side_init (&a, TRUE);
  play (&a);
  for (guint i = 0; i < 3; i++)
    g_object_set (a.element, "remote-description", begun, NULL);
  for (guint i = 0; i < 3; i++)
    g_object_set (a.element, "remote-description", grown, NULL);
  g_object_set (a.element, "remote-description", piece, NULL);
  fail_unless (stat_reaches (&a, "candidates-skipped", 4),
      "%" G_GUINT64_FORMAT, stat_of (&a, "candidates-skipped"));
  side_clear (&a);
}
GST_END_TEST

/* Candidates without a description to belong to: some are kept, the others counted; the same ones again are neither. */
GST_START_TEST (early_candidates_beyond_the_limit_are_counted)
{
  Side a;
  side_init (&a, TRUE);
  play (&a);
  for (guint round = 0; round < 2; round++)
    for (guint i = 0; i < 32; i++) {
      g_autofree char *text = g_strdup_printf (
          "candidate:1 1 UDP 9 127.0.0.1 %u typ host", 1000 + i);
      g_signal_emit_by_name (a.element, "add-ice-candidate", text);
    }
  for (guint i = 0; i < 8; i++) {
    g_autofree char *text = g_strdup_printf (
        "candidate:1 1 UDP 9 127.0.0.1 %u typ host", 2000 + i);
    g_signal_emit_by_name (a.element, "add-ice-candidate", text);
  }
  fail_unless (stat_reaches (&a, "candidates-skipped", 8),
      "%" G_GUINT64_FORMAT, stat_of (&a, "candidates-skipped"));
  /* What was told in READY and is too much counts as well, and all of it outlives a stop. */
  gst_element_set_state (a.element, GST_STATE_READY);
  fail_unless_equals_uint64 (stat_of (&a, "candidates-skipped"), 8);
  for (guint i = 0; i < 130; i++)
    g_signal_emit_by_name (
        a.element, "add-ice-candidate", "candidate:1 1 UDP 9 ::1 9 typ host");
  fail_unless_equals_uint64 (stat_of (&a, "candidates-skipped"), 10);
  gst_element_set_state (a.element, GST_STATE_PLAYING);
  g_signal_emit_by_name (a.element, "add-ice-candidate", "nonsense");
  fail_unless (stat_reaches (&a, "candidates-skipped", 11));
  side_clear (&a);
}
GST_END_TEST

static Suite *
icelinks_suite (void)
{
  Suite *s = suite_create ("icelinks");
  TCase *t = tcase_create ("loopback");

  suite_add_tcase (s, t);
  tcase_set_timeout (t, 120);
  tcase_add_test (t, a_controlled_side_that_starts_anew_is_nominated_at_once);
  tcase_add_loop_test (
      t, many_candidates_are_checked_slowly_however_they_come, 0, 3);
  tcase_add_loop_test (t, roles_that_conflict_are_settled, 0, 2);
  tcase_add_test (t, both_sides_may_restart_at_once);
  tcase_add_test (t, a_lite_far_end_is_controlled_and_not_waited_for);
  tcase_add_test (t, candidates_that_come_late_are_told);
  tcase_add_test (t, the_receive_buffer_is_as_large_as_asked_for);
  tcase_add_test (t, what_is_skipped_is_counted_once);
  tcase_add_test (t, early_candidates_beyond_the_limit_are_counted);
  tcase_add_test (t, an_answer_that_comes_amid_packets_is_told_apart);
  tcase_add_loop_test (t, a_restart_works_with_few_ports, 1, 5);
  return s;
}

GST_CHECK_MAIN (icelinks)

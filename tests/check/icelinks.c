/* icetransport's links over loopback: restarts, roles, pacing, ports, sockets, servers that are away.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ice-side.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

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
has_descriptions (Side *side, guint n)
{
  return side->descriptions >= n;
}

static gboolean
has_pairs (Side *side, guint n)
{
  return side->pairs >= n;
}

/* The side that does not nominate starts anew and checks with what it was last told, while the other one's new
 * credentials are still on their way: by the time they come, the nomination is over. libnice repeats it with its next
 * consent check, 4 to 6 s later. */
GST_START_TEST (a_controlled_side_that_starts_anew_is_nominated_at_once)
{
  Side a, b;
  side_init (&a, TRUE);
  side_init (&b, FALSE);
  play (&a);
  play (&b);
  fail_unless (wait_until (&a, has_descriptions, 1)
               && wait_until (&b, has_descriptions, 1));
  tell (&a, &b);
  tell (&b, &a);
  fail_unless (wait_until (&a, is_ready, 0) && wait_until (&b, is_ready, 0));

  g_autofree char *old = description_of (&a);
  fail_unless_equals_int (gst_element_set_state (b.element, GST_STATE_NULL),
      GST_STATE_CHANGE_SUCCESS);
  forget (&a);
  forget (&b);
  g_object_set (b.element, "remote-description", old, NULL);
  play (&b);
  fail_unless (wait_until (&b, has_descriptions, 1));
  tell (&b, &a);
  fail_unless (wait_until (&a, has_pairs, 1), "no new pair");
  gint64 told = g_get_monotonic_time ();
  tell (&a, &b);
  fail_unless (wait_until (&b, is_ready, 0), "no connection");
  gint64 took = (g_get_monotonic_time () - told) / 1000;
  fail_unless (took < 3000, "%" G_GINT64_FORMAT " ms", took);
  gst_pad_push (a.push, packet (0, 100));
  fail_unless (wait_until (&b, has_arrived, 1));
  side_clear (&a);
  side_clear (&b);
}
GST_END_TEST

/* The first of `n` ports in a row that were free a moment ago; 0 for none. */
static guint
free_ports (guint n)
{
  for (guint attempt = 0; attempt < 100; attempt++) {
    guint base = 0, got = 0;
    int fds[8];
    for (; got < n; got++) {
      struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_port = g_htons ((guint16) (got ? base + got : 0)),
        .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
      socklen_t len = sizeof at;
      fds[got] = socket (AF_INET, SOCK_DGRAM, 0);
      if (bind (fds[got], (struct sockaddr *) &at, len) < 0
          || getsockname (fds[got], (struct sockaddr *) &at, &len) < 0) {
        close (fds[got]);
        break;
      }
      if (got == 0)
        base = g_ntohs (at.sin_port);
    }
    for (guint i = 0; i < got; i++)
      close (fds[i]);
    if (got == n && base + n < 65536)
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
  tcase_add_loop_test (t, a_restart_works_with_few_ports, 1, 5);
  return s;
}

GST_CHECK_MAIN (icelinks)

/* Media sockets: how a port is divided, what batches become on the wire, and what the kernel refuses.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/ice/udppath.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define TAG 0x12345678u
#define PACKETS 40
#define SIZE 200

/* A port with both of its sockets. */
typedef struct
{
  int nice;
  UdpPath path;
  UdpInbox *inbox;
} Port;

static void
port_open (Port *port, int buffer)
{
  struct sockaddr_in at = { .sin_family = AF_INET,
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };

  port->nice = socket (AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  fail_unless (port->nice >= 0
               && bind (port->nice, (struct sockaddr *) &at, sizeof at) == 0);
  fail_unless (udp_path_open (&port->path, port->nice, 0, buffer, TAG), "%s",
      strerror (errno));
  port->inbox = udp_inbox_new ();
  fail_unless (port->inbox != NULL);
}

static void
port_close (Port *port)
{
  udp_path_close (&port->path);
  udp_inbox_free (port->inbox);
  close (port->nice);
}

static unsigned
send_packets (
    Port *from, const struct sockaddr *to, socklen_t len, unsigned *failed)
{
  static uint8_t bytes[PACKETS][SIZE];
  struct iovec vectors[PACKETS];
  UdpPacket packets[PACKETS];

  for (unsigned i = 0; i < PACKETS; i++) {
    memset (bytes[i], 0x80, SIZE);
    bytes[i][1] = (uint8_t) i;
    vectors[i] = (struct iovec){ bytes[i], SIZE };
    packets[i] = (UdpPacket){ &vectors[i], 1, SIZE };
  }
  return udp_path_send (&from->path, to, len, packets, PACKETS, failed);
}

/* Takes all that is there; loopback delivers before the send returns. */
static unsigned
take_packets (Port *port, unsigned *messages)
{
  UdpArrival got[UDP_PATH_SLOTS];
  unsigned n, packets = 0;

  while ((n = udp_path_receive (&port->path, port->inbox, got)) > 0)
    for (unsigned i = 0; i < n; i++, (*messages)++)
      for (size_t at = 0; at < got[i].size; at += got[i].segment, packets++) {
        fail_unless_equals_int (got[i].bytes[at + 1], (int) packets);
        fail_unless (got[i].stamp != 0);
      }
  return packets;
}

static int
bytes_at (int fd)
{
  struct pollfd at = { fd, POLLIN, 0 };
  uint8_t bytes[100];
  return poll (&at, 1, 0) == 1 ? (int) recv (fd, bytes, sizeof bytes, 0) : -1;
}

GST_START_TEST (a_port_is_divided_by_what_comes_to_it)
{
  static const struct
  {
    uint8_t first;
    bool tagged, media;
  } rows[] = { { 0, false, false }, { 0, true, true }, { 1, true, true },
    { 5, false, false }, { 127, false, false }, { 128, false, true },
    { 191, false, true }, { 192, false, false }, { 255, false, false } };
  Port a, b;

  port_open (&a, 0);
  port_open (&b, 0);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    uint8_t packet[32] = { rows[i].first, 1 };
    if (rows[i].tagged)
      memcpy (packet + UDP_PATH_TAG_AT, "\x12\x34\x56\x78", 4);
    fail_unless_equals_int (
        sendto (a.nice, packet, sizeof packet, 0,
            (struct sockaddr *) &b.path.local, b.path.local_len),
        sizeof packet);
    fail_unless_equals_int (
        bytes_at (b.path.fd), rows[i].media ? (int) sizeof packet : -1);
    fail_unless_equals_int (
        bytes_at (b.nice), rows[i].media ? -1 : (int) sizeof packet);
  }
  port_close (&a);
  port_close (&b);
}
GST_END_TEST

GST_START_TEST (equal_packets_leave_and_come_as_one_message)
{
  Port a, b;
  unsigned failed = 0, messages = 0;

  port_open (&a, 0);
  port_open (&b, 0);
  fail_unless_equals_int (
      (int) send_packets (
          &a, (struct sockaddr *) &b.path.local, b.path.local_len, &failed),
      PACKETS);
  fail_unless_equals_int ((int) failed, 0);
  fail_unless_equals_int ((int) take_packets (&b, &messages), PACKETS);
  fail_unless_equals_int ((int) messages, 1);
  port_close (&a);
  port_close (&b);
}
GST_END_TEST

/* A route that is away for a moment, or a firewall, is no reason to send in small pieces for ever after. */
GST_START_TEST (a_refusal_does_not_end_segmentation)
{
  Port a, b;
  struct sockaddr_in everybody = { .sin_family = AF_INET,
    .sin_port = 9,
    .sin_addr.s_addr =
        htonl (INADDR_BROADCAST) }; /* not without SO_BROADCAST */
  unsigned failed = 0, messages = 0;

  port_open (&a, 0);
  port_open (&b, 0);
  fail_unless_equals_int (
      (int) send_packets (
          &a, (struct sockaddr *) &everybody, sizeof everybody, &failed),
      PACKETS);
  fail_unless_equals_int ((int) failed, PACKETS);
  failed = 0;
  fail_unless_equals_int (
      (int) send_packets (
          &a, (struct sockaddr *) &b.path.local, b.path.local_len, &failed),
      PACKETS);
  fail_unless_equals_int ((int) failed, 0);
  fail_unless_equals_int ((int) take_packets (&b, &messages), PACKETS);
  fail_unless_equals_int ((int) messages, 1);
  port_close (&a);
  port_close (&b);
}
GST_END_TEST

GST_START_TEST (a_full_receive_buffer_is_counted)
{
  Port a, b;
  unsigned failed = 0, messages = 0, sent = 0;

  port_open (&a, 0);
  port_open (&b, 4096);
  for (unsigned i = 0; i < 100; i++, sent++) {
    uint8_t packet[SIZE] = { 0x80, (uint8_t) i };
    fail_unless_equals_int (
        sendto (a.path.fd, packet, sizeof packet, 0,
            (struct sockaddr *) &b.path.local, b.path.local_len),
        SIZE);
  }
  unsigned got = take_packets (&b, &messages);
  fail_unless (got > 0 && got < sent);
  fail_unless_equals_int ((int) (got + udp_overflows (b.path.fd)), (int) sent);
  fail_unless_equals_int ((int) failed, 0);
  port_close (&a);
  port_close (&b);
}
GST_END_TEST

GST_START_TEST (who_leaves_the_port_frees_it_and_falls_silent)
{
  Port a, b;
  unsigned failed = 0, messages = 0;
  struct sockaddr_storage at;

  port_open (&a, 0);
  port_open (&b, 0);
  memcpy (&at, &b.path.local, sizeof at);
  udp_path_leave_port (&b.path);
  close (b.nice);
  b.nice = socket (AF_INET, SOCK_DGRAM, 0); /* does not share */
  fail_unless_equals_int (
      bind (b.nice, (struct sockaddr *) &at, b.path.local_len), 0);
  fail_unless_equals_int ((int) send_packets (&a, (struct sockaddr *) &at,
                              b.path.local_len, &failed),
      PACKETS);
  fail_unless_equals_int ((int) take_packets (&b, &messages), 0);
  fail_unless_equals_int (
      (int) send_packets (
          &b, (struct sockaddr *) &a.path.local, a.path.local_len, &failed),
      PACKETS);
  fail_unless_equals_int ((int) failed, PACKETS);
  port_close (&a);
  port_close (&b);
}
GST_END_TEST

static Suite *
ice_udppath_suite (void)
{
  Suite *s = suite_create ("ice-udppath");
  TCase *t = tcase_create ("loopback");

  suite_add_tcase (s, t);
  tcase_set_timeout (t, 60);
  tcase_add_test (t, a_port_is_divided_by_what_comes_to_it);
  tcase_add_test (t, equal_packets_leave_and_come_as_one_message);
  tcase_add_test (t, a_refusal_does_not_end_segmentation);
  tcase_add_test (t, a_full_receive_buffer_is_counted);
  tcase_add_test (t, who_leaves_the_port_frees_it_and_falls_silent);
  return s;
}

PURE_CHECK_MAIN (ice_udppath)

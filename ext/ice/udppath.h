/* A second socket on the port of a libnice socket, for media.
 *
 * libnice reads one packet a system call, under its lock, and offers no way to take over. So where the kernel can
 * divide one port between two sockets (SO_REUSEPORT with a classic BPF program, Linux 4.5), RTP and RTCP go
 * to a socket of ours, told by the first byte (RFC 7983: 128 to 191), and everything else (STUN, TURN channel
 * data) stays with libnice. Media then moves by recvmmsg with UDP_GRO and by UDP_SEGMENT, and a flood of one kind
 * cannot push the other out of its queue. Where the kernel cannot, nothing is lost: media goes through libnice.
 *
 * No lock inside: one thread sends and one receives at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define UDP_PATH_SLOTS 16 /* messages of one recvmmsg */
#define UDP_PATH_SLOT_SIZE                                                    \
  65536 /* with UDP_GRO one message holds many packets */
#define UDP_PATH_TAG_AT                                                       \
  8 /* where a STUN message has its transaction ID: RFC 8489, 5 */
#define UDP_PATH_MAX_SEGMENTS                                                 \
  48 /* of one UDP_SEGMENT message: the kernel takes 64 (128 since 6.9) and 65,507 bytes */
#define UDP_PATH_MAX_PACKETS 128 /* one udp_path_send() */
#define UDP_PATH_MAX_VECTORS 512 /* of those packets together */

typedef struct
{
  int fd;
  struct sockaddr_storage local;
  socklen_t local_len;
  size_t
      gso_limit; /* largest packet sent by UDP_SEGMENT; 0: the kernel refused it */
} UdpPath;

typedef struct
{
  struct iovec *vectors;
  unsigned n_vectors;
  size_t size;
} UdpPacket;

/* Opens a media socket beside `nice_fd`, a bound UDP socket. `if_index`: the interface its packets leave by, 0 for
 * any. `buffer_size`: wanted SO_RCVBUF and SO_SNDBUF, 0 for the kernel's. STUN messages whose transaction ID begins
 * with `stun_tag` come here too: answers to checks of our own, which libnice would throw away. False (errno says why) leaves `nice_fd`
 * as it was, or at worst marked as shareable with this user. */
bool udp_path_open (UdpPath *path, int nice_fd, unsigned if_index,
    int buffer_size, uint32_t stun_tag);
void udp_path_close (UdpPath *path);

/* Frees the port at once, also while other threads use `path`: for them it falls silent, and sending fails. */
void udp_path_leave_port (UdpPath *path);

/* Asks for a receive buffer of `size`, above the system's limit where we may; gives what the kernel granted. */
int udp_set_receive_buffer (int fd, int size);

/* Sends up to UDP_PATH_MAX_PACKETS in order without waiting. Gives how many were dealt with; fewer than `n` means
 * that the socket is full now. `*failed` grows by those the kernel refused for another reason. */
unsigned udp_path_send (UdpPath *path, const struct sockaddr *to,
    socklen_t to_len, const UdpPacket *packets, unsigned n, unsigned *failed);

typedef struct
{
  const uint8_t *bytes;
  size_t size;
  size_t
      segment; /* packets of this size one behind the other; the last may be shorter */
  const struct sockaddr_storage *from;
  int64_t
      stamp; /* when the kernel got it, ns of CLOCK_REALTIME; 0: it does not say */
} UdpArrival;

/* Room for one receive: UDP_PATH_SLOTS × UDP_PATH_SLOT_SIZE bytes, so one per receiving thread. */
typedef struct UdpInbox UdpInbox;
UdpInbox *udp_inbox_new (void);
void udp_inbox_free (UdpInbox *inbox);

/* Takes what is there, without waiting. Gives the number of arrivals, 0 when there is none. They are valid until the
 * next call with this inbox. */
unsigned udp_path_receive (
    UdpPath *path, UdpInbox *inbox, UdpArrival out[UDP_PATH_SLOTS]);

/* Packets that the kernel dropped because the receive buffer of `fd` was full, since the socket exists. */
uint32_t udp_overflows (int fd);

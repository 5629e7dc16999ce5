/* Media sockets beside libnice's: sharing a port, batches, segmentation offload.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "udppath.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

/* Order of the sockets in the kernel's group: libnice's was there first. */
#define TO_NICE 0
#define TO_MEDIA 1

int
udp_set_receive_buffer (int fd, int size)
{
  int granted = 0;
  socklen_t len = sizeof granted;

  if (size > 0) {
    /* SO_RCVBUFFORCE goes above net.core.rmem_max, for those with CAP_NET_ADMIN. */
    if (setsockopt (fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
      (void) setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  if (getsockopt (fd, SOL_SOCKET, SO_RCVBUF, &granted, &len) < 0)
    return 0;
  return granted
         / 2; /* socket(7): the kernel doubles the value for its own bookkeeping */
}

static bool
share_port (int media_fd, int nice_fd, const struct sockaddr *local,
    socklen_t len, uint32_t stun_tag)
{
  /* RFC 7983, 7: the first byte of RTP and RTCP is 128 to 191. A load beyond a short packet gives 0: to libnice. */
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_B | BPF_ABS, 0),
    BPF_JUMP (BPF_JMP | BPF_JGT | BPF_K, 191, 4, 0),
    BPF_JUMP (BPF_JMP | BPF_JGE | BPF_K, 128, 2, 0),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, UDP_PATH_TAG_AT),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, stun_tag, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, TO_MEDIA),
    BPF_STMT (BPF_RET | BPF_K, TO_NICE),
  };
  struct sock_fprog program;
  int one = 1;

  memset (&program, 0, sizeof program);
  program.len = sizeof code / sizeof code[0];
  program.filter = code;
  /* The kernel looks at the flag of a bound socket only when another one binds. */
  return setsockopt (nice_fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0
         && setsockopt (media_fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one)
                == 0
         && bind (media_fd, local, len) == 0
         && setsockopt (media_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF,
                &program, sizeof program)
                == 0;
}

bool
udp_path_open (UdpPath *path, int nice_fd, unsigned if_index, int buffer_size,
    uint32_t stun_tag)
{
  int one = 1;
  UdpPath p = {
    .fd = -1, .local_len = sizeof p.local, .gso_limit = UDP_PATH_SLOT_SIZE
  };

  *path = p;
  if (getsockname (nice_fd, (struct sockaddr *) &p.local, &p.local_len) < 0)
    return false;
  p.fd =
      socket (p.local.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (p.fd < 0)
    return false;

  if (p.local.ss_family
      == AF_INET6) /* libnice's IPv6 sockets are not dual-stack either: GLib binds them so */
    (void) setsockopt (p.fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (if_index) {
    uint32_t index = htonl (if_index);
    if (p.local.ss_family == AF_INET6)
      (void) setsockopt (
          p.fd, IPPROTO_IPV6, IPV6_UNICAST_IF, &index, sizeof index);
    else
      (void) setsockopt (
          p.fd, IPPROTO_IP, IP_UNICAST_IF, &index, sizeof index);
  }
  (void) setsockopt (p.fd, IPPROTO_UDP, UDP_GRO, &one, sizeof one);
  (void) setsockopt (p.fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
  if (buffer_size > 0) {
    (void) udp_set_receive_buffer (p.fd, buffer_size);
    (void) setsockopt (
        p.fd, SOL_SOCKET, SO_SNDBUF, &buffer_size, sizeof buffer_size);
  }
  if (!share_port (p.fd, nice_fd, (struct sockaddr *) &p.local, p.local_len,
          stun_tag)) {
    int error = errno;
    (void) close (p.fd);
    errno = error;
    return false;
  }
  *path = p;
  return true;
}

void
udp_path_close (UdpPath *path)
{
  if (path->fd >= 0)
    (void) close (path->fd);
  path->fd = -1;
}

void
udp_path_leave_port (UdpPath *path)
{
  if (path->fd < 0)
    return;
  /* The number stays taken, so that no thread can meet somebody else's file under it. */
  int nowhere = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (nowhere < 0)
    return;
  (void) dup3 (nowhere, path->fd, O_CLOEXEC);
  (void) close (nowhere);
}

/* How many packets from `packets` on one UDP_SEGMENT message can carry: equal sizes, the last may be shorter. */
static unsigned
count_segments (const UdpPath *path, const UdpPacket *packets, unsigned n)
{
  size_t size = packets[0].size, total = size;
  unsigned k = 1;

  if (size == 0 || size > path->gso_limit)
    return 1;
  while (k < n && k < UDP_PATH_MAX_SEGMENTS && packets[k].size > 0
         && packets[k].size <= size && packets[k - 1].size == size
         && total + packets[k].size <= 65507)
    total += packets[k++].size;
  return k;
}

typedef union
{
  char bytes[CMSG_SPACE (sizeof (uint16_t))];
  struct cmsghdr align;
} SegmentControl;

/* The messages for all packets, segmented where possible. Vectors of consecutive packets are consecutive. */
static unsigned
make_messages (const UdpPath *path, const struct sockaddr *to,
    socklen_t to_len, const UdpPacket *packets, unsigned n,
    struct mmsghdr *messages, SegmentControl *controls, unsigned *carried)
{
  unsigned m = 0;

  for (unsigned i = 0; i < n; m++) {
    unsigned k = count_segments (path, packets + i, n - i);
    struct msghdr *h = &messages[m].msg_hdr;
    size_t vectors = 0;

    for (unsigned j = i; j < i + k; j++)
      vectors += packets[j].n_vectors;
    *h = (struct msghdr){ .msg_name = (void *) (uintptr_t) to,
      .msg_namelen = to_len,
      .msg_iov = packets[i].vectors,
      .msg_iovlen = vectors };
    if (k > 1) {
      uint16_t segment = (uint16_t) packets[i].size;
      memset (&controls[m], 0,
          sizeof controls[m]); /* its padding goes to the kernel too */
      h->msg_control = controls[m].bytes;
      h->msg_controllen = sizeof controls[m].bytes;
      struct cmsghdr *c = CMSG_FIRSTHDR (h);
      c->cmsg_level = IPPROTO_UDP;
      c->cmsg_type = UDP_SEGMENT;
      c->cmsg_len = CMSG_LEN (sizeof segment);
      memcpy (CMSG_DATA (c), &segment, sizeof segment);
    }
    carried[m] = k;
    i += k;
  }
  return m;
}

/* What the kernel says to a segmented message that it would take in pieces: a device that cannot (EIO), a path MTU below
 * the packet (EMSGSIZE, EINVAL). Anything else, such as no route, it would say to the pieces too. */
static bool
is_about_segments (int error)
{
  return error == EMSGSIZE || error == EINVAL || error == EIO
         || error == EOPNOTSUPP;
}

unsigned
udp_path_send (UdpPath *path, const struct sockaddr *to, socklen_t to_len,
    const UdpPacket *packets, unsigned n, unsigned *failed)
{
  struct mmsghdr messages[UDP_PATH_MAX_PACKETS];
  SegmentControl controls[UDP_PATH_MAX_PACKETS];
  unsigned carried[UDP_PATH_MAX_PACKETS];
  unsigned done = 0;

  while (done < n) {
    unsigned count = make_messages (path, to, to_len, packets + done, n - done,
        messages, controls, carried);
    int sent = count == 1 ? (int) sendmsg (path->fd, &messages[0].msg_hdr, 0)
                          : sendmmsg (path->fd, messages, count, 0);

    if (sent >= 0) {
      /* An error behind the first message is not told: the next call starts at that message and gets it. */
      for (unsigned m = 0; m < (count == 1 ? 1u : (unsigned) sent); m++)
        done += carried[m];
      continue;
    }
    if (errno == EINTR)
      continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
      return done;
    if (carried[0] > 1 && is_about_segments (errno)) {
      path->gso_limit = packets[done].size - 1; /* one by one it fragments */
      continue;
    }
    *failed += carried[0];
    done += carried[0];
  }
  return done;
}

struct UdpInbox
{
  struct mmsghdr messages[UDP_PATH_SLOTS];
  struct iovec vectors[UDP_PATH_SLOTS];
  struct sockaddr_storage from[UDP_PATH_SLOTS];
  union
  {
    char bytes[CMSG_SPACE (sizeof (int))
               + CMSG_SPACE (sizeof (struct timespec))];
    struct cmsghdr align;
  } controls[UDP_PATH_SLOTS];
  uint8_t *room;
};

UdpInbox *
udp_inbox_new (void)
{
  UdpInbox *inbox = calloc (1, sizeof *inbox);
  if (!inbox)
    return NULL;
  inbox->room = malloc ((size_t) UDP_PATH_SLOTS * UDP_PATH_SLOT_SIZE);
  if (!inbox->room) {
    free (inbox);
    return NULL;
  }
  for (size_t i = 0; i < UDP_PATH_SLOTS; i++)
    inbox->vectors[i] = (struct iovec){ inbox->room + i * UDP_PATH_SLOT_SIZE,
      UDP_PATH_SLOT_SIZE };
  return inbox;
}

void
udp_inbox_free (UdpInbox *inbox)
{
  if (!inbox)
    return;
  free (inbox->room);
  free (inbox);
}

/* What the kernel says of a message: how long each of the packets is that it coalesced, and when it came. */
static void
read_controls (struct msghdr *h, UdpArrival *arrival)
{
  for (struct cmsghdr *c = CMSG_FIRSTHDR (h); c; c = CMSG_NXTHDR (h, c))
    if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
      int segment;
      memcpy (&segment, CMSG_DATA (c), sizeof segment);
      if (segment > 0)
        arrival->segment = (size_t) segment;
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
      struct timespec t;
      memcpy (&t, CMSG_DATA (c), sizeof t);
      arrival->stamp = (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
    }
}

unsigned
udp_path_receive (
    UdpPath *path, UdpInbox *inbox, UdpArrival out[UDP_PATH_SLOTS])
{
  for (unsigned i = 0; i < UDP_PATH_SLOTS; i++)
    inbox->messages[i].msg_hdr = (struct msghdr){ .msg_name = &inbox->from[i],
      .msg_namelen = sizeof inbox->from[i],
      .msg_iov = &inbox->vectors[i],
      .msg_iovlen = 1,
      .msg_control = inbox->controls[i].bytes,
      .msg_controllen = sizeof inbox->controls[i].bytes };

  int n =
      recvmmsg (path->fd, inbox->messages, UDP_PATH_SLOTS, MSG_DONTWAIT, NULL);
  if (n <= 0)
    return 0;
  for (int i = 0; i < n; i++) {
    size_t size = inbox->messages[i].msg_len;
    out[i] = (UdpArrival){ inbox->vectors[i].iov_base, size, size,
      &inbox->from[i], 0 };
    read_controls (&inbox->messages[i].msg_hdr, &out[i]);
  }
  return (unsigned) n;
}

uint32_t
udp_overflows (int fd)
{
  uint32_t info[SK_MEMINFO_VARS] = { 0 };
  socklen_t len = sizeof info;
  if (fd < 0 || getsockopt (fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0
      || len < (SK_MEMINFO_DROPS + 1) * sizeof info[0])
    return 0;
  return info[SK_MEMINFO_DROPS];
}

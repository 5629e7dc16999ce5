/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "udp.h"
#include "rtp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define BUFFER_BYTES (4 << 20) /* what the socket may queue each way */
#define GRO_SLOTS 64u
#define GRO_SLOT 65536u /* a coalesced message; a smaller one would be cut */
#define PLAIN_SLOTS 256u
#define PLAIN_SLOT (HUB_MAX_PACKET + 64u)

#define CONTROL_BYTES                                                         \
  (CMSG_SPACE (sizeof (struct in6_pktinfo))                                   \
      + CMSG_SPACE (sizeof (struct in_pktinfo)) + CMSG_SPACE (sizeof (int)))

typedef struct
{
  struct sockaddr_storage name;
  struct iovec iov;
  alignas (struct cmsghdr) uint8_t control[CONTROL_BYTES];
} Envelope;

struct HubUdp
{
  int fd, family;
  uint16_t port;
  _Atomic bool gso; /* the media thread's; read by signalling */
  bool gro;
  HubCounters *counters;

  size_t n_slots, slot;
  uint8_t *slots;
  struct mmsghdr *in;
  Envelope *in_envelopes;

  struct mmsghdr out[HUB_EGRESS_MESSAGES];
  Envelope out_envelopes[HUB_EGRESS_MESSAGES];
};

/* --- The socket --- */

static bool
set_option (int fd, int level, int name, int value)
{
  return setsockopt (fd, level, name, &value, sizeof value) == 0;
}

static void
set_buffers (int fd)
{
  /* Above the system's limit for the privileged, up to it for all. */
  if (!set_option (fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES))
    set_option (fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
  if (!set_option (fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES))
    set_option (fd, SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
}

static bool
bind_to (HubUdp *udp, const uint8_t *ip, uint16_t port)
{
  HubAddress address = { .port = port };
  struct sockaddr_storage name;

  if (ip)
    memcpy (address.ip, ip, sizeof address.ip);
  udp->family = ip && hub_address_is_v4 (ip) ? AF_INET : AF_INET6;
  udp->fd = socket (udp->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (udp->fd < 0)
    return false;
  if (udp->family == AF_INET6) {
    set_option (udp->fd, IPPROTO_IPV6, IPV6_V6ONLY, ip != NULL);
    set_option (udp->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  } else {
    set_option (udp->fd, IPPROTO_IP, IP_PKTINFO, 1);
  }
  set_buffers (udp->fd);
  socklen_t len = hub_address_to_sockaddr (&address, 0, udp->family, &name);
  if (bind (udp->fd, (struct sockaddr *) &name, len) == 0)
    return true;
  int error = errno;
  close (udp->fd);
  udp->fd = -1;
  errno = error;
  return false;
}

/* All addresses of both families, or of IPv4 where the system has no IPv6. */
static bool
bind_any (HubUdp *udp, uint16_t port)
{
  static const uint8_t any_v4[16] = { [10] = 0xff, [11] = 0xff };
  return bind_to (udp, NULL, port)
         || (errno != EADDRINUSE && errno != EACCES
             && bind_to (udp, any_v4, port));
}

static bool
open_socket (
    HubUdp *udp, const char *bind_address, uint16_t port, char *problem)
{
  uint8_t ip[16];
  bool any = !bind_address || bind_address[0] == '\0';
  struct sockaddr_storage name;
  socklen_t len = sizeof name;
  HubAddress bound;

  if (!any && !hub_address_parse (bind_address, ip)) {
    snprintf (problem, HUB_MAX_PROBLEM,
        "bind-address \"%.64s\" is no IP address: give one in numbers, such as 192.0.2.1 or 2001:db8::1",
        bind_address);
    return false;
  }
  if (!(any ? bind_any (udp, port) : bind_to (udp, ip, port))) {
    snprintf (problem, HUB_MAX_PROBLEM,
        "cannot open UDP port %u of %.64s for media: %s; choose another media-port or bind-address",
        (unsigned) port, any ? "all addresses" : bind_address,
        strerror (errno));
    return false;
  }
  if (getsockname (udp->fd, (struct sockaddr *) &name, &len) == 0
      && hub_address_from_sockaddr (&bound, &name))
    udp->port = bound.port;
  return true;
}

/* Asks the kernel what it has. */
static void
probe (HubUdp *udp, bool gso, bool gro)
{
  int segment;
  socklen_t len = sizeof segment;

  udp->gso =
      gso
      && getsockopt (udp->fd, IPPROTO_UDP, UDP_SEGMENT, &segment, &len) == 0;
  udp->gro = gro && set_option (udp->fd, IPPROTO_UDP, UDP_GRO, 1);
}

static bool
make_slots (HubUdp *udp)
{
  udp->n_slots = udp->gro ? GRO_SLOTS : PLAIN_SLOTS;
  udp->slot = udp->gro ? GRO_SLOT : PLAIN_SLOT;
  udp->slots = malloc (udp->n_slots * udp->slot);
  udp->in = calloc (udp->n_slots, sizeof *udp->in);
  udp->in_envelopes = calloc (udp->n_slots, sizeof *udp->in_envelopes);
  if (!udp->slots || !udp->in || !udp->in_envelopes)
    return false;
  for (size_t i = 0; i < udp->n_slots; i++) {
    Envelope *envelope = &udp->in_envelopes[i];
    envelope->iov = (struct iovec){ udp->slots + i * udp->slot, udp->slot };
    udp->in[i].msg_hdr = (struct msghdr){ .msg_name = &envelope->name,
      .msg_namelen = sizeof envelope->name,
      .msg_iov = &envelope->iov,
      .msg_iovlen = 1,
      .msg_control = envelope->control,
      .msg_controllen = sizeof envelope->control };
  }
  for (size_t i = 0; i < HUB_EGRESS_MESSAGES; i++) {
    Envelope *envelope = &udp->out_envelopes[i];
    udp->out[i].msg_hdr = (struct msghdr){ .msg_name = &envelope->name,
      .msg_iov = &envelope->iov,
      .msg_iovlen = 1,
      .msg_control = envelope->control };
  }
  return true;
}

HubUdp *
hub_udp_new (const char *bind_address, uint16_t port, bool gso, bool gro,
    HubCounters *counters, char *problem)
{
  HubUdp *udp = calloc (1, sizeof *udp);

  if (!udp) {
    snprintf (
        problem, HUB_MAX_PROBLEM, "there is no memory for the media socket");
    return NULL;
  }
  udp->fd = -1;
  udp->counters = counters;
  if (!open_socket (udp, bind_address, port, problem)) {
    hub_udp_free (udp);
    return NULL;
  }
  probe (udp, gso, gro);
  if (!make_slots (udp)) {
    snprintf (
        problem, HUB_MAX_PROBLEM, "there is no memory for the media socket");
    hub_udp_free (udp);
    return NULL;
  }
  return udp;
}

void
hub_udp_free (HubUdp *udp)
{
  if (!udp)
    return;
  if (udp->fd >= 0)
    close (udp->fd);
  free (udp->slots);
  free (udp->in);
  free (udp->in_envelopes);
  free (udp);
}

int
hub_udp_fd (const HubUdp *udp)
{
  return udp->fd;
}

int
hub_udp_family (const HubUdp *udp)
{
  return udp->family;
}

uint16_t
hub_udp_port (const HubUdp *udp)
{
  return udp->port;
}

bool
hub_udp_gso (const HubUdp *udp)
{
  return udp->gso;
}

bool
hub_udp_gro (const HubUdp *udp)
{
  return udp->gro;
}

/* --- In --- */

size_t
hub_udp_receive (HubUdp *udp, bool *full)
{
  int n =
      recvmmsg (udp->fd, udp->in, (unsigned) udp->n_slots, MSG_DONTWAIT, NULL);

  *full = n == (int) udp->n_slots;
  return n > 0 ? (size_t) n : 0;
}

static void
read_control (struct msghdr *header, HubPath *path, size_t *segment)
{
  static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

  for (struct cmsghdr *c = CMSG_FIRSTHDR (header); c;
       c = CMSG_NXTHDR (header, c)) {
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;
      memcpy (&info, CMSG_DATA (c), sizeof info);
      memcpy (path->local, &info.ipi6_addr, sizeof path->local);
      path->interface = (uint32_t) info.ipi6_ifindex;
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;
      memcpy (&info, CMSG_DATA (c), sizeof info);
      memcpy (path->local, mapped, sizeof mapped);
      memcpy (path->local + sizeof mapped, &info.ipi_spec_dst, 4);
      path->interface = (uint32_t) info.ipi_ifindex;
    } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
      int size;
      memcpy (&size, CMSG_DATA (c), sizeof size);
      if (size > 0)
        *segment = (size_t) size;
    }
  }
}

bool
hub_udp_message (HubUdp *udp, size_t i, HubPath *path, uint8_t **bytes,
    size_t *len, size_t *segment)
{
  struct msghdr *header = &udp->in[i].msg_hdr;
  bool ok = !(header->msg_flags & MSG_TRUNC)
            && hub_address_from_sockaddr (&path->remote, header->msg_name);

  *bytes = udp->slots + i * udp->slot;
  *len = *segment = udp->in[i].msg_len;
  memset (path->local, 0, sizeof path->local);
  path->interface = 0;
  read_control (header, path, segment);
  header->msg_namelen = sizeof udp->in_envelopes[i].name;
  header->msg_controllen = sizeof udp->in_envelopes[i].control;
  return ok;
}

/* --- Out --- */

static size_t
add_control (
    struct cmsghdr *c, int level, int type, const void *value, size_t len)
{
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN (len);
  memcpy (CMSG_DATA (c), value, len);
  return CMSG_SPACE (len);
}

static bool
is_zero (const uint8_t *ip)
{
  static const uint8_t zeros[16];
  return memcmp (ip, zeros, sizeof zeros) == 0;
}

static void
write_control (const HubUdp *udp, const HubMessage *message,
    Envelope *envelope, struct msghdr *header)
{
  struct cmsghdr *c = (struct cmsghdr *) (void *) envelope->control;
  size_t used = 0;

  if (!is_zero (message->path.local)) {
    if (udp->family == AF_INET6) {
      struct in6_pktinfo info = { 0 };
      memcpy (&info.ipi6_addr, message->path.local, 16);
      if (IN6_IS_ADDR_LINKLOCAL (&info.ipi6_addr))
        info.ipi6_ifindex = message->path.interface;
      used += add_control (c, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    } else {
      struct in_pktinfo info = { 0 };
      memcpy (&info.ipi_spec_dst, message->path.local + 12, 4);
      used += add_control (c, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
  }
  if (message->n_segments > 1) {
    uint16_t segment = message->segment;
    c = (struct cmsghdr *) (void *) (envelope->control + used);
    used +=
        add_control (c, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
  }
  header->msg_control = used > 0 ? envelope->control : NULL;
  header->msg_controllen = used;
}

static void
address (HubUdp *udp, size_t i, const HubMessage *message)
{
  Envelope *envelope = &udp->out_envelopes[i];
  struct msghdr *header = &udp->out[i].msg_hdr;

  header->msg_namelen = hub_address_to_sockaddr (&message->path.remote,
      message->path.interface, udp->family, &envelope->name);
  envelope->iov =
      (struct iovec){ (void *) (uintptr_t) message->bytes, message->len };
  write_control (udp, message, envelope, header);
}

/* The path does not segment: its packets one by one. */
static void
send_apart (HubUdp *udp, size_t i, const HubMessage *message)
{
  struct msghdr *header = &udp->out[i].msg_hdr;
  HubMessage one = *message;

  for (uint32_t at = 0; at < message->len; at += message->segment) {
    one.bytes = message->bytes + at;
    one.len = message->len - at < message->segment ? message->len - at
                                                   : message->segment;
    one.n_segments = 1;
    address (udp, i, &one);
    if (sendmsg (udp->fd, header, MSG_DONTWAIT) < 0)
      hub_count (udp->counters, errno == EAGAIN || errno == ENOBUFS
                                    ? HUB_SEND_DROPPED
                                    : HUB_SEND_ERRORS);
  }
}

size_t
hub_udp_send (void *io, const HubMessage *messages, size_t n)
{
  HubUdp *udp = io;
  size_t done = 0;

  for (size_t i = 0; i < n; i++)
    address (udp, i, &messages[i]);
  while (done < n) {
    int sent = sendmmsg (
        udp->fd, udp->out + done, (unsigned) (n - done), MSG_DONTWAIT);
    if (sent > 0) {
      done += (size_t) sent;
      continue;
    }
    if (errno == EINTR)
      continue;
    if (errno == EAGAIN || errno == ENOBUFS)
      break;
    /* The error is of the first message: it goes, the others are tried again. */
    if (messages[done].n_segments > 1
        && (errno == EIO || errno == EINVAL || errno == EMSGSIZE)) {
      if (errno == EIO) /* an interface without checksum offload */
        udp->gso = false;
      send_apart (udp, done, &messages[done]);
    } else {
      hub_count (udp->counters, HUB_SEND_ERRORS);
    }
    done++;
  }
  return done;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mediathread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define BATCHES_A_TURN 8 /* then commands and timers have theirs */

static uint64_t
monotonic (void *unused)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (uint64_t) t.tv_sec * HUB_S + (uint64_t) t.tv_nsec;
}

static void
write_event (int fd)
{
  uint64_t one = 1;
  /* It fails only when the counter is full: then it is readable already. */
  if (write (fd, &one, sizeof one) < 0)
    return;
}

void
hub_media_thread_wake (HubMediaThread *thread)
{
  write_event (thread->wake_fd);
}

void
hub_media_thread_poke (HubMediaThread *thread)
{
  if (atomic_load (&thread->sleeping))
    write_event (thread->wake_fd);
}

void
hub_media_thread_listen (HubMediaThread *thread)
{
  uint64_t n;
  if (read (thread->event_fd, &n, sizeof n) < 0 && errno != EAGAIN)
    return;
  atomic_store (&thread->told, false);
}

/* --- The thread --- */

static void
take_message (HubMediaThread *thread, size_t i)
{
  HubPath path;
  uint8_t *bytes;
  size_t len, segment;

  if (!hub_udp_message (thread->udp, i, &path, &bytes, &len, &segment)) {
    hub_count (&thread->counters, HUB_PACKETS_IN);
    hub_count (&thread->counters, HUB_DROPPED_NOT_MEDIA);
    return;
  }
  do {
    size_t n = len < segment ? len : segment;
    hub_media_input (&thread->media, &path, bytes, n);
    bytes += n;
    len -= n;
  } while (len > 0);
}

/* True when more may be there. */
static bool
take_batch (HubMediaThread *thread)
{
  bool full;
  size_t n = hub_udp_receive (thread->udp, &full);

  for (size_t i = 0; i < n; i++)
    take_message (thread, i);
  hub_media_forward (&thread->media);
  return full;
}

static void
tell_signalling (HubMediaThread *thread)
{
  if (!thread->media.told)
    return;
  thread->media.told = false;
  if (!atomic_exchange (&thread->told, true))
    write_event (thread->event_fd);
}

/* While the socket is full we want to hear when it is not. */
static void
watch_socket (HubMediaThread *thread)
{
  if (thread->awaits_room == thread->media.egress.blocked)
    return;
  thread->awaits_room = thread->media.egress.blocked;
  struct epoll_event event = {
    .events = EPOLLIN | (thread->awaits_room ? EPOLLOUT : 0u),
    .data.fd = hub_udp_fd (thread->udp)
  };
  epoll_ctl (thread->epoll_fd, EPOLL_CTL_MOD, event.data.fd, &event);
}

static int
wait_until (HubMediaThread *thread, uint64_t deadline,
    struct epoll_event *events, int room)
{
  uint64_t now = thread->clock (thread->clock_data);
  uint64_t left = deadline > now ? deadline - now : 0;
  struct timespec timeout = { .tv_sec = (time_t) (left / HUB_S),
    .tv_nsec = (long) (left % HUB_S) };
  const struct timespec *limit = deadline == UINT64_MAX ? NULL : &timeout;

  int n = epoll_pwait2 (thread->epoll_fd, events, room, limit, NULL);
  if (n < 0 && errno == ENOSYS) /* before Linux 5.11 */
    n = epoll_wait (thread->epoll_fd, events, room,
        !limit               ? -1
        : left >= 60 * HUB_S ? 60000
                             : (int) ((left + HUB_MS - 1) / HUB_MS));
  return n;
}

static void
sleep_until_something (HubMediaThread *thread)
{
  struct epoll_event events[4];

  atomic_store (&thread->sleeping, true);
  bool work = !hub_ring_is_empty (&thread->commands)
              && hub_ring_room (&thread->events) >= HUB_RING_SLOTS / 2;
  int n = work ? 0
               : wait_until (
                   thread, hub_media_deadline (&thread->media), events, 4);
  atomic_store (&thread->sleeping, false);
  for (int i = 0; i < n; i++)
    if (events[i].events & EPOLLOUT)
      hub_egress_unblock (&thread->media.egress);
}

static void *
run (void *data)
{
  HubMediaThread *thread = data;
  HubMedia *media = &thread->media;

  while (!atomic_load_explicit (&thread->stop, memory_order_acquire)) {
    bool more = true;
    hub_media_turn (media, thread->clock (thread->clock_data));
    media->egress.gso = hub_udp_gso (thread->udp);
    hub_media_commands (media);
    hub_media_timers (media);
    for (int i = 0; i < BATCHES_A_TURN && more; i++)
      more = take_batch (thread);
    tell_signalling (thread);
    watch_socket (thread);
    hub_count_add (&thread->loops, 1);
    if (!more)
      sleep_until_something (thread);
  }
  return NULL;
}

/* --- Life --- */

static bool
watch (HubMediaThread *thread, int fd, uint32_t flags)
{
  struct epoll_event event = { .events = flags, .data.fd = fd };
  return epoll_ctl (thread->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool
open_descriptors (HubMediaThread *thread)
{
  thread->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  thread->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  thread->event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  /* The eventfd is edge-triggered: a write wakes, and nobody needs to read it. */
  return thread->epoll_fd >= 0 && thread->wake_fd >= 0 && thread->event_fd >= 0
         && watch (thread, hub_udp_fd (thread->udp), EPOLLIN)
         && watch (thread, thread->wake_fd, EPOLLIN | EPOLLET);
}

static bool
start_thread (HubMediaThread *thread)
{
  sigset_t all, before;

  /* Signals are the application's. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  thread->running = pthread_create (&thread->thread, NULL, run, thread) == 0;
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  if (thread->running)
    pthread_setname_np (thread->thread, "hub-media");
  return thread->running;
}

bool
hub_media_thread_start (HubMediaThread *thread,
    const HubForwarderConfig *config, HubTableMemory **tables, char *problem)
{
  thread->epoll_fd = thread->wake_fd = thread->event_fd = -1;
  thread->clock = config->clock ? config->clock : monotonic;
  thread->clock_data = config->clock_data;
  bool rings = hub_ring_init (&thread->commands);
  rings &= hub_ring_init (&thread->events);
  /* From here on the tables are the engine's. */
  if (!hub_media_init (&thread->media, config->max_transports,
          &thread->commands, &thread->events, &thread->counters, hub_udp_send,
          NULL, tables)
      || !rings) {
    snprintf (
        problem, HUB_MAX_PROBLEM, "there is no memory for the media engine");
    return false;
  }
  thread->udp = hub_udp_new (config->bind_address, config->media_port,
      !config->no_gso, !config->no_gro, &thread->counters, problem);
  if (!thread->udp)
    return false;
  thread->media.egress.io = thread->udp;
  thread->media.max_packet_rate = config->max_packet_rate;
  if (!open_descriptors (thread) || !start_thread (thread)) {
    snprintf (problem, HUB_MAX_PROBLEM,
        "cannot start the media thread: %s; raise the limits of open files and threads",
        strerror (errno));
    return false;
  }
  return true;
}

void
hub_media_thread_stop (HubMediaThread *thread)
{
  if (!thread->running)
    return;
  atomic_store_explicit (&thread->stop, true, memory_order_release);
  hub_media_thread_wake (thread);
  pthread_join (thread->thread, NULL);
  thread->running = false;
}

static void
close_one (int fd)
{
  if (fd >= 0)
    close (fd);
}

void
hub_media_thread_clear (HubMediaThread *thread)
{
  hub_udp_free (thread->udp);
  hub_media_clear (&thread->media);
  close_one (thread->epoll_fd);
  close_one (thread->wake_fd);
  close_one (thread->event_fd);
  hub_ring_clear (&thread->commands);
  hub_ring_clear (&thread->events);
}

/* The thread that runs the media engine: it waits for packets, commands and deadlines, and nothing else.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine.h"
#include "udp.h"

#include <pthread.h>

typedef struct
{
  HubRing commands, events;
  HubCounters counters;
  HubMedia media;
  HubUdp *udp;
  uint64_t (*clock) (void *clock_data);
  void *clock_data;
  pthread_t thread;
  int epoll_fd, wake_fd, event_fd;
  bool running, awaits_room; /* the latter: the media thread's */
  _Atomic bool stop;
  alignas (64) _Atomic bool sleeping; /* a command must wake it */
  alignas (64) _Atomic bool told; /* `event_fd` was written and not yet read */
  HubCount loops;
} HubMediaThread;

/* Everything but hub_media_thread_start() and _stop() is for the signalling thread. */
bool hub_media_thread_start (HubMediaThread *thread,
    const HubForwarderConfig *config, HubTableMemory **tables, char *problem);

/* Ends the thread; engine and rings stay, for hub_media_thread_clear(). */
void hub_media_thread_stop (HubMediaThread *thread);
void hub_media_thread_clear (HubMediaThread *thread);

/* After a command was put. */
void hub_media_thread_poke (HubMediaThread *thread);

/* Makes it take a turn. */
void hub_media_thread_wake (HubMediaThread *thread);

/* Before events are taken. */
void hub_media_thread_listen (HubMediaThread *thread);

/* Which sockets are ready, for any number of them: one epoll descriptor behind one GSource.
 *
 * GLib's main loop hands each descriptor to poll() in each turn, and asks each source before and after: with a thousand idle
 * connections that costs more than the work of those that are not idle. Here a turn costs what is ready. Edges are what
 * the kernel tells (EPOLLET), so a watch keeps the level: whoever reads or writes says when the socket would block.
 *
 * Threads: that which runs the context; all of it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct HubPoller HubPoller;

/* NULL, and `error` set, when the process or the system has no descriptor left. Watches hold references. */
HubPoller *hub_poller_new (GMainContext *context, GError **error);
HubPoller *hub_poller_ref (HubPoller *poller);

/* Takes it out of its context. */
void hub_poller_stop (HubPoller *poller);
void hub_poller_unref (HubPoller *poller);

/* One socket. Its owner may set `readable` and `writable` to false, when a call has told it so, and not to true. */
typedef struct HubWatch HubWatch;
struct HubWatch
{
  HubPoller *poller; /* NULL: not watched */
  int fd;
  bool readable,
      writable; /* also at the end of the stream and after an error: a call tells */
  void (*changed) (HubWatch *
          watch); /* a flag was set; must only take note: no watch may go here */
};

/* False when the system can't watch one more. Until the first turn of the loop nothing is ready. */
bool hub_watch_start (HubWatch *watch, HubPoller *poller, int fd,
    void (*changed) (HubWatch *watch));

/* Before `fd` is closed. May be called again. */
void hub_watch_stop (HubWatch *watch);

G_END_DECLS

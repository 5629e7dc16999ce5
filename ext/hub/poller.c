/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "poller.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 256 /* taken in one turn of the loop; the rest in the next */

struct HubPoller
{
  GSource source;
  int fd;
};

static gboolean
take_events (GSource *source, GSourceFunc func, gpointer data)
{
  HubPoller *self = (HubPoller *) source;
  struct epoll_event events[EVENTS];
  int n = epoll_wait (self->fd, events, EVENTS, 0);

  (void) func;
  (void) data;
  for (int i = 0; i < n; i++) {
    HubWatch *watch = events[i].data.ptr;
    bool over = events[i].events & (EPOLLHUP | EPOLLERR);

    watch->readable |= over || events[i].events & (EPOLLIN | EPOLLRDHUP);
    watch->writable |= over || events[i].events & EPOLLOUT;
    watch->changed (watch);
  }
  return G_SOURCE_CONTINUE;
}

static void
close_poller (GSource *source)
{
  HubPoller *self = (HubPoller *) source;

  if (self->fd >= 0)
    close (self->fd);
}

HubPoller *
hub_poller_new (GMainContext *context, GError **error)
{
  static GSourceFuncs funcs = { .dispatch = take_events,
    .finalize = close_poller };
  int fd = epoll_create1 (EPOLL_CLOEXEC);

  if (fd < 0) {
    int code = errno;
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code),
        "cannot watch connections: epoll: %s; raise the limit of open files",
        g_strerror (code));
    return NULL;
  }
  HubPoller *self = (HubPoller *) g_source_new (&funcs, sizeof (HubPoller));
  self->fd = fd;
  g_source_set_name (&self->source, "hub-poller");
  g_source_add_unix_fd (&self->source, fd, G_IO_IN);
  g_source_attach (&self->source, context);
  return self;
}

HubPoller *
hub_poller_ref (HubPoller *self)
{
  g_source_ref (&self->source);
  return self;
}

void
hub_poller_unref (HubPoller *self)
{
  g_source_unref (&self->source);
}

void
hub_poller_stop (HubPoller *self)
{
  g_source_destroy (&self->source);
}

bool
hub_watch_start (HubWatch *watch, HubPoller *poller, int fd,
    void (*changed) (HubWatch *watch))
{
  struct epoll_event event = {
    .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = watch
  };

  if (epoll_ctl (poller->fd, EPOLL_CTL_ADD, fd, &event) < 0)
    return false;
  *watch = (HubWatch){
    .poller = hub_poller_ref (poller), .fd = fd, .changed = changed
  };
  return true;
}

void
hub_watch_stop (HubWatch *watch)
{
  if (!watch->poller)
    return;
  epoll_ctl (watch->poller->fd, EPOLL_CTL_DEL, watch->fd, NULL);
  g_clear_pointer (&watch->poller, hub_poller_unref);
}

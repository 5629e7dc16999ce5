/* Shows TSan the locks of GLib, for tests of elements.
 *
 * GLib is not instrumented, and its GMutex and GCond are futexes of its own: TSan, which sees those of pthreads, takes what
 * they guard for a race. This is linked into a test before GLib, so that the calls of GStreamer and of plugins go through
 * it; each goes on to GLib's own, and tells TSan what it means: who takes a lock comes after who released it. It changes no
 * behaviour. GRecMutex and GRWLock are pthreads inside, and GThread too: TSan sees them by itself.
 *
 * A GMainContext's lock is inside of GLib, where nothing can stand before it. What passes from one thread to the one that runs a
 * context is seen all the same: who attaches a source comes before whatever that thread does after its next poll, and before
 * any idle source is dispatched. That is told of all contexts at once, so a race between two that share nothing else is not
 * found by this.
 *
 * What GLib's other functions do with locks of their own (GAsyncQueue, …) stays hidden; the tests that use this pass nothing
 * between threads by those.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <glib.h>

void __tsan_acquire (void *address);
void __tsan_release (void *address);

static char attached;
static GSourceFuncs idle_funcs;

/* It may be attached between the poll and the dispatch of one turn. */
static gboolean
dispatch_and_see (GSource *source, GSourceFunc func, gpointer data)
{
  __tsan_acquire (&attached);
  return g_idle_funcs.dispatch (source, func, data);
}

/* GLib's own, found before main() and thus before any thread. */
static struct
{
  void (*lock) (GMutex *mutex);
  void (*unlock) (GMutex *mutex);
  gboolean (*trylock) (GMutex *mutex);
  void (*wait) (GCond *cond, GMutex *mutex);
  gboolean (*wait_until) (GCond *cond, GMutex *mutex, gint64 end);
  gboolean (*once_enter) (volatile void *location);
  void (*once_leave) (volatile void *location, gsize result);
  GMainContext *(*context_new) (void);
  guint (*attach) (GSource *source, GMainContext *context);
  GSource *(*idle_new) (void);
} real;

__attribute__ ((constructor)) static void
find_real (void)
{
  const struct
  {
    const char *name;
    void *where;
  } functions[] = {
    { "g_mutex_lock", &real.lock },
    { "g_mutex_unlock", &real.unlock },
    { "g_mutex_trylock", &real.trylock },
    { "g_cond_wait", &real.wait },
    { "g_cond_wait_until", &real.wait_until },
    { "g_once_init_enter", &real.once_enter },
    { "g_main_context_new", &real.context_new },
    { "g_source_attach", &real.attach },
    { "g_idle_source_new", &real.idle_new },
    { "g_once_init_leave", &real.once_leave }, /* the last: see above */
  };
  if (real.once_leave)
    return;
  idle_funcs = g_idle_funcs;
  idle_funcs.dispatch = dispatch_and_see;
  for (gsize i = 0; i < G_N_ELEMENTS (functions); i++)
    *(void **) functions[i].where = dlsym (RTLD_NEXT, functions[i].name);
}

void
g_mutex_lock (GMutex *mutex)
{
  find_real (); /* other constructors may come first */
  real.lock (mutex);
  __tsan_acquire (mutex);
}

gboolean
g_mutex_trylock (GMutex *mutex)
{
  find_real ();
  gboolean taken = real.trylock (mutex);
  if (taken)
    __tsan_acquire (mutex);
  return taken;
}

void
g_mutex_unlock (GMutex *mutex)
{
  find_real ();
  __tsan_release (mutex);
  real.unlock (mutex);
}

void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  __tsan_release (mutex);
  real.wait (cond, mutex);
  __tsan_acquire (mutex);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end)
{
  __tsan_release (mutex);
  gboolean signalled = real.wait_until (cond, mutex, end);
  __tsan_acquire (mutex);
  return signalled;
}

gboolean (g_once_init_enter) (volatile void *location)
{
  find_real ();
  gboolean first = real.once_enter (location);
  __tsan_acquire ((void *) location);
  return first;
}

void (g_once_init_leave) (volatile void *location, gsize result)
{
  find_real ();
  __tsan_release ((void *) location);
  real.once_leave (location, result);
}

static gint
poll_and_see (GPollFD *fds, guint n, gint timeout)
{
  gint ready = g_poll (fds, n, timeout);
  __tsan_acquire (&attached);
  return ready;
}

GMainContext *
g_main_context_new (void)
{
  find_real ();
  GMainContext *context = real.context_new ();
  g_main_context_set_poll_func (context, poll_and_see);
  return context;
}

guint
g_source_attach (GSource *source, GMainContext *context)
{
  find_real ();
  __tsan_release (&attached);
  return real.attach (source, context);
}

GSource *
g_idle_source_new (void)
{
  find_real ();
  GSource *source = real.idle_new ();
  g_source_set_funcs (source, &idle_funcs);
  return source;
}

/* Receiving of icetransport: packets from the network to the source pad.
 *
 * The streaming thread waits on the media sockets and on an eventfd, takes what is there in one system call a
 * socket, and pushes it as one list. What overload brings more than that waits in the kernel's receive buffer, which
 * is bounded and counts what it drops; packets that come through libnice wait in a queue that is bounded here.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "icetransport.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define GST_CAT_DEFAULT conclave_ice_debug

#define POOLED_SIZE                                                           \
  1500 /* packets up to here come from the pool; an Ethernet frame's worth */
#define POOLED_BUFFERS 256 /* kept ready */
#define EARLY_PACKETS 64
#define EARLY_TIME (500 * 1000000) /* ns */
#define QUEUE_PACKETS 2048         /* from libnice; at 1,200 bytes 2.4 MB */

/* The far end may be connected before its candidates are known here: a check is answered to whoever has the password,
 * and the description may still be on its way. Its first packets are worth a short wait. */
typedef struct
{
  GstBuffer *buffer;
  IceAddress from;
  gint64 arrived; /* monotonic ns */
} EarlyPacket;

static gint64
clock_ns (clockid_t id)
{
  struct timespec t;
  (void) clock_gettime (id, &t);
  return (gint64) t.tv_sec * 1000000000 + t.tv_nsec;
}

void
conclave_ice_receiver_init (IceReceiver *receiver)
{
  g_mutex_init (&receiver->lock);
  g_cond_init (&receiver->change);
  g_queue_init (&receiver->queue);
  g_queue_init (&receiver->early);
  receiver->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void
conclave_ice_receiver_clear (IceReceiver *receiver)
{
  g_queue_clear_full (&receiver->queue, (GDestroyNotify) gst_buffer_unref);
  gst_clear_event (&receiver->eos);
  g_cond_clear (&receiver->change);
  g_mutex_clear (&receiver->lock);
  if (receiver->wake_fd >= 0)
    (void) close (receiver->wake_fd);
}

void
conclave_ice_receiver_wake (IceReceiver *receiver)
{
  guint64 one = 1;
  (void) !write (receiver->wake_fd, &one, sizeof one);
}

void
conclave_ice_receiver_set_active (IceReceiver *receiver, gboolean active)
{
  g_atomic_int_set (&receiver->renegotiate, TRUE);
  g_mutex_lock (&receiver->lock);
  receiver->active = active;
  g_cond_broadcast (&receiver->change);
  g_mutex_unlock (&receiver->lock);
  conclave_ice_receiver_wake (receiver);
}

/* Does not wait for the streaming thread: a sink in PAUSED may keep it. */
void
conclave_ice_receiver_run (IceReceiver *receiver, gboolean run)
{
  g_mutex_lock (&receiver->lock);
  /* Running time stood still since the pause, so what came in it is as old as its end. The streaming thread may have
   * been downstream all the while. */
  if (run)
    receiver->resumed = clock_ns (CLOCK_MONOTONIC);
  receiver->running = run;
  g_cond_broadcast (&receiver->change);
  g_mutex_unlock (&receiver->lock);
  conclave_ice_receiver_wake (receiver);
}

void
conclave_ice_receiver_end (IceReceiver *receiver, GstEvent *event)
{
  g_mutex_lock (&receiver->lock);
  GstEvent *old = receiver->eos;
  receiver->eos = event;
  g_mutex_unlock (&receiver->lock);
  gst_clear_event (&old);
  conclave_ice_receiver_wake (receiver);
}

gboolean
conclave_ice_receiver_prepare (ConclaveIceTransport *self)
{
  IceReceiver *receiver = &self->receiver;
  GstStructure *config;

  if (receiver->wake_fd < 0)
    return FALSE;
  receiver->inbox = udp_inbox_new ();
  receiver->pool = gst_buffer_pool_new ();
  config = gst_buffer_pool_get_config (receiver->pool);
  gst_buffer_pool_config_set_params (
      config, NULL, POOLED_SIZE, POOLED_BUFFERS, 0);
  return gst_buffer_pool_set_config (receiver->pool, config)
         && gst_buffer_pool_set_active (receiver->pool, TRUE)
         && receiver->inbox;
}

void
conclave_ice_receiver_release (ConclaveIceTransport *self)
{
  IceReceiver *receiver = &self->receiver;
  GstEvent *eos;
  GQueue old;

  g_mutex_lock (&receiver->lock);
  receiver->running = FALSE;
  eos = g_steal_pointer (&receiver->eos);
  receiver->not_wanted += receiver->queue.length;
  receiver->unknown_source += receiver->early.length;
  old = receiver->queue;
  g_queue_init (&receiver->queue);
  g_mutex_unlock (&receiver->lock);
  gst_clear_event (&eos);
  g_queue_clear_full (&old, (GDestroyNotify) gst_buffer_unref);
  for (EarlyPacket *early; (early = g_queue_pop_head (&receiver->early));
       g_free (early))
    gst_buffer_unref (early->buffer);
  if (receiver->pool)
    gst_buffer_pool_set_active (receiver->pool, FALSE);
  gst_clear_object (&receiver->pool);
  g_clear_pointer (&receiver->inbox, udp_inbox_free);
  receiver->segment_lost = FALSE;
}

static GstBuffer *
make_buffer (IceReceiver *receiver, const guint8 *bytes, gsize size)
{
  GstBuffer *buffer = NULL;

  if (size <= POOLED_SIZE
      && gst_buffer_pool_acquire_buffer (receiver->pool, &buffer, NULL)
             == GST_FLOW_OK) {
    gst_buffer_fill (buffer, 0, bytes, size);
    gst_buffer_set_size (buffer, (gssize) size);
    return buffer;
  }
  buffer = gst_buffer_new_allocate (NULL, size, NULL);
  if (buffer)
    gst_buffer_fill (buffer, 0, bytes, size);
  return buffer;
}

void
conclave_ice_transport_arrived (const guint8 *bytes, gsize size, gpointer user)
{
  ConclaveIceTransport *self = user;
  IceReceiver *receiver = &self->receiver;
  gboolean linked = gst_pad_is_linked (self->srcpad), was_empty = FALSE;
  GstBuffer *buffer = linked ? make_buffer (receiver, bytes, size) : NULL,
            *old = NULL;

  if (buffer)
    GST_BUFFER_DTS (buffer) = (GstClockTime) clock_ns (CLOCK_MONOTONIC);
  g_mutex_lock (&receiver->lock);
  receiver->packets++;
  if (buffer) {
    was_empty = receiver->queue.length == 0;
    if (receiver->queue.length == QUEUE_PACKETS) {
      receiver->overload++;
      old = g_queue_pop_head (&receiver->queue);
    }
    g_queue_push_tail (&receiver->queue, buffer);
  } else
    receiver->not_linked++;
  g_mutex_unlock (&receiver->lock);
  gst_clear_buffer (&old);
  if (was_empty)
    conclave_ice_receiver_wake (receiver);
}

static gboolean
is_known (const IceSources *sources, const IceAddress *from)
{
  for (guint i = 0; i < sources->n_from; i++)
    if (ice_address_equal (&sources->from[i], from))
      return TRUE;
  return FALSE;
}

/* One round of what the streaming thread collects. All three clocks at its start, in this order: a thread that loses the
 * processor in between then takes packets to be later than they were, never earlier. */
typedef struct
{
  gint64 real; /* CLOCK_REALTIME, which the kernel stamps with */
  gint64 monotonic;
  GstClockTime now; /* running time */
  gint64 oldest;    /* monotonic; arrivals before count as of then */
  GstBufferList *list;
  guint64 packets;
  guint64 bytes;
  guint64 unknown_source;
  guint64 not_linked;
} Round;

static GstClockTime
running_time (ConclaveIceTransport *self)
{
  GstClockTime base = gst_element_get_base_time (GST_ELEMENT (self)),
               now = GST_CLOCK_TIME_NONE;
  GstClock *clock = gst_element_get_clock (GST_ELEMENT (self));

  if (clock) {
    now = gst_clock_get_time (clock);
    now = now > base ? now - base : 0;
    gst_object_unref (clock);
  }
  return now;
}

static Round
new_round (ConclaveIceTransport *self)
{
  Round round = { 0 };
  round.real = clock_ns (CLOCK_REALTIME);
  round.monotonic = clock_ns (CLOCK_MONOTONIC);
  round.now = running_time (self);
  g_mutex_lock (&self->receiver.lock);
  round.oldest = MIN (self->receiver.resumed, round.monotonic);
  g_mutex_unlock (&self->receiver.lock);
  return round;
}

/* Stamps `buffer` with the running time at which it arrived, not that at which somebody had time for it: what downstream
 * estimates of the network would else be its own hold-ups. */
static void
add_to_round (Round *round, GstBuffer *buffer, gint64 arrived)
{
  GstClockTime stamp = round->now;

  arrived = CLAMP (arrived, round->oldest, round->monotonic);
  if (GST_CLOCK_TIME_IS_VALID (stamp))
    stamp -= MIN (stamp, (GstClockTime) (round->monotonic - arrived));
  if (!round->list)
    round->list = gst_buffer_list_new_sized (64);
  GST_BUFFER_PTS (buffer) = GST_BUFFER_DTS (buffer) = stamp;
  round->bytes += gst_buffer_get_size (buffer);
  gst_buffer_list_add (round->list, buffer);
}

/* When the kernel got it. Its clock may be set in between: then the time since the sockets were empty is the bound. */
static gint64
arrival_time (
    IceReceiver *receiver, const Round *round, const UdpArrival *arrival)
{
  if (arrival->stamp == 0)
    return round->monotonic;
  return MAX (
      round->monotonic - (round->real - arrival->stamp), receiver->drained);
}

static void
drop_early (ConclaveIceTransport *self, Round *round)
{
  EarlyPacket *early = g_queue_pop_head (&self->receiver.early);
  gst_buffer_unref (early->buffer);
  g_free (early);
  round->unknown_source++;
}

static void
keep_early (ConclaveIceTransport *self, Round *round, const IceAddress *from,
    GstBuffer *buffer, gint64 arrived)
{
  EarlyPacket *early = g_new (EarlyPacket, 1);
  *early = (EarlyPacket){ buffer, *from, arrived };
  g_queue_push_tail (&self->receiver.early, early);
  while (self->receiver.early.length > EARLY_PACKETS)
    drop_early (self, round);
}

static void
take_early (
    ConclaveIceTransport *self, Round *round, const IceSources *sources)
{
  GQueue *queue = &self->receiver.early;

  for (guint n = queue->length; n > 0; n--) {
    EarlyPacket *early = g_queue_peek_head (queue);
    if (is_known (sources, &early->from)) {
      add_to_round (round, early->buffer, early->arrived);
      g_free (g_queue_pop_head (queue));
    } else if (round->monotonic > early->arrived + EARLY_TIME)
      drop_early (self, round);
    else
      g_queue_push_tail (queue, g_queue_pop_head (queue));
  }
}

/* The packets of one message. The kernel coalesces what comes together from one address, whatever it is: an answer to a check
 * of our own may stand between packets. */
static void
take_arrival (ConclaveIceTransport *self, Round *round,
    const IceSources *sources, IceLink *link, const UdpArrival *arrival,
    gboolean linked)
{
  gsize segment = MAX (arrival->segment, 1);
  IceAddress from;

  /* Only who takes part in ICE is heard; who writes the address of another is SRTP's business. */
  ice_address_from_sockaddr (arrival->from, &from);
  gboolean known = linked && is_known (sources, &from);
  gint64 arrived = arrival_time (&self->receiver, round, arrival);
  for (gsize at = 0; at < arrival->size; at += segment) {
    const guint8 *bytes = arrival->bytes + at;
    gsize size = MIN (segment, arrival->size - at);

    if (ice_link_is_own_answer (link, bytes, size)) {
      ice_agent_take_stun (self->agent, bytes, size);
      continue;
    }
    round->packets++;
    GstBuffer *buffer =
        linked ? make_buffer (&self->receiver, bytes, size) : NULL;
    if (!buffer)
      round->not_linked++;
    else if (known)
      add_to_round (round, buffer, arrived);
    else
      keep_early (self, round, &from, buffer, arrived);
  }
}

static void
take_from_sockets (ConclaveIceTransport *self, Round *round,
    const IceSources *sources, const struct pollfd *fds)
{
  UdpArrival arrivals[UDP_PATH_SLOTS];
  gboolean linked = gst_pad_is_linked (self->srcpad), drained = TRUE;

  for (guint i = 0; i < sources->n_paths; i++) {
    if (!fds[i + 1].revents)
      continue;
    guint n =
        udp_path_receive (sources->paths[i], self->receiver.inbox, arrivals);
    drained &= n < UDP_PATH_SLOTS;
    for (guint k = 0; k < n; k++)
      take_arrival (
          self, round, sources, sources->path_links[i], &arrivals[k], linked);
  }
  if (drained)
    self->receiver.drained = round->monotonic;
}

static void
take_from_queue (ConclaveIceTransport *self, Round *round)
{
  IceReceiver *receiver = &self->receiver;
  GQueue taken;
  GstBuffer *buffer;

  g_mutex_lock (&receiver->lock);
  taken = receiver->queue;
  g_queue_init (&receiver->queue);
  g_mutex_unlock (&receiver->lock);
  while ((buffer = g_queue_pop_head (&taken)))
    add_to_round (round, buffer, (gint64) GST_BUFFER_DTS (buffer));
}

/* The caps that go with what arrives: the property, or what downstream wants if that is one thing only. Ranges are
 * never fixed here: a guess like payload=0 makes a jitterbuffer drop everything. */
static GstCaps *
choose_caps (ConclaveIceTransport *self)
{
  GST_OBJECT_LOCK (self);
  GstCaps *caps = self->caps ? gst_caps_ref (self->caps) : NULL;
  GST_OBJECT_UNLOCK (self);
  if (caps)
    return caps;
  caps = gst_pad_peer_query_caps (self->srcpad, NULL);
  if (caps && !gst_caps_is_any (caps) && !gst_caps_is_empty (caps)
      && gst_caps_is_fixed (caps))
    return caps;
  gst_clear_caps (&caps);
  return NULL;
}

static gboolean
was_pushed (GstPad *pad, GstEventType type)
{
  g_autoptr (GstEvent) event = gst_pad_get_sticky_event (pad, type, 0);
  return event != NULL;
}

/* A stream of its own: a name made by GStreamer would be that of what comes to the sink pad, with which it has nothing to
 * do. */
static void
push_stream_start (ConclaveIceTransport *self)
{
  guint8 random[16];
  g_autofree char *id = NULL;
  GString *text = g_string_new ("icetransport/");

  randombytes_buf (random, sizeof random);
  for (gsize i = 0; i < sizeof random; i++)
    g_string_append_printf (text, "%02x", random[i]);
  id = g_string_free (text, FALSE);
  GstEvent *event = gst_event_new_stream_start (id);
  gst_event_set_group_id (event, gst_util_group_id_next ());
  gst_pad_push_event (self->srcpad, event);
}

/* What must come before a buffer. The pad knows what it has pushed, and forgets it when it is deactivated. */
static void
push_first_events (ConclaveIceTransport *self)
{
  IceReceiver *receiver = &self->receiver;
  gboolean renegotiate = gst_pad_check_reconfigure (self->srcpad);

  if (g_atomic_int_compare_and_exchange (&receiver->flushed, TRUE, FALSE))
    receiver->segment_lost = TRUE;

  g_autoptr (GstEvent) start =
      gst_pad_get_sticky_event (self->srcpad, GST_EVENT_STREAM_START, 0);
  if (!start)
    push_stream_start (self);
  else if (receiver->segment_lost)
    gst_pad_push_event (self->srcpad, gst_event_ref (start));
  if (g_atomic_int_compare_and_exchange (&receiver->renegotiate, TRUE, FALSE)
      || renegotiate) {
    GstCaps *caps = choose_caps (self);
    if (caps)
      gst_pad_push_event (self->srcpad, gst_event_new_caps (caps));
    gst_clear_caps (&caps);
  }
  if (receiver->segment_lost
      || !was_pushed (self->srcpad, GST_EVENT_SEGMENT)) {
    GstSegment segment;
    gst_segment_init (&segment, GST_FORMAT_TIME);
    gst_pad_push_event (self->srcpad, gst_event_new_segment (&segment));
    receiver->segment_lost = FALSE;
  }
}

static void
count_round (IceReceiver *receiver, const Round *round, guint pushed,
    gboolean delivered)
{
  g_mutex_lock (&receiver->lock);
  receiver->packets += round->packets;
  receiver->unknown_source += round->unknown_source;
  receiver->not_linked += round->not_linked;
  if (delivered) {
    receiver->delivered += pushed;
    receiver->bytes += round->bytes;
  } else
    receiver->not_wanted += pushed;
  g_mutex_unlock (&receiver->lock);
}

/* Downstream does not go on with what it got. Reading does, so that a flush finds a live stream, and nothing old. */
static void
look_at_refusal (ConclaveIceTransport *self, GstFlowReturn ret)
{
  GST_DEBUG_OBJECT (self, "downstream answered %s", gst_flow_get_name (ret));
  if (ret == GST_FLOW_FLUSHING) {
    /* If it was not flushed through our pad, it has lost what the pad believes it has. */
    self->receiver.segment_lost = TRUE;
    g_atomic_int_set (&self->receiver.renegotiate, TRUE);
    return;
  }
  if (was_pushed (self->srcpad, GST_EVENT_EOS))
    return; /* told before */
  if (ret == GST_FLOW_NOT_NEGOTIATED
      && !gst_pad_has_current_caps (self->srcpad))
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("The element behind \"src\" needs to know what arrives: set the property \"caps\", for example "
         "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8."),
        ("no caps were set"));
  else if (ret != GST_FLOW_EOS)
    GST_ELEMENT_FLOW_ERROR (self, ret);
  gst_pad_push_event (self->srcpad, gst_event_new_eos ());
}

static void
push_round (ConclaveIceTransport *self, Round *round)
{
  guint n = round->list ? gst_buffer_list_length (round->list) : 0;
  GstFlowReturn ret = GST_FLOW_OK;

  if (n > 0)
    push_first_events (self);
  if (n == 1) { /* as packets mostly come: no list downstream */
    GstBuffer *only = gst_buffer_ref (gst_buffer_list_get (round->list, 0));
    gst_buffer_list_unref (round->list);
    ret = gst_pad_push (self->srcpad, only);
  } else if (n > 1)
    ret = gst_pad_push_list (self->srcpad, round->list);
  round->list = NULL;
  if (n > 0 || round->packets > 0 || round->unknown_source > 0)
    count_round (&self->receiver, round, n, ret == GST_FLOW_OK);
  /* A pad nobody linked yet swallows: the far end may well send before this side's pipeline is whole. */
  if (ret != GST_FLOW_OK && ret != GST_FLOW_NOT_LINKED)
    look_at_refusal (self, ret);
}

/* FALSE: the pad is being deactivated. */
static gboolean
await_run (IceReceiver *receiver)
{
  g_mutex_lock (&receiver->lock);
  while (receiver->active && !receiver->running)
    g_cond_wait (&receiver->change, &receiver->lock);
  gboolean active = receiver->active;
  g_mutex_unlock (&receiver->lock);
  return active;
}

static gboolean
is_running (IceReceiver *receiver)
{
  g_mutex_lock (&receiver->lock);
  gboolean running = receiver->active && receiver->running;
  g_mutex_unlock (&receiver->lock);
  return running;
}

static void
push_eos (ConclaveIceTransport *self)
{
  IceReceiver *receiver = &self->receiver;

  g_mutex_lock (&receiver->lock);
  GstEvent *eos = g_steal_pointer (&receiver->eos);
  g_mutex_unlock (&receiver->lock);
  if (!eos)
    return;
  push_first_events (self);
  gst_pad_push_event (self->srcpad, eos);
}

/* One turn of the streaming thread, which lasts until it is woken. The stream lock is held while it waits, so nobody but
 * who deactivates the pad waits for it. */
void
conclave_ice_transport_receive (gpointer user)
{
  GstPad *pad = user;
  ConclaveIceTransport *self = CONCLAVE_ICE_TRANSPORT (GST_PAD_PARENT (pad));
  IceReceiver *receiver = &self->receiver;
  struct pollfd fds[ICE_MAX_LINKS * ICE_MAX_PATHS + 1];
  guint64 wakes;

  if (!await_run (receiver))
    return;
  IceSources *sources = ice_agent_ref_sources (
      self->agent); /* the agent stays while the pad is active */
  fds[0] = (struct pollfd){ receiver->wake_fd, POLLIN, 0 };
  for (guint i = 0; i < sources->n_paths; i++)
    fds[i + 1] = (struct pollfd){ sources->paths[i]->fd, POLLIN, 0 };

  /* What woke the turn before: packets in the queue, other sources, EOS. Perhaps nothing. */
  Round round = new_round (self);
  take_from_queue (self, &round);
  take_early (self, &round, sources);
  push_round (self, &round);
  push_eos (self);

  while (is_running (receiver)) {
    if (poll (fds, sources->n_paths + 1, -1) < 0) {
      if (errno == EINTR)
        continue;
      break;
    }
    if (fds[0].revents) {
      (void) !read (receiver->wake_fd, &wakes, sizeof wakes);
      break; /* before the sockets: what is on them may come from sources that are new */
    }
    round = new_round (self);
    take_from_sockets (self, &round, sources, fds);
    push_round (self, &round);
  }
  ice_sources_unref (sources);
}

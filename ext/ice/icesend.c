/* Sending of icetransport: packets from the sink pad to the network.
 *
 * Buffers leave as they come, a list in as few system calls as the kernel allows. While there is no route, and while
 * the socket is full, the newest `max-queued` packets wait; older ones are dropped and counted: what is live must not
 * be late, and the streaming thread must not wait for a network.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "icetransport.h"

#include <string.h>

#define GST_CAT_DEFAULT conclave_ice_debug

#define MAX_MEMORIES                                                          \
  4 /* of a buffer that is sent in pieces; others are merged */
#define MAX_DATAGRAM 65507 /* RFC 768 in IPv4 */
#define RETRY_AFTER 2      /* ms */

/* Packets of one call, mapped. */
typedef struct
{
  GstBuffer *buffers[UDP_PATH_MAX_PACKETS];
  UdpPacket packets[UDP_PATH_MAX_PACKETS];
  gboolean whole[UDP_PATH_MAX_PACKETS]; /* mapped as one */
  struct iovec vectors[UDP_PATH_MAX_VECTORS];
  GstMapInfo maps[UDP_PATH_MAX_VECTORS];
  guint n;
  guint n_vectors;
} Batch;

void
conclave_ice_sender_init (IceSender *sender)
{
  g_mutex_init (&sender->lock);
  g_queue_init (&sender->queue);
}

void
conclave_ice_sender_clear (IceSender *sender)
{
  g_queue_clear_full (&sender->queue, (GDestroyNotify) gst_buffer_unref);
  g_mutex_clear (&sender->lock);
}

/* Moves what waits to `old`, to be freed without the lock. Lock held. */
static void
take_queue (IceSender *sender, GQueue *old)
{
  sender->discarded += sender->queue.length;
  *old = sender->queue;
  g_queue_init (&sender->queue);
}

void
conclave_ice_sender_discard (ConclaveIceTransport *self)
{
  IceSender *sender = &self->sender;
  GQueue old;

  g_mutex_lock (&sender->lock);
  sender->eos_due = sender->ended = FALSE;
  take_queue (sender, &old);
  g_mutex_unlock (&sender->lock);
  g_queue_clear_full (&old, (GDestroyNotify) gst_buffer_unref);
}

static void
post_eos (ConclaveIceTransport *self, guint32 seqnum)
{
  GstMessage *message = gst_message_new_eos (GST_OBJECT (self));
  gst_message_set_seqnum (message, seqnum);
  gst_element_post_message (GST_ELEMENT (self), message);
}

/* Nothing is to be sent any more. Gives whether that is to be posted now. Lock held. */
static gboolean
end_now (IceSender *sender)
{
  sender->eos_due = FALSE;
  sender->ended = TRUE;
  return sender->playing;
}

void
conclave_ice_sender_ended (ConclaveIceTransport *self, guint32 seqnum)
{
  IceSender *sender = &self->sender;

  g_mutex_lock (&sender->lock);
  sender->eos_seqnum = seqnum;
  gboolean post = end_now (sender);
  g_mutex_unlock (&sender->lock);
  if (post)
    post_eos (self, seqnum);
}

/* As sinks do: a bin forgets in PAUSED which of them have ended, and must be told again. */
void
conclave_ice_sender_run (ConclaveIceTransport *self, gboolean run)
{
  IceSender *sender = &self->sender;

  g_mutex_lock (&sender->lock);
  sender->playing = run;
  gboolean ended = run && sender->ended;
  guint32 seqnum = sender->eos_seqnum;
  g_mutex_unlock (&sender->lock);
  if (ended)
    post_eos (self, seqnum);
}

static gboolean
on_eos_waited (gpointer user)
{
  ConclaveIceTransport *self = user;
  IceSender *sender = &self->sender;
  GQueue old = G_QUEUE_INIT;

  g_mutex_lock (&sender->lock);
  guint32 seqnum = sender->eos_seqnum;
  gboolean due =
      sender->eos_due && g_get_monotonic_time () >= sender->eos_deadline;
  if (due)
    take_queue (sender, &old);
  gboolean post = due && end_now (sender);
  g_mutex_unlock (&sender->lock);
  if (due)
    GST_WARNING_OBJECT (self,
        "EOS waited long enough: %u packets could not be sent", old.length);
  if (post)
    post_eos (self, seqnum);
  g_queue_clear_full (&old, (GDestroyNotify) gst_buffer_unref);
  return G_SOURCE_REMOVE;
}

void
conclave_ice_sender_end (ConclaveIceTransport *self, guint32 seqnum)
{
  IceSender *sender = &self->sender;

  g_mutex_lock (&sender->lock);
  guint wait = sender->eos_wait;
  gboolean due = sender->queue.length > 0;
  sender->eos_due = due;
  sender->eos_seqnum = seqnum;
  sender->eos_deadline = g_get_monotonic_time () + wait * G_TIME_SPAN_SECOND;
  g_mutex_unlock (&sender->lock);
  if (due) /* a millisecond more than the deadline: the timer counts in them */
    ice_agent_call_later (self->agent, wait * 1000 + 1, on_eos_waited, self);
  else
    conclave_ice_sender_ended (self, seqnum);
}

void
conclave_ice_sender_go_on (ConclaveIceTransport *self)
{
  g_mutex_lock (&self->sender.lock);
  self->sender.eos_due = self->sender.ended = FALSE;
  g_mutex_unlock (&self->sender.lock);
}

/* Maps `buffer` at the end of `batch`, which does not own it. FALSE when it cannot be mapped. */
static gboolean
add_to_batch (Batch *batch, GstBuffer *buffer)
{
  guint n = gst_buffer_n_memory (buffer);
  UdpPacket *packet = &batch->packets[batch->n];
  gboolean whole = n > MAX_MEMORIES;

  *packet = (UdpPacket){ &batch->vectors[batch->n_vectors], whole ? 1 : n, 0 };
  for (guint i = 0; i < packet->n_vectors; i++) {
    GstMapInfo *map = &batch->maps[batch->n_vectors + i];
    gboolean ok = whole ? gst_buffer_map (buffer, map, GST_MAP_READ)
                        : gst_memory_map (gst_buffer_peek_memory (buffer, i),
                            map, GST_MAP_READ);
    if (!ok) {
      while (i-- > 0)
        gst_memory_unmap (batch->maps[batch->n_vectors + i].memory,
            &batch->maps[batch->n_vectors + i]);
      return FALSE;
    }
    packet->vectors[i] = (struct iovec){ map->data, map->size };
    packet->size += map->size;
  }
  batch->whole[batch->n] = whole;
  batch->n_vectors += packet->n_vectors;
  batch->buffers[batch->n++] = buffer;
  return TRUE;
}

static void
unmap_batch (Batch *batch)
{
  guint v = 0;
  for (guint i = 0; i < batch->n; i++)
    for (guint k = 0; k < batch->packets[i].n_vectors; k++, v++) {
      if (batch->whole[i])
        gst_buffer_unmap (batch->buffers[i], &batch->maps[v]);
      else
        gst_memory_unmap (batch->maps[v].memory, &batch->maps[v]);
    }
  batch->n = batch->n_vectors = 0;
}

/* Through libnice: relayed and TCP pairs, and where a port cannot be shared. Gives how many were dealt with. */
static guint
send_by_nice (
    IceSender *sender, IceRoute *route, const Batch *batch, guint *failed)
{
  NiceOutputMessage messages[UDP_PATH_MAX_PACKETS];
  GOutputVector vectors[UDP_PATH_MAX_VECTORS];
  guint done = 0;
  gboolean gone = FALSE;

  for (guint v = 0; v < batch->n_vectors; v++)
    vectors[v] = (GOutputVector){ batch->vectors[v].iov_base,
      batch->vectors[v].iov_len };
  for (guint i = 0; i < batch->n; i++)
    messages[i] = (NiceOutputMessage){
      vectors + (batch->packets[i].vectors - batch->vectors),
      (gint) batch->packets[i].n_vectors
    };
  while (done < batch->n) {
    guint n =
        ice_link_send (route->link, messages + done, batch->n - done, &gone);
    done += n;
    if (n == 0 && !gone)
      break; /* full */
    if (n == 0) {
      *failed += batch->n - done;
      done = batch->n;
    }
  }
  return done;
}

/* Sends the batch, unmaps it, and gives how many of its packets need no more attention. Lock held. */
static guint
send_batch (IceSender *sender, IceRoute *route, Batch *batch)
{
  guint failed = 0, done;
  guint64 bytes = 0;

  if (route->path)
    done = udp_path_send (route->path, (struct sockaddr *) &route->to,
        route->to_len, batch->packets, batch->n, &failed);
  else
    done = send_by_nice (sender, route, batch, &failed);
  for (guint i = 0; i < done; i++)
    bytes += batch->packets[i].size;
  sender->sent += done - failed;
  sender->bytes += failed ? bytes * (done - failed) / done : bytes;
  sender->refused += failed;
  unmap_batch (batch);
  return done;
}

/* Keeps `buffer` (taken), at the cost of the oldest. Lock held. */
static void
enqueue (IceSender *sender, GstBuffer *buffer)
{
  gsize size = gst_buffer_get_size (buffer);
  if (size == 0 || size > MAX_DATAGRAM || sender->max_queued == 0) {
    *(size == 0 || size > MAX_DATAGRAM ? &sender->refused
                                       : &sender->queue_full) += 1;
    gst_buffer_unref (buffer);
    return;
  }
  while (sender->queue.length >= sender->max_queued) {
    sender->queue_full++;
    gst_buffer_unref (g_queue_pop_head (&sender->queue));
  }
  g_queue_push_tail (&sender->queue, buffer);
}

static gboolean
retry (gpointer user)
{
  ConclaveIceTransport *self = user;
  g_mutex_lock (&self->sender.lock);
  self->sender.retry = FALSE;
  g_mutex_unlock (&self->sender.lock);
  conclave_ice_transport_flush_queue (self);
  return G_SOURCE_REMOVE;
}

/* Sends from the head of the queue. Lock held. */
static void
flush_queue (ConclaveIceTransport *self, IceAgent *agent, IceRoute *route)
{
  IceSender *sender = &self->sender;
  Batch batch;

  batch.n = batch.n_vectors = 0;
  while (sender->queue.length > 0) {
    while (batch.n < UDP_PATH_MAX_PACKETS && sender->queue.length > 0) {
      GstBuffer *buffer = g_queue_peek_nth (&sender->queue, batch.n);
      if (!buffer || !add_to_batch (&batch, buffer))
        break;
    }
    guint n = batch.n, done = n ? send_batch (sender, route, &batch) : 0;
    if (n == 0) { /* the first one cannot be mapped */
      sender->refused++;
      done = n = 1;
    }
    for (guint i = 0; i < done; i++)
      gst_buffer_unref (g_queue_pop_head (&sender->queue));
    if (done < n) {
      if (!sender->retry) {
        sender->retry = TRUE;
        ice_agent_call_later (agent, RETRY_AFTER, retry, self);
      }
      return;
    }
  }
}

void
conclave_ice_transport_flush_queue (ConclaveIceTransport *self)
{
  GST_OBJECT_LOCK (self);
  IceAgent *agent = self->agent;
  IceRoute *route = agent ? ice_agent_ref_route (agent) : NULL;
  GST_OBJECT_UNLOCK (self);
  if (!route)
    return;
  IceSender *sender = &self->sender;
  g_mutex_lock (&sender->lock);
  flush_queue (self, agent, route);
  guint32 seqnum = sender->eos_seqnum;
  gboolean post =
      sender->eos_due && sender->queue.length == 0 && end_now (sender);
  g_mutex_unlock (&sender->lock);
  ice_route_unref (route);
  if (post)
    post_eos (self, seqnum);
}

/* Packets in the order of `buffers`, of which references are taken only where they must wait. Lock held. */
static void
send_now (ConclaveIceTransport *self, IceAgent *agent, IceRoute *route,
    GstBuffer **buffers, guint n)
{
  IceSender *sender = &self->sender;
  Batch batch;
  guint i = 0;

  batch.n = batch.n_vectors = 0;
  while (i < n) {
    guint first = i;
    while (i < n && batch.n < UDP_PATH_MAX_PACKETS
           && batch.n_vectors + MAX_MEMORIES <= UDP_PATH_MAX_VECTORS) {
      gsize size = gst_buffer_get_size (buffers[i]);
      if (size == 0 || size > MAX_DATAGRAM
          || !add_to_batch (&batch, buffers[i])) {
        if (batch.n > 0)
          break; /* after what is in the batch */
        sender->refused++;
        first = i + 1;
      }
      i++;
    }
    if (batch.n == 0)
      continue;
    guint in_batch = batch.n, done = send_batch (sender, route, &batch);
    if (done < in_batch) {
      for (guint k = first + done; k < n; k++)
        enqueue (sender, gst_buffer_ref (buffers[k]));
      flush_queue (self, agent, route);
      return;
    }
  }
}

static GstFlowReturn
take_packets (ConclaveIceTransport *self, GstBuffer **buffers, guint n)
{
  IceSender *sender = &self->sender;
  IceAgent *agent =
      self->agent; /* not replaced while the sink pad is active */
  IceRoute *route = ice_agent_ref_route (agent);

  g_mutex_lock (&sender->lock);
  sender->received += n;
  if (route && sender->queue.length == 0) {
    send_now (self, agent, route, buffers, n);
  } else {
    for (guint i = 0; i < n; i++)
      enqueue (sender, gst_buffer_ref (buffers[i]));
    if (route)
      flush_queue (self, agent, route);
  }
  g_mutex_unlock (&sender->lock);
  ice_route_unref (route);
  return GST_FLOW_OK;
}

GstFlowReturn
conclave_ice_transport_chain (
    GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstFlowReturn ret =
      take_packets (CONCLAVE_ICE_TRANSPORT (parent), &buffer, 1);
  gst_buffer_unref (buffer);
  return ret;
}

GstFlowReturn
conclave_ice_transport_chain_list (
    GstPad *pad, GstObject *parent, GstBufferList *list)
{
  ConclaveIceTransport *self = CONCLAVE_ICE_TRANSPORT (parent);
  GstBuffer *buffers[UDP_PATH_MAX_PACKETS];
  guint length = gst_buffer_list_length (list);

  for (guint i = 0; i < length;) {
    guint n = 0;
    while (n < G_N_ELEMENTS (buffers) && i < length)
      buffers[n++] = gst_buffer_list_get (list, i++);
    take_packets (self, buffers, n);
  }
  gst_buffer_list_unref (list);
  return GST_FLOW_OK;
}

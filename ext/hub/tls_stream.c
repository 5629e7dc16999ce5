/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tls_stream.h"

#include <errno.h>
#include <sys/socket.h>

#define TURN_BYTES 65536 /* that one stream gives in one turn of the loop */

#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%NO_TICKETS"

/* What the stream and its two halves share; whoever of them is kept longest by others keeps it. */
typedef struct
{
  gatomicrefcount refs;
  HubWatch watch; /* of the socket */
  GSocket *socket;
  gnutls_session_t session;
  HubCertificate *certificate; /* its credentials are the session's */
  uint64_t allowed;            /* bytes that may still be read */
  uint64_t read, written;
  HubTlsTurn *turn;
  unsigned turn_read; /* the turn in which the last bytes were read, */
  size_t turn_bytes;  /* and how many */
  HubTlsMeter meter;
  gpointer meter_data;
  bool cut, closed, held;
  bool sending; /* GnuTLS holds a record that the socket did not take: the next send finishes that one */
  struct ReadySource *sources; /* who waits */
} Channel;

/* Fires while its half of the channel is ready. It has nothing for the loop to poll: refresh() sets when it is due. */
typedef struct ReadySource ReadySource;
struct ReadySource
{
  GSource source;
  ReadySource *next;
  Channel *channel;
  GObject *half; /* the stream's input or output, which its callback gets; NULL for the handshake's */
  GIOCondition condition; /* G_IO_IN or G_IO_OUT */
};

static Channel *
channel_ref (Channel *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

static void
channel_unref (Channel *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  hub_watch_stop (&self->watch);
  gnutls_deinit (self->session);
  hub_certificate_unref (self->certificate);
  g_object_unref (self->socket);
  g_free (self);
}

static bool
channel_is_ready (Channel *self, GIOCondition condition)
{
  if (self->cut || self->closed)
    return true;
  if (condition == G_IO_OUT)
    return self->watch.writable;
  return self->watch.readable || gnutls_record_check_pending (self->session) > 0;
}

/* After whatever may have changed what channel_is_ready() says. */
static void
refresh (Channel *self)
{
  for (ReadySource *s = self->sources; s; s = s->next)
    g_source_set_ready_time (&s->source, channel_is_ready (self, s->condition) ? 0 : -1);
}

static void
socket_changed (HubWatch *watch)
{
  refresh ((Channel *) ((char *) watch - offsetof (Channel, watch)));
}

static void
channel_cut (Channel *self)
{
  if (!self->cut && !self->closed)
    g_socket_shutdown (self->socket, TRUE, TRUE, NULL);
  self->cut = true;
  refresh (self);
}

/* ---- What GnuTLS reads and writes with ----
 *
 * The socket's own answer is what the watch needs: GnuTLS also says "again" when it has read something that is not content. */

static ssize_t
pull (gnutls_transport_ptr_t data, void *bytes, size_t len)
{
  Channel *self = data;
  ssize_t n = recv (self->watch.fd, bytes, len, 0);

  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    self->watch.readable = false;
  return n;
}

static ssize_t
push (gnutls_transport_ptr_t data, const giovec_t *parts, int n_parts)
{
  Channel *self = data;
  struct msghdr message = { .msg_iov = (struct iovec *) parts, .msg_iovlen = (size_t) n_parts };
  ssize_t n = sendmsg (self->watch.fd, &message, MSG_NOSIGNAL);

  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    self->watch.writable = false;
  return n;
}

/* GnuTLS says that it can't go on now, and nothing is wrong. */
static bool
is_to_wait (ssize_t code)
{
  return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

static gssize
set_would_block (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "not now");
  return -1;
}

static gssize
set_cut (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "the connection was cut");
  return -1;
}

/* Others have their turn, too. */
static bool
has_had_its_turn (Channel *self)
{
  if (!self->turn)
    return false;
  if (self->turn_read != self->turn->turn) {
    self->turn_read = self->turn->turn;
    self->turn_bytes = 0;
  }
  return self->turn_bytes >= TURN_BYTES;
}

static gssize
channel_took (Channel *self, const void *data, size_t n, GError **error)
{
  self->allowed -= n;
  self->read += n;
  self->turn_bytes += n;
  if (self->meter && !self->meter (data, n, self->meter_data)) {
    channel_cut (self);
    return set_cut (error);
  }
  return (gssize) n;
}

static gssize
channel_read_once (Channel *self, void *data, gsize count, GError **error)
{
  if (self->cut || self->closed)
    return set_cut (error);
  if (self->held || has_had_its_turn (self))
    return set_would_block (error);

  /* With nothing allowed, one byte more is what tells that somebody sends it. */
  gsize room = (gsize) MIN ((uint64_t) count, MAX (self->allowed, 1));
  ssize_t n = gnutls_record_recv (self->session, data, room);
  if (n > 0 && (uint64_t) n > self->allowed) {
    channel_cut (self);
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE, "more bytes than are allowed");
    return -1;
  }
  if (n > 0)
    return channel_took (self, data, (size_t) n, error);
  if (is_to_wait (n))
    return set_would_block (error);
  if (n == 0 || n == GNUTLS_E_PREMATURE_TERMINATION || n == GNUTLS_E_SESSION_EOF)
    return 0;
  /* Also GNUTLS_E_REHANDSHAKE: a client of TLS 1.2 that wants another handshake gets none. */
  channel_cut (self);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "TLS: %s", gnutls_strerror ((int) n));
  return -1;
}

static gssize
channel_read (Channel *self, void *data, gsize count, GError **error)
{
  gssize n = channel_read_once (self, data, count, error);

  refresh (self);
  return n;
}

static gssize
channel_write_once (Channel *self, const void *data, gsize count, GError **error)
{
  if (self->cut || self->closed)
    return set_cut (error);
  if (count == 0)
    return 0;

  ssize_t n = self->sending ? gnutls_record_send (self->session, NULL, 0)
                            : gnutls_record_send (self->session, data, count);
  self->sending = is_to_wait (n);
  if (self->sending)
    return set_would_block (error);
  if (n < 0) {
    channel_cut (self);
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "TLS: %s", gnutls_strerror ((int) n));
    return -1;
  }
  self->written += (uint64_t) n;
  return n;
}

static gssize
channel_write (Channel *self, const void *data, gsize count, GError **error)
{
  gssize n = channel_write_once (self, data, count, error);

  refresh (self);
  return n;
}

static bool
channel_has_input (Channel *self)
{
  return self->cut || self->closed || gnutls_record_check_pending (self->session) > 0;
}

/* Blocking calls are not what this stream is for, but a GInputStream and a GOutputStream have them. */
static bool
wait_for (Channel *self, GIOCondition condition, GCancellable *cancellable, GError **error)
{
  g_clear_error (error);
  return g_socket_condition_wait (self->socket, condition, cancellable, error);
}

static bool
is_would_block (GError **error)
{
  return error && g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
}

/* ---- Who waits ---- */

static gboolean
dispatch_ready (GSource *source, GSourceFunc func, gpointer data)
{
  GObject *half = ((ReadySource *) source)->half;

  if (!func)
    return G_SOURCE_REMOVE;
  return half ? ((GPollableSourceFunc) (void (*) (void)) func) (half, data) : func (data);
}

/* For g_source_set_closure(), with which libsoup's own streams wait for this one. */
static gboolean
call_closure (GObject *half, gpointer data)
{
  GValue result = G_VALUE_INIT, param = G_VALUE_INIT;

  g_value_init (&result, G_TYPE_BOOLEAN);
  g_value_init (&param, G_TYPE_OBJECT);
  g_value_set_object (&param, half);
  g_closure_invoke (data, &result, 1, &param, NULL);
  gboolean stays = g_value_get_boolean (&result);
  g_value_unset (&result);
  g_value_unset (&param);
  return stays;
}

static void
finalize_ready (GSource *source)
{
  ReadySource *self = (ReadySource *) source;
  ReadySource **at = &self->channel->sources;

  while (*at != self)
    at = &(*at)->next;
  *at = self->next;
  channel_unref (self->channel);
  g_clear_object (&self->half);
}

static GSource *
make_source (GObject *half, Channel *channel, GIOCondition condition, GCancellable *cancellable)
{
  static GSourceFuncs funcs = { .dispatch = dispatch_ready,
    .finalize = finalize_ready,
    .closure_callback = G_SOURCE_FUNC (call_closure),
    .closure_marshal = (GSourceDummyMarshal) (void (*) (void)) g_cclosure_marshal_generic };
  GSource *source = g_source_new (&funcs, sizeof (ReadySource));
  ReadySource *self = (ReadySource *) source;

  g_source_set_name (source, "hub-tls");
  self->half = half ? g_object_ref (half) : NULL;
  self->channel = channel_ref (channel);
  self->condition = condition;
  self->next = channel->sources;
  channel->sources = self;
  if (channel_is_ready (channel, condition))
    g_source_set_ready_time (source, 0);
  if (cancellable) {
    g_autoptr (GSource) child = g_cancellable_source_new (cancellable);
    g_source_set_dummy_callback (child);
    g_source_add_child_source (source, child);
  }
  return source;
}

/* ---- The halves ---- */

#define HUB_TYPE_TLS_INPUT (hub_tls_input_get_type ())
G_DECLARE_FINAL_TYPE (HubTlsInput, hub_tls_input, HUB, TLS_INPUT, GInputStream)

struct _HubTlsInput
{
  GInputStream parent;
  Channel *channel;
};

static gboolean
input_is_readable (GPollableInputStream *stream)
{
  Channel *channel = HUB_TLS_INPUT (stream)->channel;

  return channel_has_input (channel) || g_socket_condition_check (channel->socket, G_IO_IN | G_IO_HUP | G_IO_ERR);
}

static GSource *
input_create_source (GPollableInputStream *stream, GCancellable *cancellable)
{
  Channel *channel = HUB_TLS_INPUT (stream)->channel;

  return make_source (G_OBJECT (stream), channel, G_IO_IN, cancellable);
}

static gssize
input_read_nonblocking (GPollableInputStream *stream, void *data, gsize count, GError **error)
{
  return channel_read (HUB_TLS_INPUT (stream)->channel, data, count, error);
}

static gssize
input_read (GInputStream *stream, void *data, gsize count, GCancellable *cancellable, GError **error)
{
  Channel *channel = HUB_TLS_INPUT (stream)->channel;
  g_autoptr (GError) problem = NULL;
  gssize n;

  while ((n = channel_read (channel, data, count, &problem)) < 0 && is_would_block (&problem)
         && wait_for (channel, G_IO_IN, cancellable, &problem))
    ;
  if (n < 0)
    g_propagate_error (error, g_steal_pointer (&problem));
  return n;
}

/* Nothing is closed with one half; and not in GIO's pool of threads, where the default would do it. */
static void
close_half_async (gpointer stream, int priority, GCancellable *cancellable, GAsyncReadyCallback done, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (stream, cancellable, done, data);

  g_task_set_priority (task, priority);
  g_task_return_boolean (task, TRUE);
}

static gboolean
close_half_finish (gpointer stream, GAsyncResult *result, GError **error)
{
  (void) stream;
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
input_close_async (
    GInputStream *stream, int priority, GCancellable *cancellable, GAsyncReadyCallback done, gpointer data)
{
  close_half_async (stream, priority, cancellable, done, data);
}

static gboolean
input_close_finish (GInputStream *stream, GAsyncResult *result, GError **error)
{
  return close_half_finish (stream, result, error);
}

static void
input_pollable_init (GPollableInputStreamInterface *iface)
{
  iface->is_readable = input_is_readable;
  iface->create_source = input_create_source;
  iface->read_nonblocking = input_read_nonblocking;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (HubTlsInput, hub_tls_input, G_TYPE_INPUT_STREAM,
    G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_INPUT_STREAM, input_pollable_init))

static void
input_finalize (GObject *object)
{
  channel_unref (HUB_TLS_INPUT (object)->channel);
  G_OBJECT_CLASS (hub_tls_input_parent_class)->finalize (object);
}

static void
hub_tls_input_class_init (HubTlsInputClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = input_finalize;
  G_INPUT_STREAM_CLASS (klass)->read_fn = input_read;
  G_INPUT_STREAM_CLASS (klass)->close_async = input_close_async;
  G_INPUT_STREAM_CLASS (klass)->close_finish = input_close_finish;
}

static void
hub_tls_input_init (HubTlsInput *self)
{
  (void) self;
}

#define HUB_TYPE_TLS_OUTPUT (hub_tls_output_get_type ())
G_DECLARE_FINAL_TYPE (HubTlsOutput, hub_tls_output, HUB, TLS_OUTPUT, GOutputStream)

struct _HubTlsOutput
{
  GOutputStream parent;
  Channel *channel;
};

static gboolean
output_is_writable (GPollableOutputStream *stream)
{
  Channel *channel = HUB_TLS_OUTPUT (stream)->channel;

  return channel->cut || channel->closed
         || g_socket_condition_check (channel->socket, G_IO_OUT | G_IO_HUP | G_IO_ERR);
}

static GSource *
output_create_source (GPollableOutputStream *stream, GCancellable *cancellable)
{
  Channel *channel = HUB_TLS_OUTPUT (stream)->channel;

  return make_source (G_OBJECT (stream), channel, G_IO_OUT, cancellable);
}

static gssize
output_write_nonblocking (GPollableOutputStream *stream, const void *data, gsize count, GError **error)
{
  return channel_write (HUB_TLS_OUTPUT (stream)->channel, data, count, error);
}

static gssize
output_write (GOutputStream *stream, const void *data, gsize count, GCancellable *cancellable, GError **error)
{
  Channel *channel = HUB_TLS_OUTPUT (stream)->channel;
  g_autoptr (GError) problem = NULL;
  gssize n;

  while ((n = channel_write (channel, data, count, &problem)) < 0 && is_would_block (&problem)
         && wait_for (channel, G_IO_OUT, cancellable, &problem))
    ;
  if (n < 0)
    g_propagate_error (error, g_steal_pointer (&problem));
  return n;
}

static void
output_close_async (
    GOutputStream *stream, int priority, GCancellable *cancellable, GAsyncReadyCallback done, gpointer data)
{
  close_half_async (stream, priority, cancellable, done, data);
}

static gboolean
output_close_finish (GOutputStream *stream, GAsyncResult *result, GError **error)
{
  return close_half_finish (stream, result, error);
}

static void
output_pollable_init (GPollableOutputStreamInterface *iface)
{
  iface->is_writable = output_is_writable;
  iface->create_source = output_create_source;
  iface->write_nonblocking = output_write_nonblocking;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (HubTlsOutput, hub_tls_output, G_TYPE_OUTPUT_STREAM,
    G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_OUTPUT_STREAM, output_pollable_init))

static void
output_finalize (GObject *object)
{
  channel_unref (HUB_TLS_OUTPUT (object)->channel);
  G_OBJECT_CLASS (hub_tls_output_parent_class)->finalize (object);
}

static void
hub_tls_output_class_init (HubTlsOutputClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = output_finalize;
  G_OUTPUT_STREAM_CLASS (klass)->write_fn = output_write;
  G_OUTPUT_STREAM_CLASS (klass)->close_async = output_close_async;
  G_OUTPUT_STREAM_CLASS (klass)->close_finish = output_close_finish;
}

static void
hub_tls_output_init (HubTlsOutput *self)
{
  (void) self;
}

/* ---- The stream ---- */

struct _HubTlsStream
{
  GIOStream parent;
  Channel *channel;
  HubTlsInput *input;
  HubTlsOutput *output;

  /* While the handshake goes on. */
  GMainContext *context;
  GSource *ready, *deadline;
  HubTlsFunc done;
  gpointer done_data;
};

G_DEFINE_FINAL_TYPE (HubTlsStream, hub_tls_stream, G_TYPE_IO_STREAM)

static void
drop_source (GSource **source)
{
  if (*source)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
stop_handshake (HubTlsStream *self)
{
  drop_source (&self->ready);
  drop_source (&self->deadline);
  g_clear_pointer (&self->context, g_main_context_unref);
  self->done = NULL;
}

static void
end_handshake (HubTlsStream *self, HubTlsResult result)
{
  HubTlsFunc done = self->done;
  gpointer data = self->done_data;

  stop_handshake (self);
  if (result != HUB_TLS_READY)
    channel_cut (self->channel);
  if (done)
    done (self, result, data);
}

static gboolean
out_of_time (gpointer data)
{
  g_autoptr (HubTlsStream) self = g_object_ref (data);

  end_handshake (self, HUB_TLS_TIMEOUT);
  return G_SOURCE_REMOVE;
}

static gboolean go_on (gpointer data);

static void
await_socket (HubTlsStream *self)
{
  GIOCondition condition = gnutls_record_get_direction (self->channel->session) ? G_IO_OUT : G_IO_IN;

  drop_source (&self->ready);
  self->ready = make_source (NULL, self->channel, condition, NULL);
  g_source_set_callback (self->ready, go_on, self, NULL);
  g_source_attach (self->ready, self->context);
}

static gboolean
go_on (gpointer data)
{
  g_autoptr (HubTlsStream) self = g_object_ref (data);
  int code;

  if (self->channel->turn && self->channel->turn->handshakes == 0)
    return G_SOURCE_CONTINUE; /* in the next turn */
  if (self->channel->turn)
    self->channel->turn->handshakes--;
  do
    code = self->channel->cut ? GNUTLS_E_PREMATURE_TERMINATION : gnutls_handshake (self->channel->session);
  while (code < 0 && !gnutls_error_is_fatal (code) && !is_to_wait (code));

  if (is_to_wait (code))
    await_socket (self);
  else if (code == GNUTLS_E_SUCCESS)
    end_handshake (self, HUB_TLS_READY);
  else if (code == GNUTLS_E_PREMATURE_TERMINATION || code == GNUTLS_E_PULL_ERROR || code == GNUTLS_E_PUSH_ERROR)
    end_handshake (self, HUB_TLS_CLOSED);
  else {
    gnutls_alert_send_appropriate (self->channel->session, code); /* to tell an honest client why */
    end_handshake (self, HUB_TLS_FAILED);
  }
  return G_SOURCE_REMOVE;
}

void
hub_tls_stream_handshake (HubTlsStream *self, unsigned timeout, HubTlsFunc done, gpointer data)
{
  g_return_if_fail (!self->context);

  self->context = g_main_context_ref_thread_default ();
  self->done = done;
  self->done_data = data;
  self->deadline = g_timeout_source_new (timeout);
  g_source_set_callback (self->deadline, out_of_time, self, NULL);
  g_source_attach (self->deadline, self->context);
  await_socket (self); /* for the ClientHello */
}

void
hub_tls_stream_allow (HubTlsStream *self, uint64_t bytes)
{
  self->channel->allowed = bytes;
}

void
hub_tls_stream_set_turn (HubTlsStream *self, HubTlsTurn *turn)
{
  self->channel->turn = turn;
}

void
hub_tls_stream_set_meter (HubTlsStream *self, HubTlsMeter meter, gpointer data)
{
  self->channel->meter = meter;
  self->channel->meter_data = data;
}

void
hub_tls_stream_hold (HubTlsStream *self, bool hold)
{
  self->channel->held = hold;
}

uint64_t
hub_tls_stream_get_read (HubTlsStream *self)
{
  return self->channel->read;
}

uint64_t
hub_tls_stream_get_written (HubTlsStream *self)
{
  return self->channel->written;
}

void
hub_tls_stream_cut (HubTlsStream *self)
{
  channel_cut (self->channel);
}

bool
hub_tls_stream_is_cut (HubTlsStream *self)
{
  return self->channel->cut;
}

static int
start_session (Channel *channel)
{
  static const gnutls_datum_t protocol = { (unsigned char *) "http/1.1", 8 };
  int code;

  /* GNUTLS_NO_SIGNAL: a client that is gone must not end the process. */
  if ((code = gnutls_init (&channel->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL)) < 0)
    return code;
  if ((code = gnutls_priority_set_direct (channel->session, PRIORITY, NULL)) < 0
      || (code = gnutls_credentials_set (
              channel->session, GNUTLS_CRD_CERTIFICATE, hub_certificate_credentials (channel->certificate)))
             < 0
      || (code = gnutls_alpn_set_protocols (channel->session, &protocol, 1, 0)) < 0) {
    gnutls_deinit (channel->session);
    return code;
  }
  gnutls_certificate_server_set_request (channel->session, GNUTLS_CERT_IGNORE);
  gnutls_transport_set_ptr (channel->session, channel);
  gnutls_transport_set_pull_function (channel->session, pull);
  gnutls_transport_set_vec_push_function (channel->session, push);
  return GNUTLS_E_SUCCESS;
}

HubTlsStream *
hub_tls_stream_new (GSocket *socket, HubCertificate *certificate, HubPoller *poller)
{
  Channel *channel = g_new0 (Channel, 1);

  g_atomic_ref_count_init (&channel->refs);
  channel->socket = g_object_ref (socket);
  channel->certificate = hub_certificate_ref (certificate);
  g_socket_set_blocking (socket, FALSE);
  if (!hub_watch_start (&channel->watch, poller, g_socket_get_fd (socket), socket_changed)
      || start_session (channel) < 0) {
    hub_watch_stop (&channel->watch);
    hub_certificate_unref (channel->certificate);
    g_object_unref (channel->socket);
    g_free (channel);
    return NULL;
  }

  HubTlsStream *self = g_object_new (HUB_TYPE_TLS_STREAM, NULL);
  self->channel = channel;
  self->input = g_object_new (HUB_TYPE_TLS_INPUT, NULL);
  self->input->channel = channel_ref (channel);
  self->output = g_object_new (HUB_TYPE_TLS_OUTPUT, NULL);
  self->output->channel = channel_ref (channel);
  return self;
}

static GInputStream *
get_input (GIOStream *stream)
{
  return G_INPUT_STREAM (HUB_TLS_STREAM (stream)->input);
}

static GOutputStream *
get_output (GIOStream *stream)
{
  return G_OUTPUT_STREAM (HUB_TLS_STREAM (stream)->output);
}

static gboolean
close_stream (GIOStream *stream, GCancellable *cancellable, GError **error)
{
  HubTlsStream *self = HUB_TLS_STREAM (stream);
  Channel *channel = self->channel;

  (void) cancellable;
  stop_handshake (self);
  if (channel->closed)
    return TRUE;
  /* RFC 8446, 6.1: close_notify, if the socket takes it; nobody is waited for. */
  if (!channel->cut && !channel->sending)
    gnutls_bye (channel->session, GNUTLS_SHUT_WR);
  channel->closed = true;
  hub_watch_stop (&channel->watch);
  refresh (channel);
  return g_socket_close (channel->socket, error);
}

static void
close_async (GIOStream *stream, int priority, GCancellable *cancellable, GAsyncReadyCallback done, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (stream, cancellable, done, data);
  GError *error = NULL;

  g_task_set_priority (task, priority);
  if (close_stream (stream, cancellable, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static gboolean
close_finish (GIOStream *stream, GAsyncResult *result, GError **error)
{
  (void) stream;
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
stream_dispose (GObject *object)
{
  HubTlsStream *self = HUB_TLS_STREAM (object);

  G_OBJECT_CLASS (hub_tls_stream_parent_class)->dispose (object); /* closes it */
  stop_handshake (self);
  g_clear_object (&self->input);
  g_clear_object (&self->output);
}

static void
stream_finalize (GObject *object)
{
  channel_unref (HUB_TLS_STREAM (object)->channel);
  G_OBJECT_CLASS (hub_tls_stream_parent_class)->finalize (object);
}

static void
hub_tls_stream_class_init (HubTlsStreamClass *klass)
{
  GIOStreamClass *stream_class = G_IO_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = stream_dispose;
  G_OBJECT_CLASS (klass)->finalize = stream_finalize;
  stream_class->get_input_stream = get_input;
  stream_class->get_output_stream = get_output;
  stream_class->close_fn = close_stream;
  stream_class->close_async = close_async;
  stream_class->close_finish = close_finish;
}

static void
hub_tls_stream_init (HubTlsStream *self)
{
  (void) self;
}

/**
 * SECTION:element-icetransport
 * @title: icetransport
 *
 * Carries packets between two hosts over ICE (RFC 8445): what comes to `sink` arrives at the far end's `src`, directly,
 * across NATs with the help of a STUN server, or through a TURN server. RTP and RTCP share the one component. The
 * element owns its libnice agent and is driven by strings and files, so that it works from a launch line.
 *
 * The two sides tell each other a description each (`application/trickle-ice-sdpfrag`, RFC 8840): by files
 * (#ConclaveIceTransport:local-description-location, #ConclaveIceTransport:remote-description-location), by strings
 * (#ConclaveIceTransport:local-description, #ConclaveIceTransport:remote-description), or candidate by candidate
 * (#ConclaveIceTransport::on-ice-candidate, #ConclaveIceTransport::add-ice-candidate). A lost path is restarted without
 * the pipeline's doing; meanwhile the newest #ConclaveIceTransport:max-queued packets wait.
 *
 * ICE says who is reachable, not who is there: protect media with `srtpprotect`, frames with `sframeenc`.
 *
 * ## Caps
 * `sink` takes any packets, one a buffer. `src` gives live buffers, stamped with their arrival, and the caps of
 * #ConclaveIceTransport:caps; without it those that downstream asks for, if they leave no choice.
 *
 * ## Bad input
 * Packets from strangers are dropped and counted, as is what exceeds a queue. Descriptions are bounded (1 MiB, 100
 * candidates); lines that mean nothing are skipped and counted, a description without credentials is left out with one
 * warning. A connection that does not come about within #ConclaveIceTransport:connect-timeout is an error that lists
 * the pairs and what each answered. Settings that cannot work are refused at the start.
 *
 * ## Streams
 * Sending waits for nothing: put `clocksync` behind a source that is not live. EOS of upstream is posted when the queue is
 * sent, at most #ConclaveIceTransport:connect-timeout later, in PLAYING only. Neither events nor queries cross to the other pad. What
 * downstream refuses is dropped and counted, and the stream goes on after a flush.
 *
 * ## Threads
 * - The upstream streaming thread sends, without ever waiting for the network.
 * - The streaming thread of `src` reads the media sockets and pushes; it waits for PLAYING by itself, and no state change
 *   but that to READY waits for it.
 * - "ice-agent" decides: it gathers, checks, restarts, reads and writes the description files. All signals,
 *   notifications and messages come from it, with no lock held; a handler may use any property and action, but must not
 *   set the element to NULL or READY, which waits for this thread.
 * - "ice-io", one for each connection attempt that lives, reads libnice's sockets: STUN, and media of relayed and TCP
 *   pairs.
 *
 * Properties and actions may be used from any thread. Locks: object lock (settings), send lock (queue and counters of
 * sending), receive lock (the same of receiving). The send lock may be taken first and no other inside it but those
 * of libnice; nothing is called out with one held but the non-blocking send.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 videotestsrc is-live=true ! vp8enc deadline=1 ! rtpvp8pay ! icetransport name=t controlling=true local-description-location=a.sdp remote-description-location=b.sdp t.src ! fakesink
 * ]|
 * |[
 * gst-launch-1.0 icetransport name=t local-description-location=b.sdp remote-description-location=a.sdp t.src ! application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8 ! rtpjitterbuffer ! rtpvp8depay ! vp8dec ! autovideosink
 * ]|
 * Two terminals, started in either order.
 *
 * Since: 0.1
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "icetransport.h"

#include <errno.h>
#include <string.h>

GST_DEBUG_CATEGORY (conclave_ice_debug);
#define GST_CAT_DEFAULT conclave_ice_debug

#define MAX_EARLY_TEXTS 128

G_DEFINE_FINAL_TYPE (
    ConclaveIceTransport, conclave_ice_transport, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE (
    icetransport, "icetransport", GST_RANK_NONE, CONCLAVE_TYPE_ICE_TRANSPORT)

enum
{
  SIGNAL_ON_ICE_CANDIDATE,
  SIGNAL_LOCAL_DESCRIPTION_CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

/* --- What the agent tells, on its thread --- */

static void
ask_for_keyframe (ConclaveIceTransport *self)
{
  GstStructure *s = gst_structure_new ("GstForceKeyUnit", "all-headers",
      G_TYPE_BOOLEAN, TRUE, "count", G_TYPE_UINT, 0u, NULL);
  gst_pad_push_event (
      self->sinkpad, gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM, s));
}

static void
on_state (IceState state, gpointer user)
{
  ConclaveIceTransport *self = user;

  GST_OBJECT_LOCK (self);
  IceState old = self->state;
  self->state = state;
  GST_OBJECT_UNLOCK (self);
  conclave_ice_transport_notify_state (self);
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self),
          gst_structure_new ("conclave-ice-state", "state", G_TYPE_STRING,
              conclave_ice_state_nick (state), NULL)));
  /* The far end has missed what was sent before it was there. */
  if (state == ICE_STATE_CONNECTED && old != ICE_STATE_READY)
    ask_for_keyframe (self);
}

static void
on_described (gpointer user)
{
  ConclaveIceTransport *self = user;
  g_autofree char *text = NULL;

  GST_OBJECT_LOCK (self);
  if (self->agent)
    text = ice_agent_dup_local_description (self->agent);
  GST_OBJECT_UNLOCK (self);
  /* A signal, not notify: `gst-launch-1.0 -v` prints what is notified, and this holds the ICE password. */
  if (text)
    g_signal_emit (self, signals[SIGNAL_LOCAL_DESCRIPTION_CHANGED], 0, text);
}

static void
on_candidate (const char *candidate, gpointer user)
{
  g_signal_emit (user, signals[SIGNAL_ON_ICE_CANDIDATE], 0, candidate);
}

static void
on_selected (gpointer user)
{
  ConclaveIceTransport *self = user;
  g_autofree char *pair = NULL;

  GST_OBJECT_LOCK (self);
  if (self->agent)
    pair = ice_agent_dup_selected_pair (self->agent);
  GST_OBJECT_UNLOCK (self);
  conclave_ice_transport_notify_pair (self);
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (
          GST_OBJECT (self), gst_structure_new ("conclave-ice-pair",
                                 "selected-pair", G_TYPE_STRING, pair, NULL)));
}

static void
on_routed (gpointer user)
{
  ConclaveIceTransport *self = user;
  conclave_ice_receiver_wake (&self->receiver);
  conclave_ice_transport_flush_queue (self);
}

static void
on_warned (const char *text, const char *detail, gpointer user)
{
  ConclaveIceTransport *self = user;
  GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS, ("%s", text), ("%s", detail));
}

static void
on_failed (const char *text, const char *detail, gpointer user)
{
  ConclaveIceTransport *self = user;
  GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ_WRITE, ("%s", text),
      ("%s", detail ? detail : ""));
}

/* --- State --- */

typedef struct
{
  gboolean is_candidate;
  char *text;
} EarlyText;

static void
early_text_free (gpointer user)
{
  EarlyText *early = user;
  g_free (early->text);
  g_free (early);
}

/* What the far end told: to the agent, or kept until there is one. */
void
conclave_ice_transport_take_text (
    ConclaveIceTransport *self, const char *text, gboolean is_candidate)
{
  if (!text || !*text)
    return;
  GST_OBJECT_LOCK (self);
  if (!self->agent) {
    if (self->early->len < MAX_EARLY_TEXTS) {
      EarlyText *early = g_new (EarlyText, 1);
      *early = (EarlyText){ is_candidate,
        g_strndup (text, ICE_MAX_DESCRIPTION + 1) };
      g_ptr_array_add (self->early, early);
    } else if (is_candidate)
      self->past.candidates_skipped++;
    else
      self->past.descriptions_refused++;
  } else if (is_candidate)
    ice_agent_add_candidate (self->agent, text);
  else
    ice_agent_set_remote_description (self->agent, text);
  GST_OBJECT_UNLOCK (self);
}

static gboolean
start_agent (ConclaveIceTransport *self)
{
  static const IceAgentEvents events = { on_state, on_described, on_candidate,
    on_selected, on_routed, conclave_ice_transport_arrived, on_warned,
    on_failed };
  IceAgentConfig config = { 0 };

  if (!conclave_ice_transport_read_settings (self, &config)) {
    conclave_ice_config_clear (&config);
    return FALSE;
  }
  if (!conclave_ice_receiver_prepare (self)) {
    conclave_ice_config_clear (&config);
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
        ("No memory or no file descriptor is left to receive with."),
        ("eventfd or buffer pool: %s", g_strerror (errno)));
    conclave_ice_receiver_release (self);
    return FALSE;
  }
  IceAgent *agent = ice_agent_new (&config, &events, self);

  GST_OBJECT_LOCK (self);
  guint max_queued = self->max_queued;
  guint eos_wait = self->connect_timeout;
  GST_OBJECT_UNLOCK (self);
  g_mutex_lock (&self->sender.lock);
  self->sender.retry = FALSE;
  self->sender.max_queued = max_queued;
  self->sender.eos_wait = eos_wait ? eos_wait : ICE_DEFAULT_CONNECT_TIMEOUT;
  g_mutex_unlock (&self->sender.lock);

  GST_OBJECT_LOCK (self);
  self->agent = agent;
  GPtrArray *early = g_steal_pointer (&self->early);
  self->early = g_ptr_array_new_with_free_func (early_text_free);
  GST_OBJECT_UNLOCK (self);
  ice_agent_start (agent);
  for (guint i = 0; i < early->len; i++) {
    EarlyText *e = g_ptr_array_index (early, i);
    conclave_ice_transport_take_text (self, e->text, e->is_candidate);
  }
  g_ptr_array_unref (early);
  return TRUE;
}

static void
stop_agent (ConclaveIceTransport *self)
{
  GST_OBJECT_LOCK (self);
  IceAgent *agent = self->agent;
  GST_OBJECT_UNLOCK (self);
  if (!agent)
    return;
  ice_agent_stop (agent);
  GST_OBJECT_LOCK (self);
  IceAgentStats last;
  ice_agent_get_stats (agent, &last);
  ice_agent_stats_add (&self->past, &last);
  self->agent = NULL;
  self->state = ICE_STATE_NEW;
  GST_OBJECT_UNLOCK (self);
  ice_agent_free (agent);
  conclave_ice_sender_discard (self);
  conclave_ice_receiver_release (self);
  conclave_ice_transport_notify_state (self);
}

static gboolean
src_activate_mode (
    GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
  ConclaveIceTransport *self = CONCLAVE_ICE_TRANSPORT (parent);

  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  conclave_ice_receiver_set_active (&self->receiver, active);
  if (!active)
    return gst_pad_stop_task (pad);
  /* It waits for PLAYING: a live source gives nothing before. */
  return gst_pad_start_task (pad, conclave_ice_transport_receive, pad, NULL);
}

static GstStateChangeReturn
conclave_ice_transport_change_state (
    GstElement *element, GstStateChange transition)
{
  ConclaveIceTransport *self = CONCLAVE_ICE_TRANSPORT (element);

  switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (!start_agent (self))
        return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      conclave_ice_receiver_run (&self->receiver, FALSE);
      conclave_ice_sender_run (self, FALSE);
      break;
    default:
      break;
  }

  GstStateChangeReturn ret =
      GST_ELEMENT_CLASS (conclave_ice_transport_parent_class)
          ->change_state (element, transition);

  switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (ret == GST_STATE_CHANGE_FAILURE)
        stop_agent (self);
      else
        ret = GST_STATE_CHANGE_NO_PREROLL;
      break;
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
      conclave_ice_receiver_run (&self->receiver, TRUE);
      conclave_ice_sender_run (self, TRUE);
      break;
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      if (ret != GST_STATE_CHANGE_FAILURE)
        ret = GST_STATE_CHANGE_NO_PREROLL;
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      stop_agent (self);
      break;
    default:
      break;
  }
  return ret;
}

/* --- Events and queries --- */

/* Nothing of one side's stream crosses to the other pad: behind it is the far end's. */

static gboolean
sink_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  ConclaveIceTransport *self = CONCLAVE_ICE_TRANSPORT (parent);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_EOS:
      /* The way to the network ends here; what the far end sends goes on. */
      conclave_ice_sender_end (self, gst_event_get_seqnum (event));
      break;
    case GST_EVENT_STREAM_START:
      conclave_ice_sender_go_on (self);
      break;
    case GST_EVENT_FLUSH_START:
    case GST_EVENT_FLUSH_STOP: /* what upstream was just handing over came in between */
      conclave_ice_sender_discard (self);
      break;
    default:
      break;
  }
  gst_event_unref (event);
  return TRUE;
}

static gboolean
sink_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_CAPS:
    case GST_QUERY_ACCEPT_CAPS: /* both by the template: anything */
      return gst_pad_query_default (pad, parent, query);
    default:
      return FALSE;
  }
}

static gboolean
src_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  ConclaveIceTransport *self = CONCLAVE_ICE_TRANSPORT (parent);
  gboolean handled = TRUE;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_RECONFIGURE:
      g_atomic_int_set (&self->receiver.renegotiate, TRUE);
      break;
    case GST_EVENT_LATENCY:
    case GST_EVENT_QOS:
      break; /* a live source gives what comes when it comes */
    default:
      handled = FALSE;
      break;
  }
  gst_event_unref (event);
  return handled;
}

static GstIterator *
no_internal_links (GstPad *pad, GstObject *parent)
{
  return NULL;
}

static gboolean
src_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  ConclaveIceTransport *self = CONCLAVE_ICE_TRANSPORT (parent);

  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_LATENCY:
      /* Live, stamped at arrival: no latency of its own, and none that a queue here could make up for. */
      gst_query_set_latency (query, TRUE, 0, GST_CLOCK_TIME_NONE);
      return TRUE;
    case GST_QUERY_CAPS: {
      GstCaps *filter, *caps;
      gst_query_parse_caps (query, &filter);
      GST_OBJECT_LOCK (self);
      caps = self->caps ? gst_caps_ref (self->caps) : gst_caps_new_any ();
      GST_OBJECT_UNLOCK (self);
      if (filter) {
        GstCaps *both =
            gst_caps_intersect_full (filter, caps, GST_CAPS_INTERSECT_FIRST);
        gst_caps_unref (caps);
        caps = both;
      }
      gst_query_set_caps_result (query, caps);
      gst_caps_unref (caps);
      return TRUE;
    }
    case GST_QUERY_SCHEDULING:
      gst_query_set_scheduling (
          query, GST_SCHEDULING_FLAG_SEQUENTIAL, 1, -1, 0);
      gst_query_add_scheduling_mode (query, GST_PAD_MODE_PUSH);
      return TRUE;
    case GST_QUERY_ACCEPT_CAPS:
      return gst_pad_query_default (pad, parent, query);
    default:
      return FALSE;
  }
}

/* An app flushes what is behind `src` by sending the events to the element. */
static GstPadProbeReturn
note_flush (GstPad *pad, GstPadProbeInfo *info, gpointer self)
{
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_FLUSH_STOP)
    g_atomic_int_set (&CONCLAVE_ICE_TRANSPORT (self)->receiver.flushed, TRUE);
  return GST_PAD_PROBE_OK;
}

/* EOS and flushes for the whole element, as `gst-launch-1.0 -e` and apps send them. */
static gboolean
conclave_ice_transport_send_event (GstElement *element, GstEvent *event)
{
  ConclaveIceTransport *self = CONCLAVE_ICE_TRANSPORT (element);

  /* As of a source, the flush is for what is behind it; and as of a sink, for what waits to be sent. */
  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START
      || GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP)
    gst_pad_push_event (self->srcpad, gst_event_ref (event));
  if (GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    return GST_ELEMENT_CLASS (conclave_ice_transport_parent_class)
        ->send_event (element, event);

  /* Below PAUSED nothing runs that could end, and the next run is another one. */
  GST_OBJECT_LOCK (self);
  gboolean running = self->agent != NULL;
  GST_OBJECT_UNLOCK (self);
  if (!running) {
    gst_event_unref (event);
    return FALSE;
  }
  /* Sending ends when upstream says so; with nobody upstream it is over now. */
  if (!gst_pad_is_linked (self->sinkpad))
    conclave_ice_sender_ended (self, gst_event_get_seqnum (event));
  conclave_ice_receiver_end (&self->receiver, event);
  return TRUE;
}

/* --- Actions --- */

static void
conclave_ice_transport_add_ice_candidate (
    ConclaveIceTransport *self, const char *candidate)
{
  conclave_ice_transport_take_text (self, candidate, TRUE);
}

static void
conclave_ice_transport_restart (ConclaveIceTransport *self)
{
  GST_OBJECT_LOCK (self);
  if (self->agent)
    ice_agent_restart (self->agent, "asked for");
  GST_OBJECT_UNLOCK (self);
}

static void
conclave_ice_transport_finalize (GObject *object)
{
  ConclaveIceTransport *self = CONCLAVE_ICE_TRANSPORT (object);

  conclave_ice_sender_clear (&self->sender);
  conclave_ice_receiver_clear (&self->receiver);
  secret_unref (self->turn_servers);
  g_free (self->stun_server);
  g_free (self->turn_servers_location);
  g_free (self->turn_certificates);
  g_free (self->bind_address);
  g_free (self->local_location);
  g_free (self->remote_location);
  gst_clear_caps (&self->caps);
  g_ptr_array_unref (self->early);
  G_OBJECT_CLASS (conclave_ice_transport_parent_class)->finalize (object);
}

static void
conclave_ice_transport_init (ConclaveIceTransport *self)
{
  self->connect_timeout = ICE_DEFAULT_CONNECT_TIMEOUT;
  self->max_queued = ICE_DEFAULT_MAX_QUEUED;
  self->receive_buffer_size = ICE_DEFAULT_RECEIVE_BUFFER;
  self->media_sockets = TRUE;
  self->early = g_ptr_array_new_with_free_func (early_text_free);
  conclave_ice_sender_init (&self->sender);
  conclave_ice_receiver_init (&self->receiver);

  self->sinkpad = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sinkpad, conclave_ice_transport_chain);
  gst_pad_set_chain_list_function (
      self->sinkpad, conclave_ice_transport_chain_list);
  gst_pad_set_event_function (self->sinkpad, sink_event);
  gst_pad_set_query_function (self->sinkpad, sink_query);
  gst_pad_set_iterate_internal_links_function (
      self->sinkpad, no_internal_links);
  gst_element_add_pad (GST_ELEMENT (self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template (&src_template, "src");
  gst_pad_set_activatemode_function (self->srcpad, src_activate_mode);
  gst_pad_add_probe (
      self->srcpad, GST_PAD_PROBE_TYPE_EVENT_FLUSH, note_flush, self, NULL);
  gst_pad_set_event_function (self->srcpad, src_event);
  gst_pad_set_query_function (self->srcpad, src_query);
  gst_pad_set_iterate_internal_links_function (
      self->srcpad, no_internal_links);
  gst_pad_use_fixed_caps (self->srcpad);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);

  /* Both ends of a pipeline at once: EOS is sent to it and awaited from it. */
  GST_OBJECT_FLAG_SET (self, GST_ELEMENT_FLAG_SOURCE | GST_ELEMENT_FLAG_SINK);
}

static void
install_signals (GType type)
{
  /**
   * ConclaveIceTransport::on-ice-candidate:
   * @self: the element
   * @candidate: `candidate:…`, as RFC 8839 writes it
   *
   * A candidate was found that the far end should know. From the agent's thread.
   *
   * Since: 0.1
   */
  signals[SIGNAL_ON_ICE_CANDIDATE] = g_signal_new ("on-ice-candidate", type,
      G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);

  /**
   * ConclaveIceTransport::local-description-changed:
   * @self: the element
   * @description: #ConclaveIceTransport:local-description
   *
   * The local description has grown, or a restart made another one: tell the far end. From the agent's thread.
   *
   * Since: 0.1
   */
  signals[SIGNAL_LOCAL_DESCRIPTION_CHANGED] =
      g_signal_new ("local-description-changed", type, G_SIGNAL_RUN_LAST, 0,
          NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);

  /**
   * ConclaveIceTransport::add-ice-candidate:
   * @self: the element
   * @candidate: `candidate:…`, with or without `a=`; or a description
   *
   * Adds a candidate of the far end. One that comes before the description it belongs to is kept.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("add-ice-candidate", type,
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (conclave_ice_transport_add_ice_candidate), NULL, NULL, NULL,
      G_TYPE_NONE, 1, G_TYPE_STRING);

  /**
   * ConclaveIceTransport::restart:
   * @self: the element
   *
   * Restarts ICE (RFC 8445, 9): new credentials and addresses go out, and media stays on the old path until the new one
   * stands. No effect below PAUSED.
   *
   * Since: 0.1
   */
  g_signal_new_class_handler ("restart", type,
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (conclave_ice_transport_restart), NULL, NULL, NULL,
      G_TYPE_NONE, 0);
}

static void
conclave_ice_transport_class_init (ConclaveIceTransportClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (
      conclave_ice_debug, "icetransport", 0, "ICE transport");

  conclave_ice_transport_install_properties (object_class);
  object_class->finalize = conclave_ice_transport_finalize;
  install_signals (G_TYPE_FROM_CLASS (klass));

  element_class->change_state = conclave_ice_transport_change_state;
  element_class->send_event = conclave_ice_transport_send_event;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "ICE transport",
      "Source/Sink/Network",
      "Carries packets between two hosts over ICE (RFC 8445): directly, across NATs, or through TURN",
      "gst-conclave");
  gst_type_mark_as_plugin_api (CONCLAVE_TYPE_ICE_STATE, 0);
}

/* What the files of the element icetransport share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

#include "agent.h"

GST_DEBUG_CATEGORY_EXTERN (conclave_ice_debug);

#define CONCLAVE_TYPE_ICE_TRANSPORT (conclave_ice_transport_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveIceTransport, conclave_ice_transport, CONCLAVE,
    ICE_TRANSPORT, GstElement)
GST_ELEMENT_REGISTER_DECLARE (icetransport)

#define ICE_DEFAULT_CONNECT_TIMEOUT 30
#define ICE_DEFAULT_MAX_QUEUED 512
#define ICE_DEFAULT_RECEIVE_BUFFER (4 * 1024 * 1024)

/* Sending. Counters never go back. */
typedef struct
{
  GMutex
      lock; /* guards all here; held over non-blocking sends, so that packets leave in order. The handlers of
                 * libnice's signals, which a send may run, never take it. */
  GQueue queue; /* of GstBuffer: there is no route, or the socket is full */
  guint max_queued;
  gboolean retry;   /* a look at the queue is scheduled */
  guint eos_wait;   /* s that EOS waits for the queue at most */
  gboolean eos_due; /* EOS came, and waits for the queue to drain */
  guint32 eos_seqnum;
  gint64 eos_deadline; /* monotonic us */
  gboolean ended;      /* EOS came, and all is sent */
  gboolean playing;    /* EOS is posted in PLAYING alone, each time anew */
  guint64 received;    /* packets that came to the sink pad */
  guint64 sent;
  guint64 bytes;
  guint64 queue_full;
  guint64
      refused; /* by the network, or no packet of a size that can be sent */
  guint64
      discarded; /* still queued when the element stopped, at a flush, or when EOS had waited long enough */
} IceSender;

/* Receiving. */
typedef struct
{
  gint wake_fd;     /* constant; an eventfd */
  gint renegotiate; /* atomic: caps are to be chosen anew */
  gint flushed;     /* atomic: a flush went by the pad, segment and end are void */

  /* streaming thread; and whoever stops it, once it has ended */
  UdpInbox *inbox;
  GstBufferPool *pool;
  GQueue
      early; /* of EarlyPacket: from an address that is not known, or not yet */
  gint64 drained;        /* monotonic ns; the sockets were empty then */
  gboolean segment_lost; /* downstream was flushed behind our back */

  GMutex lock; /* guards all below */
  GCond change;
  gboolean active;  /* the source pad */
  gboolean running; /* PLAYING */
  gint64 resumed;   /* monotonic ns; since when */
  GstEvent *eos;    /* to be pushed */
  GQueue
      queue; /* of GstBuffer that came through libnice; DTS: when, monotonic ns */
  guint64 packets; /* that arrived, whatever became of them */
  guint64 delivered;
  guint64 bytes;
  guint64 unknown_source;
  guint64 overload;
  guint64 not_linked;
  guint64 not_wanted; /* downstream refused: flushing, EOS, error */
} IceReceiver;

struct _ConclaveIceTransport
{
  GstElement parent;

  GstPad *sinkpad; /* constant */
  GstPad *srcpad;  /* constant */

  /* object lock */
  gboolean controlling, force_relay, ice_tcp, media_sockets;
  char *stun_server, *turn_servers_location, *turn_certificates, *bind_address,
      *local_location, *remote_location;
  Secret *turn_servers; /* as given, judged at READY->PAUSED */
  guint port_min, port_max, connect_timeout, disconnect_timeout, max_queued,
      pacing;
  gint receive_buffer_size;
  GstCaps *caps;
  GPtrArray *early; /* of EarlyText: what arrived before the agent was there */
  IceAgent *agent;  /* NULL below PAUSED */
  IceAgentStats past; /* what agents of before have counted */
  IceState state;

  IceSender sender;
  IceReceiver receiver;
};

/* icetransport.c */
void conclave_ice_transport_take_text (
    ConclaveIceTransport *self, const char *text, gboolean is_candidate);

/* icesettings.c */

/* Takes the settings for a start over into `config`, which is to be cleared also when this gives FALSE: then an error
 * was posted. */
gboolean conclave_ice_transport_read_settings (
    ConclaveIceTransport *self, IceAgentConfig *config);
void conclave_ice_config_clear (IceAgentConfig *config);

/* iceproperties.c */
#define CONCLAVE_TYPE_ICE_STATE (conclave_ice_state_get_type ())
GType conclave_ice_state_get_type (void);
const char *conclave_ice_state_nick (IceState state);
void conclave_ice_transport_install_properties (GObjectClass *klass);
void conclave_ice_transport_notify_state (ConclaveIceTransport *self);
void conclave_ice_transport_notify_pair (ConclaveIceTransport *self);

/* icesend.c */
void conclave_ice_sender_init (IceSender *sender);
void conclave_ice_sender_clear (IceSender *sender);
void conclave_ice_sender_discard (ConclaveIceTransport *self);
GstFlowReturn conclave_ice_transport_chain (
    GstPad *pad, GstObject *parent, GstBuffer *buffer);
GstFlowReturn conclave_ice_transport_chain_list (
    GstPad *pad, GstObject *parent, GstBufferList *list);

/* Sends what is queued as far as the route takes it. */
void conclave_ice_transport_flush_queue (ConclaveIceTransport *self);

/* EOS of upstream: told when all is sent, or when that has taken too long. */
void conclave_ice_sender_end (ConclaveIceTransport *self, guint32 seqnum);
/* Nothing is to be sent any more: EOS is posted now, or when PLAYING begins. */
void conclave_ice_sender_ended (ConclaveIceTransport *self, guint32 seqnum);
/* There is more to send after all. */
void conclave_ice_sender_go_on (ConclaveIceTransport *self);
void conclave_ice_sender_run (ConclaveIceTransport *self, gboolean run);

/* icereceive.c */
void conclave_ice_receiver_init (IceReceiver *receiver);
void conclave_ice_receiver_clear (IceReceiver *receiver);
void conclave_ice_receiver_wake (IceReceiver *receiver);
void conclave_ice_receiver_set_active (IceReceiver *receiver, gboolean active);
void conclave_ice_receiver_run (IceReceiver *receiver, gboolean run);
/* Takes `event`. */
void conclave_ice_receiver_end (IceReceiver *receiver, GstEvent *event);
gboolean conclave_ice_receiver_prepare (ConclaveIceTransport *self);
void conclave_ice_receiver_release (ConclaveIceTransport *self);
void conclave_ice_transport_receive (gpointer pad);

/* A packet that came through libnice; from its reading thread. */
void conclave_ice_transport_arrived (
    const guint8 *bytes, gsize size, gpointer self);

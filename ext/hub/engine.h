/* The forwarder's inside: its objects, and the media thread's side of it as code without sockets, threads and clocks.
 *
 * Every object is made and freed by the signalling thread. A command hands it to the media thread, which from then on owns
 * what is under "media"; to remove it, a command takes it out of all tables and lists there, and an event hands it back.
 * What is under "both" never changes after that. So nothing here is locked, and the media thread neither allocates nor frees.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cache.h"
#include "counters.h"
#include "egress.h"
#include "ice_lite.h"
#include "ring.h"
#include "rtcp.h"
#include "rtp.h"
#include "table.h"
#include "twcc.h"

#include "../sodium/replay.h"
#include "../srtp/hop.h"

#define HUB_MS UINT64_C (1000000)
#define HUB_S UINT64_C (1000000000)

#define HUB_ADDRESSES 4      /* valid remote addresses of one transport */
#define HUB_TRANSACTIONS 16  /* remembered checks of one transport */
#define HUB_OWN_RTCP_SSRCS 4 /* that a participant may choose by itself */
#define HUB_RTX_HISTORY                                                       \
  32 /* packets of a subscription whose retransmissions are counted */
#define HUB_RTX_TWICE 2     /* at most, of one packet to one receiver */
#define HUB_RTX_BURST 65536 /* bytes */
#define HUB_RTCP_RATE 200u  /* packets a second of one participant */
#define HUB_STUN_RATE                                                         \
  50u /* checks a second for one ufrag from addresses without a valid one */
#define HUB_SSRCS_OF_TRANSPORT 1000u /* tracks that it publishes in its life */
#define HUB_STREAM_WINDOW                                                     \
  1024u /* packets: replay window, and how late one may pass */
#define HUB_PASS_EVERY                                                        \
  8192u /* a held-back stream passes one packet in so many: half of what a ROC estimate bears, halved again */
#define HUB_CACHE_IDLE (10 * HUB_S)
#define HUB_HOLES 32u /* packets of a track that are waited for at a time */
#define HUB_PLI_INTERVAL (500 * HUB_MS)
#define HUB_SR_INTERVAL (200 * HUB_MS)
#define HUB_TICK (100 * HUB_MS)
#define HUB_SLICES 10u     /* ticks in which all transports had their turn */
#define HUB_PACE_BURST 16u /* packets to one receiver at once */
#define HUB_PACE_TICK HUB_MS
#define HUB_PACE_MADE_UP 3u /* ticks that were missed */
#define HUB_PACE_QUEUE 256u
#define HUB_PACES 512u /* receivers with a queue at one time, at most */
#define HUB_BATCH 1024u
#define HUB_VIDEO_CACHE 524288u /* bytes: 1.6 s at 2.5 Mbit/s */
#define HUB_AUDIO_CACHE 16384u
#define HUB_VIDEO_CACHED 512u /* packets */
#define HUB_AUDIO_CACHED 64u

typedef struct HubSubscription HubSubscription;
typedef struct HubMedia HubMedia;
typedef struct HubPace HubPace;

/* --- Lists of the signalling thread --- */

typedef struct HubLink HubLink;
struct HubLink
{
  HubLink *next, *previous;
};

/* --- Objects --- */

/* Who may use an SSRC in a room, and for what. */
typedef struct
{
  HubTransport *holder;
  HubTrack *track; /* NULL: RTCP only */
  bool rtx;
} HubName;

struct HubRoom
{
  /* both */
  HubRoomConfig config;
  uint32_t id, ssrc;
  char cname[17];

  /* media */
  HubRoom *next, *previous;
  HubTrack *loudest[HUB_MAX_LAST_N];
  uint32_t n_loudest;
  HubTrack *told[HUB_MAX_SPEAKERS];
  uint32_t n_told;

  /* signalling */
  void *owner;
  HubLink link, transports;
  uint8_t ssrc_key[crypto_shorthash_KEYBYTES];
  uint64_t n_ssrcs;
  bool removed;
};

/* Short-term credentials of one side of ICE; replaced as a whole. */
typedef struct
{
  char ufrag[HUB_UFRAG_LEN + 1], pwd[HUB_PWD_LEN + 1];
  bool any_remote;
  size_t remote_len;
  uint8_t remote[HUB_MAX_REMOTE_UFRAG];
} HubLogin;

/* A token bucket (GCRA): when the next token would be due if none had been saved, ns. */
typedef struct
{
  uint64_t due;
} HubBucket;

/* Remembers checks, so that one can't be sent again from elsewhere. */
typedef struct
{
  uint64_t transaction;
  uint64_t from;
} HubTransaction;

struct HubTransport
{
  /* media, for every packet */
  HubPath path;
  SrtpHop *out;
  bool connected, shed;
  uint32_t due;   /* packets of this batch */
  uint32_t burst; /* sent in this turn */
  uint64_t turn;  /* to which these belong */
  HubSubscription *batch;
  HubPace *pace;
  int64_t rtx_budget; /* bytes */
  HubCount packets_out, bytes_out;

  /* media */
  HubCount packets_in, bytes_in, rtx_out, shed_out;
  _Atomic bool is_connected; /* for statistics */
  SrtpSession *in;
  HubTrack *tracks;
  HubSubscription *subscriptions;
  uint32_t place; /* in HubMedia.transports */
  HubLogin *login;
  HubAddress addresses[HUB_ADDRESSES];
  uint32_t n_addresses, oldest_address;
  uint64_t consent_until, checked_at;
  bool consent_lost, event_due;
  HubTransaction transactions[HUB_TRANSACTIONS];
  uint32_t next_transaction;
  HubBucket stun, rtp, rtcp;
  uint32_t own_rtcp[HUB_OWN_RTCP_SSRCS];
  uint32_t n_own_rtcp;
  uint64_t shed_until, shed_for; /* the latter doubles */
  uint32_t bad_reports;
  uint64_t report_at;
  HubTwcc twcc;

  /* both */
  HubForwarder *forwarder;
  HubRoom *room;
  uint32_t id, ssrc;
  HubName name;

  /* signalling */
  void *owner;
  HubLink link, links_of_tracks, links_of_subscriptions;
  uint32_t n_tracks, n_ever;
  bool removed;
};

/* An index of a track that has not come. */
typedef struct
{
  uint64_t index;
  uint64_t at; /* when it is asked for next, or given up */
  uint32_t times;
} HubHole;

/* A place in a track's dense list. */
typedef struct
{
  HubSubscription *subscription;
  HubTransport *to;
} HubReceiver;

struct HubTrack
{
  /* media, for every packet */
  HubReceiver *receivers; /* the active ones */
  uint32_t n_receivers;
  uint32_t batch_n, batch_first, batch_last; /* packets of this batch */
  size_t batch_bytes;
  HubTrack *next_in_batch;
  uint64_t top; /* highest index */
  ReplayWindow
      *passed; /* no index passes twice: on this hangs that no nonce repeats */
  HubCache *cache; /* may be NULL */
  HubReception reception;
  HubCount packets, bytes, lost;
  bool any;
  uint8_t payload_type; /* of the last packet */

  /* media */
  HubTrack *next; /* of the same publisher */
  uint64_t came_at;
  uint64_t sr_at, pli_at;
  bool pli_due;
  HubTrack *next_pli;
  HubHole holes[HUB_HOLES]; /* rising; with any, the track is in HubMedia.nacks */
  uint32_t n_holes;
  uint64_t nack_at; /* the earliest of them */
  HubTrack *next_nack;
  uint8_t cname[HUB_CNAME_MAX];
  size_t cname_len;
  bool cached;           /* something is in the cache */
  bool loud;             /* among the loudest */
  _Atomic bool is_muted; /* for statistics */
  uint32_t loudness;     /* 256 times dB above silence, smoothed */
  uint64_t loud_since;
  uint64_t muted_index; /* the last that passed */

  /* both */
  HubTrackConfig config;
  HubTransport *publisher;
  HubRoom *room;
  uint32_t ssrc, rtx_ssrc;
  HubName name, rtx_name;

  /* signalling */
  void *owner;
  HubLink link, links_of_subscriptions;
  uint32_t n_subscriptions, receivers_room;
  size_t cache_bytes;
  bool removed;
};

typedef enum
{
  HUB_SUB_ENDED, /* by unsubscribe: kept, because its RTX index must go on */
  HUB_SUB_PAUSED,
  HUB_SUB_ACTIVE
} HubSubState;

struct HubSubscription
{
  /* both */
  HubTransport *to;
  HubTrack *track;

  /* media */
  HubSubscription *next_in_batch, *next; /* the latter: of the same receiver */
  HubSubState state;
  bool gated;     /* dropped last, and goes on with the next frame */
  uint32_t place; /* in track->receivers, if active */
  uint32_t gate_timestamp;
  uint64_t gate_index;
  uint64_t rtx_index; /* of the next RTX packet; never goes back */
  struct
  {
    uint16_t seq;
    uint8_t times;
  } rtx_history[HUB_RTX_HISTORY];

  /* signalling */
  HubLink link_of_receiver, link_of_track;
  HubSubState wanted;
};

/* --- From signalling to media --- */

typedef enum
{
  HUB_CMD_ADD_ROOM,
  HUB_CMD_ADD_TRANSPORT,
  HUB_CMD_LOGIN, /* object: transport; with: HubLogin */
  HUB_CMD_ADD_TRACK,
  HUB_CMD_SUBSCRIBE, /* object: subscription; with: a larger receivers array, or NULL; state */
  HUB_CMD_SET_STATE, /* object: subscription; state, event */
  HUB_CMD_KEYFRAME,
  HUB_CMD_REMOVE_SUBSCRIPTION,
  HUB_CMD_REMOVE_TRACK,
  HUB_CMD_REMOVE_TRANSPORT,
  HUB_CMD_REMOVE_ROOM,
  HUB_CMD_TABLE /* with: HubTableMemory; which */
} HubCommandType;

typedef enum
{
  HUB_TABLE_ADDRESSES,
  HUB_TABLE_UFRAGS,
  HUB_TABLE_SSRCS,
  HUB_TABLE_SUBSCRIPTIONS,
  HUB_N_TABLES
} HubTableName;

typedef struct
{
  HubCommandType type;
  void *object, *with;
  HubSubState state;
  HubMediaEventType event;
  HubTableName table;
} HubCommand;

/* --- From media to signalling --- */

typedef enum
{
  HUB_UP_EVENT,  /* object: what it is about; see `event` */
  HUB_UP_MEMORY, /* free() */
  HUB_UP_LOGIN,
  HUB_UP_SUBSCRIPTION, /* these are done with */
  HUB_UP_TRACK,
  HUB_UP_TRANSPORT,
  HUB_UP_ROOM
} HubUpType;

typedef struct
{
  uint8_t type, event, n;
  void *object;
  union
  {
    struct
    {
      uint64_t index, rtx_index;
    };
    HubTrack *tracks[HUB_MAX_SPEAKERS];
  };
} HubUp;

_Static_assert(sizeof (HubCommand) <= HUB_RING_MESSAGE, "a slot's size");
_Static_assert(sizeof (HubUp) <= HUB_RING_MESSAGE, "a slot's size");

/* --- The media thread's side --- */

/* A packet of this batch, without the hop's SRTP. */
typedef struct
{
  HubTrack *track;
  const uint8_t *bytes; /* in the track's cache, or in the receive buffer */
  uint64_t index;
  uint32_t timestamp, next;
  uint16_t len, head_len;
} HubPacket;

#define HUB_PACED_RTX (UINT64_C (1) << 63)

/* What waits for a later tick; its bytes are in the track's cache, if they still are. */
typedef struct
{
  HubSubscription *subscription; /* NULL: it ended */
  uint64_t index;                /* | HUB_PACED_RTX */
} HubPaced;

struct HubPace
{
  HubTransport *to; /* NULL: free */
  uint32_t first, n;
  HubPaced queue[HUB_PACE_QUEUE];
};

struct HubMedia
{
  uint64_t now, turn;
  HubRing *commands, *events;
  bool told; /* events were put since this was last false */
  HubCounters *counters;
  HubEgress egress;
  uint32_t max_packet_rate;
  HubIce ice;
  /* The datagram before often came from the same place. NULL when the tables have changed. */
  HubTransport *last_from;
  HubAddress last_address;
  HubTable tables[HUB_N_TABLES];
  uint8_t hash_key[crypto_shorthash_KEYBYTES];

  HubTransport **transports;
  uint32_t n_transports, max_transports;
  HubRoom *rooms;

  HubPacket *packets;
  uint32_t n_packets;
  HubTrack *batch_audio, *batch_video;
  HubTransport **touched;

  HubPace *paces;
  HubPace **pacing; /* those in use */
  uint32_t n_pacing, n_paces;
  uint64_t pace_at;

  HubTrack *pli; /* that wait for their interval */
  HubTrack *nacks; /* with holes */
  uint64_t tick_at;
  uint32_t tick;
};

/* `tables`: memory for each, owned from now on. False when memory is short. */
bool hub_media_init (HubMedia *media, uint32_t max_transports,
    HubRing *commands, HubRing *events, HubCounters *counters,
    HubSendFunc send, void *io, HubTableMemory **tables);
void hub_media_clear (HubMedia *media);

/* A turn: the clock, then commands, then timers and datagrams in any number, then the end, which forwards and flushes. */
void hub_media_turn (HubMedia *media, uint64_t now);
void hub_media_commands (HubMedia *media);

/* One datagram; `bytes` may be overwritten, and must stay until the next hub_media_forward(). */
void hub_media_input (
    HubMedia *media, const HubPath *path, uint8_t *bytes, size_t len);

/* Forwards what came in so far. */
void hub_media_forward (HubMedia *media);

/* What is due by now. */
void hub_media_timers (HubMedia *media);

/* When hub_media_timers() is to be called next at the latest; UINT64_MAX for never. */
uint64_t hub_media_deadline (const HubMedia *media);

/* media.c, for the others. False when the event ring is full. */
bool hub_media_tell (HubMedia *media, HubMediaEventType event, void *object);
HubSubscription *hub_media_find_subscription (
    HubMedia *media, const HubTransport *to, uint32_t ssrc);
uint64_t hub_media_hash (const HubMedia *media, const void *bytes, size_t len);
void hub_media_count (HubMedia *media, HubCounter which);

/* Takes one token of 1 / rate seconds; false when `depth` are gone. */
bool hub_bucket_take (
    HubBucket *bucket, uint64_t now, uint32_t rate, uint32_t depth);

/* checks.c */
void hub_media_stun (
    HubMedia *media, const HubPath *path, const uint8_t *bytes, size_t len);
void hub_transport_disconnect (HubMedia *media, HubTransport *transport);
HubKey hub_key_address (const HubAddress *address);
HubKey hub_key_ufrag (const void *ufrag);

/* inbound.c */
void hub_media_rtp (
    HubMedia *media, HubTransport *from, uint8_t *bytes, size_t len);

/* fanout.c */
void hub_media_queue (HubMedia *media, const HubPacket *packet);
bool hub_media_send_rtp (HubMedia *media, HubSubscription *subscription,
    uint64_t index, const uint8_t *bytes, size_t len, size_t head_len);
bool hub_media_send_rtx (HubMedia *media, HubSubscription *subscription,
    uint64_t index, const uint8_t *bytes, size_t len, size_t head_len);
bool hub_media_send_rtcp (HubMedia *media, HubTransport *to, HubSendKind kind,
    const uint8_t *bytes, size_t len);

/* pacing.c */
bool hub_pace_add (
    HubMedia *media, HubSubscription *subscription, uint64_t index);
void hub_pace_run (HubMedia *media);
void hub_pace_forget (HubMedia *media, const HubSubscription *subscription);
void hub_pace_drop (HubMedia *media, HubTransport *to);
void hub_shed_begin (HubMedia *media, HubTransport *to);
void hub_shed_look (HubMedia *media, HubTransport *to);
bool hub_shed_passes (
    HubMedia *media, HubSubscription *subscription, const HubPacket *packet);

/* feedback.c */
Writer hub_media_begin_compound (uint8_t *bytes, size_t size,
    const HubRoom *room, const HubReport *reports, size_t n);
void hub_media_rtcp (
    HubMedia *media, HubTransport *from, uint8_t *bytes, size_t len);
void hub_media_want_keyframe (HubMedia *media, HubTrack *track);
void hub_media_send_due_plis (HubMedia *media);
void hub_media_forget_pli (HubMedia *media, HubTrack *track);
void hub_media_report (HubMedia *media, HubTransport *to);
void hub_media_send_twcc (HubMedia *media, HubTransport *to);

/* nack.c */
void hub_media_note_holes (HubMedia *media, HubTrack *track, uint64_t next);
void hub_media_send_due_nacks (HubMedia *media);
void hub_media_forget_holes (HubMedia *media, HubTrack *track);

/* speakers.c */
bool hub_speakers_pass (
    HubMedia *media, HubTrack *track, const HubRtp *rtp, uint64_t index);
void hub_speakers_forget (HubTrack *track);
void hub_speakers_tell (HubMedia *media, HubRoom *room);

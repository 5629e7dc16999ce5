/* The hub's forwarder: all meetings' media on one UDP port, without keys to their content.
 *
 *     signalling thread                            media thread
 *     hub_forwarder_*()  ── commands ──►  socket, ICE-lite, SRTP, tables, caches
 *     HubMediaEventFunc       ◄── events ────  owns every object once it was handed over
 *
 * ICE-lite (RFC 8445, 2.5) and consent (RFC 7675), SRTP with AEAD-AES-256-GCM hop by hop (RFC 7714), RTP and RTCP on one
 * port (RFC 5761, 7983). SSRC, sequence number, timestamp and payload pass untouched, and so does the 48-bit packet
 * index: a hop's outgoing index is the publisher's own. It is never reset for an SSRC, and an SSRC is never given out
 * twice in a room, so no nonce repeats under a receiver's key.
 *
 * What is terminated here: NACK is answered from a cache by RTX (RFC 4588), PLI and FIR of all receivers become at most two
 * PLI a second to the publisher, sender reports are passed on, receiver reports and transport-wide feedback are the
 * hub's own. Audio goes to everybody from the loudest `audio_last_n` only (RFC 6464).
 *
 * Threads: one thread, "signalling", calls everything here; hub_forwarder_new() starts the media thread and
 * hub_forwarder_free() ends it. No call blocks or waits for the media thread but these two. Events are told from
 * hub_forwarder_dispatch(), on the signalling thread, in the order in which they happened; from inside them everything but
 * hub_forwarder_free() may be called. Objects belong to the forwarder; a pointer is good until it, or what it hangs on, is
 * removed, and no event names it afterwards.
 *
 *     room ── transport (one per participant: who waits has none) ── track (what it publishes)
 *                              └── subscription to a track of another transport of the room
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../sodium/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_UFRAG_LEN 8 /* characters; 48 random bits */
#define HUB_PWD_LEN                                                           \
  24 /* characters; 144 random bits. RFC 8445, 5.3: at least 22 */
#define HUB_MAX_REMOTE_UFRAG 256 /* RFC 8839, 5.4 */
#define HUB_KEY_LEN 44      /* RFC 7714, 12.1: master key 32, master salt 12 */
#define HUB_MAX_SPEAKERS 5  /* told in one event */
#define HUB_ADDRESS_TEXT 46 /* INET6_ADDRSTRLEN */
#define HUB_MAX_PROBLEM 256

/* ns. */
#define HUB_CONSENT_TIME UINT64_C (30000000000) /* RFC 7675, 5.1 */

typedef struct HubForwarder HubForwarder;
typedef struct HubRoom HubRoom;
typedef struct HubTransport HubTransport;
typedef struct HubTrack HubTrack;

typedef enum
{
  HUB_OK,
  HUB_LIMIT_REACHED, /* one of HubForwarderConfig's limits */
  HUB_NOT_ALLOWED, /* another room's, one's own track, already there, or not there */
  HUB_NO_MEMORY
} HubResult;

/* --- The forwarder --- */

typedef struct
{
  /* Numeric; NULL or "" for all addresses of both families. */
  const char *bind_address;
  /* UDP port of all media; 0 lets the system choose. */
  uint16_t media_port;
  /* What hub_forwarder_candidates() offers instead of the machine's own addresses; numeric; NULL for none. */
  const char *public_address;

  /* Limits of what is alive at one time. */
  uint32_t max_transports; /* in all */
  uint32_t max_tracks;     /* in all */
  uint32_t
      max_subscriptions; /* in all; one that was ended counts until its track or its receiver ends */
  uint32_t max_tracks_per_transport;
  /* RTP packets a second of one participant, with a second's worth saved up; 0 for no limit. */
  uint32_t max_packet_rate;
  /* Bytes of all packet caches; tracks published above it have none, and their NACKs are not answered. */
  size_t max_cache;

  /* Monotonic time in ns, called on the media thread; NULL for CLOCK_MONOTONIC. Whoever gives another one calls
   * hub_forwarder_wake() after turning it. */
  uint64_t (*clock) (void *clock_data);
  void *clock_data;

  /* Turns off what the kernel may or may not have, to test the fall-backs. */
  bool no_gso, no_gro;
} HubForwarderConfig;

/* All addresses, any port, 4,096 transports, 8,192 tracks, 262,144 subscriptions, 16 tracks and 5,000 packets a second a transport,
 * 256 MiB. */
void hub_forwarder_config_init (HubForwarderConfig *config);

typedef struct HubMediaEvent HubMediaEvent;
typedef void (*HubMediaEventFunc) (const HubMediaEvent *event, void *data);

/* Binds the socket and starts the media thread. NULL with a sentence for the operator in `problem`, HUB_MAX_PROBLEM
 * bytes. Call core_init() first. `event` is called from hub_forwarder_dispatch() only. */
HubForwarder *hub_forwarder_new (const HubForwarderConfig *config,
    HubMediaEventFunc event, void *data, char *problem);

/* Ends the media thread, closes the socket, wipes all keys, frees all objects. No event follows. Takes NULL. */
void hub_forwarder_free (HubForwarder *forwarder);

/* A file descriptor to poll for reading; when it is ready, call hub_forwarder_dispatch(). It stays the forwarder's. */
int hub_forwarder_event_fd (const HubForwarder *forwarder);

/* Tells all events so far, frees what the media thread is done with, hands it what did not fit before. Never blocks. */
void hub_forwarder_dispatch (HubForwarder *forwarder);

/* Makes the media thread look at the clock. For tests. */
void hub_forwarder_wake (HubForwarder *forwarder);

/* The UDP port that was bound. */
uint16_t hub_forwarder_port (const HubForwarder *forwarder);

typedef struct
{
  char address[HUB_ADDRESS_TEXT]; /* numeric */
  uint16_t port;
  uint32_t priority; /* RFC 8445, 5.1.2.1, type host */
  char foundation[12];
} HubCandidate;

/* What to offer a client as host candidates, best first: `public_address` if there is one; else the bind address; else
 * `preferred` (the local address its signalling came in on, may be NULL), then the machine's other addresses, without
 * loopback (unless preferred) and link-local ones. Up to `room` of them to `out`; returns how many. */
size_t hub_forwarder_candidates (const HubForwarder *forwarder,
    const char *preferred, HubCandidate *out, size_t room);

/* --- Rooms --- */

typedef struct
{
  /* Audio of this many loudest tracks is forwarded; 0 for all. At most HUB_MAX_LAST_N. */
  uint32_t audio_last_n;
  /* RFC 8285 one-byte extension ids, 1 to 14, 0 for none: audio level (RFC 6464), transport-wide sequence number. */
  uint8_t audio_level_id, twcc_id;
} HubRoomConfig;

#define HUB_MAX_LAST_N 32
#define HUB_DEFAULT_LAST_N 5

/* `owner` comes back in events. NULL when memory is short. */
HubRoom *hub_forwarder_add_room (
    HubForwarder *forwarder, const HubRoomConfig *config, void *owner);

/* Removes its transports, tracks and subscriptions too. */
void hub_forwarder_end_room (HubForwarder *forwarder, HubRoom *room);

/* The SSRC by which the hub signs its own RTCP (reports, PLI) in this room. */
uint32_t hub_room_ssrc (const HubRoom *room);
void *hub_room_owner (const HubRoom *room);

/* --- Transports --- */

/* What the participant must be told, over a channel that nobody else reads. */
typedef struct
{
  char ufrag[HUB_UFRAG_LEN + 1],
      pwd[HUB_PWD_LEN
          + 1]; /* of the hub's side; we are ICE-lite and controlled */
  Secret *to_hub, *from_hub; /* HUB_KEY_LEN each; references of the caller */
  /* For RTCP from a participant that sends no media. It may use SSRCs of its own for that, a few of them, as long as they
   * are nobody else's in the room. */
  uint32_t ssrc;
} HubCredentials;

/* A transport for one admitted participant. Nothing is sent to it before an ICE check with these credentials arrived,
 * and nothing 30 s after the last one. `remote_ufrag`: of the participant's side; checks that name another one are
 * ignored; NULL when it is not known: then the name is not looked at. Its password is not needed: a lite agent sends no
 * checks. */
HubResult hub_forwarder_add_transport (HubForwarder *forwarder, HubRoom *room,
    const char *remote_ufrag, void *owner, HubTransport **transport,
    HubCredentials *credentials);

/* RFC 8445, 9: new credentials; media goes on on the old pair until a check with the new ones nominates another. The SRTP keys
 * stay, as do the indices: `to_hub` and `from_hub` of `credentials` are NULL. */
HubResult hub_forwarder_restart_ice (HubForwarder *forwarder,
    HubTransport *transport, const char *remote_ufrag,
    HubCredentials *credentials);

/* Removes its tracks and subscriptions too. */
void hub_forwarder_remove_transport (
    HubForwarder *forwarder, HubTransport *transport);

void *hub_transport_owner (const HubTransport *transport);

/* Releases the keys and wipes the passwords. */
void hub_credentials_clear (HubCredentials *credentials);

/* --- Tracks --- */

typedef enum
{
  HUB_AUDIO,
  HUB_VIDEO
} HubKind;

typedef struct
{
  HubKind kind;
  uint32_t
      clock_rate; /* Hz, of the RTP timestamp: for the jitter in reports */
  uint8_t
      rtx_payload_type; /* RFC 4588; 0: NACKs of this track are not answered */
} HubTrackConfig;

/* The SSRCs to send with: drawn at random, never given out before in this room. */
typedef struct
{
  uint32_t ssrc, rtx_ssrc;
} HubTrackSsrcs;

HubResult hub_forwarder_publish (HubForwarder *forwarder,
    HubTransport *transport, const HubTrackConfig *config, void *owner,
    HubTrack **track, HubTrackSsrcs *ssrcs);

/* Ends its subscriptions too. */
void hub_forwarder_unpublish (HubForwarder *forwarder, HubTrack *track);

void *hub_track_owner (const HubTrack *track);
HubTransport *hub_track_publisher (const HubTrack *track);
uint32_t hub_track_ssrc (const HubTrack *track);

/* Asks the publisher for a keyframe, by PLI (RFC 4585, 6.3.1), merged with all others. Nothing for audio. */
void hub_forwarder_request_keyframe (HubForwarder *forwarder, HubTrack *track);

/* --- Subscriptions ---
 *
 * A receiver must know the track's ROC before its first packet and after a pause: HUB_MEDIA_EVENT_SUBSCRIBED and _RESUMED tell it. With
 * `paused`, packets begin only after hub_forwarder_resume(): so that none comes before its ROC was heard. */

/* HUB_NOT_ALLOWED for a track of another room or the receiver's own, and for one that is subscribed already. */
HubResult hub_forwarder_subscribe (HubForwarder *forwarder,
    HubTransport *receiver, HubTrack *track, bool paused);

HubResult hub_forwarder_unsubscribe (
    HubForwarder *forwarder, HubTransport *receiver, HubTrack *track);

/* No packets until hub_forwarder_resume(), however many there are. */
HubResult hub_forwarder_pause (
    HubForwarder *forwarder, HubTransport *receiver, HubTrack *track);

/* Requests a keyframe, and tells HUB_MEDIA_EVENT_RESUMED. */
HubResult hub_forwarder_resume (
    HubForwarder *forwarder, HubTransport *receiver, HubTrack *track);

/* --- Events --- */

typedef enum
{
  HUB_MEDIA_EVENT_CONNECTED,    /* transport: a valid check; media may flow */
  HUB_MEDIA_EVENT_CONSENT_LOST, /* transport: no valid check for 30 s (or never one): nothing is sent to it, remove it */
  HUB_MEDIA_EVENT_SUBSCRIBED,   /* transport, track, stand */
  HUB_MEDIA_EVENT_RESUMED,      /* likewise */
  HUB_MEDIA_EVENT_KEYFRAME_WANTED, /* track: a PLI went to its publisher; at most twice a second a track */
  HUB_MEDIA_EVENT_SPEAKERS /* room, speakers: changed; at most five a second a room */
} HubMediaEventType;

struct HubMediaEvent
{
  HubMediaEventType type;
  HubRoom *room;
  HubTransport *transport;
  HubTrack *track;

  /* Where the track stands: the highest 48-bit index that has come from its publisher (RFC 3711, 3.3.1), so that the ROC
   * is index >> 16; 0 when none has come: then it will begin in ROC 0. `rtx_index`: of the next RTX packet to this
   * receiver. */
  uint32_t ssrc, rtx_ssrc;
  uint32_t roc, rtx_roc;
  uint64_t index, rtx_index;

  HubTrack *speakers[HUB_MAX_SPEAKERS]; /* loudest first */
  size_t n_speakers;
};

/* --- Numbers --- */

/* Counters only grow. Every packet that came in is in exactly one of those from HUB_RTP_FORWARDED to the last dropped one. */
typedef enum
{
  HUB_PACKETS_IN,
  HUB_BYTES_IN,
  HUB_PACKETS_OUT,
  HUB_BYTES_OUT,
  /* What became of a packet that came in. */
  HUB_RTP_ACCEPTED, /* authentic, new, of a track of its sender */
  HUB_RTCP_ACCEPTED,
  HUB_STUN_ANSWERED,
  HUB_DROPPED_NOT_MEDIA, /* no STUN, RTP or RTCP by its first byte, too short or too long (RFC 7983) */
  HUB_DROPPED_UNKNOWN_SOURCE, /* RTP or RTCP from an address without a valid check */
  HUB_DROPPED_MALFORMED,
  HUB_DROPPED_SSRC_UNKNOWN, /* RTP with an SSRC that nobody has */
  HUB_DROPPED_SSRC_THEFT, /* RTP or RTCP with an SSRC of somebody else in the room */
  HUB_DROPPED_UNAUTHENTIC,
  HUB_DROPPED_REPLAYED,  /* or older than the replay window */
  HUB_DROPPED_RTP_FLOOD, /* above `max_packet_rate` of one participant */
  HUB_DROPPED_RTCP_FLOOD, /* above 200 a second of one participant, or too many SSRCs */
  HUB_DROPPED_STUN_MALFORMED,
  HUB_DROPPED_STUN_UFRAG, /* of no transport, or the other half is wrong */
  HUB_DROPPED_STUN_INTEGRITY,
  HUB_DROPPED_STUN_FLOOD, /* above 50 a second for one ufrag from addresses without a valid check */
  HUB_DROPPED_STUN_REPLAY, /* a transaction that came from another address before, or an address that is another participant's */
  HUB_DROPPED_STUN_OTHER,  /* indications, responses */
  HUB_DROPPED_RTX_EMPTY, /* RTX of a publisher without anything new: padding, or what came already */

  HUB_STUN_ROLE_CONFLICTS, /* answered with 487 */
  HUB_FEEDBACK_REFUSED, /* NACK, PLI, FIR for a track that its sender does not receive */
  HUB_NACKS,            /* sequence numbers asked for */
  HUB_NACK_MISSES,  /* not in the cache (any more) */
  HUB_NACK_LIMITED, /* over the receiver's budget */
  HUB_RTX_SENT,
  HUB_KEYFRAMES_ASKED, /* PLI and FIR of receivers, subscriptions */
  HUB_NACK_SENT, /* packets of RTCP that ask publishers for what is missing */
  HUB_PLI_SENT,
  HUB_NOT_FORWARDED_MUTED, /* audio not among the loudest, counted once per packet */
  HUB_SHED_VIDEO, /* not sent to one receiver that can't keep up, per packet and receiver */
  HUB_PACED, /* sent to one receiver later than it came, because of a burst */
  HUB_SEND_BLOCKED, /* times that the socket's buffer was full */
  HUB_SEND_DROPPED, /* packets lost to that */
  HUB_SEND_ERRORS,  /* messages that the kernel refused */
  HUB_N_COUNTERS
} HubCounter;

/* In the words of the metrics page: "dropped-ssrc-theft". */
const char *hub_counter_name (HubCounter counter);

typedef struct
{
  uint64_t counters[HUB_N_COUNTERS];
  uint32_t transports, tracks, subscriptions, rooms; /* alive */
  size_t cache;   /* bytes of the packet caches, reserved */
  bool gso, gro;  /* whether the kernel does it */
  uint64_t loops; /* turns of the media thread: wake-ups, at most */
} HubForwarderStats;

void hub_forwarder_stats (
    const HubForwarder *forwarder, HubForwarderStats *out);

typedef struct
{
  bool connected;
  uint64_t packets_in, bytes_in; /* RTP, authentic */
  uint64_t packets_out, bytes_out;
  uint64_t rtx_out, shed; /* packets */
} HubTransportStats;

void hub_transport_stats (
    const HubTransport *transport, HubTransportStats *out);

typedef struct
{
  uint64_t packets, bytes; /* RTP, authentic */
  uint64_t lost; /* on the publisher's way to the hub, as its reports say */
  uint32_t subscriptions;
  bool muted; /* not among the loudest */
} HubTrackStats;

void hub_track_stats (const HubTrack *track, HubTrackStats *out);

/* CPU time of the media thread so far, in ns. */
uint64_t hub_forwarder_cpu_time (const HubForwarder *forwarder);

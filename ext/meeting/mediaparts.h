/* The media bin inside: what its files share.
 *
 *     media.c      the bin: pads, properties, states, messages, the worker
 *     hop.c        rtpbin, SRTP, ICE: the way to the hub and back
 *     sinkpad.c    sink pads, and what passes them
 *     publish.c    from a sink pad to the hop
 *     receive.c    from the hop to a source pad, and to the mixes
 *     mix.c        audio_mix, video_mix
 *     expected.c   which streams are let in
 *     codecs.c     which codecs there are
 *
 * ## Threads and locks
 * What changes the pipeline's structure runs on one thread, the worker, task by task: so its tables need no lock, and nothing
 * is called out with one held. The functions of media.h queue tasks there and return; what has to be done before it returns
 * (request_new_pad, release_pad) waits. A task never waits for data to be consumed: what might is done by
 * gst_element_call_async(), on a thread of GStreamer's.
 * Streaming threads read atomics, and `expected`, which has a lock for look-ups.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "media.h"

#include <gst/video/video.h>

#include "codecs.h"
#include "expected.h"
#include "ext/session/media.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (meetingmedia_debug);

typedef struct MeetingWorker MeetingWorker;
typedef struct MeetingRemote MeetingRemote;
typedef struct MeetingTile MeetingTile;

/* ---- sink_%u ---- */

typedef enum
{
  MEETING_SOURCE_CAMERA,
  MEETING_SOURCE_SCREEN
} MeetingSourceKind;

#define CONCLAVE_TYPE_MEETING_SOURCE_KIND                                     \
  (conclave_meeting_source_kind_get_type ())
GType conclave_meeting_source_kind_get_type (void);

#define CONCLAVE_TYPE_MEETING_SINK_PAD (conclave_meeting_sink_pad_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveMeetingSinkPad, conclave_meeting_sink_pad,
    CONCLAVE, MEETING_SINK_PAD, GstGhostPad)

struct _ConclaveMeetingSinkPad
{
  GstGhostPad parent;

  /* fixed */
  ConclaveMeetingMedia *media; /* no reference */
  GstElement *bin;             /* publish-%u: everything of this track */
  GstElement *queue;           /* in it, first */

  /* object lock */
  MeetingSourceKind source_kind;

  /* the streaming thread of the queue */
  gboolean told; /* the track was announced to the session */
  gboolean is_raw;
  const MeetingCodec *codec; /* NULL: nothing can be made of the caps */
  gint64 last_ask;           /* monotonic time in µs: for a keyframe */

  /* atomic */
  gint open;           /* there is a chain, a key and a way: frames pass */
  gint muted;          /* by meeting_media_set_muted() */
  gint needs_keyframe; /* of encoded input: what comes before one is dropped */

  /* the worker's */
  gboolean published;
  guint32 number, ssrc, rtx;
  GstElement *first;               /* behind the queue; NULL: no chain yet */
  const MeetingCodec *chain_codec; /* what `first` is for */
  gboolean chain_is_raw;
  GstElement *encryptor, *payloader;
  GstPad *funnel_pad;
  guint64 kid;
  SFrameSuite suite;
  Secret *key; /* to encrypt with; NULL: none yet */
};

/* ---- A remote track ---- */

struct MeetingRemote
{
  gatomicrefcount refs;

  /* fixed */
  ConclaveMeetingMedia *media; /* no reference */
  guint8 identity[IDENTITY_KEY_LEN];
  guint32 leaf, number, ssrc, rtx;
  MediaKind kind;
  const MeetingCodec *codec;
  char *name, *fingerprint;
  GstElement *bin;             /* remote-%u: everything of this track */
  GstElement *decryptor, *tee; /* in it */
  gboolean decode;
  guint group_id;
  gint run; /* of the bin, when it was made */

  GstElement *participant; /* of participant-bin; or NULL */

  /* the media bin's finished_lock */
  gboolean is_finished; /* its sinks have had EOS */

  /* atomic */
  gint ended; /* it was removed, or failed */
  gint heard; /* a frame was authentic */

  /* the bin's object lock */
  GstPad *ghost;   /* src_%u of the media bin, once it is there */
  gboolean closed; /* no such pad is added any more */

  /* the worker's */
  gboolean is_expected;
  GstPad *mix_pad; /* of the mixer; NULL: it is in no mix */
  GstPad *tee_pad;
  GList *branch; /* elements from the mixer back to the tee; no references */
};

/* ---- The bin ---- */

typedef struct
{
  GstElement *funnel; /* rtpfunnel: all that we send */
  GstElement *rtpbin;
  GstElement *rtx_send, *rtx_receive;
  GstElement *protect, *unprotect;
  GstPad *bridge_rtp, *bridge_rtcp, *bridge_out; /* from `protect` to `ice` */
  GstElement *ice;  /* NULL: no way. The worker's */
  guint generation; /* of `ice`; the worker's */

  /* atomic */
  gint connected;
} MeetingHop;

typedef struct
{
  GstElement *mixer; /* NULL: nobody has asked for this mix */
  GstElement *filter, *base;
  gint n_base; /* atomic: buffers of the base in this run */
  GstPad *ghost;
  GstElement *mark; /* that it is recorded; NULL: it is not */
  GstPad *mark_pad;
} MeetingMix;

struct _ConclaveMeetingMedia
{
  GstBin parent;

  MeetingWorker *worker; /* fixed */
  gboolean is_disposed;  /* by then no other thread is here */

  /* callback lock */
  GMutex callback_lock;
  GCond callback_done;
  MeetingMediaCallbacks callbacks;
  gpointer user;
  gboolean attached;
  guint n_calling;

  /* object lock */
  guint latency; /* ms */
  gboolean decode;
  char *video_codec, *audio_codec;
  guint video_bitrate; /* bit/s */
  char *participant_bin;
  char *stun_server, *turn_servers;
  guint next_src, next_remote;
  unsigned epoch_bits, index_bits;

  /* atomic */
  gint silenced;
  gint ended; /* EOS was pushed, and nothing more comes out */
  gint run; /* counted from READY to READY */

  MeetingExpected *expected; /* fixed; has a lock of its own */

  GMutex finished_lock; /* of `is_finished` of all tracks */
  GCond finished;       /* a track's participant bin is */

  MeetingHop hop; /* elements are fixed from READY on */

  /* the worker's */
  GList *sinks;   /* ConclaveMeetingSinkPad, references */
  GList *remotes; /* MeetingRemote, references */
  GList *members; /* mix.c's */
  gboolean is_recording, warned_of_text;
  MeetingMix audio_mix, video_mix;
  GHashTable *own_keys; /* number of an own track: its key */
};

/* ---- media.c ---- */

typedef void (*MeetingTask) (ConclaveMeetingMedia *media, gpointer data);

/* Runs `task` on the worker, after all that was queued before. `data` is freed by `free` afterwards. */
void meeting_media_queue (ConclaveMeetingMedia *media, MeetingTask task,
    gpointer data, GDestroyNotify free);

/* The same, and waits until it has run. On the worker itself: runs it at once. */
void meeting_media_run (
    ConclaveMeetingMedia *media, MeetingTask task, gpointer data);

/* Callbacks, from any thread but with no lock held; nothing when detached. */
void meeting_media_tell_track_ready (ConclaveMeetingMedia *media, GstPad *pad,
    MediaKind kind, const char *codec, const char *caps);
void meeting_media_tell_track_gone (ConclaveMeetingMedia *media, GstPad *pad);
void meeting_media_tell_transport (
    ConclaveMeetingMedia *media, gboolean connected, const char *why);
void meeting_media_tell_heard (ConclaveMeetingMedia *media, guint64 kid);
void meeting_media_tell_key_state (ConclaveMeetingMedia *media,
    const uint8_t *identity, guint32 number, const char *failing);

/* An element of `factory`, or NULL with an error on the bus that names what to install. */
GstElement *meeting_media_make (
    ConclaveMeetingMedia *media, const char *factory, const char *name);

/* For actions: over memory that is wiped when freed. NULL when there is none. */
GBytes *meeting_secret_bytes (const void *data, gsize len);

/* ---- hop.c ---- */

/* Makes what does not exist yet, and links it. FALSE with an error on the bus. The worker's. */
gboolean meeting_hop_build (ConclaveMeetingMedia *media);
void meeting_hop_dispose (ConclaveMeetingMedia *media);
void meeting_hop_drop_transport (ConclaveMeetingMedia *media);

/* SSRCs of retransmissions, told anew. The worker's. */
void meeting_hop_update_rtx (ConclaveMeetingMedia *media);

/* No packet is on its way behind SRTP afterwards that was let in before. */
void meeting_hop_drain (ConclaveMeetingMedia *media);

/* Forgets a stream that was received. From any thread but a streaming one. */
void meeting_hop_forget_ssrc (ConclaveMeetingMedia *media, guint32 ssrc);

/* TRUE when the message came from inside of the hop, and is dealt with. */
gboolean meeting_hop_take_message (
    ConclaveMeetingMedia *media, GstMessage *message);

/* ---- sinkpad.c ---- */

GstCaps *meeting_publish_template_caps (void);

/* Of encoded media the source, of raw media the encoder. */
void meeting_sink_pad_ask_for_keyframe (ConclaveMeetingSinkPad *self);
gboolean meeting_sink_pad_may_pass (ConclaveMeetingSinkPad *self);

/* Probes, with the pad as their data: in front of the encoder, of buffers, lists and events; and in front of sframeenc, of buffers. */
GstPadProbeReturn meeting_sink_pad_gate (
    GstPad *pad, GstPadProbeInfo *info, gpointer self);
GstPadProbeReturn meeting_sink_pad_last_gate (
    GstPad *pad, GstPadProbeInfo *info, gpointer self);

/* "overrun" of its queue. */
void meeting_sink_pad_leaked (GstElement *queue, gpointer self);

/* ---- publish.c ---- */

GstPad *meeting_publish_request (
    ConclaveMeetingMedia *media, GstPadTemplate *template, const char *name);
void meeting_publish_release (ConclaveMeetingMedia *media, GstPad *pad);

/* The way is there (again): sources are asked for keyframes. The worker's. */
void meeting_publish_refresh (ConclaveMeetingMedia *media);

/* A second run begins as the first did. The worker's. */
void meeting_publish_close_key (ConclaveMeetingMedia *media, guint64 kid);
GHashTable *meeting_publish_make_own_keys (void);
void meeting_publish_reset (ConclaveMeetingMedia *media);
void meeting_publish_dispose (ConclaveMeetingMedia *media);

/* ---- receive.c ---- */

MeetingRemote *meeting_remote_ref (MeetingRemote *remote);
void meeting_remote_unref (MeetingRemote *remote);

/* The hop has a stream that was expected: links it. On a streaming thread. */
void meeting_receive_link (
    ConclaveMeetingMedia *media, guint32 ssrc, GstPad *pad);

/* TRUE when the message came from a remote track, and is dealt with. */
gboolean meeting_receive_take_message (
    ConclaveMeetingMedia *media, GstMessage *message);
/* The end of all remote tracks, for participant bins; waits for these, but not for ever. */
void meeting_receive_end (ConclaveMeetingMedia *media);

/* Before the bin stops. From the thread that stops it. */
void meeting_receive_stop (ConclaveMeetingMedia *media);
void meeting_receive_reset (ConclaveMeetingMedia *media);
void meeting_receive_dispose (ConclaveMeetingMedia *media);

/* In the track's bin; NULL when there is none here, told on the bus. */
GstElement *meeting_remote_add_queue (MeetingRemote *remote);
GstElement *meeting_remote_add_decoder (MeetingRemote *remote);
void meeting_remote_ask_for_keyframe (MeetingRemote *remote);

/* ---- participant.c ---- */

/* FALSE, with an error on the bus, when participant-bin is no good. */
gboolean meeting_participant_check (ConclaveMeetingMedia *media);
gboolean meeting_participant_add (
    ConclaveMeetingMedia *media, MeetingRemote *remote);
gboolean meeting_participant_take_eos (
    ConclaveMeetingMedia *media, MeetingRemote *remote, GstMessage *message);

/* Waits, but not for ever, until EOS has reached its sinks. */
void meeting_participant_finish (
    ConclaveMeetingMedia *media, MeetingRemote *remote);

/* ---- mix.c; the worker's, but for _request() and _release() ---- */

GstPad *meeting_mix_request (
    ConclaveMeetingMedia *media, GstPadTemplate *template);
void meeting_mix_release (ConclaveMeetingMedia *media, GstPad *pad);
GstCaps *meeting_mix_template_caps (gboolean video);

/* Into the mix of its kind, if somebody has asked for that; and out. */
void meeting_mix_add (ConclaveMeetingMedia *media, MeetingRemote *remote);
void meeting_mix_remove (ConclaveMeetingMedia *media, MeetingRemote *remote);

void meeting_mix_reset (ConclaveMeetingMedia *media);
void meeting_mix_dispose (ConclaveMeetingMedia *media);

G_END_DECLS

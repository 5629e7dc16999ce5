/* sframedec inside: what the element (sframedec.c) and the way of its frames (sframedecframes.c) share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/base/gstbasetransform.h>
#include <stdatomic.h>

#include "decoderkeys.h"
#include "framepool.h"
#include "kidset.h"
#include "sframecommon.h"

G_BEGIN_DECLS

#define MAX_HELD_EVENTS 64 /* behind caps that wait for the size of VP8 */

#define CONCLAVE_TYPE_SFRAME_DEC (conclave_sframe_dec_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveSFrameDec, conclave_sframe_dec, CONCLAVE,
    SFRAME_DEC, GstBaseTransform)

/* Everything that can become of a frame: the results of decoder_keys_decrypt(), and these. */
enum
{
  DROP_MALFORMED = DECODE_N_RESULTS, /* not an RTP packet */
  DROP_WRONG_SENDER,
  DROP_WAITING_KEYFRAME,
  DROP_FLUSHED, /* waited for a key when the stream was flushed, stopped or changed */
  DROP_NO_MEMORY,
  N_FATES
};

extern const gchar *const sframe_dec_fate_names[N_FATES];

/* Kinds of warnings, each with KIDs of its own. */
enum
{
  WARNED_UNKNOWN,
  WARNED_UNAUTHENTIC,
  WARNED_REPLAYED,
  N_WARNED
};

/* A frame that waits for its key. */
typedef struct
{
  GstBuffer *buffer;
  gint64 arrived; /* monotonic time in µs */
  guint32 ssrc;   /* of the caps it came with */
} Pending;

struct _ConclaveSFrameDec
{
  GstBaseTransform parent;

  /* object lock */
  SFrameSettings settings;
  guint replay_window;
  guint64 pending_time; /* ns */
  guint max_pending_bytes;
  guint64 keyframe_interval; /* ns */

  atomic_uint_fast64_t n_received;

  /* key lock */
  GMutex key_lock;
  DecoderKeys *keys;
  KidSet *refused;
  guint64 kid_mask, kid_value;
  guint error_after;
  GBytes *
      aad; /* or NULL; these two follow the properties, which are fixed while frames flow */
  guint32 ssrc;
  guint64 n_fates[N_FATES], n_jumps, n_keyframe_requests;
  guint n_pending;
  guint key_epoch; /* grows with each key that is set */
  guint failures;  /* frames in a row without one success */
  guint replays;   /* replayed frames, without one success */
  gint64 last_ask; /* monotonic time in µs, of the last key-needed */

  /* stream lock */
  FramePool *pool;
  gboolean is_rtp, is_video, is_vp8_of_unknown_size;
  guint32 caps_ssrc;
  GQueue pending;
  gsize pending_bytes;
  guint
      pending_epoch; /* key_epoch when all of `pending` were last tried; written with the key lock too */
  GQueue
      held; /* events that wait behind caps for the size of the first VP8 keyframe */
  guint width, height; /* of VP8; 0 until known. Written with the object
                          lock too, under which caps queries read it */
  KidSet *warned[N_WARNED];
  guint n_warned[N_WARNED];
  gboolean is_discont;    /* a frame was dropped since the last one went out */
  gboolean may_try_twice; /* there is a ratchet */
  GstCaps *caps;          /* of the sink pad, without the SSRC; or NULL */
  gboolean lost; /* a frame was dropped since a keyframe was last asked for */
  gint64 last_request; /* monotonic time in µs; 0: never */
};

/* Asks the application for the key of `kid`, once. Only the stream lock is held. TRUE when there is one now. */
gboolean sframe_dec_ask_for_key (ConclaveSFrameDec *self, guint64 kid);

/* Tells the application that a frame of `kid` was authentic, the first. Only the stream lock is held. */
void sframe_dec_tell_authenticated (ConclaveSFrameDec *self, guint64 kid);

/* The rest with the stream lock held. */

void sframe_dec_start_frames (ConclaveSFrameDec *self);
void sframe_dec_stop_frames (ConclaveSFrameDec *self);

/* One frame that has just arrived: decrypted to `out`, dropped, or left waiting for its key. */
GstFlowReturn sframe_dec_take_frame (
    ConclaveSFrameDec *self, GstBuffer *in, GstBuffer **out);

/* Goes once through the frames that wait, in order: those that have a key now go out, those whose time is over (all, with
 * `last_chance`) are dropped. */
GstFlowReturn sframe_dec_work_off_pending (
    ConclaveSFrameDec *self, gboolean last_chance);

/* Drops the frames that wait: nobody misses them after a flush, ... */
void sframe_dec_flush_pending (ConclaveSFrameDec *self);

/* ... but where the stream goes on they are a loss. */
void sframe_dec_lose_pending (ConclaveSFrameDec *self);

/* Sends the events that waited for the size of VP8 pictures. FALSE when downstream refuses the caps. */
gboolean sframe_dec_send_held (ConclaveSFrameDec *self);
void sframe_dec_clear_held (ConclaveSFrameDec *self);

/* Lets a serialized event wait behind the caps that wait. Takes it. */
void sframe_dec_hold (ConclaveSFrameDec *self, GstEvent *event);

/* Forgets what a flush makes void. */
void sframe_dec_flush_held (ConclaveSFrameDec *self);

/* The parent class's handler. */
gboolean sframe_dec_chain_up_sink_event (
    ConclaveSFrameDec *self, GstEvent *event);

G_END_DECLS

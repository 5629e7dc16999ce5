/* The media of a meeting: everything between the pads that a user links and the hub's UDP port, as one bin inside
 * meetingjoin. It knows tracks, keys and SSRCs; it knows nothing of admission, people and signalling, which are the
 * session's (meetingjoin drives both).
 *
 *     sink_%u ─ queue ─ [encoder] ─ sframeenc ─ rtpsframepay ┐                         ┌ srtpprotect ─ icetransport ─ hub
 *                                                            rtpfunnel ─ rtpbin ───────┤
 *     src_%u ─ [decoder] ─ parser ─ sframedec ─ rtpsframedepay ─ jitterbuffer ─ rtpbin ┴ srtpunprotect ─ icetransport ─ hub
 *     audio_mix, video_mix ─ mixers of what is decoded
 *
 * Threads: the functions here may be called from any thread but a streaming thread; meetingjoin calls them from its session
 * thread and from request_new_pad and release_pad. Callbacks come from any thread, with no lock held; they are to queue and
 * return.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

#include "ext/session/messages.h"
#include "ext/sodium/sframe.h"

G_BEGIN_DECLS

#define CONCLAVE_TYPE_MEETING_MEDIA (conclave_meeting_media_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveMeetingMedia, conclave_meeting_media, CONCLAVE,
    MEETING_MEDIA, GstBin)

/* A remote track, as its sender announced it. */
typedef struct
{
  uint8_t identity[IDENTITY_KEY_LEN]; /* whose */
  uint32_t leaf;                      /* its leaf in the group now */
  uint32_t number;                    /* of the track */
  MediaKind kind;
  uint32_t ssrc, rtx;      /* rtx: 0 for none */
  const char *codec;       /* RTP encoding name; a claim */
  const char *caps;        /* a claim, may be NULL */
  const char *name;        /* display name, a claim */
  const char *fingerprint; /* short, of the identity */
} MeetingRemoteTrack;

typedef struct
{
  /* Media arrived on the sink pad `pad` and can be announced: number, SSRC are asked for, then _publish() is called.
   * `codec` and `caps` are for the `track` message. */
  void (*track_ready) (gpointer user, GstPad *pad, MediaKind kind,
      const char *codec, const char *caps);
  /* The sink pad was released or got EOS. `pad` is only a name for what track_ready told. */
  void (*track_gone) (gpointer user, GstPad *pad);
  /* The way to the hub is there, or gone (consent lost, ICE failed): ask for a new transport. `why` is for a person. */
  void (*transport) (gpointer user, gboolean connected, const char *why);
  /* First authentic frame of (leaf, track) in the epoch whose KID this is: for session_heard(). */
  void (*heard) (gpointer user, uint64_t kid);
  /* The key state of a remote track: ready, or failing, and why, for a person; NULL for ready. */
  void (*key_state) (gpointer user, const uint8_t *identity, uint32_t number,
      const char *failing);
} MeetingMediaCallbacks;

/* Pad property `kind` of sink_%u (enumeration: camera, screen): set before media arrives.
 *
 * A floating reference. `callbacks` is copied; `user` outlives the bin, or meeting_media_detach() comes first.
 * Properties of the bin: latency, decode, video-codec, audio-codec, video-bitrate, participant-bin, stun-server,
 * turn-servers, stats (as meetingjoin's of those names, which passes them through); pads: sink_%u, src_%u, audio_mix,
 * video_mix. */
GstElement *meeting_media_new (
    const MeetingMediaCallbacks *callbacks, gpointer user);
void meeting_media_detach (ConclaveMeetingMedia *media);

/* ---- The way to the hub ---- */

/* From READY on; in NULL it does nothing. What the hub answered to `transport`: its ICE credentials, candidates ("candidate:…"), and the SRTP master keys with salt,
 * 44 bytes each. Replaces the transport before it; tracks stay. False when it makes no sense. */
gboolean meeting_media_set_transport (ConclaveMeetingMedia *media,
    const char *ufrag, const char *pwd, const TextList *candidates,
    const Blob *send_key, const Blob *receive_key);

/* Signalling is lost for good, or we are in no meeting: media pauses, remote tracks stay until they are removed. */
void meeting_media_drop_transport (ConclaveMeetingMedia *media);

/* ---- What we send ---- */

/* The session gave the media of `pad` a track number, the hub its SSRCs: builds the sending chain, and asks the source for a
 * keyframe. Frames go out once a sending key is there. Calling it again (a new room) replaces numbers and SSRCs. */
void meeting_media_publish (ConclaveMeetingMedia *media, GstPad *pad,
    uint32_t number, uint32_t ssrc, uint32_t rtx);
void meeting_media_unpublish (ConclaveMeetingMedia *media, GstPad *pad);

/* Of an own track: encrypt with this from now on. Before or after _publish() of that number; close_key() takes it back, which a new
 * room must do before it uses a number again. */
void meeting_media_set_send_key (ConclaveMeetingMedia *media, uint32_t number,
    uint64_t kid, SFrameSuite suite, Secret *base_key);

/* Nothing is sent while `silenced` (session: SILENCED), or while the pad is muted; audio sends nothing, not silence. */
void meeting_media_set_silenced (
    ConclaveMeetingMedia *media, gboolean silenced);
void meeting_media_set_muted (
    ConclaveMeetingMedia *media, GstPad *pad, gboolean muted);

/* ---- What we receive ---- */

/* How many low bits of a KID are the epoch's, how many the leaf's: from the policy. */
void meeting_media_set_kid_layout (
    ConclaveMeetingMedia *media, unsigned epoch_bits, unsigned index_bits);

void meeting_media_add_remote (
    ConclaveMeetingMedia *media, const MeetingRemoteTrack *track);
void meeting_media_remove_remote (
    ConclaveMeetingMedia *media, const uint8_t *identity, uint32_t number);

/* The hub's {ssrc, roc}: before the first packet of this SSRC. */
void meeting_media_set_roc (
    ConclaveMeetingMedia *media, uint32_t ssrc, uint32_t roc);

/* Frames of (leaf, track) with this KID are to be accepted from now on; and no more. */
void meeting_media_open_key (ConclaveMeetingMedia *media, uint32_t leaf,
    uint32_t number, uint64_t kid, SFrameSuite suite, Secret *base_key);
void meeting_media_close_key (ConclaveMeetingMedia *media, uint64_t kid);

/* For the grid: a member whose picture or placeholder is shown, also without a track. `recording`: an indicator is drawn. */
void meeting_media_add_member (ConclaveMeetingMedia *media,
    const uint8_t *identity, const char *name, const char *fingerprint);
void meeting_media_remove_member (
    ConclaveMeetingMedia *media, const uint8_t *identity);
void meeting_media_set_recording (
    ConclaveMeetingMedia *media, gboolean recording);

/* EOS on what the bin gives out (not on what it is given): GST-level end of a pipeline with -e. */
void meeting_media_push_eos (ConclaveMeetingMedia *media, GstEvent *eos);

/* Keeps a ghost pad's chain from ending the pipeline, or from stopping for good, when nobody linked it or its reader does not
 * run; a later link asks for a keyframe. */
void meeting_ghost_may_be_unlinked (GstPad *ghost);

G_END_DECLS

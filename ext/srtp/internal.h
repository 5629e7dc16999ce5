/* What session.c, streams.c and packets.c share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "transform.h"

#include "../sodium/replay.h"

#define FINGERPRINT_LEN 16
#define RTP 0
#define RTCP 1

typedef struct
{
  const SrtpTransform *transform; /* NULL: the slot is free */
  void *state;
  uint32_t serial; /* a later key has a higher one */
  uint64_t left
      [2]; /* RFC 3711, 9.2: SRTP and SRTCP packets until the key is spent */
  uint64_t soft[2]; /* at which of these to warn */
  uint8_t fingerprint[FINGERPRINT_LEN];
  uint8_t *mki; /* config mki_len bytes; NULL without MKI */
} SrtpKey;

/* How much is known about where a stream stands. */
typedef enum
{
  STREAM_FRESH,      /* nothing: the first packet is in ROC 0 */
  STREAM_ROC_TOLD,   /* `reference` is 2^16 * ROC */
  STREAM_INDEX_TOLD, /* `reference` is near the next index */
  STREAM_SEEN /* `reference` is the highest index sent, or received and authentic */
} StreamKnowledge;

typedef struct
{
  uint32_t ssrc;
  StreamKnowledge knowledge;
  uint64_t reference;
  bool any;     /* an RTP packet came, */
  uint64_t top; /* and this is the highest index that did */
  size_t window;
  ReplayWindow
      *seen[2]; /* of sent or authentic packets; NULL before the first */
  uint32_t
      rtcp_top; /* the highest SRTCP index sent or received; 0: none, the first one sent is 1 */
  uint32_t key_serial[2]; /* the newest key that this stream has used, */
  uint64_t key_since[2];  /* and its lowest index under it */
  uint8_t known, driven;  /* per key slot, for the transform */
  bool authentic;         /* a packet came, it is not only told */
  SrtpCounters counters;
} SrtpStream;

/* An SSRC that failed and has no stream. */
typedef struct
{
  bool used;
  uint32_t ssrc;
  SrtpCounters counters;
} SrtpStranger;

struct SrtpSession
{
  SrtpConfig config;
  const SrtpTransform *transform;
  size_t mki_len;
  size_t overhead[2]; /* without MKI */
  size_t
      window; /* of new streams; fixed with the key, since libsrtp2 fixes its own then */

  SrtpKey keys[SRTP_MAX_KEYS];
  uint32_t newest;       /* serial of the newest key, 0 before the first */
  uint64_t under_newest; /* authentic packets under it */
  uint8_t *spent;        /* fingerprints of keys that were replaced */
  size_t n_spent;

  SrtpStream *streams;
  size_t n_streams, room; /* `room` grows up to config.max_ssrcs */
  uint32_t *
      table; /* open addressing: stream number + 1, 0 is empty; a power of two, at least 2 * room */
  size_t table_size;
  uint64_t
      table_key; /* odd and random: who chooses SSRCs must not choose collisions */

  SrtpStranger *strangers; /* SRTP_MAX_STRANGERS; made for the first failure */
  uint8_t *
      scratch; /* SRTP_MAX_PACKET bytes; made when a packet in place has to be tried more than once */
  SrtpCounters counters;
};

/* streams.c. The pointer holds until the next stream_make(). */
SrtpStream *stream_find (const SrtpSession *session, uint32_t ssrc);
SrtpResult stream_make (SrtpSession *session, uint32_t ssrc, SrtpStream **out);
bool stream_can_be_made (const SrtpSession *session);
void streams_clear (SrtpSession *session);
SrtpStranger *stranger_find (const SrtpSession *session, uint32_t ssrc);
SrtpStranger *stranger_make (SrtpSession *session, uint32_t ssrc);

/* session.c */
void key_drop (SrtpSession *session, SrtpKey *key);
uint32_t oldest_key (const SrtpSession *session);

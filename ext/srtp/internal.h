/* What session.c, keys.c, streams.c and packets.c share.
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
  void *
      state; /* the transform's; NULL: the slot is free, or its key is retired */
  uint32_t serial;   /* a later key has a higher one; 0: the slot is free */
  bool used;         /* for a packet sent, or received and authentic */
  uint64_t last_use; /* `good` of the session at the last one */
  uint64_t left
      [2]; /* RFC 3711, 9.2: SRTP and SRTCP packets until the key is spent */
  uint64_t soft[2]; /* at which of these to warn */
  uint8_t fingerprint[FINGERPRINT_LEN];
  uint8_t *mki; /* `mki_len` bytes; NULL without MKI */
} SrtpKey;

/* Fingerprints of keys that were replaced. */
typedef struct
{
  uint8_t *exact;
  size_t n, room;
  uint8_t *filter; /* those that were too many for `exact`, or NULL */
} ReplacedKeys;

/* How much is known about where a stream stands. */
typedef enum
{
  STREAM_FRESH,      /* nothing: the first packet is in ROC 0 */
  STREAM_ROC_TOLD,   /* `reference` is 2^16 * ROC */
  STREAM_INDEX_TOLD, /* `reference` is near the next index */
  STREAM_SEEN /* `reference` is the highest index sent, or received and authentic */
} StreamKnowledge;

/* Where the packets of an SSRC stand. */
typedef struct
{
  StreamKnowledge knowledge;
  uint64_t reference;
  uint32_t
      rtcp_top; /* the highest SRTCP index sent or received; 0: none, the first one sent is 1 */
} SrtpStanding;

/* What is counted and told of an SSRC. */
typedef struct
{
  SrtpCounters counters;
  uint32_t refused_in_row[2];
  bool told; /* that it failed */
} SrtpAccount;

typedef struct
{
  uint32_t ssrc;
  SrtpStanding at;
  bool any;     /* an RTP packet came, */
  uint64_t top; /* and this is the highest index that did */
  size_t window;
  ReplayWindow
      *seen[2]; /* of sent or authentic packets; NULL before the first */
  uint32_t key_serial[2]; /* the newest key that this stream has used, */
  uint64_t key_since[2];  /* and its lowest index under it */
  uint8_t known, driven;  /* per key slot, for the transform */
  bool authentic;         /* a packet came, it is not only told */
  uint32_t alive; /* the session's newest key at the stream's last packet */
  uint32_t before,
      after; /* in the list by `alive`: stream number + 1, 0 is its end */
  SrtpAccount account;
} SrtpStream;

/* An SSRC that failed and has no stream. */
typedef struct
{
  bool used;
  bool again; /* it failed again since the hand last came by */
  uint32_t ssrc;
  SrtpAccount account;
} SrtpStranger;

/* A stream that has made room for another. */
typedef struct
{
  bool used;
  uint32_t ssrc;
  SrtpStanding at;
} SrtpFormer;

/* Open addressing, `size` a power of two and at least twice the entries. */
typedef struct
{
  uint32_t ssrc, number; /* + 1; 0 is empty */
} SsrcSlot;

typedef struct
{
  SsrcSlot *slots;
  size_t size, n;
} SsrcTable;

struct SrtpSession
{
  SrtpConfig config;
  const SrtpTransform *transform;
  size_t mki_len;
  size_t overhead[2]; /* without MKI */
  size_t
      window; /* of new streams; fixed with the key, since libsrtp2 fixes its own then */

  SrtpKey keys[SRTP_MAX_KEYS];
  uint32_t newest; /* serial of the newest key, 0 before the first */
  uint64_t
      under_newest; /* packets sent, or received and authentic, under it */
  uint64_t good;    /* and under any key */
  ReplacedKeys replaced;

  /* odd and random: who chooses SSRCs must not choose collisions */
  uint64_t table_key;
  SrtpStream *streams;
  size_t n_streams, room; /* `room` grows up to config.max_ssrcs */
  SsrcTable stream_table;
  uint32_t stalest, freshest; /* the list's ends */

  SrtpFormer *formers; /* a ring, up to config.max_ssrcs of them */
  size_t n_formers, former_room, former_next;
  SsrcTable former_table;

  SrtpStranger *strangers; /* SRTP_MAX_STRANGERS; made for the first failure */
  size_t stranger_hand;
  SsrcTable stranger_table;
  uint32_t tellable,
      since_tellable; /* failures that may be told of; packets since one more may */

  uint8_t *
      scratch; /* SRTP_MAX_PACKET bytes; made when a packet in place has to be tried more than once */
  SrtpCounters counters, others;
};

/* streams.c. The pointer holds until the next stream_make(). */
SrtpStream *stream_find (const SrtpSession *session, uint32_t ssrc);
SrtpResult stream_make (SrtpSession *session, uint32_t ssrc, SrtpStream **out);
SrtpStanding stream_standing (
    const SrtpSession *session, const SrtpStream *stream, uint32_t ssrc);
bool stream_can_be_made (SrtpSession *session);
void stream_touch (SrtpSession *session, SrtpStream *stream);
void stream_wrap (SrtpSession *session, SrtpStream *stream, int kind);
void streams_start_anew (SrtpSession *session);
bool streams_carry_told (SrtpSession *session, const SrtpSession *from);
void streams_clear (SrtpSession *session);
void streams_forget_key (SrtpSession *session, size_t slot);
size_t streams_memory (const SrtpSession *session);
SrtpAccount *stranger_account (SrtpSession *session, uint32_t ssrc);
void strangers_clear (SrtpSession *session);

/* keys.c */
void key_drop (SrtpSession *session, SrtpKey *key);
uint32_t oldest_key (const SrtpSession *session);
void keys_wipe (SrtpSession *session);
bool keys_count_as_replaced (SrtpSession *session, const SrtpSession *from);

/* replaced.c */
bool replaced_reserve (ReplacedKeys *replaced, size_t more);
void replaced_add (ReplacedKeys *replaced, const uint8_t *fingerprint);
bool replaced_has (const ReplacedKeys *replaced, const uint8_t *fingerprint);
bool replaced_copy (ReplacedKeys *to, const ReplacedKeys *from);
void replaced_clear (ReplacedKeys *replaced);
size_t replaced_memory (const ReplacedKeys *replaced);

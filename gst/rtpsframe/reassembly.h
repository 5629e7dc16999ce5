/* Which RTP packets make up an SFrame: the rules of the receiving side, without the bytes.
 *
 * draft-ietf-avtcore-rtp-sframe-02: the fragments of an SFrame are consecutive packets, the first has S, the last has
 * E, all have the same T and payload type (and here: timestamp and SSRC). A whole SFrame comes out, or nothing; every
 * packet that does not become part of one is given a reason.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RTP sequence numbers that are further apart cannot be told from older ones (RFC 3550, A.1). */
#define MAX_FRAGMENTS 32767

/* Why a packet did not become part of an SFrame. */
typedef enum
{
  DROP_NONE,
  DROP_INVALID_RTP,    /* not an RTP packet */
  DROP_DUPLICATE,      /* its sequence number was here before, or is older */
  DROP_NO_DESCRIPTOR,  /* no payload at all: padding or a keepalive */
  DROP_EMPTY_FRAGMENT, /* a descriptor and nothing behind it */
  DROP_NO_START,       /* no fragment with S before it */
  DROP_NO_END,         /* the next SFrame starts and E was not there yet */
  DROP_INCOMPLETE,     /* another fragment of its SFrame is missing */
  DROP_TIMESTAMP_CHANGED,    /* within one SFrame */
  DROP_PAYLOAD_TYPE_CHANGED, /* within one SFrame */
  DROP_MODE_CHANGED,         /* T differs within one SFrame */
  DROP_SSRC_CHANGED,         /* within one SFrame */
  DROP_TOO_LARGE,            /* more bytes than max-frame-size */
  DROP_TOO_MANY_FRAGMENTS,   /* more than MAX_FRAGMENTS */
  DROP_FLUSHED, /* a flush, new caps, EOS or a state change cut its SFrame short */
  DROP_N
} DropReason;

typedef struct
{
  uint32_t timestamp;
  uint32_t ssrc;
  uint8_t payload_type;
  uint8_t descriptor;
  size_t len; /* bytes behind the descriptor */
} Fragment;

/* Zero-initialized. */
typedef struct
{
  Fragment first;
  bool open;        /* an SFrame has begun; the fields below describe it */
  uint32_t packets; /* fragments so far */
  size_t bytes;     /* their bytes */
  DropReason
      tail; /* the reason of fragments without S, while none is open: that of the SFrame they belonged to */
} Reassembly;

typedef struct
{
  DropReason
      broken; /* not DROP_NONE: the open SFrame is given up for this reason ... */
  uint32_t
      broken_packets; /* ... which drops this many packets that came before */
  DropReason
      dropped; /* not DROP_NONE: this packet is dropped as well, otherwise it belongs to the open SFrame */
  bool begins; /* it is the first fragment */
  bool complete; /* it is the last fragment, and all are there */
} Step;

/* Takes the next packet in order of sequence numbers. `lost`: at least one packet before it is missing. `max_bytes`:
 * the largest SFrame to put together. */
Step reassembly_step (
    Reassembly *self, const Fragment *fragment, bool lost, size_t max_bytes);

/* Gives up the open SFrame, if any; fragments without S that follow are dropped for the same reason. Returns how many
 * packets that drops. */
uint32_t reassembly_break (Reassembly *self, DropReason reason);

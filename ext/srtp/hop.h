/* The sending half of a forwarder's hop: AEAD-AES-256-GCM (RFC 7714) under one key, for packets whose index is somebody
 * else's decision.
 *
 * srtp_session_protect_rtp_at() remembers per SSRC what was sent, so that it can refuse an index it has seen: memory and work
 * that a forwarder would spend once per receiver, for what it knows once per track. So here the caller keeps the promise
 * on which all of GCM hangs: **one index, one packet, for each SSRC, as long as the hop lives**. A forwarder keeps it by
 * passing each index of a track on once (its replay window stands before the fan-out), by counting RTX packets upwards and
 * never from the beginning again, and by never giving an SSRC out twice. SRTCP indices are the hop's own.
 *
 * No call allocates but srtp_hop_new(). A hop is used by one thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "session.h"

#define SRTP_HOP_RTP_OVERHEAD 16  /* the tag */
#define SRTP_HOP_RTCP_OVERHEAD 20 /* the tag, E and the index */

typedef struct SrtpHop SrtpHop;

/* `key`: 44 bytes, master key and salt. NULL when it has another length or memory is short. */
SrtpHop *srtp_hop_new (Secret *key);

/* Wipes. Takes NULL. */
void srtp_hop_free (SrtpHop *hop);

/* Protects the RTP packet `in` of `len` bytes, the first `head_len` of which are its header with CSRCs and extension, to `out`,
 * which has room for len + SRTP_HOP_RTP_OVERHEAD bytes and is apart from `in`. `index`: 2^16 * ROC + SEQ, whose low half must be the
 * packet's sequence number (not checked). False when the index is 2^48 or more, or the library refuses: then `out` holds
 * nothing to be sent, and the index counts as used. */
bool srtp_hop_protect_rtp (SrtpHop *hop, uint64_t index, uint32_t ssrc,
    size_t head_len, const uint8_t *in, size_t len,
    uint8_t *out) SRTP_MUST_USE;

/* Likewise for a compound RTCP packet of at least 8 bytes; its SSRC is in it. False too when 2^31 - 1 packets were sent. */
bool srtp_hop_protect_rtcp (
    SrtpHop *hop, const uint8_t *in, size_t len, uint8_t *out) SRTP_MUST_USE;

/* RTCP as the hub reads and makes it: RFC 3550, 6; RFC 4585, 6 (NACK, PLI); RFC 5104, 4.3.1 (FIR); RFC 5506 (a packet need not be compound
 * when it comes, but is when it goes).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "../sodium/reader.h"
#include "../sodium/writer.h"

#define HUB_RTCP_MAX 1200 /* of what the hub makes */
#define HUB_CNAME_MAX 64  /* of what it passes on */

enum
{
  HUB_RTCP_SR = 200,
  HUB_RTCP_RR = 201,
  HUB_RTCP_SDES = 202,
  HUB_RTCP_BYE = 203,
  HUB_RTCP_RTPFB = 205,
  HUB_RTCP_PSFB = 206
};

enum
{
  HUB_RTPFB_NACK = 1,
  HUB_RTPFB_TWCC = 15,
  HUB_PSFB_PLI = 1,
  HUB_PSFB_FIR = 4
};

/* One packet of a compound. */
typedef struct
{
  uint8_t type, count; /* `count`: RC, SC or FMT */
  uint32_t ssrc;       /* of its sender; 0 when it has none */
  Reader body;         /* behind the SSRC, without padding */
} HubRtcp;

/* RFC 3550, A.2: true when the lengths of all packets add up to exactly `len`, each has what its type needs, and none but the last
 * is padded. */
bool hub_rtcp_check (const uint8_t *bytes, size_t len);

/* The next packet of a compound that was checked; false at its end. */
bool hub_rtcp_next (Reader *compound, HubRtcp *packet);

/* A report block (RFC 3550, 6.4.1). */
typedef struct
{
  uint32_t ssrc;
  uint8_t fraction; /* of 256 */
  int32_t lost;     /* 24 bits, signed */
  uint32_t highest, jitter, lsr, dlsr;
} HubReport;

bool hub_rtcp_read_report (Reader *body, HubReport *report);

/* What a sender report says of its sender. */
typedef struct
{
  uint8_t ntp[8];
  uint32_t timestamp, packets, octets;
} HubSenderInfo;

bool hub_rtcp_read_sender (Reader *body, HubSenderInfo *info);

/* The CNAME of `ssrc` in an SDES packet (its whole body, first SSRC included); NULL when it has none, or a longer one than
 * HUB_CNAME_MAX. */
const uint8_t *hub_rtcp_find_cname (
    Reader chunks, uint8_t n_chunks, uint32_t ssrc, size_t *len);

/* --- Writing. Each appends one packet; errors are the writer's. --- */

void hub_rtcp_write_rr (
    Writer *w, uint32_t ssrc, const HubReport *reports, size_t n);
void hub_rtcp_write_sr (Writer *w, uint32_t ssrc, const HubSenderInfo *info);
void hub_rtcp_write_cname (
    Writer *w, uint32_t ssrc, const uint8_t *cname, size_t len);
/* RFC 4585, 6.2.1; `indices`: rising, n > 0. */
void hub_rtcp_write_nack (Writer *w, uint32_t ssrc, uint32_t media,
    const uint64_t *indices, size_t n);
void hub_rtcp_write_pli (Writer *w, uint32_t ssrc, uint32_t media);

/* --- Reception of one SSRC, for its report (RFC 3550, 6.4.1, A.3, A.8) --- */

typedef struct
{
  bool any;
  uint64_t first, highest; /* 48-bit indices */
  uint64_t received;
  uint64_t expected_before, received_before; /* at the last report */
  uint32_t clock_rate, transit;
  uint32_t jitter; /* 16 times the value, A.8 */
  uint32_t lsr;    /* middle of the last SR's NTP time, 0 for none, */
  uint64_t lsr_at; /* and when it came, ns */
} HubReception;

/* An authentic, new packet came at `now`, ns. */
void hub_reception_count (
    HubReception *r, uint64_t index, uint32_t timestamp, uint64_t now);
void hub_reception_sender (
    HubReception *r, const HubSenderInfo *info, uint64_t now);

/* The report, and with it a new interval begins. False when nothing has come yet. */
bool hub_reception_report (
    HubReception *r, uint32_t ssrc, uint64_t now, HubReport *report);

/* Packets lost so far; 0 when duplicates outnumber them. */
uint64_t hub_reception_lost (const HubReception *r);

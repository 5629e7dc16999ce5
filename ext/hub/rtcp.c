/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rtcp.h"

#define VERSION 2
#define SDES_CNAME 1
#define REPORT_LEN 24
#define SENDER_LEN 20
#define LOST_MAX 0x7fffff

/* --- Reading --- */

/* Its least body, behind the first word. */
static size_t
least_body (uint8_t type, uint8_t count)
{
  switch (type) {
    case HUB_RTCP_SR:
      return 4 + SENDER_LEN + REPORT_LEN * (size_t) count;
    case HUB_RTCP_RR:
      return 4 + REPORT_LEN * (size_t) count;
    case HUB_RTCP_SDES:
    case HUB_RTCP_BYE:
      return 4 * (size_t) count;
    case HUB_RTCP_RTPFB:
    case HUB_RTCP_PSFB:
      return 8;
    default:
      return 0;
  }
}

/* `body` without header and padding; false when there is no well-formed packet. */
static bool
take_packet (Reader *compound, HubRtcp *packet, bool *padded)
{
  uint8_t first = (uint8_t) reader_uint (compound, 1);
  packet->type = (uint8_t) reader_uint (compound, 1);
  packet->count = first & 0x1f;
  packet->body = reader_sub (compound, 4 * (size_t) reader_uint (compound, 2));
  *padded = first >> 5 & 1;
  if (compound->failed || packet->body.failed || first >> 6 != VERSION)
    return false;
  if (*padded) {
    size_t len = reader_left (&packet->body);
    size_t padding = len > 0 ? packet->body.end[-1] : 0;
    if (padding == 0 || padding > len || padding % 4 != 0)
      return false;
    packet->body.end -= padding;
  }
  return reader_left (&packet->body)
         >= least_body (packet->type, packet->count);
}

bool
hub_rtcp_check (const uint8_t *bytes, size_t len)
{
  Reader compound = reader_init (bytes, len);
  bool padded = false;
  HubRtcp packet;

  if (len == 0)
    return false;
  while (reader_left (&compound) > 0)
    if (padded || !take_packet (&compound, &packet, &padded))
      return false;
  return true;
}

bool
hub_rtcp_next (Reader *compound, HubRtcp *packet)
{
  bool padded;

  if (reader_left (compound) == 0 || !take_packet (compound, packet, &padded))
    return false;
  /* SDES and BYE are lists: their first SSRC may be missing, and is part of the list. */
  Reader first = packet->body;
  uint32_t ssrc = (uint32_t) reader_uint (&first, 4);
  packet->ssrc = first.failed ? 0 : ssrc;
  if (packet->type != HUB_RTCP_SDES && packet->type != HUB_RTCP_BYE
      && !first.failed)
    packet->body = first;
  return true;
}

bool
hub_rtcp_read_report (Reader *body, HubReport *report)
{
  report->ssrc = (uint32_t) reader_uint (body, 4);
  report->fraction = (uint8_t) reader_uint (body, 1);
  uint32_t lost = (uint32_t) reader_uint (body, 3);
  report->lost =
      (int32_t) lost - ((lost & 0x800000) ? (int32_t) 0x1000000 : 0);
  report->highest = (uint32_t) reader_uint (body, 4);
  report->jitter = (uint32_t) reader_uint (body, 4);
  report->lsr = (uint32_t) reader_uint (body, 4);
  report->dlsr = (uint32_t) reader_uint (body, 4);
  return !body->failed;
}

bool
hub_rtcp_read_sender (Reader *body, HubSenderInfo *info)
{
  const uint8_t *ntp = reader_take (body, sizeof info->ntp);
  if (ntp)
    memcpy (info->ntp, ntp, sizeof info->ntp);
  info->timestamp = (uint32_t) reader_uint (body, 4);
  info->packets = (uint32_t) reader_uint (body, 4);
  info->octets = (uint32_t) reader_uint (body, 4);
  return !body->failed;
}

const uint8_t *
hub_rtcp_find_cname (
    Reader chunks, uint8_t n_chunks, uint32_t ssrc, size_t *len)
{
  for (uint8_t i = 0; i < n_chunks; i++) {
    const uint8_t *start = chunks.at;
    uint32_t owner = (uint32_t) reader_uint (&chunks, 4);
    uint8_t item;
    while ((item = (uint8_t) reader_uint (&chunks, 1)) != 0) {
      size_t n = (size_t) reader_uint (&chunks, 1);
      const uint8_t *text = reader_take (&chunks, n);
      if (text && item == SDES_CNAME && owner == ssrc && n > 0
          && n <= HUB_CNAME_MAX) {
        *len = n;
        return text;
      }
    }
    if (chunks.failed)
      return NULL;
    /* A chunk ends at a 32-bit boundary. */
    reader_take (&chunks, (4 - (size_t) (chunks.at - start) % 4) % 4);
  }
  return NULL;
}

/* --- Writing --- */

static void
write_header (Writer *w, uint8_t count, uint8_t type, size_t body_len)
{
  writer_uint (w, (uint64_t) (VERSION << 6 | count), 1);
  writer_uint (w, type, 1);
  writer_uint (w, body_len / 4, 2);
}

void
hub_rtcp_write_rr (
    Writer *w, uint32_t ssrc, const HubReport *reports, size_t n)
{
  write_header (w, (uint8_t) n, HUB_RTCP_RR, 4 + REPORT_LEN * n);
  writer_uint (w, ssrc, 4);
  for (size_t i = 0; i < n; i++) {
    writer_uint (w, reports[i].ssrc, 4);
    writer_uint (w, reports[i].fraction, 1);
    writer_uint (w, (uint32_t) reports[i].lost & 0xffffff, 3);
    writer_uint (w, reports[i].highest, 4);
    writer_uint (w, reports[i].jitter, 4);
    writer_uint (w, reports[i].lsr, 4);
    writer_uint (w, reports[i].dlsr, 4);
  }
}

void
hub_rtcp_write_sr (Writer *w, uint32_t ssrc, const HubSenderInfo *info)
{
  write_header (w, 0, HUB_RTCP_SR, 4 + SENDER_LEN);
  writer_uint (w, ssrc, 4);
  writer_bytes (w, info->ntp, sizeof info->ntp);
  writer_uint (w, info->timestamp, 4);
  writer_uint (w, info->packets, 4);
  writer_uint (w, info->octets, 4);
}

void
hub_rtcp_write_cname (
    Writer *w, uint32_t ssrc, const uint8_t *cname, size_t len)
{
  static const uint8_t zeros[4];
  size_t used = 4 + 2 + len; /* SSRC and item; one zero at least ends it */
  size_t padding = 4 - used % 4;

  write_header (w, 1, HUB_RTCP_SDES, used + padding);
  writer_uint (w, ssrc, 4);
  writer_uint (w, SDES_CNAME, 1);
  writer_uint (w, len, 1);
  writer_bytes (w, cname, len);
  writer_bytes (w, zeros, padding);
}

void
hub_rtcp_write_pli (Writer *w, uint32_t ssrc, uint32_t media)
{
  write_header (w, HUB_PSFB_PLI, HUB_RTCP_PSFB, 8);
  writer_uint (w, ssrc, 4);
  writer_uint (w, media, 4);
}

void
hub_rtcp_write_nack (Writer *w, uint32_t ssrc, uint32_t media,
    const uint64_t *indices, size_t n)
{
  size_t entries = 0;

  for (size_t i = 0; i < n; entries++)
    for (uint64_t first = indices[i]; i < n && indices[i] - first <= 16; i++)
      ;
  write_header (w, HUB_RTPFB_NACK, HUB_RTCP_RTPFB, 8 + 4 * entries);
  writer_uint (w, ssrc, 4);
  writer_uint (w, media, 4);
  for (size_t i = 0; i < n;) {
    uint64_t first = indices[i++];
    uint32_t following = 0;
    for (; i < n && indices[i] - first <= 16; i++)
      following |= 1u << (indices[i] - first - 1);
    writer_uint (w, (uint16_t) first, 2);
    writer_uint (w, following, 2);
  }
}

/* --- Reception --- */

void
hub_reception_count (
    HubReception *r, uint64_t index, uint32_t timestamp, uint64_t now)
{
  /* ns to units of the timestamp without overflow: whole seconds and the rest. */
  uint64_t units = now / 1000000000u * r->clock_rate
                   + now % 1000000000u * r->clock_rate / 1000000000u;
  uint32_t transit = (uint32_t) units - timestamp;

  r->received++;
  if (!r->any) {
    r->any = true;
    r->first = r->highest = index;
    r->transit = transit;
    return;
  }
  if (index > r->highest)
    r->highest = index;
  if (index < r->first)
    r->first = index;
  uint32_t d = transit - r->transit;
  if (d & 0x80000000u)
    d = (uint32_t) -d;
  r->transit = transit;
  r->jitter += d - ((r->jitter + 8) >> 4); /* A.8, with integers */
}

void
hub_reception_sender (HubReception *r, const HubSenderInfo *info, uint64_t now)
{
  Reader ntp = reader_init (info->ntp, sizeof info->ntp);
  reader_take (&ntp, 2);
  r->lsr = (uint32_t) reader_uint (&ntp, 4);
  r->lsr_at = now;
}

static uint64_t
expected_of (const HubReception *r)
{
  return r->any ? r->highest - r->first + 1 : 0;
}

uint64_t
hub_reception_lost (const HubReception *r)
{
  uint64_t expected = expected_of (r);
  return expected > r->received ? expected - r->received : 0;
}

static uint8_t
fraction_of (uint64_t part, uint64_t whole)
{
  uint64_t fraction = part * 256 / whole;
  return fraction > 255 ? 255 : (uint8_t) fraction;
}

bool
hub_reception_report (
    HubReception *r, uint32_t ssrc, uint64_t now, HubReport *report)
{
  if (!r->any)
    return false;
  uint64_t expected = expected_of (r);
  uint64_t in_interval = expected - r->expected_before;
  uint64_t received = r->received - r->received_before;
  uint64_t lost = hub_reception_lost (r);

  r->expected_before = expected;
  r->received_before = r->received;
  *report = (HubReport){ .ssrc = ssrc,
    .fraction = in_interval > received && in_interval > 0
                    ? fraction_of (in_interval - received, in_interval)
                    : 0,
    .lost = lost > LOST_MAX ? LOST_MAX : (int32_t) lost,
    .highest = (uint32_t) r->highest,
    .jitter = r->jitter >> 4 };
  if (r->lsr_at != 0) {
    report->lsr = r->lsr;
    report->dlsr = (uint32_t) ((now - r->lsr_at) / 1000u * 65536u / 1000000u);
  }
  return true;
}

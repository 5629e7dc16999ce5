/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hop.h"
#include "transform.h"

#include "../sodium/reader.h"

#include <stdlib.h>

#define INDEX_LIMIT (UINT64_C (1) << 48)

struct SrtpHop
{
  void *gcm;
  /* One for all SSRCs: each sees it grow, and no more is asked of it (RFC 3711, 3.4). */
  uint32_t rtcp_index;
};

SrtpHop *
srtp_hop_new (Secret *key)
{
  SrtpConfig config;

  srtp_config_init (&config, SRTP_SEND);
  if (!key || secret_len (key) != srtp_config_key_len (&config))
    return NULL;
  SrtpHop *hop = calloc (1, sizeof *hop);
  if (!hop)
    return NULL;
  hop->gcm = srtp_gcm_transform.create (&config, secret_bytes (key), NULL);
  if (!hop->gcm) {
    free (hop);
    return NULL;
  }
  return hop;
}

void
srtp_hop_free (SrtpHop *hop)
{
  if (!hop)
    return;
  srtp_gcm_transform.destroy (hop->gcm);
  free (hop);
}

bool
srtp_hop_protect_rtp (SrtpHop *hop, uint64_t index, uint32_t ssrc,
    size_t head_len, const uint8_t *in, size_t len, uint8_t *out)
{
  SrtpPacket packet = { .ssrc = ssrc, .header_len = head_len, .index = index };
  return index < INDEX_LIMIT
         && srtp_gcm_transform.protect_rtp (hop->gcm, &packet, in, len, out);
}

bool
srtp_hop_protect_rtcp (
    SrtpHop *hop, const uint8_t *in, size_t len, uint8_t *out)
{
  Reader r = reader_init (in, len);
  reader_take (&r, 4);
  SrtpPacket packet = { .ssrc = (uint32_t) reader_uint (&r, 4),
    .header_len = 8 };

  if (r.failed || hop->rtcp_index >= SRTP_RTCP_LIFETIME - 1)
    return false;
  packet.index = ++hop->rtcp_index;
  return srtp_gcm_transform.protect_rtcp (hop->gcm, &packet, in, len, out);
}

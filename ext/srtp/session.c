/* A session's life: settings, what it is told, what it tells about itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session.h"
#include "internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

SrtpSession *
srtp_session_new (const SrtpConfig *config, const SrtpSession *previous)
{
  if (srtp_config_problem (config))
    return NULL;
  SrtpSession *session = calloc (1, sizeof *session);
  if (!session)
    return NULL;

  bool gcm = srtp_cipher_is_gcm (config->rtp_cipher)
             && srtp_cipher_is_gcm (config->rtcp_cipher);
  session->config = *config;
  session->transform = gcm && config->backend != SRTP_BACKEND_LIBSRTP2
                           ? &srtp_gcm_transform
                           : &srtp_libsrtp2_transform;
  session->overhead[RTP] = srtp_tag_len (config->rtp_cipher, config->rtp_auth);
  session->overhead[RTCP] =
      srtp_tag_len (config->rtcp_cipher, config->rtcp_auth) + 4;
  session->window = config->window;

  session->tellable = SRTP_MAX_STRANGERS;
  if (previous
      && (!keys_count_as_replaced (session, previous)
          || !streams_carry_told (session, previous))) {
    srtp_session_free (session);
    return NULL;
  }
  return session;
}

void
srtp_session_free (SrtpSession *session)
{
  if (!session)
    return;
  keys_wipe (session);
  streams_clear (session);
  strangers_clear (session);
  replaced_clear (&session->replaced);
  if (session->scratch)
    sodium_memzero (session->scratch, SRTP_MAX_PACKET);
  free (session->scratch);
  free (session);
}

const SrtpConfig *
srtp_session_config (const SrtpSession *session)
{
  return &session->config;
}

void
srtp_session_set_limits (
    SrtpSession *session, size_t window, size_t max_ssrcs, uint64_t lifetime)
{
  session->config.window = window;
  session->config.max_ssrcs = max_ssrcs;
  session->config.lifetime = lifetime;
}

bool
srtp_session_is_spent (const SrtpSession *session, bool rtcp)
{
  bool any = false;

  for (size_t i = 0; i < SRTP_MAX_KEYS; i++) {
    if (!session->keys[i].state)
      continue;
    if (session->keys[i].left[rtcp ? RTCP : RTP] > 0)
      return false;
    any = true;
  }
  return any;
}

size_t
srtp_session_rtp_overhead (const SrtpSession *session)
{
  return session->overhead[RTP] + session->mki_len;
}

size_t
srtp_session_rtcp_overhead (const SrtpSession *session)
{
  return session->overhead[RTCP] + session->mki_len;
}

bool
srtp_session_get_index (
    const SrtpSession *session, uint32_t ssrc, uint64_t *index)
{
  const SrtpStream *stream = stream_find (session, ssrc);
  if (!stream || stream->at.knowledge == STREAM_FRESH)
    return false;
  *index = stream->at.reference;
  return true;
}

static SrtpResult
find_or_make (SrtpSession *session, uint32_t ssrc, SrtpStream **stream)
{
  *stream = stream_find (session, ssrc);
  return *stream ? SRTP_OK : stream_make (session, ssrc, stream);
}

SrtpResult
srtp_session_set_index (SrtpSession *session, uint32_t ssrc, uint64_t index)
{
  SrtpStream *stream;

  if (index >= SRTP_RTP_LIFETIME)
    return SRTP_TOO_OLD;
  SrtpResult result = find_or_make (session, ssrc, &stream);
  if (result != SRTP_OK)
    return result;
  if (stream->any && index < stream->top)
    return SRTP_TOO_OLD;
  bool live = stream->any && index == stream->top;
  stream->at.knowledge = live ? STREAM_SEEN : STREAM_INDEX_TOLD;
  stream->at.reference = index;
  stream->driven = 0xff;
  return SRTP_OK;
}

SrtpResult
srtp_session_set_roc (SrtpSession *session, uint32_t ssrc, uint32_t roc)
{
  SrtpStream *stream;
  SrtpResult result = find_or_make (session, ssrc, &stream);
  if (result != SRTP_OK)
    return result;
  if (stream->any && roc < stream->top >> 16)
    return SRTP_TOO_OLD;
  /* Back to where it stands: whatever was told meanwhile does not hold. */
  bool live = stream->any && roc == stream->top >> 16;
  stream->at.knowledge = live ? STREAM_SEEN : STREAM_ROC_TOLD;
  stream->at.reference = live ? stream->top : (uint64_t) roc << 16;
  stream->driven = 0xff;
  return SRTP_OK;
}

void
srtp_session_stats (const SrtpSession *session, SrtpStats *out)
{
  *out = (SrtpStats){ .counters = session->counters,
    .others = session->others,
    .n_streams = session->n_streams + session->stranger_table.n };
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    out->n_keys += session->keys[i].state != NULL;
}

size_t
srtp_session_stream_stats (
    const SrtpSession *session, SrtpStreamStats *out, size_t room)
{
  size_t n = 0;
  for (size_t i = 0; i < session->n_streams && n < room; i++) {
    const SrtpStream *s = &session->streams[i];
    out[n++] = (SrtpStreamStats){ .ssrc = s->ssrc,
      .authentic = s->authentic,
      .has_index = s->at.knowledge != STREAM_FRESH,
      .index = s->at.reference,
      .rtcp_index = s->at.rtcp_top,
      .counters = s->account.counters };
  }
  for (size_t i = 0; session->strangers && i < SRTP_MAX_STRANGERS && n < room;
       i++)
    if (session->strangers[i].used)
      out[n++] = (SrtpStreamStats){ .ssrc = session->strangers[i].ssrc,
        .counters = session->strangers[i].account.counters };
  return n;
}

SrtpStreamStats *
srtp_session_snapshot (const SrtpSession *session, SrtpStats *all, size_t *n)
{
  srtp_session_stats (session, all);
  SrtpStreamStats *streams =
      malloc ((all->n_streams > 0 ? all->n_streams : 1) * sizeof *streams);
  *n = streams ? srtp_session_stream_stats (session, streams, all->n_streams)
               : 0;
  return streams;
}

size_t
srtp_session_memory (const SrtpSession *session)
{
  return sizeof *session + replaced_memory (&session->replaced)
         + streams_memory (session) + (session->scratch ? SRTP_MAX_PACKET : 0);
}

/* A session's life: settings, keys, what it tells about itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session.h"
#include "internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static bool
remember_spent (SrtpSession *session, const uint8_t *fingerprint)
{
  uint8_t *spent =
      realloc (session->spent, (session->n_spent + 1) * FINGERPRINT_LEN);
  if (!spent)
    return false;
  session->spent = spent;
  memcpy (spent + session->n_spent++ * FINGERPRINT_LEN, fingerprint,
      FINGERPRINT_LEN);
  return true;
}

static bool
is_spent (const SrtpSession *session, const uint8_t *fingerprint)
{
  for (size_t i = 0; i < session->n_spent; i++)
    if (memcmp (
            session->spent + i * FINGERPRINT_LEN, fingerprint, FINGERPRINT_LEN)
        == 0)
      return true;
  return false;
}

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

  bool ok = true;
  for (size_t i = 0; previous && i < previous->n_spent; i++)
    ok &= remember_spent (session, previous->spent + i * FINGERPRINT_LEN);
  for (size_t i = 0; previous && i < SRTP_MAX_KEYS; i++)
    if (previous->keys[i].transform)
      ok &= remember_spent (session, previous->keys[i].fingerprint);
  if (!ok) {
    srtp_session_free (session);
    return NULL;
  }
  return session;
}

static void
key_wipe (SrtpKey *key)
{
  if (key->transform)
    key->transform->destroy (key->state);
  free (key->mki);
  *key = (SrtpKey){ 0 };
}

void
srtp_session_free (SrtpSession *session)
{
  if (!session)
    return;
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    key_wipe (&session->keys[i]);
  streams_clear (session);
  free (session->spent);
  free (session->strangers);
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

/* Frees the slot; what it was used with is remembered, so that the key does not come back. */
void
key_drop (SrtpSession *session, SrtpKey *key)
{
  uint8_t bit = (uint8_t) (1u << (key - session->keys));

  if (!key->transform)
    return;
  for (size_t i = 0; i < session->n_streams; i++) {
    session->streams[i].known &= (uint8_t) ~bit;
    session->streams[i].driven &= (uint8_t) ~bit;
  }
  /* Short of memory the key is not remembered: a new session (and its keys) would be impossible as well. */
  (void) remember_spent (session, key->fingerprint);
  key_wipe (key);
}

uint32_t
oldest_key (const SrtpSession *session)
{
  uint32_t oldest = session->newest + 1;
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    if (session->keys[i].transform && session->keys[i].serial < oldest)
      oldest = session->keys[i].serial;
  return oldest;
}

static SrtpKey *
find_key (SrtpSession *session, const uint8_t *fingerprint)
{
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    if (session->keys[i].transform
        && memcmp (session->keys[i].fingerprint, fingerprint, FINGERPRINT_LEN)
               == 0)
      return &session->keys[i];
  return NULL;
}

/* A new SrtpKey in `out`, not yet in the session. */
static SrtpResult
make_key (SrtpSession *session, Secret *key, const void *mki, size_t mki_len,
    SrtpKey *previous, SrtpKey *out)
{
  uint64_t lifetime = session->config.lifetime;

  *out = (SrtpKey){ .serial = session->newest + 1 };
  if (mki_len > 0) {
    out->mki = malloc (mki_len);
    if (!out->mki)
      return SRTP_FAILED;
    memcpy (out->mki, mki, mki_len);
  }
  out->left[RTP] = lifetime;
  out->left[RTCP] =
      lifetime < SRTP_RTCP_LIFETIME ? lifetime : SRTP_RTCP_LIFETIME;
  for (int i = RTP; i <= RTCP; i++)
    out->soft[i] = out->left[i] >> 4;
  SrtpConfig config = session->config;
  config.window = session->window;
  out->state = session->transform->create (
      &config, secret_bytes (key), previous ? previous->state : NULL);
  if (!out->state) {
    free (out->mki);
    return SRTP_FAILED;
  }
  out->transform = session->transform;
  return SRTP_OK;
}

static SrtpResult
check_key (const SrtpSession *session, Secret *key, const void *mki,
    size_t mki_len, uint8_t *fingerprint)
{
  if (!key || secret_len (key) != srtp_config_key_len (&session->config)
      || mki_len > SRTP_MAX_MKI || (mki_len > 0 && !mki))
    return SRTP_BAD_KEY;
  crypto_generichash (fingerprint, FINGERPRINT_LEN, secret_bytes (key),
      secret_len (key), NULL, 0);
  return is_spent (session, fingerprint) ? SRTP_KEY_REUSED : SRTP_OK;
}

/* The key is in force already: at most its MKI is new. */
static SrtpResult
keep_key (SrtpSession *session, SrtpKey *key, const void *mki, size_t mki_len)
{
  uint8_t *copy = NULL;
  if (mki_len > 0) {
    copy = malloc (mki_len);
    if (!copy)
      return SRTP_FAILED;
    memcpy (copy, mki, mki_len);
  }
  free (key->mki);
  key->mki = copy;
  session->mki_len = mki_len;
  return SRTP_OK;
}

SrtpResult
srtp_session_set_key (
    SrtpSession *session, Secret *key, const void *mki, size_t mki_len)
{
  uint8_t fingerprint[FINGERPRINT_LEN];
  SrtpKey fresh;

  SrtpResult result = check_key (session, key, mki, mki_len, fingerprint);
  if (result != SRTP_OK)
    return result;
  SrtpKey *same = find_key (session, fingerprint);
  if (same) {
    for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
      if (&session->keys[i] != same)
        key_drop (session, &session->keys[i]);
    return keep_key (session, same, mki, mki_len);
  }

  size_t window = session->window;
  session->window = session->config.window;
  result = make_key (session, key, mki, mki_len, NULL, &fresh);
  if (result != SRTP_OK) {
    session->window = window;
    return result;
  }
  srtp_session_clear_keys (session);
  memcpy (fresh.fingerprint, fingerprint, sizeof fingerprint);
  session->keys[0] = fresh;
  session->newest = fresh.serial;
  session->under_newest = 0;
  session->mki_len = mki_len;
  return SRTP_OK;
}

SrtpResult
srtp_session_rekey (
    SrtpSession *session, Secret *key, const void *mki, size_t mki_len)
{
  uint8_t fingerprint[FINGERPRINT_LEN];
  SrtpKey fresh, *slot = NULL;

  if (!srtp_session_has_key (session))
    return srtp_session_set_key (session, key, mki, mki_len);
  SrtpResult result = check_key (session, key, mki, mki_len, fingerprint);
  if (result != SRTP_OK)
    return result;
  if (mki_len != session->mki_len)
    return SRTP_BAD_KEY;
  if (find_key (session, fingerprint))
    return SRTP_KEY_REUSED;

  /* A sender has one key, in its first slot, and its transform may carry over what it counts. */
  SrtpKey *previous =
      session->config.direction == SRTP_SEND ? &session->keys[0] : NULL;
  result = make_key (session, key, mki, mki_len, previous, &fresh);
  if (result != SRTP_OK)
    return result;
  memcpy (fresh.fingerprint, fingerprint, sizeof fingerprint);
  if (previous) {
    (void) remember_spent (session, previous->fingerprint);
    key_wipe (previous);
    slot = previous;
  }
  for (size_t i = 0; !slot && i < SRTP_MAX_KEYS; i++)
    if (!session->keys[i].transform)
      slot = &session->keys[i];
  for (size_t i = 0; !slot && i < SRTP_MAX_KEYS; i++)
    if (session->keys[i].serial == oldest_key (session))
      slot = &session->keys[i];
  key_drop (session, slot);
  *slot = fresh;
  session->newest = fresh.serial;
  session->under_newest = 0;
  return SRTP_OK;
}

void
srtp_session_clear_keys (SrtpSession *session)
{
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    key_drop (session, &session->keys[i]);
  streams_clear (session);
  free (session->strangers);
  session->strangers = NULL;
}

bool
srtp_session_has_key (const SrtpSession *session)
{
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    if (session->keys[i].transform)
      return true;
  return false;
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
  if (!stream || stream->knowledge == STREAM_FRESH)
    return false;
  *index = stream->reference;
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
  if (stream->knowledge != STREAM_SEEN)
    stream->knowledge = STREAM_INDEX_TOLD;
  stream->reference = index;
  stream->driven = 0xff;
  return SRTP_OK;
}

SrtpResult
srtp_session_set_roc (SrtpSession *session, uint32_t ssrc, uint32_t roc)
{
  SrtpStream *stream;
  uint64_t index = (uint64_t) roc << 16;

  SrtpResult result = find_or_make (session, ssrc, &stream);
  if (result != SRTP_OK)
    return result;
  if (stream->any && roc <= stream->top >> 16)
    return roc == stream->top >> 16 ? SRTP_OK : SRTP_TOO_OLD;
  stream->knowledge = STREAM_ROC_TOLD;
  stream->reference = index;
  stream->driven = 0xff;
  return SRTP_OK;
}

void
srtp_session_stats (const SrtpSession *session, SrtpStats *out)
{
  *out = (SrtpStats){ .counters = session->counters,
    .n_streams = session->n_streams };
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    out->n_keys += session->keys[i].transform != NULL;
  for (size_t i = 0; session->strangers && i < SRTP_MAX_STRANGERS; i++)
    out->n_streams += session->strangers[i].used;
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
      .has_index = s->knowledge != STREAM_FRESH,
      .index = s->reference,
      .rtcp_index = s->rtcp_top,
      .counters = s->counters };
  }
  for (size_t i = 0; session->strangers && i < SRTP_MAX_STRANGERS && n < room;
       i++)
    if (session->strangers[i].used)
      out[n++] = (SrtpStreamStats){ .ssrc = session->strangers[i].ssrc,
        .counters = session->strangers[i].counters };
  return n;
}

size_t
srtp_session_memory (const SrtpSession *session)
{
  size_t bytes = sizeof *session + session->n_spent * FINGERPRINT_LEN
                 + session->room * sizeof (SrtpStream)
                 + session->table_size * sizeof *session->table;
  for (size_t i = 0; i < session->n_streams; i++)
    bytes += session->streams[i].window / 8
             + (session->streams[i].seen[RTCP] ? SRTP_RTCP_WINDOW / 8 : 0);
  if (session->strangers)
    bytes += SRTP_MAX_STRANGERS * sizeof (SrtpStranger);
  return bytes + (session->scratch ? SRTP_MAX_PACKET : 0);
}

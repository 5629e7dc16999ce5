/* A session's master keys: set, changed, retired, remembered.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void
key_wipe (const SrtpSession *session, SrtpKey *key)
{
  if (key->state)
    session->transform->destroy (key->state);
  free (key->mki);
  *key = (SrtpKey){ 0 };
}

void
keys_wipe (SrtpSession *session)
{
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    key_wipe (session, &session->keys[i]);
}

/* Frees the slot. What it was used with is remembered, so that the key does not come back; make_key() has seen to the
 * room. */
void
key_drop (SrtpSession *session, SrtpKey *key)
{
  if (key->serial == 0)
    return;
  streams_forget_key (session, (size_t) (key - session->keys));
  if (key->used)
    replaced_add (&session->replaced, key->fingerprint);
  key_wipe (session, key);
}

/* What `from` has replaced or has in use counts as replaced in `session`, which is new. */
bool
keys_count_as_replaced (SrtpSession *session, const SrtpSession *from)
{
  if (!replaced_copy (&session->replaced, &from->replaced)
      || !replaced_reserve (&session->replaced, SRTP_MAX_KEYS))
    return false;
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    if (from->keys[i].used)
      replaced_add (&session->replaced, from->keys[i].fingerprint);
  return true;
}

uint32_t
oldest_key (const SrtpSession *session)
{
  uint32_t oldest = session->newest + 1;
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    if (session->keys[i].serial != 0 && session->keys[i].serial < oldest)
      oldest = session->keys[i].serial;
  return oldest;
}

static SrtpKey *
key_of_serial (SrtpSession *session, uint32_t serial)
{
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    if (session->keys[i].serial == serial)
      return &session->keys[i];
  return NULL;
}

static SrtpKey *
find_key (SrtpSession *session, const uint8_t *fingerprint)
{
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    if (session->keys[i].serial != 0
        && memcmp (session->keys[i].fingerprint, fingerprint, FINGERPRINT_LEN)
               == 0)
      return &session->keys[i];
  return NULL;
}

static bool
copy_mki (const void *mki, size_t mki_len, uint8_t **out)
{
  *out = NULL;
  if (mki_len == 0)
    return true;
  *out = malloc (mki_len);
  if (*out)
    memcpy (*out, mki, mki_len);
  return *out != NULL;
}

static void *
make_state (SrtpSession *session, Secret *key, size_t window, void *previous)
{
  SrtpConfig config = session->config;
  config.window = window;
  return session->transform->create (&config, secret_bytes (key), previous);
}

/* A new SrtpKey in `out`, not yet in the session. `previous`: NULL, or the key that a sender leaves. */
static SrtpResult
make_key (SrtpSession *session, Secret *key, const uint8_t *fingerprint,
    const void *mki, size_t mki_len, size_t window, SrtpKey *previous,
    SrtpKey *out)
{
  uint64_t lifetime = session->config.lifetime;

  *out = (SrtpKey){ .serial = session->newest + 1, .last_use = session->good };
  memcpy (out->fingerprint, fingerprint, FINGERPRINT_LEN);
  out->left[RTP] = lifetime;
  out->left[RTCP] =
      lifetime < SRTP_RTCP_LIFETIME ? lifetime : SRTP_RTCP_LIFETIME;
  for (int i = RTP; i <= RTCP; i++)
    out->soft[i] = out->left[i] >> 4;
  if (!replaced_reserve (&session->replaced, SRTP_MAX_KEYS + 1)
      || !copy_mki (mki, mki_len, &out->mki))
    return SRTP_FAILED;
  out->state =
      make_state (session, key, window, previous ? previous->state : NULL);
  if (!out->state) {
    free (out->mki);
    return SRTP_FAILED;
  }
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
  return replaced_has (&session->replaced, fingerprint) ? SRTP_KEY_REUSED
                                                        : SRTP_OK;
}

/* The key is the newest already: at most its MKI is new; and if it was retired, it is in force again, with the streams
 * that it left behind. */
static SrtpResult
keep_key (SrtpSession *session, SrtpKey *keep, Secret *key, const void *mki,
    size_t mki_len)
{
  uint8_t *copy;

  if (!replaced_reserve (&session->replaced, SRTP_MAX_KEYS)
      || !copy_mki (mki, mki_len, &copy))
    return SRTP_FAILED;
  if (!keep->state)
    keep->state = make_state (session, key, session->window, NULL);
  if (!keep->state) {
    free (copy);
    return SRTP_FAILED;
  }
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    if (&session->keys[i] != keep)
      key_drop (session, &session->keys[i]);
  free (keep->mki);
  keep->mki = copy;
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
  if (same)
    return same->serial == session->newest
               ? keep_key (session, same, key, mki, mki_len)
               : SRTP_KEY_REUSED;

  result = make_key (session, key, fingerprint, mki, mki_len,
      session->config.window, NULL, &fresh);
  if (result != SRTP_OK)
    return result;
  session->window = session->config.window;
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    key_drop (session, &session->keys[i]);
  session->keys[0] = fresh;
  session->newest = fresh.serial;
  session->under_newest = 0;
  session->mki_len = mki_len;
  streams_start_anew (session);
  strangers_clear (session);
  return SRTP_OK;
}

/* Whether dropping `key` would cut somebody off: a stream has not left it, and not because it is silent. How long is
 * silent, where there is no clock, the packets of the others must tell. */
static bool
key_in_use (const SrtpSession *session, const SrtpKey *key)
{
  uint64_t active = 0, silent;
  bool left = true;

  for (size_t i = 0; i < session->n_streams; i++) {
    const SrtpStream *stream = &session->streams[i];
    const uint32_t *serial = stream->key_serial;
    left &= (serial[RTP] > serial[RTCP] ? serial[RTP] : serial[RTCP])
            != key->serial;
    active += stream->alive == session->newest;
  }
  silent = SRTP_KEY_SILENT * (active > 0 ? active : session->n_streams);
  if (silent > SRTP_KEY_LINGER)
    silent = SRTP_KEY_LINGER;
  return key->used && !left && session->good - key->last_use < silent;
}

/* Where a receiver's next key goes: a free slot, or that of the oldest key if it is done. NULL if it is not. */
static SrtpKey *
slot_for_next (SrtpSession *session)
{
  SrtpKey *slot = key_of_serial (session, 0);
  if (slot)
    return slot;
  slot = key_of_serial (session, oldest_key (session));
  return key_in_use (session, slot) ? NULL : slot;
}

SrtpResult
srtp_session_rekey (
    SrtpSession *session, Secret *key, const void *mki, size_t mki_len)
{
  bool sending = session->config.direction == SRTP_SEND;
  uint8_t fingerprint[FINGERPRINT_LEN];
  SrtpKey fresh;

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
  SrtpKey *slot = sending ? &session->keys[0] : slot_for_next (session);
  if (!slot)
    return SRTP_TOO_MANY_KEYS;

  result = make_key (session, key, fingerprint, mki, mki_len, session->window,
      sending ? slot : NULL, &fresh);
  if (result != SRTP_OK)
    return result;
  if (sending) {
    if (slot->used)
      replaced_add (&session->replaced, slot->fingerprint);
    key_wipe (session, slot); /* but not what its transform knows of streams */
  } else {
    key_drop (session, slot);
  }
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
  streams_start_anew (session);
  strangers_clear (session);
}

void
srtp_session_retire (SrtpSession *session)
{
  if (session->config.direction == SRTP_SEND) {
    srtp_session_clear_keys (session);
    return;
  }
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++) {
    SrtpKey *key = &session->keys[i];
    if (key->serial != session->newest) {
      key_drop (session, key);
    } else if (key->state) {
      streams_forget_key (session, i);
      session->transform->destroy (key->state);
      key->state = NULL;
    }
  }
  strangers_clear (session);
  if (session->scratch)
    sodium_memzero (session->scratch, SRTP_MAX_PACKET);
  free (session->scratch);
  session->scratch = NULL;
}

bool
srtp_session_has_key (const SrtpSession *session)
{
  for (size_t i = 0; i < SRTP_MAX_KEYS; i++)
    if (session->keys[i].state)
      return true;
  return false;
}

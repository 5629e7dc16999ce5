/* SRTP by libsrtp2: every suite, with one libsrtp2 session per master key.
 *
 * libsrtp2 estimates indices, remembers replays and numbers SRTCP by itself. The session, which decides those things
 * before, sees the same packets and so comes to the same results; where it knows better (a ROC that was told, a jump),
 * it drives libsrtp2 by setting the ROC before each packet of that SSRC.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transform.h"

#include <limits.h>
#include <srtp2/crypto_types.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

typedef struct
{
  srtp_t context;
  srtp_t
      clear; /* receiving: made for the first SRTCP packet with E = 0, which libsrtp2 refuses in the other one */
  Secret *key;
  SrtpConfig config;
} Lib;

static once_flag init_once = ONCE_FLAG_INIT;

/* It fails when somebody else in the process, such as GStreamer's own SRTP plugin, was first, and then is not needed. If
 * it was needed, srtp_create() fails. */
static void
init_libsrtp2 (void)
{
  (void) srtp_init ();
}

static void
fill_policy (srtp_crypto_policy_t *out, SrtpCipher cipher, SrtpAuth auth,
    srtp_sec_serv_t services)
{
  static const srtp_cipher_type_id_t types[] = {
    [SRTP_AES_256_GCM] = SRTP_AES_GCM_256,
    [SRTP_AES_128_GCM] = SRTP_AES_GCM_128,
    [SRTP_AES_256_ICM] = SRTP_AES_ICM_256,
    [SRTP_AES_128_ICM] = SRTP_AES_ICM_128,
  };
  bool gcm = srtp_cipher_is_gcm (cipher);

  out->cipher_type = types[cipher];
  out->cipher_key_len =
      (int) (srtp_cipher_key_len (cipher) + srtp_cipher_salt_len (cipher));
  out->auth_type = gcm ? SRTP_NULL_AUTH : SRTP_HMAC_SHA1;
  out->auth_key_len = gcm ? 0 : 20;
  out->auth_tag_len = (int) srtp_tag_len (cipher, auth);
  out->sec_serv = services;
}

static srtp_policy_t
make_policy (const SrtpConfig *config, const uint8_t *key, bool clear_rtcp)
{
  srtp_policy_t policy = { 0 };
  fill_policy (&policy.rtp, config->rtp_cipher, config->rtp_auth,
      sec_serv_conf_and_auth);
  fill_policy (&policy.rtcp, config->rtcp_cipher, config->rtcp_auth,
      clear_rtcp ? sec_serv_auth : sec_serv_conf_and_auth);
  policy.ssrc.type =
      config->direction == SRTP_SEND ? ssrc_any_outbound : ssrc_any_inbound;
  policy.key =
      (unsigned char *) (uintptr_t) key; /* copied; not const by oversight */
  policy.window_size = config->window;
  return policy;
}

static void
lib_destroy (void *state)
{
  Lib *lib = state;
  if (lib->context)
    srtp_dealloc (lib->context); /* wipes its keys */
  if (lib->clear)
    srtp_dealloc (lib->clear);
  secret_unref (lib->key);
  free (lib);
}

static void *
lib_create (const SrtpConfig *config, const uint8_t *key, void *previous)
{
  Lib *lib = calloc (1, sizeof *lib), *old = previous;
  if (!lib)
    return NULL;

  call_once (&init_once, init_libsrtp2);
  lib->config = *config;
  lib->key = secret_copy (key, srtp_config_key_len (config));
  if (!lib->key) {
    lib_destroy (lib);
    return NULL;
  }

  srtp_policy_t policy = make_policy (config, key, config->clear_rtcp);
  bool ok;
  if (old && old->context) {
    /* RFC 3711, 3.4: "after a re-key, the SRTCP index MUST NOT be reset to zero again": it goes on with the context. */
    ok = srtp_update (old->context, &policy) == srtp_err_status_ok;
    if (ok) {
      lib->context = old->context;
      old->context = NULL;
    }
  } else {
    ok = srtp_create (&lib->context, &policy) == srtp_err_status_ok;
  }
  if (!ok) {
    lib->context = NULL;
    lib_destroy (lib);
    return NULL;
  }
  return lib;
}

/* libsrtp2 knows no way to say with which ROC the stream of a template begins. A packet that is thrown away makes the
 * stream: its nonce (index 0) is behind all that will be sent. */
static bool
make_outbound_stream (Lib *lib, uint32_t ssrc)
{
  uint8_t packet[12 + SRTP_MAX_TRAILER_LEN] = { 0x80, 0, 0, 0, 0, 0, 0, 0,
    (uint8_t) (ssrc >> 24), (uint8_t) (ssrc >> 16), (uint8_t) (ssrc >> 8),
    (uint8_t) ssrc };
  int len = 12;
  return srtp_protect (lib->context, packet, &len) == srtp_err_status_ok;
}

static bool
make_inbound_stream (Lib *lib, uint32_t ssrc)
{
  srtp_policy_t policy =
      make_policy (&lib->config, secret_bytes (lib->key), false);
  policy.ssrc.type = ssrc_specific;
  policy.ssrc.value = ssrc;
  return srtp_add_stream (lib->context, &policy) == srtp_err_status_ok;
}

/* Has libsrtp2 come to the index that the session has decided. */
static bool
drive (Lib *lib, SrtpPacket *packet)
{
  uint32_t roc = (uint32_t) (packet->index >> 16);

  if (!packet->known && roc > 0) {
    /* Its SRTCP may have made the stream already. */
    bool made = srtp_set_stream_roc (lib->context, packet->ssrc, roc)
                == srtp_err_status_ok;
    if (!made && lib->config.direction == SRTP_SEND)
      made = make_outbound_stream (lib, packet->ssrc);
    else if (!made)
      made = make_inbound_stream (lib, packet->ssrc);
    if (!made)
      return false;
    packet->known = packet->driven = true;
  }
  if (packet->known && packet->driven)
    return srtp_set_stream_roc (lib->context, packet->ssrc, roc)
           == srtp_err_status_ok;
  return true;
}

static bool
lib_protect_rtp (void *state, SrtpPacket *packet, const uint8_t *in,
    size_t len, uint8_t *out)
{
  Lib *lib = state;
  int n = (int) len;

  if (!drive (lib, packet))
    return false;
  if (in != out)
    memcpy (out, in, len);
  return srtp_protect (lib->context, out, &n) == srtp_err_status_ok;
}

static bool
lib_protect_rtcp (void *state, SrtpPacket *packet, const uint8_t *in,
    size_t len, uint8_t *out)
{
  Lib *lib = state;
  int n = (int) len;

  if (in != out)
    memcpy (out, in, len);
  return srtp_protect_rtcp (lib->context, out, &n) == srtp_err_status_ok;
}

static SrtpResult
result_of (srtp_err_status_t status)
{
  switch (status) {
    case srtp_err_status_ok:
      return SRTP_OK;
    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
    case srtp_err_status_pkt_idx_old:
      return SRTP_REPLAYED;
    case srtp_err_status_alloc_fail:
      return SRTP_FAILED;
    default: /* how a wrong GCM tag is told differs between its cryptographic libraries */
      return SRTP_UNAUTHENTIC;
  }
}

static SrtpResult
lib_unprotect_rtp (void *state, SrtpPacket *packet, const uint8_t *in,
    size_t len, uint8_t *out)
{
  Lib *lib = state;
  int n = (int) len;

  if (!drive (lib, packet))
    return SRTP_FAILED;
  if (in != out)
    memcpy (out, in, len);
  return result_of (srtp_unprotect (lib->context, out, &n));
}

static SrtpResult
lib_unprotect_rtcp (void *state, SrtpPacket *packet, const uint8_t *in,
    size_t len, uint8_t *out)
{
  Lib *lib = state;
  int n = (int) len;
  size_t word = len - 4;
  srtp_t context = lib->context;

  if (!srtp_cipher_is_gcm (lib->config.rtcp_cipher)) {
    word -= srtp_tag_len (lib->config.rtcp_cipher, lib->config.rtcp_auth);
    if (!(in[word] & 0x80)) {
      srtp_policy_t policy =
          make_policy (&lib->config, secret_bytes (lib->key), true);
      if (!lib->clear
          && srtp_create (&lib->clear, &policy) != srtp_err_status_ok) {
        lib->clear = NULL;
        return SRTP_FAILED;
      }
      context = lib->clear;
    }
  }
  if (in != out)
    memcpy (out, in, len);
  return result_of (srtp_unprotect_rtcp (context, out, &n));
}

const SrtpTransform srtp_libsrtp2_transform = {
  lib_create,
  lib_destroy,
  lib_protect_rtp,
  lib_protect_rtcp,
  lib_unprotect_rtp,
  lib_unprotect_rtcp,
};

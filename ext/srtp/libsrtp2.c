/* SRTP by libsrtp2: every suite, with one libsrtp2 session per master key.
 *
 * libsrtp2 estimates indices, remembers replays and numbers SRTCP by itself. The session, which decides those things
 * before, sees the same packets and so comes to the same results; where it knows better (a ROC that was told, a jump),
 * it drives libsrtp2 by setting the ROC before each packet of that SSRC.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transform.h"

#include "../sodium/reader.h"

#include <arpa/inet.h>
#include <srtp2/crypto_types.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#define MAX_RTCP_RESUMED                                                      \
  4096 /* ours: packets made in vain, at a microsecond or two each */

typedef struct
{
  srtp_t context;
  srtp_t
      clear; /* receiving: made for the first SRTCP packet with E = 0, which libsrtp2 refuses in the other one */
  Secret *key;
  SrtpConfig config;
  size_t rtcp_tag; /* bytes */
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
  lib->rtcp_tag = srtp_tag_len (config->rtcp_cipher, config->rtcp_auth);
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

/* libsrtp2 knows no way either to say with which SRTCP index a stream goes on: packets that are thrown away count it up. */
static bool
count_up_rtcp (Lib *lib, uint32_t ssrc, uint32_t index)
{
  bool ok = true;
  for (uint32_t i = 0; ok && i < index; i++) {
    uint8_t packet[8 + SRTP_MAX_TRAILER_LEN + 4] = { 0x80, 201, 0, 1,
      (uint8_t) (ssrc >> 24), (uint8_t) (ssrc >> 16), (uint8_t) (ssrc >> 8),
      (uint8_t) ssrc };
    int len = 8;
    ok = srtp_protect_rtcp (lib->context, packet, &len) == srtp_err_status_ok;
  }
  return ok;
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

static bool
has_stream (const Lib *lib, uint32_t ssrc)
{
  uint32_t roc;
  return srtp_get_stream_roc (lib->context, ssrc, &roc) == srtp_err_status_ok;
}

/* Has libsrtp2 come to the index that the session has decided. */
static bool
drive (Lib *lib, SrtpPacket *packet)
{
  uint32_t roc = (uint32_t) (packet->index >> 16);

  if (!packet->known && roc > 0) {
    /* Receiving: its SRTCP may have made the stream already. */
    if (!has_stream (lib, packet->ssrc)
        && !(lib->config.direction == SRTP_SEND
                 ? make_outbound_stream (lib, packet->ssrc)
                 : make_inbound_stream (lib, packet->ssrc)))
      return false;
    packet->known = packet->driven = true;
  }
  if (packet->known && packet->driven)
    return srtp_set_stream_roc (lib->context, packet->ssrc, roc)
           == srtp_err_status_ok;
  return true;
}

/* A stream that goes on in this context, which has not seen it. */
static bool
resume_rtcp (Lib *lib, const SrtpPacket *packet)
{
  return packet->known || packet->rtcp_before == 0
         || has_stream (lib, packet->ssrc)
         || count_up_rtcp (lib, packet->ssrc, packet->rtcp_before);
}

static bool
lib_protect_rtp (void *state, SrtpPacket *packet, const uint8_t *in,
    size_t len, uint8_t *out)
{
  Lib *lib = state;
  int n = (int) len;

  if (!resume_rtcp (lib, packet) || !drive (lib, packet))
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

  if (!resume_rtcp (lib, packet))
    return false;
  if (in != out)
    memcpy (out, in, len);
  if (srtp_protect_rtcp (lib->context, out, &n) != srtp_err_status_ok)
    return false;
  /* What goes out has the index that was decided, or does not go out. */
  Reader word = reader_init (
      out + n - 4
          - (srtp_cipher_is_gcm (lib->config.rtcp_cipher) ? 0 : lib->rtcp_tag),
      4);
  return (reader_uint (&word, 4) & 0x7fffffff) == packet->index;
}

static SrtpResult
result_of (srtp_err_status_t status)
{
  switch (status) {
    case srtp_err_status_ok:
      return SRTP_OK;
    case srtp_err_status_alloc_fail:
      return SRTP_FAILED;
    default: /* How a wrong GCM tag is told differs between its cryptographic libraries. That it calls replayed what the
                session does not means that under this key the packet would be another one. */
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
    word -= lib->rtcp_tag;
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

static void
lib_forget (void *state, uint32_t ssrc)
{
  Lib *lib = state;

  /* Unlike its neighbours this call takes the SSRC as it lies in the packet. It fails for a stream that is not there. */
  (void) srtp_remove_stream (lib->context, htonl (ssrc));
  if (lib->clear)
    (void) srtp_remove_stream (lib->clear, htonl (ssrc));
}

const SrtpTransform srtp_libsrtp2_transform = {
  lib_create,
  lib_destroy,
  lib_protect_rtp,
  lib_protect_rtcp,
  lib_unprotect_rtp,
  lib_unprotect_rtcp,
  lib_forget,
  MAX_RTCP_RESUMED,
};

/* libsrtp2 used as its manual says, with nothing of ours between: the other implementation that ours is compared with.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <srtp2/crypto_types.h>
#include <srtp2/srtp.h>
#include <string.h>

#include "ext/srtp/session.h"

static inline void
raw_crypto (srtp_crypto_policy_t *p, SrtpCipher cipher, SrtpAuth auth)
{
  switch (cipher) {
    case SRTP_AES_256_GCM:
      srtp_crypto_policy_set_aes_gcm_256_16_auth (p);
      break;
    case SRTP_AES_128_GCM:
      srtp_crypto_policy_set_aes_gcm_128_16_auth (p);
      break;
    case SRTP_AES_256_ICM:
      if (auth == SRTP_AUTH_HMAC_SHA1_32)
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32 (p);
      else
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80 (p);
      break;
    case SRTP_AES_128_ICM:
      if (auth == SRTP_AUTH_HMAC_SHA1_32)
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32 (p);
      else
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80 (p);
      break;
  }
}

static inline srtp_policy_t
raw_policy (const SrtpConfig *config, const guint8 *key)
{
  srtp_policy_t policy = { 0 };

  raw_crypto (&policy.rtp, config->rtp_cipher, config->rtp_auth);
  raw_crypto (&policy.rtcp, config->rtcp_cipher, config->rtcp_auth);
  if (config->clear_rtcp)
    policy.rtcp.sec_serv = sec_serv_auth;
  policy.ssrc.type =
      config->direction == SRTP_SEND ? ssrc_any_outbound : ssrc_any_inbound;
  policy.key = (guint8 *) key;
  policy.window_size = config->window;
  return policy;
}

/* With one key, or with several that have MKIs. */
static inline srtp_t
raw_new_with (const SrtpConfig *config, const guint8 *key,
    srtp_master_key_t **keys, gulong n_keys)
{
  static gsize once;
  srtp_policy_t policy = raw_policy (config, key);
  srtp_t raw;

  if (g_once_init_enter (&once)) {
    (void) srtp_init (); /* fails when another user of it was first */
    g_once_init_leave (&once, 1);
  }
  policy.keys = keys;
  policy.num_master_keys = n_keys;
  g_assert_cmpint (srtp_create (&raw, &policy), ==, srtp_err_status_ok);
  return raw;
}

static inline srtp_t
raw_new (const SrtpConfig *config, const guint8 *key)
{
  return raw_new_with (config, key, NULL, 0);
}

static inline void
raw_update (srtp_t raw, const SrtpConfig *config, const guint8 *key)
{
  srtp_policy_t policy = raw_policy (config, key);
  g_assert_cmpint (srtp_update (raw, &policy), ==, srtp_err_status_ok);
}

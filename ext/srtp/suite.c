/* What the suites are called, how long their keys and tags are, and which go together.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transform.h"

size_t
srtp_cipher_key_len (SrtpCipher cipher)
{
  return cipher == SRTP_AES_256_GCM || cipher == SRTP_AES_256_ICM ? 32 : 16;
}

size_t
srtp_cipher_salt_len (SrtpCipher cipher)
{
  return srtp_cipher_is_gcm (cipher) ? 12 : 14;
}

bool
srtp_cipher_is_gcm (SrtpCipher cipher)
{
  return cipher == SRTP_AES_256_GCM || cipher == SRTP_AES_128_GCM;
}

SrtpAuth
srtp_auth_resolve (SrtpCipher cipher, SrtpAuth auth)
{
  if (auth != SRTP_AUTH_AUTO)
    return auth;
  return srtp_cipher_is_gcm (cipher) ? SRTP_AUTH_NULL : SRTP_AUTH_HMAC_SHA1_80;
}

size_t
srtp_tag_len (SrtpCipher cipher, SrtpAuth auth)
{
  if (srtp_cipher_is_gcm (cipher))
    return 16;
  return srtp_auth_resolve (cipher, auth) == SRTP_AUTH_HMAC_SHA1_32 ? 4 : 10;
}

const char *
srtp_result_name (SrtpResult result)
{
  static const char *const names[] = {
    [SRTP_OK] = "ok",
    [SRTP_MALFORMED] = "malformed",
    [SRTP_UNAUTHENTIC] = "auth-failed",
    [SRTP_REPLAYED] = "replayed",
    [SRTP_TOO_OLD] = "too-old",
    [SRTP_NO_KEY] = "no-key",
    [SRTP_TOO_MANY_SSRCS] = "too-many-ssrcs",
    [SRTP_KEY_SPENT] = "key-spent",
    [SRTP_BAD_KEY] = "bad-key",
    [SRTP_KEY_REUSED] = "key-reused",
    [SRTP_TOO_MANY_KEYS] = "too-many-keys",
    [SRTP_NO_ROOM] = "no-room",
    [SRTP_FAILED] = "failed",
  };
  return names[result];
}

void
srtp_config_init (SrtpConfig *config, SrtpDirection direction)
{
  *config = (SrtpConfig){
    .direction = direction,
    .rtp_cipher = SRTP_AES_256_GCM,
    .rtcp_cipher = SRTP_AES_256_GCM,
    .window = 1024,
    .max_ssrcs = 1024,
    .lifetime = SRTP_RTP_LIFETIME,
  };
}

static bool
fits (SrtpCipher cipher, SrtpAuth auth)
{
  return srtp_cipher_is_gcm (cipher)
         == (srtp_auth_resolve (cipher, auth) == SRTP_AUTH_NULL);
}

const char *
srtp_config_problem (const SrtpConfig *config)
{
  bool gcm = srtp_cipher_is_gcm (config->rtp_cipher)
             && srtp_cipher_is_gcm (config->rtcp_cipher);

  /* libsrtp2 chooses how to protect RTCP by the cipher of RTP. */
  if (srtp_cipher_is_gcm (config->rtp_cipher)
      != srtp_cipher_is_gcm (config->rtcp_cipher))
    return "rtp-cipher and rtcp-cipher do not mix: choose GCM for both, or ICM for both";
  if (!fits (config->rtp_cipher, config->rtp_auth))
    return srtp_cipher_is_gcm (config->rtp_cipher)
               ? "the GCM ciphers authenticate by themselves: set rtp-auth to auto or null"
               : "RTP without authentication is refused: set rtp-auth to hmac-sha1-80 or hmac-sha1-32, or choose a GCM cipher";
  if (!fits (config->rtcp_cipher, config->rtcp_auth))
    return srtp_cipher_is_gcm (config->rtcp_cipher)
               ? "the GCM ciphers authenticate by themselves: set rtcp-auth to auto or null"
               : "RTCP without authentication is refused: set rtcp-auth to hmac-sha1-80 or hmac-sha1-32, or choose a GCM "
                 "cipher";
  if (config->backend == SRTP_BACKEND_GNUTLS && !gcm)
    return "the gnutls backend does the GCM ciphers only: set backend to auto or libsrtp2";
  if (config->window < SRTP_MIN_WINDOW || config->window > SRTP_MAX_WINDOW)
    return "the replay window has 64 to 32767 packets";
  if (config->max_ssrcs < 1 || config->max_ssrcs > SRTP_MAX_SSRCS)
    return "max-ssrcs is 1 to 65536";
  if (config->lifetime < 1 || config->lifetime > SRTP_RTP_LIFETIME)
    return "a key's lifetime is 1 to 2^48 packets";
  return NULL;
}

size_t
srtp_config_key_len (const SrtpConfig *config)
{
  size_t rtp = srtp_cipher_key_len (config->rtp_cipher)
               + srtp_cipher_salt_len (config->rtp_cipher);
  size_t rtcp = srtp_cipher_key_len (config->rtcp_cipher)
                + srtp_cipher_salt_len (config->rtcp_cipher);
  return rtp > rtcp ? rtp : rtcp;
}

bool
srtp_config_same_crypto (const SrtpConfig *a, const SrtpConfig *b)
{
  return a->direction == b->direction && a->rtp_cipher == b->rtp_cipher
         && a->rtcp_cipher == b->rtcp_cipher
         && srtp_auth_resolve (a->rtp_cipher, a->rtp_auth)
                == srtp_auth_resolve (b->rtp_cipher, b->rtp_auth)
         && srtp_auth_resolve (a->rtcp_cipher, a->rtcp_auth)
                == srtp_auth_resolve (b->rtcp_cipher, b->rtcp_auth)
         && a->backend == b->backend && a->clear_rtcp == b->clear_rtcp;
}

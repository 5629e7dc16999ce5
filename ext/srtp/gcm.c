/* AES-GCM for SRTP (RFC 7714) on GnuTLS handles that keep their key schedule.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transform.h"

#include "../sodium/writer.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define IV_LEN 12
#define TAG_LEN 16
#define RTCP_HEADER_LEN 8
#define E_BIT UINT32_C (0x80000000)

typedef struct
{
  gnutls_aead_cipher_hd_t rtp, rtcp;
  uint8_t rtp_salt[IV_LEN], rtcp_salt[IV_LEN];
  bool clear_rtcp;
} Gcm;

static bool
init_handle (
    gnutls_aead_cipher_hd_t *handle, SrtpCipher cipher, const uint8_t *key)
{
  /* GnuTLS copies the key; its type is not const by oversight. */
  gnutls_datum_t datum = { (unsigned char *) (uintptr_t) key,
    (unsigned) srtp_cipher_key_len (cipher) };
  return gnutls_aead_cipher_init (handle,
             cipher == SRTP_AES_256_GCM ? GNUTLS_CIPHER_AES_256_GCM
                                        : GNUTLS_CIPHER_AES_128_GCM,
             &datum)
         == 0;
}

static void
gcm_destroy (void *state)
{
  Gcm *gcm = state;
  if (gcm->rtp)
    gnutls_aead_cipher_deinit (gcm->rtp);
  if (gcm->rtcp)
    gnutls_aead_cipher_deinit (gcm->rtcp);
  sodium_memzero (gcm, sizeof *gcm);
  free (gcm);
}

void *
srtp_gcm_from_session_keys (const SrtpConfig *config, const uint8_t *rtp_key,
    const uint8_t *rtp_salt, const uint8_t *rtcp_key, const uint8_t *rtcp_salt)
{
  Gcm *gcm = calloc (1, sizeof *gcm);
  if (!gcm)
    return NULL;

  gcm->clear_rtcp = config->clear_rtcp;
  memcpy (gcm->rtp_salt, rtp_salt, IV_LEN);
  memcpy (gcm->rtcp_salt, rtcp_salt, IV_LEN);
  if (!init_handle (&gcm->rtp, config->rtp_cipher, rtp_key)
      || !init_handle (&gcm->rtcp, config->rtcp_cipher, rtcp_key)) {
    gcm_destroy (gcm);
    return NULL;
  }
  return gcm;
}

static void *
gcm_create (const SrtpConfig *config, const uint8_t *key, void *previous)
{
  /* One master key serves both; where they differ in size the longer is the master key's. */
  size_t len = srtp_config_key_len (config) - IV_LEN;
  struct
  {
    uint8_t salt[14], rtp_salt[IV_LEN], rtcp_salt[IV_LEN], rtp_key[32],
        rtcp_key[32];
  } k = { { 0 } };

  memcpy (k.salt, key + len, IV_LEN);
  srtp_derive (key, len, k.salt, SRTP_LABEL_RTP_ENCRYPTION, k.rtp_key,
      srtp_cipher_key_len (config->rtp_cipher));
  srtp_derive (key, len, k.salt, SRTP_LABEL_RTP_SALT, k.rtp_salt, IV_LEN);
  srtp_derive (key, len, k.salt, SRTP_LABEL_RTCP_ENCRYPTION, k.rtcp_key,
      srtp_cipher_key_len (config->rtcp_cipher));
  srtp_derive (key, len, k.salt, SRTP_LABEL_RTCP_SALT, k.rtcp_salt, IV_LEN);
  void *gcm = srtp_gcm_from_session_keys (
      config, k.rtp_key, k.rtp_salt, k.rtcp_key, k.rtcp_salt);
  sodium_memzero (&k, sizeof k);
  return gcm;
}

/* RFC 7714, 8.1: IV = salt XOR (0x0000 || SSRC || ROC || SEQ), and the last 48 bits are the packet index. */
static void
make_rtp_iv (const uint8_t *salt, const SrtpPacket *packet, uint8_t *iv)
{
  Writer w = writer_init (iv, IV_LEN);
  writer_uint (&w, 0, 2);
  writer_uint (&w, packet->ssrc, 4);
  writer_uint (&w, packet->index, 6);
  for (size_t i = 0; i < IV_LEN; i++)
    iv[i] ^= salt[i];
}

/* RFC 7714, 9.1: IV = salt XOR (0x0000 || SSRC || 0x0000 || 0b0 || SRTCP index). */
static void
make_rtcp_iv (const uint8_t *salt, const SrtpPacket *packet, uint8_t *iv)
{
  Writer w = writer_init (iv, IV_LEN);
  writer_uint (&w, 0, 2);
  writer_uint (&w, packet->ssrc, 4);
  writer_uint (&w, 0, 2);
  writer_uint (&w, packet->index, 4);
  for (size_t i = 0; i < IV_LEN; i++)
    iv[i] ^= salt[i];
}

/* RFC 7714, 8.2: the associated data are the RTP header with CSRCs and extension. */
static bool
gcm_protect_rtp (void *state, SrtpPacket *packet, const uint8_t *in,
    size_t len, uint8_t *out)
{
  Gcm *gcm = state;
  uint8_t iv[IV_LEN];
  size_t head = packet->header_len, room = len - head + TAG_LEN;

  make_rtp_iv (gcm->rtp_salt, packet, iv);
  if (in != out)
    memcpy (out, in, head);
  return gnutls_aead_cipher_encrypt (gcm->rtp, iv, IV_LEN, out, head, TAG_LEN,
             in + head, len - head, out + head, &room)
         == 0;
}

static SrtpResult
gcm_unprotect_rtp (void *state, SrtpPacket *packet, const uint8_t *in,
    size_t len, uint8_t *out)
{
  Gcm *gcm = state;
  uint8_t iv[IV_LEN];
  size_t head = packet->header_len, room = len - head - TAG_LEN;

  make_rtp_iv (gcm->rtp_salt, packet, iv);
  if (in != out)
    memcpy (out, in, head);
  return gnutls_aead_cipher_decrypt (gcm->rtp, iv, IV_LEN, in, head, TAG_LEN,
             in + head, len - head, out + head, &room)
                 == 0
             ? SRTP_OK
             : SRTP_UNAUTHENTIC;
}

/* RFC 7714, 9.2 and 9.3: the associated data are the first eight bytes, or with E = 0 the whole of the packet, followed
 * by the word with E and index, which on the wire lies behind the tag. */
static bool
gcm_protect_rtcp (void *state, SrtpPacket *packet, const uint8_t *in,
    size_t len, uint8_t *out)
{
  Gcm *gcm = state;
  uint8_t iv[IV_LEN], word[4];
  Writer w = writer_init (word, sizeof word);
  size_t head = gcm->clear_rtcp ? len : RTCP_HEADER_LEN, tag_len = TAG_LEN;

  writer_uint (
      &w, (uint32_t) packet->index | (gcm->clear_rtcp ? 0 : E_BIT), 4);
  make_rtcp_iv (gcm->rtcp_salt, packet, iv);
  if (in != out)
    memcpy (out, in, len);
  giovec_t aad[] = { { out, head }, { word, sizeof word } };
  giovec_t text = { out + head, len - head };
  bool ok = gnutls_aead_cipher_encryptv2 (gcm->rtcp, iv, IV_LEN, aad, 2, &text,
                len > head ? 1 : 0, out + len, &tag_len)
            == 0;
  memcpy (out + len + TAG_LEN, word, sizeof word);
  return ok;
}

static SrtpResult
gcm_unprotect_rtcp (void *state, SrtpPacket *packet, const uint8_t *in,
    size_t len, uint8_t *out)
{
  Gcm *gcm = state;
  uint8_t iv[IV_LEN], word[4], tag[TAG_LEN];
  size_t plain_len = len - TAG_LEN - sizeof word;

  memcpy (tag, in + plain_len, TAG_LEN);
  memcpy (word, in + plain_len + TAG_LEN, sizeof word);
  size_t head = word[0] & 0x80 ? RTCP_HEADER_LEN : plain_len;
  make_rtcp_iv (gcm->rtcp_salt, packet, iv);
  if (in != out)
    memcpy (out, in, plain_len);
  giovec_t aad[] = { { out, head }, { word, sizeof word } };
  giovec_t text = { out + head, plain_len - head };
  return gnutls_aead_cipher_decryptv2 (gcm->rtcp, iv, IV_LEN, aad, 2, &text,
             plain_len > head ? 1 : 0, tag, TAG_LEN)
                 == 0
             ? SRTP_OK
             : SRTP_UNAUTHENTIC;
}

const SrtpTransform srtp_gcm_transform = {
  gcm_create,
  gcm_destroy,
  gcm_protect_rtp,
  gcm_protect_rtcp,
  gcm_unprotect_rtp,
  gcm_unprotect_rtcp,
  NULL,
  UINT32_MAX,
};

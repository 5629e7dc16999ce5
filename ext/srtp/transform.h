/* What a session needs of a cipher suite's implementation. The session has parsed the packet, taken the MKI away and
 * decided the index; a transform computes, and decides nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "session.h"

typedef struct
{
  uint32_t ssrc;
  size_t header_len; /* RTP: with CSRCs and extension. RTCP: 8 */
  uint64_t index;
  /* For the stateful one: whether this transform has had packets of this SSRC, and has had its ROC set by hand. */
  bool known, driven;
  uint32_t
      rtcp_before; /* sending: the SRTCP index that this SSRC has come to */
} SrtpPacket;

typedef struct
{
  /* State for one master key (key and salt); NULL when memory is short. `previous`, NULL or the state of the key that
   * a sender leaves, may be taken over; its owner still frees it. */
  void *(*create) (
      const SrtpConfig *config, const uint8_t *key, void *previous);
  void (*destroy) (void *state);

  /* Encrypt `len` bytes to `out`, which has room for the tag and is `in` or apart from it; the MKI is not their
   * business. False when the library refuses. RTCP: `index` goes into the packet. */
  bool (*protect_rtp) (void *state, SrtpPacket *packet, const uint8_t *in,
      size_t len, uint8_t *out);
  bool (*protect_rtcp) (void *state, SrtpPacket *packet, const uint8_t *in,
      size_t len, uint8_t *out);

  /* Decrypt `len` bytes, tag included, at least header and overhead long. SRTP_OK, SRTP_UNAUTHENTIC or SRTP_FAILED. */
  SrtpResult (*unprotect_rtp) (void *state, SrtpPacket *packet,
      const uint8_t *in, size_t len, uint8_t *out);
  SrtpResult (*unprotect_rtcp) (void *state, SrtpPacket *packet,
      const uint8_t *in, size_t len, uint8_t *out);

  /* Drops what is kept of one SSRC, which may come back as not `known`. NULL: nothing is. */
  void (*forget) (void *state, uint32_t ssrc);

  /* Sending: up to which SRTCP index a forgotten SSRC can go on. */
  uint32_t max_rtcp_resumed;
} SrtpTransform;

extern const SrtpTransform srtp_gcm_transform;

/* The state of srtp_gcm_transform from session keys (RFC 3711, 4.3.1), as a key exchange without a master key has them.
 * NULL when memory is short. */
void *srtp_gcm_from_session_keys (const SrtpConfig *config,
    const uint8_t *rtp_key, const uint8_t *rtp_salt, const uint8_t *rtcp_key,
    const uint8_t *rtcp_salt);

extern const SrtpTransform srtp_libsrtp2_transform;

/* RFC 3711, 8.2 and RFC 7714, 12: bytes of master (and session encryption) key, of salt, of tag. */
size_t srtp_cipher_key_len (SrtpCipher cipher);
size_t srtp_cipher_salt_len (SrtpCipher cipher);
bool srtp_cipher_is_gcm (SrtpCipher cipher);
size_t srtp_tag_len (SrtpCipher cipher, SrtpAuth auth);
SrtpAuth srtp_auth_resolve (SrtpCipher cipher, SrtpAuth auth);

/* RFC 3711, 4.3.1: the labels of the session keys. */
typedef enum
{
  SRTP_LABEL_RTP_ENCRYPTION = 0x00,
  SRTP_LABEL_RTP_AUTH = 0x01,
  SRTP_LABEL_RTP_SALT = 0x02,
  SRTP_LABEL_RTCP_ENCRYPTION = 0x03,
  SRTP_LABEL_RTCP_AUTH = 0x04,
  SRTP_LABEL_RTCP_SALT = 0x05
} SrtpLabel;

/* RFC 3711, 4.3.3: AES-CM as pseudo-random function, key derivation rate 0. `key` has 16 or 32 bytes (RFC 6188), `salt`
 * 14: RFC 7714, 11 pads GCM's 12 with two zeros. `len` is at most 4096. */
void srtp_derive (const uint8_t *key, size_t key_len, const uint8_t *salt,
    SrtpLabel label, uint8_t *out, size_t len);

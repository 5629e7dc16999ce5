/* Authenticated encryption with a key that serves one message, as HPKE's and the door's do: without an Aead, hence
 * without guarded memory, which takes longer to set up than the message. Any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "aead.h"

/* As aead_seal() and aead_open() of an Aead with `key` and tags of 16 bytes, for GCM and ChaCha20-Poly1305; false for
 * the composed algorithms. The caller wipes `key`. */
bool aead_seal_once (AeadAlgorithm algorithm, const uint8_t *key,
    const uint8_t *nonce, const void *aad, size_t aad_len, const uint8_t *in,
    size_t len, uint8_t *out);
bool aead_open_once (AeadAlgorithm algorithm, const uint8_t *key,
    const uint8_t *nonce, const void *aad, size_t aad_len, const uint8_t *in,
    size_t len, uint8_t *out);

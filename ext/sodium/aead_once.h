/* Authenticated encryption of one message under a key that is used for no other, as MLS and HPKE have them by the
 * thousand: the key stays where the caller holds it, and no guarded memory is asked for, which costs more than the
 * encryption. AES-GCM and (X)ChaCha20-Poly1305, with tags of 16 bytes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "aead.h"

/* `out` gets len + 16 bytes and may be `in`. False for another algorithm, or when the library refuses. */
bool aead_seal_once (AeadAlgorithm algorithm, const uint8_t *key,
    const uint8_t *nonce, const void *aad, size_t aad_len, const uint8_t *in,
    size_t len, uint8_t *out);

/* `out` gets len - 16 bytes and may be `in`. False too when it is not authentic or too short. */
bool aead_open_once (AeadAlgorithm algorithm, const uint8_t *key,
    const uint8_t *nonce, const void *aad, size_t aad_len, const uint8_t *in,
    size_t len, uint8_t *out);

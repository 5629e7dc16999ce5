/* The keys of a decoder: which KID has which, the ratchet that follows the sender, a replay window for each.
 *
 * Not thread-safe: the caller holds one lock over all calls on an object.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "ext/sodium/replay.h"
#include "ext/sodium/sframe.h"

G_BEGIN_DECLS

typedef struct DecoderKeys DecoderKeys;

typedef struct
{
  SFrameSuite suite;
  guint ratchet_bits;
  gboolean per_ssrc_keys;
  guint replay_window;
} DecoderKeysConfig;

typedef enum
{
  DECODE_OK,
  DECODE_TRUNCATED, /* shorter than its header says, or than header and tag; empty too */
  DECODE_NOT_MINIMAL, /* a header that no RFC 9605 sender writes */
  DECODE_UNKNOWN_KID, /* no key, and the ratchet of none reaches it */
  DECODE_UNAUTHENTIC, /* the key of its KID does not fit */
  DECODE_REPLAYED,    /* authentic, but seen before or older than the window */
  DECODE_TOO_MANY_STREAMS, /* authentic, but there are as many SSRCs as are kept */
  DECODE_N_RESULTS
} DecodeResult;

/* One SFrame. The caller fills in all but the header. */
typedef struct
{
  const guint8 *sframe;
  gsize len;
  guint32 ssrc; /* of its RTP stream, where keys are per SSRC */
  const guint8 *metadata;
  gsize metadata_len;
  SFrameHeader header;
  gsize header_len;
} SFrameInput;

typedef struct
{
  gsize len; /* of the plaintext */
  gboolean
      jump; /* its counter is more than a replay window ahead of the highest one */
  gboolean
      first; /* none of this KID (and SSRC) was accepted before, since its key was set */
} Decoded;

/* Reads the header. DECODE_OK, DECODE_TRUNCATED or DECODE_NOT_MINIMAL. */
DecodeResult sframe_input_parse (SFrameInput *in);

DecoderKeys *decoder_keys_new (const DecoderKeysConfig *config);
void decoder_keys_free (DecoderKeys *keys);

/* Forgets derived keys if `config` differs from what they were derived for; base keys stay. */
void decoder_keys_configure (
    DecoderKeys *keys, const DecoderKeysConfig *config);

/* The base key of `kid`. Set again, the same key changes nothing, wherever the ratchet is by now; another replaces it. A
 * key that comes back accepts no counter up to the highest it has accepted before. FALSE when it cannot be used. */
gboolean decoder_keys_set (DecoderKeys *keys, guint64 kid, Secret *base_key);

/* Wipes the key of `kid`, with a ratchet all of its generation. FALSE when there was none. */
gboolean decoder_keys_remove (DecoderKeys *keys, guint64 kid);

gboolean decoder_keys_have (DecoderKeys *keys, guint64 kid);
guint decoder_keys_count (DecoderKeys *keys);

/* Checks and decrypts a parsed SFrame to `out`, which has room for `in->len` bytes and may be the ciphertext's own place,
 * in->sframe + in->header_len, but not with a ratchet, when a frame may be tried twice. State changes only with authentic
 * frames. */
DecodeResult decoder_keys_decrypt (
    DecoderKeys *keys, const SFrameInput *in, guint8 *out, Decoded *decoded);

G_END_DECLS

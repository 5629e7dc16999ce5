/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "decoderkeys.h"

#include "ext/sodium/replay.h"
#include "counterledger.h"
#include "sframecommon.h"

/* A frame may be this many ratchet steps ahead; RFC 9605, 5.1, leaves it to us. It bounds what a forged KID makes us
 * derive: two HMACs a step, once, for the chain is kept. */
#define MAX_STEPS_AHEAD 128

/* Keys of earlier ratchet steps that are kept for frames that come late; fewer where the KID comes round sooner. */
#define MAX_STEPS_KEPT 8

/* Streams with a key and a replay window of their own that proved themselves, over all KIDs, beside those of keys that
 * were set. */
#define MAX_STREAMS 1024

/* A base key as it was set or as the ratchet left it. With no ratchet, generation = KID and step = 0. */
typedef struct
{
  guint64 generation; /* first: the hash table's key */
  guint64 step; /* low ratchet-bits of the KID that base_key belongs to */
  KeyPrint
      first; /* of the key as set, to know it when it is set again; the key itself is gone with the first step */
  Secret *base_key;
  GPtrArray *
      ahead; /* Secret: base keys of the next steps, as far as frames have named them; made when first needed */
} Generation;

typedef struct
{
  guint64 kid;
  guint32 ssrc; /* 0 unless keys are per SSRC */
} StreamId;

typedef struct
{
  StreamId id; /* first: the hash table's key */
  KeyPrint print;
  SFrameKey *key;
  ReplayWindow *window;
  gboolean heard; /* it has accepted a frame */
} Stream;

struct DecoderKeys
{
  DecoderKeysConfig config;
  GHashTable *generations;
  GHashTable *streams;
  Stream *
      last; /* of `streams`, or NULL: most frames are of the same as the one before */
  Stream *
      spare; /* of none: for a frame that has to prove itself, so that forged ones cost no guarded memory. Or NULL */
  Secret *own;           /* of the spare's SSRC. Or NULL */
  CounterLedger *ledger; /* of streams that were put away */
};

static void
free_secret (gpointer secret)
{
  secret_unref (secret);
}

static void
free_generation (gpointer data)
{
  Generation *generation = data;
  secret_unref (generation->base_key);
  g_clear_pointer (&generation->ahead, g_ptr_array_unref);
  g_free (generation);
}

static void
free_stream (gpointer data)
{
  Stream *stream = data;
  if (!stream)
    return;
  sframe_key_free (stream->key);
  replay_window_free (stream->window);
  g_free (stream);
}

static guint
hash_id (gconstpointer data)
{
  const StreamId *id = data;
  return (guint) (id->kid ^ id->kid >> 32) * 31 + id->ssrc;
}

static gboolean
equal_id (gconstpointer a, gconstpointer b)
{
  const StreamId *x = a, *y = b;
  return x->kid == y->kid && x->ssrc == y->ssrc;
}

DecoderKeys *
decoder_keys_new (const DecoderKeysConfig *config)
{
  DecoderKeys *keys = g_new0 (DecoderKeys, 1);
  keys->config = *config;
  keys->generations = g_hash_table_new_full (
      g_int64_hash, g_int64_equal, NULL, free_generation);
  keys->streams = g_hash_table_new_full (hash_id, equal_id, NULL, free_stream);
  keys->ledger = counter_ledger_new ();
  return keys;
}

/* What is made anew when it is needed, and depends on the configuration. */
static void
drop_spare (DecoderKeys *keys)
{
  g_clear_pointer (&keys->spare, free_stream);
  g_clear_pointer (&keys->own, secret_unref);
}

void
decoder_keys_free (DecoderKeys *keys)
{
  if (!keys)
    return;
  drop_spare (keys);
  g_hash_table_unref (keys->generations);
  g_hash_table_unref (keys->streams);
  counter_ledger_free (keys->ledger);
  g_free (keys);
}

static guint64
step_mask (const DecoderKeys *keys)
{
  return (G_GUINT64_CONSTANT (1) << keys->config.ratchet_bits) - 1;
}

static guint64
generation_of (const DecoderKeys *keys, guint64 kid)
{
  return kid >> keys->config.ratchet_bits;
}

/* Puts streams away: what they have seen is remembered with their key. */
static gboolean
retire_stream (gpointer id, gpointer value, gpointer data)
{
  DecoderKeys *keys = data;
  Stream *stream = value;
  guint64 highest;

  if (replay_window_highest (stream->window, &highest))
    counter_ledger_retire (keys->ledger, &stream->print, highest, FALSE);
  return TRUE;
}

void
decoder_keys_configure (DecoderKeys *keys, const DecoderKeysConfig *config)
{
  const DecoderKeysConfig *old = &keys->config;
  GHashTableIter iter;
  Generation *generation;

  if (old->suite == config->suite && old->ratchet_bits == config->ratchet_bits
      && old->per_ssrc_keys == config->per_ssrc_keys
      && old->replay_window == config->replay_window)
    return;

  keys->last = NULL;
  g_hash_table_foreach_remove (keys->streams, retire_stream, keys);
  drop_spare (keys);

  /* Keys are told by generation and step: with other ratchet bits each gets another place. */
  GPtrArray *all = g_ptr_array_new ();
  g_hash_table_iter_init (&iter, keys->generations);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &generation)) {
    guint64 kid =
        generation->generation << old->ratchet_bits | generation->step;
    generation->generation = kid >> config->ratchet_bits;
    generation->step =
        kid & ((G_GUINT64_CONSTANT (1) << config->ratchet_bits) - 1);
    g_clear_pointer (
        &generation->ahead, g_ptr_array_unref); /* of another suite, perhaps */
    g_ptr_array_add (all, generation);
    g_hash_table_iter_steal (&iter);
  }
  keys->config = *config;
  for (guint i = 0; i < all->len; i++)
    g_hash_table_replace (keys->generations, g_ptr_array_index (all, i),
        g_ptr_array_index (all, i));
  g_ptr_array_unref (all);
}

/* Derives `stream` for (kid, ssrc); its window is as it was made. */
static gboolean
derive_stream (
    DecoderKeys *keys, Stream *stream, StreamId id, Secret *base_key)
{
  Secret *own = base_key;

  if (keys->config.per_ssrc_keys) {
    if (!keys->own)
      keys->own = secret_new (sframe_suite_hash_len (keys->config.suite));
    if (!keys->own)
      return FALSE;
    own = keys->own;
    sframe_ssrc_key_to (keys->config.suite, base_key, id.ssrc, own);
  }
  stream->id = id;
  if (stream->key)
    return sframe_key_rederive (stream->key, id.kid, own);
  stream->key = sframe_key_new (keys->config.suite, id.kid, own, 0);
  return stream->key != NULL;
}

/* The window of a stream that is to stay goes on where its key's last one ended. */
static void
recall_window (DecoderKeys *keys, Stream *stream, Secret *base_key)
{
  Secret *own = keys->config.per_ssrc_keys ? keys->own : base_key;

  stream->print = counter_ledger_print (
      keys->ledger, keys->config.suite, stream->id.kid, own);
  guint64 highest;
  if (counter_ledger_find (keys->ledger, &stream->print, &highest))
    replay_window_resume (stream->window, highest);
}

static Stream *
new_stream (DecoderKeys *keys)
{
  Stream *stream = g_new0 (Stream, 1);
  stream->window = replay_window_new (keys->config.replay_window);
  if (!stream->window)
    g_clear_pointer (&stream, free_stream);
  return stream;
}

typedef struct
{
  DecoderKeys *keys;
  guint64 generation,
      kid; /* `kid`: where the ratchet is now, when those it has passed go */
} Range;

static gboolean
retire_if_of_generation (gpointer id, gpointer value, gpointer data)
{
  const Range *range = data;
  return ((StreamId *) id)->kid >> range->keys->config.ratchet_bits
             == range->generation
         && retire_stream (id, value, range->keys);
}

static void
retire_generation (DecoderKeys *keys, guint64 generation)
{
  Range range = { keys, generation, 0 };
  keys->last = NULL;
  g_hash_table_foreach_remove (keys->streams, retire_if_of_generation, &range);
}

gboolean
decoder_keys_set (DecoderKeys *keys, guint64 kid, Secret *base_key)
{
  guint64 id = generation_of (keys, kid);
  Generation *generation = g_hash_table_lookup (keys->generations, &id);
  KeyPrint print = counter_ledger_print (keys->ledger, 0, kid, base_key);

  if (secret_len (base_key) < SFRAME_MIN_BASE_KEY)
    return FALSE;
  if (generation && key_print_equal (&generation->first, &print))
    return TRUE;

  retire_generation (keys, id);
  generation = g_new0 (Generation, 1);
  *generation = (Generation){ id, kid & step_mask (keys), print,
    secret_ref (base_key), NULL };
  g_hash_table_replace (keys->generations, generation, generation);

  /* One KID, one stream: derived now, not for each frame until one is authentic. */
  Stream *stream = keys->config.per_ssrc_keys ? NULL : new_stream (keys);
  if (stream && derive_stream (keys, stream, (StreamId){ kid, 0 }, base_key)) {
    recall_window (keys, stream, base_key);
    g_hash_table_insert (keys->streams, stream, stream);
  } else {
    free_stream (stream);
  }
  return TRUE;
}

gboolean
decoder_keys_remove (DecoderKeys *keys, guint64 kid)
{
  guint64 id = generation_of (keys, kid);
  retire_generation (keys, id);
  return g_hash_table_remove (keys->generations, &id);
}

gboolean
decoder_keys_have (DecoderKeys *keys, guint64 kid)
{
  guint64 id = generation_of (keys, kid);
  return g_hash_table_contains (keys->generations, &id);
}

guint
decoder_keys_count (DecoderKeys *keys)
{
  return g_hash_table_size (keys->generations);
}

static DecodeResult
result_of (SFrameResult result)
{
  switch (result) {
    case SFRAME_OK:
      return DECODE_OK;
    case SFRAME_TOO_SHORT:
      return DECODE_TRUNCATED;
    case SFRAME_NOT_MINIMAL:
      return DECODE_NOT_MINIMAL;
    default:
      return DECODE_UNAUTHENTIC;
  }
}

static gboolean
retire_if_passed (gpointer id, gpointer value, gpointer data)
{
  const Range *range = data;
  guint64 kid = ((StreamId *) id)->kid, steps = step_mask (range->keys) + 1;
  return kid >> range->keys->config.ratchet_bits == range->generation
         && ((range->kid - kid) & (steps - 1))
                > MIN (MAX_STEPS_KEPT, steps / 2 - 1)
         && retire_stream (id, value, range->keys);
}

/* The sender's ratchet is at `kid`, proven: ours follows, and what it has passed is wiped. */
static void
follow_ratchet (
    DecoderKeys *keys, Generation *generation, guint64 kid, Secret *base_key)
{
  Range range = { keys, generation->generation, kid };

  secret_ref (base_key); /* it may be one of those ahead */
  secret_unref (generation->base_key);
  generation->base_key = base_key;
  generation->step = kid & step_mask (keys);
  g_clear_pointer (&generation->ahead, g_ptr_array_unref);
  keys->last = NULL;
  g_hash_table_foreach_remove (keys->streams, retire_if_passed, &range);
}

/* The base key that `kid` has, as many steps on from the one we hold as it says; NULL when that is too many. Each step is
 * made once, however many frames name it. */
static Secret *
step_to (DecoderKeys *keys, Generation *generation, guint64 kid)
{
  guint64 n = (kid - generation->step) & step_mask (keys);

  if (n == 0)
    return generation->base_key;
  if (n > MAX_STEPS_AHEAD)
    return NULL;
  if (!generation->ahead)
    generation->ahead = g_ptr_array_new_with_free_func (free_secret);
  for (guint i = generation->ahead->len; i < n; i++) {
    Secret *from = i == 0 ? generation->base_key
                          : g_ptr_array_index (generation->ahead, i - 1);
    Secret *next = sframe_ratchet (keys->config.suite, from);
    if (!next)
      return NULL;
    g_ptr_array_add (generation->ahead, next);
  }
  return g_ptr_array_index (generation->ahead, n - 1);
}

/* The frame is authentic: replay is judged now. */
static DecodeResult
accept_authentic (
    DecoderKeys *keys, Stream *stream, guint64 ctr, Decoded *decoded)
{
  if (!replay_window_is_new (stream->window, ctr))
    return DECODE_REPLAYED;
  guint64 highest;
  decoded->jump = replay_window_highest (stream->window, &highest)
                  && ctr > highest
                  && ctr - highest > keys->config.replay_window;
  replay_window_commit (stream->window, ctr);
  decoded->first = !stream->heard;
  stream->heard = TRUE;
  return DECODE_OK;
}

static DecodeResult
decrypt_with (
    const Stream *stream, const SFrameInput *in, guint8 *out, Decoded *decoded)
{
  return result_of (sframe_decrypt (stream->key, in->metadata,
      in->metadata_len, in->sframe, in->len, out, &decoded->len));
}

/* A KID or an SSRC that has not proved itself yet: the spare stream is derived for this frame, and stays if it is
 * authentic. */
static DecodeResult
decrypt_first (DecoderKeys *keys, Generation *generation, StreamId id,
    const SFrameInput *in, guint8 *out, Decoded *decoded)
{
  Secret *base_key = step_to (keys, generation, id.kid);

  if (!keys->spare)
    keys->spare = new_stream (keys);
  if (!base_key || !keys->spare
      || !derive_stream (keys, keys->spare, id, base_key))
    return DECODE_UNAUTHENTIC;
  DecodeResult result = decrypt_with (keys->spare, in, out, decoded);
  if (result != DECODE_OK)
    return result;
  if (g_hash_table_size (keys->streams)
      >= MAX_STREAMS + g_hash_table_size (keys->generations))
    return DECODE_TOO_MANY_STREAMS;

  Stream *stream = g_steal_pointer (&keys->spare);
  recall_window (keys, stream, base_key);
  result = accept_authentic (keys, stream, in->header.ctr, decoded);
  if ((id.kid & step_mask (keys)) != generation->step)
    follow_ratchet (keys, generation, id.kid, base_key);
  Stream *old = g_hash_table_lookup (keys->streams, &id);
  if (old)
    retire_stream (NULL, old, keys);
  g_hash_table_replace (keys->streams, stream, stream);
  return result;
}

DecodeResult
decoder_keys_decrypt (
    DecoderKeys *keys, const SFrameInput *in, guint8 *out, Decoded *decoded)
{
  StreamId id = { in->header.kid, keys->config.per_ssrc_keys ? in->ssrc : 0 };
  guint64 generation_id = generation_of (keys, id.kid);
  Stream *stream = keys->last;
  DecodeResult result = DECODE_UNAUTHENTIC;

  *decoded = (Decoded){ 0, FALSE, FALSE };
  if (!stream || !equal_id (&stream->id, &id))
    stream = keys->last = g_hash_table_lookup (keys->streams, &id);
  if (stream) {
    result = decrypt_with (stream, in, out, decoded);
    if (result == DECODE_OK)
      return accept_authentic (keys, stream, in->header.ctr, decoded);
    if (keys->config.ratchet_bits == 0 || result != DECODE_UNAUTHENTIC)
      return result;
  }

  Generation *generation =
      g_hash_table_lookup (keys->generations, &generation_id);
  if (!generation)
    return DECODE_UNKNOWN_KID;
  /* A stream of a step that the ratchet has passed: the KID may have come round. */
  if (stream && (id.kid & step_mask (keys)) == generation->step)
    return result;
  keys->last = NULL; /* it may be replaced */
  return decrypt_first (keys, generation, id, in, out, decoded);
}

DecodeResult
sframe_input_parse (SFrameInput *in)
{
  Reader reader = reader_init (in->sframe, in->len);
  DecodeResult result = result_of (sframe_header_parse (&reader, &in->header));
  in->header_len = in->len - reader_left (&reader);
  return result;
}

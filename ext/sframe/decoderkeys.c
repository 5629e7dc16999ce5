/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "decoderkeys.h"

#include "ext/sodium/replay.h"
#include "sframecommon.h"

/* A frame may be this many ratchet steps ahead; RFC 9605, 5.1, leaves it to us. It bounds what a forged KID makes us
 * derive: two HMACs a step. */
#define MAX_STEPS_AHEAD 256

/* Keys of earlier ratchet steps that are kept for frames that come late; fewer where the KID comes round sooner. */
#define MAX_STEPS_KEPT 8

/* Streams with a key and a replay window of their own, over all KIDs. */
#define MAX_STREAMS 1024

/* A base key as it was set or as the ratchet left it. With no ratchet, generation = KID and step = 0. */
typedef struct
{
  guint64 generation; /* first: the hash table's key */
  guint64 step;  /* low ratchet-bits of the KID that base_key belongs to */
  Secret *first; /* as set, to know the same key when it is set again */
  Secret *base_key;
} Generation;

typedef struct
{
  guint64 kid;
  guint32 ssrc; /* 0 unless keys are per SSRC */
} StreamId;

typedef struct
{
  StreamId id; /* first: the hash table's key */
  SFrameKey *key;
  ReplayWindow *window;
  guint64 highest; /* counter; means something once `any` */
  gboolean any;
} Stream;

struct DecoderKeys
{
  DecoderKeysConfig config;
  GHashTable *generations;
  GHashTable *streams;
  Stream *
      last; /* of `streams`, or NULL: most frames are of the same as the one before */
};

static void
free_generation (gpointer data)
{
  Generation *generation = data;
  secret_unref (generation->first);
  secret_unref (generation->base_key);
  g_free (generation);
}

static void
free_stream (gpointer data)
{
  Stream *stream = data;
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
  return keys;
}

void
decoder_keys_free (DecoderKeys *keys)
{
  if (!keys)
    return;
  g_hash_table_unref (keys->generations);
  g_hash_table_unref (keys->streams);
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

  /* Keys are told by generation and step: with other ratchet bits each gets another place. */
  GPtrArray *all = g_ptr_array_new ();
  g_hash_table_iter_init (&iter, keys->generations);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &generation)) {
    guint64 kid =
        generation->generation << old->ratchet_bits | generation->step;
    generation->generation = kid >> config->ratchet_bits;
    generation->step =
        kid & ((G_GUINT64_CONSTANT (1) << config->ratchet_bits) - 1);
    g_ptr_array_add (all, generation);
    g_hash_table_iter_steal (&iter);
  }
  keys->config = *config;
  keys->last = NULL;
  g_hash_table_remove_all (keys->streams);
  for (guint i = 0; i < all->len; i++)
    g_hash_table_replace (keys->generations, g_ptr_array_index (all, i),
        g_ptr_array_index (all, i));
  g_ptr_array_unref (all);
}

static Stream *
make_stream (DecoderKeys *keys, guint64 kid, guint32 ssrc, Secret *base_key)
{
  Stream *stream = g_new0 (Stream, 1);
  Secret *own = keys->config.per_ssrc_keys
                    ? sframe_ssrc_key (keys->config.suite, base_key, ssrc)
                    : secret_ref (base_key);

  stream->id = (StreamId){ kid, ssrc };
  stream->key = own ? sframe_key_new (keys->config.suite, kid, own, 0) : NULL;
  stream->window = replay_window_new (keys->config.replay_window);
  secret_unref (own);
  if (!stream->key || !stream->window)
    g_clear_pointer (&stream, free_stream);
  return stream;
}

static gboolean
is_of_generation (gpointer id, gpointer value, gpointer data)
{
  const guint64 *range = data; /* generation, ratchet bits */
  return ((StreamId *) id)->kid >> range[1] == range[0];
}

static void
remove_streams (DecoderKeys *keys, guint64 generation)
{
  guint64 range[] = { generation, keys->config.ratchet_bits };
  keys->last = NULL;
  g_hash_table_foreach_remove (keys->streams, is_of_generation, range);
}

gboolean
decoder_keys_set (DecoderKeys *keys, guint64 kid, Secret *base_key)
{
  guint64 id = generation_of (keys, kid);
  Generation *generation = g_hash_table_lookup (keys->generations, &id);

  if (secret_len (base_key) < SFRAME_MIN_BASE_KEY)
    return FALSE;
  if (generation && secret_equal (generation->first, base_key))
    return TRUE;

  remove_streams (keys, id);
  generation = g_new0 (Generation, 1);
  *generation = (Generation){ id, kid & step_mask (keys),
    secret_ref (base_key), secret_ref (base_key) };
  g_hash_table_replace (keys->generations, generation, generation);

  /* One KID, one stream: derived now, not for each frame until one is authentic. */
  Stream *stream =
      keys->config.per_ssrc_keys ? NULL : make_stream (keys, kid, 0, base_key);
  if (stream)
    g_hash_table_insert (keys->streams, stream, stream);
  return TRUE;
}

gboolean
decoder_keys_remove (DecoderKeys *keys, guint64 kid)
{
  guint64 id = generation_of (keys, kid);
  remove_streams (keys, id);
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
is_too_old (gpointer id, gpointer value, gpointer data)
{
  const guint64 *now = data; /* KID, generation, ratchet bits */
  guint64 kid = ((StreamId *) id)->kid, steps = G_GUINT64_CONSTANT (1)
                                                << now[2];
  return kid >> now[2] == now[1]
         && ((now[0] - kid) & (steps - 1))
                > MIN (MAX_STEPS_KEPT, steps / 2 - 1);
}

/* The sender's ratchet is at `kid`, proven: ours follows, and what it has passed is wiped. */
static void
follow_ratchet (
    DecoderKeys *keys, Generation *generation, guint64 kid, Secret *base_key)
{
  guint64 now[] = { kid, generation->generation, keys->config.ratchet_bits };

  secret_unref (generation->base_key);
  generation->base_key = secret_ref (base_key);
  generation->step = kid & step_mask (keys);
  keys->last = NULL;
  g_hash_table_foreach_remove (keys->streams, is_too_old, now);
}

/* The base key that `kid` has, as many steps on from the one we hold as it says; NULL when that is too many. */
static Secret *
step_to (DecoderKeys *keys, const Generation *generation, guint64 kid)
{
  guint64 ahead = (kid - generation->step) & step_mask (keys);
  Secret *base_key = secret_ref (generation->base_key);

  if (ahead > MAX_STEPS_AHEAD)
    g_clear_pointer (&base_key, secret_unref);
  for (; base_key && ahead > 0; ahead--) {
    Secret *next = sframe_ratchet (keys->config.suite, base_key);
    secret_unref (base_key);
    base_key = next;
  }
  return base_key;
}

/* The frame is authentic: replay is judged now, and the stream kept if it is new. */
static DecodeResult
accept_authentic (
    DecoderKeys *keys, Stream *stream, guint64 ctr, Decoded *decoded)
{
  if (!replay_window_is_new (stream->window, ctr))
    return DECODE_REPLAYED;
  decoded->jump = stream->any && ctr > stream->highest
                  && ctr - stream->highest > keys->config.replay_window;
  replay_window_commit (stream->window, ctr);
  if (!stream->any || ctr > stream->highest)
    stream->highest = ctr;
  stream->any = TRUE;
  return DECODE_OK;
}

static DecodeResult
decrypt_with (DecoderKeys *keys, Stream *stream, const SFrameInput *in,
    guint8 *out, Decoded *decoded)
{
  return result_of (sframe_decrypt (stream->key, in->metadata,
      in->metadata_len, in->sframe, in->len, out, &decoded->len));
}

/* A KID or an SSRC that has not proved itself yet: everything is made for this one frame, and kept only if it is
 * authentic. */
static DecodeResult
decrypt_first (DecoderKeys *keys, Generation *generation, StreamId id,
    const SFrameInput *in, guint8 *out, Decoded *decoded)
{
  g_autoptr (Secret) base_key = step_to (keys, generation, id.kid);
  if (!base_key)
    return DECODE_UNKNOWN_KID;

  Stream *stream = make_stream (keys, id.kid, id.ssrc, base_key);
  DecodeResult result = stream ? decrypt_with (keys, stream, in, out, decoded)
                               : DECODE_UNAUTHENTIC;
  if (result == DECODE_OK && g_hash_table_size (keys->streams) >= MAX_STREAMS)
    result = DECODE_TOO_MANY_STREAMS;
  if (result == DECODE_OK) {
    accept_authentic (keys, stream, in->header.ctr, decoded);
    if ((id.kid & step_mask (keys)) != generation->step)
      follow_ratchet (keys, generation, id.kid, base_key);
    g_hash_table_insert (keys->streams, stream, stream);
  } else if (stream) {
    free_stream (stream);
  }
  return result;
}

DecodeResult
decoder_keys_decrypt (
    DecoderKeys *keys, const SFrameInput *in, guint8 *out, Decoded *decoded)
{
  StreamId id = { in->header.kid, keys->config.per_ssrc_keys ? in->ssrc : 0 };
  Stream *stream = keys->last;

  *decoded = (Decoded){ 0, FALSE };
  if (!stream || !equal_id (&stream->id, &id))
    stream = keys->last = g_hash_table_lookup (keys->streams, &id);
  if (!stream) {
    guint64 generation_id = generation_of (keys, id.kid);
    Generation *generation =
        g_hash_table_lookup (keys->generations, &generation_id);
    if (!generation)
      return DECODE_UNKNOWN_KID;
    return decrypt_first (keys, generation, id, in, out, decoded);
  }
  DecodeResult result = decrypt_with (keys, stream, in, out, decoded);
  return result == DECODE_OK
             ? accept_authentic (keys, stream, in->header.ctr, decoded)
             : result;
}

DecodeResult
sframe_input_parse (SFrameInput *in)
{
  Reader reader = reader_init (in->sframe, in->len);
  DecodeResult result = result_of (sframe_header_parse (&reader, &in->header));
  in->header_len = in->len - reader_left (&reader);
  return result;
}

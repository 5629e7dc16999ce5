/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpownkeys.h"

#include <sodium.h>
#include <string.h>

typedef struct
{
  guint32 ssrc;
  gboolean
      asked; /* the application was, or is being asked, and has not taken the key away since */
  guint question;       /* number of the one that is open; 0: none */
  gboolean kept;        /* has sent an authentic packet, or is */
  gboolean named;       /* by the application, with the key that it has */
  gboolean keyed;       /* the session has a key in force */
  SrtpSession *session; /* NULL: there never was a key */
  GArray *prints; /* of all keys that the session had; NULL before the first */
  GQueue *queue;  /* where `link` is: NULL, or one of those below */
  GList link;
} Own;

/* A key that was used with this SSRC, and whose session is gone. */
typedef struct
{
  guint32 ssrc;
  KeyPrint print;
} Forgotten;

/* Where a stream without a key stands. */
typedef struct
{
  gboolean roc_only;
  guint64 index;
} Told;

struct _OwnKeys
{
  GHashTable *table;                 /* SSRC → Own */
  GQueue refused, unproven, removed; /* oldest first; see own_place() */
  guint in_force, questions;
  GArray *forgotten;
  GHashTable *told;  /* SSRC → Told */
  SrtpCounters past; /* of sessions that are gone */
};

KeyPrint
key_print (Secret *key)
{
  KeyPrint print;
  crypto_generichash (print.bytes, sizeof print.bytes, secret_bytes (key),
      secret_len (key), NULL, 0);
  return print;
}

static gboolean
key_print_equal (const KeyPrint *a, const KeyPrint *b)
{
  return memcmp (a, b, sizeof *a) == 0; /* of a hash, not of a key */
}

gboolean
key_print_in (const KeyPrint *print, GArray *prints)
{
  for (guint i = 0; prints && i < prints->len; i++)
    if (key_print_equal (print, &g_array_index (prints, KeyPrint, i)))
      return TRUE;
  return FALSE;
}

void
srtp_counters_add (SrtpCounters *sum, const SrtpCounters *more)
{
  for (guint i = 0; i < SRTP_N_RESULTS; i++)
    sum->results[i] += more->results[i];
  sum->octets += more->octets;
}

void
srtp_session_add_streams (const SrtpSession *session, GArray *streams)
{
  SrtpStats stats;
  guint before = streams->len;

  srtp_session_stats (session, &stats);
  g_array_set_size (streams, before + (guint) stats.n_streams);
  gsize n = srtp_session_stream_stats (session,
      &g_array_index (streams, SrtpStreamStats, before), stats.n_streams);
  g_array_set_size (streams, before + (guint) n);
}

static void
own_free (gpointer data)
{
  Own *own = data;
  srtp_session_free (own->session);
  g_clear_pointer (&own->prints, g_array_unref);
  g_free (own);
}

/* Who chooses SSRCs must not choose which of them collide. */
static guint
hash_ssrc (gconstpointer ssrc)
{
  static gsize seed;
  if (g_once_init_enter (&seed))
    g_once_init_leave (&seed, randombytes_random () | (gsize) 1);
  guint64 product = (guint64) GPOINTER_TO_UINT (ssrc) * 0x9e3779b97f4a7c15u
                    ^ (guint64) seed << 20;
  product *= (guint64) seed;
  return (guint) (product >> 32);
}

OwnKeys *
own_keys_new (void)
{
  OwnKeys *keys = g_new0 (OwnKeys, 1);
  keys->table =
      g_hash_table_new_full (hash_ssrc, g_direct_equal, NULL, own_free);
  keys->forgotten = g_array_new (FALSE, FALSE, sizeof (Forgotten));
  keys->told = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  return keys;
}

void
own_keys_free (OwnKeys *keys)
{
  g_hash_table_unref (keys->table);
  g_array_unref (keys->forgotten);
  g_hash_table_unref (keys->told);
  g_free (keys);
}

static Own *
own_find (OwnKeys *keys, guint32 ssrc)
{
  return g_hash_table_lookup (keys->table, GUINT_TO_POINTER (ssrc));
}

static void
own_unlink (OwnKeys *keys, Own *own)
{
  if (own->queue)
    g_queue_unlink (own->queue, &own->link);
  own->queue = NULL;
  keys->in_force -= own->keyed;
  own->keyed = FALSE;
}

/* Puts the entry where its state wants it. */
static void
own_place (OwnKeys *keys, Own *own)
{
  own_unlink (keys, own);
  own->keyed = own->session && srtp_session_has_key (own->session);
  keys->in_force += own->keyed;
  if (own->question != 0)
    return;
  if (!own->session)
    own->queue = &keys->refused;
  else if (!own->keyed)
    own->queue = &keys->removed;
  else if (!own->kept)
    own->queue = &keys->unproven;
  if (own->queue)
    g_queue_push_tail_link (own->queue, &own->link);
}

static void
fold_counters (OwnKeys *keys, const SrtpSession *session)
{
  SrtpStats stats;
  srtp_session_stats (session, &stats);
  srtp_counters_add (&keys->past, &stats.counters);
}

/* Forgets the entry; not that its keys are used up, if anything authentic came under them. */
static void
own_drop (OwnKeys *keys, Own *own)
{
  for (guint i = 0; own->kept && own->prints && i < own->prints->len; i++) {
    Forgotten forgotten = { own->ssrc,
      g_array_index (own->prints, KeyPrint, i) };
    g_array_append_val (keys->forgotten, forgotten);
  }
  if (own->session)
    fold_counters (keys, own->session);
  own_unlink (keys, own);
  g_hash_table_remove (keys->table, GUINT_TO_POINTER (own->ssrc));
}

/* The entry of this SSRC, made if need be; NULL when there is no room and nobody who can give way. */
static Own *
own_make (OwnKeys *keys, guint32 ssrc, guint max)
{
  GQueue *queues[] = { &keys->refused, &keys->unproven, &keys->removed };
  Own *own = own_find (keys, ssrc);

  if (own)
    return own;
  for (guint i = 0;
       i < G_N_ELEMENTS (queues) && g_hash_table_size (keys->table) >= max;)
    if (g_queue_is_empty (queues[i]))
      i++;
    else
      own_drop (keys, g_queue_peek_head (queues[i]));
  if (g_hash_table_size (keys->table) >= max)
    return NULL;
  own = g_new0 (Own, 1);
  own->ssrc = ssrc;
  own->link.data = own;
  g_hash_table_insert (keys->table, GUINT_TO_POINTER (ssrc), own);
  return own;
}

SrtpSession *
own_keys_session (OwnKeys *keys, guint32 ssrc)
{
  Own *own = keys->in_force > 0 ? own_find (keys, ssrc) : NULL;
  return own && own->keyed ? own->session : NULL;
}

guint
own_keys_in_force (OwnKeys *keys)
{
  return keys->in_force;
}

OwnQuestion
own_keys_may_ask (OwnKeys *keys, guint32 ssrc, guint max)
{
  Own *own = own_find (keys, ssrc);

  if (own)
    return own->asked || own->keyed ? OWN_ASKED : OWN_ASK;
  if (g_hash_table_size (keys->table) < max
      && g_queue_get_length (&keys->unproven) < OWN_KEYS_MAX_UNPROVEN)
    return OWN_ASK;
  if (g_queue_is_empty (&keys->refused) && g_queue_is_empty (&keys->unproven)
      && g_queue_is_empty (&keys->removed))
    return OWN_FULL;
  return randombytes_uniform (OWN_KEYS_CHANCE) == 0 ? OWN_ASK : OWN_ASKED;
}

guint
own_keys_begin (OwnKeys *keys, guint32 ssrc, guint max)
{
  Own *own = own_make (keys, ssrc, max);

  if (!own)
    return 0;
  if (++keys->questions == 0)
    keys->questions = 1;
  own->asked = TRUE;
  own->question = keys->questions;
  own_place (keys, own);
  return own->question;
}

gboolean
own_keys_end (OwnKeys *keys, guint32 ssrc, guint question)
{
  Own *own = own_find (keys, ssrc);

  if (!own || own->question != question)
    return FALSE;
  own->question = 0;
  own_place (keys, own);
  return TRUE;
}

static gboolean
is_forgotten (OwnKeys *keys, guint32 ssrc, const KeyPrint *print)
{
  for (guint i = 0; i < keys->forgotten->len; i++) {
    const Forgotten *f = &g_array_index (keys->forgotten, Forgotten, i);
    if (f->ssrc == ssrc && key_print_equal (&f->print, print))
      return TRUE;
  }
  return FALSE;
}

/* The session of the entry, with the settings as they are: other ciphers want another one, under which the keys of the
 * one before are used up. */
static SrtpSession *
own_session (OwnKeys *keys, Own *own, const SrtpConfig *settings)
{
  SrtpConfig config = *settings;

  config.max_ssrcs = 1;
  if (own->session
      && srtp_config_same_crypto (
          srtp_session_config (own->session), &config)) {
    srtp_session_set_limits (own->session, config.window, 1, config.lifetime);
    return own->session;
  }
  SrtpSession *session = srtp_session_new (&config, own->session);
  if (!session)
    return NULL;
  if (own->session)
    fold_counters (keys, own->session);
  srtp_session_free (own->session);
  own->session = session;
  return session;
}

/* What was told before there was a key. Of no use, and no harm, where the session knows better. */
static void
pass_told (OwnKeys *keys, Own *own)
{
  Told *told = g_hash_table_lookup (keys->told, GUINT_TO_POINTER (own->ssrc));
  SrtpResult result;

  if (!told)
    return;
  if (told->roc_only)
    result = srtp_session_set_roc (
        own->session, own->ssrc, (guint32) (told->index >> 16));
  else
    result = srtp_session_set_index (own->session, own->ssrc, told->index);
  (void) result;
  g_hash_table_remove (keys->told, GUINT_TO_POINTER (own->ssrc));
}

gboolean
own_keys_tell (
    OwnKeys *keys, guint32 ssrc, guint max, gboolean roc_only, guint64 index)
{
  if (g_hash_table_size (keys->told) >= max
      && !g_hash_table_contains (keys->told, GUINT_TO_POINTER (ssrc)))
    return FALSE;
  Told *told = g_new (Told, 1);
  *told = (Told){ roc_only, index };
  g_hash_table_insert (keys->told, GUINT_TO_POINTER (ssrc), told);
  return TRUE;
}

SrtpResult
own_keys_give (OwnKeys *keys, guint32 ssrc, const SrtpConfig *config,
    guint max, Secret *key, GBytes *mki, gboolean next, gboolean named)
{
  gsize mki_len = 0;
  gconstpointer mki_data = mki ? g_bytes_get_data (mki, &mki_len) : NULL;
  KeyPrint print = { { 0 } };

  if (!key || secret_len (key) != srtp_config_key_len (config))
    return SRTP_BAD_KEY;
  print = key_print (key);
  if (is_forgotten (keys, ssrc, &print))
    return SRTP_KEY_REUSED;
  Own *own = own_make (keys, ssrc, max);
  if (!own)
    return SRTP_TOO_MANY_SSRCS;
  SrtpSession *session = own_session (keys, own, config);
  SrtpResult result =
      !session ? SRTP_FAILED
      : next   ? srtp_session_rekey (session, key, mki_data, mki_len)
               : srtp_session_set_key (session, key, mki_data, mki_len);
  if (result == SRTP_OK) {
    pass_told (keys, own);
    own->asked = TRUE;
    own->kept |= named;
    own->named = named;
    if (!own->prints)
      own->prints = g_array_new (FALSE, FALSE, sizeof (KeyPrint));
    if (!key_print_in (&print, own->prints))
      g_array_append_val (own->prints, print);
    while (!own->kept
           && g_queue_get_length (&keys->unproven) >= OWN_KEYS_MAX_UNPROVEN
           && own->queue != &keys->unproven)
      own_drop (keys, g_queue_peek_head (&keys->unproven));
  } else if (session && !own->kept && !srtp_session_has_key (session)) {
    fold_counters (keys, session);
    g_clear_pointer (&own->session, srtp_session_free);
  }
  own_place (keys, own);
  return result;
}

void
own_keys_prove (OwnKeys *keys, guint32 ssrc)
{
  Own *own = own_find (keys, ssrc);

  if (!own || own->kept)
    return;
  own->kept = TRUE;
  own_place (keys, own);
}

gboolean
own_keys_is_kept (OwnKeys *keys, guint32 ssrc)
{
  Own *own = own_find (keys, ssrc);
  return own && own->kept;
}

/* True when the entry may go: nothing of it has to be remembered. */
static gboolean
own_retire (OwnKeys *keys, Own *own)
{
  own->asked = own->named = FALSE;
  own->question = 0;
  if (!own->kept)
    return TRUE;
  srtp_session_retire (own->session); /* kept: there is one */
  own_place (keys, own);
  return FALSE;
}

void
own_keys_remove (OwnKeys *keys, guint32 ssrc)
{
  Own *own = own_find (keys, ssrc);
  if (own && own_retire (keys, own))
    own_drop (keys, own);
}

static void
retire_all (OwnKeys *keys, gboolean named)
{
  GHashTableIter iter;
  gpointer data;

  g_hash_table_iter_init (&iter, keys->table);
  while (g_hash_table_iter_next (&iter, NULL, &data)) {
    Own *own = data;
    if ((own->named && !named) || !own_retire (keys, own))
      continue;
    if (own->session)
      fold_counters (keys, own->session);
    own_unlink (keys, own);
    g_hash_table_iter_remove (&iter);
  }
}

void
own_keys_retire (OwnKeys *keys)
{
  retire_all (keys, TRUE);
}

void
own_keys_ask_anew (OwnKeys *keys)
{
  retire_all (keys, FALSE);
}

gboolean
own_keys_know (OwnKeys *keys, const KeyPrint *print)
{
  GHashTableIter iter;
  gpointer own;

  for (guint i = 0; i < keys->forgotten->len; i++)
    if (key_print_equal (
            &g_array_index (keys->forgotten, Forgotten, i).print, print))
      return TRUE;
  g_hash_table_iter_init (&iter, keys->table);
  while (g_hash_table_iter_next (&iter, NULL, &own))
    if (key_print_in (print, ((Own *) own)->prints))
      return TRUE;
  return FALSE;
}

void
own_keys_add_counters (OwnKeys *keys, SrtpCounters *sum)
{
  GHashTableIter iter;
  gpointer own;
  SrtpStats stats;

  srtp_counters_add (sum, &keys->past);
  g_hash_table_iter_init (&iter, keys->table);
  while (g_hash_table_iter_next (&iter, NULL, &own))
    if (((Own *) own)->session) {
      srtp_session_stats (((Own *) own)->session, &stats);
      srtp_counters_add (sum, &stats.counters);
    }
}

void
own_keys_add_streams (OwnKeys *keys, GArray *streams)
{
  GHashTableIter iter;
  gpointer own;

  g_hash_table_iter_init (&iter, keys->table);
  while (g_hash_table_iter_next (&iter, NULL, &own))
    if (((Own *) own)->session)
      srtp_session_add_streams (((Own *) own)->session, streams);
}

/* The keys of single SSRCs: what `request-key` answered and `rekey-ssrc` gave.
 *
 * Each SSRC that was asked for has an entry: nothing but a note that there is no key, or a session. There are as many as
 * `max-ssrcs`. Anybody can send a packet with an invented SSRC, so an entry is kept for good only when its SSRC has sent
 * an authentic packet or the application named it. The others give way to newcomers when all are taken: those without a
 * key first, then those with one, of which there are at most OWN_KEYS_MAX_UNPROVEN, as a session costs memory and time.
 *
 * A key that is taken away leaves its session behind, without key but with ROC and replay windows: when the same key
 * comes back, what was received once is not received again. Where even such an entry must give way, its key is
 * remembered as used up for this SSRC.
 *
 * Pointers to entries and sessions hold until the lock is released. Everything here wants the element's lock.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "ext/srtp/session.h"

G_BEGIN_DECLS

/* Sessions with a key that no packet has proven. A good SSRC's first packet proves it. */
#define OWN_KEYS_MAX_UNPROVEN 64
/* When all entries, or all of those, are taken, a packet of a new SSRC replaces one with a chance of one in this many: strangers cannot keep
 * a newcomer out, and a flood of them asks the application only for one packet in so many. */
#define OWN_KEYS_CHANCE 16

#define KEY_PRINT_LEN 16

/* By this a key is known again: BLAKE2b, which tells nothing about it. */
typedef struct
{
  guint8 bytes[KEY_PRINT_LEN];
} KeyPrint;

KeyPrint key_print (Secret *key);
gboolean key_print_in (const KeyPrint *print, GArray *prints);

typedef struct _OwnKeys OwnKeys;

OwnKeys *own_keys_new (void);
void own_keys_free (OwnKeys *keys);

/* The session of this SSRC, if it has a key of its own in force. */
SrtpSession *own_keys_session (OwnKeys *keys, guint32 ssrc);

/* How many SSRCs have a key of their own in force. */
guint own_keys_in_force (OwnKeys *keys);

typedef enum
{
  OWN_ASK,   /* the application may be asked: call own_keys_begin() */
  OWN_ASKED, /* it was, or is being asked; or chance was against it */
  OWN_FULL   /* `max` SSRCs have sent authentic packets */
} OwnQuestion;

OwnQuestion own_keys_may_ask (OwnKeys *keys, guint32 ssrc, guint max);

/* Notes the question, and gives its number; `max` as above. */
guint own_keys_begin (OwnKeys *keys, guint32 ssrc, guint max);

/* The question was answered. False when nobody waits for that any more: the keys were taken away meanwhile. */
gboolean own_keys_end (OwnKeys *keys, guint32 ssrc, guint question);

/* Gives this SSRC its key: its first, or, with `next`, the next one after a key in force, which then goes on being taken
 * for a while. `config` has the settings as they are, `named`: the application has named the SSRC, it is not only an
 * answer. SRTP_TOO_MANY_SSRCS when `max` entries cannot give way. */
SrtpResult own_keys_give (OwnKeys *keys, guint32 ssrc,
    const SrtpConfig *config, guint max, Secret *key, GBytes *mki,
    gboolean next, gboolean named);

/* Where the stream of an SSRC that has no key yet stands: an index, or a ROC only. Told to its session with its first key.
 * False when `max` SSRCs wait like that. */
gboolean own_keys_tell (
    OwnKeys *keys, guint32 ssrc, guint max, gboolean roc_only, guint64 index);

/* A packet of this SSRC was authentic. */
void own_keys_prove (OwnKeys *keys, guint32 ssrc);

/* Whether one was, or the application named the SSRC: it is nobody's invention. */
gboolean own_keys_is_kept (OwnKeys *keys, guint32 ssrc);

/* Takes the key of one SSRC, or those of all, away. The application is asked anew. */
void own_keys_remove (OwnKeys *keys, guint32 ssrc);
void own_keys_retire (OwnKeys *keys);

/* Takes those away that are answers: each SSRC is asked for anew. What the application named stays. */
void own_keys_ask_anew (OwnKeys *keys);

/* Whether some SSRC has, or had, this key. */
gboolean own_keys_know (OwnKeys *keys, const KeyPrint *print);

/* Counters of all sessions, those that are gone included. */
void own_keys_add_counters (OwnKeys *keys, SrtpCounters *sum);

/* Appends an SrtpStreamStats for each stream. */
void own_keys_add_streams (OwnKeys *keys, GArray *streams);

void srtp_counters_add (SrtpCounters *sum, const SrtpCounters *more);
void srtp_session_add_streams (const SrtpSession *session, GArray *streams);

G_END_DECLS

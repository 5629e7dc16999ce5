/* ConclaveSrtpBase, of which srtpprotect and srtpunprotect are made: settings, keys and the sessions behind their lock,
 * what changes with the state, statistics. What is left to the two are pads, and packets on their way.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ext/srtp/srtpblocks.h"
#include "ext/srtp/srtpownkeys.h"
#include "ext/srtp/srtpsettings.h"

G_BEGIN_DECLS

typedef struct
{
  GstElement parent;

  SrtpBlocks *blocks; /* fixed; for packets that cannot stay where they are */

  /* object lock */
  SrtpSettings settings;
  Secret *key;        /* text as given, or NULL */
  gchar *location;    /* or NULL */
  gchar *mki_text;    /* as given, or NULL */
  gboolean fresh;     /* a setting changed since the last load, */
  gboolean fresh_key; /* and it was "key", "key-location" or "mki"; */
  gboolean
      cleared; /* "key" or "key-location" was taken away, and no other key came since */

  /* lock: taken after none other, nothing is called out with it held */
  GMutex lock;
  SrtpSession *session; /* for all SSRCs; NULL before the first load */
  OwnKeys *own;         /* receiving: of single SSRCs */
  GArray *
      prints; /* KeyPrint of all keys that `session` and those before it had */
  SrtpCounters past;   /* of sessions before it */
  KeyPrint loaded;     /* the key that was last read from the properties, */
  gboolean any_loaded; /* if one was */
  GBytes *mki;         /* "mki", or NULL */
  Secret *
      unused; /* the session's only key while no packet has used it, else NULL */
  GBytes *unused_mki;
  gboolean was_keyed; /* had a key when a packet came */
  gboolean warned_no_key, warned_too_many;
} ConclaveSrtpBase;

typedef struct
{
  GstElementClass parent;

  /* fixed by the two */
  SrtpDirection direction;
  const gchar *good_name; /* of good packets in the statistics */
  guint request_key;      /* signal id; 0: there is none */
} ConclaveSrtpBaseClass;

#define CONCLAVE_TYPE_SRTP_BASE (conclave_srtp_base_get_type ())
GType conclave_srtp_base_get_type (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ConclaveSrtpBase, gst_object_unref)

static inline ConclaveSrtpBase *
CONCLAVE_SRTP_BASE (gpointer object)
{
  return G_TYPE_CHECK_INSTANCE_CAST (
      object, CONCLAVE_TYPE_SRTP_BASE, ConclaveSrtpBase);
}

static inline ConclaveSrtpBaseClass *
srtp_base_class (gpointer object)
{
  return G_TYPE_INSTANCE_GET_CLASS (
      object, CONCLAVE_TYPE_SRTP_BASE, ConclaveSrtpBaseClass);
}

/* The settings as they are. */
SrtpConfig srtp_base_config (ConclaveSrtpBase *self);

/* The session of these settings: the one there is, or another in its place. Lock held. False with an error. */
gboolean srtp_base_ensure_session (
    ConclaveSrtpBase *self, const SrtpConfig *config, GError **error);

/* Gives the session that is there a key: the only one from now on, or, with `next`, the next one. Lock held. */
SrtpResult srtp_base_give_key (
    ConclaveSrtpBase *self, Secret *key, GBytes *mki, gboolean next);

/* Gives one SSRC its key, as own_keys_give() with this element's limits. A key of the session for all is refused: what came
 * under it is not known to the SSRC's own. Lock held. */
SrtpResult srtp_base_give_own_key (ConclaveSrtpBase *self, guint32 ssrc,
    const SrtpConfig *config, Secret *key, GBytes *mki, gboolean next,
    gboolean named);

/* The session that packets of this SSRC belong to: that of its own key while one is in force, else the one for all, which
 * is NULL before the first load and may have no key. The only place that decides it. Lock held. */
SrtpSession *srtp_base_session_of (ConclaveSrtpBase *self, guint32 ssrc);

/* True if the session for all has a key, an SSRC has, or somebody may be asked for one. Lock held. */
gboolean srtp_base_has_any_key (ConclaveSrtpBase *self);

/* A good packet came under the key of `session`. Lock held. */
static inline void
srtp_base_note_use (ConclaveSrtpBase *self, const SrtpSession *session)
{
  self->was_keyed = TRUE;
  if (self->unused && session == self->session) {
    g_clear_pointer (&self->unused, secret_unref);
    g_clear_pointer (&self->unused_mki, g_bytes_unref);
  }
}

/* Puts the error on the bus, as a message of this type. */
void srtp_base_post (
    ConclaveSrtpBase *self, GstMessageType type, const GError *error);

/* An element message with this name; `ssrc` below 0: none. */
void srtp_base_tell (ConclaveSrtpBase *self, const gchar *name, gint64 ssrc);

/* srtpactions.c: set-key, rekey, clear-keys, get-roc, set-roc, get-index, set-index for both, remove-key and rekey-ssrc for
 * receivers. */
void srtp_install_actions (GType type);
void srtp_install_ssrc_actions (GType type);

G_END_DECLS

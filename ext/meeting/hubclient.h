/* A member's connection to the hub: a WebSocket over TLS, whose other end is verified before a byte is said to it or taken
 * from it.
 *
 * What verifies it is the link's pin, or a PEM file, or, with neither, the system's authorities. A pin is compared with the
 * key that the TLS handshake has shown, once the connection is there, also where an authority vouches for the certificate.
 *
 * Used by one thread, in whose default main context all happens and all callbacks are called.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "ext/session/wire.h"
#include "ext/sodium/link.h"

G_BEGIN_DECLS

/* ---- Whom to believe ---- */

typedef struct MeetingTrust MeetingTrust;

/* `pem`: a file with the hub's certificate, or with that of an authority that signed it; NULL for none. NULL with a sentence
 * when it can't be read. Loads what TLS needs, so that connecting finds it there: takes tens of ms the first time. */
MeetingTrust *meeting_trust_new (
    const Link *link, const char *pem, GError **error);
void meeting_trust_free (MeetingTrust *trust);

/* ---- The connection ---- */

typedef struct MeetingHub MeetingHub;

typedef enum
{
  MEETING_HUB_UNREACHABLE = 1, /* no connection, or it ended */
  MEETING_HUB_NO_HUB,   /* something else answers there, or it refuses */
  MEETING_HUB_UNTRUSTED /* it is not the hub that was meant */
} MeetingHubLoss;

typedef struct
{
  /* Verified; `spki_hash`: LIMIT_SPKI_HASH bytes. */
  void (*connected) (gpointer user, const guint8 *spki_hash);
  void (*frame) (
      gpointer user, gboolean binary, gconstpointer data, gsize len);
  /* Once for each meeting_hub_connect(), unless meeting_hub_close() came first: `why` is a sentence for a person. */
  void (*lost) (gpointer user, MeetingHubLoss loss, const char *why);
  /* After meeting_hub_close(): it is gone. */
  void (*closed) (gpointer user);
} MeetingHubCallbacks;

/* `link` and `trust` outlive it. */
MeetingHub *meeting_hub_new (const Link *link, const MeetingTrust *trust,
    const MeetingHubCallbacks *callbacks, gpointer user);

/* Aborts, without a callback. The main context has to run until meeting_hub_pending() is 0. */
void meeting_hub_free (MeetingHub *hub);

/* Instead of the connection before, if there is one. Gives up after `timeout` ms. */
void meeting_hub_connect (MeetingHub *hub, guint timeout);
void meeting_hub_send (
    MeetingHub *hub, gboolean binary, gconstpointer data, gsize len);

/* Closes it once what was sent is out. */
void meeting_hub_close (MeetingHub *hub);

/* TRUE while there is a connection, one that is being made, or one that is being closed. */
gboolean meeting_hub_is_busy (const MeetingHub *hub);

/* Operations under way in the process that still need their main context. */
guint meeting_hub_pending (const MeetingTrust *trust);

typedef struct
{
  guint64 connects, losses, frames_in, frames_out, bytes_in, bytes_out;
} MeetingHubStats;

MeetingHubStats meeting_hub_stats (const MeetingHub *hub);

G_END_DECLS

/* One generation of ICE: a libnice agent with one stream of one component, its sockets, and the thread that reads
 * them. A restart with new credentials makes a new link beside the old one, so that media goes on over the old
 * path until the new one stands, and so that addresses which came or went are gathered anew.
 *
 * All functions are called from the thread that runs `main_context`, but for ice_link_ref(), ice_link_unref() and
 * ice_link_send().
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "convert.h"
#include "description.h"
#include "servers.h"
#include "udppath.h"

#include <glib.h>
#include <nice/agent.h>

#define ICE_MAX_PATHS                                                         \
  16 /* media sockets of one link: more local addresses than that go through libnice */

/* What a link is made from; not changed while links exist. */
typedef struct
{
  gboolean controlling;
  gboolean force_relay;
  gboolean ice_tcp;
  IceServer stun; /* host is empty when there is none */
  IceServer turn[ICE_MAX_SERVERS];
  guint n_turn;
  char **bind_addresses; /* NULL: all that are not loopback */
  guint port_min;        /* 0: any */
  guint port_max;
  guint pacing;             /* ms between checks; 0: by the number of pairs */
  gint receive_buffer_size; /* bytes; 0: the kernel's default */
  gboolean media_sockets;   /* FALSE: everything through libnice */
} IceConfig;

typedef enum
{
  ICE_LINK_GATHERING,
  ICE_LINK_CONNECTING,
  ICE_LINK_CONNECTED, /* a nominated pair carries media; other pairs may still be checked */
  ICE_LINK_READY, /* all checks are over */
  ICE_LINK_FAILED /* no pair works, or consent was lost */
} IceLinkState;

typedef struct IceLink IceLink;

/* `changed`: something that ice_link_state(), ice_link_describe() or ice_link_selected() tells may have changed; from
 * the main context. `arrived`: packets that came through libnice; from the link's own thread. */
typedef struct
{
  void (*changed) (IceLink *link, gpointer user);
  void (*arrived) (
      IceLink *link, const guint8 *bytes, gsize size, gpointer user);
} IceLinkEvents;

/* Starts gathering. `ufrag` and `pwd`: the credentials to keep, or NULL for fresh ones. `with_loopback`: offer
 * loopback addresses besides the others. NULL with `error` when there is no local address to offer. */
IceLink *ice_link_new (const IceConfig *config, GMainContext *main_context,
    const char *ufrag, const char *pwd, gboolean with_loopback,
    const IceLinkEvents *events, gpointer user, GError **error);

IceLink *ice_link_ref (IceLink *link);
void ice_link_unref (IceLink *link);

/* Takes the far end's description: the first one, more candidates of it, or the one of another peer, for which all
 * checks start anew under our same credentials. */
void ice_link_set_remote (IceLink *link, const IceDescription *remote);

/* Starts the checks anew under the same credentials on both sides: what libnice gave up may work by now. */
void ice_link_recheck (IceLink *link);

IceLinkState ice_link_state (IceLink *link);
gboolean ice_link_has_remote (IceLink *link);

/* Whether that is the one with these credentials. */
gboolean ice_link_has_peer (IceLink *link, const IceDescription *remote);

/* Whether this side nominates, unless a conflict was settled otherwise: libnice keeps that to itself. */
gboolean ice_link_is_controlling (IceLink *link);
gboolean ice_link_has_loopback (IceLink *link);
const char *ice_link_ufrag (IceLink *link);

/* Fills in what is known by now. */
void ice_link_describe (IceLink *link, IceDescription *out);

/* The selected pair; FALSE while there is none. */
gboolean ice_link_selected (
    IceLink *link, IceCandidate *local, IceCandidate *remote);

/* The addresses packets may come from: the remote candidates, signalled and learnt. */
guint ice_link_remote_addresses (IceLink *link, IceAddress *out, guint max);

/* Which media socket the selected pair would send from; NULL when only libnice can. */
UdpPath *ice_link_selected_path (IceLink *link);
UdpPath *ice_link_paths (IceLink *link, guint *n);
guint32 ice_link_stun_tag (IceLink *link);

/* Whether a packet from a media socket is STUN with the link's tag: an answer to a check of our own. Any thread. */
gboolean ice_link_is_own_answer (
    IceLink *link, const guint8 *bytes, gsize size);

/* Packets the kernel dropped at full receive buffers, media's and libnice's. Any thread. */
guint64 ice_link_kernel_drops (IceLink *link);

/* The credentials of a check of our own over the selected pair: "remote:local" and the far end's password. */
gboolean ice_link_check_credentials (
    IceLink *link, const char **username, const char **password);

/* Sends through libnice. Gives how many messages were taken; fewer than `n`: it would block, or the link is gone,
 * which `*gone` tells. Any thread. */
guint ice_link_send (
    IceLink *link, const NiceOutputMessage *messages, guint n, gboolean *gone);

/* Gives TURN allocations back, stops the thread and frees the ports, whoever else holds a reference; no event comes after
 * `closed` was called. Again: no effect. */
void ice_link_close (IceLink *link,
    void (*closed) (IceLink *link, gpointer user), gpointer user);

/* The same without waiting for servers, for a link that ice_link_close() was not called for; otherwise only the events
 * end, and what libnice holds stays until it is done. */
void ice_link_abandon (IceLink *link);

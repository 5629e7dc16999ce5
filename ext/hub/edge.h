/* Every limit and time of the hub's edge: what strangers can make it keep or do before and around the messages, whose own
 * limits are in limits.h. Each has a counter in HubEdgeStats that shows when it was met.
 *
 * Times are in milliseconds, sizes in bytes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "limits.h"

/* ---- Until a WebSocket is there ---- */
#define HUB_EDGE_ARRIVAL_MS                                                   \
  3000 /* from accept to the 101, or to the end of a page */
#define HUB_EDGE_ARRIVALS                                                     \
  2048 /* at a time: then who came first, and had most time, gives way; */
#define HUB_EDGE_SOURCE_ARRIVALS 128 /* and of one source */
#define HUB_EDGE_ACCEPTS 64          /* in one turn of the loop */
#define HUB_EDGE_HANDSHAKES                                                   \
  8 /* steps of TLS handshakes in one turn; the first costs about 0.5 ms */
#define HUB_EDGE_REQUEST 16384 /* bytes of a request, headers and all */
#define HUB_EDGE_SOURCES 65536 /* that are remembered; idle ones go first */
#define HUB_EDGE_REMEMBERED_MS 60000
#define HUB_EDGE_REFUSED_MS                                                   \
  200 /* without a new accept when the process has no file descriptors left */

/* TCP connections of a source: twice what its WebSockets may be, for pages and for those that get nowhere. */
#define HUB_EDGE_CONNECTS_BURST (2 * HUB_CONNECTS_BURST)
#define HUB_EDGE_CONNECTS_MORE 60 /* a minute */

#define HUB_EDGE_FILES                                                        \
  128 /* file descriptors that are left to the rest of the process */

/* ---- WebSockets ---- */
#define HUB_EDGE_PING_S 15 /* seconds between two pings */
#define HUB_EDGE_SILENT_MS                                                    \
  35000 /* without one whole frame, answers to pings included */
#define HUB_EDGE_CLOSE_MS 10000 /* from our close frame to the end */
#define HUB_EDGE_SWEEP_MS 1000
#define HUB_EDGE_USER_TIMEOUT_MS                                              \
  15000 /* TCP_USER_TIMEOUT (RFC 5482): unacknowledged, or a window that stays shut */

/* What may be queued for one: a member must hold what one call can put out for it. */
#define HUB_EDGE_BACKLOG_STRANGER (256u << 10)
#define HUB_EDGE_BACKLOG_MEMBER ((1u << 20) + HUB_MAX_BURST)
#define HUB_EDGE_BACKLOG_TOTAL                                                \
  ((size_t) 512 << 20) /* for all: then the largest go */

/* Above the hub's own limit of a frame by this factor the connection is cut without a word. */
#define HUB_EDGE_FRAME_SLACK 2
#define HUB_EDGE_FRAGMENTS 256 /* frames of one message */
#define HUB_EDGE_CONTROLS_BURST                                               \
  16 /* pings, pongs and closes from one client: each ping is answered */
#define HUB_EDGE_CONTROLS_RATE 1 /* a second */

/* ---- The end ---- */
#define HUB_EDGE_DRAIN_MS 1000 /* to hear that the hub is going away */

/* Buffers for frames of any size, from pools by size class.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct FramePool FramePool;

/* Used by one thread at a time; buffers may be released from any. */
FramePool *frame_pool_new (void);

/* Buffers still out stay valid. Takes NULL. */
void frame_pool_free (FramePool *pool);

/* A writable buffer of one memory with at least `size` bytes, metadata empty; the caller cuts it to size, once. Sizes above
 * the largest class are allocated afresh. NULL when memory is short. */
GstBuffer *frame_pool_acquire (FramePool *pool, gsize size);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (FramePool, frame_pool_free)

G_END_DECLS

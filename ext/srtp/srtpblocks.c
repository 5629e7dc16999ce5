/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "srtpblocks.h"

#define BLOCK_SIZE                                                            \
  2048 /* an Ethernet packet, with what protection adds; larger ones are allocated as they come */
#define MAX_FREE 64 /* what lists need, and 128 KiB at most */

/* A block, or a part of one (gst_memory_share()), whose `data` lies in its parent. */
typedef struct
{
  GstMemory memory;
  guint8 *data;
  guint8 storage[];
} Block;

struct _ConclaveSrtpBlocks
{
  GstAllocator parent;

  GMutex lock; /* taken after none other */
  gboolean closed;
  guint n_free;
  GstMemory *free
      [MAX_FREE]; /* the last one given back is the next one taken: it is in the cache */
};

#define CONCLAVE_TYPE_SRTP_BLOCKS (conclave_srtp_blocks_get_type ())
G_DECLARE_FINAL_TYPE (ConclaveSrtpBlocks, conclave_srtp_blocks, CONCLAVE,
    SRTP_BLOCKS, GstAllocator)
G_DEFINE_FINAL_TYPE (
    ConclaveSrtpBlocks, conclave_srtp_blocks, GST_TYPE_ALLOCATOR)

/* The last reference to a block is gone. FALSE: it lives on here. */
static gboolean
keep_block (GstMiniObject *object)
{
  GstMemory *memory = GST_MEMORY_CAST (object);
  ConclaveSrtpBlocks *self = (ConclaveSrtpBlocks *) memory->allocator;

  g_mutex_lock (&self->lock);
  gboolean kept = !self->closed && self->n_free < MAX_FREE;
  if (kept)
    self->free[self->n_free++] = gst_memory_ref (memory);
  g_mutex_unlock (&self->lock);
  return !kept;
}

static GstMemory *
new_block (ConclaveSrtpBlocks *self)
{
  Block *block = g_try_malloc (sizeof *block + BLOCK_SIZE);
  if (!block)
    return NULL;
  block->data = block->storage;
  gst_memory_init (&block->memory, 0, GST_ALLOCATOR (self), NULL, BLOCK_SIZE,
      0, 0, BLOCK_SIZE);
  block->memory.mini_object.dispose = keep_block;
  return &block->memory;
}

GstMemory *
srtp_blocks_take (SrtpBlocks *self, gsize size, guint8 **data)
{
  GstMemory *memory = NULL;

  if (size > BLOCK_SIZE) {
    *data = g_try_malloc (size);
    return *data ? gst_memory_new_wrapped (
               0, *data, size, 0, size, *data, g_free)
                 : NULL;
  }
  g_mutex_lock (&self->lock);
  if (self->n_free > 0)
    memory = self->free[--self->n_free];
  g_mutex_unlock (&self->lock);
  if (memory) {
    memory->offset = 0;
    GST_MINI_OBJECT_FLAGS (memory) &= ~(guint) GST_MEMORY_FLAG_READONLY;
  } else {
    memory = new_block (self);
  }
  if (!memory)
    return NULL;
  memory->size = size;
  *data = ((Block *) memory)->data;
  return memory;
}

static gpointer
map_block (GstMemory *memory, gsize max_size, GstMapFlags flags)
{
  return ((Block *) memory)->data;
}

static void
unmap_block (GstMemory *memory)
{
}

static GstMemory *
share_block (GstMemory *memory, gssize offset, gssize size)
{
  GstMemory *parent = memory->parent ? memory->parent : memory;
  Block *part = g_new (Block, 1);

  if (size == -1)
    size = (gssize) memory->size - offset;
  part->data = ((Block *) memory)->data;
  gst_memory_init (&part->memory,
      GST_MINI_OBJECT_FLAGS (parent) | GST_MINI_OBJECT_FLAG_LOCK_READONLY,
      memory->allocator, parent, memory->maxsize, memory->align,
      memory->offset + (gsize) offset, (gsize) size);
  return &part->memory;
}

static void
free_block (GstAllocator *allocator, GstMemory *memory)
{
  g_free (memory);
}

SrtpBlocks *
srtp_blocks_new (void)
{
  return gst_object_ref_sink (g_object_new (CONCLAVE_TYPE_SRTP_BLOCKS, NULL));
}

void
srtp_blocks_free (SrtpBlocks *self)
{
  GstMemory *rest[MAX_FREE];
  guint n;

  if (!self)
    return;
  g_mutex_lock (&self->lock);
  self->closed = TRUE;
  n = self->n_free;
  self->n_free = 0;
  for (guint i = 0; i < n; i++)
    rest[i] = self->free[i];
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < n; i++)
    gst_memory_unref (rest[i]);
  gst_object_unref (self);
}

static void
conclave_srtp_blocks_finalize (GObject *object)
{
  g_mutex_clear (&CONCLAVE_SRTP_BLOCKS (object)->lock);
  G_OBJECT_CLASS (conclave_srtp_blocks_parent_class)->finalize (object);
}

static void
conclave_srtp_blocks_init (ConclaveSrtpBlocks *self)
{
  GstAllocator *allocator = GST_ALLOCATOR (self);

  g_mutex_init (&self->lock);
  allocator->mem_type = "ConclaveSrtpBlock";
  allocator->mem_map = map_block;
  allocator->mem_unmap = unmap_block;
  allocator->mem_share = share_block;
  GST_OBJECT_FLAG_SET (self, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}

static void
conclave_srtp_blocks_class_init (ConclaveSrtpBlocksClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = conclave_srtp_blocks_finalize;
  GST_ALLOCATOR_CLASS (klass)->free = free_block;
}

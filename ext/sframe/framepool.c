/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "framepool.h"

/* A video stream mixes delta frames of 1 KiB with keyframes of 100: one pool of the largest size would hold a hundred
 * times what is needed, so sizes go by classes of four times the one before: 256 B, 1 KiB, … 4 MiB. */
#define FIRST_CLASS_BITS 8
#define CLASS_STEP_BITS 2
#define N_CLASSES 8

struct FramePool
{
  GstBufferPool *classes[N_CLASSES];
};

FramePool *
frame_pool_new (void)
{
  return g_new0 (FramePool, 1);
}

void
frame_pool_free (FramePool *pool)
{
  if (!pool)
    return;
  for (guint i = 0; i < N_CLASSES; i++) {
    if (!pool->classes[i])
      continue;
    gst_buffer_pool_set_active (pool->classes[i], FALSE);
    gst_object_unref (pool->classes[i]);
  }
  g_free (pool);
}

static guint
class_size (guint class)
{
  return 1u << (FIRST_CLASS_BITS + CLASS_STEP_BITS * class);
}

static GstBufferPool *
make_class (guint class)
{
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_buffer_pool_config_set_params (config, NULL, class_size (class), 0, 0);
  if (!gst_buffer_pool_set_config (pool, config)
      || !gst_buffer_pool_set_active (pool, TRUE))
    gst_clear_object (&pool);
  return pool;
}

GstBuffer *
frame_pool_acquire (FramePool *pool, gsize size)
{
  guint class = 0;
  GstBuffer *buffer = NULL;

  while (class < N_CLASSES && class_size (class) < size)
    class ++;
  if (class == N_CLASSES)
    return gst_buffer_new_allocate (NULL, size, NULL);

  if (!pool->classes[class])
    pool->classes[class] = make_class (class);
  if (!pool->classes[class]
      || gst_buffer_pool_acquire_buffer (pool->classes[class], &buffer, NULL)
             != GST_FLOW_OK)
    return NULL;
  return buffer;
}

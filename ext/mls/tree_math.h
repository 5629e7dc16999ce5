/* The array representation of a full binary tree (RFC 9420, appendix C): leaf L is node 2 L, parents are odd, and the
 * whole tree of n leaves, a power of two, is the nodes 0 to 2 n - 2.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Leaves are of level 0, their parents of level 1. */
static inline unsigned
mls_level (uint32_t node)
{
  unsigned level = 0;
  while (node >> level & 1)
    level++;
  return level;
}

static inline bool
mls_is_leaf (uint32_t node)
{
  return (node & 1) == 0;
}

static inline uint32_t
mls_node_count (uint32_t n_leaves)
{
  return n_leaves == 0 ? 0 : 2 * n_leaves - 1;
}

/* Of a tree of a power of two leaves. */
static inline uint32_t
mls_root (uint32_t n_leaves)
{
  return n_leaves - 1;
}

/* Of a parent only. */
static inline uint32_t
mls_left (uint32_t node)
{
  return node ^ (UINT32_C (1) << (mls_level (node) - 1));
}

static inline uint32_t
mls_right (uint32_t node)
{
  return node ^ (UINT32_C (3) << (mls_level (node) - 1));
}

/* Of a node that is not the root. */
static inline uint32_t
mls_parent (uint32_t node)
{
  unsigned level = mls_level (node);
  return (node | UINT32_C (1) << level) & ~(UINT32_C (1) << (level + 1));
}

static inline uint32_t
mls_sibling (uint32_t node)
{
  uint32_t parent = mls_parent (node);
  return node < parent ? mls_right (parent) : mls_left (parent);
}

/* The first of the leaves below `node`, as a leaf index, and how many there are. */
static inline uint32_t
mls_first_leaf (uint32_t node)
{
  unsigned level = mls_level (node);
  return (node + 1 - (UINT32_C (1) << level)) / 2;
}

static inline uint32_t
mls_leaf_span (uint32_t node)
{
  return UINT32_C (1) << mls_level (node);
}

/* Whether leaf `leaf` is `node` or below it. */
static inline bool
mls_covers (uint32_t node, uint32_t leaf)
{
  return leaf - mls_first_leaf (node) < mls_leaf_span (node);
}

/* The lowest node that is on the direct paths of both leaves, which differ. */
static inline uint32_t
mls_common_ancestor (uint32_t leaf_a, uint32_t leaf_b)
{
  uint32_t node = mls_parent (2 * leaf_a);
  while (!mls_covers (node, leaf_b))
    node = mls_parent (node);
  return node;
}

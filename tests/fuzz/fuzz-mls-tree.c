/* A ratchet tree from a stranger: read, checked as a joiner does, changed as proposals do, written.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mls-insider.h"

#include "ext/mls/tree_validation.h"

/* What any tree must survive once its unmerged leaves were checked. */
static void
use (MlsTree *tree)
{
  MlsIndices resolution = { 0 };
  uint32_t path[MLS_MAX_DEPTH], copath[MLS_MAX_DEPTH];

  mls_tree_validate (
      tree, MLS_SUITE_AES_128_GCM, mls_slice ("group", 5), (MlsSlice){ 0 });
  mls_tree_resolution (tree, mls_root (tree->n_leaves), &resolution);
  for (size_t i = 0; i < resolution.len; i++)
    if (resolution.at[i] >= mls_node_count (tree->n_leaves)
        || mls_tree_is_blank (tree, resolution.at[i]))
      abort ();
  mls_indices_free (&resolution);
  for (uint32_t i = 0; i < tree->n_leaves && i < 32; i++)
    if (mls_tree_filtered_path (tree, i, path, copath) > MLS_MAX_DEPTH)
      abort ();

  MlsTree *copy = mls_tree_copy (tree);
  uint8_t before[MLS_HASH_LEN];
  memcpy (
      before, mls_tree_hash (tree, mls_root (tree->n_leaves)), sizeof before);
  MlsLeaf *leaf = NULL;
  for (uint32_t i = 0; i < copy->n_leaves && !leaf; i++)
    leaf = mls_tree_leaf (copy, i);
  uint32_t added;
  if (leaf && mls_tree_add (copy, mls_leaf_ref (leaf), &added) == MLS_OK) {
    mls_tree_remove (copy, added);
    mls_tree_truncate (copy);
  }
  mls_tree_free (copy);
  if (memcmp (before, mls_tree_hash (tree, mls_root (tree->n_leaves)),
          sizeof before)
      != 0)
    abort ();
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Reader in = reader_init (data, size);
  MlsSlice content = mls_read_opaque (&in);
  MlsTree *tree = NULL;

  core_init ();
  if (!reader_done (&in) || mls_tree_parse (content, &tree) != MLS_OK)
    return 0;
  MlsBuffer out = { 0 };
  mls_tree_put (&out, tree);
  if (!mls_slice_equal (mls_buffer_slice (&out), mls_slice (data, size)))
    abort ();
  mls_buffer_free (&out);
  if (mls_tree_check_unmerged (tree) == MLS_OK)
    use (tree);
  mls_tree_free (tree);
  return 0;
}

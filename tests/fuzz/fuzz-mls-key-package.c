/* A key package from a stranger, as it comes and, with signatures made for it, as the client that it claims to be could
 * have made it; then added to a group.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mls-insider.h"

/* The same with signatures that are right for its fields, by Dora. */
static bool
sign_anew (Insider *in, MlsSlice bytes, MlsBuffer *out)
{
  MlsKeyPackageView view;
  MlsBuffer leaf = { 0 }, tbs = { 0 };
  uint8_t signature[MLS_SIGNATURE_LEN];
  const uint8_t *secret_key = secret_bytes (in->dora->signature_key);

  if (mls_key_package_parse (bytes, &view) != MLS_OK)
    return false;
  view.leaf.signature_key = mls_slice (secret_key + MLS_KEY_LEN, MLS_KEY_LEN);
  mls_leaf_node_sign (&leaf, &view.leaf, secret_key, (MlsSlice){ 0 }, 0);
  Reader r = mls_reader (mls_buffer_slice (&leaf));
  mls_leaf_node_read (&r, &view.leaf);
  mls_key_package_put_unsigned (&tbs, &view);
  mls_sign (secret_key, "KeyPackageTBS", mls_buffer_slice (&tbs), signature);
  mls_put_slice (out, mls_buffer_slice (&tbs));
  mls_put_opaque (out, mls_slice (signature, sizeof signature));
  mls_buffer_free (&leaf);
  mls_buffer_free (&tbs);
  return true;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static Insider *in;
  MlsSlice bytes = { data, size };
  MlsKeyPackageView view;
  MlsBuffer own = { 0 };
  MlsStaged *staged = NULL;

  if (!in)
    in = insider_new (1);
  mls_key_package_inspect (bytes, 1500, &view, NULL);
  if (sign_anew (in, bytes, &own)) {
    MlsSlice add = mls_buffer_slice (&own);
    MlsCommitRequest request = { .add = &add, .n_add = 1 };
    if (mls_group_commit (in->anna, &request, &staged) == MLS_OK) {
      MlsEvent event;
      /* What Anna found good, Bert must. */
      if (mls_group_process (in->bert, mls_staged_message (staged), 0, &event)
          != MLS_OK)
        abort ();
      mls_event_clear (&event);
      mls_staged_free (staged);
    }
  }
  mls_buffer_free (&own);
  return 0;
}

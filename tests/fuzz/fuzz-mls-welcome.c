/* A Welcome: as it comes, or with GroupSecrets or a GroupInfo that whoever adds us could have put into it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mls-insider.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static Insider *in;
  MlsBuffer secrets = { 0 }, message = { 0 };
  MlsGroup *group = NULL;

  if (!in)
    in = insider_new (1);
  if (size < 1)
    return 0;
  MlsSlice rest = { data + 1, size - 1 };
  insider_secrets (&secrets);
  switch (data[0]) {
    case 0:
      mls_put_slice (&message, rest);
      break;
    case 1: /* as a GroupInfo */
      insider_welcome (in, mls_buffer_slice (&secrets), rest, &message);
      break;
    default: /* as GroupSecrets */
      insider_welcome (in, rest, mls_slice ("x", 1), &message);
  }
  if (mls_group_join (in->dora, mls_buffer_slice (&message), (MlsSlice){ 0 },
          NULL, 0, NULL, &group)
      == MLS_OK)
    mls_group_free (group);
  mls_buffer_free (&secrets);
  mls_buffer_free (&message);
  return 0;
}

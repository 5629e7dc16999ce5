/* Everything of MLS that has an encoding: what is read must be written as it was.
 *
 * The first byte says what follows it: an MLSMessage, a proposal, a commit, an update path, a ratchet tree, an
 * AuthenticatedContent, GroupSecrets.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mls-insider.h"

static void
compare (const MlsBuffer *out, MlsSlice in)
{
  if (out->failed || !mls_slice_equal (mls_buffer_slice (out), in))
    abort ();
}

static void
reencode_message (MlsSlice bytes, MlsBuffer *out)
{
  Reader in = mls_reader (bytes);
  uint16_t wire_format = mls_message_head_read (&in);
  MlsWelcome welcome;
  MlsGroupInfo info;
  MlsKeyPackageView key_package;
  MlsPublicMessage public_message;
  MlsPrivateMessage private_message;

  mls_message_head_put (out, wire_format);
  switch (wire_format) {
    case MLS_WIRE_WELCOME:
      mls_welcome_read (&in, &welcome);
      if (reader_done (&in)) {
        mls_welcome_put (out, &welcome);
        compare (out, bytes);
      }
      break;
    case MLS_WIRE_GROUP_INFO:
      mls_group_info_read (&in, &info);
      if (reader_done (&in)) {
        mls_group_info_put (out, &info);
        compare (out, bytes);
      }
      break;
    case MLS_WIRE_KEY_PACKAGE:
      mls_key_package_read (&in, &key_package);
      if (reader_done (&in)) {
        mls_key_package_put (out, &key_package);
        compare (out, bytes);
      }
      break;
    case MLS_WIRE_PUBLIC_MESSAGE:
      mls_public_message_read (&in, &public_message);
      if (reader_done (&in)) {
        mls_public_message_put (out, &public_message);
        compare (out, bytes);
      }
      break;
    case MLS_WIRE_PRIVATE_MESSAGE:
      mls_private_message_read (&in, &private_message);
      if (reader_done (&in)) {
        mls_private_message_put (out, &private_message);
        compare (out, bytes);
      }
      break;
    default:
      break;
  }
}

static void
reencode_part (uint8_t what, MlsSlice bytes, MlsBuffer *out)
{
  Reader in = mls_reader (bytes);
  MlsProposal proposal;
  MlsCommit commit;
  MlsUpdatePath path;
  MlsContent content;
  MlsGroupSecrets secrets;

  switch (what) {
    case 1:
      mls_proposal_read (&in, &proposal);
      if (!reader_done (&in))
        return;
      mls_proposal_put (out, &proposal);
      break;
    case 2:
      mls_commit_read (&in, &commit);
      if (!reader_done (&in))
        return;
      mls_commit_put (out, &commit);
      break;
    case 3:
      mls_update_path_read (&in, &path);
      if (!reader_done (&in))
        return;
      mls_update_path_put (out, &path);
      break;
    case 4:
      mls_content_read (&in, &content);
      if (!reader_done (&in))
        return;
      mls_content_put (out, &content);
      break;
    default:
      mls_group_secrets_read (&in, &secrets);
      if (!reader_done (&in))
        return;
      mls_group_secrets_put (out, &secrets);
  }
  compare (out, bytes);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  MlsBuffer out = { 0 };
  if (size < 1)
    return 0;
  MlsSlice bytes = { data + 1, size - 1 };
  if (data[0] == 0)
    reencode_message (bytes, &out);
  else
    reencode_part (data[0], bytes, &out);
  mls_buffer_free (&out);
  return 0;
}

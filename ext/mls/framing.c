/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "framing.h"

#include "crypto.h"

#include "ext/sodium/writer.h"

#include <sodium.h>

#define REUSE_GUARD_LEN 4
#define SENDER_DATA_LEN (4 + 4 + REUSE_GUARD_LEN)

void
mls_message_head_put (MlsBuffer *buffer, uint16_t wire_format)
{
  mls_put_uint (buffer, MLS_VERSION, 2);
  mls_put_uint (buffer, wire_format, 2);
}

uint16_t
mls_message_head_read (Reader *in)
{
  if (reader_uint (in, 2) != MLS_VERSION)
    in->failed = true;
  return (uint16_t) reader_uint (in, 2);
}

static void
read_sender (Reader *in, MlsSender *out)
{
  out->type = (uint8_t) reader_uint (in, 1);
  out->index = 0;
  if (out->type == MLS_SENDER_MEMBER || out->type == MLS_SENDER_EXTERNAL)
    out->index = (uint32_t) reader_uint (in, 4);
  else if (out->type != MLS_SENDER_NEW_MEMBER_PROPOSAL
           && out->type != MLS_SENDER_NEW_MEMBER_COMMIT)
    in->failed = true;
}

/* The `select (content_type)` of FramedContent and PrivateMessageContent. */
static MlsSlice
read_content (Reader *in, uint8_t content_type)
{
  const uint8_t *start = in->at;
  MlsProposal proposal;
  MlsCommit commit;

  switch (content_type) {
    case MLS_CONTENT_APPLICATION:
      return mls_read_opaque (in);
    case MLS_CONTENT_PROPOSAL:
      mls_proposal_read (in, &proposal);
      return mls_slice_since (in, start);
    case MLS_CONTENT_COMMIT:
      mls_commit_read (in, &commit);
      return mls_slice_since (in, start);
    default:
      in->failed = true;
      return (MlsSlice){ 0 };
  }
}

static void
put_content (MlsBuffer *buffer, const MlsContent *content)
{
  if (content->content_type == MLS_CONTENT_APPLICATION)
    mls_put_opaque (buffer, content->content);
  else
    mls_put_slice (buffer, content->content);
}

static void
read_auth_data (Reader *in, MlsContent *out)
{
  out->signature = mls_read_opaque (in);
  out->confirmation_tag = out->content_type == MLS_CONTENT_COMMIT
                              ? mls_read_opaque (in)
                              : (MlsSlice){ 0 };
}

static void
put_auth_data (MlsBuffer *buffer, const MlsContent *content)
{
  mls_put_opaque (buffer, content->signature);
  if (content->content_type == MLS_CONTENT_COMMIT)
    mls_put_opaque (buffer, content->confirmation_tag);
}

void
mls_framed_content_read (Reader *in, MlsContent *out)
{
  const uint8_t *start = in->at;
  out->group_id = mls_read_opaque (in);
  out->epoch = reader_uint (in, 8);
  read_sender (in, &out->sender);
  out->authenticated_data = mls_read_opaque (in);
  out->content_type = (uint8_t) reader_uint (in, 1);
  out->content = read_content (in, out->content_type);
  out->framed = mls_slice_since (in, start);
}

void
mls_framed_content_put (MlsBuffer *buffer, const MlsContent *content)
{
  mls_put_opaque (buffer, content->group_id);
  mls_put_uint (buffer, content->epoch, 8);
  mls_put_uint (buffer, content->sender.type, 1);
  if (content->sender.type == MLS_SENDER_MEMBER
      || content->sender.type == MLS_SENDER_EXTERNAL)
    mls_put_uint (buffer, content->sender.index, 4);
  mls_put_opaque (buffer, content->authenticated_data);
  mls_put_uint (buffer, content->content_type, 1);
  put_content (buffer, content);
}

void
mls_content_read (Reader *in, MlsContent *out)
{
  out->wire_format = (uint16_t) reader_uint (in, 2);
  mls_framed_content_read (in, out);
  read_auth_data (in, out);
}

void
mls_content_put (MlsBuffer *buffer, const MlsContent *content)
{
  mls_put_uint (buffer, content->wire_format, 2);
  mls_framed_content_put (buffer, content);
  put_auth_data (buffer, content);
}

/* FramedContentTBS */
static void
put_tbs (MlsBuffer *buffer, const MlsContent *content, MlsSlice context)
{
  mls_put_uint (buffer, MLS_VERSION, 2);
  mls_put_uint (buffer, content->wire_format, 2);
  mls_framed_content_put (buffer, content);
  if (content->sender.type == MLS_SENDER_MEMBER
      || content->sender.type == MLS_SENDER_NEW_MEMBER_COMMIT)
    mls_put_slice (buffer, context);
}

bool
mls_content_sign (const MlsContent *content, const uint8_t *secret_key,
    MlsSlice context, uint8_t *signature)
{
  MlsBuffer tbs = { 0 };
  put_tbs (&tbs, content, context);
  bool ok = !tbs.failed
            && mls_sign (secret_key, "FramedContentTBS",
                mls_buffer_slice (&tbs), signature);
  mls_buffer_free (&tbs);
  return ok;
}

bool
mls_content_verify (
    const MlsContent *content, MlsSlice public_key, MlsSlice context)
{
  MlsBuffer tbs = { 0 };
  put_tbs (&tbs, content, context);
  bool ok = !tbs.failed
            && mls_verify (public_key, "FramedContentTBS",
                mls_buffer_slice (&tbs), content->signature);
  mls_buffer_free (&tbs);
  return ok;
}

bool
mls_membership_tag (const MlsContent *content, MlsSlice context,
    const uint8_t *membership_key, uint8_t *tag)
{
  MlsBuffer tbm = { 0 };
  put_tbs (&tbm, content, context);
  put_auth_data (&tbm, content);
  bool ok = !tbm.failed;
  if (ok)
    mls_mac (membership_key, mls_buffer_slice (&tbm), tag);
  mls_buffer_free (&tbm);
  return ok;
}

void
mls_public_message_read (Reader *in, MlsPublicMessage *out)
{
  out->content.wire_format = MLS_WIRE_PUBLIC_MESSAGE;
  mls_framed_content_read (in, &out->content);
  read_auth_data (in, &out->content);
  out->membership_tag = out->content.sender.type == MLS_SENDER_MEMBER
                            ? mls_read_opaque (in)
                            : (MlsSlice){ 0 };
}

void
mls_public_message_put (MlsBuffer *buffer, const MlsPublicMessage *message)
{
  mls_framed_content_put (buffer, &message->content);
  put_auth_data (buffer, &message->content);
  if (message->content.sender.type == MLS_SENDER_MEMBER)
    mls_put_opaque (buffer, message->membership_tag);
}

void
mls_private_message_read (Reader *in, MlsPrivateMessage *out)
{
  out->group_id = mls_read_opaque (in);
  out->epoch = reader_uint (in, 8);
  out->content_type = (uint8_t) reader_uint (in, 1);
  out->authenticated_data = mls_read_opaque (in);
  out->encrypted_sender_data = mls_read_opaque (in);
  out->ciphertext = mls_read_opaque (in);
  if (out->content_type < MLS_CONTENT_APPLICATION
      || out->content_type > MLS_CONTENT_COMMIT)
    in->failed = true;
}

void
mls_private_message_put (MlsBuffer *buffer, const MlsPrivateMessage *message)
{
  mls_put_opaque (buffer, message->group_id);
  mls_put_uint (buffer, message->epoch, 8);
  mls_put_uint (buffer, message->content_type, 1);
  mls_put_opaque (buffer, message->authenticated_data);
  mls_put_opaque (buffer, message->encrypted_sender_data);
  mls_put_opaque (buffer, message->ciphertext);
}

void
mls_opened_free (MlsOpened *opened)
{
  mls_buffer_free (&opened->bytes);
  opened->content = (MlsContent){ 0 };
}

/* Fills `out` with a copy of `content`. */
static MlsResult
keep (const MlsContent *content, MlsOpened *out)
{
  mls_content_put (&out->bytes, content);
  Reader in = mls_reader (mls_buffer_slice (&out->bytes));
  if (!out->bytes.failed)
    mls_content_read (&in, &out->content);
  if (out->bytes.failed || !reader_done (&in)) {
    bool failed = out->bytes.failed;
    mls_opened_free (out);
    return failed ? MLS_NO_MEMORY : MLS_MALFORMED;
  }
  return MLS_OK;
}

MlsResult
mls_public_message_open (const MlsPublicMessage *message, MlsSlice context,
    const uint8_t *membership_key, MlsOpened *out)
{
  *out = (MlsOpened){ 0 };
  if (message->content.sender.type == MLS_SENDER_MEMBER) {
    uint8_t tag[MLS_HASH_LEN];
    if (!mls_membership_tag (&message->content, context, membership_key, tag))
      return MLS_NO_MEMORY;
    if (message->membership_tag.len != sizeof tag
        || sodium_memcmp (message->membership_tag.data, tag, sizeof tag) != 0)
      return MLS_UNAUTHENTIC;
  }
  return keep (&message->content, out);
}

bool
mls_sender_data_key (MlsSuite suite, const uint8_t *sender_data_secret,
    MlsSlice ciphertext, MlsMessageKey *out)
{
  MlsSlice sample = { ciphertext.data,
    ciphertext.len < MLS_HASH_LEN ? ciphertext.len : MLS_HASH_LEN };
  return mls_expand (sender_data_secret, "key", sample, out->key,
             mls_aead_key_len (suite))
         && mls_expand (
             sender_data_secret, "nonce", sample, out->nonce, MLS_NONCE_LEN);
}

/* The head of a PrivateMessage: SenderDataAAD, and with the authenticated data PrivateContentAAD. */
static void
put_aad (MlsBuffer *buffer, const MlsPrivateMessage *message,
    bool with_authenticated_data)
{
  mls_put_opaque (buffer, message->group_id);
  mls_put_uint (buffer, message->epoch, 8);
  mls_put_uint (buffer, message->content_type, 1);
  if (with_authenticated_data)
    mls_put_opaque (buffer, message->authenticated_data);
}

/* Seals (`data` in clear) or opens the 12 bytes of SenderData. */
static MlsResult
crypt_sender_data (MlsSuite suite, bool seal, const MlsPrivateMessage *message,
    const uint8_t *sender_data_secret, MlsSlice in, uint8_t *out)
{
  MlsMessageKey key;
  MlsBuffer aad = { 0 };
  put_aad (&aad, message, false);
  MlsResult result = MLS_NO_MEMORY;
  if (!aad.failed
      && mls_sender_data_key (
          suite, sender_data_secret, message->ciphertext, &key)) {
    bool ok = seal ? mls_aead_seal (
                  suite, key.key, key.nonce, mls_buffer_slice (&aad), in, out)
                   : mls_aead_open (suite, key.key, key.nonce,
                       mls_buffer_slice (&aad), in, out);
    result = ok ? MLS_OK : MLS_UNAUTHENTIC;
  }
  sodium_memzero (&key, sizeof key);
  mls_buffer_free (&aad);
  return result;
}

static void
apply_guard (uint8_t *nonce, const uint8_t *guard)
{
  for (size_t i = 0; i < REUSE_GUARD_LEN; i++)
    nonce[i] ^= guard[i];
}

/* PrivateMessageContent: content, auth and zeros. */
static MlsResult
read_plaintext (MlsSlice plaintext, const MlsPrivateMessage *message,
    uint32_t leaf, MlsOpened *out)
{
  Reader in = mls_reader (plaintext);
  MlsContent content = { .wire_format = MLS_WIRE_PRIVATE_MESSAGE,
    .group_id = message->group_id,
    .epoch = message->epoch,
    .sender = { MLS_SENDER_MEMBER, leaf },
    .authenticated_data = message->authenticated_data,
    .content_type = message->content_type };

  content.content = read_content (&in, content.content_type);
  read_auth_data (&in, &content);
  size_t left = reader_left (&in);
  const uint8_t *padding = reader_take (&in, left);
  if (in.failed)
    return MLS_MALFORMED;
  /* "A receiver MUST verify that there are no non-zero bytes in the `padding` field" */
  if (!sodium_is_zero (padding, left))
    return MLS_MALFORMED;
  return keep (&content, out);
}

MlsResult
mls_private_message_open (MlsSuite suite, const MlsPrivateMessage *message,
    const uint8_t *sender_data_secret, MlsSecretTree *secret_tree,
    bool (*is_member) (void *user, uint32_t leaf), void *user,
    uint32_t own_leaf, MlsOpened *out)
{
  uint8_t sender_data[SENDER_DATA_LEN];
  MlsMessageKey key;

  *out = (MlsOpened){ 0 };
  if (message->encrypted_sender_data.len != SENDER_DATA_LEN + MLS_TAG_LEN
      || message->ciphertext.len < MLS_TAG_LEN)
    return MLS_MALFORMED;
  MlsResult result = crypt_sender_data (suite, false, message,
      sender_data_secret, message->encrypted_sender_data, sender_data);
  if (result != MLS_OK)
    return result;

  Reader in = reader_init (sender_data, sizeof sender_data);
  uint32_t leaf = (uint32_t) reader_uint (&in, 4);
  out->generation = (uint32_t) reader_uint (&in, 4);
  const uint8_t *guard = reader_take (&in, REUSE_GUARD_LEN);
  /* 6.3.2: "the recipient MUST verify that the leaf index … identifies a non-blank node" */
  if (!is_member (user, leaf))
    return MLS_UNKNOWN_SENDER;
  if (leaf == own_leaf)
    return MLS_OWN_MESSAGE;

  MlsRatchetType type = message->content_type == MLS_CONTENT_APPLICATION
                            ? MLS_RATCHET_APPLICATION
                            : MLS_RATCHET_HANDSHAKE;
  result =
      mls_secret_tree_find (secret_tree, leaf, type, out->generation, &key);
  if (result != MLS_OK)
    return result;
  apply_guard (key.nonce, guard);

  MlsBuffer aad = { 0 }, plaintext = { 0 };
  put_aad (&aad, message, true);
  size_t len = message->ciphertext.len - MLS_TAG_LEN;
  uint8_t *room = mls_put (
      &plaintext, len + 1); /* one more: never a NULL for an empty one */
  if (aad.failed || !room)
    result = MLS_NO_MEMORY;
  else if (!mls_aead_open (suite, key.key, key.nonce, mls_buffer_slice (&aad),
               message->ciphertext, room))
    result = MLS_UNAUTHENTIC;
  else
    result = read_plaintext (mls_slice (room, len), message, leaf, out);
  sodium_memzero (&key, sizeof key);
  mls_buffer_free (&aad);
  mls_buffer_free (&plaintext);
  return result;
}

MlsResult
mls_private_message_seal (MlsSuite suite, const MlsRandom *random,
    const MlsContent *content, const uint8_t *sender_data_secret,
    MlsSecretTree *secret_tree, size_t padding, MlsBuffer *out)
{
  uint8_t guard[REUSE_GUARD_LEN], sender_data[SENDER_DATA_LEN],
      encrypted_sender_data[SENDER_DATA_LEN + MLS_TAG_LEN];
  uint32_t generation;
  MlsMessageKey key;
  MlsPrivateMessage message = { .group_id = content->group_id,
    .epoch = content->epoch,
    .content_type = content->content_type,
    .authenticated_data = content->authenticated_data };

  MlsRatchetType type = content->content_type == MLS_CONTENT_APPLICATION
                            ? MLS_RATCHET_APPLICATION
                            : MLS_RATCHET_HANDSHAKE;
  MlsResult result = mls_secret_tree_next (
      secret_tree, content->sender.index, type, &generation, &key);
  if (result != MLS_OK)
    return result;
  mls_draw (random, guard, sizeof guard);
  apply_guard (key.nonce, guard);

  MlsBuffer text = { 0 }, aad = { 0 };
  put_content (&text, content);
  put_auth_data (&text, content);
  if (padding > 1 && text.len % padding != 0) {
    size_t pad = padding - text.len % padding;
    uint8_t *zeros = mls_put (&text, pad);
    if (zeros)
      memset (zeros, 0, pad);
  }
  size_t len = text.len;
  mls_put (&text, MLS_TAG_LEN);
  put_aad (&aad, &message, true);
  if (text.failed || aad.failed
      || !mls_aead_seal (suite, key.key, key.nonce, mls_buffer_slice (&aad),
          mls_slice (text.data, len), text.data)) {
    result = MLS_NO_MEMORY;
  } else {
    message.ciphertext = mls_buffer_slice (&text);
    Writer w = writer_init (sender_data, sizeof sender_data);
    writer_uint (&w, content->sender.index, 4);
    writer_uint (&w, generation, 4);
    writer_bytes (&w, guard, sizeof guard);
    result = crypt_sender_data (suite, true, &message, sender_data_secret,
        mls_slice (sender_data, sizeof sender_data), encrypted_sender_data);
    message.encrypted_sender_data =
        mls_slice (encrypted_sender_data, sizeof encrypted_sender_data);
    if (result == MLS_OK)
      mls_private_message_put (out, &message);
    if (out->failed)
      result = MLS_NO_MEMORY;
  }
  sodium_memzero (&key, sizeof key);
  mls_buffer_free (&text);
  mls_buffer_free (&aad);
  return result;
}

/* Message framing (RFC 9420, section 6): what members and others send, signed, and either with a membership tag or
 * encrypted.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "proposal.h"
#include "secret_tree.h"

typedef struct
{
  uint8_t type; /* MlsSenderType */
  uint32_t
      index; /* a leaf of a member, an entry of external_senders; else 0 */
} MlsSender;

/* AuthenticatedContent, which is FramedContent and FramedContentAuthData. Points into the bytes it was read from. */
typedef struct
{
  uint16_t wire_format;
  MlsSlice group_id;
  uint64_t epoch;
  MlsSender sender;
  MlsSlice authenticated_data;
  uint8_t content_type;
  MlsSlice
      content; /* the application data; or the bytes of the Proposal or Commit */
  MlsSlice signature;
  MlsSlice confirmation_tag; /* of a commit */
  MlsSlice framed;           /* the bytes of the FramedContent */
} MlsContent;

void mls_framed_content_read (Reader *in, MlsContent *out);
void mls_framed_content_put (MlsBuffer *buffer, const MlsContent *content);

/* The wire format too: AuthenticatedContent. */
void mls_content_read (Reader *in, MlsContent *out);
void mls_content_put (MlsBuffer *buffer, const MlsContent *content);

/* 6.1. `context` is the bytes of the epoch's GroupContext; it is used where the sender's type asks for it. */
bool mls_content_sign (const MlsContent *content, const uint8_t *secret_key,
    MlsSlice context, uint8_t *signature);
bool mls_content_verify (
    const MlsContent *content, MlsSlice public_key, MlsSlice context);

/* 6.2: PublicMessage after the content: the membership tag, of members only. */
bool mls_membership_tag (const MlsContent *content, MlsSlice context,
    const uint8_t *membership_key, uint8_t *tag);

typedef struct
{
  MlsContent content;
  MlsSlice membership_tag;
} MlsPublicMessage;

void mls_public_message_read (Reader *in, MlsPublicMessage *out);
void mls_public_message_put (
    MlsBuffer *buffer, const MlsPublicMessage *message);

typedef struct
{
  MlsSlice group_id;
  uint64_t epoch;
  uint8_t content_type;
  MlsSlice authenticated_data;
  MlsSlice encrypted_sender_data;
  MlsSlice ciphertext;
} MlsPrivateMessage;

void mls_private_message_read (Reader *in, MlsPrivateMessage *out);
void mls_private_message_put (
    MlsBuffer *buffer, const MlsPrivateMessage *message);

/* A message's content, in memory of its own: `bytes` is the AuthenticatedContent, into which `content` points. */
typedef struct
{
  MlsBuffer bytes;
  MlsContent content;
  uint32_t generation; /* of a PrivateMessage */
} MlsOpened;

void mls_opened_free (MlsOpened *opened);

/* A copy of what a PublicMessage holds. The membership tag is checked for senders that are members: MLS_OK,
 * MLS_UNAUTHENTIC or MLS_NO_MEMORY. The signature is not. */
MlsResult mls_public_message_open (const MlsPublicMessage *message,
    MlsSlice context, const uint8_t *membership_key, MlsOpened *out);

/* 6.3.2: key and nonce of the sender data. */
bool mls_sender_data_key (MlsSuite suite, const uint8_t *sender_data_secret,
    MlsSlice ciphertext, MlsMessageKey *out);

/* 6.3: decrypts. `is_member` says which leaves are not blank. Changes nothing: when the signature proved right, too,
 * spend the generation of `out`. MLS_OK, MLS_OWN_MESSAGE for those of `own_leaf`, MLS_UNKNOWN_SENDER, MLS_UNAUTHENTIC,
 * MLS_MALFORMED, MLS_REPLAYED, MLS_TOO_FAR or MLS_NO_MEMORY. */
MlsResult mls_private_message_open (MlsSuite suite,
    const MlsPrivateMessage *message, const uint8_t *sender_data_secret,
    MlsSecretTree *secret_tree, bool (*is_member) (void *user, uint32_t leaf),
    void *user, uint32_t own_leaf, MlsOpened *out);

/* 6.3: encrypts a signed content of a member; the plaintext is padded to a multiple of `padding` bytes, 0 or 1 for
 * none. Spends a generation. Writes a PrivateMessage, without the MLSMessage's head. */
MlsResult mls_private_message_seal (MlsSuite suite, const MlsRandom *random,
    const MlsContent *content, const uint8_t *sender_data_secret,
    MlsSecretTree *secret_tree, size_t padding, MlsBuffer *out);

/* MLSMessage: version and wire format. */
void mls_message_head_put (MlsBuffer *buffer, uint16_t wire_format);
uint16_t mls_message_head_read (Reader *in);

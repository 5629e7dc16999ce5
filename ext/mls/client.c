/* Our own leaf nodes and key packages (RFC 9420, sections 7.2 and 10).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group_private.h"

#include "crypto.h"

#include <sodium.h>
#include <stdlib.h>

/* 13.5: 0x0A0A, 0x1A1A … 0xEAEA */
uint16_t
mls_grease (const MlsRandom *random)
{
  uint8_t n;
  mls_draw (random, &n, 1);
  return (uint16_t) (0x0a0a + 0x1010 * (n % 15));
}

Secret *
mls_signature_key (Secret *seed)
{
  uint8_t public_key[MLS_KEY_LEN];
  if (!seed || secret_len (seed) != MLS_KEY_LEN)
    return NULL;
  Secret *key = secret_new (MLS_SECRET_KEY_LEN);
  if (key)
    crypto_sign_seed_keypair (
        public_key, secret_bytes (key), secret_bytes (seed));
  return key;
}

static void
put_values (MlsBuffer *buffer, const uint16_t *values, size_t n,
    const uint16_t *grease)
{
  for (size_t i = 0; i < n; i++)
    mls_put_uint (buffer, values[i], 2);
  if (grease)
    mls_put_uint (buffer, *grease, 2);
}

bool
mls_client_leaf (
    const MlsClient *client, MlsBuffer storage[4], MlsLeafNode *out)
{
  static const uint8_t versions[] = { 0, MLS_VERSION };
  uint16_t grease = mls_grease (&client->random),
           *g = client->grease ? &grease : NULL;
  uint16_t type = client->credential_type ? (uint16_t) client->credential_type
                                          : MLS_CREDENTIAL_BASIC;
  const uint16_t suites[] = { MLS_SUITE_CHACHA20_POLY1305,
    MLS_SUITE_AES_128_GCM };

  /* One buffer a list: a buffer moves as it grows. `versions` is a list that never changes. */
  MlsBuffer *lists = &storage[0], *extensions = &storage[1],
            *types = &storage[2], *proposals = &storage[3];
  put_values (lists, suites, 2, g);
  size_t suites_len = lists->len;
  put_values (lists, &type, 1, NULL);
  put_values (lists, client->credential_types, client->n_credential_types, g);
  put_values (types, client->extension_types, client->n_extension_types, g);
  put_values (proposals, client->proposal_types, client->n_proposal_types, g);
  for (size_t i = 0; i < client->n_leaf_extensions; i++)
    mls_put_extension (extensions, client->leaf_extensions[i].type,
        client->leaf_extensions[i].data);
  if (g)
    mls_put_extension (extensions, grease, mls_slice ("grease", 6));

  *out = (MlsLeafNode){ 0 };
  out->credential.type = type;
  out->credential.content = client->credential;
  out->versions = mls_slice (versions, sizeof versions);
  out->suites = mls_slice (lists->data, suites_len);
  out->credential_types =
      mls_slice (lists->data + suites_len, lists->len - suites_len);
  out->extension_types = mls_buffer_slice (types);
  out->proposal_types = mls_buffer_slice (proposals);
  out->extensions = mls_buffer_slice (extensions);
  return !lists->failed && !extensions->failed && !types->failed
         && !proposals->failed;
}

MlsResult
mls_key_package_parse (MlsSlice message, MlsKeyPackageView *out)
{
  /* An MLSMessage begins with version and wire format, a KeyPackage with version and suite; the suites we have are not
   * 5, so the two can't be confused. */
  Reader in = mls_reader (message), head = in;
  if (mls_message_head_read (&head) == MLS_WIRE_KEY_PACKAGE && !head.failed)
    in = head;
  mls_key_package_read (&in, out);
  return reader_done (&in) ? MLS_OK : MLS_MALFORMED;
}

MlsResult
mls_key_package_inspect (
    MlsSlice message, uint64_t time, MlsKeyPackageView *out, uint8_t *ref)
{
  MlsKeyPackageView view;
  if (message.len > MLS_MAX_MESSAGE)
    return MLS_TOO_LARGE;
  MlsResult result = mls_key_package_parse (message, &view);
  if (result != MLS_OK)
    return result;
  if (!mls_suite_known (view.suite))
    return MLS_UNSUPPORTED;
  result = mls_key_package_check (&view, (MlsSuite) view.suite);
  if (result != MLS_OK)
    return result;
  if (time != 0 && (time < view.leaf.not_before || time > view.leaf.not_after))
    return MLS_EXPIRED;
  if (ref && !mls_key_package_ref (&view, ref))
    return MLS_NO_MEMORY;
  *out = view;
  return MLS_OK;
}

/* Reads `message` back, so that the view points into it. */
static MlsResult
finish (MlsKeyPackage *kp)
{
  MlsResult result =
      mls_key_package_parse (mls_buffer_slice (&kp->message), &kp->view);
  if (result == MLS_OK)
    result = mls_key_package_check (&kp->view, (MlsSuite) kp->view.suite);
  if (result == MLS_OK && !mls_key_package_ref (&kp->view, kp->ref))
    result = MLS_NO_MEMORY;
  return result;
}

static MlsResult
write_key_package (const MlsClient *client, MlsKeyPackage *kp,
    const uint8_t *init_public, const uint8_t *leaf_public)
{
  MlsBuffer storage[4] = { { 0 } }, leaf_bytes = { 0 }, tbs = { 0 },
            extensions = { 0 };
  uint8_t signature[MLS_SIGNATURE_LEN];
  MlsLeafNode fields;
  MlsResult result = MLS_NO_MEMORY;
  const uint8_t *secret_key = secret_bytes (kp->signature_key);

  bool ok = mls_client_leaf (client, storage, &fields);
  fields.encryption_key = mls_slice (leaf_public, MLS_KEY_LEN);
  fields.signature_key = mls_slice (secret_key + MLS_KEY_LEN,
      MLS_KEY_LEN); /* libsodium keeps it behind the seed */
  fields.source = MLS_LEAF_KEY_PACKAGE;
  fields.not_before = client->not_before;
  fields.not_after = client->not_after;
  ok = ok
       && mls_leaf_node_sign (
           &leaf_bytes, &fields, secret_key, (MlsSlice){ 0 }, 0);
  if (client->grease)
    mls_put_extension (
        &extensions, mls_grease (&client->random), mls_slice ("grease", 6));

  Reader in = mls_reader (mls_buffer_slice (&leaf_bytes));
  MlsKeyPackageView view = { .version = MLS_VERSION,
    .suite = (uint16_t) client->suite,
    .init_key = { init_public, MLS_KEY_LEN },
    .extensions = mls_buffer_slice (&extensions) };
  mls_leaf_node_read (&in, &view.leaf);
  if (ok && !reader_done (&in)) {
    result = MLS_MISUSE; /* the client's lists or extensions are none */
  } else if (ok) {
    mls_key_package_put_unsigned (&tbs, &view);
    if (!tbs.failed
        && mls_sign (
            secret_key, "KeyPackageTBS", mls_buffer_slice (&tbs), signature)) {
      mls_message_head_put (&kp->message, MLS_WIRE_KEY_PACKAGE);
      mls_put_slice (&kp->message, mls_buffer_slice (&tbs));
      mls_put_opaque (&kp->message, mls_slice (signature, sizeof signature));
      result = kp->message.failed ? MLS_NO_MEMORY : finish (kp);
    }
  }
  for (size_t i = 0; i < 4; i++)
    mls_buffer_free (&storage[i]);
  mls_buffer_free (&leaf_bytes);
  mls_buffer_free (&extensions);
  mls_buffer_free (&tbs);
  return result;
}

MlsResult
mls_key_package_new (const MlsClient *client, MlsKeyPackage **out)
{
  uint8_t init_public[MLS_KEY_LEN], leaf_public[MLS_KEY_LEN];

  if (!mls_suite_known (client->suite))
    return MLS_UNSUPPORTED;
  if (!client->signature_seed
      || secret_len (client->signature_seed) != MLS_KEY_LEN)
    return MLS_MISUSE;
  MlsKeyPackage *kp = calloc (1, sizeof *kp);
  if (!kp)
    return MLS_NO_MEMORY;
  kp->random = client->random;
  kp->signature_key = mls_signature_key (client->signature_seed);
  kp->init_key = secret_new (MLS_KEY_LEN);
  kp->encryption_key = secret_new (MLS_KEY_LEN);
  MlsResult result = MLS_NO_MEMORY;
  if (kp->signature_key && kp->init_key && kp->encryption_key
      && mls_generate_key_pair (
          &kp->random, secret_bytes (kp->init_key), init_public)
      && mls_generate_key_pair (
          &kp->random, secret_bytes (kp->encryption_key), leaf_public))
    result = write_key_package (client, kp, init_public, leaf_public);
  if (result != MLS_OK) {
    mls_key_package_free (kp);
    return result;
  }
  *out = kp;
  return MLS_OK;
}

static bool
is_pair (Secret *private_key, MlsSlice public_key)
{
  uint8_t computed[MLS_KEY_LEN];
  return secret_len (private_key) == MLS_KEY_LEN
         && mls_public_key (secret_bytes (private_key), computed)
         && mls_slice_equal (
             mls_slice (computed, sizeof computed), public_key);
}

MlsResult
mls_key_package_load (MlsSlice message, Secret *signature_seed,
    Secret *init_key, Secret *encryption_key, const MlsRandom *random,
    MlsKeyPackage **out)
{
  MlsKeyPackage *kp = calloc (1, sizeof *kp);
  if (!kp)
    return MLS_NO_MEMORY;
  if (random)
    kp->random = *random;
  kp->init_key = secret_ref (init_key);
  kp->encryption_key = secret_ref (encryption_key);
  kp->signature_key = mls_signature_key (signature_seed);
  mls_put_slice (&kp->message, message);
  MlsResult result = kp->message.failed ? MLS_NO_MEMORY : finish (kp);
  if (result == MLS_OK
      && (!kp->signature_key || !is_pair (init_key, kp->view.init_key)
          || !is_pair (encryption_key, kp->view.leaf.encryption_key)
          || !mls_slice_equal (
              mls_slice (
                  secret_bytes (kp->signature_key) + MLS_KEY_LEN, MLS_KEY_LEN),
              kp->view.leaf.signature_key)))
    result = MLS_INVALID_KEY_PACKAGE;
  if (result != MLS_OK) {
    mls_key_package_free (kp);
    return result;
  }
  *out = kp;
  return MLS_OK;
}

void
mls_key_package_free (MlsKeyPackage *kp)
{
  if (!kp)
    return;
  mls_buffer_free (&kp->message);
  secret_unref (kp->signature_key);
  secret_unref (kp->init_key);
  secret_unref (kp->encryption_key);
  free (kp);
}

MlsSlice
mls_key_package_message (const MlsKeyPackage *kp)
{
  return mls_buffer_slice (&kp->message);
}

const uint8_t *
mls_key_package_own_ref (const MlsKeyPackage *kp)
{
  return kp->ref;
}

/* An owner's record (section 4, "Reopening"): when it last opened, whom it let in, whom it removed. The caller keeps it
 * beside the identity, sealed with a key that only this identity gives.
 *
 *     record  = 0x01 | nonce 24 | XChaCha20-Poly1305 (key, nonce, AAD = lv("conclave/1 record") | lv(MEETING), content)
 *     key     = HKDF-SHA512 (salt "", seed of the identity, info = lv("conclave/1 record") | lv(MEETING), 32)
 *     content = lv(opened u64) | lv((key 32 | role u8)*) | lv((removed key 32)*)
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

#include "ext/sodium/lv.h"

#define RECORD_VERSION 1
#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define KEY crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define ENTRY (IDENTITY_KEY_LEN + 1)
#define MAX_CONTENT                                                           \
  (9 + 4 + LIMIT_MEMBERS * ENTRY + 4 + LIMIT_REMOVED * IDENTITY_KEY_LEN)
#define MAX_INFO 128

static size_t
write_info (const Session *session, uint8_t info[MAX_INFO])
{
  static const char label[] = "conclave/1 record";
  Writer w = writer_init (info, MAX_INFO);
  lv_write (&w, label, sizeof label - 1);
  lv_write (&w, session->link.meeting, strlen (session->link.meeting));
  return writer_len (&w);
}

static void
derive (const Session *session, const uint8_t *info, size_t info_len,
    uint8_t key[KEY])
{
  uint8_t prk[HASH_MAX_LEN];
  hkdf_extract (HASH_SHA512, NULL, 0, secret_bytes (session->seed),
      secret_len (session->seed), prk);
  hkdf_expand (
      HASH_SHA512, prk, hash_len (HASH_SHA512), info, info_len, key, KEY);
  sodium_memzero (prk, sizeof prk);
}

static bool
read_content (Session *session, Reader in)
{
  uint64_t opened = lv_take_uint (&in, 8);
  Reader admitted = lv_read (&in, LIMIT_MEMBERS * ENTRY),
         removed = lv_read (&in, LIMIT_REMOVED * IDENTITY_KEY_LEN);

  if (!reader_done (&in) || reader_left (&admitted) % ENTRY != 0
      || reader_left (&removed) % IDENTITY_KEY_LEN != 0)
    return false;
  session->record_opened = opened;
  while (reader_left (&admitted) > 0) {
    const uint8_t *key = reader_take (&admitted, IDENTITY_KEY_LEN);
    gint role = (gint) reader_uint (&admitted, 1);
    g_hash_table_insert (session->record_admitted,
        g_bytes_new (key, IDENTITY_KEY_LEN), GINT_TO_POINTER (role));
  }
  while (reader_left (&removed) > 0)
    admin_remember_removed (session, reader_take (&removed, IDENTITY_KEY_LEN));
  session->held = session->removed->len > 0;
  return true;
}

bool
record_open (Session *session, const void *record, size_t len)
{
  uint8_t info[MAX_INFO], key[KEY];
  Reader in = reader_init (record, len);
  uint64_t version = reader_uint (&in, 1);
  const uint8_t *nonce = reader_take (&in, NONCE);
  size_t box_len = reader_left (&in);
  const uint8_t *box = reader_take (&in, box_len);

  if (in.failed || version != RECORD_VERSION || box_len < TAG
      || box_len > MAX_CONTENT + TAG)
    return false;
  size_t info_len = write_info (session, info);
  derive (session, info, info_len, key);
  uint8_t *content = g_malloc (box_len);
  bool ok = crypto_aead_xchacha20poly1305_ietf_decrypt (
                content, NULL, NULL, box, box_len, info, info_len, nonce, key)
                == 0
            && read_content (session, reader_init (content, box_len - TAG));
  sodium_memzero (key, sizeof key);
  g_free (content);
  return ok;
}

static int
by_bytes (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, ENTRY);
}

static Blob
write_content (const Session *session)
{
  size_t n = 0;
  uint8_t (*entries)[ENTRY] =
      g_malloc_n (session->members->len + 1, sizeof *entries);
  uint8_t *bytes = g_malloc (MAX_CONTENT);
  Writer w = writer_init (bytes, MAX_CONTENT);
  GByteArray *removed = g_byte_array_new ();

  for (guint i = 0; i < session->members->len; i++) {
    const Member *member = g_ptr_array_index (session->members, i);
    if (policy_is_owner (&session->policy, member->key))
      continue;
    memcpy (entries[n], member->key, IDENTITY_KEY_LEN);
    entries[n++][IDENTITY_KEY_LEN] = (uint8_t) member->role;
  }
  qsort (entries, n, sizeof *entries, by_bytes);
  for (guint i = 0; i < session->removed->len; i++)
    g_byte_array_append (
        removed, g_ptr_array_index (session->removed, i), IDENTITY_KEY_LEN);
  lv_write_uint (&w, session->policy.opened, 8);
  lv_write (&w, entries, n * sizeof *entries);
  lv_write (&w, removed->data, removed->len);
  g_byte_array_unref (removed);
  g_free (entries);
  return (Blob){ bytes, writer_len (&w) };
}

/* Gives the caller a fresh record when what it says has changed. */
void
record_update (Session *session)
{
  uint8_t info[MAX_INFO], key[KEY];

  if (!session->group
      || !policy_is_owner (&session->policy, self_key (session)))
    return;
  Blob content = write_content (session);
  if (session->record_content.len == content.len
      && memcmp (session->record_content.data, content.data, content.len)
             == 0) {
    blob_clear (&content);
    return;
  }
  blob_clear (&session->record_content);
  session->record_content = content;
  session->record_opened =
      MAX (session->record_opened, session->policy.opened);

  size_t info_len = write_info (session, info),
         len = 1 + NONCE + content.len + TAG;
  uint8_t *sealed = g_malloc (len);
  sealed[0] = RECORD_VERSION;
  randombytes_buf (sealed + 1, NONCE);
  derive (session, info, info_len, key);
  crypto_aead_xchacha20poly1305_ietf_encrypt (sealed + 1 + NONCE, NULL,
      content.data, content.len, info, info_len, NULL, sealed + 1, key);
  sodium_memzero (key, sizeof key);
  out_event (session, SESSION_EVENT_RECORD)->record = (Blob){ sealed, len };
}

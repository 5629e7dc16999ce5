/* SFrame (RFC 9605) against the official vectors, and each yes against its no.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/sodium/aead.h"
#include "ext/sodium/replay.h"
#include "ext/sodium/sframe.h"

static JsonObject *vectors, *vectors_256;

static JsonArray *
rows (const char *section)
{
  return json_object_get_array_member (vectors, section);
}

static JsonObject *
row (const char *section, int i)
{
  return json_array_get_object_element (rows (section), (guint) i);
}

/* The frames of the RFC, and behind them those of the suites registered later. */
static int
n_frames (void)
{
  return (int) (json_array_get_length (rows ("sframe"))
                + json_array_get_length (json_object_get_array_member (
                    vectors_256, "sframe_aes_256_ctr_hmac")));
}

static JsonObject *
all_frames (int i)
{
  int n = (int) json_array_get_length (rows ("sframe"));
  return i < n ? row ("sframe", i)
               : json_array_get_object_element (
                   json_object_get_array_member (
                       vectors_256, "sframe_aes_256_ctr_hmac"),
                   (guint) (i - n));
}

static guint64
uint_member (JsonObject *object, const char *name)
{
  /* The counters of the header table use all 64 bits, which JSON-GLib reads as a signed number or a double. */
  JsonNode *node = json_object_get_member (object, name);
  if (json_node_get_value_type (node) == G_TYPE_DOUBLE)
    return json_node_get_double (node) >= 18446744073709551615.0
               ? G_MAXUINT64
               : (guint64) json_node_get_double (node);
  return (guint64) json_node_get_int (node);
}

static Secret *
secret_member (JsonObject *object, const char *name)
{
  g_autoptr (GBytes) bytes = hex_member (object, name);
  return secret_copy (
      g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

GST_START_TEST (header_of_the_vector_parses_and_is_written_again)
{
  JsonObject *v = row ("header", __i__);
  g_autoptr (GBytes) wire = hex_member (v, "encoded");
  gsize len;
  const guint8 *bytes = g_bytes_get_data (wire, &len);
  Reader in = reader_init (bytes, len);
  SFrameHeader got = { 0 };
  guint8 again[SFRAME_MAX_HEADER];
  Writer out = writer_init (again, sizeof again);

  fail_unless_equals_int (sframe_header_parse (&in, &got), SFRAME_OK);
  fail_unless (reader_done (&in));
  fail_unless_equals_uint64 (got.kid, uint_member (v, "kid"));
  fail_unless_equals_uint64 (got.ctr, uint_member (v, "ctr"));

  sframe_header_write (&out, got);
  fail_if (out.failed);
  fail_unless_equals_bytes (again, writer_len (&out), wire);
  fail_unless_equals_uint64 (sframe_header_len (got), len);

  for (gsize cut = 0; cut < len; cut++) {
    Reader less = reader_init (bytes, cut);
    fail_unless_equals_int (
        sframe_header_parse (&less, &got), SFRAME_TOO_SHORT);
  }
}
GST_END_TEST;

GST_START_TEST (frame_of_the_vector_is_made_and_opened)
{
  JsonObject *v = all_frames (__i__);
  SFrameSuite suite = (SFrameSuite) uint_member (v, "cipher_suite");
  Secret *base_key = secret_member (v, "base_key");
  g_autoptr (GBytes) metadata = hex_member (v, "metadata"),
                     pt = hex_member (v, "pt"), ct = hex_member (v, "ct");
  gsize metadata_len, pt_len, ct_len, len;
  const guint8 *m = g_bytes_get_data (metadata, &metadata_len),
               *p = g_bytes_get_data (pt, &pt_len),
               *c = g_bytes_get_data (ct, &ct_len);
  guint8 out[256];

  SFrameKey *key = sframe_key_new (
      suite, uint_member (v, "kid"), base_key, uint_member (v, "ctr"));
  fail_unless (key != NULL);
  fail_unless_equals_int (
      sframe_encrypt (key, m, metadata_len, p, pt_len, out, sizeof out, &len),
      SFRAME_OK);
  fail_unless_equals_bytes (out, len, ct);
  fail_unless_equals_int (
      sframe_decrypt (key, m, metadata_len, c, ct_len, out, &len), SFRAME_OK);
  fail_unless_equals_bytes (out, len, pt);

  sframe_key_free (key);
  secret_unref (base_key);
}
GST_END_TEST;

/* C.3 tells every step of the derivation; the key and salt members are tested as HKDF vectors in core.c. */
GST_START_TEST (frame_of_the_vector_is_its_parts_put_together)
{
  JsonObject *v = all_frames (__i__);
  SFrameSuite suite = (SFrameSuite) uint_member (v, "cipher_suite");
  g_autoptr (GBytes)
      metadata = hex_member (v, "metadata"),
      salt = hex_member (v, "sframe_salt"), key = hex_member (v, "sframe_key"),
      nonce = hex_member (v, "nonce"), aad = hex_member (v, "aad"),
      pt = hex_member (v, "pt"), ct = hex_member (v, "ct");
  guint8 want_nonce[12], want_aad[128], out[256];
  static const AeadAlgorithm aeads[] = { 0, AEAD_AES_128_CTR_HMAC_SHA256,
    AEAD_AES_128_CTR_HMAC_SHA256, AEAD_AES_128_CTR_HMAC_SHA256,
    AEAD_AES_128_GCM, AEAD_AES_256_GCM, AEAD_AES_256_CTR_HMAC_SHA512,
    AEAD_AES_256_CTR_HMAC_SHA512, AEAD_AES_256_CTR_HMAC_SHA512 };

  memcpy (want_nonce, g_bytes_get_data (salt, NULL), sizeof want_nonce);
  for (guint i = 0; i < 8; i++)
    want_nonce[11 - i] ^= (guint8) (uint_member (v, "ctr") >> 8 * i);
  fail_unless_equals_bytes (want_nonce, sizeof want_nonce, nonce);

  Writer w = writer_init (want_aad, sizeof want_aad);
  SFrameHeader header = { uint_member (v, "kid"), uint_member (v, "ctr") };
  sframe_header_write (&w, header);
  writer_bytes (
      &w, g_bytes_get_data (metadata, NULL), g_bytes_get_size (metadata));
  fail_unless_equals_bytes (want_aad, writer_len (&w), aad);

  gsize header_len = sframe_header_len (header);
  fail_unless_equals_uint64 (
      sframe_suite_key_len (suite), g_bytes_get_size (key));
  fail_unless_equals_uint64 (sframe_suite_tag_len (suite),
      g_bytes_get_size (ct) - header_len - g_bytes_get_size (pt));
  Aead *aead = aead_new (aeads[suite], g_bytes_get_data (key, NULL),
      sframe_suite_tag_len (suite));
  fail_unless (aead_open (aead, want_nonce, want_aad, writer_len (&w),
      (const guint8 *) g_bytes_get_data (ct, NULL) + header_len,
      g_bytes_get_size (ct) - header_len, out));
  fail_unless_equals_bytes (out, g_bytes_get_size (pt), pt);
  aead_free (aead);
}
GST_END_TEST;

/* 4.3: "the minimum number of bytes". Every length of both fields that is longer than the value needs. */
GST_START_TEST (header_that_is_not_minimal_is_refused)
{
  static const guint64 values[] = { 0, 7, 8, 0xff, 0x100, 0xffff, 0x10000,
    0xffffffff, G_GUINT64_CONSTANT (0x100000000),
    G_GUINT64_CONSTANT (0xffffffffffffff), G_MAXUINT64 };

  for (guint k = 0; k < G_N_ELEMENTS (values); k++)
    for (guint c = 0; c < G_N_ELEMENTS (values); c++)
      for (guint k_len = 0; k_len <= 8; k_len++)
        for (guint c_len = 0; c_len <= 8; c_len++) {
          SFrameHeader header = { values[k], values[c] }, got = { 42, 42 };
          guint8 wire[SFRAME_MAX_HEADER];
          Writer w = writer_init (wire, sizeof wire);
          if ((k_len == 0 && values[k] > 7) || (c_len == 0 && values[c] > 7))
            continue;
          guint nibble_k = k_len ? 8 | (k_len - 1) : (guint) values[k];
          guint nibble_c = c_len ? 8 | (c_len - 1) : (guint) values[c];
          writer_uint (&w, nibble_k << 4 | nibble_c, 1);
          writer_uint (&w, k_len ? values[k] : 0, k_len);
          writer_uint (&w, c_len ? values[c] : 0, c_len);
          if (w.failed)
            continue; /* too short for the value */

          gboolean minimal = writer_len (&w) == sframe_header_len (header);
          Reader in = reader_init (wire, writer_len (&w));
          fail_unless_equals_int (sframe_header_parse (&in, &got),
              minimal ? SFRAME_OK : SFRAME_NOT_MINIMAL);
          fail_unless_equals_uint64 (got.kid, minimal ? values[k] : 42);
          fail_unless_equals_uint64 (got.ctr, minimal ? values[c] : 42);
        }
}
GST_END_TEST;

static Secret *
base_key_for_tests (void)
{
  guint8 bytes[16];
  for (guint i = 0; i < sizeof bytes; i++)
    bytes[i] = (guint8) i;
  return secret_copy (bytes, sizeof bytes);
}

static SFrameKey *
new_key (int suite, guint64 kid, guint64 ctr)
{
  Secret *base = base_key_for_tests ();
  SFrameKey *key = sframe_key_new ((SFrameSuite) suite, kid, base, ctr);
  fail_unless (key != NULL);
  secret_unref (base);
  return key;
}

static const guint8 frame[] =
    "A frame of a few bytes more than one AES block has.";
static const guint8 meta[] = "metadata";

/* The RFC's frames have short KIDs and counters. These, of the longest, were made by tests/interop/sframe/sframe-peer.mjs:
 * base key 000102…0f, KID 0x0123456789abcdef, CTR 0xfedcba9876543210. */
GST_START_TEST (all_bytes_of_kid_and_ctr_count)
{
  static const char *const rows[] = {
    [1] = "ff0123456789abcdeffedcba9876543210c9b3e104b896802b92209e9b359558",
    [2] = "ff0123456789abcdeffedcba9876543210a367260794ea02dc3bb86ca533",
    [3] = "ff0123456789abcdeffedcba98765432103c73a1dbc98bebca3a",
    [4] =
        "ff0123456789abcdeffedcba9876543210801efd00b944a1eac81ba1e5e9b18dfec26fc0cce1",
    [5] =
        "ff0123456789abcdeffedcba98765432104930fd91a37d76dc814244716691969c2af621a0cb",
    [6] = "ff0123456789abcdeffedcba9876543210f19393851b5e4efa0e8dfe01066c59",
    [7] = "ff0123456789abcdeffedcba9876543210150ed22bfafc957e869b342e0f",
    [8] = "ff0123456789abcdeffedcba98765432107a4502c3410a61cbc3",
  };
  SFrameKey *key = new_key (__i__, G_GUINT64_CONSTANT (0x0123456789abcdef),
      G_GUINT64_CONSTANT (0xfedcba9876543210));
  g_autoptr (GBytes) want = bytes_from_hex (rows[__i__]);
  guint8 sframe[64];
  gsize len;

  fail_unless_equals_int (
      sframe_encrypt (key, (const guint8 *) "metadata", 8,
          (const guint8 *) "frame", 5, sframe, sizeof sframe, &len),
      SFRAME_OK);
  fail_unless_equals_bytes (sframe, len, want);
  sframe_key_free (key);
}
GST_END_TEST;

/* The tag of 32 bits is short: one random tag in 2^32 would pass, which no run of this test will see. */
GST_START_TEST (every_flipped_bit_and_every_cut_is_refused)
{
  SFrameKey *key = new_key (__i__, 0x123, 0x4567);
  guint8 sframe[sizeof frame + SFRAME_MAX_OVERHEAD], out[sizeof sframe];
  gsize len, got;

  fail_unless_equals_int (sframe_encrypt (key, meta, sizeof meta, frame,
                              sizeof frame, sframe, sizeof sframe, &len),
      SFRAME_OK);
  for (gsize bit = 0; bit < 8 * len; bit++) {
    sframe[bit / 8] ^= (guint8) (1 << bit % 8);
    fail_if (sframe_decrypt (key, meta, sizeof meta, sframe, len, out, &got)
                 == SFRAME_OK,
        "bit %" G_GSIZE_FORMAT, bit);
    sframe[bit / 8] ^= (guint8) (1 << bit % 8);
  }
  for (gsize cut = 0; cut < len; cut++) {
    g_autofree guint8 *less = g_memdup2 (sframe, cut);
    SFrameResult result =
        sframe_decrypt (key, meta, sizeof meta, less, cut, out, &got);
    fail_unless_equals_int (
        result, cut < 5 + sframe_suite_tag_len ((SFrameSuite) __i__)
                    ? SFRAME_TOO_SHORT
                    : SFRAME_UNAUTHENTIC);
  }
  fail_unless_equals_int (
      sframe_decrypt (key, meta, sizeof meta, sframe, len, out, &got),
      SFRAME_OK);
  fail_unless_equals_uint64 (got, sizeof frame);
  fail_unless (memcmp (out, frame, sizeof frame) == 0);
  sframe_key_free (key);
}
GST_END_TEST;

GST_START_TEST (other_metadata_key_kid_or_suite_is_refused)
{
  SFrameKey *key = new_key (__i__, 1, 0), *other_kid = new_key (__i__, 2, 0);
  Secret *wrong = secret_copy ("another base key", 16);
  SFrameKey *other_base = sframe_key_new ((SFrameSuite) __i__, 1, wrong, 0);
  guint8 sframe[sizeof frame + SFRAME_MAX_OVERHEAD], out[sizeof sframe];
  gsize len, got;

  fail_unless_equals_int (sframe_encrypt (key, meta, sizeof meta, frame,
                              sizeof frame, sframe, sizeof sframe, &len),
      SFRAME_OK);
  fail_unless_equals_int (
      sframe_decrypt (key, NULL, 0, sframe, len, out, &got),
      SFRAME_UNAUTHENTIC);
  fail_unless_equals_int (
      sframe_decrypt (key, meta, sizeof meta - 1, sframe, len, out, &got),
      SFRAME_UNAUTHENTIC);
  fail_unless_equals_int (sframe_decrypt (key, (const guint8 *) "Metadata",
                              sizeof meta, sframe, len, out, &got),
      SFRAME_UNAUTHENTIC);
  fail_unless_equals_int (
      sframe_decrypt (other_kid, meta, sizeof meta, sframe, len, out, &got),
      SFRAME_UNAUTHENTIC);
  fail_unless_equals_int (
      sframe_decrypt (other_base, meta, sizeof meta, sframe, len, out, &got),
      SFRAME_UNAUTHENTIC);
  for (int suite = SFRAME_FIRST_SUITE; suite <= SFRAME_LAST_SUITE; suite++)
    if (suite != __i__) {
      SFrameKey *other_suite = new_key (suite, 1, 0);
      fail_if (sframe_decrypt (
                   other_suite, meta, sizeof meta, sframe, len, out, &got)
               == SFRAME_OK);
      sframe_key_free (other_suite);
    }
  sframe_key_free (key);
  sframe_key_free (other_kid);
  sframe_key_free (other_base);
  secret_unref (wrong);
}
GST_END_TEST;

GST_START_TEST (the_last_counter_is_used_once_and_the_key_is_spent_for_ever)
{
  SFrameKey *key = new_key (__i__, G_MAXUINT64, G_MAXUINT64 - 1);
  guint8 sframe[3][sizeof frame + SFRAME_MAX_OVERHEAD],
      out[sizeof frame + SFRAME_MAX_OVERHEAD];
  gsize len, got;
  guint64 next;

  for (int i = 0; i < 2; i++) {
    fail_unless (sframe_key_next_ctr (key, &next));
    fail_unless_equals_uint64 (next, G_MAXUINT64 - 1 + (guint64) i);
    fail_unless_equals_int (sframe_encrypt (key, NULL, 0, frame, sizeof frame,
                                sframe[i], sizeof sframe[i], &len),
        SFRAME_OK);
    fail_unless_equals_uint64 (
        len, sizeof frame + SFRAME_MAX_HEADER
                 + sframe_suite_tag_len ((SFrameSuite) __i__));
    fail_unless_equals_int (
        sframe_decrypt (key, NULL, 0, sframe[i], len, out, &got), SFRAME_OK);
  }
  for (int i = 0; i < 3; i++) {
    memset (sframe[2], 0xee, sizeof sframe[2]);
    len = 42;
    fail_unless_equals_int (sframe_encrypt (key, NULL, 0, frame, sizeof frame,
                                sframe[2], sizeof sframe[2], &len),
        SFRAME_COUNTER_SPENT);
    fail_unless_equals_uint64 (len, 42);
    fail_unless_equals_int (sframe[2][0], 0xee);
    fail_if (sframe_key_next_ctr (key, &next));
  }
  /* It still decrypts. */
  fail_unless_equals_int (sframe_decrypt (key, NULL, 0, sframe[0],
                              sizeof frame + SFRAME_MAX_HEADER
                                  + sframe_suite_tag_len ((SFrameSuite) __i__),
                              out, &got),
      SFRAME_OK);
  sframe_key_free (key);

  key = new_key (__i__, 1, 5);
  sframe_key_spend (key);
  fail_unless_equals_int (sframe_encrypt (key, NULL, 0, frame, sizeof frame,
                              out, sizeof out, &len),
      SFRAME_COUNTER_SPENT);
  sframe_key_free (key);
}
GST_END_TEST;

GST_START_TEST (equal_frames_give_different_ciphertexts)
{
  enum
  {
    N = 64
  };
  SFrameKey *key = new_key (__i__, 1, 3); /* passes 7: the header grows */
  guint8 sframe[N][sizeof frame + SFRAME_MAX_OVERHEAD];
  gsize at[N], len;

  for (int i = 0; i < N; i++) {
    SFrameHeader header = { 1, 3 + (guint64) i };
    at[i] = sframe_header_len (header);
    fail_unless_equals_uint64 (sframe_key_overhead (key),
        at[i] + sframe_suite_tag_len ((SFrameSuite) __i__));
    fail_unless_equals_int (sframe_encrypt (key, NULL, 0, frame, sizeof frame,
                                sframe[i], sizeof sframe[i], &len),
        SFRAME_OK);
    for (int j = 0; j < i; j++) {
      /* Not even one block is the same: no counter of AES-CTR meets another frame's. */
      for (gsize b = 0; b + 16 <= sizeof frame; b += 16)
        fail_if (
            memcmp (sframe[i] + at[i] + b, sframe[j] + at[j] + b, 16) == 0);
      fail_if (memcmp (sframe[i] + at[i] + sizeof frame,
                   sframe[j] + at[j] + sizeof frame, 4)
               == 0);
    }
  }
  sframe_key_free (key);
}
GST_END_TEST;

GST_START_TEST (frames_are_made_and_opened_in_place)
{
  static const gsize sizes[] = { 0, 1, 15, 16, 17, 1200, 100000 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    SFrameKey *key = new_key (__i__, 8, 300), *apart = new_key (__i__, 8, 300);
    gsize room = sizes[i] + sframe_key_overhead (key), at = 4, len, got;
    g_autofree guint8 *plain = g_malloc (sizes[i] + 1), *buf = g_malloc (room),
                      *other = g_malloc (room);

    for (gsize b = 0; b < sizes[i]; b++)
      plain[b] = (guint8) (b * 7);
    memcpy (buf + at, plain, sizes[i]);
    fail_unless_equals_int (sframe_encrypt (key, meta, sizeof meta, buf + at,
                                sizes[i], buf, room, &len),
        SFRAME_OK);
    fail_unless_equals_uint64 (len, room);
    fail_unless_equals_int (sframe_encrypt (apart, meta, sizeof meta, plain,
                                sizes[i], other, room, &len),
        SFRAME_OK);
    fail_unless (memcmp (buf, other, room) == 0);

    fail_unless_equals_int (
        sframe_decrypt (key, meta, sizeof meta, buf, room, buf + at, &got),
        SFRAME_OK);
    fail_unless_equals_uint64 (got, sizes[i]);
    fail_unless (memcmp (buf + at, plain, sizes[i]) == 0);
    sframe_key_free (key);
    sframe_key_free (apart);
  }
}
GST_END_TEST;

GST_START_TEST (too_little_room_costs_no_counter)
{
  SFrameKey *key = new_key (__i__, 1, 0);
  guint8 sframe[sizeof frame + SFRAME_MAX_OVERHEAD];
  g_autofree guint8 *long_metadata = g_malloc0 (SFRAME_MAX_METADATA + 1);
  gsize need = sizeof frame + sframe_key_overhead (key), len = 42;
  guint64 next;

  for (gsize room = 0; room < need; room++)
    fail_unless_equals_int (
        sframe_encrypt (key, NULL, 0, frame, sizeof frame, sframe, room, &len),
        SFRAME_NO_ROOM);
  /* A length near SIZE_MAX must not wrap around. */
  fail_unless_equals_int (sframe_encrypt (key, NULL, 0, frame, SIZE_MAX - 1,
                              sframe, sizeof sframe, &len),
      SFRAME_NO_ROOM);
  fail_unless_equals_int (
      sframe_encrypt (key, long_metadata, SFRAME_MAX_METADATA + 1, frame,
          sizeof frame, sframe, sizeof sframe, &len),
      SFRAME_NO_ROOM);
  fail_unless_equals_uint64 (len, 42);
  fail_unless (sframe_key_next_ctr (key, &next));
  fail_unless_equals_uint64 (next, 0);

  fail_unless_equals_int (
      sframe_encrypt (key, long_metadata, SFRAME_MAX_METADATA, frame,
          sizeof frame, sframe, need, &len),
      SFRAME_OK);
  fail_unless_equals_uint64 (len, need);
  guint8 out[sizeof sframe];
  fail_unless_equals_int (
      sframe_decrypt (key, long_metadata, SFRAME_MAX_METADATA + 1, sframe,
          need, out, &len),
      SFRAME_NO_ROOM);
  fail_unless_equals_int (sframe_decrypt (key, long_metadata,
                              SFRAME_MAX_METADATA, sframe, need, out, &len),
      SFRAME_OK);
  sframe_key_free (key);
}
GST_END_TEST;

/* Expected values were computed with Node.js:
 *   crypto.hkdfSync (hash, base_key, salt, label, Nh)
 * with base key 000102…0f, and for two steps with the first result as the base key. */
GST_START_TEST (ratchet_and_ssrc_keys_are_those_of_another_implementation)
{
  static const struct
  {
    SFrameSuite suite;
    const char *ratchet, *ratchet_twice, *ssrc; /* salt cafe0102 */
  } rows[] = {
    { SFRAME_AES_128_GCM_SHA256_128,
        "fb75d8d5782da6c6cbf18ac43eca5da9e47f7e6ac7926a78e486226bd2af0f87",
        "e24577b569963f5222734f2f57c43927c10dd36180e6124cf9f10cd43ab4598e",
        "6a722eb8320c6bf58ef69650430767a07fba116ed91dc5db4970acf5ba0f4cb6" },
    { SFRAME_AES_256_GCM_SHA512_128,
        "895fe5603750295ccbe0d5ed9745617b46e9cf9b428179b8f29f3147492bb08f"
        "aa190560720ee0e4570760b64e7d5931120c391b7c7becc429ea35a9d07475aa",
        "9e1d8cbe51504d0b940985abd6c33137027a3299388bc4d9f74fddb2c5145f74"
        "6edac8eb7c6217fe71efe5bfbd9ed0ec77a39539b518d8d6109b529384bb10c4",
        "883d39379e5a90b6c91c79f6ecf64bc2276f24b3d78e58cda4f3ca6916eb0993"
        "921041d02f05e59c06b0e8603fb877cfc45eef077abdf03b7236bbd5aea1bdaf" },
  };
  Secret *base = base_key_for_tests ();

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GBytes) one = bytes_from_hex (rows[i].ratchet),
                       two = bytes_from_hex (rows[i].ratchet_twice),
                       ssrc = bytes_from_hex (rows[i].ssrc);
    Secret *a = sframe_ratchet (rows[i].suite, base),
           *b = sframe_ratchet (rows[i].suite, a),
           *c = sframe_ssrc_key (rows[i].suite, base, 0xcafe0102);
    fail_unless_equals_bytes (secret_bytes (a), secret_len (a), one);
    fail_unless_equals_bytes (secret_bytes (b), secret_len (b), two);
    fail_unless_equals_bytes (secret_bytes (c), secret_len (c), ssrc);
    secret_unref (a);
    secret_unref (b);
    secret_unref (c);
  }
  secret_unref (base);
}
GST_END_TEST;

/* 5.2, its example: E = 4, S = 6. */
GST_START_TEST (mls_kids_are_those_of_the_rfc)
{
  guint64 kid;
  fail_unless (sframe_mls_kid (14, 4, 3, 6, 0, &kid));
  fail_unless_equals_uint64 (kid, 0x3e);
  fail_unless (sframe_mls_kid (17, 4, 33, 6, 0, &kid));
  fail_unless_equals_uint64 (kid, 0x211);
  fail_unless (sframe_mls_kid (16, 4, 2, 6, 2, &kid));
  fail_unless_equals_uint64 (kid, 0x820);

  fail_unless (
      sframe_mls_kid (G_MAXUINT64, 4, 63, 6, G_MAXUINT64 >> 10, &kid));
  fail_unless_equals_uint64 (kid, G_MAXUINT64);
  fail_unless (
      sframe_mls_kid (5, 0, 0, 0, 9, &kid)); /* no bits: context alone */
  fail_unless_equals_uint64 (kid, 9);
  fail_unless (
      sframe_mls_kid (1, 1, (G_GUINT64_CONSTANT (1) << 62) - 1, 62, 1, &kid));
  fail_unless_equals_uint64 (kid, G_MAXUINT64);
}
GST_END_TEST;

GST_START_TEST (mls_kids_out_of_range_are_refused)
{
  guint64 kid = 42;
  fail_if (sframe_mls_kid (0, 4, 64, 6, 0, &kid));
  fail_if (sframe_mls_kid (0, 4, 1, 0, 0, &kid));
  fail_if (sframe_mls_kid (0, 4, 0, 6, (G_MAXUINT64 >> 10) + 1, &kid));
  fail_if (sframe_mls_kid (0, 64, 0, 0, 0, &kid));
  fail_if (sframe_mls_kid (0, 4, 0, 60, 0, &kid));
  fail_if (sframe_mls_kid (0, 63, 0, 1, 0, &kid));
  fail_if (sframe_mls_kid (0, 0, 0, 64, 0, &kid));
  fail_if (sframe_mls_kid (0, G_MAXUINT, 0, 2, 0, &kid));
  fail_if (sframe_mls_kid (0, 2, 0, G_MAXUINT, 0, &kid));
  fail_if (sframe_mls_kid (0, 60, 0, 3, 2, &kid));
  fail_unless_equals_uint64 (kid, 42);
}
GST_END_TEST;

GST_START_TEST (short_base_keys_and_unknown_suites_are_refused)
{
  guint8 bytes[SFRAME_MIN_BASE_KEY] = { 0 };

  for (gsize len = 1; len <= sizeof bytes; len++) {
    Secret *base = secret_copy (bytes, len);
    for (int suite = -1; suite <= SFRAME_LAST_SUITE + 1; suite++) {
      gboolean known =
          suite >= SFRAME_FIRST_SUITE && suite <= SFRAME_LAST_SUITE;
      SFrameKey *key = sframe_key_new ((SFrameSuite) suite, 0, base, 0);
      fail_unless_equals_int (
          key != NULL, known && len >= SFRAME_MIN_BASE_KEY);
      fail_unless_equals_int (
          sframe_suite_name ((SFrameSuite) suite) != NULL, known);
      sframe_key_free (key);
    }
    secret_unref (base);
  }
  sframe_key_free (NULL);
}
GST_END_TEST;

static Suite *
sframe_suite (void)
{
  const int first = SFRAME_FIRST_SUITE, end = SFRAME_LAST_SUITE + 1;
  Suite *suite = suite_create ("sframe");
  TCase *tc = tcase_create ("vectors");

  vectors =
      json_node_get_object (load_vectors ("vectors/sframe/rfc9605.json"));
  vectors_256 = json_node_get_object (
      load_vectors ("vectors/sframe/aes256-ctr-hmac.json"));
  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc, header_of_the_vector_parses_and_is_written_again, 0,
      (int) json_array_get_length (rows ("header")));
  tcase_add_loop_test (
      tc, frame_of_the_vector_is_made_and_opened, 0, n_frames ());
  tcase_add_loop_test (
      tc, frame_of_the_vector_is_its_parts_put_together, 0, n_frames ());
  tcase_add_test (
      tc, ratchet_and_ssrc_keys_are_those_of_another_implementation);
  tcase_add_loop_test (tc, all_bytes_of_kid_and_ctr_count, first, end);
  tcase_add_test (tc, mls_kids_are_those_of_the_rfc);

  suite_add_tcase (suite, tc = tcase_create ("refusals"));
  tcase_add_test (tc, header_that_is_not_minimal_is_refused);
  tcase_add_loop_test (
      tc, every_flipped_bit_and_every_cut_is_refused, first, end);
  tcase_add_loop_test (
      tc, other_metadata_key_kid_or_suite_is_refused, first, end);
  tcase_add_loop_test (tc, too_little_room_costs_no_counter, first, end);
  tcase_add_test (tc, mls_kids_out_of_range_are_refused);
  tcase_add_test (tc, short_base_keys_and_unknown_suites_are_refused);

  suite_add_tcase (suite, tc = tcase_create ("use"));
  tcase_add_loop_test (tc,
      the_last_counter_is_used_once_and_the_key_is_spent_for_ever, first, end);
  tcase_add_loop_test (
      tc, equal_frames_give_different_ciphertexts, first, end);
  tcase_add_loop_test (tc, frames_are_made_and_opened_in_place, first, end);
  return suite;
}

PURE_CHECK_MAIN (sframe)

/* HPKE (RFC 9180) against the RFC's vectors, and each yes against its no.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/sodium/aead_once.h"
#include "ext/sodium/hpke.h"

static JsonArray *vectors;

/* The fixed-size members of one row. */
typedef struct
{
  JsonObject *row;
  HpkeAead aead;
  const guint8 *ikm_e, *ikm_r, *sk_r, *pk_r, *enc;
  GBytes *info;
  GPtrArray *owned;
} Vector;

static const guint8 *
key_member (Vector *v, const char *name)
{
  GBytes *bytes = hex_member (v->row, name);
  fail_unless_equals_uint64 (g_bytes_get_size (bytes), HPKE_KEY_LEN);
  g_ptr_array_add (v->owned, bytes);
  return g_bytes_get_data (bytes, NULL);
}

static Vector
load (int i)
{
  Vector v = { json_array_get_object_element (vectors, (guint) i) };
  v.owned = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  v.aead = (HpkeAead) json_object_get_int_member (v.row, "aead_id");
  v.ikm_e = key_member (&v, "ikmE");
  v.ikm_r = key_member (&v, "ikmR");
  v.sk_r = key_member (&v, "skRm");
  v.pk_r = key_member (&v, "pkRm");
  v.enc = key_member (&v, "enc");
  v.info = hex_member (v.row, "info");
  g_ptr_array_add (v.owned, v.info);
  return v;
}

static void
unload (Vector *v)
{
  g_ptr_array_unref (v->owned);
}

static HpkeContext *
sender (const Vector *v, guint8 *enc)
{
  gsize len;
  const guint8 *info = g_bytes_get_data (v->info, &len);
  HpkeContext *context =
      hpke_sender (v->aead, v->pk_r, v->ikm_e, info, len, enc);
  fail_unless (context != NULL);
  return context;
}

static HpkeContext *
receiver (const Vector *v, const guint8 *public_key)
{
  gsize len;
  const guint8 *info = g_bytes_get_data (v->info, &len);
  HpkeContext *context =
      hpke_receiver (v->aead, v->sk_r, public_key, v->enc, info, len);
  fail_unless (context != NULL);
  return context;
}

GST_START_TEST (key_pairs_of_the_vector_are_derived)
{
  Vector v = load (__i__);
  guint8 private_key[HPKE_KEY_LEN], public_key[HPKE_KEY_LEN];

  fail_unless (
      hpke_derive_key_pair (v.ikm_r, HPKE_KEY_LEN, private_key, public_key));
  fail_unless (memcmp (private_key, v.sk_r, HPKE_KEY_LEN) == 0);
  fail_unless (memcmp (public_key, v.pk_r, HPKE_KEY_LEN) == 0);

  fail_unless (
      hpke_derive_key_pair (v.ikm_e, HPKE_KEY_LEN, private_key, public_key));
  fail_unless (
      memcmp (private_key, key_member (&v, "skEm"), HPKE_KEY_LEN) == 0);
  fail_unless (
      memcmp (public_key, key_member (&v, "pkEm"), HPKE_KEY_LEN) == 0);
  fail_unless (hpke_public_key (v.sk_r, public_key));
  fail_unless (memcmp (public_key, v.pk_r, HPKE_KEY_LEN) == 0);
  unload (&v);
}
GST_END_TEST;

/* The vectors list messages 0, 1, 2, 4, 255 and 256 of one context; the ones between are sealed and opened too. */
GST_START_TEST (messages_of_the_vector_are_sealed_and_opened)
{
  Vector v = load (__i__);
  JsonArray *messages = json_object_get_array_member (v.row, "encryptions");
  guint8 enc[HPKE_KEY_LEN], ct[256], pt[256];
  HpkeContext *from = sender (&v, enc), *to = receiver (&v, v.pk_r);
  gint64 seq = 0;

  fail_unless (memcmp (enc, v.enc, HPKE_KEY_LEN) == 0);
  for (guint i = 0; i < json_array_get_length (messages); i++) {
    JsonObject *m = json_array_get_object_element (messages, i);
    g_autoptr (GBytes) aad = hex_member (m, "aad"),
                       want_pt = hex_member (m, "pt"),
                       want_ct = hex_member (m, "ct");
    gsize aad_len, pt_len, ct_len;
    const guint8 *a = g_bytes_get_data (aad, &aad_len),
                 *p = g_bytes_get_data (want_pt, &pt_len),
                 *c = g_bytes_get_data (want_ct, &ct_len);

    for (; seq < json_object_get_int_member (m, "sequence_number"); seq++) {
      fail_unless (hpke_context_seal (from, a, aad_len, p, pt_len, ct));
      fail_unless (
          hpke_context_open (to, a, aad_len, ct, pt_len + HPKE_TAG_LEN, pt));
    }
    fail_unless (hpke_context_seal (from, a, aad_len, p, pt_len, ct));
    fail_unless_equals_bytes (ct, pt_len + HPKE_TAG_LEN, want_ct);

    /* A message that is not authentic leaves the context where it was: the good one opens after it. */
    ct[0] ^= 1;
    fail_if (hpke_context_open (to, a, aad_len, ct, ct_len, pt));
    fail_unless (hpke_context_open (to, a, aad_len, c, ct_len, pt));
    fail_unless_equals_bytes (pt, pt_len, want_pt);
    fail_if (hpke_context_open (to, a, aad_len, c, ct_len, pt),
        "a message was opened twice");
    seq++;
  }
  fail_unless_equals_int64 (seq, 257);
  hpke_context_free (from);
  hpke_context_free (to);
  unload (&v);
}
GST_END_TEST;

GST_START_TEST (secrets_of_the_vector_are_exported_by_both_ends)
{
  Vector v = load (__i__);
  JsonArray *exports = json_object_get_array_member (v.row, "exports");
  guint8 enc[HPKE_KEY_LEN], got[64];
  HpkeContext *ends[] = { sender (&v, enc), receiver (&v, NULL) };

  for (guint i = 0; i < json_array_get_length (exports); i++) {
    JsonObject *e = json_array_get_object_element (exports, i);
    g_autoptr (GBytes) context = hex_member (e, "exporter_context"),
                       want = hex_member (e, "exported_value");
    gsize context_len, len = (gsize) json_object_get_int_member (e, "L");
    const guint8 *c = g_bytes_get_data (context, &context_len);
    for (int end = 0; end < 2; end++) {
      fail_unless (hpke_context_export (ends[end], c, context_len, got, len));
      fail_unless_equals_bytes (got, len, want);
    }
  }
  hpke_context_free (ends[0]);
  hpke_context_free (ends[1]);
  unload (&v);
}
GST_END_TEST;

GST_START_TEST (first_message_of_the_vector_opens_in_one_call)
{
  Vector v = load (__i__);
  JsonObject *m = json_array_get_object_element (
      json_object_get_array_member (v.row, "encryptions"), 0);
  g_autoptr (GBytes) aad = hex_member (m, "aad"),
                     want_pt = hex_member (m, "pt"),
                     want_ct = hex_member (m, "ct");
  gsize info_len, aad_len, pt_len, ct_len;
  const guint8 *info = g_bytes_get_data (v.info, &info_len),
               *a = g_bytes_get_data (aad, &aad_len),
               *p = g_bytes_get_data (want_pt, &pt_len),
               *c = g_bytes_get_data (want_ct, &ct_len);
  guint8 enc[HPKE_KEY_LEN], out[256];

  fail_unless (hpke_seal (v.aead, v.pk_r, v.ikm_e, info, info_len, a, aad_len,
      p, pt_len, enc, out));
  fail_unless (memcmp (enc, v.enc, HPKE_KEY_LEN) == 0);
  fail_unless_equals_bytes (out, pt_len + HPKE_TAG_LEN, want_ct);
  for (int known = 0; known < 2; known++) {
    fail_unless (hpke_open (v.aead, v.sk_r, known ? v.pk_r : NULL, v.enc, info,
        info_len, a, aad_len, c, ct_len, out));
    fail_unless_equals_bytes (out, pt_len, want_pt);
  }
  unload (&v);
}
GST_END_TEST;

/* One sealed message, of which a test changes something. */
typedef struct
{
  HpkeAead aead;
  guint8 sk[HPKE_KEY_LEN], pk[HPKE_KEY_LEN], enc[HPKE_KEY_LEN];
  guint8 info[20], aad[7], pt[33], ct[33 + HPKE_TAG_LEN];
} Sealed;

static const HpkeAead aeads[] = { HPKE_AES_128_GCM, HPKE_CHACHA20_POLY1305 };

static Sealed
seal (HpkeAead aead)
{
  Sealed s = { aead };
  fail_unless (hpke_generate_key_pair (s.sk, s.pk));
  memset (s.info, 'i', sizeof s.info);
  memset (s.aad, 'a', sizeof s.aad);
  memset (s.pt, 'p', sizeof s.pt);
  fail_unless (hpke_seal (aead, s.pk, NULL, s.info, sizeof s.info, s.aad,
      sizeof s.aad, s.pt, sizeof s.pt, s.enc, s.ct));
  return s;
}

static gboolean
opens (const Sealed *s)
{
  guint8 pt[64];
  return hpke_open (s->aead, s->sk, NULL, s->enc, s->info, sizeof s->info,
             s->aad, sizeof s->aad, s->ct, sizeof s->ct, pt)
         && memcmp (pt, s->pt, sizeof s->pt) == 0;
}

GST_START_TEST (open_refuses_every_flipped_bit)
{
  Sealed good = seal (aeads[__i__]);
  const struct
  {
    gsize at, len;
    const char *what;
  } fields[] = { { G_STRUCT_OFFSET (Sealed, enc), HPKE_KEY_LEN, "enc" },
    { G_STRUCT_OFFSET (Sealed, info), sizeof good.info, "info" },
    { G_STRUCT_OFFSET (Sealed, aad), sizeof good.aad, "aad" },
    { G_STRUCT_OFFSET (Sealed, ct), sizeof good.ct, "ct" } };

  fail_unless (opens (&good));
  for (guint f = 0; f < G_N_ELEMENTS (fields); f++)
    for (gsize bit = 0; bit < 8 * fields[f].len; bit++) {
      Sealed bad = good;
      ((guint8 *) &bad)[fields[f].at + bit / 8] ^= (guint8) (1 << bit % 8);
      fail_if (opens (&bad), "bit %u of %s may be flipped", (guint) bit,
          fields[f].what);
    }
}
GST_END_TEST;

GST_START_TEST (open_refuses_every_cut_and_the_wrong_key)
{
  Sealed s = seal (aeads[__i__]);
  guint8 other_sk[HPKE_KEY_LEN], other_pk[HPKE_KEY_LEN], pt[64];

  for (gsize len = 0; len < sizeof s.ct; len++) {
    guint8 *cut = g_memdup2 (s.ct, len);
    fail_if (hpke_open (s.aead, s.sk, s.pk, s.enc, s.info, sizeof s.info,
        s.aad, sizeof s.aad, cut, len, pt));
    g_free (cut);
  }
  fail_unless (hpke_generate_key_pair (other_sk, other_pk));
  fail_if (hpke_open (s.aead, other_sk, NULL, s.enc, s.info, sizeof s.info,
      s.aad, sizeof s.aad, s.ct, sizeof s.ct, pt));
  fail_if (hpke_open (s.aead, s.sk, other_pk, s.enc, s.info, sizeof s.info,
      s.aad, sizeof s.aad, s.ct, sizeof s.ct, pt));
  fail_if (hpke_open (aeads[1 - __i__], s.sk, s.pk, s.enc, s.info,
      sizeof s.info, s.aad, sizeof s.aad, s.ct, sizeof s.ct, pt));
}
GST_END_TEST;

/* RFC 9180, 7.1.4: the points whose multiples are all zero, on the curve and on its twist; the last two are other
 * encodings of the first two, not reduced modulo the prime. */
static const char *const small_points[] = {
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

GST_START_TEST (points_of_small_order_are_refused_at_both_ends)
{
  g_autoptr (GBytes) bytes = bytes_from_hex (small_points[__i__]);
  const guint8 *point = g_bytes_get_data (bytes, NULL);
  guint8 sk[HPKE_KEY_LEN], pk[HPKE_KEY_LEN], enc[HPKE_KEY_LEN],
      ct[1 + HPKE_TAG_LEN] = { 0 };

  fail_unless (hpke_generate_key_pair (sk, pk));
  for (guint a = 0; a < G_N_ELEMENTS (aeads); a++) {
    fail_if (
        hpke_seal (aeads[a], point, NULL, NULL, 0, NULL, 0, "x", 1, enc, ct));
    fail_unless (hpke_receiver (aeads[a], sk, pk, point, NULL, 0) == NULL);
    fail_unless (hpke_sender (aeads[a], point, NULL, NULL, 0, enc) == NULL);
  }
}
GST_END_TEST;

GST_START_TEST (empty_and_long_inputs_travel)
{
  guint8 sk[HPKE_KEY_LEN], pk[HPKE_KEY_LEN], enc[HPKE_KEY_LEN],
      nothing[HPKE_TAG_LEN];
  gsize len = 1 << 20;
  guint8 *big = g_malloc0 (len + HPKE_TAG_LEN);
  HpkeAead aead = aeads[__i__];

  fail_unless (hpke_generate_key_pair (sk, pk));
  fail_unless (
      hpke_seal (aead, pk, NULL, NULL, 0, NULL, 0, NULL, 0, enc, nothing));
  fail_unless (hpke_open (
      aead, sk, pk, enc, NULL, 0, NULL, 0, nothing, sizeof nothing, nothing));

  /* A Welcome's info is the whole encrypted GroupInfo; the plaintext is encrypted in its own place. */
  guint8 *info = g_malloc (len);
  memset (info, 'i', len);
  memset (big, 'p', len);
  fail_unless (
      hpke_seal (aead, pk, NULL, info, len, info, len, big, len, enc, big));
  fail_unless (hpke_open (
      aead, sk, pk, enc, info, len, info, len, big, len + HPKE_TAG_LEN, big));
  fail_unless (memcmp (big, "pppp", 4) == 0 && big[len - 1] == 'p');
  info[len - 1] ^= 1;
  fail_if (hpke_open (
      aead, sk, pk, enc, info, len, info, len, big, len + HPKE_TAG_LEN, big));
  g_free (info);
  g_free (big);
}
GST_END_TEST;

GST_START_TEST (misuse_is_refused)
{
  guint8 sk[HPKE_KEY_LEN], pk[HPKE_KEY_LEN], enc[HPKE_KEY_LEN], ct[64];
  guint8 *large = g_malloc0 (HPKE_MAX_EXPORT + 1);

  fail_if (hpke_derive_key_pair (large, HPKE_MIN_IKM - 1, sk, pk),
      "a key pair from too little");
  fail_unless (hpke_generate_key_pair (sk, pk));
  fail_unless (hpke_sender ((HpkeAead) 2, pk, NULL, NULL, 0, enc) == NULL,
      "AES-256-GCM is not offered");
  fail_unless (
      hpke_sender ((HpkeAead) 0xffff, pk, NULL, NULL, 0, enc) == NULL);

  HpkeContext *from = hpke_sender (HPKE_AES_128_GCM, pk, NULL, NULL, 0, enc);
  HpkeContext *to = hpke_receiver (HPKE_AES_128_GCM, sk, pk, enc, NULL, 0);
  fail_if (hpke_context_seal (to, NULL, 0, "x", 1, ct),
      "the receiver sealed with the sender's nonces");
  fail_unless (hpke_context_seal (from, NULL, 0, "x", 1, ct));
  fail_if (hpke_context_open (from, NULL, 0, ct, 17, ct));
  fail_unless (hpke_context_open (to, NULL, 0, ct, 17, ct));
  fail_unless (hpke_context_export (
      to, large, HPKE_MAX_CONTEXT, large, HPKE_MAX_EXPORT));
  fail_if (hpke_context_export (to, large, HPKE_MAX_CONTEXT + 1, large, 32));
  fail_if (hpke_context_export (to, large, 1, large, HPKE_MAX_EXPORT + 1));
  hpke_context_free (from);
  hpke_context_free (to);
  hpke_context_free (NULL);
  g_free (large);
}
GST_END_TEST;

GST_START_TEST (each_message_has_its_own_ephemeral_key)
{
  Sealed one = seal (aeads[__i__]);
  guint8 enc[HPKE_KEY_LEN], ct[sizeof one.ct];
  fail_unless (hpke_seal (one.aead, one.pk, NULL, one.info, sizeof one.info,
      one.aad, sizeof one.aad, one.pt, sizeof one.pt, enc, ct));
  fail_if (memcmp (enc, one.enc, sizeof enc) == 0);
  fail_if (memcmp (ct, one.ct, sizeof ct) == 0);
}
GST_END_TEST;

/* The AEAD of one message gives what the lasting one gives, and opens it; the composed ones are not offered. */
GST_START_TEST (aead_for_one_message_is_the_same_aead)
{
  static const AeadAlgorithm algorithms[] = { AEAD_AES_128_GCM,
    AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305, AEAD_XCHACHA20_POLY1305 };
  static const guint8 key[96] = "key", nonce[24] = "nonce", text[33] = "text";
  guint8 lasting[sizeof text + 16], once[sizeof text + 16], back[sizeof text];

  for (guint i = 0; i < G_N_ELEMENTS (algorithms); i++) {
    Aead *aead = aead_new (algorithms[i], key, 16);
    fail_unless (aead_seal (aead, nonce, "a", 1, text, sizeof text, lasting));
    fail_unless (aead_seal_once (
        algorithms[i], key, nonce, "a", 1, text, sizeof text, once));
    fail_unless (memcmp (once, lasting, sizeof once) == 0);
    fail_unless (aead_open_once (
        algorithms[i], key, nonce, "a", 1, lasting, sizeof lasting, back));
    fail_unless (memcmp (back, text, sizeof text) == 0);
    fail_if (aead_open_once (
        algorithms[i], key, nonce, "b", 1, lasting, sizeof lasting, back));
    fail_if (
        aead_open_once (algorithms[i], key, nonce, "a", 1, lasting, 15, back));
    aead_free (aead);
  }
  fail_if (aead_seal_once (AEAD_AES_128_CTR_HMAC_SHA256, key, nonce, "a", 1,
      text, sizeof text, once));
  fail_if (aead_open_once (AEAD_AES_256_CTR_HMAC_SHA512, key, nonce, "a", 1,
      lasting, sizeof lasting, back));
}
GST_END_TEST;

static Suite *
hpke_suite (void)
{
  Suite *suite = suite_create ("hpke");
  TCase *tc = tcase_create ("vectors");

  vectors = json_node_get_array (load_vectors ("vectors/hpke/rfc9180.json"));
  int rows = (int) json_array_get_length (vectors),
      both = G_N_ELEMENTS (aeads);
  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc, key_pairs_of_the_vector_are_derived, 0, rows);
  tcase_add_loop_test (
      tc, messages_of_the_vector_are_sealed_and_opened, 0, rows);
  tcase_add_loop_test (
      tc, secrets_of_the_vector_are_exported_by_both_ends, 0, rows);
  tcase_add_loop_test (
      tc, first_message_of_the_vector_opens_in_one_call, 0, rows);

  tc = tcase_create ("refusals");
  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc, open_refuses_every_flipped_bit, 0, both);
  tcase_add_loop_test (tc, open_refuses_every_cut_and_the_wrong_key, 0, both);
  tcase_add_loop_test (tc, points_of_small_order_are_refused_at_both_ends, 0,
      G_N_ELEMENTS (small_points));
  tcase_add_loop_test (tc, empty_and_long_inputs_travel, 0, both);
  tcase_add_loop_test (tc, each_message_has_its_own_ephemeral_key, 0, both);
  tcase_add_test (tc, misuse_is_refused);
  tcase_add_test (tc, aead_for_one_message_is_the_same_aead);
  return suite;
}

PURE_CHECK_MAIN (hpke)

/* The door against vectors that another implementation made (tests/interop/door), and each yes against its no.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/sodium/door.h"
#include "ext/sodium/lv.h"
#include "ext/sodium/precis.h"

static JsonArray *runs;

/* One row: its inputs, and what they make. */
typedef struct
{
  JsonObject *in, *out;
  GPtrArray *owned;
  Identity *joiner, *host;
  DoorKnock knock;
  DoorReply reply;
  DoorTranscript transcript;
  Cpace *a, *b;
} Run;

static const guint8 *
bytes_of (Run *run, JsonObject *object, const char *name, gsize *len)
{
  GBytes *bytes = hex_member (object, name);
  gsize n;
  const guint8 *data = g_bytes_get_data (bytes, &n);
  g_ptr_array_add (run->owned, bytes);
  if (len)
    *len = n;
  return data;
}

static const guint8 *
input (Run *run, const char *name)
{
  return bytes_of (run, run->in, name, NULL);
}

static const guint8 *
output (Run *run, const char *name)
{
  return bytes_of (run, run->out, name, NULL);
}

static void
check_output (Run *run, const char *name, const void *got, gsize len)
{
  gsize want_len;
  const guint8 *want = bytes_of (run, run->out, name, &want_len);
  fail_unless (len == want_len && (len == 0 || memcmp (got, want, len) == 0),
      "%s: \"%s\" differs from the vector",
      json_object_get_string_member (run->in, "name"), name);
}

static void
fill_messages (Run *run)
{
  JsonArray *offers = json_object_get_array_member (run->in, "offers");
  DoorTranscript *t = &run->transcript;

  run->knock.count = json_array_get_length (offers);
  for (guint i = 0; i < run->knock.count; i++) {
    JsonObject *offer = json_array_get_object_element (offers, i);
    run->knock.offers[i].suite =
        (guint16) json_object_get_int_member (offer, "suite");
    memcpy (run->knock.offers[i].key_package_ref,
        bytes_of (run, offer, "key_package_ref", NULL), DOOR_REF_LEN);
  }
  memcpy (run->knock.nonce, input (run, "joiner_nonce"), DOOR_NONCE_LEN);

  memcpy (
      run->reply.host_key, identity_public_key (run->host), IDENTITY_KEY_LEN);
  run->reply.suite = (guint16) json_object_get_int_member (run->in, "suite");
  memcpy (run->reply.group_id, input (run, "group_id"), DOOR_GROUP_ID_LEN);
  run->reply.t = g_ascii_strtoull (
      json_object_get_string_member (run->in, "t"), NULL, 10);
  memcpy (run->reply.nonce, input (run, "host_nonce"), DOOR_NONCE_LEN);

  g_strlcpy (t->meeting, json_object_get_string_member (run->in, "meeting"),
      sizeof t->meeting);
  memcpy (t->sid, input (run, "sid"), DOOR_SID_LEN);
  Writer w = writer_init (t->ada, sizeof t->ada);
  door_write_knock (&w, &run->knock);
  fail_if (w.failed);
  t->ada_len = writer_len (&w);
  w = writer_init (t->adb, sizeof t->adb);
  door_write_reply (&w, &run->reply);
  fail_if (w.failed);
  fail_unless_equals_uint64 (writer_len (&w), DOOR_ADB_LEN);
}

static Run
start (int row)
{
  JsonObject *v = json_array_get_object_element (runs, (guint) row);
  Run run = { json_object_get_object_member (v, "input"),
    json_object_get_object_member (v, "output"),
    g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref) };
  DoorTranscript *t = &run.transcript;
  const char *typed = json_object_get_string_member (run.in, "password");
  Secret *password = NULL;
  guint8 ci[DOOR_MAX_CI];

  run.joiner = identity_from_seed (input (&run, "joiner_seed"));
  run.host = identity_from_seed (input (&run, "host_seed"));
  fill_messages (&run);
  gsize ci_len = door_ci (t->meeting, ci);
  check_output (&run, "ci", ci, ci_len);

  if (*typed)
    fail_unless_equals_int (
        precis_opaque_string (typed, strlen (typed), &password, NULL),
        PRECIS_OK);
  check_output (&run, "prs", password ? secret_bytes (password) : NULL,
      password ? secret_len (password) : 0);
  run.a = cpace_new (CPACE_INITIATOR, password, ci, ci_len, t->sid,
      DOOR_SID_LEN, input (&run, "ya_scalar"));
  run.b = cpace_new (CPACE_RESPONDER, password, ci, ci_len, t->sid,
      DOOR_SID_LEN, input (&run, "yb_scalar"));
  fail_unless (run.a && run.b);
  secret_unref (password);
  memcpy (t->ya, cpace_share (run.a), CPACE_SHARE_LEN);
  memcpy (t->yb, cpace_share (run.b), CPACE_SHARE_LEN);
  fail_unless (
      cpace_derive (run.b, t->ya, t->adb, DOOR_ADB_LEN, t->ada, t->ada_len));
  fail_unless (
      cpace_derive (run.a, t->yb, t->ada, t->ada_len, t->adb, DOOR_ADB_LEN));
  return run;
}

static void
finish (Run *run)
{
  cpace_free (run->a);
  cpace_free (run->b);
  identity_free (run->joiner);
  identity_free (run->host);
  g_ptr_array_unref (run->owned);
}

GST_START_TEST (transcript_and_tags_of_the_vector)
{
  Run run = start (__i__);
  DoorTranscript *t = &run.transcript;
  guint8 t1[1024];
  Writer w = writer_init (t1, sizeof t1);

  check_output (
      &run, "joiner_key", identity_public_key (run.joiner), IDENTITY_KEY_LEN);
  check_output (
      &run, "host_key", identity_public_key (run.host), IDENTITY_KEY_LEN);
  check_output (&run, "ya", t->ya, CPACE_SHARE_LEN);
  check_output (&run, "yb", t->yb, CPACE_SHARE_LEN);
  check_output (&run, "ada", t->ada, t->ada_len);
  check_output (&run, "adb", t->adb, DOOR_ADB_LEN);
  door_write_t1 (&w, t);
  fail_if (w.failed);
  check_output (&run, "t1", t1, writer_len (&w));
  check_output (&run, "isk", cpace_isk (run.a), CPACE_ISK_LEN);
  check_output (&run, "isk", cpace_isk (run.b), CPACE_ISK_LEN);
  check_output (&run, "ta", cpace_tag (run.a), CPACE_TAG_LEN);
  fail_unless (cpace_confirm (run.b, cpace_tag (run.a)));
  check_output (&run, "tb", cpace_tag (run.b), CPACE_TAG_LEN);
  fail_unless (cpace_confirm (run.a, cpace_tag (run.b)));
  finish (&run);
}
GST_END_TEST;

GST_START_TEST (signatures_of_the_vector)
{
  Run run = start (__i__);
  const guint8 *joiner = identity_public_key (run.joiner),
               *host = identity_public_key (run.host);
  guint8 knock[IDENTITY_SIG_LEN], reply[IDENTITY_SIG_LEN],
      proof[IDENTITY_SIG_LEN];

  fail_unless (door_sign_knock (run.joiner, &run.transcript, knock));
  fail_unless (door_sign_reply (run.host, &run.transcript, reply));
  fail_unless (door_sign_proof (run.joiner, &run.transcript, reply, proof));
  check_output (&run, "knock_sig", knock, sizeof knock);
  check_output (&run, "reply_sig", reply, sizeof reply);
  check_output (&run, "proof_sig", proof, sizeof proof);

  fail_unless (door_verify_knock (joiner, &run.transcript, knock));
  fail_unless (door_verify_reply (host, &run.transcript, reply));
  fail_unless (door_verify_proof (joiner, &run.transcript, reply, proof));

  /* None is another's, and none another key's. */
  fail_if (door_verify_reply (joiner, &run.transcript, knock));
  fail_if (door_verify_proof (joiner, &run.transcript, reply, knock));
  fail_if (door_verify_knock (joiner, &run.transcript, proof));
  fail_if (door_verify_knock (host, &run.transcript, knock));
  fail_if (door_verify_reply (joiner, &run.transcript, reply));
  fail_if (door_verify_proof (host, &run.transcript, reply, proof));
  finish (&run);
}
GST_END_TEST;

/* The content of boxH as the row says. */
static gsize
write_admit (Run *run, guint8 *room, gsize size)
{
  DoorAdmit admit = { 0 };
  gsize welcome_len;
  const guint8 *welcome = bytes_of (run, run->in, "welcome", &welcome_len);
  Writer w = writer_init (room, size);

  admit.refusal =
      (DoorRefusal) json_object_get_int_member (run->in, "refusal");
  admit.admitted = admit.refusal == 0;
  admit.skew = g_ascii_strtoll (
      json_object_get_string_member (run->in, "skew"), NULL, 10);
  admit.tracks = bytes_of (run, run->in, "tracks", &admit.tracks_len);
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize hash_len = DOOR_HASH_LEN;
  g_checksum_update (sum, welcome, (gssize) welcome_len);
  g_checksum_get_digest (sum, admit.welcome_hash, &hash_len);
  door_write_admit (&w, &admit);
  fail_if (w.failed);
  return writer_len (&w);
}

GST_START_TEST (boxes_of_the_vector)
{
  Run run = start (__i__);
  const guint8 *isk = cpace_isk (run.a), *sig = output (&run, "reply_sig"),
               *ta = output (&run, "ta");
  guint8 proof[1024], admit[1024], box_j[1024], box_h[1024], plain[1024];
  DoorProof p = { .sig = output (&run, "proof_sig") }, got;
  DoorAdmit verdict;

  p.key_package = bytes_of (&run, run.in, "key_package", &p.key_package_len);
  Writer w = writer_init (proof, sizeof proof);
  door_write_proof (&w, &p);
  fail_if (w.failed);
  gsize proof_len = writer_len (&w), box_j_len = proof_len + DOOR_BOX_OVERHEAD;
  check_output (&run, "proof", proof, proof_len);
  fail_unless (door_seal_proof (&run.transcript, isk, sig,
      input (&run, "proof_nonce"), proof, proof_len, box_j));
  check_output (&run, "proof_box", box_j, box_j_len);
  fail_unless (
      door_open_proof (&run.transcript, isk, sig, box_j, box_j_len, plain));
  fail_unless (door_parse_proof (reader_init (plain, proof_len), &got));
  fail_unless (
      got.key_package_len == p.key_package_len
      && memcmp (got.key_package, p.key_package, p.key_package_len) == 0
      && memcmp (got.sig, p.sig, IDENTITY_SIG_LEN) == 0);

  gsize admit_len = write_admit (&run, admit, sizeof admit),
        box_h_len = admit_len + DOOR_BOX_OVERHEAD;
  check_output (&run, "admit", admit, admit_len);
  fail_unless (door_seal_admit (&run.transcript, isk, sig, ta, box_j,
      box_j_len, input (&run, "admit_nonce"), admit, admit_len, box_h));
  check_output (&run, "admit_box", box_h, box_h_len);
  fail_unless (door_open_admit (&run.transcript, isk, sig, ta, box_j,
      box_j_len, box_h, box_h_len, plain));
  fail_unless (door_parse_admit (reader_init (plain, admit_len), &verdict));
  fail_unless_equals_int (
      verdict.admitted, json_object_get_int_member (run.in, "refusal") == 0);
  fail_unless_equals_int64 (verdict.skew,
      g_ascii_strtoll (
          json_object_get_string_member (run.in, "skew"), NULL, 10));

  /* Neither box is the other one. */
  fail_if (
      door_open_proof (&run.transcript, isk, sig, box_h, box_h_len, plain));
  fail_if (door_open_admit (&run.transcript, isk, sig, ta, box_j, box_j_len,
      box_j, box_j_len, plain));
  finish (&run);
}
GST_END_TEST;

static DoorVerdict
check_reply (Run *run, const guint8 *chain, gsize chain_len,
    const guint8 *fingerprint, DoorReply *reply)
{
  return door_check_reply (&run->transcript, identity_public_key (run->joiner),
      output (run, "reply_sig"), reader_init (chain, chain_len), fingerprint,
      reply);
}

GST_START_TEST (host_of_the_vector_is_recognised)
{
  Run run = start (__i__);
  gsize chain_len;
  const guint8 *chain = bytes_of (&run, run.out, "chain", &chain_len),
               *pinned = output (&run, "pinned_fingerprint");
  guint8 other[IDENTITY_FINGERPRINT_LEN];
  DoorReply reply;

  fail_unless_equals_int (
      check_reply (&run, chain, chain_len, pinned, &reply), DOOR_OK);
  fail_unless (
      memcmp (&reply.host_key, run.reply.host_key, IDENTITY_KEY_LEN) == 0);
  fail_unless (
      memcmp (&reply.group_id, run.reply.group_id, DOOR_GROUP_ID_LEN) == 0);
  fail_unless_equals_uint64 (reply.t, run.reply.t);
  fail_unless_equals_int (reply.suite, run.reply.suite);
  fail_unless_equals_int (check_reply (&run, NULL, 0, NULL, NULL), DOOR_OK);

  memcpy (other, pinned, sizeof other);
  other[31] ^= 1;
  fail_unless_equals_int (
      check_reply (&run, chain, chain_len, other, NULL), DOOR_OTHER_HOST);
  if (chain_len > 0) {
    /* Without its chain a co-host is a stranger. */
    fail_unless_equals_int (
        check_reply (&run, NULL, 0, pinned, NULL), DOOR_OTHER_HOST);
    for (gsize i = 0; i < chain_len; i++) {
      guint8 *bad = g_memdup2 (chain, chain_len);
      bad[i] ^= 1;
      fail_if (check_reply (&run, bad, chain_len, pinned, NULL) == DOOR_OK,
          "byte %u of the chain may be flipped", (guint) i);
      g_free (bad);
    }
    for (gsize cut = 1; cut < chain_len; cut++)
      fail_if (check_reply (&run, chain, cut, pinned, NULL) == DOOR_OK);
  }
  finish (&run);
}
GST_END_TEST;

GST_START_TEST (every_flipped_byte_of_the_transcript_breaks_every_signature)
{
  Run run = start (0);
  const guint8 *knock = output (&run, "knock_sig"),
               *reply = output (&run, "reply_sig"),
               *proof = output (&run, "proof_sig");
  const struct
  {
    gsize at, len;
    gboolean in_knock;
  } fields[] = { { G_STRUCT_OFFSET (DoorTranscript, sid), DOOR_SID_LEN, TRUE },
    { G_STRUCT_OFFSET (DoorTranscript, ya), CPACE_SHARE_LEN, TRUE },
    { G_STRUCT_OFFSET (DoorTranscript, ada), run.transcript.ada_len, TRUE },
    { G_STRUCT_OFFSET (DoorTranscript, yb), CPACE_SHARE_LEN, FALSE },
    { G_STRUCT_OFFSET (DoorTranscript, adb), DOOR_ADB_LEN, FALSE } };
  const guint8 *joiner = identity_public_key (run.joiner),
               *host = identity_public_key (run.host);

  for (guint f = 0; f < G_N_ELEMENTS (fields); f++)
    for (gsize i = 0; i < fields[f].len; i++) {
      DoorTranscript bad = run.transcript;
      ((guint8 *) &bad)[fields[f].at + i] ^= 1;
      fail_if (door_verify_reply (host, &bad, reply));
      fail_if (door_verify_proof (joiner, &bad, reply, proof));
      fail_unless_equals_int (
          door_verify_knock (joiner, &bad, knock), !fields[f].in_knock);
    }
  DoorTranscript elsewhere = run.transcript;
  elsewhere.meeting[0] ^= 1;
  fail_if (door_verify_reply (host, &elsewhere, reply));
  fail_if (door_verify_knock (joiner, &elsewhere, knock));
  elsewhere.meeting[0] = '/'; /* not a meeting at all */
  fail_if (door_verify_reply (host, &elsewhere, reply));

  guint8 other[IDENTITY_SIG_LEN];
  memcpy (other, reply, sizeof other);
  other[0] ^= 1;
  fail_if (door_verify_proof (joiner, &run.transcript, other, proof),
      "sigJ is not bound to sigH");
  finish (&run);
}
GST_END_TEST;

GST_START_TEST (every_flipped_byte_and_every_cut_of_a_box_is_refused)
{
  Run run = start (0);
  const guint8 *isk = cpace_isk (run.a), *sig = output (&run, "reply_sig"),
               *ta = output (&run, "ta");
  gsize j_len, h_len;
  const guint8 *box_j = bytes_of (&run, run.out, "proof_box", &j_len),
               *box_h = bytes_of (&run, run.out, "admit_box", &h_len);
  guint8 plain[1024], sig_bad[IDENTITY_SIG_LEN], ta_bad[CPACE_TAG_LEN],
      isk_bad[CPACE_ISK_LEN];

  for (gsize i = 0; i < j_len; i++) {
    guint8 *bad = g_memdup2 (box_j, j_len);
    bad[i] ^= 1;
    fail_if (door_open_proof (&run.transcript, isk, sig, bad, j_len, plain));
    fail_if (door_open_admit (&run.transcript, isk, sig, ta, bad, j_len, box_h,
                 h_len, plain),
        "boxH does not answer boxJ");
    g_free (bad);
    fail_if (door_open_proof (&run.transcript, isk, sig, box_j, i, plain));
  }
  for (gsize i = 0; i < h_len; i++) {
    guint8 *bad = g_memdup2 (box_h, h_len);
    bad[i] ^= 1;
    fail_if (door_open_admit (
        &run.transcript, isk, sig, ta, box_j, j_len, bad, h_len, plain));
    g_free (bad);
    fail_if (door_open_admit (
        &run.transcript, isk, sig, ta, box_j, j_len, box_h, i, plain));
  }

  memcpy (sig_bad, sig, sizeof sig_bad);
  memcpy (ta_bad, ta, sizeof ta_bad);
  memcpy (isk_bad, isk, sizeof isk_bad);
  sig_bad[5] ^= 1, ta_bad[63] ^= 1, isk_bad[0] ^= 1;
  fail_if (
      door_open_proof (&run.transcript, isk, sig_bad, box_j, j_len, plain));
  fail_if (
      door_open_proof (&run.transcript, isk_bad, sig, box_j, j_len, plain));
  fail_if (door_open_admit (
      &run.transcript, isk, sig_bad, ta, box_j, j_len, box_h, h_len, plain));
  fail_if (door_open_admit (
      &run.transcript, isk, sig, ta_bad, box_j, j_len, box_h, h_len, plain));
  DoorTranscript other = run.transcript;
  other.yb[0] ^= 1;
  fail_if (door_open_proof (&other, isk, sig, box_j, j_len, plain));
  fail_unless (
      door_open_proof (&run.transcript, isk, sig, box_j, j_len, plain));
  finish (&run);
}
GST_END_TEST;

GST_START_TEST (nonce_of_a_box_is_drawn_afresh)
{
  Run run = start (0);
  guint8 one[41], two[41];
  fail_unless (door_seal_proof (&run.transcript, cpace_isk (run.a),
      output (&run, "reply_sig"), NULL, (guint8 *) "x", 1, one));
  fail_unless (door_seal_proof (&run.transcript, cpace_isk (run.a),
      output (&run, "reply_sig"), NULL, (guint8 *) "x", 1, two));
  fail_if (memcmp (one, two, 24) == 0);
  finish (&run);
}
GST_END_TEST;

GST_START_TEST (knock_and_reply_parse_only_as_written)
{
  Run run = start (__i__);
  const DoorTranscript *t = &run.transcript;
  DoorKnock knock;
  DoorReply reply;
  guint8 longer[DOOR_MAX_ADA + 1] = { 0 };

  fail_unless (door_parse_knock (reader_init (t->ada, t->ada_len), &knock));
  fail_unless_equals_uint64 (knock.count, run.knock.count);
  fail_unless (
      memcmp (knock.offers, run.knock.offers, sizeof knock.offers) == 0);
  fail_unless (memcmp (knock.nonce, run.knock.nonce, DOOR_NONCE_LEN) == 0);
  fail_unless (door_find_offer (&knock, run.reply.suite)
               && !door_find_offer (&knock, 77));
  for (gsize cut = 0; cut < t->ada_len; cut++)
    fail_if (door_parse_knock (reader_init (t->ada, cut), &knock));
  memcpy (longer, t->ada, t->ada_len);
  fail_if (door_parse_knock (reader_init (longer, t->ada_len + 1), &knock),
      "a byte is left over");

  fail_unless (door_parse_reply (reader_init (t->adb, DOOR_ADB_LEN), &reply));
  fail_unless (memcmp (reply.nonce, run.reply.nonce, DOOR_NONCE_LEN) == 0);
  for (gsize cut = 0; cut < DOOR_ADB_LEN; cut++)
    fail_if (door_parse_reply (reader_init (t->adb, cut), &reply));
  memcpy (longer, t->adb, DOOR_ADB_LEN);
  fail_if (door_parse_reply (reader_init (longer, DOOR_ADB_LEN + 1), &reply),
      "a byte is left over");
  finish (&run);
}
GST_END_TEST;

GST_START_TEST (knock_with_no_too_many_or_repeated_offers_is_refused)
{
  DoorKnock knock = { .count = DOOR_MAX_OFFERS }, got;
  guint8 room[DOOR_MAX_ADA + 64];

  for (guint i = 0; i < DOOR_MAX_OFFERS; i++)
    knock.offers[i].suite = (guint16) (i + 1);
  Writer w = writer_init (room, sizeof room);
  door_write_knock (&w, &knock);
  fail_unless (!w.failed && writer_len (&w) == DOOR_MAX_ADA);
  fail_unless (door_parse_knock (reader_init (room, writer_len (&w)), &got));

  knock.offers[7].suite = 1;
  w = writer_init (room, sizeof room);
  door_write_knock (&w, &knock);
  fail_if (door_parse_knock (reader_init (room, writer_len (&w)), &got),
      "one suite twice");

  for (gsize n = 0; n <= DOOR_MAX_OFFERS + 1; n += DOOR_MAX_OFFERS + 1) {
    guint8 list[(DOOR_MAX_OFFERS + 1) * (2 + DOOR_REF_LEN)] = { 0 };
    for (gsize i = 0; i < n; i++)
      list[34 * i + 1] = (guint8) i;
    w = writer_init (room, sizeof room);
    lv_write (&w, list, n * 34);
    lv_write (&w, knock.nonce, DOOR_NONCE_LEN);
    fail_if (
        w.failed
            || door_parse_knock (reader_init (room, writer_len (&w)), &got),
        "%u offers", (guint) n);
    knock.count = n;
    w = writer_init (room, sizeof room);
    door_write_knock (&w, &knock);
    fail_unless (w.failed);
  }
}
GST_END_TEST;

GST_START_TEST (reply_is_refused_for_what_is_wrong_with_it)
{
  Run run = start (0);
  DoorTranscript good = run.transcript;
  guint8 sig[IDENTITY_SIG_LEN];
  DoorReply reply = run.reply;
  Writer w;

  fail_unless_equals_int (check_reply (&run, NULL, 0, NULL, NULL), DOOR_OK);

  /* A suite that was not offered, well signed. */
  reply.suite = 2;
  w = writer_init (run.transcript.adb, DOOR_ADB_LEN);
  door_write_reply (&w, &reply);
  fail_unless (door_sign_reply (run.host, &run.transcript, sig));
  fail_unless_equals_int (
      door_check_reply (&run.transcript, identity_public_key (run.joiner), sig,
          reader_init (NULL, 0), NULL, NULL),
      DOOR_SUITE_NOT_OFFERED);

  /* The joiner's own key. */
  reply = run.reply;
  memcpy (reply.host_key, identity_public_key (run.joiner), IDENTITY_KEY_LEN);
  w = writer_init (run.transcript.adb, DOOR_ADB_LEN);
  door_write_reply (&w, &reply);
  fail_unless (door_sign_reply (run.joiner, &run.transcript, sig));
  fail_unless_equals_int (
      door_check_reply (&run.transcript, identity_public_key (run.joiner), sig,
          reader_init (NULL, 0), NULL, NULL),
      DOOR_OWN_KEY);

  /* Signed by somebody else, or for another nonce. */
  run.transcript = good;
  fail_unless (door_sign_reply (run.joiner, &run.transcript, sig));
  fail_unless_equals_int (
      door_check_reply (&run.transcript, identity_public_key (run.joiner), sig,
          reader_init (NULL, 0), NULL, NULL),
      DOOR_BAD_SIGNATURE);
  run.transcript.adb[0] = 31;
  fail_unless_equals_int (
      check_reply (&run, NULL, 0, NULL, NULL), DOOR_MALFORMED);
  run.transcript = good;
  run.transcript.ada_len--;
  fail_unless_equals_int (
      check_reply (&run, NULL, 0, NULL, NULL), DOOR_MALFORMED);
  run.transcript = good;
  fail_unless_equals_int (check_reply (&run, (guint8 *) "x", 1,
                              output (&run, "pinned_fingerprint"), NULL),
      DOOR_MALFORMED);
  finish (&run);
}
GST_END_TEST;

GST_START_TEST (chain_goes_only_through_owners_and_not_too_far)
{
  static const guint8 group[DOOR_GROUP_ID_LEN] = "the group",
                      other_group[DOOR_GROUP_ID_LEN] = "another";
  Identity *keys[6];
  DoorChain chain = { .count = 3 }, got;
  guint8 pinned[IDENTITY_FINGERPRINT_LEN], room[DOOR_MAX_CHAIN + 200];

  for (int i = 0; i < 6; i++)
    keys[i] = identity_new ();
  const guint8 *host = identity_public_key (keys[3]);
  identity_fingerprint (identity_public_key (keys[0]), pinned);
  memcpy (chain.root, identity_public_key (keys[0]), IDENTITY_KEY_LEN);
  for (int i = 0; i < 3; i++)
    fail_unless (door_sign_link (keys[i], "m", group,
        identity_public_key (keys[i + 1]), i < 2, &chain.links[i]));
  fail_unless (door_chain_leads_to (&chain, pinned, "m", group, host));
  fail_if (door_chain_leads_to (&chain, pinned, "n", group, host),
      "a link of another meeting");
  fail_if (door_chain_leads_to (&chain, pinned, "m", other_group, host),
      "a link of another group");
  fail_if (door_chain_leads_to (
      &chain, pinned, "m", group, identity_public_key (keys[2])));

  /* An admin in the middle who signs, with the flag as it was signed and as it would have to be. */
  DoorChain through_admin = chain;
  fail_unless (door_sign_link (keys[1], "m", group,
      identity_public_key (keys[2]), FALSE, &through_admin.links[1]));
  fail_if (door_chain_leads_to (&through_admin, pinned, "m", group, host));
  through_admin.links[1].owner = TRUE;
  fail_if (door_chain_leads_to (&through_admin, pinned, "m", group, host));

  /* Five links are too many to write and to read. */
  Writer w = writer_init (room, sizeof room);
  chain.count = 5;
  door_write_chain (&w, &chain);
  fail_unless (w.failed);
  chain.count = 4;
  fail_unless (door_sign_link (keys[3], "m", group,
      identity_public_key (keys[4]), TRUE, &chain.links[3]));
  w = writer_init (room, sizeof room);
  door_write_chain (&w, &chain);
  fail_unless (!w.failed && writer_len (&w) == DOOR_MAX_CHAIN);
  fail_unless (door_parse_chain (reader_init (room, writer_len (&w)), &got)
               && got.count == 4);
  lv_write (&w, identity_public_key (keys[5]), IDENTITY_KEY_LEN);
  lv_write_uint (&w, 0, 1);
  lv_write (&w, chain.links[0].sig, IDENTITY_SIG_LEN);
  fail_if (w.failed
           || door_parse_chain (reader_init (room, writer_len (&w)), &got));

  /* A root without links says nothing, and is not how "nothing" is written. */
  fail_if (door_parse_chain (reader_init (room, 33), &got));
  fail_unless (
      door_parse_chain (reader_init (NULL, 0), &got) && got.count == 0);
  for (int i = 0; i < 6; i++)
    identity_free (keys[i]);
}
GST_END_TEST;

GST_START_TEST (box_contents_parse_only_as_written)
{
  Run run = start (__i__);
  gsize proof_len, admit_len;
  const guint8 *proof = bytes_of (&run, run.out, "proof", &proof_len),
               *admit = bytes_of (&run, run.out, "admit", &admit_len);
  DoorProof p;
  DoorAdmit a;

  for (gsize cut = 0; cut < proof_len; cut++)
    fail_if (door_parse_proof (reader_init (proof, cut), &p));
  for (gsize cut = 0; cut < admit_len; cut++)
    fail_if (door_parse_admit (reader_init (admit, cut), &a));
  g_autofree guint8 *longer = g_malloc0 (proof_len + admit_len + 1);
  memcpy (longer, proof, proof_len);
  fail_if (door_parse_proof (reader_init (longer, proof_len + 1), &p));
  memcpy (longer, admit, admit_len);
  fail_if (door_parse_admit (reader_init (longer, admit_len + 1), &a));
  finish (&run);
}
GST_END_TEST;

GST_START_TEST (refusals_have_their_names_and_their_place)
{
  static const char *const names[] = { "wrong-password", "denied", "locked",
    "full", "removed", "recording-forbidden", "clock", "version" };
  guint8 room[64];

  for (int i = DOOR_WRONG_PASSWORD; i <= DOOR_LAST_REFUSAL; i++) {
    DoorRefusal got;
    fail_unless_equals_string (
        door_refusal_name ((DoorRefusal) i), names[i - 1]);
    fail_unless (
        door_refusal_from_name (names[i - 1], &got) && got == (DoorRefusal) i);

    Writer w = writer_init (room, sizeof room);
    DoorAdmit admit = { .refusal = (DoorRefusal) i,
      .skew = i == DOOR_CLOCK ? -5 : 0 },
              back;
    door_write_admit (&w, &admit);
    fail_unless_equals_int (w.failed, i == DOOR_WRONG_PASSWORD);
    if (!w.failed)
      fail_unless (
          door_parse_admit (reader_init (room, writer_len (&w)), &back)
          && !back.admitted && back.refusal == admit.refusal
          && back.skew == admit.skew);
    admit.skew = 1;
    w = writer_init (room, sizeof room);
    door_write_admit (&w, &admit);
    fail_unless_equals_int (w.failed, i != DOOR_CLOCK);
  }
  DoorRefusal none;
  fail_if (door_refusal_from_name ("open", &none));
  fail_unless (door_refusal_name ((DoorRefusal) 0) == NULL
               && door_refusal_name ((DoorRefusal) 9) == NULL);

  /* Unknown kinds and codes from the other side. */
  static const guint8 wrong[][13] = { { 1, 0, 1, 0, 8 }, { 1, 0, 1, 9, 8 },
    { 1, 0, 1, 1, 8 }, { 1, 2, 1, 2, 8 },
    { 1, 0, 1, 2, 8, 0, 0, 0, 0, 0, 0, 0, 1 } };
  static const guint8 right[13] = { 1, 0, 1, 2, 8 };
  DoorAdmit admit;
  fail_unless (door_parse_admit (reader_init (right, sizeof right), &admit));
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    fail_if (
        door_parse_admit (reader_init (wrong[i], sizeof wrong[i]), &admit),
        "row %u", i);
}
GST_END_TEST;

GST_START_TEST (meeting_names_are_what_a_link_may_hold)
{
  char name[DOOR_MAX_MEETING + 2];
  guint8 ci[DOOR_MAX_CI];

  memset (name, 'x', sizeof name);
  name[DOOR_MAX_MEETING] = '\0';
  fail_unless (door_meeting_is_valid ("AZaz09_-", 8)
               && door_meeting_is_valid (name, DOOR_MAX_MEETING));
  fail_unless_equals_uint64 (door_ci (name, ci), 11 + 1 + DOOR_MAX_MEETING);
  fail_if (door_meeting_is_valid (name, DOOR_MAX_MEETING + 1)
           || door_meeting_is_valid ("", 0));
  for (int c = 1; c < 256; c++) {
    char one[2] = { (char) c, '\0' };
    gboolean fine = c < 128 && (g_ascii_isalnum (c) || c == '_' || c == '-');
    fail_unless_equals_int (door_meeting_is_valid (one, 1), fine);
    fail_unless_equals_int (door_ci (one, ci) > 0, fine);
  }
}
GST_END_TEST;

static Suite *
door_suite (void)
{
  Suite *suite = suite_create ("door");
  TCase *tc = tcase_create ("vectors");

  runs = json_object_get_array_member (
      json_node_get_object (load_vectors ("vectors/door/door.json")), "runs");
  int rows = (int) json_array_get_length (runs);
  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc, transcript_and_tags_of_the_vector, 0, rows);
  tcase_add_loop_test (tc, signatures_of_the_vector, 0, rows);
  tcase_add_loop_test (tc, boxes_of_the_vector, 0, rows);
  tcase_add_loop_test (tc, host_of_the_vector_is_recognised, 0, rows);
  tcase_add_loop_test (tc, knock_and_reply_parse_only_as_written, 0, rows);
  tcase_add_loop_test (tc, box_contents_parse_only_as_written, 0, rows);

  tc = tcase_create ("refusals");
  suite_add_tcase (suite, tc);
  tcase_add_test (
      tc, every_flipped_byte_of_the_transcript_breaks_every_signature);
  tcase_add_test (tc, every_flipped_byte_and_every_cut_of_a_box_is_refused);
  tcase_add_test (tc, nonce_of_a_box_is_drawn_afresh);
  tcase_add_test (tc, knock_with_no_too_many_or_repeated_offers_is_refused);
  tcase_add_test (tc, reply_is_refused_for_what_is_wrong_with_it);
  tcase_add_test (tc, chain_goes_only_through_owners_and_not_too_far);
  tcase_add_test (tc, refusals_have_their_names_and_their_place);
  tcase_add_test (tc, meeting_names_are_what_a_link_may_hold);
  return suite;
}

PURE_CHECK_MAIN (door)

/* CPace against the vectors of its draft, each refusal, and lv() that all its strings are written with.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/sodium/cpace.h"
#include "ext/sodium/lv.h"

static JsonObject *draft, *runs[2], *points[2];

static Secret *
secret_member (JsonObject *object, const char *name)
{
  g_autoptr (GBytes) bytes = hex_member (object, name);
  return secret_copy (
      g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

static Cpace *
start (JsonObject *v, CpaceRole role, const guint8 *scalar)
{
  Secret *password = secret_member (v, "PRS");
  g_autoptr (GBytes) ci = hex_member (v, "CI"), sid = hex_member (v, "sid");
  gsize ci_len, sid_len;
  const guint8 *c = g_bytes_get_data (ci, &ci_len),
               *s = g_bytes_get_data (sid, &sid_len);
  Cpace *cpace = cpace_new (role, password, c, ci_len, s, sid_len, scalar);
  fail_unless (cpace != NULL);
  secret_unref (password);
  return cpace;
}

static Cpace *
start_with (JsonObject *v, CpaceRole role, const char *scalar_name)
{
  g_autoptr (GBytes) scalar = hex_member (v, scalar_name);
  return start (v, role, g_bytes_get_data (scalar, NULL));
}

GST_START_TEST (run_of_the_vector_gives_its_shares_and_key)
{
  JsonObject *v = runs[__i__];
  g_autoptr (GBytes) ya = hex_member (v, "Ya"), yb = hex_member (v, "Yb"),
                     isk = hex_member (v, "ISK_IR");
  Cpace *a = start_with (v, CPACE_INITIATOR, "ya"),
        *b = start_with (v, CPACE_RESPONDER, "yb");

  fail_unless_equals_bytes (cpace_share (a), CPACE_SHARE_LEN, ya);
  fail_unless_equals_bytes (cpace_share (b), CPACE_SHARE_LEN, yb);
  fail_unless (
      cpace_isk (a) == NULL && cpace_tag (a) == NULL && cpace_tag (b) == NULL);

  fail_unless (cpace_derive (b, cpace_share (a), "ADb", 3, "ADa", 3));
  fail_unless (cpace_derive (a, cpace_share (b), "ADa", 3, "ADb", 3));
  fail_unless_equals_bytes (cpace_isk (a), CPACE_ISK_LEN, isk);
  fail_unless_equals_bytes (cpace_isk (b), CPACE_ISK_LEN, isk);

  fail_unless (cpace_tag (b) == NULL,
      "the responder answers before the initiator has proven the password");
  fail_unless (cpace_confirm (b, cpace_tag (a)));
  fail_unless (cpace_confirm (a, cpace_tag (b)));
  fail_unless_equals_bytes (cpace_isk (a), CPACE_ISK_LEN, isk);
  cpace_free (a);
  cpace_free (b);
}
GST_END_TEST;

/* Draft, "Implementation verification": "MUST be verified to abort upon conditions where G.scalar_mult_vfy functions
 * outputs G.I", at both sides. */
GST_START_TEST (invalid_and_identity_points_end_the_run)
{
  static const char *const names[] = { "Invalid Y1", "Invalid Y2" };
  g_autoptr (GBytes) bad =
      hex_member (points[__i__ / 4], names[__i__ / 2 % 2]);
  CpaceRole role = __i__ % 2 ? CPACE_INITIATOR : CPACE_RESPONDER;
  JsonObject *v = runs[__i__ / 4];
  Cpace *cpace = start (v, role, NULL), *good = start (v, !role, NULL);
  guint8 tag[CPACE_TAG_LEN] = { 0 };

  fail_if (cpace_derive (cpace, g_bytes_get_data (bad, NULL), "", 0, "", 0));
  fail_unless (cpace_isk (cpace) == NULL && cpace_tag (cpace) == NULL);
  fail_if (cpace_derive (cpace, cpace_share (good), "", 0, "", 0),
      "the run goes on after an abort");
  fail_if (cpace_confirm (cpace, tag));
  cpace_free (cpace);
  cpace_free (good);
}
GST_END_TEST;

GST_START_TEST (valid_point_of_the_vector_is_accepted)
{
  JsonObject *valid = json_object_get_object_member (points[__i__], "Valid");
  g_autoptr (GBytes) x = hex_member (valid, "X"), s = hex_member (valid, "s");
  Cpace *cpace =
      start (runs[__i__], CPACE_RESPONDER, g_bytes_get_data (s, NULL));
  fail_unless (cpace_derive (cpace, g_bytes_get_data (x, NULL), "", 0, "", 0));
  cpace_free (cpace);
}
GST_END_TEST;

/* A whole run in which each side may be given something else; true when both confirm. */
typedef struct
{
  const char *password[2], *ci[2], *sid[2];
  const char *ada[2],
      *adb[2]; /* as the initiator and as the responder see them */
} Inputs;

static const Inputs same = { { "secret", "secret" }, { "ci", "ci" },
  { "sid", "sid" }, { "ADa", "ADa" }, { "ADb", "ADb" } };

static gboolean
agree (const Inputs *in)
{
  Cpace *side[2];

  for (int i = 0; i < 2; i++) {
    Secret *password = secret_copy (in->password[i], strlen (in->password[i]));
    side[i] = cpace_new (i == 0 ? CPACE_INITIATOR : CPACE_RESPONDER, password,
        in->ci[i], strlen (in->ci[i]), in->sid[i], strlen (in->sid[i]), NULL);
    secret_unref (password);
  }
  fail_unless (cpace_derive (side[1], cpace_share (side[0]), in->adb[1],
      strlen (in->adb[1]), in->ada[1], strlen (in->ada[1])));
  fail_unless (cpace_derive (side[0], cpace_share (side[1]), in->ada[0],
      strlen (in->ada[0]), in->adb[0], strlen (in->adb[0])));
  gboolean same_key =
      memcmp (cpace_isk (side[0]), cpace_isk (side[1]), CPACE_ISK_LEN) == 0;
  gboolean ok = cpace_confirm (side[1], cpace_tag (side[0]))
                && cpace_confirm (side[0], cpace_tag (side[1]));
  fail_unless_equals_int (ok, same_key);
  cpace_free (side[0]);
  cpace_free (side[1]);
  return ok;
}

GST_START_TEST (sides_agree_only_when_all_inputs_are_equal)
{
  Inputs in = same;
  fail_unless (agree (&in));
  const char **fields[] = { in.password, in.ci, in.sid, in.ada, in.adb };
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    in = same;
    fields[i][1] = "another";
    fail_if (agree (&in), "input %u may differ", i);
  }
  /* Moving a boundary between two inputs is a difference too. */
  in = same;
  in.ci[1] = "cis", in.sid[1] = "id";
  fail_if (agree (&in));
}
GST_END_TEST;

GST_START_TEST (empty_password_is_a_password)
{
  Cpace *a = cpace_new (CPACE_INITIATOR, NULL, "", 0, "s", 1, NULL),
        *b = cpace_new (CPACE_RESPONDER, NULL, "", 0, "s", 1, NULL);
  fail_unless (cpace_derive (b, cpace_share (a), NULL, 0, NULL, 0));
  fail_unless (cpace_derive (a, cpace_share (b), NULL, 0, NULL, 0));
  fail_unless (
      cpace_confirm (b, cpace_tag (a)) && cpace_confirm (a, cpace_tag (b)));
  cpace_free (a);
  cpace_free (b);
}
GST_END_TEST;

GST_START_TEST (every_flipped_bit_of_a_tag_is_refused_and_is_the_only_guess)
{
  for (int bit = 0; bit < 8 * CPACE_TAG_LEN; bit++) {
    Cpace *a = start (runs[0], CPACE_INITIATOR, NULL),
          *b = start (runs[0], CPACE_RESPONDER, NULL);
    guint8 tag[CPACE_TAG_LEN];

    fail_unless (cpace_derive (b, cpace_share (a), "ADb", 3, "ADa", 3));
    fail_unless (cpace_derive (a, cpace_share (b), "ADa", 3, "ADb", 3));
    memcpy (tag, cpace_tag (a), sizeof tag);
    tag[bit / 8] ^= (guint8) (1 << bit % 8);
    fail_if (cpace_confirm (b, tag));
    fail_if (cpace_confirm (b, cpace_tag (a)), "a run served a second guess");
    fail_unless (cpace_isk (b) == NULL && cpace_tag (b) == NULL);
    cpace_free (a);
    cpace_free (b);
  }
}
GST_END_TEST;

/* The hub sends a joiner's own message back, and its tag: nobody here knows the password but the joiner. */
GST_START_TEST (own_message_come_back_is_refused)
{
  Cpace *a = start (runs[0], CPACE_INITIATOR, NULL);
  fail_if (cpace_derive (a, cpace_share (a), "AD", 2, "AD", 2));
  cpace_free (a);
}
GST_END_TEST;

GST_START_TEST (limits_and_zero_scalar_are_refused)
{
  static const guint8 zero[CPACE_SCALAR_LEN], long_input[CPACE_MAX_INPUT + 1];
  Cpace *a = start (runs[0], CPACE_INITIATOR, NULL),
        *b = start (runs[0], CPACE_RESPONDER, NULL);

  fail_unless (
      cpace_new (CPACE_INITIATOR, NULL, NULL, 0, NULL, 0, zero) == NULL);
  fail_unless (cpace_new (CPACE_INITIATOR, NULL, long_input,
                   CPACE_MAX_INPUT + 1, NULL, 0, NULL)
               == NULL);
  fail_unless (cpace_new (CPACE_INITIATOR, NULL, NULL, 0, long_input,
                   CPACE_MAX_SID + 1, NULL)
               == NULL);
  fail_if (cpace_derive (
      a, cpace_share (b), long_input, CPACE_MAX_INPUT + 1, NULL, 0));
  fail_if (cpace_derive (
      b, cpace_share (a), NULL, 0, long_input, CPACE_MAX_INPUT + 1));
  cpace_free (a);
  cpace_free (b);
  cpace_free (NULL);
}
GST_END_TEST;

GST_START_TEST (shares_are_fresh_each_run)
{
  Cpace *one = start (runs[0], CPACE_INITIATOR, NULL),
        *two = start (runs[0], CPACE_INITIATOR, NULL);
  fail_if (
      memcmp (cpace_share (one), cpace_share (two), CPACE_SHARE_LEN) == 0);
  cpace_free (one);
  cpace_free (two);
}
GST_END_TEST;

GST_START_TEST (lv_is_written_and_read_as_the_draft_says)
{
  JsonArray *heads = json_object_get_array_member (draft, "prepend_len");
  guint8 data[200], room[256];

  for (guint i = 0; i < sizeof data; i++)
    data[i] = (guint8) i;
  for (guint i = 0; i < json_array_get_length (heads); i++) {
    JsonObject *v = json_array_get_object_element (heads, i);
    g_autoptr (GBytes) head = hex_member (v, "head");
    gsize len = (gsize) json_object_get_int_member (v, "len"),
          head_len = g_bytes_get_size (head);
    Writer w = writer_init (room, sizeof room);
    lv_write (&w, data, len);
    fail_if (w.failed);
    fail_unless_equals_uint64 (writer_len (&w), head_len + len);
    fail_unless_equals_uint64 (lv_size (len), head_len + len);
    fail_unless (memcmp (room, g_bytes_get_data (head, NULL), head_len) == 0);
    fail_unless (len == 0 || memcmp (room + head_len, data, len) == 0);

    Reader r = reader_init (room, writer_len (&w)), value = lv_read (&r, len);
    fail_unless (reader_done (&r) && reader_left (&value) == len);
    for (gsize cut = 0; cut < writer_len (&w); cut++) {
      Reader less = reader_init (room, cut);
      fail_unless (lv_read (&less, len).failed && less.failed);
    }
    r = reader_init (room, writer_len (&w));
    fail_unless (len == 0 || lv_read (&r, len - 1).failed,
        "a length beyond the limit was read");
  }

  JsonObject *cat = json_object_get_object_member (draft, "lv_cat");
  JsonArray *parts = json_object_get_array_member (cat, "parts");
  g_autoptr (GBytes) out = hex_member (cat, "out");
  Writer w = writer_init (room, sizeof room);
  for (guint i = 0; i < json_array_get_length (parts); i++) {
    g_autoptr (GBytes) part =
        bytes_from_hex (json_array_get_string_element (parts, i));
    lv_write (&w, g_bytes_get_data (part, NULL), g_bytes_get_size (part));
  }
  fail_unless_equals_bytes (room, writer_len (&w), out);
}
GST_END_TEST;

GST_START_TEST (lv_refuses_a_length_that_is_not_the_shortest)
{
  static const guint8 wrong[][6] = { { 0x80, 0x00 }, { 0x81, 0x00, 'x' },
    { 0x81, 0x80, 0x00, 'x' }, { 0xff, 0xff, 0xff, 0xff, 0x00 },
    { 0x80, 0x80, 0x80, 0x80, 0x01 } };
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    Reader r = reader_init (wrong[i], sizeof wrong[i]);
    fail_unless (lv_read (&r, LV_MAX_LEN).failed && r.failed,
        "encoding %u was read", i);
  }
}
GST_END_TEST;

static Suite *
cpace_suite (void)
{
  Suite *suite = suite_create ("cpace");
  TCase *tc = tcase_create ("vectors");

  draft = json_node_get_object (load_vectors ("vectors/cpace/draft-21.json"));
  runs[0] = json_object_get_object_member (draft, "G_Coffee25519");
  points[0] = json_object_get_object_member (draft, "G_Coffee25519_points");
  runs[1] = points[1] = json_node_get_object (
      load_vectors ("vectors/cpace/cpace-ristretto255-sha512.json"));
  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc, run_of_the_vector_gives_its_shares_and_key, 0, 2);
  tcase_add_loop_test (tc, invalid_and_identity_points_end_the_run, 0, 8);
  tcase_add_loop_test (tc, valid_point_of_the_vector_is_accepted, 0, 2);
  tcase_add_test (tc, lv_is_written_and_read_as_the_draft_says);

  tc = tcase_create ("refusals");
  suite_add_tcase (suite, tc);
  tcase_add_test (tc, sides_agree_only_when_all_inputs_are_equal);
  tcase_add_test (tc, empty_password_is_a_password);
  tcase_add_test (
      tc, every_flipped_bit_of_a_tag_is_refused_and_is_the_only_guess);
  tcase_add_test (tc, own_message_come_back_is_refused);
  tcase_add_test (tc, limits_and_zero_scalar_are_refused);
  tcase_add_test (tc, shares_are_fresh_each_run);
  tcase_add_test (tc, lv_refuses_a_length_that_is_not_the_shortest);
  return suite;
}

PURE_CHECK_MAIN (cpace)

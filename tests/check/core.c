/* The cryptographic core below SFrame: HMAC, HKDF and AEADs against published vectors; readers, writers, secrets and
 * replay windows against what they promise.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/sodium/aead.h"
#include "ext/sodium/hkdf.h"
#include "ext/sodium/reader.h"
#include "ext/sodium/replay.h"
#include "ext/sodium/writer.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/wait.h>
#include <unistd.h>

static JsonArray *hmac_rows, *hkdf_rows, *aead_rows;

/* Slow tools ask for less of what is random anyway. */
static gboolean
is_slow (void)
{
  return g_getenv ("CONCLAVE_SLOW") != NULL;
}

/* HMAC and HKDF */

GST_START_TEST (hmac_gives_the_published_tag)
{
  JsonObject *v = json_array_get_object_element (hmac_rows, __i__);
  g_autoptr (GBytes) key = hex_member (v, "key"), msg = hex_member (v, "msg"),
                     sha256 = hex_member (v, "sha256"),
                     sha512 = hex_member (v, "sha512");
  guint8 out[HASH_MAX_LEN];

  hmac (HASH_SHA256, g_bytes_get_data (key, NULL), g_bytes_get_size (key),
      g_bytes_get_data (msg, NULL), g_bytes_get_size (msg), out);
  fail_unless_equals_bytes (out, hash_len (HASH_SHA256), sha256);
  hmac (HASH_SHA512, g_bytes_get_data (key, NULL), g_bytes_get_size (key),
      g_bytes_get_data (msg, NULL), g_bytes_get_size (msg), out);
  fail_unless_equals_bytes (out, hash_len (HASH_SHA512), sha512);
}
GST_END_TEST;

GST_START_TEST (hkdf_gives_the_published_keys)
{
  JsonObject *v = json_array_get_object_element (hkdf_rows, __i__);
  g_autoptr (GBytes) ikm = hex_member (v, "ikm"),
                     salt = hex_member (v, "salt"),
                     info = hex_member (v, "info"),
                     prk = hex_member (v, "prk"), okm = hex_member (v, "okm");
  Hash hash = strcmp (json_object_get_string_member (v, "hash"), "sha512") == 0
                  ? HASH_SHA512
                  : HASH_SHA256;
  guint8 got_prk[HASH_MAX_LEN], got[256];
  gsize salt_len = g_bytes_get_size (salt), info_len = g_bytes_get_size (info);

  hkdf_extract (hash, salt_len ? g_bytes_get_data (salt, NULL) : NULL,
      salt_len, g_bytes_get_data (ikm, NULL), g_bytes_get_size (ikm), got_prk);
  fail_unless_equals_bytes (got_prk, hash_len (hash), prk);

  /* The vector, and each shorter length: OKM is a prefix of the longer one. */
  for (gsize len = 0; len <= g_bytes_get_size (okm); len++) {
    g_autoptr (GBytes) prefix = g_bytes_new_from_bytes (okm, 0, len);
    memset (got, 0xee, sizeof got);
    fail_unless (hkdf_expand (hash, got_prk, hash_len (hash),
        info_len ? g_bytes_get_data (info, NULL) : NULL, info_len, got, len));
    fail_unless_equals_bytes (got, len, prefix);
    fail_unless_equals_int (got[len], 0xee);
  }
}
GST_END_TEST;

/* RFC 5869, 2.3: "L [...] (<= 255*HashLen)" */
GST_START_TEST (hkdf_refuses_more_than_255_blocks)
{
  Hash hash = (Hash) __i__;
  gsize most = 255 * hash_len (hash);
  g_autofree guint8 *out = g_malloc0 (most + 1);
  guint8 prk[HASH_MAX_LEN] = { 1 };

  fail_if (hkdf_expand (hash, prk, hash_len (hash), "x", 1, out, most + 1));
  fail_unless (sodium_is_zero (out, most + 1), "written to all the same");
  fail_unless (hkdf_expand (hash, prk, hash_len (hash), "x", 1, out, most));
}
GST_END_TEST;

/* AEAD */

static AeadAlgorithm
algorithm_of (JsonObject *v)
{
  static const char *const names[] = { "aes-128-gcm", "aes-256-gcm",
    "chacha20-poly1305", "xchacha20-poly1305" };

  if (json_object_has_member (v, "cipher_suite"))
    return json_object_get_int_member (v, "cipher_suite") <= 3
               ? AEAD_AES_128_CTR_HMAC_SHA256
               : AEAD_AES_256_CTR_HMAC_SHA512;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (json_object_get_string_member (v, "algorithm"), names[i]) == 0)
      return (AeadAlgorithm) (AEAD_AES_128_GCM + i);
  g_assert_not_reached ();
}

/* A vector's bytes, each in an allocation of its own size. */
typedef struct
{
  GBytes *key, *nonce, *aad, *pt, *ct;
  const guint8 *k, *n, *a, *p, *c;
  gsize a_len, p_len, c_len;
  Aead *aead;
} AeadRow;

static AeadRow
load_row (int i)
{
  JsonObject *v = json_array_get_object_element (aead_rows, (guint) i);
  AeadAlgorithm algorithm = algorithm_of (v);
  AeadRow r = { 0 };

  r.k = g_bytes_get_data (r.key = hex_member (v, "key"), NULL);
  r.n = g_bytes_get_data (r.nonce = hex_member (v, "nonce"), NULL);
  r.a = g_bytes_get_data (r.aad = hex_member (v, "aad"), &r.a_len);
  r.p = g_bytes_get_data (r.pt = hex_member (v, "pt"), &r.p_len);
  r.c = g_bytes_get_data (r.ct = hex_member (v, "ct"), &r.c_len);
  fail_unless_equals_uint64 (
      aead_key_len (algorithm), g_bytes_get_size (r.key));
  fail_unless_equals_uint64 (
      aead_nonce_len (algorithm), g_bytes_get_size (r.nonce));
  r.aead = aead_new (algorithm, r.k, r.c_len - r.p_len);
  fail_unless (r.aead != NULL);
  return r;
}

static void
clear_row (AeadRow *r)
{
  aead_free (r->aead);
  g_bytes_unref (r->key);
  g_bytes_unref (r->nonce);
  g_bytes_unref (r->aad);
  g_bytes_unref (r->pt);
  g_bytes_unref (r->ct);
}

GST_START_TEST (aead_gives_the_published_ciphertext_and_opens_it)
{
  AeadRow r = load_row (__i__);
  g_autofree guint8 *sealed = g_malloc0 (r.c_len),
                    *opened = g_malloc0 (r.p_len + 1);

  /* Twice: a context must not remember the last message. */
  for (int round = 0; round < 2; round++) {
    memset (sealed, 0, r.c_len);
    memset (opened, 0, r.p_len + 1);
    fail_unless (aead_seal (r.aead, r.n, r.a, r.a_len, r.p, r.p_len, sealed));
    fail_unless_equals_bytes (sealed, r.c_len, r.ct);
    fail_unless (
        aead_open (r.aead, r.n, r.a, r.a_len, sealed, r.c_len, opened));
    fail_unless_equals_bytes (opened, r.p_len, r.pt);
    fail_unless_equals_int (opened[r.p_len], 0);
  }
  clear_row (&r);
}
GST_END_TEST;

GST_START_TEST (aead_works_in_place)
{
  AeadRow r = load_row (__i__);
  g_autofree guint8 *buf = g_malloc (r.c_len);

  memcpy (buf, r.p, r.p_len);
  fail_unless (aead_seal (r.aead, r.n, r.a, r.a_len, buf, r.p_len, buf));
  fail_unless_equals_bytes (buf, r.c_len, r.ct);
  fail_unless (aead_open (r.aead, r.n, r.a, r.a_len, buf, r.c_len, buf));
  fail_unless_equals_bytes (buf, r.p_len, r.pt);
  clear_row (&r);
}
GST_END_TEST;

GST_START_TEST (aead_refuses_every_flipped_bit_and_every_cut)
{
  AeadRow r = load_row (__i__);
  g_autofree guint8 *out = g_malloc (r.c_len + 1);
  g_autofree guint8 *ct = g_memdup2 (r.c, r.c_len),
                    *aad = g_memdup2 (r.a, r.a_len),
                    *nonce = g_memdup2 (r.n, g_bytes_get_size (r.nonce));

  for (gsize bit = 0; bit < 8 * r.c_len; bit++) {
    ct[bit / 8] ^= (guint8) (1 << bit % 8);
    fail_if (aead_open (r.aead, r.n, r.a, r.a_len, ct, r.c_len, out),
        "ciphertext bit %" G_GSIZE_FORMAT, bit);
    ct[bit / 8] ^= (guint8) (1 << bit % 8);
  }
  for (gsize bit = 0; bit < 8 * r.a_len; bit++) {
    aad[bit / 8] ^= (guint8) (1 << bit % 8);
    fail_if (aead_open (r.aead, r.n, aad, r.a_len, r.c, r.c_len, out),
        "aad bit %" G_GSIZE_FORMAT, bit);
    aad[bit / 8] ^= (guint8) (1 << bit % 8);
  }
  for (gsize bit = 0; bit < 8 * g_bytes_get_size (r.nonce); bit++) {
    nonce[bit / 8] ^= (guint8) (1 << bit % 8);
    fail_if (aead_open (r.aead, nonce, r.a, r.a_len, r.c, r.c_len, out),
        "nonce bit %" G_GSIZE_FORMAT, bit);
    nonce[bit / 8] ^= (guint8) (1 << bit % 8);
  }
  for (gsize cut = 0; cut < r.c_len; cut++) {
    g_autofree guint8 *less = g_memdup2 (r.c, cut);
    fail_if (aead_open (r.aead, r.n, r.a, r.a_len, less, cut, out),
        "cut at %" G_GSIZE_FORMAT, cut);
  }
  for (gsize cut = 0; cut < r.a_len; cut++)
    fail_if (aead_open (r.aead, r.n, r.a, cut, r.c, r.c_len, out));

  /* After all that was refused, the right one still opens. */
  fail_unless (aead_open (r.aead, r.n, r.a, r.a_len, r.c, r.c_len, out));
  clear_row (&r);
}
GST_END_TEST;

GST_START_TEST (aead_refuses_tag_lengths_outside_its_range)
{
  static const struct
  {
    AeadAlgorithm algorithm;
    gsize least, most;
  } rows[] = {
    { AEAD_AES_128_GCM, 16, 16 },
    { AEAD_AES_256_GCM, 16, 16 },
    { AEAD_CHACHA20_POLY1305, 16, 16 },
    { AEAD_XCHACHA20_POLY1305, 16, 16 },
    { AEAD_AES_128_CTR_HMAC_SHA256, 4, 32 },
    { AEAD_AES_256_CTR_HMAC_SHA512, 4, 64 },
  };
  guint8 key[96] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    for (gsize len = 0; len <= 80; len++) {
      Aead *aead = aead_new (rows[i].algorithm, key, len);
      fail_unless_equals_int (
          aead != NULL, len >= rows[i].least && len <= rows[i].most);
      aead_free (aead);
    }
  aead_free (NULL);
}
GST_END_TEST;

/* Reader and writer */

GST_START_TEST (what_the_writer_wrote_the_reader_reads)
{
  guint n = (guint) __i__; /* bytes of the integer, 0 to 8 */
  guint64 most = n == 8 ? G_MAXUINT64 : (G_GUINT64_CONSTANT (1) << 8 * n) - 1;
  const guint64 values[] = { 0, most / 2, most, most & 0x0102030405060708 };

  for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
    guint8 room[9];
    memset (room, 0xee, sizeof room);
    Writer w = writer_init (room, n);
    writer_uint (&w, values[i], n);
    fail_if (w.failed);
    fail_unless_equals_uint64 (writer_len (&w), n);
    fail_unless_equals_int (room[n], 0xee);
    for (guint b = 0; b < n; b++) /* big-endian */
      fail_unless_equals_int (
          room[b], (guint8) (values[i] >> 8 * (n - 1 - b)));

    Reader r = reader_init (room, n);
    fail_unless_equals_uint64 (reader_uint (&r, n), values[i]);
    fail_unless (reader_done (&r));
  }

  if (n < 8) {
    guint8 room[16];
    Writer w = writer_init (room, sizeof room);
    writer_uint (&w, most + 1, n);
    fail_unless (w.failed, "a value of more than %u bytes was cut", n);
    fail_unless_equals_uint64 (writer_len (&w), 0);
  }
}
GST_END_TEST;

GST_START_TEST (reader_gives_nothing_after_its_first_failure)
{
  static const guint8 bytes[] = { 1, 2, 3, 4 };
  Reader r = reader_init (bytes, sizeof bytes);

  fail_unless_equals_uint64 (reader_uint (&r, 1), 1);
  fail_unless_equals_uint64 (reader_left (&r), 3);
  fail_unless (reader_take (&r, 4) == NULL);
  fail_unless (r.failed);
  /* Three bytes are there, but who asked for four must not get them. */
  fail_unless_equals_uint64 (reader_left (&r), 0);
  fail_unless (reader_take (&r, 1) == NULL);
  fail_unless (reader_take (&r, 0) == NULL);
  fail_unless_equals_uint64 (reader_uint (&r, 1), 0);
  Reader sub = reader_sub (&r, 0);
  fail_unless (sub.failed);
  fail_if (reader_done (&r));
}
GST_END_TEST;

GST_START_TEST (reader_keeps_to_its_bounds)
{
  static const guint8 bytes[] = { 1, 2, 3, 4 };
  Reader r = reader_init (NULL, 0);
  fail_unless (reader_done (&r));
  fail_unless (reader_take (&r, 0) != NULL);
  fail_unless (reader_take (&r, 1) == NULL);

  r = reader_init (NULL, 3); /* a caller's mistake is a failed reader */
  fail_unless (r.failed);

  r = reader_init (bytes, sizeof bytes);
  fail_unless (reader_take (&r, SIZE_MAX) == NULL); /* no wrap-around */

  r = reader_init (bytes, sizeof bytes);
  fail_unless_equals_uint64 (reader_uint (&r, 9), 0);
  fail_unless (r.failed);

  r = reader_init (bytes, sizeof bytes);
  fail_unless (reader_take (&r, 4) == bytes);
  fail_unless (reader_done (&r));
  fail_unless (reader_take (&r, 0) != NULL);

  r = reader_init (bytes, sizeof bytes);
  Reader sub = reader_sub (&r, 3);
  fail_unless_equals_uint64 (reader_left (&sub), 3);
  fail_unless_equals_uint64 (reader_left (&r), 1);
  fail_unless (reader_take (&sub, 4) == NULL); /* its parent has four */
  fail_if (r.failed);
  sub = reader_sub (&r, 2);
  fail_unless (sub.failed && r.failed);
}
GST_END_TEST;

GST_START_TEST (writer_writes_nothing_after_its_first_failure)
{
  guint8 room[4] = { 0xee, 0xee, 0xee, 0xee };
  Writer w = writer_init (room, 3);

  writer_uint (&w, 1, 1);
  writer_bytes (&w, "abc", 3);
  fail_unless (w.failed);
  writer_bytes (&w, "a", 1);
  writer_uint (&w, 1, 1);
  fail_unless (writer_take (&w, 0) == NULL);
  fail_unless_equals_uint64 (writer_len (&w), 1);
  fail_unless_equals_int (room[1], 0xee);

  w = writer_init (room, 3);
  fail_unless (writer_take (&w, SIZE_MAX) == NULL);
  w = writer_init (room, 3);
  writer_uint (&w, 0, 9);
  fail_unless (w.failed);
  w = writer_init (room, 3);
  writer_bytes (&w, NULL, 0);
  writer_bytes (&w, "abc", 3);
  fail_if (w.failed);
  fail_unless_equals_int (room[3], 0xee);
}
GST_END_TEST;

/* Secrets */

static Secret *
from_text (const char *text)
{
  return secret_from_text (text, strlen (text));
}

GST_START_TEST (secret_text_is_read_as_hex_or_base64)
{
  static const struct
  {
    const char *text, *hex;
  } rows[] = {
    { "00ff10", "00ff10" },
    { "00FF10", "00ff10" },
    { "00:ff:10", "00ff10" },
    { "00 ff 10", "00ff10" },
    { " \t\r\n00ff10\n", "00ff10" },
    { "00ff10\r\n", "00ff10" },
    { "AP8Q", "00ff10" }, /* base64 */
    { "-_-_", "fbffbf" }, /* URL-safe alphabet */
    { "+/+/", "fbffbf" }, /* standard alphabet */
    { "+/8=", "fbff" },   /* padded */
    { "-_8=", "fbff" },
    { "+/8", "fbff" }, /* not padded */
    { "-_8", "fbff" },
    { "AP\n8Q\n", "00ff10" },   /* wrapped, as openssl writes it */
    { "deadbeef", "deadbeef" }, /* valid base64 too: hex wins */
    { "zw==", "cf" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GBytes) want = bytes_from_hex (rows[i].hex);
    Secret *got = from_text (rows[i].text);
    fail_unless (got != NULL, "\"%s\" was refused", rows[i].text);
    fail_unless_equals_bytes (secret_bytes (got), secret_len (got), want);
    secret_unref (got);
  }
}
GST_END_TEST;

GST_START_TEST (secret_text_that_is_neither_is_refused)
{
  static const char *const bad[] = { "", " ", "\n\n", "0", "0x00ff", "00ff1!",
    "+_+_" /* one alphabet at a time */, "AP8Q=" /* too much padding */,
    "A" /* no whole byte */, "AP8Q AP8Q?", "zz==" /* bits left over */, "=",
    "====", "\xc3\xa4\xc3\xa4" };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    Secret *got = from_text (bad[i]);
    fail_unless (got == NULL, "\"%s\" was taken", bad[i]);
  }
  /* A NUL inside is not an end. */
  fail_unless (secret_from_text ("00ff\0"
                                 "10",
                   7)
               == NULL);
}
GST_END_TEST;

GST_START_TEST (secret_text_up_to_the_limit_is_taken_and_no_more)
{
  for (gsize len = SECRET_MAX - 1; len <= SECRET_MAX + 1; len++) {
    g_autofree char *hex = g_strnfill (2 * len, 'a');
    g_autofree guint8 *zero = g_malloc0 (len);
    g_autofree char *base64 = g_base64_encode (zero, len);
    Secret *a = from_text (hex), *b = from_text (base64);
    fail_unless_equals_int (a != NULL, len <= SECRET_MAX);
    fail_unless_equals_int (b != NULL, len <= SECRET_MAX);
    if (a)
      fail_unless_equals_uint64 (secret_len (a), len);
    secret_unref (a);
    secret_unref (b);
  }
  g_autofree char *endless = g_strnfill (1 << 20, 'a');
  fail_unless (from_text (endless) == NULL);
  fail_unless (secret_new (0) == NULL);
  fail_unless (secret_new (SECRET_MAX + 1) == NULL);
  fail_unless (secret_copy ("", 0) == NULL);
}
GST_END_TEST;

static Secret *
from_file_of (const void *bytes, gssize len, int *error)
{
  char path[] = "/tmp/conclave-secret-XXXXXX";
  int fd = mkstemp (path);
  fail_unless (fd >= 0);
  fail_unless (write (fd, bytes, (size_t) len) == len);
  close (fd);
  errno = 0;
  Secret *got = secret_from_file (path);
  *error = errno;
  unlink (path);
  return got;
}

GST_START_TEST (secret_file_errors_say_what_is_wrong)
{
  int error;
  Secret *got = from_file_of ("00ff10\n", 7, &error);
  fail_unless (got != NULL && secret_len (got) == 3);
  secret_unref (got);

  fail_unless (from_file_of ("no key", 6, &error) == NULL);
  fail_unless_equals_int (error, EINVAL);
  fail_unless (from_file_of ("", 0, &error) == NULL);
  fail_unless_equals_int (error, EINVAL);
  g_autofree char *long_text = g_strnfill (4 * SECRET_MAX + 1, 'a');
  fail_unless (from_file_of (long_text, 4 * SECRET_MAX + 1, &error) == NULL);
  fail_unless_equals_int (error, EFBIG);
  fail_unless (secret_from_file ("/nonexistent/key") == NULL);
  fail_unless_equals_int (errno, ENOENT);
  fail_unless (secret_from_file ("/") == NULL);
  fail_unless_equals_int (errno, EISDIR);
}
GST_END_TEST;

GST_START_TEST (secrets_are_equal_only_in_length_and_bytes)
{
  Secret *a = from_text ("00ff10"), *b = from_text ("AP8Q"),
         *c = from_text ("00ff11"), *d = from_text ("00ff1000");
  fail_unless (secret_equal (a, a) && secret_equal (a, b));
  fail_if (secret_equal (a, c) || secret_equal (a, d) || secret_equal (d, a));
  secret_unref (a);
  secret_unref (b);
  secret_unref (c);
  secret_unref (d);

  Secret *r = secret_random (32), *s = secret_random (32);
  fail_if (secret_equal (r, s));
  secret_unref (r);
  secret_unref (s);
  fail_unless (secret_ref (NULL) == NULL);
  secret_unref (NULL);
}
GST_END_TEST;

/* Runs `deed` in a child; what signal killed it, or 0. Sanitizers turn a bad access into an exit of their own, which
 * counts as SIGSEGV too. */
static int
signal_of (void (*deed) (Secret *), Secret *secret)
{
  int status;
  pid_t child = fork ();
  if (child == 0) {
    if (!freopen ("/dev/null", "w", stderr))
      _exit (0);
    deed (secret);
    _exit (0);
  }
  fail_unless (child > 0 && waitpid (child, &status, 0) == child);
  if (WIFSIGNALED (status))
    return WTERMSIG (status);
  return WEXITSTATUS (status) ? SIGSEGV : 0;
}

static void
read_inside (Secret *secret)
{
  volatile guint8 last = secret_bytes (secret)[secret_len (secret) - 1];
  (void) last;
}

static void
read_past_the_end (Secret *secret)
{
  /* The block ends on the guard page but for the rounding that keeps its header aligned. */
  volatile guint8 past =
      secret_bytes (secret)[(secret_len (secret) + 15) & ~(gsize) 15];
  (void) past;
}

static void
read_freed (Secret *secret)
{
  volatile guint8 *bytes = secret_bytes (secret);
  secret_unref (secret);
  volatile guint8 gone = bytes[0];
  (void) gone;
}

static void
spoil_the_canary (Secret *secret)
{
  volatile guint8 *before = (guint8 *) secret - 1;
  *before ^= 0xff;
  secret_unref (secret);
}

/* A read over the end meets the guard page, a freed secret is unmapped, so that nobody reads what was there, and a write
 * before the start is found when it is freed. */
GST_START_TEST (secret_memory_is_guarded)
{
  if (is_slow ())
    return; /* valgrind has a word of its own on bad accesses */
  Secret *secret = secret_random (32);
  fail_unless_equals_int (signal_of (read_inside, secret), 0);
  fail_if (signal_of (read_past_the_end, secret) == 0);
  fail_if (signal_of (read_freed, secret) == 0);
  fail_if (signal_of (spoil_the_canary, secret) == 0);
  secret_unref (secret);
}
GST_END_TEST;

static pthread_barrier_t all_started;

static void *
hold_and_release (void *data)
{
  pthread_barrier_wait (&all_started);
  for (int i = is_slow () ? 2000 : 200000; i > 0; i--) {
    Secret *mine = secret_ref (data);
    if (secret_bytes (mine)[0] != 0x5a)
      g_error ("the secret went away under a reference");
    secret_unref (mine);
  }
  secret_unref (data); /* the reference that came with the thread */
  return NULL;
}

GST_START_TEST (secret_references_may_be_taken_by_several_threads)
{
  pthread_t threads[4];
  guint8 byte = 0x5a;
  Secret *secret = secret_copy (&byte, 1);

  pthread_barrier_init (&all_started, NULL, G_N_ELEMENTS (threads) + 1);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    fail_unless (pthread_create (
                     &threads[i], NULL, hold_and_release, secret_ref (secret))
                 == 0);
  secret_unref (secret); /* the last to finish frees */
  pthread_barrier_wait (&all_started);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_join (threads[i], NULL);
  pthread_barrier_destroy (&all_started);
}
GST_END_TEST;

/* Replay window, beside a model that keeps every counter it saw in a hash table. */

typedef struct
{
  gsize size;
  gboolean any;
  guint64 highest;
  GHashTable *seen;
} Model;

static gboolean
model_is_new (Model *m, guint64 ctr)
{
  if (!m->any || ctr > m->highest)
    return TRUE;
  if (m->highest - ctr >= m->size)
    return FALSE;
  return !g_hash_table_contains (m->seen, &ctr);
}

static void
model_commit (Model *m, guint64 ctr)
{
  g_hash_table_add (m->seen, g_memdup2 (&ctr, sizeof ctr));
  if (!m->any || ctr > m->highest)
    m->highest = ctr;
  m->any = TRUE;
}

static guint64
next_counter (GRand *random, const Model *m, guint64 start)
{
  guint64 at = m->any ? m->highest : start;
  guint64 step = (guint64) g_rand_int_range (random, 0, 8);

  switch (g_rand_int_range (random, 0, 10)) {
    case 0: /* far ahead, over the whole ring */
      step = (guint64) g_rand_int_range (random, 0, 200000);
      break;
    case 1: /* about a window ahead */
      step = m->size + (guint64) g_rand_int_range (random, 0, 130)
             - MIN (m->size, 65);
      break;
    case 2: /* about a window back: the edge */
      step = m->size + (guint64) g_rand_int_range (random, 0, 130)
             - MIN (m->size, 65);
      return at >= step ? at - step : 0;
    case 3: /* anywhere within */
    case 4:
      step = (guint64) g_rand_int_range (random, 0, (gint32) m->size);
      return at >= step ? at - step : 0;
    case 5: /* far back, at the same place of the ring */
      step = 64 * (guint64) g_rand_int_range (random, 1, 4096);
      return at >= step ? at - step : 0;
    default: /* a few ahead, or again */
      break;
  }
  return at <= G_MAXUINT64 - step ? at + step : G_MAXUINT64;
}

GST_START_TEST (replay_window_agrees_with_a_naive_model)
{
  static const gsize sizes[] = { 1, 2, 63, 64, 65, 1000, 1024, 65536 };
  static const guint64 starts[] = { 0, 5, G_GUINT64_CONSTANT (1) << 32,
    G_MAXUINT64 - 300000, G_MAXUINT64 };
  const char *given = g_getenv ("CONCLAVE_SEED");
  guint32 seed = given ? (guint32) g_ascii_strtoull (given, NULL, 10)
                       : randombytes_random ();
  int rounds = is_slow () ? 300 : 6000;

  g_print ("CONCLAVE_SEED=%u repeats this run\n", seed);
  GRand *random = g_rand_new_with_seed (seed);
  for (guint s = 0; s < G_N_ELEMENTS (sizes); s++)
    for (guint t = 0; t < G_N_ELEMENTS (starts); t++) {
      ReplayWindow *window = replay_window_new (sizes[s]);
      Model m = { sizes[s], FALSE, 0,
        g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL) };

      for (int i = 0; i < rounds; i++) {
        guint64 ctr = next_counter (random, &m, starts[t]);
        gboolean want = model_is_new (&m, ctr);
        if (replay_window_is_new (window, ctr) != want)
          fail ("seed %u, window %" G_GSIZE_FORMAT
                ", counter %" G_GUINT64_FORMAT ", highest %" G_GUINT64_FORMAT
                ": should be %s",
              seed, sizes[s], ctr, m.highest, want ? "new" : "refused");
        /* A forged frame asks and does not commit. */
        if (want && g_rand_int_range (random, 0, 8) != 0) {
          replay_window_commit (window, ctr);
          model_commit (&m, ctr);
        }
      }
      g_hash_table_unref (m.seen);
      replay_window_free (window);
    }
  g_rand_free (random);
}
GST_END_TEST;

GST_START_TEST (replay_window_takes_each_counter_once_up_to_the_last)
{
  ReplayWindow *window = replay_window_new (64);

  for (guint64 back = 70; back-- > 0;) {
    guint64 ctr = G_MAXUINT64 - back;
    fail_unless (replay_window_is_new (window, ctr));
    replay_window_commit (window, ctr);
    fail_if (replay_window_is_new (window, ctr));
  }
  fail_if (replay_window_is_new (window, 0)); /* no wrap: 0 is long past */
  replay_window_free (window);

  fail_unless (replay_window_new (0) == NULL);
  fail_unless (replay_window_new (REPLAY_MAX_WINDOW + 1) == NULL);
  replay_window_free (NULL);
}
GST_END_TEST;

/* The vectors of a file, and behind them those of the CTR-HMAC constructions (RFC 9605, C.2). */
static JsonArray *
load_aead_rows (void)
{
  static const char *const sections[] = { "aes_ctr_hmac", "aes_256_ctr_hmac" };
  JsonArray *all =
      json_node_get_array (load_vectors ("vectors/core/aead.json"));
  JsonObject *rfc =
      json_node_get_object (load_vectors ("vectors/sframe/rfc9605.json"));

  for (guint s = 0; s < G_N_ELEMENTS (sections); s++) {
    JsonArray *more = json_object_get_array_member (rfc, sections[s]);
    for (guint i = 0; i < json_array_get_length (more); i++)
      json_array_add_object_element (
          all, json_object_ref (json_array_get_object_element (more, i)));
  }
  return all;
}

static Suite *
core_suite (void)
{
  Suite *suite = suite_create ("core");
  TCase *tc = tcase_create ("hkdf");

  hmac_rows = json_node_get_array (load_vectors ("vectors/core/hmac.json"));
  hkdf_rows = json_node_get_array (load_vectors ("vectors/core/hkdf.json"));
  aead_rows = load_aead_rows ();
  int n_aead = (int) json_array_get_length (aead_rows);

  suite_add_tcase (suite, tc);
  tcase_add_loop_test (tc, hmac_gives_the_published_tag, 0,
      (int) json_array_get_length (hmac_rows));
  tcase_add_loop_test (tc, hkdf_gives_the_published_keys, 0,
      (int) json_array_get_length (hkdf_rows));
  tcase_add_loop_test (
      tc, hkdf_refuses_more_than_255_blocks, HASH_SHA256, HASH_SHA512 + 1);

  suite_add_tcase (suite, tc = tcase_create ("aead"));
  tcase_add_loop_test (
      tc, aead_gives_the_published_ciphertext_and_opens_it, 0, n_aead);
  tcase_add_loop_test (tc, aead_works_in_place, 0, n_aead);
  tcase_add_loop_test (
      tc, aead_refuses_every_flipped_bit_and_every_cut, 0, n_aead);
  tcase_add_test (tc, aead_refuses_tag_lengths_outside_its_range);

  suite_add_tcase (suite, tc = tcase_create ("reader and writer"));
  tcase_add_loop_test (tc, what_the_writer_wrote_the_reader_reads, 0, 9);
  tcase_add_test (tc, reader_gives_nothing_after_its_first_failure);
  tcase_add_test (tc, reader_keeps_to_its_bounds);
  tcase_add_test (tc, writer_writes_nothing_after_its_first_failure);

  suite_add_tcase (suite, tc = tcase_create ("secret"));
  tcase_add_test (tc, secret_text_is_read_as_hex_or_base64);
  tcase_add_test (tc, secret_text_that_is_neither_is_refused);
  tcase_add_test (tc, secret_text_up_to_the_limit_is_taken_and_no_more);
  tcase_add_test (tc, secret_file_errors_say_what_is_wrong);
  tcase_add_test (tc, secrets_are_equal_only_in_length_and_bytes);
  tcase_add_test (tc, secret_memory_is_guarded);
  tcase_add_test (tc, secret_references_may_be_taken_by_several_threads);

  suite_add_tcase (suite, tc = tcase_create ("replay"));
  tcase_add_test (tc, replay_window_agrees_with_a_naive_model);
  tcase_add_test (tc, replay_window_takes_each_counter_once_up_to_the_last);
  return suite;
}

PURE_CHECK_MAIN (core)

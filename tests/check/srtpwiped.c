/* Keys of SRTP sessions are gone when they are replaced, retired or cleared, and what they are derived with is gone at once.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memorysearch.h"

#include <sodium.h>

#include "srtp-packets.h"

#include "ext/srtp/transform.h"

#define SSRC 0x01020304u

/* One side, step by step. */
typedef struct
{
  SrtpConfig config;
  Secret *key;
  SrtpSession *session;
  guint8 packet[256];
  gsize len;
} Side;

static void
set_key_step (gpointer data)
{
  Side *s = data;
  fail_unless_equals_int (
      srtp_session_set_key (s->session, s->key, NULL, 0), SRTP_OK);
}

static void
receive_step (gpointer data)
{
  Side *s = data;
  guint8 out[256];
  gsize len;
  fail_unless_equals_int (srtp_session_unprotect_rtp (s->session, s->packet,
                              s->len, out, sizeof out, &len, NULL),
      SRTP_OK);
}

static void
retire_step (gpointer data)
{
  srtp_session_retire (((Side *) data)->session);
}

static void
clear_step (gpointer data)
{
  srtp_session_clear_keys (((Side *) data)->session);
}

/* Packets of a sender in another session, which is gone before anything is looked for. */
static void
send_packets (const SrtpConfig *receiving, Secret *key, Side *s)
{
  SrtpConfig config = *receiving;
  config.direction = SRTP_SEND;
  SrtpSession *sender = srtp_session_new (&config, NULL);
  guint8 plain[128];

  fail_unless_equals_int (
      srtp_session_set_key (sender, key, NULL, 0), SRTP_OK);
  gsize len = make_rtp (plain, sizeof plain, SSRC, 1, 0, -1, 60);
  fail_unless_equals_int (srtp_session_protect_rtp (sender, plain, len,
                              s->packet, sizeof s->packet, &s->len, NULL),
      SRTP_OK);
  srtp_session_free (sender);
}

static Needle
session_needle (Secret *key, gsize key_len, SrtpLabel label, gsize len)
{
  guint8 salt[14] = { 0 }, *out = sodium_malloc (len);
  memcpy (salt, secret_bytes (key) + key_len, secret_len (key) - key_len);
  srtp_derive (secret_bytes (key), key_len, salt, label, out, len);
  Needle n = needle_from_bytes (out, len);
  sodium_free (out);
  sodium_memzero (salt, sizeof salt);
  return n;
}

GST_START_TEST (nothing_of_a_key_stays_in_a_session_that_lost_it)
{
  gboolean clear = __i__ & 1;
  Side s = { 0 };

  srtp_config_init (&s.config, SRTP_RECEIVE);
  s.config.backend = SRTP_BACKEND_GNUTLS;
  s.key = secret_random (44);
  Needle master = needle_from_bytes (secret_bytes (s.key), 32),
         salt = needle_from_bytes (secret_bytes (s.key) + 32, 12),
         rtp_key = session_needle (s.key, 32, SRTP_LABEL_RTP_ENCRYPTION, 32),
         rtp_salt = session_needle (s.key, 32, SRTP_LABEL_RTP_SALT, 12),
         rtcp_key = session_needle (s.key, 32, SRTP_LABEL_RTCP_ENCRYPTION, 32),
         rtcp_salt = session_needle (s.key, 32, SRTP_LABEL_RTCP_SALT, 12);

  guint8 *labelled = sodium_malloc (12); /* as the last derivation has it */
  memcpy (labelled, secret_bytes (s.key) + 32, 12);
  labelled[7] ^= SRTP_LABEL_RTCP_SALT;
  Needle counter = needle_from_bytes (labelled, 12);
  sodium_free (labelled);
  send_packets (&s.config, s.key, &s);
  s.session = srtp_session_new (&s.config, NULL);
  aside (set_key_step, &s);
  /* Where it came from, and nowhere else: not on the stack, where keys are derived. */
  must_be_in_one_place ("master key", &master);
  must_be_in_one_place ("master salt", &salt);
  must_be_gone ("master salt with a label", &counter);
  must_be_in_one_place ("session salt", &rtp_salt);
  must_be_in_one_place ("SRTCP session salt", &rtcp_salt);
  fail_unless (count_in_memory (&rtp_key) > 0);
  fail_unless (count_in_memory (&rtcp_key) > 0);
  aside (receive_step, &s);

  secret_unref (s.key);
  must_be_gone ("master key", &master);
  must_be_gone ("master salt", &salt);
  aside (clear ? clear_step : retire_step, &s);
  must_be_gone ("session key", &rtp_key);
  must_be_gone ("session salt", &rtp_salt);
  must_be_gone ("SRTCP session key", &rtcp_key);
  must_be_gone ("SRTCP session salt", &rtcp_salt);
  srtp_session_free (s.session);
}
GST_END_TEST;

typedef struct
{
  guint8 *key, *salt, *out; /* guarded */
  gsize key_len;
} Derivation;

static void
derive_step (gpointer data)
{
  Derivation *d = data;
  srtp_derive (d->key, d->key_len, d->salt, SRTP_LABEL_RTCP_SALT, d->out, 14);
}

GST_START_TEST (derivation_leaves_nothing_on_the_stack)
{
  Derivation d = { sodium_malloc (32), sodium_malloc (14), sodium_malloc (14),
    __i__ ? 32 : 16 };

  randombytes_buf (d.key, 32);
  randombytes_buf (d.salt, 14);
  Needle key = needle_from_bytes (d.key, d.key_len);
  d.salt[7] ^= SRTP_LABEL_RTCP_SALT;
  Needle counter = needle_from_bytes (d.salt, 14);
  d.salt[7] ^= SRTP_LABEL_RTCP_SALT;
  aside (derive_step, &d);
  Needle out = needle_from_bytes (d.out, 14);
  must_be_gone ("master salt with a label", &counter);
  must_be_in_one_place ("derived salt", &out);
  must_be_in_one_place ("master key", &key);
  sodium_free (d.key);
  sodium_free (d.salt);
  sodium_free (d.out);
}
GST_END_TEST;

static Suite *
srtpwiped_suite (void)
{
  Suite *suite = suite_create ("srtpwiped");
  TCase *tc = tcase_create ("memory");

  suite_add_tcase (suite, tc);
  tcase_set_timeout (tc, 180);
  tcase_add_loop_test (tc, derivation_leaves_nothing_on_the_stack, 0, 2);
  tcase_add_loop_test (
      tc, nothing_of_a_key_stays_in_a_session_that_lost_it, 0, 2);
  return suite;
}

MEMORY_CHECK_MAIN (srtpwiped)

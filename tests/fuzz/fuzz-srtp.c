/* Two SRTP sessions, worked by operations that are read from the input: packets sent, delivered, repeated, changed, cut and
 * made up, keys changed, cleared and retired on either side, ROCs told. Whatever happens, no index is used twice under a
 * key, nothing comes out that was not put in, and nothing comes out twice. A second receiver gets all but the packets that
 * are not the sender's: those must make no difference to what becomes of the others.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/sodium/reader.h"
#include "ext/srtp/session.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define N_KEPT 8
#define N_SSRCS 4
#define MAX_USED 512
#define MAX_LEN 300

/* A packet on its way. */
typedef struct
{
  bool rtcp, delivered;
  unsigned key;
  size_t plain_len, len;
  uint8_t plain[MAX_LEN], bytes[MAX_LEN + SRTP_MAX_OVERHEAD];
} Kept;

typedef struct
{
  bool rtcp;
  unsigned key;
  uint32_t ssrc;
  uint64_t index;
} Used;

typedef struct
{
  Reader in;
  SrtpSession *sender, *receiver, *spared;
  unsigned key; /* of the sender */
  size_t mki_len, tag;
  Kept kept[N_KEPT];
  size_t n_kept;
  Used used[MAX_USED];
  size_t n_used;
} World;

static unsigned
number (World *w, unsigned limit)
{
  return (unsigned) reader_uint (&w->in, 1) % limit;
}

static Secret *
make_key (const SrtpSession *session, unsigned n)
{
  Secret *key =
      secret_new (srtp_config_key_len (srtp_session_config (session)));
  if (!key)
    abort ();
  memset (secret_bytes (key), (int) n + 1, secret_len (key));
  return key;
}

static SrtpResult
give_key (World *w, SrtpSession *session, unsigned n, bool again)
{
  uint8_t mki[SRTP_MAX_MKI];
  Secret *key = make_key (session, n);
  memset (mki, (int) n, sizeof mki);
  SrtpResult result =
      again ? srtp_session_rekey (session, key, mki, w->mki_len)
            : srtp_session_set_key (session, key, mki, w->mki_len);
  secret_unref (key);
  return result;
}

/* "sent" is said once of each index of each SSRC under each key. */
static void
check_unused (World *w, const Used *now)
{
  for (size_t i = 0; i < w->n_used; i++)
    if (w->used[i].rtcp == now->rtcp && w->used[i].key == now->key
        && w->used[i].ssrc == now->ssrc && w->used[i].index == now->index)
      abort ();
  if (w->n_used < MAX_USED)
    w->used[w->n_used++] = *now;
}

static void
send_packet (World *w, bool rtcp, bool at)
{
  Kept *kept = &w->kept[w->n_kept++ % N_KEPT];
  SrtpInfo info;
  uint64_t index = 0;

  memset (kept, 0, sizeof *kept);
  kept->rtcp = rtcp;
  kept->key = w->key;
  kept->plain[0] = 0x80;
  if (rtcp) {
    kept->plain[1] = 200;
    kept->plain[7] = (uint8_t) number (w, N_SSRCS);
    kept->plain_len = 8 + number (w, 200);
  } else {
    kept->plain[0] |= (uint8_t) number (w, 4);
    kept->plain[1] = 96;
    index = reader_uint (&w->in, at ? 6 : 2);
    kept->plain[2] = (uint8_t) (index >> 8);
    kept->plain[3] = (uint8_t) index;
    kept->plain[11] = (uint8_t) number (w, N_SSRCS);
    kept->plain_len =
        12 + 4 * (size_t) (kept->plain[0] & 15) + number (w, 200);
  }
  size_t room = kept->plain_len + number (w, SRTP_MAX_OVERHEAD + 1);
  SrtpResult result =
      rtcp ? srtp_session_protect_rtcp (w->sender, kept->plain,
          kept->plain_len, kept->bytes, room, &kept->len, &info)
      : at ? srtp_session_protect_rtp_at (w->sender, index, kept->plain,
            kept->plain_len, kept->bytes, room, &kept->len, &info)
           : srtp_session_protect_rtp (w->sender, kept->plain, kept->plain_len,
               kept->bytes, room, &kept->len, &info);
  if (result != SRTP_OK) {
    kept->len = 0;
    return;
  }
  if (kept->len > room)
    abort ();
  check_unused (w, &(Used){ rtcp, w->key, info.ssrc, info.index });
}

/* In an allocation of its exact size, so that a sanitizer sees one byte too many. `want`: NULL for a packet that must not
 * be taken. */
static SrtpResult
deliver (World *w, SrtpSession *receiver, bool rtcp, const uint8_t *bytes,
    size_t len, bool in_place, const Kept *want)
{
  uint8_t *in = malloc (len > 0 ? len : 1), *out = malloc (len > 0 ? len : 1);
  size_t out_len = 0;

  memcpy (in, bytes, len);
  uint8_t *to = in_place ? in : out;
  SrtpResult result = rtcp ? srtp_session_unprotect_rtcp (
                          receiver, in, len, to, len, &out_len, NULL)
                           : srtp_session_unprotect_rtp (
                               receiver, in, len, to, len, &out_len, NULL);
  if (result == SRTP_OK
      && (!want || out_len != want->plain_len
          || memcmp (to, want->plain, out_len) != 0))
    abort ();
  free (in);
  free (out);
  return result;
}

static void
deliver_kept (World *w, bool change)
{
  Kept *kept = &w->kept[number (w, N_KEPT)];
  uint8_t bytes[sizeof kept->bytes];
  size_t len = kept->len;

  if (len == 0)
    return;
  memcpy (bytes, kept->bytes, len);
  if (change) {
    size_t at = (size_t) reader_uint (&w->in, 2) % len, cut = number (w, 8);
    uint8_t with = (uint8_t) reader_uint (&w->in, 1);
    if (cut >= len)
      cut = 0;
    bytes[at] ^= with;
    len -= cut;
    change = (with != 0 && at < len) || cut > 0;
  }
  bool in_place = number (w, 2);
  SrtpResult result = deliver (
      w, w->receiver, kept->rtcp, bytes, len, in_place, change ? NULL : kept);
  if (change)
    return;
  if (result == SRTP_OK && kept->delivered)
    abort ();
  kept->delivered |= result == SRTP_OK;
  if (deliver (w, w->spared, kept->rtcp, bytes, len, in_place, kept) != result)
    abort ();
}

static void
make_up (World *w)
{
  bool rtcp = number (w, 2);
  size_t len = number (w, 255);
  if (len > reader_left (&w->in))
    len = reader_left (&w->in);
  const uint8_t *bytes = reader_take (&w->in, len);
  uint8_t out[512];
  uint32_t ssrc;
  size_t out_len;
  SrtpInfo info;

  if (!bytes)
    return;
  deliver (w, w->receiver, rtcp, bytes, len, number (w, 2), NULL);
  srtp_is_rtcp (bytes, len);
  srtp_packet_ssrc (bytes, len, rtcp, &ssrc);
  SrtpResult result = rtcp ? srtp_session_protect_rtcp (w->sender, bytes, len,
                          out, sizeof out, &out_len, &info)
                           : srtp_session_protect_rtp (w->sender, bytes, len,
                               out, sizeof out, &out_len, &info);
  if (result == SRTP_OK)
    check_unused (w, &(Used){ rtcp, w->key, info.ssrc, info.index });
}

static void
change_receiver (World *w, SrtpSession *receiver, unsigned n, unsigned how)
{
  switch (how) {
    case 0:
      srtp_session_retire (receiver);
      break;
    case 1:
      srtp_session_clear_keys (receiver);
      break;
    case 2:
      (void) give_key (w, receiver, n, false);
      break;
    default:
      (void) give_key (w, receiver, n, true);
  }
}

static void
change_keys (World *w, unsigned what)
{
  unsigned n = number (w, 8), how = what == 0 ? number (w, 8) : 0;

  if (what == 0) {
    change_receiver (w, w->receiver, n, how);
    change_receiver (w, w->spared, n, how);
  } else if (give_key (w, w->sender, n, what == 1) == SRTP_OK) {
    w->key = n;
  }
}

static void
tell (World *w, bool roc)
{
  bool sender = number (w, 2);
  uint32_t ssrc = number (w, N_SSRCS);
  uint64_t value = reader_uint (&w->in, roc ? 4 : 6);
  SrtpSession *sides[] = { sender ? w->sender : w->receiver,
    sender ? NULL : w->spared };
  SrtpResult told[2] = { SRTP_OK, SRTP_OK };

  for (unsigned i = 0; i < 2 && sides[i]; i++)
    told[i] = roc ? srtp_session_set_roc (sides[i], ssrc, (uint32_t) value)
                  : srtp_session_set_index (sides[i], ssrc, value);
  if (told[0] >= SRTP_N_RESULTS || (sides[1] && told[1] != told[0]))
    abort ();
}

static void
step (World *w)
{
  switch (number (w, 16)) {
    case 0:
    case 1:
    case 2:
      send_packet (w, false, false);
      break;
    case 3:
      send_packet (w, true, false);
      break;
    case 4:
      send_packet (w, false, true);
      break;
    case 5:
    case 6:
    case 7:
      deliver_kept (w, false);
      break;
    case 8:
    case 9:
      deliver_kept (w, true);
      break;
    case 10:
      make_up (w);
      break;
    case 11:
      change_keys (w, 0);
      break;
    case 12:
      change_keys (w, 1);
      break;
    case 13:
      change_keys (w, 2);
      break;
    case 14:
      tell (w, true);
      break;
    default:
      tell (w, false);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  /* Mostly our own transform: libsrtp2's set-up is slow, and others fuzz it. */
  static const struct
  {
    SrtpCipher cipher;
    SrtpBackend backend;
  } suites[16] = { [12] = { SRTP_AES_256_GCM, SRTP_BACKEND_LIBSRTP2 },
    [13] = { SRTP_AES_128_GCM, SRTP_BACKEND_LIBSRTP2 },
    [14] = { SRTP_AES_256_ICM, SRTP_BACKEND_AUTO },
    [15] = { SRTP_AES_128_ICM, SRTP_BACKEND_AUTO } };
  World *w = calloc (1, sizeof *w);
  SrtpConfig config;

  if (!core_init () || !w)
    abort ();
  w->in = reader_init (data, size);
  srtp_config_init (&config, SRTP_SEND);
  unsigned suite = number (w, 16);
  config.rtp_cipher = config.rtcp_cipher =
      suite < 12 && suite % 2 ? SRTP_AES_128_GCM : suites[suite].cipher;
  config.backend = suites[suite].backend;
  config.clear_rtcp = number (w, 8) == 0;
  config.window = 64;
  config.max_ssrcs = 1 + number (w, 6);
  w->mki_len = number (w, 3) ? 0 : number (w, SRTP_MAX_MKI + 1);
  w->sender = srtp_session_new (&config, NULL);
  config.direction = SRTP_RECEIVE;
  w->receiver = srtp_session_new (&config, NULL);
  w->spared = srtp_session_new (&config, NULL);
  if (!w->sender || !w->receiver || !w->spared
      || give_key (w, w->sender, 0, false) != SRTP_OK
      || give_key (w, w->receiver, 0, false) != SRTP_OK
      || give_key (w, w->spared, 0, false) != SRTP_OK)
    abort ();
  for (unsigned i = 0; i < 400 && reader_left (&w->in) > 0; i++)
    step (w);
  srtp_session_free (w->sender);
  srtp_session_free (w->receiver);
  srtp_session_free (w->spared);
  free (w);
  return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "door.h"

#include "aead_once.h"
#include "hkdf.h"
#include "lv.h"

#include <sodium.h>
#include <string.h>

#define BOX_NONCE_LEN 24
#define BOX_KEY_LEN 32

bool
door_meeting_is_valid (const char *meeting, size_t len)
{
  if (len == 0 || len > DOOR_MAX_MEETING)
    return false;
  for (size_t i = 0; i < len; i++) {
    char c = meeting[i];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '_' || c == '-'))
      return false;
  }
  return true;
}

void
door_write_knock (Writer *w, const DoorKnock *knock)
{
  uint8_t list[DOOR_MAX_OFFERS * DOOR_OFFER_LEN];
  Writer offers = writer_init (list, sizeof list);

  for (size_t i = 0; i < knock->count && i < DOOR_MAX_OFFERS; i++) {
    writer_uint (&offers, knock->offers[i].suite, 2);
    writer_bytes (&offers, knock->offers[i].key_package_ref, DOOR_REF_LEN);
  }
  if (knock->count == 0 || knock->count > DOOR_MAX_OFFERS)
    w->failed = true;
  lv_write (w, list, writer_len (&offers));
  lv_write (w, knock->nonce, DOOR_NONCE_LEN);
}

const DoorOffer *
door_find_offer (const DoorKnock *knock, uint16_t suite)
{
  for (size_t i = 0; i < knock->count; i++)
    if (knock->offers[i].suite == suite)
      return &knock->offers[i];
  return NULL;
}

bool
door_parse_knock (Reader in, DoorKnock *out)
{
  DoorKnock knock = { 0 };
  Reader list = lv_read (&in, DOOR_MAX_OFFERS * DOOR_OFFER_LEN);
  const uint8_t *nonce = lv_take (&in, DOOR_NONCE_LEN);

  if (!reader_done (&in) || reader_left (&list) == 0
      || reader_left (&list) % DOOR_OFFER_LEN != 0)
    return false;
  while (reader_left (&list) > 0) {
    uint16_t suite = (uint16_t) reader_uint (&list, 2);
    if (door_find_offer (&knock, suite))
      return false;
    DoorOffer *offer = &knock.offers[knock.count++];
    offer->suite = suite;
    memcpy (offer->key_package_ref, reader_take (&list, DOOR_REF_LEN),
        DOOR_REF_LEN);
  }
  memcpy (knock.nonce, nonce, DOOR_NONCE_LEN);
  *out = knock;
  return true;
}

void
door_write_reply (Writer *w, const DoorReply *reply)
{
  lv_write (w, reply->host_key, IDENTITY_KEY_LEN);
  lv_write_uint (w, reply->suite, 2);
  lv_write (w, reply->group_id, DOOR_GROUP_ID_LEN);
  lv_write_uint (w, reply->t, 8);
  lv_write (w, reply->nonce, DOOR_NONCE_LEN);
}

bool
door_parse_reply (Reader in, DoorReply *out)
{
  const uint8_t *host_key = lv_take (&in, IDENTITY_KEY_LEN);
  uint16_t suite = (uint16_t) lv_take_uint (&in, 2);
  const uint8_t *group_id = lv_take (&in, DOOR_GROUP_ID_LEN);
  uint64_t t = lv_take_uint (&in, 8);
  const uint8_t *nonce = lv_take (&in, DOOR_NONCE_LEN);

  if (!reader_done (&in))
    return false;
  memcpy (out->host_key, host_key, IDENTITY_KEY_LEN);
  memcpy (out->group_id, group_id, DOOR_GROUP_ID_LEN);
  memcpy (out->nonce, nonce, DOOR_NONCE_LEN);
  out->suite = suite;
  out->t = t;
  return true;
}

size_t
door_ci (const char *meeting, uint8_t *ci)
{
  const HashPart parts[] = { { "conclave/1", 10 },
    { meeting, strlen (meeting) } };
  Writer w = writer_init (ci, DOOR_MAX_CI);

  if (!door_meeting_is_valid (meeting, parts[1].len))
    return 0;
  for (size_t i = 0; i < 2; i++)
    lv_write (&w, parts[i].bytes, parts[i].len);
  return writer_len (&w);
}

#define T1_PARTS 5
/* Each of the five with its length in front */
#define MAX_T1                                                                \
  (2 * (1 + CPACE_SHARE_LEN) + 1 + DOOR_SID_LEN + 2 + DOOR_MAX_ADA + 1        \
      + DOOR_ADB_LEN)

static void
t1_parts (const DoorTranscript *t, HashPart parts[T1_PARTS])
{
  parts[0] = (HashPart){ t->sid, DOOR_SID_LEN };
  parts[1] = (HashPart){ t->ya, CPACE_SHARE_LEN };
  parts[2] = (HashPart){ t->ada, t->ada_len };
  parts[3] = (HashPart){ t->yb, CPACE_SHARE_LEN };
  parts[4] = (HashPart){ t->adb, DOOR_ADB_LEN };
}

void
door_write_t1 (Writer *w, const DoorTranscript *transcript)
{
  HashPart parts[T1_PARTS];
  t1_parts (transcript, parts);
  for (size_t i = 0; i < T1_PARTS; i++)
    lv_write (w, parts[i].bytes, parts[i].len);
}

/* What each of the door's signatures covers, in `parts`: lv(CI), `count` parts of T1, and lv(sigH) unless NULL. */
typedef struct
{
  uint8_t ci[DOOR_MAX_CI];
  HashPart parts[1 + T1_PARTS + 1];
  size_t count; /* 0 for a transcript that is none */
} Signed;

static void
cover (const DoorTranscript *transcript, size_t count,
    const uint8_t *reply_sig, Signed *out)
{
  size_t ci_len = door_ci (transcript->meeting, out->ci);

  out->count = 0;
  if (ci_len == 0 || transcript->ada_len > DOOR_MAX_ADA)
    return;
  out->parts[0] = (HashPart){ out->ci, ci_len };
  t1_parts (transcript, out->parts + 1);
  out->count = 1 + count;
  if (reply_sig)
    out->parts[out->count++] = (HashPart){ reply_sig, IDENTITY_SIG_LEN };
}

bool
door_sign_reply (
    const Identity *host, const DoorTranscript *transcript, uint8_t *sig)
{
  Signed s;
  cover (transcript, T1_PARTS, NULL, &s);
  return s.count > 0
         && identity_sign (host, "conclave/1 reply", s.parts, s.count, sig);
}

bool
door_verify_reply (const uint8_t *host_key, const DoorTranscript *transcript,
    const uint8_t *sig)
{
  Signed s;
  cover (transcript, T1_PARTS, NULL, &s);
  return s.count > 0
         && identity_verify (
             host_key, "conclave/1 reply", s.parts, s.count, sig);
}

bool
door_sign_proof (const Identity *joiner, const DoorTranscript *transcript,
    const uint8_t *reply_sig, uint8_t *sig)
{
  Signed s;
  cover (transcript, T1_PARTS, reply_sig, &s);
  return s.count > 0
         && identity_sign (joiner, "conclave/1 proof", s.parts, s.count, sig);
}

bool
door_verify_proof (const uint8_t *joiner_key, const DoorTranscript *transcript,
    const uint8_t *reply_sig, const uint8_t *sig)
{
  Signed s;
  cover (transcript, T1_PARTS, reply_sig, &s);
  return s.count > 0
         && identity_verify (
             joiner_key, "conclave/1 proof", s.parts, s.count, sig);
}

bool
door_sign_knock (
    const Identity *joiner, const DoorTranscript *transcript, uint8_t *sig)
{
  Signed s;
  cover (transcript, 3, NULL, &s); /* sid, Ya, ADa */
  return s.count > 0
         && identity_sign (joiner, "conclave/1 knock", s.parts, s.count, sig);
}

bool
door_verify_knock (const uint8_t *joiner_key, const DoorTranscript *transcript,
    const uint8_t *sig)
{
  Signed s;
  cover (transcript, 3, NULL, &s);
  return s.count > 0
         && identity_verify (
             joiner_key, "conclave/1 knock", s.parts, s.count, sig);
}

void
door_write_chain (Writer *w, const DoorChain *chain)
{
  if (chain->count > DOOR_MAX_LINKS)
    w->failed = true;
  if (chain->count == 0 || w->failed)
    return;
  lv_write (w, chain->root, IDENTITY_KEY_LEN);
  for (size_t i = 0; i < chain->count; i++) {
    lv_write (w, chain->links[i].key, IDENTITY_KEY_LEN);
    lv_write_uint (w, chain->links[i].owner, 1);
    lv_write (w, chain->links[i].sig, IDENTITY_SIG_LEN);
  }
}

bool
door_parse_chain (Reader in, DoorChain *out)
{
  DoorChain chain = { 0 };

  if (!reader_done (&in)) {
    const uint8_t *root = lv_take (&in, IDENTITY_KEY_LEN);
    if (!root)
      return false;
    memcpy (chain.root, root, IDENTITY_KEY_LEN);
    do {
      DoorLink *link = &chain.links[chain.count++];
      const uint8_t *key = lv_take (&in, IDENTITY_KEY_LEN);
      uint64_t owner = lv_take_uint (&in, 1);
      const uint8_t *sig = lv_take (&in, IDENTITY_SIG_LEN);
      if (in.failed || owner > 1)
        return false;
      memcpy (link->key, key, IDENTITY_KEY_LEN);
      link->owner = owner == 1;
      memcpy (link->sig, sig, IDENTITY_SIG_LEN);
    } while (reader_left (&in) > 0 && chain.count < DOOR_MAX_LINKS);
  }
  if (!reader_done (&in))
    return false;
  *out = chain;
  return true;
}

#define LINK_PARTS 4

static void
link_parts (const char *meeting, const uint8_t *group_id, const uint8_t *key,
    const uint8_t *owner, HashPart parts[LINK_PARTS])
{
  parts[0] = (HashPart){ meeting, strlen (meeting) };
  parts[1] = (HashPart){ group_id, DOOR_GROUP_ID_LEN };
  parts[2] = (HashPart){ key, IDENTITY_KEY_LEN };
  parts[3] = (HashPart){ owner, 1 };
}

bool
door_sign_link (const Identity *signer, const char *meeting,
    const uint8_t *group_id, const uint8_t *key, bool owner, DoorLink *out)
{
  HashPart parts[LINK_PARTS];
  uint8_t flag = owner;

  memcpy (out->key, key, IDENTITY_KEY_LEN);
  out->owner = owner;
  link_parts (meeting, group_id, out->key, &flag, parts);
  return identity_sign (
      signer, "conclave/1 door", parts, LINK_PARTS, out->sig);
}

bool
door_chain_leads_to (const DoorChain *chain, const uint8_t *fingerprint,
    const char *meeting, const uint8_t *group_id, const uint8_t *host_key)
{
  const uint8_t *key = chain->count > 0 ? chain->root : host_key;
  uint8_t print[IDENTITY_FINGERPRINT_LEN];

  identity_fingerprint (key, print);
  if (memcmp (print, fingerprint, sizeof print) != 0
      || chain->count > DOOR_MAX_LINKS)
    return false;
  for (size_t i = 0; i < chain->count; i++) {
    const DoorLink *link = &chain->links[i];
    HashPart parts[LINK_PARTS];
    uint8_t flag = link->owner;

    if (!link->owner && i + 1 < chain->count) /* an admin names nobody */
      return false;
    link_parts (meeting, group_id, link->key, &flag, parts);
    if (!identity_verify (
            key, "conclave/1 door", parts, LINK_PARTS, link->sig))
      return false;
    key = link->key;
  }
  return memcmp (key, host_key, IDENTITY_KEY_LEN) == 0; /* public bytes */
}

DoorVerdict
door_check_reply (const DoorTranscript *transcript, const uint8_t *joiner_key,
    const uint8_t *reply_sig, Reader chain, const uint8_t *fingerprint,
    DoorReply *reply)
{
  DoorKnock knock;
  DoorReply got;
  DoorChain links = { 0 };

  if (transcript->ada_len > DOOR_MAX_ADA
      || !door_parse_knock (
          reader_init (transcript->ada, transcript->ada_len), &knock)
      || !door_parse_reply (reader_init (transcript->adb, DOOR_ADB_LEN), &got)
      || (fingerprint && !door_parse_chain (chain, &links)))
    return DOOR_MALFORMED;
  if (!door_find_offer (&knock, got.suite))
    return DOOR_SUITE_NOT_OFFERED;
  if (memcmp (got.host_key, joiner_key, 32) == 0) /* public bytes */
    return DOOR_OWN_KEY;
  if (!door_verify_reply (got.host_key, transcript, reply_sig))
    return DOOR_BAD_SIGNATURE;
  if (fingerprint
      && !door_chain_leads_to (&links, fingerprint, transcript->meeting,
          got.group_id, got.host_key))
    return DOOR_OTHER_HOST;
  if (reply)
    *reply = got;
  return DOOR_OK;
}

/* SHA-512 of T1 and `count` further lv(part). */
static bool
hash_transcript (const DoorTranscript *transcript, const HashPart *parts,
    size_t count, uint8_t *aad)
{
  uint8_t t1[MAX_T1];
  Writer w = writer_init (t1, sizeof t1);
  crypto_hash_sha512_state hash;

  if (transcript->ada_len > DOOR_MAX_ADA)
    return false;
  door_write_t1 (&w, transcript);
  crypto_hash_sha512_init (&hash);
  crypto_hash_sha512_update (&hash, t1, writer_len (&w));
  for (size_t i = 0; i < count; i++) {
    uint8_t head[LV_MAX_HEAD];
    crypto_hash_sha512_update (&hash, head, lv_head (parts[i].len, head));
    crypto_hash_sha512_update (&hash, parts[i].bytes, parts[i].len);
  }
  crypto_hash_sha512_final (&hash, aad);
  return !w.failed;
}

/* The one key of one box. The caller wipes it. */
static void
derive_box_key (const uint8_t *isk, const char *label, uint8_t *key)
{
  uint8_t prk[HASH_MAX_LEN];

  hkdf_extract (HASH_SHA512, NULL, 0, isk, CPACE_ISK_LEN, prk);
  hkdf_expand (
      HASH_SHA512, prk, HASH_MAX_LEN, label, strlen (label), key, BOX_KEY_LEN);
  sodium_memzero (prk, sizeof prk);
}

static bool
seal_box (const uint8_t *isk, const char *label, const uint8_t *aad,
    const uint8_t *nonce, const uint8_t *content, size_t len, uint8_t *box)
{
  uint8_t key[BOX_KEY_LEN];

  if (nonce)
    memcpy (box, nonce, BOX_NONCE_LEN);
  else
    randombytes_buf (box, BOX_NONCE_LEN);
  derive_box_key (isk, label, key);
  bool ok = aead_seal_once (AEAD_XCHACHA20_POLY1305, key, box, aad,
      crypto_hash_sha512_BYTES, content, len, box + BOX_NONCE_LEN);
  sodium_memzero (key, sizeof key);
  return ok;
}

static bool
open_box (const uint8_t *isk, const char *label, const uint8_t *aad,
    const uint8_t *box, size_t box_len, uint8_t *content)
{
  uint8_t key[BOX_KEY_LEN];

  if (box_len < DOOR_BOX_OVERHEAD)
    return false;
  derive_box_key (isk, label, key);
  bool ok = aead_open_once (AEAD_XCHACHA20_POLY1305, key, box, aad,
      crypto_hash_sha512_BYTES, box + BOX_NONCE_LEN, box_len - BOX_NONCE_LEN,
      content);
  sodium_memzero (key, sizeof key);
  return ok;
}

bool
door_seal_proof (const DoorTranscript *transcript, const uint8_t *isk,
    const uint8_t *reply_sig, const uint8_t *nonce, const uint8_t *content,
    size_t len, uint8_t *box)
{
  const HashPart sig = { reply_sig, IDENTITY_SIG_LEN };
  uint8_t aad[crypto_hash_sha512_BYTES];

  return len <= DOOR_MAX_PROOF && hash_transcript (transcript, &sig, 1, aad)
         && seal_box (
             isk, "conclave/1 joiner box", aad, nonce, content, len, box);
}

bool
door_open_proof (const DoorTranscript *transcript, const uint8_t *isk,
    const uint8_t *reply_sig, const uint8_t *box, size_t box_len,
    uint8_t *content)
{
  const HashPart sig = { reply_sig, IDENTITY_SIG_LEN };
  uint8_t aad[crypto_hash_sha512_BYTES];

  return box_len <= DOOR_MAX_PROOF + DOOR_BOX_OVERHEAD
         && hash_transcript (transcript, &sig, 1, aad)
         && open_box (
             isk, "conclave/1 joiner box", aad, box, box_len, content);
}

bool
door_seal_admit (const DoorTranscript *transcript, const uint8_t *isk,
    const uint8_t *reply_sig, const uint8_t *tag, const uint8_t *proof_box,
    size_t proof_box_len, const uint8_t *nonce, const uint8_t *content,
    size_t len, uint8_t *box)
{
  const HashPart parts[] = { { reply_sig, IDENTITY_SIG_LEN },
    { tag, CPACE_TAG_LEN }, { proof_box, proof_box_len } };
  uint8_t aad[crypto_hash_sha512_BYTES];

  return len <= DOOR_MAX_ADMIT
         && proof_box_len <= DOOR_MAX_PROOF + DOOR_BOX_OVERHEAD
         && hash_transcript (transcript, parts, 3, aad)
         && seal_box (
             isk, "conclave/1 host box", aad, nonce, content, len, box);
}

bool
door_open_admit (const DoorTranscript *transcript, const uint8_t *isk,
    const uint8_t *reply_sig, const uint8_t *tag, const uint8_t *proof_box,
    size_t proof_box_len, const uint8_t *box, size_t box_len, uint8_t *content)
{
  const HashPart parts[] = { { reply_sig, IDENTITY_SIG_LEN },
    { tag, CPACE_TAG_LEN }, { proof_box, proof_box_len } };
  uint8_t aad[crypto_hash_sha512_BYTES];

  return box_len <= DOOR_MAX_ADMIT + DOOR_BOX_OVERHEAD
         && proof_box_len <= DOOR_MAX_PROOF + DOOR_BOX_OVERHEAD
         && hash_transcript (transcript, parts, 3, aad)
         && open_box (isk, "conclave/1 host box", aad, box, box_len, content);
}

void
door_write_proof (Writer *w, const DoorProof *proof)
{
  if (proof->key_package_len == 0
      || proof->key_package_len > DOOR_MAX_KEY_PACKAGE)
    w->failed = true;
  lv_write (w, proof->key_package, proof->key_package_len);
  lv_write (w, proof->sig, IDENTITY_SIG_LEN);
}

bool
door_parse_proof (Reader in, DoorProof *out)
{
  Reader key_package = lv_read (&in, DOOR_MAX_KEY_PACKAGE);
  size_t len = reader_left (&key_package);
  const uint8_t *bytes = reader_take (&key_package, len),
                *sig = lv_take (&in, IDENTITY_SIG_LEN);

  if (!reader_done (&in) || len == 0)
    return false;
  *out = (DoorProof){ bytes, len, sig };
  return true;
}

static const char *const refusals[] = {
  [DOOR_WRONG_PASSWORD] = "wrong-password",
  [DOOR_DENIED] = "denied",
  [DOOR_LOCKED] = "locked",
  [DOOR_FULL] = "full",
  [DOOR_REMOVED] = "removed",
  [DOOR_RECORDING_FORBIDDEN] = "recording-forbidden",
  [DOOR_CLOCK] = "clock",
  [DOOR_VERSION] = "version",
};

const char *
door_refusal_name (DoorRefusal refusal)
{
  return refusal >= DOOR_WRONG_PASSWORD && refusal <= DOOR_LAST_REFUSAL
             ? refusals[refusal]
             : NULL;
}

bool
door_refusal_from_name (const char *name, DoorRefusal *out)
{
  for (int i = DOOR_WRONG_PASSWORD; i <= DOOR_LAST_REFUSAL; i++)
    if (strcmp (name, refusals[i]) == 0) {
      *out = (DoorRefusal) i;
      return true;
    }
  return false;
}

/* What may stand in a box: a skew belongs to `clock` alone, and a wrong password has no box. */
static bool
refusal_is_sound (DoorRefusal refusal, int64_t skew)
{
  return refusal > DOOR_WRONG_PASSWORD && refusal <= DOOR_LAST_REFUSAL
         && (refusal == DOOR_CLOCK || skew == 0);
}

void
door_write_admit (Writer *w, const DoorAdmit *admit)
{
  lv_write_uint (w, admit->admitted, 1);
  if (admit->admitted) {
    if (admit->tracks_len > DOOR_MAX_TRACKS)
      w->failed = true;
    lv_write (w, admit->welcome_hash, DOOR_HASH_LEN);
    lv_write (w, admit->tracks, admit->tracks_len);
  } else {
    if (!refusal_is_sound (admit->refusal, admit->skew))
      w->failed = true;
    lv_write_uint (w, admit->refusal, 1);
    lv_write_uint (w, (uint64_t) admit->skew, 8);
  }
}

bool
door_parse_admit (Reader in, DoorAdmit *out)
{
  DoorAdmit admit = { 0 };
  uint64_t kind = lv_take_uint (&in, 1);

  if (kind == 1) {
    const uint8_t *hash = lv_take (&in, DOOR_HASH_LEN);
    Reader tracks = lv_read (&in, DOOR_MAX_TRACKS);
    admit.admitted = true;
    admit.tracks_len = reader_left (&tracks);
    admit.tracks = reader_take (&tracks, admit.tracks_len);
    if (hash)
      memcpy (admit.welcome_hash, hash, DOOR_HASH_LEN);
  } else {
    admit.refusal = (DoorRefusal) lv_take_uint (&in, 1);
    uint64_t skew = lv_take_uint (&in, 8);
    memcpy (&admit.skew, &skew, sizeof skew);
    if (!refusal_is_sound (admit.refusal, admit.skew))
      return false;
  }
  if (!reader_done (&in) || kind > 1)
    return false;
  *out = admit;
  return true;
}

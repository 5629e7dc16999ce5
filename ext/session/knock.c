/* The door, from outside: knock, reply, proof, admit, Welcome, each with its checks in the protocol's order (section 3).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

#define BACK_S 3600      /* our key packages' lifetime: from an hour ago, */
#define AHEAD_S 86400    /* for a day */
#define REPLY_MS 40000   /* without a word from anybody: knock again */
#define WELCOME_MS 10000 /* from admit to the Welcome */
#define FAILED_MS 5000   /* after a run that a check stopped */
#define AGAIN_MIN_MS 250

static const uint16_t extension_types[] = { POLICY_EXTENSION, ROLE_EXTENSION };

MlsClient
session_mls_client (const Session *session, MlsSuite suite, MlsExtension *role,
    uint8_t *role_byte)
{
  uint64_t now = session->wall / 1000;

  *role_byte = (uint8_t) session->role;
  *role = (MlsExtension){ ROLE_EXTENSION, { role_byte, 1 } };
  return (MlsClient){ .suite = suite,
    .signature_seed = session->seed,
    .credential = { (const uint8_t *) session->name, strlen (session->name) },
    .extension_types = extension_types,
    .n_extension_types = G_N_ELEMENTS (extension_types),
    .leaf_extensions = role,
    .n_leaf_extensions = 1,
    .not_before = now > BACK_S ? now - BACK_S : 0,
    .not_after = now + AHEAD_S };
}

void
knock_clear (Session *session)
{
  Knock *knock = &session->knock;
  unsigned proofs = knock->proofs;

  cpace_free (knock->cpace);
  for (size_t i = 0; i < G_N_ELEMENTS (knock->key_packages); i++)
    mls_key_package_free (knock->key_packages[i]);
  blob_clear (&knock->box);
  blob_clear (&knock->tracks);
  blob_clear (&knock->welcome);
  *knock = (Knock){ .proofs = proofs, .at = UINT64_MAX };
}

void
knock_begin (Session *session, uint64_t at)
{
  knock_clear (session);
  session->knock.stage = KNOCK_WISHED;
  session->knock.at = at;
  if (session->state != SESSION_REJOINING)
    session_enter (session, SESSION_KNOCKING, 0, 0);
  if (at <= session->mono)
    knock_send (session);
}

/* What a run came to nothing by: the next, by itself if the host is pinned or has learnt nothing. */
void
knock_again (Session *session, uint64_t after)
{
  Knock *knock = &session->knock;
  bool proved = knock->stage >= KNOCK_PROVED, verified = knock->verified;

  if (knock->stage == KNOCK_NONE)
    return;
  if (!SESSION_CHECK (
          ONE_RUN_PER_ACT, !proved || verified || knock->proofs == 0)) {
    knock_clear (session);
    session_enter (session, SESSION_AGAIN, 0, 0);
    return;
  }
  if (!proved && hub_turned_away (session))
    return;
  knock_begin (session, session->mono + MAX (after, AGAIN_MIN_MS));
}

static void
fail (Session *session)
{
  session->stats.unexpected++;
  knock_again (session, FAILED_MS);
}

/* The one of `suite`. */
static MlsKeyPackage *
find_key_package (const Knock *knock, uint16_t suite)
{
  for (size_t i = 0; i < knock->offers.count; i++)
    if (knock->offers.offers[i].suite == suite)
      return knock->key_packages[i];
  return NULL;
}

static bool
make_offers (Session *session)
{
  Knock *knock = &session->knock;
  MlsSuite other = session->suite == MLS_SUITE_AES_128_GCM
                       ? MLS_SUITE_CHACHA20_POLY1305
                       : MLS_SUITE_AES_128_GCM;
  const MlsSuite suites[] = { session->suite, other };

  for (size_t i = 0; i < G_N_ELEMENTS (suites); i++) {
    MlsExtension role;
    uint8_t role_byte;
    MlsClient client =
        session_mls_client (session, suites[i], &role, &role_byte);
    if (mls_key_package_new (&client, &knock->key_packages[i]) != MLS_OK)
      return false;
    knock->offers.offers[i].suite = (uint16_t) suites[i];
    memcpy (knock->offers.offers[i].key_package_ref,
        mls_key_package_own_ref (knock->key_packages[i]), DOOR_REF_LEN);
    knock->offers.count++;
  }
  randombytes_buf (knock->offers.nonce, DOOR_NONCE_LEN);
  return true;
}

void
knock_send (Session *session)
{
  Knock *knock = &session->knock;
  DoorTranscript *t = &knock->transcript;
  WireMessage m = { .type = WIRE_KNOCK };
  uint8_t ci[DOOR_MAX_CI], sig[IDENTITY_SIG_LEN];

  if (session->hub.stage < HUB_GUEST || knock->stage != KNOCK_WISHED)
    return;
  size_t ci_len = door_ci (session->link.meeting, ci);
  g_strlcpy (t->meeting, session->link.meeting, sizeof t->meeting);
  randombytes_buf (t->sid, DOOR_SID_LEN);
  knock->cpace = cpace_new (CPACE_INITIATOR, session->password, ci, ci_len,
      t->sid, DOOR_SID_LEN, NULL);
  if (!knock->cpace || !make_offers (session)) {
    session_finish (session, SESSION_DENIED, WIRE_CODE_BUSY, 0);
    return;
  }
  memcpy (t->ya, cpace_share (knock->cpace), CPACE_SHARE_LEN);
  Writer w = writer_init (t->ada, sizeof t->ada);
  door_write_knock (&w, &knock->offers);
  t->ada_len = writer_len (&w);

  memcpy (m.knock.sid, t->sid, DOOR_SID_LEN);
  memcpy (m.knock.ya, t->ya, CPACE_SHARE_LEN);
  m.knock.ada = (Blob){ t->ada, t->ada_len };
  if (session->was_member && door_sign_knock (session->identity, t, sig)) {
    m.knock.key = (Blob){ (uint8_t *) self_key (session), IDENTITY_KEY_LEN };
    m.knock.sig = (Blob){ sig, sizeof sig };
  }
  out_text (session, &m);
  knock->stage = KNOCK_SENT;
  knock->at = session->mono + REPLY_MS;
}

/* ---- reply ---- */

/* Whether the host is one that we were told to expect: "`#host`, or the owner/admins of the group it was in". */
static bool
is_expected_host (const Session *session, const DoorReply *reply, Blob chain)
{
  DoorChain parsed;

  if (session->was_member
      && policy_is_admin (&session->policy, reply->host_key))
    return true;
  return session->pinned
         && door_parse_chain (reader_init (chain.data, chain.len), &parsed)
         && door_chain_leads_to (&parsed, session->pin, session->link.meeting,
             reply->group_id, reply->host_key);
}

static bool
check_reply (Session *session, const WireMessage *m)
{
  Knock *knock = &session->knock;
  DoorTranscript *t = &knock->transcript;
  DoorReply *reply = &knock->reply;
  const uint8_t *own = self_key (session);

  if (!door_parse_reply (
          reader_init (m->reply.adb.data, m->reply.adb.len), reply))
    return false;
  if (!SESSION_CHECK (
          REPLY_SUITE, door_find_offer (&knock->offers, reply->suite) != NULL))
    return false;
  if (!SESSION_CHECK (REPLY_OWN_KEY, !key_equal (reply->host_key, own)))
    return false;
  if (!SESSION_CHECK (REPLY_SIGNATURE,
          door_verify_reply (reply->host_key, t, m->reply.sig)))
    return false;
  knock->verified = is_expected_host (session, reply, m->reply.chain);
  /* With the password alone, whoever knows it may be the host: host-verified says so. */
  if (!SESSION_CHECK (REPLY_CHAIN, knock->verified || !session->pinned))
    return false;
  /* Only into that group; but the owner itself may have opened a newer one since, and signs its name here. */
  return SESSION_CHECK (
      REPLY_GROUP, !session->reopening
                       || memcmp (reply->group_id, session->reopened_group,
                              DOOR_GROUP_ID_LEN)
                              == 0
                       || policy_is_owner (&session->policy, reply->host_key));
}

static bool
send_proof (Session *session)
{
  Knock *knock = &session->knock;
  DoorTranscript *t = &knock->transcript;
  MlsKeyPackage *key_package = find_key_package (knock, knock->reply.suite);
  uint8_t content[DOOR_MAX_PROOF], sig[IDENTITY_SIG_LEN];
  WireMessage m = { .type = WIRE_PROOF };

  if (!key_package
      || !door_sign_proof (session->identity, t, knock->reply_sig, sig))
    return false;
  MlsSlice bytes = mls_key_package_message (key_package);
  DoorProof proof = { bytes.data, bytes.len, sig };
  Writer w = writer_init (content, sizeof content);
  door_write_proof (&w, &proof);
  knock->box.len = writer_len (&w) + DOOR_BOX_OVERHEAD;
  knock->box.data = g_malloc (knock->box.len);
  memcpy (knock->tag, cpace_tag (knock->cpace), CPACE_TAG_LEN);
  if (w.failed
      || !door_seal_proof (t, cpace_isk (knock->cpace), knock->reply_sig, NULL,
          content, writer_len (&w), knock->box.data))
    return false;
  memcpy (m.box.tag, knock->tag, CPACE_TAG_LEN);
  m.box.box = knock->box;
  out_text (session, &m);
  return true;
}

void
knock_reply (Session *session, const WireMessage *m)
{
  Knock *knock = &session->knock;
  DoorTranscript *t = &knock->transcript;

  if (!SESSION_CHECK (REPLY_SID, knock->stage == KNOCK_SENT)
      || !knock->cpace) {
    session->stats.unexpected++;
    return;
  }
  session->hub.turned_away = 0;
  memcpy (t->yb, m->reply.yb, CPACE_SHARE_LEN);
  memcpy (t->adb, m->reply.adb.data, DOOR_ADB_LEN);
  memcpy (knock->reply_sig, m->reply.sig, IDENTITY_SIG_LEN);
  if (!check_reply (session, m)
      || !cpace_derive (
          knock->cpace, t->yb, t->ada, t->ada_len, t->adb, DOOR_ADB_LEN)) {
    fail (session);
    return;
  }
  /* Each Ta towards a host that nothing pins is a guess that this host may check: one for each act of the user. */
  if (!SESSION_CHECK (
          ONE_RUN_PER_ACT, knock->verified || knock->proofs == 0)) {
    knock_clear (session);
    session_enter (session, SESSION_AGAIN, 0, 0);
    return;
  }
  knock->reply_difference =
      (int64_t) session->mono - (int64_t) MIN (knock->reply.t, LIMIT_NUMBER);
  if (!send_proof (session)) {
    fail (session);
    return;
  }
  if (!knock->verified)
    knock->proofs++;
  knock->stage = KNOCK_PROVED;
  knock->at = session->mono + REPLY_MS;
}

/* ---- admit, Welcome ---- */

static void
join (Session *session)
{
  Knock *knock = &session->knock;
  uint8_t hash[DOOR_HASH_LEN];
  MlsSettings settings = { 256, MLS_MAX_PAST_EPOCHS, 0 };
  MlsGroup *group = NULL;
  Policy policy;
  bool ok = false;
  WireCode code = WIRE_CODE_MALFORMED;

  if (knock->stage != KNOCK_ADMITTED || !knock->welcome.data
      || !knock->have_seq)
    return;
  crypto_hash_sha256 (hash, knock->welcome.data, knock->welcome.len);
  MlsSlice welcome = mls_slice (knock->welcome.data, knock->welcome.len);
  MlsKeyPackage *key_package = find_key_package (knock, knock->reply.suite);
  if (SESSION_CHECK (
          WELCOME_HASH, memcmp (hash, knock->welcome_hash, DOOR_HASH_LEN) == 0)
      && key_package
      && mls_group_join (
             key_package, welcome, (MlsSlice){ 0 }, NULL, 0, &settings, &group)
             == MLS_OK)
    code = welcome_check (session, group, knock, &policy, &ok);
  if (!ok) {
    mls_group_free (group);
    if (code == WIRE_CODE_VERSION)
      session_finish (session, SESSION_DENIED, code, 0);
    else
      fail (session);
    return;
  }

  /* Taken out of the knock, which ends here. */
  Blob tracks = knock->tracks;
  DoorReply reply = knock->reply;
  int64_t difference = knock->reply_difference;
  knock->tracks = (Blob){ 0 };
  identity_fingerprint (reply.host_key, session->host);
  session->have_host = true;
  session->host_verified = knock->verified;
  session->hub.seq = session->hub.acked = knock->seq;
  hub_enter_room (session);
  knock_clear (session);
  session->knock.proofs = 0;
  session->reopening = false;
  order_take_group (session, group, &policy);
  if (session_is_over (session)) {
    blob_clear (&tracks);
    return;
  }
  talk_read_snapshot (session, &tracks);
  blob_clear (&tracks);
  beat_first (session, roster_find (session, reply.host_key), difference);
  talk_announce (session);
  admin_name_all (session);
  admin_enforce (session);
  if (admin_is (session) && !session->hub.attending)
    hub_attend (session);
  else if (session->hub.attending) {
    hub_tell_admins (session);
    hub_credits (session);
  }
}

void
knock_admit (Session *session, const WireMessage *m)
{
  Knock *knock = &session->knock;
  DoorAdmit admit;

  if (knock->stage != KNOCK_PROVED) {
    session->stats.unexpected++;
    return;
  }
  if (!SESSION_CHECK (ADMIT_TAG, cpace_confirm (knock->cpace, m->box.tag))) {
    fail (session);
    return;
  }
  size_t len = m->box.box.len - DOOR_BOX_OVERHEAD;
  uint8_t *content = g_malloc0 (len + 1);
  const uint8_t *isk = cpace_isk (knock->cpace);
  bool opened = isk
                && door_open_admit (&knock->transcript, isk, knock->reply_sig,
                    knock->tag, knock->box.data, knock->box.len,
                    m->box.box.data, m->box.box.len, content);
  if (!SESSION_CHECK (ADMIT_BOX, opened)
      || !door_parse_admit (reader_init (content, len), &admit)) {
    g_free (content);
    fail (session);
    return;
  }
  if (!admit.admitted) {
    DoorRefusal refusal = admit.refusal;
    int64_t skew = admit.skew;
    g_free (content);
    knock_refused (session, (WireCode) refusal, skew);
    return;
  }
  memcpy (knock->welcome_hash, admit.welcome_hash, DOOR_HASH_LEN);
  knock->tracks = blob_copy (admit.tracks, admit.tracks_len);
  g_free (content);
  knock->stage = KNOCK_ADMITTED;
  knock->at = session->mono + WELCOME_MS;
  join (session);
}

void
knock_admitted (Session *session, const WireMessage *m)
{
  Knock *knock = &session->knock;

  if (session->hub.attaching) {
    hub_attached (session, m);
    return;
  }
  if (knock->stage < KNOCK_PROVED || m->peer != session->hub.peer) {
    session->stats.unexpected++;
    return;
  }
  hub_new_room (session, m->admitted.room, m->admitted.seq);
  knock->have_seq = true;
  knock->seq = m->admitted.seq;
  join (session);
}

void
knock_welcome (Session *session, uint64_t seq, MlsSlice welcome)
{
  Knock *knock = &session->knock;

  if (knock->stage < KNOCK_PROVED) {
    session->stats.unexpected++;
    return;
  }
  blob_clear (&knock->welcome);
  knock->welcome = blob_copy (welcome.data, welcome.len);
  knock->welcome_seq = seq;
  join (session);
}

void
knock_refused (Session *session, WireCode code, int64_t skew)
{
  if (session->knock.stage < KNOCK_SENT) {
    session->stats.unexpected++;
    return;
  }
  session_finish (session, SESSION_DENIED, code, skew);
}

bool
session_knock_again (Session *session)
{
  if (session->state != SESSION_AGAIN)
    return false;
  session->knock.proofs = 0;
  knock_begin (session, session->mono);
  return true;
}

void
knock_tick (Session *session)
{
  Knock *knock = &session->knock;

  if (session->mono < knock->at)
    return;
  if (knock->stage == KNOCK_WISHED)
    knock_send (session);
  else if (knock->stage != KNOCK_NONE)
    knock_again (session, 0);
}

uint64_t
knock_deadline (const Session *session)
{
  const Knock *knock = &session->knock;
  bool can_send = session->hub.stage >= HUB_GUEST;

  if (knock->stage == KNOCK_NONE
      || (knock->stage == KNOCK_WISHED && !can_send))
    return UINT64_MAX;
  return knock->at;
}

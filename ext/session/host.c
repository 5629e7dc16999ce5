/* The door, from inside: an admin's client answers knocks, checks proofs, and lets in whom a rule or a person let in
 * (section 3).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

#define SAFE_LIFETIME LIMIT_LIFETIME_S

void
guest_free (Guest *guest)
{
  cpace_free (guest->cpace);
  blob_clear (&guest->box);
  blob_clear (&guest->key_package);
  payment_clear (&guest->payment);
  g_free (guest);
}

static Guest *
find_guest (const Session *session, uint64_t peer)
{
  for (guint i = 0; i < session->guests->len; i++) {
    Guest *guest = g_ptr_array_index (session->guests, i);
    if (guest->peer == peer)
      return guest;
  }
  return NULL;
}

static size_t
count_guests (const Session *session, bool replied)
{
  size_t n = 0;
  for (guint i = 0; i < session->guests->len; i++)
    n += (((Guest *) g_ptr_array_index (session->guests, i))->stage
             == GUEST_REPLIED)
         == replied;
  return n;
}

size_t
host_replied (const Session *session)
{
  return count_guests (session, true);
}

/* Forgets a guest, whose run is over. */
static void
drop (Session *session, Guest *guest)
{
  bool asked = guest->stage == GUEST_ASKED;
  uint64_t peer = guest->peer;

  g_ptr_array_remove_fast (session->guests, guest); /* frees */
  if (asked)
    out_event (session, SESSION_EVENT_KNOCK_GONE)->peer = peer;
  hub_credits (session);
}

static void
send_again (Session *session, uint64_t peer, uint64_t after)
{
  WireMessage m = { .type = WIRE_AGAIN, .peer = peer, .after = after };
  out_text (session, &m);
}

/* ---- knock ---- */

/* The key of a member, or of somebody else we would let in at once, who signed this knock: it has a budget of its own. */
static const uint8_t *
known_key (
    const Session *session, const WireMessage *m, const DoorTranscript *t)
{
  const uint8_t *key = m->knock.key.data;

  if (!key
      || !(policy_is_admin (&session->policy, key)
           || roster_find (session, key)))
    return NULL;
  return SESSION_CHECK (KNOCK_MEMBER_SIGNATURE,
             door_verify_knock (key, t, m->knock.sig.data))
             ? key
             : NULL;
}

static bool
write_reply (Session *session, Guest *guest)
{
  DoorTranscript *t = &guest->transcript;
  MlsSlice group_id = mls_epoch_group_id (mls_group_epoch (session->group));
  DoorReply reply = { .suite = guest->suite, .t = session->mono };
  WireMessage m = { .type = WIRE_REPLY, .peer = guest->peer };
  uint8_t chain[DOOR_MAX_CHAIN];

  memcpy (reply.host_key, self_key (session), IDENTITY_KEY_LEN);
  memcpy (reply.group_id, group_id.data, DOOR_GROUP_ID_LEN);
  randombytes_buf (reply.nonce, DOOR_NONCE_LEN);
  Writer w = writer_init (t->adb, sizeof t->adb);
  door_write_reply (&w, &reply);
  memcpy (t->yb, cpace_share (guest->cpace), CPACE_SHARE_LEN);
  if (w.failed
      || !cpace_derive (
          guest->cpace, t->ya, t->adb, DOOR_ADB_LEN, t->ada, t->ada_len)
      || !door_sign_reply (session->identity, t, guest->reply_sig))
    return false;

  w = writer_init (chain, sizeof chain);
  door_write_chain (&w, &session->chain);
  memcpy (m.reply.yb, t->yb, CPACE_SHARE_LEN);
  m.reply.adb = (Blob){ t->adb, DOOR_ADB_LEN };
  m.reply.chain = (Blob){ chain, writer_len (&w) };
  memcpy (m.reply.sig, guest->reply_sig, IDENTITY_SIG_LEN);
  out_text (session, &m);
  session->stats.replies++;
  return true;
}

static bool
read_knock (Session *session, const WireMessage *m, Guest *guest)
{
  DoorTranscript *t = &guest->transcript;

  if (!door_parse_knock (
          reader_init (m->knock.ada.data, m->knock.ada.len), &guest->knock))
    return false;
  g_strlcpy (t->meeting, session->link.meeting, sizeof t->meeting);
  memcpy (t->sid, m->knock.sid, DOOR_SID_LEN);
  memcpy (t->ya, m->knock.ya, CPACE_SHARE_LEN);
  memcpy (t->ada, m->knock.ada.data, m->knock.ada.len);
  t->ada_len = m->knock.ada.len;
  guest->suite = (uint16_t) mls_epoch_suite (mls_group_epoch (session->group));
  return true;
}

void
host_knock (Session *session, const WireMessage *m)
{
  uint8_t ci[DOOR_MAX_CI];
  Guest *before = find_guest (session, m->peer);

  session->hub.knocks++;
  session->stats.knocks++;
  /* A place has one run; what it began before is over. */
  if (before && before->stage != GUEST_COMMITTED)
    drop (session, before);
  else if (before)
    before->peer = 0; /* the commit is out; nobody waits for its admit */
  if (!session->group || !admin_is (session)
      || host_replied (session) >= LIMIT_KNOCKS_OUT) {
    send_again (session, m->peer, LIMIT_REFUSED_AGAIN_MS);
    return;
  }

  Guest *guest = g_new0 (Guest, 1);
  guest->peer = m->peer;
  guest->deadline = session->mono + LIMIT_PROOF_MS;
  if (!read_knock (session, m, guest)
      || !SESSION_CHECK (KNOCK_SID_ONCE,
          !seen_has (&session->sids, m->knock.sid, DOOR_SID_LEN))) {
    out_error (session, m->peer, WIRE_CODE_MALFORMED);
    goto refused;
  }
  seen_add (&session->sids, m->knock.sid, DOOR_SID_LEN);
  if (!door_find_offer (&guest->knock, guest->suite)) {
    out_error (session, m->peer, WIRE_CODE_VERSION);
    goto refused;
  }
  const uint8_t *member = known_key (session, m, &guest->transcript);
  /* Who is pinned to another key would refuse our reply: another admin, or we a little later, can do better. */
  if (!member && !admin_can_show (session)) {
    send_again (session, m->peer, LIMIT_REFUSED_AGAIN_MS);
    goto refused;
  }
  if (!SESSION_CHECK (KNOCK_BUDGET,
          budget_pay (&session->budget, m->knock.source, member,
              admin_count (session), session->mono, &guest->payment))) {
    session->stats.over_budget++;
    send_again (session, m->peer, LIMIT_SOURCE_MS);
    goto refused;
  }
  size_t ci_len = door_ci (session->link.meeting, ci);
  guest->cpace = cpace_new (CPACE_RESPONDER, session->password, ci, ci_len,
      m->knock.sid, DOOR_SID_LEN, NULL);
  if (!guest->cpace || !write_reply (session, guest)) {
    out_error (session, m->peer, WIRE_CODE_MALFORMED);
    goto refused;
  }
  g_ptr_array_add (session->guests, guest);
  return;

refused:
  guest_free (guest);
  hub_credits (session);
}

/* ---- proof ---- */

/* A refusal in a box, for the joiner alone. */
void
host_refuse (Session *session, Guest *guest, DoorRefusal refusal, int64_t skew)
{
  uint8_t content[64];
  Writer w = writer_init (content, sizeof content);
  DoorAdmit admit = { .refusal = refusal, .skew = skew };
  WireMessage m = { .type = WIRE_ADMIT, .peer = guest->peer };

  door_write_admit (&w, &admit);
  size_t len = writer_len (&w);
  uint8_t box[sizeof content + DOOR_BOX_OVERHEAD];
  if (!w.failed
      && door_seal_admit (&guest->transcript, cpace_isk (guest->cpace),
          guest->reply_sig, guest->tag, guest->box.data, guest->box.len, NULL,
          content, len, box)) {
    memcpy (m.box.tag, cpace_tag (guest->cpace), CPACE_TAG_LEN);
    m.box.box = (Blob){ box, len + DOOR_BOX_OVERHEAD };
    out_text (session, &m);
  }
  session->stats.refused++;
  drop (session, guest);
}

/* Reads boxJ's key package and makes the guest who it says it is. False: malformed, and nothing is answered in a box. */
static bool
check_key_package (Session *session, Guest *guest, const DoorProof *proof,
    MlsKeyPackageView *view)
{
  LeafFacts facts = { 0 };
  uint8_t ref[DOOR_REF_LEN];
  const DoorOffer *offer = door_find_offer (&guest->knock, guest->suite);
  MlsSlice message = mls_slice (proof->key_package, proof->key_package_len);

  bool sound = mls_key_package_inspect (message, 0, view, ref) == MLS_OK;
  if (!sound)
    return false;
  if (!SESSION_CHECK (PROOF_KEY_PACKAGE,
          view->suite == guest->suite && leaf_read (&view->leaf, &facts)))
    return false;
  if (!SESSION_CHECK (PROOF_REF,
          offer && memcmp (ref, offer->key_package_ref, DOOR_REF_LEN) == 0))
    return false;
  if (!SESSION_CHECK (PROOF_SIGNATURE,
          door_verify_proof (view->leaf.signature_key.data, &guest->transcript,
              guest->reply_sig, proof->sig)))
    return false;
  leaf_read (&view->leaf, &facts);
  if (!SESSION_CHECK (
          PROOF_NAME, name_is_normal (facts.name, strlen (facts.name))))
    return false;
  if (!facts.key || key_equal (facts.key, self_key (session)))
    return false;
  memcpy (guest->ref, ref, DOOR_REF_LEN);
  memcpy (guest->key, facts.key, IDENTITY_KEY_LEN);
  g_strlcpy (guest->name, facts.name, sizeof guest->name);
  guest->role = facts.role;
  guest->key_package = blob_copy (message.data, message.len);
  return true;
}

/* How far the joiner's clock is off when the lifetime does not hold; only the adding admin ever looks at one. */
static bool
check_lifetime (
    const Session *session, const MlsKeyPackageView *view, int64_t *skew)
{
  uint64_t now = session->wall / 1000, from = view->leaf.not_before,
           to = view->leaf.not_after;

  *skew = 0;
  if (now < from)
    *skew = (int64_t) (MIN (from - now, LIMIT_NUMBER / 1000) * 1000);
  else if (now > to)
    *skew = -(int64_t) (MIN (now - to, LIMIT_NUMBER / 1000) * 1000);
  return *skew == 0 && now - from <= SAFE_LIFETIME
         && to - now <= SAFE_LIFETIME;
}

static bool
is_listed (
    uint8_t (*list)[IDENTITY_FINGERPRINT_LEN], size_t n, const uint8_t *key)
{
  uint8_t fingerprint[IDENTITY_FINGERPRINT_LEN];

  identity_fingerprint (key, fingerprint);
  for (size_t i = 0; i < n; i++)
    if (memcmp (list[i], fingerprint, sizeof fingerprint) == 0)
      return true;
  return false;
}

typedef enum
{
  RULE_ADMIT,
  RULE_ASK,
  RULE_REFUSE
} Rule;

static Rule
refuse_for (DoorRefusal refusal, DoorRefusal *out)
{
  *out = refusal;
  return RULE_REFUSE;
}

static Rule
by_admission (const Session *session, const Guest *guest, DoorRefusal *refusal)
{
  switch (session->policy.admission) {
    case ADMISSION_PASSWORD:
      return session->password && !session->held ? RULE_ADMIT : RULE_ASK;
    case ADMISSION_OPEN:
      return session->held ? RULE_ASK : RULE_ADMIT;
    case ADMISSION_ALLOW_LIST:
      if (is_listed (session->allow_list, session->n_allow_list, guest->key))
        return RULE_ADMIT;
      /* A co-host may have no list: then a person decides. */
      return session->n_allow_list > 0 ? refuse_for (DOOR_DENIED, refusal)
                                       : RULE_ASK;
    default:
      return RULE_ASK;
  }
}

/* "a rule or a person decides": what the rules say of somebody who has proved who it is. */
static Rule
apply_rules (const Session *session, const Guest *guest, DoorRefusal *refusal)
{
  const Policy *policy = &session->policy;
  const Member *member = roster_find (session, guest->key);
  bool is_admin = policy_is_admin (policy, guest->key);
  GBytes *key = g_bytes_new_static (guest->key, IDENTITY_KEY_LEN);
  gpointer recorded = g_hash_table_lookup (session->record_admitted, key);
  g_bytes_unref (key);

  if (!SESSION_CHECK (
          REMOVED_KEY, policy_is_owner (policy, guest->key)
                           || !admin_removed_key (session, guest->key)))
    return refuse_for (DOOR_REMOVED, refusal);
  if (guest->role == ROLE_RECORDER && policy->recording == WHO_NOBODY)
    return refuse_for (DOOR_RECORDING_FORBIDDEN, refusal);
  /* Who is in the group and comes back is not queued again; nor is an admin, whom lock and queue never keep out. */
  if (member && member->role == guest->role)
    return RULE_ADMIT;
  if (is_admin && guest->role == ROLE_PARTICIPANT)
    return RULE_ADMIT;
  if (policy->locked && !is_admin)
    return refuse_for (DOOR_LOCKED, refusal);
  if (!member && session->members->len >= policy->max_members)
    return refuse_for (DOOR_FULL, refusal);
  if (GPOINTER_TO_INT (recorded) == (int) guest->role)
    return RULE_ADMIT;
  if (guest->role == ROLE_RECORDER) {
    if (is_listed (session->recorders, session->n_recorders, guest->key))
      return RULE_ADMIT;
    if (policy->recording != WHO_EVERYONE)
      return RULE_ASK;
  }
  return by_admission (session, guest, refusal);
}

static void
accept (Session *session, Guest *guest)
{
  bool asked = guest->stage == GUEST_ASKED;

  guest->stage = GUEST_ACCEPTED;
  guest->decided = true;
  if (asked)
    out_event (session, SESSION_EVENT_KNOCK_GONE)->peer = guest->peer;
  commits_want (session, false);
  hub_credits (session);
}

static void
ask (Session *session, Guest *guest)
{
  WireMessage m = { .type = WIRE_WAITING, .peer = guest->peer };

  guest->stage = GUEST_ASKED;
  guest->decided = false;
  out_text (session, &m);
  SessionEvent *event = out_event (session, SESSION_EVENT_KNOCK);
  event->peer = guest->peer;
  roster_describe_guest (session, guest, &event->member);
  commits_want (session, false);
  hub_credits (session);
}

/* The same identity at another place: that run is superseded, or else one key would be added twice. */
static void
supersede (Session *session, const Guest *guest)
{
  for (guint i = session->guests->len; i > 0; i--) {
    Guest *other = g_ptr_array_index (session->guests, i - 1);
    if (other != guest
        && (other->stage == GUEST_ASKED || other->stage == GUEST_ACCEPTED)
        && key_equal (other->key, guest->key))
      drop (session, other);
  }
}

static void
take_proof (Session *session, Guest *guest)
{
  size_t len = guest->box.len - DOOR_BOX_OVERHEAD;
  uint8_t *content = g_malloc0 (len + 1);
  const uint8_t *isk = cpace_isk (guest->cpace);
  DoorProof proof;
  MlsKeyPackageView view;
  DoorRefusal refusal = DOOR_DENIED;
  int64_t skew;

  bool opened = isk
                && door_open_proof (&guest->transcript, isk, guest->reply_sig,
                    guest->box.data, guest->box.len, content);
  bool ok = SESSION_CHECK (PROOF_BOX, opened)
            && door_parse_proof (reader_init (content, len), &proof)
            && check_key_package (session, guest, &proof, &view);
  if (ok
      && !SESSION_CHECK (PROOF_REF_ONCE,
          !seen_has (&session->refs, guest->ref, DOOR_REF_LEN)))
    ok = false;
  if (!ok) {
    g_free (content);
    out_error (session, guest->peer, WIRE_CODE_MALFORMED);
    session->stats.refused++;
    drop (session, guest);
    return;
  }
  seen_add (&session->refs, guest->ref, DOOR_REF_LEN);
  bool in_time =
      SESSION_CHECK (PROOF_LIFETIME, check_lifetime (session, &view, &skew));
  g_free (content);
  if (!in_time) {
    host_refuse (session, guest, DOOR_CLOCK, skew);
    return;
  }
  supersede (session, guest);
  switch (apply_rules (session, guest, &refusal)) {
    case RULE_ADMIT:
      accept (session, guest);
      break;
    case RULE_ASK:
      if (count_guests (session, false) > LIMIT_WAITING) {
        send_again (session, guest->peer, LIMIT_PROOF_MS);
        drop (session, guest);
      } else {
        ask (session, guest);
      }
      break;
    default:
      host_refuse (session, guest, refusal, 0);
  }
}

void
host_proof (Session *session, const WireMessage *m)
{
  Guest *guest = find_guest (session, m->peer);

  if (!guest || !SESSION_CHECK (PROOF_IN_TIME, guest->stage == GUEST_REPLIED)
      || guest->box.data) {
    session->stats.unexpected++;
    return;
  }
  memcpy (guest->tag, m->box.tag, CPACE_TAG_LEN);
  guest->box = blob_copy (m->box.box.data, m->box.box.len);
  if (!SESSION_CHECK (PROOF_TAG, cpace_confirm (guest->cpace, m->box.tag))) {
    session->stats.wrong_tags++;
    session->stats.refused++;
    out_error (session, guest->peer, WIRE_CODE_WRONG_PASSWORD);
    drop (session, guest);
    return;
  }
  budget_refund (&session->budget, &guest->payment, admin_count (session));
  take_proof (session, guest);
}

/* ---- Decisions ---- */

bool
host_decide (Session *session, uint64_t peer, bool admit)
{
  Guest *guest = find_guest (session, peer);
  DoorRefusal refusal = DOOR_DENIED;

  if (!guest || guest->stage != GUEST_ASKED)
    return false;
  if (!admit) {
    host_refuse (session, guest, DOOR_DENIED, 0);
    return true;
  }
  /* A lock, or a full meeting, binds the person too. */
  if (apply_rules (session, guest, &refusal) == RULE_REFUSE
      && refusal != DOOR_DENIED)
    return false;
  accept (session, guest);
  return true;
}

void
host_recheck (Session *session)
{
  for (guint i = session->guests->len; i > 0; i--) {
    Guest *guest = g_ptr_array_index (session->guests, i - 1);
    DoorRefusal refusal = DOOR_DENIED;
    if (guest->stage != GUEST_ASKED && guest->stage != GUEST_ACCEPTED)
      continue;
    Rule rule = apply_rules (session, guest, &refusal);
    if (guest->stage == GUEST_ASKED && rule == RULE_ADMIT)
      accept (session, guest);
    else if (rule == RULE_REFUSE && refusal == DOOR_LOCKED) {
      /* "`lock` admits nobody and flushes nobody" */
      if (guest->stage == GUEST_ACCEPTED)
        ask (session, guest);
    } else if (rule == RULE_REFUSE)
      host_refuse (session, guest, refusal, 0);
  }
}

static void
admit (Session *session, Guest *guest, uint64_t seq, const uint8_t *hash,
    Blob tracks)
{
  DoorAdmit content = {
    .admitted = true, .tracks = tracks.data, .tracks_len = tracks.len
  };
  WireMessage m = { .type = WIRE_ADMIT, .peer = guest->peer };
  size_t room = tracks.len + 128;
  uint8_t *plain = g_malloc (room), *box = g_malloc (room + DOOR_BOX_OVERHEAD);

  memcpy (content.welcome_hash, hash, DOOR_HASH_LEN);
  Writer w = writer_init (plain, room);
  door_write_admit (&w, &content);
  if (!w.failed
      && door_seal_admit (&guest->transcript, cpace_isk (guest->cpace),
          guest->reply_sig, guest->tag, guest->box.data, guest->box.len, NULL,
          plain, writer_len (&w), box)) {
    memcpy (m.box.tag, cpace_tag (guest->cpace), CPACE_TAG_LEN);
    m.box.box = (Blob){ box, writer_len (&w) + DOOR_BOX_OVERHEAD };
    out_text (session, &m);
    WireMessage admitted = { .type = WIRE_ADMITTED, .peer = guest->peer };
    admitted.admitted.seq = seq;
    out_text (session, &admitted);
    session->stats.admitted++;
  }
  g_free (plain);
  g_free (box);
}

static void
note_admitted (Session *session, const Guest *guest)
{
  Admitted admitted = { .peer = guest->peer, .at = session->mono };

  memcpy (admitted.key, guest->key, IDENTITY_KEY_LEN);
  if (session->admitted->len >= LIMIT_WAITING)
    g_array_remove_index (session->admitted, 0);
  g_array_append_val (session->admitted, admitted);
}

void
host_admit_all (Session *session, uint64_t seq, MlsSlice welcome)
{
  uint8_t hash[DOOR_HASH_LEN];
  Blob tracks = talk_snapshot (session);

  crypto_hash_sha256 (hash, welcome.data, welcome.len);
  out_frame (session, WIRE_WELCOME, seq, welcome.data, welcome.len);
  for (guint i = session->guests->len; i > 0; i--) {
    Guest *guest = g_ptr_array_index (session->guests, i - 1);
    if (guest->stage != GUEST_COMMITTED)
      continue;
    Member *member = roster_find (session, guest->key);
    if (member && guest->peer != 0)
      member->peer = guest->peer;
    if (guest->peer != 0) {
      admit (session, guest, seq, hash, tracks);
      note_admitted (session, guest);
    }
    drop (session, guest);
  }
  blob_clear (&tracks);
}

void
host_heard_of (Session *session, const uint8_t *key)
{
  for (guint i = session->admitted->len; i > 0; i--)
    if (key_equal (
            g_array_index (session->admitted, Admitted, i - 1).key, key))
      g_array_remove_index (session->admitted, i - 1);
}

/* Whose admit went down with our connection would wait for ever: it begins again. The hub knows who is in, and does not
 * pass this on to them. */
void
host_resend (Session *session)
{
  for (guint i = 0; i < session->admitted->len; i++) {
    const Admitted *admitted = &g_array_index (session->admitted, Admitted, i);
    if (session->mono - admitted->at < LIMIT_ADMITTED_MS)
      send_again (session, admitted->peer, 0);
  }
  g_array_set_size (session->admitted, 0);
}

/* ---- Who goes ---- */

void
host_gone (Session *session, uint64_t peer)
{
  Guest *guest = find_guest (session, peer);
  if (!guest)
    return;
  if (guest->stage == GUEST_COMMITTED)
    guest->peer = 0;
  else
    drop (session, guest);
}

void
host_drop_guests (Session *session)
{
  g_array_set_size (session->admitted, 0);
  while (session->guests->len > 0)
    drop (session,
        g_ptr_array_index (session->guests, session->guests->len - 1));
}

void
host_tick (Session *session)
{
  for (guint i = session->guests->len; i > 0; i--) {
    Guest *guest = g_ptr_array_index (session->guests, i - 1);
    if (guest->stage == GUEST_REPLIED
        && !SESSION_CHECK (PROOF_IN_TIME, session->mono < guest->deadline)) {
      send_again (session, guest->peer, LIMIT_REFUSED_AGAIN_MS);
      drop (session, guest);
    }
  }
}

uint64_t
host_deadline (const Session *session)
{
  uint64_t deadline = UINT64_MAX;
  for (guint i = 0; i < session->guests->len; i++) {
    const Guest *guest = g_ptr_array_index (session->guests, i);
    if (guest->stage == GUEST_REPLIED)
      deadline = MIN (deadline, guest->deadline);
  }
  return deadline;
}

bool
session_admit (Session *session, uint64_t peer)
{
  return host_decide (session, peer, true);
}

bool
session_deny (Session *session, uint64_t peer)
{
  return host_decide (session, peer, false);
}

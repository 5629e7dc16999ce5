/* A joiner that knocks by hand.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake.h"

#define RUNS 60     /* of who tires an admin's budget, */
#define FEW_RUNS 10 /* and of who is refused for what it is */
#define RETRY_MS 400
#define LATE_MS 33000 /* an admin gives up after 30 s, and the hub after 35 */

typedef struct
{
  JoinerBend bend;
  unsigned runs;
  bool answered;
  uint8_t challenge[LIMIT_CHALLENGE];
  DoorTranscript transcript;
  DoorKnock offers;
  Cpace *cpace;
  MlsKeyPackage *key_package, *other;
  uint8_t reply_sig[IDENTITY_SIG_LEN];
  uint8_t tag[CPACE_TAG_LEN];
  Blob box;
  bool in;
  bool bent; /* this run */
} Joiner;

static bool
is_bent (const Joiner *j)
{
  switch (j->bend) {
    case JOINER_HONEST:
      return false;
    case JOINER_SAME_REF:
    case JOINER_SAME_SID:
      return j->runs > 1;
    default:
      return true;
  }
}

/* Those that knock and knock, for whom one key package does. */
static bool
is_busy (const Joiner *j)
{
  return j->bend == JOINER_GUESSES || j->bend == JOINER_STOPS
         || j->bend == JOINER_FLOODS || j->bend == JOINER_CLAIMS_MEMBER;
}

static unsigned
runs_of (const Joiner *j)
{
  return is_busy (j) ? RUNS : FEW_RUNS;
}

static MlsKeyPackage *
make_key_package (Person *person, Joiner *j)
{
  MlsExtension extension;
  uint8_t role;
  MlsKeyPackage *key_package = NULL;
  MlsClient client = fake_mls_client (person, person->world->plan.suite,
      j->bend == JOINER_BAD_NAME       ? "e\xcc\x81"
      : j->bend == JOINER_CONTROL_NAME ? "\xe2\x80\xaegnp"
                                       : person->name,
      j->bend == JOINER_NO_ROLE ? (Role) 0 : person->role, &extension, &role);

  if (j->bend == JOINER_OLD) {
    client.not_before -= 30 * 24 * 3600;
    client.not_after -= 29 * 24 * 3600;
  } else if (j->bend == JOINER_FOR_EVER) {
    client.not_after += 400 * 24 * 3600;
  }
  mls_key_package_new (&client, &key_package);
  secret_unref (client.signature_seed);
  return key_package;
}

static void
knock (Person *person)
{
  World *world = person->world;
  Joiner *j = person->fake_state;
  DoorTranscript *t = &j->transcript;
  uint8_t ci[DOOR_MAX_CI], sig[IDENTITY_SIG_LEN] = { 1 };
  WireMessage m = { .type = WIRE_KNOCK };
  size_t ci_len = door_ci (world->plan.policy.meeting, ci);
  Secret *password = !world->plan.password ? NULL
                     : j->bend == JOINER_GUESSES || !person->knows_password
                         ? world->wrong_password
                         : world->password;

  if (j->runs++ >= runs_of (j))
    return;
  j->bent = is_bent (j);
  world->lied += j->bent;
  j->answered = false;
  cpace_free (j->cpace);
  g_strlcpy (t->meeting, world->plan.policy.meeting, sizeof t->meeting);
  if (j->bend != JOINER_SAME_SID || j->runs == 1)
    dice_bytes (&world->dice, t->sid, DOOR_SID_LEN);
  j->cpace = cpace_new (
      CPACE_INITIATOR, password, ci, ci_len, t->sid, DOOR_SID_LEN, NULL);
  if (!j->key_package || (j->bend != JOINER_SAME_REF && !is_busy (j))) {
    mls_key_package_free (j->key_package);
    mls_key_package_free (j->other);
    j->key_package = make_key_package (person, j);
    j->other =
        j->bend == JOINER_OTHER_REF ? make_key_package (person, j) : NULL;
  }
  j->offers.count = 1;
  j->offers.offers[0].suite = (uint16_t) world->plan.suite;
  memcpy (j->offers.offers[0].key_package_ref,
      mls_key_package_own_ref (j->key_package), DOOR_REF_LEN);
  dice_bytes (&world->dice, j->offers.nonce, DOOR_NONCE_LEN);
  memcpy (t->ya, cpace_share (j->cpace), CPACE_SHARE_LEN);
  Writer w = writer_init (t->ada, sizeof t->ada);
  door_write_knock (&w, &j->offers);
  t->ada_len = writer_len (&w);

  memcpy (m.knock.sid, t->sid, DOOR_SID_LEN);
  memcpy (m.knock.ya, t->ya, CPACE_SHARE_LEN);
  m.knock.ada = (Blob){ t->ada, t->ada_len };
  if (j->bend == JOINER_CLAIMS_MEMBER) {
    m.knock.key = (Blob){ world_owner (world)->key, IDENTITY_KEY_LEN };
    m.knock.sig = (Blob){ sig, sizeof sig };
  }
  fake_send (person, &m);
}

static void
knock_later (World *world, void *what, uint64_t number)
{
  Person *person = what;
  Joiner *j = person->fake_state;
  if (person->conn && j->runs == number)
    knock (person);
}

static void
again (Person *person, uint64_t delay)
{
  Joiner *j = person->fake_state;
  world_after (person->world, delay, knock_later, person, j->runs);
}

static void
prove (World *world, void *what, uint64_t number)
{
  Person *person = what;
  Joiner *j = person->fake_state;
  DoorTranscript *t = &j->transcript;
  uint8_t content[DOOR_MAX_PROOF], sig[IDENTITY_SIG_LEN];
  WireMessage m = { .type = WIRE_PROOF };

  if (j->runs != number || !person->conn || !cpace_tag (j->cpace))
    return;
  door_sign_proof (person->identity, t, j->reply_sig, sig);
  if (j->bend == JOINER_BAD_SIG)
    sig[7] ^= 1;
  MlsSlice bytes = mls_key_package_message (
      j->bend == JOINER_OTHER_REF ? j->other : j->key_package);
  DoorProof proof = { bytes.data, bytes.len, sig };
  Writer w = writer_init (content, sizeof content);
  door_write_proof (&w, &proof);
  g_free (j->box.data);
  j->box.len = writer_len (&w) + DOOR_BOX_OVERHEAD;
  j->box.data = g_malloc (j->box.len);
  memcpy (j->tag, cpace_tag (j->cpace), CPACE_TAG_LEN);
  door_seal_proof (t, cpace_isk (j->cpace), j->reply_sig, NULL, content,
      writer_len (&w), j->box.data);
  memcpy (m.box.tag, j->tag, CPACE_TAG_LEN);
  m.box.box = j->box;
  fake_send (person, &m);
}

static void
take_reply (Person *person, const WireMessage *m)
{
  Joiner *j = person->fake_state;
  DoorTranscript *t = &j->transcript;

  if (m->reply.adb.len != DOOR_ADB_LEN)
    return;
  if (j->answered) {
    world_fail (
        person->world, 5, "%u has two replies to one knock", person->index);
    return;
  }
  j->answered = true;
  if (j->bend == JOINER_SAME_SID && j->runs > 1) {
    world_fail (person->world, 5, "a sid was answered a second time");
    return;
  }
  memcpy (t->yb, m->reply.yb, CPACE_SHARE_LEN);
  memcpy (t->adb, m->reply.adb.data, DOOR_ADB_LEN);
  memcpy (j->reply_sig, m->reply.sig, IDENTITY_SIG_LEN);
  cpace_derive (j->cpace, t->yb, t->ada, t->ada_len, t->adb, DOOR_ADB_LEN);
  if (j->bend == JOINER_STOPS || j->bend == JOINER_FLOODS
      || j->bend == JOINER_CLAIMS_MEMBER)
    again (person, 50);
  else
    world_after (person->world, j->bend == JOINER_LATE ? LATE_MS : 10, prove,
        person, j->runs);
}

static void
take_admit (Person *person, const WireMessage *m)
{
  Joiner *j = person->fake_state;
  size_t len = m->box.box.len - DOOR_BOX_OVERHEAD;
  uint8_t *content = g_malloc (len + 1);
  DoorAdmit admit;

  if (m->box.box.len > DOOR_BOX_OVERHEAD
      && cpace_confirm (j->cpace, m->box.tag) && cpace_isk (j->cpace)
      && door_open_admit (&j->transcript, cpace_isk (j->cpace), j->reply_sig,
          j->tag, j->box.data, j->box.len, m->box.box.data, m->box.box.len,
          content)
      && door_parse_admit (reader_init (content, len), &admit)
      && admit.admitted) {
    j->in = true;
    world_say (person->world, "%u is let in by hand", person->index);
    if (j->bent)
      world_fail (person->world, 3,
          "%u broke a rule of the door and was let in", person->index);
  }
  g_free (content);
  /* What was let in once knocks anew, with what it had. */
  if (j->bend == JOINER_SAME_REF || j->bend == JOINER_SAME_SID)
    again (person, 2000);
}

static void
joiner_frame (Person *person, bool binary, GBytes *bytes)
{
  Joiner *j = person->fake_state;
  gsize len;
  const char *text = g_bytes_get_data (bytes, &len);
  WireMessage m;

  if (binary || wire_read (text, len, WIRE_FROM_HUB, &m) != JSON_OK)
    return;
  switch (m.type) {
    case WIRE_HELLO:
      memcpy (j->challenge, m.hello.challenge, LIMIT_CHALLENGE);
      knock (person);
      if (j->bend == JOINER_FLOODS)
        for (unsigned i = 0; i < 200; i++)
          net_send (person->conn, false, text, len);
      break;
    case WIRE_REPLY:
      take_reply (person, &m);
      break;
    case WIRE_ADMIT:
      take_admit (person, &m);
      break;
    case WIRE_AGAIN:
    case WIRE_ERROR:
      again (person, RETRY_MS);
      break;
    default:
      break;
  }
  wire_clear (&m, WIRE_FROM_HUB);
}

static void
joiner_start (Person *person)
{
  person->came = true;
  fake_connect (person);
}

static void
start_again (World *world, void *what, uint64_t number)
{
  if (!world->healed)
    fake_connect (what);
}

static void
joiner_gone (Person *person)
{
  Joiner *j = person->fake_state;
  if (j->runs < runs_of (j))
    world_after (person->world, RETRY_MS, start_again, person, 0);
}

static void
joiner_free (Person *person)
{
  Joiner *j = person->fake_state;

  cpace_free (j->cpace);
  mls_key_package_free (j->key_package);
  mls_key_package_free (j->other);
  g_free (j->box.data);
  g_free (j);
}

static const FakeClient joiner = { joiner_start, joiner_frame, joiner_gone,
  joiner_free };

Person *
fake_joiner (World *world, JoinerBend bend)
{
  Person *person = person_new (world, ROLE_PARTICIPANT, false);
  Joiner *j = g_new0 (Joiner, 1);

  j->bend = bend;
  person->honest = false;
  person->knows_password = bend != JOINER_GUESSES;
  person->fake = &joiner;
  person->fake_state = j;
  person->idle_until_told = true;
  return person;
}

bool
fake_joiner_is_in (const Person *person)
{
  return ((const Joiner *) person->fake_state)->in;
}

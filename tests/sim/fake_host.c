/* A host that opens the meeting and answers the door by hand.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake.h"

#include <sodium.h>

typedef struct
{
  uint64_t peer;
  DoorTranscript transcript;
  DoorKnock knock;
  Cpace *cpace;
  uint8_t reply_sig[IDENTITY_SIG_LEN];
  uint8_t tag[CPACE_TAG_LEN];
  Blob box;
  Blob key_package;
  bool committed;
} Visitor;

typedef struct
{
  HostBend bend;
  Person *owner;
  uint8_t challenge[LIMIT_CHALLENGE], room[LIMIT_ROOM];
  uint8_t claimed_group[DOOR_GROUP_ID_LEN];
  MlsGroup *group;
  MlsGroup *helper; /* another member of it */
  Policy policy;
  GPtrArray *visitors;
  MlsStaged *staged;
  Visitor *adding;
  unsigned proofs;
} Host;

/* Whether this host is none that a joiner may show itself to. */
static bool
is_impostor (const Host *h)
{
  return h->bend >= HOST_BAD_SIG && h->bend <= HOST_GUESSES;
}

static void
visitor_free (Visitor *v)
{
  cpace_free (v->cpace);
  g_free (v->box.data);
  g_free (v->key_package.data);
  g_free (v);
}

static Visitor *
find_visitor (Host *h, uint64_t peer)
{
  for (guint i = 0; i < h->visitors->len; i++) {
    Visitor *v = g_ptr_array_index (h->visitors, i);
    if (v->peer == peer)
      return v;
  }
  return NULL;
}

/* ---- Its group ---- */

static void
put_policy (Host *h, MlsBuffer *out)
{
  static const uint8_t required[] = { 4, 0xf0, 0xc1, 0xf0, 0xc2, 0, 2, 0,
    MLS_CREDENTIAL_BASIC };
  uint8_t room[POLICY_MAX_SIZE];
  Writer w = writer_init (room, sizeof room);

  policy_write (&w, &h->policy);
  mls_put_extension (out, MLS_EXTENSION_REQUIRED_CAPABILITIES,
      mls_slice (required, sizeof required));
  mls_put_extension (out, POLICY_EXTENSION, mls_slice (room, writer_len (&w)));
  if (h->bend == HOST_EXTENSION)
    mls_put_extension (out, MLS_EXTENSION_EXTERNAL_SENDERS, mls_slice ("", 1));
}

/* Somebody else who is in already: with a role, or without. */
static void
add_helper (Person *person, Host *h)
{
  MlsExtension extension;
  uint8_t role;
  MlsKeyPackage *key_package = NULL;
  MlsStaged *staged = NULL;
  Identity *identity = person->identity;

  person->identity = identity_new ();
  MlsClient client = fake_mls_client (person, person->world->plan.suite,
      "helper", h->bend == HOST_BAD_TREE ? (Role) 0 : ROLE_PARTICIPANT,
      &extension, &role);
  mls_key_package_new (&client, &key_package);
  MlsSlice message = mls_key_package_message (key_package);
  MlsCommitRequest request = { .add = &message, .n_add = 1 };
  if (mls_group_commit (h->group, &request, &staged) != MLS_OK
      || mls_group_join (key_package, mls_staged_welcome (staged),
             (MlsSlice){ 0 }, NULL, 0, NULL, &h->helper)
             != MLS_OK
      || mls_group_merge (h->group, staged, 0) != MLS_OK)
    world_fail (person->world, 9, "the adversary can't add its helper");
  mls_key_package_free (key_package);
  secret_unref (client.signature_seed);
  identity_free (person->identity);
  person->identity = identity;
}

static void
make_group (Person *person, Host *h)
{
  World *world = person->world;
  MlsBuffer extensions = { 0 };
  MlsExtension extension;
  uint8_t role, group_id[DOOR_GROUP_ID_LEN];
  MlsClient client = fake_mls_client (
      person, world->plan.suite, "host", ROLE_PARTICIPANT, &extension, &role);

  h->policy = world->plan.policy;
  h->policy.opened = person_wall (person);
  memcpy (h->policy.owner, person->key, IDENTITY_KEY_LEN);
  if (h->bend == HOST_NOT_ADMIN)
    h->policy.owner[3] ^= 1;
  if (h->bend == HOST_OTHER_MEETING)
    strcpy (h->policy.meeting, "elsewhere");
  h->policy.max_members = h->bend == HOST_TOO_MANY ? 1 : 100;
  put_policy (h, &extensions);
  dice_bytes (&world->dice, group_id, sizeof group_id);
  memcpy (h->claimed_group, group_id, sizeof group_id);
  if (h->bend == HOST_OTHER_GROUP)
    h->claimed_group[0] ^= 1;
  if (mls_group_create (&client, mls_slice (group_id, sizeof group_id),
          mls_buffer_slice (&extensions), NULL, &h->group)
      != MLS_OK)
    world_fail (world, 9, "the adversary can't make a group");
  mls_buffer_free (&extensions);
  secret_unref (client.signature_seed);
  if (h->group && (h->bend == HOST_BAD_TREE || h->bend == HOST_OTHER_SIGNER))
    add_helper (person, h);
}

/* ---- The door ---- */

static void
open_meeting (Person *person, Host *h)
{
  WireMessage m = { .type = WIRE_OPEN };

  m.open.meeting = person->world->plan.policy.meeting;
  memcpy (m.open.identity, person->key, IDENTITY_KEY_LEN);
  wire_sign_open (person->identity, false, h->challenge, m.open.meeting,
      server_spki_hash, m.open.sig);
  fake_send (person, &m);
}

static void
write_chain (Host *h, const uint8_t *own, Blob *out)
{
  static uint8_t room[DOOR_MAX_CHAIN];
  DoorChain chain = { 0 };
  Writer w = writer_init (room, sizeof room);

  if (h->bend == HOST_BAD_CHAIN) {
    chain.count = 1;
    memcpy (chain.root, h->owner->key, IDENTITY_KEY_LEN);
    memcpy (chain.links[0].key, own, IDENTITY_KEY_LEN);
  }
  door_write_chain (&w, &chain);
  *out = (Blob){ room, writer_len (&w) };
}

static void
answer_knock (Person *person, Host *h, const WireMessage *m)
{
  World *world = person->world;
  uint8_t ci[DOOR_MAX_CI];
  Visitor *v = find_visitor (h, m->peer);
  Secret *password = !world->plan.password ? NULL
                     : h->bend == HOST_GUESSES || h->bend == HOST_BAD_SIG
                             || h->bend == HOST_NO_CHAIN
                         ? world->wrong_password
                         : world->password;
  size_t ci_len = door_ci (world->plan.policy.meeting, ci);

  if (v)
    g_ptr_array_remove_fast (h->visitors, v);
  v = g_new0 (Visitor, 1);
  g_ptr_array_add (h->visitors, v);
  v->peer = m->peer;
  DoorTranscript *t = &v->transcript;
  door_parse_knock (
      reader_init (m->knock.ada.data, m->knock.ada.len), &v->knock);
  g_strlcpy (t->meeting, world->plan.policy.meeting, sizeof t->meeting);
  memcpy (t->sid, m->knock.sid, DOOR_SID_LEN);
  memcpy (t->ya, m->knock.ya, CPACE_SHARE_LEN);
  t->ada_len = MIN (m->knock.ada.len, sizeof t->ada);
  memcpy (t->ada, m->knock.ada.data, t->ada_len);
  v->cpace = cpace_new (
      CPACE_RESPONDER, password, ci, ci_len, t->sid, DOOR_SID_LEN, NULL);

  DoorReply reply = { .suite = (uint16_t) world->plan.suite,
    .t = person_mono (person) };
  WireMessage out = { .type = WIRE_REPLY, .peer = m->peer };
  memcpy (reply.host_key,
      h->bend == HOST_BAD_SIG ? h->owner->key : person->key, IDENTITY_KEY_LEN);
  memcpy (reply.group_id, h->claimed_group, DOOR_GROUP_ID_LEN);
  Writer w = writer_init (t->adb, sizeof t->adb);
  door_write_reply (&w, &reply);
  memcpy (t->yb, cpace_share (v->cpace), CPACE_SHARE_LEN);
  cpace_derive (v->cpace, t->ya, t->adb, DOOR_ADB_LEN, t->ada, t->ada_len);
  door_sign_reply (person->identity, t, v->reply_sig);
  memcpy (out.reply.yb, t->yb, CPACE_SHARE_LEN);
  out.reply.adb = (Blob){ t->adb, DOOR_ADB_LEN };
  write_chain (h, person->key, &out.reply.chain);
  memcpy (out.reply.sig, v->reply_sig, IDENTITY_SIG_LEN);
  person->world->lied += is_impostor (h);
  fake_send (person, &out);
}

/* How often anybody may have shown a guessing host that it has a password: once for each time a person wanted it. */
static unsigned
acts_of_all (World *world)
{
  unsigned n = 0;
  for (guint i = 0; i < world->people->len; i++)
    n += ((Person *) g_ptr_array_index (world->people, i))->knocks_wanted;
  return n;
}

static void
commit_visitor (Person *person, Host *h, Visitor *v)
{
  MlsSlice add = { v->key_package.data, v->key_package.len };
  MlsCommitRequest request = { .add = &add, .n_add = 1 };
  MlsGroup *group =
      h->bend == HOST_OTHER_SIGNER && h->helper ? h->helper : h->group;
  WireHeader header = { .kind = WIRE_COMMIT };

  if (h->staged)
    return;
  fake_offer_external = h->bend == HOST_EXTERNAL;
  if (mls_group_commit (group, &request, &h->staged) != MLS_OK)
    world_say (person->world, "the host can't add the same key again");
  fake_offer_external = false;
  if (!h->staged)
    return;
  h->adding = v;
  memcpy (header.room, h->room, LIMIT_ROOM);
  person->world->lied++;
  fake_send_binary (person, &header, mls_staged_message (h->staged));
}

static void
take_proof (Person *person, Host *h, const WireMessage *m)
{
  World *world = person->world;
  Visitor *v = find_visitor (h, m->peer);
  uint8_t content[DOOR_MAX_PROOF];
  DoorProof proof;
  WireMessage again = { .type = WIRE_AGAIN, .peer = m->peer, .after = 100 };

  h->proofs++;
  if (is_impostor (h) && h->bend != HOST_GUESSES)
    world_fail (world, 3, "somebody showed itself to a host that is none");
  if (h->bend == HOST_GUESSES && h->proofs > acts_of_all (world))
    world_fail (world, 5,
        "a host that is none had %u guesses, and people wanted %u", h->proofs,
        acts_of_all (world));
  if (!v || v->box.data || m->box.box.len <= DOOR_BOX_OVERHEAD
      || m->box.box.len > sizeof content)
    return;
  memcpy (v->tag, m->box.tag, CPACE_TAG_LEN);
  v->box =
      (Blob){ g_memdup2 (m->box.box.data, m->box.box.len), m->box.box.len };
  if (!cpace_confirm (v->cpace, m->box.tag)
      || !door_open_proof (&v->transcript, cpace_isk (v->cpace), v->reply_sig,
          v->box.data, v->box.len, content)
      || !door_parse_proof (
          reader_init (content, v->box.len - DOOR_BOX_OVERHEAD), &proof)) {
    fake_send (person, &again);
    return;
  }
  v->key_package =
      (Blob){ g_memdup2 (proof.key_package, proof.key_package_len),
        proof.key_package_len };
  commit_visitor (person, h, v);
}

static void
admit (Person *person, Host *h, Visitor *v, uint64_t seq, MlsSlice welcome)
{
  DoorAdmit content = { .admitted = true };
  uint8_t plain[128], box[sizeof plain + DOOR_BOX_OVERHEAD];
  Writer w = writer_init (plain, sizeof plain);
  WireMessage m = { .type = WIRE_ADMIT, .peer = v->peer };
  WireHeader header = { .kind = WIRE_WELCOME, .seq = seq };

  memcpy (header.room, h->room, LIMIT_ROOM);
  fake_send_binary (person, &header, welcome);
  crypto_hash_sha256 (content.welcome_hash, welcome.data, welcome.len);
  if (h->bend == HOST_OTHER_HASH)
    content.welcome_hash[0] ^= 1;
  door_write_admit (&w, &content);
  door_seal_admit (&v->transcript, cpace_isk (v->cpace), v->reply_sig, v->tag,
      v->box.data, v->box.len, NULL, plain, writer_len (&w), box);
  memcpy (m.box.tag, cpace_tag (v->cpace), CPACE_TAG_LEN);
  m.box.box = (Blob){ box, writer_len (&w) + DOOR_BOX_OVERHEAD };
  fake_send (person, &m);
  WireMessage admitted = { .type = WIRE_ADMITTED, .peer = v->peer };
  admitted.admitted.seq = seq;
  fake_send (person, &admitted);
}

/* Our commit, as the hub has numbered it. */
static void
take_commit (Person *person, Host *h, uint64_t seq, MlsSlice message)
{
  if (!h->staged || !mls_slice_equal (message, mls_staged_message (h->staged)))
    return;
  MlsSlice welcome = mls_staged_welcome (h->staged);
  MlsBuffer kept = { 0 };
  mls_put_slice (&kept, welcome);
  if (h->bend == HOST_OTHER_SIGNER && h->helper) {
    MlsEvent event;
    if (mls_group_process (h->group, message, 0, &event) == MLS_OK) {
      mls_group_merge (h->group, event.commit, 0);
      event.commit = NULL;
      mls_event_clear (&event);
    }
    mls_group_merge (h->helper, h->staged, 0);
  } else {
    mls_group_merge (h->group, h->staged, 0);
  }
  h->staged = NULL;
  admit (person, h, h->adding, seq, mls_buffer_slice (&kept));
  mls_buffer_free (&kept);
}

static void
host_frame (Person *person, bool binary, GBytes *bytes)
{
  Host *h = person->fake_state;
  gsize len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  WireMessage m;
  WireHeader header;

  if (binary) {
    Reader in = reader_init (data, len);
    if (wire_header_parse (&in, &header) && header.kind == WIRE_COMMIT)
      take_commit (
          person, h, header.seq, mls_slice (in.at, reader_left (&in)));
    return;
  }
  if (wire_read ((const char *) data, len, WIRE_FROM_HUB, &m) != JSON_OK)
    return;
  if (m.type == WIRE_HELLO) {
    memcpy (h->challenge, m.hello.challenge, LIMIT_CHALLENGE);
    open_meeting (person, h);
  } else if (m.type == WIRE_OPENED) {
    WireMessage credits = { .type = WIRE_CREDITS, .credits = 1000 };
    memcpy (h->room, m.opened.room, LIMIT_ROOM);
    if (!h->group)
      make_group (person, h);
    fake_send (person, &credits);
  } else if (m.type == WIRE_KNOCK) {
    answer_knock (person, h, &m);
  } else if (m.type == WIRE_PROOF) {
    take_proof (person, h, &m);
  }
  wire_clear (&m, WIRE_FROM_HUB);
}

static void
host_start (Person *person)
{
  person->came = true;
  fake_connect (person);
}

static void
host_free (Person *person)
{
  Host *h = person->fake_state;

  mls_staged_free (h->staged);
  mls_group_free (h->group);
  mls_group_free (h->helper);
  g_ptr_array_free (h->visitors, TRUE);
  g_free (h);
}

static const FakeClient host = { host_start, host_frame, NULL, host_free };

Person *
fake_host (World *world, HostBend bend)
{
  Person *owner = world_owner (world);
  Host *h = g_new0 (Host, 1);
  Person *person = owner;

  h->bend = bend;
  h->owner = owner;
  h->visitors = g_ptr_array_new_with_free_func ((GDestroyNotify) visitor_free);
  if (is_impostor (h)) {
    person = person_new (world, ROLE_PARTICIPANT, false);
    owner->idle_until_told = true;
  }
  if (bend == HOST_OWN_KEY) {
    Person *joiner = g_ptr_array_index (world->people, 1);
    identity_free (person->identity);
    person->identity =
        identity_from_seed (identity_secret_key (joiner->identity));
    memcpy (person->key, joiner->key, IDENTITY_KEY_LEN);
    memcpy (person->fingerprint, joiner->fingerprint, 32);
  }
  person->honest = false;
  person->fake = &host;
  person->fake_state = h;
  if (bend != HOST_HONEST)
    world->trap = "a host that is none";
  else
    world->somebody_must_come_in = true;
  return person;
}

/* The linker gives us this call of the library (--wrap): a Welcome's GroupInfo then has an external_pub, which the library
 * never puts there. */
bool fake_offer_external;

void __real_mls_put_extension (
    MlsBuffer *buffer, uint16_t type, MlsSlice data);
void __wrap_mls_put_extension (
    MlsBuffer *buffer, uint16_t type, MlsSlice data);

void
__wrap_mls_put_extension (MlsBuffer *buffer, uint16_t type, MlsSlice data)
{
  uint8_t key[33] = { 32, 9 };

  __real_mls_put_extension (buffer, type, data);
  if (fake_offer_external && type == MLS_EXTENSION_RATCHET_TREE)
    __real_mls_put_extension (
        buffer, MLS_EXTENSION_EXTERNAL_PUB, mls_slice (key, sizeof key));
}

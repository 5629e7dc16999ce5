/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire.h"

#include <string.h>

#define BOTH (WIRE_FROM_CLIENT | WIRE_FROM_HUB)
#define MAX_CREDENTIAL 256 /* RFC 8445: ufrag and pwd */
#define SRTP_KEY 44        /* RFC 7714, 12: 32 bytes of key, 12 of salt */

static const char *const code_names[] = { "wrong-password", "denied", "locked",
  "full", "removed", "recording-forbidden", "clock", "version", "malformed",
  "too-large", "rate-limited", "busy", "not-owner", "not-admin",
  "bad-signature", "not-member", "unknown-place", "too-late", "dismissed",
  "closed", "timeout", "going-away", NULL };

const char *const media_kind_names[] = { "audio", "video", "screen", NULL };

const char *
wire_code_name (WireCode code)
{
  return code >= 1 && code <= WIRE_LAST_CODE ? code_names[code - 1] : NULL;
}

#define AT(field) offsetof (WireMessage, field)
#define SIZE(field) sizeof (((WireMessage *) NULL)->field)
#define NUMBER(name, field, min, max)                                         \
  {                                                                           \
    name, FIELD_NUMBER, AT (field), min, max, false, NULL                     \
  }
#define NUMBER_OR_0(name, field, max)                                         \
  {                                                                           \
    name, FIELD_NUMBER, AT (field), 0, max, true, NULL                        \
  }
#define BYTES(name, field)                                                    \
  {                                                                           \
    name, FIELD_BYTES, AT (field), 0, SIZE (field), false, NULL               \
  }
#define BLOB(name, field, min, max)                                           \
  {                                                                           \
    name, FIELD_BLOB, AT (field), min, max, false, NULL                       \
  }
#define PEER NUMBER ("peer", peer, 1, LIMIT_NUMBER)
#define SEQ(field) NUMBER ("seq", field, 0, LIMIT_NUMBER)

static const Field hello[] = { NUMBER (
                                   "version", hello.version, 1, LIMIT_NUMBER),
  PEER, BYTES ("challenge", hello.challenge), BYTES ("token", hello.token) };
static const Field back[] = { BYTES ("token", back.token),
  BYTES ("room", back.room), SEQ (back.seq) };
static const Field returned[] = { PEER, BYTES ("room", opened.room),
  SEQ (opened.seq) };
static const Field open_[] = { { "meeting", FIELD_TEXT, AT (open.meeting), 1,
                                   DOOR_MAX_MEETING, false, NULL },
  BYTES ("identity", open.identity), BYTES ("sig", open.sig) };
static const Field opened_[] = { BYTES ("room", opened.room), SEQ (opened.seq),
  { "attended", FIELD_FLAG, AT (opened.attended), 0, 0, true, NULL },
  { "running", FIELD_FLAG, AT (opened.running), 0, 0, true, NULL } };
static const Field admins[] = { { "identities", FIELD_KEYS, AT (admins), 0,
    LIMIT_ADMINS + 1, false, NULL } };
static const Field transfer[] = { BYTES ("identity", transfer) };
static const Field credits[] = { NUMBER ("total", credits, 0, LIMIT_NUMBER) };
static const Field peer_only[] = { PEER };

#define KNOCK_FIELDS                                                          \
  BYTES ("sid", knock.sid), BYTES ("ya", knock.ya),                           \
      BLOB ("ada", knock.ada, 1, DOOR_MAX_ADA),                               \
      { "key", FIELD_BLOB, AT (knock.key), IDENTITY_KEY_LEN,                  \
        IDENTITY_KEY_LEN, true, NULL },                                       \
  {                                                                           \
    "sig", FIELD_BLOB, AT (knock.sig), IDENTITY_SIG_LEN, IDENTITY_SIG_LEN,    \
        true, NULL                                                            \
  }
static const Field knock_in[] = { KNOCK_FIELDS };
static const Field knock_on[] = { PEER,
  { "source", FIELD_TEXT, AT (knock.source), 1, LIMIT_SOURCE, false, NULL },
  KNOCK_FIELDS };

#define REPLY_FIELDS                                                          \
  BYTES ("yb", reply.yb),                                                     \
      BLOB ("adb", reply.adb, DOOR_ADB_LEN, DOOR_ADB_LEN),                    \
      BLOB ("chain", reply.chain, 0, DOOR_MAX_CHAIN),                         \
      BYTES ("sig", reply.sig)
static const Field reply_in[] = { PEER, REPLY_FIELDS };
static const Field reply_on[] = { REPLY_FIELDS };

#define BOX_FIELDS(max)                                                       \
  BYTES ("tag", box.tag), BLOB ("box", box.box, DOOR_BOX_OVERHEAD, max)
#define MAX_PROOF (DOOR_MAX_PROOF + DOOR_BOX_OVERHEAD)
#define MAX_ADMIT (DOOR_MAX_ADMIT + DOOR_BOX_OVERHEAD)
static const Field proof_in[] = { BOX_FIELDS (MAX_PROOF) };
static const Field proof_on[] = { PEER, BOX_FIELDS (MAX_PROOF) };
static const Field admit_in[] = { PEER, BOX_FIELDS (MAX_ADMIT) };
static const Field admit_on[] = { BOX_FIELDS (MAX_ADMIT) };

static const Field admitted_in[] = { PEER, SEQ (admitted.seq) };
static const Field admitted_on[] = { PEER, BYTES ("room", admitted.room),
  SEQ (admitted.seq) };
#define AFTER NUMBER_OR_0 ("after", after, 3600000)
static const Field again_in[] = { PEER, AFTER };
static const Field again_on[] = { AFTER };
#define CODE                                                                  \
  {                                                                           \
    "code", FIELD_NAME, AT (code), 0, 0, false, code_names                    \
  }
static const Field error_in[] = { CODE, PEER };
static const Field error_on[] = { CODE };
static const Field reopened[] = { NUMBER ("opened", reopened.opened, 0,
                                      LIMIT_NUMBER),
  BYTES ("group_id", reopened.group_id), BYTES ("sig", reopened.sig) };
static const Field attach_in[] = { BLOB (
    "message", attach.message, 1, WIRE_MAX_MESSAGE) };
static const Field attach_on[] = { PEER,
  BLOB ("challenge", attach.challenge, LIMIT_CHALLENGE, LIMIT_CHALLENGE),
  BLOB ("message", attach.message, 1, WIRE_MAX_MESSAGE) };
static const Field seq_only[] = { SEQ (seq) };

static const Field transport[] = { { "ufrag", FIELD_TEXT, AT (transport.ufrag),
                                       4, MAX_CREDENTIAL, false, NULL },
  { "pwd", FIELD_TEXT, AT (transport.pwd), 22, MAX_CREDENTIAL, false, NULL },
  { "candidates", FIELD_TEXTS, AT (transport.candidates), 1,
      WIRE_MAX_CANDIDATES, false, NULL },
  BLOB ("send_key", transport.send_key, SRTP_KEY, SRTP_KEY),
  BLOB ("receive_key", transport.receive_key, SRTP_KEY, SRTP_KEY) };
#define TRACK(field) NUMBER ("track", field, 0, LIMIT_TRACKS - 1)
static const Field publish[] = { TRACK (publish.track),
  { "kind", FIELD_NAME, AT (publish.kind), 0, 0, false, media_kind_names } };
static const Field published[] = { TRACK (published.track),
  NUMBER ("ssrc", published.ssrc, 1, UINT32_MAX),
  NUMBER_OR_0 ("rtx", published.rtx, UINT32_MAX) };
static const Field unpublish[] = { TRACK (publish.track) };
static const Field ssrcs[] = { { "ssrcs", FIELD_NUMBERS, AT (ssrcs), 0,
    WIRE_MAX_SSRCS, false, NULL } };
static const Field streams[] = { { "streams", FIELD_STREAMS, AT (streams), 0,
    WIRE_MAX_SSRCS, false, NULL } };

#define SHAPE(type, number, from, fields)                                     \
  {                                                                           \
    type, number, from, fields, G_N_ELEMENTS (fields)                         \
  }
#define EMPTY(type, number, from)                                             \
  {                                                                           \
    type, number, from, NULL, 0                                               \
  }

static const Shape shapes[] = {
  SHAPE ("hello", WIRE_HELLO, WIRE_FROM_HUB, hello),
  SHAPE ("return", WIRE_RETURN, WIRE_FROM_CLIENT, back),
  SHAPE ("returned", WIRE_RETURNED, WIRE_FROM_HUB, returned),
  EMPTY ("leave", WIRE_LEAVE, WIRE_FROM_CLIENT),
  SHAPE ("open", WIRE_OPEN, WIRE_FROM_CLIENT, open_),
  SHAPE ("attend", WIRE_ATTEND, WIRE_FROM_CLIENT, open_),
  SHAPE ("opened", WIRE_OPENED, WIRE_FROM_HUB, opened_),
  SHAPE ("admins", WIRE_ADMINS, WIRE_FROM_CLIENT, admins),
  SHAPE ("transfer", WIRE_TRANSFER, WIRE_FROM_CLIENT, transfer),
  EMPTY ("close", WIRE_CLOSE, WIRE_FROM_CLIENT),
  SHAPE ("dismiss", WIRE_DISMISS, WIRE_FROM_CLIENT, peer_only),
  SHAPE ("gone", WIRE_GONE, WIRE_FROM_HUB, peer_only),
  SHAPE ("credits", WIRE_CREDITS, WIRE_FROM_CLIENT, credits),
  SHAPE ("knock", WIRE_KNOCK, WIRE_FROM_CLIENT, knock_in),
  SHAPE ("knock", WIRE_KNOCK, WIRE_FROM_HUB, knock_on),
  SHAPE ("reply", WIRE_REPLY, WIRE_FROM_CLIENT, reply_in),
  SHAPE ("reply", WIRE_REPLY, WIRE_FROM_HUB, reply_on),
  SHAPE ("proof", WIRE_PROOF, WIRE_FROM_CLIENT, proof_in),
  SHAPE ("proof", WIRE_PROOF, WIRE_FROM_HUB, proof_on),
  SHAPE ("admit", WIRE_ADMIT, WIRE_FROM_CLIENT, admit_in),
  SHAPE ("admit", WIRE_ADMIT, WIRE_FROM_HUB, admit_on),
  SHAPE ("admitted", WIRE_ADMITTED, WIRE_FROM_CLIENT, admitted_in),
  SHAPE ("admitted", WIRE_ADMITTED, WIRE_FROM_HUB, admitted_on),
  SHAPE ("waiting", WIRE_WAITING, WIRE_FROM_CLIENT, peer_only),
  EMPTY ("waiting", WIRE_WAITING, WIRE_FROM_HUB),
  SHAPE ("again", WIRE_AGAIN, WIRE_FROM_CLIENT, again_in),
  SHAPE ("again", WIRE_AGAIN, WIRE_FROM_HUB, again_on),
  SHAPE ("error", WIRE_ERROR, WIRE_FROM_CLIENT, error_in),
  SHAPE ("error", WIRE_ERROR, WIRE_FROM_HUB, error_on),
  SHAPE ("reopened", WIRE_REOPENED, BOTH, reopened),
  SHAPE ("attach", WIRE_ATTACH, WIRE_FROM_CLIENT, attach_in),
  SHAPE ("attach", WIRE_ATTACH, WIRE_FROM_HUB, attach_on),
  SHAPE ("ack", WIRE_ACK, WIRE_FROM_CLIENT, seq_only),
  SHAPE ("replay", WIRE_REPLAY, WIRE_FROM_CLIENT, seq_only),
  EMPTY ("transport", WIRE_TRANSPORT, WIRE_FROM_CLIENT),
  SHAPE ("transport", WIRE_TRANSPORT, WIRE_FROM_HUB, transport),
  SHAPE ("publish", WIRE_PUBLISH, WIRE_FROM_CLIENT, publish),
  SHAPE ("published", WIRE_PUBLISHED, WIRE_FROM_HUB, published),
  SHAPE ("unpublish", WIRE_UNPUBLISH, WIRE_FROM_CLIENT, unpublish),
  SHAPE ("subscribe", WIRE_SUBSCRIBE, WIRE_FROM_CLIENT, ssrcs),
  SHAPE ("subscribed", WIRE_SUBSCRIBED, WIRE_FROM_HUB, streams),
  SHAPE ("unsubscribe", WIRE_UNSUBSCRIBE, WIRE_FROM_CLIENT, ssrcs),
  SHAPE ("pause", WIRE_PAUSE, WIRE_FROM_CLIENT, ssrcs),
  SHAPE ("resume", WIRE_RESUME, WIRE_FROM_CLIENT, ssrcs),
  SHAPE ("resumed", WIRE_RESUMED, WIRE_FROM_HUB, streams),
  SHAPE ("speakers", WIRE_SPEAKERS, WIRE_FROM_HUB, ssrcs),
};

JsonResult
wire_read (const char *text, size_t len, unsigned from, WireMessage *out)
{
  int type = 0;
  memset (out, 0, sizeof *out);
  JsonResult result =
      json_read (text, len, shapes, G_N_ELEMENTS (shapes), from, out, &type);
  if (result == JSON_OK && type == WIRE_KNOCK
      && (out->knock.key.data == NULL) != (out->knock.sig.data == NULL)) {
    json_clear (shapes, G_N_ELEMENTS (shapes), from, type, out);
    result = JSON_MALFORMED;
  }
  out->type = (WireType) type;
  return result;
}

char *
wire_write (const WireMessage *message, unsigned from, size_t *len)
{
  return json_write (
      shapes, G_N_ELEMENTS (shapes), from, (int) message->type, message, len);
}

void
wire_clear (WireMessage *message, unsigned from)
{
  json_clear (
      shapes, G_N_ELEMENTS (shapes), from, (int) message->type, message);
}

const char *
wire_type_name (WireType type)
{
  for (size_t i = 0; i < G_N_ELEMENTS (shapes); i++)
    if (shapes[i].number == (int) type)
      return shapes[i].type;
  return NULL;
}

/* ---- Signatures ---- */

bool
wire_sign_open (const Identity *identity, bool attend,
    const uint8_t *challenge, const char *meeting, const uint8_t *spki_hash,
    uint8_t *sig)
{
  const HashPart parts[] = { { challenge, LIMIT_CHALLENGE },
    { meeting, strlen (meeting) }, { spki_hash, LIMIT_SPKI_HASH } };
  return identity_sign (
      identity, attend ? WIRE_LABEL_ATTEND : WIRE_LABEL_OPEN, parts, 3, sig);
}

bool
wire_verify_open (const uint8_t *key, bool attend, const uint8_t *challenge,
    const char *meeting, const uint8_t *spki_hash, const uint8_t *sig)
{
  const HashPart parts[] = { { challenge, LIMIT_CHALLENGE },
    { meeting, strlen (meeting) }, { spki_hash, LIMIT_SPKI_HASH } };
  return identity_verify (
      key, attend ? WIRE_LABEL_ATTEND : WIRE_LABEL_OPEN, parts, 3, sig);
}

static void
put_opened (uint64_t opened, uint8_t bytes[8])
{
  Writer w = writer_init (bytes, 8);
  writer_uint (&w, opened, 8);
}

bool
wire_sign_reopened (const Identity *owner, const char *meeting,
    uint64_t opened, const uint8_t *group_id, uint8_t *sig)
{
  uint8_t bytes[8];
  const HashPart parts[] = { { meeting, strlen (meeting) }, { bytes, 8 },
    { group_id, DOOR_GROUP_ID_LEN } };
  put_opened (opened, bytes);
  return identity_sign (owner, WIRE_LABEL_REOPENED, parts, 3, sig);
}

bool
wire_verify_reopened (const uint8_t *owner, const char *meeting,
    uint64_t opened, const uint8_t *group_id, const uint8_t *sig)
{
  uint8_t bytes[8];
  const HashPart parts[] = { { meeting, strlen (meeting) }, { bytes, 8 },
    { group_id, DOOR_GROUP_ID_LEN } };
  put_opened (opened, bytes);
  return identity_verify (owner, WIRE_LABEL_REOPENED, parts, 3, sig);
}

/* ---- Binary frames ---- */

void
wire_header_write (Writer *w, const WireHeader *header)
{
  writer_uint (w, header->kind, 1);
  writer_uint (w, 0, 7);
  writer_uint (w, header->seq, 8);
  writer_bytes (w, header->room, LIMIT_ROOM);
}

bool
wire_header_parse (Reader *in, WireHeader *out)
{
  uint64_t kind = reader_uint (in, 1), zero = reader_uint (in, 7),
           seq = reader_uint (in, 8);
  const uint8_t *room = reader_take (in, LIMIT_ROOM);

  if (in->failed || reader_left (in) == 0 || zero != 0 || kind < WIRE_COMMIT
      || kind > WIRE_HANDOVER)
    return false;
  *out = (WireHeader){ (WireKind) kind, seq, { 0 } };
  memcpy (out->room, room, LIMIT_ROOM);
  return true;
}

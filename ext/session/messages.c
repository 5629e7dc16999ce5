/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "messages.h"

#include "ext/sodium/lv.h"

#include <string.h>

#define FROM_MEMBER 1

const char *const recording_state_names[] = { "ask", "on", "off", "consent",
  NULL };

#define AT(field) offsetof (Message, field)
#define SIZE(field) sizeof (((Message *) NULL)->field)
#define N                                                                     \
  {                                                                           \
    "n", FIELD_NUMBER, AT (n), 1, LIMIT_NUMBER, false, NULL                   \
  }
#define KEY(field)                                                            \
  {                                                                           \
    "key", FIELD_BYTES, AT (field), 0, SIZE (field), false, NULL              \
  }
#define PEER(field)                                                           \
  {                                                                           \
    "peer", FIELD_NUMBER, AT (field), 1, LIMIT_NUMBER, false, NULL            \
  }
#define TRACK(field)                                                          \
  {                                                                           \
    "track", FIELD_NUMBER, AT (field), 0, LIMIT_TRACKS - 1, false, NULL       \
  }

static const Field n_only[] = { N };
static const Field present[] = { N, PEER (peer) };
static const Field track[] = { N, TRACK (track.number),
  { "kind", FIELD_NAME, AT (track.kind), 0, 0, false, media_kind_names },
  { "ssrc", FIELD_NUMBER, AT (track.ssrc), 1, UINT32_MAX, false, NULL },
  { "rtx", FIELD_NUMBER, AT (track.rtx), 0, UINT32_MAX, true, NULL },
  { "codec", FIELD_TEXT, AT (track.codec), 1, LIMIT_CODEC, false, NULL },
  { "caps", FIELD_TEXT, AT (track.caps), 0, LIMIT_CAPS, false, NULL } };
static const Field untrack[] = { N, TRACK (untrack) };
static const Field mute[] = {
  N, KEY (mute.key), { "all", FIELD_FLAG, AT (mute.all), 0, 0, true, NULL },
  { "track", FIELD_NUMBER, AT (mute.track), 0, LIMIT_TRACKS - 1, true, NULL }
};
static const Field chat[] = { N,
  { "text", FIELD_TEXT, AT (chat), 1, LIMIT_CHAT, false, NULL } };
static const Field hand[] = { N,
  { "up", FIELD_FLAG, AT (hand), 0, 0, false, NULL } };
static const Field recording[] = { N,
  { "state", FIELD_NAME, AT (recording.state), 0, 0, false,
      recording_state_names },
  { "key", FIELD_BLOB, AT (recording.key), IDENTITY_KEY_LEN, IDENTITY_KEY_LEN,
      true, NULL },
  { "allow", FIELD_FLAG, AT (recording.allow), 0, 0, true, NULL } };
static const Field heartbeat[] = { N,
  { "t", FIELD_NUMBER, AT (heartbeat), 0, LIMIT_NUMBER, false, NULL } };
static const Field removed[] = { N, KEY (removed) };
static const Field here[] = { N, PEER (here.peer),
  { "challenge", FIELD_BYTES, AT (here.challenge), 0, SIZE (here.challenge),
      false, NULL },
  { "room", FIELD_BYTES, AT (here.room), 0, SIZE (here.room), false, NULL },
  { "seq", FIELD_NUMBER, AT (here.seq), 0, LIMIT_NUMBER, false, NULL } };
static const Field chain[] = { N, KEY (chain.key),
  { "chain", FIELD_BLOB, AT (chain.chain), 0, DOOR_MAX_CHAIN, false, NULL } };

#define SHAPE(type, number, fields)                                           \
  {                                                                           \
    type, number, FROM_MEMBER, fields, G_N_ELEMENTS (fields)                  \
  }

static const Shape shapes[] = {
  SHAPE ("present", MESSAGE_PRESENT, present),
  SHAPE ("track", MESSAGE_TRACK, track),
  SHAPE ("untrack", MESSAGE_UNTRACK, untrack),
  SHAPE ("mute-request", MESSAGE_MUTE_REQUEST, mute),
  SHAPE ("chat", MESSAGE_CHAT, chat),
  SHAPE ("hand", MESSAGE_HAND, hand),
  SHAPE ("recording", MESSAGE_RECORDING, recording),
  SHAPE ("heartbeat", MESSAGE_HEARTBEAT, heartbeat),
  SHAPE ("removed", MESSAGE_REMOVED, removed),
  SHAPE ("here", MESSAGE_HERE, here),
  SHAPE ("bye", MESSAGE_BYE, n_only),
  SHAPE ("end", MESSAGE_END, n_only),
  SHAPE ("chain", MESSAGE_CHAIN, chain),
  SHAPE ("admission", MESSAGE_ADMISSION, n_only),
};

JsonResult
message_read (const void *data, size_t len, Message *out)
{
  int type = 0;
  memset (out, 0, sizeof *out);
  if (len > LIMIT_APPLICATION)
    return JSON_MALFORMED;
  JsonResult result = json_read (
      data, len, shapes, G_N_ELEMENTS (shapes), FROM_MEMBER, out, &type);
  out->type = (MessageType) type;
  /* An answer names whom it answers, and nothing else does. */
  if (result == JSON_OK && out->type == MESSAGE_RECORDING
      && (out->recording.state == RECORDING_CONSENT)
             != (out->recording.key.data != NULL)) {
    message_clear (out);
    result = JSON_MALFORMED;
  }
  return result;
}

char *
message_write (const Message *message, size_t *len)
{
  char *text = json_write (shapes, G_N_ELEMENTS (shapes), FROM_MEMBER,
      (int) message->type, message, len);
  if (text && *len > LIMIT_APPLICATION)
    g_clear_pointer (&text, g_free);
  return text;
}

void
message_clear (Message *message)
{
  json_clear (shapes, G_N_ELEMENTS (shapes), FROM_MEMBER, (int) message->type,
      message);
}

const char *
message_type_name (MessageType type)
{
  for (size_t i = 0; i < G_N_ELEMENTS (shapes); i++)
    if (shapes[i].number == (int) type)
      return shapes[i].type;
  return NULL;
}

bool
snapshot_next (Reader *in, const uint8_t **key, Message *out)
{
  while (reader_left (in) > 0) {
    const uint8_t *who = lv_take (in, IDENTITY_KEY_LEN);
    Reader content = lv_read (in, LIMIT_APPLICATION);
    size_t len = reader_left (&content);
    if (in->failed)
      return false;
    /* One that this program doesn't know is left out, not the rest with it. */
    if (message_read (reader_take (&content, len), len, out) != JSON_OK)
      continue;
    *key = who;
    return true;
  }
  return false;
}

void
snapshot_put (GByteArray *snapshot, const uint8_t *key, const Message *message)
{
  uint8_t head[LV_MAX_HEAD];
  size_t len;
  char *text = message_write (message, &len);

  if (!text)
    return;
  g_byte_array_append (
      snapshot, head, (guint) lv_head (IDENTITY_KEY_LEN, head));
  g_byte_array_append (snapshot, key, IDENTITY_KEY_LEN);
  g_byte_array_append (snapshot, head, (guint) lv_head (len, head));
  g_byte_array_append (snapshot, (const guint8 *) text, (guint) len);
  g_free (text);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec.h"

#include <sodium.h>
#include <stdlib.h>

uint32_t
mls_read_varint (Reader *in)
{
  uint64_t first = reader_uint (in, 1);
  unsigned prefix = (unsigned) (first >> 6);

  if (prefix
      == 3) { /* "Vectors that start with the prefix "11" are invalid and MUST be rejected." */
    in->failed = true;
    return 0;
  }
  size_t more = ((size_t) 1 << prefix) - 1;
  uint64_t value = (first & 0x3f) << (8 * more) | reader_uint (in, more);
  if ((prefix == 1 && value < 1u << 6) || (prefix == 2 && value < 1u << 14))
    in->failed =
        true; /* "values using more bits than necessary MUST be treated as malformed" */
  return in->failed ? 0 : (uint32_t) value;
}

MlsSlice
mls_read_opaque (Reader *in)
{
  size_t len = mls_read_varint (in);
  const uint8_t *data = reader_take (in, len);
  return (MlsSlice){ data, data ? len : 0 };
}

Reader
mls_read_vector (Reader *in)
{
  return reader_sub (in, mls_read_varint (in));
}

bool
mls_read_present (Reader *in)
{
  uint64_t present = reader_uint (in, 1);
  if (present > 1)
    in->failed = true;
  return present == 1 && !in->failed;
}

void
mls_buffer_free (MlsBuffer *buffer)
{
  if (buffer->data) {
    sodium_memzero (buffer->data, buffer->len);
    free (buffer->data);
  }
  *buffer = (MlsBuffer){ 0 };
}

uint8_t *
mls_put (MlsBuffer *buffer, size_t len)
{
  if (buffer->failed || len > MLS_MAX_VECTOR - buffer->len) {
    buffer->failed = true;
    return NULL;
  }
  if (!buffer->data || buffer->len + len > buffer->room) {
    size_t room = buffer->room * 2 > buffer->len + len
                      ? buffer->room * 2
                      : buffer->len + len + 64;
    uint8_t *data = malloc (room);
    if (!data) {
      buffer->failed = true;
      return NULL;
    }
    if (buffer->data) {
      memcpy (data, buffer->data, buffer->len);
      sodium_memzero (buffer->data, buffer->len);
      free (buffer->data);
    }
    buffer->data = data;
    buffer->room = room;
  }
  buffer->len += len;
  return buffer->data + buffer->len - len;
}

static void
store_uint (uint8_t *p, uint64_t value, size_t bytes)
{
  for (size_t i = bytes; i > 0; i--, value >>= 8)
    p[i - 1] = (uint8_t) value;
}

void
mls_put_uint (MlsBuffer *buffer, uint64_t value, size_t bytes)
{
  uint8_t *p = mls_put (buffer, bytes);
  if (p)
    store_uint (p, value, bytes);
}

void
mls_put_bytes (MlsBuffer *buffer, const void *data, size_t len)
{
  uint8_t *p = mls_put (buffer, len);
  if (p && len > 0)
    memcpy (p, data, len);
}

void
mls_put_slice (MlsBuffer *buffer, MlsSlice slice)
{
  mls_put_bytes (buffer, slice.data, slice.len);
}

/* Bytes of a varint, 0 for a value too great. */
static size_t
varint_len (size_t value)
{
  return value < 1u << 6           ? 1
         : value < 1u << 14        ? 2
         : value <= MLS_MAX_VECTOR ? 4
                                   : 0;
}

static void
store_varint (uint8_t *p, size_t value, size_t len)
{
  store_uint (p, value, len);
  p[0] |= (uint8_t) (len == 1 ? 0 : len == 2 ? 0x40 : 0x80);
}

void
mls_put_varint (MlsBuffer *buffer, size_t value)
{
  size_t len = varint_len (value);
  uint8_t *p = len ? mls_put (buffer, len) : NULL;
  if (p)
    store_varint (p, value, len);
  else
    buffer->failed = true;
}

void
mls_put_opaque (MlsBuffer *buffer, MlsSlice slice)
{
  mls_put_varint (buffer, slice.len);
  mls_put_slice (buffer, slice);
}

size_t
mls_begin_vector (const MlsBuffer *buffer)
{
  return buffer->len;
}

void
mls_end_vector (MlsBuffer *buffer, size_t start)
{
  if (buffer->failed)
    return;
  size_t content = buffer->len - start, len = varint_len (content);
  if (len == 0 || !mls_put (buffer, len)) {
    buffer->failed = true;
    return;
  }
  memmove (buffer->data + start + len, buffer->data + start, content);
  store_varint (buffer->data + start, content, len);
}

const char *
mls_result_name (MlsResult result)
{
  static const char *const names[] = {
    [MLS_OK] = "ok",
    [MLS_MALFORMED] = "malformed",
    [MLS_UNSUPPORTED] = "unsupported",
    [MLS_TOO_LARGE] = "too-large",
    [MLS_WRONG_GROUP] = "wrong-group",
    [MLS_WRONG_EPOCH] = "wrong-epoch",
    [MLS_UNKNOWN_SENDER] = "unknown-sender",
    [MLS_OWN_MESSAGE] = "own-message",
    [MLS_UNAUTHENTIC] = "unauthentic",
    [MLS_BAD_SIGNATURE] = "bad-signature",
    [MLS_BAD_CONFIRMATION] = "bad-confirmation",
    [MLS_REPLAYED] = "replayed",
    [MLS_TOO_FAR] = "too-far",
    [MLS_UNKNOWN_PROPOSAL] = "unknown-proposal",
    [MLS_UNKNOWN_PSK] = "unknown-psk",
    [MLS_INVALID_PROPOSALS] = "invalid-proposals",
    [MLS_INVALID_LEAF] = "invalid-leaf",
    [MLS_INVALID_KEY_PACKAGE] = "invalid-key-package",
    [MLS_INVALID_PATH] = "invalid-path",
    [MLS_INVALID_TREE] = "invalid-tree",
    [MLS_NOT_FOR_US] = "not-for-us",
    [MLS_EXPIRED] = "expired",
    [MLS_CLOSED] = "closed",
    [MLS_NO_MEMORY] = "no-memory",
    [MLS_MISUSE] = "misuse",
  };
  return (size_t) result < sizeof names / sizeof names[0] ? names[result]
                                                          : "unknown";
}

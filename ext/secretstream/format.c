/* Keys, places, and what results mean.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "private.h"

#include "ext/sodium/hkdf.h"
#include "ext/sodium/writer.h"

#include <stdlib.h>

_Static_assert(SECRETSTREAM_SEGMENT_HEAD
                   == crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    "the format follows libsodium");
_Static_assert(SECRETSTREAM_CHUNK_OVERHEAD == LENGTH_LEN + ABYTES, "as above");
_Static_assert(SECRETSTREAM_SEALED == 32 + crypto_box_SEALBYTES, "as above");

#define LABEL_CHECK "conclave secretstream 1 check"
#define LABEL_SEGMENT "conclave secretstream 1 segment"
#define LABEL_INDEX "conclave secretstream 1 index"

const char *
secretstream_result_text (SecretstreamResult result)
{
  switch (result) {
    case SECRETSTREAM_OK:
      return "is in order";
    case SECRETSTREAM_NOT_ONE:
      return "is not one that secretstreamenc wrote, or was sent as text";
    case SECRETSTREAM_OTHER_VERSION:
      return "is of a later version of the format: read it with a later version of this program";
    case SECRETSTREAM_BAD_HEADER:
      return "has a damaged header";
    case SECRETSTREAM_NEEDS_KEY:
      return "was encrypted with a key: set \"key-location\" to it";
    case SECRETSTREAM_NEEDS_IDENTITY:
      return "was sealed to recipients: set \"identity-location\" to the key file of one of them";
    case SECRETSTREAM_NOT_FOR_US:
      return "was sealed to others: the identity in \"identity-location\" is not among its recipients";
    case SECRETSTREAM_WRONG_KEY:
      return "was encrypted with another key, or its header was changed";
    case SECRETSTREAM_DAMAGED:
      return "was changed";
    case SECRETSTREAM_CUT:
      return "was cut off, as when a recorder crashes";
    case SECRETSTREAM_TRAILING:
      return "goes on behind its end: something was appended";
    case SECRETSTREAM_BAD_INDEX:
      return "was changed behind its last chunk";
    case SECRETSTREAM_FULL:
      return "has as many chunks as it may: begin another, or use larger chunks (\"chunk-size\", \"max-latency\")";
    case SECRETSTREAM_FAILED:
      return "cannot be processed: memory is short";
  }
  return "cannot be processed";
}

void
file_keys_extract (FileKeys *keys, const uint8_t *header, size_t header_len,
    const uint8_t *key, size_t key_len)
{
  hkdf_extract (HASH_SHA512, header, header_len, key, key_len, keys->prk);
}

void
file_keys_check (const FileKeys *keys, uint8_t *check)
{
  hkdf_expand (HASH_SHA512, keys->prk, PRK_LEN, LABEL_CHECK,
      sizeof LABEL_CHECK - 1, check, SECRETSTREAM_CHECK);
}

void
file_keys_segment (FileKeys *keys, uint64_t n)
{
  uint8_t info[sizeof LABEL_SEGMENT - 1 + 8];
  Writer w = writer_init (info, sizeof info);

  writer_bytes (&w, LABEL_SEGMENT, sizeof LABEL_SEGMENT - 1);
  writer_uint (&w, n, 8);
  hkdf_expand (HASH_SHA512, keys->prk, PRK_LEN, info, sizeof info, keys->key,
      STREAM_KEY_LEN);
}

void
file_keys_index (FileKeys *keys)
{
  hkdf_expand (HASH_SHA512, keys->prk, PRK_LEN, LABEL_INDEX,
      sizeof LABEL_INDEX - 1, keys->key, STREAM_KEY_LEN);
}

void
write_ad (uint8_t *ad, uint64_t first, uint64_t second)
{
  Writer w = writer_init (ad, AD_LEN);
  writer_uint (&w, first, 8);
  writer_uint (&w, second, 8);
}

bool
segment_starts_add (SegmentStarts *starts, uint64_t offset)
{
  if (starts->count == SECRETSTREAM_MAX_SEGMENTS)
    return false;
  if (starts->count == starts->room) {
    size_t room = starts->room > 0 ? 2 * starts->room : 64;
    uint64_t *larger = realloc (starts->starts, room * sizeof *larger);
    if (!larger)
      return false;
    starts->starts = larger;
    starts->room = room;
  }
  starts->starts[starts->count++] = offset;
  return true;
}

uint64_t
place_in_file (size_t header_len, uint64_t chunk, uint64_t plain)
{
  uint64_t heads = (chunk + SECRETSTREAM_SEGMENT - 1) / SECRETSTREAM_SEGMENT;
  return header_len + heads * SECRETSTREAM_SEGMENT_HEAD
         + chunk * SECRETSTREAM_CHUNK_OVERHEAD + plain;
}

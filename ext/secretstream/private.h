/* What writer and reader share: keys and sizes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "format.h"

#include <sodium.h>

/* A file's first bytes; the last four show what a transfer as text does to them, as PNG's do. */
#define MAGIC                                                                 \
  "\x89"                                                                      \
  "CSS\r\n\x1a\n"
#define MAGIC_LEN 8
#define END_MAGIC "CSS-end\n"
#define VERSION 1

typedef enum
{
  KIND_KEY,
  KIND_RECIPIENTS
} FileKind;

#define PRK_LEN 64
#define STREAM_KEY_LEN crypto_secretstream_xchacha20poly1305_KEYBYTES
#define LENGTH_LEN 4
#define ABYTES crypto_secretstream_xchacha20poly1305_ABYTES

/* In guarded memory (secret.h) */
typedef struct
{
  uint8_t prk[PRK_LEN];
  uint8_t key[STREAM_KEY_LEN]; /* used at once, and wiped */
  crypto_secretstream_xchacha20poly1305_state state;
} FileKeys;

/* HKDF-Extract (salt = header without its check, key), to `keys->prk`. */
void file_keys_extract (FileKeys *keys, const uint8_t *header,
    size_t header_len, const uint8_t *key, size_t key_len);

/* SECRETSTREAM_CHECK bytes that only this key and header give. */
void file_keys_check (const FileKeys *keys, uint8_t *check);

/* The key of segment `n`, or of the index, to `keys->key`. */
void file_keys_segment (FileKeys *keys, uint64_t n);
void file_keys_index (FileKeys *keys);

/* What authenticates with a chunk, or the index: two numbers of 8 bytes, big-endian. */
#define AD_LEN 16
void write_ad (uint8_t *ad, uint64_t first, uint64_t second);

/* Where segments begin: plain offsets. */
typedef struct
{
  uint64_t *starts;
  size_t count, room;
} SegmentStarts;

/* False when there are SECRETSTREAM_MAX_SEGMENTS, or memory is short. */
bool segment_starts_add (SegmentStarts *starts, uint64_t offset);

/* Where chunk `chunk`, whose plain bytes begin at `plain`, begins in the file: its segment's head if it is the first of one. */
uint64_t place_in_file (size_t header_len, uint64_t chunk, uint64_t plain);

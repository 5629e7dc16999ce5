/* Identities: Ed25519 keys (RFC 8032), their files' format, their fingerprints, and what they sign.
 *
 * Bytes in, bytes out; files are identity_file.h's. One identity key serves the door's signatures and as the MLS
 * signature key. They cannot be taken for one another: what is signed here begins with a length and a label of its
 * own, what MLS signs with the length of a label "MLS 1.0 ...".
 *
 * core_init() first. Everything here may be called from several threads.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "hkdf.h"
#include "secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDENTITY_KEY_LEN 32    /* an Ed25519 public key, or seed */
#define IDENTITY_SECRET_LEN 64 /* libsodium's: seed | public key */
#define IDENTITY_SIG_LEN 64
#define IDENTITY_FINGERPRINT_LEN 32 /* SHA-256 of the public key */
#define IDENTITY_MAX_PEM 16384      /* ours: bytes of a key file */
#define IDENTITY_MAX_SIGNED 4096    /* ours: bytes one signature covers */

/* Texts, with their NUL */
#define FINGERPRINT_TEXT_SIZE 44  /* base64url */
#define SHORT_FINGERPRINT_SIZE 24 /* four groups of five digits */
#define SECURITY_CODE_SIZE 35     /* five groups of six digits */

typedef enum
{
  IDENTITY_OK,
  IDENTITY_NO_KEY,     /* no block "PRIVATE KEY" in the text */
  IDENTITY_ENCRYPTED,  /* the key is protected by a passphrase */
  IDENTITY_OTHER_KIND, /* a private key, not of Ed25519 */
  IDENTITY_MALFORMED, /* not the structure of RFC 8410, or a public key in it that is another key's */
  IDENTITY_FAILED,    /* memory is short */
  /* Of identity_file.h only */
  IDENTITY_NOT_FOUND,
  IDENTITY_EXISTS,     /* nothing is overwritten */
  IDENTITY_NOT_A_FILE, /* a symbolic link, a directory, a pipe, a device */
  IDENTITY_OPEN_TO_ALL, /* its mode lets others read a key, or change what is known */
  IDENTITY_NOT_OWNED, /* it belongs to another user */
  IDENTITY_TOO_LARGE,
  IDENTITY_IO /* errno tells */
} IdentityResult;

/* What a person does about it: half a sentence that goes behind the file's name, "demo.pem " + this. */
const char *identity_result_text (IdentityResult result);

/* A key pair in guarded memory; never changes. */
typedef struct Identity Identity;

/* A fresh one; NULL when memory is short. */
Identity *identity_new (void);

/* The one that belongs to `seed`, IDENTITY_KEY_LEN bytes (the private key of RFC 8032). */
Identity *identity_from_seed (const uint8_t *seed);

/* Wipes. Takes NULL. */
void identity_free (Identity *identity);

/* IDENTITY_KEY_LEN bytes to give to others. */
const uint8_t *identity_public_key (const Identity *identity);

/* IDENTITY_SECRET_LEN bytes in libsodium's form, for MLS to sign with; valid as long as the identity. */
const uint8_t *identity_secret_key (const Identity *identity);

/* Reads a PEM text (RFC 7468) with a private key (RFC 8410, 7: PKCS #8, version 1, or version 2 with the public key
 * beside it), as `openssl genpkey -algorithm ed25519` writes it. Text around the block and other blocks before it are
 * skipped. `out` is NULL but for IDENTITY_OK. */
IdentityResult identity_from_pem (
    const char *text, size_t len, Identity **out);

/* The same format, version 1, one line break at the end, no NUL. NULL when memory is short. */
Secret *identity_to_pem (const Identity *identity);

/* Signs lv(label) | lv(part) | lv(part) ...: lv.h. `sig` gets IDENTITY_SIG_LEN bytes. False when all that is more than
 * IDENTITY_MAX_SIGNED bytes. */
bool identity_sign (const Identity *identity, const char *label,
    const HashPart *parts, size_t count, uint8_t *sig);

/* True when `sig` is that signature by `public_key`. Public keys of small order, which would verify anything, and
 * signatures in another form than the signer's are refused. */
bool identity_verify (const uint8_t *public_key, const char *label,
    const HashPart *parts, size_t count, const uint8_t *sig);

/* IDENTITY_FINGERPRINT_LEN bytes: SHA-256 of the public key. */
void identity_fingerprint (const uint8_t *public_key, uint8_t *fingerprint);

/* A fingerprint as links and files have it, base64url without padding; FINGERPRINT_TEXT_SIZE bytes. */
void fingerprint_text (const uint8_t *fingerprint, char *text);

/* And back: exactly 43 characters in the one way they can be written. */
bool fingerprint_parse (const char *text, size_t len, uint8_t *fingerprint);

/* A fingerprint for a person to read out, "01234 56789 01234 56789", SHORT_FINGERPRINT_SIZE bytes: group i (0-3) is
 * bytes 5i to 5i + 4, big-endian, modulo 100,000. It has 66 bits: nobody finds a second key with the same. */
void fingerprint_short (const uint8_t *fingerprint, char *text);

/* The code by which members compare that they are in the same group at the same epoch, without anybody between:
 * "012345 678901 234567 890123 456789", SECURITY_CODE_SIZE bytes. Group i (0-4) is bytes 6i to 6i + 5 of
 * SHA-512 (lv("conclave/1 code") | lv(epoch_authenticator)), big-endian, modulo 1,000,000. False, with
 * `text` empty, when `len` is 0 or too long to be an epoch authenticator. */
bool security_code (const void *epoch_authenticator, size_t len, char *text);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "identity.h"

#include "lv.h"

#include <sodium.h>
#include <string.h>

#define PEM_BEGIN "-----BEGIN PRIVATE KEY-----"
#define PEM_END "-----END PRIVATE KEY-----"
#define PEM_BEGIN_ENCRYPTED "-----BEGIN ENCRYPTED PRIVATE KEY-----"

/* The key takes 48; the rest are attributes that nobody needs. */
#define MAX_DER 1024

/* X.690, 8.1.2: the tags in a key's structure */
#define DER_INTEGER 0x02
#define DER_BIT_STRING_1 0x81 /* [1] IMPLICIT BIT STRING */
#define DER_OCTET_STRING 0x04
#define DER_OID 0x06
#define DER_SEQUENCE 0x30
#define DER_ATTRIBUTES 0xa0 /* [0] IMPLICIT SET */

/* RFC 8410, 3: id-Ed25519, 1.3.101.112 */
static const uint8_t ed25519_oid[] = { 0x2b, 0x65, 0x70 };

/* RFC 8410, 7: what comes before the 32 bytes in version 1 */
static const uint8_t pkcs8_head[] = { DER_SEQUENCE, 46, DER_INTEGER, 1, 0,
  DER_SEQUENCE, 5, DER_OID, 3, 0x2b, 0x65, 0x70, DER_OCTET_STRING, 34,
  DER_OCTET_STRING, 32 };

struct Identity
{
  uint8_t secret[IDENTITY_SECRET_LEN];
  uint8_t public_key[IDENTITY_KEY_LEN];
};

const char *
identity_result_text (IdentityResult result)
{
  switch (result) {
    case IDENTITY_OK:
      return "is in order";
    case IDENTITY_NO_KEY:
      return "holds no private key in PEM; make one with: openssl genpkey -algorithm ed25519";
    case IDENTITY_ENCRYPTED:
      return "is protected by a passphrase; take it off with: openssl pkey -in OLD -out NEW";
    case IDENTITY_OTHER_KIND:
      return "is not an Ed25519 key; make one with: openssl genpkey -algorithm ed25519";
    case IDENTITY_MALFORMED:
      return "is damaged: its contents are not in the format they should have";
    case IDENTITY_FAILED:
      return "cannot be held: out of memory";
    case IDENTITY_NOT_FOUND:
      return "does not exist";
    case IDENTITY_EXISTS:
      return "exists already and is not overwritten";
    case IDENTITY_NOT_A_FILE:
      return "is not a regular file (symbolic links are not followed)";
    case IDENTITY_OPEN_TO_ALL:
      return "is open to other users; close it with: chmod 600";
    case IDENTITY_NOT_OWNED:
      return "belongs to another user";
    case IDENTITY_TOO_LARGE:
      return "is too large";
    case IDENTITY_IO:
      return "cannot be read or written";
  }
  return "cannot be used";
}

Identity *
identity_from_seed (const uint8_t *seed)
{
  Identity *identity = sodium_malloc (sizeof *identity);
  if (!identity)
    return NULL;
  crypto_sign_seed_keypair (identity->public_key, identity->secret, seed);
  sodium_mprotect_readonly (identity);
  return identity;
}

Identity *
identity_new (void)
{
  uint8_t seed[IDENTITY_KEY_LEN];
  randombytes_buf (seed, sizeof seed);
  Identity *identity = identity_from_seed (seed);
  sodium_memzero (seed, sizeof seed);
  return identity;
}

void
identity_free (Identity *identity)
{
  if (identity)
    sodium_free (identity); /* wipes */
}

const uint8_t *
identity_public_key (const Identity *identity)
{
  return identity->public_key;
}

const uint8_t *
identity_secret_key (const Identity *identity)
{
  return identity->secret;
}

/* The contents of the next element, whose tag must be `tag`; lengths in their shortest form (X.690, 10.1). */
static Reader
der_read (Reader *r, uint8_t tag)
{
  if (reader_uint (r, 1) != tag)
    r->failed = true;
  size_t len = (size_t) reader_uint (r, 1);
  if (len == 0x81) {
    len = (size_t) reader_uint (r, 1);
    if (len < 0x80)
      r->failed = true;
  } else if (len == 0x82) {
    len = (size_t) reader_uint (r, 2);
    if (len < 0x100)
      r->failed = true;
  } else if (len >= 0x80) {
    r->failed = true;
  }
  return reader_sub (r, r->failed ? 0 : len);
}

static bool
next_is (const Reader *r, uint8_t tag)
{
  Reader peek = *r;
  return reader_left (r) > 0 && reader_uint (&peek, 1) == tag;
}

/* RFC 5958, 2: OneAsymmetricKey, with RFC 8410's algorithm and curve private key. */
static IdentityResult
parse_key (Reader der, Identity **out)
{
  Reader key = der_read (&der, DER_SEQUENCE),
         version = der_read (&key, DER_INTEGER);
  uint64_t v = reader_uint (&version, 1);
  Reader algorithm = der_read (&key, DER_SEQUENCE),
         oid = der_read (&algorithm, DER_OID);
  size_t oid_len = reader_left (&oid);
  const uint8_t *oid_bytes = reader_take (&oid, oid_len);

  if (!reader_done (&der) || !reader_done (&version) || v > 1 || !oid_bytes)
    return IDENTITY_MALFORMED;
  if (oid_len != sizeof ed25519_oid
      || memcmp (oid_bytes, ed25519_oid, oid_len) != 0)
    return IDENTITY_OTHER_KIND;

  Reader outer = der_read (&key, DER_OCTET_STRING),
         inner = der_read (&outer, DER_OCTET_STRING);
  const uint8_t *seed = reader_take (&inner, IDENTITY_KEY_LEN),
                *public_key = NULL;
  if (next_is (&key, DER_ATTRIBUTES))
    der_read (&key, DER_ATTRIBUTES);
  if (v == 1 && next_is (&key, DER_BIT_STRING_1)) {
    Reader bits = der_read (&key, DER_BIT_STRING_1);
    bool whole = reader_uint (&bits, 1) == 0; /* no unused bits */
    public_key = reader_take (&bits, IDENTITY_KEY_LEN);
    if (!whole || !reader_done (&bits))
      return IDENTITY_MALFORMED;
  }
  /* RFC 8410, 3: "the parameters MUST be absent" */
  if (!reader_done (&key) || !reader_done (&algorithm) || !reader_done (&outer)
      || !reader_done (&inner))
    return IDENTITY_MALFORMED;

  Identity *identity = identity_from_seed (seed);
  if (!identity)
    return IDENTITY_FAILED;
  if (public_key
      && sodium_memcmp (public_key, identity->public_key, IDENTITY_KEY_LEN)
             != 0) {
    identity_free (identity);
    return IDENTITY_MALFORMED;
  }
  *out = identity;
  return IDENTITY_OK;
}

/* Where `mark` stands at the start of a line, at or after `at`; `len` when nowhere. */
static size_t
find_line (const char *text, size_t len, size_t at, const char *mark)
{
  size_t mark_len = strlen (mark);
  for (; at + mark_len <= len; at++)
    if ((at == 0 || text[at - 1] == '\n')
        && memcmp (text + at, mark, mark_len) == 0)
      return at;
  return len;
}

IdentityResult
identity_from_pem (const char *text, size_t len, Identity **out)
{
  *out = NULL;
  if (len > IDENTITY_MAX_PEM)
    return IDENTITY_TOO_LARGE;

  size_t begin = find_line (text, len, 0, PEM_BEGIN);
  if (begin == len)
    return find_line (text, len, 0, PEM_BEGIN_ENCRYPTED) < len
               ? IDENTITY_ENCRYPTED
               : IDENTITY_NO_KEY;
  begin += strlen (PEM_BEGIN);
  size_t end = find_line (text, len, begin, PEM_END), der_len = 0;
  if (end == len)
    return IDENTITY_MALFORMED;

  uint8_t *der = sodium_malloc (MAX_DER);
  if (!der)
    return IDENTITY_FAILED;
  IdentityResult result = IDENTITY_MALFORMED;
  if (sodium_base642bin (der, MAX_DER, text + begin, end - begin, " \t\r\n",
          &der_len, NULL, sodium_base64_VARIANT_ORIGINAL)
      == 0)
    result = parse_key (reader_init (der, der_len), out);
  sodium_free (der); /* wipes */
  return result;
}

Secret *
identity_to_pem (const Identity *identity)
{
  /* 48 bytes are 64 characters: one line, and no padding to think of. */
  uint8_t der[sizeof pkcs8_head + IDENTITY_KEY_LEN];
  char line[sodium_base64_ENCODED_LEN (
      sizeof der, sodium_base64_VARIANT_ORIGINAL)];

  memcpy (der, pkcs8_head, sizeof pkcs8_head);
  memcpy (der + sizeof pkcs8_head, identity->secret, IDENTITY_KEY_LEN);
  sodium_bin2base64 (
      line, sizeof line, der, sizeof der, sodium_base64_VARIANT_ORIGINAL);

  size_t len =
      strlen (PEM_BEGIN) + 1 + strlen (line) + 1 + strlen (PEM_END) + 1;
  Secret *pem = secret_new (len);
  if (pem) {
    Writer w = writer_init (secret_bytes (pem), len);
    writer_bytes (&w, PEM_BEGIN "\n", strlen (PEM_BEGIN) + 1);
    writer_bytes (&w, line, strlen (line));
    writer_bytes (&w, "\n" PEM_END "\n", strlen (PEM_END) + 2);
  }
  sodium_memzero (der, sizeof der);
  sodium_memzero (line, sizeof line);
  return pem;
}

/* lv(label) | lv(part) ... to `room`; 0 when it does not fit. */
static size_t
write_signed (
    const char *label, const HashPart *parts, size_t count, uint8_t *room)
{
  Writer w = writer_init (room, IDENTITY_MAX_SIGNED);
  lv_write (&w, label, strlen (label));
  for (size_t i = 0; i < count; i++)
    lv_write (&w, parts[i].bytes, parts[i].len);
  return w.failed ? 0 : writer_len (&w);
}

bool
identity_sign (const Identity *identity, const char *label,
    const HashPart *parts, size_t count, uint8_t *sig)
{
  uint8_t message[IDENTITY_MAX_SIGNED];
  size_t len = write_signed (label, parts, count, message);
  return len > 0
         && crypto_sign_detached (sig, NULL, message, len, identity->secret)
                == 0;
}

bool
identity_verify (const uint8_t *public_key, const char *label,
    const HashPart *parts, size_t count, const uint8_t *sig)
{
  uint8_t message[IDENTITY_MAX_SIGNED];
  size_t len = write_signed (label, parts, count, message);
  return len > 0
         && crypto_sign_verify_detached (sig, message, len, public_key) == 0;
}

void
identity_fingerprint (const uint8_t *public_key, uint8_t *fingerprint)
{
  crypto_hash_sha256 (fingerprint, public_key, IDENTITY_KEY_LEN);
}

void
fingerprint_text (const uint8_t *fingerprint, char *text)
{
  sodium_bin2base64 (text, FINGERPRINT_TEXT_SIZE, fingerprint,
      IDENTITY_FINGERPRINT_LEN, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool
fingerprint_parse (const char *text, size_t len, uint8_t *fingerprint)
{
  uint8_t bytes[IDENTITY_FINGERPRINT_LEN];
  char again[FINGERPRINT_TEXT_SIZE];
  size_t got;

  if (len != FINGERPRINT_TEXT_SIZE - 1
      || sodium_base642bin (bytes, sizeof bytes, text, len, NULL, &got, NULL,
             sodium_base64_VARIANT_URLSAFE_NO_PADDING)
             != 0
      || got != sizeof bytes)
    return false;
  /* libsodium takes some characters with the top bit set for those without. */
  fingerprint_text (bytes, again);
  if (memcmp (again, text, len) != 0)
    return false;
  memcpy (fingerprint, bytes, sizeof bytes);
  return true;
}

/* `groups` numbers of `bytes` bytes each, big-endian, modulo 10^digits, with spaces between. */
static void
write_groups (
    const uint8_t *from, size_t groups, size_t bytes, int digits, char *text)
{
  Reader in = reader_init (from, groups * bytes);

  for (size_t g = 0; g < groups; g++) {
    uint64_t value = reader_uint (&in, bytes);
    for (int d = digits - 1; d >= 0; d--, value /= 10)
      text[d] = (char) ('0' + value % 10);
    text += digits;
    *text++ = g + 1 < groups ? ' ' : '\0';
  }
}

void
fingerprint_short (const uint8_t *fingerprint, char *text)
{
  write_groups (fingerprint, 4, 5, 5, text);
}

bool
security_code (const void *epoch_authenticator, size_t len, char *text)
{
  uint8_t room[IDENTITY_MAX_SIGNED], digest[64];
  const HashPart part = { epoch_authenticator, len };

  size_t n = len > 0 && len <= HASH_MAX_LEN
                 ? write_signed ("conclave/1 code", &part, 1, room)
                 : 0;
  text[0] = '\0';
  if (n == 0)
    return false;
  crypto_hash_sha512 (digest, room, n);
  write_groups (digest, 5, 6, 6, text);
  sodium_memzero (room, sizeof room);
  sodium_memzero (digest, sizeof digest);
  return true;
}

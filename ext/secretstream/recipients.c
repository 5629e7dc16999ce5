/* A list of those whom a file is sealed to.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "private.h"

#include "ext/sodium/reader.h"

#include <string.h>

#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define PEM_END "-----END PUBLIC KEY-----"

/* RFC 8410, 4: what comes before the 32 bytes of an Ed25519 key */
static const uint8_t spki_head[] = { 0x30, 42, 0x30, 5, 0x06, 3, 0x2b, 0x65,
  0x70, 0x03, 33, 0 };
#define SPKI_LEN (sizeof spki_head + IDENTITY_KEY_LEN)

typedef struct
{
  const char *text;
  size_t len;
} Line;

const char *
secretstream_recipients_text (RecipientsResult result)
{
  switch (result) {
    case RECIPIENTS_OK:
      return "is in order";
    case RECIPIENTS_NONE:
      return "names no recipient: nobody could read the file";
    case RECIPIENTS_TOO_MANY:
      return "is too long: a file has at most 64 recipients";
    case RECIPIENTS_BAD_LINE:
      return "is neither a public key nor a comment (write a key with: openssl pkey -in IDENTITY -pubout)";
    case RECIPIENTS_PRIVATE_KEY:
      return "has a private key, which belongs to its owner only (take the public one: openssl pkey -in IDENTITY -pubout)";
    case RECIPIENTS_BAD_KEY:
      return "has a key that cannot be sealed to: an identity's is an Ed25519 key";
  }
  return "cannot be used";
}

static bool
is_space (char c)
{
  return c == ' ' || c == '\t' || c == '\r';
}

/* The next line without white space around it; false at the end. */
static bool
next_line (Reader *r, Line *line)
{
  size_t left = reader_left (r), len = 0;

  if (left == 0)
    return false;
  while (len < left && r->at[len] != '\n')
    len++;
  const char *text = (const char *) reader_take (r, len);
  reader_take (r, len < left ? 1 : 0);
  while (len > 0 && is_space (text[0])) {
    text++;
    len--;
  }
  while (len > 0 && is_space (text[len - 1]))
    len--;
  *line = (Line){ text, len };
  return true;
}

static bool
line_is (const Line *line, const char *text)
{
  return line->len == strlen (text)
         && memcmp (line->text, text, line->len) == 0; /* public bytes */
}

static bool
line_has (const Line *line, const char *text)
{
  size_t len = strlen (text);
  for (size_t i = 0; i + len <= line->len; i++)
    if (memcmp (line->text + i, text, len) == 0)
      return true;
  return false;
}

static RecipientsResult
add (SecretstreamRecipients *out, const uint8_t *key)
{
  uint8_t box[crypto_box_PUBLICKEYBYTES];

  for (size_t i = 0; i < out->count; i++)
    if (memcmp (out->keys[i], key, IDENTITY_KEY_LEN) == 0) /* public bytes */
      return RECIPIENTS_OK;
  if (crypto_sign_ed25519_pk_to_curve25519 (box, key) != 0)
    return RECIPIENTS_BAD_KEY;
  if (out->count == SECRETSTREAM_MAX_RECIPIENTS)
    return RECIPIENTS_TOO_MANY;
  memcpy (out->keys[out->count++], key, IDENTITY_KEY_LEN);
  return RECIPIENTS_OK;
}

/* A key on a line of its own, perhaps with a name behind it. */
static RecipientsResult
add_line (SecretstreamRecipients *out, const Line *line)
{
  uint8_t key[IDENTITY_KEY_LEN];
  size_t len = 0, got;

  while (len < line->len && !is_space (line->text[len]))
    len++;
  bool ok =
      len == 2 * IDENTITY_KEY_LEN
      && sodium_hex2bin (key, sizeof key, line->text, len, NULL, &got, NULL)
             == 0
      && got == sizeof key;
  static const int variants[] = { sodium_base64_VARIANT_URLSAFE_NO_PADDING,
    sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_ORIGINAL,
    sodium_base64_VARIANT_ORIGINAL_NO_PADDING };
  for (size_t i = 0; i < 4 && !ok && (len == 43 || len == 44); i++)
    ok = sodium_base642bin (
             key, sizeof key, line->text, len, NULL, &got, NULL, variants[i])
             == 0
         && got == sizeof key;
  return ok ? add (out, key) : RECIPIENTS_BAD_LINE;
}

/* The lines of a block up to its end. */
static RecipientsResult
add_block (SecretstreamRecipients *out, Reader *r, size_t *number)
{
  char base64[80];
  uint8_t der[SPKI_LEN];
  size_t len = 0, got;
  Line line;

  while (next_line (r, &line)) {
    ++*number;
    if (line_is (&line, PEM_END)) {
      if (sodium_base642bin (der, sizeof der, base64, len, NULL, &got, NULL,
              sodium_base64_VARIANT_ORIGINAL)
              != 0
          || got != sizeof der
          || memcmp (der, spki_head, sizeof spki_head) != 0)
        return RECIPIENTS_BAD_KEY;
      return add (out, der + sizeof spki_head);
    }
    if (line.len > sizeof base64 - len)
      return RECIPIENTS_BAD_KEY; /* longer than Ed25519's */
    memcpy (base64 + len, line.text, line.len);
    len += line.len;
  }
  return RECIPIENTS_BAD_LINE;
}

RecipientsResult
secretstream_recipients_parse (
    const char *text, size_t len, SecretstreamRecipients *out, size_t *number)
{
  Reader r = reader_init (text, len);
  RecipientsResult result = RECIPIENTS_OK;
  Line line;

  *out = (SecretstreamRecipients){ .count = 0 };
  *number = 0;
  if (len > SECRETSTREAM_MAX_RECIPIENTS_TEXT)
    return RECIPIENTS_TOO_MANY;
  while (result == RECIPIENTS_OK && next_line (&r, &line)) {
    ++*number;
    if (line.len == 0 || line.text[0] == '#')
      continue;
    if (line_is (&line, PEM_BEGIN))
      result = add_block (out, &r, number);
    else if (line_has (&line, "PRIVATE KEY-----"))
      result = RECIPIENTS_PRIVATE_KEY;
    else
      result = add_line (out, &line);
  }
  if (result == RECIPIENTS_OK && out->count == 0)
    result = RECIPIENTS_NONE;
  return result;
}

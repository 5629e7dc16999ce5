/* Passwords as people type them, made into the same bytes everywhere: the OpaqueString profile of PRECIS (RFC 8265, 4.2,
 * on the FreeformClass of RFC 8264, 4.3).
 *
 * What may be in a password: letters, digits, symbols and punctuation of any script, and spaces. What is changed: any
 * other space (U+00A0, U+3000, ...) becomes U+0020, then the string is put into normalization form C. Nothing else:
 * case, width and spaces at the ends are kept. Control characters, invisible characters, private and unassigned code
 * points are refused, and those that RFC 5892 allows only between certain neighbours are looked at in their place.
 *
 * Character properties are libunistring's. GnuTLS has a function for this, gnutls_utf8_password_normalize(), which is
 * not used here: it refuses passwords that the RFC allows (Arabic digits, the Katakana middle dot, joiners in Persian
 * and Indic words), and leaves three copies of the password in freed memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ours, in bytes; the result has at most SECRET_MAX. */
#define PRECIS_MAX_INPUT 4096

typedef enum
{
  PRECIS_OK,
  PRECIS_EMPTY, /* a password of no characters is none */
  PRECIS_TOO_LONG, /* more than PRECIS_MAX_INPUT bytes, or more than SECRET_MAX in the end */
  PRECIS_NOT_UTF8,
  PRECIS_DISALLOWED, /* a code point that the FreeformClass has not, or not in this place */
  PRECIS_FAILED /* memory is short */
} PrecisResult;

/* Prepares and enforces (RFC 8265, 4.2.1 and 4.2.2) `text`, UTF-8 of `len` bytes. With PRECIS_OK, `out` gets the
 * result, a new reference; otherwise NULL. With PRECIS_DISALLOWED, `bad`, unless NULL, gets the position of the first
 * code point refused, counted from 1 as a person would. */
PrecisResult precis_opaque_string (
    const char *text, size_t len, Secret **out, size_t *bad);

/* The length of a password read from a file, without the one newline (LF or CR LF) that editors leave at the end. */
size_t precis_trim_newline (const char *text, size_t len);

/* Known identities: whose key was seen under which name before (trust on first use), as ssh keeps known_hosts.
 *
 * The text is for people too: a line "NAME FINGERPRINT", the fingerprint in base64url; empty lines and lines that begin
 * with '#' are kept as they are. A name may stand on several lines, with a key each. Bytes in, bytes out; files are
 * identity_file.h's. Used by one thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "identity.h"

/* In bytes: a name, of printable ASCII without spaces, not beginning with '#'; a line, comments too; a whole list, some
 * 10,000 names. */
#define KNOWN_MAX_NAME 512
#define KNOWN_MAX_LINE 1024
#define KNOWN_MAX_TEXT (1u << 20)

typedef enum
{
  KNOWN_NEW,    /* no key was seen under this name */
  KNOWN_SAME,   /* this key was */
  KNOWN_CHANGED /* another key was, and this one never: a new key, or somebody in between. Ask the person */
} KnownVerdict;

typedef struct Known Known;

/* A list read from `text`, which may be empty; copied. NULL when a line is malformed or too long, the text too large, or
 * memory is short; `bad_line` gets the number of the line, from 1, or 0. */
Known *known_parse (const char *text, size_t len, size_t *bad_line);
void known_free (Known *known);

/* The list as text, valid until it changes. */
const char *known_text (const Known *known, size_t *len);

/* What is known about `fingerprint` under `name`. With KNOWN_CHANGED, `recorded`, unless NULL, gets the fingerprint that
 * was seen last, for the message to name. */
KnownVerdict known_check (const Known *known, const char *name,
    const uint8_t *fingerprint, uint8_t *recorded);

/* Adds a line. The caller has asked known_check(), and a person if it said KNOWN_CHANGED. False, with the list as it
 * was, when the name is not one or the list is full. */
bool known_add (Known *known, const char *name, const uint8_t *fingerprint);

/* Drops all lines of a name; how many there were. */
size_t known_forget (Known *known, const char *name);

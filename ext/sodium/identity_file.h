/* Identity keys and known identities in files: the one place in this folder that touches a disk.
 *
 * A key file is read only when it is a regular file (symbolic links are not followed), belongs to this user and is
 * closed to all others (mode 0600 or less). It is made so, never over an existing file, and appears under its name
 * whole or not at all. Blocking calls, to be made before a session runs; any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "identity.h"
#include "known.h"

/* Reads the key in `path`. `out` is NULL but for IDENTITY_OK. */
IdentityResult identity_file_load (const char *path, Identity **out);

/* Writes `identity` to `path`, which must not exist. */
IdentityResult identity_file_save (const char *path, const Identity *identity);

/* Reads the key in `path`, or makes a fresh one there when there is no file yet: what `identity-location` means. */
IdentityResult identity_file_load_or_create (const char *path, Identity **out);

/* Reads a list of known identities; a file that does not exist is an empty list. It must belong to this user, and only
 * this user may be able to change it. With IDENTITY_MALFORMED, `bad_line` tells where. */
IdentityResult known_file_load (
    const char *path, Known **out, size_t *bad_line);

/* Looks `fingerprint` up under `name` and, if the name is new, remembers it: one step even when several processes do
 * it, on a file that is replaced whole. A changed key is reported, never recorded: `recorded`, unless NULL, gets what
 * was known. A lock file `path`.lock stays beside the list. */
IdentityResult known_file_meet (const char *path, const char *name,
    const uint8_t *fingerprint, KnownVerdict *verdict, uint8_t *recorded,
    size_t *bad_line);

/* Forgets a name and remembers `fingerprint` in its place: after a person has compared it. */
IdentityResult known_file_replace (const char *path, const char *name,
    const uint8_t *fingerprint, size_t *bad_line);

/* The audit log: what the hub can know, as JSON lines that are only ever appended, each with the SHA-256 of the line
 * before it (of its bytes, without the line feed; 64 zeros in the first line of a file):
 *
 *     {"n":7,"time":"2026-11-24T09:00:00Z","event":"admitted","meeting":"standup","room":3,"peer":812,"previous":"5f…"}
 *
 * Whoever keeps one hash can prove later that nothing before it was changed or taken out. `examples/conclave-audit` checks a
 * file. Addresses are written only when asked for.
 *
 * One thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "room.h"

#include <gio/gio.h>

typedef struct HubAuditLog HubAuditLog;

/* Opens or makes the file (mode 0600), goes on with its chain and writes "started". NULL with a sentence: no such folder,
 * not a regular file, another hub writes it. */
HubAuditLog *hub_audit_open (
    const char *location, bool addresses, GError **error);

/* Writes "stopped". Takes NULL. */
void hub_audit_close (HubAuditLog *log);

/* One line. False when it could not be written; the next one that can tells how many are missing. */
bool hub_audit_write (HubAuditLog *log, const HubEvent *event);

uint64_t hub_audit_lines (const HubAuditLog *log);

/* The hub's certificate and its private key, from PEM files; made on first use.
 *
 * A certificate that we make is self-signed, ECDSA with P-256 (browsers refuse Ed25519), and clients know it by its pin:
 * SHA-256 of the SubjectPublicKeyInfo, which a link carries. The pin lives as long as the key: a renewed certificate over
 * the same key keeps it.
 *
 * Any thread; a HubCertificate is not changed once it is there.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>

#define HUB_PIN_LEN 32

typedef struct HubCertificate HubCertificate;

/* Reads `location`: the certificate, or a chain with the hub's own first. The private key stands in the same file, or, as
 * ACME clients leave it, in `key_location`. Where there is no file at `location`, and no `key_location` is given, one is
 * made, readable by its owner only, for `names`: host names and numeric addresses, ending with NULL; "localhost",
 * 127.0.0.1 and ::1 are always among them. `made` tells that, may be NULL.
 *
 * NULL with a sentence: no such file, not a regular one, a key that others may read or that is another certificate's, a
 * folder that cannot be written. */
HubCertificate *hub_certificate_load (const char *location,
    const char *key_location, const char *const *names, bool *made,
    GError **error);
HubCertificate *hub_certificate_ref (HubCertificate *certificate);
void hub_certificate_unref (HubCertificate *certificate);

/* HUB_PIN_LEN bytes: SHA-256 of the SubjectPublicKeyInfo, DER. */
const uint8_t *hub_certificate_pin (const HubCertificate *certificate);

/* Seconds since 1970 after which clients that check it will refuse it. */
int64_t hub_certificate_not_after (const HubCertificate *certificate);

/* For gnutls_credentials_set(); lives as long as the certificate. */
gnutls_certificate_credentials_t hub_certificate_credentials (
    const HubCertificate *certificate);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HubCertificate, hub_certificate_unref)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE (256u << 10) /* of PEM: a chain is a few KiB */
#define SERIAL_LEN 16
#define BEFORE_S 3600 /* clocks that are behind accept a new certificate */
#define LIFETIME_S (10 * 365 * 86400) /* clients pin it: nothing else renews it */

struct HubCertificate
{
  gatomicrefcount refs;
  gnutls_certificate_credentials_t credentials;
  int64_t not_after;
  uint8_t pin[HUB_PIN_LEN];
};

static void
say_gnutls (GError **error, const char *what, const char *location, int code)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s \"%s\": %s", what, location, gnutls_strerror (code));
}

/* ---- Making one ---- */

static int
add_names (gnutls_x509_crt_t crt, const char *const *names)
{
  static const char *const always[] = { "localhost", "127.0.0.1", "::1", NULL };
  const char *const *lists[] = { always, names };
  int code = 0;

  for (size_t l = 0; l < G_N_ELEMENTS (lists); l++) {
    for (const char *const *n = lists[l]; n && *n && code >= 0; n++) {
      g_autoptr (GInetAddress) address = g_inet_address_new_from_string (*n);
      if (address)
        code = gnutls_x509_crt_set_subject_alt_name (crt, GNUTLS_SAN_IPADDRESS, g_inet_address_to_bytes (address),
            (unsigned) g_inet_address_get_native_size (address), GNUTLS_FSAN_APPEND);
      else
        code = gnutls_x509_crt_set_subject_alt_name (
            crt, GNUTLS_SAN_DNSNAME, *n, (unsigned) strlen (*n), GNUTLS_FSAN_APPEND);
    }
  }
  return code;
}

/* RFC 5280. Each step answers less than 0 when it fails. */
static int
fill (gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *const *names)
{
  uint8_t serial[SERIAL_LEN];
  time_t now = (time_t) (g_get_real_time () / G_USEC_PER_SEC);
  int code;

  randombytes_buf (serial, sizeof serial);
  serial[0] &= 0x7f; /* 4.1.2.2: a positive number */
  if ((code = gnutls_x509_crt_set_version (crt, 3)) < 0
      || (code = gnutls_x509_crt_set_serial (crt, serial, sizeof serial)) < 0
      || (code = gnutls_x509_crt_set_activation_time (crt, now - BEFORE_S)) < 0
      || (code = gnutls_x509_crt_set_expiration_time (crt, now + LIFETIME_S)) < 0
      || (code = gnutls_x509_crt_set_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, "conclave hub", 12)) < 0
      || (code = gnutls_x509_crt_set_key (crt, key)) < 0 || (code = add_names (crt, names)) < 0
      || (code = gnutls_x509_crt_set_basic_constraints (crt, 0, -1)) < 0
      || (code = gnutls_x509_crt_set_key_usage (crt, GNUTLS_KEY_DIGITAL_SIGNATURE)) < 0
      || (code = gnutls_x509_crt_set_key_purpose_oid (crt, GNUTLS_KP_TLS_WWW_SERVER, 0)) < 0)
    return code;

  gnutls_privkey_t signer;
  if ((code = gnutls_privkey_init (&signer)) < 0)
    return code;
  if ((code = gnutls_privkey_import_x509 (signer, key, 0)) >= 0)
    code = gnutls_x509_crt_privkey_sign (crt, crt, signer, GNUTLS_DIG_SHA256, 0);
  gnutls_privkey_deinit (signer);
  return code;
}

/* Certificate and PKCS#8 key as one PEM text. */
static int
make_pem (const char *const *names, gnutls_datum_t *crt_pem, gnutls_datum_t *key_pem)
{
  gnutls_x509_privkey_t key = NULL;
  gnutls_x509_crt_t crt = NULL;
  int code;

  if ((code = gnutls_x509_privkey_init (&key)) >= 0 && (code = gnutls_x509_crt_init (&crt)) >= 0
      && (code = gnutls_x509_privkey_generate (
              key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0))
             >= 0
      && (code = fill (crt, key, names)) >= 0
      && (code = gnutls_x509_crt_export2 (crt, GNUTLS_X509_FMT_PEM, crt_pem)) >= 0)
    code = gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, key_pem);
  if (crt)
    gnutls_x509_crt_deinit (crt);
  if (key)
    gnutls_x509_privkey_deinit (key);
  return code;
}

static void
wipe (gnutls_datum_t *datum)
{
  if (datum->data) {
    sodium_memzero (datum->data, datum->size);
    gnutls_free (datum->data);
  }
  *datum = (gnutls_datum_t){ NULL, 0 };
}

static bool
write_all (int fd, const gnutls_datum_t *datum)
{
  for (size_t done = 0; done < datum->size;) {
    ssize_t n = write (fd, datum->data + done, datum->size - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return false;
    done += (size_t) n;
  }
  return true;
}

/* The file appears whole or not at all, and never in place of another: of two hubs that start at once, one makes it and
 * both read it. */
static bool
make_file (const char *location, const char *const *names, GError **error)
{
  gnutls_datum_t crt = { NULL, 0 }, key = { NULL, 0 };
  g_autofree char *temporary = g_strdup_printf ("%s.%08x", location, randombytes_random ());
  bool made = false;
  int code = make_pem (names, &crt, &key);

  if (code < 0) {
    say_gnutls (error, "cannot make a certificate for", location, code);
    goto out;
  }
  int fd = g_open (temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  bool written = fd >= 0 && write_all (fd, &crt) && write_all (fd, &key) && fsync (fd) == 0;
  int problem = errno;
  if (fd >= 0)
    close (fd);
  if (written && link (temporary, location) != 0 && errno != EEXIST) {
    problem = errno;
    written = false;
  }
  if (fd >= 0)
    g_unlink (temporary);
  if (!written)
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (problem),
        "cannot write a certificate to \"%s\": %s; give a place that can be written as certificate-location, or a "
        "certificate that is there",
        location, g_strerror (problem));
  made = written;
out:
  wipe (&key);
  wipe (&crt);
  return made;
}

/* ---- Reading ---- */

/* `secret`: the file holds a private key, which others must not be able to read. */
static bool
read_file (const char *location, bool secret, gnutls_datum_t *out, GError **error)
{
  int fd = g_open (location, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0); /* not waiting for a pipe's writer */
  struct stat st;

  if (fd < 0 || fstat (fd, &st) != 0) {
    int problem = errno;
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (problem), "cannot read the certificate file \"%s\": %s",
        location, g_strerror (problem));
    if (fd >= 0)
      close (fd);
    return false;
  }
  if (!S_ISREG (st.st_mode) || st.st_size <= 0 || st.st_size > MAX_FILE)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "\"%s\" is not a file with a PEM certificate", location);
  else if (secret && (st.st_mode & S_IROTH))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
        "everybody on this machine may read the private key in \"%s\": chmod o-rwx \"%s\"", location, location);
  else {
    out->data = gnutls_malloc ((size_t) st.st_size + 1);
    ssize_t n = out->data ? read (fd, out->data, (size_t) st.st_size) : -1;
    if (n == st.st_size) {
      out->data[n] = 0;
      out->size = (unsigned) n;
    } else
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "\"%s\" could not be read whole", location);
  }
  close (fd);
  return out->size > 0;
}

static int
read_facts (HubCertificate *self, const gnutls_datum_t *pem)
{
  gnutls_x509_crt_t crt = NULL;
  gnutls_pubkey_t key = NULL;
  gnutls_datum_t spki = { NULL, 0 };
  int code;

  if ((code = gnutls_x509_crt_init (&crt)) >= 0 && (code = gnutls_pubkey_init (&key)) >= 0
      && (code = gnutls_x509_crt_import (crt, pem, GNUTLS_X509_FMT_PEM)) >= 0
      && (code = gnutls_pubkey_import_x509 (key, crt, 0)) >= 0
      && (code = gnutls_pubkey_export2 (key, GNUTLS_X509_FMT_DER, &spki)) >= 0) {
    crypto_hash_sha256 (self->pin, spki.data, spki.size);
    self->not_after = (int64_t) gnutls_x509_crt_get_expiration_time (crt);
  }
  gnutls_free (spki.data);
  if (key)
    gnutls_pubkey_deinit (key);
  if (crt)
    gnutls_x509_crt_deinit (crt);
  return code;
}

HubCertificate *
hub_certificate_load (
    const char *location, const char *key_location, const char *const *names, bool *made, GError **error)
{
  gnutls_datum_t crt = { NULL, 0 }, key = { NULL, 0 };
  g_autoptr (HubCertificate) self = NULL;
  bool make = !key_location && !g_file_test (location, G_FILE_TEST_EXISTS);
  int code;

  if (made)
    *made = make;
  if (make && !make_file (location, names, error))
    return NULL;
  if (read_file (location, !key_location, &crt, error) && (!key_location || read_file (key_location, true, &key, error))) {
    self = g_new0 (HubCertificate, 1);
    g_atomic_ref_count_init (&self->refs);
    if ((code = gnutls_certificate_allocate_credentials (&self->credentials)) < 0
        || (code = read_facts (self, &crt)) < 0
        || (code = gnutls_certificate_set_x509_key_mem (
                self->credentials, &crt, key_location ? &key : &crt, GNUTLS_X509_FMT_PEM))
               < 0) {
      say_gnutls (error, "no certificate with its private key, both as PEM, in", location, code);
      g_clear_pointer (&self, hub_certificate_unref);
    }
  }
  wipe (&key);
  wipe (&crt);
  return g_steal_pointer (&self);
}

HubCertificate *
hub_certificate_ref (HubCertificate *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
hub_certificate_unref (HubCertificate *self)
{
  if (!self || !g_atomic_ref_count_dec (&self->refs))
    return;
  if (self->credentials)
    gnutls_certificate_free_credentials (self->credentials);
  g_free (self);
}

const uint8_t *
hub_certificate_pin (const HubCertificate *self)
{
  return self->pin;
}

int64_t
hub_certificate_not_after (const HubCertificate *self)
{
  return self->not_after;
}

gnutls_certificate_credentials_t
hub_certificate_credentials (const HubCertificate *self)
{
  return self->credentials;
}

/* URIs of STUN and TURN servers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "servers.h"

#include <sodium.h>
#include <string.h>

typedef struct
{
  const char *at;
  size_t len;
} Span;

static bool
skip_prefix (Span *s, const char *prefix)
{
  size_t n = strlen (prefix);
  if (s->len < n || memcmp (s->at, prefix, n) != 0)
    return false;
  s->at += n;
  s->len -= n;
  return true;
}

/* Cuts `s` at the first (or last) `mark` and gives what stood behind it; false when there is none. */
static bool
cut_at (Span *s, char mark, bool last, Span *behind)
{
  for (size_t i = 0; i < s->len; i++) {
    size_t k = last ? s->len - 1 - i : i;
    if (s->at[k] == mark) {
      *behind = (Span){ s->at + k + 1, s->len - k - 1 };
      s->len = k;
      return true;
    }
  }
  return false;
}

static int
hex_digit (char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* RFC 3986, 2.1. Decodes into `out`, which has room for `size` bytes with the NUL; no NUL may come out of it. */
static bool
percent_decode (Span s, char *out, size_t size)
{
  size_t n = 0;
  for (size_t i = 0; i < s.len; i++) {
    int c = (unsigned char) s.at[i];
    if (c == '%') {
      int high = s.len - i > 2 ? hex_digit (s.at[i + 1]) : -1;
      int low = s.len - i > 2 ? hex_digit (s.at[i + 2]) : -1;
      c = high < 0 || low < 0 ? 0 : high * 16 + low;
      i += 2;
    }
    if (c == 0 || n + 1 >= size)
      return false;
    out[n++] = (char) c;
  }
  out[n] = '\0';
  return true;
}

static bool
parse_port (Span s, uint16_t *port)
{
  unsigned value = 0;
  if (s.len == 0 || s.len > 5)
    return false;
  for (size_t i = 0; i < s.len; i++) {
    if (s.at[i] < '0' || s.at[i] > '9')
      return false;
    value = value * 10 + (unsigned) (s.at[i] - '0');
  }
  if (value == 0 || value > UINT16_MAX)
    return false;
  *port = (uint16_t) value;
  return true;
}

/* host, host:port, [v6], [v6]:port, or a bare v6 address, told by its second colon. */
static bool
parse_host_port (Span s, IceServer *out)
{
  Span port = { NULL, 0 }, rest = { NULL, 0 };
  bool have_port = false;

  if (s.len > 0 && s.at[0] == '[') {
    s.at++;
    s.len--;
    if (!cut_at (&s, ']', false, &rest))
      return false;
    have_port = rest.len > 0;
    if (have_port && !skip_prefix (&rest, ":"))
      return false;
    port = rest;
  } else {
    Span copy = s, second;
    bool one = cut_at (&copy, ':', false, &rest);
    second = rest;
    if (one && !cut_at (&second, ':', false, &(Span){ 0 })) {
      s = copy;
      port = rest;
      have_port = true;
    }
  }
  if (s.len == 0 || s.len > ICE_MAX_HOST)
    return false;
  for (size_t i = 0; i < s.len; i++)
    if ((unsigned char) s.at[i] <= ' ' || s.at[i] == '/' || s.at[i] == '@')
      return false;
  memcpy (out->host, s.at, s.len);
  out->host[s.len] = '\0';
  return !have_port || parse_port (port, &out->port);
}

bool
ice_stun_uri_parse (const char *text, size_t len, IceServer *out)
{
  Span s = { text, len };
  IceServer got = { .port = ICE_STUN_PORT };

  *out = (IceServer){ 0 };
  if (!skip_prefix (&s, "stun://"))
    (void) skip_prefix (&s, "stun:");
  if (!parse_host_port (s, &got))
    return false;
  *out = got;
  return true;
}

static bool
parse_transport (Span query, IceServer *out)
{
  if (!skip_prefix (&query, "transport="))
    return false;
  if (query.len == 3 && memcmp (query.at, "udp", 3) == 0)
    out->transport = ICE_SERVER_UDP;
  else if (query.len == 3 && memcmp (query.at, "tcp", 3) == 0)
    out->transport =
        out->transport == ICE_SERVER_TLS ? ICE_SERVER_TLS : ICE_SERVER_TCP;
  else if (query.len == 3 && memcmp (query.at, "tls", 3) == 0)
    out->transport = ICE_SERVER_TLS;
  else
    return false;
  return true;
}

static bool
parse_password (Span s, IceServer *out)
{
  char plain[SECRET_MAX];
  bool ok = percent_decode (s, plain, sizeof plain) && plain[0];
  if (ok)
    out->password = secret_copy (plain, strlen (plain) + 1);
  sodium_memzero (plain, sizeof plain);
  return ok && out->password;
}

bool
ice_turn_uri_parse (const char *text, size_t len, IceServer *out)
{
  Span s = { text, len }, host, password, query;
  IceServer got = { 0 };

  *out = (IceServer){ 0 };
  if (skip_prefix (&s, "turns:"))
    got.transport = ICE_SERVER_TLS;
  else if (!skip_prefix (&s, "turn:"))
    return false;
  (void) skip_prefix (&s, "//");

  /* The last "@" and the first ":" divide, so that a password may hold either unencoded. */
  if (!cut_at (&s, '@', true, &host) || !cut_at (&s, ':', false, &password))
    return false;
  if (cut_at (&host, '?', false, &query) && !parse_transport (query, &got))
    return false;
  got.port = got.transport == ICE_SERVER_TLS ? ICE_STUNS_PORT : ICE_STUN_PORT;
  if (!parse_host_port (host, &got)
      || !percent_decode (s, got.user, sizeof got.user) || !got.user[0]
      || !parse_password (password, &got))
    return false;
  *out = got;
  return true;
}

void
ice_server_clear (IceServer *server)
{
  secret_unref (server->password);
  *server = (IceServer){ 0 };
}

static bool
is_divider (char c)
{
  return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int
ice_turn_list_parse (
    const char *text, size_t len, IceServer out[ICE_MAX_SERVERS])
{
  int n = 0;
  size_t i = 0;

  while (i < len) {
    if (is_divider (text[i])) {
      i++;
      continue;
    }
    size_t start = i;
    if (text[i] == '#') {
      while (i < len && text[i] != '\n')
        i++;
      continue;
    }
    while (i < len && !is_divider (text[i]))
      i++;
    if (n == ICE_MAX_SERVERS
        || !ice_turn_uri_parse (text + start, i - start, &out[n]))
      goto refuse;
    n++;
  }
  return n;

refuse:
  while (n > 0)
    ice_server_clear (&out[--n]);
  return -1;
}

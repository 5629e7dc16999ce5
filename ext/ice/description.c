/* Reading and writing of ICE descriptions.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "description.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[] = { "host", "srflx", "prflx", "relay" };
static const char *const tcp_names[] = { "", "active", "passive", "so" };

const char *
ice_parse_result_text (IceParseResult result)
{
  switch (result) {
    case ICE_PARSE_OK:
      return "it is well-formed";
    case ICE_PARSE_TOO_LONG:
      return "it is longer than 1 MiB";
    case ICE_PARSE_NO_CREDENTIALS:
      return "it has no a=ice-ufrag or no a=ice-pwd line";
    case ICE_PARSE_BAD_CREDENTIALS:
      return "its ice-ufrag or ice-pwd has a length or characters that RFC 8839 rules out";
    case ICE_PARSE_BAD_CANDIDATE:
      return "it is not a candidate that can be reached";
  }
  return "";
}

const char *
ice_candidate_type_name (IceCandidateType type)
{
  return type_names[type];
}

const char *
ice_transport_name (IceTransport transport)
{
  return transport == ICE_UDP ? "udp" : "tcp";
}

/* A token is a Reader over its own bytes. */

static size_t
token_len (const Reader *token)
{
  return reader_left (token);
}

static bool
token_is (const Reader *token, const char *word)
{
  return token_len (token) == strlen (word)
         && memcmp (token->at, word, strlen (word)) == 0; /* public bytes */
}

/* RFC 8839 writes names in lower case, but RFC 5245's transport is "UDP" as often as "udp". */
static bool
token_is_any_case (const Reader *token, const char *lower)
{
  size_t n = strlen (lower);
  if (token_len (token) != n)
    return false;
  for (size_t i = 0; i < n; i++) {
    uint8_t c = token->at[i];
    if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != (uint8_t) lower[i])
      return false;
  }
  return true;
}

/* The next word of `line`, spaces in front skipped; empty at its end. */
static Reader
take_token (Reader *line)
{
  while (reader_left (line) > 0 && *line->at == ' ')
    (void) reader_take (line, 1);
  size_t n = 0;
  while (n < reader_left (line) && line->at[n] != ' ')
    n++;
  return reader_sub (line, n);
}

/* The next line of `text` without its end, which may be CRLF, LF or the end of the text. */
static Reader
take_line (Reader *text)
{
  const uint8_t *end = memchr (text->at, '\n', reader_left (text));
  size_t n = end ? (size_t) (end - text->at) : reader_left (text);
  Reader line = reader_sub (text, n);
  if (end)
    (void) reader_take (text, 1);
  if (n > 0 && line.end[-1] == '\r')
    line.end--;
  return line;
}

static bool
skip_prefix (Reader *line, const char *prefix)
{
  size_t n = strlen (prefix);
  if (reader_left (line) < n || memcmp (line->at, prefix, n) != 0)
    return false;
  (void) reader_take (line, n);
  return true;
}

static bool
token_number (const Reader *token, uint32_t max, uint32_t *out)
{
  uint64_t value = 0;
  if (token_len (token) == 0 || token_len (token) > 10)
    return false;
  for (const uint8_t *c = token->at; c < token->end; c++) {
    if (*c < '0' || *c > '9')
      return false;
    value = value * 10 + (uint64_t) (*c - '0');
  }
  if (value > max)
    return false;
  *out = (uint32_t) value;
  return true;
}

/* RFC 8839, 5.1: ice-char = ALPHA / DIGIT / "+" / "/". */
static bool
take_ice_chars (const Reader *token, size_t min, size_t max, char *out)
{
  size_t n = token_len (token);
  if (n < min || n > max)
    return false;
  for (size_t i = 0; i < n; i++) {
    uint8_t c = token->at[i];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '+' || c == '/'))
      return false;
  }
  memcpy (out, token->at, n);
  out[n] = '\0';
  return true;
}

static bool
token_address (const Reader *token, IceAddress *out)
{
  char text[INET6_ADDRSTRLEN];
  size_t n = token_len (token);
  IceAddress got = { 0 };

  if (n == 0 || n >= sizeof text || memchr (token->at, 0, n))
    return false;
  memcpy (text, token->at, n);
  text[n] = '\0';
  if (inet_pton (AF_INET, text, got.ip) == 1)
    got.family = 4;
  else if (inet_pton (AF_INET6, text, got.ip) == 1)
    got.family = 6;
  else
    return false;
  *out = got;
  return true;
}

/* A candidate that points at many hosts or at none would make us an amplifier, or waste a check. */
static bool
address_is_one_host (const IceAddress *address)
{
  static const uint8_t zero[16];
  size_t len = address->family == 4 ? 4 : 16;

  if (memcmp (address->ip, zero, len) == 0)
    return false;
  if (address->family == 6)
    return address->ip[0] != 0xff;
  return address->ip[0] < 224
         && address->ip[0]
                != 0; /* RFC 1112, 4: class D; above it class E and broadcast */
}

bool
ice_address_is_loopback (const IceAddress *address)
{
  static const uint8_t one[16] = { [15] = 1 };
  return address->family == 4
             ? address->ip[0] == 127
             : address->family == 6 && memcmp (address->ip, one, 16) == 0;
}

static bool
token_type (const Reader *token, IceCandidateType *out)
{
  for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++)
    if (token_is_any_case (token, type_names[i])) {
      *out = (IceCandidateType) i;
      return true;
    }
  return false;
}

static bool
token_tcptype (const Reader *token, IceTransport *out)
{
  for (int i = ICE_TCP_ACTIVE; i <= ICE_TCP_SO; i++)
    if (token_is_any_case (token, tcp_names[i])) {
      *out = (IceTransport) i;
      return true;
    }
  return false;
}

/* The pairs of name and value behind the type: raddr, rport, tcptype (RFC 6544, 4.5), ufrag. Unknown names are
 * skipped with their value. A related address that cannot be read is as good as none: browsers hide it. */
static bool
parse_extensions (Reader *line, bool tcp, IceCandidate *c)
{
  bool have_tcptype = false, have_port = false;
  uint32_t port = 0;

  while (reader_left (line) > 0) {
    Reader name = take_token (line);
    Reader value = take_token (line);
    if (token_len (&name) == 0)
      break;
    if (token_is (&name, "raddr"))
      (void) token_address (&value, &c->related);
    else if (token_is (&name, "rport"))
      have_port = token_number (&value, UINT16_MAX, &port);
    else if (token_is (&name, "tcptype"))
      have_tcptype = token_tcptype (&value, &c->transport);
    else if (token_is (&name, "ufrag")
             && !take_ice_chars (&value, 1, ICE_MAX_UFRAG, c->ufrag))
      return false;
  }
  if (!have_port || !address_is_one_host (&c->related))
    c->related = (IceAddress){ 0 };
  else
    c->related.port = (uint16_t) port;
  return !tcp || have_tcptype;
}

static bool
parse_candidate (Reader line, IceCandidate *out)
{
  IceCandidate c = { 0 };
  uint32_t component, priority, port;

  (void) skip_prefix (&line, "a=");
  (void) skip_prefix (&line, "candidate:");
  if (reader_left (&line) > ICE_MAX_LINE)
    return false;

  Reader foundation = take_token (&line);
  Reader component_id = take_token (&line);
  Reader transport = take_token (&line);
  Reader prio = take_token (&line);
  Reader address = take_token (&line);
  Reader port_token = take_token (&line);
  Reader typ = take_token (&line);
  Reader type = take_token (&line);
  bool tcp = token_is_any_case (&transport, "tcp");

  if (!take_ice_chars (&foundation, 1, ICE_MAX_FOUNDATION, c.foundation)
      || !token_number (&component_id, UINT16_MAX, &component)
      || !(tcp || token_is_any_case (&transport, "udp"))
      || !token_number (&prio, INT32_MAX, &priority)
      || !token_address (&address, &c.address)
      || !token_number (&port_token, UINT16_MAX, &port)
      || !token_is (&typ, "typ") || !token_type (&type, &c.type))
    return false;
  if (!parse_extensions (&line, tcp, &c))
    return false;
  /* RFC 8445, 5.1.2.1: the priority "MUST be a positive integer between 1 and (2**31 - 1)". */
  if (component != ICE_COMPONENT || priority == 0 || port == 0
      || !address_is_one_host (&c.address))
    return false;
  c.component = (uint16_t) component;
  c.priority = priority;
  c.address.port = (uint16_t) port;
  *out = c;
  return true;
}

IceParseResult
ice_candidate_parse (const char *text, size_t len, IceCandidate *out)
{
  Reader in = reader_init (text, len);
  Reader line = take_line (&in);
  return reader_left (&in) == 0 && parse_candidate (line, out)
             ? ICE_PARSE_OK
             : ICE_PARSE_BAD_CANDIDATE;
}

static bool
has_word (Reader line, const char *word)
{
  while (reader_left (&line) > 0) {
    Reader token = take_token (&line);
    if (token_is (&token, word))
      return true;
  }
  return false;
}

/* One line of a description. False only for credentials that are no credentials. */
static bool
parse_line (Reader line, bool other_section, IceDescription *out)
{
  if (skip_prefix (&line, "candidate:")) {
    if (other_section || out->n_candidates == ICE_MAX_CANDIDATES
        || !parse_candidate (line, &out->candidates[out->n_candidates]))
      out->skipped++;
    else
      out->n_candidates++;
    return true;
  }
  if (other_section)
    return true;
  if (skip_prefix (&line, "ice-ufrag:"))
    return take_ice_chars (&line, ICE_MIN_UFRAG, ICE_MAX_UFRAG, out->ufrag);
  if (skip_prefix (&line, "ice-pwd:"))
    return take_ice_chars (&line, ICE_MIN_PWD, ICE_MAX_PWD, out->pwd);
  if (skip_prefix (&line, "ice-options:"))
    out->trickle = has_word (line, "trickle");
  else if (token_is (&line, "ice-lite"))
    out->lite = true;
  else if (token_is (&line, "end-of-candidates"))
    out->end_of_candidates = true;
  return true;
}

/* RFC 8838 ties a candidate to an ICE generation, which the "ufrag" extension names: one of other credentials is left out,
 * whatever description it came in. What the description's own are is known at its end only. */
static void
skip_other_generations (IceDescription *out)
{
  size_t kept = 0;

  for (size_t i = 0; i < out->n_candidates; i++) {
    const IceCandidate *c = &out->candidates[i];
    if (c->ufrag[0] == '\0' || strcmp (c->ufrag, out->ufrag) == 0)
      out->candidates[kept++] = *c;
  }
  memset (&out->candidates[kept], 0,
      (out->n_candidates - kept) * sizeof out->candidates[0]);
  out->skipped += out->n_candidates - kept;
  out->n_candidates = kept;
}

static IceParseResult
parse_lines (Reader in, IceDescription *out)
{
  unsigned sections = 0;

  while (reader_left (&in) > 0) {
    Reader line = take_line (&in);
    if (skip_prefix (&line, "m="))
      sections += sections < 2;
    else if (skip_prefix (&line, "a=")
             && !parse_line (line, sections > 1, out))
      return ICE_PARSE_BAD_CREDENTIALS;
  }
  if (!out->ufrag[0] || !out->pwd[0])
    return ICE_PARSE_NO_CREDENTIALS;
  skip_other_generations (out);
  return ICE_PARSE_OK;
}

IceParseResult
ice_description_parse (const char *text, size_t len, IceDescription *out)
{
  if (len > ICE_MAX_DESCRIPTION)
    return ICE_PARSE_TOO_LONG;

  /* 60 KiB: too much for a stack, and too little to allocate twice. A failed parse leaves `out` empty. */
  memset (out, 0, sizeof *out);
  IceParseResult result = parse_lines (reader_init (text, len), out);
  if (result != ICE_PARSE_OK)
    memset (out, 0, sizeof *out);
  return result;
}

static void
write_text (Writer *out, const char *text)
{
  writer_bytes (out, text, strlen (text));
}

static void
write_number (Writer *out, uint32_t value)
{
  char text[11];
  int n = snprintf (text, sizeof text, "%u", (unsigned) value);
  writer_bytes (out, text, (size_t) n);
}

static void
write_ip (Writer *out, const IceAddress *address)
{
  char text[INET6_ADDRSTRLEN] = "";
  if (!inet_ntop (address->family == 4 ? AF_INET : AF_INET6, address->ip, text,
          sizeof text))
    out->failed = true;
  write_text (out, text);
}

void
ice_candidate_write (Writer *out, const IceCandidate *c)
{
  write_text (out, "candidate:");
  write_text (out, c->foundation);
  write_text (out, " ");
  write_number (out, c->component);
  write_text (out, c->transport == ICE_UDP ? " UDP " : " TCP ");
  write_number (out, c->priority);
  write_text (out, " ");
  write_ip (out, &c->address);
  write_text (out, " ");
  write_number (out, c->address.port);
  write_text (out, " typ ");
  write_text (out, type_names[c->type]);
  if (c->related.family) {
    write_text (out, " raddr ");
    write_ip (out, &c->related);
    write_text (out, " rport ");
    write_number (out, c->related.port);
  }
  if (c->transport != ICE_UDP) {
    write_text (out, " tcptype ");
    write_text (out, tcp_names[c->transport]);
  }
  if (c->ufrag[0]) {
    write_text (out, " ufrag ");
    write_text (out, c->ufrag);
  }
}

/* RFC 8840, 9.2: credentials and options at session level, then a pseudo m-line ("m=audio 9 RTP/AVP 0" when there
 * is no other to name), its mid, its candidates. */
void
ice_description_write (Writer *out, const IceDescription *d)
{
  if (d->lite)
    write_text (out, "a=ice-lite\r\n");
  write_text (out, "a=ice-pwd:");
  write_text (out, d->pwd);
  write_text (out, "\r\na=ice-ufrag:");
  write_text (out, d->ufrag);
  if (d->trickle)
    write_text (out, "\r\na=ice-options:trickle");
  write_text (out, "\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=rtcp-mux\r\n");
  for (size_t i = 0; i < d->n_candidates; i++) {
    write_text (out, "a=");
    ice_candidate_write (out, &d->candidates[i]);
    write_text (out, "\r\n");
  }
  if (d->end_of_candidates)
    write_text (out, "a=end-of-candidates\r\n");
}

bool
ice_address_equal (const IceAddress *a, const IceAddress *b)
{
  return a->family == b->family && a->port == b->port
         && memcmp (a->ip, b->ip, sizeof a->ip) == 0;
}

bool
ice_candidate_same_target (const IceCandidate *a, const IceCandidate *b)
{
  return a->transport == b->transport
         && ice_address_equal (&a->address, &b->address);
}

void
ice_address_text (const IceAddress *address, char *text)
{
  char ip[INET6_ADDRSTRLEN] = "?";
  if (address->family)
    (void) inet_ntop (
        address->family == 4 ? AF_INET : AF_INET6, address->ip, ip, sizeof ip);
  (void) snprintf (text, ICE_ADDRESS_TEXT,
      address->family == 6 ? "[%s]:%u" : "%s:%u", ip,
      (unsigned) address->port);
}

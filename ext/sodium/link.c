/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "link.h"

#include "reader.h"
#include "writer.h"

#include <arpa/inet.h>
#include <string.h>

#define SCHEME "meet://"
#define PIN "?pin="
#define HOST_KEY "#host="
#define PRINT_LEN (FINGERPRINT_TEXT_SIZE - 1)
#define MAX_LABEL 63 /* RFC 1035, 2.3.4 */

const char *
link_result_text (LinkResult result)
{
  switch (result) {
    case LINK_OK:
      return "is in order";
    case LINK_TOO_LONG:
      return "is too long";
    case LINK_OTHER_SCHEME:
      return "does not begin with meet://";
    case LINK_HAS_USER:
      return "has a user or password in it; a password is never part of a link, set it on its own";
    case LINK_BAD_HOST:
      return "names no host: a name in ASCII (xn--... for others), an IPv4 address, or an IPv6 address in [ ]";
    case LINK_BAD_PORT:
      return "has a port that is not 1 to 65535";
    case LINK_BAD_MEETING:
      return "has no meeting of 1 to 64 characters of A-Z a-z 0-9 _ -";
    case LINK_BAD_PIN:
      return "has a hub fingerprint that is not ?pin= and 43 characters; copy the whole link";
    case LINK_BAD_HOST_KEY:
      return "has a host fingerprint that is not #host= and 43 characters; copy the whole link";
  }
  return "cannot be used";
}

static char
lower (char c)
{
  return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
}

/* Takes `mark` if it comes next, in either case. */
static bool
take_mark (Reader *r, const char *mark)
{
  Reader ahead = *r;
  size_t len = strlen (mark);
  const uint8_t *p = reader_take (&ahead, len);

  for (size_t i = 0; p && i < len; i++)
    if (lower ((char) p[i]) != mark[i])
      return false;
  if (p)
    *r = ahead;
  return p != NULL;
}

/* Takes what comes before the first of the characters `ends`, or all; `len` gets how much. */
static const char *
take_until (Reader *r, const char *ends, size_t *len)
{
  Reader ahead = *r;
  const uint8_t *p;

  /* strchr() finds the NUL of `ends`, which a link must not have. */
  for (*len = 0; (p = reader_take (&ahead, 1))
                 && (*p == '\0' || !strchr (ends, (char) *p));
       (*len)++)
    ;
  return (const char *) reader_take (r, *len);
}

/* RFC 1123, 2.1: labels of letters, digits and hyphens, not at a label's ends. */
static bool
read_name (const char *name, size_t len, char *out)
{
  size_t label = 0;

  if (len == 0 || len > LINK_MAX_HOST)
    return false;
  for (size_t i = 0; i < len; i++) {
    char c = lower (name[i]);
    bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'),
         last = i + 1 == len || name[i + 1] == '.';
    if (c == '.' ? label == 0 || i + 1 == len
                 : !alnum && (c != '-' || label == 0 || last))
      return false;
    label = c == '.' ? 0 : label + 1;
    if (label > MAX_LABEL)
      return false;
    out[i] = c;
  }
  out[len] = '\0';
  return true;
}

/* An address in its one short form (RFC 5952). */
static bool
read_ipv6 (const char *text, size_t len, char *out)
{
  char copy[INET6_ADDRSTRLEN];
  struct in6_addr address;

  if (len == 0 || len >= sizeof copy || memchr (text, '\0', len))
    return false;
  memcpy (copy, text, len);
  copy[len] = '\0';
  return inet_pton (AF_INET6, copy, &address) == 1
         && inet_ntop (AF_INET6, &address, out, LINK_MAX_HOST + 1) != NULL;
}

static LinkResult
read_authority (Reader *r, Link *link)
{
  size_t len;
  const char *text;
  Reader ahead = *r;

  text = take_until (&ahead, "/?#", &len);
  if (memchr (text, '@', len))
    return LINK_HAS_USER;

  link->ipv6 = take_mark (r, "[");
  text = take_until (r, link->ipv6 ? "]" : ":/?#", &len);
  if (link->ipv6 ? !read_ipv6 (text, len, link->host) || !take_mark (r, "]")
                 : !read_name (text, len, link->host))
    return LINK_BAD_HOST;

  link->port = LINK_DEFAULT_PORT;
  if (take_mark (r, ":")) {
    unsigned port = 0;
    text = take_until (r, "/?#", &len);
    if (len == 0 || len > 5)
      return LINK_BAD_PORT;
    for (size_t i = 0; i < len; i++) {
      if (text[i] < '0' || text[i] > '9' || text[0] == '0')
        return LINK_BAD_PORT;
      port = 10 * port + (unsigned) (text[i] - '0');
    }
    if (port > UINT16_MAX)
      return LINK_BAD_PORT;
    link->port = (uint16_t) port;
  }
  return LINK_OK;
}

LinkResult
link_parse (const char *text, size_t len, Link *out)
{
  Reader r = reader_init (text, len);
  Link link = { .port = 0 };
  size_t n;
  const char *part;

  if (len > LINK_MAX_LEN)
    return LINK_TOO_LONG;
  if (!take_mark (&r, SCHEME))
    return LINK_OTHER_SCHEME;
  LinkResult result = read_authority (&r, &link);
  if (result != LINK_OK)
    return result;

  if (!take_mark (&r, "/"))
    return reader_left (&r) > 0 && link.ipv6 ? LINK_BAD_HOST
                                             : LINK_BAD_MEETING;
  part = take_until (&r, "?#", &n);
  if (!door_meeting_is_valid (part, n))
    return LINK_BAD_MEETING;
  memcpy (link.meeting, part, n);

  Reader ahead = r;
  if (take_mark (&ahead, "?")) {
    link.has_pin = take_mark (&r, PIN);
    part = take_until (&r, "#", &n);
    if (!link.has_pin || !fingerprint_parse (part, n, link.pin))
      return LINK_BAD_PIN;
  }
  if (reader_left (&r) > 0) {
    link.has_host_key = take_mark (&r, HOST_KEY);
    n = reader_left (&r);
    part = (const char *) reader_take (&r, n);
    if (!link.has_host_key || !fingerprint_parse (part, n, link.host_key))
      return LINK_BAD_HOST_KEY;
  }
  *out = link;
  return LINK_OK;
}

static void
write_text (Writer *w, const char *text)
{
  writer_bytes (w, text, strlen (text));
}

static void
write_authority (Writer *w, const Link *link, bool always_port)
{
  char again[LINK_MAX_HOST + 1], digits[6];
  size_t n = sizeof digits - 1;
  bool sound = link->ipv6 ? read_ipv6 (link->host, strlen (link->host), again)
                          : read_name (link->host, strlen (link->host), again);

  if (!sound || link->port == 0)
    w->failed = true;
  if (w->failed)
    return;
  write_text (w, link->ipv6 ? "[" : "");
  write_text (w, again);
  write_text (w, link->ipv6 ? "]" : "");
  if (!always_port && link->port == LINK_DEFAULT_PORT)
    return;
  digits[n] = '\0';
  for (unsigned port = link->port; port > 0; port /= 10)
    digits[--n] = (char) ('0' + port % 10);
  write_text (w, ":");
  write_text (w, digits + n);
}

static void
write_print (Writer *w, const char *mark, const uint8_t *fingerprint)
{
  char print[FINGERPRINT_TEXT_SIZE];
  fingerprint_text (fingerprint, print);
  write_text (w, mark);
  write_text (w, print);
}

static void
write_meeting (Writer *w, const Link *link)
{
  if (!door_meeting_is_valid (link->meeting, strlen (link->meeting)))
    w->failed = true;
  write_text (w, "/");
  write_text (w, link->meeting);
}

static bool
end_text (Writer *w)
{
  writer_uint (w, 0, 1);
  if (w->failed)
    w->start[0] = '\0';
  return !w->failed;
}

bool
link_format (const Link *link, char *text)
{
  Writer w = writer_init (text, LINK_SIZE);

  write_text (&w, SCHEME);
  write_authority (&w, link, false);
  write_meeting (&w, link);
  if (link->has_pin)
    write_print (&w, PIN, link->pin);
  if (link->has_host_key)
    write_print (&w, HOST_KEY, link->host_key);
  return end_text (&w);
}

bool
link_known_name (const Link *link, char *text)
{
  Writer w = writer_init (text, LINK_SIZE);

  write_authority (&w, link, true);
  write_meeting (&w, link);
  return end_text (&w);
}

/* Candidates between libnice and descriptions: what is told, and what is not.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/ice/convert.h"

#include <string.h>

/* What a description says of a candidate that libnice gathered at `address`, with `base` on this host. */
static char *
told (NiceCandidateType type, const char *address, const char *base)
{
  static char text[ICE_CANDIDATE_ROOM + 1];
  NiceCandidate *nice = nice_candidate_new (type);
  IceCandidate c;
  Writer out = writer_init (text, ICE_CANDIDATE_ROOM);

  g_strlcpy (nice->foundation, "1", sizeof nice->foundation);
  nice->component_id = ICE_COMPONENT;
  nice->transport = NICE_CANDIDATE_TRANSPORT_UDP;
  nice->priority = 7;
  fail_unless (nice_address_set_from_string (&nice->addr, address)
               && nice_address_set_from_string (&nice->base_addr, base));
  nice_address_set_port (&nice->addr, 5000);
  nice_address_set_port (&nice->base_addr, 6000);
  ice_candidate_from_nice (nice, &c);
  nice_candidate_free (nice);
  ice_candidate_write (&out, &c);
  fail_if (out.failed);
  text[writer_len (&out)] = '\0';
  return text;
}

/* RFC 8839, 5.1: an agent that does not want to tell the related address: "MUST be set to '0.0.0.0' (for IPv4
 * candidates) or '::' (for IPv6 candidates) and the port to '9'". */
GST_START_TEST (a_relayed_candidate_does_not_tell_this_hosts_address)
{
  fail_unless_equals_string (
      told (NICE_CANDIDATE_TYPE_RELAYED, "198.51.100.7", "192.0.2.1"),
      "candidate:1 1 UDP 7 198.51.100.7 5000 typ relay raddr 0.0.0.0 rport 9");
  fail_unless_equals_string (
      told (NICE_CANDIDATE_TYPE_RELAYED, "2001:db8::7", "2001:db8::1"),
      "candidate:1 1 UDP 7 2001:db8::7 5000 typ relay raddr :: rport 9");
  /* A relay of the other family than the base has one of its own. */
  fail_unless_equals_string (
      told (NICE_CANDIDATE_TYPE_RELAYED, "2001:db8::7", "192.0.2.1"),
      "candidate:1 1 UDP 7 2001:db8::7 5000 typ relay raddr :: rport 9");
}
GST_END_TEST

/* RFC 8839, 5.1: of a server-reflexive candidate the related address is its base. */
GST_START_TEST (other_candidates_are_told_whole)
{
  fail_unless_equals_string (
      told (NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE, "198.51.100.7", "192.0.2.1"),
      "candidate:1 1 UDP 7 198.51.100.7 5000 typ srflx raddr 192.0.2.1 rport 6000");
  fail_unless_equals_string (
      told (NICE_CANDIDATE_TYPE_HOST, "192.0.2.1", "192.0.2.1"),
      "candidate:1 1 UDP 7 192.0.2.1 5000 typ host");
}
GST_END_TEST

static Suite *
ice_convert_suite (void)
{
  Suite *s = suite_create ("ice-convert");
  TCase *t = tcase_create ("candidates");

  suite_add_tcase (s, t);
  tcase_add_test (t, a_relayed_candidate_does_not_tell_this_hosts_address);
  tcase_add_test (t, other_candidates_are_told_whole);
  return s;
}

PURE_CHECK_MAIN (ice_convert)

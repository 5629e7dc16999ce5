/* What the far end of ICE, and whoever carries its words, can say: descriptions, candidates, and URIs of servers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/ice/description.h"
#include "ext/ice/servers.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define ROOM                                                                  \
  (ICE_DESCRIPTION_ROOM + (ICE_MAX_CANDIDATES + 1) * ICE_CANDIDATE_ROOM)

static void
check_description (const char *text, size_t size)
{
  static IceDescription first, second;
  static char again[ROOM];

  if (ice_description_parse (text, size, &first) != ICE_PARSE_OK)
    return;
  Writer out = writer_init (again, sizeof again);
  ice_description_write (&out, &first);
  if (out.failed
      || ice_description_parse (again, writer_len (&out), &second)
             != ICE_PARSE_OK)
    abort ();
  if (second.skipped != 0) /* what we write, we understand */
    abort ();
  first.skipped = 0;
  if (memcmp (&first, &second, sizeof first) != 0)
    abort ();
}

static void
check_candidate (const char *text, size_t size)
{
  IceCandidate first, second;
  char again[ICE_CANDIDATE_ROOM];

  if (ice_candidate_parse (text, size, &first) != ICE_PARSE_OK)
    return;
  Writer out = writer_init (again, sizeof again);
  ice_candidate_write (&out, &first);
  if (out.failed
      || ice_candidate_parse (again, writer_len (&out), &second)
             != ICE_PARSE_OK
      || memcmp (&first, &second, sizeof first) != 0)
    abort ();
}

static void
check_servers (const char *text, size_t size)
{
  IceServer list[ICE_MAX_SERVERS];

  if (ice_stun_uri_parse (text, size, &list[0])
      && (!list[0].host[0] || list[0].port == 0))
    abort ();
  int n = ice_turn_list_parse (text, size, list);
  for (int i = 0; i < n; i++) {
    if (!list[i].host[0] || !list[i].user[0] || !list[i].password
        || list[i].port == 0)
      abort ();
    ice_server_clear (&list[i]);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static bool ready;

  if (!ready)
    ready = core_init ();
  char *exact = malloc (size ? size : 1);
  memcpy (exact, data, size);
  check_description (exact, size);
  check_candidate (exact, size);
  check_servers (exact, size);
  free (exact);
  return 0;
}

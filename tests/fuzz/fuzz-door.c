/* What a stranger says at the door: ADa, ADb, a chain, and, from whoever has the password, the contents of the boxes.
 * What parses is written again and must be the same bytes. The first byte chooses the parser; further ones take a PEM
 * key and a list of known identities, which come from files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/sodium/door.h"
#include "ext/sodium/known.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
must_be_the_same (const Writer *w, const uint8_t *data, size_t size)
{
  if (w->failed || writer_len (w) != size
      || (size > 0 && memcmp (w->start, data, size) != 0))
    abort ();
}

static void
parse_in_the_clear (
    unsigned what, Reader in, uint8_t *room, const uint8_t *data, size_t size)
{
  Writer w = writer_init (room, size);
  DoorKnock knock;
  DoorReply reply;
  DoorChain chain;
  static const uint8_t nothing[64];

  if (what == 0 && door_parse_knock (in, &knock)) {
    door_write_knock (&w, &knock);
    must_be_the_same (&w, data, size);
  } else if (what == 1 && door_parse_reply (in, &reply)) {
    door_write_reply (&w, &reply);
    must_be_the_same (&w, data, size);
  } else if (what == 2 && door_parse_chain (in, &chain)) {
    door_write_chain (&w, &chain);
    must_be_the_same (&w, data, size);
    if (door_chain_leads_to (&chain, nothing, "m", nothing, nothing))
      abort ();
  }
}

static void
parse_in_a_box (
    unsigned what, Reader in, uint8_t *room, const uint8_t *data, size_t size)
{
  Writer w = writer_init (room, size);
  DoorProof proof;
  DoorAdmit admit;

  if (what == 3 && door_parse_proof (in, &proof)) {
    door_write_proof (&w, &proof);
    must_be_the_same (&w, data, size);
  } else if (what == 4 && door_parse_admit (in, &admit)) {
    door_write_admit (&w, &admit);
    must_be_the_same (&w, data, size);
  }
}

static void
parse_files (unsigned what, const uint8_t *data, size_t size)
{
  uint8_t print[IDENTITY_FINGERPRINT_LEN] = { 0 };
  Identity *identity;
  size_t bad, len;

  if (what == 5
      && identity_from_pem ((const char *) data, size, &identity)
             == IDENTITY_OK)
    identity_free (identity);
  if (what == 6) {
    Known *known = known_parse ((const char *) data, size, &bad);
    if (!known)
      return;
    known_check (known, "name", print, NULL);
    known_forget (known, "name");
    if (known_check (known, "name", print, NULL) != KNOWN_NEW
        || !known_add (known, "name", print)
        || known_check (known, "name", print, NULL) != KNOWN_SAME)
      abort ();
    const char *text = known_text (known, &len);
    Known *again = known_parse (text, len, &bad);
    if (!again)
      abort ();
    known_free (again);
    known_free (known);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static bool ready;

  if (!ready)
    ready = core_init ();
  if (size == 0)
    return 0;
  unsigned what = *data % 7;
  /* Of its exact size, so that a sanitizer sees one byte too many. */
  uint8_t *exact = malloc (size), *room = malloc (size);
  memcpy (exact, data + 1, size - 1);
  uint8_t *end = realloc (exact, size > 1 ? size - 1 : 1);
  size--;
  parse_in_the_clear (what, reader_init (end, size), room, end, size);
  parse_in_a_box (what, reader_init (end, size), room, end, size);
  parse_files (what, end, size);
  free (end);
  free (room);
  return 0;
}

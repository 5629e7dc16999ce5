/* What fake clients share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake.h"

#include <stdlib.h>

void
fake_connect (Person *person)
{
  if (!person->conn)
    person->conn = net_connect (person);
}

void
fake_send (Person *person, const WireMessage *message)
{
  size_t len;
  char *text = wire_write (message, WIRE_FROM_CLIENT, &len);

  if (text && person->conn && person->conn->down_open)
    net_send (person->conn, false, text, len);
  else if (!text)
    world_fail (person->world, 9, "the adversary can't write a \"%s\"",
        wire_type_name (message->type));
  g_free (text);
}

void
fake_send_binary (Person *person, const WireHeader *header, MlsSlice message)
{
  uint8_t *frame = g_malloc (WIRE_HEADER + message.len);
  Writer w = writer_init (frame, WIRE_HEADER + message.len);

  wire_header_write (&w, header);
  writer_bytes (&w, message.data, message.len);
  if (!w.failed && person->conn && person->conn->down_open)
    net_send (person->conn, true, frame, writer_len (&w));
  g_free (frame);
}

MlsClient
fake_mls_client (const Person *person, MlsSuite suite, const char *name,
    Role role, MlsExtension *extension, uint8_t *role_byte)
{
  static const uint16_t types[] = { POLICY_EXTENSION, ROLE_EXTENSION };
  uint64_t now = person_wall (person) / 1000;

  *role_byte = (uint8_t) role;
  *extension = (MlsExtension){ ROLE_EXTENSION, { role_byte, 1 } };
  return (MlsClient){ .suite = suite,
    .signature_seed =
        secret_copy (identity_secret_key (person->identity), MLS_KEY_LEN),
    .credential = { (const uint8_t *) name, strlen (name) },
    .extension_types = types,
    .n_extension_types = 2,
    .leaf_extensions = extension,
    .n_leaf_extensions = role ? 1 : 0,
    .not_before = now - 3600,
    .not_after = now + 24 * 3600 };
}

/* Connectivity checks: who may send from where, and where we may send to (RFC 8445, 7.3; RFC 7675).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine.h"

/* For so long an address belongs to whose checks came from it: a participant can't take another's by spoofing it. */
#define ADDRESS_KEPT (15 * HUB_S)

HubKey
hub_key_address (const HubAddress *address)
{
  HubKey key = { { 0 } };
  memcpy (key.bytes, address->ip, sizeof address->ip);
  memcpy (
      key.bytes + sizeof address->ip, &address->port, sizeof address->port);
  return key;
}

HubKey
hub_key_ufrag (const void *ufrag)
{
  HubKey key = { { 0 } };
  memcpy (key.bytes, ufrag, HUB_UFRAG_LEN);
  return key;
}

static void
remove_address (HubMedia *media, HubTransport *transport, uint32_t i)
{
  HubKey key = hub_key_address (&transport->addresses[i]);

  hub_table_remove (&media->tables[HUB_TABLE_ADDRESSES], &key);
  transport->addresses[i] = transport->addresses[--transport->n_addresses];
  media->last_from = NULL;
}

static void
set_connected (HubMedia *media, HubTransport *transport, bool connected)
{
  transport->connected = connected;
  atomic_store_explicit (
      &transport->is_connected, connected, memory_order_relaxed);
  if (!connected)
    hub_pace_drop (media, transport);
}

void
hub_transport_disconnect (HubMedia *media, HubTransport *transport)
{
  while (transport->n_addresses > 0)
    remove_address (media, transport, transport->n_addresses - 1);
  set_connected (media, transport, false);
}

static bool
has_address (const HubTransport *transport, const HubAddress *address)
{
  for (uint32_t i = 0; i < transport->n_addresses; i++)
    if (hub_address_equal (&transport->addresses[i], address))
      return true;
  return false;
}

/* The oldest that is not in use makes place: which one that is hardly matters, a client has one or two. */
static void
make_place (HubMedia *media, HubTransport *transport)
{
  if (transport->n_addresses < HUB_ADDRESSES)
    return;
  uint32_t i = transport->oldest_address++ % HUB_ADDRESSES;
  if (hub_address_equal (&transport->addresses[i], &transport->path.remote))
    i = transport->oldest_address++ % HUB_ADDRESSES;
  remove_address (media, transport, i);
}

/* False when the address is another transport's, whose checks are fresh. */
static bool
take_address (
    HubMedia *media, HubTransport *transport, const HubAddress *address)
{
  HubKey key = hub_key_address (address);
  HubTransport *other =
      hub_table_find (&media->tables[HUB_TABLE_ADDRESSES], &key);

  if (other == transport)
    return true;
  if (other) {
    if (media->now - other->checked_at < ADDRESS_KEPT)
      return false;
    for (uint32_t i = 0; i < other->n_addresses; i++)
      if (hub_address_equal (&other->addresses[i], address)) {
        remove_address (media, other, i);
        break;
      }
    if (other->connected && hub_address_equal (&other->path.remote, address))
      set_connected (media, other, false);
  }
  make_place (media, transport);
  transport->addresses[transport->n_addresses++] = *address;
  media->last_from = NULL;
  return hub_table_put (&media->tables[HUB_TABLE_ADDRESSES], &key, transport);
}

typedef enum
{
  TRANSACTION_NEW,
  TRANSACTION_AGAIN, /* a retransmission: it is answered, and proves nothing new */
  TRANSACTION_ELSEWHERE /* from another address than before */
} Transaction;

/* A check that somebody has seen must neither move a participant to another address when it is sent again from there, nor
 * keep the consent of one who has gone. */
static Transaction
look_up_transaction (HubMedia *media, HubTransport *transport,
    const HubCheck *check, const HubAddress *from)
{
  uint64_t transaction = hub_media_hash (
      media, check->transaction, sizeof (StunTransactionId) - 4);
  HubKey key = hub_key_address (from);
  uint64_t place = hub_media_hash (media, key.bytes, sizeof key.bytes);

  for (uint32_t i = 0; i < HUB_TRANSACTIONS; i++)
    if (transport->transactions[i].transaction == transaction)
      return transport->transactions[i].from == place ? TRANSACTION_AGAIN
                                                      : TRANSACTION_ELSEWHERE;
  transport->transactions[transport->next_transaction++ % HUB_TRANSACTIONS] =
      (HubTransaction){ transaction, place };
  return TRANSACTION_NEW;
}

static void
accept_check (HubMedia *media, HubTransport *transport, const HubPath *path,
    bool nominates)
{
  transport->checked_at = media->now;
  transport->consent_until = media->now + HUB_CONSENT_TIME;
  transport->consent_lost = false;
  /* The newest that nominates wins; with aggressive nomination all do, and the peer's consent checks settle it. */
  if (!nominates)
    return;
  transport->path = *path;
  if (!transport->connected) {
    set_connected (media, transport, true);
    transport->event_due =
        !hub_media_tell (media, HUB_MEDIA_EVENT_CONNECTED, transport);
  }
}

/* False when it must not count, nor be answered. */
static bool
take_check (HubMedia *media, HubTransport *transport, const HubCheck *check,
    const HubPath *path, const HubVerdict *verdict)
{
  switch (look_up_transaction (media, transport, check, &path->remote)) {
    case TRANSACTION_AGAIN:
      return true;
    case TRANSACTION_ELSEWHERE:
      return false;
    case TRANSACTION_NEW:
      break;
  }
  if (!take_address (media, transport, &path->remote))
    return false;
  accept_check (media, transport, path, verdict->nominates);
  return true;
}

static HubTransport *
find_transport (HubMedia *media, const HubCheck *check)
{
  HubKey key = hub_key_ufrag (check->ufrag);
  HubTransport *transport =
      hub_table_find (&media->tables[HUB_TABLE_UFRAGS], &key);

  if (transport && transport->login->any_remote
      && (transport->login->remote_len != check->remote_len
          || memcmp (
                 transport->login->remote, check->remote, check->remote_len)
                 != 0))
    return NULL;
  return transport;
}

static void
answer (HubMedia *media, const HubPath *path, const HubVerdict *verdict)
{
  hub_media_count (media, HUB_STUN_ANSWERED);
  if (verdict->reply_len == 0)
    return;
  uint8_t *room = hub_egress_reserve (
      &media->egress, path, HUB_SEND_CONTROL, verdict->reply_len);
  if (room) {
    memcpy (room, verdict->reply, verdict->reply_len);
    hub_media_count (media, HUB_PACKETS_OUT);
    hub_count_add (&media->counters->n[HUB_BYTES_OUT], verdict->reply_len);
  }
}

void
hub_media_stun (
    HubMedia *media, const HubPath *path, const uint8_t *bytes, size_t len)
{
  HubVerdict verdict;
  HubCheck check;
  HubCheckResult result = hub_check_parse (bytes, len, &check);

  if (result != HUB_CHECK_OK) {
    hub_media_count (
        media, result == HUB_CHECK_MALFORMED ? HUB_DROPPED_STUN_MALFORMED
               : result == HUB_CHECK_OTHER   ? HUB_DROPPED_STUN_OTHER
                                             : HUB_DROPPED_STUN_UFRAG);
    return;
  }
  HubTransport *transport = find_transport (media, &check);
  if (!transport) {
    hub_media_count (media, HUB_DROPPED_STUN_UFRAG);
    return;
  }
  /* Who knows the ufrag could make us compute MACs; consent checks from where we know it never wait for that. */
  if (!has_address (transport, &path->remote)
      && !hub_bucket_take (
          &transport->stun, media->now, HUB_STUN_RATE, HUB_STUN_RATE)) {
    hub_media_count (media, HUB_DROPPED_STUN_FLOOD);
    return;
  }
  if (!hub_ice_verify (&media->ice, bytes, len, transport->login->pwd,
          &path->remote, &verdict)) {
    hub_media_count (media, HUB_DROPPED_STUN_INTEGRITY);
    return;
  }
  if (verdict.valid
      && !take_check (media, transport, &check, path, &verdict)) {
    hub_media_count (media, HUB_DROPPED_STUN_REPLAY);
    return;
  }
  if (verdict.conflict)
    hub_media_count (media, HUB_STUN_ROLE_CONFLICTS);
  answer (media, path, &verdict);
}

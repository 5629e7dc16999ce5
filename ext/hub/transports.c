/* Transports as signalling makes and ends them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forwarder_private.h"

#include <stdlib.h>

#define RTCP_ONLY (HUB_OWN_RTCP_SSRCS + 1u) /* SSRCs without a track */

void
hub_login_free (HubLogin *login)
{
  if (login)
    sodium_memzero (login, sizeof *login);
  free (login);
}

void
hub_transport_free (HubTransport *transport)
{
  if (!transport)
    return;
  srtp_session_free (transport->in);
  srtp_hop_free (transport->out);
  hub_login_free (transport->login);
  free (transport);
}

static void
random_text (char *out, size_t room, size_t n_bytes)
{
  uint8_t bytes[HUB_PWD_LEN];

  randombytes_buf (bytes, n_bytes);
  sodium_bin2base64 (
      out, room, bytes, n_bytes, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
  sodium_memzero (bytes, sizeof bytes);
}

/* RFC 8445, 5.3: characters are those of base64. */
static HubLogin *
make_login (const char *remote_ufrag, HubCredentials *credentials)
{
  HubLogin *login = calloc (1, sizeof *login);

  if (!login)
    return NULL;
  random_text (login->ufrag, sizeof login->ufrag, HUB_UFRAG_LEN * 3 / 4);
  random_text (login->pwd, sizeof login->pwd, HUB_PWD_LEN * 3 / 4);
  memcpy (credentials->ufrag, login->ufrag, sizeof credentials->ufrag);
  memcpy (credentials->pwd, login->pwd, sizeof credentials->pwd);
  if (remote_ufrag) {
    size_t len = strlen (remote_ufrag);
    login->any_remote = true;
    login->remote_len = len;
    if (len <= sizeof login->remote)
      memcpy (login->remote, remote_ufrag, len);
    else
      login->remote_len = SIZE_MAX; /* matches nothing */
  }
  return login;
}

static bool
make_crypto (HubTransport *transport, HubCredentials *credentials)
{
  SrtpConfig config;

  srtp_config_init (&config, SRTP_RECEIVE);
  config.window = HUB_STREAM_WINDOW;
  config.max_ssrcs = 2 * HUB_SSRCS_OF_TRANSPORT + RTCP_ONLY;
  credentials->to_hub = secret_random (HUB_KEY_LEN);
  credentials->from_hub = secret_random (HUB_KEY_LEN);
  transport->in = srtp_session_new (&config, NULL);
  transport->out =
      credentials->from_hub ? srtp_hop_new (credentials->from_hub) : NULL;
  return transport->in && transport->out && credentials->to_hub
         && srtp_session_set_key (transport->in, credentials->to_hub, NULL, 0)
                == SRTP_OK;
}

HubResult
hub_forwarder_add_transport (HubForwarder *f, HubRoom *room,
    const char *remote_ufrag, void *owner, HubTransport **transport,
    HubCredentials *credentials)
{
  *credentials = (HubCredentials){ 0 };
  if (f->n_transports >= f->config.max_transports)
    return HUB_LIMIT_REACHED;
  size_t n = (size_t) f->n_transports + 1;
  HubTransport *t = calloc (1, sizeof *t);
  if (!t || !hub_reserve (f, 1) || !hub_reserve_names (f, 1)
      || !hub_reserve_table (f, HUB_TABLE_UFRAGS, n)
      || !hub_reserve_table (f, HUB_TABLE_ADDRESSES, HUB_ADDRESSES * n)
      || !(t->login = make_login (remote_ufrag, credentials))
      || !make_crypto (t, credentials)) {
    hub_transport_free (t);
    hub_credentials_clear (credentials);
    return HUB_NO_MEMORY;
  }
  if (!hub_room_draw_ssrc (room, &t->ssrc)) {
    hub_transport_free (t);
    hub_credentials_clear (credentials);
    return HUB_LIMIT_REACHED;
  }
  credentials->ssrc = t->ssrc;
  t->forwarder = f;
  t->room = room;
  t->owner = owner;
  t->id = f->next_id++;
  hub_link_init (&t->links_of_tracks);
  hub_link_init (&t->links_of_subscriptions);
  hub_link_add (&room->transports, &t->link);
  f->n_transports++;
  hub_command (f, &(HubCommand){ .type = HUB_CMD_ADD_TRANSPORT, .object = t });
  *transport = t;
  return HUB_OK;
}

HubResult
hub_forwarder_restart_ice (HubForwarder *f, HubTransport *transport,
    const char *remote_ufrag, HubCredentials *credentials)
{
  *credentials = (HubCredentials){ .ssrc = transport->ssrc };
  HubLogin *login =
      hub_reserve (f, 1) ? make_login (remote_ufrag, credentials) : NULL;
  if (!login)
    return HUB_NO_MEMORY;
  hub_command (
      f, &(HubCommand){
             .type = HUB_CMD_LOGIN, .object = transport, .with = login });
  return HUB_OK;
}

void
hub_end_transport (HubForwarder *f, HubTransport *transport)
{
  hub_end_subscriptions_of (f, transport);
  while (transport->links_of_tracks.next != &transport->links_of_tracks)
    hub_end_track (
        f, HUB_OF (transport->links_of_tracks.next, HubTrack, link));
  hub_link_remove (&transport->link);
  transport->removed = true;
  f->n_transports--;
  hub_command (f,
      &(HubCommand){ .type = HUB_CMD_REMOVE_TRANSPORT, .object = transport });
}

void
hub_forwarder_remove_transport (HubForwarder *f, HubTransport *transport)
{
  hub_end_transport (f, transport);
}

void *
hub_transport_owner (const HubTransport *transport)
{
  return transport->owner;
}

void
hub_credentials_clear (HubCredentials *credentials)
{
  secret_unref (credentials->to_hub);
  secret_unref (credentials->from_hub);
  sodium_memzero (credentials, sizeof *credentials);
}

void
hub_transport_stats (const HubTransport *t, HubTransportStats *out)
{
  *out = (HubTransportStats){ .connected = atomic_load_explicit (
                                  &t->is_connected, memory_order_relaxed),
    .packets_in = hub_count_read (&t->packets_in),
    .bytes_in = hub_count_read (&t->bytes_in),
    .packets_out = hub_count_read (&t->packets_out),
    .bytes_out = hub_count_read (&t->bytes_out),
    .rtx_out = hub_count_read (&t->rtx_out),
    .shed = hub_count_read (&t->shed_out) };
}

/* Diagnosis of pairs that do not connect.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe.h"

#include "link.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <stun/stunagent.h>
#include <unistd.h>

#define STEP 50     /* ms between looks */
#define RESEND_AT 6 /* looks after which the request goes out again */
#define STUN_SUCCESS 0x0101
#define STUN_ERROR 0x0111
#define STUN_ERROR_CODE 0x0009

typedef struct
{
  IceCandidate local;
  IceCandidate remote;
  int fd; /* -1: nothing to ask, or over */
  uint8_t request[STUN_MAX_MESSAGE_SIZE_IPV6];
  size_t request_len;
  int error; /* errno, 0: none */
  gboolean answered;
  unsigned code; /* of an error response */
} Pair;

struct IceProbe
{
  Pair pairs[ICE_PROBE_MAX_PAIRS];
  guint n_pairs;
  guint n_left_out;
  guint looks;
  GSource *timer;
  StunAgent stun;
  char username[2 * ICE_MAX_UFRAG + 2];
  char password[ICE_MAX_PWD + 1];
  void (*done) (const char *report, gpointer user);
  gpointer user;
};

static void
close_pair (Pair *pair)
{
  if (pair->fd >= 0)
    (void) close (pair->fd);
  pair->fd = -1;
}

static void
ask (Pair *pair)
{
  if (pair->fd >= 0
      && send (pair->fd, pair->request, pair->request_len, MSG_DONTWAIT) < 0
      && errno != EAGAIN) {
    pair->error = errno;
    close_pair (pair);
  }
}

/* Connected, so that the kernel hands us the errors that routers and the far host report. */
static void
open_pair (IceProbe *probe, Pair *pair)
{
  struct sockaddr_storage from, to;
  IceAddress local = pair->local.address;
  StunMessage message;

  local.port = 0;
  socklen_t from_len = ice_address_to_sockaddr (&local, &from);
  socklen_t to_len = ice_address_to_sockaddr (&pair->remote.address, &to);

  if (!stun_agent_init_request (&probe->stun, &message, pair->request,
          sizeof pair->request, STUN_BINDING))
    return;
  stun_message_append_bytes (&message, STUN_ATTRIBUTE_USERNAME,
      probe->username, strlen (probe->username));
  pair->request_len = stun_agent_finish_message (&probe->stun, &message,
      (uint8_t *) probe->password, strlen (probe->password));
  pair->fd =
      socket (from.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (pair->fd < 0 || bind (pair->fd, (struct sockaddr *) &from, from_len) < 0
      || connect (pair->fd, (struct sockaddr *) &to, to_len) < 0) {
    pair->error = errno;
    close_pair (pair);
  }
  ask (pair);
}

/* Pairs as RFC 8445, 6.1.2.2 forms them, of what can be asked or named: same family and transport, bases only. */
static void
add_pairs (
    IceProbe *probe, const IceDescription *local, const IceDescription *remote)
{
  for (size_t l = 0; l < local->n_candidates; l++)
    for (size_t r = 0; r < remote->n_candidates; r++) {
      const IceCandidate *a = &local->candidates[l],
                         *b = &remote->candidates[r];
      if (a->address.family != b->address.family
          || (a->transport == ICE_UDP) != (b->transport == ICE_UDP)
          || (a->transport != ICE_UDP && a->transport == b->transport)
          || a->type == ICE_SRFLX)
        continue;
      if (probe->n_pairs == ICE_PROBE_MAX_PAIRS) {
        probe->n_left_out++;
        continue;
      }
      Pair *pair = &probe->pairs[probe->n_pairs++];
      pair->local = *a;
      pair->remote = *b;
      pair->fd = -1;
      if (a->type == ICE_HOST && a->transport == ICE_UDP)
        open_pair (probe, pair);
    }
}

static void
read_answer (Pair *pair)
{
  uint8_t bytes[1024];
  ssize_t n = recv (pair->fd, bytes, sizeof bytes, MSG_DONTWAIT);

  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) {
      pair->error = errno;
      close_pair (pair);
    }
    return;
  }
  Reader in = reader_init (bytes, (size_t) n);
  unsigned type = (unsigned) reader_uint (&in, 2);
  (void) reader_uint (&in, 2);
  const uint8_t *id =
      reader_take (&in, 16); /* magic cookie and transaction ID */
  if (!id || memcmp (id, pair->request + 4, 16) != 0
      || (type != STUN_SUCCESS && type != STUN_ERROR))
    return;
  pair->answered = TRUE;
  while (type == STUN_ERROR && reader_left (&in) > 0) {
    unsigned attribute = (unsigned) reader_uint (&in, 2);
    size_t len = (size_t) reader_uint (&in, 2);
    Reader value = reader_sub (&in, len);
    if (attribute == STUN_ERROR_CODE) {
      (void) reader_uint (&value, 2);
      unsigned class = (unsigned) reader_uint (&value, 1) & 7;
      pair->code = class * 100 + (unsigned) reader_uint (&value, 1) % 100;
    }
    (void) reader_take (&in, (4 - len % 4) % 4);
  }
  close_pair (pair);
}

static void
describe_answer (const Pair *pair, GString *out)
{
  if (pair->local.type != ICE_HOST || pair->local.transport != ICE_UDP)
    g_string_append (out, "no check succeeded");
  else if (pair->answered && pair->code == 401)
    g_string_append (out,
        "401: the far end does not know our user name or password; its description is another one's, "
        "or an old one");
  else if (pair->answered && pair->code)
    g_string_append_printf (out, "error %u", pair->code);
  else if (pair->answered)
    g_string_append (out,
        "it answers, but its own checks do not reach this side: has it our description?");
  else if (pair->error == ECONNREFUSED)
    g_string_append (out,
        "refused: nobody listens there; the far end is gone, or its description is old");
  else if (pair->error)
    g_string_append (out, g_strerror (pair->error));
  else
    g_string_append (
        out, "no answer: lost on the way, or dropped by a firewall or NAT");
}

static char *
make_report (const IceProbe *probe)
{
  GString *out = g_string_new (NULL);

  if (probe->n_pairs == 0)
    g_string_append (out,
        "no pair could be formed: the sides have no candidates of the same kind "
        "(IPv4 with IPv6, or TCP with UDP, or only relays of which none was granted)");
  for (guint i = 0; i < probe->n_pairs; i++) {
    const Pair *pair = &probe->pairs[i];
    char local[ICE_ADDRESS_TEXT], remote[ICE_ADDRESS_TEXT];
    ice_address_text (&pair->local.address, local);
    ice_address_text (&pair->remote.address, remote);
    g_string_append_printf (out, "%s%s %s -> %s %s (%s): ", i ? "\n" : "",
        ice_candidate_type_name (pair->local.type), local,
        ice_candidate_type_name (pair->remote.type), remote,
        ice_transport_name (pair->local.transport));
    describe_answer (pair, out);
  }
  if (probe->n_left_out)
    g_string_append_printf (out, "\nand %u more", probe->n_left_out);
  return g_string_free (out, FALSE);
}

static gboolean
on_look (gpointer user)
{
  IceProbe *probe = user;

  probe->looks++;
  for (guint i = 0; i < probe->n_pairs; i++) {
    if (probe->looks == RESEND_AT)
      ask (&probe->pairs[i]);
    if (probe->pairs[i].fd >= 0)
      read_answer (&probe->pairs[i]);
  }
  if (probe->looks * STEP < ICE_PROBE_TIME)
    return G_SOURCE_CONTINUE;
  g_autofree char *report = make_report (probe);
  probe->done (report, probe->user);
  return G_SOURCE_REMOVE;
}

IceProbe *
ice_probe_new (const IceDescription *local, const IceDescription *remote,
    GMainContext *context, void (*done) (const char *report, gpointer user),
    gpointer user)
{
  static const uint16_t known[] = { 0 };
  IceProbe *probe = g_new0 (IceProbe, 1);

  stun_agent_init (&probe->stun, known, STUN_COMPATIBILITY_RFC5389,
      STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS
          | STUN_AGENT_USAGE_USE_FINGERPRINT);
  g_snprintf (probe->username, sizeof probe->username, "%s:%s", remote->ufrag,
      local->ufrag);
  g_strlcpy (probe->password, remote->pwd, sizeof probe->password);
  probe->done = done;
  probe->user = user;
  add_pairs (probe, local, remote);
  probe->timer = g_timeout_source_new (STEP);
  g_source_set_callback (probe->timer, on_look, probe, NULL);
  g_source_attach (probe->timer, context);
  return probe;
}

void
ice_probe_free (IceProbe *probe)
{
  if (!probe)
    return;
  g_source_destroy (probe->timer);
  g_source_unref (probe->timer);
  for (guint i = 0; i < probe->n_pairs; i++)
    close_pair (&probe->pairs[i]);
  sodium_memzero (probe, sizeof *probe);
  g_free (probe);
}

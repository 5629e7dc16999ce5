/* The forwarder's media engine without sockets, threads and clock, worked by operations that are read from the input: datagrams
 * raw and well protected, checks good and changed, objects that come and go, a socket that is full, time that passes.
 *
 * Whatever happens: no nonce is used twice, nothing is sent to where no check came from, nobody unauthenticated gets more bytes
 * than it sent, every packet is in exactly one counter, and everything comes back when the forwarder ends.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext/hub/forwarder_private.h"
#include "ext/sodium/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define N_MEMBERS 3
#define N_PLACES 5 /* addresses: the last ones are nobody's */
#define MAX_TRACKS 8
#define MAX_IN 1400

typedef struct
{
  HubTransport *transport;
  HubCredentials credentials;
  SrtpSession *out, *in;
} Member;

typedef struct
{
  Reader in;
  HubForwarder *f;
  HubRoom *rooms[2];
  Member members[N_MEMBERS];
  HubTrack *tracks[MAX_TRACKS];
  size_t n_tracks;
  uint64_t now;
  size_t refuse; /* messages that the socket will not take */
  /* By place. */
  bool checked[N_PLACES];
  int64_t balance
      [N_PLACES]; /* bytes that came minus bytes that went, before a valid check */
} World;

static World *world; /* what the sink sees */

static unsigned
number (World *w, unsigned limit)
{
  return (unsigned) reader_uint (&w->in, 1) % limit;
}

/* --- The same keys every time --- */

static uint64_t random_state;

static const char *
random_name (void)
{
  return "fuzz";
}

static uint32_t
random_word (void)
{
  random_state = random_state * UINT64_C (6364136223846793005) + 1;
  return (uint32_t) (random_state >> 32);
}

static void
random_fill (void *const out, const size_t len)
{
  uint8_t *bytes = out;
  for (size_t i = 0; i < len; i++)
    bytes[i] = (uint8_t) random_word ();
}

static struct randombytes_implementation random_source = {
  .implementation_name = random_name,
  .random = random_word,
  .buf = random_fill,
};

/* --- Places --- */

static HubPath
path_of (unsigned place)
{
  HubPath path = { .remote.port = (uint16_t) (5000 + place) };
  hub_address_parse (place % 2 ? "2001:db8::1" : "192.0.2.1", path.remote.ip);
  hub_address_parse ("192.0.2.9", path.local);
  return path;
}

/* --- What goes out --- */

static SrtpSession *
make_session (Secret *key, SrtpDirection direction)
{
  SrtpConfig config;
  srtp_config_init (&config, direction);
  SrtpSession *session = srtp_session_new (&config, NULL);
  if (!session || srtp_session_set_key (session, key, NULL, 0) != SRTP_OK)
    abort ();
  return session;
}

static SrtpResult
open_packet (SrtpSession *in, const uint8_t *bytes, size_t len)
{
  uint8_t plain[HUB_MAX_PACKET + 64];
  size_t plain_len;
  return srtp_is_rtcp (bytes, len)
             ? srtp_session_unprotect_rtcp (
                 in, bytes, len, plain, sizeof plain, &plain_len, NULL)
             : srtp_session_unprotect_rtp (
                 in, bytes, len, plain, sizeof plain, &plain_len, NULL);
}

/* An SSRC and sequence number that `member` has had: of another member, or a nonce used twice? Its key tells, without the memory. */
static void
check_replay (const Member *member, const uint8_t *bytes, size_t len)
{
  SrtpSession *fresh =
      make_session (member->credentials.from_hub, SRTP_RECEIVE);
  uint64_t index;
  uint32_t ssrc;

  if (!srtp_is_rtcp (bytes, len) && srtp_packet_ssrc (bytes, len, false, &ssrc)
      && srtp_session_get_index (member->in, ssrc, &index)
      && srtp_session_set_index (fresh, ssrc, index) != SRTP_OK)
    abort ();
  if (open_packet (fresh, bytes, len) == SRTP_OK)
    abort ();
  srtp_session_free (fresh);
}

static void
check_nonce (const uint8_t *bytes, size_t len)
{
  for (size_t i = 0; i < N_MEMBERS; i++) {
    const Member *member = &world->members[i];
    SrtpResult result =
        member->in ? open_packet (member->in, bytes, len) : SRTP_NO_KEY;
    if (result == SRTP_OK)
      return;
    if (result == SRTP_REPLAYED)
      check_replay (member, bytes, len);
  }
}

static void
check_packet (unsigned place, const uint8_t *bytes, size_t len)
{
  if (len > 0 && bytes[0] < 4) {
    world->balance[place] -= (int64_t) len;
    return;
  }
  if (len < 12 || bytes[0] >> 6 != 2 || !world->checked[place])
    abort ();
  check_nonce (bytes, len);
}

static size_t
sink (void *io, const HubMessage *messages, size_t n)
{
  size_t i;

  for (i = 0; i < n; i++) {
    unsigned place = messages[i].path.remote.port - 5000u;
    uint32_t len = 0;
    if (world->refuse > 0) {
      world->refuse--;
      break;
    }
    if (place >= N_PLACES)
      abort ();
    for (uint16_t k = 0; k < messages[i].n_segments; k++) {
      uint32_t at = (uint32_t) k * messages[i].segment;
      uint32_t left = messages[i].len - at;
      uint32_t one = left < messages[i].segment ? left : messages[i].segment;
      if (one == 0 || at >= messages[i].len)
        abort ();
      check_packet (place, messages[i].bytes + at, one);
      len += one;
    }
    if (len != messages[i].len)
      abort ();
  }
  return i;
}

/* --- A forwarder without its thread --- */

static HubForwarder *
make_forwarder (void)
{
  HubTableMemory *tables[HUB_N_TABLES];
  HubForwarder *f = aligned_alloc (64, (sizeof *f + 63) / 64 * 64);

  memset (f, 0, sizeof *f);
  hub_forwarder_config_init (&f->config);
  f->config.max_cache = 3 << 20;
  f->config.max_transports = 4;
  f->next_id = 1;
  hub_link_init (&f->rooms);
  f->thread.epoll_fd = f->thread.wake_fd = f->thread.event_fd = -1;
  for (int i = 0; i < HUB_N_TABLES; i++) {
    tables[i] = hub_table_memory_new (8);
    f->table_room[i] = hub_table_memory_room (tables[i]);
  }
  if (!hub_ring_init (&f->thread.commands)
      || !hub_ring_init (&f->thread.events)
      || !hub_media_init (&f->thread.media, f->config.max_transports,
          &f->thread.commands, &f->thread.events, &f->thread.counters, sink,
          NULL, tables)
      || !hub_reserve (f, 0))
    abort ();
  f->thread.media.egress.gso = true;
  f->thread.media.max_packet_rate = f->config.max_packet_rate;
  return f;
}

/* As a client does: it learns where streams stand. */
static void
on_event (const HubMediaEvent *event, void *data)
{
  World *w = data;

  if (event->type != HUB_MEDIA_EVENT_SUBSCRIBED && event->type != HUB_MEDIA_EVENT_RESUMED)
    return;
  for (size_t i = 0; i < N_MEMBERS; i++) {
    Member *m = &w->members[i];
    if (m->transport != event->transport)
      continue;
    if (srtp_session_set_index (m->in, event->ssrc, event->index)
            >= SRTP_N_RESULTS
        || srtp_session_set_index (m->in, event->rtx_ssrc, event->rtx_index)
               >= SRTP_N_RESULTS)
      abort ();
  }
}

static void
join (World *w, size_t i)
{
  Member *m = &w->members[i];

  if (hub_forwarder_add_transport (
          w->f, w->rooms[i / 2], "them", NULL, &m->transport, &m->credentials)
      != HUB_OK)
    abort ();
  m->out = make_session (m->credentials.to_hub, SRTP_SEND);
  m->in = make_session (m->credentials.from_hub, SRTP_RECEIVE);
}

static void
leave (World *w, size_t i)
{
  Member *m = &w->members[i];

  for (size_t k = w->n_tracks; k-- > 0;)
    if (hub_track_publisher (w->tracks[k]) == m->transport)
      w->tracks[k] = w->tracks[--w->n_tracks];
  hub_forwarder_remove_transport (w->f, m->transport);
  /* What was on its way to the old transport was sent: nothing of it is judged any more. */
  hub_media_commands (&w->f->thread.media);
  srtp_session_free (m->out);
  srtp_session_free (m->in);
  hub_credentials_clear (&m->credentials);
  *m = (Member){ 0 };
}

/* --- Datagrams --- */

/* In an allocation of its exact size, so that a sanitizer sees one byte too many. */
static void
deliver (World *w, unsigned place, const uint8_t *bytes, size_t len)
{
  HubPath path = path_of (place);
  uint8_t *copy = malloc (len > 0 ? len : 1);

  memcpy (copy, bytes, len);
  w->balance[place] += (int64_t) len;
  hub_media_input (&w->f->thread.media, &path, copy, len);
  hub_media_forward (&w->f->thread.media);
  free (copy);
}

static size_t
take_bytes (World *w, uint8_t *out)
{
  size_t len = (size_t) reader_uint (&w->in, 2) % MAX_IN;
  if (len > reader_left (&w->in))
    len = reader_left (&w->in);
  const uint8_t *bytes = reader_take (&w->in, len);
  if (bytes)
    memcpy (out, bytes, len);
  return bytes ? len : 0;
}

/* An SSRC that means something, or not. */
static uint32_t
choose_ssrc (World *w, size_t member)
{
  unsigned n = number (w, 2 * MAX_TRACKS + 4);

  if (n < 2 * w->n_tracks)
    return n % 2 ? w->tracks[n / 2]->rtx_ssrc : w->tracks[n / 2]->ssrc;
  return n % 2 ? w->members[member].credentials.ssrc : n;
}

static void
set_word (uint8_t *at, uint32_t word)
{
  for (int i = 0; i < 4; i++)
    at[i] = (uint8_t) (word >> (24 - 8 * i));
}

static void
send_media (World *w, bool rtcp)
{
  uint8_t plain[MAX_IN], wire[MAX_IN + SRTP_MAX_OVERHEAD];
  size_t member = number (w, N_MEMBERS), wire_len;
  unsigned place = number (w, 4) ? (unsigned) member : number (w, N_PLACES);
  uint32_t ssrc = choose_ssrc (w, member);
  uint32_t about = rtcp ? choose_ssrc (w, member) : 0;
  size_t len = take_bytes (w, plain);
  Member *m = &w->members[member];

  if (!m->out || len < 12)
    return;
  plain[0] = (uint8_t) (0x80 | (plain[0] & 0x3f));
  if (rtcp) {
    plain[1] = (uint8_t) (192 + (plain[1] & 31));
    set_word (plain + 4, ssrc);
    if (len % 2)
      set_word (plain + 8, about);
  } else {
    plain[1] = (uint8_t) (plain[1] % 2 ? 96 : 97);
    set_word (plain + 8, ssrc);
  }
  SrtpResult result = rtcp ? srtp_session_protect_rtcp (m->out, plain, len,
                          wire, sizeof wire, &wire_len, NULL)
                           : srtp_session_protect_rtp (m->out, plain, len,
                               wire, sizeof wire, &wire_len, NULL);
  if (result == SRTP_OK)
    deliver (w, place, wire, wire_len);
}

static void
send_raw (World *w)
{
  uint8_t bytes[MAX_IN];
  unsigned place = number (w, N_PLACES);
  size_t len = take_bytes (w, bytes);
  deliver (w, place, bytes, len);
}

static void
send_check (World *w)
{
  static const uint16_t known[] = { 0 };
  uint8_t bytes[512], password[HUB_PWD_LEN];
  char username[64];
  StunAgent agent;
  StunMessage message;
  Member *m = &w->members[number (w, N_MEMBERS)];
  unsigned place = number (w, N_PLACES), flags = number (w, 256);

  if (!m->transport)
    return;
  memcpy (password, m->credentials.pwd, sizeof password);
  snprintf (username, sizeof username, "%s:%s", m->credentials.ufrag,
      flags & 8 ? "thex" : "them");
  stun_agent_init (&agent, known, STUN_COMPATIBILITY_RFC5389,
      STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS
          | STUN_AGENT_USAGE_USE_FINGERPRINT);
  stun_agent_init_request (
      &agent, &message, bytes, sizeof bytes, STUN_BINDING);
  random_fill (bytes + 8, 12);
  if (flags & 1)
    stun_message_append_flag (&message, STUN_ATTRIBUTE_USE_CANDIDATE);
  if (flags & 2)
    stun_message_append64 (&message, STUN_ATTRIBUTE_ICE_CONTROLLED, 5);
  if (flags & 4)
    stun_message_append32 (&message, (StunAttribute) 0x7abc, 1);
  stun_message_append_string (&message, STUN_ATTRIBUTE_USERNAME, username);
  size_t len =
      stun_agent_finish_message (&agent, &message, password, sizeof password);
  if (len == 0)
    abort ();
  if (flags & 16) {
    bytes[number (w, (unsigned) (len < 256 ? len : 255))] ^=
        (uint8_t) reader_uint (&w->in, 1);
    len -= number (w, 30);
  }
  uint64_t answered =
      hub_count_read (&w->f->thread.counters.n[HUB_STUN_ANSWERED]);
  bool before = w->checked[place];
  w->checked[place] |= (flags & 15) == 1; /* it may become valid now */
  deliver (w, place, bytes, len);
  if (hub_count_read (&w->f->thread.counters.n[HUB_STUN_ANSWERED]) == answered)
    w->checked[place] = before;
}

/* --- Objects --- */

static void
change_tracks (World *w)
{
  size_t member = number (w, N_MEMBERS), what = number (w, 8);
  Member *m = &w->members[member];
  HubTrackConfig config = { .kind = what % 2 ? HUB_AUDIO : HUB_VIDEO,
    .clock_rate = 48000,
    .rtx_payload_type = 97 };
  HubTrackSsrcs ssrcs;

  if (what < 2 && m->transport && w->n_tracks < MAX_TRACKS) {
    if (hub_forwarder_publish (
            w->f, m->transport, &config, NULL, &w->tracks[w->n_tracks], &ssrcs)
        == HUB_OK)
      w->n_tracks++;
    return;
  }
  if (w->n_tracks == 0 || !m->transport)
    return;
  size_t k = number (w, (unsigned) w->n_tracks);
  switch (what) {
    case 2:
      hub_forwarder_unpublish (w->f, w->tracks[k]);
      w->tracks[k] = w->tracks[--w->n_tracks];
      break;
    case 3:
    case 4:
      hub_forwarder_subscribe (w->f, m->transport, w->tracks[k], what == 4);
      break;
    case 5:
      hub_forwarder_unsubscribe (w->f, m->transport, w->tracks[k]);
      break;
    case 6:
      hub_forwarder_pause (w->f, m->transport, w->tracks[k]);
      break;
    default:
      hub_forwarder_resume (w->f, m->transport, w->tracks[k]);
  }
}

static void
pass_time (World *w)
{
  w->now += (reader_uint (&w->in, 1) + 1) * 7 * HUB_MS;
  hub_media_turn (&w->f->thread.media, w->now);
  hub_media_timers (&w->f->thread.media);
}

static void
restart_ice (World *w)
{
  HubCredentials fresh;
  Member *m = &w->members[number (w, N_MEMBERS)];

  if (!m->transport
      || hub_forwarder_restart_ice (w->f, m->transport, "them", &fresh)
             != HUB_OK)
    return;
  memcpy (m->credentials.ufrag, fresh.ufrag, sizeof fresh.ufrag);
  memcpy (m->credentials.pwd, fresh.pwd, sizeof fresh.pwd);
}

static void
step (World *w)
{
  size_t member;

  hub_media_turn (&w->f->thread.media, w->now);
  switch (number (w, 16)) {
    case 0:
    case 1:
      send_raw (w);
      break;
    case 2:
    case 3:
    case 4:
      send_check (w);
      break;
    case 5:
    case 6:
    case 7:
      send_media (w, false);
      break;
    case 8:
    case 9:
      send_media (w, true);
      break;
    case 10:
    case 11:
      change_tracks (w);
      break;
    case 12:
      pass_time (w);
      break;
    case 13:
      member = number (w, N_MEMBERS);
      if (w->members[member].transport)
        leave (w, member);
      else
        join (w, member);
      break;
    case 14:
      w->refuse = number (w, 3);
      hub_egress_unblock (&w->f->thread.media.egress);
      break;
    default:
      restart_ice (w);
  }
  if (number (w, 4) != 0) {
    hub_media_commands (&w->f->thread.media);
    hub_forwarder_dispatch (w->f);
  }
}

static void
check_world (World *w)
{
  uint64_t in = hub_count_read (&w->f->thread.counters.n[HUB_PACKETS_IN]);
  uint64_t sum = 0;

  for (int i = HUB_RTP_ACCEPTED; i <= HUB_DROPPED_RTX_EMPTY; i++)
    sum += hub_count_read (&w->f->thread.counters.n[i]);
  if (in != sum)
    abort ();
  for (size_t i = 0; i < N_PLACES; i++)
    if (w->balance[i] < 0)
      abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static bool ready;
  HubRoomConfig config = {
    .audio_last_n = 1, .audio_level_id = 1, .twcc_id = 2
  };

  if (!ready) {
    randombytes_set_implementation (&random_source);
    if (!core_init ())
      abort ();
    ready = true;
  }
  random_state = 1;
  World *w = calloc (1, sizeof *w);
  world = w;
  w->in = reader_init (data, size);
  w->now = HUB_S;
  w->f = make_forwarder ();
  w->f->event = on_event;
  w->f->data = w;
  hub_media_turn (&w->f->thread.media, w->now);
  for (size_t i = 0; i < 2; i++)
    w->rooms[i] = hub_forwarder_add_room (w->f, &config, NULL);
  for (size_t i = 0; i < N_MEMBERS; i++)
    join (w, i);
  hub_media_commands (&w->f->thread.media);
  for (unsigned i = 0; i < 300 && reader_left (&w->in) > 0; i++) {
    step (w);
    check_world (w);
  }
  w->refuse = 0;
  for (size_t i = 0; i < N_MEMBERS; i++)
    if (w->members[i].transport)
      leave (w, i);
  hub_forwarder_free (w->f);
  free (w);
  return 0;
}

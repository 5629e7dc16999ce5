/* What a hub's memory holds while a meeting runs: the daemon is a process of its own, two sessions meet at it over TLS and SRTP, talk
 * and send frames, and then all of its memory is looked through. What may not be there: the password, what was said, the frames, the
 * keys to them, names. What must be there, to show that the search finds: the meeting's name, and the frames as they were sent.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE /* memmem */
#include "../check/hubclient.h"
#include "../check/hubnet.h"

#include "ext/session/media.h"
#include "ext/session/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <unistd.h>

#define PATIENCE_US (60 * G_USEC_PER_SEC)
#define MEETING "hub-dump-a-meeting-of-two"
#define PASSWORD "a password that only two people know"
#define CHAT "what one of them says to the other"
#define NAME "A name of a person"
#define FRAME 256
#define FRAMES 40

/* ---- The daemon ---- */

typedef struct
{
  GSubprocess *process;
  GInputStream *lines; /* held open: it logs to it */
  char *folder, *certificate;
  Link link;
  char uri[LINK_SIZE];
} Daemon;

static void
daemon_start (Daemon *daemon)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *program = g_build_filename (
      g_getenv ("CONCLAVE_BUILD"), "examples", "conclave-hub", NULL);

  daemon->folder = g_dir_make_tmp ("conclave-hub-XXXXXX", NULL);
  daemon->certificate = g_build_filename (daemon->folder, "hub.pem", NULL);
  g_autofree char *certificate =
      g_strconcat ("--certificate=", daemon->certificate, NULL);
  daemon->process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDERR_PIPE, &error,
      program, "--port=0", "--bind-address=127.0.0.1", certificate, NULL);
  g_assert_no_error (error);
  g_autoptr (GDataInputStream) lines =
      g_data_input_stream_new (g_subprocess_get_stderr_pipe (daemon->process));
  char *line = NULL;
  while ((line = g_data_input_stream_read_line (lines, NULL, NULL, NULL))
         && !g_str_has_prefix (line, "link: "))
    g_free (line);
  fail_unless (line != NULL, "the daemon ended without a link");
  g_auto (GStrv) parts = g_strsplit (line + strlen ("link: "), "MEETING", 2);
  g_free (line);
  fail_unless (parts[0] && parts[1]);
  g_snprintf (
      daemon->uri, sizeof daemon->uri, "%s" MEETING "%s", parts[0], parts[1]);
  fail_unless_equals_int (
      link_parse (daemon->uri, strlen (daemon->uri), &daemon->link), LINK_OK);
  daemon->lines = G_INPUT_STREAM (g_steal_pointer (&lines));
}

static void
daemon_stop (Daemon *daemon)
{
  g_subprocess_force_exit (daemon->process);
  g_subprocess_wait (daemon->process, NULL, NULL);
  g_object_unref (daemon->lines);
  g_object_unref (daemon->process);
  unlink (daemon->certificate);
  rmdir (daemon->folder);
  g_free (daemon->certificate);
  g_free (daemon->folder);
}

/* ---- Two people ---- */

typedef struct
{
  const Daemon *daemon;
  Session *session;
  Identity *identity;
  NetClient net;
  HubClient media;
  bool connected, has_media, chatted, told_roc;
  uint32_t own_ssrc, ssrc; /* the other's */
  uint64_t kid;
  Secret *base_key; /* of the host's frames */
} Person;

static void
person_init (Person *self, const Daemon *daemon, bool owner, Secret *password)
{
  self->daemon = daemon;
  self->identity = identity_new ();
  SessionConfig config = { .uri = daemon->uri,
    .owner = owner,
    .role = ROLE_PARTICIPANT,
    .display_name = owner ? NAME : "Guest",
    .identity = self->identity,
    .password = password,
    .policy = { .admission = owner ? ADMISSION_PASSWORD : 0 } };
  fail_unless_equals_int (
      session_new (&config, (uint64_t) g_get_monotonic_time () / 1000,
          (uint64_t) g_get_real_time () / 1000, &self->session),
      SESSION_OK);
}

static void
person_clear (Person *self)
{
  session_free (self->session);
  identity_free (self->identity);
  secret_unref (self->base_key);
  if (self->has_media)
    hub_client_clear (&self->media);
  if (self->connected)
    net_hang_up (&self->net);
}

static void
say_media (Person *self, const WireMessage *message)
{
  fail_unless (session_media (self->session, message));
}

static void
take_transport (Person *self, const WireMessage *message)
{
  HubCredentials credentials = { 0 };
  HubReceived *received = g_new (HubReceived, 1);
  /* "candidate:1 1 UDP 2130706431 127.0.0.1 40000 typ host" */
  g_auto (GStrv) words =
      g_strsplit (message->transport.candidates.at[0], " ", -1);

  g_strlcpy (
      credentials.ufrag, message->transport.ufrag, sizeof credentials.ufrag);
  g_strlcpy (credentials.pwd, message->transport.pwd, sizeof credentials.pwd);
  credentials.to_hub =
      secret_copy (message->transport.send_key.data, HUB_KEY_LEN);
  credentials.from_hub =
      secret_copy (message->transport.receive_key.data, HUB_KEY_LEN);
  hub_client_init (&self->media, NULL,
      (uint16_t) g_ascii_strtoull (words[5], NULL, 10), &credentials,
      SRTP_BACKEND_GNUTLS, false);
  hub_client_check (&self->media, HUB_CHECK_NOMINATE);
  fail_unless (hub_client_receive_kind (
      &self->media, HUB_CLIENT_STUN, received, NET_PATIENCE_S * 1000));
  self->has_media = true;
  g_free (received);
}

static void
take_media (Person *self, const WireMessage *message)
{
  if (message->type == WIRE_TRANSPORT) {
    take_transport (self, message);
  } else if (message->type == WIRE_PUBLISHED) {
    Track track = { message->published.track, MEDIA_VIDEO,
      message->published.ssrc, message->published.rtx, (char *) "VP8",
      (char *) "" };
    self->own_ssrc = (uint32_t) message->published.ssrc;
    fail_unless (session_track (self->session, &track));
  } else if (message->type == WIRE_SUBSCRIBED) {
    const Stream *stream = &message->streams.at[0];
    fail_unless_equals_int (
        srtp_session_set_roc (self->media.in, stream->ssrc, stream->roc),
        SRTP_OK);
    WireMessage resume = { .type = WIRE_RESUME, .ssrcs = { 1, &self->ssrc } };
    say_media (self, &resume);
  } else if (message->type == WIRE_RESUMED) {
    self->told_roc = true;
  }
}

static void
take_event (Person *self, const SessionEvent *event)
{
  if (event->type == SESSION_EVENT_MEDIA) {
    take_media (self, &event->media);
  } else if (event->type == SESSION_EVENT_MESSAGE) {
    self->chatted |= event->message.type == MESSAGE_CHAT
                     && g_strcmp0 (event->message.chat, CHAT) == 0;
  } else if (event->type == SESSION_EVENT_TRACK && !event->member.self) {
    self->ssrc = (uint32_t) event->message.track.ssrc;
    WireMessage subscribe = { .type = WIRE_SUBSCRIBE,
      .ssrcs = { 1, &self->ssrc } };
    say_media (self, &subscribe);
  } else if (event->type == SESSION_EVENT_KEY_OPENED) {
    secret_unref (self->base_key);
    self->base_key = secret_ref (event->key.base_key);
    self->kid = event->key.kid;
  }
}

static void
take_output (Person *self, const SessionOutput *output)
{
  const Net net = { .port = self->daemon->link.port };

  switch (output->type) {
    case SESSION_CONNECT:
      fail_unless_equals_int (
          net_upgrade (&net, &self->net, WIRE_PATH MEETING, NULL), 101);
      self->connected = true;
      session_connected (self->session, self->daemon->link.pin);
      break;
    case SESSION_DISCONNECT:
      fail_unless (false, "the session hung up");
      break;
    default:
      fail_unless (net_send_frame (&self->net,
          NET_FIN
              | (output->type == SESSION_SEND_BINARY ? NET_BINARY : NET_TEXT),
          output->data, output->len));
  }
}

static void
person_run (Person *self)
{
  struct pollfd socket = { .fd = self->net.fd, .events = POLLIN };
  SessionOutput output;
  SessionEvent event;

  session_tick (self->session, (uint64_t) g_get_monotonic_time () / 1000,
      (uint64_t) g_get_real_time () / 1000);
  if (self->connected
      && (self->net.in->len > 0 || gnutls_record_check_pending (self->net.tls)
          || poll (&socket, 1, 2) > 0)) {
    g_autoptr (GByteArray) frame = g_byte_array_new ();
    int opcode = net_read_frame (&self->net, frame);
    fail_unless (opcode >= 0, "the hub hung up");
    session_frame (
        self->session, opcode == NET_BINARY, frame->data, frame->len);
  }
  while (session_next_event (self->session, &event)) {
    take_event (self, &event);
    session_event_clear (&event);
  }
  while (session_next_output (self->session, &output)) {
    take_output (self, &output);
    session_output_clear (&output);
  }
}

typedef bool (*Condition) (const Person *host, const Person *guest);

static void
run_until (Person *host, Person *guest, Condition is_met)
{
  gint64 end = g_get_monotonic_time () + PATIENCE_US;

  while (!is_met (host, guest)) {
    fail_unless (g_get_monotonic_time () < end);
    person_run (host);
    if (guest->session)
      person_run (guest);
  }
}

static bool
is_open (const Person *host, const Person *guest)
{
  (void) guest;
  return session_state (host->session) == SESSION_MEMBER;
}

static bool
are_together (const Person *host, const Person *guest)
{
  return session_state (guest->session) == SESSION_MEMBER
         && session_members (host->session) == 2;
}

static bool
have_media (const Person *host, const Person *guest)
{
  return host->has_media && guest->has_media;
}

static bool
is_subscribed (const Person *host, const Person *guest)
{
  return guest->told_roc && host->base_key && host->kid == guest->kid
         && guest->base_key;
}

static bool
is_told (const Person *host, const Person *guest)
{
  (void) host;
  return guest->chatted;
}

/* ---- Frames ---- */

/* Sends frames, each of which arrives and is what it was; the last one, in clear and as sent, stays. */
static void
send_frames (Person *host, Person *guest, uint8_t *plain, uint8_t *sent,
    size_t *sent_len)
{
  SFrameSuite suite =
      (SFrameSuite) session_policy (host->session)->sframe_suite;
  SFrameKey *sender = sframe_key_new (suite, host->kid, host->base_key, 0);
  SFrameKey *receiver = sframe_key_new (suite, guest->kid, guest->base_key, 0);
  HubReceived *received = g_new (HubReceived, 1);
  uint8_t out[FRAME + 64];
  size_t len;

  randombytes_buf (plain, FRAME);
  for (unsigned i = 1; i <= FRAMES; i++) {
    plain[0] = (uint8_t) i;
    fail_unless_equals_int (sframe_encrypt (sender, NULL, 0, plain, FRAME,
                                sent, FRAME + 64, sent_len),
        SFRAME_OK);
    hub_client_send_rtp (&host->media, host->own_ssrc, i, i * 3000,
        MEDIA_VIDEO_PT, NULL, 0, sent, *sent_len);
    fail_unless (hub_client_receive_kind (
        &guest->media, HUB_CLIENT_RTP, received, NET_PATIENCE_S * 1000));
    fail_unless_equals_uint64 (received->index, i);
    fail_unless_equals_int (
        sframe_decrypt (receiver, NULL, 0, received->bytes + 12,
            received->len - 12, out, &len),
        SFRAME_OK);
    fail_unless (len == FRAME && memcmp (out, plain, FRAME) == 0);
  }
  sframe_key_free (sender);
  sframe_key_free (receiver);
  g_free (received);
}

/* ---- Memory of another process ---- */

/* Each mapping that is readable, with what is at its end and at the beginning of the next one read on its own. NULL when the
 * system does not allow it. */
static GPtrArray *
dump (GSubprocess *process)
{
  const char *pid = g_subprocess_get_identifier (process);
  g_autofree char *maps_name = g_strdup_printf ("/proc/%s/maps", pid),
                  *mem_name = g_strdup_printf ("/proc/%s/mem", pid),
                  *maps = NULL;
  int mem = open (mem_name, O_RDONLY | O_CLOEXEC);
  GPtrArray *all;

  if (mem < 0 || !g_file_get_contents (maps_name, &maps, NULL, NULL))
    return NULL;
  all = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_auto (GStrv) lines = g_strsplit (maps, "\n", -1);
  for (guint i = 0; lines[i][0]; i++) {
    char *rest;
    guint64 start = g_ascii_strtoull (lines[i], &rest, 16),
            end = g_ascii_strtoull (rest + 1, &rest, 16);
    if (rest[1] != 'r' || strstr (rest, "[v"))
      continue;
    char *bytes = g_malloc (end - start);
    ssize_t n;
    guint64 got = 0;
    while (got < end - start
           && (n = pread (
                   mem, bytes + got, end - start - got, (off_t) (start + got)))
                  > 0)
      got += (guint64) n;
    g_ptr_array_add (all, g_bytes_new_take (bytes, got));
  }
  close (mem);
  return all;
}

static bool
holds (GPtrArray *memory, const void *needle, gsize len)
{
  for (guint i = 0; i < memory->len; i++) {
    gsize size;
    const void *bytes =
        g_bytes_get_data (g_ptr_array_index (memory, i), &size);
    if (memmem (bytes, size, needle, len))
      return true;
  }
  return false;
}

GST_START_TEST (a_hubs_memory_holds_no_password_and_no_frame)
{
  uint8_t plain[FRAME], sent[FRAME + 64];
  size_t sent_len = 0;
  Secret *password = secret_copy (PASSWORD, strlen (PASSWORD));
  Daemon daemon = { 0 };
  Person host = { 0 }, guest = { 0 };

  daemon_start (&daemon);
  person_init (&host, &daemon, true, password);
  run_until (&host, &guest, is_open);
  person_init (&guest, &daemon, false, password);
  run_until (&host, &guest, are_together);
  say_media (&host, &(WireMessage){ .type = WIRE_TRANSPORT });
  say_media (&guest, &(WireMessage){ .type = WIRE_TRANSPORT });
  run_until (&host, &guest, have_media);
  say_media (&host,
      &(WireMessage){ .type = WIRE_PUBLISH,
          .publish = { session_free_track (host.session), MEDIA_VIDEO } });
  run_until (&host, &guest, is_subscribed);
  fail_unless (session_chat (host.session, CHAT));
  run_until (&host, &guest, is_told);
  send_frames (&host, &guest, plain, sent, &sent_len);

  g_autoptr (GPtrArray) memory = dump (daemon.process);
  if (memory) {
    fail_unless (holds (memory, MEETING, strlen (MEETING)),
        "not even the meeting's name is found");
    fail_unless (holds (memory, sent, sent_len),
        "not even the frame as it was sent is found");
    fail_if (holds (memory, PASSWORD, strlen (PASSWORD)));
    fail_if (holds (memory, plain, 16));
    fail_if (holds (memory, plain + FRAME - 64, 16));
    fail_if (holds (memory, CHAT, strlen (CHAT)));
    fail_if (holds (memory, NAME, strlen (NAME)));
    fail_if (holds (memory, secret_bytes (host.base_key), 16));
    fail_if (holds (memory, identity_secret_key (host.identity), 16));
  } else {
    g_print ("skipped: the system lets nobody read another process: %s\n",
        g_strerror (errno));
  }
  person_clear (&guest);
  person_clear (&host);
  daemon_stop (&daemon);
  secret_unref (password);
}
GST_END_TEST

static Suite *
hub_dump_suite (void)
{
  Suite *s = suite_create ("hub-dump");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (s, tc);
  tcase_set_timeout (tc, 180);
  tcase_add_test (tc, a_hubs_memory_holds_no_password_and_no_frame);
  return s;
}

PURE_CHECK_MAIN (hub_dump)

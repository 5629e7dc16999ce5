/* The element: states, properties, messages, errors, restarts.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/check/gstcheck.h>

#include "hubnet.h"

#include "ext/sodium/link.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct
{
  gchar *folder, *pem;
  GstElement *pipeline, *hub;
  GstBus *bus;
} Fixture;

static void
set_up (Fixture *f)
{
  f->folder = g_dir_make_tmp ("conclave-hub-XXXXXX", NULL);
  f->pem = g_build_filename (f->folder, "hub.pem", NULL);
  f->pipeline = gst_pipeline_new (NULL);
  f->hub = gst_element_factory_make ("meetinghub", NULL);
  fail_unless (f->hub != NULL);
  g_object_set (f->hub, "port", 0, "bind-address", "127.0.0.1",
      "certificate-location", f->pem, NULL);
  gst_bin_add (GST_BIN (f->pipeline), f->hub);
  f->bus = gst_element_get_bus (f->pipeline);
}

static void
tear_down (Fixture *f)
{
  fail_unless_equals_int (gst_element_set_state (f->pipeline, GST_STATE_NULL),
      GST_STATE_CHANGE_SUCCESS);
  gst_object_unref (f->bus);
  gst_object_unref (f->pipeline);
  g_remove (f->pem);
  g_rmdir (f->folder);
  g_free (f->pem);
  g_free (f->folder);
}

static GstMessage *
await (Fixture *f, GstMessageType type)
{
  GstMessage *message = gst_bus_timed_pop_filtered (
      f->bus, 30 * GST_SECOND, type | GST_MESSAGE_ERROR);

  fail_unless (message != NULL);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), type);
  return message;
}

/* PLAYING; gives the TCP port. */
static guint
play (Fixture *f)
{
  guint port = 0;

  fail_unless_equals_int (
      gst_element_set_state (f->pipeline, GST_STATE_PAUSED),
      GST_STATE_CHANGE_NO_PREROLL);
  fail_unless_equals_int (
      gst_element_set_state (f->pipeline, GST_STATE_PLAYING),
      GST_STATE_CHANGE_SUCCESS);
  GstMessage *message = await (f, GST_MESSAGE_ELEMENT);
  const GstStructure *s = gst_message_get_structure (message);
  fail_unless (gst_structure_has_name (s, "conclave-hub"));
  fail_unless (gst_structure_get_uint (s, "port", &port) && port > 0);
  gst_message_unref (message);
  return port;
}

static void
expect_alive (guint port, gboolean alive)
{
  Net net = { .port = (uint16_t) port };

  if (alive) {
    g_autofree char *answer =
        net_request (&net, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    fail_unless (answer && strstr (answer, "\r\n\r\nok\n"));
    return;
  }
  struct sockaddr_in hub = { .sin_family = AF_INET,
    .sin_port = htons ((uint16_t) port),
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  fail_unless (connect (fd, (struct sockaddr *) &hub, sizeof hub) < 0);
  close (fd);
}

GST_START_TEST (it_listens_and_says_where)
{
  Fixture f;
  guint port = 0, media_port = 0;
  Link link;

  set_up (&f);
  fail_unless (GST_OBJECT_FLAG_IS_SET (f.hub, GST_ELEMENT_FLAG_SINK));
  fail_unless (GST_OBJECT_FLAG_IS_SET (f.hub, GST_ELEMENT_FLAG_SOURCE));
  g_autofree gchar *none = NULL, *pin = NULL;
  g_object_get (f.hub, "pin", &none, NULL);
  fail_unless (none == NULL);
  fail_unless_equals_int (gst_element_set_state (f.pipeline, GST_STATE_PAUSED),
      GST_STATE_CHANGE_NO_PREROLL);
  fail_unless_equals_int (
      gst_element_set_state (f.pipeline, GST_STATE_PLAYING),
      GST_STATE_CHANGE_SUCCESS);
  GstMessage *message = await (&f, GST_MESSAGE_ELEMENT);
  const GstStructure *s = gst_message_get_structure (message);
  fail_unless (gst_structure_get (s, "port", G_TYPE_UINT, &port, "media-port",
      G_TYPE_UINT, &media_port, NULL));
  fail_unless (port > 0 && media_port > 0);
  g_object_get (f.hub, "pin", &pin, NULL);
  fail_unless_equals_int (strlen (pin), 43);
  fail_unless_equals_string (gst_structure_get_string (s, "pin"), pin);
  const gchar *text = gst_structure_get_string (s, "link");
  fail_unless_equals_int (link_parse (text, strlen (text), &link), LINK_OK);
  fail_unless_equals_string (link.host, "127.0.0.1");
  fail_unless_equals_int (link.port, port);
  fail_unless (link.has_pin && strstr (text, pin));
  gst_message_unref (message);
  expect_alive (port, TRUE);
  tear_down (&f);
}
GST_END_TEST

static guint
entries (const gchar *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir))
    n++;
  return n;
}

GST_START_TEST (it_starts_and_stops_many_times_and_keeps_its_pin)
{
  g_autofree gchar *pin_once = NULL;
  guint files = 0, threads = 0;
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < 12; i++) {
    g_autofree gchar *pin = NULL;
    guint port = play (&f);
    expect_alive (port, TRUE);
    g_object_get (f.hub, "pin", &pin, NULL);
    if (!pin_once)
      pin_once = g_strdup (pin);
    fail_unless_equals_string (pin, pin_once);
    fail_unless_equals_int (gst_element_set_state (f.pipeline,
                                i % 2 ? GST_STATE_NULL : GST_STATE_READY),
        GST_STATE_CHANGE_SUCCESS);
    expect_alive (port, FALSE);
    if (i == 3) {
      files = entries ("/proc/self/fd");
      threads = entries ("/proc/self/task");
    }
  }
  fail_unless_equals_int (entries ("/proc/self/fd"), files);
  fail_unless_equals_int (entries ("/proc/self/task"), threads);
  tear_down (&f);
}
GST_END_TEST

GST_START_TEST (eos_ends_it)
{
  Fixture f;

  set_up (&f);
  guint port = play (&f);
  GstEvent *eos = gst_event_new_eos ();
  guint32 seqnum = gst_event_get_seqnum (eos);
  fail_unless (gst_element_send_event (f.pipeline, eos));
  GstMessage *message = await (&f, GST_MESSAGE_EOS);
  fail_unless_equals_int (gst_message_get_seqnum (message), seqnum);
  gst_message_unref (message);
  fail_unless_equals_int (gst_element_set_state (f.pipeline, GST_STATE_READY),
      GST_STATE_CHANGE_SUCCESS);
  expect_alive (port, FALSE);
  port = play (&f);
  expect_alive (port, TRUE);
  tear_down (&f);
}
GST_END_TEST

GST_START_TEST (what_it_counts_adds_up)
{
  Fixture f;
  guint64 sum = 0, frames = 0, pages = 0;

  set_up (&f);
  guint port = play (&f);
  Net net = { .port = (uint16_t) port };
  NetClient client;
  net_join (&net, &client, "m", NULL);
  NET_SAY (&client, .type = WIRE_TRANSPORT); /* no member */
  net_expect_error (&client, WIRE_CODE_NOT_MEMBER);
  NET_SAY (
      &client, .type = WIRE_KNOCK, .knock = { .ada = { (uint8_t *) "x", 1 } });
  net_expect (&client, WIRE_WAITING);
  net_hang_up (&client);
  expect_alive (port, TRUE);

  g_autoptr (GstStructure) stats = NULL;
  g_object_get (f.hub, "stats", &stats, NULL);
  fail_unless (
      gst_structure_has_name (stats, "application/x-meetinghub-stats"));
  fail_unless (gst_structure_get_uint64 (stats, "frames", &frames));
  fail_unless (gst_structure_get_uint64 (stats, "pages", &pages));
  for (int i = 0; i < HUB_N_VERDICTS; i++) {
    g_autofree gchar *name =
        g_strconcat ("frames-", hub_verdict_name ((HubVerdict) i), NULL);
    guint64 n;
    fail_unless (gst_structure_get_uint64 (stats, name, &n));
    sum += n;
  }
  fail_unless_equals_uint64 (frames, 2);
  fail_unless_equals_uint64 (sum, 2);
  fail_unless_equals_uint64 (pages, 1);

  /* The last ones stay to be read. */
  g_autoptr (GstStructure) later = NULL;
  gst_element_set_state (f.pipeline, GST_STATE_READY);
  g_object_get (f.hub, "stats", &later, NULL);
  fail_unless (gst_structure_get_uint64 (later, "frames", &frames));
  fail_unless_equals_uint64 (frames, 2);
  tear_down (&f);
}
GST_END_TEST

GST_START_TEST (what_runs_can_not_be_changed)
{
  Fixture f;
  guint n = 0;

  set_up (&f);
  play (&f);
  g_object_set (f.hub, "max-meetings", 7, "public-address", "192.0.2.1", NULL);
  g_object_get (f.hub, "max-meetings", &n, NULL);
  fail_unless_equals_int (n, 1024);
  gst_element_set_state (f.pipeline, GST_STATE_READY);
  g_object_set (f.hub, "max-meetings", 7, NULL);
  g_object_get (f.hub, "max-meetings", &n, NULL);
  fail_unless_equals_int (n, 7);
  tear_down (&f);
}
GST_END_TEST

static void
expect_failure (Fixture *f, const gchar *says)
{
  g_autoptr (GError) error = NULL;

  fail_unless_equals_int (
      gst_element_set_state (f->pipeline, GST_STATE_PLAYING),
      GST_STATE_CHANGE_FAILURE);
  GstMessage *message =
      gst_bus_timed_pop_filtered (f->bus, 0, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (strstr (error->message, says) != NULL,
      "\"%s\" does not say \"%s\"", error->message, says);
  gst_message_unref (message);
  gst_element_set_state (f->pipeline, GST_STATE_NULL);
  gst_bus_set_flushing (f->bus, TRUE);
  gst_bus_set_flushing (f->bus, FALSE);
}

GST_START_TEST (each_mistake_is_told_with_what_to_do)
{
  struct sockaddr_in name = { .sin_family = AF_INET,
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t len = sizeof name;
  int tcp = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
      udp = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  Fixture f;

  set_up (&f);
  g_object_set (f.hub, "certificate-location", NULL, NULL);
  expect_failure (&f, "set certificate-location");
  g_object_set (f.hub, "certificate-location", "/nowhere/hub.pem", NULL);
  expect_failure (&f, "certificate-location");
  g_object_set (f.hub, "certificate-location", f.pem, "private-key-location",
      "/nowhere/key.pem", NULL);
  expect_failure (&f, "hub.pem");
  g_object_set (f.hub, "private-key-location", NULL, NULL);

  fail_unless (bind (tcp, (struct sockaddr *) &name, sizeof name) == 0
               && listen (tcp, 1) == 0);
  getsockname (tcp, (struct sockaddr *) &name, &len);
  g_object_set (f.hub, "port", (guint) ntohs (name.sin_port), NULL);
  expect_failure (&f, "is taken by another program");
  name.sin_port = 0;
  fail_unless (bind (udp, (struct sockaddr *) &name, sizeof name) == 0);
  getsockname (udp, (struct sockaddr *) &name, &len);
  g_object_set (
      f.hub, "port", 0, "media-port", (guint) ntohs (name.sin_port), NULL);
  expect_failure (&f, "media-port");
  g_object_set (f.hub, "media-port", 0, "bind-address", "localhost", NULL);
  expect_failure (&f, "bind-address");
  g_object_set (f.hub, "bind-address", "192.0.2.1", NULL);
  expect_failure (&f, "bind-address");
  g_object_set (f.hub, "bind-address", "127.0.0.1", "public-address",
      "hub.example.org", NULL);
  expect_failure (&f, "public-address");
  g_object_set (f.hub, "public-address", NULL, "audit-location",
      "/nowhere/audit.log", NULL);
  expect_failure (&f, "audit-location");

  /* After all of them it can still start. */
  g_object_set (f.hub, "audit-location", NULL, NULL);
  expect_alive (play (&f), TRUE);
  close (tcp);
  close (udp);
  tear_down (&f);
}
GST_END_TEST

static Suite *
meetinghub_suite (void)
{
  Suite *s = suite_create ("meetinghub");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (s, tc);
  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, it_listens_and_says_where);
  tcase_add_test (tc, it_starts_and_stops_many_times_and_keeps_its_pin);
  tcase_add_test (tc, eos_ends_it);
  tcase_add_test (tc, what_it_counts_adds_up);
  tcase_add_test (tc, what_runs_can_not_be_changed);
  tcase_add_test (tc, each_mistake_is_told_with_what_to_do);
  return s;
}

GST_CHECK_MAIN (meetinghub)

/* meetingjoin: what a program does with it: the door, moderation, messages, states. Members without media, at a hub in the same
 * process.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rtpsessionrace.h"

#include <gst/check/gstcheck.h>

#include <glib/gstdio.h>

#define PATIENCE (60 * GST_SECOND)

typedef struct
{
  gchar *folder, *pem, *link;
  GstElement *hub; /* in a pipeline of its own */
} Place;

typedef struct
{
  GstElement *pipeline, *join;
  GstBus *bus;
} Member;

static void
open_hub (Place *place)
{
  guint port = 0;

  place->folder = g_dir_make_tmp ("conclave-join-XXXXXX", NULL);
  place->pem = g_build_filename (place->folder, "hub.pem", NULL);
  GstElement *hub = gst_element_factory_make ("meetinghub", NULL);
  fail_unless (hub != NULL);
  g_object_set (hub, "port", 0, "bind-address", "127.0.0.1",
      "certificate-location", place->pem, NULL);
  place->hub = gst_pipeline_new (NULL);
  gst_bin_add (GST_BIN (place->hub), hub);
  gst_element_set_state (place->hub, GST_STATE_PLAYING);
  g_autoptr (GstBus) bus = gst_element_get_bus (place->hub);
  GstMessage *message =
      gst_bus_timed_pop_filtered (bus, PATIENCE, GST_MESSAGE_ELEMENT);
  fail_unless (gst_structure_get_uint (
      gst_message_get_structure (message), "port", &port));
  gst_message_unref (message);
  place->link = g_strdup_printf ("meet://127.0.0.1:%u/room", port);
}

static void
close_hub (Place *place)
{
  gst_element_set_state (place->hub, GST_STATE_NULL);
  gst_object_unref (place->hub);
  g_autoptr (GDir) dir = g_dir_open (place->folder, 0, NULL);
  const gchar *name;
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (place->folder, name, NULL);
    g_remove (path);
  }
  g_rmdir (place->folder);
  g_free (place->folder);
  g_free (place->pem);
  g_free (place->link);
}

/* `role` as gst-launch-1.0 would say it. In NULL. */
static void
make (Member *m, Place *place, const gchar *name, const gchar *role)
{
  m->pipeline = gst_pipeline_new (NULL);
  m->join = gst_element_factory_make ("meetingjoin", NULL);
  fail_unless (m->join != NULL);
  g_object_set (m->join, "uri", place->link, "hub-certificate", place->pem,
      "display-name", name, "password", "sesame", NULL);
  gst_util_set_object_arg (G_OBJECT (m->join), "role", role);
  gst_bin_add (GST_BIN (m->pipeline), m->join);
  m->bus = gst_element_get_bus (m->pipeline);
}

static void
start (Member *m)
{
  fail_unless_equals_int (
      gst_element_set_state (m->pipeline, GST_STATE_PAUSED),
      GST_STATE_CHANGE_NO_PREROLL);
  fail_unless_equals_int (
      gst_element_set_state (m->pipeline, GST_STATE_PLAYING),
      GST_STATE_CHANGE_SUCCESS);
}

static void
drop (Member *m)
{
  fail_unless_equals_int (gst_element_set_state (m->pipeline, GST_STATE_NULL),
      GST_STATE_CHANGE_SUCCESS);
  gst_object_unref (m->bus);
  gst_object_unref (m->pipeline);
}

/* The next element message of that name; NULL `field`: whatever is in it, else with this text in this field. */
static GstStructure *
await (Member *m, const gchar *name, const gchar *field, const gchar *text)
{
  gint64 end = g_get_monotonic_time () + (gint64) (PATIENCE / 1000);

  while (g_get_monotonic_time () < end) {
    g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
        m->bus, PATIENCE, GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR);
    if (!message)
      break;
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
      g_autoptr (GError) error = NULL;
      gst_message_parse_error (message, &error, NULL);
      ck_abort_msg ("instead of %s: %s", name, error->message);
    }
    const GstStructure *s = gst_message_get_structure (message);
    if (gst_structure_has_name (s, name)
        && (!field
            || g_strcmp0 (gst_structure_get_string (s, field), text) == 0))
      return gst_structure_copy (s);
  }
  ck_abort_msg ("%s did not come", name);
  return NULL;
}

static void
awaits (Member *m, const gchar *name, const gchar *field, const gchar *text)
{
  gst_structure_free (await (m, name, field, text));
}

static void
await_admitted (Member *m)
{
  awaits (m, "conclave-state", "state", "admitted");
}

static gchar *
await_error (Member *m)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstMessage) message =
      gst_bus_timed_pop_filtered (m->bus, PATIENCE, GST_MESSAGE_ERROR);

  fail_unless (message != NULL, "no error");
  gst_message_parse_error (message, &error, NULL);
  return g_strdup (error->message);
}

static gchar *
state_of (Member *m)
{
  GValue value = G_VALUE_INIT;
  g_value_init (&value, g_type_from_name ("ConclaveMeetingState"));
  g_object_get_property (G_OBJECT (m->join), "state", &value);
  GEnumValue *found = g_enum_get_value (
      g_type_class_peek (G_VALUE_TYPE (&value)), g_value_get_enum (&value));
  return g_strdup (found->value_nick);
}

static gboolean
ask (Member *m, const gchar *action)
{
  gboolean done = FALSE;
  g_signal_emit_by_name (m->join, action, &done);
  return done;
}

static gboolean
ask_text (Member *m, const gchar *action, const gchar *text)
{
  gboolean done = FALSE;
  g_signal_emit_by_name (m->join, action, text, &done);
  return done;
}

static gboolean
ask_id (Member *m, const gchar *action, guint64 id)
{
  gboolean done = FALSE;
  g_signal_emit_by_name (m->join, action, id, &done);
  return done;
}

/* What `participants` has about the one of this name; NULL for nobody. */
static GstStructure *
find_participant (Member *m, const gchar *name)
{
  GValue value = G_VALUE_INIT;
  GstStructure *found = NULL;

  g_value_init (&value, GST_TYPE_ARRAY);
  g_object_get_property (G_OBJECT (m->join), "participants", &value);
  for (guint i = 0; i < gst_value_array_get_size (&value) && !found; i++) {
    const GstStructure *s =
        g_value_get_boxed (gst_value_array_get_value (&value, i));
    if (g_strcmp0 (gst_structure_get_string (s, "name"), name) == 0)
      found = gst_structure_copy (s);
  }
  g_value_unset (&value);
  return found;
}

static gchar *
fingerprint_of (Member *m, const gchar *name)
{
  GstStructure *s = find_participant (m, name);
  fail_unless (s != NULL, "%s is not there", name);
  gchar *fingerprint = g_strdup (gst_structure_get_string (s, "fingerprint"));
  gst_structure_free (s);
  return fingerprint;
}

static void
open_meeting (Member *host, Place *place, const gchar *admission)
{
  make (host, place, "Host", "host");
  gst_util_set_object_arg (G_OBJECT (host->join), "admission", admission);
  start (host);
  await_admitted (host);
}

static void
join_meeting (Member *m, Place *place, const gchar *name, const gchar *role)
{
  make (m, place, name, role);
  start (m);
  await_admitted (m);
}

/* ---- Tests ---- */

typedef struct
{
  guint64 id;
  gchar *name, *fingerprint;
} Knocked;

static void
on_knock (GstElement *join, guint64 id, const gchar *name,
    const gchar *fingerprint, Knocked *knocked)
{
  knocked->name = g_strdup (name);
  knocked->fingerprint = g_strdup (fingerprint);
  knocked->id = id;
}

GST_START_TEST (a_person_in_the_waiting_room_is_let_in_or_not)
{
  Place place;
  Member host, bob, eve;
  Knocked knocked = { 0 };
  guint64 id = 0;

  open_hub (&place);
  open_meeting (&host, &place, "waiting-room");
  g_signal_connect (host.join, "knock", G_CALLBACK (on_knock), &knocked);
  make (&bob, &place, "Bob", "participant");
  start (&bob);
  GstStructure *s = await (&host, "conclave-knock", "name", "Bob");
  fail_unless (gst_structure_get_uint64 (s, "id", &id));
  gst_structure_free (s);
  fail_unless_equals_uint64 (knocked.id, id);
  fail_unless_equals_string (knocked.name, "Bob");
  awaits (&bob, "conclave-state", "detail",
      "until the host, or a co-host, decides");
  g_autofree gchar *state = state_of (&bob);
  fail_unless_equals_string (state, "waiting");
  fail_unless (ask_id (&host, "admit", id));
  await_admitted (&bob);
  g_autofree gchar *fingerprint = fingerprint_of (&host, "Bob");
  fail_unless_equals_string (fingerprint, knocked.fingerprint);
  /* Both see the same, and neither is an admin but the host. */
  gchar *codes[2];
  g_object_get (host.join, "security-code", &codes[0], NULL);
  g_object_get (bob.join, "security-code", &codes[1], NULL);
  fail_unless_equals_string (codes[0], codes[1]);
  g_free (codes[0]);
  g_free (codes[1]);
  fail_if (ask (&bob, "lock"));
  fail_if (ask_id (&bob, "admit", id));

  make (&eve, &place, "Eve", "participant");
  start (&eve);
  s = await (&host, "conclave-knock", "name", "Eve");
  fail_unless (gst_structure_get_uint64 (s, "id", &id));
  gst_structure_free (s);
  fail_unless (ask_id (&host, "deny", id));
  g_autofree gchar *error = await_error (&eve);
  fail_unless_equals_string (error, "The host did not let us in.");
  g_autofree gchar *denied = state_of (&eve);
  fail_unless_equals_string (denied, "denied");
  /* What is no knock any more. */
  fail_unless (ask_id (&host, "admit", id));
  awaits (&host, "conclave-refused", "action", "admit");
  drop (&eve);
  drop (&bob);
  drop (&host);
  g_free (knocked.name);
  g_free (knocked.fingerprint);
  close_hub (&place);
}
GST_END_TEST

GST_START_TEST (who_is_removed_is_told_and_does_not_come_back)
{
  Place place;
  Member host, bob;

  open_hub (&place);
  open_meeting (&host, &place, "password");
  g_autofree gchar *key = g_build_filename (place.folder, "bob.pem", NULL);
  make (&bob, &place, "Bob", "participant");
  g_object_set (bob.join, "identity-location", key, NULL);
  start (&bob);
  await_admitted (&bob);
  awaits (&host, "conclave-participant-joined", "name", "Bob");
  g_autofree gchar *fingerprint = fingerprint_of (&host, "Bob");
  fail_if (ask_text (&host, "remove", "nobody's"));
  fail_if (ask_text (&bob, "remove", fingerprint));
  fail_unless (ask_text (&host, "remove", fingerprint));
  g_autofree gchar *removed = await_error (&bob);
  fail_unless_equals_string (removed, "An admin removed us from the meeting.");
  GstStructure *s = await (&host, "conclave-participant-left", "name", "Bob");
  gboolean by_person = FALSE;
  fail_unless (gst_structure_get_boolean (s, "removed", &by_person));
  fail_unless (by_person);
  gst_structure_free (s);
  drop (&bob);

  make (&bob, &place, "Bob", "participant");
  g_object_set (bob.join, "identity-location", key, NULL);
  start (&bob);
  g_autofree gchar *again = await_error (&bob);
  fail_unless (
      strstr (again, "has removed this identity") != NULL, "%s", again);
  drop (&bob);
  drop (&host);
  close_hub (&place);
}
GST_END_TEST

GST_START_TEST (a_locked_meeting_lets_nobody_in)
{
  Place place;
  Member host, bob;
  gboolean locked = FALSE;

  open_hub (&place);
  open_meeting (&host, &place, "password");
  awaits (&host, "conclave-media", NULL, NULL);
  fail_unless (ask (&host, "lock"));
  awaits (&host, "conclave-security-code", NULL, NULL);
  g_object_get (host.join, "locked", &locked, NULL);
  fail_unless (locked);
  make (&bob, &place, "Bob", "participant");
  start (&bob);
  g_autofree gchar *error = await_error (&bob);
  fail_unless (strstr (error, "The meeting is locked") != NULL, "%s", error);
  drop (&bob);
  fail_unless (ask (&host, "unlock"));
  awaits (&host, "conclave-security-code", NULL, NULL);
  join_meeting (&bob, &place, "Bob", "participant");
  drop (&bob);
  drop (&host);
  close_hub (&place);
}
GST_END_TEST

static void
on_message (GstElement *join, const gchar *name, const gchar *fingerprint,
    const gchar *text, gchar **got)
{
  g_atomic_pointer_set (got, g_strdup_printf ("%s: %s", name, text));
}

GST_START_TEST (members_talk_and_moderate)
{
  Place place;
  Member host, bob;
  gchar *got = NULL;
  gboolean up = FALSE;

  open_hub (&place);
  open_meeting (&host, &place, "password");
  join_meeting (&bob, &place, "Bob", "participant");
  g_signal_connect (
      host.join, "message-received", G_CALLBACK (on_message), &got);
  fail_if (ask_text (&bob, "send-message", ""));
  fail_if (ask_text (&bob, "send-message", "\xff"));
  fail_unless (ask_text (&bob, "send-message", "Good morning!"));
  awaits (&host, "conclave-message", "text", "Good morning!");
  fail_unless_equals_string (got, "Bob: Good morning!");
  g_free (got);
  g_signal_emit_by_name (bob.join, "raise-hand", TRUE, &up);
  fail_unless (up);
  awaits (&host, "conclave-hand", "name", "Bob");
  GstStructure *s = find_participant (&host, "Bob");
  fail_unless (gst_structure_get_boolean (s, "hand", &up) && up);
  gst_structure_free (s);
  fail_unless (ask_text (&host, "mute", NULL));
  awaits (&bob, "conclave-mute-request", "name", "Host");

  g_autofree gchar *fingerprint = fingerprint_of (&host, "Bob");
  fail_if (ask_text (&bob, "promote", fingerprint));
  fail_unless (ask_text (&host, "promote", fingerprint));
  awaits (&bob, "conclave-security-code", NULL, NULL);
  s = find_participant (&bob, "Bob");
  gboolean admin = FALSE;
  fail_unless (gst_structure_get_boolean (s, "admin", &admin) && admin);
  gst_structure_free (s);
  fail_unless (ask (&bob, "rotate-keys"));
  awaits (&host, "conclave-security-code", NULL, NULL);
  fail_unless (ask (&host, "end-meeting"));
  awaits (&bob, "conclave-state", "state", "left");
  g_autoptr (GstMessage) eos =
      gst_bus_timed_pop_filtered (bob.bus, PATIENCE, GST_MESSAGE_EOS);
  fail_unless (eos != NULL, "the end of the meeting is not EOS");
  drop (&bob);
  drop (&host);
  close_hub (&place);
}
GST_END_TEST

GST_START_TEST (an_admins_request_mutes_who_obeys)
{
  Place place;
  Member host, members[2];
  static const gchar *const names[] = { "Bob", "Eve" };

  open_hub (&place);
  open_meeting (&host, &place, "password");
  for (guint i = 0; i < 2; i++) {
    Member *m = &members[i];
    make (m, &place, names[i], "participant");
    g_object_set (m->join, "obey-mute", i == 0, NULL);
    GstElement *source = gst_element_factory_make ("audiotestsrc", NULL);
    g_object_set (source, "is-live", TRUE, NULL);
    gst_bin_add (GST_BIN (m->pipeline), source);
    fail_unless (gst_element_link_pads (source, "src", m->join, "sink_0"));
    start (m);
    await_admitted (m);
    awaits (&host, "conclave-key-state", "name", names[i]);
  }
  GstStructure *s = find_participant (&host, "Bob");
  guint n_tracks = 0;
  fail_unless (gst_structure_get_uint (s, "tracks", &n_tracks));
  fail_unless_equals_int (n_tracks, 1);
  fail_unless_equals_string (
      gst_structure_get_string (s, "key-state"), "ready");
  gst_structure_free (s);
  fail_unless (ask_text (&host, "mute", ""));
  for (guint i = 0; i < 2; i++) {
    gboolean muted;
    awaits (&members[i], "conclave-mute-request", "name", "Host");
    GstPad *pad = gst_element_get_static_pad (members[i].join, "sink_0");
    g_object_get (pad, "muted", &muted, NULL);
    gst_object_unref (pad);
    fail_unless_equals_int (muted, i == 0);
  }
  for (guint i = 0; i < 2; i++)
    drop (&members[i]);
  drop (&host);
  close_hub (&place);
}
GST_END_TEST

GST_START_TEST (a_member_leaves_and_comes_again_in_one_process)
{
  Place place;
  Member host, bob;

  open_hub (&place);
  open_meeting (&host, &place, "password");
  make (&bob, &place, "Bob", "participant");
  for (guint i = 0; i < 3; i++) {
    start (&bob);
    await_admitted (&bob);
    awaits (&host, "conclave-participant-joined", "name", "Bob");
    fail_unless_equals_int (gst_element_set_state (bob.pipeline,
                                i == 1 ? GST_STATE_READY : GST_STATE_NULL),
        GST_STATE_CHANGE_SUCCESS);
    awaits (&host, "conclave-participant-left", "name", "Bob");
    g_autofree gchar *state = state_of (&bob);
    fail_unless_equals_string (state, "idle");
  }
  drop (&bob);
  drop (&host);
  close_hub (&place);
}
GST_END_TEST

GST_START_TEST (an_end_at_any_moment_is_an_end)
{
  Place place;
  Member host, bob;

  open_hub (&place);
  open_meeting (&host, &place, "password");
  for (guint i = 0; i < 12; i++) {
    make (&bob, &place, "Bob", "participant");
    start (&bob);
    g_usleep (i * 7000);
    drop (&bob);
  }
  drop (&host);
  close_hub (&place);
}
GST_END_TEST

GST_START_TEST (a_recorder_is_seen_by_everybody_and_waits_for_consent)
{
  Place place;
  Member host, recorder;
  gboolean done = FALSE;

  open_hub (&place);
  make (&host, &place, "Host", "host");
  gst_util_set_object_arg (G_OBJECT (host.join), "admission", "password");
  g_object_set (host.join, "recording-consent", TRUE, NULL);
  start (&host);
  await_admitted (&host);
  join_meeting (&recorder, &place, "Tape", "recorder");
  awaits (&host, "conclave-recording", "state", "ask");
  g_autofree gchar *fingerprint = fingerprint_of (&host, "Tape");
  g_signal_emit_by_name (
      host.join, "allow-recording", fingerprint, TRUE, &done);
  fail_unless (done);
  awaits (&host, "conclave-recording", "state", "on");
  GstStructure *s = find_participant (&host, "Tape");
  fail_unless_equals_string (gst_structure_get_string (s, "recording"), "on");
  fail_unless_equals_string (gst_structure_get_string (s, "role"), "recorder");
  gst_structure_free (s);
  drop (&recorder);
  drop (&host);
  close_hub (&place);
}
GST_END_TEST

GST_START_TEST (a_known_host_needs_no_password_and_a_stranger_does)
{
  Place place;
  Member host, bob;

  open_hub (&place);
  g_autofree gchar *known = g_build_filename (place.folder, "known", NULL);
  g_autofree gchar *key = g_build_filename (place.folder, "host.pem", NULL);
  make (&host, &place, "Host", "host");
  gst_util_set_object_arg (G_OBJECT (host.join), "admission", "open");
  g_object_set (host.join, "password", NULL, "identity-location", key, NULL);
  start (&host);
  await_admitted (&host);
  g_autofree gchar *link = NULL;
  g_object_get (host.join, "link", &link, NULL);
  fail_unless (strstr (link, "#host=") != NULL);

  for (guint i = 0; i < 2; i++) {
    gboolean verified = FALSE;
    make (&bob, &place, "Bob", "listener");
    /* First by the link with the host's fingerprint, then by what was remembered. */
    g_object_set (bob.join, "uri", i == 0 ? link : place.link, "password",
        NULL, "known-location", known, NULL);
    start (&bob);
    await_admitted (&bob);
    g_object_get (bob.join, "host-verified", &verified, NULL);
    fail_unless (verified);
    drop (&bob);
  }
  drop (&host);
  make (&bob, &place, "Bob", "listener");
  g_object_set (bob.join, "password", NULL, NULL);
  fail_unless_equals_int (
      gst_element_set_state (bob.pipeline, GST_STATE_READY),
      GST_STATE_CHANGE_FAILURE);
  g_autofree gchar *error = await_error (&bob);
  fail_unless (strstr (error, "it could be anybody's meeting") != NULL);
  drop (&bob);
  close_hub (&place);
}
GST_END_TEST

GST_START_TEST (a_listener_has_no_sink_pads)
{
  GstElement *join = gst_element_factory_make ("meetingjoin", NULL);

  gst_object_ref_sink (join);
  gst_util_set_object_arg (G_OBJECT (join), "role", "listener");
  fail_unless (gst_element_request_pad_simple (join, "sink_%u") == NULL);
  gst_util_set_object_arg (G_OBJECT (join), "role", "participant");
  GstPad *pad = gst_element_request_pad_simple (join, "sink_%u");
  fail_unless (pad != NULL);
  gboolean muted = FALSE;
  g_object_set (pad, "muted", TRUE, NULL);
  g_object_get (pad, "muted", &muted, NULL);
  fail_unless (muted);
  gst_util_set_object_arg (G_OBJECT (pad), "kind", "screen");
  gst_element_release_request_pad (join, pad);
  gst_object_unref (pad);
  gst_object_unref (join);
}
GST_END_TEST

GST_START_TEST (a_password_goes_in_and_never_out)
{
  GstElement *join = gst_element_factory_make ("meetingjoin", NULL);
  GObjectClass *klass = G_OBJECT_GET_CLASS (join);

  gst_object_ref_sink (join);
  for (guint i = 0; i < 2; i++) {
    GParamSpec *spec = g_object_class_find_property (
        klass, i == 0 ? "password" : "turn-servers");
    fail_unless (spec && !(spec->flags & G_PARAM_READABLE));
  }
  g_autofree gchar *long_one = g_strnfill (1025, 'x');
  g_object_set (
      join, "uri", "meet://127.0.0.1/room", "password", long_one, NULL);
  fail_unless_equals_int (
      gst_element_set_state (join, GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
  g_object_set (join, "password", "right", NULL);
  fail_unless_equals_int (
      gst_element_set_state (join, GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (join, GST_STATE_NULL);
  gst_object_unref (join);
}
GST_END_TEST

static Suite *
meetingjoin_suite (void)
{
  Suite *suite = suite_create ("meetingjoin");
  TCase *tcase = tcase_create ("members");

  tcase_add_checked_fixture (tcase, tolerate_rtpsession_race, NULL);

  tcase_set_timeout (tcase, 180);
  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, a_person_in_the_waiting_room_is_let_in_or_not);
  tcase_add_test (tcase, who_is_removed_is_told_and_does_not_come_back);
  tcase_add_test (tcase, a_locked_meeting_lets_nobody_in);
  tcase_add_test (tcase, members_talk_and_moderate);
  tcase_add_test (tcase, an_admins_request_mutes_who_obeys);
  tcase_add_test (tcase, a_member_leaves_and_comes_again_in_one_process);
  tcase_add_test (tcase, an_end_at_any_moment_is_an_end);
  tcase_add_test (
      tcase, a_recorder_is_seen_by_everybody_and_waits_for_consent);
  tcase_add_test (tcase, a_known_host_needs_no_password_and_a_stranger_does);
  tcase_add_test (tcase, a_listener_has_no_sink_pads);
  tcase_add_test (tcase, a_password_goes_in_and_never_out);
  return suite;
}

GST_CHECK_MAIN (meetingjoin)

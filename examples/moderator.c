/* A host, or any member, in a terminal: who knocks, who is there, what is said; and commands to answer.
 *
 *     moderator --host --password-file=pw --hub-certificate=hub.pem meet://127.0.0.1:8443/standup
 *
 * It sends and receives no media. All that it does goes through what meetingjoin offers to any program: properties, actions,
 * and messages on the bus. `help` tells the commands.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/gst.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

typedef struct
{
  GMainLoop *loop;
  GstElement *pipeline, *meeting;
  GArray *
      knocks; /* guint64, ids of the element; number 1 is the first one; 0: gone */
  int status;
} App;

/* ---- Showing ---- */

/* What others wrote, harmless for a terminal: what is no printable character becomes \u{…}, what is no UTF-8 \x… */
static char *
harmless (const char *text)
{
  GString *out = g_string_new (NULL);

  while (text && *text) {
    gunichar c = g_utf8_get_char_validated (text, -1);
    if (c == (gunichar) -1 || c == (gunichar) -2) {
      g_string_append_printf (out, "\\x%02x", (guint8) *text++);
      continue;
    }
    if (c == '\\')
      g_string_append (out, "\\\\");
    else if (g_unichar_isprint (c) && g_unichar_type (c) != G_UNICODE_FORMAT)
      g_string_append_unichar (out, c);
    else
      g_string_append_printf (out, "\\u{%x}", c);
    text = g_utf8_next_char (text);
  }
  return g_string_free (out, FALSE);
}

G_GNUC_PRINTF (1, 2)
static void
say (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *line = g_strdup_vprintf (format, args);
  va_end (args);
  g_print ("%s\n", line);
  fflush (stdout);
}

/* "Bob (participant) 01234 56789 01234 56789" */
static char *
person (const GstStructure *s)
{
  g_autofree char *name = harmless (gst_structure_get_string (s, "name"));
  const char *verdict = gst_structure_get_string (s, "verdict");
  gboolean twice = FALSE;

  gst_structure_get_boolean (s, "double-name", &twice);
  return g_strdup_printf ("%s (%s) %s%s%s", name,
      gst_structure_get_string (s, "role"),
      gst_structure_get_string (s, "short-fingerprint"),
      g_strcmp0 (verdict, "same") == 0      ? ", known"
      : g_strcmp0 (verdict, "changed") == 0 ? ", NOT the one that was known"
                                            : "",
      twice ? ", there is another of this name" : "");
}

static gboolean
has (const GstStructure *s, const char *field)
{
  gboolean on = FALSE;
  return gst_structure_get_boolean (s, field, &on) && on;
}

static void
show_members (App *app)
{
  GValue all = G_VALUE_INIT;

  g_value_init (&all, GST_TYPE_ARRAY);
  g_object_get_property (G_OBJECT (app->meeting), "participants", &all);
  for (guint i = 0; i < gst_value_array_get_size (&all); i++) {
    const GstStructure *s =
        gst_value_get_structure (gst_value_array_get_value (&all, i));
    g_autofree char *who = person (s);
    say ("  %s%s%s%s", who,
        has (s, "owner")   ? ", host"
        : has (s, "admin") ? ", co-host"
                           : "",
        has (s, "self") ? ", you" : "", has (s, "hand") ? ", hand up" : "");
  }
  say ("%u there", gst_value_array_get_size (&all));
  g_value_unset (&all);
}

/* ---- What happens ---- */

static void
take_knock (App *app, const GstStructure *s)
{
  g_autofree char *who = person (s);
  guint64 id = 0;

  gst_structure_get_uint64 (s, "id", &id);
  g_array_append_val (app->knocks, id);
  say ("knock %u: %s", app->knocks->len, who);
}

static void
take_knock_gone (App *app, const GstStructure *s)
{
  guint64 id = 0;

  gst_structure_get_uint64 (s, "id", &id);
  for (guint i = 0; i < app->knocks->len; i++)
    if (g_array_index (app->knocks, guint64, i) == id) {
      g_array_index (app->knocks, guint64, i) = 0;
      say ("knock %u is over", i + 1);
    }
}

static void
take_state (const GstStructure *s)
{
  const char *link = gst_structure_get_string (s, "link");
  g_autofree char *detail = harmless (gst_structure_get_string (s, "detail"));

  say ("%s%s%s", gst_structure_get_string (s, "state"), *detail ? ": " : "",
      detail);
  if (link)
    say ("link: %s", link);
}

static void
take_element_message (App *app, const GstStructure *s)
{
  const char *name = gst_structure_get_name (s);
  g_autofree char *who =
      gst_structure_has_field (s, "fingerprint") ? person (s) : NULL;
  g_autofree char *text = harmless (gst_structure_get_string (s, "text"));
  guint64 epoch = 0;

  if (g_str_equal (name, "conclave-state"))
    take_state (s);
  else if (g_str_equal (name, "conclave-knock"))
    take_knock (app, s);
  else if (g_str_equal (name, "conclave-knock-gone"))
    take_knock_gone (app, s);
  else if (g_str_equal (name, "conclave-participant-joined"))
    say ("came: %s", who);
  else if (g_str_equal (name, "conclave-participant-left"))
    say ("%s: %s", has (s, "removed") ? "removed" : "went", who);
  else if (g_str_equal (name, "conclave-message"))
    say ("%s%s: %s", who, has (s, "self") ? ", you" : "", text);
  else if (g_str_equal (name, "conclave-hand"))
    say ("hand %s: %s", has (s, "up") ? "up" : "down", who);
  else if (g_str_equal (name, "conclave-recording"))
    say ("recording %s: %s", gst_structure_get_string (s, "state"), who);
  else if (g_str_equal (name, "conclave-security-code")
           && gst_structure_get_uint64 (s, "epoch", &epoch))
    say ("security code of epoch %" G_GUINT64_FORMAT ": %s", epoch,
        gst_structure_get_string (s, "code"));
  else if (g_str_equal (name, "conclave-refused"))
    say ("refused: %s", gst_structure_get_string (s, "action"));
  else if (g_str_equal (name, "conclave-admission-held") && has (s, "on"))
    say ("everybody new waits for you now; \"release\" ends that");
  else if (g_str_equal (name, "conclave-stale")
           || g_str_equal (name, "conclave-silenced")
           || g_str_equal (name, "conclave-undelivered")
           || g_str_equal (name, "conclave-split"))
    say ("%s: %s", name + strlen ("conclave-"), has (s, "on") ? "on" : "off");
}

static void
finish (App *app, int status)
{
  app->status = status;
  g_main_loop_quit (app->loop);
}

static gboolean
on_bus (GstBus *bus, GstMessage *message, gpointer data)
{
  App *app = data;
  GstMessageType type = GST_MESSAGE_TYPE (message);
  g_autoptr (GError) error = NULL;

  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else if (type == GST_MESSAGE_WARNING)
    gst_message_parse_warning (message, &error, NULL);
  if (error) {
    g_autofree char *text = harmless (error->message);
    say ("%s: %s", type == GST_MESSAGE_ERROR ? "error" : "warning", text);
  }
  if (type == GST_MESSAGE_ERROR)
    finish (app, 1);
  else if (type == GST_MESSAGE_EOS)
    finish (app, 0);
  else if (type == GST_MESSAGE_ELEMENT)
    take_element_message (app, gst_message_get_structure (message));
  return G_SOURCE_CONTINUE;
}

/* ---- Commands ---- */

typedef enum
{
  PLAIN, /* the action takes nothing, */
  KNOCK, /* the number of a knock, */
  TEXT   /* what follows */
} Takes;

static const struct
{
  const char *word, *action;
  Takes takes;
  const char *what;
} commands[] = {
  { "admit", "admit", KNOCK, "admit N: lets in who knocks" },
  { "deny", "deny", KNOCK, "deny N: does not" },
  { "remove", "remove", TEXT, "remove FINGERPRINT: for good" },
  { "mute", "mute", TEXT, "mute [FINGERPRINT]: asks one, or all, to mute" },
  { "promote", "promote", TEXT, "promote FINGERPRINT: to co-host" },
  { "demote", "demote", TEXT, "demote FINGERPRINT" },
  { "say", "send-message", TEXT, "say TEXT: to all" },
  { "lock", "lock", PLAIN, "lock: nobody new comes in" },
  { "unlock", "unlock", PLAIN, "unlock" },
  { "release", "release-admission", PLAIN,
      "release: after a removal, lets in by the rule again" },
  { "rotate", "rotate-keys", PLAIN, "rotate: new keys for all" },
  { "end", "end-meeting", PLAIN, "end: the meeting, for all" },
};

static void
help (void)
{
  say ("who: shows the members");
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    say ("%s", commands[i].what);
  say ("quit: leaves");
}

static void
act (App *app, guint i, const char *rest)
{
  guint64 number = 0;
  gboolean done = FALSE;

  switch (commands[i].takes) {
    case PLAIN:
      g_signal_emit_by_name (app->meeting, commands[i].action, &done);
      break;
    case TEXT:
      g_signal_emit_by_name (app->meeting, commands[i].action, rest, &done);
      break;
    case KNOCK:
      if (!g_ascii_string_to_unsigned (rest, 10, 1, G_MAXUINT, &number, NULL)
          || number > app->knocks->len
          || g_array_index (app->knocks, guint64, number - 1) == 0) {
        say ("nobody knocks by that number");
        return;
      }
      g_signal_emit_by_name (app->meeting, commands[i].action,
          g_array_index (app->knocks, guint64, number - 1), &done);
      break;
  }
  if (!done)
    say ("%s: not now, not as this member, or nobody is there by that name",
        commands[i].word);
}

static void
obey (App *app, char *line)
{
  const char *word = g_strstrip (line);
  char *rest = line + strcspn (line, " ");

  if (*rest)
    *rest++ = '\0';
  rest = g_strstrip (rest);
  if (!*word)
    return;
  if (g_str_equal (word, "quit"))
    finish (app, 0);
  else if (g_str_equal (word, "who"))
    show_members (app);
  else {
    for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
      if (g_str_equal (word, commands[i].word)) {
        act (app, i, rest);
        return;
      }
    help ();
  }
}

static gboolean
on_input (GIOChannel *channel, GIOCondition condition, gpointer data)
{
  App *app = data;
  g_autofree char *line = NULL;

  GIOStatus status = g_io_channel_read_line (channel, &line, NULL, NULL, NULL);
  if (status == G_IO_STATUS_NORMAL)
    obey (app, line);
  else if (status != G_IO_STATUS_AGAIN) {
    finish (app, app->status);
    return G_SOURCE_REMOVE;
  }
  return G_SOURCE_CONTINUE;
}

/* ---- Main ---- */

static gboolean
make_meeting (App *app, int *argc, char ***argv)
{
  static gboolean host;
  static char *name, *password, *certificate, *identity, *known, *admission;
  static const GOptionEntry entries[] = {
    { "host", 0, 0, G_OPTION_ARG_NONE, &host, "Open the meeting", NULL },
    { "name", 0, 0, G_OPTION_ARG_STRING, &name, "What others see", "NAME" },
    { "password-file", 0, 0, G_OPTION_ARG_FILENAME, &password,
        "The meeting's password", "FILE" },
    { "hub-certificate", 0, 0, G_OPTION_ARG_FILENAME, &certificate,
        "Of the hub", "FILE" },
    { "identity", 0, 0, G_OPTION_ARG_FILENAME, &identity, "Our key", "FILE" },
    { "known", 0, 0, G_OPTION_ARG_FILENAME, &known, "Whom we know", "FILE" },
    { "admission", 0, 0, G_OPTION_ARG_STRING, &admission,
        "waiting-room (default), password, open", "RULE" },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("LINK");
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, argc, argv, &error) || *argc != 2) {
    g_printerr ("moderator: %s\n",
        error ? error->message : "one link is needed; see --help");
    app->status = 2;
    return FALSE;
  }
  app->meeting = gst_element_factory_make ("meetingjoin", "meeting");
  if (!app->meeting) {
    g_printerr ("moderator: there is no element meetingjoin; is "
                "GST_PLUGIN_PATH set?\n");
    app->status = 2;
    return FALSE;
  }
  g_object_set (app->meeting, "uri", (*argv)[1], "display-name",
      name ? name : "Moderator", "password-location", password,
      "hub-certificate", certificate, "identity-location", identity,
      "known-location", known, NULL);
  if (host) {
    gst_util_set_object_arg (G_OBJECT (app->meeting), "role", "host");
    gst_util_set_object_arg (G_OBJECT (app->meeting), "admission",
        admission ? admission : "waiting-room");
  }
  app->pipeline = gst_pipeline_new (NULL);
  gst_bin_add (GST_BIN (app->pipeline), app->meeting);
  return TRUE;
}

int
main (int argc, char **argv)
{
  App app = { .knocks = g_array_new (FALSE, FALSE, sizeof (guint64)) };

  setlocale (LC_ALL, "");
  app.loop = g_main_loop_new (NULL, FALSE);
  if (make_meeting (&app, &argc, &argv)) {
    g_autoptr (GstBus) bus = gst_element_get_bus (app.pipeline);
    GIOChannel *input = g_io_channel_unix_new (0);
    guint bus_watch = gst_bus_add_watch (bus, on_bus, &app);

    g_io_channel_set_encoding (input, NULL, NULL);
    g_io_add_watch (input, G_IO_IN | G_IO_HUP | G_IO_ERR, on_input, &app);
    /* When this fails the error is on the bus. */
    gst_element_set_state (app.pipeline, GST_STATE_PLAYING);
    g_main_loop_run (app.loop);
    /* Says goodbye to the others. */
    gst_element_set_state (app.pipeline, GST_STATE_NULL);
    g_source_remove (bus_watch);
    g_io_channel_unref (input);
    gst_object_unref (app.pipeline);
  }
  g_main_loop_unref (app.loop);
  g_array_unref (app.knocks);
  return app.status;
}

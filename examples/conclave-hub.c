/* A hub as a service: the element meetinghub, with options from the command line or the environment.
 *
 *     conclave-hub --port=8443 --certificate=/var/lib/conclave-hub/hub.pem
 *
 * Lines on standard error; with systemd, readiness by sd_notify's protocol (Type=notify). SIGTERM or SIGINT tells participants
 * that the hub goes away, and ends it; a second one ends it at once.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib-unix.h>
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* What --NAME, or CONCLAVE_HUB_NAME in the environment, sets. */
static const struct
{
  const gchar *name, *property, *what, *argument;
} settings[] = {
  { "port", "port", "TCP port of the signalling", "PORT" },
  { "media-port", "media-port", "UDP port of all media; 0: the same number",
      "PORT" },
  { "bind-address", "bind-address", "Address of this machine to listen on",
      "ADDRESS" },
  { "public-address", "public-address",
      "Address to which participants send media", "ADDRESS" },
  { "certificate", "certificate-location", "PEM file; made on first use",
      "FILE" },
  { "private-key", "private-key-location",
      "PEM file with the key, if it is another one", "FILE" },
  { "max-meetings", "max-meetings", "Meetings that are open at a time", "N" },
  { "max-participants", "max-participants", "Participants in all meetings",
      "N" },
  { "rate-limit", "rate-limit", "Connections a minute from one source", "N" },
  { "audio-last-n", "audio-last-n",
      "How many of the loudest are heard; 0: all", "N" },
  { "audit", "audit-location", "Audit log", "FILE" },
  { "audit-addresses", "audit-addresses", "Whether addresses stand in it",
      "true|false" },
  { "public-metrics", "public-metrics", "Whether /metrics is for everybody",
      "true|false" },
};
#define N_SETTINGS G_N_ELEMENTS (settings)

typedef struct
{
  GMainLoop *loop;
  GstElement *pipeline;
  gboolean ending;
  int status;
} App;

static void say (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

static void
say (const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree gchar *line = g_strdup_vprintf (format, args);
  va_end (args);
  fprintf (stderr, "%s\n", line);
}

/* sd_notify(3): a datagram to the socket that the environment names; a name that begins with '@' is an abstract one. */
static void
notify (const gchar *state)
{
  const gchar *path = g_getenv ("NOTIFY_SOCKET");
  struct sockaddr_un name = { .sun_family = AF_UNIX };

  if (!path || (path[0] != '/' && path[0] != '@')
      || strlen (path) >= sizeof name.sun_path)
    return;
  memcpy (name.sun_path, path, strlen (path));
  if (path[0] == '@')
    name.sun_path[0] = '\0';
  int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  if (sendto (fd, state, strlen (state), 0, (struct sockaddr *) &name,
          (socklen_t) (offsetof (struct sockaddr_un, sun_path)
                       + strlen (path)))
      < 0)
    say ("cannot tell the service manager: %s", g_strerror (errno));
  close (fd);
}

/* The element's own log, from INFO on. */
static void
log_line (GstDebugCategory *category, GstDebugLevel level, const gchar *file,
    const gchar *function, gint line, GObject *object,
    GstDebugMessage *message, gpointer unused)
{
  if (g_str_equal (gst_debug_category_get_name (category), "meetinghub")
      && level <= GST_LEVEL_INFO)
    say ("%s%s", level <= GST_LEVEL_WARNING ? "warning: " : "",
        gst_debug_message_get (message));
}

static gboolean
end (gpointer data)
{
  App *app = data;

  if (app->ending) {
    g_main_loop_quit (app->loop);
    return G_SOURCE_CONTINUE;
  }
  app->ending = TRUE;
  notify ("STOPPING=1");
  say ("ending: participants are told");
  gst_element_send_event (app->pipeline, gst_event_new_eos ());
  return G_SOURCE_CONTINUE;
}

static void
on_error (App *app, GstMessage *message)
{
  g_autoptr (GError) error = NULL;

  gst_message_parse_error (message, &error, NULL);
  say ("error: %s", error->message);
  app->status = 1;
  g_main_loop_quit (app->loop);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  App *app = data;
  const GstStructure *s = gst_message_get_structure (message);

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    on_error (app, message);
  else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    g_main_loop_quit (app->loop);
  else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ELEMENT
           && gst_structure_has_name (s, "conclave-hub")) {
    say ("link: %s", gst_structure_get_string (s, "link"));
    notify ("READY=1");
  }
  return G_SOURCE_CONTINUE;
}

/* False for a value that the property can't have. */
static gboolean
set (GstElement *hub, const gchar *property, const gchar *text)
{
  GValue value = G_VALUE_INIT;
  GParamSpec *pspec =
      g_object_class_find_property (G_OBJECT_GET_CLASS (hub), property);

  g_value_init (&value, pspec->value_type);
  gboolean good = gst_value_deserialize_with_pspec (&value, text, pspec);
  if (G_VALUE_HOLDS_STRING (
          &value)) { /* as it is, without quotation marks to be understood */
    g_value_set_string (&value, text);
    good = TRUE;
  }
  if (good && g_param_value_validate (pspec, &value))
    good = FALSE; /* out of range */
  if (good)
    g_object_set_property (G_OBJECT (hub), property, &value);
  g_value_unset (&value);
  return good;
}

/* The command line goes before the environment. */
static gboolean
configure (GstElement *hub, gchar **given)
{
  for (guint i = 0; i < N_SETTINGS; i++) {
    g_autofree gchar *upper = g_ascii_strup (settings[i].name, -1);
    g_autofree gchar *variable =
        g_strconcat ("CONCLAVE_HUB_", g_strdelimit (upper, "-", '_'), NULL);
    const gchar *text = given[i] ? given[i] : g_getenv (variable);
    if (text && !set (hub, settings[i].property, text)) {
      say ("error: %s can't be \"%s\"", given[i] ? settings[i].name : variable,
          text);
      return FALSE;
    }
  }
  return TRUE;
}

/* A participant needs a file descriptor. */
static void
raise_limit_of_files (void)
{
  struct rlimit files;

  if (getrlimit (RLIMIT_NOFILE, &files) == 0
      && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit (RLIMIT_NOFILE, &files);
  }
}

static gboolean
parse (int *argc, char ***argv, gchar **given)
{
  GOptionEntry entries[N_SETTINGS + 1] = { G_OPTION_ENTRY_NULL };
  g_autoptr (GOptionContext) context = g_option_context_new (
      "- a hub for secure meetings that cannot read them");
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < N_SETTINGS; i++)
    entries[i] = (GOptionEntry){ settings[i].name, 0, 0, G_OPTION_ARG_STRING,
      &given[i], settings[i].what, settings[i].argument };
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_description (context,
      "Each option can be set in the environment too: CONCLAVE_HUB_PORT for --port, and so on.");
  if (!g_option_context_parse (context, argc, argv, &error) || *argc > 1) {
    say ("error: %s", error
                          ? error->message
                          : "there are no arguments but options; see --help");
    return FALSE;
  }
  return TRUE;
}

static void
run (App *app)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (app->pipeline);
  guint watch = gst_bus_add_watch (bus, on_message, app);
  guint term = g_unix_signal_add (SIGTERM, end, app),
        interrupt = g_unix_signal_add (SIGINT, end, app);

  app->loop = g_main_loop_new (NULL, FALSE);
  gst_element_set_state (
      app->pipeline, GST_STATE_PLAYING); /* a failure comes as an error */
  g_main_loop_run (app->loop);
  gst_element_set_state (app->pipeline, GST_STATE_NULL);
  g_source_remove (watch);
  g_source_remove (term);
  g_source_remove (interrupt);
  g_main_loop_unref (app->loop);
}

int
main (int argc, char **argv)
{
  gchar *given[N_SETTINGS] = { NULL };
  App app = { .status = 0 };

  if (!parse (&argc, &argv, given))
    return 2;
  raise_limit_of_files ();
  gst_init (NULL, NULL);
  gst_debug_remove_log_function (gst_debug_log_default);
  gst_debug_add_log_function (log_line, NULL, NULL);
  gst_debug_set_active (TRUE);
  gst_debug_set_threshold_for_name ("meetinghub", GST_LEVEL_INFO);
  GstElement *hub = gst_element_factory_make ("meetinghub", "hub");
  if (!hub) {
    say (
        "error: GStreamer has no element meetinghub: install the plugin, or set GST_PLUGIN_PATH to where it is");
    return 1;
  }
  app.pipeline = gst_pipeline_new (NULL);
  gst_bin_add (GST_BIN (app.pipeline), hub);
  if (configure (hub, given))
    run (&app);
  else
    app.status = 2;
  gst_object_unref (app.pipeline);
  for (guint i = 0; i < N_SETTINGS; i++)
    g_free (given[i]);
  say ("ended");
  return app.status;
}

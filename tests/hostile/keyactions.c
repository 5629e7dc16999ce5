/* Works a pipeline with a key that comes by action signal and by answer to a question, then with wrong ones, and prints
 * all that an application could print of it: messages, caps, statistics, dot files. secrets.sh looks for the key in it.
 *
 *     keyactions KEY-HEX LAUNCH        elements named `enc` and `dec` get the key
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/gst.h>

#include <string.h>

static GBytes *
bytes_from_hex (const char *hex)
{
  gsize len = strlen (hex) / 2;
  guint8 *out = g_malloc (len);
  for (gsize i = 0; i < len; i++)
    out[i] = (guint8) (g_ascii_xdigit_value (hex[2 * i]) << 4
                       | g_ascii_xdigit_value (hex[2 * i + 1]));
  return g_bytes_new_take (out, len);
}

static GBytes *
answer (GstElement *element, guint64 kid, GBytes *key)
{
  return kid == 1 ? g_bytes_ref (key) : NULL;
}

static GBytes *
answer_ssrc (GstElement *element, guint ssrc, GBytes *key)
{
  return g_bytes_ref (key);
}

/* set-key of the SFrame elements takes a KID and a key, that of the SRTP elements a key and an MKI. */
static void
give_key (GstElement *element, GBytes *key, GBytes *mki)
{
  GSignalQuery query;
  gboolean taken;

  g_signal_query (
      g_signal_lookup ("set-key", G_OBJECT_TYPE (element)), &query);
  if (query.param_types[0] == G_TYPE_BYTES)
    g_signal_emit_by_name (element, "set-key", key, mki, &taken);
  else
    g_signal_emit_by_name (element, "set-key", (guint64) 1, key);
}

/* The next key where there is such a thing, with what is refused before it: a key of another length, an MKI of another
 * length, the key in force. Its bytes are those of `key` in another order, so that the canary is in it still. */
static void
change_key (GstElement *element, GBytes *key, GBytes *mki)
{
  gsize len;
  const guint8 *data = g_bytes_get_data (key, &len);
  gboolean taken;

  if (!g_signal_lookup ("rekey", G_OBJECT_TYPE (element)) || len < 16)
    return;
  g_autofree guint8 *turned = g_malloc (len);
  memcpy (turned, data + 4, len - 4);
  memcpy (turned + len - 4, data, 4);
  g_autoptr (GBytes) next = g_bytes_new (turned, len);
  g_autoptr (GBytes) part = g_bytes_new_from_bytes (key, 0, len - 1);
  g_autoptr (GBytes) next_mki = g_bytes_new ("\x02", 1);
  g_autoptr (GBytes) long_mki = g_bytes_new ("\x02\x03", 2);

  g_signal_emit_by_name (element, "rekey", part, next_mki, &taken);
  g_signal_emit_by_name (element, "rekey", next, long_mki, &taken);
  g_signal_emit_by_name (element, "rekey", key, mki, &taken);
  g_signal_emit_by_name (
      element, "rekey", next, mki ? next_mki : NULL, &taken);
  g_print ("%s: rekey %s\n", GST_OBJECT_NAME (element),
      taken ? "taken" : "refused");
  if (!g_signal_lookup ("rekey-ssrc", G_OBJECT_TYPE (element)))
    return;
  g_signal_emit_by_name (element, "rekey-ssrc", 1u, part, NULL, &taken);
  g_signal_emit_by_name (element, "rekey-ssrc", 1u, key, mki, &taken);
  g_signal_emit_by_name (element, "rekey-ssrc", 1u, next, mki, &taken);
  g_signal_emit_by_name (element, "remove-key", 1u);
}

static void
answer_questions (GstElement *element, GBytes *key)
{
  if (g_signal_lookup ("key-needed", G_OBJECT_TYPE (element)))
    g_signal_connect (element, "key-needed", G_CALLBACK (answer), key);
  else
    g_signal_connect (element, "request-key", G_CALLBACK (answer_ssrc), key);
}

static void
take_key_away (GstElement *element)
{
  if (g_signal_lookup ("clear-keys", G_OBJECT_TYPE (element)))
    g_signal_emit_by_name (element, "clear-keys");
  else
    g_signal_emit_by_name (element, "remove-key", (guint64) 1);
}

/* All readable properties of `object`, as gst-inspect or a debugger would show them. */
static void
print_properties (GObject *object)
{
  guint n;
  g_autofree GParamSpec **all =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);

  for (guint i = 0; i < n; i++) {
    g_auto (GValue) value = G_VALUE_INIT;
    if (!(all[i]->flags & G_PARAM_READABLE))
      continue;
    g_value_init (&value, all[i]->value_type);
    g_object_get_property (object, all[i]->name, &value);
    g_autofree char *text = gst_value_serialize (&value);
    g_autofree char *contents = g_strdup_value_contents (&value);
    g_print ("%s.%s = %s / %s\n", GST_OBJECT_NAME (object), all[i]->name,
        text ? text : "(none)", contents);
  }
}

static void
print_message (GstMessage *message)
{
  const GstStructure *s = gst_message_get_structure (message);
  g_autofree char *text = s ? gst_structure_to_string (s) : NULL;
  g_print ("%s: %s\n", GST_MESSAGE_TYPE_NAME (message), text ? text : "");
}

/* FALSE if the pipeline did not come to an end of its own. */
static gboolean
run (const char *launch, GBytes *enc_key, GBytes *dec_key, gboolean ask,
    gboolean change)
{
  g_autoptr (GBytes) mki = change ? g_bytes_new ("\x01", 1) : NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (launch, &error);
  if (!pipeline || error)
    g_error ("cannot build the pipeline: %s", error ? error->message : "?");
  g_autoptr (GstElement) enc = gst_bin_get_by_name (GST_BIN (pipeline), "enc"),
                         dec = gst_bin_get_by_name (GST_BIN (pipeline), "dec");
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  gboolean ended = FALSE;

  give_key (enc, enc_key, mki);
  if (ask)
    answer_questions (dec, dec_key);
  else
    give_key (dec, dec_key, mki);
  if (change) {
    change_key (dec, dec_key, mki);
    gst_element_set_state (pipeline, GST_STATE_PAUSED);
    change_key (enc, enc_key, mki);
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (!ended) {
    g_autoptr (GstMessage) message = gst_bus_timed_pop (bus, 60 * GST_SECOND);
    if (!message)
      break;
    print_message (message);
    ended = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS
            || GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR;
  }
  print_properties (G_OBJECT (enc));
  print_properties (G_OBJECT (dec));
  gst_debug_bin_to_dot_file (
      GST_BIN (pipeline), GST_DEBUG_GRAPH_SHOW_ALL, "keyactions");
  g_autofree char *dot = gst_debug_bin_to_dot_data (
      GST_BIN (pipeline), GST_DEBUG_GRAPH_SHOW_VERBOSE);
  g_print ("%s\n", dot);
  take_key_away (enc);
  take_key_away (dec);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return ended;
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  if (argc != 3) {
    g_printerr ("usage: keyactions KEY-HEX LAUNCH\n");
    return 2;
  }
  g_autoptr (GBytes) key = bytes_from_hex (argv[1]);
  /* Another key that shares bytes with the first: an error text that shows "the difference" would show it. */
  g_autoptr (GBytes) part =
      g_bytes_new_from_bytes (key, 0, g_bytes_get_size (key) - 1);
  g_autoptr (GBytes) tiny = g_bytes_new_from_bytes (key, 0, 12);

  gboolean ok = run (argv[2], key, key, FALSE, FALSE)
                && run (argv[2], key, key, TRUE, FALSE)
                && run (argv[2], key, part, FALSE, FALSE)
                && run (argv[2], key, key, FALSE, TRUE);
  /* Too short to be used: refused, with a sentence. */
  ok = run (argv[2], tiny, key, FALSE, FALSE) && ok;
  return ok ? 0 : 1;
}

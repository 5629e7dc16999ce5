/* Keys from an application, while frames flow.
 *
 *     e2e-live-keys [FRAMES]      (default 90, at least 80)
 *
 * A test picture is encrypted, put into RTP packets, taken out and decrypted, all in this process; between the two sides
 * a real application has a network, and a way of its own to agree on keys. Here somebody leaves after 30 frames, so that
 * the sender goes on with a new key; and after 60 frames it takes a step of the ratchet, so that a key stolen later opens
 * nothing of what was before.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/gst.h>
#include <sodium.h>
#include <stdlib.h>

#define KEY_LEN 32
#define RATCHET_BITS 4 /* of the KID; both elements are told */

/* What the receiver knows of keys. Guarded by `lock`: the question comes on a streaming thread. */
typedef struct
{
  GMutex lock;
  GHashTable *keys; /* first KID of a key → GBytes */
} KeyRing;

typedef struct
{
  GstElement *enc, *dec;
  KeyRing ring;
  guint n_frames;
  guint64 kid; /* first KID of the key that the sender uses */
} App;

/* Memory that is kept out of swap and core dumps, and wiped with the last reference. */
static GBytes *
make_key (void)
{
  guint8 *key = sodium_malloc (KEY_LEN);
  if (!key)
    g_error ("no memory for a key");
  randombytes_buf (key, KEY_LEN);
  return g_bytes_new_with_free_func (key, KEY_LEN, sodium_free, key);
}

/* A new key for the sender, under a KID that was never used. The low bits of a KID count steps of the ratchet. */
static void
change_key (App *app)
{
  GBytes *key = make_key ();

  app->kid += 1 << RATCHET_BITS;
  /* Receivers first: here a table, elsewhere a message to each of them over a secure channel. */
  g_mutex_lock (&app->ring.lock);
  g_hash_table_insert (app->ring.keys, g_memdup2 (&app->kid, sizeof app->kid),
      g_bytes_ref (key));
  g_mutex_unlock (&app->ring.lock);
  g_signal_emit_by_name (app->enc, "set-key", app->kid, key);
  g_bytes_unref (key);
  g_print ("frame %u: sending with KID 0x%" G_GINT64_MODIFIER "x\n",
      app->n_frames, app->kid);
}

/* Frames made with the old key may still be on their way, so a real application waits some seconds before this. */
static void
forget_key (App *app, guint64 kid)
{
  g_mutex_lock (&app->ring.lock);
  g_hash_table_remove (app->ring.keys, &kid);
  g_mutex_unlock (&app->ring.lock);
  g_signal_emit_by_name (app->dec, "remove-key", kid);
  g_print (
      "frame %u: forgot KID 0x%" G_GINT64_MODIFIER "x\n", app->n_frames, kid);
}

/* "key-needed": a frame has a KID that the decoder knows no key for. Called on the streaming thread, with no lock held:
 * look up, do not wait. The KID comes from the network and is not authentic yet. */
static GBytes *
find_key (GstElement *dec, guint64 kid, App *app)
{
  guint64 first = kid >> RATCHET_BITS << RATCHET_BITS;

  g_mutex_lock (&app->ring.lock);
  GBytes *key = g_hash_table_lookup (app->ring.keys, &first);
  if (key)
    g_bytes_ref (key);
  g_mutex_unlock (&app->ring.lock);
  if (!key || first == kid)
    return key;

  /* The answer would be taken for the key of this KID, but ours is some steps before it: the decoder steps on itself. */
  g_signal_emit_by_name (dec, "set-key", first, key);
  g_bytes_unref (key);
  return NULL;
}

static GstPadProbeReturn
count_frame (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  App *app = data;

  switch (app->n_frames++) {
    case 30:
      change_key (app);
      break;
    case 40:
      forget_key (app, app->kid - (1 << RATCHET_BITS));
      break;
    case 60:
      g_signal_emit_by_name (app->enc, "ratchet");
      g_print ("frame %u: one step of the ratchet\n", app->n_frames);
      break;
    default:
      break;
  }
  return GST_PAD_PROBE_OK;
}

static guint64
number (const GstStructure *stats, const char *name)
{
  guint64 value = 0;
  gst_structure_get_uint64 (stats, name, &value);
  return value;
}

/* Whether each frame came through, and none for another reason. */
static gboolean
report (App *app, guint n_frames)
{
  g_autoptr (GstStructure) enc = NULL, dec = NULL;

  g_object_get (app->enc, "stats", &enc, NULL);
  g_object_get (app->dec, "stats", &dec, NULL);
  g_autofree char *enc_text = gst_structure_to_string (enc);
  g_autofree char *dec_text = gst_structure_to_string (dec);
  g_print ("%s\n%s\n", enc_text, dec_text);
  return number (enc, "encrypted") == n_frames
         && number (dec, "decrypted") == n_frames
         && number (enc, "kid") == app->kid + 1;
}

static gboolean
run (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    return TRUE;

  g_autoptr (GError) error = NULL;
  gst_message_parse_error (message, &error, NULL);
  g_printerr ("%s\n", error->message);
  return FALSE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  App app = { 0 };

  gst_init (&argc, &argv);
  if (sodium_init () < 0)
    return 1;
  int n_frames = argc > 1 ? MAX (atoi (argv[1]), 80) : 90;

  g_autofree char *line = g_strdup_printf (
      "videotestsrc num-buffers=%d ! vp8enc deadline=1 ! sframeenc name=enc ratchet-bits=%d ! rtpsframepay"
      " ! rtpsframedepay ! sframedec name=dec ratchet-bits=%d ! vp8dec ! fakesink",
      n_frames, RATCHET_BITS, RATCHET_BITS);
  g_autoptr (GstElement) pipeline = gst_parse_launch (line, &error);
  if (!pipeline || error) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  app.enc = gst_bin_get_by_name (GST_BIN (pipeline), "enc");
  app.dec = gst_bin_get_by_name (GST_BIN (pipeline), "dec");
  g_mutex_init (&app.ring.lock);
  app.ring.keys = g_hash_table_new_full (
      g_int64_hash, g_int64_equal, g_free, (GDestroyNotify) g_bytes_unref);
  g_signal_connect (app.dec, "key-needed", G_CALLBACK (find_key), &app);

  g_autoptr (GstPad) pad = gst_element_get_static_pad (app.enc, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, count_frame, &app, NULL);

  change_key (
      &app); /* before the first frame: nothing is sent without a key */
  gboolean ok = run (pipeline) && report (&app, (guint) n_frames);

  g_clear_object (&app.enc);
  g_clear_object (&app.dec);
  g_hash_table_unref (app.ring.keys);
  g_mutex_clear (&app.ring.lock);
  return ok ? 0 : 1;
}

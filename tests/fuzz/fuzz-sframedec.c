/* sframedec between a network and an application that do anything: the input is a list of operations.
 *
 * Four bytes of settings, then operations, each a byte and its arguments:
 *
 *     0 any bytes       len u8, bytes                     6 set-key     key, KID
 *     1 an SFrame       key, KID, CTR u8, len u8, how     7 remove-key  KID
 *     2 a flush                                           8 segment
 *     3 EOS, and a flush                                  9 a stop and a new start   NULL or READY
 *     4 caps            format                           10 a gap, a custom event
 *     5 kid-mask        mask, value                      11 an answer to key-needed from now on   key
 *
 * "How" an authentic SFrame arrives: bit 0 in two memories, bit 1 with one bit changed, bit 2 cut. Keys, KIDs and counters
 * are few, so that they meet.
 *
 * What comes out was authentic, and comes out once, whatever is done to keys, caps and states in between; and every frame
 * is accounted for.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/check/gstharness.h>
#include <gst/gst.h>

#include "ext/sframe/sframeelements.h"
#include "ext/sodium/sframe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define KEYS 3
#define KIDS 16
#define RTP_HEADER 12
#define MAX_OPS 400

static const SFrameSuite suites[] = { SFRAME_AES_256_GCM_SHA512_128,
  SFRAME_AES_128_GCM_SHA256_128, SFRAME_AES_128_CTR_HMAC_SHA256_80,
  SFRAME_AES_256_CTR_HMAC_SHA512_64 };

static const char *const formats[] = {
  "application/x-sframe,original-media-type=(string)audio/x-opus",
  "application/x-sframe,original-media-type=(string)video/x-vp8",
  "application/x-sframe,original-media-type=(string)video/x-vp8,width=64,height=64",
  "application/x-sframe,original-media-type=(string)video/x-vp9,sframe-ssrc=(uint)1",
  "application/x-sframe,original-media-type=(string)video/x-vp9,sframe-ssrc=(uint)2",
  "application/x-sframe,original-media-type=(string)application/x-rtp,media=(string)video,clock-rate=90000,encoding-name=(string)VP8",
  "application/x-sframe",
  "video/x-vp8",
};

/* What a frame says of itself, behind what VP8 looks for: which one it is. */
typedef struct
{
  guint8 vp8[10];
  guint8 key, kid, ctr, ssrc;
} Plain;

typedef struct
{
  GstElement *element;
  GstHarness *h;
  Reader in;
  SFrameSuite suite;
  guint ratchet_bits;
  gboolean per_ssrc;
  guint format;
  gint answer;                    /* to key-needed: a key, or -1 */
  guint8 out[KEYS][KIDS][256][3]; /* how often each frame came out */
} World;

static GBytes *keys[KEYS];

/* The element is linked into this program: no plugin is loaded, so nothing but it can be at fault. */
static void
start (void)
{
  g_setenv ("GST_REGISTRY_DISABLE", "yes", TRUE);
  g_setenv ("GST_REGISTRY_UPDATE", "no", TRUE);
  gst_init (NULL, NULL);
  if (!core_init () || !GST_ELEMENT_REGISTER (sframedec, NULL))
    abort ();
  for (guint i = 0; i < KEYS; i++) {
    guint8 bytes[32] = { (guint8) (i + 1) };
    keys[i] = g_bytes_new (bytes, sizeof bytes);
  }
}

static guint
arg (World *w)
{
  return (guint) reader_uint (&w->in, 1);
}

static gboolean
is_rtp (const World *w)
{
  return w->format == 5;
}

/* The base key with which `kid` is encrypted, when key `key` was set for the first KID of its ratchet. */
static Secret *
base_key_of (const World *w, guint key, guint kid, guint ssrc)
{
  gsize len;
  gconstpointer bytes = g_bytes_get_data (keys[key], &len);
  Secret *base = secret_copy (bytes, len);
  guint steps = kid & ((1u << w->ratchet_bits) - 1);

  if (w->per_ssrc) {
    Secret *own = sframe_ssrc_key (w->suite, base, ssrc);
    secret_unref (base);
    return own;
  }
  for (guint i = 0; i < steps; i++) {
    Secret *next = sframe_ratchet (w->suite, base);
    secret_unref (base);
    base = next;
  }
  return base;
}

/* As it would come from the network, behind an RTP header where packets are encrypted. */
static guint8 *
make_sframe (World *w, const Plain *plain, gsize padding, gsize *len)
{
  gsize offset = is_rtp (w) ? RTP_HEADER : 0, frame_len;
  guint8 frame[sizeof *plain + 255] = { 0 };
  memcpy (frame, plain, sizeof *plain);
  Secret *base = base_key_of (w, plain->key, plain->kid, plain->ssrc);
  SFrameKey *key = sframe_key_new (w->suite, plain->kid, base, plain->ctr);
  gsize room = sizeof *plain + padding + sframe_key_overhead (key);
  guint8 *bytes = g_malloc0 (offset + room);

  if (sframe_encrypt (key, NULL, 0, frame, sizeof *plain + padding,
          bytes + offset, room, &frame_len)
      != SFRAME_OK)
    abort ();
  if (offset > 0) {
    bytes[0] = 0x80;
    bytes[1] = 96;
    bytes[11] = plain->ssrc;
  }
  sframe_key_free (key);
  secret_unref (base);
  *len = offset + room;
  return bytes;
}

/* Which SSRC the element takes a frame to be of. */
static guint
ssrc_of (const World *w, guint wanted)
{
  return w->format == 3 ? 1 : w->format == 4 ? 2 : is_rtp (w) ? wanted : 0;
}

static GstBuffer *
authentic (World *w)
{
  guint key = arg (w) % KEYS, kid = arg (w) % KIDS, ctr = arg (w),
        padding = arg (w), how = arg (w);
  Plain plain = { { (guint8) (padding & 1), 2, 0, 0x9d, 1, 0x2a, 64, 0, 64 },
    (guint8) key, (guint8) kid, (guint8) ctr,
    (guint8) ssrc_of (w, 1 + (how >> 7)) };
  gsize len;
  g_autofree guint8 *bytes = make_sframe (w, &plain, padding, &len);

  if (how & 2)
    bytes[len - 1 - (how >> 3) % 16] ^= (guint8) (1 << (how & 7));
  if (how & 4)
    len -= 1 + (how >> 3) % 16;
  gsize first = how & 1 ? len / 2 : len;
  GstBuffer *buffer = gst_buffer_new_memdup (bytes, first);
  if (first < len)
    buffer = gst_buffer_append (
        buffer, gst_buffer_new_memdup (bytes + first, len - first));
  return buffer;
}

/* Bytes that nobody encrypted do not come out, and nothing comes out twice. */
static void
check_output (World *w)
{
  GstBuffer *buffer;

  while ((buffer = gst_harness_try_pull (w->h))) {
    g_autoptr (GstCaps) caps = gst_pad_get_current_caps (w->h->sinkpad);
    gboolean rtp = caps
                   && gst_structure_has_name (
                       gst_caps_get_structure (caps, 0), "application/x-rtp");
    Plain plain;
    if (gst_buffer_extract (buffer, rtp ? RTP_HEADER : 0, &plain, sizeof plain)
            != sizeof plain
        || plain.vp8[3] != 0x9d || plain.key >= KEYS || plain.kid >= KIDS
        || plain.ssrc > 2)
      abort ();
    /* One key for all streams has one counter, too. */
    guint ssrc = w->per_ssrc ? plain.ssrc : 0;
    if (w->out[plain.key][plain.kid][plain.ctr][ssrc]++ > 0)
      abort ();
    gst_buffer_unref (buffer);
  }
}

static gboolean
add (GQuark id, const GValue *value, gpointer sum)
{
  static const char *const beside[] = { "received", "counter-jumps",
    "keyframe-requests", "keys", NULL };
  if (!g_strv_contains (beside, g_quark_to_string (id)))
    *(guint64 *) sum += g_value_get_uint64 (value);
  return TRUE;
}

static void
check_stats (World *w)
{
  GstStructure *stats;
  guint64 received, sum = 0;

  g_object_get (w->element, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "received", &received);
  gst_structure_foreach (stats, add, &sum);
  gst_structure_free (stats);
  if (sum != received)
    abort ();
}

static void
push_segment (World *w)
{
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (w->h, gst_event_new_segment (&segment));
}

static void
push_caps (World *w)
{
  gst_harness_push_event (
      w->h, gst_event_new_caps (gst_caps_from_string (formats[w->format])));
}

static void
flush (World *w)
{
  gst_harness_push_event (w->h, gst_event_new_flush_start ());
  gst_harness_push_event (w->h, gst_event_new_flush_stop (TRUE));
  push_segment (w);
}

static GBytes *
answer_key (GstElement *element, guint64 kid, World *w)
{
  return w->answer < 0 ? NULL : g_bytes_ref (keys[w->answer]);
}

static void
act (World *w)
{
  gsize len;
  guint a, b; /* arguments: MIN() would read them twice */

  switch (arg (w) % 12) {
    case 0:
      a = arg (w);
      len = MIN (a, reader_left (&w->in));
      /* In an allocation of its exact size, so that a sanitizer sees one byte too many. */
      gst_harness_push (w->h,
          len > 0 ? gst_buffer_new_memdup (reader_take (&w->in, len), len)
                  : gst_buffer_new ());
      break;
    case 1:
      gst_harness_push (w->h, authentic (w));
      break;
    case 2:
      flush (w);
      break;
    case 3:
      gst_harness_push_event (w->h, gst_event_new_eos ());
      flush (w);
      break;
    case 4:
      w->format = arg (w) % G_N_ELEMENTS (formats);
      push_caps (w);
      push_segment (w);
      break;
    case 5:
      a = arg (w);
      b = arg (w);
      g_object_set (
          w->element, "kid-mask", (guint64) a, "kid-value", (guint64) b, NULL);
      break;
    case 6:
      a = arg (w) % KEYS;
      b = arg (w) % KIDS;
      g_signal_emit_by_name (w->element, "set-key", (guint64) b, keys[a]);
      break;
    case 7:
      g_signal_emit_by_name (
          w->element, "remove-key", (guint64) (arg (w) % KIDS));
      break;
    case 8:
      push_segment (w);
      break;
    case 9:
      gst_element_set_state (
          w->element, arg (w) & 1 ? GST_STATE_NULL : GST_STATE_READY);
      gst_element_set_state (w->element, GST_STATE_PLAYING);
      gst_harness_push_event (w->h, gst_event_new_stream_start ("fuzz"));
      push_caps (w);
      push_segment (w);
      break;
    case 10:
      gst_harness_push_event (w->h, gst_event_new_gap (0, 1));
      gst_harness_push_event (
          w->h, gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
                    gst_structure_new_empty ("application/x-whatever")));
      break;
    default:
      w->answer = (gint) (arg (w) % (KEYS + 1)) - 1;
      break;
  }
}

static void
set_up (World *w)
{
  guint settings = arg (w), window = arg (w), pending = arg (w);

  w->suite = suites[settings & 3];
  w->per_ssrc = (settings & 4) != 0;
  w->ratchet_bits = w->per_ssrc ? 0 : settings >> 3 & 3;
  w->format = arg (w) % G_N_ELEMENTS (formats);
  w->answer = -1;
  w->element = gst_element_factory_make ("sframedec", NULL);
  /* Time does not pass: frames wait for ever, or not at all. */
  g_object_set (w->element, "cipher-suite", w->suite, "per-ssrc-keys",
      w->per_ssrc, "ssrc", 0, "ratchet-bits", w->ratchet_bits, "replay-window",
      1 + window, "pending-time", pending & 1 ? G_MAXUINT64 : 0,
      "max-pending-bytes", 64 * pending, "keyframe-interval", (guint64) 0,
      NULL);
  g_signal_connect (w->element, "key-needed", G_CALLBACK (answer_key), w);
  w->h = gst_harness_new_with_element (w->element, "sink", "src");
  gst_harness_set_src_caps_str (w->h, formats[w->format]);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static gboolean started;

  if (!started)
    start ();
  started = TRUE;

  World *w = g_new0 (World, 1);
  w->in = reader_init (data, size);
  set_up (w);
  for (guint i = 0; i < MAX_OPS && reader_left (&w->in) > 0; i++) {
    act (w);
    check_output (w);
  }
  gst_harness_push_event (w->h, gst_event_new_eos ());
  gst_element_set_state (w->element,
      GST_STATE_NULL); /* frames that waited on a helper thread are out, or flushed */
  check_output (w);
  check_stats (w);
  gst_harness_teardown (w->h);
  gst_object_unref (w->element);
  g_free (w);
  return 0;
}

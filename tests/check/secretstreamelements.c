/* secretstreamenc and secretstreamdec: streams, files, flushes, and what they say.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

#include <glib/gstdio.h>
#include <string.h>

#define KEY "5ec2e7d00dfeedfacecafebabe0badf00ddeadbeef8badf00dabad1deac001d0"
#define ENC "secretstreamenc key=" KEY
#define DEC "secretstreamdec key=" KEY
#define HEADER 80 /* with a key: 48 bytes and the check */

static guint8 plain[200000];

static void
set_up (void)
{
  guint32 x = 1;
  for (gsize i = 0; i < sizeof plain; i++) {
    x = x * 1664525u + 1013904223u;
    plain[i] = (guint8) (x >> 24);
  }
}

static GstHarness *
harness (const gchar *launch)
{
  GstHarness *h = gst_harness_new_parse (launch);
  gst_harness_set_src_caps_str (h, "application/octet-stream");
  return h;
}

static GstHarness *
decoder (const gchar *launch)
{
  GstHarness *h = gst_harness_new_parse (launch);
  gst_harness_set_src_caps_str (h, "application/x-conclave-secretstream");
  return h;
}

static GstFlowReturn
push (GstHarness *h, const guint8 *bytes, gsize len)
{
  return gst_harness_push (h, gst_buffer_new_memdup (bytes, len));
}

/* All that has come out, one after the other. */
static GByteArray *
collect (GstHarness *h)
{
  GByteArray *all = g_byte_array_new ();
  GstBuffer *buffer;

  while ((buffer = gst_harness_try_pull (h))) {
    GstMapInfo map;
    fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
    g_byte_array_append (all, map.data, (guint) map.size);
    gst_buffer_unmap (buffer, &map);
    gst_buffer_unref (buffer);
  }
  return all;
}

#define fail_unless_plain(got, want_len)                                      \
  G_STMT_START                                                                \
  {                                                                           \
    gsize want__ = (want_len);                                                \
    fail_unless_equals_int ((got)->len, want__);                              \
    fail_unless (want__ == 0 || memcmp ((got)->data, plain, want__) == 0);    \
  }                                                                           \
  G_STMT_END

/* `len` plain bytes, encrypted in buffers of `step`. */
static GByteArray *
encrypt (const gchar *launch, gsize len, gsize step)
{
  GstHarness *h = harness (launch);
  for (gsize at = 0; at < len; at += step)
    fail_unless_equals_int (
        push (h, plain + at, MIN (step, len - at)), GST_FLOW_OK);
  fail_unless (gst_harness_push_event (h, gst_event_new_eos ()));
  GByteArray *file = collect (h);
  gst_harness_teardown (h);
  return file;
}

static void
seek_upstream (GstHarness *h, guint64 start)
{
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_BYTES);
  segment.start = start;
  fail_unless (gst_harness_push_event (h, gst_event_new_segment (&segment)));
}

static GstBus *
watch (GstHarness *h)
{
  GstBus *bus = gst_bus_new ();
  gst_element_set_bus (h->element, bus);
  return bus;
}

/* The text of the only message of a type, which must have `part` in it; and takes the bus away. */
static void
expect_message (
    GstHarness *h, GstBus *bus, GstMessageType type, const gchar *part)
{
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, type);
  g_autoptr (GError) error = NULL;

  fail_unless (message != NULL, "no message: %s", part);
  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  fail_unless (strstr (error->message, part) != NULL, "\"%s\" lacks \"%s\"",
      error->message, part);
  fail_unless (gst_bus_pop_filtered (bus, type) == NULL);
  fail_unless (strstr (error->message, "5ec2e7d0") == NULL);
  if (h)
    gst_element_set_bus (h->element, NULL);
  gst_object_unref (bus);
}

static guint64
stat_of (GstElement *element, const gchar *field)
{
  GstStructure *stats;
  guint64 value = G_MAXUINT64;
  g_object_get (element, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, field, &value), "%s", field);
  gst_structure_free (stats);
  return value;
}

/* --- The encoder --- */

GST_START_TEST (what_goes_in_comes_out)
{
  static const gsize lens[] = { 0, 1, 4096, 65536, 65537, sizeof plain };
  static const gsize steps[] = { 1000000, 1000, 65536 };
  g_autoptr (GByteArray) file =
      encrypt (ENC, lens[__i__ % 6], steps[__i__ / 6]);
  GstHarness *h = decoder (DEC);

  /* In pieces that fit nothing of the format. */
  for (gsize at = 0; at < file->len; at += 777)
    fail_unless_equals_int (
        push (h, file->data + at, MIN (777, file->len - at)), GST_FLOW_OK);
  fail_unless (gst_harness_push_event (h, gst_event_new_eos ()));
  g_autoptr (GByteArray) got = collect (h);
  fail_unless_plain (got, lens[__i__ % 6]);
  fail_unless_equals_uint64 (
      gst_harness_events_received (h), 3); /* stream-start, segment, EOS */
  GstElement *dec = gst_harness_find_element (h, "secretstreamdec");
  fail_unless_equals_uint64 (stat_of (dec, "bytes-out"), lens[__i__ % 6]);
  fail_unless_equals_uint64 (stat_of (dec, "bytes-in"), file->len);
  gst_object_unref (dec);
  gst_harness_teardown (h);
}
GST_END_TEST

GST_START_TEST (a_chunk_leaves_after_the_latency)
{
  GstHarness *h = harness (ENC " max-latency=1000000 name=e");
  GstElement *enc = gst_harness_find_element (h, "secretstreamenc");

  for (guint i = 0; i < 3; i++) {
    fail_unless_equals_int (push (h, plain, 10), GST_FLOW_OK);
    if (i == 0)
      gst_buffer_unref (gst_harness_pull (h)); /* the header */
    GstBuffer *chunk = gst_harness_pull (h);
    fail_unless_equals_int (
        gst_buffer_get_size (chunk), (i == 0 ? 24 : 0) + 21 + 10);
    fail_unless (GST_BUFFER_FLAG_IS_SET (chunk, GST_BUFFER_FLAG_SYNC_AFTER));
    gst_buffer_unref (chunk);
  }
  fail_unless_equals_uint64 (stat_of (enc, "early-chunks"), 3);
  gst_object_unref (enc);
  gst_harness_teardown (h);
}
GST_END_TEST

GST_START_TEST (without_a_latency_chunks_wait_until_they_are_full)
{
  GstHarness *h = harness (ENC " max-latency=0 chunk-size=4096");
  GstElement *enc = gst_harness_find_element (h, "secretstreamenc");

  for (guint i = 0; i < 4095; i++)
    fail_unless_equals_int (push (h, plain + i, 1), GST_FLOW_OK);
  fail_unless_equals_int (gst_harness_buffers_received (h), 1);
  fail_unless_equals_int (push (h, plain, 1), GST_FLOW_OK);
  fail_unless_equals_int (gst_harness_buffers_received (h), 2);
  fail_unless_equals_uint64 (stat_of (enc, "chunks"), 1);
  fail_unless_equals_uint64 (stat_of (enc, "early-chunks"), 0);
  gst_object_unref (enc);
  gst_harness_teardown (h);
}
GST_END_TEST

/* filesink begins anew with a flush, and so does the file: other keys, from its header on. */
GST_START_TEST (a_flush_begins_another_file)
{
  GstHarness *h = harness (ENC " max-latency=0");

  fail_unless_equals_int (push (h, plain + 7, 1000), GST_FLOW_OK);
  GstBuffer *header = gst_harness_pull (h);
  fail_unless (gst_harness_push_event (h, gst_event_new_flush_start ()));
  fail_unless (gst_harness_push_event (h, gst_event_new_flush_stop (TRUE)));
  seek_upstream (h, 500);
  fail_unless_equals_int (push (h, plain, 1000), GST_FLOW_OK);
  fail_unless (gst_harness_push_event (h, gst_event_new_eos ()));
  g_autoptr (GByteArray) file = collect (h);
  GstMapInfo map;
  fail_unless (gst_buffer_map (header, &map, GST_MAP_READ));
  fail_unless_equals_int (map.size, HEADER);
  fail_unless (memcmp (map.data, file->data, 16) == 0);
  fail_if (memcmp (map.data + 16, file->data + 16, 32) == 0);
  gst_buffer_unmap (header, &map);
  gst_buffer_unref (header);

  GstHarness *d = decoder (DEC);
  fail_unless_equals_int (push (d, file->data, file->len), GST_FLOW_OK);
  fail_unless (gst_harness_push_event (d, gst_event_new_eos ()));
  g_autoptr (GByteArray) got = collect (d);
  fail_unless_plain (got, 1000);
  gst_harness_teardown (d);
  gst_harness_teardown (h);
}
GST_END_TEST

GST_START_TEST (a_second_run_writes_another_file)
{
  g_autoptr (GstElement) enc =
      gst_parse_launch (ENC " name=e", NULL); /* floating */
  gst_object_ref_sink (enc);
  gchar *ids[2];

  for (guint i = 0; i < 2; i++) {
    GstHarness *h = gst_harness_new_with_element (enc, "sink", "src");
    GstStructure *stats;
    gst_harness_set_src_caps_str (h, "application/octet-stream");
    fail_unless_equals_int (push (h, plain, 100), GST_FLOW_OK);
    fail_unless (gst_harness_push_event (h, gst_event_new_eos ()));
    g_autoptr (GByteArray) file = collect (h);
    fail_unless_equals_int (file->len, HEADER + 24 + 21 + 100 + 61 + 8 + 16);
    g_object_get (enc, "stats", &stats, NULL);
    ids[i] = g_strdup (gst_structure_get_string (stats, "file-id"));
    fail_unless_equals_int (strlen (ids[i]), 64);
    gst_structure_free (stats);
    gst_harness_teardown (h);
    gst_element_set_state (enc, GST_STATE_NULL);
  }
  fail_if (g_str_equal (ids[0], ids[1]));
  g_free (ids[0]);
  g_free (ids[1]);
}
GST_END_TEST

GST_START_TEST (who_goes_back_changes_nothing)
{
  GstHarness *h = harness (ENC " ! " DEC);
  GstBus *bus = watch (h);
  GstElement *enc = gst_harness_find_element (h, "secretstreamenc");

  seek_upstream (h, 0);
  fail_unless_equals_int (push (h, plain, 1000), GST_FLOW_OK);
  seek_upstream (h, 10);
  fail_unless_equals_int (push (h, plain + 500, 20), GST_FLOW_OK);
  fail_unless_equals_int (push (h, plain + 500, 20), GST_FLOW_OK);
  /* Half again what is written, half new. */
  seek_upstream (h, 990);
  fail_unless_equals_int (push (h, plain + 990, 20), GST_FLOW_OK);
  seek_upstream (h, 1010);
  fail_unless_equals_int (push (h, plain + 1010, 90), GST_FLOW_OK);
  fail_unless (gst_harness_push_event (h, gst_event_new_eos ()));
  g_autoptr (GByteArray) got = collect (h);
  fail_unless_plain (got, 1100);
  fail_unless_equals_uint64 (stat_of (enc, "rewritten"), 50);
  expect_message (
      h, bus, GST_MESSAGE_WARNING, "stays as it was written first");
  gst_object_unref (enc);
  gst_harness_teardown (h);
}
GST_END_TEST

GST_START_TEST (a_gap_is_an_error)
{
  GstHarness *h = harness (ENC);
  GstBus *bus = watch (h);

  seek_upstream (h, 0);
  fail_unless_equals_int (push (h, plain, 1000), GST_FLOW_OK);
  seek_upstream (h, 1001);
  fail_unless_equals_int (push (h, plain, 10), GST_FLOW_ERROR);
  expect_message (h, bus, GST_MESSAGE_ERROR, "gap behind byte 1000");
  gst_harness_teardown (h);
}
GST_END_TEST

GST_START_TEST (upstream_learns_that_it_cannot_seek)
{
  GstHarness *h = harness (ENC);
  g_autoptr (GstQuery) query = gst_query_new_seeking (GST_FORMAT_BYTES);
  gboolean seekable = TRUE;

  fail_unless (gst_pad_peer_query (h->srcpad, query));
  gst_query_parse_seeking (query, NULL, &seekable, NULL, NULL);
  fail_if (seekable);
  gst_harness_teardown (h);
}
GST_END_TEST

/* The timer's chunks among those that are pushed, flushes and the end: what comes out is a whole file. */
GST_START_TEST (the_timer_meets_data_flushes_and_ends)
{
  for (guint round = 0; round < 8; round++) {
    GstHarness *h = harness (ENC " max-latency=1000 chunk-size=4096");
    gboolean flushes = round % 2, ends = round % 4 < 2;

    for (guint i = 0; i < 2000; i++) {
      if (flushes && i % 100 == 50) {
        fail_unless (gst_harness_push_event (h, gst_event_new_flush_start ()));
        fail_unless (
            gst_harness_push_event (h, gst_event_new_flush_stop (TRUE)));
        seek_upstream (h, 0);
        g_byte_array_unref (collect (h));
      }
      fail_unless_equals_int (push (h, plain + i % 100, 1), GST_FLOW_OK);
      if (i % 8 == 0)
        g_thread_yield ();
    }
    if (ends) {
      fail_unless (gst_harness_push_event (h, gst_event_new_eos ()));
      g_autoptr (GByteArray) file = collect (h);
      GstHarness *d = decoder (DEC);
      fail_unless_equals_int (push (d, file->data, file->len), GST_FLOW_OK);
      fail_unless (gst_harness_push_event (d, gst_event_new_eos ()));
      g_autoptr (GByteArray) got = collect (d);
      fail_unless_equals_int (got->len, flushes ? 50 : 2000);
      gst_harness_teardown (d);
    }
    gst_harness_teardown (h); /* on the way to NULL the timer's thread ends */
  }
}
GST_END_TEST

/* --- Settings --- */

GST_START_TEST (useless_settings_are_errors_that_say_what_to_do)
{
  static const struct
  {
    const gchar *launch, *text;
  } rows[] = {
    { "secretstreamenc", "nothing is written unencrypted" },
    { "secretstreamdec", "set \"key-location\"" },
    { "secretstreamenc key=abcd", "has 2 bytes; a file's key has 32 to 1024" },
    { "secretstreamenc key=5ec2e7d00dfeedfacecafebabe0badf00ddeadbeef8badf00dabad1deac001",
        "has 31 bytes" },
    { "secretstreamenc key=???", "neither hexadecimal nor base64" },
    { ENC " key-location=x", "set only one" },
    { "secretstreamenc key-location=/nowhere/k", "Could not read the key" },
    { "secretstreamenc recipients-location=/nowhere/r",
        "Could not read the list" },
    { "secretstreamenc recipients-location=/dev/null", "names no recipient" },
    { "secretstreamdec identity-location=/nowhere/i", "does not exist" },
  };
  g_autoptr (GstElement) element =
      gst_object_ref_sink (gst_parse_launch (rows[__i__].launch, NULL));
  GstBus *bus = gst_bus_new ();

  gst_element_set_bus (element, bus);
  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_READY),
      GST_STATE_CHANGE_FAILURE);
  gst_element_set_bus (element, NULL);
  expect_message (NULL, bus, GST_MESSAGE_ERROR, rows[__i__].text);
  gst_element_set_state (element, GST_STATE_NULL);
}
GST_END_TEST

GST_START_TEST (the_key_cannot_be_read)
{
  GstElement *elements[] = { gst_element_factory_make (
                                 "secretstreamenc", NULL),
    gst_element_factory_make ("secretstreamdec", NULL) };

  for (guint i = 0; i < 2; i++) {
    GParamSpec *pspec =
        g_object_class_find_property (G_OBJECT_GET_CLASS (elements[i]), "key");
    fail_if (pspec->flags & G_PARAM_READABLE);
    gst_object_unref (elements[i]);
  }
}
GST_END_TEST

GST_START_TEST (settings_are_fixed_while_data_flows)
{
  GstHarness *h = harness (ENC);
  GstElement *enc = gst_harness_find_element (h, "secretstreamenc");
  guint size;

  ASSERT_WARNING (g_object_set (enc, "chunk-size", 4096, NULL));
  g_object_get (enc, "chunk-size", &size, NULL);
  fail_unless_equals_int (size, 65536);
  gst_object_unref (enc);
  gst_harness_teardown (h);
}
GST_END_TEST

/* --- The decoder, pushed to --- */

GST_START_TEST (a_cut_stream_is_an_error_or_on_demand_a_warning)
{
  g_autoptr (GByteArray) file =
      encrypt (ENC " chunk-size=4096", 20000, 1000000);
  gsize len = HEADER + 24 + 3 * (21 + 4096) + 100; /* in chunk 3 */

  for (guint allow = 0; allow < 2; allow++) {
    GstHarness *h = decoder (allow ? DEC " allow-truncated=true" : DEC);
    GstBus *bus = watch (h);
    fail_unless_equals_int (push (h, file->data, len), GST_FLOW_OK);
    fail_unless_equals_int (
        gst_harness_push_event (h, gst_event_new_eos ()), allow);
    fail_unless_equals_int (gst_harness_events_received (h), 2 + allow);
    g_autoptr (GByteArray) got = collect (h);
    fail_unless_plain (got, 3 * 4096);
    expect_message (h, bus, allow ? GST_MESSAGE_WARNING : GST_MESSAGE_ERROR,
        "in chunk 3, at byte 12455; the 12288 decrypted bytes before are good");
    gst_harness_teardown (h);
  }
}
GST_END_TEST

GST_START_TEST (a_changed_stream_ends_at_the_change)
{
  g_autoptr (GByteArray) file =
      encrypt (ENC " chunk-size=4096", 20000, 1000000);

  file->data[HEADER + 24 + 2 * (21 + 4096) + 1000] ^= 1;
  for (guint allow = 0; allow < 2; allow++) {
    GstHarness *h = decoder (allow ? DEC " allow-truncated=true" : DEC);
    GstBus *bus = watch (h);
    fail_unless_equals_int (push (h, file->data, file->len),
        allow ? GST_FLOW_EOS : GST_FLOW_ERROR);
    fail_unless_equals_int (push (h, file->data, file->len), GST_FLOW_EOS);
    g_autoptr (GByteArray) got = collect (h);
    fail_unless_plain (got, 2 * 4096);
    expect_message (
        h, bus, allow ? GST_MESSAGE_WARNING : GST_MESSAGE_ERROR, "in chunk 2");
    gst_harness_teardown (h);
  }
}
GST_END_TEST

GST_START_TEST (bytes_behind_the_end_are_an_error)
{
  g_autoptr (GByteArray) file = encrypt (ENC, 100, 100);
  GstHarness *h = decoder (DEC);
  GstBus *bus = watch (h);

  fail_unless_equals_int (push (h, file->data, file->len), GST_FLOW_OK);
  fail_unless_equals_int (push (h, plain, 1), GST_FLOW_ERROR);
  expect_message (h, bus, GST_MESSAGE_ERROR, "something was appended");
  gst_harness_teardown (h);
}
GST_END_TEST

GST_START_TEST (a_flush_lets_a_stream_begin_anew)
{
  g_autoptr (GByteArray) file = encrypt (ENC, 1000, 1000);
  GstHarness *h = decoder (DEC);

  fail_unless_equals_int (push (h, file->data, 300), GST_FLOW_OK);
  fail_unless (gst_harness_push_event (h, gst_event_new_flush_start ()));
  fail_unless (gst_harness_push_event (h, gst_event_new_flush_stop (TRUE)));
  seek_upstream (h, 0);
  fail_unless_equals_int (push (h, file->data, file->len), GST_FLOW_OK);
  fail_unless (gst_harness_push_event (h, gst_event_new_eos ()));
  g_autoptr (GByteArray) got = collect (h);
  fail_unless_plain (got, 1000);
  gst_harness_teardown (h);
}
GST_END_TEST

/* --- The decoder, pulled from --- */

typedef struct
{
  gchar *path;
  GstElement *src, *dec;
  GstPad *pad;
  GstBus *bus;
} Puller;

/* TRUE when it can be pulled from. */
static gboolean
pull_from (Puller *p, const gchar *launch, const guint8 *file, gsize len)
{
  gint fd = g_file_open_tmp ("conclave-XXXXXX", &p->path, NULL);
  fail_unless (fd >= 0 && g_close (fd, NULL));
  fail_unless (
      g_file_set_contents (p->path, (const gchar *) file, (gssize) len, NULL));
  p->src = gst_object_ref_sink (gst_element_factory_make ("filesrc", NULL));
  p->dec = gst_object_ref_sink (gst_parse_launch (launch, NULL));
  p->bus = gst_bus_new ();
  gst_element_set_bus (p->dec, p->bus);
  g_object_set (p->src, "location", p->path, NULL);
  fail_unless (gst_element_link (p->src, p->dec));
  gst_element_set_state (p->src, GST_STATE_READY);
  fail_unless_equals_int (gst_element_set_state (p->dec, GST_STATE_READY),
      GST_STATE_CHANGE_SUCCESS);
  p->pad = gst_element_get_static_pad (p->dec, "src");
  return gst_pad_activate_mode (p->pad, GST_PAD_MODE_PULL, TRUE);
}

static void
end_pulling (Puller *p)
{
  gst_pad_set_active (p->pad, FALSE);
  gst_element_set_state (p->dec, GST_STATE_NULL);
  gst_element_set_state (p->src, GST_STATE_NULL);
  gst_element_set_bus (p->dec, NULL);
  gst_clear_object (&p->pad);
  gst_clear_object (&p->src);
  gst_clear_object (&p->dec);
  g_unlink (p->path);
  g_clear_pointer (&p->path, g_free);
}

static GstFlowReturn
check_range (Puller *p, guint64 offset, guint len, guint want)
{
  GstBuffer *buffer = NULL;
  GstFlowReturn flow = gst_pad_get_range (p->pad, offset, len, &buffer);

  if (flow != GST_FLOW_OK)
    return flow;
  fail_unless_equals_int (gst_buffer_get_size (buffer), want);
  fail_unless (gst_buffer_memcmp (buffer, 0, plain + offset, want) == 0);
  gst_buffer_unref (buffer);
  return flow;
}

GST_START_TEST (any_range_can_be_pulled)
{
  g_autoptr (GByteArray) file =
      encrypt (ENC " chunk-size=4096", sizeof plain, 1000000);
  g_autoptr (GstQuery) seeking = gst_query_new_seeking (GST_FORMAT_BYTES);
  gint64 size = 0, end = 0;
  gboolean seekable;
  Puller p;

  fail_unless (pull_from (&p, DEC, file->data, file->len));
  fail_unless (gst_pad_query_duration (p.pad, GST_FORMAT_BYTES, &size));
  fail_unless_equals_int64 (size, sizeof plain);
  fail_unless (gst_pad_query (p.pad, seeking));
  gst_query_parse_seeking (seeking, NULL, &seekable, NULL, &end);
  fail_unless (seekable && end == sizeof plain);
  guint32 x = 3;
  for (guint i = 0; i < 500; i++) {
    x = x * 1664525u + 1013904223u;
    guint64 offset = x % sizeof plain;
    guint len = i % 5 == 0 ? 30000 : (x >> 20) + 1;
    fail_unless_equals_int (check_range (&p, offset, len,
                                (guint) MIN (len, sizeof plain - offset)),
        GST_FLOW_OK);
  }
  fail_unless_equals_int (check_range (&p, sizeof plain, 1, 0), GST_FLOW_EOS);

  /* A buffer of the caller's is filled. */
  GstBuffer *own = gst_buffer_new_allocate (NULL, 9000, NULL), *same = own;
  fail_unless_equals_int (
      gst_pad_get_range (p.pad, 77, 9000, &same), GST_FLOW_OK);
  fail_unless (same == own);
  fail_unless (gst_buffer_memcmp (own, 0, plain + 77, 9000) == 0);
  gst_buffer_unref (own);
  end_pulling (&p);
  gst_object_unref (p.bus);
}
GST_END_TEST

GST_START_TEST (a_cut_file_can_be_pulled_up_to_the_cut)
{
  g_autoptr (GByteArray) file =
      encrypt (ENC " chunk-size=4096", sizeof plain, 1000000);
  gsize len = HEADER + 2 * 24 + 17 * (21 + 4096) + 3;
  gint64 size;
  Puller p;

  fail_if (pull_from (&p, DEC, file->data, len));
  end_pulling (&p);
  expect_message (
      NULL, p.bus, GST_MESSAGE_ERROR, "in chunk 17, at byte 70117");

  fail_unless (pull_from (&p, DEC " allow-truncated=true", file->data, len));
  fail_unless (gst_pad_query_duration (p.pad, GST_FORMAT_BYTES, &size));
  fail_unless_equals_int64 (size, 17 * 4096);
  fail_unless_equals_int (
      check_range (&p, 16 * 4096 - 5, 100000, 4101), GST_FLOW_OK);
  fail_unless_equals_int (check_range (&p, 0, 100, 100), GST_FLOW_OK);
  fail_unless_equals_int (check_range (&p, 17 * 4096, 1, 0), GST_FLOW_EOS);
  end_pulling (&p);
  expect_message (NULL, p.bus, GST_MESSAGE_WARNING, "in chunk 17");
}
GST_END_TEST

GST_START_TEST (what_was_changed_cannot_be_pulled)
{
  g_autoptr (GByteArray) file =
      encrypt (ENC " chunk-size=4096", sizeof plain, 1000000);
  Puller p;

  file->data[HEADER + 2 * 24 + 20 * (21 + 4096) + 50] ^= 0x80;
  fail_unless (pull_from (&p, DEC, file->data, file->len));
  fail_unless_equals_int (check_range (&p, 0, 100, 100), GST_FLOW_OK);
  fail_unless_equals_int (
      check_range (&p, 20 * 4096 - 10, 20, 0), GST_FLOW_ERROR);
  fail_unless_equals_int (
      check_range (&p, 19 * 4096, 4096, 4096), GST_FLOW_OK);
  fail_unless_equals_int (
      check_range (&p, 33 * 4096, 4096, 4096), GST_FLOW_OK);
  end_pulling (&p);
  expect_message (NULL, p.bus, GST_MESSAGE_ERROR, "in chunk 20");

  /* Something appended. */
  file->data[HEADER + 2 * 24 + 20 * (21 + 4096) + 50] ^= 0x80;
  g_byte_array_append (file, plain, 1);
  fail_if (pull_from (&p, DEC, file->data, file->len));
  end_pulling (&p);
  expect_message (NULL, p.bus, GST_MESSAGE_ERROR, "something was appended");
}
GST_END_TEST

static Suite *
secretstreamelements_suite (void)
{
  Suite *s = suite_create ("secretstreamelements");
  TCase *tc = tcase_create ("elements");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, set_up, NULL);
  tcase_add_loop_test (tc, what_goes_in_comes_out, 0, 18);
  tcase_add_test (tc, a_chunk_leaves_after_the_latency);
  tcase_add_test (tc, without_a_latency_chunks_wait_until_they_are_full);
  tcase_add_test (tc, a_flush_begins_another_file);
  tcase_add_test (tc, a_second_run_writes_another_file);
  tcase_add_test (tc, who_goes_back_changes_nothing);
  tcase_add_test (tc, a_gap_is_an_error);
  tcase_add_test (tc, upstream_learns_that_it_cannot_seek);
  tcase_add_test (tc, the_timer_meets_data_flushes_and_ends);
  tcase_add_loop_test (
      tc, useless_settings_are_errors_that_say_what_to_do, 0, 10);
  tcase_add_test (tc, the_key_cannot_be_read);
  /* Its warning is wanted, and under G_DEBUG=fatal-warnings the end. */
  if (!strstr (
          g_getenv ("G_DEBUG") ? g_getenv ("G_DEBUG") : "", "fatal-warnings"))
    tcase_add_test (tc, settings_are_fixed_while_data_flows);
  tcase_add_test (tc, a_cut_stream_is_an_error_or_on_demand_a_warning);
  tcase_add_test (tc, a_changed_stream_ends_at_the_change);
  tcase_add_test (tc, bytes_behind_the_end_are_an_error);
  tcase_add_test (tc, a_flush_lets_a_stream_begin_anew);
  tcase_add_test (tc, any_range_can_be_pulled);
  tcase_add_test (tc, a_cut_file_can_be_pulled_up_to_the_cut);
  tcase_add_test (tc, what_was_changed_cannot_be_pulled);
  return s;
}

GST_CHECK_MAIN (secretstreamelements);

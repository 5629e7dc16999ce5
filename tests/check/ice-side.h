/* One side of a call, for tests of icetransport: an element, what it told, and what arrived.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/check/gstcheck.h>
#include <malloc.h>
#include <string.h>

#define WAIT                                                                  \
  (40 * G_TIME_SPAN_SECOND) /* a hang is a failure, slowness is not */
#define LOOK_AGAIN 500      /* us until a number is looked at again */

/* An element of one side, what it told, and what arrived. */
typedef struct
{
  GstElement *element;
  GstPad *push, *take;
  GstBus *bus;
  GMutex lock;
  GCond cond;
  GPtrArray *states;     /* of char* */
  GPtrArray *candidates; /* of char* */
  GPtrArray *arrived;    /* of GstBuffer */
  guint lists;
  guint descriptions;
  guint keyframes;
  guint pairs;
  gboolean eos;
  guint segments, stream_starts;
  char *stream_id;
  GstCaps *caps;
  GstFlowReturn ret;
  GMutex
      gate; /* whoever holds it while `gated` keeps the streaming thread waiting */
  gint gated;            /* atomic */
  gboolean held;         /* the streaming thread has come to the gate */
  gint stop;             /* atomic; for a thread that sends */
  gboolean keep_nothing; /* count what arrives, and give it back */
  guint n_arrived;
} Side;

static inline gboolean
wait_until (Side *side, gboolean (*done) (Side *side, guint n), guint n)
{
  gint64 end = g_get_monotonic_time () + WAIT;
  gboolean ok;

  g_mutex_lock (&side->lock);
  while (!(ok = done (side, n))
         && g_cond_wait_until (&side->cond, &side->lock, end))
    ;
  g_mutex_unlock (&side->lock);
  return ok;
}

static inline void
on_state (GstElement *element, GParamSpec *pspec, Side *side)
{
  gint value;
  g_object_get (element, "state", &value, NULL);
  GEnumClass *klass = G_PARAM_SPEC_ENUM (pspec)->enum_class;
  g_mutex_lock (&side->lock);
  g_ptr_array_add (
      side->states, g_strdup (g_enum_get_value (klass, value)->value_nick));
  g_cond_broadcast (&side->cond);
  g_mutex_unlock (&side->lock);
}

static inline void
on_pair (GstElement *element, GParamSpec *pspec, Side *side)
{
  g_mutex_lock (&side->lock);
  side->pairs++;
  g_cond_broadcast (&side->cond);
  g_mutex_unlock (&side->lock);
}

static inline void
on_description (GstElement *element, const char *text, Side *side)
{
  g_mutex_lock (&side->lock);
  side->descriptions++;
  g_cond_broadcast (&side->cond);
  g_mutex_unlock (&side->lock);
}

static inline void
on_candidate (GstElement *element, const char *text, Side *side)
{
  g_mutex_lock (&side->lock);
  g_ptr_array_add (side->candidates, g_strdup (text));
  g_cond_broadcast (&side->cond);
  g_mutex_unlock (&side->lock);
}

static inline void
pass_gate (Side *side)
{
  if (!g_atomic_int_get (&side->gated))
    return;
  g_mutex_lock (&side->lock);
  side->held = TRUE;
  g_cond_broadcast (&side->cond);
  g_mutex_unlock (&side->lock);
  g_mutex_lock (&side->gate);
  g_mutex_unlock (&side->gate);
}

static inline void
take_one (Side *side, GstBuffer *buffer)
{
  side->n_arrived++;
  if (side->keep_nothing)
    gst_buffer_unref (buffer);
  else
    g_ptr_array_add (side->arrived, buffer);
}

static inline GstFlowReturn
take_buffer (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  Side *side = gst_pad_get_element_private (pad);
  pass_gate (side);
  g_mutex_lock (&side->lock);
  take_one (side, buffer);
  GstFlowReturn ret = side->ret;
  g_cond_broadcast (&side->cond);
  g_mutex_unlock (&side->lock);
  return ret;
}

static inline GstFlowReturn
take_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  Side *side = gst_pad_get_element_private (pad);
  pass_gate (side);
  g_mutex_lock (&side->lock);
  side->lists++;
  for (guint i = 0; i < gst_buffer_list_length (list); i++)
    take_one (side, gst_buffer_ref (gst_buffer_list_get (list, i)));
  GstFlowReturn ret = side->ret;
  g_cond_broadcast (&side->cond);
  g_mutex_unlock (&side->lock);
  gst_buffer_list_unref (list);
  return ret;
}

static inline gboolean
take_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  Side *side = gst_pad_get_element_private (pad);
  GstCaps *caps;
  g_mutex_lock (&side->lock);
  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    gst_event_parse_caps (event, &caps);
    gst_caps_replace (&side->caps, caps);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    side->eos = TRUE;
  else if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT)
    side->segments++;
  else if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START) {
    const char *id;
    gst_event_parse_stream_start (event, &id);
    side->stream_starts++;
    g_free (side->stream_id);
    side->stream_id = g_strdup (id);
  }
  g_cond_broadcast (&side->cond);
  g_mutex_unlock (&side->lock);
  gst_event_unref (event);
  return TRUE;
}

static inline gboolean
push_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  Side *side = gst_pad_get_element_private (pad);
  g_mutex_lock (&side->lock);
  if (GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_UPSTREAM
      && gst_event_has_name (event, "GstForceKeyUnit"))
    side->keyframes++;
  g_cond_broadcast (&side->cond);
  g_mutex_unlock (&side->lock);
  gst_event_unref (event);
  return TRUE;
}

static inline void
free_buffer (gpointer buffer)
{
  gst_buffer_unref (buffer);
}

static inline GstPad *
link_pad (Side *side, const char *name, GstPadDirection direction)
{
  GstPad *inner = gst_element_get_static_pad (side->element, name);
  GstPad *pad = gst_pad_new (NULL, direction);

  gst_pad_set_element_private (pad, side);
  if (direction == GST_PAD_SINK) {
    gst_pad_set_chain_function (pad, take_buffer);
    gst_pad_set_chain_list_function (pad, take_list);
    gst_pad_set_event_function (pad, take_event);
  } else
    gst_pad_set_event_function (pad, push_event);
  gst_pad_set_active (pad, TRUE);
  fail_unless_equals_int (direction == GST_PAD_SINK
                              ? gst_pad_link (inner, pad)
                              : gst_pad_link (pad, inner),
      GST_PAD_LINK_OK);
  gst_object_unref (inner);
  return pad;
}

static inline void
side_init (Side *side, gboolean controlling)
{
  GstClock *clock = gst_system_clock_obtain ();

  memset (side, 0, sizeof *side);
  side->element =
      gst_object_ref_sink (gst_element_factory_make ("icetransport", NULL));
  fail_unless (side->element != NULL);
  g_object_set (side->element, "controlling", controlling, "bind-address",
      "127.0.0.1", NULL);
  gst_element_set_clock (side->element, clock);
  gst_object_unref (clock);
  side->bus = gst_bus_new ();
  gst_element_set_bus (side->element, side->bus);
  g_mutex_init (&side->lock);
  g_mutex_init (&side->gate);
  g_cond_init (&side->cond);
  side->states = g_ptr_array_new_with_free_func (g_free);
  side->candidates = g_ptr_array_new_with_free_func (g_free);
  side->arrived = g_ptr_array_new_with_free_func (free_buffer);
  side->push = link_pad (side, "sink", GST_PAD_SRC);
  side->take = link_pad (side, "src", GST_PAD_SINK);
  g_signal_connect (
      side->element, "notify::state", G_CALLBACK (on_state), side);
  g_signal_connect (
      side->element, "notify::selected-pair", G_CALLBACK (on_pair), side);
  g_signal_connect (side->element, "local-description-changed",
      G_CALLBACK (on_description), side);
  g_signal_connect (
      side->element, "on-ice-candidate", G_CALLBACK (on_candidate), side);
}

static inline void
side_clear (Side *side)
{
  fail_unless_equals_int (
      gst_element_set_state (side->element, GST_STATE_NULL),
      GST_STATE_CHANGE_SUCCESS);
  gst_element_set_bus (side->element, NULL);
  gst_object_unref (side->element);
  gst_object_unref (side->push);
  gst_object_unref (side->take);
  gst_object_unref (side->bus);
  g_ptr_array_unref (side->states);
  g_ptr_array_unref (side->candidates);
  g_ptr_array_unref (side->arrived);
  gst_clear_caps (&side->caps);
  g_free (side->stream_id);
  g_mutex_clear (&side->lock);
  g_mutex_clear (&side->gate);
  g_cond_clear (&side->cond);
}

static inline void
pass_description (GstElement *from, const char *text, GstElement *to)
{
  g_object_set (to, "remote-description", text, NULL);
}

static inline void
introduce (Side *a, Side *b)
{
  g_signal_connect (a->element, "local-description-changed",
      G_CALLBACK (pass_description), b->element);
  g_signal_connect (b->element, "local-description-changed",
      G_CALLBACK (pass_description), a->element);
}

static inline void
start_pushing (Side *side)
{
  GstSegment segment;
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("application/x-rtp");
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (side->push, gst_event_new_stream_start ("test"));
  gst_pad_push_event (side->push, gst_event_new_caps (caps));
  gst_pad_push_event (side->push, gst_event_new_segment (&segment));
}

static inline void
play (Side *side)
{
  fail_unless_equals_int (
      gst_element_set_state (side->element, GST_STATE_PLAYING),
      GST_STATE_CHANGE_SUCCESS);
  start_pushing (side);
}

static inline gboolean
is_ready (Side *side, guint n)
{
  return side->states->len > 0
         && g_str_equal (
             g_ptr_array_index (side->states, side->states->len - 1), "ready");
}

static inline gboolean
has_arrived (Side *side, guint n)
{
  return side->arrived->len >= n;
}

static inline gboolean
has_descriptions (Side *side, guint n)
{
  return side->descriptions >= n;
}

static inline gboolean
is_eos (Side *side, guint n)
{
  return side->eos;
}

static inline GstMessage *
await_message (Side *side, GstMessageType type)
{
  return gst_bus_timed_pop_filtered (side->bus, 60 * GST_SECOND, type);
}

/* An error, or a warning, with these texts in it. */
static inline void
fail_unless_told (
    Side *side, GstMessageType type, const char *text, const char *in_detail)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *detail = NULL;
  GstMessage *message = await_message (side, type);

  fail_unless (message != NULL, "nothing was said");
  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, &detail);
  else
    gst_message_parse_warning (message, &error, &detail);
  gst_message_unref (message);
  fail_unless (strstr (error->message, text), "\"%s\" is not in \"%s\"", text,
      error->message);
  fail_unless (!in_detail || strstr (detail, in_detail),
      "\"%s\" is not in \"%s\"", in_detail, detail);
}

static inline void
fail_unless_error (Side *side, const char *text, const char *in_detail)
{
  fail_unless_told (side, GST_MESSAGE_ERROR, text, in_detail);
}

static inline char *
temporary_dir (void)
{
  char *dir = g_dir_make_tmp ("icetransport-XXXXXX", NULL);
  fail_unless (dir != NULL);
  return dir;
}

static inline void
pair_init (Side *a, Side *b)
{
  side_init (a, TRUE);
  side_init (b, FALSE);
  introduce (a, b);
}

static inline void
pair_connect (Side *a, Side *b)
{
  play (a);
  play (b);
  fail_unless (wait_until (a, is_ready, 0) && wait_until (b, is_ready, 0),
      "no connection");
}

/* A packet as RTP begins, its number behind. */
static inline GstBuffer *
packet (guint number, gsize size)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  gst_buffer_memset (buffer, 0, 0x80, size);
  gst_buffer_fill (buffer, 1, &number, MIN (size - 1, sizeof number));
  return buffer;
}

static inline guint
number_of (GstBuffer *buffer)
{
  guint number = 0;
  gst_buffer_extract (buffer, 1, &number, sizeof number);
  return number;
}

static inline guint64
stat_of (Side *side, const char *name)
{
  GstStructure *stats;
  guint64 value = 0;
  guint small;
  g_object_get (side->element, "stats", &stats, NULL);
  if (!gst_structure_get_uint64 (stats, name, &value)) {
    fail_unless (gst_structure_get_uint (stats, name, &small),
        "no statistic \"%s\"", name);
    value = small;
  }
  gst_structure_free (stats);
  return value;
}

/* What was pushed is counted when the push returns, so a moment after it arrived. */
static inline gboolean
stat_reaches (Side *side, const char *name, guint64 value)
{
  gint64 end = g_get_monotonic_time () + WAIT;
  while (stat_of (side, name) < value && g_get_monotonic_time () < end)
    g_usleep (LOOK_AGAIN);
  return stat_of (side, name) == value;
}

static inline void
sending_adds_up (Side *side)
{
  fail_unless_equals_uint64 (stat_of (side, "packets-in"),
      stat_of (side, "packets-sent") + stat_of (side, "queued")
          + stat_of (side, "dropped-queue-full")
          + stat_of (side, "dropped-refused")
          + stat_of (side, "dropped-discarded"));
}

static inline void
fail_unless_in_order (Side *side, guint n)
{
  fail_unless_equals_int (side->arrived->len, n);
  for (guint i = 0; i < n; i++)
    fail_unless_equals_int (
        number_of (g_ptr_array_index (side->arrived, i)), i);
}

static inline guint
count_entries (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  guint n = 0;
  while (dir && g_dir_read_name (dir))
    n++;
  if (dir)
    g_dir_close (dir);
  return n;
}

/* Bytes that malloc has given out: what the process keeps resident depends on how its arenas were used. */
static inline gsize
allocated_bytes (void)
{
  struct mallinfo2 info = mallinfo2 ();
  return info.uordblks + info.hblkhd;
}

static inline gboolean
arrives_within (Side *side, guint ms)
{
  gint64 end = g_get_monotonic_time () + ms * G_TIME_SPAN_MILLISECOND;
  g_mutex_lock (&side->lock);
  while (side->arrived->len == 0
         && g_cond_wait_until (&side->cond, &side->lock, end))
    ;
  gboolean ok = side->arrived->len > 0;
  g_mutex_unlock (&side->lock);
  return ok;
}

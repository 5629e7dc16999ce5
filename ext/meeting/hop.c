/* The way to the hub and back: one RTP session for all tracks (rtpbin, with retransmission), SRTP, ICE.
 *
 *     tracks ─ rtpfunnel ─ rtpbin ─┬ RTP ── srtpprotect ─┬ bridge ─ icetransport
 *                                  └ RTCP ─ srtpprotect ─┘
 *     tracks ─ rtpbin ─┬ RTP ── srtpunprotect ─ icetransport
 *                      └ RTCP ┘
 *
 * icetransport is at both ends. A bin with a loop in it can't tell which element to start first (GStreamer warns), so the link to
 * icetransport's sink goes by pads that belong to no element: the bridge, where RTP and RTCP become one stream.
 *
 * All but icetransport is made once; that is replaced with each transport the hub gives us. While there is none, and until it
 * is connected, what is to be sent is dropped in front of srtpprotect, which has no key then.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mediaparts.h"

#include <gst/rtp/rtp.h>
#include <stdio.h>
#include <string.h>

#define GST_CAT_DEFAULT meetingmedia_debug

#define SRTP_KEY_LEN 44 /* RFC 7714, 12.1: master key 32, master salt 12 */
#define MAX_SSRCS 1024  /* received at a time, those of RTX included */

/* rtpbin asks for them, by payload type. The codec differs from track to track, so what stands here is a stand-in, which receive.c
 * replaces. Without rtcp-fb-nack-pli no request for a keyframe leaves. */
#define VIDEO_CAPS                                                                                                                     \
  "application/x-rtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)VP8, a-sframe=(string)\"\", payload=(int)96, " \
  "rtcp-fb-nack=(boolean)true, rtcp-fb-nack-pli=(boolean)true"
#define AUDIO_CAPS                                                            \
  "application/x-rtp, media=(string)audio, clock-rate=(int)48000, encoding-name=(string)OPUS, a-sframe=(string)\"\", payload=(int)111"
#define VIDEO_RTX_CAPS                                                        \
  "application/x-rtp, media=(string)video, clock-rate=(int)90000, encoding-name=(string)RTX, apt=(string)96, payload=(int)97"
#define AUDIO_RTX_CAPS                                                        \
  "application/x-rtp, media=(string)audio, clock-rate=(int)48000, encoding-name=(string)RTX, apt=(string)111, payload=(int)112"
#define TWCC_URI                                                              \
  "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

G_STATIC_ASSERT (MEDIA_VIDEO_PT == 96 && MEDIA_VIDEO_RTX_PT == 97);
G_STATIC_ASSERT (MEDIA_AUDIO_PT == 111 && MEDIA_AUDIO_RTX_PT == 112);

/* ---- rtpbin's questions ---- */

static GstCaps *
give_pt_map (GstElement *rtpbin, guint session, guint pt, gpointer unused)
{
  g_autofree char *twcc = g_strdup_printf ("extmap-%d", MEDIA_TWCC_ID);
  GstCaps *caps = NULL;

  if (pt == MEDIA_VIDEO_PT)
    caps = gst_caps_from_string (VIDEO_CAPS);
  else if (pt == MEDIA_AUDIO_PT)
    caps = gst_caps_from_string (AUDIO_CAPS);
  else if (pt == MEDIA_VIDEO_RTX_PT)
    caps = gst_caps_from_string (VIDEO_RTX_CAPS);
  else if (pt == MEDIA_AUDIO_RTX_PT)
    caps = gst_caps_from_string (AUDIO_RTX_CAPS);
  if (caps)
    gst_caps_set_simple (caps, twcc, G_TYPE_STRING, TWCC_URI, NULL);
  return caps;
}

static GstStructure *
pt_map_of_rtx (void)
{
  return gst_structure_new ("application/x-rtp-pt-map", "96", G_TYPE_UINT,
      MEDIA_VIDEO_RTX_PT, "111", G_TYPE_UINT, MEDIA_AUDIO_RTX_PT, NULL);
}

/* Around an RTX element, as rtpbin wants it. */
static GstElement *
make_aux (GstElement *rtx)
{
  GstElement *bin = gst_bin_new (NULL);
  g_autoptr (GstStructure) map = pt_map_of_rtx ();
  g_autoptr (GstPad) sink = gst_element_get_static_pad (rtx, "sink");
  g_autoptr (GstPad) src = gst_element_get_static_pad (rtx, "src");

  g_object_set (rtx, "payload-type-map", map, NULL);
  gst_bin_add (GST_BIN (bin), rtx); /* takes a reference of its own */
  gst_element_add_pad (bin, gst_ghost_pad_new ("sink_0", sink));
  gst_element_add_pad (bin, gst_ghost_pad_new ("src_0", src));
  return bin;
}

static GstElement *
give_aux_sender (
    GstElement *rtpbin, guint session, ConclaveMeetingMedia *media)
{
  return make_aux (media->hop.rtx_send);
}

static GstElement *
give_aux_receiver (
    GstElement *rtpbin, guint session, ConclaveMeetingMedia *media)
{
  return make_aux (media->hop.rtx_receive);
}

/* Only what is missing for certain, because a later packet came, is asked for again: guesses when the next one is due go wrong
 * with video, whose packets come in bursts, and made tens of requests a second without any loss. */
static void
set_up_jitterbuffer (GstElement *rtpbin, GstElement *jitterbuffer,
    guint session, guint ssrc, gpointer unused)
{
  g_object_set (jitterbuffer, "rtx-next-seqnum", FALSE, NULL);
}

static void
take_stream (GstElement *rtpbin, GstPad *pad, ConclaveMeetingMedia *media)
{
  guint session, ssrc, pt;

  if (sscanf (
          GST_PAD_NAME (pad), "recv_rtp_src_%u_%u_%u", &session, &ssrc, &pt)
      == 3)
    meeting_receive_link (media, ssrc, pad);
}

/* ---- What passes ---- */

/* Without a way to the hub nothing is sent; it is no error either. */
static GstPadProbeReturn
drop_unless_connected (GstPad *pad, GstPadProbeInfo *info, gpointer media)
{
  return g_atomic_int_get (&CONCLAVE_MEETING_MEDIA (media)->hop.connected)
             ? GST_PAD_PROBE_OK
             : GST_PAD_PROBE_DROP;
}

static gboolean
keep_expected (GstBuffer **packet, guint i, gpointer expected)
{
  if (!meeting_expected_passes (expected, *packet))
    gst_clear_buffer (packet);
  return TRUE;
}

static GstPadProbeReturn
drop_unexpected (GstPad *pad, GstPadProbeInfo *info, gpointer media)
{
  MeetingExpected *expected = CONCLAVE_MEETING_MEDIA (media)->expected;

  if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
    return meeting_expected_passes (
               expected, GST_PAD_PROBE_INFO_BUFFER (info))
               ? GST_PAD_PROBE_OK
               : GST_PAD_PROBE_DROP;

  GstBufferList *list =
      gst_buffer_list_make_writable (GST_PAD_PROBE_INFO_BUFFER_LIST (info));
  gst_buffer_list_foreach (list, keep_expected, expected);
  GST_PAD_PROBE_INFO_DATA (info) = list;
  return gst_buffer_list_length (list) > 0 ? GST_PAD_PROBE_OK
                                           : GST_PAD_PROBE_DROP;
}

/* ---- The bridge ---- */

static GstPad *
other_end (GstPad *pad)
{
  return gst_pad_get_element_private (pad);
}

static GstFlowReturn
bridge_chain (GstPad *pad, GstObject *parent, GstBuffer *packet)
{
  GstFlowReturn flow = gst_pad_push (other_end (pad), packet);
  return flow == GST_FLOW_NOT_LINKED ? GST_FLOW_OK : flow;
}

static GstFlowReturn
bridge_chain_list (GstPad *pad, GstObject *parent, GstBufferList *packets)
{
  GstFlowReturn flow = gst_pad_push_list (other_end (pad), packets);
  return flow == GST_FLOW_NOT_LINKED ? GST_FLOW_OK : flow;
}

/* Two streams meet here, and each begins and ends on its own; behind, it is one that began when the bridge was made. */
static gboolean
bridge_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  gst_event_unref (event);
  return TRUE;
}

/* Asked for keyframes: icetransport does so when its path is there again. */
static gboolean
bridge_upstream_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  return gst_pad_push_event (other_end (pad), event);
}

static gboolean
bridge_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  return gst_pad_peer_query (other_end (pad), query);
}

static GstPad *
make_entrance (MeetingHop *hop, const char *name)
{
  GstPad *pad = gst_object_ref_sink (gst_pad_new (name, GST_PAD_SINK));

  gst_pad_set_element_private (pad, hop->bridge_out);
  gst_pad_set_chain_function (pad, bridge_chain);
  gst_pad_set_chain_list_function (pad, bridge_chain_list);
  gst_pad_set_event_function (pad, bridge_event);
  gst_pad_set_query_function (pad, bridge_query);
  gst_pad_set_active (pad, TRUE);
  return pad;
}

static void
make_bridge (MeetingHop *hop)
{
  GstSegment segment;

  hop->bridge_out =
      gst_object_ref_sink (gst_pad_new ("bridge-out", GST_PAD_SRC));
  hop->bridge_rtp = make_entrance (hop, "bridge-rtp");
  hop->bridge_rtcp = make_entrance (hop, "bridge-rtcp");
  gst_pad_set_element_private (hop->bridge_out, hop->bridge_rtp);
  gst_pad_set_event_function (hop->bridge_out, bridge_upstream_event);
  gst_pad_set_query_function (hop->bridge_out, bridge_query);
  gst_pad_set_active (hop->bridge_out, TRUE);
  /* Sticky: each transport that is linked gets them. */
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (
      hop->bridge_out, gst_event_new_stream_start ("meeting/to-hub"));
  gst_pad_push_event (hop->bridge_out, gst_event_new_segment (&segment));
}

static gboolean
link_bridge (GstPad *bridge, GstElement *element, const char *name)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, name);

  return GST_PAD_LINK_SUCCESSFUL (GST_PAD_IS_SRC (bridge)
                                      ? gst_pad_link (bridge, pad)
                                      : gst_pad_link (pad, bridge));
}

static void
unlink_bridge (GstPad *bridge)
{
  g_autoptr (GstPad) peer = gst_pad_get_peer (bridge);

  if (peer && GST_PAD_IS_SRC (bridge))
    gst_pad_unlink (bridge, peer);
  else if (peer)
    gst_pad_unlink (peer, bridge);
}

/* ---- Building ---- */

static gboolean
make_elements (ConclaveMeetingMedia *media)
{
  MeetingHop *hop = &media->hop;
  struct
  {
    GstElement **element;
    const char *factory, *name;
  } parts[] = {
    { &hop->funnel, "rtpfunnel", "tracks" },
    { &hop->rtpbin, "rtpbin", "rtpbin" },
    { &hop->rtx_send, "rtprtxsend", "rtx-send" },
    { &hop->rtx_receive, "rtprtxreceive", "rtx-receive" },
    { &hop->protect, "srtpprotect", "protect" },
    { &hop->unprotect, "srtpunprotect", "unprotect" },
  };
  gboolean made = TRUE;

  for (guint i = 0; made && i < G_N_ELEMENTS (parts); i++) {
    *parts[i].element =
        meeting_media_make (media, parts[i].factory, parts[i].name);
    made = *parts[i].element != NULL;
    if (made)
      gst_object_ref_sink (*parts[i].element);
  }
  for (guint i = 0; !made && i < G_N_ELEMENTS (parts); i++)
    gst_clear_object (parts[i].element);
  return made;
}

static void
set_up_rtpbin (ConclaveMeetingMedia *media)
{
  MeetingHop *hop = &media->hop;
  guint latency;

  GST_OBJECT_LOCK (media);
  latency = media->latency;
  GST_OBJECT_UNLOCK (media);
  /* Capture time, not sending time, is what keeps lips and voice together: encoders differ in delay. */
  g_object_set (hop->rtpbin, "latency", latency, "do-lost", TRUE,
      "do-retransmission", TRUE, "rtcp-sync-send-time", FALSE, "max-streams",
      (guint) MAX_SSRCS, NULL);
  gst_util_set_object_arg (G_OBJECT (hop->rtpbin), "rtp-profile", "avpf");
  g_signal_connect (
      hop->rtpbin, "request-pt-map", G_CALLBACK (give_pt_map), NULL);
  g_signal_connect (
      hop->rtpbin, "request-aux-sender", G_CALLBACK (give_aux_sender), media);
  g_signal_connect (hop->rtpbin, "request-aux-receiver",
      G_CALLBACK (give_aux_receiver), media);
  g_signal_connect (
      hop->rtpbin, "new-jitterbuffer", G_CALLBACK (set_up_jitterbuffer), NULL);
  g_signal_connect (hop->rtpbin, "pad-added", G_CALLBACK (take_stream), media);
}

static void
probe (GstElement *element, const char *pad_name, GstPadProbeCallback callback,
    ConclaveMeetingMedia *media)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, pad_name);
  gst_pad_add_probe (pad,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, callback,
      media, NULL);
}

static gboolean
link_all (ConclaveMeetingMedia *media)
{
  MeetingHop *hop = &media->hop;
  const struct
  {
    GstElement *from;
    const char *src;
    GstElement *to;
    const char *sink;
  } links[] = {
    { hop->funnel, "src", hop->rtpbin, "send_rtp_sink_0" },
    { hop->rtpbin, "send_rtp_src_0", hop->protect, "rtp_sink_0" },
    { hop->rtpbin, "send_rtcp_src_0", hop->protect, "rtcp_sink_0" },
    { hop->unprotect, "rtp_src", hop->rtpbin, "recv_rtp_sink_0" },
    { hop->unprotect, "rtcp_src", hop->rtpbin, "recv_rtcp_sink_0" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (links); i++)
    if (!gst_element_link_pads (
            links[i].from, links[i].src, links[i].to, links[i].sink))
      return FALSE;
  make_bridge (hop);
  return link_bridge (hop->bridge_rtp, hop->protect, "rtp_src_0")
         && link_bridge (hop->bridge_rtcp, hop->protect, "rtcp_src_0");
}

void
meeting_hop_dispose (ConclaveMeetingMedia *media)
{
  MeetingHop *hop = &media->hop;
  GstElement **parts[] = { &hop->funnel, &hop->rtpbin, &hop->rtx_send,
    &hop->rtx_receive, &hop->protect, &hop->unprotect, &hop->ice };

  GstPad **bridge[] = { &hop->bridge_rtp, &hop->bridge_rtcp,
    &hop->bridge_out };
  for (guint i = 0; i < G_N_ELEMENTS (bridge); i++) {
    if (*bridge[i]) {
      unlink_bridge (*bridge[i]);
      gst_pad_set_active (*bridge[i], FALSE);
    }
    gst_clear_object (bridge[i]);
  }
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    gst_clear_object (parts[i]);
}

gboolean
meeting_hop_build (ConclaveMeetingMedia *media)
{
  MeetingHop *hop = &media->hop;

  if (hop->rtpbin)
    return TRUE;
  if (!make_elements (media))
    return FALSE;
  set_up_rtpbin (media);
  gst_bin_add_many (GST_BIN (media), hop->funnel, hop->rtpbin, hop->protect,
      hop->unprotect, NULL);
  gboolean linked = link_all (media);
  g_return_val_if_fail (linked, FALSE);

  /* SRTP vouches for each packet, so a source need not prove itself by a second one; the first of its retransmissions would
   * wait for that. */
  g_autoptr (GstElement) session = NULL;
  g_signal_emit_by_name (hop->rtpbin, "get-session", 0u, &session);
  if (session)
    g_object_set (session, "probation", 0u, NULL);
  probe (hop->protect, "rtp_sink_0", drop_unless_connected, media);
  probe (hop->protect, "rtcp_sink_0", drop_unless_connected, media);
  probe (hop->unprotect, "rtp_src", drop_unexpected, media);
  return TRUE;
}

/* ---- Transports ---- */

typedef struct
{
  char *description;
  GBytes *send_key, *receive_key;
} Transport;

static void
free_transport (gpointer data)
{
  Transport *transport = data;
  g_free (transport->description);
  g_bytes_unref (transport->send_key);
  g_bytes_unref (transport->receive_key);
  g_free (transport);
}

/* Static. */
static const char *
state_of (GstElement *ice)
{
  GValue value = G_VALUE_INIT;
  const GParamSpec *pspec =
      g_object_class_find_property (G_OBJECT_GET_CLASS (ice), "state");

  g_value_init (&value, pspec->value_type);
  g_object_get_property (G_OBJECT (ice), "state", &value);
  const GEnumValue *state = g_enum_get_value (
      G_PARAM_SPEC_ENUM (pspec)->enum_class, g_value_get_enum (&value));
  g_value_unset (&value);
  return state ? state->value_nick : "";
}

static void
refresh (ConclaveMeetingMedia *media, gpointer unused)
{
  meeting_publish_refresh (media);
}

static void
say_state (ConclaveMeetingMedia *media, const char *state)
{
  if (g_str_equal (state, "connected") || g_str_equal (state, "ready")) {
    if (!g_atomic_int_compare_and_exchange (&media->hop.connected, 0, 1))
      return;
    meeting_media_queue (media, refresh, NULL, NULL);
    meeting_media_tell_transport (media, TRUE, NULL);
  } else if (g_str_equal (state, "disconnected")) {
    if (g_atomic_int_compare_and_exchange (&media->hop.connected, 1, 0))
      meeting_media_tell_transport (media, FALSE,
          "The way to the hub was lost: it does not answer any more, or this computer changed its network.");
  } else if (g_str_equal (state, "failed")) {
    g_atomic_int_set (&media->hop.connected, 0);
    meeting_media_tell_transport (media, FALSE,
        "No way to the hub's media port was found: none of its addresses answered. A firewall may block UDP.");
  }
}

static void
state_changed (GstElement *ice, GParamSpec *pspec, gpointer media)
{
  say_state (media, state_of (ice));
}

/* The worker's. */
void
meeting_hop_drop_transport (ConclaveMeetingMedia *media)
{
  MeetingHop *hop = &media->hop;
  g_autoptr (GstElement) ice = g_steal_pointer (&hop->ice);

  g_atomic_int_set (&hop->connected, 0);
  if (!ice)
    return;
  g_signal_handlers_disconnect_by_data (ice, media);
  gst_element_set_locked_state (ice, TRUE);
  unlink_bridge (hop->bridge_out);
  gst_element_unlink (ice, hop->unprotect);
  gst_element_set_state (ice, GST_STATE_NULL);
  gst_bin_remove (GST_BIN (media), ice);
  /* A handler that ran meanwhile may have set it. */
  g_atomic_int_set (&hop->connected, 0);
}

static gboolean
set_keys (MeetingHop *hop, const Transport *transport)
{
  gboolean sends = FALSE, receives = FALSE;

  g_signal_emit_by_name (
      hop->protect, "set-key", transport->send_key, NULL, &sends);
  g_signal_emit_by_name (
      hop->unprotect, "set-key", transport->receive_key, NULL, &receives);
  return sends && receives;
}

static void
set_transport (ConclaveMeetingMedia *media, gpointer data)
{
  const Transport *transport = data;
  MeetingHop *hop = &media->hop;

  meeting_hop_drop_transport (media);
  if (!hop->rtpbin)
    return; /* in NULL */
  GstElement *ice = meeting_media_make (media, "icetransport", NULL);
  if (!ice)
    return;
  hop->ice = gst_object_ref_sink (ice);
  if (!set_keys (hop, transport)) {
    gst_clear_object (&hop->ice);
    meeting_media_tell_transport (media, FALSE,
        "The hub gave keys for the way to it that were used before.");
    return;
  }
  g_autofree char *name = g_strdup_printf ("ice-%u", hop->generation++);
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("application/x-srtp");
  g_autofree char *stun = NULL, *turn = NULL;
  GST_OBJECT_LOCK (media);
  stun = g_strdup (media->stun_server);
  turn = g_strdup (media->turn_servers);
  GST_OBJECT_UNLOCK (media);
  gst_object_set_name (GST_OBJECT (ice), name);
  g_object_set (ice, "controlling", TRUE, "caps", caps, "stun-server", stun,
      "turn-servers", turn, "remote-description", transport->description,
      NULL);
  g_signal_connect (ice, "notify::state", G_CALLBACK (state_changed), media);
  gst_bin_add (GST_BIN (media), ice);
  if (!link_bridge (hop->bridge_out, ice, "sink")
      || !gst_element_link_pads (ice, "src", hop->unprotect, "rtp_sink")
      || !gst_element_sync_state_with_parent (ice))
    meeting_media_tell_transport (
        media, FALSE, "The way to the hub could not be started.");
}

/* RFC 8839, 5.4: ice-char. */
static gboolean
are_ice_chars (const char *text, gsize least)
{
  gsize n = 0;
  for (; text && g_ascii_isprint (text[n]); n++)
    if (!g_ascii_isalnum (text[n]) && text[n] != '+' && text[n] != '/')
      return FALSE;
  return text && text[n] == '\0' && n >= least && n <= 256;
}

/* The description of an ICE-lite hub (RFC 8840, 9), or NULL for what could be more than it says. */
static char *
describe (const char *ufrag, const char *pwd, const TextList *candidates)
{
  if (!are_ice_chars (ufrag, 4) || !are_ice_chars (pwd, 22)
      || candidates->count == 0)
    return NULL;
  GString *text = g_string_new ("a=ice-lite\r\n");
  g_string_append_printf (
      text, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", ufrag, pwd);
  for (gsize i = 0; i < candidates->count; i++) {
    const char *line = candidates->at[i];
    gboolean fits = g_str_has_prefix (line, "candidate:");
    for (const char *c = line; fits && *c; c++)
      fits = g_ascii_isprint (*c);
    if (!fits) {
      g_string_free (text, TRUE);
      return NULL;
    }
    g_string_append_printf (text, "a=%s\r\n", line);
  }
  g_string_append (text, "a=end-of-candidates\r\n");
  return g_string_free (text, FALSE);
}

gboolean
meeting_media_set_transport (ConclaveMeetingMedia *media, const char *ufrag,
    const char *pwd, const TextList *candidates, const Blob *send_key,
    const Blob *receive_key)
{
  if (send_key->len != SRTP_KEY_LEN || receive_key->len != SRTP_KEY_LEN)
    return FALSE;
  g_autofree char *description = describe (ufrag, pwd, candidates);
  if (!description)
    return FALSE;
  g_autoptr (GBytes) send =
      meeting_secret_bytes (send_key->data, send_key->len);
  g_autoptr (GBytes) receive =
      meeting_secret_bytes (receive_key->data, receive_key->len);
  if (!send || !receive)
    return FALSE;

  Transport *transport = g_new (Transport, 1);
  *transport = (Transport){ g_steal_pointer (&description),
    g_steal_pointer (&send), g_steal_pointer (&receive) };
  meeting_media_queue (media, set_transport, transport, free_transport);
  return TRUE;
}

static void
drop_transport (ConclaveMeetingMedia *media, gpointer unused)
{
  meeting_hop_drop_transport (media);
}

void
meeting_media_drop_transport (ConclaveMeetingMedia *media)
{
  g_atomic_int_set (&media->hop.connected, 0);
  meeting_media_queue (media, drop_transport, NULL, NULL);
}

/* ---- Streams ---- */

typedef struct
{
  guint32 ssrc, roc;
} Stand;

static void
set_roc (ConclaveMeetingMedia *media, gpointer data)
{
  const Stand *stand = data;
  GstElement *unprotect = media->hop.unprotect;
  gint64 index = -1;
  gboolean taken = FALSE;

  if (!unprotect)
    return;
  g_signal_emit_by_name (unprotect, "get-index", stand->ssrc, &index);
  /* After a pause any sequence number may follow: from the middle of the ROC all of them are nearest in it. */
  if (index < 0)
    g_signal_emit_by_name (
        unprotect, "set-roc", stand->ssrc, stand->roc, &taken);
  else
    g_signal_emit_by_name (unprotect, "set-index", stand->ssrc,
        (guint64) stand->roc << 16 | 0x8000, &taken);
}

/* Waits: the caller then asks the hub for the packets. In the order of the calls, so that the key is there before. */
void
meeting_media_set_roc (
    ConclaveMeetingMedia *media, uint32_t ssrc, uint32_t roc)
{
  Stand stand = { ssrc, roc };
  meeting_media_run (media, set_roc, &stand);
}

void
meeting_hop_drain (ConclaveMeetingMedia *media)
{
  g_autoptr (GstPad) sink =
      gst_element_get_static_pad (media->hop.unprotect, "rtp_sink");

  GST_PAD_STREAM_LOCK (sink);
  GST_PAD_STREAM_UNLOCK (sink);
}

static GstElement *
find_demux (GstElement *rtpbin)
{
  GstIterator *children = gst_bin_iterate_all_by_element_factory_name (
      GST_BIN (rtpbin), "rtpssrcdemux");
  GValue item = G_VALUE_INIT;
  GstElement *demux = NULL;

  if (gst_iterator_next (children, &item) == GST_ITERATOR_OK)
    demux = g_value_dup_object (&item);
  if (G_IS_VALUE (&item))
    g_value_unset (&item);
  gst_iterator_free (children);
  return demux;
}

void
meeting_hop_forget_ssrc (ConclaveMeetingMedia *media, guint32 ssrc)
{
  g_autoptr (GstElement) demux = find_demux (media->hop.rtpbin);
  if (demux)
    g_signal_emit_by_name (demux, "clear-ssrc", ssrc);
}

static void
add_to_map (GstStructure *map, guint32 ssrc, guint32 rtx)
{
  g_autofree char *name = g_strdup_printf ("%u", ssrc);
  if (rtx != 0)
    gst_structure_set (map, name, G_TYPE_UINT, rtx, NULL);
}

/* Which SSRC retransmits which: what the hub said, so that nothing has to be guessed from requests. */
void
meeting_hop_update_rtx (ConclaveMeetingMedia *media)
{
  g_autoptr (GstStructure) sent =
      gst_structure_new_empty ("application/x-rtp-ssrc-map");
  g_autoptr (GstStructure) received = gst_structure_copy (sent);

  if (!media->hop.rtpbin)
    return;
  for (GList *l = media->sinks; l; l = l->next) {
    const ConclaveMeetingSinkPad *sink = l->data;
    if (sink->published)
      add_to_map (sent, sink->ssrc, sink->rtx);
  }
  for (GList *l = media->remotes; l; l = l->next) {
    const MeetingRemote *remote = l->data;
    add_to_map (received, remote->ssrc, remote->rtx);
  }
  g_object_set (media->hop.rtx_send, "ssrc-map", sent, NULL);
  g_object_set (media->hop.rtx_receive, "ssrc-map", received, NULL);
}

/* ---- Messages ---- */

static gboolean
is_inside (GstMessage *message, GstElement *element)
{
  GstObject *source = GST_MESSAGE_SRC (message);
  return element && source
         && (source == GST_OBJECT (element)
             || gst_object_has_as_ancestor (source, GST_OBJECT (element)));
}

static gboolean
is_transport (GstMessage *message)
{
  GstObject *source = GST_MESSAGE_SRC (message);
  const GstElementFactory *factory =
      GST_IS_ELEMENT (source) ? gst_element_get_factory (GST_ELEMENT (source))
                              : NULL;
  return factory && g_str_equal (GST_OBJECT_NAME (factory), "icetransport");
}

gboolean
meeting_hop_take_message (ConclaveMeetingMedia *media, GstMessage *message)
{
  if (GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR
      || !is_transport (message) || is_inside (message, media->hop.rtpbin))
    return FALSE;
  g_autoptr (GError) error = NULL;
  gst_message_parse_error (message, &error, NULL);
  g_atomic_int_set (&media->hop.connected, 0);
  meeting_media_tell_transport (media, FALSE, error->message);
  return TRUE;
}

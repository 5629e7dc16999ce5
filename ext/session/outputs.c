/* What goes out of a session: frames to the hub, events to the caller.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session_private.h"

static void
push_output (
    Session *session, SessionOutputType type, uint8_t *data, size_t len)
{
  SessionOutput *output = g_new (SessionOutput, 1);
  *output = (SessionOutput){ type, data, len };
  g_queue_push_tail (&session->outputs, output);
}

void
out_connect (Session *session)
{
  push_output (session, SESSION_CONNECT, NULL, 0);
}

void
out_disconnect (Session *session)
{
  push_output (session, SESSION_DISCONNECT, NULL, 0);
}

void
out_text (Session *session, const WireMessage *message)
{
  size_t len;
  if (session->hub.stage < HUB_CONNECTED)
    return;
  char *text = wire_write (message, WIRE_FROM_CLIENT, &len);
  if (text)
    push_output (session, SESSION_SEND_TEXT, (uint8_t *) text, len);
}

void
out_frame (Session *session, WireKind kind, uint64_t seq, const void *message,
    size_t len)
{
  WireHeader header = { kind, seq, { 0 } };
  if (session->hub.stage < HUB_CONNECTED)
    return;
  memcpy (header.room, session->hub.room, LIMIT_ROOM);
  uint8_t *data = g_malloc (WIRE_HEADER + len);
  Writer w = writer_init (data, WIRE_HEADER + len);
  wire_header_write (&w, &header);
  writer_bytes (&w, message, len);
  push_output (session, SESSION_SEND_BINARY, data, WIRE_HEADER + len);
}

void
out_error (Session *session, uint64_t peer, WireCode code)
{
  WireMessage m = { .type = WIRE_ERROR, .peer = peer, .code = code };
  out_text (session, &m);
}

bool
session_next_output (Session *session, SessionOutput *out)
{
  SessionOutput *output = g_queue_pop_head (&session->outputs);
  if (!output)
    return false;
  *out = *output;
  g_free (output);
  return true;
}

void
session_output_clear (SessionOutput *output)
{
  g_free (output->data);
  *output = (SessionOutput){ 0 };
}

SessionEvent *
out_event (Session *session, SessionEventType type)
{
  SessionEvent *event = g_new0 (SessionEvent, 1);
  event->type = type;
  g_queue_push_tail (&session->events, event);
  return event;
}

void
out_member_event (
    Session *session, SessionEventType type, const Member *member)
{
  roster_describe (session, member, &out_event (session, type)->member);
}

void
out_flag (Session *session, SessionEventType type, bool on)
{
  out_event (session, type)->on = on;
}

bool
session_next_event (Session *session, SessionEvent *out)
{
  SessionEvent *event = g_queue_pop_head (&session->events);
  if (!event)
    return false;
  *out = *event;
  g_free (event);
  return true;
}

void
session_event_clear (SessionEvent *event)
{
  secret_unref (event->key.base_key);
  if (event->message.type)
    message_clear (&event->message);
  if (event->media.type)
    wire_clear (&event->media, WIRE_FROM_HUB);
  blob_clear (&event->record);
  *event = (SessionEvent){ 0 };
}

void
session_enter (
    Session *session, SessionState state, WireCode code, int64_t skew)
{
  if (session->state == state && code == 0)
    return;
  session->state = state;
  SessionEvent *event = out_event (session, SESSION_EVENT_STATE);
  event->state = state;
  event->code = code;
  event->skew = skew;
}

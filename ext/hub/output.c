/* What the caller is to send, and what it is told.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "room_private.h"

#include <sodium.h>
#include <string.h>

#define AUDIT_BURST                                                           \
  1000 /* refusals in the audit log; what is beyond is only counted */
#define AUDIT_RATE 100

typedef struct
{
  size_t len;
  char *text;
} Text;

static void
text_wipe (void *data)
{
  Text *text = data;
  sodium_memzero (text->text, text->len);
  g_free (text->text);
  g_free (text);
}

GBytes *
frame_new (const WireMessage *message)
{
  Text *text = g_new0 (Text, 1);
  text->text = wire_write (message, WIRE_FROM_HUB, &text->len);
  if (!text->text) {
    g_free (text);
    return NULL;
  }
  return g_bytes_new_with_free_func (text->text, text->len, text_wipe, text);
}

static void
push_output (Hub *hub, HubOutputType type, uint64_t connection, GBytes *frame)
{
  HubOutput *output = g_new (HubOutput, 1);
  *output = (HubOutput){ type, connection, frame };
  g_queue_push_tail (&hub->outputs, output);
}

void
send_frame (Hub *hub, uint64_t connection, bool binary, GBytes *frame)
{
  hub->stats.sent++;
  push_output (hub, binary ? HUB_SEND_BINARY : HUB_SEND_TEXT, connection,
      g_bytes_ref (frame));
}

void
push_disconnect (Hub *hub, uint64_t connection)
{
  push_output (hub, HUB_DISCONNECT, connection, NULL);
}

void
send_message (Connection *to, const WireMessage *message)
{
  g_autoptr (GBytes) frame = frame_new (message);
  if (frame)
    send_frame (to->place->room->hub, to->id, false, frame);
}

void
send_simple (Connection *to, WireType type)
{
  send_message (to, &(WireMessage){ .type = type });
}

void
send_peer (Connection *to, WireType type, uint64_t peer)
{
  send_message (to, &(WireMessage){ .type = type, .peer = peer });
}

void
send_again (Connection *to, uint64_t after)
{
  send_message (to, &(WireMessage){ .type = WIRE_AGAIN, .after = after });
}

void
send_error (Hub *hub, uint64_t connection, WireCode code)
{
  WireMessage message = { .type = WIRE_ERROR, .code = code };
  g_autoptr (GBytes) frame = frame_new (&message);
  send_frame (hub, connection, false, frame);
}

static HubEvent *
event_new (Hub *hub, HubEventType type)
{
  HubEvent *event = g_new0 (HubEvent, 1);
  event->type = type;
  g_queue_push_tail (&hub->events, event);
  return event;
}

void
push_event (Hub *hub, HubEventType type, const Place *place)
{
  HubEvent *event = event_new (hub, type);
  event->room = place->room->number;
  event->peer = place->peer;
}

void
push_audit (const Place *place, HubAudit audit, WireCode code)
{
  Hub *hub = place->room->hub;
  if (audit == HUB_AUDIT_REFUSED
      && !bucket_take (&hub->audits, hub->now, AUDIT_BURST, AUDIT_RATE, 1))
    return;
  HubEvent *event = event_new (hub, HUB_EVENT_AUDIT);
  event->room = place->room->number;
  event->peer = place->peer;
  event->audit = audit;
  event->code = code;
  event->meeting = g_strdup (place->room->meeting);
  g_strlcpy (event->source,
      place->connection ? place->connection->source->text
                        : place->source->text,
      sizeof event->source);
}

void
push_room_audit (const Room *room, HubAudit audit)
{
  HubEvent *event = event_new (room->hub, HUB_EVENT_AUDIT);
  event->room = room->number;
  event->audit = audit;
  event->meeting = g_strdup (room->meeting);
}

bool
hold (Hub *hub, GBytes **held, GBytes *frame)
{
  size_t size = g_bytes_get_size (frame);

  let_go (hub, held);
  if (size > HUB_HELD_TOTAL - hub->usage.held_bytes) {
    hub->stats.held_crowded++;
    return false;
  }
  hub->usage.held_bytes += size;
  *held = g_bytes_ref (frame);
  return true;
}

void
let_go (Hub *hub, GBytes **held)
{
  if (!*held)
    return;
  hub->usage.held_bytes -= g_bytes_get_size (*held);
  g_clear_pointer (held, g_bytes_unref);
}

bool
hub_next_output (Hub *hub, HubOutput *out)
{
  HubOutput *first = g_queue_pop_head (&hub->outputs);
  if (!first)
    return false;
  *out = *first;
  g_free (first);
  return true;
}

void
hub_output_clear (HubOutput *output)
{
  g_clear_pointer (&output->frame, g_bytes_unref);
}

bool
hub_next_event (Hub *hub, HubEvent *out)
{
  HubEvent *first = g_queue_pop_head (&hub->events);
  if (!first)
    return false;
  *out = *first;
  g_free (first);
  return true;
}

void
hub_event_clear (HubEvent *event)
{
  if (event->type == HUB_EVENT_MEDIA)
    wire_clear (&event->media, WIRE_FROM_CLIENT);
  g_clear_pointer (&event->meeting, g_free);
  *event = (HubEvent){ 0 };
}

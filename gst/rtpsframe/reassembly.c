/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gst/rtpsframe/reassembly.h"

#include "gst/rtpsframe/rtpsframe.h"

uint32_t
reassembly_break (Reassembly *self, DropReason reason)
{
  uint32_t packets = self->open ? self->packets : 0;

  self->open = false;
  self->packets = 0;
  self->bytes = 0;
  self->tail = reason;
  return packets;
}

static void
give_up (Reassembly *self, Step *step, DropReason reason)
{
  uint32_t packets = reassembly_break (self, reason);

  if (packets
      > 0) { /* at most once per step: nothing is added to an SFrame before its packet is accepted */
    step->broken = reason;
    step->broken_packets = packets;
  }
}

/* Drops the packet in hand too. If it was the last of its SFrame, what follows is not its fault. */
static void
refuse (Reassembly *self, Step *step, DropReason reason, bool last)
{
  give_up (self, step, reason);
  step->dropped = reason;
  if (last)
    self->tail = DROP_NONE;
}

static DropReason
difference (const Fragment *a, const Fragment *b)
{
  if (a->ssrc != b->ssrc)
    return DROP_SSRC_CHANGED;
  if (a->timestamp != b->timestamp)
    return DROP_TIMESTAMP_CHANGED;
  if (a->payload_type != b->payload_type)
    return DROP_PAYLOAD_TYPE_CHANGED;
  if ((a->descriptor ^ b->descriptor) & DESCRIPTOR_PACKETIZED)
    return DROP_MODE_CHANGED;
  return DROP_NONE;
}

Step
reassembly_step (
    Reassembly *self, const Fragment *f, bool lost, size_t max_bytes)
{
  bool starts = f->descriptor & DESCRIPTOR_START,
       ends = f->descriptor & DESCRIPTOR_END;
  Step step = { DROP_NONE };
  DropReason reason;

  if (lost)
    give_up (self, &step,
        self->open && self->first.ssrc != f->ssrc ? DROP_SSRC_CHANGED
                                                  : DROP_INCOMPLETE);

  if (f->len == 0) {
    refuse (self, &step, DROP_EMPTY_FRAGMENT, ends);
    return step;
  }

  if (starts) {
    give_up (self, &step, DROP_NO_END);
    self->open = true;
    self->tail = DROP_NONE;
    self->first = *f;
    step.begins = true;
  } else if (!self->open) {
    refuse (self, &step, self->tail ? self->tail : DROP_NO_START, ends);
    return step;
  } else if ((reason = difference (&self->first, f)) != DROP_NONE) {
    refuse (self, &step, reason, ends);
    return step;
  }

  /* The limit may have been lowered meanwhile. */
  if (self->bytes > max_bytes || f->len > max_bytes - self->bytes) {
    refuse (self, &step, DROP_TOO_LARGE, ends);
    return step;
  }
  if (self->packets == MAX_FRAGMENTS) {
    refuse (self, &step, DROP_TOO_MANY_FRAGMENTS, ends);
    return step;
  }

  self->packets++;
  self->bytes += f->len;
  if (ends) {
    step.complete = true;
    self->open = false;
    self->packets = 0;
    self->bytes = 0;
  }
  return step;
}

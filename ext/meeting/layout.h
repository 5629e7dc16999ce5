/* Where pictures are in the mix: rectangles of a compositor's pads.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* One place: a picture lies over its placeholder. Pads of a compositor, no references; either may be NULL. */
typedef struct
{
  GstPad *placeholder, *picture;
  gboolean is_screen;
} MeetingCell;

/* Adds one to an array of MeetingCell, unless it would be empty. */
void meeting_layout_add (
    GArray *cells, GstPad *placeholder, GstPad *picture, gboolean is_screen);

/* Screens fill the left, and people a column beside them; without screens, people fill all. Takes the screens out of `cells`. */
void meeting_layout_place (GArray *cells, gint width, gint height);

G_END_DECLS

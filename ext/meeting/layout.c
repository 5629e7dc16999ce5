/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layout.h"

static void
place (const MeetingCell *cell, gint x, gint y, gint width, gint height)
{
  GstPad *pads[] = { cell->placeholder, cell->picture };

  for (guint i = 0; i < G_N_ELEMENTS (pads); i++)
    if (pads[i])
      g_object_set (pads[i], "xpos", x & ~1, "ypos", y & ~1, "width",
          width & ~1, "height", height & ~1, NULL);
}

/* Cells of 16:9, as many beside as below each other, the last row in the middle. */
static void
place_grid (
    const MeetingCell *cells, guint n, gint x, gint y, gint width, gint height)
{
  guint columns = 1;

  while (columns * columns < n)
    columns++;
  if (width < height)
    columns = 1;
  guint rows = n ? (n + columns - 1) / columns : 0;
  for (guint i = 0; i < n; i++) {
    guint row = i / columns,
          in_row = row + 1 < rows ? columns : n - row * columns;
    gint cell_width = width / (gint) columns,
         cell_height = height / (gint) rows;
    gint left = (width - cell_width * (gint) in_row) / 2;
    gint w = MIN (cell_width, cell_height * 16 / 9), h = w * 9 / 16;
    place (&cells[i],
        x + left + cell_width * (gint) (i % columns) + (cell_width - w) / 2,
        y + cell_height * (gint) row + (cell_height - h) / 2, w, h);
  }
}

void
meeting_layout_add (
    GArray *cells, GstPad *placeholder, GstPad *picture, gboolean is_screen)
{
  MeetingCell cell = { placeholder, picture, is_screen };

  if (placeholder || picture)
    g_array_append_val (cells, cell);
}

void
meeting_layout_place (GArray *cells, gint width, gint height)
{
  g_autoptr (GArray) screens =
      g_array_new (FALSE, FALSE, sizeof (MeetingCell));

  for (guint i = 0; i < cells->len;) {
    const MeetingCell *cell = &g_array_index (cells, MeetingCell, i);
    if (cell->is_screen) {
      g_array_append_vals (screens, cell, 1);
      g_array_remove_index (cells, i);
    } else
      i++;
  }
  gint left = screens->len == 0 ? 0 : cells->len == 0 ? width : width * 4 / 5;
  place_grid ((MeetingCell *) screens->data, screens->len, 0, 0, left, height);
  place_grid (
      (MeetingCell *) cells->data, cells->len, left, 0, width - left, height);
}

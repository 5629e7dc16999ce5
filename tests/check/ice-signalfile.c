/* Files as a signalling channel: what they may be, what is left alone, and what is told.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pure.h"

#include "ext/ice/signalfile.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;
static GMainContext *context;

/* What a watch told. */
static GString *changes;
static guint n_unreadable;
static char *reason;

static void
set_up (void)
{
  dir = g_dir_make_tmp ("ice-signalfile-XXXXXX", NULL);
  fail_unless (dir != NULL);
  context = g_main_context_new ();
  changes = g_string_new (NULL);
  n_unreadable = 0;
}

static void
tear_down (void)
{
  GDir *all = g_dir_open (dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name (all));) {
    g_autofree char *path = g_build_filename (dir, name, NULL);
    (void) g_remove (path);
  }
  g_dir_close (all);
  fail_unless_equals_int (g_rmdir (dir), 0);
  g_main_context_unref (context);
  g_string_free (changes, TRUE);
  g_clear_pointer (&reason, g_free);
  g_free (dir);
}

static char *
in_dir (const char *name)
{
  return g_build_filename (dir, name, NULL);
}

static void
put (const char *path, const char *text)
{
  fail_unless (g_file_set_contents (path, text, -1, NULL));
}

static char *
text_of (const char *path)
{
  char *text = NULL;
  return g_file_get_contents (path, &text, NULL, NULL) ? text : NULL;
}

static void
on_changed (const char *text, gsize len, gpointer user)
{
  g_string_append_printf (changes, "[%.*s]", (int) len, text);
}

static void
on_unreadable (const char *why, gpointer user)
{
  n_unreadable++;
  g_free (reason);
  reason = g_strdup (why);
}

static SignalFile *
watch (const char *path)
{
  static const SignalFileEvents events = { on_changed, on_unreadable };
  return signal_file_watch (path, 100, context, &events, NULL);
}

static void
turn (void)
{
  while (g_main_context_iteration (context, FALSE))
    ;
}

static gboolean
is_told (const char *want)
{
  gint64 end = g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND;
  while (strcmp (changes->str, want) != 0 && g_get_monotonic_time () < end)
    g_main_context_iteration (context, TRUE);
  return strcmp (changes->str, want) == 0;
}

GST_START_TEST (what_is_written_is_there_whole_and_for_its_owner_alone)
{
  g_autofree char *path = in_dir ("a.sdp");
  g_autofree char *text = NULL;
  GStatBuf info;

  put (path, "old");
  fail_unless_equals_int (g_chmod (path, 0644), 0);
  fail_unless (signal_file_write (path, "new", NULL));
  text = text_of (path);
  fail_unless_equals_string (text, "new");
  fail_unless_equals_int (g_stat (path, &info), 0);
  fail_unless_equals_int (info.st_mode & 0777, 0600);
}
GST_END_TEST

/* 0: to a file, 1: to none yet, 2: by way of another link, relative to its folder. */
GST_START_TEST (a_symbolic_link_stays_and_its_file_is_written)
{
  g_autofree char *path = in_dir ("a.sdp");
  g_autofree char *target = in_dir ("target.sdp");
  g_autofree char *middle = in_dir ("middle.sdp");
  g_autofree char *text = NULL;

  if (__i__ == 0)
    put (target, "old");
  if (__i__ == 2)
    fail_unless_equals_int (symlink ("target.sdp", middle), 0);
  fail_unless_equals_int (
      symlink (__i__ == 2 ? "middle.sdp" : target, path), 0);
  fail_unless (signal_file_write (path, "new", NULL));
  fail_unless (g_file_test (path, G_FILE_TEST_IS_SYMLINK));
  fail_if (g_file_test (target, G_FILE_TEST_IS_SYMLINK));
  text = text_of (target);
  fail_unless_equals_string (text, "new");

  signal_file_retract (path, "new");
  fail_if (g_file_test (target, G_FILE_TEST_EXISTS));
  fail_unless (g_file_test (path, G_FILE_TEST_IS_SYMLINK));
}
GST_END_TEST

/* Nobody reads the FIFO: an attempt to open it would wait for ever. */
GST_START_TEST (what_is_no_regular_file_is_refused_and_left_alone)
{
  static const struct
  {
    const char *kind;
    mode_t mode;
  } rows[] = { { "FIFO", S_IFIFO }, { "folder", S_IFDIR } };
  g_autoptr (GError) error = NULL;
  g_autofree char *path = in_dir ("a.sdp");
  g_autofree char *link = in_dir ("link.sdp");
  struct stat info;

  fail_unless_equals_int (
      rows[__i__].mode == S_IFIFO ? mkfifo (path, 0600) : g_mkdir (path, 0700),
      0);
  fail_unless_equals_int (symlink (path, link), 0);
  for (guint i = 0; i < 2; i++) {
    fail_if (signal_file_write (i ? link : path, "new", &error));
    fail_unless (
        strstr (error->message, rows[__i__].kind), "%s", error->message);
    g_clear_error (&error);
    signal_file_retract (i ? link : path, "new");
  }
  fail_unless_equals_int (lstat (path, &info), 0);
  fail_unless_equals_int (info.st_mode & S_IFMT, rows[__i__].mode);
}
GST_END_TEST

GST_START_TEST (links_in_a_circle_and_missing_folders_are_refused)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = in_dir ("a.sdp");
  g_autofree char *nowhere = g_build_filename (dir, "no", "a.sdp", NULL);

  fail_unless_equals_int (symlink ("a.sdp", path), 0);
  fail_if (signal_file_write (path, "new", &error));
  fail_unless (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS),
      "%s", error->message);
  signal_file_retract (path, "new");
  g_clear_error (&error);
  fail_if (signal_file_write (nowhere, "new", &error));
  fail_unless (strstr (error->message, "check that the folder exists"), "%s",
      error->message);
}
GST_END_TEST

GST_START_TEST (only_what_was_written_here_is_retracted)
{
  g_autofree char *path = in_dir ("a.sdp");

  put (path, "mine");
  signal_file_retract (path, "mine and more");
  signal_file_retract (path, "min");
  fail_unless (g_file_test (path, G_FILE_TEST_EXISTS));
  signal_file_retract (path, "mine");
  fail_if (g_file_test (path, G_FILE_TEST_EXISTS));
}
GST_END_TEST

GST_START_TEST (a_file_is_told_of_when_it_appears_and_when_it_changes)
{
  g_autofree char *path = in_dir ("b.sdp");
  SignalFile *file = watch (path);

  turn ();
  fail_unless_equals_string (changes->str, "");
  fail_unless (signal_file_write (path, "one", NULL));
  fail_unless (is_told ("[one]"));
  put (path, "one"); /* the same again is nothing new */
  put (path, "two");
  fail_unless (is_told ("[one][two]"));
  fail_unless_equals_int (n_unreadable, 0);
  signal_file_free (file);
}
GST_END_TEST

GST_START_TEST (a_symbolic_link_is_read_through)
{
  g_autofree char *path = in_dir ("b.sdp");
  g_autofree char *target = in_dir ("target.sdp");
  fail_unless_equals_int (symlink (target, path), 0);
  SignalFile *file = watch (path);

  turn ();
  fail_unless_equals_int (n_unreadable, 0); /* it dangles: not there yet */
  put (target, "one");
  fail_unless (is_told ("[one]"));
  signal_file_free (file);
}
GST_END_TEST

/* Root reads what it has no right to, so these are a folder, and links in a circle. */
GST_START_TEST (what_cannot_be_read_is_told_at_once_and_once)
{
  g_autofree char *path = in_dir ("b.sdp");
  fail_unless_equals_int (
      __i__ ? symlink ("b.sdp", path) : g_mkdir (path, 0700), 0);
  SignalFile *file = watch (path);

  fail_unless_equals_int (n_unreadable, 1);
  fail_unless_equals_string (reason, g_strerror (__i__ ? ELOOP : EISDIR));
  for (guint i = 0; i < 2; i++) { /* what the folder tells has it looked at */
    g_autofree char *other = in_dir ("c.sdp");
    fail_unless_equals_int (g_rename (path, other), 0);
    fail_unless_equals_int (g_rename (other, path), 0);
    turn ();
  }
  fail_unless_equals_int (n_unreadable, 1);
  fail_unless_equals_int (g_remove (path), 0);
  put (path, "one");
  fail_unless (is_told ("[one]"));
  signal_file_free (file);
}
GST_END_TEST

/* The file grows under a descriptor that stays open, of which the kernel tells nothing: only something else in the folder
 * could have it looked at before the second is over. */
GST_START_TEST (other_files_of_the_folder_are_not_its_business)
{
  g_autofree char *path = in_dir ("b.sdp");
  g_autofree char *other = in_dir ("b.sdp.other");
  put (path, "one");
  gint64 start = g_get_monotonic_time ();
  SignalFile *file = watch (path);
  turn ();
  fail_unless_equals_string (changes->str, "[one]");
  int fd = g_open (path, O_WRONLY, 0);
  fail_unless_equals_int (pwrite (fd, "two", 3, 0), 3);
  for (guint i = 0; i < 50; i++)
    put (other, "noise");
  turn ();
  /* On a machine so slow that the look of each second came in between, this shows nothing. */
  if (g_get_monotonic_time () - start < G_TIME_SPAN_SECOND)
    fail_unless_equals_string (changes->str, "[one]");
  close (fd);
  fail_unless (is_told ("[one][two]"));
  signal_file_free (file);
}
GST_END_TEST

GST_START_TEST (a_file_beyond_the_limit_is_cut_one_byte_behind_it)
{
  g_autofree char *path = in_dir ("b.sdp");
  g_autofree char *text = g_strnfill (1000, 'x');

  put (path, text);
  SignalFile *file = watch (path);
  fail_unless_equals_uint64 (changes->len, 101 + 2);
  signal_file_free (file);
}
GST_END_TEST

static Suite *
ice_signalfile_suite (void)
{
  Suite *s = suite_create ("ice-signalfile");
  TCase *t = tcase_create ("files");

  suite_add_tcase (s, t);
  tcase_set_timeout (t, 30); /* a hang is a failure */
  tcase_add_checked_fixture (t, set_up, tear_down);
  tcase_add_test (t, what_is_written_is_there_whole_and_for_its_owner_alone);
  tcase_add_loop_test (t, a_symbolic_link_stays_and_its_file_is_written, 0, 3);
  tcase_add_loop_test (
      t, what_is_no_regular_file_is_refused_and_left_alone, 0, 2);
  tcase_add_test (t, links_in_a_circle_and_missing_folders_are_refused);
  tcase_add_test (t, only_what_was_written_here_is_retracted);
  tcase_add_test (t, a_file_is_told_of_when_it_appears_and_when_it_changes);
  tcase_add_test (t, a_symbolic_link_is_read_through);
  tcase_add_loop_test (t, what_cannot_be_read_is_told_at_once_and_once, 0, 2);
  tcase_add_test (t, other_files_of_the_folder_are_not_its_business);
  tcase_add_test (t, a_file_beyond_the_limit_is_cut_one_byte_behind_it);
  return s;
}

PURE_CHECK_MAIN (ice_signalfile)

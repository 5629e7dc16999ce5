/* Stands in for a fuzzing engine: runs each file of the folders given once through the target.
 *
 * A folder that is missing or empty is a failure: a corpus that nobody replays proves nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* The input in an allocation of its exact size, so that a sanitizer sees one byte too many. */
static int
run_file (const char *path)
{
  FILE *file = fopen (path, "rb");
  if (!file)
    return 0;
  fseek (file, 0, SEEK_END);
  long size = ftell (file);
  rewind (file);
  uint8_t *data = size >= 0 ? malloc (size > 0 ? (size_t) size : 1) : NULL;
  int ok = data && fread (data, 1, (size_t) size, file) == (size_t) size;
  fclose (file);
  if (ok) {
    uint8_t *exact = malloc ((size_t) size);
    memcpy (exact, data, (size_t) size);
    LLVMFuzzerTestOneInput (exact, (size_t) size);
    free (exact);
  }
  free (data);
  return ok;
}

int
main (int argc, char **argv)
{
  int total = 0;
  for (int i = 1; i < argc; i++) {
    DIR *dir = opendir (argv[i]);
    struct dirent *entry;
    while (dir && (entry = readdir (dir))) {
      char path[4096];
      if (entry->d_name[0] == '.')
        continue;
      snprintf (path, sizeof path, "%s/%s", argv[i], entry->d_name);
      if (!run_file (path)) {
        fprintf (stderr, "cannot read %s\n", path);
        return 1;
      }
      total++;
    }
    if (dir)
      closedir (dir);
  }
  printf ("%d inputs replayed\n", total);
  return total > 0 ? 0 : 1;
}

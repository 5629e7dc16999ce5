/* Looks through the whole memory of the process for what should be gone.
 *
 * What is searched for is never itself in memory: needles are kept masked. What is tried runs on a stack of its own, so that
 * the search itself does not write over what was left there.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pure.h"

#include <fcntl.h>
#include <ucontext.h>
#include <unistd.h>

#define MASK 0xa5
#define MAX_NEEDLE 128

typedef struct
{
  gsize len;
  guint8 masked[MAX_NEEDLE];
} Needle;

/* From hexadecimal text, without the bytes in between. */
static inline Needle
needle_from_hex (const char *hex)
{
  Needle n = { strlen (hex) / 2 };
  g_assert (n.len >= 8 && n.len <= MAX_NEEDLE);
  for (gsize i = 0; i < n.len; i++)
    n.masked[i] = (guint8) (MASK
                            ^ (g_ascii_xdigit_value (hex[2 * i]) << 4
                                | g_ascii_xdigit_value (hex[2 * i + 1])));
  return n;
}

static inline Needle
needle_from_bytes (const void *bytes, gsize len)
{
  Needle n = { len };
  g_assert (len >= 8 && len <= MAX_NEEDLE);
  for (gsize i = 0; i < len; i++)
    n.masked[i] = MASK ^ ((const guint8 *) bytes)[i];
  return n;
}

__attribute__ ((no_sanitize ("address"))) static const volatile guint8 *
search (
    const volatile guint8 *start, const volatile guint8 *end, const Needle *n)
{
  for (const volatile guint8 *p = start; p + n->len <= end; p++) {
    gsize i = 0;
    while (i < n->len && (p[i] ^ MASK) == n->masked[i])
      i++;
    if (i == n->len)
      return p;
  }
  return NULL;
}

/* From a line of /proc/self/maps behind its addresses, "rw-p 00000000 00:00 0 name": true for what can be written, and
 * for what can be read and is of no file, as an Identity is after it was made. */
static inline gboolean
is_ours (const char *line)
{
  g_autofree char *copy = g_strndup (line, strcspn (line, "\n"));
  g_auto (GStrv) words = g_strsplit (copy, " ", 5);
  return line[0] == 'r'
         && (line[1] == 'w'
             || (g_strcmp0 (words[3], "0") == 0
                 && !strchr (words[4] ? words[4] : "", '[')));
}

/* How many of the process's own mappings (those without a file, and the data of those with one) hold the needle. */
static inline guint
count_in_memory (const Needle *n)
{
  static char maps[1 << 18];
  int fd = open ("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  gsize len = 0;
  guint found = 0;

  fail_unless (fd >= 0, "this test needs /proc/self/maps");
  for (gssize got; (got = read (fd, maps + len, sizeof maps - 1 - len)) > 0;
       len += (gsize) got)
    ;
  close (fd);
  maps[len] = '\0';

  for (char *line = maps; *line; line = strchr (line, '\n') + 1) {
    char *rest;
    guint64 start = g_ascii_strtoull (line, &rest, 16),
            end = g_ascii_strtoull (rest + 1, &rest, 16);
    /* A sanitizer's shadow is larger. */
    if (!is_ours (rest + 1) || end - start > 1 << 28)
      continue;
    if (search ((const volatile guint8 *) (gsize) start,
            (const volatile guint8 *) (gsize) end, n))
      found++;
  }
  return found;
}

static inline void
must_be_gone (const char *name, const Needle *n)
{
  fail_unless (count_in_memory (n) == 0, "the %s is still in memory", name);
}

/* Nowhere but in the one guarded block that its owner keeps: no copy on the stack or in freed memory. */
static inline void
must_be_in_one_place (const char *name, const Needle *n)
{
  guint places = count_in_memory (n);
  fail_unless (places == 1, "the %s is in %u places", name, places);
}

static guint8 own_stack[1 << 18];
static ucontext_t here, there;
static void (*step) (gpointer data);
static gpointer step_data;

static inline void
take_step (void)
{
  step (step_data);
}

/* Calls function (data) on own_stack, whose dead frames stay as they were left until the next call. */
static inline void
aside (void (*function) (gpointer data), gpointer data)
{
  memset (own_stack, 0, sizeof own_stack);
  step = function;
  step_data = data;
  getcontext (&there);
  there.uc_stack.ss_sp = own_stack;
  there.uc_stack.ss_size = sizeof own_stack;
  there.uc_link = &here;
  makecontext (&there, take_step, 0);
  swapcontext (&here, &there);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#ifdef SANITIZED
#define MEMORY_CHECK_MAIN(name)                                                                      \
  int main (void)                                                                                    \
  {                                                                                                  \
    (void) name##_suite;                                                                             \
    puts (                                                                                           \
        "skipped: a sanitizer keeps more memory than can be searched, and copies of its own in it"); \
    return 77;                                                                                       \
  }
#else
#define MEMORY_CHECK_MAIN(name) PURE_CHECK_MAIN (name)
#endif

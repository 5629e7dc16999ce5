/* libsodium's guarded memory costs six system calls a key, which is half of a simulated meeting's time. Here it is plain
 * memory (the linker's --wrap); what guards keys is tested elsewhere.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

void *__wrap_sodium_malloc (size_t size);
void *__wrap_sodium_allocarray (size_t count, size_t size);
void __wrap_sodium_free (void *memory);

void *
__wrap_sodium_malloc (size_t size)
{
  void *memory = malloc (size > 0 ? size : 1);
  if (memory)
    memset (memory, 0xdb, size); /* as libsodium's own */
  return memory;
}

void *
__wrap_sodium_allocarray (size_t count, size_t size)
{
  return size > 0 && count > SIZE_MAX / size
             ? NULL
             : __wrap_sodium_malloc (count * size);
}

void
__wrap_sodium_free (void *memory)
{
  if (memory)
    sodium_memzero (memory, malloc_usable_size (memory));
  free (memory);
}

int __wrap_sodium_mprotect_readonly (void *memory);

int
__wrap_sodium_mprotect_readonly (void *memory)
{
  return 0;
}

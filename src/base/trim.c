/* Asking the C library's allocator for what it keeps. Room: base. */
#include "base/trim.h"

#include <malloc.h>

void hone_memory_trim(void) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

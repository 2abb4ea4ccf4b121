/* Characters of UTF-8. Room: base. */
#ifndef HONE_BASE_UTF8_H
#define HONE_BASE_UTF8_H

#include <stddef.h>

/* Bytes of the UTF-8 character that `data` begins with; 0 where it begins with none: a stray or
 * cut-off byte, an overlong form, a surrogate, beyond U+10FFFF (RFC 3629), or the end. */
size_t hone_utf8_next(const char *data, size_t size);

#endif

/* Characters of UTF-8. Room: base. */
#include "base/utf8.h"

#include <stdbool.h>

size_t hone_utf8_next(const char *data, size_t size) {
  const unsigned char *byte = (const unsigned char *)data;
  if (!size) return 0;
  if (byte[0] < 0x80) return 1;
  size_t count = byte[0] < 0xc2 ? 0 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : byte[0] < 0xf5 ? 4 : 0;
  if (!count || count > size) return 0;
  for (size_t i = 1; i < count; i++)
    if ((byte[i] & 0xc0) != 0x80) return 0;
  bool overlong = (byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xf0 && byte[1] < 0x90);
  bool surrogate = byte[0] == 0xed && byte[1] > 0x9f, beyond = byte[0] == 0xf4 && byte[1] > 0x8f;
  return overlong || surrogate || beyond ? 0 : count;
}

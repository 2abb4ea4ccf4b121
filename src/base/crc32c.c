/* CRC-32C: the processor's instruction where there is one, else a table. Room: base. */
#include "base/crc32c.h"

#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */

static uint32_t step(uint32_t crc, unsigned char byte) {
  crc ^= byte;
  for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
  return crc;
}

static uint32_t plain(uint32_t crc, const unsigned char *at, size_t size) {
  uint32_t table[256];
  for (unsigned i = 0; i < 256; i++) table[i] = step(0, (unsigned char)i);
  while (size--) crc = crc >> 8 ^ table[(crc ^ *at++) & 255];
  return crc;
}

#if defined __x86_64__
__attribute__((target("sse4.2"))) static uint32_t fast(uint32_t crc, const unsigned char *at,
                                                       size_t size) {
  uint64_t wide = crc, word;
  for (; size >= sizeof word; size -= sizeof word, at += sizeof word) {
    memcpy(&word, at, sizeof word);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  crc = (uint32_t)wide;
  while (size--) crc = __builtin_ia32_crc32qi(crc, *at++);
  return crc;
}
#endif

uint32_t hone_crc32c(const void *data, size_t size) {
#if defined __x86_64__
  if (__builtin_cpu_supports("sse4.2")) return ~fast(~0u, data, size);
#endif
  return ~plain(~0u, data, size);
}
